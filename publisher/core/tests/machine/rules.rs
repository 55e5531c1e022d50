//! Rules that hold a deviation back, as the chain sees them.

use crate::rig::*;
use publisher_core::event::{Event, Level};
use publisher_core::machine::Spec;
use publisher_core::peg::Peg;
use publisher_core::policy::{Breaker, Confidence, Confirm, Hold, Pace, Policy, Trigger};
use publisher_core::price::Ratio;
use publisher_core::route::Leg;
use publisher_core::time::Span;
use publisher_core::tx::PreflightAnswer;

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

/// Without it venues that disagree for an hour would be paid for in every block of it, and a process that is started again
/// meanwhile would pay once more each time.
#[test]
fn a_value_that_becomes_unsure_makes_one_round_and_a_restart_makes_none() {
    let confidence = Confidence { ratio: Ratio::from_bps(30), rearm: Ratio::from_bps(15) };
    let mut rig = Rig::running_with(with(spec(&["BTC-USD"]), |policy| policy.confidence = confidence));
    let unsure = |rig: &Rig| {
        let by_it = |event: &&Event| matches!(event, Event::Decided { trigger: Trigger::Confidence, .. });
        rig.events.iter().filter(by_it).count()
    };
    assert_eq!((unsure(&rig), rig.view(&btc()).confidence_armed), (0, Some(true)));
    // What cannot be sent at once stays due.
    rig.preflight = Some(PreflightAnswer::Reverts("not now".into()));
    rig.half_spread = Some(30);
    rig.blocks(2);
    rig.preflight = None;
    rig.blocks(16);
    assert_eq!((unsure(&rig), rig.rounds(&btc()).len()), (1, 2));
    rig.restart();
    rig.blocks(6);
    assert_eq!((unsure(&rig), rig.view(&btc()).confidence_armed), (1, Some(false)));
    // Sure in between, it may become unsure again, also after a round of another kind; before that it has not.
    rig.half_spread = Some(14);
    rig.blocks(1);
    rig.half_spread = Some(29);
    rig.deviate();
    rig.blocks(2);
    assert_eq!((unsure(&rig), rig.rounds(&btc()).len()), (1, 3));
    rig.half_spread = Some(31);
    rig.blocks(2);
    assert_eq!(unsure(&rig), 2);
}

/// Without it consumers of a price that rests on a broken stable coin would look at an hour-old one.
#[test]
fn heartbeats_come_faster_while_a_peg_is_lost_and_none_is_late_by_that() {
    let mut spec = with(spec(&["BTC-USD", "ETH-USD"]), |policy| policy.depeg_heartbeat = Span::from_s(12));
    // What the venues call ETH-USD is the rate that converts the other feed.
    let tether = feed("USDT-USD");
    let (enter, exit) = (Ratio::from_bps(100), Ratio::from_bps(50));
    let peg = Peg { enter, exit, looks: 3, families: 3, calm: Span::from_s(20) };
    let mut rate = spec.feeds[&feed("ETH-USD")].pricing.clone();
    rate.rules.peg = Some(peg);
    spec.rates.insert(tether.clone(), rate);
    let leg = Leg { rate: tether, divides: false };
    for path in &mut spec.feeds.get_mut(&btc()).unwrap().pricing.paths {
        path.via.legs.push(leg.clone());
    }
    let mut rig = Rig::new(spec);
    // A market that nobody trades in while its rate moves would be one that has frozen.
    let blocks = |rig: &mut Rig, count| {
        for _ in 0..count {
            rig.price ^= 1;
            rig.block();
        }
    };
    rig.prices.insert(feed("ETH-USD"), Some(100));
    blocks(&mut rig, 20);
    let before = rig.rounds(&btc()).len();
    assert!(before > 0 && !rig.view(&btc()).is_off_peg);
    rig.prices.insert(feed("ETH-USD"), Some(97));
    blocks(&mut rig, 32);
    let (hastened, other) = (rig.rounds(&btc()).len() - before, rig.view(&feed("ETH-USD")));
    assert!((5..=7).contains(&hastened) && rig.view(&btc()).is_off_peg, "{hastened} rounds in 64 s");
    assert!(!other.is_off_peg, "nothing converts it");
    rig.prices.insert(feed("ETH-USD"), Some(100));
    blocks(&mut rig, 14);
    assert!(!rig.view(&btc()).is_off_peg);
    let before = rig.rounds(&btc()).len();
    blocks(&mut rig, 24);
    assert!(rig.rounds(&btc()).len() <= before + 1, "it is as before");
    assert_eq!(rig.count_events("PUB-1004"), 0);
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
    assert_eq!(rig.view(&btc()).breaker, Some("closed"));
    rig.price *= 2;
    for _ in 0..3 {
        rig.blocks(5);
        assert_eq!(rig.view(&btc()).hold, Some(Hold::BreakerOpen));
        assert_eq!(rig.view(&btc()).breaker, Some("open"));
        rig.restart();
    }
    assert_eq!(rig.intents(), 1);
    rig.blocks(16);
    assert_eq!(rig.rounds(&btc()).len(), 2, "what stays is believed");
}

/// Without it venues that share one mistake would vouch for each other.
#[test]
fn only_families_without_a_part_in_the_answer_on_chain_corroborate_a_step() {
    let running = |first: &[usize], one_family: bool| {
        let mut spec = breaking();
        if one_family {
            let paths = &mut spec.feeds.get_mut(&btc()).unwrap().pricing.paths;
            paths[4].family = paths[3].family.clone();
        }
        let mut rig = Rig::new(spec);
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
    for (then, one_family, others) in [
        (&[2, 3, 4][..], false, true),
        (&[1, 2, 3], false, false),
        (&[0, 1, 2], false, false),
        (&[1, 2, 3, 4], false, true),
        // Two names of one vote, as those of aggregators that ask the same exchanges.
        (&[1, 2, 3, 4], true, false),
    ] {
        let mut rig = running(&[0, 1, 2], one_family);
        for _ in 0..3 {
            rig.pass_ms(BLOCK_MS);
            rig.quotes_of(then);
            rig.mine();
            rig.poll();
        }
        assert_eq!(rig.rounds(&btc()).len() == 2, others, "{then:?} {one_family}");
    }
}

/// Without it what is on its way lands with a price that the market has left, although a replacement was possible.
#[test]
fn an_answer_that_the_value_has_left_is_replaced_early_and_one_that_holds_is_not() {
    let attempts = |accept: &str, moved: u64| {
        let mut spec = with(spec(&["BTC-USD"]), |policy| policy.accept_deviation = accept.parse().unwrap());
        // Nothing is bumped for having waited.
        spec.chain.timing.bump_heads = 100;
        let mut rig = Rig::running_with(spec);
        rig.crowded = true;
        rig.deviate();
        rig.price += moved;
        rig.blocks(4);
        let answers: Vec<_> = rig.attempts(ACCOUNT, 1).iter().map(|attempt| attempt.answer).collect();
        rig.crowded = false;
        rig.blocks(5);
        let now = i64::try_from(rig.price).unwrap();
        assert_eq!((rig.rounds(&btc()).last(), rig.reverted()), (Some(&now), 0));
        answers
    };
    // The answer on its way is 10,100: one below the threshold, at it, and off.
    assert_eq!(attempts("1%", 100).len(), 1);
    let replaced = attempts("1%", 101);
    assert_eq!(replaced.len(), 2);
    assert_eq!(replaced[1].map(|answer| answer.to_string()).as_deref(), Some("10201"));
    assert_eq!(attempts("0%", 5_000).len(), 1);
}

/// Without it a breaker that nothing can close would be noticed by consumers first.
#[test]
fn an_operator_is_called_once_when_nothing_confirms_a_step() {
    let mut rig = Rig::running_with(breaking());
    for block in 0..60 {
        // Each step is less than what a venue is doubted for by itself.
        rig.price = if block % 2 == 0 { 12_400 } else { 12_900 };
        rig.block();
    }
    let stuck: Vec<_> = rig.events.iter().filter(|e| matches!(e, Event::BreakerStuck { .. })).collect();
    assert_eq!((stuck.len(), stuck[0].level()), (1, Level::Error));
    assert_eq!(rig.intents(), 1, "and nothing is published");
}
