//! Signatures from somebody who is not trusted: remote signers, and a keystore for development.
//!
//! Invariants:
//! - The [`Policy`] is asked before every signature, whoever asks for one.
//! - From an answer only the signature is taken. It must recover to the configured address over our own signing hash,
//!   with a low s; then our own transaction is encoded with it. Bytes of a signer never reach a node.
//! - An answer after the timeout does not exist: its future is gone. No fault costs a nonce.
//! - Endpoints are never taken from a redirect or a proxy variable; messages show scheme, host and port of a URL and
//!   nothing else; passwords and keys have no `Debug`.
//!
//! Deliberately absent: `eth_sendTransaction`, which lets the signer choose; retries, which are the core's affair;
//! any knowledge of which nonce is right.

mod check;
mod error;
mod http;
mod jsonrpc;
mod keystore;
mod policy;
mod rest;
#[cfg(test)]
mod tests;
mod transaction;

pub use error::SignError;
pub use http::Client;
pub use policy::Policy;

use alloy::consensus::TxEnvelope;
use alloy::primitives::{Address, B256, B512, Bytes, Signature};
use jsonrpc::JsonRpc;
use keystore::Keystore;
use publisher_core::tx::{SignFault, TxRequest};
use rest::Rest;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use transaction::Unsigned;
use url::Url;

/// Which signer, and for whom.
#[derive(Clone, Debug)]
pub struct SignerConfig {
    /// Its name in messages.
    pub name: String,
    /// The account that it must sign for.
    pub address: Address,
    /// How it is spoken to.
    pub kind: SignerKind,
    /// The time for one signature, network included.
    pub timeout: Duration,
}

/// How a signer is spoken to.
#[derive(Clone)]
pub enum SignerKind {
    /// `eth_signTransaction` over HTTP.
    JsonRpc {
        /// Its address.
        url: Url,
        /// Whose manners it has.
        dialect: Dialect,
    },
    /// Web3Signer's `POST /api/v1/eth1/sign/{publicKey}`: the bytes that are hashed are exactly ours.
    Web3SignerRest {
        /// Its address, without `/api`.
        url: Url,
        /// The uncompressed public key; without one it is looked up by address.
        public_key: Option<B512>,
    },
    /// A V3 keystore on this machine, for development.
    Keystore {
        /// The keystore.
        path: PathBuf,
        /// A file with its password; line breaks at the end do not count.
        password_file: PathBuf,
    },
}

/// What a JSON-RPC signer understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Web3Signer and Quorum Key Manager: legacy and EIP-1559 transactions.
    Web3Signer,
    /// EthSigner: legacy transactions; it ignores the fields of others without a word.
    EthSigner,
}

impl SignerKind {
    /// Whether EIP-1559 transactions can be signed.
    pub const fn signs_eip1559(&self) -> bool {
        !matches!(self, Self::JsonRpc { dialect: Dialect::EthSigner, .. })
    }

    /// Scheme, host and port, or what it is.
    fn shown(&self) -> String {
        match self {
            Self::JsonRpc { url, .. } | Self::Web3SignerRest { url, .. } => http::shown(url),
            Self::Keystore { .. } => "keystore".into(),
        }
    }
}

impl fmt::Debug for SignerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JsonRpc { dialect, .. } => write!(f, "JsonRpc({dialect:?} at {})", self.shown()),
            Self::Web3SignerRest { .. } => write!(f, "Web3SignerRest({})", self.shown()),
            Self::Keystore { path, .. } => write!(f, "Keystore({})", path.display()),
        }
    }
}

/// A transaction that may be sent: our own encoding of what we asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTx {
    /// Its hash, computed here.
    pub hash: B256,
    /// Its EIP-2718 encoding.
    pub raw: Bytes,
}

/// Signs for one account, within one policy.
#[derive(Debug)]
pub struct Signer {
    config: SignerConfig,
    policy: Policy,
    backend: Backend,
}

/// Where signatures come from.
#[derive(Debug)]
enum Backend {
    JsonRpc(JsonRpc),
    Rest(Rest),
    Keystore(Keystore),
}

/// A signature as it arrived, and the transaction it came in, if it came in one.
struct Offered {
    signature: Signature,
    within: Option<Box<TxEnvelope>>,
}

impl Signer {
    /// Makes the signer ready; a keystore is opened, a remote signer is not asked yet.
    ///
    /// # Errors
    /// [`SignFault::Policy`] if the configuration cannot work, and the keystore's own faults.
    pub async fn open(config: SignerConfig, policy: Policy, client: &Client) -> Result<Self, SignError> {
        let backend = Backend::open(&config, client).await.map_err(|e| e.by(&config))?;
        Ok(Self { config, policy, backend })
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.config.address
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether EIP-1559 transactions can be signed.
    pub const fn signs_eip1559(&self) -> bool {
        self.config.kind.signs_eip1559()
    }

    /// Asks for a signature and checks it.
    pub async fn sign(&self, tx: &TxRequest) -> Result<SignedTx, SignError> {
        let signed = async {
            self.policy.check(self.config.address, tx)?;
            self.signed(Unsigned::new(tx)).await
        };
        signed.await.map_err(|e| e.by(&self.config))
    }

    /// Proves that the signer has the account's key and signs for this chain.
    ///
    /// The proof is a transaction that no chain can include: gas limit 0, nonce 2^64-2, no value. It is asked for
    /// because signers use the chain id they were started with, whatever a request says, and only the signature
    /// shows which one that is.
    pub async fn self_test(&self, chain_id: u64) -> Result<(), SignError> {
        let test = async {
            self.policy.check_chain(chain_id)?;
            if !self.within_time(self.backend.lists(self.config.address)).await? {
                return Err(SignError::new(
                    SignFault::Refused,
                    format!("it has no key of {}; load the key, or correct the address", self.config.address),
                ));
            }
            self.signed(Unsigned::legacy_probe(chain_id, self.config.address)).await?;
            if self.signs_eip1559() {
                self.signed(Unsigned::eip1559_probe(chain_id, self.config.address)).await?;
            }
            Ok(())
        };
        test.await.map_err(|e: SignError| e.by(&self.config))
    }

    async fn signed(&self, unsigned: Unsigned) -> Result<SignedTx, SignError> {
        if unsigned.is_eip1559() && !self.signs_eip1559() {
            return Err(SignError::new(
                SignFault::Policy,
                "EthSigner cannot sign EIP-1559 transactions; choose a legacy fee profile, or another signer"
                    .into(),
            ));
        }
        let offered = self.within_time(self.backend.signature(&unsigned, self.config.address)).await?;
        check::accept(unsigned, offered, self.config.address)
    }

    async fn within_time<T>(
        &self,
        answer: impl Future<Output = Result<T, SignError>>,
    ) -> Result<T, SignError> {
        tokio::time::timeout(self.config.timeout, answer).await.unwrap_or_else(|_| {
            Err(SignError::new(
                SignFault::Timeout,
                format!(
                    "no answer within {} ms; a later one is thrown away",
                    self.config.timeout.as_millis()
                ),
            ))
        })
    }
}

impl Backend {
    async fn open(config: &SignerConfig, client: &Client) -> Result<Self, SignError> {
        if config.timeout.is_zero() {
            return Err(SignError::new(
                SignFault::Policy,
                "timeout 0: nothing answers in no time; e.g. 5s".into(),
            ));
        }
        Ok(match &config.kind {
            SignerKind::JsonRpc { url, .. } => Self::JsonRpc(JsonRpc::new(url, client)?),
            SignerKind::Web3SignerRest { url, public_key } => {
                Self::Rest(Rest::new(url, *public_key, config.address, client)?)
            }
            SignerKind::Keystore { path, password_file } => {
                Self::Keystore(Keystore::open(path.clone(), password_file.clone(), config.address).await?)
            }
        })
    }

    async fn signature(&self, unsigned: &Unsigned, from: Address) -> Result<Offered, SignError> {
        match self {
            Self::JsonRpc(signer) => signer.signature(unsigned, from).await,
            Self::Rest(signer) => signer.signature(unsigned, from).await,
            Self::Keystore(signer) => signer.signature(unsigned),
        }
    }

    /// Whether the signer names the account among those it signs for.
    async fn lists(&self, account: Address) -> Result<bool, SignError> {
        match self {
            Self::JsonRpc(signer) => Ok(signer.accounts().await?.contains(&account)),
            Self::Rest(signer) => Ok(signer.look_up(account).await?.is_some()),
            Self::Keystore(_) => Ok(true),
        }
    }
}
