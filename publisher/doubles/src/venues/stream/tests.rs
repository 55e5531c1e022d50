//! The sockets as a client meets them: what the venues forbid is refused, and what goes wrong can be seen.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::venues::{Fault, SimConfig, VenueSimulator};

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
