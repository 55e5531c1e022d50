//! The configuration: one TOML file in, a checked [`Config`] out, or every problem at once.
//!
//! Each problem has its key, line, value, reason and hint. What a value means is decided here and nowhere else, so
//! the rest of the program trusts what it gets: durations, exact decimals, addresses, paths of sources, policies in
//! units of the aggregator's integer.
//!
//! Invariants: an unknown key is an error; a rule that can never or must always fire is an error; no secret is in a
//! message, in `Debug` or in the effective configuration; every key is declared once (`keys`), and reader, schema,
//! reference and tests follow that declaration.
//!
//! It asks no network. It reads the file, files that the text refers to, and the environment, once.

mod allowed;
mod check;
pub mod circles;
mod crons;
mod effective;
mod keys;
mod leaf;
mod problem;
mod raw;
mod reference;
mod secret;
mod shift;
mod spec;
#[cfg(test)]
pub(crate) mod tests;
mod way;
mod weights;

use crate::chain::{FlagWire, NodeSetup, Tag};
use crate::sources::{
    Client, CustomSource, Network, NetworkSpec, Preset, Source, SourceSetupError, StreamSpec, Venue,
    VenueSpec,
};
use crate::store::Location;
use crate::telemetry::LogSetup;
use alloy::primitives::{Address, B256};
use publisher_core::book::Pricing;
use publisher_core::fees::FeePolicy;
use publisher_core::head::Finality;
use publisher_core::machine::{EntrySpec, StoreSpec};
use publisher_core::outbox::Timing;
use publisher_core::policy::Policy;
use publisher_core::quote::{FamilyId, FeedId, VenueId};
use publisher_core::spend::Caps;
use publisher_core::time::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use problem::{Lines, join};
pub use problem::{Problem, Problems, Severity};
pub use reference::{example, reference, schema};
pub use secret::{Endpoint, Secret};
pub use spec::{GAS_CEILING, GAS_FLOOR, STORE_GAS};

/// A configuration is not larger than this.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// The network of contracts that name none: that of `[chain]`.
const OWN_NETWORK: &str = "chain";

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file's name, for messages.
    pub origin: String,
    /// The chain.
    pub chain: Chain,
    /// Where the journal is.
    pub journal: Location,
    /// How long the leases of a shared journal last.
    pub lease: Span,
    /// Where metrics and health are served; nowhere if `None`.
    pub listen: Option<SocketAddr>,
    /// How to log.
    pub log: LogSetup,
    /// Signers by name.
    pub signers: BTreeMap<String, SignerSpec>,
    /// Venues with a preset that something reads.
    pub venues: BTreeMap<VenueId, VenueAsk>,
    /// Sources of one's own that something reads.
    pub sources: BTreeMap<VenueId, CustomSource>,
    /// The family of every venue and source that is read.
    pub families: BTreeMap<VenueId, FamilyId>,
    /// Chains whose contracts something reads, by name.
    pub networks: BTreeMap<VenueId, NetworkSpec>,
    /// Values that convert others, constants among them.
    pub rates: BTreeMap<FeedId, Pricing>,
    /// What is said of each constant.
    pub constants: BTreeMap<FeedId, ConstantNote>,
    /// Values that are published.
    pub feeds: BTreeMap<FeedId, Feed>,
    /// Calendars of one's own, by name.
    pub calendars: BTreeMap<String, PathBuf>,
    /// Stores that some of them share, by name.
    pub stores: BTreeMap<String, Store>,
    /// What an operator should look at, although the program can run.
    pub warnings: Problems,
    /// The line of every key that the file has, from 1: `feed."BTC-USD".policy.quorum`.
    pub written: BTreeMap<String, usize>,
}

/// What is said of a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstantNote {
    /// Why it may be taken as one.
    pub comment: String,
    /// The day from which on it is no value.
    pub expires: String,
}

/// The chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// EIP-155 chain id.
    pub id: u64,
    /// Its nodes, at least one that is read; the first of these is read first.
    pub rpc: Vec<NodeSetup>,
    /// Expected time between blocks.
    pub block_time: Span,
    /// When a block is final.
    pub finality: Finality,
    /// The tag that says so, where one does.
    pub tag: Option<Tag>,
    /// What may be paid.
    pub fees: FeePolicy,
    /// What may be spent.
    pub caps: Caps,
    /// Deadlines and delays.
    pub timing: Timing,
    /// Hash of block 0, if it is pinned.
    pub genesis: Option<B256>,
}

/// Who signs for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerSpec {
    /// Its name.
    pub name: String,
    /// The account.
    pub address: Address,
    /// How it is spoken to.
    pub kind: SignerKind,
    /// The time for one signature.
    pub timeout: Span,
}

/// How a signer is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerKind {
    /// Web3Signer, REST `/api/v1/eth1/sign/{publicKey}`.
    Web3Signer(Endpoint),
    /// Web3Signer, JSON-RPC `eth_signTransaction`.
    Web3SignerRpc(Endpoint),
    /// EthSigner and compatible, JSON-RPC `eth_signTransaction`.
    EthSigner(Endpoint),
    /// A V3 keystore, for development.
    Keystore {
        /// The keystore.
        path: PathBuf,
        /// The file with its password.
        password_file: PathBuf,
    },
}

/// A venue with a preset, and what it is asked for.
#[derive(Clone, Debug)]
pub struct VenueAsk {
    /// Its format.
    pub preset: &'static Preset,
    /// What differs from the preset.
    pub spec: VenueSpec,
    /// Whether and where it is listened to.
    pub stream: StreamSpec,
    /// Every symbol that a feed or rate reads.
    pub symbols: BTreeSet<Arc<str>>,
}

/// A contract that several feeds share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Where it is, once it is deployed.
    pub address: Option<Address>,
    /// How long before its block a report may have been observed, where that is demanded.
    pub max_age: Option<Span>,
    /// What the machine is told about it.
    pub spec: StoreSpec,
}

/// A value that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The contract that stores its rounds, once it is deployed: its aggregator, or the store it shares.
    pub aggregator: Option<Address>,
    /// The name of its store, and what it is in it; `None`: it has an aggregator of its own.
    pub entry: Option<(String, EntrySpec)>,
    /// The contract that shows it, if it is in a store, once it is deployed.
    pub facade: Option<Address>,
    /// The contract that consumers read, once it is deployed.
    pub proxy: Option<Address>,
    /// What the contracts say they price.
    pub description: String,
    /// Decimal places of its answers.
    pub decimals: u8,
    /// The name of its signer.
    pub signer: String,
    /// The account that signs.
    pub account: Address,
    /// How its value is made.
    pub pricing: Pricing,
    /// How it is made while its market asks for its sources of off hours.
    pub off_hours: Option<Pricing>,
    /// When it is published, and the smallest and largest answer.
    pub policy: Policy,
    /// Distinct families among its sources.
    pub families: usize,
}

/// Every value as a book keeps it: rates and feeds, and feeds' sources of off hours under names of their own.
fn pricings(rates: &BTreeMap<FeedId, Pricing>, feeds: &BTreeMap<FeedId, Feed>) -> BTreeMap<FeedId, Pricing> {
    let mut all = rates.clone();
    for (id, feed) in feeds {
        all.insert(id.clone(), feed.pricing.clone());
        all.extend(feed.off_hours.clone().map(|pricing| (id.off_hours(), pricing)));
    }
    all
}

impl Feed {
    /// How its value is made, at all times and in off hours.
    pub fn sets(&self) -> impl Iterator<Item = &Pricing> {
        std::iter::once(&self.pricing).chain(&self.off_hours)
    }

    /// Where the flag is that may put it to sleep, if there is one.
    pub fn flag(&self) -> Option<FlagWire> {
        let subject = self.facade.or(self.aggregator)?;
        self.policy.hibernate_flag.map(|flags| FlagWire { flags, subject })
    }
}

impl Config {
    /// Every value as a book keeps it: rates and feeds, and feeds' sources of off hours under
    /// [names of their own](FeedId::off_hours).
    pub fn pricings(&self) -> BTreeMap<FeedId, Pricing> {
        pricings(&self.rates, &self.feeds)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// With every problem of the file, warnings among them; or with the one that it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let mut text = String::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text));
        let fault = match read {
            Ok(bytes) if u64::try_from(bytes).is_ok_and(|n| n <= FILE_MAX_BYTES) => {
                return Self::parse(&text, path);
            }
            Ok(_) => "larger than 1 MiB".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        Err(Problems::of_file(
            &path.display().to_string(),
            &fault,
            "name a file with --config, or begin one with `publisher config example`",
        ))
    }

    /// Checks a text. `origin` is what messages call it; relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// With every problem, warnings among them.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, Problems> {
        check::config(text, origin, &|name| std::env::var(name).ok())
    }

    /// The line on which a key is written down, from 1: its own, that of `[defaults.policy]` if it comes from there, or
    /// that of the innermost table there is around it.
    pub fn line_of<'p>(&self, path: &'p str) -> Option<usize> {
        let inherited = || {
            let keys = self.feeds.keys().map(|id| join("feed", id.as_str()) + ".policy.");
            let mut keys = keys.chain(self.rates.keys().map(|id| join("rate", id.as_str()) + ".policy."));
            let (table, key) = keys.find_map(|table| Some((table.clone(), path.strip_prefix(&table)?)))?;
            // A key may stand for the ones within it: `breaker` for `breaker.min`.
            let shorter = |key: &&'p str| key.rsplit_once('.').map(|(key, _)| key);
            std::iter::successors(Some(key), shorter)
                .flat_map(|key| [format!("{table}{key}"), format!("defaults.policy.{key}")])
                .find_map(|place| self.written.get(&place))
        };
        let around = || {
            let is_around = |key: &str| path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
            let tables = self.written.iter().filter(|(key, _)| is_around(key));
            tables.max_by_key(|(key, _)| key.len()).map(|(_, line)| line)
        };
        self.written.get(path).or_else(inherited).or_else(around).copied()
    }

    /// Every venue, source of one's own and chain that something reads, ready to be polled.
    ///
    /// # Errors
    /// If the HTTP client of this machine cannot be set up; the settings themselves have been checked.
    pub fn sources(&self, client: &Client) -> Result<Vec<Source>, SourceSetupError> {
        let venues = self.venues.values().map(|ask| {
            Venue::new(ask.preset, ask.spec.clone(), ask.symbols.clone(), client)?
                .with_stream(ask.preset, &ask.stream)
        });
        let own = self.sources.values().map(|source| Venue::custom(source.clone(), client));
        let venues = venues.chain(own).map(|venue| Ok(Source::Venue(Arc::new(venue?))));
        let networks = self.networks.values().cloned().map(Network::new);
        let networks = networks.map(|network| Ok(Source::Network(Arc::new(network?))));
        venues.chain(networks).collect()
    }
}
