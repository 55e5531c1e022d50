//! Bitstamp, WebSocket v2: one channel for each message, a book instead of a ticker, and a request to connect anew that
//! has to be obeyed.

use serde_json::Value;

use super::{Said, add, at};
use crate::json::{Json, object, text};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn channel(pair: &Pair) -> String {
    format!("order_book_{}{}", pair.base, pair.quote).to_lowercase()
}

fn event(name: &str, channel: &str, data: Json) -> Json {
    object([("event", text(name)), ("channel", text(channel)), ("data", data)])
}

fn error(message: &str) -> Vec<Said> {
    let data = object([("code", Json::Null), ("message", text(message))]);
    vec![Said::Control(event("bts:error", "", data))]
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let Ok(message) = serde_json::from_str::<Value>(message) else {
            return error("Incorrect JSON format.");
        };
        match at(&message, "/event").as_str() {
            Some("bts:heartbeat") => {
                let data = object([("status", text("success"))]);
                vec![Said::Pong(event("bts:heartbeat", "", data).to_string())]
            }
            Some("bts:subscribe") => {
                let name = at(&message, "/data/channel").as_str().unwrap_or_default();
                let Some(pair) = desk.pair(|pair| channel(pair) == name) else {
                    return error("Bad subscription string.");
                };
                add(&mut self.subscribed, [pair]);
                let data = object::<&str>([]);
                vec![Said::Control(event("bts:subscription_succeeded", name, data))]
            }
            _ => error("Bad event."),
        }
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let level = |value, amount: &str| Json::List(vec![row.price(value, 0), text(amount)]);
        let side = |best, further| Json::List(vec![level(best, "0.25000000"), level(further, "1.50000000")]);
        let data = object([
            ("timestamp".into(), text(row.time_ms.div_euclid(1_000))),
            ("microtimestamp".into(), text(format!("{}000", row.time_ms))),
            (row.key("bids"), side(row.bid, row.near(-1))),
            (row.key("asks"), side(row.ask, row.near(1))),
        ]);
        event("data", &channel(&row.pair), data)
    }

    fn reconnect(&self) -> Option<Json> {
        Some(event("bts:request_reconnect", "", text("")))
    }
}
