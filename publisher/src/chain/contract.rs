//! What the feed contracts say, through the typed bindings.

use super::ChainError;
use super::flags::{FlagWire, told};
use super::node::{Node, by_hash, call_params};
use super::revert::{explain, explain_store};
use super::wire::{Raw, decode};
use alloy::primitives::{Address, Bytes, U64, U256};
use alloy::sol_types::SolCall;
use publisher_bindings::report::many_feeds;
use publisher_bindings::{Aggregator, AggregatorProxy, FeedStore, Refusal, Rejection};
use publisher_core::price::Answer;
use publisher_core::time::Wall;
use publisher_core::tx::{BlockRef, Call, Flag, PreflightAnswer, RoundView};
use serde_json::{Value, json};

/// What is fixed about an aggregator, or changes only by its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregatorFacts {
    /// Decimal places of its answers.
    pub decimals: u8,
    /// What it prices.
    pub description: String,
    /// Smallest answer it takes.
    pub min_answer: Answer,
    /// Largest answer it takes.
    pub max_answer: Answer,
    /// Contract and version.
    pub type_and_version: String,
    /// Who administers it.
    pub owner: Address,
}

/// What is fixed about a feed, wherever its rounds are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedFacts {
    /// Decimal places of its answers.
    pub decimals: u8,
    /// What it prices.
    pub description: String,
    /// Smallest answer it takes.
    pub min_answer: Answer,
    /// Largest answer it takes.
    pub max_answer: Answer,
}

impl From<AggregatorFacts> for FeedFacts {
    fn from(facts: AggregatorFacts) -> Self {
        let AggregatorFacts { decimals, description, min_answer, max_answer, .. } = facts;
        Self { decimals, description, min_answer, max_answer }
    }
}

/// What a proxy points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFacts {
    /// The aggregator it reads now.
    pub aggregator: Address,
    /// How often it has been pointed elsewhere, from 1.
    pub phase_id: u16,
    /// The aggregator proposed; zero if there is none.
    pub proposed: Address,
    /// Contract and version.
    pub type_and_version: String,
    /// Who administers it.
    pub owner: Address,
}

/// `latestRoundData()` as a consumer reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestRound {
    /// Phase in the bits from 64, the aggregator's round below.
    pub round_id: U256,
    /// The answer.
    pub answer: Answer,
    /// When the round began.
    pub started_at: Wall,
    /// When its answer was written.
    pub updated_at: Wall,
    /// The round in which the answer was made.
    pub answered_in_round: U256,
}

impl Node {
    /// A feed's aggregator, and the flag that it may have, at the very block `at`, as `account` sees it, in one batch of
    /// calls. The caller believes it only while `at` is canonical.
    pub async fn round_view(
        &self,
        aggregator: Address,
        account: Address,
        flag: Option<FlagWire>,
        at: &BlockRef,
    ) -> Result<RoundView, ChainError> {
        let block = by_hash(at);
        let call = Aggregator::feedStateCall { transmitter: account };
        let mut questions =
            vec![("eth_call", call_params(aggregator, &Bytes::from(call.abi_encode()), &block))];
        questions.extend(flag.map(|flag| flag.question(&block)));
        let mut answers = self.wire.batch(&questions).await.into_iter();
        let state = next::<Aggregator::feedStateCall>(&mut answers)?;
        Ok(RoundView {
            block_number: at.number,
            block_hash: at.hash,
            round: u64::try_from(state.latestRound_)
                .map_err(|_| ChainError::Contract("a round beyond 64 bits"))?,
            answer: Answer::new(state.latestAnswer_),
            updated_at: wall(state.updatedAt)?,
            paused: state.paused_,
            authorised: state.authorised,
            flag: flag.map_or(Flag::Unwatched, |_| told(&mut answers)),
        })
    }

    /// The latest round as a consumer reads it through the proxy (or an aggregator); `None` before the first.
    pub async fn proxy_latest(&self, proxy: Address) -> Result<Option<LatestRound>, ChainError> {
        match self.view(proxy, &AggregatorProxy::latestRoundDataCall {}).await {
            Ok(round) => Ok(Some(LatestRound {
                round_id: U256::from(round.roundId),
                answer: Answer::new(round.answer),
                started_at: wall(round.startedAt)?,
                updated_at: wall(round.updatedAt)?,
                answered_in_round: U256::from(round.answeredInRound),
            })),
            Err(ChainError::Rpc { data: Some(data), .. })
                if Rejection::decode(&data).is_some_and(|rejection| rejection.is_no_data()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What a call would do now, by `eth_estimateGas`.
    pub async fn preflight(&self, call: &Call, from: Address) -> PreflightAnswer {
        let (to, data) = target_and_data(call, from);
        let mut tx = json!({ "from": from, "data": data });
        if let (Some(to), Value::Object(fields)) = (to, &mut tx) {
            fields.insert("to".into(), json!(to));
        }
        let gas = self.wire.get::<U64>("eth_estimateGas", json!([tx])).await;
        match gas {
            Ok(gas) => PreflightAnswer::Gas(gas.to()),
            Err(ChainError::Rpc { message, data, .. }) => {
                let refusal = data.as_ref().and_then(|data| match call {
                    Call::Update { .. } => Refusal::decode(data).map(|refusal| explain_store(&refusal)),
                    _ => Rejection::decode(data).map(|rejection| explain(&rejection)),
                });
                match refusal {
                    Some(refusal) => PreflightAnswer::Reverts(refusal),
                    None if data.is_some() || message.to_lowercase().contains("revert") => {
                        PreflightAnswer::Reverts(message)
                    }
                    None => PreflightAnswer::Unknown,
                }
            }
            Err(_) => PreflightAnswer::Unknown,
        }
    }

    /// What is fixed about an aggregator.
    pub async fn aggregator_facts(&self, aggregator: Address) -> Result<AggregatorFacts, ChainError> {
        use Aggregator as A;
        let mut answers = self
            .views(
                aggregator,
                [
                    A::decimalsCall {}.abi_encode(),
                    A::descriptionCall {}.abi_encode(),
                    A::minAnswerCall {}.abi_encode(),
                    A::maxAnswerCall {}.abi_encode(),
                    A::typeAndVersionCall {}.abi_encode(),
                    A::ownerCall {}.abi_encode(),
                ],
            )
            .await;
        Ok(AggregatorFacts {
            decimals: next::<A::decimalsCall>(&mut answers)?,
            description: next::<A::descriptionCall>(&mut answers)?,
            min_answer: Answer::new(next::<A::minAnswerCall>(&mut answers)?),
            max_answer: Answer::new(next::<A::maxAnswerCall>(&mut answers)?),
            type_and_version: next::<A::typeAndVersionCall>(&mut answers)?,
            owner: next::<A::ownerCall>(&mut answers)?,
        })
    }

    /// What a proxy points to.
    pub async fn proxy_facts(&self, proxy: Address) -> Result<ProxyFacts, ChainError> {
        use AggregatorProxy as P;
        let mut answers = self
            .views(
                proxy,
                [
                    P::aggregatorCall {}.abi_encode(),
                    P::phaseIdCall {}.abi_encode(),
                    P::proposedAggregatorCall {}.abi_encode(),
                    P::typeAndVersionCall {}.abi_encode(),
                    P::ownerCall {}.abi_encode(),
                ],
            )
            .await;
        Ok(ProxyFacts {
            aggregator: next::<P::aggregatorCall>(&mut answers)?,
            phase_id: next::<P::phaseIdCall>(&mut answers)?,
            proposed: next::<P::proposedAggregatorCall>(&mut answers)?,
            type_and_version: next::<P::typeAndVersionCall>(&mut answers)?,
            owner: next::<P::ownerCall>(&mut answers)?,
        })
    }

    /// One typed read at the latest block.
    pub async fn view<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, ChainError> {
        let params = call_params(to, &Bytes::from(call.abi_encode()), &json!("latest"));
        returned::<C>(self.wire.call("eth_call", params).await)
    }

    pub(super) async fn views<const N: usize>(
        &self,
        to: Address,
        calls: [Vec<u8>; N],
    ) -> impl Iterator<Item = Raw> + use<N> {
        let latest = json!("latest");
        let questions = calls.map(|data| ("eth_call", call_params(to, &Bytes::from(data), &latest)));
        self.wire.batch(&questions).await.into_iter()
    }
}

/// Recipient and calldata (or init code) of a call sent by `from`.
pub fn target_and_data(call: &Call, from: Address) -> (Option<Address>, Bytes) {
    match call {
        Call::Submit { aggregator, round, answer } => {
            let submit = Aggregator::submitCall { roundId: U256::from(*round), answer: answer.value() };
            (Some(*aggregator), submit.abi_encode().into())
        }
        Call::Update { store, sequence, observed_at_s, entries } => {
            // What the core gives is rising and not empty; of anything else the store says that it is no report.
            let report = many_feeds(*sequence, *observed_at_s, entries).unwrap_or_default();
            (Some(*store), [FeedStore::updateCall::SELECTOR.as_slice(), &report].concat().into())
        }
        Call::Raw { to, data } => (*to, data.clone()),
        Call::Noop => (Some(from), Bytes::new()),
    }
}

pub(super) fn next<C: SolCall>(answers: &mut impl Iterator<Item = Raw>) -> Result<C::Return, ChainError> {
    returned::<C>(answers.next().unwrap_or(Err(ChainError::BadAnswer("missing in the batch"))))
}

fn returned<C: SolCall>(raw: Raw) -> Result<C::Return, ChainError> {
    let data: Bytes = decode(&raw?)?;
    if data.is_empty() {
        return Err(ChainError::Contract("the address has no code of ours"));
    }
    C::abi_decode_returns_validate(&data).map_err(|_| ChainError::Contract("another contract's return data"))
}

pub(super) fn wall(seconds: U256) -> Result<Wall, ChainError> {
    u64::try_from(seconds).map(Wall::from_s).map_err(|_| ChainError::Contract("a time beyond 64 bits"))
}

#[cfg(test)]
mod tests;
