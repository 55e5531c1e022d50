//! JSON-RPC: what is demanded, what is ignored, what is filled in.

use alloy::consensus::Transaction;
use alloy::primitives::{TxKind, U256, address, eip191_hash_message};

use super::*;

#[tokio::test]
async fn a_fee_market_request_is_signed_for_the_configured_chain() {
    let signer = web3signer().await;
    // A wrong chain id, another type and an access list count for nothing.
    let mut asked = with(request(&signer), "chainId", json!("0x1"));
    asked = with(asked, "type", json!("0x0"));
    asked = with(asked, "accessList", json!([{"address": signer.addresses()[1], "storageKeys": []}]));
    let (transaction, from) = signed(&signer, asked).await;
    assert_eq!(from, signer.addresses()[0]);
    assert!(transaction.is_eip1559());
    assert_eq!(
        (transaction.chain_id(), transaction.nonce(), transaction.gas_limit()),
        (Some(CHAIN), 7, 200_000)
    );
    let fees = (transaction.max_fee_per_gas(), transaction.max_priority_fee_per_gas());
    assert_eq!(fees, (1_000_000_000, Some(100_000_000)));
    assert_eq!(transaction.to(), Some(address!("0x1111111111111111111111111111111111111111")));
    assert_eq!(transaction.input().as_ref(), [0xc0, 0xff, 0xee]);
    assert!(transaction.access_list().unwrap().is_empty());
    assert!(transaction.signature().normalize_s().is_none());
}

#[tokio::test]
async fn the_same_question_has_the_same_answer() {
    let signer = web3signer().await;
    let first = call(&signer, "eth_signTransaction", json!([request(&signer)])).await;
    // The object alone counts as well as a list of one.
    let second = call(&signer, "eth_signTransaction", request(&signer)).await;
    assert_eq!(first, second);
    assert_eq!((signer.sign_requests(), signer.signatures(), signer.send_requests()), (2, 2, 0));
    let asked = signer.asked();
    assert_eq!((asked[0].call, asked[0].key), (Call::SignTransaction, Some(signer.addresses()[0])));
    assert!(asked[0].request.contains("0xc0ffee"));
    assert_eq!(asked[0].signed.as_deref(), first.1["result"].as_str());
}

#[tokio::test]
async fn missing_fields_get_silent_defaults() {
    let signer = web3signer().await;
    let bare = json!({"from": signer.addresses()[1], "nonce": "0x0"});
    let (transaction, from) = signed(&signer, bare).await;
    assert_eq!(from, signer.addresses()[1]);
    assert!(transaction.is_legacy());
    assert_eq!((transaction.gas_limit(), transaction.gas_price()), (90_000, Some(0)));
    assert_eq!((transaction.kind(), transaction.value()), (TxKind::Create, U256::ZERO));
    assert!(transaction.input().is_empty());
    assert_eq!(transaction.chain_id(), Some(CHAIN), "legacy without EIP-155");

    // One fee-market field alone makes a legacy transaction.
    let half = without(request(&signer), &["maxPriorityFeePerGas"]);
    assert!(signed(&signer, half).await.0.is_legacy());
    let both_inputs = with(request(&signer), "input", json!("0xbad0"));
    assert_eq!(signed(&signer, both_inputs).await.0.input().as_ref(), [0xc0, 0xff, 0xee]);
    let input_only = with(without(request(&signer), &["data"]), "input", json!("0xbeef"));
    assert_eq!(signed(&signer, input_only).await.0.input().as_ref(), [0xbe, 0xef]);
}

#[tokio::test]
async fn malformed_requests_are_refused_with_their_codes() {
    let signer = web3signer().await;
    let check = async |params: Value, expected: (u16, i32)| {
        let (status, body) = call(&signer, "eth_signTransaction", params.clone()).await;
        assert_eq!(
            (status, body["error"]["code"].as_i64()),
            (expected.0, Some(expected.1.into())),
            "{params}"
        );
        assert!(body.get("result").is_none());
    };
    let good = request(&signer);
    let invalid = (400, -32_602);
    check(json!([without(good.clone(), &["nonce"])]), invalid).await;
    check(json!([with(good.clone(), "nonce", Value::Null)]), invalid).await;
    check(json!([with(good.clone(), "nonce", json!(7))]), invalid).await;
    check(json!([with(good.clone(), "nonce", json!("7"))]), invalid).await;
    check(json!([with(good.clone(), "nonce", json!("0x"))]), invalid).await;
    check(json!([with(good.clone(), "nonce", json!("0x10000000000000000"))]), invalid).await;
    check(json!([with(good.clone(), "data", json!("0xabc"))]), invalid).await;
    check(json!([with(good.clone(), "to", json!("0x1234"))]), invalid).await;
    check(json!([without(good.clone(), &["from"])]), invalid).await;
    check(json!([good.clone(), good.clone()]), invalid).await;
    check(json!([]), invalid).await;
    check(json!("0x"), invalid).await;
    let stranger = json!("0x2222222222222222222222222222222222222222");
    check(json!([with(good, "from", stranger)]), (200, -32_000)).await;
    let (_, told) =
        call(&signer, "eth_signTransaction", json!([{"from": Address::ZERO, "nonce": "0x1"}])).await;
    assert_eq!(told["error"]["message"], "No unlocked account matches the Sender");
    assert_eq!(signer.signatures(), 0);
}

#[tokio::test]
async fn batches_and_broken_json_are_parse_errors() {
    let signer = web3signer().await;
    let batch = json!([{"jsonrpc": "2.0", "id": 1, "method": "eth_accounts", "params": []}]).to_string();
    for body in [batch.as_str(), "{", "", "null", "[]", "\u{0}"] {
        let (status, text) = post(&signer.url(), body).await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32_700)), "{body}");
        assert_eq!(answer["error"]["message"], "Parse error");
    }
    let (status, text) = post(&signer.url(), r#"{"id":1}"#).await.unwrap();
    assert!(status == 400 && text.contains("-32600"), "{text}");
}

#[tokio::test]
async fn the_small_methods() {
    let signer = web3signer().await;
    assert_eq!(call(&signer, "eth_accounts", json!([])).await.1["result"], json!(signer.addresses()));
    assert_eq!(call(&signer, "health_status", json!([])).await.1["result"], "OK");
    let (status, body) = call(&signer, "eth_blockNumber", json!([])).await;
    assert_eq!((status, &body["error"]["message"]), (200, &json!("Failed to connect to downstream node")));
    assert!(call(&signer, "eth_sendTransaction", json!([request(&signer)])).await.1.get("result").is_none());
    assert_eq!((signer.send_requests(), signer.sign_requests()), (1, 0));

    let (_, body) = call(&signer, "eth_sign", json!([signer.addresses()[0], "0x68656c6c6f"])).await;
    let bytes = hex::decode(body["result"].as_str().unwrap()).unwrap();
    let signature = alloy::primitives::Signature::from_raw(&bytes).unwrap();
    let from = signature.recover_address_from_prehash(&eip191_hash_message("hello")).unwrap();
    assert_eq!(from, signer.addresses()[0]);
    assert_eq!(call(&signer, "eth_sign", json!([signer.addresses()[0]])).await.0, 400);
}

#[tokio::test]
async fn ethsigner_drops_what_it_does_not_know() {
    let signer = double(Dialect::EthSigner).await;
    let modern = with(without(request(&signer), &["data"]), "input", json!("0xc0ffee"));
    let (transaction, from) = signed(&signer, modern).await;
    assert!(transaction.is_legacy());
    assert_eq!(
        (transaction.input().len(), transaction.gas_price(), from),
        (0, Some(0), signer.addresses()[0])
    );

    let proper = with(request(&signer), "gasPrice", json!("0x5"));
    let (transaction, _) = signed(&signer, proper).await;
    assert_eq!((transaction.gas_price(), transaction.input().len()), (Some(5), 3));
    assert_eq!(get(&signer, "/upcheck").await, (200, "OK".into()));
    assert_eq!(get(&signer, "/api/v1/eth1/publicKeys").await.0, 404);
}
