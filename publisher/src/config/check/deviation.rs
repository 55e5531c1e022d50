//! What makes a deviation, and what holds it back.

use super::policy::on;
use super::values::exact;
use super::{Check, Layers, Set};
use crate::config::leaf::{Both, Multiple, Rule};
use alloy::primitives::U256;
use publisher_core::policy::{Combine, Confidence, Confirm, Deviation, Pace};
use publisher_core::price::Ratio;
use publisher_core::time::Span;

impl Check<'_> {
    /// How far a value must be from the answer on chain; `None` if that cannot be said exactly.
    pub(super) fn deviation(
        &mut self,
        layers: &Layers<'_>,
        heartbeat: Span,
        decimals: Option<u8>,
    ) -> Option<Deviation> {
        let set = layers.rule("deviation", |p| p.deviation.as_ref());
        let relative = on(&set, Ratio::default());
        if relative >= Ratio::ONE {
            let whose = layers.whose(&set.place);
            let reason = format!("no fall is larger than 100%, so only a rise could fire it{whose}");
            self.found.warn(&set.place, reason, "use a few percent or less");
        }
        let abs = layers.rule("deviation_abs", |p| p.deviation_abs.as_ref());
        let has_abs = matches!(abs.value, Some(Rule::On(_)));
        let on_change = layers.rule("on_change", |p| p.on_change.as_ref()).value.unwrap_or(false);
        let combine = self.combine(layers, relative != Ratio::default(), has_abs);
        let decay = self.decay(layers, heartbeat, relative);
        let absolute = match (abs.value, decimals) {
            (Some(Rule::On(price)), Some(decimals)) => {
                let answer = exact(price, decimals);
                if answer.is_none() {
                    let whose = layers.whose(&abs.place);
                    let reason = format!("not exact with {decimals} decimals{whose}");
                    self.found.error(&abs.place, reason, "round it, or raise decimals");
                }
                answer?.value().unsigned_abs()
            }
            // Without decimals there is no feed, but what else is wrong with it is still to be found.
            (Some(Rule::On(_)), None) => U256::from(1),
            _ => U256::ZERO,
        };
        Some(Deviation { relative, decay, absolute, combine, on_change })
    }

    fn combine(&mut self, layers: &Layers<'_>, relative: bool, absolute: bool) -> Combine {
        let set = layers.rule("combine", |p| p.combine.as_ref());
        if relative && absolute && set.value.is_none() {
            let reason =
                "with deviation and deviation_abs, does either suffice or are both needed? Systems differ";
            let hint = "add combine = \"any\" (a round when either fires) or \"all\" (only when both do)";
            self.found.error(&set.place, reason, hint);
        }
        if set.own && !(relative && absolute) {
            let hint = "leave it out, or set both deviation and deviation_abs";
            self.found.warn(&set.place, "there is nothing to combine", hint);
        }
        match set.value {
            Some(Both::All) => Combine::All,
            Some(Both::Any) | None => Combine::Any,
        }
    }

    fn decay(&mut self, layers: &Layers<'_>, heartbeat: Span, relative: Ratio) -> Vec<(Span, Ratio)> {
        let set = layers.rule("deviation_decay", |p| p.deviation_decay.as_ref());
        let decay = set.value.map(|decay| decay.0).unwrap_or_default();
        if decay.is_empty() {
            return decay;
        }
        let whose = layers.whose(&set.place);
        if relative == Ratio::default() {
            if set.own {
                self.found.warn(
                    &set.place,
                    "there is no deviation that decays",
                    "leave it out, or set deviation",
                );
            }
            return Vec::new();
        }
        let mut before = (Span::ZERO, relative);
        for &(age, threshold) in &decay {
            if age <= before.0 {
                let reason = format!("an age of {age} does not come after one of {}{whose}", before.0);
                self.found.error(&set.place, reason, "write the ages in rising order, from more than zero");
            }
            if threshold > before.1 {
                let reason = format!("{threshold} is more than the {} before it{whose}", before.1);
                let hint =
                    "let thresholds fall, from deviation on: a deviation that has fired must not cease to";
                self.found.error(&set.place, reason, hint);
            }
            if threshold == Ratio::default() {
                let reason = format!("a threshold of zero would switch the deviation off{whose}");
                self.found.error(&set.place, reason, "end at the least deviation that is worth a round");
            }
            before = (age, threshold);
        }
        if heartbeat > Span::ZERO && before.0 > heartbeat {
            let reason = format!(
                "with a heartbeat of {heartbeat} no answer becomes {} old, so it never falls so far{whose}",
                before.0
            );
            self.found.warn(&set.place, reason, format!("use ages up to {heartbeat}"));
        }
        decay
    }

    /// How unsure a value makes a round.
    pub(super) fn confidence(&mut self, layers: &Layers<'_>) -> Confidence {
        let set = layers.rule("confidence_ratio", |p| p.confidence_ratio.as_ref());
        let rearm = layers.rule("confidence_rearm", |p| p.confidence_rearm.as_ref());
        let ratio = on(&set, Ratio::default());
        let half = Ratio::from_ppb(ratio.ppb() / 2);
        let confidence = Confidence { ratio, rearm: rearm.value.unwrap_or(half) };
        if ratio == Ratio::default() {
            if rearm.own {
                let hint = "leave it out, or set confidence_ratio";
                self.found.warn(&rearm.place, "there is nothing to arm again", hint);
            }
        } else if confidence.rearm > ratio {
            let whose = layers.whose(&rearm.place);
            let reason =
                format!("more than the {ratio} that makes a round, so one would follow another{whose}");
            self.found.error(&rearm.place, reason, "use half of that, or leave it out");
        }
        confidence
    }

    pub(super) fn settle(&mut self, layers: &Layers<'_>, heartbeat: Span, deviates: bool) -> Span {
        let set = layers.rule("settle", |p| p.settle.as_ref());
        let settle = on(&set, Span::ZERO);
        let whose = layers.whose(&set.place);
        if settle > Span::ZERO && deviates && heartbeat > Span::ZERO && settle >= heartbeat {
            let reason =
                format!("the heartbeat of {heartbeat} always comes first, so no deviation could fire{whose}");
            self.found.error(&set.place, reason, "use a few seconds, or \"off\"");
        }
        if settle > Span::ZERO && set.own && !deviates {
            self.found.warn(&set.place, "there is no deviation to settle", "leave it out, or set deviation");
        }
        settle
    }

    pub(super) fn confirm(&mut self, layers: &Layers<'_>, deviates: bool) -> Confirm {
        let ticks = layers.rule("confirm.ticks", |p| p.confirm.as_ref()?.ticks.as_ref());
        let bypass = layers.rule("confirm.bypass", |p| p.confirm.as_ref()?.bypass.as_ref());
        let confirm = Confirm { ticks: ticks.value.unwrap_or(0), bypass: self.multiple(layers, &bypass) };
        if ticks.own && confirm.ticks > 1 && !deviates {
            self.found.warn(
                &ticks.place,
                "there is no deviation to confirm",
                "leave it out, or set deviation",
            );
        }
        if bypass.own && confirm.ticks < 2 {
            self.found.warn(
                &bypass.place,
                "there is nothing to bypass",
                "leave it out, or set confirm.ticks",
            );
        }
        confirm
    }

    pub(super) fn pace(&mut self, layers: &Layers<'_>, heartbeat: Span, deviates: bool) -> Pace {
        let set = layers.rule("min_interval", |p| p.min_interval.as_ref());
        let bypass = layers.rule("min_interval_bypass", |p| p.min_interval_bypass.as_ref());
        let min_interval = on(&set, Span::ZERO);
        let pace = Pace { min_interval, bypass: self.multiple(layers, &bypass) };
        if bypass.own && min_interval == Span::ZERO {
            let hint = "leave it out, or set min_interval";
            self.found.warn(&bypass.place, "there is no interval to bypass", hint);
        }
        if min_interval == Span::ZERO {
            return pace;
        }
        if set.own && !deviates {
            self.found.warn(&set.place, "there is no deviation that waits", "leave it out, or set deviation");
        }
        if deviates && heartbeat > Span::ZERO && min_interval >= heartbeat {
            let whose = layers.whose(&set.place);
            let reason =
                format!("the heartbeat of {heartbeat} always comes first, so no deviation could fire");
            let hint = format!("use less than {heartbeat}, or \"off\"");
            match pace.bypass == Ratio::default() {
                true => self.found.error(&set.place, reason + &whose, hint),
                false => {
                    let reason = reason + " but those that bypass it" + &whose;
                    self.found.warn(&set.place, reason, hint);
                }
            }
        }
        pace
    }

    /// So many thresholds; zero if it is off.
    fn multiple(&mut self, layers: &Layers<'_>, set: &Set<Rule<Multiple>>) -> Ratio {
        let Some(Rule::On(Multiple(times))) = set.value else { return Ratio::default() };
        if times <= Ratio::ONE {
            let reason = format!("every deviation reaches its threshold once{}", layers.whose(&set.place));
            self.found.error(&set.place, reason, "use more, e.g. \"3x\", or \"off\"");
        }
        times
    }
}
