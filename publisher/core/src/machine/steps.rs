//! Steps of a rollout: one at a time an account, each checked before it is planned, because each may depend on the
//! one before. A step that is refused, or fails on chain, takes those behind it with it.

use super::Machine;
use super::contract::with_margin;
use crate::event::Event;
use crate::io::{Effect, Ticket};
use crate::outbox::describe;
use crate::time::{Mono, Now};
use crate::tx::{Call, PreflightAnswer, Work};
use alloy_primitives::Address;
use std::collections::BTreeSet;

use super::feed::Flight;

/// The gas limit of a step that an earlier process planned, until there is an estimate for it.
const GAS_UNKNOWN: u64 = 5_000_000;
/// No transaction may have more gas than this on any chain that follows EIP-7825.
const GAS_MAX: u64 = 16_777_216;
/// Steps that may wait.
const QUEUE_MAX: usize = 10_000;

/// A step that waits for its turn.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    account: Address,
    work: Work,
    /// Not tried before this.
    after: Mono,
}

/// The limit for an estimate: a quarter more.
pub(super) fn gas_limit(estimate: Option<u64>) -> u64 {
    estimate.map_or(GAS_UNKNOWN, |estimate| with_margin(estimate).min(GAS_MAX))
}

impl Machine {
    /// A step is to be carried out.
    pub(super) fn enqueue(&mut self, account: Address, work: Work, now: Now, out: &mut Vec<Effect>) {
        let refusal = if !self.accounts.contains(&account) {
            Some(format!("account {account} is not configured"))
        } else if self.draining {
            Some("the process is ending".to_owned())
        } else if self.queue.len() >= QUEUE_MAX {
            Some("too many steps wait already".to_owned())
        } else {
            None
        };
        match refusal {
            Some(reason) => refuse(&work, &reason, out),
            None => self.queue.push_back(Queued { account, work, after: now.mono }),
        }
    }

    /// Begins queued steps.
    pub(super) fn run_steps(&mut self, now: Now, out: &mut Vec<Effect>) {
        let expired: Vec<Ticket> =
            self.step_checks.iter().filter(|(_, (.., at))| now.mono >= *at).map(|(t, _)| *t).collect();
        for ticket in expired {
            if let Some((account, work, _)) = self.step_checks.remove(&ticket) {
                self.queue.push_front(Queued { account, work, after: now.mono });
            }
        }
        if self.halted.is_some() || !self.anchored || self.draining {
            return;
        }
        let mut seen = BTreeSet::new();
        let ready = self.queue.iter().position(|queued| {
            let first = seen.insert(queued.account);
            let checking = self.step_checks.values().any(|(account, ..)| *account == queued.account);
            first && !checking && now.mono >= queued.after && self.is_free(queued.account, now)
        });
        let Some(Queued { account, work, .. }) = ready.and_then(|index| self.queue.remove(index)) else {
            return;
        };
        let Work::Step { to, data, .. } = &work else { return };
        let call = Call::Raw { to: *to, data: data.clone() };
        let ticket = self.ticket();
        out.push(Effect::Preflight { ticket, from: account, call });
        self.step_checks.insert(ticket, (account, work, now.mono + self.chain.timing.answer_timeout));
    }

    /// Steps of an account that were being checked wait again.
    pub(super) fn recall_steps(&mut self, account: Address, now: Now) {
        let checked = self.step_checks.extract_if(.., |_, (a, ..)| *a == account);
        for (_, (account, work, _)) in checked {
            self.queue.push_front(Queued { account, work, after: now.mono });
        }
    }

    /// Whether an account has nothing on its way and may send.
    fn is_free(&self, account: Address, now: Now) -> bool {
        self.outboxes.get(&account).is_some_and(|o| o.has_room(1, now.mono) && !o.is_busy())
    }

    /// The chain's consent, or not, to a step. Returns whether the question was about one.
    pub(super) fn step_checked(
        &mut self,
        ticket: Ticket,
        answer: &PreflightAnswer,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some((account, work, _)) = self.step_checks.remove(&ticket) else { return false };
        let may_plan = self.halted.is_none() && !self.draining && self.is_free(account, now);
        match answer {
            PreflightAnswer::Gas(gas) if may_plan => {
                let nonce = self.outboxes.get_mut(&account).and_then(|o| o.plan(work, [], now, out));
                if let Some(nonce) = nonce {
                    self.flights.insert((account, nonce), Flight::planned(*gas, now));
                }
            }
            PreflightAnswer::Gas(_) | PreflightAnswer::Unknown => {
                let after = now.mono + self.chain.timing.retry;
                self.queue.push_front(Queued { account, work, after });
            }
            PreflightAnswer::Reverts(reason) => {
                refuse(&work, reason, out);
                self.drop_steps(account, &describe(&work), out);
            }
        }
        true
    }

    /// What an account was to do after a step that failed is not done.
    pub(super) fn drop_steps(&mut self, account: Address, failed: &str, out: &mut Vec<Effect>) {
        let (dropped, kept) = self.queue.drain(..).partition::<Vec<_>, _>(|q| q.account == account);
        self.queue.extend(kept);
        for queued in dropped {
            refuse(&queued.work, &format!("not begun, because {failed} failed"), out);
        }
    }
}

fn refuse(work: &Work, reason: &str, out: &mut Vec<Effect>) {
    let reason = format!("{}: {reason}", describe(work));
    out.push(Effect::Report(Event::PreflightRefused { feed: None, reason }));
}
