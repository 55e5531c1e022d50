//! A publisher that stands in for another one: what is worth a round to it, and whether it believes the moment alone.

use super::{Deviation, Known, Policy};
use crate::price::{Answer, Ratio};
use crate::time::{Mono, Span};
use std::collections::VecDeque;

/// How a backup differs from the publisher whose policy it has. The default is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Thresholds of deviation are so many times as large.
    pub coefficient: Ratio,
    /// What is added to the heartbeat, in milliseconds; negative: a round comes sooner. What is left is never nothing,
    /// because a heartbeat of nothing is none.
    pub heartbeat_modifier_ms: i64,
    /// A deviation counts only if the value of so long ago deviated as well; zero: that of now suffices.
    pub historical: Span,
}

impl Default for Backup {
    fn default() -> Self {
        Self { coefficient: Ratio::ONE, heartbeat_modifier_ms: 0, historical: Span::ZERO }
    }
}

impl Backup {
    /// The heartbeat of a backup, given the one of the publisher that it stands in for; zero: off, as it is there.
    pub fn heartbeat(&self, of: Span) -> Span {
        match of {
            Span::ZERO => of,
            some => Span::from_ms(some.ms().saturating_add_signed(self.heartbeat_modifier_ms).max(1)),
        }
    }

    /// Whether the value that was had so long ago deviates from the answer on chain as the value of now does, which is
    /// `is_up`. What is not known of that time deviates from nothing.
    pub(super) fn agrees(
        &self,
        rule: &Deviation,
        known: &Known,
        past: Option<Answer>,
        is_up: bool,
        age: Span,
    ) -> bool {
        let deviated = |past| rule.fires(known.answer, past, age) && (past > known.answer) == is_up;
        self.historical == Span::ZERO || past.is_some_and(deviated)
    }
}

impl Policy {
    /// The policy that a backup holds to; of any other publisher the same.
    pub fn as_backup(self) -> Self {
        let Backup { coefficient, historical, .. } = self.backup;
        let heartbeat = self.backup.heartbeat(self.heartbeat);
        let backup = Backup { historical, ..Backup::default() };
        Self { heartbeat, backup, ..self.widened(coefficient) }
    }
}

/// So many values are remembered of the time that is asked for, …
const SAMPLES: u64 = 60;
/// … but none that are closer together than looks are.
const INTERVAL_LEAST: Span = Span::from_s(1);
/// A value stands for so many intervals after it. What is longer without one is a gap, of which nothing is known.
const INTERVALS_MAX: u64 = 3;

/// The values of a while ago, at most [`SAMPLES`] and two more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History(VecDeque<(Mono, Answer)>);

impl History {
    /// Takes note of a value, and returns the one of as long ago as the rule wants to know, if there was one.
    pub fn see(&mut self, rule: &Backup, answer: Answer, now: Mono) -> Option<Answer> {
        let Self(seen) = self;
        if rule.historical == Span::ZERO {
            return None;
        }
        let interval = Span::from_ms(rule.historical.ms() / SAMPLES).max(INTERVAL_LEAST);
        if seen.back().is_none_or(|(last, _)| now.since(*last) >= interval) {
            seen.push_back((now, answer));
        }
        while seen.get(1).is_some_and(|(at, _)| now.since(*at) >= rule.historical) {
            seen.pop_front();
        }
        let (at, past) = *seen.front()?;
        let ago = now.since(at);
        (ago >= rule.historical && ago < rule.historical + interval.times(INTERVALS_MAX)).then_some(past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(historical: &str) -> Backup {
        Backup { historical: historical.parse().unwrap(), ..Backup::default() }
    }

    /// What is remembered at each second of a rule over a minute, given a value with each of these seconds.
    fn remembers(values: &[(u64, i64)]) -> Vec<Option<Answer>> {
        let mut history = History::default();
        values.iter().map(|(s, v)| history.see(&over("60s"), (*v).into(), Mono::from_ms(s * 1000))).collect()
    }

    /// Without this the first look after a start would be its own witness.
    #[test]
    fn nothing_is_known_of_the_time_before_the_first_value() {
        let values: Vec<_> = (0..62).map(|s| (s, 100 + i64::try_from(s).unwrap())).collect();
        let remembered = remembers(&values);
        assert!(remembered[..60].iter().all(Option::is_none));
        assert_eq!(remembered[60..], [Some(100.into()), Some(101.into())]);
    }

    /// Without this a value from before an outage would vouch for whatever comes after it.
    #[test]
    fn a_gap_is_not_bridged_by_the_value_before_it() {
        assert_eq!(remembers(&[(0, 1), (60, 2)]), [None, Some(1.into())]);
        assert_eq!(remembers(&[(0, 1), (62, 2)]), [None, Some(1.into())]);
        assert_eq!(remembers(&[(0, 1), (63, 2)]), [None, None]);
        assert_eq!(remembers(&[(0, 1), (100, 2), (159, 3), (160, 4)]), [None, None, None, Some(2.into())]);
    }

    /// Without this a feed whose quotes come a thousand times a second would fill the memory.
    #[test]
    fn what_is_kept_is_bounded_however_often_and_however_long_it_looks() {
        for (historical, step_ms) in [("5m", 1), ("1s", 1), ("24h", 500), ("100ms", 7), ("365d", 40_000)] {
            let mut history = History::default();
            let mut last = None;
            for look in 0..200_000_u64 {
                last = history.see(&over(historical), 7.into(), Mono::from_ms(look * step_ms));
                assert!(history.0.len() <= 62, "{historical}: {}", history.0.len());
            }
            let long = step_ms * 199_999 >= over(historical).historical.ms();
            assert_eq!(last.is_some(), long, "{historical}");
        }
        let mut off = History::default();
        assert_eq!(off.see(&Backup::default(), 7.into(), Mono::default()), None);
        assert!(off.0.is_empty(), "what nobody asks for is not kept");
    }

    #[test]
    fn a_backup_needs_more_and_waits_longer_and_never_loses_its_heartbeat() {
        let relative = Deviation { relative: "1%".parse().unwrap(), ..Deviation::default() };
        for (heartbeat_s, modifier_ms, expected_ms) in [
            (3600, 0, 3_600_000),
            (3600, 30_000, 3_630_000),
            (3600, -30_000, 3_570_000),
            (3600, -3_600_000, 1),
            (3600, i64::MIN, 1),
            (3600, i64::MAX, 3_600_000 + u64::try_from(i64::MAX).unwrap()),
            // Off stays off.
            (0, 30_000, 0),
            (0, -30_000, 0),
        ] {
            let configured = Policy {
                heartbeat: Span::from_s(heartbeat_s),
                deviation: relative.clone(),
                accept_deviation: "2%".parse().unwrap(),
                backup: Backup {
                    coefficient: "250%".parse().unwrap(),
                    heartbeat_modifier_ms: modifier_ms,
                    historical: Span::from_s(300),
                },
                ..Policy::within(1.into(), 2.into())
            };
            let policy = configured.as_backup();
            assert_eq!(policy.heartbeat, Span::from_ms(expected_ms), "{heartbeat_s} {modifier_ms}");
            assert_eq!(policy.deviation.relative, "2.5%".parse().unwrap());
            assert_eq!(policy.accept_deviation, "5%".parse().unwrap());
            assert_eq!(policy.backup.historical, Span::from_s(300));
            assert_eq!(policy.clone().as_backup(), policy, "once is enough");
        }
        let alone = Policy { deviation: relative, ..Policy::within(1.into(), 2.into()) };
        assert_eq!(alone.clone().as_backup(), alone);
    }
}
