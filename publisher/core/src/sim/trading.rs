//! Markets of the storm: when they trade, by chance, and what of that the judge goes by.

use super::world::{EPOCH_MS, Storm};
use crate::policy::{Conduct, Hours, Market, Status};
use crate::quote::FeedId;
use crate::time::{Span, Wall};
use alloy_primitives::B256;
use std::collections::BTreeMap;

/// Seconds that a session and a break last.
const LASTS_S: std::ops::Range<u64> = 90..900;

/// When a feed's market trades.
#[derive(Clone, Debug)]
pub(super) struct Trading {
    /// From when to when, in rising order. The first has begun before the storm.
    sessions: Vec<(Wall, Wall)>,
    /// Heartbeats go on in its breaks.
    pub repeats: bool,
}

/// The feeds that keep a market's hours: one falls silent in its breaks, one repeats what it said before.
pub(super) fn trading(storm: &Storm) -> BTreeMap<FeedId, Trading> {
    let mut rng = fastrand::Rng::with_seed(storm.seed ^ 0x7AD1);
    let end = Wall::from_ms(EPOCH_MS) + Span::from_s(storm.hours * 3_600);
    let feeds = [("ETH-USD", false), ("GAS-USD", true)].into_iter().filter(|_| storm.markets);
    feeds
        .map(|(id, repeats)| {
            let mut sessions = Vec::new();
            let mut opens = Wall::from_ms(EPOCH_MS) - Span::from_s(3_600);
            let mut closes = Wall::from_ms(EPOCH_MS) + Span::from_s(rng.u64(LASTS_S));
            while opens < end {
                sessions.push((opens, closes));
                opens = closes + Span::from_s(rng.u64(LASTS_S));
                closes = opens + Span::from_s(rng.u64(LASTS_S));
            }
            (FeedId::new(id), Trading { sessions, repeats })
        })
        .collect()
}

impl Trading {
    /// When the session began that an instant is in; `None` in a break.
    pub fn opened(&self, at: Wall) -> Option<Wall> {
        self.sessions.iter().find(|(opens, closes)| (*opens..*closes).contains(&at)).map(|(opens, _)| *opens)
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
        let closed = if self.repeats { Conduct::HeartbeatOnly } else { Conduct::Freeze };
        Market {
            hours: hours.into(),
            conduct: BTreeMap::from([(Status::Open, Conduct::Normal), (Status::Closed, closed)]),
            halts: Vec::new(),
        }
    }
}
