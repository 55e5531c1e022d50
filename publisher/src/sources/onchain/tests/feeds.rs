//! Other oracles.

use super::*;
use crate::sources::onchain::chainlink::{decimalsCall, latestRoundDataCall};
use alloy::primitives::I256;

const HEARTBEAT_S: u64 = 3600;

fn kind(sequencer: Option<Address>) -> ContractKind {
    ContractKind::Chainlink { heartbeat: Span::from_s(HEARTBEAT_S), sequencer }
}

/// Round, answer, start, update, the round that the answer is from.
fn round(id: u64, answer: i64, updated_s: u64, answered_in: u64) -> (U256, I256, U256, U256, U256) {
    let times = U256::from(updated_s);
    (U256::from(id), I256::try_from(answer).unwrap(), times, times, U256::from(answered_in))
}

/// Without this, another oracle that stands still, or never began, is published as a price of now.
#[tokio::test]
async fn f42_f47_f50_an_oracle_that_is_stale_unset_or_from_the_future_has_no_vote() {
    let chain = Chain::new();
    let (network, _node) = chain.network(vec![("oracle", AT, kind(None))]).await;
    let oldest = NOW_S - HEARTBEAT_S * 11 / 10;
    for (decimals, round, expected) in [
        (8, round(7, 6_700_012_345_678, NOW_S - 60, 7), Ok("67000.12345678")),
        (18, round(7, 1, NOW_S, 7), Ok("0.000000000000000001")),
        (8, round(7, 100_000_000, oldest, 7), Ok("1")),
        (8, round(7, 100_000_000, oldest - 1, 7), Err("venue_error")),
        (8, round(7, 100_000_000, NOW_S + 1, 7), Err("bad_time")),
        (8, round(7, 100_000_000, 0, 7), Err("bad_time")),
        (8, round(7, 100_000_000, NOW_S - 60, 6), Err("venue_error")),
        (8, round(7, 0, NOW_S - 60, 7), Err("bad_value")),
        (8, round(7, -1, NOW_S - 60, 7), Err("bad_value")),
        (37, round(7, 1, NOW_S - 60, 7), Err("bad_value")),
        (255, round(7, 1, NOW_S - 60, 7), Err("bad_value")),
    ] {
        chain.returns::<decimalsCall>(AT, U256::from(decimals)).returns::<latestRoundDataCall>(AT, round);
        chain.next(0);
        let found = price(&network).await;
        assert_eq!(found.as_deref().map_err(|fault| *fault), expected, "{decimals} {round:?}");
    }
    let largest = (U256::from(7), I256::MAX, U256::from(NOW_S), U256::from(NOW_S), U256::from(7));
    chain.returns::<latestRoundDataCall>(AT, largest).returns::<decimalsCall>(AT, U256::ZERO);
    chain.next(0);
    assert_eq!(price(&network).await, Err("bad_value"));
}

/// Without this, what is no oracle makes a price, or takes its neighbours along.
#[tokio::test]
async fn f62_what_is_no_oracle_is_named_and_costs_itself_only() {
    let chain = Chain::new();
    let sources = vec![("good", AT, kind(None)), ("bad", OTHER, kind(None))];
    let (network, _node) = chain.network(sources).await;
    chain.returns::<decimalsCall>(AT, U256::from(8));
    chain.returns::<latestRoundDataCall>(AT, round(1, 200_000_000, NOW_S, 1));
    let eight = End::Returns(U256::from(8).abi_encode());
    for (decimals, data, told) in [
        (End::Returns(Vec::new()), End::Reverts, "bad: no contract there answers decimals()"),
        (End::Reverts, End::Reverts, "bad: decimals fails: the node refused: execution reverted"),
        (eight.clone(), End::Fails("invalid opcode: INVALID"), "bad: latestRoundData fails"),
        (eight.clone(), End::Fails("out of gas"), "bad: latestRoundData fails"),
        (eight.clone(), End::Returns(vec![1; 31]), "returns another shape"),
        (eight.clone(), End::Returns(vec![0xff; 160]), "returns another shape"),
    ] {
        chain.set::<decimalsCall>(OTHER, decimals).set::<latestRoundDataCall>(OTHER, data);
        chain.next(0);
        let poll = poll(&network).await;
        let said = said(&poll);
        assert_eq!(said[0], Ok(("2".to_owned(), 0)), "{told}");
        assert!(said[1].is_err() && poll.fault.is_none(), "{told}");
        let detail = poll.detail.unwrap();
        assert!(detail.contains(told) && !detail.contains("good"), "{detail:?} is not {told:?}");
    }
}

/// Without this, a price of before a rollup's outage is published as one of after it.
#[tokio::test]
async fn f42_while_a_rollups_sequencer_is_down_and_for_an_hour_after_its_oracles_have_no_vote() {
    let chain = Chain::new();
    let (network, _node) = chain.network(vec![("oracle", AT, kind(Some(OTHER)))]).await;
    chain.returns::<decimalsCall>(AT, U256::from(8));
    chain.returns::<latestRoundDataCall>(AT, round(1, 200_000_000, NOW_S, 1));
    for (answer, since_s, expected) in [
        (0, NOW_S - 3600, Ok("2")),
        (0, NOW_S - 3599, Err("venue_error")),
        (1, NOW_S - 9000, Err("venue_error")),
        (0, NOW_S + 9000, Err("venue_error")),
    ] {
        chain.returns::<latestRoundDataCall>(OTHER, round(1, answer, since_s, 1));
        chain.next(0);
        let found = price(&network).await;
        assert_eq!(found.as_deref().map_err(|fault| *fault), expected, "{answer} since {since_s}");
    }
}
