//! The sockets as a client meets them: what the venues forbid is refused, and what goes wrong can be seen.

use std::io::Read as _;

use flate2::read::GzDecoder;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::venues::{Fault, Limits, SimConfig, VenueSimulator};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn simulator() -> VenueSimulator {
    VenueSimulator::start(SimConfig::default()).await.unwrap()
}

async fn connect(simulator: &VenueSimulator, venue: Venue, path: &str) -> Client {
    connect_async(format!("{}{path}", simulator.stream_url(venue))).await.unwrap().0
}

async fn say(client: &mut Client, text: &str) {
    client.send(Message::text(text)).await.unwrap();
}

/// The next message; `None` when the venue has closed the connection.
async fn next(client: &mut Client) -> Option<String> {
    loop {
        match tokio::time::timeout(PATIENCE, client.next()).await.expect("nothing comes") {
            Some(Ok(Message::Text(text))) => return Some(text.to_string()),
            Some(Ok(Message::Binary(bytes))) => {
                let mut text = String::new();
                let inflated = GzDecoder::new(&*bytes).read_to_string(&mut text);
                return Some(
                    inflated.map_or_else(|_| String::from_utf8_lossy(&bytes).into_owned(), |_| text),
                );
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// The next message that holds this.
async fn find(client: &mut Client, part: &str) -> Value {
    loop {
        let text = next(client).await.unwrap_or_else(|| panic!("closed before {part}"));
        if text.contains(part) {
            return serde_json::from_str(&text).unwrap_or(Value::String(text));
        }
    }
}

#[tokio::test]
async fn every_venue_pushes_what_was_subscribed_to_and_remembers_it() {
    let simulator = simulator().await;
    for (venue, path, subscription, part) in [
        (
            Venue::Coinbase,
            "/",
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker"]}"#,
            r#""price":"67000.00""#,
        ),
        (
            Venue::Kraken,
            "/v2",
            r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD"]},"req_id":9}"#,
            r#""last":67000.00,"#,
        ),
        (
            Venue::Binance,
            "/stream",
            r#"{"method":"SUBSCRIBE","params":["btcusdt@ticker"],"id":9}"#,
            r#""c":"67000.00"#,
        ),
        (
            Venue::BinanceUs,
            "/stream",
            r#"{"method":"SUBSCRIBE","params":["btcusd@ticker"],"id":9}"#,
            r#""c":"67000.00"#,
        ),
        (Venue::Htx, "/ws", r#"{"sub":"market.btcusdt.ticker"}"#, r#""close":67000.00"#),
        (
            Venue::Mexc,
            "/ws",
            r#"{"method":"SUBSCRIPTION","params":["spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT"]}"#,
            "66999.99",
        ),
        (
            Venue::Bitstamp,
            "/",
            r#"{"event":"bts:subscribe","data":{"channel":"order_book_btcusd"}}"#,
            r#""bids":[["66999.99""#,
        ),
        (
            Venue::Okx,
            "/ws/v5/public",
            r#"{"op":"subscribe","args":[{"channel":"tickers","instId":"BTC-USDT"}]}"#,
            r#""last":"67000.00"#,
        ),
        (
            Venue::Bybit,
            "/v5/public/spot",
            r#"{"req_id":"9","op":"subscribe","args":["tickers.BTCUSDT"]}"#,
            r#""lastPrice":"67000.00"#,
        ),
        (
            Venue::Bitget,
            "/v2/ws/public",
            r#"{"op":"subscribe","args":[{"instType":"SPOT","channel":"ticker","instId":"BTCUSDT"}]}"#,
            r#""lastPr":"67000.00"#,
        ),
        (
            Venue::Gate,
            "/ws/v4/",
            r#"{"time":1767225600,"channel":"spot.tickers","event":"subscribe","payload":["BTC_USDT"]}"#,
            r#""last":"67000.00"#,
        ),
        (
            Venue::CryptoCom,
            "/exchange/v1/market",
            r#"{"id":9,"method":"subscribe","params":{"channels":["ticker.BTC_USD"]}}"#,
            r#""a":"67000.00"#,
        ),
        (
            Venue::Upbit,
            "/websocket/v1",
            r#"[{"ticket":"9"},{"type":"ticker","codes":["USDT-BTC"]},{"format":"SIMPLE"}]"#,
            r#""tp":67000.00"#,
        ),
        (
            Venue::Bitfinex,
            "/ws/2",
            r#"{"event":"subscribe","channel":"ticker","symbol":"tBTCUSD"}"#,
            r#",67000.00,"#,
        ),
    ] {
        let mut client = connect(&simulator, venue, path).await;
        say(&mut client, subscription).await;
        find(&mut client, part).await;
        let served = simulator.market().served();
        assert!(served.iter().any(|served| served.venue == venue && served.request == 0), "{venue}");
        assert_eq!(simulator.market().stream_heard(venue), [subscription]);
        assert_eq!(simulator.market().streams(venue), (1, 1));
    }
    assert_eq!(simulator.market().requests(Venue::Kraken), 0, "a socket is no request");
}

#[tokio::test]
async fn what_a_venue_forbids_is_refused_in_its_own_words() {
    let simulator = simulator().await;
    let mut client = connect(&simulator, Venue::Coinbase, "/").await;
    say(&mut client, r#"{"type":"subscribe","product_ids":["BTC-USD","X-Y"],"channels":["ticker"]}"#).await;
    assert_eq!(find(&mut client, "error").await["reason"], "X-Y is not a valid product");
    // Nothing of the frame holds, so this is no subscription, and none within five seconds ends the connection.
    assert_eq!(next(&mut client).await, None);

    let mut client = connect(&simulator, Venue::Kraken, "/v2").await;
    say(&mut client, r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["XBT/USD"]}}"#).await;
    let refusal = find(&mut client, "error").await;
    assert_eq!((&refusal["success"], &refusal["symbol"]), (&Value::Bool(false), &Value::from("XBT/USD")));

    let mut client = connect(&simulator, Venue::Okx, "/ws/v5/public").await;
    for _ in 0..4 {
        say(&mut client, r#"{"op":"subscribe","args":[]}"#).await;
    }
    assert_eq!(find(&mut client, "error").await["code"], "60014");

    let mut client = connect(&simulator, Venue::Bybit, "/v5/public/spot").await;
    say(&mut client, r#"{"req_id":"1","op":"subscribe","args":["tickers.BTCUSDT","tickers.NOPE"]}"#).await;
    assert_eq!(find(&mut client, "success").await["ret_msg"], "error:handler not found,topic:tickers.NOPE");
    let eleven = ["\"tickers.BTCUSDT\""; 11].join(",");
    say(&mut client, &format!(r#"{{"req_id":"2","op":"subscribe","args":[{eleven}]}}"#)).await;
    assert_eq!(find(&mut client, "success").await["ret_msg"], "args size >10");

    let mut client = connect(&simulator, Venue::Binance, "/stream").await;
    for id in 0..6 {
        say(&mut client, &format!(r#"{{"method":"SUBSCRIBE","params":["nope@ticker"],"id":{id}}}"#)).await;
    }
    while let Some(text) = next(&mut client).await {
        assert!(text.contains(r#""result":null"#), "an unknown stream is acknowledged: {text}");
    }

    let nowhere = connect_async(format!("{}/v1", simulator.stream_url(Venue::Kraken))).await;
    assert!(matches!(nowhere, Err(Error::Http(response)) if response.status() == 404));
}

#[tokio::test]
async fn what_a_venue_expects_of_its_clients_is_missed_soon() {
    let simulator = simulator().await;
    // A heartbeat that nobody answers.
    let mut client = connect(&simulator, Venue::CryptoCom, "/exchange/v1/market").await;
    find(&mut client, "public/heartbeat").await;
    while next(&mut client).await.is_some() {}
    // The second request ends what the first one subscribed to, and an unknown market is passed over.
    let mut client = connect(&simulator, Venue::Upbit, "/websocket/v1").await;
    for codes in [r#""USDT-BTC""#, r#""USDT-ETH","USDT-NOPE""#] {
        let text =
            format!(r#"[{{"ticket":"9"}},{{"type":"ticker","codes":[{codes}]}},{{"format":"SIMPLE"}}]"#);
        say(&mut client, &text).await;
    }
    find(&mut client, "USDT-ETH").await;
    for _ in 0..4 {
        assert_eq!(find(&mut client, "ticker").await["cd"], "USDT-ETH");
    }
    let mut client = connect(&simulator, Venue::Bitfinex, "/ws/2").await;
    for code in [10_301, 10_300] {
        let symbol = if code == 10_300 { "tNOPEUSD" } else { "tBTCUSD" };
        for _ in 0..2 {
            let text = format!(r#"{{"event":"subscribe","channel":"ticker","symbol":"{symbol}"}}"#);
            say(&mut client, &text).await;
        }
        assert_eq!(find(&mut client, "error").await["code"], code);
    }
}

#[tokio::test]
async fn a_token_opens_one_connection_and_an_answer_to_a_ping_repeats_its_number() {
    let simulator = simulator().await;
    let bullet = || async {
        let url = format!("{}/api/v1/bullet-public", simulator.base_url(Venue::Kucoin));
        let answer = reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        format!("/?token={}", answer["data"]["token"].as_str().unwrap())
    };
    let subscription = |symbols: &str| {
        format!(r#"{{"id":"1","type":"subscribe","topic":"/market/ticker:{symbols}","response":true}}"#)
    };
    let path = bullet().await;
    let mut client = connect(&simulator, Venue::Kucoin, &path).await;
    assert_eq!(find(&mut client, "id").await["type"], "welcome");
    say(&mut client, &subscription(&["BTC-USDT"; 101].join(","))).await;
    let refusal = find(&mut client, "509").await;
    assert_eq!(refusal["data"], "exceed max subscription count limitation of 100 per time");
    say(&mut client, &subscription("BTC-USDT,NOPE-USDT")).await;
    assert_eq!(find(&mut client, "error").await["code"], 404);
    say(&mut client, &subscription("BTC-USDT")).await;
    find(&mut client, "67000.00").await;
    let fresh = bullet().await;
    simulator.market().stream_fault(Venue::Kucoin, StreamFault::ExpiredToken);
    for path in [path.as_str(), "/", &fresh] {
        let mut client = connect(&simulator, Venue::Kucoin, path).await;
        assert_eq!(find(&mut client, "error").await["code"], 401, "{path}");
        assert_eq!(next(&mut client).await, None);
    }
    let mut client = connect(&simulator, Venue::Htx, "/ws").await;
    find(&mut client, "ping").await;
    say(&mut client, r#"{"pong":1}"#).await;
    while next(&mut client).await.is_some() {}
    for (symbols, is_known) in [("BTCUSD", true), ("BTCUSD,NOPEUSD", false)] {
        let path = format!("/v1/multimarketdata?trades=true&symbols={symbols}");
        let url = format!("{}{path}", simulator.stream_url(Venue::Gemini));
        assert_eq!(connect_async(url).await.is_ok(), is_known, "{symbols}");
    }
}

#[tokio::test]
async fn sockets_have_their_own_faults_and_share_those_of_the_figures() {
    let simulator = simulator().await;
    let (market, venue) = (simulator.market(), Venue::Okx);
    market.fault(venue, Fault::Dead);
    let mut client = connect(&simulator, venue, "/ws/v5/public").await;
    say(&mut client, r#"{"op":"subscribe","args":[{"channel":"tickers","instId":"BTC-USDT"}]}"#).await;
    find(&mut client, r#""last":"67000.00"#).await;
    market.fault(venue, Fault::Multiply { by: "10".parse().unwrap() });
    find(&mut client, r#""last":"670000.00"#).await;
    market.stream_fault(venue, StreamFault::NoPong);
    market.stream_fault(venue, StreamFault::Garbage);
    find(&mut client, r#"{"no json":"#).await;
    market.clear(venue);
    assert!(market.stream_faults(venue).is_empty());
    say(&mut client, "ping").await;
    assert_eq!(find(&mut client, "pong").await, "pong");
    market.stream_fault(venue, StreamFault::AsksReconnect);
    find(&mut client, "64008").await;
    market.stream_fault(venue, StreamFault::Refused { status: 451 });
    let refused = connect_async(format!("{}/ws/v5/public", simulator.stream_url(venue))).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 451));
    market.stream_fault(venue, StreamFault::Cut);
    while next(&mut client).await.is_some() {}
    // A socket ends with the server, too.
    let mut client = connect(&simulator, Venue::Kraken, "/v2").await;
    find(&mut client, "status").await;
    simulator.stop().await;
    while next(&mut client).await.is_some() {}
}

/// Without this a client that writes too fast, too much or too often connects well here and is thrown out by the venue.
#[tokio::test]
async fn what_a_socket_may_do_is_limited_as_the_venue_limits_it() {
    let simulator = simulator().await;
    // The WebSocket's own pings are messages to Binance; the sixth of a second ends it.
    let mut client = connect(&simulator, Venue::Binance, "/stream").await;
    for _ in 0..6 {
        client.send(Message::Ping(vec![].into())).await.unwrap();
    }
    assert_eq!(next(&mut client).await, None);
    // A connection may not say more than 21,000 characters to Bybit, all in all.
    let mut client = connect(&simulator, Venue::Bybit, "/v5/public/spot").await;
    for _ in 0..5 {
        say(&mut client, &format!(r#"{{"op":"ping","req_id":"{}"}}"#, "x".repeat(5_000))).await;
    }
    while next(&mut client).await.is_some() {}
    let mut client = connect(&simulator, Venue::Okx, "/ws/v5/public").await;
    say(&mut client, &"x".repeat(65_537)).await;
    assert_eq!(next(&mut client).await, None);
    // The fourth attempt of a second, and Upbit's sixth.
    for (venue, path, max) in [(Venue::Okx, "/ws/v5/public", 3), (Venue::Upbit, "/websocket/v1", 5)] {
        let attempt = || connect_async(format!("{}{path}", simulator.stream_url(venue)));
        // So many at once are more than the limit, however slow this machine is.
        let answers = futures_util::future::join_all((0..4 * max).map(|_| attempt())).await;
        let is_refused = |answer: &Result<_, Error>| matches!(answer, Err(Error::Http(response)) if response.status() == 429);
        assert!(answers.iter().any(is_refused), "{venue}");
    }
    simulator.market().limit(Limits::Off);
    for _ in 0..10 {
        connect(&simulator, Venue::Okx, "/ws/v5/public").await;
    }
}

/// Without this a client that puts all its markets on one socket finds out at the venue that most are not told.
#[tokio::test]
async fn a_socket_takes_no_more_markets_than_the_venue_lets_it() {
    let names: Vec<String> = (0..=1_024).map(|n| format!("C{n}")).collect();
    let prices = names.iter().map(|name| (format!("{name}/USDT"), "1.5".to_owned())).collect();
    let simulator = VenueSimulator::start(SimConfig { prices, ..SimConfig::default() }).await.unwrap();
    let url = format!("{}/api/v1/bullet-public", simulator.base_url(Venue::Kucoin));
    let answer = reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let path = format!("/?token={}", answer["data"]["token"].as_str().unwrap());
    let mut client = connect(&simulator, Venue::Kucoin, &path).await;
    for part in names.chunks(100).take(4) {
        let symbols: Vec<_> = part.iter().map(|name| format!("{name}-USDT")).collect();
        let topic = format!("/market/ticker:{}", symbols.join(","));
        say(&mut client, &format!(r#"{{"id":"1","type":"subscribe","topic":"{topic}","response":true}}"#))
            .await;
    }
    let refusal = find(&mut client, "509").await;
    assert_eq!(refusal["data"], "exceed max subscription count limitation of 300 per session");
    let mut client = connect(&simulator, Venue::Binance, "/stream").await;
    let streams: Vec<_> =
        names.iter().map(|name| format!(r#""{}usdt@ticker""#, name.to_lowercase())).collect();
    say(&mut client, &format!(r#"{{"method":"SUBSCRIBE","params":[{}],"id":1}}"#, streams.join(","))).await;
    assert_eq!(next(&mut client).await, None);
}
