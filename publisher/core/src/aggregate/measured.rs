//! What gates measure, for people: nothing is decided by it.

use super::LeftOut;
use crate::price::{Price, Ratio};
use crate::time::Span;
use std::fmt;

/// What a gate measured, and the limit it held that to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A distance or a weight, as a part of what it is measured by, rounded to a billionth, away from the limit
    /// where a book is wide and down elsewhere; at most `limit` passes,
    /// and of three weights and more less than that.
    Part {
        /// What was measured.
        is: Ratio,
        /// The limit.
        limit: Ratio,
    },
    /// An age, or how far a time is ahead; at most `limit` passes.
    Time {
        /// What was measured.
        is: Span,
        /// The limit.
        limit: Span,
    },
    /// How long a source that is quarantined has agreed with the others of late; from `limit` on it votes again.
    Agreed {
        /// What was measured.
        is: Span,
        /// The limit.
        limit: Span,
    },
    /// What is traded in 24 hours, as a part of the least that has to be; the whole of it passes.
    Volume {
        /// What was measured.
        is: Ratio,
    },
    /// Families that are far from the others; at most `limit` pass.
    Families {
        /// What was counted.
        is: usize,
        /// The limit.
        limit: usize,
    },
}

impl Measured {
    /// A distance as a part of what it is measured by; `None` where that is nothing, or out of range.
    pub(crate) fn part(distance: Price, of: Price, limit: Ratio) -> Option<Self> {
        Some(Self::Part { is: distance.part_of(of)?, limit })
    }

    /// What was measured, and the limit, each exact and with its unit.
    pub fn texts(&self) -> [String; 2] {
        match self {
            Self::Part { is, limit } => [is.to_string(), limit.to_string()],
            Self::Time { is, limit } | Self::Agreed { is, limit } => [is.to_string(), limit.to_string()],
            Self::Volume { is } => [is.to_string(), Ratio::ONE.to_string()],
            Self::Families { is, limit } => [is.to_string(), limit.to_string()],
        }
    }
}

/// `4.1%, limit 2%`.
impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [is, limit] = self.texts();
        match self {
            Self::Agreed { .. } => write!(f, "agrees for {is}, back at {limit}"),
            _ => write!(f, "{is}, limit {limit}"),
        }
    }
}

/// Why a source has no vote, with what its gate measured, where it measures anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoVote {
    /// The reason.
    pub why: LeftOut,
    /// What it rests on.
    pub measured: Option<Measured>,
}

impl NoVote {
    pub(crate) fn by(why: LeftOut, measured: impl Into<Option<Measured>>) -> Self {
        Self { why, measured: measured.into() }
    }
}

impl From<LeftOut> for NoVote {
    fn from(why: LeftOut) -> Self {
        Self { why, measured: None }
    }
}

/// What became of a source in one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its value, if it has one.
    pub price: Option<Price>,
    /// Why that did not count; `None`: it did.
    pub no_vote: Option<NoVote>,
}

impl Verdict {
    /// The reason for which it did not count.
    pub fn why(&self) -> Option<LeftOut> {
        self.no_vote.map(|no_vote| no_vote.why)
    }
}
