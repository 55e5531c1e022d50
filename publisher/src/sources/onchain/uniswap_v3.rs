//! A Uniswap v3 pool: the geometric mean of its price over a window, by the pool's own observations.
//!
//! `observe` answers sums over time of the tick and of 1/liquidity; what a pool's price was within one block has no
//! weight in them. The spot price (`slot0`) is not read. Pools of forks (PancakeSwap, Slipstream) answer alike.

use super::pair::{Tokens, Twap, dear};
use super::{Call, Heard, Reader, Returned, Trouble, call, exact, returned, tick};
use alloy::primitives::{Address, U256};
use publisher_core::quote::SourceFault;
use publisher_core::time::Span;
use publisher_core::tx::BlockRef;

alloy::sol! {
    function observe(uint32[] secondsAgos) external view
        returns (int56[] tickCumulatives, uint160[] secondsPerLiquidityCumulativeX128s);
    function slot0() external view returns (bytes32 sqrtPriceX96);
}

/// The word of `slot0` with the number of observations that the pool keeps. Forks differ in what comes after it.
const CARDINALITY_WORD: usize = 3;

/// The pool.
pub(super) struct Pool {
    address: Address,
    twap: Twap,
    window_s: u32,
    tokens: Tokens,
}

impl Pool {
    pub(super) fn new(address: Address, twap: Twap) -> Self {
        let window_s = u32::try_from(twap.window.ms() / 1000).unwrap_or(u32::MAX);
        Self { address, twap, window_s, tokens: Tokens::default() }
    }

    /// Why the pool cannot say what its price was.
    fn forgetful(&self, error: Trouble, slot0: Option<&Returned>) -> Trouble {
        let word = |at: usize| match slot0 {
            Some(Ok(data)) => data.get(at * 32..(at + 1) * 32).map(U256::from_be_slice),
            _ => None,
        };
        let Some(kept) = word(CARDINALITY_WORD) else { return error };
        let window = self.twap.window;
        Trouble::refused(format!(
            "cardinality_low: the pool keeps {kept} observations, which reach back less than {window}; let anybody call \
             increaseObservationCardinalityNext on it, with the number of blocks of that time ({})",
            error.detail
        ))
    }
}

impl Reader for Pool {
    fn questions(&self) -> Vec<Call> {
        let own = vec![
            call(self.address, &observeCall { secondsAgos: vec![self.window_s, 0] }),
            call(self.address, &slot0Call {}),
        ];
        self.tokens.behind(own, self.address, &self.twap)
    }

    /// The price is that of the middle of the window.
    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        let pair = self.tokens.hear(&self.twap, answers, 2)?;
        let observed = returned::<observeCall>(answers, 0).map_err(|error| match answers.first() {
            Some(Err(_)) => self.forgetful(error, answers.get(1)),
            _ => error,
        })?;
        let shape = || Trouble::new(SourceFault::BadBody, "observe returns another shape");
        let ([then, now], [liquidity_then, liquidity_now]) = (
            <[_; 2]>::try_from(observed.tickCumulatives.as_slice()).map_err(|_| shape())?,
            <[_; 2]>::try_from(observed.secondsPerLiquidityCumulativeX128s.as_slice())
                .map_err(|_| shape())?,
        );
        // Sums wrap around by design: of ticks in 56 bits, of the other in 160.
        let ticks = i64::try_from(now.wrapping_sub(then)).map_err(|_| shape())?;
        let mean = tick::mean(ticks, self.window_s).and_then(tick::sqrt_price);
        let root =
            mean.ok_or_else(|| Trouble::new(SourceFault::BadValue, "a mean tick beyond all prices"))?;
        let per_liquidity = U256::from(liquidity_now.wrapping_sub(liquidity_then));
        let liquidity = harmonic_mean(self.window_s, per_liquidity);
        let (root, one) = (exact::wide(root), exact::wide(U256::from(1)) << 96usize);
        let liquidity = exact::wide(liquidity.ok_or_else(shape)?);
        // The root is of token1 for token0.
        let (root, one) = if pair.is_first { (root, one) } else { (one, root) };
        dear((liquidity * root, one), pair.quote_decimals, self.twap.min_manipulation_cost)?;
        let price = pair.price((root * root, one * one))?;
        Ok(Heard::Price(price, at.time - half(self.twap.window)))
    }
}

/// The harmonic mean of the liquidity in range, from the sum of seconds for each unit of it with 128 binary places:
/// `OracleLibrary.consult` of Uniswap's v3-periphery. `None` for one that no pool has.
fn harmonic_mean(window_s: u32, per_liquidity: U256) -> Option<U256> {
    let seconds = U256::from(window_s) * ((U256::from(1) << 160usize) - U256::from(1));
    // Liquidity has 128 bits.
    seconds.checked_div(per_liquidity << 32usize).filter(|liquidity| liquidity.bit_len() <= 128)
}

fn half(window: Span) -> Span {
    Span::from_ms(window.ms() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use publisher_core::price::Price;

    /// PancakeSwap has one more field in `slot0` than Uniswap, Slipstream one less, both behind the cardinality.
    #[test]
    fn the_cardinality_is_read_whatever_a_fork_puts_behind_it() {
        let min_manipulation_cost = Price::one();
        let (base, quote) = (Address::ZERO, Address::repeat_byte(1));
        let twap = Twap { base, quote, window: Span::from_s(1800), min_manipulation_cost };
        let pool = Pool::new(Address::ZERO, twap);
        for words in [6, 7, 8] {
            let word = |at: usize| U256::from(if at == CARDINALITY_WORD { 17 } else { 9 });
            let slot0: Vec<u8> = (0..words).flat_map(|at| word(at).to_be_bytes::<32>()).collect();
            let trouble = pool.forgetful(Trouble::refused("OLD"), Some(&Ok(slot0.into())));
            assert!(trouble.detail.contains("keeps 17 observations"), "{}", trouble.detail);
        }
        let short = pool.forgetful(Trouble::refused("OLD"), Some(&Ok(vec![0; 96].into())));
        assert_eq!(short.detail, "OLD", "a pool of another kind");
    }
}
