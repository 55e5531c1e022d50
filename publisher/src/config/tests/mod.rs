//! The configuration as a whole.

mod bad;
mod effect;
mod good;
mod noise;
mod pages;

use super::*;

/// Checks a text with no environment but `KEY=hunter2`.
fn parse(text: &str) -> Result<Config, Problems> {
    let variable = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
    check::config(text, Path::new("test.toml"), &variable)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// The smallest configuration, on which tests make changes.
pub(crate) const SMALL: &str = r#"
[chain]
id = 138
rpc = ["http://127.0.0.1:8545"]
block_time = "2s"
finality = "instant"
fees = "zero-gas"
[signer.main]
kind = "web3signer"
url = "http://127.0.0.1:9000"
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
[feed."BTC-USD"]
decimals = 8
min = "1"
max = "10000000"
sources = ["coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd"]
[feed."BTC-USD".policy]
heartbeat = "1h"
"#;

/// A text with each of the given pieces, which must be there once, replaced.
fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from:?} must be there once in:\n{text}");
        text.replacen(from, to, 1)
    })
}
