//! What the core is told: the configuration, narrowed by what the contracts themselves say.

use super::problem::{Found, Place, join};
use super::{Config, Feed, Problems};
use crate::chain::AggregatorFacts;
use publisher_core::machine::{ChainSpec, FeedSpec, Spec};
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use std::collections::BTreeMap;

/// Gas limits of a round are never lower, so that an estimate made for a cheap round cannot starve a dear one: no
/// round of the aggregator needs as much (`contracts/gas.json`).
pub const GAS_FLOOR: u64 = 100_000;
/// Gas limits of a round are never higher, whatever a node estimates.
pub const GAS_CEILING: u64 = 500_000;
/// Transactions of one account that may wait for inclusion at once; go-ethereum holds 64.
const IN_FLIGHT_MAX: usize = 16;
/// A round is read again after this, even if nothing seems to have changed.
const ROUND_REFRESH: Span = Span::from_s(30);

impl Config {
    /// The specification of a machine. `facts` are what the feeds' aggregators say, as far as that is known: answers
    /// stay within both the configured and the contract's bounds.
    ///
    /// # Errors
    /// With every feed without an aggregator, and every one whose aggregator has other decimals or no bounds in
    /// common.
    pub fn machine_spec(&self, facts: &BTreeMap<FeedId, AggregatorFacts>) -> Result<Spec, Problems> {
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
            timing: self.chain.timing,
            in_flight_max: IN_FLIGHT_MAX,
            round_refresh: ROUND_REFRESH,
        };
        let rates = self.rates.clone();
        let stores = BTreeMap::new();
        Ok(Spec { chain, feeds, stores, rates, accounts: Vec::new(), acknowledge_halts: false })
    }
}

fn feed_spec(
    id: &FeedId,
    feed: &Feed,
    facts: Option<&AggregatorFacts>,
    found: &mut Found,
) -> Option<FeedSpec> {
    let place = |key: &str, shown: String| {
        let path = join(&join("feed", id.as_str()), key);
        Place { path, line: None, shown }
    };
    let mut policy = feed.policy;
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
        found.error(&place("aggregator", String::new()), "missing", hint);
        return None;
    };
    Some(FeedSpec {
        aggregator,
        entry: None,
        decimals: feed.decimals,
        account: feed.account,
        pricing: feed.pricing.clone(),
        policy,
        gas_floor: GAS_FLOOR,
        gas_ceiling: GAS_CEILING,
    })
}
