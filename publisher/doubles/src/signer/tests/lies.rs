//! Every tamper changes exactly what it says, and none recovers to the right address over the right hash.

use alloy::consensus::{SignableTransaction, Transaction, TxEip1559, TxLegacy};
use alloy::primitives::{Signature, TxKind, U256, keccak256};

use super::*;

/// What was asked for, as an honest client would hash it.
fn honest(transaction: &TxEnvelope) -> TxEip1559 {
    transaction.as_eip1559().unwrap().tx().clone()
}

#[tokio::test]
async fn over_rpc_each_lie_is_of_its_kind() {
    let signer = web3signer().await;
    let (truth, us) = signed(&signer, request(&signer)).await;
    let truth = honest(&truth);
    for tamper in Tamper::ALL {
        signer.mode(Mode::Tampering(tamper));
        let (lie, from) = signed(&signer, request(&signer)).await;
        let over_ours = lie.signature().recover_address_from_prehash(&truth.signature_hash()).ok();
        match tamper {
            Tamper::HighS => {
                assert_eq!(honest(&lie), truth);
                assert_eq!((from, over_ours), (us, Some(us)), "high-s recovers; only its s gives it away");
                assert!(lie.signature().normalize_s().is_some());
                continue;
            }
            Tamper::OtherKey => assert!(honest(&lie) == truth && from != us),
            Tamper::LegacyInsteadOf1559 => {
                assert!(lie.is_legacy() && from == us);
                assert_eq!(
                    (lie.nonce(), lie.input(), lie.gas_price()),
                    (7, &truth.input, Some(truth.max_fee_per_gas))
                );
            }
            Tamper::OtherTo => {
                assert_ne!(lie.to(), truth.to.to().copied());
                assert_eq!(TxEip1559 { to: truth.to, ..honest(&lie) }, truth);
            }
            Tamper::OtherValue => {
                assert_eq!(TxEip1559 { value: U256::ZERO, ..honest(&lie) }, truth);
                assert_eq!(lie.value(), U256::ONE);
            }
            Tamper::OtherNonce => {
                assert_eq!(TxEip1559 { nonce: 7, ..honest(&lie) }, truth);
                assert_eq!(lie.nonce(), 6);
            }
            Tamper::OtherChainId => {
                assert_eq!(TxEip1559 { chain_id: CHAIN, ..honest(&lie) }, truth);
                assert_eq!(lie.chain_id(), Some(CHAIN + 1));
            }
        }
        assert_ne!(over_ours, Some(us), "{tamper:?} would pass for the truth");
    }
}

#[tokio::test]
async fn over_rest_the_changed_transaction_is_signed() {
    let signer = web3signer().await;
    let us = signer.addresses()[0];
    let url = format!("{}/api/v1/eth1/sign/{}", signer.url(), signer.public_keys()[0]);
    let fee_market = TxEip1559 {
        chain_id: CHAIN,
        nonce: 7,
        gas_limit: 200_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(us),
        ..TxEip1559::default()
    };
    let legacy = TxLegacy { chain_id: Some(CHAIN), nonce: 7, to: TxKind::Call(us), ..TxLegacy::default() };
    let as_legacy = TxLegacy { gas_price: 10, gas_limit: 200_000, ..legacy.clone() };
    let sign = async |payload: Vec<u8>| {
        let body = json!({"data": hex::encode_prefixed(&payload)}).to_string();
        let (status, text) = post(&url, &body).await.unwrap();
        assert_eq!(status, 200);
        Signature::from_raw(&hex::decode(text).unwrap()).unwrap()
    };
    let recovers = |signature: &Signature, payload: &[u8]| {
        signature.recover_address_from_prehash(&keccak256(payload)).ok() == Some(us)
    };
    for payload in
        [fee_market.encoded_for_signing(), legacy.encoded_for_signing(), b"no transaction".to_vec()]
    {
        signer.mode(Mode::Ok);
        assert!(recovers(&sign(payload.clone()).await, &payload));
        for tamper in Tamper::ALL {
            signer.mode(Mode::Tampering(tamper));
            let signature = sign(payload.clone()).await;
            let honoured = tamper == Tamper::LegacyInsteadOf1559 && payload == legacy.encoded_for_signing();
            let expected = tamper == Tamper::HighS || honoured;
            assert_eq!(recovers(&signature, &payload), expected, "{tamper:?} over {payload:02x?}");
            assert_eq!(signature.normalize_s().is_some(), tamper == Tamper::HighS);
        }
    }
    signer.mode(Mode::Tampering(Tamper::OtherNonce));
    let other = TxEip1559 { nonce: 6, ..fee_market.clone() };
    assert!(recovers(&sign(fee_market.encoded_for_signing()).await, &other.encoded_for_signing()));
    signer.mode(Mode::Tampering(Tamper::LegacyInsteadOf1559));
    assert!(recovers(&sign(fee_market.encoded_for_signing()).await, &as_legacy.encoded_for_signing()));
}
