//! How sources and clocks stand, looked at about once a second.

use super::{Book, Change, Market, Path, Pricing, Value};
use crate::aggregate::{Aggregation, LeftOut, Verdict, median, middle};
use crate::drift::{self, ClockChange, Drift, Skew};
use crate::quote::{FeedId, VenueId};
use crate::score::Score;
use crate::standing::{Look, Standing};
use crate::time::Now;
use std::collections::BTreeSet;
use std::ops::Range;

impl Book {
    /// Looks at how every source of some of the values stands, by what it says now; what has changed. Each value is to have
    /// its turn about once a second: times are counted in looks no closer than that.
    pub fn review(&mut self, values: Range<usize>, now: Now) -> Vec<Change> {
        values.flat_map(|at| self.review_value(at, now)).collect()
    }

    fn review_value(&mut self, at: usize, now: Now) -> Vec<Change> {
        self.state += 1;
        let Some(value) = self.values.get(at) else { return Vec::new() };
        let raw = self.candidates(value, now.wall);
        let Aggregation { value, verdicts, .. } = self.judge(value, raw.clone(), now.wall);
        let center = value.ok().map(|estimate| estimate.price);
        let Self { markets, values, clocks, own_clock, .. } = self;
        let Some(Value { id, pricing, places, watches, .. }) = values.get_mut(at) else {
            return Vec::new();
        };
        let Pricing { paths, rules, .. } = pricing;
        let mut changes = Vec::new();
        let middle = middle(&raw, rules);
        let heard: Vec<bool> = watches.iter().map(|watch| watch.forbids(rules).is_none()).collect();
        for (index, (path, place)) in paths.iter().zip(&*places).enumerate() {
            let sample = raw.get(index).and_then(|candidate| candidate.sample.ok());
            let verdict = verdicts.get(index).and_then(Verdict::why);
            let agrees = center.zip(sample).map(|(center, sample)| match verdict {
                None => true,
                Some(LeftOut::Outlier) => false,
                Some(_) => !sample.price.distance(center).exceeds(rules.outlier_floor, center),
            });
            let peers =
                raw.iter().zip(&heard).filter(|(other, heard)| **heard && other.family != place.family);
            let peers = median(peers.filter_map(|(other, _)| other.sample.ok()).map(|sample| sample.price));
            // Others may be put out of the vote in this very review.
            let voting =
                places.iter().zip(&*watches).enumerate().filter(|(other, (_, watch))| {
                    *other != index && watch.standing() != Standing::Quarantined
                });
            let left: BTreeSet<_> = voting.map(|(_, (place, _))| place.family).collect();
            let market = markets.get(place.market);
            let clock = market.and_then(|market| clocks.get(market.clock));
            let look = Look {
                quote: market.and_then(Market::quote),
                // Where there is no value, it is not known who is wrong.
                verdict: verdict.filter(|why| *why != LeftOut::Outlier || center.is_some()),
                price: sample.map(|sample| sample.price),
                agrees,
                peers,
                middle,
                dispensable: left.len() >= rules.quorum,
                may_stand: path.is_steady,
                lags: own_clock.is_none()
                    && clock.is_some_and(|(_, clock)| clock.skew() == Some(Skew::Behind)),
            };
            let change = watches.get_mut(index).and_then(|watch| watch.review(&look, rules, now));
            changes.extend(change.map(|(standing, why)| Change {
                of: id.clone(),
                market: path.market.clone(),
                standing,
                why,
            }));
        }
        changes
    }

    /// Looks at the clock of every venue, and by them at our own; what has changed. As often as [`Self::review`].
    pub fn review_clocks(&mut self, now: Now) -> Vec<ClockChange> {
        self.state += 1;
        drift::review(&mut self.clocks, &mut self.own_clock, now.wall)
    }

    /// By how many milliseconds our wall clock was set since this was asked last, below zero if back. Less than
    /// [`drift::STEP`] is not told.
    pub fn clock_step(&mut self, now: Now) -> Option<i64> {
        self.steps.look(now)
    }

    /// Every venue whose times say something about its clock, and whether that is known to be wrong.
    pub fn clocks(&self) -> impl Iterator<Item = (&VenueId, Drift, Option<Skew>)> {
        self.clocks.iter().filter_map(|(venue, clock)| Some((venue, clock.drift()?, clock.skew())))
    }

    /// Whether this machine's clock is wrong, by what venues say.
    pub fn own_clock(&self) -> Option<Skew> {
        self.own_clock
    }

    /// How every source of a value stands, in the order of its paths.
    pub fn standings(&self, id: &FeedId) -> impl Iterator<Item = (&Path, Standing, &Score)> {
        let value = self.value(id);
        let both = value.into_iter().flat_map(|value| value.pricing.paths.iter().zip(&value.watches));
        both.map(|(path, watch)| (path, watch.standing(), watch.score()))
    }
}
