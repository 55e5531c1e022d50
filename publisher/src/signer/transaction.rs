//! Our own transaction: what is hashed, what is asked for, and how it is encoded once it is signed.

use super::SignedTx;
use crate::chain::target_and_data;
use alloy::consensus::{SignableTransaction, Transaction, TxEip1559, TxLegacy, Typed2718};
use alloy::eips::Encodable2718;
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use publisher_core::tx::{Fee, TxRequest};

/// A nonce no account reaches, the highest that EIP-2681 leaves usable.
const PROBE_NONCE: u64 = u64::MAX - 1;

/// A transaction without a signature.
pub(super) enum Unsigned {
    Legacy(TxLegacy),
    Eip1559(TxEip1559),
}

impl Unsigned {
    /// The transaction that the core asks for.
    pub(super) fn new(tx: &TxRequest) -> Self {
        let (to, input) = target_and_data(&tx.call, tx.from);
        let to = to.map_or(TxKind::Create, TxKind::Call);
        let (nonce, gas_limit, value) = (tx.nonce, tx.gas_limit, U256::ZERO);
        match tx.fee {
            Fee::Legacy { gas_price_wei: gas_price } => Self::Legacy(TxLegacy {
                chain_id: Some(tx.chain_id),
                nonce,
                gas_price,
                gas_limit,
                to,
                value,
                input,
            }),
            Fee::Eip1559 { max_fee_wei, max_priority_wei } => Self::Eip1559(TxEip1559 {
                chain_id: tx.chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: max_fee_wei,
                max_priority_fee_per_gas: max_priority_wei,
                to,
                value,
                access_list: Default::default(),
                input,
            }),
        }
    }

    /// A legacy transaction that no chain can include.
    pub(super) fn legacy_probe(chain_id: u64, account: Address) -> Self {
        Self::Legacy(TxLegacy {
            chain_id: Some(chain_id),
            nonce: PROBE_NONCE,
            gas_price: 0,
            gas_limit: 0,
            to: TxKind::Call(account),
            value: U256::ZERO,
            input: Bytes::new(),
        })
    }

    /// An EIP-1559 transaction that no chain can include.
    pub(super) fn eip1559_probe(chain_id: u64, account: Address) -> Self {
        Self::Eip1559(TxEip1559 {
            chain_id,
            nonce: PROBE_NONCE,
            to: TxKind::Call(account),
            ..TxEip1559::default()
        })
    }

    pub(super) const fn is_eip1559(&self) -> bool {
        matches!(self, Self::Eip1559(_))
    }

    /// The hash that is signed.
    pub(super) fn signature_hash(&self) -> B256 {
        match self {
            Self::Legacy(tx) => tx.signature_hash(),
            Self::Eip1559(tx) => tx.signature_hash(),
        }
    }

    /// The bytes whose hash is signed.
    pub(super) fn payload(&self) -> Vec<u8> {
        match self {
            Self::Legacy(tx) => tx.encoded_for_signing(),
            Self::Eip1559(tx) => tx.encoded_for_signing(),
        }
    }

    /// Its fields.
    pub(super) fn fields(&self) -> &dyn Transaction {
        match self {
            Self::Legacy(tx) => tx,
            Self::Eip1559(tx) => tx,
        }
    }

    /// The transaction with its signature.
    pub(super) fn sealed(self, signature: Signature) -> SignedTx {
        match self {
            Self::Legacy(tx) => {
                let signed = tx.into_signed(signature);
                SignedTx { hash: *signed.hash(), raw: signed.encoded_2718().into() }
            }
            Self::Eip1559(tx) => {
                let signed = tx.into_signed(signature);
                SignedTx { hash: *signed.hash(), raw: signed.encoded_2718().into() }
            }
        }
    }
}

/// The first field in which a signed transaction is not the one that was asked for.
pub(super) fn difference(asked: &dyn Transaction, signed: &dyn Transaction) -> Option<String> {
    let ty = |tx: &dyn Transaction| Typed2718::ty(tx);
    let chain = |tx: &dyn Transaction| tx.chain_id().map_or("none".into(), |id| id.to_string());
    let to = |tx: &dyn Transaction| tx.to().map_or("none".into(), |to| to.to_string());
    let fee = |tx: &dyn Transaction| (tx.max_fee_per_gas(), tx.max_priority_fee_per_gas());
    [
        ("type", ty(asked).to_string(), ty(signed).to_string()),
        ("chain id", chain(asked), chain(signed)),
        ("nonce", asked.nonce().to_string(), signed.nonce().to_string()),
        ("to", to(asked), to(signed)),
        ("value", asked.value().to_string(), signed.value().to_string()),
        ("data", format!("{} bytes", asked.input().len()), format!("{} bytes", signed.input().len())),
        ("gas limit", asked.gas_limit().to_string(), signed.gas_limit().to_string()),
        ("fee", format!("{:?}", fee(asked)), format!("{:?}", fee(signed))),
    ]
    .into_iter()
    .find(|(_, asked, signed)| asked != signed)
    .map(|(what, asked, signed)| format!("{what} {signed} instead of {asked}"))
}
