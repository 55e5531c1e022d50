//! How a venue spells its markets: what a symbol may look like, and the key its row comes back under.
//!
//! A symbol is what the configuration writes and the request carries. The row may carry another spelling; the
//! rules for that are data of the preset. A rule never invents a market: two symbols of one source that could
//! mean the same row are an error at set-up, not a choice at run time.

use super::problem::Problems;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// More characters than any venue's symbol has.
const SYMBOL_MAX: usize = 32;

/// What a preset says about symbols, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Symbols {
    /// At least one, unless the source has a single nameless market.
    pub(super) formats: Vec<Format>,
    /// Row keys that follow no rule, by symbol.
    pub(super) alias: BTreeMap<String, String>,
    /// Asset codes that rows spell longer than requests do: `XBT` → `XXBT`.
    pub(super) long_codes: BTreeMap<String, String>,
    /// Characters that do not count when a key is compared.
    pub(super) ignore: String,
    /// Whether case does not count either.
    pub(super) ignore_case: bool,
}

/// The shape of a symbol: `{BASE}-{QUOTE}`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Format {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    /// Letters of one case and digits, at least so many.
    Word {
        lower: bool,
        least: usize,
    },
    Literal(char),
}

/// Why a text is not a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a format consists of {{BASE}} and {{QUOTE}}, or {{base}} and {{quote}}, and characters like - / _")]
pub(super) struct FormatError;

impl Format {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let (mut pieces, mut rest, mut words) = (Vec::new(), text, 0);
        while let Some(first) = rest.chars().next() {
            let word = [("{BASE}", false), ("{QUOTE}", false), ("{base}", true), ("{quote}", true)]
                .into_iter()
                .find_map(|(name, lower)| Some((rest.strip_prefix(name)?, lower)));
            match (word, pieces.last_mut()) {
                (Some((after, lower)), Some(Piece::Word { lower: before, least })) => {
                    if *before != lower {
                        return Err(FormatError);
                    }
                    (rest, *least, words) = (after, *least + 1, words + 1);
                }
                (Some((after, lower)), _) => {
                    pieces.push(Piece::Word { lower, least: 1 });
                    (rest, words) = (after, words + 1);
                }
                (None, _) if first.is_ascii_punctuation() && !matches!(first, '{' | '}') => {
                    pieces.push(Piece::Literal(first));
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                }
                _ => return Err(FormatError),
            }
        }
        if words == 2 { Ok(Self { text: text.to_owned(), pieces }) } else { Err(FormatError) }
    }

    fn fits(&self, symbol: &str) -> bool {
        let mut rest = symbol;
        for piece in &self.pieces {
            rest = match piece {
                Piece::Literal(literal) => match rest.strip_prefix(*literal) {
                    Some(after) => after,
                    None => return false,
                },
                Piece::Word { lower, least } => {
                    let of_case = |c: char| {
                        c.is_ascii_digit()
                            || if *lower { c.is_ascii_lowercase() } else { c.is_ascii_uppercase() }
                    };
                    let after = rest.trim_start_matches(of_case);
                    if rest.len() - after.len() < *least {
                        return false;
                    }
                    after
                }
            };
        }
        rest.is_empty() && symbol.len() <= SYMBOL_MAX
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Symbols {
    /// The formats as a hint shows them.
    pub(super) fn formats_text(&self) -> String {
        self.formats.iter().map(|format| format.text.as_str()).collect::<Vec<_>>().join(" or ")
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
            if !self.formats.is_empty() && !self.formats.iter().any(|format| format.fits(symbol)) {
                problems.add(
                    "symbols",
                    &**symbol,
                    "this venue has no symbol of this shape",
                    format!("write it as {}", self.formats_text()),
                );
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
    fn formats_say_what_a_symbol_looks_like() {
        for (format, good, bad) in [
            (
                "{BASE}-{QUOTE}",
                "BTC-USD",
                ["BTCUSD", "btc-usd", "BTC-USDT-SWAP", "-USD", "BTC-", "BTC-USD&x=1"],
            ),
            (
                "{BASE}{QUOTE}",
                "1INCHUSDT",
                ["B", "btcusdt", "BTC/USDT", "BTC USDT", "BTC%22", "ＢＴＣＵＳＤ"],
            ),
            ("{base}{quote}", "btcusd", ["BTCUSD", "btc/usd", "", "b", "btcusd\n", "../btcusd"]),
        ] {
            let format = Format::parse(format).unwrap();
            assert!(format.fits(good), "{good}");
            for symbol in bad {
                assert!(!format.fits(symbol), "{symbol}");
            }
            assert!(!format.fits(&good.repeat(10)));
        }
        for text in
            ["", "BTC", "{BASE}", "{BASE}{QUOTE}{BASE}", "{BASE}{quote}", "{BASE} {QUOTE}", "{BASE}{X}"]
        {
            assert_eq!(Format::parse(text), Err(FormatError), "{text}");
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
    fn parts_of_a_key_may_not_count() {
        let symbols = Symbols { ignore: "/".into(), ignore_case: true, ..Symbols::default() };
        assert_eq!(symbols.normal("BTC/USD"), "btcusd");
        let mut problems = Problems::default();
        symbols.keys(&names(&["BTC/USD", "btcusd"]), &mut problems);
        assert_eq!(problems.finish("bitstamp", Some(())).unwrap_err().problems.len(), 1);
    }
}
