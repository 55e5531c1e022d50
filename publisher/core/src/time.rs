//! Time as values: the core never reads a clock.
//!
//! [`Wall`] compares with the world (block timestamps, exchange timestamps) and may jump; [`Mono`] measures
//! waiting and never goes back. Both enter with every input as [`Now`].

use std::fmt;
use std::ops::{Add, Sub};

/// A point of civil time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(i64);

/// A point on a clock that only moves forward: milliseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(u64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Civil time.
    pub wall: Wall,
    /// Waiting time.
    pub mono: Mono,
}

impl Wall {
    /// From milliseconds since the Unix epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// From whole seconds since the Unix epoch, the unit of block timestamps.
    pub const fn from_s(s: u64) -> Self {
        #[expect(clippy::cast_possible_wrap, reason = "the minimum is far below i64::MAX")]
        let s = if s > MAX_EPOCH_S { MAX_EPOCH_S as i64 } else { s as i64 };
        Self(s * 1000)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Block timestamps beyond the year 9999 are treated as that year.
const MAX_EPOCH_S: u64 = 253_402_300_799;

impl Mono {
    /// From milliseconds since the clock's start.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the clock's start.
    pub const fn ms(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// From seconds.
    pub const fn from_s(s: u64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// Milliseconds.
    pub const fn ms(self) -> u64 {
        self.0
    }

    /// A multiple of this span.
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// The rest after taking `other` away; zero if `other` is longer.
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add<Span> for Wall {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }
}

impl Sub<Span> for Wall {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }
}

impl Add<Span> for Mono {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Span {
    /// The shortest exact form: `500ms`, `30s`, `5m`, `1h`, `2d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit_ms, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")] {
            if self.0 != 0 && self.0.is_multiple_of(unit_ms) {
                return write!(f, "{}{unit}", self.0 / unit_ms);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

impl std::str::FromStr for Span {
    type Err = SpanError;

    /// Whole numbers with a unit: `250ms`, `30s`, `5m`, `1h`, `2d`.
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(SpanError),
        };
        number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_ms)).map(Self).ok_or(SpanError)
    }
}

/// The text is not a whole number with one of the units ms, s, m, h, d.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write a whole number and a unit, e.g. 250ms, 30s, 5m, 1h or 2d")]
pub struct SpanError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_what_they_print() {
        for ms in [0, 1, 999, 1000, 61_000, 60_000, 3_600_000, 86_400_000, 90_000_000] {
            let span = Span::from_ms(ms);
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        for bad in ["", "5", "s", "1.5s", "-1s", "1 s", "99999999999999999999d"] {
            assert_eq!(bad.parse::<Span>(), Err(SpanError), "{bad}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_negative_age() {
        assert_eq!(Wall::from_ms(5).since(Wall::from_ms(9)), Span::ZERO);
        assert_eq!(Wall::from_ms(9).since(Wall::from_ms(5)), Span::from_ms(4));
        assert_eq!(Wall::from_s(u64::MAX).ms(), 253_402_300_799_000);
    }
}
