//! What is sent, when it is sent again, and what the answers of nodes mean. None of them frees a nonce.

use super::intent::{Intent, Tracked, delay};
use super::signing::REFRESHES_MAX;
use super::{Outbox, Shortage};
use crate::event::Event;
use crate::io::Effect;
use crate::record::Record;
use crate::time::{Mono, Now, Span};
use crate::tx::{Attempt, FeeMinimum, SendOutcome, Work};
use alloy_primitives::B256;

/// What only an operator can change is tried again this often.
const SLOW: Span = Span::from_s(60);
/// After this many rejected attempts a round or batch is given up and its nonce filled with an empty transaction.
const REJECTIONS_MAX: u32 = 3;

/// A new head may hold it already, which is known a moment later; the head after that tells that it does not.
const HURRY_HEADS: u32 = 2;

/// What the nodes said to a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What it means.
    pub outcome: SendOutcome,
    /// The fee that would have been enough, where a node names one.
    pub minimum: Option<FeeMinimum>,
    /// For people.
    pub detail: String,
}

impl Outbox {
    /// Sends what is due, in nonce order. What no pool is known to hold and `is_old` by now is not sent: it would put
    /// yesterday's price on the chain after a long stop. Its nonce is signed anew instead.
    pub fn send_due(&mut self, now: Now, is_old: impl Fn(&Work, &Attempt) -> bool, out: &mut Vec<Effect>) {
        if self.halted || self.is_short(now.mono) || !self.is_synced() {
            return;
        }
        let (account, retry) = (self.account, self.timing.retry);
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            let renewable = !self.retired && intent.attempts.len() < REFRESHES_MAX;
            let heard = intent.heard;
            let highest = intent.attempts.last().map(|t| t.attempt.hash);
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
                    let untaken = tracked.taken_at.is_none() && renewable;
                    if untaken && is_old(&intent.work, &tracked.attempt) {
                        // While no node is heard of, one signature after the other would grow old like this one.
                        intent.renew |= highest == Some(hash) && (heard || tracked.outcome.is_none());
                        tracked.next_send = (highest == Some(hash)).then_some(now.mono + retry);
                        continue;
                    }
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
    pub fn sent(&mut self, hash: B256, answered: Answered, now: Now, out: &mut Vec<Effect>) {
        let Answered { outcome, minimum, detail } = answered;
        let Some(nonce) = self.open.values_mut().find_map(|i| i.tracked(hash).is_some().then_some(i.nonce))
        else {
            return;
        };
        let next_send = self.next_send(nonce, hash, outcome, now, out);
        let Some(intent) = self.open.get_mut(&nonce) else { return };
        let highest = intent.attempts.last().is_some_and(|t| t.attempt.hash == hash);
        let Some(tracked) = intent.tracked(hash) else { return };
        let changed = tracked.outcome != Some(outcome);
        tracked.awaiting = None;
        tracked.outcome = Some(outcome);
        // Only the highest attempt is sent again by the clock, and one of which nothing is known.
        tracked.next_send = (highest || outcome == SendOutcome::Ambiguous).then_some(next_send);
        if highest {
            intent.minimum = minimum;
            intent.answered(outcome, changed, now, &self.timing);
        }
        if outcome == SendOutcome::NonceGap {
            for lower in self.open.range_mut(..nonce).map(|(_, i)| i).filter(|i| i.included.is_none()) {
                if let Some(last) = lower.attempts.last_mut() {
                    last.next_send = Some(now.mono);
                }
            }
        }
        if changed {
            out.push(Effect::Persist(vec![Record::Sent {
                account: self.account,
                hash,
                outcome,
                at: now.wall,
            }]));
            out.push(Effect::Report(Event::Sent { hash, outcome, detail }));
        }
    }

    /// When the same bytes go out again after this answer.
    fn next_send(
        &mut self,
        nonce: u64,
        hash: B256,
        outcome: SendOutcome,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Mono {
        let timing = self.timing;
        let says_nothing = matches!(
            outcome,
            SendOutcome::Ambiguous | SendOutcome::NodeUnready | SendOutcome::PoolFull | SendOutcome::NonceGap
        );
        if outcome != SendOutcome::Funds && !says_nothing {
            self.paid(nonce);
        }
        match outcome {
            SendOutcome::Accepted | SendOutcome::Known => {
                if let Some(tracked) = self.open.get_mut(&nonce).and_then(|i| i.tracked(hash)) {
                    tracked.taken_at.get_or_insert(now.mono);
                    tracked.failures = 0;
                }
                now.mono + timing.resend
            }
            SendOutcome::NonceUsed => {
                self.look = true;
                now.mono + timing.resend
            }
            SendOutcome::Forbidden | SendOutcome::Rejected => now.mono + SLOW,
            SendOutcome::Funds => {
                let failures = self.shortage.map_or(0, |s| s.failures);
                if self.shortage.is_none() {
                    out.push(Effect::Report(Event::OutOfFunds { account: self.account }));
                }
                let until = now.mono + delay(failures, &timing);
                let nonce = self.shortage.map_or(nonce, |s| s.nonce.min(nonce));
                self.shortage = Some(Shortage { nonce, until, failures: failures.saturating_add(1) });
                until
            }
            SendOutcome::ReplacementUnderpriced
            | SendOutcome::FeeTooLow
            | SendOutcome::Ambiguous
            | SendOutcome::NodeUnready
            | SendOutcome::PoolFull
            | SendOutcome::FeeCap
            | SendOutcome::NonceGap => {
                let tracked = self.open.get_mut(&nonce).and_then(|i| i.tracked(hash));
                tracked.map_or(now.mono, |tracked| tracked.fail(now, &timing))
            }
        }
    }

    /// A new head: whatever waits in a pool has waited one head longer, and is looked up.
    pub fn new_head(&mut self) {
        self.look = true;
        for intent in self.open.values_mut().filter(|i| i.included.is_none()) {
            intent.heard = true;
            if intent.attempts.last().is_some_and(Tracked::is_outbid) {
                intent.heads_waited += 1;
                if intent.heads_waited >= self.timing.bump_heads {
                    intent.replace = true;
                    intent.heads_waited = 0;
                }
            }
        }
    }

    /// What waits under this nonce is no longer worth waiting for: once it has missed [`HURRY_HEADS`] heads it is
    /// replaced as if it had waited for long.
    pub fn hurry(&mut self, nonce: u64) {
        let missed = |intent: &&mut Intent| intent.included.is_none() && intent.heads_waited >= HURRY_HEADS;
        if let Some(intent) = self.open.get_mut(&nonce).filter(missed) {
            intent.replace = true;
            intent.heads_waited = 0;
        }
    }
}

impl Tracked {
    /// One more failure in a row; returns when to send it again.
    fn fail(&mut self, now: Now, timing: &super::Timing) -> Mono {
        let span = delay(self.failures, timing);
        self.failures = self.failures.saturating_add(1);
        now.mono + span
    }

    /// Whether a higher fee could help it: a pool took it, and nothing else than the fee keeps it out of blocks.
    fn is_outbid(&self) -> bool {
        let hopeless = matches!(
            self.outcome,
            Some(
                SendOutcome::Funds
                    | SendOutcome::Forbidden
                    | SendOutcome::FeeCap
                    | SendOutcome::Rejected
                    | SendOutcome::NonceUsed
            )
        );
        self.taken_at.is_some() && !hopeless
    }
}

impl Intent {
    /// What an answer to its highest attempt means for the next one.
    fn answered(&mut self, outcome: SendOutcome, changed: bool, now: Now, timing: &super::Timing) {
        match outcome {
            SendOutcome::Accepted | SendOutcome::Known => self.underpriced = 0,
            // Our own lower attempt, or the pool's floor, wants a higher fee: the first time at once, then ever
            // more slowly, so that a node that is never content cannot drive the fee up to the cap in a second.
            SendOutcome::ReplacementUnderpriced | SendOutcome::FeeTooLow => {
                self.replace = true;
                if let Some(earlier) = self.underpriced.checked_sub(1) {
                    self.sign_after = self.sign_after.max(now.mono + delay(earlier, timing));
                }
                self.underpriced = self.underpriced.saturating_add(1);
            }
            // These bytes are dead: sign the same nonce anew, with whatever has changed meanwhile. If that does not
            // help, nothing that we can say about the round does.
            SendOutcome::Rejected if changed => {
                self.rejections = self.rejections.saturating_add(1);
                self.replace = self.rejections <= REJECTIONS_MAX;
                self.sign_after = now.mono + delay(self.rejections - 1, timing);
                if self.rejections == REJECTIONS_MAX {
                    self.superseded |= self.work.target().is_some();
                    self.replace = self.superseded;
                }
            }
            _ => {}
        }
    }
}
