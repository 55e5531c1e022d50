//! What may be spent, on a real chain.

use crate::BINARY;
use alloy::primitives::Uint;
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
