//! Prices that venues push: a feed lives on them alone, and loses nothing when they stop.

use crate::BINARY;
use anyhow::Result;
use publisher_doubles::venues::{Fault, StreamFault, Venue};
use publisher_tests::world::{Options, World};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
const VENUES: [Venue; 5] = [Venue::Kraken, Venue::Bitstamp, Venue::Okx, Venue::Binance, Venue::Coinbase];
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// A world whose daemon listens to every venue.
async fn listening() -> Result<World> {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await?;
    for venue in VENUES {
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
    let world = listening().await.unwrap();
    let market = world.venues.market();
    for venue in VENUES {
        market.fault(venue, Fault::Dead);
    }
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for price in [67_000, 68_000, 67_100] {
        follow(&world, price).await.unwrap();
    }
    streams(&world, "up", VENUES.len()).await.unwrap();
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
    let world = listening().await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    follow(&world, 67_000).await.unwrap();
    streams(&world, "up", VENUES.len()).await.unwrap();

    // While they are healthy, polls are a cross-check: four a second are far more.
    let requests = || VENUES.iter().map(|venue| market.requests(*venue)).sum::<u64>();
    let (before, since) = (requests(), Instant::now());
    for price in [68_000, 67_100, 68_200] {
        follow(&world, price).await.unwrap();
    }
    let (polls, usual) = (requests() - before, since.elapsed().as_millis() / 250 * 5);
    assert!(u128::from(polls) <= usual / 2 + 5, "{polls} polls where {usual} are usual without streams");

    // Open, acknowledged, with heartbeats, and silent.
    for venue in VENUES {
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

    for venue in VENUES {
        market.clear_stream(venue);
    }
    streams(&world, "up", VENUES.len()).await.unwrap();
    follow(&world, 67_100).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}
