//! Pools of two tokens: means over time, whichever way round, and pools that are cheap to move.

use super::*;
use crate::sources::onchain::pair::{decimalsCall, token0Call, token1Call};
use crate::sources::onchain::uniswap_v2::{
    getReservesCall, getReservesReturn, price0CumulativeLastCall, price1CumulativeLastCall,
};
use crate::sources::onchain::uniswap_v3::{observationsCall, observeCall, observeReturn, slot0Call};
use alloy::primitives::aliases::{I56, U112, U160};

const WINDOW_S: u64 = 1800;
/// The smaller address, as pools sort them.
const LOW: Address = address!("0x1000000000000000000000000000000000000000");
const HIGH: Address = address!("0x2000000000000000000000000000000000000000");

fn twap(base: Address, quote: Address, cost: &str) -> Twap {
    let window = Span::from_s(WINDOW_S);
    Twap { base, quote, window, min_manipulation_cost: cost.parse().unwrap() }
}

fn tokens(chain: &Chain, low: u64, high: u64) {
    chain.returns::<token0Call>(AT, LOW).returns::<token1Call>(AT, HIGH);
    chain.returns::<decimalsCall>(LOW, U256::from(low)).returns::<decimalsCall>(HIGH, U256::from(high));
}

/// What a v3 pool says whose ticks add up to this, with this much liquidity in range.
fn observed(chain: &Chain, ticks: i64, liquidity: u128) {
    // Sums of seconds for each unit of liquidity, with 128 binary places; they wrap around in 160 bits.
    let grown = (U256::from(WINDOW_S) << 128usize) / U256::from(liquidity);
    let then = U160::MAX - U160::from(5);
    let now = then.wrapping_add(U160::from(grown));
    let tick = |sum: i64| I56::try_from(sum).unwrap();
    chain.set::<observeCall>(
        AT,
        End::Returns(observeCall::abi_encode_returns(&observeReturn {
            tickCumulatives: vec![tick(-7), tick(ticks - 7)],
            secondsPerLiquidityCumulativeX128s: vec![then, now],
        })),
    );
    chain.next(0);
}

/// Without this, a price is inverted or off by powers of ten, or rounds the wrong way.
#[tokio::test]
async fn a_v3_mean_is_exact_for_either_token_and_any_decimals() {
    let window = i64::try_from(WINDOW_S).unwrap();
    // 1.0001^tick through the pool's own square root; tick 0 is one smallest unit for one.
    for (base, quote, low, high, ticks, expected) in [
        (LOW, HIGH, 18, 18, 0, Ok("1")),
        (HIGH, LOW, 18, 18, 0, Ok("1")),
        (LOW, HIGH, 18, 6, 0, Ok("1000000000000")),
        (HIGH, LOW, 18, 6, 0, Ok("0.000000000001")),
        (LOW, HIGH, 18, 18, window * 100, Ok("1.0100496620928754")),
        (LOW, HIGH, 18, 18, -1, Ok("0.9999000099990000")),
        (HIGH, LOW, 18, 18, -1, Ok("1.0001000000000000")),
        (HIGH, LOW, 6, 18, window * 200_000, Ok("2063.21566944")),
        (LOW, HIGH, 18, 18, window * 887_273, Err("bad_value")),
        (LOW, HIGH, 18, 37, 0, Err("bad_value")),
        (LOW, OTHER, 18, 18, 0, Err("venue_error")),
        (AT, HIGH, 18, 18, 0, Err("venue_error")),
    ] {
        let chain = Chain::new();
        tokens(&chain, low, high);
        chain.returns::<decimalsCall>(OTHER, U256::from(18)).returns::<decimalsCall>(AT, U256::from(18));
        let kind = ContractKind::UniswapV3(twap(base, quote, "0.000000000000000001"));
        let (network, _node) = chain.network(vec![("pool", AT, kind)]).await;
        observed(&chain, ticks, 1 << 90);
        let said = said(&poll(&network).await).remove(0);
        let found = said.as_ref().map(|(price, age)| (price.as_str(), *age)).map_err(|fault| *fault);
        match (found, expected) {
            (Ok((price, age)), Ok(expected)) => {
                assert!(same(price, expected), "{base} {ticks}: {price} is not {expected}");
                assert_eq!(age, WINDOW_S / 2);
            }
            (found, expected) => {
                assert_eq!(found.map(|(price, _)| price), expected, "{base} {quote} {ticks}")
            }
        }
    }
}

/// Whether two prices differ by no more than one part in a billion: the roots and sums of pools are rounded.
fn same(found: &str, expected: &str) -> bool {
    let (found, expected): (Price, Price) = (found.parse().unwrap(), expected.parse().unwrap());
    found.distance(expected) <= expected.share(Ratio::from_ppb(1))
}

/// Without this, a pool whose price anybody can move, or that forgets it, is published.
#[tokio::test]
async fn f44_a_v3_pool_that_is_thin_or_forgets_has_no_vote_and_says_why() {
    let chain = Chain::new();
    tokens(&chain, 18, 18);
    let kind = ContractKind::UniswapV3(twap(LOW, HIGH, "49.8756"));
    let (network, _node) = chain.network(vec![("pool", AT, kind)]).await;
    // L√P is 10,000 tokens: one percent costs √1.01 − 1 of it.
    let ten_thousand = 10_000 * 1_000_000_000_000_000_000u128;
    for (liquidity, expected) in
        [(ten_thousand, Ok("1")), (ten_thousand / 2, Err("thin: moving its price by 1 % costs 24.9378"))]
    {
        observed(&chain, 0, liquidity);
        let poll = poll(&network).await;
        match expected {
            Ok(expected) => assert_eq!(said(&poll)[0], Ok((expected.to_owned(), WINDOW_S / 2))),
            Err(told) => assert!(poll.detail.as_ref().is_some_and(|d| d.contains(told)), "{:?}", poll.detail),
        }
    }
    // A pool that keeps one observation, and one whose answers have another shape.
    let slot0: Vec<u8> =
        [1u64, 0, 0, 1, 1, 0, 1].iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect();
    chain.set::<observeCall>(AT, End::Reverts).set::<slot0Call>(AT, End::Returns(slot0));
    chain.next(0);
    let forgot = poll(&network).await;
    let detail = forgot.detail.clone().unwrap();
    assert!(detail.contains("cardinality_low: the pool keeps 1 observations"), "{detail}");
    assert!(detail.contains("increaseObservationCardinalityNext"), "{detail}");
    assert_eq!(said(&forgot), [Err("venue_error")]);
    for answer in [
        observeReturn { tickCumulatives: vec![], secondsPerLiquidityCumulativeX128s: vec![] },
        observeReturn {
            tickCumulatives: vec![I56::MIN, I56::MAX],
            secondsPerLiquidityCumulativeX128s: vec![U160::ZERO, U160::from(1)],
        },
        observeReturn {
            tickCumulatives: vec![I56::ZERO; 2],
            secondsPerLiquidityCumulativeX128s: vec![U160::ZERO; 2],
        },
    ] {
        chain.set::<observeCall>(AT, End::Returns(observeCall::abi_encode_returns(&answer)));
        chain.next(0);
        assert!(price(&network).await.is_err(), "{:?}", answer.tickCumulatives);
    }
}

/// Without this an operator learns that a pool remembers too little in the hour in which most is traded, or is told of it
/// again and again, or of a pool that is well.
#[tokio::test]
async fn f44_a_v3_pool_that_will_forget_is_told_of_ahead_while_it_still_has_a_price() {
    let chain = Chain::new();
    chain.change(|state| state.block_s = 12);
    tokens(&chain, 18, 18);
    let slot0 = |count: u64, growing: u64| {
        let words = [1u64, 0, 59, count, growing, 0, 1];
        let slot0 = words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect();
        chain.set::<slot0Call>(AT, End::Returns(slot0));
        chain.next(12);
    };
    let place = |index: u64| observationsCall { index: U256::from(index) };
    let seen = |time_s: u64, is_there: bool| (U256::from(time_s), U256::ZERO, U256::ZERO, is_there);
    chain.returns_to(AT, place(0), seen(NOW_S - 7_188, true));
    chain.returns_to(AT, place(60), seen(0, false));
    observed(&chain, 0, 1 << 90);
    for (count, growing, expected) in [
        (
            60,
            60,
            Some(
                "the pool keeps 60 observations, which reach back 708s once every block trades, and the window is 30m; the oldest is 2h old now",
            ),
        ),
        (
            61,
            61,
            Some(
                "the pool keeps 61 observations, which reach back 12m once every block trades, and the window is 30m; the oldest is 2h old now",
            ),
        ),
        (61, 151, None),
        (151, 151, None),
    ] {
        let kind = ContractKind::UniswapV3(twap(LOW, HIGH, "0.000000000000000001"));
        let (network, node) = chain.network(vec![("pool", AT, kind)]).await;
        assert_eq!(network.cautions().await, [], "nothing was asked");
        slot0(count, growing);
        chain.change(|state| state.time_s = NOW_S + 12);
        assert_eq!(price(&network).await.as_deref(), Ok("1"));
        let cautions = network.cautions().await;
        let told: Vec<&str> = cautions.iter().map(|caution| caution.detail.as_str()).collect();
        let expected = expected.map(|words| format!("cardinality_low: {words}"));
        assert_eq!(told, expected.iter().map(String::as_str).collect::<Vec<_>>());
        if let Some(caution) = cautions.first() {
            assert_eq!(caution.call, format!("increaseObservationCardinalityNext(151) on {AT}"));
        }
        // What is known is not asked again.
        let before = node.requests();
        chain.next(0);
        assert_eq!(price(&network).await.as_deref(), Ok("1"));
        assert_eq!((node.requests() - before, network.cautions().await), (2, cautions));
    }
    // A pool whose `slot0` is none, or that keeps its observations elsewhere, is read all the same.
    for index in [0, 60] {
        chain.set_to(AT, place(index), End::Reverts);
    }
    for slot in [End::Reverts, End::Returns(vec![0; 96])] {
        let kind = ContractKind::UniswapV3(twap(LOW, HIGH, "0.000000000000000001"));
        let (network, _node) = chain.network(vec![("pool", AT, kind)]).await;
        slot0(60, 60);
        assert_eq!(price(&network).await.as_deref(), Ok("1"));
        assert!(!network.cautions().await.remove(0).detail.contains("oldest"));
        chain.set::<slot0Call>(AT, slot);
        chain.next(0);
        assert_eq!(price(&network).await.as_deref(), Ok("1"));
        assert_eq!(network.cautions().await, []);
    }
}

/// A v2 pair as it stands: reserves, when they were written, and sums until then.
fn pair(chain: &Chain, reserves: (u128, u128), written_s: u64, sums: (U256, U256)) {
    chain.set::<getReservesCall>(
        AT,
        End::Returns(getReservesCall::abi_encode_returns(&getReservesReturn {
            reserve0: U112::from(reserves.0),
            reserve1: U112::from(reserves.1),
            blockTimestampLast: u32::try_from(written_s % (1 << 32)).unwrap(),
        })),
    );
    chain.returns::<price0CumulativeLastCall>(AT, sums.0).returns::<price1CumulativeLastCall>(AT, sums.1);
}

/// Without this, a pair's spot price of one block is published, or its sums break when they wrap around.
#[tokio::test]
async fn f44_a_v2_pair_warms_up_then_gives_its_mean_over_wrap_arounds_and_hardly_feels_one_block() {
    let token = 1_000_000_000_000_000_000u128;
    for (base, quote, calm, moved) in [(LOW, HIGH, "2000", "2013"), (HIGH, LOW, "0.0005", "0.0005")] {
        let chain = Chain::new();
        tokens(&chain, 18, 18);
        let kind = ContractKind::UniswapV2(twap(base, quote, "0.001"));
        let (network, _node) = chain.network(vec![("pair", AT, kind)]).await;
        // 2,000 of the second token for one of the first, since a while; the sums are about to wrap around.
        let written = NOW_S - 100;
        let sums = (U256::MAX - U256::from(3), U256::MAX - U256::from(1));
        pair(&chain, (100 * token, 200_000 * token), written, sums);
        for _ in 0..(WINDOW_S / 60) {
            let cold = poll(&network).await;
            assert_eq!(said(&cold), [Err("venue_error")]);
            assert!(cold.detail.unwrap().contains("warming up"));
            chain.next(60);
        }
        assert!(same(&price(&network).await.unwrap(), calm), "{calm}");
        // One block of twelve seconds at twice the price: it weighs 12 of 1,812 seconds.
        let now = NOW_S + WINDOW_S;
        let until = |sum: U256, (above, below): (u128, u128), seconds: u64| {
            sum.wrapping_add((U256::from(above) << 112usize) / U256::from(below) * U256::from(seconds))
        };
        let (first, second) = ((200_000, 100), (100, 200_000));
        let sums = (until(sums.0, first, now - written), until(sums.1, second, now - written));
        pair(&chain, (50 * token, 200_000 * token), now, sums);
        chain.next(12);
        let found: Price = price(&network).await.unwrap().parse().unwrap();
        let bound: Price = moved.parse().unwrap();
        let calm: Price = calm.parse().unwrap();
        assert!(found.distance(calm) <= calm.share(Ratio::from_bps(70)), "{found}");
        assert!(found.distance(bound) <= bound.share(Ratio::from_bps(70)), "{found}");
    }
}

/// Without this, a mean is measured from a block that never was.
#[tokio::test]
async fn f25_a_v2_sample_of_a_block_that_a_reorg_took_away_is_dropped() {
    let token = 1_000_000_000_000_000_000u128;
    let chain = Chain::new();
    tokens(&chain, 18, 18);
    let kind = ContractKind::UniswapV2(twap(LOW, HIGH, "0.001"));
    let (network, _node) = chain.network(vec![("pair", AT, kind)]).await;
    pair(&chain, (100 * token, 200_000 * token), NOW_S - 100, (U256::ZERO, U256::ZERO));
    assert!(price(&network).await.is_err());
    chain.change(|state| state.fork = 1);
    chain.next(WINDOW_S);
    let first = poll(&network).await;
    assert!(first.detail.unwrap().contains("warming up"), "the sample was believed");
    chain.next(WINDOW_S);
    assert_eq!(price(&network).await.as_deref(), Ok("2000"));
}
