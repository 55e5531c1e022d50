//! Processes that die, journals that are old, nodes that are behind.

use crate::rig::*;
use publisher_core::io::Effect;
use publisher_core::policy::Hold;
use publisher_core::record::{Outcome, Record, Scope};
use publisher_core::tx::Call;

/// A deviation's whole life, with a death after so many records, and another one so many records later.
fn live(deaths: [Option<usize>; 2]) -> (Rig, usize) {
    let mut rig = Rig::running();
    let mut deaths = deaths.into_iter().flatten();
    rig.die_after = deaths.next();
    let mut died = 0;
    rig.deviate();
    for _ in 0..14 {
        if rig.died {
            died += 1;
            rig.restart();
            rig.die_after = deaths.next();
        }
        rig.block();
    }
    (rig, died)
}

/// Without it a death between two records of a round's life would lose the round, or land it twice.
#[test]
fn f52_a_death_after_any_record_lands_the_round_exactly_once() {
    let mut boundaries = 0;
    for first in 1.. {
        let (rig, died) = live([Some(first), None]);
        assert_eq!(rig.rounds(&btc()), [10_000, 10_100], "dead after record {first}");
        assert_eq!((rig.intents(), rig.reverted()), (2, 0), "dead after record {first}");
        assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final), "dead after record {first}");
        if died == 0 {
            break;
        }
        boundaries += 1;
    }
    assert_eq!(boundaries, 6, "intent, reason, attempt, sent, included, closed");
}

/// Without it recovery itself would be the one moment at which a process must not die.
#[test]
fn f53_a_death_inside_recovery_changes_nothing() {
    for first in 1..=5 {
        for second in 1..=4 {
            let (rig, _) = live([Some(first), Some(second)]);
            assert_eq!(rig.rounds(&btc()), [10_000, 10_100], "dead after {first} and {second}");
            assert_eq!((rig.intents(), rig.reverted()), (2, 0), "dead after {first} and {second}");
        }
    }
}

/// Without it a round planned before a death would be signed with the price from before it.
#[test]
fn what_was_planned_and_not_signed_is_signed_with_a_fresh_answer() {
    let mut rig = Rig::running();
    rig.die_after = Some(1);
    rig.deviate();
    assert!(rig.died);
    rig.price = 10_300;
    rig.restart();
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_300]);
}

/// Without it a backup of yesterday would sign yesterday's nonces again.
#[test]
fn f57_a_restored_backup_halts_and_has_an_acknowledged_way_back() {
    let mut rig = Rig::running();
    rig.deviate();
    let backup = rig.journal.clone(); // nonce 1 is signed and open in it
    rig.pool.clear();
    rig.base_fee_wei = 300;
    rig.blocks(4);
    rig.base_fee_wei = 100;
    rig.blocks(40); // its bump lands, which the backup does not know, and another round follows
    assert!(rig.nonce(ACCOUNT, u64::MAX) >= 3);
    let used = rig.nonce(ACCOUNT, u64::MAX);
    rig.journal = backup;
    rig.restart();
    let sent = rig.wire.len();
    rig.blocks(40);
    assert!(rig.is_halted(&Scope::Account(ACCOUNT)));
    assert_eq!(rig.wire.len(), sent, "nothing leaves the process");
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Halted));
    rig.restart_acknowledging();
    rig.deviate();
    rig.blocks(8);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Foreign));
    let planned = rig.journal.iter().filter_map(|r| match r {
        Record::Intent { nonce, .. } => Some(*nonce),
        _ => None,
    });
    assert_eq!(planned.max(), Some(used), "the first nonce that the chain has not used");
    assert_eq!(i64::try_from(rig.price).ok(), rig.rounds(&btc()).last().copied());
    rig.restart();
    rig.blocks(3);
    assert!(!rig.is_halted(&Scope::Account(ACCOUNT)), "acknowledged once and for all");
}

/// Without it a node that is still catching up would be believed, and rounds planned against an old chain.
#[test]
fn nothing_is_planned_while_the_node_is_behind_the_journal() {
    let mut rig = Rig::running();
    rig.blocks(60);
    let full = rig.blocks.clone();
    rig.blocks.truncate(3);
    let intents = rig.intents();
    rig.restart();
    rig.price *= 2;
    rig.quotes(VENUES);
    for _ in 0..40 {
        rig.pass_ms(1_000);
        rig.quotes(VENUES);
        rig.poll();
    }
    assert_eq!(rig.intents(), intents);
    assert!(rig.count_events("PUB-1002") > 0, "and people are told that the feed waits");
    rig.blocks = full;
    rig.blocks(6);
    assert_eq!(rig.intents(), intents + 1);
}

/// Without it an account that was taken out of the configuration would be signed for without a signer, for ever.
#[test]
fn an_account_that_left_the_configuration_is_followed_and_not_signed_for() {
    let old = alloy_primitives::Address::repeat_byte(0xa1);
    let new = alloy_primitives::Address::repeat_byte(0xa9);
    for signed in [false, true] {
        let mut rig = Rig::running();
        // After the attempt, or after the intent alone.
        rig.die_after = Some(if signed { 3 } else { 1 });
        rig.deviate();
        assert!(rig.died);
        rig.spec.accounts.clear();
        rig.spec.feeds.get_mut(&btc()).unwrap().account = new;
        rig.restart();
        rig.hold = |e| matches!(e, Effect::Sign { tx, .. } if tx.from == alloy_primitives::Address::repeat_byte(0xa1));
        rig.blocks(12);
        assert!(rig.held.is_empty(), "nobody is asked to sign for it");
        assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
        let lander = rig.blocks.iter().flat_map(|b| &b.txs).last().unwrap().tx.from;
        assert_eq!(
            lander,
            if signed { old } else { new },
            "what was signed lands; what was not is planned anew"
        );
        assert_eq!(rig.reverted(), 0);
    }
}

/// Without it a feed moved to a new contract would have its old contract's unsigned round signed.
#[test]
fn a_round_of_a_contract_that_is_no_longer_written_is_not_signed() {
    let mut rig = Rig::running();
    rig.die_after = Some(1);
    rig.deviate();
    let moved = alloy_primitives::Address::repeat_byte(0x77);
    rig.spec.feeds.get_mut(&btc()).unwrap().aggregator = moved;
    rig.restart();
    rig.blocks(10);
    let calls: Vec<&Call> = rig.blocks.iter().flat_map(|b| &b.txs).map(|m| &m.tx.call).collect();
    assert!(matches!(calls[1], Call::Noop), "{calls:?}");
    assert!(matches!(calls[2], Call::Submit { aggregator, round: 1, .. } if *aggregator == moved));
    assert_eq!(rig.reverted(), 0);
}
