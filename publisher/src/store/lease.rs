//! Leases in the database: taken, renewed and read in one transaction, and checked in every other.

use super::StoreError;
use super::db::{Db, values};
use super::row;
use alloy::primitives::Address;
use publisher_core::lease::{Beat, Board, Epoch, Replica, ReplicaId};
use publisher_core::time::Span;
use std::collections::BTreeMap;

type Result<T = ()> = std::result::Result<T, StoreError>;

/// The history that PostgreSQL goes on with: its system identifier, and its timeline, which every promotion of a standby
/// raises. Read from the position of the write-ahead log, because the control file learns of a promotion later.
macro_rules! cluster {
    () => {
        "(SELECT system_identifier FROM pg_control_system())::text || '/' || \
         substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
    };
}
pub(super) use cluster;

/// Now, in milliseconds by the database's clock and not by that of the transaction's beginning; and its history.
const fn now_and_cluster(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER), 'file'",
        Db::Postgres(_) => {
            concat!("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT), ", cluster!())
        }
    }
}

/// The lease of an account, if it is held in this epoch. On PostgreSQL nobody takes it before this transaction has
/// ended; on SQLite nobody else writes at all.
const fn guard(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => "SELECT epoch FROM lease WHERE account = $1 AND holder = $2 AND epoch = $3",
        Db::Postgres(_) => concat!(
            "SELECT epoch FROM lease WHERE account = $1 AND holder = $2 AND epoch = $3 AND cluster = ",
            cluster!(),
            " FOR SHARE"
        ),
    }
}

/// A replica that has not beaten for so long is forgotten.
const FORGOTTEN_MS: i64 = 24 * 60 * 60 * 1000;

/// The accounts of which the lease is not held in that epoch any more.
pub(super) async fn fenced(
    db: &mut Db,
    me: &ReplicaId,
    epochs: &BTreeMap<Address, Epoch>,
) -> Result<Vec<Address>> {
    let mut fenced = Vec::new();
    for (account, epoch) in epochs {
        let epoch = row::column(*epoch, "epoch")?;
        if !db.exists(guard(db), values![account.as_slice(), me.as_str(), epoch]).await? {
            fenced.push(*account);
        }
    }
    Ok(fenced)
}

/// Whoever held a lease is dead: the caller has the journal to itself.
pub(super) async fn forget_others(db: &mut Db) -> Result {
    db.execute("UPDATE lease SET expires_at_ms = 0", values![]).await?;
    db.execute("DELETE FROM replica", values![]).await?;
    Ok(())
}

/// One beat. Without a length leases never end.
pub(super) async fn beat(db: &mut Db, me: &ReplicaId, beat: &Beat, length: Option<Span>) -> Result<Board> {
    let Some((now, cluster)) = db.optional::<(i64, String)>(now_and_cluster(db), values![]).await? else {
        return Err(StoreError::damaged("it has no time"));
    };
    let length = length.map_or(i64::MAX, |length| i64::try_from(length.ms()).unwrap_or(i64::MAX));
    let end = now.saturating_add(length);
    show_oneself(db, me, beat, now, end).await?;
    for (account, epoch) in &beat.release {
        db.execute(
            "UPDATE lease SET expires_at_ms = $1 WHERE account = $2 AND holder = $3 AND epoch = $4",
            values![now, account.as_slice(), me.as_str(), row::column(*epoch, "epoch")?],
        )
        .await?;
    }
    let mut held = BTreeMap::new();
    for (account, epoch) in &beat.renew {
        let renewed = db
            .execute(
                "UPDATE lease SET expires_at_ms = $1 \
                 WHERE account = $2 AND holder = $3 AND epoch = $4 AND cluster = $5",
                values![
                    end,
                    account.as_slice(),
                    me.as_str(),
                    row::column(*epoch, "epoch")?,
                    cluster.as_str()
                ],
            )
            .await?;
        if renewed == 1 {
            held.insert(*account, *epoch);
        }
    }
    for account in &beat.take {
        let taken: Option<(i64,)> = db
            .optional(
                "INSERT INTO lease (account, holder, epoch, expires_at_ms, cluster) VALUES ($1, $2, 1, $3, $4) \
                 ON CONFLICT (account) DO UPDATE SET holder = excluded.holder, epoch = lease.epoch + 1, \
                 expires_at_ms = excluded.expires_at_ms, cluster = excluded.cluster \
                 WHERE lease.expires_at_ms <= $5 OR lease.holder = excluded.holder RETURNING epoch",
                values![account.as_slice(), me.as_str(), end, cluster.as_str(), now],
            )
            .await?;
        if let Some((epoch,)) = taken {
            held.insert(*account, row::number(epoch)?);
        }
    }
    Ok(Board { held, busy: busy(db, me, now).await?, replicas: replicas(db, now).await? })
}

/// Says that this replica lives, and what it could serve; nothing: it says goodbye.
async fn show_oneself(db: &mut Db, me: &ReplicaId, beat: &Beat, now: i64, end: i64) -> Result {
    if beat.wants.is_empty() {
        db.execute("DELETE FROM replica WHERE id = $1", values![me.as_str()]).await?;
        return Ok(());
    }
    let wants: Vec<u8> = beat.wants.iter().flat_map(|account| account.as_slice()).copied().collect();
    db.execute(
        "INSERT INTO replica (id, since_ms, expires_at_ms, wants) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (id) DO UPDATE SET expires_at_ms = excluded.expires_at_ms, wants = excluded.wants",
        values![me.as_str(), now, end, wants.as_slice()],
    )
    .await?;
    db.execute("DELETE FROM replica WHERE expires_at_ms < $1", values![now.saturating_sub(FORGOTTEN_MS)])
        .await?;
    Ok(())
}

/// What others hold.
async fn busy(db: &mut Db, me: &ReplicaId, now: i64) -> Result<BTreeMap<Address, (ReplicaId, Span)>> {
    let rows: Vec<(Vec<u8>, String, i64)> = db
        .all(
            "SELECT account, holder, expires_at_ms FROM lease WHERE holder <> $1 AND expires_at_ms > $2",
            values![me.as_str(), now],
        )
        .await?;
    let busy = rows.into_iter().map(|(account, holder, end)| {
        Ok((row::address(&account)?, (ReplicaId::new(&holder), left(end, now))))
    });
    busy.collect()
}

/// Every replica that lives, the oldest first.
pub(super) async fn replicas(db: &mut Db, now: i64) -> Result<Vec<Replica>> {
    let rows: Vec<(String, Vec<u8>, i64)> = db
        .all(
            "SELECT id, wants, expires_at_ms FROM replica WHERE expires_at_ms > $1 ORDER BY since_ms, id",
            values![now],
        )
        .await?;
    let replicas = rows.into_iter().map(|(id, wants, end)| {
        let wants = wants.chunks(20).map(row::address).collect::<Result<_>>()?;
        Ok(Replica { id: ReplicaId::new(&id), wants, expires_in: left(end, now) })
    });
    replicas.collect()
}

fn left(end: i64, now: i64) -> Span {
    Span::from_ms(u64::try_from(end.saturating_sub(now)).unwrap_or(0))
}
