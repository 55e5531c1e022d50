//! What was last believed of sources whose price moves slowly, and what operators say of them.

use super::db::{Db, values};
use super::read::Reader;
use super::session::{Access, transaction};
use super::{Desk, Journal, StoreError, row};
use crate::sources::{Belief, Believed, SourceWord};
use publisher_core::price::Price;
use publisher_core::quote::VenueId;
use publisher_core::time::Wall;

#[derive(sqlx::FromRow)]
struct BeliefRow {
    source: String,
    contract: String,
    price: String,
    at_ms: i64,
    base: String,
    base_at_ms: i64,
    word: i64,
}

#[derive(sqlx::FromRow)]
struct WordRow {
    id: i64,
    source: String,
    contract: String,
    price: String,
    said_at_ms: i64,
    operator: String,
    reason: String,
}

impl Journal {
    /// Keeps what is believed of a source, unless something newer is kept already: replicas read the same contracts,
    /// each at its own pace.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: whether it was written is not known.
    pub async fn believe(&self, belief: &Belief) -> Result<(), StoreError> {
        let written = transaction(&self.reader.pool, Access::Write, async |db| keep(db, belief).await);
        written.await.map_err(|e| e.at(&self.reader.location))
    }
}

impl Desk {
    /// Says that a share is worth this; the word's `id` is the journal's to choose. Returns it as it is kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: whether it was written is not known.
    pub async fn accept(&self, word: SourceWord) -> Result<SourceWord, StoreError> {
        let said = transaction(&self.reader().pool, Access::Write, async |db| say(db, &word).await);
        let id = said.await.map_err(|e| e.at(&self.reader().location))?;
        Ok(SourceWord { id, ..word })
    }
}

impl Reader {
    /// What was last believed of each source.
    pub async fn beliefs(&self) -> Result<Vec<Belief>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| beliefs(db).await);
        read.await.map_err(|e| e.at(&self.location))
    }

    /// The newest word about each source.
    pub async fn source_words(&self) -> Result<Vec<SourceWord>, StoreError> {
        let read = transaction(&self.pool, Access::Read, async |db| words(db).await);
        read.await.map_err(|e| e.at(&self.location))
    }
}

async fn keep(db: &mut Db, belief: &Belief) -> Result<(), StoreError> {
    let Believed { last, base, word } = &belief.believed;
    db.execute(
        "INSERT INTO belief (source, contract, price, at_ms, base, base_at_ms, word) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (source, contract) DO UPDATE SET price = excluded.price, at_ms = excluded.at_ms, \
         base = excluded.base, base_at_ms = excluded.base_at_ms, word = excluded.word \
         WHERE excluded.word > belief.word OR (excluded.word = belief.word AND excluded.at_ms > belief.at_ms)",
        values![
            belief.source.as_str(),
            belief.contract.as_str(),
            last.0.to_string().as_str(),
            last.1.ms(),
            base.0.to_string().as_str(),
            base.1.ms(),
            row::column(*word, "word")?
        ],
    )
    .await?;
    Ok(())
}

async fn say(db: &mut Db, word: &SourceWord) -> Result<u64, StoreError> {
    let id: Option<(i64,)> = db
        .optional(
            "INSERT INTO source_word (source, contract, price, said_at_ms, operator, reason) \
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            values![
                word.source.as_str(),
                word.contract.as_str(),
                word.price.to_string().as_str(),
                word.said_at.ms(),
                word.by.as_str(),
                word.reason.as_str()
            ],
        )
        .await?;
    let (id,) = id.ok_or_else(|| StoreError::damaged("a word without a number"))?;
    row::number(id)
}

async fn beliefs(db: &mut Db) -> Result<Vec<Belief>, StoreError> {
    let rows: Vec<BeliefRow> = db.all("SELECT * FROM belief ORDER BY source, contract", values![]).await?;
    let belief = |row: BeliefRow| {
        let believed = Believed {
            last: (price(&row.price)?, Wall::from_ms(row.at_ms)),
            base: (price(&row.base)?, Wall::from_ms(row.base_at_ms)),
            word: row::number(row.word)?,
        };
        Ok(Belief { source: VenueId::new(&row.source), contract: row.contract, believed })
    };
    rows.into_iter().map(belief).collect()
}

async fn words(db: &mut Db) -> Result<Vec<SourceWord>, StoreError> {
    let rows: Vec<WordRow> = db
        .all(
            "SELECT * FROM source_word WHERE id IN \
             (SELECT max(id) FROM source_word GROUP BY source, contract) ORDER BY id",
            values![],
        )
        .await?;
    let word = |row: WordRow| {
        Ok(SourceWord {
            id: row::number(row.id)?,
            source: VenueId::new(&row.source),
            contract: row.contract,
            price: price(&row.price)?,
            said_at: Wall::from_ms(row.said_at_ms),
            by: row.operator,
            reason: row.reason,
        })
    };
    rows.into_iter().map(word).collect()
}

fn price(text: &str) -> Result<Price, StoreError> {
    text.parse().map_err(|error| StoreError::damaged(format!("a price that cannot be read: {error}")))
}
