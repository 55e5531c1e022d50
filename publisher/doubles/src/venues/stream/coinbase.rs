//! Coinbase Exchange: a subscription within five seconds or the connection is closed; one unknown product spoils the
//! whole frame; every acknowledgement lists everything.

use std::time::Duration;

use serde_json::Value;

use super::{Said, add, at, pairs, texts};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::coinbase::product_id;
use crate::venues::desk::Desk;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
    heartbeats: bool,
}

fn error(reason: &str) -> Vec<Said> {
    let fields = [("type", "error"), ("message", "Failed to subscribe"), ("reason", reason)];
    vec![Said::Control(object(fields.map(|(key, value)| (key, text(value)))))]
}

impl super::Protocol for Protocol {
    fn hear(&mut self, message: &str, desk: &Desk) -> Vec<Said> {
        let Ok(message) = serde_json::from_str::<Value>(message) else { return error("Malformed JSON") };
        if at(&message, "/type") != "subscribe" {
            return error("Type has to be either subscribe or unsubscribe");
        }
        let (Some(names), Some(channels)) =
            (texts(at(&message, "/product_ids")), texts(at(&message, "/channels")))
        else {
            return error("product_ids and channels are lists of texts");
        };
        if let Some(channel) = channels.iter().find(|name| !matches!(name.as_str(), "ticker" | "heartbeat")) {
            return error(&format!("{channel} is not a valid channel"));
        }
        let found = match pairs(desk, &names, product_id) {
            Ok(found) => found,
            Err(unknown) => return error(&format!("{unknown} is not a valid product")),
        };
        add(&mut self.subscribed, found);
        self.heartbeats |= channels.iter().any(|channel| channel == "heartbeat");
        let products = || Json::List(self.subscribed.iter().map(|pair| text(product_id(pair))).collect());
        let channel = |name: &String| object([("name", text(name)), ("product_ids", products())]);
        let channels = Json::List(channels.iter().map(channel).collect());
        vec![Said::Control(object([("type", text("subscriptions")), ("channels", channels)]))]
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, sequence: u64) -> Json {
        object([
            ("type".into(), text("ticker")),
            // It counts the events of all channels, so it leaps.
            ("sequence".into(), number(37_475_248_783_u64 + sequence * 7)),
            ("product_id".into(), text(product_id(&row.pair))),
            (row.key("price"), row.price(row.last, 2)),
            ("open_24h".into(), row.price(row.near(-1), 2)),
            ("volume_24h".into(), row.quantity(row.volume, 8)),
            ("low_24h".into(), row.price(row.near(-2), 2)),
            ("high_24h".into(), row.price(row.near(2), 2)),
            ("volume_30d".into(), row.quantity(row.volume, 8)),
            (row.key("best_bid"), row.price(row.bid, 2)),
            ("best_bid_size".into(), text("0.5")),
            (row.key("best_ask"), row.price(row.ask, 2)),
            ("best_ask_size".into(), text("0.25")),
            ("side".into(), text("buy")),
            ("time".into(), text(clock::iso8601(row.time_ms))),
            ("trade_id".into(), number(370_843_401_u64 + sequence)),
            ("last_size".into(), text("0.00125")),
        ])
    }

    fn beat(&mut self) -> Vec<Said> {
        let beat = |pair: &Pair| {
            Said::Beat(object([
                ("type", text("heartbeat")),
                ("sequence", number(37_475_248_783_u64)),
                ("last_trade_id", number(370_843_401_u64)),
                ("product_id", text(product_id(pair))),
                ("time", text(clock::iso8601(clock::now_ms()))),
            ]))
        };
        if self.heartbeats { self.subscribed.iter().map(beat).collect() } else { Vec::new() }
    }

    fn subscribe_within(&self) -> Option<Duration> {
        Some(SUBSCRIBE_WITHIN)
    }
}
