//! An SQLite file: whose it is, which schema it has, and that this process has it alone.

use super::{StoreError, migration_error, newest, version_error};
use crate::store::lock::Lock;
use crate::store::session::Access;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The schema, step by step.
pub(in crate::store) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// What the first migration writes into the file's header: this SQLite file is a journal.
const APPLICATION_ID: i64 = 0x4f70_756a;
/// How long a statement waits for a foreign lock, such as an operator's own look into the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for the one connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// The file's pool and lock, schema and content checked.
pub(super) async fn writer(path: &Path, migrations: &Migrator) -> Result<(SqlitePool, Lock), StoreError> {
    identify(path).await?;
    let lock = Lock::take(path)?;
    Ok((writer_pool(path, migrations).await?, lock))
}

/// The pool of a file that is there, without its lock. Whoever writes gets it to be as durable as the daemon does.
pub(super) async fn existing(
    path: &Path,
    access: Access,
    migrations: &Migrator,
) -> Result<SqlitePool, StoreError> {
    if !path.exists() {
        return Err(refuse(path, "there is none; it is made by the first `publisher run`"));
    }
    identify(path).await?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(access == Access::Read)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = pool_options().connect_with(options).await?;
    let stored = schema_version(&pool).await?;
    if stored == newest(migrations) {
        return Ok(pool);
    }
    pool.close().await;
    Err(version_error(stored, newest(migrations)))
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
    match prepare(&pool, migrations).await {
        Ok(()) => Ok(pool),
        Err(error) => {
            pool.close().await;
            Err(error)
        }
    }
}

/// Brings the schema up to date and looks for damage.
async fn prepare(pool: &SqlitePool, migrations: &Migrator) -> Result<(), StoreError> {
    migrations.run(pool).await.map_err(|error| migration_error(error, migrations))?;
    let finding: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(pool).await?;
    if finding == "ok" { Ok(()) } else { Err(StoreError::damaged(finding)) }
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
            path: String::new(),
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
pub(super) fn usable(path: &Path) -> Result<PathBuf, StoreError> {
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
