//! Whose clock is wrong: a venue's, or ours.
//!
//! The first quote with a new exchange time is late by what it took to get here, and by the difference between two
//! clocks. The least delay of a while therefore bounds that difference from above, and the median says what is usual;
//! only first sights count, because a market that is quiet repeats an old time, which says nothing about any clock.
//!
//! A clock is never corrected. Behind a delay that does not pass there may be a slow clock, or old prices from a fast
//! one, and what is corrected wrongly is an old price that votes. A venue whose clock is ahead has no vote by the gate
//! on future quotes, one that is behind none once its quotes are too old: this module says why, before it comes to that.
//!
//! A step of our own clock needs no witness: between two looks the wall clock and the monotonic one have to agree. A
//! step within what clocks may differ by changes no vote, and is told all the same, because whoever sets a clock by
//! hand, or a time server that lies, begins with little.

use crate::quote::VenueId;
use crate::time::{Now, Span, Wall};
use std::collections::VecDeque;

/// Clocks may differ by this. It is also how far ahead of ours a quote may claim to be.
pub const TOLERANCE: Span = Span::from_s(2);
/// Of the quotes of so long a time one counts, the one that came with the least delay: a busy market has no more weight
/// than a quiet one.
const SLICE: Span = Span::from_s(5);
/// So many slices are kept …
const SLICES: usize = 12;
/// … of which so many are enough to judge a clock, half a minute of a busy venue.
const ENOUGH: usize = 6;
/// What was seen before that says nothing about now.
const KEPT: Span = Span::from_s(600);
/// So many venues are needed to say that it is our own clock.
const WITNESSES: usize = 3;

/// Our wall clock has been set if it moves by more than this against the monotonic clock from one look to the next. What
/// keeps a clock right without setting it changes its pace by less than a thousandth, and looks are seconds apart. Less
/// is not told, because it cannot be told from a machine's daily life (both clocks are read one after the other, and a
/// busy machine may pause in between; time services set a clock by some tenths of a second by themselves, after a guest
/// was moved for instance), because no vote changes by it, and because steps that add up are seen by venues' times.
pub const STEP: Span = Span::from_s(1);

/// Which way a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// It shows a later time than it is.
    Ahead,
    /// It shows an earlier time than it is, or what it stamps is old.
    Behind,
}

impl Skew {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Behind => "behind",
        }
    }
}

/// What a venue's times say against our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Milliseconds from the exchange's time of a quote to its receipt, the median; below zero the quotes are of the
    /// future.
    pub offset_ms: i64,
    /// The least of them.
    pub delay_ms: i64,
}

/// A clock is found wrong, wrong the other way, or right again (`skew` is `None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// The venue; `None` is this machine.
    pub venue: Option<VenueId>,
    /// What it is now.
    pub skew: Option<Skew>,
    /// By how many milliseconds quotes are late; below zero they are of the future.
    pub offset_ms: i64,
}

/// Notices when our own clock is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    /// The last look.
    last: Option<Now>,
}

impl Steps {
    /// By how many milliseconds the wall clock was set since the last look, forward or, below zero, back; `None` if it was
    /// not.
    pub fn look(&mut self, now: Now) -> Option<i64> {
        let last = self.last.replace(now)?;
        let waited = i64::try_from(now.mono.since(last.mono).ms()).unwrap_or(i64::MAX);
        let by_ms = now.wall.ms().saturating_sub(last.wall.ms()).saturating_sub(waited);
        (by_ms.unsigned_abs() > STEP.ms()).then_some(by_ms)
    }
}

/// What is remembered of a venue's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct VenueClock {
    /// When each slice began, by our clock, and the least delay in it in milliseconds.
    slices: VecDeque<(Wall, i64)>,
    /// A delay beyond this is told: half of the age that its quotes may have. The smallest of the values that read it.
    limit: Option<Span>,
    skew: Option<Skew>,
}

impl VenueClock {
    /// A value reads the venue, which takes quotes up to this age.
    pub fn read_with(&mut self, max_age: Span) {
        let half = Span::from_ms(max_age.ms() / 2).max(TOLERANCE);
        self.limit = Some(self.limit.map_or(half, |limit| limit.min(half)));
    }

    /// A quote with a time that the exchange had not said before.
    pub fn saw(&mut self, as_of: Wall, received: Wall) {
        let delay = received.ms().saturating_sub(as_of.ms());
        match self.slices.back_mut() {
            Some((began, least)) if received >= *began && received.since(*began) < SLICE => {
                *least = delay.min(*least);
            }
            _ => {
                if self.slices.len() == SLICES {
                    self.slices.pop_front();
                }
                self.slices.push_back((received, delay));
            }
        }
    }

    /// What the last minutes say; `None` while that is too little.
    pub fn drift(&self) -> Option<Drift> {
        if self.slices.len() < ENOUGH {
            return None;
        }
        let delays: Vec<i64> = self.slices.iter().map(|(_, delay)| *delay).collect();
        Some(Drift { offset_ms: median(&delays)?, delay_ms: *delays.iter().min()? })
    }

    /// Whether it is known to be wrong.
    pub fn skew(&self) -> Option<Skew> {
        self.skew
    }

    /// Forgets what is too old, or of a time that our clock has left again.
    fn forget(&mut self, now: Wall) {
        self.slices.retain(|(began, _)| now.since(*began) < KEPT && *began <= now + SLICE);
    }

    /// Looks at it; whether it stands otherwise than before. What is wrong is right again within half of the limit.
    fn review(&mut self) -> Option<Drift> {
        let drift = self.drift()?;
        let limit_of = |skew: Skew, limit: Span| {
            let ms = if self.skew == Some(skew) { limit.ms() / 2 } else { limit.ms() };
            i64::try_from(ms).unwrap_or(i64::MAX)
        };
        let behind = self.limit.is_some_and(|limit| drift.delay_ms > limit_of(Skew::Behind, limit));
        let ahead = drift.offset_ms < -limit_of(Skew::Ahead, TOLERANCE);
        let skew = if ahead { Some(Skew::Ahead) } else { behind.then_some(Skew::Behind) };
        (std::mem::replace(&mut self.skew, skew) != skew).then_some(drift)
    }
}

/// Looks at every venue's clock and, by all of them, at our own, which was found `own` before.
///
/// Where all venues but a quarter say the same of us, it is ours that is wrong, and nothing is said of theirs.
pub(crate) fn review(
    clocks: &mut [(VenueId, VenueClock)],
    own: &mut Option<Skew>,
    now: Wall,
) -> Vec<ClockChange> {
    clocks.iter_mut().for_each(|(_, clock)| clock.forget(now));
    let drifts: Vec<Drift> = clocks.iter().filter_map(|(_, clock)| clock.drift()).collect();
    let skew = own_skew(&drifts, *own);
    let mut changes = Vec::new();
    if std::mem::replace(own, skew) != skew {
        let offsets: Vec<i64> = drifts.iter().map(|drift| drift.offset_ms).collect();
        let offset_ms = median(&offsets).unwrap_or_default();
        changes.push(ClockChange { venue: None, skew, offset_ms });
    }
    if skew.is_none() {
        changes.extend(clocks.iter_mut().filter_map(|(venue, clock)| {
            let offset_ms = clock.review()?.offset_ms;
            Some(ClockChange { venue: Some(venue.clone()), skew: clock.skew, offset_ms })
        }));
    }
    changes
}

fn own_skew(drifts: &[Drift], before: Option<Skew>) -> Option<Skew> {
    if drifts.len() < WITNESSES {
        return None;
    }
    let limit = |skew: Skew| {
        let ms = if before == Some(skew) { TOLERANCE.ms() / 2 } else { TOLERANCE.ms() };
        i64::try_from(ms).unwrap_or(i64::MAX)
    };
    let all_but_a_quarter = |says: &dyn Fn(&Drift) -> bool| {
        drifts.iter().filter(|drift| !says(drift)).count() <= drifts.len() / 4
    };
    if all_but_a_quarter(&|drift| drift.delay_ms > limit(Skew::Ahead)) {
        return Some(Skew::Ahead);
    }
    let is_behind = all_but_a_quarter(&|drift| drift.offset_ms < -limit(Skew::Behind));
    is_behind.then_some(Skew::Behind)
}

/// The lower of the two middle ones where they are even in number.
fn median(values: &[i64]) -> Option<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    /// A venue whose quotes come once a second with these delays, in milliseconds.
    fn clock(max_age_s: u64, delays: impl Iterator<Item = i64>) -> VenueClock {
        let mut clock = VenueClock::default();
        clock.read_with(Span::from_s(max_age_s));
        for (s, delay) in delays.enumerate() {
            let at = i64::try_from(s).unwrap() * 1000 + 1_000_000;
            clock.saw(Wall::from_ms(at - delay), Wall::from_ms(at));
        }
        clock
    }

    fn at(s: i64) -> Wall {
        Wall::from_ms(1_000_000 + s * 1000)
    }

    fn named(clocks: Vec<VenueClock>) -> Vec<(VenueId, VenueClock)> {
        let name = |(n, clock): (usize, VenueClock)| (VenueId::new(&format!("v{n}")), clock);
        clocks.into_iter().enumerate().map(name).collect()
    }

    fn found(clocks: Vec<VenueClock>) -> Vec<(Option<String>, Option<Skew>)> {
        let changes = review(&mut named(clocks), &mut None, at(60));
        changes.into_iter().map(|c| (c.venue.map(|venue| venue.to_string()), c.skew)).collect()
    }

    #[test]
    fn the_median_is_the_offset_and_the_minimum_the_delay() {
        // One wild time in each direction moves the minimum at most.
        let wild = (0..60).map(|s| if s == 7 { -9_000 } else { 150 + s % 5 });
        let drift = clock(30, wild).drift().unwrap();
        assert_eq!((drift.offset_ms, drift.delay_ms), (150, -9_000));
        assert_eq!(clock(30, (0..25).map(|_| 150)).drift(), None, "five slices are not enough");
    }

    #[test]
    fn f50_a_clock_that_is_wrong_by_more_than_it_may_is_named_and_which_way() {
        let right = || clock(30, (0..60).map(|_| 100));
        for (delay, expected) in [
            (1_900, None),
            (-1_900, None),
            (-2_100, Some(Skew::Ahead)),
            (14_900, None),
            (15_100, Some(Skew::Behind)),
        ] {
            let wrong = clock(30, (0..60).map(|_| delay));
            let expected = expected.map(|skew| (Some("v0".to_owned()), Some(skew)));
            assert_eq!(found(vec![wrong, right(), right(), right()]), Vec::from_iter(expected), "{delay} ms");
        }
        // One quote that is young disproves that the clock is behind.
        let once = clock(30, (0..60).map(|s| if s == 30 { 200 } else { 20_000 }));
        assert!(found(vec![once, right(), right()]).is_empty());
    }

    #[test]
    fn what_all_venues_say_is_said_of_our_own_clock_and_not_of_theirs() {
        for (delay, expected) in [(-5_000, Some(Skew::Behind)), (5_000, Some(Skew::Ahead)), (1_000, None)] {
            let off = || clock(6, (0..60).map(|_| delay));
            let own = expected.map(|skew| (None, Some(skew)));
            assert_eq!(found(vec![off(), off(), off()]), Vec::from_iter(own.clone()), "{delay} ms");
            // One of four may say otherwise: it is that one's clock, or lie.
            let right = clock(6, (0..60).map(|_| 0));
            assert_eq!(found(vec![off(), off(), off(), right]), Vec::from_iter(own), "{delay} ms");
        }
        // Two venues are no witnesses of each other.
        let off = || clock(6, (0..60).map(|_| 5_000));
        let both = [0, 1].map(|n| (Some(format!("v{n}")), Some(Skew::Behind)));
        assert_eq!(found(vec![off(), off()]), both);
    }

    #[test]
    fn what_was_wrong_is_right_again_within_half_of_the_limit_and_is_said_once() {
        let mut clocks = named(vec![clock(30, (0..60).map(|_| -3_000))]);
        let mut own = None;
        let mut told = |clocks: &mut Vec<_>, now| {
            review(clocks, &mut own, now).into_iter().map(|c| c.skew).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut clocks, at(60)), [Some(Skew::Ahead)]);
        assert!(told(&mut clocks, at(61)).is_empty(), "it is said once");
        for (from, delay, expected) in [(60, -1_500, vec![]), (120, -900, vec![None])] {
            for s in from..from + 60 {
                clocks[0].1.saw(Wall::from_ms(at(s).ms() - delay), at(s));
            }
            assert_eq!(told(&mut clocks, at(from + 60)), expected, "{delay} ms");
        }
    }

    #[test]
    fn nothing_is_concluded_from_long_ago_or_from_a_time_that_our_clock_has_left() {
        for now in [at(800), at(-100)] {
            let mut clocks = named(vec![clock(30, (0..60).map(|_| -3_000))]);
            assert!(review(&mut clocks, &mut None, now).is_empty());
            assert_eq!(clocks[0].1.drift(), None);
        }
    }

    /// Without this a clock that is set within its limits moves ages, gates and market hours, and nobody can tell when.
    #[test]
    fn f61_a_clock_that_is_set_is_told_of_both_ways_and_one_that_waits_or_is_slewed_is_not() {
        let look = |steps: &mut Steps, wall_ms: i64, mono_ms: u64| {
            steps.look(Now { wall: Wall::from_ms(wall_ms), mono: Mono::from_ms(mono_ms) })
        };
        for (set_by_ms, expected) in [
            (0, None),
            (1_000, None),
            (1_001, Some(1_001)),
            (-1_000, None),
            (-1_001, Some(-1_001)),
            (3_600_000, Some(3_600_000)),
            (-3_600_000, Some(-3_600_000)),
        ] {
            let mut steps = Steps::default();
            assert_eq!(look(&mut steps, 5_000_000 + set_by_ms, 7_000), None, "nothing to compare with");
            let mut steps = Steps::default();
            look(&mut steps, 5_000_000, 7_000);
            assert_eq!(look(&mut steps, 5_001_000 + set_by_ms, 8_000), expected, "{set_by_ms} ms");
            assert_eq!(look(&mut steps, 5_002_000 + set_by_ms, 9_000), None, "it is told once");
        }
        let mut steps = Steps::default();
        look(&mut steps, 5_000_000, 7_000);
        assert_eq!(look(&mut steps, 5_000_000 + 36_000_000, 36_007_000), None, "a night without a look");
        // Slewed by half a thousandth, for two hours.
        for s in 1..7_200 {
            assert_eq!(
                look(&mut steps, 41_000_000 + s * 1_000 + s / 2, 36_007_000 + s.unsigned_abs() * 1_000),
                None
            );
        }
    }
}
