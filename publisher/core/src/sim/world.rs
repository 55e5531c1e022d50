//! The world: a clock, an event queue, a chain, a node, a signer, venues, and the machine under test.

use super::chain::{Chain, Tx};
use super::check::{Judge, Report};
use crate::aggregate::Rules;
use crate::book::{Path, Pricing};
use crate::fees::{FeePolicy, FeeProfile};
use crate::head::Finality;
use crate::io::{Effect, Input};
use crate::machine::{ChainSpec, FeedSpec, Machine, Spec};
use crate::outbox::Timing;
use crate::policy::{Combine, Policy};
use crate::price::{Answer, Ratio};
use crate::quote::{FeedId, MarketId, Observation, Quote, SourceFault};
use crate::record::{Record, replay};
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::{
    AccountView, Call, FeeHint, PreflightAnswer, ReceiptAnswer, SendOutcome, SignFault, TxRequest,
};
use alloy_primitives::{Address, B256, Bytes, I256, U256};
use std::collections::BTreeMap;

const BLOCK: Span = Span::from_s(2);
const HEARTBEAT: Span = Span::from_s(60);
const MAX_AGE: Span = Span::from_s(30);
const VENUES: usize = 5;
const QUORUM: usize = 3;
const FEE_CAP_WEI: u128 = 1_000_000;
const POLL: u64 = 1000;
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
    /// Requests, and answers, lost on each leg, per thousand.
    pub loss_permille: u32,
    /// A misfortune happens about this often; zero: never.
    pub misfortune_every: Span,
}

fn timing() -> Timing {
    Timing {
        answer_timeout: Span::from_s(3),
        retry: Span::from_ms(500),
        retry_max: Span::from_s(8),
        resend: Span::from_s(5),
        bump_heads: 3,
    }
}

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    Wake,
    Poll,
    Venue(usize),
    Mine,
    Misfortune,
    Restart,
    /// A request reaches the node. Broadcasts do, even if their sender is dead by then.
    Node(u64, Effect),
    /// An answer reaches the machine, if it is still the one that asked.
    Answer(u64, Input),
}

/// Windows of illness, each ending at a time.
#[derive(Debug, Default)]
struct Ills {
    node_down: u64,
    node_lags: u64,
    signer_sick: u64,
    fee_spike: u64,
    venue_dead: [u64; VENUES],
    venue_lies: [(u64, i128); VENUES],
}

struct World {
    storm: Storm,
    rng: fastrand::Rng,
    now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    seq: u64,
    generation: u64,
    machine: Option<Machine>,
    journal: Vec<Record>,
    chain: Chain,
    judge: Judge,
    ills: Ills,
    feeds: BTreeMap<FeedId, (Address, Address, i128)>,
    signed: BTreeMap<B256, TxRequest>,
    hashes: u64,
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
        let address = |n: u8| Address::repeat_byte(n);
        // Two feeds share an account, one has its own.
        let feeds: BTreeMap<FeedId, (Address, Address, i128)> = [
            ("BTC-USD", 0xa1, 0x01, 6_700_000_000_000),
            ("ETH-USD", 0xa1, 0x02, 350_000_000_000),
            ("GAS-USD", 0xa2, 0x03, 12_345),
        ]
        .into_iter()
        .map(|(id, account, aggregator, price)| {
            (FeedId::new(id), (address(account), address(aggregator), price))
        })
        .collect();
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

    fn spec(&self) -> Spec {
        let paths = |id: &FeedId| {
            (0..VENUES)
                .map(|v| Path { market: MarketId::new(&format!("venue{v}"), id.as_str()), via: Vec::new() })
                .collect()
        };
        let rules =
            Rules { quorum: QUORUM, outlier_floor: Ratio::from_bps(50), refuse_spread: Ratio::from_bps(500) };
        let policy = Policy {
            heartbeat: HEARTBEAT,
            heartbeat_lead: BLOCK.times(2),
            deviation: Ratio::from_bps(50),
            deviation_abs: U256::ZERO,
            combine: Combine::Any,
            settle: Span::ZERO,
            jump: Ratio::default(),
            jump_confirm: Span::ZERO,
            min_answer: Answer::new(I256::ONE),
            max_answer: Answer::new(I256::MAX),
        };
        let feed = |id: &FeedId, account: Address, aggregator: Address| FeedSpec {
            aggregator,
            decimals: 8,
            account,
            pricing: Pricing { paths: paths(id), rules, max_age: MAX_AGE },
            policy,
            gas_floor: 100_000,
            gas_ceiling: 500_000,
        };
        Spec {
            chain: ChainSpec {
                chain_id: 138,
                block_time: BLOCK,
                finality: self.storm.finality,
                fees: FeePolicy {
                    profile: FeeProfile::Eip1559,
                    max_fee_wei: FEE_CAP_WEI,
                    min_tip_wei: 1,
                    bump_percent: 10,
                },
                timing: timing(),
                in_flight_max: 16,
                round_refresh: Span::from_s(30),
            },
            feeds: self.feeds.iter().map(|(id, (from, to, _))| (id.clone(), feed(id, *from, *to))).collect(),
            rates: BTreeMap::new(),
            accounts: Vec::new(),
            acknowledge_halts: false,
        }
    }

    fn now(&self) -> Now {
        let wall = Wall::from_ms(EPOCH_MS + i64::try_from(self.now_ms).unwrap_or(i64::MAX / 2));
        Now { wall, mono: Mono::from_ms(self.now_ms) }
    }

    fn at(&mut self, delay_ms: u64, happening: Happening) {
        self.seq += 1;
        self.queue.insert((self.now_ms + delay_ms, self.seq), happening);
    }

    fn latency(&mut self) -> u64 {
        self.rng.u64(2..60)
    }

    fn lost(&mut self) -> bool {
        let lost = self.rng.u32(0..1000) < self.storm.loss_permille;
        if lost {
            self.judge.report.losses += 1;
        }
        lost
    }

    /// Something that costs `span` from now on, for every feed: accounts are shared, so one waits for another.
    fn excuse(&mut self, from: Wall, span: Span) {
        let to = self.now().wall + span;
        for feed in self.feeds.keys().cloned().collect::<Vec<_>>() {
            self.judge.excuse(&feed, from, to);
        }
    }

    fn excuse_now(&mut self, span: Span) {
        self.excuse(self.now().wall, span);
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

    fn crash(&mut self) {
        self.judge.report.crashes += 1;
        self.machine = None;
        self.generation += 1;
        let down = self.rng.u64(500..20_000);
        // Down, then a head, a look at the account, a look at the round, a poll of the venues.
        self.excuse_now(Span::from_ms(down + 2 * POLL + 5000) + timing().answer_timeout);
        self.at(down, Happening::Restart);
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
            Happening::Mine => self.mine(),
            Happening::Misfortune => self.misfortune(),
            Happening::Restart => self.boot(),
            Happening::Node(generation, effect) => self.node(generation, effect),
            Happening::Answer(generation, input) => {
                if generation == self.generation {
                    self.input(input);
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.now();
        for feed in self.feeds.keys().cloned().collect::<Vec<_>>() {
            self.judge.look(&feed, now.wall);
            if !self.judge.has_quorum(&feed, now.wall) {
                self.judge.excuse(&feed, now.wall, now.wall + Span::from_s(2));
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
        match effect {
            Effect::Report(_) => {}
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

    fn sign(&mut self, ticket: crate::io::Ticket, tx: TxRequest) {
        let account = tx.from;
        if let Call::Submit { aggregator, answer, .. } = &tx.call {
            let found = self.feeds.iter().find(|(_, (_, to, _))| to == aggregator);
            if let Some(feed) = found.map(|(id, _)| id.clone()) {
                self.judge.signing(&feed, *answer, self.now().wall);
            }
        }
        let delay = self.latency();
        let generation = self.generation;
        if self.now_ms < self.ills.signer_sick {
            let fault = match self.rng.u8(0..4) {
                0 => return, // It never answers.
                1 => SignFault::Mismatch,
                2 => SignFault::Unavailable,
                _ => SignFault::Timeout,
            };
            let failed = Input::SignFailed { ticket, account, fault, detail: String::new() };
            return self.at(delay, Happening::Answer(generation, failed));
        }
        self.hashes += 1;
        let mut bytes = [0xcc; 32];
        bytes[..8].copy_from_slice(&self.hashes.to_be_bytes());
        let hash = B256::from(bytes);
        self.signed.insert(hash, tx);
        let raw = Bytes::from(bytes.to_vec());
        // Now and then an answer comes after everybody has stopped waiting for it.
        let late = self.lost();
        let delay = if late { timing().answer_timeout.ms() + delay } else { delay };
        if late {
            self.excuse_now(timing().answer_timeout + Span::from_s(1));
        }
        self.at(delay, Happening::Answer(generation, Input::Signed { ticket, account, hash, raw }));
    }

    /// How high the node's own head is.
    fn node_height(&self) -> u64 {
        let tip = self.chain.tip().number;
        if self.now_ms < self.ills.node_lags { tip.saturating_sub(3) } else { tip }
    }

    fn node(&mut self, generation: u64, effect: Effect) {
        let height = self.node_height();
        let answer = match effect {
            Effect::Broadcast { account, hash, .. } => {
                let outcome = self.receive(hash);
                Input::Sent { account, hash, outcome, detail: String::new() }
            }
            Effect::Preflight { ticket, call, .. } => {
                let expected = match &call {
                    Call::Submit { aggregator, .. } => self.chain.expects(*aggregator),
                    Call::Raw { .. } | Call::Noop => 0,
                };
                let answer = match call {
                    Call::Submit { round, .. } if round != expected => {
                        // A reorg may have changed what the machine read a moment ago.
                        self.excuse_now(timing().retry_max.times(4));
                        PreflightAnswer::Reverts(format!("StaleRound({round}, {expected})"))
                    }
                    _ => PreflightAnswer::Gas(45_000),
                };
                Input::Preflight { ticket, answer }
            }
            Effect::FetchAccount { ticket, account, at, hashes } => {
                let view = (at.number <= height).then(|| AccountView {
                    at_number: at.number,
                    mined_nonce: self.chain.nonce(account, at.number),
                    receipts: hashes.into_iter().map(|hash| (hash, self.receipt(hash, height))).collect(),
                });
                Input::Account { ticket, account, view }
            }
            Effect::FetchRound { ticket, feed, at } => {
                let aggregator = self.feeds.get(&feed).map(|(_, to, _)| *to).unwrap_or_default();
                let view = (at.number <= height).then(|| self.chain.view(aggregator, at)).flatten();
                Input::Round { ticket, feed, view }
            }
            Effect::FetchAncestors { ticket, number, hash, count } => {
                let known = self.chain.by_hash(hash).filter(|b| b.head.number == number).is_some();
                let first = number.saturating_add(1).saturating_sub(count);
                let blocks = known.then(|| {
                    (first..=number).filter_map(|n| self.chain.block(n)).map(|b| b.head).collect::<Vec<_>>()
                });
                Input::Ancestors { ticket, blocks }
            }
            Effect::FetchBlockHash { ticket, number } => {
                let hash = self.chain.block(number).filter(|_| number <= height).map(|b| b.head.hash);
                Input::BlockHash { ticket, hash }
            }
            Effect::Persist(_) | Effect::Sign { .. } | Effect::Report(_) => return,
        };
        if self.lost() {
            return self.excuse_now(timing().answer_timeout + Span::from_s(1));
        }
        let delay = self.latency();
        self.at(delay, Happening::Answer(generation, answer));
    }

    /// A receipt, or an index that is not ready.
    fn receipt(&mut self, hash: B256, height: u64) -> ReceiptAnswer {
        let sick = self.storm.loss_permille > 0 && self.rng.u32(0..200) == 0;
        if sick { ReceiptAnswer::Unknown } else { self.chain.receipt(hash, height) }
    }

    /// Bytes arrive at the node.
    fn receive(&mut self, hash: B256) -> SendOutcome {
        let Some(request) = self.signed.get(&hash).cloned() else { return SendOutcome::Rejected };
        let whim = if self.storm.loss_permille > 0 { self.rng.u32(0..400) } else { u32::MAX };
        match whim {
            0 => {
                self.excuse_now(timing().resend + BLOCK.times(3));
                SendOutcome::Accepted // A lie: it keeps nothing.
            }
            1 => {
                self.excuse_now(timing().retry_max + Span::from_s(1));
                SendOutcome::PoolFull
            }
            2 => {
                self.excuse_now(timing().retry_max + Span::from_s(1));
                SendOutcome::Ambiguous
            }
            _ => self.chain.send(&Tx { hash, request }),
        }
    }

    fn poll_head(&mut self) {
        self.at(POLL, Happening::Poll);
        if self.now_ms < self.ills.node_down || self.lost() {
            return self.excuse_now(Span::from_ms(2 * POLL));
        }
        let height = self.node_height();
        let tagged = (self.storm.finality == Finality::Tag)
            .then(|| self.chain.block(height.saturating_sub(10)))
            .flatten()
            .map(|b| (b.head.number, b.head.hash));
        let Some(head) = self.chain.block(height).map(|b| b.head) else { return };
        let base = self.chain.base_fee_wei;
        let fees = FeeHint { base_fee_wei: Some(base), tip_wei: 2, gas_price_wei: base + 2 };
        let delay = self.latency();
        let generation = self.generation;
        self.at(delay, Happening::Answer(generation, Input::Head { head, fees, tagged }));
    }

    fn poll_venue(&mut self, venue: usize) {
        self.at(2 * POLL, Happening::Venue(venue));
        let now = self.now().wall;
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
                self.judge.quoted(&feed, venue, value, now, now);
            }
            self.input(Input::Observed(observations));
        }
    }

    fn mine(&mut self) {
        self.at(BLOCK.ms(), Happening::Mine);
        let now = self.now().wall;
        self.chain.base_fee_wei = if self.now_ms < self.ills.fee_spike { 4_000 } else { 100 };
        self.chain.mine(now);
        self.inspect_tip();
    }

    /// Judges the rounds of the newest block.
    fn inspect_tip(&mut self) {
        let tip = self.chain.tip();
        for (feed, (_, aggregator, _)) in &self.feeds {
            let newest = self.chain.rounds(*aggregator, u64::MAX, 2);
            let Some(round) = newest.first().filter(|r| r.block == tip.number) else { continue };
            let previous = newest.get(1);
            if round.round != previous.map_or(0, |p| p.round) + 1 {
                self.judge.accuse(format!(
                    "{feed}: round {} landed after round {}",
                    round.round,
                    previous.map_or(0, |p| p.round)
                ));
            }
            if let Some(previous) = previous {
                let allowed = BLOCK.times(2) + timing().answer_timeout;
                self.judge.landed(feed, previous.time + HEARTBEAT, round.time, allowed, "a heartbeat landed");
            }
        }
    }

    /// One of the things that happen to publishers.
    fn misfortune(&mut self) {
        let every = self.storm.misfortune_every.ms();
        let next = self.rng.u64(every / 2..every * 3 / 2);
        self.at(next, Happening::Misfortune);
        let venue = self.rng.usize(0..VENUES);
        let reorgs = self.storm.finality != Finality::Instant;
        match self.rng.u8(0..12) {
            0..=2 if reorgs => self.reorganise(),
            3 if reorgs => {
                let depth = self.rng.u64(1..=8);
                self.take_blocks(depth, true);
            }
            4 => {
                if self.chain.evict() {
                    self.excuse_now(timing().resend + BLOCK.times(4));
                }
            }
            5 => {
                let span = self.rng.u64(2_000..60_000);
                self.ills.signer_sick = self.now_ms + span;
                self.excuse_now(Span::from_ms(span) + timing().retry_max + timing().answer_timeout);
            }
            6 => {
                let span = self.rng.u64(5_000..200_000);
                if let Some(until) = self.ills.venue_dead.get_mut(venue) {
                    *until = self.now_ms + span;
                }
            }
            7 => {
                let span = self.rng.u64(5_000..200_000);
                let factor = self.rng.choice([0, 50, 103, 1_000, 100_000]).unwrap_or(50);
                if let Some(lie) = self.ills.venue_lies.get_mut(venue) {
                    *lie = (self.now_ms + span, factor + i128::try_from(venue).unwrap_or(0));
                }
                // Three liars of five leave no value at all.
                self.excuse_now(Span::from_ms(span) + MAX_AGE);
            }
            8 => {
                let span = self.rng.u64(2_000..20_000);
                self.ills.node_lags = self.now_ms + span;
                self.excuse_now(Span::from_ms(span) + BLOCK.times(2) + timing().answer_timeout);
            }
            9 => {
                let span = self.rng.u64(2_000..30_000);
                self.ills.node_down = self.now_ms + span;
                self.excuse_now(Span::from_ms(span) + timing().retry_max + timing().answer_timeout);
            }
            10 => {
                let span = self.rng.u64(10_000..60_000);
                self.ills.fee_spike = self.now_ms + span;
                // What was signed before is too cheap until it is replaced: after so many heads.
                self.excuse_now(BLOCK.times(u64::from(timing().bump_heads) + 4));
            }
            _ => self.crash(),
        }
    }

    /// Blocks are replaced by others, of one more or the same height.
    fn reorganise(&mut self) {
        let depth = self.rng.u64(1..=8);
        let lost = self.take_blocks(depth, false);
        let now = self.now().wall;
        let longer = self.rng.u64(0..=1);
        for _ in 0..(lost + longer) {
            self.chain.mine(now);
            self.inspect_tip();
        }
    }

    /// Takes blocks away; some of their transactions go back to the pool, some as an earlier attempt, some vanish.
    fn take_blocks(&mut self, depth: u64, silent: bool) -> u64 {
        self.judge.report.reorgs += 1;
        let before = self.chain.tip().number;
        let since = before.checked_sub(depth).and_then(|n| self.chain.block(n)).map(|b| b.head.time);
        let removed = self.chain.rollback(depth);
        for tx in removed {
            match self.rng.u8(0..4) {
                0 => {}
                1 => {
                    let key = (tx.request.from, tx.request.nonce);
                    let journalled = self.journal.iter().rev().find_map(|record| match record {
                        Record::Attempt { account, nonce, attempt, .. } if (*account, *nonce) == key => {
                            Some(attempt.hash)
                        }
                        _ => None,
                    });
                    let other = journalled.and_then(|hash| Some((hash, self.signed.get(&hash)?.clone())));
                    self.chain.repool(other.map_or(tx, |(hash, request)| Tx { hash, request }));
                }
                _ => self.chain.repool(tx),
            }
        }
        // The lost time counts from the oldest lost block; a silent rollback is believed after a few polls.
        let polls = if silent { Span::from_ms(4 * POLL) } else { Span::from_ms(POLL) };
        let from = since.unwrap_or_else(|| self.now().wall);
        let recovery = polls + timing().answer_timeout + timing().resend + BLOCK.times(3 + depth);
        self.excuse(from, recovery);
        before - self.chain.tip().number
    }

    fn finish(mut self) -> Report {
        let now = self.now().wall;
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
