//! Replicas: an account is used while its lease is held, recovered from the journal when it is taken, and forgotten when
//! it is lost. What belongs to no account (quotes, values, heads, policies) goes on all the time.

use super::Machine;
use crate::event::Event;
use crate::io::{Effect, Ticket};
use crate::lease::{Board, Change, Epoch};
use crate::record::Recovered;
use crate::time::{Mono, Now};
use alloy_primitives::Address;
use std::collections::BTreeMap;

impl Machine {
    /// Every account that may be written for at this moment, with the epoch of its lease.
    pub fn epochs(&self, now: Mono) -> BTreeMap<Address, Epoch> {
        self.leases.as_ref().map(|leases| leases.epochs(now)).unwrap_or_default()
    }

    /// Stops using what can no longer be known to be held, before anything else is thought of.
    pub(super) fn expire_leases(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(leases) = &mut self.leases else { return };
        for account in leases.expire(now) {
            self.leave(account, now);
            out.push(Effect::Report(Event::LeaseLost { account, why: "not renewed in time" }));
        }
    }

    /// The database's answer to a beat.
    pub(super) fn leases_read(
        &mut self,
        ticket: Ticket,
        board: Option<Board>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(leases) = &mut self.leases else { return };
        for change in leases.answered(ticket, board, now) {
            match change {
                Change::Taken(account, epoch) => {
                    self.leave(account, now);
                    self.unrecovered.insert(account);
                    out.push(Effect::Report(Event::LeaseTaken { account, epoch }));
                }
                Change::Lost(account) => {
                    self.leave(account, now);
                    let why = "another replica took it, or the database is another than before";
                    out.push(Effect::Report(Event::LeaseLost { account, why }));
                }
            }
        }
        self.report_holders(out);
    }

    /// The journal's content: accounts whose lease was held when it was asked for are used from now on.
    pub(super) fn journal_read(
        &mut self,
        ticket: Ticket,
        recovered: Option<Recovered>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(asked) = self.recovering.as_mut().filter(|asked| asked.ticket == ticket) else { return };
        let Some(recovered) = recovered else {
            asked.deadline = now.mono + self.chain.timing.retry;
            return;
        };
        let accounts = std::mem::take(&mut asked.what);
        self.recovering = None;
        self.unrecovered.retain(|account| !accounts.contains(account));
        self.adopt(&accounts, &recovered, now);
        // An operator has looked at what was halted by then, and at nothing that comes later.
        self.acknowledge_halts = false;
        out.append(&mut self.greeting);
    }

    /// The journal took nothing about these accounts.
    pub(super) fn fenced(&mut self, accounts: &[Address], now: Now, out: &mut Vec<Effect>) {
        for account in accounts {
            let Some(leases) = &mut self.leases else { return };
            leases.fenced(*account, now);
            self.leave(*account, now);
            out.push(Effect::Report(Event::LeaseFenced { account: *account }));
        }
    }

    /// Begins nothing new and hands over what is done with.
    pub(super) fn drain(&mut self, now: Now) {
        self.draining = true;
        if let Some(leases) = &mut self.leases {
            leases.retire(now);
        }
    }

    /// Asks for leases, and for the journal's word on those that were taken.
    pub(super) fn ask_for_leases(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(leases) = &mut self.leases else { return };
        let ticket = Ticket(self.tickets.saturating_add(1));
        let outboxes = &self.outboxes;
        let is_idle = |account| outboxes.get(&account).is_none_or(|outbox| !outbox.is_busy());
        if let Some(beat) = leases.beat(ticket, now, is_idle) {
            self.tickets = ticket.0;
            for account in beat.release.keys().copied() {
                if self.outboxes.contains_key(&account) {
                    out.push(Effect::Report(Event::LeaseReleased { account }));
                }
                self.leave(account, now);
            }
            out.push(Effect::Beat { ticket, beat });
        }
        let waiting = self.recovering.as_ref().is_some_and(|asked| now.mono < asked.deadline);
        if !waiting && !self.unrecovered.is_empty() {
            let asked = self.ask(now, self.unrecovered.clone());
            out.push(Effect::Recover { ticket: asked.ticket });
            self.recovering = Some(asked);
        }
    }

    /// Forgets everything about an account: what is true of it is in the journal, and another may write it from now on.
    fn leave(&mut self, account: Address, now: Now) {
        self.outboxes.remove(&account);
        self.ledger.forget(account);
        self.flights.retain(|(owner, _), _| *owner != account);
        self.recall_steps(account, now);
        self.unrecovered.remove(&account);
        if let Some(asked) = &mut self.recovering {
            asked.what.remove(&account);
        }
        let feeds = &self.feeds;
        self.halted_feeds.retain(|id, _| feeds.get(id).is_none_or(|feed| feed.spec.account != account));
        self.forget_courses(account);
    }

    /// What was decided, asked and awaited for an account's contracts is over, and each is read again.
    pub(super) fn forget_courses(&mut self, account: Address) {
        let ours = self.contracts.iter().filter(|(_, contract)| contract.account == account);
        let ours: Vec<Address> = ours.map(|(address, _)| *address).collect();
        for address in ours {
            self.forget(address);
            self.asking.retain(|_, asking| *asking != address);
            if let Some(contract) = self.contracts.get_mut(&address) {
                contract.forget_course();
            }
        }
    }

    /// Says once who publishes for an account instead of this replica.
    fn report_holders(&mut self, out: &mut Vec<Effect>) {
        let Some(leases) = &self.leases else { return };
        for account in leases.wants() {
            let holder = leases.holder(*account).filter(|holder| *holder != leases.me());
            let holder = holder.map(ToString::to_string);
            let known = self.standing_by.get(account);
            match holder {
                None => drop(self.standing_by.remove(account)),
                Some(holder) if known == Some(&holder) => {}
                Some(holder) => {
                    self.standing_by.insert(*account, holder.clone());
                    out.push(Effect::Report(Event::Standby { account: *account, holder }));
                }
            }
        }
    }
}
