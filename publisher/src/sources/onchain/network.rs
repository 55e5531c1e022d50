//! All contracts of one chain that something reads, asked at once.
//!
//! A poll takes one block, the same for all, and asks every contract at its hash: one request for the block, one for
//! the contracts, and a few more the first time. A block that a reorg took away is an error of the node, which leads to
//! another block at the next poll. A node that fails, or serves another chain, makes room for the next one.

use super::growth::{Belief, Share, SourceWord};
use super::kept::Caution;
use super::{Call, ContractSource, Heard, Reader, Returned, Trouble};
use crate::chain::{ChainError, Node, NodeSetup, VerifyError};
use crate::sources::CUSTOM_SYMBOL;
use crate::sources::limits::{self, EVERY};
use crate::sources::problem::{Problems, SourceSetupError};
use crate::sources::venue::Poll;
use alloy::primitives::B256;
use publisher_core::price::Price;
use publisher_core::quote::{MarketId, Observation, Quote, SourceFault, VenueId};
use publisher_core::time::{Span, Wall};
use publisher_core::tx::BlockRef;
use std::collections::BTreeSet;
use std::fmt;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Rounds of questions that a contract may need before its price is known.
const ROUNDS_MAX: usize = 4;

/// So many blocks are looked back, to see how often they come.
const PACE_BLOCKS: u64 = 1000;

/// What a configuration says about the contracts of a chain.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// Its name in logs and metrics.
    pub id: VenueId,
    /// EIP-155 chain id, which a node must say before anything it says of a contract counts.
    pub chain_id: u64,
    /// Its nodes, asked in turn: the next one once one fails.
    pub nodes: Vec<NodeSetup>,
    /// How many blocks behind the head contracts are read.
    pub confirmations: u64,
    /// The interval between polls.
    pub every: Span,
    /// What is read.
    pub sources: Vec<ContractSource>,
}

/// A chain, ready to be polled.
pub struct Network {
    id: VenueId,
    chain_id: u64,
    nodes: Vec<Node>,
    confirmations: u64,
    every: Span,
    markets: Vec<MarketId>,
    /// Which contract each is, where something is remembered of it.
    contracts: Vec<Option<String>>,
    memory: Mutex<Memory>,
}

/// What is remembered from one poll to the next.
struct Memory {
    /// The node to ask.
    node: usize,
    /// Polls in a row that a node did not answer.
    silent: usize,
    readers: Vec<Box<dyn Reader>>,
    /// Earlier blocks that prices rest on, and which were still there when they were first needed.
    kept: BTreeSet<B256>,
    /// How often blocks come, once somebody had to know.
    pace: Option<Span>,
    /// The block that was read last, and what was read there.
    last: Option<(B256, Vec<Outcome>)>,
}

/// What is to be known of a share after a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The source's name.
    pub source: VenueId,
    /// What the journal is to have of it, if that is news.
    pub unkept: Option<Belief>,
    /// Why its last price was not believed, if it was not.
    pub refused: Option<String>,
}

/// A price and when it was true, or why there is none.
type Outcome = Result<(Price, Wall), Trouble>;

/// Why a node gave nothing for any contract.
struct Failure {
    fault: SourceFault,
    retry_after: Option<Span>,
    detail: String,
}

impl Network {
    /// A chain whose contracts are read as configured.
    ///
    /// # Errors
    /// With every setting and node that cannot be used.
    pub fn new(spec: NetworkSpec) -> Result<Self, SourceSetupError> {
        let mut problems = Problems::default();
        let every = limits::within("every", spec.every, EVERY, &mut problems);
        let mut nodes = Vec::new();
        for setup in &spec.nodes {
            nodes.extend(problems.keep("rpc", "", Node::new(setup), "write e.g. https://rpc.example.com"));
        }
        if spec.nodes.is_empty() {
            problems.add("rpc", "", "no node", "add rpc, e.g. rpc = [\"https://rpc.example.com\"]");
        }
        let network = every.map(|every| Self {
            id: spec.id.clone(),
            chain_id: spec.chain_id,
            nodes,
            confirmations: spec.confirmations,
            every,
            markets: spec.sources.iter().map(|s| MarketId::new(s.id.as_str(), CUSTOM_SYMBOL)).collect(),
            contracts: spec.sources.iter().map(|s| s.contract(spec.chain_id)).collect(),
            memory: Mutex::new(Memory {
                node: 0,
                silent: 0,
                readers: spec.sources.iter().map(|source| source.kind.reader(source.address)).collect(),
                kept: BTreeSet::new(),
                pace: None,
                last: None,
            }),
        });
        problems.finish(spec.id.as_str(), network)
    }

    /// Its name.
    pub fn id(&self) -> &VenueId {
        &self.id
    }

    /// The interval between polls.
    pub fn every(&self) -> Span {
        self.every
    }

    /// Goes on from what was believed of its shares before the start.
    pub async fn recall(&self, beliefs: &[Belief]) {
        for (source, contract, share) in self.shares(&mut *self.memory.lock().await) {
            let is_its = |belief: &&Belief| belief.source == *source && belief.contract == contract;
            beliefs.iter().filter(is_its).for_each(|belief| share.recall(belief.believed.clone()));
        }
    }

    /// Follows what operators say of its shares. Returns the words that are news.
    pub async fn obey(&self, words: &[SourceWord]) -> Vec<SourceWord> {
        let mut news = Vec::new();
        for (source, contract, share) in self.shares(&mut *self.memory.lock().await) {
            let is_its = |word: &&SourceWord| word.source == *source && word.contract == contract;
            news.extend(words.iter().filter(is_its).filter(|word| share.obey(word)).cloned());
        }
        news
    }

    /// Judges its shares as a process that starts with this journal would, for somebody who looks and writes nothing.
    /// Returns what each is held against, and when that was true; `None` where the journal has nothing of it.
    pub async fn judge_by(
        &self,
        beliefs: &[Belief],
        words: &[SourceWord],
    ) -> Vec<(VenueId, Option<(Price, Wall)>)> {
        self.recall(beliefs).await;
        self.obey(words).await;
        let mut memory = self.memory.lock().await;
        let held = |(source, contract, share): (&VenueId, &str, &mut Share)| {
            let is_known =
                beliefs.iter().any(|belief| belief.source == *source && belief.contract == contract)
                    || words.iter().any(|word| word.source == *source && word.contract == contract);
            (source.clone(), share.last().filter(|_| is_known))
        };
        self.shares(&mut memory).map(held).collect()
    }

    /// What is to be known of its shares.
    pub async fn watch(&self) -> Vec<Watch> {
        let mut memory = self.memory.lock().await;
        let watch = |(source, contract, share): (&VenueId, &str, &mut Share)| Watch {
            source: source.clone(),
            unkept: share.unkept().map(|believed| Belief {
                source: source.clone(),
                contract: contract.to_owned(),
                believed: believed.clone(),
            }),
            refused: share.refused.clone(),
        };
        self.shares(&mut memory).map(watch).collect()
    }

    /// The journal has this.
    pub async fn kept(&self, belief: Belief) {
        let mut memory = self.memory.lock().await;
        if let Some((.., share)) = self.shares(&mut memory).find(|(source, ..)| **source == belief.source) {
            share.keep(belief.believed);
        }
    }

    /// What works now, by the last poll, and will not in time.
    pub async fn cautions(&self) -> Vec<Caution> {
        let memory = self.memory.lock().await;
        let Some(pace) = memory.pace else { return Vec::new() };
        let readers = self.markets.iter().zip(&memory.readers);
        readers.filter_map(|(market, reader)| reader.kept()?.caution(&market.venue, pace)).collect()
    }

    /// Whether something is remembered of any of its sources.
    pub fn has_shares(&self) -> bool {
        self.contracts.iter().any(Option::is_some)
    }

    fn shares<'a>(
        &'a self,
        memory: &'a mut Memory,
    ) -> impl Iterator<Item = (&'a VenueId, &'a str, &'a mut Share)> {
        let named = self.markets.iter().zip(&self.contracts).zip(&mut memory.readers);
        named.filter_map(|((market, contract), reader)| {
            Some((&market.venue, contract.as_deref()?, reader.share()?))
        })
    }

    /// Reads every contract at one block. Dropping the future abandons the requests and loses nothing else.
    pub async fn poll(&self, clock: impl Fn() -> Wall) -> Poll {
        let started = Instant::now();
        let mut memory = self.memory.lock().await;
        let mut poll = Poll::empty();
        let outcomes = match self.nodes.get(memory.node) {
            Some(node) => self.read(node, &mut memory, &mut poll.requests).await,
            None => Err(ChainError::Unreachable.into()),
        };
        poll.elapsed = started.elapsed().into();
        match outcomes {
            Ok(outcomes) => {
                memory.silent = 0;
                poll.detail = details(&self.markets, &outcomes);
                poll.observations = self.observations(&outcomes, clock());
            }
            Err(Failure { fault, retry_after, detail }) => {
                // The next node is asked at the next poll, without a delay unless all of them have failed.
                memory.node = (memory.node + 1) % self.nodes.len().max(1);
                memory.silent = memory.silent.saturating_add(1);
                poll.alternative = memory.silent < self.nodes.len();
                poll.retry_after = retry_after.filter(|_| !poll.alternative);
                poll.fault = Some(fault);
                poll.detail = Some(detail);
                let missing = |market: &MarketId| Observation::Missing { market: market.clone(), fault };
                poll.observations = self.markets.iter().map(missing).collect();
            }
        }
        poll
    }

    async fn read(
        &self,
        node: &Node,
        memory: &mut Memory,
        requests: &mut u32,
    ) -> Result<Vec<Outcome>, Failure> {
        *requests += 1;
        let at = node.anchor(self.chain_id, self.confirmations).await?;
        if let Some((hash, outcomes)) = &memory.last
            && *hash == at.hash
            && outcomes.iter().all(Result::is_ok)
        {
            return Ok(outcomes.clone());
        }
        memory.last = None;
        let rests: Vec<Option<BlockRef>> = memory.readers.iter().map(|reader| reader.rests_on(&at)).collect();
        memory.kept.retain(|hash| rests.iter().flatten().any(|block| block.hash == *hash));
        let unsure = |block: &&BlockRef| !memory.kept.contains(&block.hash);
        let unsure: Vec<BlockRef> = rests.into_iter().flatten().filter(|block| unsure(&block)).collect();
        if !unsure.is_empty() {
            *requests += 1;
            let gone = node.gone(&unsure).await?;
            for reader in &mut memory.readers {
                gone.iter().for_each(|block| reader.forget(block));
            }
            memory.kept.extend(unsure.iter().filter(|block| !gone.contains(block)).map(|block| block.hash));
        }
        let outcomes = ask_all(node, &at, &mut memory.readers, requests).await?;
        if memory.pace.is_none() && memory.readers.iter().any(|reader| reader.kept().is_some()) {
            *requests += 1;
            memory.pace = pace(node, &at).await;
        }
        memory.last = Some((at.hash, outcomes.clone()));
        Ok(outcomes)
    }

    fn observations(&self, outcomes: &[Outcome], received: Wall) -> Vec<Observation> {
        let observation = |(market, outcome): (&MarketId, &Outcome)| match outcome {
            Ok((price, as_of)) => Observation::Quote(Quote {
                market: market.clone(),
                bid: None,
                ask: None,
                last: Some(*price),
                base_volume: None,
                as_of: *as_of,
                received,
                // A chain's time is that of its blocks.
                is_clocked: false,
            }),
            Err(trouble) => Observation::Missing { market: market.clone(), fault: trouble.fault },
        };
        self.markets.iter().zip(outcomes).map(observation).collect()
    }
}

/// How often blocks have come of late, in the mean; `None` where the node does not say. Nothing is decided by it.
async fn pace(node: &Node, at: &BlockRef) -> Option<Span> {
    // The first block of a chain may say any time.
    let earlier = node.block(at.number.saturating_sub(PACE_BLOCKS).max(1)).await.ok()??;
    let blocks = at.number.checked_sub(earlier.number).filter(|blocks| *blocks > 0)?;
    Some(Span::from_ms(at.time.since(earlier.time).ms() / blocks))
}

/// Asks every contract at this block until each has said a price, or why not.
async fn ask_all(
    node: &Node,
    at: &BlockRef,
    readers: &mut [Box<dyn Reader>],
    requests: &mut u32,
) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes: Vec<Option<Outcome>> = readers.iter().map(|_| None).collect();
    for _ in 0..ROUNDS_MAX {
        let open = || outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_none()).map(|(at, _)| at);
        let open: Vec<usize> = open().collect();
        if open.is_empty() {
            break;
        }
        let asked: Vec<Vec<Call>> =
            open.iter().map(|place| readers.get(*place).map_or_else(Vec::new, |r| r.questions())).collect();
        *requests += 1;
        let answers = node.calls_at(at, &asked.concat()).await;
        if let Some(failure) = Failure::of(&answers) {
            return Err(failure);
        }
        let mut rest = answers.as_slice();
        for (place, questions) in open.into_iter().zip(asked) {
            let (own, others) = rest.split_at_checked(questions.len()).unwrap_or((rest, &[]));
            rest = others;
            if let (Some(reader), Some(outcome)) = (readers.get_mut(place), outcomes.get_mut(place)) {
                *outcome = match reader.hear(at, own) {
                    Ok(Heard::More) => None,
                    Ok(Heard::Price(price, as_of)) => Some(Ok((price, as_of))),
                    Err(trouble) => Some(Err(trouble)),
                };
            }
        }
    }
    let unfinished = || Err(Trouble::refused("it does not come to an end"));
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unfinished)).collect())
}

/// What is wrong with the sources that gave no price, in words.
fn details(markets: &[MarketId], outcomes: &[Outcome]) -> Option<String> {
    let trouble = |(market, outcome): (&MarketId, &Outcome)| {
        outcome.as_ref().err().map(|trouble| format!("{}: {}", market.venue, trouble.detail))
    };
    let all: Vec<String> = markets.iter().zip(outcomes).filter_map(trouble).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

impl Failure {
    /// What all answers have in common that is no word of a contract: the node failed, or lacks the block. What a
    /// contract does to its own call, be it an invalid opcode or all the gas there is, concerns that contract alone.
    fn of(answers: &[Returned]) -> Option<Self> {
        let of_node = |answer: &Returned| match answer {
            Ok(_) => false,
            Err(error) => !error.is_contracts_word(),
        };
        let broken = |answer: &&Returned| matches!(answer, Err(error) if !matches!(error, ChainError::Rpc { .. }) && of_node(answer));
        let failed = match answers.iter().all(of_node) {
            true => answers.first(),
            false => answers.iter().find(broken),
        };
        match failed {
            Some(Err(error)) => Some(error.clone().into()),
            _ => None,
        }
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let fault = match &error {
            ChainError::Unreachable => SourceFault::Unreachable,
            ChainError::Timeout => SourceFault::Timeout,
            ChainError::Http(_) => SourceFault::HttpStatus,
            ChainError::RateLimited { .. } => SourceFault::RateLimited,
            ChainError::Rpc { .. } => SourceFault::VenueError,
            ChainError::BadAnswer(_) | ChainError::Contract(_) => SourceFault::BadBody,
        };
        let retry_after = match error {
            ChainError::RateLimited { retry_after } => retry_after,
            _ => None,
        };
        Self { fault, retry_after, detail: error.to_string() }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Chain(error) => error.into(),
            VerifyError::ChainId { expected, found } => Self {
                fault: SourceFault::VenueError,
                retry_after: None,
                detail: format!("the node serves chain {found} instead of {expected}"),
            },
            other => Self { fault: SourceFault::VenueError, retry_after: None, detail: other.to_string() },
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("id", &self.id)
            .field("markets", &self.markets)
            .finish_non_exhaustive()
    }
}
