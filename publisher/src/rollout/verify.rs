//! The gates of a deployment: whether each contract is what it should be, and consumers read what is written.
//!
//! A proxy can be deployed, pointed and read without an error while consumers get nothing from it. So the last gate
//! reads through the address that consumers use and compares with the contract that the publisher writes.

use super::{AddressBook, ReadError, observe};
use crate::chain::{ChainError, LatestRound, Node};
use alloy::primitives::{Address, U256};
use publisher_bindings::deployed::{is_aggregator, is_aggregator_proxy, is_feed_facade, is_feed_store};
use publisher_deploy::{
    AggregatorState, ObservedFeed, Part, ProxyState, Site, StoreState, Wanted, WantedEntry, WantedFeed,
    WantedStore,
};
use serde::Serialize;
use std::fmt;

/// The aggregator's part of a proxied round id.
const ROUND_BITS: usize = 64;
/// A round may be written between two reads; then both are read again, this often.
const READS_MAX: u32 = 5;

/// One gate of one feed or store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The feed or the store.
    pub subject: String,
    /// The contract.
    pub part: Part,
    /// What is checked.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty if it is as it should be.
    pub hint: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.ok { "ok" } else { "FAILED" };
        write!(f, "{word:<6} {} {} {}: {}", self.subject, self.part, self.name, self.detail)?;
        if self.ok { Ok(()) } else { write!(f, "\n       hint: {}", self.hint) }
    }
}

/// Checks every gate of every store and every feed, in the order of their names.
///
/// # Errors
/// If the node cannot be asked.
pub async fn verify(node: &Node, wanted: &Wanted, book: &AddressBook) -> Result<Vec<Check>, ReadError> {
    let observed = observe(node, wanted, book).await?;
    let mut checks = Vec::new();
    let failed = |subject: &str| {
        let what = format!("the contracts of {subject}");
        move |source| ReadError { what, source }
    };
    for (name, store) in &wanted.stores {
        let Some(found) = observed.stores.get(name) else { continue };
        let code = match found.address() {
            Some(address) => is_feed_store(&node.code_at(address).await.map_err(failed(name))?),
            None => false,
        };
        checks.extend(examine_store(name, store, found, code));
    }
    for (id, feed) in &wanted.feeds {
        let Some(found) = observed.feeds.get(id) else { continue };
        let store = feed.entry.as_ref().and_then(|entry| observed.stores.get(&entry.store));
        let evidence = gather(node, feed, found, store).await.map_err(failed(id.as_str()))?;
        checks.extend(examine(id.as_str(), feed, found, &evidence));
    }
    Ok(checks)
}

/// What is read besides the contracts' own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Evidence {
    /// Whether the aggregator's code, or the facade's, is the committed one.
    aggregator_code: bool,
    /// Whether the proxy's code is the committed one.
    proxy_code: bool,
    /// The latest round as the contract gives it that is written.
    direct: Read,
    /// The latest round as consumers get it.
    through: Read,
}

/// `latestRoundData()` of a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Read {
    /// There is no contract to read.
    #[default]
    Unread,
    /// "No data present".
    NoData,
    /// A round.
    Round(LatestRound),
    /// A refusal.
    Refused(String),
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread => f.write_str("nothing"),
            Self::NoData => f.write_str("\"No data present\""),
            Self::Round(round) => {
                let (phase, id) = split(round.round_id);
                write!(f, "round {id}")?;
                if phase != U256::ZERO {
                    write!(f, " of phase {phase}")?;
                }
                write!(f, " with answer {}", round.answer)
            }
            Self::Refused(why) => write!(f, "a refusal: {why}"),
        }
    }
}

async fn gather(
    node: &Node,
    wanted: &WantedFeed,
    found: &ObservedFeed,
    store: Option<&Site<StoreState>>,
) -> Result<Evidence, ChainError> {
    let mut evidence = Evidence::default();
    let (aggregator, proxy) = (found.aggregator.address(), found.proxy.address());
    if let Some(address) = aggregator {
        let code = node.code_at(address).await?;
        evidence.aggregator_code =
            if wanted.entry.is_some() { is_feed_facade(&code) } else { is_aggregator(&code) };
    }
    if let Some(address) = proxy {
        evidence.proxy_code = is_aggregator_proxy(&node.code_at(address).await?);
    }
    let Site::Ours { address: aggregator, .. } = found.aggregator else { return Ok(evidence) };
    let (reader, phase) = match &found.proxy {
        Site::Ours { address, state } => (*address, state.phase),
        _ if wanted.is_read_directly() => (aggregator, 0),
        _ => return Ok(evidence),
    };
    for _ in 0..READS_MAX {
        evidence.direct = match (&wanted.entry, store) {
            (Some(WantedEntry { number, .. }), Some(Site::Ours { address, .. })) => {
                told(node.entry_latest(*address, *number).await)?
            }
            _ => told(node.proxy_latest(aggregator).await)?,
        };
        evidence.through = told(node.proxy_latest(reader).await)?;
        if same(&evidence.direct, &evidence.through, phase) {
            break;
        }
    }
    Ok(evidence)
}

fn told(answer: Result<Option<LatestRound>, ChainError>) -> Result<Read, ChainError> {
    match answer {
        Ok(Some(round)) => Ok(Read::Round(round)),
        Ok(None) => Ok(Read::NoData),
        Err(error) if error.is_contracts_word() => Ok(Read::Refused(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Whether consumers get what the aggregator has, with the phase before the ids and nothing else changed.
fn same(direct: &Read, through: &Read, phase: u16) -> bool {
    match (direct, through) {
        (Read::NoData, Read::NoData) => true,
        (Read::Round(direct), Read::Round(through)) => {
            let proxied = |id: U256| id | (U256::from(phase) << ROUND_BITS);
            let expected = LatestRound {
                round_id: proxied(direct.round_id),
                answered_in_round: proxied(direct.answered_in_round),
                ..*direct
            };
            *through == expected
        }
        _ => false,
    }
}

fn split(round_id: U256) -> (U256, U256) {
    let phase = round_id >> ROUND_BITS;
    (phase, round_id - (phase << ROUND_BITS))
}

/// The gates of one store.
fn examine_store(name: &str, wanted: &WantedStore, found: &Site<StoreState>, code: bool) -> Vec<Check> {
    const FIXED: &str = "it is fixed at creation: correct max_age or leave it out, or use a new store";
    let part = Part::Store;
    let mut list = List { subject: name.to_owned(), checks: Vec::new() };
    if let Some(state) = list.place(part, found, code) {
        let max_age_s = wanted.max_age_s.unwrap_or(state.max_age_s);
        list.compare(part, "max age", (&state.max_age_s, &max_age_s), FIXED);
        list.owner(part, state.owner, wanted.owner);
        list.transmitter(part, wanted.transmitter, state.authorised);
        list.pause(part, state.paused, "unpause()");
    }
    list.checks
}

/// The gates of one feed.
fn examine(id: &str, wanted: &WantedFeed, found: &ObservedFeed, evidence: &Evidence) -> Vec<Check> {
    let mut list = List { subject: id.to_owned(), checks: Vec::new() };
    let part = if wanted.entry.is_some() { Part::Facade } else { Part::Aggregator };
    if let Some(state) = list.place(part, &found.aggregator, evidence.aggregator_code) {
        list.constants(part, wanted, state);
        match &wanted.entry {
            // Who administers and writes a store is the store's own matter.
            Some(entry) => {
                list.pause(part, state.paused, &format!("setFeedPaused({}, false)", entry.number));
            }
            None => {
                list.owner(part, state.owner, wanted.owner);
                list.transmitter(part, wanted.transmitter, state.authorised);
                list.pause(part, state.paused, "unpause()");
            }
        }
    }
    if wanted.is_read_directly() {
        list.read_through(part, evidence, 0);
    } else if let Some(state) = list.place(Part::Proxy, &found.proxy, evidence.proxy_code) {
        list.proxy((part, wanted), state, found.aggregator.address(), evidence);
    }
    list.checks
}

/// The gates of one feed or store as they are gone through.
struct List {
    subject: String,
    checks: Vec<Check>,
}

impl List {
    fn add(&mut self, part: Part, name: &'static str, ok: bool, detail: String, hint: &str) {
        let hint = if ok { String::new() } else { hint.to_owned() };
        self.checks.push(Check { subject: self.subject.clone(), part, name, ok, detail, hint });
    }

    fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        part: Part,
        name: &'static str,
        (found, wanted): (&T, &T),
        hint: &str,
    ) {
        let ok = found == wanted;
        let detail = if ok { found.to_string() } else { format!("{found}, wanted is {wanted}") };
        self.add(part, name, ok, detail, hint);
    }

    /// Whether the contract is there and is ours.
    fn place<'s, T>(&mut self, part: Part, site: &'s Site<T>, code: bool) -> Option<&'s T> {
        let (ok, detail, hint, state) = match site {
            Site::Nowhere => {
                (false, "no address is known".to_owned(), "deploy it: publisher deploy apply", None)
            }
            Site::Empty { address } => {
                let hint = "check that this is the right chain and that the node is in sync";
                (false, format!("{address} has no code"), hint, None)
            }
            Site::Foreign { address, says } => {
                let says = says.as_ref().map_or_else(|| "another contract".to_owned(), |s| format!("{s:?}"));
                (false, format!("{address} is {says}"), "correct the address in the configuration", None)
            }
            Site::Ours { address, state } if code => (true, address.to_string(), "", Some(state)),
            Site::Ours { address, state } => {
                let detail =
                    format!("{address} says the right version, but its code is not the committed one");
                let hint = "find out who deployed it and from what; deploy a new one if in doubt";
                (false, detail, hint, Some(state))
            }
        };
        self.add(part, "code", ok, detail, hint);
        state
    }

    fn constants(&mut self, part: Part, wanted: &WantedFeed, state: &AggregatorState) {
        let hint = match part {
            Part::Facade => {
                "it is fixed at creation: correct the configuration, or add the feed to its store anew"
            }
            _ => "it is fixed at creation: correct the configuration, or deploy a new aggregator",
        };
        self.compare(part, "decimals", (&state.decimals, &wanted.decimals), hint);
        self.compare(part, "description", (&state.description, &wanted.description), hint);
        self.compare(part, "min answer", (&state.min_answer, &wanted.min_answer), hint);
        self.compare(part, "max answer", (&state.max_answer, &wanted.max_answer), hint);
    }

    fn transmitter(&mut self, part: Part, transmitter: Address, authorised: bool) {
        let may = if authorised { "may" } else { "may not" };
        let detail = format!("{transmitter} {may} submit");
        self.add(part, "transmitter", authorised, detail, "grant it: publisher deploy apply");
    }

    fn pause(&mut self, part: Part, paused: bool, end: &str) {
        let detail = if paused { "it takes no rounds" } else { "it takes rounds" };
        let hint = format!("let the owner call {end} when the reason for the pause is gone");
        self.add(part, "pause", !paused, detail.to_owned(), &hint);
    }

    fn proxy(
        &mut self,
        (read, wanted): (Part, &WantedFeed),
        state: &ProxyState,
        aggregator: Option<Address>,
        evidence: &Evidence,
    ) {
        const FIXED: &str = "a proxy keeps its decimals: correct the configuration, or deploy a new proxy";
        let part = Part::Proxy;
        self.compare(part, "decimals", (&state.decimals, &wanted.decimals), FIXED);
        self.owner(part, state.owner, wanted.owner);
        let reads = aggregator == Some(state.aggregator);
        let detail = match aggregator {
            Some(_) if reads => format!("{} as phase {}", state.aggregator, state.phase),
            Some(wanted) => format!("{}, wanted is {wanted}", state.aggregator),
            None => format!("{}, and no {read} is known", state.aggregator),
        };
        let hint = format!("publisher deploy apply lets it read the {read} of what is written");
        self.add(part, read.name(), reads, detail, &hint);
        self.read_through(part, evidence, state.phase);
    }

    fn read_through(&mut self, part: Part, evidence: &Evidence, phase: u16) {
        let Evidence { direct, through, .. } = evidence;
        let ok = same(direct, through, phase);
        let detail = if ok {
            format!("consumers read {through}")
        } else {
            format!("consumers read {through}, what is written has {direct}")
        };
        let hint = "consumers do not get what is written: let them read what the publisher writes, before anything \
                    relies on it";
        self.add(part, "read through", ok, detail, hint);
    }

    fn owner(&mut self, part: Part, found: Address, wanted: Address) {
        let hint = "the owner hands over with transferOwnership, the new one takes it with acceptOwnership";
        self.compare(part, "owner", (&found, &wanted), hint);
    }
}

#[cfg(test)]
mod tests;
