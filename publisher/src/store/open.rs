//! Opening a journal: whose it is, which schema it has, whose chain it belongs to.

mod postgres;
mod sqlite;

use super::db::{Db, Pool, values};
use super::read::{self, Reader};
use super::session::{Access, transaction};
use super::{Journal, Location, StoreError, Survey, lease};
use alloy::primitives::B256;
use publisher_core::lease::ReplicaId;
use publisher_core::record::Recovered;
use sqlx::migrate::{MigrateError, Migrator};
use std::hash::{BuildHasher, Hasher, RandomState};
use url::Url;

#[cfg(test)]
pub(super) use sqlite::MIGRATIONS;

pub(super) async fn writer(
    location: Location,
    chain_id: u64,
    genesis: B256,
    migrations: Option<&Migrator>,
) -> Result<(Journal, Recovered), StoreError> {
    let location = usable(location)?;
    let opened = match &location {
        Location::File(path) => sqlite::writer(path, migrations.unwrap_or(&sqlite::MIGRATIONS))
            .await
            .map(|(pool, lock)| (Pool::Sqlite(pool), Some(lock))),
        Location::Server(url) => postgres::writer(url, migrations.unwrap_or(&postgres::MIGRATIONS))
            .await
            .map(|pool| (Pool::Postgres(pool), None)),
    };
    let (pool, lock) = opened.map_err(|e| e.at(&location))?;
    let alone = lock.is_some();
    let journal = Journal { reader: Reader { pool, location }, me: replica_id(), _lock: lock };
    let claim = async {
        transaction(&journal.reader.pool, Access::Write, async |db| {
            claim_chain(db, chain_id, genesis).await?;
            if alone { lease::forget_others(db).await } else { Ok(()) }
        })
        .await?;
        journal.reader.recovered().await
    };
    match claim.await {
        Ok(recovered) => Ok((journal, recovered)),
        Err(error) => {
            let error = error.at(&journal.reader.location);
            // The refused caller may well try again with another chain: leave nothing open behind.
            journal.close().await;
            Err(error)
        }
    }
}

pub(super) async fn reader(location: Location, migrations: Option<&Migrator>) -> Result<Reader, StoreError> {
    existing(location, Access::Read, migrations).await
}

/// For orders: it may be written beside the daemon that has its lock.
pub(super) async fn desk(location: Location) -> Result<Reader, StoreError> {
    existing(location, Access::Write, None).await
}

/// A journal that is there, as it is.
async fn existing(
    location: Location,
    access: Access,
    migrations: Option<&Migrator>,
) -> Result<Reader, StoreError> {
    let location = usable(location)?;
    let opened = match &location {
        Location::File(path) => {
            let migrations = migrations.unwrap_or(&sqlite::MIGRATIONS);
            sqlite::existing(path, access, migrations).await.map(Pool::Sqlite)
        }
        Location::Server(url) => {
            postgres::reader(url, migrations.unwrap_or(&postgres::MIGRATIONS)).await.map(Pool::Postgres)
        }
    };
    let pool = opened.map_err(|e| e.at(&location))?;
    Ok(Reader { pool, location })
}

pub(super) async fn survey(url: &Url) -> Result<Survey, StoreError> {
    let surveyed = postgres::survey(url, &postgres::MIGRATIONS).await;
    surveyed.map_err(|error| error.at(&Location::Server(url.clone())))
}

fn usable(location: Location) -> Result<Location, StoreError> {
    match location {
        Location::File(path) => sqlite::usable(&path).map(Location::File),
        server @ Location::Server(_) => Ok(server),
    }
}

/// Takes the journal for this chain, or says whose it is.
async fn claim_chain(db: &mut Db, chain_id: u64, genesis: B256) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO chain (only_row, chain_id, genesis) VALUES (1, $1, $2) ON CONFLICT (only_row) DO NOTHING",
        values![super::row::column(chain_id, "chain id")?, genesis.as_slice()],
    )
    .await?;
    let named = |(id, genesis): (u64, B256)| format!("chain {id} with genesis {genesis}");
    match read::chain(db).await? {
        Some(stored) if stored == (chain_id, genesis) => Ok(()),
        Some(stored) => Err(StoreError::OtherChain {
            path: String::new(),
            stored: named(stored),
            asked: named((chain_id, genesis)),
        }),
        None => Err(StoreError::damaged("it belongs to no chain")),
    }
}

/// A name that no other process has, and that tells people which machine and process it is.
fn replica_id() -> ReplicaId {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let host = host.split('.').next().unwrap_or_default();
    // Process ids repeat, in containers nearly always.
    let random = RandomState::new().build_hasher().finish() >> 32;
    ReplicaId::new(&format!("{host}-{}-{random:08x}", std::process::id()))
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn migration_error(error: MigrateError, migrations: &Migrator) -> StoreError {
    match error {
        MigrateError::VersionMissing(stored) => version_error(stored, newest(migrations)),
        error => error.into(),
    }
}

fn version_error(stored: i64, known: i64) -> StoreError {
    let hint = if stored > known {
        "use the publisher that wrote it, or a newer one"
    } else {
        "start the daemon once with this publisher, it brings the journal up to date"
    };
    StoreError::Version { path: String::new(), stored, known, hint }
}
