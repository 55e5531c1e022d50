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
    /// The next block's, where the node foretells it.
    pub next_base_fee_wei: Option<u128>,
    /// The suggested tip in wei per gas.
    pub tip_wei: u128,
    /// The suggested legacy gas price in wei per gas.
    pub gas_price_wei: u128,
    /// What a rollup asks for a transaction's data beside its gas, in wei; zero elsewhere.
    pub data_fee_wei: u128,
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
    /// The next rounds of some feeds of one store. Which feeds, each attempt says for itself.
    Batch {
        /// The store.
        store: Address,
        /// The sequence that the compare-and-set names.
        sequence: u64,
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

impl Work {
    /// The contract whose compare-and-set it names, and the round or sequence; `None` for a step.
    pub const fn target(&self) -> Option<(Address, u64)> {
        match self {
            Self::Round { aggregator, round, .. } => Some((*aggregator, *round)),
            Self::Batch { store, sequence } => Some((*store, *sequence)),
            Self::Step { .. } => None,
        }
    }
}

/// One feed's answer in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The feed.
    pub feed: FeedId,
    /// The answer at the feed's decimals.
    pub answer: Answer,
    /// When it was observed.
    pub observed_at: Wall,
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
    /// `update()` of a store with a packed report behind it.
    Update {
        /// The store.
        store: Address,
        /// The sequence.
        sequence: u32,
        /// The time that the report names, in the chain's seconds since the epoch.
        observed_at_s: u32,
        /// The numbers that the store gave to its feeds, strictly rising, and their answers.
        entries: Vec<(u16, i64)>,
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
    /// The answer it carries; `None` for a batch, a step or a no-op.
    pub answer: Option<Answer>,
    /// When that answer was observed.
    pub observed_at: Option<Wall>,
    /// What a batch carries, by feed; empty for everything else.
    pub entries: Vec<Entry>,
}

impl Attempt {
    /// The answer it carries for a feed.
    pub fn answer_of(&self, feed: &FeedId) -> Option<Answer> {
        let entry = self.entries.iter().find(|entry| entry.feed == *feed);
        self.answer.or(entry.map(|entry| entry.answer))
    }

    /// When its answers were observed, by feed.
    pub fn observations<'a>(&'a self, work: &'a Work) -> impl Iterator<Item = (&'a FeedId, Wall)> {
        let feed = match work {
            Work::Round { feed, .. } => Some(feed),
            Work::Batch { .. } | Work::Step { .. } => None,
        };
        let entries = self.entries.iter().map(|entry| (&entry.feed, entry.observed_at));
        feed.zip(self.observed_at).into_iter().chain(entries)
    }

    /// The feeds that it carries, as an attempt at this work; none if it is a step of a rollout, or empty.
    pub fn feeds<'a>(&'a self, work: &'a Work) -> impl Iterator<Item = &'a FeedId> + Clone {
        let round = match work {
            Work::Round { feed, .. } => self.answer.map(|_| feed),
            Work::Batch { .. } | Work::Step { .. } => None,
        };
        round.into_iter().chain(self.entries.iter().map(|entry| &entry.feed))
    }

    /// Whether it carries no answer at all.
    pub fn is_silent(&self) -> bool {
        self.answer.is_none() && self.entries.is_empty()
    }
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
    /// What was paid per gas, in wei: the effective gas price, and a rollup's fee for the data spread over the gas.
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
    /// What the receipts tell of entries that wrote no round.
    pub skips: Vec<Skip>,
}

/// An entry of a batch that wrote no round, as the store's event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Hash of the transaction that carried it.
    pub hash: B256,
    /// The number that the store gave to the feed.
    pub entry: u16,
    /// Why it was skipped.
    pub reason: SkipReason,
}

/// Why a store skipped an entry: `IFeedStore.SkipReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The store has no such feed.
    UnknownFeed,
    /// The answer is outside the feed's bounds.
    OutOfBounds,
    /// The feed is paused.
    FeedPaused,
    /// Observed before the feed's latest round was written.
    Stale,
    /// The feed's rounds are used up.
    Exhausted,
    /// A reason that no version known to us gives.
    Unknown,
}

impl SkipReason {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownFeed => "unknown_feed",
            Self::OutOfBounds => "out_of_bounds",
            Self::FeedPaused => "feed_paused",
            Self::Stale => "stale",
            Self::Exhausted => "exhausted",
            Self::Unknown => "unknown",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::UnknownFeed => {
                "The configured store_id is not a feed of this store; `publisher check --online` compares them."
            }
            Self::OutOfBounds => {
                "Check the price; if it is real, add a feed with wider bounds. It is never clamped."
            }
            Self::FeedPaused => "Unpause the feed in its store: setFeedPaused(feed, false).",
            Self::Stale => "No action; another transmitter wrote the feed after our report was made.",
            Self::Exhausted => "Add the feed to the store anew; its rounds are used up.",
            Self::Unknown => {
                "Read the event FeedSkipped of the transaction; this store is of an unknown version."
            }
        }
    }
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
    /// Whether it is told to sleep.
    pub flag: Flag,
}

/// What a contract of flags says of a feed, which sleeps while two of them are raised: its own and the one for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flag {
    /// It was not asked.
    #[default]
    Unwatched,
    /// It did not answer, or with something else, although the feed's own contract did.
    Unreadable,
    /// One of them is lowered: the feed is active.
    Lowered,
    /// Both are raised.
    Raised,
}

/// A store and some of its feeds as one node sees them at one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreView {
    /// Height of that block.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// The sequence of the last report; 0 before the first.
    pub sequence: u64,
    /// The store takes no reports.
    pub paused: bool,
    /// Our account may update.
    pub authorised: bool,
    /// The feeds that are written by us.
    pub feeds: Vec<(FeedId, EntryView)>,
}

/// One feed of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// Latest round; 0 before the first.
    pub round: u64,
    /// Latest answer; zero before the first round.
    pub answer: Answer,
    /// Block time of the latest round; the epoch before the first.
    pub updated_at: Wall,
    /// The feed's entries are skipped.
    pub paused: bool,
    /// Whether it is told to sleep.
    pub flag: Flag,
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
