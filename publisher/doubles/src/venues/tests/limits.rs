//! The limits as a client meets them that does not keep to them.

use serde_json::Value;

use super::*;
use crate::venues::limits;

/// A period that no test outlasts, and that no clock ends while one runs: it began with the epoch.
const FOR_EVER: u64 = 1 << 50;

/// Without this a client that reads the wrong header, or takes a refusal for something else, passes against the doubles
/// and is banned by the venue.
#[tokio::test]
async fn every_venue_tells_of_its_limit_and_refuses_what_is_more_in_its_own_words() {
    let sim = usual().await;
    let market = sim.market();
    for (venue, path) in BATCHES {
        let Some(limit) = limits::of(venue).first() else { continue };
        let cost = limit.costs.iter().find(|cost| path.starts_with(cost.path)).map_or(1, |cost| {
            if venue == Venue::Binance || venue == Venue::BinanceUs { 2 } else { cost.all }
        });
        market.set_limit(venue, cost * 2, FOR_EVER);
        let first = get(&sim, venue, path).await.unwrap();
        assert_eq!(first.status(), 200, "{venue}");
        let told = |headers: &reqwest::header::HeaderMap, name: &str| {
            headers.get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let (used, left) = (cost.to_string(), (cost).to_string());
        let expected = match venue {
            Venue::Binance | Venue::BinanceUs => Some(("x-mbx-used-weight-1m", used)),
            Venue::Bybit => Some(("x-bapi-limit-status", left)),
            Venue::Kucoin => Some(("gw-ratelimit-remaining", left)),
            Venue::Gate => Some(("x-gate-ratelimit-requests-remain", left)),
            Venue::Upbit => Some(("remaining-req", "group=ticker; min=1800; sec=1".to_owned())),
            _ => None,
        };
        if let Some((name, value)) = expected {
            assert_eq!(told(first.headers(), name).as_deref(), Some(value.as_str()), "{venue}");
        }
        // Another program takes what is left.
        market.use_by_others(venue, cost);
        let refused = get(&sim, venue, path).await.unwrap();
        let (status, after) = (refused.status().as_u16(), told(refused.headers(), "retry-after"));
        let says_when = matches!(venue, Venue::Binance | Venue::BinanceUs | Venue::Coingecko | Venue::Ecb);
        assert_eq!(after.is_some(), says_when, "{venue}");
        let expected = match venue {
            Venue::Kraken => 200,
            Venue::Bybit => 403,
            _ => 429,
        };
        let body = refused.text().await.unwrap();
        assert_eq!(status, expected, "{venue}: {body}");
        let words = match venue {
            Venue::Kraken => "EGeneral:Too many requests",
            Venue::Binance | Venue::BinanceUs => "-1003",
            Venue::Okx => "50011",
            Venue::Bybit => "10018",
            Venue::Kucoin => "429000",
            Venue::Gate => "TOO_MANY_REQUESTS",
            Venue::Bitfinex => "ratelimit",
            Venue::Coinbase => "Public rate limit exceeded",
            Venue::Bitstamp => "400.002",
            Venue::CryptoCom => "42901",
            Venue::Upbit => "too_many_requests",
            Venue::Coinmarketcap => "1008",
            _ => "",
        };
        assert!(body.contains(words), "{venue}: {body}");
        let kept = market.kept(venue);
        assert_eq!((kept.used, kept.refused), (cost * 2, 1), "{venue}");
    }
}

/// Without this a client that asks on through refusals learns here that nothing comes of it.
#[tokio::test]
async fn who_goes_on_is_shut_out() {
    let sim = usual().await;
    let market = sim.market();
    for (venue, path, ban, refusals) in [
        (Venue::Binance, BATCHES[2].1, 418, 11),
        (Venue::Upbit, BATCHES[19].1, 418, 11),
        (Venue::Bybit, BATCHES[9].1, 403, 1),
    ] {
        market.set_limit(venue, 0, FOR_EVER);
        for n in 1..=refusals + 2 {
            let (status, body) = fetch(&sim, venue, path).await;
            assert_eq!(status, if n < refusals { 429 } else { ban }, "{venue} {n}: {body}");
        }
        // Room in the budget does not end a ban.
        market.set_limit(venue, 1_000, FOR_EVER);
        assert_eq!(fetch(&sim, venue, path).await.0, ban, "{venue}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(fetch(&sim, Venue::Binance, BATCHES[2].1).await.0, 418);
    assert!(market.kept(Venue::Binance).too_soon > 0, "it was told to wait");
    // A minute without any answer, whatever the period says.
    market.set_limit(Venue::Bitfinex, 0, FOR_EVER);
    assert_eq!(fetch(&sim, Venue::Bitfinex, BATCHES[7].1).await.0, 429);
    market.set_limit(Venue::Bitfinex, 100, FOR_EVER);
    assert_eq!(fetch(&sim, Venue::Bitfinex, BATCHES[7].1).await.0, 429);
}

/// Without this tests that ask more than a venue would bear could not be written, nor short ones of long periods.
#[tokio::test]
async fn limits_can_be_switched_off_and_made_faster() {
    let sim = usual().await;
    let market = sim.market();
    market.limit(Limits::Off);
    market.set_limit(Venue::Gate, 1, FOR_EVER);
    for _ in 0..3 {
        let response = get(&sim, Venue::Gate, BATCHES[13].1).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-gate-ratelimit-requests-remain"]),
            (200, &"0".parse().unwrap())
        );
    }
    assert_eq!(market.kept(Venue::Gate), Kept { used: 3, refused: 0, too_soon: 0 });
    // A minute of Kraken's in 60 ms.
    market.limit(Limits::Faster(1_000));
    market.use_by_others(Venue::Kraken, 1_000);
    while fetch(&sim, Venue::Kraken, BATCHES[1].1).await.1.contains("Too many requests") {}
    assert!(market.kept(Venue::Kraken).refused < 1_000);
}

#[tokio::test]
async fn limits_have_a_lever() {
    let sim = usual().await;
    let post = async |body: Value| {
        let request = client().post(format!("{}/limits", sim.control_url())).body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(serde_json::json!({"venue": "okx", "capacity": 3, "per_ms": FOR_EVER})).await, 200);
    assert_eq!(post(serde_json::json!({"venue": "okx", "used_by_others": 3})).await, 200);
    assert_eq!(fetch(&sim, Venue::Okx, BATCHES[4].1).await.0, 429);
    assert_eq!(post(serde_json::json!({"limits": "off"})).await, 200);
    assert_eq!(fetch(&sim, Venue::Okx, BATCHES[4].1).await.0, 200);
    assert_eq!(post(serde_json::json!({"limits": {"faster": 10}})).await, 200);
    assert_eq!(post(serde_json::json!({"venue": "okx", "capacity": 3})).await, 400);
    assert_eq!(post(serde_json::json!({"used_by_others": 3})).await, 400);
}
