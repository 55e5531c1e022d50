//! Feeds whose market opens and closes.

use crate::rig::*;
use alloy_primitives::B256;
use publisher_core::event::Event;
use publisher_core::io::{Effect, Input};
use publisher_core::machine::Spec;
use publisher_core::policy::{Conduct, Hold, Hours, Instruction, Market, Order, Status, Subject, Trigger};
use publisher_core::quote::FeedId;
use publisher_core::record::Record;
use publisher_core::time::{Span, Wall};
use publisher_core::tx::{Call, Flag, SignFault};

/// Seconds after the rig's beginning at which the market closes, and opens again.
const CLOSES_S: u64 = 60;
const OPENS_S: u64 = 360;
/// Seconds in a block.
const BLOCK_S: u64 = BLOCK_MS / 1000;

/// A running feed whose market is closed for five minutes, and whose calendar ends after twenty.
fn rig(closed: Conduct) -> Rig {
    Rig::running_with(closing(spec(&["BTC-USD"]), closed))
}

/// The same market for one feed of several.
fn closing(mut spec: Spec, closed: Conduct) -> Spec {
    let at = |s: u64| Wall::from_s(EPOCH_S + s);
    let changes = vec![
        (at(0) - Span::from_s(60), Status::Open),
        (at(CLOSES_S), Status::Closed),
        (at(OPENS_S), Status::HalfDay),
    ];
    let hours = Hours { calendar: "test".into(), digest: B256::repeat_byte(7), changes, ends_at: at(1_200) };
    let conduct = [
        (Status::Open, Conduct::Normal),
        (Status::HalfDay, Conduct::Normal),
        (Status::Closed, closed),
        (Status::Unknown, Conduct::Freeze),
    ];
    let market = Market { hours: hours.into(), conduct: conduct.into(), halts: Vec::new() };
    spec.feeds.get_mut(&btc()).unwrap().policy.market = Some(market);
    spec
}

impl Rig {
    /// So many blocks without a quote.
    fn silent_blocks(&mut self, count: u64) {
        for _ in 0..count {
            self.pass_ms(BLOCK_MS);
            self.mine();
            self.poll();
        }
    }

    /// Blocks, quotes among them, until so many seconds after the beginning.
    fn blocks_until(&mut self, s: u64) {
        while self.now().wall + Span::from_ms(BLOCK_MS) <= Wall::from_s(EPOCH_S + s) {
            self.block();
        }
    }
}

fn decided(rig: &Rig) -> Vec<(u64, Trigger)> {
    let decision = |event: &Event| match event {
        Event::Decided { answer, trigger, .. } => Some((u64::try_from(answer.value()).unwrap(), *trigger)),
        _ => None,
    };
    rig.events.iter().filter_map(decision).collect()
}

/// Without it thin quotes of the night become answers, or yesterday's close becomes today's first price.
#[test]
fn a_frozen_feed_publishes_nothing_until_its_market_is_quoted_after_the_opening() {
    let mut rig = rig(Conduct::Freeze);
    rig.blocks_until(CLOSES_S + BLOCK_S);
    let before = decided(&rig);
    rig.price *= 2;
    rig.blocks_until(OPENS_S - BLOCK_S);
    assert_eq!((decided(&rig), rig.view(&btc()).hold), (before.clone(), Some(Hold::MarketClosed)));
    assert_eq!(rig.count_events("PUB-1004"), 0, "that no heartbeat comes is what was asked for");
    // The opening itself: only quotes of before it are known, and they are young.
    rig.pass_ms(2 * BLOCK_MS + 500);
    assert!(rig.now().wall > Wall::from_s(EPOCH_S + OPENS_S));
    let market = rig.view(&btc()).market.unwrap();
    assert_eq!((market.status, market.conduct), (Status::HalfDay, Conduct::Freeze));
    assert_eq!(decided(&rig), before);
    // A quorum of new ones beside two old ones is not the market's word yet; all of them are.
    rig.quotes(VENUES - 1);
    assert_eq!(decided(&rig), before);
    rig.quotes(VENUES);
    assert_eq!(decided(&rig).last(), Some(&(rig.price, Trigger::Deviation)));
}

/// Without it a feed whose sources never come back after the night is as silent, or repeats as calmly, as one that is
/// meant to; and a clock that is set, a slow source or a second look cries wolf.
#[test]
fn an_opening_that_nobody_quotes_is_told_once_and_so_is_its_end() {
    for closed in [Conduct::Freeze, Conduct::HeartbeatOnly] {
        for ends in ["by quotes", "by a halt", "by another status", "by a restart"] {
            let mut rig = rig(closed);
            rig.blocks_until(OPENS_S - BLOCK_S);
            let counts = |rig: &Rig| [rig.count_events("PUB-1018"), rig.count_events("PUB-1019")];
            // Seen by a clock that is set ten minutes ahead just after the opening, it has only just come.
            rig.pass_ms(2 * BLOCK_MS);
            rig.set_clock_wrong_by_s(600);
            rig.silent_blocks(HEARTBEAT_S / BLOCK_S - 2);
            assert_eq!(counts(&rig), [0, 0], "{closed} {ends}");
            rig.set_clock_wrong_by_s(0);
            rig.silent_blocks(HEARTBEAT_S / BLOCK_S);
            assert_eq!(counts(&rig), [1, 0], "{closed} {ends}");
            let told = rig.events.iter().find_map(|event| match event {
                Event::OpeningUnquoted { status, conduct, .. } => Some((*status, *conduct)),
                _ => None,
            });
            assert_eq!(told, Some((Status::HalfDay, closed)), "{closed} {ends}");
            match ends {
                "by quotes" => rig.blocks(2),
                "by a halt" => {
                    let now_s = rig.now().wall.since(Wall::from_s(EPOCH_S)).ms() / 1000;
                    rig.step(Input::Orders(vec![halt(Subject::Feed(btc()), now_s, now_s + 600)]));
                    rig.silent_blocks(1);
                }
                "by another status" => {
                    while rig.now().wall <= Wall::from_s(EPOCH_S + 1_200) {
                        rig.silent_blocks(1);
                    }
                }
                _ => rig.restart(),
            }
            // A process that begins in a session waits for no opening; its want of quotes is told as such.
            let ended = usize::from(ends != "by a restart");
            assert_eq!(counts(&rig), [1, ended], "{closed} {ends}");
            rig.silent_blocks(2 * HEARTBEAT_S / BLOCK_S);
            assert_eq!(counts(&rig), [1, ended], "{closed} {ends}: said again");
        }
    }
}

/// Without it nothing is repeated between an opening and its first quotes, however long those take: what the contract has
/// consented to counts as a word of the session, is dropped, and asked for again at once.
#[test]
fn heartbeats_go_on_from_an_opening_until_it_is_quoted() {
    let mut rig = rig(Conduct::HeartbeatOnly);
    rig.blocks_until(OPENS_S - BLOCK_S);
    let (before, asked) = (decided(&rig), rig.asked("preflight"));
    rig.silent_blocks(3 * HEARTBEAT_S / BLOCK_S);
    let said = decided(&rig)[before.len()..].to_vec();
    let last = before.last().unwrap().0;
    assert!(said.len() >= 2 && said.iter().all(|s| *s == (last, Trigger::Repeat)), "{said:?}");
    assert!(rig.asked("preflight") - asked <= 2 * said.len(), "it asks again and again");
    assert_eq!(rig.count_events("PUB-1004"), 0);
}

/// Without it every opening is told of whose slowest source takes its time, or each status of a day stays untold but
/// the first.
#[test]
fn an_opening_is_as_patient_as_its_quotes_may_be_old_and_each_status_is_one() {
    let at = |s: u64| Wall::from_s(EPOCH_S + s);
    let mut spec = spec(&["BTC-USD"]);
    let feed = spec.feeds.get_mut(&btc()).unwrap();
    feed.pricing.max_age = Span::from_s(3 * HEARTBEAT_S);
    let changes =
        vec![(at(0) - Span::from_s(60), Status::Closed), (at(60), Status::Pre), (at(600), Status::Open)];
    let hours = Hours { calendar: "test".into(), digest: B256::repeat_byte(7), changes, ends_at: at(2_000) };
    let conduct = [
        (Status::Open, Conduct::Normal),
        (Status::Pre, Conduct::Normal),
        (Status::Closed, Conduct::HeartbeatOnly),
    ];
    feed.policy.market = Some(Market { hours: hours.into(), conduct: conduct.into(), halts: Vec::new() });
    let mut rig = Rig::new(spec);
    rig.blocks_until(58);
    let told = |rig: &Rig| {
        let status = rig.events.iter().filter_map(|event| match event {
            Event::OpeningUnquoted { status, .. } => Some(*status),
            _ => None,
        });
        status.collect::<Vec<_>>()
    };
    let until = |rig: &mut Rig, s: u64| {
        while rig.now().wall < at(s) {
            rig.silent_blocks(1);
        }
    };
    until(&mut rig, 60 + 3 * HEARTBEAT_S - BLOCK_S);
    assert_eq!(told(&rig), []);
    until(&mut rig, 599);
    assert_eq!(told(&rig), [Status::Pre]);
    until(&mut rig, 600 + 4 * HEARTBEAT_S);
    assert_eq!((told(&rig), rig.count_events("PUB-1019")), (vec![Status::Pre, Status::Open], 1));
}

/// Without it whatever is decided in the last moment of a day is written in the night.
#[test]
fn what_a_contract_consents_to_after_the_close_is_not_written_any_more() {
    let mut rig = rig(Conduct::Freeze);
    rig.blocks_until(CLOSES_S - BLOCK_S);
    let before = decided(&rig);
    rig.hold = |effect| matches!(effect, Effect::Preflight { .. });
    rig.deviate();
    assert_eq!(rig.held.len(), 1, "it was decided while the market was open");
    rig.pass_ms(BLOCK_MS + 1);
    assert!(rig.now().wall > Wall::from_s(EPOCH_S + CLOSES_S));
    rig.release();
    assert_eq!((decided(&rig), rig.view(&btc()).hold), (before, Some(Hold::MarketClosed)));
}

/// Without it what was planned in a market's last moment, and not signed before the process died, holds up every nonce
/// behind it for as long as the frozen feed's quotes may be old, whether it is alone in it or together with others.
#[test]
fn a_planned_round_of_a_frozen_feed_makes_room_for_the_nonces_behind_it() {
    // What is planned at one look gets its nonces by the contracts' addresses: the last of these waits for the others.
    let (companion, behind) = (feed("ADA-USD"), feed("XAU-USD"));
    for shared in [false, true] {
        let mut spec = if shared { stored(&["ADA-USD", "BTC-USD"]) } else { spec(&["BTC-USD"]) };
        spec.feeds.insert(behind.clone(), feed_spec(&behind));
        // Longer than the market is closed, so that whoever waits for it is seen to wait.
        spec.feeds.get_mut(&btc()).unwrap().pricing.max_age = Span::from_s(3_600);
        let mut rig = Rig::running_with(closing(spec, Conduct::Freeze));
        rig.blocks_until(CLOSES_S - BLOCK_S);
        let rounds = |rig: &Rig| [&btc(), &behind].map(|id| rig.rounds(id).len());
        let (before, planned, first) = (rounds(&rig), rig.intents(), rig.nonce(ACCOUNT, u64::MAX));
        rig.signer = SignerMode::Fails(SignFault::Unavailable);
        rig.deviate();
        assert_eq!(rig.intents(), planned + 2, "{shared}: both contracts are due while the market is open");
        // A companion that is quoted would have something to say for both of them.
        rig.prices.insert(companion.clone(), None);
        rig.restart();
        rig.blocks_until(CLOSES_S + 20);
        assert_eq!(rounds(&rig), before, "{shared}: nobody signs");
        rig.signer = SignerMode::Up;
        rig.blocks_until(CLOSES_S + 120);
        assert_eq!((rounds(&rig)[0], rig.reverted()), (before[0], 0), "{shared}");
        assert!(rounds(&rig)[1] > before[1], "{shared}: it waits for a market that is closed");
        let made_room = rig.blocks.iter().flat_map(|b| &b.txs).find(|m| m.tx.nonce == first).unwrap();
        assert_eq!(made_room.tx.call, Call::Noop, "{shared}");
    }
}

/// Without it a feed that slept, or was paused, through the end of a session repeats in the night what it said before it
/// fell asleep. What is on chain is no younger, but the last that anybody was told.
#[test]
fn whoever_slept_until_the_close_repeats_what_is_on_chain() {
    for word in ["a flag", "an order"] {
        let mut spec = closing(spec(&["BTC-USD"]), Conduct::HeartbeatOnly);
        spec.feeds.get_mut(&btc()).unwrap().policy.hibernate_flag =
            (word == "a flag").then_some(alloy_primitives::Address::repeat_byte(0xf1));
        let mut rig = Rig::running_with(spec);
        let on_chain = rig.price;
        // Not far enough for a round, and known to be the last word of before.
        rig.price = on_chain * 1_004 / 1_000;
        rig.blocks(1);
        let (by, reason) = ("ann".to_owned(), "maintenance".to_owned());
        let pause = |until_s: u64| {
            let (since, until) = (Wall::from_s(EPOCH_S), Wall::from_s(EPOCH_S + until_s));
            let (of, what) = (Subject::Feed(btc()), Instruction::Pause);
            Input::Orders(vec![Order {
                id: 7,
                of,
                what,
                said_at: since,
                until,
                by: by.clone(),
                reason: reason.clone(),
            }])
        };
        rig.flag = Flag::Raised;
        if word == "an order" {
            rig.step(pause(CLOSES_S + 30));
        }
        rig.blocks_until(CLOSES_S - BLOCK_S);
        let before = decided(&rig).len();
        rig.blocks_until(CLOSES_S + 20);
        assert_eq!(decided(&rig).len(), before, "{word}");
        rig.flag = Flag::Lowered;
        rig.blocks_until(OPENS_S - BLOCK_S);
        let said: Vec<u64> = decided(&rig)[before..].iter().map(|(answer, _)| *answer).collect();
        assert!(!said.is_empty() && said.iter().all(|answer| *answer == on_chain), "{word}: {said:?}");
    }
}

/// Without it a signer that comes back in the night writes what was decided before the close, for as long as quotes may
/// be old; and what that takes away takes its companions of the same store with it.
#[test]
fn what_was_planned_and_not_signed_is_not_said_after_the_close_and_its_companions_are() {
    let companion = feed("ADA-USD");
    for closed in [Conduct::Freeze, Conduct::HeartbeatOnly] {
        for shared in [false, true] {
            let mut spec =
                if shared { stored(&["ADA-USD", "BTC-USD"]) } else { spec(&["ADA-USD", "BTC-USD"]) };
            for feed in spec.feeds.values_mut() {
                feed.pricing.max_age = Span::from_s(3_600);
            }
            let mut rig = Rig::running_with(closing(spec, closed));
            rig.blocks_until(CLOSES_S - BLOCK_S);
            let rounds = |rig: &Rig| [&btc(), &companion].map(|id| rig.rounds(id).len());
            let (before, open) = (rounds(&rig), rig.price);
            rig.signer = SignerMode::Fails(SignFault::Unavailable);
            // It stays below the deviation of what is on chain by then, but for the one that is decided here.
            rig.prices.insert(btc(), Some(open * 2));
            rig.deviate();
            rig.blocks_until(CLOSES_S + 20);
            assert_eq!(rounds(&rig), before, "{closed} {shared}: nobody signs");
            rig.prices.insert(btc(), Some(open * 3));
            rig.signer = SignerMode::Up;
            rig.blocks_until(CLOSES_S + 60);
            assert!(rounds(&rig)[1] > before[1], "{closed} {shared}: a companion waits for the opening");
            let said = rig.rounds(&btc()).split_off(before[0]);
            let repeats =
                |said: &[i64]| said.iter().all(|answer| *answer == i64::try_from(open * 2).unwrap());
            match closed {
                Conduct::Freeze => assert_eq!(said, [0; 0], "{shared}"),
                _ => assert!(!said.is_empty() && repeats(&said), "{shared}: {said:?}"),
            }
            assert_eq!(rig.reverted(), 0, "{closed} {shared}");
            rig.blocks_until(OPENS_S + 5 * BLOCK_S);
            assert_eq!(
                rig.rounds(&btc()).last(),
                Some(&i64::try_from(open * 3).unwrap()),
                "{closed} {shared}"
            );
        }
    }
}

/// Without it a feed that was due in the last moment of its market's day is taken along in the night by what is signed
/// anew for others before anybody has looked at it.
#[test]
fn nobody_joins_what_is_signed_anew_by_a_look_of_before_the_close() {
    let mut rig = Rig::running_with(closing(stored(&["ADA-USD", "BTC-USD"]), Conduct::Freeze));
    rig.blocks_until(CLOSES_S - 2 * BLOCK_S);
    let closes_ms = |rig: &Rig| Wall::from_s(EPOCH_S + CLOSES_S).since(rig.now().wall).ms();
    let (ada, planned, before) = (feed("ADA-USD"), rig.intents(), rig.rounds(&btc()).len());
    let dearer = rig.price * 102 / 100;
    // Looks come every half second, and the signer is asked again after half a second: between two looks.
    let left = closes_ms(&rig) - 650;
    rig.pass_ms(left);
    rig.suspend_ms(300);
    rig.signer = SignerMode::Fails(SignFault::Unavailable);
    rig.prices.insert(ada.clone(), Some(dearer));
    rig.quotes(VENUES);
    assert_eq!(rig.intents(), planned + 1);
    rig.pass_ms(250);
    rig.prices.insert(btc(), Some(dearer));
    rig.quotes(VENUES);
    assert_eq!((closes_ms(&rig), rig.intents()), (100, planned + 1), "it is due, and its store is busy");
    rig.signer = SignerMode::Up;
    rig.hold = |effect| matches!(effect, Effect::Sign { .. });
    rig.suspend_ms(300);
    rig.step(Input::Observed(Vec::new()));
    rig.settle();
    assert_eq!(rig.held.len(), 1, "it is signed anew before the next look");
    rig.release();
    rig.blocks(4);
    assert_eq!(rig.rounds(&btc()).len(), before, "it was taken along");
    assert_eq!(rig.rounds(&ada).last(), Some(&i64::try_from(dearer).unwrap()));
}

/// Without it consumers who measure age are cut off every night, or are told thin prices of the night as the day's.
#[test]
fn heartbeats_repeat_the_last_value_of_the_open_market_and_after_a_restart_the_answer_on_chain() {
    let mut rig = rig(Conduct::HeartbeatOnly);
    let open = rig.price * 1_004 / 1_000; // Not far enough for a round of its own.
    rig.price = open;
    rig.blocks_until(CLOSES_S + BLOCK_S);
    let before = decided(&rig).len();
    rig.price *= 2;
    rig.blocks_until(CLOSES_S + 2 * HEARTBEAT_S);
    let repeated = decided(&rig)[before..].to_vec();
    assert!(repeated.len() >= 2 && repeated.iter().all(|r| *r == (open, Trigger::Repeat)), "{repeated:?}");
    // Sources may be silent as well: the market is closed.
    rig.restart();
    let before = decided(&rig).len();
    while rig.now().wall < Wall::from_s(EPOCH_S + OPENS_S - BLOCK_S) {
        rig.pass_ms(BLOCK_MS);
        rig.mine();
        rig.poll();
    }
    let repeated = decided(&rig)[before..].to_vec();
    assert!(repeated.len() >= 2 && repeated.iter().all(|r| *r == (open, Trigger::Repeat)), "{repeated:?}");
    assert_eq!(rig.count_events("PUB-1004"), 0);
    let reasons = rig.journal.iter().filter_map(|record| match record {
        Record::Decided { why, .. } if why.trigger == Trigger::Repeat => why.market.as_ref(),
        _ => None,
    });
    let reasons: Vec<_> = reasons.map(|m| (m.digest, m.status, m.conduct)).collect();
    let reason = (B256::repeat_byte(7), Status::Closed, Conduct::HeartbeatOnly);
    assert!(reasons.len() >= 4 && reasons.iter().all(|told| *told == reason), "{reasons:?}");
    rig.blocks_until(OPENS_S + 3 * BLOCK_S);
    assert_eq!(decided(&rig).last(), Some(&(rig.price, Trigger::Deviation)));
}

#[test]
fn what_is_normal_while_closed_changes_nothing() {
    let mut rig = rig(Conduct::Normal);
    rig.blocks_until(CLOSES_S + BLOCK_S);
    rig.deviate();
    assert_eq!(decided(&rig).last(), Some(&(rig.price, Trigger::Deviation)));
}

/// Without it a calendar that nobody renewed says *open* for ever, or silences a feed by surprise.
#[test]
fn an_end_of_the_calendar_is_told_ahead_and_then_taken_for_unknown() {
    let mut rig = rig(Conduct::Normal);
    assert_eq!(rig.count_events("PUB-1014"), 1, "once");
    rig.blocks_until(1_200 + BLOCK_S);
    rig.deviate();
    let market = rig.view(&btc()).market.unwrap();
    assert_eq!((market.status, market.conduct, market.until), (Status::Unknown, Conduct::Freeze, None));
    assert_eq!(rig.view(&btc()).hold, Some(Hold::MarketClosed));
    let told = rig.events.iter().filter_map(|event| match event {
        Event::MarketStatus { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [Status::Open, Status::Closed, Status::HalfDay, Status::Unknown]);
    assert_eq!(rig.count_events("PUB-1014"), 1, "once");
}

/// A halt of what the feed's market is called, between two times after the beginning.
fn halt(of: Subject, since_s: u64, until_s: u64) -> Order {
    let at = |s: u64| Wall::from_s(EPOCH_S + s);
    let (by, reason) = ("ann".to_owned(), "circuit breaker of the exchange".to_owned());
    Order { id: 7, of, what: Instruction::Halt, said_at: at(since_s), until: at(until_s), by, reason }
}

/// Without it prices of a market that does not trade are published, or the first one after a halt is one of before it,
/// whether the halt ends by itself, by another word, or while the daemon is away.
#[test]
fn a_halted_market_says_nothing_until_it_is_quoted_after_the_halt() {
    for (name, of) in [("calendar", Subject::Calendar("test".into())), ("feed", Subject::Feed(btc()))] {
        for ends in ["by itself", "by a word", "during a restart"] {
            let mut rig = rig(Conduct::Freeze);
            rig.blocks_until(10);
            let since_s = rig.now().wall.since(Wall::from_s(EPOCH_S)).ms() / 1000;
            let until_s = if ends == "by a word" { since_s + 3_600 } else { since_s + 20 };
            rig.step(Input::Orders(vec![halt(of.clone(), since_s, until_s)]));
            let before = decided(&rig);
            rig.price *= 2;
            rig.blocks_until(since_s + 18);
            let market = rig.view(&btc()).market.unwrap();
            let until = Some(Wall::from_s(EPOCH_S + until_s));
            assert_eq!(
                (market.status, market.conduct, market.until),
                (Status::Halted, Conduct::Freeze, until)
            );
            assert_eq!(decided(&rig), before, "{name} {ends}");
            assert_eq!((rig.view(&btc()).hold, rig.count_events("PUB-1004")), (Some(Hold::MarketClosed), 0));
            rig.pass_ms(BLOCK_MS + 1_000);
            let over = vec![halt(of.clone(), since_s, since_s + 20)];
            match ends {
                "by a word" => rig.step(Input::Orders(over)),
                "during a restart" => {
                    rig.restart();
                    rig.machine.obey(over);
                }
                _ => {}
            }
            rig.pass_ms(100);
            let market = rig.view(&btc()).market.unwrap();
            // Who begins after it has said nothing before it, and knows no quote of before it.
            let goes_on = if ends == "during a restart" { Conduct::Normal } else { Conduct::Freeze };
            assert_eq!((market.status, market.conduct), (Status::Open, goes_on), "{name} {ends}");
            assert_eq!(decided(&rig), before, "{name} {ends}");
            rig.quotes(VENUES - 1);
            assert_eq!(decided(&rig), before, "{name} {ends}: a quote of before it counts");
            rig.blocks(2);
            assert_eq!(decided(&rig).last(), Some(&(rig.price, Trigger::Deviation)), "{name} {ends}");
            let told = [rig.count_events("PUB-1011"), rig.count_events("PUB-1012")];
            assert_eq!(told, [1, 1], "{name} {ends}");
        }
    }
}

/// Without it a halt of one market silences another.
#[test]
fn a_halt_of_another_market_or_feed_changes_nothing() {
    let mut rig = rig(Conduct::Freeze);
    rig.blocks_until(10);
    let others = [Subject::Calendar("BTC-USD".into()), Subject::Feed(FeedId::new("test"))];
    rig.step(Input::Orders(others.map(|of| halt(of, 10, 3_600)).to_vec()));
    rig.deviate();
    assert_eq!(decided(&rig).last(), Some(&(rig.price, Trigger::Deviation)));
    assert_eq!((rig.view(&btc()).market.unwrap().status, rig.count_events("PUB-1011")), (Status::Open, 0));
}

/// Without it what is decided in a market's last moment is written while it is halted.
#[test]
fn what_a_contract_consents_to_after_a_halt_is_not_written_any_more() {
    let mut rig = rig(Conduct::Freeze);
    rig.blocks_until(10);
    let before = decided(&rig);
    rig.hold = |effect| matches!(effect, Effect::Preflight { .. });
    rig.deviate();
    assert_eq!(rig.held.len(), 1, "it was decided while the market was open");
    rig.step(Input::Orders(vec![halt(Subject::Feed(btc()), 10, 3_600)]));
    rig.release();
    assert_eq!((decided(&rig), rig.view(&btc()).hold), (before, Some(Hold::MarketClosed)));
}

/// Without it thin quotes of an extended session make a round for every flicker, or a move is missed that is none.
#[test]
fn a_wide_threshold_holds_in_its_session_and_no_longer() {
    let wide = Conduct::Widen("300%".parse().unwrap());
    let mut rig = rig(wide);
    rig.blocks_until(CLOSES_S + 2 * BLOCK_S);
    let (before, said) = (decided(&rig).len(), decided(&rig).last().unwrap().0);
    assert_eq!(rig.view(&btc()).market.unwrap().conduct, wide);
    // The deviation of the rig is half a percent.
    rig.price = said * 1_014 / 1_000;
    let deviations = |rig: &Rig| {
        decided(rig)[before..].iter().filter(|(_, trigger)| *trigger == Trigger::Deviation).count()
    };
    // Only the next heartbeat takes it up.
    let until = rig.now().wall + Span::from_s(2 * HEARTBEAT_S);
    while decided(&rig).last().unwrap().0 != rig.price && rig.now().wall < until {
        rig.block();
    }
    assert_eq!((deviations(&rig), *decided(&rig).last().unwrap()), (0, (rig.price, Trigger::Heartbeat)));
    rig.price = rig.price * 1_016 / 1_000;
    rig.blocks(3);
    assert_eq!((deviations(&rig), decided(&rig).last().unwrap().0), (1, rig.price));
    rig.blocks_until(OPENS_S + 2 * BLOCK_S);
    assert_eq!(rig.view(&btc()).market.unwrap().conduct, Conduct::Normal);
    rig.price = decided(&rig).last().unwrap().0 * 1_006 / 1_000;
    rig.blocks(3);
    assert_eq!((deviations(&rig), decided(&rig).last().unwrap().0), (2, rig.price));
}
