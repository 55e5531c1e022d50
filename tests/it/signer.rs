//! Signers that are away, late, or liars, and keys that are not ours.

use crate::BINARY;
use anyhow::{Result, ensure};
use publisher_doubles::signer::{Mode, SignerConfig, SignerDouble, Tamper};
use publisher_tests::daemon::Daemon;
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// A world with a short patience for its signer.
async fn impatient(signer: &'static str) -> Result<World> {
    let world = World::new(Options { signer, policy: AT_ONCE, ..Options::default() }).await?;
    let kind = format!("kind = \"{signer}\"\n");
    world.edit(&kind, &format!("{kind}timeout = \"1s\"\n"))?;
    Ok(world)
}

/// Moves the price, waits until signing has failed for it, and shows that nothing was sent: the nonce is kept, and
/// readiness says why.
async fn fails(world: &World, mode: Mode, price: i64) -> Result<Vec<String>> {
    let (sent, failed) = (world.transactions().len(), world.logged("PUB-2003")?.len());
    world.signer.mode(mode);
    world.venues.market().set_price(world.feed().pair, &price.to_string())?;
    let lines = world.said("PUB-2003", failed + 2).await?;
    let faults = lines[failed..].iter().filter_map(|line| line["fault"].as_str().map(str::to_owned));
    let nonces: Vec<_> = lines[failed..].iter().map(|line| &line["nonce"]).collect();
    ensure!(nonces.windows(2).all(|two| two[0] == two[1]), "{mode:?} cost a nonce: {nonces:?}");
    let sent_now = world.transactions().len();
    ensure!(sent_now == sent, "{mode:?}: {} transactions were sent", sent_now - sent);
    let is_unready = async || {
        let (ready, page) = world.get("/readyz").await?;
        Ok(ready == 503 && page.contains("signer_failing"))
    };
    world.wait(SOON, "the signer makes it unready", is_unready).await?;
    Ok(faults.collect())
}

/// Without this a signer's restart loses a nonce, doubles a round, or brings an old answer when it is back.
#[tokio::test]
async fn f70_f73_a_signer_may_be_away_slow_late_or_without_its_key() {
    let modes = [
        (Mode::Down, "unavailable"),
        (Mode::Slow { ms: 3000 }, "timeout"),
        (Mode::LateAnswer { ms: 3000 }, "timeout"),
        (Mode::Status503, "unavailable"),
        (Mode::AddressVanished, "refused"),
    ];
    let cases = ["web3signer", "web3signer-rpc"].into_iter().flat_map(|kind| modes.map(|mode| (kind, mode)));
    together(4, cases, async |(kind, (mode, fault))| {
        let world = impatient(kind).await?;
        let daemon = world.daemon(BINARY, &[])?;
        let feed = world.feed().clone();
        world.wait_answer(&feed, 6_700_000_000_000, SOON).await?;
        let faults = fails(&world, mode, 68_000).await?;
        ensure!(faults.iter().all(|found| found == fault), "{mode:?} was taken for {faults:?}");
        // What is published in the end is what holds then, not what was asked to be signed first.
        world.price(feed.pair, "69000").await?;
        world.signer.mode(Mode::Ok);
        world.wait_answer(&feed, 6_900_000_000_000, SOON).await?;
        world.wait_page("/readyz", SOON, |status, _| status == 200).await?;
        // A late signature arrives while nobody waits for it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(daemon);
        ensure!(world.judge(0).await?[0].len() == 2, "{:?}", world.rounds(&feed).await?);
        Ok(())
    })
    .await;
}

/// Without this whoever owns the signer, or the way to it, spends the account's money and writes its prices.
#[tokio::test]
async fn f71_a_signer_that_signs_something_else_is_caught_every_time() {
    together(2, ["web3signer", "web3signer-rpc"], async |kind| {
        let world = impatient(kind).await?;
        let daemon = world.daemon(BINARY, &[])?;
        let feed = world.feed().clone();
        let mut price = 60_000;
        world.venues.market().set_price(feed.pair, "60000")?;
        world.wait_answer(&feed, 6_000_000_000_000, SOON).await?;
        for tamper in Tamper::ALL {
            price += 700;
            let signed = world.signer.signatures();
            let faults = fails(&world, Mode::Tampering(tamper), price).await?;
            ensure!(world.signer.signatures() > signed, "{tamper:?}: nothing was signed at all");
            let expected = if tamper == Tamper::HighS { "high_s" } else { "mismatch" };
            ensure!(faults.iter().all(|fault| fault == expected), "{tamper:?} was taken for {faults:?}");
            let line = world.logged("PUB-2003")?.pop().unwrap_or_default();
            let advice = line["advice"].as_str().unwrap_or_default();
            ensure!(line["level"] == "ERROR" && advice.contains("compromised"), "{line}");
            world.signer.mode(Mode::Ok);
            world.wait_answer(&feed, price * 100_000_000, SOON).await?;
        }
        drop(daemon);
        ensure!(world.judge(0).await?[0].len() == 8, "{:?}", world.rounds(&feed).await?);
        ensure!(world.signer.send_requests() == 0, "the signer was asked to send");
        Ok(())
    })
    .await;
}

/// Waits until the daemon has refused to start, and shows that it said why and asked nobody to sign a round.
async fn refuses(world: &World, mut daemon: Daemon, why: &[&str]) -> Result<()> {
    world.wait(SOON, "it refuses to start", async || Ok(!daemon.is_running()?)).await?;
    let code = daemon.wait(Duration::ZERO)?.and_then(|status| status.code());
    let log = world.log_text();
    ensure!(code == Some(64), "it ended with {code:?}:\n{log}");
    let told = world.logged("PUB-5015")?;
    for why in why {
        ensure!(told.iter().any(|line| line.to_string().contains(why)), "it did not say {why:?}:\n{log}");
    }
    ensure!(
        world.proxy.forwarded().is_empty() && world.round(world.feed()).await? == 0,
        "something was sent"
    );
    Ok(())
}

/// Without this a daemon with the wrong key, or a key for another chain, starts, and fails at the first round.
#[tokio::test]
async fn f65_a_key_that_is_not_the_right_one_keeps_the_daemon_from_starting() {
    together(3, ["address", "chain", "role", "keystore"], async |wrong| {
        let signer = match wrong {
            "keystore" => "keystore",
            // Web3Signer's REST API signs bytes: only JSON-RPC puts the signer's own chain id into them.
            "chain" => "web3signer-rpc",
            _ => "web3signer",
        };
        let world = World::new(Options { signer, policy: AT_ONCE, ..Options::default() }).await?;
        let account = world.feed().account;
        let (_other, why) = match wrong {
            "address" => {
                let stranger = world.owner_address;
                world.edit(&format!("address = \"{account}\""), &format!("address = \"{stranger}\""))?;
                (None, vec!["has no key of".to_owned(), stranger.to_string()])
            }
            "chain" => {
                let other = SignerDouble::start(SignerConfig::new(139, vec![[1; 32]])).await?;
                world.edit(&world.signer.url(), &other.url())?;
                (Some(other), vec!["start the signer with this chain's id".to_owned()])
            }
            "role" => {
                world.set_transmitter(world.feed(), account, false).await?;
                (None, vec!["may not submit".to_owned(), "setTransmitter".to_owned(), account.to_string()])
            }
            _ => {
                let stranger = world.owner_address;
                world.edit(&format!("address = \"{account}\""), &format!("address = \"{stranger}\""))?;
                (None, vec!["holds the key of".to_owned()])
            }
        };
        let why: Vec<&str> = why.iter().map(String::as_str).collect();
        refuses(&world, world.daemon(BINARY, &[])?, &why).await
    })
    .await;
}

/// Without this the signer that an operator has is one that works in the documentation only.
#[tokio::test]
async fn every_kind_of_signer_publishes() {
    let kinds = [
        ("web3signer", "eip1559"),
        ("web3signer", "legacy"),
        ("web3signer-rpc", "eip1559"),
        ("web3signer-rpc", "legacy"),
        ("ethsigner", "legacy"),
        ("keystore", "eip1559"),
        ("keystore", "legacy"),
    ];
    together(4, kinds, async |(signer, fees)| {
        let world = World::new(Options { signer, fees, policy: AT_ONCE, ..Options::default() }).await?;
        let daemon = world.daemon(BINARY, &[])?;
        let feed = world.feed().clone();
        world.wait_answer(&feed, 6_700_000_000_000, SOON).await?;
        world.venues.market().set_price(feed.pair, "68000")?;
        world.wait_answer(&feed, 6_800_000_000_000, SOON).await?;
        drop(daemon);
        world.judge(0).await?;
        let kinds: Vec<u8> =
            world.transactions().iter().filter_map(|sent| sent.raw.first().copied()).collect();
        let legacy = kinds.iter().filter(|byte| **byte >= 0xc0).count();
        ensure!(legacy == if fees == "legacy" { 2 } else { 0 }, "{kinds:?}");
        Ok(())
    })
    .await;
}
