//! The ways to a venue that are broken before the venue is reached. What goes through whole ones is shown with
//! certificates, by the program itself.

use super::super::stream::StreamSpec;
use super::super::tunnel::{self, Blocked};
use super::super::{Client, CustomSource, Proxy, Told, Venue, VenueSpec, Way, preset};
use super::hostile::clock;
use publisher_core::quote::{SourceFault, VenueId};
use publisher_core::time::Span;
use publisher_doubles::proxy::{Manner, Proxy as Double};
use std::sync::Arc;
use tokio::sync::watch;

fn through(url: &str) -> Way {
    Way { proxy: Some(Proxy::new(url.parse().unwrap()).unwrap()), pins: Vec::new() }
}

/// OKX, whose hosts nobody can have by this name (RFC 6761): what a proxy is told is all that is known of them.
fn okx(way: Way) -> Venue {
    let mut preset = preset("okx").unwrap().clone();
    preset.hosts = vec!["https://okx.invalid".parse().unwrap()];
    preset.stream.as_mut().unwrap().hosts = vec!["wss://okx.invalid".parse().unwrap()];
    let spec = VenueSpec { way, timeout: Some(Span::from_s(10)), ..VenueSpec::new(VenueId::new("okx")) };
    let venue = Venue::new(&preset, spec, [Arc::from("BTC-USDT")].into(), &Client::new().unwrap()).unwrap();
    venue.with_stream(&preset, &StreamSpec::default()).unwrap()
}

/// What a socket says of why it cannot be opened.
async fn heard(venue: &Venue) -> String {
    let (_sender, polled) = watch::channel(Vec::new().into());
    let (said, mut first) = tokio::sync::mpsc::unbounded_channel();
    let tell = |told: Told<'_>| {
        if let Told::Down { detail, .. } = told {
            let _only_the_first = said.send(detail.to_owned());
        }
    };
    tokio::select! {
        () = venue.lines()[0].listen(1, clock, polled, tell) => unreachable!("it listens for ever"),
        detail = first.recv() => detail.unwrap(),
    }
}

/// Without this a proxy that is down, full or wrongly configured looks like a venue that is, or like one that refuses
/// our location, and its operator writes to the venue.
#[tokio::test]
async fn s12_a_proxy_that_fails_is_told_as_the_proxy() {
    let double = Double::start(Manner::Hangs).await.unwrap();
    let (at, closed) = (double.address(), {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        listener.local_addr().unwrap()
    });
    let asks = || Manner::Asks("me".into(), "p@ss".into());
    let garbage = || Manner::Says(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    for (url, manner, expected) in [
        (format!("http://{closed}"), Manner::Forwards, "the proxy cannot be reached"),
        (format!("socks5://{closed}"), Manner::Forwards, "the proxy cannot be reached"),
        ("http://proxy.invalid:1".into(), Manner::Forwards, "the proxy cannot be reached"),
        (format!("http://{at}"), asks(), "the proxy wants another user or password"),
        (format!("http://me:wrong@{at}"), asks(), "the proxy wants another user or password"),
        (format!("socks5://{at}"), asks(), "the proxy wants another user or password"),
        (format!("socks5://me:wrong@{at}"), asks(), "the proxy wants another user or password"),
        // The right password, and a name that nobody resolves here.
        (format!("http://{at}"), Manner::Refuses(502), "the proxy refuses: HTTP status 502"),
        (format!("http://{at}"), Manner::Refuses(403), "the proxy refuses: HTTP status 403"),
        (format!("http://{at}"), Manner::Refuses(451), "the proxy refuses: HTTP status 451"),
        (format!("socks5://{at}"), Manner::Refuses(0), "the proxy refuses: the host is unreachable"),
        (format!("http://{at}"), garbage(), "another protocol"),
        (format!("socks5://{at}"), garbage(), "another protocol"),
        (format!("http://{at}"), Manner::Says(Vec::new()), "the connection to the proxy broke"),
        (format!("socks5://{at}"), Manner::Says(Vec::new()), "the connection to the proxy broke"),
        (format!("socks5://{at}"), Manner::Says(vec![5, 0, 5, 0]), "the connection to the proxy broke"),
    ] {
        double.behave(manner.clone());
        let venue = okx(through(&url));
        let poll = venue.poll(clock).await;
        let detail = poll.detail.unwrap_or_default();
        assert_eq!((poll.fault, poll.status), (Some(SourceFault::Proxy), None), "{url} {manner:?}: {detail}");
        assert!(detail.contains("proxy") && !detail.contains("p@ss"), "{url} {manner:?}: {detail}");
        let heard = heard(&venue).await;
        assert!(heard.contains(expected), "{url} {manner:?}: {heard}");
    }
    assert!(
        double.seen().iter().all(|asked| asked.to.ends_with("okx.invalid:443") || asked.by_socks),
        "{:?}",
        double.seen()
    );
}

/// Without this a proxy that never ends what it says holds a poll or a socket for ever.
#[tokio::test]
async fn s12_a_proxy_that_drips_or_hangs_costs_a_poll_and_no_more() {
    let double = Double::start(Manner::Hangs).await.unwrap();
    let header = b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec();
    for (scheme, manner) in [
        ("http", Manner::Hangs),
        ("socks5", Manner::Hangs),
        ("http", Manner::Drips(header)),
        ("socks5", Manner::Drips(vec![5, 0, 5, 0, 0, 3, 255])),
    ] {
        double.behave(manner.clone());
        let venue = okx(through(&format!("{scheme}://{}", double.address())));
        let (poll, heard) = tokio::join!(venue.poll(clock), heard(&venue));
        let detail = poll.detail.unwrap_or_default();
        assert_eq!(poll.fault, Some(SourceFault::Timeout), "{scheme} {manner:?}: {detail}");
        assert!(detail.contains("through the proxy"), "{scheme} {manner:?}: {detail}");
        assert_eq!(heard, "the proxy has opened no connection in time", "{scheme} {manner:?}");
    }
}

/// Without this a proxy's answer is read until memory ends.
#[tokio::test]
async fn s12_what_a_proxy_answers_is_bounded() {
    let long = [b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec(), vec![b'x'; 64 << 10]].concat();
    let double = Double::start(Manner::Says(long)).await.unwrap();
    let way = through(&format!("http://{}", double.address()));
    let blocked = tunnel::open(&way.proxy.unwrap(), "okx.invalid", 443).await;
    assert_eq!(blocked.err(), Some(Blocked::Garbage));
}

/// Without this a mirror without TLS is read, and can be changed, by whoever runs the proxy; or pins that ask for a key
/// are set where there is none, and nothing says that they hold nothing.
#[test]
fn s12_nothing_that_is_not_encrypted_goes_another_way() {
    let client = Client::new().unwrap();
    let pinned = Way { proxy: None, pins: vec!["00".repeat(32).parse().unwrap()] };
    for way in [through("socks5://127.0.0.1:1"), pinned] {
        let spec = |base_url: &str| VenueSpec {
            base_url: Some(base_url.parse().unwrap()),
            way: way.clone(),
            ..VenueSpec::new(VenueId::new("okx"))
        };
        let preset = preset("okx").unwrap();
        let venue = |base_url| Venue::new(preset, spec(base_url), [Arc::from("BTC-USDT")].into(), &client);
        let told = venue("http://127.0.0.1:1").unwrap_err().to_string();
        assert!(told.contains("base_url") && told.contains("not encrypted"), "{told}");
        let socket = |url: &str| StreamSpec { url: Some(url.parse().unwrap()), ..StreamSpec::default() };
        let streamed = |url| venue("https://127.0.0.1:1").unwrap().with_stream(preset, &socket(url));
        let told = streamed("ws://127.0.0.1:1").unwrap_err().to_string();
        assert!(told.contains("stream_url") && told.contains("not encrypted"), "{told}");
        streamed("wss://127.0.0.1:1").unwrap();
        let source =
            CustomSource { way: way.clone(), ..super::custom::source("http://127.0.0.1:1", "/price") };
        let told = Venue::custom(source, &client).unwrap_err().to_string();
        assert!(told.contains("url") && told.contains("not encrypted"), "{told}");
    }
}
