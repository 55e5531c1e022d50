//! A V3 keystore on this machine: for development, where the key protects nothing.

use super::transaction::Unsigned;
use super::{Offered, SignError};
use alloy::primitives::Address;
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use publisher_core::tx::SignFault;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No keystore and no password is longer.
const FILE_LIMIT: u64 = 64 * 1024;

/// An opened key.
pub(super) struct Keystore(PrivateKeySigner);

impl Keystore {
    /// Reads both files and derives the key, which takes about a second by design.
    pub(super) async fn open(
        path: PathBuf,
        password_file: PathBuf,
        account: Address,
    ) -> Result<Self, SignError> {
        // The derivation trusts the file's parameters and may panic on hostile ones: that must stay in there.
        let opened = tokio::task::spawn_blocking(move || decrypt(&path, &password_file)).await;
        let key = opened.unwrap_or_else(|_| Err(unusable("keystore", "its parameters cannot be right")))?;
        if key.address() == account {
            return Ok(Self(key));
        }
        let detail =
            format!("the keystore holds the key of {}, not of {account}; correct one of them", key.address());
        Err(SignError::new(SignFault::Mismatch, detail))
    }

    pub(super) fn signature(&self, unsigned: &Unsigned) -> Result<Offered, SignError> {
        let signature =
            self.0.sign_hash_sync(&unsigned.signature_hash()).map_err(|e| unusable("key", &e.to_string()))?;
        Ok(Offered { signature, within: None })
    }
}

impl fmt::Debug for Keystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keystore")
    }
}

fn decrypt(path: &Path, password_file: &Path) -> Result<PrivateKeySigner, SignError> {
    let password = read("password_file", password_file)?;
    // The keystore is read again below; here it is made sure that it is a file of a keystore's size.
    read("keystore", path)?;
    PrivateKeySigner::decrypt_keystore(path, password.trim_end_matches(['\r', '\n'])).map_err(|e| {
        let hint = "check the password, and that this is a V3 keystore";
        unusable("keystore", &format!("{}: {e}; {hint}", path.display()))
    })
}

fn read(what: &str, path: &Path) -> Result<String, SignError> {
    let fail = |reason: &str| unusable(what, &format!("{}: {reason}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(|e| fail(&e.to_string()))?;
    file.take(FILE_LIMIT + 1).read_to_string(&mut text).map_err(|e| fail(&e.to_string()))?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(fail("too long"));
    }
    Ok(text)
}

fn unusable(what: &str, reason: &str) -> SignError {
    SignError::new(SignFault::Unavailable, format!("{what} {reason}"))
}
