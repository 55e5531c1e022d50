//! Each fault as a client meets it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

const KRAKEN: &str = BATCHES[1].1;

#[tokio::test]
async fn a_dead_venue_closes_the_connection_and_others_live() {
    let sim = usual().await;
    for (venue, path) in BATCHES {
        sim.market().fault(venue, Fault::Dead);
        assert!(get(&sim, venue, path).await.is_err(), "{venue}");
        assert_eq!(sim.market().requests(venue), 1);
        sim.market().clear(venue);
        json(&sim, venue, path).await;
    }
}

#[tokio::test]
async fn every_venue_refuses_in_its_own_words() {
    let sim = usual().await;
    let cases = [
        (Fault::RateLimited { retry_after_s: Some(30) }, 429, Some("30")),
        (Fault::RateLimited { retry_after_s: None }, 429, None),
        (Fault::Banned418 { retry_after_s: Some(120) }, 418, Some("120")),
        (Fault::GeoBlocked451, 451, None),
        (Fault::ServerError, 503, None),
        (Fault::ErrorBody200, 200, None),
        (Fault::Refuse { status: 403, body: "go away".into() }, 403, None),
        (Fault::Redirect { to: "http://169.254.169.254/".into() }, 302, None),
    ];
    for (venue, path) in BATCHES {
        for (fault, status, retry_after) in &cases {
            sim.market().fault(venue, fault.clone());
            let response = get(&sim, venue, path).await.unwrap();
            assert_eq!(response.status(), *status, "{venue} {fault:?}");
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(header("retry-after").as_deref(), *retry_after);
            if let Fault::Redirect { to } = fault {
                assert_eq!(header("location").as_ref(), Some(to));
            }
            let body = response.text().await.unwrap();
            match fault {
                Fault::Refuse { body: said, .. } => assert_eq!(body, *said),
                Fault::Redirect { .. } => {}
                _ => assert!(serde_json::from_str::<Value>(&body).is_ok(), "{venue} {fault:?}: {body}"),
            }
            // A time in microseconds may end in 67000, too.
            assert!(!body.contains("67000.1"), "{venue} {fault:?} leaked a price: {body}");
        }
    }
    assert!(sim.market().served().is_empty());
}

#[tokio::test]
async fn errors_with_status_200_are_the_venues_own() {
    let sim = usual().await;
    let body = async |venue, path| {
        sim.market().fault(venue, Fault::ErrorBody200);
        json(&sim, venue, path).await
    };
    assert_eq!(body(Venue::Kraken, KRAKEN).await, json!({"error": ["EService:Unavailable"]}));
    assert_eq!(body(Venue::Okx, BATCHES[4].1).await["code"], "50001");
    assert_eq!(body(Venue::Binance, BATCHES[2].1).await["code"], -1000);
    assert_eq!(body(Venue::Bitstamp, BATCHES[3].1).await["status"], "error");
}

#[tokio::test]
async fn slow_venues_are_slow_and_right() {
    let sim = usual().await;
    for fault in [Fault::Stall { ms: 300 }, Fault::SlowDrip { every_ms: 1 }] {
        sim.market().fault(Venue::Kraken, fault);
        let began = Instant::now();
        let body = json(&sim, Venue::Kraken, KRAKEN).await;
        assert!(began.elapsed() >= Duration::from_millis(250));
        assert_eq!(body["result"]["XXBTZUSD"]["c"][0], "67000.12000");
    }
}

fn unpacked(packed: &[u8]) -> std::io::Result<String> {
    std::io::read_to_string(flate2::read::GzDecoder::new(packed))
}

#[tokio::test]
async fn spoiled_bodies_are_spoiled() {
    let sim = usual().await;
    let market = sim.market();
    for (venue, path) in BATCHES {
        market.fault(venue, Fault::Truncated);
        let cut = get(&sim, venue, path).await.unwrap();
        assert_eq!(cut.status(), 200);
        assert!(cut.bytes().await.is_err(), "{venue} sent it all");

        market.fault(venue, Fault::Oversized { bytes: 3_000_000 });
        let flood = get(&sim, venue, path).await.unwrap();
        assert!(flood.content_length().is_none());
        assert_eq!(flood.bytes().await.unwrap().len(), 3_000_000);

        market.fault(venue, Fault::Html200);
        assert!(fetch(&sim, venue, path).await.1.starts_with("<!DOCTYPE html>"));

        market.fault(venue, Fault::DeepJson);
        assert_eq!(fetch(&sim, venue, path).await.1.matches('[').count(), 100_000);

        market.fault(venue, Fault::Gzipped);
        let packed = get(&sim, venue, path).await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let text = unpacked(&packed.bytes().await.unwrap()).unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{venue}: {text}");

        market.fault(venue, Fault::GzippedBadly);
        let packed = get(&sim, venue, path).await.unwrap().bytes().await.unwrap();
        assert!(unpacked(&packed).is_err(), "{venue}");

        market.fault(venue, Fault::Garbage);
        let bytes = get(&sim, venue, path).await.unwrap().bytes().await.unwrap();
        assert!(std::str::from_utf8(&bytes).is_err());
    }
    assert!(market.served().is_empty(), "a spoiled answer was recorded as served");
}

#[tokio::test]
async fn a_missing_symbol_is_no_error_and_a_delisted_one_is() {
    let sim = usual().await;
    let market = sim.market();
    market.fault_market(Venue::Kraken, "BTC/USD", Fault::MissingSymbol).unwrap();
    let body = json(&sim, Venue::Kraken, KRAKEN).await;
    assert_eq!(body["error"], json!([]));
    assert_eq!(body["result"].as_object().unwrap().keys().collect::<Vec<_>>(), ["XETHZUSD"]);
    market.fault_market(Venue::Kraken, "BTC/USD", Fault::Delisted).unwrap();
    assert_eq!(json(&sim, Venue::Kraken, KRAKEN).await["error"], json!(["EQuery:Unknown asset pair"]));

    market.fault_market(Venue::Binance, "BTC/USDT", Fault::MissingSymbol).unwrap();
    let rows = json(&sim, Venue::Binance, BATCHES[2].1).await;
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["symbol"]), (1, &json!("ETHUSDT")));
    market.fault_market(Venue::Binance, "BTC/USDT", Fault::Delisted).unwrap();
    assert_eq!(fetch(&sim, Venue::Binance, BATCHES[2].1).await.0, 400);

    market.fault(Venue::Coinbase, Fault::MissingSymbol);
    assert_eq!(fetch(&sim, Venue::Coinbase, "/products/BTC-USD/ticker").await.0, 404);
    assert_eq!(json(&sim, Venue::Coinbase, BATCHES[0].1).await["num_products"], 0);
    assert_eq!(
        market.fault_market(Venue::Okx, "BTC/USDT", Fault::Dead),
        Err(Refused::NotOfOneMarket("dead"))
    );
    let unlisted = market.fault_market(Venue::Binance, "BTC/USD", Fault::Zero);
    assert_eq!(unlisted, Err(Refused::UnknownPair("BTC/USD".parse().unwrap())));
}

#[tokio::test]
async fn renamed_keys_are_gone_from_every_venue() {
    let sim = usual().await;
    for ((venue, path), pointer) in BATCHES.into_iter().zip(PRICES) {
        assert!(json(&sim, venue, path).await.pointer(pointer).is_some(), "{venue}{pointer}");
        sim.market().fault(venue, Fault::RenamedKey);
        assert!(json(&sim, venue, path).await.pointer(pointer).is_none(), "{venue}{pointer}");
    }
}

#[tokio::test]
async fn empty_lists_are_well_formed() {
    let sim = usual().await;
    let empties = [
        (Venue::Coinbase, json!({"products": [], "num_products": 0})),
        (Venue::Kraken, json!({"error": [], "result": {}})),
        (Venue::Binance, json!([])),
        (Venue::Bitstamp, json!([])),
        (Venue::Okx, json!({"code": "0", "msg": "", "data": []})),
        (Venue::Custom, json!({"status": "ok", "data": {}})),
    ];
    let lists = [
        ("", json!([])),
        ("", json!([])),
        ("/data", json!([])),
        ("/result/list", json!([])),
        ("", json!({})),
        ("/data", json!({})),
        ("/result/data", json!([])),
        ("", json!([])),
        ("", json!([])),
        ("/data", json!([])),
        ("/data/ticker", json!([])),
        ("", json!([])),
        ("", json!([])),
        ("", json!([])),
    ];
    for ((venue, path), (pointer, expected)) in BATCHES.into_iter().skip(empties.len()).zip(lists) {
        sim.market().fault(venue, Fault::EmptyList);
        assert_eq!(json(&sim, venue, path).await.pointer(pointer), Some(&expected), "{venue}");
    }
    for ((venue, path), (_, expected)) in BATCHES.into_iter().zip(empties) {
        sim.market().fault(venue, Fault::EmptyList);
        assert_eq!(json(&sim, venue, path).await, expected, "{venue}");
    }
}

#[tokio::test]
async fn wrong_figures_reach_every_venues_wire() {
    let sim = usual().await;
    let cases = [
        (Fault::Multiply { by: 1_000.into() }, "67000120.00", true),
        (Fault::Multiply { by: "0.001".parse().unwrap() }, "67.00012", true),
        (Fault::Zero, "0.00", true),
        (Fault::Negative, "-67000.12", true),
        (Fault::ExponentNotation, "6.700012e4", true),
        (Fault::NotANumber, "NaN", true),
        (Fault::CommaDecimal, "67000,12", true),
        (Fault::NumbersInsteadOfStrings, "67000.12", false),
        (Fault::StringsInsteadOfNumbers, "67000.12", true),
    ];
    for ((venue, path), pointer) in BATCHES.into_iter().zip(PRICES) {
        let writes_text = json(&sim, venue, path).await.pointer(pointer).unwrap().is_string();
        for (fault, expected, is_text) in &cases {
            sim.market().fault(venue, fault.clone());
            let (_, text) = fetch(&sim, venue, path).await;
            let body: Value = serde_json::from_str(&text).unwrap();
            let price = body.pointer(pointer).unwrap();
            if writes_text {
                assert_eq!(price.is_string(), *is_text, "{venue} {fault:?}");
                let price = price.as_str().map_or_else(|| price.to_string(), str::to_owned);
                assert!(price.starts_with(expected), "{venue} {fault:?}: {price}");
            } else {
                // Reading a JSON number as a value would round it.
                assert!(text.contains(expected), "{venue} {fault:?}: {text}");
            }
            let served = sim.market().served();
            assert_eq!(served.last().unwrap().fault, Some(fault.name()));
        }
    }
}

#[tokio::test]
async fn one_market_can_show_anothers_price() {
    let sim = usual().await;
    sim.market().fault_market(Venue::Kraken, "ETH/USD", Fault::WrongMarket).unwrap();
    sim.market().set_venue_price(Venue::Kraken, "ETH/USDT", "1.5").unwrap();
    let body = json(&sim, Venue::Kraken, KRAKEN).await;
    assert_eq!(body["result"]["XETHZUSD"]["c"][0], "1.50000");
    assert_eq!(body["result"]["XXBTZUSD"]["c"][0], "67000.12000");
    // The last market takes the first one's.
    sim.market().fault_market(Venue::Kraken, "USDT/USD", Fault::WrongMarket).unwrap();
    let body = json(&sim, Venue::Kraken, "/0/public/Ticker?pair=USDTUSD").await;
    assert_eq!(body["result"]["USDTZUSD"]["c"][0], "67000.12000");
}

#[tokio::test]
async fn crossed_books_and_wrong_clocks() {
    let sim = usual().await;
    let market = sim.market();
    market.fault(Venue::Bitstamp, Fault::Crossed);
    let row = json(&sim, Venue::Bitstamp, "/api/v2/ticker/btcusd/").await;
    assert_eq!((&row["bid"], &row["ask"]), (&json!("67000.13"), &json!("67000.11")));

    for ms in [-600_000_i64, 600_000] {
        market.fault(Venue::Okx, Fault::ClockSkew { ms });
        let row = json(&sim, Venue::Okx, "/api/v5/market/ticker?instId=BTC-USDT").await;
        let ts: i64 = row["data"][0]["ts"].as_str().unwrap().parse().unwrap();
        assert!((ts - crate::clock::now_ms() - ms).abs() < 5_000);
    }
}

#[tokio::test]
async fn a_frozen_venue_repeats_itself_while_the_market_moves() {
    let sim = usual().await;
    let market = sim.market();
    market.fault(Venue::Okx, Fault::Frozen);
    let path = "/api/v5/market/ticker?instId=BTC-USD";
    let first = fetch(&sim, Venue::Okx, path).await;
    market.set_price("BTC/USD", "70000").unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(fetch(&sim, Venue::Okx, path).await, first);
    assert_eq!(json(&sim, Venue::Kraken, KRAKEN).await["result"]["XXBTZUSD"]["c"][0], "70000.00000");
    market.clear(Venue::Okx);
    assert_eq!(json(&sim, Venue::Okx, path).await["data"][0]["last"], "70000");
}
