//! Traps of the survey of sources that concern sockets and need none.

use super::super::plan::Plan;
use super::rig::{Rig, START, described, shipped};
use crate::sources::presets;
use publisher_core::aggregate::Rules;
use publisher_core::book::{Book, Path, Pricing};
use publisher_core::quote::{FeedId, MarketId, Observation};
use publisher_core::time::Span;
use std::sync::Arc;

/// Without this a quote that was said earlier and handled later is the last one, as where every message is handled by a
/// task of its own.
#[test]
fn s13_ten_thousand_messages_that_overtake_each_other_end_with_the_one_that_was_said_last() {
    const SAID: u64 = 10_000;
    let stamped = r#"
        [stream.subscribe]
        text = '{"sub":[{symbols}]}'
        each = '"{symbol}"'
        [stream.ping]
        every = "15s"
        [stream.data]
        match = [{ at = "p", is_empty = false }]
        row = "$"
        key = "s"
        last = "p"
        time = "t"
        time_unit = "ms"
        sequence = "n"
    "#;
    // Three messages share a millisecond, so that only their numbers tell which is the last.
    let at = |n: u64| Span::from_ms(n / 3);
    let newest = SAID.to_string();
    for seed in 0..3 {
        let mut state = seed;
        let mut random = move || {
            state = u64::wrapping_add(
                6_364_136_223_846_793_005u64.wrapping_mul(state),
                1_442_695_040_888_963_407,
            );
            state >> 33
        };
        let mut heard: Vec<u64> = (1..=SAID).collect();
        heard.sort_by_cached_key(|n| n + random() % 2_000);
        assert_ne!(heard.last(), Some(&SAID), "the last one is overtaken");
        let mut rig = Rig::new("mine", described(stamped), &["A-B"]);
        rig.pass(at(SAID));
        for n in &heard {
            let time = (START + at(*n)).ms();
            rig.hear(&format!(r#"{{"s":"A-B","p":"{n}","t":{time},"n":{n}}}"#));
        }
        let lasts = rig.lasts();
        assert_eq!(lasts.last().map(|(_, price)| price), Some(&newest), "seed {seed}");
        assert!(lasts.len() > 100, "hardly anything was taken: {}", lasts.len());
        let end = rig.wall();
        // Whatever delays them on the way from the session: a later time is never replaced by an earlier one.
        let mut quotes = rig.quotes;
        let last = quotes.iter().map(|quote| quote.as_of).max().unwrap();
        quotes.sort_by_cached_key(|_| random());
        let market = MarketId::new("mine", "A-B");
        let pricing = Pricing {
            paths: vec![Path::direct(market)],
            rules: Rules::of(1),
            max_age: Span::from_s(30),
            reference: None,
            constant: None,
        };
        let id = FeedId::new("A-B");
        let mut book = Book::new([(id.clone(), pricing)].into()).unwrap();
        for quote in quotes {
            book.observe(Observation::Quote(quote)).for_each(drop);
        }
        assert_eq!(book.evaluate(&id, end).value.unwrap().as_of, last, "seed {seed}");
    }
}

/// Without this a frame that names as many markets as a connection takes is longer than the venue reads, and is refused
/// whole or ends the connection. MEXC reads 32 KiB of a frame, and Bybit 21,000 characters of all of a connection's.
#[test]
fn s22_no_frame_is_longer_than_the_strictest_venue_reads_however_long_the_names_are() {
    let mut venues = 0;
    for venue in presets().iter().filter(|preset| preset.stream.is_some()) {
        let stream = shipped(&venue.id);
        let most = stream.symbols_per_connection;
        let name = venue.stream.as_ref().unwrap().canary.clone().unwrap_or_else(|| "BTCUSD".to_owned());
        let long = |n: usize| {
            let base = format!("1000000MOGCOIN{n:03}");
            let base = if name.contains("btc") { base.to_lowercase() } else { base };
            name.replace("XBT", "BTC").replace("BTC", &base).replace("btc", &base)
        };
        let symbols: Vec<String> = (0..most).map(long).collect();
        let markets: Vec<_> = symbols.iter().map(|symbol| MarketId::new(&venue.id, symbol)).collect();
        let plans = Plan::all(&Arc::new(stream.clone()), &markets, Span::from_s(1));
        assert!(plans.iter().map(|plan| plan.feeds().len()).sum::<usize>() == most, "{}", venue.id);
        for plan in plans {
            let mut rig = Rig::of(&venue.id, plan);
            rig.pass(Span::from_s(8));
            let lengths: Vec<usize> = rig.written.iter().map(String::len).collect();
            assert!(lengths.iter().all(|length| *length <= 32 * 1024), "{}: {lengths:?}", venue.id);
            let all: usize = lengths.iter().sum();
            assert!(venue.id != "bybit" || all <= 21_000, "{}: {all}", venue.id);
        }
        venues += 1;
    }
    assert_eq!(venues, 16);
}
