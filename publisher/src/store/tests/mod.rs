//! What the journal promises, tried out on real files.

mod beliefs;
mod damage;
mod facts;
mod kill;
mod leases;
mod model;
mod orders;

use super::*;
use alloy::primitives::{Address, Bytes};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Wall;
use publisher_core::tx::{Attempt, Entry, Fee, Receipt, Work};
use sqlx::SqlitePool;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const CHAIN: u64 = 138;
const GENESIS: B256 = B256::repeat_byte(0x47);

#[path = "../../../../tests/src/ports.rs"]
mod ports;

/// A real server for the tests of this process, each of which has a database of its own.
#[path = "../../../../tests/src/postgres.rs"]
#[expect(dead_code, reason = "the integration tests need more of it")]
mod postgres;

/// Where one test's journal is, and what has to live as long.
struct Place {
    directory: TempDir,
    /// The path of the file, whether or not it is used.
    path: PathBuf,
    location: Location,
}

impl Place {
    /// A file.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let location = Location::from(&path);
        Self { directory, path, location }
    }

    /// A database on a real server; `None`, and a note past the test harness, where there cannot be one.
    fn server() -> Option<Self> {
        static SERVER: OnceLock<Option<postgres::Postgres>> = OnceLock::new();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server = SERVER.get_or_init(|| {
            let started = postgres::Postgres::start();
            started.inspect_err(|why| drop(writeln!(std::io::stderr(), "skipped on PostgreSQL: {why}"))).ok()
        });
        let name = format!("journal_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = server.as_ref()?;
        server.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        let location = Location::Server(server.url_of(&name).parse().unwrap());
        Some(Self { location, ..Self::new() })
    }

    /// Another one of the same kind.
    fn another(&self) -> Self {
        if self.location.is_shared() { Self::server().unwrap() } else { Self::new() }
    }

    /// A writer that holds the leases of all the accounts that tests use.
    async fn open(&self) -> (Writer, Recovered) {
        let (journal, recovered) = Journal::open(&self.location, CHAIN, GENESIS).await.unwrap();
        (Writer::new(journal).await, recovered)
    }

    async fn refused(&self) -> StoreError {
        Journal::open(&self.location, CHAIN, GENESIS).await.unwrap_err()
    }
}

/// Makes a test of a place run on a file and on a server.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $test() { super::$test(super::Place::new()).await })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() {
                if let Some(place) = super::Place::server() {
                    super::$test(place).await;
                }
            })*
        }
    };
}
use on_both;

/// A journal with the leases that writing to it takes.
struct Writer {
    journal: Journal,
    epochs: BTreeMap<Address, Epoch>,
}

impl Writer {
    async fn new(journal: Journal) -> Self {
        let accounts: BTreeSet<Address> = (1..4).map(account).collect();
        let beat = Beat { wants: accounts.clone(), take: accounts, ..Beat::default() };
        let epochs = journal.beat(&beat, None).await.unwrap().held;
        assert_eq!(epochs.len(), 3);
        Self { journal, epochs }
    }

    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        self.journal.append(records, &self.epochs).await
    }

    fn reader(&self) -> &Reader {
        self.journal.reader()
    }

    /// The connections to the file.
    fn pool(&self) -> &SqlitePool {
        pool(self.reader())
    }

    async fn close(self) {
        // A process that ends in order gives its leases up.
        let beat = Beat { release: self.epochs, ..Beat::default() };
        self.journal.beat(&beat, None).await.unwrap();
        self.journal.close().await;
    }
}

/// The connections to the file.
fn pool(reader: &Reader) -> &SqlitePool {
    match &reader.pool {
        db::Pool::Sqlite(pool) => pool,
        db::Pool::Postgres(_) => panic!("not on SQLite"),
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
