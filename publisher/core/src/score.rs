//! How a source did: what operators compare venues by. Nothing here decides anything.

use crate::aggregate::LeftOut;
use crate::price::Price;
use crate::time::Span;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// How often a source was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Score {
    /// Looks, one a second.
    pub looks: u64,
    /// Looks at which it had a quote that passed the gates on single quotes.
    pub answered: u64,
    /// Looks at which it was too far from the others.
    pub outside: u64,
    /// Time in quarantine.
    pub quarantined: Span,
    /// Looks at which it had no vote, by why.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// How old its quotes were at looks.
    pub ages: Ages,
    /// Whether it moves before the others or after them.
    pub moves: Moves,
}

/// Bounds of ages double with every two of these, from 64 ms to 35 minutes.
const BUCKETS: usize = 32;
/// After so many looks, two hours of them, each counts half: a score is about lately.
const LOOKS_MAX: u32 = 7200;

/// How old something was, in steps of a third to a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ages([u32; BUCKETS]);

impl Ages {
    pub(crate) fn count(&mut self, age: Span) {
        let at = bounds().position(|bound| age <= bound).unwrap_or(BUCKETS - 1);
        if let Some(count) = self.0.get_mut(at) {
            *count += 1;
        }
        if self.0.iter().sum::<u32>() >= LOOKS_MAX {
            self.0.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// The age that `percent` of the looks did not exceed, rounded up to the next bound; `None` before the first look.
    pub fn percentile(&self, percent: u32) -> Option<Span> {
        let all = self.0.iter().sum::<u32>();
        let rank = all.saturating_mul(percent).div_ceil(100).max(1);
        let below = self.0.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds().zip(below).find(|(_, below)| *below >= rank).map(|(bound, _)| bound)
    }
}

/// 64, 96, 128, 192, 256 ms and so on.
fn bounds() -> impl Iterator<Item = Span> {
    (0..BUCKETS / 2).flat_map(|power| [2, 3].map(|part| Span::from_ms(part << (power + 5))))
}

/// Moves are compared over so many looks in either direction.
const REACH: usize = 5;
/// Fewer moves that agree say nothing.
const AGREE_MIN: i32 = 20;
/// Beyond so many each counts half.
const AGREE_MAX: i32 = 2000;

/// In which direction a source and the median of the others moved at the last looks, and how often the one did what the
/// other had done so many looks before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Moves {
    last: Option<(Price, Price)>,
    /// The latest directions, newest first: 1 up, −1 down.
    own: [i8; REACH + 1],
    peers: [i8; REACH + 1],
    /// Moves that agreed less those that did not, where the source came so many looks later …
    later: [i32; REACH + 1],
    /// … or earlier; the first of these is the same as above, and not used.
    earlier: [i32; REACH + 1],
}

impl Moves {
    /// A look at which both had a price, or one of them had none.
    pub(crate) fn look(&mut self, both: Option<(Price, Price)>) {
        let before = std::mem::replace(&mut self.last, both);
        let directions = before.zip(both);
        let (own, peers) = directions.map_or((0, 0), |((own_then, peers_then), (own, peers))| {
            (direction(own_then, own), direction(peers_then, peers))
        });
        push(&mut self.own, own);
        push(&mut self.peers, peers);
        tally(&mut self.later, own, &self.peers);
        tally(&mut self.earlier, peers, &self.own);
    }

    /// By how many looks, one a second, it usually moves after the others; below zero before them. `None` while moves
    /// are too few, or agree at several distances alike.
    pub fn lag(&self) -> Option<i8> {
        let later = self.later.iter().zip(0i8..);
        let earlier = self.earlier.iter().zip(0i8..).skip(1).map(|(sum, steps)| (sum, -steps));
        let mut sums: Vec<(i32, i8)> = later.chain(earlier).map(|(sum, steps)| (*sum, steps)).collect();
        sums.sort_unstable_by_key(|(sum, _)| std::cmp::Reverse(*sum));
        let mut best = sums.into_iter();
        let ((sum, steps), (next, _)) = best.next().zip(best.next())?;
        (sum >= AGREE_MIN && sum > next).then_some(steps)
    }
}

fn direction(before: Price, now: Price) -> i8 {
    match now.cmp(&before) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

fn push(directions: &mut [i8; REACH + 1], newest: i8) {
    directions.rotate_right(1);
    if let Some(first) = directions.first_mut() {
        *first = newest;
    }
}

/// Adds how a move compares with those of the other side, each so many looks ago.
fn tally(sums: &mut [i32; REACH + 1], direction: i8, others: &[i8; REACH + 1]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum += i32::from(direction * other);
    }
    if sums.iter().any(|sum| sum.abs() >= AGREE_MAX) {
        sums.iter_mut().for_each(|sum| *sum /= 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(units: i64) -> Price {
        units.to_string().parse().unwrap()
    }

    #[test]
    fn percentiles_are_the_next_bound_above_them() {
        let mut ages = Ages::default();
        assert_eq!(ages.percentile(50), None);
        for ms in 0..1000 {
            ages.count(Span::from_ms(ms));
        }
        assert_eq!(ages.percentile(50), Some(Span::from_ms(512)));
        assert_eq!(ages.percentile(95), Some(Span::from_ms(1024)));
        for _ in 0..20_000 {
            ages.count(Span::from_s(3600));
        }
        // What is older than the last bound is told as that, and what was long ago no longer counts.
        assert_eq!(ages.percentile(5), Some(Span::from_ms(96 << 15)));
    }

    /// A source that says what the others said `delay` looks ago; a random walk, so that no other delay agrees.
    fn lag(delay: i64, moves: usize) -> Option<i8> {
        let mut random = fastrand::Rng::with_seed(7);
        let walk: Vec<i64> = std::iter::repeat_with(|| random.i64(-3..=3)).take(moves + 20).collect();
        let price = |at: i64| {
            let until = usize::try_from(at).unwrap();
            whole(1_000_000 + walk.iter().take(until).sum::<i64>())
        };
        let mut both = Moves::default();
        for at in 10..i64::try_from(moves).unwrap() + 10 {
            both.look(Some((price(at - delay), price(at))));
        }
        both.lag()
    }

    #[test]
    fn who_moves_first_is_known_after_enough_moves() {
        for delay in -5..=5 {
            assert_eq!(lag(delay, 200), i8::try_from(delay).ok());
        }
        assert_eq!(lag(2, 10), None);
        assert_eq!(lag(9, 300), None, "beyond what is compared");
    }

    #[test]
    fn a_price_that_is_not_there_is_no_move() {
        let mut both = Moves::default();
        for at in 1..500 {
            both.look((at % 2 == 0).then(|| (whole(at), whole(at))));
        }
        assert_eq!(both.lag(), None);
    }
}
