//! A line before the simulator: real sockets, and every way in which a venue's can be sick.

use super::super::{End, Line, LineState, StreamSpec, Told};
use crate::driver::wall;
use crate::sources::{Client, Venue, VenueSpec, preset};
use publisher_core::quote::{Observation, VenueId};
use publisher_doubles::venues::{SimConfig, StreamFault, Venue as Sim, VenueSimulator};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const VENUES: [(Sim, [&str; 2]); 5] = [
    (Sim::Coinbase, ["BTC-USD", "ETH-USD"]),
    (Sim::Kraken, ["XBTUSD", "ETHUSD"]),
    (Sim::Binance, ["BTCUSDT", "ETHUSDT"]),
    (Sim::Bitstamp, ["btcusd", "ethusd"]),
    (Sim::Okx, ["BTC-USDT", "ETH-USDT"]),
];

fn line(sim: Sim, symbols: &[&str], stream: &str) -> Arc<Line> {
    let id = VenueId::new(sim.name());
    let spec = VenueSpec::new(id);
    let symbols: BTreeSet<Arc<str>> = symbols.iter().map(|symbol| (*symbol).into()).collect();
    let preset = preset(sim.name()).unwrap();
    let venue = Venue::new(preset, spec, symbols, &Client::new().unwrap()).unwrap();
    let spec = StreamSpec { off: false, url: Some(stream.parse().unwrap()) };
    let venue = venue.with_stream(preset, &spec).unwrap();
    Arc::clone(&venue.lines()[0])
}

/// What a line has told so far.
#[derive(Default)]
struct Seen {
    state: LineState,
    ends: Vec<End>,
    opened: usize,
    prices: Vec<String>,
}

/// Listens until what was told is enough.
async fn listen(line: &Line, mut until: impl FnMut(&Seen) -> bool) -> Seen {
    let mut seen = Seen::default();
    let (_polled, polls) = watch::channel(Vec::new().into());
    let (done, mut ended) = watch::channel(false);
    let listening = line.listen(7, wall, polls, |told| {
        match told {
            Told::Up { .. } => seen.opened += 1,
            Told::Down { why, .. } => {
                seen.ends.push(why);
                seen.state = LineState::default();
            }
            Told::Stands(state) => seen.state = state,
            Told::Heard(_) => {}
            Told::Quotes(quotes) => {
                seen.prices.extend(quotes.iter().filter_map(|observation| match observation {
                    Observation::Quote(quote) => quote.price().ok().map(|price| price.to_string()),
                    Observation::Missing { .. } => None,
                }))
            }
        }
        if until(&seen) {
            done.send_replace(true);
        }
    });
    tokio::select! {
        () = listening => {}
        _ = ended.wait_for(|ended| *ended) => {}
        () = tokio::time::sleep(PATIENCE) => {}
    }
    seen
}

async fn simulator() -> VenueSimulator {
    VenueSimulator::start(SimConfig::default()).await.unwrap()
}

/// Every venue's own protocol, as strictly as the simulator knows it.
#[tokio::test]
async fn every_venue_is_listened_to() {
    let simulator = simulator().await;
    for (sim, symbols) in VENUES {
        let line = line(sim, &symbols, &simulator.stream_url(sim));
        let seen = listen(&line, |seen| seen.state.fresh).await;
        assert_eq!(seen.state, LineState { open: true, live: 2, fresh: true }, "{sim}");
        assert!(seen.ends.is_empty() && seen.opened == 1, "{sim}: {:?}", seen.ends);
    }
}

/// An unknown symbol costs itself; at Binance nobody says so, and it stays silent.
#[tokio::test]
async fn an_unknown_symbol_does_not_cost_the_others() {
    let simulator = simulator().await;
    for (sim, symbols) in VENUES {
        let unknown = symbols[1].replace("ETH", "NOPE").replace("eth", "nope");
        let line = line(sim, &[symbols[0], &unknown], &simulator.stream_url(sim));
        let live = if sim == Sim::Binance { 2 } else { 1 };
        let seen = listen(&line, |seen| seen.state.live == live && !seen.prices.is_empty()).await;
        assert_eq!(seen.state, LineState { open: true, live, fresh: false }, "{sim}");
        assert!(seen.ends.is_empty(), "{sim}: {:?}", seen.ends);
    }
}

async fn ends(sim: Sim, fault: StreamFault, expected: End) {
    let simulator = simulator().await;
    let (_, symbols) = VENUES[VENUES.iter().position(|(of, _)| *of == sim).unwrap()];
    simulator.market().stream_fault(sim, fault.clone());
    let line = line(sim, &symbols, &simulator.stream_url(sim));
    let market = simulator.market().clone();
    // Ended for the right reason, and open again once the venue is well.
    let seen = listen(&line, |seen| {
        if seen.ends.contains(&expected) {
            market.clear_stream(sim);
        }
        seen.ends.contains(&expected) && seen.state.fresh
    })
    .await;
    assert!(
        seen.ends.iter().all(|end| *end == expected) && !seen.ends.is_empty(),
        "{sim} {fault:?}: {:?}",
        seen.ends
    );
    assert!(seen.state.fresh, "{sim} {fault:?} {:?}", seen.state);
}

/// Without this a sick stream is believed, or never comes back.
#[tokio::test]
async fn f41_f51_every_sickness_of_a_stream_has_its_end_and_is_survived() {
    tokio::join!(
        ends(Sim::Okx, StreamFault::Refused { status: 503 }, End::Refused),
        ends(Sim::Kraken, StreamFault::Cut, End::Closed),
        ends(Sim::Okx, StreamFault::Silent, End::Canary),
        ends(Sim::Bitstamp, StreamFault::SilentMarket { pair: "BTC/USD".into() }, End::Canary),
        ends(Sim::Coinbase, StreamFault::Oversized { bytes: 2 << 20 }, End::TooLarge),
        ends(Sim::Bitstamp, StreamFault::AsksReconnect, End::Asked),
        ends(Sim::Okx, StreamFault::AsksReconnect, End::Asked),
        ends(Sim::Okx, StreamFault::Impatient { ms: 400 }, End::Closed),
    );
}

/// What comes twice, late, in gaps or without an acknowledgement is a price all the same, and the newest one holds.
#[tokio::test]
async fn f42_disorder_on_the_wire_changes_nothing() {
    let simulator = simulator().await;
    let market = simulator.market();
    for fault in [
        StreamFault::Duplicates,
        StreamFault::Reordered,
        StreamFault::Gaps,
        StreamFault::NoAck,
        StreamFault::NoPong,
    ] {
        market.stream_fault(Sim::Coinbase, fault);
    }
    let path: Vec<_> = (0..30).map(|n| (n * 100, format!("{}.00", 67_000 + n))).collect();
    let path: Vec<_> = path.iter().map(|(after_ms, price)| (*after_ms, price.as_str())).collect();
    market.follow_path("BTC/USD", &path).unwrap();
    let line = line(Sim::Coinbase, &["BTC-USD"], &simulator.stream_url(Sim::Coinbase));
    let seen = listen(&line, |seen| seen.prices.last().is_some_and(|price| price == "67029")).await;
    assert!(seen.prices.is_sorted() && seen.ends.is_empty(), "{:?} {:?}", seen.prices, seen.ends);
    assert_eq!(seen.prices.last().map(String::as_str), Some("67029"));
}

/// A name or address inside the operator's network is reached only where the operator wrote so.
#[tokio::test]
async fn a_presets_host_is_never_a_private_one() {
    let simulator = simulator().await;
    let mut preset = preset("okx").unwrap().clone();
    let url = simulator.stream_url(Sim::Okx);
    for host in [url.clone(), url.replace("127.0.0.1", "localhost")] {
        preset.stream.as_mut().unwrap().hosts = vec![host.parse().unwrap()];
        let spec = VenueSpec::new(VenueId::new("okx"));
        let venue = Venue::new(&preset, spec, ["BTC-USDT".into()].into(), &Client::new().unwrap()).unwrap();
        let venue = venue.with_stream(&preset, &StreamSpec::default()).unwrap();
        let seen = listen(&venue.lines()[0], |seen| !seen.ends.is_empty()).await;
        assert_eq!((seen.ends, seen.opened), (vec![End::Refused], 0), "{host}");
    }
    assert_eq!(simulator.market().streams(Sim::Okx), (0, 0));
}

/// Whoever asks a mirror does not ask the venue behind its back, and who wants no stream has none.
#[tokio::test]
async fn a_mirror_or_off_means_no_stream() {
    let client = Client::new().unwrap();
    let preset = preset("okx").unwrap();
    for (base_url, off, lines) in [(None, false, 1), (None, true, 0), (Some("http://127.0.0.1:1"), false, 0)]
    {
        let base_url = base_url.map(|url| url.parse().unwrap());
        let spec = VenueSpec { base_url, ..VenueSpec::new(VenueId::new("okx")) };
        let venue = Venue::new(preset, spec, ["BTC-USDT".into()].into(), &client).unwrap();
        let venue = venue.with_stream(preset, &StreamSpec { off, url: None }).unwrap();
        assert_eq!(venue.lines().len(), lines);
    }
}
