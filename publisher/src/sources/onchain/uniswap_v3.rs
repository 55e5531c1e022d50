//! A Uniswap v3 pool: the geometric mean of its price over a window, by the pool's own observations.
//!
//! `observe` answers sums over time of the tick and of 1/liquidity; what a pool's price was within one block has no
//! weight in them. The spot price (`slot0`) is not read. Pools of forks (PancakeSwap, Slipstream) answer alike.

use super::kept::Kept;
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
    function observations(uint256 index) external view
        returns (uint32 blockTimestamp, int56 tickCumulative, uint160 secondsPerLiquidityCumulativeX128, bool initialized);
}

/// The pool.
pub(super) struct Pool {
    address: Address,
    twap: Twap,
    window_s: u32,
    tokens: Tokens,
    /// What it keeps, as it said last.
    kept: Option<Kept>,
}

impl Pool {
    pub(super) fn new(address: Address, twap: Twap) -> Self {
        let window_s = u32::try_from(twap.window.ms() / 1000).unwrap_or(u32::MAX);
        Self { address, twap, window_s, tokens: Tokens::default(), kept: None }
    }

    /// Why the pool cannot say what its price was.
    fn forgetful(&self, error: Trouble, slot0: Option<&Returned>) -> Trouble {
        let Some(Kept { count, .. }) = self.keeps(slot0) else { return error };
        let window = self.twap.window;
        Trouble::refused(format!(
            "cardinality_low: the pool keeps {count} observations, which reach back less than {window}; let anybody call \
             increaseObservationCardinalityNext on it, with the number of blocks of that time ({})",
            error.detail
        ))
    }
}

impl Pool {
    fn keeps(&self, slot0: Option<&Returned>) -> Option<Kept> {
        Kept::read(self.address, self.twap.window, slot0?.as_ref().ok()?)
    }

    /// Where the oldest observation is to be looked for, once.
    fn oldest_at(&self) -> Option<[u64; 2]> {
        self.kept.as_ref().filter(|kept| kept.oldest.is_none()).map(Kept::oldest_at)
    }
}

/// How old the oldest observation is, by the answers about where it may be; `None` where none is there.
fn oldest(at: &BlockRef, answers: &[Returned], from: usize) -> Option<Span> {
    let observed = |place| returned::<observationsCall>(answers, place).ok().filter(|seen| seen.initialized);
    let oldest = observed(from).or_else(|| observed(from + 1))?;
    // Pools keep the seconds in 32 bits.
    let now = u32::try_from(at.time.ms().div_euclid(1000).rem_euclid(1 << 32)).ok()?;
    Some(Span::from_s(now.wrapping_sub(oldest.blockTimestamp).into()))
}

impl Reader for Pool {
    fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    fn questions(&self) -> Vec<Call> {
        let own = [
            call(self.address, &observeCall { secondsAgos: vec![self.window_s, 0] }),
            call(self.address, &slot0Call {}),
        ];
        let places = self.oldest_at().into_iter().flatten();
        let oldest = places.map(|at| call(self.address, &observationsCall { index: U256::from(at) }));
        self.tokens.behind(own.into_iter().chain(oldest).collect(), self.address, &self.twap)
    }

    /// The price is that of the middle of the window.
    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        let asked_oldest = self.oldest_at();
        let own = 2 + asked_oldest.map_or(0, |places| places.len());
        let pair = self.tokens.hear(&self.twap, answers, own)?;
        let observed = returned::<observeCall>(answers, 0).map_err(|error| match answers.first() {
            Some(Err(_)) => self.forgetful(error, answers.get(1)),
            _ => error,
        })?;
        let before = self.kept.take();
        self.kept = self.keeps(answers.get(1)).map(|kept| match &before {
            Some(_) if asked_oldest.is_some() => kept.since(Some(oldest(at, answers, 2))),
            Some(before) => kept.since(before.oldest),
            None => kept,
        });
        if before.is_none() && self.kept.is_some() {
            return Ok(Heard::More);
        }
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
