//! How a venue spells its markets: what a symbol may look like, and the key its row comes back under.
//!
//! A symbol is what the configuration writes and the request carries. The row may carry another spelling; the
//! rules for that are data of the preset. A rule never invents a market: two symbols of one source that could
//! mean the same row are an error at set-up, not a choice at run time.

use super::format::Format;
use super::problem::Problems;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Assets in which venues quote, where nothing divides them from the base asset. Longer ones win: `BTCUSDT`.
const QUOTES: &[&str] = &[
    "USDT", "USDC", "FDUSD", "BUSD", "DAI", "USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "KRW", "TRY",
    "BRL", "BTC", "XBT", "ETH",
];

/// What a market is about: one unit of `base` costs so many of `quote`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// The asset that is priced.
    pub base: String,
    /// The asset in which it is priced.
    pub quote: String,
}

/// What a preset says about symbols, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Symbols {
    /// At least one, unless the source has a single nameless market.
    pub(super) formats: Vec<Format>,
    /// Row keys that follow no rule, by symbol.
    pub(super) alias: BTreeMap<String, String>,
    /// Asset codes that rows spell longer than requests do: `XBT` → `XXBT`.
    pub(super) long_codes: BTreeMap<String, String>,
    /// What the venue's codes stand for where everybody else uses another name: `XBT` → `BTC`.
    pub(super) assets: BTreeMap<String, String>,
    /// How symbols end that are no spot market: a perpetual is not the coin.
    pub(super) derivatives: Vec<String>,
    /// The base asset of every market whose symbol does not say it.
    pub(super) base: Option<String>,
    /// The quote asset of every market whose symbol does not say it.
    pub(super) quote: Option<String>,
    /// Characters that do not count when a key is compared.
    pub(super) ignore: String,
    /// Whether case does not count either.
    pub(super) ignore_case: bool,
}

impl Symbols {
    /// The formats as a hint shows them.
    pub(super) fn formats_text(&self) -> String {
        self.formats.iter().map(|format| format.text()).collect::<Vec<_>>().join(" or ")
    }

    /// Whether a symbol has the shape of the venue's.
    pub(super) fn fits(&self, symbol: &str) -> bool {
        self.formats.is_empty() || self.formats.iter().any(|format| format.fits(symbol))
    }

    /// What a market is about, in the names that everybody uses; `None` where its symbol does not tell.
    pub(super) fn market(&self, symbol: &str) -> Option<Assets> {
        let is_code = |code: &str| self.long_codes.values().any(|long| long == code);
        // A long code is used on both sides or on none: XTZUSD is XTZ in USD, and not XT in ZUSD.
        let divides = |base: &str, quote: &str| {
            (is_code(quote) && is_code(base))
                || QUOTES.contains(&&*quote.to_uppercase())
                || self.assets.contains_key(quote)
        };
        let (base, quote) = self.formats.iter().find_map(|format| format.split(symbol, divides))?;
        let base = base.map(|code| self.asset(code)).or_else(|| self.base.clone())?;
        let quote = quote.map(|code| self.asset(code)).or_else(|| self.quote.clone())?;
        Some(Assets { base, quote })
    }

    fn asset(&self, code: &str) -> String {
        let code = self.long_codes.iter().find(|(_, long)| *long == code).map_or(code, |(short, _)| short);
        self.assets.get(code).cloned().unwrap_or_else(|| code.to_uppercase())
    }

    /// What remains of a key when the parts that do not count are taken away.
    pub(super) fn normal(&self, key: &str) -> String {
        let kept = key.chars().filter(|c| !self.ignore.contains(*c));
        if self.ignore_case { kept.flat_map(char::to_lowercase).collect() } else { kept.collect() }
    }

    /// Every key, in normal form, that the row of this symbol may carry.
    fn candidates(&self, symbol: &str) -> BTreeSet<String> {
        if let Some(key) = self.alias.get(symbol) {
            return [self.normal(key)].into();
        }
        let mut spellings = vec![symbol.to_owned()];
        for (short, long) in &self.long_codes {
            if let Some(quote) = symbol.strip_prefix(short.as_str()) {
                spellings.push(format!("{long}{quote}"));
            }
        }
        for (short, long) in &self.long_codes {
            let longer: Vec<_> = spellings
                .iter()
                .filter_map(|s| Some(format!("{}{long}", s.strip_suffix(short.as_str())?)))
                .collect();
            spellings.extend(longer);
        }
        spellings.iter().map(|spelling| self.normal(spelling)).collect()
    }

    /// The index of the symbol that each row key stands for. Notes symbols that cannot be asked for and pairs of
    /// symbols that are one market.
    pub(super) fn keys(&self, symbols: &[Arc<str>], problems: &mut Problems) -> BTreeMap<String, usize> {
        let mut keys: BTreeMap<String, usize> = BTreeMap::new();
        for (at, symbol) in symbols.iter().enumerate() {
            if !self.fits(symbol) {
                problems.add(
                    "symbols",
                    &**symbol,
                    "this venue has no symbol of this shape",
                    format!("write it as {}", self.formats_text()),
                );
                continue;
            }
            if let Some(ending) = self.derivatives.iter().find(|ending| symbol.ends_with(ending.as_str())) {
                let reason = format!("{ending} marks a derivative, which is not the coin");
                problems.add("symbols", &**symbol, reason, "name the spot market");
                continue;
            }
            for key in self.candidates(symbol) {
                let other = keys.entry(key).or_insert(at);
                if *other != at {
                    let first = symbols.get(*other).map_or("", |s| &**s);
                    problems.add(
                        "symbols",
                        &**symbol,
                        format!("is the same market as {first}"),
                        "keep one of them",
                    );
                    break;
                }
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(symbols: &[&str]) -> Vec<Arc<str>> {
        symbols.iter().map(|s| Arc::from(*s)).collect()
    }

    fn kraken() -> Symbols {
        let pairs = [("XBT", "XXBT"), ("ETH", "XETH"), ("USD", "ZUSD")];
        Symbols {
            formats: vec![Format::parse("{BASE}{QUOTE}").unwrap()],
            alias: [("DOGEUSD".to_owned(), "XDGUSD".to_owned())].into(),
            long_codes: pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
            ..Symbols::default()
        }
    }

    #[test]
    fn long_codes_cover_the_keys_a_row_comes_back_under() {
        let symbols = names(&["DOGEUSD", "ETHXBT", "USDTUSD", "XBTUSD"]);
        let mut problems = Problems::default();
        let keys = kraken().keys(&symbols, &mut problems);
        problems.finish("kraken", Some(())).unwrap();
        for (key, at) in [("XDGUSD", 0), ("XETHXXBT", 1), ("USDTZUSD", 2), ("XXBTZUSD", 3), ("XBTUSD", 3)] {
            assert_eq!(keys.get(key), Some(&at), "{key}");
        }
        assert_eq!(keys.get("DOGEUSD"), None, "an alias replaces the rule");
    }

    #[test]
    fn two_spellings_of_one_market_are_refused_together_with_every_bad_shape() {
        let mut problems = Problems::default();
        kraken().keys(&names(&["XBTUSD", "XXBTZUSD", "eth-usd", "x"]), &mut problems);
        let error = problems.finish("kraken", Some(())).unwrap_err();
        let values: Vec<_> = error.problems.iter().map(|p| p.value.as_str()).collect();
        assert_eq!(values, ["XXBTZUSD", "eth-usd", "x"]);
        assert!(error.to_string().contains("same market as XBTUSD"), "{error}");
    }

    #[test]
    fn a_symbol_tells_its_assets_under_their_common_names() {
        let symbols = Symbols {
            assets: [("XBT", "BTC"), ("UST", "USTC")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
            ..kraken()
        };
        for (symbol, expected) in [
            ("XBTUSD", Some(("BTC", "USD"))),
            ("XXBTZUSD", Some(("BTC", "USD"))),
            ("ETHXBT", Some(("ETH", "BTC"))),
            ("USTUSDT", Some(("USTC", "USDT"))),
            // A rule for long codes must not read Tezos in dollars as XT in something else.
            ("XTZUSD", Some(("XTZ", "USD"))),
            ("XBTXYZ", None),
            ("xbtusd", None),
        ] {
            let expected = expected.map(|(base, quote)| Assets { base: base.into(), quote: quote.into() });
            assert_eq!(symbols.market(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn a_derivative_is_not_the_coin() {
        let symbols = Symbols { derivatives: vec!["PERP".into()], ..kraken() };
        let mut problems = Problems::default();
        symbols.keys(&names(&["BTCUSDCPERP", "BTCUSDC"]), &mut problems);
        let error = problems.finish("gemini", Some(())).unwrap_err();
        assert_eq!(error.problems.len(), 1);
        assert!(error.to_string().contains("PERP marks a derivative"), "{error}");
    }

    #[test]
    fn parts_of_a_key_may_not_count() {
        let symbols = Symbols { ignore: "/".into(), ignore_case: true, ..Symbols::default() };
        assert_eq!(symbols.normal("BTC/USD"), "btcusd");
        let mut problems = Problems::default();
        symbols.keys(&names(&["BTC/USD", "btcusd"]), &mut problems);
        assert_eq!(problems.finish("bitstamp", Some(())).unwrap_err().problems.len(), 1);
    }
}
