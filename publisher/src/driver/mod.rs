//! The driver: it turns the machine's effects into I/O, and I/O into inputs. The only place with tasks and channels.
//!
//! One loop owns the machine. Records are durable before anything that follows them is begun; while the journal
//! cannot be written, nothing else happens. Everything else runs in tasks of its own with a timeout, and its answer
//! comes back through the inbox, or never. The driver decides nothing.

mod bell;
mod clock;
mod edges;
pub mod failpoint;
mod inbox;
pub mod nodes;
mod pollers;
mod show;

pub use clock::{Clock, wall};
pub use edges::{Edges, FeedWire, StoreWire};
pub use nodes::Nodes;

use crate::store::{Journal, StoreError};
use crate::telemetry::{self, Health, Notice, notify};
use failpoint::hit;
use inbox::{Inbox, Sender, inbox};
use publisher_core::event::Event;
use publisher_core::io::{Effect, Input, Operator};
use publisher_core::machine::Machine;
use publisher_core::record::{Outcome, Record};
use publisher_core::time::Span;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Draining ends after this even if something is still on its way: it is in the journal and goes on at the next
/// start.
const DRAIN: Duration = Duration::from_secs(10);
/// A journal that cannot be written is tried again after this.
const JOURNAL_RETRY: Duration = Duration::from_millis(500);
/// Status pages are brought up to date this often.
const HEALTH_EVERY: Span = Span::from_ms(250);
/// Tasks that may run at once.
const TASKS_MAX: usize = 512;

/// Everything a driver drives.
pub struct Driver {
    /// The machine.
    pub machine: Machine,
    /// The journal it was recovered from.
    pub journal: Journal,
    /// The outside world.
    pub edges: Arc<Edges>,
    /// Venues to poll.
    pub venues: Vec<Arc<crate::sources::Venue>>,
    /// Clocks.
    pub clock: Clock,
    /// What status pages show.
    pub health: Health,
    /// Whoever wants to watch events go by; one that does not keep up misses some.
    pub watcher: Option<mpsc::Sender<Event>>,
}

/// How a driver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was on its way any more.
    Drained,
    /// Something was still on its way; the journal knows it.
    Interrupted,
}

impl Driver {
    /// Runs until `stop` turns true, then drains. An error means that the journal holds another history than ours.
    pub async fn run(
        mut self,
        mut commands: mpsc::Receiver<Operator>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Ended, StoreError> {
        let (sender, mut inbox) = inbox();
        let mut pollers = JoinSet::new();
        pollers::spawn(&mut pollers, &self, &sender);
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut deadline = None;
        let mut shown = self.clock.now().mono;
        hit("recovered");
        let ended = loop {
            let batch = self.wait(&mut inbox, &mut commands, &mut stop, &mut deadline).await;
            let mut effects = Vec::new();
            for input in batch {
                effects.extend(self.machine.step(self.clock.now(), input));
            }
            self.persist(&mut effects, deadline).await?;
            for effect in effects {
                self.perform(effect, &sender, &mut tasks).await;
            }
            while tasks.try_join_next().is_some() {}
            let now = self.clock.now();
            if now.mono.since(shown) >= HEALTH_EVERY {
                shown = now.mono;
                self.health.progressed("machine", HEALTH_EVERY);
                show::machine(&self.health, &self.machine, now);
            }
            match deadline {
                Some(_) if self.machine.is_idle() => break Ended::Drained,
                Some(at) if tokio::time::Instant::now() >= at => break Ended::Interrupted,
                _ => {}
            }
        };
        pollers.shutdown().await;
        tasks.shutdown().await;
        self.journal.close().await;
        notify(&Notice::Stopped);
        Ok(ended)
    }

    /// Waits for inputs, an operator's word, a timer, or the signal to stop.
    async fn wait(
        &self,
        inbox: &mut Inbox,
        commands: &mut mpsc::Receiver<Operator>,
        stop: &mut watch::Receiver<bool>,
        deadline: &mut Option<tokio::time::Instant>,
    ) -> Vec<Input> {
        let wait = self.machine.wake_at().since(self.clock.now().mono);
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop), if deadline.is_none() => {
                *deadline = Some(tokio::time::Instant::now() + DRAIN);
                self.health.update(|state| state.draining = true);
                notify(&Notice::Stopping { reason: "asked to stop".to_owned() });
                vec![Input::Operator(Operator::Drain)]
            }
            Some(command) = commands.recv() => vec![Input::Operator(command)],
            batch = inbox.next() => batch,
            () = tokio::time::sleep(wait.into()) => vec![Input::Tick],
        }
    }

    /// Takes every record out of the effects and makes them durable, in one commit. Writing a record earlier than its
    /// turn is safe; writing it later is not. Does not return before they are written, or the process must end.
    async fn persist(
        &self,
        effects: &mut Vec<Effect>,
        deadline: Option<tokio::time::Instant>,
    ) -> Result<(), StoreError> {
        let mut records = Vec::new();
        effects.retain_mut(|effect| match effect {
            Effect::Persist(more) => {
                records.append(more);
                false
            }
            _ => true,
        });
        if records.is_empty() {
            return Ok(());
        }
        before_writing(&records);
        let mut failing = false;
        loop {
            match self.journal.append(&records).await {
                Ok(()) => break,
                Err(error @ StoreError::Unavailable { .. }) => {
                    if !failing {
                        failing = true;
                        self.health.update(|state| state.journal_ok = false);
                        notify(&Notice::JournalUnavailable { error: error.to_string() });
                    }
                    if deadline.is_some_and(|at| tokio::time::Instant::now() >= at) {
                        // What is not journalled is not done: drop everything that was to follow.
                        return Err(error);
                    }
                    tokio::time::sleep(JOURNAL_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
        if failing {
            self.health.update(|state| state.journal_ok = true);
            notify(&Notice::JournalBack);
        }
        after_writing(&records);
        Ok(())
    }

    async fn perform(&self, effect: Effect, sender: &Sender, tasks: &mut JoinSet<()>) {
        match effect {
            Effect::Report(event) => {
                telemetry::report(&event);
                show::event(&self.health, &event);
                if let Event::Closed {
                    outcome: Outcome::Final,
                    feed: Some(feed),
                    round: Some(round),
                    answer: Some(answer),
                    ..
                }
                | Event::EntryFinal { feed, round: Some(round), answer, .. } = &event
                {
                    let (edges, feed, round, answer) =
                        (Arc::clone(&self.edges), feed.clone(), *round, *answer);
                    tasks.spawn(async move { edges.read_back(&feed, round, answer).await });
                }
                if let Some(watcher) = &self.watcher {
                    let _behind = watcher.try_send(event);
                }
            }
            effect => {
                while tasks.len() >= TASKS_MAX {
                    tasks.join_next().await;
                }
                let (edges, sender) = (Arc::clone(&self.edges), sender.clone());
                tasks.spawn(async move {
                    if let Some(input) = edges.perform(effect).await {
                        match &input {
                            Input::Sent { .. } => hit("after_broadcast"),
                            Input::Account { .. } => hit("after_look"),
                            _ => {}
                        }
                        sender.answer(input).await;
                    }
                });
            }
        }
    }
}

fn before_writing(records: &[Record]) {
    for record in records {
        match record {
            Record::Intent { .. } => hit("before_intent"),
            Record::Attempt { .. } => hit("after_signature"),
            Record::Included { .. } => hit("before_inclusion"),
            _ => {}
        }
    }
}

fn after_writing(records: &[Record]) {
    for record in records {
        match record {
            Record::Intent { .. } => hit("after_intent"),
            Record::Attempt { .. } => hit("after_attempt"),
            Record::Sent { .. } => hit("after_answer"),
            Record::Included { .. } => hit("after_inclusion"),
            Record::Closed { .. } => hit("after_closing"),
            _ => {}
        }
    }
}
