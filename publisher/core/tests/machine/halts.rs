//! Finality, its violation, and the end of a process.

use crate::rig::*;
use publisher_core::event::Event;
use publisher_core::head::Finality;
use publisher_core::io::Operator;
use publisher_core::policy::Hold;
use publisher_core::record::{Outcome, Scope};

fn with(finality: Finality) -> Rig {
    let mut spec = spec(&["BTC-USD"]);
    spec.chain.finality = finality;
    Rig::running_with(spec)
}

/// Without it a chain that took back final blocks would be written on as if nothing had happened.
#[test]
fn a_finality_violation_halts_until_it_is_acknowledged() {
    for (finality, depth) in [(Finality::Depth(4), 6), (Finality::Instant, 1)] {
        let mut rig = with(finality);
        rig.blocks(20);
        rig.deviate();
        rig.blocks(depth);
        let (rounds, intents) = (rig.rounds(&btc()).len(), rig.intents());
        let before = rig.blocks.clone();
        rig.reorganise(depth, Lost::Dropped);
        rig.poll();
        assert_eq!(rig.count_events("PUB-3002"), 1, "{finality:?}");
        let violated = rig.events.iter().find_map(|event| match event {
            Event::FinalityViolated { number, expected, found } => Some((*number, *expected, *found)),
            _ => None,
        });
        let (number, expected, found) = violated.unwrap();
        assert_eq!(expected, Some(before[usize::try_from(number).unwrap()].head.hash), "{finality:?}");
        assert_ne!(found, expected, "{finality:?}");
        assert!(rig.is_halted(&Scope::Chain), "{finality:?}");
        rig.price *= 2;
        rig.blocks(40);
        assert_eq!(rig.intents(), intents, "{finality:?}: nothing is planned");
        assert_eq!(rig.view(&btc()).hold, Some(Hold::Halted));
        rig.restart();
        rig.blocks(5);
        assert_eq!(rig.intents(), intents, "{finality:?}: a restart changes nothing");
        let lost = rounds - rig.rounds(&btc()).len();
        assert!(lost > 0, "{finality:?}: a round that counted as final is gone");
        rig.restart_acknowledging();
        rig.blocks(10);
        assert!(!rig.is_halted(&Scope::Chain), "{finality:?}");
        assert_eq!(rig.rounds(&btc()).len(), rounds, "{finality:?}: the lost round is back");
        assert_eq!(
            rig.rounds(&btc()).last(),
            i64::try_from(rig.price).ok().as_ref(),
            "{finality:?}: with the newest price"
        );
        assert_eq!(rig.reverted(), 0);
        rig.restart();
        rig.blocks(6);
        assert!(!rig.is_halted(&Scope::Chain), "{finality:?}: what was acknowledged is over");
    }
}

/// Without it a chain whose old blocks are gone would be recognised by nobody after a restart.
#[test]
fn another_chain_at_start_halts_and_an_acknowledgement_is_not_asked_for_twice() {
    let mut rig = with(Finality::Depth(4));
    rig.blocks(40);
    let spare = rig.journal.clone();
    rig.reorganise(30, Lost::Pooled);
    // The transactions are there again, in other blocks.
    rig.blocks(6);
    rig.journal = spare;
    rig.restart();
    rig.blocks(4);
    assert!(rig.is_halted(&Scope::Chain));
    // Nothing is found on the new chain before the next start, so the old anchor is the newest.
    rig.node_down = true;
    rig.restart_acknowledging();
    rig.pass_ms(500);
    rig.node_down = false;
    rig.restart();
    rig.blocks(4);
    assert!(!rig.is_halted(&Scope::Chain), "the old anchor was acknowledged with the halt");
}

/// Without it a round would count as published for ever although the new chain had refused it, or as lost although
/// another block of the new chain had it.
#[test]
fn what_broken_finality_took_is_judged_anew() {
    for lost in [Lost::Pooled, Lost::Dropped] {
        let mut rig = with(Finality::Instant);
        rig.deviate();
        rig.blocks(2);
        assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
        let rounds = rig.rounds(&btc());
        rig.reorganise(2, lost);
        rig.poll();
        assert!(rig.is_halted(&Scope::Chain));
        // The new chain refuses the round, once.
        rig.paused = true;
        if lost == Lost::Pooled {
            rig.mine();
        }
        rig.paused = false;
        rig.restart_acknowledging();
        rig.blocks(8);
        assert_eq!(rig.rounds(&btc()), rounds, "{lost:?}");
        let expected = if lost == Lost::Pooled { Outcome::Reverted } else { Outcome::Final };
        assert_eq!(rig.closed(ACCOUNT, 1), Some(expected), "{lost:?}");
        assert_eq!(
            rig.closed(ACCOUNT, 0),
            Some(Outcome::Final),
            "{lost:?}: an older one is found where it was"
        );
    }
}

/// Without it a sibling right after a start, when the window is one block deep, would pass for an ordinary reorg.
#[test]
fn a_violation_is_seen_even_by_a_window_that_it_outreaches() {
    let mut rig = with(Finality::Instant);
    rig.restart();
    rig.poll();
    rig.reorganise(1, Lost::Dropped);
    rig.poll_at(rig.tip().number - 1);
    assert!(rig.is_halted(&Scope::Chain));
}

/// Without it a chain without forks would wait for confirmations, or a tag would be ignored.
#[test]
fn instant_and_tagged_finality_close_rounds_when_they_should() {
    let mut rig = with(Finality::Instant);
    rig.deviate();
    rig.block();
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final), "in the block that includes it");
    let mut rig = with(Finality::Tag);
    rig.deviate();
    rig.blocks(20);
    assert_eq!(rig.closed(ACCOUNT, 1), None);
    rig.tagged = Some(rig.tip().number);
    rig.poll();
    rig.pass_ms(500);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
    rig.tagged = Some(rig.tip().number - 30);
    rig.blocks(2);
    assert_eq!(rig.count_events("PUB-3002"), 0, "a tag of a lagging node takes nothing back");
}

/// Without it a process that is asked to stop would begin another round, or stop before the last one has landed.
#[test]
fn draining_finishes_what_is_on_its_way_and_begins_nothing() {
    let mut rig = Rig::running();
    rig.deviate();
    rig.operate(Operator::Drain);
    assert!(!rig.machine.is_idle());
    rig.price = 20_000;
    rig.block();
    assert!(rig.machine.is_idle());
    rig.blocks(40);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!(rig.intents(), 2);
}
