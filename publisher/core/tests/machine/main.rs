//! Scenarios of the machine. Each begins with what breaks without it, and each drives [`Machine::step`] through the
//! tiny driver of `rig`, which checks on the way that nothing is sent before it is journalled, that the store would
//! take every record, and that no round is ever on its way twice.
//!
//! [`Machine::step`]: publisher_core::machine::Machine::step
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the scenarios' own helpers are tests, too"
)]

mod age;
mod batches;
mod budget;
mod constants;
mod fees;
mod gas;
mod halts;
mod hibernate;
mod leases;
mod market;
mod orders;
mod recovery;
mod reorgs;
mod rig;
mod rounds;
mod rules;
mod sending;
mod signing;
mod standby;
mod steps;
mod switch;
mod time;
