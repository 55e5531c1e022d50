//! Where the contracts are: a JSON file beside the configuration.
//!
//! ```json
//! {
//!   "version": 1,
//!   "chain_id": 31337,
//!   "genesis": "0x…",
//!   "feeds": { "ETH-USD": { "aggregator": "0x…", "proxy": "0x…" }, "BTC-USD": { "facade": "0x…", "proxy": "0x…" } },
//!   "stores": { "main": "0x…" },
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
use page::{Page, PendingRow, read, write};
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
    /// The feed or the store.
    pub subject: String,
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
            subject: self.subject.clone(),
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
            let (feeds, stores, pending) = Default::default();
            return Ok(AddressBook {
                path,
                page: Page { version: VERSION, chain_id, genesis, feeds, stores, pending },
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
        let mut filled = false;
        let mut fill = |place: &mut Option<Address>, subject: &str, part| {
            let known = page.known(subject, part).filter(|_| place.is_none());
            filled |= known.is_some();
            *place = place.or(known);
        };
        for (name, store) in &mut config.stores {
            fill(&mut store.address, name, Part::Store);
        }
        for (id, feed) in &mut config.feeds {
            let id = id.as_str();
            match &feed.entry {
                None => fill(&mut feed.aggregator, id, Part::Aggregator),
                Some((store, _)) => {
                    feed.aggregator = config.stores.get(store).and_then(|store| store.address);
                    fill(&mut feed.facade, id, Part::Facade);
                }
            }
            fill(&mut feed.proxy, id, Part::Proxy);
        }
        if filled {
            config.chain.genesis = Some(page.genesis);
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
    pub fn known(&self, subject: &str, part: Part) -> Option<Address> {
        self.page.known(subject, part)
    }

    /// Contracts whose creation may be on its way.
    pub fn pending(&self) -> Vec<Pending> {
        let of = |row: &PendingRow| Pending {
            subject: row.subject.clone(),
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
        if let Some(address) = self.known(&pending.subject, pending.part) {
            let (path, subject, part) = (self.path.clone(), pending.subject.clone(), pending.part);
            return Err(AddressBookError::Known { path, subject, part, address });
        }
        let row = pending.row();
        if self.page.pending.contains(&row) {
            return Ok(());
        }
        self.change(|page| {
            page.remove_pending(&pending.subject, pending.part);
            page.pending.push(row);
        })
    }

    /// The contract is there.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], and then nothing changed.
    pub fn settle(&mut self, subject: &str, part: Part, address: Address) -> Result<(), AddressBookError> {
        self.change(|page| {
            page.remove_pending(subject, part);
            page.note(subject, part, address);
        })
    }

    /// The contract will never be there.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], and then nothing changed.
    pub fn give_up(&mut self, subject: &str, part: Part) -> Result<(), AddressBookError> {
        self.change(|page| page.remove_pending(subject, part))
    }

    /// An operator wants a new contract in place of a known one; the old one stays on the chain.
    ///
    /// # Errors
    /// [`AddressBookError::Io`], and then nothing changed.
    pub fn forget(&mut self, subject: &str, part: Part) -> Result<(), AddressBookError> {
        self.change(|page| page.forget(subject, part))
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
