//! The venues' WebSockets: the same markets, pushed in each venue's own protocol, as strictly as the venue itself.
//!
//! What an exchange's documentation forbids is refused here as it is refused there: a frame that names an unknown
//! market, too many messages, a subscription that comes too late, a missing ping. A liquid market never rests, so
//! every subscribed one is pushed four times a second even if its price stands still.

mod binance;
mod bitstamp;
mod coinbase;
mod fault;
mod kraken;
mod okx;
mod state;

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::{Error, Message};

pub use fault::StreamFault;
pub(super) use state::Connections;

use super::desk::Desk;
use super::market::Market;
use super::pair::{Pair, Venue};
use super::row::Row;
use crate::json::Json;
use crate::loopback::{self, WebSocket};

/// Time between two messages about a market.
const PUSH: Duration = Duration::from_millis(250);
/// Time between two heartbeats.
const BEAT: Duration = Duration::from_secs(1);

/// What a venue says after a message of the client.
#[derive(Debug)]
enum Said {
    /// A message that is not data.
    Control(Json),
    /// The same, in a venue that does not write JSON for it.
    Text(&'static str),
    /// It closes the connection.
    Goodbye,
}

/// A venue's protocol on one connection.
trait Protocol: Send {
    /// What it says unasked.
    fn greeting(&self) -> Vec<Json> {
        Vec::new()
    }

    /// Its answers to a message.
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said>;

    /// The markets that are subscribed to.
    fn subscribed(&self) -> &[Pair];

    /// The message about a market. `sequence` grows by one with each message of the connection.
    fn data(&self, row: &Row, sequence: u64) -> Json;

    /// What it says every second, however quiet the markets are.
    fn heartbeat(&self) -> Vec<Json> {
        Vec::new()
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
fn protocol(venue: Venue, path: &str) -> Option<Box<dyn Protocol>> {
    match (venue, path) {
        (Venue::Coinbase, "/") => Some(Box::<coinbase::Protocol>::default()),
        (Venue::Kraken, "/v2") => Some(Box::<kraken::Protocol>::default()),
        (Venue::Binance, "/stream") => Some(Box::<binance::Protocol>::default()),
        (Venue::Bitstamp, "/") => Some(Box::<bitstamp::Protocol>::default()),
        (Venue::Okx, "/ws/v5/public") => Some(Box::<okx::Protocol>::default()),
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
    let Some(protocol) = protocol(venue, path) else { return StatusCode::NOT_FOUND.into_response() };
    let market = market.clone();
    loopback::web_socket(request, move |socket| async move {
        market.connected(venue, true);
        // A client that leaves in the middle of a message is none of our business.
        let _left =
            Conversation { market: &market, venue, protocol, socket, sequence: 0, last: None }.hold().await;
        market.connected(venue, false);
    })
}

struct Conversation<'a> {
    market: &'a Market,
    venue: Venue,
    protocol: Box<dyn Protocol>,
    socket: WebSocket,
    sequence: u64,
    /// The last message that was pushed, for those who repeat themselves.
    last: Option<String>,
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
        for greeting in self.protocol.greeting() {
            self.say(greeting.to_string()).await?;
        }
        loop {
            tokio::select! {
                message = self.socket.next() => {
                    let Some(message) = message else { return Ok(()) };
                    match message? {
                        Message::Text(text) => {
                            heard = Instant::now();
                            if !self.answer(&text).await? {
                                return self.socket.close(None).await;
                            }
                        }
                        Message::Close(_) => return Ok(()),
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
                    if !self.is(&StreamFault::Mute) {
                        for heartbeat in self.protocol.heartbeat() {
                            self.say(heartbeat.to_string()).await?;
                        }
                    }
                }
            }
        }
    }

    fn is(&self, fault: &StreamFault) -> bool {
        self.market.stream_faults(self.venue).contains(fault)
    }

    async fn say(&mut self, text: String) -> Result<(), Error> {
        self.socket.send(Message::text(text)).await
    }

    /// Answers a message; says whether the connection goes on.
    async fn answer(&mut self, message: &str) -> Result<bool, Error> {
        let faults = self.market.stream_faults(self.venue);
        self.market.heard(self.venue, message);
        let desk = self.market.stream_desk(self.venue);
        for said in self.protocol.hear(message, &desk) {
            let text = match said {
                Said::Goodbye => return Ok(false),
                Said::Control(json) => json.to_string(),
                Said::Text(text) => text.to_owned(),
            };
            let is_pong = text == "pong" || text.contains("\"pong\"") || text.contains("bts:heartbeat");
            let kept_back = faults.contains(&StreamFault::Mute)
                || (is_pong && faults.contains(&StreamFault::NoPong))
                || (!is_pong && faults.contains(&StreamFault::NoAck));
            if !kept_back {
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
        let rows = desk.all().into_iter().filter(|row| self.protocol.subscribed().contains(&row.pair));
        let rows: Vec<Row> = rows.filter(|row| !is_silent(&row.pair)).cloned().collect();
        for row in rows {
            self.sequence += 1;
            if faults.contains(&StreamFault::Gaps) && self.sequence.is_multiple_of(3) {
                continue;
            }
            let text = self.protocol.data(&row, self.sequence).to_string();
            for fault in faults {
                match fault {
                    StreamFault::Garbage => return self.say("{\"no json\":".to_owned()).await,
                    StreamFault::Oversized { bytes } => return self.say(" ".repeat(*bytes)).await,
                    _ => {}
                }
            }
            self.market.serve(std::slice::from_ref(&row), 0);
            self.say(text.clone()).await?;
            if faults.contains(&StreamFault::Duplicates) {
                self.say(text.clone()).await?;
            }
            if let (true, Some(last)) = (faults.contains(&StreamFault::Reordered), self.last.take()) {
                self.say(last).await?;
            }
            self.last = Some(text);
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
