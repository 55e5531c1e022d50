//! A made-up API for sources that are a URL and a JSON pointer: nested, with the price both as a string and as
//! a JSON number.
//!
//! `GET /price/BTC-USD` has the last price under `/data/price/last` (string), `/data/price/number` (number),
//! `/data/list/0`, and `/data/a~1b/m~0n`, which only a reader that unescapes pointers finds. Bid and ask stand
//! beside the first; times are under `/data/time/ms`, `/data/time/s` and `/data/time/text`.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::{Desk, Found};
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.segments().as_slice() {
        ["price", name] => match desk.find(|pair| format!("{}-{}", pair.base, pair.quote) == *name) {
            Found::Row(row) => Answer::json(StatusCode::OK, &price(row), &[row]),
            Found::Missing if desk.is_empty() => {
                Answer::text(StatusCode::OK, "application/json", r#"{"status":"ok","data":{}}"#)
            }
            Found::Missing | Found::Unknown => error(StatusCode::NOT_FOUND, "no such price"),
        },
        _ => error(StatusCode::NOT_FOUND, "no such path"),
    }
}

pub(crate) fn error(status: StatusCode, message: &str) -> Answer {
    Answer::json(status, &object([("status", text("error")), ("message", text(message))]), &[])
}

fn price(row: &Row) -> Json {
    let figures = object([
        (row.key("last"), row.price(row.last, 0)),
        (row.key("number"), row.price_number(row.last)),
        (row.key("bid"), row.price(row.bid, 0)),
        (row.key("ask"), row.price(row.ask, 0)),
    ]);
    let time = object([
        ("ms", number(row.time_ms)),
        ("s", number(row.time_ms.div_euclid(1_000))),
        ("text", text(clock::iso8601(row.time_ms))),
    ]);
    let data = object([
        ("symbol", text(&row.pair)),
        ("price", figures),
        ("list", Json::List(vec![row.price(row.last, 0), row.price(row.bid, 0), row.price(row.ask, 0)])),
        ("a/b", object([("m~n", row.price(row.last, 0))])),
        ("volume", row.quantity(row.volume, 0)),
        ("time", time),
    ]);
    object([("status", text("ok")), ("data", data)])
}
