//! One transaction on one of the pool's connections.

use super::StoreError;
use super::db::{Db, Pool};
use std::time::Duration;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// One consistent look.
    Read,
    /// Writing: all of it or nothing.
    Write,
}

/// How a transaction begins.
///
/// SQLite: immediate, so that the write lock is had before the first look at what is there. PostgreSQL: durable at
/// commit whatever the server's default, and cut off by the server where a frozen process would hold a lock that a
/// take-over needs. The limits are shorter than half of the shortest lease, and part of the transaction rather than of
/// the connection, so that they hold behind a pooler as well.
const fn begin(db: &Db, access: Access) -> &'static str {
    match (db, access) {
        (Db::Sqlite(_), Access::Read) => "BEGIN",
        (Db::Sqlite(_), Access::Write) => "BEGIN IMMEDIATE",
        (Db::Postgres(_), Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Db::Postgres(_), Access::Write) => {
            "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL idle_in_transaction_session_timeout = '1500ms'; \
             SET LOCAL lock_timeout = '1500ms'; SET LOCAL statement_timeout = '5s'"
        }
    }
}

/// A connection with a transaction on it that has not been ended. Dropped like this it is given up, which undoes the
/// transaction, and the pool makes a new one.
struct Unended(Option<Db>);

impl Drop for Unended {
    fn drop(&mut self) {
        match self.0.take() {
            Some(Db::Sqlite(db)) => drop(db.detach()),
            Some(Db::Postgres(db)) => drop(db.detach()),
            None => {}
        }
    }
}

/// A server that has not answered by then is given up, because a network may swallow what is sent: a write well before
/// a lease can end, a look at the whole journal after a while.
const fn patience(pool: &Pool, access: Access) -> Option<Duration> {
    match (pool, access) {
        // The file's own limits hold: what is slow there is the disk.
        (Pool::Sqlite(_), _) => None,
        (Pool::Postgres(_), Access::Write) => Some(Duration::from_secs(2)),
        (Pool::Postgres(_), Access::Read) => Some(Duration::from_secs(30)),
    }
}

/// Runs `work` in a transaction; an error undoes it, and so does dropping the future.
///
/// After a transient error the connection is given up: a full disk or a failing device makes SQLite roll back by
/// itself, and what a server that went away did is unknown.
pub(super) async fn transaction<T>(
    pool: &Pool,
    access: Access,
    work: impl AsyncFnOnce(&mut Db) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let ended = run(pool, access, work);
    let Some(patience) = patience(pool, access) else { return ended.await };
    let silence = || Err(StoreError::unavailable("the server does not answer"));
    tokio::time::timeout(patience, ended).await.unwrap_or_else(|_| silence())
}

async fn run<T>(
    pool: &Pool,
    access: Access,
    work: impl AsyncFnOnce(&mut Db) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut unended = Unended(Some(pool.acquire().await?));
    let Some(db) = unended.0.as_mut() else { return Err(StoreError::damaged("no connection")) };
    db.batch(begin(db, access)).await?;
    let outcome = work(db).await;
    match &outcome {
        Ok(_) => db.batch("COMMIT").await?,
        Err(error) if error.is_transient() => return outcome,
        Err(_) => db.batch("ROLLBACK").await?,
    }
    drop(unended.0.take());
    outcome
}
