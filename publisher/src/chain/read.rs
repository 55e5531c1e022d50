//! Contracts of others at one very block: what sources on a chain are read with.

use super::ChainError;
use super::answer::Block;
use super::node::{Node, by_hash, by_number, call_params};
use super::verify::VerifyError;
use super::wire::decode;
use alloy::primitives::{Address, Bytes, U64};
use publisher_core::tx::BlockRef;
use serde_json::json;

impl Node {
    /// The block `confirmations` behind the head, from a node that says in the same request that it serves this
    /// chain: an address that another chain answers at is found at once. On a younger chain it is the first block.
    pub async fn anchor(&self, chain_id: u64, confirmations: u64) -> Result<BlockRef, VerifyError> {
        let questions = [("eth_chainId", json!([])), ("eth_getBlockByNumber", json!(["latest", false]))];
        let mut answers = self.wire.batch(&questions).await.into_iter();
        let mut next = || answers.next().unwrap_or(Err(ChainError::BadAnswer("missing in the batch")));
        let (said, head) = (next()?, next()?);
        let found: u64 = decode::<U64>(&said)?.to();
        if found != chain_id {
            return Err(VerifyError::ChainId { expected: chain_id, found });
        }
        let head: Option<Block> = decode(&head)?;
        let head = head.ok_or(ChainError::BadAnswer("no latest block"))?.reference();
        if confirmations == 0 {
            return Ok(head);
        }
        let behind = self.block(head.number.saturating_sub(confirmations)).await?;
        Ok(behind.ok_or(ChainError::BadAnswer("no block behind the head"))?)
    }

    /// Calls contracts at the very block `at`, in as few requests as the node takes: one result a call, in their order.
    pub async fn calls_at(
        &self,
        at: &BlockRef,
        calls: &[(Address, Bytes)],
    ) -> Vec<Result<Bytes, ChainError>> {
        let block = by_hash(at);
        let question = |(to, data): &(Address, Bytes)| ("eth_call", call_params(*to, data, &block));
        let answers = self.wire.batch(&calls.iter().map(question).collect::<Vec<_>>()).await;
        answers.into_iter().map(|raw| raw.and_then(|raw| decode(&raw))).collect()
    }

    /// Which of these blocks the node no longer has at their heights.
    pub async fn gone(&self, blocks: &[BlockRef]) -> Result<Vec<BlockRef>, ChainError> {
        let question = |block: &BlockRef| ("eth_getBlockByNumber", by_number(block.number));
        let answers = self.wire.batch(&blocks.iter().map(question).collect::<Vec<_>>()).await;
        let mut gone = Vec::new();
        for (raw, block) in answers.into_iter().zip(blocks) {
            let found: Option<Block> = decode(&raw?)?;
            if found.is_none_or(|found| found.reference().hash != block.hash) {
                gone.push(*block);
            }
        }
        Ok(gone)
    }
}
