//! A standby with a key of its own: what its primary leaves undone, and what it pays for where both write.

use crate::rig::*;
use publisher_core::event::{Event, Level};
use publisher_core::policy::{Backup, Hold};
use publisher_core::price::Ratio;
use publisher_core::record::Outcome;
use publisher_core::time::Span;

const PRIMARY: alloy_primitives::Address = alloy_primitives::Address::repeat_byte(0x0b);

fn standby() -> Rig {
    let mut spec = spec(&["BTC-USD"]);
    spec.feeds.get_mut(&btc()).unwrap().policy.standby = Span::from_s(10);
    let mut rig = Rig::new(spec);
    rig.blocks(2);
    rig.write_foreign_round(&btc(), 10_000);
    rig.poll();
    rig.blocks(2);
    assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (1, 0));
    rig
}

/// The primary's transaction reaches the pool; it is before ours in the next block.
fn primary_sends(rig: &mut Rig, round: u64, answer: i64) {
    rig.insert_foreign(PRIMARY, submit(&btc(), round, answer));
}

/// Without it every round would be written, or at least paid for, twice.
#[test]
fn a_standby_is_silent_while_its_primary_writes() {
    let mut rig = standby();
    for round in 2..10 {
        rig.price = rig.price * 101 / 100;
        rig.blocks(3); // Six of the ten seconds.
        assert_eq!(rig.view(&btc()).hold, Some(Hold::Standby));
        let answer = i64::try_from(rig.price).unwrap();
        primary_sends(&mut rig, round, answer);
        rig.blocks(2);
    }
    assert_eq!((rig.rounds(&btc()).len(), rig.intents(), rig.wire.len()), (9, 0, 0));
    let loud = rig.events.iter().filter(|e| matches!(e, Event::RoundTaken { .. } | Event::HeldBack { .. }));
    assert!(loud.clone().count() >= 8 && loud.clone().all(|e| e.level() == Level::Info), "{:?}", rig.events);
}

/// Without it nobody would write after the primary's death.
#[test]
fn a_standby_writes_what_its_primary_does_not() {
    let mut rig = standby();
    rig.deviate();
    rig.blocks(4);
    assert_eq!(rig.intents(), 0);
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()).len(), 2, "after ten seconds and the next block");
    // The heartbeat too, and each round after the same wait.
    rig.blocks((usize::try_from(HEARTBEAT_S).unwrap() + 10) / 2 + 2);
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (3, 0));
}

/// Without it a primary that is as slow as the standby's delay would make it pay for every round.
#[test]
fn a_lost_race_is_one_revert_and_makes_the_standby_wait_longer() {
    let mut rig = standby();
    let mut lost = Vec::new();
    for round in 2..20 {
        rig.deviate();
        // The primary is just as late as the standby's delay, and its transaction is mined first.
        rig.blocks(4);
        rig.pass_ms(BLOCK_MS);
        let answer = i64::try_from(rig.price).unwrap();
        primary_sends(&mut rig, round, answer);
        rig.mine();
        rig.poll();
        rig.blocks(8);
        assert_eq!(rig.rounds(&btc()).len(), usize::try_from(round).unwrap(), "{:?}", rig.events.last());
        lost.push(rig.reverted());
    }
    assert!((1..=3).contains(lost.last().unwrap()), "{lost:?}");
    let ended = |outcome| {
        rig.events.iter().filter(|e| matches!(e, Event::Closed { outcome: o, .. } if *o == outcome)).count()
    };
    assert_eq!(ended(Outcome::Reverted), rig.reverted(), "each is counted");
    assert_eq!(ended(Outcome::Final), 0);
    // It has not given up: the primary dies.
    rig.deviate();
    rig.blocks(45);
    assert!(rig.rounds(&btc()).len() >= 20);
}

/// Without this a backup would pay for every spike that is over before its primary would have moved, and for every
/// deviation that its primary is about to publish.
#[test]
fn a_backup_follows_only_what_is_wider_and_was_there_before() {
    let mut spec = spec(&["BTC-USD"]);
    let policy = &mut spec.feeds.get_mut(&btc()).unwrap().policy;
    policy.heartbeat = Span::ZERO;
    policy.backup =
        Backup { coefficient: Ratio::from_bps(30_000), historical: Span::from_s(20), ..Backup::default() };
    let mut rig = Rig::running_with(spec);
    rig.blocks(15);
    let (before, rounds) = (rig.price, rig.rounds(&btc()).len());
    rig.price = before * 1_014 / 1_000;
    rig.blocks(15);
    assert_eq!(rig.rounds(&btc()).len(), rounds, "less than three times half a percent");
    rig.price = before * 1_020 / 1_000;
    rig.blocks(8);
    rig.price = before;
    rig.blocks(15);
    assert_eq!(rig.rounds(&btc()).len(), rounds, "a spike of sixteen seconds");
    rig.price = before * 1_020 / 1_000;
    rig.blocks(15);
    assert_eq!(rig.rounds(&btc()).len(), rounds + 1);
    // A process that has just begun knows nothing of what was before.
    rig.price = before;
    rig.blocks(8);
    rig.restart();
    rig.blocks(9);
    assert_eq!(rig.rounds(&btc()).len(), rounds + 1);
    rig.blocks(5);
    assert_eq!(rig.rounds(&btc()).len(), rounds + 2);
}
