//! What nodes say to a broadcast, or do not say.

use crate::rig::*;
use alloy_primitives::B256;
use publisher_core::io::Effect;
use publisher_core::outbox::Outbox;
use publisher_core::policy::Hold;
use publisher_core::record::{Outcome, Scope};
use publisher_core::tx::{Call, SendOutcome};

fn is_broadcast(effect: &Effect) -> bool {
    matches!(effect, Effect::Broadcast { .. })
}

fn broadcast_hash(effect: &Effect) -> B256 {
    match effect {
        Effect::Broadcast { hash, .. } => *hash,
        other => unreachable!("{other:?}"),
    }
}

/// Without it a transaction whose broadcast never arrived would be waited for for ever, or signed a second time.
#[test]
fn f01_a_broadcast_that_never_arrived_is_repeated_with_the_same_bytes() {
    let mut rig = Rig::running();
    rig.hold = is_broadcast;
    rig.deviate();
    let lost = broadcast_hash(&rig.held.remove(0));
    rig.hold = |_| false;
    let before = rig.wire.len();
    rig.blocks(4);
    assert_eq!(rig.wire[before..], [lost]);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}

/// Without it a transaction whose answer was lost would be taken for a failure and given another nonce.
#[test]
fn f02_an_answer_that_was_lost_is_asked_for_again_and_the_duplicate_counts_as_sent() {
    let mut rig = Rig::running();
    rig.hold = is_broadcast;
    rig.deviate();
    let hash = broadcast_hash(&rig.held.remove(0));
    assert_eq!(rig.receive(hash), SendOutcome::Accepted);
    rig.hold = |_| false;
    rig.pass_ms(3_000);
    assert_eq!(rig.wire.last(), Some(&hash));
    let resent = rig.wire.len();
    rig.pass_ms(4_500);
    assert_eq!(rig.wire.len(), resent, "`already known` is as good as accepted");
    rig.blocks(2);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!(rig.intents(), 2);
}

/// Without it a node that says yes and keeps nothing, or a pool that forgets, would silence a feed.
#[test]
fn f04_f05_a_false_success_and_a_silent_eviction_are_sent_again() {
    let mut rig = Rig::running();
    rig.outcomes.push_back(SendOutcome::Accepted);
    rig.deviate();
    assert!(rig.pool.is_empty());
    rig.blocks(5);
    assert_eq!(rig.rounds(&btc()).len(), 2);
    // Evicted while the fee does not suffice: the same bytes first, then a bump with a fresher price.
    rig.crowded = true;
    rig.deviate();
    rig.block();
    rig.pool.clear();
    rig.blocks(2);
    assert_eq!(rig.pool.len(), 1);
    rig.price += 20;
    rig.blocks(6);
    rig.crowded = false;
    rig.blocks(3);
    assert_eq!(*rig.rounds(&btc()).last().unwrap(), i64::try_from(rig.price).unwrap());
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (3, 0));
}

/// Without it "nonce too low" would be believed to be a stranger's doing although our own earlier attempt landed.
#[test]
fn f06_a_used_nonce_is_ours_if_any_attempt_of_it_landed() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.deviate();
    let first = *rig.pool.values().map(|(hash, _)| hash).next().unwrap();
    let tx = rig.signed[&first].clone();
    rig.blocks(4);
    assert!(rig.attempts(ACCOUNT, 1).len() > 1, "it was bumped");
    // A block producer that had the first attempt mines it; the highest is then answered with "nonce too low".
    rig.pool.insert((ACCOUNT, 1), (first, tx));
    rig.crowded = false;
    rig.outcomes = vec![SendOutcome::NonceUsed; 3].into();
    rig.blocks(6);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final));
    assert!(!rig.is_halted(&Scope::Account(ACCOUNT)));
}

/// Without it a stolen key or a second copy of the journal would be answered by racing the stranger for nonces.
#[test]
fn f07_a_strangers_nonce_halts_the_account_until_an_operator_acknowledges_it() {
    let mut rig = Rig::running();
    rig.insert_foreign(ACCOUNT, Call::Noop);
    rig.mine();
    rig.deviate();
    assert_eq!(rig.wire.len(), 2);
    let looks = rig.asked("account");
    rig.poll();
    for _ in 0..8 {
        rig.pass_ms(1_000);
    }
    assert!(rig.wire.len() > 2, "sent again, and again its nonce is used");
    assert!(!rig.is_halted(&Scope::Account(ACCOUNT)), "two looks at one block are one look");
    assert!(rig.asked("account") <= looks + 4, "and the second waits for a block");
    rig.blocks(40);
    assert!(rig.is_halted(&Scope::Account(ACCOUNT)));
    assert_eq!((rig.count_events("PUB-2012"), rig.count_events("PUB-4001")), (1, 1));
    assert_eq!(rig.intents(), 2, "nothing is planned at the next nonce");
    assert!(rig.wire.len() <= 4, "and nothing is sent any more");
    assert!(rig.asked("account") <= looks + 60, "looks go on at the pace of heads");
    rig.restart();
    rig.blocks(3);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Halted));
    rig.restart_acknowledging();
    rig.blocks(8);
    assert!(!rig.is_halted(&Scope::Account(ACCOUNT)));
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Foreign));
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100], "the feed is free again");
}

/// Without it a bump that a pool calls too cheap would count as sent, or race to the cap within a second.
#[test]
fn f09_an_underpriced_replacement_is_raised_at_a_pace() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.deviate();
    rig.blocks(2);
    rig.outcomes = [SendOutcome::Known, SendOutcome::ReplacementUnderpriced].into();
    rig.blocks(1);
    let caps: Vec<u128> = rig.attempts(ACCOUNT, 1).iter().map(|a| a.fee.cap_wei()).collect();
    assert_eq!(caps.len(), 3, "the refused bump and one above it: {caps:?}");
    assert!(caps[2] * 10 >= caps[1] * 11);
    rig.outcomes = vec![SendOutcome::ReplacementUnderpriced; 1_000].into();
    for _ in 0..40 {
        rig.pass_ms(500);
    }
    assert!(rig.attempts(ACCOUNT, 1).len() <= 12, "{}", rig.attempts(ACCOUNT, 1).len());
}

/// Without it a higher nonce would be refused for ever because the lower one had left the pool.
#[test]
fn f11_a_nonce_gap_sends_lower_nonces_first() {
    let mut rig = Rig::running_with(spec(&["BTC-USD", "ETH-USD"]));
    rig.crowded = true;
    rig.deviate();
    assert_eq!(rig.pool.len(), 2);
    let hashes: Vec<B256> = rig.pool.values().map(|(hash, _)| *hash).collect();
    rig.pool.clear();
    let before = rig.wire.len();
    rig.outcomes = [SendOutcome::Accepted, SendOutcome::NonceGap].into();
    for _ in 0..12 {
        rig.pass_ms(500);
    }
    // The lower one falsely accepted, the higher one refused; then the lower one again, before the higher one.
    assert_eq!(rig.wire[before..before + 4], [hashes[0], hashes[1], hashes[0], hashes[1]]);
    assert_eq!(rig.pool.len(), 2);
}

/// Without it a full pool, a syncing node or a text nobody knows would cost a nonce, or be hammered.
#[test]
fn f12_f13_temporary_and_unknown_refusals_keep_the_bytes_and_back_off() {
    for outcome in
        [SendOutcome::PoolFull, SendOutcome::NodeUnready, SendOutcome::Ambiguous, SendOutcome::FeeCap]
    {
        let mut rig = Rig::running();
        rig.outcomes = vec![outcome; 8].into();
        let before = rig.wire.len();
        rig.deviate();
        for _ in 0..20 {
            rig.pass_ms(1_000);
            rig.quotes(VENUES);
        }
        let sent = rig.wire.len() - before;
        assert!((4..=8).contains(&sent), "{outcome:?}: {sent} times in 20 s");
        assert!(rig.wire[before..].iter().all(|hash| *hash == rig.wire[before]), "{outcome:?}");
        rig.outcomes.clear();
        rig.blocks(8);
        assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1, "{outcome:?}");
        assert_eq!(rig.rounds(&btc()).len(), 2, "{outcome:?}");
    }
}

/// Without it an empty account would be bumped up to the cap, and reported with every retry.
#[test]
fn f38_lack_of_funds_pauses_without_bumps_and_ends_by_itself() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.deviate();
    rig.pool.clear();
    rig.outcomes = vec![SendOutcome::Funds; 1_000].into();
    rig.blocks(60);
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1, "the fee is not what is missing");
    assert_eq!(rig.count_events("PUB-2008"), 1);
    rig.outcomes.clear();
    rig.crowded = false;
    rig.blocks(12);
    assert!(rig.rounds(&btc()).len() >= 2);
    // The next shortage is news again, and a resent lower nonce does not hide it.
    rig.outcomes = vec![SendOutcome::Funds; 3].into();
    rig.deviate();
    assert_eq!(rig.count_events("PUB-2008"), 2);
}

/// Without it bytes that are refused for good right after a shortage of funds would wait for the shortage to end, and
/// it could not, because nothing new was signed.
#[test]
fn another_fault_ends_a_shortage_of_funds() {
    let mut rig = Rig::running();
    rig.outcomes = [SendOutcome::Funds, SendOutcome::Rejected].into();
    rig.deviate();
    rig.blocks(4);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}

/// Without it a permissioned chain's refusal would be hammered, and bumped, until somebody grants the permission.
#[test]
fn f21_a_forbidden_account_is_tried_slowly_and_never_bumped() {
    let mut rig = Rig::running();
    rig.outcomes = vec![SendOutcome::Forbidden; 4].into();
    let before = rig.wire.len();
    rig.deviate();
    rig.blocks(90); // three minutes
    assert!((2..=4).contains(&(rig.wire.len() - before)));
    let attempts = rig.attempts(ACCOUNT, 1);
    assert!(attempts.iter().all(|attempt| attempt.fee == attempts[0].fee), "it is only brought up to date");
    rig.outcomes.clear();
    rig.blocks(40);
    assert_eq!(rig.rounds(&btc())[1], 10_100);
}

/// Without it bytes that can never be included would be signed anew twice a second for ever, on every fee profile.
#[test]
fn rejected_bytes_are_signed_anew_three_times_and_then_the_nonce_is_filled() {
    for profile in [publisher_core::fees::FeeProfile::Eip1559, publisher_core::fees::FeeProfile::ZeroGas] {
        let mut spec = spec(&["BTC-USD"]);
        spec.chain.fees.profile = profile;
        let mut rig = Rig::new(spec);
        rig.base_fee_wei = 0;
        rig.blocks(8);
        assert_eq!(rig.rounds(&btc()).len(), 1);
        rig.outcomes = vec![SendOutcome::Rejected; 3].into();
        rig.deviate();
        rig.blocks(12);
        assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::NoopFilled), "{profile:?}");
        assert_eq!(rig.rounds(&btc()), [10_000, 10_100], "{profile:?}: and the round is planned anew");
        // Where even the empty transaction is refused, nothing grows.
        rig.outcomes = vec![SendOutcome::Rejected; 1_000].into();
        rig.deviate();
        rig.blocks(300);
        assert_eq!(rig.attempts(ACCOUNT, 3).len(), 4, "{profile:?}");
        assert!(rig.machine.outboxes().values().all(Outbox::is_busy), "the nonce is kept");
    }
}

/// Without it ten minutes without any node would end in a burst of old rounds, or in a flood of events and requests.
#[test]
fn f17_after_an_outage_of_every_node_one_fresh_round_lands() {
    let mut rig = Rig::running();
    rig.blocks(10);
    rig.node_down = true;
    let (events, before) = (rig.events.len(), rig.asked.clone());
    for step in 0..600 {
        rig.pass_ms(1_000);
        rig.price = 10_000 + step;
        rig.quotes(VENUES);
        if step % 2 == 0 {
            rig.mine();
        }
    }
    assert!(rig.events_since(events).len() <= 6, "{:#?}", rig.events_since(events));
    assert_eq!(rig.count_events("PUB-1004"), 1, "the missed heartbeat is reported once");
    let asked: usize = rig.asked.values().sum::<usize>() - before.values().sum::<usize>();
    assert!(asked < 3_000, "{asked} requests in 600 s");
    rig.node_down = false;
    rig.blocks(4);
    assert_eq!(rig.rounds(&btc()).len(), 2, "no backlog");
    assert_eq!(rig.rounds(&btc())[1], 10_599);
}

/// Without it a node whose receipts fail would be taken for a chain without our transaction.
#[test]
fn f22_a_receipt_that_cannot_be_read_is_not_an_absent_one() {
    let mut rig = Rig::running();
    rig.deviate();
    rig.no_receipts = true;
    let looks = rig.asked("account");
    rig.blocks(10);
    assert_eq!(rig.intents(), 2);
    assert!(!rig.is_halted(&Scope::Account(ACCOUNT)));
    assert!(rig.asked("account") - looks <= 60, "asked again at a pace");
    rig.no_receipts = false;
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}
