//! What the planner says to every state of a chain, and that following it leads to the end.

mod model;
mod table;

use crate::{AggregatorState, Observed, ObservedFeed, ProxyState, Site, Wanted, WantedFeed};
use alloy::primitives::{Address, I256, address};
use alloy::sol_types::{SolConstructor, SolType};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;

const DEPLOYER: Address = address!("00000000000000000000000000000000000000d0");
const STRANGER: Address = address!("00000000000000000000000000000000000000e0");
const TRANSMITTER: Address = address!("00000000000000000000000000000000000000f0");
const AGGREGATOR: Address = address!("0000000000000000000000000000000000000a01");
const OLD: Address = address!("0000000000000000000000000000000000000a00");
const PROXY: Address = address!("0000000000000000000000000000000000000b01");
const NOW_S: u64 = 1_700_000_000;

fn answer(value: i64) -> Answer {
    Answer::new(I256::try_from(value).unwrap())
}

fn feed() -> FeedId {
    FeedId::new("ETH-USD")
}

fn wanted_feed() -> WantedFeed {
    WantedFeed {
        decimals: 8,
        description: "ETH / USD".to_owned(),
        min_answer: answer(1),
        max_answer: answer(1_000_000),
        transmitter: TRANSMITTER,
        owner: DEPLOYER,
        aggregator: None,
        proxy: None,
    }
}

fn wanted() -> Wanted {
    Wanted { deployer: DEPLOYER, feeds: [(feed(), wanted_feed())].into() }
}

fn aggregator() -> AggregatorState {
    AggregatorState {
        decimals: 8,
        description: "ETH / USD".to_owned(),
        min_answer: answer(1),
        max_answer: answer(1_000_000),
        owner: DEPLOYER,
        authorised: true,
        paused: false,
        round: 3,
        answer: answer(1000),
        updated_at: Wall::from_s(NOW_S - 60),
    }
}

/// A proxy that reads `aggregator`.
fn proxy(aggregator: Address) -> ProxyState {
    ProxyState {
        decimals: 8,
        owner: DEPLOYER,
        aggregator,
        phase: 1,
        proposal: None,
        answer: Some(answer(1000)),
    }
}

fn observed(aggregator: Site<AggregatorState>, proxy: Site<ProxyState>) -> Observed {
    Observed { time: Wall::from_s(NOW_S), feeds: [(feed(), ObservedFeed { aggregator, proxy })].into() }
}

fn ours<T>(address: Address, state: T) -> Site<T> {
    Site::Ours { address, state }
}

/// The arguments that a creation gives to the constructor behind `init`; none if it creates something else.
fn arguments<'a, C>(init: &[u8], data: &'a [u8]) -> Option<C>
where
    C: SolConstructor + From<<C::Parameters<'a> as SolType>::RustType>,
{
    let arguments = data.strip_prefix(init)?;
    Some(<C::Parameters<'a>>::abi_decode_params_validate(arguments).unwrap().into())
}
