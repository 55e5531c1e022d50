//! Names: the venues, and the pairs they trade.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A simulated venue. Its name is its path prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Venue {
    /// Coinbase Exchange, with the v3 product list that really lives on another host.
    Coinbase,
    /// Kraken spot REST.
    Kraken,
    /// Binance spot REST. It lists nothing against USD.
    Binance,
    /// Bitstamp REST v2.
    Bitstamp,
    /// OKX REST v5.
    Okx,
    /// A made-up API with nested JSON, for sources that are a URL and a JSON pointer.
    Custom,
    /// Binance.US, a market of its own in Binance's format.
    BinanceUs,
    /// Bitfinex v2.
    Bitfinex,
    /// Bitget v2, spot.
    Bitget,
    /// Bybit v5, spot.
    Bybit,
    /// CoinGecko, an aggregator: coins by their ids, in dollars.
    Coingecko,
    /// CoinMarketCap, an aggregator: coins by their numbers, in dollars, with a key.
    Coinmarketcap,
    /// Crypto.com Exchange v1.
    CryptoCom,
    /// The daily reference rates of the European Central Bank: currencies against the euro.
    Ecb,
    /// Gate v4, spot.
    Gate,
    /// Gemini's price feed.
    Gemini,
    /// HTX, formerly Huobi, spot.
    Htx,
    /// KuCoin, spot.
    Kucoin,
    /// MEXC v3, spot.
    Mexc,
    /// Tiingo, foreign exchange, with a key.
    Tiingo,
    /// Upbit.
    Upbit,
}

impl Venue {
    /// Every venue.
    pub const ALL: [Self; 21] = [
        Self::Coinbase,
        Self::Kraken,
        Self::Binance,
        Self::Bitstamp,
        Self::Okx,
        Self::Custom,
        Self::BinanceUs,
        Self::Bitfinex,
        Self::Bitget,
        Self::Bybit,
        Self::Coingecko,
        Self::Coinmarketcap,
        Self::CryptoCom,
        Self::Ecb,
        Self::Gate,
        Self::Gemini,
        Self::Htx,
        Self::Kucoin,
        Self::Mexc,
        Self::Tiingo,
        Self::Upbit,
    ];

    /// The path prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
            Self::Binance => "binance",
            Self::Bitstamp => "bitstamp",
            Self::Okx => "okx",
            Self::Custom => "custom",
            Self::BinanceUs => "binance-us",
            Self::Bitfinex => "bitfinex",
            Self::Bitget => "bitget",
            Self::Bybit => "bybit",
            Self::Coingecko => "coingecko",
            Self::Coinmarketcap => "coinmarketcap",
            Self::CryptoCom => "crypto-com",
            Self::Ecb => "ecb",
            Self::Gate => "gate",
            Self::Gemini => "gemini",
            Self::Htx => "htx",
            Self::Kucoin => "kucoin",
            Self::Mexc => "mexc",
            Self::Tiingo => "tiingo",
            Self::Upbit => "upbit",
        }
    }

    /// Whether the venue trades a pair that nobody gave it a price of its own for.
    pub(crate) fn lists(self, pair: &Pair) -> bool {
        match self {
            // Venues of tethers, and of won.
            Self::Binance
            | Self::Bitget
            | Self::Bybit
            | Self::Gate
            | Self::Htx
            | Self::Kucoin
            | Self::Mexc
            | Self::Upbit => pair.quote != "USD",
            Self::Coingecko | Self::Coinmarketcap => pair.quote == "USD",
            Self::Ecb => pair.base == "EUR",
            _ => true,
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No venue has that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVenue(String);

impl fmt::Display for UnknownVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no venue is called {:?}; there are", self.0)?;
        Venue::ALL.iter().try_for_each(|venue| write!(f, " {venue}"))
    }
}

impl std::error::Error for UnknownVenue {}

impl FromStr for Venue {
    type Err = UnknownVenue;

    fn from_str(name: &str) -> Result<Self, UnknownVenue> {
        let known = Self::ALL.into_iter().find(|venue| venue.name() == name);
        known.ok_or_else(|| UnknownVenue(name.chars().take(40).collect()))
    }
}

/// A base asset and what it is priced in, in neutral spelling: `BTC/USD`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The asset that is priced.
    pub base: String,
    /// The asset it is priced in.
    pub quote: String,
}

impl Pair {
    pub(crate) fn new(base: &str, quote: &str) -> Self {
        Self { base: base.to_owned(), quote: quote.to_owned() }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.quote)
    }
}

/// The text is not a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAPair(String);

impl fmt::Display for NotAPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a pair of assets in capitals such as BTC/USD", self.0)
    }
}

impl std::error::Error for NotAPair {}

impl FromStr for Pair {
    type Err = NotAPair;

    fn from_str(text: &str) -> Result<Self, NotAPair> {
        let asset = |name: &str| {
            (1..=12).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        match text.split_once('/') {
            Some((base, quote)) if asset(base) && asset(quote) && base != quote => Ok(Self::new(base, quote)),
            _ => Err(NotAPair(text.chars().take(40).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_one_spelling() {
        assert_eq!("BTC/USD".parse::<Pair>().unwrap().to_string(), "BTC/USD");
        for text in ["BTCUSD", "btc/usd", "BTC/", "/USD", "BTC/USD/X", "BTC/BTC", "BTC USD", ""] {
            assert!(text.parse::<Pair>().is_err(), "{text:?} was taken for a pair");
        }
    }

    #[test]
    fn venues_are_found_by_their_prefix() {
        for venue in Venue::ALL {
            assert_eq!(venue.name().parse::<Venue>().unwrap(), venue);
        }
        assert!("Kraken".parse::<Venue>().is_err());
    }
}
