//! Compiles the contracts through foundry-compilers and writes the artifacts that the bindings are made from.
