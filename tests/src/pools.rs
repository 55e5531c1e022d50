//! Uniswap's own pools on a real node, compiled by their authors, with two tokens in them.

use crate::chains::{Absent, Program};
use alloy::network::TransactionBuilder;
use alloy::primitives::aliases::{I24, U24, U160};
use alloy::primitives::{Address, Bytes, U256};
use alloy::providers::ext::AnvilApi;
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use alloy::sol_types::SolCall;
use anyhow::{Context, Result, ensure};
use publisher_bindings::WETH9;
use std::path::Path;

alloy::sol! {
    // Uniswap v2-core.
    function createPair(address tokenA, address tokenB) external returns (address pair);
    function getPair(address tokenA, address tokenB) external view returns (address pair);
    function mint(address to) external returns (uint256 liquidity);
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes data) external;
    function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 blockTimestampLast);
    // Uniswap v3-core and v3-periphery.
    function createAndInitializePoolIfNecessary(address token0, address token1, uint24 fee, uint160 sqrtPriceX96)
        external payable returns (address pool);
    function getPool(address tokenA, address tokenB, uint24 fee) external view returns (address pool);
    function increaseObservationCardinalityNext(uint16 observationCardinalityNext) external;

    struct MintParams {
        address token0;
        address token1;
        uint24 fee;
        int24 tickLower;
        int24 tickUpper;
        uint256 amount0Desired;
        uint256 amount1Desired;
        uint256 amount0Min;
        uint256 amount1Min;
        address recipient;
        uint256 deadline;
    }

    struct ExactInputSingleParams {
        address tokenIn;
        address tokenOut;
        uint24 fee;
        address recipient;
        uint256 deadline;
        uint256 amountIn;
        uint256 amountOutMinimum;
        uint160 sqrtPriceLimitX96;
    }

    interface Positions {
        function mint(MintParams params) external payable
            returns (uint256 tokenId, uint128 liquidity, uint256 amount0, uint256 amount1);
    }

    function exactInputSingle(ExactInputSingleParams params) external payable returns (uint256 amountOut);
}

/// The fee of the v3 pool in parts per million.
const FEE: u32 = 3000;
/// The widest range of ticks that a pool of this fee takes.
const TICKS: i32 = 887_220;
/// Units of the base token in each pool.
const DEPTH: u64 = 100;
/// Enough for everything, the making of a pool included. Estimates fall short: what a pool writes depends on the second.
const GAS: u64 = 6_000_000;
/// The smallest units of a unit.
const UNIT: u64 = 1_000_000_000_000_000_000;

/// A pool of each version with the same two tokens, both with 18 decimals.
#[derive(Debug)]
pub struct Pools {
    chain: DynProvider,
    owner: Address,
    /// The token that is priced.
    pub base: Address,
    /// What it is priced in.
    pub quote: Address,
    /// The pair of v2.
    pub v2: Address,
    /// The pool of v3.
    pub v3: Address,
    router: Address,
}

impl Pools {
    /// Both pools at this price in units of the quote for a base, with [`DEPTH`] units of the base in each.
    ///
    /// # Errors
    /// With what cannot be deployed. What cannot be had is [`Absent`].
    pub async fn deploy(chain: &DynProvider, owner: Address, price: u64) -> Result<Result<Self, Absent>> {
        let packages = match tokio::task::spawn_blocking(|| Program::Uniswap.find()).await?? {
            Ok(packages) => packages,
            Err(absent) => return Ok(Err(absent)),
        };
        let code = |file: &str| code(&packages.join(file));
        let wealth = U256::from(4 * DEPTH * (price + 1)) * U256::from(UNIT);
        chain.anvil_set_balance(owner, wealth.saturating_mul(U256::from(4))).await?;
        let (base, quote) = (WETH9::deploy(chain).await?, WETH9::deploy(chain).await?);
        for token in [&base, &quote] {
            token.deposit().value(wealth).send().await?.get_receipt().await?;
        }
        let nobody = Address::ZERO;
        let factory = code("v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json")?;
        let factory = create(chain, factory, &[]).await?;
        let folder = "v3-periphery/artifacts/contracts";
        let positions =
            code(&format!("{folder}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"))?;
        let positions = create(chain, positions, &[factory, *base.address(), nobody]).await?;
        let router = code(&format!("{folder}/SwapRouter.sol/SwapRouter.json"))?;
        let router = create(chain, router, &[factory, *base.address()]).await?;
        let pairs = create(chain, code("v2-core/build/UniswapV2Factory.json")?, &[owner]).await?;
        let mut pools = Self {
            chain: chain.clone(),
            owner,
            base: *base.address(),
            quote: *quote.address(),
            v2: nobody,
            v3: nobody,
            router,
        };
        for token in [&base, &quote] {
            for spender in [positions, router] {
                token.approve(spender, U256::MAX).send().await?.get_receipt().await?;
            }
        }
        let deposit = (U256::from(DEPTH) * U256::from(UNIT), U256::from(DEPTH * price) * U256::from(UNIT));
        pools.v2 = pools.pair(pairs, deposit).await?;
        pools.v3 = pools.pool(factory, positions, deposit).await?;
        Ok(Ok(pools))
    }

    async fn pair(&self, factory: Address, deposit: (U256, U256)) -> Result<Address> {
        let (token_a, token_b) = (self.base, self.quote);
        self.send(factory, createPairCall { tokenA: token_a, tokenB: token_b }).await?;
        let pair = self.read(factory, getPairCall { tokenA: token_a, tokenB: token_b }).await?;
        for (token, amount) in [(self.base, deposit.0), (self.quote, deposit.1)] {
            self.pay(token, pair, amount).await?;
        }
        self.send(pair, mintCall { to: self.owner }).await?;
        Ok(pair)
    }

    async fn pool(&self, factory: Address, positions: Address, deposit: (U256, U256)) -> Result<Address> {
        let fee = U24::from(FEE);
        // Pools sort their tokens, and price the first in the second.
        let (tokens, amounts) = match self.is_first() {
            true => ([self.base, self.quote], deposit),
            false => ([self.quote, self.base], (deposit.1, deposit.0)),
        };
        let [token0, token1] = tokens;
        // √(token1/token0) with 96 binary places.
        let (one, price) = (U256::from(1) << 192usize, deposit.1 / deposit.0);
        let root = if self.is_first() { one * price } else { one / price }.root(2);
        let create =
            createAndInitializePoolIfNecessaryCall { token0, token1, fee, sqrtPriceX96: U160::from(root) };
        self.send(positions, create).await?;
        let pool = self.read(factory, getPoolCall { tokenA: token0, tokenB: token1, fee }).await?;
        let params = MintParams {
            token0,
            token1,
            fee,
            tickLower: I24::try_from(-TICKS)?,
            tickUpper: I24::try_from(TICKS)?,
            amount0Desired: amounts.0,
            amount1Desired: amounts.1,
            amount0Min: U256::ZERO,
            amount1Min: U256::ZERO,
            recipient: self.owner,
            deadline: U256::MAX,
        };
        self.send(positions, Positions::mintCall { params }).await?;
        Ok(pool)
    }

    /// Whether the base is what the pools call `token0`.
    pub fn is_first(&self) -> bool {
        self.base < self.quote
    }

    /// Lets the v3 pool keep this many observations.
    pub async fn remember(&self, observations: u16) -> Result<TransactionReceipt> {
        let call = increaseObservationCardinalityNextCall { observationCardinalityNext: observations };
        self.send(self.v3, call).await
    }

    /// The calldata that sells this much of a token to the v3 pool, and to whom it goes.
    pub fn sale_v3(&self, token: Address, amount: U256) -> TransactionRequest {
        let params = ExactInputSingleParams {
            tokenIn: token,
            tokenOut: if token == self.base { self.quote } else { self.base },
            fee: U24::from(FEE),
            recipient: self.owner,
            deadline: U256::MAX,
            amountIn: amount,
            amountOutMinimum: U256::ZERO,
            sqrtPriceLimitX96: U160::ZERO,
        };
        let data = exactInputSingleCall { params }.abi_encode();
        TransactionRequest::default().with_to(self.router).with_input(data).with_gas_limit(GAS)
    }

    /// Sells this much of a token to the v2 pair.
    pub async fn sell_v2(&self, token: Address, amount: U256) -> Result<U256> {
        let reserves = self.read(self.v2, getReservesCall {}).await?;
        let sells_first = (token == self.base) == self.is_first();
        let (held, wanted) = match sells_first {
            true => (reserves.reserve0, reserves.reserve1),
            false => (reserves.reserve1, reserves.reserve0),
        };
        // A pair takes three parts in a thousand.
        let paid = amount * U256::from(997);
        let bought = paid * U256::from(wanted) / (U256::from(held) * U256::from(1000) + paid);
        self.pay(token, self.v2, amount).await?;
        let (amount0, amount1) = if sells_first { (U256::ZERO, bought) } else { (bought, U256::ZERO) };
        let call = swapCall { amount0Out: amount0, amount1Out: amount1, to: self.owner, data: Bytes::new() };
        self.send(self.v2, call).await?;
        Ok(bought)
    }

    async fn pay(&self, token: Address, to: Address, amount: U256) -> Result<()> {
        let token = WETH9::new(token, &self.chain);
        token.transfer(to, amount).send().await?.get_receipt().await?;
        Ok(())
    }

    async fn send<C: SolCall>(&self, to: Address, call: C) -> Result<TransactionReceipt> {
        let tx = TransactionRequest::default().with_to(to).with_input(call.abi_encode()).with_gas_limit(GAS);
        let receipt = self.chain.send_transaction(tx).await?.get_receipt().await?;
        ensure!(receipt.status(), "{} reverted", C::SIGNATURE);
        Ok(receipt)
    }

    async fn read<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return> {
        let tx = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        Ok(C::abi_decode_returns(&self.chain.call(tx).await?)?)
    }
}

/// The code of an artifact.
fn code(artifact: &Path) -> Result<Bytes> {
    let text = std::fs::read_to_string(artifact).with_context(|| artifact.display().to_string())?;
    let artifact: serde_json::Value = serde_json::from_str(&text)?;
    let hex = artifact["bytecode"].as_str().context("an artifact has no bytecode")?;
    Ok(hex.trim_start_matches("0x").parse()?)
}

/// Makes a contract of this code.
async fn create(chain: &DynProvider, code: Bytes, arguments: &[Address]) -> Result<Address> {
    let words = arguments.iter().map(|argument| argument.into_word().to_vec());
    let code: Vec<u8> = [code.to_vec()].into_iter().chain(words).flatten().collect();
    let tx = TransactionRequest::default().with_deploy_code(code);
    let receipt = chain.send_transaction(tx).await?.get_receipt().await?;
    receipt.contract_address.context("nothing was made")
}
