//! What the venues did: requests counted, and served prices kept.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::pair::Venue;
use super::row::Row;

/// One price that went out in an answer that was delivered whole.
#[derive(Clone, Debug, Serialize)]
pub struct Served {
    /// Who served it.
    pub venue: Venue,
    /// The pair in neutral spelling, `BTC/USD`.
    pub market: String,
    /// The last price, exact, without the venue's padding zeros.
    pub price: String,
    /// The best bid.
    pub bid: String,
    /// The best ask.
    pub ask: String,
    /// The venue's own time of the quote, whether or not its format states it.
    pub quote_ms: i64,
    /// When the answer was ready, milliseconds of the Unix epoch.
    pub at_ms: i64,
    /// Number of the venue's request, from 1; equal for all prices of one answer. 0 for what was pushed.
    pub request: u64,
    /// The fault that formed the figures or their spelling, by name.
    pub fault: Option<&'static str>,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    served: VecDeque<Served>,
    served_max: usize,
    requests: BTreeMap<Venue, u64>,
}

impl Record {
    pub(crate) fn new(served_max: usize) -> Self {
        Self { served_max, ..Self::default() }
    }

    /// Counts a request and gives its number.
    pub(crate) fn request(&mut self, venue: Venue) -> u64 {
        let count = self.requests.entry(venue).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn requests(&self, venue: Venue) -> u64 {
        self.requests.get(&venue).copied().unwrap_or_default()
    }

    pub(crate) fn serve(&mut self, rows: &[Row], request: u64, at_ms: i64) {
        for row in rows {
            self.served.push_back(Served {
                venue: row.venue,
                market: row.pair.to_string(),
                price: row.last.to_string(),
                bid: row.bid.to_string(),
                ask: row.ask.to_string(),
                quote_ms: row.time_ms,
                at_ms,
                request,
                fault: row.fault,
            });
        }
        let excess = self.served.len().saturating_sub(self.served_max);
        self.served.drain(..excess);
    }

    pub(crate) fn served(&self) -> impl DoubleEndedIterator<Item = &Served> {
        self.served.iter()
    }

    pub(crate) fn forget_served(&mut self) {
        self.served.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_prices_are_forgotten_first() {
        let mut record = Record::new(3);
        for request in 1..=5_u32 {
            let row = Row::new(Venue::Okx, "BTC/USDT".parse().unwrap(), request.into(), 7);
            record.serve(&[row], request.into(), 0);
        }
        let kept: Vec<_> = record.served().map(|served| served.price.as_str()).collect();
        assert_eq!(kept, ["3", "4", "5"]);
    }
}
