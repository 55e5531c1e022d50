//! A rate limit as a preset spells it.

use crate::sources::budgets::{Field, LimitRule, Reset};
use crate::sources::governor::Limit;
use crate::sources::limits::span;
use crate::sources::problem::Problems;
use publisher_core::price::Ratio;
use publisher_core::time::Span;
use serde::Deserialize;

/// Shortest and longest period of a limit.
const PER: (Span, Span) = (Span::from_s(1), Span::from_s(31 * 86_400));
/// Larger limits and costs are mistakes.
const UNITS_MAX: u64 = 1_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimit {
    class: String,
    capacity: u64,
    per: String,
    #[serde(default)]
    plan: bool,
    #[serde(default)]
    cost: Option<u64>,
    #[serde(default)]
    costs: Vec<RawCost>,
    #[serde(default)]
    used: Option<String>,
    #[serde(default)]
    remaining: Option<String>,
    #[serde(default)]
    limit: Option<String>,
    #[serde(default)]
    reset: Option<String>,
    #[serde(default)]
    reset_unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCost {
    symbols: usize,
    cost: u64,
}

pub(super) fn check(raw: Vec<RawLimit>, problems: &mut Problems) -> Vec<LimitRule> {
    let mut rules: Vec<LimitRule> = Vec::new();
    for limit in raw {
        if limit.class.is_empty() || rules.iter().any(|rule| *rule.class == *limit.class) {
            problems.add("limits.class", &limit.class, "not a name of its own", "e.g. ip, weight or credits");
        }
        rules.extend(rule(limit, problems));
    }
    rules
}

fn rule(raw: RawLimit, problems: &mut Problems) -> Option<LimitRule> {
    let units = 1..=UNITS_MAX;
    let steps = raw.costs.iter().map(|step| (Some(step.symbols), step.cost));
    let costs: Vec<_> = steps.chain([(None, raw.cost.unwrap_or(1))]).collect();
    if !raw.costs.is_sorted_by(|a, b| a.symbols < b.symbols) {
        problems.add("limits.costs", "", "not in order", "put the cost of the fewest symbols first");
    }
    for n in costs.iter().map(|(_, cost)| cost).chain([&raw.capacity]).filter(|n| !units.contains(n)) {
        problems.add("limits", n.to_string(), "out of range", format!("use 1 to {UNITS_MAX}"));
    }
    let mut field = |key: &str, text: &Option<String>| {
        let (name, part) = match text.as_deref()?.split_once(':') {
            Some((name, part)) => (name, Some(part.to_owned())),
            None => (text.as_deref()?, None),
        };
        let hint = "write e.g. x-used-weight, or remaining-req:sec for a part of it";
        let header = problems.keep(&format!("limits.{key}"), name, name.parse(), hint)?;
        Some(Field { header, part })
    };
    let (used, remaining) = (field("used", &raw.used), field("remaining", &raw.remaining));
    let (capacity, reset) = (field("limit", &raw.limit), field("reset", &raw.reset));
    let unit = raw.reset_unit.as_deref().map(|unit| match unit {
        "s" => Some(Reset::Seconds),
        "ms" => Some(Reset::Milliseconds),
        "at_s" => Some(Reset::AtSeconds),
        "at_ms" => Some(Reset::AtMilliseconds),
        _ => None,
    });
    if unit.is_some() != raw.reset.is_some() || unit == Some(None) {
        let hint = "one of s, ms, at_s, at_ms with reset, nothing without";
        problems.add("limits.reset_unit", raw.reset_unit.unwrap_or_default(), "not the unit of reset", hint);
    }
    let per = span("limits.per", &raw.per, PER, problems)?;
    Some(LimitRule {
        class: raw.class.into(),
        limit: Limit { capacity: raw.capacity, per, plan: raw.plan },
        share: Ratio::ONE,
        costs,
        used,
        remaining,
        capacity,
        reset: reset.zip(unit.flatten()),
    })
}
