//! `publisher source simulate`: doubles of all venues, for whoever tests against exchanges and has none.

use super::output::{json, put, say};
use super::{Ended, Failure, OK, interrupted};
use crate::sources::preset;
use clap::Args;
use publisher_doubles::venues::{SimConfig, Venue, VenueSimulator};
use serde_json::json;
use std::io::ErrorKind;
use std::net::SocketAddr;

/// What it starts with.
#[derive(Args)]
pub(super) struct SimulateArgs {
    /// Where to listen; a loopback address, and port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A market and its price, e.g. BTC/USD=67000.12; each X/USD is listed as X/USDT, too.
    #[arg(long = "price", value_name = "PAIR=PRICE", value_delimiter = ',')]
    prices: Vec<String>,
    /// Print JSON instead of TOML.
    #[arg(long)]
    json: bool,
}

/// Serves until the process is asked to stop. What goes to stdout leads a configuration to the doubles.
pub(super) async fn run(args: SimulateArgs) -> Ended {
    let mut config = SimConfig { bind: args.listen, ..SimConfig::default() };
    for written in &args.prices {
        let Some((pair, price)) = written.split_once('=') else {
            return Err(Failure::usage(format!("--price {written}: no price; write e.g. BTC/USD=67000.12")));
        };
        config.prices.retain(|(known, _)| known != pair);
        config.prices.push((pair.to_owned(), price.to_owned()));
    }
    let simulator = VenueSimulator::start(config).await.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Failure::usage(error),
        _ => Failure::unavailable(format!("{}: {error}; choose another --listen", args.listen)),
    })?;
    // The made-up API has no preset; it is a URL like any other.
    let venues = Venue::ALL.into_iter().filter_map(|venue| Some((venue, preset(venue.name())?)));
    let served: Vec<_> = venues
        .map(|(venue, preset)| {
            let stream = preset.has_stream().then(|| simulator.stream_url(venue));
            (venue, simulator.base_url(venue), stream)
        })
        .collect();
    if args.json {
        let venue = |(venue, base_url, stream_url): &(Venue, String, Option<String>)| json!({ "venue": venue.name(), "base_url": base_url, "stream_url": stream_url });
        let venues: Vec<_> = served.iter().map(venue).collect();
        json(&json!({ "control": simulator.control_url(), "venues": venues }));
    } else {
        put(&format!("# Prices, walks and faults: GET and POST {}", simulator.control_url()));
        for (venue, base_url, stream_url) in &served {
            put(&format!("[venue.{venue}]\nbase_url = \"{base_url}\""));
            stream_url.iter().for_each(|url| put(&format!("stream_url = \"{url}\"")));
        }
    }
    say("serving until Ctrl-C; e.g.:");
    let control = simulator.control_url();
    say(&format!("  curl {control}/walk -d '{{\"pair\":\"BTC/USD\",\"step_bps\":5}}'"));
    say(&format!("  curl {control}/fault -d '{{\"venue\":\"kraken\",\"fault\":\"dead\"}}'"));
    interrupted().await;
    simulator.stop().await;
    Ok(OK)
}
