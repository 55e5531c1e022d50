//! Prices that contracts give: real ones on a real node, and doubles of those that misbehave.

use crate::BINARY;
use alloy::primitives::{Address, I256, U256, address};
use alloy::sol_types::SolValue;
use anyhow::{Context, Result, ensure};
use publisher::store::Journal;
use publisher_bindings::{Aggregator, AggregatorProxy};
use publisher_doubles::venues::Venue;
use publisher_tests::cli::run;
use publisher_tests::replica::shared;
use publisher_tests::scripted::{End, Scripted};
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::time::Duration;

alloy::sol! {
    function asset() external view returns (address);
    function decimals() external view returns (uint8);
    function convertToAssets(uint256 shares) external view returns (uint256);
}

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";
const VAULT: Address = address!("0x00000000000000000000000000000000000f4017");
const TOKEN: Address = address!("0x0000000000000000000000000000000000070ce2");

/// A world of two venues that leaves the decision to a source on the chain.
async fn world(name: &str, source: &str) -> Result<World> {
    let world = World::new(Options { venues: 2, policy: AT_ONCE, ..Options::default() }).await?;
    reads(&world, name, source)?;
    Ok(world)
}

/// Lets the decision be that of a source on the chain, between two venues.
fn reads(world: &World, name: &str, source: &str) -> Result<()> {
    let sources = "\"coinbase:BTC-USD\", \"kraken:XBTUSD\"";
    world.edit(&format!("[{sources}]"), &format!("[{sources}, \"{name}\"]"))?;
    world.configure(&format!("[source.{name}]\n{source}"))?;
    let market = world.venues.market();
    market.set_venue_price(Venue::Coinbase, "BTC/USD", "66900")?;
    market.set_venue_price(Venue::Kraken, "BTC/USD", "67100")?;
    Ok(())
}

/// An aggregator of somebody else's behind a proxy, with one answer.
async fn oracle(
    world: &World,
    answer: i64,
) -> Result<(Aggregator::AggregatorInstance<alloy::providers::DynProvider>, Address)> {
    let (owner, name) = (world.owner_address, "BTC / USD".to_owned());
    let (min, max) = (I256::try_from(1)?, I256::try_from(1_000_000_000_000_000i64)?);
    let aggregator = Aggregator::deploy(&world.owner, 8, name, min, max, owner, owner, 0).await?;
    let proxy = AggregatorProxy::deploy(&world.owner, *aggregator.address(), owner).await?;
    aggregator.submit(U256::from(1), I256::try_from(answer)?).send().await?.get_receipt().await?;
    // It is read one block behind the head.
    let (height, _) = world.head().await?;
    world.wait(SOON, "its answer lies a block deep", async || Ok(world.head().await?.0 > height)).await?;
    Ok((Aggregator::new(*aggregator.address(), world.owner.clone()), *proxy.address()))
}

/// Without this, another oracle is a web service that somebody has to run in between.
#[tokio::test]
async fn another_oracle_votes_like_a_venue_before_and_after_a_reorg() {
    let world =
        world("oracle", "kind = \"chainlink\"\nheartbeat = \"1h\"\naddress = \"0xADDRESS\"").await.unwrap();
    let (aggregator, proxy) = oracle(&world, 6_700_050_000_000).await.unwrap();
    world.edit("0xADDRESS", &proxy.to_string()).unwrap();
    let checked = run(BINARY, world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    assert!(checked.out.contains("source oracle:price") && checked.out.contains("67000.5"), "{checked:?}");
    let quoted =
        run(BINARY, world.dir.path(), &["quote", "BTC-USD", "--json"], &[]).await.unwrap().json().unwrap();
    assert_eq!(quoted["answer"], "6700050000000", "{quoted}");
    assert_eq!(quoted["sources"][2]["source"], "oracle:price", "{quoted}");
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    // It stands in the middle: the answer is its own, to the last digit.
    world.wait_answer(&feed, 6_700_050_000_000, SOON).await.unwrap();
    drop(daemon);
    // A newer answer on another branch is read there, and the one that went with its blocks is not.
    world.reorg(2, &[]).await.unwrap();
    let newer = aggregator.submit(U256::from(2), I256::try_from(6_701_060_000_000i64).unwrap());
    newer.send().await.unwrap().get_receipt().await.unwrap();
    world
        .wait(SOON, "the newer answer is read", async || {
            let quoted = run(BINARY, world.dir.path(), &["quote", "BTC-USD", "--json"], &[]).await?.json()?;
            Ok(quoted["answer"] == "6701060000000")
        })
        .await
        .unwrap();
}

/// Without this, a contract that breaks takes the daemon, its node or the other sources along, or its jump is published.
#[tokio::test]
async fn f41_f44_a_vault_that_breaks_spins_or_jumps_loses_its_vote_and_gets_it_back() {
    let world = world("vault", "kind = \"erc4626\"").await.unwrap();
    world.edit("kind = \"erc4626\"", &format!("kind = \"erc4626\"\naddress = \"{VAULT}\"")).unwrap();
    let worth = |cents: u64| End::Returns(U256::from(cents).abi_encode());
    let mut token = Scripted::at(TOKEN);
    token.set::<decimalsCall>(End::Returns(U256::from(2).abi_encode())).put(&world.owner).await.unwrap();
    let mut vault = Scripted::at(VAULT);
    vault.set::<assetCall>(End::Returns(TOKEN.abi_encode()));
    vault.set::<decimalsCall>(End::Returns(U256::from(18).abi_encode()));
    vault.set::<convertToAssetsCall>(worth(6_700_050)).put(&world.owner).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_050_000_000, SOON).await.unwrap();
    // The log tells each change once; pages lag behind it.
    let told = |code: &str| -> Result<usize> {
        Ok(world.logged(code)?.iter().filter(|line| line["source"] == "vault:price").count())
    };
    for end in [End::Reverts, End::Breaks, End::Spins, worth(9_000_000)] {
        for (value, code) in [(end.clone(), "PUB-1005"), (worth(6_700_050), "PUB-1006")] {
            let before = told(code).unwrap();
            vault.set::<convertToAssetsCall>(value.clone()).put(&world.owner).await.unwrap();
            let what = format!("{code} after {value:?}");
            world.wait(SOON, &what, async || Ok(told(code)? > before)).await.unwrap();
            assert_eq!(world.round(&feed).await.unwrap(), 1, "{what}");
        }
    }
    drop(daemon);
}

/// What the journal has of the vault, once there is one.
async fn believed(world: &World) -> Result<Option<String>> {
    let Ok(reader) = Journal::open_read_only(&world.journal()).await else { return Ok(None) };
    let found = reader.beliefs().await.unwrap_or_default();
    reader.close().await;
    Ok(found.first().map(|belief| belief.believed.last.0.to_string()))
}

/// Without this, whoever can have a publisher restarted can have any step of a vault believed, or a restart stops a
/// vault that has earned something meanwhile, or a loss that is real takes an operator who stops the publisher.
#[tokio::test]
async fn f44_a_vaults_step_while_the_process_is_dead_is_not_believed_and_what_it_earned_is() {
    let world = world("vault", "kind = \"erc4626\"").await.unwrap();
    world.edit("kind = \"erc4626\"", &format!("kind = \"erc4626\"\naddress = \"{VAULT}\"")).unwrap();
    let mut token = Scripted::at(TOKEN);
    token.set::<decimalsCall>(End::Returns(U256::from(2).abi_encode())).put(&world.owner).await.unwrap();
    let mut vault = Scripted::at(VAULT);
    vault.set::<assetCall>(End::Returns(TOKEN.abi_encode()));
    vault.set::<decimalsCall>(End::Returns(U256::from(18).abi_encode()));
    let feed = world.feed().clone();
    let told = |code: &str| -> Result<usize> {
        Ok(world
            .logged(code)?
            .iter()
            .filter(|line| line["source"].as_str().is_some_and(|s| s.starts_with("vault")))
            .count())
    };
    let mut daemon = None;
    // What it is worth while nobody looks, what is believed of that, and whether it is told of as a step. A process
    // that starts reads the block before the newest one, so that a step may be told of twice.
    for (cents, kept, is_step) in [
        (6_700_050u64, "67000.5", false),
        (9_000_000, "67000.5", true),
        (6_705_050, "67050.5", false),
        (6_365_000, "67050.5", true),
    ] {
        let worth = End::Returns(U256::from(cents).abi_encode());
        vault.set::<convertToAssetsCall>(worth).put(&world.owner).await.unwrap();
        let before = told("PUB-5028").unwrap();
        let running = world.daemon(BINARY, &[]).unwrap();
        world
            .wait(SOON, &format!("{cents} was looked at"), async || {
                let is_told = !is_step || told("PUB-5028")? > before;
                Ok(is_told && believed(&world).await?.as_deref() == Some(kept))
            })
            .await
            .unwrap();
        world.wait_answer(&feed, 6_700_050_000_000, SOON).await.unwrap();
        assert_eq!(world.round(&feed).await.unwrap(), 1, "after {cents}");
        if cents == 6_365_000 {
            daemon = Some(running);
        } else {
            running.kill().unwrap();
        }
    }
    // The loss is real. A slip in the word is not believed either.
    let accept = async |price: &str| {
        let args = ["source", "accept", "vault", "--price", price, "--reason", "slashed", "--by", "ann"];
        run(BINARY, world.dir.path(), &args, &[]).await.unwrap()
    };
    let unknown = ["source", "accept", "coinbase", "--price", "1", "--reason", "slashed", "--by", "ann"];
    assert_eq!(run(BINARY, world.dir.path(), &unknown, &[]).await.unwrap().code, 64);
    // It has a price again, of which the others may think what they like.
    let heard = || -> Result<usize> {
        let outlier = |line: &&serde_json::Value| line["source"] == "vault:price" && line["why"] == "outlier";
        Ok(told("PUB-1006")? + world.logged("PUB-1005")?.iter().filter(outlier).count())
    };
    let back = heard().unwrap();
    assert_eq!(accept("6365").await.code, 0);
    world.wait(SOON, "the slip is heard", async || Ok(told("PUB-5029")? == 1)).await.unwrap();
    assert_eq!(accept("63650").await.code, 0);
    let is_believed = async || Ok(heard()? > back && believed(&world).await?.as_deref() == Some("63650"));
    world.wait(SOON, "the loss is believed", is_believed).await.unwrap();
    assert_eq!(told("PUB-5029").unwrap(), 2);
    drop(daemon);
}

/// Without this, a take-over is a restart without memory: whoever can have one replica end can have any step of a vault
/// believed by the next one.
#[tokio::test]
async fn f44_what_one_replica_learnt_of_a_vault_is_believed_by_the_one_that_takes_over() {
    let options = Options { venues: 2, policy: AT_ONCE, ..Options::default() };
    let Some((world, server)) = shared(options).await.unwrap() else { return };
    reads(&world, "vault", &format!("kind = \"erc4626\"\naddress = \"{VAULT}\"")).unwrap();
    let mut token = Scripted::at(TOKEN);
    token.set::<decimalsCall>(End::Returns(U256::from(2).abi_encode())).put(&world.owner).await.unwrap();
    let mut vault = Scripted::at(VAULT);
    vault.set::<assetCall>(End::Returns(TOKEN.abi_encode()));
    vault.set::<decimalsCall>(End::Returns(U256::from(18).abi_encode()));
    let worth = |cents: u64| End::Returns(U256::from(cents).abi_encode());
    let is_kept = async |price: &str| {
        let kept = || server.sql("oracle", "SELECT price FROM belief");
        world
            .wait(SOON, &format!("{price} is kept"), async || Ok(kept().is_ok_and(|kept| kept == price)))
            .await
    };
    let accounts = world.accounts().into_iter().collect();
    let leader = world.replica(BINARY, &server.url(), &[]).unwrap();
    world.wait_held(&leader, &accounts, SOON).await.unwrap();
    for (cents, price) in [(6_700_050, "67000.5"), (6_705_050, "67050.5")] {
        vault.set::<convertToAssetsCall>(worth(cents)).put(&world.owner).await.unwrap();
        is_kept(price).await.unwrap();
    }
    world.wait_round(world.feed(), 1, SOON).await.unwrap();
    leader.daemon.kill().unwrap();
    // It would pass after what the vault was worth first, and falls by too much after what it was worth last.
    vault.set::<convertToAssetsCall>(worth(6_698_000)).put(&world.owner).await.unwrap();
    let successor = world.replica(BINARY, &server.url(), &[]).unwrap();
    let told = async |code: &str| {
        let what = format!("{code} of the successor");
        world.wait(SOON, &what, async || Ok(!successor.logged(code)?.is_empty())).await
    };
    told("PUB-5028").await.unwrap();
    let step = &successor.logged("PUB-5028").unwrap()[0];
    assert!(step["detail"].as_str().unwrap().contains("fell from 67050.5 to 66980"), "{step}");
    world.wait_held(&successor, &accounts, SOON).await.unwrap();
    is_kept("67050.5").await.unwrap();
    // What an operator says to the journal is heard by whoever holds the account then.
    let file = successor.config().display().to_string();
    let word = ["source", "accept", "vault", "--price", "66980", "--reason", "a fee", "--by", "ann"];
    let said = run(BINARY, world.dir.path(), &[&word[..], &["--config", &file]].concat(), &[]).await.unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    told("PUB-5029").await.unwrap();
    is_kept("66980").await.unwrap();
}

/// Without this, somebody who asks whether a vault's price is right is told of a step that the daemon does not believe, or
/// is told nothing of what it is held against; or asking makes the daemon believe it.
#[tokio::test]
async fn f44_whoever_asks_judges_a_vault_by_the_journal_and_writes_nothing_there() {
    let world = world("vault", "kind = \"erc4626\"").await.unwrap();
    world.edit("kind = \"erc4626\"", &format!("kind = \"erc4626\"\naddress = \"{VAULT}\"")).unwrap();
    let mut token = Scripted::at(TOKEN);
    token.set::<decimalsCall>(End::Returns(U256::from(2).abi_encode())).put(&world.owner).await.unwrap();
    let mut vault = Scripted::at(VAULT);
    vault.set::<assetCall>(End::Returns(TOKEN.abi_encode()));
    vault.set::<decimalsCall>(End::Returns(U256::from(18).abi_encode()));
    let worth = |cents: u64| End::Returns(U256::from(cents).abi_encode());
    vault.set::<convertToAssetsCall>(worth(6_700_050)).put(&world.owner).await.unwrap();
    let ask = async |args: &[&str]| run(BINARY, world.dir.path(), args, &[]).await.unwrap();
    let share = async || {
        let look = ask(&["quote", "BTC-USD", "--json"]).await.json()?;
        let of = look["sources"].as_array().and_then(|s| s.iter().find(|s| s["source"] == "vault:price"));
        of.cloned().context("no vault in it")
    };
    // It is read one block behind the head.
    let is_counted = async || Ok(share().await?["verdict"] == "counted");
    world.wait(SOON, "it is read", is_counted).await.unwrap();
    let said = share().await.unwrap();
    assert!(said["share"]["without_memory"].as_str().unwrap().contains("there is none"), "{said:#}");
    let checked = ask(&["check", "--online"]).await;
    assert!(checked.out.contains("67000.5, judged without memory: "), "{checked:?}");
    assert!(!world.journal().exists(), "whoever asks writes nothing");
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let is_kept = async || Ok(believed(&world).await?.as_deref() == Some("67000.5"));
    world.wait(SOON, "the journal has it", is_kept).await.unwrap();
    daemon.kill().unwrap();
    assert_eq!(share().await.unwrap()["share"]["held_against"], "67000.5");
    // A step, while nobody but those who ask look.
    vault.set::<convertToAssetsCall>(worth(9_000_000)).put(&world.owner).await.unwrap();
    let is_refused = async || Ok(share().await?["share"]["refused"].is_string());
    world.wait(SOON, "the step is seen, and not believed", is_refused).await.unwrap();
    let said = share().await.unwrap();
    assert_eq!(
        (&said["verdict"], &said["share"]["held_against"]),
        (&"venue_error".into(), &"67000.5".into())
    );
    let words = ask(&["quote", "BTC-USD"]).await.out;
    let line = words.lines().find(|line| line.starts_with("vault:price is not believed")).unwrap_or_default();
    assert!(line.contains("67000.5") && line.contains("publisher source accept vault"), "{words}");
    let checked = ask(&["check", "--online"]).await;
    let line = checked.out.lines().find(|line| line.contains("source vault:price")).unwrap_or_default();
    assert!(line.starts_with("warn") && line.contains("max_growth"), "{checked:?}");
    // An operator's word is followed, and what follows is not written either.
    let word = ["source", "accept", "vault", "--price", "90000", "--reason", "a gift", "--by", "ann"];
    assert_eq!(ask(&word).await.code, 0);
    let said = share().await.unwrap();
    assert_eq!((&said["share"]["held_against"], &said["share"]["refused"]), (&"90000".into(), &Value::Null));
    assert_eq!(believed(&world).await.unwrap().as_deref(), Some("67000.5"));
}

/// Without this, a feed confirms itself: its answers follow the market ever more slowly.
#[tokio::test]
async fn f63_a_feed_that_would_read_what_it_writes_does_not_start_be_it_through_proxies() {
    let world =
        world("oracle", "kind = \"chainlink\"\nheartbeat = \"1h\"\naddress = \"0xADDRESS\"").await.unwrap();
    let feed = world.feed().clone();
    // Proxies read answers on, so that the aggregator has to have one.
    world.set_transmitter(&feed, world.owner_address, true).await.unwrap();
    let aggregator = world.aggregator(&feed);
    let first = aggregator.submit(U256::from(1), I256::try_from(6_700_050_000_000i64).unwrap());
    first.send().await.unwrap().get_receipt().await.unwrap();
    let owner = world.owner_address;
    let inner = AggregatorProxy::deploy(&world.owner, feed.aggregator, owner).await.unwrap();
    let outer = AggregatorProxy::deploy(&world.owner, *inner.address(), owner).await.unwrap();
    world.edit("0xADDRESS", &outer.address().to_string()).unwrap();
    let offline = run(BINARY, world.dir.path(), &["check"], &[]).await.unwrap();
    assert_eq!(offline.code, 0, "{offline:?}");
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait(SOON, "it refuses to start", async || Ok(!daemon.is_running()?)).await.unwrap();
    let told = world.logged("PUB-5015").unwrap();
    let why = "which feed BTC-USD writes and rests on";
    assert!(told.iter().any(|line| line["detail"].as_str().is_some_and(|d| d.contains(why))), "{told:?}");
    assert_eq!(daemon.wait(Duration::ZERO).unwrap().unwrap().code(), Some(64));
    // What it writes itself is found without asking anybody.
    world.edit(&outer.address().to_string(), &feed.proxy.to_string()).unwrap();
    let refused = run(BINARY, world.dir.path(), &["check"], &[]).await.unwrap();
    assert!(refused.code == 64 && format!("{}{}", refused.out, refused.err).contains(why), "{refused:?}");
    ensure_unsent(&world).unwrap();
}

fn ensure_unsent(world: &World) -> Result<()> {
    ensure!(world.proxy.forwarded().is_empty(), "something was sent");
    Ok(())
}
