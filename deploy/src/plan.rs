//! The comparison of what is wanted with what is there.

use crate::observed::{AggregatorState, Observed, ObservedFeed, Site};
use crate::proxy;
use crate::step::{Action, Call, Cause, Conflict, Part, Plan, Step};
use crate::wanted::{Wanted, WantedFeed};
use alloy::primitives::{Address, Bytes};
use alloy::sol_types::{SolCall, SolConstructor};
use publisher_bindings::{AGGREGATOR_PROXY_VERSION, AGGREGATOR_VERSION, Aggregator};
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;
use std::collections::BTreeMap;

/// The steps between what a chain has and what is wanted of it, feed by feed in the order of their names.
pub fn plan(wanted: &Wanted, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let shared = shared_addresses(observed);
    for (id, feed) in &wanted.feeds {
        let mut desk = Desk { deployer: wanted.deployer, id, feed, time: observed.time, plan: &mut plan };
        match observed.feeds.get(id) {
            Some(found) if desk.is_sound(found, &shared) => desk.feed(found),
            Some(_) => {}
            None => desk.not_observed(Part::Aggregator),
        }
    }
    plan
}

/// Addresses that more than one contract of the observed feeds has.
fn shared_addresses(observed: &Observed) -> BTreeMap<Address, usize> {
    let mut uses = BTreeMap::new();
    for feed in observed.feeds.values() {
        for address in [feed.aggregator.address(), feed.proxy.address()].into_iter().flatten() {
            *uses.entry(address).or_insert(0) += 1;
        }
    }
    uses.retain(|_, count| *count > 1);
    uses
}

/// One feed's part of the work.
pub(crate) struct Desk<'a> {
    pub deployer: Address,
    pub id: &'a FeedId,
    pub feed: &'a WantedFeed,
    pub time: Wall,
    pub plan: &'a mut Plan,
}

impl Desk<'_> {
    /// Whether there is anything to compare: the wish is possible and the chain was looked at in the right places.
    fn is_sound(&mut self, found: &ObservedFeed, shared: &BTreeMap<Address, usize>) -> bool {
        let before = self.plan.conflicts.len();
        if let Some((reason, hint)) = self.feed.impossible() {
            self.conflict(Part::Aggregator, Cause::Impossible, reason, hint);
        }
        let parts = [
            (Part::Aggregator, self.feed.aggregator, found.aggregator.address()),
            (Part::Proxy, self.feed.proxy, found.proxy.address()),
        ];
        for (part, known, seen) in parts {
            if known.is_some() && known != seen {
                self.not_observed(part);
            }
            if let Some(address) = seen.filter(|address| shared.contains_key(address)) {
                let reason = format!("{address} is named for more than one contract");
                self.conflict(
                    part,
                    Cause::Shared,
                    reason,
                    "give every feed an aggregator and a proxy of its own",
                );
            }
        }
        self.plan.conflicts.len() == before
    }

    fn not_observed(&mut self, part: Part) {
        let reason = "the chain was not looked at where the configuration says".to_owned();
        self.conflict(
            part,
            Cause::NotObserved,
            reason,
            "observe again with the addresses of this configuration",
        );
    }

    fn feed(&mut self, found: &ObservedFeed) {
        let Some(aggregator) = self.aggregator(&found.aggregator) else { return };
        match &found.proxy {
            Site::Nowhere => self.new_proxy(aggregator.map(|(address, _)| address)),
            Site::Empty { address } => self.no_code(Part::Proxy, *address),
            Site::Foreign { address, says } => self.foreign(Part::Proxy, *address, says.as_deref()),
            Site::Ours { address, state } => proxy::point(self, *address, state, aggregator),
        }
    }

    /// What the aggregator needs. Its address and state, if it is there; `None` if no proxy can be put over it.
    fn aggregator<'s>(
        &mut self,
        site: &'s Site<AggregatorState>,
    ) -> Option<Option<(Address, &'s AggregatorState)>> {
        match site {
            Site::Nowhere => {
                self.new_aggregator();
                Some(None)
            }
            Site::Empty { address } => {
                self.no_code(Part::Aggregator, *address);
                None
            }
            Site::Foreign { address, says } => {
                self.foreign(Part::Aggregator, *address, says.as_deref());
                None
            }
            Site::Ours { address, state } => {
                if !self.constants(*address, state) {
                    return None;
                }
                self.roles(*address, state);
                Some(Some((*address, state)))
            }
        }
    }

    fn new_aggregator(&mut self) {
        let WantedFeed { decimals, description, min_answer, max_answer, transmitter, owner, .. } = self.feed;
        let arguments = Aggregator::constructorCall {
            decimals_: *decimals,
            description_: description.clone(),
            minAnswer_: min_answer.value(),
            maxAnswer_: max_answer.value(),
            owner_: *owner,
            transmitter: *transmitter,
            // Every round for ever.
            archivedGroups_: 0,
        };
        let what = format!(
            "create the aggregator \"{description}\" with {decimals} decimals and answers from {min_answer} to \
             {max_answer}, owned by {owner}, written by {transmitter}"
        );
        let call = creation(&Aggregator::BYTECODE, &arguments);
        self.step(Action::DeployAggregator, what, call);
    }

    fn new_proxy(&mut self, aggregator: Option<Address>) {
        let owner = self.feed.owner;
        let (over, call) = match aggregator {
            Some(first) => (format!("the aggregator {first}"), proxy::creation_over(first, owner)),
            None => ("the new aggregator".to_owned(), self.after(Action::DeployAggregator)),
        };
        let what = format!("create the proxy that consumers read, over {over}, owned by {owner}");
        self.step(Action::DeployProxy, what, call);
    }

    /// Compares what is fixed at creation; whether it is as wanted.
    fn constants(&mut self, address: Address, state: &AggregatorState) -> bool {
        let wanted = self.feed;
        let before = self.plan.conflicts.len();
        let hint = "correct the configuration, or remove the aggregator's address from it and from the address book: \
                    then a new one is created and proposed to the proxy";
        let part = Part::Aggregator;
        if state.decimals != wanted.decimals {
            let reason = format!("{address} has {} decimals, wanted are {}", state.decimals, wanted.decimals);
            self.conflict(part, Cause::Decimals, reason, hint);
        }
        if state.description != wanted.description {
            let (has, wants) = (&state.description, &wanted.description);
            let reason = format!("{address} describes itself as {has:?}, wanted is {wants:?}");
            self.conflict(part, Cause::Description, reason, hint);
        }
        if (state.min_answer, state.max_answer) != (wanted.min_answer, wanted.max_answer) {
            let reason = format!(
                "{address} takes answers from {} to {}, wanted are {} to {}",
                state.min_answer, state.max_answer, wanted.min_answer, wanted.max_answer
            );
            self.conflict(part, Cause::Bounds, reason, hint);
        }
        self.plan.conflicts.len() == before
    }

    fn roles(&mut self, address: Address, state: &AggregatorState) {
        self.owner(Part::Aggregator, address, state.owner);
        if state.authorised {
            return;
        }
        let transmitter = self.feed.transmitter;
        if state.owner == self.deployer {
            let call = Aggregator::setTransmitterCall { transmitter, authorised: true };
            let what = format!(
                "give {transmitter} the right to submit to {address} (who had it before keeps it until the owner \
                 revokes it)"
            );
            let call = Call::Ready { to: Some(address), data: call.abi_encode().into() };
            self.step(Action::Grant, what, call);
        } else {
            let reason = format!("{transmitter} may not submit to {address}");
            let order = format!("setTransmitter({transmitter}, true)");
            self.owner_must(Part::Aggregator, reason, state.owner, &order);
        }
    }

    /// Compares who administers a contract.
    pub fn owner(&mut self, part: Part, address: Address, owner: Address) {
        let wanted = self.feed.owner;
        if owner != wanted {
            let reason = format!("{address} is owned by {owner}, wanted is {wanted}");
            let hint = format!(
                "correct the configuration, or let {owner} call transferOwnership({wanted}) and {wanted} \
                 acceptOwnership()"
            );
            self.conflict(part, Cause::Owner, reason, &hint);
        }
    }

    /// Something that only the owner, who is not the deployer, can do.
    pub fn owner_must(&mut self, part: Part, reason: String, owner: Address, order: &str) {
        let hint = format!(
            "only the owner can: let {owner} call {order}, or carry the rollout out with its account instead of {}",
            self.deployer
        );
        self.conflict(part, Cause::NotOwner, reason, &hint);
    }

    fn no_code(&mut self, part: Part, address: Address) {
        let reason = format!("nothing is deployed at {address}");
        let hint = "check the chain and whether the node is in sync; to have a new one created, remove the address from the \
                    configuration and the address book";
        self.conflict(part, Cause::NoCode, reason, hint);
    }

    fn foreign(&mut self, part: Part, address: Address, says: Option<&str>) {
        let expected = match part {
            Part::Aggregator => AGGREGATOR_VERSION,
            Part::Proxy => AGGREGATOR_PROXY_VERSION,
        };
        let reason = match says {
            Some(says) => format!("the contract at {address} says it is {says:?}, expected is {expected:?}"),
            None => format!("the contract at {address} does not say what it is, expected is {expected:?}"),
        };
        let hint = "check the address; to have a new one created, remove it from the configuration and the address book";
        self.conflict(part, Cause::Foreign, reason, hint);
    }

    pub fn conflict(&mut self, part: Part, cause: Cause, reason: String, hint: &str) {
        let feed = self.id.clone();
        self.plan.conflicts.push(Conflict { feed, part, cause, reason, hint: hint.to_owned() });
    }

    pub fn step(&mut self, action: Action, what: String, call: Call) {
        let (name, feed) = (action.name(self.id), self.id.clone());
        self.plan.steps.push(Step { name, feed, action, what, call });
    }

    /// Not before another step of this feed.
    pub fn after(&self, action: Action) -> Call {
        Call::Waits { until: action.name(self.id), on_step: true }
    }
}

/// The creation of a contract from its init code and the constructor's arguments.
pub(crate) fn creation(code: &Bytes, arguments: &impl SolConstructor) -> Call {
    let data = [code.as_ref(), &arguments.abi_encode()].concat();
    Call::Ready { to: None, data: data.into() }
}
