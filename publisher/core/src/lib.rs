//! The pure, synchronous core of the publisher: it decides everything and does no I/O.
