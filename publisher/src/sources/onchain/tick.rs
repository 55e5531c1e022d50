//! A Uniswap v3 tick as a square root of a price, exactly as the pools' own `TickMath` computes it.
//!
//! A tick `i` is the price 1.0001^i. Its root is the product of 1.0001^(-2^k / 2) over the bits `k` of |i|, each a
//! constant of 128 binary places; the constants, the order of roundings and the bounds are those of
//! `TickMath.getSqrtRatioAtTick` (Uniswap v3-core, `contracts/libraries/TickMath.sol`), because another last digit would
//! be another price than the pool's.

use alloy::primitives::U256;

/// The ticks that exist: beyond them prices do not fit 128 bits.
pub(super) const TICK_MAX: i32 = 887_272;

/// 1.0001^(-2^k / 2) with 128 binary places, for k from 0.
const ROOTS: [u128; 20] = [
    0xfffc_b933_bd6f_ad37_aa2d_162d_1a59_4001,
    0xfff9_7272_373d_4132_59a4_6990_580e_213a,
    0xfff2_e50f_5f65_6932_ef12_357c_f3c7_fdcc,
    0xffe5_caca_7e10_e4e6_1c36_24ea_a094_1cd0,
    0xffcb_9843_d60f_6159_c9db_5883_5c92_6644,
    0xff97_3b41_fa98_c081_472e_6896_dfb2_54c0,
    0xff2e_a164_66c9_6a38_43ec_78b3_26b5_2861,
    0xfe5d_ee04_6a99_a2a8_11c4_61f1_969c_3053,
    0xfcbe_86c7_900a_88ae_dcff_c83b_479a_a3a4,
    0xf987_a725_3ac4_1317_6f2b_074c_f781_5e54,
    0xf339_2b08_22b7_0005_940c_7a39_8e4b_70f3,
    0xe715_9475_a2c2_9b74_43b2_9c7f_a6e8_89d9,
    0xd097_f3bd_fd20_22b8_845a_d8f7_92aa_5825,
    0xa9f7_4646_2d87_0fdf_8a65_dc1f_90e0_61e5,
    0x70d8_69a1_56d2_a1b8_90bb_3df6_2baf_32f7,
    0x31be_135f_97d0_8fd9_8123_1505_542f_cfa6,
    0x09aa_508b_5b7a_84e1_c677_de54_f3e9_9bc9,
    0x005d_6af8_dedb_8119_6699_c329_225e_e604,
    0x0000_2216_e584_f5fa_1ea9_2604_1bed_fe98,
    0x0000_0000_048a_1703_91f7_dc42_444e_8fa2,
];

/// √(1.0001^tick) with 96 binary places (Q64.96), as a pool at this tick has it; `None` beyond the ticks that exist.
pub(super) fn sqrt_price(tick: i32) -> Option<U256> {
    let magnitude = tick.unsigned_abs();
    if !(-TICK_MAX..=TICK_MAX).contains(&tick) {
        return None;
    }
    let mut ratio = U256::from(1) << 128usize;
    for (bit, root) in ROOTS.iter().enumerate() {
        if (magnitude >> bit) & 1 == 1 {
            ratio = (ratio * U256::from(*root)) >> 128usize;
        }
    }
    if tick > 0 {
        ratio = U256::MAX / ratio;
    }
    // From 128 to 96 binary places, rounded up.
    let (whole, rest) = (ratio >> 32usize, ratio & U256::from(u32::MAX));
    Some(if rest.is_zero() { whole } else { whole + U256::from(1) })
}

/// The mean tick of a window, rounded towards minus infinity as Uniswap's `OracleLibrary.consult` does it; `None` if it
/// is none that exists.
pub(super) fn mean(cumulative: i64, window_s: u32) -> Option<i32> {
    let mean = cumulative.checked_div_euclid(i64::from(window_s))?;
    i32::try_from(mean).ok().filter(|tick| (-TICK_MAX..=TICK_MAX).contains(tick))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U512;

    /// `TickMath.MIN_SQRT_RATIO` and `MAX_SQRT_RATIO`, and ticks whose roots Uniswap's own tests name.
    #[test]
    fn ticks_have_the_roots_that_pools_have() {
        for (tick, expected) in [
            (0, "79228162514264337593543950336"),
            (-887_272, "4295128739"),
            (887_272, "1461446703485210103287273052203988822378723970342"),
            (-887_271, "4295343490"),
            (887_271, "1461373636630004318706518188784493106690254656249"),
            (50, "79426470787362580746886972461"),
            (-50, "79030349367926598376800521322"),
            (100, "79625275426524748796330556128"),
            (-100, "78833030112140176575862854579"),
            (250, "80224679980005306637834519095"),
            (-250, "78244023372248365697264290337"),
            (250_000, "21246587762933397357449903968194344"),
            (-250_000, "295440463448801648376846"),
        ] {
            assert_eq!(sqrt_price(tick).unwrap().to_string(), expected, "{tick}");
        }
        for tick in [887_273, -887_273, i32::MAX, i32::MIN] {
            assert_eq!(sqrt_price(tick), None);
        }
    }

    /// A wrong digit in the table would hide in ticks that nobody tried: each constant is the square of the one before.
    #[test]
    fn each_root_is_the_square_of_the_one_before() {
        for pair in ROOTS.windows(2) {
            let square: U512 = (U512::from(pair[0]) * U512::from(pair[0])) >> 128usize;
            let off = square.abs_diff(U512::from(pair[1]));
            assert!(off <= U512::from(2), "{:x} is {off} off the square of {:x}", pair[1], pair[0]);
        }
        // And the first is 1/√1.0001: its square times 1.0001 is one.
        let first = U512::from(ROOTS[0]);
        let one = first * first * U512::from(10_001) / U512::from(10_000);
        assert!(one.abs_diff(U512::from(1) << 256usize) < U512::from(1) << 130usize);
    }

    #[test]
    fn roots_rise_with_ticks() {
        let mut before = U256::ZERO;
        for tick in (-TICK_MAX..=TICK_MAX).step_by(997) {
            let root = sqrt_price(tick).unwrap();
            assert!(root > before, "{tick}");
            before = root;
        }
    }

    #[test]
    fn a_mean_tick_is_rounded_down_and_absurd_ones_are_none() {
        for (cumulative, window, expected) in [
            (0, 1800, Some(0)),
            (1799, 1800, Some(0)),
            (1800, 1800, Some(1)),
            (-1, 1800, Some(-1)),
            (-1800, 1800, Some(-1)),
            (-1801, 1800, Some(-2)),
            (887_272 * 1800, 1800, Some(887_272)),
            (887_273 * 1800, 1800, None),
            (i64::MIN, 1, None),
            (5, 0, None),
        ] {
            assert_eq!(mean(cumulative, window), expected, "{cumulative}/{window}");
        }
    }
}
