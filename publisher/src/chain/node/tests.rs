use super::super::double::{Double, json_body, result, text};
use super::*;
use publisher_core::time::{Span, Wall};
use publisher_core::tx::Receipt;

fn hash(n: u64) -> B256 {
    B256::left_padding_from(&n.wrapping_add(1000).to_be_bytes())
}

fn header(n: u64) -> Value {
    json!({
        "number": U64::from(n), "hash": hash(n), "parentHash": hash(n.wrapping_sub(1)),
        "timestamp": U64::from(n * 2), "extraData": "0xff", "somethingNew": [1],
    })
}

fn block_ref(n: u64) -> BlockRef {
    BlockRef { number: n, hash: hash(n), parent: hash(n - 1), time: Wall::from_s(n * 2) }
}

fn number(params: &Value) -> u64 {
    params[0].as_str().unwrap().parse::<U64>().unwrap().to()
}

fn receipt(hash: B256) -> Value {
    json!({
        "transactionHash": hash, "blockNumber": "0x7", "blockHash": B256::repeat_byte(7), "status": "0x1",
        "gasUsed": "0xa7f8", "effectiveGasPrice": "0x3b9aca00", "contractAddress": null, "logs": [],
    })
}

#[tokio::test]
async fn heads_and_blocks_decode_from_any_clients_fields() {
    let double = Double::rpc(|method, params| {
        assert_eq!(method, "eth_getBlockByNumber");
        Ok(match params[0].as_str().unwrap() {
            "latest" => {
                let mut block = header(9);
                block["baseFeePerGas"] = json!("0x7");
                block
            }
            "0x0" => header(0),
            "0x4" => header(5),
            _ => Value::Null,
        })
    })
    .await;
    let node = double.node();
    assert_eq!(node.head().await, Ok((block_ref(9), Some(7))));
    assert_eq!(node.genesis().await, Ok(hash(0)));
    assert_eq!(node.block(77).await, Ok(None));
    assert_eq!(node.block(4).await, Err(ChainError::BadAnswer("a block of another height")));
}

#[tokio::test]
async fn a_tag_without_a_block_is_none_and_an_unknown_tag_an_error() {
    let double = Double::rpc(|_, params| match params[0].as_str().unwrap() {
        "safe" => Err((-32000, "safe block not found", Value::Null)),
        _ => Err((-39001, "Unknown block", Value::Null)),
    })
    .await;
    assert_eq!(double.node().block_by_tag(Tag::Safe).await, Ok(None));
    let unknown = double.node().block_by_tag(Tag::Finalized).await;
    assert!(matches!(unknown, Err(ChainError::Rpc { code: -39001, .. })), "{unknown:?}");
}

#[tokio::test]
async fn ancestors_are_linked_and_ascending_over_several_requests() {
    let double = Double::rpc(|_, params| Ok(header(number(params)))).await;
    let expected: Vec<_> = (4..=9).map(block_ref).collect();
    for (limit, requests) in [(100, 1), (4, 2), (1, 6)] {
        let before = double.requests();
        assert_eq!(double.node_with(limit).ancestors(9, hash(9), 6).await, Ok(expected.clone()), "{limit}");
        assert_eq!(double.requests() - before, requests);
    }
    assert_eq!(double.node().ancestors(2, hash(2), 50).await.unwrap().len(), 3);
    assert_eq!(double.node().ancestors(2, hash(2), 0).await, Ok(vec![]));
    double.node().ancestors(9999, hash(9999), 5000).await.unwrap_err();
}

#[tokio::test]
async fn a_chain_that_changes_underneath_gives_no_ancestors() {
    let fork = B256::repeat_byte(0xf);
    let double = Double::rpc(move |_, params| {
        let mut block = header(number(params));
        if number(params) == 7 {
            block["hash"] = json!(fork);
        }
        Ok(block)
    })
    .await;
    double.node().ancestors(9, hash(9), 4).await.unwrap_err();
    double.node().ancestors(6, fork, 2).await.unwrap_err();
    assert_eq!(double.node().ancestors(6, hash(6), 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn only_an_explicit_null_is_absence() {
    let found = hash(1);
    let double = Double::rpc(move |method, params| {
        if method == "eth_getTransactionCount" {
            assert_eq!(
                params[1],
                json!({ "blockHash": block_ref(9).hash }),
                "read at that block, not at pending"
            );
            return Ok(json!("0x2a"));
        }
        match params[0].as_str().unwrap().parse::<B256>().unwrap() {
            h if h == hash(1) => Ok(receipt(h)),
            h if h == hash(2) => Ok(Value::Null),
            h if h == hash(3) => Err((-32000, "transaction indexing is in progress", Value::Null)),
            h if h == hash(4) => Ok(receipt(hash(1))),
            h if h == hash(5) => Ok(json!({ "transactionHash": h, "blockHash": null })),
            _ => Ok(json!("?")),
        }
    })
    .await;
    let hashes: Vec<_> = (1..=6).map(hash).collect();
    let expected = Receipt {
        hash: found,
        block_number: 7,
        block_hash: B256::repeat_byte(7),
        success: true,
        gas_used: 43_000,
        gas_price_wei: 1_000_000_000,
    };
    let mut rollups = receipt(hash(1));
    rollups["l1Fee"] = json!(U64::from(86_001));
    let rollups: ReceiptBody = serde_json::from_value(rollups).unwrap();
    assert_eq!(rollups.receipt().gas_price_wei, 1_000_000_003, "the fee for the data is spread over the gas");
    for limit in [100, 3, 1] {
        let node = double.node_with(limit);
        let view = node.account_view(Address::ZERO, &hashes, &block_ref(9)).await.unwrap();
        assert_eq!((view.at_number, view.mined_nonce), (9, 42));
        let answers: Vec<_> = view.receipts.iter().map(|(_, answer)| *answer).collect();
        use ReceiptAnswer::{Absent, Found, Unknown};
        assert_eq!(answers, [Found(expected), Absent, Unknown, Unknown, Unknown, Unknown]);
        assert_eq!(view.receipts.iter().map(|(h, _)| *h).collect::<Vec<_>>(), hashes);
    }
}

#[tokio::test]
async fn a_nonce_that_cannot_be_read_is_no_view() {
    let double = Double::rpc(|method, _| match method {
        "eth_getTransactionCount" => Err((-32000, "header not found", Value::Null)),
        _ => Ok(Value::Null),
    })
    .await;
    double.node().account_view(Address::ZERO, &[hash(1)], &block_ref(9)).await.unwrap_err();
}

/// A batch that leaves out a question, answers one twice or adds a stranger's, costs those answers only.
#[tokio::test]
async fn a_sloppy_batch_never_mixes_up_answers() {
    let double = Double::http(|body| {
        let Value::Array(questions) = body else { return json_body(&result(body, json!("0x1"))) };
        let mut answers =
            vec![json!({ "id": 999_999, "result": null }), json!({ "id": null, "result": null })];
        answers.push(result(&questions[0], json!("0x5")));
        answers.push(result(&questions[2], Value::Null));
        answers.push(result(&questions[2], receipt(hash(2))));
        json_body(&Value::Array(answers))
    })
    .await;
    let view = double.node().account_view(Address::ZERO, &[hash(1), hash(2)], &block_ref(9)).await.unwrap();
    assert_eq!(view.mined_nonce, 5);
    assert_eq!(view.receipts, [(hash(1), ReceiptAnswer::Unknown), (hash(2), ReceiptAnswer::Unknown)]);
}

#[tokio::test]
async fn a_node_without_batches_is_recognised_by_its_error() {
    let double = Double::http(|body| match body {
        Value::Array(_) => {
            json_body(&json!({ "id": null, "error": { "code": -32600, "message": "batches are off" } }))
        }
        _ => text(500, ""),
    })
    .await;
    let error = double.node().ancestors(9, hash(9), 2).await.unwrap_err();
    assert!(matches!(error, ChainError::Rpc { code: -32600, .. }), "{error:?}");
}

#[tokio::test]
async fn http_faults_are_told_apart() {
    let cases: [(&str, axum::response::Response, ChainError); 5] = [
        ("502", text(502, "<html>Bad Gateway</html>"), ChainError::Http(502)),
        ("redirect", redirect(), ChainError::Http(307)),
        (
            "huge",
            text(200, vec![b' '; super::super::BODY_LIMIT + 1]),
            ChainError::BadAnswer("larger than 8 MiB"),
        ),
        ("empty", text(200, ""), ChainError::BadAnswer("not a JSON-RPC answer to our question")),
        ("limit", text(429, ""), ChainError::RateLimited { retry_after: None }),
    ];
    for (name, answer, expected) in cases {
        let answer = std::sync::Mutex::new(Some(answer));
        let double = Double::http(move |_| answer.lock().unwrap().take().expect("one request only")).await;
        assert_eq!(double.node().chain_id().await, Err(expected), "{name}");
        assert_eq!(double.requests(), 1, "{name}: nothing is retried");
    }
    assert_eq!(Double::tcp(None).await.node().chain_id().await, Err(ChainError::Timeout));
}

fn redirect() -> axum::response::Response {
    let builder = axum::response::Response::builder().status(307).header("location", "/elsewhere");
    builder.body(axum::body::Body::empty()).unwrap()
}

#[tokio::test]
async fn urls_are_shown_as_scheme_and_host_and_their_secrets_are_hidden_in_answers() {
    let double = Double::rpc(|_, _| {
        Err((-32000, "no project deadbeefdeadbeef\nfor key hunter2hunter2 and topsecretpw", Value::Null))
    })
    .await;
    let url = double.url.replace("http://", "http://someuser1:topsecretpw@");
    let url = format!("{url}/v3/deadbeefdeadbeef?key=hunter2hunter2");
    let setup = NodeSetup {
        authorization: Some("Bearer abc".parse().unwrap()),
        ..NodeSetup::new(url.parse().unwrap())
    };
    let node = Node::new(&setup).unwrap();
    assert_eq!(node.shown(), double.url);
    let error = node.chain_id().await.unwrap_err();
    let everything = format!("{setup:?} {node:?} {error:?} {error}");
    for secret in ["someuser1", "topsecretpw", "deadbeef", "hunter2", "Bearer abc"] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
    assert!(error.to_string().contains("no project <hidden> for key <hidden>"), "{error}");
}

#[test]
fn only_http_addresses_with_limits_make_a_node() {
    for bad in ["ws://127.0.0.1:8546", "file:///ipc", "data:x"] {
        Node::new(&NodeSetup::new(bad.parse().unwrap())).unwrap_err();
    }
    let mut setup = NodeSetup::new("http://127.0.0.1:1".parse().unwrap());
    setup.timeout = Span::ZERO;
    Node::new(&setup).unwrap_err();
}
