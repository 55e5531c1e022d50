//! The whole engine against recorded bodies and hostile servers.

mod fixtures;
