//! The answers of `/status` and `/healthz`: what `publisher status` shows.

use super::emit::scope_name;
use super::health::{ClockHealth, ConstantHealth, SourceHealth, State};
use super::readiness::{Readiness, readiness};
use alloy::primitives::{Address, B256};
use publisher_core::drift::Skew;
use publisher_core::machine::MarketView;
use publisher_core::policy::{Instruction, Order, Sleep};
use publisher_core::quote::FeedId;
use publisher_core::time::{Now, Span, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The running version.
    pub version: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Milliseconds since the process began.
    pub uptime_ms: u64,
    /// The name under which this process holds leases; empty before the journal is open.
    pub replica: String,
    /// Whether it can be relied on.
    pub readiness: Readiness,
    /// The latest head.
    pub head: Option<HeadStatus>,
    /// Every node, as they are configured.
    pub nodes: Vec<NodeStatus>,
    /// Every venue that is listened to over WebSocket, by name.
    #[serde(default)]
    pub streams: Vec<StreamStatus>,
    /// Every venue that says when its quotes were true, and what that says about its clock.
    #[serde(default)]
    pub clocks: Vec<ClockStatus>,
    /// This machine's clock: `right`, or `ahead` or `behind` where venues agree that it is wrong.
    #[serde(default)]
    pub own_clock: String,
    /// Every feed, by name.
    pub feeds: Vec<FeedStatus>,
    /// Every rate that has a peg, by name, and whether it is lost.
    #[serde(default)]
    pub pegs_lost: BTreeMap<String, bool>,
    /// Every constant, by name.
    #[serde(default)]
    pub constants: Vec<ConstantStatus>,
    /// Every account.
    pub accounts: Vec<AccountStatus>,
    /// What stands still, and why.
    pub halts: BTreeMap<String, String>,
}

/// The latest head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadStatus {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Milliseconds since it became the head here.
    pub age_ms: u64,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Scheme and host; with its place in the configuration where several share them.
    pub node: String,
    /// `alive`, or what is wrong with it in a word.
    pub state: String,
    /// Its heads are believed.
    pub reader: bool,
    /// It is never read.
    pub send_only: bool,
    /// Its latest head.
    pub head: Option<u64>,
    /// Whether its WebSocket subscription tells of heads; absent where it has none. Heads are polled either way.
    pub subscribed: Option<bool>,
    /// How many blocks it is behind.
    pub behind: Option<u64>,
    /// Why it is in this state; empty while all is well.
    pub detail: String,
}

/// The WebSockets of one venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// The venue.
    pub venue: String,
    /// `up` while every market comes over it, `partial` while some do, `down` while no socket is open.
    pub state: String,
    /// How many sockets it takes for the venue's markets.
    pub sockets: usize,
    /// How many are open.
    pub open: usize,
    /// Markets of the venue.
    pub markets: usize,
    /// How many of them are subscribed to.
    pub live: usize,
    /// What went wrong last; empty while all is well.
    pub detail: String,
}

/// The clock of one venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStatus {
    /// The venue.
    pub venue: String,
    /// `right`, `ahead` (its quotes are of the future) or `behind` (they are late by too much).
    pub state: String,
    /// Milliseconds from a quote's exchange time to its receipt, the median of the last minutes.
    pub offset_ms: i64,
    /// The least of them.
    pub delay_ms: i64,
}

impl From<&ClockHealth> for ClockStatus {
    fn from(clock: &ClockHealth) -> Self {
        let ClockHealth { venue, drift, skew } = clock;
        let state = skew.map_or("right", Skew::code).to_owned();
        Self { venue: venue.to_string(), state, offset_ms: drift.offset_ms, delay_ms: drift.delay_ms }
    }
}

/// A value that is spelled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstantStatus {
    /// Its name.
    pub constant: String,
    /// What it is, as a decimal number; absent once it is over.
    pub value: Option<String>,
    /// As of when it is that, in seconds since the epoch: nobody quotes it, so that as long as it lasts it is as of now.
    /// Absent once it is over.
    pub as_of_s: Option<i64>,
    /// When it ends, in seconds since the epoch.
    pub ends_at_s: i64,
    /// Why it may be taken as that.
    pub comment: String,
}

impl ConstantStatus {
    fn of(name: &FeedId, health: &ConstantHealth, now: Wall) -> Self {
        let estimate = health.constant.at(now).ok();
        Self {
            constant: name.to_string(),
            value: estimate.map(|estimate| estimate.price.to_string()),
            as_of_s: estimate.map(|estimate| unix_s(estimate.as_of)),
            ends_at_s: unix_s(health.constant.until),
            comment: health.comment.clone(),
        }
    }
}

/// One feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// Its name.
    pub feed: String,
    /// The store that it shares with others, by its name in the configuration; absent where it has an aggregator.
    pub store: Option<String>,
    /// Its number in that store.
    pub store_id: Option<u16>,
    /// The latest round on chain; absent before it was read.
    pub round: Option<u64>,
    /// Its answer as a decimal number; absent before the first round.
    pub answer: Option<String>,
    /// Its block time in seconds since the epoch; absent before the first round.
    pub updated_at_s: Option<i64>,
    /// What its sources say now, as a decimal number.
    pub value: Option<String>,
    /// Half the width of what is not known of that value, as a part of it: `0.02%`.
    #[serde(default)]
    pub confidence: Option<String>,
    /// Whether a value that becomes unsure now makes a round; absent where no rule says so.
    #[serde(default)]
    pub confidence_armed: Option<bool>,
    /// Milliseconds until the heartbeat is missed.
    pub heartbeat_margin_ms: Option<i64>,
    /// Why it may not publish, as a stable word.
    pub hold: Option<String>,
    /// What to do about that.
    pub advice: Option<String>,
    /// The orders of operators that stand: pauses and overrides.
    #[serde(default)]
    pub orders: Vec<OrderStatus>,
    /// What its market does; absent where it keeps no market's hours.
    #[serde(default)]
    pub market: Option<MarketStatus>,
    /// Whether the flags on chain put it to sleep; absent where it has none, or where they have not been read yet.
    #[serde(default)]
    pub hibernates: Option<bool>,
    /// A rate that converts a source of it has lost its peg, so that its `policy.on_depeg` holds.
    #[serde(default)]
    pub off_peg: bool,
    /// A transaction of it is on its way.
    pub in_flight: bool,
    /// What it may still spend in this hour, in wei, as a decimal number; absent without a cap.
    pub budget_left_wei: Option<String>,
    /// How each of its sources stands.
    #[serde(default)]
    pub sources: Vec<SourceStatus>,
    /// The same of its sources of off hours, which count while its market's `conduct` is `switch_source`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off_hours_sources: Vec<SourceStatus>,
}

/// One source of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its market.
    pub source: String,
    /// `healthy`, `probation` or `quarantined`.
    pub standing: String,
    /// Looks since the start, one a second.
    pub looks: u64,
    /// Looks at which it had a usable quote to compare.
    pub answered: u64,
    /// Looks at which it was too far from the others.
    pub outside: u64,
    /// Milliseconds in quarantine.
    pub quarantined_ms: u64,
    /// Looks at which it had no vote, by the code of why.
    #[serde(default)]
    pub left_out: BTreeMap<String, u64>,
    /// How old its quotes were at half of the looks of some two hours, at most, in milliseconds.
    #[serde(default)]
    pub age_p50_ms: Option<u64>,
    /// The same for 99 of a hundred looks.
    #[serde(default)]
    pub age_p99_ms: Option<u64>,
    /// By how many seconds it usually moves after the median of the others, below zero before it; absent while its moves
    /// are too few to tell.
    #[serde(default)]
    pub lag_s: Option<i8>,
}

/// The market of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketStatus {
    /// The calendar's name.
    pub calendar: String,
    /// The Keccak-256 of its text.
    #[serde(default)]
    pub calendar_digest: String,
    /// `open`, `half_day`, `pre`, `post`, `overnight`, `closed`, `halted` or `unknown`.
    pub status: String,
    /// What the feed does meanwhile: `normal`, `widen:3x`, `switch_source`, `heartbeat_only` or
    /// `freeze`.
    pub conduct: String,
    /// When the status changes, in seconds since the epoch; absent beyond the end of the calendar.
    pub until_s: Option<i64>,
    /// From when on the calendar says something, in seconds since the epoch.
    #[serde(default)]
    pub calendar_begins_s: Option<i64>,
    /// From when on the calendar says nothing, in seconds since the epoch.
    pub calendar_ends_s: i64,
}

impl From<&MarketView> for MarketStatus {
    fn from(market: &MarketView) -> Self {
        Self {
            calendar: market.calendar.to_string(),
            calendar_digest: market.digest.to_string(),
            status: market.status.code().to_owned(),
            conduct: market.conduct.to_string(),
            until_s: market.until.map(unix_s),
            calendar_begins_s: market.begins_at.map(unix_s),
            calendar_ends_s: unix_s(market.ends_at),
        }
    }
}

/// One order of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// What holds: `pause`, `pause_deviations`, `accept`, `heartbeat`, `halt`.
    pub order: String,
    /// The heartbeat that was ordered, in milliseconds.
    pub heartbeat_ms: Option<u64>,
    /// When it ends by itself, in seconds since the epoch.
    pub until_s: i64,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl From<&Order> for OrderStatus {
    fn from(order: &Order) -> Self {
        let heartbeat_ms = match order.what {
            Instruction::Heartbeat(span) => Some(span.ms()),
            _ => None,
        };
        let (by, reason) = (order.by.clone(), order.reason.clone());
        Self { order: order.what.code().to_owned(), heartbeat_ms, until_s: unix_s(order.until), by, reason }
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its address.
    pub account: Address,
    /// The next nonce it will give to an intent; 0 before the chain was asked, and while another replica has it.
    pub next_nonce: u64,
    /// Intents that are not closed, as far as this replica has them.
    pub open: usize,
    /// The epoch of its lease, if this replica holds it.
    pub epoch: Option<u64>,
    /// The replica that holds its lease, if it is known.
    pub holder: Option<String>,
    /// What it may still spend in this day, in wei, as a decimal number; absent without a cap.
    pub budget_left_wei: Option<String>,
}

/// The answer of `/healthz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loops {
    /// Every loop goes round.
    pub healthy: bool,
    /// Each loop.
    pub loops: Vec<LoopStatus>,
}

/// One loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopStatus {
    /// Its name.
    pub name: String,
    /// Milliseconds since it last went round.
    pub age_ms: u64,
    /// How old that may become.
    pub limit_ms: u64,
    /// Whether it is within the limit.
    pub healthy: bool,
}

impl Status {
    /// The picture of a state.
    pub fn of(state: &State, now: Now) -> Self {
        let feeds = state.feeds.iter().map(|(feed, health)| {
            let written = health.known.filter(|known| known.round > 0);
            FeedStatus {
                feed: feed.to_string(),
                store: health.entry.as_ref().map(|(store, _)| store.clone()),
                store_id: health.entry.as_ref().map(|(_, number)| *number),
                round: health.known.map(|known| known.round),
                answer: written.map(|known| known.answer.display(health.decimals).to_string()),
                updated_at_s: written.map(|known| unix_s(known.updated_at)),
                value: health.value.map(|value| value.to_string()),
                confidence: health.confidence.map(|part| part.to_string()),
                confidence_armed: health.confidence_armed,
                heartbeat_margin_ms: health.heartbeat_margin_ms(now.wall),
                hold: health.hold.map(|hold| hold.code().to_owned()),
                advice: health.hold.map(|hold| hold.advice().to_owned()),
                orders: health.orders.iter().map(OrderStatus::from).collect(),
                market: health.market.as_ref().map(MarketStatus::from),
                hibernates: health.sleep.filter(|sleep| *sleep != Sleep::Unknown).map(|s| s == Sleep::Asleep),
                off_peg: health.is_off_peg,
                in_flight: health.in_flight,
                budget_left_wei: health.budget_left_wei.map(|wei| wei.to_string()),
                sources: health.sources.iter().map(SourceStatus::of).collect(),
                off_hours_sources: health.off_hours_sources.iter().map(SourceStatus::of).collect(),
            }
        });
        let accounts = state.accounts.iter().map(|(account, health)| AccountStatus {
            account: *account,
            next_nonce: health.next_nonce,
            open: health.open,
            epoch: health.epoch,
            holder: health.holder.clone(),
            budget_left_wei: health.budget_left_wei.map(|wei| wei.to_string()),
        });
        let nodes = state.nodes.iter().map(|node| NodeStatus {
            node: node.node.clone(),
            state: node.standing.code().to_owned(),
            reader: node.reader,
            send_only: node.send_only,
            head: node.head,
            subscribed: node.subscribed,
            behind: node.behind,
            detail: node.why.clone(),
        });
        let streams = state.streams.iter().map(|(venue, stream)| StreamStatus {
            venue: venue.to_string(),
            state: stream.state().to_owned(),
            sockets: stream.sockets,
            open: stream.open,
            markets: stream.markets,
            live: stream.live,
            detail: stream.detail.clone(),
        });
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            chain_id: state.chain_id,
            uptime_ms: now.mono.since(state.began_at).ms(),
            replica: state.replica.clone(),
            readiness: readiness(state, now),
            head: state.head.map(|head| HeadStatus {
                number: head.number,
                hash: head.hash,
                age_ms: now.mono.since(head.advanced_at).ms(),
            }),
            nodes: nodes.collect(),
            streams: streams.collect(),
            clocks: state.clocks.iter().map(ClockStatus::from).collect(),
            own_clock: state.own_clock.map_or("right", Skew::code).to_owned(),
            feeds: feeds.collect(),
            pegs_lost: state.pegs.iter().map(|(rate, lost)| (rate.to_string(), *lost)).collect(),
            constants: state.constants.iter().map(|(id, c)| ConstantStatus::of(id, c, now.wall)).collect(),
            accounts: accounts.collect(),
            halts: state.halts.iter().map(|(scope, reason)| (scope_name(scope), reason.clone())).collect(),
        }
    }
}

impl SourceStatus {
    /// How a source did.
    pub fn of(health: &SourceHealth) -> Self {
        let SourceHealth { source, standing, score } = health;
        let age_ms = |percent| score.ages.percentile(percent).map(Span::ms);
        Self {
            source: source.clone(),
            standing: standing.code().to_owned(),
            looks: score.looks,
            answered: score.answered,
            outside: score.outside,
            quarantined_ms: score.quarantined.ms(),
            left_out: score.left_out.iter().map(|(why, looks)| (why.code().to_owned(), *looks)).collect(),
            age_p50_ms: age_ms(50),
            age_p99_ms: age_ms(99),
            lag_s: score.moves.lag(),
        }
    }
}

impl Loops {
    /// Whether every loop of a state goes round.
    pub fn of(state: &State, now: Now) -> Self {
        let loops: Vec<_> = state
            .loops
            .iter()
            .map(|(name, beat)| {
                let (age, limit) = (now.mono.since(beat.progressed_at), beat.limit());
                LoopStatus {
                    name: (*name).into(),
                    age_ms: age.ms(),
                    limit_ms: limit.ms(),
                    healthy: age <= limit,
                }
            })
            .collect();
        Self { healthy: loops.iter().all(|l| l.healthy), loops }
    }
}

fn unix_s(at: Wall) -> i64 {
    at.ms() / 1000
}
