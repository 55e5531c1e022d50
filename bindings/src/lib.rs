//! Typed Rust bindings of the contracts, made from the committed ABI and bytecode.
