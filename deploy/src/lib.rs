//! Plans the rollout of the contracts: what a configuration wants, what the chain has, and the steps between them.
//!
//! [`plan`] compares [`Wanted`] with [`Observed`] and is pure: the same two values give the same steps in the same
//! order, and none at all when the chain is as wanted. A rollout is therefore this loop: observe, plan, carry out the
//! first step that is ready, until the plan is empty. There is no state of its own to lose between two steps.
//!
//! Invariants:
//! - What the deployer cannot bring about is a [`Conflict`] with its reason and a hint, never left out in silence.
//! - An address that is known is never deployed over; only a contract whose address nobody knows is created.
//! - A step that cannot be carried out yet has no calldata, so nobody can send it by mistake.
//! - A feed is added to a store only as the number that the configuration gives it.
//!
//! It does no I/O, reads no clock and sends nothing: the steps go through the publisher's own outbox. It neither
//! pauses nor unpauses a feed, hands over no ownership and revokes no role, because those are an operator's decisions.

pub mod evm;
mod observed;
mod plan;
mod proxy;
mod step;
mod store;
mod wanted;

pub use observed::{AggregatorState, Observed, ObservedFeed, Proposal, ProxyState, Site, StoreState};
pub use plan::plan;
pub use step::{Action, Call, Cause, Conflict, Part, Plan, Step};
pub use wanted::{Wanted, WantedEntry, WantedFeed, WantedStore};

#[cfg(test)]
mod tests;
