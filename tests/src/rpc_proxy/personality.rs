//! The clients that a network may run, as their transaction pools show themselves: what takes whose place, in which
//! words they refuse, what they do with what a reorg takes back, and which blocks they have names for.
//!
//! Codes and words are those of `tests/data/rpc-errors.tsv`, where each client's source is named.

use std::fmt;

use alloy::consensus::{Transaction as _, TxEnvelope};

/// Why a pool does not take a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has these very bytes.
    Known,
    /// It has another transaction of this nonce, which is too dear to give way.
    Replacement,
    /// A block has a transaction of this nonce.
    NonceUsed,
    /// The account cannot pay.
    Funds,
    /// These bytes are no transaction.
    Undecodable,
    /// It has no room.
    PoolFull,
    /// The node is not in sync yet.
    Syncing,
    /// The node has no pool.
    PoolClosed,
    /// The account may not send.
    Forbidden,
}

/// What a transaction offers, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// At most this is paid, or the legacy price.
    pub cap_wei: u128,
    /// Of it, the tip, or the legacy price.
    pub tip_wei: u128,
}

impl Offer {
    /// What this transaction offers.
    pub fn of(transaction: &TxEnvelope) -> Self {
        let cap_wei = transaction.max_fee_per_gas();
        Self { cap_wei, tip_wei: transaction.max_priority_fee_per_gas().unwrap_or(cap_wei) }
    }
}

/// When a transaction takes the place of another one of its nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Cap and tip are both higher by a tenth, rounded up, and by a wei at least.
    BothFields,
    /// The price that would be paid is higher by so many percent and the tip is not lower, or the price is the same and
    /// the tip is higher by so many percent.
    EffectivePrice {
        /// 0 where nothing is paid: there an equal price takes the place.
        percent: u128,
    },
}

/// What a client makes of the names `safe` and `finalized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// The node behind the proxy answers.
    Upstream,
    /// An error: there are no such blocks.
    Unknown(i32, &'static str),
    /// Blocks that are so many below the head.
    Behind {
        /// `safe`.
        safe: u64,
        /// `finalized`.
        finalized: u64,
    },
}

/// A client.
pub struct Personality {
    /// What the network's people call it.
    pub name: &'static str,
    /// Its answer to `web3_clientVersion`.
    pub version: &'static str,
    /// What replaces what.
    pub replacement: Replacement,
    /// Whether a transaction whose block a reorg takes back returns to the pool by itself.
    pub repools: bool,
    /// Whether `pending` names the same block as `latest`.
    pub pending_is_latest: bool,
    /// What it makes of finality's names.
    pub tags: Tags,
    /// Its refusals: code and message, in which `{next}` stands for the account's next nonce and `{nonce}` for the
    /// transaction's. A reason without words is one that it does not know.
    pub words: &'static [(Refused, i32, &'static str)],
}

impl fmt::Debug for Personality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Personality {
    /// Code and message of a refusal, if it knows that reason.
    pub fn words(&self, refused: Refused) -> Option<(i32, &'static str)> {
        self.words.iter().find(|(reason, ..)| *reason == refused).map(|(_, code, words)| (*code, *words))
    }
}

const GETH_WORDS: &[(Refused, i32, &str)] = &[
    (Refused::Known, -32000, "already known"),
    (Refused::Replacement, -32000, "replacement transaction underpriced"),
    (Refused::NonceUsed, -32000, "nonce too low: next nonce {next}, tx nonce {nonce}"),
    (Refused::Funds, -32000, "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1"),
    (Refused::Undecodable, -32000, "rlp: value size exceeds available input length"),
    (Refused::PoolFull, -32000, "txpool is full"),
];

const BESU_WORDS: &[(Refused, i32, &str)] = &[
    (Refused::Known, -32000, "Known transaction"),
    (Refused::Replacement, -32000, "Replacement transaction underpriced"),
    (Refused::NonceUsed, -32001, "Nonce too low"),
    (Refused::Funds, -32004, "Upfront cost exceeds account balance"),
    (Refused::Undecodable, -32602, "Invalid block param (block not found)"),
    (Refused::Syncing, -32008, "Initial sync is still in progress"),
    (
        Refused::PoolClosed,
        -32002,
        "Transaction pool not enabled. (Either txpool explicitly disabled, or node not yet in sync).",
    ),
    (Refused::Forbidden, -32007, "Sender account not authorized to send transactions"),
];

/// go-ethereum.
pub static GETH: Personality = Personality {
    name: "geth",
    version: "Geth/v1.16.7-stable/linux-amd64/go1.25.1",
    replacement: Replacement::BothFields,
    repools: true,
    pending_is_latest: false,
    tags: Tags::Upstream,
    words: GETH_WORDS,
};

/// Hyperledger Besu on a network where gas costs something.
pub static BESU: Personality = Personality {
    name: "besu",
    version: "besu/v25.9.0/linux-x86_64/openjdk-java-21",
    replacement: Replacement::EffectivePrice { percent: 10 },
    repools: true,
    pending_is_latest: true,
    tags: Tags::Unknown(-39001, "Unknown block"),
    words: BESU_WORDS,
};

/// Besu where gas costs nothing: an equal price replaces, even one of zero.
pub static BESU_ZERO_GAS: Personality = Personality {
    name: "besu-zero-gas",
    version: BESU.version,
    replacement: Replacement::EffectivePrice { percent: 0 },
    repools: BESU.repools,
    pending_is_latest: BESU.pending_is_latest,
    tags: BESU.tags,
    words: BESU_WORDS,
};

/// Nethermind with its wording of 2026.
pub static NETHERMIND: Personality = Personality {
    name: "nethermind",
    version: "Nethermind/v1.36.0+6c2d8e5a/linux-x64/dotnet10.0.0",
    replacement: Replacement::BothFields,
    repools: false,
    pending_is_latest: false,
    tags: Tags::Upstream,
    words: &[
        (Refused::Known, -32010, "already known"),
        (Refused::Replacement, -32010, "replacement transaction underpriced"),
        (Refused::NonceUsed, -32010, "nonce too low, Current nonce: {next}, nonce of rejected tx: {nonce}"),
        (Refused::Funds, -32010, "insufficient funds for gas * price + value"),
        (Refused::Undecodable, -32602, "Failed to decode transaction"),
        (Refused::Syncing, -32010, "node is syncing"),
    ],
};

/// Erigon.
pub static ERIGON: Personality = Personality {
    name: "erigon",
    version: "erigon/3.2.0/linux-amd64/go1.25.0",
    replacement: Replacement::BothFields,
    repools: false,
    pending_is_latest: false,
    tags: Tags::Upstream,
    words: &[
        (Refused::Known, -32000, "INTERNAL_ERROR: existing txn with same hash"),
        (Refused::Replacement, -32000, "INTERNAL_ERROR: could not replace existing tx"),
        (Refused::NonceUsed, -32000, "INTERNAL_ERROR: nonce too low"),
        (Refused::Funds, -32000, "INTERNAL_ERROR: insufficient funds"),
        (Refused::Undecodable, -32000, "INTERNAL_ERROR: rlp parse: unexpected end"),
        (Refused::PoolFull, -32000, "INTERNAL_ERROR: pending sub-pool is full"),
    ],
};

/// A node of an OP Stack chain: go-ethereum with three heads.
pub static OP: Personality = Personality {
    name: "op",
    version: "Geth/v1.101602.3-stable/linux-amd64/go1.24.7",
    replacement: GETH.replacement,
    repools: GETH.repools,
    pending_is_latest: false,
    tags: Tags::Behind { safe: 3, finalized: 6 },
    words: GETH_WORDS,
};

/// Every one of them.
pub static PERSONALITIES: [&Personality; 6] = [&GETH, &BESU, &BESU_ZERO_GAS, &NETHERMIND, &ERIGON, &OP];

impl Replacement {
    /// Whether `new` takes the place of `old` at a base fee, in wei per gas.
    pub fn takes(self, old: Offer, new: Offer, base_fee_wei: u128) -> bool {
        let more = |wei: u128, percent: u128| wei + (wei * percent).div_ceil(100);
        match self {
            Self::BothFields => {
                let rises = |old: u128, new: u128| new > old && new >= more(old, 10);
                rises(old.cap_wei, new.cap_wei) && rises(old.tip_wei, new.tip_wei)
            }
            Self::EffectivePrice { percent } => {
                let paid = |offer: Offer| offer.cap_wei.min(base_fee_wei + offer.tip_wei);
                let tip = |offer: Offer| paid(offer).saturating_sub(base_fee_wei);
                let dearer = paid(new) >= more(paid(old), percent) && tip(new) >= tip(old);
                dearer || paid(new) == paid(old) && new.tip_wei >= more(old.tip_wei, percent)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GWEI: u128 = 1_000_000_000;

    fn offer(cap_wei: u128, tip_wei: u128) -> Offer {
        Offer { cap_wei, tip_wei }
    }

    /// Without this the pools of the tests may take what real ones refuse.
    #[test]
    fn f35_nine_and_ninety_nine_hundredths_are_not_ten_percent() {
        let old = offer(10 * GWEI, GWEI);
        let tenth = offer(11 * GWEI, GWEI / 10 * 11);
        let nearly = |wei: u128| wei * 10_999 / 10_000;
        for (client, new, takes) in [
            (&GETH, tenth, true),
            (&GETH, offer(nearly(old.cap_wei), nearly(old.tip_wei)), false),
            (&GETH, offer(tenth.cap_wei, nearly(old.tip_wei)), false),
            (&GETH, offer(tenth.cap_wei - 1, tenth.tip_wei), false),
            (&GETH, offer(tenth.cap_wei, old.tip_wei), false),
            (&GETH, old, false),
            // Besu looks at the price that would be paid, here 1 + 1 gwei.
            (&BESU, offer(10 * GWEI, GWEI / 10 * 12), true),
            (&BESU, offer(10 * GWEI, GWEI / 10 * 12 - 1), false),
            (&BESU, offer(20 * GWEI, GWEI), false),
            (&BESU, old, false),
            (&BESU_ZERO_GAS, old, true),
            (&BESU_ZERO_GAS, offer(10 * GWEI, GWEI - 1), false),
        ] {
            assert_eq!(client.replacement.takes(old, new, GWEI), takes, "{}: {new:?}", client.name);
        }
        assert!(BESU_ZERO_GAS.replacement.takes(offer(0, 0), offer(0, 0), 0));
        assert!(!GETH.replacement.takes(offer(0, 0), offer(0, 0), 0));
        assert!(GETH.replacement.takes(offer(0, 0), offer(1, 1), 0));
    }

    /// Without this a client could be left out of a test by having no words for what every client has words for.
    #[test]
    fn every_client_has_words_for_what_every_pool_refuses() {
        use Refused::*;
        for client in PERSONALITIES {
            for refused in [Known, Replacement, NonceUsed, Funds, Undecodable] {
                assert!(client.words(refused).is_some(), "{} has no words for {refused:?}", client.name);
            }
        }
    }
}
