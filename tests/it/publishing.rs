//! Prices in, rounds on chain: what is published, when, and what is not.

use crate::BINARY;
use anyhow::{Result, ensure};
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SOON: Duration = Duration::from_secs(60);

/// A policy that publishes whatever deviates by half a percent, at once.
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// The answers that were decided so far, with their triggers.
fn decided(world: &World) -> Result<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(world.logged("PUB-1001")?.iter().map(|line| (text(&line["answer"]), text(&line["trigger"]))).collect())
}

/// Without this nothing else matters: a feed follows its venues, exactly.
#[tokio::test]
async fn a_feed_follows_scripted_prices_exactly() {
    let world = World::new(Options { feeds: 2, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let mut expected = vec![6_700_000_000_000i128];
    for (price, answer) in [
        ("67500.12345678", 6_750_012_345_678i64),
        ("66000", 6_600_000_000_000),
        ("66400.5", 6_640_050_000_000),
    ] {
        market.set_price("BTC/USD", price).unwrap();
        world.wait_answer(&feed, answer, SOON).await.unwrap();
        expected.push(answer.into());
    }
    // Less than the threshold is not published.
    market.set_price("BTC/USD", "66700").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.drain(daemon).await.unwrap();
    let rounds = world.judge(0).await.unwrap();
    assert_eq!(rounds[0].iter().map(|r| r.answer).collect::<Vec<_>>(), expected);
    assert_eq!(rounds[1].iter().map(|r| r.answer).collect::<Vec<_>>(), [350_000_000_000]);
}

/// Without this a quiet market looks like a dead publisher, and a restart moves every heartbeat by the time of its own.
#[tokio::test]
async fn heartbeats_come_on_time_and_count_from_the_chain_over_restarts() {
    let policy = "heartbeat = \"6s\"\nmax_age = \"5s\"";
    let world = World::new(Options { policy, ..Options::default() }).await.unwrap();
    let feed = world.feed().clone();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 3, SOON).await.unwrap();
    daemon.kill().unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 4, SOON).await.unwrap();
    daemon.kill().unwrap();
    // Nobody is there when the next one is due.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let started = u64::try_from(now_ms() / 1000).unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(&feed, 5, SOON).await.unwrap();
    drop(daemon);
    let rounds = world.judge(0).await.unwrap().remove(0);
    let gaps: Vec<u64> = rounds.windows(2).map(|two| two[1].updated_at - two[0].updated_at).collect();
    // Not before its lead of a quarter, and not later than two blocks after it is due.
    assert!(gaps[..3].iter().all(|gap| (4..=8).contains(gap)), "{gaps:?}");
    assert!(rounds[4].updated_at <= started + 6, "{rounds:?}, started at {started}");
    let triggers: Vec<String> = decided(&world).unwrap().into_iter().map(|(_, trigger)| trigger).collect();
    assert_eq!(triggers, ["first", "heartbeat", "heartbeat", "heartbeat", "heartbeat"]);
}

/// A policy, prices that must not fire, and then one that must.
type Threshold = (&'static str, &'static [&'static str], &'static str);

/// Without this a threshold fires a unit too late, never, or always, and nobody notices for a month.
#[tokio::test]
async fn deviations_fire_at_the_threshold_and_combine_as_told() {
    let cases: [Threshold; 6] = [
        ("deviation = \"1%\"", &["67669.99", "66330.01"], "67670"),
        ("deviation = \"1%\"", &["67669.99", "66330.01"], "66330"),
        ("deviation_abs = \"100\"", &["67099.99999999", "66900.00000001"], "67100"),
        ("deviation = \"1%\"\ndeviation_abs = \"100\"\ncombine = \"any\"", &["67099.99"], "66900"),
        ("deviation = \"1%\"\ndeviation_abs = \"100\"\ncombine = \"all\"", &["67100", "67669.99"], "67670"),
        ("deviation = \"0.1%\"\ndeviation_abs = \"100\"\ncombine = \"all\"", &["67067", "66900.01"], "66900"),
    ];
    together(3, cases, threshold).await;
}

async fn threshold((rule, quiet, firing): Threshold) -> Result<()> {
    let policy = format!("heartbeat = \"1h\"\nmax_age = \"10s\"\n{rule}").leak();
    let world = World::new(Options { policy, ..Options::default() }).await?;
    let daemon = world.daemon(BINARY, &[])?;
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await?;
    for price in quiet {
        world.price(feed.pair, price).await?;
        ensure!(decided(&world)?.len() == 1, "{price} fired {rule:?}: {:?}", decided(&world)?);
    }
    world.price(feed.pair, firing).await?;
    world.wait_round(&feed, 2, SOON).await?;
    drop(daemon);
    let rounds = world.judge(0).await?.remove(0);
    ensure!(rounds.len() == 2, "{rounds:?}");
    ensure!(decided(&world)?[1].1 == "deviation", "{:?}", decided(&world)?);
    Ok(())
}

/// Without this a tick that lasts a second is published, and the next second it is published that it was wrong.
#[tokio::test]
async fn a_deviation_is_published_when_it_has_settled() {
    let policy = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"4s\"";
    let world = World::new(Options { policy, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    market.follow_path("BTC/USD", &[(0, "68000"), (1500, "67000")]).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(decided(&world).unwrap().len(), 1);
    let moved = now_ms();
    market.set_price("BTC/USD", "68000").unwrap();
    world.wait_logged("PUB-1001", SOON, |line| line["answer"] == "6800000000000").await.unwrap();
    assert!(now_ms() - moved >= 4000);
    world.wait_round(&feed, 2, SOON).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this five venues that share one mistake for a minute (a decimal point, a stuck index) are believed at once.
#[tokio::test]
async fn f45_a_jump_is_believed_when_it_stays_and_forgotten_when_it_returns() {
    let policy = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nbreaker = { min = \"20%\", confirm_for = \"4s\" }";
    let world = World::new(Options { policy, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    market.follow_path("BTC/USD", &[(0, "6700"), (2000, "67000")]).unwrap();
    world.wait_logged("PUB-1002", SOON, |line| line["hold"] == "breaker_open").await.unwrap();
    world.wait_logged("PUB-1003", SOON, |_| true).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(decided(&world).unwrap().len(), 1);
    let moved = now_ms();
    market.set_price("BTC/USD", "670000").unwrap();
    world.wait_answer(&feed, 67_000_000_000_000, SOON).await.unwrap();
    assert!(now_ms() - moved >= 3000, "three quarters of what it is to be confirmed for");
    drop(daemon);
    let rounds = world.judge(0).await.unwrap().remove(0);
    assert_eq!(rounds.len(), 2);
    let held = world.logged("PUB-1002").unwrap();
    // While the venues jump one after the other, the first of them have too few witnesses, and the rest no quorum.
    let advice = |line: &serde_json::Value| line["advice"].as_str().unwrap_or_default().to_owned();
    let braked = held.iter().filter(|line| line["hold"] != "quorum");
    assert!(braked.clone().count() >= 2 && braked.clone().all(|line| advice(line).contains("confirm_for")));
}

/// Without this a price beyond the bounds is clamped to them and looks real, or burns gas in a revert.
#[tokio::test]
async fn f49_a_price_out_of_bounds_is_held_back_and_never_clamped() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    world.edit("min = \"0.00000001\"\nmax = \"10000000\"", "min = \"60000\"\nmax = \"70000\"").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    for outside in ["70000.00000001", "59999.99999999"] {
        world.price(feed.pair, outside).await.unwrap();
        world.wait_logged("PUB-1002", SOON, |line| line["hold"] == "bounds").await.unwrap();
        let (ready, page) = world.get("/readyz").await.unwrap();
        assert!(ready == 503 && page.contains("bounds"), "{ready} {page}");
        world.price(feed.pair, "67000").await.unwrap();
    }
    for (inside, answer) in [("70000", 7_000_000_000_000i64), ("60000", 6_000_000_000_000)] {
        world.price(feed.pair, inside).await.unwrap();
        world.wait_answer(&feed, answer, SOON).await.unwrap();
    }
    drop(daemon);
    let rounds = world.judge(0).await.unwrap().remove(0);
    let answers: Vec<i128> = rounds.iter().map(|round| round.answer).collect();
    assert_eq!(answers, [6_700_000_000_000, 7_000_000_000_000, 6_000_000_000_000]);
}

/// Without this feeds that share an account take each other's nonces, and each waits for the other's transaction.
#[tokio::test]
async fn two_feeds_share_one_account() {
    let options = Options { feeds: 2, one_account: true, policy: AT_ONCE, ..Options::default() };
    let world = World::new(options).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    for step in 1..=4i64 {
        let (bitcoin, ether) = (67_000 + step * 1000, 3500 + step * 100);
        market.set_price("BTC/USD", &bitcoin.to_string()).unwrap();
        market.set_price("ETH/USD", &ether.to_string()).unwrap();
        world.wait_answer(&world.feeds[0], bitcoin * 100_000_000, SOON).await.unwrap();
        world.wait_answer(&world.feeds[1], ether * 100_000_000, SOON).await.unwrap();
    }
    world.drain(daemon).await.unwrap();
    world.judge(0).await.unwrap();
}

/// Without this what works for two feeds starves or stalls at twenty, over one account or over twenty.
#[tokio::test]
async fn twenty_feeds_run_in_one_daemon() {
    together(2, [true, false], async |one_account| {
        let world =
            World::new(Options { feeds: 20, one_account, policy: AT_ONCE, ..Options::default() }).await?;
        let daemon = world.daemon(BINARY, &[])?;
        for price in [100i64, 102, 99] {
            for feed in &world.feeds {
                world.venues.market().set_price(feed.pair, &price.to_string())?;
            }
            for feed in &world.feeds {
                world.wait_answer(feed, price * 100_000_000, SOON).await?;
            }
        }
        world.drain(daemon).await?;
        world.judge(0).await?;
        Ok(())
    })
    .await;
}

/// Without this a stablecoin that leaves its dollar takes every price with it that is quoted in it.
#[tokio::test]
async fn a_tether_off_its_dollar_converts_within_the_same_tick() {
    let policy = "heartbeat = \"1h\"\ndeviation = \"0.001%\"\nmax_age = \"10s\"\nsettle = \"1s\"";
    let world = World::new(Options { policy, ..Options::default() }).await.unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    // Three venues in dollars around what the two in tethers will come to: theirs is the middle then, and until then
    // the two are above all others.
    use publisher_doubles::venues::Venue::{Bitstamp, Coinbase, Kraken};
    for (venue, price) in [(Coinbase, "65900"), (Kraken, "66000"), (Bitstamp, "66100")] {
        market.set_venue_price(venue, feed.pair, price).unwrap();
    }
    market.set_price("BTC/USDT", "67000").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_answer(&feed, 6_610_000_000_000, SOON).await.unwrap();
    market.set_price("USDT/USD", "0.985").unwrap();
    world.wait_answer(&feed, 6_599_500_000_000, SOON).await.unwrap();
    drop(daemon);
    let rounds = world.judge(0).await.unwrap().remove(0);
    assert_eq!(rounds.len(), 2, "{rounds:?}");
    let told = world.logged("PUB-1001").unwrap();
    assert_eq!([&told[0]["sources"], &told[1]["sources"]], [3, 5]);
}
