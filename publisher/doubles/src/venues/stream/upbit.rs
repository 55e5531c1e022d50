//! Upbit: JSON in binary frames, under short keys where that is asked for. Nothing confirms a request, an unknown market is
//! passed over in silence, and a request ends what the one before it subscribed to.

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{Said, add, at, texts};
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;
use crate::venues::upbit::symbol;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn error(name: &str, message: &str) -> Vec<Said> {
    let error = object([("name", text(name)), ("message", text(message))]);
    vec![Said::Control(object([("error", error)]))]
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        if message == "PING" {
            return vec![Said::Pong(object([("status", text("UP"))]).to_string())];
        }
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        if at(&message, "/0/ticket").as_str().is_none_or(str::is_empty) {
            return error("NO_TICKET", "The ticket is missing.");
        }
        if at(&message, "/1/type") != "ticker" {
            return error("NO_TYPE", "The type is missing.");
        }
        let Some(codes) = texts(at(&message, "/1/codes")) else {
            return error("NO_CODES", "The codes are missing.");
        };
        if at(&message, "/2/format") != "SIMPLE" {
            return error("WRONG_FORMAT", "Format doesn't match.");
        }
        self.subscribed.clear();
        let known = codes.iter().filter_map(|code| desk.pair(|pair| symbol(pair) == *code));
        add(&mut self.subscribed, known);
        Vec::new()
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        object([
            ("ty".into(), text("ticker")),
            ("cd".into(), text(symbol(&row.pair))),
            ("op".into(), number(row.near(-1))),
            ("hp".into(), number(row.near(2))),
            ("lp".into(), number(row.near(-2))),
            (row.key("tp"), row.price_number(row.last)),
            ("c".into(), text("RISE")),
            ("tv".into(), number("0.00101228")),
            ("atv24h".into(), number(row.volume)),
            ("atp24h".into(), number(row.quote_volume())),
            ("ttms".into(), number(row.time_ms)),
            ("ab".into(), text("BID")),
            ("ms".into(), text("ACTIVE")),
            ("tms".into(), number(row.time_ms)),
            ("st".into(), text("REALTIME")),
        ])
    }

    fn wire(&self, text: String) -> Message {
        Message::binary(text)
    }
}
