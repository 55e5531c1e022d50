//! A tiny scripted driver: one machine, a chain of its own with the real contract's compare-and-set, a journal as
//! strict as the store. Everything answers at once unless a scenario says otherwise.

use alloy_primitives::{Address, B256, Bytes, I256, U256};
use publisher_core::aggregate::Rules;
use publisher_core::book::{Path, Pricing};
use publisher_core::event::Event;
use publisher_core::fees::{FeePolicy, FeeProfile};
use publisher_core::head::Finality;
use publisher_core::io::{Effect, Input, Operator, Ticket};
use publisher_core::machine::{ChainSpec, FeedSpec, FeedView, Machine, Spec};
use publisher_core::outbox::Timing;
use publisher_core::policy::{Combine, Policy};
use publisher_core::price::{Answer, Ratio};
use publisher_core::quote::{FeedId, MarketId, Observation, Quote};
use publisher_core::record::{Outcome, Record, Scope, replay};
use publisher_core::time::{Mono, Now, Span, Wall};
use publisher_core::tx::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub const BLOCK_MS: u64 = 2_000;
pub const HEARTBEAT_S: u64 = 60;
pub const ACCOUNT: Address = Address::repeat_byte(0xa1);
pub const VENUES: usize = 5;
const EPOCH_S: u64 = 1_800_000_000;

#[derive(Clone, Debug)]
pub struct Mined {
    pub hash: B256,
    pub tx: TxRequest,
    pub success: bool,
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
    /// The answer to every pre-flight, instead of the contract's own.
    pub preflight: Option<PreflightAnswer>,
    pub signer: SignerMode,
    pub node_down: bool,
    /// Receipts cannot be read.
    pub no_receipts: bool,
    pub paused: bool,
    pub base_fee_wei: u128,
    /// Blocks are full of other people's transactions.
    pub crowded: bool,
    pub price: u64,
    pub tagged: Option<u64>,
    /// Effects that nobody has answered yet, because the scenario holds them back.
    pub held: Vec<Effect>,
    pub hold: fn(&Effect) -> bool,
    /// Effects of each kind so far.
    pub asked: BTreeMap<&'static str, usize>,
    /// The process dies right after this many more records were written.
    pub die_after: Option<usize>,
    pub died: bool,
    ms: u64,
    skew_ms: i64,
    forks: u64,
    hashes: u64,
    pending: VecDeque<Effect>,
}

pub fn feed(id: &str) -> FeedId {
    FeedId::new(id)
}

pub fn btc() -> FeedId {
    feed("BTC-USD")
}

pub fn aggregator(id: &FeedId) -> Address {
    Address::repeat_byte(id.as_str().as_bytes()[0])
}

pub fn policy() -> Policy {
    Policy {
        heartbeat: Span::from_s(HEARTBEAT_S),
        heartbeat_lead: Span::from_s(4),
        deviation: Ratio::from_bps(50),
        deviation_abs: U256::ZERO,
        combine: Combine::Any,
        settle: Span::ZERO,
        jump: Ratio::default(),
        jump_confirm: Span::ZERO,
        min_answer: Answer::new(I256::ONE),
        max_answer: Answer::new(I256::MAX),
    }
}

pub fn feed_spec(id: &FeedId) -> FeedSpec {
    let paths = (0..VENUES)
        .map(|v| Path { market: MarketId::new(&format!("v{v}"), id.as_str()), via: Vec::new() })
        .collect();
    let rules = Rules { quorum: 3, outlier_floor: Ratio::from_bps(50), refuse_spread: Ratio::from_bps(500) };
    FeedSpec {
        aggregator: aggregator(id),
        decimals: 2,
        account: ACCOUNT,
        pricing: Pricing { paths, rules, max_age: Span::from_s(30) },
        policy: policy(),
        gas_floor: 100_000,
        gas_ceiling: 500_000,
    }
}

pub fn spec(feeds: &[&str]) -> Spec {
    Spec {
        chain: ChainSpec {
            chain_id: 138,
            block_time: Span::from_ms(BLOCK_MS),
            finality: Finality::Depth(4),
            fees: FeePolicy {
                profile: FeeProfile::Eip1559,
                max_fee_wei: 10_000,
                min_tip_wei: 1,
                bump_percent: 10,
            },
            timing: Timing {
                answer_timeout: Span::from_s(3),
                retry: Span::from_ms(500),
                retry_max: Span::from_s(8),
                resend: Span::from_s(5),
                bump_heads: 3,
            },
            in_flight_max: 4,
            round_refresh: Span::from_s(30),
        },
        feeds: feeds.iter().map(|id| (feed(id), feed_spec(&feed(id)))).collect(),
        rates: BTreeMap::new(),
        accounts: vec![ACCOUNT],
        acknowledge_halts: false,
    }
}

fn block_hash(number: u64, fork: u64) -> B256 {
    let mut bytes = [7u8; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..16].copy_from_slice(&fork.to_be_bytes());
    B256::from(bytes)
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
            preflight: None,
            signer: SignerMode::Up,
            node_down: false,
            no_receipts: false,
            paused: false,
            base_fee_wei: 100,
            crowded: false,
            price: 10_000,
            tagged: None,
            held: Vec::new(),
            hold: |_| false,
            asked: BTreeMap::new(),
            die_after: None,
            died: false,
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
        self.machine.feeds().find(|(other, _)| *other == id).unwrap().1
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

    /// So many venues answer with the rig's price.
    pub fn quotes(&mut self, venues: usize) {
        let now = self.now().wall;
        for v in 0..venues {
            let observations = self.spec.feeds.keys().map(|id| {
                Observation::Quote(Quote {
                    market: MarketId::new(&format!("v{v}"), id.as_str()),
                    bid: None,
                    ask: None,
                    last: Some(format!("{}e-2", self.price).parse().unwrap()),
                    as_of: now,
                    received: now,
                })
            });
            let observations = observations.collect();
            self.step(Input::Observed(observations));
        }
        self.settle();
    }

    /// A block with everything in the pool that can pay, in nonce order.
    pub fn mine(&mut self) {
        let parent = self.tip();
        let number = parent.number + 1;
        let head = BlockRef {
            number,
            hash: block_hash(number, self.forks),
            parent: parent.hash,
            time: self.wall(0),
        };
        self.blocks.push(Block { head, txs: Vec::new() });
        let accounts: BTreeSet<Address> = self.pool.keys().map(|(account, _)| *account).collect();
        let is_taken = |account: &Address| !self.crowded || *account != ACCOUNT;
        for account in accounts.into_iter().filter(is_taken).collect::<Vec<_>>() {
            while let Some((hash, tx)) = self.pool.get(&(account, self.nonce(account, number))).cloned() {
                if tx.fee.cap_wei() < self.base_fee_wei {
                    break;
                }
                self.pool.remove(&(account, tx.nonce));
                let success = self.would_revert(&tx.call).is_none();
                self.blocks.last_mut().unwrap().txs.push(Mined { hash, tx, success });
            }
        }
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
        let fees = FeeHint { base_fee_wei: Some(base), tip_wei: 2, gas_price_wei: base + 2 };
        let head = self.blocks[usize::try_from(number).unwrap()].head;
        let tagged = self.tagged.map(|n| (n, self.blocks[usize::try_from(n).unwrap()].head.hash));
        self.step(Input::Head { head, fees, tagged });
        self.settle();
    }

    /// The newest blocks leave the chain, silently.
    pub fn roll_back(&mut self, depth: usize, lost: Lost) {
        self.forks += 1;
        for block in self.blocks.drain(self.blocks.len() - depth..) {
            for mined in block.txs.into_iter().filter(|_| lost == Lost::Pooled) {
                self.pool.insert((mined.tx.from, mined.tx.nonce), (mined.hash, mined.tx));
            }
        }
    }

    /// The newest blocks are replaced by as many empty ones, and one more.
    pub fn reorganise(&mut self, depth: usize, lost: Lost) {
        self.roll_back(depth, lost);
        let pool = std::mem::take(&mut self.pool);
        for _ in 0..=depth {
            self.mine();
        }
        self.pool = pool;
    }

    /// The process dies; another one starts from the journal.
    pub fn restart(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.died = false;
        self.machine = Machine::new(self.spec.clone(), &replay(&self.journal), self.now()).unwrap();
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
        for effect in effects {
            self.perform(effect);
            if self.died {
                self.pending.clear();
                return;
            }
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

    /// What the store would refuse.
    fn journalled(&self, record: &Record) {
        match record {
            Record::Intent { account, nonce, work, .. } => {
                assert!(self.intent(*account, *nonce).is_none(), "nonce {nonce} was given away twice");
                let Work::Round { aggregator, round, .. } = work else { return };
                let holder = self.journal.iter().find_map(|old| match old {
                    Record::Intent {
                        account: a,
                        nonce: n,
                        work: Work::Round { aggregator: g, round: r, .. },
                        ..
                    } if (a, g, r) == (account, aggregator, round)
                        && self.closed(*a, *n).is_none_or(|o| o == Outcome::Final) =>
                    {
                        Some(*n)
                    }
                    _ => None,
                });
                assert_eq!(holder, None, "round {round} is on its way twice");
            }
            Record::Attempt { account, nonce, attempt, .. } => {
                assert_eq!(self.closed(*account, *nonce), None, "an attempt at a closed nonce");
                assert!(!attempt.raw.is_empty());
                let highest = self.attempts(*account, *nonce).last().copied();
                assert_eq!(attempt.seq, highest.map_or(0, |a| a.seq + 1));
                assert!(attempt.fee.cap_wei() <= self.spec.chain.fees.max_fee_wei, "above the cap");
            }
            Record::Sent { hash, .. } => assert!(self.is_journalled(*hash)),
            Record::Included { account, nonce, .. } => {
                assert_eq!(self.closed(*account, *nonce), None, "an inclusion of a closed nonce");
            }
            Record::Closed { account, nonce, .. } => {
                assert_eq!(self.closed(*account, *nonce), None, "closed twice");
            }
            Record::Orphaned { .. } | Record::Halted { .. } | Record::Resumed { .. } => {}
        }
    }

    fn intent(&self, account: Address, nonce: u64) -> Option<&Work> {
        self.journal.iter().find_map(|record| match record {
            Record::Intent { account: a, nonce: n, work, .. } if (*a, *n) == (account, nonce) => Some(work),
            _ => None,
        })
    }

    pub fn closed(&self, account: Address, nonce: u64) -> Option<Outcome> {
        self.journal.iter().find_map(|record| match record {
            Record::Closed { account: a, nonce: n, outcome, .. } if (*a, *n) == (account, nonce) => {
                Some(*outcome)
            }
            _ => None,
        })
    }

    pub fn attempts(&self, account: Address, nonce: u64) -> Vec<&Attempt> {
        let attempts = self.journal.iter().filter_map(|record| match record {
            Record::Attempt { account: a, nonce: n, attempt, .. } if (*a, *n) == (account, nonce) => {
                Some(attempt)
            }
            _ => None,
        });
        attempts.collect()
    }

    fn is_journalled(&self, hash: B256) -> bool {
        self.journal.iter().any(|r| matches!(r, Record::Attempt { attempt, .. } if attempt.hash == hash))
    }

    pub fn intents(&self) -> usize {
        self.journal.iter().filter(|r| matches!(r, Record::Intent { .. })).count()
    }

    pub fn is_halted(&self, scope: &Scope) -> bool {
        replay(&self.journal).halts.iter().any(|(halted, _)| halted == scope)
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
                Input::Sent { account, hash, outcome, detail: String::new() }
            }
            Effect::FetchAccount { ticket, account, at, hashes } => {
                self.count("account");
                let view = up.then(|| AccountView {
                    at_number: at.number,
                    mined_nonce: self.nonce(account, at.number),
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
            Effect::FetchAncestors { ticket, number, hash, count } => {
                self.count("ancestors");
                let first = number.saturating_add(1).saturating_sub(count);
                let run = self.blocks.iter().map(|b| b.head).filter(|b| (first..=number).contains(&b.number));
                let run: Vec<BlockRef> = run.collect();
                let blocks = (up && run.last().is_some_and(|b| b.hash == hash)).then_some(run);
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

    /// go-ethereum's rules.
    pub fn receive(&mut self, hash: B256) -> SendOutcome {
        let tx = self.signed[&hash].clone();
        if tx.nonce < self.nonce(tx.from, self.tip().number) {
            return SendOutcome::NonceUsed;
        }
        let enough = |old: u128, new: u128| new > old && new * 10 >= old * 11;
        match self.pool.get(&(tx.from, tx.nonce)) {
            Some((old, _)) if *old == hash => return SendOutcome::Known,
            Some((_, old))
                if !(enough(old.fee.cap_wei(), tx.fee.cap_wei())
                    && enough(old.fee.tip_wei(), tx.fee.tip_wei())) =>
            {
                return SendOutcome::ReplacementUnderpriced;
            }
            _ => {}
        }
        self.pool.insert((tx.from, tx.nonce), (hash, tx));
        SendOutcome::Accepted
    }

    pub fn nonce(&self, account: Address, height: u64) -> u64 {
        let mined = self.blocks.iter().filter(|b| b.head.number <= height).flat_map(|b| &b.txs);
        mined.filter(|m| m.tx.from == account).map(|m| m.tx.nonce + 1).max().unwrap_or(0)
    }

    fn receipt(&self, hash: B256) -> ReceiptAnswer {
        if self.no_receipts {
            return ReceiptAnswer::Unknown;
        }
        let found = self.blocks.iter().find_map(|b| Some((b, b.txs.iter().find(|m| m.hash == hash)?)));
        found.map_or(ReceiptAnswer::Absent, |(block, mined)| {
            ReceiptAnswer::Found(Receipt {
                hash,
                block_number: block.head.number,
                block_hash: block.head.hash,
                success: mined.success,
                gas_used: 40_000,
                gas_price_wei: 1,
            })
        })
    }

    /// Rounds that a contract stored up to a height.
    fn stored(&self, to: Address, height: u64) -> Vec<(u64, Answer, Wall)> {
        let blocks = self.blocks.iter().filter(|b| b.head.number <= height);
        let txs = blocks.flat_map(|b| b.txs.iter().filter(|m| m.success).map(move |m| (b, m)));
        txs.filter_map(|(b, m)| match m.tx.call {
            Call::Submit { aggregator, round, answer } if aggregator == to => {
                Some((round, answer, b.head.time))
            }
            _ => None,
        })
        .collect()
    }

    /// What the contract would say to a call at the tip.
    pub fn would_revert(&self, call: &Call) -> Option<String> {
        let Call::Submit { aggregator, round, .. } = call else { return None };
        let latest = self.stored(*aggregator, u64::MAX).last().map_or(0, |(round, ..)| *round);
        if self.paused {
            Some("Paused()".to_owned())
        } else {
            (*round != latest + 1).then(|| format!("StaleRound({round}, {})", latest + 1))
        }
    }

    fn round_view(&self, id: &FeedId, at: BlockRef) -> RoundView {
        let latest = self.stored(self.spec.feeds[id].aggregator, at.number).last().copied();
        let (round, answer, updated_at) = latest.unwrap_or_default();
        RoundView {
            block_number: at.number,
            block_hash: at.hash,
            round,
            answer,
            updated_at,
            paused: self.paused,
            authorised: true,
        }
    }

    /// A round that somebody else writes goes straight into a new block.
    pub fn write_foreign_round(&mut self, id: &FeedId, answer: i64) {
        let to = self.spec.feeds[id].aggregator;
        let round = self.stored(to, u64::MAX).last().map_or(0, |(round, ..)| *round) + 1;
        let answer = Answer::new(I256::try_from(answer).unwrap());
        let stranger = Address::repeat_byte(0xee);
        let call = Call::Submit { aggregator: to, round, answer };
        self.insert_foreign(stranger, call);
        self.mine();
    }

    /// Somebody else sends from an account that we thought was ours.
    pub fn insert_foreign(&mut self, from: Address, call: Call) {
        let nonce = self.nonce(from, u64::MAX);
        let tx = TxRequest {
            chain_id: 138,
            from,
            nonce,
            gas_limit: 100_000,
            fee: Fee::Legacy { gas_price_wei: 1_000_000 },
            call,
        };
        self.hashes += 1;
        let mut hash = [0xee; 32];
        hash[..8].copy_from_slice(&self.hashes.to_be_bytes());
        self.pool.insert((from, nonce), (B256::from(hash), tx));
    }

    /// Answers of our feed's successful rounds on the canonical chain; they must count up from 1.
    pub fn rounds(&self, id: &FeedId) -> Vec<i64> {
        let stored = self.stored(self.spec.feeds[id].aggregator, u64::MAX);
        for (expected, (round, ..)) in (1..).zip(&stored) {
            assert_eq!(*round, expected);
        }
        stored.iter().map(|(_, answer, _)| i64::try_from(answer.value()).unwrap()).collect()
    }

    /// Transactions on the canonical chain that failed.
    pub fn reverted(&self) -> usize {
        self.blocks.iter().flat_map(|b| &b.txs).filter(|m| !m.success).count()
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
