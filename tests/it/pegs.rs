//! Stable assets that lose their peg under a running daemon.

use crate::BINARY;
use anyhow::Result;
use publisher_tests::miner::SOON;
use publisher_tests::world::{Options, World};

const POLICY: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"\non_depeg = { drop_sources = true, heartbeat = \"30m\" }";

/// Without this a coin that is worth 97 cents is a dollar to some feeds, or a feed's sources change without a word.
#[tokio::test]
async fn a_peg_that_is_lost_is_told_once_and_leaves_out_what_it_converts() {
    let world = World::new(Options { policy: POLICY, ..Options::default() }).await.unwrap();
    let rate = "\"okx:USDT-USD\"]\n";
    world.edit(rate, &format!("{rate}peg = \"1%\"\n")).unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(world.feed(), 1, SOON).await.unwrap();
    let lost =
        async || -> Result<Option<bool>> { Ok(world.status().await?["pegs_lost"]["USDT-USD"].as_bool()) };
    world.wait(SOON, "the peg is known", async || Ok(lost().await? == Some(false))).await.unwrap();
    world.venues.market().set_price("USDT/USD", "0.97").unwrap();
    world.wait(SOON, "the peg is lost", async || Ok(lost().await? == Some(true))).await.unwrap();
    // Nobody has to wait an hour for the next word of it, and a heartbeat that was shortened is not late by that.
    let hastened = async || {
        let status = world.status().await?;
        let feed = &status["feeds"][0];
        let margin_ms = feed["heartbeat_margin_ms"].as_i64().unwrap_or(i64::MAX);
        Ok(feed["off_peg"] == true && (0..=1_800_000).contains(&margin_ms))
    };
    world.wait(SOON, "its heartbeat is shorter", hastened).await.unwrap();
    let told = world.logged("PUB-1030").unwrap();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((&told[0]["rate"], &told[0]["price"]), (&"USDT-USD".into(), &"0.97".into()));
    assert!(told[0]["advice"].as_str().is_some_and(|advice| advice.contains("on_depeg")), "{told:#?}");
    let left_out = async || {
        let lines = world.logged("PUB-1005")?;
        Ok(["binance:BTCUSDT", "okx:BTC-USDT"]
            .iter()
            .all(|source| lines.iter().any(|line| line["source"] == *source && line["why"] == "depegged")))
    };
    world.wait(SOON, "what it converts is left out", left_out).await.unwrap();
    let metrics = world.get("/metrics").await.unwrap().1;
    assert!(metrics.contains("publisher_peg_lost{rate=\"USDT-USD\"} 1"), "{metrics}");
    // The sources in dollars publish on.
    world.venues.market().set_price(world.feed().pair, "68000").unwrap();
    world.wait_answer(world.feed(), 68_000 * 100_000_000, SOON).await.unwrap();
}
