//! What the machine in the storm is configured as.

use super::trading::Trading;
use super::world::{Storm, World};
use crate::aggregate::Rules;
use crate::book::{Path, Pricing};
use crate::fees::{FeePolicy, FeeProfile, ReplacementRule};
use crate::lease;
use crate::machine::{ChainSpec, EntrySpec, FeedSpec, Group, Spec, StoreSpec};
use crate::outbox::Timing;
use crate::policy::{Deviation, Early, Policy};
use crate::price::{Answer, Ratio};
use crate::quote::{FeedId, MarketId};
use crate::time::Span;
use alloy_primitives::{Address, I256};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const BLOCK: Span = Span::from_s(2);
pub(super) const HEARTBEAT: Span = Span::from_s(60);
pub(super) const LEAD: Span = Span::from_s(4);
pub(super) const MAX_AGE: Span = Span::from_s(30);
pub(super) const REFRESH: Span = Span::from_s(30);
pub(super) const VENUES: usize = 5;
pub(super) const QUORUM: usize = 3;
/// The gas limit of an aggregator's round, for which less is estimated.
pub(super) const GAS_FLOOR: u64 = 100_000;
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

/// A store takes no report that was observed longer than this before its block.
pub(super) const STORE_MAX_AGE: Span = Span::from_s(300);
const STORE: Address = Address::repeat_byte(0x11);
/// The contract of flags.
const FLAGS: Address = Address::repeat_byte(0x1f);

/// Where a feed is written, and its true price.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub account: Address,
    pub contract: Address,
    /// Its number, if the contract is a store.
    pub entry: Option<u16>,
    pub group: Option<&'static str>,
    /// In hundred-millionths.
    pub price: i128,
}

/// The feeds with an aggregator each: two share an account, one has its own. With `batches` also five of a store, which
/// shares an account with an aggregator; two of them move together.
pub(super) fn feeds(batches: bool) -> BTreeMap<FeedId, Place> {
    let address = Address::repeat_byte;
    let single = [
        ("BTC-USD", 0xa1, 0x01, 6_700_000_000_000),
        ("ETH-USD", 0xa1, 0x02, 350_000_000_000),
        ("GAS-USD", 0xa2, 0x03, 12_345),
    ];
    let single = single.into_iter().map(|(id, account, contract, price)| {
        let (account, contract) = (address(account), address(contract));
        (FeedId::new(id), Place { account, contract, price, ..Place::default() })
    });
    let stored = [
        ("ADA-USD", 0, None, 45_000_000),
        ("BNB-USD", 3, Some("pair"), 60_000_000_000),
        ("DOT-USD", 7, None, 700_000_000),
        ("EUR-USD", 9, Some("pair"), 108_000_000),
        ("SOL-USD", 12, None, 15_000_000_000),
    ];
    let stored = stored.into_iter().filter(|_| batches).map(|(id, number, group, price)| {
        let account = address(0xa2);
        (FeedId::new(id), Place { account, contract: STORE, entry: Some(number), group, price })
    });
    single.chain(stored).collect()
}

/// The accounts of each lease: one replica alone writes for all of them.
pub(super) fn shards(replicas: usize) -> Vec<Vec<Address>> {
    let accounts: BTreeSet<Address> = feeds(false).into_values().map(|place| place.account).collect();
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
        let paths = |set: &FeedId| {
            (0..VENUES).map(|v| Path::direct(MarketId::new(&format!("venue{v}"), set.as_str()))).collect()
        };
        // The judge recomputes medians of what was said, and remembers nothing of who said it.
        let (self_jump, frozen, quarantine) = (Ratio::default(), Ratio::default(), Span::ZERO);
        let rules = Rules { self_jump, frozen, quarantine, ..Rules::of(QUORUM) };
        let pricing = |set: &FeedId| Pricing {
            paths: paths(set),
            rules,
            max_age: MAX_AGE,
            reference: None,
            constant: None,
        };
        let policy = Policy {
            heartbeat: HEARTBEAT,
            heartbeat_lead: LEAD,
            deviation: Deviation { relative: Ratio::from_bps(50), ..Deviation::default() },
            standby: self.storm.standby,
            ..Policy::within(Answer::new(I256::ONE), Answer::new(I256::MAX))
        };
        let feed = |id: &FeedId, place: &Place| FeedSpec {
            aggregator: place.contract,
            entry: place.entry.map(|number| EntrySpec {
                number,
                group: place.group.map(|name| Group { name: name.to_owned(), is_atomic: true }),
            }),
            decimals: 8,
            account: place.account,
            pricing: pricing(id),
            off_hours: self
                .trading
                .get(id)
                .filter(|trading| trading.switches())
                .map(|_| pricing(&id.off_hours())),
            policy: Policy {
                market: self.trading.get(id).map(Trading::market),
                hibernate_flag: self.naps.get(id).map(|_| FLAGS),
                ..policy.clone()
            },
            gas_floor: GAS_FLOOR,
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
                caps: self.storm.caps,
                timing: timing(),
                in_flight_max: 16,
                round_refresh: REFRESH,
            },
            feeds: self
                .feeds
                .iter()
                .filter(|(_, place)| accounts.contains(&place.account))
                .map(|(id, place)| (id.clone(), feed(id, place)))
                .collect(),
            stores: BTreeMap::from([(
                STORE,
                StoreSpec {
                    early: Early { ratio: Ratio::from_bps(8_000), ..Early::default() },
                    sync_heartbeats: self.storm.gather > Span::ZERO,
                    gather: self.storm.gather,
                    gas: 60_000,
                },
            )]),
            rates: BTreeMap::new(),
            accounts: Vec::new(),
            acknowledge_halts,
        }
    }
}
