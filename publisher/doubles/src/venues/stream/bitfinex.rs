//! Bitfinex, WebSocket v2: one market a request and 25 a connection, and rows that are known by the channel's number alone.

use serde_json::Value;

use super::{Said, at};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::bitfinex::{symbol, ticker};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

/// Channels that a connection may have.
const CHANNELS_MAX: usize = 25;
/// The first channel's number; the others follow.
const FIRST: usize = 224_555;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    /// In the order of their channels' numbers.
    subscribed: Vec<Pair>,
}

fn error(code: u32, message: &str, symbol: &str) -> Vec<Said> {
    let fields = [
        ("channel", text("ticker")),
        ("symbol", text(symbol)),
        ("event", text("error")),
        ("msg", text(message)),
        ("code", number(code)),
    ];
    vec![Said::Control(object(fields))]
}

impl Protocol {
    fn channel(&self, pair: &Pair) -> Json {
        let at = self.subscribed.iter().position(|one| one == pair).unwrap_or_default();
        number(FIRST + at)
    }
}

impl super::Protocol for Protocol {
    fn greeting(&self) -> Vec<Said> {
        let platform = object([("status", number(1))]);
        let server = text("4b7d6a1f-7d3c-4a8e-9d57-3b0d5f1a2c33");
        let fields =
            [("event", text("info")), ("version", number(2)), ("serverId", server), ("platform", platform)];
        vec![Said::Beat(object(fields))]
    }

    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let name = at(&message, "/symbol").as_str().unwrap_or_default();
        match at(&message, "/event").as_str() {
            Some("ping") => {
                let cid = at(&message, "/cid").as_i64().map(|cid| ("cid", number(cid)));
                let fields = [("event", text("pong")), ("ts", number(clock::now_ms()))];
                return vec![Said::Pong(object(fields.into_iter().chain(cid)).to_string())];
            }
            Some("subscribe") if at(&message, "/channel") == "ticker" => {}
            _ => return error(10_000, "unknown event or channel", name),
        }
        let Some(pair) = desk.pair(|pair| symbol(pair) == name) else {
            return error(10_300, "symbol: invalid", name);
        };
        if self.subscribed.contains(&pair) {
            return error(10_301, "subscribe: dup", name);
        }
        if self.subscribed.len() == CHANNELS_MAX {
            return error(10_305, "channels: limit reached", name);
        }
        self.subscribed.push(pair.clone());
        let fields = [
            ("event", text("subscribed")),
            ("channel", text("ticker")),
            ("chanId", self.channel(&pair)),
            ("symbol", text(name)),
            ("pair", text(name.trim_start_matches('t'))),
        ];
        vec![Said::Control(object(fields))]
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        // The row of the HTTP interface without the symbol, which nobody repeats here.
        let mut places = ticker(row);
        if let Json::List(places) = &mut places {
            places.remove(0);
        }
        Json::List(vec![self.channel(&row.pair), places])
    }

    fn beat(&mut self) -> Vec<Said> {
        let beat = |pair: &Pair| Said::Beat(Json::List(vec![self.channel(pair), text("hb")]));
        self.subscribed.iter().map(beat).collect()
    }

    fn reconnect(&self) -> Option<Json> {
        let words = text("Stop/Restart Websocket Server (please reconnect)");
        Some(object([("event", text("info")), ("code", number(20_051)), ("msg", words)]))
    }
}
