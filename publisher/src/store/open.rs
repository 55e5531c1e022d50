//! Opening a journal: whose file it is, which schema it has, whose chain it belongs to.

use super::lock::Lock;
use super::read::{self, Reader};
use super::{Journal, StoreError, session};
use alloy::primitives::B256;
use publisher_core::record::Recovered;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The schema, step by step.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// What the first migration writes into the file's header: this SQLite file is a journal.
const APPLICATION_ID: i64 = 0x4f70_756a;
/// How long a statement waits for a foreign lock, such as an operator's own look into the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for the one connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) async fn writer(
    path: &Path,
    chain_id: u64,
    genesis: B256,
    migrations: &Migrator,
) -> Result<(Journal, Recovered), StoreError> {
    let path = usable(path)?;
    identify(&path).await.map_err(|e| e.at(&path))?;
    let lock = Lock::take(&path)?;
    let pool = writer_pool(&path, migrations).await.map_err(|e| e.at(&path))?;
    let journal = Journal { reader: Reader { pool, path }, _lock: lock };
    let claim = async {
        session::transaction(&journal.reader.pool, "BEGIN IMMEDIATE", async |db| {
            claim_chain(db, &journal.reader.path, chain_id, genesis).await
        })
        .await?;
        journal.reader.recovered().await
    };
    match claim.await {
        Ok(recovered) => Ok((journal, recovered)),
        Err(error) => {
            let error = error.at(&journal.reader.path);
            // The refused caller may well try again with another chain: leave nothing open behind.
            journal.close().await;
            Err(error)
        }
    }
}

pub(super) async fn reader(path: &Path, migrations: &Migrator) -> Result<Reader, StoreError> {
    let path = usable(path)?;
    if !path.exists() {
        return Err(refuse(&path, "there is none; it is made by the first `publisher run`"));
    }
    let read = async {
        identify(&path).await?;
        let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let pool = pool_options().connect_with(options).await?;
        let stored = schema_version(&pool).await?;
        if stored == newest(migrations) {
            return Ok(pool);
        }
        pool.close().await;
        Err(version_error(&path, stored, newest(migrations)))
    };
    let pool = read.await.map_err(|e| e.at(&path))?;
    Ok(Reader { pool, path })
}

async fn writer_pool(path: &Path, migrations: &Migrator) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = pool_options().connect_with(options).await?;
    match prepare(&pool, path, migrations).await {
        Ok(()) => Ok(pool),
        Err(error) => {
            pool.close().await;
            Err(error)
        }
    }
}

/// Brings the schema up to date and looks for damage.
async fn prepare(pool: &SqlitePool, path: &Path, migrations: &Migrator) -> Result<(), StoreError> {
    match migrations.run(pool).await {
        Ok(()) => {}
        Err(MigrateError::VersionMissing(stored)) => {
            return Err(version_error(path, stored, newest(migrations)));
        }
        Err(error) => return Err(error.into()),
    }
    let finding: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(pool).await?;
    if finding == "ok" { Ok(()) } else { Err(StoreError::damaged(finding)) }
}

/// Takes the journal for this chain, or says whose it is.
async fn claim_chain(
    db: &mut SqliteConnection,
    path: &Path,
    chain_id: u64,
    genesis: B256,
) -> Result<(), StoreError> {
    let named = |(id, genesis): (u64, B256)| format!("chain {id} with genesis {genesis}");
    match read::chain(db).await? {
        Some(stored) if stored == (chain_id, genesis) => Ok(()),
        Some(stored) => Err(StoreError::OtherChain {
            path: path.display().to_string(),
            stored: named(stored),
            asked: named((chain_id, genesis)),
        }),
        None => {
            sqlx::query("INSERT INTO chain (only_row, chain_id, genesis) VALUES (1, $1, $2)")
                .bind(super::row::column(chain_id, "chain id")?)
                .bind(genesis.as_slice())
                .execute(db)
                .await?;
            Ok(())
        }
    }
}

/// Refuses what exists and is no journal, before anything is written to it: connecting for writing would already
/// change its journal mode.
async fn identify(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(refuse(path, &e.to_string())),
        Ok(file) if !file.is_file() => return Err(refuse(path, "it is no regular file; name a file")),
        Ok(file) if file.len() == 0 => return Ok(()),
        Ok(_) => {}
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut db).await?;
    // A process that was killed while it made the journal leaves the migrations' own table at most.
    let strangers: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'")
            .fetch_one(&mut db)
            .await?;
    db.close().await?;
    match (application, strangers) {
        (APPLICATION_ID, _) | (0, 0) => Ok(()),
        _ => Err(StoreError::NotAJournal {
            path: path.display().to_string(),
            detail: "it is the SQLite database of another program".into(),
        }),
    }
}

/// One connection: SQLite has one writer, and what is read is read between two writes.
fn pool_options() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// The absolute path, if it can be a journal's. An absolute one has no second reading as URI or as memory.
fn usable(path: &Path) -> Result<PathBuf, StoreError> {
    let text = path.to_string_lossy();
    if text.is_empty() || text.contains(":memory:") || text.starts_with("file:") {
        return Err(refuse(path, "a journal must survive the process; name a file on a local disk"));
    }
    let path = std::path::absolute(path).map_err(|e| refuse(path, &e.to_string()))?;
    match path.parent() {
        Some(directory) if directory.is_dir() => Ok(path),
        _ => Err(refuse(&path, "its directory does not exist; create it, or correct the path")),
    }
}

fn refuse(path: &Path, reason: &str) -> StoreError {
    StoreError::Path { path: path.display().to_string(), reason: reason.into() }
}

async fn schema_version(pool: &SqlitePool) -> Result<i64, StoreError> {
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(pool)
            .await?;
    if tables == 0 {
        return Ok(0);
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(pool).await?;
    Ok(version.unwrap_or(0))
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn version_error(path: &Path, stored: i64, known: i64) -> StoreError {
    let hint = if stored > known {
        "use the publisher that wrote it, or a newer one"
    } else {
        "start the daemon once with this publisher, it brings the journal up to date"
    };
    StoreError::Version { path: path.display().to_string(), stored, known, hint }
}
