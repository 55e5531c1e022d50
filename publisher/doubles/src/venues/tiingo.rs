//! Tiingo's forex top of book: a list of the tickers asked for, with a key, in JSON numbers.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    if !ask.header("authorization").is_some_and(|value| value.starts_with("Token ")) {
        return Answer::json(StatusCode::UNAUTHORIZED, &detail("Please supply a token"), &[]);
    }
    match (ask.path, ask.parameter("tickers")) {
        ("/tiingo/fx/top", Some(list)) => {
            let is_wanted = |row: &&Row| list.split(',').any(|wanted| wanted == ticker(&row.pair));
            let rows: Vec<_> = desk.all().into_iter().filter(is_wanted).collect();
            Answer::json(StatusCode::OK, &Json::List(rows.iter().map(|row| top(row)).collect()), &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &detail("Not found."), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    detail(match refusal {
        Refusal::RateLimited | Refusal::Banned => "Error: You have run over your hourly request allocation.",
        Refusal::GeoBlocked => "Not available in your region",
        Refusal::Unavailable | Refusal::InBody => "Internal server error",
    })
}

fn detail(message: &str) -> Json {
    object([("detail", text(message))])
}

fn ticker(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote).to_lowercase()
}

fn top(row: &Row) -> Json {
    object([
        ("ticker".into(), text(ticker(&row.pair))),
        ("quoteTimestamp".into(), text(clock::iso8601(row.time_ms).replace('Z', "+00:00"))),
        (row.key("bidPrice"), row.price_number(row.bid)),
        ("bidSize".into(), number("1000000.0")),
        (row.key("askPrice"), row.price_number(row.ask)),
        ("askSize".into(), number("1000000.0")),
        (row.key("midPrice"), row.price_number(row.last)),
    ])
}
