//! Blocks, accounts and receipts as one node sees them.

use super::ChainError;
use super::answer::{Block, Contents, Data, ReceiptBody};
use super::fees::DataFee;
use super::heads::{NewHeads, Socket};
use super::wire::{NodeSetup, Raw, SetupError, Wire, decode};
use alloy::primitives::{Address, B256, U64, U256};
use publisher_core::tx::{AccountView, BlockRef, ReceiptAnswer, Skip};
use serde_json::{Value, json};

/// No more blocks than this are read at once.
const ANCESTORS_LIMIT: u64 = 4096;

/// One RPC endpoint.
#[derive(Debug)]
pub struct Node {
    pub(super) wire: Wire,
    socket: Option<Socket>,
    pub(super) data_fee: DataFee,
}

/// A finality tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `safe`: derived from the parent chain, where there is one.
    Safe,
    /// `finalized`.
    Finalized,
}

impl Tag {
    /// The tag as JSON-RPC spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Finalized => "finalized",
        }
    }
}

impl Node {
    /// A node that has not been asked anything yet.
    pub fn new(setup: &NodeSetup) -> Result<Self, SetupError> {
        Ok(Self { wire: Wire::new(setup)?, socket: Socket::new(setup), data_fee: DataFee::default() })
    }

    /// Scheme and host: the name of this node in logs and errors.
    pub fn shown(&self) -> String {
        self.wire.shown()
    }

    /// Whether it is to tell of new heads.
    pub const fn tells_heads(&self) -> bool {
        self.socket.is_some()
    }

    /// Opens a subscription to its heads; `None` if it has no WebSocket address.
    pub async fn subscribe(&self) -> Option<Result<NewHeads, ChainError>> {
        Some(self.socket.as_ref()?.subscribe().await)
    }

    /// The chain id for EIP-155.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        Ok(self.wire.get::<U64>("eth_chainId", json!([])).await?.to())
    }

    /// What the node calls itself.
    pub async fn client_version(&self) -> Result<String, ChainError> {
        self.wire.get("web3_clientVersion", json!([])).await
    }

    /// The hash of block 0.
    pub async fn genesis(&self) -> Result<B256, ChainError> {
        let block = self.block(0).await?;
        block.map(|b| b.hash).ok_or(ChainError::BadAnswer("no block 0"))
    }

    /// The latest block and its base fee in wei per gas (`None` before London).
    pub async fn head(&self) -> Result<(BlockRef, Option<u128>), ChainError> {
        let block: Option<Block> = self.wire.get("eth_getBlockByNumber", json!(["latest", false])).await?;
        let block = block.ok_or(ChainError::BadAnswer("no latest block"))?;
        Ok((block.reference(), block.base_fee_wei()))
    }

    /// The canonical block at a height; `None` if the node has none there.
    pub async fn block(&self, number: u64) -> Result<Option<BlockRef>, ChainError> {
        block_at(self.wire.call("eth_getBlockByNumber", by_number(number)).await, number)
    }

    /// Whether the node has every one of these very blocks. One that does not answer has not.
    pub async fn has(&self, blocks: &[BlockRef]) -> bool {
        let question = |block: &BlockRef| ("eth_getBlockByHash", json!([block.hash, false]));
        let answers = self.wire.batch(&blocks.iter().map(question).collect::<Vec<_>>()).await;
        let same = |raw: Raw, block: &BlockRef| {
            let found = raw.and_then(|raw| decode::<Option<Block>>(&raw));
            matches!(found, Ok(Some(found)) if found.reference() == *block)
        };
        answers.len() == blocks.len() && answers.into_iter().zip(blocks).all(|(raw, block)| same(raw, block))
    }

    /// Height and hash of the tagged block; `None` while the chain has not reached one. A chain that does not know
    /// the tag answers with an error.
    pub async fn block_by_tag(&self, tag: Tag) -> Result<Option<(u64, B256)>, ChainError> {
        match self.wire.get::<Option<Block>>("eth_getBlockByNumber", json!([tag.name(), false])).await {
            Ok(block) => Ok(block.map(|b| b.reference()).map(|b| (b.number, b.hash))),
            // What go-ethereum says until the first block of a young chain has become final.
            Err(ChainError::Rpc { message, .. }) if message == format!("{} block not found", tag.name()) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The block with this height and hash and the `count − 1` blocks before it (fewer at genesis), ascending and
    /// linked by their hashes. An error if the chain is another one by now: ask again from a new head.
    pub async fn ancestors(&self, number: u64, hash: B256, count: u64) -> Result<Vec<BlockRef>, ChainError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if count > ANCESTORS_LIMIT {
            return Err(ChainError::BadAnswer("more than 4096 ancestors are never read at once"));
        }
        let numbers: Vec<u64> = (number.saturating_sub(count - 1)..=number).collect();
        let questions: Vec<_> = numbers.iter().map(|n| ("eth_getBlockByNumber", by_number(*n))).collect();
        let answers = self.wire.batch(&questions).await;
        let mut blocks = Vec::with_capacity(numbers.len());
        for (raw, number) in answers.into_iter().zip(numbers) {
            blocks.push(block_at(raw, number)?.ok_or(ChainError::BadAnswer("an ancestor is missing"))?);
        }
        let linked = blocks.array_windows().all(|[parent, child]| child.parent == parent.hash);
        if linked && blocks.last().is_some_and(|b| b.hash == hash) {
            Ok(blocks)
        } else {
            Err(ChainError::BadAnswer("the chain changed while its blocks were read"))
        }
    }

    /// An account's mined nonce at the very block `at`, and what the node knows about these transactions.
    ///
    /// A receipt that could not be read for whatever reason is [`ReceiptAnswer::Unknown`]; only an explicit null is
    /// [`ReceiptAnswer::Absent`]. The caller believes any of it only while `at` is canonical.
    pub async fn account_view(
        &self,
        account: Address,
        hashes: &[B256],
        at: &BlockRef,
    ) -> Result<AccountView, ChainError> {
        let mut questions = vec![("eth_getTransactionCount", json!([account, by_hash(at)]))];
        questions.extend(hashes.iter().map(|hash| ("eth_getTransactionReceipt", json!([hash]))));
        let mut answers = self.wire.batch(&questions).await.into_iter();
        let nonce = answers.next().ok_or(ChainError::BadAnswer("no nonce"))??;
        let mined_nonce = decode::<U64>(&nonce)?.to();
        let (mut receipts, mut skips) = (Vec::with_capacity(hashes.len()), Vec::new());
        for (hash, raw) in hashes.iter().zip(answers) {
            receipts.push((*hash, receipt_answer(*hash, raw, &mut skips)));
        }
        Ok(AccountView { at_number: at.number, mined_nonce, receipts, skips })
    }

    /// The contract that a mined creation left behind; `None` if the transaction has no receipt or created nothing.
    pub async fn created_contract(&self, hash: B256) -> Result<Option<Address>, ChainError> {
        let receipt: Option<ReceiptBody> = self.wire.get("eth_getTransactionReceipt", json!([hash])).await?;
        Ok(receipt.and_then(|receipt| receipt.contract_address))
    }

    /// Whether this very block holds the transaction; `None` if the node does not know the block.
    pub async fn block_holds(&self, block: B256, transaction: B256) -> Result<Option<bool>, ChainError> {
        let block: Option<Contents> = self.wire.get("eth_getBlockByHash", json!([block, false])).await?;
        Ok(block.map(|block| block.transactions.contains(&transaction)))
    }

    /// An account's balance in wei at the latest block.
    pub async fn balance(&self, account: Address) -> Result<U256, ChainError> {
        self.wire.get("eth_getBalance", json!([account, "latest"])).await
    }

    /// The code at an address at the latest block; empty where there is none.
    pub async fn code_at(&self, address: Address) -> Result<Data, ChainError> {
        self.wire.get("eth_getCode", json!([address, "latest"])).await
    }

    /// Calls a contract at the latest block.
    pub async fn call(&self, to: Address, data: &Data) -> Result<Data, ChainError> {
        self.wire.get("eth_call", call_params(to, data, &json!("latest"))).await
    }

    /// Runs init code at the latest block, which creates nothing; what it returns would be the code.
    pub async fn call_creation(&self, init_code: &Data) -> Result<Data, ChainError> {
        self.wire.get("eth_call", json!([{ "data": init_code }, "latest"])).await
    }
}

pub(super) fn call_params(to: Address, data: &Data, block: &Value) -> Value {
    // Some clients know only one of the two names of the calldata; all of them know `data`.
    json!([{ "to": to, "data": data }, block])
}

/// One very block (EIP-1898): at a height, a reorg could put another one between question and answer.
pub(super) fn by_hash(at: &BlockRef) -> Value {
    json!({ "blockHash": at.hash })
}

pub(super) fn by_number(number: u64) -> Value {
    json!([U64::from(number), false])
}

fn block_at(raw: Raw, number: u64) -> Result<Option<BlockRef>, ChainError> {
    let block = decode::<Option<Block>>(&raw?)?.map(|block| block.reference());
    match block {
        Some(block) if block.number != number => Err(ChainError::BadAnswer("a block of another height")),
        block => Ok(block),
    }
}

fn receipt_answer(hash: B256, raw: Raw, skips: &mut Vec<Skip>) -> ReceiptAnswer {
    let Ok(raw) = raw else { return ReceiptAnswer::Unknown };
    match decode::<Option<ReceiptBody>>(&raw) {
        Ok(None) => ReceiptAnswer::Absent,
        Ok(Some(body)) if body.receipt().hash == hash => {
            skips.extend(body.skips());
            ReceiptAnswer::Found(body.receipt())
        }
        Ok(Some(_)) | Err(_) => ReceiptAnswer::Unknown,
    }
}

#[cfg(test)]
mod tests;
