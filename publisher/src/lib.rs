//! The oracle publisher for operators of EVM networks.

pub mod sources;
