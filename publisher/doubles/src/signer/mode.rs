//! How the signer behaves at the moment.

/// The signer's behaviour, switchable while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the real one.
    #[default]
    Ok,
    /// Waits before it looks at any request; a client that leaves meanwhile gets nothing signed.
    Slow {
        /// The wait.
        ms: u64,
    },
    /// Closes every connection without an answer.
    Down,
    /// Answers everything with HTTP 503.
    Status503,
    /// Signs at once and delivers late: the signature exists, whoever has stopped waiting for it.
    LateAnswer {
        /// The delay.
        ms: u64,
    },
    /// Has no keys loaded any more.
    AddressVanished,
    /// Signs, but not what it was asked to.
    Tampering(Tamper),
}

/// How an answer differs from the question. On REST the transaction inside the data is changed and the changed
/// one is signed; data that is no transaction is signed with its last bit flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// Another recipient.
    OtherTo,
    /// One wei more.
    OtherValue,
    /// A neighbouring nonce.
    OtherNonce,
    /// The next chain id.
    OtherChainId,
    /// A legacy transaction with the fee cap as gas price. A request for a legacy transaction is honoured.
    LegacyInsteadOf1559,
    /// The same signature with `n - s` and the other parity: it recovers, and no chain accepts it.
    HighS,
    /// Signed by a key that nobody configured.
    OtherKey,
}

impl Tamper {
    /// Every way to lie.
    pub const ALL: [Self; 7] = [
        Self::OtherTo,
        Self::OtherValue,
        Self::OtherNonce,
        Self::OtherChainId,
        Self::LegacyInsteadOf1559,
        Self::HighS,
        Self::OtherKey,
    ];
}
