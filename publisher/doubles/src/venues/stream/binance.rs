//! Binance: an unknown stream is acknowledged like any other and stays silent.

use serde_json::Value;

use super::{Said, add, at, texts};
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn stream(pair: &Pair) -> String {
    format!("{}{}@ticker", pair.base, pair.quote).to_lowercase()
}

fn error(code: i32, message: &str, id: &Value) -> Vec<Said> {
    let error = object([("code", number(code)), ("msg", text(message))]);
    let id = id.as_u64().map(|id| ("id", number(id)));
    vec![Said::Control(object([("error", error)].into_iter().chain(id)))]
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let Ok(message) = serde_json::from_str::<Value>(message) else {
            return error(3, "Invalid JSON: expected value at line 1 column 1", &Value::Null);
        };
        let id = at(&message, "/id");
        if at(&message, "/method") != "SUBSCRIBE" {
            return error(2, "Invalid request: unknown variant", id);
        }
        let (Some(streams), Some(number_of_request)) = (texts(at(&message, "/params")), id.as_u64()) else {
            return error(2, "Invalid request: request ID must be an unsigned integer", id);
        };
        let known = streams.iter().filter_map(|name| desk.pair(|pair| stream(pair) == *name));
        add(&mut self.subscribed, known);
        vec![Said::Control(object([("result", Json::Null), ("id", number(number_of_request))]))]
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let price = |value| row.price(value, 8);
        let data = object([
            ("e".into(), text("24hrTicker")),
            ("E".into(), number(row.time_ms)),
            ("s".into(), text(format!("{}{}", row.pair.base, row.pair.quote))),
            ("p".into(), text("0.00150000")),
            ("P".into(), text("250.00")),
            ("w".into(), price(row.last)),
            ("x".into(), price(row.near(-1))),
            (row.key("c"), price(row.last)),
            ("Q".into(), text("0.00125000")),
            (row.key("b"), price(row.bid)),
            ("B".into(), text("10.00000000")),
            (row.key("a"), price(row.ask)),
            ("A".into(), text("100.00000000")),
            ("o".into(), price(row.near(-1))),
            ("h".into(), price(row.near(2))),
            ("l".into(), price(row.near(-2))),
            ("v".into(), row.quantity(row.volume, 8)),
            ("q".into(), row.quantity(row.quote_volume(), 8)),
            ("C".into(), number(row.time_ms)),
        ]);
        object([("stream", text(stream(&row.pair))), ("data", data)])
    }
}
