//! The circuit breaker: that it can trip, is not tripped by the daily round, and reaches its own cap.

use super::policy::on;
use super::{Check, Layers};
use publisher_core::policy::Breaker;
use publisher_core::price::{Price, Ratio};
use publisher_core::time::Span;

/// Celo's growth: 15% become 25% within the hour.
const GROWTH: Ratio = Ratio::from_ppb(7_500_000);
const CORROBORATE: usize = 3;
const CONFIRM_FOR: Span = Span::from_s(180);
const MAX_OPEN: Span = Span::from_s(3600);

impl Check<'_> {
    pub(super) fn breaker(&mut self, layers: &Layers<'_>, heartbeat: Span, deviation: Ratio) -> Breaker {
        let set = layers.rule("breaker.min", |p| p.breaker.as_ref()?.min.as_ref());
        let max = layers.rule("breaker.max", |p| p.breaker.as_ref()?.max.as_ref());
        let growth = layers.rule("breaker.per_sqrt_minute", |p| p.breaker.as_ref()?.per_sqrt_minute.as_ref());
        let corroborate = layers.rule("breaker.corroborate", |p| p.breaker.as_ref()?.corroborate.as_ref());
        let confirm_for = layers.rule("breaker.confirm_for", |p| p.breaker.as_ref()?.confirm_for.as_ref());
        let max_open = layers.rule("breaker.max_open", |p| p.breaker.as_ref()?.max_open.as_ref());
        let min = on(&set, Ratio::default());
        let five_thirds = Ratio::from_ppb(min.ppb().saturating_mul(5) / 3);
        let breaker = Breaker {
            min,
            max: max.value.unwrap_or(five_thirds),
            growth: growth.value.map_or(Some(GROWTH), parts).unwrap_or_else(|| {
                let reason = "more than nine decimals, or out of range";
                self.found.error(&growth.place, reason, "use a small number, e.g. \"0.0075\"");
                GROWTH
            }),
            corroborate: corroborate.value.unwrap_or(CORROBORATE),
            confirm_for: confirm_for.value.unwrap_or(CONFIRM_FOR),
            max_open: max_open.value.unwrap_or(MAX_OPEN),
        };
        if min == Ratio::default() {
            let others = [max.own, growth.own, corroborate.own, confirm_for.own, max_open.own];
            if others.contains(&true) && set.value.is_none() {
                let reason = "there is no step to break at";
                self.found.warn(
                    &set.place,
                    reason,
                    "set breaker.min, e.g. to \"20%\", or leave the rest out",
                );
            }
            return breaker;
        }
        let whose = layers.whose(&set.place);
        if min <= deviation {
            let reason =
                format!("not more than the deviation of {deviation}, so every deviation would trip it");
            let hint = "use several times the deviation, e.g. \"20%\"";
            self.found.error(&set.place, reason + &whose, hint);
        } else if min.ppb() <= deviation.ppb().saturating_mul(3) {
            let reason =
                format!("close to the deviation of {deviation}, so a lively market would trip it{whose}");
            self.found.warn(&set.place, reason, "use more than three times the deviation, e.g. \"20%\"");
        }
        if breaker.max < min {
            let reason = format!("less than the {min} that it grows from{}", layers.whose(&max.place));
            self.found.error(&max.place, reason, "use more, or leave it out");
        } else if max.value.is_some() && breaker.max > min && heartbeat > Span::ZERO {
            let oldest = breaker.threshold(heartbeat);
            if oldest < breaker.max {
                let reason = format!(
                    "with a heartbeat of {heartbeat} it grows to {oldest} only{}",
                    layers.whose(&max.place)
                );
                self.found.warn(&max.place, reason, format!("use {oldest}, or raise per_sqrt_minute"));
            }
        }
        let whose = layers.whose(&confirm_for.place);
        if breaker.confirm_for == Span::ZERO {
            let hint = "use minutes, or write breaker = \"off\"";
            self.found.error(&confirm_for.place, format!("a breaker that never breaks{whose}"), hint);
        } else if heartbeat > Span::ZERO && breaker.confirm_for >= heartbeat {
            let reason = format!("a large step would make a heartbeat of {heartbeat} late{whose}");
            self.found.warn(&confirm_for.place, reason, format!("use less than {heartbeat}"));
        }
        breaker
    }
}

/// A number as parts per billion, if that is exact.
fn parts(number: Price) -> Option<Ratio> {
    let answer = number.to_answer(9).filter(|a| a.display(9).to_string() == number.to_string())?;
    u64::try_from(answer.value()).ok().map(Ratio::from_ppb)
}
