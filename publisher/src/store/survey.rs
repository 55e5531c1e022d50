//! What a database says of itself and of the journal on it, before anything is written.

use super::lease::cluster;
use super::{StoreError, row};
use alloy::primitives::B256;
use publisher_core::time::Wall;
use sqlx::PgPool;

/// See [`Journal::survey`](super::Journal::survey).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The server's version.
    pub version: String,
    /// What tells its history from that of other servers: the system identifier, and the timeline, which every
    /// promotion of a standby raises.
    pub history: String,
    /// It takes no writes.
    pub is_read_only: bool,
    /// What it calls written survives a crash of its machine.
    pub is_durable: bool,
    /// The time by its clock.
    pub clock: Wall,
    /// The newest migration that was applied; 0: there is no journal yet.
    pub schema: i64,
    /// The newest migration that this program knows.
    pub schema_known: i64,
    /// Chain id and genesis of the chain that the journal belongs to; `None` unless both are known.
    pub chain: Option<(u64, B256)>,
}

/// A standby has no position of its own in the write-ahead log, so that its timeline cannot be told.
const SERVER: &str = concat!(
    "SELECT current_setting('server_version'), CASE WHEN pg_is_in_recovery() \
     THEN (SELECT system_identifier FROM pg_control_system())::text ELSE ",
    cluster!(),
    " END, current_setting('transaction_read_only') = 'on', current_setting('fsync') = 'on', \
     CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
);

/// The survey of a server whose journal has this schema.
pub(super) async fn survey(pool: &PgPool, schema: i64, schema_known: i64) -> Result<Survey, StoreError> {
    let (version, history, is_read_only, is_durable, clock_ms): (String, String, bool, bool, i64) =
        sqlx::query_as(SERVER).fetch_one(pool).await?;
    let chain: Option<(i64, Vec<u8>)> = match schema == schema_known {
        true => sqlx::query_as("SELECT chain_id, genesis FROM chain").fetch_optional(pool).await?,
        false => None,
    };
    Ok(Survey {
        version,
        history,
        is_read_only,
        is_durable,
        clock: Wall::from_ms(clock_ms),
        schema,
        schema_known,
        chain: chain
            .map(|(id, genesis)| Ok::<_, StoreError>((row::number(id)?, row::hash(&genesis)?)))
            .transpose()?,
    })
}
