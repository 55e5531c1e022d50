//! From HTTP to a venue's answer and back, with what goes wrong on the way.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::sleep;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::fault::{Armed, Fault};
use super::market::Market;
use super::pair::Venue;
use super::refusal::{self, Refusal};
use super::{
    binance, bitfinex, bitget, bitstamp, bybit, coinbase, coingecko, coinmarketcap, control, crypto_com,
    custom, ecb, gate, gemini, htx, kraken, kucoin, lists, mexc, okx, stream, tiingo, upbit,
};
use crate::{clock, loopback};

/// Largest body of a control request.
const CONTROL_BYTES_MAX: usize = 1 << 20;

/// How deep [`Fault::DeepJson`] nests.
const NESTED_LISTS: usize = 100_000;

/// Everything the simulator serves.
pub(crate) fn router(market: Market) -> Router {
    Router::new()
        .nest("/control", control::router())
        .fallback(serve)
        .layer(DefaultBodyLimit::max(CONTROL_BYTES_MAX))
        .with_state(market)
}

async fn serve(State(market): State<Market>, request: Request) -> Response {
    let path = request.uri().path();
    let (prefix, rest) =
        path.strip_prefix('/').map_or(("", ""), |path| path.split_once('/').unwrap_or((path, "")));
    let Ok(venue) = prefix.parse::<Venue>() else {
        return (StatusCode::NOT_FOUND, format!("no venue here; try /control or {}\n", names()))
            .into_response();
    };
    if loopback::asks_for_web_socket(&request) {
        let path = format!("/{rest}");
        return stream::open(&market, venue, &path, request);
    }
    let (number, befalling) = market.visit(venue);
    let headers = match market.ask(venue, &format!("/{rest}"), request.uri().query().unwrap_or_default()) {
        Ok(headers) => headers,
        Err(refusal) => return refusal.into_response(),
    };
    let fault = befalling.iter().find(|armed| armed.pair.is_none()).map(|armed| &armed.fault);
    if let Some(Fault::Stall { ms }) = fault {
        sleep(Duration::from_millis(*ms)).await;
    }
    if let Some(spoiled) = fault.and_then(|fault| instead_of_an_answer(venue, fault)) {
        return spoiled;
    }
    let path = format!("/{rest}");
    if (venue, path.as_str(), request.method()) == (Venue::Kucoin, kucoin::BULLET, &Method::POST) {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        return kucoin::bullet(&market.issue_token(), host.unwrap_or_default()).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Ok(Query(query)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let answer =
        answered(&market, venue, &befalling, &Ask { path: &path, query, headers: request.headers() });
    let answer = headers.into_iter().fold(answer, |answer, (name, value)| answer.with_header(name, value));
    deliver(&market, number, fault, answer)
}

fn names() -> String {
    Venue::ALL.map(|venue| format!("/{venue}")).join(" ")
}

fn answered(market: &Market, venue: Venue, befalling: &[Armed], ask: &Ask<'_>) -> Answer {
    let desk: Desk = market.desk(venue, befalling);
    if let Some(list) = lists::answer(venue, &desk, ask) {
        return list;
    }
    match venue {
        Venue::Coinbase => coinbase::answer(&desk, ask),
        Venue::Kraken => kraken::answer(&desk, ask),
        Venue::Binance | Venue::BinanceUs => binance::answer(&desk, ask),
        Venue::Bitstamp => bitstamp::answer(&desk, ask),
        Venue::Okx => okx::answer(&desk, ask),
        Venue::Custom => custom::answer(&desk, ask),
        Venue::Bitfinex => bitfinex::answer(&desk, ask),
        Venue::Bitget => bitget::answer(&desk, ask),
        Venue::Bybit => bybit::answer(&desk, ask),
        Venue::Coingecko => coingecko::answer(&desk, ask),
        Venue::Coinmarketcap => coinmarketcap::answer(&desk, ask),
        Venue::CryptoCom => crypto_com::answer(&desk, ask),
        Venue::Ecb => ecb::answer(&desk, ask),
        Venue::Gate => gate::answer(&desk, ask),
        Venue::Gemini => gemini::answer(&desk, ask),
        Venue::Htx => htx::answer(&desk, ask),
        Venue::Kucoin => kucoin::answer(&desk, ask),
        Venue::Mexc => mexc::answer(&desk, ask),
        Venue::Tiingo => tiingo::answer(&desk, ask),
        Venue::Upbit => upbit::answer(&desk, ask),
    }
}

/// The response of a venue that does not get as far as looking at its markets.
fn instead_of_an_answer(venue: Venue, fault: &Fault) -> Option<Response> {
    let refuse = |refusal| refusal::answer(venue, refusal, clock::now_ms());
    let retry = |answer: Answer, after_s: &Option<u64>| match after_s {
        Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
        None => answer,
    };
    let answer = match fault {
        Fault::Dead => return Some(loopback::hang_up()),
        Fault::Refuse { status, body } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Answer::text(status, "text/plain; charset=utf-8", body.clone())
        }
        Fault::RateLimited { retry_after_s } => retry(refuse(Refusal::RateLimited), retry_after_s),
        Fault::Banned418 { retry_after_s } => retry(refuse(Refusal::Banned), retry_after_s),
        Fault::GeoBlocked451 => refuse(Refusal::GeoBlocked),
        Fault::ServerError => refuse(Refusal::Unavailable),
        Fault::ErrorBody200 => refuse(Refusal::InBody),
        Fault::Html200 => Answer::text(
            StatusCode::OK,
            "text/html; charset=UTF-8",
            "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>",
        ),
        Fault::DeepJson => Answer::text(StatusCode::OK, "application/json", "[".repeat(NESTED_LISTS)),
        Fault::Redirect { to } => {
            Answer::text(StatusCode::FOUND, "text/plain", "").with_header("location", to.clone())
        }
        Fault::Garbage => return Some(garbage()),
        _ => return None,
    };
    Some(answer.into_response())
}

/// Bytes that are neither UTF-8 nor JSON, under a JSON content type.
fn garbage() -> Response {
    let bytes: Vec<u8> = (0..=255_u8).rev().cycle().take(1_024).collect();
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The response with a packed body, announced as what it is.
fn gzipped(mut response: Response, packed: Vec<u8>) -> Response {
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    *response.body_mut() = Body::from(packed);
    response
}

/// Sends the answer as well as the fault lets it; what arrives whole is recorded as served.
fn deliver(market: &Market, number: u64, fault: Option<&Fault>, mut answer: Answer) -> Response {
    let whole = Bytes::from(answer.body.clone());
    let rows = std::mem::take(&mut answer.rows);
    let response = answer.into_response();
    match fault {
        Some(Fault::Truncated) => {
            let half = whole.len() / 2;
            loopback::truncated(response, &whole, half)
        }
        Some(Fault::Oversized { bytes }) => loopback::padded(response, whole, *bytes),
        Some(Fault::SlowDrip { every_ms }) => {
            loopback::dripping(response, &whole, Duration::from_millis(*every_ms))
        }
        Some(Fault::Gzipped) => gzipped(response, stream::gzip(&String::from_utf8_lossy(&whole))),
        Some(Fault::GzippedBadly) => {
            let mut packed = stream::gzip(&String::from_utf8_lossy(&whole));
            let middle = packed.len() / 2;
            if let Some(byte) = packed.get_mut(middle) {
                *byte ^= 0xff;
            }
            gzipped(response, packed)
        }
        _ => {
            market.serve(&rows, number);
            response
        }
    }
}
