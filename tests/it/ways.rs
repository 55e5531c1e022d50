//! Venues that are reached through proxies, and known by their keys.

use crate::BINARY;
use publisher_doubles::loopback::Server;
use publisher_doubles::proxy::{Manner, Proxy};
use publisher_doubles::tls::{Tls, authority};
use publisher_doubles::venues::Venue;
use publisher_tests::world::{Options, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// The file of the authority that the program is to trust.
fn trusted(world: &World) -> String {
    let file = world.dir.path().join("authority.pem");
    std::fs::write(&file, authority().unwrap()).unwrap();
    file.to_string_lossy().into_owned()
}

/// Has a venue asked and listened to at this place, in this way.
fn move_to(world: &World, venue: Venue, place: &str, way: &str) {
    let written = format!("\"{}\"\nevery = \"250ms\"\n", world.venues.base_url(venue));
    let moved = format!(
        "\"https://{place}/{venue}\"\nstream_url = \"wss://{place}/{venue}\"\nevery = \"250ms\"\n{way}\n"
    );
    world.edit(&written, &moved).unwrap();
}

/// Without this a proxy is told addresses instead of names, is passed by, or sees what is said; or a password of it is
/// in a log.
#[tokio::test]
async fn s12_requests_and_sockets_go_through_a_venues_proxy_and_tls_from_end_to_end() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let authority = trusted(&world);
    // Nobody but the proxies knows where this host is.
    let server = world.venues.behind(Tls::Elsewhere, 0).await.unwrap();
    let place = format!("other.example:{}", server.address().port());
    let asks = || Manner::Asks("me".into(), "hunter2:p@ss".into());
    let (http, socks) = tokio::try_join!(Proxy::start(asks()), Proxy::start(asks())).unwrap();
    let way =
        |scheme: &str, proxy: &Proxy| format!("proxy = \"{scheme}://me:${{PASSWORD}}@{}\"", proxy.address());
    move_to(&world, Venue::Okx, &place, &way("http", &http));
    move_to(&world, Venue::Bitstamp, &place, &way("socks5", &socks));
    // What the machine's variables name is nowhere: whoever went there would get nothing.
    let nowhere = "http://127.0.0.1:1";
    let daemon = world
        .daemon(
            BINARY,
            &[
                ("SSL_CERT_FILE", &authority),
                ("PASSWORD", "hunter2%3Ap%40ss"),
                ("HTTPS_PROXY", nowhere),
                ("ALL_PROXY", nowhere),
                ("https_proxy", nowhere),
            ],
        )
        .unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    for price in [67_000, 68_000] {
        market.set_price(feed.pair, &price.to_string()).unwrap();
        world.wait_answer(&feed, price * 100_000_000, SOON).await.unwrap();
    }
    for venue in [Venue::Okx, Venue::Bitstamp] {
        world.wait(SOON, "a socket", async || Ok(market.streams(venue).1 > 0)).await.unwrap();
    }
    for (proxy, by_socks) in [(&http, false), (&socks, true)] {
        let seen = proxy.seen();
        // A request and a socket.
        assert!(seen.len() >= 2, "{seen:?}");
        for asked in seen {
            // One that was opened a moment ago may not have begun.
            assert!(asked.to == place && asked.by_socks == by_socks, "{asked:?}");
        }
        assert!(proxy.seen().iter().filter(|asked| asked.is_tls).count() >= 2, "{:?}", proxy.seen());
    }
    let out = |source: &'static str| {
        let named = move |line: &serde_json::Value| line["source"] == source && line["why"] == "proxy";
        world.wait_logged("PUB-1005", SOON, named)
    };
    // One proxy dies; the other one's venue, and the one without, go on.
    drop(http);
    out("okx:BTC-USDT").await.unwrap();
    market.set_price(feed.pair, "67100").unwrap();
    world.wait_answer(&feed, 67_100 * 100_000_000, SOON).await.unwrap();
    let log = world.logged("PUB-1005").unwrap();
    let worse = log.iter().find(|line| line["source"] == "bitstamp:btcusd" && line["why"] == "proxy");
    assert_eq!(worse, None, "one proxy cost the venue of the other");
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// A host whose server can be exchanged. It ends with the test's runtime.
async fn front(to: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = to.load(Ordering::Relaxed);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

fn port(server: &Server) -> u16 {
    server.address().port()
}

/// Without this whoever has a certificate for a venue's name, by an authority that was talked into it, says what the
/// venue says; or the day on which a venue renews its key is one without it; or a pin stops what has nothing to do with
/// it.
#[tokio::test]
async fn f74_another_key_than_those_that_are_known_is_told_and_read_by_nobody_and_the_next_one_is_known() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let authority = trusted(&world);
    let good = || world.venues.behind(Tls::Good, 0);
    let (current, next, stolen) = tokio::try_join!(good(), good(), good()).unwrap();
    let serving = Arc::new(AtomicU16::new(port(&current)));
    let pin = |server: &Server| server.key_sha256().unwrap().to_owned();
    let pins = format!("tls_spki_sha256 = [\"{}\", \"{}\"]", pin(&current), pin(&next));
    move_to(&world, Venue::Okx, &format!("localhost:{}", front(Arc::clone(&serving)).await), &pins);
    // Its certificate is as good as the others', and its key is not what it should be.
    move_to(&world, Venue::Bitstamp, &format!("localhost:{}", port(&stolen)), &pins);
    let daemon = world.daemon(BINARY, &[("SSL_CERT_FILE", &authority)]).unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    market.set_price(feed.pair, "68000").unwrap();
    world.wait_answer(&feed, 68_000 * 100_000_000, SOON).await.unwrap();
    let unpinned = |source: &'static str| {
        move |line: &serde_json::Value| line["source"] == source && line["why"] == "tls_pin_mismatch"
    };
    world.wait_logged("PUB-1005", SOON, unpinned("bitstamp:btcusd")).await.unwrap();
    assert_eq!(market.streams(Venue::Bitstamp).0, 0, "a socket was opened to another key");
    let open = async || Ok(market.streams(Venue::Okx).1 > 0);
    world.wait(SOON, "a socket to the current key", open).await.unwrap();
    // The venue renews its key.
    let before = market.streams(Venue::Okx).0;
    serving.store(port(&next), Ordering::Relaxed);
    current.stop().await;
    let anew = async || Ok(market.streams(Venue::Okx).0 > before);
    world.wait(SOON, "a socket to the next key", anew).await.unwrap();
    let lines = world.logged("PUB-1005").unwrap();
    assert!(!lines.iter().any(unpinned("okx:BTC-USDT")), "the next key was not known");
    market.set_price(feed.pair, "67000").unwrap();
    world.wait_answer(&feed, 67_000 * 100_000_000, SOON).await.unwrap();
    // Somebody else answers for it.
    serving.store(port(&stolen), Ordering::Relaxed);
    next.stop().await;
    world.wait_logged("PUB-1005", SOON, unpinned("okx:BTC-USDT")).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}
