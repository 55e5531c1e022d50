//! Where a journal is.

use std::fmt;
use std::path::{Path, PathBuf};
use url::Url;

/// A file that one process writes, or a server that replicas share.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file on a local disk.
    File(PathBuf),
    /// A PostgreSQL database. The URL may hold a password.
    Server(Url),
}

impl Location {
    /// Whether several processes may use the journal at a time.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Server(_))
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<&Self> for Location {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

impl fmt::Display for Location {
    /// The path; of a server, host, port and database alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(url) => {
                write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                url.port().map_or(Ok(()), |port| write!(f, ":{port}"))?;
                f.write_str(url.path())
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this a log line, an error or a status page would carry the database's password away.
    #[test]
    fn f77_a_location_shows_no_password() {
        let url = "postgres://me:hunter2@db.internal:5433/oracle?sslkey=hunter2".parse().unwrap();
        let location = Location::Server(url);
        assert_eq!(
            format!("{location} {location:?}"),
            "postgres://db.internal:5433/oracle ".repeat(2).trim_end()
        );
    }
}
