//! The simulator's levers over HTTP, for people with `curl` and for shell tests.
//!
//! `GET /control` tells everything; the `POST`s take JSON whatever content type they claim:
//! `/price` `{"pair","price","venue"?}` (with a venue and without a price, the venue follows the market again),
//! `/offset` `{"venue","pair","bps"}`, `/path` `{"pair","steps":[{"after_ms","price"}]}`,
//! `/walk` `{"pair","seed"?,"step_bps"?,"every_ms"?,"noise_bps"?}`, `/hold` `{"pair"}`,
//! `/fault` `{"venue","fault","pair"?,"times"?}`, `/stream` `{"venue","fault"}` (beside those it has), `/clear`
//! `{"venue"?}`, `/limits` `{"limits"}` (`"on"`, `"off"` or `{"faster":N}`), `{"venue","capacity","per_ms"}` or
//! `{"venue","used_by_others"}`; `GET /served?limit=N`.
//! A refused request is HTTP 400 with `{"error":"..."}` and changes nothing.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::budget::Limits;
use super::fault::Fault;
use super::market::{Market, Refused};
use super::pair::Venue;
use super::prices::Walk;
use super::stream::StreamFault;

/// Most served prices shown without a limit.
const SERVED_SHOWN: usize = 100;

pub(crate) fn router() -> Router<Market> {
    Router::new()
        .route("/", get(overview))
        .route("/served", get(served))
        .route("/price", post(price))
        .route("/offset", post(offset))
        .route("/path", post(path))
        .route("/walk", post(walk))
        .route("/hold", post(hold))
        .route("/fault", post(fault))
        .route("/stream", post(stream))
        .route("/clear", post(clear))
        .route("/limits", post(limits))
}

fn told(outcome: Result<(), String>) -> Response {
    match outcome {
        Ok(()) => axum::Json(json!({ "ok": true })).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": why }))).into_response(),
    }
}

/// Parses the order and carries it out.
fn obey<T: DeserializeOwned>(body: &Bytes, act: impl FnOnce(T) -> Result<(), Refused>) -> Response {
    told(
        serde_json::from_slice(body)
            .map_err(|why| why.to_string())
            .and_then(|order| act(order).map_err(|why| why.to_string())),
    )
}

async fn overview(State(market): State<Market>) -> Response {
    let prices: Map<String, Value> =
        market.prices().into_iter().map(|(pair, price)| (pair, Value::from(price))).collect();
    let requests: Map<String, Value> =
        Venue::ALL.into_iter().map(|venue| (venue.to_string(), market.requests(venue).into())).collect();
    let fault = |(venue, pair, fault): (Venue, Option<String>, Fault)| json!({ "venue": venue, "pair": pair, "fault": fault });
    let faults: Vec<Value> = market.faults().into_iter().map(fault).collect();
    let kept: Map<String, Value> =
        Venue::ALL.into_iter().map(|venue| (venue.to_string(), json!(market.kept(venue)))).collect();
    axum::Json(json!({ "prices": prices, "requests": requests, "faults": faults, "limits": kept }))
        .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServedQuery {
    limit: Option<usize>,
}

async fn served(State(market): State<Market>, Query(query): Query<ServedQuery>) -> Response {
    axum::Json(market.served_lately(query.limit.unwrap_or(SERVED_SHOWN))).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceOrder {
    pair: String,
    price: Option<String>,
    venue: Option<Venue>,
}

async fn price(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: PriceOrder| match (order.venue, order.price) {
        (None, price) => market.set_price(&order.pair, price.as_deref().unwrap_or_default()),
        (Some(venue), Some(price)) => market.set_venue_price(venue, &order.pair, &price),
        (Some(venue), None) => market.clear_venue_price(venue, &order.pair),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OffsetOrder {
    venue: Venue,
    pair: String,
    bps: i32,
}

async fn offset(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: OffsetOrder| market.set_venue_offset_bps(order.venue, &order.pair, order.bps))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepOrder {
    after_ms: u64,
    price: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathOrder {
    pair: String,
    steps: Vec<StepOrder>,
}

async fn path(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: PathOrder| {
        let steps: Vec<_> = order.steps.iter().map(|step| (step.after_ms, step.price.as_str())).collect();
        market.follow_path(&order.pair, &steps)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WalkOrder {
    pair: String,
    #[serde(default)]
    seed: u64,
    step_bps: Option<u32>,
    every_ms: Option<u64>,
    #[serde(default)]
    noise_bps: u32,
}

async fn walk(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: WalkOrder| {
        let (step_bps, every_ms) = (order.step_bps.unwrap_or(10), order.every_ms.unwrap_or(1_000));
        market.walk(&order.pair, Walk { seed: order.seed, step_bps, every_ms, noise_bps: order.noise_bps })
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldOrder {
    pair: String,
}

async fn hold(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: HoldOrder| market.hold(&order.pair))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultOrder {
    venue: Venue,
    fault: Fault,
    pair: Option<String>,
    times: Option<u32>,
}

async fn fault(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: FaultOrder| match &order.pair {
        Some(pair) => market.arm_market(order.venue, pair, order.fault, order.times),
        None => {
            market.arm(order.venue, None, order.fault, order.times);
            Ok(())
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamOrder {
    venue: Venue,
    fault: StreamFault,
}

async fn stream(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: StreamOrder| {
        market.stream_fault(order.venue, order.fault);
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearOrder {
    venue: Option<Venue>,
}

async fn clear(State(market): State<Market>, body: Bytes) -> Response {
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    obey(&body, |order: ClearOrder| {
        match order.venue {
            Some(venue) => market.clear(venue),
            None => market.clear_all(),
        }
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsOrder {
    venue: Option<Venue>,
    limits: Option<Limits>,
    capacity: Option<u64>,
    per_ms: Option<u64>,
    used_by_others: Option<u64>,
}

async fn limits(State(market): State<Market>, body: Bytes) -> Response {
    obey(&body, |order: LimitsOrder| {
        match (order.venue, order.limits, order.capacity, order.per_ms, order.used_by_others) {
            (None, Some(limits), None, None, None) => market.limit(limits),
            (Some(venue), None, Some(capacity), Some(per_ms), None) => {
                market.set_limit(venue, capacity, per_ms);
            }
            (Some(venue), None, None, None, Some(units)) => market.use_by_others(venue, units),
            _ => {
                return Err(Refused::Limit(
                    "either limits, or a venue with capacity and per_ms or used_by_others",
                ));
            }
        }
        Ok(())
    })
}
