//! The whole engine against recorded bodies, hostile servers and noise.

mod custom;
mod fixtures;
mod headers;
mod hostile;
mod limits;
mod noise;
mod traps;
mod ways;
mod wire;

/// A venue over HTTP, to which tests add a stream.
pub(super) const VENUE: &str = r#"
    id = "mine"
    about = "A venue of the tests."
    hosts = ["https://example.com"]
    every = "2s"
    timeout = "5s"
    body_max_bytes = 8_388_608
    no_time_penalty = "1s"
    [request]
    path = "/"
    [answer]
    rows = "$"
    key = "s"
    last = "p"
    time_unit = "none"
    [symbols]
    formats = ["{BASE}-{QUOTE}"]
"#;
