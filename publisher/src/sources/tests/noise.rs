//! Bytes that nobody meant: whatever a body holds, reading it ends with a value or a fault.

use super::super::decode;
use super::super::preset::{Preset, presets};
use super::super::problem::Problems;
use super::fixtures::of;
use proptest::prelude::*;
use publisher_core::time::Wall;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Reads a body as every venue would. A panic fails the test; a price that is not positive does too.
fn read(bytes: &[u8]) {
    for preset in presets() {
        // A symbol of the preset's own fixtures, so that damaged bodies are read to the end.
        let symbols: Vec<Arc<str>> =
            symbols(preset.id()).iter().map(|symbol| Arc::from(symbol.as_str())).collect();
        let mut problems = Problems::default();
        let keys = preset.symbols.keys(&symbols, &mut problems);
        problems.finish(preset.id(), Some(())).unwrap();
        let now = Wall::from_ms(1_772_807_401_000);
        if let Ok(rows) = decode::read(&preset.answer, &preset.symbols, &keys, symbols.len(), bytes, now) {
            for row in rows.into_iter().flatten() {
                assert!([row.bid, row.ask, row.last].into_iter().flatten().all(|price| price.is_positive()));
            }
        }
    }
}

/// Every preset's good body, by name.
static GOOD: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| presets().iter().map(|preset| of(preset.id()).bodies.remove("ok").unwrap()).collect());

/// The symbols of every preset's good body.
fn symbols(venue: &str) -> &'static [String] {
    static SYMBOLS: LazyLock<BTreeMap<&str, Vec<String>>> = LazyLock::new(|| {
        let ok = |preset: &Preset| {
            let readings = of(preset.id()).replay(preset).unwrap().into_iter();
            readings.filter(|reading| reading.body == "ok").filter_map(|reading| reading.symbol).collect()
        };
        presets().iter().map(|preset| (preset.id(), ok(preset))).collect()
    });
    &SYMBOLS[venue]
}

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
        let mut bytes = GOOD[which].clone();
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
