//! One account's transactions, from intent to finality, across reorgs, restarts and lost answers.
//!
//! ```text
//! planned ─sign→ signed ─journal→ sent ⇄ resent / replaced ─receipt canonical→ included ─final→ closed
//!                                  ↑────────────────── orphaned by a reorg ────────┘
//! ```
//!
//! Invariants: an intent owns its nonce for ever (I1, I3); bytes are journalled before they are sent (I2); no answer
//! of a node frees a nonce, only being mined does; inclusion is believed while its block hash is canonical (I4);
//! fees of one nonce rise strictly and stay under the cap (I6). A nonce that a stranger used halts the account.
//! The outbox builds no calldata and knows no prices; the machine supplies what a transaction says when it is signed.

mod intent;

pub use intent::{Draft, Intent, Timing, describe};

use crate::event::Event;
use crate::fees::FeePolicy;
use crate::head::{HeadWindow, Standing};
use crate::io::{Effect, Ticket};
use crate::record::{Outcome, Record, RecoveredAccount, Scope};
use crate::time::{Mono, Now, Span};
use crate::tx::{AccountView, Attempt, Fee, FeeHint, Receipt, ReceiptAnswer, SendOutcome, SignFault, Work};
use alloy_primitives::{Address, B256, Bytes};
use intent::{Signing, Tracked, delay};
use std::collections::BTreeMap;

/// A nonce the chain has used that none of our hashes explains, seen once.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    nonce: u64,
    at_number: u64,
}

/// A signature the outbox wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// For this nonce.
    pub nonce: u64,
    /// With this fee.
    pub fee: Fee,
}

/// What a view of the account changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Nonces that are now included.
    pub included: Vec<u64>,
    /// Open nonces of which no attempt is on the chain at the view's height, and which nobody else used.
    pub absent: Vec<u64>,
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
    /// An operator acknowledged a halt: strangers' nonces are skipped once.
    forgive: bool,
    funds_until: Option<Mono>,
    funds_failures: u32,
    looking: Option<(Ticket, Mono)>,
    look: bool,
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
            forgive: false,
            funds_until: None,
            funds_failures: 0,
            looking: None,
            look: true,
        }
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

    /// Whether anything is signed or sent but not yet included.
    pub fn is_busy(&self) -> bool {
        self.open.values().any(|i| i.included.is_none())
    }

    /// Whether another intent may be planned.
    pub fn has_room(&self, now: Mono) -> bool {
        let waiting = self.open.values().filter(|i| i.included.is_none()).count();
        self.is_synced()
            && !self.halted
            && self.funds_until.is_none_or(|until| now >= until)
            && waiting < self.in_flight_max
    }

    /// Gives the next nonce to `work`, for ever.
    pub fn plan(&mut self, work: Work, now: Now, out: &mut Vec<Effect>) -> Option<u64> {
        let nonce = self.next_nonce?;
        self.next_nonce = Some(nonce.checked_add(1)?);
        let what = describe(&work);
        out.push(Effect::Persist(vec![Record::Intent {
            account: self.account,
            nonce,
            work: work.clone(),
            at: now.wall,
        }]));
        out.push(Effect::Report(Event::Planned { account: self.account, nonce, what }));
        self.open.insert(nonce, Intent::new(nonce, work, now.mono));
        Some(nonce)
    }

    /// Signatures that are due. A replacement is wanted for the lowest waiting nonce only: nothing behind it can
    /// land earlier.
    pub fn wanted(
        &mut self,
        now: Now,
        fees: &FeePolicy,
        hint: &FeeHint,
        out: &mut Vec<Effect>,
    ) -> Vec<Wanted> {
        if self.halted || !self.is_synced() {
            return Vec::new();
        }
        let lowest = self.open.values().find(|i| i.included.is_none()).map(|i| i.nonce);
        let account = self.account;
        let mut wanted = Vec::new();
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            if let Some(signing) = &intent.signing {
                if now.mono < signing.deadline {
                    continue;
                }
                // No answer in time; a late one finds no ticket and is dropped.
                intent.signing = None;
                intent.sign_failures += 1;
            }
            if now.mono < intent.sign_after {
                continue;
            }
            let highest = intent.attempts.last().map(|t| t.attempt.fee);
            let offer = match highest {
                None => {
                    let offer = fees.first(hint);
                    report_cap(intent, account, offer.wanted_wei, fees.max_fee_wei, out);
                    Some(offer.fee)
                }
                Some(highest) if intent.replace && Some(intent.nonce) == lowest => {
                    let dead =
                        intent.attempts.last().is_some_and(|t| t.outcome == Some(SendOutcome::Rejected));
                    // Dead bytes need no higher fee to be replaced, because no pool holds them.
                    let fee = fees.replacement(highest, hint).or(dead.then_some(highest));
                    if fee.is_none() {
                        intent.replace = false;
                        intent.heads_waited = 0;
                        let wanted = fees.first(hint).wanted_wei;
                        report_cap(intent, account, wanted, fees.max_fee_wei, out);
                    }
                    fee
                }
                Some(_) => None,
            };
            if let Some(fee) = offer {
                wanted.push(Wanted { nonce: intent.nonce, fee });
            }
        }
        wanted
    }

    /// A wanted signature has been asked for.
    pub fn signing(&mut self, nonce: u64, ticket: Ticket, draft: Draft, now: Now, out: &mut Vec<Effect>) {
        let deadline = now.mono + self.timing.answer_timeout;
        let account = self.account;
        if let Some(intent) = self.open.get_mut(&nonce) {
            if let Some(last) = intent.attempts.last() {
                let (from_wei, to_wei) = (last.attempt.fee.cap_wei(), draft.fee.cap_wei());
                out.push(Effect::Report(Event::Bumped { account, nonce, from_wei, to_wei }));
            }
            intent.silent_since = None;
            intent.signing = Some(Signing { ticket, deadline, draft });
        }
    }

    /// A wanted signature cannot be asked for now, because there is nothing valid to say.
    pub fn postpone(&mut self, nonce: u64, now: Now) {
        let until = now.mono + self.timing.retry;
        if let Some(intent) = self.open.get_mut(&nonce) {
            intent.sign_after = until;
            intent.silent_since.get_or_insert(now.mono);
        }
    }

    /// A signature arrived: journal the attempt, then send it. Returns its nonce and content if it was waited for.
    pub fn signed(
        &mut self,
        ticket: Ticket,
        hash: B256,
        raw: Bytes,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<(u64, Draft)> {
        let account = self.account;
        let intent =
            self.open.values_mut().find(|i| i.signing.as_ref().is_some_and(|s| s.ticket == ticket))?;
        let Signing { draft, .. } = intent.signing.take()?;
        if intent.included.is_some() || raw.is_empty() {
            return None;
        }
        intent.sign_failures = 0;
        intent.replace = false;
        intent.heads_waited = 0;
        if let Some(same) = intent.tracked(hash) {
            // A deterministic signer and an unchanged transaction: the bytes are journalled already.
            same.next_send = Some(now.mono);
            return None;
        }
        let seq = u32::try_from(intent.attempts.len()).unwrap_or(u32::MAX);
        let Draft { fee, gas_limit, answer, observed_at } = draft;
        let attempt = Attempt { seq, hash, raw, fee, gas_limit, answer, observed_at };
        let nonce = intent.nonce;
        out.push(Effect::Persist(vec![Record::Attempt {
            account,
            nonce,
            attempt: attempt.clone(),
            at: now.wall,
        }]));
        out.push(Effect::Report(Event::Signed { account, nonce, seq, hash }));
        for earlier in &mut intent.attempts {
            earlier.next_send = None;
        }
        intent.attempts.push(Tracked::new(attempt, Some(now.mono)));
        Some((nonce, draft))
    }

    /// The signer gave nothing usable. The nonce is kept and asked for again later.
    pub fn sign_failed(
        &mut self,
        ticket: Ticket,
        fault: SignFault,
        detail: String,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let (account, timing) = (self.account, self.timing);
        let waiting = self.open.values_mut().find(|i| i.signing.as_ref().is_some_and(|s| s.ticket == ticket));
        if let Some(intent) = waiting {
            intent.signing = None;
            intent.sign_after = now.mono + delay(intent.sign_failures, &timing);
            intent.sign_failures += 1;
            out.push(Effect::Report(Event::SignFailed { account, nonce: intent.nonce, fault, detail }));
        }
    }

    /// Sends what is due, in nonce order.
    pub fn send_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        let paused = self.funds_until.is_some_and(|until| now.mono < until);
        if self.halted || paused || !self.is_synced() {
            return;
        }
        let account = self.account;
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            for tracked in &mut intent.attempts {
                if tracked.awaiting.is_some_and(|deadline| now.mono < deadline) {
                    continue;
                }
                if tracked.awaiting.take().is_some() {
                    // No answer at all means "maybe sent", like any other answer that says nothing.
                    tracked.outcome = Some(SendOutcome::Ambiguous);
                }
                if tracked.next_send.is_some_and(|at| now.mono >= at) {
                    let hash = tracked.attempt.hash;
                    if tracked.outcome.is_some() {
                        out.push(Effect::Report(Event::Resent { hash }));
                    }
                    tracked.awaiting = Some(now.mono + self.timing.answer_timeout);
                    tracked.next_send = Some(now.mono + self.timing.answer_timeout);
                    out.push(Effect::Broadcast { account, hash, raw: tracked.attempt.raw.clone() });
                }
            }
        }
    }

    /// What the nodes said to a broadcast.
    pub fn sent(
        &mut self,
        hash: B256,
        outcome: SendOutcome,
        detail: String,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let (account, timing) = (self.account, self.timing);
        let Some(nonce) = self.open.values_mut().find_map(|i| i.tracked(hash).is_some().then_some(i.nonce))
        else {
            return;
        };
        let mut resend_lower = false;
        let Some(intent) = self.open.get_mut(&nonce) else { return };
        let highest = intent.attempts.last().is_some_and(|t| t.attempt.hash == hash);
        let Some(tracked) = intent.tracked(hash) else { return };
        tracked.awaiting = None;
        let changed = tracked.outcome != Some(outcome);
        tracked.outcome = Some(outcome);
        let wait = |tracked: &mut Tracked| {
            let span = delay(tracked.failures, &timing);
            tracked.failures += 1;
            now.mono + span
        };
        tracked.next_send = Some(match outcome {
            SendOutcome::Accepted | SendOutcome::Known => {
                tracked.taken_at.get_or_insert(now.mono);
                tracked.failures = 0;
                self.funds_until = None;
                self.funds_failures = 0;
                now.mono + timing.resend
            }
            SendOutcome::NonceUsed => {
                self.look = true;
                now.mono + timing.resend
            }
            SendOutcome::ReplacementUnderpriced | SendOutcome::FeeTooLow => wait(tracked),
            SendOutcome::Ambiguous
            | SendOutcome::NodeUnready
            | SendOutcome::PoolFull
            | SendOutcome::FeeCap
            | SendOutcome::Rejected => wait(tracked),
            SendOutcome::NonceGap => {
                resend_lower = true;
                wait(tracked)
            }
            SendOutcome::Forbidden => now.mono + Span::from_s(60),
            SendOutcome::Funds => {
                let pause = delay(self.funds_failures, &timing);
                if self.funds_failures == 0 {
                    out.push(Effect::Report(Event::OutOfFunds { account }));
                }
                self.funds_failures += 1;
                self.funds_until = Some(now.mono + pause);
                now.mono + pause
            }
        });
        if !highest && tracked.outcome != Some(SendOutcome::Ambiguous) {
            // Only the highest attempt is sent again by the clock.
            tracked.next_send = None;
        }
        match outcome {
            // Our own lower attempt, or the pool's floor, wants a higher fee.
            SendOutcome::ReplacementUnderpriced | SendOutcome::FeeTooLow if highest => intent.replace = true,
            // These bytes are dead: sign the same nonce anew, with whatever has changed meanwhile.
            SendOutcome::Rejected if highest => {
                intent.replace = true;
                intent.sign_after = now.mono + delay(intent.sign_failures, &timing);
                intent.sign_failures += 1;
            }
            _ => {}
        }
        if resend_lower {
            for lower in self.open.range_mut(..nonce).map(|(_, i)| i).filter(|i| i.included.is_none()) {
                if let Some(last) = lower.attempts.last_mut() {
                    last.next_send = Some(now.mono);
                }
            }
        }
        if changed {
            out.push(Effect::Persist(vec![Record::Sent { hash, outcome, at: now.wall }]));
            out.push(Effect::Report(Event::Sent { hash, outcome, detail }));
        }
    }

    /// A new head: whatever waits has waited one head longer and is looked up.
    pub fn new_head(&mut self) {
        self.look = true;
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            if intent.attempts.last().is_some_and(|t| t.taken_at.is_some()) {
                intent.heads_waited += 1;
                if intent.heads_waited >= self.timing.bump_heads {
                    intent.replace = true;
                    intent.heads_waited = 0;
                }
            }
        }
    }

    /// What to look up now, if anything: every hash of every nonce that is not included.
    pub fn look_due(&mut self, now: Mono) -> Option<Vec<B256>> {
        if self.looking.is_some_and(|(_, deadline)| now < deadline) {
            return None;
        }
        let sent = self.open.values().any(|i| i.included.is_none() && !i.attempts.is_empty());
        let needed = !self.is_synced() || sent || self.suspicion.is_some();
        if !(self.look && needed) && self.looking.is_none() {
            return None;
        }
        let waiting = self.open.values().filter(|i| i.included.is_none());
        Some(waiting.flat_map(|i| i.attempts.iter().map(|t| t.attempt.hash)).collect())
    }

    /// A look has been asked for.
    pub fn looking(&mut self, ticket: Ticket, now: Mono) {
        self.look = false;
        self.looking = Some((ticket, now + self.timing.answer_timeout));
    }

    /// The chain's view of this account. Believes a receipt only in a canonical block.
    pub fn view(
        &mut self,
        ticket: Ticket,
        view: Option<&AccountView>,
        window: &HeadWindow,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Seen {
        let mut seen = Seen::default();
        if self.looking.is_none_or(|(asked, _)| asked != ticket) {
            return seen;
        }
        self.looking = None;
        let Some(view) = view else {
            self.look = true;
            return seen;
        };
        let mut unclear = false;
        let mut unexplained = None;
        let account = self.account;
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            let answers: Vec<ReceiptAnswer> = intent
                .attempts
                .iter()
                .map(|t| {
                    let answer = view.receipts.iter().find(|(hash, _)| *hash == t.attempt.hash);
                    answer.map_or(ReceiptAnswer::Unknown, |(_, answer)| *answer)
                })
                .collect();
            let landed = answers.iter().find_map(|answer| match answer {
                ReceiptAnswer::Found(receipt) => {
                    match window.standing(receipt.block_number, receipt.block_hash) {
                        Standing::Canonical | Standing::Below => Some(*receipt),
                        Standing::Orphaned | Standing::Ahead => None,
                    }
                }
                _ => None,
            });
            if let Some(receipt) = landed {
                intent.included = Some(receipt);
                intent.signing = None;
                intent.heads_waited = 0;
                seen.included.push(intent.nonce);
                out.push(Effect::Persist(vec![Record::Included { account, nonce: intent.nonce, receipt }]));
            } else if !answers.iter().all(|a| *a == ReceiptAnswer::Absent) {
                unclear = true;
            } else if view.mined_nonce > intent.nonce {
                unexplained = unexplained.or(Some(intent.nonce));
            } else {
                seen.absent.push(intent.nonce);
            }
        }
        self.look |= unclear;
        if self.next_nonce.is_none() && !unclear {
            self.synchronise(view, now, out);
        } else if let Some(nonce) = unexplained {
            self.suspect(nonce, view, now, out);
        } else if let Some(next) = self.next_nonce.filter(|next| view.mined_nonce > *next) {
            self.suspect(next, view, now, out);
        } else {
            self.suspicion = None;
        }
        seen
    }

    /// First look: the journal's and the chain's nonces must tell one story.
    fn synchronise(&mut self, view: &AccountView, now: Now, out: &mut Vec<Effect>) {
        let next = self.journal_next.unwrap_or(view.mined_nonce);
        let stranger = self
            .open
            .values()
            .find(|i| i.included.is_none() && i.nonce < view.mined_nonce)
            .map(|i| i.nonce)
            .or((view.mined_nonce > next).then_some(next));
        match stranger {
            Some(_) if self.forgive => self.forgive_strangers(view, now, out),
            Some(nonce) => return self.suspect(nonce, view, now, out),
            None => {}
        }
        self.forgive = false;
        self.suspicion = None;
        self.next_nonce = Some(next.max(view.mined_nonce));
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            if let Some(last) = intent.attempts.last_mut() {
                last.next_send = Some(now.mono);
            }
        }
    }

    /// An operator has looked at them: nonces that strangers used are given up.
    fn forgive_strangers(&mut self, view: &AccountView, now: Now, out: &mut Vec<Effect>) {
        let account = self.account;
        let lost: Vec<u64> = self
            .open
            .values()
            .filter(|i| i.included.is_none() && i.nonce < view.mined_nonce)
            .map(|i| i.nonce)
            .collect();
        for nonce in lost {
            self.open.remove(&nonce);
            let outcome = Outcome::Foreign;
            out.push(Effect::Persist(vec![Record::Closed { account, nonce, outcome, at: now.wall }]));
        }
    }

    /// A used nonce that none of our hashes explains: believed at the second look, a block later.
    fn suspect(&mut self, nonce: u64, view: &AccountView, now: Now, out: &mut Vec<Effect>) {
        self.look = true;
        match self.suspicion {
            Some(old) if old.nonce == nonce && view.at_number > old.at_number => {
                if !self.halted {
                    self.halted = true;
                    let (account, mined_nonce) = (self.account, view.mined_nonce);
                    let reason =
                        format!("nonce {nonce} was used by a transaction that is not in the journal");
                    let scope = Scope::Account(account);
                    let halt = Record::Halted { scope: scope.clone(), reason: reason.clone(), at: now.wall };
                    out.push(Effect::Persist(vec![halt]));
                    out.push(Effect::Report(Event::ForeignNonce { account, nonce, mined_nonce }));
                    out.push(Effect::Report(Event::Halted { scope, reason }));
                }
            }
            Some(old) if old.nonce == nonce => {}
            _ => self.suspicion = Some(Suspicion { nonce, at_number: view.at_number }),
        }
    }

    /// The chain left every block above `ancestor`: what they included is on its way again, same bytes first.
    pub fn reorged(&mut self, ancestor: u64, now: Now, out: &mut Vec<Effect>) -> Vec<(u64, Receipt)> {
        let account = self.account;
        let mut orphaned = Vec::new();
        for intent in self.open.values_mut() {
            let Some(receipt) = intent.included.filter(|r| r.block_number > ancestor) else { continue };
            intent.included = None;
            intent.heads_waited = 0;
            intent.replace = false;
            if let Some(tracked) = intent.tracked(receipt.hash) {
                tracked.next_send = Some(now.mono);
            }
            let nonce = intent.nonce;
            orphaned.push((nonce, receipt));
            out.push(Effect::Persist(vec![Record::Orphaned { account, nonce }]));
        }
        self.look = true;
        self.suspicion = None;
        orphaned
    }

    /// Closes what is included at or below the final height.
    pub fn finalise(
        &mut self,
        height: u64,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Vec<(Intent, Receipt, Outcome)> {
        let account = self.account;
        let done: Vec<u64> = self
            .open
            .values()
            .filter(|i| i.included.is_some_and(|r| r.block_number <= height))
            .map(|i| i.nonce)
            .collect();
        let mut closed = Vec::new();
        for nonce in done {
            let Some(intent) = self.open.remove(&nonce) else { continue };
            let Some(receipt) = intent.included else { continue };
            let outcome = intent.outcome(&receipt);
            out.push(Effect::Persist(vec![Record::Closed { account, nonce, outcome, at: now.wall }]));
            closed.push((intent, receipt, outcome));
        }
        closed
    }

    /// The work of a nonce has become pointless: an empty transaction is to take its place.
    pub fn supersede(&mut self, nonce: u64) {
        if let Some(intent) = self.open.get_mut(&nonce) {
            intent.superseded = true;
            intent.replace = !intent.attempts.is_empty();
        }
    }

    /// Whether higher nonces wait behind this one.
    pub fn blocks_others(&self, nonce: u64) -> bool {
        self.open.range(nonce.saturating_add(1)..).next().is_some()
    }
}

fn report_cap(
    intent: &mut Intent,
    account: Address,
    wanted: Option<u128>,
    cap_wei: u128,
    out: &mut Vec<Effect>,
) {
    if let (Some(wanted_wei), false) = (wanted, intent.cap_reported) {
        intent.cap_reported = true;
        out.push(Effect::Report(Event::FeeCapReached { account, nonce: intent.nonce, wanted_wei, cap_wei }));
    }
}
