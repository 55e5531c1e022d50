//! `eth_signTransaction` as EthSigner, Web3Signer and Quorum Key Manager understand it.
//!
//! Only fields that all of them know are sent, calldata as `data`: a field that one does not know it ignores without
//! a word, and signs something else. The answer is a raw transaction, bare or as `raw` of an object.

use super::http::{BODY_LIMIT, Client, Http};
use super::transaction::Unsigned;
use super::{Offered, SignError};
use alloy::consensus::{Transaction, TxEnvelope};
use alloy::eips::Decodable2718;
use alloy::primitives::{Address, hex};
use publisher_core::tx::SignFault;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use url::Url;

/// JSON-RPC's "internal error".
const INTERNAL_ERROR: i64 = -32603;
/// What a list of accounts may take.
const LIST_LIMIT: usize = 1024 * 1024;

/// A signer behind JSON-RPC.
#[derive(Debug)]
pub(super) struct JsonRpc {
    http: Http,
    next_id: AtomicU64,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Value,
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

impl JsonRpc {
    pub(super) fn new(url: &Url, client: &Client) -> Result<Self, SignError> {
        Ok(Self { http: Http::new(url, client)?, next_id: AtomicU64::new(1) })
    }

    /// The signature in the signed transaction that comes back.
    pub(super) async fn signature(&self, unsigned: &Unsigned, from: Address) -> Result<Offered, SignError> {
        let fields = unsigned.fields();
        // The calldata may come back twice, as bytes and as a field, in two characters a byte.
        let limit = BODY_LIMIT.saturating_add(fields.input().len().saturating_mul(4));
        let result = self.call("eth_signTransaction", json!([request(fields, from)]), limit).await?;
        offered(&result)
    }

    /// The addresses it signs for.
    pub(super) async fn accounts(&self) -> Result<Vec<Address>, SignError> {
        let result = self.call("eth_accounts", json!([]), LIST_LIMIT).await?;
        serde_json::from_value(result)
            .map_err(|_| SignError::new(SignFault::BadAnswer, "eth_accounts is no list of addresses".into()))
    }

    async fn call(&self, method: &str, params: Value, limit: usize) -> Result<Value, SignError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let answer = self.http.exchange(self.http.post().json(&question), limit).await?;
        let reply = serde_json::from_slice::<Reply>(&answer.body).ok();
        // An error object may come without the id of a question that the signer could not read.
        if let Some(error) = reply.as_ref().and_then(|reply| reply.error.as_ref()) {
            let fault =
                if error.code == INTERNAL_ERROR { SignFault::Unavailable } else { SignFault::Refused };
            let said = self.http.quoted(&error.message);
            return Err(SignError::new(fault, format!("{method} was refused ({}): {said}", error.code)));
        }
        match reply {
            Some(reply) if answer.status.is_success() && reply.id == id => Ok(reply.result),
            _ => Err(SignError::new(
                SignFault::BadAnswer,
                format!(
                    "HTTP {} without a JSON-RPC answer to our question; is this the signer's port?",
                    answer.status.as_u16()
                ),
            )),
        }
    }
}

/// The signature of a raw transaction, bare or as `raw` of an object.
pub(super) fn offered(result: &Value) -> Result<Offered, SignError> {
    let raw = match result {
        Value::String(raw) => Some(raw.as_str()),
        Value::Object(object) => object.get("raw").and_then(Value::as_str),
        _ => None,
    };
    let signed = raw
        .and_then(|raw| hex::decode(raw).ok())
        .and_then(|raw| TxEnvelope::decode_2718_exact(&raw).ok())
        .ok_or_else(|| SignError::new(SignFault::BadAnswer, "its answer is no signed transaction".into()))?;
    Ok(Offered { signature: *signed.signature(), within: Some(Box::new(signed)) })
}

/// The transaction as the dialects want it.
fn request(tx: &dyn Transaction, from: Address) -> Value {
    let quantity = |n: u128| Value::from(format!("{n:#x}"));
    let mut fields = Map::new();
    fields.insert("from".into(), json!(from));
    if let Some(to) = tx.to() {
        fields.insert("to".into(), json!(to));
    }
    fields.insert("gas".into(), quantity(tx.gas_limit().into()));
    if let Some(price) = tx.gas_price() {
        fields.insert("gasPrice".into(), quantity(price));
    } else {
        fields.insert("maxFeePerGas".into(), quantity(tx.max_fee_per_gas()));
        fields.insert("maxPriorityFeePerGas".into(), quantity(tx.max_priority_fee_per_gas().unwrap_or(0)));
    }
    fields.insert("value".into(), json!(tx.value()));
    fields.insert("nonce".into(), quantity(tx.nonce().into()));
    fields.insert("data".into(), json!(tx.input()));
    Value::Object(fields)
}
