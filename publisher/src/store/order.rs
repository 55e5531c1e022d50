//! What operators say about feeds and markets: written beside a running daemon, which reads it, and kept for ever.

use super::db::{Db, values};
use super::read::Reader;
use super::session::{Access, transaction};
use super::{Journal, Location, StoreError, open, row};
use publisher_core::policy::{Instruction, Order, Subject};
use publisher_core::quote::FeedId;
use publisher_core::time::{Span, Wall};

/// What ends everything that was said before about a feed, but of halts of its market.
const RESUME: &str = "resume";
/// What ends every halt that was said before of a feed or of a calendar.
const MARKET_RESUME: &str = "market_resume";
/// The end of a halt is an opening, for which quotes of before it do not count: it is remembered for as long as nothing
/// that could count is older.
const HALTS_MATTER: Span = Span::from_s(30 * 86_400);

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
    /// What it is about.
    pub of: Subject,
    /// What was said.
    pub what: Word,
    /// When it was said.
    pub said_at: Wall,
    /// When it ends, or ended, by itself.
    pub until: Wall,
    /// Who said it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a line of the audit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// An order.
    Order(Instruction),
    /// Everything that was said before is over, but halts.
    Resume,
    /// Every halt that was said before is over.
    MarketResume,
}

impl Word {
    /// The name in the journal and in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Order(order) => order.code(),
            Self::Resume => RESUME,
            Self::MarketResume => MARKET_RESUME,
        }
    }
}

/// A row of the table.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    feed: Option<String>,
    calendar: Option<String>,
    kind: String,
    heartbeat_ms: Option<i64>,
    said_at_ms: i64,
    until_ms: i64,
    operator: String,
    reason: String,
}

impl Row {
    fn new(of: &Subject, what: Word, (said_at, until): (Wall, Wall), by: &str, reason: &str) -> Self {
        let (feed, calendar) = match of {
            Subject::Feed(feed) => (Some(feed.to_string()), None),
            Subject::Calendar(calendar) => (None, Some(calendar.to_string())),
        };
        Self {
            id: 0,
            feed,
            calendar,
            kind: what.code().to_owned(),
            heartbeat_ms: None,
            said_at_ms: said_at.ms(),
            until_ms: until.ms(),
            operator: by.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn said(self) -> Result<Said, StoreError> {
        let of = match (&self.feed, self.calendar) {
            (Some(feed), None) => Subject::Feed(FeedId::new(feed)),
            (None, Some(calendar)) => Subject::Calendar(calendar.into()),
            _ => return Err(StoreError::damaged("an order of nothing, or of two things")),
        };
        let what = match (self.kind.as_str(), self.heartbeat_ms) {
            ("pause", None) => Word::Order(Instruction::Pause),
            ("pause_deviations", None) => Word::Order(Instruction::PauseDeviations),
            ("accept", None) => Word::Order(Instruction::Accept),
            ("heartbeat", Some(ms)) => Word::Order(Instruction::Heartbeat(Span::from_ms(row::number(ms)?))),
            ("halt", None) => Word::Order(Instruction::Halt),
            ("submit", None) => Word::Order(Instruction::Submit),
            (RESUME, None) => Word::Resume,
            (MARKET_RESUME, None) => Word::MarketResume,
            (kind, _) => return Err(StoreError::damaged(format!("an order of kind {kind:?}"))),
        };
        let (said_at, until) = (Wall::from_ms(self.said_at_ms), Wall::from_ms(self.until_ms));
        Ok(Said {
            id: row::number(self.id)?,
            of,
            what,
            said_at,
            until,
            by: self.operator,
            reason: self.reason,
        })
    }
}

impl Said {
    fn order(self) -> Result<Order, StoreError> {
        let Self { id, of, what: Word::Order(what), said_at, until, by, reason } = self else {
            return Err(StoreError::damaged("an order that says nothing"));
        };
        Ok(Order { id, of, what, said_at, until, by, reason })
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
        let said = (order.said_at, order.until);
        let row = Row::new(&order.of, Word::Order(order.what), said, &order.by, &order.reason);
        Ok(Order { id: self.say(Row { heartbeat_ms, ..row }).await?, ..order })
    }

    /// Ends everything that was said before about a feed, but halts of its market.
    ///
    /// # Errors
    /// As [`Desk::order`].
    pub async fn resume(&self, feed: &FeedId, by: &str, reason: &str, at: Wall) -> Result<(), StoreError> {
        let row = Row::new(&Subject::Feed(feed.clone()), Word::Resume, (at, at), by, reason);
        self.say(row).await.map(drop)
    }

    /// Ends every halt that was said before of a feed or of a calendar, and nothing else.
    ///
    /// # Errors
    /// As [`Desk::order`].
    pub async fn resume_market(
        &self,
        of: &Subject,
        by: &str,
        reason: &str,
        at: Wall,
    ) -> Result<(), StoreError> {
        let row = Row::new(of, Word::MarketResume, (at, at), by, reason);
        self.say(row).await.map(drop)
    }

    async fn say(&self, row: Row) -> Result<u64, StoreError> {
        let said = transaction(&self.reader.pool, Access::Write, async |db| {
            let id: Option<(i64,)> = db
                .optional(
                    "INSERT INTO feed_order \
                     (feed, calendar, kind, heartbeat_ms, said_at_ms, until_ms, operator, reason) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
                    values![
                        row.feed.as_deref(),
                        row.calendar.as_deref(),
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
    /// The orders that stand at `now`: those that have not ended by themselves or by another word. With them come the
    /// halts that ended in the last 30 days, each with its end, because quotes of before it do not count after it.
    pub async fn orders(&self, now: Wall) -> Result<Vec<Order>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| standing(db, now).await);
        read.await.map_err(|e| e.at(&self.location))
    }

    /// What was said about a feed or a calendar, newest first, at most `limit` lines.
    pub async fn orders_said(&self, of: &Subject, limit: u32) -> Result<Vec<Said>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| said(db, of, limit).await);
        read.await.map_err(|e| e.at(&self.location))
    }
}

async fn standing(db: &mut Db, now: Wall) -> Result<Vec<Order>, StoreError> {
    let mut rows: Vec<Row> = db
        .all(
            "SELECT * FROM feed_order WHERE kind NOT IN ('resume', 'market_resume', 'halt') \
             AND until_ms > $1 AND id > \
             (SELECT coalesce(max(word.id), 0) FROM feed_order AS word \
             WHERE word.feed = feed_order.feed AND word.kind = 'resume') ORDER BY id",
            values![now.ms()],
        )
        .await?;
    // A halt ends by itself or by the next word, whatever comes first; one whose end is before its beginning, because two
    // clocks differ, never was.
    let halts: Vec<Row> = db
        .all(
            "SELECT id, feed, calendar, kind, heartbeat_ms, said_at_ms, operator, reason, \
             CASE WHEN word_ms < until_ms THEN word_ms ELSE until_ms END AS until_ms FROM \
             (SELECT halt.*, (SELECT min(word.said_at_ms) FROM feed_order AS word \
             WHERE word.kind = 'market_resume' AND word.id > halt.id \
             AND (word.feed = halt.feed OR word.calendar = halt.calendar)) AS word_ms \
             FROM feed_order AS halt WHERE halt.kind = 'halt' AND halt.until_ms > $1) AS halted ORDER BY id",
            values![(now - HALTS_MATTER).ms()],
        )
        .await?;
    rows.extend(halts);
    rows.sort_by_key(|row| row.id);
    rows.into_iter().map(|row| row.said()?.order()).collect()
}

async fn said(db: &mut Db, of: &Subject, limit: u32) -> Result<Vec<Said>, StoreError> {
    let (feed, calendar) = match of {
        Subject::Feed(feed) => (Some(feed.as_str()), None),
        Subject::Calendar(calendar) => (None, Some(&**calendar)),
    };
    let rows: Vec<Row> = db
        .all(
            "SELECT * FROM feed_order WHERE feed = $1 OR calendar = $2 ORDER BY id DESC LIMIT $3",
            values![feed, calendar, i64::from(limit)],
        )
        .await?;
    rows.into_iter().map(Row::said).collect()
}
