//! Blocks that are full of somebody else's dearer transactions, as when everybody wants to be first.

use crate::chains::Node;
use crate::world::World;
use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::BlockNumberOrTag;
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Bytes, TxKind};
use alloy::providers::Provider;
use anyhow::{Context, Result};
use std::time::Duration;

/// So many full blocks are always ready, because a busy machine may be late to ask for more.
const AHEAD: u64 = 6;
/// More than any market of a test asks for, in wei per gas.
const TIP_MIN_WEI: u128 = 2_000_000_000;
/// What the fillers pay for a base fee, in wei per gas: it rises by an eighth with each full block.
const BASE_FEE_MAX_WEI: u128 = 2_000_000_000_000;

impl World {
    /// Runs `during` while no block has room for anything of ours, nor will have before so many blocks have passed.
    pub async fn squeezed<T>(&self, during: impl Future<Output = Result<T>>) -> Result<T> {
        self.fill().await.context("the squeeze did not begin")?;
        tokio::select! {
            done = during => done,
            () = self.keep_full() => unreachable!("it goes on until it is dropped"),
        }
    }

    async fn keep_full(&self) {
        loop {
            // A node that is away is asked again: being away is what some tests are about.
            let _later = self.fill().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Gives the node as many block-sized transactions as are missing, each dearer than all that were mined lately.
    async fn fill(&self) -> Result<()> {
        let mined = self.owner.get_transaction_count(self.owner_address).await?;
        let known = self.owner.get_transaction_count(self.owner_address).pending().await?;
        if known >= mined + AHEAD {
            return Ok(());
        }
        let history = self.owner.get_fee_history(10, BlockNumberOrTag::Latest, &[100.0]).await?;
        let dearest = history.reward.iter().flatten().flatten().copied().max().unwrap_or_default();
        let tip = dearest.max(TIP_MIN_WEI) / 4 * 5;
        let head = self.owner.get_block_by_number(BlockNumberOrTag::Latest).await?.context("no head")?;
        let reserved = match &self.node {
            Node::Real(chain) => chain.traits.reserved_gas,
            Node::Anvil(_) => 0,
        };
        for nonce in known..mined + AHEAD {
            let filler = self.filler(nonce, head.header.gas_limit - reserved, tip)?;
            let _pending = self.owner.send_raw_transaction(&filler).await?;
        }
        Ok(())
    }

    /// A creation whose code is invalid: it burns all the gas it is given.
    fn filler(&self, nonce: u64, gas_limit: u64, max_priority_fee_per_gas: u128) -> Result<Bytes> {
        let mut tx = TxEip1559 {
            chain_id: 138,
            nonce,
            gas_limit,
            max_fee_per_gas: BASE_FEE_MAX_WEI + max_priority_fee_per_gas,
            max_priority_fee_per_gas,
            to: TxKind::Create,
            input: Bytes::from_static(&[0xfe]),
            ..TxEip1559::default()
        };
        let signature = self.node.owner()?.sign_transaction_sync(&mut tx)?;
        Ok(TxEnvelope::from(tx.into_signed(signature)).encoded_2718().into())
    }
}
