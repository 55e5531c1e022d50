//! The governor before venues that keep their limits as strictly as the real ones.

use super::super::preset::Preset;
use super::super::{ApiKey, Client, NextPoll, Poll, Venue, VenueSpec, preset};
use super::hostile::{clock, simulator, symbols};
use publisher_core::quote::{SourceFault, VenueId};
use publisher_core::time::Span;
use publisher_doubles::venues::{Limits, Venue as Sim, VenueSimulator};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Every venue that has a preset; the made-up interface has none.
fn sims() -> impl Iterator<Item = Sim> {
    Sim::ALL.into_iter().filter(|sim| *sim != Sim::Custom)
}

/// A venue at a double that stands for its own host, so that the limits of its preset hold; what the operator wants is
/// everything as often as may be.
fn venue(simulator: &VenueSimulator, sim: Sim, client: &Client, change: impl FnOnce(&mut Preset)) -> Venue {
    let mut preset = preset(sim.name()).unwrap().clone();
    preset.hosts = vec![simulator.base_url(sim).parse().unwrap()];
    change(&mut preset);
    let spec = VenueSpec {
        key: preset.takes_key().then(|| ApiKey::new("hunter2")),
        every: Some(Span::from_ms(100)),
        timeout: Some(Span::from_s(10)),
        ..VenueSpec::new(VenueId::new(sim.name()))
    };
    let symbols = symbols(sim).into_iter().map(|(symbol, _)| symbol.into()).collect();
    Venue::new(&preset, spec, symbols, client).unwrap()
}

/// How many times shorter the periods of limits are.
const SPEED: u32 = 10;
/// Several of the longest period that is stated by the minute.
const LONG: Duration = Duration::from_secs(14);

fn faster(preset: &mut Preset) {
    for rule in &mut preset.limits {
        rule.limit.per = Span::from_ms(rule.limit.per.ms() / u64::from(SPEED));
    }
}

/// Without this a preset whose limit, cost or period is not the venue's own is found out by a ban.
#[tokio::test]
async fn s20_no_venue_ever_refuses_who_asks_as_often_as_is_planned() {
    let simulator = simulator().await;
    simulator.market().limit(Limits::Faster(SPEED));
    let client = Client::new().unwrap();
    let mut polling = JoinSet::new();
    for sim in sims() {
        let venue = venue(&simulator, sim, &client, faster);
        polling.spawn(async move {
            let (mut pace, until) = (NextPoll::new(venue.every(), 7), Instant::now() + LONG);
            // Lists of markets and searches for fixtures take from the same budgets.
            let list = venue.list_body(clock).await;
            assert!(list.is_none_or(|list| list.is_ok()), "{sim}");
            while Instant::now() < until {
                let poll = venue.poll(clock).await;
                assert_eq!(poll.fault, None, "{sim}: {poll:?}");
                let rest = until.saturating_duration_since(Instant::now());
                tokio::time::sleep(Duration::from(pace.after(&poll)).min(rest)).await;
            }
        });
    }
    while let Some(polled) = polling.join_next().await {
        polled.unwrap();
    }
    for sim in sims() {
        let kept = simulator.market().kept(sim);
        assert_eq!((kept.refused, kept.too_soon), (0, 0), "{sim}");
        assert!(simulator.market().requests(sim) > 0, "{sim}");
    }
}

/// A period that no test outlasts and no clock ends: it began with the epoch.
const FOR_EVER: Span = Span::from_ms(1 << 50);

/// Without this another program behind the same address takes the budget, and ours asks on until both are shut out.
#[tokio::test]
async fn s20_use_by_others_slows_us_down_before_the_venue_has_to_refuse() {
    let simulator = simulator().await;
    simulator.market().limit(Limits::On);
    let client = Client::new().unwrap();
    let tell = [Sim::Binance, Sim::BinanceUs, Sim::Bybit, Sim::Gate, Sim::Kucoin, Sim::Upbit];
    for sim in tell {
        let market = simulator.market();
        let capacity = preset(sim.name()).unwrap().limits[0].limit.capacity;
        market.set_limit(sim, capacity, FOR_EVER.ms());
        let venue = venue(&simulator, sim, &client, |preset| preset.limits[0].limit.per = FOR_EVER);
        let poll = venue.poll(clock).await;
        assert_eq!(poll.fault, None, "{sim}: {poll:?}");
        let planned = poll.every;
        market.use_by_others(sim, capacity * 4 / 5 - market.kept(sim).used);
        let poll = venue.poll(clock).await;
        assert_eq!((poll.fault, poll.every), (None, planned.times(2)), "{sim}: {poll:?}");
        // All but one request's worth.
        let left = capacity - market.kept(sim).used;
        market.use_by_others(sim, left - left.min(venue.limits[0].cost(2)));
        // What is told by that answer is all that it takes; a small limit has nothing left for it even.
        let told = venue.poll(clock).await;
        assert!(told.fault.is_none() || told.requests == 0, "{sim}: {told:?}");
        let asked = market.requests(sim);
        let poll = venue.poll(clock).await;
        assert_eq!((poll.fault, poll.requests), (Some(SourceFault::RateLimited), 0), "{sim}: {poll:?}");
        assert_eq!((market.requests(sim), market.kept(sim).refused), (asked, 0), "{sim}");
    }
    // Whoever has such headers is told of in the list above.
    let with_headers = sims().filter(|sim| {
        let rule = &preset(sim.name()).unwrap().limits[0];
        rule.used.is_some() || rule.remaining.is_some()
    });
    assert_eq!(with_headers.count(), tell.len());
}

/// Polls as the daemon does until it is answered, or for so long.
async fn until_answered(venue: &Venue, patience: Duration) -> Option<Poll> {
    let (mut pace, until) = (NextPoll::new(venue.every(), 3), Instant::now() + patience);
    while Instant::now() < until {
        let poll = venue.poll(clock).await;
        if poll.fault.is_none() {
            return Some(poll);
        }
        let rest = until.saturating_duration_since(Instant::now());
        tokio::time::sleep(Duration::from(pace.after(&poll)).min(rest)).await;
    }
    None
}

/// Without this a venue that has refused is asked on, by its list of markets if not by its poll, and takes it for an
/// attack.
#[tokio::test]
async fn s20_who_was_refused_comes_back_no_sooner_than_told() {
    let simulator = simulator().await;
    simulator.market().limit(Limits::On);
    let client = Client::new().unwrap();
    let mut polling = JoinSet::new();
    for sim in sims() {
        let market = simulator.market().clone();
        let venue = venue(&simulator, sim, &client, |_| {});
        polling.spawn(async move {
            // A window of the clock's that others use up as often as it begins.
            market.set_limit(sim, 0, 3_000);
            let poll = venue.poll(clock).await;
            let banned = if sim == Sim::Bybit { SourceFault::Banned } else { SourceFault::RateLimited };
            assert_eq!((poll.fault, poll.requests), (Some(banned), 1), "{sim}: {poll:?}");
            // Whoever asks at once all the same, and for whatever, is held back: for the time that the venue named, or
            // for one second, two, and four.
            let asking = Duration::from_secs(6);
            let list = tokio::time::timeout(asking, venue.list_body(clock));
            let (_, answered) = tokio::join!(list, until_answered(&venue, asking));
            assert!(answered.is_none(), "{sim}");
            assert!(market.requests(sim) <= 5, "{sim}: {} requests in 6 s", market.requests(sim));
            market.set_limit(sim, 1_000_000, 3_000);
            if matches!(sim, Sim::Bybit | Sim::Bitfinex) {
                return;
            }
            let answered = until_answered(&venue, Duration::from_secs(60)).await;
            assert!(answered.is_some(), "{sim} is never asked again");
        });
    }
    while let Some(polled) = polling.join_next().await {
        polled.unwrap();
    }
    for sim in sims() {
        assert_eq!(simulator.market().kept(sim).too_soon, 0, "{sim}");
    }
    // A ban of ten minutes is not probed, whoever asks.
    assert_eq!(simulator.market().requests(Sim::Bybit), 1);
}

/// Without this a refusal that comes with status 200 instead of a list of markets is no reason to ask for less.
#[tokio::test]
async fn s20_a_list_that_is_refused_holds_back_prices_too() {
    let simulator = simulator().await;
    simulator.market().limit(Limits::On);
    let venue = venue(&simulator, Sim::Kraken, &Client::new().unwrap(), |_| {});
    simulator.market().set_limit(Sim::Kraken, 0, FOR_EVER.ms());
    let (body, _) = venue.list_body(clock).await.unwrap().unwrap();
    assert!(String::from_utf8(body).unwrap().contains("EGeneral:Too many requests"));
    let (rules, base) = (&venue.limits, venue.target.base(0));
    assert!(venue.budgets.take_by(tokio::time::Instant::now(), base, rules, |_| 1).await.is_err());
}
