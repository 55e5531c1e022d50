//! What operators say, beside the daemon that has the journal.

use super::*;
use publisher_core::policy::{Instruction, Order};

on_both! {
    orders_are_given_beside_the_daemon_and_end_by_themselves_or_by_another_word
    what_was_said_is_kept
    an_order_without_an_end_or_a_reason_is_refused
}

fn order(feed: &str, what: Instruction, until_ms: i64) -> Order {
    Order {
        id: 0,
        feed: FeedId::new(feed),
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
    let kinds = [Instruction::Pause, Instruction::PauseDeviations, Instruction::Accept, heartbeat];
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
    let said = writer.reader().orders_said(&FeedId::new("A"), 9).await.unwrap();
    let lines: Vec<_> = said.iter().map(|s| (s.what, s.by.as_str(), s.reason.as_str())).collect();
    assert_eq!(
        lines,
        [(None, "bob", "done"), (Some(Instruction::Pause), "ann", "venue maintenance")],
        "the newest first"
    );
    assert_eq!(writer.reader().orders_said(&FeedId::new("A"), 1).await.unwrap().len(), 1);
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
