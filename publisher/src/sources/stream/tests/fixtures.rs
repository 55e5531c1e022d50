//! Messages as the venues write them, line by line: what each is, and the one quote among them.

use super::super::session::Kind;
use super::rig::{Rig, START, shipped};
use Kind::{Control, Data};
use publisher_core::price::Price;
use publisher_core::time::Span;

/// A venue, two symbols as its HTTP interface spells them, its messages, what these are, the frames that subscribe,
/// and the quote: bid, ask, last, volume and its time in milliseconds of 2026.
struct Fixture {
    venue: &'static str,
    symbols: [&'static str; 2],
    messages: &'static str,
    kinds: &'static [Kind],
    written: &'static [&'static str],
    quote: [&'static str; 4],
    at_ms: i64,
    /// Markets that are subscribed to after all of them.
    live: usize,
}

const FIXTURES: &[Fixture] = &[
    Fixture {
        venue: "coinbase",
        symbols: ["BTC-USD", "ETH-USD"],
        messages: include_str!("../../../../presets/fixtures/coinbase/stream.jsonl"),
        // A ticker of another market is data of nobody's.
        kinds: &[Control, Control, Data, Data, Data],
        written: &[
            r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["ticker","heartbeat"]}"#,
        ],
        quote: ["67000.11", "67000.13", "67000.12", "245532.79269678"],
        at_ms: 123,
        live: 2,
    },
    Fixture {
        venue: "kraken",
        symbols: ["XBTUSD", "ETHUSD"],
        messages: include_str!("../../../../presets/fixtures/kraken/stream.jsonl"),
        kinds: &[Control, Control, Control, Data, Control, Control],
        // Symbols are in their own order, in which ETH comes first.
        written: &[
            r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD","ETH/USD"],"event_trigger":"bbo"},"req_id":1}"#,
        ],
        quote: ["67000.1", "67000.2", "67000.15", "997038.98383185"],
        at_ms: -1_000,
        live: 1,
    },
    Fixture {
        venue: "binance",
        symbols: ["BTCUSDT", "ETHUSDT"],
        messages: include_str!("../../../../presets/fixtures/binance/stream.jsonl"),
        kinds: &[Control, Data, Control],
        written: &[r#"{"method":"SUBSCRIBE","params":["btcusdt@ticker","ethusdt@ticker"],"id":1}"#],
        quote: ["67000.1", "67000.2", "67000.15", "10000"],
        at_ms: 123,
        live: 2,
    },
    Fixture {
        venue: "bitstamp",
        symbols: ["btcusd", "ETH/USD"],
        messages: include_str!("../../../../presets/fixtures/bitstamp/stream.jsonl"),
        kinds: &[Control, Data, Control, Control],
        written: &[
            r#"{"event":"bts:subscribe","data":{"channel":"order_book_btcusd"}}"#,
            r#"{"event":"bts:subscribe","data":{"channel":"order_book_ethusd"}}"#,
        ],
        quote: ["67000.1", "67000.2", "", ""],
        at_ms: 123,
        live: 1,
    },
    Fixture {
        venue: "okx",
        symbols: ["BTC-USDT", "ETH-USDT"],
        messages: include_str!("../../../../presets/fixtures/okx/stream.jsonl"),
        kinds: &[Control, Control, Control, Data],
        written: &[
            r#"{"op":"subscribe","args":[{"channel":"tickers","instId":"BTC-USDT"},{"channel":"tickers","instId":"ETH-USDT"}]}"#,
        ],
        quote: ["67000.1", "67000.2", "67000.15", "2222"],
        at_ms: 123,
        live: 1,
    },
];

/// Without this a venue's words are read as somebody remembered them.
#[test]
fn every_venues_messages_are_what_they_are() {
    for fixture in FIXTURES {
        let venue = fixture.venue;
        let mut rig = Rig::new(venue, shipped(venue), &fixture.symbols);
        rig.pass(Span::from_ms(500));
        assert_eq!(rig.written, fixture.written, "{venue}");
        rig.now = Default::default();
        let kinds: Vec<_> = fixture.messages.lines().map(|line| rig.hear(line).0).collect();
        assert_eq!(kinds, fixture.kinds, "{venue}");
        let [quote] = &rig.quotes[..] else { panic!("{venue}: {:?}", rig.quotes) };
        let text = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
        assert_eq!([quote.bid, quote.ask, quote.last, quote.base_volume].map(text), fixture.quote, "{venue}");
        assert_eq!(quote.as_of.ms() - START.ms(), fixture.at_ms, "{venue}");
        assert_eq!(&*quote.market.symbol, fixture.symbols[0], "{venue}");
        assert_eq!(rig.session.live(), fixture.live, "{venue}");
    }
}

/// Without this a preset gains a stream that no test has ever heard.
#[test]
fn every_stream_has_its_fixture() {
    let streams = crate::sources::presets().iter().filter(|preset| preset.has_stream());
    for preset in streams {
        assert!(FIXTURES.iter().any(|fixture| fixture.venue == preset.id()), "{}", preset.id());
    }
}
