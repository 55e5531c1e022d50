//! What venues push: a task for each socket, and word between the sockets of a venue and its polls.
//!
//! While every market of a venue comes over its sockets, polls are a cross-check and become rare. They are what they
//! were as soon as one market does not; and what they bring shows a socket which of its markets only looks quiet.

use super::{inbox::Sender, wall};
use crate::sources::{Line, LineState, Polled, Told, Venue};
use crate::telemetry::{Health, Notice, StreamHealth, notify, stream_ended, stream_heard};
use publisher_core::quote::Observation;
use publisher_core::time::Span;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The sockets of one venue.
pub(super) struct Streams {
    venue: Arc<Venue>,
    health: Health,
    /// How each line stands.
    lines: Mutex<Vec<LineState>>,
    /// Whether every market of the venue comes over one of them.
    healthy: watch::Sender<bool>,
    polled: watch::Sender<Polled>,
}

impl Streams {
    pub(super) fn new(venue: Arc<Venue>, health: Health) -> Self {
        let streams = Self {
            lines: Mutex::new(vec![LineState::default(); venue.lines().len()]),
            healthy: watch::Sender::new(false),
            polled: watch::Sender::new(Vec::new().into()),
            venue,
            health,
        };
        if !streams.venue.lines().is_empty() {
            streams.show("");
        }
        streams
    }

    /// Listens on one of the sockets, for ever.
    pub(super) async fn listen(self: Arc<Self>, number: usize, line: Arc<Line>, seed: u64, sender: Sender) {
        let venue = self.venue.id();
        // What is said once is not said again until it changes.
        let mut is_up = None;
        let tell = |told: Told<'_>| match told {
            Told::Quotes(quotes) => sender.pushed(venue, quotes),
            Told::Heard(kind) => stream_heard(venue, kind.code()),
            Told::Stands(state) => self.stands(number, state),
            Told::Up { host } => {
                self.show("");
                if is_up.replace(true) != Some(true) {
                    notify(&Notice::StreamUp { venue: venue.to_string(), host });
                }
            }
            Told::Down { why, detail } => {
                stream_ended(venue, why.code());
                // One socket after another is how it should be.
                if !why.is_planned() {
                    self.show(detail);
                    if is_up.replace(false) != Some(false) {
                        let (venue, why) = (venue.to_string(), why.code());
                        notify(&Notice::StreamDown { venue, why, error: detail.to_owned() });
                    }
                }
            }
        };
        line.listen(seed, wall, self.polled.subscribe(), tell).await;
    }

    fn stands(&self, number: usize, state: LineState) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(number) {
            *line = state;
        }
        let covered: usize = self.venue.lines().iter().map(|line| line.markets().len()).sum();
        let healthy = covered == self.venue.markets().len() && lines.iter().all(|line| line.fresh);
        self.healthy.send_if_modified(|before| std::mem::replace(before, healthy) != healthy);
        let (open, live) =
            (lines.iter().filter(|line| line.open).count(), lines.iter().map(|line| line.live).sum());
        self.health.update(|state| {
            let stream = state.streams.entry(self.venue.id().clone()).or_default();
            (stream.open, stream.live, stream.healthy) = (open, live, healthy);
        });
    }

    /// What went wrong last; nothing while all is well.
    fn show(&self, detail: &str) {
        self.health.update(|state| {
            let stream = state.streams.entry(self.venue.id().clone()).or_default();
            *stream = StreamHealth {
                sockets: self.venue.lines().len(),
                markets: self.venue.markets().len(),
                detail: detail.to_owned(),
                ..stream.clone()
            };
        });
    }

    /// Tells the sockets what a poll brought, and waits until the next one: `wait`, or longer while nothing depends
    /// on it.
    pub(super) async fn until_poll(&self, observations: &[Observation], wait: Span) {
        let ended = Instant::now();
        if let Some(line) = self.venue.lines().first() {
            self.polled.send_replace(observations.into());
            let mut healthy = self.healthy.subscribe();
            tokio::select! {
                () = sleep_until(ended + wait.max(line.cross_check()).into()) => {}
                _ = healthy.wait_for(|healthy| !healthy) => {}
            }
        }
        sleep_until(ended + wait.into()).await;
    }
}
