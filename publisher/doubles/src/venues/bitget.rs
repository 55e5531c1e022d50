//! Bitget v2, spot: strings in an envelope with the code "00000".

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
        "/api/v2/spot/market/tickers" => {
            let Some(rows) = desk.list(ask.parameter("symbol"), symbol) else {
                let body = envelope("40034", "Parameter does not exist", Json::Null);
                return Answer::json(StatusCode::BAD_REQUEST, &body, &[]);
            };
            let data = Json::List(rows.iter().map(|row| ticker(row)).collect());
            Answer::json(StatusCode::OK, &envelope("00000", "success", data), &rows)
        }
        _ => {
            Answer::json(StatusCode::NOT_FOUND, &envelope("40404", "Request URL NOT FOUND", Json::Null), &[])
        }
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    let (code, message) = match refusal {
        Refusal::RateLimited | Refusal::Banned => ("429", "Too Many Requests"),
        Refusal::GeoBlocked => ("40403", "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => ("40015", "System is abnormal, please try again later"),
    };
    envelope(code, message, Json::Null)
}

fn envelope(code: &str, message: &str, data: Json) -> Json {
    object([
        ("code", text(code)),
        ("msg", text(message)),
        ("requestTime", number(clock::now_ms())),
        ("data", data),
    ])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote)
}

pub(crate) fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 0);
    object([
        ("open".into(), price(row.near(-1))),
        ("symbol".into(), text(symbol(&row.pair))),
        ("high24h".into(), price(row.near(2))),
        ("low24h".into(), price(row.near(-2))),
        (row.key("lastPr"), price(row.last)),
        ("quoteVolume".into(), row.quantity(row.quote_volume(), 0)),
        ("baseVolume".into(), row.quantity(row.volume, 0)),
        ("usdtVolume".into(), row.quantity(row.quote_volume(), 0)),
        ("ts".into(), text(row.time_ms)),
        (row.key("bidPr"), price(row.bid)),
        (row.key("askPr"), price(row.ask)),
        ("bidSz".into(), text("2")),
        ("askSz".into(), text("1")),
        ("change24h".into(), text("0.0101")),
    ])
}
