//! One RPC endpoint: what a chain says, what a send means, and the checks before the first signature.
//!
//! JSON-RPC goes over an HTTP client of our own instead of a provider stack, because three things must be seen here
//! and are hidden there: whether an answer carried the id of its question, the untouched error of a send, and the
//! size of a body before it is read. Wire types, ABI and primitives are alloy's.
//!
//! Invariants:
//! - Every call ends within its timeout and reads at most [`BODY_LIMIT`] bytes; no redirect is followed and no proxy
//!   of the environment is used.
//! - A URL is shown as scheme and host only; parts of it that may be secret are removed from a node's own words.
//! - Unknown is never turned into absent, and nothing but a well-formed error with our id is read as a refusal.
//!
//! It does not retry, keep nonces, follow heads, or decide anything: the core does, and the driver asks again.

mod answer;
mod classify;
mod contract;
#[cfg(test)]
pub(crate) mod double;
mod fees;
mod flags;
mod heads;
mod node;
mod read;
mod revert;
mod send;
mod standing;
mod store;
mod verify;
mod wire;

use publisher_core::time::Span;

pub use classify::{classify, named_minimum};
pub use contract::{AggregatorFacts, FeedFacts, LatestRound, ProxyFacts, target_and_data};
pub use flags::FlagWire;
pub use heads::NewHeads;
pub use node::{Node, Tag};
pub use revert::explain;
pub use send::Sent;
pub use standing::Standing;
pub use store::StoreFacts;
pub use verify::{Identity, VerifyError};
pub use wire::{BODY_LIMIT, NodeSetup, SetupError};

/// Why a node gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No connection, or it broke before an answer began.
    #[error("the node cannot be reached")]
    Unreachable,
    /// No complete answer in time.
    #[error("the node did not answer in time")]
    Timeout,
    /// Another HTTP status than 200, without a JSON-RPC error that carries our id.
    #[error("the node answered with HTTP status {0}")]
    Http(u16),
    /// HTTP 429.
    #[error("the node limits our rate")]
    RateLimited {
        /// How long it asks us to wait, if it says so in seconds.
        retry_after: Option<Span>,
    },
    /// A well-formed JSON-RPC error with the id of our question.
    #[error("the node refused: {message} (code {code})")]
    Rpc {
        /// Its code.
        code: i64,
        /// Its message, printable and shortened.
        message: String,
        /// Data of a revert, where the error carries some.
        data: Option<alloy::primitives::Bytes>,
    },
    /// An answer that is none: cut off, too large, of another shape, with another id, or contradicting itself.
    #[error("the node's answer cannot be used: {0}")]
    BadAnswer(&'static str),
    /// A whole answer, and what the contract returned is nothing that ours returns.
    #[error("the contract is another one: {0}")]
    Contract(&'static str),
}

impl ChainError {
    /// The kind in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Http(_) => "http_status",
            Self::RateLimited { .. } => "rate_limited",
            Self::Rpc { .. } => "refused",
            Self::BadAnswer(_) => "bad_answer",
            Self::Contract(_) => "contract",
        }
    }

    /// Whether a failed call failed in the contract: it reverted, or returned what ours does not. Everything else is
    /// the node's failure and may be gone at the next try.
    pub fn is_contracts_word(&self) -> bool {
        match self {
            Self::Contract(_) => true,
            Self::Rpc { message, data, .. } => data.is_some() || message.to_lowercase().contains("revert"),
            _ => false,
        }
    }
}
