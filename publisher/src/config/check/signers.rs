//! Signers.

use super::chain::CALL;
use super::{Check, Named};
use crate::config::keys::Signer;
use crate::config::leaf::{Dialect, Profile, value};
use crate::config::problem::Place;
use crate::config::raw::Item;
use crate::config::{SignerKind, SignerSpec};
use alloy::primitives::Address;
use publisher_core::time::Span;
use std::collections::BTreeMap;

impl Check<'_> {
    pub(super) fn signers(&mut self) -> Named<SignerSpec> {
        if self.root.signer.is_empty() && !self.found.has_error_below("signer") {
            let place = Place { path: "signer".into(), line: None, shown: String::new() };
            self.found.error(&place, "no signer", "add [signer.main] with kind, url and address");
        }
        let mut signers = Named::new();
        let mut accounts: BTreeMap<Address, &str> = BTreeMap::new();
        for (name, raw) in &self.root.signer {
            if let Some(address) = &raw.address
                && let Some(other) = accounts.insert(address.value, name)
            {
                let reason = format!("signer {other} signs for this account already");
                self.found.error(&address.place, reason, "give each account one signer; feeds may share it");
            }
            let timeout = self.span(raw.timeout.as_ref(), Span::from_s(5), CALL.0, CALL.1);
            let kind = self.signer_kind(raw);
            let address = value(raw.address.as_ref());
            signers.extend(kind.zip(address).map(|(kind, address)| {
                (name.clone(), SignerSpec { name: name.clone(), address, kind, timeout })
            }));
        }
        signers
    }

    fn signer_kind(&mut self, raw: &Signer) -> Option<SignerKind> {
        let kind = value(raw.kind.as_ref())?;
        if kind == Dialect::Keystore {
            return self.keystore(raw);
        }
        let hint = "leave it out, or write kind = \"keystore\"";
        self.stray(raw.path.as_ref(), "a remote signer has no file", hint);
        self.stray(raw.password_file.as_ref(), "a remote signer has no file", hint);
        self.stray(raw.allow_development_keystore.as_ref(), "a remote signer is no keystore", hint);
        let Some(url) = &raw.url else {
            let hint = "add url, e.g. url = \"http://127.0.0.1:9000\"";
            self.found.error(&raw.place.missing("url"), "a remote signer without address", hint);
            return None;
        };
        self.exposed(url, "what is signed");
        let fees = self.root.chain.as_ref().and_then(|chain| chain.fees.as_ref());
        let profile = fees.and_then(|fees| value(fees.profile.as_ref()));
        if (kind, profile) == (Dialect::EthSigner, Some(Profile::Eip1559)) {
            let reason = "ethsigner signs legacy transactions and ignores the fees of others without a word";
            self.stray(raw.kind.as_ref(), reason, "use web3signer, or fees = \"legacy\"");
        }
        let url = url.value.clone();
        Some(match kind {
            Dialect::Web3SignerRpc => SignerKind::Web3SignerRpc(url),
            Dialect::EthSigner => SignerKind::EthSigner(url),
            Dialect::Web3Signer | Dialect::Keystore => SignerKind::Web3Signer(url),
        })
    }

    fn keystore(&mut self, raw: &Signer) -> Option<SignerKind> {
        self.stray(raw.url.as_ref(), "a keystore has no address", "leave it out, or choose a remote kind");
        if value(raw.allow_development_keystore.as_ref()) != Some(true) {
            let place = raw.kind.as_ref().map_or(&raw.place, |kind| &kind.place);
            let reason = "a key on this machine's disk is for development";
            let hint =
                "use a remote signer, or add allow_development_keystore = true if the key protects nothing";
            self.found.error(place, reason, hint);
        }
        for (item, key) in [(&raw.path, "path"), (&raw.password_file, "password_file")] {
            if item.is_none() {
                let hint = format!("add {key}, the name of a file");
                self.found.error(&raw.place.missing(key), "missing", hint);
            }
        }
        let (path, password) = (raw.path.as_ref()?, raw.password_file.as_ref()?);
        Some(SignerKind::Keystore { path: self.path(&path.value), password_file: self.path(&password.value) })
    }

    fn stray<T>(&mut self, item: Option<&Item<T>>, reason: &str, hint: &str) {
        if let Some(item) = item {
            self.found.error(&item.place, reason, hint);
        }
    }
}
