//! Quotes in; one value out, and a reason for every source left out.
//!
//! The value is the median over venues, one vote a venue, so fewer than half of the venues cannot move it out of the
//! honest range: the breakdown point is ⌊(n−1)/2⌋ of the n venues that vote. Gates run in a fixed order and each
//! rejection has a reason; a gate on the whole set refuses the tick instead of guessing.

use crate::price::{Price, Ratio};
use crate::quote::{SourceFault, VenueId};
use crate::time::Wall;

/// A source's contribution before the gates on the whole set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The venue whose vote it is part of.
    pub venue: VenueId,
    /// Its value in the feed's quote asset, or why it has none.
    pub sample: Result<Sample, LeftOut>,
}

/// A usable value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The price in the feed's quote asset.
    pub price: Price,
    /// When the oldest of its legs was true.
    pub as_of: Wall,
}

/// Why a source has no vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// It has not delivered anything yet.
    NeverSeen,
    /// It fails, and what it said before is too old.
    Failing(SourceFault),
    /// Its quote is older than the maximum age.
    Stale,
    /// Its quote claims to come from the future.
    Future,
    /// No price, or one that is not positive.
    BadValue,
    /// Its bid is above its ask.
    Crossed,
    /// A rate that converts it is not available.
    NoRate,
    /// Too far from the median of all venues.
    Outlier,
}

impl LeftOut {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NeverSeen => "never_seen",
            Self::Failing(fault) => fault.code(),
            Self::Stale => "stale",
            Self::Future => "future",
            Self::BadValue => "bad_value",
            Self::Crossed => "crossed",
            Self::NoRate => "no_rate",
            Self::Outlier => "outlier",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Failing(SourceFault::GeoBlocked) => {
                "This venue refuses your location; configure a mirror by base_url or another venue."
            }
            Self::Failing(SourceFault::RateLimited | SourceFault::Banned) => {
                "Too many requests from this address; lengthen the venue's interval."
            }
            Self::Failing(SourceFault::SymbolMissing) => {
                "Check the symbol; the venue may have renamed or delisted it."
            }
            Self::Future => "Check this machine's clock.",
            Self::Outlier => "The venue disagrees with the others; no action while the quorum holds.",
            _ => "No action while the quorum holds; `publisher quote` shows what the source says.",
        }
    }
}

/// The limits of the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Venues that must answer with a usable quote.
    pub quorum: usize,
    /// A venue within this share of the median is never an outlier.
    pub outlier_floor: Ratio,
    /// The tick is refused if a venue that passed is further than this from the median; zero switches it off.
    pub refuse_spread: Ratio,
}

/// The quorum that `venues` configured venues get by default: a majority, and at least three where there are three.
///
/// One venue alone has a quorum of one, which a configuration must allow explicitly.
pub const fn default_quorum(venues: usize) -> usize {
    let majority = venues / 2 + 1;
    if venues >= 3 && majority < 3 { 3 } else { majority }
}

/// The result of one look at all sources of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// The value, or why there is none.
    pub value: Result<Estimate, Refusal>,
    /// One verdict for each candidate, in the same order: its price, and why it did not count.
    pub verdicts: Vec<(Option<Price>, Option<LeftOut>)>,
}

/// A value that may be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The median over venues.
    pub price: Price,
    /// The largest distance of a counted venue from it.
    pub spread: Price,
    /// Venues counted.
    pub venues: usize,
    /// When the oldest counted quote was true.
    pub as_of: Wall,
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Fewer venues answered than the quorum needs.
    Quorum {
        /// Venues that answered.
        have: usize,
        /// Venues needed.
        need: usize,
    },
    /// More venues disagree than may be set aside.
    TooManyOutliers,
    /// The venues that remain are too far apart.
    Dispersed,
    /// The reference has no value to compare with.
    NoReference,
    /// The value is too far from its reference.
    OffReference,
}

/// The median; of an even number the exact middle of the two in the middle. `None` for no values.
pub fn median(values: &mut [Price]) -> Option<Price> {
    values.sort_unstable();
    let upper = values.len() / 2;
    let high = values.get(upper)?;
    if values.len() % 2 == 1 {
        return Some(*high);
    }
    values.get(upper.checked_sub(1)?).map(|low| low.middle(*high))
}

/// From this many venues on, the outlier gate widens with the spread of the venues themselves.
///
/// Below, the median absolute deviation of so few values says too little: at 3 to 5 healthy venues even 17 of them
/// reject a healthy one in more than one tick of a hundred, so only the floor rules.
const MAD_FROM: usize = 6;
/// 17 × 1.4826, the factor on the median absolute deviation that rejects a healthy venue in under 1% of ticks for
/// every n from 6 on, for normal and for heavy-tailed (Student t₃) errors.
const MAD_FACTOR: Ratio = Ratio::from_ppb(25_204_200_000);

/// Folds candidates into one value.
pub fn aggregate(candidates: &[Candidate], rules: &Rules) -> Aggregation {
    let mut verdicts: Vec<_> = candidates
        .iter()
        .map(|c| match c.sample {
            Ok(sample) => (Some(sample.price), None),
            Err(why) => (None, Some(why)),
        })
        .collect();
    let votes = votes(candidates);
    let answered = votes.len();
    if answered < rules.quorum || answered == 0 {
        let value = Err(Refusal::Quorum { have: answered, need: rules.quorum });
        return Aggregation { value, verdicts };
    }
    let center = middle_of(&votes);
    let limit = outlier_limit(&votes, center, rules);
    let outliers: Vec<VenueId> =
        votes.iter().filter(|v| v.price.distance(center) > limit).map(|v| v.venue.clone()).collect();
    for (candidate, verdict) in candidates.iter().zip(&mut verdicts) {
        if verdict.1.is_none() && outliers.contains(&candidate.venue) {
            verdict.1 = Some(LeftOut::Outlier);
        }
    }
    let kept: Vec<Vote> = votes.into_iter().filter(|v| !outliers.contains(&v.venue)).collect();
    if outliers.len() > answered.div_ceil(4) || kept.is_empty() {
        return Aggregation { value: Err(Refusal::TooManyOutliers), verdicts };
    }
    let price = middle_of(&kept);
    let spread = kept.iter().map(|v| v.price.distance(price)).max().unwrap_or_default();
    if rules.refuse_spread.ppb() > 0 && spread > price.share(rules.refuse_spread) {
        return Aggregation { value: Err(Refusal::Dispersed), verdicts };
    }
    let as_of = kept.iter().map(|v| v.as_of).min().unwrap_or_default();
    Aggregation { value: Ok(Estimate { price, spread, venues: kept.len(), as_of }), verdicts }
}

/// One venue's vote.
struct Vote {
    venue: VenueId,
    price: Price,
    as_of: Wall,
}

/// Folds the sources of each venue into its one vote: their median, as old as the oldest.
fn votes(candidates: &[Candidate]) -> Vec<Vote> {
    let mut samples: Vec<(&VenueId, Sample)> =
        candidates.iter().filter_map(|c| c.sample.ok().map(|s| (&c.venue, s))).collect();
    samples.sort_by(|a, b| a.0.cmp(b.0));
    samples
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|chunk| {
            let (venue, _) = chunk.first()?;
            let mut prices: Vec<Price> = chunk.iter().map(|(_, s)| s.price).collect();
            let as_of = chunk.iter().map(|(_, s)| s.as_of).min()?;
            Some(Vote { venue: (*venue).clone(), price: median(&mut prices)?, as_of })
        })
        .collect()
}

fn middle_of(votes: &[Vote]) -> Price {
    let mut prices: Vec<Price> = votes.iter().map(|v| v.price).collect();
    median(&mut prices).unwrap_or_default()
}

fn outlier_limit(votes: &[Vote], center: Price, rules: &Rules) -> Price {
    let floor = center.share(rules.outlier_floor);
    if votes.len() < MAD_FROM {
        return floor;
    }
    let mut distances: Vec<Price> = votes.iter().map(|v| v.price.distance(center)).collect();
    let mad = median(&mut distances).unwrap_or_default();
    floor.max(mad.share(MAD_FACTOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates(values: &[&str]) -> Vec<Candidate> {
        values
            .iter()
            .enumerate()
            .map(|(i, text)| Candidate {
                venue: VenueId::new(&format!("v{i}")),
                sample: match text.parse() {
                    Ok(price) => Ok(Sample { price, as_of: Wall::from_ms(i64::try_from(i).unwrap()) }),
                    Err(_) => Err(LeftOut::NeverSeen),
                },
            })
            .collect()
    }

    fn rules(quorum: usize) -> Rules {
        Rules { quorum, outlier_floor: Ratio::from_bps(50), refuse_spread: Ratio::from_bps(500) }
    }

    fn check(values: &[&str], quorum: usize, expected: Result<&str, Refusal>) -> Aggregation {
        let aggregation = aggregate(&candidates(values), &rules(quorum));
        assert_eq!(
            aggregation.value.map(|e| e.price),
            expected.map(|t| t.parse().unwrap()),
            "{values:?} with quorum {quorum}"
        );
        aggregation
    }

    #[test]
    fn the_default_quorum_is_a_majority_and_never_one_of_many() {
        let table: Vec<usize> = (1..=13).map(default_quorum).collect();
        assert_eq!(table, [1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]);
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        check(&["100", "100.2", "100.1"], 3, Ok("100.1"));
        check(&["100", "100.3", "100.1", "100.2"], 3, Ok("100.15"));
        check(&["100", "100.2"], 2, Ok("100.1"));
        check(&["100"], 1, Ok("100"));
    }

    #[test]
    fn one_liar_among_five_is_named_and_does_not_move_the_answer() {
        for lie in ["100000", "0.1", "130", "101"] {
            let aggregation = check(&["100", "100.1", lie, "100.2", "100.3"], 3, Ok("100.15"));
            assert_eq!(aggregation.verdicts[2].1, Some(LeftOut::Outlier), "{lie}");
            assert_eq!(aggregation.value.unwrap().venues, 4);
            // The oldest counted quote decides the age.
            assert_eq!(aggregation.value.unwrap().as_of, Wall::from_ms(0));
        }
    }

    #[test]
    fn too_few_answers_or_too_much_disagreement_is_refused() {
        check(&["100", "100.1", "x", "x", "x"], 3, Err(Refusal::Quorum { have: 2, need: 3 }));
        check(&[], 0, Err(Refusal::Quorum { have: 0, need: 0 }));
        check(&["100", "200"], 2, Err(Refusal::TooManyOutliers));
        check(&["100", "100", "200", "200", "100"], 3, Ok("100"));
        check(&["100", "100", "150", "200", "100", "250"], 4, Err(Refusal::Dispersed));
        check(&["100", "100", "150", "200", "250"], 3, Err(Refusal::TooManyOutliers));
    }

    #[test]
    fn equal_quotes_of_stable_assets_reject_nobody() {
        let aggregation = check(&["1", "1", "1", "1", "1", "1", "1.0049"], 4, Ok("1"));
        assert!(aggregation.verdicts.iter().all(|v| v.1.is_none()));
    }

    #[test]
    fn two_markets_of_one_venue_have_one_vote() {
        let mut set = candidates(&["100", "100.4", "100.2", "100.3"]);
        set[1].venue = VenueId::new("v0");
        let estimate = aggregate(&set, &rules(3)).value.unwrap();
        assert_eq!((estimate.price, estimate.venues), ("100.2".parse().unwrap(), 3));
        assert!(aggregate(&set, &rules(4)).value.is_err());
    }

    proptest! {
        /// Whatever a minority says, the answer stays within what the honest venues say, or there is none.
        #[test]
        fn f46_a_minority_cannot_leave_the_honest_range(
            honest in prop::collection::vec(99_000i64..101_000, 1..9),
            lies in prop::collection::vec(any::<i64>(), 0..8),
            seed in any::<u64>(),
        ) {
            let lies = &lies[..lies.len().min(honest.len() - 1)];
            let mut values: Vec<String> = honest.iter().map(|v| format!("{v}e-3")).collect();
            values.extend(lies.iter().map(|v| format!("{}e-3", v.unsigned_abs().max(1))));
            let mut set = candidates(&values.iter().map(String::as_str).collect::<Vec<_>>());
            let straight = aggregate(&set, &rules(1)).value;
            if let Ok(estimate) = straight {
                let low: Price = format!("{}e-3", honest.iter().min().unwrap()).parse().unwrap();
                let high: Price = format!("{}e-3", honest.iter().max().unwrap()).parse().unwrap();
                prop_assert!(estimate.price >= low && estimate.price <= high);
            }
            // The order of arrival changes nothing.
            fastrand::Rng::with_seed(seed).shuffle(&mut set);
            prop_assert_eq!(aggregate(&set, &rules(1)).value, straight);
        }
    }
}
