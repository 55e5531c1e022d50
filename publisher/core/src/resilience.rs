//! How many venues have to lie, or to fall silent, before a feed says what they want, or nothing.
//!
//! The median over n venues withstands ⌊(n−1)/2⌋ liars while all of them answer. A feed that converts some of its
//! sources by a rate may withstand fewer: whoever can take the rate away takes every source away that needs it, and a
//! median of the few that are left may be theirs. Both numbers are found by looking at sets of venues; those that stand
//! at the same places are interchangeable, so it is enough to look at how many of each kind are in the set.
//!
//! Liars do better while honest venues are silent, as in an outage of a cloud that several of them share: a quorum of q
//! votes withstands ⌈q/2⌉−1 of them. That number is told, too; a larger quorum raises it, and makes the feed stop sooner.
//!
//! The numbers err on the safe side: whoever conspires may take away exactly as many of the sources in reach as suits
//! them, and half of the votes count as the median. Venues of one family conspire as one; votes count the same here,
//! whatever weights they are given.

use crate::book::Pricing;
use crate::quote::{FamilyId, FeedId};
use crate::route::Route;
use std::collections::{BTreeMap, BTreeSet};

/// What a value withstands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resilience {
    /// Fewest venues that together can move the value out of what the honest ones say, who all answer; one fewer cannot.
    pub to_move: usize,
    /// The same while any honest ones are silent.
    pub to_move_in_outage: usize,
    /// Fewest venues that together can leave it without a value, by silence or by lies.
    pub to_stop: usize,
    /// Venues that it reads, those of its rates and of its reference included.
    pub venues: usize,
}

/// What `id`, one of `values`, withstands. `values` are those of a [`Book`](crate::book::Book): free of cycles, and
/// each rate is one of them; what is missing counts as what anybody can take away.
pub fn resilience(values: &BTreeMap<FeedId, Pricing>, id: &FeedId) -> Resilience {
    let kinds = kinds(values, id);
    let venues = kinds.iter().map(Vec::len).sum();
    let mut found = Resilience { to_move: venues, to_move_in_outage: venues, to_stop: venues, venues };
    let mut counts = vec![0; kinds.len()];
    while turn(&mut counts, &kinds) {
        let size: usize = counts.iter().sum();
        // An outage never makes it harder to move a value, so that its number is not the largest.
        if size >= found.to_move && size >= found.to_stop {
            continue;
        }
        let conspirators: BTreeSet<_> =
            kinds.iter().zip(&counts).flat_map(|(kind, count)| kind.iter().take(*count).copied()).collect();
        let power = |outage| {
            Grasp { values, conspirators: conspirators.clone(), outage, known: BTreeMap::new() }.of(id)
        };
        let usual = power(false);
        if usual.moves {
            found.to_move = found.to_move.min(size);
        }
        if usual.stops {
            found.to_stop = found.to_stop.min(size);
        }
        if size < found.to_move_in_outage && power(true).moves {
            found.to_move_in_outage = size;
        }
    }
    found
}

/// The next combination of counts, as an odometer turns; false after the last one.
fn turn(counts: &mut [usize], kinds: &[Vec<&FamilyId>]) -> bool {
    for (count, kind) in counts.iter_mut().zip(kinds) {
        if *count < kind.len() {
            *count += 1;
            return true;
        }
        *count = 0;
    }
    false
}

/// The venues that `id` reads, those together that stand at the same places.
fn kinds<'a>(values: &'a BTreeMap<FeedId, Pricing>, id: &'a FeedId) -> Vec<Vec<&'a FamilyId>> {
    let mut reached = BTreeSet::new();
    let mut next = vec![id];
    let mut places: BTreeMap<&FamilyId, Vec<(&FeedId, &Route)>> = BTreeMap::new();
    while let Some(id) = next.pop() {
        let Some(pricing) = values.get(id).filter(|_| reached.insert(id)) else { continue };
        next.extend(pricing.reference.as_ref().map(|reference| &reference.rate));
        for path in &pricing.paths {
            next.extend(path.via.rates());
            places.entry(&path.family).or_default().push((id, &path.via));
        }
    }
    let mut kinds: BTreeMap<_, Vec<&FamilyId>> = BTreeMap::new();
    for (venue, mut places) in places {
        places.sort_unstable();
        kinds.entry(places).or_default().push(venue);
    }
    kinds.into_values().collect()
}

/// What conspirators can do to a value.
#[derive(Clone, Copy)]
struct Power {
    moves: bool,
    stops: bool,
}

/// What is in the reach of conspirators.
struct Grasp<'a> {
    values: &'a BTreeMap<FeedId, Pricing>,
    conspirators: BTreeSet<&'a FamilyId>,
    /// Whether honest venues may be silent.
    outage: bool,
    known: BTreeMap<&'a FeedId, Power>,
}

impl<'a> Grasp<'a> {
    fn of(&mut self, id: &'a FeedId) -> Power {
        if let Some(power) = self.known.get(id) {
            return *power;
        }
        let Some(pricing) = self.values.get(id) else { return Power { moves: false, stops: true } };
        // Nobody says a constant, so nobody can lie about it or be silent.
        if pricing.constant.is_some() {
            return Power { moves: false, stops: false };
        }
        // What depends on itself is no book's; it must not run for ever all the same.
        self.known.insert(id, Power { moves: true, stops: true });
        let power = self.over(pricing);
        self.known.insert(id, power);
        power
    }

    fn over(&mut self, pricing: &'a Pricing) -> Power {
        let mut votes: BTreeMap<&FamilyId, Power> = BTreeMap::new();
        for path in &pricing.paths {
            let owned = self.conspirators.contains(&path.family);
            let mut power = Power { moves: owned, stops: owned };
            for rate in path.via.rates() {
                let of = self.of(rate);
                power = Power { moves: power.moves || of.moves, stops: power.stops || of.stops };
            }
            // A venue's vote is the median of its sources: any of them may move it, all have to go to silence it.
            votes
                .entry(&path.family)
                .and_modify(|vote| {
                    *vote = Power { moves: vote.moves || power.moves, stops: vote.stops && power.stops };
                })
                .or_insert(power);
        }
        let liars = votes.values().filter(|vote| vote.moves).count();
        let honest = votes.values().filter(|vote| !vote.moves);
        let most = honest.clone().count();
        let least = if self.outage { 0 } else { honest.filter(|vote| !vote.stops).count() };
        let quorum = pricing.rules.quorum.max(1);
        // With so many honest votes left, do these liars make half of a quorum?
        let wins = |left: usize| liars >= left && liars + left >= quorum;
        // And are they more than may be set aside, so that nobody is believed?
        let spoils = |left: usize| liars + left >= quorum && liars > (liars + left).div_ceil(4);
        let mut power = Power {
            moves: liars > 0 && (least..=most).any(wins),
            stops: least < quorum || (least..=most).any(spoils),
        };
        if let Some(reference) = &pricing.reference {
            let of = self.of(&reference.rate);
            power = Power { moves: power.moves && of.moves, stops: power.stops || of.stops || of.moves };
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Rules, default_quorum};
    use crate::book::{Book, Path, Reference};
    use crate::constant::Constant;
    use crate::price::{Price, Ratio};
    use crate::quote::{MarketId, Observation, Quote};
    use crate::time::{Span, Wall};
    use proptest::prelude::*;

    const NOW: Wall = Wall::from_s(1_800_000_000);

    fn pricing(sources: &[(usize, Option<&str>)]) -> Pricing {
        let paths: Vec<Path> = sources
            .iter()
            .map(|(venue, via)| Path {
                via: via.map(FeedId::new).into_iter().collect(),
                ..Path::direct(MarketId::new(&format!("v{venue}"), if via.is_some() { "X-T" } else { "X" }))
            })
            .collect();
        let families: BTreeSet<&FamilyId> = paths.iter().map(|path| &path.family).collect();
        let off = Ratio::default();
        let rules =
            Rules { refuse_spread: off, path_refuse: off, ..Rules::of(default_quorum(families.len())) };
        Pricing { paths, rules, max_age: Span::from_s(10), reference: None, constant: None }
    }

    fn rate(venues: &[usize]) -> Pricing {
        let mut rate = pricing(&venues.iter().map(|venue| (*venue, None)).collect::<Vec<_>>());
        for path in &mut rate.paths {
            path.market.symbol = "T".into();
        }
        rate
    }

    fn values(feed: Pricing, tether: Option<Pricing>) -> BTreeMap<FeedId, Pricing> {
        let tether = tether.map(|tether| (FeedId::new("T-USD"), tether));
        tether.into_iter().chain([(FeedId::new("F"), feed)]).collect()
    }

    fn of(values: &BTreeMap<FeedId, Pricing>) -> (usize, usize) {
        let found = resilience(values, &FeedId::new("F"));
        (found.to_move, found.to_stop)
    }

    fn in_outage(values: &BTreeMap<FeedId, Pricing>) -> usize {
        resilience(values, &FeedId::new("F")).to_move_in_outage
    }

    #[test]
    fn a_median_of_direct_sources_withstands_every_minority() {
        for n in 1..=13 {
            let feed = pricing(&(0..n).map(|venue| (venue, None)).collect::<Vec<_>>());
            let (to_move, to_stop) = of(&values(feed.clone(), None));
            assert_eq!(to_move, n.div_ceil(2), "{n} venues");
            assert_eq!(in_outage(&values(feed.clone(), None)), default_quorum(n).div_ceil(2), "{n} venues");
            assert_eq!(to_stop, (n - default_quorum(n) + 1).min(n.div_ceil(4) + 1), "{n} venues");
        }
    }

    #[test]
    fn whoever_can_take_a_rate_away_needs_fewer() {
        let feed = || pricing(&[(0, None), (1, None), (2, None), (3, Some("T-USD")), (4, Some("T-USD"))]);
        // One of three is enough to silence the rate, which leaves two direct sources; and two of those three can say
        // anything once they have silenced it.
        assert_eq!(of(&values(feed(), Some(rate(&[0, 1, 2])))), (2, 1));
        assert_eq!(of(&values(feed(), Some(rate(&[0, 1, 2, 4])))), (2, 2));
        // A rate of five stands when two of them are silent.
        assert_eq!(of(&values(feed(), Some(rate(&[0, 1, 2, 5, 6])))), (3, 3));
        assert_eq!(in_outage(&values(feed(), Some(rate(&[0, 1, 2, 5, 6])))), 2);
        // A reference that others make has to be moved, too.
        let mut feed = feed();
        feed.reference = Some(Reference { rate: FeedId::new("T-USD"), band: Ratio::from_bps(100) });
        assert_eq!(of(&values(feed, Some(rate(&[5, 6, 7])))), (3, 1));
    }

    #[test]
    fn nobody_can_take_a_constant_away() {
        let feed = pricing(&[(0, None), (1, None), (2, None), (3, Some("T-USD")), (4, Some("T-USD"))]);
        let mut constant = rate(&[]);
        constant.constant = Some(Constant { value: Price::one(), until: NOW });
        assert_eq!(of(&values(feed, Some(constant))), (3, 3));
    }

    #[test]
    fn two_markets_of_one_venue_are_one_vote() {
        let feed = pricing(&[(0, None), (0, Some("T-USD")), (1, None), (2, None)]);
        assert_eq!(of(&values(feed, Some(rate(&[3, 4, 5])))), (2, 1));
    }

    fn observe(book: &mut Book, venue: usize, symbol: &str, price: &str) {
        let market = MarketId::new(&format!("v{venue}"), symbol);
        let last = Some(price.parse().unwrap());
        let quote = Quote {
            market,
            bid: None,
            ask: None,
            last,
            base_volume: None,
            as_of: NOW,
            received: NOW,
            is_clocked: false,
        };
        book.observe(Observation::Quote(quote)).for_each(drop);
    }

    /// What a venue of the conspiracy says instead of the truth: nothing, or a lie.
    const LIES: [Option<&str>; 6] = [None, Some("130"), Some("70"), Some("100.4"), Some("99.6"), Some("1e6")];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Fewer than `to_move` venues, whatever each says of each market, and whether it says anything, never get a
        /// value out that the honest ones do not bear out; nor do fewer than `to_move_in_outage` while honest ones are
        /// silent.
        #[test]
        fn f46_no_conspiracy_below_the_number_moves_the_value(
            direct in 1usize..6,
            converted in 0usize..5,
            tether in prop::collection::btree_set(0usize..12, 1..8),
            ranks in prop::collection::vec(any::<u32>(), 12),
            lies in prop::collection::vec((0..LIES.len(), 0..LIES.len(), 0..LIES.len()), 12),
            outage in prop::option::of(prop::collection::vec(any::<bool>(), 12)),
        ) {
            let sources: Vec<(usize, Option<&str>)> = (0..direct + converted)
                .map(|venue| (venue, (venue >= direct).then_some("T-USD")))
                .collect();
            let tether: Vec<usize> = tether.into_iter().collect();
            let values = values(pricing(&sources), Some(rate(&tether)));
            let to_move = match &outage {
                None => of(&values).0,
                Some(_) => in_outage(&values),
            };
            let mut venues: Vec<usize> = (0..12).collect();
            venues.sort_by_key(|venue| ranks[*venue]);
            let conspirators = &venues[..to_move.saturating_sub(1).min(12)];
            let mut book = Book::new(values.clone()).unwrap();
            let lie = |venue: usize, which: usize| -> Option<&str> {
                let lies = [lies[venue].0, lies[venue].1, lies[venue].2];
                let silent = || outage.as_ref().is_some_and(|silent| silent[venue]);
                if conspirators.contains(&venue) { LIES[lies[which]] } else { (!silent()).then_some("100") }
            };
            for (venue, via) in &sources {
                let (symbol, which) = if via.is_some() { ("X-T", 0) } else { ("X", 1) };
                if let Some(price) = lie(*venue, which) {
                    observe(&mut book, *venue, symbol, price);
                }
            }
            for venue in &tether {
                if let Some(price) = lie(*venue, 2) {
                    // A hundred and one hundredth: their product is one.
                    let price: Price = price.parse().unwrap();
                    let price = price.times("0.01".parse().unwrap()).unwrap();
                    observe(&mut book, *venue, "T", &price.to_string());
                }
            }
            if let Ok(estimate) = book.evaluate(&FeedId::new("F"), NOW).value {
                prop_assert_eq!(estimate.price, "100".parse().unwrap(), "{} of {:?}", to_move, values);
            }
        }
    }
}
