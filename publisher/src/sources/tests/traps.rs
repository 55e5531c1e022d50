//! What venues do that a reader of their documents would not expect: each trap by name, on the recorded bodies.

use super::super::preset;
use super::super::preset::Preset;
use super::fixtures::{of, refused, row};

/// A symbol's row of a recorded body.
fn recorded(venue: &str, body: &str, symbol: &str) -> String {
    row(venue, &text(venue, body), symbol)
}

fn text(venue: &str, body: &str) -> String {
    String::from_utf8(of(venue).bodies.remove(body).unwrap()).unwrap()
}

fn market(venue: &str, symbol: &str) -> (String, String) {
    let market = preset(venue).unwrap().market(symbol).unwrap_or_else(|| panic!("{venue}:{symbol}"));
    (market.base, market.quote)
}

#[test]
fn a_symbol_is_not_an_identity() {
    for (venue, symbol, base, quote) in [
        ("kraken", "XBTUSD", "BTC", "USD"),
        ("kraken", "XXBTZUSD", "BTC", "USD"),
        ("kraken", "XDGUSD", "DOGE", "USD"),
        ("kraken", "XXDGZUSD", "DOGE", "USD"),
        ("kraken", "USTUSD", "USTC", "USD"),
        ("kraken", "LUNAUSD", "LUNC", "USD"),
        ("kraken", "LUNA2USD", "LUNA", "USD"),
        ("kraken", "FEEUSD", "KFEE", "USD"),
        ("bitfinex", "tBTCUST", "BTC", "USDT"),
        ("bitfinex", "tUSTUSD", "USDT", "USD"),
        ("bitfinex", "tDSHUSD", "DASH", "USD"),
        ("bitfinex", "tIOTUSD", "IOTA", "USD"),
        ("bitfinex", "tALGUSD", "ALGO", "USD"),
        ("bitfinex", "tATOUSD", "ATOM", "USD"),
        ("bitfinex", "tDATUSD", "DATA", "USD"),
        ("bitfinex", "tEUTUSD", "EURT", "USD"),
        ("bitfinex", "tBCHN:USD", "BCH", "USD"),
        ("bitfinex", "tLUNA:USD", "LUNC", "USD"),
        ("gate", "GTC_USDT", "GAMECOM", "USDT"),
        ("gate", "BIFI_USDT", "BITCOINFILE", "USDT"),
        ("gate", "HIT_USDT", "HITCHAIN", "USDT"),
        ("gate", "RAI_USDT", "RAIREFLEXINDEX", "USDT"),
        ("gate", "MPH_USDT", "MORPHER", "USDT"),
        ("gate", "TRAC_USDT", "TRACO", "USDT"),
        ("htx", "gtcusdt", "GAMECOM", "USDT"),
        ("htx", "hitusdt", "HITCHAIN", "USDT"),
        ("htx", "bifiusdt", "BITCOINFILE", "USDT"),
        ("htx", "btcusdt", "BTC", "USDT"),
        ("kucoin", "ALT-USDT", "APTOSLAUNCH", "USDT"),
        ("kucoin", "KALT-USDT", "ALT", "USDT"),
        ("kucoin", "BIFI-USDT", "BIFIF", "USDT"),
        ("kucoin", "WAX-USDT", "WAXP", "USDT"),
        ("mexc", "GASUSDT", "GASDAO", "USDT"),
        ("mexc", "GASNEOUSDT", "GAS", "USDT"),
        ("mexc", "GMTUSDT", "GMTTOKEN", "USDT"),
        ("mexc", "STEPNUSDT", "GMT", "USDT"),
        ("mexc", "FLUXUSDT", "FLUX1", "USDT"),
        ("mexc", "FLUX1USDT", "FLUX", "USDT"),
        ("upbit", "KRW-TON", "TOKAMAK", "KRW"),
        ("bitget", "TONCOINUSDT", "TON", "USDT"),
        ("bitget", "OMNIUSDT", "OMNI2", "USDT"),
        ("okx", "AE-USDT", "AET", "USDT"),
    ] {
        assert_eq!(market(venue, symbol), (base.to_owned(), quote.to_owned()), "{venue}:{symbol}");
    }
}

#[test]
fn kraken_answers_under_other_keys_than_it_was_asked_by() {
    assert!(!text("kraken", "ok").contains("\"XBTUSD\""));
    assert!(recorded("kraken", "ok", "XBTUSD").starts_with("67012 "));
}

#[test]
fn venues_that_say_no_time_are_known() {
    let without: Vec<_> = super::super::presets().iter().filter(|p| !p.has_time()).map(Preset::id).collect();
    assert_eq!(without, ["bitfinex", "coinbase", "gate", "gemini", "kraken"]);
}

#[test]
fn units_of_time_differ() {
    let second = recorded("bitstamp", "ok", "btcusd");
    assert!(second.ends_with("@1772807400000"), "{second}");
    let millisecond = recorded("okx", "ok", "BTC-USDT");
    assert!(millisecond.ends_with("@1772807399905"), "{millisecond}");
    // Seconds where milliseconds belong are an instant in 1970, which no venue means.
    assert_eq!(recorded("binance", "odd_rows", "BTCUSDT"), "bad_time");
    assert_eq!(recorded("bitstamp", "odd_rows", "btcusd"), "bad_time");
}

#[test]
fn an_error_with_status_200_is_no_empty_answer() {
    for venue in super::super::presets().iter().map(Preset::id) {
        assert_eq!(refused(venue, &text(venue, "error")), "venue_error", "{venue}");
        assert_eq!(
            refused(venue, "<!DOCTYPE html><html><body>Just a moment...</body></html>"),
            "bad_body",
            "{venue}"
        );
    }
}

#[test]
fn crypto_coms_a_is_the_last_trade_and_k_the_ask() {
    let body =
        r#"{"code":0,"result":{"data":[{"i":"BTC_USD","a":"2","b":"1","k":"3","v":"5","t":1772807399905}]}}"#;
    assert_eq!(row("crypto-com", body, "BTC_USD"), "1 3 2 5 @1772807399905");
}

#[test]
fn bitfinex_funding_rows_and_perpetuals_are_not_spot() {
    // fUSD stands in the list with a number where a spot row has its last trade.
    assert!(text("bitfinex", "ok").contains("\"fUSD\""));
    for symbol in ["fUSD", "tBTCF0:USTF0"] {
        assert!(!is_symbol("bitfinex", symbol), "{symbol}");
    }
    assert!(is_symbol("bitfinex", "tDUSK:USD"));
}

#[test]
fn perpetuals_are_not_spot() {
    for (venue, symbol) in [
        ("gemini", "BTCGUSDPERP"),
        ("crypto-com", "BTCUSD-PERP"),
        ("okx", "BTC-USDT-SWAP"),
        ("bitstamp", "btcusd-perp"),
    ] {
        assert!(text(venue, "ok").to_uppercase().contains("PERP") || venue == "okx", "{venue}");
        assert!(!is_symbol(venue, symbol), "{venue}:{symbol}");
    }
}

fn is_symbol(venue: &str, symbol: &str) -> bool {
    let mut problems = super::super::problem::Problems::default();
    preset(venue).unwrap().symbols.keys(&[symbol.into()], &mut problems);
    problems.finish(venue, Some(())).is_ok()
}

#[test]
fn volumes_are_in_the_base_asset() {
    // The same body says the volume in the quote asset, which is some 67,000 times as much.
    for (venue, symbol, field, expected) in [
        ("htx", "btcusdt", "\"vol\":156789012.34567891", " 2345.678901234567 "),
        ("okx", "BTC-USDT", "\"volCcy24h\":\"612345678.9\"", " 9123.4 "),
        ("bybit", "BTCUSDT", "\"turnover24h\":\"612345678.9\"", " 9123.4 "),
        ("kucoin", "BTC-USDT", "\"volValue\":\"156789012.3\"", " 2345.6 "),
        ("gate", "BTC_USDT", "\"quote_volume\":\"156789012.3\"", " 2345.6"),
        ("mexc", "BTCUSDT", "\"quoteVolume\":\"1566949345.12\"", " 23456.789 "),
        ("bitget", "BTCUSDT", "\"quoteVolume\":\"156789012.3\"", " 2345.6 "),
        ("crypto-com", "BTC_USD", "\"vv\":\"82721234.50\"", " 1234.5091 "),
    ] {
        assert!(text(venue, "ok").contains(field), "{venue}");
        let row = recorded(venue, "ok", symbol);
        assert!(row.contains(expected), "{venue}: {row}");
    }
}

#[test]
fn aggregators_name_coins_by_id_because_tickers_are_shared() {
    assert_eq!(market("coingecko", "bitcoin"), ("BTC".to_owned(), "USD".to_owned()));
    assert_eq!(market("coinmarketcap", "1"), ("BTC".to_owned(), "USD".to_owned()));
    // 31469 is called BTC, too.
    assert_eq!(market("coinmarketcap", "31469"), ("31469".to_owned(), "USD".to_owned()));
    for (venue, symbol) in [("coingecko", "BTC"), ("coinmarketcap", "BTC"), ("coinmarketcap", "BTC,ETH")] {
        assert!(!is_symbol(venue, symbol), "{venue}:{symbol}");
    }
    // The coin called "status" stands where CoinGecko has its errors.
    assert!(recorded("coingecko", "ok", "status").contains(" 0.0213 "));
}

#[test]
fn reference_rates_the_other_way_round_are_no_answer() {
    assert_eq!(refused("ecb", &text("ecb", "other_base")), "venue_error");
    assert_eq!(market("ecb", "EUR/USD"), ("EUR".to_owned(), "USD".to_owned()));
    // Of a day that has just begun nothing is known: it counts from its beginning.
    assert!(recorded("ecb", "ok", "EUR/USD").ends_with("@1772755200000"));
}

#[test]
fn upbit_names_the_quote_asset_first() {
    assert_eq!(market("upbit", "KRW-BTC"), ("BTC".to_owned(), "KRW".to_owned()));
    assert!(recorded("upbit", "ok", "USDT-BTC").contains(" 67010.5 "));
}

#[test]
fn json_numbers_keep_every_digit() {
    assert!(recorded("bitfinex", "ok", "tDUSK:USD").starts_with("0.21 0.2101 0.21 "));
    assert!(recorded("htx", "ok", "pepeusdt").starts_with("0.000007119 0.000007121 0.00000712 "));
    assert!(recorded("upbit", "ok", "BTC-SHIB").contains(" 0.00000000018 "));
    let body = r#"[["tBTCUSD",67012.100000000000000001,1,67012.2,1,1,1,67012.15,1,1,1]]"#;
    assert!(row("bitfinex", body, "tBTCUSD").starts_with("67012.100000000000000001 "));
}

/// Without this what a venue has given up is asked for years, as peers' samples do, and its last price is believed.
#[test]
fn s17_what_serves_no_more_is_asked_by_no_preset() {
    for preset in super::super::presets() {
        assert_eq!(preset.retired(None), None, "{}", preset.id());
    }
    for (venue, base, gone) in [
        ("crypto-com", "https://api.crypto.com/v2", Some("api.crypto.com/v2")),
        ("crypto-com", "https://api.crypto.com/v2/public", Some("api.crypto.com/v2")),
        ("crypto-com", "https://api.crypto.com/v23", None),
        ("crypto-com", "https://api.crypto.com", None),
        ("mexc", "https://www.mexc.com/open/api/v2/", Some("www.mexc.com/open/api/v2")),
        ("mexc", "https://www.mexc.com", None),
        ("coinbase", "https://api.pro.coinbase.com", Some("api.pro.coinbase.com")),
        ("coinbase", "https://api.pro.coinbase.com.example", None),
    ] {
        let base = base.parse().unwrap();
        assert_eq!(preset(venue).unwrap().retired(Some(&base)), gone, "{base}");
    }
    // A file of one's own, whose socket is the one that acknowledges and then says nothing.
    let mut old = preset("mexc").unwrap().clone();
    old.stream.as_mut().unwrap().hosts = vec!["wss://wbs.mexc.com".parse().unwrap()];
    assert_eq!(old.retired(None), Some("wbs.mexc.com"));
}
