//! A market that opens and closes, and what a feed of it says meanwhile.
//!
//! The core knows no zones, holidays or daylight saving: whoever configures it makes a table of a calendar, the instants
//! at which the market changes, and this module looks things up in it. Beyond its ends the status is unknown, so that a
//! calendar that was forgotten is not taken for one that says *open*.

use super::Policy;
use crate::price::Ratio;
use crate::time::{Span, Wall};
use alloy_primitives::B256;
use std::collections::BTreeMap;
use std::fmt;
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
    /// It trades thinly at night, between two days of a market that trades around the clock on weekdays.
    Overnight,
    /// It does not trade.
    Closed,
    /// It would trade, and somebody has stopped it: no calendar says this, but an operator.
    Halted,
    /// The calendar does not reach so far.
    Unknown,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::HalfDay,
        Self::Pre,
        Self::Post,
        Self::Overnight,
        Self::Closed,
        Self::Halted,
        Self::Unknown,
    ];

    /// The name in configuration, logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfDay => "half_day",
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Overnight => "overnight",
            Self::Closed => "closed",
            Self::Halted => "halted",
            Self::Unknown => "unknown",
        }
    }
}

/// What a feed does while its market has some status. What says less is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conduct {
    /// Every rule holds.
    #[default]
    Normal,
    /// Every rule holds, with thresholds of deviation that are so many times as large.
    Widen(Ratio),
    /// Every rule holds, for what the feed's sources of off hours say.
    SwitchSource,
    /// Heartbeats repeat the last value that was computed before.
    HeartbeatOnly,
    /// Nothing is published.
    Freeze,
}

impl Conduct {
    /// Whether what is published is what is computed at that moment.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Normal | Self::Widen(_) | Self::SwitchSource)
    }
}

/// The name in configuration, the journal and JSON: `normal`, `widen:3x`, `switch_source`, `heartbeat_only`,
/// `freeze`.
impl fmt::Display for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Widen(factor) => write!(f, "widen:{}", factor.multiple()),
            Self::SwitchSource => f.write_str("switch_source"),
            Self::HeartbeatOnly => f.write_str("heartbeat_only"),
            Self::Freeze => f.write_str("freeze"),
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

/// A time in which an operator says that a market does not trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When it began.
    pub since: Wall,
    /// When it ends, or ended, by itself or by another word.
    pub until: Wall,
}

/// What is known of the value of one set of a feed's sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// When the oldest quote was true that counted in its last value; `None`: there has been none.
    pub as_of: Option<Wall>,
    /// Whether it has a value now.
    pub speaks: bool,
}

impl Said {
    /// The same after a look that found a value as old as this, or none.
    pub fn then(self, as_of: Option<Wall>) -> Self {
        Self { as_of: as_of.or(self.as_of), speaks: as_of.is_some() }
    }
}

/// The same of each set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Of the sources that it has at all times.
    pub main: Said,
    /// Of those of off hours.
    pub off_hours: Said,
}

impl Sets {
    /// The set that is published under a conduct.
    pub const fn of(&self, conduct: Conduct) -> &Said {
        match conduct {
            Conduct::SwitchSource => &self.off_hours,
            _ => &self.main,
        }
    }

    /// The same, with a value of that set that is as old as this.
    pub fn with(mut self, conduct: Conduct, as_of: Wall) -> Self {
        match conduct {
            Conduct::SwitchSource => self.off_hours = self.off_hours.then(Some(as_of)),
            _ => self.main = self.main.then(Some(as_of)),
        }
        self
    }
}

/// A feed's market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// When it trades.
    pub hours: Arc<Hours>,
    /// What the feed does meanwhile. Of a status that is not here nothing is known, so nothing is published.
    pub conduct: BTreeMap<Status, Conduct>,
    /// When it was halted whatever its calendar says, and until when it is: those of before matter as long as quotes of
    /// before their end may count.
    pub halts: Vec<Halt>,
}

impl Market {
    /// The stretch that an instant is in, by the calendar and by what was said of halts, which goes before it.
    pub fn at(&self, now: Wall) -> Stretch {
        let hours = self.hours.at(now);
        let standing = || self.halts.iter().filter(|halt| halt.since <= now && now < halt.until);
        if let Some(until) = standing().map(|halt| halt.until).max() {
            let since = standing().map(|halt| halt.since).min();
            return Stretch { status: Status::Halted, since, until: Some(until) };
        }
        let resumed = self.halts.iter().map(|halt| halt.until).filter(|until| *until <= now).max();
        Stretch { since: hours.since.max(resumed), ..hours }
    }

    /// What the feed does now, given what its sets of sources have said. At an opening the conduct of
    /// before goes on, where that says less, until every quote that counts is of after it: what is left of yesterday
    /// would else be today's first price. The end of a halt is an opening.
    ///
    /// Where the conduct of before is that of off hours, its sources trade on, so that they are true until those of the
    /// day are. The day's are not after the close, where many venues repeat their last trade for ever: from then on
    /// nothing is published until the sources of off hours have been quoted after it, which takes as long as quotes may
    /// be old, at most. If those say nothing at all, it is their silence that is told.
    pub fn conduct(&self, sets: &Sets, now: Wall) -> Conduct {
        let mut stretch = self.at(now);
        let mut conduct = self.told(stretch.status);
        while let Some(since) = stretch.since.filter(|_| conduct.is_live()) {
            let said = sets.of(conduct);
            if said.as_of.is_some_and(|as_of| as_of >= since) {
                break;
            }
            stretch = self.at(since - Span::from_ms(1));
            conduct = match (conduct, self.told(stretch.status)) {
                (Conduct::SwitchSource, Conduct::Normal | Conduct::Widen(_)) if said.speaks => {
                    Conduct::Freeze
                }
                (conduct, before) => conduct.max(before),
            };
            if sets.of(conduct).as_of.is_none() {
                break;
            }
        }
        conduct
    }

    /// How it stands now for a feed that does this.
    pub fn state(&self, conduct: Conduct, now: Wall) -> MarketState {
        let Hours { calendar, digest, .. } = &*self.hours;
        let (calendar, digest) = (Arc::clone(calendar), *digest);
        MarketState { calendar, digest, status: self.at(now).status, conduct }
    }

    /// What the feed does while the market has a status.
    pub fn told(&self, status: Status) -> Conduct {
        self.conduct.get(&status).copied().unwrap_or(Conduct::Freeze)
    }
}

impl Policy {
    /// The policy that holds while its market lets it do only so much. Where only heartbeats are sent they repeat a
    /// value that has been judged before, so nothing deviates, nothing is a step, and no time has anything new to say.
    /// Where thresholds widen, gates, confidence and breaker stay as they are: they say what is believed, not what it is
    /// worth to publish.
    pub fn during(self, conduct: Conduct) -> Self {
        match conduct {
            Conduct::Widen(factor) => Self { conduct, ..self.widened(factor) },
            Conduct::HeartbeatOnly => {
                let (deviation, confidence, breaker, schedule) = Default::default();
                Self { conduct, deviation, confidence, breaker, schedule, ..self }
            }
            Conduct::Normal | Conduct::SwitchSource | Conduct::Freeze => Self { conduct, ..self },
        }
    }

    /// The same policy while its market was, or is, halted at these times.
    pub fn halted(mut self, halts: &[Halt]) -> Self {
        if let Some(market) = &mut self.market {
            market.halts = halts.to_vec();
        }
        self
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
        Market { hours: hours().into(), conduct: conduct.into(), halts: Vec::new() }
    }

    /// The sources of all times have a value that is as old as this, or never had one.
    fn said(as_of: Option<u64>) -> Sets {
        Sets { main: Said::default().then(as_of.map(Wall::from_s)), ..Sets::default() }
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
            assert_eq!(
                market(closed).conduct(&said(as_of), Wall::from_s(now)),
                conduct,
                "{closed:?} {as_of:?} {now}"
            );
        }
        let silent = Market { conduct: BTreeMap::new(), ..market(Normal) };
        assert_eq!(silent.conduct(&said(Some(150)), Wall::from_s(150)), Freeze);
    }

    /// Halted for fifty seconds within the session, for the last of the break and the first of the half day, and, by two
    /// words, around its close.
    fn halted(halted: Conduct) -> Market {
        let market = market(Conduct::HeartbeatOnly);
        let mut conduct = market.conduct;
        conduct.insert(Status::Halted, halted);
        let halts = [(120, 170), (290, 310), (340, 355), (345, 360)];
        let halts =
            halts.map(|(since, until)| Halt { since: Wall::from_s(since), until: Wall::from_s(until) });
        Market { conduct, halts: halts.to_vec(), ..market }
    }

    #[test]
    fn a_halt_goes_before_the_calendar_and_leaves_it_as_it_was() {
        use Status::*;
        let market = halted(Conduct::Freeze);
        for (at_ms, status, since, until) in [
            (119_999, Open, 100, 200),
            (120_000, Halted, 120, 170),
            (169_999, Halted, 120, 170),
            (170_000, Open, 170, 200),
            (200_000, Closed, 200, 300),
            (290_000, Halted, 290, 310),
            (309_999, Halted, 290, 310),
            (310_000, HalfDay, 310, 350),
            (344_999, Halted, 340, 355),
            (345_000, Halted, 340, 360),
            (359_999, Halted, 345, 360),
            (360_000, Closed, 360, 400),
        ] {
            let (since, until) = (Some(Wall::from_s(since)), Some(Wall::from_s(until)));
            assert_eq!(market.at(Wall::from_ms(at_ms)), Stretch { status, since, until }, "{at_ms}");
        }
    }

    #[test]
    fn the_end_of_a_halt_is_an_opening() {
        use Conduct::*;
        for (halt, as_of, now, conduct) in [
            (Freeze, Some(119), 119, Normal),
            (Freeze, Some(120), 120, Freeze),
            (Freeze, Some(169), 170, Freeze),
            (Freeze, Some(150), 199, Freeze),
            (Freeze, None, 170, Freeze),
            (Freeze, Some(170), 171, Normal),
            (HeartbeatOnly, Some(169), 170, HeartbeatOnly),
            // A halt within a break, and one that outlasts it: what was said at night is no morning's price.
            (Freeze, Some(309), 311, Freeze),
            (Freeze, Some(310), 311, Normal),
            // Where a halt changes nothing, what was before it counts: the day is one, but the morning is not the night.
            (Normal, Some(119), 171, Normal),
            (Normal, Some(99), 171, HeartbeatOnly),
            (Normal, Some(290), 311, Normal),
            (Normal, Some(289), 311, HeartbeatOnly),
        ] {
            let told = halted(halt).conduct(&said(as_of), Wall::from_s(now));
            assert_eq!(told, conduct, "{halt:?} {as_of:?} {now}");
        }
        // Nothing said of halts: nothing is published in one.
        let mut silent = halted(Freeze);
        silent.conduct.remove(&Status::Halted);
        assert_eq!(silent.conduct(&said(Some(150)), Wall::from_s(150)), Freeze);
    }

    /// Thresholds that are wide at night are so at once, and until no quote of the night counts.
    #[test]
    fn the_wider_of_two_conducts_holds_while_quotes_of_both_count() {
        let (wide, wider) =
            (Conduct::Widen("200%".parse().unwrap()), Conduct::Widen("300%".parse().unwrap()));
        for (closed, half_day, as_of, now, expected) in [
            (wide, Conduct::Normal, 199, 200, wide),
            (wide, Conduct::Normal, 299, 300, wide),
            (wide, Conduct::Normal, 300, 300, Conduct::Normal),
            (wide, wider, 299, 300, wider),
            (wider, wide, 299, 300, wider),
            (wider, wide, 300, 300, wide),
            (Conduct::HeartbeatOnly, wide, 299, 300, Conduct::HeartbeatOnly),
        ] {
            let mut market = market(closed);
            market.conduct.insert(Status::HalfDay, half_day);
            let told = market.conduct(&said(Some(as_of)), Wall::from_s(now));
            assert_eq!(told, expected, "{closed} {half_day} {as_of} {now}");
        }
        assert_eq!([wide.to_string(), Conduct::Freeze.to_string()], ["widen:2x", "freeze"]);
        assert!(Conduct::Normal < wide && wide < wider && wider < Conduct::HeartbeatOnly);
    }

    /// Without this a close makes a price of quotes of before it, an opening makes one of Friday's, a market that fails at
    /// noon is spoken for by sources of off hours, and sources of off hours that are dead are silent like a frozen feed.
    #[test]
    fn sources_of_off_hours_speak_from_the_close_until_the_opening_is_quoted() {
        use Conduct::*;
        let now = |at: u64| (Some(at), true);
        let once = |at: u64| (Some(at), false);
        let never = (None, false);
        for (at, main, off_hours, conduct) in [
            // Open: those of off hours are nobody's, whatever the others say.
            (150, now(149), now(150), Normal),
            (150, once(120), now(150), Normal),
            // Closed: of each other's quotes of before it nothing is made, and what the day's sources repeat is no price.
            (200, now(200), now(199), Freeze),
            (201, now(201), now(199), Freeze),
            (201, now(201), now(200), SwitchSource),
            (250, now(250), now(249), SwitchSource),
            // Silent sources of off hours are told to be silent: before they are first heard, and later.
            (201, now(201), never, SwitchSource),
            (250, now(250), once(150), SwitchSource),
            (250, now(250), once(220), SwitchSource),
            // Opening: they go on until all of the day's are quoted after it, and do not come back.
            (300, now(299), now(300), SwitchSource),
            (310, once(250), now(310), SwitchSource),
            (310, never, now(310), SwitchSource),
            (310, now(300), now(310), Normal),
            (310, once(305), now(310), Normal),
            // Nobody is quoted after it.
            (310, once(250), once(220), SwitchSource),
            (310, now(299), now(199), Freeze),
            (310, never, never, SwitchSource),
            // The calendar ends.
            (400, now(400), now(400), Freeze),
        ] {
            let set = |(as_of, speaks): (Option<u64>, bool)| Said { as_of: as_of.map(Wall::from_s), speaks };
            let sets = Sets { main: set(main), off_hours: set(off_hours) };
            let told = market(SwitchSource).conduct(&sets, Wall::from_s(at));
            assert_eq!(told, conduct, "{at} {main:?} {off_hours:?}");
        }
        assert_eq!(SwitchSource.to_string(), "switch_source");
        assert!(SwitchSource.is_live() && Widen(Ratio::ONE) < SwitchSource && SwitchSource < HeartbeatOnly);
    }

    /// Without this the quotes of before a halt are the first price in it or after it, whichever set they are of.
    #[test]
    fn a_halt_between_two_sets_of_sources_is_a_boundary_for_both() {
        use Conduct::*;
        let at_halt = |closed: Conduct, halt: Conduct| {
            let mut market = halted(halt);
            market.conduct.insert(Status::Closed, closed);
            market
        };
        for (closed, halt, at, main, off_hours, conduct) in [
            // Within a session, from 120 to 170.
            (Freeze, SwitchSource, 120, 119, 119, Freeze),
            (Freeze, SwitchSource, 121, 121, 120, SwitchSource),
            (Freeze, SwitchSource, 170, 169, 169, SwitchSource),
            (Freeze, SwitchSource, 171, 170, 169, Normal),
            // Within a break, from 290 on, and beyond the opening of 300 to 310.
            (SwitchSource, Freeze, 291, 291, 291, Freeze),
            (SwitchSource, SwitchSource, 291, 291, 289, SwitchSource),
            (SwitchSource, Freeze, 311, 309, 309, Freeze),
            (SwitchSource, Freeze, 311, 309, 310, Freeze),
            (SwitchSource, SwitchSource, 311, 309, 309, SwitchSource),
            (SwitchSource, SwitchSource, 311, 310, 309, Normal),
            // From one that says less, that goes on.
            (HeartbeatOnly, SwitchSource, 291, 291, 289, HeartbeatOnly),
            (HeartbeatOnly, SwitchSource, 291, 291, 290, SwitchSource),
            (SwitchSource, HeartbeatOnly, 361, 361, 359, HeartbeatOnly),
            (SwitchSource, HeartbeatOnly, 361, 361, 360, SwitchSource),
        ] {
            let said = |at| Said { as_of: Some(Wall::from_s(at)), speaks: true };
            let sets = Sets { main: said(main), off_hours: said(off_hours) };
            let told = at_halt(closed, halt).conduct(&sets, Wall::from_s(at));
            assert_eq!(told, conduct, "{closed} {halt} {at} {main} {off_hours}");
        }
    }
}
