//! Why the journal could not do what it was asked.

use sqlx::migrate::MigrateError;
use std::path::Path;

/// A journal that could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, the file is locked, the device fails: the same call may succeed later. Nothing was written,
    /// or the commit's answer was lost; appending the same records again is right in both cases.
    #[error(
        "journal {path} cannot be used at the moment: {detail}; free space or release the file, the same call may then succeed"
    )]
    Unavailable {
        /// The journal.
        path: String,
        /// What the database or the system said.
        detail: String,
    },
    /// Another process has this journal open for writing.
    #[error("another publisher {holder} holds {path}; stop it, or give this one a journal of its own")]
    Held {
        /// The lock file.
        path: String,
        /// Who holds it, as far as it can be told.
        holder: String,
    },
    /// The path cannot be a journal's.
    #[error("journal {path}: {reason}")]
    Path {
        /// The path as given.
        path: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The journal belongs to another chain.
    #[error(
        "journal {path} belongs to {stored}, but the nodes serve {asked}; use another journal for another chain, \
         and never move one between chains"
    )]
    OtherChain {
        /// The journal.
        path: String,
        /// The chain it was made for.
        stored: String,
        /// The chain it was opened for.
        asked: String,
    },
    /// The file is something else.
    #[error("{path} is not a publisher's journal: {detail}; name another file, this one was not touched")]
    NotAJournal {
        /// The file.
        path: String,
        /// What it is.
        detail: String,
    },
    /// The journal's schema and this program's do not fit.
    #[error("journal {path} has schema version {stored}, this publisher knows version {known}; {hint}")]
    Version {
        /// The journal.
        path: String,
        /// The newest migration applied to it.
        stored: i64,
        /// The newest migration of this program.
        known: i64,
        /// What to do.
        hint: &'static str,
    },
    /// The file is a journal, but its content cannot be right.
    #[error(
        "journal {path} is damaged: {detail}; restore the latest copy and start again, \
         nonces used since then are found on the chain"
    )]
    Damaged {
        /// The journal.
        path: String,
        /// What was found.
        detail: String,
    },
    /// A different fact stands under the same key: there would be two histories. Nothing was written.
    #[error(
        "the journal has another record for {key}: stored {stored}, offered {offered}; nothing was written"
    )]
    Conflict {
        /// Which record.
        key: String,
        /// What is there.
        stored: String,
        /// What was to be written.
        offered: String,
    },
    /// A value the journal does not take. Nothing was written.
    #[error("the journal does not take {what} {value}: {reason}; nothing was written")]
    Invalid {
        /// Which value.
        what: &'static str,
        /// The value.
        value: String,
        /// Why.
        reason: &'static str,
    },
}

impl StoreError {
    /// The same call may succeed later without anybody changing what is asked.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Names the journal in an error that was met below the place where its path is known.
    pub(super) fn at(mut self, journal: &Path) -> Self {
        if let Self::Unavailable { path, .. } | Self::Damaged { path, .. } | Self::NotAJournal { path, .. } =
            &mut self
        {
            *path = journal.display().to_string();
        }
        self
    }

    /// A value in the database that this program would not have written.
    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self::Damaged { path: String::new(), detail: detail.into() }
    }
}

/// Primary result codes of SQLite that cannot be cured by trying again.
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_NOTADB: i64 = 26;
const SQLITE_CONSTRAINT: i64 = 19;

impl From<sqlx::Error> for StoreError {
    /// What is not known to be hopeless is worth another try: the driver must neither give up on a journal nor
    /// send what it could not write.
    fn from(error: sqlx::Error) -> Self {
        let (path, detail) = (String::new(), error.to_string());
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i64>().ok());
        match (code.map(|extended| extended & 0xff), &error) {
            (Some(SQLITE_NOTADB), _) => Self::NotAJournal { path, detail: "it is no SQLite database".into() },
            (Some(SQLITE_CORRUPT), _)
            | (
                _,
                sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_),
            ) => Self::Damaged { path, detail },
            (Some(SQLITE_CONSTRAINT), _) => Self::Conflict {
                key: "a unique key".into(),
                stored: detail,
                offered: "a record that breaks it".into(),
            },
            _ => Self::Unavailable { path, detail },
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => e.into(),
            other => Self::damaged(other.to_string()),
        }
    }
}
