//! What venues push: a task for each socket, and word between the sockets of a venue and its polls.
//!
//! While every market of a venue comes over its sockets, polls are a cross-check and become rare; while some have nothing
//! to say, on sockets that live, almost as rare. They are what they were as soon as one market may be lost; and what they
//! bring shows a socket which of its markets only looks quiet.

use super::{inbox::Sender, wall};
use crate::sources::{Cover, Line, LineState, Polled, Told, Venue};
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
    /// How well they cover the venue's markets.
    cover: watch::Sender<Cover>,
    polled: watch::Sender<Polled>,
}

impl Streams {
    pub(super) fn new(venue: Arc<Venue>, health: Health) -> Self {
        let streams = Self {
            lines: Mutex::new(vec![LineState::default(); venue.lines().len()]),
            cover: watch::Sender::new(Cover::None),
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
        let worst = lines.iter().map(|line| line.cover).min();
        let cover = worst.filter(|_| covered == self.venue.markets().len()).unwrap_or_default();
        self.cover.send_if_modified(|before| std::mem::replace(before, cover) != cover);
        let (open, live) =
            (lines.iter().filter(|line| line.open).count(), lines.iter().map(|line| line.live).sum());
        self.health.update(|state| {
            let stream = state.streams.entry(self.venue.id().clone()).or_default();
            (stream.open, stream.live, stream.healthy) = (open, live, cover > Cover::None);
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
            let mut cover = self.cover.subscribe();
            loop {
                let every = line.poll_every(*cover.borrow_and_update());
                tokio::select! {
                    () = sleep_until(ended + wait.max(every).into()) => return,
                    _ = cover.changed() => {}
                }
            }
        }
        sleep_until(ended + wait.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Client, StreamSpec, VenueSpec, preset};
    use publisher_core::quote::VenueId;
    use publisher_core::time::Now;
    use std::time::Duration;

    /// What a poll waits for by itself, and while a market is quiet; healthy streams of the venue wait for 30 s.
    const EVERY: Span = Span::from_ms(50);
    const QUIET: Span = Span::from_ms(400);
    const FRESH: Span = Span::from_s(30);

    fn streams() -> Arc<Streams> {
        let preset = preset("coinbase").unwrap();
        let symbols = ["BTC-USD", "ETH-USD"].map(Into::into).into();
        let spec = VenueSpec::new(VenueId::new("coinbase"));
        let venue = Venue::new(preset, spec, symbols, &Client::new().unwrap()).unwrap();
        let stream = StreamSpec { max_age: Some(QUIET.times(2)), ..StreamSpec::default() };
        let venue = venue.with_stream(preset, &stream).unwrap();
        assert_eq!(venue.lines()[0].poll_every(Cover::Fresh), FRESH);
        Arc::new(Streams::new(Arc::new(venue), Health::new(1, FRESH, Arc::new(Now::default))))
    }

    /// Without this a quiet market costs its venue as many polls as no stream; its quotes grow too old between two of
    /// them; or a market that is lost waits for the end of a pause that began while it was well.
    #[tokio::test]
    async fn f41_polls_are_as_rare_as_markets_are_well_covered_and_come_at_once_where_one_may_be_lost() {
        use Cover::{Fresh, None, Quiet};
        for (stands, least, most) in [
            (&[][..], EVERY, FRESH),
            (&[Quiet], QUIET, FRESH),
            (&[Fresh, Quiet], QUIET, FRESH),
            (&[Fresh, None], EVERY, FRESH),
            (&[Quiet, Fresh, None], EVERY, FRESH),
        ] {
            let streams = streams();
            let began = Instant::now();
            let mut next = stands.iter().map(|cover| LineState { open: true, live: 2, cover: *cover });
            next.next().into_iter().for_each(|state| streams.stands(0, state));
            let waiting = Arc::clone(&streams);
            let waiting = tokio::spawn(async move { waiting.until_poll(&[], EVERY).await });
            for state in next {
                sleep_until(began + Duration::from(EVERY)).await;
                streams.stands(0, state);
            }
            waiting.await.unwrap();
            let waited = Span::from(began.elapsed());
            assert!(waited >= least && waited < most, "{stands:?}: {waited}");
        }
    }
}
