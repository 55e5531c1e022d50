//! The whole engine against recorded bodies, hostile servers and noise.

mod custom;
mod fixtures;
mod hostile;
mod noise;
mod traps;
mod wire;
