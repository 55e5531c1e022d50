//! Reading a chain for the planner.

use super::AddressBook;
use crate::chain::{ChainError, Node};
use crate::config::Config;
use alloy::primitives::Address;
use publisher_bindings::{AGGREGATOR_PROXY_VERSION, AGGREGATOR_VERSION, AggregatorProxy};
use publisher_core::quote::FeedId;
use publisher_core::tx::BlockRef;
use publisher_deploy::{
    AggregatorState, Observed, ObservedFeed, Part, Proposal, ProxyState, Site, Wanted, WantedFeed,
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
    // What a store keeps needs no aggregator.
    let feeds = config.feeds.iter().filter(|(_, feed)| feed.entry.is_none()).map(|(id, feed)| {
        let wanted = WantedFeed {
            decimals: feed.decimals,
            description: feed.description.clone(),
            min_answer: feed.policy.min_answer,
            max_answer: feed.policy.max_answer,
            transmitter: feed.account,
            owner,
            aggregator: feed.aggregator,
            proxy: feed.proxy,
        };
        (id.clone(), wanted)
    });
    Wanted { deployer, feeds: feeds.collect() }
}

/// What is at the addresses of the wanted contracts: the configuration's, else the book's. A contract whose creation
/// is on its way counts from the moment it has code.
///
/// # Errors
/// If the node cannot be asked. What a contract answers is never an error, it is what the contract is.
pub async fn observe(node: &Node, wanted: &Wanted, book: &AddressBook) -> Result<Observed, ReadError> {
    let head = node.head().await.map_err(|source| ReadError { what: "the head".to_owned(), source })?.0;
    let mut feeds = BTreeMap::new();
    for (id, feed) in &wanted.feeds {
        let read = Reading { node, book, head, id, feed };
        let aggregator = read.aggregator().await.map_err(|e| read.failed(Part::Aggregator, e))?;
        let proxy = read.proxy().await.map_err(|e| read.failed(Part::Proxy, e))?;
        feeds.insert(id.clone(), ObservedFeed { aggregator, proxy });
    }
    Ok(Observed { time: head.time, feeds })
}

/// One feed being looked at.
struct Reading<'a> {
    node: &'a Node,
    book: &'a AddressBook,
    head: BlockRef,
    id: &'a FeedId,
    feed: &'a WantedFeed,
}

/// What a look at an address found.
enum Found<T> {
    Nothing,
    Ours(T),
    Foreign(Option<String>),
}

impl Reading<'_> {
    fn failed(&self, part: Part, source: ChainError) -> ReadError {
        ReadError { what: format!("the {part} of {}", self.id), source }
    }

    /// The address to look at, and whether something is known to be there.
    fn address(&self, part: Part) -> Option<(Address, bool)> {
        let configured = match part {
            Part::Aggregator => self.feed.aggregator,
            Part::Proxy => self.feed.proxy,
        };
        let known = configured.or_else(|| self.book.known(self.id, part));
        let pending = || self.book.pending().into_iter().find(|p| p.feed == *self.id && p.part == part);
        known.map(|address| (address, true)).or_else(|| pending().map(|p| (p.address(), false)))
    }

    async fn aggregator(&self) -> Result<Site<AggregatorState>, ChainError> {
        let Some((address, known)) = self.address(Part::Aggregator) else { return Ok(Site::Nowhere) };
        let found = self.look(address, AGGREGATOR_VERSION).await?;
        let found = match found {
            Found::Ours(()) => own(self.aggregator_state(address).await)?,
            Found::Foreign(says) => Found::Foreign(says),
            Found::Nothing => Found::Nothing,
        };
        Ok(site(address, known, found))
    }

    async fn proxy(&self) -> Result<Site<ProxyState>, ChainError> {
        let Some((address, known)) = self.address(Part::Proxy) else { return Ok(Site::Nowhere) };
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
        // Both contracts have the function, so either binding reads it.
        let says = self.node.view(address, &AggregatorProxy::typeAndVersionCall {}).await;
        Ok(match own(says)? {
            Found::Ours(says) if says == expected => Found::Ours(()),
            Found::Ours(says) => Found::Foreign(Some(says.chars().take(SAYS_MAX).collect())),
            Found::Foreign(_) | Found::Nothing => Found::Foreign(None),
        })
    }

    async fn aggregator_state(&self, address: Address) -> Result<AggregatorState, ChainError> {
        let facts = self.node.aggregator_facts(address).await?;
        let view = self.node.round_view(address, self.feed.transmitter, &self.head).await?;
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
