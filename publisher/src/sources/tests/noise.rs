//! Bytes that nobody meant: whatever a body holds, reading it ends with a value or a fault.

use super::super::decode;
use super::super::preset::{Preset, presets};
use super::super::problem::Problems;
use super::fixtures::of;
use crate::fuzz::fuzz;
use crate::sources::civil;
use crate::sources::path::Path;
use proptest::prelude::*;
use publisher_core::quote::Listing;
use publisher_core::time::Wall;
use std::cell::Cell;
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
}

#[test]
fn f47_f51_fuzz_answers() {
    fuzz("answer", presets().iter().flat_map(|preset| of(preset.id()).bodies.into_values()), read);
}

/// Lists of what venues trade: each of our markets has a word of its own, whatever is in the list. Without this a list
/// that was cut or grew odd stops the daemon, or takes out a market that it does not name.
#[test]
fn f47_f51_fuzz_lists() {
    let lists = presets().iter().flat_map(|preset| of(preset.id()).bodies);
    let genuine = lists.filter(|(body, _)| body.starts_with("instruments")).map(|(_, bytes)| bytes);
    let known = Cell::new(0);
    fuzz("list", genuine, |bytes| {
        for preset in presets() {
            let Some(instruments) = &preset.instruments else { continue };
            let symbols: Vec<Arc<str>> = symbols(preset.id()).iter().map(|s| Arc::from(s.as_str())).collect();
            let keys = preset.symbols.keys(&symbols, &mut Problems::default());
            let Ok(list) = instruments.read(&preset.symbols, &keys, symbols.len(), bytes) else { continue };
            assert_eq!(list.markets.len(), symbols.len(), "{}", preset.id());
            let listed = list.markets.iter().filter(|listing| **listing != Listing::Gone);
            known.set(known.get() + listed.count());
        }
    });
    assert!(known.get() > 0, "no market was found in any list");
}

/// A preset that is read says the same when it is read again, and every body ends with a value or a fault.
#[test]
fn fuzz_presets() {
    let body = of("kraken").bodies.remove("ok").unwrap();
    fuzz("preset", [], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(preset) = Preset::parse("mine", text) else { return };
        let (mut problems, symbols) = (Problems::default(), [Arc::from("XBTUSD")]);
        let keys = preset.symbols.keys(&symbols, &mut problems);
        let _ = decode::read(&preset.answer, &preset.symbols, &keys, 1, &body, Wall::from_s(1_772_807_401));
    });
}

/// What a path finds is a part of the document, as it is written there.
#[test]
fn fuzz_paths() {
    let documents = [r#"{"a":[{"b":"1.5","c":{"d":2}},3],"":{"~":0,"/":[]}}"#, "[[0,[1]],[]]", "0"];
    fuzz("path", [], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        for path in [Path::parse(text), Path::pointer(text)].into_iter().flatten() {
            for document in documents {
                let whole = serde_json::from_str(document).unwrap();
                if let Ok(Some(found)) = path.find(whole) {
                    assert!(document.contains(found.get()), "{text:?} finds {found} in {document}");
                }
            }
        }
    });
}

/// Times, waits and symbols: one line each.
#[test]
fn f50_fuzz_words() {
    fuzz("word", [], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        for time in [civil::rfc3339(text), civil::date(text), civil::http_date(text)].into_iter().flatten() {
            // Years have four digits, and offsets are less than a day.
            let years = Wall::from_ms(-62_200_000_000_000)..Wall::from_ms(253_402_400_000_000);
            assert!(years.contains(&time), "{time:?}");
        }
        for preset in presets() {
            let mut problems = Problems::default();
            preset.symbols.keys(&[Arc::from(text)], &mut problems);
        }
    });
}
