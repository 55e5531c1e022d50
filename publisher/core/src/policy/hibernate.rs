//! A feed that sleeps while a contract of flags on its chain says so.
//!
//! Chainlink's flux monitor knows such flags: nothing is published while both are raised, the feed's own and the one for
//! all (the zero address). Ours are read with the feed's round, at the same block. What cannot be read changes nothing:
//! neither is a feed put to sleep by a node's fault, nor awakened.

use crate::tx::Flag;

/// Whether a feed is awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sleep {
    /// It is, or no flag concerns it.
    #[default]
    Awake,
    /// Its flag has not been read since the start. Nothing is decided before.
    Unknown,
    /// It hibernates.
    Asleep,
}

impl Sleep {
    /// What it is after its flag was read.
    pub const fn follow(self, flag: Flag) -> Self {
        match flag {
            Flag::Unwatched | Flag::Unreadable => self,
            Flag::Lowered => Self::Awake,
            Flag::Raised => Self::Asleep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_changes_anything() {
        use Sleep::*;
        for (before, flag, after) in [
            (Unknown, Flag::Unreadable, Unknown),
            (Unknown, Flag::Lowered, Awake),
            (Unknown, Flag::Raised, Asleep),
            (Awake, Flag::Unreadable, Awake),
            (Awake, Flag::Unwatched, Awake),
            (Awake, Flag::Raised, Asleep),
            (Asleep, Flag::Unreadable, Asleep),
            (Asleep, Flag::Raised, Asleep),
            (Asleep, Flag::Lowered, Awake),
        ] {
            assert_eq!(before.follow(flag), after, "{before:?} {flag:?}");
        }
    }
}
