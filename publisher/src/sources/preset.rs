//! Venues as data: what to ask, how to read the answer, and the limits of both. An exchange needs no code.
//!
//! A preset is a TOML file. Unknown keys are errors; everything else that is wrong with a file is reported at
//! once. The files of `publisher/presets` are part of the binary and describe, in their comments, where the
//! venue documents its format. Prices, symbols and times get their meaning here; `decode` applies it.

use super::budgets::LimitRule;
use super::decode::Answer;
use super::instruments::Instruments;
use super::key::KeyRule;
use super::problem::{Problems, SourceSetupError};
use super::request::Request;
use super::retired;
use super::symbols::{Assets, Symbols};
use crate::config::Lines;
use publisher_core::time::Span;
use std::sync::LazyLock;
use url::Url;

mod raw;
mod stream;

pub(super) use stream::{Answered, Data, Encoding, Part, PartOf, PreRequest, StreamPreset, Subscribe};

/// A venue's request, answer, symbols and limits, checked.
#[derive(Clone, Debug)]
pub struct Preset {
    pub(super) id: String,
    pub(super) about: String,
    pub(super) family: Option<String>,
    pub(super) hosts: Vec<Url>,
    pub(super) every: Span,
    pub(super) timeout: Span,
    pub(super) body_max_bytes: usize,
    pub(super) no_time_penalty: Span,
    pub(super) key: Option<KeyRule>,
    pub(super) limits: Vec<LimitRule>,
    pub(super) request: Request,
    pub(super) answer: Answer,
    pub(super) symbols: Symbols,
    pub(super) instruments: Option<Instruments>,
    pub(super) stream: Option<StreamPreset>,
}

impl Preset {
    /// Its name, which is also the default name of the venue.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One line for the configuration reference.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Scheme and host of its API, the one asked first in front.
    pub fn hosts(&self) -> &[Url] {
        &self.hosts
    }

    /// What it fails together with, where that is not itself: aggregators repeat one another's exchanges.
    pub fn family(&self) -> Option<&str> {
        self.family.as_deref()
    }

    /// Whether the configuration may give it a key.
    pub fn takes_key(&self) -> bool {
        self.key.is_some()
    }

    /// The interval between polls, unless the configuration sets another.
    pub fn every(&self) -> Span {
        self.every
    }

    /// The time for one poll including the body, unless the configuration sets another.
    pub fn timeout(&self) -> Span {
        self.timeout
    }

    /// What its symbols look like: `{BASE}-{QUOTE}`.
    pub fn symbol_format(&self) -> String {
        self.symbols.formats_text()
    }

    /// Whether a symbol has the shape of the venue's.
    pub fn fits(&self, symbol: &str) -> bool {
        self.symbols.fits(symbol)
    }

    /// What a market is about, in the names that everybody uses: Kraken's `XBTUSD` is BTC in USD, and Bitfinex'
    /// `tBTCUST` is BTC in USDT. `None` where the symbol does not tell.
    pub fn market(&self, symbol: &str) -> Option<Assets> {
        self.symbols.market(symbol)
    }

    /// Whether the venue says when a price was true; if not, the time of receipt less a penalty is used.
    pub fn has_time(&self) -> bool {
        self.answer.time.is_some()
    }

    /// Whether the venue says how much was traded in 24 hours.
    pub fn has_volume(&self) -> bool {
        self.answer.base_volume.is_some()
    }

    /// Whether it says where the venue lists its markets.
    pub fn has_list(&self) -> bool {
        self.instruments.is_some()
    }

    /// Whether it says when a price was true over WebSocket.
    pub fn has_stream_time(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.data.row.time.is_some())
    }

    /// Whether it says which markets it lists.
    pub fn has_instruments(&self) -> bool {
        self.instruments.is_some()
    }

    /// Whether it can be listened to over WebSocket, too.
    pub fn has_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// What it asks for that its venue has given up: over HTTP at `base`, or at its own hosts without, and then over
    /// WebSocket as well.
    pub fn retired(&self, base: Option<&Url>) -> Option<&'static str> {
        let paths = [Some(&self.request.path), self.request.path_all.as_ref()];
        let list = self.instruments.as_ref().map(|instruments| &instruments.path);
        let paths = || paths.into_iter().chain([list]).flatten();
        let asked = |base: &Url| paths().find_map(|path| retired::address(base, path));
        match base {
            Some(base) => asked(base),
            None => self.hosts.iter().find_map(asked).or_else(|| {
                let stream = self.stream.as_ref()?;
                stream.hosts.iter().find_map(|host| retired::address(host, &stream.path))
            }),
        }
    }

    /// Reads a preset file. `name` is how errors call it.
    ///
    /// # Errors
    /// With every problem of the file; a key that is unknown, missing or of another type is reported alone.
    pub fn parse(name: &str, text: &str) -> Result<Self, SourceSetupError> {
        let mut problems = Problems::default();
        let preset = match toml::from_str::<raw::RawPreset>(text) {
            Ok(file) => raw::check(file, &mut problems),
            Err(error) => {
                let at = Lines::of(text).at(error.span().map_or(0, |span| span.start));
                let hint = "see the presets that come with the program";
                problems.add(format!("line {at}"), "", error.message(), hint);
                None
            }
        };
        problems.finish(name, preset)
    }
}

/// The presets that come with the program, by name.
pub fn presets() -> &'static [Preset] {
    // A file that does not parse is left out here and fails the test below.
    static PRESETS: LazyLock<Vec<Preset>> =
        LazyLock::new(|| FILES.iter().filter_map(|(name, text)| Preset::parse(name, text).ok()).collect());
    &PRESETS
}

/// The preset of this name that comes with the program.
pub fn preset(id: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.id == id)
}

/// Name and text of every file in `publisher/presets`; `build.rs` collects them.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_comes_with_the_program_is_good() {
        for (name, text) in FILES {
            let preset = Preset::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(preset.id, *name);
            assert!(preset.hosts.iter().all(|host| host.scheme() == "https"));
            let sockets = preset.stream.iter().flat_map(|stream| &stream.hosts);
            assert!(sockets.into_iter().all(|host| host.scheme() == "wss"));
        }
        assert_eq!(presets().len(), FILES.len());
        assert_eq!(preset("okx").map(Preset::symbol_format).as_deref(), Some("{BASE}-{QUOTE}"));
        assert!(preset("mtgox").is_none());
    }

    /// Without this a preset could be shut out by its own interval.
    #[test]
    fn every_presets_interval_is_half_of_its_limits_and_all_of_a_plan_at_most() {
        for preset in presets() {
            assert!(!preset.limits.is_empty(), "{} has no limit", preset.id);
            for rule in &preset.limits {
                let now = publisher_core::time::Mono::default();
                let mut budget = super::super::governor::Budget::new(rule.limit, now);
                let paced = budget.pace(preset.every, rule.cost(20), now);
                assert_eq!(paced, preset.every, "{} {}", preset.id, rule.class);
            }
        }
    }

    #[test]
    fn all_problems_of_a_file_come_at_once() {
        let text = r#"
            id = "My Venue"
            about = ""
            hosts = ["ftp://example.com", "https://user:hunter2@example.com", "https://example.com?key=hunter2"]
            every = "1 second"
            timeout = "10m"
            body_max_bytes = 1
            no_time_penalty = "0s"
            [key]
            header = "x key"
            value = "Token"
            [[limits]]
            class = ""
            capacity = 0
            per = "1ms"
            costs = [{ symbols = 2, cost = 2 }, { symbols = 1, cost = 1 }]
            used = "x used"
            reset = "x-reset"
            reset_unit = "years"
            [request]
            path = "tickers"
            path_all = "/all"
            each = "x"
            symbols_max = 0
            [answer]
            ok = [{ at = "code" }, { at = "", is = "0" }]
            errors = [{ contains = "x", means = "sunshine" }, { status = 200, means = "banned" }, { means = "banned" }]
            rows = "a..b"
            key = "k["
            bid = "b"
            mid = "m"
            time = "t"
            time_unit = "none"
            [symbols]
            formats = ["{BASE}", "{BASE}{X}"]
            long_codes = { XBT = "XBT" }
        "#;
        let error = Preset::parse("mine", text).unwrap_err();
        let count = |path: &str| error.problems.iter().filter(|p| p.path == path).count();
        for (path, expected) in [
            ("id", 1),
            ("hosts", 3),
            ("every", 1),
            ("timeout", 1),
            ("body_max_bytes", 1),
            ("key.header", 1),
            ("key.value", 1),
            ("limits", 1),
            ("limits.class", 1),
            ("limits.costs", 1),
            ("limits.per", 1),
            ("limits.used", 1),
            ("limits.reset_unit", 1),
            ("request.path", 1),
            ("request.path_all", 1),
            ("request.each", 1),
            ("request.symbols_max", 1),
            ("answer.ok", 2),
            ("answer.errors", 3),
            ("answer.rows", 1),
            ("answer.key", 1),
            ("answer.mid", 1),
            ("answer.time_unit", 1),
            ("symbols.formats", 1),
            ("symbols.quote", 1),
            ("symbols.long_codes", 1),
        ] {
            assert_eq!(count(path), expected, "{path} in {error}");
        }
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let good = FILES.first().unwrap().1;
        for (bad, name) in
            [(format!("colour = 1\n{good}"), "colour"), (format!("{good}\nform = []\n"), "form")]
        {
            let error = Preset::parse("x", &bad).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
