//! Signers that are good, sick, slow or hostile, on real sockets.

mod answers;
mod keystore;
mod policy;
mod remote;

use super::*;
use alloy::primitives::address;
use publisher_core::price::Answer;
use publisher_core::tx::{Call, Fee};
use publisher_doubles::signer::{self as double, SignerDouble};
use std::collections::BTreeSet;

const CHAIN: u64 = 138;
const KEY: [u8; 32] = [0x42; 32];
const AGGREGATOR: Address = address!("0xa9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9");
const LEGACY: Fee = Fee::Legacy { gas_price_wei: 7_000_000_000 };
const EIP1559: Fee = Fee::Eip1559 { max_fee_wei: 9_000_000_000, max_priority_wei: 1_000_000_000 };

/// The remote kinds, in a form that tables can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rpc,
    EthSigner,
    Rest,
}

const KINDS: [Kind; 3] = [Kind::Rpc, Kind::EthSigner, Kind::Rest];

impl Kind {
    fn at(self, url: &str) -> SignerKind {
        let url = url.parse().unwrap();
        match self {
            Self::Rpc => SignerKind::JsonRpc { url, dialect: Dialect::Web3Signer },
            Self::EthSigner => SignerKind::JsonRpc { url, dialect: Dialect::EthSigner },
            Self::Rest => SignerKind::Web3SignerRest { url, public_key: None },
        }
    }

    fn fees(self) -> &'static [Fee] {
        if self == Self::EthSigner { &[LEGACY] } else { &[LEGACY, EIP1559] }
    }

    /// The right double for this kind.
    async fn double(self) -> SignerDouble {
        let dialect =
            if self == Self::EthSigner { double::Dialect::EthSigner } else { double::Dialect::Web3Signer };
        SignerDouble::start(double::SignerConfig { dialect, ..double::SignerConfig::new(CHAIN, vec![KEY]) })
            .await
            .unwrap()
    }
}

fn account() -> Address {
    alloy::signers::local::PrivateKeySigner::from_bytes(&B256::from(KEY)).unwrap().address()
}

fn policy() -> Policy {
    Policy {
        chain_id: CHAIN,
        allowed: BTreeSet::from([AGGREGATOR]),
        allow_creation: false,
        max_gas: 200_000,
        max_fee_wei: 10_000_000_000,
    }
}

fn config(kind: SignerKind) -> SignerConfig {
    SignerConfig { name: "main".into(), address: account(), kind, timeout: Duration::from_secs(5) }
}

fn client() -> Client {
    Client::new().unwrap()
}

async fn signer(kind: SignerKind) -> Signer {
    Signer::open(config(kind), policy(), &client()).await.unwrap()
}

async fn hasty(kind: SignerKind) -> Signer {
    let config = SignerConfig { timeout: Duration::from_millis(1_500), ..config(kind) };
    Signer::open(config, policy(), &client()).await.unwrap()
}

fn submit(fee: Fee) -> TxRequest {
    let answer: Answer = "-6543210987654321".parse().unwrap();
    TxRequest {
        chain_id: CHAIN,
        from: account(),
        nonce: 7,
        gas_limit: 90_000,
        fee,
        call: Call::Submit { aggregator: AGGREGATOR, round: 12, answer },
    }
}

/// The refusal, which names the signer and where it is, and how to go on.
fn refused<T: fmt::Debug>(answer: Result<T, SignError>, fault: SignFault, words: &[&str]) {
    let error = answer.unwrap_err();
    assert_eq!(error.fault, fault, "{error}");
    assert!(error.detail.starts_with("signer main ("), "{error}");
    for word in words {
        assert!(error.detail.contains(word), "{word:?} is not in {:?}", error.detail);
    }
}
