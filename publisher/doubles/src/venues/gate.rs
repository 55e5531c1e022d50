//! Gate v4, spot: a bare list without any time, and errors as a label and a message.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/api/v4/spot/tickers" => {
            let Some(rows) = desk.list(ask.parameter("currency_pair"), symbol) else {
                let body = error("INVALID_CURRENCY_PAIR", "Invalid currency pair");
                return Answer::json(StatusCode::BAD_REQUEST, &body, &[]);
            };
            Answer::json(StatusCode::OK, &Json::List(rows.iter().map(|row| ticker(row)).collect()), &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &error("NOT_FOUND", "Not found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error("TOO_MANY_REQUESTS", "Request Rate limit Exceeded"),
        Refusal::GeoBlocked => error("FORBIDDEN", "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => error("SERVER_ERROR", "Internal server error"),
    }
}

fn error(label: &str, message: &str) -> Json {
    object([("label", text(label)), ("message", text(message))])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}_{}", pair.base, pair.quote)
}

pub(crate) fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 0);
    object([
        ("currency_pair".into(), text(symbol(&row.pair))),
        (row.key("last"), price(row.last)),
        (row.key("lowest_ask"), price(row.ask)),
        ("lowest_size".into(), text("1")),
        (row.key("highest_bid"), price(row.bid)),
        ("highest_size".into(), text("2")),
        ("change_percentage".into(), text("1.01")),
        ("base_volume".into(), row.quantity(row.volume, 0)),
        ("quote_volume".into(), row.quantity(row.quote_volume(), 0)),
        ("high_24h".into(), price(row.near(2))),
        ("low_24h".into(), price(row.near(-2))),
    ])
}
