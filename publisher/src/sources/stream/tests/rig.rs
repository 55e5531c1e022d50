//! A session on a clock of the test's own.

use super::super::Cover;
use super::super::plan::Plan;
use super::super::session::{Action, Kind, Session};
use crate::sources::preset::StreamPreset;
use crate::sources::tests::VENUE;
use crate::sources::{Preset, preset};
use publisher_core::quote::{MarketId, Observation, Quote};
use publisher_core::time::{Mono, Span, Wall};
use std::sync::Arc;

/// 2026-01-01T00:00:00Z.
pub(super) const START: Wall = Wall::from_ms(1_767_225_600_000);

/// A session, what it wrote and what it read.
pub(super) struct Rig {
    pub(super) session: Session,
    pub(super) venue: String,
    pub(super) now: Mono,
    pub(super) written: Vec<String>,
    pub(super) quotes: Vec<Quote>,
}

/// The stream of a preset that comes with the program.
pub(super) fn shipped(venue: &str) -> StreamPreset {
    preset(venue).unwrap().stream.clone().unwrap()
}

/// A stream that a test describes.
pub(super) fn described(stream: &str) -> StreamPreset {
    let rest = r#"
        [stream]
        hosts = ["wss://example.com"]
        path = "/"
        write_every = "100ms"
        symbols_per_frame = 4
        symbols_per_connection = 100
        life = "23h"
        message_max_bytes = 65_536
        cross_check = "30s"
    "#;
    Preset::parse("mine", &format!("{VENUE}{rest}\n{stream}")).unwrap().stream.unwrap()
}

impl Rig {
    pub(super) fn new(venue: &str, stream: StreamPreset, symbols: &[&str]) -> Self {
        let markets: Vec<_> = symbols.iter().map(|symbol| MarketId::new(venue, symbol)).collect();
        let mut plans = Plan::all(&Arc::new(stream), &markets, Span::from_s(1));
        assert_eq!(plans.len(), 1, "one socket is enough for a test");
        Self::of(venue, plans.remove(0))
    }

    /// The session of one socket.
    pub(super) fn of(venue: &str, plan: Plan) -> Self {
        let session = Session::new(Arc::new(plan), Mono::default());
        let venue = venue.to_owned();
        Self { session, venue, now: Mono::default(), written: Vec::new(), quotes: Vec::new() }
    }

    pub(super) fn wall(&self) -> Wall {
        START + self.now.since(Mono::default())
    }

    /// Keeps what was written and read; gives what else is to be done.
    fn take(&mut self, actions: Vec<Action>) -> Vec<Action> {
        let mut rest = Vec::new();
        for action in actions {
            match action {
                Action::Write(text) => self.written.push(text),
                Action::Quotes(quotes) => self.quotes.extend(quotes),
                other => rest.push(other),
            }
        }
        rest
    }

    /// What a message is and brings about.
    pub(super) fn hear(&mut self, message: &str) -> (Kind, Vec<Action>) {
        self.hear_bytes(message.as_bytes())
    }

    /// The same for a text that may be none.
    pub(super) fn hear_bytes(&mut self, message: &[u8]) -> (Kind, Vec<Action>) {
        let (kind, actions) = self.session.hear(self.now, self.wall(), message);
        (kind, self.take(actions))
    }

    /// The same for a binary frame.
    pub(super) fn hear_packed(&mut self, frame: &[u8]) -> (Kind, Vec<Action>) {
        let (kind, actions) = self.session.hear_packed(self.now, self.wall(), frame);
        (kind, self.take(actions))
    }

    /// Lets time pass, tick by tick as the session asks for it. Stops at the first action that is none of writing.
    pub(super) fn pass(&mut self, span: Span) -> Vec<Action> {
        let end = self.now + span;
        loop {
            let actions = self.session.tick(self.now, self.wall());
            let rest: Vec<_> = self.take(actions).into_iter().filter(|a| *a != Action::Ping).collect();
            if !rest.is_empty() || self.now >= end {
                return rest;
            }
            let wake = self.session.wake_at(self.now);
            assert!(wake > self.now, "it wakes without having anything to do");
            self.now = wake.min(end);
        }
    }

    pub(super) fn cover(&self) -> Cover {
        self.session.cover(self.now)
    }

    /// Whether every market has given a price of late.
    pub(super) fn is_fresh(&self) -> bool {
        self.cover() == Cover::Fresh
    }

    /// What HTTP says about a market.
    pub(super) fn poll(&mut self, symbol: &str, price: &str) -> Option<super::super::End> {
        let price = Some(price.parse().unwrap());
        let (market, at) = (MarketId::new(&self.venue, symbol), self.wall());
        let quote = Quote {
            market,
            bid: price,
            ask: price,
            last: price,
            base_volume: price,
            as_of: at,
            received: at,
            is_clocked: false,
        };
        self.session.polled(self.now, &[Observation::Quote(quote)])
    }

    /// Symbol and last price of every quote.
    pub(super) fn lasts(&self) -> Vec<(String, String)> {
        let last =
            |q: &Quote| (q.market.symbol.to_string(), q.last.map(|p| p.to_string()).unwrap_or_default());
        self.quotes.iter().map(last).collect()
    }
}
