//! Nodes that fail, lie or lag, and what a poll costs.

use super::*;
use crate::sources::onchain::curve::get_virtual_priceCall;

fn share() -> ContractKind {
    ContractKind::CurveLp(growth())
}

fn worth(per_mille: u64) -> U256 {
    U256::from(1_000_000_000_000_000u64) * U256::from(per_mille)
}

/// Without this, a price of a test network is published on a real one.
#[tokio::test]
async fn f18_a_node_of_another_chain_is_not_asked_for_prices_and_the_next_one_is() {
    let (chain, other) = (Chain::new(), Chain::new());
    other.change(|state| state.chain_id = 5);
    other.returns::<get_virtual_priceCall>(AT, worth(9000));
    chain.returns::<get_virtual_priceCall>(AT, worth(1001));
    let (wrong, right) = (other.node().await, chain.node().await);
    let network = network(&[&wrong, &right], vec![("share", AT, share())]);
    let first = poll(&network).await;
    assert_eq!(said(&first), [Err("venue_error")]);
    assert!(first.alternative && first.fault.is_some());
    assert_eq!(first.detail.as_deref(), Some("the node serves chain 5 instead of 1"));
    assert_eq!(wrong.requests(), 1, "it was asked for more than who it is");
    assert_eq!(said(&poll(&network).await), [Ok(("1.001".to_owned(), 0))]);
    // And a node that turns into another chain later on is found as well.
    chain.change(|state| state.chain_id = 5);
    chain.next(1);
    let last = poll(&network).await;
    assert_eq!(said(&last), [Err("venue_error")]);
    assert!(last.alternative);
    assert!(!poll(&network).await.alternative, "all nodes have failed");
}

/// Without this, prices of two forks are mixed, or a reorg stops a source.
#[tokio::test]
async fn f25_a_block_that_a_reorg_took_away_gives_no_price_and_the_next_one_does() {
    let chain = Chain::new();
    chain.returns::<get_virtual_priceCall>(AT, worth(1001));
    let (network, _node) = chain.network(vec![("one", AT, share()), ("other", OTHER, share())]).await;
    chain.change(|state| state.gone = true);
    let gone = poll(&network).await;
    assert_eq!(said(&gone), [Err("venue_error"), Err("venue_error")]);
    assert_eq!(gone.fault.map(|fault| fault.code()), Some("venue_error"));
    chain.change(|state| state.gone = false);
    chain.next(1);
    let back = poll(&network).await;
    assert_eq!(said(&back), [Ok(("1.001".to_owned(), 0)), Err("venue_error")]);
}

/// Without this, every further feed costs its node another request.
#[tokio::test]
async fn a_poll_costs_two_requests_however_many_contracts_are_read_and_one_without_a_new_block() {
    let chain = Chain::new();
    let names: Vec<String> = (0..60).map(|n| format!("share{n}")).collect();
    let sources: Vec<_> = names.iter().map(|name| (name.as_str(), AT, share())).collect();
    chain.returns::<get_virtual_priceCall>(AT, worth(1001));
    let (network, node) = chain.network(sources).await;
    for (block, requests) in [(0, 2), (0, 1), (1, 2), (1, 2)] {
        (0..block).for_each(|_| chain.next(1));
        let before = node.requests();
        let poll = poll(&network).await;
        assert!(said(&poll).iter().all(Result::is_ok) && poll.observations.len() == 60);
        assert_eq!((node.requests() - before, poll.requests), (requests, u32::try_from(requests).unwrap()));
    }
}

/// Without this, a node that falls silent holds up a source for ever.
#[tokio::test]
async fn f41_a_node_that_is_gone_makes_room_for_the_next() {
    let chain = Chain::new();
    chain.returns::<get_virtual_priceCall>(AT, worth(1001));
    let node = chain.node().await;
    let dead = Double { url: "http://127.0.0.1:1".to_owned(), heard: Arc::default() };
    let network = network(&[&dead, &node], vec![("share", AT, share())]);
    let first = poll(&network).await;
    assert_eq!((first.fault, first.alternative), (Some(SourceFault::Unreachable), true));
    assert_eq!(said(&poll(&network).await), [Ok(("1.001".to_owned(), 0))]);
}

/// Without this, a price is older than it says.
#[tokio::test]
async fn confirmations_make_a_price_older_and_never_reach_beyond_the_first_block() {
    let chain = Chain::new();
    chain.returns::<get_virtual_priceCall>(AT, worth(1001));
    for (confirmations, read) in [(0, 100), (3, 97), (100, 0), (256, 0)] {
        let node = chain.node().await;
        let at = node.node().anchor(1, confirmations).await.unwrap();
        assert_eq!(at.number, read);
    }
}
