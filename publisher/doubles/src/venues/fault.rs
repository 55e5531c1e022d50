//! What can be wrong with a venue.

use serde::{Deserialize, Serialize};

use super::pair::{Pair, Venue};
use super::row::Row;
use crate::decimal::Decimal;

/// One misbehaviour of a venue, until it is cleared or its count is used up.
///
/// In the control endpoint's JSON a fault is its name in snake case, `"dead"`, or an object with the name as
/// its key, `{"stall":{"ms":500}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection closes without an answer.
    Dead,
    /// Any HTTP status with any body.
    Refuse {
        /// HTTP status.
        status: u16,
        /// Body, sent as `text/plain`.
        body: String,
    },
    /// HTTP 429 with the venue's own body.
    RateLimited {
        /// Value of `Retry-After` in seconds; without it the header is missing.
        retry_after_s: Option<u64>,
    },
    /// HTTP 418, the ban of Binance.
    Banned418 {
        /// Value of `Retry-After` in seconds; without it the header is missing.
        retry_after_s: Option<u64>,
    },
    /// HTTP 451: not available from here.
    GeoBlocked451,
    /// HTTP 503 with the venue's own body.
    ServerError,
    /// The right answer after a pause.
    Stall {
        /// Length of the pause.
        ms: u64,
    },
    /// The right answer, one byte at a time.
    SlowDrip {
        /// Pause before each byte.
        every_ms: u64,
    },
    /// Half of the right answer, then a closed connection.
    Truncated,
    /// The right answer padded with white space, its length not announced.
    Oversized {
        /// Length of the whole body.
        bytes: u64,
    },
    /// HTTP 200 with a web page.
    Html200,
    /// HTTP 200 with the venue's own error body.
    ErrorBody200,
    /// The market is left out of lists without an error, and unknown when asked for alone.
    MissingSymbol,
    /// The venue knows the market no more: a batch that names it is refused as the venue refuses it.
    Delisted,
    /// The market is left out of the list of what the venue trades, while its prices go on; of all markets, the list
    /// is empty.
    Unlisted,
    /// That list says that the market does not trade, while its prices go on.
    Halted,
    /// The keys of the price fields have new names.
    RenamedKey,
    /// A well-formed answer without any market.
    EmptyList,
    /// The market shows the figures of the venue's next one.
    WrongMarket,
    /// Prices are multiplied.
    Multiply {
        /// The factor.
        by: Decimal,
    },
    /// Prices and times stay as they were when the fault was set.
    Frozen,
    /// The venue's clock is off.
    ClockSkew {
        /// Added to every time the venue states.
        ms: i64,
    },
    /// Prices are zero.
    Zero,
    /// Prices are below zero.
    Negative,
    /// The bid is above the ask.
    Crossed,
    /// Prices read `6.700012e4`.
    ExponentNotation,
    /// Prices and quantities are JSON numbers where the venue sends strings.
    NumbersInsteadOfStrings,
    /// Prices are strings where the venue sends JSON numbers.
    StringsInsteadOfNumbers,
    /// The right answer, packed with gzip and announced as that, which nobody asked for.
    Gzipped,
    /// The same with a byte in its middle that is wrong.
    GzippedBadly,
    /// HTTP 200 with bytes that are not text.
    Garbage,
    /// HTTP 200 with a hundred thousand nested lists.
    DeepJson,
    /// HTTP 302.
    Redirect {
        /// Value of `Location`.
        to: String,
    },
    /// Prices read `"NaN"`.
    NotANumber,
    /// Prices have a decimal comma.
    CommaDecimal,
}

impl Fault {
    /// The fault's name as the control endpoint spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Refuse { .. } => "refuse",
            Self::RateLimited { .. } => "rate_limited",
            Self::Banned418 { .. } => "banned418",
            Self::GeoBlocked451 => "geo_blocked451",
            Self::ServerError => "server_error",
            Self::Stall { .. } => "stall",
            Self::SlowDrip { .. } => "slow_drip",
            Self::Truncated => "truncated",
            Self::Oversized { .. } => "oversized",
            Self::Html200 => "html200",
            Self::ErrorBody200 => "error_body200",
            Self::MissingSymbol => "missing_symbol",
            Self::Delisted => "delisted",
            Self::Unlisted => "unlisted",
            Self::Halted => "halted",
            Self::RenamedKey => "renamed_key",
            Self::EmptyList => "empty_list",
            Self::WrongMarket => "wrong_market",
            Self::Multiply { .. } => "multiply",
            Self::Frozen => "frozen",
            Self::ClockSkew { .. } => "clock_skew",
            Self::Zero => "zero",
            Self::Negative => "negative",
            Self::Crossed => "crossed",
            Self::ExponentNotation => "exponent_notation",
            Self::NumbersInsteadOfStrings => "numbers_instead_of_strings",
            Self::StringsInsteadOfNumbers => "strings_instead_of_numbers",
            Self::Gzipped => "gzipped",
            Self::GzippedBadly => "gzipped_badly",
            Self::Garbage => "garbage",
            Self::DeepJson => "deep_json",
            Self::Redirect { .. } => "redirect",
            Self::NotANumber => "not_a_number",
            Self::CommaDecimal => "comma_decimal",
        }
    }

    /// Whether it can befall one market while the venue's others stay well.
    pub fn can_be_of_one_market(&self) -> bool {
        match self {
            Self::MissingSymbol
            | Self::Delisted
            | Self::Unlisted
            | Self::Halted
            | Self::RenamedKey
            | Self::WrongMarket
            | Self::Multiply { .. }
            | Self::Frozen
            | Self::ClockSkew { .. }
            | Self::Zero
            | Self::Negative
            | Self::Crossed
            | Self::ExponentNotation
            | Self::NumbersInsteadOfStrings
            | Self::StringsInsteadOfNumbers
            | Self::NotANumber
            | Self::CommaDecimal => true,
            Self::Dead
            | Self::Refuse { .. }
            | Self::RateLimited { .. }
            | Self::Banned418 { .. }
            | Self::GeoBlocked451
            | Self::ServerError
            | Self::Stall { .. }
            | Self::SlowDrip { .. }
            | Self::Truncated
            | Self::Oversized { .. }
            | Self::Html200
            | Self::ErrorBody200
            | Self::EmptyList
            | Self::Gzipped
            | Self::GzippedBadly
            | Self::Garbage
            | Self::DeepJson
            | Self::Redirect { .. } => false,
        }
    }
}

/// A fault that is set.
#[derive(Clone, Debug)]
pub(crate) struct Armed {
    pub(crate) venue: Venue,
    /// One market, or all of the venue's.
    pub(crate) pair: Option<Pair>,
    pub(crate) fault: Fault,
    /// Requests it still spoils; without a number, all.
    left: Option<u32>,
    /// What a frozen venue keeps saying.
    frozen: Vec<Row>,
}

/// The faults that are set, at most one for each venue and one for each of its markets.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Armed>);

impl Faults {
    pub(crate) fn arm(
        &mut self,
        venue: Venue,
        pair: Option<Pair>,
        fault: Fault,
        left: Option<u32>,
        present: Vec<Row>,
    ) {
        self.0.retain(|armed| armed.venue != venue || armed.pair != pair);
        let frozen = if matches!(fault, Fault::Frozen) { present } else { Vec::new() };
        if left != Some(0) {
            self.0.push(Armed { venue, pair, fault, left, frozen });
        }
    }

    pub(crate) fn clear(&mut self, venue: Venue) {
        self.0.retain(|armed| armed.venue != venue);
    }

    /// What befalls the request that just came in; counts it.
    pub(crate) fn befall(&mut self, venue: Venue) -> Vec<Armed> {
        let mut befalling = Vec::new();
        for armed in self.0.iter_mut().filter(|armed| armed.venue == venue) {
            befalling.push(armed.clone());
            armed.left = armed.left.map(|left| left.saturating_sub(1));
        }
        self.0.retain(|armed| armed.left != Some(0));
        befalling
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Armed> {
        self.0.iter()
    }
}

impl Armed {
    /// The row after this fault, among the venue's healthy rows; `None` when the venue no longer knows the
    /// market.
    pub(crate) fn apply(&self, row: Row, healthy: &[Row]) -> Option<Row> {
        if self.pair.as_ref().is_some_and(|pair| *pair != row.pair) {
            return Some(row);
        }
        match self.fault {
            Fault::Delisted => None,
            Fault::Frozen => {
                let mut kept = self.frozen.iter().find(|kept| kept.pair == row.pair)?.clone();
                kept.fault = Some(self.fault.name());
                Some(kept)
            }
            Fault::WrongMarket => {
                let next = healthy.iter().skip_while(|one| one.pair != row.pair).nth(1).or(healthy.first())?;
                Some(row.with_figures_of(next, &self.fault))
            }
            _ => Some(row.distorted(&self.fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_spelling_is_the_name() {
        let check = |json: &str, name: &str| {
            let fault: Fault = serde_json::from_str(json).unwrap();
            assert_eq!(fault.name(), name);
            assert_eq!(serde_json::to_string(&fault).unwrap(), json);
        };
        check(r#""dead""#, "dead");
        check(
            r#""banned418""#.replace("\"banned418\"", r#"{"banned418":{"retry_after_s":120}}"#).as_str(),
            "banned418",
        );
        check(r#""geo_blocked451""#, "geo_blocked451");
        check(r#""html200""#, "html200");
        check(r#""error_body200""#, "error_body200");
        check(r#""not_a_number""#, "not_a_number");
        check(r#""strings_instead_of_numbers""#, "strings_instead_of_numbers");
        check(r#""gzipped""#, "gzipped");
        check(r#""gzipped_badly""#, "gzipped_badly");
        check(r#"{"stall":{"ms":500}}"#, "stall");
        check(r#"{"multiply":{"by":"1000"}}"#, "multiply");
        check(r#"{"refuse":{"status":503,"body":"no"}}"#, "refuse");
        check(r#"{"redirect":{"to":"http://10.0.0.1/"}}"#, "redirect");
        for wrong in
            [r#""Dead""#, r#"{"stall":{"ms":1,"x":2}}"#, r#"{"multiply":{"by":1000}}"#, r#""nothing""#]
        {
            assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong} was taken for a fault");
        }
    }

    #[test]
    fn a_counted_fault_passes_and_a_new_one_takes_its_place() {
        let mut faults = Faults::default();
        faults.arm(Venue::Kraken, None, Fault::Dead, Some(2), vec![]);
        let befallen = |faults: &mut Faults| faults.befall(Venue::Kraken).len();
        assert_eq!([befallen(&mut faults), befallen(&mut faults), befallen(&mut faults)], [1, 1, 0]);

        faults.arm(Venue::Kraken, None, Fault::Dead, None, vec![]);
        faults.arm(Venue::Kraken, None, Fault::Zero, None, vec![]);
        faults.arm(Venue::Kraken, Some("BTC/USD".parse().unwrap()), Fault::Negative, None, vec![]);
        let names: Vec<_> = faults.befall(Venue::Kraken).iter().map(|armed| armed.fault.name()).collect();
        assert_eq!(names, ["zero", "negative"]);
        assert!(faults.befall(Venue::Okx).is_empty());
        faults.clear(Venue::Kraken);
        assert_eq!(befallen(&mut faults), 0);
    }
}
