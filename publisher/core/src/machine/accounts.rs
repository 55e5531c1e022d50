//! Moving transactions along: signatures that are due, broadcasts, receipts, and what they mean for feeds.

use super::Machine;
use crate::event::Event;
use crate::head::Standing;
use crate::io::{Effect, Ticket};
use crate::outbox::{Draft, Intent, Wanted, describe};
use crate::policy::{Known, answer_of};
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::Outcome;
use crate::time::{Now, Span, Wall};
use crate::tx::{AccountView, Call, PreflightAnswer, Receipt, SendOutcome, TxRequest, Work};
use alloy_primitives::{Address, B256, Bytes};

impl Machine {
    /// Asks for every signature, look and broadcast that is due.
    pub(super) fn pump(&mut self, now: Now, out: &mut Vec<Effect>) {
        let accounts: Vec<Address> = self.outboxes.keys().copied().collect();
        for account in accounts {
            self.look(account, now, out);
            if self.halted.is_none() {
                self.sign(account, now, out);
                if let Some(outbox) = self.outboxes.get_mut(&account) {
                    outbox.send_due(now, out);
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
        for Wanted { nonce, fee } in outbox.wanted(now, &self.chain.fees, &self.hint, out) {
            let Some((call, gas_limit, answer)) = self.content(account, nonce, now) else {
                if let Some(outbox) = self.outboxes.get_mut(&account) {
                    outbox.postpone(nonce, now);
                }
                continue;
            };
            let ticket = self.ticket();
            let tx = TxRequest { chain_id: self.chain.chain_id, from: account, nonce, gas_limit, fee, call };
            out.push(Effect::Sign { ticket, tx });
            let (answer, observed_at) = answer.map_or((None, None), |(a, at)| (Some(a), Some(at)));
            if let Some(outbox) = self.outboxes.get_mut(&account) {
                outbox.signing(nonce, ticket, Draft { fee, gas_limit, answer, observed_at }, now, out);
            }
        }
    }

    /// What the next attempt of a nonce says: the freshest valid answer for its round, or an empty transaction
    /// where the round is pointless and others wait behind it. `None`: nothing valid can be said now.
    #[expect(clippy::type_complexity, reason = "a call, its gas limit, and the answer it carries")]
    fn content(&self, account: Address, nonce: u64, now: Now) -> Option<(Call, u64, Option<(Answer, Wall)>)> {
        const NOOP_GAS: u64 = 21_000;
        let outbox = self.outboxes.get(&account)?;
        let intent = outbox.intent(nonce)?;
        match &intent.work {
            Work::Step { to, data, .. } => {
                let gas_limit = self.steps.get(&(account, nonce)).copied().unwrap_or(STEP_GAS);
                Some((Call::Raw { to: *to, data: data.clone() }, gas_limit, None))
            }
            Work::Round { .. } if intent.superseded => Some((Call::Noop, NOOP_GAS, None)),
            Work::Round { feed, aggregator, round } => {
                let answer = self.freshest(account, intent, feed, now);
                let noop = || {
                    let patience = self.feeds.get(feed).map_or(Span::ZERO, |f| f.spec.pricing.max_age);
                    let stuck = intent.attempts().len() == 0
                        && outbox.blocks_others(nonce)
                        && intent.silent_for(now.mono) >= patience;
                    stuck.then_some((Call::Noop, NOOP_GAS, None))
                };
                let Some((answer, observed_at)) = answer else { return noop() };
                let gas_limit = self
                    .flight_of(account, nonce, feed)
                    .map(|f| f.gas_limit)
                    .or_else(|| self.feeds.get(feed).map(|f| f.spec.gas_floor))?;
                let call = Call::Submit { aggregator: *aggregator, round: *round, answer };
                Some((call, gas_limit, Some((answer, observed_at))))
            }
        }
    }

    /// The answer a (re)signed attempt carries: the decided one at first, later the newest valid one, and the
    /// decided one again only while it is young enough.
    fn freshest(&self, account: Address, intent: &Intent, id: &FeedId, now: Now) -> Option<(Answer, Wall)> {
        let feed = self.feeds.get(id)?;
        let decided = self
            .flight_of(account, intent.nonce, id)
            .and_then(|flight| flight.answer)
            .filter(|(_, observed_at)| now.wall.since(*observed_at) <= feed.spec.pricing.max_age);
        if intent.is_fresh() && decided.is_some() {
            return decided;
        }
        let newest = self.book.evaluate(id, now.wall).value.ok().and_then(|estimate| {
            let answer = answer_of(&feed.spec.policy, estimate.price, feed.spec.decimals)?;
            let believed = feed.known.is_none_or(|(known, ..)| {
                let jump = feed.spec.policy.jump;
                jump.ppb() == 0 || known.round == 0 || !known.answer.deviates(answer, jump)
            });
            believed.then_some((answer, estimate.as_of))
        });
        newest.or(decided)
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
        let flight =
            self.feeds.values_mut().filter(|f| f.spec.account == account).filter_map(|f| f.flight.as_mut());
        if let Some(flight) = flight.into_iter().find(|f| f.nonce == nonce) {
            flight.signed = now.mono;
            flight.latency.sign = now.mono.since(flight.planned);
            flight.answer = draft.answer.zip(draft.observed_at).or(flight.answer);
        }
    }

    /// Nodes answered a broadcast.
    pub(super) fn sent(
        &mut self,
        account: Address,
        hash: B256,
        outcome: SendOutcome,
        detail: String,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        outbox.sent(hash, outcome, detail, now, out);
        if !matches!(outcome, SendOutcome::Accepted | SendOutcome::Known) {
            return;
        }
        let nonce = outbox.open().find(|i| i.attempts().any(|a| a.hash == hash)).map(|i| i.nonce);
        let flights = self.feeds.values_mut().filter(|f| f.spec.account == account);
        if let Some(flight) = flights.filter_map(|f| f.flight.as_mut()).find(|f| Some(f.nonce) == nonce)
            && flight.sent <= flight.signed
        {
            flight.sent = now.mono;
            flight.latency.send = now.mono.since(flight.signed);
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
            self.included(account, nonce, now, out);
        }
        let height = view.map_or(0, |v| v.at_number);
        for nonce in seen.absent {
            self.round_taken(account, nonce, height, out);
        }
        self.finalise(now, out);
    }

    /// A transaction of ours is in a canonical block.
    fn included(&mut self, account: Address, nonce: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return };
        let Some(receipt) = intent.included else { return };
        let (what, work) = (describe(&intent.work), intent.work.clone());
        let answer = intent.landed().and_then(|a| a.answer);
        let empty = intent.is_empty();
        let block_time = self.window.at(receipt.block_number).map(|b| b.time);
        let feed_id = match &work {
            Work::Round { feed, .. } => Some(feed.clone()),
            Work::Step { .. } => None,
        };
        let mut latency = crate::event::Latency::default();
        if let (Work::Round { feed: id, round, .. }, Some(feed)) =
            (&work, feed_id.as_ref().and_then(|id| self.feeds.get_mut(id)))
        {
            if let Some(flight) = feed.flight.as_mut().filter(|f| f.nonce == nonce) {
                if flight.trigger.is_some() {
                    flight.latency.include = now.mono.since(flight.sent);
                    flight.latency.total = now.mono.since(flight.decided);
                }
                latency = flight.latency;
            }
            match (receipt.success, answer, block_time) {
                (true, Some(answer), Some(updated_at)) => {
                    // The next round need not wait for a read; the read that follows confirms it.
                    let newer = feed.known.is_none_or(|(known, ..)| known.round < *round);
                    if newer {
                        let known = Known { round: *round, answer, updated_at };
                        feed.known = Some((known, receipt.block_number, receipt.block_hash));
                    }
                    feed.reverts = 0;
                    self.land(id, nonce);
                }
                (true, Some(_), None) => {
                    feed.known = None;
                    feed.reading = None;
                    self.land(id, nonce);
                }
                // Nothing but emptiness was ever signed for it, so not even a reorg can make it a round.
                (true, None, _) if empty => self.land(id, nonce),
                // Reverted, or empty beside a real attempt: the feed waits until that is final.
                _ => {}
            }
        }
        out.push(Effect::Report(Event::Included {
            feed: feed_id,
            round: round_of(&work),
            what,
            answer,
            receipt,
            latency,
        }));
    }

    /// A feed's round landed: the feed is free, and its round is read back.
    fn land(&mut self, id: &FeedId, nonce: u64) {
        if let Some(feed) = self.feeds.get_mut(id) {
            feed.read_at = Default::default();
            feed.memory = Default::default();
            if let Some(flight) = feed.flight.take_if(|f| f.nonce == nonce) {
                self.landed.insert((feed.spec.account, nonce), (flight.trigger, flight.latency));
            }
        }
    }

    /// The block that included it is gone.
    pub(super) fn orphaned(&mut self, account: Address, nonce: u64, hash: B256, out: &mut Vec<Effect>) {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return };
        let what = describe(&intent.work);
        let feed = match &intent.work {
            Work::Round { feed, .. } => Some(feed.clone()),
            Work::Step { .. } => None,
        };
        if let Some(state) = feed.as_ref().and_then(|id| self.feeds.get_mut(id)) {
            let floor = state.spec.gas_floor;
            if state.flight.as_ref().is_none_or(|f| f.nonce > nonce) {
                state.flight = Some(super::Flight::adopted(nonce, floor));
            }
        }
        out.push(Effect::Report(Event::Orphaned { feed, what, hash }));
    }

    /// An intent is over.
    pub(super) fn closed(
        &mut self,
        account: Address,
        intent: &Intent,
        receipt: Receipt,
        outcome: Outcome,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let nonce = intent.nonce;
        let (trigger, latency) = self.landed.remove(&(account, nonce)).unwrap_or_default();
        self.steps.remove(&(account, nonce));
        let feed = match &intent.work {
            Work::Round { feed, .. } => Some(feed.clone()),
            Work::Step { .. } => None,
        };
        if let Some(id) = &feed {
            if let Some(state) = self.feeds.get_mut(id) {
                state.flight.take_if(|f| f.nonce == nonce);
            }
            if outcome == Outcome::Reverted {
                self.round_reverted(id, now);
            }
        }
        let answer = intent.attempts().find(|a| a.hash == receipt.hash).and_then(|a| a.answer);
        out.push(Effect::Report(Event::Closed {
            feed,
            round: round_of(&intent.work),
            what: describe(&intent.work),
            outcome,
            answer,
            trigger,
            receipt: Some(receipt),
            nonce,
            latency,
        }));
    }

    /// None of our attempts is on the chain although its round is: somebody else wrote it.
    fn round_taken(&mut self, account: Address, nonce: u64, height: u64, out: &mut Vec<Effect>) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        let Some(Intent { work: Work::Round { feed: id, round, .. }, superseded: false, .. }) =
            outbox.intent(nonce)
        else {
            return;
        };
        let (id, round) = (id.clone(), *round);
        let Some(feed) = self.feeds.get(&id) else { return };
        let (Some((known, number, hash)), Some(flight)) = (feed.known, feed.flight.as_ref()) else { return };
        let read = flight.taken_check.is_some_and(|block| block <= height);
        let canonical = self.window.standing(number, hash) == Standing::Canonical;
        if read && canonical && known.round >= round && flight.nonce == nonce {
            outbox.supersede(nonce);
            out.push(Effect::Report(Event::RoundTaken { feed: id, round: known.round }));
        }
    }

    /// Begins queued steps of a rollout, one at a time an account: each may depend on the one before.
    pub(super) fn run_steps(&mut self, now: Now, out: &mut Vec<Effect>) {
        let expired: Vec<Ticket> =
            self.step_checks.iter().filter(|(_, (.., at))| now.mono >= *at).map(|(t, _)| *t).collect();
        for ticket in expired {
            if let Some((account, work, _)) = self.step_checks.remove(&ticket) {
                self.queue.insert(0, (account, work));
            }
        }
        if self.halted.is_some() || !self.anchored {
            return;
        }
        let ready = self.queue.iter().position(|(account, _)| {
            let checking = self.step_checks.values().any(|(a, ..)| a == account);
            let outbox = self.outboxes.get(account);
            !checking && outbox.is_some_and(|o| o.has_room(now.mono) && !o.is_busy())
        });
        let Some(index) = ready else { return };
        let (account, work) = self.queue.remove(index);
        let Work::Step { to, data, .. } = &work else { return };
        let call = Call::Raw { to: *to, data: data.clone() };
        let ticket = self.ticket();
        out.push(Effect::Preflight { ticket, from: account, call });
        self.step_checks.insert(ticket, (account, work, now.mono + self.chain.timing.answer_timeout));
    }

    /// The chain's consent, or not, to a step.
    pub(super) fn step_checked(
        &mut self,
        account: Address,
        work: Work,
        answer: PreflightAnswer,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match answer {
            PreflightAnswer::Gas(gas) => {
                let Some(outbox) = self.outboxes.get_mut(&account) else { return };
                if let Some(nonce) = outbox.plan(work, now, out) {
                    self.steps.insert((account, nonce), gas.saturating_add(gas / 4));
                }
            }
            PreflightAnswer::Unknown => self.queue.insert(0, (account, work)),
            PreflightAnswer::Reverts(reason) => {
                let reason = format!("{}: {reason}", describe(&work));
                out.push(Effect::Report(Event::PreflightRefused { feed: None, reason }));
            }
        }
    }
}

/// The gas limit of a step that an earlier process planned and this one has no estimate for.
const STEP_GAS: u64 = 5_000_000;

/// The round that a piece of work is for.
fn round_of(work: &Work) -> Option<u64> {
    match work {
        Work::Round { round, .. } => Some(*round),
        Work::Step { .. } => None,
    }
}
