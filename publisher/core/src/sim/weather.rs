//! The things that happen to publishers.

use super::chain::Tx;
use super::setup::{BLOCK, FEE_CAP_WEI, HEARTBEAT, LEAD, MAX_AGE, Place, REFRESH, VENUES, timing};
use super::trading::Trading;
use super::world::{Happening, POLL, World};
use crate::head::Finality;
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::Record;
use crate::time::{Span, Wall};
use crate::tx::{Call, Fee, TxRequest};
use alloy_primitives::{Address, B256, I256, U256};

/// Longer than finality takes in any storm.
const FINAL: Span = Span::from_s(30);

/// Windows of illness, each ending at a time in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Ills {
    pub signer_sick: u64,
    pub fee_spike: u64,
    pub venue_dead: [u64; VENUES],
    pub venue_lies: [(u64, i128); VENUES],
    pub paused: Option<(u64, Address)>,
    pub entry_paused: Option<(u64, (Address, u16))>,
    /// A feed of which too few venues know anything.
    pub silent: Option<(u64, FeedId)>,
    /// When the primary of our standby dies, and until when.
    pub primary_dead: (u64, u64),
}

impl World {
    /// A process dies and is started again.
    pub fn crash(&mut self, replica: usize) {
        let down = self.rng.u64(500..20_000);
        self.kill(replica, Span::from_ms(down));
    }

    /// A process freezes and goes on as if nothing had been.
    pub fn stall(&mut self, replica: usize) {
        let span = self.rng.u64(500..60_000);
        self.freeze(replica, Span::from_ms(span));
    }

    /// One of the things that happen to publishers.
    pub fn misfortune(&mut self) {
        let every = self.storm.misfortune_every.ms();
        let next = self.rng.u64(every / 2..every * 3 / 2);
        self.at(next, Happening::Misfortune);
        let replica = self.rng.usize(0..self.storm.replicas);
        let node = self.rng.usize(0..self.storm.nodes);
        if self.storm.replicas + self.storm.nodes > 2 && self.rng.bool() {
            return self.division(replica, node);
        }
        let venue = self.rng.usize(0..VENUES);
        let reorgs = self.storm.finality != Finality::Instant;
        let kinds = if self.storm.mischief { 16 } else { 12 };
        let drawn = self.rng.u8(0..if self.storm.batches { kinds + 2 } else { kinds });
        if drawn >= kinds {
            return self.single_out(drawn == kinds);
        }
        match drawn {
            0..=2 if reorgs => self.reorganise(),
            3 if reorgs => {
                let depth = self.rng.u64(1..=8);
                self.take_blocks(depth, true);
            }
            4 => {
                if self.chain.evict() {
                    self.excuse_now(timing().resend + BLOCK.times(4));
                }
            }
            5 => {
                let span = self.rng.u64(2_000..60_000);
                self.ills.signer_sick = self.now_ms + span;
                self.excuse_now(Span::from_ms(span) + timing().retry_max + timing().answer_timeout);
            }
            6 => {
                let span = self.rng.u64(5_000..200_000);
                if let Some(until) = self.ills.venue_dead.get_mut(venue) {
                    *until = self.now_ms + span;
                }
            }
            7 => {
                let span = self.rng.u64(5_000..200_000);
                let factor = self.rng.choice([0, 50, 103, 1_000, 100_000]).unwrap_or(50);
                if let Some(lie) = self.ills.venue_lies.get_mut(venue) {
                    *lie = (self.now_ms + span, factor + i128::try_from(venue).unwrap_or(0));
                }
                // Three liars of five leave no value at all.
                self.excuse_now(Span::from_ms(span) + MAX_AGE);
            }
            8 => {
                let span = self.rng.u64(2_000..20_000);
                if let Some(node) = self.nodes.get_mut(node) {
                    node.lags_until = self.now_ms + span;
                }
            }
            9 => {
                let span = self.rng.u64(2_000..30_000);
                if let Some(node) = self.nodes.get_mut(node) {
                    node.down_until = self.now_ms + span;
                }
            }
            10 => {
                let span = self.rng.u64(10_000..60_000);
                self.ills.fee_spike = self.now_ms + span;
                // What was signed before is too cheap until it is replaced: after so many heads.
                self.excuse_now(BLOCK.times(u64::from(timing().bump_heads) + 4));
            }
            12 | 13 => self.stranger(),
            14 => {
                let span = self.rng.u64(2_000..40_000);
                let contracts: Vec<Address> = self.feeds.values().map(|place| place.contract).collect();
                self.ills.paused = self.rng.choice(contracts).map(|to| (self.now_ms + span, to));
                // What was on its way reverts, and is planned anew once that is final; what was not is tried again
                // when the contract is next read.
                self.excuse_now(Span::from_ms(span) + REFRESH + FINAL + timing().retry_max.times(4));
            }
            15 => {
                let hour = self.rng.choice([3_600_000, -3_600_000]).unwrap_or_default();
                self.set_clock(replica, hour);
                let until = self.rng.u64(10_000..300_000);
                self.at(until, Happening::ClockRight(replica));
            }
            _ => self.crash(replica),
        }
    }

    /// One of the things that happen between replicas, their journal and their nodes.
    fn division(&mut self, replica: usize, node: usize) {
        let kinds = if self.storm.restores { 9 } else { 8 };
        match self.rng.u8(0..kinds) {
            0 | 1 => self.stall(replica),
            2 => {
                // Its requests are lost, or only the answers to them.
                let (span, arrives) = (Span::from_ms(self.rng.u64(1_000..40_000)), self.rng.bool());
                self.judge.report.partitions += 1;
                if let Some(process) = self.replicas.get_mut(replica) {
                    process.journal_lost = (self.now_ms + span.ms(), arrives);
                }
            }
            3 => {
                let span = self.rng.u64(2_000..40_000);
                self.judge.report.partitions += 1;
                let process = self.replicas.get_mut(replica);
                if let Some(until) = process.and_then(|process| process.nodes_lost.get_mut(node)) {
                    *until = self.now_ms + span;
                }
            }
            4 if self.storm.nodes > 1 => self.split(node),
            5 => {
                let hour = self.rng.choice([3_600_000, -3_600_000]).unwrap_or_default();
                self.set_clock(replica, hour);
                let until = self.rng.u64(10_000..300_000);
                self.at(until, Happening::ClockRight(replica));
            }
            6 => {
                self.chain.forget_pool();
                self.excuse_now(timing().resend + BLOCK.times(4));
            }
            7 => {
                if let Some(process) = self.replicas.get_mut(replica) {
                    process.reader = node;
                }
            }
            8 => self.restore(),
            _ => self.crash(replica),
        }
    }

    /// A node loses sight of the others. Where blocks are not final at once it goes on alone, for fewer of them than
    /// finality takes.
    fn split(&mut self, node: usize) {
        if self.is_split() {
            return;
        }
        let span = self.rng.u64(2_000..18_000);
        let split = self.chain.split();
        if let Some(node) = self.nodes.get_mut(node) {
            node.split = Some(split);
        }
        self.judge.report.partitions += 1;
        self.at(span, Happening::Rejoin(node));
    }

    pub fn rejoin(&mut self, node: usize) {
        if let Some(split) = self.nodes.get_mut(node).and_then(|node| node.split.take()) {
            self.chain.join(split);
        }
    }

    fn is_split(&self) -> bool {
        self.nodes.iter().any(|node| node.split.is_some())
    }

    /// Everything stops, an old backup takes the place of a shard's journal, and everything starts again.
    fn restore(&mut self) {
        let shard = self.rng.usize(0..self.shards.len());
        let lost = self.rng.usize(1..30);
        let (lease, accounts) = (self.lease_of(shard), self.shards.get(shard).cloned().unwrap_or_default());
        let records = self.journal.records(lease);
        let (kept, gone) = records.split_at(records.len().saturating_sub(lost));
        let knows = |account: &Address| {
            kept.iter().any(|r| matches!(r, Record::Intent { account: of, .. } if of == account))
        };
        // A journal that knows nothing of an account is not an old one but a new one.
        if !accounts.iter().all(knows) {
            return;
        }
        self.judge.restored(&accounts, kept, gone);
        self.journal.restore(lease, lost);
        (0..self.storm.replicas).for_each(|replica| self.kill(replica, Span::from_s(2)));
        self.excuse_now(FINAL);
    }

    /// An operator has looked at what halted, and everything is started again.
    pub fn acknowledge(&mut self, shard: usize) {
        self.acknowledged.insert(shard);
        (0..self.storm.replicas).for_each(|replica| self.kill(replica, Span::from_s(1)));
        self.excuse_now(FINAL);
    }

    /// Nothing can be published while no replica is fit to write for a shard, nor until one that is has found its way.
    pub fn watch(&mut self) {
        let recovery = Span::from_ms(2 * POLL + 5000) + timing().answer_timeout;
        let now = self.time();
        for shard in 0..self.shards.len() {
            if !(0..self.storm.replicas).any(|replica| self.is_fit((replica, shard))) {
                for feed in self.feeds_of(shard) {
                    // What it reads of flags at first may be of a block of before it froze.
                    let notices = self.naps.get(&feed).map_or(Span::ZERO, |_| REFRESH);
                    self.judge.excuse(&feed, now, now + recovery + notices);
                }
            }
        }
        // After an opening quotes of before it may count for as long as they are young. What time it is every replica
        // knows by its own clock, which may be wrong.
        let clocks: Vec<Wall> = (0..self.storm.replicas).map(|replica| self.now(replica).wall).collect();
        let lately = |since: Option<Wall>, at: Wall| since.is_some_and(|since| at.since(since) < MAX_AGE);
        let silent = |trading: &Trading, at: Wall| {
            let is_closed = trading.freezes() && trading.opened(at).is_none();
            is_closed || lately(trading.opened(at), at) || lately(trading.closed(at), at)
        };
        for (feed, trading) in self.trading.iter().filter(|(_, trading)| !trading.repeats()) {
            if clocks.iter().any(|at| silent(trading, *at)) {
                // A round that made room with an empty transaction keeps its contract until that is final.
                self.judge.excuse(feed, now, now + recovery + FINAL);
            }
        }
        // Whoever is awakened finds that out when its round is next read.
        for (feed, _) in self.naps.iter().filter(|(_, naps)| naps.asleep(now).is_some()) {
            self.judge.excuse(feed, now, now + REFRESH + recovery);
        }
    }

    /// Whether a replica reads a node that is abreast of the network.
    pub fn reads_well(&self, replica: usize) -> bool {
        let node = self.readers(replica).first().and_then(|reader| self.nodes.get(*reader));
        node.is_some_and(|node| node.split.is_none() && self.now_ms >= node.lags_until)
    }

    /// A replica's clock is wrong by so much from now on. Every quote is then too old or from the future, until the
    /// next.
    pub fn set_clock(&mut self, replica: usize, wrong_ms: i64) {
        if let Some(process) = self.replicas.get_mut(replica) {
            process.clock_wrong_ms = wrong_ms;
        }
        self.judge.clock_set(replica, self.time());
        self.excuse_now(Span::from_ms(3 * POLL) + timing().answer_timeout);
    }

    /// One feed of the store cannot be published: the store skips it, or too few venues know it. No other feed but
    /// those of its group has an excuse.
    fn single_out(&mut self, pause: bool) {
        let span = Span::from_ms(self.rng.u64(5_000..200_000));
        let stored = self.feeds.iter().filter(|(_, place)| place.entry.is_some());
        let stored: Vec<(FeedId, Place)> = stored.map(|(id, place)| (id.clone(), *place)).collect();
        let Some((id, place)) = self.rng.choice(stored.clone()) else { return };
        let until = self.now_ms + span.ms();
        if pause {
            self.ills.entry_paused = place.entry.map(|number| (until, (place.contract, number)));
        } else {
            self.ills.silent = Some((until, id.clone()));
        }
        let (from, to) = (self.time(), self.time() + span + REFRESH + timing().retry_max.times(4));
        for (other, at) in stored {
            if other == id || place.group.is_some() && at.group == place.group {
                self.judge.excuse(&other, from, to);
            }
        }
    }

    /// Somebody else writes the next round of one of our feeds, perhaps before one of ours that is on its way.
    fn stranger(&mut self) {
        let Some(id) = self.rng.choice(self.feeds.keys().cloned().collect::<Vec<_>>()) else { return };
        self.write_round(&id, Address::repeat_byte(0xee));
        self.excuse_now(timing().retry_max.times(2) + BLOCK.times(4) + FINAL);
    }

    /// The primary, whose key is another, sends the heartbeats that are due: at once or a while later, and not at all
    /// while it is dead.
    pub fn primary(&mut self) {
        self.at(POLL, Happening::Primary);
        let (from, until) = self.ills.primary_dead;
        if self.now_ms >= until {
            let dies = self.now_ms + self.rng.u64(300_000..900_000);
            self.ills.primary_dead = (dies, dies + self.rng.u64(60_000..600_000));
        } else if self.now_ms >= from {
            return;
        }
        for (at, id) in self.feeds.keys().cloned().enumerate().collect::<Vec<_>>() {
            let Some(place) = self.feeds.get(&id).copied() else { continue };
            let last = self.chain.rounds(&place, u64::MAX, 1).first().map(|r| r.time);
            let due = last.is_none_or(|at| self.time().since(at) >= HEARTBEAT.less(LEAD));
            // Each feed has an account of the primary's, so that one slow round holds nothing else up.
            let account = Address::repeat_byte(0xb0 + u8::try_from(at).unwrap_or(0));
            if due && self.rng.u8(0..4) == 0 && !self.chain.has_pending(account) {
                self.write_round(&id, account);
            }
        }
    }

    /// Somebody else sends the next round of a feed.
    fn write_round(&mut self, id: &FeedId, from: Address) {
        let Some(Place { contract, entry, price, .. }) = self.feeds.get(id).copied() else { return };
        let hash = self.rng.u128(..);
        let number = self.chain.next_number(contract);
        let answer = Answer::new(I256::try_from(price).unwrap_or_default());
        let call = match entry {
            None => Call::Submit { aggregator: contract, round: number, answer },
            Some(entry) => Call::Update {
                store: contract,
                sequence: u32::try_from(number).unwrap_or(u32::MAX),
                observed_at_s: u32::try_from(self.chain.tip().time.ms() / 1000).unwrap_or(u32::MAX),
                entries: vec![(entry, i64::try_from(price).unwrap_or(i64::MAX))],
            },
        };
        let request = TxRequest {
            chain_id: 138,
            from,
            nonce: self.chain.nonce(from, u64::MAX),
            gas_limit: 100_000,
            fee: Fee::Legacy { gas_price_wei: FEE_CAP_WEI },
            call,
        };
        self.judge.stranger(contract, number);
        self.chain.repool(Tx { hash: B256::from(U256::from(hash)), request });
    }

    /// Blocks are replaced by others, of one more or the same height.
    fn reorganise(&mut self) {
        let depth = self.rng.u64(1..=8);
        let lost = self.take_blocks(depth, false);
        let longer = self.rng.u64(0..=1);
        for _ in 0..(lost + longer) {
            self.mine();
        }
    }

    fn records_newest_first(&self, account: Address) -> impl Iterator<Item = &Record> {
        let shard = self.shards.iter().find(|accounts| accounts.contains(&account));
        let lease = shard.and_then(|accounts| accounts.first()).copied().unwrap_or_default();
        self.journal.records(lease).iter().rev()
    }

    /// Takes blocks away; some of their transactions go back to the pool, some as an earlier attempt, some vanish.
    fn take_blocks(&mut self, depth: u64, silent: bool) -> u64 {
        if self.is_split() {
            return 0; // The node that is split off would have to give up what it calls final.
        }
        self.judge.report.reorgs += 1;
        let before = self.chain.tip().number;
        let since = before.checked_sub(depth).and_then(|n| self.chain.block(n)).map(|b| b.head.time);
        let removed = self.chain.rollback(depth);
        for tx in removed {
            match self.rng.u8(0..4) {
                0 => {}
                1 => {
                    let key = (tx.request.from, tx.request.nonce);
                    let journalled = self.records_newest_first(key.0).find_map(|record| match record {
                        Record::Attempt { account, nonce, attempt, .. } if (*account, *nonce) == key => {
                            Some(attempt.hash)
                        }
                        _ => None,
                    });
                    let other = journalled.and_then(|hash| Some((hash, self.signed.get(&hash)?.clone())));
                    self.chain.repool(other.map_or(tx, |(hash, request)| Tx { hash, request }));
                }
                _ => self.chain.repool(tx),
            }
        }
        // The lost time counts from the oldest lost block; a silent rollback is believed after a few polls.
        let polls = if silent { Span::from_ms(4 * POLL) } else { Span::from_ms(POLL) };
        let from = since.unwrap_or_else(|| self.time());
        let recovery = polls + timing().answer_timeout + timing().resend + BLOCK.times(3 + depth);
        self.excuse(from, recovery);
        before - self.chain.tip().number
    }
}
