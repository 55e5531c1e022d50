//! The file of an address book: what is in it, and how it is read and replaced.

use super::{AddressBookError, VERSION};
use alloy::primitives::{Address, B256};
use publisher_deploy::Part;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A book is not larger than this.
const FILE_MAX_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) version: u32,
    pub(super) chain_id: u64,
    pub(super) genesis: B256,
    #[serde(default)]
    pub(super) feeds: BTreeMap<String, Entry>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) stores: BTreeMap<String, Address>,
    #[serde(default)]
    pub(super) pending: Vec<PendingRow>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aggregator: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facade: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy: Option<Address>,
}

impl Entry {
    /// A store is no feed's.
    const fn part_mut(&mut self, part: Part) -> Option<&mut Option<Address>> {
        match part {
            Part::Aggregator => Some(&mut self.aggregator),
            Part::Facade => Some(&mut self.facade),
            Part::Proxy => Some(&mut self.proxy),
            Part::Store => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingRow {
    pub(super) subject: String,
    pub(super) part: Part,
    pub(super) account: Address,
    pub(super) nonce: u64,
    pub(super) address: Address,
}

impl Page {
    pub(super) fn belongs_to(&self, path: &Path, asked_id: u64, asked: B256) -> Result<(), AddressBookError> {
        let (stored_id, stored) = (self.chain_id, self.genesis);
        if (stored_id, stored) == (asked_id, asked) {
            return Ok(());
        }
        Err(AddressBookError::OtherChain { path: path.to_owned(), stored_id, stored, asked_id, asked })
    }

    pub(super) fn remove_pending(&mut self, subject: &str, part: Part) {
        self.pending.retain(|row| row.subject != subject || row.part != part);
    }

    /// Where a contract of a feed or a store is.
    pub(super) fn known(&self, subject: &str, part: Part) -> Option<Address> {
        match part {
            Part::Store => self.stores.get(subject).copied(),
            _ => *self.feeds.get(subject).cloned()?.part_mut(part)?,
        }
    }

    pub(super) fn note(&mut self, subject: &str, part: Part, address: Address) {
        if part == Part::Store {
            self.stores.insert(subject.to_owned(), address);
        } else if let Some(place) = self.feeds.entry(subject.to_owned()).or_default().part_mut(part) {
            *place = Some(address);
        }
    }

    pub(super) fn forget(&mut self, subject: &str, part: Part) {
        if part == Part::Store {
            self.stores.remove(subject);
        } else if let Some(place) = self.feeds.get_mut(subject).and_then(|entry| entry.part_mut(part)) {
            *place = None;
        }
        self.feeds.retain(|_, entry| *entry != Entry::default());
    }

    /// What no book of ours says.
    fn fault(&self) -> Option<String> {
        let wrong = self.pending.iter().find(|row| row.account.create(row.nonce) != row.address)?;
        let PendingRow { account, nonce, address, .. } = wrong;
        Some(format!("nonce {nonce} of {account} does not create {address}"))
    }
}

/// The file's content; `None` if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Page>, AddressBookError> {
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
pub(super) fn write(path: &Path, page: &Page) -> Result<(), AddressBookError> {
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

pub(super) fn beside_itself(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
