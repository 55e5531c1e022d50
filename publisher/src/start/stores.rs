//! Feeds that share a store: what is checked of them, and how they are read.

use super::{Check, Verdict};
use crate::chain::{ChainError, FeedFacts, Node};
use crate::config::{Config, Feed};
use crate::driver::StoreWire;
use alloy::primitives::Address;
use publisher_bindings::FEED_STORE_VERSION;
use publisher_core::quote::FeedId;
use std::collections::BTreeMap;

/// The stores as the driver reads them.
pub(super) fn wires(config: &Config) -> BTreeMap<Address, StoreWire> {
    let mut wires: BTreeMap<Address, StoreWire> = BTreeMap::new();
    for (id, feed) in &config.feeds {
        let (Some(store), Some((_, entry))) = (feed.aggregator, &feed.entry) else { continue };
        let wire = || StoreWire { account: feed.account, feeds: Vec::new() };
        wires.entry(store).or_insert_with(wire).feeds.push((id.clone(), entry.number));
    }
    wires
}

/// A feed of a store: that the store is one and knows the feed, that we may write it, and that consumers read it.
pub(super) async fn examine(
    node: &Node,
    feed: &Feed,
    (store, number): (Address, u16),
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
    if told.type_and_version != FEED_STORE_VERSION {
        let detail = format!("{store} is {:?}, known is {FEED_STORE_VERSION:?}", told.type_and_version);
        checks.push(Check::new(what, Verdict::Warn, detail, "it must at least answer storeState(address)"));
    }
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
    let view = node.store_view(store, feed.account, &asked, &head).await.map_err(unreadable)?;
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
        "feed {number} of store {store}, round {round}, {} decimals, {}",
        facts.decimals, facts.description
    );
    checks.push(Check::new(what, Verdict::Ok, detail, ""));
    Ok(facts)
}
