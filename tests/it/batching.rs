//! Feeds that share a store: one transaction for all that are due, and none that waits for another's trouble.

use crate::BINARY;
use alloy::primitives::{Address, U256};
use anyhow::{Result, ensure};
use publisher_doubles::venues::{Fault, Venue};
use publisher_tests::cli::run;
use publisher_tests::store::Batch;
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// What a feed costs in a transaction for ten of them, at most: the target of `contracts/gas`.
const GAS_A_FEED: u64 = 18_000;

/// A quiet market: rounds come by their heartbeats.
fn options(feeds: usize) -> Options {
    Options { feeds, policy: "heartbeat = \"6s\"\nmax_age = \"5s\"", ..Options::default() }
}

/// Waits until the store has accepted so many more reports for exactly these feeds.
async fn wait_batches(world: &World, store: Address, feeds: &[u16], more: usize) -> Result<Vec<Batch>> {
    let before = world.batches(store).await?.len();
    let mut found = Vec::new();
    let what = format!("{more} more batches for {feeds:?}");
    world
        .wait(SOON, &what, async || {
            found = world.batches(store).await?.split_off(before);
            found.retain(|batch| batch.feeds == feeds);
            Ok(found.len() >= more)
        })
        .await?;
    Ok(found)
}

async fn hold_of(world: &World, feed: &str) -> Result<Option<String>> {
    let status: serde_json::Value = serde_json::from_str(&world.get("/status").await?.1)?;
    let feeds = status["feeds"].as_array().cloned().unwrap_or_default();
    let found = feeds.into_iter().find(|f| f["feed"] == feed);
    Ok(found.and_then(|feed| feed["hold"].as_str().map(str::to_owned)))
}

/// Without this ten feeds would cost ten transactions a heartbeat, and four times the gas.
#[tokio::test]
async fn ten_feeds_that_are_due_in_one_block_go_out_in_one_transaction() {
    let (world, store) = World::with_store(options(10)).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let all: Vec<u16> = (0..10).collect();
    let full = wait_batches(&world, store, &all, 4).await.unwrap();
    let gas: Vec<u64> = full.iter().map(|batch| batch.gas_used / 10).collect();
    // The first rounds of a store open its slots.
    assert!(gas[2..].iter().all(|gas| *gas <= GAS_A_FEED), "{gas:?}");
    world.drain(daemon).await.unwrap();
    world.judge_batches(store).await.unwrap();
}

/// Without this one feed that is paused, or whose price is absurd, would silence every other one.
#[tokio::test]
async fn a_bad_feed_does_not_keep_the_others_and_says_why() {
    let (world, store) = World::with_store(options(4)).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    wait_batches(&world, store, &[0, 1, 2, 3], 1).await.unwrap();
    let pause = async |paused| {
        let contract = world.store(store);
        let call = contract.setFeedPaused(U256::from(1), paused).gas(100_000);
        call.send().await.unwrap().get_receipt().await.unwrap()
    };
    assert!(pause(true).await.status());
    world.venues.market().set_price("ADA/USD", "20000000").unwrap();
    wait_batches(&world, store, &[0, 3], 2).await.unwrap();
    for (feed, reason) in [("ETH-USD", "paused"), ("ADA-USD", "bounds")] {
        let what = format!("{feed} held back: {reason}");
        world
            .wait(SOON, &what, async || Ok(hold_of(&world, feed).await?.as_deref() == Some(reason)))
            .await
            .unwrap();
    }
    assert!(pause(false).await.status());
    world.venues.market().set_price("ADA/USD", "100.00").unwrap();
    for feed in &world.feeds[1..3] {
        let back = world.round(feed).await.unwrap() + 1;
        world.wait_round(feed, back, SOON).await.unwrap();
    }
    world.drain(daemon).await.unwrap();
    world.judge_batches(store).await.unwrap();
}

/// Without this one feed whose venues fall silent would silence every other one.
#[tokio::test]
async fn a_feed_without_quorum_does_not_keep_the_others() {
    let (world, store) = World::with_store(options(3)).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    wait_batches(&world, store, &[0, 1, 2], 1).await.unwrap();
    for venue in [Venue::Coinbase, Venue::Kraken, Venue::Bitstamp] {
        world.venues.market().fault_market(venue, "ETH/USD", Fault::MissingSymbol).unwrap();
    }
    wait_batches(&world, store, &[0, 2], 2).await.unwrap();
    let silent = async || Ok(hold_of(&world, "ETH-USD").await?.as_deref() == Some("quorum"));
    world.wait(SOON, "ETH-USD held back for its quorum", silent).await.unwrap();
    world.venues.market().clear_all();
    let back = world.round(&world.feeds[1]).await.unwrap() + 1;
    world.wait_round(&world.feeds[1], back, SOON).await.unwrap();
    world.drain(daemon).await.unwrap();
    world.judge_batches(store).await.unwrap();
}

/// Rounds by deviation alone.
const DEVIATION: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"";

/// Waits until the daemon's page says this of a feed.
async fn wait_feed(world: &World, feed: &str, key: &str, value: &str) {
    let says = |page: &serde_json::Value| {
        let feeds = page["feeds"].as_array().cloned().unwrap_or_default();
        feeds.iter().any(|f| f["feed"] == feed && f[key] == value)
    };
    world.wait_page("/status", SOON, |_, page| says(page)).await.unwrap();
}

/// Without this a feed at nine tenths of its way would cost a transaction of its own a minute later, and one at rest
/// would be paid for with every other one.
#[tokio::test]
async fn a_feed_close_to_its_threshold_rides_along_and_one_at_rest_does_not() {
    let (world, store) = World::with_store(Options { policy: DEVIATION, ..options(3) }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for feed in &world.feeds {
        world.wait_round(feed, 1, SOON).await.unwrap();
    }
    let before = world.batches(store).await.unwrap().len();
    world.venues.market().set_price("ETH/USD", "3515.75").unwrap(); // 0.45% of 3,500: nine tenths of the way.
    wait_feed(&world, "ETH-USD", "value", "3515.75").await;
    world.venues.market().set_price("BTC/USD", "68000").unwrap();
    world.wait_answer(world.feed(), 6_800_000_000_000, SOON).await.unwrap();
    // Who asks is told where the rounds are kept.
    for (args, at) in [(&["status", "--json"][..], "/feeds/0"), (&["quote", "BTC-USD", "--json"], "")] {
        let said = run(BINARY, world.dir.path(), args, &[]).await.unwrap().json().unwrap();
        // Feeds stand in the order of their names.
        let feed = said.pointer(at).cloned().unwrap_or_default();
        assert_eq!(feed["store"], "main", "{said:#}");
    }
    world.drain(daemon).await.unwrap();
    let batches = world.judge_batches(store).await.unwrap();
    let later: Vec<&Vec<u16>> = batches[before..].iter().map(|batch| &batch.feeds).collect();
    assert_eq!(later, [&vec![0, 1]]);
}

/// Without this feeds that follow each other over their thresholds would cost a transaction each.
#[tokio::test]
async fn feeds_due_moments_apart_are_gathered_into_one_transaction() {
    let (world, store) = World::with_store(Options { policy: DEVIATION, ..options(3) }).await.unwrap();
    world.edit("early = \"80%\"", "gather = \"6s\"").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for feed in &world.feeds {
        world.wait_round(feed, 1, SOON).await.unwrap();
    }
    world.venues.market().set_price("BTC/USD", "68000").unwrap();
    wait_feed(&world, "BTC-USD", "hold", "gathering").await;
    world.venues.market().set_price("ETH/USD", "3600").unwrap();
    world.wait_answer(&world.feeds[1], 360_000_000_000, SOON).await.unwrap();
    world.drain(daemon).await.unwrap();
    let batches = world.judge_batches(store).await.unwrap();
    let moved: Vec<&Vec<u16>> = batches.iter().map(|batch| &batch.feeds).collect();
    assert_eq!(moved, [&vec![0, 1, 2], &vec![0, 1]]);
}

/// Without this the two legs of a pair would be apart for a block, which is when somebody trades on the difference.
#[tokio::test]
async fn a_group_moves_in_one_transaction() {
    let policy = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"";
    let (world, store) = World::with_store(Options { policy, ..options(3) }).await.unwrap();
    world.edit("store_id = 0\n", "store_id = 0\ngroup = \"pair\"\n").unwrap();
    world.edit("store_id = 2\n", "store_id = 2\ngroup = \"pair\"\n").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for feed in &world.feeds {
        world.wait_round(feed, 1, SOON).await.unwrap();
    }
    world.venues.market().set_price("BTC/USD", "68000").unwrap();
    world.wait_answer(world.feed(), 6_800_000_000_000, SOON).await.unwrap();
    world.drain(daemon).await.unwrap();
    let batches = world.judge_batches(store).await.unwrap();
    let moved: Vec<&Vec<u16>> = batches.iter().map(|batch| &batch.feeds).collect();
    assert!(moved.iter().all(|feeds| feeds.contains(&0) == feeds.contains(&2)), "{moved:?}");
    assert_eq!(batches.last().unwrap().feeds, [0, 2]);
}

/// Without this a crash at an unlucky moment would lose the rounds of every feed at once, or pay for them twice.
#[tokio::test]
async fn f52_killed_with_a_batch_at_each_persisted_boundary() {
    let points = ["after_intent", "after_attempt", "after_broadcast", "after_inclusion"];
    together(2, points.into_iter().map(|point| (point, 2)), |(point, nth)| killed_at(point, nth)).await;
}

async fn killed_at(point: &'static str, nth: u32) -> Result<()> {
    let (world, store) = World::with_store(Options { finality: "depth:2", ..options(3) }).await?;
    let mut doomed = world.daemon(BINARY, &[("PUBLISHER_FAILPOINT", &format!("{point}:{nth}"))])?;
    let status = doomed.ended().await?;
    ensure!(!status.success(), "it ended well: {status}");
    let daemon = world.daemon(BINARY, &[])?;
    wait_batches(&world, store, &[0, 1, 2], 2).await?;
    world.drain(daemon).await?;
    world.judge_batches(store).await?;
    Ok(())
}

/// Without this a reorganisation would lose the rounds of every feed at once.
#[tokio::test]
async fn a_batch_that_a_reorganisation_drops_lands_once() {
    let (world, store) = World::with_store(options(3)).await.unwrap();
    // The store itself stays.
    world.mine(3).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let full = wait_batches(&world, store, &[0, 1, 2], 1).await.unwrap();
    let sequence = full[0].sequence;
    world.reorg(2, &[]).await.unwrap();
    let again = async || Ok(world.batches(store).await?.iter().any(|batch| batch.sequence > sequence));
    world.wait(SOON, "a batch after the one that was dropped", again).await.unwrap();
    world.drain(daemon).await.unwrap();
    world.judge_batches(store).await.unwrap();
}
