//! The model chain: canonical blocks, one pool, and aggregators with the real contract's compare-and-set and pause.

use crate::price::Answer;
use crate::time::{Span, Wall};
use crate::tx::{BlockRef, Call, Receipt, ReceiptAnswer, RoundView, SendOutcome, TxRequest};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// Blocks that are looked through for a hash; no reorganisation reaches as deep.
const RECENT: usize = 600;

/// A transaction in the pool.
#[derive(Clone, Debug)]
pub(super) struct Tx {
    pub hash: B256,
    pub request: TxRequest,
}

/// A transaction in a block.
#[derive(Clone, Debug)]
pub(super) struct Mined {
    pub tx: Tx,
    /// Why it reverted, if it did.
    pub revert: Option<Revert>,
}

/// Why an aggregator refuses a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revert {
    Paused,
    /// The round is not the next one, which is this.
    Stale(u64),
}

/// A block and its transactions.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub head: BlockRef,
    pub txs: Vec<Mined>,
}

/// A round as the contract stored it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub round: u64,
    pub answer: Answer,
    pub from: Address,
    pub time: Wall,
    pub block: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Chain {
    blocks: Vec<Block>,
    pool: BTreeMap<(Address, u64), Tx>,
    pub base_fee_wei: u128,
    /// The aggregator that takes no rounds now.
    pub paused: Option<Address>,
    forks: u64,
    split_at: Option<u64>,
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
            paused: None,
            forks: 0,
            split_at: None,
        }
    }

    pub fn tip(&self) -> BlockRef {
        self.blocks.last().map_or_else(unreachable_block, |b| b.head)
    }

    pub fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    pub fn by_hash(&self, hash: B256) -> Option<&Block> {
        self.blocks.iter().rev().take(RECENT).find(|b| b.head.hash == hash)
    }

    /// Mines a block with everything in the pool that can pay, each account's in nonce order; the accounts in the
    /// order of their addresses, or the other way round.
    pub fn mine(&mut self, time: Wall, reversed: bool) {
        let parent = self.tip();
        let number = parent.number + 1;
        let head = BlockRef { number, hash: block_hash(number, self.forks), parent: parent.hash, time };
        self.blocks.push(Block { head, txs: Vec::new() });
        let mut accounts: Vec<Address> = self.pool.keys().map(|(a, _)| *a).collect();
        accounts.dedup();
        if reversed {
            accounts.reverse();
        }
        for account in accounts {
            let mut nonce = self.nonce(account, parent.number);
            while let Some(tx) = self.pool.get(&(account, nonce)) {
                if tx.request.fee.cap_wei() < self.base_fee_wei {
                    break;
                }
                let revert = self.refusal(&tx.request.call);
                if let (Some(tx), Some(block)) = (self.pool.remove(&(account, nonce)), self.blocks.last_mut())
                {
                    block.txs.push(Mined { tx, revert });
                }
                nonce += 1;
            }
        }
    }

    /// The chain of a node that does not find the others any more.
    pub fn split(&mut self) -> Self {
        self.forks += 1;
        // Its blocks are nobody else's.
        let forks = self.forks + (1 << 32);
        Self { forks, split_at: Some(self.tip().number), ..self.clone() }
    }

    /// The height up to which it is the network's, if it is one that was split off.
    pub fn split_at(&self) -> Option<u64> {
        self.split_at
    }

    /// The network takes what a chain that was split off has in its blocks and in its pool.
    pub fn join(&mut self, mut split: Self) {
        let lost = split.tip().number.saturating_sub(split.split_at.unwrap_or(0));
        let removed = split.rollback(lost);
        for tx in removed.into_iter().chain(split.pool.into_values()) {
            self.send(&tx);
        }
    }

    /// Every pooled transaction is forgotten, as by a node that starts anew.
    pub fn forget_pool(&mut self) {
        self.pool.clear();
    }

    /// Whether a block of this hash is canonical and holds a transaction.
    pub fn holds(&self, block: B256, hash: B256) -> bool {
        self.by_hash(block).is_some_and(|block| block.txs.iter().any(|mined| mined.tx.hash == hash))
    }

    /// The transactions of an account up to a height, with their nonces: newest first.
    pub fn sent_by(&self, account: Address, height: u64) -> impl Iterator<Item = (u64, B256)> {
        let blocks = self.blocks.iter().rev().skip_while(move |b| b.head.number > height);
        let txs = blocks.flat_map(|b| b.txs.iter().rev()).map(|mined| &mined.tx);
        txs.filter(move |tx| tx.request.from == account).map(|tx| (tx.request.nonce, tx.hash))
    }

    /// Takes the newest `depth` blocks away; what was in them is returned.
    pub fn rollback(&mut self, depth: u64) -> Vec<Tx> {
        self.forks += 1;
        let keep = self.blocks.len().saturating_sub(usize::try_from(depth).unwrap_or(0)).max(1);
        self.blocks.drain(keep..).flat_map(|b| b.txs).map(|mined| mined.tx).collect()
    }

    /// Puts a transaction back without asking, as a re-pooling node does.
    pub fn repool(&mut self, tx: Tx) {
        self.pool.insert((tx.request.from, tx.request.nonce), tx);
    }

    /// Silently forgets one pooled transaction.
    pub fn evict(&mut self) -> bool {
        self.pool.pop_first().is_some()
    }

    /// go-ethereum's rules for a transaction that arrives, and Besu's where gas is free.
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
                let free = is.cap_wei() == 0 && was.cap_wei() == 0; // Besu takes the newest.
                if free || enough(was.cap_wei(), is.cap_wei()) && enough(was.tip_wei(), is.tip_wei()) {
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
            .find(|mined| mined.tx.request.from == account)
            .map_or(0, |mined| mined.tx.request.nonce + 1)
    }

    pub fn receipt(&self, hash: B256, height: u64) -> ReceiptAnswer {
        let recent = self.blocks.iter().rev().take(RECENT).filter(|b| b.head.number <= height);
        for block in recent {
            if let Some(mined) = block.txs.iter().find(|mined| mined.tx.hash == hash) {
                return ReceiptAnswer::Found(Receipt {
                    hash,
                    block_number: block.head.number,
                    block_hash: block.head.hash,
                    success: mined.revert.is_none(),
                    gas_used: 40_000,
                    gas_price_wei: 1,
                });
            }
        }
        ReceiptAnswer::Absent
    }

    /// The newest `count` rounds of an aggregator at a height, newest first.
    pub fn rounds(&self, to: Address, height: u64, count: usize) -> Vec<Stored> {
        let blocks = self.blocks.iter().rev().skip_while(|b| b.head.number > height);
        blocks
            .flat_map(|b| b.txs.iter().rev().filter(|mined| mined.revert.is_none()).map(move |m| (b, m)))
            .filter_map(|(b, mined)| match mined.tx.request.call {
                Call::Submit { aggregator, round, answer } if aggregator == to => {
                    let from = mined.tx.request.from;
                    Some(Stored { round, answer, from, time: b.head.time, block: b.head.number })
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
            paused: self.paused == Some(aggregator),
            authorised: true,
        })
    }

    /// What a contract would say to a call at the tip.
    pub fn refusal(&self, call: &Call) -> Option<Revert> {
        let Call::Submit { aggregator, round, .. } = call else { return None };
        let next = self.next_round(*aggregator);
        if self.paused == Some(*aggregator) {
            Some(Revert::Paused)
        } else {
            (*round != next).then_some(Revert::Stale(next))
        }
    }

    /// The round that an aggregator takes next.
    pub fn next_round(&self, aggregator: Address) -> u64 {
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
