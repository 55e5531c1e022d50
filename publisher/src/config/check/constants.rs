//! Constants: values that are spelled out, with a word why and a day on which they end.

use super::Check;
use crate::config::problem::Place;
use publisher_core::aggregate::Rules;
use publisher_core::book::Pricing;
use publisher_core::constant::Constant;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use std::collections::BTreeMap;

impl Check<'_> {
    /// Every constant as a rate that has no sources.
    pub(super) fn constants(&mut self) -> BTreeMap<FeedId, Pricing> {
        let mut constants = BTreeMap::new();
        for (name, raw) in &self.root.constant {
            let taken = self.root.feed.get(name).map(|feed| &feed.place);
            let taken: Option<&Place> = taken.or_else(|| self.root.rate.get(name).map(|rate| &rate.place));
            if let Some(other) = taken {
                let reason = format!("{} has this name already", other.path);
                self.found.error(&raw.place, reason, "choose another name, or drop one of them");
            }
            let (Some(value), Some(comment), Some(expires)) = (&raw.value, &raw.comment, &raw.expires) else {
                continue;
            };
            if !value.value.is_positive() {
                self.found.error(
                    &value.place,
                    "nothing is worth nothing",
                    "use what the rate is, e.g. \"1\"",
                );
            }
            if comment.value.trim().is_empty() {
                let hint = "say why it may be taken as this, and who said so";
                self.found.error(&comment.place, "a constant without a reason", hint);
            }
            let constant = Constant { value: value.value, until: expires.value.at };
            let pricing = Pricing {
                paths: Vec::new(),
                rules: Rules::of(0),
                max_age: Span::ZERO,
                reference: None,
                constant: Some(constant),
            };
            constants.insert(FeedId::new(name), pricing);
        }
        constants
    }
}
