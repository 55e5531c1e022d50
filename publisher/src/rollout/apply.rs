//! Carrying a plan out: one step at a time through a driver, each one to its finality, the chain read anew between.
//!
//! The driver and the rollout share one task: the rollout looks at every event before the driver goes on. A creation's
//! address is in the book before the machine hears of the step, and is corrected as soon as the machine has given it
//! another nonce than foreseen. Whatever was on its way when an earlier rollout ended is awaited before anything is
//! planned.

use super::recover::{Fate, judge, left_open};
use super::{AddressBook, Pending, ReadError, RolloutError, observe, probe};
use crate::chain::ChainError;
use crate::driver::{Clock, Driver, Edges};
use crate::start::machine;
use crate::store::Journal;
use crate::telemetry::Health;
use alloy::primitives::Address;
use publisher_core::event::Event;
use publisher_core::fees::FeeProfile;
use publisher_core::io::Operator;
use publisher_core::machine::Spec;
use publisher_core::record::{Outcome, Recovered, RecoveredAccount, Scope};
use publisher_core::time::Span;
use publisher_core::tx;
use publisher_deploy::{Part, Plan, Step, Wanted, plan};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Events that may wait for the rollout, which looks at them before the driver makes more.
const EVENTS_MAX: usize = 4096;

/// How a rollout goes, for whoever watches.
#[derive(Debug)]
pub enum Progress<'a> {
    /// What is to be done now. Comes again after every step, and last when there is nothing left.
    Planned(&'a Plan),
    /// A step that an earlier rollout left on its way is awaited.
    Resumed {
        /// Its name.
        step: &'a str,
        /// Its nonce.
        nonce: u64,
    },
    /// A step begins.
    Began(&'a Step),
    /// What the machine reports meanwhile.
    Event(&'a Event),
    /// A step is final.
    Done(&'a Done),
}

/// A step that is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// Its nonce.
    pub nonce: u64,
    /// Where it landed.
    pub receipt: tx::Receipt,
    /// The contract that it created.
    pub created: Option<Address>,
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The steps that were carried out, in order.
    pub done: Vec<Done>,
    /// What is left: steps that wait for something outside of the rollout. Empty when everything is as wanted.
    pub left: Plan,
}

/// Everything a rollout works with.
pub(super) struct Work<'a> {
    pub spec: Spec,
    pub edges: Arc<Edges>,
    pub journal: PathBuf,
    pub clock: Clock,
    pub wanted: &'a Wanted,
    pub book: &'a mut AddressBook,
    pub step_timeout: Span,
}

/// Carries out what is to be done.
pub(super) async fn apply(
    work: Work<'_>,
    progress: impl FnMut(Progress<'_>),
) -> Result<Applied, RolloutError> {
    let Work { spec, edges, journal, clock, wanted, book, step_timeout } = work;
    let identity = edges.nodes.identity();
    let (journal, recovered) = Journal::open(&journal, identity.chain_id, identity.genesis).await?;
    let stall_after = spec.chain.block_time.times(5);
    let machine = machine(spec, &journal, None, &recovered, clock)?;
    let (watcher, events) = mpsc::channel(EVENTS_MAX);
    let (commands, orders) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let health = Health::new(identity.chain_id, stall_after, Arc::new(move || clock.now()));
    let driver = Driver {
        machine,
        journal: Arc::new(journal),
        lease: None,
        edges: Arc::clone(&edges),
        sources: Vec::new(),
        clock,
        health,
        watcher: Some(watcher),
    };
    let mut course =
        Course { edges: &edges, wanted, book, recovered, events, commands, step_timeout, progress };
    let mut driving = std::pin::pin!(driver.run(orders, stopped));
    let result = tokio::select! {
        biased;
        result = course.follow() => result,
        ended = &mut driving => return Err(ended.map_or_else(RolloutError::from, |_| RolloutError::Ended)),
    };
    let _driver_is_there = stop.send(true);
    driving.await?;
    result
}

struct Course<'a, P> {
    edges: &'a Edges,
    wanted: &'a Wanted,
    book: &'a mut AddressBook,
    recovered: Recovered,
    events: mpsc::Receiver<Event>,
    commands: mpsc::Sender<Operator>,
    step_timeout: Span,
    progress: P,
}

impl<P: FnMut(Progress<'_>)> Course<'_, P> {
    async fn follow(&mut self) -> Result<Applied, RolloutError> {
        self.resume().await?;
        self.review().await?;
        self.caught_up().await?;
        let mut done: Vec<Done> = Vec::new();
        let mut solvent = false;
        let mut probed = false;
        loop {
            let observed = observe(&self.edges.nodes.reader(), self.wanted, self.book).await?;
            let left = plan(self.wanted, &observed);
            (self.progress)(Progress::Planned(&left));
            if !left.conflicts.is_empty() {
                return Err(RolloutError::Conflicts(Box::new(left)));
            }
            let Some((step, to, data)) = left.next() else { return Ok(Applied { done, left }) };
            if done.iter().any(|earlier| earlier.step.name == step.name) {
                return Err(RolloutError::Repeated { step: step.name.clone() });
            }
            if !solvent {
                self.solvent().await?;
                solvent = true;
            }
            if step.action.creates().is_some() && !probed {
                probe(&self.edges.nodes.reader()).await?;
                probed = true;
            }
            let order = Operator::Execute {
                account: self.wanted.deployer,
                name: step.name.clone(),
                to,
                data: data.clone(),
            };
            let finished = self.carry_out(step, order).await?;
            (self.progress)(Progress::Done(&finished));
            done.push(finished);
        }
    }

    /// Waits for what an earlier rollout left on its way.
    async fn resume(&mut self) -> Result<(), RolloutError> {
        let mut open: BTreeMap<u64, String> = BTreeMap::new();
        for (nonce, step, creation) in left_open(&self.recovered, self.wanted.deployer) {
            if let Some(pending) = creation
                && self.book.known(&pending.subject, pending.part).is_none()
            {
                self.book.expect(&pending)?;
            }
            (self.progress)(Progress::Resumed { step: &step, nonce });
            open.insert(nonce, step);
        }
        let deadline = self.deadline();
        while let Some((_, first)) = open.first_key_value() {
            let first = first.clone();
            if let Event::Closed { what, nonce, .. } = self.event(deadline, &first).await?
                && open.get(&nonce) == Some(&what)
            {
                open.remove(&nonce);
            }
        }
        Ok(())
    }

    /// Nothing of the deployer's is on its way now: a contract that was expected is there, or never will be.
    async fn review(&mut self) -> Result<(), RolloutError> {
        let node = self.edges.nodes.reader();
        for pending in self.book.pending() {
            let Pending { subject, part, account, nonce } = &pending;
            let failed = |source| ReadError { what: format!("the {part} of {subject}"), source };
            // The nonce first: code that comes to be in between is then seen, not missed.
            let mined = mined_nonce(self.edges, *account).await.map_err(failed)?;
            let code = node.code_at(pending.address()).await.map_err(failed)?;
            // Of another account's nonces our journal says nothing.
            let unused =
                *account == self.wanted.deployer && self.journal_next().is_none_or(|next| *nonce >= next);
            match judge(!code.is_empty(), mined > *nonce, unused) {
                Fate::There => self.book.settle(subject, *part, pending.address())?,
                Fate::Never => self.book.give_up(subject, *part)?,
                Fate::Uncertain => {
                    let (subject, part, account, nonce) = (subject.clone(), *part, *account, *nonce);
                    return Err(RolloutError::Uncertain { subject, part, account, nonce });
                }
            }
        }
        Ok(())
    }

    /// Whether the node shows what this journal says is done. One that lags shows a chain where it is still to be done,
    /// and a feed that is added to its store twice has two numbers.
    async fn caught_up(&self) -> Result<(), RolloutError> {
        let account = self.wanted.deployer;
        let read = |source| ReadError { what: format!("the nonce of {account}"), source };
        let mined = mined_nonce(self.edges, account).await.map_err(read)?;
        match self.journal_next() {
            Some(next) if mined < next => Err(RolloutError::Behind { account, mined, next }),
            _ => Ok(()),
        }
    }

    /// Whether the deployer can pay at all. Without this a rollout would be planned, signed, and then wait.
    async fn solvent(&self) -> Result<(), RolloutError> {
        let account = self.wanted.deployer;
        let read = |source| ReadError { what: format!("the balance of {account}"), source };
        let free = self.edges.fee_profile == FeeProfile::ZeroGas;
        if free || !self.edges.nodes.reader().balance(account).await.map_err(read)?.is_zero() {
            return Ok(());
        }
        Err(RolloutError::NoFunds { account })
    }

    /// One more than the highest nonce in the journal.
    fn journal_next(&self) -> Option<u64> {
        let ours = self.recovered.accounts.iter().find(|known| known.account == self.wanted.deployer);
        ours.map(|known| known.next_nonce)
    }

    async fn carry_out(&mut self, step: &Step, order: Operator) -> Result<Done, RolloutError> {
        let creation = step.action.creates().map(|part| (step.subject.clone(), part));
        if let Some((subject, part)) = &creation {
            let account = self.wanted.deployer;
            let read = |source| ReadError { what: format!("the nonce of {account}"), source };
            let mined = mined_nonce(self.edges, account).await.map_err(read)?;
            let nonce = mined.max(self.journal_next().unwrap_or(0));
            self.book.expect(&Pending { subject: subject.clone(), part: *part, account, nonce })?;
        }
        (self.progress)(Progress::Began(step));
        self.commands.send(order).await.map_err(|_| RolloutError::Ended)?;
        let (nonce, receipt) = self.finality(&step.name, creation.as_ref()).await?;
        let created = creation.as_ref().map(|_| self.wanted.deployer.create(nonce));
        if let (Some((subject, part)), Some(address)) = (creation, created) {
            self.book.settle(&subject, part, address)?;
        }
        Ok(Done { step: step.clone(), nonce, receipt, created })
    }

    /// Waits until a step is final, and keeps the book true meanwhile.
    async fn finality(
        &mut self,
        name: &str,
        creation: Option<&(String, Part)>,
    ) -> Result<(u64, tx::Receipt), RolloutError> {
        let deadline = self.deadline();
        let deployer = self.wanted.deployer;
        let mut given = None;
        let fault = loop {
            match self.event(deadline, name).await? {
                Event::Planned { account, nonce, what } if account == deployer && what == name => {
                    given = Some(nonce);
                    self.planned(nonce);
                    if let Some((subject, part)) = creation {
                        let (subject, part) = (subject.clone(), *part);
                        self.book.expect(&Pending { subject, part, account, nonce })?;
                    }
                }
                Event::PreflightRefused { feed: None, reason } => break RolloutError::Refused { reason },
                Event::Closed { what, nonce, outcome, receipt, .. }
                    if what == name && given == Some(nonce) =>
                {
                    if let (Outcome::Final, Some(receipt)) = (outcome, receipt) {
                        return Ok((nonce, receipt));
                    }
                    let transaction = receipt.map(|receipt| receipt.hash);
                    break RolloutError::Failed { step: name.to_owned(), outcome, transaction };
                }
                _ => {}
            }
        };
        if let Some((subject, part)) = creation {
            self.book.give_up(subject, *part)?;
        }
        Err(fault)
    }

    /// The journal holds an intent with this nonce now.
    fn planned(&mut self, nonce: u64) {
        let account = self.wanted.deployer;
        let next_nonce = nonce.saturating_add(1);
        match self.recovered.accounts.iter_mut().find(|known| known.account == account) {
            Some(known) => known.next_nonce = known.next_nonce.max(next_nonce),
            None => {
                self.recovered.accounts.push(RecoveredAccount {
                    account,
                    next_nonce,
                    open: Vec::new(),
                    closed: Vec::new(),
                    payments: Vec::new(),
                });
            }
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.step_timeout.into()
    }

    /// The next event while `step` is awaited. A halt ends the rollout.
    async fn event(&mut self, deadline: Instant, step: &str) -> Result<Event, RolloutError> {
        let next = tokio::time::timeout_at(deadline, self.events.recv()).await;
        let timed_out = || RolloutError::TimedOut { step: step.to_owned(), after: self.step_timeout };
        let event = next.map_err(|_| timed_out())?.ok_or(RolloutError::Ended)?;
        (self.progress)(Progress::Event(&event));
        match event {
            Event::Halted { scope: Scope::Account(_) | Scope::Chain, reason } => {
                Err(RolloutError::Halted { reason })
            }
            event => Ok(event),
        }
    }
}

/// The next nonce of an account to be mined, at the head.
async fn mined_nonce(edges: &Edges, account: Address) -> Result<u64, ChainError> {
    let node = edges.nodes.reader();
    let (head, _) = node.head().await?;
    Ok(node.account_view(account, &[], &head).await?.mined_nonce)
}
