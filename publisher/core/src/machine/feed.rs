//! What the machine remembers about one feed, and about one transaction on its way.

use super::FeedSpec;
use crate::aggregate::LeftOut;
use crate::event::{Event, Latency};
use crate::io::{Effect, Ticket};
use crate::policy::{Hold, Known, Memory, Trigger};
use crate::price::{Answer, Price};
use crate::quote::FeedId;
use crate::time::{Mono, Now, Span, Wall};
use alloy_primitives::{Address, B256};

/// A question that is being asked.
#[derive(Clone, Debug)]
pub(super) struct Asked<T> {
    pub ticket: Ticket,
    pub deadline: Mono,
    pub what: T,
}

/// An answer that has been decided and is being checked against the contract.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub round: u64,
    pub answer: Answer,
    pub observed_at: Wall,
    pub trigger: Trigger,
    pub sources: usize,
    pub spread: Price,
    pub at: Mono,
}

/// What is remembered about one transaction on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub trigger: Option<Trigger>,
    /// The answer decided or signed last, when it was observed, and when it was taken up.
    pub answer: Option<(Answer, Wall, Mono)>,
    pub gas_limit: u64,
    /// When the contract last consented to it.
    pub consent: Option<Mono>,
    /// The contract is being asked again.
    pub asking: Option<Asked<()>>,
    /// When it was last asked, it refused.
    pub refused: bool,
    pub decided: Mono,
    pub planned: Mono,
    pub signed: Mono,
    pub sent: Mono,
    pub latency: Latency,
}

impl Flight {
    /// One that an earlier process planned: the contract is asked again before anything is signed for it.
    pub fn adopted(gas_limit: u64) -> Self {
        Self {
            trigger: None,
            answer: None,
            gas_limit,
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
    pub fn planned(gas_limit: u64, now: Now) -> Self {
        let at = now.mono;
        Self { consent: Some(at), decided: at, planned: at, signed: at, sent: at, ..Self::adopted(gas_limit) }
    }
}

/// One feed's state.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub spec: FeedSpec,
    /// When this process began to look at it.
    pub began: Mono,
    pub memory: Memory,
    /// The latest round on the canonical chain, and the block that showed it.
    pub known: Option<(Known, u64, B256)>,
    pub paused: bool,
    pub authorised: bool,
    pub reading: Option<Asked<()>>,
    /// When the contract was last read, or never: it is read again at the next look.
    pub read_at: Option<Mono>,
    pub read_after: Mono,
    pub preflight: Option<Asked<Decided>>,
    pub refused_until: Option<Mono>,
    pub refusals: u32,
    pub refusal_reported: Option<String>,
    /// The transaction that the feed waits for.
    pub flight: Option<(Address, u64)>,
    pub planned_at: Mono,
    pub reverts: u32,
    pub hold: Option<Hold>,
    held_since: Option<(&'static str, Mono)>,
    hold_reported: Option<&'static str>,
    blocked_reported: bool,
    pub verdicts: Vec<Option<LeftOut>>,
    pub last_value: Option<(Answer, usize)>,
}

impl Feed {
    pub fn new(spec: FeedSpec, now: Now) -> Self {
        Self {
            spec,
            began: now.mono,
            memory: Memory::default(),
            known: None,
            paused: false,
            authorised: true,
            reading: None,
            read_at: None,
            read_after: now.mono,
            preflight: None,
            refused_until: None,
            refusals: 0,
            refusal_reported: None,
            flight: None,
            planned_at: now.mono,
            reverts: 0,
            hold: None,
            held_since: None,
            hold_reported: None,
            blocked_reported: false,
            verdicts: Vec::new(),
            last_value: None,
        }
    }

    /// Its latest round on the canonical chain.
    pub fn round(&self) -> Option<u64> {
        self.known.map(|(known, ..)| known.round)
    }

    /// What is known of the contract is to be read again before anything is based on it.
    pub fn forget_round(&mut self) {
        self.known = None;
        self.reading = None;
        self.read_at = None;
    }

    /// The contract's last refusal was answered by a consent.
    pub fn consented(&mut self) {
        self.refusals = 0;
        self.refused_until = None;
        self.refusal_reported = None;
    }

    /// The contract refuses. Says so once for each reason; returns for how long nothing is tried.
    pub fn refused(
        &mut self,
        id: &FeedId,
        reason: String,
        retry: Span,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Mono {
        /// The first refusal is tried again after this many retries' time, the eighth after eight times as long.
        const RETRIES: u64 = 4;
        self.refusals = self.refusals.saturating_add(1);
        let until = now.mono + retry.times(RETRIES.saturating_mul(u64::from(self.refusals.min(8))));
        self.refused_until = Some(until);
        // The next head may show why: somebody else's round, a pause, a revoked role.
        self.read_at = None;
        if self.refusal_reported.as_ref() != Some(&reason) {
            self.refusal_reported = Some(reason.clone());
            out.push(Effect::Report(Event::PreflightRefused { feed: Some(id.clone()), reason }));
        }
        until
    }

    /// Says that a feed holds back, or is free again: once, and of what passes by itself only after `patience`.
    pub fn report_hold(&mut self, id: &FeedId, patience: Span, now: Now, out: &mut Vec<Effect>) {
        let code = self.hold.map(Hold::code);
        if self.held_since.map(|(held, _)| held) != code {
            self.held_since = code.map(|code| (code, now.mono));
        }
        let lasts = self.held_since.is_some_and(|(_, since)| now.mono.since(since) >= patience);
        let passing = match self.hold {
            Some(Hold::InFlight) => true,
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
        let blocked =
            self.hold.filter(|hold| *hold != Hold::InFlight || overdue.is_some_and(|o| o >= patience));
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
