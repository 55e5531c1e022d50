//! Venues below HTTP: certificates that are not to be believed, handshakes that do not end, names without an address.

use crate::BINARY;
use anyhow::Result;
use publisher_doubles::loopback::Server;
use publisher_doubles::tls::{Tls, authority};
use publisher_doubles::venues::{Venue, VenueSimulator};
use publisher_tests::cli::run;
use publisher_tests::world::{Options, World};
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// After a while venues are asked again after up to a minute.
const LATER: Duration = Duration::from_secs(100);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

/// The file of the authority that the program is to trust, as an operator names it for a mirror of their own.
fn trusted(dir: &Path) -> Result<String> {
    let file = dir.join("authority.pem");
    std::fs::write(&file, authority()?)?;
    Ok(file.to_string_lossy().into_owned())
}

/// What one look at Kraken says that is asked at this URL.
async fn look(dir: &Path, url: &str) -> Result<String> {
    let authority = trusted(dir)?;
    let args = ["source", "test", "kraken", "--base-url", url, "--live", "XBTUSD", "--json"];
    let told = run(BINARY, dir, &args, &[("SSL_CERT_FILE", &authority)]).await?.json()?;
    let readings = told["readings"].as_array().cloned().unwrap_or_default();
    let live = readings.iter().find(|reading| reading["body"] == "live");
    Ok(live.and_then(|live| live["read"].as_str()).unwrap_or_default().to_owned())
}

/// Without this an operator reads "error sending request" of a certificate that ended last night, of a proxy that opens
/// what is confidential, and of a typo, and looks for the fault in the network.
#[tokio::test]
async fn f74_what_is_wrong_below_http_is_told_by_its_name_and_nothing_is_read_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let venues = VenueSimulator::start(Default::default()).await.unwrap();
    let at = |server: &Server| format!("https://localhost:{}/kraken", server.address().port());
    for (tls, expected) in [
        (Tls::Good, "67000"),
        (Tls::Expired, "certificate_expired its certificate has ended"),
        (Tls::Elsewhere, "certificate_name its certificate is for another host"),
        (Tls::SelfSigned, "certificate_untrusted nobody whom this machine trusts"),
        (Tls::Plain, "tls no TLS is spoken there"),
        (Tls::Resets, "unreachable "),
        (Tls::Stalls, "timeout no connection in time, or no end of the TLS handshake"),
    ] {
        let server = venues.behind(tls, 0).await.unwrap();
        let told = look(dir.path(), &at(&server)).await.unwrap();
        assert!(told.starts_with(expected), "{tls:?}: {told}");
    }
    // The name of an address that nobody listens at any more, and one that cannot be (RFC 6761, section 6.4).
    let server = venues.behind(Tls::Good, 0).await.unwrap();
    let gone = at(&server);
    server.stop().await;
    let told = look(dir.path(), &gone).await.unwrap();
    assert!(told.starts_with("unreachable ") && told.contains("refused"), "{told}");
    let told = look(dir.path(), "https://kraken.invalid").await.unwrap();
    assert!(told.starts_with("unresolved the name cannot be resolved"), "{told}");
}

/// Without this a handshake that does not end, or an evening of expired certificates, costs the venues that are well.
#[tokio::test]
async fn f41_venues_whose_tls_is_broken_cost_the_others_nothing_and_come_back() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let authority = trusted(world.dir.path()).unwrap();
    let (good, expired, stalls) = tokio::try_join!(
        world.venues.behind(Tls::Good, 0),
        world.venues.behind(Tls::Expired, 0),
        world.venues.behind(Tls::Stalls, 0),
    )
    .unwrap();
    for (venue, server) in [(Venue::Okx, &good), (Venue::Bitstamp, &expired), (Venue::Binance, &stalls)] {
        let (plain, port) = (world.venues.base_url(venue), server.address().port());
        let stream = format!("wss://localhost:{port}/{venue}");
        let written = format!("\"{plain}\"\nevery = \"250ms\"\n");
        let behind =
            format!("\"https://localhost:{port}/{venue}\"\nstream_url = \"{stream}\"\nevery = \"250ms\"\n");
        world.edit(&written, &behind).unwrap();
    }
    let daemon = world.daemon(BINARY, &[("SSL_CERT_FILE", &authority)]).unwrap();
    let (feed, market) = (world.feed().clone(), world.venues.market());
    for price in [67_000, 68_000, 67_100] {
        market.set_price(feed.pair, &price.to_string()).unwrap();
        world.wait_answer(&feed, price * 100_000_000, SOON).await.unwrap();
    }
    for (source, why) in [("bitstamp:btcusd", "certificate_expired"), ("binance:BTCUSDT", "timeout")] {
        let named = |line: &serde_json::Value| line["source"] == source && line["why"] == why;
        world.wait_logged("PUB-1005", SOON, named).await.unwrap();
    }
    // It may be an outlier while prices leap, and nothing else.
    let lines = world.logged("PUB-1005").unwrap();
    let worse = lines.iter().find(|line| line["source"] == "okx:BTC-USDT" && line["why"] != "outlier");
    assert_eq!(worse, None, "a venue with good TLS was left out");
    // Its socket is open, too, behind the same certificate.
    world.wait(SOON, "a socket behind TLS", async || Ok(market.streams(Venue::Okx).1 > 0)).await.unwrap();
    assert!(market.streams(Venue::Bitstamp).0 == 0, "a socket was opened behind an expired certificate");
    // The venue renews its certificate.
    let port = expired.address().port();
    expired.stop().await;
    let _renewed = world.venues.behind(Tls::Good, port).await.unwrap();
    let back = |line: &serde_json::Value| line["source"] == "bitstamp:btcusd";
    world.wait_logged("PUB-1006", LATER, back).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}
