//! A preset's table `[stream]`: a venue's WebSocket as data.
//!
//! It says where the socket is, what is written to it and how often, what the venue's messages look like, and every
//! limit. There is no arithmetic and no script: templates are filled, predicates compare texts, paths find places.

use super::raw::{RawCheck, checks};
use crate::sources::decode::{Answer, Check, Place, TimeUnit};
use crate::sources::limits::{self, span};
use crate::sources::path::Path;
use crate::sources::problem::Problems;
use publisher_core::time::Span;
use serde::Deserialize;
use std::collections::BTreeMap;
use url::Url;

/// Largest message that a preset may allow, in bytes.
const MESSAGE_MAX: u64 = 16 << 20;
/// Pauses before and between frames of ours.
const PAUSE: (Span, Span) = (Span::ZERO, Span::from_s(60));
/// Time between signs of life. A socket is given up after twice that, and after 30 s at the latest.
const PING: (Span, Span) = (Span::from_s(1), Span::from_s(60));
/// How long a venue keeps a connection.
const LIFE: (Span, Span) = (Span::from_s(60), Span::from_s(90 * 86_400));
/// Time between polls while the stream is healthy.
const CROSS_CHECK: (Span, Span) = (Span::from_s(1), Span::from_s(3600));

/// A venue's WebSocket, checked.
#[derive(Clone, Debug)]
pub(in crate::sources) struct StreamPreset {
    /// Scheme, host and port; the one tried first in front.
    pub(in crate::sources) hosts: Vec<Url>,
    /// What follows the host; `{symbols}` where the markets stand in it, and `{token}` where a token does.
    pub(in crate::sources) path: String,
    /// What has to be asked for over HTTP before each connection.
    pub(in crate::sources) pre_request: Option<PreRequest>,
    pub(in crate::sources) encoding: Encoding,
    /// Nothing is written for so long after connecting.
    pub(in crate::sources) quiet: Span,
    /// Time between two frames of ours.
    pub(in crate::sources) write_every: Span,
    pub(in crate::sources) symbols_per_frame: usize,
    pub(in crate::sources) symbols_per_connection: usize,
    /// The venue ends a connection at this age; it is replaced before.
    pub(in crate::sources) life: Span,
    pub(in crate::sources) message_max_bytes: usize,
    /// Time between polls over HTTP while every market of the stream is healthy.
    pub(in crate::sources) cross_check: Span,
    /// A market so liquid that its silence is the socket's.
    pub(in crate::sources) canary: Option<String>,
    /// What a market is called in messages, with `{symbol}`.
    pub(in crate::sources) topic: String,
    pub(in crate::sources) naming: Naming,
    /// Nothing is asked for where the path names the markets.
    pub(in crate::sources) subscribe: Option<Subscribe>,
    pub(in crate::sources) ping: Ping,
    pub(in crate::sources) replies: Vec<Reply>,
    /// What confirms a subscription; prices alone do, where the venue says nothing.
    pub(in crate::sources) ack: Option<Answered>,
    pub(in crate::sources) refusal: Option<Answered>,
    /// What the venue says when it wants us to connect anew.
    pub(in crate::sources) reconnect: Vec<Check>,
    pub(in crate::sources) data: Data,
}

/// How a venue packs what it says into binary frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Encoding {
    /// As text.
    Plain,
    Gzip,
    /// As protobuf, which is read as an object whose keys are the numbers of fields.
    Protobuf {
        /// The fields that are messages, as their numbers from the outermost on: `315` or `310.1`.
        messages: Vec<String>,
    },
}

/// A request over HTTP (POST) for a token that opens one connection.
#[derive(Clone, Debug)]
pub(in crate::sources) struct PreRequest {
    pub(in crate::sources) path: String,
    /// What an answer that is no error fulfils.
    pub(in crate::sources) ok: Vec<Check>,
    pub(in crate::sources) token: Place,
    /// Where the venue says which host to connect to.
    pub(in crate::sources) host: Option<Place>,
    /// Where it says how often it wants a ping, in milliseconds.
    pub(in crate::sources) ping_ms: Option<Place>,
    /// What asking costs of each of the venue's limits.
    pub(in crate::sources) cost: u64,
}

/// How the stream spells the symbols of the HTTP interface.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sources) struct Naming {
    /// In lower case.
    lower: bool,
    /// Without these characters.
    drop: String,
    /// Assets that prices are in, where a symbol has to be taken apart; the longest that fits is taken.
    quotes: Vec<String>,
    /// What then stands between the two.
    join: String,
    /// Assets that the stream calls otherwise.
    codes: BTreeMap<String, String>,
}

/// The frame that subscribes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sources) struct Subscribe {
    /// With `{symbols}`, and `{id}` or `{now_s}` where the venue wants a number of its own or the time.
    pub(in crate::sources) text: String,
    /// One market in it, with `{symbol}` or `{topic}`.
    pub(in crate::sources) each: String,
    #[serde(default = "comma")]
    pub(in crate::sources) join: String,
    /// What an earlier frame subscribed to is over, so each of them names every market.
    #[serde(default)]
    pub(in crate::sources) replaces: bool,
}

fn comma() -> String {
    ",".to_owned()
}

/// What keeps a connection open.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Ping {
    pub(in crate::sources) every: Span,
    /// What is written; the WebSocket's own ping if there is nothing.
    pub(in crate::sources) text: Option<String>,
    /// What answers it, where that is no JSON.
    pub(in crate::sources) pong: Option<String>,
}

/// What a message of the venue is answered with.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Reply {
    pub(in crate::sources) is: Vec<Check>,
    /// What `{value}` stands for.
    pub(in crate::sources) value: Place,
    pub(in crate::sources) text: String,
}

/// An answer to a frame that subscribes.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Answered {
    pub(in crate::sources) is: Vec<Check>,
    /// Which market it is about, where it names one.
    pub(in crate::sources) key: Option<Place>,
    /// Which frame it answers, where it says so. Otherwise frames are answered in their order.
    pub(in crate::sources) id: Option<Place>,
    /// What later messages call the market.
    pub(in crate::sources) channel: Option<Place>,
}

/// A message with prices.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Data {
    pub(in crate::sources) is: Vec<Check>,
    /// Where the rows are; the whole message if nowhere else.
    pub(in crate::sources) at: Option<Path>,
    /// Whether there are several.
    pub(in crate::sources) is_list: bool,
    pub(in crate::sources) key: Place,
    /// What a row with a price fulfils; others are passed over.
    pub(in crate::sources) row_is: Vec<Check>,
    /// How a row is read, as in an answer over HTTP.
    pub(in crate::sources) row: Answer,
    /// Rows that hold one price each, where the venue tells them one at a time.
    pub(in crate::sources) parts: Vec<Part>,
    /// A number that grows with every message of a market.
    pub(in crate::sources) sequence: Option<Place>,
    /// It grows by one, so that a missing message shows.
    pub(in crate::sources) gapless: bool,
}

impl Naming {
    /// The stream's symbol; `None` if this one cannot be expressed.
    pub(in crate::sources) fn name(&self, symbol: &str) -> Option<String> {
        let kept: String = symbol.chars().filter(|c| !self.drop.contains(*c)).collect();
        let code = |asset: &str| self.codes.get(asset).cloned().unwrap_or_else(|| asset.to_owned());
        let name = if self.quotes.is_empty() {
            kept
        } else {
            let fits = self.quotes.iter().filter(|quote| kept.ends_with(quote.as_str()));
            let quote = fits.max_by_key(|quote| quote.len())?;
            let base = kept.strip_suffix(quote.as_str()).filter(|base| !base.is_empty())?;
            format!("{}{}{}", code(base), self.join, code(quote))
        };
        Some(if self.lower { name.to_lowercase() } else { name })
    }
}

/// A row that holds one price, which replaces what was said of the same before.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Part {
    /// What such a row fulfils.
    pub(in crate::sources) is: Vec<Check>,
    pub(in crate::sources) of: PartOf,
    pub(in crate::sources) at: Place,
}

/// What a price is of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum PartOf {
    Bid,
    Ask,
    Last,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStream {
    hosts: Vec<String>,
    path: String,
    #[serde(default)]
    pre_request: Option<RawPreRequest>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    messages: Vec<String>,
    #[serde(default)]
    quiet: Option<String>,
    write_every: String,
    symbols_per_frame: u16,
    symbols_per_connection: u16,
    life: String,
    message_max_bytes: u64,
    cross_check: String,
    #[serde(default)]
    canary: Option<String>,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    symbols: Naming,
    #[serde(default)]
    subscribe: Option<Subscribe>,
    ping: RawPing,
    #[serde(default)]
    reply: Vec<RawReply>,
    #[serde(default)]
    ack: Option<RawAnswered>,
    #[serde(default)]
    refusal: Option<RawAnswered>,
    #[serde(default)]
    reconnect: Vec<RawCheck>,
    data: RawData,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPreRequest {
    path: String,
    #[serde(default)]
    ok: Vec<RawCheck>,
    token: String,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    ping_ms: Option<String>,
    #[serde(default)]
    cost: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPing {
    every: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    pong: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReply {
    #[serde(rename = "match")]
    is: Vec<RawCheck>,
    value: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswered {
    #[serde(rename = "match")]
    is: Vec<RawCheck>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    channel: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawData {
    #[serde(rename = "match")]
    is: Vec<RawCheck>,
    #[serde(default)]
    rows: Option<String>,
    #[serde(default)]
    row: Option<String>,
    key: String,
    #[serde(default)]
    row_match: Vec<RawCheck>,
    #[serde(default)]
    bid: Option<String>,
    #[serde(default)]
    ask: Option<String>,
    #[serde(default)]
    last: Option<String>,
    #[serde(default)]
    base_volume: Option<String>,
    #[serde(default)]
    time: Option<String>,
    time_unit: String,
    #[serde(default)]
    sequence: Option<String>,
    #[serde(default)]
    gapless: bool,
    #[serde(default)]
    part: Vec<RawPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    #[serde(rename = "match")]
    is: Vec<RawCheck>,
    #[serde(default)]
    bid: Option<String>,
    #[serde(default)]
    ask: Option<String>,
    #[serde(default)]
    last: Option<String>,
}

pub(super) fn check(raw: RawStream, problems: &mut Problems) -> Option<StreamPreset> {
    let mut hosts = Vec::new();
    for host in &raw.hosts {
        let url = problems.keep("stream.hosts", host, Url::parse(host), "write e.g. wss://ws.example.com");
        if let Some(url) = url {
            match limits::socket_fault(&url) {
                None => hosts.push(url),
                Some((reason, hint)) => problems.add("stream.hosts", limits::redacted(&url), reason, hint),
            }
        }
    }
    if raw.hosts.is_empty() {
        problems.add("stream.hosts", "", "no host", "name at least one, e.g. wss://ws.example.com");
    }
    for path in [Some(&raw.path), raw.pre_request.as_ref().map(|request| &request.path)].into_iter().flatten()
    {
        if !path.starts_with('/') {
            problems.add("stream.path", path, "not a path", "start it with /");
        }
    }
    if raw.path.contains("{token}") != raw.pre_request.is_some() {
        let hint = "write {token} into stream.path where there is a stream.pre_request, and only there";
        problems.add("stream.path", &raw.path, "a token that is not asked for, or not used", hint);
    }
    if raw.path.contains("{symbols}") == raw.subscribe.is_some() {
        let hint = "either write {symbols} into stream.path, or give stream.subscribe";
        problems.add("stream.subscribe", "", "not one way to name the markets", hint);
    }
    for (key, count) in [
        ("stream.symbols_per_frame", raw.symbols_per_frame),
        ("stream.symbols_per_connection", raw.symbols_per_connection),
    ] {
        if count == 0 {
            problems.add(key, "0", "no symbol at all", "allow at least one");
        }
    }
    if raw.subscribe.as_ref().is_some_and(|subscribe| subscribe.replaces) {
        if raw.symbols_per_frame != raw.symbols_per_connection {
            let hint = "let stream.symbols_per_frame and stream.symbols_per_connection be the same";
            problems.add("stream.subscribe.replaces", "true", "no frame for a part of the markets", hint);
        }
        if raw.refusal.is_some() {
            let hint = "leave stream.refusal out: half of a frame would end the other half";
            problems.add("stream.subscribe.replaces", "true", "no way to find who spoils a frame", hint);
        }
    }
    let topic = raw.topic.unwrap_or_else(|| "{symbol}".to_owned());
    let subscribe = raw.subscribe.iter().flat_map(|subscribe| {
        [
            ("stream.subscribe.text", &subscribe.text, &["{symbols}"][..]),
            ("stream.subscribe.each", &subscribe.each, &["{symbol}", "{topic}"]),
        ]
    });
    for (key, text, placeholders) in subscribe.chain([("stream.topic", &topic, &["{symbol}"][..])]) {
        if !placeholders.iter().any(|placeholder| text.contains(placeholder)) {
            problems.add(key, text, "no market in it", format!("write {}", placeholders.join(" or ")));
        }
    }
    let quiet = raw.quiet.unwrap_or_else(|| "0s".to_owned());
    let quiet = span("stream.quiet", &quiet, PAUSE, problems);
    let write_every = span("stream.write_every", &raw.write_every, PAUSE, problems);
    let life = span("stream.life", &raw.life, LIFE, problems);
    let cross_check = span("stream.cross_check", &raw.cross_check, CROSS_CHECK, problems);
    let every = span("stream.ping.every", &raw.ping.every, PING, problems);
    let message_max_bytes = usize::try_from(raw.message_max_bytes)
        .ok()
        .filter(|max| raw.message_max_bytes <= MESSAGE_MAX && *max >= 1024);
    if message_max_bytes.is_none() {
        let value = raw.message_max_bytes.to_string();
        problems.add("stream.message_max_bytes", value, "out of range", "allow 1 KiB to 16 MiB");
    }
    let pre_request = raw.pre_request.map(|raw| pre_request(&raw, problems));
    let encoding = encoding(raw.encoding.as_deref(), raw.messages, problems);
    let mut replies = Vec::new();
    for reply in &raw.reply {
        let is = required("stream.reply.match", &reply.is, problems);
        let value = place("stream.reply.value", &reply.value, problems);
        replies.extend(value.map(|value| Reply { is, value, text: reply.text.clone() }));
    }
    let ack = raw.ack.map(|raw| answered("stream.ack", &raw, problems));
    let refusal = raw.refusal.map(|raw| answered("stream.refusal", &raw, problems));
    let reconnect = checks("stream.reconnect", &raw.reconnect, problems);
    let data = data(&raw.data, problems);
    Some(StreamPreset {
        hosts,
        path: raw.path,
        pre_request: pre_request.flatten(),
        encoding,
        quiet: quiet?,
        write_every: write_every?,
        symbols_per_frame: usize::from(raw.symbols_per_frame),
        symbols_per_connection: usize::from(raw.symbols_per_connection),
        life: life?,
        message_max_bytes: message_max_bytes?,
        cross_check: cross_check?,
        canary: raw.canary,
        topic,
        naming: raw.symbols,
        subscribe: raw.subscribe,
        ping: Ping { every: every?, text: raw.ping.text, pong: raw.ping.pong },
        replies,
        ack,
        refusal,
        reconnect,
        data: data?,
    })
}

fn pre_request(raw: &RawPreRequest, problems: &mut Problems) -> Option<PreRequest> {
    let mut find = |name: &str, text: &Option<String>| {
        text.as_deref().and_then(|text| place(&format!("stream.pre_request.{name}"), text, problems))
    };
    let (host, ping_ms) = (find("host", &raw.host), find("ping_ms", &raw.ping_ms));
    let token = place("stream.pre_request.token", &raw.token, problems);
    let ok = checks("stream.pre_request.ok", &raw.ok, problems);
    let cost = raw.cost.unwrap_or(1);
    Some(PreRequest { path: raw.path.clone(), ok, token: token?, host, ping_ms, cost })
}

fn encoding(name: Option<&str>, messages: Vec<String>, problems: &mut Problems) -> Encoding {
    let encoding = match name {
        None => Encoding::Plain,
        Some("gzip") => Encoding::Gzip,
        Some("protobuf") => return Encoding::Protobuf { messages },
        Some(other) => {
            let hint = "one of gzip and protobuf; without it, frames are text";
            problems.add("stream.encoding", other, "no known encoding", hint);
            Encoding::Plain
        }
    };
    if !messages.is_empty() {
        let hint = "leave it out, or set stream.encoding to protobuf";
        problems.add("stream.messages", messages.join(", "), "no meaning here", hint);
    }
    encoding
}

fn place(key: &str, text: &str, problems: &mut Problems) -> Option<Place> {
    problems.keep(key, text, Place::parse(text), "write e.g. last, a[0] or $.time")
}

/// Checks of which there must be one, or every message would fit.
fn required(key: &str, raw: &[RawCheck], problems: &mut Problems) -> Vec<Check> {
    if raw.is_empty() {
        problems.add(key, "", "fits every message", "name at least one place and what stands there");
    }
    checks(key, raw, problems)
}

fn answered(key: &str, raw: &RawAnswered, problems: &mut Problems) -> Answered {
    let find = |name: &str, text: &Option<String>, problems: &mut Problems| {
        text.as_deref().and_then(|text| place(&format!("{key}.{name}"), text, problems))
    };
    if raw.channel.is_some() && raw.key.is_none() {
        let hint = "name the place of the market, too";
        problems.add(format!("{key}.channel"), "", "a channel of no market", hint);
    }
    Answered {
        is: required(&format!("{key}.match"), &raw.is, problems),
        key: find("key", &raw.key, problems),
        id: find("id", &raw.id, problems),
        channel: find("channel", &raw.channel, problems),
    }
}

fn data(raw: &RawData, problems: &mut Problems) -> Option<Data> {
    let is = required("stream.data.match", &raw.is, problems);
    let (is_list, at) = match (&raw.rows, &raw.row) {
        (Some(rows), None) => (true, rows),
        (None, Some(row)) => (false, row),
        _ => {
            problems.add(
                "stream.data.rows",
                "",
                "not one place",
                "name rows for a list, row for a single one",
            );
            return None;
        }
    };
    let at = match at.as_str() {
        "$" => Some(None),
        text => problems.keep("stream.data.rows", text, Path::parse(text), "write e.g. data, or $").map(Some),
    };
    let mut find = |name: &str, text: &Option<String>| {
        text.as_deref().and_then(|text| place(&format!("stream.data.{name}"), text, problems))
    };
    let (bid, ask, last) = (find("bid", &raw.bid), find("ask", &raw.ask), find("last", &raw.last));
    let (time, sequence) = (find("time", &raw.time), find("sequence", &raw.sequence));
    let base_volume = find("base_volume", &raw.base_volume);
    let key = place("stream.data.key", &raw.key, problems);
    let row_is = checks("stream.data.row_match", &raw.row_match, problems);
    let whole = raw.last.is_some() || (raw.bid.is_some() && raw.ask.is_some());
    if raw.part.is_empty() != whole {
        problems.add(
            "stream.data",
            "",
            "no price in it, or in two ways",
            "name last, or bid and ask, or parts",
        );
    }
    let parts = raw.part.iter().filter_map(|raw| part(raw, problems)).collect();
    if raw.gapless && raw.sequence.is_none() {
        problems.add("stream.data.gapless", "true", "no sequence to hold it against", "name sequence");
    }
    let unit = raw.time_unit.parse::<TimeUnit>().ok();
    if unit.is_some() != raw.time.is_some() || (unit.is_none() && raw.time_unit != "none") {
        let hint = "one of s, ms, us, ns, iso8601 with time, none without";
        problems.add("stream.data.time_unit", &raw.time_unit, "not the unit of stream.data.time", hint);
    }
    let row = Answer { bid, ask, last, base_volume, time: time.zip(unit), ..Answer::one_row() };
    Some(Data { is, at: at?, is_list, key: key?, row_is, row, parts, sequence, gapless: raw.gapless })
}

fn part(raw: &RawPart, problems: &mut Problems) -> Option<Part> {
    let is = required("stream.data.part.match", &raw.is, problems);
    let (of, at) = match (&raw.bid, &raw.ask, &raw.last) {
        (Some(at), None, None) => (PartOf::Bid, at),
        (None, Some(at), None) => (PartOf::Ask, at),
        (None, None, Some(at)) => (PartOf::Last, at),
        _ => {
            problems.add("stream.data.part", "", "not one price", "name bid, ask or last");
            return None;
        }
    };
    Some(Part { is, of, at: place("stream.data.part", at, problems)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::VENUE;

    #[test]
    fn symbols_are_taken_apart_only_where_that_is_no_guess() {
        let kraken = Naming {
            quotes: ["USD", "USDT", "XBT"].map(str::to_owned).to_vec(),
            join: "/".into(),
            codes: [("XBT".to_owned(), "BTC".to_owned())].into(),
            ..Naming::default()
        };
        for (symbol, name) in [
            ("XBTUSD", Some("BTC/USD")),
            ("XBTUSDT", Some("BTC/USDT")),
            ("USDTUSD", Some("USDT/USD")),
            ("ETHXBT", Some("ETH/BTC")),
            ("USD", None),
            ("ETHEUR", None),
        ] {
            assert_eq!(kraken.name(symbol).as_deref(), name, "{symbol}");
        }
        let bitstamp = Naming { lower: true, drop: "/".into(), ..Naming::default() };
        assert_eq!(bitstamp.name("BTC/USD").as_deref(), Some("btcusd"));
        assert_eq!(bitstamp.name("btcusd").as_deref(), Some("btcusd"));
        assert_eq!(Naming::default().name("BTC-USD").as_deref(), Some("BTC-USD"));
    }
    /// Without this a stream that can never work is found out when the venue says nothing.
    #[test]
    fn every_problem_of_a_stream_is_found() {
        let stream = r#"
            [stream]
            hosts = ["https://example.com", "ws://user@example.com"]
            path = "markets?token={token}&symbols={symbols}"
            encoding = "brotli"
            messages = ["1"]
            write_every = "2h"
            symbols_per_frame = 5
            symbols_per_connection = 10
            life = "1s"
            message_max_bytes = 1
            cross_check = "0s"
            topic = "ticker"
            [stream.subscribe]
            text = "{}"
            each = "{id}"
            replaces = true
            [stream.ping]
            every = "1h"
            [stream.ack]
            match = []
            channel = "c"
            [stream.refusal]
            match = [{ at = "a..b", is = "x" }]
            [stream.data]
            match = [{ at = "p" }]
            rows = "$"
            row = "$"
            key = "s"
            time_unit = "none"
        "#;
        let error = super::super::Preset::parse("mine", &format!("{VENUE}{stream}")).unwrap_err();
        let count = |path: &str| error.problems.iter().filter(|problem| problem.path == path).count();
        for (path, expected) in [
            ("stream.hosts", 2),
            // No slash in front, and a token that nobody asks for.
            ("stream.path", 2),
            ("stream.encoding", 1),
            ("stream.messages", 1),
            ("stream.write_every", 1),
            ("stream.life", 1),
            ("stream.message_max_bytes", 1),
            ("stream.cross_check", 1),
            ("stream.topic", 1),
            // The path names the markets already.
            ("stream.subscribe", 1),
            ("stream.subscribe.text", 1),
            ("stream.subscribe.each", 1),
            ("stream.subscribe.replaces", 2),
            ("stream.ping.every", 1),
            ("stream.ack.match", 1),
            ("stream.ack.channel", 1),
            ("stream.refusal.match", 1),
            ("stream.data.match", 1),
            ("stream.data.rows", 1),
        ] {
            assert_eq!(count(path), expected, "{path} in {error}");
        }
    }
}
