//! One account's transactions, from intent to finality, across reorgs, restarts and lost answers.
//!
//! ```text
//! planned ─sign→ signed ─journal→ sent ⇄ resent / replaced ─receipt canonical→ included ─final→ closed
//!                                  ↑────────────────── orphaned by a reorg ────────┘
//! ```
//!
//! Invariants: an intent owns its nonce for ever (I1, I3); bytes are journalled before they are sent (I2); no answer
//! of a node frees a nonce, only being mined does; inclusion is believed while its block hash is canonical (I4);
//! fees of one nonce rise, stay equal only where that replaces, and never pass the cap (I6). A nonce that a stranger used halts the account.
//! `signing` says which signatures are due, `sending` what answers of nodes mean, `chain` what the chain shows. The
//! outbox builds no calldata and knows no prices; the machine supplies what a transaction says when it is signed.

mod chain;
mod intent;
mod sending;
mod signing;

pub use chain::Seen;
pub use intent::{Draft, Intent, Timing, describe};
pub use sending::Answered;

use crate::event::Event;
use crate::io::{Effect, Ticket};
use crate::record::{Record, RecoveredAccount, Why};
use crate::time::{Mono, Now};
use crate::tx::Work;
use alloy_primitives::Address;
use intent::Tracked;
use std::collections::BTreeMap;

/// A nonce the chain has used that none of our hashes explains, seen once.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    nonce: u64,
    at_number: u64,
}

/// The account could not pay for a transaction.
#[derive(Clone, Copy, Debug)]
struct Shortage {
    /// The lowest nonce that it could not pay for; it is over once something else is said of it, or of one behind it.
    nonce: u64,
    until: Mono,
    failures: u32,
}

/// One account's transactions.
#[derive(Clone, Debug)]
pub struct Outbox {
    account: Address,
    timing: Timing,
    in_flight_max: usize,
    /// The next nonce to give away; `None` until the chain's nonce is known.
    next_nonce: Option<u64>,
    /// What the journal says about it.
    journal_next: Option<u64>,
    open: BTreeMap<u64, Intent>,
    suspicion: Option<Suspicion>,
    halted: bool,
    /// Nobody signs for it any more.
    retired: bool,
    /// An operator acknowledged a halt: strangers' nonces are skipped once.
    forgive: bool,
    shortage: Option<Shortage>,
    looking: Option<(Ticket, Mono)>,
    look: bool,
    /// A look that brought nothing is not repeated before this.
    look_after: Mono,
}

impl Outbox {
    /// An outbox with what the journal knows. Nothing is planned until the chain's nonce has been read.
    pub fn new(
        account: Address,
        recovered: Option<&RecoveredAccount>,
        timing: Timing,
        in_flight_max: usize,
    ) -> Self {
        let mut open = BTreeMap::new();
        for old in recovered.into_iter().flat_map(|r| &r.open) {
            let mut intent = Intent::new(old.nonce, old.work.clone(), Mono::default());
            // Sent only after the chain has been asked, and then from the highest fee.
            intent.attempts = old.attempts.iter().map(|a| Tracked::new(a.clone(), None)).collect();
            intent.sign_failures = 1;
            open.insert(old.nonce, intent);
        }
        Self {
            account,
            timing,
            in_flight_max,
            next_nonce: None,
            journal_next: recovered.map(|r| r.next_nonce),
            open,
            suspicion: None,
            halted: false,
            retired: false,
            forgive: false,
            shortage: None,
            looking: None,
            look: true,
            look_after: Mono::default(),
        }
    }

    /// The same for an account that nobody signs for any more: what it signed is followed, nothing is added.
    pub fn retired(self) -> Self {
        Self { retired: true, ..self }
    }

    /// Stops it: a halt in the journal that nobody has acknowledged.
    pub fn halt(&mut self) {
        self.halted = true;
    }

    /// An operator has looked at the halt: strangers' nonces are skipped once.
    pub fn acknowledge(&mut self) {
        self.forgive = true;
    }

    /// Whether an operator has to act first.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Whether the chain's nonce is known and everything the journal left open was looked up.
    pub fn is_synced(&self) -> bool {
        self.next_nonce.is_some()
    }

    /// The next nonce it gives away, once it is known.
    pub fn next_nonce(&self) -> Option<u64> {
        self.next_nonce
    }

    /// Intents that are not closed, by nonce.
    pub fn open(&self) -> impl Iterator<Item = &Intent> {
        self.open.values()
    }

    /// The open intent of a nonce.
    pub fn intent(&self, nonce: u64) -> Option<&Intent> {
        self.open.get(&nonce)
    }

    /// Whether anything is to be signed or sent, or was and is not yet included.
    pub fn is_busy(&self) -> bool {
        self.waiting().any(|intent| self.can_land(intent))
    }

    /// Whether an intent that is not included can ever be: it is signed, or somebody is there to sign it.
    pub fn can_land(&self, intent: &Intent) -> bool {
        !self.retired || !intent.attempts.is_empty()
    }

    /// Whether `more` further intents may be planned.
    pub fn has_room(&self, more: usize, now: Mono) -> bool {
        self.is_synced()
            && !self.halted
            && !self.is_short(now)
            && self.waiting().count().saturating_add(more) <= self.in_flight_max
    }

    /// Gives the next nonce to `work`, for ever. Why each feed is part of it is written down with it.
    pub fn plan(
        &mut self,
        work: Work,
        why: impl IntoIterator<Item = Why>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<u64> {
        let nonce = self.next_nonce?;
        self.next_nonce = Some(nonce.checked_add(1)?);
        let what = describe(&work);
        let account = self.account;
        let intent = Record::Intent { account, nonce, work: work.clone(), at: now.wall };
        let why = why.into_iter().map(|why| Record::Decided { account, nonce, why });
        out.push(Effect::Persist(std::iter::once(intent).chain(why).collect()));
        out.push(Effect::Report(Event::Planned { account: self.account, nonce, what }));
        self.open.insert(nonce, Intent::new(nonce, work, now.mono));
        Some(nonce)
    }

    /// The chain at this height has the round of a nonce that was not used by then. Returns whether that holds at a
    /// second look, a block later: the first may have mixed two forks.
    pub fn taken_by_others(&mut self, nonce: u64, height: u64) -> bool {
        let Some(intent) = self.open.get_mut(&nonce) else { return false };
        height > *intent.taken_at_number.get_or_insert(height)
    }

    /// The work of a nonce has become pointless: an empty transaction is to take its place. A signature that is
    /// being made for it is not waited for.
    pub fn supersede(&mut self, nonce: u64) {
        if let Some(intent) = self.open.get_mut(&nonce) {
            intent.superseded = true;
            intent.signing = None;
            intent.replace = !intent.attempts.is_empty();
        }
    }

    /// Whether higher nonces wait behind this one.
    pub fn blocks_others(&self, nonce: u64) -> bool {
        self.open.range(nonce.saturating_add(1)..).next().is_some()
    }

    /// Intents that are not included, by nonce.
    fn waiting(&self) -> impl Iterator<Item = &Intent> {
        self.open.values().filter(|i| i.included.is_none())
    }

    /// Whether sending rests because the account cannot pay.
    fn is_short(&self, now: Mono) -> bool {
        self.shortage.is_some_and(|s| now < s.until)
    }

    /// A node took or a block included a transaction, or its fault is another one: it is not short of funds any more.
    fn paid(&mut self, nonce: u64) {
        self.shortage.take_if(|s| nonce >= s.nonce);
    }
}
