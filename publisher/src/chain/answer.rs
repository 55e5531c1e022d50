//! What nodes send, reduced to the fields that are used. Unknown fields are ignored, so that every client's blocks
//! and receipts decode.

use super::store::{Log, skipped};
use alloy::primitives::{Address, B256, Bytes, U64, U128, U256};
use publisher_core::time::Wall;
use publisher_core::tx::{BlockRef, Receipt, Skip};
use serde::Deserialize;

/// `eth_getBlockBy…` without transactions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block {
    number: U64,
    hash: B256,
    parent_hash: B256,
    timestamp: U64,
    base_fee_per_gas: Option<U128>,
}

impl Block {
    pub(super) fn reference(&self) -> BlockRef {
        BlockRef {
            number: self.number.to(),
            hash: self.hash,
            parent: self.parent_hash,
            time: Wall::from_s(self.timestamp.to()),
        }
    }

    /// The base fee in wei per gas; `None` before London.
    pub(super) fn base_fee_wei(&self) -> Option<u128> {
        self.base_fee_per_gas.map(|fee| fee.to())
    }
}

/// `eth_getBlockByHash` for what the block holds.
#[derive(Deserialize)]
pub(super) struct Contents {
    pub(super) transactions: Vec<B256>,
}

/// `eth_getTransactionReceipt`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptBody {
    transaction_hash: B256,
    block_number: U64,
    block_hash: B256,
    status: U64,
    gas_used: U64,
    /// Old clients leave it out.
    effective_gas_price: Option<U128>,
    /// A rollup of the OP Stack: what the data cost beside the gas.
    l1_fee: Option<U256>,
    /// Set for a creation.
    pub(super) contract_address: Option<Address>,
    /// None for a creation.
    to: Option<Address>,
    #[serde(default)]
    logs: Vec<Log>,
}

impl ReceiptBody {
    /// The entries that the store it was sent to has skipped.
    pub(super) fn skips(&self) -> impl Iterator<Item = Skip> {
        let (hash, to) = (self.transaction_hash, self.to);
        self.logs.iter().filter_map(move |log| skipped(hash, to?, log))
    }

    pub(super) fn receipt(&self) -> Receipt {
        Receipt {
            hash: self.transaction_hash,
            block_number: self.block_number.to(),
            block_hash: self.block_hash,
            success: self.status.to::<u64>() == 1,
            gas_used: self.gas_used.to(),
            gas_price_wei: self.price_wei(),
        }
    }

    /// What was paid per gas, everything included, rounded up.
    fn price_wei(&self) -> u128 {
        let price: u128 = self.effective_gas_price.map_or(0, |price| price.to());
        let data: u128 = self.l1_fee.map_or(0, |wei| wei.saturating_to());
        price.saturating_add(data.div_ceil(self.gas_used.to::<u128>().max(1)))
    }
}

/// `eth_feeHistory`: base fees of the blocks and of the next one, and the tips asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeeHistory {
    #[serde(default)]
    pub(super) base_fee_per_gas: Vec<U128>,
    pub(super) reward: Option<Vec<Vec<U128>>>,
}

/// The result of `eth_call` and `eth_getCode`.
pub(super) type Data = Bytes;
