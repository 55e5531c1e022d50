//! A preset as its file spells it, and the check that gives it meaning.

use super::Preset;
use super::stream::{self, RawStream};
use crate::sources::decode::{Answer, Check, Expect, Marker, Meaning, Place, Rows, TimeUnit};
use crate::sources::format::{Format, Side};
use crate::sources::key::KeyRule;
use crate::sources::limits::{self, span};
use crate::sources::path::Path;
use crate::sources::problem::Problems;
use crate::sources::request::Request;
use crate::sources::symbols::Symbols;
use instruments::RawInstruments;
use limit::RawLimit;
use publisher_core::time::Span;
use serde::Deserialize;
use std::collections::BTreeMap;

mod instruments;
mod limit;

/// Largest body that a preset may allow.
const BODY_MAX: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPreset {
    id: String,
    about: String,
    #[serde(default)]
    family: Option<String>,
    hosts: Vec<String>,
    every: String,
    timeout: String,
    body_max_bytes: u64,
    no_time_penalty: String,
    #[serde(default)]
    key: Option<RawKey>,
    #[serde(default)]
    limits: Vec<RawLimit>,
    request: RawRequest,
    answer: RawAnswer,
    symbols: RawSymbols,
    #[serde(default)]
    instruments: Option<RawInstruments>,
    #[serde(default)]
    stream: Option<RawStream>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    header: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    required: Option<bool>,
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
    base_volume: Option<String>,
    #[serde(default)]
    time: Option<String>,
    time_unit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCheck {
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
    #[serde(default)]
    contains: Option<String>,
    #[serde(default)]
    status: Option<u16>,
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
    assets: BTreeMap<String, String>,
    #[serde(default)]
    derivatives: Vec<String>,
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    quote: Option<String>,
    #[serde(default)]
    ignore: String,
    #[serde(default)]
    ignore_case: bool,
}

pub(super) fn check(raw: RawPreset, problems: &mut Problems) -> Option<Preset> {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    for (key, text) in [("id", Some(&raw.id)), ("family", raw.family.as_ref())] {
        if let Some(text) = text.filter(|text| text.is_empty() || !text.chars().all(name)) {
            problems.add(key, text, "not a name", "use lower case letters, digits and -");
        }
    }
    if raw.hosts.is_empty() {
        problems.add("hosts", "", "no host", "name at least one, e.g. https://api.example.com");
    }
    let mut hosts = Vec::new();
    for host in &raw.hosts {
        hosts.extend(limits::base_url("hosts", host, problems));
    }
    let every = span("every", &raw.every, limits::EVERY, problems);
    let timeout = span("timeout", &raw.timeout, limits::TIMEOUT, problems);
    let penalty = span("no_time_penalty", &raw.no_time_penalty, (Span::ZERO, limits::EVERY.1), problems);
    let body_max_bytes = usize::try_from(raw.body_max_bytes).ok().filter(|_| raw.body_max_bytes <= BODY_MAX);
    if body_max_bytes.is_none_or(|max| max < 1024) {
        let value = raw.body_max_bytes.to_string();
        problems.add("body_max_bytes", value, "out of range", "allow 1 KiB to 64 MiB");
    }
    let key = raw.key.and_then(|key| {
        let value = key.value.unwrap_or_else(|| "{key}".to_owned());
        KeyRule::parse(&key.header, &value, key.required.unwrap_or(true), problems)
    });
    let limits = limit::check(raw.limits, problems);
    let request = request(raw.request, problems);
    let answer = answer(&raw.answer, problems);
    let symbols = symbols(raw.symbols, problems);
    let instruments = raw.instruments.map(|raw| instruments::check(&raw, problems));
    let stream = raw.stream.map(|raw| stream::check(raw, problems));
    Some(Preset {
        id: raw.id,
        about: raw.about,
        family: raw.family,
        hosts,
        every: every?,
        timeout: timeout?,
        body_max_bytes: body_max_bytes?,
        no_time_penalty: penalty?,
        key,
        limits,
        request,
        answer: answer?,
        symbols,
        instruments: instruments.flatten(),
        stream: stream.flatten(),
    })
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
    let [bid, ask, last, mid, base_volume] = [
        ("bid", &raw.bid),
        ("ask", &raw.ask),
        ("last", &raw.last),
        ("mid", &raw.mid),
        ("base_volume", &raw.base_volume),
    ]
    .map(|(key, text)| place(key, text, problems));
    if raw.last.is_none() && raw.mid.is_none() && (raw.bid.is_none() || raw.ask.is_none()) {
        problems.add("answer", "", "no price in it", "name last, mid, or bid and ask");
    }
    if raw.mid.is_some() && (raw.bid.is_some() || raw.ask.is_some()) {
        problems.add("answer.mid", "", "a middle beside a book", "name bid and ask, or mid");
    }
    let rows = rows("answer", &raw.rows, raw.key.as_deref(), problems);
    let unit = raw.time_unit.parse::<TimeUnit>().ok();
    if unit.is_some() != raw.time.is_some() || (unit.is_none() && raw.time_unit != "none") {
        let hint = "one of s, ms, us, ns, iso8601, date with time, none without";
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
        base_volume,
        time,
    })
}

/// Where the rows of a table of the preset are, and where each says its symbol.
fn rows(table: &str, rows: &str, key: Option<&str>, problems: &mut Problems) -> Option<Rows> {
    let at = match rows {
        "$" => Some(None),
        text => {
            let hint = "write e.g. result.list, or $";
            problems.keep(&format!("{table}.rows"), text, Path::parse(text), hint).map(Some)
        }
    };
    let Some(key) = key else { return at.map(|at| Rows::Keyed { at }) };
    let hint = "write e.g. symbol, a[0] or $.time";
    let key = problems.keep(&format!("{table}.key"), key, Place::parse(key), hint);
    at.zip(key).map(|(at, key)| Rows::List { at, key })
}

pub(super) fn checks(path: &str, raw: &[RawCheck], problems: &mut Problems) -> Vec<Check> {
    let mut checks = Vec::new();
    for check in raw {
        let at =
            problems.keep(path, &check.at, Place::parse(&check.at), "write e.g. code or status.error_code");
        let expect = match (&check.is, &check.is_not, check.is_empty) {
            (Some(text), None, None) => Some(Expect::Is(text.clone())),
            (None, Some(text), None) => Some(Expect::IsNot(text.clone())),
            (None, None, Some(true)) => Some(Expect::IsEmpty),
            (None, None, Some(false)) => Some(Expect::IsSomething),
            _ => None,
        };
        if expect.is_none() {
            problems.add(path, &check.at, "not one expectation", "give one of is, is_not, is_empty");
        }
        checks.extend(at.zip(expect).map(|(at, expect)| Check { at, expect }));
    }
    checks
}

fn markers(raw: &[RawMarker], problems: &mut Problems) -> Vec<Marker> {
    let mut markers = Vec::new();
    for marker in raw {
        let means = Meaning::parse(&marker.means);
        let tells = match (&marker.contains, marker.status) {
            (None, None) => false,
            (contains, status) => {
                contains.as_ref().is_none_or(|text| !text.is_empty())
                    && status.is_none_or(|status| (300..600).contains(&status))
            }
        };
        if means.is_none() || !tells {
            let hint = "one of unknown_symbol, rate_limited, banned, geo_blocked for contains, a text that is not empty, \
                or status, one from 300 to 599";
            problems.add("answer.errors", &marker.means, "no known meaning", hint);
        }
        let (contains, status) = (marker.contains.clone(), marker.status);
        markers.extend(means.map(|means| Marker { contains, status, means }));
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
    for (code, asset) in &raw.assets {
        if code.is_empty() || asset.is_empty() || code == asset {
            problems.add("symbols.assets", code, "changes nothing", "write e.g. XBT = \"BTC\"");
        }
    }
    if raw.derivatives.iter().any(String::is_empty) {
        problems.add("symbols.derivatives", "", "every symbol ends with nothing", "write e.g. PERP");
    }
    for (key, side, fixed) in
        [("symbols.base", Side::Base, &raw.base), ("symbols.quote", Side::Quote, &raw.quote)]
    {
        if formats.iter().any(|format| format.names(side) == fixed.is_some()) {
            let hint = "name it here, or else in every format";
            problems.add(key, fixed.clone().unwrap_or_default(), "not the one name of this asset", hint);
        }
    }
    let RawSymbols { alias, long_codes, assets, derivatives, base, quote, ignore, ignore_case, .. } = raw;
    Symbols { formats, alias, long_codes, assets, derivatives, base, quote, ignore, ignore_case }
}
