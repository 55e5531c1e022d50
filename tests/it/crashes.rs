//! The process dies, is told to stop, or comes back to a journal that is not the latest.

use crate::BINARY;
use alloy::providers::ext::AnvilApi;
use anyhow::{Context, Result, ensure};
use publisher::driver::failpoint::POINTS;
use publisher_tests::daemon::Daemon;
use publisher_tests::miner::SOON;
use publisher_tests::rpc_proxy::{RpcFault, Rule};
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::Duration;

/// The signal of a process that aborts itself.
const ABORTED: i32 = 6;

const FIRST: &str = "61000";
const SECOND: &str = "62000";

/// A world in which a round is final within three seconds.
async fn quick() -> Result<World> {
    World::new(Options { finality: "depth:2", ..Options::default() }).await
}

/// Starts a daemon that dies when it gets to `point` for the `nth` time.
fn doomed(world: &World, point: &str, nth: u32) -> Result<Daemon> {
    world.daemon(BINARY, &[("PUBLISHER_FAILPOINT", &format!("{point}:{nth}"))])
}

async fn died(mut daemon: Daemon) -> Result<()> {
    let status = daemon.ended().await?;
    ensure!(status.signal() == Some(ABORTED), "it ended otherwise: {status}");
    Ok(())
}

/// Without this a crash at an unlucky moment loses a round or pays for it twice.
#[tokio::test]
async fn f52_killed_at_every_persisted_boundary_of_the_first_and_of_the_second_round() {
    let second = POINTS.iter().filter(|point| **point != "recovered").map(|point| (*point, 2));
    let cases = POINTS.iter().map(|point| (*point, 1)).chain(second);
    together(6, cases, |(point, nth)| killed_at(point, nth)).await;
}

async fn killed_at(point: &'static str, nth: u32) -> Result<()> {
    let world = quick().await?;
    let feed = world.feed().clone();
    let market = world.venues.market();
    market.set_price("BTC/USD", FIRST)?;
    let daemon = doomed(&world, point, nth)?;
    if nth == 2 {
        world.wait_round(&feed, 1, SOON).await?;
        market.set_price("BTC/USD", SECOND)?;
    }
    died(daemon).await?;
    let _daemon = world.daemon(BINARY, &[])?;
    world.wait_round(&feed, 1, SOON).await?;
    market.set_price("BTC/USD", SECOND)?;
    world.wait_answer(&feed, 6_200_000_000_000, SOON).await?;
    world.settled().await?;
    ensure!(world.judge(0).await?[0].len() == 2, "two prices make two rounds");
    Ok(())
}

/// Without this a daemon that is restarted into the same trouble again and again ends up with two histories.
#[tokio::test]
async fn f53_killed_inside_recovery_at_one_step_after_the_other() {
    // Blocks come when they are asked for, or a busy machine would meet the inclusion before the answer to its sending.
    let world = World::manual("depth:2").await.unwrap();
    world.venues.market().set_price("BTC/USD", FIRST).unwrap();
    for point in [
        "before_intent",
        "after_look",
        "after_intent",
        "after_signature",
        "recovered",
        "after_attempt",
        "recovered",
        "after_look",
        "after_broadcast",
        "after_answer",
        "before_inclusion",
        "recovered",
        "after_inclusion",
        "after_closing",
        "recovered",
    ] {
        let blocks = match point {
            "before_inclusion" => 1,
            "after_closing" => 3,
            _ => 0,
        };
        world.mine(blocks).await.unwrap();
        died(doomed(&world, point, 1).unwrap()).await.unwrap();
    }
    world.owner.anvil_set_interval_mining(1).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(world.feed(), 1, SOON).await.unwrap();
    world.venues.market().set_price("BTC/USD", SECOND).unwrap();
    world.wait_round(world.feed(), 2, SOON).await.unwrap();
    world.settled().await.unwrap();
    daemon.drain().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
}

/// The signal of `kill -9`.
const KILLED: i32 = 9;
/// How often the daemon is killed in every `cargo test`, at least.
const KILLS: u64 = 208;

/// Without this there are moments to die that nobody has thought of: a crash there loses a round or pays for it twice.
///
/// `PUBLISHER_KILLS` sets how often the daemon is killed, `PUBLISHER_SEED` repeats a run.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "it says how much it has shown")]
async fn f52_f53_killed_two_hundred_times_at_every_step_and_at_random_while_prices_move() {
    const WORLDS: u64 = 5;
    let wanted = number("PUBLISHER_KILLS").unwrap_or(KILLS);
    let seed = number("PUBLISHER_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    let deaths = Rc::new(RefCell::new(BTreeMap::new()));
    let cases = (0..WORLDS).map(|world| (seed + world, wanted.div_ceil(WORLDS)));
    together(5, cases, |(seed, kills)| campaign(seed, kills, Rc::clone(&deaths))).await;
    let deaths = deaths.borrow();
    println!("seed {seed}: {deaths:?}");
    assert!(deaths.values().sum::<u64>() >= wanted, "{deaths:?}");
    assert!(wanted < KILLS || deaths.len() == POINTS.len() + 1, "not every point was met: {deaths:?}");
}

/// How often a daemon died where.
type Deaths = Rc<RefCell<BTreeMap<&'static str, u64>>>;

async fn campaign(seed: u64, kills: u64, deaths: Deaths) -> Result<()> {
    let world = World::new(Options { feeds: 2, finality: "depth:2", ..Options::default() }).await?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut moves = rng.fork();
    let killing = async {
        // Every point in turn, and after each turn a moment that is not chosen.
        let mut points = POINTS.iter().copied().chain(["anywhere"]).cycle().skip(rng.usize(..=POINTS.len()));
        for _ in 0..kills {
            let point = points.next().context("the points never end")?;
            let (status, wanted) = if point == "anywhere" {
                let mut daemon = world.daemon(BINARY, &[])?;
                tokio::time::sleep(Duration::from_millis(rng.u64(200..3000))).await;
                daemon.signal("KILL")?;
                (daemon.ended().await, KILLED)
            } else {
                (doomed(&world, point, 1)?.ended().await, ABORTED)
            };
            let status = status.with_context(|| format!("{point}: {}", world.last_words()))?;
            let as_wanted = status.signal() == Some(wanted);
            ensure!(as_wanted, "{point}: it ended otherwise: {status}\n{}", world.last_words());
            *deaths.borrow_mut().entry(point).or_default() += 1;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        () = moving(&world, &mut moves) => unreachable!("prices move for ever"),
        ended = killing => ended?,
    }
    let daemon = world.daemon(BINARY, &[])?;
    calm(&world, daemon).await
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Moves every price each second, for ever.
async fn moving(world: &World, rng: &mut fastrand::Rng) {
    loop {
        for (pair, cents) in [("BTC/USD", 6_500_000), ("ETH/USD", 350_000)] {
            let cents = cents * rng.u64(950..1050) / 1000;
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            world.venues.market().set_price(pair, &price).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// One more round of each feed, everything final, and the judge.
async fn calm(world: &World, daemon: Daemon) -> Result<()> {
    for (feed, price) in world.feeds.iter().zip(["70000", "4000"]) {
        world.venues.market().set_price(feed.pair, price)?;
        world.wait_answer(feed, price.parse::<i64>()? * 100_000_000, SOON).await?;
    }
    world.mine(12).await?;
    world.settled().await?;
    daemon.drain().await?;
    world.judge(0).await?;
    Ok(())
}

/// Without this an orderly stop leaves a transaction behind of which the journal does not know how it ended, or
/// hangs in an init system until that kills it.
#[tokio::test]
async fn f79_sigterm_drains_what_is_on_its_way_and_a_second_one_changes_nothing() {
    let world = World::manual("depth:12").await.unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.sent_after(0).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    daemon.terminate().unwrap();
    world.said("PUB-5002", 1).await.unwrap();
    daemon.terminate().unwrap();
    // Nothing new is begun, and what is on its way is waited for.
    world.price("BTC/USD", FIRST).await.unwrap();
    assert!(daemon.is_running().unwrap(), "it left its transaction behind");
    world.mine(1).await.unwrap();
    let status = daemon.ended_within(Duration::from_secs(9)).await.unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(world.inclusions(sent.hash).unwrap(), 1);
    assert_eq!(world.proxy.forwarded().len(), 1);

    // What is never mined is left to the next start after ten seconds.
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    let sent = world.sent_after(1).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    daemon.terminate().unwrap();
    let status = daemon.ended_within(Duration::from_secs(13)).await.unwrap();
    assert_eq!(status.code(), Some(1), "an interrupted drain is told by the exit code");
    world.mine(1).await.unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.included(sent.hash, 1).await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
}

/// Without this a daemon that waits for its node can only be killed.
#[tokio::test]
async fn f79_sigterm_ends_a_daemon_that_waits_for_its_node() {
    let world = quick().await.unwrap();
    world.proxy.set_upstream("http://127.0.0.1:1");
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    world.said("PUB-5014", 1).await.unwrap();
    daemon.terminate().unwrap();
    assert!(daemon.ended_within(Duration::from_secs(9)).await.unwrap().success());
    assert!(world.proxy.forwarded().is_empty());
}

/// Without this two processes give the same nonces away.
#[tokio::test]
async fn two_daemons_on_one_journal_the_second_names_the_first_and_leaves() {
    let world = quick().await.unwrap();
    let first = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(world.feed(), 1, SOON).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("publisher.toml");
    let toml = std::fs::read_to_string(world.config()).unwrap();
    let listen = world.telemetry().replace("http://", "");
    std::fs::write(&config, toml.replace(&listen, "off")).unwrap();
    let mut second = Daemon::start(BINARY, &config, dir.path(), &[]).unwrap();
    let status = second.ended().await.unwrap();
    assert_eq!(status.code(), Some(69));
    let words = std::fs::read_to_string(dir.path().join("daemon.log")).unwrap();
    assert!(words.contains(&format!("process {}", first.id())), "{words}");

    // The first goes on; the lock of a process that is gone binds nobody.
    world.venues.market().set_price("BTC/USD", FIRST).unwrap();
    world.wait_answer(world.feed(), 6_100_000_000_000, SOON).await.unwrap();
    first.kill().unwrap();
    world.venues.market().set_price("BTC/USD", SECOND).unwrap();
    let _second = Daemon::start(BINARY, &config, dir.path(), &[]).unwrap();
    world.wait_answer(world.feed(), 6_200_000_000_000, SOON).await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 3);
}

/// Without this a journal that was moved gives away nonces of another chain.
#[tokio::test]
async fn f19_a_journal_of_another_chain_is_refused() {
    let old = quick().await.unwrap();
    let daemon = old.daemon(BINARY, &[]).unwrap();
    old.wait_round(old.feed(), 1, SOON).await.unwrap();
    daemon.drain().await.unwrap();
    let new = World::new(Options {
        anvil: &["--block-time", "1", "--timestamp", "1700000000"],
        ..Options::default()
    })
    .await
    .unwrap();
    std::fs::copy(old.journal(), new.journal()).unwrap();
    let mut daemon = new.daemon(BINARY, &[]).unwrap();
    assert_eq!(daemon.ended().await.unwrap().code(), Some(64));
    assert!(new.log_text().contains("belongs to chain 138 with genesis"), "{}", new.log_text());
    assert!(new.proxy.forwarded().is_empty());
}

/// What an old copy of the journal knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    /// Two rounds, both closed.
    Closed,
    /// Two rounds, and a third that was planned and not yet signed.
    Planned,
    /// Two rounds, and a third of which only the first attempt is known.
    Signed,
}

/// Without this a restored backup publishes rounds again that the chain has long had.
#[tokio::test]
async fn f57_an_old_copy_of_the_journal_halts_the_account_and_makes_no_duplicate() {
    together(3, [Copied::Closed, Copied::Planned, Copied::Signed], restored).await;
}

async fn restored(copied: Copied) -> Result<()> {
    let world = quick().await?;
    let feed = world.feed().clone();
    let market = world.venues.market();
    let mut daemon = world.daemon(BINARY, &[])?;
    world.wait_round(&feed, 1, SOON).await?;
    market.set_price("BTC/USD", FIRST)?;
    world.wait_round(&feed, 2, SOON).await?;
    world.settled().await?;
    daemon.drain().await?;
    if copied != Copied::Closed {
        let point = if copied == Copied::Planned { "after_intent" } else { "after_attempt" };
        daemon = doomed(&world, point, 1)?;
        market.set_price("BTC/USD", SECOND)?;
        died(daemon).await?;
    }
    world.back_up("copy")?;
    daemon = world.daemon(BINARY, &[])?;
    for (round, price) in [(3, "63000"), (4, "64000")] {
        market.set_price("BTC/USD", price)?;
        world.wait_round(&feed, round, SOON).await?;
    }
    world.settled().await?;
    daemon.kill()?;
    let rounds = world.round(&feed).await?;
    world.back_up("former")?;
    world.restore("copy")?;

    let daemon = world.daemon(BINARY, &[])?;
    let told = world.said("PUB-2012", 1).await?;
    ensure!(told[0]["nonce"] == if copied == Copied::Signed { 3 } else { 2 }, "{told:?}");
    let known = world.proxy.forwarded().len();
    world.price("BTC/USD", "65000").await?;
    world.seen().await?;
    ensure!(world.proxy.forwarded().len() == known, "sent while halted");
    daemon.kill()?;

    let _daemon = world.acknowledging(BINARY)?;
    world.wait_round(&feed, rounds + 1, SOON).await?;
    world.settled().await?;
    world.judge(0).await?;
    Ok(())
}

/// Without this each fault is survived alone, and two that come together are not.
///
/// `PUBLISHER_SEED` repeats a run, `PUBLISHER_BLOWS` sets how many blows fall.
#[tokio::test]
async fn losses_reorgs_and_kills_at_once_while_prices_move() {
    let seed = number("PUBLISHER_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    let blows = number("PUBLISHER_BLOWS").unwrap_or(12);
    together(3, (0..3).map(|world| (seed + world, blows)), |(seed, blows)| storm(seed, blows)).await;
}

async fn storm(seed: u64, blows: u64) -> Result<()> {
    let world = World::new(Options { feeds: 2, ..Options::default() }).await?;
    let url = world.proxy.url();
    world.edit(&format!("rpc = [\"{url}\"]"), &format!("rpc = [{{ url = \"{url}\", timeout = \"1s\" }}]"))?;
    world.configure("[chain.timing]\nretry_max = \"2s\"\nanswer_timeout = \"2s\"")?;
    world.mine(8).await?; // No reorg shall take the contracts.
    let mut rng = fastrand::Rng::with_seed(seed);
    let losses = [
        RpcFault::DropBefore,
        RpcFault::DropAfterForward,
        RpcFault::Truncate,
        RpcFault::UnknownError { forwarded: true },
        RpcFault::Delay { ms: 1_300 },
        RpcFault::Duplicate,
    ];
    for (n, loss) in (seed..).zip(losses) {
        world.proxy.fault(Rule::new(loss).at_random(1, n));
    }
    let mut moves = rng.fork();
    let blowing = async {
        let mut daemon = world.daemon(BINARY, &[])?;
        for _ in 0..blows {
            tokio::time::sleep(Duration::from_millis(rng.u64(300..2500))).await;
            match rng.u8(..3) {
                0 => {
                    daemon.kill()?;
                    daemon = world.daemon(BINARY, &[])?;
                }
                _ => world.reorg(rng.u64(1..=4), &[]).await?,
            }
        }
        anyhow::Ok(daemon)
    };
    let daemon = tokio::select! {
        () = moving(&world, &mut moves) => unreachable!("prices move for ever"),
        ended = blowing => ended?,
    };
    world.proxy.clear();
    calm(&world, daemon).await
}
