//! The one place that reads clocks.

use publisher_core::time::{Mono, Now, Wall};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The monotonic clock starts here, so that "a long time ago" can be named when a process is young.
const START_MS: u64 = 86_400_000;

/// Wall and monotonic time, read together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Duration,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    #[expect(
        clippy::new_without_default,
        reason = "a clock starts when it is made, which no default should hide"
    )]
    pub fn new() -> Self {
        Self { start: since_boot() }
    }

    /// Both times.
    pub fn now(&self) -> Now {
        let waited = since_boot().saturating_sub(self.start);
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX / 2);
        Now { wall: wall(), mono: Mono::from_ms(START_MS.saturating_add(waited)) }
    }
}

/// Civil time now.
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Time since the machine was started, suspended or not: a lease and a quote grow old while a machine sleeps, which the
/// clock behind [`Instant`](std::time::Instant) does not notice.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}
