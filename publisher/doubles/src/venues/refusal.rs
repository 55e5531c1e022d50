//! How each venue says no: the bodies of rate limits, bans, closed regions, outages, and of errors that come
//! with HTTP 200.
//!
//! Codes and texts are the published ones for all of Binance, for OKX except its closed regions, for KuCoin, and for
//! the limits of all venues but Bitget, CoinGecko, HTX and MEXC, as far as they publish any. Everything else is made
//! up in the venue's form, everybody's refusal of a region except Binance's and KuCoin's above all. A client has to go
//! by the HTTP status in those cases.

use axum::http::StatusCode;

use super::answer::Answer;
use super::pair::Venue;
use super::{
    bitfinex, bitget, bybit, coingecko, coinmarketcap, crypto_com, custom, ecb, gate, gemini, htx, kraken,
    kucoin, mexc, okx, tiingo, upbit,
};
use crate::json::{number, object, text};

/// Why the venue refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    RateLimited,
    Banned,
    GeoBlocked,
    Unavailable,
    /// The venue's own kind of error in a body with HTTP 200.
    InBody,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Banned => StatusCode::IM_A_TEAPOT,
            Self::GeoBlocked => StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InBody => StatusCode::OK,
        }
    }
}

/// The venue's answer.
pub(crate) fn answer(venue: Venue, refusal: Refusal, now_ms: i64) -> Answer {
    let status = refusal.status();
    let mut answer = match venue {
        Venue::Coinbase => Answer::json(status, &object([("message", text(coinbase(refusal)))]), &[]),
        Venue::Kraken => kraken::error(match refusal {
            Refusal::RateLimited | Refusal::Banned => "EGeneral:Too many requests",
            Refusal::GeoBlocked => "EGeneral:Permission denied",
            Refusal::Unavailable | Refusal::InBody => "EService:Unavailable",
        }),
        Venue::Binance | Venue::BinanceUs => {
            let (code, message) = binance(refusal, now_ms);
            Answer::json(status, &object([("code", number(code)), ("msg", text(message))]), &[])
        }
        Venue::Bitstamp => {
            let (code, reason) = match refusal {
                Refusal::RateLimited | Refusal::Banned => ("400.002", "Request rate limit exceeded"),
                Refusal::GeoBlocked => ("403.004", "Not available in your region"),
                Refusal::Unavailable | Refusal::InBody => ("503.001", "Service unavailable"),
            };
            let fields = [("status", text("error")), ("reason", text(reason)), ("code", text(code))];
            Answer::json(status, &object(fields), &[])
        }
        Venue::Okx => {
            let (code, message) = match refusal {
                Refusal::RateLimited | Refusal::Banned => ("50011", "Too Many Requests"),
                Refusal::GeoBlocked => ("50125", "Not available in your region"),
                Refusal::Unavailable | Refusal::InBody => {
                    ("50001", "Service temporarily unavailable. Try again later")
                }
            };
            okx::error(status, code, message)
        }
        Venue::Bitfinex => Answer::json(status, &bitfinex::refusal(refusal), &[]),
        Venue::Bitget => Answer::json(status, &bitget::refusal(refusal), &[]),
        Venue::Bybit => Answer::json(status, &bybit::refusal(refusal), &[]),
        Venue::Coingecko => Answer::json(status, &coingecko::refusal(refusal), &[]),
        Venue::Coinmarketcap => Answer::json(status, &coinmarketcap::refusal(refusal), &[]),
        Venue::CryptoCom => Answer::json(status, &crypto_com::refusal(refusal), &[]),
        Venue::Ecb => Answer::json(status, &ecb::refusal(refusal), &[]),
        Venue::Gate => Answer::json(status, &gate::refusal(refusal), &[]),
        Venue::Gemini => Answer::json(status, &gemini::refusal(refusal), &[]),
        Venue::Htx => Answer::json(status, &htx::refusal(refusal), &[]),
        Venue::Kucoin => Answer::json(status, &kucoin::refusal(refusal), &[]),
        Venue::Mexc => Answer::json(status, &mexc::refusal(refusal), &[]),
        Venue::Tiingo => Answer::json(status, &tiingo::refusal(refusal), &[]),
        Venue::Upbit => Answer::json(status, &upbit::refusal(refusal), &[]),
        Venue::Custom => custom::error(status, status.canonical_reason().unwrap_or("error")),
    };
    answer.status = status;
    answer
}

fn coinbase(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::RateLimited | Refusal::Banned => "Public rate limit exceeded",
        Refusal::GeoBlocked => "Unavailable in your region",
        Refusal::Unavailable => "Service unavailable",
        Refusal::InBody => "NotFound",
    }
}

fn binance(refusal: Refusal, now_ms: i64) -> (i32, String) {
    match refusal {
        Refusal::RateLimited => {
            (-1003, "Too much request weight used; current limit is 6000 per minute.".into())
        }
        Refusal::Banned => {
            let until_ms = now_ms.saturating_add(120_000);
            (-1003, format!("Way too much request weight used; IP banned until {until_ms}."))
        }
        Refusal::GeoBlocked => (0, "Service unavailable from a restricted location.".into()),
        Refusal::Unavailable => (-1001, "Internal error; unable to process your request.".into()),
        Refusal::InBody => (-1000, "An unknown error occurred while processing the request.".into()),
    }
}
