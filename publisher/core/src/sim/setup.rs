//! What the machine in the storm is configured as.

use super::world::{Storm, World};
use crate::aggregate::Rules;
use crate::book::{Path, Pricing};
use crate::fees::{FeePolicy, FeeProfile, ReplacementRule};
use crate::lease;
use crate::machine::{ChainSpec, FeedSpec, Spec};
use crate::outbox::Timing;
use crate::policy::{Combine, Policy};
use crate::price::{Answer, Ratio};
use crate::quote::{FeedId, MarketId};
use crate::time::Span;
use alloy_primitives::{Address, I256, U256};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const BLOCK: Span = Span::from_s(2);
pub(super) const HEARTBEAT: Span = Span::from_s(60);
pub(super) const LEAD: Span = Span::from_s(4);
pub(super) const MAX_AGE: Span = Span::from_s(30);
pub(super) const REFRESH: Span = Span::from_s(30);
pub(super) const VENUES: usize = 5;
pub(super) const QUORUM: usize = 3;
pub(super) const FEE_CAP_WEI: u128 = 1_000_000;
/// Timers are looked at this often, in milliseconds.
pub(super) const TICK: u64 = 500;
/// How long a lease lasts.
pub(super) const LEASE: Span = lease::LENGTH;

pub(super) fn timing() -> Timing {
    Timing {
        answer_timeout: Span::from_s(3),
        retry: Span::from_ms(500),
        retry_max: Span::from_s(8),
        resend: Span::from_s(5),
        bump_heads: 3,
    }
}

/// Feeds with their account, aggregator and price in hundred-millionths: two share an account, one has its own.
pub(super) fn feeds() -> BTreeMap<FeedId, (Address, Address, i128)> {
    let address = |n: u8| Address::repeat_byte(n);
    [
        ("BTC-USD", 0xa1, 0x01, 6_700_000_000_000),
        ("ETH-USD", 0xa1, 0x02, 350_000_000_000),
        ("GAS-USD", 0xa2, 0x03, 12_345),
    ]
    .into_iter()
    .map(|(id, account, aggregator, price)| (FeedId::new(id), (address(account), address(aggregator), price)))
    .collect()
}

/// The accounts of each lease: one replica alone writes for all of them.
pub(super) fn shards(replicas: usize) -> Vec<Vec<Address>> {
    let accounts: BTreeSet<Address> = feeds().into_values().map(|(account, ..)| account).collect();
    match replicas {
        1 => vec![accounts.into_iter().collect()],
        _ => accounts.into_iter().map(|account| vec![account]).collect(),
    }
}

impl World {
    /// What the machine that writes for a shard is told. An operator's acknowledgement is told once.
    pub fn spec(&mut self, shard: usize) -> Spec {
        let acknowledge_halts = self.acknowledged.remove(&shard);
        let accounts = self.shards.get(shard).cloned().unwrap_or_default();
        let Storm { finality, fees: profile, .. } = self.storm;
        let paths = |id: &FeedId| {
            (0..VENUES)
                .map(|v| Path { market: MarketId::new(&format!("venue{v}"), id.as_str()), via: Vec::new() })
                .collect()
        };
        let rules =
            Rules { quorum: QUORUM, outlier_floor: Ratio::from_bps(50), refuse_spread: Ratio::from_bps(500) };
        let policy = Policy {
            heartbeat: HEARTBEAT,
            heartbeat_lead: LEAD,
            deviation: Ratio::from_bps(50),
            deviation_abs: U256::ZERO,
            combine: Combine::Any,
            settle: Span::ZERO,
            jump: Ratio::default(),
            jump_confirm: Span::ZERO,
            min_answer: Answer::new(I256::ONE),
            max_answer: Answer::new(I256::MAX),
        };
        let feed = |id: &FeedId, account: Address, aggregator: Address| FeedSpec {
            aggregator,
            decimals: 8,
            account,
            pricing: Pricing { paths: paths(id), rules, max_age: MAX_AGE, reference: None },
            policy,
            gas_floor: 100_000,
            gas_ceiling: 500_000,
        };
        let rule = match profile {
            FeeProfile::ZeroGas => ReplacementRule::BESU,
            FeeProfile::Eip1559 | FeeProfile::Legacy => ReplacementRule::GETH,
        };
        let fees = FeePolicy { profile, max_fee_wei: FEE_CAP_WEI, min_tip_wei: 1, bump_percent: 0, rule };
        Spec {
            chain: ChainSpec {
                chain_id: 138,
                block_time: BLOCK,
                finality,
                fees,
                timing: timing(),
                in_flight_max: 16,
                round_refresh: REFRESH,
            },
            feeds: self
                .feeds
                .iter()
                .filter(|(_, (from, ..))| accounts.contains(from))
                .map(|(id, (from, to, _))| (id.clone(), feed(id, *from, *to)))
                .collect(),
            rates: BTreeMap::new(),
            accounts: Vec::new(),
            acknowledge_halts,
        }
    }
}
