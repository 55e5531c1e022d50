//! A source of one's own without code: a URL, and JSON pointers or expressions into its body.
//!
//! It is a venue with the single symbol `price`. Its URL and headers may hold keys: they appear in no message.
//! Only public addresses are asked unless the operator permits others.

use super::decode::{Answer, Place as At, TimeUnit};
use super::guard::{Client, Guard};
use super::instruments;
use super::limits;
use super::path::Path;
use super::problem::{Problems, SourceSetupError};
use super::request::Target;
use super::symbols::Symbols;
use super::venue::{Venue, markets};
use super::way::Way;
use publisher_core::quote::VenueId;
use publisher_core::time::Span;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::sync::Mutex;
use url::Url;

/// The symbol of a source of one's own.
pub const CUSTOM_SYMBOL: &str = "price";
/// A body with one price in it is small.
const BODY_MAX_BYTES: usize = 1 << 20;
const EVERY: Span = Span::from_s(5);
const TIMEOUT: Span = Span::from_s(5);

/// What a configuration says about a source of one's own.
#[derive(Clone)]
pub struct CustomSource {
    /// Its name as a venue.
    pub id: VenueId,
    /// What to ask, as it stands.
    pub url: Url,
    /// Where the price is, in units of the quote asset: a number, or a string that holds one. A JSON pointer (RFC 6901),
    /// or an expression that begins with `$`, as everywhere below.
    pub pointer: String,
    /// Where the best bid is.
    pub bid_pointer: Option<String>,
    /// Where the best ask is.
    pub ask_pointer: Option<String>,
    /// Where the time of the price is, and the unit it is in; without it, the time of the request counts.
    pub time: Option<(String, TimeUnit)>,
    /// The interval between polls; 5 s if not given.
    pub every: Option<Span>,
    /// The time for one poll; 5 s if not given.
    pub timeout: Option<Span>,
    /// Headers of the request, e.g. for an API key.
    pub headers: Vec<(String, String)>,
    /// Permits private, loopback and link-local addresses.
    pub allow_private: bool,
    /// How its host is reached.
    pub way: Way,
}

impl fmt::Debug for CustomSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = limits::redacted(&self.url);
        f.debug_struct("CustomSource").field("id", &self.id).field("url", &url).finish_non_exhaustive()
    }
}

impl Venue {
    /// A source of one's own.
    ///
    /// # Errors
    /// With every pointer, header, URL and setting that cannot be used. Values of headers are not repeated.
    pub fn custom(source: CustomSource, client: &Client) -> Result<Self, SourceSetupError> {
        let mut problems = Problems::default();
        let mut pointer = |key: &str, text: &str| {
            let hint = "write e.g. /data/0/price, or $.data[?symbol==\"BTC\"].price";
            problems.keep(key, text, Path::pointer_or_expression(text), hint).map(At::in_row)
        };
        let last = pointer("pointer", &source.pointer);
        let bid = source.bid_pointer.as_deref().and_then(|text| pointer("bid_pointer", text));
        let ask = source.ask_pointer.as_deref().and_then(|text| pointer("ask_pointer", text));
        let time =
            source.time.as_ref().and_then(|(text, unit)| Some((pointer("time_pointer", text)?, *unit)));
        if bid.is_some() != ask.is_some() {
            problems.add(
                "bid_pointer",
                "",
                "half a book",
                "give both bid_pointer and ask_pointer, or neither",
            );
        }
        let guard = if source.allow_private { Guard::AllowPrivate } else { Guard::Public };
        if let Some((reason, hint)) = limits::url_fault(&source.url) {
            problems.add("url", limits::redacted(&source.url), reason, hint);
        } else if !guard.admits(&source.url) {
            let hint = "set allow_private = true if this is a source of your own";
            problems.add("url", limits::redacted(&source.url), "not a public address", hint);
        }
        source.way.check("url", &source.url, &mut problems);
        let http = client.of(guard, &source.way, &mut problems);
        let headers = headers(&source.headers, &mut problems);
        let every = limits::within("every", source.every.unwrap_or(EVERY), limits::EVERY, &mut problems);
        let timeout =
            limits::within("timeout", source.timeout.unwrap_or(TIMEOUT), limits::TIMEOUT, &mut problems);
        let venue = every.zip(timeout).zip(http).map(|((every, timeout), http)| Self {
            markets: markets(&source.id, vec![CUSTOM_SYMBOL.into()]),
            id: source.id.clone(),
            target: Target::Url(source.url),
            http,
            way: source.way.clone(),
            headers,
            limits: Vec::new(),
            budgets: client.budgets.clone(),
            quotes_errors: false,
            answer: Answer { bid, ask, last, time, ..Answer::one_row() },
            symbols: Symbols::default(),
            keys: [(CUSTOM_SYMBOL.to_owned(), 0)].into(),
            every,
            timeout,
            body_max_bytes: BODY_MAX_BYTES,
            no_time_penalty: Span::ZERO,
            memory: Mutex::default(),
            instruments: None,
            instruments_every: instruments::EVERY,
            lines: Vec::new(),
        });
        problems.finish(source.id.as_str(), venue)
    }
}

fn headers(pairs: &[(String, String)], problems: &mut Problems) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let key = problems.keep("headers", name, name.parse::<HeaderName>(), "use letters, digits and -");
        // The value may be a key, so the message names the header only.
        let hint = "use printable ASCII on one line";
        let value = problems.keep("headers", name, value.parse::<HeaderValue>(), hint);
        if let Some((key, mut value)) = key.zip(value) {
            value.set_sensitive(true);
            if headers.insert(key, value).is_some() {
                problems.add("headers", name, "given twice", "keep one of them");
            }
        }
    }
    headers
}
