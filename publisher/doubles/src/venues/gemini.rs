//! Gemini: the list of last trades, without a book, a volume or a time, and with a perpetual among them.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/v1/pricefeed" => {
            let rows = desk.all();
            let mut list: Vec<_> = rows.iter().map(|row| entry(row, &symbol(&row.pair))).collect();
            list.extend(rows.first().map(|row| entry(row, &format!("{}GUSDPERP", row.pair.base))));
            Answer::json(StatusCode::OK, &Json::List(list), &rows)
        }
        _ => {
            Answer::json(StatusCode::NOT_FOUND, &error("EndpointNotFound", "API entry point not found"), &[])
        }
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error("RateLimit", "Requests were made too frequently"),
        Refusal::GeoBlocked => error("Restricted", "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => {
            error("Maintenance", "The Gemini Exchange is currently undergoing maintenance.")
        }
    }
}

fn error(reason: &str, message: &str) -> Json {
    object([("result", text("error")), ("reason", text(reason)), ("message", text(message))])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote)
}

fn entry(row: &Row, symbol: &str) -> Json {
    object([
        ("pair".into(), text(symbol)),
        (row.key("price"), row.price(row.last, 2)),
        ("percentChange24h".into(), text("0.0101")),
    ])
}
