//! The judge's purse: what was and may be spent, added up once more, by the journal and the true time.

use crate::quote::FeedId;
use crate::record::{Outcome, Record};
use crate::spend::Caps;
use crate::time::{Span, Wall};
use crate::tx::Work;
use alloy_primitives::{Address, B256};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
struct Nonce {
    /// Whose round it is for, if it is for one alone.
    feed: Option<FeedId>,
    /// Each attempt: its most, and the feeds that share it.
    attempts: BTreeMap<B256, (u128, BTreeSet<FeedId>)>,
    /// Which attempt is in a canonical block, and what that has cost.
    paid: Option<(B256, u128)>,
    /// Somebody else's transaction took it.
    is_foreign: bool,
    closed_at: Option<Wall>,
}

impl Nonce {
    /// What it has cost or may yet cost: a feed its share, or the account all of it.
    fn wei(&self, feed: Option<&FeedId>) -> u128 {
        let costs = self.attempts.iter().filter(|_| !self.is_foreign).map(|(hash, (most, feeds))| {
            let wei = match self.paid {
                None => *most,
                Some((landed, wei)) if landed == *hash => wei,
                Some(_) => 0,
            };
            let share = wei.div_ceil(feeds.len().max(1) as u128);
            feed.map_or(wei, |feed| if feeds.contains(feed) { share } else { 0 })
        });
        costs.max().unwrap_or(0)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Purse {
    caps: Caps,
    nonces: BTreeMap<(Address, u64), Nonce>,
}

impl Purse {
    pub fn new(caps: Caps) -> Self {
        Self { caps, nonces: BTreeMap::new() }
    }

    /// A record reached the journal at the true `time`. Returns in words what passes a cap.
    pub fn recorded(&mut self, record: &Record, time: Wall) -> Option<String> {
        match record {
            Record::Intent { account, nonce, work, .. } => {
                let feed = match work {
                    Work::Round { feed, .. } => Some(feed.clone()),
                    Work::Batch { .. } | Work::Step { .. } => None,
                };
                self.of(*account, *nonce).feed = feed;
            }
            Record::Attempt { account, nonce, attempt, .. } => {
                let cost = u128::from(attempt.gas_limit) * attempt.fee.cap_wei();
                let open = self.of(*account, *nonce);
                let alone = open.feed.clone().filter(|_| attempt.answer.is_some());
                let feeds: BTreeSet<FeedId> =
                    attempt.entries.iter().map(|entry| entry.feed.clone()).chain(alone).collect();
                open.attempts.insert(attempt.hash, (cost, feeds.clone()));
                if self.caps.transaction_wei > 0 && cost > self.caps.transaction_wei {
                    return Some(format!("nonce {nonce} may cost {cost} wei"));
                }
                // An empty transaction frees its account, whatever is spent.
                if !feeds.is_empty() && !self.caps.heartbeats_pass {
                    let hour = feeds.iter().map(|feed| self.sum(time, 3_600, *account, Some(feed))).max();
                    let hour = hour.unwrap_or(0);
                    let day = self.sum(time, 86_400, *account, None);
                    let over = |spent: u128, cap: u128| cap > 0 && spent > cap;
                    if over(hour, self.caps.feed_hour_wei) || over(day, self.caps.account_day_wei) {
                        return Some(format!("nonce {nonce}: {hour} wei in an hour, {day} in a day"));
                    }
                }
            }
            Record::Included { account, nonce, receipt } => {
                let wei = u128::from(receipt.gas_used) * receipt.gas_price_wei;
                self.of(*account, *nonce).paid = Some((receipt.hash, wei));
            }
            Record::Orphaned { account, nonce } => self.of(*account, *nonce).paid = None,
            Record::Closed { account, nonce, outcome, at } => {
                let closed = self.of(*account, *nonce);
                // It was closed when that was decided, however late it is written: no storm on a budget sets clocks wrong.
                closed.closed_at = Some(*at);
                closed.is_foreign = *outcome == Outcome::Foreign;
            }
            Record::Reopened { account, nonce, .. } => {
                let open = self.of(*account, *nonce);
                (open.paid, open.closed_at, open.is_foreign) = (None, None, false);
            }
            Record::Sent { .. } | Record::Decided { .. } | Record::Halted { .. } | Record::Resumed { .. } => {
            }
        }
        None
    }

    fn of(&mut self, account: Address, nonce: u64) -> &mut Nonce {
        self.nonces.entry((account, nonce)).or_default()
    }

    /// What an account's nonces have cost in so many seconds, or may yet cost: one feed, or altogether.
    fn sum(&self, time: Wall, seconds: u64, account: Address, feed: Option<&FeedId>) -> u128 {
        let counts = |n: &Nonce| n.closed_at.is_none_or(|at| time.since(at) < Span::from_s(seconds));
        let nonces = self.nonces.range((account, 0)..=(account, u64::MAX)).map(|(_, nonce)| nonce);
        nonces.filter(|nonce| counts(nonce)).map(|nonce| nonce.wei(feed)).sum()
    }
}
