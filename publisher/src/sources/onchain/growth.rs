//! How a share's price may move: it never falls by much, and it grows slowly.
//!
//! A vault's share price jumps when somebody gives it assets, or when its books are wrong; neither is income. What was
//! believed before is kept in memory only, so that a restart believes the first price it reads.

use super::Trouble;
use publisher_core::price::{Price, Ratio};
use publisher_core::time::{Span, Wall};

const DAY: Span = Span::from_s(86_400);

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// It may be so far below the last price that was believed: fees and roundings, not a loss.
    pub max_decrease: Ratio,
    /// It may rise by so much within a day.
    pub max_growth: Ratio,
}

/// What was believed.
#[derive(Debug, Default)]
pub(super) struct Believed {
    last: Option<Price>,
    /// What growth is measured from: a price, and when it was true. A day old at most while prices are believed.
    base: Option<(Price, Wall)>,
}

impl Believed {
    /// Believes a price, or says why not.
    pub(super) fn take(&mut self, price: Price, at: Wall, limits: Growth) -> Result<Price, Trouble> {
        if let Some(last) = self.last
            && price < last
            && last.distance(price) > last.share(limits.max_decrease)
        {
            let detail = format!(
                "fell from {last} to {price}, by more than max_decrease = {} (restart to believe it)",
                limits.max_decrease
            );
            return Err(Trouble::refused(detail));
        }
        if let Some((base, since)) = self.base {
            // What a day without us allowed is not lost: a second day allows the same again.
            let days = at.since(since).ms().div_ceil(DAY.ms()).max(1);
            let allowed = Ratio::from_ppb(limits.max_growth.ppb().saturating_mul(days));
            if price > base && price.distance(base) > base.share(allowed) {
                let detail = format!(
                    "rose from {base} to {price}, by more than max_growth = {} a day (restart to believe it)",
                    limits.max_growth
                );
                return Err(Trouble::refused(detail));
            }
        }
        if self.base.is_none_or(|(_, since)| at.since(since) >= DAY) {
            self.base = Some((price, at));
        }
        self.last = Some(price);
        Ok(price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Growth = Growth { max_decrease: Ratio::from_bps(10), max_growth: Ratio::from_bps(100) };

    fn believed(prices: &[(u64, &str)]) -> Vec<bool> {
        let mut memory = Believed::default();
        let take = |(hour, price): &(u64, &str)| {
            memory.take(price.parse().unwrap(), Wall::from_s(hour * 3600), LIMITS).is_ok()
        };
        prices.iter().map(take).collect()
    }

    #[test]
    fn a_gift_to_a_vault_and_a_loss_are_not_believed_and_income_is() {
        // A gift: nothing of it is believed within the day, however it is cut.
        assert_eq!(
            believed(&[(0, "1"), (1, "1.005"), (2, "1.0101"), (3, "1.01")]),
            [true, true, false, true]
        );
        // A loss, and a rounding.
        assert_eq!(believed(&[(0, "1"), (1, "0.998"), (2, "0.999")]), [true, false, true]);
        // A step once a day, and three days' worth after three days of silence.
        assert_eq!(
            believed(&[(0, "1"), (24, "1.01"), (48, "1.02"), (120, "1.05")]),
            [true, true, true, true]
        );
        assert_eq!(believed(&[(0, "1"), (72, "1.0301"), (73, "1.0301")]), [true, false, true]);
        // The clock of a chain does not go back; if it does, nothing is gained.
        assert_eq!(believed(&[(48, "1"), (0, "1.02")]), [true, false]);
    }
}
