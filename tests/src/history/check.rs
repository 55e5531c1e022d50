//! The checker of histories: it is told what the chain's events say and what the journals say, and names everything
//! in which they break a rule or contradict one another. It asks nobody and knows nothing of how rounds are made.

use super::ChainRound;
use alloy::primitives::{Address, B256};
use publisher::store::{AttemptEntry, RoundEntry};
use publisher_core::quote::FeedId;
use publisher_core::record::Outcome;
use publisher_core::time::{Span, Wall};
use publisher_core::tx::{Attempt, SendOutcome};
use std::collections::BTreeMap;

/// A signature may take so long from the moment at which its answer was chosen: `chain.timing.answer_timeout`, which is
/// five seconds unless a world shortens it.
const SIGNING: Span = Span::from_s(5);

/// One feed's history.
#[derive(Clone, Debug)]
pub struct History {
    /// Its name.
    pub feed: FeedId,
    /// The aggregator or store that its rounds belong to.
    pub contract: Address,
    /// Every round on the canonical chain, in order of emission.
    pub landed: Vec<ChainRound>,
    /// Rounds that somebody else wrote.
    pub others: Vec<u64>,
    /// Transactions whose entry for the feed the store skipped.
    pub skipped: Vec<B256>,
    /// What each journal knows of the feed, the journal of now last; of one that was restored from a backup also what
    /// it knew before.
    pub journals: Vec<Vec<RoundEntry>>,
    /// The lowest and the highest answer that may be published.
    pub bounds: (i128, i128),
    /// How old a quote may be when an answer that rests on it is signed.
    pub max_age: Span,
}

impl History {
    /// Everything that is wrong with it, in words.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.order(&mut found);
        self.origins(&mut found);
        self.attempts(&mut found);
        self.nonces(&mut found);
        self.endings(&mut found);
        found.into_iter().map(|violation| format!("{}: {violation}", self.feed)).collect()
    }

    /// The rounds that nobody else wrote.
    pub fn ours(&self) -> impl Iterator<Item = &ChainRound> {
        self.landed.iter().filter(|landed| !self.others.contains(&landed.round))
    }

    /// The attempt with this hash, if a journal knows it.
    pub fn attempt(&self, hash: B256) -> Option<&AttemptEntry> {
        self.signed().map(|(_, signed)| signed).find(|signed| signed.attempt.hash == hash)
    }

    fn entries(&self) -> impl Iterator<Item = &RoundEntry> {
        self.journals.iter().flatten()
    }

    /// The answer that an attempt carries for this feed, and when that was observed.
    pub(super) fn said(&self, attempt: &Attempt) -> Option<(i128, Wall)> {
        let single = attempt.answer.zip(attempt.observed_at);
        let entry = attempt.entries.iter().find(|entry| entry.feed == self.feed);
        let (answer, observed_at) = single.or(entry.map(|entry| (entry.answer, entry.observed_at)))?;
        Some((i128::try_from(answer.value()).ok()?, observed_at))
    }

    /// Every attempt with the round that it was made for.
    fn signed(&self) -> impl Iterator<Item = (&RoundEntry, &AttemptEntry)> {
        self.entries().flat_map(|entry| entry.attempts.iter().map(move |attempt| (entry, attempt)))
    }

    /// Each round exactly once, in order, within bounds.
    fn order(&self, found: &mut Vec<String>) {
        for (expected, landed) in (1u64..).zip(&self.landed) {
            if landed.round != expected {
                found.push(format!("round {} is where {expected} belongs", landed.round));
                break;
            }
        }
        for pair in self.landed.windows(2) {
            if pair[1].updated_at < pair[0].updated_at {
                found.push(format!("round {} is older than the one before it", pair[1].round));
            }
        }
        let (min, max) = self.bounds;
        for ChainRound { round, answer, .. } in &self.landed {
            if answer < &min || answer > &max {
                found.push(format!("round {round} says {answer}, which is out of bounds"));
            }
        }
    }

    /// What landed was journalled for that very round, with that very answer. Block times say nothing of when: they are
    /// the chain's own.
    fn origins(&self, found: &mut Vec<String>) {
        for ChainRound { round, answer, number, origin: (hash, _), .. } in self.ours() {
            let Some((entry, signed)) = self.signed().find(|(_, signed)| signed.attempt.hash == *hash) else {
                found.push(format!("round {round} was written by {hash}, which no journal knows"));
                continue;
            };
            if (entry.contract, entry.number) != (self.contract, *number) {
                found.push(format!("round {round} was written by {hash}, which was made for another"));
            }
            if self.said(&signed.attempt).map(|(said, _)| said) != Some(*answer) {
                found.push(format!("round {round} says {answer}, which is not what was signed"));
            }
        }
    }

    /// Nothing was signed that was out of bounds or too old, nothing was sent before it was signed, and each
    /// replacement offered more than what it replaces, unless that was dead, or no node is known to have taken it.
    fn attempts(&self, found: &mut Vec<String>) {
        for (entry, AttemptEntry { attempt, signed_at, sent }) in self.signed() {
            let name = format!("attempt {} of round {}", attempt.seq, entry.number);
            if let Some((answer, observed_at)) = self.said(attempt) {
                if answer < self.bounds.0 || answer > self.bounds.1 {
                    found.push(format!("{name} says {answer}, which is out of bounds"));
                }
                if signed_at.since(observed_at) > self.max_age + SIGNING {
                    found.push(format!("{name} was {} old when it was signed", signed_at.since(observed_at)));
                }
            }
            if sent.is_some_and(|(_, at)| at < *signed_at) {
                found.push(format!("{name} was sent before it was journalled"));
            }
        }
        for entry in self.entries() {
            for pair in entry.attempts.windows(2) {
                let (old, new) = (&pair[0], &pair[1]);
                let (was, is) = (old.attempt.fee, new.attempt.fee);
                let less = is.cap_wei() < was.cap_wei() || is.tip_wei() < was.tip_wei();
                let more = !less && (is.cap_wei(), is.tip_wei()) != (was.cap_wei(), was.tip_wei());
                let free = is.cap_wei() == 0 && was.cap_wei() == 0;
                let said = old.sent.map(|(outcome, _)| outcome);
                let dead = said == Some(SendOutcome::Rejected);
                // It is signed anew for the same fee when it has grown old.
                let untaken = !less && !matches!(said, Some(SendOutcome::Accepted | SendOutcome::Known));
                if !(more || free || dead || untaken) {
                    found.push(format!(
                        "attempt {} of round {} offers no more, and of the one before it was said: {said:?}",
                        new.attempt.seq, entry.number
                    ));
                }
            }
        }
    }

    /// No nonce was given to two rounds, unless somebody who is not in the journal had it in the end.
    fn nonces(&self, found: &mut Vec<String>) {
        let mut given: BTreeMap<(Address, u64), u64> = BTreeMap::new();
        for entry in self.entries().filter(|entry| outcome(entry) != Some(Outcome::Foreign)) {
            let other = given.insert((entry.account, entry.nonce), entry.number);
            if other.is_some_and(|other| other != entry.number) {
                found.push(format!(
                    "nonce {} was given to rounds {:?} and {}",
                    entry.nonce, other, entry.number
                ));
            }
        }
    }

    /// What the journal calls final is on the chain at that place, and what it calls otherwise ended is not.
    fn endings(&self, found: &mut Vec<String>) {
        // What a former journal held to be canonical may have been replaced since.
        for entry in self.journals.last().into_iter().flatten() {
            let Some(ended) = outcome(entry) else { continue };
            let number = entry.number;
            let ours = |hash: B256| entry.attempts.iter().any(|a| a.attempt.hash == hash);
            let landed = self.landed.iter().map(|landed| landed.origin).find(|(hash, _)| ours(*hash));
            match (ended, entry.inclusion, landed) {
                (Outcome::Final, Some(receipt), Some(origin)) => {
                    if (receipt.hash, receipt.block_hash) != origin {
                        found.push(format!("round {number} is final in another block than on chain"));
                    }
                }
                (Outcome::Final, receipt, None) => {
                    if receipt.is_none_or(|receipt| self.is_owed(entry, receipt.hash)) {
                        found.push(format!("round {number} is final in the journal and not on chain"));
                    }
                }
                (Outcome::Final, None, Some(_)) => {
                    found.push(format!("round {number} is final in the journal, and nobody knows where"));
                }
                (_, _, Some(_)) => {
                    let ended = ended.code();
                    found.push(format!("round {number} is on chain and {ended} in the journal"));
                }
                (_, _, None) => {}
            }
        }
    }

    /// Whether this attempt of a round, which landed, must have written a round of the feed: it says something for it,
    /// and the store did not skip that.
    fn is_owed(&self, entry: &RoundEntry, hash: B256) -> bool {
        let landed = entry.attempts.iter().find(|signed| signed.attempt.hash == hash);
        landed.is_none_or(|signed| self.said(&signed.attempt).is_some()) && !self.skipped.contains(&hash)
    }
}

fn outcome(entry: &RoundEntry) -> Option<Outcome> {
    entry.closed.map(|(outcome, _)| outcome)
}

#[cfg(test)]
mod tests;
