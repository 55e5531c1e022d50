//! Which feed of a store rides along with one that is due, although nothing makes a round of its own.

use super::{Known, Policy};
use crate::price::{Answer, Ratio};
use crate::time::{Span, Wall};

/// How near to its own round a feed has to be; each rule by itself suffices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// It has reached this share of its deviation or of its heartbeat; zero: off.
    pub ratio: Ratio,
    /// Its answer on chain is so old; zero: off.
    pub age: Span,
    /// The value differs by this part from that answer; zero: off.
    pub deviation: Ratio,
}

impl Policy {
    /// Whether a round that is not due is nearly so, by the chain's time; or its heartbeat comes within the time
    /// `ahead`. A deviation that has yet to settle is not nearly due.
    pub fn is_near(&self, known: &Known, answer: Answer, early: &Early, ahead: Span, now: Wall) -> bool {
        let age = now.since(known.updated_at);
        let part_ms =
            u128::from(self.heartbeat.ms()) * u128::from(early.ratio.ppb()) / u128::from(Ratio::ONE.ppb());
        let part = Span::from_ms(u64::try_from(part_ms).unwrap_or(u64::MAX));
        let aged = early.ratio.ppb() > 0 && self.heartbeat_at(known).is_some() && age >= part;
        let closer = self.deviation.reaches(early.ratio, known.answer, answer, age);
        let old = early.age > Span::ZERO && age >= early.age;
        let apart = early.deviation.ppb() > 0 && known.answer.deviates(answer, early.deviation);
        let soon = ahead > Span::ZERO && self.is_beating(known, now + ahead);
        let near = aged || closer || old || apart || soon;
        known.round > 0 && near && !self.deviation.fires(known.answer, answer, age)
    }

    /// Whether a heartbeat comes whenever one of this period does, so that both may as well come together.
    pub fn beats_with(&self, other: Span) -> bool {
        other.ms().checked_rem(self.heartbeat.ms()) == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Deviation;

    /// Heartbeat 100 s, deviation 1%, an answer of 10,000 at second 0.
    fn near(early: Early, answer: i64, at_s: u64) -> bool {
        let deviation = Deviation { relative: Ratio::from_bps(100), ..Deviation::default() };
        let policy = Policy {
            heartbeat: Span::from_s(100),
            heartbeat_lead: Span::from_s(2),
            deviation,
            ..Policy::within(1.into(), 1_000_000.into())
        };
        let known = Known { round: 7, answer: 10_000.into(), updated_at: Wall::from_s(0) };
        policy.is_near(&known, answer.into(), &early, Span::ZERO, Wall::from_s(at_s))
    }

    #[test]
    fn each_rule_suffices_from_its_boundary_on_and_zero_is_off() {
        let ratio = |percent: &str| Early { ratio: percent.parse().unwrap(), ..Early::default() };
        let age = |s: u64| Early { age: Span::from_s(s), ..Early::default() };
        let deviation = |bps: u32| Early { deviation: Ratio::from_bps(bps), ..Early::default() };
        for (early, answer, at_s, expected) in [
            (ratio("80%"), 10_000, 79, false),
            (ratio("80%"), 10_000, 80, true),
            (ratio("80%"), 10_079, 0, false),
            (ratio("80%"), 10_080, 0, true),
            (ratio("80%"), 9_920, 0, true),
            (age(30), 10_000, 29, false),
            (age(30), 10_000, 30, true),
            (age(30), 10_099, 0, false),
            (deviation(30), 10_029, 0, false),
            (deviation(30), 10_030, 0, true),
            (deviation(30), 9_970, 0, true),
            (deviation(30), 10_000, 99, false),
            // What has crossed its own threshold is due, or has yet to settle.
            (deviation(30), 10_100, 0, false),
            (Early { age: Span::from_s(30), ..deviation(30) }, 10_030, 29, true),
            (Early::default(), 10_099, 99, false),
        ] {
            assert_eq!(near(early, answer, at_s), expected, "{early:?} {answer} at {at_s} s");
        }
    }

    #[test]
    fn a_heartbeat_comes_with_those_of_its_multiples() {
        for (own_s, other_s, together) in
            [(60, 60, true), (60, 3600, true), (3600, 60, false), (50, 60, false), (0, 60, false)]
        {
            let policy = Policy { heartbeat: Span::from_s(own_s), ..Policy::within(1.into(), 2.into()) };
            assert_eq!(policy.beats_with(Span::from_s(other_s)), together, "{own_s} {other_s}");
        }
    }
}
