//! Why the journal could not do what it was asked.

use super::Location;
use alloy::primitives::Address;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

/// A journal that could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, the file is locked, the server is away: the same call may succeed later. Nothing was written,
    /// or the commit's answer was lost; appending the same records again is right in both cases.
    #[error(
        "journal {path} cannot be used at the moment: {detail}; free space, release the file or start the database, the same call may then succeed"
    )]
    Unavailable {
        /// The journal.
        path: String,
        /// What the database or the system said.
        detail: String,
    },
    /// These accounts are another replica's by now: nothing was written.
    #[error(
        "the journal takes nothing about {accounts:?} from this replica: another one holds the lease by now"
    )]
    Fenced {
        /// The accounts.
        accounts: Vec<Address>,
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
    pub(super) fn at(mut self, journal: &Location) -> Self {
        if let Self::Unavailable { path, .. }
        | Self::Damaged { path, .. }
        | Self::NotAJournal { path, .. }
        | Self::OtherChain { path, .. }
        | Self::Version { path, .. } = &mut self
        {
            *path = journal.to_string();
        }
        self
    }

    /// Something that may pass.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable { path: String::new(), detail: detail.into() }
    }

    /// A value in the database that this program would not have written.
    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self::Damaged { path: String::new(), detail: detail.into() }
    }
}

/// What the database's own code says about an error.
enum Meaning {
    Foreign,
    Damaged,
    Constraint,
    Unknown,
}

/// Primary result codes of SQLite, and SQLSTATE codes of PostgreSQL, that cannot be cured by trying again.
fn meaning(error: &dyn sqlx::error::DatabaseError) -> Meaning {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return match code.as_ref() {
            "XX001" | "XX002" => Meaning::Damaged,
            code if code.starts_with("23") => Meaning::Constraint,
            _ => Meaning::Unknown,
        };
    }
    match code.parse::<i64>().map(|extended| extended & 0xff) {
        Ok(26) => Meaning::Foreign,
        Ok(11) => Meaning::Damaged,
        Ok(19) => Meaning::Constraint,
        _ => Meaning::Unknown,
    }
}

impl From<sqlx::Error> for StoreError {
    /// What is not known to be hopeless is worth another try: the driver must neither give up on a journal nor
    /// send what it could not write.
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{ColumnDecode, ColumnNotFound, Decode};
        let (path, detail) = (String::new(), error.to_string());
        match (error.as_database_error().map_or(Meaning::Unknown, meaning), &error) {
            (Meaning::Foreign, _) => Self::NotAJournal { path, detail: "it is no SQLite database".into() },
            (Meaning::Damaged, _) | (_, ColumnNotFound(_) | ColumnDecode { .. } | Decode(_)) => {
                Self::Damaged { path, detail }
            }
            (Meaning::Constraint, _) => Self::Conflict {
                key: "a unique key".into(),
                stored: detail,
                offered: "a record that breaks it".into(),
            },
            (Meaning::Unknown, _) => Self::Unavailable { path, detail },
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
