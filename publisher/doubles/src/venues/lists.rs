//! What each exchange says it lists, beside the prices: the symbols, and whether they trade.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::{Pair, Venue};
use super::row::Row;
use super::{bitfinex, bitget, bybit, coinbase, crypto_com, gate, gemini, htx, kucoin, mexc, upbit};
use crate::json::{Json, number, object, text};

/// The list that is asked for; `None` where something else is, or where the venue's own file has the list.
pub(crate) fn answer(venue: Venue, desk: &Desk, ask: &Ask<'_>) -> Option<Answer> {
    let list = |row: fn(&Row) -> Json| Json::List(desk.listed().into_iter().map(row).collect());
    let body = match (venue, ask.path) {
        (Venue::Gate, "/api/v4/spot/currency_pairs") => list(|row| {
            let status = if row.halted { "untradable" } else { "tradable" };
            object([("id", text(gate::symbol(&row.pair))), ("trade_status", text(status))])
        }),
        (Venue::Kucoin, "/api/v2/symbols") => {
            let data = list(|row| {
                let trades = Json::Bool(!row.halted);
                object([("symbol", text(kucoin::symbol(&row.pair))), ("enableTrading", trades)])
            });
            object([("code", text("200000")), ("data", data)])
        }
        (Venue::Bybit, "/v5/market/instruments-info") => {
            let rows = list(|row| {
                let status = if row.halted { "PreLaunch" } else { "Trading" };
                object([("symbol", text(bybit::symbol(&row.pair))), ("status", text(status))])
            });
            let result = object([("category", text("spot")), ("list", rows)]);
            object([("retCode", number(0)), ("retMsg", text("OK")), ("result", result)])
        }
        (Venue::Htx, "/v1/common/symbols") => {
            let data = list(|row| {
                let state = if row.halted { "suspend" } else { "online" };
                object([("symbol", text(htx::symbol(&row.pair))), ("state", text(state))])
            });
            object([("status", text("ok")), ("data", data)])
        }
        (Venue::Bitget, "/api/v2/spot/public/symbols") => {
            let data = list(|row| {
                let status = if row.halted { "halt" } else { "online" };
                object([("symbol", text(bitget::symbol(&row.pair))), ("status", text(status))])
            });
            object([("code", text("00000")), ("data", data)])
        }
        (Venue::CryptoCom, "/exchange/v1/public/get-instruments") => {
            let data = list(|row| {
                let trades = Json::Bool(!row.halted);
                let symbol = text(crypto_com::symbol(&row.pair));
                object([("symbol", symbol), ("inst_type", text("CCY_PAIR")), ("tradable", trades)])
            });
            object([("code", number(0)), ("result", object([("data", data)]))])
        }
        (Venue::Mexc, "/api/v3/exchangeInfo") => {
            let symbols = list(|row| {
                let status = if row.halted { "2" } else { "1" };
                object([("symbol", text(mexc::symbol(&row.pair))), ("status", text(status))])
            });
            object([("timezone", text("CST")), ("symbols", symbols)])
        }
        (Venue::Coinbase, "/api/v3/brokerage/market/products") if ask.parameter("product_ids").is_none() => {
            let products = list(|row| {
                let rest = Json::Bool(row.halted);
                object([("product_id", text(coinbase::product_id(&row.pair))), ("trading_disabled", rest)])
            });
            object([("products", products)])
        }
        // Names alone: a market that does not trade is not there.
        (Venue::Gemini, "/v1/symbols") => names(desk, |pair| gemini::symbol(pair).to_lowercase()),
        (Venue::Bitfinex, "/v2/conf/pub:list:pair:exchange") => {
            let name = |pair: &Pair| bitfinex::symbol(pair).trim_start_matches('t').to_owned();
            Json::List(vec![names(desk, name)])
        }
        (Venue::Upbit, "/v1/market/all") => {
            let rows = desk.listed().into_iter().filter(|row| !row.halted);
            Json::List(rows.map(|row| object([("market", text(upbit::symbol(&row.pair)))])).collect())
        }
        _ => return None,
    };
    Some(Answer::json(StatusCode::OK, &body, &[]))
}

fn names(desk: &Desk, name: impl Fn(&Pair) -> String) -> Json {
    let trading = desk.listed().into_iter().filter(|row| !row.halted);
    Json::List(trading.map(|row| text(name(&row.pair))).collect())
}
