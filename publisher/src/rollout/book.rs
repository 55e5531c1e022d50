//! Where the contracts are: a JSON file beside the configuration.
//!
//! ```json
//! {
//!   "version": 1,
//!   "chain_id": 31337,
//!   "genesis": "0x…",
//!   "feeds": { "ETH-USD": { "aggregator": "0x…", "proxy": "0x…" } },
//!   "pending": []
//! }
//! ```
//!
//! `pending` holds contracts whose creation may be on its way. It is written before a creation is sent, because the
//! sender and its nonce give the address away. The file is replaced whole or not at all: written beside itself, synced
//! and renamed. A file of another chain is refused, since the same address is another contract there.
//!
//! It is not locked: who writes it holds the lock of the deployer's journal.

use crate::config::Config;
use alloy::primitives::{Address, B256};
use publisher_core::quote::FeedId;
use publisher_deploy::Part;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;
/// A book is not larger than this.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// The file of an address book, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFile {
    path: PathBuf,
}

/// The addresses of one chain's contracts.
#[derive(Debug)]
pub struct AddressBook {
    path: PathBuf,
    page: Page,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    version: u32,
    chain_id: u64,
    genesis: B256,
    #[serde(default)]
    feeds: BTreeMap<String, Entry>,
    #[serde(default)]
    pending: Vec<PendingRow>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aggregator: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy: Option<Address>,
}

impl Entry {
    const fn part(&self, part: Part) -> Option<Address> {
        match part {
            Part::Aggregator => self.aggregator,
            Part::Proxy => self.proxy,
        }
    }

    const fn part_mut(&mut self, part: Part) -> &mut Option<Address> {
        match part {
            Part::Aggregator => &mut self.aggregator,
            Part::Proxy => &mut self.proxy,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingRow {
    feed: String,
    part: Part,
    account: Address,
    nonce: u64,
    address: Address,
}

/// A contract whose creation may be on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The feed.
    pub feed: FeedId,
    /// Which of its contracts.
    pub part: Part,
    /// The account that creates it.
    pub account: Address,
    /// The nonce of the creation.
    pub nonce: u64,
}

impl Pending {
    /// Where the contract comes to be.
    pub fn address(&self) -> Address {
        self.account.create(self.nonce)
    }

    fn row(&self) -> PendingRow {
        PendingRow {
            feed: self.feed.to_string(),
            part: self.part,
            account: self.account,
            nonce: self.nonce,
            address: self.address(),
        }
    }
}

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
    #[error("address book {path}: the {part} of {feed} is known already: {address}")]
    Known {
        /// The file.
        path: PathBuf,
        /// The feed.
        feed: FeedId,
        /// Which of its contracts.
        part: Part,
        /// Where it is.
        address: Address,
    },
}

impl AddressFile {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the book of one chain. A missing file is an empty book; the file is made by the first change.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], [`AddressBookError::Corrupt`], [`AddressBookError::Version`] or
    /// [`AddressBookError::OtherChain`].
    pub fn open(self, chain_id: u64, genesis: B256) -> Result<AddressBook, AddressBookError> {
        let path = self.path;
        let Some(page) = read(&path)? else {
            let (feeds, pending) = Default::default();
            return Ok(AddressBook {
                path,
                page: Page { version: VERSION, chain_id, genesis, feeds, pending },
            });
        };
        page.belongs_to(&path, chain_id, genesis)?;
        Ok(AddressBook { path, page })
    }

    /// Fills in the addresses that a configuration leaves out, and the genesis if it leaves that out too: an address
    /// means something on one chain only. Contracts whose creation is not final yet are not filled in.
    ///
    /// # Errors
    /// As [`AddressFile::open`].
    pub fn fill(&self, config: &mut Config) -> Result<(), AddressBookError> {
        let Some(page) = read(&self.path)? else { return Ok(()) };
        page.belongs_to(&self.path, config.chain.id, config.chain.genesis.unwrap_or(page.genesis))?;
        for (id, feed) in &mut config.feeds {
            let Some(entry) = page.feeds.get(id.as_str()) else { continue };
            let left_out = feed.aggregator.is_none() || feed.proxy.is_none();
            feed.aggregator = feed.aggregator.or(entry.aggregator);
            feed.proxy = feed.proxy.or(entry.proxy);
            if left_out {
                config.chain.genesis = Some(page.genesis);
            }
        }
        Ok(())
    }
}

impl AddressBook {
    /// The book of a configuration file: `feeds.toml` has `feeds.addresses.json`.
    pub fn beside(config: &Path) -> AddressFile {
        let mut name = config.file_stem().unwrap_or_default().to_owned();
        name.push(".addresses.json");
        AddressFile { path: config.with_file_name(name) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a contract is known to be.
    pub fn known(&self, feed: &FeedId, part: Part) -> Option<Address> {
        self.page.feeds.get(feed.as_str())?.part(part)
    }

    /// Every address that is known of a feed.
    pub fn of(&self, feed: &FeedId) -> impl Iterator<Item = Address> + use<> {
        [Part::Aggregator, Part::Proxy].map(|part| self.known(feed, part)).into_iter().flatten()
    }

    /// Contracts whose creation may be on its way.
    pub fn pending(&self) -> Vec<Pending> {
        let of = |row: &PendingRow| Pending {
            feed: FeedId::new(&row.feed),
            part: row.part,
            account: row.account,
            nonce: row.nonce,
        };
        self.page.pending.iter().map(of).collect()
    }

    /// Notes a contract that is about to be created, in place of an earlier note about it.
    ///
    /// # Errors
    /// [`AddressBookError::Known`] if there is such a contract; [`AddressBookError::Io`], and then nothing changed.
    pub fn expect(&mut self, pending: &Pending) -> Result<(), AddressBookError> {
        if let Some(address) = self.known(&pending.feed, pending.part) {
            let (path, feed, part) = (self.path.clone(), pending.feed.clone(), pending.part);
            return Err(AddressBookError::Known { path, feed, part, address });
        }
        let row = pending.row();
        if self.page.pending.contains(&row) {
            return Ok(());
        }
        self.change(|page| {
            page.remove_pending(&pending.feed, pending.part);
            page.pending.push(row);
        })
    }

    /// The contract is there.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], and then nothing changed.
    pub fn settle(&mut self, feed: &FeedId, part: Part, address: Address) -> Result<(), AddressBookError> {
        self.change(|page| {
            page.remove_pending(feed, part);
            *page.feeds.entry(feed.to_string()).or_default().part_mut(part) = Some(address);
        })
    }

    /// The contract will never be there.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], and then nothing changed.
    pub fn give_up(&mut self, feed: &FeedId, part: Part) -> Result<(), AddressBookError> {
        self.change(|page| page.remove_pending(feed, part))
    }

    /// An operator wants a new contract in place of a known one; the old one stays on the chain.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], and then nothing changed.
    pub fn forget(&mut self, feed: &FeedId, part: Part) -> Result<(), AddressBookError> {
        self.change(|page| {
            if let Some(entry) = page.feeds.get_mut(feed.as_str()) {
                *entry.part_mut(part) = None;
                if *entry == Entry::default() {
                    page.feeds.remove(feed.as_str());
                }
            }
        })
    }

    /// Changes the file, then the memory.
    fn change(&mut self, change: impl FnOnce(&mut Page)) -> Result<(), AddressBookError> {
        let mut page = self.page.clone();
        change(&mut page);
        if page != self.page {
            write(&self.path, &page)?;
            self.page = page;
        }
        Ok(())
    }
}

impl Page {
    fn belongs_to(&self, path: &Path, asked_id: u64, asked: B256) -> Result<(), AddressBookError> {
        let (stored_id, stored) = (self.chain_id, self.genesis);
        if (stored_id, stored) == (asked_id, asked) {
            return Ok(());
        }
        Err(AddressBookError::OtherChain { path: path.to_owned(), stored_id, stored, asked_id, asked })
    }

    fn remove_pending(&mut self, feed: &FeedId, part: Part) {
        self.pending.retain(|row| row.feed != feed.as_str() || row.part != part);
    }

    /// What no book of ours says.
    fn fault(&self) -> Option<String> {
        let wrong = self.pending.iter().find(|row| row.account.create(row.nonce) != row.address)?;
        let PendingRow { account, nonce, address, .. } = wrong;
        Some(format!("nonce {nonce} of {account} does not create {address}"))
    }
}

/// The file's content; `None` if there is no file.
fn read(path: &Path) -> Result<Option<Page>, AddressBookError> {
    /// Enough to know whether the rest can be read.
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let corrupt = |detail: String| AddressBookError::Corrupt { path: path.to_owned(), detail };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if u64::try_from(bytes).is_ok_and(|bytes| bytes <= FILE_MAX_BYTES) => {}
        Ok(_) => return Err(corrupt("larger than 1 MiB".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(corrupt("not UTF-8".to_owned()));
        }
        Err(source) => return Err(AddressBookError::Io { path: path.to_owned(), action: "read it", source }),
    }
    let Versioned { version: found } = serde_json::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
    if found != VERSION {
        return Err(AddressBookError::Version { path: path.to_owned(), found });
    }
    let page: Page = serde_json::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
    page.fault().map_or(Ok(Some(page)), |detail| Err(corrupt(detail)))
}

/// Replaces the file: after a crash it is the old one or the new one.
fn write(path: &Path, page: &Page) -> Result<(), AddressBookError> {
    let failed = |action| {
        let path = path.to_owned();
        move |source| AddressBookError::Io { path, action, source }
    };
    let text = serde_json::to_string_pretty(page).map_err(|error| failed("write it")(error.into()))?;
    let beside = beside_itself(path);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.map_err(failed("write beside it"))?;
    fs::rename(&beside, path).map_err(failed("replace it"))?;
    // The new name is durable when its folder is.
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(failed("sync its folder"))
}

fn beside_itself(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
