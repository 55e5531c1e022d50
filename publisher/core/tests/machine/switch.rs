//! Feeds that have other sources while their market is closed.

use crate::rig::*;
use alloy_primitives::B256;
use publisher_core::book::Path;
use publisher_core::event::Event;
use publisher_core::io::{Effect, Input};
use publisher_core::policy::{
    Breaker, Conduct, Confirm, Hold, Hours, Instruction, Market, MarketState, Order, Status, Subject, Trigger,
};
use publisher_core::quote::{FeedId, MarketId, Observation, Quote};
use publisher_core::record::Record;
use publisher_core::time::{Span, Wall};

/// Seconds after the rig's beginning at which the market closes, and opens again.
const CLOSES_S: u64 = 60;
const OPENS_S: u64 = 360;
/// What sources of off hours say in these scenarios, far from the day's 10,000 cents.
const OFF: u64 = 12_000;

fn off_hours() -> FeedId {
    btc().off_hours()
}

/// A running feed that has other sources in a break of five minutes, and may have them in halts.
fn rig_with(halted: Conduct, change: impl FnOnce(&mut publisher_core::policy::Policy)) -> Rig {
    let at = |s: u64| Wall::from_s(EPOCH_S + s);
    let changes = vec![
        (at(0) - Span::from_s(60), Status::Open),
        (at(CLOSES_S), Status::Closed),
        (at(OPENS_S), Status::Open),
    ];
    let hours = Hours { calendar: "test".into(), digest: B256::repeat_byte(7), changes, ends_at: at(86_400) };
    let conduct =
        [(Status::Open, Conduct::Normal), (Status::Closed, Conduct::SwitchSource), (Status::Halted, halted)];
    let mut spec = spec(&["BTC-USD"]);
    let feed = spec.feeds.get_mut(&btc()).unwrap();
    feed.policy.market = Some(Market { hours: hours.into(), conduct: conduct.into(), halts: Vec::new() });
    change(&mut feed.policy);
    let mut pricing = feed.pricing.clone();
    let path = |v: usize| Path::direct(MarketId::new(&format!("v{v}"), off_hours().as_str()));
    pricing.paths = (0..VENUES).map(path).collect();
    feed.off_hours = Some(pricing);
    Rig::running_with(spec)
}

fn rig() -> Rig {
    rig_with(Conduct::SwitchSource, |_| {})
}

impl Rig {
    /// These venues say this about off hours.
    fn off(&mut self, venues: std::ops::Range<usize>, cents: u64) {
        let now = self.now().wall;
        let observation = |v: usize| {
            Observation::Quote(Quote {
                market: MarketId::new(&format!("v{v}"), off_hours().as_str()),
                bid: None,
                ask: None,
                last: Some(format!("{cents}e-2").parse().unwrap()),
                base_volume: None,
                as_of: now,
                received: now,
                is_clocked: false,
            })
        };
        let observations = venues.map(observation).collect();
        self.step(Input::Observed(observations));
        self.settle();
    }

    /// Blocks until so many seconds after the beginning; all venues say this about off hours, or nothing.
    fn go(&mut self, until_s: u64, off: Option<u64>) {
        while self.now().wall + Span::from_ms(BLOCK_MS) <= Wall::from_s(EPOCH_S + until_s) {
            off.into_iter().for_each(|cents| self.off(0..VENUES, cents));
            self.block();
        }
    }

    /// Blocks in which only sources of off hours say something.
    fn go_off(&mut self, until_s: u64, cents: u64) {
        while self.now().wall + Span::from_ms(BLOCK_MS) <= Wall::from_s(EPOCH_S + until_s) {
            self.off(0..VENUES, cents);
            self.pass_ms(BLOCK_MS);
            self.mine();
            self.poll();
        }
    }

    fn conduct(&self) -> Conduct {
        self.view(&btc()).market.unwrap().conduct
    }

    /// What was decided: the answer, and what was journalled of why.
    fn decided(&self) -> Vec<(u64, Trigger, Conduct)> {
        let answers = self.events.iter().filter_map(|event| match event {
            Event::Decided { answer, .. } => Some(u64::try_from(answer.value()).unwrap()),
            _ => None,
        });
        let whys = self.journal.iter().filter_map(|record| match record {
            Record::Decided { why, .. } => Some((why.trigger, why.market.as_ref().unwrap().conduct)),
            _ => None,
        });
        answers.zip(whys).map(|(answer, (trigger, conduct))| (answer, trigger, conduct)).collect()
    }
}

/// Without this the week-end's market is said to be what it was on Friday, or a quote that one set had before the close
/// is the other's first price; and on Monday the last of Friday's quotes are a price.
#[test]
fn off_hours_have_other_sources_from_their_first_quotes_until_the_days_are_all_of_after_the_opening() {
    let mut rig = rig();
    rig.go(CLOSES_S - 4, Some(OFF));
    assert!(rig.decided().iter().all(|(answer, ..)| *answer == rig.price), "{:?}", rig.decided());
    let before = rig.decided().len();
    // The close: those of off hours are quoted, but before it; the day's repeat themselves.
    rig.off(0..VENUES, OFF);
    rig.pass_ms(4_500);
    rig.price = 10_100;
    rig.quotes(VENUES);
    assert!(rig.now().wall > Wall::from_s(EPOCH_S + CLOSES_S));
    assert_eq!((rig.conduct(), rig.view(&btc()).hold), (Conduct::Freeze, Some(Hold::MarketClosed)));
    rig.off(0..VENUES - 1, OFF);
    assert_eq!(
        (rig.decided().len(), rig.conduct()),
        (before, Conduct::Freeze),
        "one quote is of before the close"
    );
    rig.off(0..VENUES, OFF);
    assert_eq!(rig.decided()[before..], [(OFF, Trigger::Deviation, Conduct::SwitchSource)]);
    rig.go(OPENS_S - 4, Some(OFF + 100));
    assert_eq!(rig.decided().last().unwrap().0, OFF + 100);
    let heartbeats = rig.decided()[before..].iter().filter(|(_, why, _)| *why == Trigger::Heartbeat).count();
    assert!(heartbeats >= 2, "heartbeats go on: {:?}", rig.decided());
    // The opening: the day's are silent, then quoted by all but one, then by all.
    rig.go_off(OPENS_S + 20, OFF + 300);
    assert_eq!(rig.view(&btc()).market.unwrap().status, Status::Open);
    assert_eq!(rig.decided().last().unwrap(), &(OFF + 300, Trigger::Deviation, Conduct::SwitchSource));
    rig.quotes(VENUES - 1);
    assert_eq!(rig.decided().last().unwrap().0, OFF + 300, "one quote is of before the opening");
    rig.quotes(VENUES);
    assert_eq!(rig.decided().last().unwrap(), &(10_100, Trigger::Deviation, Conduct::Normal));
    // At noon the day's fail: nobody speaks for them.
    rig.go(OPENS_S + 40, Some(OFF));
    let before = rig.decided();
    rig.go_off(OPENS_S + 100, OFF);
    assert_eq!((rig.decided(), rig.conduct()), (before, Conduct::Normal));
    assert!(matches!(rig.view(&btc()).hold, Some(Hold::NoValue(_))));
    assert!(rig.count_events("PUB-1004") > 0, "and it is told");
}

/// Without this what was decided of one set is written while the other is asked for.
#[test]
fn what_is_decided_of_one_set_is_not_written_once_the_other_is_asked_for() {
    for (since_s, of_off_hours) in [(CLOSES_S, false), (OPENS_S, true)] {
        let mut rig = rig();
        rig.go(since_s - 2, Some(OFF));
        let before = rig.decided();
        rig.hold = |effect| matches!(effect, Effect::Preflight { .. });
        let (day, off) = if of_off_hours { (rig.price, OFF + 200) } else { (rig.price + 200, OFF) };
        rig.price = day;
        rig.off(0..VENUES, off);
        rig.quotes(VENUES);
        assert_eq!(rig.held.len(), 1, "{since_s}: it was decided before");
        rig.pass_ms(2 * BLOCK_MS);
        rig.hold = |_| false;
        rig.off(0..VENUES, off);
        rig.quotes(VENUES);
        rig.release();
        rig.quotes(VENUES);
        let new = rig.decided()[before.len()..].to_vec();
        let expected = if of_off_hours { (day, Conduct::Normal) } else { (off, Conduct::SwitchSource) };
        assert!(!new.is_empty() && new.iter().all(|(a, _, c)| (*a, *c) == expected), "{since_s}: {new:?}");
    }
}

/// Without this a backup takes what the day's sources said for the witness of what those of off hours say.
#[test]
fn values_of_one_set_are_no_witness_for_the_others() {
    let mut rig = rig_with(Conduct::Freeze, |policy| {
        policy.heartbeat = Span::from_s(3_600);
        policy.backup.historical = Span::from_s(60);
    });
    rig.go(CLOSES_S - 20, Some(OFF));
    rig.price += 200;
    let deviations =
        |rig: &Rig| rig.decided().iter().filter(|(_, why, _)| *why == Trigger::Deviation).count();
    let before = deviations(&rig);
    rig.go(CLOSES_S + 55, Some(OFF));
    assert_eq!((deviations(&rig), rig.conduct()), (before, Conduct::SwitchSource));
    rig.go(CLOSES_S + 90, Some(OFF));
    assert_eq!(deviations(&rig), before + 1, "it witnesses itself by then");
}

/// Without this an outage of the sources of off hours looks like a feed that is meant to be silent, or the day's
/// sources, which repeat what they said last, are taken for the week-end's price.
#[test]
fn an_outage_of_the_sources_of_off_hours_is_told_and_nobody_speaks_for_them() {
    for quoted_until_s in [0, 20, CLOSES_S - 2, CLOSES_S + 30] {
        let mut rig = rig();
        rig.go(quoted_until_s, Some(OFF));
        rig.go(CLOSES_S + 4, None);
        rig.price = 10_500;
        let before = rig.decided().len();
        rig.go(OPENS_S - 2, None);
        let new = rig.decided()[before..].to_vec();
        assert!(new.iter().all(|(answer, ..)| *answer == OFF), "{quoted_until_s}: {new:?}");
        assert_eq!(rig.conduct(), Conduct::SwitchSource, "{quoted_until_s}");
        assert!(matches!(rig.view(&btc()).hold, Some(Hold::NoValue(_))), "{quoted_until_s}");
        assert!(rig.count_events("PUB-1004") > 0, "{quoted_until_s}: a heartbeat is overdue");
        rig.go(OPENS_S + 8, None);
        assert_eq!(
            rig.decided().last().unwrap().0,
            10_500,
            "{quoted_until_s}: the day does not wait for them"
        );
    }
}

/// Without this a daemon that starts at noon takes the week-end's sources for the day's, because they answer sooner.
#[test]
fn after_a_restart_in_a_session_sources_of_off_hours_say_nothing() {
    let mut rig = rig();
    rig.go(OPENS_S + 60, Some(OFF));
    rig.restart();
    let before = rig.decided();
    rig.go_off(OPENS_S + 180, OFF);
    assert_eq!((rig.decided(), rig.conduct()), (before, Conduct::Normal));
    assert!(matches!(rig.view(&btc()).hold, Some(Hold::NoValue(_))));
    rig.price = 10_200;
    rig.go(OPENS_S + 190, Some(OFF));
    assert_eq!(rig.decided().last().unwrap().0, 10_200);
}

/// Without this a step between sets of sources passes where any other would be examined, or what was confirmed of one
/// set counts for the other.
#[test]
fn a_step_between_sets_is_a_step_and_what_lasts_of_one_proves_nothing_of_the_other() {
    let breaker = |policy: &mut publisher_core::policy::Policy| {
        let (min, max) = ("10%".parse().unwrap(), "10%".parse().unwrap());
        policy.breaker = Breaker { min, max, confirm_for: Span::from_s(40), ..Breaker::default() };
    };
    let mut rig = rig_with(Conduct::Freeze, breaker);
    rig.go(CLOSES_S + 20, Some(OFF));
    let before = rig.decided();
    assert_eq!(rig.view(&btc()).hold, Some(Hold::BreakerOpen));
    assert!(before.iter().all(|(answer, ..)| *answer == rig.price), "{before:?}");
    rig.go(CLOSES_S + 80, Some(OFF));
    assert_eq!(rig.decided().last().unwrap().0, OFF, "all agree on it for a while");

    let confirm = Confirm { ticks: 5, ..Confirm::default() };
    let mut rig = rig_with(Conduct::Freeze, |policy| policy.confirm = confirm);
    rig.go(OPENS_S - 4, Some(OFF));
    rig.go_off(OPENS_S + 4, OFF);
    for _ in 1..confirm.ticks {
        rig.pass_ms(10);
        rig.off(0..VENUES, OFF + 300);
    }
    assert_eq!((rig.decided().last().unwrap().0, rig.conduct()), (OFF, Conduct::SwitchSource));
    rig.price = OFF + 1_000;
    for look in 1..=confirm.ticks {
        rig.pass_ms(10);
        rig.quotes(VENUES);
        let expected = if look == confirm.ticks { rig.price } else { OFF };
        assert_eq!((rig.decided().last().unwrap().0, rig.conduct()), (expected, Conduct::Normal), "{look}");
    }
}

/// A halt of the feed from one second after the beginning to another.
fn halt(since_s: u64, until_s: u64) -> Order {
    let at = |s: u64| Wall::from_s(EPOCH_S + s);
    let (of, what) = (Subject::Feed(btc()), Instruction::Halt);
    let (by, reason) = ("ann".to_owned(), "circuit breaker of the exchange".to_owned());
    Order { id: 7, of, what, said_at: at(since_s), until: at(until_s), by, reason }
}

/// Without this a halt that freezes lets the sources of off hours speak on, or one that switches lets the day's.
#[test]
fn a_halt_does_what_is_said_of_halts_whichever_set_speaks() {
    for (halted, since_s, price) in [
        (Conduct::Freeze, CLOSES_S + 60, None),
        (Conduct::SwitchSource, CLOSES_S + 60, Some(OFF + 500)),
        (Conduct::Freeze, 20, None),
        (Conduct::SwitchSource, 20, Some(OFF + 500)),
    ] {
        let mut rig = rig_with(halted, |_| {});
        rig.go(since_s, Some(OFF));
        rig.step(Input::Orders(vec![halt(since_s, since_s + 20)]));
        let before = rig.decided().len();
        rig.price = 10_500;
        rig.go(since_s + 18, Some(OFF + 500));
        let new = rig.decided()[before..].to_vec();
        assert_eq!(new.last().map(|(answer, ..)| *answer), price, "{halted} {since_s}: {new:?}");
        assert!(new.iter().all(|(answer, ..)| Some(*answer) == price), "{halted} {since_s}: {new:?}");
        assert_eq!(rig.view(&btc()).market.unwrap().status, Status::Halted);
        rig.go(since_s + 30, Some(OFF + 500));
        let after = if since_s < CLOSES_S { 10_500 } else { OFF + 500 };
        assert_eq!(rig.decided().last().unwrap().0, after, "{halted} {since_s}");
    }
}

/// Without this some path from quotes to an answer takes quotes of both sets, or of the one that is not asked for:
/// whatever falls silent, returns, is halted or restarted, every answer lies between quotes of the set that the
/// journal names, and none of the day's is decided while the market is closed.
#[test]
fn no_answer_mixes_two_sets() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut rig = rig();
        let mut seen = 0;
        while rig.now().wall < Wall::from_s(EPOCH_S + OPENS_S + 120) {
            rig.price = rng.u64(10_000..10_400);
            let venues = rng.usize(0..=VENUES);
            match rng.u8(0..8) {
                0 => rig.quotes(venues),
                1..=3 => {
                    let start = rng.usize(0..VENUES);
                    rig.off(start..VENUES, rng.u64(OFF..OFF + 400));
                }
                4 if rng.u8(0..12) == 0 => {
                    let now_s = rig.now().wall.since(Wall::from_s(EPOCH_S)).ms() / 1000;
                    rig.step(Input::Orders(vec![halt(now_s, now_s + rng.u64(1..60))]));
                }
                5 if rng.u8(0..30) == 0 => rig.restart(),
                _ => rig.block(),
            }
            rig.pass_ms(rng.u64(0..1_500));
            let decided = rig.decided();
            for (answer, _, conduct) in &decided[seen..] {
                let of_off_hours = (OFF..OFF + 400).contains(answer);
                assert!(
                    of_off_hours || (10_000..10_400).contains(answer),
                    "seed {seed}: {answer} is of nobody"
                );
                assert_eq!(of_off_hours, *conduct == Conduct::SwitchSource, "seed {seed}: {decided:?}");
            }
            seen = decided.len();
        }
        let states = rig.journal.iter().filter_map(|record| match record {
            Record::Decided { why, .. } => why.market.as_ref(),
            _ => None,
        });
        let is_right =
            |state: &MarketState| state.status == Status::Open || state.conduct == Conduct::SwitchSource;
        assert!(states.clone().all(is_right), "seed {seed}: {:?}", states.collect::<Vec<_>>());
        let both =
            [false, true].map(|off| rig.decided().iter().any(|d| (d.2 == Conduct::SwitchSource) == off));
        assert_eq!(both, [true; 2], "seed {seed}");
    }
}

/// Without this nobody learns that the night's sources still speak for the day; and each close with sources of off hours
/// is told as if it were a fault.
#[test]
fn sources_of_off_hours_that_go_on_after_an_opening_are_told_of() {
    let mut rig = rig();
    rig.go(OPENS_S - 4, Some(OFF));
    rig.go_off(OPENS_S + 50, OFF);
    assert_eq!(rig.count_events("PUB-1018"), 0);
    rig.go_off(OPENS_S + 80, OFF);
    assert_eq!((rig.count_events("PUB-1018"), rig.conduct()), (1, Conduct::SwitchSource));
    rig.go(OPENS_S + 90, Some(OFF));
    assert_eq!((rig.count_events("PUB-1019"), rig.conduct()), (1, Conduct::Normal));
}
