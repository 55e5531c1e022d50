//! The venues' WebSockets: the same markets, pushed in each venue's own protocol, as strictly as the venue itself.
//!
//! What an exchange's documentation forbids is refused here as it is refused there: a frame that names an unknown
//! market, too many messages, a subscription that comes too late, a missing ping. A liquid market never rests, so
//! every subscribed one is pushed four times a second even if its price stands still.

mod binance;
mod bitfinex;
mod bitget;
mod bitstamp;
mod bybit;
mod coinbase;
mod crypto_com;
mod fault;
mod gate;
mod gemini;
mod htx;
mod kraken;
mod kucoin;
mod mexc;
mod okx;
mod state;
mod upbit;

use std::io::Write as _;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::{Error, Message};

pub use fault::StreamFault;
pub(super) use state::Connections;
use state::Recent;

use super::desk::Desk;
use super::limits::Sockets;
use super::market::Market;
use super::pair::{Pair, Venue};
use super::row::Row;
use crate::json::Json;
use crate::loopback::{self, WebSocket};

/// Time between two messages about a market.
const PUSH: Duration = Duration::from_millis(250);
/// Time between two heartbeats.
const BEAT: Duration = Duration::from_secs(1);

/// How deep [`StreamFault::Deep`] nests.
const NESTED_LISTS: usize = 100_000;
/// Length of a frame that drips, below the limit of every client.
const NEVER_WHOLE: u64 = 60_000;

/// What a venue says after a message of the client.
#[derive(Debug)]
enum Said {
    /// What became of a request.
    Control(Json),
    /// The answer to a ping of the venue's protocol.
    Pong(String),
    /// A sign of life that nobody asked for.
    Beat(Json),
    /// It closes the connection.
    Goodbye,
}

/// A venue's protocol on one connection.
trait Protocol: Send {
    /// What it says unasked.
    fn greeting(&self) -> Vec<Said> {
        Vec::new()
    }

    /// Its answers to a message.
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said>;

    /// The markets that are subscribed to.
    fn subscribed(&self) -> &[Pair];

    /// The message about a market. `sequence` grows by one with each message of the connection.
    fn data(&self, row: &Row, sequence: u64) -> Json;

    /// How it puts a message on the wire.
    fn wire(&self, text: String) -> Message {
        Message::text(text)
    }

    /// The same for a message about a market.
    fn wire_data(&self, data: &Json) -> Message {
        self.wire(data.to_string())
    }

    /// What it says every second, however quiet the markets are.
    fn beat(&mut self) -> Vec<Said> {
        Vec::new()
    }

    /// What it says to a request that names more than `max` markets, where that is refused whole.
    fn too_many(&self, _message: &str, _max: usize) -> Option<Vec<Said>> {
        None
    }

    /// Whether a message is one of those that the venue counts.
    fn counts(&self, _message: &str) -> bool {
        true
    }

    /// What it says to one message too many; most end the connection.
    fn too_often(&self) -> Vec<Said> {
        vec![Said::Goodbye]
    }

    /// What it says once more than `max` markets are subscribed to; most end the connection.
    fn too_many_markets(&self, _max: usize) -> Vec<Said> {
        vec![Said::Goodbye]
    }

    /// The message that asks for a new connection, where the venue has one.
    fn reconnect(&self) -> Option<Json> {
        None
    }

    /// A connection that has subscribed to nothing by then is closed.
    fn subscribe_within(&self) -> Option<Duration> {
        None
    }

    /// A connection that has said nothing for so long is closed.
    fn silence_max(&self) -> Option<Duration> {
        None
    }
}

/// The protocol that a venue speaks under a path; nothing is spoken under any other.
fn protocol(market: &Market, venue: Venue, path: &str, query: &str) -> Option<Box<dyn Protocol>> {
    match (venue, path) {
        (Venue::Coinbase, "/") => Some(Box::<coinbase::Protocol>::default()),
        (Venue::Kraken, "/v2") => Some(Box::<kraken::Protocol>::default()),
        (Venue::Binance | Venue::BinanceUs, "/stream") => Some(Box::<binance::Protocol>::default()),
        (Venue::Bitstamp, "/") => Some(Box::<bitstamp::Protocol>::default()),
        (Venue::Okx, "/ws/v5/public") => Some(Box::<okx::Protocol>::default()),
        (Venue::Bybit, "/v5/public/spot") => Some(Box::<bybit::Protocol>::default()),
        (Venue::Bitget, "/v2/ws/public") => Some(Box::<bitget::Protocol>::default()),
        (Venue::Gate, "/ws/v4/") => Some(Box::<gate::Protocol>::default()),
        (Venue::CryptoCom, "/exchange/v1/market") => Some(Box::<crypto_com::Protocol>::default()),
        (Venue::Upbit, "/websocket/v1") => Some(Box::<upbit::Protocol>::default()),
        (Venue::Bitfinex, "/ws/2") => Some(Box::<bitfinex::Protocol>::default()),
        (Venue::Kucoin, "/") => {
            let is_admitted = market.redeem_token(parameter(query, "token"));
            Some(Box::new(kucoin::Protocol::new(is_admitted)))
        }
        (Venue::Htx, "/ws") => Some(Box::<htx::Protocol>::default()),
        (Venue::Gemini, "/v1/multimarketdata") => {
            let protocol = gemini::Protocol::new(query, &market.stream_desk(venue))?;
            Some(Box::new(protocol))
        }
        (Venue::Mexc, "/ws") => Some(Box::<mexc::Protocol>::default()),
        _ => None,
    }
}

/// Answers a request for a WebSocket.
pub(super) fn open(market: &Market, venue: Venue, path: &str, request: Request) -> Response {
    let faults = market.stream_faults(venue);
    for fault in &faults {
        if let StreamFault::Refused { status } = fault {
            return StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE).into_response();
        }
    }
    let Ok(limits) = market.admit(venue) else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    let query = request.uri().query().unwrap_or_default();
    let Some(protocol) = protocol(market, venue, path, query) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let market = market.clone();
    loopback::web_socket(request, move |socket| async move {
        market.connected(venue, true);
        // A client that leaves in the middle of a message is none of our business.
        let _left = Conversation {
            market: &market,
            venue,
            protocol,
            socket,
            limits,
            recent: Recent::default(),
            said_bytes: 0,
            sequence: 0,
            is_dripping: false,
            last: None,
        }
        .hold()
        .await;
        market.connected(venue, false);
    })
}

struct Conversation<'a> {
    market: &'a Market,
    venue: Venue,
    protocol: Box<dyn Protocol>,
    socket: WebSocket,
    /// What the venue allows on a connection, and how many times shorter its periods are.
    limits: Option<(Sockets, u64)>,
    /// The client's last messages.
    recent: Recent,
    /// Length of all of them.
    said_bytes: usize,
    sequence: u64,
    /// A frame has begun that never ends.
    is_dripping: bool,
    /// The last message that was pushed, for those who repeat themselves.
    last: Option<Message>,
}

impl Conversation<'_> {
    async fn hold(mut self) -> Result<(), Error> {
        let opened = Instant::now();
        let mut heard = opened;
        let mut has_asked = false;
        let ticking = |period| {
            let mut timer = interval(period);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        };
        let (mut push, mut beat) = (ticking(PUSH), ticking(BEAT));
        let greeting = self.protocol.greeting();
        if !self.utter(greeting).await? {
            return self.socket.close(None).await;
        }
        loop {
            tokio::select! {
                message = self.socket.next() => {
                    let Some(message) = message else { return Ok(()) };
                    match message? {
                        Message::Text(text) => {
                            heard = Instant::now();
                            self.market.heard(self.venue, &text);
                            let desk = self.market.stream_desk(self.venue);
                            let said = self.exceeded(&text).or_else(|| self.refused(&text));
                            let before = self.protocol.subscribed().len();
                            let said = said.unwrap_or_else(|| self.protocol.hear(&text, &desk));
                            let max = self.markets_max();
                            let said = match self.protocol.subscribed().len() {
                                after if after > max.max(before) => self.protocol.too_many_markets(max),
                                _ => said,
                            };
                            if !self.utter(said).await? {
                                return self.socket.close(None).await;
                            }
                        }
                        Message::Close(_) => return Ok(()),
                        Message::Ping(_) | Message::Pong(_) if self.counts_pings() && !self.admits() => {
                            return self.socket.close(None).await;
                        }
                        // The library answers pings, whatever the faults say: they are the operating system's.
                        _ => {}
                    }
                }
                _ = push.tick() => {
                    let faults = self.market.stream_faults(self.venue);
                    let within = self.protocol.subscribe_within();
                    let late = within.is_some_and(|within| opened.elapsed() > within);
                    let silence = faults.iter().find_map(StreamFault::silence).or(self.protocol.silence_max());
                    if (late && self.protocol.subscribed().is_empty())
                        || silence.is_some_and(|max| heard.elapsed() > max)
                        || faults.contains(&StreamFault::Cut)
                    {
                        // Without a word, as venues do.
                        return Ok(());
                    }
                    if faults.contains(&StreamFault::AsksReconnect) && !has_asked {
                        has_asked = true;
                        if let Some(request) = self.protocol.reconnect() {
                            self.say(request.to_string()).await?;
                        }
                    }
                    self.push(&faults).await?;
                }
                _ = beat.tick() => {
                    let said = self.protocol.beat();
                    if !self.utter(said).await? {
                        return self.socket.close(None).await;
                    }
                }
            }
        }
    }

    fn markets_max(&self) -> usize {
        self.limits.as_ref().map_or(usize::MAX, |(limits, _)| limits.markets_max)
    }

    fn counts_pings(&self) -> bool {
        self.limits.as_ref().is_some_and(|(limits, _)| limits.counts_pings)
    }

    /// Whether one more message is within what the venue allows.
    fn admits(&mut self) -> bool {
        self.limits.as_ref().is_none_or(|(limits, speed)| self.recent.admits(limits.messages, *speed))
    }

    /// What the venue says to a message that is too long, or one too many.
    fn exceeded(&mut self, message: &str) -> Option<Vec<Said>> {
        let limits = &self.limits.as_ref()?.0;
        self.said_bytes = self.said_bytes.saturating_add(message.len());
        if message.len() > limits.message_max_bytes || self.said_bytes > limits.said_max_bytes {
            return Some(vec![Said::Goodbye]);
        }
        let counts = self.protocol.counts(message);
        (counts && !self.admits()).then(|| self.protocol.too_often())
    }

    /// What the venue says to a request for more markets than it takes at the moment.
    fn refused(&self, message: &str) -> Option<Vec<Said>> {
        let faults = self.market.stream_faults(self.venue);
        self.protocol.too_many(message, faults.iter().find_map(StreamFault::frame_max)?)
    }

    async fn say(&mut self, text: String) -> Result<(), Error> {
        let message = self.protocol.wire(text);
        self.socket.send(message).await
    }

    /// The head of a text frame (RFC 6455, section 5.2), with its length in 64 bits.
    async fn announce(&mut self, bytes: u64) -> Result<(), Error> {
        let mut head = vec![0x81, 127];
        head.extend(bytes.to_be_bytes());
        self.raw(&head).await
    }

    /// Bytes that are no whole frame.
    async fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let stream = self.socket.get_mut();
        stream.write_all(bytes).await?;
        Ok(stream.flush().await?)
    }

    /// Says what the faults let through; tells whether the connection goes on.
    async fn utter(&mut self, said: Vec<Said>) -> Result<bool, Error> {
        let faults = self.market.stream_faults(self.venue);
        for said in said {
            let (text, kept_back) = match said {
                Said::Goodbye => return Ok(false),
                Said::Control(json) => (json.to_string(), faults.contains(&StreamFault::NoAck)),
                Said::Pong(text) => (text, faults.contains(&StreamFault::NoPong)),
                Said::Beat(json) => (json.to_string(), false),
            };
            if !kept_back && !faults.contains(&StreamFault::Mute) {
                self.say(text).await?;
            }
        }
        Ok(true)
    }

    async fn push(&mut self, faults: &[StreamFault]) -> Result<(), Error> {
        if faults.iter().any(|fault| matches!(fault, StreamFault::Silent | StreamFault::Mute)) {
            return Ok(());
        }
        let desk = self.market.stream_desk(self.venue);
        let is_silent = |pair: &Pair| {
            faults.iter().any(
                |fault| matches!(fault, StreamFault::SilentMarket { pair: of } if *of == pair.to_string()),
            )
        };
        // What is more than it takes it does not push, whether or not it has said so.
        let markets = self.protocol.subscribed().iter().take(self.markets_max());
        let markets: Vec<_> = markets.collect();
        let rows = desk.all().into_iter().filter(|row| markets.contains(&&row.pair));
        let rows: Vec<Row> = rows.filter(|row| !is_silent(&row.pair)).cloned().collect();
        for row in rows {
            self.sequence += 1;
            if faults.contains(&StreamFault::Gaps) && self.sequence.is_multiple_of(3) {
                continue;
            }
            let message = self.protocol.wire_data(&self.protocol.data(&row, self.sequence));
            for fault in faults {
                match fault {
                    StreamFault::Garbage => return self.say("{\"no json\":".to_owned()).await,
                    StreamFault::Announced { bytes } => return self.announce(*bytes).await,
                    StreamFault::Drip if self.is_dripping => return self.raw(b" ").await,
                    StreamFault::Drip => {
                        self.is_dripping = true;
                        return self.announce(NEVER_WHOLE).await;
                    }
                    StreamFault::Deep { messages } => {
                        for _ in 0..*messages {
                            self.say("[".repeat(NESTED_LISTS)).await?;
                        }
                        return Ok(());
                    }
                    StreamFault::Oversized { bytes } => return self.say(" ".repeat(*bytes)).await,
                    StreamFault::Bomb { bytes } => {
                        return self.socket.send(Message::binary(gzip(&" ".repeat(*bytes)))).await;
                    }
                    _ => {}
                }
            }
            self.market.serve(std::slice::from_ref(&row), 0);
            self.socket.send(message.clone()).await?;
            if faults.contains(&StreamFault::Duplicates) {
                self.socket.send(message.clone()).await?;
            }
            if let (true, Some(last)) = (faults.contains(&StreamFault::Reordered), self.last.take()) {
                self.socket.send(last).await?;
            }
            self.last = Some(message);
        }
        Ok(())
    }
}

/// The markets that a client names, or the name that nobody knows.
fn pairs(desk: &Desk, names: &[String], name: impl Fn(&Pair) -> String) -> Result<Vec<Pair>, String> {
    let find = |wanted: &String| desk.pair(|pair| name(pair) == *wanted).ok_or_else(|| wanted.clone());
    names.iter().map(find).collect()
}

/// Adds what is new.
fn add(subscribed: &mut Vec<Pair>, pairs: impl IntoIterator<Item = Pair>) {
    for pair in pairs {
        if !subscribed.contains(&pair) {
            subscribed.push(pair);
        }
    }
}

/// What a query says of a name. Nothing here needs an escape.
fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

/// Packed as venues pack their frames.
pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // A list in memory takes everything.
    let written = packed.write_all(text.as_bytes()).and_then(|()| packed.finish());
    written.unwrap_or_default()
}

/// What stands at a place (a JSON pointer); null if nothing does.
fn at<'a>(message: &'a Value, pointer: &str) -> &'a Value {
    message.pointer(pointer).unwrap_or(&Value::Null)
}

/// The texts of a JSON list; nothing if one of them is none.
fn texts(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests;
