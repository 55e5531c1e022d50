//! What a configuration asks for.

use alloy::primitives::{Address, I256};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use std::collections::BTreeMap;

/// An aggregator stores an answer in this many bits.
const ANSWER_BITS: usize = 176;
/// A store's report says an answer in this many bits.
const ENTRY_BITS: usize = 64;

/// The contracts that a configuration wants on one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The account that carries the rollout out.
    pub deployer: Address,
    /// The feeds, each with an aggregator or a facade, and a proxy over it.
    pub feeds: BTreeMap<FeedId, WantedFeed>,
    /// The stores that some of them share, by name.
    pub stores: BTreeMap<String, WantedStore>,
}

/// What a store must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedStore {
    /// How long before its block a report may have been observed, in seconds; `None`: a new store gets
    /// [`WantedStore::DEFAULT_MAX_AGE_S`], and what is there is taken as it is.
    pub max_age_s: Option<u32>,
    /// The account that updates.
    pub transmitter: Address,
    /// Who administers it.
    pub owner: Address,
    /// Where it is, if that is known.
    pub address: Option<Address>,
}

impl WantedStore {
    /// An hour. A report names the time of the newest block that its publisher has seen, so that this has to exceed the
    /// longest gap between two blocks and the time that an inclusion may take; few chains are ever silent for longer.
    pub const DEFAULT_MAX_AGE_S: u32 = 3600;
}

/// What a feed is in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedEntry {
    /// The store, by name.
    pub store: String,
    /// The feed's number there.
    pub number: u16,
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
    /// Who administers its contracts.
    pub owner: Address,
    /// What it is in the store that it shares; `None`: it has an aggregator of its own.
    pub entry: Option<WantedEntry>,
    /// Where the contract is that the proxy is to read, the aggregator or the facade, if that is known.
    pub aggregator: Option<Address>,
    /// Where the proxy is, if that is known.
    pub proxy: Option<Address>,
}

impl WantedFeed {
    /// Whether consumers read the facade itself, without a proxy.
    pub fn is_read_directly(&self) -> bool {
        self.entry.is_some() && self.proxy.is_some() && self.proxy == self.aggregator
    }

    /// Why no aggregator can be like this, if none can, and what to do about it.
    pub(crate) fn impossible(&self) -> Option<(String, &'static str)> {
        let (min, max) = (self.min_answer, self.max_answer);
        if min > max {
            return Some((
                format!("the smallest answer {min} is larger than the largest, {max}"),
                "exchange or correct the feed's bounds",
            ));
        }
        let bits = if self.entry.is_some() { ENTRY_BITS } else { ANSWER_BITS };
        if [min, max].into_iter().any(|answer| !storable(answer.value(), bits)) {
            return Some((
                format!("the bounds {min} to {max} do not fit the {bits} bits that an answer is stored in"),
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

/// Whether the value fits so many bits of two's complement.
fn storable(value: I256, bits: usize) -> bool {
    let magnitude = if value.is_negative() { !value.into_raw() } else { value.into_raw() };
    magnitude.bit_len() < bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_so_many_bits_are_exact() {
        for bits in [ENTRY_BITS, ANSWER_BITS] {
            let limit = I256::from_raw(alloy::primitives::U256::ONE << (bits - 1));
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
                assert_eq!(storable(value, bits), fits, "{value} in {bits} bits");
            }
        }
    }
}
