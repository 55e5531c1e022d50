//! The rig's journal: as strict as the store, and what scenarios ask of it.

use super::*;

impl Rig {
    /// What the store would refuse.
    pub(super) fn journalled(&self, record: &Record) {
        match record {
            Record::Intent { account, nonce, work, .. } => {
                assert!(self.intent(*account, *nonce).is_none(), "nonce {nonce} was given away twice");
                let Some((contract, number)) = work.target() else { return };
                let holder = self.journal.iter().find_map(|old| match old {
                    Record::Intent { account: a, nonce: n, work, .. }
                        if a == account
                            && work.target() == Some((contract, number))
                            && self.closed(*a, *n).is_none_or(|o| o == Outcome::Final) =>
                    {
                        Some(*n)
                    }
                    _ => None,
                });
                assert_eq!(holder, None, "round {number} is on its way twice");
            }
            Record::Attempt { account, nonce, attempt, .. } => {
                assert_eq!(self.closed(*account, *nonce), None, "an attempt at a closed nonce");
                assert!(!attempt.raw.is_empty());
                let highest = self.attempts(*account, *nonce).last().copied();
                assert_eq!(attempt.seq, highest.map_or(0, |a| a.seq + 1));
                assert!(attempt.fee.cap_wei() <= self.spec.chain.fees.max_fee_wei, "above the cap");
            }
            Record::Sent { hash, .. } => assert!(self.is_journalled(*hash)),
            Record::Included { account, nonce, .. } => {
                assert_eq!(self.closed(*account, *nonce), None, "an inclusion of a closed nonce");
            }
            Record::Closed { account, nonce, .. } => {
                assert_eq!(self.closed(*account, *nonce), None, "closed twice");
            }
            Record::Reopened { account, nonce, .. } => {
                assert!(self.closed(*account, *nonce).is_some(), "an open nonce is reopened");
            }
            Record::Decided { account, nonce, .. } => {
                assert!(self.intent(*account, *nonce).is_some(), "a reason for nothing");
            }
            Record::Orphaned { .. } | Record::Halted { .. } | Record::Resumed { .. } => {}
        }
    }

    pub(super) fn intent(&self, account: Address, nonce: u64) -> Option<&Work> {
        self.journal.iter().find_map(|record| match record {
            Record::Intent { account: a, nonce: n, work, .. } if (*a, *n) == (account, nonce) => Some(work),
            _ => None,
        })
    }

    pub fn closed(&self, account: Address, nonce: u64) -> Option<Outcome> {
        let mut ends = self.journal.iter().rev().filter_map(|record| match record {
            Record::Closed { account: a, nonce: n, outcome, .. } if (*a, *n) == (account, nonce) => {
                Some(Some(*outcome))
            }
            Record::Reopened { account: a, nonce: n, .. } if (*a, *n) == (account, nonce) => Some(None),
            _ => None,
        });
        ends.next().flatten()
    }

    pub fn attempts(&self, account: Address, nonce: u64) -> Vec<&Attempt> {
        let attempts = self.journal.iter().filter_map(|record| match record {
            Record::Attempt { account: a, nonce: n, attempt, .. } if (*a, *n) == (account, nonce) => {
                Some(attempt)
            }
            _ => None,
        });
        attempts.collect()
    }

    pub(super) fn is_journalled(&self, hash: B256) -> bool {
        self.journal.iter().any(|r| matches!(r, Record::Attempt { attempt, .. } if attempt.hash == hash))
    }

    pub fn intents(&self) -> usize {
        self.journal.iter().filter(|r| matches!(r, Record::Intent { .. })).count()
    }

    pub fn is_halted(&self, scope: &Scope) -> bool {
        replay(&self.journal).halts.iter().any(|(halted, _)| halted == scope)
    }
}
