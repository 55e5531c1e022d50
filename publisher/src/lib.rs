//! The oracle publisher for operators of EVM networks.

pub mod chain;
pub mod config;
pub mod signer;
pub mod sources;
pub mod store;
pub mod telemetry;
