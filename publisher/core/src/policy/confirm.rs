//! A deviation that has to show in several looks before it is believed.

use crate::aggregate::Estimate;
use crate::price::Ratio;
use crate::time::Wall;

/// In how many looks in a row a deviation must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirm {
    /// Looks in a row that deviate the same way, each at newer quotes; none and one: at once.
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
    /// When the oldest quote of the last look that counted was true. Until that quote has been renewed, a look says
    /// nothing new, whichever quote moved.
    last: Wall,
}

impl Confirming {
    /// Takes note of a look: which way the value deviates, or that it does not. Returns whether that is confirmed.
    pub fn see(&mut self, rule: Confirm, deviates: Option<bool>, value: &Estimate) -> bool {
        self.0 = deviates.map(|is_up| match self.0.filter(|run| run.is_up == is_up) {
            Some(run) if value.as_of <= run.last => run,
            Some(run) => Run { ticks: run.ticks.saturating_add(1), last: value.as_of, ..run },
            None => Run { is_up, ticks: 1, last: value.as_of },
        });
        self.0.is_some_and(|run| run.ticks >= rule.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Price;

    const UP: Option<bool> = Some(true);
    const DOWN: Option<bool> = Some(false);

    /// Looks at a sequence of values: which way they deviate, when they were true, and whether that is confirmed.
    fn looks(ticks: u32, looks: &[(Option<bool>, u64, bool)]) {
        let mut confirming = Confirming::default();
        for (at, (deviates, as_of_s, confirmed)) in looks.iter().enumerate() {
            let as_of = Wall::from_s(*as_of_s);
            let value = Estimate { price: Price::one(), families: 3, as_of, ..Estimate::default() };
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
    fn only_newer_quotes_of_one_sign_in_a_row_count() {
        looks(3, &[(UP, 1, false), (UP, 2, false), (UP, 3, true), (UP, 4, true)]);
        looks(3, &[(UP, 2, false), (UP, 2, false), (UP, 1, false), (UP, 3, false), (UP, 4, true)]);
        looks(2, &[(UP, 1, false), (DOWN, 2, false), (UP, 3, false), (UP, 4, true), (UP, 4, true)]);
        looks(2, &[(UP, 1, false), (None, 2, false), (UP, 3, false), (UP, 4, true)]);
    }
}
