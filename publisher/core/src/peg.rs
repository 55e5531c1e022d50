//! When a stable asset has lost its peg: told apart from noise by hysteresis, and never by one venue's word.
//!
//! A rate is taken as it is, whatever its peg; nothing is ever clamped to one. What is known here is a mode that people
//! are told of, and in which feeds may leave out what the rate converts (`Rules::drop_depegged`) and publish more often
//! (`Policy::depeg_heartbeat`).

use crate::aggregate::Estimate;
use crate::price::{Price, Ratio};
use crate::time::{Mono, Now, Span, Wall};

/// When a rate that should be one counts as off its peg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peg {
    /// So far from one, or further, the peg is lost.
    pub enter: Ratio,
    /// Only nearer to one than this it may be had again.
    pub exit: Ratio,
    /// Looks in a row, each at newer quotes, that have to find it lost; at least 1.
    pub looks: u32,
    /// Families that have to stand behind each of those looks.
    pub families: usize,
    /// How long it has to stay near to one without a break.
    pub calm: Span,
}

/// What is known of a peg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pegged {
    lost: bool,
    looks: u32,
    /// When the oldest quote of the last look that counted was true.
    seen: Wall,
    /// Since when it has been near to one again.
    calm: Option<Mono>,
}

impl Pegged {
    /// Whether it is lost.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Takes note of a look; `true` if that has changed whether it is lost. A look without a value, or that too few
    /// stand behind, says neither that the peg is lost nor that it is had again.
    pub fn see(&mut self, rule: &Peg, value: Option<&Estimate>, now: Now) -> bool {
        let Some(value) = value.filter(|value| value.families >= rule.families) else {
            (self.looks, self.calm) = (0, None);
            return false;
        };
        let off = value.price.distance(Price::one());
        if self.lost {
            let near = off < Price::one().share(rule.exit);
            self.calm = near.then(|| self.calm.unwrap_or(now.mono));
            if self.calm.is_none_or(|since| now.mono.since(since) < rule.calm) {
                return false;
            }
            *self = Self { seen: value.as_of, ..Self::default() };
            return true;
        }
        if off < Price::one().share(rule.enter) {
            self.looks = 0;
        } else if self.looks == 0 || value.as_of > self.seen {
            (self.looks, self.seen) = (self.looks.saturating_add(1), value.as_of);
        }
        self.lost = self.looks >= rule.looks.max(1);
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Peg = Peg {
        enter: Ratio::from_bps(100),
        exit: Ratio::from_bps(50),
        looks: 3,
        families: 3,
        calm: Span::from_s(600),
    };

    /// Looks at a rate: the second, the price, when its oldest quote was true, and the families; what each one changes.
    fn looks(looks: &[(u64, &str, u64, usize, bool)]) -> Pegged {
        let mut pegged = Pegged::default();
        for (at, price, as_of, families, changes) in looks {
            let value = Estimate {
                price: price.parse().unwrap(),
                as_of: Wall::from_s(*as_of),
                families: *families,
                ..Estimate::default()
            };
            let now = Now { wall: Wall::from_s(*at), mono: Mono::from_ms(*at * 1_000) };
            assert_eq!(pegged.see(&RULE, Some(&value), now), *changes, "at {at}: {price}");
        }
        pegged
    }

    #[test]
    fn a_peg_is_lost_after_three_looks_at_newer_quotes_by_three_families() {
        let lost = |all: &[(u64, &str, u64, usize, bool)]| looks(all).is_lost();
        assert!(lost(&[(1, "0.99", 1, 3, false), (2, "0.98", 2, 3, false), (3, "0.985", 3, 3, true)]));
        assert!(lost(&[(1, "1.01", 1, 3, false), (2, "1.02", 2, 4, false), (3, "1.05", 3, 3, true)]));
        // The same quotes again say nothing new.
        assert!(!lost(&[(1, "0.9", 1, 3, false), (2, "0.9", 1, 3, false), (3, "0.9", 1, 3, false)]));
        // Near to one in between, and too few families in between.
        assert!(!lost(&[(1, "0.9", 1, 3, false), (2, "0.9901", 2, 3, false), (3, "0.9", 3, 3, false)]));
        let few = [(1, "0.9", 1, 3, false), (2, "0.9", 2, 2, false), (3, "0.9", 3, 3, false)];
        assert!(!lost(&few));
    }

    #[test]
    fn it_is_had_again_after_ten_minutes_near_to_one_without_a_break() {
        let mut pegged = looks(&[(1, "0.9", 1, 3, false), (2, "0.9", 2, 3, false), (3, "0.9", 3, 3, true)]);
        let mut see = |at: u64, price: Option<&str>| {
            let value = price.map(|price| Estimate {
                price: price.parse().unwrap(),
                as_of: Wall::from_s(at),
                families: 3,
                ..Estimate::default()
            });
            let now = Now { wall: Wall::from_s(at), mono: Mono::from_ms(at * 1_000) };
            pegged.see(&RULE, value.as_ref(), now).then_some(pegged.is_lost())
        };
        // Between the thresholds it stays as it is.
        assert_eq!(see(10, Some("0.993")), None);
        assert_eq!(see(20, Some("0.9951")), None);
        assert_eq!(see(619, Some("0.999")), None);
        // No value is no calm.
        assert_eq!(see(620, None), None);
        assert_eq!(see(621, Some("1.001")), None);
        assert_eq!(see(1_220, Some("1")), None);
        assert_eq!(see(1_221, Some("1")), Some(false));
        // And it can be lost again.
        assert_eq!(see(1_222, Some("1.02")), None);
        assert_eq!(see(1_223, Some("1.02")), None);
        assert_eq!(see(1_224, Some("1.02")), Some(true));
    }
}
