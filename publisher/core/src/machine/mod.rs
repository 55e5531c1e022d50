//! The machine: every input goes through [`Machine::step`], which answers with the effects to perform.
//!
//! It owns the feeds, the accounts' outboxes and the head window of one chain, and nothing else exists that decides.
//! `heads` says what a new head means, `rounds` decides what to publish, `accounts` moves transactions along. The
//! machine trusts no answer to arrive: every question has a deadline and is asked again.

mod accounts;
mod heads;
mod rounds;

use crate::aggregate::LeftOut;
use crate::book::{Book, BookError, Pricing};
use crate::event::{Event, Latency};
use crate::fees::FeePolicy;
use crate::head::{Finality, HeadWindow};
use crate::io::{Effect, Input, Operator, Ticket};
use crate::outbox::{Outbox, Timing};
use crate::policy::{Hold, Known, Memory, Policy, Trigger};
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::{Record, Recovered, Scope};
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::{BlockRef, FeeHint, Work};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// What the machine is told about one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSpec {
    /// The aggregator that rounds are submitted to.
    pub aggregator: Address,
    /// The aggregator's decimals.
    pub decimals: u8,
    /// The account that submits.
    pub account: Address,
    /// How its value is made.
    pub pricing: Pricing,
    /// When it is published.
    pub policy: Policy,
    /// Gas limits never go below this: the dearest round of the aggregator, so that an estimate made for a cheap
    /// round cannot starve it.
    pub gas_floor: u64,
    /// Gas limits never go above this, whatever a node estimates.
    pub gas_ceiling: u64,
}

/// What the machine is told about the chain and itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Expected time between blocks.
    pub block_time: Span,
    /// When a block is final.
    pub finality: Finality,
    /// What may be paid.
    pub fees: FeePolicy,
    /// Deadlines and delays.
    pub timing: Timing,
    /// Transactions of one account that may wait for inclusion at once.
    pub in_flight_max: usize,
    /// A feed's round is read again after this, even if nothing seems to have changed.
    pub round_refresh: Span,
}

/// Everything a machine is made from.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The chain.
    pub chain: ChainSpec,
    /// The feeds.
    pub feeds: BTreeMap<FeedId, FeedSpec>,
    /// Values that are not published but convert others.
    pub rates: BTreeMap<FeedId, Pricing>,
    /// Accounts that carry out steps of a rollout, besides the feeds' accounts.
    pub accounts: Vec<Address>,
    /// An operator has looked at every halt in the journal.
    pub acknowledge_halts: bool,
}

/// A question about a feed that is being asked.
#[derive(Clone, Debug)]
struct Asked<T> {
    ticket: Ticket,
    deadline: Mono,
    what: T,
}

/// An answer that has been decided and is being checked against the contract.
#[derive(Clone, Debug)]
struct Decided {
    round: u64,
    answer: Answer,
    observed_at: Wall,
    trigger: Trigger,
    at: Mono,
}

/// What is remembered about a feed's round on its way, for reports.
#[derive(Clone, Debug)]
struct Flight {
    nonce: u64,
    trigger: Option<Trigger>,
    answer: Option<(Answer, Wall)>,
    gas_limit: u64,
    decided: Mono,
    planned: Mono,
    signed: Mono,
    sent: Mono,
    taken_check: Option<u64>,
    latency: Latency,
}

/// One feed's state.
#[derive(Clone, Debug)]
struct Feed {
    spec: FeedSpec,
    memory: Memory,
    /// The latest round on the canonical chain, and the block that showed it.
    known: Option<(Known, u64, B256)>,
    paused: bool,
    authorised: bool,
    reading: Option<Asked<()>>,
    read_at: Mono,
    preflight: Option<Asked<Decided>>,
    refused_until: Option<Mono>,
    refusals: u32,
    flight: Option<Flight>,
    reverts: u32,
    hold: Option<Hold>,
    hold_reported: Option<Hold>,
    blocked_reported: bool,
    verdicts: Vec<Option<LeftOut>>,
    last_value: Option<(Answer, usize)>,
}

/// A read-only look at one feed, for status pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedView {
    /// The latest round on the canonical chain.
    pub known: Option<Known>,
    /// The value now, and how many venues it rests on.
    pub value: Option<(Answer, usize)>,
    /// Why nothing is published, if something stands in the way.
    pub hold: Option<Hold>,
    /// A round is on its way.
    pub in_flight: bool,
    /// When the next heartbeat is to be sent.
    pub heartbeat_at: Option<Wall>,
    /// How long before its due time a heartbeat is sent.
    pub heartbeat_lead: Span,
    /// Decimals of the answers.
    pub decimals: u8,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Machine {
    chain: ChainSpec,
    book: Book,
    feeds: BTreeMap<FeedId, Feed>,
    window: HeadWindow,
    hint: FeeHint,
    tagged: Option<(u64, B256)>,
    highest_final: Option<u64>,
    branch: Vec<BlockRef>,
    fetching: Option<Asked<()>>,
    anchor: Option<(u64, B256)>,
    anchoring: Option<Asked<(u64, B256)>>,
    anchored: bool,
    outboxes: BTreeMap<Address, Outbox>,
    /// Gas limits of steps on their way.
    steps: BTreeMap<(Address, u64), u64>,
    /// What is remembered about rounds that landed and are not final, for reports.
    landed: BTreeMap<(Address, u64), (Option<Trigger>, Latency)>,
    queue: Vec<(Address, Work)>,
    step_checks: BTreeMap<Ticket, (Address, Work, Mono)>,
    halted: Option<String>,
    halted_feeds: BTreeMap<FeedId, String>,
    tickets: u64,
    draining: bool,
    last_head: Mono,
    stalled: bool,
    scan_at: Mono,
    recovered: bool,
    greeting: Vec<Effect>,
}

impl Machine {
    /// A machine over what the journal knows.
    pub fn new(spec: Spec, recovered: &Recovered, now: Now) -> Result<Self, BookError> {
        let mut values: BTreeMap<FeedId, Pricing> = spec.rates;
        values.extend(spec.feeds.iter().map(|(id, feed)| (id.clone(), feed.pricing.clone())));
        let book = Book::new(values)?;
        let mut outboxes = BTreeMap::new();
        let accounts = spec.feeds.values().map(|f| f.account).chain(spec.accounts);
        for account in accounts.chain(recovered.accounts.iter().map(|a| a.account)) {
            outboxes.entry(account).or_insert_with(|| {
                let old = recovered.accounts.iter().find(|a| a.account == account);
                Outbox::new(account, old, spec.chain.timing, spec.chain.in_flight_max)
            });
        }
        let feeds = spec.feeds.into_iter().map(|(id, spec)| (id, Feed::new(spec, now))).collect();
        let mut machine = Self {
            window: HeadWindow::new(spec.chain.finality),
            chain: spec.chain,
            book,
            feeds,
            hint: FeeHint::default(),
            tagged: None,
            highest_final: None,
            branch: Vec::new(),
            fetching: None,
            anchor: recovered.anchor,
            anchoring: None,
            anchored: recovered.anchor.is_none(),
            outboxes,
            steps: BTreeMap::new(),
            landed: BTreeMap::new(),
            queue: Vec::new(),
            step_checks: BTreeMap::new(),
            halted: None,
            halted_feeds: BTreeMap::new(),
            tickets: 0,
            draining: false,
            last_head: now.mono,
            stalled: false,
            scan_at: now.mono,
            recovered: false,
            greeting: Vec::new(),
        };
        machine.adopt_halts(&recovered.halts, spec.acknowledge_halts, now);
        machine.adopt_flights();
        Ok(machine)
    }

    /// Halts stay halts over a restart, until an operator acknowledges them.
    fn adopt_halts(&mut self, halts: &[(Scope, String)], acknowledge: bool, now: Now) {
        for (scope, reason) in halts {
            if acknowledge {
                self.greeting
                    .push(Effect::Persist(vec![Record::Resumed { scope: scope.clone(), at: now.wall }]));
                self.greeting.push(Effect::Report(Event::Resumed { scope: scope.clone() }));
                continue;
            }
            match scope {
                Scope::Chain => self.halted = Some(reason.clone()),
                Scope::Feed(feed) => {
                    self.halted_feeds.insert(feed.clone(), reason.clone());
                }
                Scope::Account(account) => {
                    if let Some(outbox) = self.outboxes.get_mut(account) {
                        outbox.halt();
                    }
                }
            }
            let event = Event::Halted { scope: scope.clone(), reason: reason.clone() };
            self.greeting.push(Effect::Report(event));
        }
        if acknowledge {
            self.outboxes.values_mut().for_each(Outbox::acknowledge);
            // The old anchor may be what the halt was about.
            self.anchored = true;
        }
    }

    /// Rounds that the journal left open are on their way.
    fn adopt_flights(&mut self) {
        for outbox in self.outboxes.values() {
            for intent in outbox.open() {
                let Work::Round { feed, .. } = &intent.work else { continue };
                if let Some(feed) = self.feeds.get_mut(feed) {
                    feed.flight = Some(Flight::adopted(intent.nonce, feed.spec.gas_floor));
                }
            }
        }
    }

    /// Takes one input; returns what to do, in order.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = std::mem::take(&mut self.greeting);
        match input {
            Input::Tick => {}
            Input::Observed(observations) => {
                let mut touched = Vec::new();
                for observation in observations {
                    touched.extend(self.book.observe(observation).cloned());
                }
                touched.sort_unstable();
                touched.dedup();
                for feed in touched {
                    self.consider(&feed, now, &mut out);
                }
            }
            Input::Head { head, fees, tagged } => {
                self.hint = fees;
                self.tagged = tagged;
                self.polled(&[head], now, &mut out);
            }
            Input::Ancestors { ticket, blocks } => self.ancestors(ticket, blocks, now, &mut out),
            Input::BlockHash { ticket, hash } => self.anchor_hash(ticket, hash, now, &mut out),
            Input::Round { ticket, feed, view } => self.round_read(ticket, &feed, view, now, &mut out),
            Input::Preflight { ticket, answer } => self.preflight_answered(ticket, answer, now, &mut out),
            Input::Account { ticket, account, view } => {
                self.account_read(ticket, account, view.as_ref(), now, &mut out);
            }
            Input::Signed { ticket, account, hash, raw } => {
                self.signed(ticket, account, hash, raw, now, &mut out)
            }
            Input::SignFailed { ticket, account, fault, detail } => {
                if let Some(outbox) = self.outboxes.get_mut(&account) {
                    outbox.sign_failed(ticket, fault, detail, now, &mut out);
                }
            }
            Input::Sent { account, hash, outcome, detail } => {
                self.sent(account, hash, outcome, detail, now, &mut out);
            }
            Input::Operator(Operator::Drain) => self.draining = true,
            Input::Operator(Operator::Execute { account, name, to, data }) => {
                self.queue.push((account, Work::Step { name, to, data }));
            }
        }
        if now.mono >= self.scan_at {
            self.scan_at = now.mono + self.scan_period();
            self.scan(now, &mut out);
        }
        self.run_steps(now, &mut out);
        self.pump(now, &mut out);
        out
    }

    /// When the machine wants to be stepped at the latest.
    pub fn wake_at(&self) -> Mono {
        self.scan_at
    }

    /// Timers are looked at this often: well under a block time, and at most ten times a second.
    fn scan_period(&self) -> Span {
        Span::from_ms((self.chain.block_time.ms() / 4).clamp(100, 1000))
    }

    /// What time alone can change.
    fn scan(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.watch_heads(now, out);
        for id in self.feeds.keys().cloned().collect::<Vec<_>>() {
            self.consider(&id, now, out);
        }
        if !self.recovered && self.anchored && self.outboxes.values().all(Outbox::is_synced) {
            self.recovered = true;
            let open = self.outboxes.values().map(|o| o.open().count()).sum();
            out.push(Effect::Report(Event::Recovered { open }));
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn ask<T>(&mut self, now: Now, what: T) -> Asked<T> {
        Asked { ticket: self.ticket(), deadline: now.mono + self.chain.timing.answer_timeout, what }
    }

    /// Whether nothing is being signed, sent or awaited: the moment to stop after [`Operator::Drain`].
    pub fn is_idle(&self) -> bool {
        self.step_checks.is_empty() && self.queue.is_empty() && !self.outboxes.values().any(Outbox::is_busy)
    }

    /// The values that can be derived from the latest quotes.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The head window.
    pub fn window(&self) -> &HeadWindow {
        &self.window
    }

    /// Why everything stands still, if it does.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Whether everything the journal left open is accounted for.
    pub fn is_recovered(&self) -> bool {
        self.recovered
    }

    /// The accounts' outboxes.
    pub fn outboxes(&self) -> &BTreeMap<Address, Outbox> {
        &self.outboxes
    }

    /// Every feed as a status page shows it.
    pub fn feeds(&self) -> impl Iterator<Item = (&FeedId, FeedView)> {
        self.feeds.iter().map(|(id, feed)| {
            let known = feed.known.map(|(known, ..)| known);
            let view = FeedView {
                known,
                value: feed.last_value,
                hold: feed.hold,
                in_flight: feed.flight.is_some(),
                heartbeat_at: known.and_then(|k| feed.spec.policy.heartbeat_at(&k)),
                heartbeat_lead: feed.spec.policy.heartbeat_lead,
                decimals: feed.spec.decimals,
            };
            (id, view)
        })
    }
}

impl Feed {
    fn new(spec: FeedSpec, now: Now) -> Self {
        Self {
            spec,
            memory: Memory::default(),
            known: None,
            paused: false,
            authorised: true,
            reading: None,
            read_at: now.mono,
            preflight: None,
            refused_until: None,
            refusals: 0,
            flight: None,
            reverts: 0,
            hold: None,
            hold_reported: None,
            blocked_reported: false,
            verdicts: Vec::new(),
            last_value: None,
        }
    }
}

impl Flight {
    /// A round on its way that an earlier process planned.
    fn adopted(nonce: u64, gas_limit: u64) -> Self {
        Self {
            nonce,
            trigger: None,
            answer: None,
            gas_limit,
            decided: Mono::default(),
            planned: Mono::default(),
            signed: Mono::default(),
            sent: Mono::default(),
            taken_check: None,
            latency: Latency::default(),
        }
    }
}
