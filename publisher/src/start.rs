//! From a configuration to a running daemon: what is checked first, and how the parts are put together.
//!
//! Two kinds of trouble are kept apart. What is *unavailable* (a node, signer or database that does not answer) may come back:
//! `run` waits for it, `/readyz` stays red. What is *wrong* (another chain, another key, an aggregator that would
//! refuse us) needs an operator: `run` refuses to start and nothing is ever signed.

mod circles;
mod flags;
mod journal;
mod stores;

use crate::chain::{ChainError, FeedFacts, Node, VerifyError};
use crate::config::{Config, Problems};
use crate::driver::nodes::{Met, meet};
use crate::driver::{Clock, Driver, Edges, FeedWire, Nodes};
use crate::signer::{Client as SignerClient, Dialect, Policy, Signer, SignerConfig, SignerKind};
use crate::sources::{Client, Source};
use crate::store::{Journal, StoreError};
use crate::telemetry::{ConstantHealth, Health};
use alloy::primitives::Address;
use publisher_bindings::SUBMITTED_VERSIONS;
use publisher_core::book::BookError;
use publisher_core::fees::{FeeProfile, ReplacementRule};
use publisher_core::lease::Leases;
use publisher_core::machine::{Machine, Spec};
use publisher_core::quote::FeedId;
use publisher_core::record::Recovered;
use publisher_core::time::Span;
use publisher_core::tx::SignFault;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but an operator should know.
    Warn,
    /// Could not be asked; may come back.
    Unavailable,
    /// Will not work until an operator acts.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What: `node`, `signer main`, `journal postgres://db/oracle`, `feed BTC-USD`, `source kraken:XBTUSD`.
    pub what: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
}

impl Check {
    pub(crate) fn new(
        what: impl Into<String>,
        verdict: Verdict,
        detail: impl Into<String>,
        hint: &str,
    ) -> Self {
        Self { what: what.into(), verdict, detail: detail.into(), hint: hint.to_owned() }
    }
}

/// What the checks found, and the parts that came out of them.
pub struct Examined {
    /// Every check.
    pub checks: Vec<Check>,
    /// The nodes, once one can be read and none is another chain's.
    pub nodes: Option<Nodes>,
    /// What the nodes ask of a replacement, as far as they have said what they are.
    pub replacement: Option<ReplacementRule>,
    /// What the aggregators and stores say.
    pub facts: BTreeMap<FeedId, FeedFacts>,
    /// The signers, by account.
    pub signers: BTreeMap<Address, Signer>,
}

impl Examined {
    /// The worst verdict.
    pub fn worst(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
    }
}

/// Why a daemon could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration does not fit the contracts.
    #[error("{0}")]
    Config(#[from] Problems),
    /// The journal.
    #[error("{0}")]
    Journal(#[from] StoreError),
    /// Something else that an operator has to change.
    #[error("{0}")]
    Wrong(String),
}

/// Looks at everything a daemon needs but its sources. Signs nothing that could be included anywhere.
pub async fn examine(config: &Config) -> Examined {
    let mut examined = Examined {
        checks: Vec::new(),
        nodes: None,
        replacement: None,
        facts: BTreeMap::new(),
        signers: BTreeMap::new(),
    };
    examine_nodes(config, &mut examined).await;
    examine_signers(config, &mut examined).await;
    let served = examined.nodes.as_ref().map(Nodes::identity).map(|served| (served.chain_id, served.genesis));
    journal::examine(config, served, &mut examined.checks).await;
    if let Some(node) = examined.nodes.as_ref().map(Nodes::reader) {
        stores::examine_all(config, &node, &mut examined.checks).await;
        circles::examine(config, &node, &mut examined.checks).await;
        for (id, feed) in &config.feeds {
            let what = format!("feed {id}");
            match examine_feed(&node, feed, &mut examined.checks, &what).await {
                Ok(facts) => drop(examined.facts.insert(id.clone(), facts)),
                Err(check) => examined.checks.push(check),
            }
            examined.checks.extend(flags::examine(&node, feed, &what).await);
        }
    }
    examined
}

/// Every node says who it is, and those that are read show that the chain works as configured. One that does not answer
/// is a warning where another can be read: it is asked again while the daemon runs.
async fn examine_nodes(config: &Config, examined: &mut Examined) {
    let checks = &mut examined.checks;
    let chain = &config.chain;
    let Met { answers, nodes } = match meet(&chain.rpc, chain.id, chain.genesis, chain.block_time).await {
        Ok(met) => met,
        Err(error) => {
            return checks.push(Check::new("node", Verdict::Wrong, error.to_string(), "correct chain.rpc"));
        }
    };
    let readable = answers.iter().filter(|(_, answer)| matches!(answer, Ok(Some(_)))).count();
    let verdict = |error: &VerifyError, needed: usize| match error.is_refusal() {
        true => Verdict::Wrong,
        false if readable >= needed => Verdict::Warn,
        false => Verdict::Unavailable,
    };
    let mut rules = Vec::new();
    for (index, (name, answer)) in answers.iter().enumerate() {
        let what = format!("node {name}");
        match answer {
            Err(error) => {
                let hint = match verdict(error, 1) {
                    Verdict::Warn => "the other nodes are used until it answers",
                    _ => "",
                };
                checks.push(Check::new(what, verdict(error, 1), error.to_string(), hint));
            }
            Ok(None) => {
                let detail = format!("chain {}; it is only sent transactions", chain.id);
                checks.push(Check::new(what, Verdict::Ok, detail, ""));
            }
            Ok(Some(genesis)) => {
                let detail = format!("chain {} with genesis {genesis}", chain.id);
                checks.push(Check::new(what.clone(), Verdict::Ok, detail, ""));
                let Some(node) = nodes.as_ref().map(|nodes| nodes.node(index)) else { continue };
                let client = node.client_version().await.unwrap_or_default();
                rules.push(ReplacementRule::of_client(&client));
                if let Err(error) = node.probe_fees(chain.fees.profile).await {
                    checks.push(Check::new(what.clone(), verdict(&error, 2), error.to_string(), ""));
                }
                if let Some(tag) = chain.tag
                    && let Err(error) = node.probe_tag(tag).await
                {
                    checks.push(Check::new(what, verdict(&error, 2), error.to_string(), ""));
                }
            }
        }
    }
    // A transaction goes to every node, so that it has to suit each one; who says nothing is taken for the usual one.
    let silent = (rules.len()..answers.len()).map(|_| ReplacementRule::GETH);
    examined.replacement = rules.iter().copied().chain(silent).reduce(ReplacementRule::and);
    examined.nodes = nodes;
}

/// Every signer that a feed uses shows that it holds the configured key and signs for our chain.
async fn examine_signers(config: &Config, examined: &mut Examined) {
    let client = match SignerClient::new() {
        Ok(client) => client,
        Err(error) => {
            examined.checks.push(Check::new("signers", Verdict::Wrong, error.to_string(), ""));
            return;
        }
    };
    let used: BTreeSet<&String> = config.feeds.values().map(|feed| &feed.signer).collect();
    for spec in used.into_iter().filter_map(|name| config.signers.get(name)) {
        let what = format!("signer {}", spec.name);
        let contracts = config.feeds.values().filter_map(|feed| feed.aggregator);
        let policy = Policy {
            chain_id: config.chain.id,
            allowed: contracts.collect(),
            allow_creation: false,
            max_gas: config.gas_max(spec.address),
            max_fee_wei: config.chain.fees.max_fee_wei,
        };
        match signer(spec, policy, config.chain.id, &client).await {
            Ok(signer) if config.chain.fees.profile == FeeProfile::Eip1559 && !signer.signs_eip1559() => {
                let detail = "EthSigner signs legacy transactions only, but chain.fees is \"eip1559\"";
                let hint = "set chain.fees = \"legacy\" or \"zero-gas\", or use another signer";
                examined.checks.push(Check::new(what, Verdict::Wrong, detail, hint));
            }
            Ok(signer) => {
                let detail = format!("signs for {} on chain {}", spec.address, config.chain.id);
                examined.checks.push(Check::new(what, Verdict::Ok, detail, ""));
                examined.signers.insert(spec.address, signer);
            }
            Err((verdict, detail)) => examined.checks.push(Check::new(what, verdict, detail, "")),
        }
    }
}

/// A signer that has passed its self-test.
pub async fn signer(
    spec: &crate::config::SignerSpec,
    policy: Policy,
    chain_id: u64,
    client: &SignerClient,
) -> Result<Signer, (Verdict, String)> {
    let signer = Signer::open(signer_config(spec), policy, client)
        .await
        .map_err(|error| (Verdict::Wrong, error.to_string()))?;
    match signer.self_test(chain_id).await {
        Ok(()) => Ok(signer),
        Err(error) => {
            let verdict = match error.fault {
                SignFault::Unavailable | SignFault::Timeout => Verdict::Unavailable,
                _ => Verdict::Wrong,
            };
            Err((verdict, error.to_string()))
        }
    }
}

fn signer_config(spec: &crate::config::SignerSpec) -> SignerConfig {
    use crate::config::SignerKind as Configured;
    let kind = match &spec.kind {
        Configured::Web3Signer(at) => SignerKind::Web3SignerRest { url: at.url().clone(), public_key: None },
        Configured::Web3SignerRpc(at) => {
            SignerKind::JsonRpc { url: at.url().clone(), dialect: Dialect::Web3Signer }
        }
        Configured::EthSigner(at) => {
            SignerKind::JsonRpc { url: at.url().clone(), dialect: Dialect::EthSigner }
        }
        Configured::Keystore { path, password_file } => {
            SignerKind::Keystore { path: path.clone(), password_file: password_file.clone() }
        }
    };
    SignerConfig { name: spec.name.clone(), address: spec.address, kind, timeout: spec.timeout.into() }
}

async fn examine_feed(
    node: &Node,
    feed: &crate::config::Feed,
    checks: &mut Vec<Check>,
    what: &str,
) -> Result<FeedFacts, Check> {
    let unreadable = |error: ChainError, address: Address| {
        if error.is_contracts_word() {
            let detail = format!("{address} does not answer like an aggregator: {error}");
            let hint = "check the address; `publisher deploy plan` shows what is there";
            return Check::new(what, Verdict::Wrong, detail, hint);
        }
        Check::new(what, Verdict::Unavailable, error.to_string(), "")
    };
    let Some(aggregator) = feed.aggregator else {
        return Err(Check::new(
            what,
            Verdict::Wrong,
            "has no aggregator yet",
            "run `publisher deploy apply`",
        ));
    };
    if let Some((store, entry)) = &feed.entry {
        return stores::examine(node, feed, (store, aggregator, entry.number), checks, what).await;
    }
    let facts = node.aggregator_facts(aggregator).await.map_err(|error| unreadable(error, aggregator))?;
    if !SUBMITTED_VERSIONS.contains(&facts.type_and_version.as_str()) {
        let known = SUBMITTED_VERSIONS.join(", ");
        let detail = format!("{aggregator} is {:?}, known are {known}", facts.type_and_version);
        checks.push(Check::new(what, Verdict::Warn, detail, "it must at least answer feedState(address)"));
    }
    if facts.decimals != feed.decimals {
        let detail =
            format!("the aggregator has {} decimals, configured are {}", facts.decimals, feed.decimals);
        return Err(Check::new(
            what,
            Verdict::Wrong,
            detail,
            "correct feed.decimals, or deploy another aggregator",
        ));
    }
    let (head, _) = node.head().await.map_err(|error| unreadable(error, aggregator))?;
    let view = node
        .round_view(aggregator, feed.account, None, &head)
        .await
        .map_err(|error| unreadable(error, aggregator))?;
    if !view.authorised {
        let detail = format!("{} may not submit to {aggregator}", feed.account);
        let hint = "let its owner call setTransmitter(account, true), or run `publisher deploy apply`";
        return Err(Check::new(what, Verdict::Wrong, detail, hint));
    }
    if view.paused {
        checks.push(Check::new(
            what,
            Verdict::Warn,
            "the aggregator is paused",
            "nothing is published until it is unpaused",
        ));
    }
    match feed.proxy {
        None => checks.push(Check::new(
            what,
            Verdict::Warn,
            "no proxy is configured",
            "what consumers read is not checked",
        )),
        Some(proxy) => {
            let read = node.proxy_facts(proxy).await.map_err(|error| unreadable(error, proxy))?;
            if read.aggregator != aggregator && read.proposed == aggregator {
                // The proxy takes an aggregator over only once it has rounds, so somebody has to write them.
                let detail = format!("proposed on {proxy}; consumers still read {}", read.aggregator);
                checks.push(Check::new(
                    what,
                    Verdict::Warn,
                    detail,
                    "confirm it with `publisher deploy apply`",
                ));
            } else if read.aggregator != aggregator {
                let detail = format!(
                    "consumers read {} through {proxy}, but {aggregator} would be written",
                    read.aggregator
                );
                return Err(Check::new(what, Verdict::Wrong, detail, "run `publisher deploy plan`"));
            }
        }
    }
    let detail = format!("round {}, {} decimals, {}", view.round, facts.decimals, facts.description);
    checks.push(Check::new(what, Verdict::Ok, detail, ""));
    Ok(facts.into())
}

/// Puts a daemon together from what the checks found.
pub async fn assemble(
    config: &Config,
    examined: Examined,
    acknowledge_halts: bool,
    health: Health,
    clock: Clock,
) -> Result<Driver, StartError> {
    let Some(nodes) = examined.nodes else {
        return Err(StartError::Wrong("no node has been verified".to_owned()));
    };
    let identity = nodes.identity();
    let mut spec = config.machine_spec(&examined.facts)?;
    spec.acknowledge_halts = acknowledge_halts;
    spec.chain.fees.rule = examined.replacement.unwrap_or(spec.chain.fees.rule);
    let client = Client::new().map_err(|error| StartError::Wrong(error.to_string()))?;
    let sources = config.sources(&client).map_err(|error| StartError::Wrong(error.to_string()))?;
    let (journal, recovered) = Journal::open(&config.journal, identity.chain_id, identity.genesis).await?;
    let beliefs = journal.reader().beliefs().await?;
    for source in &sources {
        if let Source::Network(network) = source {
            network.recall(&beliefs).await;
        }
    }
    health.update(|state| {
        state.replica = journal.me().to_string();
        for (id, feed) in &config.feeds {
            let entry = feed.entry.as_ref().map(|(store, entry)| (store.clone(), entry.number));
            state.feeds.entry(id.clone()).or_default().entry = entry;
        }
    });
    let lease = config.journal.is_shared().then_some(config.lease);
    let feeds = config.feeds.iter().filter_map(|(id, feed)| {
        let (aggregator, flag) = (feed.aggregator?, feed.flag());
        let wire = FeedWire { aggregator, account: feed.account, proxy: feed.proxy, flag };
        Some((id.clone(), wire))
    });
    let edges = Edges {
        nodes: Arc::new(nodes),
        tag: config.chain.tag,
        fee_profile: config.chain.fees.profile,
        poll: head_poll(config.chain.block_time),
        signers: examined.signers,
        feeds: feeds.collect(),
        stores: stores::wires(config),
    };
    let mut machine = machine(spec, &journal, lease, &recovered, clock)
        .map_err(|error| StartError::Wrong(error.to_string()))?;
    // Before the first look: what is paused stays so over a restart.
    machine.obey(journal.reader().orders(clock.now().wall).await?);
    let constants = machine.book().constants().map(|(id, constant)| {
        let comment = config.constants.get(id).map(|note| note.comment.clone()).unwrap_or_default();
        (id.clone(), ConstantHealth { constant: *constant, comment })
    });
    health.update(|state| state.constants = constants.collect());
    Ok(Driver {
        machine,
        journal: Arc::new(journal),
        lease,
        edges: Arc::new(edges),
        sources,
        clock,
        health,
        watcher: None,
    })
}

/// A machine that will serve its accounts, and what other accounts have on their way, while it holds their leases.
///
/// # Errors
/// If a value of the configuration is derived from itself.
pub fn machine(
    spec: Spec,
    journal: &Journal,
    lease: Option<Span>,
    recovered: &Recovered,
    clock: Clock,
) -> Result<Machine, BookError> {
    let left = recovered.accounts.iter().filter(|account| !account.open.is_empty()).map(|a| a.account);
    let ours = spec.feeds.values().map(|feed| feed.account).chain(spec.accounts.iter().copied());
    let accounts = ours.chain(left).collect();
    // An operator's word about a halt is for all accounts: none is used before all are held.
    let together = spec.acknowledge_halts;
    let leases = Leases::new(journal.me().clone(), lease, accounts, together, clock.now());
    Machine::leased(spec, leases, clock.now())
}

/// The head is polled twice in a block time, between ten times a second and every two seconds.
pub fn head_poll(block_time: Span) -> Span {
    Span::from_ms((block_time.ms() / 2).clamp(100, 2000))
}
