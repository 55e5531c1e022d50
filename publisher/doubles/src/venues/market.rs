//! The handle on prices, faults and records of all venues.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::answer::Answer;
use super::budget::{Budgets, Kept, Limits};
use super::desk::Desk;
use super::fault::{Armed, Fault, Faults};
use super::limits::{self, Sockets};
use super::pair::{NotAPair, Pair, UnknownVenue, Venue};
use super::prices::{Prices, Step, Walk};
use super::record::{Record, Served};
use super::row::Row;
use super::stream::{Connections, StreamFault};
use crate::clock;
use crate::decimal::{Decimal, NotADecimal};

/// Most stages of one scripted path.
const PATH_STEPS_MAX: usize = 10_000;

/// Most markets, so that no client of the control endpoint can fill the memory.
const MARKETS_MAX: usize = 10_000;

/// Why the market did not do as told. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The text is not a pair.
    Pair(NotAPair),
    /// The text is not a price.
    Price(NotADecimal),
    /// No venue has that name.
    Venue(UnknownVenue),
    /// A price that is set must be above zero; use [`Fault::Zero`] and [`Fault::Negative`].
    NotPositive,
    /// The pair has no price yet.
    UnknownPair(Pair),
    /// The fault befalls whole venues only.
    NotOfOneMarket(&'static str),
    /// Too many markets, or stages of a path that are too many or not in order of time.
    Limit(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair(why) => write!(f, "{why}"),
            Self::Price(why) => write!(f, "{why}"),
            Self::Venue(why) => write!(f, "{why}"),
            Self::NotPositive => f.write_str("a price must be above zero; for others set a fault"),
            Self::UnknownPair(pair) => write!(f, "{pair} has no price yet; set one first"),
            Self::NotOfOneMarket(fault) => write!(f, "{fault} befalls whole venues only"),
            Self::Limit(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Refused {}

impl From<NotAPair> for Refused {
    fn from(why: NotAPair) -> Self {
        Self::Pair(why)
    }
}

impl From<NotADecimal> for Refused {
    fn from(why: NotADecimal) -> Self {
        Self::Price(why)
    }
}

impl From<UnknownVenue> for Refused {
    fn from(why: UnknownVenue) -> Self {
        Self::Venue(why)
    }
}

#[derive(Debug)]
struct State {
    prices: Prices,
    faults: Faults,
    record: Record,
    connections: Connections,
    budgets: Budgets,
}

/// The simulated market. Clones act on the same market.
#[derive(Clone, Debug)]
pub struct Market {
    state: Arc<Mutex<State>>,
    began: Instant,
}

impl Market {
    pub(crate) fn new(served_max: usize, limits: Limits) -> Self {
        let record = Record::new(served_max);
        let state = State {
            prices: Prices::default(),
            faults: Faults::default(),
            record,
            connections: Connections::default(),
            budgets: Budgets::new(limits),
        };
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now() }
    }

    /// A poisoned lock means that a test panicked elsewhere; the state itself is only ever replaced whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Fixes the price of a pair, everywhere it has no price of its own; lists the pair if it is new. Ends a
    /// path or a walk.
    pub fn set_price(&self, pair: &str, price: &str) -> Result<(), Refused> {
        let (pair, price) = (pair.parse::<Pair>()?, positive(price)?);
        let mut state = self.state();
        state.has_room()?;
        state.prices.set(pair, price);
        Ok(())
    }

    /// Fixes the price of a pair at one venue; lists the pair there if need be.
    pub fn set_venue_price(&self, venue: Venue, pair: &str, price: &str) -> Result<(), Refused> {
        let (pair, price) = (pair.parse::<Pair>()?, positive(price)?);
        let mut state = self.state();
        state.has_room()?;
        state.prices.set_own(venue, pair, Some(price));
        Ok(())
    }

    /// Lets the venue follow the market's price again.
    pub fn clear_venue_price(&self, venue: Venue, pair: &str) -> Result<(), Refused> {
        let pair = pair.parse()?;
        self.state().prices.set_own(venue, pair, None);
        Ok(())
    }

    /// Keeps the venue that many basis points above (or below) the market.
    pub fn set_venue_offset_bps(&self, venue: Venue, pair: &str, bps: i32) -> Result<(), Refused> {
        if !(-9_000..=90_000).contains(&bps) {
            return Err(Refused::Limit("an offset is between -9000 and 90000 basis points"));
        }
        let pair: Pair = pair.parse()?;
        let mut state = self.state();
        state.has_room()?;
        state.prices.set_offset(venue, pair, bps);
        Ok(())
    }

    /// Moves a pair along a script: each price holds from `after_ms` after now.
    pub fn follow_path(&self, pair: &str, path: &[(u64, &str)]) -> Result<(), Refused> {
        if path.len() > PATH_STEPS_MAX || !path.is_sorted_by_key(|(after_ms, _)| *after_ms) {
            return Err(Refused::Limit("a path has at most 10000 stages, in order of time"));
        }
        let pair: Pair = pair.parse()?;
        let step = |&(after_ms, price): &(u64, &str)| Ok(Step { after_ms, price: positive(price)? });
        let steps = path.iter().map(step).collect::<Result<Vec<_>, Refused>>()?;
        let now_ms = self.now_ms();
        if self.state().prices.follow(&pair, steps, now_ms) {
            Ok(())
        } else {
            Err(Refused::UnknownPair(pair))
        }
    }

    /// Lets a pair walk at random from its present price.
    pub fn walk(&self, pair: &str, walk: Walk) -> Result<(), Refused> {
        let pair: Pair = pair.parse()?;
        let now_ms = self.now_ms();
        if self.state().prices.walk(&pair, walk, now_ms) { Ok(()) } else { Err(Refused::UnknownPair(pair)) }
    }

    /// Ends a path or a walk where it stands.
    pub fn hold(&self, pair: &str) -> Result<(), Refused> {
        let pair: Pair = pair.parse()?;
        let now_ms = self.now_ms();
        if self.state().prices.hold(&pair, now_ms) { Ok(()) } else { Err(Refused::UnknownPair(pair)) }
    }

    /// The market's present price of a pair.
    pub fn price(&self, pair: &str) -> Option<String> {
        let pair: Pair = pair.parse().ok()?;
        let now_ms = self.now_ms();
        self.state().prices.market_price(&pair, now_ms).map(|price| price.to_string())
    }

    /// Every pair with its present price.
    pub fn prices(&self) -> Vec<(String, String)> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let pairs = state.prices.pairs();
        let priced =
            |pair: Pair| Some((pair.to_string(), state.prices.market_price(&pair, now_ms)?.to_string()));
        pairs.into_iter().filter_map(priced).collect()
    }

    /// Sets the venue's fault in place of the one it had.
    pub fn fault(&self, venue: Venue, fault: Fault) {
        self.arm(venue, None, fault, None);
    }

    /// Sets the venue's fault for its next `times` requests.
    pub fn fault_times(&self, venue: Venue, fault: Fault, times: u32) {
        self.arm(venue, None, fault, Some(times));
    }

    /// Sets the fault of one market of the venue, beside the venue's own fault.
    pub fn fault_market(&self, venue: Venue, pair: &str, fault: Fault) -> Result<(), Refused> {
        self.arm_market(venue, pair, fault, None)
    }

    pub(crate) fn arm_market(
        &self,
        venue: Venue,
        pair: &str,
        fault: Fault,
        times: Option<u32>,
    ) -> Result<(), Refused> {
        let pair: Pair = pair.parse()?;
        if !fault.can_be_of_one_market() {
            return Err(Refused::NotOfOneMarket(fault.name()));
        }
        let now_ms = self.now_ms();
        if self.state().prices.price_at(venue, &pair, now_ms).is_none() {
            return Err(Refused::UnknownPair(pair));
        }
        self.arm(venue, Some(pair), fault, times);
        Ok(())
    }

    pub(crate) fn arm(&self, venue: Venue, pair: Option<Pair>, fault: Fault, times: Option<u32>) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let present = state.rows(venue, now_ms);
        state.faults.arm(venue, pair, fault, times, present);
    }

    /// Makes the venue well again, its single markets and its WebSocket included.
    pub fn clear(&self, venue: Venue) {
        let mut state = self.state();
        state.faults.clear(venue);
        state.connections.faults.remove(&venue);
    }

    /// Makes every venue well again.
    pub fn clear_all(&self) {
        let mut state = self.state();
        Venue::ALL.into_iter().for_each(|venue| state.faults.clear(venue));
        state.connections.faults.clear();
    }

    /// The faults that are set: venue, market if it is of one, fault.
    pub fn faults(&self) -> Vec<(Venue, Option<String>, Fault)> {
        let state = self.state();
        let told =
            |armed: &Armed| (armed.venue, armed.pair.as_ref().map(Pair::to_string), armed.fault.clone());
        state.faults.iter().map(told).collect()
    }

    /// Sets a fault of the venue's WebSocket, beside those it has.
    pub fn stream_fault(&self, venue: Venue, fault: StreamFault) {
        self.state().connections.faults.entry(venue).or_default().push(fault);
    }

    /// Makes the venue's WebSocket well again.
    pub fn clear_stream(&self, venue: Venue) {
        self.state().connections.faults.remove(&venue);
    }

    /// What is wrong with the venue's WebSocket.
    pub fn stream_faults(&self, venue: Venue) -> Vec<StreamFault> {
        self.state().connections.faults.get(&venue).cloned().unwrap_or_default()
    }

    /// How many WebSockets of the venue were opened, and how many are open.
    pub fn streams(&self, venue: Venue) -> (u64, u64) {
        self.state().connections.counts(venue)
    }

    /// What clients said on the venue's WebSockets, oldest first; the beginning of it, if it is much.
    pub fn stream_heard(&self, venue: Venue) -> Vec<String> {
        self.state().connections.heard(venue)
    }

    /// Whether the venues hold clients to their limits from now on.
    pub fn limit(&self, limits: Limits) {
        self.state().budgets.limits = limits;
    }

    /// Lets a venue allow so many units in so many milliseconds, in place of its first limit.
    pub fn set_limit(&self, venue: Venue, capacity: u64, per_ms: u64) {
        self.state().budgets.set(venue, capacity, per_ms);
    }

    /// Lets other programs use so many units of the venue's first limit from our address.
    pub fn use_by_others(&self, venue: Venue, units: u64) {
        self.state().budgets.use_by_others(venue, units, epoch_ms());
    }

    /// What became of the venue's limits.
    pub fn kept(&self, venue: Venue) -> Kept {
        self.state().budgets.kept(venue)
    }

    pub(crate) fn issue_token(&self) -> String {
        self.state().connections.issue_token()
    }

    pub(crate) fn redeem_token(&self, token: &str) -> bool {
        self.state().connections.redeem_token(token)
    }

    /// Whether one more connection to the venue's WebSocket is within its limits; and what limits hold on it, in
    /// periods that are so many times shorter, if any do.
    pub(crate) fn admit(&self, venue: Venue) -> Result<Option<(Sockets, u64)>, ()> {
        let mut state = self.state();
        let Some(speed) = state.budgets.held_to() else { return Ok(None) };
        let sockets = limits::of_sockets(venue);
        let may = state.connections.attempt(venue, sockets.connects, speed);
        may.then_some(Some((sockets, speed))).ok_or(())
    }

    pub(crate) fn connected(&self, venue: Venue, is_open: bool) {
        self.state().connections.connected(venue, is_open);
    }

    pub(crate) fn heard(&self, venue: Venue, message: &str) {
        self.state().connections.hear(venue, message);
    }

    /// The venue as its WebSocket sees it: with what is wrong with its figures, which counts no requests.
    pub(crate) fn stream_desk(&self, venue: Venue) -> Desk {
        let present: Vec<Armed> =
            self.state().faults.iter().filter(|armed| armed.venue == venue).cloned().collect();
        self.desk(venue, &present)
    }

    /// The prices served last, oldest first. Only answers that went out whole are here.
    pub fn served(&self) -> Vec<Served> {
        self.state().record.served().cloned().collect()
    }

    /// The newest price served by a venue for a market.
    pub fn last_served(&self, venue: Venue, market: &str) -> Option<Served> {
        let state = self.state();
        let mut newest = state.record.served().rev();
        newest.find(|served| served.venue == venue && served.market == market).cloned()
    }

    /// The newest `limit` prices served, oldest first.
    pub(crate) fn served_lately(&self, limit: usize) -> Vec<Served> {
        let state = self.state();
        let mut newest: Vec<_> = state.record.served().rev().take(limit).cloned().collect();
        newest.reverse();
        newest
    }

    /// Forgets the prices served so far.
    pub fn forget_served(&self) {
        self.state().record.forget_served();
    }

    /// Requests that reached the venue, whatever became of them.
    pub fn requests(&self, venue: Venue) -> u64 {
        self.state().record.requests(venue)
    }

    /// Counts a request and takes the faults that befall it.
    pub(crate) fn visit(&self, venue: Venue) -> (u64, Vec<Armed>) {
        let mut state = self.state();
        (state.record.request(venue), state.faults.befall(venue))
    }

    /// The venue as one request sees it.
    pub(crate) fn desk(&self, venue: Venue, befalling: &[Armed]) -> Desk {
        let now_ms = self.now_ms();
        let rows = self.state().rows(venue, now_ms);
        let suffer = |row: &Row| befalling.iter().try_fold(row.clone(), |row, armed| armed.apply(row, &rows));
        let empty = befalling.iter().any(|armed| matches!(armed.fault, Fault::EmptyList));
        Desk::new(rows.iter().filter_map(suffer).collect(), empty)
    }

    pub(crate) fn serve(&self, rows: &[Row], request: u64) {
        self.state().record.serve(rows, request, clock::now_ms());
    }

    /// The headers that tell of the venue's limits after this request, or its refusal.
    pub(crate) fn ask(
        &self,
        venue: Venue,
        path: &str,
        query: &str,
    ) -> Result<Vec<(&'static str, String)>, Answer> {
        self.state().budgets.ask(venue, path, query, epoch_ms())
    }
}

impl State {
    fn rows(&mut self, venue: Venue, now_ms: u64) -> Vec<Row> {
        let time_ms = clock::now_ms();
        let pairs = self.prices.pairs();
        let row = |pair: Pair| {
            let price = self.prices.price_at(venue, &pair, now_ms)?;
            Some(Row::new(venue, pair, price, time_ms))
        };
        pairs.into_iter().filter_map(row).collect()
    }

    fn has_room(&self) -> Result<(), Refused> {
        let room = self.prices.pairs().len() < MARKETS_MAX;
        if room { Ok(()) } else { Err(Refused::Limit("at most 10000 markets")) }
    }
}

fn epoch_ms() -> u64 {
    u64::try_from(clock::now_ms()).unwrap_or_default()
}

fn positive(text: &str) -> Result<Decimal, Refused> {
    let price: Decimal = text.parse()?;
    if price.is_positive() { Ok(price) } else { Err(Refused::NotPositive) }
}
