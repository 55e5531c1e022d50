//! Whether the publisher can be relied on right now: a pure function of the state.
//!
//! It turns red before a heartbeat is missed, not after: a feed that may not publish is red as soon as less than two
//! leads are left, and a feed that should have sent its heartbeat at one lead is red when half of that has passed
//! without a submission on its way.

use super::emit::scope_name;
use super::health::{FeedHealth, State};
use publisher_core::policy::Hold;
use publisher_core::time::{Now, Span};
use serde::{Deserialize, Serialize};

/// Feeds have this long after the start to get their first value.
const WARM_UP: Span = Span::from_s(60);

/// Where the process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Everything promised can be kept.
    Ready,
    /// It has begun a short while ago and waits for what is listed.
    Starting,
    /// Something promised is broken or about to be.
    Failing,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Where the process stands.
    pub phase: Phase,
    /// Everything that stands in the way, worst first.
    pub failing: Vec<Failing>,
}

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The feed, or `node`, `head`, `signer`, `journal`, `process`, or the scope of a halt.
    pub what: String,
    /// Why, as a stable word.
    pub code: String,
    /// For people: what to know or to do.
    pub detail: String,
}

fn failing(what: impl Into<String>, code: &str, detail: impl Into<String>) -> Failing {
    Failing { what: what.into(), code: code.into(), detail: detail.into() }
}

/// Whether the state means ready.
pub fn readiness(state: &State, now: Now) -> Readiness {
    let mut found = process(state, now);
    for (feed, health) in &state.feeds {
        found.extend(feed_failing(health, now).map(|(code, detail)| failing(feed.as_str(), code, detail)));
    }
    let mut waiting = Vec::new();
    if !state.started {
        waiting.push(failing("process", "not_started", "The journal is being recovered."));
    }
    let silent = state.feeds.iter().filter(|(_, health)| !health.has_value && !health.is_shut());
    waiting.extend(silent.map(|(feed, _)| {
        failing(feed.as_str(), "no_value", "No value yet; `publisher quote` shows what each source says.")
    }));
    if state.head.is_none() {
        waiting.push(failing("head", "no_head", "No head yet."));
    }
    let warming_up = now.mono.since(state.began_at) < WARM_UP;
    let phase = match (found.is_empty(), waiting.is_empty()) {
        (true, true) => Phase::Ready,
        _ if warming_up && !waiting.is_empty() => Phase::Starting,
        _ => Phase::Failing,
    };
    found.extend(waiting);
    Readiness { phase, failing: found }
}

/// What concerns every feed.
fn process(state: &State, now: Now) -> Vec<Failing> {
    let mut found = Vec::new();
    for (scope, reason) in &state.halts {
        found.push(failing(scope_name(scope), "halted", reason.as_str()));
    }
    if !state.journal_ok {
        found.push(failing("journal", "journal_unavailable", "Nothing is sent before it is journalled."));
    }
    if !state.node_ok {
        found.push(failing("node", "node_failing", "No node gives usable answers."));
    }
    if let Some(age) =
        state.head.map(|head| now.mono.since(head.advanced_at)).filter(|age| *age > state.stall_after)
    {
        found.push(failing("head", "head_stalled", format!("No new head for {} s.", age.ms() / 1000)));
    }
    if !state.signer_ok {
        found.push(failing("signer", "signer_failing", "The signer gives no usable signatures."));
    }
    if state.draining {
        found.push(failing("process", "draining", "It finishes what is on its way and ends."));
    }
    found
}

fn feed_failing(health: &FeedHealth, now: Now) -> Option<(&'static str, String)> {
    if matches!(health.hold, Some(Hold::Leased | Hold::MarketClosed | Hold::Hibernating)) {
        // Heartbeats are the holder's, and this replica is ready if it could take over; or there are to be none.
        return None;
    }
    let margin_ms = health.heartbeat_margin_ms(now.wall);
    let left =
        |span: Span| margin_ms.is_some_and(|margin| margin < i64::try_from(span.ms()).unwrap_or(i64::MAX));
    if margin_ms.is_some_and(|margin| margin < 0) {
        return Some((
            "heartbeat_missed",
            "The answer on chain is older than the heartbeat promises.".into(),
        ));
    }
    if let Some(hold) = health.hold.filter(|hold| stands_still(*hold)) {
        // What it was before it had its first value is said by `no_value`.
        return health.has_value.then(|| (hold.code(), hold.advice().to_owned()));
    }
    let half_lead = Span::from_ms(health.lead.ms() / 2);
    let at_risk = match health.hold {
        _ if health.in_flight => false,
        Some(_) => left(health.lead.times(2)),
        None => left(half_lead),
    };
    at_risk.then(|| {
        let why = health.hold.map_or("nothing was sent for it", Hold::code);
        ("heartbeat_at_risk", format!("The heartbeat is due in {} ms; {why}.", margin_ms.unwrap_or(0)))
    })
}

/// Whether a feed held back for this reason publishes nothing until something outside changes.
const fn stands_still(hold: Hold) -> bool {
    match hold {
        Hold::NoValue(_)
        | Hold::OutOfBounds
        | Hold::BreakerOpen
        | Hold::Paused
        | Hold::NotAuthorised
        | Hold::Refused
        | Hold::FlagUnknown
        | Hold::GroupMember
        | Hold::Halted => true,
        Hold::RateFloor
        | Hold::MarketClosed
        | Hold::Hibernating
        | Hold::OnOrder
        | Hold::Standby
        | Hold::Leased
        | Hold::OverBudget
        | Hold::RoundUnknown
        | Hold::Gathering
        | Hold::InFlight
        | Hold::AccountBusy => false,
    }
}

#[cfg(test)]
mod tests;
