//! Who gets in, and the modes in which nobody does.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn foreign_hosts_are_turned_away() {
    let signer = web3signer().await;
    let ask = async |host: &str| {
        let request = client().get(format!("{}/upcheck", signer.url())).header("host", host.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(ask("signer.internal:9000").await, (403, r#"{"message":"Host not authorized."}"#.into()));
    assert_eq!(ask("LOCALHOST:1").await.0, 200);
    assert_eq!(ask("127.0.0.1").await.0, 200);
    assert_eq!(ask("127.0.0.1.evil.example").await.0, 403);

    let lax = SignerConfig { allowed_hosts: vec!["*".into()], ..SignerConfig::new(CHAIN, vec![]) };
    let lax = SignerDouble::start(lax).await.unwrap();
    let request = client().get(format!("{}/upcheck", lax.url())).header("host", "anything");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn down_and_unavailable_answer_nothing_useful() {
    let signer = web3signer().await;
    let accounts = r#"{"jsonrpc":"2.0","id":1,"method":"eth_accounts","params":[]}"#;
    signer.mode(Mode::Down);
    assert!(post(&signer.url(), accounts).await.is_err());
    signer.mode(Mode::Status503);
    assert_eq!(post(&signer.url(), accounts).await.unwrap().0, 503);
    assert_eq!(get(&signer, "/upcheck").await.0, 503);
    signer.mode(Mode::Ok);
    assert_eq!(post(&signer.url(), accounts).await.unwrap().0, 200);
    // A client may well have tried the closed connection twice.
    assert!(signer.requests() >= 4);
}

#[tokio::test]
async fn slow_forgets_a_client_that_left_and_late_does_not() {
    let signer = web3signer().await;
    let body =
        json!({"jsonrpc": "2.0", "id": 5, "method": "eth_signTransaction", "params": [request(&signer)]});
    let impatient = async || {
        let client =
            reqwest::Client::builder().timeout(Duration::from_millis(100)).no_proxy().build().unwrap();
        assert!(client.post(signer.url()).body(body.to_string()).send().await.is_err());
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    };
    signer.mode(Mode::Slow { ms: 800 });
    impatient().await;
    assert_eq!(signer.signatures(), 0);
    signer.mode(Mode::LateAnswer { ms: 800 });
    impatient().await;
    assert_eq!(signer.signatures(), 1);

    for mode in [Mode::Slow { ms: 200 }, Mode::LateAnswer { ms: 200 }] {
        signer.mode(mode);
        let began = Instant::now();
        signed(&signer, request(&signer)).await;
        assert!(began.elapsed() >= Duration::from_millis(200));
    }
    signer.mode(Mode::LateAnswer { ms: 60_000 });
    let began = Instant::now();
    get(&signer, "/upcheck").await;
    assert!(began.elapsed() < Duration::from_secs(30), "a late signer is in good health");
}

#[tokio::test]
async fn a_vanished_address_is_gone_everywhere() {
    let signer = web3signer().await;
    signer.mode(Mode::AddressVanished);
    assert_eq!(call(&signer, "eth_accounts", json!([])).await.1["result"], json!([]));
    assert_eq!(get(&signer, "/api/v1/eth1/publicKeys").await.1, "[]");
    let (_, body) = call(&signer, "eth_signTransaction", json!([request(&signer)])).await;
    assert_eq!(body["error"]["code"], -32_000);
    let rest = format!("{}/api/v1/eth1/sign/{}", signer.url(), signer.public_keys()[0]);
    assert_eq!(post(&rest, r#"{"data":"0x00"}"#).await.unwrap().0, 404);
    signer.mode(Mode::Ok);
    signed(&signer, request(&signer)).await;
}

#[tokio::test]
async fn bad_keys_do_not_start() {
    let config = SignerConfig::new(CHAIN, vec![[0; 32]]);
    assert_eq!(SignerDouble::start(config).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let config = SignerConfig::new(CHAIN, vec![[9; 32]]);
    assert!(!format!("{config:?}").contains("9, 9"), "the configuration prints its keys");
}
