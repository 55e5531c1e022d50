//! What a store of many feeds says, through the typed bindings.

use super::ChainError;
use super::contract::{FeedFacts, LatestRound, next, wall};
use super::flags::{FlagWire, told};
use super::node::{Node, by_hash, call_params};
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{SolCall, SolEvent};
use publisher_bindings::{FeedFacade, FeedStore};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::tx::{BlockRef, EntryView, Flag, Skip, SkipReason, StoreView};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is fixed about a store, or changes only by its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFacts {
    /// Contract and version.
    pub type_and_version: String,
    /// How long before its block a report may have been observed, in seconds.
    pub max_age_s: u32,
    /// How many feeds there are; they are numbered from 0.
    pub feeds: u64,
}

impl Node {
    /// A store, some of its feeds and the flags that these may have at the very block `at`, as `account` sees them, in one batch of calls. The caller
    /// believes it only while `at` is canonical.
    pub async fn store_view(
        &self,
        store: Address,
        account: Address,
        feeds: &[(FeedId, u16)],
        flags: &BTreeMap<FeedId, FlagWire>,
        at: &BlockRef,
    ) -> Result<StoreView, ChainError> {
        let block = by_hash(at);
        let call = |data: Vec<u8>| ("eth_call", call_params(store, &Bytes::from(data), &block));
        let mut questions = vec![call(FeedStore::storeStateCall { transmitter: account }.abi_encode())];
        for (id, number) in feeds {
            let feed = U256::from(*number);
            questions.push(call(FeedStore::latestRoundOfCall { feed }.abi_encode()));
            questions.push(call(FeedStore::feedInfoCall { feed }.abi_encode()));
            questions.extend(flags.get(id).map(|flag| flag.question(&block)));
        }
        let mut answers = self.wire.batch(&questions).await.into_iter();
        let state = next::<FeedStore::storeStateCall>(&mut answers)?;
        let mut seen = Vec::with_capacity(feeds.len());
        for (id, _) in feeds {
            let latest = next::<FeedStore::latestRoundOfCall>(&mut answers)?;
            let info = next::<FeedStore::feedInfoCall>(&mut answers)?;
            let entry = EntryView {
                round: count(latest.roundId)?,
                answer: Answer::new(latest.answer),
                updated_at: wall(latest.updatedAt)?,
                paused: info.paused_,
                flag: flags.get(id).map_or(Flag::Unwatched, |_| told(&mut answers)),
            };
            seen.push((id.clone(), entry));
        }
        Ok(StoreView {
            block_number: at.number,
            block_hash: at.hash,
            sequence: count(state.sequence)?,
            paused: state.paused_,
            authorised: state.authorised,
            feeds: seen,
        })
    }

    /// What is fixed about a store.
    pub async fn store_facts(&self, store: Address) -> Result<StoreFacts, ChainError> {
        use FeedStore as S;
        let nobody = Address::ZERO;
        let mut answers = self
            .views(
                store,
                [
                    S::typeAndVersionCall {}.abi_encode(),
                    S::maxAgeSecondsCall {}.abi_encode(),
                    S::storeStateCall { transmitter: nobody }.abi_encode(),
                ],
            )
            .await;
        Ok(StoreFacts {
            type_and_version: next::<S::typeAndVersionCall>(&mut answers)?,
            max_age_s: next::<S::maxAgeSecondsCall>(&mut answers)?,
            feeds: count(next::<S::storeStateCall>(&mut answers)?.feeds)?,
        })
    }

    /// What is fixed about one feed of a store.
    pub async fn entry_facts(&self, store: Address, number: u16) -> Result<FeedFacts, ChainError> {
        let info = self.view(store, &FeedStore::feedInfoCall { feed: U256::from(number) }).await?;
        Ok(FeedFacts {
            decimals: info.decimals,
            description: info.description,
            min_answer: Answer::new(info.minAnswer),
            max_answer: Answer::new(info.maxAnswer),
        })
    }

    /// The latest round of one feed of a store; `None` when it has none yet.
    pub async fn entry_latest(&self, store: Address, number: u16) -> Result<Option<LatestRound>, ChainError> {
        let latest = self.view(store, &FeedStore::latestRoundOfCall { feed: U256::from(number) }).await?;
        let updated_at = wall(latest.updatedAt)?;
        let round = LatestRound {
            round_id: latest.roundId,
            answer: Answer::new(latest.answer),
            started_at: updated_at,
            updated_at,
            answered_in_round: latest.roundId,
        };
        Ok((!round.round_id.is_zero()).then_some(round))
    }

    /// The store that a facade reads, and the number of its feed there.
    pub async fn facade_facts(&self, facade: Address) -> Result<(Address, u64), ChainError> {
        use FeedFacade as F;
        let calls = [F::storeCall {}.abi_encode(), F::feedIdCall {}.abi_encode()];
        let mut answers = self.views(facade, calls).await;
        let store = next::<F::storeCall>(&mut answers)?;
        Ok((store, count(next::<F::feedIdCall>(&mut answers)?)?))
    }
}

/// A log of a receipt.
#[derive(Deserialize)]
pub(super) struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// The entry that a store says it skipped in the transaction `hash`, which was sent `to` it. What other contracts log
/// on the way means nothing.
pub(super) fn skipped(hash: B256, to: Address, log: &Log) -> Option<Skip> {
    if log.address != to || log.topics.first() != Some(&FeedStore::FeedSkipped::SIGNATURE_HASH) {
        return None;
    }
    let event =
        FeedStore::FeedSkipped::decode_raw_log_validate(log.topics.iter().copied(), &log.data).ok()?;
    let reason = match event.reason {
        1 => SkipReason::UnknownFeed,
        2 => SkipReason::OutOfBounds,
        3 => SkipReason::FeedPaused,
        4 => SkipReason::Stale,
        5 => SkipReason::Exhausted,
        _ => SkipReason::Unknown,
    };
    Some(Skip { hash, entry: u16::try_from(event.feed).ok()?, reason })
}

fn count(number: U256) -> Result<u64, ChainError> {
    u64::try_from(number).map_err(|_| ChainError::Contract("a number beyond 64 bits"))
}

#[cfg(test)]
mod tests;
