//! What a configuration asks for.

use alloy::primitives::{Address, I256};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use std::collections::BTreeMap;

/// An answer is stored in this many bits.
const ANSWER_BITS: usize = 176;

/// The contracts that a configuration wants on one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The account that carries the rollout out.
    pub deployer: Address,
    /// The feeds, each with an aggregator and a proxy over it.
    pub feeds: BTreeMap<FeedId, WantedFeed>,
}

/// What one feed's contracts must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedFeed {
    /// Decimal places of every answer.
    pub decimals: u8,
    /// What the feed prices, such as `ETH / USD`.
    pub description: String,
    /// The smallest answer the aggregator takes.
    pub min_answer: Answer,
    /// The largest answer the aggregator takes.
    pub max_answer: Answer,
    /// The account that submits.
    pub transmitter: Address,
    /// Who administers both contracts.
    pub owner: Address,
    /// Where the aggregator is, if that is known.
    pub aggregator: Option<Address>,
    /// Where the proxy is, if that is known.
    pub proxy: Option<Address>,
}

impl WantedFeed {
    /// Why no aggregator can be like this, if none can, and what to do about it.
    pub(crate) fn impossible(&self) -> Option<(String, &'static str)> {
        let (min, max) = (self.min_answer, self.max_answer);
        if min > max {
            return Some((
                format!("the smallest answer {min} is larger than the largest, {max}"),
                "exchange or correct the feed's bounds",
            ));
        }
        if [min, max].into_iter().any(|answer| !storable(answer.value())) {
            return Some((
                format!(
                    "the bounds {min} to {max} do not fit the {ANSWER_BITS} bits that an answer is stored in"
                ),
                "narrow the feed's bounds, or use fewer decimals",
            ));
        }
        let zero = |account: Address| account == Address::ZERO;
        if zero(self.owner) {
            return Some((
                "the owner is the zero address".to_owned(),
                "name the account that administers the feed",
            ));
        }
        if zero(self.transmitter) {
            return Some(("the transmitter is the zero address".to_owned(), "name the account that submits"));
        }
        None
    }
}

/// Whether the value is within −2^175 … 2^175 − 1.
fn storable(value: I256) -> bool {
    let magnitude = if value.is_negative() { !value.into_raw() } else { value.into_raw() };
    magnitude.bit_len() < ANSWER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_176_bits_are_exact() {
        let limit = I256::from_raw(alloy::primitives::U256::ONE << (ANSWER_BITS - 1));
        for (value, fits) in [
            (limit - I256::ONE, true),
            (limit, false),
            (-limit, true),
            (-limit - I256::ONE, false),
            (I256::MAX, false),
            (I256::MIN, false),
            (I256::ZERO, true),
            (I256::MINUS_ONE, true),
        ] {
            assert_eq!(storable(value), fits, "{value}");
        }
    }
}
