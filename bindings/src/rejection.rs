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
    /// A feed cannot keep so many groups of rounds.
    InvalidArchive {
        /// The number of groups given.
        groups: U256,
    },
    /// The contract cannot be told of every round.
    InvalidValidator {
        /// The address given.
        validator: Address,
        /// The gas it was to be given.
        gas_limit: u32,
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
            AggregatorErrors::InvalidArchive(e) => Self::InvalidArchive { groups: e.archivedGroups },
            AggregatorErrors::InvalidValidator(e) => {
                Self::InvalidValidator { validator: e.validator, gas_limit: e.gasLimit }
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

#[cfg(test)]
mod tests {
    use alloy::primitives::{address, hex};

    use super::*;
    use crate::{Aggregator, AggregatorProxy};

    const SENDER: Address = address!("00000000000000000000000000000000000000aa");

    fn number(value: i64) -> I256 {
        I256::try_from(value).unwrap()
    }

    #[test]
    fn every_error_keeps_its_numbers() {
        let (one, two) = (U256::from(1), U256::from(2));
        let (low, mid, high) = (number(-5), number(-1), number(7));
        let cases = [
            (
                Aggregator::NotTransmitter { sender: SENDER }.abi_encode(),
                Rejection::NotTransmitter { sender: SENDER },
            ),
            (Aggregator::Paused {}.abi_encode(), Rejection::Paused),
            (
                Aggregator::StaleRound { given: one, expected: two }.abi_encode(),
                Rejection::StaleRound { given: one, expected: two },
            ),
            (
                Aggregator::AnswerOutOfBounds { answer: low, min: mid, max: high }.abi_encode(),
                Rejection::AnswerOutOfBounds { answer: low, min: mid, max: high },
            ),
            (
                Aggregator::InvalidBounds { min: high, max: low }.abi_encode(),
                Rejection::InvalidBounds { min: high, max: low },
            ),
            (
                Aggregator::InvalidTransmitter { transmitter: SENDER }.abi_encode(),
                Rejection::InvalidTransmitter { transmitter: SENDER },
            ),
            (
                Aggregator::InvalidArchive { archivedGroups: two }.abi_encode(),
                Rejection::InvalidArchive { groups: two },
            ),
            (
                Aggregator::InvalidValidator { validator: SENDER, gasLimit: 7 }.abi_encode(),
                Rejection::InvalidValidator { validator: SENDER, gas_limit: 7 },
            ),
            (
                AggregatorProxy::NotAContract { aggregator: SENDER }.abi_encode(),
                Rejection::NotAContract { aggregator: SENDER },
            ),
            (
                AggregatorProxy::RoundIdTooWide { roundId: U256::MAX }.abi_encode(),
                Rejection::RoundIdTooWide { round_id: U256::MAX },
            ),
            (
                AggregatorProxy::TooFewRounds { given: one, required: two }.abi_encode(),
                Rejection::TooFewRounds { given: one, required: two },
            ),
            (
                AggregatorProxy::DecimalsDiffer { given: 18, expected: 8 }.abi_encode(),
                Rejection::DecimalsDiffer { given: 18, expected: 8 },
            ),
            (
                AggregatorProxy::RoundTooOld { updatedAt: one, oldest: two }.abi_encode(),
                Rejection::RoundTooOld { updated_at: one, oldest: two },
            ),
            (
                AggregatorProxy::RoundInFuture { updatedAt: two, timestamp: one }.abi_encode(),
                Rejection::RoundInFuture { updated_at: two, timestamp: one },
            ),
            (
                AggregatorProxy::AnswerTooFar { proposed: low, current: high, maxDeviationBps: one }
                    .abi_encode(),
                Rejection::AnswerTooFar { proposed: low, current: high, max_deviation_bps: one },
            ),
            (
                Revert::from("Only callable by owner").abi_encode(),
                Rejection::Text("Only callable by owner".to_owned()),
            ),
            (Panic { code: U256::from(0x11) }.abi_encode(), Rejection::Panic(U256::from(0x11))),
        ];
        for (data, expected) in cases {
            assert_eq!(Rejection::decode(&data), Some(expected));
        }
    }

    /// Data as a node gives it, written by hand rather than by the encoder under test.
    #[test]
    fn data_from_the_wire() {
        let stale = hex!(
            "b1aaf94d"
            "0000000000000000000000000000000000000000000000000000000000000007"
            "0000000000000000000000000000000000000000000000000000000000000008"
        );
        let expected = Rejection::StaleRound { given: U256::from(7), expected: U256::from(8) };
        assert_eq!(Rejection::decode(&stale), Some(expected));

        let no_data = hex!(
            "08c379a0"
            "0000000000000000000000000000000000000000000000000000000000000020"
            "000000000000000000000000000000000000000000000000000000000000000f"
            "4e6f20646174612070726573656e740000000000000000000000000000000000"
        );
        let rejection = Rejection::decode(&no_data).unwrap();
        assert!(rejection.is_no_data());
        assert!(!Rejection::Paused.is_no_data());
        assert!(!Rejection::Text("no data present".to_owned()).is_no_data());
    }

    /// A node or a foreign contract may put anything there.
    #[test]
    fn what_is_not_ours_is_not_guessed() {
        let stale = Aggregator::StaleRound { given: U256::from(1), expected: U256::from(2) }.abi_encode();
        assert_eq!(Rejection::decode(&[]), None);
        assert_eq!(Rejection::decode(&stale[..3]), None);
        assert_eq!(Rejection::decode(&stale[..stale.len() - 1]), None);
        assert_eq!(Rejection::decode(&hex!("deadbeef")), None);
        assert_eq!(Rejection::decode(&hex!("08c379a0")), None);
        // An address with bits above its 160.
        let mut sender = Aggregator::NotTransmitter { sender: SENDER }.abi_encode();
        sender[4] = 1;
        assert_eq!(Rejection::decode(&sender), None);
    }
}
