//! What is asked for again and again: the head of every node, and every source of quotes.

use super::bell::{self, Bell};
use super::edges::Edges;
use super::streams::Streams;
use super::{Driver, inbox::Sender, wall};
use crate::chain::{ChainError, VerifyError};
use crate::sources::{Caution, Listed, Network, NextPoll, Source, Venue, Watch};
use crate::store::Journal;
use crate::telemetry::{Health, Notice, notify, venue_answered, venue_limits, venue_listed};
use alloy::primitives::B256;
use publisher_core::io::Input;
use publisher_core::quote::VenueId;
use publisher_core::tx::BlockRef;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A reader whose heads no other node has for so long makes room for another; for five block times where those are
/// longer.
const UNSHARED: Duration = Duration::from_secs(10);

/// A node's identity is checked again after this many polls, after every failed one, and whenever a head does not
/// follow the one before.
const IDENTITY_POLLS: u32 = 60;

/// What operators say is read this often: it holds a moment after it was said.
const ORDERS_EVERY: Duration = Duration::from_secs(1);

/// Starts every poller.
pub(super) fn spawn(tasks: &mut JoinSet<()>, driver: &Driver, sender: &Sender) {
    for node in driver.edges.nodes.numbers() {
        let (edges, bell) = (Arc::clone(&driver.edges), Arc::<Bell>::default());
        if edges.nodes.node(node).tells_heads() && !edges.nodes.is_send_only(node) {
            tasks.spawn(bell::listen(Arc::clone(&edges), node, Arc::clone(&bell)));
        }
        let moved = Instant::now();
        let watched = Watched { edges, node, bell, polls: 0, last: None, moved, shared: None, held: None };
        tasks.spawn(heads(watched, driver.health.clone(), sender.clone()));
    }
    tasks.spawn(orders(Arc::clone(&driver.journal), sender.clone()));
    for source in &driver.sources {
        match source {
            Source::Venue(venue) => {
                let streams = Arc::new(Streams::new(Arc::clone(venue), driver.health.clone()));
                let seed = seed(venue.id());
                for (number, line) in venue.lines().iter().enumerate() {
                    let seed = seed.wrapping_add(u64::try_from(number).unwrap_or_default());
                    tasks.spawn(Arc::clone(&streams).listen(number, Arc::clone(line), seed, sender.clone()));
                }
                tasks.spawn(quotes(Arc::clone(venue), streams, seed, sender.clone()));
                tasks.spawn(lists(Arc::clone(venue), sender.clone()));
            }
            Source::Network(network) => {
                let journal = Arc::clone(&driver.journal);
                tasks.spawn(contracts(Arc::clone(network), journal, sender.clone()));
            }
        }
    }
}

/// What decides the jitter of a venue's waits: another number in every process, and for every venue.
fn seed(venue: &VenueId) -> u64 {
    // Replicas in containers have the same process id.
    RandomState::new().hash_one(venue.as_str())
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
    /// Since when that is its head.
    moved: Instant,
    /// The last head that was found to be another node's, too.
    shared: Option<B256>,
    /// A head that no other node had, and since when it waits.
    held: Option<(Seen, Instant)>,
}

/// A head and its base fee in wei per gas.
type Seen = (BlockRef, Option<u128>);

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
                edges.nodes.answered(node, watched.last.map(|head| head.number), watched.is_fresh());
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
        if self.last.replace(head).is_none_or(|last| last.hash != head.hash) {
            self.moved = Instant::now();
            self.bell.polled();
        }
        let is_reader = nodes.is_reader(self.node);
        if !is_reader && !nodes.is_doubted(self.node) {
            self.held = None;
            return Ok(None);
        }
        let edges = Arc::clone(&self.edges);
        match self.shared((head, base_fee_wei)).await {
            Some((head, base_fee_wei)) if is_reader => {
                Ok(Some(edges.head(self.node, head, base_fee_wei).await?))
            }
            _ => Ok(None),
        }
    }

    /// This head, if another node has it, too, where there is another; else the last one that nobody else had, if
    /// somebody has it by now. What only the reader has may be on its way to the others, or be invented.
    async fn shared(&mut self, seen: Seen) -> Option<Seen> {
        let nodes = &self.edges.nodes;
        if self.shared == Some(seen.0.hash) || nodes.is_shared(self.node, &[seen.0]).await {
            self.shared = Some(seen.0.hash);
            self.held = None;
            nodes.shared(self.node);
            return Some(seen);
        }
        // The one that waits is asked for, too: every other node may always be a block behind.
        let (held, since) = *self.held.get_or_insert_with(|| (seen, Instant::now()));
        if held.0 != seen.0 && nodes.is_shared(self.node, &[held.0]).await {
            self.held = Some((seen, Instant::now()));
            return Some(held);
        }
        if since.elapsed() >= UNSHARED.max(nodes.patience()) {
            self.held = None;
            nodes.unshared(self.node, &seen.0);
        }
        None
    }

    /// Whether its head is young: it has changed lately, and its block was made lately.
    fn is_fresh(&self) -> bool {
        let patience = self.edges.nodes.patience();
        let made = |head: BlockRef| Duration::from(wall().since(head.time));
        self.moved.elapsed() < patience && self.last.is_some_and(|head| made(head) < patience)
    }
}

/// Whether the head is the same as before, or its child.
fn follows(head: &BlockRef, last: &BlockRef) -> bool {
    head.hash == last.hash || head.parent == last.hash
}

/// Reads what operators say. While the journal cannot be read, what it said last holds, and ends when it was to end.
async fn orders(journal: Arc<Journal>, sender: Sender) {
    let mut known = None;
    let mut timer = tokio::time::interval(ORDERS_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let Ok(orders) = journal.reader().orders(wall()).await else { continue };
        if known.as_ref() != Some(&orders) {
            known = Some(orders.clone());
            sender.answer(Input::Orders(orders)).await;
        }
    }
}

/// Polls one venue at its own pace.
async fn quotes(venue: Arc<Venue>, streams: Arc<Streams>, seed: u64, sender: Sender) {
    let mut pace = NextPoll::new(venue.every(), seed);
    loop {
        let poll = venue.poll(wall).await;
        let wait = pace.after(&poll);
        venue_answered(venue.id(), poll.fault.map_or("ok", |fault| fault.code()), poll.elapsed);
        venue_limits(venue.id(), &poll.limits);
        sender.observed(venue.id().clone(), poll.observations.clone());
        streams.until_poll(&poll.observations, wait).await;
    }
}

/// Looks now and then at what a venue lists, if it says so anywhere.
async fn lists(venue: Arc<Venue>, sender: Sender) {
    let mut is_usable = true;
    while let Some(Listed { markets, fault, shrunk, wait, .. }) = venue.listed(wall).await {
        venue_listed(venue.id(), fault.as_ref().map_or("ok", |(why, _)| *why));
        let was_usable = std::mem::replace(&mut is_usable, fault.is_none());
        let name = venue.id().to_string();
        if let Some((from, to)) = shrunk {
            notify(&Notice::ListShrunk { venue: name.clone(), from, to });
        }
        match fault {
            Some((why, error)) if was_usable => notify(&Notice::ListUnusable { venue: name, why, error }),
            None if !was_usable => notify(&Notice::ListBack { venue: name }),
            _ => {}
        }
        if !markets.is_empty() {
            sender.answer(Input::Listed(markets)).await;
        }
        tokio::time::sleep(wait.into()).await;
    }
}

/// Reads the contracts of one chain at its own pace.
async fn contracts(network: Arc<Network>, journal: Arc<Journal>, sender: Sender) {
    let mut pace = NextPoll::new(network.every(), seed(network.id()));
    let (mut refused, mut warned) = (BTreeSet::new(), BTreeSet::new());
    loop {
        if network.has_shares() {
            obey(&network, &journal).await;
        }
        let poll = network.poll(wall).await;
        let wait = pace.after(&poll);
        venue_answered(network.id(), poll.fault.map_or("ok", |fault| fault.code()), poll.elapsed);
        sender.observed(network.id().clone(), poll.observations);
        watch(&network, &journal, &mut refused).await;
        warn(&network, &mut warned).await;
        tokio::time::sleep(wait.into()).await;
    }
}

/// Follows what operators say of shares. While the journal cannot be read, what is believed holds.
async fn obey(network: &Network, journal: &Journal) {
    let Ok(words) = journal.reader().source_words().await else { return };
    for word in network.obey(&words).await {
        let (source, price) = (word.source.to_string(), word.price.to_string());
        notify(&Notice::SourceAccepted { source, price, by: word.by, reason: word.reason });
    }
}

/// Keeps what is believed of shares, and says once that a step is not. What cannot be written is written after a later
/// poll; until then a restart goes on from what was believed before.
async fn watch(network: &Network, journal: &Journal, refused: &mut BTreeSet<VenueId>) {
    for Watch { source, unkept, refused: why } in network.watch().await {
        match why {
            Some(detail) if refused.insert(source.clone()) => {
                notify(&Notice::SourceStep { source: source.to_string(), detail });
            }
            Some(_) => {}
            None => drop(refused.remove(&source)),
        }
        if let Some(belief) = unkept
            && journal.believe(&belief).await.is_ok()
        {
            network.kept(belief).await;
        }
    }
}

/// Says once of what works now that it will not in time.
async fn warn(network: &Network, warned: &mut BTreeSet<VenueId>) {
    let cautions = network.cautions().await;
    warned.retain(|source| cautions.iter().any(|caution| caution.source == *source));
    for Caution { source, detail, call } in cautions {
        if warned.insert(source.clone()) {
            notify(&Notice::SourceForgets { source: source.to_string(), detail, call });
        }
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
        let reader = self.nodes.node(node);
        let fees = reader.fee_hint(self.fee_profile, base_fee_wei).await?;
        let tagged = match self.tag {
            Some(tag) => self.nodes.tagged(node, tag, reader.block_by_tag(tag).await?).await,
            None => None,
        };
        Ok(Input::Head { head, fees, tagged })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this replicas in containers, whose process ids are all the same, lose a venue and come back in step.
    #[test]
    fn s14_no_two_that_poll_one_venue_wait_by_the_same_chance() {
        let seeds: BTreeSet<u64> = (0..100).map(|_| seed(&VenueId::new("kraken"))).collect();
        assert_eq!(seeds.len(), 100);
    }
}
