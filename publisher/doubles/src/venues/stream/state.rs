//! What the venues' WebSockets did, and what is wrong with them.

use std::collections::BTreeMap;

use super::fault::StreamFault;
use crate::venues::pair::Venue;

/// Most messages of clients that are remembered, for each venue.
const HEARD_MAX: usize = 1_000;

/// The sockets of one venue.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) faults: BTreeMap<Venue, Vec<StreamFault>>,
    /// How many were opened, and how many are open.
    counts: BTreeMap<Venue, (u64, u64)>,
    heard: BTreeMap<Venue, Vec<String>>,
}

impl Connections {
    pub(crate) fn connected(&mut self, venue: Venue, is_open: bool) {
        let (opened, open) = self.counts.entry(venue).or_default();
        if is_open {
            *opened += 1;
            *open += 1;
        } else {
            *open = open.saturating_sub(1);
        }
    }

    pub(crate) fn counts(&self, venue: Venue) -> (u64, u64) {
        self.counts.get(&venue).copied().unwrap_or_default()
    }

    pub(crate) fn hear(&mut self, venue: Venue, message: &str) {
        let heard = self.heard.entry(venue).or_default();
        if heard.len() < HEARD_MAX {
            heard.push(message.to_owned());
        }
    }

    pub(crate) fn heard(&self, venue: Venue) -> Vec<String> {
        self.heard.get(&venue).cloned().unwrap_or_default()
    }
}
