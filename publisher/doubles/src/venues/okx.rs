//! OKX REST v5: everything is a string, every answer is an envelope, and most errors are a `code` other than
//! `"0"` inside HTTP 200.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::{Desk, Found};
use super::pair::Pair;
use super::row::Row;
use crate::json::{Json, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.path {
        "/api/v5/market/tickers" => match ask.parameter("instType") {
            Some("SPOT") => {
                let rows = desk.all();
                success(rows.iter().map(|row| ticker(row)).collect(), &rows)
            }
            // Derivatives exist at the venue, but not here.
            Some("SWAP" | "FUTURES" | "OPTION") => success(vec![], &[]),
            Some(_) => error(StatusCode::BAD_REQUEST, "51000", "Parameter instType error"),
            None => error(StatusCode::BAD_REQUEST, "50014", "Parameter instType can not be empty"),
        },
        "/api/v5/market/ticker" => match ask.parameter("instId") {
            None => error(StatusCode::BAD_REQUEST, "50014", "Parameter instId can not be empty"),
            Some(name) => match desk.find(|pair| instrument(pair) == name) {
                Found::Row(row) => success(vec![ticker(row)], &[row]),
                Found::Missing if desk.is_empty() => success(vec![], &[]),
                Found::Missing | Found::Unknown => {
                    error(StatusCode::OK, "51001", "Instrument ID does not exist")
                }
            },
        },
        "/api/v5/public/instruments" => {
            let listed = |row: &&Row| {
                object([
                    ("instType", text("SPOT")),
                    ("instId", text(instrument(&row.pair))),
                    ("baseCcy", text(&row.pair.base)),
                    ("quoteCcy", text(&row.pair.quote)),
                    ("state", text(if row.halted { "suspend" } else { "live" })),
                ])
            };
            success(desk.listed().iter().map(listed).collect(), &[])
        }
        "/api/v5/public/time" => success(vec![object([("ts", text(crate::clock::now_ms()))])], &[]),
        _ => error(StatusCode::NOT_FOUND, "404", "Not Found"),
    }
}

pub(super) fn instrument(pair: &Pair) -> String {
    format!("{}-{}", pair.base, pair.quote)
}

fn success(data: Vec<Json>, rows: &[&Row]) -> Answer {
    let body = object([("code", text("0")), ("msg", text("")), ("data", Json::List(data))]);
    Answer::json(StatusCode::OK, &body, rows)
}

pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = object([("code", text(code)), ("data", Json::List(vec![])), ("msg", text(message))]);
    Answer::json(status, &body, &[])
}

pub(super) fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 0);
    object([
        ("instType".into(), text("SPOT")),
        ("instId".into(), text(instrument(&row.pair))),
        (row.key("last"), price(row.last)),
        ("lastSz".into(), text("0.00125")),
        (row.key("askPx"), price(row.ask)),
        ("askSz".into(), text("1")),
        (row.key("bidPx"), price(row.bid)),
        ("bidSz".into(), text("2")),
        ("open24h".into(), price(row.near(-1))),
        ("high24h".into(), price(row.near(2))),
        ("low24h".into(), price(row.near(-2))),
        ("volCcy24h".into(), row.quantity(row.quote_volume(), 0)),
        ("vol24h".into(), row.quantity(row.volume, 0)),
        ("ts".into(), text(row.time_ms)),
        ("sodUtc0".into(), price(row.near(-1))),
        ("sodUtc8".into(), price(row.near(-1))),
    ])
}
