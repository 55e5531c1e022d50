//! The REST side of Web3Signer: `sign`, `publicKeys`, `reload` and the two kinds of health.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{hex, keccak256};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::mode::Mode;
use super::state::{Call, State};
use super::transaction::tampered_payload;
use crate::clock;

/// The body of a request; other fields are ignored, as there.
#[derive(Deserialize)]
struct SignRequest {
    data: Option<String>,
}

/// Signs the keccak hash of the data, so what a client sends is the encoding, not its hash.
pub(crate) async fn sign(
    Shared(state): Shared<Arc<State>>,
    Path(public_key): Path<String>,
    body: Bytes,
) -> Response {
    let wanted = public_key.trim_start_matches("0x").to_lowercase();
    let key = state.loaded().iter().find(|key| key.public_key().trim_start_matches("0x") == wanted);
    let data = serde_json::from_slice::<SignRequest>(&body).ok().and_then(|request| request.data);
    let data = data.and_then(|data| hex::decode(data).ok()).filter(|data| !data.is_empty());
    let tamper = state.tamper();
    let (status, text, address) = match (key, data) {
        (None, _) => (StatusCode::NOT_FOUND, "Public Key not found".to_owned(), None),
        (Some(key), None) => (StatusCode::BAD_REQUEST, "Bad request format".to_owned(), Some(key.address())),
        (Some(key), Some(data)) => match key.sign(&keccak256(tampered_payload(&data, tamper)), tamper) {
            Some(signature) => {
                (StatusCode::OK, hex::encode_prefixed(signature.as_bytes()), Some(key.address()))
            }
            None => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error".to_owned(), Some(key.address())),
        },
    };
    state.remember(Call::RestSign, &body, address, (status == StatusCode::OK).then(|| text.clone()));
    if let Mode::LateAnswer { ms } = state.mode() {
        sleep(Duration::from_millis(ms)).await;
    }
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

pub(crate) async fn public_keys(Shared(state): Shared<Arc<State>>) -> Response {
    let keys: Vec<_> = state.loaded().iter().map(|key| key.public_key().to_owned()).collect();
    Json(keys).into_response()
}

pub(crate) async fn upcheck() -> &'static str {
    "OK"
}

pub(crate) async fn healthcheck() -> Response {
    let check = json!({ "id": "default-check", "status": "UP" });
    Json(json!({ "status": "UP", "checks": [check], "outcome": "UP" })).into_response()
}

pub(crate) async fn begin_reload(Shared(state): Shared<Arc<State>>) -> Response {
    if state.begin_reload() {
        let body = json!({ "status": "accepted", "message": "Reload operation started." });
        return (StatusCode::ACCEPTED, Json(body)).into_response();
    }
    let message = "A reload operation is already in progress. Please try again later.";
    (StatusCode::CONFLICT, Json(json!({ "status": "error", "message": message }))).into_response()
}

pub(crate) async fn reload_status(Shared(state): Shared<Arc<State>>) -> Response {
    let (status, began_ms) = state.reload();
    let time = began_ms.map(clock::iso8601);
    Json(json!({ "status": status, "lastOperationTime": time, "lastError": null })).into_response()
}
