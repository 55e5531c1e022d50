//! What was asked of the venues, held against what they allow.
//!
//! One address asks here, whoever asks: all clients share the budget, and [`Budgets::use_by_others`] is what programs that
//! are not there would have used.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::limits::{self, Counts, Limit};
use super::pair::Venue;
use super::refusal::{self, Refusal};

/// What comes so soon after a refusal was under way already.
const UNDER_WAY_MS: u64 = 250;

/// Whether the venues hold clients to their limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// As the venues do.
    #[default]
    On,
    /// In periods, bans and waits that are so many times shorter, with the same numbers in each.
    Faster(u32),
    /// Use is counted and told, and nothing is refused: for tests that ask more than a venue would bear.
    Off,
}

/// What the limits of a venue made of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Units used in the present period of its first limit.
    pub used: u64,
    /// Requests that were refused as too many, those that came too soon included.
    pub refused: u64,
    /// Requests that came although an answer well before had said when to come back, and it was not yet then.
    pub too_soon: u64,
}

/// One limit's use.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    units: u64,
    /// When the present period began, or until when use has drained.
    since_ms: u64,
}

#[derive(Debug, Default)]
struct Book {
    used: Vec<Used>,
    kept: Kept,
    /// A capacity and a period in place of the first limit's.
    instead: Option<(u64, u64)>,
    /// Refusals in this period.
    refusals: u32,
    /// Nothing is answered before, and whether that is a ban.
    closed: Option<(u64, bool)>,
    /// When it was told to come back, and at what time not before.
    told: (u64, u64),
}

/// The use of all limits. Times are milliseconds of the Unix epoch, because the venues' periods begin with the clock's.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) limits: Limits,
    books: BTreeMap<Venue, Book>,
}

impl Budgets {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, books: BTreeMap::new() }
    }

    /// How many times shorter all periods are; nothing where limits do not hold.
    pub(crate) fn held_to(&self) -> Option<u64> {
        (self.limits != Limits::Off).then(|| self.speed())
    }

    fn speed(&self) -> u64 {
        match self.limits {
            Limits::Faster(speed) => u64::from(speed.max(1)),
            Limits::On | Limits::Off => 1,
        }
    }

    /// The headers of an answer to this request; or the answer that refuses it.
    pub(crate) fn ask(
        &mut self,
        venue: Venue,
        path: &str,
        query: &str,
        now_ms: u64,
    ) -> Result<Vec<(&'static str, String)>, Answer> {
        let (speed, enforced) = (self.speed(), self.held_to().is_some());
        let (rules, book) = (limits::of(venue), self.books.entry(venue).or_default());
        let symbols = symbols(query);
        let mut headers = Vec::new();
        let mut exceeded = None;
        for (at, rule) in rules.iter().enumerate() {
            let (capacity, per_ms) = book.stated(at, rule, speed);
            let used = book.pass(at, rule.counts, capacity, per_ms, now_ms);
            let after = used.saturating_add(rule.cost(path, symbols));
            if after > capacity {
                exceeded = exceeded.or(Some((rule, per_ms)));
            }
            headers.extend(rule.headers(after.min(capacity), capacity, per_ms, now_ms));
        }
        if enforced {
            book.closed = book.closed.filter(|(until, _)| *until > now_ms);
            if let Some(refused) = book.refuse(venue, rules, exceeded, speed, now_ms) {
                let told = |answer: Answer, (name, value)| answer.with_header(name, value);
                return Err(headers.into_iter().fold(refused, told));
            }
        }
        for (at, rule) in rules.iter().enumerate() {
            book.spend(at, rule.cost(path, symbols));
        }
        Ok(headers)
    }

    /// Notes use by programs that ask from the same address, in units of the venue's first limit.
    pub(crate) fn use_by_others(&mut self, venue: Venue, units: u64, now_ms: u64) {
        let speed = self.speed();
        let book = self.books.entry(venue).or_default();
        if let Some(rule) = limits::of(venue).first() {
            let (capacity, per_ms) = book.stated(0, rule, speed);
            book.pass(0, rule.counts, capacity, per_ms, now_ms);
            book.spend(0, units);
        }
    }

    /// Another capacity, in another period, of the venue's first limit.
    pub(crate) fn set(&mut self, venue: Venue, capacity: u64, per_ms: u64) {
        self.books.entry(venue).or_default().instead = Some((capacity, per_ms.max(1)));
    }

    /// What became of the venue's limits.
    pub(crate) fn kept(&self, venue: Venue) -> Kept {
        let used = |book: &Book| Kept { used: book.used.first().map_or(0, |used| used.units), ..book.kept };
        self.books.get(&venue).map(used).unwrap_or_default()
    }
}

impl Book {
    /// Capacity and period of a limit at this speed.
    fn stated(&self, at: usize, rule: &Limit, speed: u64) -> (u64, u64) {
        let (capacity, per_ms) = self.instead.filter(|_| at == 0).unwrap_or((rule.capacity, rule.per_ms));
        (capacity, (per_ms / speed).max(1))
    }

    /// Forgets what time has forgotten; what is left of the limit's use.
    fn pass(&mut self, at: usize, counts: Counts, capacity: u64, per_ms: u64, now_ms: u64) -> u64 {
        while self.used.len() <= at {
            self.used.push(Used { units: 0, since_ms: now_ms });
        }
        let Some(used) = self.used.get_mut(at) else { return 0 };
        match counts {
            Counts::Window => {
                let began = now_ms - now_ms % per_ms;
                if used.since_ms < began {
                    *used = Used { units: 0, since_ms: began };
                    self.refusals = 0;
                }
            }
            Counts::Draining => {
                let drained = now_ms.saturating_sub(used.since_ms).saturating_mul(capacity) / per_ms;
                used.units = used.units.saturating_sub(drained);
                // Only the time that whole units stand for, or what is asked often would never drain.
                used.since_ms =
                    if used.units == 0 { now_ms } else { used.since_ms + drained * per_ms / capacity.max(1) };
            }
        }
        used.units
    }

    fn spend(&mut self, at: usize, units: u64) {
        if let Some(used) = self.used.get_mut(at) {
            used.units = used.units.saturating_add(units);
        }
    }

    /// The answer to a request that is too many, or comes while the venue is closed to us.
    fn refuse(
        &mut self,
        venue: Venue,
        rules: &[Limit],
        exceeded: Option<(&Limit, u64)>,
        speed: u64,
        now_ms: u64,
    ) -> Option<Answer> {
        let (rule, per_ms) = exceeded.or_else(|| {
            let rule = rules.first().filter(|_| self.closed.is_some())?;
            Some((rule, self.stated(0, rule, speed).1))
        })?;
        self.kept.refused += 1;
        let (told_at, not_before) = self.told;
        self.kept.too_soon += u64::from(now_ms > told_at + UNDER_WAY_MS && now_ms < not_before);
        self.refusals = self.refusals.saturating_add(1);
        let says = &rule.refusal;
        let ban = says.ban.as_ref().filter(|ban| self.refusals > ban.after);
        let was_banned = self.closed.is_some_and(|(_, is_ban)| is_ban);
        if let (Some(ban), false) = (ban, was_banned) {
            self.closed = Some((now_ms + ban.ms / speed, true));
        } else if self.closed.is_none() && says.closed_ms > 0 {
            self.closed = Some((now_ms + says.closed_ms / speed, false));
        }
        let period = match rule.counts {
            Counts::Window => per_ms - now_ms % per_ms,
            Counts::Draining => 0,
        };
        let wait_ms = self.closed.map_or(0, |(until, _)| until.saturating_sub(now_ms)).max(period);
        let banned = rule.refusal.ban.as_ref().filter(|_| self.closed.is_some_and(|(_, is_ban)| is_ban));
        let (status, kind) = match banned {
            Some(ban) => (ban.status, Refusal::Banned),
            None => (says.status, Refusal::RateLimited),
        };
        let mut answer = refusal::answer(venue, kind, i64::try_from(now_ms).unwrap_or(i64::MAX));
        answer.status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
        if says.retry_after {
            let seconds = wait_ms.div_ceil(1_000).max(1);
            let first_told = if now_ms < not_before { told_at } else { now_ms };
            self.told = (first_told, not_before.max(now_ms + seconds * 1_000));
            answer = answer.with_header("retry-after", seconds.to_string());
        }
        Some(answer)
    }
}

impl Limit {
    fn headers(
        &self,
        used: u64,
        capacity: u64,
        per_ms: u64,
        now_ms: u64,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let left = capacity.saturating_sub(used);
        let reset_ms = per_ms - now_ms % per_ms;
        let free_at_ms = if left == 0 { now_ms + reset_ms } else { now_ms };
        let values = [
            ("{used}", used),
            ("{limit}", capacity),
            ("{left}", left),
            ("{reset_ms}", reset_ms),
            ("{free_at_ms}", free_at_ms),
            ("{free_at_s}", free_at_ms.div_ceil(1_000)),
        ];
        self.headers.iter().map(move |(name, template)| {
            let fill = |text: String, (place, value): &(&str, u64)| text.replace(place, &value.to_string());
            (*name, values.iter().fold((*template).to_owned(), fill))
        })
    }
}

/// How many symbols a query names, in any venue's spelling; nothing if none.
fn symbols(query: &str) -> Option<usize> {
    let named = |pair: &&str| matches!(pair.split_once('='), Some(("symbol" | "symbols" | "id" | "ids", list)) if !list.is_empty());
    let count = |pair: &str| pair.matches(',').count() + pair.to_ascii_uppercase().matches("%2C").count() + 1;
    let counts: Vec<usize> = query.split('&').filter(named).map(count).collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}
