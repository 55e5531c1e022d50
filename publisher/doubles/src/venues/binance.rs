//! Binance spot REST: symbols as a JSON list in the query, and prices padded to eight decimals.
//!
//! One unknown symbol spoils the whole request with HTTP 400 and code -1121. `bookTicker` and `price` carry no
//! time.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::{Desk, Found};
use super::pair::Pair;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

/// A day less the millisecond that keeps consecutive windows apart.
const WINDOW_MS: i64 = 86_399_999;

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/api/v3/ticker/24hr" if ask.parameter("type") == Some("MINI") => tickers(desk, ask, mini_day),
        "/api/v3/ticker/24hr" => tickers(desk, ask, full_day),
        "/api/v3/ticker/bookTicker" => tickers(desk, ask, book),
        "/api/v3/ticker/price" => tickers(desk, ask, price),
        "/api/v3/ping" => Answer::text(StatusCode::OK, "application/json", "{}"),
        "/api/v3/time" => {
            let body = object([("serverTime", number(clock::now_ms()))]);
            Answer::json(StatusCode::OK, &body, &[])
        }
        "/api/v3/exchangeInfo" => exchange_info(desk),
        _ => Answer::text(
            StatusCode::NOT_FOUND,
            "text/html",
            "<html><body><h2>404 Not found</h2></body></html>",
        ),
    }
}

fn symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote)
}

fn error(code: i32, message: &str) -> Answer {
    let body = object([("code", number(code)), ("msg", text(message))]);
    Answer::json(StatusCode::BAD_REQUEST, &body, &[])
}

/// The symbols asked for, or none for all; and whether the answer is a list.
fn wanted(ask: &Ask<'_>) -> Result<(Option<Vec<String>>, bool), Answer> {
    let is_symbol = |name: &String| {
        (1..=20).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    match (ask.parameter("symbol"), ask.parameter("symbols")) {
        (Some(_), Some(_)) => Err(error(-1128, "Combination of optional parameters invalid.")),
        (None, None) => Ok((None, true)),
        (Some(one), None) => match Some(one.to_owned()).filter(is_symbol) {
            Some(one) => Ok((Some(vec![one]), false)),
            None => Err(error(
                -1100,
                "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
            )),
        },
        (None, Some(list)) => {
            // Binance takes the list without white space only.
            let names = serde_json::from_str::<Vec<String>>(list).ok();
            let names = names.filter(|names| names.iter().all(is_symbol) && !list.contains(' '));
            names.map(|names| (Some(names), true)).ok_or_else(|| {
                error(
                    -1100,
                    "Illegal characters found in parameter 'symbols'; legal range is \
                     '^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$'.",
                )
            })
        }
    }
}

fn tickers(desk: &Desk, ask: &Ask<'_>, write: impl Fn(&Row) -> Json) -> Answer {
    let (names, as_list) = match wanted(ask) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let mut rows = Vec::new();
    for name in names.iter().flatten() {
        match desk.find(|pair| symbol(pair) == *name) {
            Found::Row(row) => rows.push(row),
            Found::Missing if as_list => {}
            Found::Missing if desk.is_empty() => {
                return Answer::text(StatusCode::OK, "application/json", "{}");
            }
            Found::Missing | Found::Unknown => return error(-1121, "Invalid symbol."),
        }
    }
    if names.is_none() {
        rows = desk.all();
    }
    let written = match rows.as_slice() {
        [row] if !as_list => write(row),
        rows => Json::List(rows.iter().map(|row| write(row)).collect()),
    };
    Answer::json(StatusCode::OK, &written, &rows)
}

fn full_day(row: &Row) -> Json {
    let day = |value| row.price(value, 8);
    let change = row.near(1).plus_units(row.last.negated().mantissa()).unwrap_or(row.last);
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        ("priceChange".into(), text(change.at_least(8).unwrap_or(change))),
        ("priceChangePercent".into(), text("1.010")),
        ("weightedAvgPrice".into(), day(row.last)),
        ("prevClosePrice".into(), day(row.near(-1))),
        (row.key("lastPrice"), day(row.last)),
        ("lastQty".into(), text("0.00125000")),
        (row.key("bidPrice"), day(row.bid)),
        ("bidQty".into(), text("2.00000000")),
        (row.key("askPrice"), day(row.ask)),
        ("askQty".into(), text("1.00000000")),
        ("openPrice".into(), day(row.near(-1))),
        ("highPrice".into(), day(row.near(2))),
        ("lowPrice".into(), day(row.near(-2))),
        ("volume".into(), row.quantity(row.volume, 8)),
        ("quoteVolume".into(), row.quantity(row.quote_volume(), 8)),
        ("openTime".into(), number(row.time_ms - WINDOW_MS)),
        ("closeTime".into(), number(row.time_ms)),
        ("firstId".into(), number(row.time_ms - 100_000)),
        ("lastId".into(), number(row.time_ms)),
        ("count".into(), number(100_001)),
    ])
}

fn mini_day(row: &Row) -> Json {
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        ("openPrice".into(), row.price(row.near(-1), 8)),
        ("highPrice".into(), row.price(row.near(2), 8)),
        ("lowPrice".into(), row.price(row.near(-2), 8)),
        (row.key("lastPrice"), row.price(row.last, 8)),
        ("volume".into(), row.quantity(row.volume, 8)),
        ("quoteVolume".into(), row.quantity(row.quote_volume(), 8)),
        ("openTime".into(), number(row.time_ms - WINDOW_MS)),
        ("closeTime".into(), number(row.time_ms)),
        ("firstId".into(), number(row.time_ms - 100_000)),
        ("lastId".into(), number(row.time_ms)),
        ("count".into(), number(100_001)),
    ])
}

fn book(row: &Row) -> Json {
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        (row.key("bidPrice"), row.price(row.bid, 8)),
        ("bidQty".into(), text("2.00000000")),
        (row.key("askPrice"), row.price(row.ask, 8)),
        ("askQty".into(), text("1.00000000")),
    ])
}

fn price(row: &Row) -> Json {
    object([("symbol".into(), text(symbol(&row.pair))), (row.key("price"), row.price(row.last, 8))])
}

fn exchange_info(desk: &Desk) -> Answer {
    let listed = |row: &&Row| {
        object([
            ("symbol", text(symbol(&row.pair))),
            ("status", text(if row.halted { "BREAK" } else { "TRADING" })),
            ("baseAsset", text(&row.pair.base)),
            ("baseAssetPrecision", number(8)),
            ("quoteAsset", text(&row.pair.quote)),
            ("quotePrecision", number(8)),
            ("isSpotTradingAllowed", Json::Bool(true)),
        ])
    };
    let body = object([
        ("timezone", text("UTC")),
        ("serverTime", number(clock::now_ms())),
        ("rateLimits", Json::List(vec![])),
        ("exchangeFilters", Json::List(vec![])),
        ("symbols", Json::List(desk.listed().iter().map(listed).collect())),
    ]);
    Answer::json(StatusCode::OK, &body, &[])
}
