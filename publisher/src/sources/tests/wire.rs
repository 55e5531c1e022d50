//! What the simulator cannot do: other hosts of a venue, dates in headers, headers of ours, lying lengths.

use super::super::preset::Preset;
use super::super::{ApiKey, Client, CustomSource, NextPoll, Venue, VenueSpec, Way, preset};
use super::hostile::clock;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use publisher_core::quote::{Observation, SourceFault, VenueId};
use publisher_core::time::{Span, Wall};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

const BODY: &str =
    r#"{"code":"0","data":[{"instId":"BTC-USDT","last":"5","askPx":"6","bidPx":"4","ts":"1772807399905"}]}"#;

/// Serves every request with `answer`; gives the base URL.
async fn serve<F>(answer: F) -> Url
where
    F: Fn(Request) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer(request);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Answers the first connection with these bytes, whatever HTTP says.
async fn serve_bytes(bytes: &'static [u8]) -> Url {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    url
}

fn status(status: u16, header: Option<(&str, &str)>, body: &'static str) -> Response<Body> {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if let Some((name, value)) = header {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(body)).unwrap()
}

fn okx(base_url: Url) -> Venue {
    let timeout = Some(Span::from_s(10));
    let spec = VenueSpec { base_url: Some(base_url), timeout, ..VenueSpec::new(VenueId::new("okx")) };
    let symbols = [Arc::from("BTC-USDT")].into();
    Venue::new(preset("okx").unwrap(), spec, symbols, &Client::new().unwrap()).unwrap()
}

/// A venue whose own hosts are these, so that the limits of its preset hold.
fn of_hosts(venue: &str, symbol: &str, hosts: Vec<Url>, client: &Client) -> Venue {
    let mut preset: Preset = preset(venue).unwrap().clone();
    preset.hosts = hosts;
    let timeout = Some(Span::from_s(10));
    let spec = VenueSpec { timeout, ..VenueSpec::new(VenueId::new(venue)) };
    Venue::new(&preset, spec, [Arc::from(symbol)].into(), client).unwrap()
}

fn now() -> Wall {
    Wall::from_ms(1_772_807_400_000)
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_a_trailing_slash() {
    let seen = Arc::new(Mutex::new(String::new()));
    let record = seen.clone();
    let url = serve(move |request| {
        *record.lock().unwrap() = request.uri().to_string();
        status(200, None, BODY)
    })
    .await;
    for base in ["/mirror/okx", "/mirror/okx/"] {
        let poll = okx(url.join(base).unwrap()).poll(now).await;
        assert_eq!(poll.fault, None, "{poll:?}");
        assert_eq!(*seen.lock().unwrap(), "/mirror/okx/api/v5/market/tickers?instType=SPOT");
    }
}

#[tokio::test]
async fn a_retry_after_may_be_a_date() {
    let url = serve(|_| status(429, Some(("retry-after", "Fri, 06 Mar 2026 14:30:45 GMT")), "")).await;
    let poll = okx(url).poll(now).await;
    assert_eq!((poll.fault, poll.retry_after), (Some(SourceFault::RateLimited), Some(Span::from_s(45))));
}

#[tokio::test]
async fn a_body_may_know_better_than_its_status_but_not_than_a_ban() {
    for (code, body, expected) in [
        (400, r#"{"code":"50011","msg":"Too Many Requests"}"#, SourceFault::RateLimited),
        (403, r#"{"code":"50011","msg":"Too Many Requests"}"#, SourceFault::RateLimited),
        (418, r#"{"code":"50011","msg":"Too Many Requests"}"#, SourceFault::Banned),
        (403, "no", SourceFault::GeoBlocked),
        (500, "no", SourceFault::HttpStatus),
    ] {
        let url = serve(move |_| status(code, None, body)).await;
        assert_eq!(okx(url).poll(now).await.fault, Some(expected), "{code} {body}");
    }
}

/// Without this a venue that asks for patience with 403 is taken for one that serves another place on the map, and is
/// asked again at its next host at once.
#[tokio::test]
async fn s20_who_forbids_and_says_until_when_is_no_matter_of_geography() {
    for (header, body, expected) in [
        (Some(("retry-after", "30")), "no", SourceFault::RateLimited),
        (Some(("retry-after", "soon")), "no", SourceFault::GeoBlocked),
        (None, "no", SourceFault::GeoBlocked),
    ] {
        let url = serve(move |_| status(403, header, body)).await;
        let venue = of_hosts("okx", "BTC-USDT", vec![url.clone(), url], &Client::new().unwrap());
        let poll = venue.poll(now).await;
        assert_eq!((poll.fault, poll.alternative), (Some(expected), expected == SourceFault::GeoBlocked));
    }
}

/// Without this Bybit, which bans by 403 for ten minutes and counts who asks meanwhile, is asked again after seconds,
/// and at its other host.
#[tokio::test]
async fn s20_bybits_403_is_a_ban_whatever_its_body_says_and_nobody_probes_it() {
    for body in ["{\"retCode\":10006,\"retMsg\":\"Too many visits.\"}", "access too frequent", "", "<html>"] {
        let (url, count) = counting(move |_| status(403, None, body)).await;
        let venue = of_hosts("bybit", "BTCUSDT", vec![url.clone(), url], &Client::new().unwrap());
        let poll = venue.poll(now).await;
        assert_eq!((poll.fault, poll.alternative), (Some(SourceFault::Banned), false), "{body}");
        assert!(super::super::NextPoll::new(venue.every(), 1).after(&poll) >= Span::from_s(600));
        let held = venue.poll(now).await;
        assert_eq!((held.requests, count.load(Ordering::Relaxed)), (0, 1), "{body}: a ban was probed");
        let listed = venue.listed(now).await;
        assert_eq!(count.load(Ordering::Relaxed), 1, "{body}: a ban was probed for a list: {listed:?}");
    }
    let (url, _) = counting(|_| status(403, None, "is configured to block access from your country.")).await;
    let venue = of_hosts("bybit", "BTCUSDT", vec![url.clone(), url], &Client::new().unwrap());
    let poll = venue.poll(now).await;
    assert_eq!((poll.fault, poll.alternative), (Some(SourceFault::GeoBlocked), true));
}

#[tokio::test]
async fn lengths_and_protocols_that_lie_end_in_a_fault() {
    for (bytes, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{"[..], SourceFault::TooLarge),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n{", SourceFault::Unreachable),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", SourceFault::Unreachable),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", SourceFault::Unreachable),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",
            SourceFault::BadBody,
        ),
        (b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n", SourceFault::HttpStatus),
        (b"SSH-2.0-OpenSSH\r\n", SourceFault::Unreachable),
        (b"", SourceFault::Unreachable),
    ] {
        let poll = okx(serve_bytes(bytes).await).poll(now).await;
        assert_eq!(poll.fault, Some(expected), "{:?} {:?}", String::from_utf8_lossy(bytes), poll.detail);
    }
}

#[tokio::test]
async fn error_bodies_are_quoted_in_plain_characters_and_in_part() {
    let url = serve(|_| status(500, None, "\u{1b}[31m\r\nred\u{202e}")).await;
    let poll = okx(url).poll(now).await;
    assert_eq!(poll.detail.as_deref(), Some("HTTP status 500: .[31m..red."));
    let long = serve(|_| Response::new(Body::from(format!("<html>{}", "x".repeat(100_000))))).await;
    let detail = okx(long).poll(now).await.detail.unwrap();
    assert!(detail.starts_with("HTML or XML instead of JSON: <html>xx") && detail.len() < 250, "{detail}");
}

/// Without this a venue that does not serve here is taken for one that is down, and its mirror is never asked; or one that
/// serves nowhere is asked again and again until it bans the address.
#[tokio::test]
async fn s21_a_blocked_host_gives_way_to_the_next_and_then_to_patience() {
    let blocked = serve(|_| status(451, None, "no")).await;
    let closes = Arc::new(AtomicBool::new(false));
    let closed = closes.clone();
    let open =
        serve(
            move |_| {
                if closed.load(Ordering::Relaxed) { status(451, None, "no") } else { status(200, None, BODY) }
            },
        )
        .await;
    let client = Client::new().unwrap();
    let with_hosts = |hosts: Vec<Url>| of_hosts("okx", "BTC-USDT", hosts, &client);
    let venue = with_hosts(vec![blocked.clone(), open]);
    let first = venue.poll(now).await;
    assert_eq!((first.fault, first.alternative), (Some(SourceFault::GeoBlocked), true));
    let second = venue.poll(now).await;
    assert_eq!((second.fault, second.alternative), (None, false));
    assert!(matches!(&second.observations[..], [Observation::Quote(_)]));
    assert_eq!(venue.poll(now).await.fault, None, "it stays with the host that answers");
    closes.store(true, Ordering::Relaxed);
    assert!(venue.poll(now).await.alternative, "after an answer the other hosts count as untried");
    assert!(!venue.poll(now).await.alternative);

    let venue = with_hosts(vec![blocked.clone(), blocked]);
    let mut pace = NextPoll::new(venue.every(), 1);
    let mut after = async || {
        let poll = venue.poll(now).await;
        (poll.fault, pace.after(&poll))
    };
    let (fault, wait) = after().await;
    assert!(fault == Some(SourceFault::GeoBlocked) && wait <= venue.every(), "the other one is next: {wait}");
    for _ in 0..3 {
        let hourly = (Some(SourceFault::GeoBlocked), Span::from_s(3600));
        assert_eq!(after().await, hourly, "no host is left that was not tried");
    }
}

#[tokio::test]
async fn headers_are_sent_and_an_echo_of_them_is_not_repeated() {
    let url = serve(|request| {
        let key = request.headers().get("x-key").unwrap().to_str().unwrap().to_owned();
        let agent = request.headers().get("user-agent").unwrap().to_str().unwrap().to_owned();
        Response::builder().status(401).body(Body::from(format!("bad key {key} from {agent}"))).unwrap()
    })
    .await;
    let source = CustomSource {
        id: VenueId::new("desk"),
        url: url.join("/hunter2?key=hunter2").unwrap(),
        pointer: "/p".to_owned(),
        bid_pointer: None,
        ask_pointer: None,
        time: None,
        every: None,
        timeout: None,
        headers: vec![("X-Key".to_owned(), "hunter2".to_owned())],
        allow_private: true,
        way: Way::default(),
    };
    let venue = Venue::custom(source, &Client::new().unwrap()).unwrap();
    let poll = venue.poll(clock).await;
    assert_eq!((poll.status, poll.fault), (Some(401), Some(SourceFault::HttpStatus)));
    assert_eq!(poll.detail.as_deref(), Some("HTTP status 401"));
    let unreachable = CustomSource {
        id: VenueId::new("desk"),
        url: "http://127.0.0.1:1/hunter2?key=hunter2".parse().unwrap(),
        pointer: "/p".to_owned(),
        bid_pointer: None,
        ask_pointer: None,
        time: None,
        every: None,
        timeout: None,
        headers: vec![("X-Key".to_owned(), "hunter2".to_owned())],
        allow_private: true,
        way: Way::default(),
    };
    let venue = Venue::custom(unreachable, &Client::new().unwrap()).unwrap();
    let poll = venue.poll(clock).await;
    assert_eq!(poll.fault, Some(SourceFault::Unreachable));
    assert!(!format!("{poll:?} {venue:?}").contains("hunter2"), "{poll:?}");
}

#[test]
fn what_a_venue_cannot_be_asked_is_said_at_once() {
    let client = Client::new().unwrap();
    let spec = |base_url: Option<&str>| VenueSpec {
        base_url: base_url.map(|url| url.parse().unwrap()),
        every: Some(Span::from_ms(1)),
        timeout: Some(Span::from_s(3600)),
        ..VenueSpec::new(VenueId::new("coinbase"))
    };
    let preset = preset("coinbase").unwrap();
    let symbols = ["BTC-USD", "btcusd", "BTC/USD"].map(Arc::from).into();
    let error = Venue::new(preset, spec(Some("http://127.0.0.1/?x=1")), symbols, &client).unwrap_err();
    let paths: Vec<_> = error.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["symbols", "symbols", "base_url", "every", "timeout"]);
    let none = Venue::new(preset, VenueSpec { every: None, timeout: None, ..spec(None) }, [].into(), &client);
    assert!(none.unwrap_err().to_string().contains("no symbol"));
}

#[tokio::test]
async fn a_venues_key_is_sent_in_its_header_and_never_told() {
    let url = serve(|request| {
        let key = request.headers().get("authorization").unwrap().to_str().unwrap().to_owned();
        Response::builder().status(401).body(Body::from(format!("bad key {key}"))).unwrap()
    })
    .await;
    let client = Client::new().unwrap();
    let tiingo = preset("tiingo").unwrap();
    let spec = |key: Option<&str>| VenueSpec {
        base_url: Some(url.clone()),
        key: key.map(ApiKey::new),
        ..VenueSpec::new(VenueId::new("tiingo"))
    };
    let symbols = || [Arc::from("eurusd")].into();
    let venue = Venue::new(tiingo, spec(Some("hunter2")), symbols(), &client).unwrap();
    let poll = venue.poll(clock).await;
    assert_eq!((poll.status, poll.fault), (Some(401), Some(SourceFault::HttpStatus)));
    assert_eq!(poll.detail.as_deref(), Some("HTTP status 401"), "an error may repeat the key");
    assert!(!format!("{venue:?} {:?}", spec(Some("hunter2"))).contains("hunter2"));

    for (preset, key, reason) in [
        ("tiingo", None, "only with a key"),
        ("okx", Some("hunter2"), "takes no key"),
        ("tiingo", Some("hunter2\n"), "key"),
    ] {
        let preset = super::super::preset(preset).unwrap();
        let symbols = [preset
            .symbol_format()
            .replace("{BASE}", "BTC")
            .replace("{QUOTE}", "USD")
            .replace("{base}", "btc")
            .replace("{quote}", "usd")];
        let symbols = symbols.iter().map(|symbol| Arc::from(symbol.as_str())).collect();
        let error = Venue::new(preset, spec(key), symbols, &client).unwrap_err();
        assert_eq!(error.problems.len(), 1, "{error}");
        assert!(error.to_string().contains(reason) && !error.to_string().contains("hunter2"), "{error}");
    }
    // A key that is wished for and not needed.
    let spec = VenueSpec { id: VenueId::new("coingecko"), ..spec(None) };
    Venue::new(super::super::preset("coingecko").unwrap(), spec, [Arc::from("bitcoin")].into(), &client)
        .unwrap();
}

const BINANCE: &str =
    r#"[{"symbol":"BTCUSDT","lastPrice":"5","bidPrice":"4","askPrice":"6","closeTime":1772807399905}]"#;

/// Counts the requests that reach it.
async fn counting<F>(answer: F) -> (Url, Arc<AtomicUsize>)
where
    F: Fn(Request) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let url = serve(move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        answer(request)
    })
    .await;
    (url, count)
}

#[tokio::test]
async fn s20_a_ban_is_obeyed_by_everybody_who_asks_that_host() {
    let (url, count) = counting(|_| status(418, None, "banned")).await;
    let client = Client::new().unwrap();
    let [first, second] = [(); 2].map(|()| of_hosts("binance", "BTCUSDT", vec![url.clone()], &client));
    let poll = first.poll(now).await;
    assert_eq!((poll.fault, poll.requests), (Some(SourceFault::Banned), 1));
    for venue in [&second, &first] {
        let poll = venue.poll(now).await;
        assert_eq!((poll.fault, poll.requests), (Some(SourceFault::RateLimited), 0), "{poll:?}");
        let wait = poll.retry_after.unwrap();
        assert!(wait > Span::from_s(500) && wait <= Span::from_s(600), "{wait}");
        assert!(poll.detail.unwrap().starts_with("held back"));
    }
    assert_eq!(count.load(Ordering::Relaxed), 1, "a ban was probed");
}

#[tokio::test]
async fn what_headers_say_is_used_slows_a_venue_down_and_holds_it_back() {
    let used = Arc::new(AtomicUsize::new(100));
    let says = used.clone();
    let (url, count) = counting(move |_| {
        let used = says.load(Ordering::Relaxed).to_string();
        status(200, Some(("x-mbx-used-weight-1m", used.as_str())), BINANCE)
    })
    .await;
    let client = Client::new().unwrap();
    let venue = of_hosts("binance", "BTCUSDT", vec![url], &client);
    let poll = venue.poll(now).await;
    assert_eq!((poll.fault, poll.every), (None, venue.every()), "{poll:?}");
    // Somebody else behind our address is busy: 85 % of what is allowed, then far too busy.
    used.store(5_100, Ordering::Relaxed);
    let poll = venue.poll(now).await;
    assert_eq!((poll.fault, poll.every), (None, venue.every().times(2)), "{poll:?}");
    assert!((800..=850).contains(&poll.limits[0].1), "{:?}", poll.limits);
    used.store(60_000, Ordering::Relaxed);
    assert_eq!(venue.poll(now).await.fault, None);
    let before = count.load(Ordering::Relaxed);
    let poll = venue.poll(now).await;
    assert_eq!((poll.fault, poll.requests), (Some(SourceFault::RateLimited), 0), "{poll:?}");
    assert_eq!(count.load(Ordering::Relaxed), before);
}

/// Without this whoever records fixtures again and again has the daemon's address banned.
#[tokio::test]
async fn what_is_kept_as_a_fixture_is_asked_for_within_the_same_limits() {
    let (url, count) = counting(move |_| status(200, Some(("x-mbx-used-weight-1m", "60000")), BINANCE)).await;
    let venue = of_hosts("binance", "BTCUSDT", vec![url], &Client::new().unwrap());
    assert_eq!(venue.body(now).await.unwrap().0, BINANCE.as_bytes());
    // It has learned from that answer that nothing is left.
    let held = venue.body(now).await.unwrap_err();
    assert!(held.starts_with("held back for"), "{held}");
    let held = venue.list_body(now).await.unwrap().unwrap_err();
    assert!(held.starts_with("rate_limited held back for"), "{held}");
    assert_eq!(venue.poll(now).await.fault, Some(SourceFault::RateLimited));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_burst_waits_where_that_is_enough() {
    let body = r#"{"products":[{"product_id":"BTC-USD","price":"5","mid_market_price":""}]}"#;
    let (url, count) = counting(move |_| status(200, None, body)).await;
    let client = Client::new().unwrap();
    // Ten a second: the polls beyond them wait for a tenth of a second each and are made.
    let venue = of_hosts("coinbase", "BTC-USD", vec![url], &client);
    let started = std::time::Instant::now();
    for _ in 0..14 {
        assert_eq!(venue.poll(now).await.fault, None);
    }
    assert!(started.elapsed().as_millis() >= 350, "{:?}", started.elapsed());
    assert_eq!(count.load(Ordering::Relaxed), 14);
}

#[test]
fn limits_are_read_from_headers_as_each_venue_writes_them() {
    for (venue, headers, used, reset) in [
        ("binance", &[("x-mbx-used-weight-1m", "4800")][..], Some(4800), None),
        ("binance", &[("x-mbx-used-weight-1m", "many")], None, None),
        (
            "bybit",
            &[
                ("x-bapi-limit", "600"),
                ("x-bapi-limit-status", "120"),
                ("x-bapi-limit-reset-timestamp", "1772807403000"),
            ],
            Some(480),
            Some(Span::from_s(3)),
        ),
        (
            "gate",
            &[
                ("x-gate-ratelimit-requests-remain", "150"),
                ("x-gate-ratelimit-reset-timestamp", "1772807407"),
            ],
            Some(50),
            Some(Span::from_s(7)),
        ),
        (
            "kucoin",
            &[
                ("gw-ratelimit-limit", "1000"),
                ("gw-ratelimit-remaining", "1"),
                ("gw-ratelimit-reset", "2500"),
            ],
            Some(999),
            Some(Span::from_ms(2500)),
        ),
        ("upbit", &[("remaining-req", "group=ticker; min=599; sec=3")], Some(7), None),
        ("okx", &[("x-mbx-used-weight-1m", "4800")], None, None),
    ] {
        let mut map = reqwest::header::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let told = preset(venue).unwrap().limits[0].told(&map, now());
        assert_eq!((told.used, told.reset), (used, reset), "{venue} {headers:?}");
    }
}

#[test]
fn a_part_of_a_limit_is_planned_with_and_told_as_a_part() {
    let client = Client::new().unwrap();
    let planned = |share: &str, credits: Option<u64>| {
        let spec = VenueSpec {
            share: Some(share.parse().unwrap()),
            credits,
            key: Some(ApiKey::new("k")),
            every: Some(Span::from_s(1)),
            ..VenueSpec::new(VenueId::new("coinmarketcap"))
        };
        let preset = preset("coinmarketcap").unwrap();
        Venue::new(preset, spec, [Arc::from("1")].into(), &client).unwrap().planned()
    };
    // 10,000 in 30 days are one in 259.2 s; of 30 a minute half is planned with, one in 4 s.
    assert_eq!(planned("100%", None), Span::from_ms(259_200));
    assert_eq!(planned("25%", None), Span::from_ms(4 * 259_200));
    assert_eq!(planned("100%", Some(10_000_000)), Span::from_s(4));
    assert_eq!(planned("50%", Some(10_000_000)), Span::from_ms(8_000));

    let rule = preset("binance").unwrap().limits[0].of("25%".parse().unwrap(), None);
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-mbx-used-weight-1m", "4800".parse().unwrap());
    assert_eq!((rule.limit.capacity, rule.told(&headers, now()).used), (1500, Some(1200)));
}
