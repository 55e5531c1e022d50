//! Medians of weighted values, exact and the same for every order of the same values.

use super::Measured;
use crate::price::{Price, Ratio};

/// What a vote counts. Only the proportions matter.
pub(super) type Weight = u64;

/// The largest weight that a volume is given, so that the others keep six digits.
const VOLUME_SCALE: u64 = 1_000_000;

/// The weighted median: the smallest value at which half of the weight is reached; where exactly half is reached, the
/// exact middle between it and the next one. With equal weights it is the median. `None` for no values.
pub(super) fn median(values: Vec<(Price, Weight)>) -> Option<Price> {
    let (low, high) = middle(values)?;
    Some(if low == high { low } else { low.middle(high) })
}

/// The two values that the median is between; one and the same except where exactly half of the weight is reached.
pub(super) fn middle(mut values: Vec<(Price, Weight)>) -> Option<(Price, Price)> {
    let (at, exact) = half(&mut values)?;
    let low = values.get(at)?.0;
    let high = values.get(at + 1).filter(|_| exact).map_or(low, |(high, _)| *high);
    Some((low, high))
}

/// Sorts; where half of the weight is reached, and whether exactly.
fn half(values: &mut [(Price, Weight)]) -> Option<(usize, bool)> {
    values.sort_unstable();
    let whole: u128 = values.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let mut reached = 0u128;
    let at = values.iter().position(|(_, weight)| {
        reached += u128::from(*weight);
        reached * 2 >= whole
    })?;
    Some((at, reached * 2 == whole))
}

/// Whether one of the weights decides alone: more than half of the whole, or half of three or more.
pub fn has_dictator(weights: &[Weight]) -> bool {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let largest = weights.iter().max().map_or(0, |weight| u128::from(*weight) * 2);
    match weights.len() {
        0 | 1 => false,
        2 => largest > whole,
        _ => largest >= whole,
    }
}

/// The largest share of the whole that one of the weights has, beside the half that it must not have.
pub(super) fn largest(weights: &[Weight]) -> Measured {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let largest = weights.iter().max().map_or(0, |weight| u128::from(*weight));
    let ppb = largest.saturating_mul(u128::from(Ratio::ONE.ppb())).checked_div(whole).unwrap_or(0);
    let is = Ratio::from_ppb(u64::try_from(ppb).unwrap_or(u64::MAX));
    Measured::Part { is, limit: Ratio::from_bps(5_000) }
}

/// The effective number of votes, (Σw)²/Σw², in thousandths: 3,000 for three equal ones, rounded down.
pub(super) fn effective_milli(weights: &[Weight]) -> u64 {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let squares: u128 = weights.iter().map(|weight| u128::from(*weight) * u128::from(*weight)).sum();
    let milli = whole.saturating_mul(whole).saturating_mul(1000).checked_div(squares).unwrap_or(0);
    u64::try_from(milli).unwrap_or(u64::MAX)
}

/// Weights in proportion to volumes, none above `cap` of the whole: what a venue says about its volume is its own word.
/// One that says nothing gets the smallest weight of those that do. Where so few votes cannot keep the cap, all are equal.
pub(super) fn by_volume(volumes: &[Option<Price>], cap: Ratio) -> Vec<Weight> {
    let told = || volumes.iter().flatten().filter(|volume| volume.is_positive());
    let (Some(most), Some(least)) = (told().max(), told().min()) else { return vec![1; volumes.len()] };
    let scaled: Vec<Weight> = volumes
        .iter()
        .map(|volume| {
            let volume = volume.filter(|volume| volume.is_positive()).unwrap_or(*least);
            volume.part_of(*most).map_or(1, |part| (part.ppb() / (Ratio::ONE.ppb() / VOLUME_SCALE)).max(1))
        })
        .collect();
    let limit = limit(&scaled, cap);
    scaled.into_iter().map(|weight| weight.min(limit)).collect()
}

/// The weight at which the largest ones are cut so that none has more than `cap` of what remains.
fn limit(weights: &[Weight], cap: Ratio) -> Weight {
    let mut falling = weights.to_vec();
    falling.sort_unstable_by(|a, b| b.cmp(a));
    let (whole, cap) = (u128::from(Ratio::ONE.ppb()), u128::from(cap.ppb()));
    let mut rest: u128 = falling.iter().map(|weight| u128::from(*weight)).sum();
    for (cut, largest) in (0u128..).zip(&falling) {
        // With so many cut to the limit L: L = cap × (cut × L + rest).
        let Some(uncut) = whole.checked_sub(cap * cut).filter(|uncut| *uncut > 0) else { break };
        let limit = rest * cap / uncut;
        if u128::from(*largest) <= limit {
            return if cut == 0 { *largest } else { u64::try_from(limit.max(1)).unwrap_or(u64::MAX) };
        }
        rest -= u128::from(*largest);
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(value: u64) -> Price {
        value.to_string().parse().unwrap()
    }

    fn of(values: &[(u64, Weight)]) -> Option<String> {
        median(values.iter().map(|(value, weight)| (price(*value), *weight)).collect()).map(|p| p.to_string())
    }

    #[test]
    fn half_of_the_weight_decides() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(7, 1)]).unwrap(), "7");
        assert_eq!(of(&[(1, 1), (2, 1)]).unwrap(), "1.5");
        assert_eq!(of(&[(9, 1), (1, 1), (2, 1)]).unwrap(), "2");
        assert_eq!(of(&[(1, 3), (2, 1), (3, 1)]).unwrap(), "1");
        assert_eq!(of(&[(1, 2), (2, 1), (3, 1)]).unwrap(), "1.5", "exactly half is reached");
        assert_eq!(of(&[(1, 1), (2, 2), (9, 2)]).unwrap(), "2");
        assert_eq!(of(&[(1, u64::MAX), (2, u64::MAX), (3, 1)]).unwrap(), "2", "sums do not wrap");
    }

    #[test]
    fn a_dictator_has_half_of_many_or_more_than_half_of_two() {
        for (weights, dictated) in [
            (&[1][..], false),
            (&[1, 1], false),
            (&[2, 1], true),
            (&[1, 1, 1], false),
            (&[2, 1, 1], true),
            (&[2, 1, 1, 1], false),
            (&[u64::MAX, u64::MAX, u64::MAX], false),
        ] {
            assert_eq!(has_dictator(weights), dictated, "{weights:?}");
        }
    }

    #[test]
    fn effective_numbers_in_thousandths() {
        assert_eq!(effective_milli(&[]), 0);
        assert_eq!(effective_milli(&[5, 5, 5]), 3000);
        assert_eq!(effective_milli(&[2, 1, 1]), 2666);
    }

    #[test]
    fn volumes_weigh_up_to_the_cap() {
        let weigh = |volumes: &[u64]| {
            let volumes: Vec<_> = volumes.iter().map(|v| (*v > 0).then(|| price(*v))).collect();
            by_volume(&volumes, Ratio::from_bps(3400))
        };
        assert_eq!(weigh(&[0, 0]), [1, 1], "nobody says anything");
        assert_eq!(weigh(&[10, 10, 10]), [1_000_000; 3]);
        assert_eq!(weigh(&[1_000_000_000, 1, 1]), [1; 3], "the cap cannot be kept but by equals");
        assert_eq!(weigh(&[5, 4, 0, 3]), [1_000_000, 800_000, 600_000, 600_000]);
        assert_eq!(weigh(&[10, 3, 3]), [309_090, 300_000, 300_000]);
    }

    proptest! {
        /// Whatever a venue says about its volume, it has at most the cap.
        #[test]
        fn no_volume_buys_more_than_the_cap(volumes in prop::collection::vec(0u64..1 << 40, 3..12)) {
            let volumes: Vec<_> = volumes.iter().map(|v| (*v > 0).then(|| price(*v))).collect();
            let weights = by_volume(&volumes, Ratio::from_bps(3400));
            let whole: u128 = weights.iter().map(|w| u128::from(*w)).sum();
            for weight in &weights {
                prop_assert!(*weight >= 1);
                prop_assert!(u128::from(*weight) * 10_000 <= whole * 3400, "{weights:?}");
            }
        }
    }
}
