//! Reading a chain for the planner.

use super::AddressBook;
use crate::chain::{ChainError, Node};
use crate::config::Config;
use alloy::primitives::Address;
use publisher_bindings::{
    AGGREGATOR_PROXY_VERSION, AGGREGATOR_VERSION, AggregatorProxy, FEED_FACADE_VERSION, FEED_STORE_VERSION,
    FeedStore,
};
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use publisher_core::tx::BlockRef;
use publisher_deploy::{
    AggregatorState, Observed, ObservedFeed, Part, Proposal, ProxyState, Site, StoreState, Wanted,
    WantedEntry, WantedFeed, WantedStore,
};
use std::collections::BTreeMap;

/// Of what a foreign contract calls itself, this many characters are kept.
const SAYS_MAX: usize = 64;

/// A chain could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source} (check the node; nothing was changed)")]
pub struct ReadError {
    /// What was read.
    pub what: String,
    /// The reason.
    pub source: ChainError,
}

/// What the feeds of a configuration want of their chain. The configuration's addresses are taken as they are; those
/// of an address book are added when the chain is observed.
pub fn wanted(config: &Config, deployer: Address, owner: Address) -> Wanted {
    let feeds = config.feeds.iter().map(|(id, feed)| {
        let entry = feed.entry.as_ref().map(|(store, entry)| {
            let (store, number) = (store.clone(), entry.number);
            WantedEntry { store, number }
        });
        let wanted = WantedFeed {
            decimals: feed.decimals,
            description: feed.description.clone(),
            min_answer: feed.policy.min_answer,
            max_answer: feed.policy.max_answer,
            transmitter: feed.account,
            owner,
            aggregator: if entry.is_some() { feed.facade } else { feed.aggregator },
            entry,
            proxy: feed.proxy,
        };
        (id.clone(), wanted)
    });
    let stores = config.stores.iter().filter_map(|(name, store)| {
        // One account writes all feeds of a store. Without feeds nobody would, and none is needed.
        let is_in = |feed: &&crate::config::Feed| feed.entry.as_ref().is_some_and(|(of, _)| of == name);
        let transmitter = config.feeds.values().find(is_in)?.account;
        let max_age_s = store.max_age.map(|age: Span| u32::try_from(age.ms() / 1000).unwrap_or(u32::MAX));
        Some((name.clone(), WantedStore { max_age_s, transmitter, owner, address: store.address }))
    });
    Wanted { deployer, feeds: feeds.collect(), stores: stores.collect() }
}

/// What is at the addresses of the wanted contracts: the configuration's, else the book's. A contract whose creation
/// is on its way counts from the moment it has code.
///
/// # Errors
/// If the node cannot be asked. What a contract answers is never an error, it is what the contract is.
pub async fn observe(node: &Node, wanted: &Wanted, book: &AddressBook) -> Result<Observed, ReadError> {
    let head = node.head().await.map_err(|source| ReadError { what: "the head".to_owned(), source })?.0;
    let read = |subject| Reading { node, book, head, subject };
    let mut stores = BTreeMap::new();
    for (name, store) in &wanted.stores {
        let read = read(name);
        let entries = wanted.feeds.values().filter_map(|feed| feed.entry.as_ref());
        let numbers: Vec<u16> = entries.filter(|e| e.store == *name).map(|entry| entry.number).collect();
        let site = read.store(store, &numbers).await.map_err(|error| read.failed(Part::Store, error))?;
        stores.insert(name.clone(), site);
    }
    let mut feeds = BTreeMap::new();
    for (id, feed) in &wanted.feeds {
        let read = read(id.as_str());
        let aggregator = match &feed.entry {
            None => read.aggregator(feed).await.map_err(|error| read.failed(Part::Aggregator, error))?,
            Some(entry) => {
                let facade = read.facade(feed, entry, stores.get(&entry.store)).await;
                facade.map_err(|error| read.failed(Part::Facade, error))?
            }
        };
        let proxy = match feed.is_read_directly() {
            true => Site::Nowhere,
            false => read.proxy(feed).await.map_err(|error| read.failed(Part::Proxy, error))?,
        };
        feeds.insert(id.clone(), ObservedFeed { aggregator, proxy });
    }
    Ok(Observed { time: head.time, feeds, stores })
}

/// One feed or store being looked at.
struct Reading<'a> {
    node: &'a Node,
    book: &'a AddressBook,
    head: BlockRef,
    subject: &'a str,
}

/// What a look at an address found.
enum Found<T> {
    Nothing,
    Ours(T),
    Foreign(Option<String>),
}

impl Reading<'_> {
    fn failed(&self, part: Part, source: ChainError) -> ReadError {
        ReadError { what: format!("the {part} of {}", self.subject), source }
    }

    /// The address to look at, and whether something is known to be there.
    fn address(&self, part: Part, configured: Option<Address>) -> Option<(Address, bool)> {
        let known = configured.or_else(|| self.book.known(self.subject, part));
        let is_it = |p: &super::Pending| p.subject == self.subject && p.part == part;
        let pending = || self.book.pending().into_iter().find(is_it);
        known.map(|address| (address, true)).or_else(|| pending().map(|p| (p.address(), false)))
    }

    async fn store(&self, wanted: &WantedStore, numbers: &[u16]) -> Result<Site<StoreState>, ChainError> {
        let Some((address, known)) = self.address(Part::Store, wanted.address) else {
            return Ok(Site::Nowhere);
        };
        let found = match self.look(address, FEED_STORE_VERSION).await? {
            Found::Ours(()) => own(self.store_state(address, wanted.transmitter, numbers).await)?,
            Found::Foreign(says) => Found::Foreign(says),
            Found::Nothing => Found::Nothing,
        };
        Ok(site(address, known, found))
    }

    async fn store_state(
        &self,
        store: Address,
        transmitter: Address,
        numbers: &[u16],
    ) -> Result<StoreState, ChainError> {
        let facts = self.node.store_facts(store).await?;
        let owner = self.node.view(store, &FeedStore::ownerCall {}).await?;
        let there = numbers.iter().copied().filter(|number| u64::from(*number) < facts.feeds);
        // Whose the numbers are does not matter to the store.
        let asked: Vec<(FeedId, u16)> = there.map(|number| (FeedId::new(self.subject), number)).collect();
        let view = self.node.store_view(store, transmitter, &asked, &BTreeMap::new(), &self.head).await?;
        let mut entries = BTreeMap::new();
        for ((_, number), (_, entry)) in asked.iter().zip(&view.feeds) {
            let told = self.node.entry_facts(store, *number).await?;
            let state = AggregatorState {
                decimals: told.decimals,
                description: told.description,
                min_answer: told.min_answer,
                max_answer: told.max_answer,
                owner,
                authorised: view.authorised,
                paused: entry.paused,
                round: entry.round,
                answer: entry.answer,
                updated_at: entry.updated_at,
            };
            entries.insert(*number, state);
        }
        Ok(StoreState {
            max_age_s: facts.max_age_s,
            owner,
            authorised: view.authorised,
            paused: view.paused,
            feeds: facts.feeds,
            entries,
        })
    }

    async fn facade(
        &self,
        feed: &WantedFeed,
        entry: &WantedEntry,
        store: Option<&Site<StoreState>>,
    ) -> Result<Site<AggregatorState>, ChainError> {
        let Some((address, known)) = self.address(Part::Facade, feed.aggregator) else {
            return Ok(Site::Nowhere);
        };
        let found = match self.look(address, FEED_FACADE_VERSION).await? {
            Found::Ours(()) => match own(self.node.facade_facts(address).await)? {
                Found::Ours(shown) => shows(shown, entry, store),
                Found::Foreign(_) | Found::Nothing => Found::Foreign(None),
            },
            Found::Foreign(says) => Found::Foreign(says),
            Found::Nothing => Found::Nothing,
        };
        Ok(site(address, known, found))
    }

    async fn aggregator(&self, feed: &WantedFeed) -> Result<Site<AggregatorState>, ChainError> {
        let Some((address, known)) = self.address(Part::Aggregator, feed.aggregator) else {
            return Ok(Site::Nowhere);
        };
        let found = self.look(address, AGGREGATOR_VERSION).await?;
        let found = match found {
            Found::Ours(()) => own(self.aggregator_state(address, feed.transmitter).await)?,
            Found::Foreign(says) => Found::Foreign(says),
            Found::Nothing => Found::Nothing,
        };
        Ok(site(address, known, found))
    }

    async fn proxy(&self, feed: &WantedFeed) -> Result<Site<ProxyState>, ChainError> {
        let Some((address, known)) = self.address(Part::Proxy, feed.proxy) else {
            return Ok(Site::Nowhere);
        };
        let found = match self.look(address, AGGREGATOR_PROXY_VERSION).await? {
            Found::Ours(()) => own(self.proxy_state(address).await)?,
            Found::Foreign(says) => Found::Foreign(says),
            Found::Nothing => Found::Nothing,
        };
        Ok(site(address, known, found))
    }

    /// What the contract says it is.
    async fn look(&self, address: Address, expected: &str) -> Result<Found<()>, ChainError> {
        if self.node.code_at(address).await?.is_empty() {
            return Ok(Found::Nothing);
        }
        // Every contract of ours has the function, so any binding reads it.
        let says = self.node.view(address, &AggregatorProxy::typeAndVersionCall {}).await;
        Ok(match own(says)? {
            Found::Ours(says) if says == expected => Found::Ours(()),
            Found::Ours(says) => Found::Foreign(Some(says.chars().take(SAYS_MAX).collect())),
            Found::Foreign(_) | Found::Nothing => Found::Foreign(None),
        })
    }

    async fn aggregator_state(
        &self,
        address: Address,
        transmitter: Address,
    ) -> Result<AggregatorState, ChainError> {
        let facts = self.node.aggregator_facts(address).await?;
        let view = self.node.round_view(address, transmitter, None, &self.head).await?;
        Ok(AggregatorState {
            decimals: facts.decimals,
            description: facts.description,
            min_answer: facts.min_answer,
            max_answer: facts.max_answer,
            owner: facts.owner,
            authorised: view.authorised,
            paused: view.paused,
            round: view.round,
            answer: view.answer,
            updated_at: view.updated_at,
        })
    }

    async fn proxy_state(&self, address: Address) -> Result<ProxyState, ChainError> {
        let facts = self.node.proxy_facts(address).await?;
        let decimals = self.node.view(address, &AggregatorProxy::decimalsCall {}).await?;
        let proposal = if facts.proposed == Address::ZERO {
            None
        } else {
            let bounds = self.node.view(address, &AggregatorProxy::proposalBoundsCall {}).await?;
            Some(Proposal {
                aggregator: facts.proposed,
                max_age_s: bounds.maxAgeSeconds,
                max_deviation_bps: bounds.maxDeviationBps,
            })
        };
        // The aggregator behind it may be broken in any way; then there is no answer to read.
        let answer = match own(self.node.proxy_latest(address).await)? {
            Found::Ours(round) => round.map(|round| round.answer),
            Found::Foreign(_) | Found::Nothing => None,
        };
        let (owner, aggregator, phase) = (facts.owner, facts.aggregator, facts.phase_id);
        Ok(ProxyState { decimals, owner, aggregator, phase, proposal, answer })
    }
}

/// What a facade's words mean: it is the feed's own only if it shows the feed's number of the feed's store.
fn shows(
    (store, number): (Address, u64),
    entry: &WantedEntry,
    wanted: Option<&Site<StoreState>>,
) -> Found<AggregatorState> {
    let state = match wanted {
        Some(Site::Ours { address, state }) if (*address, u64::from(entry.number)) == (store, number) => {
            state.entries.get(&entry.number)
        }
        _ => None,
    };
    let other = || Found::Foreign(Some(format!("{FEED_FACADE_VERSION} of feed {number} of {store}")));
    state.cloned().map_or_else(other, Found::Ours)
}

fn site<T>(address: Address, known: bool, found: Found<T>) -> Site<T> {
    match found {
        Found::Ours(state) => Site::Ours { address, state },
        Found::Foreign(says) => Site::Foreign { address, says },
        Found::Nothing if known => Site::Empty { address },
        Found::Nothing => Site::Nowhere,
    }
}

/// Tells a contract that answers otherwise than ours from a node that does not answer.
fn own<T>(answer: Result<T, ChainError>) -> Result<Found<T>, ChainError> {
    match answer {
        Ok(value) => Ok(Found::Ours(value)),
        Err(error) if error.is_contracts_word() => Ok(Found::Foreign(None)),
        Err(error) => Err(error),
    }
}
