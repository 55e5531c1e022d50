//! Mean prices of Uniswap's own pools on a real node, and what an attack of one block does to them.

use crate::BINARY;
use alloy::primitives::U256;
use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use alloy::rpc::types::TransactionRequest;
use anyhow::{Context, Result, ensure};
use publisher_tests::chains::Absent;
use publisher_tests::cli::run;
use publisher_tests::pools::Pools;
use publisher_tests::world::{Options, World};
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SOON: Duration = Duration::from_secs(60);
const PRICE: u64 = 67_000;
const WINDOW_S: u64 = 20;
const POLICY: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"60s\"\nbreaker = \"off\"\nsettle = \"off\"\nallow_single_source = true\nquorum = 1";

/// A world whose only source is a pool of this kind.
async fn world(kind: &str) -> Result<Result<(World, Pools), Absent>> {
    let world = World::new(Options { venues: 1, policy: POLICY, ..Options::default() }).await?;
    let pools = match Pools::deploy(&world.owner, world.owner_address, PRICE).await? {
        Ok(pools) => pools,
        Err(Absent(reason)) => {
            writeln!(std::io::stderr(), "skipped: no pool of Uniswap's own was read: {reason}")?;
            return Ok(Err(Absent(reason)));
        }
    };
    world.edit("[\"coinbase:BTC-USD\"]", "[\"pool\"]")?;
    let address = if kind == "uniswap-v2" { pools.v2 } else { pools.v3 };
    let (base, quote) = (pools.base, pools.quote);
    world.configure(&format!(
        "[source.pool]\nkind = \"{kind}\"\naddress = \"{address}\"\nbase = \"{base}\"\nquote = \"{quote}\"\n\
         window = \"{WINDOW_S}s\"\nmin_manipulation_cost = \"10000\""
    ))?;
    Ok(Ok((world, pools)))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What the pool says now: a price, or why there is none.
async fn quoted(world: &World) -> Result<std::result::Result<f64, String>> {
    let quoted = run(BINARY, world.dir.path(), &["quote", "BTC-USD", "--json"], &[]).await?.json()?;
    let source = &quoted["sources"][0];
    Ok(match source["price"].as_str() {
        Some(price) => Ok(price.parse()?),
        None => Err(source.to_string()),
    })
}

/// What `check --online` says of the pool.
async fn check(world: &World) -> Result<String> {
    let checked = run(BINARY, world.dir.path(), &["check", "--online", "--json"], &[]).await?.json()?;
    let checks = checked["checks"].as_array().context("no checks")?;
    Ok(checks.iter().filter(|check| check["what"] == "source pool").map(ToString::to_string).collect())
}

async fn price(world: &World) -> Result<f64> {
    let what = "the pool has a price";
    world.wait(SOON, what, async || Ok(quoted(world).await?.is_ok())).await?;
    quoted(world).await?.ok().context("it had a price a moment ago")
}

/// Mines a block with this transaction alone, and says its time in seconds.
async fn alone(world: &World, tx: TransactionRequest) -> Result<u64> {
    let pending = world.owner.send_transaction(tx).await?;
    world.owner.anvil_mine(Some(1), None).await?;
    let receipt = pending.get_receipt().await?;
    ensure!(receipt.status(), "a swap reverted");
    let block = receipt.block_number.context("it has no block")?;
    let block = world.owner.get_block_by_number(block.into()).await?.context("its block is gone")?;
    Ok(block.header.timestamp)
}

/// Without this, what was computed from the documents is not what a pool of Uniswap's says, or whoever moves it for a
/// block moves the feed.
#[tokio::test]
async fn f44_a_v3_pool_moved_for_a_block_moves_its_mean_by_the_time_that_was_so_and_no_more() {
    let Ok((world, pools)) = world("uniswap-v3").await.unwrap() else { return };
    // It keeps one observation: what was before its last trade is forgotten with the next one.
    let unit = U256::from(1_000_000_000_000_000_000u64);
    let trade = pools.sale_v3(pools.quote, unit);
    world.owner.send_transaction(trade).await.unwrap().get_receipt().await.unwrap();
    let told = quoted(&world).await.unwrap().unwrap_err();
    assert!(told.contains("venue_error"), "{told}");
    // Once that is as old as the window there is a price, until somebody trades; which is told ahead.
    price(&world).await.unwrap();
    let told = check(&world).await.unwrap();
    let call = format!("on {}", pools.v3);
    assert!(told.contains("increaseObservationCardinalityNext(") && told.contains(&call), "{told}");
    pools.remember(64).await.unwrap();
    let calm = price(&world).await.unwrap();
    let what = "nothing is wrong any more";
    let call = "increaseObservationCardinalityNext";
    world.wait(SOON, what, async || Ok(!check(&world).await?.contains(call))).await.unwrap();
    // Ticks are a ten-thousandth apart, and the trade moved it by less.
    assert!((calm / 67_000.0 - 1.0).abs() < 0.0003, "{calm}");
    // Somebody buys a tenth of what there is, and is gone after a few blocks.
    world.owner.anvil_set_interval_mining(0).await.unwrap();
    let moved = alone(&world, pools.sale_v3(pools.quote, U256::from(740_000) * unit)).await.unwrap();
    let bought = U256::from(99) * unit / U256::from(10);
    let until = alone(&world, pools.sale_v3(pools.base, bought)).await.unwrap();
    world.owner.anvil_set_interval_mining(1).await.unwrap();
    world.owner.anvil_mine(Some(1), None).await.unwrap();
    let mut worst: f64 = 0.0;
    for _ in 0..5 {
        worst = worst.max((price(&world).await.unwrap() / calm - 1.0).abs());
    }
    // The price was up by a good fifth: (1 + 740,000/6,700,000)² for as long as the blocks say.
    let share = (until - moved) as f64 / WINDOW_S as f64;
    let bound = 1.24f64.powf(share) - 1.0 + 0.002;
    assert!(worst <= bound, "{worst} after {} s", until - moved);
    // And what happened is seen: a mean that never moves reads nothing.
    assert!(until == moved || worst > 0.0001, "{worst} after {} s", until - moved);
}

/// Without this, a pair is read before it was watched for as long as its window, or its price of one block is read.
#[tokio::test]
async fn f44_a_v2_pair_is_published_once_it_was_watched_and_an_attack_of_a_moment_is_averaged() {
    let Ok((world, pools)) = world("uniswap-v2").await.unwrap() else { return };
    let began = now_s();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    let unit = U256::from(1_000_000_000_000_000_000u64);
    let moved = now_s();
    let bought = pools.sell_v2(pools.quote, U256::from(740_000) * unit).await.unwrap();
    pools.sell_v2(pools.base, bought).await.unwrap();
    // A block of grace at both ends.
    let lasted = now_s() - moved + 2;
    // The window passes over it.
    let (height, _) = world.head().await.unwrap();
    let past = height + WINDOW_S + 5;
    world.wait(2 * SOON, "the mean is calm again", async || Ok(world.head().await?.0 > past)).await.unwrap();
    drop(daemon);
    let rounds = world.rounds(&feed).await.unwrap();
    assert!(rounds[0].updated_at >= began + WINDOW_S, "it was published too early");
    let share = (lasted as f64 / WINDOW_S as f64).min(1.0);
    for round in &rounds {
        let off = round.answer as f64 / 6_700_000_000_000.0 - 1.0;
        // The price was up by a good fifth: (1 + 740,000/6,700,000)².
        assert!(off > -0.002 && off < 0.24 * share + 0.002, "{round:?} in {lasted} s");
    }
}
