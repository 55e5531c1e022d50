//! What names say about assets: a price in tethers is not a price in dollars, and a symbol is not an identity.

use crate::sources::Assets;

/// Stable assets that symbols end with, for venues whose symbols do not tell their assets.
const STABLE: [&str; 4] = ["USDT", "USDC", "FDUSD", "DAI"];

/// What is odd about the base asset of a market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// The venue uses the asset's code for another asset.
    Another(String),
    /// The symbol does not mention the asset.
    Unmentioned,
}

/// Base and quote asset of a name like `BTC-USD` or `BTC/USD`.
fn pair(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once(['-', '/', '_']).filter(|(base, quote)| !base.is_empty() && !quote.is_empty())
}

fn plain(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
}

/// The asset in which this market quotes, if the value should be in dollars and it is not.
pub(super) fn not_dollars(value: &str, symbol: &str, market: Option<&Assets>) -> Option<String> {
    let (_, quote) = pair(value)?;
    let quoted = match market {
        Some(market) => (market.quote != "USD").then(|| market.quote.clone()),
        None => {
            let symbol = plain(symbol);
            let ends = |stable: &&str| symbol.len() > stable.len() && symbol.ends_with(*stable);
            STABLE.into_iter().find(ends).map(str::to_owned)
        }
    };
    quoted.filter(|_| quote.eq_ignore_ascii_case("USD"))
}

/// What is odd if a value of this name rests on this market, and the asset that the value is named after.
pub(super) fn odd<'v>(value: &'v str, symbol: &str, market: Option<&Assets>) -> Option<(&'v str, Odd)> {
    let (base, _) = pair(value)?;
    let (asset, symbol) = (plain(base), plain(symbol));
    let odd = match market {
        Some(market) if market.base == asset => return None,
        // The symbol says another name than the one its asset has elsewhere.
        Some(market) if symbol.contains(&asset) && !symbol.contains(&market.base) => {
            Odd::Another(market.base.clone())
        }
        None if symbol.contains(&asset) => return None,
        _ => Odd::Unmentioned,
    };
    Some((base, odd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::preset;

    fn market(venue: &str, symbol: &str) -> Option<Assets> {
        preset(venue).and_then(|preset| preset.market(symbol))
    }

    #[test]
    fn tethers_are_told_from_dollars() {
        for (value, venue, symbol, expected) in [
            ("BTC-USD", "binance", "BTCUSDT", Some("USDT")),
            ("BTC-USD", "coinbase", "BTC-USDC", Some("USDC")),
            ("BTC/USD", "", "btcusdt", Some("USDT")),
            ("BTC-USD", "kraken", "XBTUSD", None),
            ("BTC-USD", "kraken", "XBTEUR", Some("EUR")),
            ("BNB-USD", "", "BNBUSD", None),
            ("BTC-USD", "bitfinex", "tBTCUST", Some("USDT")),
            ("BTC-USD", "upbit", "KRW-BTC", Some("KRW")),
            ("USDT-USD", "kraken", "USDTUSD", None),
            ("USDT-USD", "coinbase", "USDT-USD", None),
            ("BTC-USDT", "binance", "BTCUSDT", None),
            ("gold", "binance", "XAUUSDT", None),
        ] {
            let market = market(venue, symbol);
            let told = not_dollars(value, symbol, market.as_ref());
            assert_eq!(told.as_deref(), expected, "{value} from {venue}:{symbol}");
        }
    }

    #[test]
    fn a_symbol_of_another_asset_is_noticed() {
        for (value, venue, symbol, expected) in [
            ("BTC-USD", "kraken", "XBTUSD", None),
            ("BTC-USD", "coinbase", "BTC-USD", None),
            ("DOGE-USD", "kraken", "XDGUSD", None),
            ("USDT-USD", "bitstamp", "usdtusd", None),
            ("ETH-USD", "binance", "BTCUSDT", Some(Odd::Unmentioned)),
            ("ETH-USD", "", "BTCUSDT", Some(Odd::Unmentioned)),
            ("BTC-USD", "", "BTCUSDT", None),
            // A wrapped coin is another one.
            ("BTC-USD", "binance", "WBTCUSDT", Some(Odd::Unmentioned)),
            ("LUNA-USD", "kraken", "LUNAUSD", Some(Odd::Another("LUNC".into()))),
            ("LUNA-USD", "kraken", "LUNA2USD", None),
            ("GTC-USD", "gate", "GTC_USDT", Some(Odd::Another("GAMECOM".into()))),
            ("GAMECOM-USD", "gate", "GTC_USDT", None),
            ("gold", "binance", "anything", None),
        ] {
            let market = market(venue, symbol);
            let told = odd(value, symbol, market.as_ref()).map(|(_, odd)| odd);
            assert_eq!(told, expected, "{value} from {venue}:{symbol}");
        }
    }
}
