//! What can go wrong between a client and its node, and when it does.

use super::personality::Refused;
use serde_json::Value;

/// One misbehaviour. Where a fault has no meaning for a method, the call passes untouched.
#[derive(Clone, Debug, PartialEq)]
pub enum RpcFault {
    /// The connection closes; nothing was forwarded.
    DropBefore,
    /// The call is forwarded, then the connection closes.
    DropAfterForward,
    /// The call is forwarded after a pause.
    Delay {
        /// The pause.
        ms: u64,
    },
    /// The call is forwarded twice; the second answer counts.
    Duplicate,
    /// The call is forwarded; half of the answer comes back.
    Truncate,
    /// A gateway's error page; nothing was forwarded.
    Html502,
    /// The answer carries the id of some other call.
    WrongId,
    /// The call is forwarded; HTTP 200 without a body comes back.
    EmptyBody,
    /// A raw transaction is acknowledged by its hash and thrown away.
    FalseSuccess,
    /// A raw transaction is forwarded and acknowledged by another hash.
    ForeignHash,
    /// There is no receipt.
    HideReceipt,
    /// Where there is no receipt, there is one that places the transaction into the newest block.
    ForgedReceipt,
    /// Every account has used so many nonces.
    Nonce(u64),
    /// Every transaction takes so much gas.
    Estimate(u64),
    /// An error in the node's own words; nothing was forwarded.
    Refusal {
        /// Its code.
        code: i32,
        /// Its message.
        message: &'static str,
    },
    /// A raw transaction is refused for this reason in the words of the proxy's personality, and not forwarded. A
    /// personality that has no words for it takes the transaction.
    Refuses(Refused),
    /// Instead of a receipt comes geth's error of an index that is being built.
    ReceiptIndexing,
    /// The node is of another chain.
    ChainId(u64),
    /// HTTP 429; nothing was forwarded.
    RateLimited429 {
        /// Value of `Retry-After` in seconds; without it the header is missing.
        retry_after_s: Option<u64>,
    },
    /// An error that no table knows, -32099.
    UnknownError {
        /// Whether the call was forwarded all the same.
        forwarded: bool,
    },
    /// The node makes up every block after this one. Nothing of ours is in them, and every account has used 99 nonces
    /// there.
    Invents {
        /// The last block that is real, as [`super::RpcProxy::head`] gave it.
        fork: Value,
        /// Its head is so far above the real one.
        ahead: u64,
    },
    /// The node has seen nothing after this block: its head, and what it says of the latest state, are of then.
    StaleHead {
        /// The block as [`super::RpcProxy::head`] gave it.
        block: Value,
    },
}

/// A fault with its occasion.
#[derive(Clone, Debug)]
pub struct Rule {
    what: RpcFault,
    method: Option<String>,
    count: Option<u32>,
    probability_percent: u8,
    seed: u64,
}

impl Rule {
    /// The fault at every call of every method.
    pub fn new(what: RpcFault) -> Self {
        Self { what, method: None, count: None, probability_percent: 100, seed: 0 }
    }

    /// Only at calls of this method.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only the first `count` times.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// At each occasion with this probability, drawn from the seed.
    #[must_use]
    pub fn at_random(mut self, probability_percent: u8, seed: u64) -> Self {
        self.probability_percent = probability_percent;
        self.seed = seed;
        self
    }
}

/// A rule that is set.
#[derive(Debug)]
pub(crate) struct Armed {
    rule: Rule,
    rng: fastrand::Rng,
}

impl Armed {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rng: fastrand::Rng::with_seed(rule.seed), rule }
    }

    /// The fault, if it befalls this call.
    pub(crate) fn draw(&mut self, method: &str) -> Option<RpcFault> {
        if self.is_spent() || self.rule.method.as_ref().is_some_and(|only| only != method) {
            return None;
        }
        if self.rng.u8(0..100) >= self.rule.probability_percent {
            return None;
        }
        self.rule.count = self.rule.count.map(|left| left.saturating_sub(1));
        Some(self.rule.what.clone())
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.rule.count == Some(0)
    }
}
