//! Replicas: processes that drive machines over the shared journal, one machine for each lease that they hold.
//!
//! Effects are performed one after the other, as the driver performs them. Between any two a process may die, or
//! freeze and go on later as if nothing had been: it then finishes what it had begun before it looks at its lease.

use super::journal::Fenced;
use super::setup::{LEASE, timing};
use super::trading::Trading;
use super::world::{Happening, World};
use crate::io::{Effect, Input, Ticket};
use crate::lease::{Board, Change, Epoch, Leases, ReplicaId};
use crate::machine::Machine;
use crate::outbox::Outbox;
use crate::quote::FeedId;
use crate::record::{Record, replay};
use crate::time::{Mono, Span};
use alloy_primitives::Address;
use std::collections::VecDeque;

/// One life of one machine: what was meant for an earlier one is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub replica: usize,
    pub shard: usize,
    life: u64,
}

/// How a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Dead,
    Running,
    Frozen,
}

/// A process and what surrounds it.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    health: Health,
    leases: Option<Leases>,
    /// Numbers its beats, over all its lives.
    beats: u64,
    /// Answers to beats that came while it was frozen.
    unread: Vec<(Ticket, Board)>,
    pub clock_wrong_ms: i64,
    /// It does not hear the journal until then; whether the journal hears it.
    pub journal_lost: (u64, bool),
    /// It does not reach these nodes until then.
    pub nodes_lost: Vec<u64>,
    /// The node whose heads it believes.
    pub reader: usize,
}

/// A replica's part in a shard: a machine while it holds the lease.
#[derive(Debug, Default)]
pub(super) struct Seat {
    machine: Option<Machine>,
    life: u64,
    epoch: Epoch,
    /// What the machine asked for and has not been begun.
    effects: VecDeque<Effect>,
    /// When it asked for that.
    asked: Mono,
    /// What the machine has not been told yet.
    inputs: VecDeque<Input>,
}

impl Replica {
    pub fn new(nodes: usize) -> Self {
        Self {
            health: Health::Dead,
            leases: None,
            beats: 0,
            unread: Vec::new(),
            clock_wrong_ms: 0,
            journal_lost: (0, false),
            nodes_lost: vec![0; nodes],
            reader: 0,
        }
    }
}

impl World {
    /// The shard that a feed belongs to.
    pub fn shard_of(&self, feed: &FeedId) -> Option<usize> {
        let place = self.feeds.get(feed)?;
        self.shards.iter().position(|accounts| accounts.contains(&place.account))
    }

    /// The feeds of a shard.
    pub fn feeds_of(&self, shard: usize) -> Vec<FeedId> {
        self.feeds.keys().filter(|feed| self.shard_of(feed) == Some(shard)).cloned().collect()
    }

    fn is_running(&self, replica: usize) -> bool {
        self.replicas.get(replica).is_some_and(|replica| replica.health == Health::Running)
    }

    /// Whether a replica hears the journal, and whether the journal hears it.
    fn journal_heard(&self, replica: usize) -> (bool, bool) {
        let (until, arrives) = self.replicas.get(replica).map_or((0, false), |replica| replica.journal_lost);
        let heard = self.now_ms >= until;
        (heard, heard || arrives)
    }

    /// Whether a replica writes for a shard and nothing keeps it from doing so.
    pub fn is_fit(&self, place @ (replica, _): (usize, usize)) -> bool {
        let acts = |seat: &Seat| {
            let machine = seat.machine.as_ref();
            machine.is_some_and(|machine| !machine.outboxes().values().any(Outbox::is_halted))
        };
        let seat = self.seats.get(&place).is_some_and(acts);
        seat && self.is_running(replica) && self.journal_heard(replica).0 && self.reads_well(replica)
    }

    fn run_at(&self, (replica, shard): (usize, usize)) -> Option<Run> {
        let life = self.seats.get(&(replica, shard))?.life;
        Some(Run { replica, shard, life })
    }

    /// The run that polls venues at a seat. One that waits for the journal does not.
    pub fn polls_venues(&self, place: (usize, usize)) -> Option<Run> {
        let seat = self.seats.get(&place)?;
        let ready = seat.machine.is_some() && seat.effects.is_empty() && seat.inputs.is_empty();
        (ready && self.is_running(place.0)).then(|| self.run_at(place)).flatten()
    }

    /// Every machine of a replica that is alive.
    pub fn runs(&self, replica: usize) -> Vec<Run> {
        let alive = |place: &(usize, usize)| self.seats.get(place).is_some_and(|seat| seat.machine.is_some());
        self.places(replica).into_iter().filter(alive).filter_map(|place| self.run_at(place)).collect()
    }

    /// The account that names a shard's lease.
    pub fn lease_of(&self, shard: usize) -> Address {
        self.shards.get(shard).and_then(|accounts| accounts.first()).copied().unwrap_or_default()
    }

    fn places(&self, replica: usize) -> Vec<(usize, usize)> {
        (0..self.shards.len()).map(|shard| (replica, shard)).collect()
    }

    /// A process starts.
    pub fn boot(&mut self, replica: usize) {
        let wants = (0..self.shards.len()).map(|shard| self.lease_of(shard)).collect();
        let (now, alone) = (self.now(replica), self.storm.replicas == 1);
        let Some(process) = self.replicas.get_mut(replica).filter(|r| r.health == Health::Dead) else {
            return;
        };
        let me = ReplicaId::new(&format!("replica {replica}, {}", process.beats));
        process.leases = Some(Leases::new(me, (!alone).then_some(LEASE), wants, false, now));
        process.health = Health::Running;
        self.wake(replica);
    }

    /// A process dies; another takes its place after `down`.
    pub fn kill(&mut self, replica: usize, down: Span) {
        let Some(process) = self.replicas.get_mut(replica) else { return };
        if std::mem::replace(&mut process.health, Health::Dead) == Health::Dead {
            return;
        }
        process.unread.clear();
        if let Some(leases) = process.leases.take().filter(|_| self.storm.replicas == 1) {
            self.journal.gone(leases.me());
        }
        self.judge.report.crashes += 1;
        for place in self.places(replica) {
            self.stop(place);
        }
        self.at(down.ms(), Happening::Start(replica));
    }

    /// A process stops without knowing it.
    pub fn freeze(&mut self, replica: usize, span: Span) {
        let Some(process) = self.replicas.get_mut(replica).filter(|r| r.health == Health::Running) else {
            return;
        };
        process.health = Health::Frozen;
        self.judge.report.freezes += 1;
        self.at(span.ms(), Happening::Thaw(replica));
    }

    pub fn thaw(&mut self, replica: usize) {
        let Some(process) = self.replicas.get_mut(replica).filter(|r| r.health == Health::Frozen) else {
            return;
        };
        process.health = Health::Running;
        for (ticket, board) in std::mem::take(&mut process.unread) {
            self.board(replica, ticket, board);
        }
        for place in self.places(replica) {
            self.drive(place);
        }
        self.wake(replica);
    }

    /// A replica's timers: leases and ticks.
    pub fn wake(&mut self, replica: usize) {
        let now = self.now(replica);
        if !self.is_running(replica) {
            return;
        }
        let leases = self.replicas.get_mut(replica).and_then(|process| process.leases.as_mut());
        for lost in leases.map(|leases| leases.expire(now)).unwrap_or_default() {
            self.lost_lease(replica, lost);
        }
        for run in self.runs(replica) {
            let place = (replica, run.shard);
            // It may have died while another of its machines was driven.
            let Some(seat) = self.seats.get(&place).filter(|seat| seat.life == run.life) else { continue };
            let epoch = seat.epoch;
            self.judge.acting(self.lease_of(run.shard), epoch);
            self.drive(place);
            self.deliver(run, Input::Tick);
        }
        self.beat(replica);
    }

    /// Asks the journal for what is due: leases, and more of them.
    fn beat(&mut self, replica: usize) {
        let (now, now_ms) = (self.now(replica), self.now_ms);
        let (hears, heard) = self.journal_heard(replica);
        let idle: Vec<Address> = self.idle(replica);
        let Some(process) = self.replicas.get_mut(replica) else { return };
        let Some(leases) = &mut process.leases else { return };
        let ticket = Ticket(process.beats + 1);
        let Some(beat) = leases.beat(ticket, now, |account| idle.contains(&account)) else { return };
        process.beats += 1;
        let me = leases.me().clone();
        for lease in beat.release.keys() {
            self.lost_lease(replica, *lease);
        }
        if !heard {
            return;
        }
        let board = self.journal.beat(&me, &beat, now_ms);
        for (lease, epoch) in board.held.iter().filter(|(lease, _)| beat.take.contains(*lease)) {
            self.judge.taken(*lease, *epoch);
        }
        if hears && !(self.storm.replicas > 1 && self.lost()) {
            let delay = self.latency();
            self.at(delay, Happening::Board(replica, ticket, board));
        }
    }

    /// The journal's answer to a beat. A frozen process finds it when it goes on.
    pub fn board(&mut self, replica: usize, ticket: Ticket, board: Board) {
        let now = self.now(replica);
        let Some(process) = self.replicas.get_mut(replica) else { return };
        if process.health == Health::Frozen {
            return process.unread.push((ticket, board));
        }
        let Some(leases) = &mut process.leases else { return };
        for change in leases.answered(ticket, Some(board), now) {
            match change {
                Change::Taken(account, epoch) => self.begin(replica, account, epoch),
                Change::Lost(account) => self.lost_lease(replica, account),
            }
        }
        self.beat(replica);
    }

    /// The leases of which a replica has nothing on its way.
    fn idle(&self, replica: usize) -> Vec<Address> {
        let idle =
            |seat: &Seat| seat.effects.is_empty() && seat.machine.as_ref().is_some_and(Machine::is_idle);
        let places = self.places(replica).into_iter().filter(|place| self.seats.get(place).is_some_and(idle));
        places.map(|(_, shard)| self.lease_of(shard)).collect()
    }

    fn shard_named(&self, lease: Address) -> usize {
        self.shards.iter().position(|accounts| accounts.first() == Some(&lease)).unwrap_or(usize::MAX)
    }

    fn lost_lease(&mut self, replica: usize, lease: Address) {
        self.stop((replica, self.shard_named(lease)));
    }

    /// A machine starts from what the journal says.
    fn begin(&mut self, replica: usize, lease: Address, epoch: Epoch) {
        let shard = self.shard_named(lease);
        let recovered = replay(self.journal.records(lease));
        let spec = self.spec(shard);
        for feed in spec.feeds.keys() {
            self.judge.forget_quotes(replica, feed);
            self.judge.forget_quotes(replica, &feed.off_hours());
        }
        match (Machine::new(spec, &recovered, self.now(replica)), self.seats.get_mut(&(replica, shard))) {
            (Ok(machine), Some(seat)) => {
                *seat = Seat { machine: Some(machine), life: seat.life + 1, epoch, ..Seat::default() };
                self.judge.report.takeovers += 1;
                if let Some(run) = self.run_at((replica, shard)) {
                    self.deliver(run, Input::Tick);
                }
            }
            (Err(error), _) => self.judge.accuse(format!("the configuration was refused: {error}")),
            (Ok(_), None) => {}
        }
    }

    /// A machine ends, and everything that it had begun with it.
    fn stop(&mut self, place: (usize, usize)) {
        if let Some(seat) = self.seats.get_mut(&place) {
            *seat = Seat { life: seat.life + 1, ..Seat::default() };
        }
    }

    /// An input for a machine. A frozen process finds it when it goes on.
    pub fn deliver(&mut self, run: Run, input: Input) {
        let place = (run.replica, run.shard);
        let seat = self.seats.get_mut(&place).filter(|s| s.life == run.life && s.machine.is_some());
        if let Some(seat) = seat {
            seat.inputs.push_back(input);
            self.drive(place);
        }
    }

    /// Performs effects and hands over inputs, as long as that is possible.
    fn drive(&mut self, place: (usize, usize)) {
        while self.is_running(place.0) {
            let now = self.now(place.0);
            let Some(seat) = self.seats.get_mut(&place) else { return };
            if let Some(effect) = seat.effects.pop_front() {
                if effect.is_late(seat.asked, now.mono) {
                    continue;
                }
                if !matches!(effect, Effect::Report(_)) && self.struck(place, &effect) {
                    return;
                }
                if !self.perform(place, effect) {
                    return;
                }
            } else if let Some(input) = seat.inputs.pop_front() {
                self.step(place, input);
            } else {
                return;
            }
        }
    }

    /// Between two effects a process may die or freeze.
    fn struck(&mut self, place @ (replica, _): (usize, usize), next: &Effect) -> bool {
        if self.storm.misfortune_every == Span::ZERO {
            return false;
        }
        match self.rng.u32(0..12_000) {
            0 => self.crash(replica),
            1..=3 if self.storm.mischief => {
                if let Some(seat) = self.seats.get_mut(&place) {
                    seat.effects.push_front(next.clone());
                }
                self.stall(replica);
            }
            _ => return false,
        }
        true
    }

    fn step(&mut self, place @ (replica, shard): (usize, usize), input: Input) {
        let (now, time) = (self.now(replica), self.time());
        for feed in self.feeds_of(shard) {
            let switches = self.trading.get(&feed).is_some_and(Trading::switches);
            for set in [feed.off_hours(), feed.clone()].into_iter().skip(usize::from(!switches)) {
                self.judge.look(replica, &set, now.wall, time);
                if !self.judge.has_quorum(replica, &set, now.wall) {
                    self.judge.excuse(&feed, time, time + Span::from_s(2));
                }
            }
        }
        let Some(seat) = self.seats.get_mut(&place) else { return };
        let Some(machine) = &mut seat.machine else { return };
        self.judge.report.steps += 1;
        let effects = machine.step(now, input);
        // Signed is signed now: a process that freezes before it writes this down cannot help its age.
        let records = effects.iter().filter_map(|effect| match effect {
            Effect::Persist(records) => Some(records),
            _ => None,
        });
        for record in records.flatten() {
            if let Record::Attempt { account, nonce, attempt, .. } = record {
                self.judge.signed(replica, (*account, *nonce), attempt, now.wall, &self.chain, time);
            }
        }
        seat.effects.extend(effects);
        seat.asked = now.mono;
    }

    /// Performs one effect; returns whether the next may follow.
    fn perform(&mut self, place @ (replica, shard): (usize, usize), effect: Effect) -> bool {
        let Some(run) = self.run_at(place) else { return false };
        self.judge.report.requests += u64::from(!matches!(effect, Effect::Report(_) | Effect::Persist(_)));
        match effect {
            Effect::Report(_) => self.judge.report.events += 1,
            Effect::Persist(records) => return self.persist(place, records),
            Effect::Sign { ticket, tx } => self.sign(run, ticket, tx),
            request => {
                if let Effect::Broadcast { hash, .. } = &request {
                    let (wall, time) = (self.now(replica).wall, self.time());
                    self.judge.broadcast(replica, *hash, wall, time);
                }
                if self.readers(replica).is_empty() || self.lost() {
                    self.excuse_now(timing().answer_timeout + Span::from_s(1));
                } else {
                    let delay = self.latency();
                    self.at(delay, Happening::Node(run, request));
                }
            }
        }
        self.seats.get(&(replica, shard)).is_some_and(|seat| seat.life == run.life)
    }

    /// Writes records. Without an answer nothing that follows is begun, and they are written again.
    fn persist(&mut self, place @ (replica, shard): (usize, usize), records: Vec<Record>) -> bool {
        let (hears, heard) = self.journal_heard(replica);
        let (lease, epoch) = (self.lease_of(shard), self.seats.get(&place).map_or(0, |seat| seat.epoch));
        let written = heard.then(|| self.journal.append(lease, epoch, &records));
        if let Some(Ok(new)) = &written {
            let time = self.time();
            for record in new {
                if matches!(record, Record::Halted { .. }) {
                    let looked = self.rng.u64(30_000..120_000);
                    self.at(looked, Happening::Acknowledge(shard));
                }
                self.judge.written(lease, epoch);
                self.judge.recorded(record, &self.chain, time);
                if let Some(excess) = self.purse.recorded(record, time) {
                    self.judge.accuse(excess);
                }
            }
        }
        if !hears {
            if let Some(seat) = self.seats.get_mut(&place) {
                seat.effects.push_front(Effect::Persist(records));
            }
            return false;
        }
        if written == Some(Err(Fenced)) {
            let now = self.now(replica);
            self.judge.report.fenced += 1;
            if let Some(leases) = self.replicas.get_mut(replica).and_then(|process| process.leases.as_mut()) {
                leases.fenced(lease, now);
            }
            self.stop(place);
            return false;
        }
        true
    }
}
