//! The things that happen to publishers.

use super::chain::Tx;
use super::setup::{BLOCK, FEE_CAP_WEI, MAX_AGE, REFRESH, VENUES, timing};
use super::world::{Happening, POLL, World};
use crate::head::Finality;
use crate::price::Answer;
use crate::record::Record;
use crate::time::Span;
use crate::tx::{Call, Fee, TxRequest};
use alloy_primitives::{Address, B256, I256, U256};

/// Longer than finality takes in any storm.
const FINAL: Span = Span::from_s(30);

/// Windows of illness, each ending at a time in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Ills {
    pub node_down: u64,
    pub node_lags: u64,
    pub signer_sick: u64,
    pub fee_spike: u64,
    pub venue_dead: [u64; VENUES],
    pub venue_lies: [(u64, i128); VENUES],
    pub paused: Option<(u64, Address)>,
    pub clock_wrong_ms: i64,
}

impl World {
    pub fn crash(&mut self) {
        self.judge.report.crashes += 1;
        self.machine = None;
        self.generation += 1;
        let down = self.rng.u64(500..20_000);
        // Down, then a head, a look at the account, a look at the round, a poll of the venues.
        self.excuse_now(Span::from_ms(down + 2 * POLL + 5000) + timing().answer_timeout);
        self.at(down, Happening::Restart);
    }

    /// One of the things that happen to publishers.
    pub fn misfortune(&mut self) {
        let every = self.storm.misfortune_every.ms();
        let next = self.rng.u64(every / 2..every * 3 / 2);
        self.at(next, Happening::Misfortune);
        let venue = self.rng.usize(0..VENUES);
        let reorgs = self.storm.finality != Finality::Instant;
        let kinds = if self.storm.mischief { 16 } else { 12 };
        match self.rng.u8(0..kinds) {
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
                self.ills.node_lags = self.now_ms + span;
                self.excuse_now(Span::from_ms(span) + BLOCK.times(2) + timing().answer_timeout);
            }
            9 => {
                let span = self.rng.u64(2_000..30_000);
                self.ills.node_down = self.now_ms + span;
                self.excuse_now(Span::from_ms(span) + timing().retry_max + timing().answer_timeout);
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
                let aggregators: Vec<Address> = self.feeds.values().map(|(_, to, _)| *to).collect();
                self.ills.paused = self.rng.choice(aggregators).map(|to| (self.now_ms + span, to));
                // What was on its way reverts, and is planned anew once that is final; what was not is tried again
                // when the contract is next read.
                self.excuse_now(Span::from_ms(span) + REFRESH + FINAL + timing().retry_max.times(4));
            }
            15 => {
                let hour = self.rng.choice([3_600_000, -3_600_000]).unwrap_or_default();
                self.set_clock(hour);
                let until = self.rng.u64(10_000..300_000);
                self.at(until, Happening::ClockRight);
            }
            _ => self.crash(),
        }
    }

    /// Our clock is wrong by so much from now on. Every quote is then too old or from the future, until the next.
    pub fn set_clock(&mut self, wrong_ms: i64) {
        self.ills.clock_wrong_ms = wrong_ms;
        self.excuse_now(Span::from_ms(3 * POLL) + timing().answer_timeout);
    }

    /// Somebody else writes the next round of one of our feeds, perhaps before one of ours that is on its way.
    fn stranger(&mut self) {
        let (from, hash) = (Address::repeat_byte(0xee), self.rng.u128(..));
        let Some(id) = self.rng.choice(self.feeds.keys().cloned().collect::<Vec<_>>()) else { return };
        let Some((_, aggregator, price)) = self.feeds.get(&id).copied() else { return };
        let round = self.chain.next_round(aggregator);
        let answer = Answer::new(I256::try_from(price).unwrap_or_default());
        let request = TxRequest {
            chain_id: 138,
            from,
            nonce: self.chain.nonce(from, u64::MAX),
            gas_limit: 100_000,
            fee: Fee::Legacy { gas_price_wei: FEE_CAP_WEI },
            call: Call::Submit { aggregator, round, answer },
        };
        self.judge.stranger(aggregator, round);
        self.chain.repool(Tx { hash: B256::from(U256::from(hash)), request });
        self.excuse_now(timing().retry_max.times(2) + BLOCK.times(4) + FINAL);
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

    /// Takes blocks away; some of their transactions go back to the pool, some as an earlier attempt, some vanish.
    fn take_blocks(&mut self, depth: u64, silent: bool) -> u64 {
        self.judge.report.reorgs += 1;
        let before = self.chain.tip().number;
        let since = before.checked_sub(depth).and_then(|n| self.chain.block(n)).map(|b| b.head.time);
        let removed = self.chain.rollback(depth);
        for tx in removed {
            match self.rng.u8(0..4) {
                0 => {}
                1 => {
                    let key = (tx.request.from, tx.request.nonce);
                    let journalled = self.journal.iter().rev().find_map(|record| match record {
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
