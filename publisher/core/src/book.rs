//! The latest quote of every market, and the values derived from one frozen look at all of them.
//!
//! A source of a feed is a path: one market, then the rates that convert it into the feed's quote asset
//! (`binance BTC/USDT` via `USDT-USD`). All legs of a path are read at the same instant and a path is as old as its
//! oldest leg, so a rate of yesterday can never meet a price of today. Whether paths are free of cycles and name
//! only what exists is checked once, in [`Book::new`].

use crate::aggregate::{Aggregation, Candidate, Estimate, LeftOut, Refusal, Rules, Sample, aggregate};
use crate::price::Ratio;
use crate::quote::{FamilyId, FeedId, MarketId, Observation, Quote, QuoteFault, SourceFault};
use crate::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// A quote may claim to be this far ahead of our clock.
const FUTURE_TOLERANCE: Span = Span::from_s(2);
/// A path converts through at most this many rates, rates of rates included.
pub const MAX_HOPS: usize = 4;

/// One path from a market to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The market that is read.
    pub market: MarketId,
    /// The rates it is multiplied with, in order.
    pub via: Vec<FeedId>,
    /// Whose vote it is part of.
    pub family: FamilyId,
    /// What that vote counts, where weights are fixed; at least 1, and the same for all paths of a family.
    pub weight: u32,
}

impl Path {
    /// A market that needs no conversion, whose venue is a family by itself, with a vote like any other.
    pub fn direct(market: MarketId) -> Self {
        let family = FamilyId::new(market.venue.as_str());
        Self { market, via: Vec::new(), family, weight: 1 }
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
    quote: Option<Quote>,
    fault: Option<SourceFault>,
    readers: BTreeSet<FeedId>,
}

/// A value, with its paths' markets as positions, so that evaluating it looks nothing up by name.
#[derive(Clone, Debug)]
struct Value {
    pricing: Pricing,
    markets: Vec<usize>,
    /// The first path that each one shares its rates with: the way in which it is converted.
    routes: Vec<usize>,
}

/// The markets, and the values that can be derived from them.
#[derive(Clone, Debug)]
pub struct Book {
    markets: Vec<Market>,
    positions: BTreeMap<MarketId, usize>,
    values: BTreeMap<FeedId, Value>,
}

impl Book {
    /// A book over `values`: feeds and rates alike.
    pub fn new(values: BTreeMap<FeedId, Pricing>) -> Result<Self, BookError> {
        let mut book = Self { markets: Vec::new(), positions: BTreeMap::new(), values: BTreeMap::new() };
        for (id, pricing) in values {
            let markets = pricing.paths.iter().map(|path| book.position(&path.market)).collect();
            let same = |path: &Path| pricing.paths.iter().position(|other| other.via == path.via);
            let routes = pricing.paths.iter().filter_map(same).collect();
            book.values.insert(id, Value { pricing, markets, routes });
        }
        for id in book.values.keys().cloned().collect::<Vec<_>>() {
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

    /// Where a market is kept; a new one gets a place.
    fn position(&mut self, id: &MarketId) -> usize {
        if let Some(position) = self.positions.get(id) {
            return *position;
        }
        self.markets.push(Market::default());
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
        let value = self
            .values
            .get(id)
            .ok_or_else(|| BookError::UnknownRate { of: root.clone(), rate: id.clone() })?;
        markets.extend(&value.markets);
        let via = value.pricing.paths.iter().flat_map(|path| &path.via);
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
        let market =
            self.positions.get(observation.market()).and_then(|position| self.markets.get_mut(*position));
        let market = market.map(|market| {
            market.observe(observation);
            &*market
        });
        market.into_iter().flat_map(|market| &market.readers)
    }

    /// The latest quote of a market, and its present fault.
    pub fn market(&self, id: &MarketId) -> (Option<&Quote>, Option<SourceFault>) {
        let market = self.positions.get(id).and_then(|position| self.markets.get(*position));
        market.map_or((None, None), |m| (m.quote.as_ref(), m.fault))
    }

    /// The paths of a value, in the order of its verdicts.
    pub fn paths(&self, id: &FeedId) -> &[Path] {
        self.values.get(id).map_or(&[], |value| &value.pricing.paths)
    }

    /// The value of `id` at `now`, from one look at all markets.
    pub fn evaluate(&self, id: &FeedId, now: Wall) -> Aggregation {
        let Some(Value { pricing, markets, routes }) = self.values.get(id) else {
            return Aggregation { value: Err(Refusal::Quorum { have: 0, need: 0 }), verdicts: Vec::new() };
        };
        let candidates: Vec<Candidate> = pricing
            .paths
            .iter()
            .zip(markets.iter().zip(routes))
            .map(|(path, (position, route))| Candidate {
                family: path.family.clone(),
                weight: path.weight,
                route: *route,
                sample: self.sample(path, *position, pricing, now),
            })
            .collect();
        let Aggregation { mut value, verdicts } = aggregate(&candidates, &pricing.rules);
        if let Some(reference) = &pricing.reference {
            value = value.and_then(|estimate| self.agrees(estimate, reference, now));
        }
        Aggregation { value, verdicts }
    }

    fn agrees(&self, estimate: Estimate, reference: &Reference, now: Wall) -> Result<Estimate, Refusal> {
        let with = self.evaluate(&reference.rate, now).value.map_err(|_| Refusal::NoReference)?.price;
        match estimate.price.distance(with) <= with.share(reference.band) {
            true => Ok(estimate),
            false => Err(Refusal::OffReference),
        }
    }

    fn sample(&self, path: &Path, position: usize, pricing: &Pricing, now: Wall) -> Result<Sample, LeftOut> {
        let Pricing { max_age, rules, .. } = *pricing;
        let (quote, fault) = self.markets.get(position).map_or((None, None), |m| (m.quote.as_ref(), m.fault));
        let quote = quote.ok_or(fault.map_or(LeftOut::NeverSeen, LeftOut::Failing))?;
        if quote.as_of > now + FUTURE_TOLERANCE {
            return Err(LeftOut::Future);
        }
        if now.since(quote.as_of) > max_age {
            return Err(fault.map_or(LeftOut::Stale, LeftOut::Failing));
        }
        let price = quote.price().map_err(|fault| match fault {
            QuoteFault::BadValue => LeftOut::BadValue,
            QuoteFault::Crossed => LeftOut::Crossed,
        })?;
        if rules.max_spread.ppb() > 0 && quote.is_wider(rules.max_spread) {
            return Err(LeftOut::WideSpread);
        }
        if quote.base_volume.is_some_and(|volume| volume < rules.min_volume) {
            return Err(LeftOut::Thin);
        }
        let (volume, as_of) = (quote.base_volume, quote.as_of);
        let mut sample = Sample { price, half_width: quote.half_width(), volume, as_of };
        for rate in &path.via {
            let rate = self.evaluate(rate, now).value.map_err(|_| LeftOut::NoRate)?;
            sample = sample.times(&rate).ok_or(LeftOut::BadValue)?;
        }
        if now.since(sample.as_of) > max_age {
            return Err(LeftOut::Stale); // A rate may be older than this value may be.
        }
        Ok(sample)
    }
}

impl Market {
    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Quote(quote) => {
                self.fault = None;
                let newest = quote.received + FUTURE_TOLERANCE;
                if self.quote.as_ref().is_none_or(|old| quote.as_of >= old.as_of || old.as_of > newest) {
                    self.quote = Some(quote);
                }
            }
            Observation::Missing { fault, .. } => self.fault = Some(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pricing(paths: &[(&str, &[&str])], quorum: usize) -> Pricing {
        Pricing {
            paths: paths
                .iter()
                .map(|(venue, via)| Path {
                    via: via.iter().map(|r| FeedId::new(r)).collect(),
                    ..Path::direct(MarketId::new(venue, "S"))
                })
                .collect(),
            rules: Rules::of(quorum),
            max_age: Span::from_s(30),
            reference: None,
        }
    }

    fn quote(venue: &str, price: &str, at_s: u64) -> Observation {
        let at = Wall::from_s(at_s);
        Observation::Quote(Quote {
            market: MarketId::new(venue, "S"),
            bid: None,
            ask: None,
            last: Some(price.parse().unwrap()),
            base_volume: None,
            as_of: at,
            received: at,
        })
    }

    fn book(values: &[(&str, Pricing)]) -> Result<Book, BookError> {
        Book::new(values.iter().map(|(id, p)| (FeedId::new(id), p.clone())).collect())
    }

    #[test]
    fn a_tether_price_is_converted_with_the_rate_of_the_same_instant() {
        let mut book =
            book(&[("BTC", pricing(&[("binance", &["USDT"])], 1)), ("USDT", pricing(&[("kraken", &[])], 1))])
                .unwrap();
        let btc = FeedId::new("BTC");
        let readers: Vec<_> = book.observe(quote("kraken", "0.985", 10)).cloned().collect();
        assert_eq!(readers, [btc.clone(), FeedId::new("USDT")]);
        assert_eq!(book.evaluate(&btc, Wall::from_s(11)).verdicts, [(None, Some(LeftOut::NeverSeen))]);
        book.observe(quote("binance", "67000", 11)).for_each(drop);
        let estimate = book.evaluate(&btc, Wall::from_s(11)).value.unwrap();
        assert_eq!(estimate.price.to_string(), "65995");
        assert_eq!(estimate.as_of, Wall::from_s(10), "as old as the oldest leg");
        // Once the rate is too old, no mixed value appears.
        book.observe(quote("binance", "67000", 41)).for_each(drop);
        assert_eq!(book.evaluate(&btc, Wall::from_s(41)).verdicts, [(None, Some(LeftOut::NoRate))]);
    }

    #[test]
    fn quotes_age_come_from_the_future_or_arrive_late() {
        let mut book = book(&[("F", pricing(&[("v", &[])], 1))]).unwrap();
        let f = FeedId::new("F");
        let why = |book: &Book, s| book.evaluate(&f, Wall::from_s(s)).verdicts[0].1;
        book.observe(quote("v", "5", 100)).for_each(drop);
        assert_eq!(why(&book, 97), Some(LeftOut::Future));
        assert_eq!(why(&book, 98), None);
        assert_eq!(why(&book, 130), None);
        assert_eq!(why(&book, 131), Some(LeftOut::Stale));
        book.observe(quote("v", "4", 99)).for_each(drop);
        let value = book.evaluate(&f, Wall::from_s(100)).value.unwrap();
        assert_eq!(value.price.to_string(), "5", "an older quote never replaces a newer one");
        let market = MarketId::new("v", "S");
        book.observe(Observation::Missing { market, fault: SourceFault::Timeout }).for_each(drop);
        assert_eq!(why(&book, 101), None, "one failed poll does not take the vote away");
        assert_eq!(why(&book, 131), Some(LeftOut::Failing(SourceFault::Timeout)));
    }

    #[test]
    fn a_quote_from_the_future_does_not_lock_its_market() {
        let mut book = book(&[("F", pricing(&[("v", &[])], 1))]).unwrap();
        let f = FeedId::new("F");
        let price = |book: &Book, s| book.evaluate(&f, Wall::from_s(s)).value.map(|e| e.price.to_string());
        // A venue's timestamp in milliseconds read as seconds, or a clock that was set back by an hour.
        book.observe(quote("v", "5", 4_000)).for_each(drop);
        assert!(price(&book, 401).is_err());
        book.observe(quote("v", "6", 400)).for_each(drop);
        assert_eq!(price(&book, 401), Ok("6".to_owned()));
        book.observe(quote("v", "7", 398)).for_each(drop);
        assert_eq!(price(&book, 401), Ok("6".to_owned()), "a little disorder is no lapse");
    }

    #[test]
    fn a_book_that_is_wide_and_a_market_that_is_thin_have_no_vote() {
        let mut pricing = pricing(&[("v", &[])], 1);
        pricing.rules.min_volume = "5".parse().unwrap();
        let mut book = book(&[("F", pricing)]).unwrap();
        let now = Wall::from_s(1);
        let mut told = |bid: &str, ask: &str, volume: Option<&str>| {
            let market = MarketId::new("v", "S");
            let (bid, ask, base_volume) =
                (bid.parse().ok(), ask.parse().ok(), volume.map(|v| v.parse().unwrap()));
            let quote = Quote { market, bid, ask, last: None, base_volume, as_of: now, received: now };
            book.observe(Observation::Quote(quote)).for_each(drop);
            let aggregation = book.evaluate(&FeedId::new("F"), now);
            (
                aggregation.verdicts[0].1,
                aggregation.value.ok().map(|estimate| estimate.confidence.to_string()),
            )
        };
        assert_eq!(told("99.5", "100.5", Some("5")), (None, Some("0.5".to_owned())), "at the limits");
        assert_eq!(told("99.5", "100.5", None).0, None, "nothing can be said against it");
        assert_eq!(told("99.4", "100.5", Some("5")).0, Some(LeftOut::WideSpread));
        assert_eq!(told("99.5", "100.5", Some("4.9")).0, Some(LeftOut::Thin));
    }

    #[test]
    fn what_is_not_known_of_a_price_and_of_its_rate_adds_up() {
        let mut book =
            book(&[("BTC", pricing(&[("binance", &["USDT"])], 1)), ("USDT", pricing(&[("kraken", &[])], 1))])
                .unwrap();
        book.observe(quote("kraken", "0.5", 10)).for_each(drop);
        book.observe(quote("binance", "1000", 10)).for_each(drop);
        let estimate = book.evaluate(&FeedId::new("BTC"), Wall::from_s(11)).value.unwrap();
        // A tenth of a percent for each last trade that comes without a book.
        assert_eq!((estimate.price.to_string(), estimate.confidence.to_string()), ("500".into(), "1".into()));
    }

    #[test]
    fn a_slow_rate_cannot_make_a_value_older_than_the_value_may_be() {
        let mut slow = pricing(&[("kraken", &[])], 1);
        slow.max_age = Span::from_s(300);
        let mut book = book(&[("BTC", pricing(&[("binance", &["USDT"])], 1)), ("USDT", slow)]).unwrap();
        book.observe(quote("kraken", "0.985", 10)).for_each(drop);
        book.observe(quote("binance", "67000", 50)).for_each(drop);
        let verdicts = book.evaluate(&FeedId::new("BTC"), Wall::from_s(50)).verdicts;
        assert_eq!(verdicts, [(None, Some(LeftOut::Stale))]);
    }

    #[test]
    fn cycles_and_unknown_rates_are_refused() {
        let unknown = book(&[("A", pricing(&[("v", &["B"])], 1))]);
        assert_eq!(
            unknown.err(),
            Some(BookError::UnknownRate { of: FeedId::new("A"), rate: FeedId::new("B") })
        );
        let cycle = book(&[("A", pricing(&[("v", &["B"])], 1)), ("B", pricing(&[("v", &["A"])], 1))]);
        assert_eq!(cycle.err(), Some(BookError::TooDeep { of: FeedId::new("A") }));
    }

    /// Without it a feed whose sources all lack the same factor is published, since they agree.
    #[test]
    fn f63_a_value_that_lacks_a_factor_or_is_inverted_is_none_beside_its_reference() {
        let with = |reference: Option<&str>| {
            let mut feed = pricing(&[("a", &[]), ("b", &[])], 2);
            let band = Ratio::from_bps(500);
            feed.reference = reference.map(|rate| Reference { rate: FeedId::new(rate), band });
            feed
        };
        let reference = pricing(&[("r", &[])], 1);
        let mut book = book(&[("X", with(Some("R"))), ("R", reference.clone())]).unwrap();
        let now = Wall::from_s(100);
        let mut told = |price: &str, reference: &str| {
            for (venue, price) in [("a", price), ("b", price), ("r", reference)] {
                book.observe(quote(venue, price, 100)).for_each(drop);
            }
            book.evaluate(&FeedId::new("X"), now).value.map(|estimate| estimate.price.to_string())
        };
        assert_eq!(told("95", "100").unwrap(), "95");
        assert_eq!(told("105", "100").unwrap(), "105");
        for price in ["94.999", "105.001", "0.01", "10000"] {
            assert_eq!(told(price, "100").unwrap_err(), Refusal::OffReference, "{price}");
        }
        let later = Wall::from_s(120);
        for venue in ["a", "b"] {
            book.observe(quote(venue, "100", 120)).for_each(drop);
        }
        assert!(book.evaluate(&FeedId::new("X"), later).value.is_ok());
        let stale = Wall::from_s(140);
        assert_eq!(book.evaluate(&FeedId::new("X"), stale).value.unwrap_err(), Refusal::NoReference);
        // What the reference says concerns the feed.
        assert!(book.observe(quote("r", "100", 140)).any(|reader| *reader == FeedId::new("X")));
        let unknown = super::Book::new([(FeedId::new("X"), with(Some("NONE")))].into()).unwrap_err();
        assert!(matches!(unknown, BookError::UnknownRate { .. }), "{unknown}");
        let itself = super::Book::new([(FeedId::new("X"), with(Some("X")))].into()).unwrap_err();
        assert!(matches!(itself, BookError::TooDeep { .. }), "{itself}");
    }
}
