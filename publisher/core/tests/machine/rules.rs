//! Rules that hold a deviation back, as the chain sees them.

use crate::rig::*;
use publisher_core::event::{Event, Level};
use publisher_core::machine::Spec;
use publisher_core::policy::{Breaker, Confirm, Hold, Pace, Policy};
use publisher_core::price::Ratio;
use publisher_core::time::Span;

fn with(mut spec: Spec, change: impl Fn(&mut Policy)) -> Spec {
    spec.feeds.values_mut().for_each(|feed| change(&mut feed.policy));
    spec
}

/// Without it every spike of a moment would be paid for.
#[test]
fn a_deviation_is_published_once_it_has_shown_in_several_looks() {
    let confirm = Confirm { ticks: 3, bypass: Ratio::from_bps(30_000) };
    let mut rig = Rig::running_with(with(spec(&["BTC-USD"]), |policy| policy.confirm = confirm));
    let before = rig.price;
    for _ in 0..5 {
        rig.deviate();
        rig.block();
        rig.price = before;
        rig.block();
    }
    assert_eq!(rig.intents(), 1, "only the first round");
    rig.deviate();
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()).len(), 2, "what lasts is published");
    rig.price = rig.price * 103 / 100;
    rig.quotes(VENUES);
    assert_eq!(rig.intents(), 3, "a large one goes out at once");
}

/// Without it a nervous market would empty the account.
#[test]
fn a_deviation_waits_for_its_interval_and_says_so_without_noise() {
    let pace = Pace { min_interval: Span::from_s(20), bypass: Ratio::default() };
    let mut rig = Rig::running_with(with(spec(&["BTC-USD"]), |policy| policy.pace = pace));
    for _ in 0..30 {
        rig.deviate();
        rig.block();
    }
    let rounds = rig.rounds(&btc()).len();
    assert!((3..=4).contains(&rounds), "{rounds} rounds in a minute");
    assert_eq!(rig.view(&btc()).hold, Some(Hold::RateFloor));
    let loud = |e: &Event| e.code() == "PUB-1002";
    assert!(!rig.events.iter().any(loud), "what passes by itself is told to nobody");
}

fn breaking() -> Spec {
    let breaker = Breaker {
        min: Ratio::from_bps(2_000),
        corroborate: 2,
        confirm_for: Span::from_s(20),
        max_open: Span::from_s(60),
        ..Breaker::default()
    };
    with(spec(&["BTC-USD"]), |policy| policy.breaker = breaker)
}

/// Without it a restart would disarm the breaker, and whoever makes prices jump only had to wait for one.
#[test]
fn a_breaker_that_is_open_stays_open_over_a_restart() {
    let mut rig = Rig::running_with(breaking());
    rig.price *= 2;
    for _ in 0..3 {
        rig.blocks(5);
        assert_eq!(rig.view(&btc()).hold, Some(Hold::BreakerOpen));
        rig.restart();
    }
    assert_eq!(rig.intents(), 1);
    rig.blocks(16);
    assert_eq!(rig.rounds(&btc()).len(), 2, "what stays is believed");
}

/// Without it three venues that share one mistake would vouch for each other.
#[test]
fn only_venues_without_a_part_in_the_answer_on_chain_corroborate_a_step() {
    let running = |first: &[usize]| {
        let mut rig = Rig::new(breaking());
        for _ in 0..8 {
            rig.pass_ms(BLOCK_MS);
            rig.quotes_of(first);
            rig.mine();
            rig.poll();
        }
        assert_eq!(rig.rounds(&btc()).len(), 1);
        // Whoever formed it is too old to vote by now.
        rig.pass_ms(31_000);
        rig.mine();
        rig.price *= 2;
        rig
    };
    for (first, then, others) in
        [([0, 1, 2], [2, 3, 4], true), ([0, 1, 2], [1, 2, 3], false), ([0, 1, 2], [0, 1, 2], false)]
    {
        let mut rig = running(&first);
        for _ in 0..3 {
            rig.pass_ms(BLOCK_MS);
            rig.quotes_of(&then);
            rig.mine();
            rig.poll();
        }
        assert_eq!(rig.rounds(&btc()).len() == 2, others, "{first:?} {then:?}");
    }
}

/// Without it a breaker that nothing can close would be noticed by consumers first.
#[test]
fn an_operator_is_called_once_when_nothing_confirms_a_step() {
    let mut rig = Rig::running_with(breaking());
    for block in 0..60 {
        rig.price = if block % 2 == 0 { 30_000 } else { 40_000 };
        rig.block();
    }
    let stuck: Vec<_> = rig.events.iter().filter(|e| matches!(e, Event::BreakerStuck { .. })).collect();
    assert_eq!((stuck.len(), stuck[0].level()), (1, Level::Error));
    assert_eq!(rig.intents(), 1, "and nothing is published");
}
