//! Crypto.com Exchange, WebSocket v1: a heartbeat whose number has to be repeated within five seconds, and requests that
//! one unknown channel spoils.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Said, add, at, pairs, texts};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::crypto_com::{symbol, ticker};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

/// A heartbeat that is not answered for so long ends the connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
    /// Heartbeats that were not answered, with their numbers. The venue sends one every 30 s; here they come sooner, so
    /// that who does not answer is found out soon.
    asked: Vec<(i64, Instant)>,
}

fn channel(pair: &Pair) -> String {
    format!("ticker.{}", symbol(pair))
}

fn answer(id: &Value, code: u32, message: Option<String>) -> Vec<Said> {
    let mut fields = vec![("id", number(id.as_i64().unwrap_or(-1))), ("method", text("subscribe"))];
    fields.push(("code", number(code)));
    fields.extend(message.map(|message| ("message", text(message))));
    vec![Said::Control(object(fields))]
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let id = at(&message, "/id");
        match (at(&message, "/method").as_str(), texts(at(&message, "/params/channels"))) {
            (Some("public/respond-heartbeat"), _) => {
                self.asked.retain(|(number, _)| Some(*number) != id.as_i64());
                Vec::new()
            }
            (Some("subscribe"), Some(channels)) => match pairs(desk, &channels, channel) {
                Ok(found) => {
                    add(&mut self.subscribed, found);
                    answer(id, 0, None)
                }
                Err(unknown) => {
                    let named = object([("channels", Json::List(vec![text(unknown)]))]);
                    answer(id, 10_004, Some(format!("invalid channel {named}")))
                }
            },
            _ => answer(id, 10_004, Some("BAD_REQUEST".into())),
        }
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let result = object([
            ("instrument_name", text(symbol(&row.pair))),
            ("subscription", text(channel(&row.pair))),
            ("channel", text("ticker")),
            ("data", Json::List(vec![ticker(row)])),
        ]);
        object([("id", number(-1)), ("method", text("subscribe")), ("code", number(0)), ("result", result)])
    }

    fn beat(&mut self) -> Vec<Said> {
        if self.asked.iter().any(|(_, since)| since.elapsed() > ANSWER_WITHIN) {
            return vec![Said::Goodbye];
        }
        let id = clock::now_ms();
        self.asked.push((id, Instant::now()));
        let fields = [("id", number(id)), ("method", text("public/heartbeat")), ("code", number(0))];
        vec![Said::Beat(object(fields))]
    }
}
