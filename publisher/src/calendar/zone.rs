//! Zones: what a clock on a wall somewhere shows, as an instant.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use publisher_core::policy::Offsets;
use publisher_core::time::Wall;

/// Offsets are worked out up to the year 2100.
const OFFSETS_END_S: i64 = 4_102_444_800;

/// A zone of the IANA database that comes with the program: the machine's own may be older, or absent.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let zone = TimeZoneDatabase::bundled().get(name);
        zone.map(Self).map_err(|_| format!("{name:?} is no zone such as \"Europe/London\""))
    }

    /// Its offsets from UTC, as far as anybody can tell what daylight saving will be.
    pub fn offsets(&self) -> Offsets {
        let wall = |at: Timestamp| Wall::from_ms(at.as_millisecond());
        let first = Timestamp::UNIX_EPOCH;
        let known = self.0.following(first).take_while(|next| next.timestamp().as_second() < OFFSETS_END_S);
        let changes = known.map(|next| (wall(next.timestamp()), next.offset().seconds()));
        Offsets::new(
            std::iter::once((wall(first), self.0.to_offset(first).seconds())).chain(changes).collect(),
        )
    }

    /// The instant of a local time. One that daylight saving leaves out is the first that there is after it; of one that
    /// there is twice it is the first.
    ///
    /// # Errors
    /// If it is too far away.
    pub fn instant(&self, local: DateTime) -> Result<Timestamp, String> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        let at = match ambiguous.offset() {
            // By the clock of after the gap it is an instant before it, so that the gap is what follows.
            AmbiguousOffset::Gap { after, .. } => {
                let before = after.to_timestamp(local);
                before.map(|before| self.0.following(before).next().map_or(before, |gap| gap.timestamp()))
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier(),
        };
        at.map_err(|_| format!("{local} is out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offsets_of_a_zone_are_those_of_its_clocks() {
        let at = |utc: &str| Wall::from_ms(utc.parse::<Timestamp>().unwrap().as_millisecond());
        let daily: publisher_core::policy::Cron = "30 8 * * *".parse().unwrap();
        for (zone, now, latest) in [
            ("America/New_York", "2026-03-07T20:00:00Z", "2026-03-07T13:30:00Z"),
            ("America/New_York", "2026-03-08T20:00:00Z", "2026-03-08T12:30:00Z"),
            ("Europe/London", "2026-03-28T20:00:00Z", "2026-03-28T08:30:00Z"),
            ("Europe/London", "2026-03-29T20:00:00Z", "2026-03-29T07:30:00Z"),
            ("Europe/London", "2099-07-01T20:00:00Z", "2099-07-01T07:30:00Z"),
            ("Asia/Kolkata", "2026-03-29T20:00:00Z", "2026-03-29T03:00:00Z"),
            ("UTC", "2026-03-29T20:00:00Z", "2026-03-29T08:30:00Z"),
        ] {
            let offsets = Zone::named(zone).unwrap().offsets();
            assert_eq!(daily.latest(&offsets, at(now)), Some(at(latest)), "{zone} {now}");
        }
    }

    #[test]
    fn a_time_that_is_left_out_is_the_first_after_it_and_one_that_is_there_twice_the_first() {
        for (zone, local, utc) in [
            ("America/New_York", "2026-03-08T01:59:59", "2026-03-08T06:59:59Z"),
            ("America/New_York", "2026-03-08T02:00:00", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-03-08T03:00:00", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
            ("America/New_York", "2026-11-01T02:00:00", "2026-11-01T07:00:00Z"),
            ("Europe/London", "2026-03-29T01:30:00", "2026-03-29T01:00:00Z"),
            ("Europe/London", "2026-10-25T01:30:00", "2026-10-25T00:30:00Z"),
            // Half an hour is left out here.
            ("Australia/Lord_Howe", "2026-10-04T02:10:00", "2026-10-03T15:30:00Z"),
            // A whole day was.
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
            ("UTC", "2026-03-08T02:30:00", "2026-03-08T02:30:00Z"),
        ] {
            let at = Zone::named(zone).unwrap().instant(local.parse().unwrap()).unwrap();
            assert_eq!(at.to_string(), utc, "{zone} {local}");
        }
        assert!(Zone::named("Europe/Lodnon").is_err());
    }
}
