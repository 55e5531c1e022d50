use super::super::double::Double;
use super::*;
use alloy::primitives::{B256, I256, hex};
use alloy::sol_types::{Revert, SolError, SolValue};
use publisher_bindings::Aggregator::StaleRound;

const FEED: Address = Address::repeat_byte(0xfe);
const OURS: Address = Address::repeat_byte(0x0a);

fn head() -> BlockRef {
    BlockRef { number: 9, hash: B256::repeat_byte(9), parent: B256::ZERO, time: Wall::default() }
}

fn answer(value: i64) -> Answer {
    Answer::new(I256::try_from(value).unwrap())
}

#[tokio::test]
async fn a_feeds_state_is_read_at_the_asked_block_in_one_call() {
    let double = Double::rpc(|method, params| {
        assert_eq!((method, &params[1]), ("eth_call", &json!({ "blockHash": B256::repeat_byte(9) })));
        assert_eq!(params[0]["to"], json!(FEED));
        let asked = params[0]["data"].as_str().unwrap();
        assert!(asked.ends_with(&hex::encode(OURS)), "{asked}");
        let state = (U256::from(4), I256::try_from(-25).unwrap(), U256::from(1_700_000_000), true, false);
        Ok(json!(Bytes::from(state.abi_encode())))
    })
    .await;
    let view = double.node().round_view(FEED, OURS, None, &head()).await.unwrap();
    let expected = RoundView {
        block_number: 9,
        block_hash: B256::repeat_byte(9),
        round: 4,
        answer: answer(-25),
        updated_at: Wall::from_s(1_700_000_000),
        paused: true,
        authorised: false,
        flag: Flag::Unwatched,
    };
    assert_eq!(view, expected);
}

#[tokio::test]
async fn what_is_not_our_contract_is_not_read() {
    let wide = (U256::from(1) << 64, I256::ZERO, U256::ZERO, false, true).abi_encode();
    for data in [Bytes::new(), vec![1; 31].into(), vec![0xff; 160].into(), wide.into()] {
        let double = Double::rpc(move |_, _| Ok(json!(data))).await;
        let error = double.node().round_view(FEED, OURS, None, &head()).await.unwrap_err();
        assert!(matches!(error, ChainError::Contract(_)), "{error:?}");
    }
}

async fn preflight(gas: Result<Value, (i64, &'static str, Value)>) -> PreflightAnswer {
    let double = Double::rpc(move |method, params| {
        assert_eq!(method, "eth_estimateGas");
        assert_eq!(params[0]["from"], json!(OURS));
        assert_eq!(params[0]["to"], json!(FEED));
        gas.clone()
    })
    .await;
    let call = Call::Submit { aggregator: FEED, round: 3, answer: answer(7) };
    double.node().preflight(&call, OURS).await
}

#[tokio::test]
async fn a_preflight_tells_gas_reverts_and_doubt_apart() {
    assert_eq!(preflight(Ok(json!("0xa7f8"))).await, PreflightAnswer::Gas(43_000));

    let stale = StaleRound { given: U256::from(3), expected: U256::from(4) }.abi_encode();
    let data = hex::encode_prefixed(stale);
    let expected = PreflightAnswer::Reverts("StaleRound: round 3 was named, 4 is the next one".into());
    for (code, message, data) in [
        (3, "execution reverted: custom error 0x8a1b", json!(data)),
        (-32000, "Execution reverted", json!(data)),
        (-32015, "VM execution error.", json!(format!("Reverted {data}"))),
        (-32603, "Error: VM Exception while processing transaction", json!({ "message": "x", "data": data })),
    ] {
        assert_eq!(preflight(Err((code, message, data))).await, expected, "{message}");
    }

    let text = hex::encode_prefixed(Revert::from("Only callable by owner").abi_encode());
    let owner = preflight(Err((3, "execution reverted", json!(text)))).await;
    assert_eq!(owner, PreflightAnswer::Reverts("Only callable by owner".into()));
    let bare = preflight(Err((-32000, "execution reverted", Value::Null))).await;
    assert_eq!(bare, PreflightAnswer::Reverts("execution reverted".into()));
    let foreign = preflight(Err((-32015, "VM execution error.", json!("0x12345678")))).await;
    assert_eq!(foreign, PreflightAnswer::Reverts("VM execution error.".into()));
    for (code, message) in [(-32000, "header not found"), (-32601, "Method not found")] {
        assert_eq!(preflight(Err((code, message, Value::Null))).await, PreflightAnswer::Unknown, "{message}");
    }
    assert_eq!(preflight(Ok(json!("lots"))).await, PreflightAnswer::Unknown);
}

#[tokio::test]
async fn no_round_yet_is_told_apart_from_a_failed_read() {
    let no_data = hex::encode_prefixed(Revert::from("No data present").abi_encode());
    let empty =
        Double::rpc(move |_, _| Err((3, "execution reverted: No data present", json!(no_data)))).await;
    assert_eq!(empty.node().proxy_latest(FEED).await, Ok(None));
    let other = Double::rpc(|_, _| Err((3, "execution reverted", json!("0x12345678")))).await;
    other.node().proxy_latest(FEED).await.unwrap_err();

    let one = U256::from(1);
    let id = (one << 64) + one;
    let full = Double::rpc(move |_, _| {
        let round = (id, I256::try_from(5).unwrap(), U256::from(10), U256::from(20), id);
        Ok(json!(Bytes::from(round.abi_encode())))
    })
    .await;
    let latest = full.node().proxy_latest(FEED).await.unwrap().unwrap();
    assert_eq!((latest.round_id, latest.answered_in_round), (id, id));
    assert_eq!((latest.answer, latest.updated_at), (answer(5), Wall::from_s(20)));
}

#[tokio::test]
async fn facts_of_aggregator_and_proxy_come_in_one_request_each() {
    let double = Double::rpc(|_, params| {
        let data: Bytes = params[0]["data"].as_str().unwrap().parse().unwrap();
        let selector = <[u8; 4]>::try_from(&data[..4]).unwrap();
        use {Aggregator as A, AggregatorProxy as P};
        let returned = match selector {
            A::decimalsCall::SELECTOR => U256::from(8).abi_encode(),
            A::descriptionCall::SELECTOR => "ETH / USD".abi_encode(),
            A::minAnswerCall::SELECTOR => U256::from(1).abi_encode(),
            A::maxAnswerCall::SELECTOR => U256::from(99).abi_encode(),
            A::typeAndVersionCall::SELECTOR => publisher_bindings::AGGREGATOR_VERSION.abi_encode(),
            A::ownerCall::SELECTOR => OURS.abi_encode(),
            P::aggregatorCall::SELECTOR => FEED.abi_encode(),
            P::phaseIdCall::SELECTOR => U256::from(2).abi_encode(),
            P::proposedAggregatorCall::SELECTOR => Address::ZERO.abi_encode(),
            other => panic!("unexpected selector {other:?}"),
        };
        Ok(json!(Bytes::from(returned)))
    })
    .await;
    let facts = double.node().aggregator_facts(FEED).await.unwrap();
    let expected = AggregatorFacts {
        decimals: 8,
        description: "ETH / USD".into(),
        min_answer: answer(1),
        max_answer: answer(99),
        type_and_version: "Aggregator 1.0.0".into(),
        owner: OURS,
    };
    assert_eq!(facts, expected);
    assert_eq!(double.requests(), 1);
    let proxy = double.node().proxy_facts(FEED).await.unwrap();
    assert_eq!(
        (proxy.aggregator, proxy.phase_id, proxy.proposed, proxy.owner),
        (FEED, 2, Address::ZERO, OURS)
    );
    assert_eq!(double.requests(), 2);
}

#[test]
fn calls_become_recipient_and_calldata() {
    let submit = Call::Submit { aggregator: FEED, round: 3, answer: answer(-1) };
    let (to, data) = target_and_data(&submit, OURS);
    assert_eq!(to, Some(FEED));
    let decoded = Aggregator::submitCall::abi_decode_validate(&data).unwrap();
    assert_eq!((decoded.roundId, decoded.answer), (U256::from(3), I256::MINUS_ONE));
    assert_eq!(target_and_data(&Call::Noop, OURS), (Some(OURS), Bytes::new()));
    let create = Call::Raw { to: None, data: Bytes::from_static(&[1]) };
    assert_eq!(target_and_data(&create, OURS), (None, Bytes::from_static(&[1])));
}
