//! Policies: inheritance, defaults, and rules that could never or would always fire.

use super::values::distinct;
use super::venues::Venues;
use super::{Check, Layers, SOURCES, Set};
use crate::config::leaf::{Lead, Rule};
use crate::config::problem::suggestion;
use crate::config::raw::Item;
use crate::config::weights::Weights;
use publisher_core::aggregate::{Rules, Weighting, default_quorum, has_dictator};
use publisher_core::book::{Path, Pricing};
use publisher_core::policy::{Deviation, Policy, Schedule};
use publisher_core::price::{Answer, Ratio};
use publisher_core::quote::FamilyId;
use publisher_core::time::Span;
use std::collections::{BTreeMap, BTreeSet};

const MAX_AGE: Span = Span::from_s(30);
const VOLUME_CAP_LEAST: Ratio = Ratio::from_bps(3400);
const VOLUME_CAP_MOST: Ratio = Ratio::from_bps(5000);
const LEAD_LEAST: Span = Span::from_s(2);

/// The threshold of a rule that may be inherited; zero if it is off.
pub(super) fn on<T: std::default::Default + Copy>(set: &Set<Rule<T>>, default: T) -> T {
    set.value.map_or(default, threshold)
}

/// The threshold of a rule; zero if it is off.
pub(super) fn threshold<T: std::default::Default>(rule: Rule<T>) -> T {
    match rule {
        Rule::On(value) => value,
        Rule::Off => T::default(),
    }
}

impl Check<'_> {
    /// Which quotes of a value count. `others` are its sources of off hours.
    pub(super) fn pricing(
        &mut self,
        layers: &Layers<'_>,
        paths: Option<Vec<Path>>,
        others: &[Path],
        venues: &Venues,
    ) -> Option<Pricing> {
        let mut paths = paths?;
        let weighting = self.weigh(layers, &mut paths, others);
        let quorum = self.quorum(layers, distinct(&paths));
        let rates: Vec<&str> = paths
            .iter()
            .chain(others)
            .flat_map(|path| path.via.rates())
            .map(publisher_core::quote::FeedId::as_str)
            .collect();
        let drop_depegged = self.drops_depegged(layers, &rates);
        let rules = Rules { quorum, weighting, drop_depegged, ..self.gates(layers) };
        let max_age = self.max_age(layers, &paths, venues);
        Some(Pricing { paths, rules, max_age, reference: None, constant: None })
    }

    /// What the votes of families count. The same table may weigh the families of `others`.
    pub(super) fn weigh(&mut self, layers: &Layers<'_>, paths: &mut [Path], others: &[Path]) -> Weighting {
        let [own, base] = layers.gates.map(|gates| gates.and_then(|gates| gates.weights.as_ref()));
        let Some(Item { value, place }) = own.or(base) else { return Weighting::Fixed };
        let weights = match value {
            Weights::Equal => return Weighting::Fixed,
            Weights::Volume => return Weighting::Volume,
            Weights::Fixed(weights) => weights,
        };
        let whose = layers.whose(place);
        let families: BTreeSet<String> = paths.iter().map(|path| path.family.to_string()).collect();
        let is_other = |name: &String| others.iter().any(|path| path.family.as_str() == name);
        let is_nobody = |name: &&String| !families.contains(*name) && !is_other(name);
        let is_told = own.is_some() && layers.list == SOURCES;
        for family in weights.keys().filter(|name| is_told && is_nobody(name)) {
            let hint = suggestion(family, families.iter().map(String::as_str));
            self.found.error(place, format!("{family} is none of its families"), hint);
        }
        for family in families.iter().filter(|name| !weights.contains_key(*name)) {
            self.found.error(place, format!("says nothing of {family}{whose}"), "weigh every family");
        }
        for path in &mut *paths {
            path.weight = weights.get(path.family.as_str()).copied().unwrap_or(1);
        }
        let counted: BTreeMap<&FamilyId, u64> =
            paths.iter().map(|path| (&path.family, path.weight.into())).collect();
        if has_dictator(&counted.values().copied().collect::<Vec<_>>()) {
            let reason = format!("one family has half of the weight, so it alone would say the value{whose}");
            self.found.error(place, reason, "give every family less than all others together");
        }
        Weighting::Fixed
    }

    pub(super) fn quorum(&mut self, layers: &Layers<'_>, families: usize) -> usize {
        let set = layers.gate("quorum", |g| g.quorum.as_ref());
        let single = layers.gate("allow_single_source", |g| g.allow_single_source.as_ref());
        let default = default_quorum(families);
        let quorum = set.value.unwrap_or(default);
        let whose = layers.whose(&set.place);
        if quorum > families {
            let reason = format!("more than its {families} families, so there would never be a value{whose}");
            let hint = format!("use at most {families}, or leave it out for {default}");
            self.found.error(&set.place, reason, hint);
        } else if quorum == 0 {
            self.found.error(&set.place, format!("a quorum of nobody{whose}"), "leave it out for a majority");
        } else if quorum == 1 && single.value != Some(true) {
            let reason = format!("a single source could say anything{whose}");
            let hint = "name venues that do not depend on each other, or add allow_single_source = true";
            self.found.error(&set.place, reason, hint);
        } else if quorum < default && families > 1 {
            let reason = format!("{quorum} of {families} families is below the usual {default}{whose}");
            self.found.warn(&set.place, reason, "raise it, or leave it out");
        }
        if families == 2 && quorum == 2 {
            let place = layers.place.missing(layers.list);
            let reason = "with two families, one that is silent stops it";
            self.found.warn(&place, reason, "add venues; five survive two silent ones");
        }
        quorum
    }

    fn gates(&mut self, layers: &Layers<'_>) -> Rules {
        let default = if layers.is_stable { Rules::of_stable(0) } else { Rules::of(0) };
        let floor = layers.gate("outlier_floor", |g| g.outlier_floor.as_ref());
        let spread = layers.gate("refuse_spread", |g| g.refuse_spread.as_ref());
        let outlier_floor = floor.value.unwrap_or(default.outlier_floor);
        let refuse_spread = on(&spread, default.refuse_spread);
        if outlier_floor == Ratio::default() {
            let reason = "venues never agree to the last digit, so nearly all would be left out";
            self.found.error(
                &floor.place,
                reason,
                "use more than the usual spread between venues, e.g. \"0.5%\"",
            );
        }
        if refuse_spread != Ratio::default() && refuse_spread < outlier_floor {
            let place = if spread.value.is_some() { &spread.place } else { &floor.place };
            let reason = format!(
                "a venue between {refuse_spread} and {outlier_floor} stops it instead of being left out"
            );
            self.found.warn(place, reason, "let refuse_spread be larger than outlier_floor");
        }
        let path_tolerance = layers.gate("path_tolerance", |g| g.path_tolerance.as_ref());
        let path_refuse = layers.gate("path_refuse", |g| g.path_refuse.as_ref());
        let (tolerance, refuse) =
            (path_tolerance.value.unwrap_or(default.path_tolerance), on(&path_refuse, default.path_refuse));
        if refuse != Ratio::default() && refuse <= tolerance {
            let place = if path_refuse.value.is_some() { &path_refuse.place } else { &path_tolerance.place };
            let reason = format!("what is tolerated, {tolerance}, would be refused{}", layers.whose(place));
            self.found.error(place, reason, "let path_refuse be larger than path_tolerance");
        }
        Rules {
            volume_cap: self.volume_cap(layers),
            max_spread: on(&layers.gate("max_spread", |g| g.max_spread.as_ref()), default.max_spread),
            min_volume: on(&layers.gate("min_volume", |g| g.min_volume.as_ref()), default.min_volume),
            self_jump: on(&layers.gate("self_jump", |g| g.self_jump.as_ref()), default.self_jump),
            frozen: on(&layers.gate("frozen", |g| g.frozen.as_ref()), default.frozen),
            quarantine: on(&layers.gate("quarantine", |g| g.quarantine.as_ref()), default.quarantine),
            outlier_floor,
            refuse_spread,
            path_tolerance: tolerance,
            path_refuse: refuse,
            ..default
        }
    }

    fn volume_cap(&mut self, layers: &Layers<'_>) -> Ratio {
        let set = layers.gate("volume_cap", |g| g.volume_cap.as_ref());
        let cap = set.value.unwrap_or(Rules::of(0).volume_cap);
        if cap < VOLUME_CAP_LEAST || cap >= VOLUME_CAP_MOST {
            let reason = format!("{cap} of the weight{}", layers.whose(&set.place));
            let hint = "use 34% or more, which three families can keep to, and less than half, or one could say the value";
            self.found.error(&set.place, reason, hint);
        }
        cap
    }

    pub(super) fn max_age(&mut self, layers: &Layers<'_>, paths: &[Path], venues: &Venues) -> Span {
        let set = layers.gate("max_age", |g| g.max_age.as_ref());
        let max_age = set.value.unwrap_or(MAX_AGE);
        for (age, venue) in paths.iter().filter_map(|path| {
            let venue = &path.market.venue;
            Some((venues.age(venue)?, venue))
        }) {
            if max_age <= age {
                let whose = layers.whose(&set.place);
                let reason = format!("{venue} is a mean that is {age} old by its nature{whose}");
                let hint = "use more, or let a rate of its own read it, as a feed's reference";
                self.found.error(&set.place, reason, hint);
            }
        }
        for venue in paths.iter().map(|path| &path.market.venue).collect::<BTreeSet<_>>() {
            venues.note_age(venue, max_age, &set.place, layers.whose(&set.place));
        }
        let slowest = paths.iter().filter_map(|path| {
            let venue = &path.market.venue;
            Some((venues.every(venue)?, venue))
        });
        if let Some((every, venue)) = slowest.max() {
            let whose = layers.whose(&set.place);
            if max_age < every {
                let reason =
                    format!("{venue} is asked every {every} only, so its quotes would be stale{whose}");
                self.found.error(&set.place, reason, format!("use more than {every}, or ask it more often"));
            } else if max_age < every.times(2) {
                let reason =
                    format!("{venue} is asked every {every}, so one lost answer makes it stale{whose}");
                self.found.warn(&set.place, reason, format!("use {} or more", every.times(2)));
            }
        }
        max_age
    }

    /// When a feed is published.
    pub(super) fn policy(
        &mut self,
        layers: &Layers<'_>,
        decimals: Option<u8>,
        bounds: Option<(Answer, Answer)>,
        block_time: Option<Span>,
        max_age: Option<Span>,
    ) -> Option<Policy> {
        let configured = on(&layers.rule("heartbeat", |p| p.heartbeat.as_ref()), Span::ZERO);
        let (backup, heartbeat) = self.backup(layers, configured, block_time);
        let deviation = self.deviation(layers, heartbeat, decimals);
        if let Some(deviation) = &deviation {
            self.backs_up(layers, backup, deviation);
        }
        let deviates = deviation.as_ref().is_none_or(Deviation::is_on);
        let crons = layers.rule("cron", |p| p.cron.as_ref()).value;
        let schedule = Schedule { slots: crons.map(|crons| crons.0).unwrap_or_default(), seed: 0 };
        let confidence = self.confidence(layers);
        let unsure = confidence.ratio > Ratio::default();
        if heartbeat == Span::ZERO && !deviates && !unsure && schedule.slots.is_empty() {
            let place = layers.place.missing("policy");
            let hint = "set heartbeat, deviation, deviation_abs, on_change, confidence_ratio or cron, here or in [defaults.policy]";
            let unknown =
                [place.path.as_str(), "defaults"].iter().any(|path| self.found.has_error_below(path));
            if !unknown {
                self.found.error(&place, "no rule could ever publish a second round", hint);
            }
        }
        self.heartbeat(layers, configured, block_time, max_age);
        let heartbeat_lead = self.lead(layers, heartbeat, block_time);
        let settle = self.settle(layers, heartbeat, deviates);
        let confirm = self.confirm(layers, deviates);
        let pace = self.pace(layers, heartbeat, deviates || unsure);
        let relative = deviation.as_ref().map(|deviation| deviation.relative).unwrap_or_default();
        let breaker = self.breaker(layers, heartbeat, relative.scaled(backup.coefficient));
        let accepts = layers.rule("accept_deviation", |p| p.accept_deviation.as_ref());
        let accept_deviation = on(&accepts, Ratio::default());
        if accept_deviation.ppb() > 0 && accept_deviation < relative {
            let reason = format!(
                "less than the deviation of {relative} that makes a round{}",
                layers.whose(&accepts.place)
            );
            self.found.warn(
                &accepts.place,
                reason,
                format!("use {relative} or more; each replacement costs a higher fee"),
            );
        }
        let hibernate_flag = layers.rule("hibernate_flag", |p| p.hibernate_flag.as_ref()).value;
        let depeg_heartbeat = self.depeg_heartbeat(layers, block_time);
        let standby = self.standby(layers, heartbeat, block_time);
        let market = self.market(layers, heartbeat);
        let (min_answer, max_answer) = bounds?;
        Some(Policy {
            heartbeat: configured,
            heartbeat_lead: heartbeat_lead?,
            schedule,
            deviation: deviation?,
            confidence,
            settle,
            confirm,
            pace,
            breaker,
            market,
            accept_deviation,
            standby,
            backup,
            hibernate_flag,
            depeg_heartbeat,
            ..Policy::within(min_answer, max_answer)
        })
    }

    fn heartbeat(
        &mut self,
        layers: &Layers<'_>,
        heartbeat: Span,
        block: Option<Span>,
        max_age: Option<Span>,
    ) {
        let place = layers.rule("heartbeat", |p| p.heartbeat.as_ref()).place;
        let whose = layers.whose(&place);
        if heartbeat == Span::ZERO {
            return;
        }
        if let Some(block) = block.filter(|block| heartbeat < block.times(2)) {
            let reason = format!("blocks take {block}, so it would always be due{whose}");
            self.found.error(&place, reason, format!("use {} or more", block.times(2)));
        }
        if let Some(age) = max_age.filter(|age| *age >= heartbeat) {
            let reason = format!(
                "a quote may be {age} old (max_age), so a heartbeat could repeat the last one{whose}"
            );
            self.found.warn(&place, reason, format!("use a max_age below {heartbeat}"));
        }
    }

    fn lead(&mut self, layers: &Layers<'_>, heartbeat: Span, block: Option<Span>) -> Option<Span> {
        let set = layers.rule("heartbeat_lead", |p| p.heartbeat_lead.as_ref());
        let block = block?;
        let Some(Lead::Fixed(lead)) = set.value else {
            return Some(block.times(2).max(LEAD_LEAST).min(Span::from_ms(heartbeat.ms() / 4)));
        };
        let whose = layers.whose(&set.place);
        if heartbeat == Span::ZERO {
            if set.own {
                self.found.warn(&set.place, "there is no heartbeat", "leave it out, or set heartbeat");
            }
        } else if lead >= heartbeat {
            let reason =
                format!("not shorter than the heartbeat of {heartbeat}, so it would always be due{whose}");
            self.found.error(&set.place, reason, "use a few blocks, or \"auto\"");
        } else if lead < block {
            let reason = format!("shorter than a block of {block}, so heartbeats come late{whose}");
            self.found.warn(&set.place, reason, format!("use {} or more, or \"auto\"", block.times(2)));
        }
        Some(lead)
    }

    fn standby(&mut self, layers: &Layers<'_>, heartbeat: Span, block: Option<Span>) -> Span {
        let set = layers.rule("standby", |p| p.standby.as_ref());
        let standby = on(&set, Span::ZERO);
        let whose = layers.whose(&set.place);
        if standby == Span::ZERO {
            return standby;
        }
        if let Some(block) = block.filter(|block| standby < block.times(3)) {
            let reason = format!("blocks take {block}, so it would race its primary for every round{whose}");
            self.found.error(&set.place, reason, format!("use {} or more", block.times(3)));
        }
        if heartbeat > Span::ZERO && standby >= heartbeat {
            let reason = format!(
                "without its primary, a heartbeat of {heartbeat} would come after two of them{whose}"
            );
            self.found.warn(&set.place, reason, format!("use less than {heartbeat}"));
        }
        standby
    }
}
