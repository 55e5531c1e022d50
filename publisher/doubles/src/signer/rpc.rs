//! JSON-RPC at `POST /`: one call per request, batches refused.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, eip191_hash_message, hex};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::keys::Key;
use super::mode::Mode;
use super::refusal::Refusal;
use super::state::{Call, State};
use super::transaction::{self, Unsigned};

pub(crate) async fn answer(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let Ok(Value::Object(request)) = serde_json::from_slice::<Value>(&body) else {
        return refused(&Value::Null, Refusal::Parse);
    };
    let id = request.get("id").cloned().unwrap_or_default();
    let Some(method) = request.get("method").and_then(Value::as_str) else {
        return refused(&id, Refusal::InvalidRequest);
    };
    let result = match method {
        "eth_accounts" => Ok(state.loaded().iter().map(|key| json!(key.address())).collect()),
        "health_status" => Ok(Value::from("OK")),
        "eth_signTransaction" => sign_transaction(&state, &body, &request),
        "eth_sign" => sign_message(&state, &body, &request),
        "eth_sendTransaction" => {
            state.remember(Call::SendTransaction, &body, None, None);
            Err(Refusal::NoDownstream)
        }
        _ => Err(Refusal::NoDownstream),
    };
    if let (Mode::LateAnswer { ms }, "eth_signTransaction" | "eth_sign") = (state.mode(), method) {
        sleep(Duration::from_millis(ms)).await;
    }
    match result {
        Ok(result) => Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response(),
        Err(why) => refused(&id, why),
    }
}

fn refused(id: &Value, why: Refusal) -> Response {
    let error = json!({ "code": why.code(), "message": why.message() });
    (why.status(), Json(json!({ "jsonrpc": "2.0", "id": id, "error": error }))).into_response()
}

/// The one object of the parameters, alone or in a list of its own.
fn only_object(request: &Map<String, Value>) -> Result<&Map<String, Value>, Refusal> {
    match request.get("params") {
        Some(Value::Object(fields)) => Ok(fields),
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::Object(fields)] => Ok(fields),
            _ => Err(Refusal::InvalidParams),
        },
        _ => Err(Refusal::InvalidParams),
    }
}

fn key_of(state: &State, from: Address) -> Result<&Key, Refusal> {
    state.loaded().iter().find(|key| key.address() == from).ok_or(Refusal::UnknownSender)
}

fn sign_transaction(state: &State, body: &[u8], request: &Map<String, Value>) -> Result<Value, Refusal> {
    let attempt = || {
        let fields = only_object(request)?;
        let from = transaction::address(fields, "from")?;
        let unsigned = Unsigned::from_request(fields, state.config.dialect, state.config.chain_id)?;
        let key = key_of(state, from)?;
        let tamper = state.tamper();
        let raw = unsigned.tampered(tamper).signed(key, tamper).ok_or(Refusal::Internal)?;
        Ok((key.address(), hex::encode_prefixed(raw)))
    };
    concluded(state, Call::SignTransaction, body, attempt())
}

/// `eth_sign` puts the EIP-191 prefix before the message.
fn sign_message(state: &State, body: &[u8], request: &Map<String, Value>) -> Result<Value, Refusal> {
    let attempt = || {
        let parameters = request.get("params").and_then(Value::as_array).map(Vec::as_slice);
        let Some([Value::String(from), Value::String(message)]) = parameters else {
            return Err(Refusal::InvalidParams);
        };
        let from: Address = from.parse().map_err(|_| Refusal::InvalidParams)?;
        let message = hex::decode(message).map_err(|_| Refusal::InvalidParams)?;
        let key = key_of(state, from)?;
        let signature = key.sign(&eip191_hash_message(message), state.tamper()).ok_or(Refusal::Internal)?;
        Ok((key.address(), hex::encode_prefixed(signature.as_bytes())))
    };
    concluded(state, Call::SignMessage, body, attempt())
}

fn concluded(
    state: &State,
    call: Call,
    body: &[u8],
    outcome: Result<(Address, String), Refusal>,
) -> Result<Value, Refusal> {
    let (key, signed) = outcome.clone().map_or((None, None), |(key, signed)| (Some(key), Some(signed)));
    state.remember(call, body, key, signed);
    outcome.map(|(_, signed)| Value::from(signed))
}
