//! OKX, WebSocket v5: an answer for each argument, a text `ping` within 30 s or the connection is closed.

use std::time::Duration;

use serde_json::Value;

use super::{Said, add, at};
use crate::json::{Json, object, text};
use crate::venues::desk::Desk;
use crate::venues::okx::instrument;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

fn error(code: &str, message: String) -> Said {
    let fields = [("event", "error"), ("code", code), ("msg", &message), ("connId", "a4d3ae55")];
    Said::Control(object(fields.map(|(key, value)| (key, text(value)))))
}

fn arg(instrument: &str) -> Json {
    object([("channel", text("tickers")), ("instId", text(instrument))])
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
            return vec![error("60012", "Invalid request".into())];
        };
        let mut said = Vec::new();
        for one in args {
            let (channel, name) = (
                at(one, "/channel").as_str().unwrap_or_default(),
                at(one, "/instId").as_str().unwrap_or_default(),
            );
            match desk.pair(|pair| channel == "tickers" && instrument(pair) == name) {
                Some(pair) => {
                    add(&mut self.subscribed, [pair]);
                    let fields = [("event", text("subscribe")), ("arg", arg(name)), ("connId", text("a4d3ae55"))];
                    said.push(Said::Control(object(fields)));
                }
                None => said.push(error(
                    "60018",
                    format!(
                        "Wrong URL or channel:{channel},instId:{name} doesn't exist. Please use the correct URL, \
                         channel and parameters referring to API document."
                    ),
                )),
            }
        }
        said
    }

    fn counts(&self, message: &str) -> bool {
        message != "ping"
    }

    fn too_often(&self) -> Vec<Said> {
        vec![error("60014", "Requests too frequent".into())]
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let ticker = crate::venues::okx::ticker(row);
        object([("arg", arg(&instrument(&row.pair))), ("data", Json::List(vec![ticker]))])
    }

    fn reconnect(&self) -> Option<Json> {
        let words = "The connection will soon be closed for a service upgrade. Please reconnect.";
        let fields = [("event", "notice"), ("code", "64008"), ("msg", words), ("connId", "a4d3ae55")];
        Some(object(fields.map(|(key, value)| (key, text(value)))))
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(SILENCE_MAX)
    }
}
