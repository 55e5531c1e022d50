//! Messages as the venues write them, `presets/fixtures/NAME/stream.toml`: what each is and what it gives.

use super::rig::{Rig, START, shipped};
use crate::sources::presets;
use publisher_core::price::Price;
use publisher_core::quote::Quote;
use publisher_core::time::{Mono, Span};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// As the venue's HTTP interface spells them.
    symbols: Vec<String>,
    /// The frames that subscribe to them.
    written: Vec<String>,
    message: Vec<Message>,
    /// Markets that are subscribed to after all messages.
    live: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    text: String,
    /// `data`, `control` or `bad`.
    is: String,
    /// Bid, ask, last, volume and milliseconds of 2026 of each symbol's quote.
    #[serde(default)]
    gives: BTreeMap<String, String>,
    /// What it is answered with.
    #[serde(default)]
    answer: Vec<String>,
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
        let file = format!("{}/presets/fixtures/{venue}/stream.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let fixture: Fixture = toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let symbols: Vec<&str> = fixture.symbols.iter().map(String::as_str).collect();
        let mut rig = Rig::new(venue, shipped(venue), &symbols);
        rig.pass(shipped(venue).quiet + Span::from_s(2));
        assert_eq!(rig.written, fixture.written, "{venue}");
        rig.now = Mono::default();
        for message in &fixture.message {
            (rig.quotes, rig.written) = (Vec::new(), Vec::new());
            assert_eq!(rig.hear(&message.text).0.code(), message.is, "{venue}: {}", message.text);
            let gives: BTreeMap<_, _> = rig.quotes.iter().map(show).collect();
            assert_eq!(gives, message.gives, "{venue}: {}", message.text);
            assert_eq!(rig.written, message.answer, "{venue}: {}", message.text);
        }
        assert_eq!(rig.session.live(), fixture.live, "{venue}");
        assert!(fixture.message.iter().any(|message| !message.gives.is_empty()), "{venue} gives nothing");
    }
}
