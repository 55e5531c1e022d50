//! Everything that can happen to the machine, and everything it can ask for.
//!
//! Two closed enums: a driver turns effects into I/O and I/O into inputs. Effects of one step are performed in
//! order and a [`Effect::Persist`] is durable before anything after it is begun; all others may run side by side,
//! fail, or never be answered. An answer carries the ticket of its question; one that nobody waits for any more is
//! ignored.

use crate::event::Event;
use crate::lease::{Beat, Board};
use crate::policy::Order;
use crate::quote::{FeedId, Listing, MarketId, Observation};
use crate::record::{Record, Recovered};
use crate::time::{Mono, Span};
use crate::tx::{
    AccountView, BlockRef, Call, FeeHint, FeeMinimum, PreflightAnswer, RoundView, SendOutcome, SignFault,
    StoreView, TxRequest,
};
use alloy_primitives::{Address, B256, Bytes};

/// What leaves in an account's name is begun within this of being asked for, or not at all.
const PROMPT: Span = Span::from_s(2);

/// Names one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time passed.
    Tick,
    /// What one poll of one venue delivered.
    Observed(Vec<Observation>),
    /// What a venue's list says of its markets.
    Listed(Vec<(MarketId, Listing)>),
    /// A polled head with what it says about fees; `tagged` is the block of the finality tag, where it was asked for.
    Head {
        /// The head.
        head: BlockRef,
        /// Fees at it.
        fees: FeeHint,
        /// Height and hash of the tagged block.
        tagged: Option<(u64, B256)>,
    },
    /// Ancestors that were asked for: ascending, hash-linked; `None` if the node could not say.
    Ancestors {
        /// The question.
        ticket: Ticket,
        /// The blocks.
        blocks: Option<Vec<BlockRef>>,
    },
    /// The hash of the canonical block at a height; `None` if the node could not say.
    BlockHash {
        /// The question.
        ticket: Ticket,
        /// The hash.
        hash: Option<B256>,
    },
    /// A feed's aggregator as read at a block; `None` if the node could not say.
    Round {
        /// The question.
        ticket: Ticket,
        /// The feed.
        feed: FeedId,
        /// The view.
        view: Option<RoundView>,
    },
    /// A store and its feeds as read at a block; `None` if the node could not say.
    Store {
        /// The question.
        ticket: Ticket,
        /// The store.
        store: Address,
        /// The view.
        view: Option<StoreView>,
    },
    /// What a call would do.
    Preflight {
        /// The question.
        ticket: Ticket,
        /// The answer.
        answer: PreflightAnswer,
    },
    /// An account's nonce and receipts; `None` if the node could not say.
    Account {
        /// The question.
        ticket: Ticket,
        /// The account.
        account: Address,
        /// The view.
        view: Option<AccountView>,
    },
    /// A verified signature, as our own encoding.
    Signed {
        /// The question.
        ticket: Ticket,
        /// The signing account.
        account: Address,
        /// Transaction hash.
        hash: B256,
        /// EIP-2718 encoding.
        raw: Bytes,
    },
    /// No signature.
    SignFailed {
        /// The question.
        ticket: Ticket,
        /// The signing account.
        account: Address,
        /// What went wrong.
        fault: SignFault,
        /// For people.
        detail: String,
    },
    /// What the nodes said to a broadcast.
    Sent {
        /// The account.
        account: Address,
        /// Transaction hash.
        hash: B256,
        /// What it means.
        outcome: SendOutcome,
        /// The fee that would have been enough, where a node names one.
        minimum: Option<FeeMinimum>,
        /// For people.
        detail: String,
    },
    /// What the journal says about leases; `None` if it could not be asked, or what it did is not known.
    Leases {
        /// The question.
        ticket: Ticket,
        /// The answer.
        board: Option<Board>,
    },
    /// What the journal knows; `None` if it could not be read.
    Recovered {
        /// The question.
        ticket: Ticket,
        /// The journal's content.
        recovered: Option<Recovered>,
    },
    /// The orders of operators that stand, as the journal says.
    Orders(Vec<Order>),
    /// The journal refused to take anything about these accounts: another replica holds their leases.
    Fenced(Vec<Address>),
    /// An operator's word.
    Operator(Operator),
}

/// What an operator can ask of a running machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Begin nothing new; finish what is on its way.
    Drain,
    /// Carry out one step of a rollout.
    Execute {
        /// The account that sends it.
        account: Address,
        /// The step's name.
        name: String,
        /// The contract called; `None` creates one.
        to: Option<Address>,
        /// Init code or calldata.
        data: Bytes,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write these facts, durably, before going on.
    Persist(Vec<Record>),
    /// Ask what a call would do: [`Input::Preflight`].
    Preflight {
        /// The question.
        ticket: Ticket,
        /// The sender.
        from: Address,
        /// The call.
        call: Call,
    },
    /// Ask the signer: [`Input::Signed`] or [`Input::SignFailed`].
    Sign {
        /// The question.
        ticket: Ticket,
        /// The transaction.
        tx: TxRequest,
    },
    /// Send these bytes to every write node: [`Input::Sent`].
    Broadcast {
        /// The account.
        account: Address,
        /// Transaction hash.
        hash: B256,
        /// EIP-2718 encoding.
        raw: Bytes,
    },
    /// Read an account's mined nonce at a height, and these receipts: [`Input::Account`].
    FetchAccount {
        /// The question.
        ticket: Ticket,
        /// The account.
        account: Address,
        /// The height.
        at: BlockRef,
        /// Transactions to look up.
        hashes: Vec<B256>,
    },
    /// Read a feed's aggregator at a block: [`Input::Round`].
    FetchRound {
        /// The question.
        ticket: Ticket,
        /// The feed.
        feed: FeedId,
        /// The block.
        at: BlockRef,
    },
    /// Read a store and those of its feeds that are written by us at a block: [`Input::Store`].
    FetchStore {
        /// The question.
        ticket: Ticket,
        /// The store.
        store: Address,
        /// The block.
        at: BlockRef,
    },
    /// Read a block and some of its ancestors: [`Input::Ancestors`].
    FetchAncestors {
        /// The question.
        ticket: Ticket,
        /// Height of the highest block wanted.
        number: u64,
        /// Its hash.
        hash: B256,
        /// How many blocks, it included.
        count: u64,
    },
    /// Read the hash of the canonical block at a height: [`Input::BlockHash`].
    FetchBlockHash {
        /// The question.
        ticket: Ticket,
        /// The height.
        number: u64,
    },
    /// Renew, take and end leases, and read those of others: [`Input::Leases`].
    Beat {
        /// The question.
        ticket: Ticket,
        /// What to do.
        beat: Beat,
    },
    /// Read what the journal knows: [`Input::Recovered`].
    Recover {
        /// The question.
        ticket: Ticket,
    },
    /// Tell people.
    Report(Event),
}

impl Effect {
    /// The account in whose name something new leaves the process.
    pub const fn sender(&self) -> Option<Address> {
        match self {
            Self::Sign { tx, .. } => Some(tx.from),
            Self::Broadcast { account, .. } => Some(*account),
            _ => None,
        }
    }

    /// Whether it was `asked` for too long ago to be begun `now`. The journal may have been away, or the process
    /// suspended: what was new then may be wrong by now. The machine takes it for lost, and decides again.
    pub fn is_late(&self, asked: Mono, now: Mono) -> bool {
        self.sender().is_some() && now.since(asked) > PROMPT
    }
}
