//! Whatever is polled for quotes.

use super::onchain::Network;
use super::venue::{Poll, Venue};
use publisher_core::quote::VenueId;
use publisher_core::time::{Span, Wall};
use std::sync::Arc;

/// A venue or source of one's own over HTTP, or all contracts of one chain.
#[derive(Clone, Debug)]
pub enum Source {
    /// One request for all symbols of a venue.
    Venue(Arc<Venue>),
    /// One block for all contracts of a chain.
    Network(Arc<Network>),
}

impl Source {
    /// The name under which it is polled.
    pub fn id(&self) -> &VenueId {
        match self {
            Self::Venue(venue) => venue.id(),
            Self::Network(network) => network.id(),
        }
    }

    /// The interval between polls.
    pub fn every(&self) -> Span {
        match self {
            Self::Venue(venue) => venue.every(),
            Self::Network(network) => network.every(),
        }
    }

    /// Asks for everything it has. Dropping the future abandons the requests and loses nothing else.
    pub async fn poll(&self, clock: impl Fn() -> Wall) -> Poll {
        match self {
            Self::Venue(venue) => venue.poll(clock).await,
            Self::Network(network) => network.poll(clock).await,
        }
    }
}
