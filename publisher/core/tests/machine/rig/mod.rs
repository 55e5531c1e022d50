//! A tiny scripted driver: one machine, a chain of its own with the real contract's compare-and-set, a journal as
//! strict as the store. Everything answers at once unless a scenario says otherwise.

use alloy_primitives::{Address, B256, Bytes, I256};
use publisher_core::aggregate::Rules;
use publisher_core::book::{Path, Pricing};
use publisher_core::event::Event;
use publisher_core::fees::{FeePolicy, FeeProfile, ReplacementRule};
use publisher_core::head::Finality;
use publisher_core::io::{Effect, Input, Operator, Ticket};
use publisher_core::machine::{ChainSpec, EntrySpec, FeedSpec, FeedView, Group, Machine, Spec, StoreSpec};
use publisher_core::outbox::Timing;
use publisher_core::policy::{Deviation, Early, Policy};
use publisher_core::price::{Answer, Ratio};
use publisher_core::quote::{FeedId, MarketId, Observation, Quote};
use publisher_core::record::{Outcome, Record, Scope, replay};
use publisher_core::spend::Caps;
use publisher_core::time::{Mono, Now, Span, Wall};
use publisher_core::tx::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod chain;
mod journal;
mod leases;
mod setup;

use chain::block_hash;
use leases::Lease;
pub use setup::*;

pub const BLOCK_MS: u64 = 2_000;
pub const HEARTBEAT_S: u64 = 60;
pub const ACCOUNT: Address = Address::repeat_byte(0xa1);
pub const VENUES: usize = 5;
pub const EPOCH_S: u64 = 1_800_000_000;

#[derive(Clone, Debug)]
pub struct Mined {
    pub hash: B256,
    pub tx: TxRequest,
    pub success: bool,
    /// Feeds of a store that were paused in it.
    pub skipped: BTreeSet<u16>,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub head: BlockRef,
    pub txs: Vec<Mined>,
}

/// What becomes of the transactions in blocks that a reorg takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// They are gone, as on anvil.
    Dropped,
    /// They go back to the pool, as with go-ethereum.
    Pooled,
}

/// How the signer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerMode {
    Up,
    Fails(SignFault),
}

pub struct Rig {
    pub spec: Spec,
    pub machine: Machine,
    pub journal: Vec<Record>,
    pub events: Vec<Event>,
    pub blocks: Vec<Block>,
    pub pool: BTreeMap<(Address, u64), (B256, TxRequest)>,
    pub signed: BTreeMap<B256, TxRequest>,
    /// Every hash that was broadcast, in order.
    pub wire: Vec<B256>,
    /// Answers to the next broadcasts, instead of the pool's own.
    pub outcomes: VecDeque<SendOutcome>,
    /// The fee that the node names in every answer to a broadcast.
    pub minimum: Option<FeeMinimum>,
    /// What equal prices do in the pool: Besu replaces where gas is free, go-ethereum never does.
    pub equal_replaces: bool,
    /// The answer to every pre-flight, instead of the contract's own.
    pub preflight: Option<PreflightAnswer>,
    pub signer: SignerMode,
    pub node_down: bool,
    /// Asked for more ancestors at once, the node does not answer in time.
    pub ancestors_max: u64,
    /// Receipts cannot be read.
    pub no_receipts: bool,
    pub paused: bool,
    /// What the flag of a feed that has one says.
    pub flag: Flag,
    /// Feeds that their store skips.
    pub entries_paused: BTreeSet<u16>,
    pub base_fee_wei: u128,
    /// What a rollup asks for the data of a transaction.
    pub data_fee_wei: u128,
    /// Blocks are full of other people's transactions.
    pub crowded: bool,
    pub price: u64,
    /// How far bid and ask are from the price; without it there is neither.
    pub half_spread: Option<u64>,
    /// Feeds with a price of their own; without one only two venues know them.
    pub prices: BTreeMap<FeedId, Option<u64>>,
    pub tagged: Option<u64>,
    /// Effects that nobody has answered yet, because the scenario holds them back.
    pub held: Vec<Effect>,
    pub hold: fn(&Effect) -> bool,
    /// Effects of each kind so far.
    pub asked: BTreeMap<&'static str, usize>,
    /// The process dies right after this many more records were written.
    pub die_after: Option<usize>,
    pub died: bool,
    /// The account's lease, if the machine has to hold it.
    pub lease: Lease,
    ms: u64,
    skew_ms: i64,
    forks: u64,
    hashes: u64,
    pending: VecDeque<Effect>,
}

impl Rig {
    /// A rig whose machine has just started on a chain of a few empty blocks.
    pub fn new(spec: Spec) -> Self {
        let time = Wall::from_s(EPOCH_S);
        let genesis = BlockRef { number: 0, hash: block_hash(0, 0), parent: B256::ZERO, time };
        let machine = Machine::new(spec.clone(), &replay(&[]), Now { wall: time, mono: Mono::default() });
        let mut rig = Self {
            machine: machine.unwrap(),
            spec,
            journal: Vec::new(),
            events: Vec::new(),
            blocks: vec![Block { head: genesis, txs: Vec::new() }],
            pool: BTreeMap::new(),
            signed: BTreeMap::new(),
            wire: Vec::new(),
            outcomes: VecDeque::new(),
            minimum: None,
            equal_replaces: false,
            preflight: None,
            signer: SignerMode::Up,
            node_down: false,
            ancestors_max: u64::MAX,
            no_receipts: false,
            paused: false,
            flag: Flag::Lowered,
            entries_paused: BTreeSet::new(),
            base_fee_wei: 100,
            data_fee_wei: 0,
            crowded: false,
            price: 10_000,
            half_spread: None,
            prices: BTreeMap::new(),
            tagged: None,
            held: Vec::new(),
            hold: |_| false,
            asked: BTreeMap::new(),
            die_after: None,
            died: false,
            lease: Lease::default(),
            ms: 0,
            skew_ms: 0,
            forks: 0,
            hashes: 0,
            pending: VecDeque::new(),
        };
        for _ in 0..6 {
            rig.ms += BLOCK_MS;
            rig.mine();
        }
        rig.restart();
        rig
    }

    /// One feed, running, with its first round on chain and final.
    pub fn running() -> Self {
        Self::running_with(spec(&["BTC-USD"]))
    }

    pub fn running_with(spec: Spec) -> Self {
        let mut rig = Self::new(spec);
        rig.blocks(8);
        assert_eq!(rig.rounds(&btc()).len(), 1, "{:#?}", rig.events);
        rig
    }

    pub fn now(&self) -> Now {
        Now { wall: self.wall(self.skew_ms), mono: Mono::from_ms(self.ms) }
    }

    fn wall(&self, skew_ms: i64) -> Wall {
        Wall::from_ms(Wall::from_s(EPOCH_S).ms() + i64::try_from(self.ms).unwrap() + skew_ms)
    }

    /// Our own clock is wrong by this much from now on.
    pub fn set_clock_wrong_by_s(&mut self, s: i64) {
        self.skew_ms = s * 1000;
    }

    pub fn tip(&self) -> BlockRef {
        self.blocks.last().unwrap().head
    }

    pub fn view(&self, id: &FeedId) -> FeedView {
        self.machine.feeds(self.now()).find(|(other, _)| *other == id).unwrap().1
    }

    /// One block time passes: quotes, a block, a poll of the head, and every answer.
    pub fn block(&mut self) {
        for _ in 0..4 {
            self.pass_ms(BLOCK_MS / 4);
        }
        self.quotes(VENUES);
        self.mine();
        self.poll();
    }

    pub fn blocks(&mut self, count: usize) {
        for _ in 0..count {
            self.block();
        }
    }

    /// Time passes without a block or a quote.
    pub fn pass_ms(&mut self, ms: u64) {
        self.ms += ms;
        self.step(Input::Tick);
        self.settle();
    }

    /// The process does nothing for a while, not even notice it.
    pub fn suspend_ms(&mut self, ms: u64) {
        self.ms += ms;
    }

    /// So many venues answer with the rig's price.
    pub fn quotes(&mut self, venues: usize) {
        self.quotes_of(&(0..venues).collect::<Vec<_>>());
    }

    /// These venues answer with the rig's price.
    pub fn quotes_of(&mut self, venues: &[usize]) {
        let now = self.now().wall;
        for &v in venues {
            let known = |id: &&FeedId| v < 2 || self.prices.get(*id) != Some(&None);
            let observations = self.spec.feeds.keys().filter(known).map(|id| {
                let price = self.prices.get(id).copied().flatten().unwrap_or(self.price);
                let cents = |cents: u64| format!("{cents}e-2").parse().unwrap();
                Observation::Quote(Quote {
                    market: MarketId::new(&format!("v{v}"), id.as_str()),
                    bid: self.half_spread.map(|half| cents(price - half)),
                    ask: self.half_spread.map(|half| cents(price + half)),
                    last: Some(cents(price)),
                    base_volume: None,
                    as_of: now,
                    received: now,
                    is_clocked: false,
                })
            });
            let observations = observations.collect();
            self.step(Input::Observed(observations));
        }
        self.settle();
    }

    /// The node's head is polled.
    pub fn poll(&mut self) {
        self.poll_at(self.tip().number);
    }

    pub fn poll_at(&mut self, number: u64) {
        if self.node_down {
            return;
        }
        let base = self.base_fee_wei;
        let fees =
            FeeHint { base_fee_wei: Some(base), tip_wei: 2, gas_price_wei: base + 2, ..FeeHint::default() };
        let fees = FeeHint { data_fee_wei: self.data_fee_wei, ..fees };
        let head = self.blocks[usize::try_from(number).unwrap()].head;
        let tagged = self.tagged.map(|n| (n, self.blocks[usize::try_from(n).unwrap()].head.hash));
        self.step(Input::Head { head, fees, tagged });
        self.settle();
    }

    /// The process dies; another one starts from the journal.
    pub fn restart(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.died = false;
        self.machine = Machine::new(self.spec.clone(), &replay(&self.journal), self.now()).unwrap();
    }

    /// No process runs for so many blocks; then one starts.
    pub fn dead_for_blocks(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.ms += BLOCK_MS;
            self.mine();
        }
        self.restart();
    }

    pub fn restart_acknowledging(&mut self) {
        self.spec.acknowledge_halts = true;
        self.restart();
        self.spec.acknowledge_halts = false;
    }

    pub fn step(&mut self, input: Input) {
        if self.died {
            return;
        }
        let effects = self.machine.step(self.now(), input);
        assert!(effects.len() < 500, "a flood of effects");
        let mut fenced = false;
        for effect in effects {
            // What the journal refuses takes along what was to follow.
            fenced |= matches!(effect, Effect::Persist(_)) && self.is_fenced();
            if fenced && (matches!(effect, Effect::Persist(_)) || effect.sender().is_some()) {
                continue;
            }
            self.perform(effect);
            if self.died {
                self.pending.clear();
                return;
            }
        }
        if fenced {
            self.step(Input::Fenced(vec![ACCOUNT]));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Report(event) => self.events.push(event),
            Effect::Persist(records) => {
                for record in records {
                    self.journalled(&record);
                    self.journal.push(record);
                    self.die_after = self.die_after.map(|left| left - 1);
                    self.died |= self.die_after.take_if(|left| *left == 0).is_some();
                }
            }
            effect if (self.hold)(&effect) => self.held.push(effect),
            effect => self.pending.push_back(effect),
        }
    }

    /// Answers what is pending, and what follows from the answers.
    pub fn settle(&mut self) {
        let mut answers = 0;
        while let Some(effect) = self.pending.pop_front() {
            answers += 1;
            assert!(answers < 1_000, "the machine asks without end: {effect:?}");
            if let Some(input) = self.answer(effect) {
                self.step(input);
            }
        }
    }

    /// Lets go of what was held back, in order.
    pub fn release(&mut self) {
        self.hold = |_| false;
        self.pending.extend(std::mem::take(&mut self.held));
        self.settle();
    }

    fn count(&mut self, kind: &'static str) {
        *self.asked.entry(kind).or_default() += 1;
    }

    pub fn asked(&self, kind: &str) -> usize {
        self.asked.get(kind).copied().unwrap_or_default()
    }

    pub fn answer(&mut self, effect: Effect) -> Option<Input> {
        let up = !self.node_down;
        Some(match effect {
            Effect::Persist(_) | Effect::Report(_) => unreachable!("performed at once"),
            Effect::Beat { ticket, beat } => self.beat(ticket, &beat),
            Effect::Recover { ticket } => Input::Recovered { ticket, recovered: self.recovered() },
            Effect::Preflight { ticket, call, .. } => {
                self.count("preflight");
                let honest =
                    self.would_revert(&call).map_or(PreflightAnswer::Gas(45_000), PreflightAnswer::Reverts);
                let answer =
                    if up { self.preflight.clone().unwrap_or(honest) } else { PreflightAnswer::Unknown };
                Input::Preflight { ticket, answer }
            }
            Effect::Sign { ticket, tx } => {
                self.count("sign");
                let account = tx.from;
                match self.signer {
                    SignerMode::Fails(fault) => {
                        Input::SignFailed { ticket, account, fault, detail: String::new() }
                    }
                    SignerMode::Up => self.sign(ticket, tx),
                }
            }
            Effect::Broadcast { account, hash, raw } => {
                self.count("broadcast");
                assert!(self.is_journalled(hash), "sent before it was journalled");
                assert_eq!(raw.as_ref(), hash.as_slice(), "other bytes than the journalled ones");
                self.wire.push(hash);
                let outcome = match self.outcomes.pop_front() {
                    Some(outcome) => outcome,
                    None if up => self.receive(hash),
                    None => SendOutcome::Ambiguous,
                };
                Input::Sent { account, hash, outcome, minimum: self.minimum, detail: String::new() }
            }
            Effect::FetchAccount { ticket, account, at, hashes } => {
                self.count("account");
                let view = up.then(|| AccountView {
                    at_number: at.number,
                    mined_nonce: self.nonce(account, at.number),
                    skips: self.skips(&hashes),
                    receipts: hashes.into_iter().map(|hash| (hash, self.receipt(hash))).collect(),
                });
                Input::Account { ticket, account, view }
            }
            Effect::FetchRound { ticket, feed, at } => {
                self.count("round");
                let known = self.blocks.iter().any(|b| b.head == at);
                let view = (up && known).then(|| self.round_view(&feed, at));
                Input::Round { ticket, feed, view }
            }
            Effect::FetchStore { ticket, store, at } => {
                self.count("store");
                let known = self.blocks.iter().any(|b| b.head == at);
                Input::Store { ticket, store, view: (up && known).then(|| self.store_view(store, at)) }
            }
            Effect::FetchAncestors { ticket, number, hash, count } => {
                self.count("ancestors");
                let first = number.saturating_add(1).saturating_sub(count);
                let run = self.blocks.iter().map(|b| b.head).filter(|b| (first..=number).contains(&b.number));
                let run: Vec<BlockRef> = run.collect();
                let able = up && count <= self.ancestors_max;
                let blocks = (able && run.last().is_some_and(|b| b.hash == hash)).then_some(run);
                Input::Ancestors { ticket, blocks }
            }
            Effect::FetchBlockHash { ticket, number } => {
                self.count("block_hash");
                let block = self.blocks.iter().find(|b| up && b.head.number == number);
                Input::BlockHash { ticket, hash: block.map(|b| b.head.hash) }
            }
        })
    }

    /// A signature that differs every time, as a key service makes it.
    pub fn sign(&mut self, ticket: Ticket, tx: TxRequest) -> Input {
        self.hashes += 1;
        let mut bytes = [0xcc; 32];
        bytes[..8].copy_from_slice(&self.hashes.to_be_bytes());
        let (hash, account) = (B256::from(bytes), tx.from);
        self.signed.insert(hash, tx);
        Input::Signed { ticket, account, hash, raw: Bytes::copy_from_slice(hash.as_slice()) }
    }

    /// Events since the `from`th, without those about single venues.
    pub fn events_since(&self, from: usize) -> Vec<&Event> {
        let venue = |e: &&Event| matches!(e, Event::SourceLeftOut { .. } | Event::SourceBack { .. });
        self.events[from..].iter().filter(|e| !venue(e)).collect()
    }

    pub fn count_events(&self, code: &str) -> usize {
        self.events.iter().filter(|e| e.code() == code).count()
    }

    pub fn operate(&mut self, operator: Operator) {
        self.step(Input::Operator(operator));
        self.settle();
    }

    /// A deviation is quoted, and everything up to the broadcast happens.
    pub fn deviate(&mut self) {
        self.price = self.price * 101 / 100;
        self.quotes(VENUES);
    }
}
