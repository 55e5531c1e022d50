//! Bitget, WebSocket v2: an answer for each argument, and a text `ping` within 30 s or the connection is closed.

use std::time::Duration;

use serde_json::Value;

use super::{Said, add, at};
use crate::json::{Json, number, object, text};
use crate::venues::bitget::{symbol, ticker};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn arg(kind: &str, channel: &str, name: &str) -> Json {
    object(
        [("instType", kind), ("channel", channel), ("instId", name)].map(|(key, value)| (key, text(value))),
    )
}

fn error(arg: Option<Json>, code: u32, message: String) -> Said {
    let mut fields = vec![("event", text("error"))];
    fields.extend(arg.map(|arg| ("arg", arg)));
    fields.extend([("code", number(code)), ("msg", text(message)), ("op", text("subscribe"))]);
    Said::Control(object(fields))
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        if message == "ping" {
            return vec![Said::Pong("pong".into())];
        }
        let message = serde_json::from_str::<Value>(message).unwrap_or_default();
        let (Some("subscribe"), Some(args)) =
            (at(&message, "/op").as_str(), at(&message, "/args").as_array())
        else {
            return vec![error(None, 30003, "Invalid op".into())];
        };
        let mut said = Vec::new();
        for one in args {
            let [kind, channel, name] =
                ["/instType", "/channel", "/instId"].map(|key| at(one, key).as_str().unwrap_or_default());
            let is_ticker = kind == "SPOT" && channel == "ticker";
            match desk.pair(|pair| is_ticker && symbol(pair) == name) {
                Some(pair) => {
                    add(&mut self.subscribed, [pair]);
                    let fields = [("event", text("subscribe")), ("arg", arg(kind, channel, name))];
                    said.push(Said::Control(object(fields)));
                }
                None => {
                    let why = format!("instType:{kind},channel:{channel},instId:{name} doesn't exist");
                    said.push(error(Some(arg(kind, channel, name)), 30001, why));
                }
            }
        }
        said
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let name = symbol(&row.pair);
        // What is `symbol` over HTTP is `instId` here.
        let mut ticker = ticker(row);
        if let Json::Object(fields) = &mut ticker {
            fields.retain(|(key, _)| key != "symbol");
            fields.insert(0, ("instId".into(), text(&name)));
        }
        object([
            ("action", text("snapshot")),
            ("arg", arg("SPOT", "ticker", &name)),
            ("data", Json::List(vec![ticker])),
            ("ts", number(row.time_ms)),
        ])
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(SILENCE_MAX)
    }
}
