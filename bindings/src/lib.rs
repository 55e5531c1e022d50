//! Typed bindings of the contracts, made from the committed ABI and bytecode in `artifacts/`.
//!
//! [`Aggregator`] and [`AggregatorProxy`] offer `deploy`, typed calls, errors and events; [`Rejection`] says why a
//! contract refused a call. The artifacts are written by `contracts-compile` and proved fresh by its test; building
//! this crate needs no Solidity compiler. It holds no policy and does no I/O of its own.

pub mod deployed;
mod generated;
mod rejection;

pub use generated::{Aggregator, AggregatorProxy};
pub use rejection::Rejection;

/// The text that v3 reads revert with when there is no such round.
pub const NO_DATA_PRESENT: &str = "No data present";

/// What `typeAndVersion()` of a deployed [`Aggregator`] must say.
pub const AGGREGATOR_VERSION: &str = "Aggregator 1.0.0";

/// What `typeAndVersion()` of a deployed [`AggregatorProxy`] must say.
pub const AGGREGATOR_PROXY_VERSION: &str = "AggregatorProxy 1.0.0";
