//! How soon after a round a deviation may make the next one.

use super::{Deviation, Known};
use crate::price::{Answer, Ratio};
use crate::time::{Span, Wall};

/// The least time between a round and one for a deviation. Heartbeats are exempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Counted from the round's block time; zero: off.
    pub min_interval: Span,
    /// A deviation of this many thresholds does not wait; zero: each one does.
    pub bypass: Ratio,
}

impl Pace {
    /// Whether a deviation to `answer` has to wait.
    pub(super) fn holds(&self, rule: &Deviation, known: &Known, answer: Answer, now: Wall) -> bool {
        let age = now.since(known.updated_at);
        age < self.min_interval && !rule.reaches(self.bypass, known.answer, answer, age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_waits_out_the_interval_unless_it_is_large() {
        let rule = Deviation { relative: "1%".parse().unwrap(), ..Deviation::default() };
        let pace = |bypass: &str| Pace { min_interval: Span::from_s(10), bypass: bypass.parse().unwrap() };
        for (pace, old, new, at_ms, holds) in [
            (pace("0%"), 10_000, 10_100, 9_999, true),
            (pace("0%"), 10_000, 10_100, 10_000, false),
            (pace("0%"), 10_000, 10_100, 10_001, false),
            (pace("0%"), 10_000, 90_000, 0, true),
            (pace("500%"), 10_000, 10_499, 0, true),
            (pace("500%"), 10_000, 10_500, 0, false),
            (pace("500%"), 10_000, 10_501, 0, false),
            (pace("500%"), -10_000, -10_499, 0, true),
            (pace("500%"), -10_000, -10_500, 0, false),
            (pace("500%"), 0, 1, 0, false),
            (pace("500%"), 0, 0, 0, true),
            (pace("500%"), 1, 0, 0, false),
            (pace("10000%"), 1, 0, 0, false),
            (pace("10100%"), 1, 0, 0, true),
            // A clock behind the chain's makes no round early.
            (pace("0%"), 10_000, 10_100, -60_000, true),
            (Pace::default(), 10_000, 10_100, 0, false),
        ] {
            let known = Known { round: 1, answer: old.into(), updated_at: Wall::from_ms(0) };
            let held = pace.holds(&rule, &known, i64::from(new).into(), Wall::from_ms(at_ms));
            assert_eq!(held, holds, "{pace:?} {old} {new} {at_ms}");
        }
    }
}
