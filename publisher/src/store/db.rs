//! One SQL text for two databases: values in, rows out.
//!
//! Both take `$1` as placeholder and know `ON CONFLICT` and `RETURNING`, and the journal's columns are 64-bit integers,
//! texts and bytes alone, so that only a few statements about time, locks and the schema differ.

use super::StoreError;
use sqlx::encode::Encode;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Arguments, Database, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Type};

/// Connections to the journal's database.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    pub(super) async fn acquire(&self) -> Result<Db, StoreError> {
        Ok(match self {
            Self::Sqlite(pool) => Db::Sqlite(pool.acquire().await?),
            Self::Postgres(pool) => Db::Postgres(pool.acquire().await?),
        })
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// One connection.
pub(super) enum Db {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A column's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

/// A row of either database.
pub(super) trait Stored:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Stored for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl Db {
    /// Runs a statement; returns how many rows it changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => {
                sqlx::query_with(sql, arguments::<Sqlite>(values)?).execute(&mut **db).await?.rows_affected()
            }
            Self::Postgres(db) => sqlx::query_with(sql, arguments::<Postgres>(values)?)
                .execute(&mut **db)
                .await?
                .rows_affected(),
        })
    }

    /// Runs statements without values, all of them in one message.
    pub(super) async fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => sqlx::raw_sql(sql).execute(&mut **db).await.map(|_| ())?,
            Self::Postgres(db) => sqlx::raw_sql(sql).execute(&mut **db).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Every row.
    pub(super) async fn all<T: Stored>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => {
                sqlx::query_as_with(sql, arguments::<Sqlite>(values)?).fetch_all(&mut **db).await?
            }
            Self::Postgres(db) => {
                sqlx::query_as_with(sql, arguments::<Postgres>(values)?).fetch_all(&mut **db).await?
            }
        })
    }

    /// The only row, if there is one.
    pub(super) async fn optional<T: Stored>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, values).await?.pop())
    }

    /// Whether there is a row.
    pub(super) async fn exists(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<bool, StoreError> {
        Ok(self.optional::<(i64,)>(sql, values).await?.is_some())
    }
}

fn arguments<'q, DB: Database>(values: &[Value<'q>]) -> Result<DB::Arguments, StoreError>
where
    Option<i64>: Encode<'q, DB> + Type<DB>,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    Option<&'q [u8]>: Encode<'q, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    for value in values {
        match *value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::Bytes(value)
    }
}

/// The values of a statement, in the order of its placeholders.
macro_rules! values {
    ($($value:expr),*) => { &[$($crate::store::db::Value::from($value)),*] };
}
pub(super) use values;
