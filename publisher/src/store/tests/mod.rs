//! What the journal promises, tried out on real files.

mod damage;
mod facts;
mod kill;
mod model;

use super::*;
use alloy::primitives::{Address, Bytes};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;
use publisher_core::tx::{Attempt, Entry, Fee, Receipt, Work};
use std::path::PathBuf;
use tempfile::TempDir;

const CHAIN: u64 = 138;
const GENESIS: B256 = B256::repeat_byte(0x47);

/// A directory for one test and the path of a journal in it.
struct Place {
    directory: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        Self { directory, path }
    }

    async fn open(&self) -> (Journal, Recovered) {
        Journal::open(&self.path, CHAIN, GENESIS).await.unwrap()
    }

    async fn refused(&self) -> StoreError {
        Journal::open(&self.path, CHAIN, GENESIS).await.unwrap_err()
    }
}

fn account(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn hash(n: u64) -> B256 {
    B256::left_padding_from(&(n + 1).to_be_bytes())
}

/// Each feed has an aggregator of its own.
fn round(feed: &str, round: u64) -> Work {
    Work::Round { feed: FeedId::new(feed), aggregator: account(feed.as_bytes()[0]), round }
}

fn intent(nonce: u64, work: Work) -> Record {
    Record::Intent { account: account(1), nonce, work, at: Wall::from_ms(1_000) }
}

fn signed(seq: u32, id: u64) -> Attempt {
    Attempt {
        seq,
        hash: hash(id),
        raw: Bytes::from(id.to_be_bytes()),
        fee: Fee::Eip1559 { max_fee_wei: u128::MAX, max_priority_wei: u128::from(seq) + 1 },
        gas_limit: 90_000,
        answer: Some("-123456789012345678901234567890".parse::<Answer>().unwrap()),
        observed_at: Some(Wall::from_ms(999)),
        entries: Vec::new(),
    }
}

/// An attempt of a batch of two feeds.
fn batched(seq: u32, id: u64) -> Attempt {
    let entry = |feed: &str, answer: &str| Entry {
        feed: FeedId::new(feed),
        answer: answer.parse().unwrap(),
        observed_at: Wall::from_ms(998),
    };
    let entries = vec![entry("A", "-9223372036854775808"), entry("B", "7")];
    Attempt { answer: None, observed_at: None, entries, ..signed(seq, id) }
}

fn attempt(nonce: u64, seq: u32, id: u64) -> Record {
    Record::Attempt { account: account(1), nonce, attempt: signed(seq, id), at: Wall::from_ms(2_000) }
}

fn receipt(id: u64, block: u64) -> Receipt {
    Receipt {
        hash: hash(id),
        block_number: block,
        block_hash: hash(block << 32),
        success: true,
        gas_used: 42_000,
        gas_price_wei: 7,
    }
}

fn included(nonce: u64, id: u64, block: u64) -> Record {
    Record::Included { account: account(1), nonce, receipt: receipt(id, block) }
}

/// Without this the driver could not move its writes between threads.
#[tokio::test]
async fn the_journal_works_from_a_spawned_task() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    let task = tokio::spawn(async move {
        journal.append(&[intent(1, round("A", 1))]).await.unwrap();
        journal.reader().recovered().await.unwrap()
    });
    assert_eq!(task.await.unwrap().accounts[0].next_nonce, 2);
}
