//! Metrics of facts that are not events: requests, and what a scrape reads from the health state.

use super::health::{ConstantHealth, SourceHealth, State};
use super::metrics::{self as m, seconds};
use super::readiness::{Phase, readiness};
use crate::chain::Standing;
use publisher_core::event::{Event, Latency};
use publisher_core::policy::{BREAKER_STATES, Conduct, Sleep, Status as MarketStatus};
use publisher_core::price::Answer;
use publisher_core::quote::{FeedId, VenueId};
use publisher_core::record::{Outcome, Scope};
use publisher_core::standing::Standing as SourceStanding;
use publisher_core::time::{Now, Span};
use publisher_core::tx::Receipt;

const GWEI: u128 = 1_000_000_000;

/// A poll of a venue ended. `result` is `ok` or a code of [`SourceFault`](publisher_core::quote::SourceFault).
pub fn venue_answered(venue: &VenueId, result: &'static str, took: Span) {
    m::VENUE_REQUESTS.count([venue.as_str(), result]);
    m::VENUE_LATENCY.record_span([venue.as_str()], took);
}

/// A venue was asked for the list of its markets. `result` is `ok`, `absurd` or a code of
/// [`SourceFault`](publisher_core::quote::SourceFault).
pub fn venue_listed(venue: &VenueId, result: &'static str) {
    m::VENUE_LISTS.count([venue.as_str(), result]);
}

/// How much of a venue's rate limits is used, by class, in thousandths of what is believed to be allowed.
pub fn venue_limits(venue: &VenueId, used: &[(std::sync::Arc<str>, u64)]) {
    for (class, permille) in used {
        let permille = u32::try_from(*permille).unwrap_or(u32::MAX);
        m::VENUE_LIMIT_USED.set([venue.as_str(), class], f64::from(permille) / 1000.0);
    }
}

/// A WebSocket of a venue ended, for a reason from a closed set.
pub fn stream_ended(venue: &VenueId, reason: &'static str) {
    m::VENUE_STREAM_ENDS.count([venue.as_str(), reason]);
}

/// A message came over a venue's WebSocket: `data`, `control`, `unpriced` or `bad`.
pub fn stream_heard(venue: &VenueId, kind: &'static str) {
    m::VENUE_STREAM_MESSAGES.count([venue.as_str(), kind]);
}

/// A request to a node ended. `method` is the JSON-RPC method or `batch`; `result` is `ok` or a kind of failure.
pub fn rpc_answered(method: &'static str, result: &'static str, took: Span) {
    m::RPC_REQUESTS.count([method, result]);
    m::RPC_LATENCY.record_span([method], took);
}

/// Nodes contradict each other: about a `nonce`, a `receipt` or a `block`.
pub fn readers_differ(what: &'static str) {
    m::NODES_DIFFER.count([what]);
}

/// One node took a transaction that another says can never pass.
pub fn send_conflicts() {
    m::SEND_CONFLICTS.count([]);
}

/// Everything that is true at the moment of a scrape rather than counted when it happens.
pub(super) fn scraped(state: &State, now: Now) {
    m::READY.flag([], readiness(state, now).phase == Phase::Ready);
    m::NODE_FAILING.flag([], !state.node_ok);
    m::SIGNER_FAILING.flag([], !state.signer_ok);
    m::JOURNAL_UNAVAILABLE.flag([], !state.journal_ok);
    if let Some(head) = &state.head {
        m::HEAD_NUMBER.set([], integer(&head.number.to_string()));
        m::HEAD_AGE.set([], seconds(now.mono.since(head.advanced_at)));
    }
    for (venue, stream) in &state.streams {
        m::VENUE_STREAM_UP.flag([venue.as_str()], stream.healthy);
        m::VENUE_STREAM_SOCKETS.set([venue.as_str()], integer(&stream.open.to_string()));
    }
    for clock in &state.clocks {
        let venue = clock.venue.as_str();
        m::VENUE_CLOCK_OFFSET.set([venue], integer(&clock.drift.offset_ms.to_string()) / 1000.0);
        m::VENUE_DELAY.set([venue], integer(&clock.drift.delay_ms.to_string()) / 1000.0);
        m::VENUE_CLOCK_WRONG.flag([venue], clock.skew.is_some());
    }
    m::CLOCK_WRONG.flag([], state.own_clock.is_some());
    for node in &state.nodes {
        for standing in Standing::ALL {
            m::NODE_STATE.flag([&node.node, standing.code()], node.standing == standing);
        }
        m::NODE_READER.flag([&node.node], node.reader);
        if let Some(subscribed) = node.subscribed {
            m::NODE_SUBSCRIBED.flag([&node.node], subscribed);
        }
        if let Some(head) = node.head {
            m::NODE_HEAD.set([&node.node], integer(&head.to_string()));
        }
    }
    for (name, beat) in &state.loops {
        let at = now.wall - now.mono.since(beat.progressed_at);
        m::LOOP_PROGRESS.set([name], seconds(at.since(publisher_core::time::Wall::default())));
    }
    for (rate, lost) in &state.pegs {
        m::PEG_LOST.flag([rate.as_str()], *lost);
    }
    for (name, ConstantHealth { constant, .. }) in &state.constants {
        m::CONSTANT_VALUE.set([name.as_str()], integer(&constant.value.to_string()));
        m::CONSTANT_LEFT.set([name.as_str()], seconds(constant.until.since(now.wall)));
    }
    for (account, health) in &state.accounts {
        m::LEASE_EPOCH.set([&account.to_string()], integer(&health.epoch.unwrap_or(0).to_string()));
        budget_left(&Scope::Account(*account), health.budget_left_wei);
    }
    for (id, health) in &state.feeds {
        let feed = id.as_str();
        m::HELD.flag([feed], health.hold.is_some());
        m::IN_FLIGHT.flag([feed], health.in_flight);
        m::ORDERS.set([feed], integer(&health.orders.len().to_string()));
        if let Some(margin) = health.margin {
            m::QUORUM_MARGIN.set([feed], integer(&margin.to_string()));
            m::SOURCES.set([feed], integer(&health.effective_milli.to_string()) / 1000.0);
            m::SINGLE_SOURCE.flag([feed], health.families == 1);
            // A gauge stays what it was set to, so that a value that is gone has to be told as such.
            let ppb = health.confidence.map(|part| integer(&part.ppb().to_string()));
            m::CONFIDENCE.set([feed], ppb.map_or(f64::NAN, |ppb| ppb / 100_000.0));
        }
        if let Some(stands) = health.breaker {
            for state in BREAKER_STATES {
                m::BREAKER_STATE.flag([feed, state], state == stands);
            }
        }
        standings(feed, &health.sources);
        if let Some(market) = health.market.as_ref().filter(|_| !health.off_hours_sources.is_empty()) {
            standings(id.off_hours().as_str(), &health.off_hours_sources);
            m::OFF_HOURS.flag([feed], market.conduct == Conduct::SwitchSource);
        }
        budget_left(&Scope::Feed(id.clone()), health.budget_left_wei);
        if let Some(sleep) = health.sleep {
            m::HIBERNATING.flag([feed], sleep == Sleep::Asleep);
        }
        if let Some(market) = &health.market {
            for status in MarketStatus::ALL {
                m::MARKET_STATUS.flag([feed, status.code()], market.status == status);
            }
            m::CALENDAR_LEFT.set([feed], seconds(market.ends_at.since(now.wall)));
        }
        if let Some(margin_ms) = health.heartbeat_margin_ms(now.wall) {
            m::HEARTBEAT_MARGIN.set([feed], integer(&margin_ms.to_string()) / 1000.0);
        }
        if let Some(known) = &health.known {
            m::ROUND.set([feed], integer(&known.round.to_string()));
        }
    }
}

/// How each source of a set stands, by the name of the set.
fn standings(set: &str, sources: &[SourceHealth]) {
    for source in sources {
        let SourceHealth { source, standing, score } = source;
        for each in SourceStanding::ALL {
            m::SOURCE_STANDING.flag([set, source, each.code()], each == *standing);
        }
        let share = |of: u64| integer(&of.to_string()) / integer(&score.looks.max(1).to_string());
        m::SOURCE_HITS.set([set, source], share(score.answered));
        m::SOURCE_OUTSIDE.set([set, source], share(score.outside));
        for (percent, percentile) in [(50, "50"), (99, "99")] {
            if let Some(age) = score.ages.percentile(percent) {
                m::SOURCE_AGE.set([set, source, percentile], seconds(age));
            }
        }
        if let Some(lag) = score.moves.lag() {
            m::SOURCE_LAG.set([set, source], lag.into());
        }
    }
}

/// A feed's name; of a store, whose transactions are for many, a dash.
fn feed_name(feed: Option<&FeedId>) -> &str {
    feed.map_or("-", FeedId::as_str)
}

fn budget_left(scope: &Scope, left_wei: Option<u128>) {
    if let Some(left_wei) = left_wei {
        m::BUDGET_LEFT.set([&scope_name(scope)], integer(&(left_wei / GWEI).to_string()));
    }
}

/// The metrics of an event.
pub(super) fn counted(event: &Event) {
    m::EVENTS.count([event.code()]);
    match event {
        Event::Decided { feed, trigger, .. } => {
            m::DECISIONS.count([feed.as_str(), "publish", trigger.code()]);
        }
        Event::HeldBack { feed, hold } => m::DECISIONS.count([feed.as_str(), "hold", hold.code()]),
        Event::SourceLeftOut { feed, source, why, .. } => {
            m::SOURCE_LEFT_OUT.flag([feed.as_str(), source], true);
            m::SOURCE_LEFT_OUT_TOTAL.count([feed.as_str(), source, why.code()]);
        }
        Event::SourceBack { feed, source } => m::SOURCE_LEFT_OUT.flag([feed.as_str(), source], false),
        Event::SourceOnProbation { feed, source, why } => {
            m::SOURCE_TROUBLES.count([feed.as_str(), source, why.code()]);
        }
        Event::RoundTaken { feed, .. } => m::ROUNDS_TAKEN.count([feed.as_str()]),
        Event::PreflightRefused { feed, .. } => {
            m::PREFLIGHT_REFUSALS.count([feed_name(feed.as_ref())]);
        }
        Event::EstimateFailed { feed, .. } => m::ESTIMATES.count([feed_name(feed.as_ref()), "failed"]),
        Event::EstimateClamped { feed, .. } => m::ESTIMATES.count([feed_name(feed.as_ref()), "clamped"]),
        Event::SignFailed { fault, .. } => m::SIGN_FAILURES.count([fault.code()]),
        Event::Sent { outcome, .. } => m::SEND_OUTCOMES.count([outcome.code()]),
        Event::Resent { .. } => m::RESENDS.count([]),
        Event::Bumped { .. } => m::FEE_BUMPS.count([]),
        Event::FeeCapReached { .. } => m::FEE_CAP_REACHED.count([]),
        Event::PriceRefused { account, .. } => m::PRICE_REFUSED.count([&account.to_string()]),
        Event::BudgetReached { scope, .. } => m::BUDGET_REACHED.count([&scope_name(scope)]),
        Event::OutOfFunds { account } => m::OUT_OF_FUNDS.count([&account.to_string()]),
        Event::SequenceTaken { store, .. } => m::SEQUENCES_TAKEN.count([&store.to_string()]),
        Event::EntrySkipped { feed, reason, .. } => m::SKIPS.count([feed.as_str(), reason.code()]),
        Event::Included { feed: Some(feed), answer, latency, .. } => landed(feed, *answer, latency),
        Event::EntryIncluded { feed, answer, latency, .. } => landed(feed, Some(*answer), latency),
        Event::EntryFinal { feed, receipt, feeds, .. } => {
            m::ROUNDS.count([feed.as_str(), Outcome::Final.code()]);
            cost(feed.as_str(), receipt, *feeds);
        }
        Event::Closed { feed, round, outcome, receipt, .. } => {
            closed(feed.as_ref().map(|f| f.as_str()), round.is_some(), *outcome, receipt)
        }
        Event::Orphaned { .. } => m::ORPHANED.count([]),
        Event::ForeignNonce { .. } => m::FOREIGN_NONCES.count([]),
        Event::Reorged { depth, .. } => {
            m::REORGS.count([]);
            m::REORG_DEPTH.record([], integer(&depth.to_string()));
        }
        Event::FinalityViolated { .. } => m::FINALITY_VIOLATIONS.count([]),
        Event::WindowLost { .. } => m::WINDOWS_LOST.count([]),
        Event::HeadStalled { .. } => m::HEAD_STALLED.flag([], true),
        Event::HeadMoving { .. } => m::HEAD_STALLED.flag([], false),
        Event::Halted { scope, .. } => m::HALTED.flag([&scope_name(scope)], true),
        Event::Resumed { scope } => m::HALTED.flag([&scope_name(scope)], false),
        Event::Released { .. }
        | Event::HeartbeatBlocked { .. }
        | Event::BreakerStuck { .. }
        | Event::OrderStands { .. }
        | Event::OrderOver { .. }
        | Event::MarketStatus { .. }
        | Event::CalendarEnds { .. }
        | Event::OpeningUnquoted { .. }
        | Event::OpeningOver { .. }
        | Event::Hibernates { .. }
        | Event::Awakened { .. }
        | Event::FlagUnreadable { .. }
        | Event::Planned { .. }
        | Event::Signed { .. }
        | Event::Included { feed: None, .. }
        | Event::Recovered { .. }
        | Event::LeaseTaken { .. }
        | Event::LeaseReleased { .. }
        | Event::LeaseLost { .. }
        | Event::LeaseFenced { .. }
        | Event::SourceQuarantined { .. }
        | Event::SourceReadmitted { .. }
        | Event::ConstantEnds { .. }
        | Event::ConstantOver { .. }
        | Event::PegLost { .. }
        | Event::PegBack { .. }
        | Event::ClockWrong { .. }
        | Event::ClockRight { .. }
        | Event::OwnClockWrong { .. }
        | Event::OwnClockRight { .. }
        | Event::OwnClockSet { .. }
        | Event::Standby { .. } => {}
    }
}

/// A feed's round is in a canonical block.
fn landed(feed: &FeedId, answer: Option<Answer>, latency: &Latency) {
    if let Some(answer) = answer {
        m::ANSWER.set([feed.as_str()], shown(answer));
    }
    // After a restart nobody knows when the quote came.
    if latency.total > Span::ZERO {
        m::QUOTE_TO_INCLUSION.record_span([feed.as_str()], latency.total);
        m::DECISION.record_span([feed.as_str()], latency.decide);
        m::SIGN.record_span([feed.as_str()], latency.sign);
        m::BROADCAST.record_span([feed.as_str()], latency.send);
        m::INCLUSION.record_span([feed.as_str()], latency.include);
    }
}

/// A transaction is over: a round of a feed, a batch of several, or a step of a rollout.
fn closed(feed: Option<&str>, is_numbered: bool, outcome: Outcome, receipt: &Option<Receipt>) {
    let Some(feed) = feed else {
        return match is_numbered {
            true => m::BATCHES.count([outcome.code()]),
            false => m::STEPS.count([outcome.code()]),
        };
    };
    m::ROUNDS.count([feed, outcome.code()]);
    if matches!(outcome, Outcome::Reverted | Outcome::NoopFilled) {
        m::WASTED.count([feed]);
    }
    // A stranger's transaction was not paid by this feed.
    if let Some(receipt) = receipt.as_ref().filter(|_| outcome != Outcome::Foreign) {
        cost(feed, receipt, 1);
    }
}

/// A feed has paid its part of a transaction that was for so many of them.
fn cost(feed: &str, receipt: &Receipt, feeds: usize) {
    let wei = receipt.gas_price_wei.saturating_mul(u128::from(receipt.gas_used));
    let share = wei / u128::try_from(feeds.max(1)).unwrap_or(1);
    m::COST.add([feed], u64::try_from(share / GWEI).unwrap_or(u64::MAX));
}

/// What a halt is called in labels, logs and status.
pub(super) fn scope_name(scope: &Scope) -> String {
    match scope {
        Scope::Feed(feed) => format!("feed:{feed}"),
        Scope::Account(account) => format!("account:{account}"),
        Scope::Chain => "chain".into(),
    }
}

/// A number as a float for the eye; through its text, because it may be wider than any integer that casts.
fn integer(digits: &str) -> f64 {
    digits.parse().unwrap_or(f64::NAN)
}

fn shown(answer: Answer) -> f64 {
    integer(&answer.value().to_string())
}

#[cfg(test)]
mod tests;
