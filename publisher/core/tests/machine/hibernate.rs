//! A feed that a flag on its chain puts to sleep.

use crate::rig::*;
use publisher_core::event::Event;
use publisher_core::io::{Effect, Input};
use publisher_core::machine::Spec;
use publisher_core::policy::{Hold, Instruction, Order, Subject, Trigger};
use publisher_core::time::Span;
use publisher_core::tx::Flag;

/// Until the contract is read again although nothing seems to have changed.
const READ: usize = 17;

fn flagged() -> Spec {
    let mut spec = spec(&["BTC-USD"]);
    spec.feeds.get_mut(&btc()).unwrap().policy.hibernate_flag =
        Some(alloy_primitives::Address::repeat_byte(0xf1));
    spec
}

/// One feed that has just been put to sleep, with one round on chain.
fn asleep() -> Rig {
    let mut rig = Rig::running_with(flagged());
    rig.flag = Flag::Raised;
    rig.blocks(READ);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Hibernating));
    assert_eq!((rig.rounds(&btc()).len(), rig.count_events("PUB-1015")), (1, 1));
    rig
}

fn triggers(rig: &Rig) -> Vec<Trigger> {
    let decided = rig.events.iter().filter_map(|event| match event {
        Event::Decided { trigger, .. } => Some(*trigger),
        _ => None,
    });
    decided.collect()
}

fn heartbeat_blocks() -> usize {
    usize::try_from(HEARTBEAT_S * 1000 / BLOCK_MS).unwrap()
}

/// Without this a feed that everybody has agreed to let rest is paid for with every heartbeat and every move; and a feed
/// that awakes shows the price of the evening before until something happens.
#[test]
fn a_feed_that_sleeps_writes_nothing_and_awakes_with_one_round() {
    let mut rig = asleep();
    rig.deviate();
    rig.blocks(heartbeat_blocks() + 10);
    rig.deviate();
    rig.blocks(heartbeat_blocks() + 10);
    assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (1, 1));
    assert_eq!(rig.count_events("PUB-1004"), 0, "that its heartbeats stop is what was asked for");
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Hibernating));
    rig.flag = Flag::Lowered;
    rig.blocks(READ);
    assert_eq!(rig.rounds(&btc()).len(), 2);
    assert_eq!(triggers(&rig), [Trigger::First, Trigger::Awakened]);
    assert_eq!((rig.count_events("PUB-1015"), rig.count_events("PUB-1016")), (1, 1));
    rig.blocks(heartbeat_blocks() - 20);
    assert_eq!(rig.rounds(&btc()).len(), 2, "one is all that it owed");
    rig.deviate();
    rig.blocks(3);
    assert_eq!(triggers(&rig), [Trigger::First, Trigger::Awakened, Trigger::Deviation]);
}

/// Without this a node's fault would put feeds to sleep, or awaken them all.
#[test]
fn what_cannot_be_read_changes_nothing_and_is_told_once() {
    let mut rig = asleep();
    rig.flag = Flag::Unreadable;
    rig.deviate();
    rig.blocks(3 * READ);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (1, Some(Hold::Hibernating)));
    assert_eq!(rig.count_events("PUB-1017"), 1);
    rig.flag = Flag::Lowered;
    rig.blocks(READ);
    assert_eq!(rig.rounds(&btc()).len(), 2);
    rig.flag = Flag::Unreadable;
    rig.blocks(READ);
    rig.deviate();
    rig.blocks(3);
    assert_eq!((triggers(&rig).last(), rig.count_events("PUB-1017")), (Some(&Trigger::Deviation), 2));
}

/// Without this every restart would be an awakening.
#[test]
fn a_restart_sleeps_on_and_nothing_is_decided_before_the_flag_was_read() {
    let mut rig = asleep();
    rig.deviate();
    rig.flag = Flag::Unreadable;
    rig.restart();
    rig.blocks(heartbeat_blocks() + 5);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (1, Some(Hold::FlagUnknown)));
    assert_eq!(rig.count_events("PUB-1017"), 1);
    rig.flag = Flag::Raised;
    rig.blocks(2);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (1, Some(Hold::Hibernating)));
    rig.restart();
    rig.blocks(READ);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (1, Some(Hold::Hibernating)));
    // One that was awakened while nobody looked is as awake as any: what is due is written, and nothing for its own sake.
    rig.flag = Flag::Lowered;
    rig.restart();
    rig.blocks(3);
    assert_eq!((rig.rounds(&btc()).len(), rig.count_events("PUB-1016")), (2, 0));
}

/// Without this whoever plays with a flag decides what the publisher pays.
#[test]
fn a_flag_that_flaps_costs_a_round_an_awakening_at_most_and_none_that_was_taken_back() {
    let mut rig = asleep();
    rig.hold = |effect| matches!(effect, Effect::Preflight { .. });
    rig.flag = Flag::Lowered;
    rig.blocks(READ);
    assert_eq!((rig.rounds(&btc()).len(), rig.count_events("PUB-1016")), (1, 1));
    rig.flag = Flag::Raised;
    rig.blocks(READ);
    rig.release();
    rig.blocks(READ);
    assert_eq!(
        (rig.rounds(&btc()).len(), rig.intents()),
        (1, 1),
        "asleep again before the contract consented"
    );
    for flaps in 1..4 {
        rig.flag = Flag::Lowered;
        rig.blocks(READ);
        rig.flag = Flag::Raised;
        rig.blocks(READ);
        assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (1 + flaps, 1 + flaps));
    }
}

/// The contract's consent arrives just after its flag was raised. Without this that one round would be written.
#[test]
fn what_was_decided_awake_is_not_planned_asleep() {
    let mut rig = Rig::running_with(flagged());
    rig.blocks(READ - 4);
    rig.hold = |effect| matches!(effect, Effect::Preflight { .. });
    rig.deviate();
    let asked = rig.held.pop().expect("the contract is asked");
    rig.flag = Flag::Raised;
    let mut blocks = 0;
    while rig.view(&btc()).hold != Some(Hold::Hibernating) && blocks < READ {
        rig.pass_ms(BLOCK_MS / 2);
        rig.mine();
        rig.poll();
        blocks += 1;
    }
    let answer = rig.answer(asked);
    rig.step(answer.expect("it consents"));
    rig.settle();
    rig.blocks(2);
    assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (1, 1));
}

/// Without this a flag that was never raised on the chain we follow would silence its feed.
#[test]
fn what_a_block_said_that_left_the_chain_is_not_believed() {
    let mut rig = Rig::running_with(flagged());
    rig.hold = |effect| matches!(effect, Effect::FetchRound { .. });
    rig.blocks(READ);
    let asked = rig.held.pop().expect("its round is asked for");
    rig.flag = Flag::Raised;
    let raised = rig.answer(asked).expect("a block that is about to leave the chain");
    rig.flag = Flag::Lowered;
    rig.reorganise(3, Lost::Pooled);
    rig.poll();
    rig.step(raised);
    assert_ne!(rig.view(&btc()).hold, Some(Hold::Hibernating));
    rig.hold = |_| false;
    rig.blocks(READ);
    rig.deviate();
    rig.blocks(3);
    // Heartbeats come meanwhile.
    assert_eq!((triggers(&rig).last(), rig.count_events("PUB-1015")), (Some(&Trigger::Deviation), 0));
    // One that it did say, and does not any more, awakes it.
    rig.flag = Flag::Raised;
    rig.blocks(READ);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Hibernating));
    rig.reorganise(3, Lost::Pooled);
    rig.flag = Flag::Lowered;
    rig.blocks(READ);
    assert_eq!((rig.count_events("PUB-1015"), rig.count_events("PUB-1016")), (1, 1));
}

/// Without this nobody could write one round to see whether all is well before the flag is lowered.
#[test]
fn what_an_operator_asks_for_is_written_asleep_once() {
    let mut rig = asleep();
    let (by, reason) = ("ann".to_owned(), "before the opening".to_owned());
    let (said_at, of) = (rig.now().wall, Subject::Feed(btc()));
    let until = said_at + Span::from_s(600);
    rig.step(Input::Orders(vec![Order { id: 1, of, what: Instruction::Submit, said_at, until, by, reason }]));
    rig.blocks(5);
    rig.deviate();
    rig.blocks(READ);
    assert_eq!(triggers(&rig), [Trigger::First, Trigger::Demand]);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (2, Some(Hold::Hibernating)));
}

/// Without this a feed of a store would be kept awake by its neighbours.
#[test]
fn a_feed_that_sleeps_rides_along_with_nobody() {
    let mut spec = stored(&["BTC-USD", "ETH-USD"]);
    spec.feeds.get_mut(&btc()).unwrap().policy.hibernate_flag =
        Some(alloy_primitives::Address::repeat_byte(0xf1));
    spec.stores.get_mut(&STORE).unwrap().early.always = true;
    let mut rig = Rig::new(spec);
    rig.blocks(6);
    rig.flag = Flag::Raised;
    rig.blocks(READ);
    let before = rig.batches(STORE).len();
    rig.prices.insert(feed("ETH-USD"), Some(11_000));
    rig.blocks(5);
    let batches = rig.batches(STORE);
    assert!(batches.len() > before);
    assert!(batches[before..].iter().all(|(_, entries)| entries == &[10]), "{batches:?}");
}
