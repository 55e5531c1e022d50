//! Sixteen exchanges, two aggregators, two sources of currencies and one made-up API, served from one loopback port in
//! their real wire formats.
//!
//! One server carries a path prefix per venue, so a base URL is all a client has to change. The prices come
//! from one [`Market`]: set by hand, moved along a scripted path, or walking at random from a seed. Every venue
//! can be made to fail by a [`Fault`], and every price that was served is kept (bounded), so that a test can
//! work out the right answer without asking the program under test.
//!
//! Invariants: `bid <= last <= ask`, symmetric around the last price, unless a fault says otherwise; the last
//! price is the set price digit by digit; the venue's clock is the machine's.
//!
//! The exchanges are served over WebSocket as well, each in its own protocol under the path of its own streams.
//!
//! Each venue keeps its own limits ([`Limits`]): it counts what it is asked, over HTTP and over WebSocket, says what is left
//! where the venue says so, and refuses what is more, in the venue's own words.
//!
//! Deliberately absent: whole order books, and accounts (any key is a good one).

mod answer;
mod binance;
mod bitfinex;
mod bitget;
mod bitstamp;
mod budget;
mod bybit;
mod coinbase;
mod coingecko;
mod coinmarketcap;
mod control;
mod crypto_com;
mod custom;
mod deliver;
mod desk;
mod ecb;
mod fault;
mod gate;
mod gemini;
mod htx;
mod kraken;
mod kucoin;
mod limits;
mod lists;
mod market;
mod mexc;
mod okx;
mod pair;
mod prices;
mod record;
mod refusal;
mod row;
mod stream;
mod tiingo;
mod upbit;

use std::io;
use std::net::SocketAddr;

pub use budget::{Kept, Limits};
pub use fault::Fault;
pub use market::{Market, Refused};
pub use pair::{NotAPair, Pair, UnknownVenue, Venue};
pub use prices::{Step, Walk};
pub use record::Served;
pub use stream::StreamFault;

use crate::loopback::Server;
use crate::tls::Tls;

/// What the simulator starts with.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Loopback address; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Markets and their first prices, such as `("BTC/USD", "67000.12")`. For each `X/USD` an `X/USDT` is
    /// listed too; until it gets a price of its own it is `X/USD` over `USDT/USD`.
    pub prices: Vec<(String, String)>,
    /// Most served prices remembered; the oldest go first.
    pub served_max: usize,
    /// Whether the venues hold clients to their limits.
    pub limits: Limits,
}

impl Default for SimConfig {
    /// BTC, ETH and USDT in USD (and the former two in USDT, at a tether of exactly one dollar).
    fn default() -> Self {
        let prices = [("BTC/USD", "67000.00"), ("ETH/USD", "3500.00"), ("USDT/USD", "1.0000")];
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            prices: prices.map(|(pair, price)| (pair.to_owned(), price.to_owned())).to_vec(),
            served_max: 65_536,
            limits: Limits::On,
        }
    }
}

/// The running venues. They stop when this is dropped.
#[derive(Debug)]
pub struct VenueSimulator {
    server: Server,
    market: Market,
}

impl VenueSimulator {
    /// Starts serving. A pair or price that does not parse, and an address that is not loopback, are
    /// `InvalidInput`.
    pub async fn start(config: SimConfig) -> io::Result<Self> {
        let market = Market::new(config.served_max, config.limits);
        for (pair, price) in &config.prices {
            market.set_price(pair, price).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        }
        let server = Server::start(config.bind, deliver::router(market.clone())).await?;
        Ok(Self { server, market })
    }

    /// The URL that stands for the venue's host, without a trailing slash: `http://127.0.0.1:PORT/kraken`.
    pub fn base_url(&self, venue: Venue) -> String {
        format!("http://{}/{venue}", self.server.address())
    }

    /// The same for its WebSocket: `ws://127.0.0.1:PORT/kraken`.
    pub fn stream_url(&self, venue: Venue) -> String {
        format!("ws://{}/{venue}", self.server.address())
    }

    /// The URL under which `/prices`, `/price`, `/walk`, `/fault` and their like are driven by hand.
    pub fn control_url(&self) -> String {
        format!("http://{}/control", self.server.address())
    }

    /// The same venues behind TLS, good or bad, on a port of their own (0 takes a free one), for as long as the server is
    /// kept. What stands for a venue's host is `https://localhost:PORT/kraken`, or `wss:` for its WebSocket.
    pub async fn behind(&self, tls: Tls, port: u16) -> io::Result<Server> {
        let bind = SocketAddr::from(([127, 0, 0, 1], port));
        Server::start_tls(tls, bind, deliver::router(self.market.clone())).await
    }

    /// The handle on prices, faults and records. Clones act on the same market.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Stops, and returns once the port is closed.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[cfg(test)]
mod tests;
