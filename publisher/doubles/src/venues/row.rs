//! One market at one venue, ready to be written in that venue's format.

use super::fault::Fault;
use super::pair::{Pair, Venue};
use super::prices::with_fine_units;
use crate::decimal::Decimal;
use crate::json::{Json, number, text};

/// How prices are spelled on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Usual,
    Exponent,
    BareNumber,
    BareString,
    NotANumber,
    CommaDecimal,
}

/// A market's figures at one moment, with what is wrong with them.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) venue: Venue,
    pub(crate) pair: Pair,
    pub(crate) last: Decimal,
    pub(crate) bid: Decimal,
    pub(crate) ask: Decimal,
    /// Base asset traded in 24 hours.
    pub(crate) volume: Decimal,
    /// The venue's own time of the quote.
    pub(crate) time_ms: i64,
    /// Left out of lists, unknown when asked for by name.
    pub(crate) hidden: bool,
    /// Not in the list of what the venue trades, although it has prices.
    pub(crate) unlisted: bool,
    /// In that list, as one that does not trade.
    pub(crate) halted: bool,
    /// The fault that formed this row.
    pub(crate) fault: Option<&'static str>,
    spelling: Spelling,
    renamed: bool,
}

impl Row {
    /// A healthy row: one unit of spread on each side of the price.
    pub(crate) fn new(venue: Venue, pair: Pair, last: Decimal, time_ms: i64) -> Self {
        let fine = with_fine_units(last);
        let below = fine.plus_units(-1).filter(|bid| bid.is_positive());
        let (bid, ask) = (below.unwrap_or(last), fine.plus_units(1).unwrap_or(last));
        // A volume per venue that is plausible, constant and distinct.
        let venue_number = Venue::ALL.iter().position(|one| *one == venue).unwrap_or_default();
        let volume = i128::try_from(venue_number).unwrap_or_default() * 100_000_000_000 + 123_456_789_012;
        let volume = Decimal::new(volume, 8).unwrap_or(last);
        Self {
            venue,
            pair,
            last,
            bid,
            ask,
            volume,
            time_ms,
            hidden: false,
            unlisted: false,
            halted: false,
            fault: None,
            spelling: Spelling::Usual,
            renamed: false,
        }
    }

    /// The row as the fault makes it; faults of the wire change nothing here.
    pub(crate) fn distorted(mut self, fault: &Fault) -> Self {
        let each = |row: &mut Self, change: &dyn Fn(Decimal) -> Decimal| {
            (row.last, row.bid, row.ask) = (change(row.last), change(row.bid), change(row.ask));
        };
        match fault {
            // Its prices are as good as before.
            Fault::Unlisted => return Self { unlisted: true, ..self },
            Fault::Halted => return Self { halted: true, ..self },
            Fault::MissingSymbol => self.hidden = true,
            Fault::RenamedKey => self.renamed = true,
            Fault::Multiply { by } => each(&mut self, &|value| value.times(*by).unwrap_or(value)),
            Fault::ClockSkew { ms } => self.time_ms = self.time_ms.saturating_add(*ms),
            Fault::Zero => each(&mut self, &|value| Decimal::new(0, value.scale()).unwrap_or(value)),
            Fault::Negative => each(&mut self, &Decimal::negated),
            Fault::Crossed => (self.bid, self.ask) = (self.ask, self.bid),
            Fault::ExponentNotation => self.spelling = Spelling::Exponent,
            Fault::NumbersInsteadOfStrings => self.spelling = Spelling::BareNumber,
            Fault::StringsInsteadOfNumbers => self.spelling = Spelling::BareString,
            Fault::NotANumber => self.spelling = Spelling::NotANumber,
            Fault::CommaDecimal => self.spelling = Spelling::CommaDecimal,
            _ => return self,
        }
        self.fault = Some(fault.name());
        self
    }

    /// The row with the figures of another market under its own name.
    pub(crate) fn with_figures_of(mut self, other: &Self, fault: &Fault) -> Self {
        (self.last, self.bid, self.ask) = (other.last, other.bid, other.ask);
        self.fault = Some(fault.name());
        self
    }

    /// A price with at least `decimals` decimals, as this row spells prices.
    pub(crate) fn price(&self, value: Decimal, decimals: u32) -> Json {
        let usual = value.at_least(decimals).unwrap_or(value).to_string();
        match self.spelling {
            Spelling::Usual | Spelling::BareString => text(usual),
            Spelling::Exponent => text(value.exponent_notation()),
            Spelling::BareNumber => number(usual),
            Spelling::NotANumber => text("NaN"),
            Spelling::CommaDecimal => text(usual.replace('.', ",")),
        }
    }

    /// A price in an API that writes JSON numbers; JSON has no spelling for some of the faults, so those
    /// become strings.
    pub(crate) fn price_number(&self, value: Decimal) -> Json {
        match self.spelling {
            Spelling::Usual | Spelling::BareNumber => number(value),
            Spelling::Exponent => number(value.exponent_notation()),
            Spelling::BareString | Spelling::NotANumber | Spelling::CommaDecimal => self.price(value, 0),
        }
    }

    /// A quantity with at least `decimals` decimals.
    pub(crate) fn quantity(&self, value: Decimal, decimals: u32) -> Json {
        let usual = value.at_least(decimals).unwrap_or(value);
        if self.spelling == Spelling::BareNumber { number(usual) } else { text(usual) }
    }

    /// The key of a price field, unless the venue renamed it overnight.
    pub(crate) fn key(&self, key: &str) -> String {
        if self.renamed { format!("{key}_v2") } else { key.to_owned() }
    }

    /// Whether the venue's format changed overnight, for formats without keys.
    pub(crate) fn is_renamed(&self) -> bool {
        self.renamed
    }

    /// The last price moved by `percent` of itself, for the day's open, high and low.
    pub(crate) fn near(&self, percent: i64) -> Decimal {
        self.last.moved_ppm(percent * 10_000).unwrap_or(self.last)
    }

    /// The day's volume in the quote asset.
    pub(crate) fn quote_volume(&self) -> Decimal {
        self.last.times(self.volume).and_then(|exact| exact.over(Decimal::from(1), 8)).unwrap_or(self.volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(price: &str) -> Row {
        Row::new(Venue::Kraken, "BTC/USD".parse().unwrap(), price.parse().unwrap(), 1_000)
    }

    #[test]
    fn the_spread_is_symmetric_and_holds_the_price() {
        let check = |price: &str, bid: &str, ask: &str| {
            let row = row(price);
            assert_eq!([row.last, row.bid, row.ask].map(|figure| figure.to_string()), [price, bid, ask]);
        };
        check("67000.12", "67000.11", "67000.13");
        check("1", "0.9999", "1.0001");
        check("0.00000012", "0.00000011999", "0.00000012001");
        check("67000", "66999", "67001");
    }

    #[test]
    fn faults_change_what_they_name_and_nothing_else() {
        let check = |fault: Fault, last: &str, bid: &str, ask: &str, price: &str| {
            let row = row("67000.12").distorted(&fault);
            assert_eq!(row.last.to_string(), last);
            assert_eq!((row.bid.to_string(), row.ask.to_string()), (bid.into(), ask.into()));
            assert_eq!(row.price(row.last, 4).to_string(), price);
            assert_eq!(row.fault, Some(fault.name()));
        };
        let (bid, ask) = ("67000.11", "67000.13");
        let thousand = Fault::Multiply { by: Decimal::from(1_000) };
        check(thousand, "67000120.00", "67000110.00", "67000130.00", r#""67000120.0000""#);
        check(Fault::Zero, "0.00", "0.00", "0.00", r#""0.0000""#);
        check(Fault::Negative, "-67000.12", "-67000.11", "-67000.13", r#""-67000.1200""#);
        check(Fault::Crossed, "67000.12", ask, bid, r#""67000.1200""#);
        check(Fault::ExponentNotation, "67000.12", bid, ask, r#""6.700012e4""#);
        check(Fault::NumbersInsteadOfStrings, "67000.12", bid, ask, "67000.1200");
        check(Fault::StringsInsteadOfNumbers, "67000.12", bid, ask, r#""67000.1200""#);
        let spelled = row("67000.12").distorted(&Fault::StringsInsteadOfNumbers);
        assert_eq!(spelled.price_number(spelled.last).to_string(), r#""67000.12""#);
        check(Fault::NotANumber, "67000.12", bid, ask, r#""NaN""#);
        check(Fault::CommaDecimal, "67000.12", bid, ask, r#""67000,1200""#);
        assert_eq!(row("1").distorted(&Fault::ClockSkew { ms: -500 }).time_ms, 500);
        assert_eq!(row("1").distorted(&Fault::RenamedKey).key("last"), "last_v2");
        assert!(row("1").distorted(&Fault::MissingSymbol).hidden);
        assert_eq!(row("1").distorted(&Fault::Dead).fault, None);
    }
}
