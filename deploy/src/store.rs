//! A store, its feeds, and their facades.
//!
//! A store numbers its feeds in the order in which they are added, and whatever reads or writes one knows it by its
//! number alone. So a feed is added only when its number is the next one, and one at a time.

use crate::observed::{AggregatorState, ObservedFeed, Site, StoreState};
use crate::plan::{Desk, after, creation};
use crate::step::{Action, Call, Cause, Part};
use crate::wanted::{WantedEntry, WantedFeed, WantedStore};
use alloy::primitives::{Address, U256};
use alloy::sol_types::SolCall;
use publisher_bindings::{FeedFacade, FeedStore};
use std::collections::BTreeMap;

/// Which number a store gives to its next feed, when the feeds that are already planned have been added.
pub(crate) struct Numbering {
    next: u64,
    /// What the next addition has to wait for.
    behind: Option<Call>,
}

impl Numbering {
    pub(crate) fn of(store: &str, found: &Site<StoreState>) -> Self {
        match found {
            Site::Ours { state, .. } => Self { next: state.feeds, behind: None },
            _ => Self { next: 0, behind: Some(after(Action::DeployStore, store)) },
        }
    }
}

impl Desk<'_, WantedStore> {
    /// Whether there is anything to compare: the wish is possible and the chain was looked at in the right place.
    pub fn is_sound(&mut self, found: &Site<StoreState>, shared: &BTreeMap<Address, usize>) -> bool {
        let before = self.plan.conflicts.len();
        let WantedStore { max_age_s, transmitter, owner, address } = *self.wanted;
        for (account, role) in [(transmitter, "updates it"), (owner, "administers it")] {
            if account == Address::ZERO {
                let reason = format!("the account that {role} is the zero address");
                self.conflict(Part::Store, Cause::Impossible, reason, "name a real account");
            }
        }
        if max_age_s == Some(0) {
            let reason = "no report arrives within no time".to_owned();
            self.conflict(Part::Store, Cause::Impossible, reason, "leave max_age out, or give it some time");
        }
        self.place(Part::Store, address, found.address(), shared);
        self.plan.conflicts.len() == before
    }

    /// What the store itself needs.
    pub fn store(&mut self, found: &Site<StoreState>) {
        match found {
            Site::Nowhere => self.new_store(),
            Site::Empty { address } => self.no_code(Part::Store, *address),
            Site::Foreign { address, says } => self.foreign(Part::Store, *address, says.as_deref()),
            Site::Ours { address, state } => {
                if let Some(wanted) = self.wanted.max_age_s.filter(|wanted| *wanted != state.max_age_s) {
                    let has = state.max_age_s;
                    let reason =
                        format!("{address} takes reports that are up to {has} s old, wanted are {wanted} s");
                    let hint = "it is fixed at creation: correct max_age or leave it out, or use a new store";
                    self.conflict(Part::Store, Cause::MaxAge, reason, hint);
                }
                self.owner(Part::Store, *address, (state.owner, self.wanted.owner));
                if !state.authorised {
                    let accounts = (self.wanted.transmitter, state.owner);
                    self.grant(Action::GrantStore, Part::Store, *address, accounts);
                }
            }
        }
    }

    fn new_store(&mut self) {
        let WantedStore { max_age_s, transmitter, owner, .. } = *self.wanted;
        let max_age_s = max_age_s.unwrap_or(WantedStore::DEFAULT_MAX_AGE_S);
        let arguments = FeedStore::constructorCall { maxAgeSeconds_: max_age_s, owner_: owner, transmitter };
        let what = format!(
            "create the store {}, which takes reports up to {max_age_s} s old, owned by {owner}, written by {transmitter}",
            self.subject
        );
        self.step(Action::DeployStore, what, creation(&FeedStore::BYTECODE, &arguments));
    }
}

impl Desk<'_, WantedFeed> {
    /// What the feed needs to be number `number` of its store. Feeds come in the order of their numbers.
    pub fn entry(&mut self, number: u16, store: &Site<StoreState>, numbering: &mut Numbering) {
        // A store that is not there yet will be its owner's from the first block on.
        let (address, owner) = match store {
            Site::Nowhere => (None, self.wanted.owner),
            Site::Ours { address, state } => (Some(*address), state.owner),
            // Said of the store already.
            Site::Empty { .. } | Site::Foreign { .. } => return,
        };
        if u64::from(number) < numbering.next {
            return;
        }
        if u64::from(number) > numbering.next {
            let next = numbering.next;
            let reason = format!("the store gives its next feed the number {next}, wanted is {number}");
            let hint = format!("write store_id = {next}, or configure the feeds that come before it too");
            return self.conflict(Part::Store, Cause::Number, reason, &hint);
        }
        numbering.next += 1;
        if self.wanted.impossible().is_some() {
            return; // Said of the feed itself.
        }
        let WantedFeed { decimals, description, min_answer, max_answer, .. } = self.wanted;
        if owner != self.deployer {
            let reason = format!("the store has no feed {number}");
            let order = format!("addFeed({decimals}, {description:?}, {min_answer}, {max_answer})");
            return self.owner_must(Part::Store, reason, owner, &order);
        }
        let what = format!(
            "add \"{description}\" to its store as feed {number}, with {decimals} decimals and answers from \
             {min_answer} to {max_answer}"
        );
        let call = match (numbering.behind.take(), address) {
            (None, Some(address)) => {
                let call = FeedStore::addFeedCall {
                    decimals: *decimals,
                    description: description.clone(),
                    minAnswer: min_answer.value(),
                    maxAnswer: max_answer.value(),
                };
                Call::Ready { to: Some(address), data: call.abi_encode().into() }
            }
            (Some(behind), _) => behind,
            // A store that is not there is what the first addition waits for.
            (None, None) => return,
        };
        self.step(Action::AddFeed, what, call);
        numbering.behind = Some(self.after(Action::AddFeed));
    }

    /// What the facade of a store's feed needs, and the proxy over it.
    pub fn stored(&mut self, found: &ObservedFeed, entry: &WantedEntry, store: Option<&Site<StoreState>>) {
        let WantedEntry { store: name, number } = entry;
        let there = match store {
            Some(Site::Nowhere) => None,
            Some(Site::Ours { address, state }) => state.entries.get(number).map(|state| (*address, state)),
            Some(Site::Empty { .. } | Site::Foreign { .. }) => return,
            None => {
                let reason = format!("there is no store {name:?}");
                return self.conflict(Part::Facade, Cause::Impossible, reason, "name a configured store");
            }
        };
        if let Some((address, state)) = there {
            let hint = "correct the configuration, or give the feed the store's next number as its store_id: then it is \
                        added anew";
            if !self.constants(Part::Store, &format!("feed {number} of {address}"), state, hint) {
                return;
            }
        }
        let facade = match &found.aggregator {
            Site::Nowhere => {
                self.new_facade(*number, there);
                None
            }
            Site::Empty { address } => return self.no_code(Part::Facade, *address),
            Site::Foreign { address, says } => return self.foreign(Part::Facade, *address, says.as_deref()),
            Site::Ours { address, state } => Some((*address, state)),
        };
        if !self.wanted.is_read_directly() {
            self.reader(found, facade);
        }
    }

    fn new_facade(&mut self, number: u16, store: Option<(Address, &AggregatorState)>) {
        let what = format!("create the facade of feed {number}");
        let call = match store {
            Some((store_, _)) => {
                let arguments = FeedFacade::constructorCall { store_, feedId_: U256::from(number) };
                creation(&FeedFacade::BYTECODE, &arguments)
            }
            None => self.after(Action::AddFeed),
        };
        self.step(Action::DeployFacade, what, call);
    }
}
