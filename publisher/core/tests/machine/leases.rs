//! Replicas: what a machine does for an account before, while and after it holds the account's lease.

use crate::rig::*;
use publisher_core::io::{Effect, Input, Ticket};
use publisher_core::policy::Hold;
use publisher_core::record::{Outcome, Scope, replay};
use publisher_core::tx::Call;
use std::collections::BTreeMap;

fn btc_alone() -> publisher_core::machine::Spec {
    spec(&["BTC-USD"])
}

/// Longer than any lease lasts.
const LONG: usize = 8;

/// The tickets of what is held back.
fn held_recoveries(rig: &Rig) -> Vec<Ticket> {
    let ticket = |effect: &Effect| match effect {
        Effect::Recover { ticket } => Some(*ticket),
        _ => None,
    };
    rig.held.iter().filter_map(ticket).collect()
}

/// Without it a replica would act for an account that is another's, or without knowing what that one had begun.
#[test]
fn nothing_is_done_for_an_account_before_its_lease_is_held_and_the_journal_read() {
    let mut rig = Rig::leased(btc_alone());
    rig.hold = |effect| matches!(effect, Effect::Beat { .. });
    rig.blocks(4);
    let asked = |rig: &Rig| ["account", "preflight", "sign", "broadcast"].map(|kind| rig.asked(kind));
    assert_eq!((asked(&rig), rig.intents()), ([0; 4], 0), "before the lease");
    rig.hold = |effect| matches!(effect, Effect::Recover { .. });
    rig.blocks(4);
    assert_eq!(rig.count_events("PUB-4004"), 1, "the lease is taken");
    assert_eq!((asked(&rig), rig.intents()), ([0; 4], 0), "before the journal was read");
    rig.release();
    rig.blocks(4);
    assert_eq!(rig.rounds(&btc()), [10_000]);
}

/// Without it a replica that lost its lease goes on beside its successor, and one that takes it back begins anew.
#[test]
fn f59_with_the_lease_goes_everything_that_was_on_its_way_and_it_comes_back_from_the_journal() {
    let mut rig = Rig::running_leased(btc_alone());
    rig.crowded = true;
    rig.deviate();
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1);
    rig.is_taken_over();
    rig.blocks(LONG);
    assert!(rig.machine.outboxes().is_empty(), "{:#?}", rig.events);
    let (written, sent) = (rig.journal.len(), rig.wire.len());
    rig.crowded = false;
    rig.deviate();
    rig.blocks(LONG);
    assert_eq!((rig.journal.len(), rig.wire.len()), (written, sent), "it is another's");

    rig.lease.is_anothers = false;
    rig.blocks(LONG);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final), "{:#?}", rig.events);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100, 10_201]);
    assert_eq!((rig.intents(), rig.reverted()), (3, 0));
}

/// Without it a replica that hears nothing from the journal would still send when another one does.
#[test]
fn f60_a_machine_that_does_not_hear_the_journal_stops_by_itself() {
    let mut rig = Rig::running_leased(btc_alone());
    rig.lease.is_unheard = true;
    // Its last beat was heard up to two seconds ago.
    rig.pass_ms(2_500);
    assert!(!rig.machine.epochs(rig.now().mono).is_empty(), "the lease goes on");
    rig.pass_ms(3_000);
    assert_eq!(rig.machine.epochs(rig.now().mono), BTreeMap::new());
    assert_eq!((rig.count_events("PUB-4006"), rig.machine.outboxes().len()), (1, 0));
    let sent = rig.wire.len();
    rig.deviate();
    rig.blocks(LONG);
    assert_eq!((rig.intents(), rig.wire.len()), (1, sent));
    rig.lease.is_unheard = false;
    rig.blocks(LONG);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}

/// Without it a round that the journal refused would be sent, or remembered as planned and never land.
#[test]
fn f59_a_write_that_the_journal_refuses_is_forgotten_with_all_that_was_to_follow() {
    let mut rig = Rig::running_leased(btc_alone());
    rig.is_taken_over();
    let (written, sent) = (rig.journal.len(), rig.wire.len());
    rig.deviate();
    assert_eq!((rig.journal.len(), rig.wire.len()), (written, sent));
    assert!(rig.machine.outboxes().is_empty(), "{:#?}", rig.events);
    rig.lease.is_anothers = false;
    rig.blocks(LONG);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!((rig.intents(), rig.reverted()), (2, 0));
}

/// Without it a signature of an earlier epoch would be journalled in a later one.
#[test]
fn a_signature_that_was_asked_for_under_an_earlier_lease_is_dropped() {
    let mut rig = Rig::running_leased(btc_alone());
    rig.hold = |effect| matches!(effect, Effect::Sign { .. });
    rig.deviate();
    let old: Vec<Effect> = std::mem::take(&mut rig.held);
    assert_eq!(old.len(), 1);
    rig.is_taken_over();
    rig.pass_ms(2_500);
    rig.lease.is_anothers = false;
    rig.pass_ms(7_000);
    assert_eq!(rig.count_events("PUB-4004"), 2, "{:#?}", rig.events);
    let late = rig.answer(old[0].clone()).unwrap();
    rig.step(late);
    assert!(rig.attempts(ACCOUNT, 1).is_empty(), "of an earlier epoch");
    rig.release();
    rig.blocks(LONG);
    assert_eq!((rig.rounds(&btc()), rig.attempts(ACCOUNT, 1).len()), (vec![10_000, 10_100], 1));
}

/// Without it a replica would go on from what the journal said before another one had written more.
#[test]
fn the_journals_word_from_before_a_lease_was_taken_is_not_believed() {
    let mut rig = Rig::leased(btc_alone());
    rig.hold = |effect| matches!(effect, Effect::Recover { .. });
    rig.pass_ms(500);
    let (early, old) = (held_recoveries(&rig), replay(&rig.journal));
    assert_eq!(early.len(), 1);
    rig.is_taken_over();
    rig.pass_ms(6_000);
    rig.lease.is_anothers = false;
    rig.pass_ms(7_000);
    assert_eq!(rig.count_events("PUB-4004"), 2, "{:#?}", rig.events);
    rig.step(Input::Recovered { ticket: early[0], recovered: Some(old) });
    assert!(rig.machine.outboxes().is_empty(), "it is from before");
    rig.release();
    assert_eq!(rig.machine.outboxes().len(), 1);
}

/// Without it an operator's word at the start would also acknowledge a halt of months later, as soon as the database
/// goes away for a moment.
#[test]
fn an_operators_word_is_about_what_was_halted_when_it_was_given() {
    let mut spec = btc_alone();
    spec.acknowledge_halts = true;
    let mut rig = Rig::running_leased(spec);
    rig.insert_foreign(ACCOUNT, Call::Noop);
    rig.mine();
    rig.deviate();
    rig.blocks(LONG);
    assert!(rig.is_halted(&Scope::Account(ACCOUNT)), "{:#?}", rig.events);
    rig.is_taken_over();
    rig.blocks(LONG);
    rig.lease.is_anothers = false;
    rig.blocks(LONG);
    assert_eq!(rig.count_events("PUB-4004"), 2, "{:#?}", rig.events);
    assert!(rig.is_halted(&Scope::Account(ACCOUNT)), "nobody has looked at this one");
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Halted));
}

/// Without it every replica that joins makes the rounds that are on their way wait for a take-over.
#[test]
fn an_account_is_handed_over_once_nothing_of_it_is_on_its_way() {
    let mut rig = Rig::running_leased(btc_alone());
    rig.crowded = true;
    rig.deviate();
    rig.lease.is_due_elsewhere = true;
    rig.blocks(LONG);
    assert!(!rig.lease.is_anothers, "its round is on its way");
    rig.crowded = false;
    rig.blocks(LONG);
    assert!(rig.lease.is_anothers && rig.machine.outboxes().is_empty(), "{:#?}", rig.events);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}
