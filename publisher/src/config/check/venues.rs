//! Venues and sources of one's own: which there are, and whether they can be asked for what is read.

use super::contracts::Contract;
use super::{Check, Named};
use crate::config::keys::{Source, Venue as RawVenue};
use crate::config::leaf::{Listening, value};
use crate::config::problem::{Place, join, suggestion};
use crate::config::raw::Item;
use crate::config::secret::Secret;
use crate::config::{Chain, VenueAsk};
use crate::sources::{
    ApiKey, Client, CustomSource, NetworkSpec, Preset, SourceSetupError, StreamSpec, Venue, VenueSpec, Way,
    preset, presets,
};
use publisher_core::quote::{FamilyId, MarketId, VenueId};
use publisher_core::time::Span;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// The interval of a source of one's own.
const EVERY: Span = Span::from_s(5);

/// What can be read, and what is.
pub(super) struct Venues {
    presets: Named<(VenueSpec, StreamSpec, &'static Preset, Written)>,
    own: Named<(CustomSource, Written)>,
    /// Families that are not called like their venue.
    families: BTreeMap<String, FamilyId>,
    pub(super) contracts: Named<Contract>,
    /// Where each market is first named.
    read: RefCell<BTreeMap<MarketId, Place>>,
    /// How old quotes of a venue may be, wherever one is read.
    ages: RefCell<Vec<Age>>,
}

/// How old quotes of a venue may be where they are read.
struct Age {
    venue: VenueId,
    max: Span,
    place: Place,
    /// What is said of a place that several inherit.
    whose: String,
}

/// What a file says about a venue or source of one's own.
pub(super) struct Written {
    pub(super) section: Place,
    /// The settings that it has.
    pub(super) keys: Vec<Place>,
}

/// What is read, checked.
pub(super) struct Asks {
    pub(super) asks: BTreeMap<VenueId, VenueAsk>,
    pub(super) own: BTreeMap<VenueId, CustomSource>,
    pub(super) networks: BTreeMap<VenueId, NetworkSpec>,
}

impl Venues {
    /// The market of `venue:SYMBOL`, or of a source of one's own.
    pub(super) fn market(&self, text: &str) -> Result<MarketId, (String, String)> {
        let (name, symbol) = match text.split_once(':') {
            Some((name, symbol)) => (name.trim(), Some(symbol.trim())),
            None => (text, None),
        };
        let own = self.own.contains_key(name) || self.contracts.contains_key(name);
        match (self.presets.get(name), own, symbol) {
            (_, true, None) => Ok(MarketId::new(name, crate::sources::CUSTOM_SYMBOL)),
            (_, true, Some(_)) => {
                Err((format!("{name} is a source of your own, with one price"), format!("write \"{name}\"")))
            }
            (Some((_, _, preset, _)), _, None | Some("")) => {
                let form = preset.symbol_format();
                Err(("no symbol".to_owned(), format!("write \"{name}:SYMBOL\", with a symbol like {form}")))
            }
            (Some(_), _, Some(symbol)) => Ok(MarketId::new(name, symbol)),
            (None, false, _) if text.is_empty() => {
                Err(("no source".to_owned(), "write \"venue:SYMBOL\" or the name of a [source]".to_owned()))
            }
            (None, false, _) => Err((format!("unknown venue {name:?}"), suggestion(name, self.names()))),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.presets.keys().chain(self.own.keys()).chain(self.contracts.keys()).map(String::as_str)
    }

    /// The format that a venue speaks; none is a source of one's own.
    pub(super) fn preset(&self, venue: &VenueId) -> Option<&'static Preset> {
        self.presets.get(venue.as_str()).map(|(_, _, preset, _)| *preset)
    }

    /// Notes that a market is read.
    pub(super) fn note(&self, market: &MarketId, place: &Place) {
        self.read.borrow_mut().entry(market.clone()).or_insert_with(|| place.clone());
    }

    /// Notes how old a quote of a venue may be. How often it can be asked is known once all that is read of it is.
    pub(super) fn note_age(&self, venue: &VenueId, max: Span, place: &Place, whose: String) {
        let age = Age { venue: venue.clone(), max, place: place.clone(), whose };
        self.ages.borrow_mut().push(age);
    }

    /// What a venue fails together with. Two names for one preset's hosts are one exchange; somebody else's host may be
    /// another one that speaks the same format.
    pub(super) fn family(&self, venue: &VenueId) -> FamilyId {
        let of_preset = || {
            let (spec, _, preset, _) = self.presets.get(venue.as_str())?;
            let exchange = spec.base_url.is_none().then(|| preset.id());
            preset.family().or(exchange).map(FamilyId::new)
        };
        let family = self.families.get(venue.as_str()).cloned();
        family.or_else(of_preset).unwrap_or_else(|| FamilyId::new(venue.as_str()))
    }

    /// The families of all that is read.
    pub(super) fn families(&self) -> BTreeMap<VenueId, FamilyId> {
        let read = self.read.borrow();
        read.keys().map(|market| (market.venue.clone(), self.family(&market.venue))).collect()
    }

    /// The interval between polls of a venue.
    pub(super) fn every(&self, venue: &VenueId) -> Option<Span> {
        let name = venue.as_str();
        let of_preset =
            self.presets.get(name).map(|(spec, _, preset, _)| spec.every.unwrap_or(preset.every()));
        let of_preset = of_preset.or_else(|| self.contract_every(name));
        of_preset.or_else(|| self.own.get(name).map(|(source, _)| source.every.unwrap_or(EVERY)))
    }
}

impl Check<'_> {
    pub(super) fn venues(&mut self) -> Venues {
        let spec = |name: &str| VenueSpec::new(VenueId::new(name));
        let unwritten = |name: &str| {
            let section = Place { path: join("venue", name), line: None, shown: String::new() };
            Written { section, keys: Vec::new() }
        };
        let with_preset = presets()
            .iter()
            .map(|p| (p.id().to_owned(), (spec(p.id()), StreamSpec::default(), p, unwritten(p.id()))));
        let mut venues: Named<_> = with_preset.collect();
        for (name, raw) in &self.root.venue {
            if let Some(preset) = self.preset(name, raw) {
                if let Some(url) = &raw.base_url {
                    self.exposed(url, "what the venue says");
                }
                if let Some(url) = &raw.stream_url {
                    let url = Item { value: url.value.0.clone(), place: url.place.clone() };
                    self.exposed(&url, "what the venue says");
                }
                let stream = StreamSpec {
                    off: value(raw.stream.as_ref()) == Some(Listening::Off),
                    url: raw.stream_url.as_ref().map(|url| url.value.0.url().clone()),
                    max_age: None,
                };
                let spec = VenueSpec {
                    base_url: raw.base_url.as_ref().map(|url| url.value.url().clone()),
                    key: raw.key.as_ref().map(|key| ApiKey::new(key.value.expose())),
                    share: value(raw.share.as_ref()),
                    credits: value(raw.credits.as_ref()),
                    every: value(raw.every.as_ref()),
                    timeout: value(raw.timeout.as_ref()),
                    instruments_every: value(raw.instruments_every.as_ref()),
                    way: Way {
                        proxy: value(raw.proxy.as_ref()),
                        pins: value(raw.tls_spki_sha256.as_ref()).unwrap_or_default(),
                    },
                    ..spec(name)
                };
                let keys = [
                    place(&raw.base_url),
                    place(&raw.key),
                    place(&raw.share),
                    place(&raw.credits),
                    place(&raw.every),
                    place(&raw.timeout),
                    place(&raw.instruments_every),
                    place(&raw.stream_url),
                    place(&raw.proxy),
                    place(&raw.tls_spki_sha256),
                ];
                let keys = keys.into_iter().flatten().collect();
                venues.insert(
                    name.clone(),
                    (spec, stream, preset, Written { section: raw.place.clone(), keys }),
                );
            } else {
                venues.remove(name);
            }
        }
        let mut families = BTreeMap::new();
        let written = self.root.venue.iter().map(|(name, raw)| (name, &raw.family));
        for (name, family) in written.chain(self.root.source.iter().map(|(name, raw)| (name, &raw.family))) {
            if let Some(Item { value, place }) = family {
                if value.is_empty() || value.contains(char::is_whitespace) {
                    self.found.error(place, "not a name", "write one word, e.g. \"binance\"");
                }
                families.insert(name.clone(), FamilyId::new(value));
            }
        }
        let (mut own, mut contracts) = (Named::new(), Named::new());
        for (name, raw) in &self.root.source {
            if venues.contains_key(name) {
                let hint = "choose another name";
                self.found.error(&raw.place, format!("there is a venue {name} already"), hint);
            }
            if raw.kind.is_some() {
                contracts.extend(self.contract(name, raw).map(|contract| (name.clone(), contract)));
                continue;
            }
            let keys = [
                place(&raw.url),
                place(&raw.pointer),
                place(&raw.bid_pointer),
                place(&raw.ask_pointer),
                place(&raw.time_pointer),
                place(&raw.every),
                place(&raw.timeout),
                place(&raw.headers),
                place(&raw.proxy),
                place(&raw.tls_spki_sha256),
            ];
            let keys = keys.into_iter().flatten().collect();
            let written = Written { section: raw.place.clone(), keys };
            own.extend(self.own_source(name, raw).map(|source| (name.clone(), (source, written))));
        }
        let (read, ages) = (RefCell::default(), RefCell::default());
        Venues { presets: venues, own, contracts, families, read, ages }
    }

    fn preset(&mut self, name: &str, raw: &RawVenue) -> Option<&'static Preset> {
        let names = presets().iter().map(Preset::id);
        match &raw.preset {
            Some(item) if item.value.ends_with(".toml") => self.preset_file(item),
            Some(item) => preset(&item.value).or_else(|| {
                self.found.error(&item.place, "unknown preset", suggestion(&item.value, names));
                None
            }),
            None => preset(name).or_else(|| {
                let hint =
                    format!("{}; or add preset = \"…\", the format it speaks", suggestion(name, names));
                self.found.error(&raw.place, "no preset of this name", hint);
                None
            }),
        }
    }

    /// A preset that is a file beside the configuration.
    fn preset_file(&mut self, item: &Item<String>) -> Option<&'static Preset> {
        let hint = "`publisher source test FILE` says what is wrong with it";
        let text = match std::fs::read_to_string(self.folder.join(&item.value)) {
            Ok(text) => text,
            Err(error) => {
                self.found.error(&item.place, format!("cannot be read: {error}"), hint);
                return None;
            }
        };
        match Preset::parse(&item.value, &text) {
            // A process reads its configuration once, and keeps it for as long as it lives.
            Ok(preset) => Some(Box::leak(Box::new(preset))),
            Err(error) => {
                self.found.error(&item.place, error.to_string(), hint);
                None
            }
        }
    }

    fn own_source(&mut self, name: &str, raw: &Source) -> Option<CustomSource> {
        self.not_of_a_url(raw);
        let url = self.needed(raw, &raw.url, "url", "url, or kind if it is a contract");
        let pointer = self.needed(raw, &raw.pointer, "pointer", "pointer, e.g. \"/data/0/price\"");
        let (url, pointer) = (url?, pointer?);
        self.exposed(url, "the price");
        let time = match (&raw.time_pointer, &raw.time_unit) {
            (Some(pointer), Some(unit)) => Some((pointer.value.clone(), unit.value)),
            (None, None) => None,
            (pointer, unit) => {
                let place = pointer.as_ref().map(|i| &i.place).or(unit.as_ref().map(|i| &i.place));
                let hint = "give both time_pointer and time_unit, or neither";
                self.found.error(place.unwrap_or(&raw.place), "half a time", hint);
                None
            }
        };
        let headers = raw.headers.as_ref().map(|headers| {
            let text = |(name, value): (&String, &Secret)| (name.clone(), value.expose().to_owned());
            headers.value.iter().map(text).collect()
        });
        Some(CustomSource {
            id: VenueId::new(name),
            url: url.value.url().clone(),
            pointer: pointer.value.clone(),
            bid_pointer: value(raw.bid_pointer.as_ref()),
            ask_pointer: value(raw.ask_pointer.as_ref()),
            time,
            every: value(raw.every.as_ref()),
            timeout: value(raw.timeout.as_ref()),
            headers: headers.unwrap_or_default(),
            allow_private: value(raw.allow_private.as_ref()).unwrap_or(false),
            way: Way {
                proxy: value(raw.proxy.as_ref()),
                pins: value(raw.tls_spki_sha256.as_ref()).unwrap_or_default(),
            },
        })
    }

    /// Checks that each venue can be asked for all that is read of it.
    pub(super) fn asks(&mut self, venues: Venues, chain: Option<&Chain>) -> Asks {
        let mut asks = Asks { asks: BTreeMap::new(), own: BTreeMap::new(), networks: BTreeMap::new() };
        let Venues { presets, own, contracts, read, ages, .. } = venues;
        let (read, ages) = (read.into_inner(), ages.into_inner());
        asks.networks = self.networks(contracts, chain, &read);
        // Only to see whether the venues can be set up; nothing is asked. Root certificates are read once a process.
        static CLIENT: LazyLock<Result<Client, SourceSetupError>> = LazyLock::new(Client::new);
        let client = match &*CLIENT {
            Ok(client) => client,
            Err(error) => {
                let section = Place { path: "source".into(), line: None, shown: String::new() };
                self.report(error, &Written { section, keys: Vec::new() }, &read);
                return asks;
            }
        };
        for (spec, stream, preset, written) in presets.into_values() {
            let symbols: BTreeSet<Arc<str>> =
                read.keys().filter(|m| m.venue == spec.id).map(|m| Arc::clone(&m.symbol)).collect();
            if symbols.is_empty() {
                self.unread(&written);
                continue;
            }
            let max_age = ages.iter().filter(|age| age.venue == spec.id).map(|age| age.max).min();
            let stream = StreamSpec { max_age, ..stream };
            let venue = Venue::new(preset, spec.clone(), symbols.clone(), client);
            match venue.and_then(|venue| venue.with_stream(preset, &stream)) {
                Ok(venue) => {
                    self.paced(&venue, &written, &ages);
                    asks.asks.insert(venue.id().clone(), VenueAsk { preset, spec, stream, symbols });
                }
                Err(error) => self.report(&error, &written, &read),
            }
        }
        for (source, written) in own.into_values() {
            if let Err(error) = Venue::custom(source.clone(), client) {
                self.report(&error, &written, &read);
            }
            if read.keys().any(|market| market.venue == source.id) {
                asks.own.insert(source.id.clone(), source);
            } else {
                self.unread(&written);
            }
        }
        asks
    }

    /// Warns of an interval that the venue's limits do not allow, and finds those whose quotes would be too old by it.
    /// A venue that is listened to is not stale while its sockets are open.
    fn paced(&mut self, venue: &Venue, written: &Written, ages: &[Age]) {
        let (every, planned) = (venue.every(), venue.planned());
        // In whole seconds it is easier to write down.
        let planned =
            if planned < Span::from_s(10) { planned } else { Span::from_s(planned.ms().div_ceil(1000)) };
        let key = join(&written.section.path, "every");
        if let Some(place) = written.keys.iter().find(|place| place.path == key).filter(|_| planned > every) {
            let reason = format!(
                "the venue's limits allow no more than one poll in {planned}, so that is its interval"
            );
            self.found.warn(place, reason, format!("use {planned} or more"));
        }
        let of_venue =
            ages.iter().filter(|age| age.venue == *venue.id() && planned > every && age.max >= every);
        for Age { max, place, whose, .. } in of_venue {
            let asked = format!("{} can be asked every {planned} only within its limits", venue.id());
            let hint = "or read fewer of its markets, or give it more of its limits (share, credits)";
            if *max < planned && venue.lines().is_empty() {
                let reason = format!("{asked}, so its quotes would be stale{whose}");
                self.found.error(place, reason, format!("use more than {planned}, {hint}"));
            } else if *max < planned.times(2) {
                let reason = match venue.lines().is_empty() {
                    true => format!("{asked}, so one lost answer makes it stale{whose}"),
                    false => format!("{asked}, so it is stale whenever its sockets are closed{whose}"),
                };
                self.found.warn(place, reason, format!("use {} or more, {hint}", planned.times(2)));
            }
        }
    }

    pub(super) fn unread(&mut self, written: &Written) {
        // A source that is misspelt elsewhere may be meant to read it.
        let misspelt = self.found.has_error_below("feed") || self.found.has_error_below("rate");
        if written.section.line.is_some() && !misspelt {
            let hint = "name it in a feed, or drop it";
            self.found.warn(&written.section, "nothing reads it, so it is not asked", hint);
        }
    }

    /// What the sources themselves say about a setting or symbol.
    pub(super) fn report(
        &mut self,
        error: &SourceSetupError,
        written: &Written,
        read: &BTreeMap<MarketId, Place>,
    ) {
        for problem in &error.problems {
            let market = MarketId::new(&error.source_id, &problem.value);
            let symbol = read.get(&market).filter(|_| problem.path == "symbols");
            let key = join(&written.section.path, &problem.path);
            let place = match symbol.or_else(|| written.keys.iter().find(|place| place.path == key)) {
                Some(place) if place.shown.is_empty() => {
                    Place { shown: problem.value.clone(), ..place.clone() }
                }
                Some(place) => place.clone(),
                None => Place { shown: problem.value.clone(), ..written.section.missing(&problem.path) },
            };
            self.found.error(&place, problem.reason.clone(), problem.hint.clone());
        }
    }
}

/// Where a key stands, if it is there.
pub(super) fn place<T>(item: &Option<Item<T>>) -> Option<Place> {
    item.as_ref().map(|item| item.place.clone())
}
