//! Curve: what a pool's share is worth, and what one of its coins is worth in another.

use super::growth::{self, Growth};
use super::pair;
use super::{Call, Heard, Reader, Returned, Trouble, call, exact, positive, returned, sane_decimals};
use alloy::primitives::{Address, U256};
use alloy::sol_types::SolCall;
use publisher_core::price::Price;
use publisher_core::quote::SourceFault;
use publisher_core::time::Span;
use publisher_core::tx::BlockRef;

alloy::sol! {
    function get_virtual_price() external view returns (uint256);
    function coins(uint256 i) external view returns (address);
    function balances(uint256 i) external view returns (uint256);
    function decimals() external view returns (uint256);
    function price_oracle() external view returns (uint256);
    function price_oracle(uint256 i) external view returns (uint256);
    function stored_rates() external view returns (uint256[]);
    function ma_time() external view returns (uint256);
    function ma_exp_time() external view returns (uint256);
    function ma_half_time() external view returns (uint256);
}

/// Curve's prices have 18 decimals, whatever its coins have.
const DECIMALS: i32 = 18;

/// A share of a pool, in units of what the pool's coins are worth each: its `get_virtual_price`.
pub(super) struct Share {
    pool: Address,
    share: growth::Share,
}

impl Share {
    pub(super) fn new(pool: Address, limits: Growth) -> Self {
        Self { pool, share: growth::Share::new(limits) }
    }
}

impl Reader for Share {
    fn share(&mut self) -> Option<&mut growth::Share> {
        Some(&mut self.share)
    }

    fn questions(&self) -> Vec<Call> {
        vec![call(self.pool, &get_virtual_priceCall {})]
    }

    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        let worth = exact::wide(returned::<get_virtual_priceCall>(answers, 0)?);
        let price = positive(exact::quotient(worth, exact::wide(U256::from(1)), -DECIMALS))?;
        let price = self.share.take(price, at.time)?;
        Ok(Heard::Price(price, at.time))
    }
}

/// How a pool's coins are priced, and from whom that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ema {
    /// The coin that is priced.
    pub base: Address,
    /// The coin it is priced in.
    pub quote: Address,
    /// What it has to cost at least to move the pool's price by 1 %, in units of the quote coin.
    pub min_manipulation_cost: Price,
}

/// One coin of a pool in another, by the pool's own exponential moving average: its `price_oracle`. The spot price
/// (`get_dy`, `last_price`) is not read.
///
/// Pools tell the price of every coin in the first. Those of two coins call it `price_oracle()`, or, like those of more,
/// `price_oracle(i)` for the coin after the i-th.
pub(super) struct Pool {
    address: Address,
    ema: Ema,
    known: Option<Known>,
}

/// What is known of it; none of it changes, except that a pool's owner may set another averaging time.
#[derive(Clone, Copy)]
struct Known {
    base: usize,
    quote: usize,
    base_decimals: u8,
    quote_decimals: u8,
    /// Whether prices are asked for by the number of the coin.
    is_indexed: bool,
    /// How far the average is behind.
    lag: Span,
}

/// The most coins that a pool with an oracle is read with.
const COINS: usize = 4;
/// An average over longer is none of a price of today.
const LAG_MAX: Span = Span::from_s(86_400);
/// The power of ten that a rate of a coin without decimals would have: rates make 18 decimals of any coin's, with 18
/// more of their own.
const RATE: u8 = 36;

impl Pool {
    pub(super) fn new(address: Address, ema: Ema) -> Self {
        Self { address, ema, known: None }
    }

    fn first(&self) -> Vec<Call> {
        let coins = (0..COINS).map(|i| call(self.address, &coinsCall { i: U256::from(i) }));
        let mut questions: Vec<Call> = coins.collect();
        questions.extend([
            call(self.ema.base, &decimalsCall {}),
            call(self.ema.quote, &decimalsCall {}),
            call(self.address, &price_oracle_1Call { i: U256::ZERO }),
            call(self.address, &ma_timeCall {}),
            call(self.address, &ma_exp_timeCall {}),
            call(self.address, &ma_half_timeCall {}),
        ]);
        questions
    }

    fn learn(&self, answers: &[Returned]) -> Result<Known, Trouble> {
        let coins: Vec<Address> = (0..COINS).map_while(|i| returned::<coinsCall>(answers, i).ok()).collect();
        let place = |token: Address| coins.iter().position(|coin| *coin == token);
        let (Some(base), Some(quote)) = (place(self.ema.base), place(self.ema.quote)) else {
            let listed: Vec<String> = coins.iter().map(Address::to_string).collect();
            let detail =
                format!("the pool's coins are {}, and base and quote are not among them", listed.join(", "));
            return Err(Trouble::refused(detail));
        };
        let base_decimals = sane_decimals(returned::<decimalsCall>(answers, COINS)?)?;
        let quote_decimals = sane_decimals(returned::<decimalsCall>(answers, COINS + 1)?)?;
        let is_indexed = returned::<price_oracle_1Call>(answers, COINS + 2).is_ok();
        if !is_indexed {
            lacks(answers.get(COINS + 2))?;
        }
        if !is_indexed && coins.len() > 2 {
            return Err(Trouble::refused(
                "it has no price_oracle(uint256), as pools of more than two coins do",
            ));
        }
        let lag = returned::<ma_timeCall>(answers, COINS + 3)
            .or_else(|_| returned::<ma_exp_timeCall>(answers, COINS + 4))
            .or_else(|_| returned::<ma_half_timeCall>(answers, COINS + 5))
            .map_err(|_| {
                Trouble::refused("it does not say over which time it averages; it may have no oracle")
            })?;
        let lag =
            u64::try_from(lag).ok().map(Span::from_s).filter(|lag| *lag > Span::ZERO && *lag <= LAG_MAX);
        let lag =
            lag.ok_or_else(|| Trouble::new(SourceFault::BadValue, "it averages over no time of a day"))?;
        Ok(Known { base, quote, base_decimals, quote_decimals, is_indexed, lag })
    }
}

/// Whether a pool has no such function, by its own word. What a node could not tell says nothing of the pool.
fn lacks(answer: Option<&Returned>) -> Result<(), Trouble> {
    match answer {
        Some(Err(error)) if !error.is_contracts_word() => {
            Err(Trouble::refused(format!("a node does not tell: {error}")))
        }
        _ => Ok(()),
    }
}

impl Known {
    /// What the price of a coin in the first one is asked by; the first one's is one.
    fn question(&self, pool: Address, coin: usize) -> Option<Call> {
        let before = coin.checked_sub(1)?;
        Some(match self.is_indexed {
            true => call(pool, &price_oracle_1Call { i: U256::from(before) }),
            false => call(pool, &price_oracle_0Call {}),
        })
    }

    /// Refuses a pool that scales its coins by rates, such as those of shares: its prices are of what it scales them to.
    fn unscaled(&self, rates: Option<&Returned>) -> Result<(), Trouble> {
        let data = match rates {
            Some(Ok(data)) => data,
            answer => return lacks(answer),
        };
        let rates = stored_ratesCall::abi_decode_returns(data).or_else(|_| {
            let words: Vec<U256> = data.chunks(32).map(U256::from_be_slice).collect();
            if words.is_empty() { Err(()) } else { Ok(words) }
        });
        let Ok(rates) = rates else { return Ok(()) };
        for (coin, decimals) in [(self.base, self.base_decimals), (self.quote, self.quote_decimals)] {
            let plain = RATE.checked_sub(decimals).map(|power| U256::from(10).pow(U256::from(power)));
            if rates.get(coin).copied() != plain {
                return Err(Trouble::refused(
                    "the pool scales its coins by rates, and its price_oracle leaves them out",
                ));
            }
        }
        Ok(())
    }
}

impl Reader for Pool {
    fn questions(&self) -> Vec<Call> {
        let Some(known) = &self.known else { return self.first() };
        let mut questions = vec![
            call(self.address, &balancesCall { i: U256::from(known.quote) }),
            call(self.address, &stored_ratesCall {}),
        ];
        questions
            .extend([known.base, known.quote].iter().filter_map(|coin| known.question(self.address, *coin)));
        questions
    }

    /// The price is as old as the time it is averaged over.
    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble> {
        let Some(known) = self.known else {
            self.known = Some(self.learn(answers)?);
            return Ok(Heard::More);
        };
        known.unscaled(answers.get(1))?;
        let balance = returned::<balancesCall>(answers, 0)?;
        // With as much of the other coin behind it, a pool of a constant product is the cheapest to move that there is.
        let depth = (exact::wide(balance), exact::wide(U256::from(1)));
        pair::dear(depth, known.quote_decimals, self.ema.min_manipulation_cost)?;
        let mut next = 2;
        let mut price_of = |coin: usize| match coin {
            0 => Ok(U256::from(10).pow(U256::from(DECIMALS.unsigned_abs()))),
            _ => {
                next += 1;
                returned::<price_oracle_1Call>(answers, next - 1)
            }
        };
        let (base, quote) = (price_of(known.base)?, price_of(known.quote)?);
        let price = positive(exact::quotient(exact::wide(base), exact::wide(quote), 0))?;
        Ok(Heard::Price(price, at.time - known.lag))
    }
}
