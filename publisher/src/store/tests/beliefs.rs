//! What is believed of shares, and what operators say of them.

use super::*;
use crate::sources::{Belief, Believed, SourceWord};
use publisher_core::quote::VenueId;

on_both! {
    what_is_believed_is_read_again_and_only_what_is_newer_replaces_it
    the_newest_word_about_each_contract_is_read_beside_the_daemon
}

fn belief(source: &str, contract: &str, worth: &str, at_ms: i64, word: u64) -> Belief {
    let base = ("0.000000000000000000000000000000000001".parse().unwrap(), Wall::from_ms(7));
    let believed = Believed { last: (worth.parse().unwrap(), Wall::from_ms(at_ms)), base, word };
    Belief { source: VenueId::new(source), contract: contract.into(), believed }
}

/// Without it a restart would forget what a step is measured from, or a replica that lags would put it back.
async fn what_is_believed_is_read_again_and_only_what_is_newer_replaces_it(place: Place) {
    let (writer, _) = place.open().await;
    let long = "123456789012345678901234567890123456.000000000000000000000000000000000001";
    let other = belief("vault", "another contract", long, 1, 0);
    writer.journal.believe(&other).await.unwrap();
    for (at_ms, word, is_kept) in
        [(10, 0, true), (9, 0, false), (11, 0, true), (1, 1, true), (12, 0, false), (2, 1, true)]
    {
        let new = belief("vault", "contract", &format!("1.{at_ms}"), at_ms, word);
        writer.journal.believe(&new).await.unwrap();
        let found = writer.reader().beliefs().await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], other);
        assert_eq!(found[1] == new, is_kept, "{at_ms} {word}");
    }
    writer.close().await;
    let (writer, _) = place.open().await;
    let kept = belief("vault", "contract", "1.2", 2, 1);
    assert_eq!(writer.reader().beliefs().await.unwrap(), [other, kept]);
}

/// Without it a loss that is real would need a restart, or nobody could say later who believed it.
async fn the_newest_word_about_each_contract_is_read_beside_the_daemon(place: Place) {
    let (writer, _) = place.open().await;
    let desk = Journal::open_desk(&place.location).await.unwrap();
    let word = |source: &str, worth: &str| SourceWord {
        id: 0,
        source: VenueId::new(source),
        contract: "contract".into(),
        price: worth.parse().unwrap(),
        said_at: Wall::from_ms(1_000),
        by: "ann".into(),
        reason: "slashed".into(),
    };
    let first = desk.accept(word("vault", "0.9")).await.unwrap();
    let pool = desk.accept(word("pool", "1.1")).await.unwrap();
    let second = desk.accept(word("vault", "0.8")).await.unwrap();
    assert!(first.id < second.id);
    assert_eq!(writer.reader().source_words().await.unwrap(), [pool, second]);
    let nameless = SourceWord { by: String::new(), ..word("vault", "0.7") };
    assert!(desk.accept(nameless).await.is_err());
    desk.close().await;
}
