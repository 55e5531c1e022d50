//! From a body's bytes to exact numbers per symbol.
//!
//! A body is read once; rows of markets that nobody asked for are skipped, a row of a wrong shape costs that row
//! only. Numbers go from the venue's text to [`Price`] without a float. Nothing here knows an exchange.

use super::civil;
use super::path::{self, Malformed, Path, PathError};
use super::symbols::Symbols;
use publisher_core::price::Price;
use publisher_core::quote::SourceFault;
use publisher_core::time::{Span, Wall};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

/// 2015-01-01T00:00:00Z: no venue here quotes an older price.
const EARLIEST: Wall = Wall::from_ms(1_420_070_400_000);
/// A price from further in the future than this is a wrong unit, not a fast clock.
const FUTURE_MAX: Span = Span::from_s(86_400);

/// How to read the answer of a venue.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// What a body that is no error fulfils.
    pub(super) ok: Vec<Check>,
    /// What errors mean, the first that fits.
    pub(super) errors: Vec<Marker>,
    pub(super) rows: Rows,
    /// What a row of a market that trades fulfils.
    pub(super) row_ok: Vec<Check>,
    pub(super) bid: Option<Place>,
    pub(super) ask: Option<Place>,
    pub(super) last: Option<Place>,
    /// The middle of the book, if the venue gives that instead of its sides: a book without width.
    pub(super) mid: Option<Place>,
    /// What was traded in a day, in units of the base asset.
    pub(super) base_volume: Option<Place>,
    pub(super) time: Option<(Place, TimeUnit)>,
}

/// Where the rows are.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    /// An array; the symbol stands in the row.
    List { at: Option<Path>, key: Place },
    /// An object whose keys are the symbols. Its rows may be objects or arrays.
    Keyed { at: Option<Path> },
    /// The body is the row of the only symbol.
    One,
}

/// A path from the row, or with `$.` in front from the body; `.` is the row itself.
#[derive(Clone, Debug)]
pub(super) struct Place {
    in_body: bool,
    path: Path,
}

/// One expectation.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) at: Place,
    pub(super) expect: Expect,
}

/// What a value must be, compared as text.
#[derive(Clone, Debug)]
pub(super) enum Expect {
    /// There, and this.
    Is(String),
    /// Not this; nothing at all is fine.
    IsNot(String),
    /// Nothing, null, or an empty string, list or object.
    IsEmpty,
    /// Anything else than that.
    IsSomething,
}

/// What tells an error, a text in its body, its status or both, and its meaning.
#[derive(Clone, Debug)]
pub(super) struct Marker {
    pub(super) contains: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) means: Meaning,
}

/// What an error body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One of the symbols is not known, which spoils the answer for all of them.
    UnknownSymbol,
    Fault(SourceFault),
}

/// How a venue writes a time. Numbers may be JSON numbers or strings and count from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds, with or without a fraction.
    Seconds,
    /// Milliseconds; a fraction is cut.
    Milliseconds,
    /// Whole microseconds.
    Microseconds,
    /// Whole nanoseconds.
    Nanoseconds,
    /// A date and time with an offset, as in RFC 3339.
    Iso8601,
    /// A day, `2026-03-06`, which counts from its beginning in UTC: nothing of it is taken for younger than it is.
    Date,
}

/// What a row says about its market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) bid: Option<Price>,
    pub(super) ask: Option<Price>,
    pub(super) last: Option<Price>,
    /// `None` also where the venue's text is no number: a volume gates and never prices, so it costs no price.
    pub(super) base_volume: Option<Price>,
    pub(super) time: Option<Wall>,
}

/// Why a body gives nothing for any symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) fault: SourceFault,
    /// The venue objects to one of the symbols.
    pub(super) unknown_symbol: bool,
    pub(super) reason: &'static str,
}

impl Refusal {
    pub(super) const fn new(fault: SourceFault, reason: &'static str) -> Self {
        Self { fault, unknown_symbol: false, reason }
    }
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        match text.strip_prefix("$.") {
            _ if text == "." => Ok(Self::in_row(Path::whole())),
            Some(rest) => Ok(Self { in_body: true, path: Path::parse(rest)? }),
            None => Ok(Self::in_row(Path::parse(text)?)),
        }
    }

    pub(super) fn in_row(path: Path) -> Self {
        Self { in_body: false, path }
    }

    pub(super) fn find<'a>(
        &self,
        body: &'a RawValue,
        row: &'a RawValue,
    ) -> Result<Option<&'a RawValue>, Malformed> {
        self.path.find(if self.in_body { body } else { row })
    }

    /// Whether nothing is there because the list in which it would be is empty: a side of a book without orders.
    fn is_of_empty_list(&self, body: &RawValue, row: &RawValue) -> bool {
        self.path.ends_in_empty_list(if self.in_body { body } else { row })
    }
}

impl Meaning {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "unknown_symbol" => Self::UnknownSymbol,
            "rate_limited" => Self::Fault(SourceFault::RateLimited),
            "banned" => Self::Fault(SourceFault::Banned),
            "geo_blocked" => Self::Fault(SourceFault::GeoBlocked),
            _ => return None,
        })
    }
}

impl TimeUnit {
    fn read(self, text: &str) -> Option<Wall> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let fraction_ms = civil::milliseconds(fraction);
        let ms = match self {
            Self::Seconds => civil::number(whole)?.checked_mul(1000)?.checked_add(fraction_ms?)?,
            Self::Milliseconds => fraction_ms.and(civil::number(whole))?,
            Self::Microseconds => civil::number(text)? / 1000,
            Self::Nanoseconds => civil::number(text)? / 1_000_000,
            Self::Iso8601 => return civil::rfc3339(text),
            Self::Date => return civil::date(text),
        };
        Some(Wall::from_ms(ms))
    }
}

impl FromStr for TimeUnit {
    type Err = TimeUnitError;

    fn from_str(text: &str) -> Result<Self, TimeUnitError> {
        Ok(match text {
            "s" => Self::Seconds,
            "ms" => Self::Milliseconds,
            "us" => Self::Microseconds,
            "ns" => Self::Nanoseconds,
            "iso8601" => Self::Iso8601,
            "date" => Self::Date,
            _ => return Err(TimeUnitError),
        })
    }
}

/// The text names no unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a unit of time: one of s, ms, us, ns, iso8601, date")]
pub struct TimeUnitError;

impl Check {
    pub(super) fn holds(&self, body: &RawValue, row: &RawValue) -> Result<bool, Malformed> {
        let found = self.at.find(body, row)?;
        Ok(match &self.expect {
            Expect::Is(expected) => found.and_then(text).is_some_and(|text| text == expected.as_str()),
            Expect::IsNot(expected) => found.and_then(text).is_none_or(|text| text != expected.as_str()),
            Expect::IsEmpty => found.is_none_or(is_empty),
            Expect::IsSomething => !found.is_none_or(is_empty),
        })
    }
}

/// A string's characters or the raw text of a number or word; `None` for a list, object or broken string.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let raw = raw.get();
    match raw.as_bytes().first()? {
        b'"' => {
            let inner = raw.get(1..raw.len().checked_sub(1)?)?;
            // Only a string with an escape has to be copied.
            if inner.contains('\\') {
                serde_json::from_str(raw).ok().map(Cow::Owned)
            } else {
                Some(inner.into())
            }
        }
        b'{' | b'[' => None,
        _ => Some(raw.into()),
    }
}

fn is_empty(raw: &RawValue) -> bool {
    let bare: String = raw.get().chars().filter(|c| !c.is_ascii_whitespace()).take(5).collect();
    matches!(bare.as_str(), "null" | "\"\"" | "[]" | "{}")
}

/// The rows of `keys` in the order of their symbols, each with its own fault; or why there are none.
pub(super) fn read(
    answer: &Answer,
    symbols: &Symbols,
    keys: &BTreeMap<String, usize>,
    count: usize,
    bytes: &[u8],
    now: Wall,
) -> Result<Vec<Result<Row, SourceFault>>, Refusal> {
    let malformed = |_: Malformed| Refusal::new(SourceFault::BadBody, "JSON of another shape");
    let body = parse(bytes)?;
    for check in &answer.ok {
        if !check.holds(body, body).map_err(malformed)? {
            return Err(answer.refusal(bytes));
        }
    }
    // One time for all rows is looked for once: a body of a thousand rows would else be searched a thousand times.
    let is_shared = answer.time.as_ref().is_some_and(|(place, _)| place.in_body);
    let shared = is_shared.then(|| answer.time(body, body, now));
    let mut rows = vec![Err(SourceFault::SymbolMissing); count];
    let mut seen = vec![false; count];
    let mut put = |at: usize, row: &RawValue| {
        let (Some(slot), Some(seen)) = (rows.get_mut(at), seen.get_mut(at)) else { return };
        // Two rows for one market: which of them is meant would be a guess.
        *slot = if *seen { Err(SourceFault::BadBody) } else { answer.timed(body, row, now, shared) };
        *seen = true;
    };
    if let Rows::One = &answer.rows {
        put(0, body);
        return Ok(rows);
    }
    each_row(&answer.rows, body, |key, row| {
        if let Some(at) = keys.get(&symbols.normal(key)) {
            put(*at, row);
        }
    })?;
    Ok(rows)
}

/// Visits every row that says its symbol, with the symbol as the venue spells it there.
pub(super) fn each_row<'a>(
    rows: &Rows,
    body: &'a RawValue,
    mut visit: impl FnMut(&str, &'a RawValue),
) -> Result<(), Refusal> {
    let malformed = |_: Malformed| Refusal::new(SourceFault::BadBody, "JSON of another shape");
    match rows {
        Rows::One => Ok(()),
        Rows::List { at, key } => path::each_element(locate(at.as_ref(), body)?, |row| {
            if let Some(key) = key.find(body, row).ok().flatten().and_then(text) {
                visit(&key, row);
            }
        })
        .map_err(malformed),
        Rows::Keyed { at } => {
            path::each_entry(locate(at.as_ref(), body)?, |key, row| visit(&key, row)).map_err(malformed)
        }
    }
}

fn locate<'a>(at: Option<&Path>, body: &'a RawValue) -> Result<&'a RawValue, Refusal> {
    let shape = Refusal::new(SourceFault::BadBody, "no rows where they should be");
    match at {
        Some(path) => path.find(body).map_err(|_| shape.clone())?.ok_or(shape),
        None => Ok(body),
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<&RawValue, Refusal> {
    if path::too_deep(bytes) {
        return Err(Refusal::new(SourceFault::TooLarge, "JSON nested more than 64 deep"));
    }
    let reason = if first_byte(bytes) == Some(b'<') { "HTML or XML instead of JSON" } else { "not JSON" };
    serde_json::from_slice(bytes).map_err(|_| Refusal::new(SourceFault::BadBody, reason))
}

fn first_byte(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|b| !b.is_ascii_whitespace())
}

impl Answer {
    /// One row, in which nothing is looked for yet.
    pub(super) fn one_row() -> Self {
        Self {
            ok: Vec::new(),
            errors: Vec::new(),
            rows: Rows::One,
            row_ok: Vec::new(),
            bid: None,
            ask: None,
            last: None,
            mid: None,
            base_volume: None,
            time: None,
        }
    }

    /// When a row was true, if it says so.
    pub(super) fn time(
        &self,
        body: &RawValue,
        row: &RawValue,
        now: Wall,
    ) -> Result<Option<Wall>, SourceFault> {
        let Some((place, unit)) = &self.time else { return Ok(None) };
        let found = place.find(body, row).map_err(|_| SourceFault::BadBody)?;
        let time = found.and_then(text).and_then(|text| unit.read(&text));
        let is_sane = |time: &Wall| (EARLIEST..=now + FUTURE_MAX).contains(time);
        time.filter(is_sane).map(Some).ok_or(SourceFault::BadTime)
    }

    /// Whether rows say when they were true to the moment, and not only on which day.
    pub(super) fn reads_clock(&self) -> bool {
        self.time.as_ref().is_some_and(|(_, unit)| *unit != TimeUnit::Date)
    }

    /// What an answer means that is an error by its status or its content; without a meaning it is `fault`.
    fn meaning(&self, status: u16, bytes: &[u8], fault: SourceFault, reason: &'static str) -> Refusal {
        let text = String::from_utf8_lossy(bytes);
        let fits = |marker: &&Marker| {
            marker.status.is_none_or(|of| of == status)
                && marker.contains.as_ref().is_none_or(|part| text.contains(part))
        };
        match self.errors.iter().find(fits).map(|marker| marker.means) {
            Some(Meaning::Fault(fault)) => Refusal::new(fault, reason),
            Some(Meaning::UnknownSymbol) => Refusal { fault, unknown_symbol: true, reason },
            None => Refusal::new(fault, reason),
        }
    }

    /// What an answer means that came with this status and not with 200, which alone would be `fault`. What the venue
    /// says may know better what happened; a status that says it all is believed.
    pub(super) fn failed(&self, status: u16, bytes: &[u8], fault: SourceFault) -> Refusal {
        let reason = "the request failed";
        match status {
            418 | 429 | 451 => Refusal::new(fault, reason),
            _ => self.meaning(status, bytes, fault, reason),
        }
    }

    fn refusal(&self, bytes: &[u8]) -> Refusal {
        self.meaning(200, bytes, SourceFault::VenueError, "an error in a body with HTTP status 200")
    }

    pub(super) fn row(&self, body: &RawValue, row: &RawValue, now: Wall) -> Result<Row, SourceFault> {
        self.timed(body, row, now, None)
    }

    /// The same where the time is known that all rows share.
    fn timed(
        &self,
        body: &RawValue,
        row: &RawValue,
        now: Wall,
        shared: Option<Result<Option<Wall>, SourceFault>>,
    ) -> Result<Row, SourceFault> {
        for check in &self.row_ok {
            if !check.holds(body, row).map_err(|_| SourceFault::BadBody)? {
                return Err(SourceFault::SymbolMissing);
            }
        }
        let find = |place: &Option<Place>| match place {
            Some(place) => place.find(body, row).map_err(|_| SourceFault::BadBody),
            None => Ok(None),
        };
        // A field that the preset names is in every row, if perhaps empty. Without it the format has changed, and
        // a price from what is left would pass for one from the whole.
        let named = |place: &Option<Place>| match (place, find(place)?) {
            (Some(place), None) if !place.is_of_empty_list(body, row) => Err(SourceFault::BadBody),
            (_, found) => price(found),
        };
        let (bid, ask, last) = (named(&self.bid)?, named(&self.ask)?, named(&self.last)?);
        let mid = price(find(&self.mid)?)?;
        let (bid, ask) = (bid.or(mid), ask.or(mid));
        if last.is_none() && (bid.is_none() || ask.is_none()) {
            return Err(SourceFault::BadValue);
        }
        let time = shared.unwrap_or_else(|| self.time(body, row, now))?;
        let base_volume = find(&self.base_volume)?.and_then(text).and_then(|text| text.parse().ok());
        Ok(Row {
            bid,
            ask,
            last,
            base_volume: base_volume.filter(|volume: &Price| *volume >= Price::ZERO),
            time,
        })
    }
}

/// An exact positive price; `None` if the venue gives none (no field, null, or an empty string).
pub(super) fn price(found: Option<&RawValue>) -> Result<Option<Price>, SourceFault> {
    let Some(raw) = found.filter(|raw| !matches!(raw.get(), "null" | "\"\"")) else { return Ok(None) };
    let text = text(raw).ok_or(SourceFault::BadValue)?;
    let price: Price = text.parse().map_err(|_| SourceFault::BadValue)?;
    if price.is_positive() { Ok(Some(price)) } else { Err(SourceFault::BadValue) }
}
