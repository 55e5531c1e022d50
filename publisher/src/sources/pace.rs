//! When to ask a source again: the normal interval while it answers, and what its last answer asks for otherwise.
//!
//! Pure: the seed of its jitter is given, time is not read. It never asks faster than the normal interval.

use super::venue::Poll;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use publisher_core::quote::SourceFault;
use publisher_core::time::Span;
use std::time::Duration;

/// The longest wait after a failure that names no time.
const WAIT_MAX: Span = Span::from_s(60);
/// A ban that says nothing else lasts at least this long.
const BAN: Span = Span::from_s(600);
/// Another answer from the same place on the map is not expected sooner.
const GEO_BLOCK: Span = Span::from_s(3600);

/// The pace of one source.
#[derive(Debug)]
pub struct NextPoll {
    every: Span,
    failures: u32,
    jitter: Jitter,
}

/// Waits between nothing and a length that grows from 1 s to 60 s.
#[derive(Debug)]
pub(super) struct Jitter {
    seed: u64,
    /// The length; `jittered` is the same plus a random part of the same length.
    plain: ExponentialBackoff,
    jittered: ExponentialBackoff,
}

impl NextPoll {
    /// The pace of a source with this normal interval. Sources and replicas that must not move in step need
    /// different seeds.
    pub fn new(every: Span, seed: u64) -> Self {
        Self { every, failures: 0, jitter: Jitter::new(seed) }
    }

    /// Failed polls in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait from the end of this poll to the start of the next.
    pub fn after(&mut self, poll: &Poll) -> Span {
        // The interval counts from start to start; a slow venue still gets a tenth of it to breathe. What the venue's
        // limits leave may be slower than what was set.
        let every = self.every.max(poll.every);
        let normal = every.less(poll.elapsed).max(Span::from_ms(every.ms() / 10));
        let Some(fault) = poll.fault else {
            self.recover();
            return normal;
        };
        self.failures = self.failures.saturating_add(1);
        let wait = match fault {
            _ if poll.alternative => Span::ZERO,
            SourceFault::Banned => poll.retry_after.unwrap_or(BAN),
            SourceFault::GeoBlocked => GEO_BLOCK,
            _ => self.jitter.next(),
        };
        wait.max(poll.retry_after.unwrap_or_default()).max(normal)
    }

    fn recover(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.jitter.reset();
        }
    }
}

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        let (plain, jittered) = waits(seed);
        Self { seed, plain, jittered }
    }

    /// Begins again with the shortest length.
    pub(super) fn reset(&mut self) {
        // Another seed, or every outage would see the same waits.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.plain, self.jittered) = waits(self.seed);
    }

    /// Full jitter: evenly between nothing and the current length of the exponential. backon adds its jitter on
    /// top of that length, so the length is taken off again.
    pub(super) fn next(&mut self) -> Span {
        let (plain, jittered) = (self.plain.next(), self.jittered.next());
        let jitter = jittered.zip(plain).map(|(jittered, plain)| jittered.saturating_sub(plain));
        jitter.map_or(WAIT_MAX, Span::from).min(WAIT_MAX)
    }
}

fn waits(seed: u64) -> (ExponentialBackoff, ExponentialBackoff) {
    let plain = ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(WAIT_MAX.into())
        .without_max_times();
    (plain.build(), plain.with_jitter().with_jitter_seed(seed).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(fault: Option<SourceFault>, retry_after_s: Option<u64>) -> Poll {
        Poll {
            observations: Vec::new(),
            fault,
            status: None,
            retry_after: retry_after_s.map(Span::from_s),
            alternative: false,
            every: Span::ZERO,
            limits: Vec::new(),
            elapsed: Span::from_ms(300),
            bytes: 0,
            requests: 1,
            detail: None,
        }
    }

    const EVERY: Span = Span::from_s(2);

    #[test]
    fn answers_keep_the_interval_from_start_to_start() {
        let mut pace = NextPoll::new(EVERY, 1);
        assert_eq!(pace.after(&poll(None, None)), Span::from_ms(1700));
        let limited = Poll { every: Span::from_s(4), ..poll(None, None) };
        assert_eq!(pace.after(&limited), Span::from_ms(3700), "limits may ask for more");
        let slow = Poll { elapsed: Span::from_s(5), ..poll(None, None) };
        assert_eq!(pace.after(&slow), Span::from_ms(200));
    }

    #[test]
    fn failures_wait_longer_with_full_jitter_up_to_a_minute() {
        let mut ceilings = [Span::ZERO; 10];
        let mut above_half = 0;
        for seed in 0..200 {
            let mut pace = NextPoll::new(EVERY, seed);
            for (n, ceiling) in ceilings.iter_mut().enumerate() {
                let wait = pace.after(&poll(Some(SourceFault::Unreachable), None));
                assert!(wait >= Span::from_ms(1700) && wait <= WAIT_MAX, "{wait}");
                *ceiling = wait.max(*ceiling);
                above_half += u32::from(n == 9 && wait > Span::from_s(30));
            }
        }
        assert_eq!(ceilings[0], Span::from_ms(1700));
        assert!(ceilings[2] > Span::from_s(3) && ceilings[2] <= Span::from_s(4), "{ceilings:?}");
        assert!(ceilings[9] > Span::from_s(55), "{ceilings:?}");
        assert!(
            (60..140).contains(&above_half),
            "half of all waits are above the middle: {above_half} of 200"
        );
    }

    /// Without this all who lost one venue at once come back at once, and it falls again.
    #[test]
    fn s14_a_hundred_that_lost_a_venue_at_once_come_back_all_over_the_window() {
        let mut all: Vec<_> = (0..100).map(Jitter::new).collect();
        for outage in 0..2 {
            for window in [1, 2, 4, 8, 16, 32, 60, 60].map(Span::from_s) {
                let mut waits: Vec<Span> = all.iter_mut().map(Jitter::next).collect();
                waits.sort_unstable();
                let spread = waits[99].less(waits[0]);
                assert!(waits[99] <= window && spread.ms() * 10 >= window.ms() * 8, "{window}: {spread}");
                // Nor are they spread by a few while the rest come together.
                let tenth = window.ms() / 10;
                let most = waits.chunk_by(|a, b| a.ms() / tenth == b.ms() / tenth).map(<[_]>::len).max();
                assert!(most <= Some(30), "outage {outage}, {window}: {most:?} in a tenth of it");
            }
            all.iter_mut().for_each(Jitter::reset);
        }
    }

    /// Without this a venue that was away for an hour is asked again an hour later.
    #[test]
    fn s23_after_an_hour_of_failures_a_venue_is_asked_again_within_a_minute() {
        for fault in [SourceFault::Unreachable, SourceFault::Timeout, SourceFault::HttpStatus] {
            let mut pace = NextPoll::new(EVERY, 23);
            let mut passed = Span::ZERO;
            while passed < Span::from_s(3600) {
                let wait = pace.after(&poll(Some(fault), None));
                assert!(wait <= WAIT_MAX, "{fault:?} after {passed}: {wait}");
                passed = passed + wait;
            }
            assert_eq!(pace.after(&poll(None, None)), Span::from_ms(1700), "and then as often as ever");
        }
    }

    #[test]
    fn one_seed_gives_one_sequence_and_success_starts_again() {
        let run = |seed| {
            let mut pace = NextPoll::new(EVERY, seed);
            let mut waits: Vec<_> =
                (0..6).map(|_| pace.after(&poll(Some(SourceFault::Timeout), None))).collect();
            assert_eq!(pace.failures(), 6);
            waits.push(pace.after(&poll(None, None)));
            assert_eq!(pace.failures(), 0);
            waits.push(pace.after(&poll(Some(SourceFault::Timeout), None)));
            waits
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7)[7] <= EVERY);
    }

    #[test]
    fn what_the_venue_asks_for_is_honoured() {
        for (fault, retry_after_s, expected) in [
            (SourceFault::RateLimited, Some(30), Span::from_s(30)),
            (SourceFault::RateLimited, Some(3600), Span::from_s(3600)),
            (SourceFault::HttpStatus, Some(120), Span::from_s(120)),
            (SourceFault::Banned, None, Span::from_s(600)),
            (SourceFault::Banned, Some(120), Span::from_s(120)),
            (SourceFault::Banned, Some(86_400), Span::from_s(86_400)),
            (SourceFault::GeoBlocked, None, Span::from_s(3600)),
            (SourceFault::GeoBlocked, Some(7200), Span::from_s(7200)),
        ] {
            let mut pace = NextPoll::new(EVERY, 3);
            assert_eq!(
                pace.after(&poll(Some(fault), retry_after_s)),
                expected,
                "{fault:?} {retry_after_s:?}"
            );
        }
    }

    /// Without this a venue that refuses this place on the map is probed like one that is down.
    #[test]
    fn s21_another_host_is_tried_at_the_normal_interval() {
        let mut pace = NextPoll::new(EVERY, 3);
        let blocked = Poll { alternative: true, ..poll(Some(SourceFault::GeoBlocked), None) };
        assert_eq!(pace.after(&blocked), Span::from_ms(1700));
        assert_eq!(pace.after(&poll(Some(SourceFault::GeoBlocked), None)), Span::from_s(3600));
    }
}
