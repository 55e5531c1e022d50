//! What is signed: the freshest valid answer, with the contract's consent, and only while it can still do its work.

use super::Machine;
use super::feed::{Asked, Flight};
use crate::event::Event;
use crate::io::{Effect, Ticket};
use crate::outbox::{Answered, Draft, Intent, Wanted};
use crate::policy::answer_of;
use crate::price::Answer;
use crate::quote::FeedId;
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::{Call, PreflightAnswer, SendOutcome, TxRequest, Work};
use alloy_primitives::{Address, B256, Bytes};

/// An empty transaction gets at least this much gas, and as much as a round gets: some chains charge more than the
/// 21,000 of Ethereum, and what is not used costs nothing.
const NOOP_GAS: u64 = 21_000;

/// What an attempt says.
struct Content {
    call: Call,
    gas_limit: u64,
    answer: Option<(Answer, Wall)>,
}

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
            let ready = self.is_ready(account, nonce, now, out);
            let content = self.content(account, nonce, ready, now);
            let ticket = self.ticket();
            let retry = now.mono + self.chain.timing.retry;
            let Some(outbox) = self.outboxes.get_mut(&account) else { return };
            let Some(Content { call, gas_limit, answer }) = content else {
                outbox.postpone(nonce, retry, now);
                continue;
            };
            let tx = TxRequest { chain_id: self.chain.chain_id, from: account, nonce, gas_limit, fee, call };
            out.push(Effect::Sign { ticket, tx });
            let (answer, observed_at) = answer.unzip();
            outbox.signing(nonce, ticket, Draft { fee, gas_limit, answer, observed_at }, now, out);
        }
    }

    /// Whether a first attempt may be signed now. While a signer was away or a process was down the round may have
    /// been taken, the contract paused or the role revoked, so that its consent must not be old.
    fn is_ready(&mut self, account: Address, nonce: u64, now: Now, out: &mut Vec<Effect>) -> bool {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return false };
        let Some(intent) = outbox.intent(nonce) else { return false };
        if intent.superseded || intent.attempts().len() > 0 {
            return true;
        }
        if let Work::Round { feed: id, aggregator, round } = &intent.work {
            let feed = self.feeds.get(id).filter(|f| f.spec.aggregator == *aggregator);
            let Some(feed) = feed.filter(|f| f.spec.account == account) else {
                outbox.supersede(nonce); // Its feed is no longer written here, or not by this account.
                return true;
            };
            let Some(known) = feed.round() else { return false };
            let is_before = |i: &Intent| matches!(&i.work, Work::Round { feed, .. } if feed == id);
            if outbox.open().any(|i| i.nonce < nonce && i.included.is_none() && is_before(i)) {
                return false;
            }
            if known.checked_add(1) != Some(*round) {
                if known >= *round {
                    out.push(Effect::Report(Event::RoundTaken { feed: id.clone(), round: known }));
                }
                outbox.supersede(nonce);
                return true;
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
        let flight = self.flights.entry((account, nonce)).or_insert_with(|| Flight::adopted(0));
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
        let feed = match outbox.intent(nonce).map(|intent| &intent.work) {
            Some(Work::Round { feed, .. }) => Some(feed.clone()),
            _ => None,
        };
        let feed = feed.and_then(|id| self.feeds.get_mut(&id).map(|feed| (id, feed)));
        flight.refused = matches!(answer, PreflightAnswer::Reverts(_));
        match (answer, feed) {
            (PreflightAnswer::Unknown, _) => {}
            (PreflightAnswer::Gas(gas), feed) => {
                flight.consent = Some(now.mono);
                flight.gas_limit = match feed {
                    Some((_, feed)) => {
                        feed.consented();
                        super::rounds::gas_limit(*gas, feed)
                    }
                    None => super::steps::gas_limit(*gas),
                };
                outbox.hasten(nonce, now);
            }
            (PreflightAnswer::Reverts(reason), Some((id, feed))) => {
                let until = feed.refused(&id, reason.clone(), retry, now, out);
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

    /// What the next attempt of a nonce says: the freshest valid answer for its round, or an empty transaction
    /// where the round is pointless or others wait behind it in vain. `None`: nothing valid can be said now.
    fn content(&self, account: Address, nonce: u64, ready: bool, now: Now) -> Option<Content> {
        let outbox = self.outboxes.get(&account)?;
        let intent = outbox.intent(nonce)?;
        let flight = self.flights.get(&(account, nonce));
        let (id, aggregator, round) = match &intent.work {
            Work::Step { to, data, .. } => {
                let gas_limit = flight.map_or(super::steps::GAS_UNKNOWN, |f| f.gas_limit);
                let call = Call::Raw { to: *to, data: data.clone() };
                return ready.then_some(Content { call, gas_limit, answer: None });
            }
            Work::Round { feed, aggregator, round } => (feed, *aggregator, *round),
        };
        let feed = self.feeds.get(id).filter(|f| f.spec.aggregator == aggregator);
        let floor = feed.map_or(NOOP_GAS, |f| f.spec.gas_floor.max(NOOP_GAS));
        let noop = Content { call: Call::Noop, gas_limit: floor, answer: None };
        let Some(feed) = feed.filter(|_| !intent.superseded) else { return Some(noop) };
        let signed = intent.attempts().len() > 0;
        if signed && feed.round().is_some_and(|known| known >= round) {
            return None; // Either one of ours landed, or the next look says that somebody else's did.
        }
        match self.freshest(account, intent, id, now).filter(|_| ready) {
            Some((answer, observed_at)) => Some(Content {
                call: Call::Submit { aggregator, round, answer },
                gas_limit: flight.map_or(feed.spec.gas_floor, |f| f.gas_limit),
                answer: Some((answer, observed_at)),
            }),
            None => {
                // While an answer is awaited the contract may yet consent.
                let hopeful = flight.is_some_and(|f| f.asking.is_some() && !f.refused);
                let patience = feed.spec.pricing.max_age.times(if hopeful { 4 } else { 1 });
                let stuck = outbox.blocks_others(nonce) && intent.silent_for(now.mono) >= patience;
                stuck.then_some(noop)
            }
        }
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
            self.flights.get(&(account, intent.nonce)).and_then(|flight| flight.answer).filter(young);
        let before = before.map(|(answer, observed_at, _)| (answer, observed_at));
        if intent.is_fresh() && before.is_some() {
            return before;
        }
        let newest = self.book.evaluate(id, now.wall).value.ok().and_then(|estimate| {
            let answer = answer_of(&feed.spec.policy, estimate.price, feed.spec.decimals)?;
            // A step away from the chain's answer that the brake has let pass once is believed.
            let passed = [before.map(|(answer, _)| answer), intent.last_answer()];
            let chain = feed.known.and_then(|(known, ..)| (known.round > 0).then_some(known.answer));
            let jump = feed.spec.policy.jump;
            let first = feed.known.is_some_and(|(known, ..)| known.round == 0);
            let mut references = passed.into_iter().chain([chain]).flatten();
            let believed = jump.ppb() == 0 || first || references.any(|old| !old.deviates(answer, jump));
            believed.then_some((answer, estimate.as_of))
        });
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
        if let Some(flight) = self.flights.get_mut(&(account, nonce)) {
            flight.signed = now.mono;
            flight.latency.sign = now.mono.since(flight.planned);
            let answer = draft.answer.zip(draft.observed_at).map(|(answer, at)| (answer, at, now.mono));
            flight.answer = answer.or(flight.answer);
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
