//! Rounds at fixed times: cron expressions in the time of some zone.
//!
//! An entry fires when its latest time is after the round on chain, so that times which were missed are made up for
//! once, and one round serves whatever was due before it. A local time that daylight saving leaves out is the first
//! instant there is after it; of one that there is twice it is the first. Zones come as tables of offsets; the rest is
//! arithmetic.

use super::Known;
use crate::quote::FeedId;
use crate::time::{Span, Wall};
use alloy_primitives::{Address, keccak256};
use std::str::FromStr;
use std::sync::Arc;

const MINUTE_MS: i64 = 60_000;
const DAY_MIN: i64 = 1_440;
/// A look goes back over so many days: the 29th of February can be eight years away.
const BACK_DAYS: i64 = 8 * 366;
/// Clocks are put back by no more than this, so that a time which is later by the clock may have been before.
const FOLD_MIN: i64 = 180;

/// The offsets of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets(Vec<(Wall, i32)>);

impl Offsets {
    /// Since when the clocks there are ahead of UTC by so many seconds, in rising order; the first holds before, too.
    pub fn new(offsets: Vec<(Wall, i32)>) -> Self {
        Self(offsets)
    }

    /// What a clock there shows, in whole minutes since 1970.
    fn local_min(&self, at: Wall) -> i64 {
        let next = self.0.partition_point(|(since, _)| *since <= at);
        let offset_s = self.0.get(next.saturating_sub(1)).map_or(0, |(_, offset_s)| *offset_s);
        (at.ms() + i64::from(offset_s) * 1000).div_euclid(MINUTE_MS)
    }

    /// When a clock there shows this many minutes since 1970, for the first time.
    fn instant(&self, local_min: i64) -> Wall {
        let local_ms = local_min.saturating_mul(MINUTE_MS);
        for (index, (since, offset_s)) in self.0.iter().enumerate() {
            let at = Wall::from_ms(local_ms.saturating_sub(i64::from(*offset_s) * 1000));
            if self.0.get(index + 1).is_none_or(|(end, _)| at < *end) {
                // A time in a gap is before the clocks of after it hold; the first ones have held for ever.
                let holds_since = if index == 0 { at } else { *since };
                return at.max(holds_since);
            }
        }
        Wall::from_ms(local_ms)
    }
}

/// A cron expression: minute, hour, day of the month, month, day of the week, each as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

impl Cron {
    /// Whether it has times on a day, counted from 1970.
    fn has_day(&self, day: i64) -> bool {
        let (month, of_month) = month_and_day(day);
        let has = |set: u64, at: i64| u32::try_from(at).is_ok_and(|at| set >> at & 1 == 1);
        let (by_month, by_week) = (has(self.days, of_month), has(self.weekdays, (day + 4).rem_euclid(7)));
        // As cron has it: where both are restricted, either suffices.
        let restricted = (self.days != full(1, 31), self.weekdays != full(0, 6));
        let fits = if restricted == (true, true) { by_month || by_week } else { by_month && by_week };
        has(self.months, month) && fits
    }

    /// Its times in a zone, the latest first; the first of them may still be to come.
    fn times(self, zone: &Offsets, now: Wall) -> impl Iterator<Item = Wall> {
        let local = self.before(zone.local_min(now) + FOLD_MIN);
        local.map(|local_min| zone.instant(local_min))
    }

    /// Its latest time in a zone.
    pub fn latest(self, zone: &Offsets, now: Wall) -> Option<Wall> {
        self.times(zone, now).find(|at| *at <= now)
    }

    /// Its times by the clock at this minute and before, the latest first, as far back as a look goes.
    fn before(self, local_min: i64) -> impl Iterator<Item = i64> {
        let today = local_min.div_euclid(DAY_MIN);
        let days = (0..=BACK_DAYS).map(move |back| today - back).filter(move |day| self.has_day(*day));
        days.flat_map(move |day| {
            let hours = (0..24).rev().filter(move |hour| self.hours >> hour & 1 == 1);
            hours.flat_map(move |hour: i64| {
                let minutes = (0..60).rev().filter(move |minute| self.minutes >> minute & 1 == 1);
                minutes.map(move |minute: i64| day * DAY_MIN + hour * 60 + minute)
            })
        })
        .filter(move |at| *at <= local_min)
    }
}

impl FromStr for Cron {
    type Err = String;

    /// Reads `30 8 * * mon-fri`: numbers, `*`, lists, ranges and steps; days of the week by name or number, 0 and 7 for
    /// Sunday.
    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err("not five fields: minute, hour, day of month, month, day of week".to_owned());
        };
        let weekdays = field(weekday, 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"])?;
        let cron = Self {
            minutes: field(minute, 0, 59, &[])?,
            hours: field(hour, 0, 23, &[])?,
            days: field(day, 1, 31, &[])?,
            months: field(month, 1, 12, &[])?,
            weekdays: (weekdays | weekdays >> 7) & full(0, 6),
        };
        let some_day = (0..=BACK_DAYS).any(|day| cron.has_day(day));
        if some_day { Ok(cron) } else { Err("there is no such day".to_owned()) }
    }
}

/// One field as a set of bits.
fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Result<u64, String> {
    let fault = || format!("{text:?} is not {least} to {most}, a list, a range, or a step such as */5");
    let number = |part: &str| {
        let named = names.iter().position(|name| *name == part).and_then(|at| u32::try_from(at).ok());
        named.or_else(|| part.parse().ok()).filter(|at| (least..=most).contains(at)).ok_or_else(fault)
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(range)?, if step.is_some() { most } else { number(range)? }),
        };
        let step: u32 = step.map_or(Ok(1), |step| step.parse().map_err(|_| fault()))?;
        if from > to || step == 0 {
            return Err(fault());
        }
        set |=
            (from..=to).step_by(usize::try_from(step).unwrap_or(usize::MAX)).fold(0, |set, at| set | 1 << at);
    }
    Ok(set)
}

/// Every bit between two.
fn full(least: u32, most: u32) -> u64 {
    (least..=most).fold(0, |set, at| set | 1 << at)
}

/// The month and the day in it of a day counted from 1970: the civil calendar, in eras of 400 years from March on.
fn month_and_day(day: i64) -> (i64, i64) {
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (if month < 10 { month + 3 } else { month - 9 }, of_year - (153 * month + 2) / 5 + 1)
}

/// One entry of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// As it is written, for people.
    pub name: Arc<str>,
    /// Its times.
    pub at: Cron,
    /// In which zone's time.
    pub zone: Arc<Offsets>,
    /// A round is later than its time by less than this; zero: not at all.
    pub jitter: Span,
}

/// The times at which a feed is published whatever its value is. The default is never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Its entries.
    pub slots: Vec<Slot>,
    /// What makes the jitter of a feed and account its own.
    pub seed: u64,
}

impl Schedule {
    /// The same with a jitter of its own, so that not all feeds and publishers that have a time in common come at once.
    pub fn seeded(self, feed: &FeedId, account: Address) -> Self {
        let hash = keccak256([feed.as_str().as_bytes(), account.as_slice()].concat());
        let bytes = hash.first_chunk().copied().unwrap_or_default();
        Self { seed: u64::from_be_bytes(bytes), ..self }
    }

    /// Whether a time has come since the latest round.
    pub(super) fn is_due(&self, known: &Known, now: Wall) -> bool {
        self.slots.iter().any(|slot| self.latest(slot, now).is_some_and(|latest| latest > known.updated_at))
    }

    /// The latest time of an entry whose delay is over.
    fn latest(&self, slot: &Slot, now: Wall) -> Option<Wall> {
        slot.at.times(&slot.zone, now).find(|at| *at + self.delay(slot, *at) <= now)
    }

    fn delay(&self, slot: &Slot, at: Wall) -> Span {
        if slot.jitter == Span::ZERO {
            return Span::ZERO;
        }
        let seed = self.seed ^ at.ms().unsigned_abs().rotate_left(20);
        Span::from_ms(fastrand::Rng::with_seed(seed).u64(0..slot.jitter.ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: i64 = 3_600;

    /// Seconds since 1970 of a day and time in 2026: days are counted from the first of January, which is 0.
    fn utc(day: i64, hour: i64, minute: i64) -> Wall {
        Wall::from_ms(((20_454 + day) * 24 * HOUR_S + hour * HOUR_S + minute * 60) * 1000)
    }

    /// New York: the 8th of March is day 66, the first of November day 304.
    fn new_york() -> Arc<Offsets> {
        let est = -5 * 3_600;
        let edt = -4 * 3_600;
        Offsets::new(vec![(utc(0, 0, 0), est), (utc(66, 7, 0), edt), (utc(304, 6, 0), est)]).into()
    }

    fn schedule(at: &str, zone: Arc<Offsets>, jitter: Span) -> Schedule {
        Schedule { slots: vec![Slot { name: at.into(), at: at.parse().unwrap(), zone, jitter }], seed: 7 }
    }

    fn in_utc(at: &str) -> Schedule {
        schedule(at, Offsets::new(vec![(utc(0, 0, 0), 0)]).into(), Span::ZERO)
    }

    fn latest(schedule: &Schedule, now: Wall) -> Option<Wall> {
        schedule.latest(&schedule.slots[0], now)
    }

    #[test]
    fn the_latest_time_is_found_however_far_back() {
        // Day 0 is a Thursday.
        for (at, now, expected) in [
            ("0 8 * * *", utc(1, 8, 0), Some(utc(1, 8, 0))),
            ("0 8 * * *", utc(1, 7, 59), Some(utc(0, 8, 0))),
            ("* * * * *", utc(1, 7, 59), Some(utc(1, 7, 59))),
            ("*/15 9-17 * * mon-fri", utc(3, 12, 0), Some(utc(1, 17, 45))),
            ("30 9,17 * * 1-5", utc(4, 12, 0), Some(utc(4, 9, 30))),
            ("0 0 1 * *", utc(58, 0, 0), Some(utc(31, 0, 0))),
            ("0 0 1 * 1", utc(34, 0, 0), Some(utc(32, 0, 0))),
            ("0 0 * * 7", utc(4, 0, 0), Some(utc(3, 0, 0))),
            ("5/20 0 * * *", utc(4, 0, 50), Some(utc(4, 0, 45))),
            // In a leap year, nearly two years before.
            ("0 0 29 2 *", utc(0, 0, 0), Some(utc(-672, 0, 0))),
            ("0 0 31 12 *", utc(100, 0, 0), Some(utc(-1, 0, 0))),
        ] {
            assert_eq!(latest(&in_utc(at), now), expected, "{at}");
        }
    }

    #[test]
    fn a_time_that_is_left_out_is_the_first_after_it_and_one_that_is_there_twice_the_first() {
        for (at, now, expected) in [
            ("0 8 * * *", utc(65, 13, 0), utc(65, 13, 0)),
            ("0 8 * * *", utc(66, 12, 0), utc(66, 12, 0)),
            ("30 2 * * *", utc(66, 6, 59), utc(65, 7, 30)),
            ("30 2 * * *", utc(66, 7, 0), utc(66, 7, 0)),
            ("30 1 * * *", utc(304, 5, 29), utc(303, 5, 30)),
            ("30 1 * * *", utc(304, 5, 30), utc(304, 5, 30)),
            ("30 1 * * *", utc(304, 6, 30), utc(304, 5, 30)),
            ("30 1 * * *", utc(305, 6, 29), utc(304, 5, 30)),
            ("30 1 * * *", utc(305, 6, 30), utc(305, 6, 30)),
        ] {
            assert_eq!(latest(&schedule(at, new_york(), Span::ZERO), now), Some(expected), "{at} {now:?}");
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let schedule = in_utc("0 * * * *");
        let due = |updated_at, now| schedule.is_due(&Known { round: 1, answer: 1.into(), updated_at }, now);
        assert!(!due(utc(0, 8, 0), utc(0, 8, 59)), "a round at the very time serves it");
        assert!(due(utc(0, 7, 59), utc(0, 8, 0)));
        assert!(due(utc(0, 1, 0), utc(0, 8, 30)), "seven times were missed");
        assert!(!due(utc(0, 8, 30), utc(0, 8, 31)), "and one round makes up for them");
        assert!(!due(utc(0, 9, 0), utc(0, 8, 30)), "a chain ahead of us is not written early");
    }

    #[test]
    fn jitter_delays_by_less_than_it_says_and_differs_by_feed_account_and_time() {
        let zone: Arc<Offsets> = Offsets::new(vec![(utc(0, 0, 0), 0)]).into();
        let base = schedule("0 * * * *", zone, Span::from_s(600));
        let delays = |feed: &str, account: u8| -> Vec<u64> {
            let schedule = base.clone().seeded(&FeedId::new(feed), Address::repeat_byte(account));
            (0..20).map(|hour| schedule.delay(&schedule.slots[0], utc(0, hour, 0)).ms()).collect()
        };
        let one = delays("BTC-USD", 1);
        assert!(one.iter().all(|ms| *ms < 600_000) && one.iter().any(|ms| *ms > 300_000), "{one:?}");
        assert!(one.iter().any(|ms| *ms != one[0]));
        assert_eq!(one, delays("BTC-USD", 1));
        assert_ne!(one, delays("BTC-USD", 2));
        assert_ne!(one, delays("ETH-USD", 1));
        // Until its delay is over the time before is the latest.
        let (at, delay) = (utc(0, 8, 0), base.delay(&base.slots[0], utc(0, 8, 0)));
        assert_eq!(latest(&base, at + delay), Some(at));
        assert_eq!(latest(&base, at + delay - Span::from_ms(1)), Some(utc(0, 7, 0)));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in
            ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"]
                .into_iter()
                .chain([
                    "*/0 * * * *",
                    "5-1 * * * *",
                    "a * * * *",
                    "1, * * * *",
                    "-1 * * * *",
                    "0 0 30 2 *",
                    "@daily",
                ])
        {
            assert!(text.parse::<Cron>().is_err(), "{text}");
        }
    }
}
