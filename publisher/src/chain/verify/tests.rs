use super::super::double::Double;
use super::*;
use serde_json::{Value, json};

/// A chain with id 138, whose blocks have `base_fee` where given, and where `finalized` is block 0 or an error.
async fn chain(base_fee: Option<&'static str>, finalized: Result<Value, (i64, &'static str)>) -> Double {
    Double::rpc(move |method, params| match (method, params[0].as_str()) {
        ("eth_chainId", _) => Ok(json!("0x8a")),
        (_, Some("finalized")) => finalized.clone().map_err(|(code, message)| (code, message, Value::Null)),
        _ => Ok(json!({
            "number": "0x0", "hash": B256::repeat_byte(1), "parentHash": B256::ZERO, "timestamp": "0x0",
            "baseFeePerGas": base_fee,
        })),
    })
    .await
}

#[tokio::test]
async fn another_chain_or_another_genesis_is_refused() {
    let double = chain(None, Ok(Value::Null)).await;
    let node = double.node();
    let genesis = B256::repeat_byte(1);
    assert_eq!(node.verify(138, None).await, Ok(Identity { chain_id: 138, genesis }));
    assert_eq!(node.verify(138, Some(genesis)).await, Ok(Identity { chain_id: 138, genesis }));
    assert_eq!(node.verify(1, Some(genesis)).await, Err(VerifyError::ChainId { expected: 1, found: 138 }));
    let expected = B256::repeat_byte(2);
    assert_eq!(
        node.verify(138, Some(expected)).await,
        Err(VerifyError::Genesis { expected, found: genesis })
    );
}

#[tokio::test]
async fn a_chain_without_the_tag_says_what_to_configure_instead() {
    let besu = chain(None, Err((-39001, "Unknown block"))).await;
    let error = besu.node().probe_tag(Tag::Finalized).await.unwrap_err().to_string();
    for part in ["finalized", "-39001", "Unknown block", "instant"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let young = chain(None, Ok(Value::Null)).await;
    assert_eq!(young.node().probe_tag(Tag::Finalized).await, Ok(()));
}

#[tokio::test]
async fn the_fee_profile_has_to_fit_the_chain() {
    use FeeProfile::{Eip1559, Legacy, ZeroGas};
    let paid = VerifyError::NotZeroGas { base_fee_wei: 7 };
    for (base_fee, profile, expected) in [
        (None, Eip1559, Err(VerifyError::NotLondon)),
        (None, Legacy, Ok(())),
        (None, ZeroGas, Ok(())),
        (Some("0x0"), Eip1559, Ok(())),
        (Some("0x0"), ZeroGas, Ok(())),
        (Some("0x7"), Eip1559, Ok(())),
        (Some("0x7"), Legacy, Ok(())),
        (Some("0x7"), ZeroGas, Err(paid)),
    ] {
        let double = chain(base_fee, Ok(Value::Null)).await;
        assert_eq!(double.node().probe_fees(profile).await, expected, "{base_fee:?} {profile:?}");
    }
}
