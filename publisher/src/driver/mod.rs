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
mod streams;

pub use clock::{Clock, wall};
pub use edges::{Edges, FeedWire, StoreWire};
pub use nodes::Nodes;

use crate::store::{Journal, StoreError};
use crate::telemetry::{self, Health, Notice, notify};
use alloy::primitives::Address;
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
/// How long a process that ends tries to end its leases.
const FAREWELL: Duration = Duration::from_secs(2);
/// Status pages are brought up to date this often.
const HEALTH_EVERY: Span = Span::from_ms(250);
/// Tasks that may run at once.
const TASKS_MAX: usize = 512;

/// Everything a driver drives.
pub struct Driver {
    /// The machine.
    pub machine: Machine,
    /// The journal.
    pub journal: Arc<Journal>,
    /// How long leases last; `None`: until they are ended, because nobody else can write the journal.
    pub lease: Option<Span>,
    /// The outside world.
    pub edges: Arc<Edges>,
    /// What is polled for quotes.
    pub sources: Vec<crate::sources::Source>,
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
        let (mut shown, mut turn) = (self.clock.now().mono, 0);
        hit("recovered");
        let mut refused = None;
        let ended = loop {
            let batch = match refused.take() {
                Some(accounts) => vec![Input::Fenced(accounts)],
                None => self.wait(&mut inbox, &mut commands, &mut stop, &mut deadline).await,
            };
            let (asked, mut effects) = (self.clock.now().mono, Vec::new());
            for input in batch {
                effects.extend(self.machine.step(self.clock.now(), input));
            }
            refused = self.persist(&mut effects, deadline).await?;
            for effect in effects {
                if !effect.is_late(asked, self.clock.now().mono) {
                    self.perform(effect, &sender, &mut tasks).await;
                }
            }
            while tasks.try_join_next().is_some() {}
            let now = self.clock.now();
            if now.mono.since(shown) >= HEALTH_EVERY {
                shown = now.mono;
                self.health.progressed("machine", HEALTH_EVERY);
                turn = (turn + 1) % show::TURNS;
                show::machine(&self.health, &self.machine, turn, now);
            }
            match deadline {
                Some(_) if self.machine.is_idle() => break Ended::Drained,
                Some(at) if tokio::time::Instant::now() >= at => break Ended::Interrupted,
                _ => {}
            }
        };
        pollers.shutdown().await;
        tasks.shutdown().await;
        self.farewell().await;
        if let Some(journal) = Arc::into_inner(self.journal) {
            journal.close().await;
        }
        notify(&Notice::Stopped);
        Ok(ended)
    }

    /// Ends what leases are left, so that another replica need not wait until they expire. What is on its way is in the
    /// journal, for whoever takes them.
    async fn farewell(&self) {
        let Some(leases) = self.machine.leases() else { return };
        let beat = leases.farewell();
        // If it fails they expire.
        let _ended = tokio::time::timeout(FAREWELL, self.journal.beat(&beat, self.lease)).await;
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
    ///
    /// What concerns an account whose lease ended meanwhile is dropped, records and all that was to follow: whoever
    /// holds the lease now recovers it from the journal. Returns the accounts that the journal refused.
    async fn persist(
        &self,
        effects: &mut Vec<Effect>,
        deadline: Option<tokio::time::Instant>,
    ) -> Result<Option<Vec<Address>>, StoreError> {
        let mut records = Vec::new();
        effects.retain_mut(|effect| match effect {
            Effect::Persist(more) => {
                records.append(more);
                false
            }
            _ => true,
        });
        let mut refused: Vec<Address> = Vec::new();
        before_writing(&records);
        loop {
            let now = self.clock.now().mono;
            let mut epochs = self.machine.epochs(now);
            epochs.retain(|account, _| !refused.contains(account));
            records.retain(|record| record.account().is_none_or(|account| epochs.contains_key(&account)));
            if records.is_empty() {
                break;
            }
            let leases = self.machine.leases();
            let left = epochs.keys().filter_map(|account| leases?.left(*account, now)).min();
            let appended = self.journal.append(&records, &epochs);
            let appended = match left {
                // A lease that ends meanwhile is noticed at once, and not when the database answers.
                Some(left) => match tokio::time::timeout(left.into(), appended).await {
                    Ok(appended) => appended,
                    Err(_) => continue,
                },
                None => appended.await,
            };
            match appended {
                Ok(()) => {
                    show::journal(&self.health, None);
                    break;
                }
                Err(StoreError::Fenced { accounts }) => refused.extend(accounts),
                Err(error @ StoreError::Unavailable { .. }) => {
                    show::journal(&self.health, Some(&error));
                    if deadline.is_some_and(|at| tokio::time::Instant::now() >= at) {
                        // What is not journalled is not done: drop everything that was to follow.
                        return Err(error);
                    }
                    tokio::time::sleep(JOURNAL_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
        after_writing(&records);
        let epochs = self.machine.epochs(self.clock.now().mono);
        effects.retain(|effect| {
            effect.sender().is_none_or(|account| epochs.contains_key(&account) && !refused.contains(&account))
        });
        Ok(Some(refused).filter(|refused| !refused.is_empty()))
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
            Effect::Beat { ticket, beat } => {
                let (journal, lease) = (Arc::clone(&self.journal), self.lease);
                let (health, sender) = (self.health.clone(), sender.clone());
                tasks.spawn(async move {
                    let answer = journal.beat(&beat, lease).await;
                    show::journal(&health, answer.as_ref().err());
                    sender.answer(Input::Leases { ticket, board: answer.ok() }).await;
                });
            }
            Effect::Recover { ticket } => {
                let (journal, sender) = (Arc::clone(&self.journal), sender.clone());
                let health = self.health.clone();
                tasks.spawn(async move {
                    let answer = journal.reader().recovered().await;
                    show::journal(&health, answer.as_ref().err());
                    sender.answer(Input::Recovered { ticket, recovered: answer.ok() }).await;
                });
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
