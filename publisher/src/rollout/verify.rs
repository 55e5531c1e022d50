//! The gates of a deployment: whether each contract is what it should be, and consumers read what is written.
//!
//! A proxy can be deployed, pointed and read without an error while consumers get nothing from it. So the last gate
//! reads through the address that consumers use and compares with the contract that the publisher writes.

use super::{AddressBook, ReadError, observe};
use crate::chain::{ChainError, LatestRound, Node};
use alloy::primitives::{Address, U256};
use publisher_bindings::deployed::{is_aggregator, is_aggregator_proxy};
use publisher_core::quote::FeedId;
use publisher_deploy::{AggregatorState, ObservedFeed, Part, ProxyState, Site, Wanted, WantedFeed};
use serde::Serialize;
use std::fmt;

/// The aggregator's part of a proxied round id.
const ROUND_BITS: usize = 64;
/// A round may be written between two reads; then both are read again, this often.
const READS_MAX: u32 = 5;

/// One gate of one feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The feed.
    pub feed: String,
    /// The contract.
    pub part: Part,
    /// What is checked.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty if it is as it should be.
    pub hint: &'static str,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.ok { "ok" } else { "FAILED" };
        write!(f, "{word:<6} {} {} {}: {}", self.feed, self.part, self.name, self.detail)?;
        if self.ok { Ok(()) } else { write!(f, "\n       hint: {}", self.hint) }
    }
}

/// Checks every gate of every feed, in the order of their names.
///
/// # Errors
/// If the node cannot be asked.
pub async fn verify(node: &Node, wanted: &Wanted, book: &AddressBook) -> Result<Vec<Check>, ReadError> {
    let observed = observe(node, wanted, book).await?;
    let mut checks = Vec::new();
    for (id, feed) in &wanted.feeds {
        let Some(found) = observed.feeds.get(id) else { continue };
        let evidence = gather(node, found).await;
        let evidence =
            evidence.map_err(|source| ReadError { what: format!("the contracts of {id}"), source })?;
        checks.extend(examine(id, feed, found, &evidence));
    }
    Ok(checks)
}

/// What is read besides the contracts' own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Evidence {
    /// Whether the aggregator's code is the committed one.
    aggregator_code: bool,
    /// Whether the proxy's code is the committed one.
    proxy_code: bool,
    /// The latest round as the aggregator gives it.
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

async fn gather(node: &Node, found: &ObservedFeed) -> Result<Evidence, ChainError> {
    let mut evidence = Evidence::default();
    let (aggregator, proxy) = (found.aggregator.address(), found.proxy.address());
    if let Some(address) = aggregator {
        evidence.aggregator_code = is_aggregator(&node.code_at(address).await?);
    }
    if let Some(address) = proxy {
        evidence.proxy_code = is_aggregator_proxy(&node.code_at(address).await?);
    }
    if let (Site::Ours { address: aggregator, .. }, Site::Ours { address: proxy, state }) =
        (&found.aggregator, &found.proxy)
    {
        for _ in 0..READS_MAX {
            evidence.direct = read(node, *aggregator).await?;
            evidence.through = read(node, *proxy).await?;
            if same(&evidence.direct, &evidence.through, state.phase) {
                break;
            }
        }
    }
    Ok(evidence)
}

async fn read(node: &Node, contract: Address) -> Result<Read, ChainError> {
    match node.proxy_latest(contract).await {
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

/// The gates of one feed.
fn examine(id: &FeedId, wanted: &WantedFeed, found: &ObservedFeed, evidence: &Evidence) -> Vec<Check> {
    let mut list = List { feed: id.to_string(), checks: Vec::new() };
    if let Some(state) = list.place(Part::Aggregator, &found.aggregator, evidence.aggregator_code) {
        list.aggregator(wanted, state);
    }
    if let Some(state) = list.place(Part::Proxy, &found.proxy, evidence.proxy_code) {
        list.proxy(wanted, state, found.aggregator.address(), evidence);
    }
    list.checks
}

/// One feed's gates as they are gone through.
struct List {
    feed: String,
    checks: Vec<Check>,
}

impl List {
    fn add(&mut self, part: Part, name: &'static str, ok: bool, detail: String, hint: &'static str) {
        let hint = if ok { "" } else { hint };
        self.checks.push(Check { feed: self.feed.clone(), part, name, ok, detail, hint });
    }

    fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        part: Part,
        name: &'static str,
        (found, wanted): (&T, &T),
        hint: &'static str,
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

    fn aggregator(&mut self, wanted: &WantedFeed, state: &AggregatorState) {
        const FIXED: &str = "it is fixed at creation: correct the configuration, or deploy a new aggregator";
        let part = Part::Aggregator;
        self.compare(part, "decimals", (&state.decimals, &wanted.decimals), FIXED);
        self.compare(part, "description", (&state.description, &wanted.description), FIXED);
        self.compare(part, "min answer", (&state.min_answer, &wanted.min_answer), FIXED);
        self.compare(part, "max answer", (&state.max_answer, &wanted.max_answer), FIXED);
        self.owner(part, state.owner, wanted.owner);
        let (may, hint) =
            if state.authorised { ("may", "") } else { ("may not", "grant it: publisher deploy apply") };
        let detail = format!("{} {may} submit", wanted.transmitter);
        self.add(part, "transmitter", state.authorised, detail, hint);
        let (detail, hint) = if state.paused {
            ("it takes no rounds", "let the owner call unpause() when the reason for the pause is gone")
        } else {
            ("it takes rounds", "")
        };
        self.add(part, "pause", !state.paused, detail.to_owned(), hint);
    }

    fn proxy(
        &mut self,
        wanted: &WantedFeed,
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
            None => format!("{}, and no aggregator is known", state.aggregator),
        };
        let hint = "publisher deploy apply proposes and confirms the aggregator that is written";
        self.add(part, "aggregator", reads, detail, hint);
        let (direct, through) = (&evidence.direct, &evidence.through);
        let ok = same(direct, through, state.phase);
        let detail = if ok {
            format!("consumers read {through}")
        } else {
            format!("consumers read {through}, the aggregator has {direct}")
        };
        let hint = "consumers do not get what is written: point the proxy to the aggregator that the publisher \
                    writes, before anything relies on it";
        self.add(part, "read through", ok, detail, hint);
    }

    fn owner(&mut self, part: Part, found: Address, wanted: Address) {
        let hint = "the owner hands over with transferOwnership, the new one takes it with acceptOwnership";
        self.compare(part, "owner", (&found, &wanted), hint);
    }
}

#[cfg(test)]
mod tests;
