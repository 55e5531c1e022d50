//! Gate, WebSocket v4: a request that holds one unknown market is refused whole.

use serde_json::Value;

use super::{Said, add, at, pairs, texts};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::gate::{symbol, ticker};
use crate::venues::pair::Pair;
use crate::venues::row::Row;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

/// What every message begins with.
fn envelope(time_ms: i64, channel: &str, event: &str) -> Vec<(&'static str, Json)> {
    vec![
        ("time", number(time_ms.div_euclid(1_000))),
        ("time_ms", number(time_ms)),
        ("channel", text(channel)),
        ("event", text(event)),
    ]
}

/// The answer to a request, with its number if it has one.
fn answer(id: &Value, channel: &str, rest: impl IntoIterator<Item = (&'static str, Json)>) -> Said {
    let mut fields = envelope(clock::now_ms(), channel, "subscribe");
    fields.extend(id.as_u64().map(|id| ("id", number(id))));
    fields.extend(rest);
    Said::Control(object(fields))
}

fn error(id: &Value, channel: &str, code: u32, message: String) -> Vec<Said> {
    let error = object([("code", number(code)), ("message", text(message))]);
    vec![answer(id, channel, [("error", error), ("result", Json::Null)])]
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let (id, channel) = (at(&message, "/id"), at(&message, "/channel").as_str().unwrap_or_default());
        if at(&message, "/time").as_i64().is_none() {
            return error(id, channel, 1, "invalid argument struct".into());
        }
        match (channel, at(&message, "/event").as_str(), texts(at(&message, "/payload"))) {
            ("spot.ping", ..) => {
                let fields = envelope(clock::now_ms(), "spot.pong", "").into_iter();
                vec![Said::Pong(object(fields.chain([("result", Json::Null)])).to_string())]
            }
            ("spot.tickers", Some("subscribe"), Some(names)) => match pairs(desk, &names, symbol) {
                Ok(found) => {
                    add(&mut self.subscribed, found);
                    let payload = Json::List(names.iter().map(text).collect());
                    let result = object([("status", text("success"))]);
                    vec![answer(id, channel, [("payload", payload), ("result", result)])]
                }
                Err(unknown) => error(id, channel, 2, format!("unknown currency pair: {unknown}")),
            },
            _ => error(id, channel, 1, "invalid argument struct".into()),
        }
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let fields = envelope(row.time_ms, "spot.tickers", "update").into_iter();
        object(fields.chain([("result", ticker(row))]))
    }
}
