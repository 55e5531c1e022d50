//! `publisher deploy`: contracts planned, created once, verified, and published to; aggregators, and stores.

use crate::BINARY;
use alloy::primitives::{Address, U256};
use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use anyhow::{Context, Result, ensure};
use publisher_doubles::signer::{SignerConfig, SignerDouble};
use publisher_tests::cli::{Ran, run};
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A world whose configuration knows no addresses, and an owner with a signer of its own.
struct Site {
    world: World,
    owner: Address,
    _signer: SignerDouble,
}

impl Site {
    async fn new(feeds: usize) -> Result<Self> {
        Self::of(Options { feeds, ..Options::default() }).await
    }

    /// A world whose feeds are to share a store, numbered in the order of the configuration.
    async fn with_store(feeds: usize) -> Result<Self> {
        let site = Self::of(Options { feeds, one_account: true, ..Options::default() }).await?;
        for (number, feed) in site.world.feeds.iter().enumerate() {
            let section = format!("[feed.\"{}\"]\n", feed.id);
            let entry = format!("{section}store = \"main\"\nstore_id = {number}\n");
            site.world.edit(&section, &entry)?;
        }
        site.world.edit("[defaults.policy]", "[store.main]\nearly = \"80%\"\n[defaults.policy]")?;
        Ok(site)
    }

    async fn of(options: Options) -> Result<Self> {
        let policy = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";
        let world = World::new(Options { finality: "instant", policy, ..options }).await?;
        let signer = SignerDouble::start(SignerConfig::new(138, vec![[9; 32]])).await?;
        let owner = signer.addresses()[0];
        world.owner.anvil_set_balance(owner, U256::from(10).pow(U256::from(20))).await?;
        for feed in &world.feeds {
            let addresses = format!("aggregator = \"{}\"\nproxy = \"{}\"\n", feed.aggregator, feed.proxy);
            world.edit(&addresses, "")?;
        }
        let url = signer.url();
        world.configure(&format!(
            "[signer.owner]\nkind = \"web3signer\"\nurl = \"{url}\"\naddress = \"{owner}\""
        ))?;
        Ok(Self { world, owner, _signer: signer })
    }

    async fn deploy(&self, args: &[&str], env: &[(&str, &str)]) -> Result<Ran> {
        let args: Vec<&str> = ["deploy"].iter().chain(args).copied().collect();
        run(BINARY, self.world.dir.path(), &args, env).await
    }

    /// Transactions that the owner has made.
    async fn transactions(&self) -> Result<u64> {
        Ok(self.world.owner.get_transaction_count(self.owner).await?)
    }

    /// Lets the world's feeds be the contracts that were deployed, as verify found them.
    async fn adopt(&mut self) -> Result<()> {
        let check = run(BINARY, self.world.dir.path(), &["deploy", "plan", "--json"], &[]).await?;
        ensure!(check.code == 0, "{check:?}");
        let mut files = std::fs::read_dir(self.world.dir.path())?.flatten().map(|entry| entry.path());
        let book = files.find(|path| path.to_string_lossy().contains("addresses")).context("no addresses")?;
        let text = std::fs::read_to_string(&book)?;
        let store = self.store().ok();
        for (number, feed) in (0..).zip(&mut self.world.feeds) {
            let of = |key: &str| {
                find(&text, feed.id, key).with_context(|| format!("{key} of {} in {text}", feed.id))
            };
            feed.store = store.map(|store| (store, number));
            let read = if store.is_some() { "facade" } else { "aggregator" };
            (feed.aggregator, feed.proxy) = (of(read)?.parse()?, of("proxy")?.parse()?);
        }
        Ok(())
    }

    /// The store that was deployed.
    fn store(&self) -> Result<Address> {
        let path = self.world.dir.path().join("publisher.addresses.json");
        let text = std::fs::read_to_string(&path)?;
        let book: Value = serde_json::from_str(&text)?;
        Ok(book["stores"]["main"].as_str().context("no store")?.parse()?)
    }

    async fn verbs(&self, verbs: &[&str]) -> Result<()> {
        for verb in verbs {
            let ran = self.deploy(&[verb], &[]).await?;
            ensure!(ran.code == 0, "{verb}: {ran:?}");
        }
        Ok(())
    }
}

/// The value of a key in the part of a file of addresses that is about a feed.
fn find(text: &str, feed: &str, key: &str) -> Option<String> {
    let part = &text[text.find(feed)?..];
    let value = &part[part.find(key)? + key.len()..];
    let start = value.find("0x")?;
    Some(value[start..start + 42].to_owned())
}

/// Without this a second run deploys second contracts, and consumers read the first.
#[tokio::test]
async fn a_rollout_is_planned_applied_once_verified_and_published_to() {
    let mut site = Site::new(2).await.unwrap();
    let before = run(BINARY, site.world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    assert!(before.code == 1 && before.out.contains("publisher deploy apply"), "{before:?}");
    let plan = site.deploy(&["plan"], &[]).await.unwrap();
    assert_eq!(plan.code, 1, "{plan:?}");
    let json = site.deploy(&["plan", "--json"], &[]).await.unwrap();
    assert!(json.code == 1 && json.json().is_ok(), "{json:?}");
    assert_eq!(site.transactions().await.unwrap(), 0);
    let apply = site.deploy(&["apply"], &[]).await.unwrap();
    assert_eq!(apply.code, 0, "{apply:?}");
    let steps = site.transactions().await.unwrap();
    assert!(steps >= 4, "{apply:?}");
    for again in [&["plan"][..], &["apply"], &["verify"]] {
        let ran = site.deploy(again, &[]).await.unwrap();
        assert_eq!(ran.code, 0, "{again:?}: {ran:?}");
    }
    assert_eq!(site.transactions().await.unwrap(), steps, "a second apply did something");
    site.adopt().await.unwrap();
    let daemon = site.world.daemon(BINARY, &[]).unwrap();
    let feed = site.world.feed().clone();
    site.world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    site.world.wait_round(&site.world.feeds[1], 1, SOON).await.unwrap();
    site.world.drain(daemon).await.unwrap();
    site.world.judge(0).await.unwrap();
}

/// Without this what somebody changed by hand is found out by the next price that does not arrive.
#[tokio::test]
async fn verify_finds_what_was_changed_and_apply_repairs_it() {
    let mut site = Site::new(1).await.unwrap();
    let early = site.deploy(&["verify"], &[]).await.unwrap();
    assert_ne!(early.code, 0, "{early:?}");
    assert_eq!(site.deploy(&["apply"], &[]).await.unwrap().code, 0);
    site.adopt().await.unwrap();
    let steps = site.transactions().await.unwrap();
    let feed = site.world.feed().clone();
    // The owner revokes the role: as itself, because it is the one that may.
    site.world.owner.anvil_impersonate_account(site.owner).await.unwrap();
    let anonymous =
        alloy::providers::ProviderBuilder::new().connect_http(site.world.node.endpoint().parse().unwrap());
    let aggregator = publisher_bindings::Aggregator::new(feed.aggregator, anonymous);
    let revoke = aggregator.setTransmitter(feed.account, false).from(site.owner);
    revoke.send().await.unwrap().get_receipt().await.unwrap();
    let verify = site.deploy(&["verify", "--json"], &[]).await.unwrap();
    let said = verify.json().unwrap();
    let failed: Vec<&Value> =
        said["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert!(verify.code == 1 && said["failed"] == 1 && failed.len() == 1, "{said:#}");
    assert!(failed[0]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{said:#}");
    let plan = site.deploy(&["plan"], &[]).await.unwrap();
    assert!(plan.code == 1 && plan.out.contains(&feed.account.to_string()), "{plan:?}");
    // The owner's nonce was used by hand: that has to be meant.
    let halted = site.deploy(&["apply"], &[]).await.unwrap();
    assert!(halted.code == 1 && halted.err.contains("--acknowledge-halts"), "{halted:?}");
    for args in [&["apply", "--acknowledge-halts"][..], &["verify"], &["plan"]] {
        let ran = site.deploy(args, &[]).await.unwrap();
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    }
    // One transaction by hand, one to repair it.
    assert_eq!(site.transactions().await.unwrap(), steps + 2);
}

/// Without this a rollout that dies half-way leaves contracts that nobody knows of, and begins again beside them.
#[tokio::test]
async fn a_rollout_that_dies_anywhere_goes_on_where_it_stopped() {
    let undisturbed = {
        let site = Site::new(1).await.unwrap();
        assert_eq!(site.deploy(&["apply"], &[]).await.unwrap().code, 0);
        site.transactions().await.unwrap()
    };
    let points =
        ["after_intent", "after_attempt", "after_broadcast:2", "before_inclusion", "after_closing:2"];
    together(3, points, |point| async move {
        let mut site = Site::new(1).await?;
        let died = site.deploy(&["apply"], &[("PUBLISHER_FAILPOINT", point)]).await;
        ensure!(died.is_err(), "nothing killed it: {died:?}");
        let again = site.deploy(&["apply"], &[]).await?;
        ensure!(again.code == 0, "{again:?}");
        ensure!(site.transactions().await? == undisturbed, "{} transactions", site.transactions().await?);
        for verb in ["plan", "verify"] {
            let ran = site.deploy(&[verb], &[]).await?;
            ensure!(ran.code == 0, "{verb}: {ran:?}");
        }
        site.adopt().await?;
        let daemon = site.world.daemon(BINARY, &[])?;
        site.world.wait_round(site.world.feed(), 1, SOON).await?;
        drop(daemon);
        site.world.judge(0).await?;
        Ok(())
    })
    .await;
}

/// Without this feeds that share a store need a contract tool, an operator who numbers them, and luck.
#[tokio::test]
async fn a_store_is_rolled_out_feed_by_feed_and_a_batch_published_to_it() {
    let mut site = Site::with_store(3).await.unwrap();
    // The third feed is thought of later.
    let config = std::fs::read_to_string(site.world.config()).unwrap();
    let (early, late) = config.split_at(config.find("[feed.\"ADA-USD\"]").unwrap());
    std::fs::write(site.world.config(), early).unwrap();
    let before = run(BINARY, site.world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    assert!(before.code == 1 && before.out.contains("publisher deploy apply"), "{before:?}");
    let plan = site.deploy(&["plan"], &[]).await.unwrap();
    assert!(plan.code == 1 && plan.out.contains("7 steps to do, no conflicts"), "{plan:?}");
    site.verbs(&["apply", "plan", "verify"]).await.unwrap();
    assert_eq!(site.transactions().await.unwrap(), 7);
    std::fs::write(site.world.config(), format!("{early}{late}")).unwrap();
    let plan = site.deploy(&["plan"], &[]).await.unwrap();
    for step in ["3 steps to do", "add-feed:ADA-USD", "deploy-facade:ADA-USD", "deploy-proxy:ADA-USD"] {
        assert!(plan.code == 1 && plan.out.contains(step), "{step}: {plan:?}");
    }
    site.verbs(&["apply", "apply", "plan", "verify"]).await.unwrap();
    assert_eq!(site.transactions().await.unwrap(), 10, "a second apply did something");
    site.adopt().await.unwrap();
    let store = site.store().unwrap();
    let check = run(BINARY, site.world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    assert!(check.code == 0 && check.out.contains(&format!("feed 2 of store main at {store}")), "{check:?}");
    let daemon = site.world.daemon(BINARY, &[]).unwrap();
    for feed in &site.world.feeds {
        site.world.wait_round(feed, 1, SOON).await.unwrap();
    }
    // What consumers read is what was written, through the proxy as well.
    site.verbs(&["verify"]).await.unwrap();
    site.world.drain(daemon).await.unwrap();
    site.world.judge_batches(store).await.unwrap();
}

/// Without this a store whose reports all come too late is found out by the reverts it costs.
#[tokio::test]
async fn a_store_that_is_too_strict_for_its_chain_is_warned_of() {
    let site = Site::with_store(1).await.unwrap();
    site.world.edit("early = \"80%\"", "max_age = \"2s\"").unwrap();
    site.verbs(&["apply", "verify"]).await.unwrap();
    let check = run(BINARY, site.world.dir.path(), &["check", "--online"], &[]).await.unwrap();
    let warning = format!("{} takes reports up to 2s old", site.store().unwrap());
    assert!(
        check.code == 0 && check.out.contains(&warning) && check.out.contains("with warnings"),
        "{check:?}"
    );
    // What is fixed is compared, and never replaced in silence.
    site.world.edit("max_age = \"2s\"", "max_age = \"1h\"").unwrap();
    let plan = site.deploy(&["plan"], &[]).await.unwrap();
    assert!(plan.code == 1 && plan.out.contains("fixed at creation"), "{plan:?}");
    let verify = site.deploy(&["verify", "--json"], &[]).await.unwrap();
    assert!(verify.code == 1 && verify.json().unwrap()["failed"] == 1, "{verify:?}");
}

/// Without this a node that lags would have a feed added again, and everything after it would have another number.
#[tokio::test]
async fn a_node_that_is_behind_the_journal_is_told_nothing() {
    let site = Site::with_store(1).await.unwrap();
    let before = site.world.owner.anvil_snapshot().await.unwrap();
    site.verbs(&["apply"]).await.unwrap();
    assert!(site.world.owner.anvil_revert(before).await.unwrap());
    let again = site.deploy(&["apply"], &[]).await.unwrap();
    assert!(again.code == 69 && again.err.contains("the node is behind"), "{again:?}");
    assert_eq!(site.transactions().await.unwrap(), 0);
}

/// Without this a crash would add a feed twice, and everything after it would have another one's number.
#[tokio::test]
async fn a_rollout_of_a_store_that_dies_anywhere_goes_on_where_it_stopped() {
    // The store, its two feeds, and what shows them.
    let points =
        ["after_intent:2", "after_broadcast", "after_broadcast:2", "before_inclusion:3", "after_closing:4"];
    together(3, points, |point| async move {
        let mut site = Site::with_store(2).await?;
        let died = site.deploy(&["apply"], &[("PUBLISHER_FAILPOINT", point)]).await;
        ensure!(died.is_err(), "nothing killed it: {died:?}");
        site.verbs(&["apply", "plan", "verify"]).await?;
        ensure!(site.transactions().await? == 7, "{} transactions", site.transactions().await?);
        site.adopt().await?;
        let store = site.store()?;
        let count = site.world.store(store).storeState(Address::ZERO).call().await?.feeds;
        ensure!(count == U256::from(2), "the store has {count} feeds");
        let daemon = site.world.daemon(BINARY, &[])?;
        site.world.wait_round(&site.world.feeds[1], 1, SOON).await?;
        site.world.drain(daemon).await?;
        site.world.judge_batches(store).await?;
        Ok(())
    })
    .await;
}
