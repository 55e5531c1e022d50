//! The nodes, and the signer: what they answer, when they answer.
//!
//! How a replica makes one answer of several is the rule of the daemon's nodes, told as simply as it can be: one node
//! is read, all are sent to, and what cannot be taken back is believed if all that know the block agree.

use super::chain::{Chain, Tx};
use super::replica::Run;
use super::setup::{BLOCK, REFRESH, timing};
use super::world::{Happening, POLL, World};
use crate::head::Finality;
use crate::io::{Effect, Input, Ticket};
use crate::quote::FeedId;
use crate::time::Span;
use crate::tx::{
    AccountView, BlockRef, FeeHint, Flag, PreflightAnswer, ReceiptAnswer, RoundView, SendOutcome, SignFault,
    TxRequest,
};
use alloy_primitives::{Address, B256, Bytes};

/// A node, as far as it differs from the network.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub down_until: u64,
    pub lags_until: u64,
    /// Its own chain and pool, while it does not find the others.
    pub split: Option<Chain>,
}

impl World {
    pub fn sign(&mut self, run: Run, ticket: Ticket, tx: TxRequest) {
        let account = tx.from;
        let delay = self.latency();
        if self.now_ms < self.ills.signer_sick {
            let fault = match self.rng.u8(0..4) {
                0 => return, // It never answers.
                1 => SignFault::Mismatch,
                2 => SignFault::Unavailable,
                _ => SignFault::Timeout,
            };
            let failed = Input::SignFailed { ticket, account, fault, detail: String::new() };
            return self.at(delay, Happening::Answer(run, failed));
        }
        self.hashes += 1;
        let mut bytes = [0xcc; 32];
        bytes[..8].copy_from_slice(&self.hashes.to_be_bytes());
        let hash = B256::from(bytes);
        self.signed.insert(hash, tx);
        let raw = Bytes::from(bytes.to_vec());
        // Now and then an answer comes after everybody has stopped waiting for it.
        let late = self.lost();
        let delay = if late { timing().answer_timeout.ms() + delay } else { delay };
        if late {
            self.excuse_now(timing().answer_timeout + Span::from_s(1));
        }
        self.at(delay, Happening::Answer(run, Input::Signed { ticket, account, hash, raw }));
    }

    /// The nodes that a replica reaches, the one that it reads first.
    pub fn readers(&self, replica: usize) -> Vec<usize> {
        let Some(process) = self.replicas.get(replica) else { return Vec::new() };
        let reached = |node: &usize| {
            let up = self.nodes.get(*node).is_some_and(|node| self.now_ms >= node.down_until);
            up && process.nodes_lost.get(*node).is_some_and(|until| self.now_ms >= *until)
        };
        let others = (0..self.nodes.len()).filter(|node| *node != process.reader);
        std::iter::once(process.reader).chain(others).filter(reached).collect()
    }

    /// The chain that a node knows, and up to which height it shows it.
    fn shown(&self, node: usize) -> (&Chain, u64) {
        let node = self.nodes.get(node);
        let chain = node.and_then(|node| node.split.as_ref()).unwrap_or(&self.chain);
        let tip = chain.tip().number;
        let lags = node.is_some_and(|node| self.now_ms < node.lags_until);
        (chain, if lags { tip.saturating_sub(3) } else { tip })
    }

    /// The chains of all nodes that a replica reaches and that know a block.
    fn knowing(&self, replica: usize, number: u64, hash: B256) -> Vec<(&Chain, u64)> {
        let shown = self.readers(replica).into_iter().map(|node| self.shown(node));
        shown
            .filter(|(chain, height)| {
                number <= *height && chain.block(number).is_some_and(|block| block.head.hash == hash)
            })
            .collect()
    }

    pub fn node(&mut self, run: Run, effect: Effect) {
        let readers = self.readers(run.replica);
        let Some(reader) = readers.first().copied() else { return };
        let answer = match effect {
            Effect::Broadcast { account, hash, .. } => {
                let outcome = self.broadcast(&readers, hash);
                Input::Sent { account, hash, outcome, minimum: None, detail: String::new() }
            }
            Effect::Preflight { ticket, call, .. } => {
                let (chain, _) = self.shown(reader);
                let answer = match chain.refusal(&call) {
                    Some(revert) => {
                        // A reorg may have changed what the machine read a moment ago.
                        self.excuse_now(timing().retry_max.times(4));
                        PreflightAnswer::Reverts(format!("{revert:?}"))
                    }
                    None => PreflightAnswer::Gas(45_000),
                };
                Input::Preflight { ticket, answer }
            }
            Effect::FetchAccount { ticket, account, at, hashes } => {
                let view = self.account_view(run.replica, account, at, hashes);
                Input::Account { ticket, account, view }
            }
            Effect::FetchRound { ticket, feed, at } => {
                let place = self.feeds.get(&feed).copied().unwrap_or_default();
                let knowing = self.knowing(run.replica, at.number, at.hash);
                let view = knowing.first().and_then(|(chain, _)| chain.view(&place, at));
                let flag = self.flag(&feed, at);
                let view = view.map(|view| RoundView { flag, ..view });
                Input::Round { ticket, feed, view }
            }
            Effect::FetchStore { ticket, store, at } => {
                let knowing = self.knowing(run.replica, at.number, at.hash);
                let mut view = knowing.first().and_then(|(c, _)| c.store_view(store, self.feeds.iter(), at));
                for (feed, entry) in view.iter_mut().flat_map(|view| &mut view.feeds) {
                    entry.flag = self.flag(feed, at);
                }
                Input::Store { ticket, store, view }
            }
            Effect::FetchAncestors { ticket, number, hash, count } => {
                let first = number.saturating_add(1).saturating_sub(count);
                let knowing = self.knowing(run.replica, number, hash);
                let blocks = knowing.first().map(|(chain, _)| {
                    (first..=number).filter_map(|n| chain.block(n)).map(|b| b.head).collect::<Vec<_>>()
                });
                Input::Ancestors { ticket, blocks }
            }
            Effect::FetchBlockHash { ticket, number } => {
                let shown = readers.iter().map(|node| self.shown(*node));
                let hashes: Vec<B256> = shown
                    .filter(|(_, height)| number <= *height)
                    .filter_map(|(chain, _)| Some(chain.block(number)?.head.hash))
                    .collect();
                let agreed = hashes.windows(2).all(|pair| pair.first() == pair.last());
                Input::BlockHash { ticket, hash: hashes.first().copied().filter(|_| agreed) }
            }
            Effect::Persist(_)
            | Effect::Sign { .. }
            | Effect::Beat { .. }
            | Effect::Recover { .. }
            | Effect::Report(_) => return,
        };
        if self.lost() {
            return self.excuse_now(timing().answer_timeout + Span::from_s(1));
        }
        let delay = self.latency();
        self.at(delay, Happening::Answer(run, answer));
    }

    /// An account at a block, by all nodes that know the block.
    /// What a feed's flags say at a block. Now and then that cannot be read, and a feed of which nothing was read yet
    /// waits for the next time.
    fn flag(&mut self, feed: &FeedId, at: BlockRef) -> Flag {
        let Some(naps) = self.naps.get(feed) else { return Flag::Unwatched };
        let flag = if naps.asleep(at.time).is_some() { Flag::Raised } else { Flag::Lowered };
        if self.storm.loss_permille == 0 || self.rng.u8(0..20) > 0 {
            return flag;
        }
        self.judge.excuse(feed, self.time(), self.time() + REFRESH + timing().answer_timeout.times(2));
        Flag::Unreadable
    }

    fn account_view(
        &mut self,
        replica: usize,
        account: Address,
        at: BlockRef,
        hashes: Vec<B256>,
    ) -> Option<AccountView> {
        let sick = self.storm.loss_permille > 0;
        let asked: Vec<(B256, bool)> =
            hashes.into_iter().map(|hash| (hash, sick && self.rng.u32(0..200) == 0)).collect();
        let knowing = self.knowing(replica, at.number, at.hash);
        let (first, height) = knowing.first()?;
        let hashes: Vec<B256> = asked.iter().map(|(hash, _)| *hash).collect();
        let receipts = asked.into_iter().map(|(hash, sick)| {
            let answer = if sick { ReceiptAnswer::Unknown } else { receipt(&knowing, hash) };
            (hash, answer)
        });
        Some(AccountView {
            at_number: at.number,
            mined_nonce: first.nonce(account, at.number),
            receipts: receipts.collect(),
            skips: first.skips(&hashes, *height),
        })
    }

    /// Bytes arrive at every node. One that is not reached may have them all the same.
    fn broadcast(&mut self, nodes: &[usize], hash: B256) -> SendOutcome {
        let silent = (nodes.len() < self.nodes.len()).then_some(SendOutcome::Ambiguous);
        let mut outcomes: Vec<SendOutcome> = silent.into_iter().collect();
        for node in nodes {
            outcomes.push(self.receive(*node, hash));
        }
        let rank = |outcome: &SendOutcome| match outcome {
            SendOutcome::Accepted => 0,
            SendOutcome::Known => 1,
            SendOutcome::NonceUsed => 2,
            SendOutcome::Ambiguous => 3,
            SendOutcome::Rejected | SendOutcome::Forbidden => 5,
            _ => 4,
        };
        outcomes.into_iter().min_by_key(rank).unwrap_or(SendOutcome::Ambiguous)
    }

    /// Bytes arrive at one node.
    fn receive(&mut self, node: usize, hash: B256) -> SendOutcome {
        let Some(request) = self.signed.get(&hash).cloned() else { return SendOutcome::Rejected };
        let moody = if self.storm.mischief { 100 } else { 400 };
        let whim = if self.storm.loss_permille > 0 { self.rng.u32(0..moody) } else { u32::MAX };
        let retried = timing().retry_max + Span::from_s(1);
        let (outcome, cost) = match whim {
            0 => (SendOutcome::Accepted, timing().resend + BLOCK.times(3)), // A lie: it keeps nothing.
            1 => (SendOutcome::PoolFull, retried),
            2 => (SendOutcome::Ambiguous, retried),
            _ if !self.storm.mischief => return self.pooled(node, &Tx { hash, request }),
            3 => (SendOutcome::Rejected, retried),
            4 => (SendOutcome::FeeTooLow, retried),
            5 => (SendOutcome::Funds, retried),
            6 => (SendOutcome::NonceUsed, timing().resend + BLOCK.times(3)),
            7 => (SendOutcome::NodeUnready, retried),
            8 => (SendOutcome::ReplacementUnderpriced, retried),
            9 => (SendOutcome::NonceGap, retried),
            10 => (SendOutcome::FeeCap, retried),
            _ => return self.pooled(node, &Tx { hash, request }),
        };
        self.excuse_now(cost);
        outcome
    }

    /// A node's pool, which it shares with the network while it finds it.
    fn pooled(&mut self, node: usize, tx: &Tx) -> SendOutcome {
        match self.nodes.get_mut(node).and_then(|node| node.split.as_mut()) {
            Some(split) => split.send(tx),
            None => self.chain.send(tx),
        }
    }

    pub fn poll_head(&mut self, replica: usize) {
        let reader = self.readers(replica).first().copied();
        let Some(reader) = reader.filter(|_| !self.lost()) else {
            return self.excuse_now(Span::from_ms(2 * POLL));
        };
        // Whoever does not answer loses its place.
        if let Some(process) = self.replicas.get_mut(replica) {
            process.reader = reader;
        }
        let (chain, height) = self.shown(reader);
        let tagged = (self.storm.finality == Finality::Tag)
            .then(|| self.final_block(reader, height))
            .flatten()
            .map(|block| (block.number, block.hash));
        let Some(head) = chain.block(height).map(|b| b.head) else { return };
        let base = self.chain.base_fee_wei;
        let fees =
            FeeHint { base_fee_wei: Some(base), tip_wei: 2, gas_price_wei: base + 2, ..FeeHint::default() };
        let delay = self.latency();
        for run in self.runs(replica) {
            self.at(delay, Happening::Answer(run, Input::Head { head, fees, tagged }));
        }
    }

    /// The block of a node's finality tag. A node that does not find the others finalises nothing.
    fn final_block(&self, node: usize, height: u64) -> Option<BlockRef> {
        let tip = self.nodes.get(node).and_then(|node| node.split.as_ref()).and_then(Chain::split_at);
        let (chain, _) = self.shown(node);
        chain.block(tip.unwrap_or(height).min(height).saturating_sub(10)).map(|block| block.head)
    }
}

/// What all of these chains say about a transaction.
fn receipt(chains: &[(&Chain, u64)], hash: B256) -> ReceiptAnswer {
    let answers = chains.iter().map(|(chain, height)| chain.receipt(hash, *height));
    let found = answers.into_iter().find(|answer| *answer != ReceiptAnswer::Absent);
    let Some(ReceiptAnswer::Found(receipt)) = found else { return ReceiptAnswer::Absent };
    // One that has no receipt yet is believed to know better, unless its own chain has the block.
    let denied = chains.iter().any(|(chain, _)| chain.by_hash(receipt.block_hash).is_none());
    if denied { ReceiptAnswer::Unknown } else { ReceiptAnswer::Found(receipt) }
}
