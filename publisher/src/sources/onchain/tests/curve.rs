//! Curve pools: which coin in which, however the pool spells it, and pools whose oracle says something else.

use super::*;
use crate::sources::onchain::curve::{
    Ema, balancesCall, coinsCall, ma_exp_timeCall, ma_timeCall, price_oracle_0Call, price_oracle_1Call,
    stored_ratesCall,
};
use crate::sources::onchain::vault::decimalsCall;

const FIRST: Address = address!("0x1000000000000000000000000000000000000000");
const SECOND: Address = address!("0x2000000000000000000000000000000000000000");
const THIRD: Address = address!("0x3000000000000000000000000000000000000000");
const UNIT: u128 = 1_000_000_000_000_000_000;
const LAG_S: u64 = 866;

/// Coins of 18, 6 and 8 decimals; the second costs 0.5 of the first, the third 2.
fn pool(chain: &Chain, coins: &[Address]) {
    for (i, coin) in coins.iter().enumerate() {
        chain.returns_to(AT, coinsCall { i: U256::from(i) }, *coin);
        chain.returns_to(AT, balancesCall { i: U256::from(i) }, U256::from(1_000_000_000_000_000u64));
    }
    for (coin, decimals) in [(FIRST, 18u64), (SECOND, 6), (THIRD, 8)] {
        chain.returns::<decimalsCall>(coin, U256::from(decimals));
    }
    chain.returns_to(AT, price_oracle_1Call { i: U256::ZERO }, U256::from(UNIT / 2));
    chain.returns_to(AT, price_oracle_1Call { i: U256::from(1) }, U256::from(2 * UNIT));
    chain.returns::<ma_exp_timeCall>(AT, U256::from(LAG_S));
}

fn kind(base: Address, quote: Address) -> ContractKind {
    ContractKind::Curve(Ema { base, quote, min_manipulation_cost: "0.000001".parse().unwrap() })
}

/// Without this, a price is inverted, or that of another coin.
#[tokio::test]
async fn a_coins_mean_is_read_in_any_other_and_is_as_old_as_its_average() {
    for (base, quote, expected) in [
        (SECOND, FIRST, Ok("0.5")),
        (FIRST, SECOND, Ok("2")),
        (THIRD, FIRST, Ok("2")),
        (THIRD, SECOND, Ok("4")),
        (SECOND, THIRD, Ok("0.25")),
        (SECOND, OTHER, Err("venue_error")),
    ] {
        let chain = Chain::new();
        pool(&chain, &[FIRST, SECOND, THIRD]);
        let (network, _node) = chain.network(vec![("pool", AT, kind(base, quote))]).await;
        let said = said(&poll(&network).await).remove(0);
        assert_eq!(said, expected.map(|price| (price.to_owned(), LAG_S)), "{base} {quote}");
    }
    // A pool of two coins may ask for no number, and some say their time under another name.
    let chain = Chain::new();
    pool(&chain, &[FIRST, SECOND]);
    chain
        .set_to(AT, price_oracle_1Call { i: U256::ZERO }, End::Reverts)
        .set::<ma_exp_timeCall>(AT, End::Reverts);
    chain.returns::<price_oracle_0Call>(AT, U256::from(UNIT / 4)).returns::<ma_timeCall>(AT, U256::from(600));
    let (network, _node) = chain.network(vec![("pool", AT, kind(SECOND, FIRST))]).await;
    assert_eq!(said(&poll(&network).await), [Ok(("0.25".to_owned(), 600))]);
}

/// Without this, the price of a share is taken for that of its asset, or whoever owns a thin pool says what a coin costs.
#[tokio::test]
async fn f44_a_curve_pool_that_scales_by_rates_is_thin_or_keeps_no_average_has_no_vote_and_says_why() {
    let power = |exponent: u64| U256::from(10).pow(U256::from(exponent));
    let plain = vec![power(18), power(30)];
    for (rates, told) in [
        (Some(plain.clone()), None),
        (Some(vec![power(18), power(30) + U256::from(1)]), Some("scales its coins by rates")),
        (Some(vec![power(18)]), Some("scales its coins by rates")),
    ] {
        let chain = Chain::new();
        pool(&chain, &[FIRST, SECOND]);
        // As a list, and as the words of a fixed array, which older pools return.
        let words = rates.iter().flatten().flat_map(|rate| rate.to_be_bytes::<32>()).collect();
        for encoded in [rates.clone().unwrap_or_default().abi_encode(), words] {
            chain.set::<stored_ratesCall>(AT, End::Returns(encoded));
            chain.next(1);
            let (network, _node) = chain.network(vec![("pool", AT, kind(SECOND, FIRST))]).await;
            let poll = poll(&network).await;
            match told {
                None => assert_eq!(price(&network).await.as_deref(), Ok("0.5"), "{:?}", poll.detail),
                Some(told) => assert!(poll.detail.as_ref().is_some_and(|d| d.contains(told)), "{poll:?}"),
            }
        }
    }
    let chain = Chain::new();
    pool(&chain, &[FIRST, SECOND]);
    let dear = Ema { base: SECOND, quote: FIRST, min_manipulation_cost: "1".parse().unwrap() };
    let (network, _node) = chain.network(vec![("pool", AT, ContractKind::Curve(dear))]).await;
    let thin = poll(&network).await;
    assert!(thin.detail.as_ref().is_some_and(|d| d.contains("thin: moving its price by 1 %")), "{thin:?}");
    let chain = Chain::new();
    pool(&chain, &[FIRST, SECOND]);
    chain.set::<ma_exp_timeCall>(AT, End::Reverts);
    let (network, _node) = chain.network(vec![("pool", AT, kind(SECOND, FIRST))]).await;
    let spot = poll(&network).await;
    assert!(spot.detail.as_ref().is_some_and(|d| d.contains("over which time it averages")), "{spot:?}");
}

/// Without this, a pool that scales its coins is taken for one that does not while a node fails at one question.
#[tokio::test]
async fn f44_what_a_node_does_not_tell_of_a_curve_pool_is_not_taken_for_the_pools_word() {
    let busy = End::Fails("request limit exceeded");
    let chain = Chain::new();
    pool(&chain, &[FIRST, SECOND]);
    chain.set_to(AT, price_oracle_1Call { i: U256::ZERO }, busy.clone());
    let (network, _node) = chain.network(vec![("pool", AT, kind(SECOND, FIRST))]).await;
    assert!(price(&network).await.is_err(), "it was not known how it is asked");
    chain.returns_to(AT, price_oracle_1Call { i: U256::ZERO }, U256::from(UNIT / 2));
    chain.next(1);
    assert_eq!(price(&network).await.as_deref(), Ok("0.5"));
    chain.set::<stored_ratesCall>(AT, busy);
    chain.next(1);
    let untold = poll(&network).await;
    assert!(untold.detail.as_ref().is_some_and(|d| d.contains("a node does not tell")), "{untold:?}");
}
