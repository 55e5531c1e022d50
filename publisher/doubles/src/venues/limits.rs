//! What each venue allows, as data: how much may be asked in which time, what a request costs, what headers say of it,
//! and how it refuses who goes on.
//!
//! Numbers are those of the venues' documentation, per address and without a key; where it has none, those that are
//! known to work. A venue that is said to take "about" so many is taken at its word.

use super::pair::Venue;

const S: u64 = 1_000;
const MINUTE: u64 = 60 * S;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// One limit of a venue's HTTP interface.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Units in each period.
    pub(crate) capacity: u64,
    pub(crate) per_ms: u64,
    pub(crate) counts: Counts,
    /// By path; everything else costs one unit.
    pub(crate) costs: &'static [Cost],
    /// Names and values, with `{used}`, `{limit}`, `{left}`, `{reset_ms}` (until the period ends), `{free_at_ms}` and
    /// `{free_at_s}` (when something is left again, which is now if something is) to be filled in.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) refusal: Refuses,
}

/// How use is forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counts {
    /// All at once when the period ends, which is when the clock says so.
    Window,
    /// Evenly.
    Draining,
}

/// What requests under a path cost: so much for so many symbols at most, fewest first, and for more, or without any.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) path: &'static str,
    pub(crate) symbols: &'static [(usize, u64)],
    pub(crate) all: u64,
}

/// How a venue says that it is too much.
#[derive(Debug)]
pub(crate) struct Refuses {
    /// HTTP status; the body is the venue's own.
    pub(crate) status: u16,
    /// Whether it says when to come back.
    pub(crate) retry_after: bool,
    /// Nothing is answered for so long, if that is more than the rest of the period.
    pub(crate) closed_ms: u64,
    /// Who goes on is shut out.
    pub(crate) ban: Option<Ban>,
}

/// Being shut out, after so many refusals within one period.
#[derive(Debug)]
pub(crate) struct Ban {
    pub(crate) after: u32,
    pub(crate) status: u16,
    pub(crate) ms: u64,
}

/// Limits of a venue's WebSocket: numbers in so many milliseconds, all of which hold. Nothing is stated where a list is
/// empty.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// Attempts to connect; what is more is answered with 429.
    pub(crate) connects: &'static [(usize, u64)],
    /// Messages of one connection.
    pub(crate) messages: &'static [(usize, u64)],
    /// Whether pings and pongs of the WebSocket itself are messages.
    pub(crate) counts_pings: bool,
    /// Markets of one connection.
    pub(crate) markets_max: usize,
    /// Length of one message.
    pub(crate) message_max_bytes: usize,
    /// Length of all requests of a connection together.
    pub(crate) said_max_bytes: usize,
}

const PLAIN: Limit = Limit {
    capacity: 0,
    per_ms: S,
    counts: Counts::Window,
    costs: &[],
    headers: &[],
    refusal: Refuses { status: 429, retry_after: false, closed_ms: 0, ban: None },
};

const SAYS_WHEN: Refuses = Refuses { retry_after: true, ..PLAIN.refusal };

const OPEN: Sockets = Sockets {
    connects: &[],
    messages: &[],
    counts_pings: false,
    markets_max: usize::MAX,
    message_max_bytes: usize::MAX,
    said_max_bytes: usize::MAX,
};

const BINANCE: [Cost; 6] = [
    Cost { path: "/api/v3/ticker/24hr", symbols: &[(20, 2), (100, 40)], all: 80 },
    Cost { path: "/api/v3/ticker/bookTicker", symbols: &[(1, 2)], all: 4 },
    Cost { path: "/api/v3/ticker/price", symbols: &[(1, 2)], all: 4 },
    Cost { path: "/api/v3/exchangeInfo", symbols: &[], all: 20 },
    Cost { path: "/api/v3/ping", symbols: &[], all: 1 },
    Cost { path: "/api/v3/time", symbols: &[], all: 1 },
];

/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits>: 429 says when to come back, who goes on
/// is banned for two minutes to three days.
const fn binance(capacity: u64) -> Limit {
    Limit {
        capacity,
        per_ms: MINUTE,
        costs: &BINANCE,
        headers: &[("x-mbx-used-weight", "{used}"), ("x-mbx-used-weight-1m", "{used}")],
        refusal: Refuses { ban: Some(Ban { after: 10, status: 418, ms: 2 * MINUTE }), ..SAYS_WHEN },
        ..PLAIN
    }
}

/// A hundred coins cost one credit.
const COINMARKETCAP: [Cost; 1] =
    [Cost { path: "/v2/cryptocurrency/quotes/latest", symbols: &[(100, 1), (200, 2)], all: 3 }];

/// The limits of a venue's HTTP interface.
pub(crate) fn of(venue: Venue) -> &'static [Limit] {
    match venue {
        Venue::Binance => const { &[binance(6_000)] },
        Venue::BinanceUs => const { &[binance(1_200)] },
        // Ten a second, in bursts of up to fifteen.
        Venue::Coinbase => {
            const { &[Limit { capacity: 15, per_ms: 1_500, counts: Counts::Draining, ..PLAIN }] }
        }
        // About one a second; refused with status 200.
        Venue::Kraken => {
            const {
                &[Limit {
                    capacity: 60,
                    per_ms: MINUTE,
                    refusal: Refuses { status: 200, ..PLAIN.refusal },
                    ..PLAIN
                }]
            }
        }
        Venue::Bitstamp => {
            const { &[Limit { capacity: 400, ..PLAIN }, Limit { capacity: 8_000, per_ms: 10 * MINUTE, ..PLAIN }] }
        }
        Venue::Okx => const { &[Limit { capacity: 20, per_ms: 2 * S, ..PLAIN }] },
        // <https://bybit-exchange.github.io/docs/v5/rate-limit>: 403 for ten minutes at once.
        Venue::Bybit => {
            const {
                &[Limit {
                    capacity: 600,
                    per_ms: 5 * S,
                    headers: &[
                        ("x-bapi-limit", "{limit}"),
                        ("x-bapi-limit-status", "{left}"),
                        ("x-bapi-limit-reset-timestamp", "{free_at_ms}"),
                    ],
                    refusal: Refuses {
                        ban: Some(Ban { after: 0, status: 403, ms: 10 * MINUTE }),
                        ..PLAIN.refusal
                    },
                    ..PLAIN
                }]
            }
        }
        // <https://www.kucoin.com/docs-new/rate-limit>
        Venue::Kucoin => {
            const {
                &[Limit {
                    capacity: 2_000,
                    per_ms: 30 * S,
                    costs: &[
                        Cost { path: "/api/v1/market/allTickers", symbols: &[], all: 15 },
                        Cost { path: "/api/v2/symbols", symbols: &[], all: 4 },
                        Cost { path: "/api/v1/bullet-public", symbols: &[], all: 10 },
                    ],
                    headers: &[
                        ("gw-ratelimit-limit", "{limit}"),
                        ("gw-ratelimit-remaining", "{left}"),
                        ("gw-ratelimit-reset", "{reset_ms}"),
                    ],
                    ..PLAIN
                }]
            }
        }
        // <https://www.gate.com/docs/developers/apiv4/#frequency-limit-rule>
        Venue::Gate => {
            const {
                &[Limit {
                    capacity: 200,
                    per_ms: 10 * S,
                    headers: &[
                        ("x-gate-ratelimit-limit", "{limit}"),
                        ("x-gate-ratelimit-requests-remain", "{left}"),
                        ("x-gate-ratelimit-reset-timestamp", "{free_at_s}"),
                    ],
                    ..PLAIN
                }]
            }
        }
        // Who asks more is left without an answer for up to a minute: <https://www.bitfinex.com/posts/188>.
        Venue::Bitfinex => {
            const {
                &[Limit {
                    capacity: 30,
                    per_ms: MINUTE,
                    refusal: Refuses { closed_ms: MINUTE, ..PLAIN.refusal },
                    ..PLAIN
                }]
            }
        }
        Venue::Gemini => const { &[Limit { capacity: 120, per_ms: MINUTE, ..PLAIN }] },
        Venue::CryptoCom => const { &[Limit { capacity: 100, ..PLAIN }] },
        Venue::Mexc => {
            const {
                &[Limit {
                    capacity: 500,
                    per_ms: 10 * S,
                    costs: &[
                        Cost { path: "/api/v3/ticker/24hr", symbols: &[(1, 1)], all: 40 },
                        Cost { path: "/api/v3/exchangeInfo", symbols: &[], all: 10 },
                    ],
                    ..PLAIN
                }]
            }
        }
        Venue::Htx => const { &[Limit { capacity: 10, ..PLAIN }] },
        Venue::Bitget => const { &[Limit { capacity: 10, ..PLAIN }] },
        // <https://docs.upbit.com/kr/docs/rate-limits>: who goes on after 429 is banned, for longer each time; the
        // number by the minute means nothing any more.
        Venue::Upbit => {
            const {
                &[Limit {
                    capacity: 10,
                    headers: &[("remaining-req", "group=ticker; min=1800; sec={left}")],
                    refusal: Refuses {
                        ban: Some(Ban { after: 10, status: 418, ms: MINUTE }),
                        ..PLAIN.refusal
                    },
                    ..PLAIN
                }]
            }
        }
        // A demo plan's calls and credits.
        Venue::Coingecko => {
            const {
                &[
                    Limit { capacity: 30, per_ms: MINUTE, refusal: SAYS_WHEN, ..PLAIN },
                    Limit { capacity: 10_000, per_ms: 30 * DAY, ..PLAIN },
                ]
            }
        }
        Venue::Coinmarketcap => {
            const {
                &[
                    Limit { capacity: 30, per_ms: MINUTE, ..PLAIN },
                    Limit { capacity: 10_000, per_ms: 30 * DAY, costs: &COINMARKETCAP, ..PLAIN },
                ]
            }
        }
        Venue::Tiingo => {
            const {
                &[
                    Limit { capacity: 50, per_ms: HOUR, ..PLAIN },
                    Limit { capacity: 1_000, per_ms: DAY, ..PLAIN },
                ]
            }
        }
        Venue::Ecb => const { &[Limit { capacity: 60, per_ms: HOUR, refusal: SAYS_WHEN, ..PLAIN }] },
        // Nobody has stated any for an interface that is made up.
        Venue::Custom => &[],
    }
}

/// The limits of a venue's WebSocket.
pub(crate) fn of_sockets(venue: Venue) -> Sockets {
    match venue {
        // Eight a second, in bursts of up to twenty: <https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits>.
        Venue::Coinbase => Sockets { connects: &[(20, 2_500)], messages: &[(100, S)], ..OPEN },
        // About so many in any ten minutes: <https://docs.kraken.com/api/docs/guides/spot-ws-intro>.
        Venue::Kraken => Sockets { connects: &[(150, 10 * MINUTE)], ..OPEN },
        Venue::Binance | Venue::BinanceUs => Sockets {
            connects: &[(300, 5 * MINUTE)],
            messages: &[(5, S)],
            counts_pings: true,
            markets_max: 1_024,
            ..OPEN
        },
        Venue::Okx => Sockets {
            connects: &[(3, S)],
            messages: &[(3, S), (480, HOUR)],
            message_max_bytes: 65_536,
            ..OPEN
        },
        Venue::Bybit => Sockets { connects: &[(500, 5 * MINUTE)], said_max_bytes: 21_000, ..OPEN },
        Venue::Kucoin => {
            Sockets { connects: &[(30, MINUTE)], messages: &[(100, 10 * S)], markets_max: 300, ..OPEN }
        }
        Venue::Bitfinex => Sockets { connects: &[(20, MINUTE)], markets_max: 25, ..OPEN },
        Venue::CryptoCom => Sockets { messages: &[(100, S)], markets_max: 400, ..OPEN },
        Venue::Mexc => Sockets { messages: &[(100, S)], markets_max: 30, ..OPEN },
        Venue::Bitget => {
            Sockets { connects: &[(300, 5 * MINUTE)], messages: &[(10, S)], markets_max: 1_000, ..OPEN }
        }
        Venue::Upbit => Sockets { connects: &[(5, S)], messages: &[(5, S), (100, MINUTE)], ..OPEN },
        _ => OPEN,
    }
}

impl Limit {
    /// What a request costs for so many symbols, or without any in it.
    pub(crate) fn cost(&self, path: &str, symbols: Option<usize>) -> u64 {
        let Some(cost) = self.costs.iter().find(|cost| cost.path == path) else { return 1 };
        let fits = |(max, _): &&(usize, u64)| symbols.is_some_and(|count| count <= *max);
        cost.symbols.iter().find(fits).map_or(cost.all, |(_, units)| *units)
    }
}
