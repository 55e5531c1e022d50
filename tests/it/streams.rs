//! Prices that venues push: a feed lives on them alone, and loses nothing when they stop.

use crate::BINARY;
use anyhow::Result;
use publisher_doubles::venues::{Fault, StreamFault, Venue};
use publisher_tests::world::{Options, World};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
/// Every venue that has a stream, and the source that it is for the feed, where a world has not got it already.
const VENUES: [(Venue, Option<&str>); 16] = [
    (Venue::Kraken, None),
    (Venue::Bitstamp, None),
    (Venue::Okx, None),
    (Venue::Binance, None),
    (Venue::Coinbase, None),
    (Venue::Bybit, Some("bybit:BTCUSDT * USDT-USD")),
    (Venue::Bitget, Some("bitget:BTCUSDT * USDT-USD")),
    (Venue::Gate, Some("gate:BTC_USDT * USDT-USD")),
    (Venue::CryptoCom, Some("crypto-com:BTC_USD")),
    (Venue::Upbit, Some("upbit:USDT-BTC * USDT-USD")),
    (Venue::Bitfinex, Some("bitfinex:tBTCUSD")),
    (Venue::BinanceUs, Some("binance-us:BTCUSD")),
    (Venue::Htx, Some("htx:btcusdt * USDT-USD")),
    (Venue::Mexc, Some("mexc:BTCUSDT * USDT-USD")),
    (Venue::Gemini, Some("gemini:BTCUSD")),
    (Venue::Kucoin, Some("kucoin:BTC-USDT * USDT-USD")),
];
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// All but the last one, whose sockets take a token that is asked for over HTTP.
const WITHOUT_HTTP: &[(Venue, Option<&str>)] = VENUES.split_last().unwrap().1;

/// A world whose daemon listens to these venues.
async fn listening(venues: &[(Venue, Option<&str>)]) -> Result<World> {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await?;
    let further: String =
        venues.iter().filter_map(|(_, source)| Some(format!(", \"{}\"", (*source)?))).collect();
    let known = "\"okx:BTC-USDT * USDT-USD\"";
    world.edit(known, &format!("{known}{further}"))?;
    for &(venue, source) in venues {
        if source.is_some() {
            world.configure(&world.venue(venue))?;
        }
        let polled = format!("base_url = \"{}\"\n", world.venues.base_url(venue));
        let stream = world.venues.stream_url(venue);
        world.edit(&polled, &format!("{polled}stream_url = \"{stream}\"\n"))?;
    }
    Ok(world)
}

/// Moves the first market by more than a threshold and waits for exactly that answer.
async fn follow(world: &World, price: i64) -> Result<()> {
    let feed = world.feed();
    world.venues.market().set_price(feed.pair, &price.to_string())?;
    world.wait_answer(feed, price * 100_000_000, SOON).await
}

/// Waits until so many venues have a stream in this state.
async fn streams(world: &World, state: &str, count: usize) -> Result<()> {
    world
        .wait(SOON, &format!("{count} streams are {state}"), async || {
            let Ok(status) = world.status().await else { return Ok(false) };
            let streams = status["streams"].as_array().cloned().unwrap_or_default();
            Ok(streams.iter().filter(|stream| stream["state"] == state).count() == count)
        })
        .await
}

/// Without this a venue whose HTTP interface is down, or limits us, is lost although it pushes its prices.
#[tokio::test]
async fn f41_rounds_are_published_from_streams_alone_while_http_is_dead() {
    let world = listening(WITHOUT_HTTP).await.unwrap();
    let market = world.venues.market();
    for &(venue, _) in WITHOUT_HTTP {
        market.fault(venue, Fault::Dead);
    }
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for price in [67_000, 68_000, 67_100] {
        follow(&world, price).await.unwrap();
    }
    streams(&world, "up", WITHOUT_HTTP.len()).await.unwrap();
    assert!(market.served().iter().all(|served| served.request == 0), "something was polled");
    // A liar among them is left out like any other.
    market.fault(Venue::Kraken, Fault::Multiply { by: "1000".parse().unwrap() });
    follow(&world, 68_200).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this a stream that is open and says nothing freezes a price, or costs as many polls as no stream.
#[tokio::test]
async fn f41_streams_that_fall_silent_are_noticed_and_polls_take_over_at_once() {
    let world = listening(&VENUES).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    follow(&world, 67_000).await.unwrap();
    streams(&world, "up", VENUES.len()).await.unwrap();

    // While they are healthy, polls are a cross-check: four a second are far more.
    let requests = || VENUES.iter().map(|(venue, _)| market.requests(*venue)).sum::<u64>();
    let (before, since) = (requests(), Instant::now());
    for price in [68_000, 67_100, 68_200] {
        follow(&world, price).await.unwrap();
    }
    let quarters = usize::try_from(since.elapsed().as_millis() / 250).unwrap();
    let (polls, usual) = (usize::try_from(requests() - before).unwrap(), quarters * VENUES.len());
    assert!(polls <= usual / 2 + VENUES.len(), "{polls} polls where {usual} are usual without streams");

    // Open, acknowledged, with heartbeats, and silent.
    for (venue, _) in VENUES {
        market.stream_fault(venue, StreamFault::Silent);
    }
    for price in [67_000, 68_000] {
        follow(&world, price).await.unwrap();
    }
    world.wait_logged("PUB-5024", SOON, |line| line["why"] == "canary").await.unwrap();
    world
        .wait(SOON, "polls are what they were", async || {
            let before = requests();
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(requests() - before >= 10)
        })
        .await
        .unwrap();

    for (venue, _) in VENUES {
        market.clear_stream(venue);
    }
    streams(&world, "up", VENUES.len()).await.unwrap();
    follow(&world, 67_100).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}
