//! Bitstamp REST v2: times are whole seconds in a string, paths end in a slash.
//!
//! The list of all markets names each by `pair`; the answer for one market does not.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::{Desk, Found};
use super::pair::Pair;
use super::row::Row;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.segments().as_slice() {
        ["api", "v2", "ticker", ""] => {
            let rows = desk.all();
            let list = rows.iter().map(|row| ticker(row, true)).collect();
            Answer::json(StatusCode::OK, &Json::List(list), &rows)
        }
        ["api", "v2", "ticker", name, ""] => match desk.find(|pair| url_symbol(pair) == *name) {
            Found::Row(row) => Answer::json(StatusCode::OK, &ticker(row, false), &[row]),
            Found::Missing if desk.is_empty() => Answer::text(StatusCode::OK, "application/json", "{}"),
            Found::Missing | Found::Unknown => not_found(),
        },
        ["api", "v2", "trading-pairs-info", ""] => {
            let list = desk.listed().iter().map(|row| listed(row)).collect();
            Answer::json(StatusCode::OK, &Json::List(list), &[])
        }
        // The venue's framework sends whoever forgot the slash to the right place.
        ["api", "v2", "ticker"] | ["api", "v2", "ticker", _] | ["api", "v2", "trading-pairs-info"] => {
            let whereto = format!("/bitstamp{}/", ask.path);
            Answer::text(StatusCode::MOVED_PERMANENTLY, "text/html", "").with_header("location", whereto)
        }
        _ => not_found(),
    }
}

fn url_symbol(pair: &Pair) -> String {
    format!("{}{}", pair.base, pair.quote).to_lowercase()
}

fn not_found() -> Answer {
    let body = object([("status", text("error")), ("reason", text("Not found")), ("code", text("404.001"))]);
    Answer::json(StatusCode::NOT_FOUND, &body, &[])
}

fn ticker(row: &Row, in_list: bool) -> Json {
    let price = |value| row.price(value, 0);
    let mut fields = vec![
        ("timestamp".into(), text(row.time_ms.div_euclid(1_000))),
        ("open".into(), price(row.near(-1))),
        ("high".into(), price(row.near(2))),
        ("low".into(), price(row.near(-2))),
        (row.key("last"), price(row.last)),
        ("volume".into(), row.quantity(row.volume, 8)),
        ("vwap".into(), price(row.last)),
        (row.key("bid"), price(row.bid)),
        (row.key("ask"), price(row.ask)),
        ("side".into(), text("0")),
        ("open_24".into(), price(row.near(-1))),
        ("percent_change_24".into(), text("1.01")),
    ];
    if in_list {
        fields.push(("pair".into(), text(&row.pair)));
        fields.push(("market_type".into(), text("SPOT")));
    }
    Json::Object(fields)
}

fn listed(row: &Row) -> Json {
    let pair = &row.pair;
    object([
        ("name", text(pair)),
        ("url_symbol", text(url_symbol(pair))),
        ("base_decimals", number(8)),
        ("counter_decimals", number(2)),
        ("trading", text(if row.halted { "Disabled" } else { "Enabled" })),
        ("description", text(format!("{} / {}", pair.base, pair.quote))),
    ])
}
