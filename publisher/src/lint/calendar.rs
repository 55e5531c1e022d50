//! Rules about calendars: what a market's hours make of schedules and heartbeats.

use super::rules::said;
use super::{Said, View};
use crate::calendar::utc;
use publisher_core::policy::{Conduct, Market, Slot};
use publisher_core::time::{Span, Wall};

/// A schedule of more times than this within a calendar is left unproved.
const TIMES_MAX: u32 = 100_000;
const HOUR_MS: u64 = 3_600_000;

/// No time of a schedule is one at which the feed's market lets it publish.
pub(super) fn cron_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let policy = &value.feed?.policy;
        let market = policy.market.as_ref()?;
        let (slot, times) =
            policy.schedule.slots.iter().find_map(|slot| Some((slot, never_open(slot, market)?)))?;
        let (name, calendar) = (&slot.name, &market.hours.calendar);
        let proof = format!(
            "{calendar} has {times} times of {name}, and at none of them every rule holds (on_market): it never fires when it should, but at the next opening"
        );
        said(value.key("policy.cron"), proof, "name a time, and its zone, at which the market is open, or leave it out")
    })
}

/// How many times of a slot the market's calendar has, if it lets nothing be published at any of them, nor a jitter later.
fn never_open(slot: &Slot, market: &Market) -> Option<u32> {
    let moment = Span::from_ms(1);
    let begins_at = market.hours.begins_at()?;
    let is_open = |at: Wall| market.told(market.hours.at(at).status).is_live();
    let (mut before, mut times) = (market.hours.ends_at - moment, 0);
    while let Some(at) = slot.at.latest(&slot.zone, before).filter(|at| *at >= begins_at) {
        if is_open(at) || is_open(at + slot.jitter) || times >= TIMES_MAX {
            return None;
        }
        (before, times) = (at - moment, times + 1);
    }
    (times > 0).then_some(times)
}

/// A break in which a feed is frozen is longer than its heartbeat.
pub(super) fn freeze_outlasts_heartbeat(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let policy = &value.feed?.policy;
        let market = policy.market.as_ref()?;
        let (began, length) = longest_freeze(market)?;
        if policy.heartbeat == Span::ZERO || length < policy.heartbeat {
            return None;
        }
        let proof = format!(
            "by {} it is frozen for up to {} h, from {} on: its heartbeat of {} is always missed then",
            market.hours.calendar,
            length.ms() / HOUR_MS,
            utc(began),
            policy.heartbeat
        );
        said(
            value.key("policy.on_market.closed"),
            proof,
            "tell consumers who measure an answer's age, or say \"heartbeat_only\"",
        )
    })
}

/// When the longest time begins in which a calendar freezes a feed, and how long it is.
fn longest_freeze(market: &Market) -> Option<(Wall, Span)> {
    let ends = std::iter::once((market.hours.ends_at, None));
    let changes = market.hours.changes.iter().map(|(at, status)| (*at, Some(*status)));
    let (mut began, mut longest) = (None, None);
    for (at, status) in changes.chain(ends) {
        let freezes = status.is_some_and(|status| market.told(status) == Conduct::Freeze);
        match (freezes, began) {
            (true, None) => began = Some(at),
            (false, Some(since)) => {
                longest = longest.max(Some((at.since(since), since)));
                began = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    longest.map(|(length, since)| (since, length))
}
