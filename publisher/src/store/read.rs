//! What the journal tells: to recovery at start, to `publisher status` while the daemon runs, and to tests.

use super::db::{Db, Pool, values};
use super::row::{self, AttemptRow, DecisionRow, EntryRow, InclusionRow, IntentRow};
use super::session::{Access, transaction};
use super::{Location, StoreError};
use alloy::primitives::{Address, B256};
use publisher_core::quote::FeedId;
use publisher_core::record::{Outcome, REOPENED_MAX, Recovered, RecoveredAccount, RecoveredIntent, Scope};
use publisher_core::spend::{self, Payment};
use publisher_core::time::Wall;
use publisher_core::tx::{Attempt, Receipt, SendOutcome, Work};
use sqlx::FromRow;
use std::collections::BTreeMap;

/// Reads a journal. Each call sees one consistent state, also while another process writes.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) pool: Pool,
    pub(super) location: Location,
}

/// One round as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundEntry {
    /// The account that submits it.
    pub account: Address,
    /// The nonce it owns.
    pub nonce: u64,
    /// The feed's aggregator, or the store that it shares.
    pub contract: Address,
    /// The round, or the store's sequence.
    pub number: u64,
    /// A batch carried it: which round it became, the store alone knows.
    pub in_batch: bool,
    /// When it was planned.
    pub planned_at: Wall,
    /// Why the feed was part of it; `None` if it joined a batch later, or an earlier version planned it.
    pub decision: Option<Decision>,
    /// Its signed transactions, by seq.
    pub attempts: Vec<AttemptEntry>,
    /// The block that includes one of them, as long as it is held to be canonical.
    pub inclusion: Option<Receipt>,
    /// How and when it ended; `None` while it is open.
    pub closed: Option<(Outcome, Wall)>,
}

/// What a decision rested on, in the names of the version that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which rule fired.
    pub trigger: String,
    /// The market whose hours the feed kept.
    pub market: Option<DecidedMarket>,
}

/// A market as it stood when something was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedMarket {
    /// The calendar's name.
    pub calendar: String,
    /// The Keccak-256 of its text.
    pub digest: B256,
    /// What the market did by it.
    pub status: String,
    /// What that let the feed do.
    pub conduct: String,
}

/// One signed transaction of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEntry {
    /// The transaction.
    pub attempt: Attempt,
    /// When it was signed.
    pub signed_at: Wall,
    /// The newest answer of the nodes; `None` if none is recorded.
    pub sent: Option<(SendOutcome, Wall)>,
}

/// How far one account has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountNonces {
    /// The account.
    pub account: Address,
    /// One more than the highest nonce ever given to an intent.
    pub next_nonce: u64,
    /// Intents that are not closed.
    pub open: u64,
}

impl Reader {
    /// Where the journal is.
    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// Chain id and genesis hash of the chain the journal belongs to.
    pub async fn chain(&self) -> Result<(u64, B256), StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| {
            chain(db).await?.ok_or_else(|| StoreError::damaged("it belongs to no chain"))
        });
        read.await.map_err(|e| e.at(&self.location))
    }

    /// What a daemon has to go on with.
    pub async fn recovered(&self) -> Result<Recovered, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| recovered(db).await);
        read.await.map_err(|e| e.at(&self.location))
    }

    /// The newest rounds of one feed, newest first, at most `limit`.
    pub async fn rounds(&self, feed: &FeedId, limit: u32) -> Result<Vec<RoundEntry>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| rounds(db, feed, limit).await);
        read.await.map_err(|e| e.at(&self.location))
    }

    /// Every account that ever had an intent.
    pub async fn account_nonces(&self) -> Result<Vec<AccountNonces>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| account_nonces(db).await);
        read.await.map_err(|e| e.at(&self.location))
    }

    /// Closes the connection; reads that are under way end first.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

/// The chain of the journal, if it has one yet.
pub(super) async fn chain(db: &mut Db) -> Result<Option<(u64, B256)>, StoreError> {
    let stored: Option<(i64, Vec<u8>)> =
        db.optional("SELECT chain_id, genesis FROM chain", values![]).await?;
    stored.map(|(id, genesis)| Ok((row::number(id)?, row::hash(&genesis)?))).transpose()
}

pub(super) async fn recovered(db: &mut Db) -> Result<Recovered, StoreError> {
    let halts = halts(db).await?;
    let in_doubt = halts.iter().any(|(scope, _)| *scope == Scope::Chain);
    let mut accounts = Vec::new();
    for AccountNonces { account, next_nonce, .. } in account_nonces(db).await? {
        let open: Vec<IntentRow> = db
            .all(
                "SELECT * FROM intent WHERE account = $1 AND closed IS NULL ORDER BY nonce",
                values![account.as_slice()],
            )
            .await?;
        // Of what is not in doubt nothing is read.
        let limit = if in_doubt { i64::try_from(REOPENED_MAX).unwrap_or(i64::MAX) } else { 0 };
        let mut closed: Vec<IntentRow> = db
            .all(
                "SELECT * FROM intent WHERE account = $1 AND closed IN ('final', 'reverted', 'noop_filled') \
             ORDER BY nonce DESC LIMIT $2",
                values![account.as_slice(), limit],
            )
            .await?;
        closed.reverse();
        let (open, closed) = (with_attempts(db, open).await?, with_attempts(db, closed).await?);
        let payments = payments(db, account).await?;
        accounts.push(RecoveredAccount { account, next_nonce, open, closed, payments });
    }
    Ok(Recovered { accounts, halts, anchor: anchor(db).await? })
}

async fn with_attempts(db: &mut Db, rows: Vec<IntentRow>) -> Result<Vec<RecoveredIntent>, StoreError> {
    let mut intents = Vec::with_capacity(rows.len());
    for row in rows {
        let signed: Vec<AttemptRow> = db
            .all(
                "SELECT * FROM attempt WHERE account = $1 AND nonce = $2 ORDER BY seq",
                values![row.account.as_slice(), row.nonce],
            )
            .await?;
        let mut attempts = Vec::with_capacity(signed.len());
        for attempt in &signed {
            attempts.push(attempt.attempt(&entries(db, attempt).await?)?);
        }
        intents.push(RecoveredIntent { nonce: row::number(row.nonce)?, work: row.work()?, attempts });
    }
    Ok(intents)
}

/// What an attempt says by feed; nothing but a batch says anything so.
pub(super) async fn entries(db: &mut Db, attempt: &AttemptRow) -> Result<Vec<EntryRow>, StoreError> {
    db.all(
        "SELECT feed, answer, observed_at_ms FROM entry WHERE hash = $1 ORDER BY feed",
        values![attempt.hash.as_slice()],
    )
    .await
}

/// Why a feed is part of an intent.
pub(super) async fn decision(
    db: &mut Db,
    account: &[u8],
    nonce: i64,
    feed: &str,
) -> Result<Option<DecisionRow>, StoreError> {
    db.optional(
        "SELECT cause, calendar, digest, status, conduct FROM decision \
         WHERE account = $1 AND nonce = $2 AND feed = $3",
        values![account, nonce, feed],
    )
    .await
}

impl TryFrom<DecisionRow> for Decision {
    type Error = StoreError;

    fn try_from(row: DecisionRow) -> Result<Self, StoreError> {
        let market = match (row.calendar, row.digest, row.status, row.conduct) {
            (Some(calendar), Some(digest), Some(status), Some(conduct)) => {
                Some(DecidedMarket { calendar, digest: row::hash(&digest)?, status, conduct })
            }
            _ => None,
        };
        Ok(Self { trigger: row.cause, market })
    }
}

/// The newest reason of each scope whose newest record is a halt.
async fn halts(db: &mut Db) -> Result<Vec<(Scope, String)>, StoreError> {
    let rows: Vec<(String, String)> = db.all("SELECT scope, reason FROM halt WHERE halted = 1 AND id IN (SELECT max(id) FROM halt GROUP BY scope)", values![])
    .await?;
    let mut halts = BTreeMap::new();
    for (scope, reason) in rows {
        halts.insert(row::scope(&scope)?, reason);
    }
    Ok(halts.into_iter().collect())
}

/// The highest block that finally includes something of ours, whatever became of it there, since an operator last
/// acknowledged that the chain's finality was broken.
async fn anchor(db: &mut Db) -> Result<Option<(u64, B256)>, StoreError> {
    let highest: Option<(i64, Vec<u8>)> = db
        .optional(
            "SELECT block_number, block_hash FROM inclusion JOIN intent USING (account, nonce) \
         WHERE canonical = 1 AND closed IN ('final', 'reverted', 'noop_filled') AND closed_at_ms > \
         (SELECT coalesce(max(at_ms), -9223372036854775808) FROM halt WHERE scope = 'chain' AND halted = 0) \
         ORDER BY block_number DESC LIMIT 1",
            values![],
        )
        .await?;
    highest.map(|(number, hash)| Ok((row::number(number)?, row::hash(&hash)?))).transpose()
}

/// What an account has paid for intents that were closed within the day before the newest of them, oldest first.
async fn payments(db: &mut Db, account: Address) -> Result<Vec<Payment>, StoreError> {
    /// A closed intent, where it is included, and one of the feeds that it carried.
    #[derive(FromRow)]
    struct Row {
        closed_at_ms: i64,
        feed: Option<String>,
        #[sqlx(flatten)]
        inclusion: InclusionRow,
    }
    let day_ms = i64::try_from(spend::DAY.ms()).unwrap_or(i64::MAX);
    let rows: Vec<Row> = db
        .all(
            "SELECT inclusion.*, intent.closed_at_ms, \
         CASE WHEN attempt.answer IS NULL THEN entry.feed ELSE intent.feed END AS feed \
         FROM intent JOIN inclusion ON inclusion.account = intent.account AND inclusion.nonce = intent.nonce \
         JOIN attempt ON attempt.hash = inclusion.hash LEFT JOIN entry ON entry.hash = inclusion.hash \
         WHERE intent.account = $1 AND canonical = 1 AND closed IN ('final', 'reverted', 'noop_filled') \
         AND closed_at_ms > (SELECT closed_at_ms FROM intent JOIN inclusion USING (account, nonce) \
         WHERE account = $1 AND canonical = 1 AND closed IN ('final', 'reverted', 'noop_filled') \
         ORDER BY closed_at_ms DESC LIMIT 1) - $2 \
         ORDER BY closed_at_ms, intent.nonce, feed",
            values![account.as_slice(), day_ms],
        )
        .await?;
    let mut payments: Vec<Payment> = Vec::new();
    for row in rows {
        let nonce = row::number(row.inclusion.nonce)?;
        let feed = row.feed.map(|feed| FeedId::new(&feed));
        match payments.last_mut().filter(|last| last.nonce == nonce) {
            Some(last) => last.feeds.extend(feed),
            None => payments.push(Payment {
                nonce,
                feeds: feed.into_iter().collect(),
                at: Wall::from_ms(row.closed_at_ms),
                wei: spend::paid_wei(&row.inclusion.receipt()?),
            }),
        }
    }
    Ok(payments)
}

async fn account_nonces(db: &mut Db) -> Result<Vec<AccountNonces>, StoreError> {
    let rows: Vec<(Vec<u8>, i64, i64)> = db.all("SELECT account, max(nonce), count(*) - count(closed) FROM intent GROUP BY account ORDER BY account", values![])
    .await?;
    rows.into_iter()
        .map(|(account, highest, open)| {
            Ok(AccountNonces {
                account: row::address(&account)?,
                next_nonce: row::number(highest)?.saturating_add(1),
                open: row::number(open)?,
            })
        })
        .collect()
}

async fn rounds(db: &mut Db, feed: &FeedId, limit: u32) -> Result<Vec<RoundEntry>, StoreError> {
    let rows: Vec<IntentRow> = db
        .all(
            "SELECT * FROM intent WHERE (account, nonce) IN (\
         SELECT account, nonce FROM intent WHERE feed = $1 UNION \
         SELECT account, nonce FROM attempt JOIN entry ON entry.hash = attempt.hash WHERE entry.feed = $1) \
         ORDER BY planned_at_ms DESC, nonce DESC LIMIT $2",
            values![feed.as_str(), i64::from(limit)],
        )
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    for intent in rows {
        let work = intent.work()?;
        let Some((contract, number)) = work.target() else {
            return Err(StoreError::damaged("a step that has a feed"));
        };
        let inclusion: Option<InclusionRow> = db
            .optional(
                "SELECT * FROM inclusion WHERE account = $1 AND nonce = $2 AND canonical = 1",
                values![intent.account.as_slice(), intent.nonce],
            )
            .await?;
        let decision = decision(db, &intent.account, intent.nonce, feed.as_str()).await?;
        entries.push(RoundEntry {
            account: row::address(&intent.account)?,
            nonce: row::number(intent.nonce)?,
            contract,
            number,
            in_batch: matches!(work, Work::Batch { .. }),
            planned_at: intent.planned_at(),
            decision: decision.map(Decision::try_from).transpose()?,
            attempts: attempts(db, &intent).await?,
            inclusion: inclusion.map(|row| row.receipt()).transpose()?,
            closed: intent.closed()?,
        });
    }
    Ok(entries)
}

async fn attempts(db: &mut Db, intent: &IntentRow) -> Result<Vec<AttemptEntry>, StoreError> {
    /// An attempt with the newest answer to it.
    #[derive(FromRow)]
    struct Row {
        #[sqlx(flatten)]
        attempt: AttemptRow,
        outcome: Option<String>,
        at_ms: Option<i64>,
    }
    let rows: Vec<Row> = db
        .all(
            "SELECT attempt.*, sent.outcome, sent.at_ms FROM attempt \
         LEFT JOIN sent ON sent.id = (SELECT max(id) FROM sent AS newest WHERE newest.hash = attempt.hash) \
         WHERE account = $1 AND nonce = $2 ORDER BY seq",
            values![intent.account.as_slice(), intent.nonce],
        )
        .await?;
    let mut attempts = Vec::with_capacity(rows.len());
    for row in rows {
        let sent = match (row.outcome, row.at_ms) {
            (Some(code), Some(at_ms)) => Some((row::send_outcome(&code)?, Wall::from_ms(at_ms))),
            _ => None,
        };
        let attempt = row.attempt.attempt(&entries(db, &row.attempt).await?)?;
        attempts.push(AttemptEntry { attempt, signed_at: row.attempt.signed_at(), sent });
    }
    Ok(attempts)
}
