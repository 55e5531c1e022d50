//! A plan: steps, and what stands in their way.

use alloy::primitives::{Address, Bytes};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of a feed's contracts, or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The contract that is written for one feed.
    Aggregator,
    /// The contract that is written for many feeds.
    Store,
    /// The contract that shows one feed of a store.
    Facade,
    /// The contract that consumers read.
    Proxy,
}

impl Part {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aggregator => "aggregator",
            Self::Store => "store",
            Self::Facade => "facade",
            Self::Proxy => "proxy",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a step does, in the order in which one store and one feed need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Creates a store.
    DeployStore,
    /// Gives an account the right to update a store.
    GrantStore,
    /// Adds a feed to its store.
    AddFeed,
    /// Creates the facade of a store's feed.
    DeployFacade,
    /// Creates the aggregator.
    DeployAggregator,
    /// Gives an account the right to submit.
    Grant,
    /// Creates the proxy.
    DeployProxy,
    /// Proposes another aggregator to the proxy.
    Propose,
    /// Makes the proposed aggregator the one that is read.
    Confirm,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::DeployStore,
        Self::GrantStore,
        Self::AddFeed,
        Self::DeployFacade,
        Self::DeployAggregator,
        Self::Grant,
        Self::DeployProxy,
        Self::Propose,
        Self::Confirm,
    ];

    /// The first half of a step's name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DeployStore => "deploy-store",
            Self::GrantStore => "grant-store",
            Self::AddFeed => "add-feed",
            Self::DeployFacade => "deploy-facade",
            Self::DeployAggregator => "deploy-aggregator",
            Self::Grant => "grant",
            Self::DeployProxy => "deploy-proxy",
            Self::Propose => "propose",
            Self::Confirm => "confirm",
        }
    }

    /// The contract that the action creates, if it creates one.
    pub const fn creates(self) -> Option<Part> {
        match self {
            Self::DeployStore => Some(Part::Store),
            Self::DeployFacade => Some(Part::Facade),
            Self::DeployAggregator => Some(Part::Aggregator),
            Self::DeployProxy => Some(Part::Proxy),
            Self::GrantStore | Self::AddFeed | Self::Grant | Self::Propose | Self::Confirm => None,
        }
    }

    /// The step's name in plans, journals and logs: `deploy-proxy:ETH-USD`.
    pub fn name(self, subject: &str) -> String {
        format!("{}:{subject}", self.code())
    }

    /// The action and the feed or store of a step's name. A journal is read back with it.
    pub fn parse(name: &str) -> Option<(Self, &str)> {
        let (code, subject) = name.split_once(':')?;
        let action = Self::ALL.into_iter().find(|action| action.code() == code)?;
        (!subject.is_empty()).then_some((action, subject))
    }
}

/// One transaction of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name, unique in a plan.
    pub name: String,
    /// The feed or the store that it is for.
    pub subject: String,
    /// What kind of step it is.
    pub action: Action,
    /// What it does, as a sentence.
    pub what: String,
    /// The call, or what it waits for.
    pub call: Call,
}

/// What a step sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Call {
    /// It can be sent now.
    Ready {
        /// The contract called; `None` creates one.
        to: Option<Address>,
        /// Init code with its arguments, or calldata.
        data: Bytes,
    },
    /// Not before something else has happened.
    Waits {
        /// What has to happen, as a clause: "deploy-aggregator:ETH-USD" or what an operator has to see to.
        until: String,
        /// Whether a step of the same plan brings it about, and not an operator or time.
        on_step: bool,
    },
}

/// Why the deployer cannot bring a feed or a store to what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No contract can be like that.
    Impossible,
    /// The chain was not looked at where the configuration says.
    NotObserved,
    /// One address is named for two contracts.
    Shared,
    /// Nothing is at the known address.
    NoCode,
    /// Another contract is at the known address.
    Foreign,
    /// Decimals are fixed at creation and differ.
    Decimals,
    /// The description is fixed at creation and differs.
    Description,
    /// The bounds are fixed at creation and differ.
    Bounds,
    /// The age of reports is fixed at creation and differs.
    MaxAge,
    /// The store gives another number to its next feed.
    Number,
    /// Somebody else administers the contract than is wanted.
    Owner,
    /// A step is needed that only the owner can take.
    NotOwner,
}

/// Something that the deployer cannot bring about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The feed or the store.
    pub subject: String,
    /// The contract it is about.
    pub part: Part,
    /// Its kind.
    pub cause: Cause,
    /// What is wrong, with both values.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} ({})", self.subject, self.part, self.reason, self.hint)
    }
}

/// The steps from what a chain has to what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps, in the order in which they are to be carried out.
    pub steps: Vec<Step>,
    /// What the deployer cannot bring about. A plan with conflicts is not to be carried out.
    pub conflicts: Vec<Conflict>,
}

impl Plan {
    /// Whether everything is as wanted.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.conflicts.is_empty()
    }

    /// The first step that can be sent now, with its recipient (`None` creates a contract) and its data; none while
    /// there are conflicts.
    pub fn next(&self) -> Option<(&Step, Option<Address>, &Bytes)> {
        let ready = self.steps.iter().find_map(|step| match &step.call {
            Call::Ready { to, data } => Some((step, *to, data)),
            Call::Waits { .. } => None,
        });
        ready.filter(|_| self.conflicts.is_empty())
    }
}

impl fmt::Display for Plan {
    /// One line a step and two a conflict, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("Nothing to do: the contracts are as configured.");
        }
        write!(f, "{} to do, {}", count(self.steps.len(), "step"), count(self.conflicts.len(), "conflict"))?;
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "\n  {}. {}: {}", index + 1, step.name, step.what)?;
            if let Call::Waits { until, .. } = &step.call {
                write!(f, "\n     waits for {until}")?;
            }
        }
        for conflict in &self.conflicts {
            write!(f, "\n  conflict: {} {}: {}", conflict.subject, conflict.part, conflict.reason)?;
            write!(f, "\n     hint: {}", conflict.hint)?;
        }
        Ok(())
    }
}

fn count(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
