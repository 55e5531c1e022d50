//! The functional core of the publisher: pure, synchronous and deterministic.
//!
//! It decides everything: which answer, when, in which transaction, and what a reorg or a lost answer means.
//! It reads no clock, file, socket or environment; time, configuration and randomness enter as values. The same
//! core drives the daemon, the contract rollout, the simulator and the tests.

// Prices and fees are exact; a float has no business here.
#![deny(clippy::float_arithmetic)]

pub mod aggregate;
pub mod book;
pub mod constant;
pub mod drift;
pub mod event;
pub mod fees;
pub mod head;
pub mod io;
pub mod lease;
pub mod machine;
pub mod outbox;
pub mod peg;
pub mod policy;
pub mod price;
pub mod quote;
pub mod record;
pub mod resilience;
pub mod route;
pub mod score;
pub mod sim;
pub mod spend;
pub mod standing;
pub mod time;
pub mod tx;
