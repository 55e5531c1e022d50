//! The oracle publisher for operators of EVM networks.

pub mod anvil;
pub mod calendar;
pub mod chain;
pub mod cli;
pub mod config;
pub mod driver;
#[cfg(test)]
mod fuzz;
pub mod lint;
pub mod quickstart;
pub mod rollout;
pub mod signer;
pub mod sources;
pub mod start;
pub mod store;
pub mod telemetry;
