//! The journal: what is written before it is done, on SQLite.
//!
//! Invariants, all kept by the database itself and not by the memory of a process:
//! - An [`append`](Journal::append) is one transaction, durable when it returns: write-ahead log, `synchronous=FULL`.
//! - An intent owns its (account, nonce) for ever; a round of an aggregator has at most one intent of an
//!   account that is open or final.
//! - Nothing is deleted or changed; a nonce is closed once.
//! - The same record again changes nothing, so an append whose answer was lost is simply repeated; a different one
//!   under the same key is refused as a [`Conflict`](StoreError::Conflict), because it would mean two histories.
//! - One process writes a journal, and a journal belongs to one chain.
//!
//! Deliberately absent: deletion of old rounds, a lease for standbys, other databases, and any knowledge of what a
//! record means: which records are right to write is decided by the core.

mod append;
mod error;
mod lock;
mod open;
mod read;
mod row;
mod session;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use read::{AccountNonces, AttemptEntry, Reader, RoundEntry};

use alloy::primitives::B256;
use lock::Lock;
use publisher_core::record::{Record, Recovered};
use std::path::Path;

/// A journal open for writing, by this process alone.
#[derive(Debug)]
pub struct Journal {
    // Before the lock: fields are dropped in this order.
    reader: Reader,
    _lock: Lock,
}

impl Journal {
    /// Opens or creates the journal of one chain and reads what there is to go on with.
    ///
    /// Creates the file but not its directory, applies migrations, checks the whole file for damage (its time grows
    /// with the size of the journal) and takes the exclusive lock `<path>.lock`.
    ///
    /// # Errors
    /// [`StoreError::Held`] while another process writes it, [`StoreError::OtherChain`], [`StoreError::NotAJournal`],
    /// [`StoreError::Version`], [`StoreError::Damaged`], [`StoreError::Path`], or [`StoreError::Unavailable`].
    pub async fn open(path: &Path, chain_id: u64, genesis: B256) -> Result<(Self, Recovered), StoreError> {
        open::writer(path, chain_id, genesis, &open::MIGRATIONS).await
    }

    /// Opens an existing journal for reading, without the lock and without changing it: while a daemon writes it, or
    /// while none does.
    pub async fn open_read_only(path: &Path) -> Result<Reader, StoreError> {
        open::reader(path, &open::MIGRATIONS).await
    }

    /// Writes the records in one transaction; when it returns they survive a crash.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing is known to be written; call again with the same records, for ever.
    /// [`StoreError::Conflict`] or [`StoreError::Invalid`]: none of the records was written and none ever will be.
    pub async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        // Immediate: the write lock is had before the first look at what is there.
        let written = session::transaction(&self.reader.pool, "BEGIN IMMEDIATE", async |db| {
            for record in records {
                append::put(db, record).await?;
            }
            Ok(())
        });
        written.await.map_err(|e| e.at(&self.reader.path))
    }

    /// The reading half.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Ends what is under way, folds the write-ahead log into the file and lets go of the lock.
    pub async fn close(self) {
        self.reader.close().await;
    }
}
