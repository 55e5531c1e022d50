//! The oracle publisher for operators of EVM networks.
