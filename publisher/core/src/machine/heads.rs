//! What a new head means: extension, reorg, rollback, a gap to fill, finality reached or violated.

use super::Machine;
use super::contract::Contract;
use crate::event::Event;
use crate::head::{Change, Finality, Standing};
use crate::io::{Effect, Ticket};
use crate::record::{Record, Scope};
use crate::time::{Now, Span};
use crate::tx::BlockRef;
use alloy_primitives::B256;

/// Ancestors are asked for in runs of this many.
const ANCESTORS: u64 = 32;
/// Never for more than this many at once …
pub(super) const ANCESTORS_MAX: u64 = 128;
/// … and for no fewer than this, however often a node has failed to answer for more.
const ANCESTORS_MIN: u64 = 4;
/// A head that does not move for this many block times has stalled.
const STALL_BLOCKS: u64 = 5;

impl Machine {
    /// A branch whose last block is the polled head.
    pub(super) fn polled(&mut self, branch: &[BlockRef], now: Now, out: &mut Vec<Effect>) {
        // A node that has lost blocks which are final, as one does that was killed, is behind until it has them again
        // or shows others. Only those others could say that finality did not hold.
        let is_behind = |head: &&BlockRef| {
            let ours = self.window.at(head.number).is_some_and(|ours| ours.hash == head.hash);
            ours && self.highest_final.is_some_and(|height| head.number < height)
        };
        if branch.last().as_ref().is_some_and(is_behind) {
            return;
        }
        // If the window is lost, nothing else remembers that a final block was another one.
        let replaced = branch.iter().find_map(|block| {
            let ours = self.window.at(block.number).filter(|ours| ours.hash != block.hash)?;
            let is_final = self.highest_final.is_some_and(|height| block.number <= height);
            is_final.then_some((block.number, Some(ours.hash), Some(block.hash)))
        });
        let change = self.window.apply(branch, now.mono);
        let tip = self.window.tip().copied();
        if matches!(change, Change::Extended | Change::Reorged { .. } | Change::Lost) {
            // What is being asked for is no longer needed, unless it deepens the window.
            self.fetching.take_if(|f| !f.what.is_empty());
        }
        match (change, tip) {
            (Change::Extended, Some(tip)) => self.clock.extended(tip.time, now.mono),
            (Change::Reorged { .. } | Change::Lost, Some(tip)) => self.clock.replaced(tip.time, now.mono),
            _ => {}
        }
        match change {
            Change::Same | Change::Lagging => {}
            Change::Extended => self.head_moved(now, out),
            Change::Reorged { ancestor, depth } => {
                let to = tip.map_or(ancestor, |b| b.number);
                out.push(Effect::Report(Event::Reorged { depth, from: ancestor.saturating_add(depth), to }));
                if let Some((number, expected, found)) = replaced {
                    self.finality_violated(number, expected, found, now, out);
                }
                self.forget_above(ancestor, now, out);
                self.head_moved(now, out);
            }
            Change::Unlinked { number, hash } => self.fetch_ancestors(branch, number, hash, now, out),
            Change::Lost => {
                let tip = tip.map_or(0, |b| b.number);
                out.push(Effect::Report(Event::WindowLost { tip }));
                if let Some((number, expected, found)) = replaced {
                    self.finality_violated(number, expected, found, now, out);
                }
                // Nothing we believed about blocks holds any more; the journal's last final block tells whether
                // finality held.
                self.anchored = self.anchor.is_none();
                self.highest_final = None;
                self.forget_above(0, now, out);
                self.head_moved(now, out);
            }
        }
    }

    fn fetch_ancestors(
        &mut self,
        branch: &[BlockRef],
        number: u64,
        hash: B256,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.fetching.as_ref().is_some_and(|f| now.mono < f.deadline && !f.what.is_empty()) {
            return;
        }
        let gap = number.saturating_sub(self.window.tip().map_or(0, |t| t.number));
        let count = gap.max(ANCESTORS).min(self.ancestors_at_once).min(number.saturating_add(1));
        let asked = self.ask(now, branch.to_vec());
        out.push(Effect::FetchAncestors { ticket: asked.ticket, number, hash, count });
        self.fetching = Some(asked);
    }

    /// Asks for older blocks until the window holds all that may still be replaced.
    fn deepen(&mut self, now: Now, out: &mut Vec<Effect>) {
        let asking = self.fetching.as_ref().is_some_and(|f| now.mono < f.deadline);
        let (Some((number, hash, count)), false) = (self.window.missing(), asking) else { return };
        let asked = self.ask(now, Vec::new());
        let count = count.min(self.ancestors_at_once);
        out.push(Effect::FetchAncestors { ticket: asked.ticket, number, hash, count });
        self.fetching = Some(asked);
    }

    /// Missing ancestors arrived: link the whole branch, or ask for more. A slow node that could not answer for so many in
    /// time is asked for half at once, because every block that passes meanwhile makes the gap larger.
    pub(super) fn ancestors(
        &mut self,
        ticket: Ticket,
        blocks: Option<Vec<BlockRef>>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(asked) = self.fetching.take_if(|f| f.ticket == ticket) else { return };
        let is_deepening = asked.what.is_empty();
        let branch = match blocks.filter(|b| !b.is_empty()) {
            Some(blocks) => {
                self.ancestors_at_once = (self.ancestors_at_once * 2).min(ANCESTORS_MAX);
                if is_deepening {
                    self.window.deepen(&blocks);
                }
                [blocks, asked.what].concat()
            }
            None if self.ancestors_at_once > ANCESTORS_MIN => {
                self.ancestors_at_once = (self.ancestors_at_once / 2).max(ANCESTORS_MIN);
                asked.what
            }
            None => return,
        };
        if is_deepening {
            self.deepen(now, out);
        } else {
            self.polled(&branch, now, out);
        }
    }

    /// Everything learnt from blocks above `ancestor` is to be learnt again.
    fn forget_above(&mut self, ancestor: u64, now: Now, out: &mut Vec<Effect>) {
        let accounts: Vec<_> = self.outboxes.keys().copied().collect();
        for account in accounts {
            let orphaned = self
                .outboxes
                .get_mut(&account)
                .map(|outbox| outbox.reorged(ancestor, now, out))
                .unwrap_or_default();
            for (nonce, receipt) in orphaned {
                self.orphaned(account, nonce, receipt.hash, out);
            }
        }
        let is_gone = |contract: &Contract| {
            contract.known.is_some_and(|(_, number, hash)| {
                number > ancestor || self.window.standing(number, hash) == Standing::Orphaned
            })
        };
        let gone: Vec<_> = self.contracts.iter().filter(|(_, c)| is_gone(c)).map(|(at, _)| *at).collect();
        gone.into_iter().for_each(|contract| self.forget(contract));
        self.follow();
    }

    fn finality_violated(
        &mut self,
        number: u64,
        expected: Option<B256>,
        found: Option<B256>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        out.push(Effect::Report(Event::FinalityViolated { number, expected, found }));
        if self.halted.is_none() {
            let reason = format!("block {number} counted as final and was replaced");
            self.halted = Some(reason.clone());
            let record = Record::Halted { scope: Scope::Chain, reason: reason.clone(), at: now.wall };
            out.push(Effect::Persist(vec![record]));
            out.push(Effect::Report(Event::Halted { scope: Scope::Chain, reason }));
        }
    }

    fn head_moved(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.last_head = now.mono;
        if self.stalled {
            self.stalled = false;
            let number = self.window.tip().map_or(0, |b| b.number);
            out.push(Effect::Report(Event::HeadMoving { number }));
        }
        self.check_anchor(now, out);
        for outbox in self.outboxes.values_mut() {
            outbox.new_head();
        }
        self.hurry();
        self.deepen(now, out);
        self.finalise(now, out);
        self.consider_all(now, out);
    }

    /// Hurries what is on its way with an answer that the value has left meanwhile.
    fn hurry(&mut self) {
        let feeds = &self.feeds;
        for ((account, nonce), flight) in &self.flights {
            let mut answers = flight.answers.iter().filter_map(|(id, said)| Some((feeds.get(id)?, said.0)));
            if answers.any(|(feed, pending)| feed.has_left(pending))
                && let Some(outbox) = self.outboxes.get_mut(account)
            {
                outbox.hurry(*nonce);
            }
        }
    }

    /// Closes what has become final, unless finality itself is in doubt.
    pub(super) fn finalise(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.halted.is_some() {
            return;
        }
        let Some(height) = self.window.final_height(self.chain.finality, self.tagged) else { return };
        let height = self.highest_final.map_or(height, |known| known.max(height));
        self.highest_final = Some(height);
        let accounts: Vec<_> = self.outboxes.keys().copied().collect();
        for account in accounts {
            let Some(outbox) = self.outboxes.get_mut(&account) else { continue };
            for (intent, receipt, outcome) in outbox.finalise(height, now, out) {
                if self.anchor.is_none_or(|(number, _)| receipt.block_number > number) {
                    self.anchor = Some((receipt.block_number, receipt.block_hash));
                }
                self.closed(account, &intent, Some(receipt), outcome, now, out);
            }
        }
        self.follow();
    }

    /// After a restart, and after losing the window: is the last final block of ours still there?
    fn check_anchor(&mut self, now: Now, out: &mut Vec<Effect>) {
        let asking = self.anchoring.as_ref().is_some_and(|a| now.mono < a.deadline);
        let (Some((number, hash)), false, false) = (self.anchor, self.anchored, asking) else { return };
        let asked = self.ask(now, (number, hash));
        out.push(Effect::FetchBlockHash { ticket: asked.ticket, number });
        self.anchoring = Some(asked);
    }

    /// The node's word on the anchor. A node that has no such block yet is behind, not in violation.
    pub(super) fn anchor_hash(
        &mut self,
        ticket: Ticket,
        hash: Option<B256>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(asked) = self.anchoring.as_mut().filter(|a| a.ticket == ticket) else { return };
        let (number, expected) = asked.what;
        asked.deadline = now.mono + self.chain.timing.retry;
        match hash {
            Some(found) if found == expected => self.anchored = true,
            Some(found) => {
                self.anchored = true;
                self.finality_violated(number, Some(expected), Some(found), now, out);
            }
            None => {}
        }
    }

    /// Says once that heads stand still. Nothing is bumped meanwhile, because bumps count heads.
    pub(super) fn watch_heads(&mut self, now: Now, out: &mut Vec<Effect>) {
        let silent = now.mono.since(self.last_head);
        let patience = self.chain.block_time.times(STALL_BLOCKS).ms().max(10_000);
        if !self.stalled && silent > Span::from_ms(patience) {
            self.stalled = true;
            let number = self.window.tip().map_or(0, |b| b.number);
            out.push(Effect::Report(Event::HeadStalled { for_span: silent, number }));
        }
        if self.chain.finality == Finality::Tag {
            // A tag can move without a new head.
            self.finalise(now, out);
        }
        self.check_anchor(now, out);
    }
}
