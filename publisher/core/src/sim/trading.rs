//! Markets of the storm, which trade by chance, and feeds that are put to sleep by chance: what the machine is told of
//! that, and what the judge goes by.

use super::world::{EPOCH_MS, Storm};
use crate::policy::{Conduct, Hours, Market, Status};
use crate::quote::FeedId;
use crate::time::{Span, Wall};
use alloy_primitives::B256;
use std::collections::BTreeMap;

/// Seconds that a session, a break, a nap, and the time between two naps last.
const LASTS_S: std::ops::Range<u64> = 90..900;

/// Stretches of time in rising order, from when to when.
type Stretches = Vec<(Wall, Wall)>;

/// When a feed's market trades.
#[derive(Clone, Debug)]
pub(super) struct Trading {
    /// The first has begun before the storm.
    sessions: Stretches,
    /// What the feed does in its breaks.
    closed: Conduct,
}

/// When a feed's flags are raised, so that it sleeps.
#[derive(Clone, Debug)]
pub(super) struct Naps(Stretches);

/// The feeds that keep a market's hours: in its breaks one falls silent, one repeats what it said before, and one goes on
/// with other sources.
pub(super) fn trading(storm: &Storm) -> BTreeMap<FeedId, Trading> {
    let mut rng = fastrand::Rng::with_seed(storm.seed ^ 0x7AD1);
    let feeds = [
        ("ETH-USD", Conduct::Freeze),
        ("GAS-USD", Conduct::HeartbeatOnly),
        ("BTC-USD", Conduct::SwitchSource),
    ];
    let before = Wall::from_ms(EPOCH_MS) - Span::from_s(3_600);
    let feeds = feeds.into_iter().filter(|_| storm.markets);
    feeds
        .map(|(id, closed)| {
            let sessions = stretches(&mut rng, storm, before);
            (FeedId::new(id), Trading { sessions, closed })
        })
        .collect()
}

/// The feeds that a contract of flags puts to sleep: one with an aggregator of its own, and one of a store.
pub(super) fn naps(storm: &Storm) -> BTreeMap<FeedId, Naps> {
    let mut rng = fastrand::Rng::with_seed(storm.seed ^ 0x51EE9);
    let feeds = ["GAS-USD", "SOL-USD"].into_iter().filter(|_| storm.flags);
    let first = Wall::from_ms(EPOCH_MS) + Span::from_s(300);
    feeds.map(|id| (FeedId::new(id), Naps(stretches(&mut rng, storm, first)))).collect()
}

/// Stretches from `first` on, which is the beginning of one, to the end of the storm.
fn stretches(rng: &mut fastrand::Rng, storm: &Storm, first: Wall) -> Stretches {
    let begins = Wall::from_ms(EPOCH_MS);
    let end = begins + Span::from_s(storm.hours * 3_600);
    let mut stretches = Vec::new();
    let (mut from, mut to) = (first, first.max(begins) + Span::from_s(rng.u64(LASTS_S)));
    while from < end {
        stretches.push((from, to));
        from = to + Span::from_s(rng.u64(LASTS_S));
        to = from + Span::from_s(rng.u64(LASTS_S));
    }
    stretches
}

impl Naps {
    /// Since when its flags have been raised; `None` while it is awake.
    pub fn asleep(&self, at: Wall) -> Option<Wall> {
        self.0.iter().find(|(from, to)| (*from..*to).contains(&at)).map(|(from, _)| *from)
    }
}

impl Trading {
    /// When the session began that an instant is in; `None` in a break.
    pub fn opened(&self, at: Wall) -> Option<Wall> {
        self.sessions.iter().find(|(opens, closes)| (*opens..*closes).contains(&at)).map(|(opens, _)| *opens)
    }

    /// When the market closed last, whether it is open again by now or not.
    pub fn closed(&self, at: Wall) -> Option<Wall> {
        self.sessions.iter().map(|(_, closes)| *closes).take_while(|closes| *closes <= at).last()
    }

    /// Heartbeats go on in its breaks.
    pub fn repeats(&self) -> bool {
        self.closed == Conduct::HeartbeatOnly
    }

    /// Other sources speak in its breaks.
    pub fn switches(&self) -> bool {
        self.closed == Conduct::SwitchSource
    }

    /// Nothing is said in its breaks.
    pub fn freezes(&self) -> bool {
        self.closed == Conduct::Freeze
    }

    /// The same for the machine.
    pub fn market(&self) -> Market {
        let changes = self
            .sessions
            .iter()
            .flat_map(|(opens, closes)| [(*opens, Status::Open), (*closes, Status::Closed)]);
        let changes: Vec<(Wall, Status)> = changes.collect();
        let ends_at = changes.last().map_or(Wall::default(), |(at, _)| *at) + Span::from_s(86_400);
        let hours = Hours { calendar: "storm".into(), digest: B256::ZERO, changes, ends_at };
        Market {
            hours: hours.into(),
            conduct: BTreeMap::from([(Status::Open, Conduct::Normal), (Status::Closed, self.closed)]),
            halts: Vec::new(),
        }
    }
}
