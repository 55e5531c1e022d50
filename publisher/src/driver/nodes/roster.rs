//! Which nodes may be relied on, and which one of them is read: facts in, standings and a reader out.
//!
//! Invariants:
//! - A node that was never found to serve our chain, or was found to serve another, is not read and gets nothing.
//! - The last node of our chain is never dropped: where none is alive, the least bad ones are used.
//! - The reader stays while no other stands better, so that two nodes of equal standing do not take turns.
//! - A node whose head is old has no say, and only heads of nodes that have a say make others old. A head that is
//!   young is not old because another node claims to be further.
//!
//! It performs no I/O and reads no clock. It does not find out who lies: that takes more than one node's word, and is
//! the matter of `agree`.

use crate::chain::Standing;
use publisher_core::time::Span;
use std::time::{Duration, Instant};

/// One lost answer is a bad line, two in a row are a bad node.
const FAILURES: u32 = 2;
/// A node more blocks behind than this lags at once; one that is less behind, if that lasts.
const BEHIND: u64 = 3;
/// The worth of a node that answers, serves our chain and keeps up.
const ALIVE: u8 = 3;
/// For how long a node is spared that cannot take transactions.
const UNREADY: Duration = Duration::from_secs(30);

/// Something that was learnt about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// It answered as a node of our chain.
    Answered {
        /// Its head, if it is read.
        head: Option<u64>,
        /// Whether that is young, by what the block says and by what we have seen of it.
        fresh: bool,
    },
    /// Whether another node that is alive has its head, too.
    Shared(bool),
    /// It gave no usable answer.
    Failed(String),
    /// It asks to be left alone for a while.
    Limited(String),
    /// It cannot take transactions now.
    Unready(String),
    /// It confirmed a transaction with another hash.
    WrongHash(String),
    /// It serves another chain.
    Refused(String),
}

/// What a fact changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A node stands otherwise than before.
    Stands { node: usize, now: Standing, why: String },
    /// Another node is read.
    Reader { from: usize, to: usize },
}

/// Whose chain a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serves {
    Unknown,
    Ours,
    Another,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) send_only: bool,
    /// Its latest head, as far as it was asked.
    pub(super) head: Option<u64>,
    /// What it stood like when people were told last, and why.
    pub(super) standing: Standing,
    pub(super) why: String,
    serves: Serves,
    failures: u32,
    limited: bool,
    quarantined: bool,
    unready_until: Option<Instant>,
    behind_since: Option<Instant>,
    lagging: bool,
    /// Nobody else has its heads: it may not be read while another is alive, and says nothing of how far the chain is.
    doubted: bool,
}

/// See the module's documentation. Nodes are numbered as they are configured.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    members: Vec<Member>,
    reader: usize,
    /// A node may be a little behind for so long.
    patience: Duration,
}

impl Member {
    fn stands(&self, now: Instant) -> Standing {
        match self.serves {
            Serves::Another => Standing::Refused,
            _ if self.quarantined => Standing::Quarantined,
            _ if self.limited => Standing::Limited,
            Serves::Unknown => Standing::Unreachable,
            Serves::Ours if self.failures >= FAILURES => Standing::Unreachable,
            Serves::Ours if self.unready_until.is_some_and(|until| now < until) => Standing::Unready,
            Serves::Ours if self.lagging => Standing::Lagging,
            Serves::Ours => Standing::Alive,
        }
    }

    /// Whether its head says how far the chain is.
    fn leads(&self) -> bool {
        self.failures == 0 && !self.doubted && matches!(self.standing, Standing::Alive | Standing::Lagging)
    }

    /// How good a reader it is; `None` if it must not be read.
    fn worth(&self) -> Option<u8> {
        match self.standing {
            _ if self.send_only || self.serves != Serves::Ours => None,
            Standing::Alive if !self.doubted => Some(ALIVE + 1),
            Standing::Alive => Some(ALIVE),
            Standing::Lagging | Standing::Unready => Some(2),
            Standing::Quarantined => Some(1),
            Standing::Unreachable | Standing::Limited => Some(0),
            Standing::Refused => None,
        }
    }
}

impl Roster {
    /// Nodes of which nothing is known but whether they are to be read.
    pub(super) fn new(send_only: impl IntoIterator<Item = bool>, block_time: Span) -> Self {
        let member = |send_only| Member {
            send_only,
            head: None,
            standing: Standing::Unreachable,
            why: "not asked yet".to_owned(),
            serves: Serves::Unknown,
            failures: 0,
            limited: false,
            quarantined: false,
            unready_until: None,
            behind_since: None,
            lagging: false,
            doubted: false,
        };
        let members = send_only.into_iter().map(member).collect();
        Self { members, reader: 0, patience: block_time.times(5).into() }
    }

    /// The nodes.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Which node is read.
    pub(super) const fn reader(&self) -> usize {
        self.reader
    }

    /// The highest head of a node that has a say.
    pub(super) fn best(&self) -> Option<u64> {
        self.members.iter().filter(|member| member.leads()).filter_map(|member| member.head).max()
    }

    /// The same of all nodes but one: what it said itself before makes no node old.
    fn best_of_others(&self, node: usize) -> Option<u64> {
        let others = self.members.iter().enumerate().filter(|(index, _)| *index != node);
        others.filter(|(_, member)| member.leads()).filter_map(|(_, member)| member.head).max()
    }

    /// Takes a fact about a node; says what it changed.
    pub(super) fn note(&mut self, node: usize, fact: Fact, now: Instant) -> Vec<Change> {
        let best = self.best_of_others(node);
        let patience = self.patience;
        let Some(member) = self.members.get_mut(node) else { return Vec::new() };
        let mut why = String::new();
        match fact {
            Fact::Answered { head, fresh } => {
                member.serves = Serves::Ours;
                member.failures = 0;
                member.limited = false;
                if head.is_some() {
                    member.head = head;
                }
                let behind = best.zip(head).map_or(0, |(best, head)| best.saturating_sub(head));
                if behind == 0 || fresh {
                    member.behind_since = None;
                    member.lagging = false;
                } else {
                    let since = *member.behind_since.get_or_insert(now);
                    member.lagging |= behind > BEHIND || now.duration_since(since) >= patience;
                    why = format!("{behind} blocks behind");
                }
            }
            Fact::Failed(error) => {
                // Whoever asked to be left alone and then fails did not come back.
                member.failures = if member.limited { FAILURES } else { member.failures.saturating_add(1) };
                member.limited = false;
                why = error;
            }
            Fact::Limited(error) => {
                member.limited = true;
                why = error;
            }
            Fact::Unready(error) => {
                member.unready_until = Some(now + UNREADY);
                why = error;
            }
            Fact::WrongHash(error) => {
                member.quarantined = true;
                why = error;
            }
            Fact::Shared(shared) => member.doubted = !shared,
            Fact::Refused(reason) => {
                member.serves = Serves::Another;
                why = reason;
            }
        }
        let mut changes = Vec::new();
        let stands = member.stands(now);
        if stands != member.standing {
            member.standing = stands;
            member.why = if stands == Standing::Alive { String::new() } else { why };
            changes.push(Change::Stands { node, now: stands, why: member.why.clone() });
        }
        changes.extend(self.elect());
        changes
    }

    /// Another node is read only where it stands better than the one that is.
    fn elect(&mut self) -> Option<Change> {
        let worth = |index: &usize| self.members.get(*index).and_then(Member::worth);
        let best = (0..self.members.len()).filter_map(|index| worth(&index)).max()?;
        if worth(&self.reader) == Some(best) {
            return None;
        }
        let equals = (0..self.members.len()).rev().filter(|index| worth(index) == Some(best));
        let to = equals.max_by_key(|index| self.members.get(*index).and_then(|member| member.head))?;
        let from = std::mem::replace(&mut self.reader, to);
        Some(Change::Reader { from, to })
    }

    /// Whether nobody else has its heads, as far as is known.
    pub(super) fn is_doubted(&self, node: usize) -> bool {
        self.members.get(node).is_some_and(|member| member.doubted)
    }

    /// How long a node may be a little behind.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether any node is of our chain, as far as is known.
    pub(super) fn is_trusted(&self) -> bool {
        self.members.iter().any(|member| member.serves == Serves::Ours)
    }

    /// Whether the node that is read gives answers.
    pub(super) fn is_up(&self) -> bool {
        self.members.get(self.reader).and_then(Member::worth).is_some_and(|worth| worth > 0)
    }

    /// Who is asked, the reader first: every node that is alive, or else the reader alone.
    pub(super) fn readers(&self) -> Vec<usize> {
        let alive = |index: &usize| self.members.get(*index).and_then(Member::worth) >= Some(ALIVE);
        let others = (0..self.members.len()).filter(|index| *index != self.reader).filter(alive);
        let reader = self.members.get(self.reader).and_then(Member::worth);
        let mut readers: Vec<usize> = reader.map(|_| self.reader).into_iter().collect();
        if alive(&self.reader) {
            readers.extend(others);
        }
        readers
    }

    /// Who gets transactions: every node that answers and takes them; where there is none, every node of our chain
    /// that did not alter one; and if there is none but such, those.
    pub(super) fn writers(&self) -> Vec<usize> {
        let which = |fits: &dyn Fn(&Member) -> bool| {
            let ours = |member: &Member| member.serves == Serves::Ours && fits(member);
            let all = self.members.iter().enumerate();
            all.filter(|(_, member)| ours(member)).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let mut writers = which(&|member| matches!(member.standing, Standing::Alive | Standing::Lagging));
        if writers.is_empty() {
            writers = which(&|member| !member.quarantined);
        }
        if writers.is_empty() {
            writers = which(&|_| true);
        }
        writers
    }
}

#[cfg(test)]
mod tests;
