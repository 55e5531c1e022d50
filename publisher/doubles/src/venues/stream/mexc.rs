//! MEXC: prices as protobuf in binary frames, acknowledgements as JSON, and topics that are blocked in the words of
//! success.

use std::time::Duration;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{Said, add, at, texts};
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::mexc::symbol;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Topics of one connection.
const TOPICS_MAX: usize = 30;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn topic(pair: &Pair) -> String {
    format!("spot@public.aggre.bookTicker.v3.api.pb@100ms@{}", symbol(pair))
}

fn answer(id: u64, message: &str) -> Json {
    object([("id", number(id)), ("code", number(0)), ("msg", text(message))])
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let id = at(&message, "/id").as_u64().unwrap_or_default();
        match (at(&message, "/method").as_str(), texts(at(&message, "/params"))) {
            (Some("PING"), _) => vec![Said::Pong(answer(0, "PONG").to_string())],
            (Some("SUBSCRIPTION"), Some(topics)) => {
                let (mut known, mut blocked) = (Vec::new(), Vec::new());
                for name in topics {
                    match desk.pair(|pair| topic(pair) == name) {
                        Some(pair) if self.subscribed.len() < TOPICS_MAX => {
                            add(&mut self.subscribed, [pair]);
                            known.push(name);
                        }
                        _ => blocked.push(name),
                    }
                }
                let said = if blocked.is_empty() {
                    known.join(",")
                } else {
                    format!("Not Subscribed successfully! [{}].  Reason： Blocked! ", blocked.join(","))
                };
                vec![Said::Control(answer(id, &said))]
            }
            _ => vec![Said::Control(answer(id, "msg format invalid"))],
        }
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    /// The message as an object whose keys are the numbers of its fields.
    fn data(&self, row: &Row, _: u64) -> Json {
        let price = |value| row.price(value, 0);
        let key = |number: &str| if row.is_renamed() { format!("{number}0") } else { number.to_owned() };
        let book = object([
            (key("1"), price(row.bid)),
            ("2".into(), text("2.31")),
            (key("3"), price(row.ask)),
            ("4".into(), text("1.07")),
        ]);
        object([
            ("1", text(topic(&row.pair))),
            ("3", text(symbol(&row.pair))),
            ("6", number(row.time_ms)),
            ("315", book),
        ])
    }

    fn wire_data(&self, data: &Json) -> Message {
        let mut bytes = Vec::new();
        protobuf(data, &mut bytes);
        Message::binary(bytes)
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(SILENCE_MAX)
    }
}

/// Writes such an object as a protobuf message, <https://protobuf.dev/programming-guides/encoding/>.
fn protobuf(json: &Json, bytes: &mut Vec<u8>) {
    let Json::Object(fields) = json else { return };
    for (key, value) in fields {
        let tag = key.parse::<u64>().unwrap_or_default() << 3;
        match value {
            Json::Object(_) => {
                let mut inner = Vec::new();
                protobuf(value, &mut inner);
                delimited(tag, &inner, bytes);
            }
            // The format has no number with the digits that were written.
            Json::Number(digits) => match digits.parse() {
                Ok(whole) => {
                    varint(tag, bytes);
                    varint(whole, bytes);
                }
                Err(_) => delimited(tag, digits.as_bytes(), bytes),
            },
            Json::Text(text) => delimited(tag, text.as_bytes(), bytes),
            _ => {}
        }
    }
}

/// A field with a length in front.
fn delimited(tag: u64, value: &[u8], bytes: &mut Vec<u8>) {
    varint(tag | 2, bytes);
    varint(u64::try_from(value.len()).unwrap_or_default(), bytes);
    bytes.extend(value);
}

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64, bytes: &mut Vec<u8>) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}
