//! What a feed's market does at this moment, by its calendar alone.

use crate::calendar::utc;
use publisher_core::policy::{Conduct, Hours, Market, Stretch};
use publisher_core::time::Wall;
use serde_json::{Value, json};

/// As JSON. `as_of` is when the oldest quote of the feed's value was true, which decides about an opening.
pub(super) fn market_json(market: &Market, as_of: Option<Wall>, now: Wall) -> Value {
    let Stretch { status, until, .. } = market.hours.at(now);
    json!({
        "calendar": &*market.hours.calendar,
        "calendar_digest": market.hours.digest.to_string(),
        "calendar_begins_ms": market.hours.begins_at().map(Wall::ms),
        "calendar_ends_ms": market.hours.ends_at.ms(),
        "status": status.code(),
        "conduct": market.conduct(as_of, now).code(),
        "until_ms": until.map(Wall::ms),
    })
}

/// In words.
pub(super) fn market_in_words(market: &Market, as_of: Option<Wall>, now: Wall) -> String {
    let Stretch { status, until, .. } = market.hours.at(now);
    let (conduct, once_quoted) = (market.conduct(as_of, now), market.conduct(Some(now), now));
    let what = match conduct {
        Conduct::Normal => "every rule holds",
        _ if conduct != once_quoted => "it has opened, and quotes of after that are waited for",
        Conduct::HeartbeatOnly => "heartbeats repeat the last value",
        Conduct::Freeze => "nothing is published",
    };
    let until = until.map(|until| format!(" until {}", utc(until))).unwrap_or_default();
    let Hours { calendar, digest, ends_at, .. } = &*market.hours;
    let (status, ends) = (status.code(), utc(*ends_at));
    format!(
        "its market by the calendar {calendar} is {status}{until}: {what}\nthe calendar has the digest {digest} and ends at {ends}"
    )
}
