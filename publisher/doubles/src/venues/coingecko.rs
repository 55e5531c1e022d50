//! CoinGecko's simple price: an object from the coin's id to its price in the currencies asked for, in JSON numbers.
//!
//! An id that is not known is left out.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match (ask.path, ask.parameter("ids"), ask.parameter("vs_currencies")) {
        ("/api/v3/simple/price", Some(ids), Some("usd")) => {
            let is_wanted = |row: &&Row| ids.split(',').any(|wanted| wanted == id(&row.pair));
            let rows: Vec<_> = desk.all().into_iter().filter(is_wanted).collect();
            let with_time = ask.parameter("include_last_updated_at") == Some("true");
            let prices = rows.iter().map(|row| (id(&row.pair), price(row, with_time))).collect();
            Answer::json(StatusCode::OK, &Json::Object(prices), &rows)
        }
        ("/api/v3/simple/price", Some(_), None) => {
            let body = object([("error", text("Missing parameter vs_currencies"))]);
            Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body, &[])
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &object([("error", text("Incorrect path"))]), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    let (code, message) = match refusal {
        Refusal::RateLimited | Refusal::Banned => (429, "You've exceeded the Rate Limit."),
        Refusal::GeoBlocked => (403, "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => (500, "Internal Server Error"),
    };
    let status = object([("error_code", number(code)), ("error_message", text(message))]);
    object([("status", status)])
}

fn id(pair: &Pair) -> String {
    match pair.base.as_str() {
        "BTC" => "bitcoin".to_owned(),
        "ETH" => "ethereum".to_owned(),
        "USDT" => "tether".to_owned(),
        other => other.to_lowercase(),
    }
}

fn price(row: &Row, with_time: bool) -> Json {
    let mut fields = vec![(row.key("usd"), row.price_number(row.last))];
    if with_time {
        fields.push(("last_updated_at".into(), number(row.time_ms.div_euclid(1_000))));
    }
    Json::Object(fields)
}
