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

mod error;
mod page;

pub use error::AddressBookError;

use crate::config::Config;
use alloy::primitives::{Address, B256};
use page::{Entry, Page, PendingRow, read, write};
use publisher_core::quote::FeedId;
use publisher_deploy::Part;
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;

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
        // What a store keeps is in no aggregator of its own.
        for (id, feed) in config.feeds.iter_mut().filter(|(_, feed)| feed.entry.is_none()) {
            let Some(entry) = page.feeds.get(id.as_str()) else { continue };
            let left_out = feed.aggregator.is_none() || feed.proxy.is_none();
            feed.aggregator = feed.aggregator.or(entry.part(Part::Aggregator));
            feed.proxy = feed.proxy.or(entry.part(Part::Proxy));
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

#[cfg(test)]
mod tests;
