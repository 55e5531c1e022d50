//! The first question to every node: who are you?

use super::roster::{Fact, Roster};
use super::{Endpoint, Nodes};
use crate::chain::{ChainError, Identity, Node, NodeSetup, SetupError, VerifyError};
use alloy::primitives::B256;
use publisher_core::time::Span;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::task::JoinSet;

/// What the nodes answered.
#[derive(Debug)]
pub struct Met {
    /// What each is called, and which genesis it said; none of those that are only sent to.
    pub answers: Vec<(String, Result<Option<B256>, VerifyError>)>,
    /// All of them, if one at least can be read and none is another chain's.
    pub nodes: Option<Nodes>,
}

/// Asks every configured node who it is. Without a configured genesis, the first node's that can be read counts.
///
/// # Errors
/// If an address cannot be used.
pub async fn meet(
    setups: &[NodeSetup],
    chain_id: u64,
    genesis: Option<B256>,
    block_time: Span,
) -> Result<Met, SetupError> {
    let mut endpoints = Vec::new();
    for (place, setup) in setups.iter().enumerate() {
        let node = Node::new(setup)?;
        let twins = setups.iter().filter(|other| other.url.authority() == setup.url.authority()).count();
        let name = match twins {
            0 | 1 => node.shown(),
            _ => format!("{} (rpc[{place}])", node.shown()),
        };
        endpoints.push(Endpoint {
            node: Arc::new(node),
            name: name.into(),
            send_only: setup.send_only,
            hears: Arc::default(),
        });
    }
    let mut said = said(&endpoints, chain_id).await;
    let expected = genesis.or_else(|| said.values().find_map(|said| said.as_ref().ok().copied().flatten()));
    let mut roster = Roster::new(endpoints.iter().map(|endpoint| endpoint.send_only), block_time);
    let mut answers = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let answer = match (said.remove(&index), expected) {
            (Some(Ok(Some(found))), Some(expected)) if found != expected => {
                Err(VerifyError::Genesis { expected, found })
            }
            (Some(said), _) => said,
            (None, _) => Err(ChainError::Unreachable.into()),
        };
        let fact = match &answer {
            Ok(_) => Fact::Answered { head: None, fresh: false },
            Err(VerifyError::Chain(error)) => Fact::Failed(error.to_string()),
            Err(refused) => Fact::Refused(refused.to_string()),
        };
        // What is found at the start is told by whoever asked.
        let _told = roster.note(index, fact, Instant::now());
        answers.push((endpoint.name.to_string(), answer));
    }
    let readable = answers.iter().any(|(_, answer)| matches!(answer, Ok(Some(_))));
    let refused = answers.iter().any(|(_, answer)| answer.as_ref().is_err_and(VerifyError::is_refusal));
    let mut endpoints = endpoints.into_iter();
    let nodes = match (endpoints.next(), expected) {
        (Some(first), Some(genesis)) if readable && !refused => Some(Nodes {
            first,
            others: endpoints.collect(),
            identity: Identity { chain_id, genesis },
            roster: Mutex::new(roster),
            differing: AtomicBool::new(false),
        }),
        _ => None,
    };
    Ok(Met { answers, nodes })
}

/// What each says, side by side: the genesis of those that are read.
async fn said(endpoints: &[Endpoint], chain_id: u64) -> BTreeMap<usize, Result<Option<B256>, VerifyError>> {
    let mut asked = JoinSet::new();
    for (index, Endpoint { node, send_only, .. }) in endpoints.iter().cloned().enumerate() {
        asked.spawn(async move {
            let said = match send_only {
                true => node.verify_chain_id(chain_id).await.map(|()| None),
                false => node.verify(chain_id, None).await.map(|identity| Some(identity.genesis)),
            };
            (index, said)
        });
    }
    asked.join_all().await.into_iter().collect()
}
