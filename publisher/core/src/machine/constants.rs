//! Constants that end: people are told a month before, and again on the day.

use super::Machine;
use crate::event::Event;
use crate::io::Effect;
use crate::time::{Now, Span};

impl Machine {
    pub(super) fn watch_constants(&mut self, now: Now, out: &mut Vec<Effect>) {
        for (id, constant) in self.book.constants() {
            let Some(ends_in) = constant.ends_in(now.wall) else { continue };
            let is_over = ends_in == Span::ZERO;
            if self.constants_told.insert(id.clone(), is_over) == Some(is_over) {
                continue;
            }
            let rate = id.clone();
            out.push(Effect::Report(match is_over {
                true => Event::ConstantOver { rate },
                false => Event::ConstantEnds { rate, ends_in },
            }));
        }
    }
}
