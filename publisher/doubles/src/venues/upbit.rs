//! Upbit: the quote asset stands first, numbers are JSON numbers, and there is no book.
//!
//! One unknown market spoils the whole request with HTTP 404.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::desk::Found;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    let error = |status, name: &str, message: &str| Answer::json(status, &error(text(name), message), &[]);
    match (ask.path, ask.parameter("markets")) {
        ("/v1/ticker", Some(names)) => {
            let mut rows = Vec::new();
            for name in names.split(',') {
                match desk.find(|pair| symbol(pair) == name) {
                    Found::Row(row) => rows.push(row),
                    Found::Missing => {}
                    Found::Unknown => return unknown(),
                }
            }
            Answer::json(StatusCode::OK, &Json::List(rows.iter().map(|row| ticker(row)).collect()), &rows)
        }
        ("/v1/ticker", None) => error(StatusCode::BAD_REQUEST, "missing_parameter", "markets is missing"),
        _ => error(StatusCode::NOT_FOUND, "not_found", "no such path"),
    }
}

fn unknown() -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &error(number(404), "Code not found"), &[])
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error(text("too_many_requests"), "Too many API requests."),
        Refusal::GeoBlocked => error(text("forbidden_region"), "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => {
            error(text("internal_server_error"), "An internal error occurred.")
        }
    }
}

fn error(name: Json, message: &str) -> Json {
    object([("error", object([("name", name), ("message", text(message))]))])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}-{}", pair.quote, pair.base)
}

fn ticker(row: &Row) -> Json {
    object([
        ("market".into(), text(symbol(&row.pair))),
        ("trade_timestamp".into(), number(row.time_ms)),
        ("opening_price".into(), number(row.near(-1))),
        ("high_price".into(), number(row.near(2))),
        ("low_price".into(), number(row.near(-2))),
        (row.key("trade_price"), row.price_number(row.last)),
        ("change".into(), text("RISE")),
        ("acc_trade_volume_24h".into(), number(row.volume)),
        ("acc_trade_price_24h".into(), number(row.quote_volume())),
        ("timestamp".into(), number(row.time_ms)),
    ])
}
