use super::super::double::{Double, json_body, result, text};
use super::*;
use alloy::primitives::keccak256;
use axum::body::Body;
use publisher_core::time::Span;
use serde_json::{Value, json};

fn raw() -> (Bytes, B256) {
    let raw = Bytes::from_static(&[0xf8, 0x01, 0x02]);
    let hash = keccak256(&raw);
    (raw, hash)
}

async fn sent(script: impl Fn(&Value) -> axum::response::Response + Send + Sync + 'static) -> Sent {
    let double = Double::http(script).await;
    let (raw, hash) = raw();
    double.node().send_raw(&raw, hash).await
}

fn refusal(question: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": code, "message": message } })
}

#[tokio::test]
async fn our_own_hash_is_acceptance_and_the_bytes_go_out_unchanged() {
    let (raw, hash) = raw();
    let double = Double::http(move |q| json_body(&result(q, json!(hash)))).await;
    let sent = double.node().send_raw(&raw, hash).await;
    assert_eq!((sent.outcome, sent.wrong_hash), (SendOutcome::Accepted, false));
    let heard = double.heard.lock().unwrap();
    assert_eq!(heard[0]["method"], "eth_sendRawTransaction");
    assert_eq!(heard[0]["params"], json!(["0xf80102"]));
}

#[tokio::test]
async fn another_hash_is_ambiguous_and_flagged() {
    let sent = sent(|q| json_body(&result(q, json!(B256::repeat_byte(7))))).await;
    assert_eq!((sent.outcome, sent.wrong_hash), (SendOutcome::Ambiguous, true));
}

#[tokio::test]
async fn errors_are_read_by_their_text_also_with_another_status() {
    for status in [200, 400, 500] {
        let sent = sent(move |q| text(status, refusal(q, -32001, "Nonce too low").to_string())).await;
        assert_eq!(sent.outcome, SendOutcome::NonceUsed, "{status}");
        assert!(sent.detail.contains("Nonce too low"), "{}", sent.detail);
    }
    let sent = sent(|q| {
        json_body(&refusal(q, -32000, "transaction underpriced, FeePerGas needs to be higher than 9"))
    })
    .await;
    assert_eq!((sent.outcome, sent.minimum), (SendOutcome::FeeTooLow, Some(FeeMinimum::Price(10))));
}

/// JSON-RPC 1 servers and some gateways send both members, one of them null.
#[tokio::test]
async fn a_null_beside_the_answer_does_no_harm() {
    let (_, hash) = raw();
    let both = |q: &Value, result: Value, error: Value| {
        json_body(&json!({ "id": q["id"], "result": result, "error": error }))
    };
    let accepted = sent(move |q| both(q, json!(hash), Value::Null)).await;
    assert_eq!(accepted.outcome, SendOutcome::Accepted, "{}", accepted.detail);
    let error = json!({ "code": -32000, "message": "already known" });
    let known = sent(move |q| both(q, Value::Null, error.clone())).await;
    assert_eq!(known.outcome, SendOutcome::Known, "{}", known.detail);
}

/// An answer that is not a clear word of the node leaves open whether the bytes arrived.
#[tokio::test]
async fn everything_unclear_is_ambiguous() {
    let other_id = |q: &Value, mut body: Value| {
        body["id"] = json!(q["id"].as_u64().unwrap() + 1);
        json_body(&body)
    };
    let (_, hash) = raw();
    let outcomes = [
        ("another id, accepted", sent(move |q| other_id(q, result(q, json!(hash)))).await),
        ("another id, refused", sent(move |q| other_id(q, refusal(q, -32001, "nonce too low"))).await),
        ("no id", sent(|_| json_body(&json!({ "error": { "code": -32001, "message": "nonce too low" } }))).await),
        ("string id", sent(|q| json_body(&json!({ "id": q["id"].to_string(), "error": { "code": -32001, "message": "nonce too low" } }))).await),
        ("accepted with status 500", sent(move |q| text(500, result(q, json!(hash)).to_string())).await),
        ("HTML", sent(|_| text(502, "<html>502 Bad Gateway: nonce too low</html>")).await),
        ("HTML with 200", sent(|_| text(200, "<html>already known</html>")).await),
        ("empty", sent(|_| text(200, "")).await),
        ("truncated", sent(move |q| {
            let body = result(q, json!(hash)).to_string();
            text(200, body[..body.len() - 3].to_owned())
        }).await),
        ("null", sent(|q| json_body(&result(q, Value::Null))).await),
        ("both", sent(move |q| {
            let mut body = refusal(q, -32001, "nonce too low");
            body["result"] = json!(hash);
            json_body(&body)
        }).await),
        ("text for error", sent(|q| json_body(&json!({ "id": q["id"], "error": "nonce too low" }))).await),
        ("unknown text", sent(|q| json_body(&refusal(q, -32000, "computer says no"))).await),
    ];
    for (name, sent) in outcomes {
        assert_eq!(
            (sent.outcome, sent.wrong_hash),
            (SendOutcome::Ambiguous, false),
            "{name}: {}",
            sent.detail
        );
        assert!(!sent.detail.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_lost_answer_and_a_dead_node_are_ambiguous() {
    let (raw, hash) = raw();
    // The request arrives, the connection then stays silent for longer than the timeout.
    let silent = Double::tcp(None).await;
    let sent = silent.node().send_raw(&raw, hash).await;
    assert_eq!(sent.outcome, SendOutcome::Ambiguous, "{}", sent.detail);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = Double::at(listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(gone.node().send_raw(&raw, hash).await.outcome, SendOutcome::Ambiguous);
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_is_ambiguous() {
    let (raw, hash) = raw();
    let half = Double::tcp(Some("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\":\"2.0\"")).await;
    let sent = half.node().send_raw(&raw, hash).await;
    assert_eq!(sent.outcome, SendOutcome::Ambiguous, "{}", sent.detail);
    assert!(sent.detail.contains("cut off"), "{}", sent.detail);
}

#[tokio::test]
async fn a_rate_limit_carries_its_waiting_time() {
    let limited = |value: &'static str| {
        move |_: &Value| {
            axum::response::Response::builder()
                .status(429)
                .header("retry-after", value)
                .body(Body::from("slow"))
                .unwrap()
        }
    };
    let one = sent(limited("7")).await;
    assert_eq!((one.outcome, one.retry_after), (SendOutcome::Ambiguous, Some(Span::from_s(7))));
    assert_eq!(sent(limited("99999999")).await.retry_after, Some(Span::from_s(3600)));
    assert_eq!(sent(limited("Wed, 21 Oct 2015 07:28:00 GMT")).await.retry_after, None);
}

#[tokio::test]
async fn a_node_that_asks_for_quiet_is_left_alone_until_then() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let double = Double::http(move |body| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 {
            let answer = json!({ "jsonrpc": "2.0", "id": body["id"], "result": "0x8a" });
            return axum::response::Response::new(Body::from(answer.to_string()));
        }
        let limited = axum::response::Response::builder().status(429).header("retry-after", "1");
        limited.body(Body::from("slow")).unwrap()
    })
    .await;
    let (node, (raw, hash)) = (double.node(), raw());
    let limit = |answer| matches!(answer, Err(ChainError::RateLimited { retry_after: Some(_) }));
    assert!(limit(node.chain_id().await));
    assert!(limit(node.chain_id().await), "even the next call, whatever it is");
    assert_eq!(node.send_raw(&raw, hash).await.outcome, SendOutcome::Ambiguous);
    assert_eq!(double.requests(), 1);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(node.chain_id().await, Ok(138));
}
