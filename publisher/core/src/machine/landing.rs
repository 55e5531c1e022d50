//! What the chain shows of transactions, and what that means for feeds: landed, orphaned, taken by others, final.

use super::Machine;
use super::contract::Contract;
use super::feed::Flight;
use crate::event::{Event, Latency};
use crate::head::Standing;
use crate::io::{Effect, Ticket};
use crate::outbox::{Intent, describe};
use crate::policy::Known;
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::Outcome;
use crate::time::{Now, Span};
use crate::tx::{AccountView, Receipt, Skip, SkipReason, Work};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

impl Machine {
    /// Finds the transaction that each contract waits for: the lowest nonce whose end leaves its next round open.
    ///
    /// Nothing is planned for it while one is found, so that no round is ever on its way twice.
    pub(super) fn follow(&mut self) {
        let mut flights = BTreeMap::new();
        for (account, outbox) in &self.outboxes {
            for intent in outbox.open() {
                let Some(contract) = self.written(&intent.work) else { continue };
                let Some((target, _)) = intent.work.target() else { continue };
                let can_land =
                    outbox.can_land(intent) && (*account == contract.account || intent.attempts().len() > 0);
                if can_land && intent.occupies(contract.number()) {
                    flights.entry(target).or_insert((*account, intent.nonce));
                }
            }
        }
        for (target, contract) in &mut self.contracts {
            contract.flight = flights.get(target).copied();
        }
    }

    /// The chain's view of an account: what landed, what is missing, what somebody else did.
    pub(super) fn account_read(
        &mut self,
        ticket: Ticket,
        account: Address,
        view: Option<&AccountView>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        let seen = outbox.view(ticket, view, &self.window, now, out);
        for nonce in seen.included {
            self.included(account, nonce, view.map_or(&[], |v| v.skips.as_slice()), now, out);
        }
        let height = view.map_or(0, |v| v.at_number);
        for nonce in seen.absent {
            self.round_taken(account, nonce, height, out);
        }
        for intent in seen.foreign {
            self.closed(account, &intent, None, Outcome::Foreign, now, out);
        }
        self.finalise(now, out);
        self.follow();
    }

    /// A transaction of ours is in a canonical block.
    fn included(&mut self, account: Address, nonce: u64, skips: &[Skip], now: Now, out: &mut Vec<Effect>) {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return };
        let Some(receipt) = intent.included else { return };
        let (work, attempt) = (intent.work.clone(), intent.landed().cloned());
        let mut latency = Latency::default();
        if let Some(flight) = self.flights.get_mut(&(account, nonce)) {
            if !flight.triggers.is_empty() {
                flight.latency.include = now.mono.since(flight.sent);
                flight.latency.total = now.mono.since(flight.decided);
            }
            latency = flight.latency;
        }
        let (feed, round) = subject(&work);
        let answer = attempt.as_ref().and_then(|a| a.answer);
        let what = describe(&work);
        out.push(Effect::Report(Event::Included { feed, round, what, answer, receipt, latency }));
        let Some(attempt) = attempt.filter(|attempt| receipt.success && !attempt.is_silent()) else { return };
        let (Some(_), Some((target, number))) = (self.written(&work), work.target()) else { return };
        let entries: Vec<(FeedId, Answer)> = match &work {
            Work::Round { feed, .. } => attempt.answer.map(|a| (feed.clone(), a)).into_iter().collect(),
            _ => attempt.entries.iter().map(|entry| (entry.feed.clone(), entry.answer)).collect(),
        };
        let reasons = skips.iter().filter(|skip| skip.hash == receipt.hash);
        let reasons: BTreeMap<u16, SkipReason> = reasons.map(|skip| (skip.entry, skip.reason)).collect();
        let reason = |id: &FeedId| reasons.get(&self.feeds.get(id)?.spec.entry.as_ref()?.number).copied();
        let skipped: Vec<_> =
            entries.iter().filter_map(|(id, a)| Some((id.clone(), *a, reason(id)?))).collect();
        let wrote = entries.into_iter().filter(|(id, _)| reason(id).is_none()).collect();
        let is_batch = matches!(work, Work::Batch { .. });
        let block = (receipt.block_number, receipt.block_hash);
        let rounds = self.advance(target, number, block, wrote, !skipped.is_empty(), is_batch);
        for (id, answer, reason) in skipped {
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.skips.add(reason.code(), self.chain.timing.retry, now);
            }
            out.push(Effect::Report(Event::EntrySkipped { feed: id, sequence: number, answer, reason }));
        }
        for (feed, round, answer) in rounds.iter().filter(|_| is_batch).cloned() {
            let sequence = number;
            out.push(Effect::Report(Event::EntryIncluded { feed, round, answer, sequence, latency }));
        }
        if let Some(flight) = self.flights.get_mut(&(account, nonce)) {
            flight.wrote = rounds.into_iter().map(|(feed, round, _)| (feed, round)).collect();
        }
    }

    /// A contract has taken a round or sequence of ours in this block. The next one need not wait for a read; the read
    /// that follows confirms it. Returns which round each feed has now, where that is known.
    fn advance(
        &mut self,
        target: Address,
        number: u64,
        block: (u64, B256),
        wrote: Vec<(FeedId, Answer)>,
        in_doubt: bool,
        is_batch: bool,
    ) -> Vec<(FeedId, Option<u64>, Answer)> {
        let block_time = self.window.at(block.0).map(|b| b.time);
        let known = self.contracts.get(&target).and_then(Contract::number);
        let shown = known.is_some_and(|known| known >= number);
        // A batch tells what its feeds' rounds have become only on top of what they were before it.
        let based = !is_batch || known.and_then(|known| known.checked_add(1)) == Some(number);
        let mut rounds = Vec::with_capacity(wrote.len());
        for (id, answer) in wrote {
            let Some(feed) = self.feeds.get_mut(&id) else { continue };
            let round = match (shown, feed.known) {
                (true, known) => known.filter(|known| Some(known.updated_at) == block_time).map(|k| k.round),
                (false, _) if !is_batch => Some(number),
                (false, known) => known.filter(|_| based).and_then(|known| known.round.checked_add(1)),
            };
            if let (false, Some(round), Some(updated_at)) = (shown, round, block_time) {
                feed.known = Some(Known { round, answer, updated_at });
            }
            feed.memory.wrote();
            feed.skips.forget();
            rounds.push((id, round, answer));
        }
        let Some(contract) = self.contracts.get_mut(&target) else { return rounds };
        contract.failing = None;
        contract.read_at = None;
        let complete = based && block_time.is_some() && rounds.iter().all(|(_, round, _)| round.is_some());
        if !shown && complete {
            contract.known = Some((number, block.0, block.1));
        }
        if in_doubt || !shown && !complete {
            self.forget(target);
        }
        rounds
    }

    /// The block that included it is gone.
    pub(super) fn orphaned(&mut self, account: Address, nonce: u64, hash: B256, out: &mut Vec<Effect>) {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return };
        let ((feed, _), what) = (subject(&intent.work), describe(&intent.work));
        out.push(Effect::Report(Event::Orphaned { feed, what, hash }));
    }

    /// An intent is over; `receipt` is where it landed, if it was ours that did.
    pub(super) fn closed(
        &mut self,
        account: Address,
        intent: &Intent,
        receipt: Option<Receipt>,
        outcome: Outcome,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let nonce = intent.nonce;
        let flight = self.flights.remove(&(account, nonce)).unwrap_or_else(Flight::adopted);
        let latency = flight.latency;
        let (feed, round) = subject(&intent.work);
        if let Some((target, number)) = intent.work.target()
            && (outcome == Outcome::Reverted || outcome == Outcome::NoopFilled && intent.was_rejected())
        {
            let heartbeat = self.soonest_heartbeat(target);
            if let Some(contract) = self.contracts.get_mut(&target) {
                contract.failed((target, number), self.chain.timing.retry, heartbeat, now);
            }
            self.forget(target);
            self.race_lost(target);
        }
        if receipt.is_some() && self.chain.caps.look_back() {
            let costs = intent.costs(self.hint.data_fee_wei);
            costs.iter().for_each(|(wei, feeds)| self.ledger.add(account, feeds, *wei, now.mono));
        }
        let landed = receipt.and_then(|r| intent.attempts().find(|a| a.hash == r.hash));
        let trigger = feed.as_ref().and_then(|feed| flight.triggers.get(feed).copied());
        out.push(Effect::Report(Event::Closed {
            feed,
            round,
            what: describe(&intent.work),
            outcome,
            answer: landed.and_then(|a| a.answer),
            trigger,
            receipt,
            nonce,
            latency,
        }));
        if let (Work::Batch { sequence, .. }, Some(attempt), Some(receipt)) = (&intent.work, landed, receipt)
        {
            for entry in attempt.entries.iter().filter(|_| receipt.success) {
                let Some(round) = flight.wrote.get(&entry.feed).copied() else { continue };
                out.push(Effect::Report(Event::EntryFinal {
                    feed: entry.feed.clone(),
                    round,
                    answer: entry.answer,
                    sequence: *sequence,
                    trigger: flight.triggers.get(&entry.feed).copied(),
                    receipt,
                    feeds: attempt.entries.len(),
                    latency,
                }));
            }
        }
        if matches!(intent.work, Work::Step { .. }) && outcome != Outcome::Final {
            self.drop_steps(account, &describe(&intent.work), out);
        }
    }

    /// The shortest heartbeat of a contract's feeds; zero if none has any.
    fn soonest_heartbeat(&self, target: Address) -> Span {
        let feeds = self.contracts.get(&target).into_iter().flat_map(|contract| &contract.feeds);
        let heartbeats = feeds.filter_map(|id| self.feeds.get(id)).map(|feed| feed.policy.heartbeat);
        heartbeats.filter(|heartbeat| *heartbeat > Span::ZERO).min().unwrap_or_default()
    }

    /// None of our attempts is on the chain although its round is: somebody else wrote it.
    fn round_taken(&mut self, account: Address, nonce: u64, height: u64, out: &mut Vec<Effect>) {
        let intent = self.outboxes.get(&account).and_then(|outbox| outbox.intent(nonce));
        let Some(intent) = intent.filter(|intent| !intent.superseded) else { return };
        let Some((target, wanted)) = intent.work.target() else { return };
        let Some((known, number, hash)) = self.written(&intent.work).and_then(|c| c.known) else { return };
        let canonical = self.window.standing(number, hash) == Standing::Canonical;
        // Our nonce was not used up to `height`, and the contract had the round by then.
        if !(canonical && number <= height && known >= wanted) {
            return;
        }
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        if outbox.taken_by_others(nonce, height) {
            outbox.supersede(nonce);
            self.round_lost(target, known, out);
        }
    }
}

impl Machine {
    /// A round or sequence that we had begun was written by somebody else.
    pub(super) fn round_lost(&mut self, target: Address, number: u64, out: &mut Vec<Effect>) {
        self.race_lost(target);
        out.push(Effect::Report(self.taken(target, number)));
    }

    /// What was sent to a contract was in vain.
    fn race_lost(&mut self, target: Address) {
        let members = self.contracts.get(&target).map(|c| c.feeds.clone()).unwrap_or_default();
        for id in &members {
            if let Some(feed) = self.feeds.get_mut(id) {
                feed.memory.lost_race();
            }
        }
    }
}

/// The feed that a piece of work is for, if it is one, and the round or sequence.
fn subject(work: &Work) -> (Option<FeedId>, Option<u64>) {
    match work {
        Work::Round { feed, round, .. } => (Some(feed.clone()), Some(*round)),
        Work::Batch { sequence, .. } => (None, Some(*sequence)),
        Work::Step { .. } => (None, None),
    }
}
