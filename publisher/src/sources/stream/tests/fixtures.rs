//! Messages as the venues write them, `presets/fixtures/NAME/stream.toml`: what each is and what it gives.

use super::rig::{Rig, START, shipped};
use crate::sources::presets;
use alloy::primitives::hex;
use publisher_core::price::Price;
use publisher_core::quote::Quote;
use publisher_core::time::{Mono, Span};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fixture {
    /// As the venue's HTTP interface spells them.
    pub(super) symbols: Vec<String>,
    /// The frames that subscribe to them.
    written: Vec<String>,
    pub(super) message: Vec<Message>,
    /// Markets that are subscribed to after all messages.
    live: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) text: Option<String>,
    /// A binary frame in hexadecimal digits.
    pub(super) frame: Option<String>,
    /// `data`, `control` or `bad`.
    is: String,
    /// Bid, ask, last, volume and milliseconds of 2026 of each symbol's quote.
    #[serde(default)]
    gives: BTreeMap<String, String>,
    /// What it is answered with.
    #[serde(default)]
    answer: Vec<String>,
}

/// What a venue's folder says of its stream.
pub(super) fn fixture(venue: &str) -> Fixture {
    let file = format!("{}/presets/fixtures/{venue}/stream.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn show(quote: &Quote) -> (String, String) {
    let prices = [quote.bid, quote.ask, quote.last, quote.base_volume];
    let text = |price: Option<Price>| price.map_or("-".to_owned(), |price| price.to_string());
    let (prices, ms) = (prices.map(text).join(" "), quote.as_of.ms() - START.ms());
    (quote.market.symbol.to_string(), format!("{prices} @{ms}"))
}

/// Without this a venue's words are read as somebody remembered them, and a preset gains a stream that no test heard.
#[test]
fn every_venues_messages_are_what_they_are() {
    for preset in presets().iter().filter(|preset| preset.has_stream()) {
        let venue = preset.id();
        let fixture = fixture(venue);
        let symbols: Vec<&str> = fixture.symbols.iter().map(String::as_str).collect();
        let mut rig = Rig::new(venue, shipped(venue), &symbols);
        rig.pass(shipped(venue).quiet + Span::from_s(2));
        assert_eq!(rig.written, fixture.written, "{venue}");
        rig.now = Mono::default();
        for message in &fixture.message {
            (rig.quotes, rig.written) = (Vec::new(), Vec::new());
            let (kind, said) = match (&message.text, &message.frame) {
                (Some(text), None) => (rig.hear(text).0, text),
                (None, Some(frame)) => (rig.hear_packed(&hex::decode(frame).unwrap()).0, frame),
                _ => panic!("{venue}: a message is either text or a frame"),
            };
            assert_eq!(kind.code(), message.is, "{venue}: {said}");
            let gives: BTreeMap<_, _> = rig.quotes.iter().map(show).collect();
            assert_eq!(gives, message.gives, "{venue}: {said}");
            assert_eq!(rig.written, message.answer, "{venue}: {said}");
        }
        assert_eq!(rig.session.live(), fixture.live, "{venue}");
        assert!(fixture.message.iter().any(|message| !message.gives.is_empty()), "{venue} gives nothing");
    }
}
