//! Why a contract refused a call, as a value to branch on.

use alloy::primitives::{Address, I256, U256};
use alloy::sol_types::{Panic, Revert, SolError, SolInterface};

use crate::generated::{Aggregator::AggregatorErrors, AggregatorProxy::AggregatorProxyErrors};

/// The decoded data of a revert by an [`Aggregator`](crate::Aggregator) or an
/// [`AggregatorProxy`](crate::AggregatorProxy).
///
/// Round ids, answers and times are the contracts' own numbers: answers have the feed's decimal places, times are unix
/// seconds, deviations hundredths of a percent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The sender has no right to submit.
    NotTransmitter {
        /// The account that sent the call.
        sender: Address,
    },
    /// Submissions are stopped by the owner.
    Paused,
    /// The named round is not the next one: it was written already, or an earlier one is missing.
    StaleRound {
        /// The round named in the call.
        given: U256,
        /// The only round that could be written.
        expected: U256,
    },
    /// The answer lies outside the feed's bounds.
    AnswerOutOfBounds {
        /// The answer given.
        answer: I256,
        /// The smallest one accepted.
        min: I256,
        /// The largest one accepted.
        max: I256,
    },
    /// A feed's bounds are crossed or too wide to be stored.
    InvalidBounds {
        /// The lower bound given.
        min: I256,
        /// The upper bound given.
        max: I256,
    },
    /// The account cannot be a transmitter.
    InvalidTransmitter {
        /// The account given.
        transmitter: Address,
    },
    /// The address given to a proxy has no code.
    NotAContract {
        /// The address given.
        aggregator: Address,
    },
    /// A round id of the aggregator behind a proxy needs more than 64 bits.
    RoundIdTooWide {
        /// The aggregator's round id.
        round_id: U256,
    },
    /// A proposed aggregator has not enough history for consumers.
    TooFewRounds {
        /// How many rounds it has.
        given: U256,
        /// How many it needs.
        required: U256,
    },
    /// A proposed aggregator answers with other decimal places.
    DecimalsDiffer {
        /// Its decimal places.
        given: u8,
        /// The proxy's.
        expected: u8,
    },
    /// A proposed aggregator's latest round is too old.
    RoundTooOld {
        /// When the round was written.
        updated_at: U256,
        /// The oldest time allowed.
        oldest: U256,
    },
    /// A proposed aggregator's latest round carries a time to come.
    RoundInFuture {
        /// When the round claims to be written.
        updated_at: U256,
        /// The block's time.
        timestamp: U256,
    },
    /// A proposed aggregator's answer is too far from the present one.
    AnswerTooFar {
        /// Its answer.
        proposed: I256,
        /// The answer read now.
        current: I256,
        /// How far apart they may be.
        max_deviation_bps: U256,
    },
    /// A refusal by text, such as "No data present" or "Only callable by owner".
    Text(String),
    /// A failed assertion or arithmetic error inside a contract, with Solidity's panic code.
    Panic(U256),
}

impl Rejection {
    /// Decodes the data of a revert; none when it is empty, malformed or of another contract.
    pub fn decode(data: &[u8]) -> Option<Self> {
        if let Ok(error) = AggregatorErrors::abi_decode_validate(data) {
            return Some(error.into());
        }
        if let Ok(error) = AggregatorProxyErrors::abi_decode_validate(data) {
            return Some(error.into());
        }
        if let Ok(Revert { reason }) = Revert::abi_decode_validate(data) {
            return Some(Self::Text(reason));
        }
        Panic::abi_decode_validate(data).ok().map(|panic| Self::Panic(panic.code))
    }

    /// Whether it says that there is no such round.
    pub fn is_no_data(&self) -> bool {
        matches!(self, Self::Text(text) if text == crate::NO_DATA_PRESENT)
    }
}

impl From<AggregatorErrors> for Rejection {
    fn from(error: AggregatorErrors) -> Self {
        match error {
            AggregatorErrors::NotTransmitter(e) => Self::NotTransmitter { sender: e.sender },
            AggregatorErrors::Paused(_) => Self::Paused,
            AggregatorErrors::StaleRound(e) => Self::StaleRound { given: e.given, expected: e.expected },
            AggregatorErrors::AnswerOutOfBounds(e) => {
                Self::AnswerOutOfBounds { answer: e.answer, min: e.min, max: e.max }
            }
            AggregatorErrors::InvalidBounds(e) => Self::InvalidBounds { min: e.min, max: e.max },
            AggregatorErrors::InvalidTransmitter(e) => {
                Self::InvalidTransmitter { transmitter: e.transmitter }
            }
        }
    }
}

impl From<AggregatorProxyErrors> for Rejection {
    fn from(error: AggregatorProxyErrors) -> Self {
        match error {
            AggregatorProxyErrors::NotAContract(e) => Self::NotAContract { aggregator: e.aggregator },
            AggregatorProxyErrors::RoundIdTooWide(e) => Self::RoundIdTooWide { round_id: e.roundId },
            AggregatorProxyErrors::TooFewRounds(e) => {
                Self::TooFewRounds { given: e.given, required: e.required }
            }
            AggregatorProxyErrors::DecimalsDiffer(e) => {
                Self::DecimalsDiffer { given: e.given, expected: e.expected }
            }
            AggregatorProxyErrors::RoundTooOld(e) => {
                Self::RoundTooOld { updated_at: e.updatedAt, oldest: e.oldest }
            }
            AggregatorProxyErrors::RoundInFuture(e) => {
                Self::RoundInFuture { updated_at: e.updatedAt, timestamp: e.timestamp }
            }
            AggregatorProxyErrors::AnswerTooFar(e) => Self::AnswerTooFar {
                proposed: e.proposed,
                current: e.current,
                max_deviation_bps: e.maxDeviationBps,
            },
        }
    }
}
