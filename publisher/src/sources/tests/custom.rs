//! A source of one's own: its pointers, its secrets, and the addresses it may reach.

use super::super::{Client, CustomSource, Guard, TimeUnit, Venue, Way};
use super::hostile::clock;
use publisher_core::quote::{Observation, SourceFault, VenueId};
use publisher_core::time::{Span, Wall};
use publisher_doubles::venues::{SimConfig, Venue as Sim, VenueSimulator};

pub(super) fn source(url: &str, pointer: &str) -> CustomSource {
    CustomSource {
        id: VenueId::new("desk"),
        url: url.parse().unwrap(),
        pointer: pointer.to_owned(),
        bid_pointer: None,
        ask_pointer: None,
        time: None,
        every: None,
        timeout: Some(Span::from_s(10)),
        headers: Vec::new(),
        allow_private: true,
        way: Way::default(),
    }
}

#[tokio::test]
async fn pointers_reach_prices_and_times_of_every_kind() {
    let simulator = VenueSimulator::start(SimConfig::default()).await.unwrap();
    simulator.market().set_price("BTC/USD", "67000.12").unwrap();
    let client = Client::new().unwrap();
    let url = format!("{}/price/BTC-USD", simulator.base_url(Sim::Custom));
    let time = |pointer: &str, unit: &str| Some((pointer.to_owned(), unit.parse::<TimeUnit>().unwrap()));
    for (pointer, time, expected) in [
        ("/data/price/last", None, Ok("67000.12")),
        ("/data/price/number", time("/data/time/ms", "ms"), Ok("67000.12")),
        ("/data/list/0", time("/data/time/s", "s"), Ok("67000.12")),
        ("$.data.price[\"last\"]", time("$.data['time'].ms", "ms"), Ok("67000.12")),
        ("$[?price.number==67000.12].list[0]", None, Ok("67000.12")),
        ("$[?price.number==67000.1].list[0]", None, Err(SourceFault::BadBody)),
        ("/data/a~1b/m~0n", time("/data/time/text", "iso8601"), Ok("67000.12")),
        ("/data/price/last", time("/data/time/ms", "s"), Err(SourceFault::BadTime)),
        ("/data/price/last", time("/data/time/nowhere", "s"), Err(SourceFault::BadTime)),
        ("/data/price/nowhere", None, Err(SourceFault::BadBody)),
        ("/data/price", None, Err(SourceFault::BadValue)),
        ("/data/list/00", None, Err(SourceFault::BadBody)),
    ] {
        let venue = Venue::custom(CustomSource { time, ..source(&url, pointer) }, &client).unwrap();
        let poll = venue.poll(clock).await;
        let observed = match &poll.observations[..] {
            [Observation::Quote(quote)] => {
                assert!(clock().since(quote.as_of) < Span::from_s(3));
                Ok(quote.last.unwrap().to_string())
            }
            [Observation::Missing { fault, .. }] => Err(*fault),
            other => panic!("{other:?}"),
        };
        assert_eq!(observed, expected.map(str::to_owned), "{pointer}");
    }
}

#[test]
fn all_problems_come_at_once_and_without_secrets() {
    let client = Client::new().unwrap();
    let bad = CustomSource {
        bid_pointer: Some("bid".to_owned()),
        time: Some(("/~".to_owned(), TimeUnit::Seconds)),
        every: Some(Span::from_ms(1)),
        timeout: Some(Span::from_s(600)),
        headers: vec![
            ("x key".to_owned(), "hunter2".to_owned()),
            ("x-key".to_owned(), "hunter2\n".to_owned()),
            ("a".to_owned(), "hunter2".to_owned()),
            ("A".to_owned(), "hunter2".to_owned()),
        ],
        allow_private: false,
        ..source("http://10.0.0.1/hunter2?key=hunter2", "price")
    };
    let shown = format!("{bad:?}");
    let error = Venue::custom(bad, &client).unwrap_err();
    let paths: Vec<_> = error.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "pointer",
            "bid_pointer",
            "time_pointer",
            "url",
            "headers",
            "headers",
            "headers",
            "every",
            "timeout"
        ]
    );
    for text in [error.to_string(), format!("{error:?}"), shown] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    for (url, reason) in [("ftp://example.com/x", "http"), ("http://me:hunter2@example.com/", "password")] {
        let error = Venue::custom(source(url, "/p"), &client).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn addresses_inside_are_reached_only_with_permission() {
    let simulator = VenueSimulator::start(SimConfig::default()).await.unwrap();
    let client = Client::new().unwrap();
    let url = format!("{}/price/BTC-USD", simulator.base_url(Sim::Custom));
    let guarded = |url: &str| CustomSource { allow_private: false, ..source(url, "/data/price/last") };
    let error = Venue::custom(guarded(&url), &client).unwrap_err().to_string();
    assert!(error.contains("not a public address") && error.contains("allow_private"), "{error}");

    // A name is only known to point inside once it is resolved.
    let by_name = url.replace("127.0.0.1", "localhost");
    let venue = Venue::custom(guarded(&by_name), &client).unwrap();
    let poll = venue.poll(clock).await;
    assert_eq!(poll.fault, Some(SourceFault::Unreachable));
    assert!(poll.detail.unwrap().contains("allow_private"));
    assert_eq!(simulator.market().requests(Sim::Custom), 0);

    let permitted = Venue::custom(source(&by_name, "/data/price/last"), &client).unwrap();
    assert_eq!(permitted.poll(clock).await.fault, None);
    assert!(Guard::Public.admits(&"https://example.com/".parse().unwrap()));
}

#[tokio::test]
async fn a_source_without_time_is_as_old_as_its_request() {
    let simulator = VenueSimulator::start(SimConfig::default()).await.unwrap();
    let client = Client::new().unwrap();
    let url = format!("{}/price/BTC-USD", simulator.base_url(Sim::Custom));
    let venue = Venue::custom(source(&url, "/data/price/last"), &client).unwrap();
    let poll = venue.poll(|| Wall::from_ms(1_900_000_000_000)).await;
    let [Observation::Quote(quote)] = &poll.observations[..] else { panic!("{poll:?}") };
    assert!(quote.received.since(quote.as_of) <= poll.elapsed);
}
