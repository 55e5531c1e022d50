//! Contracts that lie and nodes that fail, before doubled nodes: one block, and what each contract says there.

use super::*;
use crate::chain::NodeSetup;
use crate::chain::double::Double;
use crate::sources::venue::Poll;
use alloy::primitives::{B256, U256, address};
use alloy::sol_types::SolValue;
use publisher_core::price::Ratio;
use publisher_core::quote::Observation;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

mod curve;
mod feeds;
mod fuzz;
mod networks;
mod pools;
mod shares;

const AT: Address = address!("0x5fbdb2315678afecb367f032d93f642f64180aa3");
const OTHER: Address = address!("0xe7f1725e7734ce288f8367e1bb143e90bb3f0512");
/// The block's time, in seconds.
const NOW_S: u64 = 1_800_000_000;

/// What a call of a contract ends with.
#[derive(Clone)]
enum End {
    Returns(Vec<u8>),
    Reverts,
    /// No word of the contract: what a node says, be it of an opcode or of itself.
    Fails(&'static str),
}

/// A chain of one block, which a test may replace.
#[derive(Clone)]
struct Chain(Arc<Mutex<State>>);

struct State {
    chain_id: u64,
    number: u64,
    time_s: u64,
    /// Seconds between two blocks of before.
    block_s: u64,
    /// The block is gone once it is asked about.
    gone: bool,
    /// Which of several chains with the same heights it is.
    fork: u64,
    /// By calldata, or by its first four bytes.
    contracts: BTreeMap<(Address, Vec<u8>), End>,
}

impl Chain {
    fn new() -> Self {
        let contracts = BTreeMap::new();
        Self(Arc::new(Mutex::new(State {
            chain_id: 1,
            number: 100,
            time_s: NOW_S,
            block_s: 0,
            gone: false,
            fork: 0,
            contracts,
        })))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn set<C: SolCall>(&self, at: Address, end: End) -> &Self {
        self.change(|state| drop(state.contracts.insert((at, C::SELECTOR.to_vec()), end)));
        self
    }

    fn returns<C: SolCall>(&self, at: Address, value: impl SolValue) -> &Self {
        self.set::<C>(at, End::Returns(value.abi_encode()))
    }

    /// The same where the arguments matter.
    fn set_to<C: SolCall>(&self, at: Address, call: C, end: End) -> &Self {
        self.change(|state| drop(state.contracts.insert((at, call.abi_encode()), end)));
        self
    }

    fn returns_to<C: SolCall>(&self, at: Address, call: C, value: impl SolValue) -> &Self {
        self.set_to(at, call, End::Returns(value.abi_encode()))
    }

    /// The next block, so many seconds later.
    fn next(&self, seconds: u64) {
        self.change(|state| {
            state.number += 1;
            state.time_s += seconds;
        });
    }

    async fn node(&self) -> Double {
        let state = Arc::clone(&self.0);
        Double::rpc(move |method, params| state.lock().unwrap().answer(method, params)).await
    }

    async fn network(&self, sources: Vec<(&str, Address, ContractKind)>) -> (Network, Double) {
        let node = self.node().await;
        (network(&[&node], sources), node)
    }
}

impl State {
    fn answer(&self, method: &str, params: &Value) -> Result<Value, (i64, &'static str, Value)> {
        let hash = |number: u64| B256::from(U256::from(number + 1 + (self.fork << 32)));
        match method {
            "eth_chainId" => Ok(json!(U256::from(self.chain_id))),
            "eth_getBlockByNumber" => {
                let asked = params[0].as_str().unwrap();
                let number = asked.strip_prefix("0x").map(|hex| u64::from_str_radix(hex, 16).unwrap());
                let number = number.unwrap_or(self.number);
                Ok(json!({
                    "number": U256::from(number), "hash": hash(number), "parentHash": B256::ZERO,
                    "timestamp": U256::from(self.time_s - self.number.saturating_sub(number) * self.block_s),
                }))
            }
            "eth_call" if self.gone => Err((-32000, "header not found", Value::Null)),
            "eth_call" => {
                let named: B256 = serde_json::from_value(params[1]["blockHash"].clone()).unwrap();
                assert!((0..=self.number).any(|number| hash(number) == named), "{params}");
                let to: Address = serde_json::from_value(params[0]["to"].clone()).unwrap();
                let data: Bytes = serde_json::from_value(params[0]["data"].clone()).unwrap();
                let found = self.contracts.get(&(to, data.to_vec()));
                match found.or_else(|| self.contracts.get(&(to, data[..4].to_vec()))) {
                    Some(End::Returns(data)) => Ok(json!(Bytes::from(data.clone()))),
                    Some(End::Reverts) => Err((3, "execution reverted", json!("0x"))),
                    Some(End::Fails(message)) => Err((-32000, message, Value::Null)),
                    None => Ok(json!("0x")),
                }
            }
            other => panic!("{other} is not asked"),
        }
    }
}

fn network(nodes: &[&Double], sources: Vec<(&str, Address, ContractKind)>) -> Network {
    let source = |(id, address, kind): (&str, _, _)| ContractSource { id: VenueId::new(id), address, kind };
    Network::new(NetworkSpec {
        id: VenueId::new("ethereum"),
        chain_id: 1,
        nodes: nodes.iter().map(|node| NodeSetup::new(node.url.parse().unwrap())).collect(),
        confirmations: 0,
        every: Span::from_s(1),
        sources: sources.into_iter().map(source).collect(),
    })
    .unwrap()
}

async fn poll(network: &Network) -> Poll {
    network.poll(|| Wall::from_s(NOW_S + 3)).await
}

/// What a poll says of each source: its price and age in seconds, or its fault.
fn said(poll: &Poll) -> Vec<Result<(String, u64), &'static str>> {
    let said = |observation: &Observation| match observation {
        Observation::Quote(quote) => {
            let age = Wall::from_s(NOW_S).since(quote.as_of).ms() / 1000;
            Ok((quote.price().unwrap().to_string(), age))
        }
        Observation::Missing { fault, .. } => Err(fault.code()),
    };
    poll.observations.iter().map(said).collect()
}

/// The only source's price, or its fault.
async fn price(network: &Network) -> Result<String, &'static str> {
    said(&poll(network).await).remove(0).map(|(price, _)| price)
}

fn growth() -> Growth {
    Growth { max_decrease: Ratio::from_bps(10), max_growth: Ratio::from_bps(100) }
}
