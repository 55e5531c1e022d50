//! The node, and the signer: what they answer, when they answer.

use super::chain::Tx;
use super::setup::{BLOCK, timing};
use super::world::{Happening, POLL, World};
use crate::head::Finality;
use crate::io::{Effect, Input, Ticket};
use crate::time::Span;
use crate::tx::{
    AccountView, Call, FeeHint, PreflightAnswer, ReceiptAnswer, SendOutcome, SignFault, TxRequest,
};
use alloy_primitives::{B256, Bytes};

impl World {
    pub fn sign(&mut self, ticket: Ticket, tx: TxRequest) {
        let account = tx.from;
        if let Call::Submit { aggregator, answer, .. } = &tx.call {
            let found = self.feeds.iter().find(|(_, (_, to, _))| to == aggregator);
            if let Some(feed) = found.map(|(id, _)| id.clone()) {
                let (wall, time) = (self.now().wall, self.time());
                self.judge.signing(&feed, *answer, wall, time);
            }
        }
        let delay = self.latency();
        let generation = self.generation;
        if self.now_ms < self.ills.signer_sick {
            let fault = match self.rng.u8(0..4) {
                0 => return, // It never answers.
                1 => SignFault::Mismatch,
                2 => SignFault::Unavailable,
                _ => SignFault::Timeout,
            };
            let failed = Input::SignFailed { ticket, account, fault, detail: String::new() };
            return self.at(delay, Happening::Answer(generation, failed));
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
        self.at(delay, Happening::Answer(generation, Input::Signed { ticket, account, hash, raw }));
    }

    /// How high the node's own head is.
    fn node_height(&self) -> u64 {
        let tip = self.chain.tip().number;
        if self.now_ms < self.ills.node_lags { tip.saturating_sub(3) } else { tip }
    }

    pub fn node(&mut self, generation: u64, effect: Effect) {
        let height = self.node_height();
        let answer = match effect {
            Effect::Broadcast { account, hash, .. } => {
                let outcome = self.receive(hash);
                Input::Sent { account, hash, outcome, minimum: None, detail: String::new() }
            }
            Effect::Preflight { ticket, call, .. } => {
                let answer = match self.chain.refusal(&call) {
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
                let view = (at.number <= height).then(|| AccountView {
                    at_number: at.number,
                    mined_nonce: self.chain.nonce(account, at.number),
                    receipts: hashes.into_iter().map(|hash| (hash, self.receipt(hash, height))).collect(),
                });
                Input::Account { ticket, account, view }
            }
            Effect::FetchRound { ticket, feed, at } => {
                let aggregator = self.feeds.get(&feed).map(|(_, to, _)| *to).unwrap_or_default();
                let view = (at.number <= height).then(|| self.chain.view(aggregator, at)).flatten();
                Input::Round { ticket, feed, view }
            }
            Effect::FetchAncestors { ticket, number, hash, count } => {
                let known = self.chain.by_hash(hash).filter(|b| b.head.number == number).is_some();
                let first = number.saturating_add(1).saturating_sub(count);
                let blocks = known.then(|| {
                    (first..=number).filter_map(|n| self.chain.block(n)).map(|b| b.head).collect::<Vec<_>>()
                });
                Input::Ancestors { ticket, blocks }
            }
            Effect::FetchBlockHash { ticket, number } => {
                let hash = self.chain.block(number).filter(|_| number <= height).map(|b| b.head.hash);
                Input::BlockHash { ticket, hash }
            }
            Effect::Persist(_) | Effect::Sign { .. } | Effect::Report(_) => return,
        };
        if self.lost() {
            return self.excuse_now(timing().answer_timeout + Span::from_s(1));
        }
        let delay = self.latency();
        self.at(delay, Happening::Answer(generation, answer));
    }

    /// A receipt, or an index that is not ready.
    fn receipt(&mut self, hash: B256, height: u64) -> ReceiptAnswer {
        let sick = self.storm.loss_permille > 0 && self.rng.u32(0..200) == 0;
        if sick { ReceiptAnswer::Unknown } else { self.chain.receipt(hash, height) }
    }

    /// Bytes arrive at the node.
    fn receive(&mut self, hash: B256) -> SendOutcome {
        let Some(request) = self.signed.get(&hash).cloned() else { return SendOutcome::Rejected };
        let moody = if self.storm.mischief { 100 } else { 400 };
        let whim = if self.storm.loss_permille > 0 { self.rng.u32(0..moody) } else { u32::MAX };
        let retried = timing().retry_max + Span::from_s(1);
        let (outcome, cost) = match whim {
            0 => (SendOutcome::Accepted, timing().resend + BLOCK.times(3)), // A lie: it keeps nothing.
            1 => (SendOutcome::PoolFull, retried),
            2 => (SendOutcome::Ambiguous, retried),
            _ if !self.storm.mischief => return self.chain.send(&Tx { hash, request }),
            3 => (SendOutcome::Rejected, retried),
            4 => (SendOutcome::FeeTooLow, retried),
            5 => (SendOutcome::Funds, retried),
            6 => (SendOutcome::NonceUsed, timing().resend + BLOCK.times(3)),
            7 => (SendOutcome::NodeUnready, retried),
            8 => (SendOutcome::ReplacementUnderpriced, retried),
            9 => (SendOutcome::NonceGap, retried),
            10 => (SendOutcome::FeeCap, retried),
            _ => return self.chain.send(&Tx { hash, request }),
        };
        self.excuse_now(cost);
        outcome
    }

    pub fn poll_head(&mut self) {
        self.at(POLL, Happening::Poll);
        if self.now_ms < self.ills.node_down || self.lost() {
            return self.excuse_now(Span::from_ms(2 * POLL));
        }
        let height = self.node_height();
        let tagged = (self.storm.finality == Finality::Tag)
            .then(|| self.chain.block(height.saturating_sub(10)))
            .flatten()
            .map(|b| (b.head.number, b.head.hash));
        let Some(head) = self.chain.block(height).map(|b| b.head) else { return };
        let base = self.chain.base_fee_wei;
        let fees = FeeHint { base_fee_wei: Some(base), tip_wei: 2, gas_price_wei: base + 2 };
        let delay = self.latency();
        let generation = self.generation;
        self.at(delay, Happening::Answer(generation, Input::Head { head, fees, tagged }));
    }
}
