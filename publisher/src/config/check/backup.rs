//! A backup: that it does not act before the publisher that it stands in for, and still acts.

use super::policy::on;
use super::{Check, Layers};
use crate::config::leaf::Multiple;
use crate::config::shift::Shift;
use publisher_core::policy::{Backup, Deviation};
use publisher_core::price::Ratio;
use publisher_core::time::Span;

/// Thresholds are no more than so many times as large: what is meant by more is a policy without a deviation.
const COEFFICIENT_MAX: u64 = 1_000;

impl Check<'_> {
    /// How a feed's policy differs for a backup, and the heartbeat that it then has.
    pub(super) fn backup(
        &mut self,
        layers: &Layers<'_>,
        heartbeat: Span,
        block: Option<Span>,
    ) -> (Backup, Span) {
        let set = layers
            .rule("backup.deviation_coefficient", |p| p.backup.as_ref()?.deviation_coefficient.as_ref());
        let Multiple(coefficient) = set.value.unwrap_or(Multiple(Ratio::ONE));
        if coefficient < Ratio::ONE || coefficient > Ratio::from_ppb(Ratio::ONE.ppb() * COEFFICIENT_MAX) {
            let reason = format!(
                "thresholds would be less than those of its primary, or never reached{}",
                layers.whose(&set.place)
            );
            let hint = format!("use 1x to {COEFFICIENT_MAX}x, e.g. \"2x\"");
            self.found.error(&set.place, reason, hint);
        }
        let set =
            layers.rule("backup.heartbeat_modifier", |p| p.backup.as_ref()?.heartbeat_modifier.as_ref());
        let Shift(heartbeat_modifier_ms) = set.value.unwrap_or_default();
        let history =
            layers.rule("backup.require_historical", |p| p.backup.as_ref()?.require_historical.as_ref());
        let historical = on(&history, Span::ZERO);
        let backup = Backup { coefficient, heartbeat_modifier_ms, historical };
        let modified = backup.heartbeat(heartbeat);
        if heartbeat == Span::ZERO {
            if set.own && heartbeat_modifier_ms != 0 {
                let hint = "leave it out, or set heartbeat";
                self.found.warn(&set.place, "there is no heartbeat to modify", hint);
            }
        } else if let Some(block) =
            block.filter(|block| modified < block.times(2) && heartbeat >= block.times(2))
        {
            let whose = layers.whose(&set.place);
            let reason = format!(
                "of a heartbeat of {heartbeat} it leaves less than two blocks of {block}, so it would always be due{whose}"
            );
            self.found.error(&set.place, reason, format!("leave {} or more of it", block.times(2)));
        }
        if historical > Span::ZERO && modified > Span::ZERO && historical >= modified {
            let whose = layers.whose(&history.place);
            let reason = format!(
                "no answer is older than the heartbeat of {modified}, so a deviation from it that is as old as this comes too late{whose}"
            );
            self.found.warn(&history.place, reason, format!("use less than {modified}, or \"off\""));
        }
        (backup, modified)
    }

    /// That what a backup asks of deviations is asked of any.
    pub(super) fn backs_up(&mut self, layers: &Layers<'_>, backup: Backup, deviation: &Deviation) {
        let set = layers
            .rule("backup.deviation_coefficient", |p| p.backup.as_ref()?.deviation_coefficient.as_ref());
        let has_threshold = deviation.relative > Ratio::default() || !deviation.absolute.is_zero();
        if set.own && backup.coefficient > Ratio::ONE && (!has_threshold || deviation.on_change) {
            let reason = match deviation.on_change {
                true => "any difference makes a round (on_change), however large the thresholds are",
                false => "there is no threshold to multiply",
            };
            self.found.warn(&set.place, reason, "leave it out, or use deviation alone");
        }
        let history =
            layers.rule("backup.require_historical", |p| p.backup.as_ref()?.require_historical.as_ref());
        if history.own && backup.historical > Span::ZERO && !deviation.is_on() {
            let hint = "leave it out, or set deviation";
            self.found.warn(&history.place, "there is no deviation that it could hold back", hint);
        }
    }
}
