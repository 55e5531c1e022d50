//! The state that health, readiness and status are answered from. The driver keeps it current.

use crate::chain::Standing;
use alloy::primitives::{Address, B256};
use publisher_core::constant::Constant;
use publisher_core::drift::{Drift, Skew};
use publisher_core::machine::MarketView;
use publisher_core::policy::{Hold, Known, Order, Sleep};
use publisher_core::price::{Price, Ratio};
use publisher_core::quote::{FeedId, VenueId};
use publisher_core::record::Scope;
use publisher_core::score::Score;
use publisher_core::standing::Standing as SourceStanding;
use publisher_core::time::{Mono, Now, Span, Wall};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads both clocks.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// Everything that is known about the running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// When the process began.
    pub began_at: Mono,
    /// The journal is recovered and the machine runs.
    pub started: bool,
    /// It begins nothing new and will end.
    pub draining: bool,
    /// The name under which this process holds leases; empty before the journal is open.
    pub replica: String,
    /// The journal can be written.
    pub journal_ok: bool,
    /// The signer's last answer was usable.
    pub signer_ok: bool,
    /// The last answers of the node that is read were usable, and its chain is the configured one.
    pub node_ok: bool,
    /// Every node, as they are configured.
    pub nodes: Vec<NodeHealth>,
    /// Every venue that is listened to over WebSocket.
    pub streams: BTreeMap<VenueId, StreamHealth>,
    /// Every venue whose times say something about its clock.
    pub clocks: Vec<ClockHealth>,
    /// Whether our own clock is wrong, by what they say.
    pub own_clock: Option<Skew>,
    /// The latest head; `None` before the first.
    pub head: Option<HeadSeen>,
    /// After this long without a new head the chain counts as stalled.
    pub stall_after: Span,
    /// What stands still until an operator acknowledges it, and why.
    pub halts: BTreeMap<Scope, String>,
    /// Every configured feed.
    pub feeds: BTreeMap<FeedId, FeedHealth>,
    /// The rates that have a peg, and whether each is lost.
    pub pegs: BTreeMap<FeedId, bool>,
    /// Every value that is spelled out.
    pub constants: BTreeMap<FeedId, ConstantHealth>,
    /// Every account in use.
    pub accounts: BTreeMap<Address, AccountHealth>,
    /// Every loop that has to go round.
    pub loops: BTreeMap<&'static str, LoopHealth>,
}

/// A value that is spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstantHealth {
    /// What it is, and until when.
    pub constant: Constant,
    /// Why it may be taken as that, in the words of the configuration.
    pub comment: String,
}

/// The head as last polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSeen {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// When it became the head here.
    pub advanced_at: Mono,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHealth {
    /// Scheme and host; with its place in the configuration where several share them.
    pub node: String,
    /// How it stands.
    pub standing: Standing,
    /// Its heads are believed.
    pub reader: bool,
    /// It is never read.
    pub send_only: bool,
    /// Its latest head.
    pub head: Option<u64>,
    /// Whether its subscription tells of heads; `None` where it has none.
    pub subscribed: Option<bool>,
    /// How many blocks it is behind the best of the others.
    pub behind: Option<u64>,
    /// Why it stands like this, in the words of whoever said it; empty while all is well.
    pub why: String,
}

/// The clock of one venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockHealth {
    /// The venue.
    pub venue: VenueId,
    /// What its times say.
    pub drift: Drift,
    /// Whether it is known to be wrong.
    pub skew: Option<Skew>,
}

/// The WebSockets of one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHealth {
    /// How many it takes for its markets.
    pub sockets: usize,
    /// How many are open.
    pub open: usize,
    /// Markets of the venue.
    pub markets: usize,
    /// How many of them are subscribed to.
    pub live: usize,
    /// All of them come that way: each has come of late, or has had nothing to say on a socket that lives.
    pub healthy: bool,
    /// What went wrong last, in words; empty while all is well.
    pub detail: String,
}

impl StreamHealth {
    /// How it stands, in a word: `up` while every market comes over it, `partial` while some do.
    pub fn state(&self) -> &'static str {
        match (self.open, self.healthy) {
            (0, _) => "down",
            (_, true) => "up",
            (_, false) => "partial",
        }
    }
}

/// One feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedHealth {
    /// Decimal places of its answers.
    pub decimals: u8,
    /// Its latest round on chain; `None` before it was read.
    pub known: Option<Known>,
    /// What its sources say now.
    pub value: Option<Price>,
    /// Half the width of what is not known of it, as a part of it.
    pub confidence: Option<Ratio>,
    /// How many families of venues count in it; none while there is no value.
    pub families: usize,
    /// How many families of equal weight would say as much, in thousandths; none while there is no value.
    pub effective_milli: u64,
    /// By how many the families that answer are more than the quorum; `None` before the first look.
    pub margin: Option<isize>,
    /// Whether a value that becomes unsure now makes a round; `None` where no rule says so.
    pub confidence_armed: Option<bool>,
    /// It had a value at least once since the start.
    pub has_value: bool,
    /// When the next heartbeat is to be sent: `lead` before it is due. `None` without heartbeat or before the first
    /// round.
    pub heartbeat_at: Option<Wall>,
    /// How long before its due time a heartbeat is sent.
    pub lead: Span,
    /// Why it may not publish.
    pub hold: Option<Hold>,
    /// How its breaker stands; `None` where it has none.
    pub breaker: Option<&'static str>,
    /// The orders of operators that stand.
    pub orders: Vec<Order>,
    /// What its market does, if it keeps a market's hours.
    pub market: Option<MarketView>,
    /// Whether it is awake; `None` where no flag can put it to sleep.
    pub sleep: Option<Sleep>,
    /// A rate that converts a source of it has lost its peg.
    pub is_off_peg: bool,
    /// A transaction of it is on its way.
    pub in_flight: bool,
    /// The store that it shares, by name, and its number there.
    pub entry: Option<(String, u16)>,
    /// What it may still spend in this hour, in wei; `None` without a cap.
    pub budget_left_wei: Option<u128>,
    /// How each of its sources stands.
    pub sources: Vec<SourceHealth>,
    /// The same of its sources of off hours, where it has some.
    pub off_hours_sources: Vec<SourceHealth>,
}

/// One source of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceHealth {
    /// Its market.
    pub source: String,
    /// Whether it may vote.
    pub standing: SourceStanding,
    /// How it did since the start.
    pub score: Score,
}

impl FeedHealth {
    /// Its market is closed, so that its sources have nothing to say.
    pub fn is_shut(&self) -> bool {
        self.market.as_ref().is_some_and(|market| !market.conduct.is_live())
    }

    /// Milliseconds until the heartbeat is missed; negative if it is already.
    pub fn heartbeat_margin_ms(&self, now: Wall) -> Option<i64> {
        self.heartbeat_at.map(|at| (at + self.lead).ms().saturating_sub(now.ms()))
    }
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountHealth {
    /// The next nonce it will give to an intent; 0 before the chain was asked, and while another replica has it.
    pub next_nonce: u64,
    /// Intents that are not closed, as far as this replica has them.
    pub open: usize,
    /// The epoch of its lease, if this replica holds it.
    pub epoch: Option<u64>,
    /// The replica that holds its lease, if it is known.
    pub holder: Option<String>,
    /// What it may still spend in this day, in wei; `None` without a cap.
    pub budget_left_wei: Option<u128>,
}

/// One loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopHealth {
    /// How often it goes round when all is well.
    pub period: Span,
    /// When it last did.
    pub progressed_at: Mono,
}

impl LoopHealth {
    /// After this long without progress it counts as dead: three periods, but at least a minute, so that a busy
    /// machine is not mistaken for a hung one.
    pub fn limit(&self) -> Span {
        self.period.times(3).max(Span::from_s(60))
    }
}

/// The shared state. Clones share it.
#[derive(Clone)]
pub struct Health {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Health {
    /// A process that begins now and knows nothing yet.
    pub fn new(chain_id: u64, stall_after: Span, clock: Clock) -> Self {
        let state = State {
            chain_id,
            began_at: clock().mono,
            started: false,
            draining: false,
            replica: String::new(),
            journal_ok: true,
            signer_ok: true,
            node_ok: true,
            nodes: Vec::new(),
            streams: BTreeMap::new(),
            clocks: Vec::new(),
            own_clock: None,
            head: None,
            stall_after,
            halts: BTreeMap::new(),
            feeds: BTreeMap::new(),
            pegs: BTreeMap::new(),
            constants: BTreeMap::new(),
            accounts: BTreeMap::new(),
            loops: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), clock }
    }

    /// Changes the state. `change` must be quick: readers wait for it.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves values that are still worth showing.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes one feed, adding it if it is new.
    pub fn feed<T>(&self, feed: &FeedId, change: impl FnOnce(&mut FeedHealth) -> T) -> T {
        self.update(|state| change(state.feeds.entry(feed.clone()).or_default()))
    }

    /// The node reported this head. Only another head counts as progress of the chain.
    pub fn head(&self, number: u64, hash: B256) {
        let at = self.now().mono;
        self.update(|state| match state.head {
            Some(head) if head.hash == hash => {}
            _ => state.head = Some(HeadSeen { number, hash, advanced_at: at }),
        });
    }

    /// A loop that goes round every `period` is expected to from now on, and has just done so.
    pub fn progressed(&self, name: &'static str, period: Span) {
        let progressed_at = self.now().mono;
        self.update(|state| state.loops.insert(name, LoopHealth { period, progressed_at }));
    }

    /// A loop ended as it should and is not expected any more.
    pub fn ended(&self, name: &'static str) {
        self.update(|state| state.loops.remove(name));
    }

    /// The state now.
    pub fn state(&self) -> State {
        self.update(|state| state.clone())
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        (self.clock)()
    }
}
