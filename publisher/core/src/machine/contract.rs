//! What the machine remembers about one contract that it writes: an aggregator with its one feed, or a store with many.
//!
//! Whatever is decided, asked and awaited goes by the contract, because its compare-and-set takes one transaction at a
//! time: an aggregator counts rounds, a store counts sequences.

use super::feed::{Asked, Decided};
use super::{FeedSpec, StoreSpec};
use crate::event::Event;
use crate::io::Effect;
use crate::quote::FeedId;
use crate::time::{Mono, Now, Span};
use alloy_primitives::{Address, B256, keccak256};
use std::collections::VecDeque;

/// After this many failed transactions in a row the contract waits longer.
const FAILURES_MAX: u32 = 3;
/// It is tried this often within a heartbeat, however often it has failed, …
const RETRIES_IN_HEARTBEAT: u64 = 10;
/// … and in an hour once.
const RETRY_MAX: Span = Span::from_s(3600);
/// So many of the latest estimates are remembered.
const ESTIMATES: usize = 8;

/// Refusals in a row, and until when nothing is tried because of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    until: Option<Mono>,
    count: u32,
    reported: Option<String>,
}

impl Refusals {
    /// Whether nothing is tried now.
    pub fn forbid(&self, now: Mono) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Nothing is tried before `until`, whatever was refused.
    pub fn wait(&mut self, until: Mono) {
        self.until = Some(until);
    }

    /// One more. Returns until when nothing is tried, and whether the reason is news.
    pub fn add(&mut self, reason: &str, retry: Span, now: Now) -> (Mono, bool) {
        /// The first refusal is tried again after this many retries' time, the eighth after eight times as long.
        const RETRIES: u64 = 4;
        self.count = self.count.saturating_add(1);
        let until = now.mono + retry.times(RETRIES.saturating_mul(u64::from(self.count.min(8))));
        self.until = Some(until);
        let news = self.reported.as_deref() != Some(reason);
        if news {
            self.reported = Some(reason.to_owned());
        }
        (until, news)
    }

    /// The last one was answered by a consent.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// One contract's state.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    /// The account that writes it.
    pub account: Address,
    /// What it is told as a store; `None`: an aggregator of one feed.
    pub store: Option<StoreSpec>,
    /// The feeds written to it.
    pub feeds: Vec<FeedId>,
    /// The latest round or sequence on the canonical chain, and the block that showed it.
    pub known: Option<(u64, u64, B256)>,
    pub paused: bool,
    pub authorised: bool,
    pub reading: Option<Asked<()>>,
    /// When it was last read, or never: it is read again at the next look.
    pub read_at: Option<Mono>,
    pub read_after: Mono,
    /// What it is being asked to consent to.
    pub preflight: Option<Asked<Decided>>,
    pub refusals: Refusals,
    /// Since when a feed of it is due, beside those that were planned last.
    pub due_since: Option<Mono>,
    /// The transaction that it waits for.
    pub flight: Option<(Address, u64)>,
    pub planned_at: Mono,
    /// The round or sequence that failed last, and how often in a row that happened.
    pub failing: Option<(u64, u32)>,
    /// What its last transactions took for each feed that they carried, beside the store's own part, by the nodes'
    /// estimates; the newest last.
    estimates: VecDeque<u64>,
    /// When no node could estimate what is to be written; it is asked for again once the contract has been read.
    estimates_fail: Option<Mono>,
    estimate_failure_reported: bool,
    clamp_reported: bool,
}

impl Contract {
    pub fn new(account: Address, store: Option<StoreSpec>, now: Now) -> Self {
        Self {
            account,
            store,
            feeds: Vec::new(),
            known: None,
            paused: false,
            authorised: true,
            reading: None,
            read_at: None,
            read_after: now.mono,
            preflight: None,
            refusals: Refusals::default(),
            due_since: None,
            flight: None,
            planned_at: now.mono,
            failing: None,
            estimates: VecDeque::new(),
            estimates_fail: None,
            estimate_failure_reported: false,
            clamp_reported: false,
        }
    }

    /// Its latest round or sequence on the canonical chain.
    pub fn number(&self) -> Option<u64> {
        self.known.map(|(number, ..)| number)
    }

    /// What is known of it is to be read again before anything is based on it.
    pub fn forget(&mut self) {
        self.known = None;
        self.reading = None;
        self.read_at = None;
    }

    /// What another replica, or this one in an earlier epoch, had on its way is not known any more.
    pub fn forget_course(&mut self) {
        self.preflight = None;
        self.due_since = None;
        self.flight = None;
        self.refusals.forget();
        self.failing = None;
    }

    /// Whether it is being asked about something decided.
    pub fn is_asked(&self, now: Now) -> bool {
        self.preflight.as_ref().is_some_and(|asked| now.mono < asked.deadline)
    }

    /// It refuses. Says so once for each reason; returns until when nothing is tried.
    pub fn refused(&mut self, reason: String, retry: Span, now: Now, out: &mut Vec<Effect>) -> Mono {
        let (until, news) = self.refusals.add(&reason, retry, now);
        // The next head may show why: somebody else's round, a pause, a revoked role.
        self.read_at = None;
        if news {
            out.push(Effect::Report(Event::PreflightRefused { feed: self.only_feed(), reason }));
        }
        until
    }

    /// What was written to it reverted or was rejected: it is planned anew, and if that keeps happening ever more
    /// slowly, but often enough for the `heartbeat` that comes soonest. Contracts that fail for one reason are not tried
    /// again in one moment. Once the contract has this `number` nothing has failed: somebody else was faster.
    pub fn failed(&mut self, (address, number): (Address, u64), retry: Span, heartbeat: Span, now: Now) {
        let failures = self.failing.map_or(0, |(_, count)| count).saturating_add(1);
        self.failing = Some((number, failures));
        if failures < FAILURES_MAX {
            return;
        }
        let most = match heartbeat {
            Span::ZERO => RETRY_MAX,
            heartbeat => Span::from_ms(heartbeat.ms() / RETRIES_IN_HEARTBEAT).min(RETRY_MAX),
        };
        let wait = retry.times(4 << failures.min(6)).min(most).ms();
        let hash = keccak256([address.as_slice(), &failures.to_be_bytes()].concat());
        let seed = hash.first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
        let part = fastrand::Rng::with_seed(seed).u64(0..=wait / 2);
        self.refusals.wait(now.mono + Span::from_ms(wait.saturating_sub(part)));
    }

    /// A node estimated this gas for a transaction that carries so many feeds; zero: they are not known.
    pub fn estimated(&mut self, gas: u64, feeds: usize) {
        (self.estimates_fail, self.estimate_failure_reported) = (None, false);
        let feeds = if self.store.is_none() { 1 } else { u64::try_from(feeds).unwrap_or(u64::MAX) };
        if feeds == 0 {
            return;
        }
        if self.estimates.len() == ESTIMATES {
            self.estimates.pop_front();
        }
        self.estimates.push_back(gas.saturating_sub(self.own_gas()).div_ceil(feeds));
    }

    /// No node could say what a transaction for so many feeds takes (zero: they are not known), or whether it would be
    /// refused. The estimate that stands in: there is one once the contract has been read since, for each transaction
    /// anew, because the nodes are there then and the contract takes rounds.
    pub fn estimate_failed(&mut self, feeds: usize, now: Now, out: &mut Vec<Effect>) -> Option<u64> {
        let Some(since) = self.estimates_fail else {
            self.estimates_fail = Some(now.mono);
            self.read_at = None;
            return None;
        };
        let feeds = if feeds == 0 { self.feeds.len() } else { feeds };
        let gas = self.worst_estimate(feeds).filter(|_| self.read_at.is_some_and(|read| read > since))?;
        self.estimates_fail = None;
        if !self.estimate_failure_reported {
            self.estimate_failure_reported = true;
            out.push(Effect::Report(Event::EstimateFailed { feed: self.only_feed(), gas }));
        }
        Some(gas)
    }

    /// Says once that a node's estimate is beyond what a transaction for these feeds may have.
    pub fn report_clamp<'a>(
        &mut self,
        estimate: u64,
        feeds: impl Iterator<Item = &'a FeedSpec>,
        out: &mut Vec<Effect>,
    ) {
        let gas_limit = self.gas_limit(estimate, feeds);
        let clamped = gas_limit < with_margin(estimate);
        if clamped && !self.clamp_reported {
            let feed = self.only_feed();
            out.push(Effect::Report(Event::EstimateClamped { feed, estimate, gas_limit }));
        }
        self.clamp_reported = clamped;
    }

    /// The feed of an aggregator; a store has many.
    fn only_feed(&self) -> Option<FeedId> {
        self.feeds.first().filter(|_| self.store.is_none()).cloned()
    }

    /// What the dearest of the latest estimates means for so many feeds; `None` while there is none.
    pub fn worst_estimate(&self, feeds: usize) -> Option<u64> {
        let each = self.estimates.iter().max()?;
        let feeds = u64::try_from(feeds).unwrap_or(u64::MAX);
        Some(self.own_gas().saturating_add(each.saturating_mul(feeds)))
    }

    /// What a transaction takes beside its feeds.
    fn own_gas(&self) -> u64 {
        self.store.as_ref().map_or(0, |store| store.gas)
    }

    /// The limit for an estimate of a transaction for these feeds: a quarter more, and within their bounds. A batch
    /// that has grown since it was estimated is within them too, because they are the sum of its feeds' dearest rounds.
    pub fn gas_limit<'a>(&self, estimate: u64, feeds: impl Iterator<Item = &'a FeedSpec>) -> u64 {
        let base = self.own_gas();
        let (floor, ceiling) = feeds.fold((base, base), |(floor, ceiling), feed| {
            (floor.saturating_add(feed.gas_floor), ceiling.saturating_add(feed.gas_ceiling))
        });
        with_margin(estimate).clamp(floor.min(ceiling), ceiling)
    }
}

/// A quarter more than what a node estimates: the chain may have moved by the time it counts.
pub(super) const fn with_margin(estimate: u64) -> u64 {
    estimate.saturating_add(estimate / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a contract waits after so many failures, in milliseconds.
    fn waits(byte: u8, failures: usize, heartbeat_s: u64) -> Vec<u64> {
        let (address, now) = (Address::repeat_byte(byte), Now::default());
        let mut contract = Contract::new(address, None, now);
        let wait = |_| {
            contract.failed((address, 1), Span::from_ms(500), Span::from_s(heartbeat_s), now);
            contract.refusals.until.map_or(0, |until| until.since(now.mono).ms())
        };
        (0..failures).map(wait).collect()
    }

    #[test]
    fn failures_wait_twice_as_long_each_time_up_to_a_tenth_of_the_heartbeat_and_by_chance() {
        let within = |wait: u64, most: u64| (most / 2..=most).contains(&wait);
        for (heartbeat_s, most) in [
            (0, [0, 0, 16_000, 32_000, 64_000, 128_000, 128_000]),
            (86_400, [0, 0, 16_000, 32_000, 64_000, 128_000, 128_000]),
            (600, [0, 0, 16_000, 32_000, 60_000, 60_000, 60_000]),
            (60, [0, 0, 6_000, 6_000, 6_000, 6_000, 6_000]),
        ] {
            let waits = waits(1, most.len(), heartbeat_s);
            assert!(
                waits.iter().zip(most).all(|(wait, most)| within(*wait, most)),
                "{heartbeat_s}: {waits:?}"
            );
        }
        // The same again, and something else for another contract that fails in the same moment.
        assert_eq!(waits(1, 7, 600), waits(1, 7, 600));
        assert_ne!(waits(1, 7, 600).last(), waits(2, 7, 600).last());
    }
}
