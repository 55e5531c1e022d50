//! What people and machines see of a running publisher: log lines, metrics, health, readiness and status.
//!
//! [`report`] turns a core [`Event`](publisher_core::event::Event) into one structured log line and its metrics;
//! [`notify`] does the same for facts of the shell. [`Health`] is the one place that the driver keeps current and
//! that the HTTP [`Server`] answers from; whether it means *ready* is decided by a pure function.
//!
//! Invariants:
//! - Log and metric macros occur in this folder only, so that the registry of metrics and the table of codes are
//!   complete.
//! - Labels are names from the configuration or from closed enums, never texts: the number of series is bounded.
//! - Nothing here influences what is published.

mod codes;
mod emit;
mod health;
mod log;
mod metrics;
mod notice;
mod readiness;
mod report;
mod samples;
mod serve;
mod status;

pub use codes::{CodeRow, codes, title};
pub use emit::{
    readers_differ, rpc_answered, send_conflicts, stream_ended, stream_heard, venue_answered, venue_limits,
    venue_listed,
};
pub use health::{
    AccountHealth, Clock, ClockHealth, ConstantHealth, FeedHealth, HeadSeen, Health, LoopHealth, NodeHealth,
    SourceHealth, State, StreamHealth,
};
pub use log::{LogError, LogFormat, LogSetup};
pub use metrics::{Entry, Kind, METRICS, Recorder, RecorderError};
pub use notice::{Notice, notify};
pub use readiness::{Failing, Phase, Readiness, readiness};
pub use report::report;
pub use serve::Server;
pub use status::{
    AccountStatus, ClockStatus, ConstantStatus, FeedStatus, HeadStatus, LoopStatus, Loops, NodeStatus,
    SourceStatus, Status, StreamStatus,
};
