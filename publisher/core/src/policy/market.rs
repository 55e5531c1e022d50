//! A market that opens and closes, and what a feed of it says meanwhile.
//!
//! The core knows no zones, holidays or daylight saving: whoever configures it makes a table of a calendar, the instants
//! at which the market changes, and this module looks things up in it. Beyond its ends the status is unknown, so that a
//! calendar that was forgotten is not taken for one that says *open*.

use super::Policy;
use crate::time::{Span, Wall};
use alloy_primitives::B256;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a market does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It trades.
    Open,
    /// It trades, and closes early.
    HalfDay,
    /// It trades thinly before the opening.
    Pre,
    /// It trades thinly after the close.
    Post,
    /// It does not trade.
    Closed,
    /// The calendar does not reach so far.
    Unknown,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::HalfDay, Self::Pre, Self::Post, Self::Closed, Self::Unknown];

    /// The name in configuration, logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfDay => "half_day",
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

/// What a feed does while its market has some status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// Every rule holds.
    #[default]
    Normal,
    /// Heartbeats repeat the last value that was computed before.
    HeartbeatOnly,
    /// Nothing is published.
    Freeze,
}

impl Conduct {
    /// The name in configuration and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::HeartbeatOnly => "heartbeat_only",
            Self::Freeze => "freeze",
        }
    }
}

/// A calendar as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The calendar's name.
    pub calendar: Arc<str>,
    /// The Keccak-256 of its text, which tells it from what it says in another year.
    pub digest: B256,
    /// From when on which status holds, in rising order; before the first it is unknown.
    pub changes: Vec<(Wall, Status)>,
    /// From here on it is unknown.
    pub ends_at: Wall,
}

/// A stretch of time with one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The status.
    pub status: Status,
    /// Since when; `None`: since ever.
    pub since: Option<Wall>,
    /// Until when; `None`: for ever.
    pub until: Option<Wall>,
}

impl Hours {
    /// From when on it says something; `None`: never.
    pub fn begins_at(&self) -> Option<Wall> {
        self.changes.first().map(|(at, _)| *at)
    }

    /// The stretch that an instant is in.
    pub fn at(&self, now: Wall) -> Stretch {
        let unknown = Stretch { status: Status::Unknown, since: Some(self.ends_at), until: None };
        if now >= self.ends_at {
            return unknown;
        }
        let next = self.changes.partition_point(|(at, _)| *at <= now);
        let until = Some(self.changes.get(next).map_or(self.ends_at, |(at, _)| *at));
        match next.checked_sub(1).and_then(|last| self.changes.get(last)) {
            Some(&(since, status)) => Stretch { status, since: Some(since), until },
            None => Stretch { since: None, until, ..unknown },
        }
    }

    /// Every status that it can have. It ends one day, so that `Unknown` is always one of them.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        let has = |status: &Status| self.changes.iter().any(|(_, has)| has == status);
        Status::ALL.into_iter().filter(move |status| *status == Status::Unknown || has(status))
    }
}

/// How a market stood when something was decided: enough to say later what the decision rested on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketState {
    /// The calendar's name.
    pub calendar: Arc<str>,
    /// The Keccak-256 of its text.
    pub digest: B256,
    /// What the market did by it.
    pub status: Status,
    /// What that let the feed do.
    pub conduct: Conduct,
}

/// A feed's market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// When it trades.
    pub hours: Arc<Hours>,
    /// What the feed does meanwhile. Of a status that is not here nothing is known, so nothing is published.
    pub conduct: BTreeMap<Status, Conduct>,
}

impl Market {
    /// What the feed does now, given when the oldest quote of its value was true. At an opening the conduct of before
    /// goes on until every quote that counts is of after it: what is left of yesterday would else be today's first
    /// price.
    pub fn conduct(&self, as_of: Option<Wall>, now: Wall) -> Conduct {
        let Stretch { status, since, .. } = self.hours.at(now);
        let conduct = self.told(status);
        let Some(since) = since.filter(|_| conduct == Conduct::Normal) else { return conduct };
        if as_of.is_some_and(|as_of| as_of >= since) {
            return conduct;
        }
        self.told(self.hours.at(since - Span::from_ms(1)).status)
    }

    /// How it stands now for a feed that does this.
    pub fn state(&self, conduct: Conduct, now: Wall) -> MarketState {
        let Hours { calendar, digest, .. } = &*self.hours;
        MarketState {
            calendar: Arc::clone(calendar),
            digest: *digest,
            status: self.hours.at(now).status,
            conduct,
        }
    }

    /// What the feed does while the market has a status.
    pub fn told(&self, status: Status) -> Conduct {
        self.conduct.get(&status).copied().unwrap_or(Conduct::Freeze)
    }
}

impl Policy {
    /// The policy that holds while its market lets it do only so much. Where only heartbeats are sent they repeat a
    /// value that has been judged before, so nothing deviates, nothing is a step, and no time has anything new to say.
    pub fn during(self, conduct: Conduct) -> Self {
        match conduct {
            Conduct::HeartbeatOnly => {
                let (deviation, confidence, breaker, schedule) = Default::default();
                Self { conduct, deviation, confidence, breaker, schedule, ..self }
            }
            Conduct::Normal | Conduct::Freeze => Self { conduct, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Open from 100 to 200 and, for half a day, from 300 to 350; known from 50 to 400.
    fn hours() -> Hours {
        use Status::*;
        let changes = [(50, Closed), (100, Open), (200, Closed), (300, HalfDay), (350, Closed)];
        let changes = changes.map(|(at, status)| (Wall::from_s(at), status)).to_vec();
        Hours { calendar: "test".into(), digest: B256::ZERO, changes, ends_at: Wall::from_s(400) }
    }

    fn market(closed: Conduct) -> Market {
        let conduct = [
            (Status::Open, Conduct::Normal),
            (Status::HalfDay, Conduct::Normal),
            (Status::Closed, closed),
            (Status::Unknown, Conduct::Freeze),
        ];
        Market { hours: hours().into(), conduct: conduct.into() }
    }

    #[test]
    fn a_status_holds_from_its_instant_on_and_beyond_the_ends_nothing_is_known() {
        use Status::*;
        for (at_ms, status, since, until) in [
            (0, Unknown, None, Some(50)),
            (49_999, Unknown, None, Some(50)),
            (50_000, Closed, Some(50), Some(100)),
            (99_999, Closed, Some(50), Some(100)),
            (100_000, Open, Some(100), Some(200)),
            (199_999, Open, Some(100), Some(200)),
            (200_000, Closed, Some(200), Some(300)),
            (300_000, HalfDay, Some(300), Some(350)),
            (399_999, Closed, Some(350), Some(400)),
            (400_000, Unknown, Some(400), None),
            (u64::MAX / 4, Unknown, Some(400), None),
        ] {
            let expected = Stretch { status, since: since.map(Wall::from_s), until: until.map(Wall::from_s) };
            let at = Wall::from_ms(i64::try_from(at_ms).unwrap());
            assert_eq!(hours().at(at), expected, "{at_ms}");
        }
        assert_eq!(hours().statuses().collect::<Vec<_>>(), [Open, HalfDay, Closed, Unknown]);
    }

    #[test]
    fn an_opening_waits_for_quotes_of_after_it() {
        use Conduct::*;
        for (closed, as_of, now, conduct) in [
            (Freeze, Some(90), 99, Freeze),
            (Freeze, None, 100, Freeze),
            (Freeze, Some(99), 110, Freeze),
            (Freeze, Some(100), 110, Normal),
            (Freeze, Some(150), 199, Normal),
            (Freeze, Some(199), 200, Freeze),
            (Freeze, Some(299), 301, Freeze),
            (Freeze, Some(300), 301, Normal),
            (HeartbeatOnly, Some(99), 110, HeartbeatOnly),
            (HeartbeatOnly, None, 110, HeartbeatOnly),
            (HeartbeatOnly, Some(100), 110, Normal),
            // What was never closed has nothing to warm up from.
            (Normal, Some(99), 110, Normal),
            (Normal, None, 110, Normal),
            // Beyond the calendar, and before it.
            (Normal, Some(400), 400, Freeze),
            (Normal, Some(10), 10, Freeze),
            (Normal, Some(49), 51, Freeze),
            (Normal, Some(50), 51, Normal),
        ] {
            let as_of = as_of.map(Wall::from_s);
            assert_eq!(
                market(closed).conduct(as_of, Wall::from_s(now)),
                conduct,
                "{closed:?} {as_of:?} {now}"
            );
        }
        let silent = Market { conduct: BTreeMap::new(), ..market(Normal) };
        assert_eq!(silent.conduct(Some(Wall::from_s(150)), Wall::from_s(150)), Freeze);
    }
}
