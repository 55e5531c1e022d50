//! What the core is told: the configuration, narrowed by what the contracts themselves say.

use super::problem::{Found, Place, join};
use super::{Config, Feed, Problems};
use crate::chain::FeedFacts;
use alloy::primitives::Address;
use publisher_core::machine::{ChainSpec, FeedSpec, Spec};
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use std::collections::BTreeMap;

/// Gas limits of a round are never lower, so that an estimate made for a cheap round cannot starve a dear one: no
/// round of the aggregator needs as much (`contracts/gas.json`).
pub const GAS_FLOOR: u64 = 100_000;
/// Gas limits of a round are never higher, whatever a node estimates.
pub const GAS_CEILING: u64 = 500_000;
/// Gas of a batch beside that of its feeds: the transaction's 21,000, the store's own state and the calls to facades.
pub const STORE_GAS: u64 = 60_000;
/// Likewise for each feed of a batch: its dearest round (`contracts/gas/store.json`, `worstUpdate`) and the gas that its
/// facade must be left to announce it.
const ENTRY_GAS_FLOOR: u64 = 70_000;
/// And never more for each.
const ENTRY_GAS_CEILING: u64 = 150_000;
/// Transactions of one account that may wait for inclusion at once; go-ethereum holds 64.
const IN_FLIGHT_MAX: usize = 16;
/// A round is read again after this, even if nothing seems to have changed.
const ROUND_REFRESH: Span = Span::from_s(30);

impl Config {
    /// The highest gas limit that a transaction of an account may have.
    pub fn gas_max(&self, account: Address) -> u64 {
        let feeds = self.feeds.values().filter(|feed| feed.account == account);
        let entries = u64::try_from(feeds.filter(|feed| feed.entry.is_some()).count()).unwrap_or(u64::MAX);
        GAS_CEILING.max(STORE_GAS.saturating_add(ENTRY_GAS_CEILING.saturating_mul(entries)))
    }

    /// The specification of a machine. `facts` are what the feeds' aggregators say, as far as that is known: answers
    /// stay within both the configured and the contract's bounds.
    ///
    /// # Errors
    /// With every feed without an aggregator, and every one whose aggregator has other decimals or no bounds in
    /// common.
    pub fn machine_spec(&self, facts: &BTreeMap<FeedId, FeedFacts>) -> Result<Spec, Problems> {
        let mut found = Found::default();
        let mut feeds = BTreeMap::new();
        for (id, feed) in &self.feeds {
            let spec = feed_spec(id, feed, facts.get(id), &mut found);
            feeds.extend(spec.map(|spec| (id.clone(), spec)));
        }
        if found.has_errors() {
            return Err(found.finish(&self.origin));
        }
        let chain = ChainSpec {
            chain_id: self.chain.id,
            block_time: self.chain.block_time,
            finality: self.chain.finality,
            fees: self.chain.fees,
            caps: self.chain.caps,
            timing: self.chain.timing,
            in_flight_max: IN_FLIGHT_MAX,
            round_refresh: ROUND_REFRESH,
        };
        let rates = self.rates.clone();
        let stores = self.stores.values().filter_map(|store| Some((store.address?, store.spec))).collect();
        Ok(Spec { chain, feeds, stores, rates, accounts: Vec::new(), acknowledge_halts: false })
    }
}

fn feed_spec(id: &FeedId, feed: &Feed, facts: Option<&FeedFacts>, found: &mut Found) -> Option<FeedSpec> {
    let place = |key: &str, shown: String| {
        let path = join(&join("feed", id.as_str()), key);
        Place { path, line: None, shown }
    };
    let mut policy = feed.policy.clone();
    if let Some(facts) = facts {
        if facts.decimals != feed.decimals {
            let reason = format!("the aggregator has {} decimals", facts.decimals);
            let hint = "correct it, or deploy another aggregator";
            found.error(&place("decimals", feed.decimals.to_string()), reason, hint);
        }
        policy.min_answer = policy.min_answer.max(facts.min_answer);
        policy.max_answer = policy.max_answer.min(facts.max_answer);
        if policy.min_answer > policy.max_answer {
            let bound = |answer: publisher_core::price::Answer| answer.display(facts.decimals).to_string();
            let (low, high) = (bound(facts.min_answer), bound(facts.max_answer));
            let reason = format!("the aggregator takes answers from {low} to {high} only");
            let hint = "let min and max overlap with that, or deploy another aggregator";
            found.error(&place("min", String::new()), reason, hint);
        }
    }
    let Some(aggregator) = feed.aggregator else {
        let hint = "deploy it with `publisher deploy apply`, then write its address here";
        let key = if feed.entry.is_some() { "store" } else { "aggregator" };
        found.error(&place(key, String::new()), "missing", hint);
        return None;
    };
    let (gas_floor, gas_ceiling) = match feed.entry {
        Some(_) => (ENTRY_GAS_FLOOR, ENTRY_GAS_CEILING),
        None => (GAS_FLOOR, GAS_CEILING),
    };
    Some(FeedSpec {
        aggregator,
        entry: feed.entry.as_ref().map(|(_, entry)| entry.clone()),
        decimals: feed.decimals,
        account: feed.account,
        pricing: feed.pricing.clone(),
        off_hours: feed.off_hours.clone(),
        policy,
        gas_floor,
        gas_ceiling,
    })
}
