//! What a node's subscription to heads and the polls of its head tell each other.
//!
//! A ring asks for a poll before its time. Polls go on all the same, and if they find head after head that nobody
//! rang for, the subscription is dead, however alive its connection looks.

use super::edges::Edges;
use crate::chain::ChainError;
use backon::BackoffBuilder;
use publisher_core::time::Span;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A subscription that missed as many heads as this is opened anew: one may still be on its way when a poll is quicker.
const MISSED_MAX: u64 = 2;
/// However much a subscription rings, a tenth of the time between polls passes before the next one, or this.
const HASTE: Duration = Duration::from_millis(100);
/// A subscription that cannot be opened is tried again at last this seldom.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Notify,
    /// How many different heads were polled.
    polled: AtomicU64,
}

impl Bell {
    /// Somebody rang, and enough time has passed since the poll before.
    pub(super) async fn wait(&self, since: tokio::time::Instant, poll: Span) {
        self.rung.notified().await;
        tokio::time::sleep_until(since + HASTE.min(Duration::from(poll) / 10)).await;
    }

    /// A poll found another head than the poll before.
    pub(super) fn polled(&self) {
        self.polled.fetch_add(1, Ordering::Relaxed);
    }

    fn heads(&self) -> u64 {
        self.polled.load(Ordering::Relaxed)
    }
}

/// Keeps a node's subscription open, for ever.
pub(super) async fn listen(edges: Arc<Edges>, node: usize, bell: Arc<Bell>) {
    loop {
        let mut delays = backon::ExponentialBuilder::default()
            .with_min_delay(edges.poll.into())
            .with_max_delay(RETRY_MAX.max(edges.poll.into()))
            .without_max_times()
            .build();
        loop {
            let (heard, error) = follow(&edges, node, &bell).await;
            edges.nodes.hears(node, Err(&error));
            if heard {
                break;
            }
            tokio::time::sleep(delays.next().unwrap_or(RETRY_MAX)).await;
        }
    }
}

/// Rings for every head until the subscription ends; says whether it rang at all, and why it ended.
async fn follow(edges: &Edges, node: usize, bell: &Bell) -> (bool, ChainError) {
    let mut heads = match edges.nodes.node(node).subscribe().await {
        Some(Ok(heads)) => heads,
        Some(Err(error)) => return (false, error),
        None => return std::future::pending().await,
    };
    let mut known = bell.heads();
    let mut heard = false;
    let mut watchdog = tokio::time::interval(edges.poll.into());
    loop {
        tokio::select! {
            head = heads.next() => {
                if let Err(error) = head {
                    return (heard, error);
                }
                if !std::mem::replace(&mut heard, true) {
                    edges.nodes.hears(node, Ok(()));
                }
                known = bell.heads();
                bell.rung.notify_one();
            }
            _ = watchdog.tick() => {
                // The head that the last ring was for is polled after it.
                if bell.heads().saturating_sub(known) > MISSED_MAX {
                    return (heard, ChainError::BadAnswer("heads come, and it does not tell of them"));
                }
            }
        }
    }
}
