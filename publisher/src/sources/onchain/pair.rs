//! A pool of two tokens: which of them is priced in which, with what decimals, and what it costs to move the price.

use super::exact::{self, Wide};
use super::{Call, Returned, Trouble, call, positive, returned, sane_decimals};
use alloy::primitives::{Address, U256};
use publisher_core::price::Price;
use publisher_core::time::Span;

alloy::sol! {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function decimals() external view returns (uint256);
}

/// How a price is averaged, and from whom it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twap {
    /// The token that is priced.
    pub base: Address,
    /// The token it is priced in.
    pub quote: Address,
    /// How long the price is averaged over.
    pub window: Span,
    /// What it has to cost at least to move the pool's price by 1 %, in units of the quote token.
    pub min_manipulation_cost: Price,
}

/// √1.01 − 1, with 14 decimals: moving the price of a pool with liquidity L by 1 % takes this part of L√P.
const STEP: (u64, i32) = (498_756_211_208, -14);

/// A price or amount as a fraction of two integers of a contract, in the smallest units of both tokens.
pub(super) type Fraction = (Wide, Wide);

/// A pool's tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// Whether the base is the pool's `token0`.
    pub(super) is_first: bool,
    base_decimals: u8,
    pub(super) quote_decimals: u8,
}

/// A pool's tokens, which are asked for until they are known: no pool changes them.
#[derive(Debug, Default)]
pub(super) struct Tokens(Option<Pair>);

impl Tokens {
    /// A pool's own questions, and behind them those for its tokens while they are not known.
    pub(super) fn behind(&self, own: Vec<Call>, pool: Address, twap: &Twap) -> Vec<Call> {
        let asked = if self.0.is_some() { Vec::new() } else { Pair::questions(pool, twap) };
        own.into_iter().chain(asked).collect()
    }

    /// The pair, from the answers behind so many of the pool's own.
    pub(super) fn hear(&mut self, twap: &Twap, answers: &[Returned], own: usize) -> Result<Pair, Trouble> {
        Ok(match self.0 {
            Some(pair) => pair,
            None => *self.0.insert(Pair::hear(twap, answers.get(own..).unwrap_or_default())?),
        })
    }
}

impl Pair {
    /// What has to be known of a pool.
    fn questions(pool: Address, twap: &Twap) -> Vec<Call> {
        vec![
            call(pool, &token0Call {}),
            call(pool, &token1Call {}),
            call(twap.base, &decimalsCall {}),
            call(twap.quote, &decimalsCall {}),
        ]
    }

    /// What the first four answers say.
    fn hear(twap: &Twap, answers: &[Returned]) -> Result<Self, Trouble> {
        let tokens = (returned::<token0Call>(answers, 0)?, returned::<token1Call>(answers, 1)?);
        let is_first = match tokens == (twap.base, twap.quote) {
            true => true,
            false if tokens == (twap.quote, twap.base) => false,
            false => {
                let detail = format!("the pool trades {} and {}, not base and quote", tokens.0, tokens.1);
                return Err(Trouble::refused(detail));
            }
        };
        Ok(Self {
            is_first,
            base_decimals: sane_decimals(returned::<decimalsCall>(answers, 2)?)?,
            quote_decimals: sane_decimals(returned::<decimalsCall>(answers, 3)?)?,
        })
    }

    /// The price of the base in units of the quote, from the fraction that one smallest unit of the base costs in
    /// smallest units of the quote.
    pub(super) fn price(self, (above, below): Fraction) -> Result<Price, Trouble> {
        let exponent = i32::from(self.base_decimals) - i32::from(self.quote_decimals);
        positive(exact::quotient(above, below, exponent))
    }
}

/// Refuses a pool whose price is cheap to move. `depth` is L√P in smallest units of the quote, and `min` what it has to
/// cost at least to move it by 1 %, in units of the quote.
pub(super) fn dear((above, below): Fraction, quote_decimals: u8, min: Price) -> Result<(), Trouble> {
    let (step, exponent) = STEP;
    let step = exact::wide(U256::from(step));
    let cost = above
        .checked_mul(step)
        .and_then(|above| exact::quotient(above, below, exponent - i32::from(quote_decimals)));
    match cost {
        Some(cost) if cost >= min => Ok(()),
        Some(cost) => Err(Trouble::refused(format!(
            "thin: moving its price by 1 % costs {cost} of the quote token, and min_manipulation_cost is {min}"
        ))),
        None => Err(Trouble::refused("thin: it has next to no liquidity, or more than there can be")),
    }
}
