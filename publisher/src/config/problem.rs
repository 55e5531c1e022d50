//! What is wrong with a configuration: all of it at once, each with its place, value, reason and hint.

use serde::Serialize;
use std::fmt;

/// Whether the program can run with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but the operator should look at it.
    Warning,
}

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The line of the file, from 1.
    pub line: Option<usize>,
    /// The key, as TOML spells it: `feed."BTC-USD".policy.quorum`.
    pub path: String,
    /// What stands there, shortened; empty for something missing. Never a secret.
    pub value: String,
    /// Why it cannot be used.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// Every problem of one configuration, by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Problems {
    /// The file's name.
    pub origin: String,
    /// The problems.
    pub problems: Vec<Problem>,
}

impl Problems {
    /// The file itself cannot be used.
    pub(super) fn of_file(origin: &str, reason: &str, hint: &str) -> Self {
        let mut found = Found::default();
        let place = Place { path: "(file)".into(), line: None, shown: String::new() };
        found.error(&place, reason, hint);
        found.finish(origin)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many of them forbid to run.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.severity == Severity::Error).count()
    }

    /// `{"origin":..,"problems":[{"severity","line","path","value","reason","hint"},..]}`.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl fmt::Display for Problems {
    /// One paragraph a problem; its first line has the form that editors jump to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { severity, line, path, value, reason, hint } in &self.problems {
            let severity = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "{}:", self.origin)?;
            line.map_or(Ok(()), |line| write!(f, "{line}:"))?;
            write!(f, " {severity}: {path}")?;
            if !value.is_empty() {
                write!(f, " = {value}")?;
            }
            writeln!(f, "\n    {reason}\n    hint: {hint}")?;
        }
        let errors = self.errors();
        let warnings = self.problems.len() - errors;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        write!(f, "{}: {errors} error{}, {warnings} warning{}", self.origin, plural(errors), plural(warnings))
    }
}

/// Where a value stands, and what it looks like there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) line: Option<usize>,
    /// The value as the file spells it, shortened and without secrets.
    pub(super) shown: String,
}

impl Place {
    /// A key below this one that is not written down.
    pub(super) fn missing(&self, key: &str) -> Self {
        Self { path: join(&self.path, key), line: self.line, shown: String::new() }
    }
}

/// A path as TOML would spell it.
pub(crate) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Nobody reads more of them.
const PROBLEMS_MAX: usize = 500;

/// Collects problems while the rest is still being checked.
#[derive(Debug, Default)]
pub(super) struct Found {
    problems: Vec<Problem>,
    /// How many had no room, errors and warnings.
    dropped: usize,
    dropped_error: bool,
}

impl Found {
    pub(super) fn error(&mut self, place: &Place, reason: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, place, reason.into(), hint.into());
    }

    pub(super) fn warn(&mut self, place: &Place, reason: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, place, reason.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, place: &Place, reason: String, hint: String) {
        if self.problems.len() >= PROBLEMS_MAX {
            self.dropped += 1;
            self.dropped_error |= severity == Severity::Error;
            return;
        }
        let Place { path, line, shown } = place.clone();
        let problem = Problem { severity, line, path, value: shown, reason, hint };
        // A value that many feeds inherit is wrong once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Whether a key below this one is wrong, so that what it should say is not known.
    pub(super) fn has_error_below(&self, path: &str) -> bool {
        let below = |p: &Problem| {
            p.severity == Severity::Error
                && p.path
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with(['.', '[']) || rest.is_empty())
        };
        self.problems.iter().any(below)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.dropped_error || self.problems.iter().any(|p| p.severity == Severity::Error)
    }

    /// Everything found, in the order of the file.
    pub(super) fn finish(mut self, origin: &str) -> Problems {
        self.problems.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
        if self.dropped > 0 {
            self.problems.push(Problem {
                severity: if self.dropped_error { Severity::Error } else { Severity::Warning },
                line: None,
                path: "(file)".into(),
                value: String::new(),
                reason: format!("{} more problems", self.dropped),
                hint: "correct these first".into(),
            });
        }
        Problems { origin: origin.to_owned(), problems: self.problems }
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = typed.chars().count().min(64) / 3 + 1;
    let near = names.into_iter().map(|name| (distance(typed, name), name));
    near.filter(|(distance, _)| *distance <= limit).min().map(|(_, name)| name)
}

/// `did you mean "..."?`, or the names there are.
pub(super) fn suggestion<'a>(typed: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(typed, names.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let names: Vec<_> = names.into_iter().collect();
            if names.is_empty() {
                "there is none".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            }
        }
    }
}

/// Letters to insert, delete or change (Levenshtein); long texts are only compared by length.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(65).collect(), b.chars().take(65).collect());
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for ((y, left_up), up) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let change = left_up + usize::from(x != y);
            let left = next.last().copied().unwrap_or(i + 1);
            next.push(change.min(up + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// Where the lines of a file begin.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of an offset, from 1.
    pub(crate) fn at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["binance", "bitstamp", "coinbase", "kraken", "okx"];
        for (typed, expected) in [
            ("krakne", Some("kraken")),
            ("Kraken", Some("kraken")),
            ("coinbse", Some("coinbase")),
            ("mtgox", None),
            ("", None),
            ("ok", Some("okx")),
        ] {
            assert_eq!(nearest(typed, names), expected, "{typed}");
        }
        assert_eq!(nearest(&"k".repeat(10_000), names), None);
    }

    #[test]
    fn paths_are_spelled_as_in_the_file() {
        assert_eq!(join("feed", "BTC-USD"), "feed.\"BTC-USD\"");
        assert_eq!(join("feed", "gold"), "feed.gold");
        assert_eq!(join("", "chain"), "chain");
        assert_eq!(join("feed", "a b\n\u{1b}"), "feed.\"a b\\n\\u{1b}\"");
    }
}
