//! What to publish: one feed's value, its policy, the contract's consent, and the plan of a round.

use super::Machine;
use super::feed::{Asked, Decided, Feed, Flight};
use crate::aggregate::LeftOut;
use crate::event::{Event, Latency};
use crate::head::Standing;
use crate::io::{Effect, Ticket};
use crate::outbox::Outbox;
use crate::policy::{Decision, Hold, Known, decide};
use crate::quote::FeedId;
use crate::time::Now;
use crate::tx::{Call, PreflightAnswer, RoundView, Work};

/// After this many failed rounds in a row the feed waits longer.
const FAILURES_MAX: u32 = 3;

impl Machine {
    /// Looks at every feed.
    pub(super) fn consider_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        let feeds = self.feeds.keys().cloned().collect();
        for id in self.in_turn(feeds) {
            self.consider(&id, now, out);
        }
    }

    /// Feeds in the order in which they may claim their account's room: whoever planned least recently goes first.
    pub(super) fn in_turn(&self, mut feeds: Vec<FeedId>) -> Vec<FeedId> {
        feeds.sort_by_key(|id| self.feeds.get(id).map(|feed| feed.planned_at));
        feeds
    }

    /// Looks at one feed: what is its value, and is anything to be done about it?
    pub(super) fn consider(&mut self, id: &FeedId, now: Now, out: &mut Vec<Effect>) {
        if !self.feeds.contains_key(id) {
            return; // A rate: it has no round of its own.
        }
        let aggregation = self.book.evaluate(id, now.wall);
        self.report_verdicts(id, &aggregation.verdicts.iter().map(|v| v.1).collect::<Vec<_>>(), now, out);
        let (obstacle, patience) = (self.obstacle(id, now), self.patience());
        let chain_time = self.clock.time(now);
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let value = aggregation.value.as_ref().map_err(|refusal| *refusal);
        feed.last_value = value.ok().and_then(|e| Some((e.price.to_answer(feed.spec.decimals)?, e.venues)));
        let block_now = Now { wall: chain_time, mono: now.mono };
        let decision = match feed.known {
            Some((known, ..)) => {
                decide(&feed.spec.policy, &mut feed.memory, &known, value, feed.spec.decimals, block_now)
            }
            None => Decision::Hold(Hold::RoundUnknown),
        };
        let publish = match (decision, obstacle) {
            (Decision::Publish { answer, trigger }, None) => Some((answer, trigger)),
            _ => None,
        };
        feed.hold = match decision {
            Decision::Hold(hold) => Some(hold),
            // The contract is about to be asked; the feed is free again only once it has consented.
            Decision::Publish { .. } => obstacle.or(Some(Hold::InFlight)),
            Decision::Rest => obstacle,
        };
        feed.report_hold(id, patience, now, out);
        let due = feed.known.and_then(|(known, ..)| feed.spec.policy.heartbeat_at(&known));
        let due = due.map(|at| at + feed.spec.policy.heartbeat_lead);
        let overdue = due.filter(|due| chain_time > *due).map(|due| chain_time.since(due));
        feed.report_blocked(id, overdue, patience, out);
        self.read_round(id, now, out);
        let (Some((answer, trigger)), Ok(estimate)) = (publish, aggregation.value) else { return };
        let Some(feed) = self.feeds.get(id) else { return };
        let round = feed.round().unwrap_or(0).saturating_add(1);
        let (from, aggregator) = (feed.spec.account, feed.spec.aggregator);
        let decided = Decided {
            round,
            answer,
            observed_at: estimate.as_of,
            trigger,
            sources: estimate.venues,
            spread: estimate.spread,
            at: now.mono,
        };
        let asked: Asked<Decided> = self.ask(now, decided);
        let call = Call::Submit { aggregator, round, answer };
        out.push(Effect::Preflight { ticket: asked.ticket, from, call });
        let Some(feed) = self.feeds.get_mut(id) else { return };
        self.asking.insert(asked.ticket, id.clone());
        if let Some(unanswered) = feed.preflight.replace(asked) {
            self.asking.remove(&unanswered.ticket);
        }
    }

    /// Reads the contract, if what is known of it is missing or old, and at every head while something is on its way,
    /// so that a round that others write is seen before a replacement is signed for it, or while it takes no rounds.
    fn read_round(&mut self, id: &FeedId, now: Now, out: &mut Vec<Effect>) {
        let (Some(at), Some(feed)) = (self.window.tip().copied(), self.feeds.get(id)) else { return };
        let reading = feed.reading.as_ref().is_some_and(|r| now.mono < r.deadline);
        let refresh = self.chain.round_refresh;
        let waiting = feed.flight.is_some() || feed.paused || !feed.authorised;
        let old = waiting || feed.read_at.is_none_or(|read| now.mono.since(read) >= refresh);
        let news = feed.known.is_none_or(|(.., hash)| old && hash != at.hash);
        if reading || now.mono < feed.read_after || !news {
            return;
        }
        let asked = self.ask(now, ());
        out.push(Effect::FetchRound { ticket: asked.ticket, feed: id.clone(), at });
        if let Some(feed) = self.feeds.get_mut(id) {
            feed.reading = Some(asked);
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
        } else if feed.flight.is_some() || is_asking(feed, now) {
            Some(Hold::InFlight)
        } else if feed.refused_until.is_some_and(|until| now.mono < until) {
            Some(Hold::Refused)
        } else if self.draining || !self.anchored || !self.has_room(id, feed, now) {
            Some(Hold::AccountBusy)
        } else {
            None
        }
    }

    /// Whether a feed's account has room for one more, beside what others are already asking the contract about.
    fn has_room(&self, id: &FeedId, feed: &Feed, now: Now) -> bool {
        let account = feed.spec.account;
        let others = self.asking.values().filter(|other| *other != id);
        let others = others.filter_map(|other| self.feeds.get(other)).filter(|f| f.spec.account == account);
        let claims = others.filter(|other| is_asking(other, now)).count();
        let steps = self.step_checks.values().filter(|(a, ..)| *a == account).count();
        let outbox = self.outboxes.get(&account);
        outbox.is_some_and(|o| o.has_room(claims.saturating_add(steps).saturating_add(1), now.mono))
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
        let retry = self.chain.timing.retry;
        let window = &self.window;
        let Some(feed) = self.feeds.get_mut(id) else { return };
        if feed.reading.take_if(|r| r.ticket == ticket).is_none() {
            return;
        }
        let canonical = view.filter(|v| window.standing(v.block_number, v.block_hash) == Standing::Canonical);
        let Some(view) = canonical else {
            feed.read_after = now.mono + retry;
            return;
        };
        if feed.known.is_some_and(|(_, number, _)| number > view.block_number) {
            return; // Read again at the next look.
        }
        feed.read_at = Some(now.mono);
        let opened = (feed.paused && !view.paused) || (!feed.authorised && view.authorised);
        feed.paused = view.paused;
        feed.authorised = view.authorised;
        let known = Known { round: view.round, answer: view.answer, updated_at: view.updated_at };
        let before = feed.known.replace((known, view.block_number, view.block_hash));
        // While one of ours is on its way it has perhaps landed, and its receipt says so.
        let taken = feed.flight.is_none() && before.is_some_and(|(old, ..)| view.round > old.round);
        if opened || taken {
            feed.consented(); // What the contract refused was refused for what is over now.
        }
        if taken {
            out.push(Effect::Report(Event::RoundTaken { feed: id.clone(), round: view.round }));
        }
        self.follow();
        self.consider(id, now, out);
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
        let Some(id) = self.asking.remove(&ticket) else { return };
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        let Some(decided) = feed.preflight.take().map(|asked| asked.what) else { return };
        let gas_limit = match answer {
            PreflightAnswer::Gas(gas) => gas_limit(gas, feed),
            PreflightAnswer::Unknown => {
                feed.refused_until = Some(now.mono + retry);
                return;
            }
            PreflightAnswer::Reverts(reason) => {
                feed.refused(&id, reason, retry, now, out);
                return;
            }
        };
        feed.consented();
        let current = feed.round().and_then(|known| known.checked_add(1)) == Some(decided.round);
        if current && self.obstacle(&id, now).is_none() {
            self.plan_round(&id, decided, gas_limit, now, out);
        }
    }

    fn plan_round(&mut self, id: &FeedId, decided: Decided, gas_limit: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let account = feed.spec.account;
        let Some(outbox) = self.outboxes.get_mut(&account).filter(|o| o.is_synced()) else { return };
        let Decided { round, answer, observed_at, trigger, sources, spread, at } = decided;
        let event = Event::Decided { feed: id.clone(), round, answer, trigger, sources, spread };
        out.push(Effect::Report(event));
        let work = Work::Round { feed: id.clone(), aggregator: feed.spec.aggregator, round };
        let Some(nonce) = outbox.plan(work, now, out) else { return };
        let flight = Flight {
            trigger: Some(trigger),
            answer: Some((answer, observed_at, at)),
            decided: at,
            latency: Latency { decide: now.mono.since(at), ..Latency::default() },
            ..Flight::planned(gas_limit, now)
        };
        self.flights.insert((account, nonce), flight);
        feed.flight = Some((account, nonce));
        feed.planned_at = now.mono;
        feed.hold = Some(Hold::InFlight);
    }

    /// A round that reverted or was rejected is planned anew; one that keeps failing, ever more slowly.
    pub(super) fn round_failed(&mut self, id: &FeedId, now: Now) {
        let retry = self.chain.timing.retry;
        let Some(feed) = self.feeds.get_mut(id) else { return };
        feed.reverts = feed.reverts.saturating_add(1);
        feed.forget_round();
        if feed.reverts >= FAILURES_MAX {
            feed.refused_until = Some(now.mono + retry.times(4 << feed.reverts.min(6)));
        }
    }

    /// Says once that a source lost, changed or regained its vote. One that waits for its rate's first quotes, or for
    /// its own, has not lost anything yet.
    fn report_verdicts(
        &mut self,
        id: &FeedId,
        verdicts: &[Option<LeftOut>],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let paths = self.book.paths(id);
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let young = now.mono.since(feed.began) < feed.spec.pricing.max_age;
        let mut known = Vec::with_capacity(verdicts.len());
        for (index, (why, path)) in verdicts.iter().zip(paths).enumerate() {
            let before = feed.verdicts.get(index).copied().unwrap_or(Some(LeftOut::NeverSeen));
            let silent = before == Some(LeftOut::NeverSeen);
            let why = if silent && young && *why == Some(LeftOut::NoRate) { before } else { *why };
            known.push(why);
            let source = || path.market.to_string();
            match why {
                _ if why == before => {}
                Some(why) => {
                    out.push(Effect::Report(Event::SourceLeftOut {
                        feed: id.clone(),
                        source: source(),
                        why,
                    }));
                }
                None if !silent => {
                    out.push(Effect::Report(Event::SourceBack { feed: id.clone(), source: source() }));
                }
                None => {}
            }
        }
        feed.verdicts = known;
    }
}

/// Whether the contract is being asked about a decided answer.
fn is_asking(feed: &Feed, now: Now) -> bool {
    feed.preflight.as_ref().is_some_and(|p| now.mono < p.deadline)
}

/// The limit for an estimate: a quarter more, and within the feed's bounds.
pub(super) fn gas_limit(estimate: u64, feed: &Feed) -> u64 {
    let margin = estimate.saturating_add(estimate / 4);
    margin.clamp(feed.spec.gas_floor.min(feed.spec.gas_ceiling), feed.spec.gas_ceiling)
}
