//! KuCoin, spot: a snapshot of all markets with one time for all of them, inside an envelope with the code "200000".

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
        "/api/v1/market/allTickers" => {
            let rows = desk.all();
            let time_ms = rows.iter().map(|row| row.time_ms).min().unwrap_or_else(clock::now_ms);
            let list = Json::List(rows.iter().map(|row| ticker(row)).collect());
            let data = object([("time", number(time_ms)), ("ticker", list)]);
            Answer::json(StatusCode::OK, &object([("code", text("200000")), ("data", data)]), &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &error("404", "Not Found"), &[]),
    }
}

/// Where a token for one connection over WebSocket is asked for, with POST.
pub(crate) const BULLET: &str = "/api/v1/bullet-public";

/// The answer to that; `host` is where the client found us.
pub(crate) fn bullet(token: &str, host: &str) -> Answer {
    let server = object([
        ("endpoint", text(format!("ws://{host}/kucoin/"))),
        ("encrypt", Json::Bool(true)),
        ("protocol", text("websocket")),
        ("pingInterval", number(18_000)),
        ("pingTimeout", number(10_000)),
    ]);
    let data = object([("token", text(token)), ("instanceServers", Json::List(vec![server]))]);
    Answer::json(StatusCode::OK, &object([("code", text("200000")), ("data", data)]), &[])
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error("429000", "Too Many Requests"),
        Refusal::GeoBlocked => error("400302", "Our services are currently unavailable in your region."),
        Refusal::Unavailable | Refusal::InBody => error("500000", "Internal Server Error"),
    }
}

fn error(code: &str, message: &str) -> Json {
    object([("code", text(code)), ("msg", text(message))])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    format!("{}-{}", pair.base, pair.quote)
}

fn ticker(row: &Row) -> Json {
    let price = |value| row.price(value, 0);
    object([
        ("symbol".into(), text(symbol(&row.pair))),
        ("symbolName".into(), text(symbol(&row.pair))),
        (row.key("buy"), price(row.bid)),
        ("bestBidSize".into(), text("2")),
        (row.key("sell"), price(row.ask)),
        ("bestAskSize".into(), text("1")),
        ("changeRate".into(), text("0.0101")),
        ("high".into(), price(row.near(2))),
        ("low".into(), price(row.near(-2))),
        ("vol".into(), row.quantity(row.volume, 0)),
        ("volValue".into(), row.quantity(row.quote_volume(), 0)),
        (row.key("last"), price(row.last)),
        ("averagePrice".into(), price(row.last)),
        ("takerFeeRate".into(), text("0.001")),
        ("makerFeeRate".into(), text("0.001")),
    ])
}
