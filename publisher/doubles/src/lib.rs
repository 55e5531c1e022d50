//! Strict doubles of what the quickstart and the tests cannot have for real: price venues and a remote signer.
//!
//! Invariants: every double listens on loopback only, stops with its handle, bounds what it remembers, and
//! never uses a float for a price. The doubles share no code with the daemon, so a test that compares the two
//! compares two readings of the same wire format, not one reading with itself.
//!
//! Deliberately absent: any way to reach a real venue or a real chain.

mod clock;
pub mod decimal;
mod json;
pub mod loopback;
pub mod proxy;
pub mod signer;
pub mod tls;
pub mod venues;
