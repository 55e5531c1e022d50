//! What may be expected of a node, in a word.

/// How a node stands. One word holds at a time; what is worse hides what is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It answers, serves our chain and keeps up.
    Alive,
    /// It is behind the others: what it says is old and has no vote.
    Lagging,
    /// It said of itself that it cannot take transactions now.
    Unready,
    /// It does not answer, or has not yet.
    Unreachable,
    /// It asked to be left alone for a while.
    Limited,
    /// It confirmed a transaction with another hash than ours.
    Quarantined,
    /// It serves another chain.
    Refused,
}

impl Standing {
    /// Every word.
    pub const ALL: [Self; 7] = [
        Self::Alive,
        Self::Lagging,
        Self::Unready,
        Self::Unreachable,
        Self::Limited,
        Self::Quarantined,
        Self::Refused,
    ];

    /// The word in metrics and on status pages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Lagging => "lagging",
            Self::Unready => "unready",
            Self::Unreachable => "unreachable",
            Self::Limited => "limited",
            Self::Quarantined => "quarantined",
            Self::Refused => "refused",
        }
    }
}
