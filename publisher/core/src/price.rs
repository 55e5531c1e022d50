//! Exact prices: from a venue's text to the integer that an aggregator stores, with no float on the way.
//!
//! A [`Price`] is a fixed-point number with [`SCALE`] decimals. Parsing is exact or refused; a product or
//! quotient is rounded once, half to even, to [`DIGITS`] significant digits, so that the inverse of a large price is as
//! exact as the price; [`Price::to_answer`] rounds once more, half to even, to the feed's decimals. Comparisons of
//! deviations are cross multiplications on integers.

use alloy_primitives::aliases::I512;
use alloy_primitives::ruint::{Uint, UintTryFrom};
use alloy_primitives::{I256, Sign, U256, U512};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Decimals that a [`Price`] carries: the smallest inverse of any price, 10^-36, has all of its [`DIGITS`] here.
pub const SCALE: u8 = 72;
/// Significant digits of a product or quotient.
pub const DIGITS: u8 = 36;
/// Digits that a price may have before its decimal point.
const MAX_INTEGER_DIGITS: usize = 36;
/// A number with more characters than this is refused before it is read: a sign, 36 digits, a point, 72 decimals, and
/// some for an exponent.
const MAX_TEXT: usize = 128;
/// 10^154 is the largest power of ten below 2^512.
const POWERS: usize = 155;

/// Wide enough for a product of two prices, 216 digits, and for what divides one.
type Wide = Uint<1024, 16>;

/// An exact price in units of the quote asset, |price| < 10^36, with 72 decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Price(I512);

impl Ord for Price {
    /// By two's complement, the largest limb first: medians do little else, and the generic comparison of signed integers
    /// takes six times as long.
    fn cmp(&self, other: &Self) -> Ordering {
        let ([.., top], [.., other_top]) = (self.0.as_limbs(), other.0.as_limbs());
        let by_sign = || top.cast_signed().cmp(&other_top.cast_signed());
        by_sign().then_with(|| self.0.as_limbs().iter().rev().cmp(other.0.as_limbs().iter().rev()))
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The integer an aggregator stores: a price times 10^decimals of its feed (Chainlink's `int256 answer`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Answer(I256);

/// A share in parts per billion: 0.5% is 5,000,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(u64);

/// Why a text is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not a decimal number: empty, NaN, a thousands separator, a decimal comma.
    #[error("not a decimal number")]
    Syntax,
    /// More than 36 digits before the decimal point, or more than 72 after it.
    #[error("out of range: at most 36 digits before and 72 after the decimal point are exact")]
    Range,
}

/// 10^exponent; exponents above 154 do not fit and give the largest value, which no caller reaches.
fn pow10(exponent: u32) -> U512 {
    static ALL: LazyLock<Vec<U512>> = LazyLock::new(|| {
        let next = |power: &U512| power.checked_mul(U512::from(10u64));
        std::iter::successors(Some(U512::from(1u64)), next).take(POWERS).collect()
    });
    usize::try_from(exponent).ok().and_then(|at| ALL.get(at)).copied().unwrap_or(U512::MAX)
}

fn one() -> U512 {
    pow10(u32::from(SCALE))
}

/// `magnitude × factor`; what passes 512 bits is lost, which no caller reaches.
fn multiply(magnitude: U512, factor: u64) -> U512 {
    let mut carry = 0u128;
    let limbs = magnitude.into_limbs().map(|limb| {
        let sum = u128::from(limb) * u128::from(factor) + carry;
        carry = sum >> 64;
        low_limb(sum)
    });
    U512::from_limbs(limbs)
}

/// `magnitude / 10^9`, rounded half to even.
fn billionth(magnitude: U512) -> U512 {
    const WHOLE: u128 = Ratio::ONE.0 as u128;
    let mut limbs = magnitude.into_limbs();
    let mut rest = 0u128;
    for limb in limbs.iter_mut().rev().skip_while(|limb| **limb == 0) {
        let part = rest << 64 | u128::from(*limb);
        (*limb, rest) = (low_limb(part / WHOLE), part % WHOLE);
    }
    let quotient = U512::from_limbs(limbs);
    let up = rest > WHOLE / 2 || (rest == WHOLE / 2 && quotient.bit(0));
    if up { quotient + U512::from(1u64) } else { quotient }
}

/// The last 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the rest is carried")]
const fn low_limb(value: u128) -> u64 {
    value as u64
}

/// `numerator / denominator` rounded half to even.
fn divide_half_even<const BITS: usize, const LIMBS: usize>(
    numerator: Uint<BITS, LIMBS>,
    denominator: Uint<BITS, LIMBS>,
) -> Option<Uint<BITS, LIMBS>> {
    if denominator.is_zero() {
        return None;
    }
    let (quotient, rest) = numerator.div_rem(denominator);
    // What is left over is less than the denominator, whose double fits into every width used here.
    let twice = rest << 1usize;
    let up = twice > denominator || (twice == denominator && quotient.bit(0));
    Some(if up { quotient + Uint::from(1u64) } else { quotient })
}

/// `numerator / denominator` rounded once, half to even, to [`DIGITS`] significant digits. `None` if nothing divides, or
/// if it is out of range.
fn quotient(numerator: Wide, denominator: Wide) -> Option<U512> {
    let whole = U512::uint_try_from(numerator.checked_div(denominator)?).ok()?;
    let digits = (0u32..).find(|digits| whole < pow10(*digits))?;
    let dropped = Wide::from(pow10(digits.saturating_sub(u32::from(DIGITS))));
    let kept = divide_half_even(numerator, denominator.checked_mul(dropped)?)?;
    U512::uint_try_from(kept.checked_mul(dropped)?).ok()
}

/// A price of this magnitude, if there is one.
fn signed(negative: bool, magnitude: U512) -> Option<Price> {
    let sign = if negative { Sign::Negative } else { Sign::Positive };
    I512::checked_from_sign_and_abs(sign, magnitude).and_then(Price::bounded)
}

/// An answer of this magnitude, if there is one.
fn answered(negative: bool, magnitude: U512) -> Option<Answer> {
    let sign = if negative { Sign::Negative } else { Sign::Positive };
    I256::checked_from_sign_and_abs(sign, U256::uint_try_from(magnitude).ok()?).map(Answer)
}

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(I512::ZERO);

    /// Exactly one unit of the quote asset.
    pub fn one() -> Self {
        Self(I512::from_raw(one()))
    }

    /// Greater than zero.
    pub fn is_positive(self) -> bool {
        self.0.is_positive()
    }

    /// What a price has to be less than.
    fn limit() -> U512 {
        pow10(u32::from(SCALE) + 36)
    }

    fn bounded(value: I512) -> Option<Self> {
        (value.unsigned_abs() < Self::limit()).then_some(Self(value))
    }

    /// The product, rounded half to even to 36 significant digits; `None` if it is out of range.
    pub fn times(self, other: Self) -> Option<Self> {
        let product = Wide::from(self.0.unsigned_abs()) * Wide::from(other.0.unsigned_abs());
        let rounded = quotient(product, Wide::from(one()))?;
        signed(self.0.is_negative() != other.0.is_negative(), rounded)
    }

    /// The quotient, rounded half to even to 36 significant digits; `None` for a zero divisor or out of range.
    pub fn over(self, divisor: Self) -> Option<Self> {
        let numerator = Wide::from(self.0.unsigned_abs()) * Wide::from(one());
        let rounded = quotient(numerator, Wide::from(divisor.0.unsigned_abs()))?;
        signed(self.0.is_negative() != divisor.0.is_negative(), rounded)
    }

    /// The exact middle of two prices, rounded half to even at the last decimal.
    pub fn middle(self, other: Self) -> Self {
        // |a| and |b| are below 2^359, so the sum cannot overflow, and what is between them is a price.
        let sum = self.0.wrapping_add(other.0);
        let half = sum.asr(1);
        // Of an odd sum `half` is the lower of two neighbours that are equally near.
        let up = sum.bit(0) && half.bit(0);
        Self(if up { half.wrapping_add(I512::ONE) } else { half })
    }

    /// The sum of two prices, at most the largest there is.
    pub fn plus(self, other: Self) -> Self {
        // |a| and |b| are below 2^359, so the sum cannot overflow.
        Self::bounded(self.0 + other.0).unwrap_or(Self(I512::from_raw(Self::limit() - U512::from(1u64))))
    }

    /// The distance between two prices, never negative.
    pub fn distance(self, other: Self) -> Self {
        // The difference of two values below 10^108 fits; it may pass the bound of a price by a factor of two,
        // which only a comparison ever sees.
        let (low, high) = if self < other { (self, other) } else { (other, self) };
        Self(I512::from_raw(high.0.into_raw().wrapping_sub(low.0.into_raw())))
    }

    /// Whether this distance is more than a part of `whole`, both by magnitude. Exact: distance × 10^9 > part × whole.
    pub fn exceeds(self, part: Ratio, whole: Self) -> bool {
        // The 360 bits of a distance and the 64 of a ratio fit.
        multiply(self.0.unsigned_abs(), Ratio::ONE.0) > multiply(whole.0.unsigned_abs(), part.0)
    }

    /// A part of this price, rounded half to even at the last decimal.
    pub fn share(self, ratio: Ratio) -> Self {
        // The 359 bits of a price and the 64 of a ratio fit.
        let rounded = billionth(multiply(self.0.unsigned_abs(), ratio.0));
        let sign = if self.0.is_negative() { Sign::Negative } else { Sign::Positive };
        Self(I512::checked_from_sign_and_abs(sign, rounded).unwrap_or_default())
    }

    /// What part of `whole` this is, by magnitude and rounded down; `None` of nothing, or if it is out of range.
    pub fn part_of(self, whole: Self) -> Option<Ratio> {
        let part = multiply(self.0.unsigned_abs(), Ratio::ONE.0);
        let ppb = part.checked_div(whole.0.unsigned_abs())?;
        u64::try_from(ppb).map(Ratio).ok()
    }

    /// The same rounded up, and the largest ratio where it is out of range.
    pub fn part_of_up(self, whole: Self) -> Option<Ratio> {
        let (part, whole) = (multiply(self.0.unsigned_abs(), Ratio::ONE.0), whole.0.unsigned_abs());
        let ppb = part.checked_div(whole)?;
        let up = u64::from(ppb * whole < part);
        Some(Ratio(u64::try_from(ppb).map_or(u64::MAX, |ppb| ppb.saturating_add(up))))
    }

    /// The aggregator integer at `decimals`, rounded half to even.
    ///
    /// `decimals` above 72 appends zeros; `None` if the result passes int256 (decimals above 40 may).
    pub fn to_answer(self, decimals: u8) -> Option<Answer> {
        let magnitude = self.0.unsigned_abs();
        let scaled = if decimals <= SCALE {
            divide_half_even(magnitude, pow10(u32::from(SCALE - decimals)))?
        } else {
            magnitude.checked_mul(pow10(u32::from(decimals - SCALE)))?
        };
        answered(self.0.is_negative(), scaled)
    }
}

impl FromStr for Price {
    type Err = PriceError;

    /// Reads `-12.34`, `1.2e-7`, `1E3`. Exact, or an error: nothing is cut or rounded.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        if text.len() > MAX_TEXT {
            return Err(PriceError::Range);
        }
        let (negative, body) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match body.split_once(['e', 'E']) {
            Some((number, exponent)) => {
                // `+` alone, spaces or an empty exponent are refused by the integer parser.
                (number, exponent.parse::<i32>().map_err(|_| exponent_error(exponent))?)
            }
            None => (body, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
            return Err(PriceError::Syntax);
        }
        if number.contains('.') && fraction.is_empty() {
            return Err(PriceError::Syntax);
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Ok(Self::ZERO);
        }
        // value = trimmed × 10^point
        let dropped = i64::try_from(significant.len() - trimmed.len()).map_err(|_| PriceError::Range)?;
        let decimals = i64::try_from(fraction.len()).map_err(|_| PriceError::Range)?;
        let point = i64::from(exponent) - decimals + dropped;
        let integer_digits = i64::try_from(trimmed.len()).map_err(|_| PriceError::Range)? + point;
        let shift = u32::try_from(point + i64::from(SCALE)).map_err(|_| PriceError::Range)?;
        if integer_digits > i64::try_from(MAX_INTEGER_DIGITS).map_err(|_| PriceError::Range)? {
            return Err(PriceError::Range);
        }
        let mantissa = U512::from_str(trimmed).map_err(|_| PriceError::Range)?;
        let magnitude = mantissa.checked_mul(pow10(shift)).ok_or(PriceError::Range)?;
        signed(negative, magnitude).ok_or(PriceError::Range)
    }
}

/// A well-formed exponent that is merely too large is a range error, anything else a syntax error.
fn exponent_error(text: &str) -> PriceError {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        PriceError::Range
    } else {
        PriceError::Syntax
    }
}

/// Writes `magnitude × 10^-decimals` without trailing zeros.
fn write_decimal(
    f: &mut fmt::Formatter<'_>,
    negative: bool,
    magnitude: impl fmt::Display,
    decimals: u8,
) -> fmt::Result {
    let width = usize::from(decimals);
    let digits = format!("{magnitude:0>width$}", width = width + 1, magnitude = magnitude.to_string());
    let (whole, fraction) = digits.split_at(digits.len() - width);
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative { "-" } else { "" };
    if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0.is_negative(), self.0.unsigned_abs(), SCALE)
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<i64> for Answer {
    fn from(value: i64) -> Self {
        Self(I256::unchecked_from(value))
    }
}

impl Answer {
    /// From the integer a contract returns.
    pub const fn new(value: I256) -> Self {
        Self(value)
    }

    /// The integer a contract takes.
    pub const fn value(self) -> I256 {
        self.0
    }

    /// Greater than zero.
    pub fn is_positive(self) -> bool {
        self.0.is_positive()
    }

    /// The distance |self − other|.
    pub fn distance(self, other: Self) -> U256 {
        if self.0 >= other.0 {
            self.0.wrapping_sub(other.0).into_raw()
        } else {
            other.0.wrapping_sub(self.0).into_raw()
        }
    }

    /// Whether `new` deviates from this answer by at least `threshold` of this answer's magnitude.
    ///
    /// Exact: |new − old| × 10^9 ≥ threshold × |old|. From zero, every other value deviates without bound; equal
    /// values never deviate.
    pub fn deviates(self, new: Self, threshold: Ratio) -> bool {
        let distance = self.distance(new);
        !distance.is_zero()
            && U512::from(distance) * U512::from(Ratio::ONE.0)
                >= U512::from(self.0.unsigned_abs()) * U512::from(threshold.0)
    }

    /// Whether `new` deviates from this answer by more than `limit` of this answer's magnitude. Exact.
    pub fn is_beyond(self, new: Self, limit: Ratio) -> bool {
        let distance = U512::from(self.distance(new)) * U512::from(Ratio::ONE.0);
        distance > U512::from(self.0.unsigned_abs()) * U512::from(limit.0)
    }

    /// The price this answer states at `decimals`, for people.
    pub fn display(self, decimals: u8) -> impl fmt::Display {
        struct Shown(Answer, u8);
        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_decimal(f, self.0.0.is_negative(), self.0.0.unsigned_abs(), self.1)
            }
        }
        Shown(self, decimals)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Answer {
    type Err = PriceError;

    /// A plain integer, as the journal and JSON write it.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        I256::from_dec_str(text).map(Self).map_err(|_| PriceError::Syntax)
    }
}

impl Ratio {
    /// The whole: 100%.
    pub const ONE: Self = Self(1_000_000_000);

    /// From parts per billion.
    pub const fn from_ppb(ppb: u64) -> Self {
        Self(ppb)
    }

    /// From basis points (1/10,000).
    pub const fn from_bps(bps: u32) -> Self {
        Self(bps as u64 * 100_000)
    }

    /// Parts per billion.
    pub const fn ppb(self) -> u64 {
        self.0
    }

    /// So many times as much, rounded up to a part per billion; the largest one where that is too large.
    pub fn scaled(self, factor: Self) -> Self {
        let scaled = (u128::from(self.0) * u128::from(factor.0)).div_ceil(u128::from(Self::ONE.0));
        Self(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// The same as so many times the whole, as configuration writes it: `2.5x`.
    pub fn multiple(self) -> String {
        format!("{}x", Answer(I256::try_from(self.0).unwrap_or(I256::MAX)).display(9))
    }
}

impl FromStr for Ratio {
    type Err = PriceError;

    /// A percentage such as `0.5%`, exact to one part per billion.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let percent: Price = text.strip_suffix('%').ok_or(PriceError::Syntax)?.parse()?;
        if percent.0.is_negative() {
            return Err(PriceError::Range);
        }
        // One percent is 10^7 parts per billion; a Price has 72 decimals, so 65 of them must be zero.
        let (ppb, rest) = percent.0.unsigned_abs().div_rem(pow10(u32::from(SCALE) - 7));
        if !rest.is_zero() {
            return Err(PriceError::Range);
        }
        u64::try_from(ppb).map(Self).map_err(|_| PriceError::Range)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, false, self.0, 7)?;
        f.write_str("%")
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn f47_reads_exactly_or_refuses() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.000", "0"),
            ("67000.1", "67000.1"),
            ("00012.340", "12.34"),
            ("1e-18", "0.000000000000000001"),
            ("1.2e-7", "0.00000012"),
            ("1E30", "1000000000000000000000000000000"),
            ("5e+2", "500"),
            ("-1.5", "-1.5"),
            ("0e999", "0"),
        ] {
            assert_eq!(price(text).to_string(), shown, "{text}");
        }
        for text in [
            "", "-", "+1", "NaN", "inf", "1,234", "1,5", " 1", "1 ", ".5", "5.", "1e", "1e+", "0x10",
            "1_000", "١",
        ] {
            assert_eq!(text.parse::<Price>(), Err(PriceError::Syntax), "{text}");
        }
        let long = ["9".repeat(37), "1".repeat(MAX_TEXT + 1), format!("0.{}1", "0".repeat(72))];
        for text in ["1e400", "1e36", "1e-73", "1e99999999999", "0.1e-72", &long[0], &long[1], &long[2]] {
            assert_eq!(text.parse::<Price>(), Err(PriceError::Range), "{text}");
        }
        let longest = format!("{}.{}", "9".repeat(36), "9".repeat(72));
        for text in [&"9".repeat(36), &longest, "0.000000000000000000000000000000000000000000000001"] {
            assert_eq!(price(text).to_string(), *text);
        }
    }

    #[test]
    fn f48_rounds_half_to_even_at_the_feeds_decimals() {
        for (text, decimals, answer) in [
            ("1.5", 0, "2"),
            ("2.5", 0, "2"),
            ("-2.5", 0, "-2"),
            ("-3.5", 0, "-4"),
            ("67000.123456785", 8, "6700012345678"),
            ("67000.123456795", 8, "6700012345680"),
            ("67000.1234567850000001", 8, "6700012345679"),
            ("1", 18, "1000000000000000000"),
            ("1", 38, "100000000000000000000000000000000000000"),
        ] {
            assert_eq!(price(text).to_answer(decimals).unwrap().to_string(), answer, "{text} at {decimals}");
        }
        assert_eq!(price(&"9".repeat(36)).to_answer(77), None);
    }

    #[test]
    fn a_dollar_tether_is_not_a_dollar() {
        assert_eq!(price("67000").times(price("0.985")), Some(price("65995")));
        assert_eq!(Price::one().over(price("3")), Some(price("0.333333333333333333333333333333333333")));
        assert_eq!(Price::one().over(Price::ZERO), None);
        assert_eq!(price("1e35").times(price("1e35")), None);
        assert_eq!(price("-2").times(price("3")), Some(price("-6")));
    }

    /// Without this the price of a small asset in a large one, or its inverse, has a digit or none.
    #[test]
    fn products_and_quotients_have_36_digits_however_small_they_are() {
        let quotient = |a: &str, b: &str| price(a).over(price(b)).map(|q| q.to_string());
        let third = format!("0.{}{}", "0".repeat(30), "3".repeat(36));
        assert_eq!(quotient("1", "3e30"), Some(third));
        assert_eq!(quotient("200", "3"), Some(format!("66.{}7", "6".repeat(33))));
        assert_eq!(quotient("1e35", "3"), Some("3".repeat(35) + ".3"));
        // The 37th digit is a tie, which goes to the even neighbour.
        let one_and = |last: &str| format!("1{}{last}", "0".repeat(34));
        assert_eq!(quotient(&one_and("25e-3"), "100"), Some(price(&one_and("2e-4")).to_string()));
        assert_eq!(quotient(&one_and("35e-3"), "100"), Some(price(&one_and("4e-4")).to_string()));
        assert_eq!(quotient(&"9".repeat(36), "1"), Some("9".repeat(36)));
        let nines = price(&format!("{}.5", "9".repeat(36)));
        assert_eq!(nines.times(Price::one()), None, "rounded up it is 10^36");
        assert_eq!(price("1.5e-35").times(price("1.5e-36")), Some(price("2.2e-71")), "half to even");
        assert_eq!(price("1e-36").times(price("1e-37")), Some(Price::ZERO));
    }

    #[test]
    fn deviation_fires_at_the_threshold_and_survives_zero_and_signs() {
        let dev = |old: i64, new: i64, threshold: &str| {
            let answer = |v: i64| Answer::new(I256::try_from(v).unwrap());
            answer(old).deviates(answer(new), threshold.parse().unwrap())
        };
        assert!(!dev(10_000, 10_049, "0.5%"));
        assert!(dev(10_000, 10_050, "0.5%"));
        assert!(dev(10_000, 9_950, "0.5%"));
        assert!(dev(-100, -150, "50%"));
        assert!(!dev(-100, -149, "50%"));
        assert!(!dev(-100, -100, "0.000001%"));
        assert!(!dev(0, 0, "0.5%"));
        assert!(dev(0, 1, "100%"));
        assert!(dev(100, 0, "100%"));
        assert!(!dev(100, 0, "100.0000001%"));
        let big = Answer::new(I256::MIN);
        assert!(big.deviates(Answer::new(I256::MAX), "100%".parse().unwrap()));
    }

    #[test]
    fn ratios_are_percentages_with_nine_places() {
        for (text, ppb) in [("0.5%", 5_000_000), ("100%", 1_000_000_000), ("0.0000001%", 1), ("0%", 0)] {
            let ratio: Ratio = text.parse().unwrap();
            assert_eq!(ratio.ppb(), ppb);
            assert_eq!(ratio.to_string(), text);
        }
        for text in ["0.5", "-1%", "%", "0.00000001%", "1e40%"] {
            assert!(text.parse::<Ratio>().is_err(), "{text}");
        }
    }

    /// A positive price of up to 19 digits, anywhere in the range.
    fn any_price() -> impl Strategy<Value = Price> {
        (1u64.., -36i32..16).prop_map(|(mantissa, exponent)| price(&format!("{mantissa}e{exponent}")))
    }

    /// Whether two prices are the same but for one part in 10^35, which is at most the last of 36 digits.
    fn nearly(a: Price, b: Price) -> bool {
        let part = Wide::from(a.distance(b).0.unsigned_abs()) * Wide::from(pow10(35));
        part <= Wide::from(a.0.unsigned_abs())
    }

    proptest! {
        /// By the definition of rounding: what is left over is at most half of the last digit.
        #[test]
        fn a_quotient_is_the_nearest_number_of_36_digits(a in any_price(), b in any_price()) {
            let Some(quotient) = a.over(b) else { return Ok(()) };
            let wide = |price: Price| Wide::from(price.0.unsigned_abs());
            let digits = quotient.0.to_string().len();
            let unit = Wide::from(pow10(u32::try_from(digits.saturating_sub(36)).unwrap()));
            prop_assert!((wide(quotient) % unit).is_zero(), "{} has more than 36 digits", quotient);
            let (product, exact) = (wide(quotient) * wide(b), wide(a) * Wide::from(one()));
            let left_over = product.abs_diff(exact) * Wide::from(2u64);
            prop_assert!(left_over <= unit * wide(b), "{} / {} is not {}", a, b, quotient);
        }

        #[test]
        fn a_quotient_is_undone_by_its_divisor(a in any_price(), b in any_price()) {
            if let Some(back) = a.over(b).filter(|q| *q >= price("1e-36")).and_then(|q| q.times(b)) {
                prop_assert!(nearly(a, back), "{} / {} * {} is {}", a, b, b, back);
            }
        }

        #[test]
        fn the_inverse_of_an_inverse_is_the_price(a in any_price()) {
            let inverse = Price::one().over(a);
            prop_assert_eq!(inverse.is_none(), a <= price("1e-36"), "{}", a);
            if let Some(inverse) = inverse {
                let back = Price::one().over(inverse).unwrap();
                prop_assert!(nearly(a, back), "{} {}", a, back);
            }
        }

        #[test]
        fn reads_back_what_it_prints(mantissa in any::<i64>(), decimals in 0u32..18) {
            let text = format!("{mantissa}e-{decimals}");
            let first = price(&text);
            prop_assert_eq!(price(&first.to_string()), first);
        }

        #[test]
        fn never_panics_on_text(text in ".{0,120}") {
            let _ = text.parse::<Price>();
            let _ = text.parse::<Ratio>();
        }

        #[test]
        fn answers_are_within_half_a_unit(mantissa in any::<i64>(), decimals in 0u8..18) {
            let exact = price(&format!("{mantissa}e-9"));
            let answer = exact.to_answer(decimals).unwrap();
            let back = price(&format!("{}e-{decimals}", answer));
            let half_unit = price("0.5").times(price(&format!("1e-{decimals}"))).unwrap();
            prop_assert!(exact.distance(back) <= half_unit);
        }

        #[test]
        fn the_middle_lies_between(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (price(&format!("{a}e-9")), price(&format!("{b}e-9")));
            let middle = a.middle(b);
            prop_assert!(middle >= a.min(b) && middle <= a.max(b));
            prop_assert_eq!(middle, b.middle(a));
        }
    }
}
