//! What to publish: each feed's value and policy, the contract's consent, and the plan of a round or a batch.

use super::contract::Contract;
use super::feed::{Decided, DecidedEntry, Feed, Flight, Offer, Urgency};
use super::{Group, Machine};
use crate::aggregate::{Aggregation, LeftOut};
use crate::event::{Event, Latency};
use crate::head::Standing;
use crate::io::{Effect, Ticket};
use crate::policy::{Decision, Hold, Known, Look, Trigger, answer_of, decide};
use crate::quote::FeedId;
use crate::record::Why;
use crate::time::{Now, Span};
use crate::tx::{Call, Entry, EntryView, Flag, PreflightAnswer, RoundView, StoreView, Work};
use alloy_primitives::{Address, B256};
use std::collections::BTreeSet;

/// What a read of a contract says: its latest round or sequence, and its feeds.
struct Read {
    block: (u64, B256),
    number: u64,
    paused: bool,
    authorised: bool,
    /// Each feed's latest round, whether its entries are skipped, and what its flag says.
    feeds: Vec<(FeedId, Known, bool, Flag)>,
}

impl Machine {
    /// Looks at every feed.
    pub(super) fn consider_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.consider(self.feeds.keys().cloned().collect(), now, out);
    }

    /// Looks at the feeds that some sets of sources are of, contract by contract: whoever planned least recently is the
    /// first to claim its account's room.
    pub(super) fn consider(&mut self, sets: Vec<FeedId>, now: Now, out: &mut Vec<Effect>) {
        let feeds: BTreeSet<FeedId> = sets.into_iter().map(FeedId::of_set).collect();
        // A rate has no round of its own.
        let specs = feeds.iter().filter_map(|id| self.feeds.get(id)).map(|feed| feed.spec.aggregator);
        let mut contracts: Vec<Address> = specs.collect::<BTreeSet<_>>().into_iter().collect();
        contracts.sort_by_cached_key(|contract| self.contracts.get(contract).map(|c| c.planned_at));
        for contract in contracts {
            self.consider_contract(contract, &feeds, now, out);
        }
    }

    /// Looks at some feeds of a contract; if one is due, at the others too, and asks the contract about all that go
    /// together.
    fn consider_contract(
        &mut self,
        contract: Address,
        feeds: &BTreeSet<FeedId>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(members) = self.contracts.get(&contract).map(|c| c.feeds.clone()) else { return };
        let (first, rest): (Vec<&FeedId>, Vec<&FeedId>) = members.iter().partition(|id| feeds.contains(*id));
        first.into_iter().for_each(|id| self.weigh(id, now, out));
        self.read_contract(contract, now, out);
        let due: Vec<&FeedId> = members.iter().filter(|id| self.is_due(id)).collect();
        if let Some(target) = self.contracts.get_mut(&contract) {
            target.due_since = (!due.is_empty()).then(|| target.due_since.unwrap_or(now.mono));
        }
        if due.is_empty() || self.obstacle(contract, now).is_some() {
            return;
        }
        if self.gathers(contract, &due, now) {
            for id in due {
                if let Some(feed) = self.feeds.get_mut(id) {
                    feed.hold = Some(Hold::Gathering);
                }
            }
            return;
        }
        rest.into_iter().for_each(|id| self.weigh(id, now, out));
        self.sync_heartbeats(contract);
        let can = |id: &FeedId| self.offer(id).is_some();
        let chosen = self.together(contract, &BTreeSet::new(), can);
        self.hold_back(members, &chosen, Hold::GroupMember, now, out);
        let paid = self.affordable(contract, &chosen, None, now, out);
        self.hold_back(chosen, &paid, Hold::OverBudget, now, out);
        if !paid.iter().any(|id| self.is_due(id)) {
            return;
        }
        let entries: Vec<DecidedEntry> = paid.iter().filter_map(|id| self.decided(id)).collect();
        let Some(number) = self.contracts.get(&contract).and_then(Contract::number) else { return };
        let number = number.saturating_add(1);
        let said: Vec<Entry> = entries.iter().map(DecidedEntry::said).collect();
        let Some(call) = self.call(contract, number, &said) else { return };
        let asked = self.ask(now, Decided { number, entries, at: now.mono });
        let Some(target) = self.contracts.get_mut(&contract) else { return };
        out.push(Effect::Preflight { ticket: asked.ticket, from: target.account, call });
        self.asking.insert(asked.ticket, contract);
        if let Some(unanswered) = target.preflight.replace(asked) {
            self.asking.remove(&unanswered.ticket);
        }
    }

    /// Looks at one feed: what is its value, and is anything to be done about it?
    fn weigh(&mut self, id: &FeedId, now: Now, out: &mut Vec<Effect>) {
        let Some(contract) = self.feeds.get(id).map(|feed| feed.spec.aggregator) else { return };
        let aggregation = self.heard(id, now, out);
        let support = self.support(id, &aggregation);
        let own = self.own_obstacle(id, now);
        let obstacle = match self.obstacle(contract, now) {
            Some(Hold::Leased) => Some(Hold::Leased),
            other => own.or(other),
        };
        let patience = self.patience();
        let chain_time = self.clock.time(now);
        let store = self.contracts.get(&contract).and_then(|c| c.store.as_ref());
        let (early, ahead) = store.map_or_else(Default::default, |store| (store.early, store.gather));
        let Some(feed) = self.feeds.get_mut(id) else { return };
        feed.seen = Some((aggregation.margin, aggregation.value.as_ref().ok().copied()));
        let value = feed.says(aggregation.value, now.wall);
        let block_now = Now { wall: chain_time, mono: now.mono };
        let decision = match feed.known {
            Some(known) => {
                let Feed { spec, policy, memory, sleep, .. } = feed;
                let value = value.as_ref().map_err(|hold| *hold);
                let (sleep, decimals) = (*sleep, spec.decimals);
                let look = Look { known: &known, value, sleep, support, decimals, now: block_now };
                decide(policy, memory, look)
            }
            None => Decision::Hold(Hold::RoundUnknown),
        };
        match decision {
            _ if !feed.policy.conduct.is_live() => {}
            // Nobody looks at values meanwhile: what was said before it is not the market's last word.
            Decision::Hold(Hold::Hibernating | Hold::FlagUnknown | Hold::OnOrder) => feed.last_open = None,
            Decision::Hold(_) => {}
            _ => feed.last_open = value.ok(),
        }
        feed.hold = match decision {
            Decision::Hold(hold) => Some(hold),
            Decision::Wait(hold) => obstacle.or(Some(hold)),
            // The contract is about to be asked; the feed is free again only once it has consented.
            Decision::Publish { .. } => {
                obstacle.or(Some(if feed.is_over_budget { Hold::OverBudget } else { Hold::InFlight }))
            }
            Decision::Rest => obstacle,
        };
        feed.offer = value.ok().filter(|_| own.is_none()).and_then(|estimate| {
            let policy = &feed.policy;
            let answer = answer_of(policy, estimate.price, feed.spec.decimals)?;
            let is_near = |known| policy.is_near(&known, (answer, &estimate), &early, ahead, chain_time);
            let near = || feed.known.is_some_and(is_near);
            let urgency = match decision {
                Decision::Publish { trigger, .. } => Urgency::Due(trigger),
                Decision::Rest if near() => Urgency::Nears,
                Decision::Rest | Decision::Wait(_) => Urgency::Rests,
                Decision::Hold(_) => return None,
            };
            let (sources, spread) = (estimate.families, estimate.spread);
            let conduct = policy.conduct;
            Some(Offer { answer, observed_at: estimate.as_of, sources, spread, urgency, conduct })
        });
        feed.report_hold(id, patience, now, out);
        let due = feed.heartbeat_at().map(|at| at + feed.policy.heartbeat_lead);
        // Whoever holds the account's lease says that.
        let due = due.filter(|_| obstacle != Some(Hold::Leased));
        let overdue = due.filter(|due| chain_time > *due).map(|due| chain_time.since(due));
        feed.report_blocked(id, overdue, patience, out);
    }

    /// Whether the feeds of a store that are due wait for others: for a moment since the first of them became due.
    /// Where a heartbeat has come nobody waits, so that it is never later for it.
    fn gathers(&self, contract: Address, due: &[&FeedId], now: Now) -> bool {
        let Some(contract) = self.contracts.get(&contract) else { return false };
        let (Some(store), Some(since)) = (&contract.store, contract.due_since) else { return false };
        let time = self.clock.time(now);
        let beats = |id: &&FeedId| {
            let feed = self.feeds.get(*id);
            feed.is_some_and(|f| f.known.is_some_and(|known| f.policy.is_beating(&known, time)))
        };
        now.mono.since(since) < store.gather && !due.iter().any(beats)
    }

    /// Heartbeats of a store that are due take along those that divide them, where its configuration says so.
    fn sync_heartbeats(&mut self, contract: Address) {
        let Some(contract) = self.contracts.get(&contract) else { return };
        if !contract.store.is_some_and(|store| store.sync_heartbeats) {
            return;
        }
        let beats = |feed: &&Feed| {
            let urgency = feed.offer.map(|offer| offer.urgency);
            matches!(urgency, Some(Urgency::Due(Trigger::Heartbeat | Trigger::Repeat)))
        };
        let members = || contract.feeds.iter().filter_map(|id| self.feeds.get(id));
        let due: Vec<Span> = members().filter(beats).map(|feed| feed.policy.heartbeat).collect();
        for id in &contract.feeds {
            let Some(Feed { policy, offer: Some(offer), .. }) = self.feeds.get_mut(id) else { continue };
            let is_due = matches!(offer.urgency, Urgency::Due(_));
            if !is_due && due.iter().any(|heartbeat| policy.beats_with(*heartbeat)) {
                offer.urgency = Urgency::Syncs;
            }
        }
    }

    /// What the last look at a feed found that may be published.
    fn offer(&self, id: &FeedId) -> Option<Offer> {
        self.feeds.get(id)?.offer
    }

    /// Whether a feed is to be published by its own need.
    fn is_due(&self, id: &FeedId) -> bool {
        self.offer(id).is_some_and(|offer| matches!(offer.urgency, Urgency::Due(_)))
    }

    /// Which feeds of a contract go into one transaction: those that are due or `carried` already, with them those
    /// that are nearly due or beat with them, and with each the rest of its group. A feed that cannot is left out, and takes only its group
    /// with it, if that is atomic.
    pub(super) fn together(
        &self,
        contract: Address,
        carried: &BTreeSet<FeedId>,
        can: impl Fn(&FeedId) -> bool,
    ) -> BTreeSet<FeedId> {
        let Some(members) = self.contracts.get(&contract).map(|c| &c.feeds) else { return BTreeSet::new() };
        let urgency = |id: &FeedId| self.offer(id).map(|offer| offer.urgency);
        let due = |id: &&FeedId| carried.contains(id) || matches!(urgency(id), Some(Urgency::Due(_)));
        let mut chosen: BTreeSet<FeedId> = members.iter().filter(due).cloned().collect();
        let rides = |id: &&FeedId| matches!(urgency(id), Some(Urgency::Nears | Urgency::Syncs));
        if !chosen.is_empty() {
            chosen.extend(members.iter().filter(rides).cloned());
        }
        // What cannot go itself calls nobody; of an atomic group it holds back all.
        let calls = |id: &&FeedId| can(id) || self.group(id).is_some_and(|group| group.is_atomic);
        let groups: Vec<&Group> = chosen.iter().filter(calls).filter_map(|id| self.group(id)).collect();
        for group in groups.into_iter().collect::<BTreeSet<_>>() {
            let all: Vec<&FeedId> = members.iter().filter(|id| self.group(id) == Some(group)).collect();
            match !group.is_atomic || all.iter().all(|id| can(id)) {
                true => chosen.extend(all.into_iter().cloned()),
                false => chosen.retain(|id| !all.contains(&id)),
            }
        }
        chosen.retain(|id| can(id));
        chosen
    }

    /// The feeds that a feed moves together with.
    pub(super) fn group(&self, id: &FeedId) -> Option<&Group> {
        self.feeds.get(id)?.spec.entry.as_ref()?.group.as_ref()
    }

    /// A feed's part of what is decided now.
    fn decided(&self, id: &FeedId) -> Option<DecidedEntry> {
        let feed = self.feeds.get(id)?;
        let offer = feed.offer?;
        let round = feed.round().unwrap_or(0).saturating_add(1);
        Some(DecidedEntry { feed: id.clone(), round, trigger: offer.urgency.trigger(), offer })
    }

    /// The call that says this to a contract; `None` if there is nothing to say.
    pub(super) fn call(&self, contract: Address, number: u64, said: &[Entry]) -> Option<Call> {
        if self.contracts.get(&contract)?.store.is_none() {
            let answer = said.first()?.answer;
            return Some(Call::Submit { aggregator: contract, round: number, answer });
        }
        let numbered = said.iter().filter_map(|entry| {
            let number = self.feeds.get(&entry.feed)?.spec.entry.as_ref()?.number;
            Some((number, i64::try_from(entry.answer.value()).ok()?))
        });
        let mut entries: Vec<_> = numbered.collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        // The store holds this time against its next block's and against its rounds', of which our own clock knows
        // nothing. The newest block's is never later than the one, nor earlier than the others.
        let observed_at_s = u32::try_from(self.window.tip()?.time.ms() / 1000).ok()?;
        let sequence = u32::try_from(number).ok()?;
        (!entries.is_empty()).then_some(Call::Update { store: contract, sequence, observed_at_s, entries })
    }

    /// Reads a contract, if what is known of it is missing or old, and at every head while something is on its way, so
    /// that a round that others write is seen before a replacement is signed for it, or while it takes no rounds, or
    /// while what was sent to it fails, or while a round is left to the primary, or while a flag could never be read.
    fn read_contract(&mut self, address: Address, now: Now, out: &mut Vec<Effect>) {
        let (Some(at), Some(contract)) = (self.window.tip().copied(), self.contracts.get(&address)) else {
            return;
        };
        let reading = contract.reading.as_ref().is_some_and(|r| now.mono < r.deadline);
        let refresh = self.chain.round_refresh;
        let mut members = contract.feeds.iter().filter_map(|id| self.feeds.get(id));
        let held =
            members.any(|feed| feed.paused || matches!(feed.hold, Some(Hold::Standby | Hold::FlagUnknown)));
        let failing = contract.failing.is_some();
        let waiting = contract.flight.is_some() || failing || contract.paused || held || !contract.authorised;
        let old = waiting || contract.read_at.is_none_or(|read| now.mono.since(read) >= refresh);
        let news = contract.known.is_none_or(|(.., hash)| old && hash != at.hash);
        if reading || now.mono < contract.read_after || !news {
            return;
        }
        let asked = self.ask(now, ());
        let ticket = asked.ticket;
        let Some(contract) = self.contracts.get_mut(&address) else { return };
        contract.reading = Some(asked);
        match (&contract.store, contract.feeds.first()) {
            (Some(_), _) => out.push(Effect::FetchStore { ticket, store: address, at }),
            (None, Some(feed)) => out.push(Effect::FetchRound { ticket, feed: feed.clone(), at }),
            (None, None) => {}
        }
    }

    /// What forbids publishing a feed whatever its value and its contract are.
    pub(super) fn own_obstacle(&self, id: &FeedId, now: Now) -> Option<Hold> {
        let feed = self.feeds.get(id)?;
        if self.halted_feeds.contains_key(id) {
            Some(Hold::Halted)
        } else if feed.paused {
            Some(Hold::Paused)
        } else {
            feed.skips.forbid(now.mono).then_some(Hold::Refused)
        }
    }

    /// What forbids writing a contract now.
    fn obstacle(&self, address: Address, now: Now) -> Option<Hold> {
        let contract = self.contracts.get(&address)?;
        let Some(outbox) = self.outboxes.get(&contract.account) else { return Some(Hold::Leased) };
        if self.halted.is_some() || outbox.is_halted() {
            Some(Hold::Halted)
        } else if contract.paused {
            Some(Hold::Paused)
        } else if !contract.authorised {
            Some(Hold::NotAuthorised)
        } else if contract.flight.is_some() || contract.is_asked(now) {
            Some(Hold::InFlight)
        } else if contract.refusals.forbid(now.mono) {
            Some(Hold::Refused)
        } else if self.draining || !self.anchored || !self.has_room(address, contract, now) {
            Some(Hold::AccountBusy)
        } else {
            None
        }
    }

    /// Whether a contract's account has room for one more, beside what others are already being asked about.
    fn has_room(&self, address: Address, contract: &Contract, now: Now) -> bool {
        let account = contract.account;
        let others = self.asking.values().filter(|other| **other != address);
        let others = others.filter_map(|other| self.contracts.get(other)).filter(|c| c.account == account);
        let claims = others.filter(|other| other.is_asked(now)).count();
        let steps = self.step_checks.values().filter(|(a, ..)| *a == account).count();
        let outbox = self.outboxes.get(&account);
        outbox.is_some_and(|o| o.has_room(claims.saturating_add(steps).saturating_add(1), now.mono))
    }

    /// An aggregator's view of its latest round.
    pub(super) fn round_read(
        &mut self,
        ticket: Ticket,
        id: &FeedId,
        view: Option<RoundView>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(aggregator) = self.feeds.get(id).map(|feed| feed.spec.aggregator) else { return };
        let read = view.map(|view| Read {
            block: (view.block_number, view.block_hash),
            number: view.round,
            paused: view.paused,
            authorised: view.authorised,
            feeds: vec![(id.clone(), Known::from(&view), false, view.flag)],
        });
        self.contract_read(ticket, aggregator, read, now, out);
    }

    /// A store's view of its sequence and its feeds.
    pub(super) fn store_read(
        &mut self,
        ticket: Ticket,
        store: Address,
        view: Option<StoreView>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let read = view.map(|view| Read {
            block: (view.block_number, view.block_hash),
            number: view.sequence,
            paused: view.paused,
            authorised: view.authorised,
            feeds: view
                .feeds
                .into_iter()
                .map(|(id, entry)| (id, Known::from(&entry), entry.paused, entry.flag))
                .collect(),
        });
        self.contract_read(ticket, store, read, now, out);
    }

    fn contract_read(
        &mut self,
        ticket: Ticket,
        address: Address,
        read: Option<Read>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let retry = self.chain.timing.retry;
        let (window, outboxes) = (&self.window, &self.outboxes);
        let Some(contract) = self.contracts.get_mut(&address) else { return };
        if contract.reading.take_if(|r| r.ticket == ticket).is_none() {
            return;
        }
        let canonical =
            read.filter(|read| window.standing(read.block.0, read.block.1) == Standing::Canonical);
        let Some(Read { block: (height, hash), number, paused, authorised, feeds }) = canonical else {
            contract.read_after = now.mono + retry;
            return;
        };
        if contract.known.is_some_and(|(_, known_at, _)| known_at > height) {
            return; // Read again at the next look.
        }
        contract.read_at = Some(now.mono);
        let opened = (contract.paused && !paused) || (!contract.authorised && authorised);
        contract.paused = paused;
        contract.authorised = authorised;
        let before = contract.known.replace((number, height, hash));
        // While one of ours is on its way it has perhaps landed, and its receipt says so.
        let ours = contract.flight.is_some() || !outboxes.contains_key(&contract.account);
        let taken = !ours && before.is_some_and(|(old, ..)| number > old);
        // What failed was forgotten with what was known before it.
        let over = contract.failing.take_if(|(failed, _)| *failed <= number).is_some();
        if opened || taken || over {
            contract.refusals.forget(); // What the contract refused was refused for what is over now.
        }
        for (id, known, paused, flag) in feeds {
            let Some(feed) = self.feeds.get_mut(&id).filter(|f| f.spec.aggregator == address) else {
                continue;
            };
            if feed.paused && !paused {
                feed.skips.forget();
            }
            (feed.known, feed.paused) = (Some(known), paused);
            feed.heed(&id, flag, out);
        }
        if taken {
            out.push(Effect::Report(self.taken(address, number)));
        }
        self.follow();
        let members = self.contracts.get(&address).map(|c| c.feeds.clone()).unwrap_or_default();
        self.consider(members, now, out);
    }

    /// What is known of a contract and its feeds is to be read again before anything is based on it.
    pub(super) fn forget(&mut self, address: Address) {
        let Some(contract) = self.contracts.get_mut(&address) else { return };
        contract.forget();
        for id in &contract.feeds {
            if let Some(feed) = self.feeds.get_mut(id) {
                feed.known = None;
            }
        }
    }

    /// Somebody else wrote this round or sequence of a contract.
    pub(super) fn taken(&self, address: Address, number: u64) -> Event {
        let contract = self.contracts.get(&address);
        let mut members = contract.into_iter().flat_map(|c| &c.feeds).filter_map(|id| self.feeds.get(id));
        let standby = members.any(|feed| feed.policy.standby > Span::ZERO);
        match contract.filter(|c| c.store.is_none()).and_then(|c| c.feeds.first()) {
            Some(feed) => Event::RoundTaken { feed: feed.clone(), round: number, standby },
            None => Event::SequenceTaken { store: address, sequence: number, standby },
        }
    }

    /// The contract's consent, or not, to a decided answer or to something planned.
    pub(super) fn preflight_answered(
        &mut self,
        ticket: Ticket,
        answer: PreflightAnswer,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.step_checked(ticket, &answer, now, out) || self.consent_answered(ticket, &answer, now, out) {
            return;
        }
        let retry = self.chain.timing.retry;
        let Some(address) = self.asking.remove(&ticket) else { return };
        let Some(contract) = self.contracts.get_mut(&address) else { return };
        let Some(decided) = contract.preflight.take().map(|asked| asked.what) else { return };
        let gas = match answer {
            PreflightAnswer::Gas(gas) => {
                contract.estimated(gas, decided.entries.len());
                let specs = decided.entries.iter().filter_map(|entry| self.feeds.get(&entry.feed));
                contract.report_clamp(gas, specs.map(|feed| &feed.spec), out);
                gas
            }
            PreflightAnswer::Unknown => match contract.estimate_failed(decided.entries.len(), now, out) {
                Some(gas) => gas,
                None => {
                    contract.refusals.wait(now.mono + retry);
                    return;
                }
            },
            PreflightAnswer::Reverts(reason) => {
                contract.refused(reason, retry, now, out);
                return;
            }
        };
        contract.refusals.forget();
        let current = contract.number().and_then(|known| known.checked_add(1)) == Some(decided.number);
        let may = |entry: &DecidedEntry| {
            let open = self.feeds.get(&entry.feed).is_some_and(|feed| feed.still_may(entry, now.wall));
            open && self.own_obstacle(&entry.feed, now).is_none()
        };
        let whole = decided.entries.iter().all(may);
        let free = current && whole && self.obstacle(address, now).is_none();
        if !free {
            return;
        }
        let chosen: BTreeSet<FeedId> = decided.entries.iter().map(|entry| entry.feed.clone()).collect();
        let paid = self.affordable(address, &chosen, Some(gas), now, out);
        if paid == chosen {
            self.plan(address, decided, gas, now, out);
        } else {
            self.hold_back(chosen, &paid, Hold::OverBudget, now, out);
        }
    }

    fn plan(&mut self, address: Address, decided: Decided, gas: u64, now: Now, out: &mut Vec<Effect>) {
        let Decided { number, entries, at } = decided;
        let Some(contract) = self.contracts.get_mut(&address) else { return };
        let account = contract.account;
        let Some(outbox) = self.outboxes.get_mut(&account).filter(|o| o.is_synced()) else { return };
        for DecidedEntry { feed, round, offer, trigger } in &entries {
            let Offer { answer, sources, spread, .. } = *offer;
            let (feed, round, trigger) = (feed.clone(), *round, *trigger);
            out.push(Effect::Report(Event::Decided { feed, round, answer, trigger, sources, spread }));
        }
        let work = match (&contract.store, entries.first()) {
            (Some(_), _) => Work::Batch { store: address, sequence: number },
            (None, Some(entry)) => {
                Work::Round { feed: entry.feed.clone(), aggregator: address, round: number }
            }
            (None, None) => return,
        };
        let why = |entry: &DecidedEntry| {
            let market = self.feeds.get(&entry.feed).and_then(|feed| feed.policy.market.as_ref());
            let market = market.map(|market| market.state(entry.offer.conduct, now.wall));
            Why { feed: entry.feed.clone(), trigger: entry.trigger, market }
        };
        let Some(nonce) = outbox.plan(work, entries.iter().map(why), now, out) else { return };
        let taken_up =
            |entry: &DecidedEntry| (entry.feed.clone(), (entry.offer.answer, entry.offer.observed_at, at));
        let flight = Flight {
            triggers: entries.iter().map(|entry| (entry.feed.clone(), entry.trigger)).collect(),
            answers: entries.iter().map(taken_up).collect(),
            decided: at,
            latency: Latency { decide: now.mono.since(at), ..Latency::default() },
            ..Flight::planned(gas, now)
        };
        self.flights.insert((account, nonce), flight);
        contract.flight = Some((account, nonce));
        contract.due_since = None;
        contract.planned_at = now.mono;
        for entry in &entries {
            if let Some(feed) = self.feeds.get_mut(&entry.feed) {
                feed.hold = Some(Hold::InFlight);
            }
        }
    }

    /// Says once that a source of one of a feed's sets lost, changed or regained its vote. One that waits for its rate's first quotes, or for
    /// its own, has not lost anything yet.
    pub(super) fn report_verdicts(
        &mut self,
        (id, set): (&FeedId, &FeedId),
        aggregation: &Aggregation,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let paths = self.book.paths(set);
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let young = now.mono.since(feed.began) < feed.spec.pricing.max_age;
        if !feed.verdicts.contains_key(set) {
            feed.verdicts.insert(set.clone(), vec![Some(LeftOut::NeverSeen); paths.len()]);
        }
        let known = feed.verdicts.get_mut(set).into_iter().flatten();
        for ((verdict, path), known) in aggregation.verdicts.iter().zip(paths).zip(known) {
            let (before, found) = (*known, verdict.why());
            let silent = before == Some(LeftOut::NeverSeen);
            let why = if silent && young && found == Some(LeftOut::NoRate) { before } else { found };
            *known = why;
            let source = || path.market.to_string();
            match why {
                _ if why == before => {}
                Some(why) => {
                    out.push(Effect::Report(Event::SourceLeftOut {
                        feed: set.clone(),
                        source: source(),
                        why,
                        measured: verdict.no_vote.and_then(|no_vote| no_vote.measured),
                    }));
                }
                None if !silent => {
                    out.push(Effect::Report(Event::SourceBack { feed: set.clone(), source: source() }));
                }
                None => {}
            }
        }
    }
}

impl DecidedEntry {
    /// What it says.
    fn said(&self) -> Entry {
        let Offer { answer, observed_at, .. } = self.offer;
        Entry { feed: self.feed.clone(), answer, observed_at }
    }
}

impl Urgency {
    /// Why a feed is published that wants it this much: by its own need, or by that of others.
    pub(super) const fn trigger(self) -> Trigger {
        match self {
            Self::Due(trigger) => trigger,
            Self::Nears => Trigger::Early,
            Self::Syncs => Trigger::Sync,
            Self::Rests => Trigger::Group,
        }
    }
}

impl From<&RoundView> for Known {
    fn from(view: &RoundView) -> Self {
        Self { round: view.round, answer: view.answer, updated_at: view.updated_at }
    }
}

impl From<&EntryView> for Known {
    fn from(view: &EntryView) -> Self {
        Self { round: view.round, answer: view.answer, updated_at: view.updated_at }
    }
}
