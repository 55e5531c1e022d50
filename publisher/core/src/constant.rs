//! A value that nobody quotes and somebody has spelled out, until a day that they have named.

use crate::aggregate::{Estimate, Refusal};
use crate::price::Price;
use crate::time::{Span, Wall};

/// So long before its end people are told.
pub const NOTICE: Span = Span::from_s(30 * 86_400);

/// A value by somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    /// The value.
    pub value: Price,
    /// From here on it is none.
    pub until: Wall,
}

impl Constant {
    /// What it is at this moment. It is never old, and nothing of it is unknown; nobody stands behind it, so it counts no
    /// family.
    pub fn at(&self, now: Wall) -> Result<Estimate, Refusal> {
        match now < self.until {
            true => Ok(Estimate { price: self.value, as_of: now, ..Estimate::default() }),
            false => Err(Refusal::Expired),
        }
    }

    /// How long it lasts yet, once that is so short that people should be told; nothing once it is over.
    pub fn ends_in(&self, now: Wall) -> Option<Span> {
        Some(self.until.since(now)).filter(|left| *left <= NOTICE)
    }
}
