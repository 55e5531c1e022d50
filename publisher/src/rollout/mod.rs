//! The contracts of a configuration on their chain: observe, plan, carry out, verify.
//!
//! `publisher-deploy` decides what is to be done; this module reads the chain for it and hands its steps, one at a
//! time, to a driver over a machine without feeds. Nonces, signatures, resends, reorgs and finality are the outbox's,
//! as for every other transaction. An [`AddressBook`] keeps where the contracts are.
//!
//! Invariants:
//! - The address of a contract is in the book before its creation is sent, and only an address where nothing can come
//!   to be any more is dropped from it: no crash leads to a second contract.
//! - A step counts as done when it is final, and the chain is read again before the next.
//! - Nothing is sent while anything about the plan is in conflict, or to a chain that cannot run the contracts.
//!
//! It has no transaction path of its own, changes no configuration file, and follows no plan made earlier.

mod apply;
mod book;
mod error;
mod observe;
mod open;
mod probe;
mod recover;
mod verify;

pub use apply::{Applied, Done, Progress};
pub use book::{AddressBook, AddressBookError, AddressFile, Pending};
pub use error::RolloutError;
pub use observe::{ReadError, observe, wanted};
pub use open::{Rollout, Terms, roll_out};
pub use probe::{ProbeError, probe};
pub use verify::{Check, verify};
