//! The chain's own time, from the timestamps of its heads.
//!
//! A heartbeat is a promise in block time: consumers compare `updatedAt` with `block.timestamp`. Measured with this
//! machine's clock, a clock that is an hour ahead would send a round with every block, and one that is an hour behind
//! would send none for an hour. A block arrives after its own time, so the latest head's time plus the time waited
//! since is the chain's time as soon as heads are seen to follow one another: of the latest few, the one that arrived
//! soonest tells best, and a block with a time of fancy, or of a branch that was left unseen, is outlived. Until heads
//! follow one another, when the only one known may be old, the wall clock is believed if it says later.

use crate::time::{Mono, Now, Wall};
use std::collections::VecDeque;

/// So many of the latest heads are compared.
const HEADS: usize = 8;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct ChainClock {
    /// Each head's time and when it arrived.
    heads: VecDeque<(Wall, Mono)>,
    moving: bool,
}

impl ChainClock {
    /// A head that follows one seen before, or, at first, any.
    pub fn extended(&mut self, time: Wall, at: Mono) {
        self.moving = !self.heads.is_empty();
        if self.heads.len() == HEADS {
            self.heads.pop_front();
        }
        self.heads.push_back((time, at));
    }

    /// A head that took the place of others: whatever time those claimed is forgotten.
    pub fn replaced(&mut self, time: Wall, at: Mono) {
        *self = Self { heads: VecDeque::from([(time, at)]), moving: false };
    }

    /// The time that a block made now would carry.
    pub fn time(&self, now: Now) -> Wall {
        let chain = self.heads.iter().map(|(time, seen)| *time + now.mono.since(*seen)).max();
        match chain {
            Some(chain) if self.moving => chain,
            Some(chain) => chain.max(now.wall),
            None => now.wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(clock: &ChainClock, wall_s: u64, mono_s: u64) -> u64 {
        let now = Now { wall: Wall::from_s(wall_s), mono: Mono::from_ms(mono_s * 1000) };
        u64::try_from(clock.time(now).ms() / 1000).unwrap()
    }

    #[test]
    fn moving_heads_overrule_a_wrong_wall_clock_and_a_lone_old_head_does_not() {
        let mut clock = ChainClock::default();
        assert_eq!(time(&clock, 5_000, 0), 5_000);
        clock.extended(Wall::from_s(1_000), Mono::from_ms(10_000));
        assert_eq!(time(&clock, 5_000, 10), 5_000, "the chain may have been idle for an hour");
        assert_eq!(time(&clock, 500, 13), 1_003, "but it is never earlier than its head");
        clock.extended(Wall::from_s(1_002), Mono::from_ms(12_500));
        assert_eq!(time(&clock, 5_000, 13), 1_003);
        assert_eq!(time(&clock, 500, 13), 1_003);
        // An outage: a head that was made early in it says nothing about its end.
        clock.extended(Wall::from_s(1_010), Mono::from_ms(600_000));
        assert_eq!(time(&clock, 500, 600), 1_590);
        // A bogus head of next year that is replaced leaves nothing behind.
        clock.extended(Wall::from_s(90_000), Mono::from_ms(601_000));
        assert_eq!(time(&clock, 1_591, 601), 90_000);
        clock.replaced(Wall::from_s(1_592), Mono::from_ms(602_000));
        assert_eq!(time(&clock, 1_000, 602), 1_592);
        clock.extended(Wall::from_s(1_594), Mono::from_ms(604_000));
        assert_eq!(time(&clock, 9_000, 605), 1_595);
    }
    #[test]
    fn a_time_of_fancy_is_outlived_without_a_reorg_that_anybody_saw() {
        let mut clock = ChainClock::default();
        for second in 0..10 {
            clock.extended(Wall::from_s(1_000 + second), Mono::from_ms(second * 1000));
        }
        // From here on the chain is ten seconds behind what it was: its younger blocks were replaced before we saw
        // them, or one validator's clock was ahead.
        for second in 10..40 {
            clock.extended(Wall::from_s(990 + second), Mono::from_ms(second * 1000));
        }
        assert_eq!(time(&clock, 5_000, 40), 1_030);
        // A head that arrives late changes nothing.
        clock.extended(Wall::from_s(1_031), Mono::from_ms(60_000));
        assert_eq!(time(&clock, 5_000, 60), 1_050);
    }
}
