//! The model chain: canonical blocks, one pool, and contracts that accept whatever arrives.
//!
//! The contracts deliberately do not compare rounds, so that a doubled or skipped round is seen and not hidden by
//! a revert; only the pre-flight answers as the real contract would.

use crate::price::Answer;
use crate::time::{Span, Wall};
use crate::tx::{BlockRef, Call, Receipt, ReceiptAnswer, RoundView, SendOutcome, TxRequest};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// A transaction in a block or in the pool.
#[derive(Clone, Debug)]
pub(super) struct Tx {
    pub hash: B256,
    pub request: TxRequest,
}

/// A block and its transactions.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub head: BlockRef,
    pub txs: Vec<Tx>,
}

/// A round as the contract stored it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub round: u64,
    pub answer: Answer,
    pub time: Wall,
    pub block: u64,
}

#[derive(Debug)]
pub(super) struct Chain {
    blocks: Vec<Block>,
    pool: BTreeMap<(Address, u64), Tx>,
    pub base_fee_wei: u128,
    forks: u64,
}

fn block_hash(number: u64, fork: u64) -> B256 {
    let mut bytes = [7u8; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..16].copy_from_slice(&fork.to_be_bytes());
    B256::from(bytes)
}

impl Chain {
    pub fn new(time: Wall) -> Self {
        let head = BlockRef { number: 0, hash: block_hash(0, 0), parent: B256::ZERO, time };
        Self {
            blocks: vec![Block { head, txs: Vec::new() }],
            pool: BTreeMap::new(),
            base_fee_wei: 100,
            forks: 0,
        }
    }

    pub fn tip(&self) -> BlockRef {
        self.blocks.last().map_or_else(unreachable_block, |b| b.head)
    }

    pub fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    pub fn by_hash(&self, hash: B256) -> Option<&Block> {
        self.blocks.iter().rev().take(600).find(|b| b.head.hash == hash)
    }

    /// Mines a block with everything in the pool that can pay, in nonce order.
    pub fn mine(&mut self, time: Wall) {
        let parent = self.tip();
        let number = parent.number + 1;
        let mut txs = Vec::new();
        let accounts: Vec<Address> = self.pool.keys().map(|(a, _)| *a).collect();
        for account in accounts {
            let mut nonce = self.nonce(account, parent.number);
            while let Some(tx) = self.pool.get(&(account, nonce)) {
                if tx.request.fee.cap_wei() < self.base_fee_wei {
                    break;
                }
                txs.extend(self.pool.remove(&(account, nonce)));
                nonce += 1;
            }
        }
        let hash = block_hash(number, self.forks);
        self.blocks.push(Block { head: BlockRef { number, hash, parent: parent.hash, time }, txs });
    }

    /// Takes the newest `depth` blocks away; what was in them is returned.
    pub fn rollback(&mut self, depth: u64) -> Vec<Tx> {
        self.forks += 1;
        let keep = self.blocks.len().saturating_sub(usize::try_from(depth).unwrap_or(0)).max(1);
        self.blocks.drain(keep..).flat_map(|b| b.txs).collect()
    }

    /// Puts a transaction back without asking, as a re-pooling node does.
    pub fn repool(&mut self, tx: Tx) {
        self.pool.insert((tx.request.from, tx.request.nonce), tx);
    }

    /// Silently forgets one pooled transaction.
    pub fn evict(&mut self) -> bool {
        self.pool.pop_first().is_some()
    }

    /// go-ethereum's rules for a transaction that arrives.
    pub fn send(&mut self, tx: &Tx) -> SendOutcome {
        let request = &tx.request;
        if request.nonce < self.nonce(request.from, self.tip().number) {
            return SendOutcome::NonceUsed;
        }
        let key = (request.from, request.nonce);
        match self.pool.get(&key) {
            Some(old) if old.hash == tx.hash => SendOutcome::Known,
            Some(old) => {
                let enough =
                    |old: u128, new: u128| new > old && new.saturating_mul(10) >= old.saturating_mul(11);
                let (was, is) = (old.request.fee, request.fee);
                if enough(was.cap_wei(), is.cap_wei()) && enough(was.tip_wei(), is.tip_wei()) {
                    self.pool.insert(key, tx.clone());
                    SendOutcome::Accepted
                } else {
                    SendOutcome::ReplacementUnderpriced
                }
            }
            None => {
                self.pool.insert(key, tx.clone());
                SendOutcome::Accepted
            }
        }
    }

    /// Transactions of an account up to a height.
    pub fn nonce(&self, account: Address, height: u64) -> u64 {
        let mined = self.blocks.iter().rev().skip_while(|b| b.head.number > height);
        mined
            .flat_map(|b| b.txs.iter().rev())
            .find(|tx| tx.request.from == account)
            .map_or(0, |tx| tx.request.nonce + 1)
    }

    pub fn receipt(&self, hash: B256, height: u64) -> ReceiptAnswer {
        let recent = self.blocks.iter().rev().take(600).filter(|b| b.head.number <= height);
        for block in recent {
            if block.txs.iter().any(|tx| tx.hash == hash) {
                return ReceiptAnswer::Found(Receipt {
                    hash,
                    block_number: block.head.number,
                    block_hash: block.head.hash,
                    success: true,
                    gas_used: 40_000,
                    gas_price_wei: 1,
                });
            }
        }
        ReceiptAnswer::Absent
    }

    /// The newest `count` rounds of an aggregator at a height, newest first.
    pub fn rounds(&self, aggregator: Address, height: u64, count: usize) -> Vec<Stored> {
        let blocks = self.blocks.iter().rev().skip_while(|b| b.head.number > height);
        blocks
            .flat_map(|b| b.txs.iter().rev().map(move |tx| (b, tx)))
            .filter_map(|(b, tx)| match tx.request.call {
                Call::Submit { aggregator: to, round, answer } if to == aggregator => {
                    Some(Stored { round, answer, time: b.head.time, block: b.head.number })
                }
                _ => None,
            })
            .take(count)
            .collect()
    }

    /// Every round of an aggregator, oldest first.
    pub fn history(&self, aggregator: Address) -> Vec<Stored> {
        let mut rounds = self.rounds(aggregator, u64::MAX, usize::MAX);
        rounds.reverse();
        rounds
    }

    pub fn view(&self, aggregator: Address, at: BlockRef) -> Option<RoundView> {
        self.block(at.number).filter(|b| b.head.hash == at.hash)?;
        let latest = self.rounds(aggregator, at.number, 1).first().copied();
        Some(RoundView {
            block_number: at.number,
            block_hash: at.hash,
            round: latest.map_or(0, |r| r.round),
            answer: latest.map_or(Answer::default(), |r| r.answer),
            updated_at: latest.map_or(Wall::default(), |r| r.time),
            paused: false,
            authorised: true,
        })
    }

    /// What compare-and-set would say to a round at the tip.
    pub fn expects(&self, aggregator: Address) -> u64 {
        self.rounds(aggregator, u64::MAX, 1).first().map_or(1, |r| r.round + 1)
    }

    /// How long ago the tip was mined.
    pub fn age(&self, now: Wall) -> Span {
        now.since(self.tip().time)
    }
}

/// The genesis is never taken away, so there is always a tip.
fn unreachable_block() -> BlockRef {
    BlockRef { number: 0, hash: B256::ZERO, parent: B256::ZERO, time: Wall::default() }
}
