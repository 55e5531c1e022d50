//! Why a preset or source cannot be set up: everything at once, each with its place, value, reason and hint.

use std::fmt;

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a key of the preset, or a symbol or setting of the source.
    pub path: String,
    /// What stands there. Never a secret: header values and queries of URLs are left out.
    pub value: String,
    /// Why it cannot be used.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if !self.value.is_empty() {
            write!(f, " = {:?}", self.value)?;
        }
        write!(f, ": {} ({})", self.reason, self.hint)
    }
}

/// A preset or source that cannot be used, with every reason found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SourceSetupError {
    /// The venue, custom source or preset.
    pub source_id: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for SourceSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source {}", self.source_id)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Collects problems while the rest is still being checked.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(
        &mut self,
        path: impl Into<String>,
        value: impl Into<String>,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (path, value) = (path.into(), value.into());
        self.0.push(Problem { path, value, reason: reason.into(), hint: hint.into() });
    }

    /// Keeps a good value; notes a bad one and goes on.
    pub(super) fn keep<T, E: fmt::Display>(
        &mut self,
        path: &str,
        value: &str,
        result: Result<T, E>,
        hint: &str,
    ) -> Option<T> {
        result.map_err(|error| self.add(path, value, error.to_string(), hint)).ok()
    }

    /// The value, if nothing was found.
    pub(super) fn finish<T>(self, source_id: &str, value: Option<T>) -> Result<T, SourceSetupError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(SourceSetupError { source_id: source_id.to_owned(), problems: self.0 }),
        }
    }
}
