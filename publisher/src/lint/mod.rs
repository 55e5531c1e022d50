//! `publisher lint`: thresholds that can never, or must always, fire, each with its proof.
//!
//! What makes a configuration unusable or is plainly a mistake, the configuration itself says when it is read (`config`,
//! every start and every verb); how many venues have to lie or fail, `publisher check` says. Here is what needs the
//! whole of a checked configuration: one small rule each, pure, over [`Config`] alone. A rule proves what it says from
//! the configuration and the estimator's own constants; it never guesses what a market does.

mod calendar;
mod independent;
mod rules;
#[cfg(test)]
mod tests;
mod wide;

use crate::config::{Config, Feed, Problem, join};
use publisher_core::book::{Path, Pricing};
use publisher_core::price::Ratio;
use publisher_core::quote::{FamilyId, FeedId, VenueId};
use publisher_core::time::Span;
use serde::Serialize;
use std::collections::BTreeSet;

/// The interval of a source of one's own, if nobody says so.
const OWN_EVERY: Span = Span::from_s(5);
/// What comes over a socket comes about once a second.
const STREAMED: Span = Span::from_s(1);

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// A rule that does nothing, or too much: it should be corrected.
    Warning,
    /// Something to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable name of the rule: `deviation-below-unit`; `configuration` for what the configuration itself warns of.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Weight,
    /// The line of the file: of the key, of what it inherits, or of the table that it would be in.
    pub line: Option<usize>,
    /// The key: `feed."BTC-USD".policy.deviation`.
    pub path: String,
    /// Why it is so.
    pub proof: String,
    /// What to do about it.
    pub advice: String,
}

/// One rule.
struct Rule {
    id: &'static str,
    severity: Weight,
    find: fn(&View<'_>) -> Vec<Said>,
}

/// What a rule says: the key, the proof and the advice.
type Said = (String, String, String);

/// Everything that is to be found, by rule.
pub fn lint(config: &Config) -> Vec<Finding> {
    // What holds is what a backup makes of what is written.
    let mut standing = config.clone();
    for feed in standing.feeds.values_mut() {
        feed.policy = feed.policy.clone().as_backup();
    }
    let view = View { config: &standing, written: config };
    let of_config = |problem: &Problem| Finding {
        rule: "configuration",
        severity: Weight::Warning,
        line: problem.line,
        path: problem.path.clone(),
        proof: problem.reason.clone(),
        advice: problem.hint.clone(),
    };
    let warned = config.warnings.problems.iter().map(of_config);
    let of_rules = rules::RULES.iter().flat_map(|rule| {
        (rule.find)(&view).into_iter().map(|(path, proof, advice)| Finding {
            rule: rule.id,
            severity: rule.severity,
            line: config.line_of(&path),
            path,
            proof,
            advice,
        })
    });
    warned.chain(of_rules).collect()
}

/// A checked configuration, as rules look at it.
struct View<'a> {
    /// With the policies that hold.
    config: &'a Config,
    /// As it is written.
    written: &'a Config,
}

/// A feed or a rate.
struct Value<'a> {
    id: &'a FeedId,
    /// Its table: `feed."BTC-USD"`.
    table: String,
    pricing: &'a Pricing,
    feed: Option<&'a Feed>,
    /// The key of its sources.
    list: &'static str,
}

impl<'a> View<'a> {
    /// Every feed and rate.
    fn values(&self) -> impl Iterator<Item = Value<'a>> {
        let feeds = self.config.feeds.iter().map(|(id, feed)| Value {
            id,
            table: join("feed", id.as_str()),
            pricing: &feed.pricing,
            feed: Some(feed),
            list: "sources",
        });
        // A constant has no sources to say anything of.
        let quoted = self.config.rates.iter().filter(|(_, pricing)| pricing.constant.is_none());
        let rates = quoted.map(|(id, pricing)| Value {
            id,
            table: join("rate", id.as_str()),
            pricing,
            feed: None,
            list: "sources",
        });
        feeds.chain(rates)
    }

    /// What a rule says of each feed and rate, and of a feed's sources of off hours, where that is something else. A rule
    /// about policies finds none with those.
    fn each(&self, rule: impl Fn(&Value<'a>) -> Option<Said>) -> Vec<Said> {
        let both = |value: Value<'a>| {
            let said = rule(&value);
            let off_hours = value.feed.and_then(|feed| feed.off_hours.as_ref());
            let other = off_hours
                .and_then(|pricing| rule(&Value { pricing, feed: None, list: "off_hours_sources", ..value }));
            let other = other.filter(|other| said.as_ref() != Some(other));
            let other =
                other.map(|(path, proof, advice)| (path, format!("off_hours_sources: {proof}"), advice));
            said.into_iter().chain(other)
        };
        self.values().flat_map(both).collect()
    }

    /// Whether a feed's thresholds are larger than those that are written, because it is a backup's.
    fn is_multiplied(&self, value: &Value<'_>) -> bool {
        self.written.feeds.get(value.id).is_some_and(|feed| feed.policy.backup.coefficient > Ratio::ONE)
    }

    /// Whether a rate that converts a source, or a source of such a rate, has a peg.
    fn rests_on_peg(&self, pricing: &Pricing) -> bool {
        let rates = pricing.paths.iter().flat_map(|path| path.via.rates());
        rates
            .filter_map(|rate| self.pricing(rate))
            .any(|rate| rate.rules.peg.is_some() || self.rests_on_peg(rate))
    }

    fn pricing(&self, id: &FeedId) -> Option<&'a Pricing> {
        let feed = self.config.feeds.get(id).map(|feed| &feed.pricing);
        feed.or_else(|| self.config.rates.get(id))
    }

    /// How far apart two quotes of a source are at most, while all is well.
    fn every(&self, venue: &VenueId) -> Span {
        if let Some(ask) = self.config.venues.get(venue) {
            let polled = ask.spec.every.unwrap_or(ask.preset.every());
            return if self.is_streamed(venue) { polled.min(STREAMED) } else { polled };
        }
        let own = self.config.sources.get(venue).map(|source| source.every.unwrap_or(OWN_EVERY));
        let networks = self.config.networks.values();
        let network =
            networks.filter(|n| n.sources.iter().any(|source| source.id == *venue)).map(|n| n.every);
        own.or(network.max()).unwrap_or_default()
    }

    fn is_streamed(&self, venue: &VenueId) -> bool {
        self.config.venues.get(venue).is_some_and(|ask| {
            let elsewhere = ask.spec.base_url.is_some() && ask.stream.url.is_none();
            ask.preset.has_stream() && !ask.stream.off && !elsewhere
        })
    }

    /// Whether a source says when its price was true.
    fn has_time(&self, venue: &VenueId) -> bool {
        match (self.config.venues.get(venue), self.config.sources.get(venue)) {
            (Some(ask), _) => {
                ask.preset.has_time() || (self.is_streamed(venue) && ask.preset.has_stream_time())
            }
            (None, Some(own)) => own.time.is_some(),
            // A contract's price is true at its block.
            (None, None) => true,
        }
    }

    /// Whether a source says how much is traded there.
    fn has_volume(&self, venue: &VenueId) -> bool {
        self.config.venues.get(venue).is_some_and(|ask| ask.preset.has_volume())
    }
}

impl Value<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.table)
    }

    fn families(&self) -> BTreeSet<&FamilyId> {
        self.families_of(|_| true)
    }

    fn families_of(&self, holds: impl Fn(&Path) -> bool) -> BTreeSet<&FamilyId> {
        self.pricing.paths.iter().filter(|path| holds(path)).map(|path| &path.family).collect()
    }
}
