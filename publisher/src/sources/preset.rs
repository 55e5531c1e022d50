//! Venues as data: what to ask, how to read the answer, and the limits of both. An exchange needs no code.
//!
//! A preset is a TOML file. Unknown keys are errors; everything else that is wrong with a file is reported at
//! once. The files of `publisher/presets` are part of the binary and describe, in their comments, where the
//! venue documents its format. Prices, symbols and times get their meaning here; `decode` applies it.

use super::decode::{Answer, Check, Expect, Marker, Meaning, Place, Rows, TimeUnit};
use super::path::Path;
use super::problem::{Problems, SourceSetupError};
use super::symbols::{Format, Symbols};
use publisher_core::time::Span;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use url::Url;

/// Shortest and longest interval between polls of a source.
pub(super) const EVERY: (Span, Span) = (Span::from_ms(100), Span::from_s(3600));
/// Shortest and longest time for one poll.
pub(super) const TIMEOUT: (Span, Span) = (Span::from_ms(100), Span::from_s(60));
/// Largest body that a preset may allow.
const BODY_MAX: u64 = 64 << 20;

/// A venue's request, answer, symbols and limits, checked.
#[derive(Clone, Debug)]
pub struct Preset {
    pub(super) id: String,
    pub(super) about: String,
    pub(super) hosts: Vec<Url>,
    pub(super) every: Span,
    pub(super) timeout: Span,
    pub(super) body_max_bytes: usize,
    pub(super) no_time_penalty: Span,
    pub(super) request: Request,
    pub(super) answer: Answer,
    pub(super) symbols: Symbols,
}

/// How the symbols get into a request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Path and query with `{symbols}`, or without it if the answer always holds every market.
    pub(super) path: String,
    /// How one symbol is written, with `{symbol}`.
    pub(super) each: String,
    /// What stands between two symbols.
    pub(super) join: String,
    /// More symbols than this need `path_all`.
    pub(super) symbols_max: usize,
    /// The request for every market of the venue.
    pub(super) path_all: Option<String>,
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

    /// Whether the venue says when a price was true; if not, the time of receipt less a penalty is used.
    pub fn has_time(&self) -> bool {
        self.answer.time.is_some()
    }

    /// Reads a preset file. `name` is how errors call it.
    ///
    /// # Errors
    /// With every problem of the file; a key that is unknown, missing or of another type is reported alone.
    pub fn parse(name: &str, text: &str) -> Result<Self, SourceSetupError> {
        let mut problems = Problems::default();
        let preset = match toml::from_str::<RawPreset>(text) {
            Ok(raw) => check(raw, &mut problems),
            Err(error) => {
                let at = error
                    .span()
                    .and_then(|span| text.get(..span.start))
                    .map_or(1, |t| t.matches('\n').count() + 1);
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

const FILES: [(&str, &str); 5] = [
    ("binance", include_str!("../../presets/binance.toml")),
    ("bitstamp", include_str!("../../presets/bitstamp.toml")),
    ("coinbase", include_str!("../../presets/coinbase.toml")),
    ("kraken", include_str!("../../presets/kraken.toml")),
    ("okx", include_str!("../../presets/okx.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPreset {
    id: String,
    about: String,
    hosts: Vec<String>,
    every: String,
    timeout: String,
    body_max_bytes: u64,
    no_time_penalty: String,
    request: RawRequest,
    answer: RawAnswer,
    symbols: RawSymbols,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    path: String,
    #[serde(default)]
    each: Option<String>,
    #[serde(default)]
    join: Option<String>,
    #[serde(default)]
    symbols_max: Option<u16>,
    #[serde(default)]
    path_all: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    #[serde(default)]
    ok: Vec<RawCheck>,
    #[serde(default)]
    errors: Vec<RawMarker>,
    rows: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    row_ok: Vec<RawCheck>,
    #[serde(default)]
    bid: Option<String>,
    #[serde(default)]
    ask: Option<String>,
    #[serde(default)]
    last: Option<String>,
    #[serde(default)]
    mid: Option<String>,
    #[serde(default)]
    time: Option<String>,
    time_unit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    at: String,
    #[serde(default)]
    is: Option<String>,
    #[serde(default)]
    is_not: Option<String>,
    #[serde(default)]
    is_empty: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMarker {
    contains: String,
    means: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSymbols {
    formats: Vec<String>,
    #[serde(default)]
    alias: BTreeMap<String, String>,
    #[serde(default)]
    long_codes: BTreeMap<String, String>,
    #[serde(default)]
    ignore: String,
    #[serde(default)]
    ignore_case: bool,
}

fn check(raw: RawPreset, problems: &mut Problems) -> Option<Preset> {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if raw.id.is_empty() || !raw.id.chars().all(name) {
        problems.add("id", &raw.id, "not a name", "use lower case letters, digits and -");
    }
    if raw.hosts.is_empty() {
        problems.add("hosts", "", "no host", "name at least one, e.g. https://api.example.com");
    }
    let mut hosts = Vec::new();
    for host in &raw.hosts {
        hosts.extend(base_url("hosts", host, problems));
    }
    let every = span("every", &raw.every, EVERY, problems);
    let timeout = span("timeout", &raw.timeout, TIMEOUT, problems);
    let penalty = span("no_time_penalty", &raw.no_time_penalty, (Span::ZERO, EVERY.1), problems);
    let body_max_bytes = usize::try_from(raw.body_max_bytes).ok().filter(|_| raw.body_max_bytes <= BODY_MAX);
    if body_max_bytes.is_none_or(|max| max < 1024) {
        let value = raw.body_max_bytes.to_string();
        problems.add("body_max_bytes", value, "out of range", "allow 1 KiB to 64 MiB");
    }
    let request = request(raw.request, problems);
    let answer = answer(&raw.answer, problems);
    let symbols = symbols(raw.symbols, problems);
    Some(Preset {
        id: raw.id,
        about: raw.about,
        hosts,
        every: every?,
        timeout: timeout?,
        body_max_bytes: body_max_bytes?,
        no_time_penalty: penalty?,
        request,
        answer: answer?,
        symbols,
    })
}

/// Scheme, host, port and perhaps a path in front of the venue's own; nothing that a path cannot follow.
pub(super) fn base_url(path: &str, text: &str, problems: &mut Problems) -> Option<Url> {
    let url = problems.keep(path, text, Url::parse(text), "write e.g. https://api.example.com")?;
    match base_fault(&url) {
        None => Some(url),
        Some((reason, hint)) => {
            problems.add(path, redacted(&url), reason, hint);
            None
        }
    }
}

/// Why requests cannot start with this URL.
pub(super) fn base_fault(url: &Url) -> Option<(&'static str, &'static str)> {
    url_fault(url).or_else(|| {
        let bare = url.query().is_none() && url.fragment().is_none();
        (!bare).then_some(("has a query or fragment", "keep scheme, host, port and path only"))
    })
}

/// Why this URL cannot be asked at all.
pub(super) fn url_fault(url: &Url) -> Option<(&'static str, &'static str)> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        Some(("not an http or https URL", "write e.g. https://api.example.com"))
    } else if !url.username().is_empty() || url.password().is_some() {
        Some(("holds a user name or password", "put credentials into headers, which are never printed"))
    } else {
        None
    }
}

/// Scheme, host and port: paths and queries of URLs may hold keys and are never printed.
pub(super) fn redacted(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// A duration within limits.
pub(super) fn span(path: &str, text: &str, limits: (Span, Span), problems: &mut Problems) -> Option<Span> {
    let span = problems.keep(path, text, text.parse::<Span>(), "e.g. 2s")?;
    within(path, span, limits, problems)
}

/// The duration, if it is within limits.
pub(super) fn within(path: &str, span: Span, limits: (Span, Span), problems: &mut Problems) -> Option<Span> {
    if span < limits.0 || span > limits.1 {
        problems.add(path, span.to_string(), "out of range", format!("use {} to {}", limits.0, limits.1));
        return None;
    }
    Some(span)
}

fn request(raw: RawRequest, problems: &mut Problems) -> Request {
    let lists = raw.path.contains("{symbols}");
    for (key, path) in [("request.path", Some(&raw.path)), ("request.path_all", raw.path_all.as_ref())] {
        if path.is_some_and(|path| !path.starts_with('/')) {
            problems.add(key, path.cloned().unwrap_or_default(), "not a path", "start it with /");
        }
    }
    if raw.path_all.as_ref().is_some_and(|path| !lists || path.contains("{symbols}")) {
        let hint = "put {symbols} into path and not into path_all, or drop path_all";
        problems.add(
            "request.path_all",
            raw.path_all.clone().unwrap_or_default(),
            "no second way to ask",
            hint,
        );
    }
    let each = raw.each.unwrap_or_else(|| "{symbol}".to_owned());
    if !each.contains("{symbol}") {
        problems.add("request.each", &each, "no symbol in it", "write {symbol} where the symbol goes");
    }
    let symbols_max = usize::from(raw.symbols_max.unwrap_or(u16::MAX));
    if symbols_max == 0 || (!lists && raw.symbols_max.is_some()) {
        let hint = "allow at least one symbol, and only with {symbols} in path";
        problems.add("request.symbols_max", symbols_max.to_string(), "no meaning here", hint);
    }
    let join = raw.join.unwrap_or_else(|| ",".to_owned());
    Request { path: raw.path, each, join, symbols_max, path_all: raw.path_all }
}

fn answer(raw: &RawAnswer, problems: &mut Problems) -> Option<Answer> {
    let place = |key: &str, text: &Option<String>, problems: &mut Problems| {
        let text = text.as_deref()?;
        problems.keep(&format!("answer.{key}"), text, Place::parse(text), "write e.g. last, a[0] or $.time")
    };
    let [bid, ask, last, mid] =
        [("bid", &raw.bid), ("ask", &raw.ask), ("last", &raw.last), ("mid", &raw.mid)]
            .map(|(key, text)| place(key, text, problems));
    if raw.last.is_none() && raw.mid.is_none() && (raw.bid.is_none() || raw.ask.is_none()) {
        problems.add("answer", "", "no price in it", "name last, mid, or bid and ask");
    }
    if raw.mid.is_some() && (raw.bid.is_some() || raw.ask.is_some()) {
        problems.add("answer.mid", "", "a middle beside a book", "name bid and ask, or mid");
    }
    let at = match raw.rows.as_str() {
        "$" => Some(None),
        text => {
            problems.keep("answer.rows", text, Path::parse(text), "write e.g. result.list, or $").map(Some)
        }
    };
    let key = place("key", &raw.key, problems);
    let rows = match (at, &raw.key) {
        (Some(at), None) => Some(Rows::Keyed { at }),
        (Some(at), Some(_)) => key.map(|key| Rows::List { at, key }),
        (None, _) => None,
    };
    let unit = raw.time_unit.parse::<TimeUnit>().ok();
    if unit.is_some() != raw.time.is_some() || (unit.is_none() && raw.time_unit != "none") {
        let hint = "one of s, ms, us, ns, iso8601 with time, none without";
        problems.add("answer.time_unit", &raw.time_unit, "not the unit of answer.time", hint);
    }
    let time = place("time", &raw.time, problems).zip(unit);
    Some(Answer {
        ok: checks("answer.ok", &raw.ok, problems),
        errors: markers(&raw.errors, problems),
        rows: rows?,
        row_ok: checks("answer.row_ok", &raw.row_ok, problems),
        bid,
        ask,
        last,
        mid,
        time,
    })
}

fn checks(path: &str, raw: &[RawCheck], problems: &mut Problems) -> Vec<Check> {
    let mut checks = Vec::new();
    for check in raw {
        let at =
            problems.keep(path, &check.at, Place::parse(&check.at), "write e.g. code or status.error_code");
        let expect = match (&check.is, &check.is_not, check.is_empty) {
            (Some(text), None, None) => Some(Expect::Is(text.clone())),
            (None, Some(text), None) => Some(Expect::IsNot(text.clone())),
            (None, None, Some(true)) => Some(Expect::IsEmpty),
            _ => None,
        };
        if expect.is_none() {
            problems.add(path, &check.at, "not one expectation", "give one of is, is_not, is_empty = true");
        }
        checks.extend(at.zip(expect).map(|(at, expect)| Check { at, expect }));
    }
    checks
}

fn markers(raw: &[RawMarker], problems: &mut Problems) -> Vec<Marker> {
    let mut markers = Vec::new();
    for marker in raw {
        let means = Meaning::parse(&marker.means);
        if means.is_none() || marker.contains.is_empty() {
            let hint =
                "one of unknown_symbol, rate_limited, banned, geo_blocked for a text that is not empty";
            problems.add("answer.errors", &marker.means, "no known meaning", hint);
        }
        markers.extend(means.map(|means| Marker { contains: marker.contains.clone(), means }));
    }
    markers
}

fn symbols(raw: RawSymbols, problems: &mut Problems) -> Symbols {
    if raw.formats.is_empty() {
        problems.add("symbols.formats", "", "no format", "name at least one, e.g. {BASE}-{QUOTE}");
    }
    let mut formats = Vec::new();
    for text in &raw.formats {
        formats.extend(problems.keep("symbols.formats", text, Format::parse(text), "e.g. {BASE}-{QUOTE}"));
    }
    for (short, long) in &raw.long_codes {
        if short.is_empty() || short == long {
            problems.add("symbols.long_codes", short, "changes nothing", "write e.g. XBT = \"XXBT\"");
        }
    }
    let RawSymbols { alias, long_codes, ignore, ignore_case, .. } = raw;
    Symbols { formats, alias, long_codes, ignore, ignore_case }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_comes_with_the_program_is_good() {
        for (name, text) in FILES {
            let preset = Preset::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(preset.id, name);
            assert!(preset.hosts.iter().all(|host| host.scheme() == "https"));
            assert!(!preset.answer.ok.is_empty() || !matches!(name, "kraken" | "okx"));
        }
        assert_eq!(presets().len(), FILES.len());
        assert_eq!(preset("okx").map(Preset::symbol_format).as_deref(), Some("{BASE}-{QUOTE}"));
        assert!(preset("mtgox").is_none());
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
            [request]
            path = "tickers"
            path_all = "/all"
            each = "x"
            symbols_max = 0
            [answer]
            ok = [{ at = "code" }, { at = "", is = "0" }]
            errors = [{ contains = "x", means = "sunshine" }]
            rows = "a..b"
            key = "k["
            bid = "b"
            mid = "m"
            time = "t"
            time_unit = "none"
            [symbols]
            formats = ["{BASE}"]
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
            ("request.path", 1),
            ("request.path_all", 1),
            ("request.each", 1),
            ("request.symbols_max", 1),
            ("answer.ok", 2),
            ("answer.errors", 1),
            ("answer.rows", 1),
            ("answer.key", 1),
            ("answer.mid", 1),
            ("answer.time_unit", 1),
            ("symbols.formats", 1),
            ("symbols.long_codes", 1),
        ] {
            assert_eq!(count(path), expected, "{path} in {error}");
        }
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let good = FILES[0].1;
        for (bad, name) in
            [(format!("colour = 1\n{good}"), "colour"), (format!("{good}\nform = []\n"), "form")]
        {
            let error = Preset::parse("x", &bad).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
