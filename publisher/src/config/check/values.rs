//! Feeds and rates: their sources, how they depend on one another, and what belongs to one feed only.

use super::assets::{Odd, not_dollars, odd};
use super::units::{Spelled, mismatch, pair};
use super::venues::Venues;
use super::{Check, Layers, Named, SOURCES};
use crate::config::keys::{Depegged, Feed as RawFeed, Gates, Policy, Rate};
use crate::config::leaf::{Entry, value};
use crate::config::problem::{Place, suggestion};
use crate::config::raw::Item;
use crate::config::{Feed, SignerSpec, pricings};
use crate::sources::Assets;
use alloy::primitives::Address;
use publisher_core::book::{Book, MAX_HOPS, Path, Pricing, Reference};
use publisher_core::policy::Policy as CorePolicy;
use publisher_core::price::{Answer, Price, Ratio};
use publisher_core::quote::{FeedId, MarketId};
use publisher_core::route::{Leg, Route};
use publisher_core::time::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Decimals of an answer, at most: as many as an integer has that a price may be.
const DECIMALS_MAX: u8 = publisher_core::price::DIGITS;
/// How far from its reference a value may be, if nobody says so.
const REFERENCE_BAND: Ratio = Ratio::from_bps(500);
/// Letters of a description; it is stored on chain.
const DESCRIPTION_MAX: usize = 64;

type Values = (BTreeMap<FeedId, Pricing>, BTreeMap<FeedId, Feed>);
/// A name, its place, and the rates that its sources name, with the place of each.
type Edges<'a> = BTreeMap<&'a str, Vec<(&'a str, Place)>>;

/// Which sources of a feed count off a peg, as its policy says it.
fn depegged_of(policy: &Policy) -> Option<&Depegged> {
    policy.on_depeg.as_ref().map(|on_depeg| &on_depeg.sources)
}

impl<'a> Check<'a> {
    pub(super) fn values(
        &mut self,
        venues: &Venues,
        signers: &Named<SignerSpec>,
        block_time: Option<Span>,
    ) -> Option<Values> {
        let root = self.root;
        if root.feed.is_empty() {
            let place = Place { path: "feed".into(), line: None, shown: String::new() };
            let hint = "add [feed.\"BTC-USD\"] with decimals, min, max and sources";
            self.found.error(&place, "no feed", hint);
        }
        for (name, rate) in &root.rate {
            if root.feed.contains_key(name) {
                let hint = "drop the rate: a feed can be used as a rate";
                self.found.error(&rate.place, format!("there is a feed {name} too"), hint);
            }
        }
        let edges = self.edges();
        let known = self.used(&edges);
        let sound = self.depth(&edges) && known;
        self.shared();
        let (mut rates, mut feeds) = (self.constants(), BTreeMap::new());
        for (name, raw) in &root.rate {
            let pricing = self.rate(name, raw, venues);
            rates.extend(pricing.map(|pricing| (FeedId::new(name), pricing)));
        }
        for (name, raw) in &root.feed {
            let feed = self.feed(name, raw, venues, signers, block_time);
            feeds.extend(feed.map(|feed| (FeedId::new(name), feed)));
        }
        let named = root.rate.len() + root.constant.len();
        let complete = rates.len() == named && feeds.len() == root.feed.len();
        (complete && sound).then_some((rates, feeds)).filter(|values| self.book(values))
    }

    /// The core has the last word on what can be evaluated.
    fn book(&mut self, (rates, feeds): &Values) -> bool {
        let book = Book::new(pricings(rates, feeds));
        if let Err(error) = &book {
            let place = Place { path: "feed".into(), line: None, shown: String::new() };
            self.found.error(&place, error.to_string(), "look at the rates that sources name");
        }
        book.is_ok()
    }

    fn rate(&mut self, name: &str, raw: &'a Rate, venues: &Venues) -> Option<Pricing> {
        let policy = raw.policy.as_ref();
        let depegged = policy.and_then(|policy| policy.on_depeg.as_ref());
        let layers = self.layers(name, &raw.place, None, policy.map(|policy| &policy.gates), depegged);
        let paths = self.paths(name, raw.sources.as_ref(), venues);
        let layers = Layers { is_stable: raw.peg.is_some(), ..layers };
        let mut pricing = self.pricing(&layers, paths, &[], venues)?;
        pricing.rules.peg = raw.peg.as_ref().map(|peg| self.peg(peg, distinct(&pricing.paths)));
        Some(pricing)
    }

    fn feed(
        &mut self,
        name: &str,
        raw: &'a RawFeed,
        venues: &Venues,
        signers: &Named<SignerSpec>,
        block_time: Option<Span>,
    ) -> Option<Feed> {
        let own = raw.policy.as_ref();
        let layers =
            self.layers(name, &raw.place, own, own.map(|policy| &policy.gates), own.and_then(depegged_of));
        let paths = self.paths(name, raw.sources.as_ref(), venues);
        let layers = Layers { has_off_hours: raw.off_hours_sources.is_some(), ..layers };
        let others = self.paths(name, raw.off_hours_sources.as_ref(), venues);
        let reference = self.reference(name, raw);
        let pricing = self.pricing(&layers, paths, others.as_deref().unwrap_or_default(), venues);
        let pricing = pricing.map(|pricing| Pricing { reference, ..pricing });
        let decimals = self.decimals(raw);
        let bounds = decimals.and_then(|decimals| self.bounds(raw, decimals));
        let max_age = pricing.as_ref().map(|pricing| pricing.max_age);
        let policy = self.policy(&layers, decimals, bounds, block_time, max_age);
        let off_hours = others.zip(pricing.as_ref()).zip(policy.as_ref());
        let off_hours = off_hours
            .map(|((paths, main), policy)| self.off_hours(raw, &layers, (paths, main), policy, venues));
        let signer = self.signer(raw, signers);
        let description = self.description(name, raw);
        let (signer, account) = signer?;
        let pricing = pricing?;
        let policy = policy.map(|policy| CorePolicy {
            schedule: policy.schedule.seeded(&FeedId::new(name), account),
            ..policy
        });
        Some(Feed {
            aggregator: self.home(raw),
            entry: self.entry(raw),
            facade: value(raw.facade.as_ref()),
            proxy: value(raw.proxy.as_ref()),
            description,
            decimals: decimals?,
            signer,
            account,
            families: distinct(&pricing.paths),
            pricing,
            off_hours,
            policy: policy?,
        })
    }

    fn layers<'n>(
        &self,
        name: &'n str,
        place: &Place,
        rules: Option<&'n Policy>,
        gates: Option<&'n Gates>,
        off_peg: Option<&'n Depegged>,
    ) -> Layers<'n>
    where
        'a: 'n,
    {
        let base = self.root.defaults.as_ref().and_then(|defaults| defaults.policy.as_ref());
        let gates = [gates, base.map(|policy| &policy.gates)];
        let depegged = [off_peg, base.and_then(depegged_of)];
        let (place, rules) = (place.clone(), [rules, base]);
        Layers { name, place, list: SOURCES, has_off_hours: false, is_stable: false, rules, gates, depegged }
    }

    fn decimals(&mut self, raw: &RawFeed) -> Option<u8> {
        let item = raw.decimals.as_ref()?;
        if item.value > DECIMALS_MAX {
            let hint = "use 36 or less; 8 is usual for dollars, 18 for ether";
            self.found.error(&item.place, "more decimals than prices are exact to", hint);
            return None;
        }
        Some(item.value)
    }

    /// The smallest and largest answer.
    fn bounds(&mut self, raw: &RawFeed, decimals: u8) -> Option<(Answer, Answer)> {
        let mut bound = |item: &Option<Item<Price>>| {
            let Item { value, place } = item.as_ref()?;
            if !value.is_positive() {
                let hint = "bound it to what the price can be, e.g. a tenth and ten times of it";
                self.found.error(place, "no price is zero", hint);
                return None;
            }
            let answer = exact(*value, decimals);
            if answer.is_none() {
                let reason = format!("not exact with {decimals} decimals");
                self.found.error(place, reason, "round it, or raise decimals");
            }
            answer
        };
        let (min, max) = (bound(&raw.min), bound(&raw.max));
        let (min, max) = (min?, max?);
        if min >= max {
            let place = raw.max.as_ref().map_or(&raw.place, |item| &item.place);
            self.found.error(
                place,
                "not more than min, so nothing could be published",
                "raise max or lower min",
            );
        }
        Some((min, max))
    }

    fn signer(&mut self, raw: &RawFeed, signers: &Named<SignerSpec>) -> Option<(String, Address)> {
        let all = self.root.signer.keys().map(String::as_str);
        let Some(item) = &raw.signer else {
            if self.root.signer.len() > 1 {
                let hint = format!("add signer, one of: {}", all.collect::<Vec<_>>().join(", "));
                self.found.error(&raw.place.missing("signer"), "there are several signers", hint);
            }
            let (name, signer) = signers.iter().next().filter(|_| self.root.signer.len() == 1)?;
            return Some((name.clone(), signer.address));
        };
        if !self.root.signer.contains_key(&item.value) {
            self.found.error(&item.place, "unknown signer", suggestion(&item.value, all));
        }
        signers.get(&item.value).map(|signer| (item.value.clone(), signer.address))
    }

    fn reference(&mut self, name: &str, raw: &RawFeed) -> Option<Reference> {
        if let Some(Item { value, place }) = &raw.reference
            && pair(name).zip(pair(value)).is_some_and(|(own, other)| own != other)
        {
            let reason = format!("{value} is the price of something else than {name}");
            self.found.error(place, reason, "name a rate that says the same in another way");
        }
        let band = value(raw.reference_band.as_ref()).unwrap_or(REFERENCE_BAND);
        if let Some(item) = &raw.reference_band {
            if raw.reference.is_none() {
                self.found.warn(&item.place, "a band around nothing", "add reference, or drop it");
            } else if band == Ratio::default() || band >= Ratio::ONE {
                let reason =
                    "no two sources agree to the last digit, and a band of the whole price holds nothing";
                self.found.error(&item.place, reason, "use e.g. \"5%\"");
            }
        }
        Some(Reference { rate: FeedId::new(&raw.reference.as_ref()?.value), band })
    }

    fn description(&mut self, name: &str, raw: &RawFeed) -> String {
        let Some(item) = &raw.description else { return name.replace(['-', '/', '_'], " / ") };
        if item.value.is_empty()
            || item.value.len() > DESCRIPTION_MAX
            || item.value.contains(char::is_control)
        {
            self.found.error(&item.place, "not a description", "use 1 to 64 letters on one line");
        }
        item.value.clone()
    }

    /// Two feeds cannot share a contract.
    fn shared(&mut self) {
        let mut owners: BTreeMap<Address, Place> = BTreeMap::new();
        for feed in self.root.feed.values() {
            // A facade that consumers read itself is both.
            let is_facade = |proxy: &&Item<Address>| {
                feed.facade.as_ref().is_some_and(|facade| facade.value == proxy.value)
            };
            let proxy = feed.proxy.as_ref().filter(|proxy| !is_facade(proxy));
            for item in [feed.aggregator.as_ref(), feed.facade.as_ref(), proxy].into_iter().flatten() {
                if let Some(first) = owners.insert(item.value, item.place.clone()) {
                    let hint = "each feed has contracts of its own";
                    self.found.error(&item.place, format!("{} has this address already", first.path), hint);
                }
            }
        }
    }

    fn place_of(&self, list: &Item<Vec<Entry>>, at: usize, entry: &Entry) -> Place {
        Place {
            path: format!("{}[{at}]", list.place.path),
            line: Some(self.lines.at(entry.offset)),
            shown: format!("{:?}", entry.text.chars().take(60).collect::<String>()),
        }
    }

    /// The paths of a value's sources; `None` if one of them makes no sense.
    fn paths(&mut self, name: &str, list: Option<&Item<Vec<Entry>>>, venues: &Venues) -> Option<Vec<Path>> {
        let list = list?;
        let mut paths: Vec<Path> = Vec::new();
        let mut good = true;
        for (at, entry) in list.value.iter().enumerate() {
            let place = self.place_of(list, at, entry);
            let spelled = Spelled::of(&entry.text);
            let market = match venues.market(spelled.market) {
                Ok(market) => market,
                Err((reason, hint)) => {
                    self.found.error(&place, reason, hint);
                    good = false;
                    continue;
                }
            };
            venues.note(&market, &place);
            if let Some((divides, _)) = spelled.legs.iter().find(|(_, rate)| rate.is_empty()) {
                let mark = if *divides { '/' } else { '*' };
                let hint = format!("write \"venue:SYMBOL {mark} RATE\", or leave the {mark} out");
                self.found.error(&place, format!("no rate after {mark}"), hint);
                good = false;
            }
            if spelled.legs.len() > MAX_HOPS {
                self.found.error(&place, format!("more than {MAX_HOPS} rates"), "shorten the path");
            }
            self.assets(name, &market, venues, &spelled, &place);
            let family = venues.family(&market.venue);
            let leg = |(divides, rate): &(bool, &str)| Leg { rate: FeedId::new(rate), divides: *divides };
            let via = Route { inverse: spelled.inverse, legs: spelled.legs.iter().map(leg).collect() };
            let is_steady = venues.is_steady(&market.venue);
            let path = Path { market, via, family, weight: 1, is_steady };
            if paths.contains(&path) {
                self.found.error(&place, "the same source twice", "keep one of them; it has one vote");
            }
            paths.push(path);
        }
        good.then_some(paths)
    }

    /// Whether a path makes what the value is called after, as far as names tell.
    fn assets(
        &mut self,
        name: &str,
        market: &MarketId,
        venues: &Venues,
        spelled: &Spelled<'_>,
        place: &Place,
    ) {
        // Of a symbol that it does not have the venue itself says so.
        let preset = venues.preset(&market.venue).filter(|preset| preset.fits(&market.symbol));
        let Some(preset) = preset else { return };
        let (symbol, assets) = (&*market.symbol, preset.market(&market.symbol));
        let root = self.root;
        let knows = |name: &str| {
            root.rate.contains_key(name) || root.constant.contains_key(name) || root.feed.contains_key(name)
        };
        // Of a rate that does not exist that is said, and nothing more.
        let leg = |(_, rate): &(bool, &str)| pair(rate).filter(|_| knows(rate));
        let legs: Option<Vec<Assets>> = spelled.legs.iter().map(leg).collect();
        let told = assets.as_ref().zip(legs).zip(pair(name));
        let another = matches!(odd(name, symbol, assets.as_ref()), Some((_, Odd::Another(_))));
        if let Some(((assets, legs), wanted)) = told.filter(|_| !another) {
            if let Some((reason, hint)) = mismatch(spelled, assets, &legs, &wanted, knows) {
                self.found.error(place, reason, hint);
            }
            return;
        }
        let bare = spelled.legs.is_empty() && !spelled.inverse;
        if let Some(quote) = not_dollars(name, symbol, assets.as_ref()).filter(|_| bare) {
            let reason = format!("a price in {quote}, which is not a dollar");
            let hint = format!("convert it: \"… * {quote}-USD\", with [rate.\"{quote}-USD\"]");
            self.found.error(place, reason, hint);
        }
        match odd(name, symbol, assets.as_ref()) {
            Some((asset, Odd::Another(other))) => {
                let reason =
                    format!("what {} calls by this symbol is {other}, which is not {asset}", preset.id());
                self.found.error(place, reason, "name the market of the asset that is meant");
            }
            Some((asset, Odd::Unmentioned)) => {
                let reason = format!("the symbol does not mention {asset}");
                self.found.warn(place, reason, "check that it is the market that was meant");
            }
            None => {}
        }
    }

    /// Which value names which rates.
    fn edges(&self) -> Edges<'a> {
        let root = self.root;
        let rates = root.rate.iter().map(|(name, rate)| (name, &rate.sources));
        let feeds = root.feed.iter();
        let feeds = feeds.flat_map(|(name, feed)| [(name, &feed.sources), (name, &feed.off_hours_sources)]);
        // A constant needs nothing.
        let mut edges: Edges<'a> = root.constant.keys().map(|name| (name.as_str(), Vec::new())).collect();
        for (name, list) in rates.chain(feeds) {
            let entry = edges.entry(name.as_str()).or_default();
            for list in list.iter() {
                for (at, source) in list.value.iter().enumerate() {
                    let place = self.place_of(list, at, source);
                    let legs = Spelled::of(&source.text).legs;
                    let via = legs.into_iter().map(|(_, rate)| rate).filter(|rate| !rate.is_empty());
                    entry.extend(via.map(|rate| (rate, place.clone())));
                }
            }
        }
        for (name, feed) in &root.feed {
            if let Some(item) = &feed.reference {
                edges.entry(name.as_str()).or_default().push((item.value.as_str(), item.place.clone()));
            }
        }
        edges
    }

    /// Rates that do not exist, and rates that nothing names.
    fn used(&mut self, edges: &Edges<'_>) -> bool {
        let mut used = BTreeSet::new();
        let mut known = true;
        for (rate, place) in edges.values().flatten() {
            used.insert(*rate);
            if !edges.contains_key(rate) {
                known = false;
                let names = edges.keys().copied();
                let hint = format!("{}; or add [rate.{rate:?}] with its sources", suggestion(rate, names));
                self.found.error(place, format!("unknown rate {rate:?}"), hint);
            }
        }
        let rates = self.root.rate.iter().map(|(name, rate)| (name, &rate.place));
        for (name, place) in rates.chain(self.root.constant.iter().map(|(name, raw)| (name, &raw.place))) {
            if !used.contains(name.as_str()) {
                self.found.warn(
                    place,
                    "nothing is converted or compared with it",
                    "name it in a source, after * or /, or as a reference, or drop it",
                );
            }
        }
        known
    }

    /// Whether every value rests on markets in the end, within the limit of rates that follow on one another.
    fn depth(&mut self, edges: &Edges<'_>) -> bool {
        let mut walk = Walk { edges, trail: Vec::new(), depths: BTreeMap::new(), circles: Vec::new() };
        for name in edges.keys() {
            walk.depth(name);
        }
        let Walk { depths, circles, .. } = walk;
        let mut sound = circles.is_empty();
        for (circle, place) in circles {
            let reason = format!("it needs itself: {}", circle.join(" needs "));
            self.found.error(place, reason, "let one of them rest on markets alone");
        }
        for (name, depth) in depths {
            if depth > MAX_HOPS {
                sound = false;
                let place = self.root.rate.get(name).map(|rate| rate.place.clone());
                let place = place.or_else(|| self.root.feed.get(name).map(|feed| feed.place.clone()));
                if let Some(place) = place {
                    let reason = format!("{depth} rates follow on one another");
                    self.found.error(&place, reason, format!("at most {MAX_HOPS} may"));
                }
            }
        }
        sound
    }
}

/// A walk along the rates that values name.
struct Walk<'e> {
    edges: &'e Edges<'e>,
    /// How the present value was reached.
    trail: Vec<&'e str>,
    depths: BTreeMap<&'e str, usize>,
    /// Names that lead back to the first of them, and the source that closes the circle.
    circles: Vec<(Vec<&'e str>, &'e Place)>,
}

impl<'e> Walk<'e> {
    /// How many rates follow on one another below a value, circles left out.
    fn depth(&mut self, name: &'e str) -> usize {
        if let Some(known) = self.depths.get(name) {
            return *known;
        }
        self.trail.push(name);
        let mut deepest = 0;
        for (rate, place) in self.edges.get(name).into_iter().flatten() {
            if let Some(start) = self.trail.iter().position(|seen| seen == rate) {
                let circle = self.trail.iter().skip(start).chain([rate]).copied().collect();
                self.circles.push((circle, place));
            } else {
                deepest = deepest.max(1 + self.depth(rate));
            }
        }
        self.trail.pop();
        self.depths.insert(name, deepest);
        deepest
    }
}

/// The answer that says exactly this price.
pub(super) fn exact(price: Price, decimals: u8) -> Option<Answer> {
    price.to_answer(decimals).filter(|answer| answer.display(decimals).to_string() == price.to_string())
}

/// How many families the paths have; the markets of one share one vote.
pub(super) fn distinct(paths: &[Path]) -> usize {
    paths.iter().map(|path| &path.family).collect::<BTreeSet<_>>().len()
}
