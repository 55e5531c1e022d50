//! Feeds that the toolkit's own contract of flags puts to sleep under a running daemon.

use crate::BINARY;
use alloy::primitives::Address;
use anyhow::{Result, ensure};
use publisher_bindings::Flags;
use publisher_tests::cli::run;
use publisher_tests::miner::SOON;
use publisher_tests::world::{Options, World};

const POLICY: &str =
    "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nbreaker = \"off\"\nsettle = \"off\"";

/// Without this whoever runs a network of publishers cannot let a feed rest that nobody reads, or it is paid for with
/// every move; and a daemon that is restarted wakes what was asleep.
#[tokio::test]
async fn a_feed_sleeps_while_both_flags_are_raised_over_a_restart_and_awakes_with_a_round() {
    let world = World::new(Options { policy: POLICY, ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let flags = Flags::deploy(world.owner.clone(), world.owner_address).await.unwrap();
    let said = async |call| -> Result<()> {
        let sent: alloy::providers::PendingTransactionBuilder<alloy::network::Ethereum> = call;
        ensure!(sent.get_receipt().await?.status(), "the owner's call reverted");
        Ok(())
    };
    let raise = async |subjects: Vec<Address>| said(flags.raiseFlags(subjects).send().await?).await;
    let at = |address: Address| format!("{POLICY}\nhibernate_flag = \"{address}\"");
    // An address that is no contract of flags is told before anything runs.
    world.edit(POLICY, &at(world.owner_address)).unwrap();
    let wrong = run(BINARY, world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    assert!(wrong.code == 1 && wrong.out.contains("does not answer like a contract of flags"), "{wrong:?}");
    world.edit(&world.owner_address.to_string(), &flags.address().to_string()).unwrap();
    let right = run(BINARY, world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    assert!(right.code == 0 && right.out.contains("awake:"), "{right:?}");

    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    // One of the two is not enough, as Chainlink's flux monitor has it.
    raise(vec![feed.aggregator]).await.unwrap();
    world.venues.market().set_price(feed.pair, "68000").unwrap();
    world.wait_answer(&feed, 68_000 * 100_000_000, SOON).await.unwrap();
    raise(vec![Address::ZERO]).await.unwrap();
    let hold = async |hold: &str| -> Result<bool> { Ok(world.status().await?["feeds"][0]["hold"] == hold) };
    world.wait(SOON, "it sleeps", async || hold("hibernating").await).await.unwrap();
    let metrics = world.get("/metrics").await.unwrap().1;
    assert!(metrics.contains("publisher_hibernating{feed=\"BTC-USD\"} 1"), "{metrics}");
    let ready = async || Ok(world.get("/readyz").await?.0 == 200);
    world.wait(SOON, "it is ready, since it does what it was asked for", ready).await.unwrap();
    assert_eq!(world.logged("PUB-1015").unwrap().len(), 1);
    let slept = world.round(&feed).await.unwrap();
    world.venues.market().set_price(feed.pair, "70000").unwrap();
    drop(daemon);

    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.said("PUB-1015", 2).await.unwrap();
    let value = async || Ok(world.status().await?["feeds"][0]["value"] == "70000");
    world.wait(SOON, "it sees the new price", value).await.unwrap();
    world.wait(SOON, "it sleeps on", async || hold("hibernating").await).await.unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), slept, "nothing was written asleep");
    said(flags.lowerFlags(vec![Address::ZERO]).send().await.unwrap()).await.unwrap();
    world.wait_answer(&feed, 70_000 * 100_000_000, SOON).await.unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), slept + 1);
    assert_eq!(world.logged("PUB-1016").unwrap().len(), 1);
    let decided = world.logged("PUB-1001").unwrap();
    assert!(decided.iter().any(|line| line["trigger"] == "awakened"), "{decided:?}");
}
