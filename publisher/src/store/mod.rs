//! The journal: what is written before it is done, on SQLite for one process, or on PostgreSQL for replicas.
//!
//! Invariants, all kept by the database itself and not by the memory of a process:
//! - An [`append`](Journal::append) is one transaction, durable when it returns: write-ahead log, `synchronous=FULL`;
//!   on PostgreSQL `synchronous_commit=on`.
//! - Nothing is written about an account but by the holder of its lease, in the epoch in which it took it.
//! - An intent owns its (account, nonce) for ever; a round of an aggregator has at most one intent of an
//!   account that is open or final.
//! - Nothing is deleted or changed; a nonce is closed once.
//! - The same record again changes nothing, so an append whose answer was lost is simply repeated; a different one
//!   under the same key is refused as a [`Conflict`](StoreError::Conflict), because it would mean two histories.
//! - One process writes an SQLite journal, and a journal belongs to one chain.
//!
//! Both databases are spoken to in one SQL text (`db`); `open` is where they differ. Deliberately absent: deletion of
//! old rounds, and any knowledge of what a record means: which records are right to write is decided by the core.

mod append;
mod belief;
mod db;
mod error;
mod lease;
mod location;
mod lock;
mod open;
mod order;
mod read;
mod row;
mod session;
mod survey;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use location::Location;
pub use order::{Desk, Said, Word};
pub use read::{AccountNonces, AttemptEntry, DecidedMarket, Decision, Reader, RoundEntry};
pub use survey::Survey;

use alloy::primitives::{Address, B256};
use lock::Lock;
use publisher_core::lease::{Beat, Board, Epoch, ReplicaId};
use publisher_core::record::{Record, Recovered};
use publisher_core::time::Span;
use session::{Access, transaction};
use std::collections::BTreeMap;
use url::Url;

/// A journal open for writing.
#[derive(Debug)]
pub struct Journal {
    // Before the lock: fields are dropped in this order.
    reader: Reader,
    me: ReplicaId,
    _lock: Option<Lock>,
}

impl Journal {
    /// Opens or creates the journal of one chain and reads what there is to go on with.
    ///
    /// Applies migrations. Of an SQLite journal it creates the file but not its directory, checks the whole file for
    /// damage (its time grows with the size of the journal) and takes the exclusive lock `<path>.lock`.
    ///
    /// # Errors
    /// [`StoreError::Held`] while another process writes it, [`StoreError::OtherChain`], [`StoreError::NotAJournal`],
    /// [`StoreError::Version`], [`StoreError::Damaged`], [`StoreError::Path`], or [`StoreError::Unavailable`].
    pub async fn open(
        location: impl Into<Location>,
        chain_id: u64,
        genesis: B256,
    ) -> Result<(Self, Recovered), StoreError> {
        open::writer(location.into(), chain_id, genesis, None).await
    }

    /// Opens an existing journal for reading, without the lock and without changing it: while a daemon writes it, or
    /// while none does.
    pub async fn open_read_only(location: impl Into<Location>) -> Result<Reader, StoreError> {
        open::reader(location.into(), None).await
    }

    /// What a database and the journal on it say of themselves, before anything is written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::NotAJournal`] or [`StoreError::Damaged`].
    pub async fn survey(url: &Url) -> Result<Survey, StoreError> {
        open::survey(url).await
    }

    /// Writes the records in one transaction; when it returns they survive a crash. `epochs` are those of the leases
    /// that are held; a record about an account needs one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing is known to be written; call again with the same records, for ever.
    /// [`StoreError::Fenced`]: nothing was written, because these accounts are another replica's by now.
    /// [`StoreError::Conflict`] or [`StoreError::Invalid`]: none of the records was written and none ever will be.
    pub async fn append(
        &self,
        records: &[Record],
        epochs: &BTreeMap<Address, Epoch>,
    ) -> Result<(), StoreError> {
        let concerned: Vec<Address> = records.iter().filter_map(Record::account).collect();
        let unheld = concerned.iter().filter(|account| !epochs.contains_key(*account));
        let mut fenced: Vec<Address> = unheld.copied().collect();
        let epochs = epochs.iter().filter(|(account, _)| concerned.contains(account));
        let epochs = epochs.map(|(account, epoch)| (*account, *epoch)).collect();
        let written = transaction(&self.reader.pool, Access::Write, async |db| {
            fenced.extend(lease::fenced(db, &self.me, &epochs).await?);
            if !fenced.is_empty() {
                return Err(StoreError::Fenced { accounts: fenced });
            }
            for record in records {
                append::put(db, record).await?;
            }
            Ok(())
        });
        written.await.map_err(|e| e.at(&self.reader.location))
    }

    /// Renews, takes and ends leases, and reads those of others. Leases last for `length` from now; `None`: until they
    /// are ended, which is right where no other process can write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: whether it was done is not known.
    pub async fn beat(&self, beat: &Beat, length: Option<Span>) -> Result<Board, StoreError> {
        let done = transaction(&self.reader.pool, Access::Write, async |db| {
            lease::beat(db, &self.me, beat, length).await
        });
        done.await.map_err(|e| e.at(&self.reader.location))
    }

    /// The name under which this process holds leases.
    pub const fn me(&self) -> &ReplicaId {
        &self.me
    }

    /// The reading half.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Ends what is under way, folds the write-ahead log of an SQLite journal into its file and lets go of the lock.
    pub async fn close(self) {
        self.reader.close().await;
    }
}
