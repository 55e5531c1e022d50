//! Steps of a rollout.

use crate::rig::*;
use alloy_primitives::{Address, Bytes};
use publisher_core::event::Event;
use publisher_core::io::Operator;
use publisher_core::record::{Outcome, Record};
use publisher_core::tx::{Call, PreflightAnswer};

fn step(name: &str) -> Operator {
    Operator::Execute {
        account: ACCOUNT,
        name: name.to_owned(),
        to: None,
        data: Bytes::copy_from_slice(name.as_bytes()),
    }
}

fn landed(rig: &Rig) -> Vec<String> {
    let txs = rig.blocks.iter().flat_map(|b| &b.txs);
    txs.filter_map(|m| match &m.tx.call {
        Call::Raw { data, .. } => Some(String::from_utf8(data.to_vec()).unwrap()),
        _ => None,
    })
    .collect()
}

fn outcomes(rig: &Rig) -> Vec<(String, Outcome)> {
    let closed = rig.events.iter().filter_map(|e| match e {
        Event::Closed { feed: None, what, outcome, .. } => Some((what.clone(), *outcome)),
        _ => None,
    });
    closed.collect()
}

fn refusals(rig: &Rig) -> Vec<String> {
    let refused = rig.events.iter().filter_map(|e| match e {
        Event::PreflightRefused { feed: None, reason } => Some(reason.clone()),
        _ => None,
    });
    refused.collect()
}

fn rig() -> Rig {
    let mut rig = Rig::new(spec(&[]));
    rig.blocks(2);
    rig
}

/// Without it steps that depend on one another would race, and a contract be called before it exists.
#[test]
fn steps_are_carried_out_one_after_the_other() {
    let mut rig = rig();
    for name in ["deploy", "grant", "propose"] {
        rig.operate(step(name));
    }
    rig.block();
    assert_eq!(landed(&rig), ["deploy"]);
    rig.blocks(8);
    assert_eq!(landed(&rig), ["deploy", "grant", "propose"]);
    let done = ["deploy", "grant", "propose"].map(|name| (name.to_owned(), Outcome::Final));
    assert_eq!(outcomes(&rig), done);
    assert!(rig.machine.is_idle());
}

/// Without it a step that the chain refuses would be sent all the same, or those that depend on it would follow.
#[test]
fn a_refused_step_takes_those_behind_it_along() {
    let mut rig = rig();
    rig.preflight = Some(PreflightAnswer::Reverts("NotAdmin()".to_owned()));
    rig.operate(step("grant"));
    rig.preflight = None;
    rig.operate(step("deploy"));
    rig.blocks(3);
    assert_eq!(refusals(&rig), ["grant: NotAdmin()"]);
    assert_eq!(landed(&rig), ["deploy"], "what is asked for afterwards is another matter");
    rig.hold = |e| matches!(e, publisher_core::io::Effect::Preflight { .. });
    rig.operate(step("first"));
    rig.operate(step("second"));
    rig.preflight = Some(PreflightAnswer::Reverts("NotAdmin()".to_owned()));
    rig.release();
    assert_eq!(refusals(&rig)[1..], ["first: NotAdmin()", "second: not begun, because first failed"]);
    assert_eq!(rig.intents(), 1);
}

/// Without it a step that fails on chain would be followed by the steps that depend on it.
#[test]
fn a_step_that_fails_on_chain_stops_the_rollout() {
    let mut rig = rig();
    rig.operate(step("deploy"));
    let (key, tx) = rig.pool.first_key_value().map(|(k, v)| (*k, v.clone())).unwrap();
    rig.operate(step("grant"));
    rig.pool.remove(&key);
    rig.mine();
    // The block that includes it says that it failed.
    let skipped = Default::default();
    rig.blocks.last_mut().unwrap().txs.push(Mined { hash: tx.0, tx: tx.1, success: false, skipped });
    rig.no_receipts = true;
    rig.poll();
    rig.no_receipts = false;
    rig.preflight = Some(PreflightAnswer::Unknown);
    rig.blocks(8);
    assert_eq!(outcomes(&rig), [("deploy".to_owned(), Outcome::Reverted)]);
    assert_eq!(refusals(&rig), ["grant: not begun, because deploy failed"]);
}

/// Without it a death in the middle of a rollout would repeat a step, or lose one.
#[test]
fn a_death_in_the_middle_of_a_rollout_repeats_nothing() {
    for boundary in 1..=5 {
        let mut rig = rig();
        rig.die_after = Some(boundary);
        rig.operate(step("deploy"));
        for _ in 0..8 {
            rig.block();
            if rig.died {
                rig.restart();
            }
        }
        assert_eq!(landed(&rig), ["deploy"], "dead after record {boundary}");
        let intents = rig.journal.iter().filter(|r| matches!(r, Record::Intent { .. })).count();
        assert_eq!(intents, 1);
        let limits: Vec<u64> = rig.signed.values().map(|tx| tx.gas_limit).collect();
        assert!(limits.iter().all(|limit| *limit == 56_250), "an estimate, a quarter more: {limits:?}");
    }
}

/// Without it a step that was planned, and that the contract no longer wants, would hold its account for ever.
#[test]
fn a_planned_step_that_has_become_impossible_is_used_up_on_chain() {
    let mut rig = rig();
    rig.die_after = Some(1);
    rig.operate(step("deploy"));
    rig.restart();
    rig.preflight = Some(PreflightAnswer::Reverts("AlreadyDone()".to_owned()));
    rig.blocks(8);
    assert_eq!(landed(&rig), ["deploy"]);
    assert!(rig.machine.is_idle());
}

/// Without it a node that cannot estimate would be asked as fast as it can fail.
#[test]
fn a_node_that_cannot_estimate_is_asked_at_a_pace() {
    let mut rig = rig();
    rig.preflight = Some(PreflightAnswer::Unknown);
    let before = rig.asked("preflight");
    rig.operate(step("deploy"));
    rig.blocks(10);
    let asked = rig.asked("preflight") - before;
    assert!((10..=45).contains(&asked), "{asked} times in 20 s");
    rig.preflight = None;
    rig.blocks(2);
    assert_eq!(landed(&rig), ["deploy"]);
}

/// Without it a step for an account that nobody has, or one asked for while ending, would wait for ever in silence.
#[test]
fn a_step_that_can_never_begin_is_refused_at_once() {
    let mut rig = rig();
    let account = Address::repeat_byte(0x99);
    rig.operate(Operator::Execute { account, name: "deploy".to_owned(), to: None, data: Bytes::new() });
    assert!(refusals(&rig)[0].starts_with("deploy: account 0x9999"));
    rig.preflight = Some(PreflightAnswer::Unknown);
    rig.operate(step("waiting"));
    rig.operate(Operator::Drain);
    rig.pass_ms(4_000);
    assert!(rig.machine.is_idle(), "what waits is not begun any more");
    rig.operate(step("late"));
    assert_eq!(refusals(&rig)[1], "late: the process is ending");
    assert_eq!(rig.intents(), 0);
}
