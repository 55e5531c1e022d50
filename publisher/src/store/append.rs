//! One record into the open transaction: written, already there, or refused.

use super::StoreError;
use super::read::entries;
use super::row::{self, AttemptRow, InclusionRow, IntentRow, column};
use alloy::primitives::{Address, B256};
use publisher_core::record::{Outcome, Record};
use publisher_core::time::Wall;
use publisher_core::tx::{Attempt, Receipt, Work};
use sqlx::SqliteConnection;
use std::fmt::Debug;

type Result<T = ()> = std::result::Result<T, StoreError>;

/// Writes one record, unless it is there.
pub(super) async fn put(db: &mut SqliteConnection, record: &Record) -> Result {
    match record {
        Record::Intent { account, nonce, work, at } => put_intent(db, *account, *nonce, work, *at).await,
        Record::Attempt { account, nonce, attempt, at } => {
            put_attempt(db, *account, *nonce, attempt, *at).await
        }
        Record::Sent { hash, outcome, at } => {
            if attempt_by_hash(db, *hash).await?.is_none() {
                return Err(conflict(
                    format!("the sending of {hash}"),
                    "no attempt of that hash",
                    outcome.code(),
                ));
            }
            sqlx::query("INSERT INTO sent (hash, outcome, at_ms) VALUES ($1, $2, $3) ON CONFLICT (hash, at_ms, outcome) DO NOTHING")
                .bind(hash.as_slice())
                .bind(outcome.code())
                .bind(at.ms())
                .execute(db)
                .await?;
            Ok(())
        }
        Record::Included { account, nonce, receipt } => put_included(db, *account, *nonce, receipt).await,
        Record::Orphaned { account, nonce } => {
            let intent = require_intent(db, *account, *nonce, "orphaned").await?;
            // Of a closed nonce the record is the repetition of one that came before.
            if intent.closed()?.is_none() {
                forget_canonical(db, *account, *nonce).await?;
            }
            Ok(())
        }
        Record::Closed { account, nonce, outcome, at } => {
            put_closed(db, *account, *nonce, *outcome, *at).await
        }
        Record::Reopened { account, nonce, at } => put_reopened(db, *account, *nonce, *at).await,
        Record::Halted { scope, reason, at } => {
            put_halt(db, &row::scope_text(scope), true, reason, *at).await
        }
        Record::Resumed { scope, at } => put_halt(db, &row::scope_text(scope), false, "", *at).await,
    }
}

async fn put_intent(
    db: &mut SqliteConnection,
    account: Address,
    nonce: u64,
    work: &Work,
    at: Wall,
) -> Result {
    let key = || format!("the intent of nonce {nonce} of {account}");
    if let Some(stored) = intent(db, account, nonce).await? {
        let stored = (stored.work()?, stored.planned_at());
        let offered = (work.clone(), at);
        return same_or_conflict(key(), &stored, &offered);
    }
    if let Some((contract, number)) = work.target() {
        let other: Option<i64> = sqlx::query_scalar(
            "SELECT nonce FROM intent WHERE aggregator = $1 AND round = $2 AND account = $3 \
             AND aggregator IS NOT NULL AND (closed IS NULL OR closed = 'final')",
        )
        .bind(contract.as_slice())
        .bind(column(number, "round")?)
        .bind(account.as_slice())
        .fetch_optional(&mut *db)
        .await?;
        if let Some(other) = other {
            let key = match work {
                Work::Round { feed, .. } => {
                    format!("round {number} of feed {feed} on {contract} by {account}")
                }
                _ => format!("sequence {number} of store {contract} by {account}"),
            };
            return Err(conflict(key, format!("nonce {other}"), format!("nonce {nonce}")));
        }
    }
    const INSERT_ROUND: &str = "INSERT INTO intent (account, nonce, planned_at_ms, feed, aggregator, round) \
                                VALUES ($1, $2, $3, $4, $5, $6)";
    let insert = match work {
        Work::Round { feed, aggregator, round } => sqlx::query(INSERT_ROUND)
            .bind(account.as_slice())
            .bind(column(nonce, "nonce")?)
            .bind(at.ms())
            .bind(feed.as_str())
            .bind(aggregator.as_slice())
            .bind(column(*round, "round")?),
        Work::Batch { store, sequence } => sqlx::query(INSERT_ROUND)
            .bind(account.as_slice())
            .bind(column(nonce, "nonce")?)
            .bind(at.ms())
            .bind(row::BATCH)
            .bind(store.as_slice())
            .bind(column(*sequence, "sequence")?),
        Work::Step { name, to, data } => sqlx::query(
            "INSERT INTO intent (account, nonce, planned_at_ms, step, recipient, data) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(account.as_slice())
        .bind(column(nonce, "nonce")?)
        .bind(at.ms())
        .bind(name.as_str())
        .bind(to.as_ref().map(|to| to.as_slice()))
        .bind(data.as_ref()),
    };
    insert.execute(db).await?;
    Ok(())
}

async fn put_attempt(
    db: &mut SqliteConnection,
    account: Address,
    nonce: u64,
    attempt: &Attempt,
    at: Wall,
) -> Result {
    let offered = (account, nonce, attempt.clone(), at);
    if let Some(stored) = attempt_by_hash(db, attempt.hash).await? {
        return same_or_conflict(
            format!("the attempt {}", attempt.hash),
            &attempt_of(db, &stored).await?,
            &offered,
        );
    }
    let position = format!("attempt {} of nonce {nonce} of {account}", attempt.seq);
    let stored = sqlx::query_as::<_, AttemptRow>(
        "SELECT * FROM attempt WHERE account = $1 AND nonce = $2 AND seq = $3",
    )
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .bind(i64::from(attempt.seq))
    .fetch_optional(&mut *db)
    .await?;
    if let Some(stored) = stored {
        return same_or_conflict(position, &attempt_of(db, &stored).await?, &offered);
    }
    if let Some((outcome, _)) = require_intent(db, account, nonce, "an attempt").await?.closed()? {
        return Err(conflict(position, format!("a nonce closed as {}", outcome.code()), "a new attempt"));
    }
    if attempt.raw.is_empty() {
        return Err(StoreError::Invalid {
            what: "attempt",
            value: attempt.hash.to_string(),
            reason: "it has no bytes to send",
        });
    }
    let (tip, cap) = (attempt.fee.tip_wei(), attempt.fee.cap_wei());
    if tip > cap {
        return Err(StoreError::Invalid {
            what: "tip",
            value: tip.to_string(),
            reason: "it is above the fee's cap",
        });
    }
    sqlx::query(
        "INSERT INTO attempt (hash, account, nonce, seq, raw, kind, tip_wei, cap_wei, gas_limit, answer, \
         observed_at_ms, signed_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(attempt.hash.as_slice())
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .bind(i64::from(attempt.seq))
    .bind(attempt.raw.as_ref())
    .bind(row::fee_kind(attempt.fee))
    .bind(row::wei_text(tip))
    .bind(row::wei_text(cap))
    .bind(column(attempt.gas_limit, "gas limit")?)
    .bind(attempt.answer.map(|answer| answer.to_string()))
    .bind(attempt.observed_at.map(Wall::ms))
    .bind(at.ms())
    .execute(&mut *db)
    .await?;
    for entry in &attempt.entries {
        sqlx::query("INSERT INTO entry (hash, feed, answer, observed_at_ms) VALUES ($1, $2, $3, $4)")
            .bind(attempt.hash.as_slice())
            .bind(entry.feed.as_str())
            .bind(entry.answer.to_string())
            .bind(entry.observed_at.ms())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn put_included(db: &mut SqliteConnection, account: Address, nonce: u64, receipt: &Receipt) -> Result {
    let key = || format!("the inclusion of {} in block {}", receipt.hash, receipt.block_hash);
    match attempt_by_hash(db, receipt.hash).await? {
        Some(stored) if stored.account == account.as_slice() && stored.nonce == column(nonce, "nonce")? => {}
        Some(stored) => {
            let owner = format!("an attempt of nonce {} of {}", stored.nonce, row::address(&stored.account)?);
            return Err(conflict(key(), owner, format!("nonce {nonce} of {account}")));
        }
        None => {
            return Err(conflict(key(), "no attempt of that hash", format!("nonce {nonce} of {account}")));
        }
    }
    let stored =
        sqlx::query_as::<_, InclusionRow>("SELECT * FROM inclusion WHERE hash = $1 AND block_hash = $2")
            .bind(receipt.hash.as_slice())
            .bind(receipt.block_hash.as_slice())
            .fetch_optional(&mut *db)
            .await?;
    let closed = require_intent(db, account, nonce, "an inclusion").await?.closed()?;
    match (&stored, closed) {
        (Some(stored), _) if stored.receipt()? != *receipt => {
            return same_or_conflict(key(), &stored.receipt()?, receipt);
        }
        // There already; of a closed nonce it is history, whether it stayed canonical or not.
        (Some(stored), _) if stored.canonical => return Ok(()),
        (Some(_), Some(_)) => return Ok(()),
        (None, Some((outcome, _))) => {
            return Err(conflict(key(), format!("a nonce closed as {}", outcome.code()), "another block"));
        }
        (_, None) => {}
    }
    forget_canonical(db, account, nonce).await?;
    sqlx::query(
        "INSERT INTO inclusion (hash, block_hash, block_number, account, nonce, success, gas_used, gas_price_wei, \
         canonical) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) \
         ON CONFLICT (hash, block_hash) DO UPDATE SET canonical = 1",
    )
    .bind(receipt.hash.as_slice())
    .bind(receipt.block_hash.as_slice())
    .bind(column(receipt.block_number, "block number")?)
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .bind(receipt.success)
    .bind(column(receipt.gas_used, "gas used")?)
    .bind(row::wei_text(receipt.gas_price_wei))
    .execute(db)
    .await?;
    Ok(())
}

async fn put_closed(
    db: &mut SqliteConnection,
    account: Address,
    nonce: u64,
    outcome: Outcome,
    at: Wall,
) -> Result {
    let intent = require_intent(db, account, nonce, outcome.code()).await?;
    let taken_back: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 FROM reopening WHERE account = $1 AND nonce = $2 AND closed = $3 AND closed_at_ms = $4",
    )
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .bind(outcome.code())
    .bind(at.ms())
    .fetch_one(&mut *db)
    .await?;
    if taken_back {
        return Ok(()); // The repetition of an end that was taken back since.
    }
    if let Some(stored) = intent.closed()? {
        return same_or_conflict(format!("the end of nonce {nonce} of {account}"), &stored, &(outcome, at));
    }
    sqlx::query("UPDATE intent SET closed = $1, closed_at_ms = $2 WHERE account = $3 AND nonce = $4")
        .bind(outcome.code())
        .bind(at.ms())
        .bind(account.as_slice())
        .bind(column(nonce, "nonce")?)
        .execute(db)
        .await?;
    Ok(())
}

async fn put_reopened(db: &mut SqliteConnection, account: Address, nonce: u64, at: Wall) -> Result {
    let intent = require_intent(db, account, nonce, "reopened").await?;
    let there: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 FROM reopening WHERE account = $1 AND nonce = $2 AND at_ms = $3",
    )
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .bind(at.ms())
    .fetch_one(&mut *db)
    .await?;
    if there {
        return Ok(());
    }
    let Some((outcome, closed_at)) = intent.closed()? else {
        return Err(conflict(format!("the end of nonce {nonce} of {account}"), "none", "its reopening"));
    };
    sqlx::query(
        "INSERT INTO reopening (account, nonce, closed, closed_at_ms, at_ms) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .bind(outcome.code())
    .bind(closed_at.ms())
    .bind(at.ms())
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE intent SET closed = NULL, closed_at_ms = NULL, reopened = 1 WHERE account = $1 AND nonce = $2",
    )
    .bind(account.as_slice())
    .bind(column(nonce, "nonce")?)
    .execute(&mut *db)
    .await?;
    forget_canonical(db, account, nonce).await
}

async fn put_halt(db: &mut SqliteConnection, scope: &str, halted: bool, reason: &str, at: Wall) -> Result {
    sqlx::query(
        "INSERT INTO halt (scope, halted, reason, at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (scope, at_ms, halted, reason) DO NOTHING",
    )
    .bind(scope)
    .bind(halted)
    .bind(reason)
    .bind(at.ms())
    .execute(db)
    .await?;
    Ok(())
}

async fn forget_canonical(db: &mut SqliteConnection, account: Address, nonce: u64) -> Result {
    sqlx::query("UPDATE inclusion SET canonical = 0 WHERE account = $1 AND nonce = $2 AND canonical = 1")
        .bind(account.as_slice())
        .bind(column(nonce, "nonce")?)
        .execute(db)
        .await?;
    Ok(())
}

async fn intent(db: &mut SqliteConnection, account: Address, nonce: u64) -> Result<Option<IntentRow>> {
    Ok(sqlx::query_as("SELECT * FROM intent WHERE account = $1 AND nonce = $2")
        .bind(account.as_slice())
        .bind(column(nonce, "nonce")?)
        .fetch_optional(db)
        .await?)
}

/// The intent that a record speaks of: without one there is nothing the record could be about.
async fn require_intent(
    db: &mut SqliteConnection,
    account: Address,
    nonce: u64,
    offered: &str,
) -> Result<IntentRow> {
    intent(db, account, nonce)
        .await?
        .ok_or_else(|| conflict(format!("nonce {nonce} of {account}"), "no intent", offered))
}

async fn attempt_by_hash(db: &mut SqliteConnection, hash: B256) -> Result<Option<AttemptRow>> {
    Ok(sqlx::query_as("SELECT * FROM attempt WHERE hash = $1")
        .bind(hash.as_slice())
        .fetch_optional(db)
        .await?)
}

async fn attempt_of(db: &mut SqliteConnection, stored: &AttemptRow) -> Result<(Address, u64, Attempt, Wall)> {
    let attempt = stored.attempt(&entries(db, stored).await?)?;
    Ok((row::address(&stored.account)?, row::number(stored.nonce)?, attempt, stored.signed_at()))
}

fn same_or_conflict<T: PartialEq + Debug>(key: String, stored: &T, offered: &T) -> Result {
    if stored == offered { Ok(()) } else { Err(conflict(key, shown(stored), shown(offered))) }
}

fn conflict(key: String, stored: impl Into<String>, offered: impl Into<String>) -> StoreError {
    StoreError::Conflict { key, stored: stored.into(), offered: offered.into() }
}

/// Both sides of a conflict are shown in full, up to a length: init code may be long.
fn shown(value: &impl Debug) -> String {
    const LIMIT: usize = 600;
    let mut text = format!("{value:?}");
    if text.len() > LIMIT {
        let end = (0..=LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
