//! The integration tests: the real daemon as a process, real anvil, hostile doubles. One binary, so that it is linked
//! once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]

mod batching;
mod budget;
mod calendars;
mod ccip;
mod chains;
mod cli;
mod contract;
mod crashes;
mod deploying;
mod faults;
mod heads;
mod hibernation;
mod market;
mod node;
mod nodes;
mod onchain;
mod operations;
mod pegs;
mod personalities;
mod pools;
mod publishing;
mod reorgs;
mod replicas;
mod signer;
mod soak;
mod sources;
mod standby;
mod streams;
mod tidy;
mod tls;
mod ways;
mod words;

/// The daemon's program with its fail-points.
const BINARY: &str = env!("CARGO_BIN_EXE_publisher-under-test");
