//! What the flags on the chain say of feeds that they may put to sleep.

use super::feed::Feed;
use crate::event::Event;
use crate::io::Effect;
use crate::policy::Sleep;
use crate::quote::FeedId;
use crate::tx::Flag;

impl Feed {
    /// Takes note of its flag, as it was read together with its latest round on the canonical chain. A process that has
    /// just begun does not know whether it slept, so that it awakens nobody.
    pub fn heed(&mut self, id: &FeedId, flag: Flag, out: &mut Vec<Effect>) {
        let Some(flags) = self.policy.hibernate_flag else { return };
        let feed = || id.clone();
        let unreadable = flag == Flag::Unreadable;
        if unreadable && !self.flag_reported {
            out.push(Effect::Report(Event::FlagUnreadable { feed: feed(), flags }));
        }
        self.flag_reported = unreadable;
        let after = self.sleep.follow(flag);
        let before = std::mem::replace(&mut self.sleep, after);
        match (before, after) {
            (Sleep::Asleep, Sleep::Awake) => {
                self.memory.awake(self.known.map_or(0, |known| known.round));
                out.push(Effect::Report(Event::Awakened { feed: feed() }));
            }
            (Sleep::Awake | Sleep::Unknown, Sleep::Asleep) => {
                out.push(Effect::Report(Event::Hibernates { feed: feed() }));
            }
            _ => {}
        }
    }
}
