//! Bodies in the shape of the real venues: without these a changed field name would surface in production only.

use super::super::decode::{self, Row};
use super::super::preset::preset;
use super::super::problem::Problems;
use publisher_core::quote::SourceFault;
use publisher_core::time::Wall;
use std::sync::Arc;

/// 2026-03-06T14:30:01Z, shortly after the recorded times.
const NOW: Wall = Wall::from_ms(1_772_807_401_000);

fn show(row: Result<Row, SourceFault>) -> String {
    let row = match row {
        Ok(row) => row,
        Err(fault) => return fault.code().to_owned(),
    };
    let price =
        |price: Option<_>| price.map_or("-".to_owned(), |p: publisher_core::price::Price| p.to_string());
    let time = row.time.map_or(String::new(), |time| format!(" @{}", time.ms()));
    format!("{} {} {}{time}", price(row.bid), price(row.ask), price(row.last))
}

/// Each symbol with what it gives: bid, ask, last and time, or the fault's code.
fn check(venue: &str, body: &str, expected: &[(&str, &str)]) {
    let preset = preset(venue).unwrap();
    let symbols: Vec<Arc<str>> = expected.iter().map(|(symbol, _)| Arc::from(*symbol)).collect();
    let mut problems = Problems::default();
    let keys = preset.symbols.keys(&symbols, &mut problems);
    problems.finish(venue, Some(())).unwrap();
    let rows = decode::read(&preset.answer, &preset.symbols, &keys, symbols.len(), body.as_bytes(), NOW);
    let rows = rows.unwrap_or_else(|refusal| panic!("{venue}: {refusal:?}"));
    for (row, (symbol, expected)) in rows.into_iter().zip(expected) {
        assert_eq!(show(row), *expected, "{venue} {symbol}");
    }
}

/// The fault of a body that is an error for every symbol, and whether it is about an unknown symbol.
fn refused(venue: &str, body: &str) -> (SourceFault, bool) {
    let preset = preset(venue).unwrap();
    let refusal =
        decode::read(&preset.answer, &preset.symbols, &[].into(), 1, body.as_bytes(), NOW).unwrap_err();
    (refusal.fault, refusal.unknown_symbol)
}

macro_rules! body {
    ($name:literal) => {
        include_str!(concat!("../../../presets/fixtures/", $name, ".json"))
    };
}

#[test]
fn kraken() {
    check(
        "kraken",
        body!("kraken/ok"),
        &[
            ("XBTUSD", "67012 67012.1 67012.1"),
            ("ETHUSD", "3521.42 3521.43 3521.42"),
            ("USDTUSD", "0.99989 0.9999 0.9999"),
            ("SOLUSD", "symbol_missing"),
        ],
    );
    check(
        "kraken",
        body!("kraken/missing"),
        &[("XXBTZUSD", "67012 67012.1 67012.1"), ("ETHUSD", "symbol_missing")],
    );
    check(
        "kraken",
        body!("kraken/odd_rows"),
        &[("XBTUSD", "bad_value"), ("ETHUSD", "bad_body"), ("USDTUSD", "1 1.0001 1.00005")],
    );
    assert_eq!(refused("kraken", body!("kraken/error")), (SourceFault::VenueError, false));
    assert_eq!(refused("kraken", body!("kraken/unknown_symbol")), (SourceFault::VenueError, true));
    assert_eq!(refused("kraken", body!("kraken/rate_limited")), (SourceFault::RateLimited, false));
}

#[test]
fn coinbase() {
    check(
        "coinbase",
        body!("coinbase/ok"),
        &[
            ("BTC-USD", "- - 67012.34"),
            ("ETH-USD", "3521.455 3521.455 3521.9"),
            ("USDT-USD", "- - 0.99991"),
            ("SOL-USD", "symbol_missing"),
        ],
    );
    check(
        "coinbase",
        body!("coinbase/missing"),
        &[("BTC-USD", "- - 67012.34"), ("ETH-USD", "symbol_missing")],
    );
    check(
        "coinbase",
        body!("coinbase/odd_rows"),
        &[("BTC-USD", "symbol_missing"), ("ETH-USD", "bad_value"), ("USDT-USD", "bad_body")],
    );
    assert_eq!(refused("coinbase", body!("coinbase/error")), (SourceFault::VenueError, false));
}

#[test]
fn binance() {
    check(
        "binance",
        body!("binance/ok"),
        &[
            ("BTCUSDT", "67012.12 67012.13 67012.13 @1772807399999"),
            ("ETHUSDT", "3521.49 3521.5 3521.5 @1772807399998"),
            ("PEPEUSDT", "0.00000712 0.00000713 0.00000712 @1772807399990"),
            ("SOLUSDT", "symbol_missing"),
        ],
    );
    check(
        "binance",
        body!("binance/missing"),
        &[("BTCUSDT", "67012.12 67012.13 67012.13 @1772807399999"), ("ETHUSDT", "symbol_missing")],
    );
    check(
        "binance",
        body!("binance/odd_rows"),
        &[
            ("BTCUSDT", "bad_time"),
            ("ETHUSDT", "bad_value"),
            ("PEPEUSDT", "0.00000712 0.00000713 0.00000712 @1772807399990"),
        ],
    );
    assert_eq!(refused("binance", body!("binance/error")), (SourceFault::VenueError, false));
    assert_eq!(refused("binance", body!("binance/unknown_symbol")), (SourceFault::VenueError, true));
}

#[test]
fn bitstamp() {
    check(
        "bitstamp",
        body!("bitstamp/ok"),
        &[
            ("btcusd", "67011 67012 67013 @1772807400000"),
            ("ETH/USD", "3521.4 3521.6 3521.5 @1772807399000"),
            ("usdtusd", "0.99985 0.99995 0.9999 @1772807391000"),
            ("solusd", "symbol_missing"),
        ],
    );
    check(
        "bitstamp",
        body!("bitstamp/missing"),
        &[("btcusd", "67011 67012 67013 @1772807400000"), ("ethusd", "symbol_missing")],
    );
    // A time in milliseconds where seconds belong; one market twice.
    check(
        "bitstamp",
        body!("bitstamp/odd_rows"),
        &[("btcusd", "bad_time"), ("ethusd", "bad_body"), ("usdtusd", "0.99 1.01 1 @1772807399000")],
    );
    assert_eq!(refused("bitstamp", body!("bitstamp/error")), (SourceFault::VenueError, false));
    assert_eq!(refused("bitstamp", body!("bitstamp/rate_limited")), (SourceFault::RateLimited, false));
}

#[test]
fn okx() {
    check(
        "okx",
        body!("okx/ok"),
        &[
            ("BTC-USDT", "67012.4 67012.6 67012.5 @1772807399905"),
            ("ETH-USDT", "- - 3521.44 @1772807398000"),
            ("SOL-USDT", "151 151.02 - @1772807398002"),
            ("DOT-USDT", "symbol_missing"),
        ],
    );
    check(
        "okx",
        body!("okx/missing"),
        &[("BTC-USDT", "67012.4 67012.6 67012.5 @1772807399905"), ("ETH-USDT", "symbol_missing")],
    );
    check(
        "okx",
        body!("okx/odd_rows"),
        &[("BTC-USDT", "bad_value"), ("ETH-USDT", "bad_value"), ("SOL-USDT", "bad_time")],
    );
    assert_eq!(refused("okx", body!("okx/error")), (SourceFault::VenueError, false));
    assert_eq!(refused("okx", body!("okx/rate_limited")), (SourceFault::RateLimited, false));
}

#[test]
fn a_body_of_another_shape_is_no_answer() {
    for venue in ["binance", "bitstamp", "coinbase", "kraken", "okx"] {
        for body in ["", " ", "null", "7", "\"x\"", "<html></html>", "{", "[1,]", "[]x", "\u{feff}[]"] {
            let (fault, _) = refused(venue, body);
            let expected = match (venue, body) {
                // Without its success code there is nothing to judge an envelope by.
                ("okx", "null" | "7" | "\"x\"") => SourceFault::VenueError,
                _ => SourceFault::BadBody,
            };
            assert_eq!(fault, expected, "{venue} {body}");
        }
    }
    assert_eq!(refused("binance", &"[".repeat(65)).0, SourceFault::TooLarge);
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
        check("binance", &body, &[("BTCUSDT", &format!("- - {expected} @1772807399999"))]);
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
        check("binance", &body, &[("BTCUSDT", "bad_value")]);
    }
}

#[test]
fn times_that_cannot_be_are_refused() {
    for (time, expected) in [
        ("1772807399999", "1 2 1.5 @1772807399999"),
        ("\"1772807399999\"", "1 2 1.5 @1772807399999"),
        ("1772807399999.7", "1 2 1.5 @1772807399999"),
        ("1420070400000", "1 2 1.5 @1420070400000"),
        ("1420070399999", "bad_time"),
        // One day ahead of the time of receipt, and a millisecond more.
        ("1772893801000", "1 2 1.5 @1772893801000"),
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
        check("binance", &body, &[("BTCUSDT", expected)]);
    }
    let without = r#"[{"symbol":"BTCUSDT","lastPrice":1.5,"bidPrice":"1","askPrice":"2"}]"#;
    check("binance", without, &[("BTCUSDT", "bad_time")]);
}
