//! Signers that are late, down, or wrong, and what is still true when they come back.

use crate::rig::*;
use alloy_primitives::Bytes;
use publisher_core::event::Event;
use publisher_core::io::{Effect, Input};
use publisher_core::tx::{Call, SignFault};

/// Without it a signature that comes after everybody stopped waiting would be sent beside its successor.
#[test]
fn a_late_signature_is_dropped() {
    let mut rig = Rig::running();
    rig.hold = |effect| matches!(effect, Effect::Sign { .. });
    rig.deviate();
    let late = rig.held.remove(0);
    rig.hold = |_| false;
    for _ in 0..4 {
        rig.pass_ms(1_000);
    }
    assert_eq!(rig.wire.len(), 2, "asked again, signed and sent");
    assert!(rig.events.iter().any(|e| matches!(e, Event::SignFailed { fault: SignFault::Timeout, .. })));
    let answer = rig.answer(late).unwrap();
    rig.step(answer);
    rig.settle();
    assert_eq!((rig.wire.len(), rig.attempts(ACCOUNT, 1).len()), (2, 1));
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}

/// Without it a process that was suspended while the signer worked would send, when it goes on, an answer of long ago.
#[test]
fn a_signature_that_waited_with_a_suspended_process_is_dropped() {
    let mut rig = Rig::running();
    rig.hold = |effect| matches!(effect, Effect::Sign { .. });
    rig.deviate();
    let waiting = rig.held.remove(0);
    let answer = rig.answer(waiting).unwrap();
    rig.hold = |_| false;
    // The first thing it does when it goes on is to read that answer.
    rig.suspend_ms(60_000);
    rig.step(answer);
    assert!(rig.attempts(ACCOUNT, 1).is_empty(), "it was journalled, to be sent");
    rig.quotes(VENUES);
    rig.blocks(8);
    assert_eq!((rig.attempts(ACCOUNT, 1).len(), rig.rounds(&btc()).len()), (1, 2));
}

/// Without it a signer that signs something else, or nothing, would cost a nonce, be trusted, or be hammered.
#[test]
fn a_signer_that_gives_nothing_usable_costs_time_and_nothing_else() {
    for fault in [SignFault::Mismatch, SignFault::HighS, SignFault::Refused, SignFault::Unavailable] {
        let mut rig = Rig::running();
        rig.signer = SignerMode::Fails(fault);
        let sent = rig.wire.len();
        rig.deviate();
        rig.blocks(60);
        assert_eq!(rig.wire.len(), sent, "{fault:?}: nothing was sent");
        let failures = rig.count_events("PUB-2003");
        assert!((10..=24).contains(&failures), "{fault:?}: {failures} times in two minutes");
        assert!(rig.attempts(ACCOUNT, 1).is_empty());
        rig.signer = SignerMode::Up;
        rig.price = 10_200;
        rig.blocks(6);
        assert_eq!(rig.rounds(&btc()), [10_000, 10_200], "{fault:?}: the nonce is kept, the price is fresh");
    }
}

/// Without it a signer that answers without bytes would have an empty transaction journalled, or be asked in a loop.
#[test]
fn a_signature_without_bytes_is_a_failed_one() {
    let mut rig = Rig::running();
    rig.hold = |effect| matches!(effect, Effect::Sign { .. });
    rig.deviate();
    let Some(Effect::Sign { ticket, tx }) = rig.held.pop() else { panic!("nothing to sign") };
    let empty = Input::Signed { ticket, account: tx.from, hash: Default::default(), raw: Bytes::new() };
    rig.step(empty);
    assert!(rig.held.is_empty(), "not asked again at once");
    assert_eq!(rig.count_events("PUB-2003"), 1);
    rig.pass_ms(500);
    assert_eq!(rig.held.len(), 1);
}

/// Without it a round that others wrote while the signer was down would be signed all the same, and revert.
#[test]
fn a_round_taken_while_the_signer_was_down_is_given_up() {
    let mut rig = Rig::running();
    rig.signer = SignerMode::Fails(SignFault::Unavailable);
    rig.deviate();
    rig.blocks(10);
    rig.write_foreign_round(&btc(), 10_100);
    rig.blocks(20);
    rig.signer = SignerMode::Up;
    rig.blocks(6);
    assert_eq!(rig.reverted(), 0);
    assert_eq!(rig.count_events("PUB-1007"), 1);
    assert!(rig.blocks.iter().flat_map(|b| &b.txs).any(|m| m.tx.call == Call::Noop));
    rig.deviate();
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()).len(), 3, "and the feed goes on with the round after it");
}

/// Without it a contract paused while the signer was down would be sent a transaction that must revert.
#[test]
fn the_contract_is_asked_again_before_a_late_first_signature() {
    let mut rig = Rig::running();
    rig.signer = SignerMode::Fails(SignFault::Unavailable);
    rig.deviate();
    rig.blocks(3);
    rig.paused = true;
    rig.signer = SignerMode::Up;
    rig.blocks(60);
    assert!(rig.attempts(ACCOUNT, 1).is_empty(), "nothing was signed");
    assert_eq!(rig.count_events("PUB-1008"), 1, "the refusal is reported once");
    rig.paused = false;
    rig.blocks(20);
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (2, 0));
}

/// Without it a signature asked for before its round was lost to others would be sent after it, and revert.
#[test]
fn a_signature_in_the_making_is_not_used_once_its_work_is_pointless() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.deviate();
    rig.write_foreign_round(&btc(), 10_100);
    rig.hold = |effect| matches!(effect, Effect::Sign { tx, .. } if tx.call != Call::Noop);
    rig.blocks(6);
    let superseded = rig.attempts(ACCOUNT, 1).iter().filter(|a| a.answer.is_none()).count();
    assert!(superseded >= 1, "an empty transaction took its place");
    let attempts = rig.attempts(ACCOUNT, 1).len();
    rig.release();
    let late = rig.attempts(ACCOUNT, 1)[attempts..].iter().filter(|a| a.answer.is_some()).count();
    assert_eq!(late, 0);
}
