//! Sources that are contracts, and the chains that they are on.

use super::chain::CALL;
use super::venues::{Venues, Written, place};
use super::{Check, Named};
use crate::chain::NodeSetup;
use crate::config::keys::{Network, NetworkRpc, Source};
use crate::config::leaf::{Contract as Kind, value};
use crate::config::problem::{Place, join, suggestion};
use crate::config::raw::Item;
use crate::config::{Chain, Feed, OWN_NETWORK as OWN, circles};
use crate::sources::{ContractKind, ContractSource, Ema, Growth, NetworkSpec, Twap};
use alloy::primitives::Address;
use publisher_core::book::Pricing;
use publisher_core::head::Finality;
use publisher_core::price::{Price, Ratio};
use publisher_core::quote::{FeedId, MarketId, VenueId};
use publisher_core::time::Span;
use std::collections::BTreeMap;

const EVERY: Span = Span::from_s(5);
const HEARTBEAT: (Span, Span) = (Span::from_s(1), Span::from_s(7 * 86_400));
const WINDOW: Span = Span::from_s(1800);
const WINDOWS: (Span, Span) = (Span::from_s(10), Span::from_s(86_400));
/// Twenty-five blocks of Ethereum.
const WINDOW_SHORT: Span = Span::from_s(300);
/// Nodes that are no archives keep the state of about so many blocks.
const CONFIRMATIONS_MAX: u64 = 256;
/// A share loses a little to rounding, and nothing else.
const MAX_DECREASE: Ratio = Ratio::from_bps(10);
/// More than any share earns in a day.
const MAX_GROWTH: Ratio = Ratio::from_bps(100);

/// A source that is a contract.
pub(super) struct Contract {
    source: ContractSource,
    network: String,
    /// How often its network is polled.
    pub(super) every: Span,
    written: Written,
}

impl Check<'_> {
    /// A key that this form of a source cannot do without.
    pub(super) fn needed<'i, T>(
        &mut self,
        raw: &Source,
        item: &'i Option<Item<T>>,
        key: &str,
        hint: &str,
    ) -> Option<&'i Item<T>> {
        let place = raw.place.missing(key);
        // What is there and wrong has been told already.
        if item.is_none() && !self.found.has_error_below(&place.path) {
            self.found.error(&place, "missing", format!("add {hint}"));
        }
        item.as_ref()
    }

    fn strays(&mut self, what: &str, strays: &[Option<Place>]) {
        for place in strays.iter().flatten() {
            self.found.error(place, format!("{what} has no such key"), "leave it out, or correct kind");
        }
    }

    /// Keys of contracts where a URL is asked.
    pub(super) fn not_of_a_url(&mut self, raw: &Source) {
        self.strays(
            "a URL",
            &[
                place(&raw.network),
                place(&raw.address),
                place(&raw.heartbeat),
                place(&raw.sequencer),
                place(&raw.max_decrease),
                place(&raw.max_growth),
                place(&raw.base),
                place(&raw.quote),
                place(&raw.window),
                place(&raw.min_manipulation_cost),
            ],
        );
    }

    pub(super) fn contract(&mut self, name: &str, raw: &Source) -> Option<Contract> {
        let kind = value(raw.kind.as_ref())?;
        let of_feed = [place(&raw.heartbeat), place(&raw.sequencer)];
        let of_pool =
            [place(&raw.base), place(&raw.quote), place(&raw.window), place(&raw.min_manipulation_cost)];
        let of_share = [place(&raw.max_decrease), place(&raw.max_growth)];
        self.strays(
            "a contract",
            &[
                place(&raw.url),
                place(&raw.pointer),
                place(&raw.bid_pointer),
                place(&raw.ask_pointer),
                place(&raw.time_pointer),
                place(&raw.time_unit),
                place(&raw.every),
                place(&raw.timeout),
                place(&raw.headers),
                place(&raw.allow_private),
                place(&raw.proxy),
                place(&raw.tls_spki_sha256),
            ],
        );
        let address = self.needed(raw, &raw.address, "address", "address, where the contract is");
        let kind = match kind {
            Kind::Chainlink => {
                self.strays("chainlink", &[&of_share[..], &of_pool].concat());
                let hint = "heartbeat, how often that feed is written at least, e.g. \"1h\"";
                let heartbeat = self.needed(raw, &raw.heartbeat, "heartbeat", hint)?;
                let heartbeat = self.span(Some(heartbeat), heartbeat.value, HEARTBEAT.0, HEARTBEAT.1);
                Some(ContractKind::Chainlink { heartbeat, sequencer: value(raw.sequencer.as_ref()) })
            }
            Kind::Erc4626 => {
                self.strays("erc4626", &[&of_feed[..], &of_pool].concat());
                Some(ContractKind::Erc4626(self.growth(raw)))
            }
            Kind::CurveLp => {
                self.strays("curve-lp", &[&of_feed[..], &of_pool].concat());
                Some(ContractKind::CurveLp(self.growth(raw)))
            }
            Kind::Curve => {
                self.strays("curve", &[&of_feed[..], &of_share, &[place(&raw.window)]].concat());
                let pool = self.pool(raw);
                pool.map(|(base, quote, min_manipulation_cost)| {
                    ContractKind::Curve(Ema { base, quote, min_manipulation_cost })
                })
            }
            Kind::UniswapV2 => {
                self.strays("uniswap-v2", &[of_feed, of_share].concat());
                self.twap(raw).map(ContractKind::UniswapV2)
            }
            Kind::UniswapV3 => {
                self.strays("uniswap-v3", &[of_feed, of_share].concat());
                self.twap(raw).map(ContractKind::UniswapV3)
            }
        };
        let network = value(raw.network.as_ref()).unwrap_or_else(|| OWN.to_owned());
        let known = self.root.network.keys().map(String::as_str).chain([OWN]);
        if let Some(item) = raw.network.as_ref().filter(|item| !known.clone().any(|name| name == item.value))
        {
            self.found.error(&item.place, "unknown network", suggestion(&item.value, known));
            return None;
        }
        let keys = [place(&raw.address), place(&raw.network)].into_iter().flatten().collect();
        Some(Contract {
            source: ContractSource { id: VenueId::new(name), address: address?.value, kind: kind? },
            every: self.network_every(&network),
            network,
            written: Written { section: raw.place.clone(), keys },
        })
    }

    /// A pool's base and quote, and what it must cost at least to move its price.
    fn pool(&mut self, raw: &Source) -> Option<(Address, Address, Price)> {
        let base = self.needed(raw, &raw.base, "base", "base, the token that is priced");
        let quote = self.needed(raw, &raw.quote, "quote", "quote, the token it is priced in");
        let hint = "min_manipulation_cost, in units of the quote token, e.g. \"50000\"";
        let cost = self.needed(raw, &raw.min_manipulation_cost, "min_manipulation_cost", hint);
        if let Some(item) = cost.filter(|item| !item.value.is_positive()) {
            let reason = "anybody could say what a pool is to say";
            self.found.error(&item.place, reason, "use what an attack may be worth, e.g. \"50000\"");
        }
        let (base, quote, cost) = (base?.value, quote?, cost?.value);
        if base == quote.value {
            self.found.error(&quote.place, "a token priced in itself", "name the pool's other token");
        }
        Some((base, quote.value, cost))
    }

    fn twap(&mut self, raw: &Source) -> Option<Twap> {
        let pool = self.pool(raw);
        let window = self.span(raw.window.as_ref(), WINDOW, WINDOWS.0, WINDOWS.1);
        if let Some(item) = &raw.window {
            if item.value.ms() % 1000 != 0 {
                self.found.error(&item.place, "pools keep time in seconds", "use whole seconds");
            } else if item.value < WINDOW_SHORT {
                let reason = "so short that a few blocks make the mean";
                self.found.warn(&item.place, reason, format!("use {WINDOW_SHORT} or more"));
            }
        }
        let (base, quote, min_manipulation_cost) = pool?;
        Some(Twap { base, quote, window, min_manipulation_cost })
    }

    fn growth(&mut self, raw: &Source) -> Growth {
        for item in [&raw.max_decrease, &raw.max_growth].into_iter().flatten() {
            if item.value >= Ratio::ONE {
                self.found.error(&item.place, "a limit that nothing reaches", "use e.g. \"1%\"");
            }
        }
        if let Some(item) = raw.max_growth.as_ref().filter(|item| item.value == Ratio::default()) {
            let reason = "a share that earns anything would never be believed";
            self.found.error(&item.place, reason, "use more than it earns in a day, e.g. \"1%\"");
        }
        Growth {
            max_decrease: value(raw.max_decrease.as_ref()).unwrap_or(MAX_DECREASE),
            max_growth: value(raw.max_growth.as_ref()).unwrap_or(MAX_GROWTH),
        }
    }

    fn network_every(&self, name: &str) -> Span {
        let block_time = self.root.chain.as_ref().and_then(|chain| value(chain.block_time.as_ref()));
        match self.root.network.get(name) {
            Some(raw) => value(raw.every.as_ref()).unwrap_or(EVERY),
            None => block_time.unwrap_or(EVERY).clamp(Span::from_s(1), EVERY),
        }
    }

    /// Each chain with the contracts on it that something reads.
    pub(super) fn networks(
        &mut self,
        contracts: Named<Contract>,
        chain: Option<&Chain>,
        read: &BTreeMap<MarketId, Place>,
    ) -> BTreeMap<VenueId, NetworkSpec> {
        let mut networks: Named<NetworkSpec> = Named::new();
        for (name, raw) in &self.root.network {
            networks.extend(self.network(name, raw).map(|spec| (name.clone(), spec)));
        }
        if let Some(chain) = chain {
            networks.insert(
                OWN.to_owned(),
                NetworkSpec {
                    id: VenueId::new(OWN),
                    chain_id: chain.id,
                    nodes: chain.rpc.iter().filter(|node| !node.send_only).cloned().collect(),
                    confirmations: u64::from(chain.finality != Finality::Instant),
                    every: self.network_every(OWN),
                    sources: Vec::new(),
                },
            );
        }
        for contract in contracts.into_values() {
            if !read.keys().any(|market| market.venue == contract.source.id) {
                self.unread(&contract.written);
            } else if let Some(network) = networks.get_mut(&contract.network) {
                network.sources.push(contract.source);
            }
        }
        for (name, raw) in &self.root.network {
            let misspelt = self.found.has_error_below("source");
            if networks.get(name).is_some_and(|network| network.sources.is_empty()) && !misspelt {
                let hint = "name it in a source, or drop it";
                self.found.warn(&raw.place, "no contract on it is read", hint);
            }
        }
        let used = networks.into_values().filter(|network| !network.sources.is_empty());
        used.map(|network| (network.id.clone(), network)).collect()
    }

    fn network(&mut self, name: &str, raw: &Network) -> Option<NetworkSpec> {
        if name == OWN {
            let hint = "choose another name, also for its own nodes or confirmations";
            self.found.error(&raw.place, "this is what the chain itself is called", hint);
        }
        if crate::sources::preset(name).is_some()
            || self.root.venue.contains_key(name)
            || self.root.source.contains_key(name)
        {
            let hint = "choose another name; polls are counted by it";
            self.found.error(&raw.place, format!("there is a venue or source {name} already"), hint);
        }
        if let Some(item) = raw.id.as_ref().filter(|item| item.value == 0) {
            self.found.error(&item.place, "no chain has this id", "ask the node: eth_chainId");
        }
        if let Some(item) = raw.confirmations.as_ref().filter(|item| item.value > CONFIRMATIONS_MAX) {
            let hint = format!("use up to {CONFIRMATIONS_MAX}; nodes forget older state");
            self.found.error(&item.place, "further back than nodes remember", hint);
        }
        let rpc = join(&raw.place.path, "rpc");
        if raw.rpc.is_empty() && !self.found.has_error_below(&rpc) {
            let hint = "add rpc, e.g. rpc = [\"https://rpc.example.com\"]";
            self.found.error(&raw.place.missing("rpc"), "no node", hint);
        }
        let mut nodes: Vec<NodeSetup> = Vec::new();
        for rpc in &raw.rpc {
            let NetworkRpc { url: Some(url), authorization, timeout, batch_limit, .. } = rpc else {
                continue;
            };
            let node = self.node_setup(url, authorization.as_ref(), timeout.as_ref(), batch_limit.as_ref());
            if nodes.iter().any(|other| other.url == node.url) {
                self.found.error(&url.place, "the same node twice", "keep one of them");
            }
            nodes.push(node);
        }
        let every = self.network_every(name);
        Some(NetworkSpec {
            id: VenueId::new(name),
            chain_id: value(raw.id.as_ref())?,
            nodes,
            confirmations: value(raw.confirmations.as_ref()).unwrap_or(1),
            every: self.span(raw.every.as_ref(), every, CALL.0, Span::from_s(3600)),
            sources: Vec::new(),
        })
    }

    /// A feed whose source is what it writes would confirm itself for ever.
    pub(super) fn circles(
        &mut self,
        chain_id: u64,
        (rates, feeds): (&BTreeMap<FeedId, Pricing>, &BTreeMap<FeedId, Feed>),
        networks: &BTreeMap<VenueId, NetworkSpec>,
    ) {
        for circle in circles::find(chain_id, rates, feeds, networks, &BTreeMap::new()) {
            let raw = self.root.source.get(circle.source.as_str());
            let place = raw.and_then(|raw| raw.address.as_ref()).map(|address| address.place.clone());
            let (reason, hint) = (circle.to_string(), circles::ADVICE);
            self.found.error(
                &place.unwrap_or_else(|| Place { path: "source".into(), line: None, shown: String::new() }),
                reason,
                hint,
            );
        }
    }
}

impl Venues {
    /// Whether a contract's price stands still between two writes, whatever the market does meanwhile.
    pub(super) fn is_steady(&self, venue: &VenueId) -> bool {
        let contract = self.contracts.get(venue.as_str()).map(|contract| &contract.source.kind);
        matches!(
            contract,
            Some(ContractKind::Chainlink { .. } | ContractKind::Erc4626(_) | ContractKind::CurveLp(_))
        )
    }

    /// How old a contract's price is by its nature.
    pub(super) fn age(&self, venue: &VenueId) -> Option<Span> {
        match &self.contracts.get(venue.as_str())?.source.kind {
            ContractKind::UniswapV2(twap) | ContractKind::UniswapV3(twap) => {
                Some(Span::from_ms(twap.window.ms() / 2))
            }
            // How long a Curve pool averages is its own to say.
            ContractKind::Chainlink { .. }
            | ContractKind::Erc4626(_)
            | ContractKind::CurveLp(_)
            | ContractKind::Curve(_) => None,
        }
    }

    /// The interval at which a contract is read.
    pub(super) fn contract_every(&self, name: &str) -> Option<Span> {
        self.contracts.get(name).map(|contract| contract.every)
    }
}
