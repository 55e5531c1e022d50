//! How far back a pool of Uniswap's kind remembers, and whether that will be enough.
//!
//! A pool keeps so many observations in a ring, and adds one in each second in which it has a block with a trade. While
//! few trade, a short ring reaches back for days; once every block has a trade it reaches back for as many blocks, and
//! `observe` reverts in the very hour in which the price moves. So an operator is told ahead.

use alloy::primitives::{Address, U256};
use publisher_core::quote::VenueId;
use publisher_core::time::Span;

/// The words of `slot0` that say where the newest observation is, how many are kept, and how many will be once the ring
/// has come round. Forks (PancakeSwap, Slipstream) differ only in what comes after them.
const WORDS: [usize; 3] = [2, 3, 4];
/// No pool keeps more: it counts them in 16 bits.
const MOST: u64 = 65_535;
/// A pool writes at most one observation in each second that a block may say.
const TICK: Span = Span::from_s(1);

/// What a pool keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pool: Address,
    window: Span,
    newest: u64,
    /// How many observations there are.
    pub(super) count: u64,
    /// How many there will be.
    growing: u64,
    /// How old the oldest one is, once that has been asked; `None`: the pool does not say.
    pub(super) oldest: Option<Option<Span>>,
}

/// Something that works, and will not once its time has come, unless somebody acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caution {
    /// The source's name.
    pub source: VenueId,
    /// What will be wrong, and when.
    pub detail: String,
    /// The call that anybody may make to prevent it.
    pub call: String,
}

impl Kept {
    /// What `slot0` says; `None` if it is too short for a pool's.
    pub(super) fn read(pool: Address, window: Span, slot0: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let word = slot0.get(at * 32..(at + 1) * 32).map(U256::from_be_slice)?;
            u64::try_from(word).ok().filter(|word| *word <= MOST)
        };
        let [newest, count, growing] = WORDS.map(word);
        Some(Self { pool, window, newest: newest?, count: count?, growing: growing?, oldest: None })
    }

    /// The same, once it has been asked how old the oldest is.
    pub(super) fn since(self, oldest: Option<Option<Span>>) -> Self {
        Self { oldest, ..self }
    }

    /// Where the oldest observation is: behind the newest, or, while the ring fills for the first time, in front.
    pub(super) fn oldest_at(&self) -> [u64; 2] {
        [(self.newest + 1).checked_rem(self.count).unwrap_or_default(), 0]
    }

    /// What the window takes if every block trades, where they come so often: the observations within it, the one
    /// before it, and no more than a pool may keep.
    fn needed(&self, block: Span) -> u64 {
        self.window.ms().div_ceil(block.max(TICK).ms()).saturating_add(1).min(MOST)
    }

    /// What will be wrong once every block trades, where they come so often.
    pub(super) fn caution(&self, source: &VenueId, block: Span) -> Option<Caution> {
        let (Self { pool, window, count, .. }, needed) = (self, self.needed(block));
        if self.growing.max(*count) >= needed {
            return None;
        }
        let oldest = self.oldest.flatten().map(|age| format!("; the oldest is {age} old now"));
        let (reach, oldest) = (block.max(TICK).times(count.saturating_sub(1)), oldest.unwrap_or_default());
        Some(Caution {
            source: source.clone(),
            detail: format!(
                "cardinality_low: the pool keeps {count} observations, which reach back {reach} once every block trades, and the window is {window}{oldest}"
            ),
            call: format!("increaseObservationCardinalityNext({needed}) on {pool}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot0(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect()
    }

    fn kept(newest: u64, count: u64, growing: u64) -> Kept {
        let words = [1, 0, newest, count, growing, 0, 1];
        Kept::read(Address::ZERO, Span::from_s(1800), &slot0(&words)).unwrap()
    }

    /// Without this a pool that will forget is not told of, or one that will not is.
    #[test]
    fn a_ring_is_long_enough_for_a_window_in_which_every_block_trades_or_that_is_told() {
        let source = VenueId::new("pool");
        for (block_ms, count, growing, needed) in [
            (12_000, 150, 150, Some(151)),
            (12_000, 151, 151, None),
            (12_000, 1, 151, None),
            (12_000, 1, 1, Some(151)),
            (7_000, 259, 259, None),
            (7_000, 258, 258, Some(259)),
            // Blocks of one second share an observation.
            (250, 1_800, 1_800, Some(1_801)),
            (0, 1_801, 1_801, None),
        ] {
            let caution = kept(0, count, growing).caution(&source, Span::from_ms(block_ms));
            let call = needed.map(|needed: u64| format!("increaseObservationCardinalityNext({needed})"));
            let told = caution.as_ref().map(|caution| caution.call.as_str());
            match (told, call) {
                (Some(told), Some(call)) => assert!(told.contains(&call), "{told}: {call}"),
                (told, call) => assert_eq!((told, call), (None, None), "{block_ms} {count}"),
            }
        }
        let long = Kept { window: Span::from_s(86_400), ..kept(0, 65_535, 65_535) };
        assert_eq!(long.caution(&source, TICK), None, "no pool keeps more");
        let told = Kept { oldest: Some(Some(Span::from_s(7200))), ..kept(9, 60, 60) };
        assert_eq!(
            told.caution(&source, Span::from_s(12)).unwrap().detail,
            "cardinality_low: the pool keeps 60 observations, which reach back 708s once every block trades, and the window is 30m; the oldest is 2h old now"
        );
    }

    /// PancakeSwap has one more field in `slot0` than Uniswap, Slipstream one less, both behind what is read.
    #[test]
    fn slot0_is_read_whatever_a_fork_puts_behind_it_and_nothing_else_is() {
        for words in [6, 7, 8] {
            let data: Vec<u64> = [9, 9, 3, 17, 20].into_iter().chain([9; 3]).take(words).collect();
            let kept = Kept::read(Address::ZERO, TICK, &slot0(&data)).unwrap();
            assert_eq!((kept.newest, kept.count, kept.growing, kept.oldest_at()), (3, 17, 20, [4, 0]));
        }
        assert_eq!(kept(16, 17, 17).oldest_at(), [0, 0]);
        assert_eq!(kept(0, 0, 0).oldest_at(), [0, 0]);
        for other in [slot0(&[1, 2, 3]), Vec::new(), slot0(&[9, 9, 3, 65_536, 0]), vec![0xff; 224]] {
            assert_eq!(Kept::read(Address::ZERO, TICK, &other), None);
        }
    }
}
