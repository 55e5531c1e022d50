//! The harness and the integration tests: real nodes, the real daemon, hostile doubles.
#![expect(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness may stop a test by panicking; its indices are of its own making"
)]

mod calldata;
pub mod chains;
pub mod cli;
pub mod daemon;
pub mod history;
pub mod journal;
pub mod log;
pub mod miner;
pub mod owner;
pub mod pools;
pub mod ports;
pub mod postgres;
pub mod prometheus;
pub mod replica;
pub mod rpc_proxy;
pub mod scripted;
pub mod squeeze;
pub mod store;
pub mod tcp_relay;
pub mod together;
pub mod world;
