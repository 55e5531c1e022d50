//! Gemini: the URL names the markets and what is told of them, nothing confirms it, and an unknown one refuses the
//! connection.

use super::{Said, pairs, parameter};
use crate::clock;
use crate::json::{Json, number, object, text};
use crate::venues::desk::Desk;
use crate::venues::gemini::symbol;
use crate::venues::pair::Pair;
use crate::venues::row::Row;

#[derive(Debug)]
pub(super) struct Protocol {
    subscribed: Vec<Pair>,
    tells_trades: bool,
    tells_book: bool,
    beats: bool,
}

impl Protocol {
    /// What a query asks for, if every market in it is known.
    pub(super) fn new(query: &str, desk: &Desk) -> Option<Self> {
        let names: Vec<_> = parameter(query, "symbols").split(',').map(str::to_owned).collect();
        let is = |name| parameter(query, name) == "true";
        let subscribed = pairs(desk, &names, symbol).ok()?;
        let tells_book = is("bids") && is("offers") && is("top_of_book");
        Some(Self { subscribed, tells_trades: is("trades"), tells_book, beats: is("heartbeat") })
    }
}

impl super::Protocol for Protocol {
    fn hear(&mut self, _: &str, _: &Desk) -> Vec<Said> {
        Vec::new()
    }

    fn subscribed(&self) -> &[Pair] {
        &self.subscribed
    }

    fn data(&self, row: &Row, sequence: u64) -> Json {
        let event = |kind: &str, side: [&str; 2], price: Json| {
            let [key, side] = side;
            object([
                ("type".into(), text(kind)),
                (key.into(), text(side)),
                (row.key("price"), price),
                ("remaining".into(), text("1.5")),
                ("symbol".into(), text(symbol(&row.pair))),
            ])
        };
        let trade = event("trade", ["makerSide", "bid"], row.price(row.last, 2));
        let bid = event("change", ["side", "bid"], row.price(row.bid, 2));
        let ask = event("change", ["side", "ask"], row.price(row.ask, 2));
        let trades = [trade].into_iter().filter(|_| self.tells_trades);
        let book = [bid, ask].into_iter().filter(|_| self.tells_book);
        object([
            ("type", text("update")),
            ("eventId", number(5_375_461_993_u64 + sequence)),
            ("timestampms", number(row.time_ms)),
            ("socket_sequence", number(sequence)),
            ("events", Json::List(trades.chain(book).collect())),
        ])
    }

    fn beat(&mut self) -> Vec<Said> {
        let fields = [("type", text("heartbeat")), ("timestampms", number(clock::now_ms()))];
        if self.beats { vec![Said::Beat(object(fields))] } else { Vec::new() }
    }
}
