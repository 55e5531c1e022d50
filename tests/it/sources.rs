//! Venues that die, lie, stall and flood, and the answer that stays right.

use crate::BINARY;
use anyhow::{Context, Result, ensure};
use publisher_doubles::venues::{Fault, Venue};
use publisher_tests::cli::run;
use publisher_tests::together::together;
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// After a long outage venues are asked again after up to a minute.
const LATER: Duration = Duration::from_secs(100);
const VENUES: [Venue; 5] = [Venue::Kraken, Venue::Bitstamp, Venue::Okx, Venue::Binance, Venue::Coinbase];
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// Whether a source was left out, and for which reasons.
fn left_out(world: &World, source: &str) -> Result<Vec<String>> {
    let lines = world.logged("PUB-1005")?;
    let of_source = lines.iter().filter(|line| line["source"] == source);
    Ok(of_source.filter_map(|line| line["why"].as_str().map(str::to_owned)).collect())
}

/// Moves the first market by more than a threshold and waits for exactly that answer.
async fn follow(world: &World, price: i64) -> Result<()> {
    let feed = world.feed();
    world.venues.market().set_price(feed.pair, &price.to_string())?;
    world.wait_answer(feed, price * 100_000_000, SOON).await
}

/// Every way in which a venue can be sick. The last one is not asked again within an hour.
fn faults() -> Vec<Fault> {
    let factor = |text: &str| text.parse().unwrap();
    let refuse = Fault::Refuse { status: 404, body: "gone".into() };
    let to = "http://127.0.0.1:1/".into();
    vec![
        Fault::Dead,
        refuse,
        Fault::RateLimited { retry_after_s: Some(1) },
        Fault::RateLimited { retry_after_s: None },
        Fault::Banned418 { retry_after_s: Some(1) },
        Fault::ServerError,
        Fault::Stall { ms: 30_000 },
        Fault::SlowDrip { every_ms: 200 },
        Fault::Truncated,
        Fault::Html200,
        Fault::ErrorBody200,
        Fault::MissingSymbol,
        Fault::Delisted,
        Fault::RenamedKey,
        Fault::EmptyList,
        Fault::WrongMarket,
        Fault::Multiply { by: factor("1000") },
        Fault::Multiply { by: factor("0.001") },
        Fault::Multiply { by: factor("1.3") },
        Fault::Frozen,
        Fault::ClockSkew { ms: 3_600_000 },
        Fault::ClockSkew { ms: -3_600_000 },
        Fault::Zero,
        Fault::Negative,
        Fault::Crossed,
        Fault::ExponentNotation,
        Fault::NumbersInsteadOfStrings,
        Fault::StringsInsteadOfNumbers,
        Fault::Gzipped,
        Fault::GzippedBadly,
        Fault::Garbage,
        Fault::DeepJson,
        Fault::Oversized { bytes: 50_000_000 },
        Fault::Redirect { to },
        Fault::NotANumber,
        Fault::CommaDecimal,
        Fault::GeoBlocked451,
    ]
}

/// Without this one sick venue is enough to stop a feed, or to move its answer.
#[tokio::test]
async fn f41_f42_f44_f47_f50_f51_no_fault_of_one_venue_changes_the_answer() {
    let all = faults();
    let quarters: Vec<Vec<Fault>> = all.chunks(all.len().div_ceil(4)).map(<[_]>::to_vec).collect();
    together(4, quarters, one_after_the_other).await;
}

async fn one_after_the_other(faults: Vec<Fault>) -> Result<()> {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await?;
    let daemon = world.daemon(BINARY, &[])?;
    let market = world.venues.market();
    follow(&world, 60_000).await?;
    for (turn, (fault, price)) in faults.into_iter().zip((60_700..).step_by(700)).enumerate() {
        let venue = VENUES[turn % VENUES.len()];
        let asked = market.requests(venue);
        market.fault(venue, fault.clone());
        let what = format!("{venue} is asked while it is {}", fault.name());
        world.wait(SOON, &what, async || Ok(market.requests(venue) > asked)).await?;
        follow(&world, price).await.with_context(|| format!("{venue} has {fault:?}"))?;
        market.clear(venue);
    }
    drop(daemon);
    let rounds = world.judge(0).await?.remove(0);
    ensure!(rounds.windows(2).all(|two| two[1].answer - two[0].answer == 70_000_000_000), "{rounds:?}");
    Ok(())
}

/// Without this the formats of eleven exchanges would be right on paper, and no round was ever published from them.
#[tokio::test]
async fn the_other_exchanges_carry_a_feed_without_the_usual_five() {
    use Venue::*;
    let markets = [
        (BinanceUs, "BTCUSD"),
        (Bitfinex, "tBTCUSD"),
        (CryptoCom, "BTC_USD"),
        (Gemini, "BTCUSD"),
        (Bitget, "BTCUSDT * USDT-USD"),
        (Bybit, "BTCUSDT * USDT-USD"),
        (Gate, "BTC_USDT * USDT-USD"),
        (Htx, "btcusdt * USDT-USD"),
        (Kucoin, "BTC-USDT * USDT-USD"),
        (Mexc, "BTCUSDT * USDT-USD"),
        (Upbit, "USDT-BTC * USDT-USD"),
    ];
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let sources = markets.map(|(venue, market)| format!("\"{venue}:{market}\"")).join(", ");
    let toml = std::fs::read_to_string(world.config()).unwrap();
    let usual = toml.lines().find(|line| line.starts_with("sources = [\"coinbase:BTC-USD\"")).unwrap();
    world.edit(usual, &format!("sources = [{sources}]")).unwrap();
    world.configure(&markets.map(|(venue, _)| world.venue(venue)).concat()).unwrap();
    let quote = run(BINARY, world.dir.path(), &["quote", "BTC-USD"], &[]).await.unwrap();
    assert_eq!((quote.code, quote.out.matches("counted").count()), (0, markets.len()), "{quote:?}");
    let daemon = world.daemon(BINARY, &[]).unwrap();
    follow(&world, 61_000).await.unwrap();
    // Each dies in another way; the majority that is left is enough.
    let market = world.venues.market();
    let faults = [
        Fault::Dead,
        Fault::ErrorBody200,
        Fault::RenamedKey,
        Fault::EmptyList,
        Fault::RateLimited { retry_after_s: Some(1) },
    ];
    for ((venue, _), fault) in markets.into_iter().rev().zip(faults) {
        market.fault(venue, fault);
    }
    follow(&world, 62_000).await.unwrap();
    drop(daemon);
}

/// Without this a minority that fails in different ways at once is a majority of the alarms and of the answer.
#[tokio::test]
async fn a_dead_venue_and_a_lying_one_are_named_and_do_not_matter() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let market = world.venues.market();
    market.fault(Venue::Binance, Fault::Dead);
    market.fault(Venue::Bitstamp, Fault::Multiply { by: "1000".parse().unwrap() });
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for price in [67_000, 68_000, 67_100] {
        follow(&world, price).await.unwrap();
    }
    assert!(left_out(&world, "bitstamp:btcusd").unwrap().contains(&"outlier".to_owned()));
    assert!(left_out(&world, "binance:BTCUSDT").unwrap().contains(&"unreachable".to_owned()));
    // A venue that repeats an old quote under its old time is not heard for longer than a quote may be old.
    market.clear(Venue::Bitstamp);
    market.fault(Venue::Okx, Fault::Frozen);
    world
        .wait_logged("PUB-1005", SOON, |line| line["source"] == "okx:BTC-USDT" && line["why"] == "stale")
        .await
        .unwrap();
    follow(&world, 68_200).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this a feed is published from two venues that may both be wrong, or its silence is noticed by its readers.
#[tokio::test]
async fn f43_without_quorum_nothing_is_published_and_readiness_says_so_before_the_heartbeat_is_missed() {
    let policy = "heartbeat = \"15s\"\ndeviation = \"0.5%\"\nmax_age = \"4s\"\nsettle = \"off\"";
    let world = World::new(Options { policy, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    follow(&world, 67_000).await.unwrap();
    world.wait_page("/readyz", SOON, |status, _| status == 200).await.unwrap();
    for venue in [Venue::Binance, Venue::Okx, Venue::Coinbase] {
        market.fault(venue, Fault::Dead);
    }
    market.set_price(feed.pair, "68000").unwrap();
    let no_quorum = |status: u16, page: &Value| status == 503 && page["failing"][0]["code"] == "quorum";
    world.wait_page("/readyz", SOON, no_quorum).await.unwrap();
    let status = world.status().await.unwrap();
    assert!(status["feeds"][0]["heartbeat_margin_ms"].as_i64().unwrap() > 0, "{status}");
    assert!(world.logged("PUB-1004").unwrap().is_empty());
    world.wait_logged("PUB-1004", SOON, |line| line["hold"] == "quorum").await.unwrap();
    let blocked = &world.logged("PUB-1004").unwrap()[0];
    assert!(
        blocked["level"] == "ERROR" && blocked["advice"].as_str().unwrap().contains("venues"),
        "{blocked}"
    );
    let page = world.wait_page("/readyz", SOON, |status, _| status == 503).await.unwrap();
    assert_eq!(page["failing"][0]["code"], "heartbeat_missed");
    assert_eq!(world.round(&feed).await.unwrap(), 1);
    market.clear_all();
    world.wait_answer(&feed, 6_800_000_000_000, LATER).await.unwrap();
    world.wait_page("/readyz", SOON, |status, _| status == 200).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this a venue whose clock is wrong looks dead, or old, and nobody knows whose clock it is.
#[tokio::test]
async fn f50_a_venue_whose_clock_is_wrong_is_told_by_its_name_and_which_way() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let market = world.venues.market();
    // Young enough to count, and of the future.
    market.fault(Venue::Okx, Fault::ClockSkew { ms: -7_000 });
    market.fault(Venue::Binance, Fault::ClockSkew { ms: 5_000 });
    let daemon = world.daemon(BINARY, &[]).unwrap();
    follow(&world, 67_000).await.unwrap();
    for (venue, skew) in [("okx", "behind"), ("binance", "ahead")] {
        let told = |line: &Value| line["venue"] == venue && line["skew"] == skew;
        world.wait_logged("PUB-1040", LATER, told).await.unwrap();
    }
    let clock = |status: &Value, venue: &str| {
        let clocks = status["clocks"].as_array().cloned().unwrap_or_default();
        clocks.into_iter().find(|clock| clock["venue"] == venue).unwrap_or_default()
    };
    world
        .wait(SOON, "/status tells of the clocks", async || {
            let status = world.status().await?;
            let (late, early) = (clock(&status, "okx"), clock(&status, "binance"));
            let is_late = late["state"] == "behind" && late["offset_ms"].as_i64() > Some(6_000);
            let is_early = early["state"] == "ahead" && early["offset_ms"].as_i64() < Some(-2_000);
            let sources = status["feeds"][0]["sources"].as_array().cloned().unwrap_or_default();
            let probation = |source: &&Value| source["standing"] == "probation";
            let watched = sources.iter().filter(probation).count() == 2;
            Ok(is_late && is_early && watched && clock(&status, "bitstamp")["state"] == "right")
        })
        .await
        .unwrap();
    let status = world.status().await.unwrap();
    assert_eq!(status["own_clock"], "right", "{status}");
    let sources = status["feeds"][0]["sources"].as_array().unwrap();
    let of = |venue: &str| sources.iter().find(|s| s["source"].as_str().unwrap().starts_with(venue)).unwrap();
    assert!(of("okx")["age_p50_ms"].as_u64() > Some(6_000), "{status}");
    assert!(of("binance")["left_out"]["future"].as_u64() > Some(0), "{status}");
    let (_, page) = world.get("/metrics").await.unwrap();
    for series in [
        "publisher_venue_clock_wrong{venue=\"okx\"} 1",
        "publisher_venue_clock_wrong{venue=\"bitstamp\"} 0",
        "publisher_source_age_seconds{feed=\"BTC-USD\",source=\"okx:BTC-USDT\",percentile=\"99\"}",
    ] {
        assert!(page.contains(series), "{series} in\n{page}");
    }
    market.clear_all();
    for venue in ["okx", "binance"] {
        world.wait_logged("PUB-1041", LATER, |line| line["venue"] == venue).await.unwrap();
    }
    assert!(world.logged("PUB-1042").unwrap().is_empty(), "one of three venues says that ours is right");
    follow(&world, 68_000).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this the last price before a halt votes on, and a symbol that was renamed is found when its quotes are gone.
#[tokio::test]
async fn s10_a_market_that_its_venue_lists_no_more_loses_its_vote_while_its_price_goes_on() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let market = world.venues.market();
    for venue in [Venue::Okx, Venue::Bitstamp] {
        let section = world.venue(venue);
        world.edit(&section, &format!("{section}instruments_every = \"1s\"\n")).unwrap();
    }
    let daemon = world.daemon(BINARY, &[]).unwrap();
    follow(&world, 67_000).await.unwrap();
    market.fault_market(Venue::Okx, "BTC/USDT", Fault::Unlisted).unwrap();
    market.fault_market(Venue::Bitstamp, "BTC/USD", Fault::Halted).unwrap();
    let outs = [("okx:BTC-USDT", "delisted"), ("bitstamp:btcusd", "halted")];
    for (source, why) in outs {
        let told = |line: &Value| line["source"] == source && line["why"] == why && line["advice"] != "";
        world.wait_logged("PUB-1005", SOON, told).await.unwrap();
        world.wait_logged("PUB-1020", SOON, told).await.unwrap();
    }
    follow(&world, 67_500).await.unwrap();
    market.clear_all();
    for (source, _) in outs {
        world.wait_logged("PUB-1006", SOON, |line| line["source"] == source).await.unwrap();
    }
    // A list without any market is no list.
    market.fault(Venue::Okx, Fault::Unlisted);
    let absurd = |line: &Value| line["venue"] == "okx" && line["why"] == "absurd";
    world.wait_logged("PUB-5025", SOON, absurd).await.unwrap();
    let counted = "publisher_venue_lists_total{venue=\"okx\",result=\"absurd\"} ";
    let absurd = async || {
        let (_, page) = world.get("/metrics").await?;
        let count = page.lines().find_map(|line| line.strip_prefix(counted)?.parse::<u64>().ok());
        Ok(count > Some(2))
    };
    world.wait(SOON, "it comes again and again", absurd).await.unwrap();
    follow(&world, 68_100).await.unwrap();
    market.clear_all();
    world.wait_logged("PUB-5026", SOON, |line| line["venue"] == "okx").await.unwrap();
    // One that has lost most of its rows takes nobody out, until it has stayed so for three of its intervals.
    for pair in ["BTC/USD", "ETH/USD", "ETH/USDT", "USDT/USD"] {
        market.fault_market(Venue::Okx, pair, Fault::Unlisted).unwrap();
    }
    let shrunk = |line: &Value| line["venue"] == "okx" && line["from"].as_u64() >= Some(5) && line["to"] == 1;
    world.wait_logged("PUB-5027", SOON, shrunk).await.unwrap();
    let unusable = world.logged("PUB-5025").unwrap();
    assert!(
        unusable.iter().any(|line| line["error"] == "the list has lost most of its rows"),
        "{unusable:?}"
    );
    let delisted = left_out(&world, "okx:BTC-USDT").unwrap().iter().filter(|why| *why == "delisted").count();
    assert_eq!(delisted, 1, "an absurd list has taken it out");
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this an internet outage of half a minute ends the process, or leaves it deaf.
#[tokio::test]
async fn s23_all_venues_may_be_gone_for_half_a_minute() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    follow(&world, 67_000).await.unwrap();
    for venue in VENUES {
        market.fault(venue, Fault::Dead);
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(daemon.is_running().unwrap());
    market.clear_all();
    market.set_price(feed.pair, "68000").unwrap();
    world.wait_answer(&feed, 6_800_000_000_000, LATER).await.unwrap();
    assert!(daemon.is_running().unwrap());
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this one venue's answer fills the memory or the time of the process that asks for it.
#[tokio::test]
async fn f51_floods_and_drips_cost_no_memory_and_no_time() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    follow(&world, 60_000).await.unwrap();
    let before = resident_kib(daemon.id()).unwrap();
    let mut highest = before;
    let floods = [
        (Fault::Oversized { bytes: 4_000_000_000 }, Fault::SlowDrip { every_ms: 100 }),
        (Fault::SlowDrip { every_ms: 100 }, Fault::DeepJson),
        (Fault::DeepJson, Fault::Oversized { bytes: 4_000_000_000 }),
    ];
    for ((one, other), price) in floods.into_iter().zip((60_700..).step_by(700)) {
        market.fault(Venue::Bitstamp, one);
        market.fault(Venue::Binance, other);
        follow(&world, price).await.unwrap();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            highest = highest.max(resident_kib(daemon.id()).unwrap());
        }
    }
    assert!(highest < before + 65_536, "it grew from {before} KiB to {highest} KiB");
    for source in ["bitstamp:btcusd", "binance:BTCUSDT"] {
        assert!(!left_out(&world, source).unwrap().is_empty(), "{source} was never left out");
    }
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Memory in use, as the kernel counts it.
fn resident_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Without this an operator needs a release of the publisher to add a price of their own.
#[tokio::test]
async fn a_source_of_ones_own_votes_like_a_venue() {
    let options = Options { venues: 2, policy: AT_ONCE, ..Options::default() };
    let world = World::new(options).await.unwrap();
    let market = world.venues.market();
    let sources = "\"coinbase:BTC-USD\", \"kraken:XBTUSD\"";
    world.edit(&format!("[{sources}]"), &format!("[{sources}, \"acme\"]")).unwrap();
    let url = format!("{}/price/BTC-USD", world.venues.base_url(Venue::Custom));
    let source = format!(
        "[source.acme]\nurl = \"{url}\"\npointer = \"/data/a~1b/m~0n\"\ntime_pointer = \"/data/time/ms\"\n\
         time_unit = \"ms\"\nevery = \"250ms\"\nheaders = {{ x-key = \"none\" }}\nallow_private = true"
    );
    world.configure(&source).unwrap();
    // The own source stands in the middle: without its vote there is no quorum, and with it the answer is its price.
    market.set_venue_price(Venue::Coinbase, "BTC/USD", "66900").unwrap();
    market.set_venue_price(Venue::Kraken, "BTC/USD", "67100").unwrap();
    market.set_venue_price(Venue::Custom, "BTC/USD", "67000.5").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_050_000_000, SOON).await.unwrap();
    market.fault(Venue::Custom, Fault::EmptyList);
    world
        .wait_logged("PUB-1005", SOON, |line| line["source"] == "acme:price" && line["why"] == "bad_body")
        .await
        .unwrap();
    world.wait_logged("PUB-1002", SOON, |line| line["hold"] == "quorum").await.unwrap();
    drop(daemon);
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);

    // A private address is asked only if the configuration says so.
    world.edit("allow_private = true", "allow_private = false").unwrap();
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait(SOON, "it refuses", async || Ok(!daemon.is_running()?)).await.unwrap();
    assert_eq!(daemon.wait(Duration::ZERO).unwrap().unwrap().code(), Some(64));
    assert!(world.log_text().contains("allow_private"), "{}", world.log_text());
}

/// Without this a feed with a wrong factor is published: its sources agree, and the value looks like a price.
#[tokio::test]
async fn f63_a_feed_with_a_wrong_factor_or_inverted_publishes_nothing_until_it_is_mended() {
    let world = World::new(Options::default()).await.unwrap();
    let market = world.venues.market();
    market.set_price("USDT/USD", "0.90").unwrap();
    let toml = std::fs::read_to_string(world.config()).unwrap();
    let whole = toml.lines().find(|line| line.contains("binance:BTCUSDT")).unwrap().to_owned();
    let reference = "reference = \"BTC-reference\"\n";
    let missing = "sources = [\"binance:BTCUSDT\", \"okx:BTC-USDT\"]";
    let dimensions =
        "sources = [\"binance:BTCUSDT * USDT-USD * USDT-USD\", \"okx:BTC-USDT * USDT-USD * USDT-USD\"]";
    // A rate whose name tells no unit cannot be found out by units.
    let twice = "sources = [\"binance:BTCUSDT * tether * tether\", \"okx:BTC-USDT * tether * tether\"]";
    let tether =
        "[rate.tether]\nsources = [\"kraken:USDTUSD\", \"coinbase:USDT-USD\", \"bitstamp:usdtusd\"]\n";
    world.edit(&whole, &format!("{reference}{missing}")).unwrap();
    world
        .edit("[defaults.policy]", &format!("{tether}[rate.BTC-reference]\nsources = [\"coinbase:BTC-USD\", \"kraken:XBTUSD\", \"bitstamp:btcusd\"]\n[defaults.policy]"))
        .unwrap();
    let inverted = "sources = [\"1 / binance:BTCUSDT / tether\", \"1 / okx:BTC-USDT / tether\"]";
    // A dollar that is none, and one too many, are found without any price.
    for (wrong, next, makes) in
        [(missing, dimensions, "USDT per BTC"), (dimensions, twice, "USD times USD per BTC times USDT")]
    {
        let refused = run(BINARY, world.dir.path(), &["check"], &[]).await.unwrap();
        let told = format!("{}{}", refused.out, refused.err);
        let words = format!("it makes {makes}, and the value is USD per BTC");
        assert!(refused.code == 64 && told.contains(&words), "{refused:?}");
        world.edit(wrong, next).unwrap();
    }
    for (wrong, next) in [(twice, inverted), (inverted, whole.as_str())] {
        let daemon = world.daemon(BINARY, &[]).unwrap();
        world
            .wait(SOON, &format!("{wrong} is held back"), async || {
                Ok(world.status().await.is_ok_and(|status| status["feeds"][0]["hold"] == "off_reference"))
            })
            .await
            .unwrap();
        daemon.kill().unwrap();
        assert_eq!(world.round(world.feed()).await.unwrap(), 0, "{wrong} was published");
        world.edit(wrong, next).unwrap();
    }
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_round(world.feed(), 1, SOON).await.unwrap();
    world.settled().await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 1);
}
