//! What to publish: one feed's value, its policy, the contract's consent, and the plan of a round.

use super::{Asked, Decided, Feed, Flight, Machine};
use crate::event::{Event, Latency};
use crate::head::Standing;
use crate::io::{Effect, Ticket};
use crate::outbox::Outbox;
use crate::policy::{Decision, Hold, Known, decide};
use crate::quote::FeedId;
use crate::time::Now;
use crate::tx::{Call, PreflightAnswer, RoundView, Work};
use alloy_primitives::Address;

/// A call that the contract refused is tried again after this many retries' time.
const REFUSAL_RETRIES: u64 = 4;
/// After this many reverted rounds in a row the feed waits longer.
const REVERTS_MAX: u32 = 3;

impl Machine {
    /// Looks at one feed: what is its value, and is anything to be done about it?
    pub(super) fn consider(&mut self, id: &FeedId, now: Now, out: &mut Vec<Effect>) {
        if !self.feeds.contains_key(id) {
            return; // A rate: it has no round of its own.
        }
        let aggregation = self.book.evaluate(id, now.wall);
        self.report_verdicts(id, &aggregation.verdicts.iter().map(|v| v.1).collect::<Vec<_>>(), out);
        let obstacle = self.obstacle(id, now);
        let tip = self.window.tip().copied();
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let value = aggregation.value.as_ref().map_err(|refusal| *refusal);
        feed.last_value = value.ok().and_then(|e| Some((e.price.to_answer(feed.spec.decimals)?, e.venues)));
        let decision = match feed.known {
            Some((known, ..)) => {
                decide(&feed.spec.policy, &mut feed.memory, &known, value, feed.spec.decimals, now)
            }
            None => Decision::Hold(Hold::RoundUnknown),
        };
        let overdue = feed.known.and_then(|(known, ..)| feed.spec.policy.heartbeat_at(&known));
        let hold = match decision {
            Decision::Hold(hold) => Some(hold),
            Decision::Publish { .. } | Decision::Rest => obstacle,
        };
        feed.hold = hold;
        feed.report_hold(id, out);
        let overdue = overdue.map(|at| at + feed.spec.policy.heartbeat_lead).filter(|due| now.wall > *due);
        feed.report_blocked(id, overdue.map(|due| now.wall.since(due)), out);
        let publish = match (decision, hold) {
            (Decision::Publish { answer, trigger }, None) => Some((answer, trigger)),
            _ => None,
        };
        let reading = feed.reading.as_ref().is_some_and(|r| now.mono < r.deadline);
        let stale = feed.known.is_none() || now.mono.since(feed.read_at) >= self.chain.round_refresh;
        if let (true, false, Some(at)) = (stale, reading, tip) {
            let asked = self.ask(now, ());
            out.push(Effect::FetchRound { ticket: asked.ticket, feed: id.clone(), at });
            if let Some(feed) = self.feeds.get_mut(id) {
                feed.reading = Some(asked);
            }
        }
        let (Some((answer, trigger)), Ok(estimate)) = (publish, aggregation.value) else { return };
        let Some(feed) = self.feeds.get(id) else { return };
        let round = feed.known.map_or(0, |(known, ..)| known.round).saturating_add(1);
        let (from, aggregator) = (feed.spec.account, feed.spec.aggregator);
        let event = Event::Decided {
            feed: id.clone(),
            round,
            answer,
            trigger,
            sources: estimate.venues,
            spread: estimate.spread,
        };
        let decided = Decided { round, answer, observed_at: estimate.as_of, trigger, at: now.mono };
        let asked: Asked<Decided> = self.ask(now, decided);
        let call = Call::Submit { aggregator, round, answer };
        out.push(Effect::Report(event));
        out.push(Effect::Preflight { ticket: asked.ticket, from, call });
        if let Some(feed) = self.feeds.get_mut(id) {
            feed.preflight = Some(asked);
        }
    }

    /// What forbids publishing whatever the value is.
    fn obstacle(&self, id: &FeedId, now: Now) -> Option<Hold> {
        let feed = self.feeds.get(id)?;
        let outbox = self.outboxes.get(&feed.spec.account);
        let halted = self.halted.is_some()
            || self.halted_feeds.contains_key(id)
            || outbox.is_none_or(Outbox::is_halted);
        if halted {
            Some(Hold::Halted)
        } else if feed.paused {
            Some(Hold::Paused)
        } else if !feed.authorised {
            Some(Hold::NotAuthorised)
        } else if feed.flight.is_some() || feed.preflight.as_ref().is_some_and(|p| now.mono < p.deadline) {
            Some(Hold::InFlight)
        } else if feed.refused_until.is_some_and(|until| now.mono < until) {
            Some(Hold::Refused)
        } else if self.draining || !self.anchored || outbox.is_none_or(|o| !o.has_room(now.mono)) {
            Some(Hold::AccountBusy)
        } else {
            None
        }
    }

    /// The contract's view of a feed's latest round.
    pub(super) fn round_read(
        &mut self,
        ticket: Ticket,
        id: &FeedId,
        view: Option<RoundView>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let window = &self.window;
        let Some(feed) = self.feeds.get_mut(id) else { return };
        if feed.reading.take_if(|r| r.ticket == ticket).is_none() {
            return;
        }
        let Some(view) = view else { return };
        if window.standing(view.block_number, view.block_hash) != Standing::Canonical {
            return; // Read again at the next look.
        }
        if feed.known.is_some_and(|(_, number, _)| number > view.block_number) {
            return;
        }
        feed.read_at = now.mono;
        feed.paused = view.paused;
        feed.authorised = view.authorised;
        let known = Known { round: view.round, answer: view.answer, updated_at: view.updated_at };
        let before = feed.known.replace((known, view.block_number, view.block_hash));
        if let Some(flight) = &mut feed.flight {
            // Perhaps ours has landed and its receipt is on the way; perhaps somebody else's has.
            flight.taken_check = Some(view.block_number);
        } else if before.is_some_and(|(old, ..)| view.round > old.round) {
            out.push(Effect::Report(Event::RoundTaken { feed: id.clone(), round: view.round }));
        }
        self.consider(id, now, out);
    }

    /// The contract's consent, or not, to a decided answer.
    pub(super) fn preflight_answered(
        &mut self,
        ticket: Ticket,
        answer: PreflightAnswer,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if let Some((account, work, _)) = self.step_checks.remove(&ticket) {
            return self.step_checked(account, work, answer, now, out);
        }
        let found = self.feeds.iter().find(|(_, f)| f.preflight.as_ref().is_some_and(|p| p.ticket == ticket));
        let Some(id) = found.map(|(id, _)| id.clone()) else { return };
        let retry = self.chain.timing.retry;
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let Some(Asked { what: decided, .. }) = feed.preflight.take() else { return };
        let gas = match answer {
            PreflightAnswer::Gas(gas) => gas,
            PreflightAnswer::Unknown => {
                feed.refused_until = Some(now.mono + retry);
                return;
            }
            PreflightAnswer::Reverts(reason) => {
                feed.refusals = feed.refusals.saturating_add(1);
                let wait = retry.times(REFUSAL_RETRIES.saturating_mul(u64::from(feed.refusals.min(8))));
                feed.refused_until = Some(now.mono + wait);
                feed.read_at = Default::default();
                feed.known = None;
                feed.reading = None;
                out.push(Effect::Report(Event::PreflightRefused { feed: Some(id), reason }));
                return;
            }
        };
        feed.refusals = 0;
        feed.refused_until = None;
        let gas_limit = gas_limit(gas, feed);
        let current = feed.known.is_some_and(|(known, ..)| known.round.saturating_add(1) == decided.round);
        let free = self.obstacle(&id, now).is_none();
        if current && free {
            self.plan_round(&id, decided, gas_limit, now, out);
        }
    }

    fn plan_round(&mut self, id: &FeedId, decided: Decided, gas_limit: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let Some(outbox) = self.outboxes.get_mut(&feed.spec.account) else { return };
        let work = Work::Round { feed: id.clone(), aggregator: feed.spec.aggregator, round: decided.round };
        let Some(nonce) = outbox.plan(work, now, out) else { return };
        feed.flight = Some(Flight {
            nonce,
            trigger: Some(decided.trigger),
            answer: Some((decided.answer, decided.observed_at)),
            gas_limit,
            decided: decided.at,
            planned: now.mono,
            signed: now.mono,
            sent: now.mono,
            taken_check: None,
            latency: Latency { decide: now.mono.since(decided.at), ..Latency::default() },
        });
        feed.hold = Some(Hold::InFlight);
    }

    /// A round that reverted is planned anew; one that keeps reverting, ever more slowly.
    pub(super) fn round_reverted(&mut self, id: &FeedId, now: Now) {
        let retry = self.chain.timing.retry;
        let Some(feed) = self.feeds.get_mut(id) else { return };
        feed.reverts = feed.reverts.saturating_add(1);
        feed.known = None;
        feed.reading = None;
        if feed.reverts >= REVERTS_MAX {
            let wait = retry.times(REFUSAL_RETRIES.saturating_mul(1 << feed.reverts.min(6)));
            feed.refused_until = Some(now.mono + wait);
        }
    }

    fn report_verdicts(
        &mut self,
        id: &FeedId,
        verdicts: &[Option<crate::aggregate::LeftOut>],
        out: &mut Vec<Effect>,
    ) {
        let paths = self.book.paths(id);
        let Some(feed) = self.feeds.get_mut(id) else { return };
        for (index, (why, path)) in verdicts.iter().zip(paths).enumerate() {
            let before = feed.verdicts.get(index).copied();
            if before == Some(*why) {
                continue;
            }
            let source = path.market.to_string();
            match why {
                // A source that has not spoken yet at start is no news.
                Some(crate::aggregate::LeftOut::NeverSeen) if before.is_none() => {}
                Some(why) => {
                    out.push(Effect::Report(Event::SourceLeftOut { feed: id.clone(), source, why: *why }));
                }
                None if before.is_some_and(|b| b != Some(crate::aggregate::LeftOut::NeverSeen)) => {
                    out.push(Effect::Report(Event::SourceBack { feed: id.clone(), source }));
                }
                None => {}
            }
        }
        feed.verdicts = verdicts.to_vec();
    }

    /// The gas limit for attempts of a feed's round on its way.
    pub(super) fn flight_of(&self, account: Address, nonce: u64, id: &FeedId) -> Option<&Flight> {
        let feed = self.feeds.get(id).filter(|f| f.spec.account == account)?;
        feed.flight.as_ref().filter(|f| f.nonce == nonce)
    }
}

impl Feed {
    /// Says that a feed holds back, or is free again: once, and not for what passes by itself.
    fn report_hold(&mut self, id: &FeedId, out: &mut Vec<Effect>) {
        let passing = matches!(self.hold, Some(Hold::InFlight | Hold::AccountBusy | Hold::RoundUnknown));
        if passing {
            return;
        }
        let kind = |hold: Option<Hold>| hold.map(Hold::code);
        if kind(self.hold) != kind(self.hold_reported) {
            out.push(Effect::Report(match self.hold {
                Some(hold) => Event::HeldBack { feed: id.clone(), hold },
                None => Event::Released { feed: id.clone() },
            }));
            self.hold_reported = self.hold;
        }
    }

    /// Says once that a heartbeat is overdue and why nothing is on its way.
    fn report_blocked(&mut self, id: &FeedId, overdue: Option<crate::time::Span>, out: &mut Vec<Effect>) {
        match (overdue, self.hold) {
            (Some(overdue), Some(hold)) if hold != Hold::InFlight => {
                if !self.blocked_reported {
                    self.blocked_reported = true;
                    out.push(Effect::Report(Event::HeartbeatBlocked { feed: id.clone(), overdue, hold }));
                }
            }
            _ => self.blocked_reported = false,
        }
    }
}

/// The limit for an estimate: a quarter more, and within the feed's bounds.
fn gas_limit(estimate: u64, feed: &Feed) -> u64 {
    let margin = estimate.saturating_add(estimate / 4);
    margin.clamp(feed.spec.gas_floor.min(feed.spec.gas_ceiling), feed.spec.gas_ceiling)
}
