//! What a healthy venue says, and how it says that it does not know.

use serde_json::json;

use super::*;

#[tokio::test]
async fn coinbase_answers_one_by_one_and_in_a_list() {
    let sim = usual().await;
    let ticker = json(&sim, Venue::Coinbase, "/products/BTC-USD/ticker").await;
    assert_eq!(ticker["price"], "67000.12");
    assert_eq!((&ticker["bid"], &ticker["ask"]), (&json!("67000.11"), &json!("67000.13")));
    assert!(ticker["trade_id"].is_u64());
    assert!(ticker["time"].as_str().unwrap().ends_with('Z'));

    let list = json(&sim, Venue::Coinbase, BATCHES[0].1).await;
    assert_eq!(list["num_products"], 2);
    assert_eq!(list["products"][0]["product_id"], "BTC-USD");
    assert_eq!(list["products"][1]["price"], "3456.70");
    assert!(list["products"][0].get("time").is_none());
    let unknown_among = "/api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=NOPE-USD";
    assert_eq!(json(&sim, Venue::Coinbase, unknown_among).await["num_products"], 1);

    let spot = json(&sim, Venue::Coinbase, "/v2/prices/BTC-USD/spot").await;
    assert_eq!(spot, json!({"data": {"amount": "67000.12", "base": "BTC", "currency": "USD"}}));

    let unknown = fetch(&sim, Venue::Coinbase, "/products/NOPE-USD/ticker").await;
    assert_eq!(unknown, (404, r#"{"message":"NotFound"}"#.into()));
    let lost = fetch(&sim, Venue::Coinbase, "/nowhere").await;
    assert_eq!(lost, (404, r#"{"message":"Route not found"}"#.into()));
}

#[tokio::test]
async fn kraken_renames_keys_and_hides_errors_in_200() {
    let sim = usual().await;
    let body = json(&sim, Venue::Kraken, "/0/public/Ticker?pair=XBTUSD,ETHUSD").await;
    assert_eq!(body["error"], json!([]));
    let bitcoin = &body["result"]["XXBTZUSD"];
    assert_eq!(bitcoin["c"], json!(["67000.12000", "0.00125000"]));
    assert_eq!((&bitcoin["a"][0], &bitcoin["b"][0]), (&json!("67000.13000"), &json!("67000.11000")));
    assert_eq!(body["result"]["XETHZUSD"]["c"][0], "3456.70000");
    assert_eq!(body["result"].as_object().unwrap().len(), 2);

    let all = json(&sim, Venue::Kraken, "/0/public/Ticker").await;
    let names: Vec<_> = all["result"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["ETHUSDT", "USDTZUSD", "XBTUSDT", "XETHZUSD", "XXBTZUSD"]);

    let unknown = fetch(&sim, Venue::Kraken, "/0/public/Ticker?pair=XBTUSD,NOPEUSD").await;
    assert_eq!(unknown, (200, r#"{"error":["EQuery:Unknown asset pair"]}"#.into()));
    let pairs = json(&sim, Venue::Kraken, "/0/public/AssetPairs").await;
    assert_eq!(pairs["result"]["XXBTZUSD"]["altname"], "XBTUSD");
}

#[tokio::test]
async fn binance_takes_a_json_list_and_weighs_requests() {
    let sim = usual().await;
    let response = get(&sim, Venue::Binance, BATCHES[2].1).await.unwrap();
    assert_eq!(response.headers()["X-MBX-USED-WEIGHT-1M"], "2");
    let list: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let bitcoin = &list[0];
    assert_eq!(bitcoin["symbol"], "BTCUSDT");
    assert_eq!(bitcoin["lastPrice"], "67000.12000000");
    assert_eq!(
        (&bitcoin["bidPrice"], &bitcoin["askPrice"]),
        (&json!("67000.11000000"), &json!("67000.13000000"))
    );
    assert!(bitcoin["closeTime"].is_i64());

    let book = json(&sim, Venue::Binance, "/api/v3/ticker/bookTicker?symbol=ETHUSDT").await;
    assert_eq!((&book["bidPrice"], book.get("closeTime")), (&json!("3456.60000000"), None));
    let price = json(&sim, Venue::Binance, "/api/v3/ticker/price").await;
    let expected = [("BTCUSDT", "67000.12000000"), ("ETHUSDT", "3456.70000000")];
    assert_eq!(price, json!(expected.map(|(symbol, price)| json!({"symbol": symbol, "price": price}))));

    let check = async |query: &str, code: i32| {
        let (status, body) = fetch(&sim, Venue::Binance, &format!("/api/v3/ticker/24hr?{query}")).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{query}");
    };
    check("symbols=%5B%22BTCUSDT%22,%22NOPEUSDT%22%5D", -1121).await;
    check("symbol=BTCUSD", -1121).await;
    check("symbols=BTCUSDT", -1100).await;
    check("symbols=%5B%22BTCUSDT%22,%20%22ETHUSDT%22%5D", -1100).await;
    check("symbol=btcusdt", -1100).await;
    check("symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128).await;
    assert_eq!(fetch(&sim, Venue::Binance, "/api/v3/nothing").await.0, 404);
}

#[tokio::test]
async fn bitstamp_tells_seconds_as_text() {
    let sim = usual().await;
    let one = json(&sim, Venue::Bitstamp, "/api/v2/ticker/btcusd/").await;
    assert_eq!(
        (&one["last"], &one["bid"], &one["ask"]),
        (&json!("67000.12"), &json!("67000.11"), &json!("67000.13"))
    );
    let seconds: i64 = one["timestamp"].as_str().unwrap().parse().unwrap();
    assert!((crate::clock::now_ms() / 1_000 - seconds).abs() <= 1);
    assert!(one.get("pair").is_none());

    let all = json(&sim, Venue::Bitstamp, "/api/v2/ticker/").await;
    assert!(all.as_array().unwrap().iter().any(|row| row["pair"] == "ETH/USD" && row["last"] == "3456.7"));
    assert_eq!(fetch(&sim, Venue::Bitstamp, "/api/v2/ticker/nopeusd/").await.0, 404);
    let unslashed = get(&sim, Venue::Bitstamp, "/api/v2/ticker/btcusd").await.unwrap();
    assert_eq!(unslashed.headers()["location"], "/bitstamp/api/v2/ticker/btcusd/");
}

#[tokio::test]
async fn okx_wraps_everything_in_codes() {
    let sim = usual().await;
    let all = json(&sim, Venue::Okx, "/api/v5/market/tickers?instType=SPOT").await;
    assert_eq!((&all["code"], &all["msg"]), (&json!("0"), &json!("")));
    let bitcoin = all["data"].as_array().unwrap().iter().find(|row| row["instId"] == "BTC-USDT").unwrap();
    let figures = ["last", "askPx", "bidPx"].map(|key| bitcoin[key].as_str().unwrap());
    assert_eq!(figures, ["67000.12", "67000.13", "67000.11"]);
    assert_eq!(bitcoin["ts"].as_str().unwrap().len(), 13);

    let one = json(&sim, Venue::Okx, "/api/v5/market/ticker?instId=ETH-USDT").await;
    assert_eq!(one["data"][0]["last"], "3456.7");
    let unknown = json(&sim, Venue::Okx, "/api/v5/market/ticker?instId=NOPE-USDT").await;
    assert_eq!((&unknown["code"], &unknown["data"]), (&json!("51001"), &json!([])));
    assert_eq!(fetch(&sim, Venue::Okx, "/api/v5/market/tickers").await.0, 400);
    assert_eq!(fetch(&sim, Venue::Okx, "/api/v5/nothing").await.0, 404);
}

#[tokio::test]
async fn the_made_up_api_is_reached_by_pointers() {
    let sim = simulator(&[("BTC/USD", "67000.120000000000000001")]).await;
    let (_, body) = fetch(&sim, Venue::Custom, "/price/BTC-USD").await;
    // A float reader would lose the last digits of this one.
    assert!(body.contains(r#""number":67000.120000000000000001"#), "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    for pointer in ["/data/price/last", "/data/list/0", "/data/a~1b/m~0n"] {
        assert_eq!(body.pointer(pointer).unwrap(), "67000.120000000000000001");
    }
    assert_eq!(fetch(&sim, Venue::Custom, "/price/NOPE-USD").await.0, 404);
}

#[tokio::test]
async fn other_methods_and_other_prefixes_are_refused() {
    let sim = usual().await;
    let posted =
        client().post(format!("{}/0/public/Ticker", sim.base_url(Venue::Kraken))).send().await.unwrap();
    assert_eq!(posted.status(), 405);
    let root = sim.base_url(Venue::Kraken).replace("/kraken", "/mtgox");
    assert_eq!(client().get(root).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn every_venue_says_bitcoins_price_where_its_format_has_it() {
    let sim = usual().await;
    for ((venue, path), pointer) in BATCHES.into_iter().zip(PRICES) {
        let (_, text) = fetch(&sim, venue, path).await;
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        let price = body.pointer(pointer).unwrap_or_else(|| panic!("{venue}{pointer}: {text}"));
        assert!(price.to_string().trim_matches('"').starts_with("67000.12"), "{venue}: {price}");
        let fields = text.matches("67000.12").count();
        assert!(fields >= 1, "{venue}");
    }
}

#[tokio::test]
async fn traps_of_the_formats_are_set() {
    let sim = usual().await;
    let all = json(&sim, Venue::Bitfinex, "/v2/tickers?symbols=ALL").await;
    let names: Vec<_> = all.as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(names, ["fUSD", "tBTCUSD", "tBTCUST", "tETHUSD", "tETHUST", "tUSTUSD"]);

    let crypto =
        json(&sim, Venue::CryptoCom, "/exchange/v1/public/get-tickers?instrument_name=BTC_USD").await;
    let row = &crypto["result"]["data"][0];
    assert_eq!(["a", "b", "k"].map(|key| row[key].as_str().unwrap()), ["67000.12", "67000.11", "67000.13"]);

    let htx = json(&sim, Venue::Htx, "/market/tickers").await;
    assert!(htx["data"][0]["vol"].as_f64().unwrap() > 1_000.0 * htx["data"][0]["amount"].as_f64().unwrap());
    assert_eq!((&htx["data"][0]["symbol"], htx["ts"].is_i64()), (&json!("btcusdt"), true));

    let gemini = json(&sim, Venue::Gemini, "/v1/pricefeed").await;
    assert!(gemini.as_array().unwrap().iter().any(|row| row["pair"] == "BTCGUSDPERP"));

    let unknown = fetch(&sim, Venue::Upbit, "/v1/ticker?markets=USDT-BTC,USDT-NOPE").await;
    assert_eq!(unknown, (404, r#"{"error":{"name":404,"message":"Code not found"}}"#.into()));
    // Venues of tethers list no dollars.
    for (venue, path) in
        [(Venue::Bybit, "/v5/market/tickers?category=spot"), (Venue::Kucoin, "/api/v1/market/allTickers")]
    {
        let (_, text) = fetch(&sim, venue, path).await;
        assert!(!text.contains("BTCUSD\"") && !text.contains("BTC-USD\""), "{venue}: {text}");
    }
}

#[tokio::test]
async fn a_venue_that_asks_for_a_key_tells_nothing_without_one() {
    let sim = usual().await;
    for (venue, path) in [
        (Venue::Coinmarketcap, "/v2/cryptocurrency/quotes/latest?id=1"),
        (Venue::Tiingo, "/tiingo/fx/top?tickers=btcusd"),
    ] {
        let response = client().get(format!("{}{path}", sim.base_url(venue))).send().await.unwrap();
        assert_eq!(response.status(), 401, "{venue}");
        assert_eq!(fetch(&sim, venue, path).await.0, 200, "{venue}");
    }
}

#[tokio::test]
async fn reference_rates_are_what_a_euro_costs_and_of_a_day() {
    let sim = simulator(&[("EUR/USD", "1.0834"), ("EUR/GBP", "0.83451"), ("BTC/USD", "67000")]).await;
    let body = json(&sim, Venue::Ecb, "/v1/latest?base=EUR").await;
    assert_eq!(body["rates"], json!({"GBP": 0.83451, "USD": 1.0834}));
    assert_eq!((&body["base"], body["date"].as_str().unwrap().len()), (&json!("EUR"), 10));
    assert_eq!(fetch(&sim, Venue::Ecb, "/v1/latest?base=USD").await.0, 404);
}
