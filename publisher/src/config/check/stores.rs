//! Stores, and the feeds that share them.

use super::Check;
use super::policy::threshold;
use crate::config::keys::{Early as RawEarly, Feed as RawFeed};
use crate::config::leaf::{Company, Together, value};
use crate::config::problem::suggestion;
use crate::config::spec::STORE_GAS;
use crate::config::{Feed, Store};
use alloy::primitives::Address;
use publisher_core::machine::{EntrySpec, Group, StoreSpec};
use publisher_core::policy::Early;
use publisher_core::price::Ratio;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use std::collections::BTreeMap;

/// Feeds of one store, at most: with the dearest round of each, a transaction is still well within the 16,777,216 gas
/// that EIP-7825 leaves to one.
const FEEDS_MAX: usize = 100;
/// What a store's `max_age` may be, in milliseconds: it counts whole seconds, and a report of yesterday says nothing.
const MAX_AGE_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;
/// What is due waits no longer than this for company.
const GATHER_MAX: Span = Span::from_s(60);

impl Check<'_> {
    /// The contract that stores a feed's rounds: its own, or the store that it names.
    pub(super) fn home(&mut self, raw: &RawFeed) -> Option<Address> {
        let Some(name) = &raw.store else {
            for (key, place) in [
                ("store_id", raw.store_id.as_ref().map(|item| &item.place)),
                ("group", raw.group.as_ref().map(|item| &item.place)),
                ("group_policy", raw.group_policy.as_ref().map(|item| &item.place)),
                ("facade", raw.facade.as_ref().map(|item| &item.place)),
            ] {
                if let Some(place) = place {
                    self.found.error(place, "the feed is in no store", format!("add store, or drop {key}"));
                }
            }
            return value(raw.aggregator.as_ref());
        };
        if let Some(aggregator) = &raw.aggregator {
            let hint = "a store keeps the rounds of its feeds: drop aggregator, or store";
            self.found.error(&aggregator.place, "the feed is in a store already", hint);
        }
        let Some(store) = self.root.store.get(&name.value) else {
            let hint = suggestion(&name.value, self.root.store.keys().map(String::as_str));
            self.found.error(&name.place, "unknown store", hint);
            return None;
        };
        value(store.address.as_ref())
    }

    /// What a feed is in its store.
    pub(super) fn entry(&mut self, raw: &RawFeed) -> Option<(String, EntrySpec)> {
        let name = raw.store.as_ref()?;
        let Some(number) = value(raw.store_id.as_ref()) else {
            if raw.store_id.is_none() {
                let hint = format!("add store_id: the number that store {} gave to the feed", name.value);
                self.found.error(&raw.place.missing("store_id"), "missing", hint);
            }
            return None;
        };
        let is_atomic = value(raw.group_policy.as_ref()) != Some(Together::BestEffort);
        let group = value(raw.group.as_ref()).map(|name| Group { name, is_atomic });
        if let Some(item) = raw.group_policy.as_ref().filter(|_| group.is_none()) {
            self.found.warn(&item.place, "the feed is in no group", "add group, or drop group_policy");
        }
        Some((name.value.clone(), EntrySpec { number, group }))
    }

    /// Which feeds ride along.
    fn early(&mut self, raw: Option<&RawEarly>) -> Early {
        let Some(raw) = raw else { return Early::default() };
        let (always, ratio) = match value(raw.ratio.as_ref()) {
            Some(Company::Always) => (true, Ratio::default()),
            Some(Company::From(ratio)) => (false, ratio),
            None => Default::default(),
        };
        if let Some(item) = raw.ratio.as_ref().filter(|_| ratio > Ratio::ONE) {
            self.found.error(&item.place, "more than the whole", "use 0% to 100%; 80% is usual");
        }
        Early {
            always,
            ratio,
            age: value(raw.age.as_ref()).map(threshold).unwrap_or_default(),
            deviation: value(raw.deviation.as_ref()).map(threshold).unwrap_or_default(),
            confidence_ratio: value(raw.confidence_ratio.as_ref()).map(threshold).unwrap_or_default(),
        }
    }

    /// The stores; and what their feeds must have in common or for themselves.
    pub(super) fn stores(&mut self, feeds: &BTreeMap<FeedId, Feed>) -> BTreeMap<String, Store> {
        let root = self.root;
        let mut stores = BTreeMap::new();
        let mut names: BTreeMap<Address, &str> = BTreeMap::new();
        for (name, store) in &root.store {
            if let Some(item) = &store.address
                && let Some(first) = names.insert(item.value, name)
            {
                let hint = "let its feeds name one store";
                self.found.error(&item.place, format!("store.{first} has this address already"), hint);
            }
            let early = self.early(store.early.as_ref());
            let sync_heartbeats = value(store.sync_heartbeats.as_ref()).unwrap_or(false);
            let max_age = value(store.max_age.as_ref());
            if let Some(item) = store.max_age.as_ref().filter(|age| !MAX_AGE_MS.contains(&age.value.ms())) {
                let hint = "use 1s to 1d; 1h is usual";
                self.found.error(&item.place, "no report can be held against it", hint);
            }
            let gather = value(store.gather.as_ref()).unwrap_or_default();
            if let Some(item) = store.gather.as_ref().filter(|gather| gather.value > GATHER_MAX) {
                let hint = "use 0s to 1m; a second or two is usual";
                self.found.error(&item.place, "an answer that waits for so long is an old one", hint);
            }
            let spec = StoreSpec { early, sync_heartbeats, gather, gas: STORE_GAS };
            stores.insert(name.clone(), Store { address: value(store.address.as_ref()), max_age, spec });
        }
        let mut numbers: BTreeMap<(&str, u16), &FeedId> = BTreeMap::new();
        let mut accounts: BTreeMap<&str, (&FeedId, Address)> = BTreeMap::new();
        let mut groups: BTreeMap<&str, (&FeedId, &str, bool)> = BTreeMap::new();
        for (id, feed) in feeds {
            let Some(raw) = root.feed.get(id.as_str()) else { continue };
            let Some((home, EntrySpec { number, group })) = &feed.entry else {
                let store = feed.aggregator.and_then(|address| names.get(&address));
                if let (Some(name), Some(item)) = (store, &raw.aggregator) {
                    let hint = format!("write store = {name:?} and store_id instead");
                    self.found.error(&item.place, format!("this is store.{name}"), hint);
                }
                continue;
            };
            let home = home.as_str();
            let place = |key: &str| raw.place.missing(key);
            if let Some(other) = numbers.insert((home, *number), id) {
                let hint = "each feed has a number of its own in the store";
                self.found.error(&place("store_id"), format!("feed.{other} has this number already"), hint);
            }
            let (first, account) = *accounts.entry(home).or_insert((id, feed.account));
            if account != feed.account {
                let hint = format!("one account writes a store: name the signer of feed.{first}");
                self.found.error(&place("signer"), "its store is written by another account", hint);
            }
            if let Some(Group { name: group, is_atomic }) = group {
                let (first, other, atomic) = *groups.entry(group).or_insert((id, home, *is_atomic));
                if atomic != *is_atomic {
                    let hint = "let all feeds of a group say the same";
                    let reason = format!("feed.{first} of this group says otherwise");
                    self.found.error(&place("group_policy"), reason, hint);
                }
                if other != home {
                    let hint = "one transaction writes one store: use another name, or the same store";
                    let reason = format!("feed.{first} of this group is in another store");
                    self.found.error(&place("group"), reason, hint);
                }
            }
        }
        for (name, store) in &root.store {
            let count = numbers.keys().filter(|(of, _)| of == name).count();
            if count > FEEDS_MAX {
                let hint = format!("at most {FEEDS_MAX} fit into one transaction; use a second store");
                self.found.error(&store.place, format!("{count} feeds"), hint);
            }
        }
        stores
    }
}
