//! Feeds of one store: what goes together, what is left out, and what becomes of it.

use crate::rig::*;
use publisher_core::event::Event;
use publisher_core::io::Effect;
use publisher_core::policy::{Early, Hold, Trigger};
use publisher_core::price::Answer;
use publisher_core::record::Outcome;
use publisher_core::time::Span;
use publisher_core::tx::{Call, SkipReason};

const FEEDS: [&str; 3] = ["ADA-USD", "BTC-USD", "ETH-USD"];

fn running() -> Rig {
    Rig::running_with(stored(&FEEDS))
}

/// How many rounds each feed has.
fn rounds(rig: &Rig) -> [usize; 3] {
    FEEDS.map(|id| rig.rounds(&feed(id)).len())
}

/// Without it ten feeds that move together would cost ten transactions, and land one after the other.
#[test]
fn feeds_due_together_go_out_in_one_transaction() {
    let mut rig = running();
    assert_eq!(rig.batches(STORE), [(1, vec![0, 10, 20])]);
    rig.deviate();
    rig.blocks(8);
    assert_eq!(rig.batches(STORE).len(), 2);
    for id in FEEDS {
        assert_eq!(rig.rounds(&feed(id)), [10_000, 10_100]);
        assert_eq!(rig.view(&feed(id)).known.unwrap().round, 2);
    }
    assert_eq!((rig.count_events("PUB-2009"), rig.count_events("PUB-2011")), (2, 2), "one a transaction");
    assert_eq!((rig.count_events("PUB-2013"), rig.count_events("PUB-2015")), (6, 6), "one a round");
    let last = rig.events.iter().rev().find_map(|event| match event {
        Event::EntryFinal { feed, round, trigger, sequence, feeds, .. } => {
            Some((feed.to_string(), *round, *trigger, *sequence, *feeds))
        }
        _ => None,
    });
    assert_eq!(last, Some(("ETH-USD".into(), Some(2), Some(Trigger::Deviation), 2, 3)));
}

/// Without it a feed that rests would be paid for whenever another one moves.
#[test]
fn a_feed_that_rests_is_not_written() {
    let mut rig = running();
    rig.prices.insert(btc(), Some(10_100));
    rig.blocks(3);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![10])]);
    assert!(!rig.view(&feed("ADA-USD")).in_flight);
}

/// Without it one feed without quorum, out of bounds, or beyond what an entry holds would silence the store.
#[test]
fn a_bad_feed_never_blocks_the_batch() {
    for (bad, hold) in [(None, "quorum"), (Some(200_000), "bounds"), (Some(u64::MAX), "bounds")] {
        let mut spec = stored(&FEEDS);
        if bad == Some(200_000) {
            spec.feeds.get_mut(&btc()).unwrap().policy.max_answer = Answer::from(100_000);
        }
        let mut rig = Rig::running_with(spec);
        rig.prices.insert(btc(), bad);
        for _ in 0..16 {
            rig.block();
        }
        rig.deviate();
        rig.blocks(4);
        assert_eq!(rig.view(&btc()).hold.map(Hold::code), Some(hold));
        assert_eq!(rounds(&rig), [2, 1, 2], "{hold}");
        // The heartbeat of the others is kept all the while; that of the bad one is missed, and an alarm.
        rig.blocks(70);
        assert_eq!(rounds(&rig)[1], 1);
        assert!(rounds(&rig)[0] >= 4 && rounds(&rig)[0] == rounds(&rig)[2], "{:?}", rounds(&rig));
        assert_eq!(rig.count_events("PUB-1004"), 1, "{hold}");
        rig.prices.clear();
        rig.blocks(2);
        assert_eq!(rounds(&rig)[1], 2, "{hold}");
    }
}

/// Without it a feed that its owner paused in the store would be sent and skipped for ever, or take others with it.
#[test]
fn a_feed_paused_in_the_store_is_left_out_until_it_is_not() {
    let mut rig = running();
    rig.entries_paused.insert(10);
    rig.blocks(20); // The store is read again by and by.
    rig.deviate();
    rig.blocks(4);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Paused));
    assert_eq!(rig.batches(STORE).last().unwrap(), &(2, vec![0, 20]));
    rig.entries_paused.clear();
    rig.blocks(2);
    assert_eq!(rounds(&rig), [2, 2, 2]);
    assert_eq!(rig.count_events("PUB-2014"), 0, "nothing was skipped, because nothing was sent to be");
}

/// Without it a round that a store did not write would count as written.
#[test]
fn an_entry_skipped_on_chain_is_told_with_its_reason_and_tried_ever_more_slowly() {
    let mut rig = running();
    rig.deviate(); // Sent; and then the owner pauses a feed.
    rig.entries_paused.insert(10);
    rig.blocks(2);
    assert_eq!(rounds(&rig), [2, 1, 2]);
    let skipped = rig.events.iter().find_map(|event| match event {
        Event::EntrySkipped { feed, sequence, reason, .. } => Some((feed.clone(), *sequence, *reason)),
        _ => None,
    });
    assert_eq!(skipped, Some((btc(), 2, SkipReason::FeedPaused)));
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Paused));
    rig.blocks(4);
    let entries = rig.events.iter().filter(|e| matches!(e, Event::EntryFinal { sequence: 2, .. })).count();
    assert_eq!(entries, 2, "no final round of what was skipped");
    rig.entries_paused.clear();
    rig.blocks(3);
    assert_eq!(rounds(&rig), [2, 2, 2]);
}

/// Without it the two legs of a pair would be apart for a block, which is when somebody trades on the difference.
#[test]
fn a_group_moves_together_or_not_at_all() {
    let mut rig = Rig::running_with(grouped(stored(&FEEDS), "pair", true, &["ADA-USD", "BTC-USD"]));
    rig.prices.insert(btc(), Some(10_100));
    rig.blocks(6);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![0, 10])], "what one needs moves all");
    let why = rig.events.iter().filter_map(|event| match event {
        Event::EntryFinal { sequence: 2, feed, trigger, .. } => Some((feed.as_str(), *trigger)),
        _ => None,
    });
    let why: Vec<_> = why.collect();
    assert_eq!(why, [("ADA-USD", Some(Trigger::Group)), ("BTC-USD", Some(Trigger::Deviation))]);
    // One member has no value: the other one waits for it and says so, and the third goes on.
    rig.prices.insert(feed("ADA-USD"), None);
    rig.blocks(16);
    rig.prices.insert(btc(), Some(10_300));
    rig.price = 10_200;
    rig.blocks(3);
    assert_eq!(rig.batches(STORE).last().unwrap().1, [20]);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::GroupMember));
    rig.prices.remove(&feed("ADA-USD"));
    rig.blocks(3);
    assert_eq!(rig.batches(STORE).last().unwrap().1, [0, 10]);
}

/// Without it one leg without a price would silence all of those that only like to move together.
#[test]
fn a_group_that_does_its_best_leaves_out_who_may_not_move() {
    let mut rig = Rig::running_with(grouped(stored(&FEEDS), "pair", false, &["ADA-USD", "BTC-USD"]));
    rig.prices.insert(btc(), Some(10_100));
    rig.blocks(6);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![0, 10])], "what one needs moves all");
    rig.prices.insert(feed("ADA-USD"), None);
    rig.blocks(16);
    let before = rig.batches(STORE).len();
    rig.prices.insert(btc(), Some(10_300));
    rig.blocks(3);
    assert_eq!(
        rig.batches(STORE)[before..].iter().map(|(_, feeds)| feeds.clone()).collect::<Vec<_>>(),
        [[10]]
    );
    assert_eq!(rig.view(&feed("ADA-USD")).hold.map(Hold::code), Some("quorum"), "it says so itself");
    // Who may not move calls nobody, however due it is: its owner has paused it in the store.
    rig.prices.insert(feed("ADA-USD"), Some(10_000));
    rig.entries_paused.insert(0);
    rig.blocks(20);
    let before = rig.batches(STORE).len();
    rig.prices.insert(feed("ADA-USD"), Some(12_000));
    rig.blocks(3);
    assert_eq!((rig.batches(STORE).len(), rig.view(&feed("ADA-USD")).hold), (before, Some(Hold::Paused)));
}

/// Without it a feed at 79% of its way would cost a transaction of its own a minute later; and at rest it would be
/// paid for with every other one.
#[test]
fn a_feed_close_to_its_threshold_rides_along() {
    for (ada, together) in [(10_039, false), (10_040, true)] {
        let mut rig = running();
        rig.prices.insert(feed("ADA-USD"), Some(ada));
        rig.blocks(3);
        assert_eq!(rig.batches(STORE).len(), 1, "it is no reason by itself");
        rig.prices.insert(btc(), Some(10_050));
        rig.blocks(3);
        let numbers = if together { vec![0, 10] } else { vec![10] };
        assert_eq!(rig.batches(STORE)[1..], [(2, numbers)]);
    }
    // The heartbeat is 60 s, of which 48 s are its share.
    let mut rig = running();
    rig.blocks(17);
    rig.prices.insert(btc(), Some(10_100));
    rig.blocks(2);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![0, 10, 20])]);
    // Whatever has yet to settle does not ride along as long as it has not.
    let mut spec = stored(&FEEDS);
    spec.feeds.get_mut(&feed("ADA-USD")).unwrap().policy.settle = Span::from_s(30);
    let mut rig = Rig::running_with(spec);
    rig.price = 10_100;
    rig.blocks(2);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![10, 20])]);
}

/// Without it heartbeats of an hour and of a day would cost a transaction each where one would do.
#[test]
fn a_heartbeat_takes_along_those_that_divide_it_and_they_stay_together() {
    for (sync, expected) in [(false, vec![10]), (true, vec![0, 10, 20])] {
        let mut spec = stored(&FEEDS);
        let store = spec.stores.get_mut(&STORE).unwrap();
        (store.early, store.sync_heartbeats) = (Early::default(), sync);
        for (id, heartbeat_s) in [("ADA-USD", 40), ("BTC-USD", 80), ("ETH-USD", 40)] {
            spec.feeds.get_mut(&feed(id)).unwrap().policy.heartbeat = Span::from_s(heartbeat_s);
        }
        let mut rig = Rig::running_with(spec);
        // A deviation of the short ones puts them out of step with the long one.
        rig.blocks(8);
        for id in ["ADA-USD", "ETH-USD"] {
            rig.prices.insert(feed(id), Some(10_100));
        }
        rig.blocks(22);
        let before = rig.batches(STORE).len();
        let first = rig.view(&btc()).known.unwrap().updated_at;
        while rig.view(&btc()).known.unwrap().updated_at == first {
            rig.block();
        }
        assert_eq!(rig.batches(STORE)[before].1, expected, "{sync}");
        let by_it = |event: &&Event| matches!(event, Event::Decided { trigger: Trigger::Sync, .. });
        assert_eq!(rig.events.iter().filter(by_it).count(), if sync { 2 } else { 0 });
    }
}

/// Without it early inclusion could not be switched off.
#[test]
fn a_share_of_zero_takes_nobody_along() {
    let mut spec = stored(&FEEDS);
    spec.stores.get_mut(&STORE).unwrap().early = Early::default();
    let mut rig = Rig::running_with(spec);
    rig.blocks(17);
    rig.prices.insert(btc(), Some(10_100));
    rig.blocks(2);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![10])]);
}

/// Without it a store could not keep all of its feeds as fresh as the one that moves most.
#[test]
fn always_takes_along_whoever_may_be_published() {
    let mut spec = stored(&FEEDS);
    spec.stores.get_mut(&STORE).unwrap().early = Early { always: true, ..Early::default() };
    let mut rig = Rig::running_with(spec);
    rig.blocks(3);
    assert_eq!(rig.batches(STORE).len(), 1, "nobody rides where nobody is due");
    rig.prices.insert(btc(), Some(10_100));
    rig.blocks(2);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![0, 10, 20])]);
}

fn gathering(gather_ms: u64) -> Rig {
    let mut spec = stored(&FEEDS);
    let store = spec.stores.get_mut(&STORE).unwrap();
    (store.early, store.gather) = (Early::default(), Span::from_ms(gather_ms));
    Rig::running_with(spec)
}

/// A feed's price is another one from now on.
fn moves(rig: &mut Rig, id: &str) {
    rig.prices.insert(feed(id), Some(10_100));
    rig.quotes(VENUES);
}

/// Without it feeds that follow each other over their thresholds would cost a transaction each.
#[test]
fn feeds_due_moments_apart_are_gathered() {
    for (gather_ms, batches) in [(0, vec![vec![10], vec![0, 20]]), (1_500, vec![vec![0, 10, 20]])] {
        let mut rig = gathering(gather_ms);
        moves(&mut rig, "BTC-USD");
        if gather_ms > 0 {
            assert_eq!(rig.view(&btc()).hold, Some(Hold::Gathering));
        }
        for id in ["ETH-USD", "ADA-USD"] {
            rig.pass_ms(500);
            moves(&mut rig, id);
        }
        assert_eq!(rig.intents(), 2 - usize::from(gather_ms > 0), "the window has not passed");
        rig.pass_ms(400);
        assert_eq!(rig.intents(), 2 - usize::from(gather_ms > 0), "it does not begin again with each feed");
        rig.pass_ms(100);
        assert_eq!(rig.intents(), 2, "the first of them has waited long enough");
        rig.blocks(4);
        let said: Vec<_> = rig.batches(STORE).into_iter().skip(1).map(|(_, feeds)| feeds).collect();
        assert_eq!(said, batches);
    }
}

/// Without it what is no reason any more would be waited for, and what follows would not be waited for at all.
#[test]
fn a_window_ends_with_its_reason() {
    let mut rig = gathering(1_500);
    moves(&mut rig, "BTC-USD");
    rig.pass_ms(1_000);
    rig.prices.insert(btc(), Some(10_000));
    rig.quotes(VENUES);
    rig.pass_ms(1_000);
    assert_eq!((rig.intents(), rig.view(&btc()).hold), (1, None));
    moves(&mut rig, "ETH-USD");
    for _ in 0..2 {
        rig.pass_ms(500);
        assert_eq!(rig.intents(), 1);
    }
    rig.pass_ms(500);
    assert_eq!(rig.intents(), 2);
}

/// Without it a window would make heartbeats late.
#[test]
fn a_heartbeat_waits_for_nobody() {
    let mut rig = gathering(8_000);
    let first = rig.view(&btc()).known.unwrap().updated_at;
    while rig.now().wall < first + Span::from_s(52) {
        rig.block();
    }
    // The window would end 60 s after the first round, the heartbeats are to be sent after 56.
    moves(&mut rig, "BTC-USD");
    assert_eq!(rig.view(&btc()).hold, Some(Hold::Gathering));
    rig.blocks(4);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![0, 10, 20])]);
    assert!(rig.view(&btc()).known.unwrap().updated_at.since(first) <= Span::from_s(HEARTBEAT_S));
}

/// Without it heartbeats a block apart would never go together.
#[test]
fn a_heartbeat_takes_along_those_that_come_within_the_window() {
    let mut spec = stored(&FEEDS);
    let store = spec.stores.get_mut(&STORE).unwrap();
    (store.early, store.gather) = (Early::default(), Span::from_s(8));
    for (id, heartbeat_s) in [("ETH-USD", 66), ("ADA-USD", 80)] {
        spec.feeds.get_mut(&feed(id)).unwrap().policy.heartbeat = Span::from_s(heartbeat_s);
    }
    let mut rig = Rig::running_with(spec);
    rig.blocks(42);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![10, 20]), (3, vec![0])]);
}

/// Without it a replacement would lose feeds, land old answers, or leave out what has become due meanwhile.
#[test]
fn a_replacement_keeps_its_feeds_refreshes_them_and_takes_new_ones_along() {
    let mut rig = running();
    rig.crowded = true;
    rig.prices.insert(btc(), Some(10_100));
    rig.quotes(VENUES);
    rig.block();
    // Back within its threshold, it stays in the batch; another feed becomes due.
    rig.prices.insert(btc(), Some(10_010));
    rig.prices.insert(feed("ETH-USD"), Some(9_900));
    rig.blocks(6);
    let attempts = rig.attempts(ACCOUNT, 1);
    assert!(attempts.len() > 1);
    let said = |index: usize| {
        let entries = &attempts[index].entries;
        entries.iter().map(|e| (e.feed.to_string(), e.answer.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(said(0), [("BTC-USD".into(), "10100".into())]);
    let last = [("BTC-USD".into(), "10010".into()), ("ETH-USD".into(), "9900".into())];
    assert_eq!(said(attempts.len() - 1), last);
    assert!(attempts.last().unwrap().gas_limit >= 60_000 + 2 * 100_000, "it has gas for both");
    rig.crowded = false;
    rig.blocks(6);
    assert_eq!((rounds(&rig), rig.reverted()), ([1, 2, 2], 0));
}

/// Without it a feed that loses its quorum would hold back the replacement of all.
#[test]
fn a_replacement_goes_on_without_a_feed_that_has_no_value_any_more() {
    let mut rig = Rig::running_with(grouped(stored(&FEEDS), "pair", true, &["ADA-USD", "BTC-USD"]));
    rig.crowded = true;
    rig.deviate();
    rig.prices.insert(btc(), None);
    rig.blocks(30);
    let last: Vec<_> = rig.attempts(ACCOUNT, 1).last().unwrap().entries.clone();
    assert_eq!(
        last.iter().map(|e| e.feed.as_str()).collect::<Vec<_>>(),
        ["ETH-USD"],
        "and without its group"
    );
    rig.crowded = false;
    rig.blocks(2);
    assert_eq!((rounds(&rig), rig.reverted()), ([1, 1, 2], 0));
}

/// Without it another publisher's report would be answered with a revert.
#[test]
fn f67_a_sequence_that_somebody_else_wrote_is_superseded() {
    let mut rig = running();
    rig.crowded = true;
    rig.deviate();
    rig.block();
    let observed_at_s = u32::try_from(rig.tip().time.ms() / 1000).unwrap();
    let call = Call::Update { store: STORE, sequence: 2, observed_at_s, entries: vec![(10, 10_100)] };
    rig.insert_foreign(alloy_primitives::Address::repeat_byte(0xee), call);
    rig.blocks(6);
    rig.crowded = false;
    rig.blocks(8);
    assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::NoopFilled));
    assert!(rig.count_events("PUB-1009") >= 1 && rig.reverted() == 0);
    assert_eq!(rounds(&rig), [2, 2, 2], "the stranger's round counts, and the others are written");
}

/// A deviation's whole life, with a death after so many records.
fn live(death: usize) -> (Rig, bool) {
    let mut rig = running();
    rig.die_after = Some(death);
    rig.deviate();
    let mut died = false;
    for _ in 0..14 {
        if rig.died {
            died = true;
            rig.restart();
        }
        rig.block();
    }
    (rig, died)
}

/// Without it a death between two records of a batch's life would lose its rounds, or land them twice.
#[test]
fn a_death_after_any_record_lands_the_batch_exactly_once() {
    let mut boundaries = 0;
    for death in 1.. {
        let (rig, died) = live(death);
        assert_eq!(rig.batches(STORE), [(1, vec![0, 10, 20]), (2, vec![0, 10, 20])], "dead after {death}");
        assert_eq!((rounds(&rig), rig.reverted()), ([2, 2, 2], 0), "dead after record {death}");
        assert_eq!(rig.closed(ACCOUNT, 1), Some(Outcome::Final), "dead after record {death}");
        if !died {
            break;
        }
        boundaries += 1;
    }
    assert_eq!(boundaries, 8, "intent, three reasons, attempt, sent, included, closed");
}

/// Without it a reorganisation would lose every feed of a batch at once.
#[test]
fn a_batch_that_a_reorganisation_drops_is_sent_again_as_it_was() {
    let mut rig = running();
    rig.deviate();
    rig.block();
    assert_eq!(rounds(&rig), [2, 2, 2]);
    rig.reorganise(1, Lost::Dropped);
    rig.price = 10_080;
    rig.poll();
    assert_eq!(rig.count_events("PUB-2010"), 1);
    rig.blocks(8);
    assert_eq!(rig.batches(STORE).len(), 2);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_100], "the same bytes first");
    assert_eq!((rig.intents(), rig.reverted()), (2, 0));
}

/// Without it every look at a feed of a store would be a call of its own.
#[test]
fn a_store_is_read_once_for_all_its_feeds() {
    let mut rig = running();
    let before = rig.asked("store");
    rig.deviate();
    rig.blocks(2);
    assert!(rig.asked("store") - before <= 3, "{}", rig.asked("store") - before);
    assert_eq!(rig.asked("round"), 0);
    rig.hold = |e| matches!(e, Effect::FetchStore { .. });
    rig.blocks(40);
    assert!(rig.held.len() > 1, "an answer that never comes is asked for again");
}
