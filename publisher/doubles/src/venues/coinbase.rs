//! Coinbase Exchange: one ticker at a time, and the v3 product list that answers for many.
//!
//! In reality the list and the spot price live on `api.coinbase.com`; here all share one prefix. A product the
//! list does not know is left out without an error.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::{Desk, Found};
use super::pair::Pair;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match ask.segments().as_slice() {
        ["products", product, "ticker"] => one(desk, product, ticker),
        ["products"] => {
            let rows = desk.all();
            Answer::json(
                StatusCode::OK,
                &Json::List(rows.iter().map(|row| product(&row.pair)).collect()),
                &[],
            )
        }
        ["v2", "prices", product, "spot"] => one(desk, product, spot),
        ["api", "v3", "brokerage", "market", "products"] => products(desk, ask),
        _ => message(StatusCode::NOT_FOUND, "Route not found"),
    }
}

pub(super) fn product_id(pair: &Pair) -> String {
    format!("{}-{}", pair.base, pair.quote)
}

fn message(status: StatusCode, message: &str) -> Answer {
    Answer::json(status, &object([("message", text(message))]), &[])
}

fn one(desk: &Desk, product: &str, write: impl Fn(&Row) -> Json) -> Answer {
    match desk.find(|pair| product_id(pair) == product) {
        Found::Row(row) => Answer::json(StatusCode::OK, &write(row), &[row]),
        Found::Missing if desk.is_empty() => Answer::text(StatusCode::OK, "application/json", "{}"),
        Found::Missing | Found::Unknown => message(StatusCode::NOT_FOUND, "NotFound"),
    }
}

fn ticker(row: &Row) -> Json {
    object([
        (row.key("ask"), row.price(row.ask, 2)),
        (row.key("bid"), row.price(row.bid, 2)),
        ("volume".into(), row.quantity(row.volume, 8)),
        ("trade_id".into(), number(row.time_ms)),
        (row.key("price"), row.price(row.last, 2)),
        ("size".into(), text("0.00125")),
        ("time".into(), text(clock::iso8601(row.time_ms))),
        ("rfq_volume".into(), text("0.000000")),
    ])
}

fn spot(row: &Row) -> Json {
    let data = object([
        (row.key("amount"), row.price(row.last, 2)),
        ("base".into(), text(&row.pair.base)),
        ("currency".into(), text(&row.pair.quote)),
    ]);
    object([("data", data)])
}

fn product(pair: &Pair) -> Json {
    object([
        ("id", text(product_id(pair))),
        ("base_currency", text(&pair.base)),
        ("quote_currency", text(&pair.quote)),
        ("quote_increment", text("0.01")),
        ("base_increment", text("0.00000001")),
        ("display_name", text(pair)),
        ("post_only", Json::Bool(false)),
        ("limit_only", Json::Bool(false)),
        ("cancel_only", Json::Bool(false)),
        ("status", text("online")),
        ("status_message", text("")),
        ("trading_disabled", Json::Bool(false)),
    ])
}

fn products(desk: &Desk, ask: &Ask<'_>) -> Answer {
    let wanted: Vec<_> = ask.query.iter().filter(|(key, _)| key == "product_ids").collect();
    let is_wanted =
        |row: &&Row| wanted.is_empty() || wanted.iter().any(|(_, id)| *id == product_id(&row.pair));
    let rows: Vec<_> = desk.all().into_iter().filter(is_wanted).collect();
    let body = object([
        ("products", Json::List(rows.iter().map(|row| listed_product(row)).collect())),
        ("num_products", number(rows.len())),
    ]);
    Answer::json(StatusCode::OK, &body, &rows)
}

fn listed_product(row: &Row) -> Json {
    object([
        ("product_id".into(), text(product_id(&row.pair))),
        (row.key("price"), row.price(row.last, 2)),
        ("price_percentage_change_24h".into(), text("1.0101")),
        ("volume_24h".into(), row.quantity(row.volume, 8)),
        ("volume_percentage_change_24h".into(), text("-3.25")),
        ("base_increment".into(), text("0.00000001")),
        ("quote_increment".into(), text("0.01")),
        ("base_name".into(), text(&row.pair.base)),
        ("quote_name".into(), text(&row.pair.quote)),
        ("watched".into(), Json::Bool(false)),
        ("is_disabled".into(), Json::Bool(false)),
        ("new".into(), Json::Bool(false)),
        ("status".into(), text("online")),
        ("cancel_only".into(), Json::Bool(false)),
        ("limit_only".into(), Json::Bool(false)),
        ("post_only".into(), Json::Bool(false)),
        ("trading_disabled".into(), Json::Bool(false)),
        ("auction_mode".into(), Json::Bool(false)),
        ("product_type".into(), text("SPOT")),
        ("quote_currency_id".into(), text(&row.pair.quote)),
        ("base_currency_id".into(), text(&row.pair.base)),
        ("fcm_trading_session_details".into(), Json::Null),
        ("mid_market_price".into(), text("")),
        ("alias".into(), text("")),
        ("view_only".into(), Json::Bool(false)),
        ("price_increment".into(), text("0.01")),
        ("display_name".into(), text(product_id(&row.pair))),
        ("product_venue".into(), text("CBE")),
        ("approximate_quote_24h_volume".into(), row.quantity(row.quote_volume(), 2)),
    ])
}
