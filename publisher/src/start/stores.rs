//! Feeds that share a store: what is checked of them, and how they are read.

use super::{Check, Verdict};
use crate::chain::{ChainError, FeedFacts, Node};
use crate::config::{Config, Feed};
use crate::driver::StoreWire;
use alloy::primitives::Address;
use publisher_bindings::FEED_STORE_VERSION;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use std::collections::{BTreeMap, BTreeSet};

/// So many of the newest blocks show the pace of a chain.
const GAP_BLOCKS: u64 = 64;

/// The stores as the driver reads them.
pub(super) fn wires(config: &Config) -> BTreeMap<Address, StoreWire> {
    let mut wires: BTreeMap<Address, StoreWire> = BTreeMap::new();
    for (id, feed) in &config.feeds {
        let (Some(store), Some((_, entry))) = (feed.aggregator, &feed.entry) else { continue };
        let wire = || StoreWire { account: feed.account, feeds: Vec::new(), flags: BTreeMap::new() };
        let wire = wires.entry(store).or_insert_with(wire);
        wire.feeds.push((id.clone(), entry.number));
        wire.flags.extend(feed.flag().map(|flag| (id.clone(), flag)));
    }
    wires
}

/// Each store by itself: that it is one, and that it takes reports for as long as they may take to it. Whatever makes it
/// useless is said of its feeds.
pub(super) async fn examine_all(config: &Config, node: &Node, checks: &mut Vec<Check>) {
    let used: BTreeSet<&String> =
        config.feeds.values().filter_map(|feed| Some(&feed.entry.as_ref()?.0)).collect();
    for (name, store) in config.stores.iter().filter(|(name, _)| used.contains(name)) {
        let what = format!("store {name}");
        let Some(address) = store.address else { continue };
        let Ok(told) = node.store_facts(address).await else { continue };
        if told.type_and_version != FEED_STORE_VERSION {
            let detail = format!("{address} is {:?}, known is {FEED_STORE_VERSION:?}", told.type_and_version);
            let hint = "it must at least answer storeState(address)";
            checks.push(Check::new(what.as_str(), Verdict::Warn, detail, hint));
        }
        let max_age = Span::from_s(told.max_age_s.into());
        if let Some(wanted) = store.max_age.filter(|wanted| *wanted != max_age) {
            let detail = format!("{address} takes reports up to {max_age} old, configured are {wanted}");
            let hint = "it is fixed at creation: correct max_age or leave it out, or use a new store";
            checks.push(Check::new(what.as_str(), Verdict::Warn, detail, hint));
        }
        let gap = match longest_gap(node).await {
            Ok(gap) => gap,
            Err(error) => {
                let detail = format!("the chain's pace cannot be read: {error}");
                checks.push(Check::new(what, Verdict::Unavailable, detail, ""));
                continue;
            }
        };
        let needed = age_needed(gap, config.chain.block_time, config.chain.timing.bump_heads);
        if max_age < needed {
            let detail = format!(
                "{address} takes reports up to {max_age} old; with {gap} between two blocks they may be {needed} old"
            );
            let hint = "reports would revert and be paid for: let the chain make blocks more evenly, or use a store \
                        with a larger max_age";
            checks.push(Check::new(what, Verdict::Warn, detail, hint));
        } else {
            let detail = format!("{address}, {} feeds, takes reports up to {max_age} old", told.feeds);
            checks.push(Check::new(what, Verdict::Ok, detail, ""));
        }
    }
}

/// The longest time between two of the newest blocks.
async fn longest_gap(node: &Node) -> Result<Span, ChainError> {
    let (head, _) = node.head().await?;
    let blocks = node.ancestors(head.number, head.hash, GAP_BLOCKS).await?;
    // Whatever time the first block claims, it is not the chain's pace.
    let gaps = blocks.array_windows().filter(|[parent, _]| parent.number > 0);
    let gaps = gaps.map(|[parent, child]| child.time.since(parent.time));
    Ok(gaps.max().unwrap_or_default())
}

/// How old a report may become on its way. It names the newest block's time, which is older by a gap when the next block
/// comes; and it waits for so many blocks before another one takes its place.
fn age_needed(gap: Span, block_time: Span, bump_heads: u32) -> Span {
    gap.max(block_time) + block_time.times(u64::from(bump_heads) + 1)
}

/// A feed of a store: that the store is one and knows the feed, that we may write it, and that consumers read it.
pub(super) async fn examine(
    node: &Node,
    feed: &Feed,
    (name, store, number): (&str, Address, u16),
    checks: &mut Vec<Check>,
    what: &str,
) -> Result<FeedFacts, Check> {
    let wrong = |detail: String, hint: &str| Check::new(what, Verdict::Wrong, detail, hint);
    let unreadable = |error: ChainError| match error.is_contracts_word() {
        true => {
            let detail = format!("{store} does not answer like a store: {error}");
            Check::new(what, Verdict::Wrong, detail, "check store.address")
        }
        false => Check::new(what, Verdict::Unavailable, error.to_string(), ""),
    };
    let told = node.store_facts(store).await.map_err(unreadable)?;
    if u64::from(number) >= told.feeds {
        let detail = format!("store {store} has no feed {number}, only {} of them", told.feeds);
        let hint = "run `publisher deploy apply`, or correct store_id";
        return Err(wrong(detail, hint));
    }
    let facts = node.entry_facts(store, number).await.map_err(unreadable)?;
    if facts.decimals != feed.decimals {
        let detail = format!(
            "feed {number} of store {store} has {} decimals, configured are {}",
            facts.decimals, feed.decimals
        );
        return Err(wrong(detail, "correct feed.decimals or feed.store_id"));
    }
    let (head, _) = node.head().await.map_err(unreadable)?;
    let asked = [(FeedId::new(what), number)];
    let view =
        node.store_view(store, feed.account, &asked, &BTreeMap::new(), &head).await.map_err(unreadable)?;
    if !view.authorised {
        let detail = format!("{} may not update {store}", feed.account);
        let hint = "let its owner call setTransmitter(account, true), or run `publisher deploy apply`";
        return Err(wrong(detail, hint));
    }
    let entry = view.feeds.first().map(|(_, entry)| *entry);
    if view.paused || entry.is_some_and(|entry| entry.paused) {
        let detail = if view.paused { "the store is paused" } else { "the feed is paused in its store" };
        checks.push(Check::new(what, Verdict::Warn, detail, "nothing is published until it is unpaused"));
    }
    match feed.proxy {
        None => {
            let hint =
                "what consumers read is not checked; write the feed's facade, or the proxy over it, as proxy";
            checks.push(Check::new(what, Verdict::Warn, "no proxy is configured", hint));
        }
        Some(read) => {
            // Consumers read a facade, or a proxy that reads one.
            let (facade, proposed) = match node.proxy_facts(read).await {
                Ok(proxy) => (proxy.aggregator, Some(proxy.proposed)),
                Err(error) if error.is_contracts_word() => (read, None),
                Err(error) => return Err(unreadable(error)),
            };
            let shows = async |facade: Address| match node.facade_facts(facade).await {
                Ok(shown) => Ok(shown == (store, u64::from(number))),
                Err(error) if error.is_contracts_word() => Ok(false),
                Err(error) => Err(unreadable(error)),
            };
            if !shows(facade).await? {
                let detail = format!("consumers read {facade}, which does not show feed {number} of {store}");
                let Some(proposed) = proposed else {
                    return Err(wrong(detail, "correct feed.proxy or feed.store_id"));
                };
                if !shows(proposed).await? {
                    return Err(wrong(detail, "run `publisher deploy plan`"));
                }
                // The proxy takes a facade over only once it has rounds, so somebody has to write them.
                let detail = format!("proposed on {read}; consumers still read {facade}");
                let hint = "confirm it with `publisher deploy apply`";
                checks.push(Check::new(what, Verdict::Warn, detail, hint));
            }
        }
    }
    let round = entry.map_or(0, |entry| entry.round);
    let detail = format!(
        "feed {number} of store {name} at {store}, round {round}, {} decimals, {}",
        facts.decimals, facts.description
    );
    checks.push(Check::new(what, Verdict::Ok, detail, ""));
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this a store that fits a chain's pace is not told from one whose reports all come too late.
    #[test]
    fn a_report_may_become_as_old_as_a_gap_and_its_wait() {
        let s = Span::from_s;
        assert_eq!(age_needed(s(2), s(2), 3), s(10));
        // A chain that makes blocks only for transactions: the newest one may be as old as the last round.
        assert_eq!(age_needed(s(3600), s(2), 3), s(3608));
        assert_eq!(age_needed(Span::ZERO, s(5), 0), s(10));
    }
}
