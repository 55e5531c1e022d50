//! A hostile world for the machine, on a virtual clock and from a seed.
//!
//! The world owns a model chain that reorganises itself, a node that lags and loses requests and answers on every
//! leg, a signer and venues that fall ill, strangers who write our rounds, contracts that pause, a clock that jumps,
//! and a machine that is killed between any two effects and restarted from its journal. `check` watches from outside with code of its own: it trusts the chain and the journal only.
//! The same seed gives the same run, so a failing seed is a regression test.

mod chain;
mod check;
mod node;
mod setup;
mod weather;
mod world;

pub use check::Report;
pub use world::{Storm, run};
