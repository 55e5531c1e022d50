//! What rounds may cost: the caps, against what is paid and what is on its way.

use super::accounts::Content;
use super::feed::Urgency;
use super::{Group, Machine};
use crate::event::Event;
use crate::fees::FeePolicy;
use crate::io::Effect;
use crate::outbox::Intent;
use crate::policy::Hold;
use crate::quote::FeedId;
use crate::record::Scope;
use crate::spend::{cost_wei, per_gas, share_wei};
use crate::time::Now;
use crate::tx::Work;
use alloy_primitives::Address;
use std::collections::{BTreeMap, BTreeSet};

/// What a cap allows, and how much of it is spent or may yet be; `None` where there is no cap.
#[derive(Clone, Copy, Debug)]
struct Budget {
    cap_wei: u128,
    spent_wei: u128,
}

impl Budget {
    fn left_wei(self) -> u128 {
        self.cap_wei.saturating_sub(self.spent_wei)
    }

    /// So much is free again that the next time it is spent is news.
    fn has_recovered(self) -> bool {
        self.left_wei() >= self.cap_wei / 4
    }
}

/// The budgets of an account and its feeds.
pub(super) struct Budgets<'a> {
    machine: &'a Machine,
    account: Address,
    /// What open nonces of the account cost it at most.
    open_wei: u128,
    /// What they cost each feed at most.
    open_feeds: BTreeMap<&'a FeedId, u128>,
}

impl Budgets<'_> {
    /// What is left of the account's day, in wei; `None`: there is no cap.
    pub fn account_left_wei(&self) -> Option<u128> {
        self.account().map(Budget::left_wei)
    }

    /// What is left of a feed's hour, in wei; `None`: there is no cap.
    pub fn feed_left_wei(&self, id: &FeedId) -> Option<u128> {
        self.feed(id).map(Budget::left_wei)
    }

    fn account(&self) -> Option<Budget> {
        let cap_wei = Some(self.machine.chain.caps.account_day_wei).filter(|cap| *cap > 0)?;
        let paid_wei = self.machine.ledger.account_wei(self.account);
        Some(Budget { cap_wei, spent_wei: paid_wei.saturating_add(self.open_wei) })
    }

    fn feed(&self, id: &FeedId) -> Option<Budget> {
        let cap_wei = Some(self.machine.chain.caps.feed_hour_wei).filter(|cap| *cap > 0)?;
        let paid_wei = self.machine.ledger.feed_wei(self.account, id);
        let open_wei = self.open_feeds.get(id).copied().unwrap_or(0);
        Some(Budget { cap_wei, spent_wei: paid_wei.saturating_add(open_wei) })
    }

    /// The most that a transaction which carries these feeds may cost.
    fn transaction_wei<'a>(&self, feeds: impl Iterator<Item = &'a FeedId> + Clone) -> u128 {
        let count = u128::try_from(feeds.clone().count()).unwrap_or(u128::MAX);
        let shares = feeds.filter_map(|id| self.feed_left_wei(id)).map(|left| left.saturating_mul(count));
        shares.chain(self.account_left_wei()).min().unwrap_or(u128::MAX)
    }
}

impl Machine {
    /// The budgets of an account and its feeds, without what one of its nonces costs.
    pub(super) fn budgets(&self, account: Address, except: Option<u64>) -> Budgets<'_> {
        let (mut open_wei, mut open_feeds) = (0_u128, BTreeMap::new());
        let open = self.outboxes.get(&account).into_iter().flat_map(|outbox| outbox.open());
        let open = open.filter(|intent| self.chain.caps.look_back() && Some(intent.nonce) != except);
        for intent in open {
            let mut costs = intent.costs(self.hint.data_fee_wei);
            if costs.is_empty() {
                costs.push(self.planned_cost(account, intent));
            }
            open_wei = open_wei.saturating_add(costs.iter().map(|(wei, _)| *wei).max().unwrap_or(0));
            let mut shares: BTreeMap<&FeedId, u128> = BTreeMap::new();
            for (wei, feeds) in &costs {
                for id in feeds {
                    let share = shares.entry(id).or_default();
                    *share = share_wei(*wei, feeds.len()).max(*share);
                }
            }
            for (id, wei) in shares {
                let sum: &mut u128 = open_feeds.entry(id).or_default();
                *sum = sum.saturating_add(wei);
            }
        }
        Budgets { machine: self, account, open_wei, open_feeds }
    }

    /// What an account may still spend on rounds in this day, in wei; `None` without a cap, or while it is not ours.
    pub fn account_budget_left_wei(&self, account: Address) -> Option<u128> {
        self.outboxes.get(&account)?;
        self.budgets(account, None).account_left_wei()
    }

    /// The most that the next attempt of a nonce may offer for a unit of gas: by the fee policy with the cap of a
    /// transaction, at which it waits, and by what is left of the budgets, beyond which nothing is signed.
    pub(super) fn ceiling(
        &self,
        account: Address,
        intent: &Intent,
        content: &Content,
        now: Now,
    ) -> (FeePolicy, u128) {
        let (fees, caps, data_fee_wei) = (self.chain.fees, self.chain.caps, self.hint.data_fee_wei);
        // Steps of a rollout are an operator's own decision.
        if matches!(intent.work, Work::Step { .. }) {
            return (fees, u128::MAX);
        }
        let max_fee_wei = fees.max_fee_wei.min(caps.transaction_fee_wei(content.gas_limit, data_fee_wei));
        let feeds = content.entries.iter().map(|entry| &entry.feed);
        // An empty transaction frees its account for rounds that may be paid.
        let free =
            !caps.look_back() || content.entries.is_empty() || feeds.clone().any(|id| self.passes(id, now));
        let budget_wei = match free {
            true => u128::MAX,
            false => {
                let left = self.budgets(account, Some(intent.nonce)).transaction_wei(feeds);
                per_gas(left.saturating_sub(data_fee_wei), content.gas_limit)
            }
        };
        (FeePolicy { max_fee_wei, ..fees }, budget_wei)
    }

    /// Which of the `chosen` feeds of a contract may be paid for, if one transaction carries them: a feed whose
    /// heartbeat is due, with its group if that is atomic, and whoever has enough left for its share. What is due and
    /// may not is held, and people are told once. `estimate`: the gas that the contract is known to take.
    pub(super) fn affordable(
        &mut self,
        address: Address,
        chosen: &BTreeSet<FeedId>,
        estimate: Option<u64>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> BTreeSet<FeedId> {
        let Some(contract) = self.contracts.get(&address).filter(|_| self.chain.caps.look_back()) else {
            return chosen.clone();
        };
        let (account, budgets) = (contract.account, self.budgets(contract.account, None));
        let group = |id: &FeedId| self.group(id).filter(|group| group.is_atomic);
        let passing: BTreeSet<&FeedId> = chosen.iter().filter(|id| self.passes(id, now)).collect();
        let groups: BTreeSet<&Group> = passing.iter().filter_map(|id| group(id)).collect();
        let passes =
            |id: &FeedId| passing.contains(id) || group(id).is_some_and(|name| groups.contains(name));
        let mut spent: BTreeMap<Scope, Budget> = BTreeMap::new();
        let mut able = chosen.clone();
        loop {
            let estimate = estimate.or_else(|| contract.worst_estimate(able.len())).unwrap_or(0);
            let specs = able.iter().filter_map(|id| self.feeds.get(id)).map(|feed| &feed.spec);
            let cost = self.first_cost(contract.gas_limit(estimate, specs));
            let share = share_wei(cost, able.len());
            let over = |id: &FeedId| {
                let day = budgets.account().filter(|budget| cost > budget.left_wei());
                let hour = budgets.feed(id).filter(|budget| share > budget.left_wei());
                let day = day.map(|budget| (Scope::Account(account), budget));
                hour.map(|budget| (Scope::Feed(id.clone()), budget)).or(day).filter(|_| !passes(id))
            };
            spent.extend(able.iter().filter_map(over));
            let next = self.together(address, &able, |id| able.contains(id) && over(id).is_none());
            if next == able {
                break;
            }
            able = next;
        }
        let day = budgets.account().map(|budget| (Scope::Account(account), budget));
        let hour = |id: &FeedId| Some((Scope::Feed(id.clone()), budgets.feed(id)?));
        let recovered = day.into_iter().chain(chosen.iter().filter_map(hour));
        let recovered =
            recovered.filter(|(scope, budget)| !spent.contains_key(scope) && budget.has_recovered());
        let recovered: Vec<Scope> = recovered.map(|(scope, _)| scope).collect();
        self.over_budget.retain(|scope| !recovered.contains(scope));
        for (scope, Budget { cap_wei, spent_wei }) in spent {
            if self.over_budget.insert(scope.clone()) {
                out.push(Effect::Report(Event::BudgetReached { scope, spent_wei, cap_wei }));
            }
        }
        for id in chosen {
            if let Some(feed) = self.feeds.get_mut(id) {
                feed.is_over_budget = !able.contains(id);
            }
        }
        able
    }

    /// Says of feeds that are due and not among the `chosen` why they are held.
    pub(super) fn hold_back(
        &mut self,
        members: impl IntoIterator<Item = FeedId>,
        chosen: &BTreeSet<FeedId>,
        why: Hold,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let patience = self.patience();
        for id in members.into_iter().filter(|id| !chosen.contains(id)) {
            let Some(feed) = self.feeds.get_mut(&id) else { continue };
            if feed.offer.is_some_and(|offer| matches!(offer.urgency, Urgency::Due(_))) {
                feed.hold = Some(why);
                feed.report_hold(&id, patience, now, out);
            }
        }
    }

    /// Whether a feed goes out whatever is spent: its heartbeat is due, or its consumers have nothing at all.
    fn passes(&self, id: &FeedId, now: Now) -> bool {
        let feed = self.feeds.get(id).filter(|_| self.chain.caps.heartbeats_pass);
        feed.and_then(|feed| Some((feed, feed.known?))).is_some_and(|(feed, known)| {
            let due = feed.policy.heartbeat_at(&known);
            known.round == 0 || due.is_some_and(|due| self.clock.time(now) >= due)
        })
    }

    /// What a first attempt with this gas limit costs at most.
    fn first_cost(&self, gas_limit: u64) -> u128 {
        let price = self.chain.fees.first(&self.hint).fee.cap_wei();
        let data_fee_wei = self.hint.data_fee_wei;
        let price = price.min(self.chain.caps.transaction_fee_wei(gas_limit, data_fee_wei));
        cost_wei(gas_limit, price).saturating_add(data_fee_wei)
    }

    /// What a nonce will cost of which nothing is signed yet, and the feeds that it was planned for.
    fn planned_cost(&self, account: Address, intent: &Intent) -> (u128, Vec<&FeedId>) {
        let flight = self.flights.get(&(account, intent.nonce));
        let feeds: Vec<&FeedId> = flight.into_iter().flat_map(|flight| flight.answers.keys()).collect();
        let estimate = flight.and_then(|flight| flight.gas);
        let gas_limit = match self.written(&intent.work) {
            Some(contract) => {
                let specs = feeds.iter().filter_map(|id| self.feeds.get(*id)).map(|feed| &feed.spec);
                contract.gas_limit(estimate.unwrap_or(0), specs)
            }
            None => super::steps::gas_limit(estimate),
        };
        (self.first_cost(gas_limit), feeds)
    }
}
