//! Rows as the database has them, and the core's values they stand for.

use super::StoreError;
use alloy::primitives::{Address, B256, Bytes};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::record::{Outcome, Scope, Why};
use publisher_core::time::Wall;
use publisher_core::tx::{Attempt, Entry, Fee, Receipt, SendOutcome, Work};

/// Digits of the largest `u128`.
const WEI_DIGITS: usize = 39;

/// An intent's row.
#[derive(sqlx::FromRow)]
pub(super) struct IntentRow {
    pub(super) account: Vec<u8>,
    pub(super) nonce: i64,
    planned_at_ms: i64,
    feed: Option<String>,
    aggregator: Option<Vec<u8>>,
    round: Option<i64>,
    step: Option<String>,
    recipient: Option<Vec<u8>>,
    data: Option<Vec<u8>>,
    closed: Option<String>,
    closed_at_ms: Option<i64>,
}

impl IntentRow {
    /// What the intent is for.
    pub(super) fn work(&self) -> Result<Work, StoreError> {
        match (&self.feed, &self.aggregator, self.round, &self.step, &self.data) {
            (Some(feed), Some(store), Some(sequence), None, None) if feed == BATCH => {
                Ok(Work::Batch { store: address(store)?, sequence: number(sequence)? })
            }
            (Some(feed), Some(aggregator), Some(round), None, None) => Ok(Work::Round {
                feed: FeedId::new(feed),
                aggregator: address(aggregator)?,
                round: number(round)?,
            }),
            (None, None, None, Some(name), Some(data)) => Ok(Work::Step {
                name: name.clone(),
                to: self.recipient.as_deref().map(address).transpose()?,
                data: Bytes::copy_from_slice(data),
            }),
            _ => Err(StoreError::damaged(format!(
                "intent of nonce {} is neither a round, a batch nor a step",
                self.nonce
            ))),
        }
    }

    /// When it was planned.
    pub(super) fn planned_at(&self) -> Wall {
        Wall::from_ms(self.planned_at_ms)
    }

    /// How and when it ended.
    pub(super) fn closed(&self) -> Result<Option<(Outcome, Wall)>, StoreError> {
        let (Some(code), Some(at_ms)) = (&self.closed, self.closed_at_ms) else { return Ok(None) };
        let outcome = Outcome::from_code(code)
            .ok_or_else(|| StoreError::damaged(format!("no outcome is called {code:?}")))?;
        Ok(Some((outcome, Wall::from_ms(at_ms))))
    }
}

/// The column `feed` of a batch, which is for many of them.
pub(super) const BATCH: &str = "";

/// Why a feed is part of an intent.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct DecisionRow {
    pub(super) cause: String,
    pub(super) calendar: Option<String>,
    pub(super) digest: Option<Vec<u8>>,
    pub(super) status: Option<String>,
    pub(super) conduct: Option<String>,
}

impl From<&Why> for DecisionRow {
    fn from(why: &Why) -> Self {
        let market = why.market.as_ref();
        Self {
            cause: why.trigger.code().to_owned(),
            calendar: market.map(|market| market.calendar.to_string()),
            digest: market.map(|market| market.digest.to_vec()),
            status: market.map(|market| market.status.code().to_owned()),
            conduct: market.map(|market| market.conduct.to_string()),
        }
    }
}

/// One feed's part of an attempt.
#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    feed: String,
    answer: String,
    observed_at_ms: i64,
}

impl EntryRow {
    fn entry(&self) -> Result<Entry, StoreError> {
        let observed_at = Wall::from_ms(self.observed_at_ms);
        Ok(Entry { feed: FeedId::new(&self.feed), answer: answer(&self.answer)?, observed_at })
    }
}

/// An attempt's row.
#[derive(sqlx::FromRow)]
pub(super) struct AttemptRow {
    pub(super) hash: Vec<u8>,
    pub(super) account: Vec<u8>,
    pub(super) nonce: i64,
    seq: i64,
    raw: Vec<u8>,
    kind: String,
    tip_wei: String,
    cap_wei: String,
    gas_limit: i64,
    answer: Option<String>,
    observed_at_ms: Option<i64>,
    signed_at_ms: i64,
}

impl AttemptRow {
    /// The signed transaction, with its entries by feed.
    pub(super) fn attempt(&self, entries: &[EntryRow]) -> Result<Attempt, StoreError> {
        let (tip, cap) = (wei(&self.tip_wei)?, wei(&self.cap_wei)?);
        let fee = match self.kind.as_str() {
            "legacy" => Fee::Legacy { gas_price_wei: cap },
            "eip1559" => Fee::Eip1559 { max_fee_wei: cap, max_priority_wei: tip },
            other => return Err(StoreError::damaged(format!("no kind of fee is called {other:?}"))),
        };
        Ok(Attempt {
            seq: u32::try_from(self.seq).map_err(|_| StoreError::damaged(format!("seq {}", self.seq)))?,
            hash: hash(&self.hash)?,
            raw: Bytes::copy_from_slice(&self.raw),
            fee,
            gas_limit: number(self.gas_limit)?,
            answer: self.answer.as_deref().map(answer).transpose()?,
            observed_at: self.observed_at_ms.map(Wall::from_ms),
            entries: entries.iter().map(EntryRow::entry).collect::<Result<_, _>>()?,
        })
    }

    /// When it was signed.
    pub(super) fn signed_at(&self) -> Wall {
        Wall::from_ms(self.signed_at_ms)
    }
}

/// An inclusion's row.
#[derive(sqlx::FromRow)]
pub(super) struct InclusionRow {
    pub(super) nonce: i64,
    hash: Vec<u8>,
    block_hash: Vec<u8>,
    block_number: i64,
    success: i64,
    gas_used: i64,
    gas_price_wei: String,
    canonical: i64,
}

impl InclusionRow {
    /// Whether its block is held to be canonical.
    pub(super) fn is_canonical(&self) -> bool {
        self.canonical != 0
    }

    /// Where the attempt landed.
    pub(super) fn receipt(&self) -> Result<Receipt, StoreError> {
        Ok(Receipt {
            hash: hash(&self.hash)?,
            block_number: number(self.block_number)?,
            block_hash: hash(&self.block_hash)?,
            success: self.success != 0,
            gas_used: number(self.gas_used)?,
            gas_price_wei: wei(&self.gas_price_wei)?,
        })
    }
}

/// The column `kind` of a fee.
pub(super) const fn fee_kind(fee: Fee) -> &'static str {
    match fee {
        Fee::Legacy { .. } => "legacy",
        Fee::Eip1559 { .. } => "eip1559",
    }
}

/// Wei as text whose order is the order of the numbers.
pub(super) fn wei_text(wei: u128) -> String {
    format!("{wei:0WEI_DIGITS$}")
}

fn wei(text: &str) -> Result<u128, StoreError> {
    text.parse().map_err(|_| StoreError::damaged(format!("{text:?} is no amount of wei")))
}

fn answer(text: &str) -> Result<Answer, StoreError> {
    text.parse().map_err(|_| StoreError::damaged(format!("{text:?} is no answer")))
}

/// An address column.
pub(super) fn address(bytes: &[u8]) -> Result<Address, StoreError> {
    Address::try_from(bytes).map_err(|_| StoreError::damaged(format!("an address of {} bytes", bytes.len())))
}

/// A hash column.
pub(super) fn hash(bytes: &[u8]) -> Result<B256, StoreError> {
    B256::try_from(bytes).map_err(|_| StoreError::damaged(format!("a hash of {} bytes", bytes.len())))
}

/// A column that is never negative.
pub(super) fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::damaged(format!("the number {value}")))
}

/// A number as the database takes it: integers have 63 bits and a sign.
pub(super) fn column(value: u64, what: &'static str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Invalid {
        what,
        value: value.to_string(),
        reason: "it is beyond 2^63-1, where no chain gets",
    })
}

/// A scope as text: `feed BTC-USD`, `account 0x…`, `chain`.
pub(super) fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Feed(feed) => format!("feed {feed}"),
        Scope::Account(account) => format!("account {account}"),
        Scope::Chain => "chain".into(),
    }
}

/// The scope of that text.
pub(super) fn scope(text: &str) -> Result<Scope, StoreError> {
    match text.split_once(' ') {
        None if text == "chain" => Some(Scope::Chain),
        Some(("feed", feed)) => Some(Scope::Feed(FeedId::new(feed))),
        Some(("account", account)) => account.parse().ok().map(Scope::Account),
        _ => None,
    }
    .ok_or_else(|| StoreError::damaged(format!("nothing can be halted that is called {text:?}")))
}

/// The send outcome of that name.
pub(super) fn send_outcome(code: &str) -> Result<SendOutcome, StoreError> {
    SEND_OUTCOMES
        .into_iter()
        .find(|outcome| outcome.code() == code)
        .ok_or_else(|| StoreError::damaged(format!("no send outcome is called {code:?}")))
}

/// Every send outcome.
const SEND_OUTCOMES: [SendOutcome; 13] = [
    SendOutcome::Accepted,
    SendOutcome::Known,
    SendOutcome::NonceUsed,
    SendOutcome::Ambiguous,
    SendOutcome::ReplacementUnderpriced,
    SendOutcome::FeeTooLow,
    SendOutcome::FeeCap,
    SendOutcome::Funds,
    SendOutcome::NonceGap,
    SendOutcome::PoolFull,
    SendOutcome::NodeUnready,
    SendOutcome::Rejected,
    SendOutcome::Forbidden,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wei_text_sorts_like_numbers() {
        let amounts = [0, 1, 9, 10, 99, 100, u128::from(u64::MAX), u128::MAX - 1, u128::MAX];
        for pair in amounts.windows(2) {
            assert!(wei_text(pair[0]) < wei_text(pair[1]), "{pair:?}");
        }
        for amount in amounts {
            assert_eq!(wei_text(amount).len(), WEI_DIGITS);
            assert_eq!(wei(&wei_text(amount)).unwrap(), amount);
        }
    }

    #[test]
    fn scopes_and_outcomes_read_back() {
        for what in [
            Scope::Chain,
            Scope::Feed(FeedId::new("BTC-USD")),
            Scope::Feed(FeedId::new("a feed with spaces")),
            Scope::Account(Address::repeat_byte(0xab)),
        ] {
            assert_eq!(scope(&scope_text(&what)).unwrap(), what);
        }
        for bad in ["", "chain ", "feed", "account 0x12", "all things"] {
            assert!(scope(bad).is_err(), "{bad:?}");
        }
        for outcome in SEND_OUTCOMES {
            assert_eq!(send_outcome(outcome.code()).unwrap(), outcome);
        }
        assert!(send_outcome("accepted ").is_err());
    }
}
