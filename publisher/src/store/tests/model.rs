//! Random histories: the database and a model of a few maps agree on every answer and on what is recovered.

use super::*;
use proptest::prelude::*;
use publisher_core::policy::Trigger;
use publisher_core::record::{Outcome, RecoveredAccount, RecoveredIntent, Scope, Why};
use publisher_core::spend::Payment;
use publisher_core::tx::SendOutcome;
use std::collections::BTreeMap;

type Key = (Address, u64);

/// What the journal means, in a form that is easy to see.
#[derive(Clone, Default)]
struct Model {
    intents: BTreeMap<Key, (Work, Wall)>,
    attempts: BTreeMap<B256, (Key, Attempt, Wall)>,
    blocks: BTreeMap<(B256, B256), Receipt>,
    canonical: BTreeMap<Key, Receipt>,
    closed: BTreeMap<Key, (Outcome, Wall)>,
    /// Ends that were taken back, and when.
    reopened: Vec<(Key, (Outcome, Wall), Wall)>,
    halts: Vec<(Scope, Option<String>, Wall)>,
    decisions: BTreeMap<(Key, FeedId), Why>,
}

/// The record contradicts what is there.
struct Refused;

impl Model {
    /// All of the records or none.
    fn append(&mut self, records: &[Record]) -> Result<(), Refused> {
        let mut next = self.clone();
        records.iter().try_for_each(|record| next.put(record))?;
        *self = next;
        Ok(())
    }

    fn put(&mut self, record: &Record) -> Result<(), Refused> {
        match record.clone() {
            Record::Intent { account, nonce, work, at } => {
                let key = (account, nonce);
                if !self.intents.contains_key(&key) && self.round_is_taken(account, &work) {
                    return Err(Refused);
                }
                let offered = (work, at);
                same(self.intents.entry(key).or_insert_with(|| offered.clone()), &offered)
            }
            Record::Decided { account, nonce, why } => {
                let key = (account, nonce);
                self.intents.get(&key).ok_or(Refused)?;
                let of = (key, why.feed.clone());
                same(self.decisions.entry(of).or_insert_with(|| why.clone()), &why)
            }
            Record::Attempt { account, nonce, attempt, at } => {
                let key = (account, nonce);
                let offered = (key, attempt.clone(), at);
                if let Some(stored) = self.attempts.get(&attempt.hash) {
                    return same(stored, &offered);
                }
                let taken = self.attempts.values().any(|(k, a, _)| *k == key && a.seq == attempt.seq);
                if taken || self.is_closed_or_unknown(key) {
                    return Err(Refused);
                }
                self.attempts.insert(attempt.hash, offered);
                Ok(())
            }
            Record::Sent { hash, .. } => self.attempts.get(&hash).map(|_| ()).ok_or(Refused),
            Record::Included { account, nonce, receipt } => {
                let key = (account, nonce);
                if self.attempts.get(&receipt.hash).is_none_or(|(owner, ..)| *owner != key) {
                    return Err(Refused);
                }
                let known = self.blocks.get(&(receipt.hash, receipt.block_hash));
                match (known, self.closed.contains_key(&key)) {
                    (Some(known), _) if *known != receipt => return Err(Refused),
                    (None, true) => return Err(Refused),
                    (Some(_), true) => return Ok(()),
                    (_, false) => {}
                }
                self.blocks.insert((receipt.hash, receipt.block_hash), receipt);
                self.canonical.insert(key, receipt);
                Ok(())
            }
            Record::Orphaned { account, nonce } => {
                let key = (account, nonce);
                self.intents.get(&key).ok_or(Refused)?;
                if !self.closed.contains_key(&key) {
                    self.canonical.remove(&key);
                }
                Ok(())
            }
            Record::Closed { account, nonce, outcome, at } => {
                let key = (account, nonce);
                self.intents.get(&key).ok_or(Refused)?;
                if self.reopened.iter().any(|(k, end, _)| *k == key && *end == (outcome, at)) {
                    return Ok(());
                }
                same(self.closed.entry(key).or_insert((outcome, at)), &(outcome, at))
            }
            Record::Reopened { account, nonce, at } => {
                let key = (account, nonce);
                if self.reopened.iter().any(|(k, _, when)| *k == key && *when == at) {
                    return Ok(());
                }
                let end = self.closed.remove(&key).ok_or(Refused)?;
                self.reopened.push((key, end, at));
                self.canonical.remove(&key);
                Ok(())
            }
            Record::Halted { scope, reason, at } => self.put_halt((scope, Some(reason), at)),
            Record::Resumed { scope, at } => self.put_halt((scope, None, at)),
        }
    }

    fn put_halt(&mut self, event: (Scope, Option<String>, Wall)) -> Result<(), Refused> {
        if !self.halts.contains(&event) {
            self.halts.push(event);
        }
        Ok(())
    }

    fn round_is_taken(&self, account: Address, work: &Work) -> bool {
        let Some(target) = work.target() else { return false };
        self.intents.iter().any(|(key, (other, _))| {
            let holds = self.closed.get(key).is_none_or(|(outcome, _)| *outcome == Outcome::Final);
            key.0 == account && holds && other.target() == Some(target)
        })
    }

    fn is_closed_or_unknown(&self, key: Key) -> bool {
        self.closed.contains_key(&key) || !self.intents.contains_key(&key)
    }

    fn recovered(&self) -> Recovered {
        let newest: BTreeMap<_, _> = self.halts.iter().map(|(scope, reason, _)| (scope, reason)).collect();
        let in_doubt = newest.get(&Scope::Chain).is_some_and(|reason| reason.is_some());
        let mut accounts: BTreeMap<Address, RecoveredAccount> = BTreeMap::new();
        for (key @ (account, nonce), (work, _)) in &self.intents {
            let entry = accounts.entry(*account).or_insert_with(|| RecoveredAccount {
                account: *account,
                next_nonce: 0,
                open: vec![],
                closed: vec![],
                payments: vec![],
            });
            entry.next_nonce = nonce + 1;
            let end = self.closed.get(key).map(|(outcome, _)| *outcome);
            if end.is_none() || in_doubt && end != Some(Outcome::Foreign) {
                let mut attempts: Vec<Attempt> = self
                    .attempts
                    .values()
                    .filter(|(owner, ..)| owner == key)
                    .map(|(_, a, _)| a.clone())
                    .collect();
                attempts.sort_by_key(|a| a.seq);
                let list = if end.is_none() { &mut entry.open } else { &mut entry.closed };
                list.push(RecoveredIntent { nonce: *nonce, work: work.clone(), attempts });
            }
        }
        let halts =
            newest.into_iter().filter_map(|(scope, reason)| Some((scope.clone(), reason.clone()?))).collect();
        let anchor = self
            .canonical
            .iter()
            .filter(|(key, _)| self.closed.get(*key).is_some_and(|(outcome, _)| *outcome != Outcome::Foreign))
            .map(|(_, receipt)| (receipt.block_number, receipt.block_hash))
            .max_by_key(|(number, _)| *number);
        for (key @ (account, nonce), receipt) in &self.canonical {
            let end = self.closed.get(key).filter(|(outcome, _)| *outcome != Outcome::Foreign);
            let (Some((_, at)), Some(entry)) = (end, accounts.get_mut(account)) else { continue };
            let (work, attempt) =
                (self.intents.get(key).map(|(work, _)| work), self.attempts.get(&receipt.hash));
            let said = work.zip(attempt.map(|(_, attempt, _)| attempt));
            let feeds = said.into_iter().flat_map(|(work, attempt)| attempt.feeds(work)).cloned().collect();
            let wei = u128::from(receipt.gas_used) * receipt.gas_price_wei;
            entry.payments.push(Payment { nonce: *nonce, feeds, at: *at, wei });
        }
        // No test's history is as long as a day.
        accounts.values_mut().for_each(|entry| entry.payments.sort_by_key(|payment| payment.at));
        Recovered { accounts: accounts.into_values().collect(), halts, anchor }
    }
}

fn same<T: PartialEq>(stored: &T, offered: &T) -> Result<(), Refused> {
    if stored == offered { Ok(()) } else { Err(Refused) }
}

fn works() -> impl Strategy<Value = Work> {
    prop_oneof![
        4 => (0..2u64, 1..4u64).prop_map(|(feed, n)| round(["A", "B"][usize::from(feed == 1)], n)),
        2 => (1..4u64).prop_map(|sequence| Work::Batch { store: account(b'S'), sequence }),
        1 => (0..2u64).prop_map(|n| Work::Step { name: format!("step {n}"), to: None, data: Bytes::from_static(&[1]) }),
    ]
}

/// Few accounts, nonces, hashes and blocks, so that records meet.
fn records() -> impl Strategy<Value = Record> {
    let key = || (1..3u8, 0..4u64).prop_map(|(a, n)| (account(a), n));
    let at = || (0..2i64).prop_map(Wall::from_ms);
    let scope = || {
        prop_oneof![Just(Scope::Chain), Just(Scope::Account(account(1))), Just(Scope::Feed(FeedId::new("A"))),]
    };
    // Nearly always the hash belongs to its nonce and seq, as it does in life.
    let id = |(account, nonce): Key, seq: u32| u64::from(account[0]) * 100 + nonce * 10 + u64::from(seq);
    let outcomes = prop_oneof![
        Just(Outcome::Final),
        Just(Outcome::Reverted),
        Just(Outcome::NoopFilled),
        Just(Outcome::Foreign),
    ];
    let sent = prop_oneof![Just(SendOutcome::Accepted), Just(SendOutcome::Ambiguous)];
    prop_oneof![
        6 => (key(), works(), at()).prop_map(|((account, nonce), work, at)| Record::Intent { account, nonce, work, at }),
        2 => (key(), any::<bool>()).prop_map(|((account, nonce), beats)| {
            let trigger = if beats { Trigger::Heartbeat } else { Trigger::Deviation };
            Record::Decided { account, nonce, why: Why { feed: FeedId::new("A"), trigger, market: None } }
        }),
        6 => (key(), 0..3u32, at(), 0..20u64).prop_map(move |(key, seq, at, stray)| {
            let id = if stray == 0 { 110 } else { id(key, seq) };
            let attempt = if seq == 1 { batched(seq, id) } else { signed(seq, id) };
            Record::Attempt { account: key.0, nonce: key.1, attempt, at }
        }),
        2 => (key(), 0..3u32, sent, at())
            .prop_map(move |(key, seq, outcome, at)| Record::Sent { account: key.0, hash: hash(id(key, seq)), outcome, at }),
        // Heights differ by nonce: which of two blocks of one height is the anchor is of no importance.
        5 => (key(), 0..3u32, 0..3u64, 0..20u64).prop_map(move |(key, seq, block, stray)| {
            let height = u64::from(key.0[0]) * 100 + key.1 * 10 + block;
            let receipt = Receipt { success: stray != 0, ..receipt(id(key, seq), height) };
            Record::Included { account: key.0, nonce: key.1, receipt }
        }),
        2 => key().prop_map(|(account, nonce)| Record::Orphaned { account, nonce }),
        2 => (key(), outcomes, at())
            .prop_map(|((account, nonce), outcome, at)| Record::Closed { account, nonce, outcome, at }),
        2 => (key(), at()).prop_map(|((account, nonce), at)| Record::Reopened { account, nonce, at }),
        1 => (scope(), 0..2u8, at())
            .prop_map(|(scope, reason, at)| Record::Halted { scope, reason: format!("reason {reason}"), at }),
        1 => (scope(), at()).prop_map(|(scope, at)| Record::Resumed { scope, at }),
    ]
}

/// Plays a history on a journal and on the model; the journal is closed and opened again in the middle.
async fn agree(place: &Place, batches: &[Vec<Record>], reopen_after: usize) {
    let mut model = Model::default();
    let (mut journal, _) = place.open().await;
    for (index, batch) in batches.iter().enumerate() {
        let answer = journal.append(batch).await;
        let expected = model.append(batch);
        assert_eq!(answer.is_ok(), expected.is_ok(), "{answer:?} for {batch:#?}");
        assert!(!matches!(answer, Err(StoreError::Unavailable { .. } | StoreError::Damaged { .. })));
        if answer.is_ok() {
            journal.append(batch).await.unwrap();
        }
        if index == reopen_after {
            journal.close().await;
            let (reopened, recovered) = place.open().await;
            assert_eq!(recovered, model.recovered());
            journal = reopened;
        }
    }
    assert_eq!(journal.reader().recovered().await.unwrap(), model.recovered());
    journal.close().await;
}

fn histories() -> impl Strategy<Value = Vec<Vec<Record>>> {
    prop::collection::vec(prop::collection::vec(records(), 1..5), 1..40)
}

fn run(history: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(history);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Without this a rule could differ between what is written and what is believed to be written.
    #[test]
    fn the_database_and_the_model_agree(batches in histories(), reopen_after in 0..40usize) {
        run(agree(&Place::new(), &batches, reopen_after));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    /// Without this a journal on PostgreSQL could mean something else than one on SQLite.
    #[test]
    fn postgresql_and_the_model_agree(batches in histories(), reopen_after in 0..40usize) {
        if let Some(place) = Place::server() {
            run(agree(&place, &batches, reopen_after));
        }
    }
}
