//! Prices from contracts: pools, vaults and feeds of others.
//!
//! A [`Network`] reads all contracts of one chain at one block, named by its hash, in as few requests as its node takes,
//! however many feeds read them. What it yields is what venues yield: one observation for each source.
//!
//! Invariants: nothing is mixed of two blocks, or of two chains; a price is exact to 36 digits; no spot price of a
//! pool is ever read, because one transaction moves it; a contract that misbehaves costs its own source only.
//!
//! Each kind of contract is a [`Reader`]: it asks, hears the answers, and says a price or what is wrong.

mod chainlink;
mod curve;
mod exact;
mod growth;
mod kept;
mod network;
mod pair;
mod tick;
mod uniswap_v2;
mod uniswap_v3;
mod vault;

pub use curve::Ema;
pub use growth::{Belief, Believed, Growth, SourceWord};
pub use kept::Caution;
pub use network::{Network, NetworkSpec, Watch};
pub use pair::Twap;

use crate::chain::ChainError;
use alloy::primitives::{Address, Bytes};
use alloy::sol_types::SolCall;
use publisher_core::price::Price;
use publisher_core::quote::{SourceFault, VenueId};
use publisher_core::time::{Span, Wall};
use publisher_core::tx::BlockRef;

/// What a configuration says about a source that is a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractSource {
    /// Its name as a venue.
    pub id: VenueId,
    /// Where it is.
    pub address: Address,
    /// What it is.
    pub kind: ContractKind,
}

impl ContractSource {
    /// The contract in words that tell it from every other one: `erc4626 0x… on chain 1`. `None` where nothing is
    /// remembered of it.
    pub fn contract(&self, chain_id: u64) -> Option<String> {
        let is_share = matches!(self.kind, ContractKind::Erc4626(_) | ContractKind::CurveLp(_));
        is_share.then(|| format!("{} {} on chain {chain_id}", self.kind.name(), self.address))
    }
}

/// What a contract is, and how its price is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractKind {
    /// A feed that answers like Chainlink's `AggregatorV3Interface`.
    Chainlink {
        /// How often it is written at least. An answer older than that and a tenth is stale.
        heartbeat: Span,
        /// On a rollup, the feed that says whether its sequencer runs.
        sequencer: Option<Address>,
    },
    /// An ERC-4626 vault: what a share is worth in the vault's asset.
    Erc4626(Growth),
    /// A Curve pool: what a share of it is worth.
    CurveLp(Growth),
    /// A Curve pool: one of its coins in another, by its own moving average.
    Curve(Ema),
    /// A Uniswap v2 pair, or a fork's: the mean of its price over time, by samples taken here.
    UniswapV2(Twap),
    /// A Uniswap v3 pool, or a fork's: the geometric mean of its price over time, by its own observations.
    UniswapV3(Twap),
}

impl ContractKind {
    /// The name in configurations.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Chainlink { .. } => "chainlink",
            Self::Erc4626(_) => "erc4626",
            Self::CurveLp(_) => "curve-lp",
            Self::Curve(_) => "curve",
            Self::UniswapV2(_) => "uniswap-v2",
            Self::UniswapV3(_) => "uniswap-v3",
        }
    }

    fn reader(&self, address: Address) -> Box<dyn Reader> {
        match self {
            Self::Chainlink { heartbeat, sequencer } => {
                Box::new(chainlink::Feed::new(address, *heartbeat, *sequencer))
            }
            Self::Erc4626(growth) => Box::new(vault::Vault::new(address, *growth)),
            Self::CurveLp(growth) => Box::new(curve::Share::new(address, *growth)),
            Self::Curve(ema) => Box::new(curve::Pool::new(address, ema.clone())),
            Self::UniswapV2(twap) => Box::new(uniswap_v2::Pool::new(address, twap.clone())),
            Self::UniswapV3(twap) => Box::new(uniswap_v3::Pool::new(address, twap.clone())),
        }
    }
}

/// A call of a contract: to whom, and its calldata.
type Call = (Address, Bytes);
/// What a contract returned, or why it did not.
type Returned = Result<Bytes, ChainError>;

/// One source on a chain.
trait Reader: Send {
    /// An earlier block that its answer at this one will rest on.
    fn rests_on(&self, _at: &BlockRef) -> Option<BlockRef> {
        None
    }

    /// That block is gone, and with it what was remembered of it and of what came after.
    fn forget(&mut self, _gone: &BlockRef) {}

    /// What it is held to, if it is a share.
    fn share(&mut self) -> Option<&mut growth::Share> {
        None
    }

    /// What it rests on that the contract may not keep for long enough.
    fn kept(&self) -> Option<&kept::Kept> {
        None
    }

    /// What to ask at a block.
    fn questions(&self) -> Vec<Call>;

    /// What the answers say; one for each question, in their order.
    fn hear(&mut self, at: &BlockRef, answers: &[Returned]) -> Result<Heard, Trouble>;
}

/// What answers say.
#[derive(Debug)]
enum Heard {
    /// What is to be asked next, at the same block.
    More,
    /// A price, and when it was true.
    Price(Price, Wall),
}

/// Why a contract gives no price.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    fault: SourceFault,
    /// In words, with what to do about it where something can be done.
    detail: String,
}

impl Trouble {
    fn new(fault: SourceFault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }

    /// The contract answers, and will not be believed.
    fn refused(detail: impl Into<String>) -> Self {
        Self::new(SourceFault::VenueError, detail)
    }
}

/// The calldata of a call, with its recipient.
fn call<C: SolCall>(to: Address, call: &C) -> Call {
    (to, call.abi_encode().into())
}

/// What the answer at this place returns.
fn returned<C: SolCall>(answers: &[Returned], at: usize) -> Result<C::Return, Trouble> {
    let name = || C::SIGNATURE.split('(').next().unwrap_or_default();
    let data = match answers.get(at) {
        Some(Ok(data)) if data.is_empty() => {
            return Err(Trouble::refused(format!("no contract there answers {}", C::SIGNATURE)));
        }
        Some(Ok(data)) => data,
        Some(Err(error)) => return Err(Trouble::refused(format!("{} fails: {error}", name()))),
        None => return Err(Trouble::new(SourceFault::BadBody, "an answer is missing")),
    };
    C::abi_decode_returns_validate(data)
        .map_err(|_| Trouble::new(SourceFault::BadBody, format!("{} returns another shape", C::SIGNATURE)))
}

/// A price that a contract's numbers make; absurd ones make none.
fn positive(price: Option<Price>) -> Result<Price, Trouble> {
    price.ok_or_else(|| {
        Trouble::new(SourceFault::BadValue, "not a positive price of up to 36 digits before its point")
    })
}

/// A token's decimals, if they are any that can be meant.
fn sane_decimals(value: alloy::primitives::U256) -> Result<u8, Trouble> {
    exact::decimals(value).ok_or_else(|| {
        Trouble::new(
            SourceFault::BadValue,
            format!("{value} decimals, more than the {} that are sane", exact::DECIMALS_MAX),
        )
    })
}

#[cfg(test)]
mod tests;
