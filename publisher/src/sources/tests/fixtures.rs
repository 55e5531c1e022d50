//! Bodies in the shape of the real venues: without these a changed field name would surface in production only.

use super::super::decode::{self, Row};
use super::super::preset::{Preset, preset, presets};
use super::super::problem::Problems;
use publisher_core::quote::SourceFault;
use publisher_core::time::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// 2026-03-06T14:30:01Z, shortly after the recorded times.
const NOW: Wall = Wall::from_ms(1_772_807_401_000);

/// What every preset must have a body of.
const NEEDED: [&str; 4] = ["ok", "missing", "odd_rows", "error"];

/// A row as `expected.toml` writes it: bid, ask, last, base volume and time, or the fault's code.
fn show(row: Result<Row, SourceFault>) -> String {
    let row = match row {
        Ok(row) => row,
        Err(fault) => return fault.code().to_owned(),
    };
    let prices = [row.bid, row.ask, row.last, row.base_volume];
    let prices = prices.map(|price| price.map_or("-".to_owned(), |price| price.to_string())).join(" ");
    let time = row.time.map_or(String::new(), |time| format!(" @{}", time.ms()));
    format!("{prices}{time}")
}

/// Each symbol with what a body gives it; or the fault of the whole body.
fn read(preset: &Preset, body: &[u8], symbols: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let symbols: Vec<Arc<str>> = symbols.iter().map(|symbol| Arc::from(*symbol)).collect();
    let mut problems = Problems::default();
    let keys = preset.symbols.keys(&symbols, &mut problems);
    problems.finish(preset.id(), Some(())).unwrap();
    match decode::read(&preset.answer, &preset.symbols, &keys, symbols.len(), body, NOW) {
        Ok(rows) => {
            Ok(symbols.iter().map(|symbol| symbol.to_string()).zip(rows.into_iter().map(show)).collect())
        }
        Err(refusal) if refusal.unknown_symbol => Err("unknown_symbol".to_owned()),
        Err(refusal) => Err(refusal.fault.code().to_owned()),
    }
}

/// Bodies of a venue by name.
pub(super) fn bodies(venue: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/fixtures").join(venue);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let body = |path: PathBuf| {
        let name = path.file_stem()?.to_str()?.to_owned();
        (path.extension()? == "json").then(|| (name, fs::read(&path).unwrap()))
    };
    files.filter_map(|file| body(file.unwrap().path())).collect()
}

pub(super) fn expected(venue: &str) -> toml::Table {
    let file = format!("{}/presets/fixtures/{venue}/expected.toml", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Without this a venue would be trusted with prices that nobody has seen it write, and a field that it renames would
/// surface in production only.
#[test]
fn every_preset_reads_its_fixtures_as_expected() {
    for preset in presets() {
        let venue = preset.id();
        let (bodies, expected) = (bodies(venue), expected(venue));
        let of_bodies: BTreeSet<_> = bodies.keys().map(String::as_str).collect();
        let of_expected: BTreeSet<_> = expected.keys().map(String::as_str).collect();
        assert_eq!(of_bodies, of_expected, "{venue}: bodies, and what is expected of them");
        for name in NEEDED {
            assert!(of_bodies.contains(name), "{venue} has no {name}.json");
        }
        let rows =
            |name: &str| expected[name].as_table().unwrap_or_else(|| panic!("{venue}: {name} has no rows"));
        assert!(rows("missing").values().any(|row| row.as_str() == Some("symbol_missing")), "{venue}");
        assert!(rows("odd_rows").values().any(|row| !row.as_str().unwrap().contains(' ')), "{venue}");
        assert!(rows("ok").values().any(|row| row.as_str().unwrap().contains(' ')), "{venue}");
        assert!(expected["error"].is_str(), "{venue}: an error must give nothing");
        for (name, body) in &bodies {
            match &expected[name] {
                toml::Value::String(fault) => {
                    assert_eq!(read(preset, body, &[]), Err(fault.clone()), "{venue}/{name}");
                }
                toml::Value::Table(rows) => {
                    let expected =
                        rows.iter().map(|(symbol, row)| (symbol.clone(), row.as_str().unwrap().to_owned()));
                    let symbols: Vec<_> = rows.keys().map(String::as_str).collect();
                    assert_eq!(read(preset, body, &symbols), Ok(expected.collect()), "{venue}/{name}");
                }
                other => panic!("{venue}/{name}: {other} is no expectation"),
            }
        }
    }
}

/// One symbol of a preset, read from a body.
pub(super) fn row(venue: &str, body: &str, symbol: &str) -> String {
    read(preset(venue).unwrap(), body.as_bytes(), &[symbol]).unwrap().remove(symbol).unwrap()
}

/// The fault of a body that is an error for every symbol.
pub(super) fn refused(venue: &str, body: &str) -> String {
    read(preset(venue).unwrap(), body.as_bytes(), &[]).unwrap_err()
}

#[test]
fn a_body_of_another_shape_is_no_answer() {
    for preset in presets() {
        for body in ["", " ", "null", "7", "\"x\"", "<html></html>", "{", "[1,]", "[]x", "\u{feff}[]"] {
            let fault = read(preset, body.as_bytes(), &[]).unwrap_err();
            // Without its success code there is nothing to judge an envelope by.
            let may_refuse = matches!(body, "null" | "7" | "\"x\"");
            assert!(
                fault == "bad_body" || may_refuse && fault == "venue_error",
                "{} {body}: {fault}",
                preset.id()
            );
        }
        assert_eq!(read(preset, "[".repeat(65).as_bytes(), &[]), Err("too_large".to_owned()));
    }
}

#[test]
fn numbers_are_exact_or_refused() {
    let cases = [
        ("1.2e-7", "0.00000012"),
        ("\"1.2E-7\"", "0.00000012"),
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        ("0.1", "0.1"),
        ("67000.10000000000000000000000001", "67000.10000000000000000000000001"),
        ("\"\\u0031\\u002e5\"", "1.5"),
    ];
    for (number, expected) in cases {
        let body = format!(
            r#"[{{"symbol":"BTCUSDT","lastPrice":{number},"bidPrice":null,"askPrice":null,"closeTime":1772807399999}}]"#
        );
        assert_eq!(row("binance", &body, "BTCUSDT"), format!("- - {expected} - @1772807399999"), "{number}");
    }
    for number in [
        "0",
        "-1",
        "-0",
        "\"0.000\"",
        "\"NaN\"",
        "\"inf\"",
        "\"Infinity\"",
        "\"1,5\"",
        "\"1 000\"",
        "\" 1\"",
        "\"+1\"",
        "\"0x10\"",
        "\"1e\"",
        "true",
        "[1]",
        "{\"v\":1}",
        "1e99",
        "1e-99",
        "\"1e999999999999\"",
        "\"٣\"",
        "\"1_000\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
    ] {
        let body = format!(
            r#"[{{"symbol":"BTCUSDT","lastPrice":{number},"bidPrice":"1","askPrice":"2","closeTime":1772807399999}}]"#
        );
        assert_eq!(row("binance", &body, "BTCUSDT"), "bad_value", "{number}");
    }
}

#[test]
fn times_that_cannot_be_are_refused() {
    for (time, expected) in [
        ("1772807399999", "1 2 1.5 - @1772807399999"),
        ("\"1772807399999\"", "1 2 1.5 - @1772807399999"),
        ("1772807399999.7", "1 2 1.5 - @1772807399999"),
        ("1420070400000", "1 2 1.5 - @1420070400000"),
        ("1420070399999", "bad_time"),
        // One day ahead of the time of receipt, and a millisecond more.
        ("1772893801000", "1 2 1.5 - @1772893801000"),
        ("1772893801001", "bad_time"),
        ("0", "bad_time"),
        ("-1772807399999", "bad_time"),
        ("1.772807399999e12", "bad_time"),
        ("99999999999999999999", "bad_time"),
        ("null", "bad_time"),
        ("\"\"", "bad_time"),
        ("{}", "bad_time"),
    ] {
        let body = format!(
            r#"[{{"symbol":"BTCUSDT","lastPrice":1.5,"bidPrice":"1","askPrice":"2","closeTime":{time}}}]"#
        );
        assert_eq!(row("binance", &body, "BTCUSDT"), expected, "{time}");
    }
    let without = r#"[{"symbol":"BTCUSDT","lastPrice":1.5,"bidPrice":"1","askPrice":"2"}]"#;
    assert_eq!(row("binance", without, "BTCUSDT"), "bad_time");
}

#[test]
fn a_volume_that_is_no_number_costs_no_price() {
    for (volume, expected) in [
        ("\"1.5\"", "1.5"),
        ("0", "0"),
        ("1.5e3", "1500"),
        ("-1", "-"),
        ("\"NaN\"", "-"),
        ("null", "-"),
        ("\"\"", "-"),
        ("{}", "-"),
    ] {
        let body = format!(
            r#"[{{"symbol":"BTCUSDT","lastPrice":1.5,"bidPrice":"1","askPrice":"2","closeTime":1772807399999,"volume":{volume}}}]"#
        );
        assert_eq!(
            row("binance", &body, "BTCUSDT"),
            format!("1 2 1.5 {expected} @1772807399999"),
            "{volume}"
        );
    }
}
