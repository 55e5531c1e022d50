//! The model chain: canonical blocks, one pool, and aggregators and stores with the real contracts' compare-and-set,
//! pauses and skips.

use super::setup::{Place, STORE_MAX_AGE};
use crate::price::Answer;
use crate::quote::FeedId;
use crate::time::{Span, Wall};
use crate::tx::{
    BlockRef, Call, EntryView, Flag, Receipt, ReceiptAnswer, RoundView, SendOutcome, Skip, SkipReason,
    StoreView, TxRequest,
};
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
    /// The rounds that it wrote.
    wrote: Vec<(Said, u64)>,
    /// Entries that it wrote no round for.
    skipped: Vec<u16>,
}

/// An answer, and the number of its feed in the store; an aggregator's has none.
pub(super) type Said = (Option<u16>, Answer);

/// Why a contract refuses a round or a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revert {
    Paused,
    /// The round or sequence is not the next one, which is this.
    Stale(u64),
    /// The report is from the future, or too old.
    Untimely,
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
    /// The contract that takes nothing now.
    pub paused: Option<Address>,
    /// The feed whose entries its store skips now.
    pub entry_paused: Option<(Address, u16)>,
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
            entry_paused: None,
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
                let call = tx.request.call.clone();
                let (wrote, skipped) = if revert.is_none() { self.effect(&call) } else { Default::default() };
                if let (Some(tx), Some(block)) = (self.pool.remove(&(account, nonce)), self.blocks.last_mut())
                {
                    block.txs.push(Mined { tx, revert, wrote, skipped });
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

    /// Whether something of this account waits.
    pub fn has_pending(&self, account: Address) -> bool {
        self.pool.keys().any(|(from, _)| *from == account)
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

    /// What a call that is not refused writes, and what it skips.
    fn effect(&self, call: &Call) -> (Vec<(Said, u64)>, Vec<u16>) {
        let Some((contract, number)) = target(call) else { return Default::default() };
        let is_skipped = |(entry, _): &Said| entry.is_some_and(|n| self.entry_paused == Some((contract, n)));
        let (skipped, written): (Vec<Said>, Vec<Said>) = said(call).into_iter().partition(is_skipped);
        let wrote = written.into_iter().map(|(entry, answer)| {
            let place = Place { contract, entry, ..Place::default() };
            let next = || self.rounds(&place, u64::MAX, 1).first().map_or(1, |r| r.round + 1);
            ((entry, answer), if entry.is_none() { number } else { next() })
        });
        (wrote.collect(), skipped.into_iter().filter_map(|(entry, _)| entry).collect())
    }

    /// Transactions that a contract has taken up to a height, newest first, with the number that each one names.
    pub fn accepted(&self, to: Address, height: u64) -> impl Iterator<Item = (&Block, &Mined, u64)> {
        let blocks = self.blocks.iter().rev().skip_while(move |b| b.head.number > height);
        let mined =
            blocks.flat_map(|b| b.txs.iter().rev().filter(|m| m.revert.is_none()).map(move |m| (b, m)));
        mined.filter_map(move |(block, mined)| {
            let (contract, number) = target(&mined.tx.request.call)?;
            (contract == to).then_some((block, mined, number))
        })
    }

    /// The newest `count` rounds of a feed at a height, newest first.
    pub fn rounds(&self, place: &Place, height: u64, count: usize) -> Vec<Stored> {
        let stored = self.accepted(place.contract, height).filter_map(|(block, mined, _)| {
            let ((_, answer), round) = mined.wrote.iter().find(|((entry, _), _)| *entry == place.entry)?;
            let (from, time, block) = (mined.tx.request.from, block.head.time, block.head.number);
            Some(Stored { round: *round, answer: *answer, from, time, block })
        });
        stored.take(count).collect()
    }

    /// Every round of a feed, oldest first.
    pub fn history(&self, place: &Place) -> Vec<Stored> {
        let mut rounds = self.rounds(place, u64::MAX, usize::MAX);
        rounds.reverse();
        rounds
    }

    pub fn view(&self, place: &Place, at: BlockRef) -> Option<RoundView> {
        self.block(at.number).filter(|b| b.head.hash == at.hash)?;
        let EntryView { round, answer, updated_at, .. } = self.entry(place, at);
        Some(RoundView {
            block_number: at.number,
            block_hash: at.hash,
            round,
            answer,
            updated_at,
            paused: self.paused == Some(place.contract),
            authorised: true,
            flag: Flag::Unwatched,
        })
    }

    pub fn store_view<'a>(
        &self,
        store: Address,
        feeds: impl Iterator<Item = (&'a FeedId, &'a Place)>,
        at: BlockRef,
    ) -> Option<StoreView> {
        self.block(at.number).filter(|b| b.head.hash == at.hash)?;
        let feeds = feeds.filter(|(_, place)| place.contract == store);
        Some(StoreView {
            block_number: at.number,
            block_hash: at.hash,
            sequence: self.accepted(store, at.number).next().map_or(0, |(.., sequence)| sequence),
            paused: self.paused == Some(store),
            authorised: true,
            feeds: feeds.map(|(id, place)| (id.clone(), self.entry(place, at))).collect(),
        })
    }

    fn entry(&self, place: &Place, at: BlockRef) -> EntryView {
        let latest = self.rounds(place, at.number, 1).first().copied();
        EntryView {
            round: latest.map_or(0, |r| r.round),
            answer: latest.map_or(Answer::default(), |r| r.answer),
            updated_at: latest.map_or(Wall::default(), |r| r.time),
            paused: place.entry.is_some_and(|number| self.entry_paused == Some((place.contract, number))),
            flag: Flag::Unwatched,
        }
    }

    /// The entries that transactions skipped, as far as their receipts are known.
    pub fn skips(&self, hashes: &[B256], height: u64) -> Vec<Skip> {
        let recent = self.blocks.iter().rev().take(RECENT).filter(|b| b.head.number <= height);
        let mined = recent.flat_map(|b| &b.txs).filter(|mined| hashes.contains(&mined.tx.hash));
        let skips = mined.flat_map(|mined| mined.skipped.iter().map(|entry| (mined.tx.hash, *entry)));
        skips.map(|(hash, entry)| Skip { hash, entry, reason: SkipReason::FeedPaused }).collect()
    }

    /// What a contract would say to a call at the tip.
    pub fn refusal(&self, call: &Call) -> Option<Revert> {
        let (contract, number) = target(call)?;
        let next = self.next_number(contract);
        let time = self.tip().time;
        let untimely = match call {
            Call::Update { observed_at_s, .. } => {
                let observed_at = Wall::from_s(u64::from(*observed_at_s));
                observed_at > time || time.since(observed_at) > STORE_MAX_AGE
            }
            _ => false,
        };
        if self.paused == Some(contract) {
            Some(Revert::Paused)
        } else if number != next {
            Some(Revert::Stale(next))
        } else {
            untimely.then_some(Revert::Untimely)
        }
    }

    /// The round or sequence that a contract takes next.
    pub fn next_number(&self, contract: Address) -> u64 {
        self.accepted(contract, u64::MAX).next().map_or(1, |(.., number)| number + 1)
    }

    /// How long ago the tip was mined.
    pub fn age(&self, now: Wall) -> Span {
        now.since(self.tip().time)
    }
}

/// The contract that a call writes and the number of its compare-and-set.
pub(super) fn target(call: &Call) -> Option<(Address, u64)> {
    match call {
        Call::Submit { aggregator, round, .. } => Some((*aggregator, *round)),
        Call::Update { store, sequence, .. } => Some((*store, u64::from(*sequence))),
        Call::Raw { .. } | Call::Noop => None,
    }
}

/// What a call says for which feed.
pub(super) fn said(call: &Call) -> Vec<Said> {
    match call {
        Call::Submit { answer, .. } => vec![(None, *answer)],
        Call::Update { entries, .. } => {
            entries.iter().map(|(number, answer)| (Some(*number), Answer::from(*answer))).collect()
        }
        Call::Raw { .. } | Call::Noop => Vec::new(),
    }
}

/// The genesis is never taken away, so there is always a tip.
fn unreachable_block() -> BlockRef {
    BlockRef { number: 0, hash: B256::ZERO, parent: B256::ZERO, time: Wall::default() }
}
