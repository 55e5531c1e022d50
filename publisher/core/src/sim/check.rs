//! The judge: it watches the journal, the wire and the chain, with code that shares nothing with what it judges.

use super::chain::Revert;
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::{Outcome, Record};
use crate::time::{Span, Wall};
use crate::tx::{Call, Fee, SendOutcome, TxRequest, Work};
use alloy_primitives::{Address, B256, I256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a run showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that must never happen, in words.
    pub violations: Vec<String>,
    /// Steps the machine took.
    pub steps: u64,
    /// Rounds on the final chain.
    pub rounds: u64,
    /// Times the machine was killed.
    pub crashes: u64,
    /// Reorganisations, rollbacks included.
    pub reorgs: u64,
    /// Replacements signed.
    pub bumps: u64,
    /// Transactions of ours that reverted because somebody else was faster, or the contract paused.
    pub wasted: u64,
    /// Rounds that landed before their heartbeat was due although their answer had hardly changed: after a bump or a
    /// reorganisation that may be.
    pub needless: u64,
    /// Events reported.
    pub events: u64,
    /// Questions to the node and to the signer, broadcasts included.
    pub requests: u64,
    /// Requests and answers lost.
    pub losses: u64,
    /// Rounds that landed before their heartbeat was due.
    pub on_time: u64,
    /// The longest that a heartbeat was late without an excuse.
    pub worst_lateness: Span,
}

/// What venues really said, in hundred-millionths, and what follows from it by plain arithmetic.
#[derive(Clone, Debug, Default)]
struct Truth {
    venues: BTreeMap<usize, (i128, Wall)>,
    /// Values that could be published, with when they could be.
    values: VecDeque<(Wall, Answer)>,
}

#[derive(Debug)]
pub(super) struct Judge {
    pub report: Report,
    truths: BTreeMap<FeedId, Truth>,
    intents: BTreeMap<(Address, u64), Option<(Address, u64)>>,
    /// Rounds that an intent holds: until it ends otherwise than in the final chain.
    held: BTreeMap<(Address, u64), u64>,
    closed: BTreeSet<(Address, u64)>,
    attempts: BTreeMap<B256, (Address, u64)>,
    highest: BTreeMap<(Address, u64), (B256, Fee)>,
    /// Attempts that a node called dead.
    dead: BTreeSet<B256>,
    /// Rounds that somebody else wrote, on whatever fork.
    strangers: BTreeSet<(Address, u64)>,
    excuses: BTreeMap<FeedId, Vec<(Wall, Wall)>>,
    max_age: Span,
    quorum: usize,
    cap_wei: u128,
}

impl Judge {
    pub fn new(feeds: impl Iterator<Item = FeedId>, max_age: Span, quorum: usize, cap_wei: u128) -> Self {
        Self {
            report: Report::default(),
            truths: feeds.map(|f| (f, Truth::default())).collect(),
            intents: BTreeMap::new(),
            held: BTreeMap::new(),
            closed: BTreeSet::new(),
            attempts: BTreeMap::new(),
            highest: BTreeMap::new(),
            dead: BTreeSet::new(),
            strangers: BTreeSet::new(),
            excuses: BTreeMap::new(),
            max_age,
            quorum,
            cap_wei,
        }
    }

    pub fn accuse(&mut self, violation: String) {
        // One fault can repeat for hours; the first few say enough.
        if self.report.violations.len() < 20 {
            self.report.violations.push(violation);
        }
    }

    /// A venue's quote reached the machine, whose clock says `wall`, at the true `time`.
    pub fn quoted(&mut self, feed: &FeedId, venue: usize, value: i128, wall: Wall, time: Wall) {
        if let Some(truth) = self.truths.get_mut(feed) {
            truth.venues.insert(venue, (value, wall));
        }
        self.look(feed, wall, time);
    }

    /// A process that starts knows no quotes.
    pub fn forget_quotes(&mut self) {
        self.truths.values_mut().for_each(|truth| truth.venues.clear());
    }

    /// Computes by hand what could be published now.
    pub fn look(&mut self, feed: &FeedId, wall: Wall, time: Wall) {
        let (max_age, quorum) = (self.max_age, self.quorum);
        let Some(truth) = self.truths.get_mut(feed) else { return };
        let mut fresh = truth.fresh(wall, max_age);
        if fresh.len() >= quorum {
            let middle = middle(&mut fresh);
            let total = fresh.len();
            fresh.retain(|v| (v - middle).abs() * 200 <= middle);
            let gone = total - fresh.len();
            if gone <= total.div_ceil(4) && !fresh.is_empty() {
                let answer = Answer::new(I256::try_from(self::middle(&mut fresh)).unwrap_or_default());
                match truth.values.back_mut() {
                    Some((at, last)) if *last == answer => *at = time,
                    _ => truth.values.push_back((time, answer)),
                }
            }
        }
        // An attempt may carry a decided value until it is too old to be signed.
        while truth.values.front().is_some_and(|(at, _)| time.since(*at) > max_age.times(2)) {
            truth.values.pop_front();
        }
    }

    /// Something is to be signed: is it an answer that the venues really gave, from a quorum, and not too old?
    pub fn signing(&mut self, feed: &FeedId, answer: Answer, wall: Wall, time: Wall) {
        self.look(feed, wall, time);
        let known = self.truths.get(feed).is_some_and(|t| t.values.iter().any(|(_, v)| *v == answer));
        if !known {
            self.accuse(format!("{time:?}: {feed}: answer {answer} is not a median of what a quorum said"));
        }
    }

    /// Whether a quorum could be had now.
    pub fn has_quorum(&self, feed: &FeedId, wall: Wall) -> bool {
        self.truths.get(feed).is_some_and(|truth| truth.fresh(wall, self.max_age).len() >= self.quorum)
    }

    /// A record reached the journal: would the store take it?
    pub fn recorded(&mut self, record: &Record) {
        match record {
            Record::Intent { account, nonce, work, .. } => self.intended((*account, *nonce), work),
            Record::Attempt { account, nonce, attempt, .. } => {
                let key = (*account, *nonce);
                if attempt.fee.cap_wei() > self.cap_wei {
                    self.accuse(format!("nonce {nonce}: fee {} above the cap", attempt.fee.cap_wei()));
                }
                if self.closed.contains(&key) || self.attempts.insert(attempt.hash, key).is_some() {
                    self.accuse(format!("nonce {nonce}: an attempt too many"));
                }
                if let Some((hash, old)) = self.highest.insert(key, (attempt.hash, attempt.fee)) {
                    self.report.bumps += 1;
                    let more = attempt.fee.cap_wei() > old.cap_wei() && attempt.fee.tip_wei() > old.tip_wei();
                    let free = attempt.fee.cap_wei() == 0 && old.cap_wei() == 0;
                    if !more && !free && !self.dead.contains(&hash) {
                        self.accuse(format!("nonce {nonce}: a replacement does not offer more"));
                    }
                }
            }
            Record::Sent { hash, outcome, .. } => {
                if *outcome == SendOutcome::Rejected {
                    self.dead.insert(*hash);
                }
            }
            Record::Included { account, nonce, .. } | Record::Orphaned { account, nonce } => {
                if self.closed.contains(&(*account, *nonce)) {
                    self.accuse(format!("nonce {nonce} moved after it was closed"));
                }
            }
            Record::Closed { account, nonce, outcome, .. } => {
                let key = (*account, *nonce);
                if !self.closed.insert(key) {
                    self.accuse(format!("nonce {nonce} was closed twice"));
                }
                if let Some(Some(round)) = self.intents.get(&key).filter(|_| *outcome != Outcome::Final) {
                    self.held.remove(round);
                }
            }
            Record::Reopened { nonce, .. } => {
                self.accuse(format!("nonce {nonce} was reopened without cause"))
            }
            Record::Halted { reason, .. } => self.accuse(format!("halted without cause: {reason}")),
            Record::Resumed { .. } => {}
        }
    }

    fn intended(&mut self, key: (Address, u64), work: &Work) {
        let round = match work {
            Work::Round { aggregator, round, .. } => Some((*aggregator, *round)),
            Work::Step { .. } => None,
        };
        if self.intents.insert(key, round).is_some() {
            self.accuse(format!("nonce {} was given away twice", key.1));
        }
        if let Some(round) = round
            && let Some(other) = self.held.insert(round, key.1)
        {
            self.accuse(format!("round {} is on its way twice: nonces {other} and {}", round.1, key.1));
        }
    }

    /// Somebody else sent a round.
    pub fn stranger(&mut self, aggregator: Address, round: u64) {
        self.strangers.insert((aggregator, round));
    }

    /// A transaction is in a block and reverted. Ours may only because somebody else wrote the round, or the one
    /// before it on another fork, or because the contract paused.
    pub fn reverted(&mut self, request: &TxRequest, revert: Revert) {
        let Call::Submit { aggregator, round, .. } = request.call else { return };
        if !self.intents.contains_key(&(request.from, request.nonce)) {
            return;
        }
        let strange = |round: u64| self.strangers.contains(&(aggregator, round));
        self.report.wasted += 1;
        if revert != Revert::Paused && !strange(round) && !(1..round).rev().take(3).any(strange) {
            self.accuse(format!("nonce {}: round {round} reverted: {revert:?}", request.nonce));
        }
    }

    /// A round landed before its heartbeat was due: had its answer changed?
    pub fn landed_early(&mut self, old: Answer, new: Answer) {
        let (old, new) = (old.value(), new.value());
        let distance = if new > old { new - old } else { old - new };
        self.report.needless += u64::from(distance * I256::unchecked_from(200) < old);
    }

    /// Bytes leave the process.
    pub fn broadcast(&mut self, hash: B256) {
        if !self.attempts.contains_key(&hash) {
            self.accuse(format!("{hash} was sent before it was journalled"));
        }
    }

    /// The world did something to a feed that costs time.
    pub fn excuse(&mut self, feed: &FeedId, from: Wall, to: Wall) {
        self.excuses.entry(feed.clone()).or_default().push((from, to));
    }

    /// A round landed: how late was it, beyond every excuse since the heartbeat was due?
    pub fn landed(&mut self, feed: &FeedId, due: Wall, landed: Wall, allowed: Span, what: &str) {
        let late = landed.since(due);
        self.report.on_time += u64::from(late == Span::ZERO);
        let mut intervals = self.excuses.get(feed).cloned().unwrap_or_default();
        intervals.sort_unstable();
        let (mut excused, mut until) = (Span::ZERO, due);
        for (from, to) in intervals {
            let (from, to) = (from.max(until), to.min(landed));
            excused = excused + to.since(from);
            until = until.max(to);
        }
        let unexcused = late.less(excused);
        self.report.worst_lateness = self.report.worst_lateness.max(unexcused);
        if unexcused > allowed {
            self.accuse(format!("{landed:?}: {feed}: {what} {late} late, {unexcused} without excuse"));
        }
        if let Some(intervals) = self.excuses.get_mut(feed) {
            intervals.retain(|(_, to)| landed.since(*to) < Span::from_s(600));
        }
    }
}

impl Truth {
    /// What venues said lately, by the machine's clock; it refuses what comes from the future.
    fn fresh(&self, wall: Wall, max_age: Span) -> Vec<i128> {
        let fresh = |at: &Wall| wall.since(*at) <= max_age && at.since(wall) <= Span::from_s(2);
        self.venues.values().filter(|(_, at)| fresh(at)).map(|(value, _)| *value).collect()
    }
}

/// The middle value, or the middle of the two in the middle, rounded half to even.
fn middle(values: &mut [i128]) -> i128 {
    values.sort_unstable();
    let at = |i: usize| values.get(i).copied().unwrap_or_default();
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        return at(half);
    }
    let sum = at(half.saturating_sub(1)) + at(half);
    let down = sum.div_euclid(2);
    if sum.rem_euclid(2) == 1 && down % 2 != 0 { down + 1 } else { down }
}
