//! The latest quote of every market, and the values derived from one frozen look at all of them.
//!
//! A source of a feed is a path: one market, then the rates that convert it into the feed's quote asset
//! (`binance BTC/USDT` via `USDT-USD`), which may be multiplied with or divided by ([`Route`]). All legs of a path are
//! read at the same instant and a path is as old as its oldest leg, so a rate of yesterday can never meet a price of
//! today. Whether paths are free of cycles and name only what exists is checked once, in [`Book::new`].

use crate::aggregate::{
    Aggregation, Candidate, Estimate, LeftOut, Measured, NoVote, Refusal, Rules, Sample, aggregate, middle,
};
use crate::constant::Constant;
use crate::drift::{self, Skew, Steps, VenueClock};
use crate::peg::Pegged;
use crate::price::{Price, Ratio};
use crate::quote::{
    FamilyId, FeedId, Listing, MarketId, Observation, Quote, QuoteFault, SourceFault, VenueId,
};
use crate::route::Route;
use crate::standing::{Standing, Watch};
use crate::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

mod pegs;
mod review;

pub use pegs::PegChange;

/// A jump is believed that so many other families say, or on which the middle of all is: else a minority that stays
/// behind would be all that is left of a few families, of which none has so many others.
const WITNESSES: usize = 3;
/// … to this part.
const WITNESS_BAND: Ratio = Ratio::from_bps(100);
/// From so many families on, one that jumps cannot move the median by itself, and keeps its place in it.
const MEDIAN_FROM: usize = 3;
/// A path converts through at most this many rates, rates of rates included.
pub const MAX_HOPS: usize = 4;

/// One path from a market to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The market that is read.
    pub market: MarketId,
    /// Which way round it is read, and the rates that convert it.
    pub via: Route,
    /// Whose vote it is part of.
    pub family: FamilyId,
    /// What that vote counts, where weights are fixed; at least 1, and the same for all paths of a family.
    pub weight: u32,
    /// Whether its price stands still by its nature, as that of an oracle which is written when it has moved enough, or
    /// of a share between two harvests. Stillness is not held against it.
    pub is_steady: bool,
}

/// As the configuration spells it: `1 / kraken:USDJPY * EUR-USD`.
impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.via.inverse { "1 / " } else { "" }, self.market)?;
        self.via.legs.iter().try_for_each(|leg| write!(f, " {leg}"))
    }
}

impl Path {
    /// A market that needs no conversion, whose venue is a family by itself, with a vote like any other.
    pub fn direct(market: MarketId) -> Self {
        let family = FamilyId::new(market.venue.as_str());
        Self { market, via: Route::default(), family, weight: 1, is_steady: false }
    }
}

/// How a value is made from its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pricing {
    /// Its sources.
    pub paths: Vec<Path>,
    /// The gates.
    pub rules: Rules,
    /// A quote older than this has no vote.
    pub max_age: Span,
    /// What it must agree with to be a value at all.
    pub reference: Option<Reference>,
    /// It has no sources: this is its value.
    pub constant: Option<Constant>,
}

/// A value that another one is held against: a factor that is missing or inverted shows here, however well the
/// sources that lack it agree with one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The rate, or another feed.
    pub rate: FeedId,
    /// How far from it, as a part of it, the value may be.
    pub band: Ratio,
}

/// A source has another standing than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The value that it is a source of.
    pub of: FeedId,
    /// Its market.
    pub market: MarketId,
    /// What it is now.
    pub standing: Standing,
    /// Why it came to probation.
    pub why: LeftOut,
}

/// Why a set of pricings makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A path names a rate that does not exist.
    #[error("rate {rate} of {of} does not exist")]
    UnknownRate {
        /// The value whose path names it.
        of: FeedId,
        /// The name.
        rate: FeedId,
    },
    /// A value is, over other rates, its own rate, or too many rates follow on one another.
    #[error("{of} depends on itself or passes more than {MAX_HOPS} rates")]
    TooDeep {
        /// The value.
        of: FeedId,
    },
}

/// A market and who reads it.
#[derive(Clone, Debug, Default)]
struct Market {
    heard: Option<Reading>,
    fault: Option<SourceFault>,
    readers: BTreeSet<FeedId>,
    /// The values that it is a source of, and which.
    paths: Vec<(usize, usize)>,
    /// Where its venue's clock is kept.
    clock: usize,
    /// What its venue's list says of it.
    listing: Listing,
}

/// What a quote says, worked out once for all who read it, and by itself: with many feeds, what a look takes is mostly
/// waiting for memory.
#[derive(Clone, Debug)]
struct Reading {
    price: Result<Price, QuoteFault>,
    half_width: Price,
    spread: Option<Ratio>,
    as_of: Wall,
    received: Wall,
    quote: Box<Quote>,
}

impl From<Quote> for Reading {
    fn from(quote: Quote) -> Self {
        let Quote { as_of, received, .. } = quote;
        let (price, half_width, spread) = (quote.price(), quote.half_width(), quote.spread());
        Self { price, half_width, spread, as_of, received, quote: Box::new(quote) }
    }
}

/// What a path names, as positions, so that evaluating a value looks nothing up by name.
#[derive(Clone, Copy, Debug)]
struct Place {
    market: usize,
    /// The first path that it shares its rates with: the way in which it is converted.
    route: usize,
    /// The first path of its family.
    family: usize,
    /// What its family's vote counts.
    weight: u32,
    /// Whether the market's price is the value's as it stands.
    is_direct: bool,
}

#[derive(Clone, Debug)]
struct Value {
    id: FeedId,
    pricing: Pricing,
    /// Where each path begins.
    places: Vec<Place>,
    /// What is remembered of each path.
    watches: Vec<Watch>,
    /// What is known of its peg, where it has one.
    pegged: Pegged,
    /// What it was when it was last read as a rate.
    read: Memo,
}

/// A value, and the state of the book and the time for which it was worked out.
type Read = (u64, Wall, Result<Estimate, Refusal>);

/// What was worked out last. A copy knows nothing.
#[derive(Debug, Default)]
struct Memo(Mutex<Option<Read>>);

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The markets, and the values that can be derived from them.
#[derive(Clone, Debug)]
pub struct Book {
    markets: Vec<Market>,
    positions: BTreeMap<MarketId, usize>,
    /// In the order of their names.
    values: Vec<Value>,
    names: BTreeMap<FeedId, usize>,
    /// Grows with everything that a value may depend on, time aside.
    state: u64,
    /// What is known of the clock of every venue.
    clocks: Vec<(VenueId, VenueClock)>,
    /// What all of them say of ours.
    own_clock: Option<Skew>,
    steps: Steps,
}

impl Book {
    /// A book over `values`: feeds and rates alike.
    pub fn new(values: BTreeMap<FeedId, Pricing>) -> Result<Self, BookError> {
        let mut book = Self {
            markets: Vec::new(),
            positions: BTreeMap::new(),
            values: Vec::new(),
            names: BTreeMap::new(),
            state: 0,
            clocks: Vec::new(),
            own_clock: None,
            steps: Steps::default(),
        };
        for (id, pricing) in values {
            let paths = &pricing.paths;
            let first = |same: &dyn Fn(&Path) -> bool| paths.iter().position(same).unwrap_or_default();
            let place = |path: &Path| Place {
                market: book.position(&path.market),
                route: first(&|other| other.via.legs == path.via.legs),
                family: first(&|other| other.family == path.family),
                weight: path.weight,
                is_direct: path.via.is_direct(),
            };
            let places: Vec<Place> = paths.iter().map(place).collect();
            for (index, place) in places.iter().enumerate() {
                if let Some(market) = book.markets.get_mut(place.market) {
                    market.paths.push((book.values.len(), index));
                    if let Some((_, clock)) = book.clocks.get_mut(market.clock) {
                        clock.read_with(pricing.max_age);
                    }
                }
            }
            let watches = vec![Watch::default(); paths.len()];
            book.names.insert(id.clone(), book.values.len());
            book.values.push(Value {
                id,
                pricing,
                places,
                watches,
                pegged: Pegged::default(),
                read: Memo::default(),
            });
        }
        for id in book.values.iter().map(|value| value.id.clone()).collect::<Vec<_>>() {
            let mut markets = BTreeSet::new();
            book.collect(&id, &id, 0, &mut markets)?;
            for position in markets {
                if let Some(market) = book.markets.get_mut(position) {
                    market.readers.insert(id.clone());
                }
            }
        }
        Ok(book)
    }

    fn value_mut(&mut self, id: &FeedId) -> Option<&mut Value> {
        self.names.get(id).and_then(|at| self.values.get_mut(*at))
    }

    fn value(&self, id: &FeedId) -> Option<&Value> {
        self.names.get(id).and_then(|at| self.values.get(*at))
    }

    /// Where a market is kept; a new one gets a place.
    fn position(&mut self, id: &MarketId) -> usize {
        if let Some(position) = self.positions.get(id) {
            return *position;
        }
        let clock = self.clocks.iter().position(|(venue, _)| *venue == id.venue).unwrap_or_else(|| {
            self.clocks.push((id.venue.clone(), VenueClock::default()));
            self.clocks.len() - 1
        });
        self.markets.push(Market { clock, ..Market::default() });
        let position = self.markets.len() - 1;
        self.positions.insert(id.clone(), position);
        position
    }

    /// Every market that `id` reads, its rates' markets included.
    fn collect(
        &self,
        root: &FeedId,
        id: &FeedId,
        depth: usize,
        markets: &mut BTreeSet<usize>,
    ) -> Result<(), BookError> {
        if depth > MAX_HOPS {
            return Err(BookError::TooDeep { of: root.clone() });
        }
        let value =
            self.value(id).ok_or_else(|| BookError::UnknownRate { of: root.clone(), rate: id.clone() })?;
        markets.extend(value.places.iter().map(|place| place.market));
        let via = value.pricing.paths.iter().flat_map(|path| path.via.rates());
        for rate in via.chain(value.pricing.reference.as_ref().map(|reference| &reference.rate)) {
            self.collect(root, rate, depth + 1, markets)?;
        }
        Ok(())
    }

    /// Every market that is read by anything.
    pub fn markets(&self) -> impl Iterator<Item = &MarketId> {
        self.positions.keys()
    }

    /// Takes an observation; returns the feeds and rates that read its market.
    ///
    /// An older quote never replaces a newer one, unless the newer one turns out to come from the future: a venue's
    /// lapse, or our own clock's, would lock the market until that future arrives. A fault keeps the last quote,
    /// which then ages out.
    pub fn observe(&mut self, observation: Observation) -> impl Iterator<Item = &FeedId> {
        self.state += 1;
        let Self { markets, positions, values, clocks, .. } = self;
        let market = positions.get(observation.market()).and_then(|position| markets.get_mut(*position));
        let market = market.map(|market| {
            let clock = clocks.get_mut(market.clock);
            if let Some((quote, (_, clock))) = market.observe(observation).zip(clock) {
                clock.saw(quote.as_of, quote.received);
            }
            for (value, index) in &market.paths {
                let value =
                    values.get_mut(*value).map(|value| (value.watches.get_mut(*index), &value.pricing.rules));
                if let (Some((Some(watch), rules)), Some(Reading { price: Ok(price), received, .. })) =
                    (value, &market.heard)
                {
                    watch.saw(*price, *received, rules);
                }
            }
            &*market
        });
        market.into_iter().flat_map(|market| &market.readers)
    }

    /// Takes what a venue's list says of a market; returns the feeds and rates that read it, if that is news.
    pub fn list(&mut self, id: &MarketId, listing: Listing) -> impl Iterator<Item = &FeedId> {
        self.state += 1;
        let Self { markets, positions, .. } = self;
        let market = positions.get(id).and_then(|position| markets.get_mut(*position));
        let market = market.filter(|market| market.listing != listing).map(|market| {
            market.listing = listing;
            &*market
        });
        market.into_iter().flat_map(|market| &market.readers)
    }

    /// The latest quote of a market, and its present fault.
    pub fn market(&self, id: &MarketId) -> (Option<&Quote>, Option<SourceFault>) {
        let market = self.positions.get(id).and_then(|position| self.markets.get(*position));
        market.map_or((None, None), |m| (m.quote(), m.fault))
    }

    /// The paths of a value, in the order of its verdicts.
    pub fn paths(&self, id: &FeedId) -> &[Path] {
        self.value(id).map_or(&[], |value| &value.pricing.paths)
    }

    /// Every value that is a constant.
    pub fn constants(&self) -> impl Iterator<Item = (&FeedId, &Constant)> {
        self.values.iter().filter_map(|value| Some((&value.id, value.pricing.constant.as_ref()?)))
    }

    /// The value of `id` at `now`, from one look at all markets.
    pub fn evaluate(&self, id: &FeedId, now: Wall) -> Aggregation {
        self.value(id).map_or_else(
            || {
                let value = Err(Refusal::Quorum { have: 0, need: 0 });
                Aggregation { value, margin: 0, measured: None, verdicts: Vec::new() }
            },
            |value| self.judge(value, self.candidates(value, now), now),
        )
    }

    /// The value of a rate, which is the same for all who read it in one look: with a thousand feeds it would be worked out
    /// as many times.
    fn rate(&self, id: &FeedId, now: Wall) -> Result<Estimate, Refusal> {
        let missing = Refusal::Quorum { have: 0, need: 0 };
        let value = self.value(id).ok_or(missing)?;
        let known = value.read.0.lock().ok().and_then(|known| *known);
        let current = known.filter(|(state, at, _)| (*state, *at) == (self.state, now));
        if let Some((_, _, read)) = current {
            return read;
        }
        let read = self.judge(value, self.candidates(value, now), now).value;
        if let Ok(mut known) = value.read.0.lock() {
            *known = Some((self.state, now, read));
        }
        read
    }

    /// What becomes of what the sources say.
    fn judge(&self, of: &Value, mut candidates: Vec<Candidate>, now: Wall) -> Aggregation {
        let Value { pricing, watches, .. } = of;
        if let Some(constant) = &pricing.constant {
            return Aggregation { value: constant.at(now), margin: 0, measured: None, verdicts: Vec::new() };
        }
        let left_out: Vec<Option<NoVote>> = watches
            .iter()
            .enumerate()
            .map(|(index, watch)| {
                watch.forbids(&pricing.rules).or_else(|| self.jumps(of, &candidates, index))
            })
            .collect();
        let is_jump = |why: &NoVote| why.why == LeftOut::Jump;
        let keep_place =
            left_out.iter().flatten().any(is_jump) && speaking(&candidates, &left_out) >= MEDIAN_FROM;
        for (candidate, why) in candidates.iter_mut().zip(left_out) {
            let Some(why) = why.filter(|_| candidate.sample.is_ok()) else { continue };
            if is_jump(&why) && keep_place {
                candidate.doubt = Some(why);
            } else {
                candidate.sample = Err(why);
            }
        }
        let mut found = aggregate(&candidates, &pricing.rules);
        if let Some(reference) = &pricing.reference {
            let refused =
                found.value.as_ref().ok().and_then(|estimate| self.refused(estimate, reference, now));
            if let Some((refusal, measured)) = refused {
                (found.value, found.measured) = (Err(refusal), measured);
            }
        }
        found
    }

    /// What the sources say now, each by itself.
    fn candidates(&self, value: &Value, now: Wall) -> Vec<Candidate> {
        let Value { pricing, places, .. } = value;
        let candidate = |(path, place): (&Path, &Place)| Candidate {
            family: place.family,
            weight: place.weight,
            route: place.route,
            sample: self.sample(path, place, pricing, now),
            doubt: None,
        };
        pricing.paths.iter().zip(places).map(candidate).collect()
    }

    /// Whether a source is far from what it said itself, and others do not bear it out.
    fn jumps(&self, value: &Value, candidates: &[Candidate], index: usize) -> Option<NoVote> {
        let Value { pricing, places, watches, .. } = value;
        let reading = self.markets.get(places.get(index)?.market)?.heard.as_ref()?;
        let candidate = candidates.get(index)?;
        let price = candidate.sample.as_ref().ok()?.price;
        let said = reading.price.ok()?;
        let own = watches.get(index)?.jumps(said, reading.received, &pricing.rules)?;
        let near = |other: Price| !other.distance(price).exceeds(WITNESS_BAND, price);
        let others = candidates.iter().filter(|other| other.family != candidate.family);
        let witnesses = others.filter(|other| other.sample.is_ok_and(|sample| near(sample.price)));
        let witnesses: BTreeSet<_> = witnesses.map(|other| other.family).collect();
        let middle = middle(candidates, &pricing.rules);
        let most = middle.is_some_and(|(low, high)| near(low) && near(high));
        let measured = || Measured::part(said.distance(own), own, pricing.rules.self_jump);
        (!most && witnesses.len() < WITNESSES).then(|| NoVote::by(LeftOut::Jump, measured()))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Why a value is not believed beside its reference, and by what measure.
    fn refused(
        &self,
        estimate: &Estimate,
        reference: &Reference,
        now: Wall,
    ) -> Option<(Refusal, Option<Measured>)> {
        let Ok(with) = self.rate(&reference.rate, now) else {
            return Some((Refusal::NoReference, None));
        };
        let (distance, with) = (estimate.price.distance(with.price), with.price);
        let far = || (Refusal::OffReference, Measured::part(distance, with, reference.band));
        distance.exceeds(reference.band, with).then(far)
    }

    fn sample(&self, path: &Path, place: &Place, pricing: &Pricing, now: Wall) -> Result<Sample, NoVote> {
        let (max_age, rules) = (pricing.max_age, &pricing.rules);
        let market = self.markets.get(place.market);
        let (heard, fault) = market.map_or((None, None), |m| (m.heard.as_ref(), m.fault));
        match market.map_or(Listing::Trading, |market| market.listing) {
            Listing::Trading => {}
            Listing::Halted => return Err(LeftOut::Halted.into()),
            Listing::Gone => return Err(LeftOut::Delisted.into()),
        }
        let reading = heard.ok_or(fault.map_or(LeftOut::NeverSeen, LeftOut::Failing))?;
        let age = |as_of: Wall| Measured::Time { is: now.since(as_of), limit: max_age };
        if reading.as_of > now + drift::TOLERANCE {
            let ahead = Measured::Time { is: reading.as_of.since(now), limit: drift::TOLERANCE };
            return Err(NoVote::by(LeftOut::Future, ahead));
        }
        if now.since(reading.as_of) > max_age {
            let clock = market.and_then(|market| self.clocks.get(market.clock));
            let lags = clock.is_some_and(|(_, clock)| clock.skew() == Some(Skew::Behind));
            let stale = if lags { LeftOut::Lagging } else { LeftOut::Stale };
            return Err(
                fault.map_or(NoVote::by(stale, age(reading.as_of)), |fault| LeftOut::Failing(fault).into())
            );
        }
        let price = reading.price.map_err(|fault| match fault {
            QuoteFault::BadValue => LeftOut::BadValue,
            QuoteFault::Crossed => LeftOut::Crossed,
        })?;
        if let Some(is) = reading.spread.filter(|is| *is > rules.max_spread && rules.max_spread.ppb() > 0) {
            let limit = rules.max_spread;
            return Err(NoVote::by(LeftOut::WideSpread, Measured::Part { is, limit }));
        }
        let told = rules.weighs_volume().then_some(reading.quote.base_volume).flatten();
        if let Some(thin) = told.filter(|volume| *volume < rules.min_volume) {
            let measured = thin.part_of(rules.min_volume).map(|is| Measured::Volume { is });
            return Err(NoVote::by(LeftOut::Thin, measured));
        }
        let mut sample = Sample { price, half_width: reading.half_width, volume: told, as_of: reading.as_of };
        if place.is_direct {
            return Ok(sample);
        }
        if path.via.inverse {
            let turned = reading.quote.inverted().ok_or(LeftOut::BadValue)?;
            let price = turned.price().map_err(|_| LeftOut::BadValue)?;
            let volume = told.and(turned.base_volume);
            sample = Sample { price, half_width: turned.half_width(), volume, ..sample };
        }
        for leg in &path.via.legs {
            if rules.drop_depegged && self.has_lost_peg(&leg.rate) {
                return Err(LeftOut::Depegged.into());
            }
            let rate = self.rate(&leg.rate, now).map_err(|_| LeftOut::NoRate)?;
            sample = sample.by(&rate, leg.divides).ok_or(LeftOut::BadValue)?;
        }
        if now.since(sample.as_of) > max_age {
            return Err(NoVote::by(LeftOut::Stale, age(sample.as_of))); // A rate may be older than this value may be.
        }
        Ok(sample)
    }
}

/// Families that say something, believed or not, and have a vote.
fn speaking(candidates: &[Candidate], left_out: &[Option<NoVote>]) -> usize {
    let speaks = |(candidate, why): &(&Candidate, &Option<NoVote>)| {
        candidate.sample.is_ok() && why.is_none_or(|why| why.why == LeftOut::Jump)
    };
    let families = candidates.iter().zip(left_out).filter(speaks).map(|(candidate, _)| candidate.family);
    families.collect::<BTreeSet<_>>().len()
}

impl Market {
    /// Its latest quote.
    fn quote(&self) -> Option<&Quote> {
        self.heard.as_ref().map(|reading| &*reading.quote)
    }

    /// Takes an observation; the quote, if its exchange's time was not said before.
    fn observe(&mut self, observation: Observation) -> Option<&Quote> {
        match observation {
            Observation::Quote(quote) => {
                self.fault = None;
                let newest = quote.received + drift::TOLERANCE;
                let before = self.quote().map(|old| old.as_of);
                if before.is_none_or(|before| quote.as_of >= before || before > newest) {
                    self.heard = Some(quote.into());
                }
                // The first quote of all may have been there for long.
                self.quote().filter(|new| new.is_clocked && before.is_some_and(|old| old < new.as_of))
            }
            Observation::Missing { fault, .. } => {
                self.fault = Some(fault);
                None
            }
        }
    }
}

#[cfg(test)]
mod defects;
#[cfg(test)]
mod tests;
