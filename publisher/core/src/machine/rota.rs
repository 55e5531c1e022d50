//! What time alone asks for, a part at a time: with many feeds a quote would wait behind a look at all of them.

use crate::time::{Mono, Span};
use std::ops::Range;

/// So many things are looked at together: a fraction of a millisecond's work.
const PART: usize = 100;
/// Rounds are made in at most so many parts.
const PARTS: usize = 10;

/// Goes round all things, each once in a period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rota {
    next: Mono,
    part: usize,
}

impl Rota {
    /// One whose first part is due at once.
    pub fn new(now: Mono) -> Self {
        Self { next: now, part: 0 }
    }

    /// When the next part is due.
    pub fn next(&self) -> Mono {
        self.next
    }

    /// The part that is due, of so many things, if one is. A part that is late makes the following ones late as well.
    pub fn due(&mut self, things: usize, period: Span, now: Mono) -> Option<Range<usize>> {
        if now < self.next {
            return None;
        }
        let parts = things.div_ceil(PART).clamp(1, PARTS);
        let size = things.div_ceil(parts);
        let begin = self.part.min(parts - 1) * size;
        self.part = (self.part + 1) % parts;
        self.next = now + Span::from_ms(period.ms().div_ceil(parts as u64));
        Some(begin.min(things)..(begin + size).min(things))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Span = Span::from_ms(500);

    /// Without this a feed's heartbeat is looked at late, or never, where there are many feeds.
    #[test]
    fn everything_has_its_turn_once_in_a_period_and_never_much_at_once() {
        for things in [0, 1, 99, 100, 101, 250, 1000, 1001, 12_345] {
            let mut rota = Rota::new(Mono::from_ms(7));
            let mut turns = vec![0; things];
            let mut at = rota.next();
            while at < Mono::from_ms(7) + PERIOD {
                let part = rota.due(things, PERIOD, at).unwrap();
                assert_eq!(rota.due(things, PERIOD, at), None, "a part has one turn");
                assert!(part.len() <= PART.max(things.div_ceil(PARTS)), "{part:?} of {things}");
                turns[part].iter_mut().for_each(|turns| *turns += 1);
                at = rota.next();
            }
            assert!(turns.iter().all(|turns| *turns == 1), "{things}: {turns:?}");
        }
    }

    #[test]
    fn few_things_are_looked_at_together() {
        let mut rota = Rota::new(Mono::from_ms(0));
        assert_eq!(rota.due(100, PERIOD, Mono::from_ms(0)), Some(0..100));
        assert_eq!(rota.due(100, PERIOD, Mono::from_ms(499)), None);
        assert_eq!(rota.due(100, PERIOD, Mono::from_ms(730)), Some(0..100));
        assert_eq!(rota.next(), Mono::from_ms(1230));
    }
}
