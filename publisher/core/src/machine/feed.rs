//! What the machine remembers about one feed, about what is decided, and about one transaction on its way.

use super::FeedSpec;
use super::contract::Refusals;
use crate::aggregate::{Estimate, LeftOut};
use crate::event::{Event, Latency};
use crate::io::{Effect, Ticket};
use crate::policy::{Conduct, Halt, Hold, Known, Memory, Order, Policy, Said, Sets, Sleep, Status, Trigger};
use crate::price::{Answer, Price, Ratio};
use crate::quote::{FamilyId, FeedId};
use crate::time::{Mono, Now, Span, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// A question that is being asked.
#[derive(Clone, Debug)]
pub(super) struct Asked<T> {
    pub ticket: Ticket,
    pub deadline: Mono,
    pub what: T,
}

/// What is decided for a contract and being checked against it.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    /// The round or sequence that it would be.
    pub number: u64,
    /// What it would say.
    pub entries: Vec<DecidedEntry>,
    pub at: Mono,
}

/// One feed's part of it.
#[derive(Clone, Debug)]
pub(super) struct DecidedEntry {
    pub feed: FeedId,
    pub round: u64,
    pub offer: Offer,
    pub trigger: Trigger,
}

/// A value that may be published now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub answer: Answer,
    pub observed_at: Wall,
    pub sources: usize,
    pub spread: Price,
    pub urgency: Urgency,
    /// What the market let the feed do when it was decided.
    pub conduct: Conduct,
}

/// How much a feed wants to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Not by itself.
    Rests,
    /// Not by itself, but nearly.
    Nears,
    /// Not by itself, but a heartbeat with which its own comes is due.
    Syncs,
    /// At once.
    Due(Trigger),
}

/// What is remembered about one transaction on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// Why each feed was to be written; empty if an earlier process planned it.
    pub triggers: BTreeMap<FeedId, Trigger>,
    /// The answers decided or signed last, when they were observed, and when they were taken up.
    pub answers: BTreeMap<FeedId, (Answer, Wall, Mono)>,
    /// The gas that it takes by the contract's last consent; `None`: by none yet.
    pub gas: Option<u64>,
    /// When the contract last consented to it.
    pub consent: Option<Mono>,
    /// The contract is being asked again.
    pub asking: Option<Asked<()>>,
    /// When it was last asked, it refused.
    pub refused: bool,
    /// Which of its feeds wrote a round where it is included, and which round, where that is known.
    pub wrote: BTreeMap<FeedId, Option<u64>>,
    pub decided: Mono,
    pub planned: Mono,
    pub signed: Mono,
    pub sent: Mono,
    pub latency: Latency,
}

impl Flight {
    /// One that an earlier process planned: the contract is asked again before anything is signed for it.
    pub fn adopted() -> Self {
        Self {
            triggers: BTreeMap::new(),
            answers: BTreeMap::new(),
            gas: None,
            wrote: BTreeMap::new(),
            consent: None,
            asking: None,
            refused: false,
            decided: Mono::default(),
            planned: Mono::default(),
            signed: Mono::default(),
            sent: Mono::default(),
            latency: Latency::default(),
        }
    }

    /// One that the contract consents to now.
    pub fn planned(gas: u64, now: Now) -> Self {
        let at = now.mono;
        Self {
            gas: Some(gas),
            consent: Some(at),
            decided: at,
            planned: at,
            signed: at,
            sent: at,
            ..Self::adopted()
        }
    }
}

/// One feed's state.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub spec: FeedSpec,
    /// The policy that holds: the configured one under the orders that stand, as far as its market lets it, and while a
    /// peg is lost.
    pub policy: Policy,
    /// When its heartbeat was last shortened for a while.
    hastened: Wall,
    /// The orders that stand.
    pub orders: Vec<Order>,
    /// When its market was halted lately, and is.
    pub halts: Vec<Halt>,
    /// When this process began to look at it.
    pub began: Mono,
    pub memory: Memory,
    /// The latest round on the canonical chain, if its contract is known.
    pub known: Option<Known>,
    /// Whether it is awake, and whether people know that this cannot be read.
    pub sleep: Sleep,
    pub flag_reported: bool,
    /// A store skips its entries.
    pub paused: bool,
    /// A store skipped its entries.
    pub skips: Refusals,
    /// What the last look found that may be published.
    pub offer: Option<Offer>,
    pub hold: Option<Hold>,
    /// When it was last due, what it may spend was spent.
    pub is_over_budget: bool,
    held_since: Option<(&'static str, Mono)>,
    hold_reported: Option<&'static str>,
    blocked_reported: bool,
    stuck_reported: bool,
    /// Why each source of each of its sets last had no vote.
    pub verdicts: BTreeMap<FeedId, Vec<Option<LeftOut>>>,
    /// The answer that was last to be signed, and the families that stood behind it.
    pub backers: Option<(Answer, BTreeSet<FamilyId>)>,
    /// What its sources said when they were looked at last: the margin of the quorum, and the value.
    pub seen: Option<(isize, Option<Estimate>)>,
    /// The last value that might have been published while its market was open.
    pub last_open: Option<Estimate>,
    /// What its sets of sources have said. An opening of before this process began is over: the process has said nothing
    /// before it with which it could go on.
    pub sets: Sets,
    pub market_reported: Option<Status>,
    pub calendar_end_reported: bool,
    /// Since when it waits for quotes of after an opening, and whether people know.
    pub opening: Option<(Mono, bool)>,
}

impl Feed {
    pub fn new(mut spec: FeedSpec, now: Now) -> Self {
        spec.policy = spec.policy.as_backup();
        let began = Said { as_of: Some(now.wall), speaks: false };
        Self {
            sleep: if spec.policy.hibernate_flag.is_some() { Sleep::Unknown } else { Sleep::Awake },
            flag_reported: false,
            policy: spec.policy.clone(),
            hastened: Wall::default(),
            orders: Vec::new(),
            halts: Vec::new(),
            spec,
            began: now.mono,
            memory: Memory::default(),
            known: None,
            paused: false,
            skips: Refusals::default(),
            offer: None,
            hold: None,
            is_over_budget: false,
            held_since: None,
            hold_reported: None,
            blocked_reported: false,
            stuck_reported: false,
            verdicts: BTreeMap::new(),
            backers: None,
            seen: None,
            last_open: None,
            sets: Sets { main: began, off_hours: began },
            market_reported: None,
            calendar_end_reported: false,
            opening: None,
        }
    }

    /// Computes the policy that holds from the configured one, the orders that stand, and how the world is.
    pub fn hold_to(&mut self, conduct: Conduct, is_off_peg: bool, now: Wall) {
        let policy = self.spec.policy.under(&self.orders).halted(&self.halts);
        let policy = policy.off_peg(is_off_peg).during(conduct);
        let Policy { heartbeat: before, conduct: old, .. } = std::mem::replace(&mut self.policy, policy);
        if (old == Conduct::SwitchSource) != (conduct == Conduct::SwitchSource) {
            self.memory.change_sources();
        }
        let after = self.policy.heartbeat;
        if after > Span::ZERO && (before == Span::ZERO || after < before) {
            self.hastened = now;
        }
    }

    /// When its next heartbeat is to be sent. One that was shortened a moment ago is not late by what was not asked of
    /// it before.
    pub fn heartbeat_at(&self) -> Option<Wall> {
        let at = self.policy.heartbeat_at(&self.known?)?;
        Some(at.max(self.hastened))
    }

    /// Its latest round on the canonical chain.
    pub fn round(&self) -> Option<u64> {
        self.known.map(|known| known.round)
    }

    /// Whether a value that becomes unsure now makes a round; `None` where no rule says so.
    pub fn is_armed(&self) -> Option<bool> {
        (self.policy.confidence.ratio > Ratio::default()).then(|| self.memory.is_armed())
    }

    /// How its breaker stands; `None` where it has none.
    pub fn breaker_state(&self) -> Option<&'static str> {
        (self.policy.breaker.min > Ratio::default()).then(|| self.memory.breaker_state())
    }

    /// Whether the value has left an answer that is on its way by as much as the policy accepts.
    pub fn has_left(&self, pending: Answer) -> bool {
        let accepts = self.policy.accept_deviation;
        accepts.ppb() > 0 && self.offer.is_some_and(|offer| pending.deviates(offer.answer, accepts))
    }

    /// Says that a feed holds back, or is free again: once, and of what passes by itself only after `patience`.
    pub fn report_hold(&mut self, id: &FeedId, patience: Span, now: Now, out: &mut Vec<Effect>) {
        let code = self.hold.map(Hold::code);
        if self.held_since.map(|(held, _)| held) != code {
            self.held_since = code.map(|code| (code, now.mono));
        }
        let lasts = self.held_since.is_some_and(|(_, since)| now.mono.since(since) >= patience);
        let stuck = self.hold == Some(Hold::BreakerOpen) && !self.stuck_reported;
        let since = self.held_since.map_or(now.mono, |(_, since)| since);
        if stuck && now.mono.since(since) >= self.policy.breaker.max_open {
            self.stuck_reported = true;
            let for_span = now.mono.since(since);
            out.push(Effect::Report(Event::BreakerStuck { feed: id.clone(), for_span }));
        }
        self.stuck_reported &= self.hold == Some(Hold::BreakerOpen);
        let passing = match self.hold {
            Some(Hold::InFlight | Hold::Gathering | Hold::RateFloor | Hold::Standby | Hold::Leased) => true,
            Some(Hold::MarketClosed | Hold::Hibernating) => true,
            Some(Hold::AccountBusy | Hold::RoundUnknown) => !lasts,
            _ => false,
        };
        if passing || code == self.hold_reported {
            return;
        }
        self.hold_reported = code;
        out.push(Effect::Report(match self.hold {
            Some(hold) => Event::HeldBack { feed: id.clone(), hold },
            None => Event::Released { feed: id.clone() },
        }));
    }

    /// Says once that a heartbeat is overdue and why nothing is on its way, or that what is does not arrive.
    pub fn report_blocked(
        &mut self,
        id: &FeedId,
        overdue: Option<Span>,
        patience: Span,
        out: &mut Vec<Effect>,
    ) {
        let passing = |hold: Hold| matches!(hold, Hold::InFlight | Hold::Standby);
        let blocked = self.hold.filter(|hold| !passing(*hold) || overdue.is_some_and(|o| o >= patience));
        // That its heartbeats stop is what was asked for.
        let blocked = blocked.filter(|hold| !matches!(hold, Hold::MarketClosed | Hold::Hibernating));
        match (overdue, blocked) {
            (Some(overdue), Some(hold)) if !self.blocked_reported => {
                self.blocked_reported = true;
                out.push(Effect::Report(Event::HeartbeatBlocked { feed: id.clone(), overdue, hold }));
            }
            (None, _) if self.known.is_some() => self.blocked_reported = false,
            _ => {}
        }
    }
}
