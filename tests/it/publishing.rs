//! Prices in, rounds on chain.

use crate::BINARY;
use publisher_tests::world::{Options, World};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Without this nothing else matters: a feed follows its venues, exactly.
#[tokio::test]
async fn a_feed_follows_scripted_prices_exactly() {
    let world = World::new(Options { feeds: 2, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let mut expected = vec![6_700_000_000_000i128];
    for (price, answer) in [
        ("67500.12345678", 6_750_012_345_678i64),
        ("66000", 6_600_000_000_000),
        ("66400.5", 6_640_050_000_000),
    ] {
        market.set_price("BTC/USD", price).unwrap();
        world.wait_answer(&feed, answer, SOON).await.unwrap();
        expected.push(answer.into());
    }
    // Less than the threshold is not published.
    market.set_price("BTC/USD", "66700").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(daemon.stop(Duration::from_secs(15)).unwrap().success());
    let rounds = world.judge(0).await.unwrap();
    assert_eq!(rounds[0].iter().map(|r| r.answer).collect::<Vec<_>>(), expected);
    assert_eq!(rounds[1].iter().map(|r| r.answer).collect::<Vec<_>>(), [350_000_000_000]);
}
