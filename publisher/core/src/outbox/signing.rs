//! Which signatures are due, and what becomes of them.

use super::intent::{Signing, Tracked, delay};
use super::{Draft, Intent, Outbox};
use crate::event::Event;
use crate::fees::{FeePolicy, Refusal};
use crate::io::{Effect, Ticket};
use crate::record::Record;
use crate::time::{Mono, Now, Span};
use crate::tx::{Attempt, Fee, FeeHint, FeeMinimum, SendOutcome, SignFault, Work};
use alloy_primitives::{Address, B256, Bytes};

/// A nonce has at most so many attempts that offer the same: enough to see a chain through an hour of full blocks.
pub(super) const REFRESHES_MAX: usize = 64;

impl Outbox {
    /// Nonces for which a signature is due. A replacement is wanted for the lowest waiting nonce only, because nothing
    /// behind it can land earlier, and none while the account cannot even pay for what there is.
    pub fn signatures_due(&mut self, now: Now, out: &mut Vec<Effect>) -> Vec<u64> {
        if self.halted || self.retired || !self.is_synced() {
            return Vec::new();
        }
        let (account, short) = (self.account, self.shortage.is_some());
        let lowest = self.waiting().next().map(|i| i.nonce);
        let mut due = Vec::new();
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            if intent.is_being_signed(account, now, out) || now.mono < intent.sign_after {
                continue;
            }
            let replaced = (intent.renew || intent.replace && !short) && Some(intent.nonce) == lowest;
            if intent.attempts.is_empty() || replaced {
                due.push(intent.nonce);
            }
        }
        due
    }

    /// The fee of a signature that is due, within this policy. Where the market wants more, the offer waits at the
    /// policy's cap; beyond `budget_wei` for a unit of gas there is none.
    pub fn offer(
        &mut self,
        nonce: u64,
        fees: &FeePolicy,
        hint: &FeeHint,
        budget_wei: u128,
        out: &mut Vec<Effect>,
    ) -> Option<Fee> {
        let account = self.account;
        let intent = self.open.get_mut(&nonce)?;
        match intent.attempts.last().map(|t| t.attempt.fee) {
            None => {
                let offer = fees.first(hint);
                report_cap(intent, account, offer.wanted_wei, fees.max_fee_wei, out);
                Some(offer.fee).filter(|fee| fee.cap_wei() <= budget_wei)
            }
            Some(highest) => {
                let fees = FeePolicy { max_fee_wei: fees.max_fee_wei.min(budget_wei), ..*fees };
                replacement(intent, account, highest, &fees, hint, out)
            }
        }
    }

    /// No fee may be offered for a nonce. One of which nothing is signed, and behind which others wait, is filled with
    /// an empty transaction after `patience`; a signed one waits at what it has offered.
    pub fn cannot_pay(&mut self, nonce: u64, until: Mono, patience: Span, now: Now) {
        if self.open.get(&nonce).is_some_and(|intent| intent.attempts.is_empty()) {
            self.postpone(nonce, until, now);
            let silent = self.open.get(&nonce).is_some_and(|i| i.silent_for(now.mono) >= patience);
            if silent && self.blocks_others(nonce) {
                self.supersede(nonce);
            }
        }
    }

    /// A wanted signature has been asked for.
    pub fn signing(&mut self, nonce: u64, ticket: Ticket, draft: Draft, now: Now, out: &mut Vec<Effect>) {
        let deadline = now.mono + self.timing.answer_timeout;
        let account = self.account;
        if let Some(intent) = self.open.get_mut(&nonce) {
            if let Some(last) = intent.attempts.last()
                && draft.fee.cap_wei() > last.attempt.fee.cap_wei()
            {
                let (from_wei, to_wei) = (last.attempt.fee.cap_wei(), draft.fee.cap_wei());
                out.push(Effect::Report(Event::Bumped { account, nonce, from_wei, to_wei }));
            }
            intent.silent_since = None;
            intent.signing = Some(Signing { ticket, deadline, draft });
        }
    }

    /// A wanted signature cannot be asked for before `until`, because there is nothing valid to say.
    pub fn postpone(&mut self, nonce: u64, until: Mono, now: Now) {
        if let Some(intent) = self.open.get_mut(&nonce) {
            intent.sign_after = until;
            intent.silent_since.get_or_insert(now.mono);
        }
    }

    /// What a wanted signature was waiting for has come.
    pub fn hasten(&mut self, nonce: u64, now: Now) {
        if let Some(intent) = self.open.get_mut(&nonce) {
            intent.sign_after = now.mono;
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
        if raw.is_empty() {
            self.sign_failed(ticket, SignFault::BadAnswer, "no bytes".to_owned(), now, out);
            return None;
        }
        let intent = self.open.values_mut().find(|i| i.is_waiting_for(ticket, now.mono))?;
        let Signing { draft, .. } = intent.signing.take()?;
        intent.sign_failures = 0;
        intent.replace = false;
        intent.renew = false;
        intent.heard = false;
        intent.heads_waited = 0;
        if let Some(same) = intent.tracked(hash) {
            // A deterministic signer and an unchanged transaction: the bytes are journalled already.
            same.next_send = Some(now.mono);
            return None;
        }
        let seq = u32::try_from(intent.attempts.len()).unwrap_or(u32::MAX);
        let attempt = draft.attempt(seq, hash, raw, &intent.work);
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
        if let Some(intent) = self.open.values_mut().find(|i| i.is_waiting_for(ticket, now.mono)) {
            intent.signing = None;
            intent.sign_after = now.mono + delay(intent.sign_failures, &timing);
            intent.sign_failures = intent.sign_failures.saturating_add(1);
            out.push(Effect::Report(Event::SignFailed { account, nonce: intent.nonce, fault, detail }));
        }
    }
}

impl Draft {
    /// The signed transaction: a round's one answer stands by itself, a batch says which feed each is for.
    fn attempt(&self, seq: u32, hash: B256, raw: Bytes, work: &Work) -> Attempt {
        let Self { fee, gas_limit, entries } = self;
        let batch = matches!(work, Work::Batch { .. });
        let only = entries.first().filter(|_| !batch);
        Attempt {
            seq,
            hash,
            raw,
            fee: *fee,
            gas_limit: *gas_limit,
            answer: only.map(|entry| entry.answer),
            observed_at: only.map(|entry| entry.observed_at),
            entries: if batch { entries.clone() } else { Vec::new() },
        }
    }
}

impl Intent {
    /// Whether this signature is still of use. A process that was suspended finds an answer and the end of its time
    /// together, and what it says has grown old meanwhile.
    fn is_waiting_for(&self, ticket: Ticket, now: Mono) -> bool {
        let in_time = |s: &Signing| s.ticket == ticket && now < s.deadline;
        self.included.is_none() && self.signing.as_ref().is_some_and(in_time)
    }

    /// Whether a signature is on its way. One that does not come in time is given up: a late one finds no ticket and
    /// is dropped.
    fn is_being_signed(&mut self, account: Address, now: Now, out: &mut Vec<Effect>) -> bool {
        match &self.signing {
            Some(signing) if now.mono < signing.deadline => true,
            Some(_) => {
                self.signing = None;
                self.sign_failures = self.sign_failures.saturating_add(1);
                let (fault, detail) = (SignFault::Timeout, "no answer in time".to_owned());
                out.push(Effect::Report(Event::SignFailed { account, nonce: self.nonce, fault, detail }));
                false
            }
            None => false,
        }
    }
}

/// The fee that replaces an intent's highest attempt, if one may be offered.
fn replacement(
    intent: &mut Intent,
    account: Address,
    highest: Fee,
    fees: &FeePolicy,
    hint: &FeeHint,
    out: &mut Vec<Effect>,
) -> Option<Fee> {
    let said = intent.attempts.last().and_then(|t| t.outcome);
    // Dead bytes need no higher fee to be replaced, because no pool holds them; nor do those that no pool ever took.
    let free = said == Some(SendOutcome::Rejected) || intent.renew;
    if intent.renew && !intent.replace && said.is_some() {
        return Some(fees.anew(highest, hint));
    }
    let is_underpriced = said == Some(SendOutcome::ReplacementUnderpriced);
    let refusal = Refusal { is_underpriced, minimum: intent.minimum };
    // An equal fee costs nothing, so that nothing else would bound how often one nonce is signed anew.
    let worn = |fee: &Fee| *fee == highest && intent.attempts.len() >= REFRESHES_MAX;
    let fee = fees.replacement(highest, hint, refusal).filter(|fee| !worn(fee));
    let fee = fee.or(free.then_some(highest));
    if fee.is_none() {
        intent.replace = false;
        intent.heads_waited = 0;
        let wanted = fees.first(hint).wanted_wei;
        report_cap(intent, account, wanted, fees.max_fee_wei, out);
        if said == Some(SendOutcome::FeeTooLow) && !intent.cap_reported {
            intent.cap_reported = true;
            let (nonce, minimum_wei) = (intent.nonce, intent.minimum.map(FeeMinimum::wei));
            let offered_wei = highest.cap_wei();
            out.push(Effect::Report(Event::PriceRefused { account, nonce, offered_wei, minimum_wei }));
        }
    }
    fee
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
