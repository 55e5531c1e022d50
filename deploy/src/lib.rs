//! Plans the rollout of the contracts: what a configuration wants, what the chain has, and the steps between them.
