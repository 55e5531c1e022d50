//! The record of what was served, and the levers over HTTP.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn what_was_served_can_be_recounted() {
    let sim = usual().await;
    json(&sim, Venue::Kraken, BATCHES[1].1).await;
    sim.market().set_venue_price(Venue::Kraken, "BTC/USD", "66999.5").unwrap();
    json(&sim, Venue::Kraken, BATCHES[1].1).await;
    json(&sim, Venue::Binance, BATCHES[2].1).await;

    let told: Vec<_> = sim
        .market()
        .served()
        .into_iter()
        .map(|served| (served.venue, served.market, served.price, served.request))
        .collect();
    let expected = [
        (Venue::Kraken, "BTC/USD", "67000.12", 1),
        (Venue::Kraken, "ETH/USD", "3456.7", 1),
        (Venue::Kraken, "BTC/USD", "66999.5", 2),
        (Venue::Kraken, "ETH/USD", "3456.7", 2),
        (Venue::Binance, "BTC/USDT", "67000.12", 1),
        (Venue::Binance, "ETH/USDT", "3456.7", 1),
    ];
    assert_eq!(
        told,
        expected.map(|(venue, market, price, request)| (venue, market.into(), price.into(), request))
    );
    assert_eq!(sim.market().last_served(Venue::Kraken, "BTC/USD").unwrap().price, "66999.5");
    sim.market().forget_served();
    assert!(sim.market().served().is_empty());
}

#[tokio::test]
async fn prices_that_make_no_sense_are_refused_and_change_nothing() {
    let sim = usual().await;
    let market = sim.market();
    for (pair, price) in
        [("BTC/USD", "0"), ("BTC/USD", "-1"), ("BTC/USD", "1e5"), ("BTCUSD", "1"), ("BTC/USD", "")]
    {
        assert!(market.set_price(pair, price).is_err(), "{pair} {price:?}");
        assert!(market.set_venue_price(Venue::Okx, pair, price).is_err(), "{pair} {price:?}");
    }
    assert!(market.follow_path("BTC/USD", &[(10, "1"), (5, "2")]).is_err());
    assert!(market.walk("SOL/USD", Walk { seed: 1, step_bps: 1, every_ms: 1, noise_bps: 0 }).is_err());
    assert_eq!(market.price("BTC/USD").unwrap(), "67000.12");
    let bad = SimConfig { prices: vec![("BTC/USD".into(), "x".into())], ..SimConfig::default() };
    assert_eq!(VenueSimulator::start(bad).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

async fn order(sim: &VenueSimulator, lever: &str, body: Value) -> (u16, Value) {
    let request = client().post(format!("{}{lever}", sim.control_url())).body(body.to_string());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn done(sim: &VenueSimulator, lever: &str, body: Value) {
    assert_eq!(order(sim, lever, body).await, (200, json!({"ok": true})));
}

#[tokio::test]
async fn every_lever_works_over_http() {
    let sim = usual().await;
    let market = sim.market();
    done(&sim, "/price", json!({"pair": "BTC/USD", "price": "70000.5"})).await;
    assert_eq!(market.price("BTC/USD").unwrap(), "70000.5");
    done(&sim, "/price", json!({"pair": "BTC/USD", "price": "69000", "venue": "okx"})).await;
    let path = "/api/v5/market/ticker?instId=BTC-USD";
    assert_eq!(json(&sim, Venue::Okx, path).await["data"][0]["last"], "69000");
    done(&sim, "/price", json!({"pair": "BTC/USD", "venue": "okx"})).await;
    assert_eq!(json(&sim, Venue::Okx, path).await["data"][0]["last"], "70000.5");
    done(&sim, "/offset", json!({"pair": "BTC/USD", "venue": "okx", "bps": -100})).await;
    assert_eq!(json(&sim, Venue::Okx, path).await["data"][0]["last"], "69300.5");

    done(&sim, "/path", json!({"pair": "ETH/USD", "steps": [{"after_ms": 0, "price": "4000"}]})).await;
    assert_eq!(market.price("ETH/USD").unwrap(), "4000");
    done(&sim, "/walk", json!({"pair": "ETH/USD", "seed": 3, "step_bps": 100, "every_ms": 1})).await;
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    done(&sim, "/hold", json!({"pair": "ETH/USD"})).await;
    let held = market.price("ETH/USD").unwrap();
    assert_ne!(held, "4000");
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    assert_eq!(market.price("ETH/USD").unwrap(), held);

    done(&sim, "/fault", json!({"venue": "kraken", "fault": "dead", "times": 1})).await;
    done(&sim, "/fault", json!({"venue": "okx", "fault": {"multiply": {"by": "2"}}, "pair": "ETH/USD"}))
        .await;
    let told: Value =
        serde_json::from_str(&client().get(sim.control_url()).send().await.unwrap().text().await.unwrap())
            .unwrap();
    assert_eq!(told["prices"]["BTC/USD"], "70000.5");
    assert_eq!(told["faults"][0], json!({"venue": "kraken", "pair": null, "fault": "dead"}));
    assert!(get(&sim, Venue::Kraken, "/0/public/Ticker").await.is_err());
    json(&sim, Venue::Kraken, "/0/public/Ticker").await;
    done(&sim, "/clear", json!({"venue": "okx"})).await;
    assert!(market.faults().is_empty());
    done(&sim, "/fault", json!({"venue": "okx", "fault": "dead"})).await;
    done(&sim, "/clear", json!({})).await;
    assert!(market.faults().is_empty());

    let served = client().get(format!("{}/served?limit=2", sim.control_url())).send().await.unwrap();
    let served: Value = serde_json::from_str(&served.text().await.unwrap()).unwrap();
    assert_eq!(served.as_array().unwrap().len(), 2);
    assert_eq!(served[1]["venue"], "kraken");
}

#[tokio::test]
async fn a_wrong_order_says_what_is_wrong() {
    let sim = usual().await;
    let orders = [
        ("/price", json!({"pair": "BTC/USD", "price": "0"})),
        ("/price", json!({"pair": "BTC/USD"})),
        ("/price", json!({"pair": "BTC/USD", "price": 67000.1})),
        ("/price", json!({"pair": "BTC/USD", "price": "1", "typo": 1})),
        ("/fault", json!({"venue": "mtgox", "fault": "dead"})),
        ("/fault", json!({"venue": "okx", "fault": "tired"})),
        ("/fault", json!({"venue": "okx", "fault": "dead", "pair": "BTC/USD"})),
        ("/hold", json!({"pair": "SOL/USD"})),
        ("/offset", json!({"pair": "BTC/USD", "venue": "okx", "bps": -10_000})),
    ];
    for (lever, body) in orders {
        let (status, told) = order(&sim, lever, body.clone()).await;
        assert_eq!(status, 400, "{lever} {body}");
        assert!(!told["error"].as_str().unwrap().is_empty());
    }
}
