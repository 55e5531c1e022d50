//! What venues have given up, and peers' code and samples still name: whatever answers there is not what it was.

use super::symbols::Assets;
use url::Url;

/// Hosts, or parts of them, at which venues used to answer. Bittrex and Coindesk's price index are gone, CryptoCompare
/// answers nobody without a key, and the others have moved.
const ADDRESSES: [&str; 9] = [
    "api.bittrex.com",
    "api.coindesk.com",
    "api.crypto.com/v2",
    "api.huobi.com",
    "api.pro.coinbase.com",
    "min-api.cryptocompare.com",
    "wbs.mexc.com",
    "ws-feed.pro.coinbase.com",
    "www.mexc.com/open/api/v2",
];

/// Assets that are not issued any more, so that a market of them is a price of what is left. Binance USD: no more
/// since 2023-02-21, by order of the New York State Department of Financial Services.
const ASSETS: [&str; 1] = ["BUSD"];

/// The part of an address that its venue has given up; `path` is what is asked for below it.
pub(super) fn address(base: &Url, path: &str) -> Option<&'static str> {
    let asked = format!("{}{}{path}", base.host_str()?, base.path().trim_end_matches('/'));
    let is_below = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?']);
    ADDRESSES.into_iter().find(|address| asked.strip_prefix(address).is_some_and(is_below))
}

/// Which asset of a market is not issued any more.
pub fn retired_asset(market: &Assets) -> Option<&'static str> {
    ASSETS.into_iter().find(|asset| market.base == *asset || market.quote == *asset)
}

/// The part of an address that its venue has given up.
pub fn retired_address(url: &Url) -> Option<&'static str> {
    address(url, "")
}
