//! Files, paths, locks and disks that are not as they should be.

use super::*;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, SqliteConnection};
use std::io::{Seek, SeekFrom, Write};

/// Without this a moved or copied journal would replay one chain's nonces on another.
#[tokio::test]
async fn a_journal_of_another_chain_is_refused() {
    let place = Place::new();
    place.open().await.0.close().await;
    for (chain, genesis) in [(1, GENESIS), (CHAIN, B256::ZERO)] {
        let error = Journal::open(&place.path, chain, genesis).await.unwrap_err();
        assert!(matches!(error, StoreError::OtherChain { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("chain 138 with genesis 0x4747") && text.contains(&format!("chain {chain}")),
            "{text}"
        );
    }
    // And the refusal leaves no lock behind.
    place.open().await.0.close().await;
}

/// Without this two daemons would sign different transactions for one nonce.
#[tokio::test]
async fn a_second_writer_is_refused_while_the_first_lives() {
    let place = Place::new();
    let (first, _) = place.open().await;
    let error = place.refused().await;
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
    first.append(&[intent(1, round("A", 1))]).await.unwrap();
    drop(first);
    let (_second, recovered) = place.open().await;
    assert_eq!(recovered.accounts.len(), 1);
}

/// Without this `status` would need a stopped daemon, or would stop one.
#[tokio::test]
async fn reading_needs_no_lock_and_changes_nothing() {
    let place = Place::new();
    let error = Journal::open_read_only(&place.path).await.unwrap_err();
    assert!(error.to_string().contains("there is none"), "{error}");
    assert!(!place.path.exists());
    let (journal, _) = place.open().await;
    journal.append(&[intent(1, round("A", 1))]).await.unwrap();
    let reader = Journal::open_read_only(&place.path).await.unwrap();
    assert_eq!(reader.recovered().await.unwrap(), journal.reader().recovered().await.unwrap());
    assert!(sqlx::query("DELETE FROM sent").execute(pool(&reader)).await.is_err());
    journal.append(&[intent(2, round("A", 2))]).await.unwrap();
    assert_eq!(reader.account_nonces().await.unwrap()[0].next_nonce, 3);
    journal.close().await;
    reader.close().await;
    // And with no daemon at all.
    let reader = Journal::open_read_only(&place.path).await.unwrap();
    assert_eq!(reader.account_nonces().await.unwrap()[0].next_nonce, 3);
}

#[tokio::test]
async fn paths_that_cannot_be_a_journal_are_refused() {
    for path in ["", ":memory:", "file:journal.db?mode=memory", "file::memory:"] {
        let error = Journal::open(Path::new(path), CHAIN, GENESIS).await.unwrap_err();
        assert!(matches!(error, StoreError::Path { .. }), "{path:?}: {error}");
    }
    let place = Place::new();
    let nowhere = place.directory.path().join("missing").join("journal.db");
    let error = Journal::open(&nowhere, CHAIN, GENESIS).await.unwrap_err();
    assert!(error.to_string().contains("its directory does not exist; create it"), "{error}");
    let error = Journal::open(place.directory.path(), CHAIN, GENESIS).await.unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
}

/// Without this a wrong path in the configuration could spoil another program's data.
#[tokio::test]
async fn a_foreign_file_is_refused_and_left_alone() {
    let place = Place::new();
    let text = "not a database, but longer than the header of one would be; ".repeat(20);
    std::fs::write(&place.path, &text).unwrap();
    for error in [place.refused().await, Journal::open_read_only(&place.path).await.unwrap_err()] {
        assert!(matches!(error, StoreError::NotAJournal { .. }), "{error}");
        assert!(error.to_string().contains("journal.db is not a publisher's journal"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&place.path).unwrap(), text);

    let place = Place::new();
    let options = SqliteConnectOptions::new().filename(&place.path).create_if_missing(true);
    let mut stranger = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE diary (day TEXT)").execute(&mut stranger).await.unwrap();
    stranger.close().await.unwrap();
    let before = std::fs::read(&place.path).unwrap();
    let error = place.refused().await;
    assert!(error.to_string().contains("the SQLite database of another program"), "{error}");
    assert_eq!(std::fs::read(&place.path).unwrap(), before);
}

/// Without this a damaged page would be found in the middle of a round, or never.
#[tokio::test]
async fn a_damaged_file_is_refused() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    for nonce in 0..50 {
        journal.append(&[intent(nonce, round("A", nonce)), attempt(nonce, 0, nonce)]).await.unwrap();
    }
    journal.close().await;
    let length = std::fs::metadata(&place.path).unwrap().len();
    let mut file = std::fs::OpenOptions::new().write(true).open(&place.path).unwrap();
    for page in 2..length / 4096 {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0x5a; 512]).unwrap();
    }
    let error = place.refused().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("journal.db is damaged"), "{error}");

    // Cut short: half of the pages are missing.
    file.set_len(length / 2).unwrap();
    let error = place.refused().await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

/// Without this a full disk would end the daemon, or, worse, let it send what is not written.
#[tokio::test]
async fn a_full_disk_is_worth_another_try() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    let pages: u32 = sqlx::query_scalar("PRAGMA page_count").fetch_one(journal.pool()).await.unwrap();
    limit(&journal, pages).await;
    let data = Bytes::from(vec![1; 100_000]);
    let big = Work::Step { name: "create".into(), to: None, data };
    let batch = [intent(1, round("A", 1)), intent(2, big)];
    for _ in 0..3 {
        let error = journal.append(&batch).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("journal.db cannot be used at the moment"), "{error}");
        assert_eq!(journal.reader().recovered().await.unwrap(), Recovered::default());
    }
    limit(&journal, pages + 100).await;
    journal.append(&batch).await.unwrap();
    assert_eq!(journal.reader().recovered().await.unwrap().accounts[0].next_nonce, 3);
}

/// The disk of this and every later connection ends after so many pages.
async fn limit(journal: &Writer, pages: u32) {
    let pool = journal.pool();
    pool.set_connect_options(
        SqliteConnectOptions::clone(&pool.connect_options()).pragma("max_page_count", pages.to_string()),
    );
    sqlx::query(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(pool).await.unwrap();
}

/// Without this an operator's open `sqlite3` shell would end the daemon.
#[tokio::test]
async fn a_foreign_write_lock_is_worth_another_try() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    sqlx::query("PRAGMA busy_timeout = 50").execute(journal.pool()).await.unwrap();
    let options = SqliteConnectOptions::new().filename(&place.path);
    let mut operator = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut operator).await.unwrap();
    let batch = [intent(1, round("A", 1))];
    let error = journal.append(&batch).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    sqlx::query("ROLLBACK").execute(&mut operator).await.unwrap();
    journal.append(&batch).await.unwrap();
}

/// Without this a cancelled append would leave a transaction open that swallows the next one.
#[tokio::test]
async fn a_cancelled_append_can_be_repeated() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    for nonce in 0..30 {
        let batch = [intent(nonce, round("A", nonce)), attempt(nonce, 0, nonce)];
        let patience = std::time::Duration::from_micros(nonce * 40);
        let _ = tokio::time::timeout(patience, journal.append(&batch)).await;
        journal.append(&batch).await.unwrap();
    }
    journal.close().await;
    let (_journal, recovered) = place.open().await;
    assert_eq!(recovered.accounts[0].open.len(), 30);
}

/// Without this an upgrade, a downgrade or a start that was cut short would strand a journal.
#[tokio::test]
async fn schema_versions_are_told_apart() {
    let place = Place::new();
    let next = open::MIGRATIONS.iter().map(|m| m.version).max().unwrap() + 1;
    let sql = AssertSqlSafe("ALTER TABLE intent ADD COLUMN epoch INTEGER NOT NULL DEFAULT 1").into_sql_str();
    let addition = Migration::new(next, "epoch".into(), MigrationType::Simple, sql, false);
    let later =
        Migrator::with_migrations(open::MIGRATIONS.iter().cloned().chain([addition]).collect::<Vec<_>>());

    let (journal, _) = place.open().await;
    journal.append(&[intent(1, round("A", 1))]).await.unwrap();
    journal.close().await;
    let error = open::reader((&place.path).into(), Some(&later)).await.unwrap_err();
    assert!(error.to_string().contains("start the daemon once"), "{error}");

    let (journal, recovered) =
        open::writer((&place.path).into(), CHAIN, GENESIS, Some(&later)).await.unwrap();
    assert_eq!(recovered.accounts[0].next_nonce, 2);
    let journal = Writer::new(journal).await;
    journal.append(&[intent(2, round("A", 2))]).await.unwrap();
    journal.close().await;

    for error in [place.refused().await, Journal::open_read_only(&place.path).await.unwrap_err()] {
        assert!(matches!(error, StoreError::Version { .. }), "{error}");
        assert!(error.to_string().contains("use the publisher that wrote it"), "{error}");
    }
}

/// Without this a process killed while it made its journal could never start again.
#[tokio::test]
async fn a_journal_whose_making_was_cut_short_is_made_whole() {
    let place = Place::new();
    std::fs::write(&place.path, "").unwrap();
    place.open().await.0.close().await;

    let place = Place::new();
    let none = Migrator::with_migrations(vec![]);
    // Everything that comes before the first migration is done, and nothing after it.
    assert!(open::writer((&place.path).into(), CHAIN, GENESIS, Some(&none)).await.is_err());
    assert!(std::fs::metadata(&place.path).unwrap().len() > 0);
    place.open().await.0.close().await;
}
