//! A line before the simulator: real sockets, and every way in which a venue's can be sick.

use super::super::{Cover, End, Line, LineState, StreamSpec, Told};
use crate::driver::wall;
use crate::sources::{Client, Preset, Venue, VenueSpec, preset};
use publisher_core::quote::{Observation, VenueId};
use publisher_core::time::Span;
use publisher_doubles::venues::{Limits, SimConfig, StreamFault, Venue as Sim, VenueSimulator};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const VENUES: &[(Sim, [&str; 2])] = &[
    (Sim::Coinbase, ["BTC-USD", "ETH-USD"]),
    (Sim::Kraken, ["XBTUSD", "ETHUSD"]),
    (Sim::Binance, ["BTCUSDT", "ETHUSDT"]),
    (Sim::Bitstamp, ["btcusd", "ethusd"]),
    (Sim::Okx, ["BTC-USDT", "ETH-USDT"]),
    (Sim::Bybit, ["BTCUSDT", "ETHUSDT"]),
    (Sim::Bitget, ["BTCUSDT", "ETHUSDT"]),
    (Sim::Gate, ["BTC_USDT", "ETH_USDT"]),
    (Sim::CryptoCom, ["BTC_USD", "ETH_USD"]),
    (Sim::Upbit, ["USDT-BTC", "USDT-ETH"]),
    (Sim::Bitfinex, ["tBTCUSD", "tETHUSD"]),
    (Sim::BinanceUs, ["BTCUSD", "ETHUSD"]),
    (Sim::Kucoin, ["BTC-USDT", "ETH-USDT"]),
    (Sim::Htx, ["btcusdt", "ethusdt"]),
    (Sim::Mexc, ["BTCUSDT", "ETHUSDT"]),
    (Sim::Gemini, ["BTCUSD", "ETHUSD"]),
];

fn line(sim: Sim, symbols: &[&str], simulator: &VenueSimulator) -> Arc<Line> {
    line_of(preset(sim.name()).unwrap(), sim, symbols, simulator)
}

/// The same with another preset.
fn line_of(preset: &Preset, sim: Sim, symbols: &[&str], simulator: &VenueSimulator) -> Arc<Line> {
    Arc::clone(&venue_of(preset, sim, symbols, simulator).lines()[0])
}

fn venue_of(preset: &Preset, sim: Sim, symbols: &[&str], simulator: &VenueSimulator) -> Venue {
    let base_url = Some(simulator.base_url(sim).parse().unwrap());
    let spec = VenueSpec { base_url, ..VenueSpec::new(VenueId::new(sim.name())) };
    let symbols: BTreeSet<Arc<str>> = symbols.iter().map(|symbol| (*symbol).into()).collect();
    let venue = Venue::new(preset, spec, symbols, &Client::new().unwrap()).unwrap();
    let spec = StreamSpec { url: Some(simulator.stream_url(sim).parse().unwrap()), ..StreamSpec::default() };
    venue.with_stream(preset, &spec).unwrap()
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
                if !why.is_planned() {
                    seen.state = LineState::default();
                }
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
    for &(sim, symbols) in VENUES {
        let line = line(sim, &symbols, &simulator);
        let seen = listen(&line, |seen| seen.state.cover == Cover::Fresh).await;
        let live = line.markets().len();
        assert_eq!(seen.state, LineState { open: true, live, cover: Cover::Fresh }, "{sim}");
        assert!(seen.ends.is_empty() && seen.opened == 1, "{sim}: {:?}", seen.ends);
    }
}

/// At Gemini the URL names the markets, so that an unknown one refuses the connection: its own.
#[tokio::test]
async fn at_gemini_an_unknown_symbol_costs_its_own_connection_alone() {
    let simulator = simulator().await;
    let preset = preset("gemini").unwrap();
    let venue = venue_of(preset, Sim::Gemini, &["BTCUSD", "ETHUSD", "NOPEUSD"], &simulator);
    assert_eq!(venue.lines().len(), 3);
    for line in venue.lines() {
        let is_known = &*line.markets()[0].symbol != "NOPEUSD";
        let seen = listen(line, |seen| seen.state.cover == Cover::Fresh || !seen.ends.is_empty()).await;
        assert_eq!(
            (seen.state.cover == Cover::Fresh, seen.opened > 0),
            (is_known, is_known),
            "{:?}",
            line.markets()
        );
    }
}

/// An unknown symbol costs itself; at Binance nobody says so, and it stays silent.
#[tokio::test]
async fn an_unknown_symbol_does_not_cost_the_others() {
    let simulator = simulator().await;
    for &(sim, symbols) in VENUES.iter().filter(|(sim, _)| *sim != Sim::Gemini) {
        let unknown = symbols[1].replace("ETH", "NOPE").replace("eth", "nope");
        let line = line(sim, &[symbols[0], &unknown], &simulator);
        let live = if matches!(sim, Sim::Binance | Sim::BinanceUs) { 2 } else { 1 };
        let seen = listen(&line, |seen| seen.state.live == live && !seen.prices.is_empty()).await;
        assert_eq!(seen.state, LineState { open: true, live, cover: Cover::None }, "{sim}");
        assert!(seen.ends.is_empty(), "{sim}: {:?}", seen.ends);
    }
}

async fn ends(sim: Sim, fault: StreamFault, expected: End) {
    ends_as(preset(sim.name()).unwrap(), sim, fault, expected).await;
}

async fn ends_as(preset: &Preset, sim: Sim, fault: StreamFault, expected: End) {
    let simulator = simulator().await;
    let (_, symbols) = VENUES[VENUES.iter().position(|(of, _)| *of == sim).unwrap()];
    simulator.market().stream_fault(sim, fault.clone());
    let line = line_of(preset, sim, &symbols, &simulator);
    let market = simulator.market().clone();
    // Ended for the right reason, and open again once the venue is well.
    let seen = listen(&line, |seen| {
        if seen.ends.contains(&expected) {
            market.clear_stream(sim);
        }
        seen.ends.contains(&expected) && seen.state.cover == Cover::Fresh
    })
    .await;
    assert!(
        seen.ends.iter().all(|end| *end == expected) && !seen.ends.is_empty(),
        "{sim} {fault:?}: {:?}",
        seen.ends
    );
    assert!(seen.state.cover == Cover::Fresh, "{sim} {fault:?} {:?}", seen.state);
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
        ends(Sim::Bitfinex, StreamFault::AsksReconnect, End::Asked),
        ends(Sim::Okx, StreamFault::Impatient { ms: 400 }, End::Closed),
        ends(Sim::Coinbase, StreamFault::Mute, End::Unanswered),
        ends(Sim::Htx, StreamFault::Bomb { bytes: 8 << 20 }, End::TooLarge),
        ends(Sim::Kucoin, StreamFault::ExpiredToken, End::Closed),
    );
}

/// Without this a sickness is survived at one venue, and at another one whose protocol differs it is not.
#[tokio::test]
async fn f41_every_venue_that_is_sick_is_given_up_and_comes_back() {
    for (fault, end) in [
        (StreamFault::Refused { status: 503 }, End::Refused),
        (StreamFault::Cut, End::Closed),
        (StreamFault::Mute, End::Idle),
        (StreamFault::Oversized { bytes: 2 << 20 }, End::TooLarge),
    ] {
        let venues = VENUES.iter().filter_map(|(sim, _)| {
            let (mut hasty, fault) = (preset(sim.name()).unwrap().clone(), fault.clone());
            let ping = &mut hasty.stream.as_mut().unwrap().ping;
            ping.every = Span::from_s(2);
            // The WebSocket's own ping is answered by whatever stands in front of the venue.
            let answers = fault == StreamFault::Mute && ping.text.is_none();
            (!answers).then_some(async move { ends_as(&hasty, *sim, fault, end).await })
        });
        futures_util::future::join_all(venues).await;
    }
}

/// Without this a frame that is announced fills the memory, nested lists the stack, and one that never ends the time.
#[tokio::test]
async fn f51_what_a_socket_says_is_bounded_in_size_depth_and_time() {
    // A socket that says nothing whole is given up after two pings.
    let mut hasty = preset("bybit").unwrap().clone();
    hasty.stream.as_mut().unwrap().ping.every = Span::from_s(1);
    tokio::join!(
        ends(Sim::Okx, StreamFault::Announced { bytes: 1 << 30 }, End::TooLarge),
        ends(Sim::Kraken, StreamFault::Deep { messages: 50 }, End::Unreadable),
        ends_as(&hasty, Sim::Bybit, StreamFault::Drip, End::Idle),
    );
}

/// A venue ends a connection at an age that it states: the next one gives prices before.
#[tokio::test]
async fn a_connection_that_grows_old_is_replaced_while_it_gives_prices() {
    let simulator = simulator().await;
    let mut mortal = preset("okx").unwrap().clone();
    mortal.stream.as_mut().unwrap().life = Span::from_s(3);
    let line = line_of(&mortal, Sim::Okx, &["BTC-USDT", "ETH-USDT"], &simulator);
    let (mut was_fresh, mut was_closed, mut most) = (false, false, 0);
    let seen = listen(&line, |seen| {
        was_fresh |= seen.state.cover == Cover::Fresh;
        was_closed |= was_fresh && !seen.state.open;
        most = most.max(simulator.market().streams(Sim::Okx).1);
        seen.ends.len() == 3
    })
    .await;
    assert_eq!(seen.ends, [End::Retired; 3]);
    assert!((4..=5).contains(&seen.opened) && was_fresh && !was_closed, "{} were opened", seen.opened);
    assert_eq!(most, 2, "the next one is open before the former one ends");
}

/// Without this the sockets of a venue that were cut at once come back at once, more than it takes in a second, and are
/// kept away for a minute.
#[tokio::test]
async fn f41_sockets_that_are_cut_at_once_come_back_within_the_venues_limit() {
    let names: Vec<String> = (0..8).map(|n| format!("C{n}")).collect();
    let prices = names.iter().map(|name| (format!("{name}/USDT"), "1.5".to_owned())).collect();
    // Its second lasts half of one, so that a busy machine does not look like a hasty client.
    let limits = Limits::Faster(2);
    let simulator =
        VenueSimulator::start(SimConfig { prices, limits, ..SimConfig::default() }).await.unwrap();
    let mut narrow = preset("okx").unwrap().clone();
    let stream = narrow.stream.as_mut().unwrap();
    (stream.symbols_per_frame, stream.symbols_per_connection) = (1, 1);
    stream.canary = None;
    let symbols: Vec<String> = names.iter().map(|name| format!("{name}-USDT")).collect();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let venue = venue_of(&narrow, Sim::Okx, &symbols, &simulator);
    let market = simulator.market();
    let cuts = async {
        for opened in [1, 2] {
            let all = u64::try_from(symbols.len()).unwrap();
            let are_open = || {
                let (ever, now) = market.streams(Sim::Okx);
                ever >= opened * all && now == all
            };
            while !are_open() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if opened == 1 {
                market.stream_fault(Sim::Okx, StreamFault::Cut);
                while market.streams(Sim::Okx).1 > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                market.clear_stream(Sim::Okx);
            }
        }
    };
    let refused = std::sync::Mutex::new(Vec::new());
    let listen = |line: &Arc<Line>, seed: usize| {
        let (line, refused) = (Arc::clone(line), &refused);
        async move {
            let (_polled, polls) = watch::channel(Vec::new().into());
            let tell = |told: Told<'_>| {
                if let Told::Down { why: End::Refused, detail } = told {
                    refused.lock().unwrap().push(detail.to_owned());
                }
            };
            line.listen(u64::try_from(seed).unwrap(), wall, polls, tell).await;
        }
    };
    let listening = venue.lines().iter().enumerate().map(|(seed, line)| listen(line, seed));
    tokio::select! {
        _ = futures_util::future::join_all(listening) => {}
        () = cuts => {}
        () = tokio::time::sleep(PATIENCE) => panic!("{:?}", market.streams(Sim::Okx)),
    }
    assert_eq!(*refused.lock().unwrap(), Vec::<String>::new());
}

/// Without this a token that KuCoin refuses with status 200 opens a socket that is closed at once, again and again; or a
/// refusal for asking too often is not known for one, because its status says that all is well.
#[tokio::test]
async fn a_token_that_is_refused_with_status_200_opens_nothing_until_there_is_one() {
    let simulator = simulator().await;
    let genuine = format!("{}/api/v1/bullet-public", simulator.base_url(Sim::Kucoin));
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = axum::Router::new().fallback(move || {
        let (genuine, nth) = (genuine.clone(), count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        async move {
            match nth {
                0 => r#"{"code":"400100","msg":"token was not issued"}"#.to_owned(),
                // With a token in it, which is not to be used.
                1 => r#"{"code":"429000","msg":"Too Many Requests","data":{"token":"no","instanceServers":[]}}"#.to_owned(),
                _ => reqwest::Client::new().post(genuine).send().await.unwrap().text().await.unwrap(),
            }
        }
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base_url = Some(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let preset = preset("kucoin").unwrap();
    let spec = VenueSpec { base_url, ..VenueSpec::new(VenueId::new("kucoin")) };
    let symbols: BTreeSet<Arc<str>> = ["BTC-USDT".into()].into();
    let venue = Venue::new(preset, spec, symbols, &Client::new().unwrap()).unwrap();
    let url = Some(simulator.stream_url(Sim::Kucoin).parse().unwrap());
    let venue = venue.with_stream(preset, &StreamSpec { url, ..StreamSpec::default() }).unwrap();
    let seen = listen(&venue.lines()[0], |seen| seen.state.live == 1).await;
    assert_eq!((&seen.ends[..], seen.opened, seen.state.live), (&[End::Refused; 2][..], 1, 1));
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 3);
    assert_eq!(simulator.market().streams(Sim::Kucoin).0, 1, "a socket was opened without a token");
}

/// Without this, KuCoin refuses a frame whole that names more than it takes, and says nothing of which.
#[tokio::test]
async fn s22_a_frame_that_is_refused_whole_is_halved_until_it_is_taken() {
    let simulator = simulator().await;
    simulator.market().stream_fault(Sim::Kucoin, StreamFault::FrameMax { markets: 1 });
    let line = line(Sim::Kucoin, &["BTC-USDT", "ETH-USDT", "BTC-USD", "ETH-USD"], &simulator);
    let seen = listen(&line, |seen| seen.state.live == 2).await;
    assert_eq!((seen.state.live, seen.ends), (2, vec![]), "KuCoin has no dollars");
}

/// Without this a peer that holds the connection and does nothing holds the program's attention as well: a timer that is
/// looked at between two reads never comes to its turn.
#[tokio::test]
async fn s11_who_neither_speaks_nor_reads_is_given_up_by_timers_of_their_own() {
    let mut hasty = preset("bybit").unwrap().clone();
    hasty.stream.as_mut().unwrap().ping.every = Span::from_s(1);
    for (shakes_hands, end) in [(true, End::Idle), (false, End::Refused)] {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap()).parse().unwrap();
        let holding = tokio::spawn(async move {
            let (mut sockets, mut connections) = (Vec::new(), Vec::new());
            while let Ok((stream, _)) = listener.accept().await {
                match shakes_hands {
                    true => sockets.push(tokio_tungstenite::accept_async(stream).await),
                    false => connections.push(stream),
                }
            }
        });
        let spec = VenueSpec {
            base_url: Some("http://127.0.0.1:1".parse().unwrap()),
            ..VenueSpec::new(VenueId::new("bybit"))
        };
        let symbols = ["BTCUSDT".into(), "ETHUSDT".into()].into();
        let venue = Venue::new(&hasty, spec, symbols, &Client::new().unwrap()).unwrap();
        let stream = StreamSpec { url: Some(url), ..StreamSpec::default() };
        let venue = venue.with_stream(&hasty, &stream).unwrap();
        // Twice, so that whoever was given up has not taken the line with it.
        let seen = listen(&venue.lines()[0], |seen| seen.ends.len() == 2).await;
        assert_eq!((seen.ends, seen.opened > 1), (vec![end; 2], shakes_hands));
        holding.abort();
    }
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
    let line = line(Sim::Coinbase, &["BTC-USD"], &simulator);
    let seen = listen(&line, |seen| seen.prices.last().is_some_and(|price| price == "67029")).await;
    assert!(seen.prices.is_sorted() && seen.ends.is_empty(), "{:?} {:?}", seen.prices, seen.ends);
    assert_eq!(seen.prices.last().map(String::as_str), Some("67029"));
}

/// A name or address inside the operator's network is reached only where the operator wrote so.
#[tokio::test]
async fn f76_a_presets_host_is_never_a_private_one() {
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
        let venue = venue.with_stream(preset, &StreamSpec { off, ..StreamSpec::default() }).unwrap();
        assert_eq!(venue.lines().len(), lines);
    }
}

/// Without this a venue with many markets is asked for all its sockets at once, refuses some, and begins with an outage.
#[tokio::test]
async fn sockets_of_one_venue_are_opened_no_faster_than_it_lets_us() {
    let names: Vec<String> = (0..190).map(|n| format!("C{n}")).collect();
    let prices = names.iter().map(|name| (format!("{name}/USDT"), "1.5".to_owned())).collect();
    let simulator = VenueSimulator::start(SimConfig { prices, ..SimConfig::default() }).await.unwrap();
    let symbols: Vec<String> = names.iter().map(|name| format!("{name}-USDT")).collect();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let venue = venue_of(preset("okx").unwrap(), Sim::Okx, &symbols, &simulator);
    assert_eq!(venue.lines().len(), 4);
    let all = venue
        .lines()
        .iter()
        .map(|line| listen(line, |seen| seen.state.cover == Cover::Fresh || !seen.ends.is_empty()));
    for seen in futures_util::future::join_all(all).await {
        assert!(seen.state.cover == Cover::Fresh && seen.ends.is_empty(), "{:?}", seen.ends);
    }
}
