//! What sources say: one observation of one market, and why there was none.

use crate::price::{Price, Ratio};
use crate::time::Wall;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A text that is cheap to clone and to compare, in the order of texts.
#[derive(Clone)]
struct Name {
    /// Its first bytes, so that names which differ there, and short ones, are compared without a look at their text.
    head: u128,
    text: Arc<str>,
}

/// As long as the head of a name.
const HEAD: usize = size_of::<u128>();

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let mut head = [0; HEAD];
        head.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        Self { head: u128::from_be_bytes(head), text: text.into() }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| match self.text.len().max(other.text.len()) {
            0..=HEAD => self.text.len().cmp(&other.text.len()),
            _ => self.text.cmp(&other.text),
        })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.head.hash(state);
        self.text.len().hash(state);
    }
}

/// Defines what is called by a name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Name);

        impl $name {
            /// From its text.
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0.text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

name! {
    /// The name of a feed or of a rate, as the configuration spells it: `BTC-USD`.
    FeedId
}
name! {
    /// An exchange or API with its own limits: `kraken`.
    VenueId
}
name! {
    /// Venues that fail together, such as an exchange and its mirror: they share one vote. Each is one by itself, unless
    /// somebody says otherwise.
    FamilyId
}

/// What the name of a feed's sources of off hours ends with. No feed may have a name like that.
const OFF_HOURS: &str = "@off_hours";

impl FeedId {
    /// What a feed's second set of sources is called, that of off hours: `EUR-USD@off_hours`.
    pub fn off_hours(&self) -> Self {
        Self::new(&format!("{self}{OFF_HOURS}"))
    }

    /// The feed that a set of sources is of; a feed's first set is called like the feed itself.
    pub fn of_set(self) -> Self {
        match self.as_str().strip_suffix(OFF_HOURS) {
            Some(name) => Self::new(name),
            None => self,
        }
    }
}

/// One market of a venue under the venue's own symbol: `kraken:XBTUSD`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketId {
    /// The venue.
    pub venue: VenueId,
    /// The symbol as requests spell it.
    pub symbol: Arc<str>,
}

impl MarketId {
    /// From venue and symbol.
    pub fn new(venue: &str, symbol: &str) -> Self {
        Self { venue: VenueId::new(venue), symbol: symbol.into() }
    }
}

impl fmt::Display for MarketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.venue, self.symbol)
    }
}

impl fmt::Debug for MarketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One observation of one market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Where it was seen.
    pub market: MarketId,
    /// Best bid, in units of the quote asset.
    pub bid: Option<Price>,
    /// Best ask, in units of the quote asset.
    pub ask: Option<Price>,
    /// Last trade, in units of the quote asset.
    pub last: Option<Price>,
    /// What was traded in the last 24 hours, in units of the base asset. Venues declare it themselves, so it only caps
    /// and gates; it never prices.
    pub base_volume: Option<Price>,
    /// When it was true: the exchange's time, or the receive time less the time the request took.
    pub as_of: Wall,
    /// When it was received.
    pub received: Wall,
    /// Whether `as_of` was read off the exchange's clock, so that it says something about that clock.
    pub is_clocked: bool,
}

/// How far the market's price may be from a last trade that comes without a book.
const LAST_ONLY: Ratio = Ratio::from_bps(10);

impl Quote {
    /// The market's price: the median of bid, ask and last; the middle of a book without a last trade; the last
    /// trade without a book. `None` if there is neither or the book is crossed or not positive.
    ///
    /// For bid ≤ ask the median is the last trade clamped into the book, so a stale or lone trade cannot leave it.
    pub fn price(&self) -> Result<Price, QuoteFault> {
        if [self.bid, self.ask, self.last].into_iter().flatten().any(|p| !p.is_positive()) {
            return Err(QuoteFault::BadValue);
        }
        match (self.bid, self.ask, self.last) {
            (Some(bid), Some(ask), _) if bid > ask => Err(QuoteFault::Crossed),
            (Some(bid), Some(ask), Some(last)) => Ok(last.clamp(bid, ask)),
            (Some(bid), Some(ask), None) => Ok(bid.middle(ask)),
            (_, _, Some(last)) => Ok(last),
            _ => Err(QuoteFault::BadValue),
        }
    }

    /// Half of the distance between bid and ask; without a book, a tenth of a percent of the last trade.
    pub fn half_width(&self) -> Price {
        match (self.bid, self.ask) {
            (Some(bid), Some(ask)) => bid.distance(ask).middle(Price::ZERO),
            _ => self.last.unwrap_or_default().share(LAST_ONLY),
        }
    }

    /// How far bid and ask are apart, as a part of their middle, rounded up, so that it is beyond a limit exactly if they
    /// are; `None` without either, or where their middle is nothing.
    pub fn spread(&self) -> Option<Ratio> {
        let (bid, ask) = self.bid.zip(self.ask)?;
        bid.distance(ask).part_of_up(bid.middle(ask))
    }
}

/// What is wrong with a quote by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteFault {
    /// No price, or one that is not positive.
    BadValue,
    /// The bid is above the ask.
    Crossed,
}

/// What a venue's list of its markets says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Listing {
    /// It trades, or nothing is known to the contrary.
    #[default]
    Trading,
    /// It is in the list, and does not trade.
    Halted,
    /// It is not in the list.
    Gone,
}

impl Listing {
    /// The name in fixtures and messages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Halted => "halted",
            Self::Gone => "gone",
        }
    }
}

/// What a source delivered for one market at one poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of them are quotes, and a box for each costs more than room"
)]
pub enum Observation {
    /// A quote.
    Quote(Quote),
    /// No quote, and why. The previous quote stays until it is too old.
    Missing {
        /// The market that was asked for.
        market: MarketId,
        /// Why it has no quote.
        fault: SourceFault,
    },
}

impl Observation {
    /// The market it is about.
    pub const fn market(&self) -> &MarketId {
        match self {
            Self::Quote(quote) => &quote.market,
            Self::Missing { market, .. } => market,
        }
    }
}

/// Why a venue or market gave no quote: the classes that operators and gates branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceFault {
    /// Connection refused, reset or broken.
    Unreachable,
    /// Its name has no address.
    Unresolved,
    /// A TLS handshake failed, by something else than the certificate's dates, name or issuer.
    Tls,
    /// Its certificate has ended, or has not begun.
    CertificateExpired,
    /// Its certificate is another host's.
    CertificateName,
    /// Nobody whom this machine trusts has signed its certificate.
    CertificateUntrusted,
    /// Its key is none of those that it is known by.
    TlsPinMismatch,
    /// There is no way through the proxy that carries its connections.
    Proxy,
    /// No complete answer in time.
    Timeout,
    /// HTTP 429.
    RateLimited,
    /// HTTP 418, or another ban.
    Banned,
    /// HTTP 451, or 403 without evidence of a rate limit.
    GeoBlocked,
    /// Another HTTP status than 200.
    HttpStatus,
    /// The body is larger or deeper than the limit.
    TooLarge,
    /// Not JSON, or JSON of another shape.
    BadBody,
    /// HTTP 200 with the venue's own error in the body.
    VenueError,
    /// The venue answered, without this market.
    SymbolMissing,
    /// A number that is not an exact decimal, or not positive.
    BadValue,
    /// A timestamp that cannot be one.
    BadTime,
}

impl SourceFault {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Unresolved => "unresolved",
            Self::Tls => "tls",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateName => "certificate_name",
            Self::CertificateUntrusted => "certificate_untrusted",
            Self::TlsPinMismatch => "tls_pin_mismatch",
            Self::Proxy => "proxy",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Banned => "banned",
            Self::GeoBlocked => "geo_blocked",
            Self::HttpStatus => "http_status",
            Self::TooLarge => "too_large",
            Self::BadBody => "bad_body",
            Self::VenueError => "venue_error",
            Self::SymbolMissing => "symbol_missing",
            Self::BadValue => "bad_value",
            Self::BadTime => "bad_time",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quote(bid: &str, ask: &str, last: &str) -> Quote {
        let price = |t: &str| (!t.is_empty()).then(|| t.parse().unwrap());
        Quote {
            market: MarketId::new("v", "BTCUSD"),
            bid: price(bid),
            ask: price(ask),
            last: price(last),
            base_volume: None,
            as_of: Wall::default(),
            received: Wall::default(),
            is_clocked: false,
        }
    }

    proptest! {
        /// Without this, tables that are searched by names and told in their order would disagree with their texts.
        #[test]
        fn names_are_in_the_order_of_their_texts(one in "[a-c\0]{0,20}", other in "[a-c\0]{0,20}") {
            let (first, second) = (FeedId::new(&one), FeedId::new(&other));
            prop_assert_eq!(first.cmp(&second), one.cmp(&other));
            prop_assert_eq!(first == second, one == other);
        }
    }

    #[test]
    fn a_last_trade_cannot_leave_its_book() {
        for (bid, ask, last, expected) in [
            ("10", "12", "11", Ok("11")),
            ("10", "12", "50", Ok("12")),
            ("10", "12", "1", Ok("10")),
            ("10", "12", "", Ok("11")),
            ("", "", "11", Ok("11")),
            ("10", "", "11", Ok("11")),
            ("10", "", "", Err(QuoteFault::BadValue)),
            ("", "", "", Err(QuoteFault::BadValue)),
            ("12", "10", "11", Err(QuoteFault::Crossed)),
            ("0", "10", "11", Err(QuoteFault::BadValue)),
            ("10", "12", "-1", Err(QuoteFault::BadValue)),
        ] {
            let price = quote(bid, ask, last).price();
            assert_eq!(price, expected.map(|t: &str| t.parse().unwrap()), "{bid}/{ask}/{last}");
        }
    }
}
