//! Exact decimals of the simulated market: what is set is what is served, digit by digit.
//!
//! Invariant: the value is `mantissa / 10^scale` with at most [`MAX_SCALE`] decimals; no operation rounds
//! without saying how. This is deliberately not the daemon's price type: the double must be able to disagree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most decimals a value may carry.
pub const MAX_SCALE: u32 = 24;

/// Most digits a mantissa may have, so that a product of two prices still fits 128 bits in most cases and
/// overflow is an answer (`None`), never a wrapped number.
const MAX_DIGITS: usize = 30;

/// An exact signed decimal. In JSON it is a string, so that no reader can lose digits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Why a text is not a decimal of the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotADecimal(String);

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a plain decimal such as 67000.12", self.0)
    }
}

impl std::error::Error for NotADecimal {}

impl Decimal {
    /// `mantissa / 10^scale`; `None` beyond [`MAX_SCALE`].
    pub fn new(mantissa: i128, scale: u32) -> Option<Self> {
        (scale <= MAX_SCALE).then_some(Self { mantissa, scale })
    }

    /// The integer in front of the power of ten.
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// Number of decimals.
    pub fn scale(self) -> u32 {
        self.scale
    }

    /// The same value with exactly `scale` decimals, or more if it has more already.
    pub(crate) fn at_least(self, scale: u32) -> Option<Self> {
        let more = scale.saturating_sub(self.scale);
        Self::new(self.mantissa.checked_mul(power_of_ten(more)?)?, self.scale + more)
    }

    /// The exact product.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Self::new(self.mantissa.checked_mul(other.mantissa)?, self.scale + other.scale)
    }

    /// The quotient, rounded half to even at `scale` decimals.
    pub(crate) fn over(self, divisor: Self, scale: u32) -> Option<Self> {
        let up = power_of_ten(scale.checked_add(divisor.scale)?)?;
        let numerator = self.mantissa.checked_mul(up)?;
        let denominator = divisor.mantissa.checked_mul(power_of_ten(self.scale)?)?;
        Self::new(div_half_even(numerator, denominator)?, scale)
    }

    /// The value moved by `units` of its last decimal.
    pub(crate) fn plus_units(self, units: i128) -> Option<Self> {
        Self::new(self.mantissa.checked_add(units)?, self.scale)
    }

    /// The value moved by `ppm` millionths of itself, rounded half to even at its own last decimal.
    pub(crate) fn moved_ppm(self, ppm: i64) -> Option<Self> {
        let delta = div_half_even(self.mantissa.checked_mul(i128::from(ppm))?, 1_000_000)?;
        self.plus_units(delta)
    }

    pub(crate) fn negated(self) -> Self {
        Self { mantissa: -self.mantissa, scale: self.scale }
    }

    pub(crate) fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// Scientific notation with every digit kept: `6.700012e4`.
    pub(crate) fn exponent_notation(self) -> String {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let (head, tail) = digits.split_at(1);
        let exponent = i64::try_from(tail.len()).unwrap_or_default() - i64::from(self.scale);
        if tail.is_empty() {
            format!("{sign}{head}e{exponent}")
        } else {
            format!("{sign}{head}.{tail}e{exponent}")
        }
    }
}

impl TryFrom<String> for Decimal {
    type Error = NotADecimal;

    fn try_from(text: String) -> Result<Self, NotADecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(value: Decimal) -> Self {
        value.to_string()
    }
}

impl From<u32> for Decimal {
    fn from(whole: u32) -> Self {
        Self { mantissa: i128::from(whole), scale: 0 }
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let refuse = || NotADecimal(text.chars().take(40).collect());
        let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        let plain = !whole.is_empty()
            && !unsigned.ends_with('.')
            && digits.len() <= MAX_DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain {
            return Err(refuse());
        }
        let mantissa = digits.parse::<i128>().map_err(|_| refuse())?;
        let scale = u32::try_from(fraction.len()).map_err(|_| refuse())?;
        Self::new(sign * mantissa, scale).ok_or_else(refuse)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::try_from(self.scale).unwrap_or_default();
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

/// Division with ties to the even neighbour. The divisor must be positive.
fn div_half_even(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator <= 0 {
        return None;
    }
    let (quotient, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let twice = rest.checked_mul(2)?;
    let up = twice > denominator || (twice == denominator && quotient.rem_euclid(2) == 1);
    quotient.checked_add(i128::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_survives_digit_by_digit() {
        for text in
            ["0", "67000.12", "67000.1200", "0.000000012", "-3.5", "1", "123456789.123456789123456789"]
        {
            assert_eq!(decimal(text).to_string(), text);
        }
    }

    #[test]
    fn anything_but_a_plain_decimal_is_refused() {
        let too_long = "1".repeat(MAX_DIGITS + 1);
        let too_fine = format!("0.{}", "1".repeat(25));
        for text in ["", ".", "1.", ".5", "+1", "1e5", "NaN", "1,5", " 1", "--1", "0x1", &too_long, &too_fine]
        {
            assert!(text.parse::<Decimal>().is_err(), "{text:?} was taken for a decimal");
        }
    }

    #[test]
    fn arithmetic_is_exact_or_says_how_it_rounds() {
        let check = |got: Option<Decimal>, expected: &str| assert_eq!(got.unwrap().to_string(), expected);
        check(decimal("67000.12").times(decimal("1000")), "67000120.00");
        check(decimal("67000.12").over(decimal("0.9998"), 2), "67013.52");
        check(decimal("0.25").over(decimal("1"), 1), "0.2");
        check(decimal("0.35").over(decimal("1"), 1), "0.4");
        check(decimal("-0.25").over(decimal("1"), 1), "-0.2");
        check(decimal("100.00").moved_ppm(-2_500), "99.75");
        check(decimal("1.5").at_least(4), "1.5000");
        check(decimal("1.23456").at_least(2), "1.23456");
        assert!(decimal("1").over(decimal("0"), 2).is_none());
        assert!(Decimal::new(i128::MAX, 0).unwrap().times(decimal("10")).is_none());
    }

    #[test]
    fn exponent_notation_keeps_every_digit() {
        let check = |text: &str, expected: &str| assert_eq!(decimal(text).exponent_notation(), expected);
        check("67000.12", "6.700012e4");
        check("0.00000012", "1.2e-7");
        check("5", "5e0");
        check("-40", "-4.0e1");
    }
}
