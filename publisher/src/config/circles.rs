//! Feeds that would read what they write.
//!
//! A feed that counts its own last answer among its sources confirms itself: its median follows the market more slowly
//! the more such sources it has, or not at all. That is so through proxies, rates and other feeds, too. Only as a
//! reference it does no harm.

use super::Feed;
use crate::sources::NetworkSpec;
use alloy::primitives::Address;
use publisher_core::book::Pricing;
use publisher_core::quote::{FeedId, VenueId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What to do about one.
pub const ADVICE: &str = "leave the source out; a feed can be compared with it by feed.reference";

/// A source that shows what a feed writes, which the feed rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Circle {
    /// The source.
    pub source: VenueId,
    /// The feed.
    pub feed: FeedId,
    /// The contract that the feed writes, or that shows it.
    pub contract: Address,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, feed, contract } = self;
        write!(f, "{source} is {contract}, which feed {feed} writes and rests on")
    }
}

/// Every circle. `behind` says which contracts a contract passes reads on to, where that is known.
pub fn find(
    chain_id: u64,
    rates: &BTreeMap<FeedId, Pricing>,
    feeds: &BTreeMap<FeedId, Feed>,
    networks: &BTreeMap<VenueId, NetworkSpec>,
    behind: &BTreeMap<Address, Vec<Address>>,
) -> Vec<Circle> {
    let mut shown: BTreeMap<&VenueId, Vec<(&FeedId, Address)>> = BTreeMap::new();
    for source in networks.values().filter(|n| n.chain_id == chain_id).flat_map(|n| &n.sources) {
        let further = behind.get(&source.address).into_iter().flatten();
        let read: Vec<Address> = std::iter::once(&source.address).chain(further).copied().collect();
        for (id, feed) in feeds {
            let own = [feed.aggregator.filter(|_| feed.entry.is_none()), feed.facade, feed.proxy];
            let own = own.into_iter().flatten().find(|own| read.contains(own));
            shown.entry(&source.id).or_default().extend(own.map(|contract| (id, contract)));
        }
    }
    let mut circles = BTreeSet::new();
    for (source, feeds_shown) in &shown {
        for (feed, contract) in feeds_shown {
            let paths = |id: &FeedId| {
                let sets = feeds.get(id).into_iter().flat_map(Feed::sets).chain(rates.get(id));
                sets.flat_map(|pricing| &pricing.paths)
            };
            let mut open = vec![*feed];
            let mut seen = BTreeSet::new();
            while let Some(id) = open.pop() {
                if !seen.insert(id) {
                    continue;
                }
                for path in paths(id) {
                    open.extend(path.via.rates());
                    if path.market.venue == **source {
                        circles.insert(Circle {
                            source: (*source).clone(),
                            feed: (*feed).clone(),
                            contract: *contract,
                        });
                    }
                    open.extend(shown.get(&path.market.venue).into_iter().flatten().map(|(feed, _)| *feed));
                }
            }
        }
    }
    circles.into_iter().collect()
}
