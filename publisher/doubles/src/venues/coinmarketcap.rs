//! CoinMarketCap's latest quotes: asked for by numbers, with a key, and answered under the same numbers.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    if ask.header("x-cmc_pro_api_key").is_none() {
        return Answer::json(StatusCode::UNAUTHORIZED, &status(1002, "API key missing."), &[]);
    }
    match (ask.path, ask.parameter("id")) {
        ("/v2/cryptocurrency/quotes/latest", Some(ids)) => {
            let known: Vec<_> = desk.all().into_iter().filter(|row| id(&row.pair).is_some()).collect();
            let is_wanted = |row: &&Row| ids.split(',').any(|wanted| Some(wanted) == id(&row.pair));
            let rows: Vec<_> = known.into_iter().filter(is_wanted).collect();
            let coins = rows.iter().filter_map(|row| Some((id(&row.pair)?.to_owned(), coin(row)))).collect();
            let mut body = status(0, "");
            if let Json::Object(fields) = &mut body {
                fields.push(("data".into(), Json::Object(coins)));
            }
            Answer::json(StatusCode::OK, &body, &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &status(404, "Not Found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => {
            status(1008, "You've exceeded your API Key's HTTP request rate limit.")
        }
        Refusal::GeoBlocked => status(1006, "Not available in your region"),
        Refusal::Unavailable | Refusal::InBody => status(500, "An internal server error occurred"),
    }
}

fn status(code: i32, message: &str) -> Json {
    let status = object([
        ("timestamp", text(clock::iso8601(clock::now_ms()))),
        ("error_code", number(code)),
        ("error_message", if message.is_empty() { Json::Null } else { text(message) }),
        ("elapsed", number(10)),
        ("credit_count", number(i32::from(code == 0))),
    ]);
    object([("status", status)])
}

fn id(pair: &Pair) -> Option<&'static str> {
    match pair.base.as_str() {
        "BTC" => Some("1"),
        "ETH" => Some("1027"),
        "USDT" => Some("825"),
        _ => None,
    }
}

fn coin(row: &Row) -> Json {
    let quote = object([
        (row.key("price"), row.price_number(row.last)),
        ("volume_24h".into(), number(row.quote_volume())),
        ("last_updated".into(), text(clock::iso8601(row.time_ms))),
    ]);
    object([("symbol", text(&row.pair.base)), ("is_active", number(1)), ("quote", object([("USD", quote)]))])
}
