//! Bytes that nobody meant: whatever a body holds, reading it ends with a value or a fault.

use super::super::decode;
use super::super::preset::{Preset, presets};
use super::super::problem::Problems;
use proptest::prelude::*;
use publisher_core::time::Wall;
use std::sync::Arc;

/// Reads a body as every venue would. A panic fails the test; a price that is not positive does too.
fn read(bytes: &[u8]) {
    for preset in presets() {
        let symbol: Arc<str> = match preset.id() {
            "kraken" => "XBTUSD",
            "bitstamp" => "btcusd",
            "binance" => "BTCUSDT",
            _ => "BTC-USD",
        }
        .into();
        let mut problems = Problems::default();
        let keys = preset.symbols.keys(&[symbol], &mut problems);
        problems.finish(preset.id(), Some(())).unwrap();
        let now = Wall::from_ms(1_772_807_401_000);
        if let Ok(rows) = decode::read(&preset.answer, &preset.symbols, &keys, 1, bytes, now) {
            for row in rows.into_iter().flatten() {
                assert!([row.bid, row.ask, row.last].into_iter().flatten().all(|price| price.is_positive()));
            }
        }
    }
}

const GOOD: [&str; 5] = [
    include_str!("../../../presets/fixtures/binance/ok.json"),
    include_str!("../../../presets/fixtures/bitstamp/ok.json"),
    include_str!("../../../presets/fixtures/coinbase/ok.json"),
    include_str!("../../../presets/fixtures/kraken/ok.json"),
    include_str!("../../../presets/fixtures/okx/ok.json"),
];

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn text_of_json_characters(text in r#"[\[\]{}",:0-9eE+\-.\\a-z ]{0,200}"#) {
        read(text.as_bytes());
    }

    #[test]
    fn good_bodies_with_damage(
        which in 0..GOOD.len(),
        at in any::<prop::sample::Index>(),
        cut in 0..40usize,
        put in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = GOOD[which].as_bytes().to_vec();
        let from = at.index(bytes.len());
        let to = (from + cut).min(bytes.len());
        bytes.splice(from..to, put);
        read(&bytes);
    }

    #[test]
    fn presets_from_damaged_files(
        at in any::<prop::sample::Index>(),
        put in "[\\[\\]{}\"=#a-z0-9$.\n ]{0,6}",
    ) {
        let mut text = include_str!("../../../presets/kraken.toml").to_owned();
        let at = at.index(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &put);
        }
        let _ = Preset::parse("kraken", &text);
    }
}
