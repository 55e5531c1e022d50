//! What the chain shows of transactions, and what that means for feeds: landed, orphaned, taken by others, final.

use super::Machine;
use crate::event::{Event, Latency};
use crate::head::Standing;
use crate::io::{Effect, Ticket};
use crate::outbox::{Intent, describe};
use crate::policy::Known;
use crate::quote::FeedId;
use crate::record::Outcome;
use crate::time::Now;
use crate::tx::{AccountView, Receipt, Work};
use alloy_primitives::{Address, B256};

impl Machine {
    /// Finds the transaction that each feed waits for: the lowest nonce whose end leaves its next round open.
    ///
    /// No round is planned while one is found, so that no round of a feed is ever on its way twice.
    pub(super) fn follow(&mut self) {
        for feed in self.feeds.values_mut() {
            feed.flight = None;
        }
        for (account, outbox) in &self.outboxes {
            for intent in outbox.open() {
                let Work::Round { feed, aggregator, .. } = &intent.work else { continue };
                let feed = self.feeds.get_mut(feed).filter(|f| f.spec.aggregator == *aggregator);
                let Some(feed) = feed.filter(|f| f.flight.is_none()) else { continue };
                let can_land =
                    outbox.can_land(intent) && (*account == feed.spec.account || intent.attempts().len() > 0);
                if can_land && intent.occupies_feed(feed.round()) {
                    feed.flight = Some((*account, intent.nonce));
                }
            }
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
        for intent in seen.foreign {
            self.closed(account, &intent, None, Outcome::Foreign, now, out);
        }
        self.finalise(now, out);
        self.follow();
    }

    /// A transaction of ours is in a canonical block.
    fn included(&mut self, account: Address, nonce: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return };
        let Some(receipt) = intent.included else { return };
        let answer = intent.landed().and_then(|a| a.answer);
        let mut latency = Latency::default();
        if let Some(flight) = self.flights.get_mut(&(account, nonce)) {
            if flight.trigger.is_some() {
                flight.latency.include = now.mono.since(flight.sent);
                flight.latency.total = now.mono.since(flight.decided);
            }
            latency = flight.latency;
        }
        let (feed, round) = round_of(&intent.work).unzip();
        out.push(Effect::Report(Event::Included {
            feed,
            round,
            what: describe(&intent.work),
            answer,
            receipt,
            latency,
        }));
        let Work::Round { feed: id, aggregator, round } = &intent.work else { return };
        let block_time = self.window.at(receipt.block_number).map(|b| b.time);
        let feed = self.feeds.get_mut(id).filter(|f| f.spec.aggregator == *aggregator);
        if let (true, Some(answer), Some(feed)) = (receipt.success, answer, feed) {
            // The next round need not wait for a read; the read that follows confirms it.
            match block_time {
                Some(_) if feed.round().is_some_and(|known| known >= *round) => {}
                Some(updated_at) => {
                    let known = Known { round: *round, answer, updated_at };
                    feed.known = Some((known, receipt.block_number, receipt.block_hash));
                }
                None => feed.forget_round(),
            }
            feed.reverts = 0;
            feed.read_at = None;
            feed.memory = Default::default();
        }
    }

    /// The block that included it is gone.
    pub(super) fn orphaned(&mut self, account: Address, nonce: u64, hash: B256, out: &mut Vec<Effect>) {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return };
        let (feed, what) = (round_of(&intent.work).map(|(feed, _)| feed), describe(&intent.work));
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
        let flight = self.flights.remove(&(account, nonce));
        let (trigger, latency) = flight.map(|f| (f.trigger, f.latency)).unwrap_or_default();
        let (feed, round) = round_of(&intent.work).unzip();
        if let Some(id) = &feed
            && (outcome == Outcome::Reverted || outcome == Outcome::NoopFilled && intent.was_rejected())
        {
            self.round_failed(id, now);
        }
        let landed = receipt.and_then(|r| intent.attempts().find(|a| a.hash == r.hash));
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
        if matches!(intent.work, Work::Step { .. }) && outcome != Outcome::Final {
            self.drop_steps(account, &describe(&intent.work), out);
        }
    }

    /// None of our attempts is on the chain although its round is: somebody else wrote it.
    fn round_taken(&mut self, account: Address, nonce: u64, height: u64, out: &mut Vec<Effect>) {
        let Some(outbox) = self.outboxes.get_mut(&account) else { return };
        let Some(Intent { work: Work::Round { feed: id, aggregator, round }, superseded: false, .. }) =
            outbox.intent(nonce)
        else {
            return;
        };
        let feed = self.feeds.get(id).filter(|f| f.spec.aggregator == *aggregator);
        let Some((known, number, hash)) = feed.and_then(|f| f.known) else { return };
        let canonical = self.window.standing(number, hash) == Standing::Canonical;
        // Our nonce was not used up to `height`, and the contract had the round by then.
        if !(canonical && number <= height && known.round >= *round) {
            return;
        }
        let event = Event::RoundTaken { feed: id.clone(), round: known.round };
        if outbox.taken_by_others(nonce, height) {
            out.push(Effect::Report(event));
            outbox.supersede(nonce);
        }
    }
}

/// The feed and the round that a piece of work is for.
fn round_of(work: &Work) -> Option<(FeedId, u64)> {
    match work {
        Work::Round { feed, round, .. } => Some((feed.clone(), *round)),
        Work::Step { .. } => None,
    }
}
