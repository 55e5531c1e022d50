//! KuCoin: a token for each connection, symbols in a list behind the topic, and requests that are refused whole.

use std::time::Duration;

use serde_json::Value;

use super::{Said, add, at, pairs};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::kucoin::symbol;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

/// A ping is expected every 18 s, and 10 s later at the latest.
const SILENCE_MAX: Duration = Duration::from_secs(28);
/// Symbols that one request may name.
const SYMBOLS_MAX: usize = 100;
const TOPIC: &str = "/market/ticker:";

#[derive(Debug)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
    /// The token was a fresh one.
    is_admitted: bool,
}

impl Protocol {
    pub(super) fn new(is_admitted: bool) -> Self {
        Self { subscribed: Vec::new(), is_admitted }
    }
}

fn error(id: &Value, code: u32, why: String) -> Said {
    let fields = [
        ("id", text(id.as_str().unwrap_or_default())),
        ("type", text("error")),
        ("code", number(code)),
        // A text, where other messages have an object.
        ("data", text(why)),
    ];
    Said::Control(object(fields))
}

fn names(message: &Value) -> Vec<String> {
    let list = at(message, "/topic").as_str().and_then(|topic| topic.strip_prefix(TOPIC)).unwrap_or_default();
    list.split(',').map(str::to_owned).collect()
}

impl super::Protocol for Protocol {
    fn greeting(&self) -> Vec<Said> {
        if !self.is_admitted {
            return vec![error(&Value::Null, 401, "token is invalid".into()), Said::Goodbye];
        }
        vec![Said::Beat(object([("id", text("hQvf8jkno")), ("type", text("welcome"))]))]
    }

    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        if let Some(refused) = self.too_many(message, SYMBOLS_MAX) {
            return refused;
        }
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let id = at(&message, "/id");
        let answer = |kind: &str| vec![("id", text(id.as_str().unwrap_or_default())), ("type", text(kind))];
        match at(&message, "/type").as_str() {
            Some("ping") => {
                let time = [("timestamp", number(clock::now_ms()))];
                vec![Said::Pong(object(answer("pong").into_iter().chain(time)).to_string())]
            }
            Some("subscribe") => match pairs(desk, &names(&message), symbol) {
                Ok(found) => {
                    add(&mut self.subscribed, found);
                    let is_wanted = at(&message, "/response") == true;
                    is_wanted.then(|| Said::Control(object(answer("ack")))).into_iter().collect()
                }
                Err(unknown) => vec![error(id, 404, format!("topic {TOPIC}{unknown} is not found"))],
            },
            _ => vec![error(id, 415, "type is not supported".into())],
        }
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, sequence: u64) -> Json {
        let price = |value| row.price(value, 0);
        let data = object([
            (row.key("bestAsk"), price(row.ask)),
            ("bestAskSize".into(), text("1.92")),
            (row.key("bestBid"), price(row.bid)),
            ("bestBidSize".into(), text("0.01")),
            (row.key("price"), price(row.last)),
            ("sequence".into(), text(14_610_502_970_u64 + sequence)),
            ("size".into(), text("0.00004")),
            ("time".into(), number(row.time_ms)),
        ]);
        object([
            ("type", text("message")),
            ("topic", text(format!("{TOPIC}{}", symbol(&row.pair)))),
            ("subject", text("trade.ticker")),
            ("data", data),
        ])
    }

    fn too_many(&self, message: &str, max: usize) -> Option<Vec<Said>> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let why = format!("exceed max subscription count limitation of {max} per time");
        (names(&message).len() > max).then(|| vec![error(at(&message, "/id"), 509, why)])
    }

    fn too_often(&self) -> Vec<Said> {
        vec![error(&Value::Null, 509, "exceed max permits per second".into())]
    }

    fn too_many_markets(&self, max: usize) -> Vec<Said> {
        let why = format!("exceed max subscription count limitation of {max} per session");
        vec![error(&Value::Null, 509, why)]
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(SILENCE_MAX)
    }
}
