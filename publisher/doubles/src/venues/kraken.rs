//! Kraken spot REST: asked by one name, answered under another, and an error is a list inside HTTP 200.
//!
//! There is no time in the answer. One unknown pair spoils the whole request.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::{Desk, Found};
use super::pair::Pair;
use super::row::Row;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/0/public/Ticker" => ticker(desk, ask.parameter("pair")),
        "/0/public/AssetPairs" => asset_pairs(desk),
        _ => error("EGeneral:Unknown method"),
    }
}

/// Kraken's own asset names in pair names: bitcoin and dogecoin differ from everybody's.
fn asset(name: &str) -> &str {
    match name {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        other => other,
    }
}

/// `XBTUSD`: the name a client asks by.
fn alternative_name(pair: &Pair) -> String {
    format!("{}{}", asset(&pair.base), asset(&pair.quote))
}

/// `XXBTZUSD`: the key of the answer. The oldest assets carry a class letter, but only when both sides are of
/// that age; tether against the dollar has it on one side.
fn key(pair: &Pair) -> String {
    const OLD_COINS: [&str; 9] = ["XBT", "ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "REP"];
    const OLD_FIAT: [&str; 5] = ["USD", "EUR", "GBP", "CAD", "JPY"];
    let (base, quote) = (asset(&pair.base), asset(&pair.quote));
    match (OLD_COINS.contains(&base), OLD_FIAT.contains(&quote)) {
        (true, true) => format!("X{base}Z{quote}"),
        (false, true) if base == "USDT" && quote == "USD" => format!("{base}Z{quote}"),
        _ => format!("{base}{quote}"),
    }
}

fn envelope(result: Json) -> Json {
    object([("error", Json::List(vec![])), ("result", result)])
}

pub(crate) fn error(what: &str) -> Answer {
    let body = object([("error", Json::List(vec![text(what)]))]);
    Answer::json(StatusCode::OK, &body, &[])
}

fn ticker(desk: &Desk, pairs: Option<&str>) -> Answer {
    let mut rows = Vec::new();
    match pairs {
        None => rows = desk.all(),
        Some(names) => {
            for name in names.split(',') {
                let goes_by = |pair: &Pair| {
                    let with_slash = format!("{}/{}", asset(&pair.base), asset(&pair.quote));
                    [alternative_name(pair), key(pair), with_slash].iter().any(|known| known == name)
                };
                match desk.find(goes_by) {
                    Found::Row(row) => rows.push(row),
                    Found::Missing => {}
                    Found::Unknown => return error("EQuery:Unknown asset pair"),
                }
            }
        }
    }
    let result = Json::Object(rows.iter().map(|row| (key(&row.pair), figures(row))).collect());
    Answer::json(StatusCode::OK, &envelope(result), &rows)
}

fn figures(row: &Row) -> Json {
    let price = |value| row.price(value, 5);
    let volume = || row.quantity(row.volume, 8);
    let twice = |value: &dyn Fn() -> Json| Json::List(vec![value(), value()]);
    object([
        (row.key("a"), Json::List(vec![price(row.ask), text("1"), text("1.000")])),
        (row.key("b"), Json::List(vec![price(row.bid), text("2"), text("2.000")])),
        (row.key("c"), Json::List(vec![price(row.last), text("0.00125000")])),
        ("v".into(), twice(&volume)),
        ("p".into(), twice(&|| price(row.last))),
        ("t".into(), Json::List(vec![number(41_234), number(83_456)])),
        ("l".into(), twice(&|| price(row.near(-2)))),
        ("h".into(), twice(&|| price(row.near(2)))),
        ("o".into(), price(row.near(-1))),
    ])
}

fn asset_pairs(desk: &Desk) -> Answer {
    let listed = |row: &&Row| {
        let pair = &row.pair;
        let fields = object([
            ("altname", text(alternative_name(pair))),
            ("wsname", text(format!("{}/{}", asset(&pair.base), asset(&pair.quote)))),
            ("aclass_base", text("currency")),
            ("base", text(asset(&pair.base))),
            ("aclass_quote", text("currency")),
            ("quote", text(asset(&pair.quote))),
            ("pair_decimals", number(5)),
            ("lot_decimals", number(8)),
            ("status", text(if row.halted { "cancel_only" } else { "online" })),
        ]);
        (key(pair), fields)
    };
    let result = Json::Object(desk.listed().iter().map(listed).collect());
    Answer::json(StatusCode::OK, &envelope(result), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_under_krakens_own_names() {
        let check = |pair: &str, asked: &str, answered: &str| {
            let pair: Pair = pair.parse().unwrap();
            assert_eq!((alternative_name(&pair).as_str(), key(&pair).as_str()), (asked, answered));
        };
        check("BTC/USD", "XBTUSD", "XXBTZUSD");
        check("ETH/USD", "ETHUSD", "XETHZUSD");
        check("USDT/USD", "USDTUSD", "USDTZUSD");
        check("BTC/USDT", "XBTUSDT", "XBTUSDT");
        check("SOL/USD", "SOLUSD", "SOLUSD");
        check("DOGE/USD", "XDGUSD", "XDGUSD");
    }
}
