//! The comparison of what is wanted with what is there.

use crate::observed::{AggregatorState, Observed, ObservedFeed, Site};
use crate::proxy;
use crate::step::{Action, Call, Cause, Conflict, Part, Plan, Step};
use crate::store::Numbering;
use crate::wanted::{Wanted, WantedFeed};
use alloy::primitives::{Address, Bytes};
use alloy::sol_types::{SolCall, SolConstructor};
use publisher_bindings::{
    AGGREGATOR_PROXY_VERSION, AGGREGATOR_VERSION, Aggregator, FEED_FACADE_VERSION, FEED_STORE_VERSION,
};
use publisher_core::time::Wall;
use std::collections::BTreeMap;

/// The steps between what a chain has and what is wanted of it: the stores and their feeds by number, then feed by feed
/// in the order of their names.
pub fn plan(wanted: &Wanted, observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let shared = shared_addresses(observed);
    let feeds = || wanted.feeds.iter().map(|(id, feed)| (id.as_str(), feed));
    for (name, store) in &wanted.stores {
        let mut desk = Desk::new(wanted, observed, name, store, &mut plan);
        let Some(found) = observed.stores.get(name) else {
            desk.not_observed(Part::Store);
            continue;
        };
        if !desk.is_sound(found, &shared) {
            continue;
        }
        desk.store(found);
        let mut entries: Vec<_> = feeds()
            .filter_map(|(id, feed)| {
                let entry = feed.entry.as_ref().filter(|entry| entry.store == *name)?;
                Some((entry.number, id, feed))
            })
            .collect();
        entries.sort_unstable_by_key(|(number, ..)| *number);
        let mut numbering = Numbering::of(name, found);
        for (number, id, feed) in entries {
            Desk::new(wanted, observed, id, feed, &mut plan).entry(number, found, &mut numbering);
        }
    }
    for (id, feed) in &wanted.feeds {
        let mut desk = Desk::new(wanted, observed, id.as_str(), feed, &mut plan);
        match (observed.feeds.get(id), &feed.entry) {
            (Some(found), _) if !desk.is_sound_feed(found, &shared) => {}
            (Some(found), None) => desk.feed(found),
            (Some(found), Some(entry)) => desk.stored(found, entry, observed.stores.get(&entry.store)),
            (None, _) => desk.not_observed(desk.read_part()),
        }
    }
    plan
}

/// Addresses that more than one of the observed contracts has.
fn shared_addresses(observed: &Observed) -> BTreeMap<Address, usize> {
    let mut uses = BTreeMap::new();
    let feeds = observed.feeds.values().flat_map(|feed| [feed.aggregator.address(), feed.proxy.address()]);
    for address in feeds.chain(observed.stores.values().map(Site::address)).flatten() {
        *uses.entry(address).or_insert(0) += 1;
    }
    uses.retain(|_, count| *count > 1);
    uses
}

/// The part of the work for one feed, or for one store.
pub(crate) struct Desk<'a, W> {
    pub deployer: Address,
    pub subject: &'a str,
    pub wanted: &'a W,
    pub time: Wall,
    pub plan: &'a mut Plan,
}

impl Desk<'_, WantedFeed> {
    /// Whether there is anything to compare: the wish is possible and the chain was looked at in the right places.
    fn is_sound_feed(&mut self, found: &ObservedFeed, shared: &BTreeMap<Address, usize>) -> bool {
        let before = self.plan.conflicts.len();
        let read = self.read_part();
        if let Some((reason, hint)) = self.wanted.impossible() {
            self.conflict(read, Cause::Impossible, reason, hint);
        }
        self.place(read, self.wanted.aggregator, found.aggregator.address(), shared);
        // A facade that is read itself is in the place of the proxy too.
        if !self.wanted.is_read_directly() {
            self.place(Part::Proxy, self.wanted.proxy, found.proxy.address(), shared);
        }
        self.plan.conflicts.len() == before
    }

    /// The contract that the proxy is to read.
    pub const fn read_part(&self) -> Part {
        match self.wanted.entry {
            Some(_) => Part::Facade,
            None => Part::Aggregator,
        }
    }

    /// The step that creates it.
    pub const fn read_creation(&self) -> Action {
        match self.wanted.entry {
            Some(_) => Action::DeployFacade,
            None => Action::DeployAggregator,
        }
    }

    fn feed(&mut self, found: &ObservedFeed) {
        let Some(aggregator) = self.aggregator(&found.aggregator) else { return };
        self.reader(found, aggregator);
    }

    /// What consumers need to read the aggregator or the facade (`None`: not created yet).
    pub fn reader(&mut self, found: &ObservedFeed, aggregator: Option<(Address, &AggregatorState)>) {
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
                let hint = "correct the configuration, or remove the aggregator's address from it and from the address \
                            book: then a new one is created and proposed to the proxy";
                if !self.constants(Part::Aggregator, &address.to_string(), state, hint) {
                    return None;
                }
                self.roles(*address, state);
                Some(Some((*address, state)))
            }
        }
    }

    fn new_aggregator(&mut self) {
        let WantedFeed { decimals, description, min_answer, max_answer, transmitter, owner, .. } =
            self.wanted;
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
        let (owner, part) = (self.wanted.owner, self.read_part());
        let (over, call) = match aggregator {
            Some(first) => (format!("the {part} {first}"), proxy::creation_over(first, owner)),
            None => (format!("the new {part}"), self.after(self.read_creation())),
        };
        let what = format!("create the proxy that consumers read, over {over}, owned by {owner}");
        self.step(Action::DeployProxy, what, call);
    }

    /// Compares what is fixed at creation; whether it is as wanted.
    pub fn constants(&mut self, part: Part, what: &str, state: &AggregatorState, hint: &str) -> bool {
        let wanted = self.wanted;
        let before = self.plan.conflicts.len();
        if state.decimals != wanted.decimals {
            let reason = format!("{what} has {} decimals, wanted are {}", state.decimals, wanted.decimals);
            self.conflict(part, Cause::Decimals, reason, hint);
        }
        if state.description != wanted.description {
            let (has, wants) = (&state.description, &wanted.description);
            let reason = format!("{what} describes itself as {has:?}, wanted is {wants:?}");
            self.conflict(part, Cause::Description, reason, hint);
        }
        if (state.min_answer, state.max_answer) != (wanted.min_answer, wanted.max_answer) {
            let reason = format!(
                "{what} takes answers from {} to {}, wanted are {} to {}",
                state.min_answer, state.max_answer, wanted.min_answer, wanted.max_answer
            );
            self.conflict(part, Cause::Bounds, reason, hint);
        }
        self.plan.conflicts.len() == before
    }

    fn roles(&mut self, address: Address, state: &AggregatorState) {
        self.owner(Part::Aggregator, address, (state.owner, self.wanted.owner));
        if !state.authorised {
            self.grant(Action::Grant, Part::Aggregator, address, (self.wanted.transmitter, state.owner));
        }
    }
}

impl<'a, W> Desk<'a, W> {
    fn new(wanted: &Wanted, observed: &Observed, subject: &'a str, part: &'a W, plan: &'a mut Plan) -> Self {
        Self { deployer: wanted.deployer, subject, wanted: part, time: observed.time, plan }
    }

    /// Says where a contract's address is not the one that was looked at, or not its own.
    pub fn place(
        &mut self,
        part: Part,
        known: Option<Address>,
        seen: Option<Address>,
        shared: &BTreeMap<Address, usize>,
    ) {
        if known.is_some() && known != seen {
            self.not_observed(part);
        }
        if let Some(address) = seen.filter(|address| shared.contains_key(address)) {
            let reason = format!("{address} is named for more than one contract");
            let hint = match part {
                Part::Store => "give every store an address of its own",
                _ => "give every feed contracts of its own; feeds share nothing but a store",
            };
            self.conflict(part, Cause::Shared, reason, hint);
        }
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

    /// Gives an account the right to write a contract: the owner can.
    pub fn grant(
        &mut self,
        action: Action,
        part: Part,
        address: Address,
        (transmitter, owner): (Address, Address),
    ) {
        if owner == self.deployer {
            // Aggregators and stores have the same function.
            let call = Aggregator::setTransmitterCall { transmitter, authorised: true };
            let what = format!(
                "give {transmitter} the right to submit to {address} (who had it before keeps it until the owner \
                 revokes it)"
            );
            self.step(action, what, Call::Ready { to: Some(address), data: call.abi_encode().into() });
        } else {
            let reason = format!("{transmitter} may not submit to {address}");
            let order = format!("setTransmitter({transmitter}, true)");
            self.owner_must(part, reason, owner, &order);
        }
    }

    /// Compares who administers a contract with who should.
    pub fn owner(&mut self, part: Part, address: Address, (owner, wanted): (Address, Address)) {
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

    pub fn no_code(&mut self, part: Part, address: Address) {
        let reason = format!("nothing is deployed at {address}");
        let hint = "check the chain and whether the node is in sync; to have a new one created, remove the address from the \
                    configuration and the address book";
        self.conflict(part, Cause::NoCode, reason, hint);
    }

    pub fn foreign(&mut self, part: Part, address: Address, says: Option<&str>) {
        let expected = match part {
            Part::Aggregator => AGGREGATOR_VERSION,
            Part::Store => FEED_STORE_VERSION,
            Part::Facade => FEED_FACADE_VERSION,
            Part::Proxy => AGGREGATOR_PROXY_VERSION,
        };
        let reason = match says {
            Some(says) => format!("the contract at {address} says it is {says:?}, expected is {expected:?}"),
            None => format!("the contract at {address} does not say what it is, expected is {expected:?}"),
        };
        let hint = match (part, says) {
            (Part::Proxy, Some(FEED_FACADE_VERSION)) => {
                "consumers who read the facade itself need no proxy: write the address as the feed's facade too"
            }
            _ => {
                "check the address; to have a new one created, remove it from the configuration and the address book"
            }
        };
        self.conflict(part, Cause::Foreign, reason, hint);
    }

    pub fn conflict(&mut self, part: Part, cause: Cause, reason: String, hint: &str) {
        let subject = self.subject.to_owned();
        self.plan.conflicts.push(Conflict { subject, part, cause, reason, hint: hint.to_owned() });
    }

    pub fn step(&mut self, action: Action, what: String, call: Call) {
        let (name, subject) = (action.name(self.subject), self.subject.to_owned());
        self.plan.steps.push(Step { name, subject, action, what, call });
    }

    /// Not before another step of this feed or store.
    pub fn after(&self, action: Action) -> Call {
        after(action, self.subject)
    }
}

/// Not before another step of the same plan.
pub(crate) fn after(action: Action, subject: &str) -> Call {
    Call::Waits { until: action.name(subject), on_step: true }
}

/// The creation of a contract from its init code and the constructor's arguments.
pub(crate) fn creation(code: &Bytes, arguments: &impl SolConstructor) -> Call {
    let data = [code.as_ref(), &arguments.abi_encode()].concat();
    Call::Ready { to: None, data: data.into() }
}
