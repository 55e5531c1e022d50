//! Bybit, WebSocket v5: ten topics a request at most, a request that holds one unknown topic is refused whole, and a ping
//! has to come every 20 s.

use std::time::Duration;

use serde_json::Value;

use super::{Said, add, at, pairs, texts};
use crate::json::{Json, number, object, text};
use crate::venues::bybit::{symbol, ticker};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Topics of one request, spot.
const TOPICS_MAX: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn topic(pair: &Pair) -> String {
    format!("tickers.{}", symbol(pair))
}

fn answer(success: bool, message: &str, id: &Value, op: &str) -> Json {
    let mut fields = vec![
        ("success", Json::Bool(success)),
        ("ret_msg", text(message)),
        ("conn_id", text("2324d924-aa4d-45b0-a858-7b8be29ab52b")),
    ];
    fields.extend(id.as_str().map(|id| ("req_id", text(id))));
    fields.push(("op", text(op)));
    object(fields)
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let id = at(&message, "/req_id");
        let refused = |why: &str| vec![Said::Control(answer(false, why, id, "subscribe"))];
        match (at(&message, "/op").as_str(), texts(at(&message, "/args"))) {
            (Some("ping"), _) => vec![Said::Pong(answer(true, "pong", id, "ping").to_string())],
            (Some("subscribe"), Some(topics)) if topics.len() > TOPICS_MAX => refused("args size >10"),
            (Some("subscribe"), Some(topics)) => match pairs(desk, &topics, topic) {
                Ok(found) => {
                    add(&mut self.subscribed, found);
                    vec![Said::Control(answer(true, "subscribe", id, "subscribe"))]
                }
                Err(unknown) => refused(&format!("error:handler not found,topic:{unknown}")),
            },
            _ => refused("error:request format invalid"),
        }
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, sequence: u64) -> Json {
        // The stream's ticker has no book.
        let mut ticker = ticker(row);
        if let Json::Object(fields) = &mut ticker {
            fields.retain(|(key, _)| !key.starts_with("bid1") && !key.starts_with("ask1"));
        }
        object([
            ("topic", text(topic(&row.pair))),
            ("ts", number(row.time_ms)),
            ("type", text("snapshot")),
            ("cs", number(2_588_407_389_u64 + sequence)),
            ("data", ticker),
        ])
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(SILENCE_MAX)
    }
}
