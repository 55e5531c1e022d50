//! A PostgreSQL database: whose it is, and which schema it has.

use super::{StoreError, migration_error, newest, version_error};
use crate::store::survey::{self, Survey};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::time::Duration;
use url::Url;

/// The schema, step by step.
pub(in crate::store) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// One writes records, one beats, one reads; one more, so that none waits for one that is being given up.
const CONNECTIONS: u32 = 4;
/// How long a call waits for a connection: less than a third of the shortest lease.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(900);
/// How long the first connection may take.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn writer(url: &Url, migrations: &Migrator) -> Result<PgPool, StoreError> {
    let pool = connect(url).await?;
    match prepare(&pool, migrations).await {
        Ok(()) => Ok(pool),
        Err(error) => {
            pool.close().await;
            Err(error)
        }
    }
}

pub(super) async fn reader(url: &Url, migrations: &Migrator) -> Result<PgPool, StoreError> {
    let pool = connect(url).await?;
    let stored = match identify(&pool).await {
        Ok(()) => schema_version(&pool).await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(stored) if stored == newest(migrations) => Ok(pool),
        other => {
            pool.close().await;
            Err(other.map_or_else(|error| error, |stored| version_error(stored, newest(migrations))))
        }
    }
}

pub(super) async fn survey(url: &Url, migrations: &Migrator) -> Result<Survey, StoreError> {
    let pool = connect(url).await?;
    let surveyed = async {
        identify(&pool).await?;
        survey::survey(&pool, schema_version(&pool).await?, newest(migrations)).await
    };
    let surveyed = surveyed.await;
    pool.close().await;
    surveyed
}

async fn connect(url: &Url) -> Result<PgPool, StoreError> {
    let options: PgConnectOptions = url.as_str().parse()?;
    let options = options.application_name("publisher");
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options);
    let first = tokio::time::timeout(FIRST_TIMEOUT, async {
        // A server that is starting up or busy gets more than one try.
        loop {
            match pool.acquire().await {
                Err(sqlx::Error::PoolTimedOut) => {}
                other => return other.map(drop),
            }
        }
    });
    first.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(pool)
}

/// Brings the schema up to date, one replica at a time.
async fn prepare(pool: &PgPool, migrations: &Migrator) -> Result<(), StoreError> {
    identify(pool).await?;
    migrations.run(pool).await.map_err(|error| migration_error(error, migrations))
}

/// Refuses a database with tables of another program.
async fn identify(pool: &PgPool) -> Result<(), StoreError> {
    let (ours, strangers): (bool, i64) = sqlx::query_as(
        "SELECT to_regclass('intent') IS NOT NULL AND to_regclass('lease') IS NOT NULL, (SELECT count(*) \
         FROM pg_tables WHERE schemaname = current_schema() AND tablename <> '_sqlx_migrations')",
    )
    .fetch_one(pool)
    .await?;
    if ours || strangers == 0 {
        return Ok(());
    }
    let detail = "its schema holds tables of another program";
    Err(StoreError::NotAJournal { path: String::new(), detail: detail.into() })
}

async fn schema_version(pool: &PgPool) -> Result<i64, StoreError> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(pool).await?;
    if !there {
        return Ok(0);
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(pool).await?;
    Ok(version.unwrap_or(0))
}
