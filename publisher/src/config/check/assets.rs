//! What names say about assets: a price in tethers is not a price in dollars.

/// Stable assets that symbols end with, and that no other symbol seems to end with.
const STABLE: [&str; 4] = ["USDT", "USDC", "FDUSD", "DAI"];
/// Assets that venues call by two names.
const ALSO: [(&str, &str); 2] = [("BTC", "XBT"), ("DOGE", "XDG")];

/// Base and quote asset of a name like `BTC-USD` or `BTC/USD`.
fn pair(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once(['-', '/', '_']).filter(|(base, quote)| !base.is_empty() && !quote.is_empty())
}

fn plain(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
}

/// The stable asset in which this market quotes, if the value should be in dollars.
pub(super) fn not_dollars(value: &str, symbol: &str) -> Option<&'static str> {
    let (_, quote) = pair(value)?;
    let symbol = plain(symbol);
    let stable = STABLE.into_iter().find(|stable| symbol.len() > stable.len() && symbol.ends_with(stable));
    stable.filter(|_| quote.eq_ignore_ascii_case("USD"))
}

/// The asset that the value is named after, if the market does not seem to be about it.
pub(super) fn other_asset<'v>(value: &'v str, symbol: &str) -> Option<&'v str> {
    let (base, _) = pair(value)?;
    let (asset, symbol) = (plain(base), plain(symbol));
    let also = ALSO.into_iter().filter(|(name, _)| asset == *name).map(|(_, also)| also);
    let mut names = std::iter::once(asset.as_str()).chain(also);
    (!names.any(|name| symbol.contains(name))).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tethers_are_told_from_dollars() {
        for (value, symbol, expected) in [
            ("BTC-USD", "BTCUSDT", Some("USDT")),
            ("BTC-USD", "BTC-USDC", Some("USDC")),
            ("BTC/USD", "btcusdt", Some("USDT")),
            ("BTC-USD", "XBTUSD", None),
            ("BNB-USD", "BNBUSD", None),
            ("USDT-USD", "USDTUSD", None),
            ("USDT-USD", "USDT-USD", None),
            ("BTC-USDT", "BTCUSDT", None),
            ("gold", "XAUUSDT", None),
        ] {
            assert_eq!(not_dollars(value, symbol), expected, "{value} from {symbol}");
        }
    }

    #[test]
    fn a_symbol_of_another_asset_is_noticed() {
        for (value, symbol, expected) in [
            ("BTC-USD", "XBTUSD", None),
            ("BTC-USD", "BTC-USD", None),
            ("DOGE-USD", "XDGUSD", None),
            ("USDT-USD", "usdtusd", None),
            ("ETH-USD", "BTCUSDT", Some("ETH")),
            ("gold", "anything", None),
        ] {
            assert_eq!(other_asset(value, symbol), expected, "{value} from {symbol}");
        }
    }
}
