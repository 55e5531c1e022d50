//! Rules about thresholds that are so many times as large: a backup's, and those of a market that trades thinly.

use super::rules::said;
use super::{Said, Value, View};
use alloy::primitives::{U256, U512};
use publisher_core::policy::{Combine, Conduct, Deviation, Policy, Status};
use publisher_core::price::{Answer, Ratio};
use publisher_core::time::Span;

/// No rise and no fall within the bounds is a relative deviation, however old the answer on chain becomes.
pub(super) fn deviation_never(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let feed = value.feed?;
        let lowest = lowest(&feed.policy);
        if lowest == Ratio::default() || reaches_relative(&feed.policy) {
            return None;
        }
        // What it was before it was multiplied is in the file; the rule is of what holds.
        let multiplied = view.is_multiplied(value);
        let key = if multiplied { "policy.backup.deviation_coefficient" } else { "policy.deviation" };
        let (low, high) = bounds(&feed.policy, feed.decimals);
        let proof =
            format!("answers lie between {low} and {high}, which are not {lowest} apart: it can never fire");
        said(value.key(key), proof, "use less, or wider bounds")
    })
}

/// While a market has some status, thresholds are so wide that nothing but the heartbeat makes a round.
pub(super) fn widen_never(view: &View<'_>) -> Vec<Said> {
    each_wide(view, |value, status, factor, wide| {
        let feed = value.feed?;
        if !can_fire(&feed.policy) || can_fire(wide) {
            return None;
        }
        let (low, high) = bounds(wide, feed.decimals);
        let relative = (lowest(wide) > Ratio::default()).then(|| lowest(wide).to_string());
        let absolute = Answer::new(i256(wide.deviation.absolute)).display(feed.decimals).to_string();
        let absolute = (!wide.deviation.absolute.is_zero()).then_some(absolute);
        let thresholds: Vec<String> = relative.into_iter().chain(absolute).collect();
        let proof = format!(
            "{factor} the thresholds is {} even when the heartbeat comes, and answers lie between {low} and {high}: while the market is {}, no deviation can ever fire",
            thresholds.join(" and "),
            status.code()
        );
        said(
            value.key(&format!("policy.on_market.{}", status.code())),
            proof,
            "use a smaller factor, or say \"heartbeat_only\"",
        )
    })
}

/// While a market has some status, whatever deviates far enough is a step that the breaker does not believe.
pub(super) fn widen_trips_breaker(view: &View<'_>) -> Vec<Said> {
    each_wide(view, |value, status, factor, wide| {
        let (rule, breaker) = (&wide.deviation, &wide.breaker);
        let by_itself = rule.combine == Combine::All || rule.absolute.is_zero();
        if breaker.min == Ratio::default() || rule.on_change || !by_itself || !can_fire(wide) {
            return None;
        }
        // The one falls with the age of the answer on chain, and the other grows.
        let most = breaker.threshold(oldest(wide));
        if lowest(wide) == Ratio::default() || lowest(wide) < most {
            return None;
        }
        let proof = format!(
            "{factor} the deviation is {} at least, and the breaker opens at {most} at most: while the market is {}, every deviation trips it",
            lowest(wide),
            status.code()
        );
        said(
            value.key(&format!("policy.on_market.{}", status.code())),
            proof,
            "use a smaller factor, or a larger breaker.min",
        )
    })
}

/// The largest factor by which a feed's market widens its thresholds; once, if it does not.
pub(super) fn widest(policy: &Policy) -> Ratio {
    factors(policy).map(|(_, factor)| factor).max().unwrap_or(Ratio::ONE)
}

/// What a rule says of each status in which thresholds of a feed widen, with the policy that holds then.
fn each_wide(
    view: &View<'_>,
    rule: impl Fn(&Value<'_>, Status, String, &Policy) -> Option<Said>,
) -> Vec<Said> {
    let values: Vec<Value<'_>> = view.values().collect();
    let said =
        values.iter().filter_map(|value| Some((value, &value.feed?.policy))).flat_map(|(value, policy)| {
            let rule = &rule;
            factors(policy).filter_map(move |(status, factor)| {
                rule(value, status, factor.multiple(), &policy.clone().during(Conduct::Widen(factor)))
            })
        });
    said.collect()
}

/// In which status thresholds are how many times as large.
fn factors(policy: &Policy) -> impl Iterator<Item = (Status, Ratio)> {
    let told = policy.market.iter().flat_map(|market| &market.conduct);
    told.filter_map(|(status, conduct)| match conduct {
        Conduct::Widen(factor) => Some((*status, *factor)),
        _ => None,
    })
}

/// How old an answer on chain becomes.
fn oldest(policy: &Policy) -> Span {
    if policy.heartbeat > Span::ZERO { policy.heartbeat } else { Span::from_ms(u64::MAX) }
}

/// The lowest relative threshold that a policy has before its heartbeat comes.
fn lowest(policy: &Policy) -> Ratio {
    policy.deviation.threshold(oldest(policy))
}

/// Whether two answers within the bounds can be so far apart that a deviation fires.
fn can_fire(policy: &Policy) -> bool {
    let Deviation { absolute, combine, on_change, .. } = &policy.deviation;
    let relative = (lowest(policy) > Ratio::default()).then(|| reaches_relative(policy));
    let absolute = (!absolute.is_zero()).then(|| *absolute <= policy.min_answer.distance(policy.max_answer));
    *on_change
        || match (relative, absolute, combine) {
            (Some(relative), Some(absolute), Combine::All) => relative && absolute,
            (relative, absolute, _) => relative.unwrap_or(false) || absolute.unwrap_or(false),
        }
}

/// Whether the rise from the smallest answer to the largest is a relative deviation; no other one is as large.
fn reaches_relative(policy: &Policy) -> bool {
    let (min, max) = (policy.min_answer, policy.max_answer);
    let (smallest, rise) = (min.value().unsigned_abs(), min.distance(max));
    U512::from(smallest) * U512::from(lowest(policy).ppb()) <= U512::from(rise) * U512::from(Ratio::ONE.ppb())
}

/// The bounds of a feed, for people.
fn bounds(policy: &Policy, decimals: u8) -> (String, String) {
    let show = |answer: Answer| answer.display(decimals).to_string();
    (show(policy.min_answer), show(policy.max_answer))
}

fn i256(units: U256) -> alloy::primitives::I256 {
    alloy::primitives::I256::try_from(units).unwrap_or(alloy::primitives::I256::MAX)
}
