//! Bodies in the shape of the real venues: without these a changed field name would surface in production only.

use super::super::fixtures::{Fixtures, FixturesError, Reading, read as read_body};
use super::super::preset::{Preset, preset, presets};
use publisher_core::time::Wall;
use std::path::Path;

/// What every preset must have a body of.
const NEEDED: [&str; 4] = ["ok", "missing", "odd_rows", "error"];

/// What the first symbols get from a body; or the fault of the whole body.
fn read(preset: &Preset, body: &[u8], symbols: &[&str]) -> Result<Vec<String>, String> {
    read_body(preset, body, symbols, of(preset.id()).received).unwrap()
}

/// A venue's own fixtures.
pub(super) fn of(venue: &str) -> Fixtures {
    Fixtures::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/fixtures").join(venue)).unwrap()
}

/// Without this a venue would be trusted with prices that nobody has seen it write, and a field that it renames would
/// surface in production only.
#[test]
fn every_preset_reads_its_fixtures_as_expected() {
    for preset in presets() {
        let venue = preset.id();
        let fixtures = of(venue);
        assert_eq!(
            fixtures.missing().next(),
            None,
            "{venue}: something is expected of a body that is not there"
        );
        let readings = fixtures.replay(preset).unwrap();
        for reading in &readings {
            assert!(reading.is_right(), "{venue}: {reading:?}");
        }
        let read = |body: &str| -> Vec<&Reading> { readings.iter().filter(|r| r.body == body).collect() };
        for name in NEEDED {
            assert!(!read(name).is_empty(), "{venue} has no {name}.json");
        }
        if preset.has_instruments() {
            for said in ["trading", "gone"] {
                assert!(read("instruments").iter().any(|r| r.read == said), "{venue} lists nothing {said}");
            }
            assert!(read("instruments_error").iter().all(|r| r.symbol.is_none()), "{venue}");
        }
        let any = |body: &str, is: fn(&str) -> bool| read(body).iter().any(|reading| is(&reading.read));
        assert!(any("ok", |row| row.contains(' ')), "{venue}");
        assert!(any("missing", |row| row == "symbol_missing"), "{venue}");
        assert!(any("odd_rows", |row| !row.contains(' ')), "{venue}");
        assert!(read("error").iter().all(|r| r.symbol.is_none()), "{venue}: an error must give nothing");
    }
}

/// Without this a body that nobody looked at would be taken for a good one.
#[test]
fn a_body_of_which_nothing_is_expected_and_a_wrong_expectation_are_findings() {
    let folder = tempfile::tempdir().unwrap();
    let preset = preset("gate").unwrap();
    let body = &of("gate").bodies["ok"];
    let fixtures = || Fixtures::read(folder.path()).unwrap();
    let rows = || [("BTC_USDT".to_owned(), "1 2 3 4".to_owned())];
    fixtures().record(folder.path(), "ok", body, rows(), Wall::from_ms(1_772_807_401_000), false).unwrap();
    std::fs::write(folder.path().join("other.json"), body).unwrap();
    let readings = fixtures().replay(preset).unwrap();
    let wrong: Vec<_> = readings.iter().filter(|reading| !reading.is_right()).collect();
    assert_eq!(wrong.len(), 2, "{readings:?}");
    assert_eq!(wrong[0].read, "67012.1 67012.2 67012.1 2345.6");
    let again = fixtures().record(folder.path(), "ok", body, rows(), Wall::from_ms(0), false);
    assert!(matches!(again, Err(FixturesError::Exists(_))), "{again:?}");
    fixtures().record(folder.path(), "ok", body, rows(), Wall::from_ms(0), true).unwrap();
    std::fs::remove_file(folder.path().join("ok.json")).unwrap();
    assert_eq!(fixtures().missing().collect::<Vec<_>>(), ["ok"]);
}

/// One symbol of a preset, read from a body.
pub(super) fn row(venue: &str, body: &str, symbol: &str) -> String {
    read(preset(venue).unwrap(), body.as_bytes(), &[symbol]).unwrap().remove(0)
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
