//! The judge: it watches the journal, the wire and the chain, with code that shares nothing with what it judges.

use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::Record;
use crate::time::{Span, Wall};
use crate::tx::Fee;
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
    intents: BTreeSet<(Address, u64)>,
    attempts: BTreeMap<B256, Fee>,
    highest: BTreeMap<(Address, u64), Fee>,
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
            intents: BTreeSet::new(),
            attempts: BTreeMap::new(),
            highest: BTreeMap::new(),
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

    /// A venue's quote reached the machine.
    pub fn quoted(&mut self, feed: &FeedId, venue: usize, value: i128, as_of: Wall, now: Wall) {
        if let Some(truth) = self.truths.get_mut(feed) {
            truth.venues.insert(venue, (value, as_of));
        }
        self.look(feed, now);
    }

    /// A process that starts knows no quotes.
    pub fn forget_quotes(&mut self) {
        self.truths.values_mut().for_each(|truth| truth.venues.clear());
    }

    /// Computes by hand what could be published now.
    pub fn look(&mut self, feed: &FeedId, now: Wall) {
        let (max_age, quorum) = (self.max_age, self.quorum);
        let Some(truth) = self.truths.get_mut(feed) else { return };
        let mut fresh: Vec<i128> =
            truth.venues.values().filter(|(_, at)| now.since(*at) <= max_age).map(|(v, _)| *v).collect();
        if fresh.len() >= quorum {
            let middle = middle(&mut fresh);
            let total = fresh.len();
            fresh.retain(|v| (v - middle).abs() * 200 <= middle);
            let gone = total - fresh.len();
            if gone <= total.div_ceil(4) && !fresh.is_empty() {
                let answer = Answer::new(I256::try_from(self::middle(&mut fresh)).unwrap_or_default());
                match truth.values.back_mut() {
                    Some((at, last)) if *last == answer => *at = now,
                    _ => truth.values.push_back((now, answer)),
                }
            }
        }
        // An attempt may carry a decided value until it is too old to be signed.
        while truth.values.front().is_some_and(|(at, _)| now.since(*at) > max_age.times(2)) {
            truth.values.pop_front();
        }
    }

    /// Something is to be signed: is it an answer that the venues really gave, from a quorum, and not too old?
    pub fn signing(&mut self, feed: &FeedId, answer: Answer, now: Wall) {
        self.look(feed, now);
        let known = self.truths.get(feed).is_some_and(|t| t.values.iter().any(|(_, v)| *v == answer));
        if !known {
            self.accuse(format!("{now:?}: {feed}: answer {answer} is not a median of what a quorum said"));
        }
    }

    /// Whether a quorum could be had now.
    pub fn has_quorum(&self, feed: &FeedId, now: Wall) -> bool {
        self.truths.get(feed).is_some_and(|t| {
            let fresh = t.venues.values().filter(|(_, at)| now.since(*at) <= self.max_age).count();
            fresh >= self.quorum
        })
    }

    /// A record reached the journal.
    pub fn recorded(&mut self, record: &Record) {
        match record {
            Record::Intent { account, nonce, .. } if !self.intents.insert((*account, *nonce)) => {
                self.accuse(format!("nonce {nonce} was given away twice"));
            }
            Record::Attempt { account, nonce, attempt, .. } => {
                if attempt.fee.cap_wei() > self.cap_wei {
                    self.accuse(format!("nonce {nonce}: fee {} above the cap", attempt.fee.cap_wei()));
                }
                if let Some(old) = self.highest.insert((*account, *nonce), attempt.fee) {
                    self.report.bumps += 1;
                    if attempt.fee.cap_wei() <= old.cap_wei() || attempt.fee.tip_wei() <= old.tip_wei() {
                        self.accuse(format!("nonce {nonce}: a replacement does not offer more"));
                    }
                }
                self.attempts.insert(attempt.hash, attempt.fee);
            }
            Record::Halted { reason, .. } => self.accuse(format!("halted without cause: {reason}")),
            _ => {}
        }
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
