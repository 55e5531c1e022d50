mod fixtures;
mod rig;
mod session;
mod wire;
