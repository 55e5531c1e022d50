//! How a market's price becomes a value: which way round it is read, and the rates that convert it.
//!
//! What is computed stays exact decimals: a product or quotient is rounded once, half to even, to 36 digits. A
//! division by a rate is one division and no product with an inverse, so nothing is rounded twice.

use crate::aggregate::{Estimate, Sample};
use crate::price::Price;
use crate::quote::{FeedId, Quote};
use std::fmt;

/// From a market to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Route {
    /// The market is read the other way round: what a unit of its quote asset costs in its base asset.
    pub inverse: bool,
    /// The rates, in order.
    pub legs: Vec<Leg>,
}

/// One rate on the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// The rate, or a feed.
    pub rate: FeedId,
    /// The price is divided by it; if not, it is multiplied with it.
    pub divides: bool,
}

impl Route {
    /// Whether the market is the value as it stands.
    pub fn is_direct(&self) -> bool {
        !self.inverse && self.legs.is_empty()
    }

    /// The rates that it needs.
    pub fn rates(&self) -> impl Iterator<Item = &FeedId> {
        self.legs.iter().map(|leg| &leg.rate)
    }
}

/// A product with each of these rates.
impl FromIterator<FeedId> for Route {
    fn from_iter<I: IntoIterator<Item = FeedId>>(rates: I) -> Self {
        let legs = rates.into_iter().map(|rate| Leg { rate, divides: false }).collect();
        Self { inverse: false, legs }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.divides { '/' } else { '*' }, self.rate)
    }
}

impl Quote {
    /// The same market read the other way round. Whoever buys one asset sells the other, so bid and ask change places;
    /// what was traded counts in units of the other asset. `None` if a price is not positive or its inverse is out of
    /// range.
    pub fn inverted(&self) -> Option<Self> {
        let inverse = |price: Option<Price>| match price {
            Some(price) if price.is_positive() => {
                Price::one().over(price).filter(|inverse| inverse.is_positive()).map(Some)
            }
            Some(_) => None,
            None => Some(None),
        };
        let volume = self.base_volume.zip(self.price().ok()).and_then(|(volume, price)| volume.times(price));
        Some(Self {
            market: self.market.clone(),
            bid: inverse(self.ask)?,
            ask: inverse(self.bid)?,
            last: inverse(self.last)?,
            base_volume: volume,
            ..*self
        })
    }
}

impl Sample {
    /// Converted by a rate: what is not known of either adds up, and it is as old as the older one. `None` if the rate
    /// is nothing, or the result is nothing or out of range.
    pub fn by(self, rate: &Estimate, divides: bool) -> Option<Self> {
        let apply = |price: Price| if divides { price.over(rate.price) } else { price.times(rate.price) };
        let price = apply(self.price).filter(|price| price.is_positive())?;
        // Of a product and of a quotient the parts that are not known add up, as far as they are small.
        let of_rate = match divides {
            true => price.times(rate.confidence)?.over(rate.price)?,
            false => self.price.times(rate.confidence)?,
        };
        let half_width = apply(self.half_width)?.plus(of_rate);
        Some(Self { price, half_width, as_of: self.as_of.min(rate.as_of), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::MarketId;
    use crate::time::Wall;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn quote(bid: &str, ask: &str, last: &str) -> Quote {
        let side = |text: &str| text.parse().ok();
        let at = Wall::from_s(7);
        Quote {
            market: MarketId::new("v", "USDJPY"),
            bid: side(bid),
            ask: side(ask),
            last: side(last),
            base_volume: Some(price("3")),
            as_of: at,
            received: at,
            is_clocked: false,
        }
    }

    #[test]
    fn bid_and_ask_change_places_and_the_volume_its_asset() {
        let turned = quote("125", "160", "150").inverted().unwrap();
        let shown = |price: Option<Price>| price.unwrap().to_string();
        assert_eq!((shown(turned.bid), shown(turned.ask)), ("0.00625".into(), "0.008".into()));
        assert_eq!(shown(turned.last), "0.00666666666666666666666666666666666667");
        assert_eq!(shown(turned.base_volume), "450");
        assert!(turned.price().is_ok(), "the book is not crossed");
        assert_eq!(turned.as_of, Wall::from_s(7));
    }

    /// Without this a market that says zero is an endless price, or a panic.
    #[test]
    fn nothing_and_less_have_no_inverse() {
        for (bid, ask, last) in [("0", "1", "1"), ("1", "0", ""), ("", "", "-1"), ("", "", "1e-36")] {
            // The inverse of the smallest price is larger than any.
            assert_eq!(quote(bid, ask, last).inverted(), None, "{bid} {ask} {last}");
        }
        let huge = quote("", "", "999999999999999999999999999999999999");
        assert_eq!(huge.inverted().unwrap().last.unwrap(), price("1e-36"));
    }

    #[test]
    fn a_quotient_is_rounded_once_and_what_is_not_known_adds_up() {
        let sample =
            Sample { price: price("100"), half_width: price("1"), volume: None, as_of: Wall::from_s(9) };
        let rate = |value: &str, confidence: &str| Estimate {
            price: price(value),
            confidence: price(confidence),
            as_of: Wall::from_s(8),
            ..Estimate::default()
        };
        let by = sample.by(&rate("0.8", "0.008"), true).unwrap();
        // One percent of either.
        assert_eq!((by.price, by.half_width, by.as_of), (price("125"), price("2.5"), Wall::from_s(8)));
        let third = sample.by(&rate("3", "0"), true).unwrap();
        assert_eq!(third.price.to_string(), "33.3333333333333333333333333333333333");
        assert_eq!(sample.by(&rate("0", "0"), true), None);
        let product = sample.by(&rate("0.8", "0.008"), false).unwrap();
        assert_eq!((product.price, product.half_width), (price("80"), price("1.6")));
    }

    proptest! {
        /// To the 35 digits that two roundings leave.
        #[test]
        fn turned_twice_it_is_itself(mantissa in 1u64..1_000_000_000_000, spread in 0u64..1_000) {
            let side = |units: u64| Some(price(&format!("{units}e-6")));
            let quote = Quote { bid: side(mantissa), ask: side(mantissa + spread), last: None, ..quote("", "", "") };
            let turned = quote.inverted().unwrap();
            prop_assert!(turned.bid <= turned.ask);
            let again = turned.inverted().unwrap();
            for (one, other) in [(quote.bid, again.bid), (quote.ask, again.ask)] {
                let (one, other) = (one.unwrap(), other.unwrap());
                let most = one.times(price("1.1e-35")).unwrap();
                prop_assert!(one.distance(other) <= most, "{} {}", one, other);
            }
        }
    }
}
