//! What is published, what is held back, and what people hear about it.

use crate::rig::*;
use alloy_primitives::I256;
use publisher_core::event::Event;
use publisher_core::policy::Hold;
use publisher_core::price::Answer;
use publisher_core::record::Outcome;
use publisher_core::time::Span;
use publisher_core::tx::{Call, PreflightAnswer};

/// Without it an answer outside the contract's bounds would be clamped into them, or sent to revert.
#[test]
fn an_answer_out_of_bounds_is_held_and_never_clamped() {
    let mut spec = spec(&["BTC-USD"]);
    let feed = spec.feeds.get_mut(&btc()).unwrap();
    feed.policy.max_answer = Answer::new(I256::try_from(20_000).unwrap());
    let mut rig = Rig::running_with(spec);
    rig.price = 20_001;
    rig.blocks(60);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::OutOfBounds));
    assert_eq!(rig.rounds(&btc()), [10_000]);
    assert_eq!(rig.count_events("PUB-1004"), 1, "the heartbeat that is missed is an alarm, once");
    rig.price = 20_000;
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()), [10_000, 20_000]);
    assert_eq!((rig.count_events("PUB-1002"), rig.count_events("PUB-1003")), (1, 1));
}

/// Without it fewer venues than the quorum would decide a price.
#[test]
fn nothing_is_published_from_fewer_than_a_quorum() {
    let mut rig = Rig::running();
    rig.pass_ms(40_000);
    rig.price = 10_100;
    rig.quotes(2);
    for _ in 0..30 {
        rig.pass_ms(BLOCK_MS);
        rig.quotes(2);
        rig.mine();
        rig.poll();
    }
    assert_eq!(rig.rounds(&btc()), [10_000]);
    rig.quotes(3);
    rig.block();
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}

/// Without it a paused contract would be sent one reverting transaction after the other.
#[test]
fn a_paused_contract_gets_nothing_and_is_heard_of_once() {
    let mut rig = Rig::running();
    rig.paused = true;
    let sent = rig.wire.len();
    rig.blocks(100);
    assert_eq!(rig.wire.len(), sent);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Paused));
    assert_eq!((rig.count_events("PUB-1002"), rig.count_events("PUB-1004")), (1, 1));
    rig.paused = false;
    rig.blocks(20);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it a feed would stay silent for as long as it takes to look at the contract again by chance.
#[test]
fn a_contract_that_takes_rounds_again_gets_one_at_the_next_head() {
    let mut rig = Rig::running();
    rig.paused = true;
    rig.price = 10_100;
    rig.blocks(50);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Paused));
    rig.paused = false;
    rig.blocks(2);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
}

/// Without it a round that others wrote before we saw its block would cost more refusals, and their ever longer waits.
#[test]
fn a_round_that_others_wrote_ahead_of_our_head_costs_one_refusal_and_no_wait() {
    let mut rig = Rig::running();
    rig.write_foreign_round(&btc(), 10_050);
    rig.price = 10_200;
    rig.quotes(5);
    assert_eq!((rig.count_events("PUB-1008"), rig.count_events("PUB-1007")), (1, 0));
    rig.poll();
    assert_eq!(rig.count_events("PUB-1007"), 1);
    rig.mine();
    assert_eq!(rig.rounds(&btc()), [10_000, 10_050, 10_200]);
    assert_eq!(rig.count_events("PUB-1008"), 1);
}

/// Without it a contract that refuses for a reason of its own would be asked without a pause, and fill the log.
#[test]
fn a_refusing_contract_is_asked_ever_more_slowly_and_heard_of_once() {
    let mut rig = Rig::running();
    rig.preflight = Some(PreflightAnswer::Reverts("OutOfBounds(1, 2)".to_owned()));
    let (asked, events) = (rig.asked("preflight"), rig.events.len());
    rig.price = 10_100;
    rig.blocks(150); // five minutes
    let asked = rig.asked("preflight") - asked;
    assert!((10..=40).contains(&asked), "asked {asked} times");
    assert_eq!(rig.count_events("PUB-1008"), 1);
    assert!(rig.events_since(events).len() <= 4, "{:#?}", rig.events_since(events));
    rig.preflight = None;
    rig.blocks(12);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100]);
    assert_eq!(rig.count_events("PUB-1003"), 1, "released");
}

/// Without it a node that has never estimated would make the feed flap between held and released with every try.
#[test]
fn a_node_that_cannot_estimate_is_no_flood_of_events() {
    let mut rig = Rig::new(spec(&["BTC-USD"]));
    rig.preflight = Some(PreflightAnswer::Unknown);
    rig.blocks(150);
    assert!(rig.events.len() <= 4, "{:#?}", rig.events);
    assert_eq!(rig.count_events("PUB-1001"), 0, "a decision is reported when it is carried out");
    rig.preflight = None;
    rig.blocks(2);
    assert_eq!(rig.rounds(&btc()), [10_000]);
}

/// Without it a contract that can never be read would silence a feed without a word.
#[test]
fn a_round_that_stays_unknown_is_reported() {
    let mut rig = Rig::new(spec(&["BTC-USD"]));
    rig.hold = |e| matches!(e, publisher_core::io::Effect::FetchRound { .. });
    rig.blocks(30);
    let held = |e: &Event| matches!(e, Event::HeldBack { hold: Hold::RoundUnknown, .. });
    assert_eq!(rig.events.iter().filter(|e| held(e)).count(), 1);
}

/// Without it a transaction that does not arrive would let a heartbeat be missed in silence.
#[test]
fn a_heartbeat_that_is_stuck_on_its_way_is_an_alarm() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.blocks(90);
    let stuck = |e: &&Event| matches!(e, Event::HeartbeatBlocked { hold: Hold::InFlight, .. });
    assert_eq!(rig.events.iter().filter(stuck).count(), 1);
    rig.crowded = false;
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it another publisher's round would be fought over with reverts, or block the feed until finality.
#[test]
fn a_round_that_others_wrote_is_given_up_and_the_next_one_follows() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.deviate();
    rig.write_foreign_round(&btc(), 10_050);
    rig.blocks(6);
    rig.crowded = false;
    rig.blocks(4);
    assert_eq!(rig.count_events("PUB-1007"), 1);
    assert_eq!(rig.reverted(), 0);
    let noops = rig.blocks.iter().flat_map(|b| &b.txs).filter(|m| m.tx.call == Call::Noop).count();
    assert_eq!(noops, 1);
    rig.price = 10_200;
    rig.blocks(2);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_050, 10_200]);
    rig.blocks(6);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::NoopFilled));
}

/// After how many blocks each a feed with this heartbeat is tried again whose rounds revert, one after the other.
fn gaps_of_reverts(heartbeat_s: u64) -> Vec<i32> {
    let mut spec = spec(&["BTC-USD"]);
    spec.feeds.get_mut(&btc()).unwrap().policy.heartbeat = Span::from_s(heartbeat_s);
    let mut rig = Rig::running_with(spec);
    // The estimate is fine, the transaction is not: the contract is paused for the block only.
    rig.preflight = Some(PreflightAnswer::Gas(45_000));
    rig.price = 10_100;
    let mut planned = Vec::new();
    for block in 0..400 {
        let intents = rig.intents();
        for _ in 0..4 {
            rig.pass_ms(BLOCK_MS / 4);
        }
        rig.quotes(VENUES);
        rig.paused = true;
        rig.mine();
        rig.paused = false;
        rig.poll();
        if rig.intents() > intents {
            planned.push(block);
        }
    }
    rig.preflight = None;
    rig.blocks(80);
    assert_eq!(rig.rounds(&btc()).get(1), Some(&10_100), "it is tried until it succeeds");
    planned.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Without it a reverted transaction would be repeated before it is final, or burn gas in a loop.
#[test]
fn a_reverted_round_is_planned_anew_once_final_and_ever_more_slowly() {
    let gaps = gaps_of_reverts(86_400);
    assert!(gaps[0] >= 4, "not before it is final: {gaps:?}");
    assert!(gaps.iter().skip(5).all(|gap| *gap >= 34), "slower and slower: {gaps:?}");
    assert!((5..=17).contains(&gaps.len()), "{gaps:?}");
}

/// Without it heartbeats would be missed because of what has failed before.
#[test]
fn what_reverts_again_and_again_is_tried_several_times_within_its_heartbeat() {
    let gaps = gaps_of_reverts(HEARTBEAT_S);
    let most = i32::try_from(HEARTBEAT_S * 1000 / BLOCK_MS).unwrap() / 3;
    assert!(gaps.iter().all(|gap| (4..=most).contains(gap)), "{gaps:?}");
}

/// Our transaction for the next round reverts, because somebody else's is in the block before it.
fn lose_a_race(rig: &mut Rig) {
    rig.price += 200;
    rig.quotes(VENUES);
    let answer = rig.price;
    rig.crowded = true;
    rig.write_foreign_round(&btc(), answer.try_into().unwrap());
    rig.crowded = false;
    rig.mine();
}

/// Without it a publisher that shares its contract with others would wait longer and longer before it tries, although
/// nothing is wrong with what it sends, and be late where the others fail.
#[test]
fn a_lost_race_is_no_failure() {
    let mut spec = spec(&["BTC-USD"]);
    spec.feeds.get_mut(&btc()).unwrap().policy.heartbeat = Span::from_s(86_400);
    let mut rig = Rig::running_with(spec);
    for lost in 1..=8 {
        let intents = rig.intents();
        lose_a_race(&mut rig);
        assert_eq!((rig.intents(), rig.reverted()), (intents + 1, lost), "it tries at once");
        rig.blocks(8);
    }
}

/// Without it a feed would wait for an hour for what failed before somebody else's round, and does not any more.
#[test]
fn a_newer_round_ends_the_wait_for_what_failed() {
    for others_write in [false, true] {
        let mut spec = spec(&["BTC-USD"]);
        spec.feeds.get_mut(&btc()).unwrap().policy.heartbeat = Span::from_s(86_400);
        let mut rig = Rig::running_with(spec);
        rig.preflight = Some(PreflightAnswer::Gas(45_000));
        rig.price = 10_100;
        while rig.reverted() < 7 {
            rig.pass_ms(BLOCK_MS);
            rig.quotes(VENUES);
            rig.paused = true;
            rig.mine();
            rig.paused = false;
            rig.poll();
        }
        // What failed last is final, and the next try far away.
        rig.blocks(6);
        let intents = rig.intents();
        if others_write {
            rig.write_foreign_round(&btc(), 10_050);
        }
        rig.price = 10_300;
        rig.blocks(3);
        assert_eq!(rig.intents() - intents, usize::from(others_write));
    }
}

/// Without it one busy feed could keep its account's only place, and the others would starve.
#[test]
fn feeds_of_one_account_take_turns() {
    let mut spec = spec(&["BTC-USD", "ETH-USD", "SOL-USD"]);
    spec.chain.in_flight_max = 1;
    for feed in spec.feeds.values_mut() {
        feed.policy.deviation.relative = "0.0001%".parse().unwrap();
    }
    let mut rig = Rig::new(spec);
    for _ in 0..60 {
        rig.price += 1; // everybody always wants to publish
        rig.block();
    }
    for id in ["BTC-USD", "ETH-USD", "SOL-USD"] {
        let landed = rig.rounds(&feed(id)).len();
        assert!((15..=25).contains(&landed), "{id} landed {landed} rounds of 60");
    }
}

/// Without it the machine would grow with every round it ever published.
#[test]
fn the_machine_forgets_what_is_final() {
    let mut rig = Rig::running_with(spec(&["BTC-USD", "ETH-USD"]));
    let size = |rig: &Rig| format!("{:?}", rig.machine).len();
    rig.blocks(200);
    let before = size(&rig);
    for block in 0..1_500 {
        if block % 50 == 0 {
            rig.reorganise(2, Lost::Dropped);
            rig.deviate();
        }
        rig.block();
    }
    rig.blocks(20);
    assert!(rig.rounds(&btc()).len() > 60);
    assert!(size(&rig) < before + before / 10, "{} after {before}", size(&rig));
}
