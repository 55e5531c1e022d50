//! What a feed does: the rules together. Each rule's own cases are in its module.

use super::*;
use crate::aggregate::Refusal;
use alloy_primitives::{I256, U256};

fn answer(v: i64) -> Answer {
    Answer::new(I256::try_from(v).unwrap())
}

fn policy() -> Policy {
    Policy {
        heartbeat: Span::from_s(3600),
        heartbeat_lead: Span::from_s(2),
        deviation: relative("0.5%"),
        breaker: Breaker { min: "20%".parse().unwrap(), confirm_for: Span::from_s(60), ..Breaker::default() },
        ..Policy::within(answer(1), answer(1_000_000_000))
    }
}

fn relative(text: &str) -> Deviation {
    Deviation { relative: text.parse().unwrap(), ..Deviation::default() }
}

fn at(s: u64) -> Now {
    Now { wall: Wall::from_s(s), mono: Mono::from_ms(s * 1000) }
}

fn known(round: u64, v: i64) -> Known {
    Known { round, answer: answer(v), updated_at: Wall::from_s(0) }
}

fn estimate(text: &str) -> Estimate {
    Estimate { price: text.parse().unwrap(), families: 5, ..Estimate::default() }
}

fn look(policy: &Policy, memory: &mut Memory, known: &Known, text: &str, s: u64) -> Decision {
    let value = Estimate { as_of: at(s).wall, ..estimate(text) };
    decide(
        policy,
        memory,
        Look { known, value: Ok(&value), sleep: Sleep::Awake, support: UNANIMOUS, decimals: 2, now: at(s) },
    )
}

/// A look at a moment without a value.
fn silence(policy: &Policy, memory: &mut Memory, known: &Known, s: u64) -> Decision {
    let value = Err(Hold::NoValue(Refusal::Dispersed));
    decide(
        policy,
        memory,
        Look { known, value, sleep: Sleep::Awake, support: UNANIMOUS, decimals: 2, now: at(s) },
    )
}

const UNANIMOUS: Support = Support { independent: 0, is_unanimous: true };

fn publish(v: i64, trigger: Trigger) -> Decision {
    Decision::Publish { answer: answer(v), trigger }
}

#[test]
fn deviation_fires_at_the_threshold_not_below() {
    let p = policy();
    let k = known(7, 10_000);
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "100.49", 1), Decision::Rest);
    assert_eq!(look(&p, m, &k, "100.50", 1), publish(10_050, Trigger::Deviation));
    assert_eq!(look(&p, m, &k, "99.50", 1), publish(9_950, Trigger::Deviation));
}

#[test]
fn zero_is_off_and_never_always() {
    let p = Policy { deviation: Deviation::default(), ..policy() };
    assert_eq!(look(&p, &mut Memory::default(), &known(7, 10_000), "110", 1), Decision::Rest);
    let p = Policy { heartbeat: Span::ZERO, ..policy() };
    assert_eq!(look(&p, &mut Memory::default(), &known(7, 10_000), "100", 999_999), Decision::Rest);
}

/// Chainlink's flux monitor takes two thresholds of zero for *always*, and its users pay for a round with every look.
#[test]
fn a_day_without_thresholds_on_a_moving_price_is_twenty_four_heartbeats() {
    let p = Policy { deviation: Deviation::default(), heartbeat_lead: Span::ZERO, ..policy() };
    let (mut k, m) = (known(7, 10_000), &mut Memory::default());
    let mut rounds = 0;
    for s in (0..=86_400).step_by(60) {
        let text = if s % 120 == 0 { "100.00" } else { "101.00" };
        if let Decision::Publish { answer, trigger } = look(&p, m, &k, text, s) {
            assert_eq!(trigger, Trigger::Heartbeat);
            k = Known { round: k.round + 1, answer, updated_at: Wall::from_s(s) };
            rounds += 1;
        }
    }
    assert_eq!(rounds, 24);
}

/// A clock that is behind the chain's, or an answer from its future, makes no round early: unsigned differences wrap.
#[test]
fn an_answer_from_the_future_is_young_and_not_ancient() {
    let k = Known { updated_at: Wall::from_s(5_000), ..known(7, 10_000) };
    let p = policy();
    assert_eq!(look(&p, &mut Memory::default(), &k, "100", 4_999), Decision::Rest);
    assert_eq!(look(&p, &mut Memory::default(), &k, "100", 0), Decision::Rest);
}

#[test]
fn absolute_and_relative_combine_as_told() {
    let both = |combine| Policy {
        deviation: Deviation { absolute: U256::from(100), combine, ..relative("0.5%") },
        ..policy()
    };
    for (text, any, all) in [("100.50", true, false), ("101.00", true, true), ("100.49", false, false)] {
        for (combine, fires) in [(Combine::Any, any), (Combine::All, all)] {
            let decision = look(&both(combine), &mut Memory::default(), &known(7, 10_000), text, 1);
            assert_eq!(decision != Decision::Rest, fires, "{text} {combine:?}");
        }
    }
    let only_abs = Deviation { absolute: U256::from(100), combine: Combine::All, ..Deviation::default() };
    let only_abs = Policy { deviation: only_abs, ..policy() };
    assert_ne!(look(&only_abs, &mut Memory::default(), &known(7, 10_000), "101", 1), Decision::Rest);
}

#[test]
fn heartbeat_counts_from_the_chain_and_is_owed_after_a_restart() {
    let p = policy();
    let k = known(7, 10_000);
    assert_eq!(look(&p, &mut Memory::default(), &k, "100", 3597), Decision::Rest);
    assert_eq!(look(&p, &mut Memory::default(), &k, "100", 3598), publish(10_000, Trigger::Heartbeat));
    assert_eq!(look(&p, &mut Memory::default(), &k, "100", 90_000), publish(10_000, Trigger::Heartbeat));
}

#[test]
fn a_first_round_needs_no_trigger() {
    let decision = look(&policy(), &mut Memory::default(), &known(0, 0), "100", 1);
    assert_eq!(decision, publish(10_000, Trigger::First));
}

#[test]
fn a_closed_market_repeats_its_last_value_as_a_heartbeat_and_never_for_a_deviation() {
    let p = policy().during(Conduct::HeartbeatOnly);
    let k = known(7, 10_000);
    assert_eq!(look(&p, &mut Memory::default(), &k, "150", 3597), Decision::Rest);
    assert_eq!(look(&p, &mut Memory::default(), &k, "150", 3598), publish(15_000, Trigger::Repeat));
    let open = policy().during(Conduct::Normal);
    assert_eq!(look(&open, &mut Memory::default(), &k, "101", 1), publish(10_100, Trigger::Deviation));
}

#[test]
fn a_scheduled_round_needs_no_deviation_and_stops_with_a_pause_and_a_closed_market() {
    let zone = Offsets::new(vec![(Wall::from_s(0), 0)]).into();
    let slots = vec![Slot { name: "".into(), at: "*/10 * * * *".parse().unwrap(), zone, jitter: Span::ZERO }];
    let p = Policy { schedule: Schedule { slots, seed: 0 }, ..policy() };
    let k = known(7, 10_000);
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "100", 599), Decision::Rest);
    assert_eq!(look(&p, m, &k, "100", 600), publish(10_000, Trigger::Schedule));
    assert_eq!(look(&p, m, &k, "101", 600), publish(10_100, Trigger::Deviation));
    let served = Known { updated_at: Wall::from_s(601), ..k };
    assert_eq!(look(&p, m, &served, "100", 1199), Decision::Rest);
    let paused = Policy { paused: Paused::Deviations, ..p.clone() };
    assert_eq!(look(&paused, m, &k, "100", 600), Decision::Wait(Hold::OnOrder));
    assert_eq!(look(&p.during(Conduct::HeartbeatOnly), m, &k, "100", 600), Decision::Rest);
}

#[test]
fn out_of_bounds_is_held_and_never_clamped() {
    let p = policy();
    for text in ["0.004", "10000000.01"] {
        let decision = look(&p, &mut Memory::default(), &known(7, 10_000), text, 9_999);
        assert_eq!(decision, Decision::Hold(Hold::OutOfBounds), "{text}");
    }
}

#[test]
fn a_step_waits_until_it_is_confirmed_and_holds_the_heartbeat_too() {
    let p = policy();
    let k = known(7, 10_000);
    let m = &mut Memory::default();
    let hold = Decision::Hold(Hold::BreakerOpen);
    assert_eq!(look(&p, m, &k, "1000", 10), hold);
    assert_eq!(look(&p, m, &k, "1001", 54), hold);
    assert_eq!(look(&p, m, &k, "1001", 85), publish(100_100, Trigger::Deviation));
    // A moment without a value begins anew, and a wrong answer is worse than a late one.
    assert_eq!(look(&p, m, &k, "100", 90), Decision::Rest);
    assert_eq!(look(&p, m, &k, "1100", 100), hold);
    silence(&p, m, &k, 140);
    assert_eq!(look(&p, m, &k, "1100", 175), hold);
    assert_eq!(look(&p, &mut Memory::default(), &k, "1100", 9_999), hold);
    // First rounds have nothing to be measured from.
    assert_eq!(look(&p, m, &known(0, 0), "1100", 180), publish(110_000, Trigger::First));
}

#[test]
fn a_deviation_settles_without_a_break() {
    let p = Policy { settle: Span::from_s(3), ..policy() };
    let k = known(7, 10_000);
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "101", 10), Decision::Rest);
    assert_eq!(look(&p, m, &k, "100", 11), Decision::Rest);
    assert_eq!(look(&p, m, &k, "101", 12), Decision::Rest);
    assert_eq!(look(&p, m, &k, "102", 15), publish(10_200, Trigger::Deviation));
    assert_eq!(silence(&p, m, &k, 16), Decision::Hold(Hold::NoValue(Refusal::Dispersed)));
    assert_eq!(look(&p, m, &k, "102", 17), Decision::Rest);
}

#[test]
fn a_standby_leaves_every_due_round_to_its_primary_for_a_while() {
    let p = Policy { standby: Span::from_s(10), ..policy() };
    let hold = Decision::Hold(Hold::Standby);
    let m = &mut Memory::default();
    // A deviation, a heartbeat and a first round alike.
    for (known, text, s, trigger) in [
        (known(7, 10_000), "101", 100, Trigger::Deviation),
        (known(8, 10_100), "101", 3598, Trigger::Heartbeat),
        (known(0, 0), "101", 9_000, Trigger::First),
    ] {
        assert_eq!(look(&p, m, &known, text, s), hold);
        assert_eq!(look(&p, m, &known, text, s + 9), hold);
        assert_eq!(look(&p, m, &known, text, s + 10), publish(10_100, trigger));
    }
    // What is not due any more has to become due anew; venues that are silent for a moment change nothing.
    let k = known(9, 10_000);
    assert_eq!(look(&p, m, &k, "101", 100), hold);
    assert_eq!(look(&p, m, &k, "100", 105), Decision::Rest);
    assert_eq!(look(&p, m, &k, "101", 109), hold);
    silence(&p, m, &k, 112);
    assert_eq!(look(&p, m, &k, "101", 115), hold);
    assert_eq!(look(&p, m, &k, "101", 119), publish(10_100, Trigger::Deviation));
}

/// Without it a standby and a primary of the same pace would pay for every round twice.
#[test]
fn a_standby_that_loses_races_waits_longer_up_to_a_limit() {
    let p = Policy { standby: Span::from_s(10), ..policy() };
    let waited = |m: &mut Memory, round: u64| {
        let k = known(round, 10_000);
        (0..).find(|s| look(&p, m, &k, "101", round * 100 + s) != Decision::Hold(Hold::Standby)).unwrap()
    };
    let m = &mut Memory::default();
    let mut waits = Vec::new();
    for round in 1..=6 {
        waits.push(waited(m, round));
        m.lost_race();
    }
    assert_eq!(waits, [10, 20, 40, 80, 80, 80]);
    // Rounds that are left to the primary make up for it, eight for a race.
    for round in 7..=30 {
        look(&p, m, &known(round, 10_000), "101", 5_000);
    }
    assert_eq!(waited(m, 31), 10);
}

#[test]
fn a_deviation_is_confirmed_look_by_look_unless_it_is_large() {
    let confirm = Confirm { ticks: 3, bypass: "300%".parse().unwrap() };
    let p = Policy { confirm, heartbeat: Span::from_s(100), breaker: Breaker::default(), ..policy() };
    let k = known(7, 10_000);
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "100.50", 1), Decision::Rest);
    assert_eq!(look(&p, m, &k, "100.51", 1), Decision::Rest, "the same quotes again");
    assert_eq!(look(&p, m, &k, "100.51", 3), Decision::Rest);
    assert_eq!(look(&p, m, &k, "100.52", 4), publish(10_052, Trigger::Deviation));
    // The other way, a moment without a value, and one that does not deviate begin anew.
    for between in ["99.40", "100"] {
        assert_eq!(look(&p, m, &k, between, 5), Decision::Rest);
        assert_eq!(look(&p, m, &k, "100.53", 6), Decision::Rest);
    }
    assert_eq!(look(&p, m, &k, "100.54", 7), Decision::Rest);
    silence(&p, m, &k, 8);
    assert_eq!(look(&p, m, &k, "100.55", 9), Decision::Rest);
    // Large ones and heartbeats do not wait.
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "101.49", 10), Decision::Rest);
    assert_eq!(look(&p, &mut Memory::default(), &k, "101.50", 10), publish(10_150, Trigger::Deviation));
    assert_eq!(look(&p, &mut Memory::default(), &k, "100.60", 98), publish(10_060, Trigger::Heartbeat));
}

#[test]
fn a_deviation_waits_for_its_pace_and_a_heartbeat_does_not() {
    let pace = Pace { min_interval: Span::from_s(50), bypass: "300%".parse().unwrap() };
    let p = Policy { pace, heartbeat: Span::from_s(42), breaker: Breaker::default(), ..policy() };
    let k = known(7, 10_000);
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "100.50", 10), Decision::Wait(Hold::RateFloor));
    assert_eq!(look(&p, m, &k, "101.50", 11), publish(10_150, Trigger::Deviation));
    assert_eq!(look(&p, m, &k, "100.50", 39), Decision::Wait(Hold::RateFloor));
    assert_eq!(look(&p, m, &k, "100.50", 40), publish(10_050, Trigger::Heartbeat));
    assert_eq!(look(&p, m, &known(0, 0), "100.50", 0), publish(10_050, Trigger::First));
}

#[test]
fn an_unsure_value_is_published_once_and_waits_for_its_pace_and_a_pause() {
    let confidence = Confidence { ratio: "1%".parse().unwrap(), rearm: "0.5%".parse().unwrap() };
    let pace = Pace { min_interval: Span::from_s(50), bypass: Ratio::default() };
    let p = Policy { confidence, pace, ..policy() };
    let look = |policy: &Policy, m: &mut Memory, known: &Known, confidence: &str, s: u64| {
        let confidence = confidence.parse().unwrap();
        let value = Estimate { as_of: at(s).wall, confidence, ..estimate("100") };
        decide(
            policy,
            m,
            Look {
                known,
                value: Ok(&value),
                sleep: Sleep::Awake,
                support: UNANIMOUS,
                decimals: 2,
                now: at(s),
            },
        )
    };
    let (k, m) = (known(7, 10_000), &mut Memory::default());
    let unsure = publish(10_000, Trigger::Confidence);
    assert_eq!(look(&p, m, &k, "2", 1), Decision::Rest, "it began unsure");
    assert_eq!(look(&p, m, &k, "0.1", 2), Decision::Rest);
    assert_eq!(look(&p, m, &k, "1", 3), Decision::Wait(Hold::RateFloor));
    let paused = Policy { paused: Paused::Deviations, ..p.clone() };
    assert_eq!(look(&paused, m, &k, "1", 50), Decision::Wait(Hold::OnOrder));
    // A moment without a value neither serves nor forgets it, and a heartbeat comes first.
    silence(&p, m, &k, 51);
    assert_eq!(look(&p, m, &k, "1", 52), unsure);
    assert_eq!(look(&p, m, &k, "1", 3598), publish(10_000, Trigger::Heartbeat));
    let served = Known { updated_at: Wall::from_s(3600), ..known(8, 10_000) };
    assert_eq!(look(&p, m, &served, "3", 3700), Decision::Rest);
    // A closed market's last value is as unsure as it was.
    assert_eq!(look(&p, m, &served, "0.1", 3701), Decision::Rest);
    assert_eq!(look(&p.clone().during(Conduct::HeartbeatOnly), m, &served, "3", 3702), Decision::Rest);
    assert_eq!(look(&p, m, &served, "3", 3703), unsure);
}

#[test]
fn a_threshold_decays_with_the_age_of_the_answer_on_chain() {
    let decay = vec![(Span::from_s(100), "0.1%".parse().unwrap())];
    let p = Policy { deviation: Deviation { decay, ..relative("0.5%") }, ..policy() };
    let k = known(7, 10_000);
    for (s, text, fires) in
        [(0, "100.49", false), (50, "100.29", false), (50, "100.30", true), (500, "100.10", true)]
    {
        let decision = look(&p, &mut Memory::default(), &k, text, s);
        assert_eq!(decision != Decision::Rest, fires, "{text} at {s} s");
    }
    // What it has fallen to is what is nearly reached.
    let near = |text: &str| {
        p.is_near(
            &k,
            (answer_of(&p, text.parse().unwrap(), 2).unwrap(), &Estimate::default()),
            &Early { ratio: "50%".parse().unwrap(), ..Early::default() },
            Span::ZERO,
            Wall::from_s(100),
        )
    };
    assert!(near("100.05") && !near("100.04") && !near("100.10"));
}

/// A backup that holds to the values of a minute ago.
fn backup() -> Policy {
    let backup = Backup { historical: Span::from_s(60), ..Backup::default() };
    Policy { backup, breaker: Breaker::default(), ..policy() }
}

/// Looks each second at one value; returns when that is first published.
fn first_round(p: &Policy, m: &mut Memory, k: &Known, text: &str, from_s: u64, to_s: u64) -> Option<u64> {
    (from_s..to_s).find(|s| look(p, m, k, text, *s) != Decision::Rest)
}

/// Without this a backup would follow a spike that its primary, with slower sources, rightly never sees.
#[test]
fn a_backup_believes_only_a_deviation_that_was_there_a_while_ago() {
    let (p, k, m) = (backup(), known(7, 10_000), &mut Memory::default());
    assert_eq!(first_round(&p, m, &k, "100", 0, 100), None);
    assert_eq!(
        first_round(&p, m, &k, "101", 100, 200),
        Some(160),
        "the value of 100 s, and not that of 99 s"
    );
    // Below the threshold a minute ago.
    let m = &mut Memory::default();
    assert_eq!(first_round(&p, m, &k, "100.49", 0, 100), None);
    assert_eq!(look(&p, m, &k, "101", 100), Decision::Rest);
    // To the other side.
    let m = &mut Memory::default();
    assert_eq!(first_round(&p, m, &k, "99", 0, 60), None);
    assert_eq!(look(&p, m, &k, "101", 60), Decision::Rest);
    assert_eq!(look(&p, m, &k, "99", 61), publish(9_900, Trigger::Deviation));
    // What the primary wrote meanwhile is what both are held against.
    let m = &mut Memory::default();
    assert_eq!(first_round(&p, m, &k, "101", 0, 60), None);
    assert_eq!(first_round(&p, m, &known(8, 10_100), "101", 60, 90), None);
    assert_eq!(look(&p, m, &known(8, 10_100), "102", 90), Decision::Rest);
    let ours = &mut m.clone();
    ours.wrote();
    assert_eq!(look(&p, ours, &known(8, 10_000), "102", 91), publish(10_200, Trigger::Deviation));
}

/// Without this a process that has just started, or whose venues were away, would take the moment for its own past.
#[test]
fn a_backup_that_does_not_know_the_past_lets_heartbeats_and_first_rounds_pass_alone() {
    let (p, k) = (backup(), known(7, 10_000));
    let m = &mut Memory::default();
    assert_eq!(look(&p, m, &k, "105", 3_590), Decision::Rest);
    assert_eq!(look(&p, m, &k, "105", 3_598), publish(10_500, Trigger::Heartbeat));
    assert_eq!(look(&p, m, &known(0, 0), "105", 3_599), publish(10_500, Trigger::First));
    // A gap in the values is a minute of which nothing is known.
    let m = &mut Memory::default();
    assert_eq!(first_round(&p, m, &k, "105", 0, 60), None);
    assert_eq!(look(&p, m, &k, "105", 60), publish(10_500, Trigger::Deviation));
    (60..130).for_each(|s| assert!(matches!(silence(&p, m, &k, s), Decision::Hold(_))));
    assert_eq!(first_round(&p, m, &k, "105", 130, 300), Some(190));
    // What is repeated while a market is closed is no value of that time, and a pause does not end what is known.
    let (closed, paused) =
        (p.clone().during(Conduct::HeartbeatOnly), Policy { paused: Paused::Everything, ..p.clone() });
    let m = &mut Memory::default();
    (0..60).for_each(|s| assert_eq!(look(&closed, m, &k, "105", s), Decision::Rest));
    assert_eq!(look(&p, m, &k, "105", 60), Decision::Rest);
    let m = &mut Memory::default();
    (0..60).for_each(|s| assert_eq!(look(&paused, m, &k, "105", s), Decision::Hold(Hold::OnOrder)));
    assert_eq!(look(&p, m, &k, "105", 60), publish(10_500, Trigger::Deviation));
}

/// Whatever may be due: nothing of it is, asleep, but what an operator asks for. Without this a rule that somebody adds
/// later would write for a feed that sleeps.
#[test]
fn nothing_is_due_to_a_feed_that_sleeps_but_what_an_operator_asks_for() {
    let p = Policy { pace: Pace { min_interval: Span::from_s(10_000), ..Pace::default() }, ..policy() };
    let see = |p: &Policy, m: &mut Memory, known: &Known, sleep: Sleep, text: &str, s: u64| {
        let value = estimate(text);
        let look = Look { known, value: Ok(&value), sleep, support: UNANIMOUS, decimals: 2, now: at(s) };
        decide(p, m, look)
    };
    let (k, m) = (known(7, 10_000), &mut Memory::default());
    let asked = Policy { demanded_at: Some(Wall::from_s(4_000)), ..p.clone() };
    for (known, text, s) in [(known(0, 0), "100", 1), (k, "101", 1), (k, "100", 9_000), (k, "500", 9_000)] {
        assert_eq!(
            see(&p, m, &known, Sleep::Asleep, text, s),
            Decision::Hold(Hold::Hibernating),
            "{text} {s}"
        );
        // What nobody knows is no permission, not even for an operator's round.
        for p in [&p, &asked] {
            assert_eq!(see(p, m, &known, Sleep::Unknown, text, s), Decision::Hold(Hold::FlagUnknown));
        }
    }
    assert_eq!(see(&asked, m, &k, Sleep::Asleep, "101", 9_000), publish(10_100, Trigger::Demand));
    assert_eq!(see(&asked, m, &k, Sleep::Asleep, "500", 9_000), Decision::Hold(Hold::BreakerOpen));
    let paused = Policy { paused: Paused::Everything, ..asked };
    assert_eq!(see(&paused, m, &k, Sleep::Asleep, "101", 9_000), Decision::Hold(Hold::OnOrder));
    // Awake again it owes one round, which waits for no pace, but for a pause; and the round serves it, whoever wrote it.
    let m = &mut Memory::default();
    m.awake(7);
    let paused = Policy { paused: Paused::Deviations, ..p.clone() };
    assert_eq!(see(&paused, m, &k, Sleep::Awake, "100", 100), Decision::Wait(Hold::OnOrder));
    silence(&p, m, &k, 101);
    assert_eq!(see(&p, m, &k, Sleep::Awake, "100", 102), publish(10_000, Trigger::Awakened));
    assert_eq!(see(&p, m, &known(8, 10_000), Sleep::Awake, "100", 103), Decision::Rest);
    // Put to sleep before, it owes nothing.
    assert_eq!(see(&p, m, &k, Sleep::Asleep, "100", 104), Decision::Hold(Hold::Hibernating));
    assert_eq!(see(&p, m, &k, Sleep::Awake, "100", 105), Decision::Rest);
    // What was due to a standby before it slept is not overdue when it awakes.
    let standby = Policy { standby: Span::from_s(10), ..p };
    assert_eq!(see(&standby, m, &k, Sleep::Awake, "100", 3_600), Decision::Hold(Hold::Standby));
    assert_eq!(see(&standby, m, &k, Sleep::Asleep, "100", 3_605), Decision::Hold(Hold::Hibernating));
    assert_eq!(see(&standby, m, &k, Sleep::Awake, "100", 3_700), Decision::Hold(Hold::Standby));
    assert_eq!(see(&standby, m, &k, Sleep::Awake, "100", 3_710), publish(10_000, Trigger::Heartbeat));
}
