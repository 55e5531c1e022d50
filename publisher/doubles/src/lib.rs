//! Strict doubles of what the quickstart and the tests cannot have for real: price venues and a remote signer.
