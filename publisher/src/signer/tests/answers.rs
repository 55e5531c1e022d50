//! Answers no signer should give, from a socket that says whatever it is told to.

use super::*;
use crate::fuzz::fuzz;
use crate::signer::jsonrpc::offered;
use crate::signer::transaction::Unsigned;
use alloy::consensus::TxEnvelope;
use alloy::consensus::transaction::SignerRecoverable;
use alloy::eips::Decodable2718;
use alloy::primitives::hex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Says the same to everybody.
struct Parrot {
    url: String,
    heard: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Parrot {
    async fn start(says: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = vec![0; 1 << 16];
                let _ = peer.read(&mut request).await;
                let _ = peer.write_all(&says).await;
                let _ = peer.shutdown().await;
            }
        });
        Self { url, heard, task }
    }
}

impl Drop for Parrot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A JSON-RPC result to the first question of a signer.
fn result(json: &str) -> Vec<u8> {
    http("200 OK", &format!(r#"{{"jsonrpc":"2.0","id":1,"result":{json}}}"#))
}

/// The honest raw transaction, as hex.
async fn honest(fee: Fee) -> (SignedTx, String) {
    let double = Kind::Rpc.double().await;
    let signed = signer(Kind::Rpc.at(&double.url())).await.sign(&submit(fee)).await.unwrap();
    let raw = hex::encode_prefixed(&signed.raw);
    (signed, raw)
}

/// Without this an object around the transaction, as Clef and geth put it, would be taken for nonsense.
#[tokio::test]
async fn both_forms_of_a_signed_transaction_are_read() {
    let (signed, raw) = honest(EIP1559).await;
    for json in [format!("{raw:?}"), format!(r#"{{"raw":{raw:?},"tx":{{"nonce":"0x99"}}}}"#)] {
        let parrot = Parrot::start(result(&json)).await;
        let answer = signer(Kind::Rpc.at(&parrot.url)).await.sign(&submit(EIP1559)).await;
        assert_eq!(answer.unwrap(), signed, "{json}");
    }
}

/// Without this nonsense could be taken for a signature, or the daemon could choke on it.
#[tokio::test]
async fn nonsense_over_json_rpc_is_no_signature() {
    use SignFault::{BadAnswer, Refused, Unavailable};
    let (_, raw) = honest(LEGACY).await;
    let cut = &raw[..raw.len() - 2];
    let long = "x".repeat(80_000);
    let error =
        |code: i64| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"go\naway"}}}}"#);
    for (says, fault, words) in [
        (http("200 OK", "<html>welcome</html>"), BadAnswer, "HTTP 200 without a JSON-RPC answer"),
        (http("200 OK", ""), BadAnswer, "without a JSON-RPC answer"),
        (http("200 OK", &format!(r#"{{"id":2,"result":{raw:?}}}"#)), BadAnswer, "our question"),
        (http("200 OK", &format!(r#"{{"id":"1","result":{raw:?}}}"#)), BadAnswer, "our question"),
        (http("200 OK", &format!(r#"[{{"id":1,"result":{raw:?}}}]"#)), BadAnswer, "our question"),
        (http("404 Not Found", &format!(r#"{{"id":1,"result":{raw:?}}}"#)), BadAnswer, "HTTP 404"),
        (result("null"), BadAnswer, "no signed transaction"),
        (result("true"), BadAnswer, "no signed transaction"),
        (result(r#""0x""#), BadAnswer, "no signed transaction"),
        (result(r#""0xzz""#), BadAnswer, "no signed transaction"),
        (result(r#"{"tx":{}}"#), BadAnswer, "no signed transaction"),
        (result(&format!("{cut:?}")), BadAnswer, "no signed transaction"),
        (result(&format!("\"{raw}00\"")), BadAnswer, "no signed transaction"),
        (result(&"[".repeat(30_000)), BadAnswer, "without a JSON-RPC answer"),
        (result(&format!("{long:?}")), BadAnswer, "longer than 658"),
        (http("200 OK", &error(-32000)), Refused, "(-32000): \"go away\""),
        (http("400 Bad Request", &error(-32602)), Refused, "(-32602)"),
        (http("200 OK", &error(-32603)), Unavailable, "(-32603)"),
        (http("500 Internal Server Error", &error(-32603)), Unavailable, "HTTP 500"),
        (http("429 Too Many Requests", ""), Unavailable, "HTTP 429"),
        (http("401 Unauthorized", "who are you?"), Refused, "who are you?"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{".to_vec(), Unavailable, "not reached"),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), Unavailable, "not reached"),
        (Vec::new(), Unavailable, "not reached"),
    ] {
        let parrot = Parrot::start(says).await;
        refused(
            signer(Kind::Rpc.at(&parrot.url)).await.sign(&submit(LEGACY)).await,
            fault,
            &[words, &parrot.url],
        );
        assert_eq!(parrot.heard.load(Ordering::SeqCst), 1, "asked once, not again: {words}");
    }
}

/// Without this a truncated, padded or quoted signature could pass.
#[tokio::test]
async fn nonsense_over_rest_is_no_signature() {
    use SignFault::{BadAnswer, Mismatch, Refused, Unavailable};
    let (signed, _) = honest(EIP1559).await;
    let public_key = Some(Kind::Rest.double().await.public_keys()[0].parse().unwrap());
    let kind = |url: &str| SignerKind::Web3SignerRest { url: url.parse().unwrap(), public_key };
    let Ok(Offered { signature, .. }) = offered(&hex::encode_prefixed(&signed.raw).into()) else {
        unreachable!()
    };
    let good = hex::encode_prefixed(signature.as_bytes());
    let with_v = |v: &str| format!("{}{v}", &good[..130]);
    let v = u8::from(signature.v());

    for text in [good.clone(), format!("{good}\n"), with_v(&format!("0{v}"))] {
        let parrot = Parrot::start(http("200 OK", &text)).await;
        assert_eq!(signer(kind(&parrot.url)).await.sign(&submit(EIP1559)).await.unwrap(), signed, "{text}");
    }
    let zeros = "0".repeat(128);
    for (says, fault, words) in [
        (http("200 OK", ""), BadAnswer, "65 bytes"),
        (http("200 OK", &format!("{good:?}")), BadAnswer, "65 bytes"),
        (http("200 OK", &good[..130]), BadAnswer, "65 bytes"),
        (http("200 OK", &format!("{good}00")), BadAnswer, "65 bytes"),
        (http("200 OK", &with_v("02")), BadAnswer, "65 bytes"),
        (http("200 OK", &with_v("25")), BadAnswer, "65 bytes"),
        (http("200 OK", &with_v(&format!("0{}", 1 - v))), Mismatch, "recovers to 0x"),
        (http("200 OK", &format!("0x{zeros}1b")), BadAnswer, "nothing recovers"),
        (http("200 OK", &format!("0x{}{}1b", "f".repeat(64), &good[66..130])), BadAnswer, "nothing recovers"),
        (http("404 Not Found", "Public Key not found"), Refused, "Public Key not found"),
        (http("400 Bad Request", "Bad request format"), Refused, "Bad request format"),
        (http("503 Service Unavailable", ""), Unavailable, "HTTP 503"),
        (http("200 OK", &"0".repeat(70_000)), BadAnswer, "longer than 65536 bytes"),
    ] {
        let parrot = Parrot::start(says).await;
        refused(signer(kind(&parrot.url)).await.sign(&submit(EIP1559)).await, fault, &[words]);
    }
    for body in ["{}", "[1]", "no", "[]"] {
        let parrot = Parrot::start(http("200 OK", body)).await;
        let fault = if body == "[]" { Refused } else { BadAnswer };
        refused(signer(Kind::Rest.at(&parrot.url)).await.self_test(CHAIN).await, fault, &[]);
    }
}

/// Without this whoever can answer once for the signer could send us to a signer of his own.
#[tokio::test]
async fn redirects_are_not_followed() {
    for kind in KINDS {
        let double = kind.double().await;
        for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let says =
                format!("HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", double.url());
            let parrot = Parrot::start(says.into_bytes()).await;
            let answer = signer(kind.at(&parrot.url)).await.sign(&submit(LEGACY)).await;
            refused(answer, SignFault::BadAnswer, &["redirects", "never followed"]);
        }
        assert_eq!(double.requests(), 0);
    }
}

/// Without this one damaged bit could become another transaction of ours.
#[tokio::test]
async fn no_damaged_answer_makes_another_transaction() {
    for fee in [LEGACY, EIP1559] {
        let (signed, _) = honest(fee).await;
        for bit in 0..signed.raw.len() * 8 {
            let mut raw = signed.raw.to_vec();
            raw[bit / 8] ^= 1 << (bit % 8);
            let Ok(offered) = offered(&hex::encode_prefixed(&raw).into()) else { continue };
            if let Ok(accepted) = check::accept(Unsigned::new(&submit(fee)), offered, account()) {
                // The damage was where we do not look: what is ours stays ours.
                assert_eq!(accepted, signed, "bit {bit}");
            }
        }
    }
}

/// Without this an API key in the signer's address would end up in logs, and in the journal of whoever reads them.
#[tokio::test]
async fn nothing_of_an_address_is_shown_but_scheme_host_and_port() {
    let echo = "user-canary pass-canary path-canary-1234 query-canary";
    let says = [
        http("500 Oops", echo),
        http("403 No", echo),
        http("404 No", echo),
        http("302 Found", ""),
        http("200 OK", &format!(r#"{{"id":1,"error":{{"code":-32000,"message":"{echo}"}}}}"#)),
        b"nonsense".to_vec(),
    ];
    for kind in KINDS {
        for says in &says {
            let parrot = Parrot::start(says.clone()).await;
            let address = parrot.url.replace("http://", "http://user-canary:pass-canary@");
            let url = format!("{address}/path-canary-1234/?key=query-canary");
            let signer = signer(kind.at(&url)).await;
            let error = signer.sign(&submit(LEGACY)).await.unwrap_err();
            let shown = format!("{error} {error:?} {signer:?}");
            assert!(shown.contains(&parrot.url), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

/// Without this, a signer that answers anything at all may bring a transaction on its way that nobody asked for.
#[test]
fn fuzz_answers_of_signers() {
    let genuine = std::cell::Cell::new(0);
    fuzz("signed", [], |bytes| {
        let Ok(answer) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
        let Ok(offered) = offered(&answer) else { return };
        let unsigned = || Unsigned::new(&submit(EIP1559));
        if let Ok(signed) = check::accept(unsigned(), offered, account()) {
            let read = TxEnvelope::decode_2718_exact(&signed.raw).unwrap();
            assert_eq!(transaction::difference(unsigned().fields(), &read), None);
            assert_eq!(read.recover_signer().unwrap(), account());
            assert_eq!(*read.tx_hash(), signed.hash);
            genuine.set(genuine.get() + 1);
        }
    });
    assert!(genuine.get() > 0, "no genuine answer was read");
}
