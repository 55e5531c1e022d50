//! How a source is spelled, and whether its legs make what the value is called after.
//!
//! A price of BTC in USD has the unit USD per BTC. Along a path units are multiplied and divided like the prices
//! themselves, and what remains has to be the unit of the value: so a rate that is missing, turned round or of another
//! asset is an error at the start, and no price of a thousandth part that all venues agree on.

use crate::sources::Assets;
use std::collections::BTreeMap;
use std::fmt;

/// A source as the file spells it: `1 / venue:SYMBOL * RATE / RATE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spelled<'t> {
    /// The market is read the other way round.
    pub(super) inverse: bool,
    /// The market, or the name of a source of one's own.
    pub(super) market: &'t str,
    /// The rates, and whether each divides.
    pub(super) legs: Vec<(bool, &'t str)>,
}

impl<'t> Spelled<'t> {
    /// Takes a text apart. Names and symbols may hold a slash, so one that divides stands between blanks; parts may be
    /// empty.
    pub(super) fn of(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let blank = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(u8::is_ascii_whitespace);
        let (mut parts, mut start, mut divides) = (Vec::new(), 0, false);
        for (at, byte) in bytes.iter().enumerate() {
            let slash = *byte == b'/' && blank(at.checked_sub(1)) && blank(Some(at + 1));
            if *byte == b'*' || slash {
                parts.push((divides, text.get(start..at).unwrap_or_default().trim()));
                (start, divides) = (at + 1, slash);
            }
        }
        parts.push((divides, text.get(start..).unwrap_or_default().trim()));
        let mut parts = parts.into_iter().peekable();
        let (_, mut market) = parts.next().unwrap_or_default();
        let mut inverse = false;
        if market == "1"
            && let Some((_, divisor)) = parts.next_if(|(divides, _)| *divides)
        {
            (inverse, market) = (true, divisor);
        }
        Self { inverse, market, legs: parts.collect() }
    }
}

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.inverse { "1 / " } else { "" }, self.market)?;
        let mark = |divides: &bool| if *divides { '/' } else { '*' };
        self.legs.iter().try_for_each(|(divides, rate)| write!(f, " {} {rate}", mark(divides)))
    }
}

/// What a value of this name is a price of, and in what: of `BTC-USD`, `BTC/USD` or `BTC_USD`. A name in other letters
/// than those of assets, such as `gold` or `BTC-reference`, tells nothing.
pub(super) fn pair(name: &str) -> Option<Assets> {
    let is_asset = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        (2..=8).contains(&text.len()) && text.bytes().all(plain)
    };
    let (base, quote) = name.rsplit_once(['-', '/', '_'])?;
    (is_asset(base) && is_asset(quote)).then(|| Assets { base: base.to_owned(), quote: quote.to_owned() })
}

/// A product of assets and their inverses, by how often each one stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Unit<'a>(BTreeMap<&'a str, i32>);

impl<'a> Unit<'a> {
    fn times(mut self, price: &'a Assets, power: i32) -> Self {
        for (asset, power) in [(price.quote.as_str(), power), (price.base.as_str(), -power)] {
            *self.0.entry(asset).or_default() += power;
        }
        self.0.retain(|_, power| *power != 0);
        self
    }
}

/// `USD per BTC`.
impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |sign: i32| {
            let of_sign = self.0.iter().filter(|(_, power)| power.signum() == sign);
            let often = of_sign.flat_map(|(asset, power)| (0..power.abs()).map(|_| *asset));
            often.collect::<Vec<_>>().join(" times ")
        };
        match (part(1), part(-1)) {
            (above, below) if below.is_empty() && above.is_empty() => f.write_str("a plain number"),
            (above, below) if below.is_empty() => f.write_str(&above),
            (above, below) if above.is_empty() => write!(f, "1 per {below}"),
            (above, below) => write!(f, "{above} per {below}"),
        }
    }
}

/// What is wrong with a path whose market and rates have these units: the reason, and the right spelling if there is
/// one. `None` if it makes what the value is.
pub(super) fn mismatch(
    spelled: &Spelled<'_>,
    market: &Assets,
    legs: &[Assets],
    wanted: &Assets,
    knows: impl Fn(&str) -> bool,
) -> Option<(String, String)> {
    let unit = |spelled: &Spelled<'_>| {
        let power = |turned: bool| if turned { -1 } else { 1 };
        let market = Unit::default().times(market, power(spelled.inverse));
        let legs = spelled.legs.iter().zip(legs);
        legs.fold(market, |unit, ((divides, _), leg)| unit.times(leg, power(*divides)))
    };
    let (made, right) = (unit(spelled), Unit::default().times(wanted, 1));
    if made == right {
        return None;
    }
    let reason = format!("it makes {made}, and the value is {right}");
    // Every way to turn legs round, those that turn few in front.
    let turns = 1_u32 << (legs.len() + 1).min(8);
    let mut all: Vec<u32> = (1..turns).collect();
    all.sort_by_key(|turn| turn.count_ones());
    let turned = |turn: u32| {
        let mut other = spelled.clone();
        other.inverse ^= turn & 1 == 1;
        for (at, (divides, _)) in other.legs.iter_mut().enumerate() {
            *divides ^= turn >> (at + 1) & 1 == 1;
        }
        other
    };
    if let Some(other) = all.into_iter().map(turned).find(|other| unit(other) == right) {
        return Some((reason, format!("write \"{other}\"")));
    }
    let missing = made.times(wanted, -1);
    let one = |power: i32| missing.0.iter().find(|(_, p)| **p == power).map(|(asset, _)| *asset);
    let hint = match (missing.0.len(), one(1), one(-1)) {
        (2, Some(from), Some(to)) if knows(&format!("{to}-{from}")) => {
            format!("convert it: \"{spelled} / {to}-{from}\"")
        }
        (2, Some(from), Some(to)) => {
            let rate = format!("{from}-{to}");
            let with = if knows(&rate) { String::new() } else { format!(", with [rate.\"{rate}\"]") };
            let other = if market.base == wanted.base || !legs.is_empty() {
                String::new()
            } else {
                format!("name a market of {}, or ", wanted.base)
            };
            format!("{other}convert it: \"{spelled} * {rate}\"{with}")
        }
        _ => format!("name a market of {} in {}, or the rates that lead there", wanted.base, wanted.quote),
    };
    Some((reason, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_divides_only_between_blanks() {
        for (text, inverse, market, legs) in [
            ("kraken:XBTUSD", false, "kraken:XBTUSD", vec![]),
            ("binance:BTCUSDT*USDT-USD", false, "binance:BTCUSDT", vec![(false, "USDT-USD")]),
            ("ecb:EUR/USD", false, "ecb:EUR/USD", vec![]),
            ("1 / ecb:EUR/USD", true, "ecb:EUR/USD", vec![]),
            ("1 /  ecb:EUR/USD / A/B * C", true, "ecb:EUR/USD", vec![(true, "A/B"), (false, "C")]),
            ("a:B * USDT-USD / EUR-USD", false, "a:B", vec![(false, "USDT-USD"), (true, "EUR-USD")]),
            ("1 * a", false, "1", vec![(false, "a")]),
            ("a:B /", false, "a:B", vec![(true, "")]),
            ("", false, "", vec![]),
            ("1 /", true, "", vec![]),
        ] {
            let spelled = Spelled::of(text);
            assert_eq!(spelled, Spelled { inverse, market, legs }, "{text}");
            assert_eq!(Spelled::of(&spelled.to_string()), spelled, "{text}");
        }
    }

    #[test]
    fn names_of_assets_tell_a_unit_and_others_do_not() {
        for (name, told) in [
            ("BTC-USD", Some(("BTC", "USD"))),
            ("WSTETH/ETH", Some(("WSTETH", "ETH"))),
            ("1INCH_USD", Some(("1INCH", "USD"))),
            ("BTC-reference", None),
            ("btc-usd", None),
            ("gold", None),
            ("BTC-USD-2", None),
            ("BTC-REFERENCE", None),
        ] {
            let pair = pair(name);
            assert_eq!(pair.as_ref().map(|p| (p.base.as_str(), p.quote.as_str())), told, "{name}");
        }
    }

    /// The reason and hint for a source of a value; rates are known by name, markets as `BASEQUOTE` of three letters
    /// or four.
    fn told(value: &str, source: &str) -> Option<(String, String)> {
        let spelled = Spelled::of(source);
        let market = pair(spelled.market).unwrap();
        let legs: Vec<Assets> = spelled.legs.iter().map(|(_, rate)| pair(rate).unwrap()).collect();
        let knows = |name: &str| ["USDT-USD", "EUR-USD", "ETH-USD"].contains(&name);
        mismatch(&spelled, &market, &legs, &pair(value).unwrap(), knows)
    }

    #[test]
    fn s8_a_path_has_to_make_the_values_own_unit() {
        for (value, source) in [
            ("BTC-USD", "BTC-USD"),
            ("BTC-USD", "BTC-USDT * USDT-USD"),
            ("BTC-EUR", "BTC-USDT * USDT-USD / EUR-USD"),
            ("JPY-USD", "1 / USD-JPY"),
            ("EUR-JPY", "1 / JPY-USD * EUR-USD"),
            // A rate may change what is priced as well as in what.
            ("WSTETH-USD", "ETH-USD * WSTETH-ETH"),
            ("ETH-BTC", "ETH-USD / BTC-USD"),
        ] {
            assert_eq!(told(value, source), None, "{value} of {source}");
        }
        for (value, source, reason, hint) in [
            // A missing leg, whose rate there is, or is the other way round, or is not.
            ("BTC-USD", "BTC-USDT", "USDT per BTC", "convert it: \"BTC-USDT * USDT-USD\""),
            ("BTC-EUR", "BTC-USD", "USD per BTC", "convert it: \"BTC-USD / EUR-USD\""),
            (
                "BTC-USD",
                "BTC-KRW",
                "KRW per BTC",
                "convert it: \"BTC-KRW * KRW-USD\", with [rate.\"KRW-USD\"]",
            ),
            // The wrong direction.
            ("JPY-USD", "USD-JPY", "JPY per USD", "write \"1 / USD-JPY\""),
            (
                "BTC-EUR",
                "BTC-USD * EUR-USD",
                "USD times USD per BTC times EUR",
                "write \"BTC-USD / EUR-USD\"",
            ),
            ("BTC-USD", "1 / BTC-USDT / USDT-USD", "BTC per USD", "write \"BTC-USDT * USDT-USD\""),
            // A circle that multiplies a rate in and out.
            ("BTC-USD", "BTC-USD * EUR-USD / EUR-USD / EUR-USD", "EUR per BTC", "convert it: "),
            // Another asset.
            (
                "BTC-USD",
                "ETH-USD",
                "USD per ETH",
                "name a market of BTC, or convert it: \"ETH-USD * BTC-ETH\"",
            ),
            (
                "BTC-USD",
                "ETH-KRW",
                "KRW per ETH",
                "name a market of BTC in USD, or the rates that lead there",
            ),
            ("EUR-USD", "EUR-USD / EUR-USD", "a plain number", "convert it: "),
        ] {
            let told = told(value, source);
            let (why, what) = told.unwrap_or_else(|| panic!("{value} of {source}"));
            assert!(why.starts_with(&format!("it makes {reason}, and the value is ")), "{source}: {why}");
            assert!(what.starts_with(hint), "{value} of {source}: {what}");
        }
    }
}
