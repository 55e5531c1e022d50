//! What may be spent on rounds, and what was: caps for a transaction, for a feed and an hour, for an account and a day.
//!
//! What is open counts with the most that it can still cost, what is closed with what it did cost, from when it was
//! closed. So nothing that may yet be paid is forgotten, and the journal knows all of it after a restart. A batch costs
//! each of the feeds that it carries an equal share. A rollup's fee for a transaction's data is part of its cost. Amounts
//! saturate: a cost that cannot be written is above every cap.

use crate::quote::FeedId;
use crate::time::{Mono, Now, Span, Wall};
use crate::tx::Receipt;
use alloy_primitives::Address;
use std::collections::{BTreeMap, VecDeque};

/// The time that the cap of a feed is about.
pub const HOUR: Span = Span::from_s(3_600);
/// The time that an account's cap is about.
pub const DAY: Span = Span::from_s(86_400);

/// What may be spent on rounds, in wei; zero: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// By one transaction, an empty one included.
    pub transaction_wei: u128,
    /// By a feed within any hour.
    pub feed_hour_wei: u128,
    /// By an account within any day.
    pub account_day_wei: u128,
    /// Beyond the latter two a round still goes out if the feed's heartbeat is due, or if it is the first one.
    pub heartbeats_pass: bool,
}

impl Caps {
    /// The most that a transaction with so much gas may offer per gas, if its data costs so much beside.
    pub fn transaction_fee_wei(&self, gas_limit: u64, data_fee_wei: u128) -> u128 {
        per_gas(limit(self.transaction_wei).saturating_sub(data_fee_wei), gas_limit)
    }

    /// Whether anything that was spent has to be remembered.
    pub const fn look_back(&self) -> bool {
        self.feed_hour_wei > 0 || self.account_day_wei > 0
    }
}

/// A cap as a number.
fn limit(cap_wei: u128) -> u128 {
    if cap_wei == 0 { u128::MAX } else { cap_wei }
}

/// The highest price of a unit of gas at which so much gas costs no more than `wei`.
pub fn per_gas(wei: u128, gas_limit: u64) -> u128 {
    wei.checked_div(u128::from(gas_limit)).unwrap_or(wei)
}

/// What so much gas costs.
pub fn cost_wei(gas: u64, price_wei: u128) -> u128 {
    price_wei.saturating_mul(u128::from(gas))
}

/// What an included transaction cost.
pub fn paid_wei(receipt: &Receipt) -> u128 {
    cost_wei(receipt.gas_used, receipt.gas_price_wei)
}

/// What a transaction costs each of the feeds that it carries, rounded up; all of it where it carries one or none.
pub fn share_wei(wei: u128, feeds: usize) -> u128 {
    wei.div_ceil(u128::try_from(feeds).unwrap_or(u128::MAX).max(1))
}

/// A closed transaction that was paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its nonce.
    pub nonce: u64,
    /// The feeds that it carried; none if it was a step of a rollout, or empty.
    pub feeds: Vec<FeedId>,
    /// When it was closed.
    pub at: Wall,
    /// What it cost.
    pub wei: u128,
}

/// The sum over a window of time that ends now.
#[derive(Clone, Debug, Default)]
struct Sum {
    /// Each amount and when it leaves the window, in that order.
    parts: VecDeque<(Mono, u128)>,
    wei: u128,
}

impl Sum {
    fn add(&mut self, until: Mono, wei: u128) {
        self.parts.push_back((until, wei));
        self.wei = self.wei.saturating_add(wei);
    }

    fn expire(&mut self, now: Mono) {
        while let Some((_, wei)) = self.parts.pop_front_if(|(until, _)| *until <= now) {
            self.wei = self.wei.saturating_sub(wei);
        }
    }
}

/// What one account has paid.
#[derive(Clone, Debug, Default)]
struct Paid {
    day: Sum,
    /// In the last hour, for each feed.
    hours: BTreeMap<FeedId, Sum>,
}

impl Paid {
    fn add(&mut self, feeds: &[&FeedId], wei: u128, age: Span, now: Mono) {
        let until = |window: Span| now + window.less(age);
        self.day.add(until(DAY), wei);
        let share = share_wei(wei, feeds.len());
        for feed in feeds {
            self.hours.entry((*feed).clone()).or_default().add(until(HOUR), share);
        }
    }

    fn expire(&mut self, now: Mono) {
        self.day.expire(now);
        self.hours.values_mut().for_each(|sum| sum.expire(now));
    }
}

/// What was paid within the windows of the caps.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<Address, Paid>,
}

impl Ledger {
    /// What the journal knows of an account, oldest first, in the place of what was known before. What it dates in the
    /// future counts as paid now.
    pub fn adopt(&mut self, account: Address, payments: &[Payment], now: Now) {
        let mut paid = Paid::default();
        for Payment { feeds, at, wei, .. } in payments {
            paid.add(&feeds.iter().collect::<Vec<_>>(), *wei, now.wall.since(*at), now.mono);
        }
        paid.expire(now.mono);
        self.accounts.insert(account, paid);
    }

    /// An account is another replica's from now on, and what it pays is not seen here.
    pub fn forget(&mut self, account: Address) {
        self.accounts.remove(&account);
    }

    /// An account has just paid for a transaction that carried these feeds.
    pub fn add(&mut self, account: Address, feeds: &[&FeedId], wei: u128, now: Mono) {
        self.accounts.entry(account).or_default().add(feeds, wei, Span::ZERO, now);
    }

    /// Forgets what has left its window.
    pub fn expire(&mut self, now: Mono) {
        self.accounts.values_mut().for_each(|paid| paid.expire(now));
    }

    /// What an account has paid in the last day.
    pub fn account_wei(&self, account: Address) -> u128 {
        self.accounts.get(&account).map_or(0, |paid| paid.day.wei)
    }

    /// What an account has paid for a feed in the last hour.
    pub fn feed_wei(&self, account: Address, feed: &FeedId) -> u128 {
        self.accounts.get(&account).and_then(|paid| paid.hours.get(feed)).map_or(0, |sum| sum.wei)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Address = Address::repeat_byte(1);

    fn now(s: u64) -> Now {
        Now { wall: Wall::from_s(1_000_000 + s), mono: Mono::from_ms(s * 1000) }
    }

    fn adopted(payments: &[Payment], now: Now) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.adopt(ACCOUNT, payments, now);
        ledger
    }

    #[test]
    fn f37_what_was_paid_counts_for_an_hour_and_a_day_and_survives_a_restart() {
        let feed = FeedId::new("BTC-USD");
        let payment = |at: u64, wei| Payment { nonce: at, feeds: vec![feed.clone()], at: now(at).wall, wei };
        let mut running = Ledger::default();
        running.add(ACCOUNT, &[&feed], 5, now(0).mono);
        running.add(ACCOUNT, &[&feed], 7, now(100).mono);
        for (s, hour, day) in
            [(3_599, 12, 12), (3_600, 7, 12), (3_700, 0, 12), (86_400, 0, 7), (86_500, 0, 0)]
        {
            running.expire(now(s).mono);
            // Another process, whose clock begins anew.
            let again = Now { mono: Mono::default(), ..now(s) };
            let restarted = adopted(&[payment(0, 5), payment(100, 7)], again);
            for ledger in [&running, &restarted] {
                let sums = (ledger.feed_wei(ACCOUNT, &feed), ledger.account_wei(ACCOUNT));
                assert_eq!(sums, (hour, day), "after {s} s");
            }
        }
        let future = adopted(&[payment(500, 5)], now(0));
        assert_eq!(future.feed_wei(ACCOUNT, &feed), 5, "dated in the future");
    }

    /// Without it a feed that moves all the time would spend what the store's quiet feeds may.
    #[test]
    fn f37_a_batch_costs_each_feed_its_share_and_what_carries_none_only_the_account() {
        let feeds = ["A", "B", "C"].map(FeedId::new);
        let mut ledger = Ledger::default();
        ledger.add(ACCOUNT, &feeds.each_ref(), 100, Mono::default());
        ledger.add(ACCOUNT, &[&feeds[0]], 10, Mono::default());
        ledger.add(ACCOUNT, &[], 1, Mono::default());
        let shares = feeds.each_ref().map(|feed| ledger.feed_wei(ACCOUNT, feed));
        assert_eq!((shares, ledger.account_wei(ACCOUNT)), ([44, 34, 34], 111));
        ledger.forget(ACCOUNT);
        assert_eq!(ledger.account_wei(ACCOUNT), 0);
    }

    #[test]
    fn f40_costs_saturate_and_a_cap_of_zero_is_none() {
        assert_eq!(cost_wei(u64::MAX, u128::MAX), u128::MAX);
        assert_eq!(Caps::default().transaction_fee_wei(100_000, 0), u128::MAX / 100_000);
        let caps = Caps { transaction_wei: 250_000, ..Caps::default() };
        assert_eq!((caps.transaction_fee_wei(100_000, 0), caps.transaction_fee_wei(0, 0)), (2, 250_000));
        assert_eq!(caps.transaction_fee_wei(100_000, 150_000), 1, "what the data costs is not there for gas");
        assert_eq!(caps.transaction_fee_wei(100_000, 300_000), 0);
        let mut ledger = Ledger::default();
        for _ in 0..2 {
            ledger.add(ACCOUNT, &[], u128::MAX, Mono::default());
        }
        assert_eq!(ledger.account_wei(ACCOUNT), u128::MAX);
    }
}
