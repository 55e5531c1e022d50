//! What operators say, beside the daemon that has the journal.

use super::*;
use publisher_core::policy::{Instruction, Order, Subject};

on_both! {
    orders_are_given_beside_the_daemon_and_end_by_themselves_or_by_another_word
    what_was_said_is_kept
    an_order_without_an_end_or_a_reason_is_refused
    a_halt_ends_by_its_own_word_alone_and_its_end_is_known_afterwards
}

fn of(feed: &str) -> Subject {
    Subject::Feed(FeedId::new(feed))
}

fn order(feed: &str, what: Instruction, until_ms: i64) -> Order {
    Order {
        id: 0,
        of: of(feed),
        what,
        said_at: Wall::from_ms(1_000),
        until: Wall::from_ms(until_ms),
        by: "ann".into(),
        reason: "venue maintenance".into(),
    }
}

async fn standing(desk: &Desk, now_ms: i64) -> Vec<u64> {
    let orders = desk.reader().orders(Wall::from_ms(now_ms)).await.unwrap();
    orders.iter().map(|order| order.id).collect()
}

/// Without it an operator would have to stop the daemon to pause a feed, and a pause could be forgotten.
async fn orders_are_given_beside_the_daemon_and_end_by_themselves_or_by_another_word(place: Place) {
    let (writer, _) = place.open().await;
    let desk = Journal::open_desk(&place.location).await.unwrap();
    let heartbeat = Instruction::Heartbeat(Span::from_s(60));
    let submit = Instruction::Submit;
    let kinds = [Instruction::Pause, Instruction::PauseDeviations, Instruction::Accept, heartbeat, submit];
    let mut given = Vec::new();
    for (what, until_ms) in kinds.into_iter().zip([2_000, 3_000, 4_000, 5_000]) {
        given.push(desk.order(order("A", what, until_ms)).await.unwrap());
    }
    let other = desk.order(order("B", Instruction::Pause, 9_000)).await.unwrap();
    given.push(other.clone());
    // The daemon reads what was written beside it, and goes on writing.
    assert_eq!(writer.reader().orders(Wall::from_ms(1_000)).await.unwrap(), given);
    writer.append(&[intent(1, round("A", 1))]).await.unwrap();
    let ids: Vec<u64> = given.iter().map(|order| order.id).collect();
    assert_eq!(standing(&desk, 1_999).await, ids);
    assert_eq!(standing(&desk, 2_000).await, ids[1..]);
    assert_eq!(standing(&desk, 8_999).await, ids[4..]);
    let resumed = Wall::from_ms(1_500);
    desk.resume(&FeedId::new("A"), "bob", "done", resumed).await.unwrap();
    assert_eq!(standing(&desk, 1_500).await, [other.id], "the other feed's stands");
    let again = desk.order(order("A", Instruction::Pause, 9_000)).await.unwrap();
    assert_eq!(standing(&desk, 1_500).await, [other.id, again.id], "what is said later holds");
    desk.close().await;
}

/// Without it nobody could say afterwards who paused a feed, and why.
async fn what_was_said_is_kept(place: Place) {
    let (writer, _) = place.open().await;
    let desk = Journal::open_desk(&place.location).await.unwrap();
    desk.order(order("A", Instruction::Pause, 2_000)).await.unwrap();
    desk.order(order("B", Instruction::Pause, 2_000)).await.unwrap();
    desk.resume(&FeedId::new("A"), "bob", "done", Wall::from_ms(1_500)).await.unwrap();
    let said = writer.reader().orders_said(&of("A"), 9).await.unwrap();
    let lines: Vec<_> = said.iter().map(|s| (s.what, s.by.as_str(), s.reason.as_str())).collect();
    assert_eq!(
        lines,
        [(Word::Resume, "bob", "done"), (Word::Order(Instruction::Pause), "ann", "venue maintenance")],
        "the newest first"
    );
    assert_eq!(writer.reader().orders_said(&of("A"), 1).await.unwrap().len(), 1);
    desk.close().await;
}

/// Without it a slip would silence a feed for ever, or for reasons that nobody knows.
async fn an_order_without_an_end_or_a_reason_is_refused(place: Place) {
    let (_writer, _) = place.open().await;
    let desk = Journal::open_desk(&place.location).await.unwrap();
    let good = order("A", Instruction::Pause, 2_000);
    for bad in [
        Order { until: good.said_at, ..good.clone() },
        Order { reason: String::new(), ..good.clone() },
        Order { by: String::new(), ..good.clone() },
        Order { what: Instruction::Heartbeat(Span::ZERO), ..good.clone() },
    ] {
        assert!(desk.order(bad.clone()).await.is_err(), "{bad:?}");
    }
    assert!(standing(&desk, 1_000).await.is_empty());
    desk.close().await;
}

/// Without it whoever ends a pause ends a halt that others gave, or the end of a halt is forgotten, and with it that
/// prices of before it are not those of after it.
async fn a_halt_ends_by_its_own_word_alone_and_its_end_is_known_afterwards(place: Place) {
    let (writer, _) = place.open().await;
    let desk = Journal::open_desk(&place.location).await.unwrap();
    let calendar = |name: &str| Subject::Calendar(name.into());
    let mut given = Vec::new();
    // A calendar may be called as a feed is: they are two things.
    for of in [of("A"), calendar("A"), calendar("nyse")] {
        let halt = Order { of, ..order("", Instruction::Halt, 5_000) };
        given.push(desk.order(halt).await.unwrap());
    }
    let pause = desk.order(order("A", Instruction::Pause, 9_000)).await.unwrap();
    assert_eq!(writer.reader().orders(Wall::from_ms(1_000)).await.unwrap()[..3], given);
    let at = Wall::from_ms(2_000);
    desk.resume(&FeedId::new("A"), "bob", "done", at).await.unwrap();
    assert_eq!(desk.reader().orders(at).await.unwrap(), given, "only the pause {} is over", pause.id);
    desk.resume_market(&calendar("A"), "bob", "it trades", Wall::from_ms(3_000)).await.unwrap();
    desk.resume_market(&calendar("A"), "bob", "it trades", Wall::from_ms(4_000)).await.unwrap();
    given[1].until = Wall::from_ms(3_000);
    let later = Wall::from_ms(5_000);
    assert_eq!(desk.reader().orders(later).await.unwrap(), given, "each with its end");
    let again = desk.order(Order { until: Wall::from_ms(6_000), ..given[1].clone() }).await.unwrap();
    assert_eq!(desk.reader().orders(later).await.unwrap().last(), Some(&again), "what is said later holds");
    let month = Wall::from_ms(30 * 86_400_000 + 5_000);
    assert_eq!(desk.reader().orders(month).await.unwrap(), [again], "what is long over is forgotten");
    let said = desk.reader().orders_said(&calendar("A"), 9).await.unwrap();
    let words: Vec<_> = said.iter().map(|line| line.what.code()).collect();
    assert_eq!(words, ["halt", "market_resume", "market_resume", "halt"]);
    // Only a halt is about a calendar.
    for what in [Instruction::Pause, Instruction::Accept, Instruction::Heartbeat(Span::from_s(1))] {
        let bad = Order { of: calendar("A"), ..order("", what, 9_000) };
        assert!(desk.order(bad).await.is_err(), "{what:?}");
    }
    desk.close().await;
}

/// Without it an upgrade loses what operators said, or the numbers by which their words are told apart.
#[tokio::test]
async fn an_older_journals_orders_keep_their_numbers_and_what_guards_them() {
    let place = Place::new();
    let of_before = open::MIGRATIONS.iter().filter(|migration| migration.version < 7).cloned();
    let older =
        sqlx::migrate::Migrator { migrations: of_before.collect(), ..sqlx::migrate::Migrator::DEFAULT };
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&place.path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    older.run(&pool).await.unwrap();
    for (id, kind, until) in [(3, "pause", 9_000), (4, "resume", 1_000), (9, "accept", 9_000)] {
        let sql = "INSERT INTO feed_order (id, feed, kind, said_at_ms, until_ms, operator, reason) \
                   VALUES ($1, 'A', $2, 1000, $3, 'ann', 'why')";
        sqlx::query(sql).bind(id).bind(kind).bind(until).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let (_writer, _) = place.open().await;
    let desk = Journal::open_desk(&place.location).await.unwrap();
    assert_eq!(standing(&desk, 1_000).await, [9]);
    let said = desk.reader().orders_said(&of("A"), 9).await.unwrap();
    let lines: Vec<_> = said.iter().map(|line| (line.id, line.what.code(), line.said_at.ms())).collect();
    assert_eq!(lines, [(9, "accept", 1_000), (4, "resume", 1_000), (3, "pause", 1_000)]);
    let next = desk.order(order("A", Instruction::Halt, 9_000)).await.unwrap();
    assert_eq!(next.id, 10, "no number is given twice");
    desk.close().await;
    let pool = SqlitePool::connect(place.path.to_str().unwrap()).await.unwrap();
    for change in ["DELETE FROM feed_order", "UPDATE feed_order SET until_ms = 99999"] {
        let refused = sqlx::query(change).execute(&pool).await.unwrap_err().to_string();
        assert!(refused.contains("an order is never"), "{change}: {refused}");
    }
    pool.close().await;
}
