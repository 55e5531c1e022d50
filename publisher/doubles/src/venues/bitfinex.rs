//! Bitfinex v2: rows are lists of JSON numbers known by their places, with rows of the funding market and perpetuals
//! among them. Its tether is called UST.
//!
//! A symbol that the venue does not know is left out. An error is a list, too.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Pair;
use super::refusal::Refusal;
use super::row::Row;
use crate::json::{Json, number, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match (ask.path, ask.parameter("symbols")) {
        ("/v2/tickers", Some(list)) => {
            let is_wanted =
                |row: &&Row| list == "ALL" || list.split(',').any(|name| name == symbol(&row.pair));
            let rows: Vec<_> = desk.all().into_iter().filter(is_wanted).collect();
            let mut written: Vec<_> = rows.iter().map(|row| ticker(row)).collect();
            if list == "ALL" {
                written.insert(0, funding());
            }
            Answer::json(StatusCode::OK, &Json::List(written), &rows)
        }
        ("/v2/tickers", None) => {
            Answer::json(StatusCode::INTERNAL_SERVER_ERROR, &error(10020, "symbols: invalid"), &[])
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &error(10404, "not_found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => error(11010, "ratelimit: error"),
        Refusal::GeoBlocked => error(10403, "region: not available"),
        Refusal::Unavailable => error(20060, "maintenance"),
        Refusal::InBody => error(10020, "symbol: invalid"),
    }
}

fn error(code: i32, message: &str) -> Json {
    Json::List(vec![text("error"), number(code), text(message)])
}

pub(crate) fn symbol(pair: &Pair) -> String {
    let code = |asset: &str| match asset {
        "USDT" => "UST".to_owned(),
        "USDC" => "UDC".to_owned(),
        other => other.to_owned(),
    };
    let (base, quote) = (code(&pair.base), code(&pair.quote));
    let between = if base.len() > 3 || quote.len() > 3 { ":" } else { "" };
    format!("t{base}{between}{quote}")
}

pub(crate) fn ticker(row: &Row) -> Json {
    let price = |value| row.price_number(value);
    let mut places = vec![
        text(symbol(&row.pair)),
        price(row.bid),
        number(2),
        price(row.ask),
        number(1),
        number(row.near(1)),
        number("0.0101"),
        price(row.last),
        number(row.volume),
        number(row.near(2)),
        number(row.near(-2)),
    ];
    if row.is_renamed() {
        // A list has no keys that could change, only places: here one less in front of the last trade.
        places.truncate(7);
    }
    Json::List(places)
}

/// A row of the funding market, where the place of the last trade holds a small number of something else.
fn funding() -> Json {
    let places = ["0.00024", "0.00018", "120", "12345678.9", "0.00016", "2", "1234567.8", "-0.00002"];
    Json::List(std::iter::once(text("fUSD")).chain(places.map(number)).collect())
}
