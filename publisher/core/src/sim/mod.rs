//! A hostile world for the machine, on a virtual clock and from a seed.
//!
//! The world owns a model chain that reorganises itself, nodes that lag, split and lose requests and answers on every
//! leg, a signer and venues that fall ill, strangers who write our rounds, contracts that pause, a journal that
//! replicas share and that is lost sight of or restored from a backup, and the replicas: processes that are killed or
//! frozen between any two effects, each with a clock of its own that jumps. `check` watches from outside with code of
//! its own: it trusts the chain and the journal only. The same seed gives the same run, so a failing seed is a
//! regression test.

mod chain;
mod check;
mod journal;
mod node;
mod purse;
mod replica;
mod setup;
mod trading;
mod weather;
mod world;

pub use check::Report;
pub use world::{Storm, run};
