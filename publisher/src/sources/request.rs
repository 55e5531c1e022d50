//! From symbols to the URL of one request, and how many of them it names.

use url::{Url, form_urlencoded};

/// How the symbols get into a request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Path and query with `{symbols}`, or without it if the answer always holds every market.
    pub(super) path: String,
    /// How one symbol is written, with `{symbol}`.
    pub(super) each: String,
    /// What stands between two symbols.
    pub(super) join: String,
    /// More symbols than this need `path_all`.
    pub(super) symbols_max: usize,
    /// The request for every market of the venue; never there without `{symbols}` in `path`.
    pub(super) path_all: Option<String>,
}

/// Where requests go.
pub(super) enum Target {
    /// To the first host that answers, for a list of symbols.
    Hosts { hosts: Vec<Url>, request: Request },
    /// To one URL as it stands.
    Url(Url),
}

impl Request {
    /// Whether this many symbols are listed, over several requests if need be, or all markets asked for.
    fn lists(&self, count: usize) -> bool {
        self.path.contains("{symbols}") && (count <= self.symbols_max || self.path_all.is_none())
    }

    fn path<'a>(&self, count: usize, symbols: impl Iterator<Item = &'a str>) -> String {
        if !self.lists(count) {
            return self.path_all.as_ref().unwrap_or(&self.path).clone();
        }
        let encode = |s: &str| form_urlencoded::byte_serialize(s.as_bytes()).collect::<String>();
        let list: Vec<_> = symbols.map(|symbol| self.each.replace("{symbol}", &encode(symbol))).collect();
        self.path.replace("{symbols}", &list.join(&self.join))
    }
}

impl Target {
    pub(super) fn lists(&self, count: usize) -> bool {
        match self {
            Self::Hosts { request, .. } => request.lists(count),
            Self::Url(_) => false,
        }
    }

    /// How many of so many symbols go into one request.
    pub(super) fn at_once(&self, count: usize) -> usize {
        match self {
            Self::Hosts { request, .. } if request.lists(count) => request.symbols_max,
            _ => count,
        }
    }

    /// What requests begin with; limits are counted by it.
    pub(super) fn base(&self, host: usize) -> &str {
        match self {
            Self::Hosts { hosts, .. } => hosts.get(host).or(hosts.first()).map_or("", Url::as_str),
            Self::Url(url) => url.as_str(),
        }
    }

    pub(super) fn url<'a>(
        &self,
        host: usize,
        count: usize,
        symbols: impl Iterator<Item = &'a str>,
    ) -> Option<Url> {
        match self {
            Self::Hosts { hosts, request } => {
                let base = hosts.get(host).or(hosts.first())?.as_str().trim_end_matches('/');
                Url::parse(&format!("{base}{}", request.path(count, symbols))).ok()
            }
            Self::Url(url) => Some(url.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sources::preset;

    fn url(venue: &str, symbols: &[&str]) -> String {
        let preset = preset(venue).unwrap();
        let path = preset.request.path(symbols.len(), symbols.iter().copied());
        preset.hosts[0].join(&path).unwrap().into()
    }

    #[test]
    fn one_request_asks_a_venue_for_all_symbols() {
        for (venue, symbols, expected) in [
            (
                "coinbase",
                ["BTC-USD", "ETH-USD"],
                "https://api.coinbase.com/api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=ETH-USD",
            ),
            ("kraken", ["XBTUSD", "ETHUSD"], "https://api.kraken.com/0/public/Ticker?pair=XBTUSD,ETHUSD"),
            (
                "binance",
                ["BTCUSDT", "ETHUSDT"],
                "https://api.binance.com/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D",
            ),
            ("bitstamp", ["btcusd", "ethusd"], "https://www.bitstamp.net/api/v2/ticker/"),
            ("okx", ["BTC-USDT", "ETH-USDT"], "https://www.okx.com/api/v5/market/tickers?instType=SPOT"),
        ] {
            assert_eq!(url(venue, &symbols), expected);
        }
    }

    #[test]
    fn too_many_symbols_for_a_list_are_asked_for_with_all_others() {
        for (venue, all) in [
            ("kraken", "https://api.kraken.com/0/public/Ticker"),
            ("binance", "https://api.binance.com/api/v3/ticker/24hr"),
        ] {
            assert_ne!(url(venue, &["X"; 100]), all);
            assert_eq!(url(venue, &["X"; 101]), all);
        }
    }

    #[test]
    fn a_symbol_cannot_leave_its_place_in_the_request() {
        let asked = url("kraken", &["A&x=1#?/../%2e"]);
        assert_eq!(asked, "https://api.kraken.com/0/public/Ticker?pair=A%26x%3D1%23%3F%2F..%2F%252e");
    }
}
