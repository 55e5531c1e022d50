//! A rollout put together from a configuration: which node, whose account, whose journal.

use super::apply::{self, Applied, Progress};
use super::{AddressBook, Check, RolloutError, observe, verify, wanted};
use crate::chain::Identity;
use crate::config::{Config, SignerSpec};
use crate::driver::nodes::{Nodes, meet};
use crate::driver::{Clock, Edges};
use crate::signer::{Client as SignerClient, Policy};
use crate::start::{head_poll, signer};
use crate::store::Location;
use alloy::primitives::Address;
use publisher_core::machine::Spec;
use publisher_core::time::Span;
use publisher_deploy::{Part, Plan, Wanted, plan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No step of a rollout gets a higher gas limit. The dearest, a store's creation, takes about three million.
const STEP_GAS_MAX: u64 = 10_000_000;
/// How long a step may take from its beginning to finality, unless it is said otherwise.
const STEP_TIMEOUT: Span = Span::from_s(30 * 60);

/// What a rollout needs to know besides the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The name of the signer whose account carries it out.
    pub signer: String,
    /// Who administers the contracts; the account that carries the rollout out if `None`.
    pub owner: Option<Address>,
    /// An operator has looked at every halt in the journal.
    pub acknowledge_halts: bool,
    /// How long a step may take from its beginning to finality.
    pub step_timeout: Span,
}

impl Terms {
    /// The account of this signer deploys and owns.
    pub fn new(signer: &str) -> Self {
        Self { signer: signer.to_owned(), owner: None, acknowledge_halts: false, step_timeout: STEP_TIMEOUT }
    }
}

/// A rollout on a chain that was found to be the configured one. Nothing has been signed or written.
pub struct Rollout<'a> {
    path: PathBuf,
    config: &'a Config,
    terms: Terms,
    deployer: &'a SignerSpec,
    nodes: Nodes,
    identity: Identity,
    wanted: Wanted,
    book: AddressBook,
}

/// Brings the chain to what the configuration beside `path` wants, with the named signer's account.
///
/// # Errors
/// Whatever stops it; run again, it goes on where it stopped.
pub async fn roll_out(
    path: &Path,
    config: &Config,
    signer: &str,
    progress: impl FnMut(Progress<'_>),
) -> Result<Applied, RolloutError> {
    Rollout::open(path, config, Terms::new(signer)).await?.apply(progress).await
}

impl<'a> Rollout<'a> {
    /// Finds the node, its chain, the deployer and the address book beside the configuration file `path`. The
    /// configuration's own addresses come before the book's.
    ///
    /// # Errors
    /// If one of them is missing or belongs to another chain.
    pub async fn open(path: &Path, config: &'a Config, terms: Terms) -> Result<Self, RolloutError> {
        let deployer = config.signers.get(&terms.signer).ok_or_else(|| RolloutError::NoSigner {
            name: terms.signer.clone(),
            known: config.signers.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        let chain = &config.chain;
        let met = meet(&chain.rpc, chain.id, chain.genesis, chain.block_time).await?;
        let Some(nodes) = met.nodes else {
            let mut errors: Vec<_> = met.answers.into_iter().filter_map(|(_, answer)| answer.err()).collect();
            errors.sort_by_key(|error| !error.is_refusal());
            return Err(errors.into_iter().next().map_or(RolloutError::NoNode, RolloutError::Chain));
        };
        let identity = nodes.identity();
        let book = AddressBook::beside(path).open(identity.chain_id, identity.genesis)?;
        let wanted = wanted(config, deployer.address, terms.owner.unwrap_or(deployer.address));
        Ok(Self { path: path.to_owned(), config, terms, deployer, nodes, identity, wanted, book })
    }

    /// What the configuration wants.
    pub const fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Where the contracts are.
    pub const fn book(&self) -> &AddressBook {
        &self.book
    }

    /// The address book, for an operator who wants a new contract in place of a known one.
    pub const fn book_mut(&mut self) -> &mut AddressBook {
        &mut self.book
    }

    /// What is to be done now. A step that an earlier rollout left on its way is planned again; carrying the plan
    /// out waits for it first.
    ///
    /// # Errors
    /// If the node cannot be asked.
    pub async fn plan(&self) -> Result<Plan, RolloutError> {
        Ok(plan(&self.wanted, &observe(&self.nodes.reader(), &self.wanted, &self.book).await?))
    }

    /// Whether every contract is what it should be, and consumers read what is written.
    ///
    /// # Errors
    /// If the node cannot be asked.
    pub async fn verify(&self) -> Result<Vec<Check>, RolloutError> {
        Ok(verify(&self.nodes.reader(), &self.wanted, &self.book).await?)
    }

    /// The journal of the steps. An account has one journal: where it also submits rounds, theirs; then the daemon
    /// must not run meanwhile. Beside a shared journal the steps have a file of their own, with the configuration.
    ///
    /// # Errors
    /// If the account's journal is shared: replicas may be using it at any time.
    pub fn journal(&self) -> Result<PathBuf, RolloutError> {
        let submits = self.config.feeds.values().any(|feed| feed.account == self.deployer.address);
        match &self.config.journal {
            Location::File(path) if submits => Ok(path.clone()),
            Location::File(path) => Ok(path.with_extension("deploy.db")),
            Location::Server(_) if submits => {
                Err(RolloutError::SharedJournal { account: self.deployer.address })
            }
            Location::Server(_) => Ok(self.path.with_extension("deploy.db")),
        }
    }

    /// Carries out what is to be done, step by step, each one to its finality.
    ///
    /// # Errors
    /// Whatever stops it; run again, it goes on where it stopped. Dropped, it is as safe as killed.
    pub async fn apply(mut self, progress: impl FnMut(Progress<'_>)) -> Result<Applied, RolloutError> {
        let client = SignerClient::new().map_err(|error| RolloutError::Signer(error.to_string()))?;
        let signer = signer(self.deployer, self.policy(), self.identity.chain_id, &client).await;
        let signer = signer.map_err(|(_, detail)| RolloutError::Signer(detail))?;
        let chain = &self.config.chain;
        let node = self.nodes.reader();
        node.probe_fees(chain.fees.profile).await?;
        if let Some(tag) = chain.tag {
            node.probe_tag(tag).await?;
        }
        let clock = Clock::new();
        let spec = self.spec()?;
        let journal = self.journal()?;
        let edges = Edges {
            nodes: Arc::new(self.nodes),
            tag: chain.tag,
            fee_profile: chain.fees.profile,
            poll: head_poll(chain.block_time),
            signers: BTreeMap::from([(self.deployer.address, signer)]),
            feeds: BTreeMap::new(),
            stores: BTreeMap::new(),
        };
        let work = apply::Work {
            spec,
            edges: Arc::new(edges),
            journal,
            clock,
            wanted: &self.wanted,
            book: &mut self.book,
            step_timeout: self.terms.step_timeout,
        };
        apply::apply(work, progress).await
    }

    /// What the deployer's signer may sign: creations, and calls to the configured contracts and its own.
    fn policy(&self) -> Policy {
        let feeds = self.wanted.feeds.iter().flat_map(|(id, feed)| {
            let known = [Part::Aggregator, Part::Facade, Part::Proxy];
            let known = known.map(|part| self.book.known(id.as_str(), part));
            [feed.aggregator, feed.proxy].into_iter().chain(known)
        });
        let stores = self.wanted.stores.iter();
        let stores = stores.flat_map(|(name, store)| [store.address, self.book.known(name, Part::Store)]);
        let allowed: BTreeSet<Address> = feeds.chain(stores).flatten().collect();
        Policy {
            chain_id: self.identity.chain_id,
            allowed,
            allow_creation: true,
            max_gas: STEP_GAS_MAX,
            max_fee_wei: self.config.chain.fees.max_fee_wei,
        }
    }

    /// A machine without feeds.
    fn spec(&self) -> Result<Spec, RolloutError> {
        let mut bare = self.config.clone();
        bare.feeds.clear();
        bare.stores.clear();
        bare.rates.clear();
        let mut spec = bare.machine_spec(&BTreeMap::new())?;
        spec.accounts = vec![self.deployer.address];
        spec.acknowledge_halts = self.terms.acknowledge_halts;
        Ok(spec)
    }
}
