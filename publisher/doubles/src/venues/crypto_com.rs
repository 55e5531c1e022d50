//! Crypto.com Exchange v1: one letter for each field, of which `a` is the last trade and `k` the ask.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/exchange/v1/public/get-tickers" => {
            let Some(rows) = desk.list(ask.parameter("instrument_name"), symbol) else {
                return Answer::json(
                    StatusCode::BAD_REQUEST,
                    &error(40004, "Missing or invalid argument"),
                    &[],
                );
            };
            let data = Json::List(rows.iter().map(|row| ticker(row)).collect());
            let body = object([
                ("id", number(-1)),
                ("method", text("public/get-tickers")),
                ("code", number(0)),
                ("result", object([("data", data)])),
            ]);
            Answer::json(StatusCode::OK, &body, &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &error(40401, "Not found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error(42901, "Too many requests"),
        Refusal::GeoBlocked => error(40301, "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => error(50001, "Internal error"),
    }
}

fn error(code: i32, message: &str) -> Json {
    object([
        ("id", number(-1)),
        ("method", text("public/get-tickers")),
        ("code", number(code)),
        ("message", text(message)),
    ])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}_{}", pair.base, pair.quote)
}

pub(crate) fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 2);
    object([
        ("i".into(), text(symbol(&row.pair))),
        ("h".into(), price(row.near(2))),
        ("l".into(), price(row.near(-2))),
        (row.key("a"), price(row.last)),
        ("v".into(), row.quantity(row.volume, 0)),
        ("vv".into(), row.quantity(row.quote_volume(), 2)),
        ("c".into(), text("0.0101")),
        (row.key("b"), price(row.bid)),
        (row.key("k"), price(row.ask)),
        ("oi".into(), text("0")),
        ("t".into(), number(row.time_ms)),
    ])
}
