//! Routes of both dialects, behind the host allow-list and the mode.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::time::sleep;

use super::mode::Mode;
use super::state::State;
use super::{Dialect, rest, rpc};
use crate::loopback;

/// Largest request body.
const BODY_BYTES_MAX: usize = 1 << 20;

pub(crate) fn router(state: Arc<State>) -> Router {
    let both = Router::new().route("/", post(rpc::answer)).route("/upcheck", get(rest::upcheck));
    let routes = match state.config.dialect {
        Dialect::EthSigner => both,
        Dialect::Web3Signer => both
            .route("/api/v1/eth1/sign/{public_key}", post(rest::sign))
            .route("/api/v1/eth1/publicKeys", get(rest::public_keys))
            .route("/healthcheck", get(rest::healthcheck))
            .route("/reload", post(rest::begin_reload).get(rest::reload_status)),
    };
    routes
        .layer(from_fn_with_state(Arc::clone(&state), admit))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

/// Lets a request in, unless the signer is down, or busy, or does not know the name it was called by.
async fn admit(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    match state.arrive() {
        Mode::Down => return loopback::hang_up(),
        Mode::Status503 => return (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response(),
        Mode::Slow { ms } => sleep(Duration::from_millis(ms)).await,
        Mode::Ok | Mode::LateAnswer { .. } | Mode::AddressVanished | Mode::Tampering(_) => {}
    }
    if state.config.dialect == Dialect::Web3Signer && !is_known_here(&state, &request) {
        let body = axum::Json(json!({ "message": "Host not authorized." }));
        return (StatusCode::FORBIDDEN, body).into_response();
    }
    next.run(request).await
}

fn is_known_here(state: &State, request: &Request) -> bool {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = header.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    state
        .config
        .allowed_hosts
        .iter()
        .any(|allowed| allowed == "*" || name.is_some_and(|name| name.eq_ignore_ascii_case(allowed)))
}
