//! A Uniswap v2 pair: the mean of its price over a window, by samples of the pair's own sums over time.
//!
//! A pair adds price times seconds up at each block that moves it. A price over time takes two such sums, and the pair
//! keeps the last one only; so samples are kept here, and there is no price before the window is covered. Sums are
//! unsigned 112.112 fixed-point numbers that wrap around at 2^256, and times wrap around at 2^32: differences are right
//! nevertheless, as Uniswap's `UniswapV2OracleLibrary` explains. The spot price is not read.

use super::pair::{Tokens, Twap, dear};
use super::{Call, Heard, Reader, Returned, Trouble, call, exact, returned};
use alloy::primitives::{Address, U256};
use publisher_core::quote::SourceFault;
use publisher_core::time::{Span, Wall};
use publisher_core::tx::BlockRef;
use std::collections::VecDeque;

alloy::sol! {
    function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 blockTimestampLast);
    function price0CumulativeLast() external view returns (uint256);
    function price1CumulativeLast() external view returns (uint256);
}

/// Samples kept for a window: the mean is over the window and up to one part of so many more.
const SAMPLES: u64 = 32;

/// The pair.
pub(super) struct Pool {
    address: Address,
    twap: Twap,
    tokens: Tokens,
    /// Oldest first; the first one is the youngest that a window ago has been passed by, or older ones are missing.
    samples: VecDeque<Sample>,
}

/// The pair's sum of prices at a block.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: BlockRef,
    cumulative: U256,
}

impl Pool {
    pub(super) fn new(address: Address, twap: Twap) -> Self {
        Self { address, twap, tokens: Tokens::default(), samples: VecDeque::new() }
    }

    /// Takes a sample, and says the mean since the youngest sample that is old enough: price times seconds, seconds.
    fn mean(&mut self, now: Sample) -> Result<(U256, Span), Trouble> {
        let age = |sample: &Sample| now.at.time.since(sample.at.time);
        // A block that is not younger than the last one belongs to another branch.
        self.samples.retain(|sample| sample.at.number < now.at.number && sample.at.time < now.at.time);
        let window = self.twap.window;
        while self.samples.get(1).is_some_and(|second| age(second) >= window) {
            self.samples.pop_front();
        }
        let gap = Span::from_ms(window.ms() / SAMPLES);
        let mean = match self.samples.front().filter(|first| age(first) >= window) {
            Some(first) => Ok((now.cumulative.wrapping_sub(first.cumulative), age(first))),
            None => {
                let covered = self.samples.front().map_or(Span::ZERO, age);
                Err(Trouble::refused(format!("warming up: {covered} of {window} are covered")))
            }
        };
        if self.samples.back().is_none_or(|last| age(last) >= gap) {
            self.samples.push_back(now);
        }
        mean
    }
}

impl Reader for Pool {
    fn rests_on(&self, at: &BlockRef) -> Option<BlockRef> {
        let old = |sample: &&Sample| at.time.since(sample.at.time) >= self.twap.window;
        self.samples.iter().rev().find(old).map(|sample| sample.at)
    }

    fn forget(&mut self, gone: &BlockRef) {
        // What came after it may be gone as well.
        self.samples.retain(|sample| sample.at.number < gone.number);
    }

    fn questions(&self) -> Vec<Call> {
        let own = vec![
            call(self.address, &getReservesCall {}),
            call(self.address, &price0CumulativeLastCall {}),
            call(self.address, &price1CumulativeLastCall {}),
        ];
        self.tokens.behind(own, self.address, &self.twap)
    }

    /// The price is that of the middle of the time since the sample.
    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        let pair = self.tokens.hear(&self.twap, answers, 3)?;
        let reserves = returned::<getReservesCall>(answers, 0)?;
        let (base, quote, last) = if pair.is_first {
            (reserves.reserve0, reserves.reserve1, returned::<price0CumulativeLastCall>(answers, 1)?)
        } else {
            (reserves.reserve1, reserves.reserve0, returned::<price1CumulativeLastCall>(answers, 2)?)
        };
        let (base, quote) = (U256::from(base), U256::from(quote));
        let price = (quote << 112usize).checked_div(base);
        let price = price.ok_or_else(|| Trouble::new(SourceFault::BadValue, "the pair is empty"))?;
        // The time since the sum was written, in the pair's 32 bits of seconds.
        let since = seconds(at.time).wrapping_sub(reserves.blockTimestampLast);
        let cumulative = last.wrapping_add(price.wrapping_mul(U256::from(since)));
        // The price stands still while nobody trades, so that a pair is sampled before it is judged.
        let mean = self.mean(Sample { at: *at, cumulative });
        // With reserves x and y, L√P of the quote is y.
        let one = exact::wide(U256::from(1));
        dear((exact::wide(quote), one), pair.quote_decimals, self.twap.min_manipulation_cost)?;
        let (sum, span) = mean?;
        let elapsed = exact::wide(U256::from(span.ms() / 1000)) << 112usize;
        let price = pair.price((exact::wide(sum), elapsed))?;
        Ok(Heard::Price(price, at.time - Span::from_ms(span.ms() / 2)))
    }
}

/// A block's time as a pair keeps it.
fn seconds(time: Wall) -> u32 {
    u32::try_from(time.ms().div_euclid(1000).rem_euclid(1 << 32)).unwrap_or_default()
}
