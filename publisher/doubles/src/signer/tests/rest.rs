//! REST: the data is hashed there, the key is named by its public half.

use alloy::primitives::{Signature, keccak256};

use super::*;

async fn sign(signer: &SignerDouble, key: &str, body: &str) -> (u16, String) {
    post(&format!("{}/api/v1/eth1/sign/{key}", signer.url()), body).await.unwrap()
}

#[tokio::test]
async fn the_signer_hashes_the_data_itself() {
    let signer = web3signer().await;
    for (address, key) in signer.addresses().into_iter().zip(signer.public_keys()) {
        assert_eq!(key.len(), 130);
        for spelling in [key.clone(), key.trim_start_matches("0x").to_uppercase()] {
            let (status, text) = sign(&signer, &spelling, r#"{"data":"0xc0ffee"}"#).await;
            assert_eq!((status, text.len()), (200, 132));
            let bytes = hex::decode(&text).unwrap();
            assert!(bytes[64] == 27 || bytes[64] == 28);
            let signature = Signature::from_raw(&bytes).unwrap();
            let from = signature.recover_address_from_prehash(&keccak256([0xc0, 0xff, 0xee])).unwrap();
            assert_eq!(from, address);
        }
    }
    assert_eq!(signer.asked()[0].call, Call::RestSign);
    assert_eq!((signer.sign_requests(), signer.signatures()), (4, 4));
}

#[tokio::test]
async fn unknown_keys_and_empty_data_are_refused() {
    let signer = web3signer().await;
    let key = &signer.public_keys()[0];
    let unknown = format!("0x{}", "ab".repeat(64));
    assert_eq!(sign(&signer, &unknown, r#"{"data":"0x00"}"#).await.0, 404);
    for body in
        [r#"{}"#, r#"{"data":""}"#, r#"{"data":"0x"}"#, r#"{"data":"0xzz"}"#, r#"{"data":1}"#, "", "["]
    {
        assert_eq!(sign(&signer, key, body).await.0, 400, "{body}");
    }
    assert_eq!(signer.signatures(), 0);
}

#[tokio::test]
async fn keys_health_and_reload() {
    let config = SignerConfig { reload_ms: 1_500, ..SignerConfig::new(CHAIN, vec![[7; 32]]) };
    let signer = SignerDouble::start(config).await.unwrap();
    let (status, body) = get(&signer, "/api/v1/eth1/publicKeys").await;
    assert_eq!((status, serde_json::from_str::<Vec<String>>(&body).unwrap()), (200, signer.public_keys()));
    assert_eq!(get(&signer, "/upcheck").await, (200, "OK".into()));
    assert_eq!(get(&signer, "/healthcheck").await.0, 200);

    let reload = format!("{}/reload", signer.url());
    let status = async || {
        let body = get(&signer, "/reload").await.1;
        serde_json::from_str::<Value>(&body).unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status().await, "idle");
    assert_eq!(post(&reload, "").await.unwrap().0, 202);
    let (refused, why) = post(&reload, "").await.unwrap();
    assert_eq!(refused, 409);
    assert!(why.contains("already in progress"));
    assert_eq!(status().await, "running");
    tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
    assert_eq!(status().await, "completed");
    assert_eq!(post(&reload, "").await.unwrap().0, 202);
}
