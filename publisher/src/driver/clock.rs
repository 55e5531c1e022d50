//! The one place that reads clocks.

use publisher_core::time::{Mono, Now, Wall};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock starts here, so that "a long time ago" can be named when a process is young.
const START_MS: u64 = 86_400_000;

/// Wall and monotonic time, read together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    #[expect(
        clippy::new_without_default,
        reason = "a clock starts when it is made, which no default should hide"
    )]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Both times.
    pub fn now(&self) -> Now {
        let waited = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
        Now { wall: wall(), mono: Mono::from_ms(START_MS.saturating_add(waited)) }
    }
}

/// Civil time now.
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
