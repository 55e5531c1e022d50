//! What real nodes say when they refuse a transaction, and what the daemon makes of it.

use crate::chains::network;
use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, ensure};
use publisher::chain::{classify, named_minimum};
use publisher_core::fees::{FeePolicy, FeeProfile, Refusal, ReplacementRule};
use publisher_core::tx::SendOutcome::{self, *};
use publisher_core::tx::{Fee, FeeHint, FeeMinimum};
use publisher_tests::chains::{Chain, GAS_LIMIT, Kind, PATIENCE};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// A transaction that sends nothing to nobody, and what a case changes about it.
#[derive(Clone, Copy, Debug)]
struct Tx {
    chain_id: u64,
    nonce: u64,
    gas_limit: u64,
    value: U256,
    fee: Fee,
}

impl Tx {
    fn signed(self) -> Result<Bytes> {
        let key = PrivateKeySigner::from_slice(&[2; 32])?;
        let Self { chain_id, nonce, gas_limit, value, fee } = self;
        let to = TxKind::Call(Address::repeat_byte(0xee));
        let signed: TxEnvelope = match fee {
            Fee::Legacy { gas_price_wei: gas_price } => {
                let chain_id = Some(chain_id);
                let mut tx =
                    TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input: Bytes::new() };
                let signature = key.sign_transaction_sync(&mut tx)?;
                tx.into_signed(signature).into()
            }
            Fee::Eip1559 { max_fee_wei, max_priority_wei } => {
                let mut tx = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    to,
                    value,
                    max_fee_per_gas: max_fee_wei,
                    max_priority_fee_per_gas: max_priority_wei,
                    ..TxEip1559::default()
                };
                let signature = key.sign_transaction_sync(&mut tx)?;
                tx.into_signed(signature).into()
            }
        };
        Ok(signed.encoded_2718().into())
    }

    fn with_fee(self, fee: Fee) -> Self {
        Self { fee, ..self }
    }
}

fn dynamic(max_fee_wei: u128, max_priority_wei: u128) -> Fee {
    Fee::Eip1559 { max_fee_wei, max_priority_wei }
}

/// What a node's answer means to the daemon, and its words.
async fn meaning(chain: &Chain, tx: Tx) -> Result<(SendOutcome, String)> {
    Ok(match chain.send(&tx.signed()?).await? {
        Ok(()) => (Accepted, String::new()),
        Err((code, words)) => (classify(code, &words), words),
    })
}

/// The cases in order, because some depend on those before. All that were misunderstood are told together.
async fn understood(kind: Kind) -> Result<()> {
    let Some(chain) = network(kind).await? else { return Ok(()) };
    let free = kind == Kind::Qbft;
    let fee = if free { Fee::Legacy { gas_price_wei: 0 } } else { dynamic(10_000_000_000, 1_000_000_000) };
    // GoQuorum's blocks grow, and it has no fee cap.
    let too_much = if free { 1 << 50 } else { 2 * GAS_LIMIT };
    let first = Tx { chain_id: 138, nonce: 0, gas_limit: 21_000, value: U256::ZERO, fee };
    // A gap before it keeps it in the pool for good.
    let waits = Tx { nonce: 5, ..first };
    let next = Tx { nonce: 1, ..first };
    ensure!(meaning(&chain, first).await?.0 == Accepted, "the first transaction was refused");
    mined(&chain, first).await?;
    let again = Tx { gas_limit: 22_000, ..first };
    forgotten(&chain, again).await?;
    let mut cases = vec![
        ("a nonce that is mined", again, NonceUsed),
        ("a nonce after a gap", waits, Accepted),
        ("the same bytes", waits, Known),
        ("more than the account has", Tx { value: U256::MAX >> 8, ..next }, Funds),
        ("too little gas", Tx { gas_limit: 20_000, ..next }, Rejected),
        ("more gas than a block has", Tx { gas_limit: too_much, ..next }, Rejected),
    ];
    if free {
        cases.push(("an equal price", Tx { gas_limit: 22_000, ..waits }, ReplacementUnderpriced));
    } else {
        // What the daemon bumps by is accepted, and a wei less in either field is not. The fees are round: where a
        // tenth is not a whole number, geth rounds down and Hardhat up.
        let version = chain.ask(0, "web3_clientVersion", json!([])).await?;
        let policy = FeePolicy {
            profile: FeeProfile::Eip1559,
            max_fee_wei: u128::MAX,
            min_tip_wei: 1,
            bump_percent: 0,
            rule: ReplacementRule::of_client(version.as_str().unwrap_or_default()),
        };
        let raised = policy.replacement(fee, &FeeHint::default(), Refusal::default()).context("no bump")?;
        let (cap, tip) = (raised.cap_wei(), raised.tip_wei());
        cases.extend([
            ("a cap that is a wei too low", waits.with_fee(dynamic(cap - 1, tip)), ReplacementUnderpriced),
            ("a tip that is a wei too low", waits.with_fee(dynamic(cap, tip - 1)), ReplacementUnderpriced),
            ("the daemon's own bump", waits.with_fee(raised), Accepted),
            ("a tip above the cap", next.with_fee(dynamic(10_000_000_000, 10_000_000_001)), FeeCap),
            (
                "another chain",
                Tx { chain_id: 139, ..next },
                if kind == Kind::Clique { Rejected } else { Forbidden },
            ),
        ]);
    }
    if matches!(kind, Kind::Geth | Kind::Clique | Kind::OpStack) {
        let dear = Tx { gas_limit: GAS_LIMIT, fee: dynamic(200_000_000_000_000, 1), ..next };
        cases.push(("more than the node lets anybody spend", dear, FeeCap));
    }
    if matches!(kind, Kind::Geth | Kind::OpStack) {
        cases.push(("no tip", next.with_fee(dynamic(10_000_000_000, 0)), FeeTooLow));
    }
    let mut misunderstood = Vec::new();
    for (what, tx, expected) in cases {
        let (outcome, words) = meaning(&chain, tx).await?;
        if outcome != expected {
            misunderstood.push(format!("{what}: {words:?} is {outcome:?}, not {expected:?}"));
        }
        // What a node asks for is never more than the daemon's bump.
        if let Some(FeeMinimum::Price(named) | FeeMinimum::Tip(named)) = named_minimum(outcome, &words) {
            ensure!(named <= 11_000_000_000, "{what}: {words:?} names {named}");
        }
    }
    ensure!(misunderstood.is_empty(), "{}", misunderstood.join("\n"));
    Ok(())
}

async fn mined(chain: &Chain, tx: Tx) -> Result<()> {
    let hash = alloy::primitives::keccak256(tx.signed()?);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if !chain.ask(0, "eth_getTransactionReceipt", json!([hash])).await?.is_null() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{hash} is not mined")
}

/// Waits until a pool has heard of the block that took the transaction which `again` would replace: under load that is
/// seconds after the block.
async fn forgotten(chain: &Chain, again: Tx) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while meaning(chain, again).await?.0 == ReplacementUnderpriced && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Without this the classifier knows only what somebody wrote down of what nodes say.
#[tokio::test]
async fn f06_f09_f10_f35_f38_hardhats_refusals_are_understood() {
    understood(Kind::Hardhat).await.unwrap();
}

/// The same of go-ethereum.
#[tokio::test]
async fn f06_f09_f10_f35_f38_geths_refusals_are_understood() {
    understood(Kind::Geth).await.unwrap();
}

/// The same of go-ethereum as Clique networks still run it.
#[tokio::test]
async fn f06_f09_f10_f35_f38_clique_geths_refusals_are_understood() {
    understood(Kind::Clique).await.unwrap();
}

/// The same of GoQuorum, where nothing has a price.
#[tokio::test]
async fn f06_f09_f10_f38_goquorums_refusals_are_understood() {
    understood(Kind::Qbft).await.unwrap();
}

/// The same of the OP Stack's go-ethereum.
#[tokio::test]
async fn f06_f09_f10_f35_f38_op_geths_refusals_are_understood() {
    understood(Kind::OpStack).await.unwrap();
}
