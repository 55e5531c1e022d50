//! A venue as one request sees it: its markets with their faults already applied.

use super::pair::Pair;
use super::row::Row;

/// What the venue knows of a symbol.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// It is traded.
    Row(&'a Row),
    /// It is traded, but missing from the answer.
    Missing,
    /// The venue has no such market.
    Unknown,
}

/// The markets of one venue at the moment of one request.
#[derive(Debug)]
pub(crate) struct Desk {
    rows: Vec<Row>,
    empty: bool,
}

impl Desk {
    pub(crate) fn new(rows: Vec<Row>, empty: bool) -> Self {
        Self { rows, empty }
    }

    /// Every market in the venue's list.
    pub(crate) fn all(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| !row.hidden && !self.empty).collect()
    }

    /// Every market in the list of what the venue trades, whatever its prices do.
    pub(crate) fn listed(&self) -> Vec<&Row> {
        self.all().into_iter().filter(|row| !row.unlisted).collect()
    }

    /// Every market in the venue's list, or the one of this name; `None` if the venue has no such market.
    pub(crate) fn list(&self, name: Option<&str>, symbol: impl Fn(&Pair) -> String) -> Option<Vec<&Row>> {
        let is_wanted = |row: &&Row| name.is_none_or(|name| name == symbol(&row.pair));
        let rows: Vec<_> = self.all().into_iter().filter(is_wanted).collect();
        (name.is_none() || !rows.is_empty() || self.empty).then_some(rows)
    }

    /// The market that `is_it` recognises.
    pub(crate) fn find(&self, is_it: impl Fn(&Pair) -> bool) -> Found<'_> {
        match self.rows.iter().find(|row| is_it(&row.pair)) {
            None => Found::Unknown,
            Some(row) if row.hidden || self.empty => Found::Missing,
            Some(row) => Found::Row(row),
        }
    }

    /// The market that `is_it` recognises, if the venue knows it at all.
    pub(crate) fn pair(&self, is_it: impl Fn(&Pair) -> bool) -> Option<Pair> {
        self.rows.iter().map(|row| &row.pair).find(|pair| is_it(pair)).cloned()
    }

    /// Whether a list has to be empty and a single answer has to be blank.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }
}
