//! The development keystore.

use super::*;
use std::path::Path;
use tempfile::TempDir;

/// The PBKDF2 example of the Web3 Secret Storage definition; its password and key are public.
const EXAMPLE: &str = r#"{"crypto": {"cipher": "aes-128-ctr",
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2", "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
        "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}"#;
const PASSWORD: &str = "testpassword";
const HOLDER: Address = address!("0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");

fn files(keystore: &str, password: &str) -> (TempDir, SignerKind) {
    let place = tempfile::tempdir().unwrap();
    let (path, password_file) = (place.path().join("key.json"), place.path().join("password"));
    std::fs::write(&path, keystore).unwrap();
    std::fs::write(&password_file, password).unwrap();
    (place, SignerKind::Keystore { path, password_file })
}

async fn open(kind: SignerKind, address: Address) -> Result<Signer, SignError> {
    Signer::open(SignerConfig { address, ..config(kind) }, policy(), &client()).await
}

#[tokio::test]
async fn a_keystore_signs_within_the_policy() {
    let (_place, kind) = files(EXAMPLE, "testpassword\r\n");
    let signer = open(kind, HOLDER).await.unwrap();
    signer.self_test(CHAIN).await.unwrap();
    for fee in [LEGACY, EIP1559] {
        let tx = TxRequest { from: HOLDER, ..submit(fee) };
        let signed = signer.sign(&tx).await.unwrap();
        assert_eq!(signer.sign(&tx).await.unwrap(), signed);
        let dear = TxRequest { gas_limit: 200_001, ..tx };
        refused(signer.sign(&dear).await, SignFault::Policy, &["(keystore)", "gas limit"]);
    }
    let shown = format!("{signer:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("7a28b5ba"), "{shown}");
}

#[tokio::test]
async fn a_keystore_that_does_not_open_is_explained() {
    let (_place, kind) = files(EXAMPLE, "canary-password");
    let error = open(kind, HOLDER).await.unwrap_err();
    assert!(!error.detail.contains("canary"), "{error}");
    refused::<()>(Err(error), SignFault::Unavailable, &["key.json", "check the password"]);

    let (_place, kind) = files(EXAMPLE, PASSWORD);
    refused(open(kind, account()).await, SignFault::Mismatch, &["holds the key of 0x008A", "not of"]);

    // Parameters on which a derivation would panic.
    let (_place, kind) = files(&EXAMPLE.replace("\"dklen\": 32", "\"dklen\": 3"), PASSWORD);
    refused(open(kind, HOLDER).await, SignFault::Unavailable, &["parameters"]);

    for (keystore, words) in
        [("{}", "V3 keystore"), ("", "V3 keystore"), (&"x".repeat(70_000)[..], "too long")]
    {
        let (_place, kind) = files(keystore, PASSWORD);
        refused(open(kind, HOLDER).await, SignFault::Unavailable, &["key.json", words]);
    }
    let nowhere =
        SignerKind::Keystore { path: "/nowhere/key".into(), password_file: "/nowhere/password".into() };
    refused(open(nowhere, HOLDER).await, SignFault::Unavailable, &["password_file /nowhere/password"]);
    assert!(!Path::new("/nowhere").exists());
}
