//! `cargo bench -p publisher`: what the daemon itself costs, stage by stage, in one run on one machine.
//!
//! Absolute times depend on the machine; the ratios are what to compare. The path from a quote to accepted bytes runs
//! through the real parts (core, SQLite journal with full durability, development keystore, anvil), one after another,
//! so that each stage can be timed; the daemon runs them concurrently for different feeds. Venues are the simulator's:
//! it answers in their formats, and its work is not timed.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and may stop by panicking"
)]

use alloy::primitives::{Address, I256, U256};
use publisher::chain::{Node, NodeSetup};
use publisher::signer::{Client as SignerClient, Policy as SignPolicy, Signer, SignerConfig, SignerKind};
use publisher::sources::{Client as SourceClient, Venue, VenueSpec, preset};
use publisher::store::Journal;
use publisher_bindings::Aggregator;
use publisher_core::aggregate::Rules;
use publisher_core::book::{Path, Pricing};
use publisher_core::fees::{FeePolicy, FeeProfile, ReplacementRule};
use publisher_core::head::Finality;
use publisher_core::io::{Effect, Input};
use publisher_core::lease::Beat;
use publisher_core::machine::{ChainSpec, FeedSpec, Machine, Spec};
use publisher_core::outbox::Timing;
use publisher_core::policy::{Deviation, Policy};
use publisher_core::price::{Answer, Ratio};
use publisher_core::quote::{FeedId, MarketId, Observation, Quote, VenueId};
use publisher_core::record::Recovered;
use publisher_core::spend::Caps;
use publisher_core::time::{Mono, Now, Span, Wall};
use publisher_core::tx::{AccountView, BlockRef, FeeHint, Flag, PreflightAnswer, RoundView, SendOutcome};
use publisher_doubles::venues::{Limits, SimConfig, Venue as SimVenue, VenueSimulator};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

const SOURCES: usize = 10;
const ROUNDS: usize = 60;
const TICKS: usize = 20;
const WATCHED_S: u64 = 10;
const FEEDS_MAX: usize = 10_000;
const PRICE: usize = 67_000;

fn main() {
    println!("core: one step for a quote of every feed of a venue");
    let mut base = None;
    for feeds in [1usize, 100, 1000, FEEDS_MAX] {
        core_steps(feeds, &mut base);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!(
        "\none tick of ten venues, from the bytes of their answers to a decision for every feed (p50 of {TICKS})"
    );
    for feeds in [1usize, 10, 100, 1000] {
        runtime.block_on(one_tick(feeds));
    }
    println!(
        "\nhow long a quote waits for its decision, looks at sources and timers included ({WATCHED_S} s of ten venues, each market told once a second)"
    );
    for feeds in [1usize, 100, 1000] {
        waiting(feeds, Told::Together);
        waiting(feeds, Told::OneByOne);
    }
    println!("\none round, stage by stage (p50 and p99 of {ROUNDS})");
    runtime.block_on(one_round());
}

fn spec(
    feeds: usize,
    account: Address,
    aggregator: impl Fn(usize) -> Address,
    market: impl Fn(usize, usize) -> MarketId,
) -> Spec {
    let rules = Rules::of(6);
    let policy = Policy {
        heartbeat: Span::from_s(3600),
        heartbeat_lead: Span::from_s(2),
        deviation: Deviation { relative: Ratio::from_bps(50), ..Deviation::default() },
        ..Policy::within(Answer::new(I256::ONE), Answer::new(I256::MAX))
    };
    let feed = |index: usize| {
        let id = FeedId::new(&format!("FEED-{index}"));
        let paths = (0..SOURCES).map(|venue| Path::direct(market(venue, index))).collect();
        let feed = FeedSpec {
            aggregator: aggregator(index),
            entry: None,
            decimals: 8,
            account,
            pricing: Pricing { paths, rules, max_age: Span::from_s(60), reference: None, constant: None },
            off_hours: None,
            policy: policy.clone(),
            gas_floor: 100_000,
            gas_ceiling: 500_000,
        };
        (id, feed)
    };
    Spec {
        chain: ChainSpec {
            chain_id: 138,
            block_time: Span::from_s(2),
            finality: Finality::Instant,
            fees: FeePolicy {
                profile: FeeProfile::Eip1559,
                max_fee_wei: 1_000_000_000_000,
                min_tip_wei: 1,
                bump_percent: 0,
                rule: ReplacementRule::ANVIL,
            },
            caps: Caps::default(),
            timing: Timing {
                answer_timeout: Span::from_s(5),
                retry: Span::from_ms(500),
                retry_max: Span::from_s(15),
                resend: Span::from_s(5),
                bump_heads: 3,
            },
            in_flight_max: 16,
            round_refresh: Span::from_s(86_400),
        },
        feeds: (0..feeds).map(feed).collect(),
        stores: BTreeMap::new(),
        rates: BTreeMap::new(),
        accounts: Vec::new(),
        acknowledge_halts: false,
    }
}

/// A market of a venue that does not exist.
fn made_up(venue: usize, feed: usize) -> MarketId {
    static ALL: LazyLock<Vec<Vec<MarketId>>> = LazyLock::new(|| {
        let market =
            |venue: usize, feed: usize| MarketId::new(&format!("venue{venue}"), &format!("FEED-{feed}"));
        (0..SOURCES).map(|venue| (0..FEEDS_MAX).map(|feed| market(venue, feed)).collect()).collect()
    });
    ALL.get(venue).and_then(|markets| markets.get(feed)).cloned().expect("one of them")
}

/// What a venue says of some feeds' markets: a bid, an ask and a last trade that never give a feed a reason to publish.
fn quotes(venue: usize, feeds: Range<usize>, price: usize, now: Wall) -> Input {
    let price = |cents: usize| format!("{price}.{cents}").parse().ok();
    let observation = |index: usize| {
        Observation::Quote(Quote {
            market: made_up(venue, index),
            bid: price(10 + venue),
            ask: price(30 + venue),
            last: price(20 + venue),
            base_volume: None,
            as_of: now,
            received: now,
            is_clocked: true,
        })
    };
    Input::Observed(feeds.map(observation).collect())
}

/// Memory in use, in MiB.
fn rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Every venue's quotes for every feed, with nothing to publish: the steady state of a quiet market.
fn core_steps(feeds: usize, base: &mut Option<f64>) {
    let before = rss_mib();
    let mut wall = Wall::from_s(1_800_000_000);
    let mut mono = Mono::from_ms(86_400_000);
    let mut machine = idle_machine(feeds, Now { wall, mono });
    let rounds = (200_000 / (feeds * SOURCES)).clamp(2, 2000);
    for venue in 0..SOURCES {
        settle(&mut machine, Now { wall, mono }, quotes(venue, 0..feeds, PRICE, wall), wall);
    }
    let (mut took, mut steps) = (Duration::ZERO, 0u32);
    for _ in 0..rounds {
        wall = wall + Span::from_ms(1);
        mono = mono + Span::from_ms(1);
        for venue in 0..SOURCES {
            let input = quotes(venue, 0..feeds, PRICE, wall);
            let start = Instant::now();
            machine.step(Now { wall, mono }, input);
            took += start.elapsed();
            steps += 1;
        }
    }
    let quotes = f64::from(steps) * f64::from(u32::try_from(feeds).unwrap_or(u32::MAX));
    let per_quote = took.as_secs_f64() * 1e6 / quotes;
    let base = base.get_or_insert(per_quote);
    println!(
        "  {feeds:>6} feeds x {SOURCES} sources: {:>9.0} steps/s  {:>9.0} quotes/s  {per_quote:>6.2} us a quote ({:.2} x one feed)  +{:.0} MiB",
        f64::from(steps) / took.as_secs_f64(),
        quotes / took.as_secs_f64(),
        per_quote / *base,
        rss_mib() - before,
    );
}

/// A machine whose chain has a head.
fn idle_machine(feeds: usize, now: Now) -> Machine {
    let spec =
        spec(feeds, Address::repeat_byte(1), |feed| Address::left_padding_from(&feed.to_be_bytes()), made_up);
    let mut machine = Machine::new(spec, &Recovered::default(), now).expect("a machine");
    let head = BlockRef { number: 1, hash: [1; 32].into(), parent: [0; 32].into(), time: now.wall };
    let fees = FeeHint { base_fee_wei: Some(1), tip_wei: 1, gas_price_wei: 1, ..FeeHint::default() };
    settle(&mut machine, now, Input::Head { head, fees, tagged: None }, now.wall);
    machine
}

/// How a venue tells its prices.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    /// All in one answer to a poll.
    Together,
    /// Each market by itself, over a socket.
    OneByOne,
}

/// Lets quotes and timers come at their times and the machine take as long for each as it does, one after another: how
/// long it is from a quote's arrival to the end of the step that decides about it. Times are simulated, work is real.
fn waiting(feeds: usize, told: Told) {
    let start = Wall::from_s(1_800_000_000);
    let up = Mono::from_ms(86_400_000);
    let at = |us: u64| Now { wall: start + Span::from_ms(us / 1000), mono: up + Span::from_ms(us / 1000) };
    let mut machine = idle_machine(feeds, at(0));
    for venue in 0..SOURCES {
        settle(&mut machine, at(0), quotes(venue, 0..feeds, PRICE, start), start);
    }
    let mut random = fastrand::Rng::with_seed(138);
    let mut arrivals: Vec<(u64, usize, Range<usize>)> = Vec::new();
    for second in 0..WATCHED_S {
        for venue in 0..SOURCES {
            let mut arrive =
                |feeds| arrivals.push((second * 1_000_000 + random.u64(0..1_000_000), venue, feeds));
            match told {
                Told::Together => arrive(0..feeds),
                Told::OneByOne => (0..feeds).for_each(|feed| arrive(feed..feed + 1)),
            }
        }
    }
    arrivals.sort_unstable_by_key(|(at, ..)| *at);
    let (mut free_at, mut busy_us, mut waits) = (0u64, 0u64, Vec::new());
    for (arrival, venue, told) in arrivals {
        // Timers that are due before the quote comes, or while it waits.
        loop {
            let wake = machine.wake_at().since(up).ms() * 1000;
            if wake > arrival.max(free_at) {
                break;
            }
            let begin = wake.max(free_at);
            let took = step(&mut machine, at(begin), Input::Tick);
            (free_at, busy_us) = (begin + took, busy_us + took);
        }
        let begin = arrival.max(free_at);
        let input = quotes(venue, told.clone(), PRICE, at(arrival).wall);
        let took = step(&mut machine, at(begin), input);
        (free_at, busy_us) = (begin + took, busy_us + took);
        waits.extend(told.map(|_| free_at - arrival));
    }
    waits.sort_unstable();
    let percentile =
        |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default() as f64 / 1e3;
    println!(
        "  {feeds:>6} feeds, {:<20} p50 {:>7.3} ms, p99 {:>7.3} ms, worst {:>7.3} ms, {:>5.1} % of a core",
        if told == Told::Together { "a venue at once:" } else { "each market by itself:" },
        percentile(50),
        percentile(99),
        waits.last().copied().unwrap_or_default() as f64 / 1e3,
        busy_us as f64 / (WATCHED_S as f64 * 1e4),
    );
}

/// How many microseconds a step takes.
fn step(machine: &mut Machine, now: Now, input: Input) -> u64 {
    let start = Instant::now();
    machine.step(now, input);
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// How a venue spells the market of a coin.
type Spelling = fn(&str) -> String;

/// Ten venues, each of which answers for every market at once.
const VENUES: [(&str, Spelling); SOURCES] = [
    ("kraken", |coin| format!("{coin}USD")),
    ("bitstamp", |coin| format!("{}usd", coin.to_lowercase())),
    ("okx", |coin| format!("{coin}-USD")),
    ("crypto-com", |coin| format!("{coin}_USD")),
    ("bybit", |coin| format!("{coin}USDT")),
    ("bitget", |coin| format!("{coin}USDT")),
    ("mexc", |coin| format!("{coin}USDT")),
    ("gate", |coin| format!("{coin}_USDT")),
    ("kucoin", |coin| format!("{coin}-USDT")),
    ("htx", |coin| format!("{}usdt", coin.to_lowercase())),
];

/// The name of a made-up coin: four letters.
fn coin(index: usize) -> String {
    let letter = |place: usize| char::from(b'A' + u8::try_from(index / place % 26).unwrap_or(0));
    ['Q', letter(676), letter(26), letter(1)].into_iter().collect()
}

/// A whole tick of every venue: what it costs to read the answers and to decide, and how many requests it takes.
async fn one_tick(feeds: usize) {
    let mut prices: Vec<_> =
        (0..feeds).map(|index| (format!("{}/USD", coin(index)), "67.1234".to_owned())).collect();
    prices.push(("USDT/USD".to_owned(), "1.0000".to_owned()));
    let simulator = VenueSimulator::start(SimConfig { prices, limits: Limits::Off, ..SimConfig::default() })
        .await
        .expect("venues");
    let client = SourceClient::new().expect("a client");
    let mut venues = Vec::new();
    for (name, spell) in VENUES {
        let venue: SimVenue = name.parse().expect("a venue");
        let url = simulator.base_url(venue).parse().expect("a URL");
        let id = VenueId::new(name);
        let spec = VenueSpec { base_url: Some(url), ..VenueSpec::new(id) };
        let symbols = (0..feeds).map(|index| spell(&coin(index)).into()).collect();
        venues.push(Venue::new(preset(name).expect("a preset"), spec, symbols, &client).expect("a venue"));
    }
    let clock =
        || Wall::from_ms(i64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()).unwrap_or(0));
    let (mut requests, mut bodies) = (0, Vec::new());
    for venue in &venues {
        let poll = venue.poll(clock).await;
        assert!(poll.fault.is_none(), "{}: {:?}", venue.id(), poll.detail);
        requests += poll.requests;
        bodies.push(venue.body(clock).await.expect("a body"));
    }
    let market = |venue: usize, feed: usize| {
        let (name, spell) = VENUES.get(venue).expect("ten venues");
        MarketId::new(name, &spell(&coin(feed)))
    };
    let (mut wall, mut mono) = (clock(), Mono::from_ms(86_400_000));
    let spec = spec(feeds, Address::repeat_byte(1), |_| Address::repeat_byte(2), market);
    let mut machine = Machine::new(spec, &Recovered::default(), Now { wall, mono }).expect("a machine");
    let (mut reading, mut deciding) = (Vec::new(), Vec::new());
    for _ in 0..TICKS {
        (wall, mono) = (wall + Span::from_ms(1), mono + Span::from_ms(1));
        let start = Instant::now();
        let inputs: Vec<Input> = venues
            .iter()
            .zip(&bodies)
            .map(|(venue, (body, received))| Input::Observed(venue.observations(body, *received)))
            .collect();
        reading.push(start.elapsed());
        let start = Instant::now();
        for input in inputs {
            machine.step(Now { wall, mono }, input);
        }
        deciding.push(start.elapsed());
    }
    let middle = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    let (reading, deciding) = (middle(&mut reading), middle(&mut deciding));
    let bytes: usize = bodies.iter().map(|(body, _)| body.len()).sum();
    println!(
        "  {feeds:>6} feeds: {requests} requests, {:>5} KiB, reading {reading:>7.3} ms, deciding {deciding:>7.3} ms, {:.2} us a quote",
        bytes / 1024,
        (reading + deciding) * 1e3 / (feeds * SOURCES) as f64,
    );
}

/// Answers everything the machine asks as an idle chain would, until it asks nothing.
fn settle(machine: &mut Machine, now: Now, input: Input, updated_at: Wall) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        for effect in machine.step(now, input) {
            match effect {
                Effect::FetchAccount { ticket, account, at, hashes } => {
                    let receipts =
                        hashes.into_iter().map(|h| (h, publisher_core::tx::ReceiptAnswer::Absent)).collect();
                    let view =
                        AccountView { at_number: at.number, mined_nonce: 0, receipts, skips: Vec::new() };
                    inputs.push(Input::Account { ticket, account, view: Some(view) });
                }
                Effect::FetchRound { ticket, feed, at } => {
                    let view = RoundView {
                        block_number: at.number,
                        block_hash: at.hash,
                        round: 1,
                        answer: "6700004000000".parse().expect("an answer"),
                        updated_at,
                        paused: false,
                        authorised: true,
                        flag: Flag::Unwatched,
                    };
                    inputs.push(Input::Round { ticket, feed, view: Some(view) });
                }
                _ => {}
            }
        }
    }
}

/// The stages of a round and how long each took.
#[derive(Default)]
struct Stages(BTreeMap<&'static str, Vec<Duration>>);

impl Stages {
    async fn time<T>(&mut self, stage: &'static str, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        self.0.entry(stage).or_default().push(start.elapsed());
        done
    }

    fn percentile(&self, stage: &str, percent: usize) -> Duration {
        let mut times = self.0.get(stage).cloned().unwrap_or_default();
        times.sort_unstable();
        times
            .get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

/// Real parts around the core: journal, keystore, anvil.
async fn one_round() {
    use alloy::node_bindings::Anvil;
    use alloy::providers::ProviderBuilder;
    use alloy::providers::ext::AnvilApi;
    use alloy::signers::local::PrivateKeySigner;

    let path = publisher::anvil::find(|_| ()).expect("anvil");
    let anvil = Anvil::at(path).chain_id(138).try_spawn().expect("anvil starts");
    let owner: PrivateKeySigner = anvil.first_key().clone().into();
    let owner_address = owner.address();
    let account = HOLDER;
    let provider = ProviderBuilder::new().wallet(owner).connect_http(anvil.endpoint_url());
    provider.anvil_set_balance(account, U256::from(10).pow(U256::from(20))).await.expect("funded");
    let (low, high) = (I256::ONE, I256::from_raw(U256::from(10).pow(U256::from(20))));
    let aggregator =
        Aggregator::deploy(&provider, 8, "BENCH".to_owned(), low, high, owner_address, account, 0).await;
    let aggregator = *aggregator.expect("deployed").address();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("key"), KEYSTORE).expect("a keystore");
    std::fs::write(folder.path().join("password"), "testpassword").expect("a password");
    let node = Node::new(&NodeSetup::new(anvil.endpoint_url())).expect("a node");
    let config = SignerConfig {
        name: "bench".to_owned(),
        address: account,
        kind: SignerKind::Keystore {
            path: folder.path().join("key"),
            password_file: folder.path().join("password"),
        },
        timeout: Duration::from_secs(5),
    };
    let policy = SignPolicy {
        chain_id: 138,
        allowed: [aggregator].into(),
        allow_creation: false,
        max_gas: 500_000,
        max_fee_wei: 1_000_000_000_000,
    };
    let signer = Signer::open(config, policy, &SignerClient::new().expect("TLS")).await.expect("a signer");
    let genesis = node.genesis().await.expect("a genesis");
    let (journal, recovered) =
        Journal::open(&folder.path().join("journal.db"), 138, genesis).await.expect("a journal");
    let lease = Beat { wants: [account].into(), take: [account].into(), ..Beat::default() };
    let held = journal.beat(&lease, None).await.expect("an answer").held;
    assert_eq!(held, [(account, 1)].into());
    let start = Instant::now();
    let now = || Now {
        wall: publisher::driver::wall(),
        mono: Mono::from_ms(86_400_000 + u64::try_from(start.elapsed().as_millis()).unwrap_or(0)),
    };
    let mut machine =
        Machine::new(spec(1, account, |_| aggregator, made_up), &recovered, now()).expect("a machine");
    let (mut stages, mut mined) = (Stages::default(), 0);
    for round in 0..ROUNDS {
        let price = PRICE + round * 1_000;
        for venue in 0..SOURCES {
            let wall = now().wall;
            pump(
                &mut machine,
                quotes(venue, 0..1, price, wall),
                &node,
                &signer,
                &journal,
                &mut stages,
                &now,
                aggregator,
                account,
            )
            .await;
        }
        // What was sent last is mined soon, and the next price is of after it: else a busy machine merges rounds.
        let (mut head, mut base) = node.head().await.expect("a head");
        for _ in 0..200 {
            if head.number > mined {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            (head, base) = node.head().await.expect("a head");
        }
        mined = head.number;
        let fees = node.fee_hint(FeeProfile::Eip1559, base).await.expect("fees");
        let input = Input::Head { head, fees, tagged: None };
        pump(&mut machine, input, &node, &signer, &journal, &mut stages, &now, aggregator, account).await;
    }
    let own = ["decide", "journal", "sign"];
    for stage in ["decide", "journal", "sign", "pre-flight (node)", "broadcast (node)"] {
        let (p50, p99) = (stages.percentile(stage, 50), stages.percentile(stage, 99));
        println!("  {stage:<18} {:>8.3} ms  {:>8.3} ms", p50.as_secs_f64() * 1e3, p99.as_secs_f64() * 1e3);
    }
    // Two commits a round: the intent, and the attempt before its bytes leave.
    let mine: Duration =
        own.iter().map(|s| stages.percentile(s, 50) * if *s == "journal" { 2 } else { 1 }).sum();
    let nodes = stages.percentile("pre-flight (node)", 50) + stages.percentile("broadcast (node)", 50);
    println!(
        "  quote to signed-and-sent: {:.3} ms of our own and {:.3} ms waiting for the node: ours is {:.2} of the whole; rss {:.0} MiB",
        mine.as_secs_f64() * 1e3,
        nodes.as_secs_f64() * 1e3,
        mine.as_secs_f64() / (mine + nodes).as_secs_f64(),
        rss_mib(),
    );
    let state = node
        .round_view(aggregator, account, None, &node.head().await.expect("a head").0)
        .await
        .expect("a round");
    assert!(
        state.round >= u64::try_from(ROUNDS).unwrap_or(u64::MAX) - 2,
        "the rounds were really published: {}",
        state.round
    );
}

/// Performs effects one after another, timing each stage.
#[expect(clippy::too_many_arguments, reason = "a benchmark's plumbing")]
async fn pump(
    machine: &mut Machine,
    input: Input,
    node: &Node,
    signer: &Signer,
    journal: &Journal,
    stages: &mut Stages,
    now: &impl Fn() -> Now,
    aggregator: Address,
    account: Address,
) {
    let mut inputs = std::collections::VecDeque::from([input]);
    while let Some(input) = inputs.pop_front() {
        let effects = stages.time("decide", async { machine.step(now(), input) }).await;
        for effect in effects {
            inputs.extend(match effect {
                Effect::Persist(records) => {
                    stages
                        .time("journal", journal.append(&records, &BTreeMap::from([(account, 1)])))
                        .await
                        .expect("written");
                    None
                }
                Effect::Preflight { ticket, from, call } => {
                    let answer = stages.time("pre-flight (node)", node.preflight(&call, from)).await;
                    assert!(matches!(answer, PreflightAnswer::Gas(_)), "{answer:?}");
                    Some(Input::Preflight { ticket, answer })
                }
                Effect::Sign { ticket, tx } => {
                    let signed = stages.time("sign", signer.sign(&tx)).await.expect("a signature");
                    Some(Input::Signed { ticket, account, hash: signed.hash, raw: signed.raw })
                }
                Effect::Broadcast { account, hash, raw } => {
                    let sent = stages.time("broadcast (node)", node.send_raw(&raw, hash)).await;
                    assert_eq!(sent.outcome, SendOutcome::Accepted, "{}", sent.detail);
                    Some(Input::Sent {
                        account,
                        hash,
                        outcome: sent.outcome,
                        minimum: None,
                        detail: String::new(),
                    })
                }
                Effect::FetchAccount { ticket, account, at, hashes } => {
                    let view = node.account_view(account, &hashes, &at).await.ok();
                    Some(Input::Account { ticket, account, view })
                }
                Effect::FetchRound { ticket, feed, at } => {
                    let view = node.round_view(aggregator, account, None, &at).await.ok();
                    Some(Input::Round { ticket, feed, view })
                }
                Effect::FetchAncestors { ticket, number, hash, count } => {
                    let blocks = node.ancestors(number, hash, count).await.ok();
                    Some(Input::Ancestors { ticket, blocks })
                }
                Effect::FetchBlockHash { ticket, .. } => Some(Input::BlockHash { ticket, hash: None }),
                Effect::FetchStore { ticket, store, .. } => Some(Input::Store { ticket, store, view: None }),
                Effect::Report(_) | Effect::Beat { .. } | Effect::Recover { .. } => None,
            });
        }
    }
}

/// The PBKDF2 example of the Web3 Secret Storage definition; its password and key are public.
const KEYSTORE: &str = r#"{"crypto": {"cipher": "aes-128-ctr",
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2", "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
        "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}"#;
/// Its account.
const HOLDER: Address = alloy::primitives::address!("0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
