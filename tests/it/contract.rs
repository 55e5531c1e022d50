//! Contracts that are paused, taken away, written by others, or not the ones that were meant.

use crate::BINARY;
use anyhow::ensure;
use publisher_bindings::Aggregator;
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// Without this a paused aggregator, or a revoked role, burns gas in a loop until the account is empty.
#[tokio::test]
async fn f65_f66_a_paused_aggregator_or_a_revoked_role_costs_nothing_and_is_waited_for() {
    together(2, ["paused", "not_authorised"], async |obstacle| {
        let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await?;
        let daemon = world.daemon(BINARY, &[])?;
        let feed = world.feed().clone();
        world.wait_answer(&feed, 6_700_000_000_000, SOON).await?;
        match obstacle {
            "paused" => world.pause(&feed).await?,
            _ => world.set_transmitter(&feed, feed.account, false).await?,
        }
        world.price(feed.pair, "68000").await?;
        world.wait_logged("PUB-1002", SOON, |line| line["hold"] == obstacle).await?;
        let (ready, page) = world.get("/readyz").await?;
        ensure!(ready == 503 && page.contains(obstacle), "{ready} {page}");
        tokio::time::sleep(Duration::from_secs(4)).await;
        ensure!(world.transactions().len() == 1, "{} transactions were sent", world.transactions().len());
        match obstacle {
            "paused" => world.unpause(&feed).await?,
            _ => world.set_transmitter(&feed, feed.account, true).await?,
        }
        world.wait_answer(&feed, 6_800_000_000_000, SOON).await?;
        world.wait_page("/readyz", SOON, |status, _| status == 200).await?;
        drop(daemon);
        world.judge(0).await?;
        Ok(())
    })
    .await;
}

/// Without this a typo in an address or in decimals is found by the consumers of the feed.
#[tokio::test]
async fn f62_f64_contracts_that_do_not_fit_keep_the_daemon_from_starting() {
    let cases = ["decimals", "no code", "swapped", "proxy points elsewhere", "no proxy", "bounds"];
    together(3, cases, async |wrong| {
        let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await?;
        let feed = world.feed().clone();
        let aggregator = feed.aggregator.to_string();
        let stranger = world.owner_address.to_string();
        let why = match wrong {
            "decimals" => {
                world.edit("decimals = 8", "decimals = 6")?;
                world.edit("0.00000001", "0.000001")?;
                "the aggregator has 8 decimals, configured are 6"
            }
            "no code" => {
                world.edit(&aggregator, &stranger)?;
                "does not answer like an aggregator"
            }
            "swapped" => {
                let proxy = feed.proxy.to_string();
                world.edit(&aggregator, "0xSWAP")?;
                world.edit(&proxy, &aggregator)?;
                world.edit("0xSWAP", &proxy)?;
                "does not answer like an aggregator"
            }
            "proxy points elsewhere" => {
                let (min, max) =
                    (world.aggregator(&feed).minAnswer().call().await?, 1_000_000_000_000i64.try_into()?);
                let name = feed.id.to_owned();
                let other =
                    Aggregator::deploy(&world.owner, 8, name, min, max, world.owner_address, feed.account, 0)
                        .await?;
                world.edit(&aggregator, &other.address().to_string())?;
                "would be written"
            }
            "no proxy" => {
                world.edit(&feed.proxy.to_string(), &stranger)?;
                "does not answer like an aggregator"
            }
            _ => {
                world.edit(
                    "min = \"0.00000001\"\nmax = \"10000000\"",
                    "min = \"20000000\"\nmax = \"30000000\"",
                )?;
                "takes answers from 0.00000001 to 10000000"
            }
        };
        let mut daemon = world.daemon(BINARY, &[])?;
        world.wait(SOON, "it refuses to start", async || Ok(!daemon.is_running()?)).await?;
        let code = daemon.wait(Duration::ZERO)?.and_then(|status| status.code());
        let told = world.logged("PUB-5015")?;
        ensure!(code == Some(64), "{code:?} {told:?}");
        ensure!(told.iter().any(|line| line["detail"].as_str().is_some_and(|d| d.contains(why))), "{told:?}");
        ensure!(world.proxy.forwarded().is_empty() && world.round(&feed).await? == 0, "something was sent");
        Ok(())
    })
    .await;
}

/// Without this a standby with its own key, or a hand-over, ends in a round that is written twice, or in none at all.
#[tokio::test]
async fn f67_a_round_that_somebody_else_wrote_is_not_written_again() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let rival = world.rival(&feed).await.unwrap();
    rival.submit(2, 6_800_000_000_000).await.unwrap();
    world.wait_round(&feed, 2, SOON).await.unwrap();
    world.venues.market().set_price(feed.pair, "69000").unwrap();
    world.wait_answer(&feed, 6_900_000_000_000, SOON).await.unwrap();
    world.wait_logged("PUB-1007", SOON, |line| line["round"] == 2).await.unwrap();
    drop(daemon);
    let rounds = world.judge_beside(0, &[2]).await.unwrap().remove(0);
    assert_eq!(rounds.len(), 3);
}

/// Without this the loser of a race for a round sends it again, or stops.
#[tokio::test]
async fn f67_f68_the_loser_of_a_race_within_one_block_goes_on_with_the_next_round() {
    let world = World::manual("depth:2").await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.publish("60000").await.unwrap();
    let rival = world.rival(&feed).await.unwrap();
    let known = world.transactions().len();
    world.venues.market().set_price(feed.pair, "61000").unwrap();
    let ours = world.another(known).await.unwrap();
    world.pooled(ours.hash).await.unwrap();
    rival.submit(2, 6_100_000_000_001).await.unwrap();
    world.mine(1).await.unwrap();
    world.included(ours.hash, 1).await.unwrap();
    assert_eq!(world.logged("PUB-2009").unwrap().pop().unwrap()["success"], false);
    world.mine(2).await.unwrap();
    let closed = world.said("PUB-2011", 2).await.unwrap();
    assert!(closed.iter().any(|line| line["outcome"] == "reverted" && line["round"] == 2), "{closed:?}");
    // The rival's answer is near enough: there is nothing to say before the price moves.
    world.mine(2).await.unwrap();
    world.publish("62000").await.unwrap();
    drop(daemon);
    let rounds = world.judge_beside(1, &[2]).await.unwrap().remove(0);
    assert_eq!(
        rounds.iter().map(|r| r.answer).collect::<Vec<_>>()[1..],
        [6_100_000_000_001, 6_200_000_000_000]
    );
}

/// Without this a transaction whose round is gone waits for ever, and every later one waits behind it.
#[tokio::test]
async fn f67_a_transaction_whose_round_is_taken_makes_room_for_the_next() {
    let world = World::manual("depth:2").await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.publish("60000").await.unwrap();
    let rival = world.rival(&feed).await.unwrap();
    let known = world.transactions().len();
    world.venues.market().set_price(feed.pair, "61000").unwrap();
    let ours = world.another(known).await.unwrap();
    world.pooled(ours.hash).await.unwrap();
    world.forget(ours.hash).await.unwrap();
    rival.submit(2, 6_100_000_000_001).await.unwrap();
    // It is believed at a second look, a block later.
    world
        .wait(SOON, "the daemon finds the round taken", async || {
            world.mine(1).await?;
            world.seen().await?;
            Ok(!world.logged("PUB-1007")?.is_empty())
        })
        .await
        .unwrap();
    let instead = world.another(known + 1).await.unwrap();
    world.mined(&instead).await.unwrap();
    world.publish("62000").await.unwrap();
    world.mine(3).await.unwrap();
    let closed = world.said("PUB-2011", 3).await.unwrap();
    assert!(closed.iter().any(|line| line["outcome"] == "noop_filled"), "{closed:?}");
    drop(daemon);
    let rounds = world.judge_beside(1, &[2]).await.unwrap().remove(0);
    assert_eq!(rounds.len(), 3);
}

/// Without this one unlucky block makes a feed silent, or makes it send the same reverting round for ever.
#[tokio::test]
async fn f68_a_round_that_reverts_in_its_block_is_planned_once_more() {
    let world = World::manual("depth:2").await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.publish("60000").await.unwrap();
    let known = world.transactions().len();
    world.venues.market().set_price(feed.pair, "61000").unwrap();
    let ours = world.another(known).await.unwrap();
    world.pooled(ours.hash).await.unwrap();
    world.pause(&feed).await.unwrap();
    world.included(ours.hash, 1).await.unwrap();
    assert_eq!(world.logged("PUB-2009").unwrap().pop().unwrap()["success"], false);
    world.mine(3).await.unwrap();
    world.wait_logged("PUB-2011", SOON, |line| line["outcome"] == "reverted").await.unwrap();
    world.wait_logged("PUB-1002", SOON, |line| line["hold"] == "paused").await.unwrap();
    assert_eq!(world.transactions().len(), known + 1);
    world.unpause(&feed).await.unwrap();
    let again = world.another(known + 1).await.unwrap();
    world.mined(&again).await.unwrap();
    drop(daemon);
    let rounds = world.judge(1).await.unwrap().remove(0);
    assert_eq!(rounds.iter().map(|r| r.answer).collect::<Vec<_>>(), [6_000_000_000_000, 6_100_000_000_000]);
}
