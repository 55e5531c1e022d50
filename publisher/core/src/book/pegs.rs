//! Which rates have lost their peg, and what rests on them.

use super::Book;
use crate::peg::Peg;
use crate::price::Price;
use crate::quote::FeedId;
use crate::time::Now;

/// A peg that was lost, or is had again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PegChange {
    /// The rate.
    pub rate: FeedId,
    /// Whether it is lost now.
    pub lost: bool,
    /// What the rate is.
    pub price: Price,
}

impl Book {
    /// Looks at every rate that has a peg; what has changed. A peg that was lost before a restart is found lost again
    /// after as many looks as at first.
    pub fn review_pegs(&mut self, now: Now) -> Vec<PegChange> {
        self.state += 1;
        let pegged =
            self.values.iter().filter_map(|value| Some((value.id.clone(), value.pricing.rules.peg?)));
        let looks: Vec<_> =
            pegged.map(|(id, peg)| (self.evaluate(&id, now.wall).value.ok(), id, peg)).collect();
        let mut changes = Vec::new();
        for (value, rate, peg) in looks {
            let Some(known) = self.value_mut(&rate).map(|of| &mut of.pegged) else { continue };
            if known.see(&peg, value.as_ref(), now) {
                let (lost, price) = (known.is_lost(), value.map(|value| value.price).unwrap_or_default());
                changes.push(PegChange { rate, lost, price });
            }
        }
        changes
    }

    /// Every rate that has a peg, and whether it is lost.
    pub fn pegs(&self) -> impl Iterator<Item = (&FeedId, &Peg, bool)> {
        self.values
            .iter()
            .filter_map(|value| Some((&value.id, value.pricing.rules.peg.as_ref()?, value.pegged.is_lost())))
    }

    /// Whether this rate has lost its peg.
    pub fn has_lost_peg(&self, rate: &FeedId) -> bool {
        self.value(rate).is_some_and(|value| value.pegged.is_lost())
    }

    /// Whether a rate that converts a source of this value, or of such a rate, has lost its peg.
    pub fn rests_on_lost_peg(&self, id: &FeedId) -> bool {
        let mut rates = self.paths(id).iter().flat_map(|path| path.via.rates());
        rates.any(|rate| self.has_lost_peg(rate) || self.rests_on_lost_peg(rate))
    }
}
