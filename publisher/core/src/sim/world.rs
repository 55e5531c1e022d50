//! The world: a clock, an event queue, a chain, nodes, venues, and the replicas under test.

use super::chain::Chain;
use super::check::{Judge, Report};
use super::journal::Journal;
use super::node::Node;
use super::purse::Purse;
use super::replica::{Replica, Run, Seat};
use super::setup::{
    BLOCK, FEE_CAP_WEI, GAS_FLOOR, HEARTBEAT, LEAD, MAX_AGE, Place, QUORUM, TICK, VENUES, feeds, shards,
    timing,
};
use super::trading::{Naps, Trading, naps, trading};
use super::weather::Ills;
use crate::fees::FeeProfile;
use crate::head::Finality;
use crate::io::{Effect, Input, Ticket};
use crate::lease::Board;
use crate::quote::{FeedId, MarketId, Observation, Quote, SourceFault};
use crate::spend::Caps;
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::TxRequest;
use alloy_primitives::{Address, B256};
use std::collections::{BTreeMap, BTreeSet};

/// Heads are polled this often, in milliseconds; venues half as often.
pub(super) const POLL: u64 = 1000;
pub(super) const EPOCH_MS: i64 = 1_800_000_000_000;
/// For so long a storm goes on after the first violation, in milliseconds: hours of it would show no more.
const AFTERMATH: u64 = 600_000;

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
    /// Processes that share a journal. One alone writes for all accounts; several share the accounts among them.
    pub replicas: usize,
    /// Nodes that every replica knows.
    pub nodes: usize,
    /// Requests, and answers, lost on each leg, per thousand.
    pub loss_permille: u32,
    /// A misfortune happens about this often; zero: never.
    pub misfortune_every: Span,
    /// Among the misfortunes are strangers who write rounds of ours, contracts that pause, clocks that jump an hour,
    /// and nodes that refuse what they should take.
    pub mischief: bool,
    /// Among the misfortunes are backups of the journal that are put in its place.
    pub restores: bool,
    /// Some feeds are those of a store, and have misfortunes of their own.
    pub batches: bool,
    /// How long the feeds of the store wait for each other.
    pub gather: Span,
    /// What may be spent. Where nothing goes out beyond it, lateness is excused and the sums are judged.
    pub caps: Caps,
    /// Some feeds keep the hours of markets that close and open by chance.
    pub markets: bool,
    /// Some feeds are put to sleep by flags on the chain, and awakened, by chance.
    pub flags: bool,
    /// Ours is the standby of a primary that writes every heartbeat, while it lives; zero: ours is alone.
    pub standby: Span,
}

impl Storm {
    /// Nothing happens: one process, one node, nothing lost, and no feed that is not plain.
    pub fn calm(seed: u64, hours: u64, finality: Finality) -> Self {
        Self {
            seed,
            hours,
            finality,
            fees: FeeProfile::Eip1559,
            replicas: 1,
            nodes: 1,
            loss_permille: 0,
            misfortune_every: Span::ZERO,
            mischief: false,
            restores: false,
            batches: false,
            gather: Span::ZERO,
            caps: Caps::default(),
            markets: false,
            flags: false,
            standby: Span::ZERO,
        }
    }
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// A look at who could publish.
    Watch,
    /// A replica's timers.
    Wake(usize),
    /// A replica reads its node's head.
    Poll(usize),
    Venue(usize),
    Mine,
    Misfortune,
    /// The primary looks at its feeds.
    Primary,
    /// A process starts.
    Start(usize),
    /// A frozen process goes on as if nothing had been.
    Thaw(usize),
    /// A replica's clock is set right again.
    ClockRight(usize),
    /// A node finds the others again.
    Rejoin(usize),
    /// An operator has looked at what a restored backup made halt.
    Acknowledge(usize),
    /// A request reaches the nodes. Broadcasts do, even if their sender is dead by then.
    Node(Run, Effect),
    /// An answer reaches the machine, if it is still the one that asked.
    Answer(Run, Input),
    /// The journal's answer to a replica's beat.
    Board(usize, Ticket, Board),
}

pub(super) struct World {
    pub storm: Storm,
    pub rng: fastrand::Rng,
    pub now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    seq: u64,
    pub replicas: Vec<Replica>,
    /// What each replica has of each shard.
    pub seats: BTreeMap<(usize, usize), Seat>,
    /// The accounts of each lease.
    pub shards: Vec<Vec<Address>>,
    pub journal: Journal,
    /// The chain of the network.
    pub chain: Chain,
    pub nodes: Vec<Node>,
    pub judge: Judge,
    pub purse: Purse,
    pub ills: Ills,
    /// Shards whose halts an operator has looked at.
    pub acknowledged: BTreeSet<usize>,
    pub feeds: BTreeMap<FeedId, Place>,
    /// The markets whose hours feeds keep.
    pub trading: BTreeMap<FeedId, Trading>,
    /// When feeds sleep.
    pub naps: BTreeMap<FeedId, Naps>,
    pub signed: BTreeMap<B256, TxRequest>,
    pub hashes: u64,
}

/// Runs one storm to its end, or until shortly after something that must never happen.
pub fn run(storm: Storm) -> Report {
    World::new(storm).run()
}

impl World {
    fn new(storm: Storm) -> Self {
        let feeds = feeds(storm.batches);
        let shards = shards(storm.replicas);
        let cap_wei = FEE_CAP_WEI.min(storm.caps.transaction_fee_wei(GAS_FLOOR, 0));
        let (trading, naps) = (trading(&storm), naps(&storm));
        let is_on_a_budget = storm.caps != Caps::default();
        let hours = (trading.clone(), naps.clone());
        let judge = Judge::new(feeds.clone(), hours, MAX_AGE, QUORUM, cap_wei, is_on_a_budget);
        let places = (0..storm.replicas).flat_map(|r| (0..shards.len()).map(move |s| (r, s)));
        Self {
            rng: fastrand::Rng::with_seed(storm.seed),
            storm,
            now_ms: 0,
            queue: BTreeMap::new(),
            seq: 0,
            replicas: vec![Replica::new(storm.nodes); storm.replicas],
            seats: places.map(|place| (place, Seat::default())).collect(),
            journal: Journal::default(),
            shards,
            chain: Chain::new(Wall::from_ms(EPOCH_MS)),
            nodes: vec![Node::default(); storm.nodes],
            judge,
            purse: Purse::new(storm.caps),
            ills: Ills::default(),
            acknowledged: BTreeSet::new(),
            feeds,
            trading,
            naps,
            signed: BTreeMap::new(),
            hashes: 0,
        }
    }

    /// The true time.
    pub fn time(&self) -> Wall {
        Wall::from_ms(EPOCH_MS + i64::try_from(self.now_ms).unwrap_or(i64::MAX / 2))
    }

    /// What a replica's clocks say. They count waiting from different starts.
    pub fn now(&self, replica: usize) -> Now {
        let wrong_ms = self.replicas.get(replica).map_or(0, |replica| replica.clock_wrong_ms);
        let mono = self.now_ms + replica as u64 * 86_400_000;
        Now { wall: Wall::from_ms(self.time().ms() + wrong_ms), mono: Mono::from_ms(mono) }
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

    fn run(mut self) -> Report {
        self.start();
        let mut end = self.storm.hours * 3_600_000;
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            if at > end {
                break;
            }
            self.now_ms = at;
            self.happen(happening);
            if !self.judge.report.violations.is_empty() {
                end = end.min(at + AFTERMATH);
            }
        }
        self.finish()
    }

    fn start(&mut self) {
        for venue in 0..VENUES {
            self.at(venue as u64 * 137, Happening::Venue(venue));
        }
        self.at(BLOCK.ms(), Happening::Mine);
        self.at(0, Happening::Watch);
        if self.storm.misfortune_every > Span::ZERO {
            self.at(60_000, Happening::Misfortune);
        }
        if self.storm.caps.look_back() && !self.storm.caps.heartbeats_pass {
            self.excuse_now(Span::from_s(3_600 * (self.storm.hours + 1)));
        }
        if self.storm.standby > Span::ZERO {
            self.at(POLL, Happening::Primary);
        }
        for replica in 0..self.storm.replicas {
            let phase = 170 * replica as u64;
            self.at(50 + phase, Happening::Poll(replica));
            self.at(TICK + phase, Happening::Wake(replica));
            self.boot(replica);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Watch => {
                self.at(TICK, Happening::Watch);
                self.watch();
            }
            Happening::Wake(replica) => {
                self.at(TICK, Happening::Wake(replica));
                self.wake(replica);
            }
            Happening::Poll(replica) => {
                self.at(POLL, Happening::Poll(replica));
                self.poll_head(replica);
            }
            Happening::Venue(venue) => {
                self.at(2 * POLL, Happening::Venue(venue));
                self.poll_venue(venue);
            }
            Happening::Mine => {
                self.at(BLOCK.ms(), Happening::Mine);
                self.mine();
                self.mine_siblings();
            }
            Happening::Misfortune => self.misfortune(),
            Happening::Primary => self.primary(),
            Happening::Start(replica) => self.boot(replica),
            Happening::Thaw(replica) => self.thaw(replica),
            Happening::ClockRight(replica) => self.set_clock(replica, 0),
            Happening::Rejoin(node) => self.rejoin(node),
            Happening::Acknowledge(shard) => self.acknowledge(shard),
            Happening::Node(run, effect) => self.node(run, effect),
            Happening::Answer(run, input) => self.deliver(run, input),
            Happening::Board(replica, ticket, board) => self.board(replica, ticket, board),
        }
    }

    fn poll_venue(&mut self, venue: usize) {
        let name = format!("venue{venue}");
        let dead = self.ills.venue_dead.get(venue).is_some_and(|until| self.now_ms < *until);
        let lie =
            self.ills.venue_lies.get(venue).filter(|(until, _)| self.now_ms < *until).map(|(_, by)| *by);
        let mut told: Vec<(FeedId, Option<i128>)> = Vec::new();
        for (feed, Place { price, .. }) in &mut self.feeds {
            let step = self.rng.i128(-30..=30);
            let noise = self.rng.i128(-5..=5);
            *price = (*price + *price * step / 100_000).max(5_000);
            let value = *price + *price * noise / 100_000;
            let value = lie.map_or(value, |percent| value * percent / 100).max(1);
            let silent =
                self.ills.silent.as_ref().is_some_and(|(until, id)| self.now_ms < *until && id == feed);
            let unheard = dead || silent && venue < QUORUM;
            told.push((feed.clone(), (!unheard).then_some(value)));
        }
        // What speaks in the breaks of a market is far from what its own sources say, so that nothing of both passes.
        let switching = self.trading.iter().filter(|(_, trading)| trading.switches()).map(|(id, _)| id);
        let off_hours = told.iter().filter(|(id, _)| switching.clone().any(|other| other == id));
        let off_hours: Vec<_> =
            off_hours.map(|(id, value)| (id.off_hours(), value.map(|value| value * 11 / 10))).collect();
        told.extend(off_hours);
        let places: Vec<(usize, usize)> = self.seats.keys().copied().collect();
        for place @ (replica, _) in places {
            let Some(run) = self.polls_venues(place) else { continue };
            let (now, time) = (self.now(replica).wall, self.time());
            let mut observations = Vec::new();
            for (feed, value) in &told {
                let market = MarketId::new(&name, feed.as_str());
                let quote = value.and_then(|value| format!("{value}e-8").parse().ok().zip(Some(value)));
                observations.push(match quote {
                    None => Observation::Missing { market, fault: SourceFault::Timeout },
                    Some((last, value)) => {
                        if self.shard_of(&feed.clone().of_set()) == Some(run.shard) {
                            self.judge.quoted(replica, feed, venue, value, now, time);
                        }
                        let (last, as_of) = (Some(last), now);
                        let (bid, ask, base_volume) = (None, None, None);
                        Observation::Quote(Quote {
                            market,
                            bid,
                            ask,
                            last,
                            base_volume,
                            as_of,
                            received: now,
                            is_clocked: false,
                        })
                    }
                });
            }
            self.deliver(run, Input::Observed(observations));
        }
    }

    pub fn mine(&mut self) {
        let spike = if self.now_ms < self.ills.fee_spike { 4_000 } else { 100 };
        self.chain.base_fee_wei = if self.storm.fees == FeeProfile::ZeroGas { 0 } else { spike };
        self.chain.paused = self.ills.paused.filter(|(until, _)| self.now_ms < *until).map(|(_, to)| to);
        self.chain.entry_paused =
            self.ills.entry_paused.filter(|(until, _)| self.now_ms < *until).map(|(_, entry)| entry);
        let reversed = self.rng.bool();
        self.chain.mine(self.time(), reversed);
        self.inspect_tip();
    }

    /// Nodes that are cut off from the others go on with a chain of their own, unless that takes a quorum.
    fn mine_siblings(&mut self) {
        let (time, base_fee_wei) = (self.time(), self.chain.base_fee_wei);
        if self.storm.finality != Finality::Instant {
            for split in self.nodes.iter_mut().filter_map(|node| node.split.as_mut()) {
                split.base_fee_wei = base_fee_wei;
                split.mine(time, false);
            }
        }
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
        for (feed, place) in &self.feeds {
            let newest = self.chain.rounds(place, u64::MAX, 2);
            let Some(round) = newest.first().filter(|r| r.block == tip.number) else { continue };
            let Some(previous) = newest.get(1) else { continue };
            let allowed = BLOCK.times(2) + timing().answer_timeout + self.longest_standby();
            self.judge.landed(feed, previous.time + HEARTBEAT, round.time, allowed, "a heartbeat landed");
            let early = round.time.since(previous.time) < HEARTBEAT.less(LEAD);
            // A feed of a store may ride along, or follow its group.
            if round.from == place.account && early && place.entry.is_none() {
                self.judge.landed_early(previous.answer, round.answer);
            }
        }
    }

    /// How long a round may be left to the primary: after lost races, eight times as long as it is configured.
    fn longest_standby(&self) -> Span {
        self.storm.standby.times(8)
    }

    fn finish(mut self) -> Report {
        let now = self.time();
        self.judge.ended(&self.chain);
        let stores: BTreeSet<_> =
            self.feeds.values().filter(|p| p.entry.is_some()).map(|p| p.contract).collect();
        self.judge.report.batches = stores.into_iter().map(|store| self.chain.next_number(store) - 1).sum();
        for (feed, place) in &self.feeds {
            let history = self.chain.history(place);
            self.judge.report.rounds += history.len() as u64;
            self.judge.report.ours +=
                history.iter().filter(|round| round.from == place.account).count() as u64;
            for (expected, stored) in (1u64..).zip(&history) {
                if stored.round != expected {
                    self.judge.accuse(format!("{feed}: round {} where {expected} belongs", stored.round));
                    break;
                }
            }
            let allowed = BLOCK.times(2) + timing().answer_timeout + self.longest_standby();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this a broken core is told of only when all hours of all storms are over.
    #[test]
    fn a_storm_ends_soon_after_what_must_never_happen_and_not_before() {
        let weather = Storm::calm(1, 1, Finality::Instant);
        let innocent = World::new(weather).run();
        let mut guilty = World::new(weather);
        guilty.judge.accuse("a lie".to_owned());
        let guilty = guilty.run();
        assert_eq!((innocent.violations.len(), guilty.violations.len()), (0, 1));
        // Its share of the hours, and a little for the beginning, when everything is asked for.
        let most = innocent.steps * AFTERMATH / (weather.hours * 3_600_000) * 11 / 10;
        assert!(guilty.steps > 0 && guilty.steps <= most, "{} of {}", guilty.steps, innocent.steps);
    }
}
