//! Whether a value is far enough from the answer on chain.

use super::Policy;
use crate::price::{Answer, Ratio};
use crate::time::Span;
use alloy_primitives::U256;

/// How two deviation thresholds combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// Either suffices.
    #[default]
    Any,
    /// Both are needed.
    All,
}

/// The distance from the answer on chain that makes a round. It fires at the threshold; the default is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deviation {
    /// Relative to the answer on chain; zero: off.
    pub relative: Ratio,
    /// What the relative threshold becomes as the answer on chain ages: it runs straight from `relative` at age zero
    /// through these points, whose ages rise and whose thresholds do not, and stays at the last one.
    pub decay: Vec<(Span, Ratio)>,
    /// In units of the aggregator's integer; zero: off.
    pub absolute: U256,
    /// How the two combine when both are on.
    pub combine: Combine,
    /// Any difference at all suffices, whatever the thresholds say.
    pub on_change: bool,
}

impl Deviation {
    /// Whether any rule of it is on.
    pub fn is_on(&self) -> bool {
        self.on_change || self.relative.ppb() > 0 || !self.absolute.is_zero()
    }

    /// The relative threshold for an answer of this age. Between two points it is rounded up, to a part per billion.
    pub fn threshold(&self, age: Span) -> Ratio {
        if self.relative.ppb() == 0 {
            return self.relative;
        }
        let mut from = (Span::ZERO, self.relative);
        for &(at, threshold) in &self.decay {
            if age < at {
                let fall = u128::from(from.1.ppb().saturating_sub(threshold.ppb()));
                let (part, whole) = (age.less(from.0).ms(), at.less(from.0).ms().max(1));
                let fallen = fall * u128::from(part) / u128::from(whole);
                let fallen = u64::try_from(fallen).unwrap_or(u64::MAX);
                return Ratio::from_ppb(from.1.ppb().saturating_sub(fallen));
            }
            from = (at, threshold);
        }
        from.1
    }

    /// The same with thresholds that are so many times as large, rounded up. Any difference at all remains one.
    pub fn widened(self, factor: Ratio) -> Self {
        let (factor_ppb, whole) = (U256::from(factor.ppb()), U256::from(Ratio::ONE.ppb()));
        Self {
            relative: self.relative.scaled(factor),
            decay: self.decay.into_iter().map(|(age, ratio)| (age, ratio.scaled(factor))).collect(),
            absolute: self.absolute.saturating_mul(factor_ppb).div_ceil(whole),
            ..self
        }
    }

    /// Whether `new` is far enough from `old`, which has been on chain for `age`.
    pub fn fires(&self, old: Answer, new: Answer, age: Span) -> bool {
        (self.on_change && old != new) || self.reaches(Ratio::ONE, old, new, age)
    }

    /// Whether it has gone this share of the way, which may be more than one. A share of zero is never reached.
    pub fn reaches(&self, share: Ratio, old: Answer, new: Answer, age: Span) -> bool {
        let relative = u128::from(self.threshold(age).ppb()) * u128::from(share.ppb());
        let relative = u64::try_from(relative / u128::from(Ratio::ONE.ppb())).unwrap_or(u64::MAX);
        let relative = (relative > 0).then(|| old.deviates(new, Ratio::from_ppb(relative)));
        let (whole, part) = (U256::from(Ratio::ONE.ppb()), U256::from(share.ppb()));
        let absolute = self.absolute.saturating_mul(part) / whole;
        let absolute = (!absolute.is_zero()).then(|| old.distance(new) >= absolute);
        match (relative, absolute, self.combine) {
            (Some(relative), Some(absolute), Combine::All) => relative && absolute,
            (relative, absolute, _) => relative.unwrap_or(false) || absolute.unwrap_or(false),
        }
    }
}

impl Policy {
    /// The same with thresholds that are so many times as large, those for what is on its way as well.
    pub(super) fn widened(self, factor: Ratio) -> Self {
        Self {
            deviation: self.deviation.widened(factor),
            accept_deviation: self.accept_deviation.scaled(factor),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        text.parse().unwrap()
    }

    fn relative(text: &str) -> Deviation {
        Deviation { relative: text.parse().unwrap(), ..Deviation::default() }
    }

    fn absolute(units: &str) -> Deviation {
        Deviation { absolute: units.parse().unwrap(), ..Deviation::default() }
    }

    fn on_change() -> Deviation {
        Deviation { on_change: true, ..Deviation::default() }
    }

    /// One below, at and above the threshold; from and to zero; negative; large; off.
    #[test]
    fn each_threshold_fires_exactly_from_its_boundary_on() {
        let wide = "100000000000000000000000000000";
        for (rule, old, new, fires) in [
            (relative("0.5%"), "10000", "10049", false),
            (relative("0.5%"), "10000", "10050", true),
            (relative("0.5%"), "10000", "10051", true),
            (relative("0.5%"), "10000", "9951", false),
            (relative("0.5%"), "10000", "9950", true),
            (relative("0.5%"), "0", "1", true),
            (relative("0.5%"), "1", "0", true),
            (relative("0.5%"), "0", "0", false),
            (relative("0.5%"), "-10000", "-10049", false),
            (relative("0.5%"), "-10000", "-10050", true),
            (relative("50%"), "-100", "-150", true),
            (relative("0.5%"), "-100", "-100", false),
            (relative("0.5%"), "-1", "1", true),
            (relative("0.5%"), wide, "100499999999999999999999999999", false),
            (relative("0.5%"), wide, "100500000000000000000000000000", true),
            (relative("0.5%"), wide, "100500000000000000000000000001", true),
            (relative("0%"), "1", wide, false),
            (absolute("100"), "10000", "10099", false),
            (absolute("100"), "10000", "10100", true),
            (absolute("100"), "10000", "10101", true),
            (absolute("100"), "-50", "50", true),
            (absolute("100"), "0", "99", false),
            (absolute("100"), "100", "0", true),
            (absolute("100"), "0", "0", false),
            (absolute("100"), wide, "100000000000000000000000000099", false),
            (absolute("100"), wide, "100000000000000000000000000100", true),
            (absolute("0"), "1", wide, false),
            (on_change(), "10000", "10000", false),
            (on_change(), "10000", "10001", true),
            (on_change(), "10000", "9999", true),
            (on_change(), "0", "1", true),
            (on_change(), "1", "0", true),
            (on_change(), "0", "0", false),
            (on_change(), "-1", "1", true),
            (on_change(), wide, "100000000000000000000000000001", true),
            (Deviation::default(), "1", wide, false),
        ] {
            assert_eq!(rule.fires(answer(old), answer(new), Span::ZERO), fires, "{rule:?} {old} {new}");
        }
    }

    #[test]
    fn a_change_suffices_whatever_both_thresholds_need() {
        let both = Deviation { combine: Combine::All, absolute: U256::from(100), ..relative("1%") };
        assert!(!both.fires(answer("10000"), answer("10001"), Span::ZERO));
        let both = Deviation { on_change: true, ..both };
        assert!(both.fires(answer("10000"), answer("10001"), Span::ZERO));
    }

    #[test]
    fn a_share_scales_both_thresholds_and_not_the_change() {
        let both = Deviation { combine: Combine::All, absolute: U256::from(100), ..relative("1%") };
        let both = Deviation { on_change: true, ..both };
        let percent = |text: &str| text.parse::<Ratio>().unwrap();
        for (share, new, reached) in [
            ("80%", "10079", false),
            ("80%", "10080", true),
            ("300%", "10299", false),
            ("300%", "10300", true),
            ("0%", "99999", false),
        ] {
            let reaches = both.reaches(percent(share), answer("10000"), answer(new), Span::ZERO);
            assert_eq!(reaches, reached, "{share} {new}");
        }
        assert!(!relative("100%").reaches(Ratio::from_ppb(u64::MAX), answer("1"), answer("9"), Span::ZERO));
    }

    #[test]
    fn widened_thresholds_are_so_many_times_as_large_rounded_up_and_a_change_is_one() {
        let decay = vec![(Span::from_s(60), "0.2%".parse().unwrap())];
        let rule = Deviation { decay, absolute: U256::from(101), combine: Combine::All, ..relative("1%") };
        for (factor, wide, decayed, units) in [
            ("100%", "1%", "0.2%", 101),
            ("250%", "2.5%", "0.5%", 253),
            ("100.0000001%", "1.0000001%", "0.2000001%", 102),
            ("100000%", "1000%", "200%", 101_000),
        ] {
            let widened = rule.clone().widened(factor.parse().unwrap());
            let expected = Deviation { absolute: U256::from(units), ..relative(wide) };
            let decay = vec![(Span::from_s(60), decayed.parse().unwrap())];
            assert_eq!(widened, Deviation { decay, combine: Combine::All, ..expected }, "{factor}");
        }
        let huge = Deviation { absolute: U256::MAX, ..relative("1000000000%") };
        assert_eq!(huge.widened(Ratio::from_ppb(u64::MAX)).relative.ppb(), u64::MAX);
        assert_eq!(Deviation::default().widened("300%".parse().unwrap()), Deviation::default());
        assert_eq!(on_change().widened("300%".parse().unwrap()), on_change());
        // At three times 1%, one below, at and above.
        let rule = relative("1%").widened("300%".parse().unwrap());
        for (new, fires) in [("10299", false), ("10300", true), ("10301", true), ("9701", false)] {
            assert_eq!(rule.fires(answer("10000"), answer(new), Span::ZERO), fires, "{new}");
        }
    }

    #[test]
    fn a_threshold_falls_with_age_without_a_step() {
        let points = [("10m", "1%"), ("20m", "1%"), ("1h", "0.2%")];
        let decay = points.map(|(age, ratio)| (age.parse().unwrap(), ratio.parse().unwrap()));
        let rule = Deviation { decay: decay.to_vec(), ..relative("5%") };
        for (age, threshold) in [
            ("0s", "5%"),
            ("1ms", "4.9999934%"),
            ("5m", "3%"),
            ("10m", "1%"),
            ("15m", "1%"),
            ("20m", "1%"),
            ("40m", "0.6%"),
            ("1h", "0.2%"),
            ("9d", "0.2%"),
        ] {
            assert_eq!(rule.threshold(age.parse().unwrap()), threshold.parse().unwrap(), "{age}");
        }
        let age = "5m".parse().unwrap();
        for (new, fires) in [("10299", false), ("10300", true), ("10301", true)] {
            assert_eq!(rule.fires(answer("10000"), answer(new), age), fires, "{new}");
        }
        assert_eq!(Deviation { relative: Ratio::default(), ..rule }.threshold(Span::ZERO), Ratio::default());
    }
}
