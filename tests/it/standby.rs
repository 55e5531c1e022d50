//! A standby with a key of its own: two real daemons that share nothing but the aggregator.

use crate::BINARY;
use alloy::primitives::{Address, U256};
use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use anyhow::{Context, Result};
use publisher_doubles::signer::{SignerConfig, SignerDouble};
use publisher_tests::daemon::Daemon;
use publisher_tests::ports::free_port;
use publisher_tests::prometheus;
use publisher_tests::rpc_proxy::{RpcFault, Rule};
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";
const DELAY_S: u64 = 4;

/// The standby of a world's daemon: a journal, a signer, a key and a port of its own.
struct Standby {
    _signer: SignerDouble,
    account: Address,
    dir: TempDir,
    port: u16,
}

impl Standby {
    async fn of(world: &World) -> Result<Self> {
        let signer = SignerDouble::start(SignerConfig::new(138, vec![[0x77; 32]])).await?;
        let account = *signer.addresses().first().context("a key")?;
        world.owner.anvil_set_balance(account, U256::from(10).pow(U256::from(20))).await?;
        world.set_transmitter(world.feed(), account, true).await?;
        let (dir, port) = (tempfile::tempdir()?, free_port()?);
        let toml = world
            .toml()
            .replace(&world.proxy.url(), &world.node.endpoint())
            .replace(&world.journal().display().to_string(), "standby.db")
            .replace(world.telemetry().trim_start_matches("http://"), &format!("127.0.0.1:{port}"))
            .replace(&world.signer.url(), &signer.url())
            .replace(&world.feed().account.to_string(), &account.to_string())
            .replace("[defaults.policy]", &format!("[defaults.policy]\nstandby = \"{DELAY_S}s\""));
        let standby = Self { _signer: signer, account, dir, port };
        std::fs::write(standby.config(), toml)?;
        Ok(standby)
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("publisher.toml")
    }

    fn daemon(&self) -> Result<Daemon> {
        Daemon::start(BINARY, &self.config(), self.dir.path(), &[])
    }

    /// The lines of its log that carry a code.
    fn logged(&self, code: &str) -> Result<Vec<Value>> {
        let log = std::fs::read_to_string(self.dir.path().join("daemon.log"))?;
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let lines = complete.lines().filter(|line| line.contains(code));
        lines.map(|line| serde_json::from_str(line).context("a line of JSON")).collect()
    }

    /// What it has paid for in vain, by its own metrics.
    async fn wasted(&self) -> Result<i64> {
        wasted(&reqwest::get(format!("http://127.0.0.1:{}/metrics", self.port)).await?.text().await?)
    }
}

fn wasted(page: &str) -> Result<i64> {
    let samples = prometheus::read(page)?;
    let wasted = samples.iter().filter(|s| s.name == "publisher_wasted_total").map(|s| s.value).sum::<f64>();
    Ok(format!("{wasted:.0}").parse()?)
}

/// How many transactions an account has in blocks.
async fn nonce(world: &World, account: Address) -> Result<u64> {
    Ok(world.owner.get_transaction_count(account).await?)
}

/// Without it the death of a primary is the death of its feeds, or a standby doubles every round; there is no database
/// that could tell them apart.
#[tokio::test]
async fn a_standby_writes_when_its_primary_is_dead_and_is_silent_otherwise() {
    let options = Options { policy: AT_ONCE, finality: "depth:2", ..Options::default() };
    let world = World::new(options).await.unwrap();
    let standby = Standby::of(&world).await.unwrap();
    let feed = world.feed().clone();
    let follow = async |price: i64| {
        world.venues.market().set_price(feed.pair, &price.to_string())?;
        world.wait_answer(&feed, price * 100_000_000, SOON).await
    };
    let both = async || {
        Ok::<_, anyhow::Error>((nonce(&world, feed.account).await?, nonce(&world, standby.account).await?))
    };
    let primary = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 1, SOON).await.unwrap();
    let second = standby.daemon().unwrap();
    // It has seen the chain before anything is asked of it.
    world.wait(SOON, "the standby runs", async || Ok(!standby.logged("PUB-4003")?.is_empty())).await.unwrap();
    for price in [68_000, 69_000] {
        follow(price).await.unwrap();
    }
    assert_eq!(both().await.unwrap(), (3, 0), "the primary is alive");

    primary.kill().unwrap();
    for price in [70_000, 71_000] {
        follow(price).await.unwrap();
    }
    let (by_primary, by_standby) = both().await.unwrap();
    assert_eq!((by_primary, by_standby), (3, 2), "the primary is dead");
    let rounds = world.rounds(&feed).await.unwrap();
    let waited = rounds[4].updated_at - rounds[3].updated_at;
    assert!(waited >= DELAY_S - 1, "the second came {waited} s after the first");

    let primary = world.daemon(BINARY, &[]).unwrap();
    world.said("PUB-4003", 2).await.unwrap();
    for price in [72_000, 73_000] {
        follow(price).await.unwrap();
    }
    assert_eq!(both().await.unwrap(), (5, 2), "the primary is back");

    // The primary's transaction gets lost on its way, no block comes, and when it is sent again the standby's is in the
    // pool: the contract takes one of them.
    let pending = async |count: &str| {
        world
            .wait(SOON, &format!("{count} in the pool"), async || {
                let pool = world.owner.raw_request::<_, Value>("txpool_status".into(), ()).await?;
                Ok(pool["pending"] == count)
            })
            .await
    };
    world.owner.anvil_set_interval_mining(0).await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::FalseSuccess).on("eth_sendRawTransaction"));
    world.venues.market().set_price(feed.pair, "74000").unwrap();
    pending("0x1").await.unwrap();
    world.proxy.clear();
    pending("0x2").await.unwrap();
    world.owner.anvil_set_interval_mining(1).await.unwrap();
    world.wait_answer(&feed, 7_400_000_000_000, SOON).await.unwrap();
    // One of them has paid for nothing, and says so when that is final.
    world
        .wait(SOON, "the lost race is counted", async || {
            Ok(standby.wasted().await? + wasted(&world.get("/metrics").await?.1)? == 1)
        })
        .await
        .unwrap();
    follow(75_000).await.unwrap();
    let rounds = world.rounds(&feed).await.unwrap();
    let ids: Vec<u64> = rounds.iter().map(|round| round.round).collect();
    assert_eq!(ids, (1..=9).collect::<Vec<u64>>(), "each round once");
    let (by_primary, by_standby) = both().await.unwrap();
    assert_eq!(by_primary + by_standby, 10, "nine rounds and the lost race");
    let loud = standby.logged("\"level\":\"ERROR\"").unwrap();
    assert!(loud.is_empty(), "{loud:?}");
    drop((primary, second));
}
