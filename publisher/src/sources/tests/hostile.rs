//! Every fault that the venue simulator knows, at every venue: each must cost exactly what it touches, under the
//! name that operators and gates branch on.

use super::super::{ApiKey, Client, CustomSource, NextPoll, Poll, TimeUnit, Venue, VenueSpec, Way, preset};
use publisher_core::quote::{Listing, MarketId, Observation, Quote, QuoteFault, SourceFault, VenueId};
use publisher_core::time::{Span, Wall};
use publisher_doubles::venues::{Fault, Limits, SimConfig, Venue as Sim, VenueSimulator};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) fn clock() -> Wall {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Wall::from_ms(i64::try_from(ms).unwrap())
}

/// Long enough for a loaded machine, and for polls that are meant to end by it, short enough to wait for.
const PATIENT: Span = Span::from_s(10);
const HASTY: Span = Span::from_ms(300);

/// The venue's symbol for bitcoin and for ether, and the simulator's pair for them.
pub(super) fn symbols(sim: Sim) -> [(&'static str, &'static str); 2] {
    match sim {
        Sim::Binance => [("BTCUSDT", "BTC/USDT"), ("ETHUSDT", "ETH/USDT")],
        Sim::Bitstamp => [("btcusd", "BTC/USD"), ("ethusd", "ETH/USD")],
        Sim::Coinbase => [("BTC-USD", "BTC/USD"), ("ETH-USD", "ETH/USD")],
        Sim::Kraken => [("XBTUSD", "BTC/USD"), ("ETHUSD", "ETH/USD")],
        Sim::Okx => [("BTC-USDT", "BTC/USDT"), ("ETH-USDT", "ETH/USDT")],
        Sim::Custom => [("price", "BTC/USD"), ("price", "BTC/USD")],
        Sim::BinanceUs | Sim::Gemini => [("BTCUSD", "BTC/USD"), ("ETHUSD", "ETH/USD")],
        Sim::Bitget | Sim::Bybit | Sim::Mexc => [("BTCUSDT", "BTC/USDT"), ("ETHUSDT", "ETH/USDT")],
        Sim::Bitfinex => [("tBTCUSD", "BTC/USD"), ("tETHUSD", "ETH/USD")],
        Sim::Coingecko => [("bitcoin", "BTC/USD"), ("ethereum", "ETH/USD")],
        Sim::Coinmarketcap => [("1", "BTC/USD"), ("1027", "ETH/USD")],
        Sim::CryptoCom => [("BTC_USD", "BTC/USD"), ("ETH_USD", "ETH/USD")],
        // To the test a currency is as good as a coin.
        Sim::Ecb => [("EUR/USD", "EUR/USD"), ("EUR/GBP", "EUR/GBP")],
        Sim::Gate => [("BTC_USDT", "BTC/USDT"), ("ETH_USDT", "ETH/USDT")],
        Sim::Htx => [("btcusdt", "BTC/USDT"), ("ethusdt", "ETH/USDT")],
        Sim::Kucoin => [("BTC-USDT", "BTC/USDT"), ("ETH-USDT", "ETH/USDT")],
        Sim::Tiingo => [("btcusd", "BTC/USD"), ("ethusd", "ETH/USD")],
        Sim::Upbit => [("USDT-BTC", "BTC/USDT"), ("USDT-ETH", "ETH/USDT")],
    }
}

pub(super) async fn simulator() -> VenueSimulator {
    let prices = [
        ("BTC/USD", "67000.12"),
        ("ETH/USD", "3500.5"),
        ("USDT/USD", "1.0000"),
        ("EUR/USD", "67000.12"),
        ("EUR/GBP", "3500.5"),
    ];
    let prices = prices.map(|(pair, price)| (pair.to_owned(), price.to_owned())).to_vec();
    // More faults than any venue would let one address ask for.
    VenueSimulator::start(SimConfig { prices, limits: Limits::Off, ..SimConfig::default() }).await.unwrap()
}

fn venue(simulator: &VenueSimulator, sim: Sim, client: &Client, timeout: Span) -> Venue {
    let base = simulator.base_url(sim);
    if sim == Sim::Custom {
        let source = CustomSource {
            id: VenueId::new("custom"),
            url: format!("{base}/price/BTC-USD").parse().unwrap(),
            pointer: "/data/price/last".to_owned(),
            bid_pointer: Some("/data/price/bid".to_owned()),
            ask_pointer: Some("/data/price/ask".to_owned()),
            time: Some(("/data/time/ms".to_owned(), TimeUnit::Milliseconds)),
            every: None,
            timeout: Some(timeout),
            headers: Vec::new(),
            allow_private: true,
            way: Way::default(),
        };
        return Venue::custom(source, client).unwrap();
    }
    let spec = VenueSpec {
        base_url: Some(base.parse().unwrap()),
        key: preset(sim.name()).unwrap().takes_key().then(|| ApiKey::new("hunter2")),
        timeout: Some(timeout),
        ..VenueSpec::new(VenueId::new(sim.name()))
    };
    let symbols = symbols(sim).into_iter().map(|(symbol, _)| symbol.into()).collect();
    Venue::new(preset(sim.name()).unwrap(), spec, symbols, client).unwrap()
}

fn of<'a>(poll: &'a Poll, symbol: &str) -> Result<&'a Quote, SourceFault> {
    let found = poll.observations.iter().find_map(|observation| match observation {
        Observation::Quote(quote) => (&*quote.market.symbol == symbol).then_some(Ok(quote)),
        Observation::Missing { market, fault } => (&*market.symbol == symbol).then_some(Err(*fault)),
    });
    found.unwrap()
}

/// What a fault of the whole venue does to bitcoin: a fault, or a quote that may be judged wrong by the core only.
fn expected(fault: &Fault, sim: Sim) -> Option<SourceFault> {
    let custom = sim == Sim::Custom;
    let has_time = custom || preset(sim.name()).unwrap().has_time();
    match fault {
        Fault::Dead | Fault::Truncated => Some(SourceFault::Unreachable),
        // Its way to say who asks too often.
        Fault::Refuse { status: 403, .. } if sim == Sim::Bybit => Some(SourceFault::Banned),
        Fault::Refuse { status: 403, .. } | Fault::GeoBlocked451 => Some(SourceFault::GeoBlocked),
        Fault::Refuse { .. } | Fault::ServerError | Fault::Redirect { .. } => Some(SourceFault::HttpStatus),
        Fault::RateLimited { .. } => Some(SourceFault::RateLimited),
        Fault::Banned418 { .. } => Some(SourceFault::Banned),
        Fault::Stall { .. } | Fault::SlowDrip { .. } => Some(SourceFault::Timeout),
        Fault::Oversized { .. } | Fault::DeepJson => Some(SourceFault::TooLarge),
        // The currency is the key.
        Fault::RenamedKey if sim == Sim::Ecb => Some(SourceFault::SymbolMissing),
        Fault::Html200 | Fault::Garbage | Fault::RenamedKey => Some(SourceFault::BadBody),
        Fault::ErrorBody200 if custom => Some(SourceFault::BadBody),
        Fault::ErrorBody200 => Some(SourceFault::VenueError),
        Fault::EmptyList if custom => Some(SourceFault::BadBody),
        Fault::MissingSymbol | Fault::Delisted if custom => Some(SourceFault::HttpStatus),
        Fault::MissingSymbol | Fault::Delisted | Fault::EmptyList => Some(SourceFault::SymbolMissing),
        Fault::ClockSkew { .. } if has_time => Some(SourceFault::BadTime),
        Fault::Zero | Fault::Negative | Fault::NotANumber | Fault::CommaDecimal => {
            Some(SourceFault::BadValue)
        }
        // The list of what it trades is another request.
        Fault::Unlisted | Fault::Halted => None,
        Fault::Multiply { .. } | Fault::Frozen | Fault::ClockSkew { .. } | Fault::Crossed => None,
        // Another market's price looks like a price; the other venues give it away.
        Fault::WrongMarket => None,
        Fault::ExponentNotation | Fault::NumbersInsteadOfStrings | Fault::StringsInsteadOfNumbers => None,
        // Nobody asks for packed bodies, so that the limit on their size holds for what is kept.
        Fault::Gzipped | Fault::GzippedBadly => Some(SourceFault::BadBody),
    }
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::Dead,
        Fault::Refuse { status: 500, body: "no".to_owned() },
        Fault::Refuse { status: 403, body: "<html>".to_owned() },
        Fault::Refuse { status: 204, body: String::new() },
        Fault::RateLimited { retry_after_s: Some(30) },
        Fault::RateLimited { retry_after_s: None },
        Fault::Banned418 { retry_after_s: Some(120) },
        Fault::Banned418 { retry_after_s: None },
        Fault::GeoBlocked451,
        Fault::ServerError,
        Fault::Stall { ms: 5_000 },
        Fault::SlowDrip { every_ms: 50 },
        Fault::Truncated,
        Fault::Oversized { bytes: 9 << 20 },
        Fault::Html200,
        Fault::ErrorBody200,
        Fault::MissingSymbol,
        Fault::Delisted,
        Fault::Unlisted,
        Fault::Halted,
        Fault::RenamedKey,
        Fault::EmptyList,
        Fault::WrongMarket,
        Fault::Multiply { by: "1000".parse().unwrap() },
        Fault::Frozen,
        Fault::ClockSkew { ms: 2 * 86_400_000 },
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
        Fault::Redirect { to: "/custom/price/BTC-USD".to_owned() },
        Fault::NotANumber,
        Fault::CommaDecimal,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_a_venue_has_its_name_and_passes() {
    let simulator = simulator().await;
    let client = Client::new().unwrap();
    for sim in Sim::ALL {
        let [patient, hasty] = [PATIENT, HASTY].map(|timeout| venue(&simulator, sim, &client, timeout));
        for fault in faults() {
            let slow = matches!(fault, Fault::Stall { .. } | Fault::SlowDrip { .. });
            let venue = if slow { &hasty } else { &patient };
            simulator.market().fault(sim, fault.clone());
            let started = Instant::now();
            let poll = venue.poll(clock).await;
            let took = started.elapsed();
            simulator.market().clear(sim);
            assert!(!slow || took < Duration::from_secs(3), "{sim} {fault:?} took {took:?}");
            assert_eq!(poll.observations.len(), venue.markets().len());
            let observed = of(&poll, symbols(sim)[0].0);
            assert_eq!(observed.err(), expected(&fault, sim), "{sim} {fault:?}: {:?}", poll.detail);
            if let Ok(quote) = observed {
                check_quote(sim, &fault, quote);
            }
            if poll.fault.is_some() {
                assert_eq!(poll.fault, expected(&fault, sim), "{sim} {fault:?}");
                assert!(poll.detail.is_some(), "{sim} {fault:?}");
            }
            // The next poll is well, unless the venue refused the symbols themselves.
            if !matches!(fault, Fault::Delisted) {
                let poll = patient.poll(clock).await;
                assert!(of(&poll, symbols(sim)[0].0).is_ok(), "{sim} after {fault:?}: {poll:?}");
                assert_eq!((poll.fault, poll.requests, poll.status), (None, 1, Some(200)));
            } else {
                break_in_memory(venue);
            }
        }
    }
    // The redirect's target was never asked: custom saw its own polls only.
    let own = u64::try_from(2 * faults().len()).unwrap() - 1;
    assert_eq!(simulator.market().requests(Sim::Custom), own);
}

/// Lets the venue ask again for what it left out, as after a minute.
fn break_in_memory(venue: &Venue) {
    *venue.memory.lock().unwrap() = super::super::venue::Memory::default();
}

fn check_quote(sim: Sim, fault: &Fault, quote: &Quote) {
    // Where a venue tells a book only, its middle is the price.
    let last = quote.last.or_else(|| quote.price().ok()).map_or(String::new(), |price| price.to_string());
    match fault {
        Fault::Multiply { .. } => assert_eq!(last, "67000120"),
        Fault::WrongMarket => {}
        Fault::Crossed if quote.bid.is_some() && sim != Sim::Coinbase => {
            assert_eq!(quote.price(), Err(QuoteFault::Crossed))
        }
        _ => assert_eq!(last, "67000.12", "{sim} {fault:?}"),
    }
    let age = clock().since(quote.as_of);
    // A reference rate is as old as its day.
    assert!(sim == Sim::Ecb || age < Span::from_s(3), "{sim} {fault:?}: {age}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_one_market_costs_that_market_only() {
    let simulator = simulator().await;
    let client = Client::new().unwrap();
    for sim in Sim::ALL.into_iter().filter(|sim| *sim != Sim::Custom) {
        let [(bitcoin, pair), (ether, _)] = symbols(sim);
        for fault in faults().into_iter().filter(Fault::can_be_of_one_market) {
            let venue = venue(&simulator, sim, &client, PATIENT);
            simulator.market().fault_market(sim, pair, fault.clone()).unwrap();
            let poll = venue.poll(clock).await;
            // Where one time stands for all markets there is none that could be off for one of them.
            let shares_time = matches!(sim, Sim::Bybit | Sim::Ecb | Sim::Htx | Sim::Kucoin);
            let spared = shares_time && matches!(fault, Fault::ClockSkew { .. });
            let expected = expected(&fault, sim).filter(|_| !spared);
            assert_eq!(of(&poll, bitcoin).err(), expected, "{sim} {fault:?}");
            assert_eq!(of(&poll, ether).unwrap().price().ok(), "3500.5".parse().ok(), "{sim} {fault:?}");
            assert_eq!(poll.fault, None);
            simulator.market().clear(sim);
        }
    }
}

#[tokio::test]
async fn a_venue_without_time_is_as_old_as_its_request_and_penalty() {
    let simulator = simulator().await;
    let client = Client::new().unwrap();
    for (sim, has_time) in
        [(Sim::Kraken, false), (Sim::Coinbase, false), (Sim::Okx, true), (Sim::Binance, true)]
    {
        let poll = venue(&simulator, sim, &client, PATIENT).poll(|| Wall::from_ms(1_900_000_000_000)).await;
        let quote = of(&poll, symbols(sim)[0].0).unwrap();
        assert_eq!(quote.received, Wall::from_ms(1_900_000_000_000));
        let age = quote.received.since(quote.as_of);
        let by_penalty = age >= Span::from_s(1) && age <= Span::from_s(1) + poll.elapsed;
        assert_eq!(by_penalty, !has_time, "{sim}: {age}");
    }
}

/// A venue with these symbols, polled twice.
async fn polls(simulator: &VenueSimulator, sim: Sim, symbols: &[String]) -> [Poll; 2] {
    let base_url = Some(simulator.base_url(sim).parse().unwrap());
    let spec = VenueSpec { base_url, ..VenueSpec::new(VenueId::new(sim.name())) };
    let symbols = symbols.iter().map(|symbol| symbol.as_str().into()).collect();
    let venue = Venue::new(preset(sim.name()).unwrap(), spec, symbols, &Client::new().unwrap()).unwrap();
    // As the driver does it: in a task of its own.
    tokio::spawn(async move { [venue.poll(clock).await, venue.poll(clock).await] }).await.unwrap()
}

#[tokio::test]
async fn one_refused_symbol_is_found_and_left_out_for_a_while() {
    let simulator = simulator().await;
    for (sim, good, bad) in
        [(Sim::Kraken, ["XBTUSD", "ETHUSD"], "LUNAUSD"), (Sim::Binance, ["BTCUSDT", "ETHUSDT"], "LUNAUSDT")]
    {
        let symbols = [good[0], bad, good[1]].map(str::to_owned);
        let [first, second] = polls(&simulator, sim, &symbols).await;
        assert!(first.requests > 1 && first.requests <= 5, "{first:?}");
        assert!(first.detail.as_ref().unwrap().contains(bad), "{first:?}");
        assert_eq!(second.requests, 1, "the symbol is left out");
        for poll in [first, second] {
            assert_eq!(poll.fault, None);
            assert_eq!(of(&poll, bad).err(), Some(SourceFault::SymbolMissing));
            assert!(good.iter().all(|symbol| of(&poll, symbol).is_ok()));
        }
    }
}

#[tokio::test]
async fn a_search_for_refused_symbols_is_bounded() {
    let simulator = simulator().await;
    let unknown = (0..60).map(|n| format!("X{n:02}USD"));
    let symbols: Vec<_> = unknown.chain(["XBTUSD".to_owned()]).collect();
    for poll in polls(&simulator, Sim::Kraken, &symbols).await {
        assert_eq!((poll.requests, poll.observations.len()), (16, 61));
        assert_eq!(poll.fault, Some(SourceFault::VenueError));
    }
    assert_eq!(simulator.market().requests(Sim::Kraken), 32);
}

/// Without this a venue whose requests name a hundred symbols cannot serve a thousand feeds.
#[tokio::test]
async fn more_symbols_than_one_request_can_name_take_as_few_as_can() {
    let pairs = (0..250).map(|n| (format!("A{n:03}/USD"), "5.00".to_owned())).collect();
    let simulator = VenueSimulator::start(SimConfig { prices: pairs, ..SimConfig::default() }).await.unwrap();
    let symbols: Vec<_> = (0..250).map(|n| format!("A{n:03}-USD")).collect();
    for poll in polls(&simulator, Sim::Coinbase, &symbols).await {
        assert_eq!((poll.requests, poll.fault), (3, None));
        assert!(symbols.iter().all(|symbol| of(&poll, symbol).is_ok()));
    }
    // Where one request can ask for everything, it does.
    let symbols: Vec<_> = (0..250).map(|n| format!("A{n:03}USD")).collect();
    for poll in polls(&simulator, Sim::Kraken, &symbols).await {
        assert_eq!((poll.requests, poll.fault), (1, None));
        assert!(symbols.iter().all(|symbol| of(&poll, symbol).is_ok()));
    }
    // A venue that fails is not asked for the rest.
    simulator.market().fault_times(Sim::Coinbase, Fault::ServerError, 1);
    let symbols: Vec<_> = (0..250).map(|n| format!("A{n:03}-USD")).collect();
    let [first, second] = polls(&simulator, Sim::Coinbase, &symbols).await;
    assert_eq!((first.requests, first.fault), (1, Some(SourceFault::HttpStatus)));
    assert_eq!((second.requests, second.fault), (3, None));
}

#[tokio::test]
async fn what_a_poll_says_sets_the_pace() {
    let simulator = simulator().await;
    let client = Client::new().unwrap();
    let venue = venue(&simulator, Sim::Binance, &client, PATIENT);
    for (fault, expected) in [
        (Fault::RateLimited { retry_after_s: Some(30) }, Span::from_s(30)),
        (Fault::Banned418 { retry_after_s: Some(120) }, Span::from_s(120)),
        (Fault::Banned418 { retry_after_s: None }, Span::from_s(600)),
        (Fault::GeoBlocked451, Span::from_s(3600)),
    ] {
        simulator.market().fault_times(Sim::Binance, fault.clone(), 1);
        let poll = venue.poll(clock).await;
        assert_eq!(NextPoll::new(venue.every(), 1).after(&poll), expected, "{fault:?}");
    }
}

/// Without this a list that fails, lies or is empty takes venues out that are well, and a market that is gone votes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_only_a_list_that_can_be_believed_takes_a_market_out() {
    let simulator = simulator().await;
    let client = Client::new().unwrap();
    let with_list = |sim: &Sim| preset(sim.name()).is_some_and(|preset| preset.has_instruments());
    let mut venues = 0;
    for sim in Sim::ALL.into_iter().filter(with_list) {
        venues += 1;
        let [patient, hasty] = [PATIENT, HASTY].map(|timeout| venue(&simulator, sim, &client, timeout));
        let listed = async |venue: &Venue| {
            let listed = venue.listed(clock).await.unwrap();
            let listings: Vec<_> = listed.markets.iter().map(|(_, listing)| *listing).collect();
            (listings, listed.fault, listed.wait)
        };
        let well = (vec![Listing::Trading; 2], None, Span::from_s(3600));
        assert_eq!(listed(&patient).await, well, "{sim}");
        for fault in faults() {
            let slow = matches!(fault, Fault::Stall { .. } | Fault::SlowDrip { .. });
            let venue = if slow { &hasty } else { &patient };
            simulator.market().fault(sim, fault.clone());
            let asked = [listed(venue).await, listed(venue).await];
            simulator.market().clear(sim);
            for (listings, fault, wait) in asked {
                // Nothing, or what it was before; and asked again before an hour has passed.
                let is_kept = if fault.is_some() { listings.is_empty() } else { listings == well.0 };
                assert!(is_kept && (fault.is_none() || wait == Span::from_s(600)), "{sim} {fault:?} {wait}");
            }
        }
        let gone = if matches!(sim, Sim::Upbit | Sim::Gemini | Sim::Bitfinex) {
            Listing::Gone
        } else {
            Listing::Halted
        };
        for (fault, listing) in [(Fault::Unlisted, Listing::Gone), (Fault::Halted, gone)] {
            simulator.market().fault_market(sim, symbols(sim)[0].1, fault).unwrap();
            assert_eq!(listed(&patient).await, (well.0.clone(), None, Span::from_s(60)), "{sim}: once");
            let of_bitcoin = |(market, _): &&(MarketId, Listing)| &*market.symbol == symbols(sim)[0].0;
            let again = patient.listed(clock).await.unwrap().markets;
            assert_eq!(again.iter().find(of_bitcoin).map(|(_, listing)| *listing), Some(listing), "{sim}");
            assert_eq!(again.iter().filter(|(_, listing)| *listing == Listing::Trading).count(), 1, "{sim}");
            assert!(of(&patient.poll(clock).await, symbols(sim)[0].0).is_ok(), "{sim}: it still has a price");
            simulator.market().clear(sim);
            assert_eq!(listed(&patient).await, well, "{sim}");
        }
    }
    assert_eq!(venues, 16);
}
