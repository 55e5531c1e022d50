//! What is signed: the freshest valid answer, with the contract's consent, and only while it can still do its work.

use super::Machine;
use super::contract::Contract;
use super::feed::{Asked, Flight};
use crate::io::{Effect, Ticket};
use crate::outbox::{Answered, Draft, Intent};
use crate::policy::{Conduct, answer_of};
use crate::price::Answer;
use crate::quote::FeedId;
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::{Attempt, Call, Entry, PreflightAnswer, SendOutcome, TxRequest, Work};
use alloy_primitives::{Address, B256, Bytes};
use std::collections::{BTreeMap, BTreeSet};

/// An empty transaction gets at least this much gas, and as much as a round gets: some chains charge more than the
/// 21,000 of Ethereum, and what is not used costs nothing.
const NOOP_GAS: u64 = 21_000;

/// What an attempt says.
pub(super) struct Content {
    pub call: Call,
    pub gas_limit: u64,
    pub entries: Vec<Entry>,
}

impl Machine {
    /// Asks for every signature, look and broadcast that is due.
    pub(super) fn pump(&mut self, now: Now, out: &mut Vec<Effect>) {
        let accounts: Vec<Address> = self.outboxes.keys().copied().collect();
        for account in accounts {
            self.look(account, now, out);
            if self.halted.is_none() {
                self.sign(account, now, out);
                let feeds = &self.feeds;
                let is_old = |work: &Work, attempt: &Attempt| {
                    attempt.observations(work).any(|(id, observed_at)| {
                        let max_age = feeds.get(id).map(|feed| feed.spec.pricing.max_age);
                        max_age.is_some_and(|max_age| now.wall.since(observed_at) > max_age)
                    })
                };
                if let Some(outbox) = self.outboxes.get_mut(&account) {
                    outbox.send_due(now, is_old, out);
                }
            }
        }
    }

    fn look(&mut self, account: Address, now: Now, out: &mut Vec<Effect>) {
        let (Some(at), Some(outbox)) = (self.window.tip().copied(), self.outboxes.get_mut(&account)) else {
            return;
        };
        let Some(hashes) = outbox.look_due(now.mono) else { return };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        outbox.looking(ticket, now.mono);
        out.push(Effect::FetchAccount { ticket, account, at, hashes });
    }

    fn sign(&mut self, account: Address, now: Now, out: &mut Vec<Effect>) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        for nonce in outbox.signatures_due(now, out) {
            let ready = self.is_ready(account, nonce, now, out);
            let retry = now.mono + self.chain.timing.retry;
            let content = self.content(account, nonce, ready, now);
            let intent = self.outboxes.get(&account).and_then(|outbox| outbox.intent(nonce));
            let allowed =
                intent.zip(content.as_ref()).map(|(intent, c)| self.ceiling(account, intent, c, now));
            content.iter().flat_map(|c| &c.entries).for_each(|entry| self.note_backers(entry, now));
            let (ticket, patience) = (self.ticket(), self.patience());
            let Some(outbox) = self.outboxes.get_mut(&account) else { return };
            let (Some(Content { call, gas_limit, entries }), Some((fees, budget_wei))) = (content, allowed)
            else {
                outbox.postpone(nonce, retry, now);
                // What the contract consented to cannot be said; it is asked about what can.
                if let Some(flight) = self.flights.get_mut(&(account, nonce)).filter(|_| ready) {
                    flight.consent = None;
                }
                continue;
            };
            let Some(fee) = outbox.offer(nonce, &fees, &self.hint, budget_wei, out) else {
                outbox.cannot_pay(nonce, retry, patience, now);
                continue;
            };
            let tx = TxRequest { chain_id: self.chain.chain_id, from: account, nonce, gas_limit, fee, call };
            out.push(Effect::Sign { ticket, tx });
            outbox.signing(nonce, ticket, Draft { fee, gas_limit, entries }, now, out);
        }
    }

    /// Whether a first attempt may be signed now. While a signer was away or a process was down the round may have
    /// been taken, the contract paused or the role revoked, so that its consent must not be old.
    fn is_ready(&mut self, account: Address, nonce: u64, now: Now, out: &mut Vec<Effect>) -> bool {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return false };
        if intent.superseded || intent.attempts().len() > 0 {
            return true;
        }
        if let Some((target, number)) = intent.work.target() {
            let contract = self.written(&intent.work).filter(|contract| contract.account == account);
            let known = contract.map(Contract::number);
            let is_before = |i: &Intent| i.work.target().is_some_and(|(other, _)| other == target);
            let waits = self.outboxes.get(&account).is_some_and(|outbox| {
                outbox.open().any(|i| i.nonce < nonce && i.included.is_none() && is_before(i))
            });
            match known {
                Some(None) => return false,
                Some(_) if waits => return false,
                Some(Some(known)) if known.checked_add(1) == Some(number) => {}
                // It is no longer written by us, not by this account, or its next round is another one.
                known => {
                    if let Some(known) = known.flatten().filter(|known| *known >= number) {
                        self.round_lost(target, known, out);
                    }
                    if let Some(outbox) = self.outboxes.get_mut(&account) {
                        outbox.supersede(nonce);
                    }
                    return true;
                }
            }
        }
        let consent = self.flights.get(&(account, nonce)).and_then(|flight| flight.consent);
        let valid = self.chain.timing.answer_timeout.times(2);
        if consent.is_some_and(|at| now.mono.since(at) < valid) {
            return true;
        }
        self.ask_consent(account, nonce, now, out);
        false
    }

    /// Asks the contract about a planned transaction of which nothing is signed yet.
    fn ask_consent(&mut self, account: Address, nonce: u64, now: Now, out: &mut Vec<Effect>) {
        let asking = self.flights.get(&(account, nonce)).and_then(|flight| flight.asking.as_ref());
        if asking.is_some_and(|asked| now.mono < asked.deadline) {
            return;
        }
        let Some(Content { call, .. }) = self.content(account, nonce, true, now) else { return };
        let asked = self.ask(now, ());
        out.push(Effect::Preflight { ticket: asked.ticket, from: account, call });
        let flight = self.flights.entry((account, nonce)).or_insert_with(Flight::adopted);
        flight.asking = Some(asked);
    }

    /// The contract's renewed consent, or not. Returns whether the question was about a planned transaction.
    pub(super) fn consent_answered(
        &mut self,
        ticket: Ticket,
        answer: &PreflightAnswer,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> bool {
        let is_asked = |asked: &mut Asked<()>| asked.ticket == ticket;
        let asked = self.flights.iter_mut().find_map(|(key, f)| f.asking.take_if(is_asked).map(|_| *key));
        let Some(key @ (account, nonce)) = asked else { return false };
        let retry = self.chain.timing.retry;
        let (Some(outbox), Some(flight)) = (self.outboxes.get_mut(&account), self.flights.get_mut(&key))
        else {
            return true;
        };
        let target = outbox.intent(nonce).and_then(|intent| intent.work.target());
        let contract = target.and_then(|(target, _)| self.contracts.get_mut(&target));
        flight.refused = matches!(answer, PreflightAnswer::Reverts(_));
        match (answer, contract) {
            (PreflightAnswer::Unknown, Some(contract)) => {
                if let Some(gas) = contract.estimate_failed(flight.answers.len(), now, out) {
                    flight.consent = Some(now.mono);
                    flight.gas = flight.gas.or(Some(gas));
                    outbox.hasten(nonce, now);
                }
            }
            (PreflightAnswer::Unknown, None) => {}
            (PreflightAnswer::Gas(gas), contract) => {
                flight.consent = Some(now.mono);
                flight.gas = Some(*gas);
                if let Some(contract) = contract {
                    contract.refusals.forget();
                    contract.estimated(*gas, flight.answers.len());
                }
                outbox.hasten(nonce, now);
            }
            (PreflightAnswer::Reverts(reason), Some(contract)) => {
                let until = contract.refused(reason.clone(), retry, now, out);
                outbox.postpone(nonce, until, now);
            }
            // A step's nonce cannot be filled otherwise, so the refusal is taken on chain.
            (PreflightAnswer::Reverts(_), None) => {
                flight.consent = Some(now.mono);
                outbox.hasten(nonce, now);
            }
        }
        true
    }

    /// The contract that a piece of work is written to, if that is still so.
    pub(super) fn written(&self, work: &Work) -> Option<&Contract> {
        let contract = self.contracts.get(&work.target()?.0)?;
        let still = match work {
            Work::Round { feed, .. } => contract.store.is_none() && contract.feeds.contains(feed),
            Work::Batch { .. } => contract.store.is_some(),
            Work::Step { .. } => false,
        };
        still.then_some(contract)
    }

    /// What the next attempt of a nonce says: the freshest valid answers for its round or batch, or an empty
    /// transaction where it is pointless or others wait behind it in vain. `None`: nothing valid can be said now.
    fn content(&self, account: Address, nonce: u64, ready: bool, now: Now) -> Option<Content> {
        let outbox = self.outboxes.get(&account)?;
        let intent = outbox.intent(nonce)?;
        let flight = self.flights.get(&(account, nonce));
        let Some((target, number)) = intent.work.target() else {
            let Work::Step { to, data, .. } = &intent.work else { return None };
            let gas_limit = super::steps::gas_limit(flight.and_then(|f| f.gas));
            let call = Call::Raw { to: *to, data: data.clone() };
            return ready.then_some(Content { call, gas_limit, entries: Vec::new() });
        };
        let contract = self.written(&intent.work);
        let specs = |id: &FeedId| self.feeds.get(id).map(|feed| &feed.spec);
        let some = contract.iter().flat_map(|c| c.feeds.first()).filter_map(specs);
        let floor = contract.map_or(NOOP_GAS, |c| c.gas_limit(0, some).max(NOOP_GAS));
        let noop = Content { call: Call::Noop, gas_limit: floor, entries: Vec::new() };
        let Some(contract) = contract.filter(|_| !intent.superseded) else { return Some(noop) };
        let signed = intent.attempts().len() > 0;
        if signed && contract.number().is_some_and(|known| known >= number) {
            return None; // Either one of ours landed, or the next look says that somebody else's did.
        }
        let entries = if ready { self.entries(account, intent, contract, now) } else { Vec::new() };
        if let Some(call) = self.call(target, number, &entries) {
            let specs = entries.iter().filter_map(|entry| specs(&entry.feed));
            let gas_limit = contract.gas_limit(flight.and_then(|f| f.gas).unwrap_or(0), specs);
            return Some(Content { call, gas_limit, entries });
        }
        // While an answer is awaited the contract may yet consent.
        let hopeful = flight.is_some_and(|f| f.asking.is_some() && !f.refused);
        // A feed whose market has closed has nothing to say for hours, so that what waits behind it waits for nothing;
        // but what was signed for it before may yet land.
        let is_frozen = |id: &FeedId| self.feeds.get(id).is_some_and(|f| f.policy.conduct == Conduct::Freeze);
        let speaks = |id: &&FeedId| signed || !is_frozen(id);
        let ages = contract.feeds.iter().filter(speaks).filter_map(specs).map(|spec| spec.pricing.max_age);
        let patience = ages.max().unwrap_or_default().times(if hopeful { 4 } else { 1 });
        let stuck = outbox.blocks_others(nonce) && intent.silent_for(now.mono) >= patience;
        stuck.then_some(noop)
    }

    /// What a (re)signed attempt says, by feed. A batch keeps the feeds that it was planned for or has carried, as long
    /// as there is something valid to say for them; when it is replaced, what has become due goes with it.
    fn entries(&self, account: Address, intent: &Intent, contract: &Contract, now: Now) -> Vec<Entry> {
        let entry = |id: &FeedId| {
            let (answer, observed_at) = self.freshest(account, intent, id, now)?;
            Some(Entry { feed: id.clone(), answer, observed_at })
        };
        let Work::Batch { store, .. } = &intent.work else {
            return contract.feeds.iter().filter_map(entry).collect();
        };
        let flight = self.flights.get(&(account, intent.nonce));
        let planned = flight.into_iter().flat_map(|f| f.answers.keys());
        let signed = intent.attempts().rev().find(|attempt| !attempt.is_silent());
        let signed = signed.into_iter().flat_map(|attempt| attempt.entries.iter().map(|e| &e.feed));
        let carried: BTreeSet<FeedId> = planned.chain(signed).cloned().collect();
        let members = contract.feeds.iter().filter(|id| self.own_obstacle(id, now).is_none());
        let valid: BTreeMap<&FeedId, Entry> = members.filter_map(|id| Some((id, entry(id)?))).collect();
        let mut chosen = self.together(*store, &carried, |id| valid.contains_key(id));
        if intent.is_fresh() {
            chosen.retain(|id| carried.contains(id)); // The contract was asked about these.
        }
        chosen.iter().filter_map(|id| valid.get(id).cloned()).collect()
    }

    /// The answer a (re)signed attempt carries: the decided one at first, later the newest valid one, and the
    /// one before again only while it is young enough.
    fn freshest(&self, account: Address, intent: &Intent, id: &FeedId, now: Now) -> Option<(Answer, Wall)> {
        let feed = self.feeds.get(id)?;
        let max_age = feed.spec.pricing.max_age;
        let young = |(_, observed_at, at): &(Answer, Wall, Mono)| {
            now.wall.since(*observed_at) <= max_age && now.mono.since(*at) <= max_age
        };
        let before =
            self.flights.get(&(account, intent.nonce)).and_then(|f| f.answers.get(id).copied()).filter(young);
        // What was signed before a market closed may land anyway; what was only planned is not said any more.
        let signed = intent.attempts().len() > 0;
        let before = before.map(|(answer, observed_at, _)| (answer, observed_at));
        let before = before.filter(|(_, observed_at)| signed || feed.stands_as_at(*observed_at, now.wall));
        if intent.is_fresh() && before.is_some() {
            return before;
        }
        if !feed.is_held_to(now.wall) {
            return before; // Its market has changed since the last look, which decides what may be said now.
        }
        let newest = feed.says(self.book.evaluate(&feed.set(id), now.wall).value, now.wall).ok().and_then(
            |estimate| {
                let answer = answer_of(&feed.policy, estimate.price, feed.spec.decimals)?;
                // A step away from the chain's answer that the breaker has let pass, now or before, is believed.
                let now_passed = feed.offer.map(|offer| offer.answer);
                let passed = [before.map(|(answer, _)| answer), intent.last_answer(id), now_passed];
                let chain = feed.known.and_then(|known| (known.round > 0).then_some(known.answer));
                let breaker = feed.policy.breaker;
                let first = feed.known.is_some_and(|known| known.round == 0);
                let mut references = passed.into_iter().chain([chain]).flatten();
                let is_near = |old: Answer| !breaker.opens(old, answer, Span::ZERO);
                let believed = breaker.min.ppb() == 0 || first || references.any(is_near);
                believed.then_some((answer, estimate.as_of))
            },
        );
        newest.or(before)
    }

    /// A signature arrived.
    pub(super) fn signed(
        &mut self,
        ticket: Ticket,
        account: Address,
        hash: B256,
        raw: Bytes,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        let Some((nonce, draft)) = outbox.signed(ticket, hash, raw, now, out) else { return };
        let joined = draft.entries.iter().filter_map(|entry| {
            let urgency = self.feeds.get(&entry.feed)?.offer?.urgency;
            Some((entry.feed.clone(), urgency.trigger()))
        });
        let joined: Vec<_> = joined.collect();
        if let Some(flight) = self.flights.get_mut(&(account, nonce)) {
            flight.signed = now.mono;
            flight.latency.sign = now.mono.since(flight.planned);
            for Entry { feed, answer, observed_at } in draft.entries {
                flight.answers.insert(feed, (answer, observed_at, now.mono));
            }
            let ours = !flight.triggers.is_empty();
            for (feed, why) in joined.into_iter().filter(|_| ours) {
                flight.triggers.entry(feed).or_insert(why);
            }
        }
    }

    /// Nodes answered a broadcast.
    pub(super) fn sent(
        &mut self,
        account: Address,
        hash: B256,
        answered: Answered,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        let outcome = answered.outcome;
        outbox.sent(hash, answered, now, out);
        let nonce = outbox.open().find(|i| i.attempts().any(|a| a.hash == hash)).map(|i| i.nonce);
        let taken = matches!(outcome, SendOutcome::Accepted | SendOutcome::Known);
        let flight = nonce.filter(|_| taken).and_then(|nonce| self.flights.get_mut(&(account, nonce)));
        if let Some(flight) = flight.filter(|flight| flight.sent <= flight.signed) {
            flight.sent = now.mono;
            flight.latency.send = now.mono.since(flight.signed);
        }
    }

    /// How long something that passes by itself may last before people are told.
    pub(super) fn patience(&self) -> Span {
        self.chain.timing.answer_timeout.times(4) + self.chain.block_time.times(4)
    }
}
