//! What the chain shows of an account: what landed, what left again, what strangers did, what is final.

use super::{Intent, Outbox, Suspicion};
use crate::event::Event;
use crate::head::HeadWindow;
use crate::io::{Effect, Ticket};
use crate::record::{Outcome, Record, Scope};
use crate::time::{Mono, Now};
use crate::tx::{AccountView, Receipt, ReceiptAnswer};
use alloy_primitives::B256;

/// What a view of the account changed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Nonces that are now included.
    pub included: Vec<u64>,
    /// Open nonces of which no attempt is on the chain at the view's height, and which nobody else used.
    pub absent: Vec<u64>,
    /// Intents whose nonces strangers used, given up because an operator has looked at them.
    pub foreign: Vec<Intent>,
}

/// What receipts say about one intent.
enum Fate {
    Landed(Receipt),
    /// No attempt of ours has a receipt.
    Absent,
    /// A node could not say, or spoke of a block that is not canonical here.
    Unclear,
}

impl Outbox {
    /// What to look up now, if anything: every hash of every nonce that is not included.
    pub fn look_due(&mut self, now: Mono) -> Option<Vec<B256>> {
        let overdue = match self.looking {
            Some((_, deadline)) if now < deadline => return None,
            looking => looking.is_some(),
        };
        let sent = self.waiting().any(|i| !i.attempts.is_empty());
        let needed = !self.is_synced() || sent || self.suspicion.is_some();
        let due = self.look && needed && now >= self.look_after;
        (due || overdue)
            .then(|| self.waiting().flat_map(|i| i.attempts.iter().map(|t| t.attempt.hash)).collect())
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
        if self.looking.take_if(|(asked, _)| *asked == ticket).is_none() {
            return seen;
        }
        let Some(view) = view else {
            self.look_again(now);
            return seen;
        };
        let (account, mut unclear, mut unexplained) = (self.account, false, None);
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            match intent.fate(view, window) {
                Fate::Landed(receipt) => {
                    intent.included = Some(receipt);
                    intent.signing = None;
                    intent.heads_waited = 0;
                    let nonce = intent.nonce;
                    seen.included.push(nonce);
                    out.push(Effect::Persist(vec![Record::Included { account, nonce, receipt }]));
                }
                Fate::Unclear => unclear = true,
                Fate::Absent if view.mined_nonce > intent.nonce => {
                    unexplained = unexplained.or(Some(intent.nonce));
                }
                Fate::Absent => seen.absent.push(intent.nonce),
            }
        }
        seen.included.iter().for_each(|nonce| self.paid(*nonce));
        if unclear {
            self.look_again(now);
        }
        match self.next_nonce {
            None if unclear => {}
            None => seen.foreign = self.synchronise(view, now, out),
            Some(next) => match unexplained.or((view.mined_nonce > next).then_some(next)) {
                Some(nonce) => self.suspect(nonce, view, now, out),
                None => self.suspicion = None,
            },
        }
        seen
    }

    /// Looks again without waiting for a head, but not as fast as a failing node can fail.
    fn look_again(&mut self, now: Now) {
        self.look = true;
        self.look_after = now.mono + self.timing.retry;
    }

    /// First look: the journal's and the chain's nonces must tell one story. Returns what is given up.
    fn synchronise(&mut self, view: &AccountView, now: Now, out: &mut Vec<Effect>) -> Vec<Intent> {
        let next = self.journal_next.unwrap_or(view.mined_nonce);
        let lost: Vec<u64> = self.waiting().filter(|i| i.nonce < view.mined_nonce).map(|i| i.nonce).collect();
        let stranger = lost.first().copied().or((view.mined_nonce > next).then_some(next));
        if let Some(nonce) = stranger.filter(|_| !self.forgive) {
            self.suspect(nonce, view, now, out);
            return Vec::new();
        }
        // An operator has looked at nonces that strangers used: they are given up.
        let (account, outcome, at) = (self.account, Outcome::Foreign, now.wall);
        let closed: Vec<Intent> = lost.iter().filter_map(|nonce| self.open.remove(nonce)).collect();
        out.extend(
            lost.iter()
                .map(|nonce| Effect::Persist(vec![Record::Closed { account, nonce: *nonce, outcome, at }])),
        );
        self.forgive = false;
        self.suspicion = None;
        self.next_nonce = Some(next.max(view.mined_nonce));
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            if let Some(last) = intent.attempts.last_mut() {
                last.next_send = Some(now.mono);
            }
        }
        closed
    }

    /// A used nonce that none of our hashes explains: believed at the second look, a block later.
    fn suspect(&mut self, nonce: u64, view: &AccountView, now: Now, out: &mut Vec<Effect>) {
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

    /// The chain left every block above `ancestor`: what they included is on its way again, as
    /// the same bytes unless these have grown too old.
    pub fn reorged(&mut self, ancestor: u64, now: Now, out: &mut Vec<Effect>) -> Vec<(u64, Receipt)> {
        let account = self.account;
        let mut orphaned = Vec::new();
        for intent in self.open.values_mut() {
            intent.taken_at_number = None;
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
}

impl Intent {
    /// What became of it, by the receipts of all its attempts: a reorg may have mined any of them.
    fn fate(&self, view: &AccountView, window: &HeadWindow) -> Fate {
        let mut fate = Fate::Absent;
        for tracked in &self.attempts {
            let answer = view.receipts.iter().find(|(hash, _)| *hash == tracked.attempt.hash);
            match answer.map(|(_, answer)| *answer) {
                Some(ReceiptAnswer::Found(receipt)) if window.believes(&receipt) => {
                    return Fate::Landed(receipt);
                }
                Some(ReceiptAnswer::Absent) => {}
                Some(ReceiptAnswer::Found(_) | ReceiptAnswer::Unknown) | None => fate = Fate::Unclear,
            }
        }
        fate
    }
}
