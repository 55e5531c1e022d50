//! Two processes with one journal: who may write, and what becomes of one that believes it may.

use super::*;
use std::time::Duration;

on_both! {
    nothing_is_written_without_the_lease
    every_take_over_raises_the_epoch
}

const LEASE: Option<Span> = Some(Span::from_s(30));

fn only(n: u8) -> BTreeSet<Address> {
    BTreeSet::from([account(n)])
}

fn take(n: u8) -> Beat {
    Beat { wants: only(n), take: only(n), ..Beat::default() }
}

fn is_fenced(answer: &Result<(), StoreError>) -> bool {
    matches!(answer, Err(StoreError::Fenced { accounts }) if accounts.contains(&account(1)))
}

/// Without this the journal would take a record from whoever has one.
async fn nothing_is_written_without_the_lease(place: Place) {
    let (journal, before) = Journal::open(&place.location, CHAIN, GENESIS).await.unwrap();
    let batch = [intent(1, round("A", 1))];
    assert!(is_fenced(&journal.append(&batch, &BTreeMap::new()).await), "it never had a lease");
    let held = journal.beat(&take(1), LEASE).await.unwrap().held;
    let wrong = held.iter().map(|(account, epoch)| (*account, epoch + 1)).collect();
    assert!(is_fenced(&journal.append(&batch, &wrong).await), "it has another epoch");
    journal.beat(&Beat { release: held.clone(), ..Beat::default() }, LEASE).await.unwrap();
    let again = journal.beat(&take(1), LEASE).await.unwrap().held;
    assert!(is_fenced(&journal.append(&batch, &held).await), "the epoch is over");
    // One account's lease says nothing about another's record, and refuses the whole batch.
    let other = Record::Intent { account: account(2), nonce: 1, work: round("B", 1), at: Wall::from_ms(1) };
    let mixed = [batch[0].clone(), other];
    assert!(matches!(journal.append(&mixed, &again).await, Err(StoreError::Fenced { .. })));
    assert_eq!(journal.reader().recovered().await.unwrap(), before);
    journal.append(&batch, &again).await.unwrap();
    // What concerns the whole chain is everybody's to say.
    let halt = Record::Halted {
        scope: publisher_core::record::Scope::Chain,
        reason: "broken".into(),
        at: Wall::from_ms(1),
    };
    journal.append(&[halt], &BTreeMap::new()).await.unwrap();
}

/// Without this a process that comes back would write in the name of the one that replaced it.
async fn every_take_over_raises_the_epoch(place: Place) {
    let mut last = 0;
    for _ in 0..3 {
        let (journal, _) = Journal::open(&place.location, CHAIN, GENESIS).await.unwrap();
        let held = journal.beat(&take(1), LEASE).await.unwrap().held;
        assert!(held[&account(1)] > last, "{held:?} after {last}");
        last = held[&account(1)];
        journal.beat(&Beat { release: held, ..Beat::default() }, LEASE).await.unwrap();
        journal.close().await;
    }
}

/// Without this two replicas would hold one lease, or a dead one's would never end.
#[tokio::test]
async fn f59_a_lease_is_held_by_one_replica_until_it_ends_and_then_by_the_other() {
    let Some(place) = Place::server() else { return };
    let (first, _) = Journal::open(&place.location, CHAIN, GENESIS).await.unwrap();
    let (second, _) = Journal::open(&place.location, CHAIN, GENESIS).await.unwrap();
    assert_ne!(first.me(), second.me());
    let short = Some(Span::from_ms(1_500));
    let held = first.beat(&take(1), short).await.unwrap().held;
    let board = second.beat(&take(1), short).await.unwrap();
    assert!(board.held.is_empty());
    let (holder, left) = &board.busy[&account(1)];
    assert!(holder == first.me() && left.ms() > 0 && left.ms() <= 1_500, "{holder} {left}");
    assert_eq!(board.replicas.iter().map(|r| &r.id).collect::<Vec<_>>(), [first.me(), second.me()]);

    let batch = [intent(1, round("A", 1))];
    first.append(&batch, &held).await.unwrap();
    let renewed = Beat { wants: only(1), renew: held.clone(), ..Beat::default() };
    assert_eq!(first.beat(&renewed, short).await.unwrap().held, held);
    // Nobody beats for the first one any more.
    let taken = loop {
        let taken = second.beat(&take(1), LEASE).await.unwrap().held;
        if !taken.is_empty() {
            break taken;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(taken[&account(1)], held[&account(1)] + 1);
    assert!(is_fenced(&first.append(&[attempt(1, 0, 1)], &held).await), "a zombie");
    assert_eq!(first.beat(&renewed, LEASE).await.unwrap().held, BTreeMap::new());
    second.append(&[attempt(1, 0, 2)], &taken).await.unwrap();
    assert!(is_fenced(&first.append(&batch, &held).await), "not even what is there already");
}

/// Without this a process that was frozen in the middle of a write would hold up the take-over for ever.
#[tokio::test]
async fn f59_a_transaction_that_goes_on_for_too_long_is_cut_off() {
    let Some(place) = Place::server() else { return };
    let (first, _) = Journal::open(&place.location, CHAIN, GENESIS).await.unwrap();
    let (second, _) = Journal::open(&place.location, CHAIN, GENESIS).await.unwrap();
    let held = first.beat(&take(1), Some(Span::from_ms(10))).await.unwrap().held;
    let (me, pool) = (first.me().clone(), first.reader.pool.clone());
    // It has checked its lease, and then nothing more is heard of it.
    let (checked, was_checked) = tokio::sync::oneshot::channel();
    let frozen = tokio::spawn(async move {
        transaction(&pool, Access::Write, async |db| {
            assert!(lease::fenced(db, &me, &held).await?.is_empty());
            checked.send(()).unwrap();
            std::future::pending::<Result<(), StoreError>>().await
        })
        .await
    });
    was_checked.await.unwrap();
    let began = std::time::Instant::now();
    let taken = loop {
        match second.beat(&take(1), LEASE).await {
            Ok(board) if !board.held.is_empty() => break board.held,
            _ => {}
        }
    };
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    second.append(&[intent(1, round("A", 1))], &taken).await.unwrap();
    frozen.abort();
}

/// Without this a password in the database's URL would be in a log line.
#[tokio::test]
async fn f77_a_server_that_does_not_answer_is_named_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://me:hunter2@127.0.0.1:{closed}/oracle?sslkey=hunter2");
    let error = Journal::open(&Location::Server(url.parse().unwrap()), CHAIN, GENESIS).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains(&format!("postgres://127.0.0.1:{closed}/oracle")) && !text.contains("hunter2"),
        "{text}"
    );
}

/// Without this a wrong URL could spoil another program's data.
#[tokio::test]
async fn a_foreign_database_is_refused_and_left_alone() {
    let Some(place) = Place::server() else { return };
    let db::Pool::Postgres(pool) = place.open().await.0.journal.reader.pool.clone() else {
        panic!("no server")
    };
    sqlx::query("DROP TABLE lease").execute(&pool).await.unwrap();
    for error in [place.refused().await, Journal::open_read_only(&place.location).await.unwrap_err()] {
        assert!(matches!(error, StoreError::NotAJournal { .. }), "{error}");
    }
}

/// Without this a second hand in the database could take back what was written.
#[tokio::test]
async fn the_server_itself_keeps_facts() {
    let Some(place) = Place::server() else { return };
    let (journal, _) = place.open().await;
    let closed = Record::Closed {
        account: account(1),
        nonce: 1,
        outcome: publisher_core::record::Outcome::Reverted,
        at: Wall::from_ms(5),
    };
    journal.append(&[intent(1, round("A", 1)), attempt(1, 0, 10), closed]).await.unwrap();
    let db::Pool::Postgres(pool) = &journal.journal.reader.pool else { panic!("no server") };
    for statement in [
        "DELETE FROM intent",
        "DELETE FROM attempt",
        "DELETE FROM lease",
        "UPDATE lease SET epoch = epoch - 1",
        "UPDATE intent SET nonce = 2",
        "UPDATE intent SET closed = NULL, closed_at_ms = NULL",
        "UPDATE intent SET closed = NULL, closed_at_ms = NULL, reopened = 1",
        "UPDATE intent SET closed = 'final'",
        "UPDATE attempt SET raw = '\\x00'",
        "INSERT INTO attempt SELECT decode(repeat('01', 32), 'hex'), account, nonce, 1, '', kind, tip_wei, cap_wei, \
         gas_limit, NULL, NULL, 0 FROM attempt",
        "INSERT INTO attempt SELECT decode(repeat('01', 32), 'hex'), account, nonce, 1, raw, kind, cap_wei, tip_wei, \
         gas_limit, NULL, NULL, 0 FROM attempt",
        "INSERT INTO chain VALUES (2, 1, decode(repeat('01', 32), 'hex'))",
    ] {
        let refused = sqlx::query(statement).execute(pool).await;
        assert!(refused.is_err(), "{statement}");
    }
}
