//! Rules that hold a deviation back, as the chain sees them.

use crate::rig::*;
use publisher_core::machine::Spec;
use publisher_core::policy::{Confirm, Hold, Pace, Policy};
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
    let loud = |e: &publisher_core::event::Event| e.code() == "PUB-1002";
    assert!(!rig.events.iter().any(loud), "what passes by itself is told to nobody");
}
