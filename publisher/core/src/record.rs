//! The journal's vocabulary: what is written before it is done, and what recovery reads back.
//!
//! Records are facts and are only ever appended. The same record again is harmless; a different one under the same
//! key is refused by the store, because it would mean two histories.

use crate::policy::{MarketState, Trigger};
use crate::quote::FeedId;
use crate::spend::{self, Payment};
use crate::time::Wall;
use crate::tx::{Attempt, Receipt, SendOutcome, Work};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// `work` owns `nonce` of `account` for ever. Key: account, nonce.
    Intent {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// What it is for.
        work: Work,
        /// When it was planned.
        at: Wall,
    },
    /// Why a feed is part of an intent. It explains a round later, and recovery needs none of it. Key: account, nonce,
    /// feed.
    Decided {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// What the decision rested on.
        why: Why,
    },
    /// Signed bytes exist and may leave the process. Key: hash; also account, nonce, seq.
    Attempt {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// The signed transaction.
        attempt: Attempt,
        /// When it was signed.
        at: Wall,
    },
    /// What the nodes said to an attempt; the newest counts.
    Sent {
        /// The account.
        account: Address,
        /// Transaction hash.
        hash: B256,
        /// What it means.
        outcome: SendOutcome,
        /// When.
        at: Wall,
    },
    /// A canonical block includes an attempt of this nonce.
    Included {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// Where.
        receipt: Receipt,
    },
    /// The including block left the canonical chain.
    Orphaned {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
    },
    /// The nonce is done with. Nothing but [`Record::Reopened`] takes that back.
    Closed {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// How it ended.
        outcome: Outcome,
        /// When.
        at: Wall,
    },
    /// The chain took back what counted as final, and an operator has acknowledged it: whether this nonce is used is
    /// to be learnt again. Key: account, nonce, at.
    Reopened {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// When.
        at: Wall,
    },
    /// Something stands still until an operator acknowledges it.
    Halted {
        /// What stands still.
        scope: Scope,
        /// Why, for people.
        reason: String,
        /// When.
        at: Wall,
    },
    /// An operator acknowledged a halt.
    Resumed {
        /// What goes on.
        scope: Scope,
        /// When.
        at: Wall,
    },
}

impl Record {
    /// The account that the record is about: only whoever may write for it may write this. What concerns a feed or the
    /// whole chain is an operator's or everybody's to say.
    pub const fn account(&self) -> Option<Address> {
        match self {
            Self::Intent { account, .. }
            | Self::Decided { account, .. }
            | Self::Attempt { account, .. }
            | Self::Sent { account, .. }
            | Self::Included { account, .. }
            | Self::Orphaned { account, .. }
            | Self::Closed { account, .. }
            | Self::Reopened { account, .. }
            | Self::Halted { scope: Scope::Account(account), .. }
            | Self::Resumed { scope: Scope::Account(account), .. } => Some(*account),
            Self::Halted { .. } | Self::Resumed { .. } => None,
        }
    }
}

/// What a decision about a feed rested on, beside what was signed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The feed.
    pub feed: FeedId,
    /// Which rule fired.
    pub trigger: Trigger,
    /// The market whose hours it keeps, as that stood then.
    pub market: Option<MarketState>,
}

/// How an intent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its work is on the final chain.
    Final,
    /// It was included with status 0, finally.
    Reverted,
    /// An empty transaction took the nonce, finally.
    NoopFilled,
    /// A transaction we never journalled took the nonce.
    Foreign,
}

impl Outcome {
    /// The name in logs, metrics and the journal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Reverted => "reverted",
            Self::NoopFilled => "noop_filled",
            Self::Foreign => "foreign",
        }
    }

    /// The outcome of that name.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Final, Self::Reverted, Self::NoopFilled, Self::Foreign].into_iter().find(|o| o.code() == code)
    }
}

/// What a halt stops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One feed.
    Feed(FeedId),
    /// Everything that one account sends.
    Account(Address),
    /// Everything.
    Chain,
}

/// What a journal knows at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Accounts that ever had an intent.
    pub accounts: Vec<RecoveredAccount>,
    /// Halts nobody has acknowledged.
    pub halts: Vec<(Scope, String)>,
    /// The latest block in which something of ours became final, since a halt of the chain was last acknowledged: it
    /// must still be canonical.
    pub anchor: Option<(u64, B256)>,
}

/// One account's part of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredAccount {
    /// The account.
    pub account: Address,
    /// One more than the highest nonce ever given to an intent.
    pub next_nonce: u64,
    /// Intents that are not closed, by nonce.
    pub open: Vec<RecoveredIntent>,
    /// If the chain is halted: the newest intents, at most [`REOPENED_MAX`], that transactions of ours closed, by nonce.
    /// What was final for them may be gone.
    pub closed: Vec<RecoveredIntent>,
    /// What was paid for closed intents within the day before the newest of them, oldest first.
    pub payments: Vec<Payment>,
}

/// Broken finality reopens no more intents of one account than this.
pub const REOPENED_MAX: usize = 256;

impl RecoveredAccount {
    /// The same with nothing final.
    pub fn reopened(&self) -> Self {
        let mut open: Vec<RecoveredIntent> = self.closed.iter().chain(&self.open).cloned().collect();
        open.sort_by_key(|intent| intent.nonce);
        let paid = self.payments.iter().filter(|paid| !self.closed.iter().any(|i| i.nonce == paid.nonce));
        Self { open, closed: Vec::new(), payments: paid.cloned().collect(), ..*self }
    }
}

/// An intent with what was signed for it. An inclusion is not carried over: recovery asks the chain again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredIntent {
    /// Its nonce.
    pub nonce: u64,
    /// What it is for.
    pub work: Work,
    /// Its attempts, by seq.
    pub attempts: Vec<Attempt>,
}

impl RecoveredIntent {
    /// The feeds that the attempt of this hash carries.
    fn feeds(&self, hash: B256) -> Vec<FeedId> {
        let attempt = self.attempts.iter().find(|attempt| attempt.hash == hash);
        attempt.into_iter().flat_map(|attempt| attempt.feeds(&self.work)).cloned().collect()
    }
}

/// What a journal of these records, in order, tells at start. The reference for every store.
pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Recovered {
    let mut accounts: BTreeMap<Address, BTreeMap<u64, (RecoveredIntent, Option<Outcome>)>> = BTreeMap::new();
    let mut halts: BTreeMap<Scope, String> = BTreeMap::new();
    let mut included: BTreeMap<(Address, u64), Receipt> = BTreeMap::new();
    let mut landed: Vec<(Wall, u64, B256)> = Vec::new();
    let mut paid: BTreeMap<Address, BTreeMap<u64, Payment>> = BTreeMap::new();
    let mut resumed_at: Option<Wall> = None;
    for record in records {
        match record {
            Record::Intent { account, nonce, work, .. } => {
                let intent = RecoveredIntent { nonce: *nonce, work: work.clone(), attempts: Vec::new() };
                accounts.entry(*account).or_default().entry(*nonce).or_insert((intent, None));
            }
            Record::Attempt { account, nonce, attempt, .. } => {
                if let Some((intent, _)) = accounts.get_mut(account).and_then(|a| a.get_mut(nonce))
                    && !intent.attempts.contains(attempt)
                {
                    intent.attempts.push(attempt.clone());
                }
            }
            Record::Included { account, nonce, receipt } => {
                included.insert((*account, *nonce), *receipt);
            }
            Record::Orphaned { account, nonce } => {
                included.remove(&(*account, *nonce));
            }
            Record::Closed { account, nonce, outcome, at } => {
                if let Some((_, end)) = accounts.get_mut(account).and_then(|a| a.get_mut(nonce)) {
                    *end = Some(*outcome);
                }
                // A stranger took the nonce: whatever inclusion was known of it is stale.
                if let Some(receipt) =
                    included.get(&(*account, *nonce)).filter(|_| *outcome != Outcome::Foreign)
                {
                    landed.push((*at, receipt.block_number, receipt.block_hash));
                    let intent = accounts.get(account).and_then(|a| Some(&a.get(nonce)?.0));
                    let feeds = intent.map(|intent| intent.feeds(receipt.hash)).unwrap_or_default();
                    let payment = Payment { nonce: *nonce, feeds, at: *at, wei: spend::paid_wei(receipt) };
                    paid.entry(*account).or_default().insert(*nonce, payment);
                }
            }
            Record::Reopened { account, nonce, .. } => {
                if let Some((_, end)) = accounts.get_mut(account).and_then(|a| a.get_mut(nonce)) {
                    *end = None;
                }
                included.remove(&(*account, *nonce));
                paid.entry(*account).or_default().remove(nonce);
            }
            Record::Halted { scope, reason, .. } => {
                halts.insert(scope.clone(), reason.clone());
            }
            Record::Resumed { scope, at } => {
                halts.remove(scope);
                if *scope == Scope::Chain {
                    resumed_at = resumed_at.max(Some(*at));
                }
            }
            Record::Sent { .. } | Record::Decided { .. } => {}
        }
    }
    let in_doubt = halts.contains_key(&Scope::Chain);
    let accounts = accounts
        .into_iter()
        .map(|(account, intents)| {
            let next_nonce = intents.keys().next_back().map_or(0, |n| n.saturating_add(1));
            let (open, closed): (Vec<_>, Vec<_>) = intents.into_values().partition(|(_, end)| end.is_none());
            let closed = closed.into_iter().filter(|(_, end)| in_doubt && *end != Some(Outcome::Foreign));
            let mut closed: Vec<RecoveredIntent> = closed.map(|(intent, _)| intent).collect();
            let closed = closed.split_off(closed.len().saturating_sub(REOPENED_MAX));
            let paid = paid.remove(&account).unwrap_or_default();
            let newest = paid.values().map(|payment| payment.at).max().unwrap_or_default();
            let paid = paid.into_values().filter(|payment| newest.since(payment.at) < spend::DAY);
            let mut payments: Vec<Payment> = paid.collect();
            payments.sort_by_key(|payment| payment.at);
            RecoveredAccount {
                account,
                next_nonce,
                open: open.into_iter().map(|(intent, _)| intent).collect(),
                closed,
                payments,
            }
        })
        .collect();
    // What an operator has looked at does not halt again at the next start.
    let anchor = landed.into_iter().filter(|(at, ..)| resumed_at.is_none_or(|resumed| *at > resumed));
    let anchor = anchor.map(|(_, number, hash)| (number, hash)).max_by_key(|(number, _)| *number);
    Recovered { accounts, halts: halts.into_iter().collect(), anchor }
}
