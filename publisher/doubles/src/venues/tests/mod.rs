//! The venues over real HTTP: their formats as published, and every fault as a client meets it.

mod faults;
mod formats;
mod levers;
mod limits;

use std::sync::LazyLock;

use super::*;

async fn simulator(prices: &[(&str, &str)]) -> VenueSimulator {
    let prices = prices.iter().map(|(pair, price)| ((*pair).to_owned(), (*price).to_owned())).collect();
    VenueSimulator::start(SimConfig { prices, ..SimConfig::default() }).await.unwrap()
}

/// Bitcoin, ether and tether at prices that no venue would round.
async fn usual() -> VenueSimulator {
    simulator(&[("BTC/USD", "67000.12"), ("ETH/USD", "3456.7"), ("USDT/USD", "1.0000")]).await
}

/// A client that follows nothing and gives up soon.
fn client() -> reqwest::Client {
    // Building one is slow; without a pool it may be shared by the runtimes of all tests.
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(5))
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    });
    CLIENT.clone()
}

async fn get(sim: &VenueSimulator, venue: Venue, path: &str) -> reqwest::Result<reqwest::Response> {
    let request = client().get(format!("{}{path}", sim.base_url(venue)));
    // Two of the venues ask for a key, and the others ignore it.
    request.header("x-cmc_pro_api_key", "k").header("authorization", "Token k").send().await
}

/// Status and body.
async fn fetch(sim: &VenueSimulator, venue: Venue, path: &str) -> (u16, String) {
    let response = get(sim, venue, path).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn json(sim: &VenueSimulator, venue: Venue, path: &str) -> serde_json::Value {
    let (status, body) = fetch(sim, venue, path).await;
    assert_eq!(status, 200, "{venue}{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|why| panic!("{venue}{path}: {why}: {body}"))
}

/// The path under which each venue answers for bitcoin among others, or for bitcoin alone where it has no list.
const BATCHES: [(Venue, &str); 20] = [
    (Venue::Coinbase, "/api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=ETH-USD"),
    (Venue::Kraken, "/0/public/Ticker?pair=XBTUSD,ETHUSD"),
    (Venue::Binance, "/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D"),
    (Venue::Bitstamp, "/api/v2/ticker/"),
    (Venue::Okx, "/api/v5/market/tickers?instType=SPOT"),
    (Venue::Custom, "/price/BTC-USD"),
    (Venue::BinanceUs, "/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D"),
    (Venue::Bitfinex, "/v2/tickers?symbols=tBTCUSD,tETHUSD"),
    (Venue::Bitget, "/api/v2/spot/market/tickers"),
    (Venue::Bybit, "/v5/market/tickers?category=spot"),
    (
        Venue::Coingecko,
        "/api/v3/simple/price?ids=bitcoin,ethereum&vs_currencies=usd&include_last_updated_at=true",
    ),
    (Venue::Coinmarketcap, "/v2/cryptocurrency/quotes/latest?id=1,1027"),
    (Venue::CryptoCom, "/exchange/v1/public/get-tickers"),
    (Venue::Gate, "/api/v4/spot/tickers"),
    (Venue::Gemini, "/v1/pricefeed"),
    (Venue::Htx, "/market/tickers"),
    (Venue::Kucoin, "/api/v1/market/allTickers"),
    (Venue::Mexc, "/api/v3/ticker/24hr"),
    (Venue::Tiingo, "/tiingo/fx/top?tickers=btcusd,ethusd"),
    (Venue::Upbit, "/v1/ticker?markets=USDT-BTC,USDT-ETH"),
];

/// Where bitcoin's price stands in each of those answers.
const PRICES: [&str; 20] = [
    "/products/0/price",
    "/result/XXBTZUSD/c/0",
    "/0/lastPrice",
    "/0/last",
    "/data/0/last",
    "/data/price/last",
    "/0/lastPrice",
    "/0/7",
    "/data/0/lastPr",
    "/result/list/0/lastPrice",
    "/bitcoin/usd",
    "/data/1/quote/USD/price",
    "/result/data/0/a",
    "/0/last",
    "/0/price",
    "/data/0/close",
    "/data/ticker/0/last",
    "/0/lastPrice",
    "/0/midPrice",
    "/0/trade_price",
];
