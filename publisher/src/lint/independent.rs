//! What looks like many voices, or like a check, and is none.

use super::rules::said;
use super::{Said, View};
use publisher_core::price::Ratio;

/// The family of what repeats exchanges (`family` of their presets).
const AGGREGATORS: &str = "aggregators";

/// Aggregators say what exchanges said, so a value that needs their vote counts somebody twice. `sources.md` §2.
pub(super) fn aggregator_counted(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        let families = value.families();
        let (all, quorum) = (families.len(), value.pricing.rules.quorum);
        let own = families.iter().filter(|family| family.as_str() != AGGREGATORS).count();
        let withstood = |families: usize| families.saturating_sub(1) / 2;
        if own == all || own == 0 || (quorum <= own && withstood(own) == withstood(all)) {
            return None;
        }
        let proof = format!(
            "aggregators repeat what exchanges say: without them {own} of {all} families are left, {} of which may lie, and the quorum is {quorum}",
            match withstood(own) {
                0 => "none".to_owned(),
                liars => liars.to_string(),
            }
        );
        said(value.key("sources"), proof, "add exchanges, so that the aggregators are one voice more and no voice that is needed")
    })
}

/// Without a breaker nothing is too large a step, if only all say it.
pub(super) fn breaker_off(view: &View<'_>) -> Vec<Said> {
    view.each(|value| {
        if value.feed?.policy.breaker.min != Ratio::default() {
            return None;
        }
        let proof = "what all sources say at once is published at once, a tenth of the price too: self_jump yields where the others agree, and no other rule knows the answer on chain".to_owned();
        said(value.key("policy.breaker"), proof, "set a breaker, e.g. breaker = \"20%\"; larger steps then wait for families that had no part in the answer on chain")
    })
}
