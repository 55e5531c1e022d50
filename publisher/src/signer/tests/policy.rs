//! What is refused before any signer hears of it.

use super::*;

/// Without this a mistake anywhere in the daemon could be signed.
#[tokio::test]
async fn what_is_outside_of_the_policy_never_reaches_the_signer() {
    let double = Kind::Rpc.double().await;
    let signer = signer(Kind::Rpc.at(&double.url())).await;
    let base = submit(EIP1559);
    let raw = |to, data: &'static [u8]| Call::Raw { to, data: Bytes::from_static(data) };
    let other = match base.call.clone() {
        Call::Submit { round, answer, .. } => Call::Submit { aggregator: account(), round, answer },
        _ => unreachable!(),
    };
    let batch = Call::Update { store: account(), sequence: 1, observed_at_s: 1, entries: vec![(0, 1)] };
    for (tx, words) in [
        (TxRequest { chain_id: 1, ..base.clone() }, "chain id 1"),
        (TxRequest { from: AGGREGATOR, ..base.clone() }, "from 0xa9"),
        (TxRequest { call: other, ..base.clone() }, "no configured feed"),
        (TxRequest { call: batch, ..base.clone() }, "no configured feed"),
        (TxRequest { call: raw(None, &[1]), ..base.clone() }, "only `publisher deploy`"),
        (TxRequest { call: raw(Some(AGGREGATOR), &[1]), ..base.clone() }, "only `publisher deploy`"),
    ] {
        refused(signer.sign(&tx).await, SignFault::Policy, &["refused by policy", words]);
    }
    assert_eq!(double.requests(), 0);
}

/// Without this a miscalculated fee could empty the account in one transaction.
#[tokio::test]
async fn f40_fees_and_gas_beyond_the_limits_or_contradicting_themselves_are_refused_before_signing() {
    let double = Kind::Rpc.double().await;
    let signer = signer(Kind::Rpc.at(&double.url())).await;
    let base = submit(EIP1559);
    let fee = |max_fee_wei, max_priority_wei| Fee::Eip1559 { max_fee_wei, max_priority_wei };
    for (tx, words) in [
        (TxRequest { gas_limit: 200_001, ..base.clone() }, "gas limit 200001"),
        (TxRequest { gas_limit: u64::MAX, ..base.clone() }, "gas limit 18446744073709551615"),
        (TxRequest { fee: fee(10_000_000_001, 1), ..base.clone() }, "fee of 10000000001 wei"),
        (TxRequest { fee: fee(u128::MAX, u128::MAX), ..base.clone() }, "wei per gas"),
        (TxRequest { fee: Fee::Legacy { gas_price_wei: u128::MAX }, ..base.clone() }, "wei per gas"),
        (TxRequest { fee: fee(9, 10), ..base.clone() }, "tip of 10 wei"),
    ] {
        refused(signer.sign(&tx).await, SignFault::Policy, &["refused by policy", words]);
    }
    assert_eq!(double.requests(), 0);
    // The limits themselves are within the limits.
    signer
        .sign(&TxRequest { gas_limit: 200_000, fee: fee(10_000_000_000, 10_000_000_000), ..base })
        .await
        .unwrap();
}

/// Without this a rollout's permission would be one to call anything.
#[test]
fn a_rollout_creates_and_calls_its_own() {
    let policy = Policy { allow_creation: true, ..policy() };
    let base = TxRequest { nonce: 300, ..submit(LEGACY) };
    let call = |to, data: &'static [u8]| {
        policy.check(
            account(),
            &TxRequest { call: Call::Raw { to, data: Bytes::from_static(data) }, ..base.clone() },
        )
    };
    assert!(call(None, &[1]).is_ok());
    assert!(call(None, &[]).is_err());
    assert!(call(Some(AGGREGATOR), &[1]).is_ok());
    for (nonce, allowed) in [(43, false), (44, true), (299, true), (300, false), (301, false)] {
        assert_eq!(call(Some(account().create(nonce)), &[1]).is_ok(), allowed, "created at nonce {nonce}");
    }
    assert!(call(Some(account()), &[1]).is_err());
}

/// Without this a configuration that cannot work would be found at the first round.
#[tokio::test]
async fn configurations_that_cannot_work_are_refused() {
    let kind = |url: &str| Kind::Rpc.at(url);
    for url in ["ftp://127.0.0.1:9000/", "file:///run/signer", "unix:/run/signer.sock"] {
        refused(
            Signer::open(config(kind(url)), policy(), &client()).await,
            SignFault::Policy,
            &["only http and https"],
        );
    }
    let hopeless = SignerConfig { timeout: Duration::ZERO, ..config(kind("http://127.0.0.1:1")) };
    refused(Signer::open(hopeless, policy(), &client()).await, SignFault::Policy, &["timeout 0"]);
}
