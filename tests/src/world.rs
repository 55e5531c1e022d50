//! A whole small world on loopback: anvil or another node, five venues, a remote signer, a fault proxy, deployed contracts, a
//! configuration, and the real daemon as a process of its own.

use crate::calldata::OldName;
use crate::chains::{Chain, Node};
use crate::daemon::Daemon;
use crate::ports::free_port;
use crate::rpc_proxy::RpcProxy;
use alloy::network::EthereumWallet;
use alloy::node_bindings::Anvil;
use alloy::primitives::{Address, B256, I256, U256, address};
use alloy::providers::ext::AnvilApi;
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use anyhow::{Context, Result};
use publisher::store::Location;
use publisher_bindings::{Aggregator, AggregatorProxy};
use publisher_doubles::signer::{SignerConfig, SignerDouble};
use publisher_doubles::venues::{Limits, SimConfig, Venue, VenueSimulator};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// What comes soon on a quiet machine may take this many times as long on a busy one. A test that passes waits for
/// none of it.
pub const PATIENCE: u32 = 4;

/// How a world differs from the usual one.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration's `chain.finality`.
    pub finality: &'static str,
    /// The configuration's `chain.fees`.
    pub fees: &'static str,
    /// The configuration's signer kind.
    pub signer: &'static str,
    /// Feeds: `BTC-USD`, `ETH-USD` and up to eighteen more.
    pub feeds: usize,
    /// One account submits the rounds of all feeds, instead of one account a feed.
    pub one_account: bool,
    /// The policy of every feed, as TOML lines.
    pub policy: &'static str,
    /// Venues that every feed reads.
    pub venues: usize,
    /// Further arguments for anvil.
    pub anvil: &'static [&'static str],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            finality: "depth:12",
            fees: "eip1559",
            signer: "web3signer",
            feeds: 1,
            one_account: false,
            policy: "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nbreaker = \"off\"\nsettle = \"800ms\"",
            venues: 5,
            anvil: &["--block-time", "1"],
        }
    }
}

/// One feed's contracts.
#[derive(Clone, Debug)]
pub struct FeedHome {
    /// Its name in the configuration.
    pub id: &'static str,
    /// Its market at the venues.
    pub pair: &'static str,
    /// Its aggregator.
    pub aggregator: Address,
    /// Its proxy.
    pub proxy: Address,
    /// The account that submits its rounds.
    pub account: Address,
    /// The store that has its rounds, and its number there; the aggregator is then the store's facade for it.
    pub store: Option<(Address, u16)>,
}

/// See the module's documentation.
pub struct World {
    /// What was asked for.
    pub options: Options,
    /// The node.
    pub node: Node,
    /// A client that signs as the contracts' owner.
    pub owner: DynProvider,
    /// The owner.
    pub owner_address: Address,
    /// What stands between daemon and node.
    pub proxy: RpcProxy,
    /// The venues.
    pub venues: VenueSimulator,
    /// The remote signer.
    pub signer: SignerDouble,
    /// The feeds.
    pub feeds: Vec<FeedHome>,
    /// Where configuration, journal and logs are.
    pub dir: TempDir,
    /// Shared journals, which the judge reads besides the file; the last is that of now.
    pub databases: Vec<Location>,
    /// The logs of replicas, for the message of a test that fails.
    pub(crate) replica_logs: RefCell<Vec<PathBuf>>,
    telemetry_port: u16,
}

/// Names of the feed, its market and its asset.
macro_rules! feeds {
    ($($asset:literal)*) => { [$((concat!($asset, "-USD"), concat!($asset, "/USD"), $asset)),*] };
}

const FEEDS: [(&str, &str, &str); 20] = feeds!["BTC" "ETH" "ADA" "ALGO" "ATOM" "AVAX" "BCH" "COMP" "CRV" "DOT" "FIL"
    "GRT" "LINK" "LTC" "NEAR" "SNX" "SOL" "TRX" "UNI" "XRP"];

/// The key of the Web3 Secret Storage definition's example: public, and known to everybody.
const KEYSTORE: &str = r#"{"crypto": {"cipher": "aes-128-ctr",
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2", "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
        "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}"#;
const KEYSTORE_PASSWORD: &str = "testpassword";
const KEYSTORE_HOLDER: Address = address!("0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");

impl World {
    /// Builds everything but the daemon.
    pub async fn new(options: Options) -> Result<Self> {
        let path = tokio::task::spawn_blocking(|| publisher::anvil::find(|_| {})).await??;
        let anvil = Anvil::at(path).chain_id(138).args(options.anvil).timeout(20_000).try_spawn()?;
        Self::on(Node::Anvil(anvil), options).await
    }

    /// Builds the same on another network, whose finality and fees are the configuration's.
    pub async fn on_chain(chain: Chain, options: Options) -> Result<Self> {
        let (finality, fees) = (chain.traits.finality, chain.traits.fees);
        let world = Self::on(Node::Real(chain), Options { finality, fees, ..options }).await?;
        // Sealers that start may take their first blocks back.
        let (height, _) = world.head().await?;
        world
            .wait(Duration::from_secs(60), "contracts under blocks that stay", async || {
                let code = world.owner.get_code_at(world.feed().proxy).await?;
                Ok(!code.is_empty() && world.head().await?.0 > height + 3)
            })
            .await?;
        Ok(world)
    }

    async fn on(node: Node, options: Options) -> Result<Self> {
        let owner_key = node.owner()?;
        let owner_address = owner_key.address();
        let owner = ProviderBuilder::new()
            .filler(OldName)
            .wallet(EthereumWallet::from(owner_key))
            .connect_http(node.endpoint().parse()?)
            .erased();
        let proxy = RpcProxy::start(&node.endpoint()).await?;
        // Tests ask more often than any venue would bear.
        let mut market = SimConfig { limits: Limits::Off, ..SimConfig::default() };
        let more = FEEDS.iter().take(options.feeds).skip(2);
        market.prices.extend(more.map(|(_, pair, _)| ((*pair).to_owned(), "100.00".to_owned())));
        let venues = VenueSimulator::start(market).await?;
        let accounts = if options.one_account { 1 } else { options.feeds };
        let keys: Vec<[u8; 32]> = (1..=accounts).map(|n| [u8::try_from(n).unwrap_or(1); 32]).collect();
        let mut setup = SignerConfig::new(138, keys);
        if options.signer == "ethsigner" {
            setup.dialect = publisher_doubles::signer::Dialect::EthSigner;
        }
        let signer = SignerDouble::start(setup).await?;
        let dir = tempfile::tempdir()?;
        let mut accounts = signer.addresses();
        if options.signer == "keystore" {
            std::fs::write(dir.path().join("keystore.json"), KEYSTORE)?;
            std::fs::write(dir.path().join("password"), KEYSTORE_PASSWORD)?;
            accounts = vec![KEYSTORE_HOLDER];
        }
        if let Node::Anvil(_) = node {
            // Elsewhere they are rich from the first block on.
            for account in &accounts {
                owner.anvil_set_balance(*account, U256::from(10).pow(U256::from(20))).await?;
            }
        }
        let free = matches!(&node, Node::Real(chain) if chain.traits.fees == "zero-gas");
        let feeds = deploy(&owner, owner_address, &options, &accounts, free).await?;
        let telemetry_port = free_port()?;
        let world = Self {
            options,
            node,
            owner,
            owner_address,
            proxy,
            venues,
            signer,
            feeds,
            dir,
            databases: Vec::new(),
            replica_logs: RefCell::default(),
            telemetry_port,
        };
        std::fs::write(world.config(), world.toml())?;
        Ok(world)
    }

    /// Builds the same with so many further nodes, which are fault proxies before the one there is, calls that end
    /// after a second, and short delays. The world's own proxy is the first node of the configuration.
    pub async fn with_nodes(options: Options, further: usize) -> Result<(Self, Vec<RpcProxy>)> {
        // They take their ports before the world notes one down that is free.
        let mut proxies = Vec::new();
        for _ in 0..further {
            proxies.push(RpcProxy::start("").await?);
        }
        let world = Self::new(options).await?;
        proxies.iter().for_each(|proxy| proxy.set_upstream(&world.node.endpoint()));
        let nodes: Vec<String> = std::iter::once(&world.proxy)
            .chain(&proxies)
            .map(|proxy| format!("{{ url = \"{}\", timeout = \"1s\" }}", proxy.url()))
            .collect();
        world
            .edit(&format!("rpc = [\"{}\"]", world.proxy.url()), &format!("rpc = [{}]", nodes.join(", ")))?;
        world.configure("[chain.timing]\nretry_max = \"2s\"\nanswer_timeout = \"2s\"")?;
        Ok((world, proxies))
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("publisher.toml")
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("publisher.db")
    }

    /// Every journal that knows of rounds: a former copy of the file, the file, shared ones. The last is that of now.
    pub fn journals(&self) -> Vec<Location> {
        let files = [self.dir.path().join("former.db"), self.journal()];
        let files = files.iter().filter(|path| path.exists()).map(Location::from);
        files.chain(self.databases.iter().cloned()).collect()
    }

    /// Where the daemon serves metrics and health.
    pub fn telemetry(&self) -> String {
        format!("http://127.0.0.1:{}", self.telemetry_port)
    }

    /// The configuration.
    pub fn toml(&self) -> String {
        let mut toml = String::new();
        let (finality, fees, kind) = (self.options.finality, self.options.fees, self.options.signer);
        let _ = write!(
            toml,
            "[chain]\nid = 138\nrpc = [\"{}\"]\nblock_time = \"1s\"\nfinality = \"{finality}\"\nfees = \"{fees}\"\n\
             [journal]\npath = \"{}\"\n[telemetry]\nlisten = \"127.0.0.1:{}\"\n",
            self.proxy.url(),
            self.journal().display(),
            self.telemetry_port,
        );
        for venue in [Venue::Coinbase, Venue::Kraken, Venue::Bitstamp, Venue::Binance, Venue::Okx] {
            toml.push_str(&self.venue(venue));
        }
        let at = match kind {
            "keystore" => {
                let path = self.dir.path().display();
                format!(
                    "path = \"{path}/keystore.json\"\npassword_file = \"{path}/password\"\nallow_development_keystore = true"
                )
            }
            _ => format!("url = \"{}\"", self.signer.url()),
        };
        for (index, account) in self.accounts().iter().enumerate() {
            let _ = write!(toml, "[signer.key{index}]\nkind = \"{kind}\"\n{at}\naddress = \"{account}\"\n");
        }
        toml.push_str("[rate.\"USDT-USD\"]\nsources = [\"kraken:USDTUSD\", \"coinbase:USDT-USD\", \"bitstamp:usdtusd\", \"okx:USDT-USD\"]\n");
        toml.push_str(&format!("[defaults.policy]\n{}\n", self.options.policy));
        for ((index, feed), (_, _, upper)) in self.feeds.iter().enumerate().zip(FEEDS) {
            let index = if self.options.one_account { 0 } else { index };
            let lower = upper.to_lowercase();
            let kraken = if upper == "BTC" { "XBT" } else { upper };
            let sources = [
                format!("\"coinbase:{upper}-USD\""),
                format!("\"kraken:{kraken}USD\""),
                format!("\"bitstamp:{lower}usd\""),
                format!("\"binance:{upper}USDT * USDT-USD\""),
                format!("\"okx:{upper}-USDT * USDT-USD\""),
            ];
            let sources = sources.get(..self.options.venues).unwrap_or(&sources).join(", ");
            let _ = write!(
                toml,
                "[feed.\"{}\"]\ndecimals = 8\naggregator = \"{}\"\nproxy = \"{}\"\nsigner = \"key{index}\"\n\
                 min = \"0.00000001\"\nmax = \"10000000\"\nsources = [{sources}]\n",
                feed.id, feed.aggregator, feed.proxy
            );
        }
        toml
    }

    /// The section of the configuration that reads a venue from the simulator.
    pub fn venue(&self, venue: Venue) -> String {
        format!("[venue.{venue}]\nbase_url = \"{}\"\nevery = \"250ms\"\n", self.venues.base_url(venue))
    }

    /// The first feed.
    pub fn feed(&self) -> &FeedHome {
        &self.feeds[0]
    }

    /// The accounts that submit rounds, each once.
    pub fn accounts(&self) -> Vec<Address> {
        let mut accounts: Vec<Address> = self.feeds.iter().map(|feed| feed.account).collect();
        accounts.dedup();
        accounts
    }

    /// Changes the configuration file: every `from`, of which there must be one, becomes `to`.
    pub fn edit(&self, from: &str, to: &str) -> Result<()> {
        let toml = std::fs::read_to_string(self.config())?;
        anyhow::ensure!(toml.contains(from), "the configuration has no {from:?}:\n{toml}");
        Ok(std::fs::write(self.config(), toml.replace(from, to))?)
    }

    /// Starts the daemon, with further environment variables.
    pub fn daemon(&self, binary: &str, env: &[(&str, &str)]) -> Result<Daemon> {
        Daemon::start(binary, &self.config(), self.dir.path(), env)
    }

    /// The aggregator of a feed, as its owner.
    pub fn aggregator(&self, feed: &FeedHome) -> Aggregator::AggregatorInstance<DynProvider> {
        Aggregator::new(feed.aggregator, self.owner.clone())
    }

    /// The latest round of a feed; 0 before the first.
    pub async fn round(&self, feed: &FeedHome) -> Result<u64> {
        Ok(self.aggregator(feed).latestRound().call().await?.to())
    }

    /// Waits until a feed has at least this round.
    pub async fn wait_round(&self, feed: &FeedHome, round: u64, within: Duration) -> Result<()> {
        self.wait(
            within,
            &format!("{} round {round}", feed.id),
            async || Ok(self.round(feed).await? >= round),
        )
        .await
    }

    /// Waits until the latest answer of a feed is this one, in units of 10^-8.
    pub async fn wait_answer(&self, feed: &FeedHome, answer: i64, within: Duration) -> Result<()> {
        let answer = I256::try_from(answer)?;
        self.wait(within, &format!("{} answer {answer}", feed.id), async || {
            Ok(self.aggregator(feed).latestAnswer().call().await? == answer)
        })
        .await
    }

    /// Waits for something, or says what did not come.
    pub async fn wait(
        &self,
        within: Duration,
        what: &str,
        mut is: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        let deadline = tokio::time::Instant::now() + within * PATIENCE;
        loop {
            if is().await? {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                let words = self.last_words();
                anyhow::bail!("not within {within:?}: {what}\nthe daemon's last words:\n{words}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The status code of a telemetry page, and its body.
    pub async fn get(&self, page: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("{}{page}", self.telemetry())).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Replaces the newest `depth` blocks; `txs` are put into the new ones, by index.
    pub async fn reorg(&self, depth: u64, txs: &[(alloy::primitives::Bytes, u64)]) -> Result<()> {
        let pairs: Vec<_> = txs.iter().map(|(raw, block)| serde_json::json!([raw, block])).collect();
        let params = serde_json::json!([depth, pairs]);
        let reorg = self.owner.raw_request::<_, serde_json::Value>("anvil_reorg".into(), params);
        self.proxy.at_once(reorg).await?;
        Ok(())
    }

    /// The newest block's height and hash.
    pub async fn head(&self) -> Result<(u64, B256)> {
        let block = self.owner.get_block_by_number(Default::default()).await?.context("no latest block")?;
        Ok((block.header.number, block.header.hash))
    }
}

/// Deploys every feed's contracts, in as few blocks as they fit into; for nothing, where a chain knows no base fee.
async fn deploy(
    owner: &DynProvider,
    owner_address: Address,
    options: &Options,
    accounts: &[Address],
    free: bool,
) -> Result<Vec<FeedHome>> {
    const GAS: u64 = 3_000_000;
    let (min, max) = (I256::try_from(1i64)?, I256::try_from(1_000_000_000_000_000i64)?);
    let accounts = accounts.iter().cycle();
    let mut feeds = Vec::new();
    for (nonce, ((id, pair, _), account)) in
        (0u64..).step_by(2).zip(FEEDS.iter().zip(accounts).take(options.feeds))
    {
        let aggregator = owner_address.create(nonce);
        let proxy = owner_address.create(nonce + 1);
        let name = (*id).to_owned();
        let created = [
            Aggregator::deploy_builder(owner, 8, name, min, max, owner_address, *account, 0),
            AggregatorProxy::deploy_builder(owner, aggregator, owner_address),
        ];
        for created in created {
            let created = created.gas(GAS);
            let created = if free { created.gas_price(0) } else { created };
            let _sent = created.send().await?;
        }
        feeds.push(FeedHome { id, pair, aggregator, proxy, account: *account, store: None });
    }
    for feed in &feeds {
        for address in [feed.aggregator, feed.proxy] {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            while owner.get_code_at(address).await?.is_empty() {
                anyhow::ensure!(tokio::time::Instant::now() < deadline, "no code at {address}");
                if options.anvil.contains(&"--no-mining") {
                    owner.evm_mine(None).await?;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    }
    Ok(feeds)
}
