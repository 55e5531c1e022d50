//! What the venues' WebSockets did, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::fault::StreamFault;
use crate::venues::pair::Venue;

/// Most messages of clients that are remembered, for each venue.
const HEARD_MAX: usize = 1_000;

/// When something happened lately, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Instant>);

impl Recent {
    /// Whether one more is within all of these numbers in so many milliseconds, which are so many times shorter. It is
    /// counted if it is.
    pub(crate) fn admits(&mut self, windows: &[(usize, u64)], speed: u64) -> bool {
        let now = Instant::now();
        let since =
            |per_ms: u64, at: &Instant| now.duration_since(*at) < Duration::from_millis(per_ms / speed);
        let longest = windows.iter().map(|(_, per_ms)| *per_ms).max().unwrap_or_default();
        self.0.retain(|at| since(longest, at));
        let full =
            |(max, per_ms): &(usize, u64)| self.0.iter().filter(|at| since(*per_ms, at)).count() >= *max;
        if windows.iter().any(full) {
            return false;
        }
        if !windows.is_empty() {
            self.0.push_back(now);
        }
        true
    }
}

/// The sockets of one venue.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) faults: BTreeMap<Venue, Vec<StreamFault>>,
    /// How many were opened, and how many are open.
    counts: BTreeMap<Venue, (u64, u64)>,
    heard: BTreeMap<Venue, Vec<String>>,
    /// When clients lately tried to connect.
    attempts: BTreeMap<Venue, Recent>,
    /// Tokens that were given out and not used yet.
    tokens: BTreeSet<String>,
    /// How many there ever were.
    issued: u64,
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

    /// Whether one more attempt to connect is within these limits. It counts if it is.
    pub(crate) fn attempt(&mut self, venue: Venue, windows: &[(usize, u64)], speed: u64) -> bool {
        self.attempts.entry(venue).or_default().admits(windows, speed)
    }

    pub(crate) fn counts(&self, venue: Venue) -> (u64, u64) {
        self.counts.get(&venue).copied().unwrap_or_default()
    }

    /// A token that opens one connection.
    pub(crate) fn issue_token(&mut self) -> String {
        self.issued += 1;
        let token = format!("2neAiuYvAU61ZDXANAGAsiL4-{}", self.issued);
        self.tokens.insert(token.clone());
        token
    }

    /// Whether a token opens a connection; it does so once.
    pub(crate) fn redeem_token(&mut self, token: &str) -> bool {
        let faults = self.faults.get(&Venue::Kucoin);
        let is_expired = faults.is_some_and(|faults| faults.contains(&StreamFault::ExpiredToken));
        self.tokens.remove(token) && !is_expired
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
