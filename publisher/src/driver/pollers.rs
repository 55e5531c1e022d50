//! What is asked for again and again: the head of every node, and every venue.

use super::bell::{self, Bell};
use super::edges::Edges;
use super::{Driver, inbox::Sender, wall};
use crate::chain::{ChainError, VerifyError};
use crate::sources::{NextPoll, Venue};
use crate::telemetry::{Health, venue_answered};
use publisher_core::io::Input;
use publisher_core::tx::BlockRef;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::task::JoinSet;

/// A node's identity is checked again after this many polls, after every failed one, and whenever a head does not
/// follow the one before.
const IDENTITY_POLLS: u32 = 60;

/// Starts every poller.
pub(super) fn spawn(tasks: &mut JoinSet<()>, driver: &Driver, sender: &Sender) {
    for node in driver.edges.nodes.numbers() {
        let (edges, bell) = (Arc::clone(&driver.edges), Arc::<Bell>::default());
        if edges.nodes.node(node).tells_heads() && !edges.nodes.is_send_only(node) {
            tasks.spawn(bell::listen(Arc::clone(&edges), node, Arc::clone(&bell)));
        }
        let watched = Watched { edges, node, bell, polls: 0, last: None };
        tasks.spawn(heads(watched, driver.health.clone(), sender.clone()));
    }
    for venue in &driver.venues {
        tasks.spawn(quotes(Arc::clone(venue), sender.clone()));
    }
}

/// One node that is polled.
struct Watched {
    edges: Arc<Edges>,
    node: usize,
    /// Rings when the node tells of a new head.
    bell: Arc<Bell>,
    /// Polls since it was asked who it is.
    polls: u32,
    /// Its last head.
    last: Option<BlockRef>,
}

/// Polls one node's head, and passes it on while that node is the one that is read. Whatever a subscription says, this
/// is the truth.
async fn heads(mut watched: Watched, health: Health, sender: Sender) {
    let (edges, node) = (Arc::clone(&watched.edges), watched.node);
    let mut timer = tokio::time::interval(edges.poll.into());
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since = tokio::time::Instant::now();
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = watched.bell.wait(since, edges.poll) => {}
        }
        since = tokio::time::Instant::now();
        health.progressed("head", edges.poll);
        let polled = watched.poll().await;
        match &polled {
            Ok(_) => {
                watched.polls = watched.polls.wrapping_add(1).max(1);
                edges.nodes.answered(node, watched.last.map(|head| head.number));
            }
            Err(error) => {
                watched.polls = 0;
                edges.nodes.failed(node, error);
            }
        }
        let (up, nodes) = (edges.nodes.is_up(), edges.nodes.overview());
        health.update(|state| {
            state.node_ok = up;
            state.nodes = nodes;
        });
        if let Ok(Some(input)) = polled {
            sender.answer(input).await;
        }
    }
}

impl Watched {
    /// The head as an input, if this node is read.
    async fn poll(&mut self) -> Result<Option<Input>, VerifyError> {
        let nodes = &self.edges.nodes;
        // Who answers is asked first, now and then, and after every failure.
        if self.polls.is_multiple_of(IDENTITY_POLLS) {
            nodes.identify(self.node).await?;
        }
        if nodes.is_send_only(self.node) {
            return Ok(None);
        }
        let (head, base_fee_wei) = nodes.node(self.node).head().await?;
        // A head that does not follow the last one may be another chain's: it is not passed on before that is asked.
        if self.last.is_some_and(|last| !follows(&head, &last)) {
            nodes.identify(self.node).await?;
        }
        let input = match nodes.is_reader(self.node) {
            true => Some(self.edges.head(self.node, head, base_fee_wei).await?),
            false => None,
        };
        if self.last.replace(head).is_none_or(|last| last.hash != head.hash) {
            self.bell.polled();
        }
        Ok(input)
    }
}

/// Whether the head is the same as before, or its child.
fn follows(head: &BlockRef, last: &BlockRef) -> bool {
    head.hash == last.hash || head.parent == last.hash
}

/// Polls one venue at its own pace.
async fn quotes(venue: Arc<Venue>, sender: Sender) {
    let mut hasher = DefaultHasher::new();
    venue.id().as_str().hash(&mut hasher);
    std::process::id().hash(&mut hasher);
    let mut pace = NextPoll::new(venue.every(), hasher.finish());
    loop {
        let poll = venue.poll(wall).await;
        let wait = pace.after(&poll);
        venue_answered(venue.id(), poll.fault.map_or("ok", |fault| fault.code()), poll.elapsed);
        sender.observed(venue.id().clone(), poll.observations);
        tokio::time::sleep(wait.into()).await;
    }
}

impl Edges {
    /// A node's head with everything else that is read with it, as an input.
    async fn head(
        &self,
        node: usize,
        head: BlockRef,
        base_fee_wei: Option<u128>,
    ) -> Result<Input, ChainError> {
        let node = self.nodes.node(node);
        let fees = node.fee_hint(self.fee_profile, base_fee_wei).await?;
        let tagged = match self.tag {
            Some(tag) => node.block_by_tag(tag).await?,
            None => None,
        };
        Ok(Input::Head { head, fees, tagged })
    }
}
