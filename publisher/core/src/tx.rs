//! What is said to a chain and what a chain says: blocks, fees, calls, transactions, receipts, send outcomes.
//!
//! Plain values, no behaviour beyond their own arithmetic. Encoding and hashing belong to the shell.

use crate::price::Answer;
use crate::quote::FeedId;
use crate::time::Wall;
use alloy_primitives::{Address, B256, Bytes};

/// A block as the head window links it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The hash of its parent.
    pub parent: B256,
    /// Its timestamp.
    pub time: Wall,
}

/// What the next transaction has to reckon with, read with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FeeHint {
    /// The head's base fee in wei per gas; `None` before London.
    pub base_fee_wei: Option<u128>,
    /// The suggested tip in wei per gas.
    pub tip_wei: u128,
    /// The suggested legacy gas price in wei per gas.
    pub gas_price_wei: u128,
}

/// The fee fields of a transaction, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fee {
    /// A legacy transaction with EIP-155 chain id.
    Legacy {
        /// Gas price.
        gas_price_wei: u128,
    },
    /// An EIP-1559 transaction.
    Eip1559 {
        /// The most that is paid, base fee included.
        max_fee_wei: u128,
        /// The most that goes to the block's producer.
        max_priority_wei: u128,
    },
}

impl Fee {
    /// The most this fee pays per gas.
    pub const fn cap_wei(self) -> u128 {
        match self {
            Self::Legacy { gas_price_wei } => gas_price_wei,
            Self::Eip1559 { max_fee_wei, .. } => max_fee_wei,
        }
    }

    /// The tip; of a legacy transaction its whole price.
    pub const fn tip_wei(self) -> u128 {
        match self {
            Self::Legacy { gas_price_wei } => gas_price_wei,
            Self::Eip1559 { max_priority_wei, .. } => max_priority_wei,
        }
    }
}

/// What a node says that a fee has to reach, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeMinimum {
    /// The most that is paid, or the legacy price.
    Price(u128),
    /// The tip, or the legacy price.
    Tip(u128),
}

impl FeeMinimum {
    /// The amount.
    pub const fn wei(self) -> u128 {
        match self {
            Self::Price(wei) | Self::Tip(wei) => wei,
        }
    }
}

/// What a transaction is for. It owns its nonce for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// One round of one feed.
    Round {
        /// The feed.
        feed: FeedId,
        /// Its aggregator.
        aggregator: Address,
        /// The round that the compare-and-set names.
        round: u64,
    },
    /// One step of a rollout: a creation (`to` is `None`) or a call.
    Step {
        /// Its name in the plan.
        name: String,
        /// The contract called; `None` creates one.
        to: Option<Address>,
        /// Init code or calldata.
        data: Bytes,
    },
}

/// What a transaction does; the shell turns it into recipient and calldata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `submit(round, answer)` on an aggregator.
    Submit {
        /// The aggregator.
        aggregator: Address,
        /// The round.
        round: u64,
        /// The answer at the feed's decimals.
        answer: Answer,
    },
    /// A creation or call with ready-made data.
    Raw {
        /// The contract called; `None` creates one.
        to: Option<Address>,
        /// Init code or calldata.
        data: Bytes,
    },
    /// An empty transfer of nothing to oneself: it fills a nonce whose work has become pointless.
    Noop,
}

/// A transaction before it is signed. Its value is always zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxRequest {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The signing account.
    pub from: Address,
    /// The nonce that the intent owns.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Fee fields.
    pub fee: Fee,
    /// What it does.
    pub call: Call,
}

/// A signed transaction: our own encoding, its hash, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Position among the attempts of its nonce, from 0.
    pub seq: u32,
    /// Transaction hash.
    pub hash: B256,
    /// EIP-2718 encoding, never empty.
    pub raw: Bytes,
    /// Fee fields.
    pub fee: Fee,
    /// Gas limit.
    pub gas_limit: u64,
    /// The answer it carries; `None` for a step or a no-op.
    pub answer: Option<Answer>,
    /// When that answer was observed.
    pub observed_at: Option<Wall>,
}

/// Where a transaction landed. Believed only while `block_hash` is canonical at `block_number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Transaction hash.
    pub hash: B256,
    /// Height of the including block.
    pub block_number: u64,
    /// Hash of the including block.
    pub block_hash: B256,
    /// Status 1.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Effective gas price in wei.
    pub gas_price_wei: u128,
}

/// What a node says about a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptAnswer {
    /// It has one.
    Found(Receipt),
    /// It says there is none.
    Absent,
    /// It could not say: an error, a timeout, an index still being built. Never the same as absent.
    Unknown,
}

/// An account and its open transactions as one node sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Height at which the nonce was read.
    pub at_number: u64,
    /// The next nonce to be mined (`eth_getTransactionCount` at that height, not `pending`).
    pub mined_nonce: u64,
    /// An answer for every hash asked for.
    pub receipts: Vec<(B256, ReceiptAnswer)>,
}

/// A feed's aggregator as one node sees it at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundView {
    /// Height of that block.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// Latest round; 0 before the first.
    pub round: u64,
    /// Latest answer; zero before the first round.
    pub answer: Answer,
    /// Block time of the latest round; the epoch before the first.
    pub updated_at: Wall,
    /// The aggregator takes no rounds.
    pub paused: bool,
    /// Our account may submit.
    pub authorised: bool,
}

/// What `eth_estimateGas` says about a call before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreflightAnswer {
    /// It would succeed with this much gas.
    Gas(u64),
    /// It would revert: a decoded error or the node's own words.
    Reverts(String),
    /// The node could not say.
    Unknown,
}

/// What a node's answer to `eth_sendRawTransaction` means. No class ever frees a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendOutcome {
    /// It returned our hash.
    Accepted,
    /// It has these bytes already.
    Known,
    /// The nonce is mined: perhaps by us, perhaps by a stranger.
    NonceUsed,
    /// Perhaps it has it, perhaps not: timeouts, resets, texts nobody knows. The safe class for anything unknown.
    Ambiguous,
    /// Something sits at this nonce and this fee does not replace it; the node may name the fee it wants, in wei.
    ReplacementUnderpriced,
    /// Below the node's minimum or the base fee.
    FeeTooLow,
    /// Above the node's own fee cap, or tip above cap.
    FeeCap,
    /// The account cannot pay.
    Funds,
    /// A lower nonce is missing there.
    NonceGap,
    /// The pool has no room.
    PoolFull,
    /// The node is syncing or has no pool.
    NodeUnready,
    /// These bytes can never be included: gas limits, a type the chain does not know.
    Rejected,
    /// The account or the chain id is refused: nothing of this account will pass until an operator acts.
    Forbidden,
}

impl SendOutcome {
    /// The name in logs, metrics and the journal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Known => "known",
            Self::NonceUsed => "nonce_used",
            Self::Ambiguous => "ambiguous",
            Self::ReplacementUnderpriced => "replacement_underpriced",
            Self::FeeTooLow => "fee_too_low",
            Self::FeeCap => "fee_cap",
            Self::Funds => "funds",
            Self::NonceGap => "nonce_gap",
            Self::PoolFull => "pool_full",
            Self::NodeUnready => "node_unready",
            Self::Rejected => "rejected",
            Self::Forbidden => "forbidden",
        }
    }
}

/// Why a signer gave no usable signature. None of them costs a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignFault {
    /// It could not be reached, or answered with a server error.
    Unavailable,
    /// No answer in time; a late one is discarded.
    Timeout,
    /// It said no.
    Refused,
    /// Its answer is not a signature.
    BadAnswer,
    /// The signature does not recover to our address over our own hash: another key, or other fields were signed.
    Mismatch,
    /// The signature has a high s value.
    HighS,
    /// Our own policy forbids the transaction; it was never sent to the signer.
    Policy,
}

impl SignFault {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::BadAnswer => "bad_answer",
            Self::Mismatch => "mismatch",
            Self::HighS => "high_s",
            Self::Policy => "policy",
        }
    }
}
