//! One nonce: its work, its attempts, and the delays between tries.

use crate::io::Ticket;
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::Outcome;
use crate::spend::{cost_wei, paid_wei};
use crate::time::{Mono, Span};
use crate::tx::{Attempt, Entry, Fee, FeeMinimum, Receipt, SendOutcome, Work};
use alloy_primitives::B256;
use backon::BackoffBuilder;

/// How long things may take, and how often they are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// An unanswered question is asked again after this.
    pub answer_timeout: Span,
    /// First delay after a failure; doubles up to `retry_max`.
    pub retry: Span,
    /// Longest delay after failures.
    pub retry_max: Span,
    /// Accepted but not included: the same bytes go out again after this.
    pub resend: Span,
    /// Accepted but not included in this many heads: replaced with a higher fee.
    pub bump_heads: u32,
}

/// The delay after `failures` failures in a row: exponential, without jitter, because one account is one client.
pub(super) fn delay(failures: u32, timing: &Timing) -> Span {
    let mut delays = backon::ExponentialBuilder::default()
        .with_min_delay(timing.retry.into())
        .with_max_delay(timing.retry_max.into())
        .without_max_times()
        .build();
    delays.nth(usize::try_from(failures.min(16)).unwrap_or(16)).map_or(timing.retry_max, Span::from)
}

/// A signed attempt and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) attempt: Attempt,
    /// When a node first took it.
    pub(super) taken_at: Option<Mono>,
    pub(super) outcome: Option<SendOutcome>,
    /// An answer to a broadcast is awaited until then.
    pub(super) awaiting: Option<Mono>,
    /// When to send it (again); `None`: only if it is asked for.
    pub(super) next_send: Option<Mono>,
    pub(super) failures: u32,
}

impl Tracked {
    pub(super) fn new(attempt: Attempt, next_send: Option<Mono>) -> Self {
        Self { attempt, taken_at: None, outcome: None, awaiting: None, next_send, failures: 0 }
    }
}

/// What is being signed.
#[derive(Clone, Debug)]
pub(super) struct Signing {
    pub(super) ticket: Ticket,
    pub(super) deadline: Mono,
    pub(super) draft: Draft,
}

/// The content of an attempt that is being signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Fee fields.
    pub fee: Fee,
    /// Gas limit.
    pub gas_limit: u64,
    /// What it says: one entry for a round, some for a batch, none for a step or a no-op.
    pub entries: Vec<Entry>,
}

/// One nonce and its work.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The nonce.
    pub nonce: u64,
    /// What it is for.
    pub work: Work,
    /// Its work has become pointless: the next attempt is empty.
    pub superseded: bool,
    /// Where it landed, while that is canonical.
    pub included: Option<Receipt>,
    pub(super) attempts: Vec<Tracked>,
    pub(super) signing: Option<Signing>,
    pub(super) sign_after: Mono,
    pub(super) sign_failures: u32,
    pub(super) replace: bool,
    /// Its highest attempt grew old before any node took it.
    pub(super) renew: bool,
    /// Whether there was a new head since it was last signed.
    pub(super) heard: bool,
    pub(super) heads_waited: u32,
    /// Answers in a row that asked for a higher fee.
    pub(super) underpriced: u32,
    /// The fee that a node named in its last answer to the highest attempt.
    pub(super) minimum: Option<FeeMinimum>,
    /// Attempts that can never be included.
    pub(super) rejections: u32,
    /// The height at which its round was first seen to be somebody else's.
    pub(super) taken_at_number: Option<u64>,
    pub(super) cap_reported: bool,
    /// Since when there has been nothing valid to say for it.
    pub(super) silent_since: Option<Mono>,
}

impl Intent {
    pub(super) fn new(nonce: u64, work: Work, now: Mono) -> Self {
        Self {
            nonce,
            work,
            superseded: false,
            included: None,
            attempts: Vec::new(),
            signing: None,
            sign_after: now,
            sign_failures: 0,
            replace: false,
            renew: false,
            heard: false,
            heads_waited: 0,
            underpriced: 0,
            minimum: None,
            rejections: 0,
            taken_at_number: None,
            cap_reported: false,
            silent_since: None,
        }
    }

    /// The attempts, oldest first.
    pub fn attempts(&self) -> impl ExactSizeIterator<Item = &Attempt> + DoubleEndedIterator {
        self.attempts.iter().map(|t| &t.attempt)
    }

    /// Whether it says what it was planned to say. It is looked at afresh once it was signed, signing failed, or there
    /// was nothing valid to say.
    pub fn is_fresh(&self) -> bool {
        self.attempts.is_empty() && self.sign_failures == 0 && self.silent_since.is_none()
    }

    /// For how long there has been nothing valid to say for it.
    pub fn silent_for(&self, now: Mono) -> Span {
        self.silent_since.map_or(Span::ZERO, |since| now.since(since))
    }

    /// Whether nodes refused everything that was signed for it.
    pub fn was_rejected(&self) -> bool {
        self.rejections > 0
    }

    /// The answer that was signed last for one of its feeds.
    pub fn last_answer(&self, feed: &FeedId) -> Option<Answer> {
        self.attempts().rev().find_map(|a| a.answer_of(feed))
    }

    /// Whether its contract has to wait for it: it has neither landed, nor can it, since the contract's canonical
    /// round or sequence `known` has passed it. Reverted or filled with nothing, it may still land in a reorg until
    /// that is final.
    pub fn occupies(&self, known: Option<u64>) -> bool {
        let Some((_, number)) = self.work.target() else { return false };
        let landed = self.included.is_some_and(|r| r.success)
            && self.landed().is_some_and(|attempt| !attempt.is_silent());
        let passed = self.included.is_some() && known.is_some_and(|known| known >= number);
        !landed && !passed
    }

    /// Every way in which it may be paid for: what that costs, in wei, and the feeds that are carried. What is included
    /// has one, and what nothing is signed for yet has none. What is not included pays `data_fee_wei` beside its gas.
    pub fn costs(&self, data_fee_wei: u128) -> Vec<(u128, Vec<&FeedId>)> {
        if let Some(receipt) = &self.included {
            let feeds = self.landed().into_iter().flat_map(|attempt| attempt.feeds(&self.work));
            return vec![(paid_wei(receipt), feeds.collect())];
        }
        let worst = |gas_limit, fee: Fee| cost_wei(gas_limit, fee.cap_wei()).saturating_add(data_fee_wei);
        let signed = self.attempts().map(|a| (worst(a.gas_limit, a.fee), a.feeds(&self.work).collect()));
        let signing = self.signing.iter().map(|Signing { draft, .. }| {
            (worst(draft.gas_limit, draft.fee), draft.entries.iter().map(|entry| &entry.feed).collect())
        });
        signed.chain(signing).collect()
    }

    pub(super) fn tracked(&mut self, hash: B256) -> Option<&mut Tracked> {
        self.attempts.iter_mut().find(|t| t.attempt.hash == hash)
    }

    /// The attempt that landed.
    pub fn landed(&self) -> Option<&Attempt> {
        let receipt = self.included?;
        self.attempts().find(|a| a.hash == receipt.hash)
    }

    /// How it would end with `receipt`.
    pub(super) fn outcome(&self, receipt: &Receipt) -> Outcome {
        let empty =
            self.work.target().is_some() && self.attempts().any(|a| a.hash == receipt.hash && a.is_silent());
        match (empty, receipt.success) {
            (true, _) => Outcome::NoopFilled,
            (false, true) => Outcome::Final,
            (false, false) => Outcome::Reverted,
        }
    }
}

/// A piece of work in a few words.
pub fn describe(work: &Work) -> String {
    match work {
        Work::Round { feed, round, .. } => format!("{feed} round {round}"),
        Work::Batch { store, sequence } => format!("store {store} sequence {sequence}"),
        Work::Step { name, .. } => name.clone(),
    }
}
