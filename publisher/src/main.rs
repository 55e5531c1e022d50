//! The publisher daemon and its tools.
fn main() {}
