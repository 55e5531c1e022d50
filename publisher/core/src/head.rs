//! The head window: a hash-linked run of canonical blocks, and what each new head means for it.
//!
//! A reorg is a value, seen from hashes alone: a sibling at the same height, a shorter chain and a silent rollback
//! are all found at the next poll. Inclusion is judged by [`HeadWindow::standing`], never by height. The window
//! fetches nothing; when a branch does not link it says which block is missing.

use crate::time::{Mono, Span};
use crate::tx::{BlockRef, Receipt};
use alloy_primitives::B256;
use std::collections::VecDeque;

/// An older head of our own chain counts as a rollback, and not as a lagging node, once it was polled this many times
/// in a row and for as long as that many blocks take: a node that lags and lives moves on meanwhile.
pub const ROLLBACK_POLLS: u32 = 3;

/// When a block counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// At once (QBFT, IBFT 2). Any later change is a violation.
    Instant,
    /// With this many blocks on top of it.
    Depth(u64),
    /// When the node's tag (`finalized` or `safe`) has reached it.
    Tag,
}

/// What a polled branch did to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    Same,
    /// The chain grew.
    Extended,
    /// Blocks above `ancestor` left the canonical chain.
    Reorged {
        /// Height of the last common block.
        ancestor: u64,
        /// How many blocks left.
        depth: u64,
    },
    /// The branch does not link: the block of this hash at this height is missing.
    Unlinked {
        /// Its height.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// An older head of our own chain: a lagging node, unless it is repeated.
    Lagging,
    /// The branch leaves the chain below everything we remember. The window starts anew.
    Lost,
}

/// What the window says about a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the canonical chain.
    Canonical,
    /// Another block is canonical at its height.
    Orphaned,
    /// It is above the tip, so it cannot be judged yet.
    Ahead,
    /// It is older than the window. The window is deeper than finality, so only a node's word remains.
    Below,
}

/// The canonical chain's most recent blocks.
#[derive(Clone, Debug)]
pub struct HeadWindow {
    blocks: VecDeque<BlockRef>,
    capacity: usize,
    /// Blocks that have to be known before a node's word on an older one is taken.
    reach: usize,
    patience: Span,
    older: Option<Older>,
}

/// An older head of our own chain, repeated.
#[derive(Clone, Copy, Debug)]
struct Older {
    hash: B256,
    polls: u32,
    since: Mono,
}

impl HeadWindow {
    /// A window of `capacity` blocks; at least twice the depth of finality, and never under 128.
    pub fn new(finality: Finality, block_time: Span) -> Self {
        let depth = match finality {
            Finality::Depth(depth) => usize::try_from(depth).unwrap_or(usize::MAX / 2),
            Finality::Instant | Finality::Tag => 0,
        };
        let capacity = depth.saturating_mul(2).clamp(128, 4096);
        let reach = match finality {
            Finality::Instant => 1,
            Finality::Depth(_) => depth.saturating_add(1).min(capacity),
            Finality::Tag => capacity,
        };
        let patience = block_time.times(u64::from(ROLLBACK_POLLS));
        Self { blocks: VecDeque::new(), capacity, reach, patience, older: None }
    }

    /// The newest block.
    pub fn tip(&self) -> Option<&BlockRef> {
        self.blocks.back()
    }

    /// The canonical block at a height, if the window holds it.
    pub fn at(&self, number: u64) -> Option<&BlockRef> {
        let first = self.blocks.front()?.number;
        self.blocks.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// What the window says about a block.
    pub fn standing(&self, number: u64, hash: B256) -> Standing {
        let (Some(first), Some(tip)) = (self.blocks.front(), self.tip()) else {
            return Standing::Ahead;
        };
        if number > tip.number {
            Standing::Ahead
        } else if number < first.number {
            Standing::Below
        } else if self.at(number).is_some_and(|b| b.hash == hash) {
            Standing::Canonical
        } else {
            Standing::Orphaned
        }
    }

    /// Whether a receipt's block is canonical. Of a block older than the window only the node's word remains, and
    /// that is taken once the window holds every block that may still be replaced.
    pub fn believes(&self, receipt: &Receipt) -> bool {
        match self.standing(receipt.block_number, receipt.block_hash) {
            Standing::Canonical => true,
            Standing::Below => self.missing().is_none(),
            Standing::Orphaned | Standing::Ahead => false,
        }
    }

    /// The block below the window and how many are wanted up to it, if the window is not deep enough yet.
    pub fn missing(&self) -> Option<(u64, B256, u64)> {
        let first = self.blocks.front()?;
        let wanted = self.reach.checked_sub(self.blocks.len()).filter(|wanted| *wanted > 0)?;
        let below = first.number.checked_sub(1)?;
        Some((below, first.parent, u64::try_from(wanted).ok()?.min(first.number)))
    }

    /// Takes older blocks: ascending, hash-linked, their last one the parent of the window's first.
    pub fn deepen(&mut self, older: &[BlockRef]) {
        let joined =
            older.last().zip(self.blocks.front()).is_some_and(|(parent, child)| links(parent, child));
        if joined && is_linked(older) {
            older.iter().rev().for_each(|block| self.blocks.push_front(*block));
            self.trim();
        }
    }

    /// Takes a branch: ascending, hash-linked, its last block the head polled at `at`. An unlinked branch is ignored.
    pub fn apply(&mut self, branch: &[BlockRef], at: Mono) -> Change {
        let linked = is_linked(branch);
        let (Some(&lowest), Some(&head)) = (branch.first(), branch.last()) else { return Change::Same };
        if !linked {
            return Change::Same;
        }
        let (Some(&first), Some(&tip)) = (self.blocks.front(), self.blocks.back()) else {
            self.restart(branch);
            return Change::Extended;
        };
        if self.standing(head.number, head.hash) == Standing::Canonical {
            return self.older_head(head, tip, at);
        }
        self.older = None;
        let joint = branch.iter().rposition(|b| {
            b.number.checked_sub(1).is_some_and(|n| self.standing(n, b.parent) == Standing::Canonical)
        });
        let Some((joint, ancestor)) = joint.and_then(|i| Some((i, branch.get(i)?.number.checked_sub(1)?)))
        else {
            let capacity = u64::try_from(self.capacity).unwrap_or(u64::MAX);
            let beyond = lowest.number <= first.number
                || lowest.number.saturating_sub(tip.number) > capacity
                || branch.len() >= self.capacity;
            if beyond {
                self.restart(branch);
                return Change::Lost;
            }
            return Change::Unlinked { number: lowest.number - 1, hash: lowest.parent };
        };
        let depth = self.truncate(ancestor);
        self.blocks.extend(branch.iter().skip(joint));
        self.trim();
        if depth == 0 { Change::Extended } else { Change::Reorged { ancestor, depth } }
    }

    /// A head we already know: ours, or an older one of our chain.
    fn older_head(&mut self, head: BlockRef, tip: BlockRef, at: Mono) -> Change {
        if head.number == tip.number {
            self.older = None;
            return Change::Same;
        }
        let mut older = self.older.filter(|older| older.hash == head.hash).unwrap_or(Older {
            hash: head.hash,
            polls: 0,
            since: at,
        });
        older.polls += 1;
        if older.polls < ROLLBACK_POLLS || at.since(older.since) < self.patience {
            self.older = Some(older);
            return Change::Lagging;
        }
        self.older = None;
        let depth = self.truncate(head.number);
        Change::Reorged { ancestor: head.number, depth }
    }

    /// Drops everything above `ancestor`; returns how many blocks that were.
    fn truncate(&mut self, ancestor: u64) -> u64 {
        let mut dropped = 0;
        while self.tip().is_some_and(|b| b.number > ancestor) {
            self.blocks.pop_back();
            dropped += 1;
        }
        dropped
    }

    fn restart(&mut self, branch: &[BlockRef]) {
        self.blocks = branch.iter().copied().collect();
        self.older = None;
        self.trim();
    }

    fn trim(&mut self) {
        while self.blocks.len() > self.capacity {
            self.blocks.pop_front();
        }
    }

    /// The height up to which blocks are final. `tagged` is the node's word on its tag, believed only while
    /// the tagged block is canonical here.
    pub fn final_height(&self, finality: Finality, tagged: Option<(u64, B256)>) -> Option<u64> {
        let tip = self.tip()?.number;
        match finality {
            Finality::Instant => Some(tip),
            Finality::Depth(depth) => tip.checked_sub(depth),
            Finality::Tag => tagged
                .filter(|(number, hash)| {
                    matches!(self.standing(*number, *hash), Standing::Canonical | Standing::Below)
                })
                .map(|(number, _)| number),
        }
    }
}

/// Whether `child` follows `parent`.
fn links(parent: &BlockRef, child: &BlockRef) -> bool {
    child.parent == parent.hash && parent.number.checked_add(1) == Some(child.number)
}

fn is_linked(branch: &[BlockRef]) -> bool {
    branch.windows(2).all(|pair| match pair {
        [parent, child] => links(parent, child),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;
    use proptest::prelude::*;

    fn hash(fork: u8, number: u64) -> B256 {
        let mut bytes = [fork; 32];
        bytes[24..].copy_from_slice(&number.to_be_bytes());
        B256::from(bytes)
    }

    /// Blocks `from..=to` of `fork`, which left fork 0 at `root`.
    fn branch(fork: u8, root: u64, from: u64, to: u64) -> Vec<BlockRef> {
        let name = |n: u64| if n <= root { hash(0, n) } else { hash(fork, n) };
        (from..=to)
            .map(|number| BlockRef {
                number,
                hash: name(number),
                parent: name(number.saturating_sub(1)),
                time: Wall::from_s(number),
            })
            .collect()
    }

    fn window(to: u64) -> HeadWindow {
        let mut window = HeadWindow::new(Finality::Depth(12), Span::from_s(2));
        assert_eq!(window.apply(&branch(0, 99, 1, to), Mono::default()), Change::Extended);
        window
    }

    #[test]
    fn growth_siblings_and_deeper_forks() {
        let mut w = window(10);
        assert_eq!(w.apply(&branch(0, 99, 10, 10), Mono::default()), Change::Same);
        assert_eq!(w.apply(&branch(0, 99, 11, 11), Mono::default()), Change::Extended);
        assert_eq!(
            w.apply(&branch(1, 10, 11, 11), Mono::default()),
            Change::Reorged { ancestor: 10, depth: 1 }
        );
        assert_eq!(w.standing(11, hash(0, 11)), Standing::Orphaned);
        assert_eq!(w.standing(11, hash(1, 11)), Standing::Canonical);
        assert_eq!(w.standing(12, hash(1, 12)), Standing::Ahead);
        // A lower head of another fork is a reorg, not a lag.
        assert_eq!(w.apply(&branch(2, 5, 6, 7), Mono::default()), Change::Reorged { ancestor: 5, depth: 6 });
        assert_eq!(w.tip().unwrap().number, 7);
    }

    #[test]
    fn a_gap_names_the_missing_block_and_the_whole_branch_links_later() {
        let mut w = window(10);
        assert_eq!(
            w.apply(&branch(0, 99, 13, 13), Mono::default()),
            Change::Unlinked { number: 12, hash: hash(0, 12) }
        );
        assert_eq!(w.apply(&branch(0, 99, 11, 13), Mono::default()), Change::Extended);
        assert_eq!(
            w.apply(&branch(1, 8, 12, 14), Mono::default()),
            Change::Unlinked { number: 11, hash: hash(1, 11) }
        );
        assert_eq!(w.apply(&branch(1, 8, 5, 14), Mono::default()), Change::Reorged { ancestor: 8, depth: 5 });
    }

    #[test]
    fn a_repeated_older_head_is_a_rollback_a_lagging_node_moves_on() {
        let mut w = window(10);
        let old = branch(0, 99, 7, 7);
        let mut poll = |blocks: &[BlockRef], s: u64| w.apply(blocks, Mono::from_ms(s * 1000));
        assert_eq!(poll(&old, 0), Change::Lagging);
        assert_eq!(poll(&branch(0, 99, 10, 10), 1), Change::Same);
        for s in 2..8 {
            assert_eq!(poll(&old, s), Change::Lagging, "polled often, but within three block times");
        }
        assert_eq!(poll(&branch(0, 99, 8, 8), 8), Change::Lagging, "it lives");
        assert_eq!(poll(&old, 20), Change::Lagging);
        assert_eq!(poll(&old, 30), Change::Lagging, "long, but polled twice only");
        assert_eq!(poll(&old, 31), Change::Reorged { ancestor: 7, depth: 3 });
    }

    #[test]
    fn a_young_window_asks_for_what_may_still_be_replaced_and_believes_nothing_below_until_then() {
        let receipt = |number| Receipt {
            hash: B256::ZERO,
            block_number: number,
            block_hash: hash(0, number),
            success: true,
            gas_used: 0,
            gas_price_wei: 0,
        };
        let mut w = HeadWindow::new(Finality::Depth(12), Span::from_s(2));
        assert_eq!(w.missing(), None, "nothing is known to ask from");
        w.apply(&branch(0, 99, 50, 50), Mono::default());
        assert_eq!(w.missing(), Some((49, hash(0, 49), 12)));
        assert!(!w.believes(&receipt(49)));
        w.deepen(&branch(1, 0, 38, 49));
        assert_eq!(w.missing(), Some((49, hash(0, 49), 12)), "another fork's blocks do not join");
        w.deepen(&branch(0, 99, 45, 49));
        assert_eq!(w.missing(), Some((44, hash(0, 44), 7)));
        assert!(w.believes(&receipt(45)) && !w.believes(&receipt(44)));
        w.deepen(&branch(0, 99, 38, 44));
        assert_eq!(w.missing(), None);
        assert!(w.believes(&receipt(3)), "older than anything that may be replaced");
        assert_eq!(
            w.apply(&branch(1, 49, 50, 51), Mono::default()),
            Change::Reorged { ancestor: 49, depth: 1 }
        );
        let mut short = HeadWindow::new(Finality::Depth(12), Span::from_s(2));
        short.apply(&branch(0, 99, 2, 2), Mono::default());
        assert_eq!(short.missing(), Some((1, hash(0, 1), 2)));
        short.deepen(&branch(0, 99, 0, 1));
        assert_eq!(short.missing(), None, "a chain has no blocks below its genesis");
        let mut instant = HeadWindow::new(Finality::Instant, Span::from_s(2));
        instant.apply(&branch(0, 99, 9, 9), Mono::default());
        assert_eq!(instant.missing(), None);
    }

    #[test]
    fn deeper_than_the_window_is_its_own_outcome() {
        let mut w = HeadWindow::new(Finality::Depth(12), Span::from_s(2));
        w.apply(&branch(0, 999, 500, 600), Mono::default());
        assert_eq!(w.apply(&branch(1, 400, 490, 601), Mono::default()), Change::Lost);
        assert_eq!(w.tip().unwrap().hash, hash(1, 601));
        assert_eq!(w.apply(&branch(1, 400, 5000, 5000), Mono::default()), Change::Lost);
    }

    #[test]
    fn a_branch_with_a_hole_is_ignored() {
        let mut w = window(10);
        let mut holed = branch(0, 99, 11, 13);
        holed.remove(1);
        assert_eq!(w.apply(&holed, Mono::default()), Change::Same);
        assert_eq!(w.tip().unwrap().number, 10);
    }

    #[test]
    fn finality_by_profile() {
        let w = window(30);
        assert_eq!(w.final_height(Finality::Instant, None), Some(30));
        assert_eq!(w.final_height(Finality::Depth(12), None), Some(18));
        assert_eq!(w.final_height(Finality::Depth(31), None), None);
        assert_eq!(w.final_height(Finality::Tag, None), None);
        assert_eq!(w.final_height(Finality::Tag, Some((20, hash(0, 20)))), Some(20));
        assert_eq!(
            w.final_height(Finality::Tag, Some((20, hash(1, 20)))),
            None,
            "a foreign tag is not believed"
        );
    }

    proptest! {
        /// Whatever branches arrive, the window stays hash-linked and its tip is a head it was shown.
        #[test]
        fn stays_linked(moves in prop::collection::vec((0u8..4, 0u64..12, 0u64..6), 1..40)) {
            let mut w = window(20);
            for (fork, back, len) in moves {
                let tip = w.tip().unwrap().number;
                let root = tip.saturating_sub(back);
                let parent = w.at(root).map_or(hash(9, root), |b| b.hash);
                let mut run = Vec::new();
                let mut below = parent;
                for number in root + 1..=root + 1 + len {
                    let mut own = hash(fork, number);
                    own.0[0] ^= below.0[1];
                    run.push(BlockRef { number, hash: own, parent: below, time: Wall::default() });
                    below = own;
                }
                w.apply(&run, Mono::default());
                let blocks: Vec<_> = w.blocks.iter().collect();
                for pair in blocks.windows(2) {
                    prop_assert_eq!(pair[1].parent, pair[0].hash);
                    prop_assert_eq!(pair[1].number, pair[0].number + 1);
                }
                prop_assert!(w.blocks.len() <= w.capacity);
            }
        }
    }
}
