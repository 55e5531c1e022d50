//! HTX: every frame is packed with gzip, a request takes one market, and a ping has to be answered with its number.

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{Said, add, at, gzip};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::htx::{symbol, ticker};
use crate::venues::pair::Pair;
use crate::venues::row::Row;

/// Seconds between two pings; a connection that leaves two of them unanswered is closed.
const PING_S: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
    beats: u32,
    /// Numbers of pings that were not answered.
    asked: Vec<i64>,
}

fn topic(pair: &Pair) -> String {
    format!("market.{}.ticker", symbol(pair))
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        if let Some(pong) = at(&message, "/pong").as_i64() {
            self.asked.retain(|asked| *asked != pong);
            return Vec::new();
        }
        let name = at(&message, "/sub").as_str().unwrap_or_default();
        let mut fields: Vec<_> =
            at(&message, "/id").as_str().map(|id| ("id", text(id))).into_iter().collect();
        match desk.pair(|pair| topic(pair) == name) {
            Some(pair) => {
                add(&mut self.subscribed, [pair]);
                fields.extend([("status", text("ok")), ("subbed", text(name))]);
            }
            None => fields.extend([
                ("status", text("error")),
                ("err-code", text("bad-request")),
                ("err-msg", text(format!("invalid topic {name}"))),
            ]),
        }
        fields.push(("ts", number(clock::now_ms())));
        vec![Said::Control(object(fields))]
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        // The row of the HTTP interface without the symbol, which the channel says.
        let mut tick = ticker(row);
        if let Json::Object(fields) = &mut tick {
            fields.retain(|(key, _)| key != "symbol");
        }
        object([("ch", text(topic(&row.pair))), ("ts", number(row.time_ms)), ("tick", tick)])
    }

    fn wire(&self, text: String) -> Message {
        Message::binary(gzip(&text))
    }

    fn beat(&mut self) -> Vec<Said> {
        self.beats += 1;
        if !self.beats.is_multiple_of(PING_S) {
            return Vec::new();
        }
        if self.asked.len() > 1 {
            return vec![Said::Goodbye];
        }
        let ping = clock::now_ms();
        self.asked.push(ping);
        vec![Said::Beat(object([("ping", number(ping))]))]
    }
}
