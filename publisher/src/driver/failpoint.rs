//! Places where a test may kill the process, as if by `kill -9`.
//!
//! Without the feature `failpoints`, which no shipped build has, every point is nothing. With it, the environment
//! variable `PUBLISHER_FAILPOINT=name` or `name:3` aborts the process the first or third time it gets there.

/// The points, in the order in which one round passes them.
pub const POINTS: [&str; 11] = [
    "recovered",
    "after_look",
    "before_intent",
    "after_intent",
    "after_signature",
    "after_attempt",
    "after_broadcast",
    "after_answer",
    "before_inclusion",
    "after_inclusion",
    "after_closing",
];

/// The process dies here if it was told to.
#[cfg(feature = "failpoints")]
pub(super) fn hit(point: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static HITS: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("PUBLISHER_FAILPOINT") else { return };
    let (name, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if name == point {
        let seen = HITS.fetch_add(1, Ordering::SeqCst) + 1;
        if nth.parse() == Ok(seen) {
            std::process::abort();
        }
    }
}

/// The process does not die here.
#[cfg(not(feature = "failpoints"))]
pub(super) fn hit(_point: &str) {}
