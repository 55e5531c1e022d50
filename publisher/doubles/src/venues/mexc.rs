//! MEXC v3, spot: Binance's format, with all markets or one.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match (ask.path, ask.parameter("symbol")) {
        ("/api/v3/ticker/24hr", None) => {
            let rows = desk.all();
            Answer::json(StatusCode::OK, &Json::List(rows.iter().map(|row| ticker(row)).collect()), &rows)
        }
        ("/api/v3/ticker/24hr", Some(name)) => {
            match desk.all().into_iter().find(|row| symbol(&row.pair) == name) {
                Some(row) => Answer::json(StatusCode::OK, &ticker(row), &[row]),
                None => Answer::json(StatusCode::BAD_REQUEST, &error(-1121, "Invalid symbol."), &[]),
            }
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &error(404, "Not Found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error(429, "Too many requests"),
        Refusal::GeoBlocked => error(403, "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => error(500, "Internal error"),
    }
}

fn error(code: i32, message: &str) -> Json {
    object([("code", number(code)), ("msg", text(message))])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote)
}

fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 0);
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        ("priceChangePercent".into(), text("0.0101")),
        ("prevClosePrice".into(), price(row.near(-1))),
        (row.key("lastPrice"), price(row.last)),
        (row.key("bidPrice"), price(row.bid)),
        ("bidQty".into(), text("2")),
        (row.key("askPrice"), price(row.ask)),
        ("askQty".into(), text("1")),
        ("openPrice".into(), price(row.near(-1))),
        ("highPrice".into(), price(row.near(2))),
        ("lowPrice".into(), price(row.near(-2))),
        ("volume".into(), row.quantity(row.volume, 0)),
        ("quoteVolume".into(), row.quantity(row.quote_volume(), 0)),
        ("openTime".into(), number(row.time_ms - 600_000)),
        ("closeTime".into(), number(row.time_ms)),
        ("count".into(), Json::Null),
    ])
}
