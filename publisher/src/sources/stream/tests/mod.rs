mod fixtures;
mod fuzz;
mod rig;
mod session;
mod traps;
mod wire;
