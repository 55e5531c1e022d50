use super::super::health::{HeadSeen, Health};
use super::*;
use publisher_core::aggregate::Refusal;
use publisher_core::quote::FeedId;
use publisher_core::record::Scope;
use publisher_core::time::{Mono, Wall};
use std::sync::Arc;

const LEAD_S: u64 = 10;

type Break = fn(&mut State);

/// 100 s after the start.
fn now() -> Now {
    Now { wall: Wall::from_s(1_000_000), mono: Mono::from_ms(100_000) }
}

/// A healthy process with one feed whose heartbeat is due in `margin_s`.
fn healthy(margin_s: i64) -> State {
    let mut state = Health::new(138, Span::from_s(30), Arc::new(Now::default)).state();
    state.started = true;
    state.head = Some(HeadSeen { number: 9, hash: Default::default(), advanced_at: Mono::from_ms(99_000) });
    let due = now().wall.ms() + margin_s * 1000;
    let feed = FeedHealth {
        has_value: true,
        lead: Span::from_s(LEAD_S),
        heartbeat_at: Some(Wall::from_ms(due) - Span::from_s(LEAD_S)),
        ..FeedHealth::default()
    };
    state.feeds.insert(FeedId::new("BTC-USD"), feed);
    state
}

fn with_feed(margin_s: i64, hold: Option<Hold>, in_flight: bool) -> State {
    let mut state = healthy(margin_s);
    let feed = state.feeds.get_mut(&FeedId::new("BTC-USD")).unwrap();
    (feed.hold, feed.in_flight) = (hold, in_flight);
    state
}

fn check(name: &str, state: &State, now: Now, phase: Phase, codes: &[&str]) {
    let found = readiness(state, now);
    let words: Vec<_> = found.failing.iter().map(|f| f.code.as_str()).collect();
    assert_eq!((found.phase, words.as_slice()), (phase, codes), "{name}: {found:?}");
    assert!(found.failing.iter().all(|f| !f.detail.is_empty()), "{name}: {found:?}");
}

#[test]
fn it_is_red_before_a_heartbeat_is_missed_and_green_while_one_is_sent() {
    use Phase::{Failing as Red, Ready as Green};
    let quorum = Hold::NoValue(Refusal::Quorum { have: 1, need: 3 });
    for (margin_s, hold, in_flight, phase, codes) in [
        (3600, None, false, Green, &[][..]),
        // The heartbeat goes out one lead before it is due: before that nothing has to be on its way.
        (15, None, false, Green, &[]),
        (10, None, false, Green, &[]),
        (6, None, false, Green, &[]),
        (4, None, false, Red, &["heartbeat_at_risk"]),
        (4, None, true, Green, &[]),
        (-1, None, true, Red, &["heartbeat_missed"]),
        (-1, None, false, Red, &["heartbeat_missed"]),
        // Held back for a passing reason: red from two leads on.
        (25, Some(Hold::RoundUnknown), false, Green, &[]),
        (19, Some(Hold::RoundUnknown), false, Red, &["heartbeat_at_risk"]),
        (19, Some(Hold::InFlight), true, Green, &[]),
        (19, Some(Hold::AccountBusy), true, Green, &[]),
        // Held back until something outside changes: red at once.
        (3600, Some(quorum), false, Red, &["quorum"]),
        (3600, Some(Hold::NoValue(Refusal::Dispersed)), false, Red, &["dispersed"]),
        (3600, Some(Hold::OutOfBounds), false, Red, &["bounds"]),
        (3600, Some(Hold::BreakerOpen), false, Red, &["breaker_open"]),
        (3600, Some(Hold::Paused), false, Red, &["paused"]),
        (3600, Some(Hold::NotAuthorised), false, Red, &["not_authorised"]),
        (3600, Some(Hold::Refused), false, Red, &["refused"]),
        (3600, Some(Hold::Halted), false, Red, &["halted"]),
        (-1, Some(quorum), false, Red, &["heartbeat_missed"]),
    ] {
        let name = format!("{margin_s} s, {hold:?}, in flight {in_flight}");
        check(&name, &with_feed(margin_s, hold, in_flight), now(), phase, codes);
    }
}

#[test]
fn a_feed_without_heartbeat_is_ready_without_one() {
    let mut state = healthy(0);
    state.feeds.values_mut().for_each(|feed| feed.heartbeat_at = None);
    check("no heartbeat", &state, now(), Phase::Ready, &[]);
}

/// Without it every night of a stock market is an outage.
#[test]
fn a_market_that_is_closed_explains_what_is_missing() {
    let mut state = with_feed(-1, Some(Hold::MarketClosed), false);
    for feed in state.feeds.values_mut() {
        feed.has_value = false;
        feed.market = Some(super::super::samples::market(now().wall));
    }
    check("closed", &state, now(), Phase::Ready, &[]);
    state.feeds.values_mut().for_each(|feed| feed.market = None);
    check("no market", &state, now(), Phase::Failing, &["no_value"]);
}

/// Without it a feed that was put to sleep is an outage, and one whose flag nobody can read is none.
#[test]
fn a_feed_that_hibernates_misses_no_heartbeat_and_one_that_may_is_failing() {
    check("asleep", &with_feed(-1, Some(Hold::Hibernating), false), now(), Phase::Ready, &[]);
    let unknown = with_feed(3_000, Some(Hold::FlagUnknown), false);
    check("unknown", &unknown, now(), Phase::Failing, &["flag_unknown"]);
}

#[test]
fn everything_a_feed_depends_on_is_watched() {
    let broken: [(&str, Break, &str); 7] = [
        ("journal", |s| s.journal_ok = false, "journal_unavailable"),
        ("signer", |s| s.signer_ok = false, "signer_failing"),
        ("node", |s| s.node_ok = false, "node_failing"),
        ("drain", |s| s.draining = true, "draining"),
        (
            "halt",
            |s| {
                s.halts.insert(Scope::Chain, "finality violated".into());
            },
            "halted",
        ),
        ("head", |s| s.head.as_mut().unwrap().advanced_at = Mono::from_ms(69_000), "head_stalled"),
        ("no head", |s| s.head = None, "no_head"),
    ];
    for (name, breaks, code) in broken {
        let mut state = healthy(3600);
        breaks(&mut state);
        check(name, &state, now(), Phase::Failing, &[code]);
    }
    let mut state = healthy(3600);
    state.head.as_mut().unwrap().advanced_at = Mono::from_ms(70_000);
    check("30 s is not yet too long", &state, now(), Phase::Ready, &[]);
}

#[test]
fn warming_up_is_not_ready_and_ends() {
    let at = |s: u64| Now { mono: Mono::from_ms(s * 1000), ..now() };
    let mut state = healthy(3600);
    state.head.as_mut().unwrap().advanced_at = Mono::from_ms(59_000);
    let unheard = FeedHealth {
        hold: Some(Hold::NoValue(Refusal::Quorum { have: 0, need: 3 })),
        ..FeedHealth::default()
    };
    state.feeds.insert(FeedId::new("ETH-USD"), unheard);
    check("in time", &state, at(59), Phase::Starting, &["no_value"]);
    check("too late", &state, at(60), Phase::Failing, &["no_value"]);
    state.started = false;
    check("not recovered", &state, at(59), Phase::Starting, &["not_started", "no_value"]);
    check("never recovered", &state, at(60), Phase::Failing, &["not_started", "no_value"]);
    // What is broken is listed while it warms up, too.
    state.journal_ok = false;
    check("broken", &state, at(59), Phase::Starting, &["journal_unavailable", "not_started", "no_value"]);
    // Once everything has arrived there is nothing to wait for, however young the process is.
    let mut young = healthy(3600);
    young.head.as_mut().unwrap().advanced_at = Mono::from_ms(59_000);
    check("young", &young, at(59), Phase::Ready, &[]);
    young.signer_ok = false;
    check("young and broken", &young, at(59), Phase::Failing, &["signer_failing"]);
}

#[test]
fn one_failing_feed_is_named_among_healthy_ones() {
    let mut state = healthy(3600);
    let paused = FeedHealth { has_value: true, hold: Some(Hold::Paused), ..FeedHealth::default() };
    state.feeds.insert(FeedId::new("ETH-USD"), paused);
    let found = readiness(&state, now());
    assert_eq!(found.failing.len(), 1);
    assert_eq!((found.failing[0].what.as_str(), found.failing[0].code.as_str()), ("ETH-USD", "paused"));
    assert_eq!(found.failing[0].detail, Hold::Paused.advice());
}
