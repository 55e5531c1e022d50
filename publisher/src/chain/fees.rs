//! What a node says about fees.

use super::ChainError;
use super::answer::FeeHistory;
use super::node::Node;
use super::wire::decode;
use alloy::primitives::{Address, B256, Bytes, U64, U128, address, keccak256};
use alloy::sol;
use alloy::sol_types::SolCall;
use publisher_core::fees::FeeProfile;
use publisher_core::tx::FeeHint;
use serde_json::json;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many blocks are looked at for the usual tip.
const HISTORY_BLOCKS: u64 = 10;

/// `GasPriceOracle` of the OP Stack, a predeploy at the same address on every rollup (specs: "Predeploys").
const DATA_FEE_ORACLE: Address = address!("0x420000000000000000000000000000000000000F");

/// A round's transaction has about 120 bytes, and a batch of twenty-five feeds no more than this.
const DATA_BYTES: usize = 400;

sol! {
    /// The fee for the data of an unsigned transaction; every version of the oracle has it.
    function getL1Fee(bytes data) external view returns (uint256 wei);
}

/// Which of a block's transactions, by ascending tip, stands for it: the middle one.
const PERCENTILE: u8 = 50;

impl Node {
    /// The market's fee for the next transaction. `base_fee_wei` is the head's own.
    ///
    /// - `zero-gas`: zeros, without asking; nodes suggest 1 gwei even where gas costs nothing.
    /// - `legacy`: `eth_gasPrice`.
    /// - `eip1559`: the median tip of the last blocks that had one, else `eth_maxPriorityFeePerGas`, else zero; and
    ///   the next block's base fee where the node foretells it, and a rollup's fee for the data.
    pub async fn fee_hint(
        &self,
        profile: FeeProfile,
        base_fee_wei: Option<u128>,
    ) -> Result<FeeHint, ChainError> {
        match profile {
            FeeProfile::ZeroGas => Ok(FeeHint { base_fee_wei, ..FeeHint::default() }),
            FeeProfile::Legacy => {
                let price: U128 = self.wire.get("eth_gasPrice", json!([])).await?;
                Ok(FeeHint { base_fee_wei, gas_price_wei: price.to(), ..FeeHint::default() })
            }
            FeeProfile::Eip1559 => self.fee_market(base_fee_wei).await,
        }
    }

    async fn fee_market(&self, base_fee_wei: Option<u128>) -> Result<FeeHint, ChainError> {
        let questions = [
            ("eth_feeHistory", json!([U64::from(HISTORY_BLOCKS), "latest", [PERCENTILE]])),
            ("eth_maxPriorityFeePerGas", json!([])),
        ];
        let mut answers = self.wire.batch(&questions).await.into_iter();
        let history = answers.next().map(|raw| decode::<FeeHistory>(&raw?));
        let suggested = answers.next().map(|raw| decode::<U128>(&raw?));
        let (history, suggested) = match (history, suggested) {
            (Some(Err(error)), Some(Err(_))) => return Err(error),
            (history, suggested) => (history.and_then(Result::ok), suggested.and_then(Result::ok)),
        };
        let tip = history.as_ref().and_then(usual_tip).or(suggested).unwrap_or_default();
        let next_base_fee_wei = history.as_ref().and_then(|h| h.base_fee_per_gas.last()).map(|fee| fee.to());
        let data_fee_wei = self.data_fee().await;
        Ok(FeeHint { base_fee_wei, next_base_fee_wei, tip_wei: tip.to(), gas_price_wei: 0, data_fee_wei })
    }

    /// What a rollup of the OP Stack asks for the data of one transaction of ours, in wei; zero where the chain has no
    /// oracle for that, which is asked once. Without an answer it is what it was: a round waits for nothing that only
    /// budgets need.
    async fn data_fee(&self) -> u128 {
        let DataFee { is_rollup, last_wei } = &self.data_fee;
        if is_rollup.get().is_none() {
            let code = self.wire.get::<Bytes>("eth_getCode", json!([DATA_FEE_ORACLE, "latest"])).await;
            let _known = code.map(|code| is_rollup.set(!code.is_empty()));
        }
        if is_rollup.get() == Some(&true) {
            let data = getL1FeeCall { data: incompressible() }.abi_encode();
            let call = json!([{ "to": DATA_FEE_ORACLE, "data": Bytes::from(data) }, "latest"]);
            let answer = self.wire.get::<Bytes>("eth_call", call).await;
            let fee = answer.ok().and_then(|fee| getL1FeeCall::abi_decode_returns(&fee).ok());
            fee.into_iter().for_each(|wei| last_wei.store(wei.saturating_to(), Ordering::Relaxed));
        }
        last_wei.load(Ordering::Relaxed).into()
    }
}

/// What a node has said of the fee for data.
#[derive(Debug, Default)]
pub(super) struct DataFee {
    /// Whether the chain has an oracle for it, once that is known.
    is_rollup: OnceLock<bool>,
    last_wei: AtomicU64,
}

/// As many bytes as a transaction of ours has at most, with nothing in them that a batcher could compress away.
fn incompressible() -> Bytes {
    let hashes = (0..).scan(B256::ZERO, |last, _: u8| {
        *last = keccak256(*last);
        Some(*last)
    });
    hashes.flat_map(|hash| hash.0).take(DATA_BYTES).collect()
}

/// The median of the tips paid; empty blocks say nothing.
fn usual_tip(history: &FeeHistory) -> Option<U128> {
    let rewards = history.reward.iter().flatten();
    let mut tips: Vec<U128> =
        rewards.filter_map(|r| r.first().copied()).filter(|tip| !tip.is_zero()).collect();
    tips.sort_unstable();
    tips.get(tips.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::super::double::Double;
    use super::*;
    use alloy::primitives::U256;
    use serde_json::Value;
    use std::sync::Arc;

    async fn hint(history: Value, suggested: Value, profile: FeeProfile) -> Result<FeeHint, ChainError> {
        let answer = |value: &Value| match value {
            Value::Null => Err((-32601, "Method not found", Value::Null)),
            value => Ok(value.clone()),
        };
        let double = Double::rpc(move |method, _| match method {
            "eth_feeHistory" => answer(&history),
            "eth_maxPriorityFeePerGas" => answer(&suggested),
            "eth_gasPrice" => Ok(json!("0x3b9aca00")),
            "eth_getCode" => Ok(json!("0x")),
            other => panic!("{other} was not expected"),
        })
        .await;
        double.node().fee_hint(profile, Some(7)).await
    }

    #[tokio::test]
    async fn the_usual_tip_comes_from_blocks_that_had_one() {
        let history = |rewards: &[&str]| {
            let reward: Vec<_> = rewards.iter().map(|r| json!([r])).collect();
            json!({ "baseFeePerGas": ["0x5", "0x9"], "reward": reward, "gasUsedRatio": [0.5], "oldestBlock": "0x1" })
        };
        for (history, suggested, next_base_fee_wei, tip_wei) in [
            (history(&["0x0", "0x3", "0x0", "0x1", "0x64"]), json!("0xff"), Some(9), 3),
            (history(&["0x0", "0x0"]), json!("0xff"), Some(9), 255),
            (history(&[]), Value::Null, Some(9), 0),
            (json!({ "oldestBlock": "0x1", "reward": null }), json!("0x2"), None, 2),
            (Value::Null, json!("0x2"), None, 2),
        ] {
            let hint = hint(history, suggested, FeeProfile::Eip1559).await;
            let base_fee_wei = Some(7);
            assert_eq!(hint, Ok(FeeHint { base_fee_wei, next_base_fee_wei, tip_wei, ..FeeHint::default() }));
        }
        hint(Value::Null, Value::Null, FeeProfile::Eip1559).await.unwrap_err();
    }

    /// Without it a rollup's fee for data would be on nobody's budget, or one call that fails would be taken for a free
    /// chain.
    #[tokio::test]
    async fn a_rollup_is_asked_for_the_fee_of_data_and_another_chain_only_what_it_is() {
        for (code, wei) in [("0x", 0_u64), ("0x60", 1_234_000)] {
            let (calls, codes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let (called, coded) = (Arc::clone(&calls), Arc::clone(&codes));
            let double = Double::rpc(move |method, params| match method {
                "eth_getCode" => {
                    assert_eq!(params[0], json!("0x420000000000000000000000000000000000000f"));
                    coded.fetch_add(1, Ordering::Relaxed);
                    Ok(json!(code))
                }
                "eth_call" if called.fetch_add(1, Ordering::Relaxed) == 1 => {
                    Err((-32603, "internal error", Value::Null))
                }
                "eth_call" => {
                    let data: Bytes = serde_json::from_value(params[0]["data"].clone()).unwrap();
                    let data = getL1FeeCall::abi_decode(&data).unwrap().data;
                    assert_eq!(data.len(), DATA_BYTES);
                    Ok(json!(B256::from(U256::from(wei))))
                }
                "eth_maxPriorityFeePerGas" => Ok(json!("0x1")),
                _ => Err((-32601, "Method not found", Value::Null)),
            })
            .await;
            let node = double.node();
            for _ in 0..3 {
                let hint = node.fee_hint(FeeProfile::Eip1559, Some(7)).await.unwrap();
                assert_eq!(hint.data_fee_wei, u128::from(wei));
            }
            assert_eq!(codes.load(Ordering::Relaxed), 1, "the code is asked for once");
            assert_eq!(calls.load(Ordering::Relaxed), if wei == 0 { 0 } else { 3 });
        }
    }

    #[tokio::test]
    async fn legacy_asks_for_the_price_and_zero_gas_asks_nothing() {
        let legacy = hint(Value::Null, Value::Null, FeeProfile::Legacy).await.unwrap();
        assert_eq!((legacy.gas_price_wei, legacy.tip_wei), (1_000_000_000, 0));
        let double = Double::rpc(|_, _| panic!("nothing is asked")).await;
        let free = double.node().fee_hint(FeeProfile::ZeroGas, Some(0)).await.unwrap();
        assert_eq!((free.gas_price_wei, free.tip_wei, double.requests()), (0, 0, 0));
    }
}
