//! From keys to meaning. Every check goes on after a problem, so that all of them are found in one run.

mod assets;
mod backup;
mod breaker;
mod chain;
mod constants;
mod contracts;
mod deviation;
mod market;
mod off_hours;
mod peg;
mod policy;
mod signers;
mod stores;
mod units;
mod values;
mod venues;

use super::keys::{Depegged, Gates, Policy, Root};
use super::leaf::{Database, value};
use super::problem::{Found, Lines, Place, Problems};
use super::raw::{Item, Reader};
use super::secret::{Endpoint, Lookup, is_exposed_database};
use super::{Config, ConstantNote, LogSetup};
use crate::store::Location;
use publisher_core::lease;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where metrics are served if nothing is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// The journal's file if nothing is said.
const JOURNAL: &str = "publisher.db";
/// A frozen process may hold a lock for a quarter of the shortest lease (`store::session`), and a beat may be lost.
const LEASE_MIN: Span = Span::from_s(5);
/// Longer than this a feed is not left alone because of one dead process.
const LEASE_MAX: Span = Span::from_s(60);

/// What every check needs.
struct Check<'a> {
    root: &'a Root,
    lines: Lines,
    folder: &'a Path,
    calendars: market::Calendars,
    found: Found,
}

pub(super) fn config(
    text: &str,
    origin: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    let name = origin.display().to_string();
    let folder = origin.parent().unwrap_or(Path::new(""));
    let mut reader = Reader::new(text, Lookup { variable, folder });
    let Some(root) = reader.document::<Root>() else {
        return Err(reader.found.finish(&name));
    };
    let (calendars, found, written) = (market::Calendars::default(), reader.found, reader.written);
    let mut check = Check { root: &root, lines: reader.lines, folder, calendars, found };
    let config = check.all(&name);
    let failed = check.found.has_errors();
    let problems = check.found.finish(&name);
    match config {
        Some(config) if !failed => Ok(Config { warnings: problems, written, ..config }),
        _ => Err(problems),
    }
}

impl Check<'_> {
    fn all(&mut self, origin: &str) -> Option<Config> {
        let root = self.root;
        let chain = self.chain();
        let signers = self.signers();
        let venues = self.venues();
        let calendars = self.calendars();
        let block_time = root.chain.as_ref().and_then(|chain| value(chain.block_time.as_ref()));
        let values = self.values(&venues, &signers, block_time);
        let families = venues.families();
        let venues = self.asks(venues, chain.as_ref());
        let log = self.log();
        let (journal, lease) = self.journal();
        let listen = root.telemetry.as_ref().and_then(|telemetry| value(telemetry.listen.as_ref()));
        let (rates, feeds) = values?;
        let stores = self.stores(&feeds);
        let chain = chain?;
        self.circles(chain.id, (&rates, &feeds), &venues.networks);
        Some(Config {
            origin: origin.to_owned(),
            chain,
            journal,
            lease,
            listen: listen.map_or(Some(LISTEN), |listen| listen.0),
            log,
            signers,
            venues: venues.asks,
            sources: venues.own,
            families,
            networks: venues.networks,
            rates,
            constants: root
                .constant
                .iter()
                .filter_map(|(name, raw)| {
                    let (comment, expires) =
                        (value(raw.comment.as_ref())?, value(raw.expires.as_ref())?.text);
                    Some((FeedId::new(name), ConstantNote { comment, expires }))
                })
                .collect(),
            feeds,
            calendars,
            stores,
            warnings: Found::default().finish(origin),
            written: BTreeMap::new(),
        })
    }

    /// Where the journal is, and how long leases in it last.
    fn journal(&mut self) -> (Location, Span) {
        let Some(journal) = &self.root.journal else {
            return (Location::File(self.path(JOURNAL)), lease::LENGTH);
        };
        let lease = self.span(journal.lease.as_ref(), lease::LENGTH, LEASE_MIN, LEASE_MAX);
        let Some(Item { value: Database(place), place: at }) = &journal.url else {
            if let Some(lease) = &journal.lease {
                let hint = "take it away, or name a database with url";
                self.found.warn(&lease.place, "a file is used by one process alone", hint);
            }
            let path = value(journal.path.as_ref());
            return (Location::File(self.path(path.as_deref().unwrap_or(JOURNAL))), lease);
        };
        if let Some(path) = &journal.path {
            self.found.error(&path.place, "both a file and a database", "keep one of path and url");
        }
        if matches!(place, Location::Server(url) if is_exposed_database(url)) {
            let reason = format!("what is written may travel in clear text to {place}");
            self.found.warn(at, reason, "add ?sslmode=verify-full, or use a private network");
        }
        (place.clone(), lease)
    }

    fn log(&mut self) -> LogSetup {
        let mut setup = LogSetup::default();
        let Some(log) = &self.root.log else { return setup };
        setup.format = value(log.format.as_ref()).unwrap_or(setup.format);
        if let Some(filter) = &log.filter {
            if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&filter.value) {
                let hint = "write a level such as \"info\", or \"publisher=debug,warn\"";
                self.found.error(&filter.place, format!("not a filter: {error}"), hint);
            }
            setup.filter.clone_from(&filter.value);
        }
        setup
    }

    /// A path as the file means it.
    fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// A duration within limits, or the default.
    fn span(&mut self, item: Option<&Item<Span>>, default: Span, least: Span, most: Span) -> Span {
        let Some(Item { value, place }) = item else { return default };
        if *value < least || *value > most {
            self.found.error(place, "out of range", format!("use {least} to {most}"));
        }
        *value
    }

    /// Notes an address that is reached in clear text over other people's networks.
    fn exposed(&mut self, endpoint: &Item<Endpoint>, what: &str) {
        if endpoint.value.is_exposed() {
            let reason = format!("{what} travels in clear text to {}", endpoint.value);
            self.found.warn(&endpoint.place, reason, "use https, or a private network");
        }
    }
}

/// The key of a value's sources.
const SOURCES: &str = "sources";

/// A value's own settings over those it inherits.
#[derive(Clone)]
struct Layers<'a> {
    /// The feed's or rate's name, for problems of what it inherits.
    name: &'a str,
    place: Place,
    /// Whose sources they are for: the key of the list.
    list: &'static str,
    /// The feed has sources of off hours.
    has_off_hours: bool,
    /// Whether it is the rate of a stable asset, which moves less.
    is_stable: bool,
    rules: [Option<&'a Policy>; 2],
    gates: [Option<&'a Gates>; 2],
    depegged: [Option<&'a Depegged>; 2],
}

/// A setting, where it comes from, and whether the value says it itself.
struct Set<T> {
    value: Option<T>,
    place: Place,
    own: bool,
}

impl<'a> Layers<'a> {
    /// A rule of publishing.
    fn rule<T: Clone + 'a>(&self, key: &str, of: impl Fn(&'a Policy) -> Option<&'a Item<T>>) -> Set<T> {
        self.first(key, self.rules.map(|rules| rules.and_then(&of)))
    }

    /// A gate for quotes.
    fn gate<T: Clone + 'a>(&self, key: &str, of: impl Fn(&'a Gates) -> Option<&'a Item<T>>) -> Set<T> {
        self.first(key, self.gates.map(|gates| gates.and_then(&of)))
    }

    /// Which sources count off a peg.
    fn depegged<T: Clone + 'a>(&self, key: &str, of: impl Fn(&'a Depegged) -> Option<&'a Item<T>>) -> Set<T> {
        self.first(key, self.depegged.map(|depegged| depegged.and_then(&of)))
    }

    fn first<T: Clone>(&self, key: &str, [own, base]: [Option<&Item<T>>; 2]) -> Set<T> {
        match own.or(base) {
            Some(item) => {
                Set { value: Some(item.value.clone()), place: item.place.clone(), own: own.is_some() }
            }
            None => {
                let place =
                    key.split('.').fold(self.place.missing("policy"), |place, key| place.missing(key));
                Set { value: None, place, own: false }
            }
        }
    }

    /// What to add to a reason, so that it says whose value a shared setting does not suit.
    fn whose(&self, place: &Place) -> String {
        match (place.path.starts_with("defaults."), self.list) {
            (false, SOURCES) => String::new(),
            (true, SOURCES) => format!(" (for {})", self.name),
            (false, list) => format!(" (for {list})"),
            (true, list) => format!(" (for {list} of {})", self.name),
        }
    }
}

/// Signers or venues by name.
type Named<T> = BTreeMap<String, T>;
