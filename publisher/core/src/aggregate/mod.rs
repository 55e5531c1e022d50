//! Quotes in; one value out, and a reason for every source left out.
//!
//! The value is the weighted median over *families*: venues that fail together have one vote. It is taken over every
//! family that passed the gates on single quotes, so as long as honest families hold more than half of the weight
//! nobody can move it out of the range of what they say. With equal weights, the default, the breakdown point is
//! ⌊(n−1)/2⌋ of the n families that vote. With weights by volume two liars may hold twice the cap, so it is one family.
//!
//! The gates on the whole set never change the value. What is far from it is named and does not count towards
//! confidence; too many of these, or too much distance among the others, refuses the tick instead of guessing. So the
//! value is monotone in every quote, and a quote that says what the others say already never moves it.

mod measured;
mod reason;
mod weight;

pub use measured::{Measured, NoVote, Verdict};
pub use reason::{LeftOut, Refusal};
pub use weight::has_dictator;

use crate::peg::Peg;
use crate::price::{Price, Ratio};
use crate::time::{Span, Wall};

/// A source's contribution before the gates on the whole set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The family whose vote it is part of, as any number that is its own.
    pub family: usize,
    /// What that vote counts, where weights are fixed; at least 1.
    pub weight: u32,
    /// Which way it is converted: sources that share it share the rates.
    pub route: usize,
    /// Its value in the feed's quote asset, or why it has none.
    pub sample: Result<Sample, NoVote>,
    /// Why it is not believed. A value that is doubted keeps its place in the median, where a minority can do nothing by
    /// it, and counts for nothing else; if it lost its place as well, liars would be more of those that are left whenever
    /// an honest source is the first to say something new.
    pub doubt: Option<NoVote>,
}

/// A usable value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The price in the feed's quote asset.
    pub price: Price,
    /// How far the market's real price may be from it: half the spread of bid and ask, and what its rates add.
    pub half_width: Price,
    /// What was traded in 24 hours, in units of the base asset, if the venue says so.
    pub volume: Option<Price>,
    /// When the oldest of its legs was true.
    pub as_of: Wall,
}

/// How votes are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// By [`Candidate::weight`]; all are 1 unless somebody says otherwise.
    Fixed,
    /// By what venues say about their volume, up to [`Rules::volume_cap`].
    Volume,
}

/// The limits of the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Families that must answer with a usable quote.
    pub quorum: usize,
    /// How votes are weighed.
    pub weighting: Weighting,
    /// The largest share of the weight that volume gives to a family. Three can keep to a third and more; where fewer
    /// vote, their weights are equal.
    pub volume_cap: Ratio,
    /// A quote whose bid and ask are further apart than this part of their middle has no vote; zero switches it off.
    pub max_spread: Ratio,
    /// A market that trades less in 24 hours, in units of its base asset, has no vote; zero switches it off. A venue that
    /// does not tell its volume passes: nothing can be said against it.
    pub min_volume: Price,
    /// A quote further than this part from what its source said within two minutes has no vote, unless others say the
    /// same; zero switches it off.
    pub self_jump: Ratio,
    /// A source that says the same for a minute, while the others move by more than this part, has no vote; zero switches
    /// it off.
    pub frozen: Ratio,
    /// A source that is in trouble for this long is quarantined; zero switches it off.
    pub quarantine: Span,
    /// A family within this share of the median is never an outlier.
    pub outlier_floor: Ratio,
    /// The tick is refused if a family that passed is further than this from the median; zero switches it off.
    pub refuse_spread: Ratio,
    /// What is converted by different rates may differ by this and their uncertainties before confidence shrinks.
    pub path_tolerance: Ratio,
    /// Beyond this the tick is refused; zero switches it off.
    pub path_refuse: Ratio,
    /// What is converted by a rate that has lost its peg has no vote; if not, it follows the rate.
    pub drop_depegged: bool,
    /// When the value, if it is the rate of a stable asset, counts as off its peg.
    pub peg: Option<Peg>,
}

impl Rules {
    /// The rules that hold if nobody says otherwise, with a quorum.
    pub const fn of(quorum: usize) -> Self {
        Self {
            quorum,
            weighting: Weighting::Fixed,
            volume_cap: Ratio::from_bps(3400),
            max_spread: Ratio::from_bps(100),
            min_volume: Price::ZERO,
            self_jump: Ratio::from_bps(3000),
            frozen: Ratio::from_bps(10),
            quarantine: Span::from_s(600),
            outlier_floor: Ratio::from_bps(50),
            refuse_spread: Ratio::from_bps(500),
            path_tolerance: Ratio::from_bps(30),
            path_refuse: Ratio::from_bps(200),
            drop_depegged: false,
            peg: None,
        }
    }
}

impl Rules {
    /// Those of the rate of a stable asset, whose price moves less: `sources.md` §11.
    pub const fn of_stable(quorum: usize) -> Self {
        Self { self_jump: Ratio::from_bps(200), outlier_floor: Ratio::from_bps(20), ..Self::of(quorum) }
    }
}

impl Rules {
    /// Whether anything depends on what venues say about their volume.
    pub(crate) fn weighs_volume(&self) -> bool {
        self.weighting == Weighting::Volume || self.min_volume.is_positive()
    }
}

/// The quorum that `families` configured families get by default: a majority, and at least three where there are three.
///
/// One family alone has a quorum of one, which a configuration must allow explicitly.
pub const fn default_quorum(families: usize) -> usize {
    let majority = families / 2 + 1;
    if families >= 3 && majority < 3 { 3 } else { majority }
}

/// The result of one look at all sources of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// The value, or why there is none.
    pub value: Result<Estimate, Refusal>,
    /// By how many the families that answered, outliers among them, are more than the quorum: how many may fall silent
    /// before there is no value. Below zero they are too few.
    pub margin: isize,
    /// What the gate measured that refused the value, where it measures anything.
    pub measured: Option<Measured>,
    /// One verdict for each candidate, in the same order.
    pub verdicts: Vec<Verdict>,
}

/// A value that may be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Estimate {
    /// The weighted median over families.
    pub price: Price,
    /// Half the width of the range that it stands for: the largest of the weighted median absolute deviation, the median
    /// half-spread, half of the gap between ways of conversion, and [`CONFIDENCE_FLOOR`].
    pub confidence: Price,
    /// The largest distance of a counted family from it.
    pub spread: Price,
    /// Families counted: those that voted, outliers left aside.
    pub families: usize,
    /// How many families of equal weight would say as much, in thousandths: (Σw)²/Σw² of those counted.
    pub effective_milli: u64,
    /// When the oldest counted quote was true: how old an answer may be when it is signed is counted from here, and a
    /// median of the times would let half of the quotes be older than that.
    pub as_of: Wall,
}

/// No market is known better than to a hundredth of a percent.
pub const CONFIDENCE_FLOOR: Ratio = Ratio::from_bps(1);
/// From this many families on, the outlier gate widens with the spread of the families themselves.
///
/// Below, the median absolute deviation of so few values says too little: at 3 to 5 healthy families even 17 of them
/// reject a healthy one in more than one tick of a hundred, so only the floor rules.
pub const MAD_FROM: usize = 6;
/// 17 × 1.4826, the factor on the median absolute deviation that leaves a healthy family out in about 1% of ticks at most,
/// for every n from 6 on and errors with tails as heavy as Student's t₃; in 0.5% where they are normal.
const MAD_FACTOR: Ratio = Ratio::from_ppb(25_204_200_000);

/// Folds candidates into one value.
pub fn aggregate(candidates: &[Candidate], rules: &Rules) -> Aggregation {
    let mut verdicts: Vec<_> = candidates
        .iter()
        .map(|c| match c.sample {
            Ok(sample) => Verdict { price: Some(sample.price), no_vote: c.doubt },
            Err(why) => Verdict { price: None, no_vote: Some(why) },
        })
        .collect();
    let mut votes = votes(candidates, rules);
    let answered = votes.iter().filter(|vote| !vote.is_doubted).count();
    let margin = answered.cast_signed().saturating_sub(rules.quorum.cast_signed());
    if answered < rules.quorum || answered == 0 {
        let value = Err(Refusal::Quorum { have: answered, need: rules.quorum });
        return Aggregation { value, margin, measured: None, verdicts };
    }
    let price = middle_of(&votes);
    for vote in &mut votes {
        vote.apart = vote.price.distance(price);
    }
    let limit = outlier_limit(&votes, price, rules);
    let believed = votes.iter().filter(|vote| !vote.is_doubted);
    let (kept, outliers): (Vec<&Vote>, Vec<&Vote>) = believed.partition(|vote| vote.apart <= limit);
    for (candidate, verdict) in candidates.iter().zip(&mut verdicts) {
        let vote = outliers.iter().find(|vote| vote.family == candidate.family);
        if let (None, Some(vote)) = (verdict.no_vote, vote) {
            let limit = limit.part_of(price).unwrap_or_default();
            let measured = Measured::part(vote.apart, price, limit);
            verdict.no_vote = Some(NoVote::by(LeftOut::Outlier, measured));
        }
    }
    let gap = path_gap(candidates, &verdicts, price, rules);
    let found = refusal(&votes, &kept, outliers.len(), price, rules).map_or(gap, Err);
    let measured = found.as_ref().err().and_then(|(_, measured)| *measured);
    let value = found.map(|gap| estimate(&kept, price, gap)).map_err(|(refusal, _)| refusal);
    Aggregation { value, margin, measured, verdicts }
}

/// Why there is no value, and what the gate measured.
type Refused = (Refusal, Option<Measured>);

/// What forbids the value, although enough families answer.
fn refusal(votes: &[Vote], kept: &[&Vote], outliers: usize, price: Price, rules: &Rules) -> Option<Refused> {
    let weights: Vec<u64> = votes.iter().map(|vote| vote.weight).collect();
    // Of those that the gate judged: who is doubted makes no room for more outliers.
    let most = (kept.len() + outliers).div_ceil(4);
    if outliers > most || kept.is_empty() {
        let measured = Measured::Families { is: outliers, limit: most };
        return Some((Refusal::TooManyOutliers, Some(measured)));
    }
    let widest = widest(kept);
    if rules.refuse_spread.ppb() > 0 && widest.exceeds(rules.refuse_spread, price) {
        return Some((Refusal::Dispersed, Measured::part(widest, price, rules.refuse_spread)));
    }
    has_dictator(&weights).then(|| (Refusal::Share, Some(weight::largest(&weights))))
}

/// The value with all that is said about it.
fn estimate(kept: &[&Vote], price: Price, gap: Price) -> Estimate {
    let of = |value: fn(&Vote) -> Price| {
        weight::median(kept.iter().map(|vote| (value(vote), vote.weight)).collect()).unwrap_or_default()
    };
    let deviation = of(|vote| vote.apart);
    let half_spread = of(|vote| vote.half_width);
    let half_gap = gap.middle(Price::ZERO);
    let floor = price.share(CONFIDENCE_FLOOR);
    let weights: Vec<u64> = kept.iter().map(|vote| vote.weight).collect();
    Estimate {
        price,
        confidence: deviation.max(half_spread).max(half_gap).max(floor),
        spread: widest(kept),
        families: kept.len(),
        effective_milli: weight::effective_milli(&weights),
        as_of: kept.iter().map(|vote| vote.as_of).min().unwrap_or_default(),
    }
}

fn widest(kept: &[&Vote]) -> Price {
    kept.iter().map(|vote| vote.apart).max().unwrap_or_default()
}

/// The median of values that count the same.
pub(crate) fn median(values: impl Iterator<Item = Price>) -> Option<Price> {
    weight::median(values.map(|value| (value, 1)).collect())
}

/// Between which two prices the median of everybody who answers is, before any gate on the whole set: one and the same
/// except where the votes divide in exact halves. Who has less than half of them can move neither beyond what the others
/// say, so that this, and no median of *others*, bears witness against a source.
pub(crate) fn middle(candidates: &[Candidate], rules: &Rules) -> Option<(Price, Price)> {
    weight::middle(votes(candidates, rules).iter().map(|vote| (vote.price, vote.weight)).collect())
}

/// One family's vote.
struct Vote {
    family: usize,
    weight: u64,
    price: Price,
    half_width: Price,
    volume: Option<Price>,
    as_of: Wall,
    is_doubted: bool,
    /// How far it is from the median of all, once that is known.
    apart: Price,
}

/// Folds the sources of each family into its one vote: their median, as old as the oldest. One that is doubted speaks
/// for its family only where all of it are.
fn votes(candidates: &[Candidate], rules: &Rules) -> Vec<Vote> {
    let speaks =
        |candidate| -> Option<(&Candidate, &Sample)> { Some((candidate, candidate.sample.as_ref().ok()?)) };
    let mut speaking = Vec::with_capacity(candidates.len());
    speaking.extend(candidates.iter().filter_map(speaks));
    speaking.sort_by_key(|(candidate, _)| candidate.family);
    let families = speaking.chunk_by(|(one, _), (other, _)| one.family == other.family);
    let mut votes = Vec::with_capacity(speaking.len());
    votes.extend(families.filter_map(vote));
    if rules.weighting == Weighting::Volume {
        let volumes: Vec<Option<Price>> = votes.iter().map(|vote| vote.volume).collect();
        for (vote, weight) in votes.iter_mut().zip(weight::by_volume(&volumes, rules.volume_cap)) {
            vote.weight = weight;
        }
    }
    votes
}

/// The vote of one family, of whose sources these say something.
fn vote(sources: &[(&Candidate, &Sample)]) -> Option<Vote> {
    let (first, sample) = sources.first()?;
    let is_doubted = sources.iter().all(|(candidate, _)| candidate.doubt.is_some());
    let heard = || sources.iter().filter(|(candidate, _)| is_doubted || candidate.doubt.is_none());
    let of = |value: fn(&Sample) -> Price| match sources.len() {
        1 => Some(value(sample)),
        _ => median(heard().map(|(_, sample)| value(sample))),
    };
    Some(Vote {
        family: first.family,
        weight: first.weight.max(1).into(),
        price: of(|sample| sample.price)?,
        half_width: of(|sample| sample.half_width)?,
        volume: heard().filter_map(|(_, sample)| sample.volume).max(),
        as_of: heard().map(|(_, sample)| sample.as_of).min()?,
        is_doubted,
        apart: Price::ZERO,
    })
}

fn middle_of(votes: &[Vote]) -> Price {
    weight::median(votes.iter().map(|vote| (vote.price, vote.weight)).collect()).unwrap_or_default()
}

fn outlier_limit(votes: &[Vote], center: Price, rules: &Rules) -> Price {
    let floor = center.share(rules.outlier_floor);
    if votes.len() < MAD_FROM {
        return floor;
    }
    let distances = votes.iter().map(|vote| (vote.apart, vote.weight)).collect();
    let deviation = weight::median(distances).unwrap_or_default();
    floor.max(deviation.share(MAD_FACTOR))
}

/// How far what counts is apart that is converted by different rates, where that is more than their uncertainties and
/// the tolerance explain.
fn path_gap(
    candidates: &[Candidate],
    verdicts: &[Verdict],
    price: Price,
    rules: &Rules,
) -> Result<Price, Refused> {
    let counts = |(candidate, verdict): (&'_ Candidate, &Verdict)| {
        candidate.sample.ok().filter(|_| verdict.no_vote.is_none()).map(|sample| (candidate.route, sample))
    };
    let counted = || candidates.iter().zip(verdicts).filter_map(counts);
    let mut routes: Vec<usize> = counted().map(|(route, _)| route).collect();
    routes.sort_unstable();
    routes.dedup();
    if let [] | [_] = *routes {
        return Ok(Price::ZERO);
    }
    let middle = |of: usize, value: fn(Sample) -> Price| {
        median(counted().filter(|(route, _)| *route == of).map(|(_, sample)| value(sample)))
            .unwrap_or_default()
    };
    let both =
        |route: usize| (middle(route, |sample| sample.price), middle(route, |sample| sample.half_width));
    let mut ends: Vec<(Price, Price)> = routes.into_iter().map(both).collect();
    ends.sort_unstable();
    let (Some((low, low_width)), Some((high, high_width))) = (ends.first(), ends.last()) else {
        return Ok(Price::ZERO);
    };
    let gap = low.distance(*high);
    if rules.path_refuse.ppb() > 0 && gap.exceeds(rules.path_refuse, price) {
        return Err((Refusal::PathsDisagree, Measured::part(gap, price, rules.path_refuse)));
    }
    // Three parts of one gap: none of them can be negative, so each is taken away in turn.
    let explained = [*low_width, *high_width, price.share(rules.path_tolerance)];
    let rest = explained.iter().try_fold(gap, |rest, part| (rest > *part).then(|| rest.distance(*part)));
    Ok(rest.map_or(Price::ZERO, |_| gap))
}

#[cfg(test)]
mod tests;
