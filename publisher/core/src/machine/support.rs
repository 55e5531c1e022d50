//! Who stands behind a value: which families of venues, whether they had a part in the answer on chain, and whether they agree.

use super::Machine;
use super::feed::Feed;
use crate::aggregate::Aggregation;
use crate::policy::Support;
use crate::price::{Price, Ratio};
use crate::quote::{FamilyId, FeedId};
use crate::time::Now;
use crate::tx::Entry;
use std::collections::BTreeSet;

/// Sources that are no further apart than this agree.
const AGREEMENT: Ratio = Ratio::from_bps(100);

impl Machine {
    /// The sources that count in a value: the family of each, and its price.
    fn voices<'a>(
        &'a self,
        set: &FeedId,
        aggregation: &'a Aggregation,
    ) -> impl Iterator<Item = (&'a FamilyId, Price)> {
        let verdicts = aggregation.verdicts.iter();
        let paths =
            self.book.paths(set).iter().zip(verdicts).filter(|(_, verdict)| verdict.no_vote.is_none());
        paths.filter_map(|(path, verdict)| Some((&path.family, verdict.price?)))
    }

    /// Who stands behind a feed's value. It matters, and is looked at, only while its breaker is open.
    pub(super) fn support(&self, id: &FeedId, aggregation: &Aggregation) -> Support {
        let (Some(feed), Ok(estimate)) = (self.feeds.get(id), &aggregation.value) else {
            return Support::default();
        };
        if !feed.memory.is_open() {
            return Support::default();
        }
        let of_answer = feed
            .backers
            .as_ref()
            .filter(|(answer, _)| feed.known.is_some_and(|known| known.answer == *answer));
        let set = &feed.set(id);
        let families: BTreeSet<&FamilyId> = self.voices(set, aggregation).map(|(family, _)| family).collect();
        let others = |before: &BTreeSet<FamilyId>| {
            let is_new = |family: &&&FamilyId| !before.contains(**family);
            families.iter().filter(is_new).count()
        };
        let independent = of_answer.map_or(0, |(_, before)| others(before));
        let prices = || self.voices(set, aggregation).map(|(_, price)| price);
        let apart = prices().max().zip(prices().min()).map(|(high, low)| high.distance(low));
        let is_unanimous = apart.is_some_and(|apart| apart <= estimate.price.share(AGREEMENT));
        Support { independent, is_unanimous }
    }

    /// Remembers who stands behind an answer that is to be signed.
    pub(super) fn note_backers(&mut self, entry: &Entry, now: Now) {
        // While the market is closed nobody stands behind what is repeated.
        let corroborates = |feed: &Feed| feed.policy.breaker.corroborate > 0 && feed.policy.conduct.is_live();
        let Some(feed) = self.feeds.get(&entry.feed).filter(|feed| corroborates(feed)) else { return };
        let set = feed.set(&entry.feed);
        let aggregation = self.book.evaluate(&set, now.wall);
        let families = self.voices(&set, &aggregation).map(|(family, _)| family.clone()).collect();
        if let Some(feed) = self.feeds.get_mut(&entry.feed) {
            feed.backers = Some((entry.answer, families));
        }
    }
}
