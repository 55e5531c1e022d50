//! What may be spent, and on how much gas, on a real chain.

use crate::BINARY;
use alloy::consensus::Transaction as _;
use alloy::primitives::{B256, U256, Uint, address};
use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use publisher_tests::rpc_proxy::{RpcFault, Rule};
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const POLICY: &str = "heartbeat = \"20s\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";
const SPENT: &str = "publisher_budget_left_gwei{scope=\"feed:BTC-USD\"} 0";

/// Without it a volatile day empties the account, or a cap silences the feed, or a restart forgets what was paid.
#[tokio::test]
async fn f37_a_spent_budget_holds_deviations_and_lets_heartbeats_pass_over_restarts() {
    let options = Options { policy: POLICY, finality: "instant", ..Options::default() };
    let world = World::new(options).await.unwrap();
    let feed = world.feed().clone();
    let capped = "fees = { profile = \"eip1559\", max_feed_hour = \"1 gwei\" }";
    world.edit("fees = \"eip1559\"", capped).unwrap();
    // A daemon that has only begun to start serves no page yet.
    let shows = async |page: &str, text: &str| {
        Ok::<_, anyhow::Error>(world.get(page).await.is_ok_and(|(_, body)| body.contains(text)))
    };
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    world.venues.market().set_price(feed.pair, "68000").unwrap();
    world.said("PUB-2016", 1).await.unwrap();
    world.wait(SOON, "the budget is spent", async || shows("/metrics", SPENT).await).await.unwrap();
    // The heartbeat carries the price that no deviation might.
    world.wait_answer(&feed, 6_800_000_000_000, SOON).await.unwrap();
    let aggregator = world.aggregator(&feed);
    let written =
        async |round: u8| aggregator.getRoundData(Uint::from(round)).call().await.unwrap().updatedAt;
    let waited_s: u64 = (written(2).await - written(1).await).to();
    assert!(waited_s >= 15, "{waited_s}: a deviation has passed");
    let status: Value = serde_json::from_str(&world.get("/status").await.unwrap().1).unwrap();
    assert_eq!(status["feeds"][0]["budget_left_wei"], "0", "{status:#}");
    world.drain(daemon).await.unwrap();
    let round = world.round(&feed).await.unwrap();

    // Another process knows what was paid, and may not even send heartbeats.
    world.edit("\"1 gwei\" }", "\"1 gwei\", over_budget = \"nothing\" }").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait(SOON, "the budget is still spent", async || shows("/metrics", SPENT).await).await.unwrap();
    world
        .wait(SOON, "its heartbeat is missed", async || shows("/readyz", "heartbeat_missed").await)
        .await
        .unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), round);
    drop(daemon);
}

/// Without it a node whose estimates fail silences the feed, and one whose estimates are ten times too high makes every
/// round put ten times its cost at risk.
#[tokio::test]
async fn f23_the_last_estimate_stands_in_for_one_that_fails_and_one_too_high_is_clamped() {
    let world = World::new(Options { finality: "instant", ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let gas_limit = async |landed: usize| {
        world.said("PUB-2009", landed).await.unwrap();
        let hash: B256 =
            world.logged("PUB-2009").unwrap()[landed - 1]["hash"].as_str().unwrap().parse().unwrap();
        world.owner.get_transaction_by_hash(hash).await.unwrap().unwrap().gas_limit()
    };
    let usual = gas_limit(1).await;

    world.proxy.fault(Rule::new(RpcFault::UnknownError { forwarded: false }).on("eth_estimateGas"));
    world.venues.market().set_price(feed.pair, "68000").unwrap();
    world.wait_answer(&feed, 6_800_000_000_000, SOON).await.unwrap();
    assert_eq!(gas_limit(2).await, usual);
    world.said("PUB-2017", 1).await.unwrap();

    world.proxy.clear();
    world.proxy.fault(Rule::new(RpcFault::Estimate(800_000)));
    world.venues.market().set_price(feed.pair, "69000").unwrap();
    world.wait_answer(&feed, 6_900_000_000_000, SOON).await.unwrap();
    assert_eq!(gas_limit(3).await, 500_000, "the ceiling");
    world.said("PUB-2018", 1).await.unwrap();
    drop(daemon);
}

/// Without it a network without gas prices, whose nodes were started with the usual minimum, would stay silent.
#[tokio::test]
async fn f36_nodes_with_a_minimum_price_are_named_on_a_chain_where_gas_is_to_be_free() {
    let anvil = &["--block-time", "1", "--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"];
    let options = Options { finality: "instant", fees: "zero-gas", anvil, ..Options::default() };
    let world = World::new(options).await.unwrap();
    // The words of Besu.
    let refusal =
        RpcFault::Refusal { code: -32_009, message: "Gas price below configured minimum gas price" };
    world.proxy.fault(Rule::new(refusal).on("eth_sendRawTransaction"));
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let line = world.said("PUB-2019", 1).await.unwrap().remove(0);
    assert_eq!(line["offered_wei"], "0", "{line:#}");
    assert!(line["advice"].as_str().unwrap().contains("--min-gas-price=0"), "{line:#}");
    world.proxy.clear();
    world.wait_answer(world.feed(), 6_700_000_000_000, SOON).await.unwrap();
    drop(daemon);
}

/// Without it a rollup's fee for data, often the greater part of the bill, would be on nobody's budget.
#[tokio::test]
async fn f37_what_a_rollup_asks_for_data_is_on_the_budget() {
    let world = World::new(Options { finality: "instant", ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    // A double of the OP Stack's oracle, which answers every call with the same fee: PUSH32 fee, PUSH0, MSTORE,
    // PUSH1 32, PUSH0, RETURN.
    let data_costs = async |wei: u64| {
        let fee = B256::from(U256::from(wei));
        let code = [&[0x7f], fee.as_slice(), &[0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]].concat();
        let oracle = address!("0x420000000000000000000000000000000000000F");
        world.owner.anvil_set_code(oracle, code.into()).await.unwrap();
    };
    data_costs(2_000_000_000_000_000).await;
    let capped = "fees = { profile = \"eip1559\", max_feed_hour = \"0.003 ether\" }";
    world.edit("fees = \"eip1559\"", capped).unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    assert!(world.logged("PUB-2016").unwrap().is_empty(), "one round is within the budget");
    data_costs(4_000_000_000_000_000).await;
    let height = world.head().await.unwrap().0;
    world.wait(SOON, "the new fee is read", async || Ok(world.head().await?.0 > height + 2)).await.unwrap();
    world.venues.market().set_price(feed.pair, "68000").unwrap();
    world.said("PUB-2016", 1).await.unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), 1, "data that costs more than the hour may is not sent");
    drop(daemon);
}
