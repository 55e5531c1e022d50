//! Prices from venues: one HTTP-JSON engine and one for WebSockets, driven by presets; and from contracts, read at one
//! block of their chain.
//!
//! A [`Venue`] asks one exchange for all its symbols in one request, or in as few as its limits allow, and turns the
//! answers into one [`Observation`](publisher_core::quote::Observation) per symbol. A [`CustomSource`] does the same
//! for any URL with JSON pointers, a [`Network`] for all contracts of a chain. [`NextPoll`] says when to ask again. A [`Line`] listens to some of a venue's
//! markets over WebSocket, where its preset says how.
//!
//! Invariants: a poll always ends, in bounded time and memory, with an observation for every symbol; a number is
//! exact or it is a fault; a venue's trouble is that venue's only; addresses inside the operator's network are
//! reached only where the operator wrote so.
//!
//! Deliberately absent: code per exchange, tasks and timers (the driver owns them), any judgement of a price
//! beyond its form (gates are the core's), and knowledge of feeds.

mod budgets;
mod civil;
mod custom;
mod decode;
mod fetch;
mod fixtures;
mod format;
mod governor;
mod guard;
mod instruments;
mod key;
mod limits;
mod onchain;
mod pace;
mod path;
mod preset;
mod problem;
mod reach;
mod request;
mod retired;
mod source;
mod stream;
mod symbols;
mod tunnel;
mod venue;
mod way;

pub(crate) use civil::date;
pub use custom::{CUSTOM_SYMBOL, CustomSource};
pub use decode::{TimeUnit, TimeUnitError};
pub use fixtures::{Fixtures, FixturesError, Reading, read as read_body, read_list, record_stream};
pub use guard::{Client, Guard, is_public};
pub use instruments::{Entry, Listed};
pub use key::ApiKey;
pub use onchain::{
    Belief, Believed, Caution, ContractKind, ContractSource, Ema, Growth, Network, NetworkSpec, SourceWord,
    Twap, Watch,
};
pub use pace::NextPoll;
pub use preset::{Preset, preset, presets};
pub use problem::{Problem, SourceSetupError};
pub use retired::{retired_address, retired_asset};
pub use source::Source;
pub use stream::{Cover, End, Enough, Kind, Line, LineState, Polled, Recording, StreamSpec, Told};
pub use symbols::Assets;
pub use venue::{Poll, Venue, VenueSpec};
pub use way::{NoPin, NoProxy, Pin, Proxy, Way};

#[cfg(test)]
mod tests;
