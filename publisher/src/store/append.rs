//! One record into the open transaction: written, already there, or refused.

use super::StoreError;
use super::db::{Db, values};
use super::read::{decision, entries};
use super::row::{self, AttemptRow, DecisionRow, InclusionRow, IntentRow, column};
use alloy::primitives::{Address, B256};
use publisher_core::record::{Outcome, Record, Why};
use publisher_core::time::Wall;
use publisher_core::tx::{Attempt, Receipt, Work};
use std::fmt::Debug;

type Result<T = ()> = std::result::Result<T, StoreError>;

/// Writes one record, unless it is there.
pub(super) async fn put(db: &mut Db, record: &Record) -> Result {
    match record {
        Record::Intent { account, nonce, work, at } => put_intent(db, *account, *nonce, work, *at).await,
        Record::Decided { account, nonce, why } => put_decided(db, *account, *nonce, why).await,
        Record::Attempt { account, nonce, attempt, at } => {
            put_attempt(db, *account, *nonce, attempt, *at).await
        }
        Record::Sent { hash, outcome, at, .. } => {
            if attempt_by_hash(db, *hash).await?.is_none() {
                return Err(conflict(
                    format!("the sending of {hash}"),
                    "no attempt of that hash",
                    outcome.code(),
                ));
            }
            db.execute("INSERT INTO sent (hash, outcome, at_ms) VALUES ($1, $2, $3) ON CONFLICT (hash, at_ms, outcome) DO NOTHING", values![hash.as_slice(), outcome.code(), at.ms()])
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

async fn put_intent(db: &mut Db, account: Address, nonce: u64, work: &Work, at: Wall) -> Result {
    let key = || format!("the intent of nonce {nonce} of {account}");
    if let Some(stored) = intent(db, account, nonce).await? {
        let stored = (stored.work()?, stored.planned_at());
        let offered = (work.clone(), at);
        return same_or_conflict(key(), &stored, &offered);
    }
    if let Some((contract, number)) = work.target() {
        let other: Option<(i64,)> = db
            .optional(
                "SELECT nonce FROM intent WHERE aggregator = $1 AND round = $2 AND account = $3 \
                 AND aggregator IS NOT NULL AND (closed IS NULL OR closed = 'final')",
                values![contract.as_slice(), column(number, "round")?, account.as_slice()],
            )
            .await?;
        if let Some((other,)) = other {
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
    let (owner, nonce) = (account.as_slice(), column(nonce, "nonce")?);
    match work {
        Work::Round { feed, aggregator, round } => {
            let round = column(*round, "round")?;
            let values = values![owner, nonce, at.ms(), feed.as_str(), aggregator.as_slice(), round];
            db.execute(INSERT_ROUND, values).await?
        }
        Work::Batch { store, sequence } => {
            let sequence = column(*sequence, "sequence")?;
            let values = values![owner, nonce, at.ms(), row::BATCH, store.as_slice(), sequence];
            db.execute(INSERT_ROUND, values).await?
        }
        Work::Step { name, to, data } => {
            let to = to.as_ref().map(|to| to.as_slice());
            db.execute(
                "INSERT INTO intent (account, nonce, planned_at_ms, step, recipient, data) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                values![owner, nonce, at.ms(), name.as_str(), to, data.as_ref()],
            )
            .await?
        }
    };
    Ok(())
}

async fn put_decided(db: &mut Db, account: Address, nonce: u64, why: &Why) -> Result {
    let (owner, number, feed) = (account.as_slice(), column(nonce, "nonce")?, why.feed.as_str());
    let offered = DecisionRow::from(why);
    let stored = decision(db, owner, number, feed).await?;
    if let Some(stored) = stored {
        let key = format!("the decision about {feed} with nonce {nonce} of {account}");
        return same_or_conflict(key, &stored, &offered);
    }
    require_intent(db, account, nonce, "a decision").await?;
    let DecisionRow { cause, calendar, digest, status, conduct } = &offered;
    db.execute(
        "INSERT INTO decision (account, nonce, feed, cause, calendar, digest, status, conduct) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        values![
            owner,
            number,
            feed,
            cause.as_str(),
            calendar.as_deref(),
            digest.as_deref(),
            status.as_deref(),
            conduct.as_deref()
        ],
    )
    .await?;
    Ok(())
}

async fn put_attempt(db: &mut Db, account: Address, nonce: u64, attempt: &Attempt, at: Wall) -> Result {
    let offered = (account, nonce, attempt.clone(), at);
    if let Some(stored) = attempt_by_hash(db, attempt.hash).await? {
        return same_or_conflict(
            format!("the attempt {}", attempt.hash),
            &attempt_of(db, &stored).await?,
            &offered,
        );
    }
    let position = format!("attempt {} of nonce {nonce} of {account}", attempt.seq);
    let stored = db
        .optional::<AttemptRow>(
            "SELECT * FROM attempt WHERE account = $1 AND nonce = $2 AND seq = $3",
            values![account.as_slice(), column(nonce, "nonce")?, i64::from(attempt.seq)],
        )
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
    let answer = attempt.answer.map(|answer| answer.to_string());
    if tip > cap {
        return Err(StoreError::Invalid {
            what: "tip",
            value: tip.to_string(),
            reason: "it is above the fee's cap",
        });
    }
    db.execute(
        "INSERT INTO attempt (hash, account, nonce, seq, raw, kind, tip_wei, cap_wei, gas_limit, answer, \
         observed_at_ms, signed_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        values![
            attempt.hash.as_slice(),
            account.as_slice(),
            column(nonce, "nonce")?,
            i64::from(attempt.seq),
            attempt.raw.as_ref(),
            row::fee_kind(attempt.fee),
            row::wei_text(tip).as_str(),
            row::wei_text(cap).as_str(),
            column(attempt.gas_limit, "gas limit")?,
            answer.as_deref(),
            attempt.observed_at.map(Wall::ms),
            at.ms()
        ],
    )
    .await?;
    for entry in &attempt.entries {
        db.execute(
            "INSERT INTO entry (hash, feed, answer, observed_at_ms) VALUES ($1, $2, $3, $4)",
            values![
                attempt.hash.as_slice(),
                entry.feed.as_str(),
                entry.answer.to_string().as_str(),
                entry.observed_at.ms()
            ],
        )
        .await?;
    }
    Ok(())
}

async fn put_included(db: &mut Db, account: Address, nonce: u64, receipt: &Receipt) -> Result {
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
    let stored = db
        .optional::<InclusionRow>(
            "SELECT * FROM inclusion WHERE hash = $1 AND block_hash = $2",
            values![receipt.hash.as_slice(), receipt.block_hash.as_slice()],
        )
        .await?;
    let closed = require_intent(db, account, nonce, "an inclusion").await?.closed()?;
    match (&stored, closed) {
        (Some(stored), _) if stored.receipt()? != *receipt => {
            return same_or_conflict(key(), &stored.receipt()?, receipt);
        }
        // There already; of a closed nonce it is history, whether it stayed canonical or not.
        (Some(stored), _) if stored.is_canonical() => return Ok(()),
        (Some(_), Some(_)) => return Ok(()),
        (None, Some((outcome, _))) => {
            return Err(conflict(key(), format!("a nonce closed as {}", outcome.code()), "another block"));
        }
        (_, None) => {}
    }
    forget_canonical(db, account, nonce).await?;
    db.execute("INSERT INTO inclusion (hash, block_hash, block_number, account, nonce, success, gas_used, gas_price_wei, \
         canonical) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) \
         ON CONFLICT (hash, block_hash) DO UPDATE SET canonical = 1", values![receipt.hash.as_slice(), receipt.block_hash.as_slice(), column(receipt.block_number, "block number")?, account.as_slice(), column(nonce, "nonce")?, i64::from(receipt.success), column(receipt.gas_used, "gas used")?, row::wei_text(receipt.gas_price_wei).as_str()])
    .await?;
    Ok(())
}

async fn put_closed(db: &mut Db, account: Address, nonce: u64, outcome: Outcome, at: Wall) -> Result {
    let intent = require_intent(db, account, nonce, outcome.code()).await?;
    let taken_back = db.exists("SELECT nonce FROM reopening WHERE account = $1 AND nonce = $2 AND closed = $3 AND closed_at_ms = $4", values![account.as_slice(), column(nonce, "nonce")?, outcome.code(), at.ms()])
    .await?;
    if taken_back {
        return Ok(()); // The repetition of an end that was taken back since.
    }
    if let Some(stored) = intent.closed()? {
        return same_or_conflict(format!("the end of nonce {nonce} of {account}"), &stored, &(outcome, at));
    }
    db.execute(
        "UPDATE intent SET closed = $1, closed_at_ms = $2 WHERE account = $3 AND nonce = $4",
        values![outcome.code(), at.ms(), account.as_slice(), column(nonce, "nonce")?],
    )
    .await?;
    Ok(())
}

async fn put_reopened(db: &mut Db, account: Address, nonce: u64, at: Wall) -> Result {
    let intent = require_intent(db, account, nonce, "reopened").await?;
    let there = db
        .exists(
            "SELECT nonce FROM reopening WHERE account = $1 AND nonce = $2 AND at_ms = $3",
            values![account.as_slice(), column(nonce, "nonce")?, at.ms()],
        )
        .await?;
    if there {
        return Ok(());
    }
    let Some((outcome, closed_at)) = intent.closed()? else {
        return Err(conflict(format!("the end of nonce {nonce} of {account}"), "none", "its reopening"));
    };
    db.execute(
        "INSERT INTO reopening (account, nonce, closed, closed_at_ms, at_ms) VALUES ($1, $2, $3, $4, $5)",
        values![account.as_slice(), column(nonce, "nonce")?, outcome.code(), closed_at.ms(), at.ms()],
    )
    .await?;
    db.execute("UPDATE intent SET closed = NULL, closed_at_ms = NULL, reopened = 1 WHERE account = $1 AND nonce = $2", values![account.as_slice(), column(nonce, "nonce")?])
    .await?;
    forget_canonical(db, account, nonce).await
}

async fn put_halt(db: &mut Db, scope: &str, halted: bool, reason: &str, at: Wall) -> Result {
    db.execute(
        "INSERT INTO halt (scope, halted, reason, at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (scope, at_ms, halted, reason) DO NOTHING",
        values![scope, i64::from(halted), reason, at.ms()],
    )
    .await?;
    Ok(())
}

async fn forget_canonical(db: &mut Db, account: Address, nonce: u64) -> Result {
    db.execute(
        "UPDATE inclusion SET canonical = 0 WHERE account = $1 AND nonce = $2 AND canonical = 1",
        values![account.as_slice(), column(nonce, "nonce")?],
    )
    .await?;
    Ok(())
}

async fn intent(db: &mut Db, account: Address, nonce: u64) -> Result<Option<IntentRow>> {
    db.optional(
        "SELECT * FROM intent WHERE account = $1 AND nonce = $2",
        values![account.as_slice(), column(nonce, "nonce")?],
    )
    .await
}

/// The intent that a record speaks of: without one there is nothing the record could be about.
async fn require_intent(db: &mut Db, account: Address, nonce: u64, offered: &str) -> Result<IntentRow> {
    intent(db, account, nonce)
        .await?
        .ok_or_else(|| conflict(format!("nonce {nonce} of {account}"), "no intent", offered))
}

async fn attempt_by_hash(db: &mut Db, hash: B256) -> Result<Option<AttemptRow>> {
    db.optional("SELECT * FROM attempt WHERE hash = $1", values![hash.as_slice()]).await
}

async fn attempt_of(db: &mut Db, stored: &AttemptRow) -> Result<(Address, u64, Attempt, Wall)> {
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
