//! What operators say about feeds: written beside a running daemon, which reads it, and kept for ever.

use super::db::{Db, values};
use super::read::Reader;
use super::session::{Access, transaction};
use super::{Journal, Location, StoreError, open, row};
use publisher_core::policy::{Instruction, Order};
use publisher_core::quote::FeedId;
use publisher_core::time::{Span, Wall};

/// What ends everything that was said before about a feed.
const RESUME: &str = "resume";

/// A journal open for orders alone: without its lock, which a daemon may hold, and without changing its schema.
#[derive(Debug)]
pub struct Desk {
    reader: Reader,
}

/// One line of the audit, newest first: an order, or the word that ended those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its number.
    pub id: u64,
    /// What was said; `None`: that everything before is over.
    pub what: Option<Instruction>,
    /// When it was said.
    pub said_at: Wall,
    /// When it ends, or ended, by itself.
    pub until: Wall,
    /// Who said it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A row of the table.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    feed: String,
    kind: String,
    heartbeat_ms: Option<i64>,
    said_at_ms: i64,
    until_ms: i64,
    operator: String,
    reason: String,
}

impl Row {
    fn what(&self) -> Result<Option<Instruction>, StoreError> {
        Ok(Some(match (self.kind.as_str(), self.heartbeat_ms) {
            ("pause", None) => Instruction::Pause,
            ("pause_deviations", None) => Instruction::PauseDeviations,
            ("accept", None) => Instruction::Accept,
            ("heartbeat", Some(ms)) => Instruction::Heartbeat(Span::from_ms(row::number(ms)?)),
            (RESUME, None) => return Ok(None),
            (kind, _) => return Err(StoreError::damaged(format!("an order of kind {kind:?}"))),
        }))
    }
}

impl Journal {
    /// Opens an existing journal to give orders, also while a daemon writes it.
    ///
    /// # Errors
    /// As [`Journal::open_read_only`].
    pub async fn open_desk(location: impl Into<Location>) -> Result<Desk, StoreError> {
        Ok(Desk { reader: open::desk(location.into()).await? })
    }
}

impl Desk {
    /// Gives an order; its `id` is the journal's to choose. Returns it as it is kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: whether it was written is not known.
    pub async fn order(&self, order: Order) -> Result<Order, StoreError> {
        let heartbeat_ms = match order.what {
            Instruction::Heartbeat(span) => Some(row::column(span.ms(), "heartbeat")?),
            _ => None,
        };
        let row = Row {
            id: 0,
            feed: order.feed.to_string(),
            kind: order.what.code().to_owned(),
            heartbeat_ms,
            said_at_ms: order.said_at.ms(),
            until_ms: order.until.ms(),
            operator: order.by.clone(),
            reason: order.reason.clone(),
        };
        Ok(Order { id: self.say(row).await?, ..order })
    }

    /// Ends everything that was said before about a feed.
    ///
    /// # Errors
    /// As [`Desk::order`].
    pub async fn resume(&self, feed: &FeedId, by: &str, reason: &str, at: Wall) -> Result<(), StoreError> {
        let row = Row {
            id: 0,
            feed: feed.to_string(),
            kind: RESUME.to_owned(),
            heartbeat_ms: None,
            said_at_ms: at.ms(),
            until_ms: at.ms(),
            operator: by.to_owned(),
            reason: reason.to_owned(),
        };
        self.say(row).await.map(drop)
    }

    async fn say(&self, row: Row) -> Result<u64, StoreError> {
        let said = transaction(&self.reader.pool, Access::Write, async |db| {
            let id: Option<(i64,)> = db
                .optional(
                    "INSERT INTO feed_order (feed, kind, heartbeat_ms, said_at_ms, until_ms, operator, reason) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
                    values![
                        row.feed.as_str(),
                        row.kind.as_str(),
                        row.heartbeat_ms,
                        row.said_at_ms,
                        row.until_ms,
                        row.operator.as_str(),
                        row.reason.as_str()
                    ],
                )
                .await?;
            let (id,) = id.ok_or_else(|| StoreError::damaged("an order without a number"))?;
            row::number(id)
        });
        said.await.map_err(|e| e.at(&self.reader.location))
    }

    /// The reading half.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Ends what is under way.
    pub async fn close(self) {
        self.reader.close().await;
    }
}

impl Reader {
    /// The orders that stand at `now`: those that have not ended by themselves or by another word.
    pub async fn orders(&self, now: Wall) -> Result<Vec<Order>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| standing(db, now).await);
        read.await.map_err(|e| e.at(&self.location))
    }

    /// What was said about a feed, newest first, at most `limit` lines.
    pub async fn orders_said(&self, feed: &FeedId, limit: u32) -> Result<Vec<Said>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| said(db, feed, limit).await);
        read.await.map_err(|e| e.at(&self.location))
    }
}

async fn standing(db: &mut Db, now: Wall) -> Result<Vec<Order>, StoreError> {
    let rows: Vec<Row> = db
        .all(
            "SELECT * FROM feed_order WHERE kind <> 'resume' AND until_ms > $1 AND id > \
             (SELECT coalesce(max(word.id), 0) FROM feed_order AS word \
             WHERE word.feed = feed_order.feed AND word.kind = 'resume') ORDER BY id",
            values![now.ms()],
        )
        .await?;
    let order = |row: Row| {
        Ok(Order {
            id: row::number(row.id)?,
            what: row.what()?.ok_or_else(|| StoreError::damaged("an order that says nothing"))?,
            feed: FeedId::new(&row.feed),
            said_at: Wall::from_ms(row.said_at_ms),
            until: Wall::from_ms(row.until_ms),
            by: row.operator,
            reason: row.reason,
        })
    };
    rows.into_iter().map(order).collect()
}

async fn said(db: &mut Db, feed: &FeedId, limit: u32) -> Result<Vec<Said>, StoreError> {
    let rows: Vec<Row> = db
        .all(
            "SELECT * FROM feed_order WHERE feed = $1 ORDER BY id DESC LIMIT $2",
            values![feed.as_str(), i64::from(limit)],
        )
        .await?;
    let line = |row: Row| {
        Ok(Said {
            id: row::number(row.id)?,
            what: row.what()?,
            said_at: Wall::from_ms(row.said_at_ms),
            until: Wall::from_ms(row.until_ms),
            by: row.operator,
            reason: row.reason,
        })
    };
    rows.into_iter().map(line).collect()
}
