//! What can be wrong with an address book.

use super::VERSION;
use alloy::primitives::{Address, B256};
use publisher_deploy::Part;
use std::io;
use std::path::PathBuf;

/// What is wrong with an address book.
#[derive(Debug, thiserror::Error)]
pub enum AddressBookError {
    /// The file cannot be read or written.
    #[error("address book {path}: cannot {action}: {source} (check the folder's permissions and free space)")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// The file is no address book.
    #[error(
        "address book {path}: {detail} (restore it from a copy; without one, remove it and write the addresses of \
         contracts that exist into the configuration, or new ones are created)"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file is of another program version.
    #[error(
        "address book {path}: version {found}, this publisher reads {VERSION} (use the publisher that wrote it)"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The file belongs to another chain.
    #[error(
        "address book {path}: it belongs to chain {stored_id} with genesis {stored}, asked for is chain {asked_id} with \
         {asked} (use another configuration file for another chain; if the chain was reset, remove the book)"
    )]
    OtherChain {
        /// The file.
        path: PathBuf,
        /// The file's chain.
        stored_id: u64,
        /// The file's genesis.
        stored: B256,
        /// The chain asked for.
        asked_id: u64,
        /// Its genesis.
        asked: B256,
    },
    /// A contract is known already.
    #[error("address book {path}: the {part} of {subject} is known already: {address}")]
    Known {
        /// The file.
        path: PathBuf,
        /// The feed or the store.
        subject: String,
        /// Which of its contracts.
        part: Part,
        /// Where it is.
        address: Address,
    },
}
