//! What waits for the machine: bounded, the chain first, quotes coalesced.
//!
//! A poll of a venue covers all its markets, so of two waiting polls of one venue only the newer one matters, and of
//! what a venue pushes only the newest quote of each market; which of the two transports is newer, the machine finds
//! out. Answers from chain and signer are never dropped: whoever has one waits until there is room.

use publisher_core::io::Input;
use publisher_core::quote::{Observation, VenueId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Answers that may wait.
const ANSWERS_MAX: usize = 4096;
/// Answers taken at once, so that their journal entries share one commit.
const BATCH_MAX: usize = 256;

#[derive(Debug, Default)]
struct Quotes {
    waiting: Mutex<BTreeMap<VenueId, Waiting>>,
    arrived: Notify,
}

/// What waits of one venue.
#[derive(Debug, Default)]
struct Waiting {
    polled: Vec<Observation>,
    pushed: BTreeMap<Arc<str>, Observation>,
}

/// Where inputs are put.
#[derive(Clone, Debug)]
pub struct Sender {
    answers: mpsc::Sender<Input>,
    quotes: Arc<Quotes>,
}

/// Where the driver takes them.
#[derive(Debug)]
pub struct Inbox {
    answers: mpsc::Receiver<Input>,
    quotes: Arc<Quotes>,
}

/// An empty inbox.
pub fn inbox() -> (Sender, Inbox) {
    let (sender, answers) = mpsc::channel(ANSWERS_MAX);
    let quotes = Arc::new(Quotes::default());
    (Sender { answers: sender, quotes: Arc::clone(&quotes) }, Inbox { answers, quotes })
}

impl Sender {
    /// Puts an answer; waits for room. Without a reader it is dropped: the process is ending.
    pub async fn answer(&self, input: Input) {
        let _ended = self.answers.send(input).await;
    }

    /// Puts what a venue delivered, in place of what it delivered before.
    pub fn observed(&self, venue: VenueId, observations: Vec<Observation>) {
        let mut waiting = self.quotes.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(venue).or_default().polled = observations;
        self.quotes.arrived.notify_one();
    }

    /// Puts quotes that a venue pushed, each in place of an older one of its market that still waits.
    pub fn pushed(&self, venue: &VenueId, quotes: Vec<Observation>) {
        let mut waiting = self.quotes.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_venue = waiting.entry(venue.clone()).or_default();
        for quote in quotes {
            of_venue.pushed.insert(Arc::clone(&quote.market().symbol), quote);
        }
        self.quotes.arrived.notify_one();
    }
}

impl Inbox {
    /// Waits for something; answers come first, then the newest of every venue. Safe to cancel.
    pub async fn next(&mut self) -> Vec<Input> {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            _ = self.answers.recv_many(&mut batch, BATCH_MAX) => {}
            () = self.quotes.arrived.notified() => {}
        }
        let mut waiting = self.quotes.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for Waiting { polled, pushed } in std::mem::take(&mut *waiting).into_values() {
            let pushed: Vec<_> = pushed.into_values().collect();
            let brought = [polled, pushed].into_iter().filter(|observations| !observations.is_empty());
            batch.extend(brought.map(Input::Observed));
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use publisher_core::quote::{MarketId, Quote, SourceFault};
    use publisher_core::time::Wall;

    fn observation(symbol: &str) -> Vec<Observation> {
        vec![Observation::Missing { market: MarketId::new("v", symbol), fault: SourceFault::Timeout }]
    }

    #[tokio::test]
    async fn answers_come_first_and_of_each_venue_only_the_newest() {
        let (sender, mut inbox) = inbox();
        sender.observed(VenueId::new("a"), observation("old"));
        sender.observed(VenueId::new("a"), observation("new"));
        sender.observed(VenueId::new("b"), observation("only"));
        sender.answer(Input::Tick).await;
        let batch = inbox.next().await;
        assert_eq!(
            batch,
            [Input::Tick, Input::Observed(observation("new")), Input::Observed(observation("only"))]
        );
    }

    #[tokio::test]
    async fn of_what_is_pushed_the_newest_of_each_market_waits_beside_a_poll() {
        let (sender, mut inbox) = inbox();
        let venue = VenueId::new("v");
        sender.observed(venue.clone(), observation("a"));
        let pushed = |symbol: &str, ms: i64| {
            let (market, at) = (MarketId::new("v", symbol), Wall::from_ms(ms));
            Observation::Quote(Quote {
                market,
                bid: None,
                ask: None,
                last: None,
                base_volume: None,
                as_of: at,
                received: at,
                is_clocked: false,
            })
        };
        sender.pushed(&venue, vec![pushed("a", 1), pushed("b", 1)]);
        sender.pushed(&venue, vec![pushed("a", 2)]);
        let batch = inbox.next().await;
        assert_eq!(
            batch,
            [Input::Observed(observation("a")), Input::Observed(vec![pushed("a", 2), pushed("b", 1)])]
        );
    }

    #[tokio::test]
    async fn nothing_is_lost_when_the_reader_is_slow() {
        let (sender, mut inbox) = inbox();
        let writer = tokio::spawn(async move {
            for _ in 0..ANSWERS_MAX * 3 {
                sender.answer(Input::Tick).await;
            }
        });
        let mut seen = 0;
        while seen < ANSWERS_MAX * 3 {
            let batch = inbox.next().await;
            assert!(batch.len() <= BATCH_MAX);
            seen += batch.len();
        }
        writer.await.unwrap();
    }
}
