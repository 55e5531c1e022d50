//! What a chain has, as read at one block.

use alloy::primitives::Address;
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;
use std::collections::BTreeMap;

/// What a chain has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Block time of the block it was read at: ages are measured against it.
    pub time: Wall,
    /// The feeds that were looked at.
    pub feeds: BTreeMap<FeedId, ObservedFeed>,
    /// The stores that were looked at, by name.
    pub stores: BTreeMap<String, Site<StoreState>>,
}

/// One feed's two contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedFeed {
    /// The contract that the proxy is to read: the feed's aggregator, or its facade, of which counts what its store
    /// says about the feed. A facade that shows something else is foreign.
    pub aggregator: Site<AggregatorState>,
    /// The contract that consumers read.
    pub proxy: Site<ProxyState>,
}

/// What is at the address of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site<T> {
    /// No address is known: the contract is to be created.
    Nowhere,
    /// The address is known and has no code.
    Empty {
        /// The address.
        address: Address,
    },
    /// Code, but not this contract's.
    Foreign {
        /// The address.
        address: Address,
        /// What its `typeAndVersion()` says, if it says anything.
        says: Option<String>,
    },
    /// The contract.
    Ours {
        /// The address.
        address: Address,
        /// What it says about itself.
        state: T,
    },
}

impl<T> Site<T> {
    /// The address, where one is known.
    pub const fn address(&self) -> Option<Address> {
        match self {
            Self::Nowhere => None,
            Self::Empty { address } | Self::Foreign { address, .. } | Self::Ours { address, .. } => {
                Some(*address)
            }
        }
    }
}

/// What an aggregator says about itself, or a store about one of its feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregatorState {
    /// Decimal places of its answers.
    pub decimals: u8,
    /// What it prices.
    pub description: String,
    /// The smallest answer it takes.
    pub min_answer: Answer,
    /// The largest answer it takes.
    pub max_answer: Answer,
    /// Who administers it.
    pub owner: Address,
    /// Whether the wanted transmitter may submit.
    pub authorised: bool,
    /// Whether submissions are stopped.
    pub paused: bool,
    /// Its latest round, 0 when there is none.
    pub round: u64,
    /// The latest round's answer, zero when there is none.
    pub answer: Answer,
    /// When the latest round was written, the epoch when there is none.
    pub updated_at: Wall,
}

/// What a store says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// How long before its block a report may have been observed, in seconds.
    pub max_age_s: u32,
    /// Who administers it.
    pub owner: Address,
    /// Whether the wanted transmitter may update.
    pub authorised: bool,
    /// Whether reports are stopped.
    pub paused: bool,
    /// How many feeds it has; they are numbered from 0, so this is the next one's number.
    pub feeds: u64,
    /// Those of the wanted feeds that it has, by number.
    pub entries: BTreeMap<u16, AggregatorState>,
}

/// What a proxy says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyState {
    /// Decimal places it demands of every aggregator.
    pub decimals: u8,
    /// Who administers it.
    pub owner: Address,
    /// The aggregator it reads now.
    pub aggregator: Address,
    /// How many aggregators it has read, the present one included.
    pub phase: u16,
    /// The aggregator that awaits confirmation.
    pub proposal: Option<Proposal>,
    /// The answer that consumers read now; `None` when the read is refused.
    pub answer: Option<Answer>,
}

/// An aggregator that awaits confirmation, and what the confirmation demands of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The aggregator.
    pub aggregator: Address,
    /// How old its latest round may be, in seconds.
    pub max_age_s: u32,
    /// How far its answer may be from the present one, in hundredths of a percent; [`Proposal::NO_COMPARISON`] asks
    /// for none.
    pub max_deviation_bps: u32,
}

impl Proposal {
    /// The deviation bound that asks for no comparison: the way to leave an aggregator that cannot be read.
    pub const NO_COMPARISON: u32 = u32::MAX;
    /// The age bound of a proposal that names none.
    pub const DEFAULT_MAX_AGE_S: u32 = 86_400;
    /// The deviation bound of a proposal that names none.
    pub const DEFAULT_MAX_DEVIATION_BPS: u32 = 1000;
}
