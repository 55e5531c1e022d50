//! The shipped calendars at the moments where calendars go wrong, and files that say nothing sensible.

use super::*;
use crate::fuzz::fuzz;
use publisher_core::policy::{Cron, Stretch};
use std::cell::Cell;

fn parsed(name: &str) -> Calendar {
    let (name, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name).unwrap();
    Calendar::parse(name, text).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

fn at(utc: &str) -> Wall {
    wall(utc.parse().unwrap())
}

/// What a market does from an instant on, and what it did a millisecond before.
fn changes(calendar: &Calendar, utc: &str) -> [Status; 2] {
    let now = at(utc);
    let before = now - publisher_core::time::Span::from_ms(1);
    [before, now].map(|at| calendar.hours.at(at).status)
}

#[test]
fn shipped_calendars_are_right_and_know_what_they_are() {
    let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["fx", "lse", "nyse"]);
    for name in names {
        let calendar = parsed(name);
        assert!(calendar.about.len() > 10, "{name}");
        assert_eq!(calendar.hours.changes[0].1, Status::Closed, "{name}: New Year's Day");
        assert!(calendar.hours.changes.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1), "{name}");
        assert!(calendar.hours.ends_at >= at("2028-01-01T00:00:00Z"), "{name}");
    }
}

/// The vectors of the design: openings and closes beside the changes of clocks on both sides of the Atlantic, days that
/// end early, and holidays. Without them a feed is an hour off for the weeks in which two continents disagree.
#[test]
fn markets_open_and_close_when_clocks_there_say_so() {
    use Status::{Closed, HalfDay, Open, Post, Pre};
    let (fx, nyse, lse) = (parsed("fx"), parsed("nyse"), parsed("lse"));
    for (calendar, utc, status) in [
        (&fx, "2026-03-06T22:00:00Z", [Open, Closed]),
        (&fx, "2026-03-08T21:00:00Z", [Closed, Open]),
        (&fx, "2026-10-30T21:00:00Z", [Open, Closed]),
        (&fx, "2026-11-01T22:00:00Z", [Closed, Open]),
        (&fx, "2026-03-10T21:00:00Z", [Open, Open]),
        (&fx, "2026-12-24T22:00:00Z", [Open, Closed]),
        (&fx, "2026-12-27T22:00:00Z", [Closed, Open]),
        (&fx, "2026-12-31T22:00:00Z", [Open, Closed]),
        (&fx, "2027-01-03T22:00:00Z", [Closed, Open]),
        (&nyse, "2026-03-06T14:30:00Z", [Pre, Open]),
        (&nyse, "2026-03-06T21:00:00Z", [Open, Post]),
        (&nyse, "2026-03-09T13:30:00Z", [Pre, Open]),
        (&nyse, "2026-11-02T14:30:00Z", [Pre, Open]),
        (&nyse, "2026-03-09T08:00:00Z", [Closed, Pre]),
        (&nyse, "2026-03-10T00:00:00Z", [Post, Closed]),
        (&nyse, "2026-11-27T14:30:00Z", [Pre, HalfDay]),
        (&nyse, "2026-11-27T18:00:00Z", [HalfDay, Post]),
        (&nyse, "2026-12-24T18:00:00Z", [HalfDay, Post]),
        (&nyse, "2026-07-02T13:30:00Z", [Pre, Open]),
        (&nyse, "2026-07-03T13:30:00Z", [Closed, Closed]),
        (&nyse, "2026-07-06T13:30:00Z", [Pre, Open]),
        (&nyse, "2026-03-08T14:30:00Z", [Closed, Closed]),
        (&lse, "2026-03-27T08:00:00Z", [Closed, Open]),
        (&lse, "2026-03-30T07:00:00Z", [Closed, Open]),
        (&lse, "2026-03-30T15:30:00Z", [Open, Closed]),
        (&lse, "2026-10-26T08:00:00Z", [Closed, Open]),
        (&lse, "2026-12-24T12:30:00Z", [HalfDay, Closed]),
        (&lse, "2026-12-28T08:00:00Z", [Closed, Closed]),
        // Two weeks in which New York has moved its clocks and London has not.
        (&lse, "2026-03-16T08:00:00Z", [Closed, Open]),
        (&nyse, "2026-03-16T13:30:00Z", [Pre, Open]),
    ] {
        assert_eq!(changes(calendar, utc), status, "{} {utc}", calendar.hours.calendar);
    }
}

#[test]
fn a_calendar_says_nothing_beyond_its_own_days() {
    let nyse = parsed("nyse").hours;
    // The days are those of its zone.
    for (utc, known) in [
        ("2026-01-01T04:59:59Z", false),
        ("2026-01-01T05:00:00Z", true),
        ("2028-01-01T04:59:59Z", true),
        ("2028-01-01T05:00:00Z", false),
    ] {
        assert_eq!(nyse.at(at(utc)).status != Status::Unknown, known, "{utc}");
    }
    let Stretch { since, until, .. } = nyse.at(at("2026-07-03T12:00:00Z"));
    assert_eq!((since, until), (Some(at("2026-07-03T00:00:00Z")), Some(at("2026-07-06T08:00:00Z"))));
}

const GOOD: &str = r#"
about = "a market"
zone = "Europe/London"
from = "2026-01-01"
to = "2026-12-31"
holidays = ["2026-12-25"]
[[week]]
days = ["mon", "fri"]
sessions = [{ status = "open", from = "08:00", to = "16:00" }]
[[except]]
dates = ["2026-12-21"]
sessions = [{ status = "half_day", from = "08:00", to = "12:00" }]
"#;

/// Some exchanges close by the second, as after an auction.
#[test]
fn a_session_may_begin_and_end_at_a_second() {
    let text = GOOD.replace("from = \"08:00\", to = \"16:00\"", "from = \"08:00:05\", to = \"16:29:30\"");
    let calendar = Calendar::parse("mine", &text).unwrap();
    assert_eq!(changes(&calendar, "2026-01-02T08:00:05Z"), [Status::Closed, Status::Open]);
    assert_eq!(changes(&calendar, "2026-01-02T16:29:30Z"), [Status::Open, Status::Closed]);
}

/// Shares that trade from Sunday evening to Friday evening have a thin session every night, which begins on the day before.
#[test]
fn a_night_of_trading_is_a_session_that_ends_on_the_next_day() {
    let text = GOOD.replace(
        "to = \"16:00\" }",
        "to = \"16:00\" }, { status = \"overnight\", from = \"20:00\", to = \"08:00\" }",
    );
    let text = text.replace("\"mon\", \"fri\"", "\"mon\", \"tue\"").replace("2026-12-25", "2026-12-22");
    let calendar = Calendar::parse("mine", &text).unwrap();
    assert_eq!(changes(&calendar, "2026-01-05T20:00:00Z"), [Status::Closed, Status::Overnight]);
    assert_eq!(changes(&calendar, "2026-01-06T08:00:00Z"), [Status::Overnight, Status::Open]);
    assert_eq!(changes(&calendar, "2026-01-07T08:00:00Z"), [Status::Overnight, Status::Closed]);
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_the_reason() {
    assert!(Calendar::parse("mine", GOOD).is_ok());
    for (from, to, reason) in [
        ("zone = \"Europe/London\"", "zone = \"Europe/Lodnon\"", "no zone"),
        ("zone = \"Europe/London\"", "", "missing field `zone`"),
        ("about", "abuot", "unknown field `abuot`, expected"),
        ("to = \"2026-12-31\"", "until = \"2026-12-31\"", "(line 5)"),
        ("from = \"2026-01-01\"", "from = \"2027-01-01\"", "backwards"),
        ("from = \"2026-01-01\"", "from = \"1990-01-01\"", "more than 20 years"),
        ("from = \"2026-01-01\"", "from = \"2026-02-30\"", "not a date"),
        ("\"mon\", \"fri\"", "\"mon\", \"fry\"", "none of mon"),
        ("\"mon\", \"fri\"", "\"mon\", \"mon\"", "says twice"),
        ("2026-12-25", "2026-12-26", "no day of trading"),
        ("2026-12-25", "2027-12-24", "out of range"),
        ("\"2026-12-25\"", "\"2026-12-25\", \"2026-12-25\"", "named twice"),
        ("2026-12-21", "2026-12-25", "named twice"),
        ("\"open\"", "\"closed\"", "no status of a session"),
        ("\"open\"", "\"halted\"", "use open, half_day, pre, post or overnight"),
        ("from = \"08:00\", to = \"16:00\"", "from = \"8:00\", to = \"16:00\"", "not a time"),
        ("from = \"08:00\", to = \"16:00\"", "from = \"08:00\", to = \"24:00\"", "not a time"),
        ("from = \"08:00\", to = \"16:00\"", "from = \"08:00:5\", to = \"16:00\"", "not a time"),
        ("from = \"08:00\", to = \"16:00\"", "from = \"08:00\", to = \"16:00.50\"", "not a time"),
        (
            "[{ status = \"half_day\", from = \"08:00\", to = \"12:00\" }]",
            "[{ status = \"half_day\", from = \"08:00\", to = \"12:00\" }, { status = \"post\", from = \"11:00\", to = \"13:00\" }]",
            "begins before",
        ),
    ] {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let fault = Calendar::parse("mine", &GOOD.replace(from, to)).unwrap_err();
        assert!(fault.contains(reason), "{to}: {fault}");
    }
}

/// Without this a file that an operator gets from elsewhere stops the daemon, or gives a table in which nothing is found.
#[test]
fn fuzz_calendars() {
    let read = Cell::new(0);
    fuzz("calendar", SHIPPED.iter().map(|(_, text)| text.as_bytes().to_vec()), |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(calendar) = Calendar::parse("mine", text) else { return };
        let hours = &calendar.hours;
        assert!(hours.changes.is_sorted_by(|a, b| a.0 < b.0 && a.1 != b.1), "{:?}", hours.changes);
        assert!(hours.changes.iter().all(|(at, _)| *at < hours.ends_at), "{:?}", hours.changes);
        read.set(read.get() + 1);
    });
    assert!(read.get() > 0, "no calendar was read");
}

/// Without this an expression is taken that never comes, or that names a time at which nothing is due.
#[test]
fn fuzz_cron_expressions() {
    // Half an hour after the clocks of London were put forward.
    let now = at("2026-03-29T01:30:00Z");
    let zones = ["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu"];
    let zones = zones.map(|name| Zone::named(name).unwrap().offsets());
    let read = Cell::new(0);
    fuzz("cron", [], |bytes| {
        let Some(cron) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Cron>().ok()) else {
            return;
        };
        assert!(cron.latest(&zones[0], now).is_some(), "it never came");
        for zone in &zones {
            // Elsewhere the only one may have been left out by the clocks.
            let Some(latest) = cron.latest(zone, now) else { continue };
            assert!(latest <= now && latest.ms() % 60_000 == 0, "{latest:?}");
            assert_eq!(cron.latest(zone, latest), Some(latest), "it has come when it comes");
        }
        read.set(read.get() + 1);
    });
    assert!(read.get() > 0, "no expression was read");
}
