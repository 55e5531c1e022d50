//! What the machine of a scenario is configured as, unless the scenario says otherwise.

use super::*;

pub fn feed(id: &str) -> FeedId {
    FeedId::new(id)
}

pub fn btc() -> FeedId {
    feed("BTC-USD")
}

pub fn aggregator(id: &FeedId) -> Address {
    Address::repeat_byte(id.as_str().as_bytes()[0])
}

/// The call that writes a round of a feed.
pub fn submit(id: &FeedId, round: u64, answer: i64) -> Call {
    let answer = Answer::new(I256::try_from(answer).unwrap());
    Call::Submit { aggregator: aggregator(id), round, answer }
}

pub fn policy() -> Policy {
    Policy {
        heartbeat: Span::from_s(HEARTBEAT_S),
        heartbeat_lead: Span::from_s(4),
        deviation: Deviation { relative: Ratio::from_bps(50), ..Deviation::default() },
        ..Policy::within(Answer::new(I256::ONE), Answer::new(I256::MAX))
    }
}

pub fn feed_spec(id: &FeedId) -> FeedSpec {
    let paths = (0..VENUES).map(|v| Path::direct(MarketId::new(&format!("v{v}"), id.as_str()))).collect();
    let rules = Rules::of(3);
    FeedSpec {
        aggregator: aggregator(id),
        entry: None,
        decimals: 2,
        account: ACCOUNT,
        pricing: Pricing { paths, rules, max_age: Span::from_s(30), reference: None, constant: None },
        off_hours: None,
        policy: policy(),
        gas_floor: 100_000,
        gas_ceiling: 500_000,
    }
}

pub fn spec(feeds: &[&str]) -> Spec {
    Spec {
        chain: ChainSpec {
            chain_id: 138,
            block_time: Span::from_ms(BLOCK_MS),
            finality: Finality::Depth(4),
            fees: FeePolicy {
                profile: FeeProfile::Eip1559,
                max_fee_wei: 10_000,
                min_tip_wei: 1,
                bump_percent: 0,
                rule: ReplacementRule::GETH,
            },
            caps: Caps::default(),
            timing: Timing {
                answer_timeout: Span::from_s(3),
                retry: Span::from_ms(500),
                retry_max: Span::from_s(8),
                resend: Span::from_s(5),
                bump_heads: 3,
            },
            in_flight_max: 4,
            round_refresh: Span::from_s(30),
        },
        feeds: feeds.iter().map(|id| (feed(id), feed_spec(&feed(id)))).collect(),
        stores: BTreeMap::new(),
        rates: BTreeMap::new(),
        accounts: vec![ACCOUNT],
        acknowledge_halts: false,
    }
}

pub const STORE: Address = Address::repeat_byte(0x57);

/// Feeds of one store, numbered by tens in their order; early inclusion from 80% on.
pub fn stored(feeds: &[&str]) -> Spec {
    let mut spec = spec(feeds);
    for (index, id) in feeds.iter().enumerate() {
        let feed = spec.feeds.get_mut(&feed(id)).unwrap();
        feed.aggregator = STORE;
        feed.entry = Some(EntrySpec { number: u16::try_from(index * 10).unwrap(), group: None });
    }
    let early = Early { ratio: Ratio::from_bps(8_000), ..Early::default() };
    let store = StoreSpec { early, sync_heartbeats: false, gather: Span::ZERO, gas: 60_000 };
    spec.stores.insert(STORE, store);
    spec
}

pub fn grouped(mut spec: Spec, group: &str, is_atomic: bool, feeds: &[&str]) -> Spec {
    for id in feeds {
        let entry = spec.feeds.get_mut(&feed(id)).unwrap().entry.as_mut().unwrap();
        entry.group = Some(Group { name: group.to_owned(), is_atomic });
    }
    spec
}
