//! The harness and the integration tests: real nodes, the real daemon, hostile doubles.

pub mod rpc_proxy;
