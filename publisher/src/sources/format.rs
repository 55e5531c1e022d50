//! The shape of a venue's symbols, `{BASE}-{QUOTE}`: which ones can be asked for, and what they are made of.

/// More characters than any venue's symbol has.
const SYMBOL_MAX: usize = 32;

/// The shape of a symbol.
///
/// `{BASE}` and `{QUOTE}` are capitals and digits, `{base}` and `{quote}` small letters and digits, `{id}` an
/// aggregator's name of an asset, in small letters, digits and dashes. Everything else stands for itself.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Format {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    /// One word, or two that nothing divides.
    Words {
        sides: Vec<Side>,
        letters: Letters,
    },
    Literal(char),
}

/// Which asset a word names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Base,
    Quote,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Upper,
    Lower,
    Id,
}

/// Why a text is not a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a format consists of {{BASE}} and {{QUOTE}}, {{base}} and {{quote}}, or {{id}}, and characters that cannot be part of the word before them"
)]
pub(super) struct FormatError;

const WORDS: [(&str, Side, Letters); 5] = [
    ("{BASE}", Side::Base, Letters::Upper),
    ("{QUOTE}", Side::Quote, Letters::Upper),
    ("{base}", Side::Base, Letters::Lower),
    ("{quote}", Side::Quote, Letters::Lower),
    ("{id}", Side::Base, Letters::Id),
];

impl Letters {
    fn admit(self, c: char) -> bool {
        c.is_ascii_digit()
            || match self {
                Self::Upper => c.is_ascii_uppercase(),
                Self::Lower => c.is_ascii_lowercase(),
                Self::Id => c.is_ascii_lowercase() || c == '-',
            }
    }
}

impl Format {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(first) = rest.chars().next() {
            let word = WORDS
                .into_iter()
                .find_map(|(name, side, letters)| Some((rest.strip_prefix(name)?, side, letters)));
            match (word, pieces.last_mut()) {
                (Some((after, side, letters)), Some(Piece::Words { sides, letters: before })) => {
                    if *before != letters || letters == Letters::Id {
                        return Err(FormatError);
                    }
                    sides.push(side);
                    rest = after;
                }
                (Some((after, side, letters)), _) => {
                    pieces.push(Piece::Words { sides: vec![side], letters });
                    rest = after;
                }
                (None, Some(Piece::Words { letters, .. })) if letters.admit(first) => {
                    return Err(FormatError);
                }
                (None, _) if first.is_ascii_graphic() && !matches!(first, '{' | '}') => {
                    pieces.push(Piece::Literal(first));
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                }
                _ => return Err(FormatError),
            }
        }
        let format = Self { text: text.to_owned(), pieces };
        let count = |side| format.sides().filter(|one| *one == side).count();
        let counts = (count(Side::Base), count(Side::Quote));
        if matches!(counts, (1, 1) | (1, 0) | (0, 1)) { Ok(format) } else { Err(FormatError) }
    }

    /// As the preset writes it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn sides(&self) -> impl Iterator<Item = Side> {
        self.pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Words { sides, .. } => sides.as_slice(),
                Piece::Literal(_) => &[],
            })
            .copied()
    }

    /// Whether its symbols name this side of a market.
    pub(super) fn names(&self, side: Side) -> bool {
        self.sides().any(|one| one == side)
    }

    pub(super) fn fits(&self, symbol: &str) -> bool {
        self.words(symbol).is_some()
    }

    /// The words of a symbol, each with the sides that it names; `None` if the symbol has another shape.
    fn words<'a>(&self, symbol: &'a str) -> Option<Vec<(&[Side], &'a str)>> {
        let (mut words, mut rest) = (Vec::new(), symbol);
        for piece in &self.pieces {
            rest = match piece {
                Piece::Literal(literal) => rest.strip_prefix(*literal)?,
                Piece::Words { sides, letters } => {
                    let after = rest.trim_start_matches(|c| letters.admit(c));
                    let word = rest.strip_suffix(after).filter(|word| word.len() >= sides.len())?;
                    words.push((sides.as_slice(), word));
                    after
                }
            };
        }
        (rest.is_empty() && symbol.len() <= SYMBOL_MAX).then_some(words)
    }

    /// The codes of base and quote asset in a symbol. Where nothing divides them, the longest quote that `divides`
    /// accepts does; `None` if there is none, or the symbol has another shape.
    pub(super) fn split<'a>(
        &self,
        symbol: &'a str,
        divides: impl Fn(&str, &str) -> bool,
    ) -> Option<(Option<&'a str>, Option<&'a str>)> {
        let (mut base, mut quote) = (None, None);
        for (sides, word) in self.words(symbol)? {
            match sides {
                [Side::Base] => base = Some(word),
                [Side::Quote] => quote = Some(word),
                _ => {
                    let is_base_first = sides.first() == Some(&Side::Base);
                    let divisions = (1..word.len()).filter_map(|at| {
                        let (first, second) = word.split_at_checked(at)?;
                        Some(if is_base_first { (first, second) } else { (second, first) })
                    });
                    let division = divisions
                        .filter(|(base, quote)| divides(base, quote))
                        .max_by_key(|(_, q)| q.len())?;
                    (base, quote) = (Some(division.0), Some(division.1));
                }
            }
        }
        Some((base, quote))
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("t{BASE}{QUOTE}", "tBTCUSD", ["BTCUSD", "tB", "fUSD", "tDUSK:USD", "tbtcusd", "t"]),
            ("EUR/{QUOTE}", "EUR/USD", ["USD/EUR", "EURUSD", "EUR/", "EUR/USD/JPY", "EUR/usd", "/USD"]),
            ("{id}", "usd-coin", ["USDC", "usd coin", "usd_coin", "", "usd,coin", "usd&ids=x"]),
        ] {
            let format = Format::parse(format).unwrap();
            assert!(format.fits(good), "{good}");
            for symbol in bad {
                assert!(!format.fits(symbol), "{symbol}");
            }
            assert!(!format.fits(&good.repeat(20)));
        }
        for text in [
            "",
            "BTC",
            "{BASE}{QUOTE}{BASE}",
            "{BASE}-{BASE}",
            "{BASE}{quote}",
            "{id}{quote}",
            "{id}-{quote}",
            "{BASE}USD",
            "{BASE} {QUOTE}",
            "{BASE}{X}",
        ] {
            assert_eq!(Format::parse(text), Err(FormatError), "{text}");
        }
    }

    #[test]
    fn words_that_nothing_divides_are_divided_by_the_longest_quote() {
        let divides = |_: &str, quote: &str| matches!(quote, "USD" | "USDT" | "KRW");
        for (format, symbol, expected) in [
            ("{BASE}-{QUOTE}", "BTC-XYZ", Some((Some("BTC"), Some("XYZ")))),
            ("{BASE}{QUOTE}", "BTCUSDT", Some((Some("BTC"), Some("USDT")))),
            ("{BASE}{QUOTE}", "USDTUSD", Some((Some("USDT"), Some("USD")))),
            ("{QUOTE}{BASE}", "KRWBTC", Some((Some("BTC"), Some("KRW")))),
            ("{BASE}{QUOTE}", "BTCXYZ", None),
            ("{BASE}{QUOTE}", "USD", None),
            ("{BASE}{QUOTE}", "btc", None),
            ("EUR/{QUOTE}", "EUR/USD", Some((None, Some("USD")))),
        ] {
            assert_eq!(Format::parse(format).unwrap().split(symbol, divides), expected, "{format} {symbol}");
        }
    }
}
