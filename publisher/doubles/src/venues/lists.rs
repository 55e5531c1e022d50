//! What each exchange says it lists, beside the prices: the symbols, and whether they trade.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::pair::Venue;
use super::row::Row;
use super::{bitget, bybit, crypto_com, gate, htx, kucoin, mexc, upbit};
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
        // A market that does not trade is not there.
        (Venue::Upbit, "/v1/market/all") => {
            let rows = desk.listed().into_iter().filter(|row| !row.halted);
            Json::List(rows.map(|row| object([("market", text(upbit::symbol(&row.pair)))])).collect())
        }
        _ => return None,
    };
    Some(Answer::json(StatusCode::OK, &body, &[]))
}
