//! Records in, facts out: idempotence, conflicts, recovery and what `status` reads.

use super::*;
use publisher_core::record::{Outcome, RecoveredAccount, RecoveredIntent, Scope, replay};
use publisher_core::spend::Payment;
use publisher_core::tx::SendOutcome;

on_both! {
    a_batch_is_kept_with_what_each_attempt_says_for_which_feed
    recovery_reads_back_what_is_open
    the_same_records_again_change_nothing
    a_different_record_under_the_same_key_is_refused
    what_a_decision_rested_on_is_kept_for_each_feed
    a_refused_batch_leaves_nothing_behind
    a_round_may_be_planned_again_unless_it_is_open_or_final
    rounds_are_counted_by_the_aggregator
    status_shows_rounds_newest_first
    what_broken_finality_took_is_reopened_and_may_end_otherwise
}

fn closed(nonce: u64, outcome: Outcome) -> Record {
    Record::Closed { account: account(1), nonce, outcome, at: Wall::from_ms(5_000) }
}

async fn refuses(journal: &Writer, record: Record, words: &[&str]) {
    let before = journal.reader().recovered().await.unwrap();
    let error = journal.append(std::slice::from_ref(&record)).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
    assert_eq!(journal.reader().recovered().await.unwrap(), before, "{record:?}");
}

/// Without this a restart would forget what it has in flight, or invent something.
async fn recovery_reads_back_what_is_open(place: Place) {
    let (journal, recovered) = place.open().await;
    assert_eq!(recovered, Recovered::default());
    let step =
        Work::Step { name: "create aggregator".into(), to: None, data: Bytes::from_static(&[0x60, 0x80]) };
    let call = Work::Step { name: "accept".into(), to: Some(account(9)), data: Bytes::new() };
    journal
        .append(&[
            intent(7, round("BTC-USD", 1)),
            attempt(7, 0, 70),
            attempt(7, 1, 71),
            included(7, 70, 100),
            closed(7, Outcome::Final),
            intent(8, round("BTC-USD", 2)),
            attempt(8, 1, 81),
            attempt(8, 0, 80),
            included(8, 81, 200),
            intent(9, step.clone()),
            Record::Intent { account: account(2), nonce: 0, work: call.clone(), at: Wall::from_ms(-1) },
            Record::Halted { scope: Scope::Chain, reason: "genesis".into(), at: Wall::from_ms(1) },
            Record::Resumed { scope: Scope::Chain, at: Wall::from_ms(2) },
            Record::Halted {
                scope: Scope::Account(account(1)),
                reason: "foreign".into(),
                at: Wall::from_ms(3),
            },
            Record::Halted {
                scope: Scope::Feed(FeedId::new("A")),
                reason: "jump".into(),
                at: Wall::from_ms(4),
            },
            Record::Resumed { scope: Scope::Feed(FeedId::new("B")), at: Wall::from_ms(5) },
        ])
        .await
        .unwrap();
    journal.close().await;

    let (journal, recovered) = place.open().await;
    let open = |nonce, work, attempts| RecoveredIntent { nonce, work, attempts };
    let expected = Recovered {
        accounts: vec![
            RecoveredAccount {
                account: account(1),
                next_nonce: 10,
                open: vec![
                    open(8, round("BTC-USD", 2), vec![signed(0, 80), signed(1, 81)]),
                    open(9, step, vec![]),
                ],
                closed: vec![],
                payments: vec![Payment {
                    nonce: 7,
                    feeds: vec![FeedId::new("BTC-USD")],
                    at: Wall::from_ms(5_000),
                    wei: 42_000 * 7,
                }],
            },
            RecoveredAccount {
                account: account(2),
                next_nonce: 1,
                open: vec![open(0, call, vec![])],
                closed: vec![],
                payments: vec![],
            },
        ],
        halts: vec![
            (Scope::Feed(FeedId::new("A")), "jump".into()),
            (Scope::Account(account(1)), "foreign".into()),
        ],
        anchor: Some((100, hash(100 << 32))),
    };
    assert_eq!(recovered, expected);
    let nonces = journal.reader().account_nonces().await.unwrap();
    assert_eq!(nonces.iter().map(|n| (n.next_nonce, n.open)).collect::<Vec<_>>(), [(10, 2), (1, 1)]);
}

/// Without this a commit whose answer was lost would stop the daemon when it is repeated.
async fn the_same_records_again_change_nothing(place: Place) {
    let (journal, _) = place.open().await;
    let moved = Receipt { block_number: 12, block_hash: hash(12 << 32), ..receipt(30, 11) };
    let batches = [
        vec![intent(3, round("A", 1)), attempt(3, 0, 30)],
        vec![Record::Sent {
            account: account(1),
            hash: hash(30),
            outcome: SendOutcome::Ambiguous,
            at: Wall::from_ms(1),
        }],
        vec![included(3, 30, 10)],
        vec![Record::Orphaned { account: account(1), nonce: 3 }],
        // Back into the first block, away again, into another one, and closed, all at once.
        vec![
            included(3, 30, 10),
            Record::Orphaned { account: account(1), nonce: 3 },
            Record::Included { account: account(1), nonce: 3, receipt: moved },
            closed(3, Outcome::Final),
        ],
        vec![
            Record::Halted { scope: Scope::Chain, reason: "x".into(), at: Wall::from_ms(1) },
            Record::Resumed { scope: Scope::Chain, at: Wall::from_ms(1) },
        ],
    ];
    for batch in &batches {
        journal.append(batch).await.unwrap();
        let after = (journal.reader().recovered().await.unwrap(), status(&journal, "A").await);
        journal.append(batch).await.unwrap();
        assert_eq!(
            (journal.reader().recovered().await.unwrap(), status(&journal, "A").await),
            after,
            "{batch:?}"
        );
    }
    let recovered = journal.reader().recovered().await.unwrap();
    assert_eq!(recovered.anchor, Some((12, hash(12 << 32))));
    assert_eq!(recovered.halts, []);
    assert_eq!(recovered, replay(batches.iter().flatten()), "the core's own reading of these records");
}

async fn status(journal: &Writer, feed: &str) -> Vec<RoundEntry> {
    journal.reader().rounds(&FeedId::new(feed), 100).await.unwrap()
}

/// Without this nobody can say later why a round of last year's was published, or left to repeat another.
async fn what_a_decision_rested_on_is_kept_for_each_feed(place: Place) {
    use publisher_core::policy::{Conduct, MarketState, Status, Trigger};
    use publisher_core::record::Why;
    let (journal, _) = place.open().await;
    let decided = |trigger, market| {
        let why = Why { feed: FeedId::new("A"), trigger, market };
        Record::Decided { account: account(1), nonce: 1, why }
    };
    let market = MarketState {
        calendar: "nyse".into(),
        digest: B256::repeat_byte(0xca),
        status: Status::Closed,
        conduct: Conduct::HeartbeatOnly,
    };
    let repeat = decided(Trigger::Repeat, Some(market.clone()));
    refuses(&journal, repeat.clone(), &["nonce 1", "no intent"]).await;
    journal.append(&[intent(1, round("A", 5)), repeat.clone()]).await.unwrap();
    journal.append(&[intent(1, round("A", 5)), repeat]).await.unwrap();
    refuses(&journal, decided(Trigger::Deviation, None), &["decision about A", "repeat", "deviation"]).await;
    let market = MarketState { digest: B256::ZERO, ..market };
    refuses(&journal, decided(Trigger::Repeat, Some(market)), &["decision about A", "nyse"]).await;
    journal.append(&[intent(2, round("A", 6))]).await.unwrap();
    let decisions = status(&journal, "A").await.into_iter().map(|round| round.decision);
    let market = DecidedMarket {
        calendar: "nyse".into(),
        digest: B256::repeat_byte(0xca),
        status: "closed".into(),
        conduct: "heartbeat_only".into(),
    };
    let repeat = Decision { trigger: "repeat".into(), market: Some(market) };
    assert_eq!(decisions.collect::<Vec<_>>(), [None, Some(repeat)]);
}

/// Without this two histories could share one nonce, one round or one hash.
async fn a_different_record_under_the_same_key_is_refused(place: Place) {
    let (journal, _) = place.open().await;
    journal
        .append(&[intent(1, round("A", 5)), attempt(1, 0, 10), included(1, 10, 50), intent(2, round("A", 6))])
        .await
        .unwrap();

    refuses(&journal, intent(1, round("A", 7)), &["intent of nonce 1", "round: 5", "round: 7"]).await;
    let later =
        Record::Intent { account: account(1), nonce: 1, work: round("A", 5), at: Wall::from_ms(1_001) };
    refuses(&journal, later, &["1000ms", "1001ms"]).await;
    refuses(&journal, intent(3, round("A", 5)), &["round 5 of feed A", "nonce 1", "nonce 3"]).await;

    refuses(&journal, attempt(2, 0, 10), &["attempt 0x", "nothing was written"]).await;
    refuses(&journal, attempt(1, 0, 11), &["attempt 0 of nonce 1"]).await;
    refuses(&journal, attempt(4, 0, 40), &["nonce 4", "no intent"]).await;
    let empty = Attempt { raw: Bytes::new(), ..signed(1, 12) };
    let record = |attempt| Record::Attempt { account: account(1), nonce: 1, attempt, at: Wall::from_ms(1) };
    refuses(&journal, record(empty), &["no bytes"]).await;
    let absurd = Fee::Eip1559 { max_fee_wei: 9, max_priority_wei: 10 };
    refuses(&journal, record(Attempt { fee: absurd, ..signed(1, 12) }), &["tip 10", "above"]).await;
    refuses(&journal, record(Attempt { gas_limit: u64::MAX, ..signed(1, 12) }), &["gas limit", "2^63"]).await;

    let sent = Record::Sent {
        account: account(1),
        hash: hash(99),
        outcome: SendOutcome::Accepted,
        at: Wall::from_ms(1),
    };
    refuses(&journal, sent, &["no attempt"]).await;
    refuses(&journal, included(1, 99, 50), &["no attempt"]).await;
    refuses(&journal, included(2, 10, 50), &["nonce 1 of", "nonce 2 of"]).await;
    let failed = Receipt { success: false, ..receipt(10, 50) };
    let failed = Record::Included { account: account(1), nonce: 1, receipt: failed };
    refuses(&journal, failed, &["success: true", "success: false"]).await;
    refuses(&journal, Record::Orphaned { account: account(1), nonce: 9 }, &["no intent"]).await;
    refuses(&journal, closed(9, Outcome::Final), &["no intent"]).await;

    journal.append(&[closed(1, Outcome::Final)]).await.unwrap();
    refuses(&journal, closed(1, Outcome::Foreign), &["Final", "Foreign"]).await;
    refuses(&journal, attempt(1, 1, 13), &["closed as final"]).await;
    refuses(&journal, included(1, 10, 51), &["closed as final"]).await;
    refuses(&journal, intent(3, round("A", 5)), &["round 5 of feed A"]).await;
}

/// Without this half of what belongs together could be on disk.
async fn a_refused_batch_leaves_nothing_behind(place: Place) {
    let (journal, _) = place.open().await;
    let batch = [intent(1, round("A", 1)), attempt(1, 0, 10), attempt(1, 0, 11)];
    assert!(matches!(journal.append(&batch).await, Err(StoreError::Conflict { .. })));
    assert_eq!(journal.reader().recovered().await.unwrap(), Recovered::default());
    journal.append(&batch[..2]).await.unwrap();
    assert_eq!(journal.reader().recovered().await.unwrap().accounts.len(), 1);
}

/// Without this a round that reverted, or whose nonce was filled or taken, could never be published.
async fn a_round_may_be_planned_again_unless_it_is_open_or_final(place: Place) {
    for (outcome, free) in [
        (Outcome::Reverted, true),
        (Outcome::NoopFilled, true),
        (Outcome::Foreign, true),
        (Outcome::Final, false),
    ] {
        let place = place.another();
        let (journal, _) = place.open().await;
        journal.append(&[intent(1, round("A", 1)), intent(2, round("B", 1))]).await.unwrap();
        assert!(journal.append(&[intent(3, round("A", 1))]).await.is_err());
        let other =
            Record::Intent { account: account(2), nonce: 3, work: round("A", 1), at: Wall::from_ms(1) };
        journal.append(&[other]).await.unwrap();
        journal.append(&[closed(1, outcome)]).await.unwrap();
        assert_eq!(journal.append(&[intent(3, round("A", 1))]).await.is_ok(), free, "{outcome:?}");
        // The nonce stays spent in every case.
        assert!(journal.append(&[intent(1, round("A", 9))]).await.is_err());
    }
}

/// Without this a feed could never move to a new aggregator, whose rounds begin again at 1.
async fn rounds_are_counted_by_the_aggregator(place: Place) {
    let (journal, _) = place.open().await;
    let on = |aggregator| Work::Round { feed: FeedId::new("A"), aggregator: account(aggregator), round: 1 };
    journal.append(&[intent(1, on(7)), closed(1, Outcome::Final), intent(2, on(8))]).await.unwrap();
    refuses(&journal, intent(3, on(7)), &["round 1 of feed A"]).await;
    refuses(&journal, intent(3, on(8)), &["round 1 of feed A"]).await;
}

/// Without this a death would leave it open what a batch says, or two batches would race for one sequence.
async fn a_batch_is_kept_with_what_each_attempt_says_for_which_feed(place: Place) {
    let (journal, _) = place.open().await;
    let batch = |sequence| Work::Batch { store: account(9), sequence };
    let said = |seq, id, attempt: fn(u32, u64) -> Attempt| Record::Attempt {
        account: account(1),
        nonce: 1,
        attempt: attempt(seq, id),
        at: Wall::from_ms(2_000),
    };
    let records = [intent(1, batch(5)), said(0, 10, batched), said(1, 11, batched)];
    journal.append(&records).await.unwrap();
    journal.append(&records).await.unwrap();
    refuses(&journal, intent(2, batch(5)), &["sequence 5 of store", "nonce 1"]).await;
    journal.append(&[intent(2, batch(6))]).await.unwrap();
    // The same bytes can have said one thing only.
    let mut other = batched(0, 10);
    other.entries.truncate(1);
    let other = Record::Attempt { account: account(1), nonce: 1, attempt: other, at: Wall::from_ms(2_000) };
    refuses(&journal, other, &["the attempt"]).await;
    for statement in ["DELETE FROM entry", "UPDATE entry SET answer = '8'"] {
        let mut db = journal.reader().pool.acquire().await.unwrap();
        assert!(db.batch(statement).await.is_err(), "{statement}");
    }
    let recovered = journal.reader().recovered().await.unwrap();
    let open = &recovered.accounts[0].open;
    assert_eq!((&open[0].work, &open[0].attempts), (&batch(5), &vec![batched(0, 10), batched(1, 11)]));
    assert_eq!(recovered, replay(records.iter().chain([&intent(2, batch(6))])));
    for feed in ["A", "B"] {
        let rounds = journal.reader().rounds(&FeedId::new(feed), 5).await.unwrap();
        assert_eq!(rounds.len(), 1);
        assert_eq!((rounds[0].contract, rounds[0].number, rounds[0].in_batch), (account(9), 5, true));
    }
    assert_eq!(journal.reader().rounds(&FeedId::new("C"), 5).await.unwrap(), []);
}

/// Without this an operator would be shown another history than the one that is written.
async fn status_shows_rounds_newest_first(place: Place) {
    let (journal, _) = place.open().await;
    let plan = |nonce, n| Record::Intent {
        account: account(1),
        nonce,
        work: round("A", n),
        at: Wall::from_ms(i64::try_from(n).unwrap()),
    };
    let sent = |id, outcome, ms| Record::Sent {
        account: account(1),
        hash: hash(id),
        outcome,
        at: Wall::from_ms(ms),
    };
    journal
        .append(&[
            plan(1, 1),
            plan(2, 2),
            plan(3, 3),
            intent(4, round("B", 1)),
            attempt(2, 0, 20),
            attempt(2, 1, 21),
            // The newest record counts, even if the clock went back in between.
            sent(20, SendOutcome::Accepted, 9),
            sent(20, SendOutcome::FeeTooLow, 8),
            included(2, 21, 40),
            closed(2, Outcome::Reverted),
        ])
        .await
        .unwrap();
    let reader = Journal::open_read_only(&place.location).await.unwrap();
    assert_eq!(reader.chain().await.unwrap(), (CHAIN, GENESIS));
    let rounds = reader.rounds(&FeedId::new("A"), 2).await.unwrap();
    let entry = |nonce, n| RoundEntry {
        account: account(1),
        nonce,
        contract: account(b'A'),
        number: n,
        in_batch: false,
        planned_at: Wall::from_ms(i64::try_from(n).unwrap()),
        decision: None,
        attempts: vec![],
        inclusion: None,
        closed: None,
    };
    let at = |attempt, sent| AttemptEntry { attempt, signed_at: Wall::from_ms(2_000), sent };
    let second = RoundEntry {
        attempts: vec![
            at(signed(0, 20), Some((SendOutcome::FeeTooLow, Wall::from_ms(8)))),
            at(signed(1, 21), None),
        ],
        inclusion: Some(receipt(21, 40)),
        closed: Some((Outcome::Reverted, Wall::from_ms(5_000))),
        ..entry(2, 2)
    };
    assert_eq!(rounds, [entry(3, 3), second]);
    assert_eq!(reader.rounds(&FeedId::new("nobody"), 2).await.unwrap(), []);

    // What the daemon writes from now on is seen as well.
    journal.append(&[plan(5, 5)]).await.unwrap();
    assert_eq!(reader.rounds(&FeedId::new("A"), 1).await.unwrap(), [entry(5, 5)]);
}

/// Without this "written" would mean less than "on the disk", which no test that kills only a process can see.
#[tokio::test]
async fn every_connection_writes_through() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    for _ in 0..2 {
        let pool = journal.pool();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await.unwrap();
        let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.unwrap();
        assert_eq!((mode.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
        // And the connection that replaces one that was given up.
        pool.acquire().await.unwrap().close().await.unwrap();
    }
}

/// Without this a round that counted as final and is gone could neither be sent again nor be planned anew.
async fn what_broken_finality_took_is_reopened_and_may_end_otherwise(place: Place) {
    let (journal, _) = place.open().await;
    let halt = Record::Halted { scope: Scope::Chain, reason: "broken".into(), at: Wall::from_ms(8_000) };
    let reopened = |nonce| Record::Reopened { account: account(1), nonce, at: Wall::from_ms(9_000) };
    let story = [
        intent(0, round("A", 1)),
        attempt(0, 0, 10),
        included(0, 10, 50),
        closed(0, Outcome::Reverted),
        intent(1, round("A", 1)),
        attempt(1, 0, 11),
        included(1, 11, 51),
        closed(1, Outcome::Final),
        intent(2, round("A", 2)),
        closed(2, Outcome::Foreign),
    ];
    journal.append(&story).await.unwrap();
    assert_eq!(journal.reader().recovered().await.unwrap().accounts[0].closed, []);
    journal.append(&[halt]).await.unwrap();
    let recovered = journal.reader().recovered().await.unwrap();
    let nonces: Vec<u64> = recovered.accounts[0].closed.iter().map(|intent| intent.nonce).collect();
    assert_eq!(nonces, [0, 1], "what strangers took is not ours to find again");
    assert_eq!(recovered.accounts[0].closed[1].attempts, [signed(0, 11)]);

    refuses(&journal, reopened(7), &["no intent"]).await;
    let resumed = Record::Resumed { scope: Scope::Chain, at: Wall::from_ms(9_000) };
    // Both were for the same round, and both nonces are wanted again.
    journal.append(&[resumed, reopened(0), reopened(1)]).await.unwrap();
    journal.append(&story).await.unwrap();
    let recovered = journal.reader().recovered().await.unwrap();
    assert_eq!(
        (recovered.accounts[0].open.len(), recovered.anchor),
        (2, None),
        "the old story changes nothing"
    );
    refuses(&journal, intent(3, round("A", 1)), &["round 1", "nonce"]).await;
    let end =
        |nonce, outcome| Record::Closed { account: account(1), nonce, outcome, at: Wall::from_ms(9_500) };
    journal.append(&[included(0, 10, 60), end(0, Outcome::Final)]).await.unwrap();
    journal
        .append(&[included(1, 11, 61), end(1, Outcome::Reverted), reopened(0), reopened(1)])
        .await
        .unwrap();
    let recovered = journal.reader().recovered().await.unwrap();
    assert_eq!(recovered.accounts[0].open, [], "an old reopening is not a new one");
    assert_eq!(recovered.anchor.map(|(number, _)| number), Some(61));
}

/// Without this a second hand in the file could take back what was written.
#[tokio::test]
async fn the_database_itself_keeps_facts() {
    let place = Place::new();
    let (journal, _) = place.open().await;
    journal
        .append(&[intent(1, round("A", 1)), attempt(1, 0, 10), closed(1, Outcome::Reverted)])
        .await
        .unwrap();
    for statement in [
        "DELETE FROM intent",
        "DELETE FROM attempt",
        "UPDATE intent SET nonce = 2",
        "UPDATE intent SET closed = NULL, closed_at_ms = NULL",
        "UPDATE intent SET closed = NULL, closed_at_ms = NULL, reopened = 1",
        "UPDATE intent SET closed = 'final'",
        "UPDATE attempt SET raw = x'00'",
        "INSERT INTO attempt SELECT x'0000000000000000000000000000000000000000000000000000000000000001', account, \
         nonce, 1, x'', kind, tip_wei, cap_wei, gas_limit, NULL, NULL, 0 FROM attempt",
        "INSERT INTO attempt SELECT x'0000000000000000000000000000000000000000000000000000000000000001', account, \
         nonce, 1, raw, kind, cap_wei, tip_wei, gas_limit, NULL, NULL, 0 FROM attempt",
        "INSERT INTO chain VALUES (2, 1, x'0000000000000000000000000000000000000000000000000000000000000001')",
    ] {
        let refused = sqlx::query(statement).execute(journal.pool()).await;
        assert!(refused.is_err(), "{statement}");
    }
}
