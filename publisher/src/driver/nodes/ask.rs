//! Questions to more than one node.

use super::agree::{self, Word};
use super::{Endpoint, Nodes, merge};
use crate::chain::{ChainError, FlagWire, Node, Tag};
use crate::driver::StoreWire;
use crate::telemetry::send_conflicts;
use alloy::primitives::{Address, B256, Bytes};
use publisher_core::outbox::Answered;
use publisher_core::tx::{
    AccountView, BlockRef, Call, FeeMinimum, PreflightAnswer, Receipt, ReceiptAnswer, RoundView, SendOutcome,
    StoreView,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Whoever has not answered so long after the first is not waited for.
const STRAGGLERS: Duration = Duration::from_secs(1);
/// A node that does not know a block yet is asked again after this.
const AGAIN: Duration = Duration::from_millis(300);

impl Nodes {
    /// Sends signed bytes to every node that takes them. Those that are slow get them all the same, and count as
    /// ambiguous.
    pub(in crate::driver) async fn broadcast(self: &Arc<Self>, raw: &Bytes, hash: B256) -> Answered {
        let writers = self.roster().writers();
        let count = writers.len();
        let mut asked = JoinSet::new();
        for index in writers {
            let (nodes, raw) = (Arc::clone(self), raw.clone());
            asked.spawn(async move {
                let sent = nodes.node(index).send_raw(&raw, hash).await;
                nodes.sent(index, &sent);
                (index, sent)
            });
        }
        let answers = gather(&mut asked, |_| true).await;
        asked.detach_all();
        if merge::conflict(&answers) {
            send_conflicts();
        }
        let silent = (answers.len()..count).map(|_| SendOutcome::Ambiguous);
        let outcome = merge::merged(answers.iter().map(|(_, sent)| sent.outcome).chain(silent));
        let detail = match answers.iter().find(|(_, sent)| sent.outcome == outcome) {
            Some((_, sent)) if count == 1 => sent.detail.clone(),
            Some((index, sent)) if !sent.detail.is_empty() => {
                format!("{}: {}", self.name(*index), sent.detail)
            }
            Some(_) => String::new(),
            None => "a node has not answered yet".to_owned(),
        };
        // One node that takes a fee is enough, so that the least that any of them asks for is.
        let named = answers.iter().filter(|(_, sent)| sent.outcome == outcome).map(|(_, sent)| sent.minimum);
        let minimum = named.min_by_key(|minimum| minimum.map(FeeMinimum::wei)).flatten();
        Answered { outcome, minimum, detail }
    }

    /// An account at a block, as far as all nodes that are alive and know the block agree. A nonce in which they
    /// differ is no view at all.
    pub(in crate::driver) async fn account_view(
        &self,
        account: Address,
        hashes: Vec<B256>,
        at: BlockRef,
    ) -> Option<AccountView> {
        let readers = self.readers();
        let several = readers.len() > 1;
        let asked_for: Arc<[B256]> = hashes.clone().into();
        let mut asked = JoinSet::new();
        for node in readers {
            let hashes = Arc::clone(&asked_for);
            asked.spawn(async move {
                let mut view = node.account_view(account, &hashes, &at).await;
                if several && view.is_err() {
                    sleep(AGAIN).await;
                    view = node.account_view(account, &hashes, &at).await;
                }
                (node, view)
            });
        }
        let answers = gather(&mut asked, |(_, view)| view.is_ok()).await;
        let (nodes, views): (Vec<_>, Vec<_>) =
            answers.into_iter().filter_map(|(node, view)| Some((node, view.ok()?))).unzip();
        if views.len() < (if several { 2 } else { 1 }) {
            return None;
        }
        let Some(mined_nonce) = agree::nonce(&views) else {
            let nonces: Vec<String> = nodes
                .iter()
                .zip(&views)
                .map(|(node, view)| format!("{} at {}", view.mined_nonce, node.shown()))
                .collect();
            self.agreed("nonce", Some(format!("{account} at block {}: {}", at.number, nonces.join(", "))));
            return None;
        };
        let mut receipts = Vec::with_capacity(hashes.len());
        let mut difference = None;
        for hash in hashes {
            let answer = match agree::receipt(&views, hash) {
                Word::Told(answer) => answer,
                Word::Denied(receipt, deniers) => {
                    let deniers = deniers.into_iter().filter_map(|denier| nodes.get(denier));
                    let deniers: Vec<Arc<Node>> = deniers.cloned().collect();
                    match confirmed(&deniers, &receipt).await {
                        Ok(()) => ReceiptAnswer::Found(receipt),
                        Err(denier) => {
                            let number = receipt.block_number;
                            difference = denier
                                .map(|node| format!("{hash} is not in block {number} at {node}"))
                                .or(difference);
                            ReceiptAnswer::Unknown
                        }
                    }
                }
            };
            receipts.push((hash, answer));
        }
        if several {
            self.agreed("receipt", difference);
        }
        let skips = agree::skips(&views);
        Some(AccountView { at_number: at.number, mined_nonce, receipts, skips })
    }

    /// Whether another node that is alive has these very blocks; true where there is no other.
    pub(in crate::driver) async fn is_shared(&self, node: usize, blocks: &[BlockRef]) -> bool {
        let others = self.others(node);
        let alone = others.is_empty();
        let mut asked = JoinSet::new();
        for other in others {
            let blocks = blocks.to_vec();
            asked.spawn(async move { other.has(&blocks).await });
        }
        while let Some(answer) = asked.join_next().await {
            if matches!(answer, Ok(true)) {
                return true;
            }
        }
        alone
    }

    /// The tagged block, which this node says is `own`: the lowest that any node says which is alive, and none before
    /// another one says anything.
    pub(in crate::driver) async fn tagged(
        &self,
        node: usize,
        tag: Tag,
        own: Option<(u64, B256)>,
    ) -> Option<(u64, B256)> {
        let others = self.others(node);
        if others.is_empty() || own.is_none() {
            return own;
        }
        let mut asked = JoinSet::new();
        for other in others {
            asked.spawn(async move { other.block_by_tag(tag).await });
        }
        let answers = gather(&mut asked, Result::is_ok).await;
        let said: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
        if said.is_empty() || said.contains(&None) {
            return None;
        }
        said.into_iter().flatten().chain(own).min_by_key(|(number, _)| *number)
    }

    /// The hash of the block at a height, if no node that has one has another. One node's word is enough only where it
    /// is the only one.
    pub(in crate::driver) async fn block_hash(&self, number: u64) -> Option<B256> {
        let mut asked = JoinSet::new();
        let readers = self.readers();
        let needed = readers.len().min(2);
        for node in readers {
            asked.spawn(async move { node.block(number).await });
        }
        let answers = gather(&mut asked, |answer| matches!(answer, Ok(Some(_)))).await;
        let hashes: Vec<B256> = answers.into_iter().filter_map(|answer| Some(answer.ok()??.hash)).collect();
        let first = *hashes.first()?;
        if let Some(other) = hashes.iter().find(|hash| **hash != first) {
            self.agreed("block", Some(format!("block {number} is {first} and {other}")));
            return None;
        }
        (hashes.len() >= needed).then_some(first)
    }

    /// What a call would do, by the first node that can say.
    pub(in crate::driver) async fn preflight(&self, call: &Call, from: Address) -> PreflightAnswer {
        for node in self.readers() {
            match node.preflight(call, from).await {
                PreflightAnswer::Unknown => {}
                answer => return answer,
            }
        }
        PreflightAnswer::Unknown
    }

    /// A feed's aggregator at a block: a matter of the block's hash, so that the first node that knows it will do.
    pub(in crate::driver) async fn round_view(
        &self,
        aggregator: Address,
        account: Address,
        flag: Option<FlagWire>,
        at: &BlockRef,
    ) -> Option<RoundView> {
        first(self.readers().iter().map(|node| node.round_view(aggregator, account, flag, at))).await
    }

    /// A store and some of its feeds at a block, likewise.
    pub(in crate::driver) async fn store_view(
        &self,
        store: Address,
        wire: &StoreWire,
        at: &BlockRef,
    ) -> Option<StoreView> {
        let StoreWire { account, feeds, flags } = wire;
        first(self.readers().iter().map(|node| node.store_view(store, *account, feeds, flags, at))).await
    }

    /// A block and some before it, linked by their hashes, by the first node that knows them and is not alone with them.
    pub(in crate::driver) async fn ancestors(
        &self,
        number: u64,
        hash: B256,
        count: u64,
    ) -> Option<Vec<BlockRef>> {
        let readers = self.roster().readers();
        for node in readers {
            if let Ok(blocks) = self.node(node).ancestors(number, hash, count).await
                && self.is_shared(node, &blocks).await
            {
                return Some(blocks);
            }
        }
        None
    }

    /// Who else is asked beside a node.
    fn others(&self, node: usize) -> Vec<Arc<Node>> {
        let readers = self.roster().readers();
        let others = readers.into_iter().filter(|other| *other != node);
        others.map(|other| Arc::clone(&self.endpoint(other).node)).collect()
    }

    /// Who is asked, the reader first.
    fn readers(&self) -> Vec<Arc<Node>> {
        let readers = self.roster().readers();
        let node = |index| {
            let Endpoint { node, .. } = self.endpoint(index);
            Arc::clone(node)
        };
        readers.into_iter().map(node).collect()
    }
}

/// Whether the blocks of these nodes, which have no receipt, hold the transaction nevertheless: then only their index
/// is behind. Otherwise the name of one that knows the block without it, if any does.
async fn confirmed(nodes: &[Arc<Node>], receipt: &Receipt) -> Result<(), Option<String>> {
    for node in nodes {
        match node.block_holds(receipt.block_hash, receipt.hash).await {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Err(Some(node.shown())),
            Ok(None) | Err(_) => return Err(None),
        }
    }
    Ok(())
}

/// The first answer there is; each is asked for after the one before has failed.
async fn first<T>(asked: impl Iterator<Item = impl Future<Output = Result<T, ChainError>>>) -> Option<T> {
    for answer in asked {
        if let Ok(answer) = answer.await {
            return Some(answer);
        }
    }
    None
}

/// All answers, or those that come soon after the first that is `enough`.
async fn gather<T: 'static>(asked: &mut JoinSet<T>, enough: impl Fn(&T) -> bool) -> Vec<T> {
    let mut answers = Vec::new();
    let mut deadline = None;
    loop {
        let next = match deadline {
            None => asked.join_next().await,
            Some(deadline) => match timeout_at(deadline, asked.join_next()).await {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        let Some(ended) = next else { break };
        let Ok(answer) = ended else { continue };
        if enough(&answer) {
            deadline.get_or_insert(Instant::now() + STRAGGLERS);
        }
        answers.push(answer);
    }
    answers
}
