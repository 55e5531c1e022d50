//! Blocks that leave the chain.

use crate::rig::*;
use publisher_core::head::Finality;
use publisher_core::io::Effect;
use publisher_core::record::{Outcome, Record, Scope};
use publisher_core::time::Span;

/// A round that has landed in the newest block and is not final.
fn landed() -> Rig {
    let mut rig = Rig::running();
    rig.deviate();
    rig.block();
    assert_eq!(rig.count_events("PUB-2009"), 2);
    rig
}

/// Without it a reorg that drops our transaction would lose a round for ever, or spend a second nonce on it.
#[test]
fn f25_a_dropped_transaction_is_sent_again_as_it_is() {
    let mut rig = landed();
    let hash = *rig.wire.last().unwrap();
    rig.reorganise(2, Lost::Dropped);
    rig.poll();
    assert_eq!(rig.count_events("PUB-2010"), 1);
    assert_eq!(rig.wire.last(), Some(&hash));
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!((rig.attempts(ACCOUNT, 1).len(), rig.intents()), (1, 2));
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
}

/// Without it a node that re-pools what a reorg dropped would get a second transaction beside the first.
#[test]
fn f26_f29_a_repooled_transaction_moves_to_another_block_and_its_finality_starts_anew() {
    let mut rig = landed();
    let included = |rig: &Rig| {
        let receipts = rig.journal.iter().filter_map(|r| match r {
            Record::Included { nonce: 1, receipt, .. } => Some((receipt.block_number, receipt.block_hash)),
            _ => None,
        });
        receipts.collect::<Vec<_>>()
    };
    rig.reorganise(1, Lost::Pooled);
    rig.blocks(2);
    let blocks = included(&rig);
    assert_eq!(blocks.len(), 2, "the journal knows both blocks");
    assert!(blocks[1].0 > blocks[0].0 && blocks[1].1 != blocks[0].1);
    assert_eq!(rig.closed(ACCOUNT, 1), None);
    rig.blocks(6);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
    assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (2, 2));
}

/// Without it a sibling of the newest block, at the same height, would be unseen until the next block.
#[test]
fn f27_a_sibling_at_the_same_height_is_seen_within_one_poll() {
    let mut rig = landed();
    rig.roll_back(1, Lost::Pooled);
    let pool = std::mem::take(&mut rig.pool);
    rig.mine();
    rig.pool = pool;
    rig.poll();
    assert_eq!((rig.count_events("PUB-3001"), rig.count_events("PUB-2010")), (1, 1));
    rig.blocks(8);
    assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (2, 2));
}

/// Without it a chain that silently went back would leave us believing in a block that is gone.
#[test]
fn f28_a_silent_rollback_is_believed_once_the_older_head_stays() {
    let mut rig = landed();
    rig.roll_back(2, Lost::Dropped);
    for _ in 0..5 {
        rig.pass_ms(1_000);
        rig.poll();
    }
    assert_eq!(rig.count_events("PUB-2010"), 0, "it may still be a node that lags");
    for _ in 0..3 {
        rig.pass_ms(1_000);
        rig.poll();
    }
    assert_eq!((rig.count_events("PUB-3001"), rig.count_events("PUB-2010")), (1, 1));
    rig.blocks(8);
    assert_eq!((rig.rounds(&btc()).len(), rig.intents()), (2, 2));
}

/// Without it a node that was killed and came back without its newest blocks would halt everything at night, although
/// no block was replaced by another one.
#[test]
fn f28_a_node_that_lost_final_blocks_is_behind_until_it_shows_others() {
    for finality in [Finality::Instant, Finality::Depth(2)] {
        for replaced in [false, true] {
            let mut spec = spec(&["BTC-USD"]);
            spec.chain.finality = finality;
            let mut rig = Rig::running_with(spec);
            rig.deviate();
            rig.blocks(6);
            let whole = rig.blocks.clone();
            rig.roll_back(5, Lost::Dropped);
            for _ in 0..30 {
                rig.pass_ms(1_000);
                rig.poll();
            }
            assert!(!rig.is_halted(&Scope::Chain), "{finality:?}: it may get them back");
            if !replaced {
                rig.blocks = whole;
            }
            rig.blocks(8);
            assert_eq!(rig.is_halted(&Scope::Chain), replaced, "{finality:?}");
            assert_eq!(rig.count_events("PUB-3002"), usize::from(replaced), "{finality:?}");
            assert!(replaced || rig.rounds(&btc()).starts_with(&[10_000, 10_100]), "{finality:?}");
        }
    }
}

/// Without it a node that lags behind a balancer would look like a reorg, and on an instant chain halt everything.
#[test]
fn f08_a_lagging_node_that_moves_on_is_no_reorg() {
    let mut spec = spec(&["BTC-USD"]);
    spec.chain.finality = Finality::Instant;
    let mut rig = Rig::running_with(spec);
    for _ in 0..20 {
        let tip = rig.tip().number;
        rig.poll_at(tip - 3);
        rig.poll_at(tip - 3);
        rig.poll_at(tip - 3);
        rig.block();
    }
    assert_eq!(rig.count_events("PUB-3001"), 0);
    assert!(!rig.is_halted(&Scope::Chain));
}

/// Without it the outcome of a round would be the last attempt's answer although the reorg mined the first.
#[test]
fn f30_a_reorg_may_mine_an_earlier_attempt() {
    let mut rig = Rig::running();
    rig.base_fee_wei = 205;
    rig.deviate();
    let (first, tx) = rig.pool.values().next().unwrap().clone();
    rig.price = 10_120;
    rig.blocks(5);
    assert!(rig.attempts(ACCOUNT, 1).len() >= 2);
    assert_eq!(rig.rounds(&btc())[1], 10_120, "a later attempt landed");
    rig.base_fee_wei = 100;
    rig.roll_back(2, Lost::Dropped);
    rig.pool.clear();
    rig.pool.insert((ACCOUNT, 1), (first, tx));
    for _ in 0..3 {
        rig.mine();
    }
    rig.poll();
    rig.blocks(6);
    assert_eq!(rig.rounds(&btc())[1], 10_100);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
    let known = rig.view(&btc()).known.unwrap();
    assert_eq!(known.answer.to_string(), "10100");
}

/// Without it a reorg deeper than anything we remember would crash the daemon, or freeze what it undid.
#[test]
fn f31_a_reorg_deeper_than_the_window_is_recovered_from_the_journal() {
    let mut spec = spec(&["BTC-USD"]);
    spec.chain.finality = Finality::Tag; // and nothing is ever tagged
    let mut rig = Rig::running_with(spec);
    rig.blocks(150);
    let before = rig.rounds(&btc()).len();
    assert!(before >= 5);
    rig.reorganise(140, Lost::Dropped);
    rig.poll();
    assert!(rig.count_events("PUB-3003") >= 1);
    rig.blocks(40);
    assert!(rig.rounds(&btc()).len() > before, "all of them landed again, in order");
    assert_eq!(rig.reverted(), 0);
    assert!(!rig.is_halted(&Scope::Chain));
}

/// Without it a reorg in the time when the daemon was down would be found never.
#[test]
fn f33_a_reorg_while_the_process_was_down_is_found_at_start() {
    let mut rig = landed();
    rig.reorganise(2, Lost::Dropped);
    rig.restart();
    rig.blocks(10);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!((rig.attempts(ACCOUNT, 1).len(), rig.intents()), (1, 2));
}

/// Without it a young window would take a node's word for a block that may still be replaced, and close a round that
/// never was.
#[test]
fn after_a_start_receipts_are_believed_only_in_blocks_that_link() {
    let mut rig = landed();
    rig.restart();
    rig.block();
    rig.restart();
    rig.hold = |effect| matches!(effect, Effect::FetchAncestors { .. });
    let before = rig.count_events("PUB-2009");
    rig.poll();
    assert_eq!(rig.count_events("PUB-2009"), before, "the window is one block deep");
    rig.release();
    rig.pass_ms(500);
    assert_eq!(rig.count_events("PUB-2009"), before + 1);
}

/// Without it a round that is still on its way would be planned a second time after the one before landed again, and
/// the store would end the process.
#[test]
fn after_a_reorg_no_round_is_on_its_way_twice() {
    let mut rig = landed();
    rig.deviate();
    assert_eq!(rig.intents(), 3, "the next round follows at once");
    rig.reorganise(1, Lost::Pooled);
    rig.poll();
    // The producer takes the first of the two only, and prices move on.
    let held = rig.pool.remove(&(ACCOUNT, 2)).unwrap();
    rig.mine();
    rig.poll();
    for _ in 0..4 {
        rig.deviate();
        rig.pass_ms(300);
    }
    assert_eq!(rig.intents(), 3);
    rig.pool.insert((ACCOUNT, 2), held);
    rig.blocks(3);
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (4, 0));
}

/// Without it a reading of one fork and a nonce of another would make our own round look like a stranger's, and an
/// empty transaction would take its place.
#[test]
fn facts_of_two_forks_do_not_make_a_stranger() {
    let mut spec = spec(&["BTC-USD"]);
    spec.chain.round_refresh = Span::ZERO;
    let mut rig = Rig::running_with(spec);
    rig.deviate();
    rig.hold = |effect| matches!(effect, Effect::FetchAccount { .. });
    rig.mine();
    rig.poll();
    assert_eq!(rig.view(&btc()).known.unwrap().round, 2, "read before its receipt");
    rig.reorganise(1, Lost::Pooled);
    rig.release(); // the nonce is answered from the other fork, at the same height
    assert_eq!(rig.count_events("PUB-1007"), 0);
    rig.blocks(6);
    assert_eq!(rig.count_events("PUB-1007"), 0);
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it a receipt that was read before a reorg, and arrived after it, would close a round that is not on the
/// chain.
#[test]
fn a_receipt_from_an_orphaned_block_is_not_believed() {
    let mut rig = Rig::running();
    rig.deviate();
    rig.hold = |effect| matches!(effect, Effect::FetchAccount { .. });
    rig.mine();
    rig.poll();
    let question = rig.held.pop().unwrap();
    let stale = rig.answer(question).unwrap();
    rig.reorganise(1, Lost::Dropped);
    rig.poll();
    rig.step(stale);
    assert_eq!(rig.count_events("PUB-2009"), 1, "the first round's only");
    rig.release();
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
}

/// Without it heartbeats would be counted from a round that is no longer on the chain.
#[test]
fn a_heartbeat_is_not_counted_from_a_round_that_a_reorg_undid() {
    let mut rig = Rig::running();
    let landed = rig.view(&btc()).known.unwrap().updated_at;
    while rig.tip().time.since(landed) < Span::from_s(28) {
        rig.block();
    }
    rig.write_foreign_round(&btc(), 10_000);
    rig.blocks(3);
    assert_eq!(rig.view(&btc()).known.unwrap().round, 2, "read");
    rig.reorganise(4, Lost::Dropped);
    rig.poll();
    while rig.rounds(&btc()).len() < 2 {
        rig.block();
    }
    assert!(rig.tip().time.since(landed) <= Span::from_s(60), "{}", rig.tip().time.since(landed));
}

/// Without it a daemon that a slow node has left behind asks for more the further behind it is, and never for what the
/// node can answer.
#[test]
fn a_gap_is_filled_by_as_many_ancestors_at_once_as_the_node_can_answer_for() {
    for ancestors_max in [4, 7, 60] {
        let mut rig = landed();
        let before = rig.count_events("PUB-3003");
        rig.ancestors_max = ancestors_max;
        (0..100).for_each(|_| rig.mine());
        rig.poll();
        rig.deviate();
        rig.block();
        assert_eq!(rig.rounds(&btc()).len(), 3, "{ancestors_max}");
        assert_eq!(rig.count_events("PUB-3003"), before, "the window was never lost");
    }
    let mut rig = landed();
    rig.ancestors_max = 0;
    (0..100).for_each(|_| rig.mine());
    let asked = rig.asked("ancestors");
    rig.poll();
    assert!(
        rig.asked("ancestors") - asked <= 6,
        "a node that answers nothing is left in peace until the next head"
    );
}
