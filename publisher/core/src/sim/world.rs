//! The world: a clock, an event queue, a chain, venues, and the machine under test.

use super::chain::Chain;
use super::check::{Judge, Report};
use super::setup::{BLOCK, FEE_CAP_WEI, HEARTBEAT, LEAD, MAX_AGE, QUORUM, VENUES, feeds, timing};
use super::weather::Ills;
use crate::fees::FeeProfile;
use crate::head::Finality;
use crate::io::{Effect, Input};
use crate::machine::Machine;
use crate::quote::{FeedId, MarketId, Observation, Quote, SourceFault};
use crate::record::{Record, replay};
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::TxRequest;
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// Heads are polled this often, in milliseconds; venues half as often.
pub(super) const POLL: u64 = 1000;
const EPOCH_MS: i64 = 1_800_000_000_000;

/// How a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Everything random follows from it.
    pub seed: u64,
    /// Simulated hours.
    pub hours: u64,
    /// The chain's finality. Reorganisations happen only where blocks are not final at once.
    pub finality: Finality,
    /// How the chain charges.
    pub fees: FeeProfile,
    /// Requests, and answers, lost on each leg, per thousand.
    pub loss_permille: u32,
    /// A misfortune happens about this often; zero: never.
    pub misfortune_every: Span,
    /// Among the misfortunes are strangers who write rounds of ours, contracts that pause, clocks that jump an hour,
    /// and nodes that refuse what they should take.
    pub mischief: bool,
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Wake,
    Poll,
    Venue(usize),
    Mine,
    Misfortune,
    Restart,
    /// Our clock is set right again.
    ClockRight,
    /// A request reaches the node. Broadcasts do, even if their sender is dead by then.
    Node(u64, Effect),
    /// An answer reaches the machine, if it is still the one that asked.
    Answer(u64, Input),
}

pub(super) struct World {
    pub storm: Storm,
    pub rng: fastrand::Rng,
    pub now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    seq: u64,
    pub generation: u64,
    pub machine: Option<Machine>,
    pub journal: Vec<Record>,
    pub chain: Chain,
    pub judge: Judge,
    pub ills: Ills,
    /// Account, aggregator and true price of every feed.
    pub feeds: BTreeMap<FeedId, (Address, Address, i128)>,
    pub signed: BTreeMap<B256, TxRequest>,
    pub hashes: u64,
}

/// Runs one storm to its end.
pub fn run(storm: Storm) -> Report {
    let mut world = World::new(storm);
    world.start();
    let end = storm.hours * 3_600_000;
    while let Some(((at, _), happening)) = world.queue.pop_first() {
        if at > end {
            break;
        }
        world.now_ms = at;
        world.happen(happening);
    }
    world.finish()
}

impl World {
    fn new(storm: Storm) -> Self {
        let feeds = feeds();
        let judge = Judge::new(feeds.keys().cloned(), MAX_AGE, QUORUM, FEE_CAP_WEI);
        Self {
            rng: fastrand::Rng::with_seed(storm.seed),
            storm,
            now_ms: 0,
            queue: BTreeMap::new(),
            seq: 0,
            generation: 0,
            machine: None,
            journal: Vec::new(),
            chain: Chain::new(Wall::from_ms(EPOCH_MS)),
            judge,
            ills: Ills::default(),
            feeds,
            signed: BTreeMap::new(),
            hashes: 0,
        }
    }

    /// The true time.
    pub fn time(&self) -> Wall {
        Wall::from_ms(EPOCH_MS + i64::try_from(self.now_ms).unwrap_or(i64::MAX / 2))
    }

    /// What the machine's clocks say.
    pub fn now(&self) -> Now {
        let wall = Wall::from_ms(self.time().ms() + self.ills.clock_wrong_ms);
        Now { wall, mono: Mono::from_ms(self.now_ms) }
    }

    pub fn at(&mut self, delay_ms: u64, happening: Happening) {
        self.seq += 1;
        self.queue.insert((self.now_ms + delay_ms, self.seq), happening);
    }

    pub fn latency(&mut self) -> u64 {
        self.rng.u64(2..60)
    }

    pub fn lost(&mut self) -> bool {
        let lost = self.rng.u32(0..1000) < self.storm.loss_permille;
        if lost {
            self.judge.report.losses += 1;
        }
        lost
    }

    /// Something that costs `span` from now on, for every feed: accounts are shared, so one waits for another.
    pub fn excuse(&mut self, from: Wall, span: Span) {
        let to = self.time() + span;
        for feed in self.feeds.keys().cloned().collect::<Vec<_>>() {
            self.judge.excuse(&feed, from, to);
        }
    }

    pub fn excuse_now(&mut self, span: Span) {
        self.excuse(self.time(), span);
    }

    fn start(&mut self) {
        for venue in 0..VENUES {
            self.at(venue as u64 * 137, Happening::Venue(venue));
        }
        self.at(BLOCK.ms(), Happening::Mine);
        self.at(50, Happening::Poll);
        if self.storm.misfortune_every > Span::ZERO {
            self.at(60_000, Happening::Misfortune);
        }
        self.boot();
    }

    /// A process starts from what the journal says.
    fn boot(&mut self) {
        self.generation += 1;
        let recovered = replay(&self.journal);
        match Machine::new(self.spec(), &recovered, self.now()) {
            Ok(machine) => self.machine = Some(machine),
            Err(error) => self.judge.accuse(format!("the configuration was refused: {error}")),
        }
        self.judge.forget_quotes();
        self.at(0, Happening::Wake);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake => {
                if let Some(machine) = &self.machine {
                    let next = machine.wake_at().ms().saturating_sub(self.now_ms).max(250);
                    self.at(next, Happening::Wake);
                    self.input(Input::Tick);
                }
            }
            Happening::Poll => self.poll_head(),
            Happening::Venue(venue) => self.poll_venue(venue),
            Happening::Mine => {
                self.at(BLOCK.ms(), Happening::Mine);
                self.mine();
            }
            Happening::Misfortune => self.misfortune(),
            Happening::Restart => self.boot(),
            Happening::ClockRight => self.set_clock(0),
            Happening::Node(generation, effect) => self.node(generation, effect),
            Happening::Answer(generation, input) => {
                if generation == self.generation {
                    self.input(input);
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        let (now, time) = (self.now(), self.time());
        for feed in self.feeds.keys().cloned().collect::<Vec<_>>() {
            self.judge.look(&feed, now.wall, time);
            if !self.judge.has_quorum(&feed, now.wall) {
                self.judge.excuse(&feed, time, time + Span::from_s(2));
            }
        }
        let Some(machine) = &mut self.machine else { return };
        self.judge.report.steps += 1;
        let effects = machine.step(now, input);
        for effect in effects {
            let kill = self.storm.misfortune_every > Span::ZERO && self.rng.u32(0..12_000) == 0;
            if kill && !matches!(effect, Effect::Report(_)) {
                return self.crash();
            }
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        self.judge.report.requests += u64::from(!matches!(effect, Effect::Report(_) | Effect::Persist(_)));
        match effect {
            Effect::Report(_) => self.judge.report.events += 1,
            Effect::Persist(records) => {
                records.iter().for_each(|record| self.judge.recorded(record));
                self.journal.extend(records);
            }
            Effect::Sign { ticket, tx } => self.sign(ticket, tx),
            request => {
                if let Effect::Broadcast { hash, .. } = &request {
                    self.judge.broadcast(*hash);
                }
                if self.now_ms < self.ills.node_down || self.lost() {
                    return self.excuse_now(timing().answer_timeout + Span::from_s(1));
                }
                let delay = self.latency();
                let generation = self.generation;
                self.at(delay, Happening::Node(generation, request));
            }
        }
    }

    fn poll_venue(&mut self, venue: usize) {
        self.at(2 * POLL, Happening::Venue(venue));
        let (now, time) = (self.now().wall, self.time());
        let name = format!("venue{venue}");
        let dead = self.ills.venue_dead.get(venue).is_some_and(|until| self.now_ms < *until);
        let lie =
            self.ills.venue_lies.get(venue).filter(|(until, _)| self.now_ms < *until).map(|(_, by)| *by);
        let mut observations = Vec::new();
        let mut told = Vec::new();
        let feeds: Vec<FeedId> = self.feeds.keys().cloned().collect();
        for feed in feeds {
            let market = MarketId::new(&name, feed.as_str());
            let step = self.rng.i128(-30..=30);
            let noise = self.rng.i128(-5..=5);
            let Some((_, _, price)) = self.feeds.get_mut(&feed) else { continue };
            *price = (*price + *price * step / 100_000).max(5_000);
            let value = *price + *price * noise / 100_000;
            let value = lie.map_or(value, |percent| value * percent / 100).max(1);
            if dead {
                observations.push(Observation::Missing { market, fault: SourceFault::Timeout });
            } else if let Ok(last) = format!("{value}e-8").parse() {
                observations.push(Observation::Quote(Quote {
                    market,
                    bid: None,
                    ask: None,
                    last: Some(last),
                    as_of: now,
                    received: now,
                }));
                told.push((feed, value));
            }
        }
        if self.machine.is_some() {
            for (feed, value) in told {
                self.judge.quoted(&feed, venue, value, now, time);
            }
            self.input(Input::Observed(observations));
        }
    }

    pub fn mine(&mut self) {
        let spike = if self.now_ms < self.ills.fee_spike { 4_000 } else { 100 };
        self.chain.base_fee_wei = if self.storm.fees == FeeProfile::ZeroGas { 0 } else { spike };
        self.chain.paused = self.ills.paused.filter(|(until, _)| self.now_ms < *until).map(|(_, to)| to);
        let reversed = self.rng.bool();
        self.chain.mine(self.time(), reversed);
        self.inspect_tip();
    }

    /// Judges the newest block.
    fn inspect_tip(&mut self) {
        let tip = self.chain.tip();
        let txs = self.chain.block(tip.number).map(|b| b.txs.as_slice()).unwrap_or_default();
        for mined in txs {
            if let Some(revert) = mined.revert {
                self.judge.reverted(&mined.tx.request, revert);
            }
        }
        for (feed, (account, aggregator, _)) in &self.feeds {
            let newest = self.chain.rounds(*aggregator, u64::MAX, 2);
            let Some(round) = newest.first().filter(|r| r.block == tip.number) else { continue };
            let Some(previous) = newest.get(1) else { continue };
            let allowed = BLOCK.times(2) + timing().answer_timeout;
            self.judge.landed(feed, previous.time + HEARTBEAT, round.time, allowed, "a heartbeat landed");
            let early = round.time.since(previous.time) < HEARTBEAT.less(LEAD);
            if round.from == *account && early {
                self.judge.landed_early(previous.answer, round.answer);
            }
        }
    }

    fn finish(mut self) -> Report {
        let now = self.time();
        for (feed, (_, aggregator, _)) in &self.feeds {
            let history = self.chain.history(*aggregator);
            self.judge.report.rounds += history.len() as u64;
            for (expected, stored) in (1u64..).zip(&history) {
                if stored.round != expected {
                    self.judge.accuse(format!("{feed}: round {} where {expected} belongs", stored.round));
                    break;
                }
            }
            let allowed = BLOCK.times(2) + timing().answer_timeout;
            match history.last() {
                Some(last) => {
                    self.judge.landed(feed, last.time + HEARTBEAT, now, allowed, "at the end it is")
                }
                None => self.judge.accuse(format!("{feed}: no round at all")),
            }
        }
        if self.chain.age(now) > BLOCK {
            self.judge.accuse("the model chain itself stood still".to_owned());
        }
        self.judge.report
    }
}
