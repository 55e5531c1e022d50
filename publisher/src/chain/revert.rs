//! Why a contract refused a call, from the many shapes in which nodes wrap it.

use alloy::primitives::{Bytes, hex};
use publisher_bindings::FeedStore::FeedStoreErrors;
use publisher_bindings::{Refusal, Rejection};
use serde_json::Value;
use serde_json::value::RawValue;

/// Longer data than this is no error of our contracts.
const DATA_LIMIT: usize = 64 * 1024;

/// Hex data inside an error's `data`: a string (Besu, go-ethereum, anvil), one with words before it (Nethermind),
/// or an object with another `data` in it (hardhat).
pub(super) fn data_of(raw: &RawValue) -> Option<Bytes> {
    if raw.get().len() > DATA_LIMIT {
        return None;
    }
    find(&serde_json::from_str(raw.get()).ok()?, 0)
}

fn find(value: &Value, depth: usize) -> Option<Bytes> {
    match value {
        Value::String(text) => {
            let digits = text.get(text.find("0x")? + 2..)?.trim_end();
            hex::decode(digits).ok().filter(|data| data.len() >= 4).map(Bytes::from)
        }
        // Only `data` and its like: a transaction hash in the same object is hex as well.
        Value::Object(fields) if depth < 4 => ["data", "result", "originalError", "output"]
            .iter()
            .find_map(|key| find(fields.get(*key)?, depth + 1)),
        _ => None,
    }
}

/// A contract's refusal in words; it begins with the error's name.
pub fn explain(rejection: &Rejection) -> String {
    match rejection {
        Rejection::NotTransmitter { sender } => {
            format!("NotTransmitter: {sender} has no right to submit")
        }
        Rejection::Paused => "Paused: the aggregator takes no rounds".into(),
        Rejection::StaleRound { given, expected } => {
            format!("StaleRound: round {given} was named, {expected} is the next one")
        }
        Rejection::AnswerOutOfBounds { answer, min, max } => {
            format!("AnswerOutOfBounds: {answer} is not within {min} and {max}")
        }
        Rejection::Text(text) => text.chars().filter(|c| !c.is_control()).take(200).collect(),
        Rejection::Panic(code) => format!("Panic: Solidity's panic code {code}"),
        other => format!("{other:?}"),
    }
}

/// A store's refusal in words; it begins with the error's name.
pub(super) fn explain_store(refusal: &Refusal<FeedStoreErrors>) -> String {
    use FeedStoreErrors as E;
    match refusal {
        Refusal::Error(E::NotTransmitter(e)) => {
            format!("NotTransmitter: {} has no right to update", e.sender)
        }
        Refusal::Error(E::Paused(_)) => "Paused: the store takes no reports".into(),
        Refusal::Error(E::StaleSequence(e)) => {
            format!("StaleSequence: sequence {} was named, {} is the next one", e.given, e.expected)
        }
        Refusal::Error(E::ObservedInFuture(e)) => {
            format!("ObservedInFuture: observed at {}, the block's time is {}", e.observedAt, e.timestamp)
        }
        Refusal::Error(E::ObservedTooEarly(e)) => {
            format!("ObservedTooEarly: observed at {}, the oldest taken is {}", e.observedAt, e.oldest)
        }
        Refusal::Error(other) => format!("{other:?}"),
        Refusal::Text(text) => explain(&Rejection::Text(text.clone())),
        Refusal::Panic(code) => explain(&Rejection::Panic(*code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_in_every_clients_wrapping() {
        let found = |text: &str| data_of(&RawValue::from_string(text.into()).unwrap());
        let expected = Some(Bytes::from(vec![0x9e, 0x87, 0xfa, 0xc8]));
        for text in [
            r#""0x9e87fac8""#,
            r#""Reverted 0x9e87fac8""#,
            r#"{"message":"reverted","txHash":"0x1111111111111111","data":"0x9e87fac8"}"#,
            r#"{"originalError":{"code":3,"data":"0x9e87fac8"}}"#,
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let deep = format!("{}\"0x9e87fac8\"{}", r#"{"data":"#.repeat(9), "}".repeat(9));
        for text in
            ["null", "3", r#""0x""#, r#""reverted""#, r#""0xzz""#, r#"{"txHash":"0x9e87fac8"}"#, &deep]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
