//! Exact prices from what contracts return: integers of any size, powers of ten and of two.

use alloy::primitives::U256;
use alloy::primitives::ruint::Uint;
use publisher_core::price::{DIGITS, Price, SCALE};

/// Wide enough for a squared Q64.96 (320 bits) times powers of ten of 36 and of 72 digits.
pub(super) type Wide = Uint<1024, 16>;

/// Nobody trades tokens of more decimals; whoever claims so breaks the arithmetic of those who believe it.
pub(super) const DECIMALS_MAX: u8 = 36;

/// An integer of a contract.
pub(super) fn wide(value: U256) -> Wide {
    Wide::from(value)
}

/// `10^exponent`, for exponents that fit.
fn pow10(exponent: u32) -> Option<Wide> {
    Wide::from(10u64).checked_pow(Wide::from(exponent))
}

/// `numerator / denominator × 10^exponent`, rounded once, half to even: to the 36 significant digits of the core's products
/// and quotients, and to the 72 decimals that a price has. `None` if it is no positive price.
pub(super) fn quotient(numerator: Wide, denominator: Wide, exponent: i32) -> Option<Price> {
    let shift = pow10(exponent.unsigned_abs())?;
    let (above, below) = match exponent {
        0.. => (numerator.checked_mul(shift)?, denominator),
        _ => (numerator, denominator.checked_mul(shift)?),
    };
    let above = above.checked_mul(pow10(u32::from(SCALE))?)?;
    let digits = above.checked_div(below)?.to_string().len();
    let dropped = pow10(u32::try_from(digits.saturating_sub(usize::from(DIGITS))).ok()?)?;
    let scaled = half_even(above, below.checked_mul(dropped)?)?.checked_mul(dropped)?;
    let text = scaled.to_string();
    let width = usize::from(SCALE);
    let padded = format!("{text:0>least$}", least = width + 1);
    let (whole, fraction) = padded.split_at(padded.len() - width);
    format!("{whole}.{fraction}").parse().ok().filter(|price: &Price| price.is_positive())
}

fn half_even(numerator: Wide, denominator: Wide) -> Option<Wide> {
    let quotient = numerator.checked_div(denominator)?;
    let twice = numerator.checked_rem(denominator)?.checked_mul(Wide::from(2u64))?;
    let up = twice > denominator || (twice == denominator && quotient.bit(0));
    if up { quotient.checked_add(Wide::from(1u64)) } else { Some(quotient) }
}

/// The decimals of a token, if they are any that can be meant.
pub(super) fn decimals(value: U256) -> Option<u8> {
    u8::try_from(value).ok().filter(|decimals| *decimals <= DECIMALS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(numerator: &str, denominator: &str, exponent: i32) -> Option<String> {
        let read = |text: &str| text.parse::<Wide>().unwrap();
        quotient(read(numerator), read(denominator), exponent).map(|price| price.to_string())
    }

    #[test]
    fn f48_quotients_are_exact_to_36_digits_and_round_half_to_even() {
        for (numerator, denominator, exponent, expected) in [
            ("6700012345678", "1", -8, Some("67000.12345678")),
            ("1", "1", 0, Some("1")),
            ("1", "1", 35, Some("100000000000000000000000000000000000")),
            ("1", "1", 36, None),
            ("1", "1", -36, Some("0.000000000000000000000000000000000001")),
            ("1", "2", -36, Some("0.0000000000000000000000000000000000005")),
            ("1", "2", -72, None),
            (
                "3",
                "2",
                -72,
                Some("0.000000000000000000000000000000000000000000000000000000000000000000000002"),
            ),
            ("1", "3", 0, Some("0.333333333333333333333333333333333333")),
            ("200", "3", 0, Some("66.6666666666666666666666666666666667")),
            // 37 digits: the last one is a tie, which goes to the even neighbour.
            (
                "1000000000000000000000000000000000025",
                "1",
                -30,
                Some("1000000.00000000000000000000000000002"),
            ),
            (
                "1000000000000000000000000000000000035",
                "1",
                -30,
                Some("1000000.00000000000000000000000000004"),
            ),
            ("9999999999999999999999999999999999995", "1", -30, Some("10000000")),
            ("0", "1", 0, None),
            ("1", "0", 0, None),
        ] {
            assert_eq!(
                quoted(numerator, denominator, exponent).as_deref(),
                expected,
                "{numerator}/{denominator}e{exponent}"
            );
        }
    }

    #[test]
    fn no_integer_of_a_contract_is_too_large_to_be_refused() {
        for exponent in [-400, -72, -36, 0, 36, 72, 400, i32::MIN, i32::MAX] {
            for value in [U256::ZERO, U256::from(1), U256::MAX] {
                let _either = quotient(wide(value), wide(U256::MAX), exponent);
                let _either = quotient(wide(value) << 300usize, wide(value), exponent);
            }
        }
        assert_eq!(decimals(U256::from(36)), Some(36));
        assert_eq!(decimals(U256::from(37)), None);
        assert_eq!(decimals(U256::MAX), None);
    }
}
