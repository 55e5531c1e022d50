//! Against the strict double: what is signed, what is refused, and what a sick signer costs.

use super::*;
use alloy::consensus::Transaction;
use alloy::consensus::transaction::SignerRecoverable;
use alloy::eips::Decodable2718;
use alloy::primitives::{TxKind, U256, keccak256};
use publisher_doubles::signer::{Mode, Tamper};
use std::collections::BTreeSet;

fn rollout() -> Policy {
    Policy { allow_creation: true, ..policy() }
}

/// Without this a bump, a no-op or a rollout could be signed as something else than was asked for.
#[tokio::test]
async fn what_is_signed_is_our_own_transaction() {
    let init = Bytes::from(vec![0x60; 30_000]);
    let Call::Submit { answer, .. } = submit(LEGACY).call else { unreachable!() };
    let selector = keccak256("submit(uint256,int256)");
    let submitted =
        [&selector[..4], &U256::from(12).to_be_bytes::<32>(), &answer.value().to_be_bytes::<32>()].concat();
    let calls = [
        (submit(LEGACY).call, TxKind::Call(AGGREGATOR), Bytes::from(submitted)),
        (Call::Noop, TxKind::Call(account()), Bytes::new()),
        (Call::Raw { to: None, data: init.clone() }, TxKind::Create, init),
        (
            Call::Raw { to: Some(AGGREGATOR), data: Bytes::from_static(&[1, 2, 3]) },
            TxKind::Call(AGGREGATOR),
            Bytes::from_static(&[1, 2, 3]),
        ),
    ];
    for kind in KINDS {
        let double = kind.double().await;
        let signer = Signer::open(config(kind.at(&double.url())), rollout(), &client()).await.unwrap();
        for fee in kind.fees() {
            for (call, to, data) in &calls {
                let case = format!("{kind:?} {fee:?} to {to:?}");
                let signed = signer.sign(&TxRequest { call: call.clone(), ..submit(*fee) }).await.unwrap();
                let tx = TxEnvelope::decode_2718_exact(&signed.raw).unwrap();
                assert_eq!(signed.hash, keccak256(&signed.raw), "{case}");
                assert_eq!(tx.recover_signer().unwrap(), account(), "{case}");
                assert_eq!((tx.kind(), tx.input(), tx.value()), (*to, data, U256::ZERO), "{case}");
                assert_eq!((tx.chain_id(), tx.nonce(), tx.gas_limit()), (Some(CHAIN), 7, 90_000), "{case}");
                match fee {
                    Fee::Legacy { gas_price_wei } => {
                        assert_eq!((tx.is_legacy(), tx.gas_price()), (true, Some(*gas_price_wei)), "{case}");
                    }
                    Fee::Eip1559 { max_fee_wei, max_priority_wei } => {
                        assert!(tx.is_eip1559(), "{case}");
                        assert_eq!(tx.max_fee_per_gas(), *max_fee_wei, "{case}");
                        assert_eq!(tx.max_priority_fee_per_gas(), Some(*max_priority_wei), "{case}");
                    }
                }
            }
        }
        assert_eq!(double.send_requests(), 0);
    }
}

/// Without this a signer that ignores what it does not know would sign something else.
#[tokio::test]
async fn json_rpc_asks_with_the_fields_that_every_dialect_knows() {
    let double = Kind::Rpc.double().await;
    let signer = Signer::open(config(Kind::Rpc.at(&double.url())), rollout(), &client()).await.unwrap();
    signer.sign(&submit(LEGACY)).await.unwrap();
    signer.sign(&submit(EIP1559)).await.unwrap();
    let creation = Call::Raw { to: None, data: Bytes::from_static(&[0x60]) };
    signer.sign(&TxRequest { call: creation, ..submit(LEGACY) }).await.unwrap();
    let always = ["data", "from", "gas", "nonce", "value"];
    let expected = [
        [&always[..], &["to", "gasPrice"]].concat(),
        [&always[..], &["to", "maxFeePerGas", "maxPriorityFeePerGas"]].concat(),
        [&always[..], &["gasPrice"]].concat(),
    ];
    let asked = double.asked();
    assert_eq!(asked.len(), expected.len());
    for (asked, expected) in asked.iter().zip(expected) {
        let request: serde_json::Value = serde_json::from_str(&asked.request).unwrap();
        assert_eq!(request["method"], "eth_signTransaction");
        assert_eq!(request["params"].as_array().unwrap().len(), 1);
        let fields = request["params"][0].as_object().unwrap();
        let sent: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(sent, expected.into_iter().collect());
        assert_eq!(
            (&fields["nonce"], &fields["gas"], &fields["value"]),
            (&"0x7".into(), &"0x15f90".into(), &"0x0".into())
        );
    }
}

/// Without this a signer that was broken into could publish its own price or empty the account.
#[tokio::test]
async fn a_tampering_signer_gets_nothing_signed() {
    for kind in KINDS {
        let double = kind.double().await;
        let signer = signer(kind.at(&double.url())).await;
        for fee in kind.fees() {
            let honest = signer.sign(&submit(*fee)).await.unwrap();
            for tamper in Tamper::ALL {
                double.mode(Mode::Tampering(tamper));
                let before = double.signatures();
                let answer = signer.sign(&submit(*fee)).await;
                assert_eq!(double.signatures(), before + 1, "{kind:?} {fee:?} {tamper:?}: it was asked");
                let (fault, words) = match tamper {
                    Tamper::HighS => (SignFault::HighS, "high s"),
                    // There is nothing to downgrade: the answer is the honest one.
                    Tamper::LegacyInsteadOf1559 if *fee == LEGACY => {
                        assert_eq!(answer.unwrap(), honest);
                        continue;
                    }
                    _ if kind == Kind::Rest => (SignFault::Mismatch, "something else or with another key"),
                    Tamper::OtherTo => (SignFault::Mismatch, "it signed to 0x"),
                    Tamper::OtherValue => (SignFault::Mismatch, "it signed value 1 instead of 0"),
                    Tamper::OtherNonce => (SignFault::Mismatch, "it signed nonce 6 instead of 7"),
                    Tamper::OtherChainId => (SignFault::Mismatch, "it signed chain id 139 instead of 138"),
                    Tamper::LegacyInsteadOf1559 => (SignFault::Mismatch, "it signed type 0 instead of 2"),
                    Tamper::OtherKey => (SignFault::Mismatch, "it signed with another key"),
                };
                refused(answer, fault, &[words, &double.url()]);
            }
            double.mode(Mode::Ok);
            assert_eq!(signer.sign(&submit(*fee)).await.unwrap(), honest);
        }
    }
}

/// Without this a signer's bad day would be mistaken for an answer, or stop the daemon for good.
#[tokio::test]
async fn a_sick_signer_costs_nothing_but_time() {
    for kind in KINDS {
        let double = kind.double().await;
        let signer = hasty(kind.at(&double.url())).await;
        let honest = signer.sign(&submit(LEGACY)).await.unwrap();
        for (mode, fault, words) in [
            (Mode::Down, SignFault::Unavailable, "not reached"),
            (Mode::Slow { ms: 20_000 }, SignFault::Timeout, "no answer within 1500 ms"),
            (Mode::Status503, SignFault::Unavailable, "HTTP 503"),
            (Mode::LateAnswer { ms: 20_000 }, SignFault::Timeout, "no answer within 1500 ms"),
            (Mode::AddressVanished, SignFault::Refused, ""),
        ] {
            double.mode(mode);
            refused(signer.sign(&submit(LEGACY)).await, fault, &[words, &double.url()]);
            double.mode(Mode::Ok);
            assert_eq!(signer.sign(&submit(LEGACY)).await.unwrap(), honest, "{kind:?} after {mode:?}");
        }
        let url = double.url();
        drop(double);
        refused(signer.sign(&submit(LEGACY)).await, SignFault::Unavailable, &["not reached", &url]);
    }
}

/// Without this a wrong signer, key or chain id would only show once a round is due.
#[tokio::test]
async fn the_self_test_finds_wrong_signers() {
    for kind in KINDS {
        let double = kind.double().await;
        let good = signer(kind.at(&double.url())).await;
        good.self_test(CHAIN).await.unwrap();
        refused(good.self_test(CHAIN + 1).await, SignFault::Policy, &["chain id 139", "chain 138"]);

        double.mode(Mode::AddressVanished);
        refused(good.self_test(CHAIN).await, SignFault::Refused, &["no key of 0x", "load the key"]);
        double.mode(Mode::Tampering(Tamper::OtherKey));
        refused(good.self_test(CHAIN).await, SignFault::Mismatch, &["recovers to 0x"]);
        double.mode(Mode::Slow { ms: 20_000 });
        let hasty = hasty(kind.at(&double.url())).await;
        refused(hasty.self_test(CHAIN).await, SignFault::Timeout, &["1500 ms"]);

        let stranger = SignerConfig { address: AGGREGATOR, ..config(kind.at(&double.url())) };
        double.mode(Mode::Ok);
        let stranger = Signer::open(stranger, policy(), &client()).await.unwrap();
        refused(stranger.self_test(CHAIN).await, SignFault::Refused, &["no key of 0xa9"]);
    }
}

/// Without this every signature of a signer that was started for another chain would fail, one round after another.
#[tokio::test]
async fn the_self_test_finds_a_signer_of_another_chain() {
    let elsewhere = SignerDouble::start(double::SignerConfig::new(1, vec![KEY])).await.unwrap();
    let signer = signer(Kind::Rpc.at(&elsewhere.url())).await;
    let words = ["it signed chain id 1 instead of 138", "start the signer with this chain's id"];
    refused(signer.self_test(CHAIN).await, SignFault::Mismatch, &words);
}

/// Without this an EthSigner taken for a Web3Signer would sign legacy transactions for ever that nobody can use.
#[tokio::test]
async fn the_two_dialects_are_told_apart() {
    let double = Kind::EthSigner.double().await;
    let mistaken = signer(Kind::Rpc.at(&double.url())).await;
    refused(mistaken.self_test(CHAIN).await, SignFault::Mismatch, &["type 0 instead of 2", "EthSigner"]);

    let asked = double.requests();
    let right = signer(Kind::EthSigner.at(&double.url())).await;
    assert!(!right.signs_eip1559());
    refused(right.sign(&submit(EIP1559)).await, SignFault::Policy, &["legacy fee profile"]);
    assert_eq!(double.requests(), asked, "it must not be asked at all");
}

/// Without this the usual reason for a 403 behind a service name would take an afternoon to find.
#[tokio::test]
async fn a_signer_that_does_not_know_its_own_name_is_explained() {
    let mut config = double::SignerConfig::new(CHAIN, vec![KEY]);
    config.allowed_hosts = vec!["signer.internal".into()];
    let double = SignerDouble::start(config).await.unwrap();
    for kind in [Kind::Rpc, Kind::Rest] {
        let signer = signer(kind.at(&double.url())).await;
        let words = ["HTTP 403", "Host not authorized", "--http-host-allowlist"];
        refused(signer.self_test(CHAIN).await, SignFault::Refused, &words);
    }
}

/// Without this a typing error in the public key would be a 404 at the first round.
#[tokio::test]
async fn a_configured_public_key_must_be_the_accounts() {
    let double = Kind::Rest.double().await;
    let url: Url = double.url().parse().unwrap();
    let key: B512 = double.public_keys()[0].parse().unwrap();
    let kind = |key| SignerKind::Web3SignerRest { url: url.clone(), public_key: Some(key) };
    let right = signer(kind(key)).await;
    right.sign(&submit(EIP1559)).await.unwrap();
    assert_eq!(double.requests(), 1, "the list of keys is not needed");
    let wrong = Signer::open(config(kind(B512::repeat_byte(1))), policy(), &client()).await;
    refused(wrong, SignFault::Policy, &["public key 0x0101", "not to 0x"]);
}
