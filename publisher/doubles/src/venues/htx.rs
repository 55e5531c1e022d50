//! HTX: symbols in small letters, JSON numbers, one time for the whole answer, and `vol` in the quote asset.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/market/tickers" => {
            let rows = desk.all();
            let time_ms = rows.iter().map(|row| row.time_ms).min().unwrap_or_else(clock::now_ms);
            let body = object([
                ("status", text("ok")),
                ("ts", number(time_ms)),
                ("data", Json::List(rows.iter().map(|row| ticker(row)).collect())),
            ]);
            Answer::json(StatusCode::OK, &body, &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &error("not-found", "Not Found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => {
            error("api-request-too-many-requests", "exceeded rate limit")
        }
        Refusal::GeoBlocked => error("forbidden-region", "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => error("system-error", "System error"),
    }
}

fn error(code: &str, message: &str) -> Json {
    object([
        ("status", text("error")),
        ("err-code", text(code)),
        ("err-msg", text(message)),
        ("ts", number(clock::now_ms())),
    ])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote).to_lowercase()
}

pub(crate) fn ticker(row: &Row) -> Json {
    let price = |value| row.price_number(value);
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        ("open".into(), number(row.near(-1))),
        ("high".into(), number(row.near(2))),
        ("low".into(), number(row.near(-2))),
        (row.key("close"), price(row.last)),
        ("amount".into(), number(row.volume)),
        ("vol".into(), number(row.quote_volume())),
        ("count".into(), number(100_001)),
        (row.key("bid"), price(row.bid)),
        ("bidSize".into(), number(2)),
        (row.key("ask"), price(row.ask)),
        ("askSize".into(), number(1)),
    ])
}
