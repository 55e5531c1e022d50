//! Broadcasting, and what the answer means.

use super::classify::{classify, named_minimum};
use super::node::Node;
use super::{ChainError, wire::decode};
use alloy::primitives::{B256, Bytes};
use publisher_core::tx::{FeeMinimum, SendOutcome};
use serde_json::json;

/// A node's answer to a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it means.
    pub outcome: SendOutcome,
    /// For people: the node's own words, printable and shortened.
    pub detail: String,
    /// The node answered with another hash than ours: it is not to be trusted with anything.
    pub wrong_hash: bool,
    /// The fee that the node asks for, where it names one.
    pub minimum: Option<FeeMinimum>,
    /// How long the node asks us to wait.
    pub retry_after: Option<publisher_core::time::Span>,
}

impl Node {
    /// Sends signed bytes whose hash is `hash`. Whatever happens is an outcome; everything that is not a clear word
    /// of the node is [`SendOutcome::Ambiguous`], because the bytes may have arrived.
    pub async fn send_raw(&self, raw: &Bytes, hash: B256) -> Sent {
        let answer = self.wire.call("eth_sendRawTransaction", json!([raw])).await;
        let answered = answer.and_then(|raw| decode::<B256>(&raw));
        let mut sent = Sent {
            outcome: SendOutcome::Ambiguous,
            detail: String::new(),
            wrong_hash: false,
            minimum: None,
            retry_after: None,
        };
        match answered {
            Ok(answered) if answered == hash => sent.outcome = SendOutcome::Accepted,
            Ok(answered) => {
                sent.wrong_hash = true;
                sent.detail = format!("the node answered with the hash {answered}, ours is {hash}");
            }
            Err(ChainError::Rpc { code, message, .. }) => {
                sent.outcome = classify(code, &message);
                sent.minimum = named_minimum(sent.outcome, &message);
                sent.detail = format!("{message} (code {code})");
            }
            Err(error) => {
                if let ChainError::RateLimited { retry_after } = error {
                    sent.retry_after = retry_after;
                }
                sent.detail = error.to_string();
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests;
