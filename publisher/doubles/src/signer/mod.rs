//! A remote signer that behaves like Web3Signer's `eth1` mode, or like EthSigner, down to what they ignore.
//!
//! It is strict where the real ones are (a nonce is mandatory, batches are refused, foreign `Host` headers are
//! turned away) and careless where they are (`chainId`, `type` and `accessList` of a request count for
//! nothing, missing fields get silent defaults). And it can lie: every [`Tamper`] yields a well-formed,
//! genuinely signed answer to a question nobody asked, which a careful client has to catch.
//!
//! Invariants: signatures are deterministic (RFC 6979) and low-s unless tampered with; keys never leave the
//! process; the log of what was asked is bounded.
//!
//! Deliberately absent: TLS, a downstream node (every proxied method fails as if it were down), EIP-712, and
//! blob transactions.

mod keys;
mod mode;
mod refusal;
mod rest;
mod rpc;
mod serve;
mod state;
mod transaction;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use alloy::primitives::Address;

pub use mode::{Mode, Tamper};
pub use state::{Asked, Call};

use crate::loopback::Server;
use keys::Key;
use state::State;

/// Whose manners the double has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Web3Signer `eth1`: JSON-RPC and REST, legacy and EIP-1559 transactions, a host allow-list.
    #[default]
    Web3Signer,
    /// EthSigner: JSON-RPC only, legacy transactions only; `input` and the EIP-1559 fields are ignored.
    EthSigner,
}

/// What the double starts with.
#[derive(Clone)]
pub struct SignerConfig {
    /// The chain it signs for, whatever a request says.
    pub chain_id: u64,
    /// Private keys.
    pub keys: Vec<[u8; 32]>,
    /// Whose manners it has.
    pub dialect: Dialect,
    /// Loopback address; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Values of `Host` (without port, any case) that Web3Signer answers; `*` allows all.
    pub allowed_hosts: Vec<String>,
    /// How long a reload of the keys takes.
    pub reload_ms: u64,
}

impl SignerConfig {
    /// Web3Signer's manners on a free port, with its default host allow-list.
    pub fn new(chain_id: u64, keys: Vec<[u8; 32]>) -> Self {
        Self {
            chain_id,
            keys,
            dialect: Dialect::default(),
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            allowed_hosts: vec!["localhost".into(), "127.0.0.1".into()],
            reload_ms: 50,
        }
    }
}

impl std::fmt::Debug for SignerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignerConfig")
            .field("chain_id", &self.chain_id)
            .field("keys", &self.keys.len())
            .field("dialect", &self.dialect)
            .field("bind", &self.bind)
            .finish_non_exhaustive()
    }
}

/// A running signer. It stops when this is dropped.
#[derive(Debug)]
pub struct SignerDouble {
    server: Server,
    state: Arc<State>,
}

impl SignerDouble {
    /// Starts serving. A number that is no private key, and an address that is not loopback, are
    /// `InvalidInput`.
    pub async fn start(config: SignerConfig) -> io::Result<Self> {
        let keys = config.keys.iter().map(Key::new).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let bind = config.bind;
        let state = Arc::new(State::new(config, keys));
        let server = Server::start(bind, serve::router(Arc::clone(&state))).await?;
        Ok(Self { server, state })
    }

    /// Where it listens, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Addresses of its keys, in the order of the configuration, whether or not they have vanished.
    pub fn addresses(&self) -> Vec<Address> {
        self.state.keys.iter().map(Key::address).collect()
    }

    /// Uncompressed public keys without the leading `04`: `0x` and 128 digits, in the order of the addresses.
    pub fn public_keys(&self) -> Vec<String> {
        self.state.keys.iter().map(|key| key.public_key().to_owned()).collect()
    }

    /// Changes its behaviour from the next request on.
    pub fn mode(&self, mode: Mode) {
        self.state.set_mode(mode);
    }

    /// Requests of any kind that arrived.
    pub fn requests(&self) -> u64 {
        self.state.requests()
    }

    /// Requests for a signature that arrived, honoured or not.
    pub fn sign_requests(&self) -> u64 {
        self.state.count(|call| call != Call::SendTransaction)
    }

    /// Requests of `eth_sendTransaction`, which a careful client never makes.
    pub fn send_requests(&self) -> u64 {
        self.state.count(|call| call == Call::SendTransaction)
    }

    /// Signatures made, delivered or not.
    pub fn signatures(&self) -> u64 {
        self.state.signatures()
    }

    /// The latest requests for a signature, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked()
    }

    /// Stops, and returns once the port is closed.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[cfg(test)]
mod tests;
