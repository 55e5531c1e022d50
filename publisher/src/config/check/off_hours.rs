//! The sources that a feed has while its market asks for others.

use super::values::distinct;
use super::venues::Venues;
use super::{Check, Layers};
use crate::config::keys::Feed as RawFeed;
use publisher_core::aggregate::Rules;
use publisher_core::book::{Path, Pricing};
use publisher_core::policy::{Conduct, Policy, Status};

impl Check<'_> {
    /// How a value is made of them: by the rules of the feed's other sources, but for what depends on how many there are.
    pub(super) fn off_hours(
        &mut self,
        raw: &RawFeed,
        layers: &Layers<'_>,
        (mut paths, main): (Vec<Path>, &Pricing),
        policy: &Policy,
        venues: &Venues,
    ) -> Pricing {
        let layers = Layers { list: "off_hours_sources", ..layers.clone() };
        let weighting = self.weigh(&layers, &mut paths, &main.paths);
        let quorum = self.quorum(&layers, distinct(&paths));
        let max_age = self.max_age(&layers, &paths, venues);
        if let Some(list) = &raw.off_hours_sources {
            let place = &list.place;
            let is_in = |path: &Path, of: &[Path]| {
                of.iter().any(|other| (&other.market, &other.via) == (&path.market, &path.via))
            };
            if paths.iter().all(|path| is_in(path, &main.paths))
                && main.paths.iter().all(|path| is_in(path, &paths))
            {
                let hint = "name the markets that trade meanwhile, or drop it and say \"normal\"";
                self.found.error(place, "the same as sources, so nothing would switch", hint);
            }
            if !is_asked_for(policy) {
                let reason = "nothing asks for them";
                let hint = "say policy.on_market.closed = \"switch_source\", with a calendar, or drop it";
                self.found.error(place, reason, hint);
            }
        }
        let rules = Rules { quorum, weighting, ..main.rules };
        Pricing { paths, rules, max_age, reference: main.reference.clone(), constant: None }
    }
}

/// Whether there is a status of the feed's market that switches to them, of those that it can have.
fn is_asked_for(policy: &Policy) -> bool {
    policy.market.as_ref().is_some_and(|market| {
        let mut met = market.hours.statuses().chain([Status::Halted]);
        met.any(|status| market.told(status) == Conduct::SwitchSource)
    })
}
