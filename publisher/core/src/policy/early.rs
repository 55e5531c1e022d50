//! Which feed of a store rides along with one that is due, although nothing makes a round of its own.

use super::{Known, Policy};
use crate::aggregate::Estimate;
use crate::price::{Answer, Ratio};
use crate::time::{Span, Wall};

/// How near to its own round a feed has to be; each rule by itself suffices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// Whoever may be published does.
    pub always: bool,
    /// It has reached this share of its deviation or of its heartbeat; zero: off.
    pub ratio: Ratio,
    /// Its answer on chain is so old; zero: off.
    pub age: Span,
    /// The value differs by this part from that answer; zero: off.
    pub deviation: Ratio,
    /// The value's confidence is this part of it, or more; zero: off. It is the state that counts here, because riding
    /// along costs no transaction.
    pub confidence_ratio: Ratio,
}

impl Policy {
    /// Whether a round that is not due is nearly so, by the chain's time; or its heartbeat comes within the time
    /// `ahead`. A deviation that has yet to settle is not nearly due.
    pub fn is_near(
        &self,
        known: &Known,
        (answer, value): (Answer, &Estimate),
        early: &Early,
        ahead: Span,
        now: Wall,
    ) -> bool {
        let age = now.since(known.updated_at);
        let part_ms =
            u128::from(self.heartbeat.ms()) * u128::from(early.ratio.ppb()) / u128::from(Ratio::ONE.ppb());
        let part = Span::from_ms(u64::try_from(part_ms).unwrap_or(u64::MAX));
        let aged = early.ratio.ppb() > 0 && self.heartbeat_at(known).is_some() && age >= part;
        let closer = self.deviation.reaches(early.ratio, known.answer, answer, age);
        let old = early.age > Span::ZERO && age >= early.age;
        let apart = early.deviation.ppb() > 0 && known.answer.deviates(answer, early.deviation);
        let soon = ahead > Span::ZERO && self.is_beating(known, now + ahead);
        let unsure =
            early.confidence_ratio.ppb() > 0 && value.confidence >= value.price.share(early.confidence_ratio);
        let near = early.always || aged || closer || old || apart || unsure || soon;
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

    /// Heartbeat 100 s, deviation 1%, an answer of 10,000 at second 0; the value is sure to 1%.
    fn near(early: Early, answer: i64, at_s: u64) -> bool {
        at_round(7, early, answer, at_s)
    }

    fn at_round(round: u64, early: Early, answer: i64, at_s: u64) -> bool {
        let deviation = Deviation { relative: Ratio::from_bps(100), ..Deviation::default() };
        let policy = Policy {
            heartbeat: Span::from_s(100),
            heartbeat_lead: Span::from_s(2),
            deviation,
            ..Policy::within(1.into(), 1_000_000.into())
        };
        let known = Known { round, answer: 10_000.into(), updated_at: Wall::from_s(0) };
        let (price, confidence) = ("100".parse().unwrap(), "1".parse().unwrap());
        let value = Estimate { price, confidence, ..Estimate::default() };
        policy.is_near(&known, (answer.into(), &value), &early, Span::ZERO, Wall::from_s(at_s))
    }

    #[test]
    fn each_rule_suffices_from_its_boundary_on_and_zero_is_off() {
        let ratio = |percent: &str| Early { ratio: percent.parse().unwrap(), ..Early::default() };
        let age = |s: u64| Early { age: Span::from_s(s), ..Early::default() };
        let deviation = |bps: u32| Early { deviation: Ratio::from_bps(bps), ..Early::default() };
        let confidence = |ratio: &str| Early { confidence_ratio: ratio.parse().unwrap(), ..Early::default() };
        let always = Early { always: true, ..Early::default() };
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
            (confidence("1.0001%"), 10_000, 99, false),
            (confidence("1%"), 10_000, 0, true),
            (confidence("0.9999%"), 10_000, 0, true),
            (confidence("1%"), 10_100, 0, false),
            (always, 10_000, 0, true),
            (always, 10_099, 0, true),
            (always, 10_100, 0, false),
            (Early::default(), 10_099, 99, false),
        ] {
            assert_eq!(near(early, answer, at_s), expected, "{early:?} {answer} at {at_s} s");
        }
    }

    /// Without this a feed's first round would be told as another feed's company.
    #[test]
    fn a_first_round_is_nobodys_company() {
        let early = Early { always: true, ..Early::default() };
        assert!(at_round(1, early, 10_000, 0) && !at_round(0, early, 10_000, 0));
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
