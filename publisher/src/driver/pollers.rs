//! What is asked for again and again: the head, and every venue.

use super::edges::Edges;
use super::{Driver, inbox::Sender, wall};
use crate::sources::{NextPoll, Venue};
use crate::telemetry::{Health, Notice, notify, venue_answered};
use publisher_core::io::Input;
use publisher_core::tx::BlockRef;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The node's identity is checked again after this many polls, after every failed one, and whenever a head does not
/// follow the one before.
const IDENTITY_POLLS: u32 = 60;

/// Starts every poller.
pub(super) fn spawn(tasks: &mut JoinSet<()>, driver: &Driver, sender: &Sender) {
    tasks.spawn(heads(Arc::clone(&driver.edges), driver.health.clone(), sender.clone()));
    for venue in &driver.venues {
        tasks.spawn(quotes(Arc::clone(venue), sender.clone()));
    }
}

/// Polls the head. Whatever a subscription says, this is the truth.
async fn heads(edges: Arc<Edges>, health: Health, sender: Sender) {
    let mut timer = tokio::time::interval(edges.poll.into());
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut polls = 0u32;
    let mut failing = false;
    let mut last: Option<BlockRef> = None;
    loop {
        timer.tick().await;
        health.progressed("head", edges.poll);
        // Who answers is asked first, now and then, and after every failure.
        let polled = if polls.is_multiple_of(IDENTITY_POLLS) { edges.check_identity().await } else { Ok(()) };
        let polled = match polled {
            Ok(()) => edges.head().await.map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        // A head that does not follow the last one may be another chain's: it is not passed on before that is asked.
        let polled = match polled {
            Ok((head, _)) if last.is_some_and(|last| !follows(&head, &last)) => {
                edges.check_identity().await.and(polled)
            }
            polled => polled,
        };
        match polled {
            Ok((head, input)) => {
                last = Some(head);
                polls = polls.wrapping_add(1).max(1);
                if failing {
                    failing = false;
                    notify(&Notice::NodeBack { node: edges.node.shown() });
                }
                health.update(|state| state.node_ok = true);
                sender.answer(input).await;
            }
            Err(error) => {
                polls = 0;
                health.update(|state| state.node_ok = false);
                if !failing {
                    failing = true;
                    notify(&Notice::NodeFailing { node: edges.node.shown(), error });
                }
            }
        }
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
    /// The head, and the same as an input.
    async fn head(&self) -> Result<(BlockRef, Input), crate::chain::ChainError> {
        let (head, base_fee_wei) = self.node.head().await?;
        let fees = self.node.fee_hint(self.fee_profile, base_fee_wei).await?;
        let tagged = match self.tag {
            Some(tag) => self.node.block_by_tag(tag).await?,
            None => None,
        };
        Ok((head, Input::Head { head, fees, tagged }))
    }
}
