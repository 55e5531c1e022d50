//! Kraken, WebSocket v2: names with a slash and with BTC, an answer for each symbol, prices as JSON numbers.

use serde_json::Value;

use super::{Said, add, at, texts};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
}

/// When the venue took a message, and when it answered.
fn times() -> [(&'static str, Json); 2] {
    ["time_in", "time_out"].map(|key| (key, text(clock::iso8601(clock::now_ms()))))
}

fn failure(method: &str, why: String, symbol: Option<&str>, id: &Value) -> Said {
    let mut fields = vec![("error", text(why)), ("method", text(method))];
    fields.extend(id.as_u64().map(|id| ("req_id", number(id))));
    fields.push(("success", Json::Bool(false)));
    fields.extend(symbol.map(|symbol| ("symbol", text(symbol))));
    Said::Control(object(fields.into_iter().chain(times())))
}

impl super::Protocol for Protocol {
    fn greeting(&self) -> Vec<Said> {
        let status = object([
            ("api_version", text("v2")),
            ("connection_id", number(13_834_774_380_200_032_777_u64)),
            ("system", text("online")),
            ("version", text("2.0.0")),
        ]);
        let fields =
            [("channel", text("status")), ("type", text("update")), ("data", Json::List(vec![status]))];
        vec![Said::Beat(object(fields))]
    }

    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let Ok(message) = serde_json::from_str::<Value>(message) else {
            return vec![failure("subscribe", "Malformed request".into(), None, &Value::Null)];
        };
        let (id, params) = (at(&message, "/req_id"), at(&message, "/params"));
        match at(&message, "/method").as_str() {
            Some("ping") => {
                let fields = [("method", text("pong"))]
                    .into_iter()
                    .chain(id.as_u64().map(|id| ("req_id", number(id))));
                return vec![Said::Pong(object(fields.chain(times())).to_string())];
            }
            Some("subscribe") => {}
            _ => return vec![failure("subscribe", "Method not supported".into(), None, id)],
        }
        let (Some(names), "ticker") =
            (texts(at(params, "/symbol")), at(params, "/channel").as_str().unwrap_or_default())
        else {
            return vec![failure("subscribe", "Malformed request".into(), None, id)];
        };
        if !matches!(at(params, "/event_trigger").as_str(), None | Some("bbo" | "trades")) {
            return vec![failure("subscribe", "Event trigger not supported".into(), None, id)];
        }
        let mut said = Vec::new();
        for name in names {
            let Some(pair) = desk.pair(|pair| pair.to_string() == name) else {
                said.push(failure(
                    "subscribe",
                    format!("Currency pair not supported {name}"),
                    Some(&name),
                    id,
                ));
                continue;
            };
            add(&mut self.subscribed, [pair]);
            let result = object([
                ("channel", text("ticker")),
                ("event_trigger", text("bbo")),
                ("snapshot", Json::Bool(true)),
                ("symbol", text(name)),
            ]);
            let mut fields = vec![("method", text("subscribe"))];
            fields.extend(id.as_u64().map(|id| ("req_id", number(id))));
            fields.extend([("result", result), ("success", Json::Bool(true))]);
            said.push(Said::Control(object(fields.into_iter().chain(times()))));
        }
        said
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, _: u64) -> Json {
        let figures = object([
            ("symbol".into(), text(&row.pair)),
            (row.key("bid"), row.price_number(row.bid)),
            ("bid_qty".into(), number("740.00000000")),
            (row.key("ask"), row.price_number(row.ask)),
            ("ask_qty".into(), number("740.00000000")),
            (row.key("last"), row.price_number(row.last)),
            ("volume".into(), number(row.volume)),
            ("vwap".into(), row.price_number(row.last)),
            ("low".into(), row.price_number(row.near(-2))),
            ("high".into(), row.price_number(row.near(2))),
            ("change".into(), number("-0.00002")),
            ("change_pct".into(), number("-0.02")),
        ]);
        object([("channel", text("ticker")), ("type", text("update")), ("data", Json::List(vec![figures]))])
    }

    fn beat(&mut self) -> Vec<Said> {
        let beat = Said::Beat(object([("channel", text("heartbeat"))]));
        if self.subscribed.is_empty() { Vec::new() } else { vec![beat] }
    }
}
