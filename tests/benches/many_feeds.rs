//! `cargo bench -p publisher-tests`: what one daemon costs that publishes from one feed to a thousand.
//!
//! Everything is real but the venues and the signer: anvil with a block a second, an account and an aggregator a feed,
//! five venues that each tell every feed's price twice a second, which makes ten quotes a second a feed. The daemon's
//! own processor time and memory are read from the kernel, so that what the rest of the machine does matters little.
//! Numbers of feeds can be given as arguments.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and may stop by panicking"
)]

use alloy::network::EthereumWallet;
use alloy::node_bindings::Anvil;
use alloy::primitives::{Address, I256, U256};
use alloy::providers::ext::AnvilApi;
use alloy::providers::{Provider, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use publisher_bindings::{Aggregator, AggregatorProxy};
use publisher_doubles::signer::{SignerConfig, SignerDouble};
use publisher_doubles::venues::{Limits, SimConfig, Venue, VenueSimulator};
use publisher_tests::daemon::Daemon;
use publisher_tests::ports::free_port;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Built like a release, without fail-points being asked for.
const BINARY: &str = env!("CARGO_BIN_EXE_publisher-under-test");
/// How long the daemon is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// How long every feed's first round may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// What `sysconf(_SC_CLK_TCK)` says on every Linux.
const TICKS_A_SECOND: f64 = 100.0;
/// Gas of one creation, amply.
const GAS: u64 = 3_000_000;

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("| feeds | quotes a second | share of one core | MiB |\n|---|---|---|---|");
    for feeds in if asked.is_empty() { vec![1, 100, 1000] } else { asked } {
        runtime.block_on(measure(feeds));
    }
}

fn asset(feed: usize) -> String {
    format!("A{feed:04}")
}

async fn measure(feeds: usize) {
    let path = tokio::task::spawn_blocking(|| publisher::anvil::find(|_| {})).await.unwrap().unwrap();
    let arguments = ["--block-time", "1", "--gas-limit", "100000000000"];
    let anvil = Anvil::at(path).chain_id(138).args(arguments).timeout(20_000).try_spawn().unwrap();
    let owner: PrivateKeySigner = anvil.first_key().clone().into();
    let owner_address = owner.address();
    let client = ProviderBuilder::new()
        .wallet(EthereumWallet::from(owner))
        .connect_http(anvil.endpoint_url())
        .erased();

    let mut market = SimConfig { limits: Limits::Off, ..SimConfig::default() };
    market.prices.extend((0..feeds).map(|feed| (format!("{}/USD", asset(feed)), "100.00".to_owned())));
    let venues = VenueSimulator::start(market).await.unwrap();
    let key = |feed: usize| -> [u8; 32] {
        let mut key = [1; 32];
        key[24..].copy_from_slice(&u64::try_from(feed).unwrap().to_be_bytes());
        key
    };
    let signer = SignerDouble::start(SignerConfig::new(138, (0..feeds).map(key).collect())).await.unwrap();
    let accounts = signer.addresses();

    let bounds = [1i64, 1_000_000_000_000_000].map(|bound| I256::try_from(bound).unwrap());
    let mut homes: Vec<(Address, Address)> = Vec::new();
    for (nonce, account) in (0u64..).step_by(2).zip(&accounts) {
        client.anvil_set_balance(*account, U256::from(10).pow(U256::from(20))).await.unwrap();
        let (aggregator, proxy) = (owner_address.create(nonce), owner_address.create(nonce + 1));
        let name = format!("feed {nonce}");
        let created =
            Aggregator::deploy_builder(&client, 8, name, bounds[0], bounds[1], owner_address, *account, 0);
        let _sent = created.gas(GAS).send().await.unwrap();
        let created = AggregatorProxy::deploy_builder(&client, aggregator, owner_address);
        let _sent = created.gas(GAS).send().await.unwrap();
        homes.push((aggregator, proxy));
    }
    let last = homes.last().unwrap().1;
    while client.get_code_at(last).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let dir = tempfile::tempdir().unwrap();
    let telemetry = free_port().unwrap();
    let mut toml = format!(
        "[chain]\nid = 138\nrpc = [\"{}\"]\nblock_time = \"1s\"\nfinality = \"depth:2\"\nfees = \"eip1559\"\n\
         [journal]\npath = \"{}\"\n[telemetry]\nlisten = \"127.0.0.1:{telemetry}\"\n\
         [defaults.policy]\nheartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"20s\"\n\
         [rate.\"USDT-USD\"]\nsources = [\"kraken:USDTUSD\", \"coinbase:USDT-USD\", \"bitstamp:usdtusd\"]\n",
        anvil.endpoint(),
        dir.path().join("rounds.db").display(),
    );
    for venue in Venue::ALL.into_iter().filter(|venue| *venue != Venue::Custom) {
        let (name, url) = (venue.name(), venues.base_url(venue));
        writeln!(toml, "[venue.{name}]\nbase_url = \"{url}\"\nevery = \"500ms\"").unwrap();
    }
    for (feed, ((aggregator, proxy), account)) in homes.iter().zip(&accounts).enumerate() {
        let upper = asset(feed);
        let lower = upper.to_lowercase();
        writeln!(
            toml,
            "[signer.key{feed}]\nkind = \"web3signer\"\nurl = \"{}\"\naddress = \"{account}\"\n\
             [feed.\"{upper}-USD\"]\ndecimals = 8\nmin = \"0.00000001\"\nmax = \"10000000\"\nsigner = \"key{feed}\"\n\
             aggregator = \"{aggregator}\"\nproxy = \"{proxy}\"\nsources = [\"coinbase:{upper}-USD\", \
             \"kraken:{upper}USD\", \"bitstamp:{lower}usd\", \"binance:{upper}USDT * USDT-USD\", \
             \"okx:{upper}-USDT * USDT-USD\"]",
            signer.url(),
        )
        .unwrap();
    }
    let config = dir.path().join("publisher.toml");
    std::fs::write(&config, toml).unwrap();
    let mut daemon = Daemon::start(BINARY, &config, dir.path(), &[]).unwrap();

    let began = Instant::now();
    while !is_calm(telemetry, feeds).await {
        let log = || std::fs::read_to_string(dir.path().join("daemon.log")).unwrap_or_default();
        let words = || log().lines().rev().take(20).collect::<Vec<_>>().join("\n");
        assert!(daemon.is_running().unwrap() && began.elapsed() < PATIENCE, "{}", words());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let polls = || Venue::ALL.into_iter().map(|venue| venues.market().requests(venue)).sum::<u64>();
    let (polls_before, ticks_before, began) = (polls(), ticks(daemon.id()), Instant::now());
    tokio::time::sleep(WATCHED).await;
    let seconds = began.elapsed().as_secs_f64();
    let cores = (ticks(daemon.id()) - ticks_before) / TICKS_A_SECOND / seconds;
    let polled: f64 = (polls() - polls_before).to_string().parse().unwrap();
    let quotes = polled / seconds * feeds.to_string().parse::<f64>().unwrap();
    println!("| {feeds} | {quotes:.0} | {:.1} % | {:.0} |", cores * 100.0, mib(daemon.id()));
    daemon.drain().await.unwrap();
}

/// Whether every feed has a round and nothing is on its way.
async fn is_calm(telemetry: u16, feeds: usize) -> bool {
    let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{telemetry}/status")).await else { return false };
    let Ok(status) = answer.json::<Value>().await else { return false };
    let Some(list) = status["feeds"].as_array() else { return false };
    let calm = |feed: &Value| feed["round"].as_u64() >= Some(1) && feed["in_flight"] == false;
    list.len() == feeds && list.iter().all(calm)
}

/// Processor time in ticks: fields 14 and 15 of `/proc/PID/stat`, see proc_pid_stat(5).
fn ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum()
}

/// Resident memory: `VmRSS` of `/proc/PID/status`, see proc_pid_status(5).
fn mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
