//! Every node of the chain: who may be relied on, who is read, who is sent transactions, and what their answers mean
//! together.
//!
//! One node at a time is the reader: its heads feed the core, once another node that is alive has the same block, and
//! it answers what a block's hash already makes safe. Transactions go to all. What may lead to a conclusion that cannot be taken back (a nonce that is used, a receipt
//! that is absent, a final block that is another one) is asked of every node that is alive, and concluded only where
//! they agree; a node that lags has no vote. With one node all of this is that node's word.
//!
//! Invariants:
//! - A node is given nothing before it was found to serve our chain, and nothing any more once it serves another.
//! - Every change of a node's standing is told once, with its code.
//! - Where two nodes are alive, no block that only one of them has is believed, nor what only one says of a block.
//! - Nothing here lets go of bytes that may have been sent: what no node refused for good is ambiguous.
//!
//! It does not decide by majority, because two nodes have none, and a majority behind one gateway is one node. Where
//! the others stand still, nobody is left to contradict a node that goes on: heads are then its word.

mod agree;
mod ask;
mod meet;
mod merge;
mod roster;

pub use meet::{Met, meet};

use crate::chain::{ChainError, Identity, Node, Sent, Standing, VerifyError};
use crate::telemetry::{NodeHealth, Notice, notify, readers_differ};
use publisher_core::tx::{BlockRef, SendOutcome};
use roster::{Change, Fact, Roster};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One node and what it is called.
#[derive(Clone, Debug)]
struct Endpoint {
    node: Arc<Node>,
    /// Scheme and host; with the place in the configuration where several share them.
    name: Arc<str>,
    send_only: bool,
    /// Whether it tells of its heads; `None` before the first word of that.
    hears: Arc<Mutex<Option<bool>>>,
}

/// See the module's documentation. There is always one node at least.
#[derive(Debug)]
pub struct Nodes {
    first: Endpoint,
    others: Vec<Endpoint>,
    identity: Identity,
    roster: Mutex<Roster>,
    /// The readers contradicted each other when they were last compared.
    differing: AtomicBool,
}

impl Nodes {
    /// The chain that all of them serve.
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// The node that is read now.
    pub fn reader(&self) -> Arc<Node> {
        Arc::clone(&self.endpoint(self.roster().reader()).node)
    }

    /// Whether any node is of our chain, as far as is known.
    pub(super) fn is_trusted(&self) -> bool {
        self.roster().is_trusted()
    }

    /// Whether the node that is read gives answers.
    pub(super) fn is_up(&self) -> bool {
        self.roster().is_up()
    }

    /// Whether this is the node that is read.
    pub(super) fn is_reader(&self, node: usize) -> bool {
        self.roster().reader() == node
    }

    /// The numbers of all nodes, as they are configured.
    pub(super) fn numbers(&self) -> std::ops::RangeInclusive<usize> {
        0..=self.others.len()
    }

    /// A node by its number.
    pub(crate) fn node(&self, node: usize) -> &Node {
        &self.endpoint(node).node
    }

    /// Whether it is never read.
    pub(super) fn is_send_only(&self, node: usize) -> bool {
        self.endpoint(node).send_only
    }

    /// Asks a node again who it is. Nobody is told here: the answer is for [`Nodes::answered`] or [`Nodes::failed`].
    pub(super) async fn identify(&self, node: usize) -> Result<(), VerifyError> {
        let Identity { chain_id, genesis } = self.identity;
        let Endpoint { node, send_only, .. } = self.endpoint(node);
        if *send_only {
            return node.verify_chain_id(chain_id).await;
        }
        node.verify(chain_id, Some(genesis)).await.map(drop)
    }

    /// It answered as a node of our chain; with its head, if it is read, and whether that is young.
    pub(super) fn answered(&self, node: usize, head: Option<u64>, fresh: bool) {
        self.note(node, Fact::Answered { head, fresh });
    }

    /// Another node that is alive has its head, too.
    pub(super) fn shared(&self, node: usize) {
        self.note(node, Fact::Shared(true));
    }

    /// For long no other node that is alive has had its heads. Told once.
    pub(super) fn unshared(&self, node: usize, head: &BlockRef) {
        if !self.is_doubted(node) {
            let BlockRef { number, hash, .. } = head;
            let detail = format!("nobody but {} has block {number} as {hash}", self.name(node));
            self.agreed("head", Some(detail));
            self.note(node, Fact::Shared(false));
        }
    }

    /// Whether nobody else has its heads, as far as is known.
    pub(super) fn is_doubted(&self, node: usize) -> bool {
        self.roster().is_doubted(node)
    }

    /// How long a node may be a little behind the others.
    pub(super) fn patience(&self) -> Duration {
        self.roster().patience()
    }

    /// It gave no usable answer, or is another chain's.
    pub(super) fn failed(&self, node: usize, error: &VerifyError) {
        self.note(
            node,
            match error {
                VerifyError::Chain(limited @ ChainError::RateLimited { retry_after: Some(_) }) => {
                    Fact::Limited(limited.to_string())
                }
                VerifyError::Chain(error) => Fact::Failed(error.to_string()),
                refused => Fact::Refused(refused.to_string()),
            },
        );
    }

    /// Its subscription tells of heads, or does not (any more). Told when it changes.
    pub(super) fn hears(&self, node: usize, word: Result<(), &ChainError>) {
        let hears = &self.endpoint(node).hears;
        let before = hears.lock().unwrap_or_else(PoisonError::into_inner).replace(word.is_ok());
        if before != Some(word.is_ok()) {
            let node = self.name(node);
            notify(&match word {
                Ok(()) => Notice::HeadsTold { node },
                Err(error) => Notice::HeadsUntold { node, error: error.to_string() },
            });
        }
    }

    fn is_heard(&self, node: usize) -> bool {
        *self.endpoint(node).hears.lock().unwrap_or_else(PoisonError::into_inner) == Some(true)
    }

    /// What a node's answer to a broadcast says about the node itself.
    fn sent(&self, node: usize, sent: &Sent) {
        if sent.wrong_hash {
            self.note(node, Fact::WrongHash(sent.detail.clone()));
        }
        if sent.retry_after.is_some() {
            self.note(node, Fact::Limited(sent.detail.clone()));
        }
        if sent.outcome == SendOutcome::NodeUnready {
            self.note(node, Fact::Unready(sent.detail.clone()));
        }
    }

    /// What status pages show, as the nodes are configured.
    pub(super) fn overview(&self) -> Vec<NodeHealth> {
        let roster = self.roster();
        let best = roster.best();
        let shown = roster.members().iter().enumerate().map(|(index, member)| NodeHealth {
            node: self.endpoint(index).name.to_string(),
            standing: member.standing,
            reader: roster.reader() == index,
            send_only: member.send_only,
            head: member.head,
            subscribed: self.endpoint(index).node.tells_heads().then(|| self.is_heard(index)),
            behind: best.zip(member.head).map(|(best, head)| best.saturating_sub(head)),
            why: member.why.clone(),
        });
        shown.collect()
    }

    /// Whether the readers agree, and about what they do not. Told once, until they agree again.
    fn agreed(&self, what: &'static str, difference: Option<String>) {
        let Some(detail) = difference else { return self.differing.store(false, Ordering::SeqCst) };
        readers_differ(what);
        if !self.differing.swap(true, Ordering::SeqCst) {
            notify(&Notice::NodesDiffer { what, detail });
        }
    }

    fn note(&self, node: usize, fact: Fact) {
        // Told under the lock, so that the log has changes in their order.
        let mut roster = self.roster();
        for change in roster.note(node, fact, Instant::now()) {
            match change {
                Change::Stands { node, now, why } => self.tell(node, now, why),
                Change::Reader { from, to } => {
                    notify(&Notice::ReaderChanged { from: self.name(from), to: self.name(to) })
                }
            }
        }
    }

    fn tell(&self, node: usize, now: Standing, detail: String) {
        let node = self.name(node);
        notify(&match now {
            Standing::Alive => Notice::NodeBack { node },
            Standing::Unreachable => Notice::NodeFailing { node, error: detail },
            Standing::Refused => Notice::NodeRefused { node, reason: detail },
            Standing::Quarantined => Notice::NodeWrongHash { node, detail },
            Standing::Lagging => Notice::NodeLagging { node, detail },
            Standing::Limited => Notice::NodeLimited { node, detail },
            Standing::Unready => Notice::NodeUnready { node, detail },
        });
    }

    fn name(&self, node: usize) -> String {
        self.endpoint(node).name.to_string()
    }

    fn endpoint(&self, node: usize) -> &Endpoint {
        node.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        // No update spans a panic.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
