//! What a node says about fees.

use super::ChainError;
use super::answer::FeeHistory;
use super::node::Node;
use super::wire::decode;
use alloy::primitives::{U64, U128};
use publisher_core::fees::FeeProfile;
use publisher_core::tx::FeeHint;
use serde_json::json;

/// How many blocks are looked at for the usual tip.
const HISTORY_BLOCKS: u64 = 10;

/// Which of a block's transactions, by ascending tip, stands for it: the middle one.
const PERCENTILE: u8 = 50;

impl Node {
    /// The market's fee for the next transaction. `base_fee_wei` is the head's own.
    ///
    /// - `zero-gas`: zeros, without asking; nodes suggest 1 gwei even where gas costs nothing.
    /// - `legacy`: `eth_gasPrice`.
    /// - `eip1559`: the median tip of the last blocks that had one, else `eth_maxPriorityFeePerGas`, else zero; and
    ///   the next block's base fee where the node foretells it.
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
        Ok(FeeHint { base_fee_wei, next_base_fee_wei, tip_wei: tip.to(), gas_price_wei: 0 })
    }
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
    use serde_json::Value;

    async fn hint(history: Value, suggested: Value, profile: FeeProfile) -> Result<FeeHint, ChainError> {
        let answer = |value: &Value| match value {
            Value::Null => Err((-32601, "Method not found", Value::Null)),
            value => Ok(value.clone()),
        };
        let double = Double::rpc(move |method, _| match method {
            "eth_feeHistory" => answer(&history),
            "eth_maxPriorityFeePerGas" => answer(&suggested),
            "eth_gasPrice" => Ok(json!("0x3b9aca00")),
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
            assert_eq!(hint, Ok(FeeHint { base_fee_wei, next_base_fee_wei, tip_wei, gas_price_wei: 0 }));
        }
        hint(Value::Null, Value::Null, FeeProfile::Eip1559).await.unwrap_err();
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
