//! The signer over real HTTP, judged by an independent decoder.

mod access;
mod lies;
mod rest;
mod rpc;

use std::sync::LazyLock;

use alloy::consensus::TxEnvelope;
use alloy::consensus::transaction::SignerRecoverable;
use alloy::eips::Decodable2718;
use alloy::primitives::hex;
use serde_json::{Value, json};

use super::*;

const CHAIN: u64 = 31_337;

async fn double(dialect: Dialect) -> SignerDouble {
    let config = SignerConfig { dialect, ..SignerConfig::new(CHAIN, vec![[7; 32], [8; 32]]) };
    SignerDouble::start(config).await.unwrap()
}

async fn web3signer() -> SignerDouble {
    double(Dialect::Web3Signer).await
}

fn client() -> reqwest::Client {
    // Building one is slow; without a pool it may be shared by the runtimes of all tests.
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(5))
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    });
    CLIENT.clone()
}

async fn post(url: &str, body: &str) -> reqwest::Result<(u16, String)> {
    let response =
        client().post(url).header("content-type", "application/json").body(body.to_owned()).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

async fn get(signer: &SignerDouble, path: &str) -> (u16, String) {
    let response = client().get(format!("{}{path}", signer.url())).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// HTTP status and the whole JSON-RPC answer.
async fn call(signer: &SignerDouble, method: &str, params: Value) -> (u16, Value) {
    let request = json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": params});
    let (status, body) = post(&signer.url(), &request.to_string()).await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &json!(5)));
    (status, body)
}

/// A complete fee-market request from the first key.
fn request(signer: &SignerDouble) -> Value {
    json!({
        "from": signer.addresses()[0],
        "to": "0x1111111111111111111111111111111111111111",
        "gas": "0x30d40",
        "nonce": "0x7",
        "value": "0x0",
        "data": "0xc0ffee",
        "maxFeePerGas": "0x3b9aca00",
        "maxPriorityFeePerGas": "0x5f5e100",
    })
}

fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}

fn without(mut request: Value, fields: &[&str]) -> Value {
    for field in fields {
        request.as_object_mut().unwrap().remove(*field);
    }
    request
}

fn decoded(raw: &Value) -> TxEnvelope {
    let bytes = hex::decode(raw.as_str().unwrap()).unwrap();
    TxEnvelope::decode_2718(&mut bytes.as_slice()).unwrap()
}

/// The transaction that the signer gives for the request, and who signed it.
async fn signed(signer: &SignerDouble, request: Value) -> (TxEnvelope, Address) {
    let (status, body) = call(signer, "eth_signTransaction", json!([request])).await;
    assert_eq!(status, 200, "{body}");
    let transaction = decoded(&body["result"]);
    let from = transaction.recover_signer_unchecked().unwrap();
    (transaction, from)
}
