//! When markets trade: a calendar file in, a table of instants out, on which the core decides.
//!
//! A calendar is data: a zone, what a week looks like, and the days that differ. Zones and their daylight saving come
//! with the program, so that every machine makes the same table of a file. A file says from when to when it is right;
//! beyond that nothing is known, rather than what last year would suggest.

mod zone;

pub use zone::Zone;

use crate::config::Lines;
use alloy::primitives::keccak256;
use jiff::civil::{Date, Time, Weekday};
use jiff::{Timestamp, ToSpan};
use publisher_core::policy::{Hours, Status};
use publisher_core::time::Wall;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The calendars that come with the program: each one's name and text.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/calendars.rs"));

/// A calendar reaches no further than this, which bounds its table.
const YEARS_MAX: i16 = 20;

/// What a file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    zone: String,
    from: String,
    to: String,
    #[serde(default)]
    holidays: Vec<String>,
    week: Vec<Week>,
    #[serde(default)]
    except: Vec<Except>,
}

/// What these days of every week look like.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Week {
    days: Vec<String>,
    sessions: Vec<Session>,
}

/// What these days look like instead.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Except {
    dates: Vec<String>,
    sessions: Vec<Session>,
}

/// A time of trading. It belongs to the day on which it begins; one that does not end after it begins ends on the next.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    status: String,
    from: String,
    to: String,
}

/// A session that has been read: its status, and when it begins and ends.
type Trading = (Status, Time, Time);

/// A calendar.
#[derive(Debug)]
pub struct Calendar {
    /// What it is, for people.
    pub about: String,
    /// When the market trades.
    pub hours: Arc<Hours>,
}

/// The calendars that come with the program, by name. Its tests read every one of them.
pub fn shipped() -> &'static BTreeMap<&'static str, Calendar> {
    static ALL: LazyLock<BTreeMap<&str, Calendar>> = LazyLock::new(|| {
        SHIPPED.iter().filter_map(|(name, text)| Some((*name, Calendar::parse(name, text).ok()?))).collect()
    });
    &ALL
}

impl Calendar {
    /// Reads a calendar.
    ///
    /// # Errors
    /// With what is wrong with it, in words.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line = Lines::of(text).at(error.span().map_or(0, |span| span.start));
            format!("{} (line {line})", error.message().replace('\n', ", "))
        })?;
        let zone = Zone::named(&file.zone)?;
        let (from, to) = (date(&file.from)?, date(&file.to)?);
        if from > to || to.year() - from.year() > YEARS_MAX {
            return Err(format!(
                "valid from {from} to {to}, which is backwards or more than {YEARS_MAX} years"
            ));
        }
        let days = file.days((from, to))?;
        // From the first moment of the first day to the last one of the last.
        let begins_at = zone.instant(from.at(0, 0, 0, 0))?;
        let ends_at = zone.instant(next_day(to)?.at(0, 0, 0, 0))?;
        let mut table = Table { changes: vec![(begins_at, Status::Closed)], open_until: begins_at };
        for (day, sessions) in days {
            for (status, from, to) in sessions {
                let last = if to > from { day } else { next_day(day)? };
                table.trade(
                    day,
                    status,
                    (zone.instant(day.to_datetime(from))?, zone.instant(last.to_datetime(to))?),
                )?;
            }
        }
        table.close();
        let mut changes: Vec<(Wall, Status)> =
            table.changes.into_iter().filter(|(at, _)| *at < ends_at).map(|(at, s)| (wall(at), s)).collect();
        changes.dedup_by_key(|(_, status)| *status);
        let digest = keccak256(text);
        let hours = Hours { calendar: name.into(), digest, changes, ends_at: wall(ends_at) };
        Ok(Self { about: file.about, hours: Arc::new(hours) })
    }
}

impl File {
    /// The sessions of every day on which the market trades.
    fn days(&self, (from, to): (Date, Date)) -> Result<BTreeMap<Date, Vec<Trading>>, String> {
        let mut week: BTreeMap<i8, Vec<Trading>> = BTreeMap::new();
        for Week { days, sessions } in &self.week {
            let sessions = read(sessions)?;
            for day in days {
                if week.insert(weekday(day)?.to_monday_zero_offset(), sessions.clone()).is_some() {
                    return Err(format!("says twice what every {day} looks like"));
                }
            }
        }
        let every = |day: Date| week.get(&day.weekday().to_monday_zero_offset());
        let all = from.series(1.day()).take_while(|day| *day <= to);
        let mut days: BTreeMap<Date, Vec<Trading>> =
            all.filter_map(|day| Some((day, every(day)?.clone()))).collect();
        // A day that differs is one on which the market would trade: whatever else it is, it is a mistake.
        let mut differ = |text: &String, sessions: Vec<Trading>| {
            let day = date(text)?;
            match days.get_mut(&day).filter(|usual| every(day) == Some(usual)) {
                Some(usual) => *usual = sessions,
                None => {
                    return Err(format!("{day} is no day of trading, is named twice, or is out of range"));
                }
            }
            Ok(())
        };
        self.holidays.iter().try_for_each(|day| differ(day, Vec::new()))?;
        for Except { dates, sessions } in &self.except {
            let sessions = read(sessions)?;
            dates.iter().try_for_each(|day| differ(day, sessions.clone()))?;
        }
        Ok(days)
    }
}

/// The table as it grows.
struct Table {
    changes: Vec<(Timestamp, Status)>,
    /// When the last session ends.
    open_until: Timestamp,
}

impl Table {
    fn trade(&mut self, day: Date, status: Status, (from, to): (Timestamp, Timestamp)) -> Result<(), String> {
        if from < self.open_until {
            return Err(format!("a session of {day} begins before the one before it has ended"));
        }
        if from == to {
            // The clocks leave all of it out that day.
            return Ok(());
        }
        if from > self.open_until {
            self.close();
        }
        self.changes.push((from, status));
        self.open_until = to;
        Ok(())
    }

    fn close(&mut self) {
        self.changes.push((self.open_until, Status::Closed));
    }
}

fn read(sessions: &[Session]) -> Result<Vec<Trading>, String> {
    let trading = |session: &Session| {
        let known = [Status::Open, Status::HalfDay, Status::Pre, Status::Post, Status::Overnight];
        let status = known.into_iter().find(|status| status.code() == session.status);
        let status = status.ok_or_else(|| {
            format!(
                "{:?} is no status of a session: use open, half_day, pre, post or overnight",
                session.status
            )
        })?;
        Ok((status, time(&session.from)?, time(&session.to)?))
    };
    sessions.iter().map(trading).collect()
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{text:?} is not a date such as \"2026-12-24\""))
}

fn time(text: &str) -> Result<Time, String> {
    let colons = |at: &[usize]| at.iter().all(|at| text.as_bytes().get(*at) == Some(&b':'));
    let well_formed = (text.len() == 5 && colons(&[2])) || (text.len() == 8 && colons(&[2, 5]));
    let time = well_formed.then(|| text.parse().ok()).flatten();
    time.ok_or_else(|| format!("{text:?} is not a time such as \"09:30\" or \"16:29:30\""))
}

fn weekday(text: &str) -> Result<Weekday, String> {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    Ok(match text {
        "mon" => Monday,
        "tue" => Tuesday,
        "wed" => Wednesday,
        "thu" => Thursday,
        "fri" => Friday,
        "sat" => Saturday,
        "sun" => Sunday,
        _ => return Err(format!("{text:?} is none of mon, tue, wed, thu, fri, sat, sun")),
    })
}

fn next_day(day: Date) -> Result<Date, String> {
    day.tomorrow().map_err(|_| format!("nothing is known beyond {day}"))
}

/// An instant for people: `2026-03-09T13:30:00Z`.
pub fn utc(at: Wall) -> String {
    Timestamp::from_millisecond(at.ms()).map_or_else(|_| format!("{at:?}"), |at| at.to_string())
}

/// Reads such an instant; `None`: it is none, or does not say where it is that time.
pub fn instant(text: &str) -> Option<Wall> {
    text.parse().ok().map(wall)
}

fn wall(at: Timestamp) -> Wall {
    Wall::from_ms(at.as_millisecond())
}

#[cfg(test)]
mod tests;
