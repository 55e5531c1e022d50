//! Every fact worth reporting, as one enum. Log lines, metrics and the table of codes are made from it.
//!
//! Each event has a stable code that is never used again for something else, a level, and, where an operator must
//! act, one sentence of advice. Reporting decides nothing: dropping every event would change no decision.

use crate::aggregate::{LeftOut, Measured};
use crate::book::{Change, PegChange};
use crate::drift::{ClockChange, Skew};
use crate::policy::{Conduct, Hold, Instruction, Order, Status, Trigger};
use crate::price::{Answer, Price};
use crate::quote::{FeedId, VenueId};
use crate::record::{Outcome, Scope};
use crate::standing::Standing;
use crate::time::Span;
use crate::tx::{Receipt, SendOutcome, SignFault, SkipReason};
use alloy_primitives::{Address, B256};
use std::sync::Arc;

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The daily round.
    Info,
    /// Something an operator wants to know.
    Warn,
    /// Something an operator must act on.
    Error,
}

/// How long each part of a round took, from the quote that completed its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Latency {
    /// Quote to decision and journalled intent, pre-flight included.
    pub decide: Span,
    /// Asking the signer, verification included.
    pub sign: Span,
    /// Signed to first answer of a node.
    pub send: Span,
    /// First sent to seen in a canonical block.
    pub include: Span,
    /// Quote to seen in a canonical block.
    pub total: Span,
}

/// A reportable fact. The fields carry the same names in log lines and in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "a variant's sentence explains its fields, which carry the core's own types")]
pub enum Event {
    /// A round was decided.
    Decided { feed: FeedId, round: u64, answer: Answer, trigger: Trigger, sources: usize, spread: Price },
    /// A feed went from publishing to holding back, or to another reason for it.
    HeldBack { feed: FeedId, hold: Hold },
    /// A feed that held back is free again.
    Released { feed: FeedId },
    /// A heartbeat is due or nearly so and cannot be sent.
    HeartbeatBlocked { feed: FeedId, overdue: Span, hold: Hold },
    /// A feed's circuit breaker has been open for long, and nothing confirms the value.
    BreakerStuck { feed: FeedId, for_span: Span },
    /// An operator's order about a feed holds from now on, until it ends by itself.
    OrderStands { feed: FeedId, order: Order },
    /// It has ended, by itself or by another word.
    OrderOver { feed: FeedId, order: Order },
    /// A feed's market has opened, closed, or become unknown.
    MarketStatus { feed: FeedId, calendar: Arc<str>, status: Status },
    /// The calendar of a feed's market says nothing from then on.
    CalendarEnds { feed: FeedId, calendar: Arc<str>, left: Span },
    /// A feed's market has had this status for so long, and the feed still does what it did before, because its sources
    /// are not quoted since.
    OpeningUnquoted { feed: FeedId, calendar: Arc<str>, status: Status, conduct: Conduct, for_span: Span },
    /// They are, or the status has changed.
    OpeningOver { feed: FeedId, calendar: Arc<str>, status: Status },
    /// A feed hibernates from now on: both of its flags are raised.
    Hibernates { feed: FeedId },
    /// It is awake again, and writes a round.
    Awakened { feed: FeedId },
    /// The contract of its flags cannot be read; it stays what it was.
    FlagUnreadable { feed: FeedId, flags: Address },
    /// A source lost or changed its vote in a feed.
    SourceLeftOut { feed: FeedId, source: String, why: LeftOut, measured: Option<Measured> },
    /// A source votes again.
    SourceBack { feed: FeedId, source: String },
    /// A source is in trouble again and again; it votes on, and is watched.
    SourceOnProbation { feed: FeedId, source: String, why: LeftOut },
    /// It did not recover: it has no vote, and does not count to the quorum, until it does.
    SourceQuarantined { feed: FeedId, source: String, why: LeftOut },
    /// It has recovered, from probation or quarantine.
    SourceReadmitted { feed: FeedId, source: String, why: LeftOut },
    /// A stable asset's rate has lost its peg.
    PegLost { rate: FeedId, price: Price },
    /// It is near to one again, for long enough.
    PegBack { rate: FeedId, price: Price },
    /// A venue's clock is wrong: its quotes are late by so many milliseconds, or below zero of the future.
    ClockWrong { venue: VenueId, skew: Skew, offset_ms: i64 },
    /// It is right again.
    ClockRight { venue: VenueId, offset_ms: i64 },
    /// Venues agree that this machine's clock is wrong: their quotes seem late by so much, or of the future.
    OwnClockWrong { skew: Skew, offset_ms: i64 },
    /// It is right again.
    OwnClockRight { offset_ms: i64 },
    /// This machine's clock was set while we ran: it moved by so much, below zero back, more than time passed.
    OwnClockSet { by_ms: i64 },
    /// A constant's end is near.
    ConstantEnds { rate: FeedId, ends_in: Span },
    /// A constant's end has come: it is no value any more.
    ConstantOver { rate: FeedId },
    /// The aggregator's round was advanced by somebody else: by the primary, where this is its standby.
    RoundTaken { feed: FeedId, round: u64, standby: bool },
    /// The same of a store's sequence.
    SequenceTaken { store: Address, sequence: u64, standby: bool },
    /// The contract would refuse the transaction, so it was not sent.
    PreflightRefused { feed: Option<FeedId>, reason: String },
    /// No node can say how much gas a transaction takes, although the contract can be read: the dearest of the latest
    /// estimates stands in.
    EstimateFailed { feed: Option<FeedId>, gas: u64 },
    /// A node estimates more gas than a transaction may have; it gets the most that it may have.
    EstimateClamped { feed: Option<FeedId>, estimate: u64, gas_limit: u64 },
    /// A nonce was given to a piece of work.
    Planned { account: Address, nonce: u64, what: String },
    /// An attempt is signed and journalled.
    Signed { account: Address, nonce: u64, seq: u32, hash: B256 },
    /// The signer gave nothing usable.
    SignFailed { account: Address, nonce: u64, fault: SignFault, detail: String },
    /// Nodes answered a broadcast.
    Sent { hash: B256, outcome: SendOutcome, detail: String },
    /// The same bytes went out again.
    Resent { hash: B256 },
    /// A replacement with a higher fee is being made.
    Bumped { account: Address, nonce: u64, from_wei: u128, to_wei: u128 },
    /// The fee that the chain asks for is above the configured cap.
    FeeCapReached { account: Address, nonce: u64, wanted_wei: u128, cap_wei: u128 },
    /// Nodes take nothing at the highest price that may be offered, although the market is below it: they have a minimum
    /// of their own, which some name.
    PriceRefused { account: Address, nonce: u64, offered_wei: u128, minimum_wei: Option<u128> },
    /// A round is held, because what a feed may spend in an hour, or an account in a day, is spent or on its way.
    BudgetReached { scope: Scope, spent_wei: u128, cap_wei: u128 },
    /// The account cannot pay for its transactions.
    OutOfFunds { account: Address },
    /// A canonical block includes our transaction. A batch has no feed, and its `round` is the store's sequence.
    Included {
        feed: Option<FeedId>,
        round: Option<u64>,
        what: String,
        answer: Option<Answer>,
        receipt: Receipt,
        latency: Latency,
    },
    /// A feed's round is in a canonical block, carried by a batch.
    EntryIncluded { feed: FeedId, round: Option<u64>, answer: Answer, sequence: u64, latency: Latency },
    /// A batch is in a canonical block, and the store wrote no round for this feed of it.
    EntrySkipped { feed: FeedId, sequence: u64, answer: Answer, reason: SkipReason },
    /// It left the canonical chain again.
    Orphaned { feed: Option<FeedId>, what: String, hash: B256 },
    /// A feed's round, carried by a batch of so many feeds, is final.
    EntryFinal {
        feed: FeedId,
        round: Option<u64>,
        answer: Answer,
        sequence: u64,
        trigger: Option<Trigger>,
        receipt: Receipt,
        feeds: usize,
        latency: Latency,
    },
    /// An intent is over. A batch has no feed, and its `round` is the store's sequence.
    Closed {
        feed: Option<FeedId>,
        round: Option<u64>,
        what: String,
        outcome: Outcome,
        answer: Option<Answer>,
        trigger: Option<Trigger>,
        receipt: Option<Receipt>,
        nonce: u64,
        latency: Latency,
    },
    /// A transaction we never journalled took one of our nonces.
    ForeignNonce { account: Address, nonce: u64, mined_nonce: u64 },
    /// The chain left blocks we had seen.
    Reorged { depth: u64, from: u64, to: u64 },
    /// Blocks that counted as final are gone: the one that was expected at this height, and the one found there, where
    /// they are known.
    FinalityViolated { number: u64, expected: Option<B256>, found: Option<B256> },
    /// More blocks than the window holds are unknown; everything is checked again from the journal.
    WindowLost { tip: u64 },
    /// No new head for several block times.
    HeadStalled { for_span: Span, number: u64 },
    /// Heads move again.
    HeadMoving { number: u64 },
    /// Something stands still until an operator acknowledges it.
    Halted { scope: Scope, reason: String },
    /// A halt was acknowledged.
    Resumed { scope: Scope },
    /// Everything the journal left open is accounted for.
    Recovered { open: usize },
    /// This replica publishes for an account from now on, in this epoch of its lease.
    LeaseTaken { account: Address, epoch: u64 },
    /// It was handed over in order, because another replica shares the work or this one ends.
    LeaseReleased { account: Address },
    /// It could not be renewed in time, or another replica has it: nothing more is signed for the account here.
    LeaseLost { account: Address, why: &'static str },
    /// The journal refused a record about the account, because its lease is another replica's.
    LeaseFenced { account: Address },
    /// Another replica publishes for the account; this one stands by.
    Standby { account: Address, holder: String },
}

impl From<PegChange> for Event {
    fn from(change: PegChange) -> Self {
        let PegChange { rate, lost, price } = change;
        if lost { Self::PegLost { rate, price } } else { Self::PegBack { rate, price } }
    }
}

impl From<ClockChange> for Event {
    fn from(change: ClockChange) -> Self {
        let ClockChange { venue, skew, offset_ms } = change;
        match (venue, skew) {
            (Some(venue), Some(skew)) => Self::ClockWrong { venue, skew, offset_ms },
            (Some(venue), None) => Self::ClockRight { venue, offset_ms },
            (None, Some(skew)) => Self::OwnClockWrong { skew, offset_ms },
            (None, None) => Self::OwnClockRight { offset_ms },
        }
    }
}

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        let Change { of: feed, market, standing, why } = change;
        let source = market.to_string();
        match standing {
            Standing::Healthy => Self::SourceReadmitted { feed, source, why },
            Standing::Probation => Self::SourceOnProbation { feed, source, why },
            Standing::Quarantined => Self::SourceQuarantined { feed, source, why },
        }
    }
}

impl Event {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Decided { .. } => "PUB-1001",
            Self::HeldBack { .. } => "PUB-1002",
            Self::Released { .. } => "PUB-1003",
            Self::HeartbeatBlocked { .. } => "PUB-1004",
            Self::SourceLeftOut { .. } => "PUB-1005",
            Self::SourceBack { .. } => "PUB-1006",
            Self::RoundTaken { .. } => "PUB-1007",
            Self::PreflightRefused { .. } => "PUB-1008",
            Self::SequenceTaken { .. } => "PUB-1009",
            Self::BreakerStuck { .. } => "PUB-1010",
            Self::OrderStands { .. } => "PUB-1011",
            Self::OrderOver { .. } => "PUB-1012",
            Self::MarketStatus { .. } => "PUB-1013",
            Self::CalendarEnds { .. } => "PUB-1014",
            Self::Hibernates { .. } => "PUB-1015",
            Self::Awakened { .. } => "PUB-1016",
            Self::FlagUnreadable { .. } => "PUB-1017",
            Self::OpeningUnquoted { .. } => "PUB-1018",
            Self::OpeningOver { .. } => "PUB-1019",
            Self::SourceOnProbation { .. } => "PUB-1020",
            Self::SourceQuarantined { .. } => "PUB-1021",
            Self::SourceReadmitted { .. } => "PUB-1022",
            Self::PegLost { .. } => "PUB-1030",
            Self::PegBack { .. } => "PUB-1031",
            Self::ConstantEnds { .. } => "PUB-1032",
            Self::ConstantOver { .. } => "PUB-1033",
            Self::ClockWrong { .. } => "PUB-1040",
            Self::ClockRight { .. } => "PUB-1041",
            Self::OwnClockWrong { .. } => "PUB-1042",
            Self::OwnClockRight { .. } => "PUB-1043",
            Self::OwnClockSet { .. } => "PUB-1044",
            Self::Planned { .. } => "PUB-2001",
            Self::Signed { .. } => "PUB-2002",
            Self::SignFailed { .. } => "PUB-2003",
            Self::Sent { .. } => "PUB-2004",
            Self::Resent { .. } => "PUB-2005",
            Self::Bumped { .. } => "PUB-2006",
            Self::FeeCapReached { .. } => "PUB-2007",
            Self::OutOfFunds { .. } => "PUB-2008",
            Self::Included { .. } => "PUB-2009",
            Self::Orphaned { .. } => "PUB-2010",
            Self::Closed { .. } => "PUB-2011",
            Self::ForeignNonce { .. } => "PUB-2012",
            Self::EntryIncluded { .. } => "PUB-2013",
            Self::EntrySkipped { .. } => "PUB-2014",
            Self::EntryFinal { .. } => "PUB-2015",
            Self::BudgetReached { .. } => "PUB-2016",
            Self::EstimateFailed { .. } => "PUB-2017",
            Self::EstimateClamped { .. } => "PUB-2018",
            Self::PriceRefused { .. } => "PUB-2019",
            Self::Reorged { .. } => "PUB-3001",
            Self::FinalityViolated { .. } => "PUB-3002",
            Self::WindowLost { .. } => "PUB-3003",
            Self::HeadStalled { .. } => "PUB-3004",
            Self::HeadMoving { .. } => "PUB-3005",
            Self::Halted { .. } => "PUB-4001",
            Self::Resumed { .. } => "PUB-4002",
            Self::Recovered { .. } => "PUB-4003",
            Self::LeaseTaken { .. } => "PUB-4004",
            Self::LeaseReleased { .. } => "PUB-4005",
            Self::LeaseLost { .. } => "PUB-4006",
            Self::LeaseFenced { .. } => "PUB-4007",
            Self::Standby { .. } => "PUB-4008",
        }
    }

    /// How loud it is.
    pub const fn level(&self) -> Level {
        match self {
            Self::HeartbeatBlocked { .. }
            | Self::BreakerStuck { .. }
            | Self::ConstantOver { .. }
            | Self::OwnClockWrong { .. }
            | Self::ForeignNonce { .. }
            | Self::FinalityViolated { .. }
            | Self::OutOfFunds { .. }
            | Self::PriceRefused { .. }
            | Self::Halted { .. } => Level::Error,
            Self::SignFailed {
                fault: SignFault::Mismatch | SignFault::HighS | SignFault::Policy, ..
            } => Level::Error,
            Self::Closed { outcome: Outcome::Final | Outcome::NoopFilled, .. } => Level::Info,
            Self::RoundTaken { standby: true, .. } | Self::SequenceTaken { standby: true, .. } => Level::Info,
            Self::Sent { outcome: SendOutcome::Accepted | SendOutcome::Known, .. } => Level::Info,
            Self::HeldBack { .. }
            | Self::PegLost { .. }
            | Self::ClockWrong { .. }
            | Self::OwnClockSet { .. }
            | Self::ConstantEnds { .. }
            | Self::OrderStands { .. }
            | Self::MarketStatus { status: Status::Unknown, .. }
            | Self::CalendarEnds { .. }
            | Self::OpeningUnquoted { .. }
            | Self::Hibernates { .. }
            | Self::FlagUnreadable { .. }
            | Self::SourceLeftOut { .. }
            | Self::SourceOnProbation { .. }
            | Self::SourceQuarantined { .. }
            | Self::RoundTaken { .. }
            | Self::SequenceTaken { .. }
            | Self::EntrySkipped { .. }
            | Self::PreflightRefused { .. }
            | Self::EstimateFailed { .. }
            | Self::EstimateClamped { .. }
            | Self::SignFailed { .. }
            | Self::Sent { .. }
            | Self::FeeCapReached { .. }
            | Self::BudgetReached { .. }
            | Self::Orphaned { .. }
            | Self::Closed { .. }
            | Self::Reorged { .. }
            | Self::WindowLost { .. }
            | Self::LeaseLost { .. }
            | Self::LeaseFenced { .. }
            | Self::HeadStalled { .. } => Level::Warn,
            _ => Level::Info,
        }
    }

    /// What an operator should do; empty where nothing needs doing.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::HeldBack { hold, .. } | Self::HeartbeatBlocked { hold, .. } => hold.advice(),
            Self::BreakerStuck { .. } => {
                "Compare `publisher quote` with markets outside. If the price is real, add venues that say so; nothing is published on its word alone."
            }
            Self::OrderStands { order: Order { what: Instruction::Halt, .. }, .. } => {
                "It ends by itself; `publisher market resume` ends it earlier. `publisher market show` lists who ordered what, and why."
            }
            Self::OrderStands { .. } => {
                "It ends by itself; `publisher feed resume` ends it earlier. `publisher feed show` lists who ordered what, and why."
            }
            Self::MarketStatus { status: Status::Unknown, .. } => {
                "Its calendar does not reach this day; install one that does. Until then the feed does what policy.on_market.unknown says."
            }
            Self::CalendarEnds { .. } => {
                "Update the publisher, or name a file with the next years' hours in [calendar.NAME]."
            }
            Self::OpeningUnquoted { .. } => {
                "Compare `publisher quote` with markets outside: a source that still repeats a quote of before the opening keeps it waiting, as does silence. If the market does not trade, say so by `publisher market halt`, or mend its calendar."
            }
            Self::Hibernates { .. } => Hold::Hibernating.advice(),
            Self::FlagUnreadable { .. } => {
                "Check policy.hibernate_flag with `publisher check --online`, and that the node answers eth_call for it. The feed stays awake or asleep as it was; after a restart nothing is written before the flag has been read."
            }
            Self::ConstantEnds { .. } => {
                "See whether it still holds and move `expires`, or give the rate sources; on that day what it converts loses its vote."
            }
            Self::ConstantOver { .. } => {
                "What it converts has no vote. See whether it still holds and move `expires`, or give the rate sources."
            }
            Self::PegLost { .. } => {
                "Feeds that convert by this rate follow it, or leave out what it converts where policy.on_depeg.drop_sources says so; nothing takes it for one. Compare `publisher quote` with markets outside, and see whether your consumers count on the peg."
            }
            Self::ClockWrong { skew: Skew::Ahead, .. } => LeftOut::Future.advice(),
            Self::ClockWrong { skew: Skew::Behind, .. } => LeftOut::Lagging.advice(),
            Self::OwnClockWrong { .. } => {
                "Set this machine's clock by NTP (chrony, systemd-timesyncd). Quotes are judged by it: one that is behind leaves them out as of the future, one that is ahead as too old."
            }
            Self::OwnClockSet { .. } => {
                "Find out who set the clock: let it be kept by NTP, which turns a clock without setting it. Ages of quotes, orders and market hours go by it; heartbeats go by the chain's time."
            }
            Self::SourceLeftOut { why, .. } => why.advice(),
            Self::SourceOnProbation { .. } => {
                "It votes on. Compare it with the others by `publisher quote --watch`; if it does not recover within policy.quarantine, it loses its vote."
            }
            Self::SourceQuarantined { .. } => LeftOut::Quarantined.advice(),
            Self::EntrySkipped { reason, .. } => reason.advice(),
            Self::RoundTaken { standby: true, .. } | Self::SequenceTaken { standby: true, .. } => "",
            Self::SequenceTaken { standby: false, .. } => {
                "Another transmitter writes to this store; revoke its role unless it is your standby."
            }
            Self::RoundTaken { standby: false, .. } => {
                "Another transmitter writes to this aggregator; revoke its role unless it is your standby."
            }
            Self::PreflightRefused { .. } => {
                "Read the reason: unpause the aggregator, grant the transmitter role, or widen the bounds."
            }
            Self::EstimateFailed { .. } => {
                "Check eth_estimateGas of the nodes; rounds go out with the dearest estimate of before, which the contract has not been asked about."
            }
            Self::EstimateClamped { .. } => {
                "Compare eth_estimateGas of the nodes. If the contract really takes so much, for a validator of its own, its rounds run out of gas."
            }
            Self::SignFailed { fault: SignFault::Mismatch | SignFault::HighS, .. } => {
                "The signer signed something else, or with another key. Treat it as compromised until explained; nothing was sent."
            }
            Self::SignFailed { fault: SignFault::Policy, .. } => {
                "The transaction breaks our own signing policy; report this as a defect."
            }
            Self::SignFailed { .. } => {
                "Check that the remote signer is up, reachable and has the key loaded. The nonce is kept."
            }
            Self::Sent { outcome: SendOutcome::Forbidden, .. } => {
                "The node refuses this account or chain id; check permissioning and the signer's chain id."
            }
            Self::Sent { outcome: SendOutcome::Accepted | SendOutcome::Known, .. } => "",
            Self::Sent { .. } => {
                "No action unless it repeats: the same bytes go out again and the nonce is kept. The detail is the node's own word."
            }
            Self::FeeCapReached { .. } => {
                "Raise fees.max_fee, or fees.max_transaction, if this price is acceptable; meanwhile the highest attempt is sent again."
            }
            Self::PriceRefused { .. } => {
                "The nodes' minimum gas price is above what chain.fees allows. Where gas is to be free, start them with --min-gas-price=0 (Besu) or --miner.gasprice=0 (go-ethereum, GoQuorum); else choose another profile, or raise fees.max_fee."
            }
            Self::BudgetReached { .. } => {
                "Heartbeats go out, unless fees.over_budget forbids it. Raise fees.max_feed_hour or fees.max_account_day if the spending is right, or look at what costs so much."
            }
            Self::OutOfFunds { .. } => "Send native currency to the account; it resumes by itself.",
            Self::Closed { outcome: Outcome::Reverted, .. } => {
                "The contract refused a mined transaction; read its revert reason and the aggregator's state."
            }
            Self::Closed { outcome: Outcome::Foreign, .. } => {
                "A transaction that is not ours took this nonce; PUB-2012 said so and what to do about it."
            }
            Self::Orphaned { .. } => "No action; the same transaction goes out again.",
            Self::Reorged { .. } => {
                "No action; what the chain took back goes out again. If it happens often or deep, look at the validators."
            }
            Self::ForeignNonce { .. } => {
                "Somebody else uses this key, or the journal is an old copy. Find out which; then restart with --acknowledge-halts."
            }
            Self::FinalityViolated { .. } => {
                "Blocks that counted as final were replaced. Check the nodes and validators, then restart with --acknowledge-halts."
            }
            Self::WindowLost { .. } => "No action; everything open is checked against the chain again.",
            Self::HeadStalled { .. } => {
                "Check the node and, on your own network, that a quorum of validators is up."
            }
            Self::LeaseLost { .. } => {
                "Another replica takes over; see that its log says so. If it repeats, look at the database and at this machine's load."
            }
            Self::LeaseFenced { .. } => {
                "No action: nothing was written or sent. This process was frozen or cut off for longer than a lease; find out why."
            }
            Self::Halted { .. } => {
                "Read the reason, repair the cause, then restart with --acknowledge-halts."
            }
            _ => "",
        }
    }
}
