//! What is said on one socket: messages and the passing of time in, frames and quotes out.
//!
//! Pure: it reads no clock and touches no socket, so that every trap of a venue's protocol is a test without one.
//! It subscribes in frames no larger and no faster than the venue permits, finds the symbol that spoils a frame by
//! halving it, answers what has to be answered, reads prices, and says when a socket that looks alive is not.

use super::Cover;
use super::market::{FRESH, Market, Standing};
use super::plan::Plan;
use super::unpack::{Unpackable, unpack};
use crate::sources::decode::{self, Check, Row, text};
use crate::sources::path;
use crate::sources::preset::{Answered, Data, Encoding, Part, StreamPreset};
use publisher_core::quote::{Observation, Quote, SourceFault};
use publisher_core::time::{Mono, Span, Wall};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A subscription that is not answered within this time is taken for refused.
const ACK: Span = Span::from_s(10);
/// A market that the venue refused is asked for again after this.
const LEFT_OUT: Span = Span::from_s(300);
/// A market that was silent again and again while its price moved is left to HTTP for so long.
const GIVEN_UP: Span = Span::from_s(3600);
/// A socket on which not a byte has come for two pings is dead, and after this time at the latest.
const IDLE_MAX: Span = Span::from_s(30);
/// No venue is believed to want pings more often.
const PING_MIN: Span = Span::from_s(1);
/// The most liquid market of a socket is never silent for longer.
const CANARY: Span = Span::from_s(5);
/// So many messages in a row that cannot be read close a socket; and more than one in 100 of a minute.
const BAD_MAX: u32 = 100;
const BAD_WINDOW: Span = Span::from_s(60);
/// A socket that has given prices for so long was worth its connection: the next wait is short again.
const PROVED: Span = Span::from_s(60);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Write this text.
    Write(String),
    /// Write the WebSocket's own ping.
    Ping,
    /// Pass these on.
    Quotes(Vec<Quote>),
    /// Close the socket.
    End(End),
}

/// Why a socket is not used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It could not be opened.
    Refused,
    /// The other side closed it, or it broke.
    Closed,
    /// A message is larger than the limit.
    TooLarge,
    /// No byte came, not even an answer to a ping.
    Idle,
    /// It is alive, and answers no request.
    Unanswered,
    /// It is alive, and the most liquid market says nothing.
    Canary,
    /// A market says nothing although its price has moved.
    Silent,
    /// A market repeats itself although its price has moved.
    Frozen,
    /// Too much of what comes cannot be read.
    Unreadable,
    /// The venue asked for a new connection.
    Asked,
    /// It asks more than it takes answers for.
    Flooded,
    /// It reached the age at which the venue closes it; the next one was open before.
    Retired,
}

impl End {
    /// Whether the next socket was open before.
    pub const fn is_planned(self) -> bool {
        matches!(self, Self::Retired)
    }

    /// The name in metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::TooLarge => "too_large",
            Self::Idle => "idle",
            Self::Unanswered => "unanswered",
            Self::Canary => "canary",
            Self::Silent => "silent",
            Self::Frozen => "frozen",
            Self::Unreadable => "unreadable",
            Self::Asked => "asked",
            Self::Flooded => "flooded",
            Self::Retired => "retired",
        }
    }
}

/// What a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has prices.
    Data,
    /// It has none and need not.
    Control,
    /// It is about a market that has no price now, or none that can be used: the market's own fault, not the socket's.
    Unpriced,
    /// It cannot be read.
    Bad,
}

impl Kind {
    /// The name in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Control => "control",
            Self::Unpriced => "unpriced",
            Self::Bad => "bad",
        }
    }
}

/// A frame that waits for its answer.
#[derive(Clone, Debug)]
struct Frame {
    id: u64,
    at: Mono,
    /// Whoever gets no answer to it is left out, and not asked for alone.
    is_final: bool,
    markets: Vec<usize>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Session {
    plan: Arc<Plan>,
    opened: Mono,
    /// When the last byte came.
    alive: Mono,
    pinged: Mono,
    ping_every: Span,
    write_at: Mono,
    id: u64,
    queue: VecDeque<Vec<usize>>,
    asked: VecDeque<Frame>,
    markets: Vec<Market>,
    /// What the venue calls markets on this connection.
    channels: BTreeMap<String, usize>,
    /// A request has been confirmed or refused, or a price has come.
    is_answered: bool,
    /// When it first had a price.
    useful: Option<Mono>,
    bad_in_row: u32,
    /// Since when, and how many messages of how many were bad.
    window: (Mono, u32, u32),
}

impl Session {
    /// A socket that has just been opened, for all markets of the plan.
    pub(super) fn new(plan: Arc<Plan>, now: Mono) -> Self {
        let markets = vec![Market::new(initial(&plan.preset), now); plan.markets.len()];
        let mut session = Self {
            opened: now,
            alive: now,
            pinged: now,
            ping_every: plan.preset.ping.every,
            write_at: now + plan.preset.quiet,
            id: 0,
            queue: VecDeque::new(),
            asked: VecDeque::new(),
            markets,
            channels: BTreeMap::new(),
            is_answered: false,
            useful: None,
            bad_in_row: 0,
            window: (now, 0, 0),
            plan,
        };
        session.subscribe_all();
        session
    }

    /// A new socket in place of this one: what was learned about markets stays.
    pub(super) fn successor(&self, now: Mono) -> Self {
        let mut next = Self::new(Arc::clone(&self.plan), now);
        let standing = initial(self.preset());
        next.markets = self.markets.iter().map(|market| market.successor(standing, now)).collect();
        next.subscribe_all();
        next
    }

    /// The same for a venue that has said how often it wants a ping: what comes sooner holds.
    pub(super) fn pinging(mut self, every: Option<Span>) -> Self {
        let soonest = every.unwrap_or(self.ping_every).max(PING_MIN);
        self.ping_every = self.ping_every.min(soonest);
        self
    }

    fn subscribe_all(&mut self) {
        let wanted = (0..self.markets.len())
            .filter(|at| self.markets.get(*at).is_some_and(|market| market.standing == Standing::Asked));
        let wanted: Vec<usize> = wanted.collect();
        self.queue = wanted.chunks(self.preset().symbols_per_frame.max(1)).map(<[_]>::to_vec).collect();
    }

    fn preset(&self) -> &StreamPreset {
        &self.plan.preset
    }

    /// A byte came, whatever it was.
    pub(super) fn alive(&mut self, now: Mono) {
        self.alive = now;
    }

    /// Reads a message. Whatever it holds, the socket goes on unless an action ends it.
    pub(super) fn hear(&mut self, now: Mono, wall: Wall, message: &[u8]) -> (Kind, Vec<Action>) {
        self.alive = now;
        let mut actions = Vec::new();
        let kind = if self.preset().ping.pong.as_ref().is_some_and(|pong| pong.as_bytes() == message) {
            Kind::Control
        } else {
            match decode::parse(message) {
                Ok(body) => self.read(now, wall, body, &mut actions),
                Err(_) => Kind::Bad,
            }
        };
        self.judge(now, kind, &mut actions);
        (kind, actions)
    }

    /// The same for a binary frame, which may be packed.
    pub(super) fn hear_packed(&mut self, now: Mono, wall: Wall, frame: &[u8]) -> (Kind, Vec<Action>) {
        self.alive(now);
        let plan = Arc::clone(&self.plan);
        match unpack(&plan.preset.encoding, frame, plan.preset.message_max_bytes) {
            Ok(message) => self.hear(now, wall, &message),
            Err(Unpackable::TooLarge) => (Kind::Bad, vec![Action::End(End::TooLarge)]),
            Err(Unpackable::Malformed) => {
                let mut actions = Vec::new();
                self.judge(now, Kind::Bad, &mut actions);
                (Kind::Bad, actions)
            }
        }
    }

    fn judge(&mut self, now: Mono, kind: Kind, actions: &mut Vec<Action>) {
        let is_bad = kind == Kind::Bad;
        self.bad_in_row = if is_bad { self.bad_in_row.saturating_add(1) } else { 0 };
        if now.since(self.window.0) > BAD_WINDOW {
            self.window = (now, 0, 0);
        }
        let (_, bad, all) = &mut self.window;
        (*bad, *all) = (bad.saturating_add(u32::from(is_bad)), all.saturating_add(1));
        // A hundredth of a few messages is less than one.
        let too_many = *all >= BAD_MAX && bad.saturating_mul(100) > *all;
        if self.bad_in_row >= BAD_MAX || (is_bad && too_many) {
            actions.push(Action::End(End::Unreadable));
        }
    }

    fn read(&mut self, now: Mono, wall: Wall, body: &RawValue, actions: &mut Vec<Action>) -> Kind {
        let plan = Arc::clone(&self.plan);
        let preset = &plan.preset;
        if all(&preset.data.is, body) {
            return self.take(now, wall, body, actions);
        }
        if let Some(reply) = preset.replies.iter().find(|reply| all(&reply.is, body)) {
            let value = reply.value.find(body, body).ok().flatten().map(RawValue::get);
            if let Some(value) = value.filter(|value| value.len() <= REPLY_MAX_BYTES) {
                actions.push(Action::Write(reply.text.replace("{value}", value)));
            }
            return Kind::Control;
        }
        if !preset.reconnect.is_empty() && all(&preset.reconnect, body) {
            actions.push(Action::End(End::Asked));
        } else if let Some(refusal) = preset.refusal.as_ref().filter(|refusal| all(&refusal.is, body)) {
            self.refused(now, refusal, body);
        } else if let Some(ack) = preset.ack.as_ref().filter(|ack| all(&ack.is, body)) {
            self.confirmed(now, ack, body);
        }
        Kind::Control
    }

    /// The rows of a message. One that cannot be read costs itself.
    fn take(&mut self, now: Mono, wall: Wall, body: &RawValue, actions: &mut Vec<Action>) -> Kind {
        let plan = Arc::clone(&self.plan);
        let data = &plan.preset.data;
        let at = match &data.at {
            Some(path) => path.find(body).ok().flatten(),
            None => Some(body),
        };
        let Some(at) = at else { return Kind::Bad };
        let (mut quotes, mut is_bad, mut is_unpriced) = (Vec::new(), false, false);
        let mut put = |row: &RawValue| match self.row(now, wall, body, row) {
            Ok(quote) => quotes.extend(quote),
            Err(Flaw::Unreadable) => is_bad = true,
            Err(Flaw::Unpriced) => is_unpriced = true,
        };
        if !data.is_list {
            put(at);
        } else {
            is_bad |= path::each_element(at, put).is_err();
        }
        let kind = match quotes.is_empty() {
            _ if is_bad => Kind::Bad,
            true if is_unpriced => Kind::Unpriced,
            _ => Kind::Data,
        };
        if !quotes.is_empty() {
            actions.push(Action::Quotes(quotes));
        }
        kind
    }

    /// A row's quote; nothing for a market that nobody asked for, or for a row that is older than the last one.
    fn row(&mut self, now: Mono, wall: Wall, body: &RawValue, row: &RawValue) -> Result<Option<Quote>, Flaw> {
        let plan = Arc::clone(&self.plan);
        let data = &plan.preset.data;
        let key = data.key.find(body, row).ok().flatten().and_then(text).ok_or(Flaw::Unreadable)?;
        let at = plan.keys.get(&*key).or_else(|| self.channels.get(&*key)).copied();
        let Some((at, id)) = at.and_then(|at| Some((at, plan.markets.get(at)?))) else { return Ok(None) };
        if !data.row_is.iter().all(|check| check.holds(body, row).unwrap_or(false)) {
            return Ok(None);
        }
        let sequence = match &data.sequence {
            Some(place) => {
                let found = place.find(body, row).ok().flatten().and_then(text);
                Some(found.and_then(|text| text.parse::<u64>().ok()).ok_or(Flaw::Unreadable)?)
            }
            None => None,
        };
        let Some(market) = self.markets.get_mut(at) else { return Ok(None) };
        let read = match data.parts.is_empty() {
            true => data.row.row(body, row, wall).map(Some),
            false => part(data, market, body, row, wall),
        };
        // Protobuf leaves out what is empty; elsewhere a place that is gone is another format.
        let is_told = !matches!(plan.preset.encoding, Encoding::Protobuf { .. });
        let read = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(None),
            Err(SourceFault::BadBody) if is_told => return Err(Flaw::Unreadable),
            Err(_) => {
                market.hear_unpriced(now, sequence, data.gapless);
                let is_proved = !matches!(market.standing, Standing::GivenUp(_));
                self.is_answered = true;
                if is_proved {
                    self.settle(now, at);
                }
                return Err(Flaw::Unpriced);
            }
        };
        let quote = Quote {
            market: id.clone(),
            bid: read.bid,
            ask: read.ask,
            last: read.last,
            base_volume: read.base_volume.or(market.volume),
            as_of: read.time.unwrap_or(wall - plan.penalty),
            received: wall,
            is_clocked: data.row.reads_clock(),
        };
        if !market.hear(now, quote.price().ok(), sequence, data.gapless) {
            return Ok(None);
        }
        // A price proves more than a confirmation.
        self.settle(now, at);
        self.is_answered = true;
        self.useful.get_or_insert(now);
        // What a canary says that is nobody's market proves that the socket lives, and is worth nothing else.
        Ok((at < plan.own).then_some(quote))
    }

    /// A market is subscribed to.
    fn settle(&mut self, now: Mono, at: usize) {
        if let Some(market) = self.markets.get_mut(at).filter(|market| market.standing != Standing::Live) {
            (market.standing, market.since) = (Standing::Live, now);
        }
        self.forget(at);
    }

    /// No frame waits for this market any more.
    fn forget(&mut self, at: usize) {
        self.asked.iter_mut().for_each(|frame| frame.markets.retain(|market| *market != at));
        self.asked.retain(|frame| !frame.markets.is_empty());
    }

    fn confirmed(&mut self, now: Mono, ack: &Answered, body: &RawValue) {
        self.is_answered = true;
        if let Some(place) = &ack.key {
            let key = place.find(body, body).ok().flatten().and_then(text).unwrap_or_default();
            let Some(at) = self.plan.keys.get(&*key).copied() else {
                // An acknowledgement of something else is a refusal in friendly words.
                return self.refuse_frame(now, None);
            };
            let channel = ack.channel.as_ref().and_then(|place| place.find(body, body).ok().flatten());
            if let Some(channel) = channel.and_then(text) {
                self.channels.insert(channel.into_owned(), at);
            }
            self.settle(now, at);
        } else if let Some(frame) = self.take_frame(frame_id(ack, body)) {
            frame.markets.into_iter().for_each(|at| self.settle(now, at));
        }
    }

    fn refused(&mut self, now: Mono, refusal: &Answered, body: &RawValue) {
        self.is_answered = true;
        let key = refusal.key.as_ref().and_then(|place| place.find(body, body).ok().flatten());
        match key.and_then(text).and_then(|key| self.plan.keys.get(&*key).copied()) {
            Some(at) => self.leave_out(at, now + LEFT_OUT),
            None => self.refuse_frame(now, frame_id(refusal, body)),
        }
    }

    /// The frame of this number, or the oldest one.
    fn take_frame(&mut self, id: Option<u64>) -> Option<Frame> {
        let at = match id {
            Some(id) => self.asked.iter().position(|frame| frame.id == id)?,
            None => 0,
        };
        self.asked.remove(at)
    }

    /// One of its markets spoils a frame: each half is asked for alone, until the market is.
    fn refuse_frame(&mut self, now: Mono, id: Option<u64>) {
        let Some(frame) = self.take_frame(id) else { return };
        match frame.markets.split_at(frame.markets.len() / 2) {
            ([], only) => only.iter().for_each(|at| self.leave_out(*at, now + LEFT_OUT)),
            (first, second) => self.queue.extend([first.to_vec(), second.to_vec()]),
        }
    }

    /// A market that has prices is subscribed to, whatever is said about asking for it once more.
    fn leave_out(&mut self, at: usize, until: Mono) {
        if let Some(market) = self.markets.get_mut(at).filter(|market| market.heard.is_none()) {
            market.standing = Standing::LeftOut(until);
        }
        self.forget(at);
    }

    /// What time has brought about.
    pub(super) fn tick(&mut self, now: Mono, wall: Wall) -> Vec<Action> {
        let mut actions = Vec::new();
        if now >= self.idle_at() {
            return vec![Action::End(End::Idle)];
        }
        if self.canary_at().is_some_and(|at| now >= at) {
            return vec![Action::End(End::Canary)];
        }
        if !self.expire(now) {
            return vec![Action::End(End::Unanswered)];
        }
        if now >= self.write_at && !self.queue.is_empty() {
            actions.extend(self.subscribe(now, wall));
        }
        if now >= self.ping_at() {
            self.pinged = now;
            let text = self.preset().ping.text.clone();
            actions.push(text.map_or(Action::Ping, |text| Action::Write(filled(&text, self.id, wall))));
        }
        actions
    }

    /// Frames that were not answered, and markets whose time has come again. Says whether the socket is of any use: where
    /// nothing was ever answered, the fault is not the symbols'.
    fn expire(&mut self, now: Mono) -> bool {
        while let Some(frame) = self.asked.pop_front_if(|frame| now >= frame.at + ACK) {
            if frame.is_final && !self.is_answered {
                return false;
            } else if frame.is_final {
                frame.markets.into_iter().for_each(|at| self.leave_out(at, now + LEFT_OUT));
            } else {
                self.queue.extend(frame.markets.into_iter().map(|at| vec![at]));
            }
        }
        let initial = initial(self.preset());
        for (at, market) in self.markets.iter_mut().enumerate() {
            if matches!(market.standing, Standing::LeftOut(until) | Standing::GivenUp(until) if now >= until)
            {
                (market.standing, market.since) = (initial, now);
                self.queue.extend((initial == Standing::Asked).then(|| vec![at]));
            }
        }
        true
    }

    fn subscribe(&mut self, now: Mono, wall: Wall) -> Option<Action> {
        let mut markets = self.queue.pop_front()?;
        let plan = Arc::clone(&self.plan);
        let subscribe = plan.preset.subscribe.as_ref()?;
        if subscribe.replaces {
            // Whoever is not in this frame is not subscribed to any more.
            let wanted = self.markets.iter().enumerate();
            let wanted =
                wanted.filter(|(_, market)| matches!(market.standing, Standing::Asked | Standing::Live));
            markets = wanted.map(|(at, _)| at).collect();
            self.queue.clear();
            self.asked.clear();
        }
        self.id += 1;
        let text = filled(&plan.frame(subscribe, &markets), self.id, wall);
        let is_final = subscribe.replaces || markets.len() == 1;
        self.asked.push_back(Frame { id: self.id, at: now, is_final, markets });
        self.write_at = now + plan.preset.write_every;
        Some(Action::Write(text))
    }

    /// What HTTP said meanwhile. A market that is silent while its price moves, or repeats another price than that, is
    /// asked for once more, then over another connection, and then left to HTTP: a venue that keeps a retired channel
    /// open says nothing of it.
    pub(super) fn polled(&mut self, now: Mono, observations: &[Observation]) -> Option<End> {
        let plan = Arc::clone(&self.plan);
        // What this poll does not say is not known any more.
        self.markets.iter_mut().for_each(|market| market.is_confirmed = false);
        for observation in observations {
            let Observation::Quote(quote) = observation else { continue };
            let found = plan.feeds().iter().position(|market| *market == quote.market);
            let Some((at, price)) = found.zip(quote.price().ok()) else { continue };
            let Some(market) = self.markets.get_mut(at) else { continue };
            market.volume = quote.base_volume;
            match market.compare(now, price) {
                None => {}
                Some((_, 1)) if plan.preset.subscribe.is_some() => self.queue.push_back(vec![at]),
                Some((end, 1 | 2)) => return Some(end),
                Some(_) => market.standing = Standing::GivenUp(now + GIVEN_UP),
            }
        }
        None
    }

    /// When `tick` has something to do next, at the latest.
    pub(super) fn wake_at(&self, now: Mono) -> Mono {
        let writes = (!self.queue.is_empty()).then_some(self.write_at);
        let answers = self.asked.front().map(|frame| frame.at + ACK);
        let markets = self.markets.iter().filter_map(|market| match market.standing {
            Standing::LeftOut(until) | Standing::GivenUp(until) => Some(until),
            // Nobody polls faster before this is noticed.
            Standing::Live => market.heard.map(|heard| heard + FRESH).filter(|at| *at > now),
            Standing::Asked => None,
        });
        let fixed = self.ping_at().min(self.idle_at());
        let at = writes.into_iter().chain(answers).chain(self.canary_at()).chain(markets).min();
        at.map_or(fixed, |at| at.min(fixed))
    }

    fn idle_at(&self) -> Mono {
        self.alive + self.ping_every.times(2).min(IDLE_MAX)
    }

    fn ping_at(&self) -> Mono {
        self.pinged + self.ping_every
    }

    fn canary_at(&self) -> Option<Mono> {
        let market = self.markets.get(self.plan.canary?)?;
        (market.standing == Standing::Live).then(|| market.since + CANARY)
    }

    /// How well its markets are covered: as well as the one that is covered worst. That one of them may be quiet takes
    /// another one on the same socket that is not.
    pub(super) fn cover(&self, now: Mono) -> Cover {
        let is_alive = self.markets.iter().any(|market| market.is_heard(now));
        let cover = |market: &Market| match market.is_fresh(now) {
            true => Cover::Fresh,
            false if is_alive && market.is_quiet() => Cover::Quiet,
            false => Cover::None,
        };
        self.feeds().map(cover).min().unwrap_or_default()
    }

    /// Every market of a feed has had its answer.
    pub(super) fn is_settled(&self) -> bool {
        self.feeds().all(|market| market.standing != Standing::Asked)
    }

    /// How many markets of feeds are confirmed.
    pub(super) fn live(&self) -> usize {
        self.feeds().filter(|market| market.standing == Standing::Live).count()
    }

    fn feeds(&self) -> impl Iterator<Item = &Market> {
        self.markets.iter().take(self.plan.own)
    }

    /// The venue will close it soon.
    pub(super) fn is_old(&self, now: Mono) -> bool {
        now.since(self.opened) >= self.plan.life
    }

    /// It has been of use for a while.
    pub(super) fn is_proved(&self, now: Mono) -> bool {
        self.useful.is_some_and(|since| now.since(since) >= PROVED)
    }
}

/// So much of a message is repeated to the venue in an answer.
const REPLY_MAX_BYTES: usize = 64;

/// How a market stands on a new connection. Where the path names the markets there is nothing to be confirmed.
fn initial(preset: &StreamPreset) -> Standing {
    if preset.subscribe.is_some() { Standing::Asked } else { Standing::Live }
}

/// Why a row gives no quote.
enum Flaw {
    /// It is no row of this format.
    Unreadable,
    /// It is one, and its market has no price now, or none that can be used: half a book, a zero, a time of another age.
    Unpriced,
}

/// What a market says after a row that holds one of its prices; nothing for any other row, and before it has said a
/// last trade or both sides of its book.
fn part(
    data: &Data,
    market: &mut Market,
    body: &RawValue,
    row: &RawValue,
    wall: Wall,
) -> Result<Option<Row>, SourceFault> {
    let is = |part: &&Part| part.is.iter().all(|check| check.holds(body, row).unwrap_or(false));
    let Some(part) = data.parts.iter().find(is) else { return Ok(None) };
    // As in a whole row, a price that is not there at all is another format.
    let found = part.at.find(body, row).ok().flatten().ok_or(SourceFault::BadBody)?;
    let price = decode::price(Some(found))?;
    let time = data.row.time(body, row, wall)?;
    let [bid, ask, last] = market.put(part.of, price);
    let is_enough = last.is_some() || (bid.is_some() && ask.is_some());
    Ok(is_enough.then_some(Row { bid, ask, last, base_volume: None, time }))
}

/// Whether all of them hold of the whole message.
fn all(checks: &[Check], body: &RawValue) -> bool {
    checks.iter().all(|check| check.holds(body, body).unwrap_or(false))
}

fn frame_id(answered: &Answered, body: &RawValue) -> Option<u64> {
    let found = answered.id.as_ref()?.find(body, body).ok().flatten();
    // A number that is none of ours names no frame.
    Some(found.and_then(text).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX))
}

fn filled(text: &str, id: u64, wall: Wall) -> String {
    text.replace("{id}", &id.to_string()).replace("{now_s}", &(wall.ms() / 1000).to_string())
}
