//! The machine: every input goes through [`Machine::step`], which answers with the effects to perform.
//!
//! It owns the feeds, the accounts' outboxes and the head window of one chain, and nothing else exists that decides.
//! `heads` says what a new head means, `rounds` decides what to publish, `accounts` asks for signatures, `landing`
//! tells what the chain shows of transactions, `budget` what they may cost, `steps` carries out a rollout, `leases`
//! begins and ends what replicas share. The machine trusts no answer to arrive:
//! every question has a deadline and is asked again.

mod accounts;
mod budget;
mod clock;
mod constants;
mod contract;
mod feed;
mod heads;
mod hibernate;
mod landing;
mod leases;
mod market;
mod orders;
mod rota;
mod rounds;
mod steps;
mod support;

use crate::aggregate::Estimate;
use crate::book::{Book, BookError, Pricing};
use crate::event::Event;
use crate::fees::FeePolicy;
use crate::head::{Finality, HeadWindow};
use crate::io::{Effect, Input, Operator, Ticket};
use crate::lease::Leases;
use crate::outbox::{Answered, Outbox, Timing};
use crate::policy::{Early, Hold, Known, Order, Policy, Sleep};
use crate::quote::FeedId;
use crate::record::{Record, Recovered, RecoveredAccount, Scope};
use crate::spend::{Caps, Ledger};
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::{BlockRef, FeeHint, Work};
use alloy_primitives::{Address, B256};
use clock::ChainClock;
use contract::Contract;
use feed::{Asked, Feed, Flight};
pub use market::MarketView;
use rota::Rota;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use steps::Queued;

/// How every source stands is looked at this often.
const REVIEW: Span = Span::from_s(1);

/// What the machine is told about one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSpec {
    /// The contract that its rounds are written to: an aggregator of its own, or a store of [`Spec::stores`].
    pub aggregator: Address,
    /// What it is in its store; `None`: it has an aggregator of its own.
    pub entry: Option<EntrySpec>,
    /// The contract's decimals.
    pub decimals: u8,
    /// The account that submits.
    pub account: Address,
    /// How its value is made.
    pub pricing: Pricing,
    /// How it is made while its market asks for other sources ([`crate::policy::Conduct::SwitchSource`]).
    pub off_hours: Option<Pricing>,
    /// When it is published.
    pub policy: Policy,
    /// Gas limits never go below this: the dearest round of the contract, so that an estimate made for a cheap
    /// round cannot starve it.
    pub gas_floor: u64,
    /// Gas limits never go above this, whatever a node estimates.
    pub gas_ceiling: u64,
}

/// What a feed is in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrySpec {
    /// The number that the store gave to it.
    pub number: u16,
    /// The feeds of this store that move together with it.
    pub group: Option<Group>,
}

/// Feeds of a store that move together: what makes a round of one makes a round of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Whether all of them go in one transaction, or none does. If not, a member that may not move is left out.
    pub is_atomic: bool,
}

/// What the machine is told about one store of feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// Which feed rides along with one that is due.
    pub early: Early,
    /// A heartbeat that is due takes those along whose period divides its own, so that they come together from then on.
    pub sync_heartbeats: bool,
    /// How long feeds that are due wait for others that become so, and how far ahead heartbeats are looked for: what
    /// becomes due moments apart goes out together. A heartbeat that has come waits for nobody. Zero: all go at once.
    pub gather: Span,
    /// Gas that a transaction takes beside that of its feeds.
    pub gas: u64,
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
    /// What may be spent.
    pub caps: Caps,
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
    /// The stores that some of them are written to.
    pub stores: BTreeMap<Address, StoreSpec>,
    /// Values that are not published but convert others.
    pub rates: BTreeMap<FeedId, Pricing>,
    /// Accounts that carry out steps of a rollout, besides the feeds' accounts.
    pub accounts: Vec<Address>,
    /// An operator has looked at every halt in the journal.
    pub acknowledge_halts: bool,
}

/// A read-only look at one feed, for status pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedView {
    /// The latest round on the canonical chain.
    pub known: Option<Known>,
    /// What its sources said when they were looked at last, those that its market asks for: after each quote, and as often
    /// as timers are looked at.
    pub value: Option<Estimate>,
    /// By how many the families that answered were more than the quorum; `None` before the first look.
    pub margin: Option<isize>,
    /// Why nothing is published, if something stands in the way.
    pub hold: Option<Hold>,
    /// Whether a value that becomes unsure now makes a round; `None` where no rule says so.
    pub confidence_armed: Option<bool>,
    /// How its breaker stands, one of [`BREAKER_STATES`](crate::policy::BREAKER_STATES); `None` where it has none.
    pub breaker: Option<&'static str>,
    /// The orders of operators that stand.
    pub orders: Vec<Order>,
    /// What its market does, if it keeps a market's hours.
    pub market: Option<MarketView>,
    /// Whether it is awake; `None` where no flag can put it to sleep.
    pub sleep: Option<Sleep>,
    /// A rate that converts a source of it has lost its peg.
    pub is_off_peg: bool,
    /// A round is on its way.
    pub in_flight: bool,
    /// When the next heartbeat is to be sent.
    pub heartbeat_at: Option<Wall>,
    /// How long before its due time a heartbeat is sent.
    pub heartbeat_lead: Span,
    /// Decimals of the answers.
    pub decimals: u8,
    /// What it may still spend in this hour, in wei; `None` without a cap.
    pub budget_left_wei: Option<u128>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Machine {
    chain: ChainSpec,
    book: Book,
    feeds: BTreeMap<FeedId, Feed>,
    contracts: BTreeMap<Address, Contract>,
    window: HeadWindow,
    hint: FeeHint,
    tagged: Option<(u64, B256)>,
    highest_final: Option<u64>,
    /// Ancestors that are being asked for, and the branch they are to be linked to; none: the window is deepened.
    fetching: Option<Asked<Vec<BlockRef>>>,
    /// How many ancestors are asked for at once: fewer after a failure.
    ancestors_at_once: u64,
    anchor: Option<(u64, B256)>,
    anchoring: Option<Asked<(u64, B256)>>,
    anchored: bool,
    clock: ChainClock,
    ledger: Ledger,
    /// The constants whose end people were told of: that it is near, or that it has come.
    constants_told: BTreeMap<FeedId, bool>,
    /// What operators say about feeds, as the journal said last.
    orders: Vec<Order>,
    /// Whose budget people were told to be spent.
    over_budget: BTreeSet<Scope>,
    /// Every account that is signed for here.
    accounts: BTreeSet<Address>,
    /// Which of them may be used now; `None`: all of them, always.
    leases: Option<Leases>,
    /// Accounts whose lease was taken and whose part of the journal has not been read since.
    unrecovered: BTreeSet<Address>,
    recovering: Option<Asked<BTreeSet<Address>>>,
    /// Whose holder has been reported.
    standing_by: BTreeMap<Address, String>,
    acknowledge_halts: bool,
    /// The accounts that are in use.
    outboxes: BTreeMap<Address, Outbox>,
    /// What is remembered about every open transaction.
    flights: BTreeMap<(Address, u64), Flight>,
    queue: VecDeque<Queued>,
    step_checks: BTreeMap<Ticket, (Address, Work, Mono)>,
    /// The contracts with a `preflight`, by its ticket.
    asking: BTreeMap<Ticket, Address>,
    halted: Option<String>,
    halted_feeds: BTreeMap<FeedId, String>,
    tickets: u64,
    draining: bool,
    last_head: Mono,
    stalled: bool,
    scans: Rota,
    reviews: Rota,
    recovered: bool,
    greeting: Vec<Effect>,
}

impl Machine {
    /// A machine over what the journal knows, which nobody else writes.
    pub fn new(spec: Spec, recovered: &Recovered, now: Now) -> Result<Self, BookError> {
        let mut machine = Self::idle(spec, None, now)?;
        let mut accounts = machine.accounts.clone();
        // An account that left the configuration has no signer any more, but what it signed may still land.
        accounts.extend(recovered.accounts.iter().filter(|a| !a.open.is_empty()).map(|a| a.account));
        machine.adopt(&accounts, recovered, now);
        Ok(machine)
    }

    /// A machine that uses an account only while it holds its lease, and recovers it from the journal each time.
    pub fn leased(spec: Spec, leases: Leases, now: Now) -> Result<Self, BookError> {
        Self::idle(spec, Some(leases), now)
    }

    fn idle(spec: Spec, leases: Option<Leases>, now: Now) -> Result<Self, BookError> {
        let mut values: BTreeMap<FeedId, Pricing> = spec.rates;
        values.extend(spec.feeds.iter().map(|(id, feed)| (id.clone(), feed.pricing.clone())));
        let off_hours = |(id, feed): (&FeedId, &FeedSpec)| Some((id.off_hours(), feed.off_hours.clone()?));
        values.extend(spec.feeds.iter().filter_map(off_hours));
        let book = Book::new(values)?;
        let accounts = spec.feeds.values().map(|f| f.account).chain(spec.accounts.iter().copied()).collect();
        let mut contracts = BTreeMap::new();
        for (id, feed) in &spec.feeds {
            let store = spec.stores.get(&feed.aggregator).copied();
            let contract = || Contract::new(feed.account, store, now);
            contracts.entry(feed.aggregator).or_insert_with(contract).feeds.push(id.clone());
        }
        let feeds = spec.feeds.into_iter().map(|(id, spec)| (id, Feed::new(spec.within_entry(), now)));
        Ok(Self {
            window: HeadWindow::new(spec.chain.finality, spec.chain.block_time),
            chain: spec.chain,
            book,
            feeds: feeds.collect(),
            contracts,
            hint: FeeHint::default(),
            tagged: None,
            highest_final: None,
            fetching: None,
            ancestors_at_once: heads::ANCESTORS_MAX,
            anchor: None,
            anchoring: None,
            anchored: true,
            clock: ChainClock::default(),
            ledger: Ledger::default(),
            constants_told: BTreeMap::new(),
            orders: Vec::new(),
            over_budget: BTreeSet::new(),
            accounts,
            leases,
            unrecovered: BTreeSet::new(),
            recovering: None,
            standing_by: BTreeMap::new(),
            acknowledge_halts: spec.acknowledge_halts,
            outboxes: BTreeMap::new(),
            flights: BTreeMap::new(),
            queue: VecDeque::new(),
            step_checks: BTreeMap::new(),
            asking: BTreeMap::new(),
            halted: None,
            halted_feeds: BTreeMap::new(),
            tickets: 0,
            draining: false,
            last_head: now.mono,
            stalled: false,
            scans: Rota::new(now.mono),
            reviews: Rota::new(now.mono),
            recovered: false,
            greeting: Vec::new(),
        })
    }

    /// Begins to use accounts, over what the journal knows of them.
    fn adopt(&mut self, accounts: &BTreeSet<Address>, recovered: &Recovered, now: Now) {
        // An operator who acknowledges that finality was broken acknowledges that nothing was final.
        let broken = recovered.halts.iter().any(|(scope, _)| *scope == Scope::Chain);
        let reopen = self.acknowledge_halts && broken;
        let adopted = |old: &RecoveredAccount| if reopen { old.reopened() } else { old.clone() };
        let concerned = recovered.accounts.iter().filter(|a| accounts.contains(&a.account));
        let old: Vec<RecoveredAccount> = concerned.clone().map(adopted).collect();
        for account in accounts {
            let old = old.iter().find(|a| a.account == *account);
            let outbox = Outbox::new(*account, old, self.chain.timing, self.chain.in_flight_max);
            let outbox = if self.accounts.contains(account) { outbox } else { outbox.retired() };
            self.outboxes.insert(*account, outbox);
            self.ledger.adopt(*account, old.map_or(&[], |old| old.payments.as_slice()), now);
        }
        if recovered.anchor.is_some_and(|(number, _)| self.anchor.is_none_or(|(known, _)| known <= number)) {
            self.anchor = recovered.anchor;
            self.anchoring = None;
            self.anchored = false;
        }
        accounts.iter().for_each(|account| self.forget_courses(*account));
        self.adopt_halts(accounts, &recovered.halts, now);
        if reopen {
            let closed = concerned.flat_map(|old| old.closed.iter().map(|i| (old.account, i.nonce)));
            self.reopen(closed.collect(), now);
        }
        self.adopt_flights(accounts);
        self.recovered = false;
    }

    /// Halts stay halts over a restart, until an operator acknowledges them.
    fn adopt_halts(&mut self, accounts: &BTreeSet<Address>, halts: &[(Scope, String)], now: Now) {
        for (scope, reason) in halts {
            let concerned = match scope {
                Scope::Chain => true,
                Scope::Account(account) => accounts.contains(account),
                Scope::Feed(feed) => {
                    self.feeds.get(feed).is_none_or(|feed| accounts.contains(&feed.spec.account))
                }
            };
            if !concerned {
                continue;
            }
            if self.acknowledge_halts {
                self.resume(scope, now);
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
    }

    /// An operator has looked at a halt: what it was about is forgiven, once.
    fn resume(&mut self, scope: &Scope, now: Now) {
        match scope {
            Scope::Chain => {
                // The old anchor may be what the halt was about.
                self.anchor = None;
                self.anchored = true;
            }
            Scope::Account(account) => {
                if let Some(outbox) = self.outboxes.get_mut(account) {
                    outbox.acknowledge();
                }
            }
            Scope::Feed(_) => {}
        }
        self.greeting.push(Effect::Persist(vec![Record::Resumed { scope: scope.clone(), at: now.wall }]));
        self.greeting.push(Effect::Report(Event::Resumed { scope: scope.clone() }));
    }

    /// What counted as final is to be found again, or sent again.
    fn reopen(&mut self, closed: Vec<(Address, u64)>, now: Now) {
        let reopened =
            closed.into_iter().map(|(account, nonce)| Record::Reopened { account, nonce, at: now.wall });
        self.greeting.push(Effect::Persist(reopened.collect()));
    }

    /// What the journal left open is on its way.
    fn adopt_flights(&mut self, accounts: &BTreeSet<Address>) {
        for (account, outbox) in self.outboxes.iter().filter(|(account, _)| accounts.contains(*account)) {
            for intent in outbox.open() {
                self.flights.insert((*account, intent.nonce), Flight::adopted());
            }
        }
        self.follow();
    }

    /// Takes one input; returns what to do, in order.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = std::mem::take(&mut self.greeting);
        self.expire_leases(now, &mut out);
        match input {
            Input::Tick => {}
            Input::Observed(observations) => {
                let mut touched = Vec::new();
                for observation in observations {
                    touched.extend(self.book.observe(observation).cloned());
                }
                self.consider(touched, now, &mut out);
            }
            Input::Listed(markets) => {
                let mut touched = Vec::new();
                for (market, listing) in markets {
                    touched.extend(self.book.list(&market, listing).cloned());
                }
                self.consider(touched, now, &mut out);
            }
            Input::Head { head, fees, tagged } => {
                self.hint = fees;
                self.tagged = tagged;
                self.polled(&[head], now, &mut out);
            }
            Input::Ancestors { ticket, blocks } => self.ancestors(ticket, blocks, now, &mut out),
            Input::BlockHash { ticket, hash } => self.anchor_hash(ticket, hash, now, &mut out),
            Input::Round { ticket, feed, view } => self.round_read(ticket, &feed, view, now, &mut out),
            Input::Store { ticket, store, view } => self.store_read(ticket, store, view, now, &mut out),
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
            Input::Sent { account, hash, outcome, minimum, detail } => {
                self.sent(account, hash, Answered { outcome, minimum, detail }, now, &mut out);
            }
            Input::Leases { ticket, board } => self.leases_read(ticket, board, now, &mut out),
            Input::Recovered { ticket, recovered } => self.journal_read(ticket, recovered, now, &mut out),
            Input::Orders(orders) => {
                self.obey(orders);
                self.follow_orders(now, &mut out);
                self.consider_all(now, &mut out);
            }
            Input::Fenced(accounts) => self.fenced(&accounts, now, &mut out),
            Input::Operator(Operator::Drain) => self.drain(now),
            Input::Operator(Operator::Execute { account, name, to, data }) => {
                self.enqueue(account, Work::Step { name, to, data }, now, &mut out);
            }
        }
        if let Some(part) = self.scans.due(self.feeds.len(), self.scan_period(), now.mono) {
            self.scan(part, now, &mut out);
        }
        self.run_steps(now, &mut out);
        self.pump(now, &mut out);
        self.ask_for_leases(now, &mut out);
        out
    }

    /// When the machine wants to be stepped at the latest.
    pub fn wake_at(&self) -> Mono {
        let scan_at = self.scans.next();
        self.leases.as_ref().map_or(scan_at, |leases| leases.wake_at().min(scan_at))
    }

    /// Timers are looked at this often: well under a block time, and at most ten times a second.
    fn scan_period(&self) -> Span {
        Span::from_ms((self.chain.block_time.ms() / 4).clamp(100, 1000))
    }

    /// What time alone can change, of everything at the first part and of some of the feeds at each.
    fn scan(&mut self, feeds: Range<usize>, now: Now, out: &mut Vec<Effect>) {
        if feeds.start == 0 {
            self.watch_heads(now, out);
            self.ledger.expire(now.mono);
            self.follow_orders(now, out);
        }
        if let Some(values) = self.reviews.due(self.book.len(), REVIEW, now.mono) {
            self.review(values, now, out);
        }
        if feeds.start == 0 {
            self.follow_markets(now, out);
        }
        self.consider(self.feeds.keys().skip(feeds.start).take(feeds.len()).cloned().collect(), now, out);
        let settled = self.leases.as_ref().is_none_or(|leases| leases.is_settled(now.mono));
        let read = settled && self.unrecovered.is_empty();
        if !self.recovered && read && self.anchored && self.outboxes.values().all(Outbox::is_synced) {
            self.recovered = true;
            let open = self.outboxes.values().map(|o| o.open().count()).sum();
            out.push(Effect::Report(Event::Recovered { open }));
        }
    }

    /// Looks at clocks, pegs and constants at the first part, and at how the sources of some values stand at each.
    fn review(&mut self, values: Range<usize>, now: Now, out: &mut Vec<Effect>) {
        let is_first = values.start == 0;
        if is_first {
            let step = self.book.clock_step(now);
            out.extend(step.map(|by_ms| Effect::Report(Event::OwnClockSet { by_ms })));
            out.extend(self.book.review_clocks(now).into_iter().map(|change| Effect::Report(change.into())));
        }
        out.extend(self.book.review(values, now).into_iter().map(|change| Effect::Report(change.into())));
        if is_first {
            out.extend(self.book.review_pegs(now).into_iter().map(|change| Effect::Report(change.into())));
            self.watch_constants(now, out);
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn ask<T>(&mut self, now: Now, what: T) -> Asked<T> {
        Asked { ticket: self.ticket(), deadline: now.mono + self.chain.timing.answer_timeout, what }
    }

    /// Whether nothing is being signed, sent or awaited: the moment to stop after [`Operator::Drain`]. Steps that
    /// wait are not begun any more once it has been said.
    pub fn is_idle(&self) -> bool {
        let waiting = !self.draining && !self.queue.is_empty();
        !waiting && self.step_checks.is_empty() && !self.outboxes.values().any(Outbox::is_busy)
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

    /// The leases, where replicas share the journal.
    pub fn leases(&self) -> Option<&Leases> {
        self.leases.as_ref()
    }

    /// Every feed as a status page shows it.
    pub fn feeds(&self, now: Now) -> impl Iterator<Item = (&FeedId, FeedView)> {
        let ours = self.outboxes.keys();
        let budgets: BTreeMap<Address, _> =
            ours.map(|account| (*account, self.budgets(*account, None))).collect();
        self.feeds.iter().map(move |(id, feed)| {
            let known = feed.known;
            let flight = self.contracts.get(&feed.spec.aggregator).and_then(|contract| contract.flight);
            let view = FeedView {
                known,
                value: feed.seen.and_then(|(_, value)| value),
                margin: feed.seen.map(|(margin, _)| margin),
                hold: feed.hold,
                confidence_armed: feed.is_armed(),
                breaker: feed.breaker_state(),
                orders: feed.orders.clone(),
                market: feed.market(now.wall),
                sleep: feed.policy.hibernate_flag.map(|_| feed.sleep),
                is_off_peg: self.book.rests_on_lost_peg(&feed.set(id)),
                in_flight: flight.is_some_and(|flight| self.carries(flight, id)),
                heartbeat_at: feed.heartbeat_at(),
                heartbeat_lead: feed.policy.heartbeat_lead,
                decimals: feed.spec.decimals,
                budget_left_wei: budgets
                    .get(&feed.spec.account)
                    .and_then(|budgets| budgets.feed_left_wei(id)),
            };
            (id, view)
        })
    }

    /// Whether an open transaction is for a feed.
    fn carries(&self, (account, nonce): (Address, u64), id: &FeedId) -> bool {
        let Some(intent) = self.outboxes.get(&account).and_then(|o| o.intent(nonce)) else { return false };
        let planned = self.flights.get(&(account, nonce)).is_some_and(|f| f.answers.contains_key(id));
        planned || matches!(intent.work, Work::Round { .. }) || intent.last_answer(id).is_some()
    }
}

impl FeedSpec {
    /// The same with bounds that its contract's words hold: an entry of a store has 64 bits (`IFeedStore`), and what
    /// is beyond them is held back like anything else out of bounds.
    fn within_entry(mut self) -> Self {
        if self.entry.is_some() {
            let (min, max) = (&mut self.policy.min_answer, &mut self.policy.max_answer);
            *min = (*min).max(i64::MIN.into());
            *max = (*max).min(i64::MAX.into());
        }
        self
    }
}
