//! A deviation that has to show in several looks before it is believed.

use crate::aggregate::Estimate;
use crate::price::{Price, Ratio};
use crate::time::Wall;

/// In how many looks in a row a deviation must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirm {
    /// Distinct values of the same sign in a row; none and one: at once.
    pub ticks: u32,
    /// A deviation of this many thresholds needs no confirmation; zero: each one does.
    pub bypass: Ratio,
}

/// How often in a row the value has deviated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Confirming(Option<Run>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    is_up: bool,
    ticks: u32,
    /// The last value that counted. A look at the same one again says nothing new.
    last: (Wall, Price),
}

impl Confirming {
    /// Takes note of a look: which way the value deviates, or that it does not. Returns whether that is confirmed.
    pub fn see(&mut self, rule: Confirm, deviates: Option<bool>, value: &Estimate) -> bool {
        let this = (value.as_of, value.price);
        self.0 = deviates.map(|is_up| match self.0.filter(|run| run.is_up == is_up) {
            Some(run) if run.last == this => run,
            Some(run) => Run { ticks: run.ticks.saturating_add(1), last: this, ..run },
            None => Run { is_up, ticks: 1, last: this },
        });
        self.0.is_some_and(|run| run.ticks >= rule.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Option<bool> = Some(true);
    const DOWN: Option<bool> = Some(false);

    /// Looks at a sequence of values: which way they deviate, when they were true, and whether that is confirmed.
    fn looks(ticks: u32, looks: &[(Option<bool>, u64, bool)]) {
        let mut confirming = Confirming::default();
        for (at, (deviates, as_of_s, confirmed)) in looks.iter().enumerate() {
            let as_of = Wall::from_s(*as_of_s);
            let value = Estimate { price: Price::one(), spread: Price::ZERO, venues: 3, as_of };
            let rule = Confirm { ticks, bypass: Ratio::default() };
            assert_eq!(confirming.see(rule, *deviates, &value), *confirmed, "{ticks} ticks, look {at}");
        }
    }

    #[test]
    fn off_is_at_once() {
        for ticks in [0, 1] {
            looks(ticks, &[(UP, 1, true), (None, 2, false), (DOWN, 3, true)]);
        }
    }

    #[test]
    fn only_distinct_values_of_one_sign_in_a_row_count() {
        looks(3, &[(UP, 1, false), (UP, 2, false), (UP, 3, true), (UP, 4, true)]);
        looks(3, &[(UP, 1, false), (UP, 1, false), (UP, 1, false), (UP, 2, false), (UP, 3, true)]);
        looks(2, &[(UP, 1, false), (DOWN, 2, false), (UP, 3, false), (UP, 4, true), (UP, 4, true)]);
        looks(2, &[(UP, 1, false), (None, 2, false), (UP, 3, false), (UP, 4, true)]);
    }

    /// Venues without a time of their own may repeat it with another price.
    #[test]
    fn another_price_of_the_same_instant_is_another_value() {
        let mut confirming = Confirming::default();
        let rule = Confirm { ticks: 2, bypass: Ratio::default() };
        for (price, confirmed) in [("1", false), ("1", false), ("1.1", true)] {
            let price = price.parse().unwrap();
            let value = Estimate { price, spread: Price::ZERO, venues: 3, as_of: Wall::from_s(1) };
            assert_eq!(confirming.see(rule, UP, &value), confirmed, "{price}");
        }
    }
}
