//! Where a preset says that its venue lists its markets.

use super::{BODY_MAX, RawCheck, checks, rows};
use crate::sources::decode::Place;
use crate::sources::instruments::Instruments;
use crate::sources::problem::Problems;
use serde::Deserialize;

/// The largest list where the preset says nothing else.
const BODY: u64 = 8 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInstruments {
    path: String,
    #[serde(default)]
    cost: Option<u64>,
    #[serde(default)]
    body_max_bytes: Option<u64>,
    #[serde(default)]
    ok: Vec<RawCheck>,
    rows: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    trading: Vec<String>,
}

pub(super) fn check(raw: &RawInstruments, problems: &mut Problems) -> Option<Instruments> {
    if !raw.path.starts_with('/') {
        problems.add("instruments.path", &raw.path, "not a path", "start it with /");
    }
    let body_max = raw.body_max_bytes.unwrap_or(BODY);
    let body_max_bytes = usize::try_from(body_max).ok().filter(|max| *max >= 1024 && body_max <= BODY_MAX);
    if body_max_bytes.is_none() {
        let value = body_max.to_string();
        problems.add("instruments.body_max_bytes", value, "out of range", "allow 1 KiB to 64 MiB");
    }
    let hint = "write e.g. state, or leave it out";
    let status = raw
        .status
        .as_ref()
        .and_then(|text| problems.keep("instruments.status", text, Place::parse(text), hint));
    if raw.status.is_some() == raw.trading.is_empty() {
        let hint = "name the status and what stands there of a market that trades, or neither";
        problems.add("instruments.trading", "", "half a status", hint);
    }
    Some(Instruments {
        path: raw.path.clone(),
        cost: raw.cost.unwrap_or(1),
        body_max_bytes: body_max_bytes?,
        ok: checks("instruments.ok", &raw.ok, problems),
        prefix: raw.prefix.clone(),
        rows: rows("instruments", &raw.rows, raw.key.as_deref(), problems)?,
        status,
        trading: raw.trading.clone(),
    })
}
