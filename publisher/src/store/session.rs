//! One transaction on the pool's only connection.

use super::StoreError;
use sqlx::{Connection, SqliteConnection, SqlitePool};

/// Runs `work` between `begin` and a commit; an error undoes it, and so does dropping the future.
///
/// After a transient error the connection is given up, and the next call makes a new one: a full disk or a failing
/// device makes SQLite roll back by itself, and a driver that still counts an open transaction would then refuse
/// every later one.
pub(super) async fn transaction<T>(
    pool: &SqlitePool,
    begin: &'static str,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut connection = pool.acquire().await?;
    let outcome = async {
        let mut transaction = connection.begin_with(begin).await?;
        let value = work(&mut transaction).await?;
        transaction.commit().await?;
        Ok(value)
    }
    .await;
    if matches!(&outcome, Err(error) if StoreError::is_transient(error)) {
        // It is being given up: what it says to that changes nothing.
        let _ = connection.close().await;
    }
    outcome
}
