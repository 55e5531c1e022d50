//! Bybit v5, spot: everything is a string inside an envelope whose time is the answer's, and an error is a `retCode`
//! other than 0 inside HTTP 200.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match (ask.path, ask.parameter("category")) {
        ("/v5/market/tickers", Some("spot")) => {
            let Some(rows) = desk.list(ask.parameter("symbol"), symbol) else {
                return Answer::json(
                    StatusCode::OK,
                    &envelope(10001, "Not supported symbols", object::<&str>([])),
                    &[],
                );
            };
            let list = Json::List(rows.iter().map(|row| ticker(row)).collect());
            let result = object([("category", text("spot")), ("list", list)]);
            // The time of frozen or skewed rows is the only one that the answer has.
            let time_ms = rows.iter().map(|row| row.time_ms).min().unwrap_or_else(clock::now_ms);
            let body = enveloped(0, "OK", result, time_ms);
            Answer::json(StatusCode::OK, &body, &rows)
        }
        ("/v5/market/tickers", _) => {
            Answer::json(StatusCode::OK, &envelope(10001, "Illegal category", object::<&str>([])), &[])
        }
        _ => Answer::text(StatusCode::NOT_FOUND, "text/plain", "404 page not found"),
    }
}

/// The codes are the published ones; a region is refused by the network in front of the venue.
pub(crate) fn refusal(refusal: Refusal) -> Json {
    let (code, message) = match refusal {
        Refusal::RateLimited => (10006, "Too many visits. Exceeded the API Rate Limit."),
        Refusal::Banned => (10018, "Exceeded the IP Rate Limit."),
        Refusal::GeoBlocked => (10024, "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => (10016, "Internal System Error."),
    };
    envelope(code, message, object::<&str>([]))
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote)
}

fn envelope(code: i32, message: &str, result: Json) -> Json {
    enveloped(code, message, result, clock::now_ms())
}

fn enveloped(code: i32, message: &str, result: Json, time_ms: i64) -> Json {
    object([
        ("retCode", number(code)),
        ("retMsg", text(message)),
        ("result", result),
        ("retExtInfo", object::<&str>([])),
        ("time", number(time_ms)),
    ])
}

pub(crate) fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 0);
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        (row.key("bid1Price"), price(row.bid)),
        ("bid1Size".into(), text("2")),
        (row.key("ask1Price"), price(row.ask)),
        ("ask1Size".into(), text("1")),
        (row.key("lastPrice"), price(row.last)),
        ("prevPrice24h".into(), price(row.near(-1))),
        ("price24hPcnt".into(), text("0.0101")),
        ("highPrice24h".into(), price(row.near(2))),
        ("lowPrice24h".into(), price(row.near(-2))),
        ("turnover24h".into(), row.quantity(row.quote_volume(), 0)),
        ("volume24h".into(), row.quantity(row.volume, 0)),
    ])
}
