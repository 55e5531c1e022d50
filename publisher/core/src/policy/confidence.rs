//! A round when a value has become much less sure than it was.

use super::Known;
use crate::aggregate::Estimate;
use crate::price::Ratio;

/// How unsure a value has to become to make a round.
///
/// It is the crossing that makes a round, not the state: venues that disagree for an hour would otherwise be paid for in
/// every block of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confidence {
    /// The value's confidence, as a part of it, that makes a round; zero: off.
    pub ratio: Ratio,
    /// Only a value that has been surer than this since can make another one.
    pub rearm: Ratio,
}

/// Where a value stands between sure and unsure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Crossing {
    /// It has not been sure since the last round that it made, or at all: a process that is started again and again
    /// while venues disagree makes no round by that.
    #[default]
    Spent,
    /// It has been sure.
    Armed,
    /// It was sure and is not any more. A round is due, until there is one after this.
    Due(u64),
}

impl Crossing {
    /// Takes note of a look; whether a round is due by it.
    pub fn see(&mut self, rule: &Confidence, known: &Known, value: &Estimate) -> bool {
        if rule.ratio == Ratio::default() {
            return false;
        }
        let is_sure = value.confidence < value.price.share(rule.rearm);
        let is_unsure = value.confidence >= value.price.share(rule.ratio);
        *self = match *self {
            _ if is_sure => Self::Armed,
            Self::Due(round) if known.round > round => Self::Spent,
            Self::Armed if is_unsure => Self::Due(known.round),
            other => other,
        };
        matches!(self, Self::Due(_))
    }

    /// Whether a value that becomes unsure now makes a round.
    pub const fn is_armed(self) -> bool {
        matches!(self, Self::Armed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    /// Looks at values of 100: the chain's round, their confidence, and whether a round is due.
    fn looks(ratio: &str, rearm: &str, looks: &[(u64, &str, bool)]) -> Crossing {
        let rule = Confidence { ratio: ratio.parse().unwrap(), rearm: rearm.parse().unwrap() };
        let mut crossing = Crossing::default();
        for (at, (round, confidence, due)) in looks.iter().enumerate() {
            let known = Known { round: *round, answer: 1.into(), updated_at: Wall::from_s(0) };
            let (price, confidence) = ("100".parse().unwrap(), confidence.parse().unwrap());
            let value = Estimate { price, confidence, ..Estimate::default() };
            assert_eq!(crossing.see(&rule, &known, &value), *due, "look {at}");
        }
        crossing
    }

    #[test]
    fn a_crossing_from_sure_to_unsure_is_due_and_its_state_is_not() {
        // One below the threshold, at it, and above; one below what arms it, at it, and above.
        looks("1%", "0.5%", &[(1, "0.4999", false), (1, "0.9999", false)]);
        looks("1%", "0.5%", &[(1, "0.4999", false), (1, "1", true)]);
        looks("1%", "0.5%", &[(1, "0.4999", false), (1, "1.0001", true)]);
        looks("1%", "0.5%", &[(1, "0.5", false), (1, "2", false)]);
        looks("1%", "0.5%", &[(1, "0.5001", false), (1, "2", false)]);
        // One round for as long as it lasts, whoever wrote it; another one after it was sure in between.
        looks(
            "1%",
            "0.5%",
            &[(1, "0.1", false), (1, "2", true), (1, "2", true), (2, "2", false), (9, "9", false)],
        );
        looks("1%", "0.5%", &[(1, "0.1", false), (1, "2", true), (2, "0.9", false), (2, "2", false)]);
        looks("1%", "0.5%", &[(1, "0.1", false), (1, "2", true), (2, "0.4", false), (2, "2", true)]);
        // What has crossed is due until it is sure again, and a reorg that takes rounds back serves nothing.
        looks("1%", "0.5%", &[(1, "0.1", false), (1, "2", true), (1, "0.5", true), (1, "0.4", false)]);
        looks("1%", "0.5%", &[(5, "0.1", false), (5, "2", true), (4, "2", true), (6, "2", false)]);
    }

    #[test]
    fn what_begins_unsure_is_no_crossing_and_zero_is_off() {
        looks("1%", "0.5%", &[(1, "2", false), (1, "0.7", false), (1, "2", false)]);
        let off = looks("0%", "0.5%", &[(1, "0.1", false), (1, "99", false)]);
        assert!(!off.is_armed());
        assert!(looks("1%", "0.5%", &[(1, "0.1", false)]).is_armed());
    }
}
