//! A whole local network in one process tree: anvil, simulated venues, a remote signer's double, deployed contracts,
//! and the daemon on two feeds. Everything but anvil runs inside this process; anvil ends with it.

mod network;

pub use network::Network;

use alloy::primitives::Address;
use publisher_doubles::signer::{SignerConfig, SignerDouble};
use publisher_doubles::venues::{SimConfig, Venue, VenueSimulator, Walk};
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// The chain id of the local network, that of the platform this is made for first.
pub const CHAIN_ID: u64 = 138;

/// The doubles and the node.
pub struct Stage {
    /// anvil.
    pub network: Network,
    /// The venues; absent with `--live`.
    pub venues: Option<VenueSimulator>,
    /// The remote signer.
    pub signer: SignerDouble,
    /// The account that deploys and owns the contracts.
    pub owner: Address,
    /// The account of each feed.
    pub transmitters: [Address; 2],
}

impl Stage {
    /// Starts everything on loopback, on free ports.
    pub async fn set(anvil: &Path, live: bool) -> io::Result<Self> {
        let network = Network::start(anvil, CHAIN_ID).await?;
        let keys: Vec<[u8; 32]> = (0..3).map(|_| random_key()).collect();
        let signer = SignerDouble::start(SignerConfig::new(CHAIN_ID, keys)).await?;
        let [owner, first, second] = <[Address; 3]>::try_from(signer.addresses())
            .map_err(|_| io::Error::other("the signer's double lost a key"))?;
        for account in [owner, first, second] {
            network.fund(account).await?;
        }
        let venues = if live { None } else { Some(walking_venues().await?) };
        Ok(Self { network, venues, signer, owner, transmitters: [first, second] })
    }

    /// The configuration of the daemon on this stage.
    pub fn configuration(&self, folder: &Path) -> io::Result<String> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut toml = format!(
            "# Written by `publisher quickstart`.\n\
             [chain]\nid = {CHAIN_ID}\nrpc = [\"{}\"]\nblock_time = \"1s\"\nfinality = \"instant\"\nfees = \"eip1559\"\n\n\
             [journal]\npath = \"{}\"\n\n[telemetry]\nlisten = \"127.0.0.1:{port}\"\n\n",
            self.network.url(),
            folder.join("publisher.db").display(),
        );
        let accounts = [("owner", self.owner), ("btc", self.transmitters[0]), ("eth", self.transmitters[1])];
        for (name, address) in accounts {
            let url = self.signer.url();
            let _ = write!(
                toml,
                "[signer.{name}]\nkind = \"web3signer\"\nurl = \"{url}\"\naddress = \"{address}\"\n\n"
            );
        }
        for venue in Venue::ALL.into_iter().filter(|venue| *venue != Venue::Custom) {
            if let Some(venues) = &self.venues {
                let url = venues.base_url(venue);
                let _ = write!(toml, "[venue.{}]\nbase_url = \"{url}\"\nevery = \"500ms\"\n\n", venue.name());
            }
        }
        toml.push_str(FEEDS);
        Ok(toml)
    }
}

/// Two feeds over seven venues; prices in tethers are converted with the tether's own rate.
const FEEDS: &str = r#"[defaults.policy]
heartbeat = "15s"
deviation = "0.1%"
settle = "500ms"
max_age = "20s"

[rate."USDT-USD"]
sources = ["kraken:USDTUSD", "coinbase:USDT-USD", "bitstamp:usdtusd", "gemini:USDTUSD", "bitfinex:tUSTUSD"]

[feed."BTC-USD"]
decimals = 8
signer = "btc"
min = "1"
max = "10000000"
sources = ["coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "gemini:BTCUSD", "bitfinex:tBTCUSD", "binance:BTCUSDT * USDT-USD", "okx:BTC-USDT * USDT-USD"]

[feed."ETH-USD"]
decimals = 8
signer = "eth"
min = "0.1"
max = "1000000"
sources = ["coinbase:ETH-USD", "kraken:ETHUSD", "bitstamp:ethusd", "gemini:ETHUSD", "bitfinex:tETHUSD", "binance:ETHUSDT * USDT-USD", "okx:ETH-USDT * USDT-USD"]
"#;

/// Venues whose prices walk at random, each a little apart from the others.
async fn walking_venues() -> io::Result<VenueSimulator> {
    let venues = VenueSimulator::start(SimConfig::default()).await?;
    for (seed, pair) in [(138, "BTC/USD"), (1559, "ETH/USD")] {
        let walk = Walk { seed, step_bps: 8, every_ms: 1000, noise_bps: 1 };
        venues.market().walk(pair, walk).map_err(|refused| io::Error::other(refused.to_string()))?;
    }
    Ok(venues)
}

/// A key for this run only.
fn random_key() -> [u8; 32] {
    alloy::signers::local::PrivateKeySigner::random().to_bytes().0
}
