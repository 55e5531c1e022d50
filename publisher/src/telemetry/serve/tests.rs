use super::super::health::{AccountHealth, FeedHealth};
use super::*;
use alloy::primitives::{Address, B256, I256};
use publisher_core::policy::{Hold, Known};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::{Mono, Now, Span, Wall};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A running server, and the milliseconds its clock shows.
async fn server() -> (String, Health, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(0));
    let read = clock.clone();
    let now = move || {
        let ms = read.load(Ordering::Relaxed);
        Now { wall: Wall::from_s(1_700_000_000) + Span::from_ms(ms), mono: Mono::from_ms(ms) }
    };
    let health = Health::new(138, Span::from_s(300), Arc::new(now));
    // The recorder of a test is not the process's; what it renders is empty, which is enough here.
    let recorder = Recorder::local(Recorder::clone);
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), health.clone(), recorder).await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    tokio::spawn(server.run(std::future::pending()));
    (url, health, clock)
}

async fn get_json<T: serde::de::DeserializeOwned>(url: &str, path: &str) -> (u16, T) {
    let response = reqwest::get(format!("{url}{path}")).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn readiness_is_served_with_its_reasons() {
    use super::super::readiness::Readiness;
    let (url, health, clock) = server().await;
    let feed = FeedId::new("BTC-USD");
    health.feed(&feed, |_| {});
    let (code, found): (_, Readiness) = get_json(&url, "/readyz").await;
    assert_eq!((code, found.phase), (503, Phase::Starting));

    health.update(|state| state.started = true);
    health.head(9, B256::ZERO);
    health.feed(&feed, |feed| feed.has_value = true);
    let (code, found): (_, Readiness) = get_json(&url, "/readyz").await;
    assert_eq!((code, found.phase, found.failing.len()), (200, Phase::Ready, 0));

    // The same head again is no progress.
    clock.store(301_000, Ordering::Relaxed);
    health.head(9, B256::ZERO);
    let (code, found): (_, Readiness) = get_json(&url, "/readyz").await;
    assert_eq!((code, found.failing[0].code.as_str()), (503, "head_stalled"));
    health.head(9, B256::repeat_byte(1));
    assert_eq!(get_json::<Readiness>(&url, "/readyz").await.0, 200);
}

#[tokio::test]
async fn a_loop_that_stops_makes_it_unhealthy() {
    let (url, health, clock) = server().await;
    health.progressed("heads", Span::from_s(1));
    health.progressed("sources", Span::from_s(100));
    for (at_s, code, sick) in [(60, 200, &[][..]), (61, 503, &["heads"]), (301, 503, &["heads", "sources"])] {
        clock.store(at_s * 1000, Ordering::Relaxed);
        let (found, loops): (_, Loops) = get_json(&url, "/healthz").await;
        let names: Vec<_> = loops.loops.iter().filter(|l| !l.healthy).map(|l| l.name.as_str()).collect();
        assert_eq!((found, names.as_slice()), (code, sick), "{at_s}");
    }
    health.progressed("heads", Span::from_s(1));
    health.ended("sources");
    assert_eq!(get_json::<Loops>(&url, "/healthz").await.0, 200);
}

#[tokio::test]
async fn status_shows_prices_as_decimals_and_reads_back() {
    let (url, health, _) = server().await;
    let known = Known {
        round: 7,
        answer: Answer::new(I256::try_from(6_500_012_345_678_i64).unwrap()),
        updated_at: Wall::from_s(1_699_999_990),
    };
    health.feed(&FeedId::new("BTC-USD"), |feed| {
        *feed = FeedHealth {
            decimals: 8,
            known: Some(known),
            value: Some("65001.5".parse().unwrap()),
            heartbeat_at: Some(Wall::from_s(1_700_000_050)),
            lead: Span::from_s(10),
            hold: Some(Hold::Paused),
            ..FeedHealth::default()
        };
    });
    health.feed(&FeedId::new("NEW-USD"), |feed| feed.known = Some(Known { round: 0, ..known }));
    health.update(|state| {
        state
            .accounts
            .insert(Address::ZERO, AccountHealth { next_nonce: 7, open: 1, ..AccountHealth::default() });
        state.nodes = vec![super::super::samples::node()];
    });
    let (code, found): (_, Status) = get_json(&url, "/status").await;
    assert_eq!((code, found.chain_id, found.feeds.len()), (200, 138, 2));
    let feed = &found.feeds[0];
    assert_eq!((feed.round, feed.answer.as_deref()), (Some(7), Some("65000.12345678")));
    assert_eq!((feed.value.as_deref(), feed.hold.as_deref()), (Some("65001.5"), Some("paused")));
    assert_eq!((feed.heartbeat_margin_ms, feed.updated_at_s), (Some(60_000), Some(1_699_999_990)));
    assert_eq!((found.feeds[1].round, &found.feeds[1].answer), (Some(0), &None));
    assert_eq!((found.accounts[0].next_nonce, found.accounts[0].open), (7, 1));
    let node = &found.nodes[0];
    assert_eq!((node.state.as_str(), node.head, node.behind), ("lagging", Some(68), Some(9)));
    assert_eq!((node.reader, node.detail.as_str()), (true, "9 blocks behind"));
    assert_eq!(found, Status::of(&health.state(), health.now()));
}

#[tokio::test]
async fn metrics_are_plain_text_and_other_paths_do_not_exist() {
    let (url, _, _) = server().await;
    let response = reqwest::get(format!("{url}/metrics")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(response.text().await.unwrap().contains("publisher_build_info"));
    assert_eq!(reqwest::get(format!("{url}/")).await.unwrap().status(), 404);
    let post = reqwest::Client::new().post(format!("{url}/readyz")).send().await.unwrap();
    assert_eq!(post.status(), 405);
}

#[tokio::test]
async fn it_stops_when_told() {
    let health = Health::new(1, Span::from_s(1), Arc::new(Now::default));
    let recorder = Recorder::local(Recorder::clone);
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), health, recorder).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), server.run(async {})).await;
    ended.expect("it ended").unwrap();
}
