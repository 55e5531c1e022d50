//! What every market costs at a moment: fixed, along a script, or on a seeded walk; the same or not at each
//! venue.
//!
//! Pure: the moment comes in as milliseconds of one monotonic clock. Movement is evaluated when a price is
//! read, so nothing runs while nobody asks.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::pair::{Pair, Venue};
use crate::decimal::Decimal;

/// Most walk steps made up for at one reading; a market that slept longer skips the rest.
const CATCH_UP_STEPS_MAX: u64 = 10_000;

/// One stage of a scripted price path.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// When the price begins to hold, counted from the start of the path.
    pub after_ms: u64,
    /// The price.
    pub price: Decimal,
}

/// A seeded random walk from the price that holds when it begins. The same seed gives the same walk.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Seed of the walk and of the venues' noise.
    pub seed: u64,
    /// Largest single move in basis points.
    pub step_bps: u32,
    /// Time between two moves; 0 counts as 1.
    pub every_ms: u64,
    /// Each venue stands apart from the market by at most this many basis points, anew at each move.
    pub noise_bps: u32,
}

#[derive(Clone, Debug)]
enum Motion {
    Still(Decimal),
    Path { began_ms: u64, steps: Vec<Step>, before: Decimal },
    Walking { walk: Walk, began_ms: u64, moves: u64, rng: Rng, price: Decimal, floor: Decimal, roof: Decimal },
}

impl Motion {
    fn price(&mut self, now_ms: u64) -> Decimal {
        match self {
            Self::Still(price) => *price,
            Self::Path { began_ms, steps, before } => {
                let elapsed = now_ms.saturating_sub(*began_ms);
                steps.iter().rev().find(|step| step.after_ms <= elapsed).map_or(*before, |step| step.price)
            }
            Self::Walking { walk, began_ms, moves, rng, price, floor, roof } => {
                let due = now_ms.saturating_sub(*began_ms) / walk.every_ms.max(1);
                for _ in *moves..due.min(*moves + CATCH_UP_STEPS_MAX) {
                    let bound = i64::from(walk.step_bps.min(5_000)) * 100;
                    let moved = price.moved_ppm(rng.i64(-bound..=bound)).unwrap_or(*price);
                    if (floor.mantissa()..=roof.mantissa()).contains(&moved.mantissa()) {
                        *price = moved;
                    }
                }
                *moves = due.max(*moves);
                *price
            }
        }
    }

    /// The venue's distance from the market at this moment, in millionths.
    fn noise_ppm(&self, venue: Venue) -> i64 {
        let Self::Walking { walk, moves, .. } = self else { return 0 };
        let bound = i64::from(walk.noise_bps.min(5_000)) * 100;
        let venue = Venue::ALL.iter().position(|one| *one == venue).unwrap_or_default();
        let mixed = walk.seed ^ (moves.wrapping_mul(64) | u64::try_from(venue).unwrap_or_default());
        Rng::with_seed(mixed).i64(-bound..=bound)
    }
}

/// All markets.
#[derive(Debug, Default)]
pub(crate) struct Prices {
    listed: BTreeMap<Pair, Motion>,
    own: BTreeMap<(Venue, Pair), Decimal>,
    offset_bps: BTreeMap<(Venue, Pair), i32>,
}

impl Prices {
    pub(crate) fn set(&mut self, pair: Pair, price: Decimal) {
        self.listed.insert(pair, Motion::Still(price));
    }

    /// The venue's own price of the pair, or with `None` the market's again.
    pub(crate) fn set_own(&mut self, venue: Venue, pair: Pair, price: Option<Decimal>) {
        match price {
            Some(price) => self.own.insert((venue, pair), price),
            None => self.own.remove(&(venue, pair)),
        };
    }

    pub(crate) fn set_offset(&mut self, venue: Venue, pair: Pair, bps: i32) {
        self.offset_bps.insert((venue, pair), bps);
    }

    /// Starts a path; until its first step the price stays. False: the pair is unknown.
    pub(crate) fn follow(&mut self, pair: &Pair, steps: Vec<Step>, now_ms: u64) -> bool {
        let Some(before) = self.market_price(pair, now_ms) else { return false };
        self.listed.insert(pair.clone(), Motion::Path { began_ms: now_ms, steps, before });
        true
    }

    /// Starts a walk from the present price, which stays between a quarter and four times of it. False: the
    /// pair is unknown.
    pub(crate) fn walk(&mut self, pair: &Pair, walk: Walk, now_ms: u64) -> bool {
        let Some(price) = self.market_price(pair, now_ms) else { return false };
        // A coarse price could round every move away.
        let price = with_fine_units(price);
        let (floor, roof) = (price.moved_ppm(-750_000), price.moved_ppm(3_000_000));
        let (Some(floor), Some(roof)) = (floor, roof) else { return false };
        let rng = Rng::with_seed(walk.seed);
        let walking = Motion::Walking { walk, began_ms: now_ms, moves: 0, rng, price, floor, roof };
        self.listed.insert(pair.clone(), walking);
        true
    }

    /// Ends any movement where it stands. False: the pair is unknown.
    pub(crate) fn hold(&mut self, pair: &Pair, now_ms: u64) -> bool {
        let price = self.market_price(pair, now_ms);
        price.is_some_and(|price| {
            self.listed.insert(pair.clone(), Motion::Still(price));
            true
        })
    }

    /// The price that holds everywhere without a price of its own.
    pub(crate) fn market_price(&mut self, pair: &Pair, now_ms: u64) -> Option<Decimal> {
        if let Some(motion) = self.listed.get_mut(pair) {
            return Some(motion.price(now_ms));
        }
        if pair.quote != "USDT" {
            return None;
        }
        let tether = self.listed.get_mut(&Pair::new("USDT", "USD"))?.price(now_ms);
        let dollars = self.listed.get_mut(&Pair::new(&pair.base, "USD"))?.price(now_ms);
        dollars.over(tether, dollars.scale())
    }

    /// The price at one venue; `None` where the venue does not list the pair.
    pub(crate) fn price_at(&mut self, venue: Venue, pair: &Pair, now_ms: u64) -> Option<Decimal> {
        let key = (venue, pair.clone());
        if let Some(own) = self.own.get(&key) {
            return Some(*own);
        }
        if !venue.lists(pair) {
            return None;
        }
        let price = self.market_price(pair, now_ms)?;
        let offset_ppm = self.offset_bps.get(&key).map_or(0, |bps| i64::from(*bps) * 100);
        let mover = self.listed.get(pair).or_else(|| self.listed.get(&Pair::new(&pair.base, "USD")));
        let apart_ppm = offset_ppm + mover.map_or(0, |motion| motion.noise_ppm(venue));
        if apart_ppm == 0 { Some(price) } else { with_fine_units(price).moved_ppm(apart_ppm) }
    }

    /// Every pair some venue may list, in order.
    pub(crate) fn pairs(&self) -> Vec<Pair> {
        let mut pairs: Vec<_> = self.listed.keys().cloned().collect();
        let tethered = self.listed.contains_key(&Pair::new("USDT", "USD"));
        let in_dollars = self.listed.keys().filter(|pair| pair.quote == "USD" && pair.base != "USDT");
        pairs.extend(in_dollars.filter(|_| tethered).map(|pair| Pair::new(&pair.base, "USDT")));
        pairs.extend(self.own.keys().map(|(_, pair)| pair.clone()));
        pairs.sort();
        pairs.dedup();
        pairs
    }
}

/// The same value with enough decimals that its last unit is at most a basis point of it.
pub(crate) fn with_fine_units(price: Decimal) -> Decimal {
    let mut fine = price;
    while fine.mantissa().unsigned_abs() < 10_000 {
        match fine.at_least(fine.scale() + 1) {
            Some(finer) if fine.mantissa() != 0 => fine = finer,
            _ => break,
        }
    }
    fine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn pair(text: &str) -> Pair {
        text.parse().unwrap()
    }

    fn prices(listed: &[(&str, &str)]) -> Prices {
        let mut prices = Prices::default();
        for (name, price) in listed {
            prices.set(pair(name), decimal(price));
        }
        prices
    }

    fn at(prices: &mut Prices, venue: Venue, name: &str, now_ms: u64) -> Option<String> {
        prices.price_at(venue, &pair(name), now_ms).map(|price| price.to_string())
    }

    #[test]
    fn tether_prices_follow_until_they_are_set() {
        let mut book = prices(&[("BTC/USD", "67000.12"), ("USDT/USD", "0.9998")]);
        assert_eq!(at(&mut book, Venue::Okx, "BTC/USDT", 0).unwrap(), "67013.52");
        book.set(pair("BTC/USDT"), decimal("67001.5"));
        assert_eq!(at(&mut book, Venue::Okx, "BTC/USDT", 0).unwrap(), "67001.5");
        assert_eq!(at(&mut book, Venue::Okx, "ETH/USDT", 0), None);
    }

    #[test]
    fn a_venue_can_stand_apart() {
        let mut book = prices(&[("BTC/USD", "67000.12")]);
        book.set_own(Venue::Kraken, pair("BTC/USD"), Some(decimal("66999")));
        book.set_offset(Venue::Okx, pair("BTC/USD"), 100);
        assert_eq!(at(&mut book, Venue::Kraken, "BTC/USD", 0).unwrap(), "66999");
        assert_eq!(at(&mut book, Venue::Okx, "BTC/USD", 0).unwrap(), "67670.12");
        assert_eq!(at(&mut book, Venue::Bitstamp, "BTC/USD", 0).unwrap(), "67000.12");
        assert_eq!(at(&mut book, Venue::Binance, "BTC/USD", 0), None);
        book.set_own(Venue::Kraken, pair("BTC/USD"), None);
        assert_eq!(at(&mut book, Venue::Kraken, "BTC/USD", 0).unwrap(), "67000.12");
    }

    #[test]
    fn a_path_is_followed_to_the_millisecond() {
        let mut book = prices(&[("BTC/USD", "100")]);
        let step = |after_ms, price| Step { after_ms, price: decimal(price) };
        assert!(book.follow(&pair("BTC/USD"), vec![step(10, "101.5"), step(20, "99")], 1_000));
        for (now_ms, expected) in
            [(1_000, "100"), (1_009, "100"), (1_010, "101.5"), (1_020, "99"), (9_999, "99")]
        {
            assert_eq!(at(&mut book, Venue::Kraken, "BTC/USD", now_ms).unwrap(), expected);
        }
        assert!(!book.follow(&pair("SOL/USD"), vec![], 0));
    }

    #[test]
    fn a_walk_is_reproducible_bounded_and_moves() {
        let walk = Walk { seed: 7, step_bps: 50, every_ms: 10, noise_bps: 3 };
        let run = || {
            let mut book = prices(&[("BTC/USD", "67000.00"), ("USDT/USD", "1.0000")]);
            assert!(book.walk(&pair("BTC/USD"), walk, 0));
            let read = |now_ms: u64| at(&mut book, Venue::Kraken, "BTC/USD", now_ms * 10).unwrap();
            (0..500).map(read).collect::<Vec<_>>()
        };
        let first = run();
        assert_eq!(first, run());
        let distinct: std::collections::BTreeSet<_> = first.iter().collect();
        assert!(distinct.len() > 400, "only {} different prices", distinct.len());
        for two in first.windows(2) {
            let (a, b) = (decimal(&two[0]).mantissa(), decimal(&two[1]).mantissa());
            // One step and the noise of both readings.
            assert!((a - b).abs() * 10_000 <= a * 60, "{a} to {b} is more than the step allows");
        }
    }

    #[test]
    fn venues_of_one_walk_differ_by_no_more_than_the_noise_and_hold_stops_it() {
        let mut book = prices(&[("BTC/USD", "67000.00"), ("USDT/USD", "1.0000")]);
        book.walk(&pair("BTC/USD"), Walk { seed: 1, step_bps: 10, every_ms: 1, noise_bps: 5 }, 0);
        let mut apart = 0;
        for now_ms in 1..200 {
            let market = book.market_price(&pair("BTC/USD"), now_ms).unwrap().mantissa();
            for venue in [Venue::Coinbase, Venue::Kraken, Venue::Bitstamp] {
                let there = book.price_at(venue, &pair("BTC/USD"), now_ms).unwrap().mantissa();
                assert!((there - market).abs() * 10_000 <= market * 5 + 10_000);
                apart += u32::from(there != market);
            }
        }
        assert!(apart > 300);
        assert!(book.hold(&pair("BTC/USD"), 200));
        let held = at(&mut book, Venue::Kraken, "BTC/USD", 200);
        assert_eq!(held, at(&mut book, Venue::Okx, "BTC/USD", 99_999));
    }
}
