//! What the planner says to every state of a chain, and that following it leads to the end.

mod model;
mod stores;
mod table;

use crate::{
    AggregatorState, Observed, ObservedFeed, ProxyState, Site, StoreState, Wanted, WantedFeed, WantedStore,
};
use alloy::primitives::{Address, I256, address};
use alloy::sol_types::{SolConstructor, SolType};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;
use std::collections::BTreeMap;

const DEPLOYER: Address = address!("00000000000000000000000000000000000000d0");
const STRANGER: Address = address!("00000000000000000000000000000000000000e0");
const TRANSMITTER: Address = address!("00000000000000000000000000000000000000f0");
const AGGREGATOR: Address = address!("0000000000000000000000000000000000000a01");
const OLD: Address = address!("0000000000000000000000000000000000000a00");
const PROXY: Address = address!("0000000000000000000000000000000000000b01");
const STORE: Address = address!("0000000000000000000000000000000000000c01");
const MAIN: &str = "main";
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
        entry: None,
        aggregator: None,
        proxy: None,
    }
}

fn wanted() -> Wanted {
    wanted_of(wanted_feed())
}

/// One feed with an aggregator of its own.
fn wanted_of(wish: WantedFeed) -> Wanted {
    Wanted { deployer: DEPLOYER, feeds: [(feed(), wish)].into(), stores: BTreeMap::new() }
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

/// A feed without a round.
fn unwritten() -> AggregatorState {
    AggregatorState { round: 0, answer: Answer::default(), updated_at: Wall::default(), ..aggregator() }
}

fn wanted_store() -> WantedStore {
    WantedStore { max_age_s: None, transmitter: TRANSMITTER, owner: DEPLOYER, address: None }
}

/// A store with these feeds, which are numbered from 0.
fn store(entries: &[AggregatorState]) -> StoreState {
    StoreState {
        max_age_s: 3600,
        owner: DEPLOYER,
        authorised: true,
        paused: false,
        feeds: entries.len() as u64,
        entries: (0..).zip(entries.iter().cloned()).collect(),
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
    let feeds = [(feed(), ObservedFeed { aggregator, proxy })].into();
    Observed { time: Wall::from_s(NOW_S), feeds, stores: BTreeMap::new() }
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
