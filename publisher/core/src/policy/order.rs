//! What an operator says about a feed, or about a market, for a while: a pause, a word for a step, a shorter heartbeat, a
//! halt.
//!
//! Orders are never applied to anything that has to be restored. The policy that holds is computed from the configured
//! one and the orders that stand, at each look, so that one which ends leaves nothing behind, whenever it ends and
//! whoever was restarted meanwhile.

use super::{Breaker, Halt, Policy};
use crate::quote::FeedId;
use crate::time::{Span, Wall};
use std::fmt;
use std::sync::Arc;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The journal's number for it.
    pub id: u64,
    /// What it is about.
    pub of: Subject,
    /// What is to hold.
    pub what: Instruction,
    /// When it was given.
    pub said_at: Wall,
    /// When it ends by itself. A halt that another word has ended ended then.
    pub until: Wall,
    /// Who gave it.
    pub by: String,
    /// Why, for people.
    pub reason: String,
}

/// What an order is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One feed.
    Feed(FeedId),
    /// All feeds that keep the hours of this calendar. Only a [`Instruction::Halt`] is about one.
    Calendar(Arc<str>),
}

impl Subject {
    /// Whether it is this feed, or the calendar that it keeps.
    pub fn concerns(&self, feed: &FeedId, calendar: Option<&str>) -> bool {
        match self {
            Self::Feed(named) => named == feed,
            Self::Calendar(named) => calendar == Some(&**named),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feed(feed) => write!(f, "{feed}"),
            Self::Calendar(calendar) => f.write_str(calendar),
        }
    }
}

/// What an order says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Nothing is published.
    Pause,
    /// Nothing is published but heartbeats and first rounds.
    PauseDeviations,
    /// What the circuit breaker holds is right: it lets everything pass.
    Accept,
    /// A round at least this often, if that is more often than configured.
    Heartbeat(Span),
    /// One round, now.
    Submit,
    /// The market does not trade: what the feed does then is said by its policy.
    Halt,
}

impl Instruction {
    /// The name in the journal, in logs and in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::PauseDeviations => "pause_deviations",
            Self::Accept => "accept",
            Self::Heartbeat(_) => "heartbeat",
            Self::Submit => "submit",
            Self::Halt => "halt",
        }
    }
}

/// What an operator has paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paused {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything but heartbeats and first rounds.
    Deviations,
    /// Everything.
    Everything,
}

impl Order {
    /// Whether it holds now.
    pub fn stands(&self, now: Wall) -> bool {
        now < self.until
    }

    /// The time in which it halts a market. One that was given on a clock ahead of ours begins now.
    pub fn halts(&self, now: Wall) -> Option<Halt> {
        let since = self.said_at.min(now);
        (self.what == Instruction::Halt).then_some(Halt { since, until: self.until })
    }
}

impl Policy {
    /// The policy that holds under these orders.
    pub fn under<'a>(&self, orders: impl IntoIterator<Item = &'a Order>) -> Self {
        let mut policy = self.clone();
        for order in orders {
            match order.what {
                Instruction::Pause => policy.paused = Paused::Everything,
                Instruction::PauseDeviations => policy.paused = policy.paused.max(Paused::Deviations),
                Instruction::Accept => policy.breaker = Breaker::default(),
                Instruction::Heartbeat(span) => policy = policy.at_least_every(span),
                Instruction::Submit => policy.demanded_at = policy.demanded_at.max(Some(order.said_at)),
                // Not the policy changes by it but the market: see `Policy::halted`.
                Instruction::Halt => {}
            }
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Ratio;

    fn order(what: Instruction) -> Order {
        Order {
            id: 1,
            of: Subject::Feed(FeedId::new("BTC-USD")),
            what,
            said_at: Wall::from_s(100),
            until: Wall::from_s(200),
            by: "ann".into(),
            reason: "venue maintenance".into(),
        }
    }

    fn heartbeat(configured_s: u64, ordered_s: &[u64]) -> (u64, u64) {
        let policy = Policy {
            heartbeat: Span::from_s(configured_s),
            heartbeat_lead: Span::from_s(10),
            ..Policy::within(1.into(), 2.into())
        };
        let orders: Vec<Order> =
            ordered_s.iter().map(|s| order(Instruction::Heartbeat(Span::from_s(*s)))).collect();
        let policy = policy.under(&orders);
        (policy.heartbeat.ms() / 1000, policy.heartbeat_lead.ms())
    }

    #[test]
    fn the_shortest_heartbeat_holds_also_for_a_feed_without_one() {
        for (configured_s, ordered_s, expected) in [
            (3600, &[][..], (3600, 10_000)),
            (3600, &[600], (600, 10_000)),
            (3600, &[600, 60, 300], (60, 10_000)),
            (3600, &[20], (20, 5_000)),
            (3600, &[3600], (3600, 10_000)),
            (3600, &[7200], (3600, 10_000)),
            (3600, &[0], (3600, 10_000)),
            (0, &[600], (600, 10_000)),
            (0, &[0], (0, 10_000)),
        ] {
            assert_eq!(heartbeat(configured_s, ordered_s), expected, "{configured_s} {ordered_s:?}");
        }
    }

    #[test]
    fn orders_add_up_and_leave_nothing_behind() {
        let configured = Policy {
            breaker: Breaker { min: Ratio::from_bps(2_000), ..Breaker::default() },
            ..Policy::within(1.into(), 2.into())
        };
        let (pause, part) = (order(Instruction::Pause), order(Instruction::PauseDeviations));
        assert_eq!(configured.under([&part]).paused, Paused::Deviations);
        assert_eq!(configured.under([&part, &pause]).paused, Paused::Everything);
        assert_eq!(configured.under([&pause, &part]).paused, Paused::Everything);
        let accepted = configured.under([&order(Instruction::Accept)]);
        assert_eq!((accepted.breaker, accepted.paused), (Breaker::default(), Paused::Nothing));
        assert_eq!(configured.under([]), configured);
    }

    #[test]
    fn an_order_ends_by_itself() {
        let order = order(Instruction::Pause);
        assert!(order.stands(Wall::from_ms(199_999)));
        assert!(!order.stands(Wall::from_s(200)));
        assert!(!order.stands(Wall::from_s(201)));
    }
}
