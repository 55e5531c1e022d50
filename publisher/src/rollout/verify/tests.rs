//! Every gate, closed on purpose.

use super::*;
use alloy::primitives::{I256, address};
use publisher_core::price::Answer;
use publisher_core::time::Wall;

const OWNER: Address = address!("00000000000000000000000000000000000000d0");
const STRANGER: Address = address!("00000000000000000000000000000000000000e0");
const AGGREGATOR: Address = address!("0000000000000000000000000000000000000a01");
const PROXY: Address = address!("0000000000000000000000000000000000000b01");

fn answer(value: i64) -> Answer {
    Answer::new(I256::try_from(value).unwrap())
}

fn wanted() -> WantedFeed {
    WantedFeed {
        decimals: 8,
        description: "ETH / USD".to_owned(),
        min_answer: answer(1),
        max_answer: answer(1000),
        transmitter: STRANGER,
        owner: OWNER,
        entry: None,
        aggregator: None,
        proxy: None,
    }
}

fn aggregator() -> AggregatorState {
    AggregatorState {
        decimals: 8,
        description: "ETH / USD".to_owned(),
        min_answer: answer(1),
        max_answer: answer(1000),
        owner: OWNER,
        authorised: true,
        paused: false,
        round: 7,
        answer: answer(500),
        updated_at: Wall::from_s(9),
    }
}

fn proxy() -> ProxyState {
    let answer = Some(answer(500));
    ProxyState { decimals: 8, owner: OWNER, aggregator: AGGREGATOR, phase: 2, proposal: None, answer }
}

fn round(phase: u64, id: u64) -> LatestRound {
    let id = (U256::from(phase) << 64) | U256::from(id);
    let at = Wall::from_s(9);
    LatestRound { round_id: id, answer: answer(500), started_at: at, updated_at: at, answered_in_round: id }
}

fn found() -> ObservedFeed {
    ObservedFeed {
        aggregator: Site::Ours { address: AGGREGATOR, state: aggregator() },
        proxy: Site::Ours { address: PROXY, state: proxy() },
    }
}

fn evidence() -> Evidence {
    Evidence {
        aggregator_code: true,
        proxy_code: true,
        direct: Read::Round(round(0, 7)),
        through: Read::Round(round(2, 7)),
    }
}

/// The gates that fail, by contract and name.
fn failing(found: &ObservedFeed, evidence: &Evidence) -> Vec<(Part, &'static str)> {
    let checks = examine("ETH-USD", &wanted(), found, evidence);
    for check in &checks {
        assert_eq!(
            check.ok,
            check.hint.is_empty(),
            "a failed gate says what to do, an open one nothing: {check}"
        );
        assert_eq!(check.to_string().contains("FAILED"), !check.ok);
    }
    checks.iter().filter(|check| !check.ok).map(|check| (check.part, check.name)).collect()
}

#[test]
fn everything_as_it_should_be_opens_every_gate() {
    let checks = examine("ETH-USD", &wanted(), &found(), &evidence());
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    let aggregator =
        ["code", "decimals", "description", "min answer", "max answer", "owner", "transmitter", "pause"];
    let proxy = ["code", "decimals", "owner", "aggregator", "read through"];
    assert_eq!(names, [aggregator.as_slice(), &proxy].concat());
    assert_eq!(failing(&found(), &evidence()), []);
    // Before the first round both say so.
    let empty = Evidence { direct: Read::NoData, through: Read::NoData, ..evidence() };
    assert_eq!(failing(&found(), &empty), []);
}

#[test]
fn each_fact_of_an_aggregator_has_its_gate() {
    type Change = fn(&mut AggregatorState);
    let cases: [(&str, Change); 7] = [
        ("decimals", |s| s.decimals = 18),
        ("description", |s| s.description = "BTC / USD".to_owned()),
        ("min answer", |s| s.min_answer = answer(2)),
        ("max answer", |s| s.max_answer = answer(2)),
        ("owner", |s| s.owner = STRANGER),
        ("transmitter", |s| s.authorised = false),
        ("pause", |s| s.paused = true),
    ];
    for (name, change) in cases {
        let mut state = aggregator();
        change(&mut state);
        let found = ObservedFeed { aggregator: Site::Ours { address: AGGREGATOR, state }, ..found() };
        assert_eq!(failing(&found, &evidence()), [(Part::Aggregator, name)]);
    }
}

#[test]
fn each_fact_of_a_proxy_has_its_gate() {
    type Change = fn(&mut ProxyState);
    let cases: [(&str, Change); 3] = [
        ("decimals", |s| s.decimals = 18),
        ("owner", |s| s.owner = STRANGER),
        ("aggregator", |s| s.aggregator = STRANGER),
    ];
    for (name, change) in cases {
        let mut state = proxy();
        change(&mut state);
        let found = ObservedFeed { proxy: Site::Ours { address: PROXY, state }, ..found() };
        assert_eq!(failing(&found, &evidence()), [(Part::Proxy, name)]);
    }
}

#[test]
fn code_that_only_says_it_is_ours_is_found_out() {
    let other = Evidence { aggregator_code: false, ..evidence() };
    assert_eq!(failing(&found(), &other), [(Part::Aggregator, "code")]);
    let other = Evidence { proxy_code: false, ..evidence() };
    assert_eq!(failing(&found(), &other), [(Part::Proxy, "code")]);
}

#[test]
fn a_contract_that_is_not_there_fails_and_hides_nothing_else() {
    let says = Some("FluxAggregator".to_owned());
    for site in [Site::Nowhere, Site::Empty { address: STRANGER }, Site::Foreign { address: STRANGER, says }]
    {
        let gone = ObservedFeed { proxy: site, ..found() };
        assert_eq!(failing(&gone, &evidence()), [(Part::Proxy, "code")]);
    }
    let gone = ObservedFeed { aggregator: Site::Nowhere, ..found() };
    let expected = [(Part::Aggregator, "code"), (Part::Proxy, "aggregator"), (Part::Proxy, "read through")];
    let unread = Evidence { direct: Read::Unread, through: Read::Unread, ..evidence() };
    assert_eq!(failing(&gone, &unread), expected);
}

/// The one fault that every other gate misses: consumers read something else than what is written.
#[test]
fn what_consumers_read_must_be_what_is_written() {
    let later = LatestRound { updated_at: Wall::from_s(10), ..round(2, 7) };
    let begun = LatestRound { started_at: Wall::from_s(8), ..round(2, 7) };
    let other = LatestRound { answer: answer(501), ..round(2, 7) };
    let carried = LatestRound { answered_in_round: round(2, 6).round_id, ..round(2, 7) };
    let reads = [
        Read::Round(round(2, 6)),
        Read::Round(round(1, 7)),
        Read::Round(round(0, 7)),
        Read::Round(later),
        Read::Round(begun),
        Read::Round(other),
        Read::Round(carried),
        Read::NoData,
        Read::Unread,
        Read::Refused("out of gas".to_owned()),
    ];
    for through in reads {
        let evidence = Evidence { through: through.clone(), ..evidence() };
        assert_eq!(failing(&found(), &evidence), [(Part::Proxy, "read through")], "{through:?}");
    }
    let refused = Read::Refused("reverted".to_owned());
    let both = Evidence { direct: refused.clone(), through: refused, ..evidence() };
    assert_eq!(failing(&found(), &both), [(Part::Proxy, "read through")], "equal refusals are no reading");
}

fn store() -> StoreState {
    let (authorised, paused, entries) = (true, false, [].into());
    StoreState { max_age_s: 60, owner: OWNER, authorised, paused, feeds: 1, entries }
}

#[test]
fn each_fact_of_a_store_has_its_gate() {
    type Change = fn(&mut StoreState);
    let address = Some(AGGREGATOR);
    let wanted = WantedStore { max_age_s: Some(60), transmitter: STRANGER, owner: OWNER, address };
    let failing = |state: StoreState, code| {
        let site = Site::Ours { address: AGGREGATOR, state };
        let checks = examine_store("main", &wanted, &site, code);
        checks.iter().filter(|check| !check.ok).map(|check| check.name).collect::<Vec<_>>()
    };
    let cases: [(&str, Change); 4] = [
        ("max age", |s| s.max_age_s = 61),
        ("owner", |s| s.owner = STRANGER),
        ("transmitter", |s| s.authorised = false),
        ("pause", |s| s.paused = true),
    ];
    for (name, change) in cases {
        let mut state = store();
        change(&mut state);
        assert_eq!(failing(state, true), [name]);
    }
    assert_eq!(failing(store(), false), ["code"]);
    assert_eq!(failing(store(), true), [""; 0]);
}

/// A store's owner and transmitter are its own gates; its feeds are read through a proxy or their facade.
#[test]
fn a_feed_of_a_store_is_checked_through_its_facade() {
    let entry = Some(WantedEntry { store: "main".to_owned(), number: 3 });
    let through_proxy = WantedFeed { entry, ..wanted() };
    let read_itself =
        WantedFeed { aggregator: Some(AGGREGATOR), proxy: Some(AGGREGATOR), ..through_proxy.clone() };
    let failing = |wanted: &WantedFeed, found: &ObservedFeed, evidence: &Evidence| {
        let checks = examine("ETH-USD", wanted, found, evidence);
        let failing = checks.iter().filter(|check| !check.ok);
        failing.map(|check| (check.part, check.name)).collect::<Vec<_>>()
    };
    assert_eq!(failing(&through_proxy, &found(), &evidence()), []);
    let state = AggregatorState { owner: STRANGER, authorised: false, paused: true, ..aggregator() };
    let paused = ObservedFeed { aggregator: Site::Ours { address: AGGREGATOR, state }, ..found() };
    assert_eq!(failing(&through_proxy, &paused, &evidence()), [(Part::Facade, "pause")]);
    let elsewhere = ProxyState { aggregator: STRANGER, ..proxy() };
    let elsewhere = ObservedFeed { proxy: Site::Ours { address: PROXY, state: elsewhere }, ..found() };
    assert_eq!(failing(&through_proxy, &elsewhere, &evidence()), [(Part::Proxy, "facade")]);
    let alone = ObservedFeed { proxy: Site::Nowhere, ..found() };
    let direct = Evidence { through: Read::Round(round(0, 7)), ..evidence() };
    assert_eq!(failing(&read_itself, &alone, &direct), []);
    let stale = Evidence { through: Read::Round(round(0, 6)), ..evidence() };
    assert_eq!(failing(&read_itself, &alone, &stale), [(Part::Facade, "read through")]);
}
