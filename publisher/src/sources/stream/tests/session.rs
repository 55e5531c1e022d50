//! The traps of the venues' protocols, each without a socket.

use super::super::Cover;
use super::super::plan::Plan;
use super::super::session::{Action, End, Kind};
use super::rig::{Rig, described, shipped};
use crate::sources::preset::StreamPreset;
use publisher_core::quote::MarketId;
use publisher_core::time::Span;
use std::sync::Arc;

const SECOND: Span = Span::from_s(1);

/// A stream in the shape of most, for the rules that are everybody's.
const PLAIN: &str = r#"
    [stream.subscribe]
    text = '{"sub":[{symbols}],"id":{id}}'
    each = '"{symbol}"'
    [stream.ping]
    every = "15s"
    text = "ping"
    pong = "pong"
    [stream.ack]
    match = [{ at = "ok", is = "true" }]
    id = "id"
    [stream.refusal]
    match = [{ at = "ok", is = "false" }]
    id = "id"
    [stream.data]
    match = [{ at = "p", is_empty = false }]
    row = "$"
    key = "s"
    last = "p"
    time_unit = "none"
    sequence = "n"
    gapless = true
"#;

fn plain(symbols: &[&str]) -> Rig {
    Rig::new("mine", described(PLAIN), symbols)
}

/// The same with a canary.
fn watched(symbols: &[&str]) -> Rig {
    Rig::new("mine", described(&format!("canary = \"BTC-USD\"\n{PLAIN}")), symbols)
}

fn price(symbol: &str, price: &str, sequence: u64) -> String {
    format!(r#"{{"s":"{symbol}","p":"{price}","n":{sequence}}}"#)
}

#[test]
fn frames_are_no_larger_and_no_faster_than_the_venue_permits() {
    let mut rig = plain(&["A-B", "C-D", "E-F", "G-H", "I-J", "K-L"]);
    rig.pass(Span::from_ms(99));
    assert_eq!(rig.written, [r#"{"sub":["A-B","C-D","E-F","G-H"],"id":1}"#]);
    rig.pass(Span::from_ms(1));
    assert_eq!(rig.written[1..], [r#"{"sub":["I-J","K-L"],"id":2}"#]);
    // Answers may come in any order; they name their frame.
    rig.hear(r#"{"ok":true,"id":2}"#);
    assert_eq!((rig.session.live(), rig.session.is_settled()), (2, false));
    rig.hear(r#"{"ok":true,"id":7}"#);
    rig.hear(r#"{"ok":true,"id":1}"#);
    assert_eq!((rig.session.live(), rig.session.is_settled()), (6, true));
}

/// KuCoin refuses a frame whole, Coinbase one with an unknown product: without halving, one symbol costs all.
#[test]
fn s22_a_symbol_that_spoils_its_frame_is_found_and_left_out() {
    let mut rig = plain(&["A-B", "C-D", "BAD-X", "G-H"]);
    let mut answered = 0;
    for _ in 0..20 {
        rig.pass(Span::from_ms(100));
        let unanswered = rig.written[answered..].to_vec();
        for text in unanswered {
            answered += 1;
            rig.hear(&format!(r#"{{"ok":{},"id":{answered}}}"#, !text.contains("BAD")));
        }
    }
    assert_eq!((rig.session.live(), rig.session.is_settled()), (3, true), "{:?}", rig.written);
    let asked = rig.written.len();
    assert_eq!(asked, 5);
    // Five minutes later it is asked for again, alone.
    rig.pass(Span::from_s(4));
    for n in 0..310 {
        rig.hear(&price("A-B", "1", n + 1));
        rig.pass(SECOND);
    }
    let again: Vec<_> = rig.written[asked..].iter().filter(|text| *text != "ping").collect();
    assert_eq!(again, [r#"{"sub":["BAD-X"],"id":6}"#]);
}

#[test]
fn a_subscription_that_nobody_answers_is_tried_alone_and_then_left_to_http() {
    let mut rig = plain(&["A-B", "C-D"]);
    rig.pass(Span::from_s(9));
    assert!(!rig.session.is_settled());
    rig.hear(&price("A-B", "1", 1));
    rig.pass(Span::from_s(2));
    assert_eq!(rig.written.last().unwrap(), r#"{"sub":["C-D"],"id":2}"#);
    rig.hear("pong");
    rig.pass(Span::from_s(11));
    assert_eq!((rig.session.live(), rig.session.is_settled()), (1, true), "a price proves a subscription");
    assert!(!rig.is_fresh());
}

/// Something in front of a venue may answer pings for it.
#[test]
fn f41_a_socket_that_answers_nothing_but_pings_is_of_no_use() {
    let mut rig = plain(&["A-B", "C-D"]);
    let mut seconds = 0;
    let ended = loop {
        seconds += 1;
        rig.session.alive(rig.now);
        if let Some(action) = rig.pass(SECOND).pop() {
            break action;
        }
        assert!(seconds < 60, "it is kept");
    };
    assert_eq!((ended, seconds), (Action::End(End::Unanswered), 20), "asked for together, then each alone");
    let now = rig.now;
    rig.session = rig.session.successor(now);
    rig.written.clear();
    rig.pass(SECOND);
    assert_eq!(rig.written, [r#"{"sub":["A-B","C-D"],"id":1}"#], "the symbols are not to blame");
}

/// MEXC acknowledges what it has blocked, with code 0 and a message that is not the topic.
#[test]
fn an_acknowledgement_of_something_else_is_a_refusal() {
    let mut rig = Rig::new("mexc", shipped("mexc"), &["BTCUSDT"]);
    let topic = "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT";
    rig.pass(SECOND);
    rig.hear(r#"{"id":0,"code":0,"msg":"PONG"}"#);
    assert!(!rig.session.is_settled(), "an answer to a ping is about no topic");
    let words = format!("Not Subscribed successfully! [{topic}].  Reason： Blocked! ");
    rig.hear(&format!(r#"{{"id":0,"code":0,"msg":"{words}"}}"#));
    assert_eq!((rig.session.live(), rig.session.is_settled()), (0, true));
    for _ in 0..31 {
        rig.hear(r#"{"id":0,"code":0,"msg":"PONG"}"#);
        rig.pass(Span::from_s(10));
    }
    rig.hear(&format!(r#"{{"id":0,"code":0,"msg":"{topic}"}}"#));
    assert_eq!(rig.session.live(), 1);
}

/// Bitfinex names a channel in its acknowledgement, and nothing else in its data.
#[test]
fn rows_are_found_by_the_channel_that_the_venue_gave_them() {
    let mut rig = Rig::new("bitfinex", shipped("bitfinex"), &["tBTCUSD"]);
    rig.pass(SECOND);
    let data = "[17,[9.5,1,10.5,1,0,0,10.1,100,11,9]]";
    rig.hear(data);
    assert!(rig.quotes.is_empty(), "a channel that nobody named");
    rig.hear(r#"{"event":"subscribed","channel":"ticker","chanId":17,"symbol":"tBTCUSD"}"#);
    assert_eq!(rig.hear(data).0, Kind::Data);
    assert_eq!(rig.hear(r#"[17,"hb"]"#).0, Kind::Control);
    assert_eq!(rig.lasts(), [("tBTCUSD".to_owned(), "10.1".to_owned())]);
}

#[test]
fn f42_messages_that_come_twice_late_or_not_at_all_change_no_price() {
    let mut rig = plain(&["A-B"]);
    rig.pass(SECOND);
    for (sequence, value, is_fresh) in
        [(5, "1.0", true), (5, "2.0", true), (4, "3.0", true), (6, "4.0", true), (8, "5.0", false)]
    {
        rig.hear(&price("A-B", value, sequence));
        assert_eq!(rig.is_fresh(), is_fresh, "{sequence}");
    }
    let values: Vec<_> = rig.lasts().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["1", "4", "5"]);
    // What was missed, HTTP says.
    assert_eq!(rig.poll("A-B", "5"), None);
    assert!(rig.is_fresh());
    // A new connection counts anew.
    let now = rig.now;
    rig.session = rig.session.successor(now);
    rig.hear(&price("A-B", "6.0", 1));
    assert_eq!(rig.lasts().last().unwrap().1, "6");
}

#[test]
fn f47_numbers_are_exact_whatever_their_spelling() {
    let mut rig = plain(&["A-B"]);
    rig.pass(SECOND);
    let long = "67000.120000000000000000000000000001";
    rig.hear(&format!(r#"{{"s":"A-B","p":{long},"n":1}}"#));
    rig.hear(r#"{"s":"A-B","p":1.2e-7,"n":2}"#);
    let values: Vec<_> = rig.lasts().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [long, "0.00000012"]);
    for bad in [r#""NaN""#, r#""1,2""#, "-1", "0", "1e400", "{}", r#""""#] {
        let (kind, actions) = rig.hear(&format!(r#"{{"s":"A-B","p":{bad},"n":3}}"#));
        assert!(kind != Kind::Data && actions.is_empty() && rig.quotes.len() == 2, "{bad}");
    }
}

/// Without this a socket that is open counts as one that works: each layer of silence has its own end.
#[test]
fn s10_silence_is_noticed_in_every_layer() {
    // Not a byte.
    let mut rig = plain(&["A-B"]);
    rig.hear(r#"{"ok":true,"id":1}"#);
    assert_eq!(rig.pass(Span::from_s(29)), []);
    assert!(rig.written.contains(&"ping".to_owned()));
    assert_eq!(rig.pass(Span::from_s(2)), [Action::End(End::Idle)]);

    // Answers to pings, and silence of what is never silent.
    let mut rig = watched(&["A-B", "BTC-USD"]);
    rig.pass(SECOND);
    rig.hear(r#"{"ok":true,"id":1}"#);
    for _ in 0..4 {
        assert_eq!(rig.pass(SECOND), []);
        rig.hear("pong");
        rig.hear(&price("A-B", "1", rig.now.ms()));
    }
    assert_eq!(rig.pass(SECOND), [Action::End(End::Canary)]);

    // Nothing of one market, while HTTP shows that its price moves.
    let mut rig = plain(&["A-B"]);
    rig.pass(SECOND);
    rig.hear(&price("A-B", "10", 1));
    let mut written = rig.written.len();
    let wait = |rig: &mut Rig, seconds: u64| {
        for _ in 0..seconds {
            rig.pass(SECOND);
            rig.hear("pong");
        }
    };
    assert_eq!(rig.poll("A-B", "10"), None);
    wait(&mut rig, 61);
    assert_eq!(rig.poll("A-B", "10"), None);
    let asked =
        |rig: &Rig, from: usize| rig.written[from..].iter().filter(|text| text.contains("A-B")).count();
    wait(&mut rig, 1);
    assert_eq!(asked(&rig, written), 0, "a market may be quiet");
    assert_eq!(rig.poll("A-B", "11"), None);
    wait(&mut rig, 1);
    assert_eq!(asked(&rig, written), 1, "it is asked for once more");
    wait(&mut rig, 61);
    written = rig.written.len();
    assert_eq!(rig.poll("A-B", "12"), Some(End::Silent), "then over another connection");
    let now = rig.now;
    rig.session = rig.session.successor(now);
    wait(&mut rig, 1);
    assert_eq!(asked(&rig, written), 1);
    rig.hear(r#"{"ok":true,"id":1}"#);
    rig.poll("A-B", "12");
    wait(&mut rig, 61);
    assert_eq!(rig.poll("A-B", "13"), None, "and then it is left to HTTP");
    assert_eq!((rig.session.live(), rig.session.is_settled()), (0, true));
}

/// A retired channel may repeat its last price with the time of now: neither age nor silence shows it.
#[test]
fn f42_a_market_that_repeats_itself_while_its_price_moves_is_left_to_http_until_it_says_something_new() {
    let mut rig = plain(&["A-B"]);
    let mut sequence = 0;
    let mut repeat = |rig: &mut Rig, seconds: u64| {
        for _ in 0..seconds {
            sequence += 1;
            rig.hear(&price("A-B", "10", sequence));
            rig.pass(SECOND);
        }
    };
    repeat(&mut rig, 1);
    assert_eq!(rig.poll("A-B", "10"), None);
    repeat(&mut rig, 61);
    let asked = rig.written.len();
    assert_eq!(
        rig.poll("A-B", "10.01"),
        None,
        "a tenth of a percent lies between many a book and its last trade"
    );
    repeat(&mut rig, 1);
    assert_eq!(rig.written[asked..], [""; 0]);
    assert_eq!(rig.poll("A-B", "10.02"), None);
    repeat(&mut rig, 1);
    assert_eq!(rig.written[asked..], [r#"{"sub":["A-B"],"id":2}"#], "it is asked for once more");
    repeat(&mut rig, 61);
    assert_eq!(rig.poll("A-B", "10.05"), Some(End::Frozen), "then over another connection");
    let now = rig.now;
    rig.session = rig.session.successor(now);
    repeat(&mut rig, 61);
    assert_eq!(rig.poll("A-B", "10.08"), None);
    assert_eq!((rig.session.live(), rig.is_fresh()), (0, false), "and then it is left to HTTP");
    let quotes = rig.quotes.len();
    repeat(&mut rig, 5);
    assert_eq!(rig.quotes.len(), quotes, "what it repeats is no price any more");
    rig.hear(&price("A-B", "10.08", sequence + 1));
    assert_eq!((rig.session.live(), rig.is_fresh(), rig.quotes.len()), (1, true, quotes + 1));
}

#[test]
fn a_market_is_fresh_for_five_seconds_after_a_message() {
    let mut rig = plain(&["A-B", "C-D"]);
    rig.pass(SECOND);
    rig.hear(&price("A-B", "1", 1));
    assert!(!rig.is_fresh(), "the other one has not come yet");
    rig.hear(&price("C-D", "1", 1));
    assert!(rig.is_fresh());
    rig.pass(Span::from_ms(4_999));
    assert!(rig.is_fresh());
    rig.pass(Span::from_ms(1));
    assert!(!rig.is_fresh());
    let reads = rig.quotes.iter().map(|quote| quote.received.since(quote.as_of));
    assert_eq!(reads.collect::<Vec<_>>(), [SECOND; 2], "without a time it is as old as it may be");
}

#[test]
fn f51_what_cannot_be_read_costs_itself_and_too_much_of_it_the_connection() {
    let mut rig = plain(&["A-B"]);
    rig.pass(SECOND);
    let deep = "[".repeat(100_000);
    for bad in ["", "{", "<html>", deep.as_str(), "\u{0}\u{1}", r#"{"s":"A-B","p":"1","n":"x"}"#] {
        assert_eq!(rig.hear(bad), (Kind::Bad, vec![]), "{bad:.20}");
    }
    assert_eq!(rig.hear(&price("A-B", "1", 1)).0, Kind::Data);
    let ended = (0..100).find_map(|n| rig.hear("{").1.first().cloned().map(|action| (n, action)));
    assert_eq!(ended, Some((92, Action::End(End::Unreadable))), "more than one in 100 of a minute");

    let mut rig = plain(&["A-B"]);
    rig.pass(SECOND);
    for n in 0..1_000 {
        assert_eq!(rig.hear(&price("A-B", "1", n + 1)).1, []);
    }
    let ended = (1..=20).find_map(|n| rig.hear("{").1.first().cloned().map(|action| (n, action)));
    assert_eq!(ended, Some((11, Action::End(End::Unreadable))));
}

/// Without this one market that nobody sells closes the socket of hundreds of healthy ones, every minute and for ever: as
/// unreadable, as silent, or as frozen.
#[test]
fn s5_a_market_without_a_price_costs_no_other_one_its_socket() {
    let bitstamp = |of: &str, asks: &str| {
        format!(
            r#"{{"data":{{"microtimestamp":"1767225600123456","bids":[["5","1"]],"asks":{asks}}},"channel":"order_book_{of}","event":"data"}}"#
        )
    };
    let binance = |of: &str, bid: &str| {
        format!(
            r#"{{"stream":"{}@ticker","data":{{"e":"24hrTicker","E":1767225600123,"s":"{of}","c":"5","b":"{bid}","a":"6","v":"1"}}}}"#,
            of.to_lowercase()
        )
    };
    let book = [
        bitstamp("btcusd", r#"[["6","1"]]"#),
        bitstamp("ethusd", r#"[["6","1"]]"#),
        bitstamp("ethusd", "[]"),
    ];
    let ticker = [binance("BTCUSDT", "5"), binance("ETHUSDT", "5"), binance("ETHUSDT", "0.00000000")];
    for (venue, symbols, [good, before, without]) in
        [("bitstamp", ["btcusd", "ethusd"], book), ("binance", ["BTCUSDT", "ETHUSDT"], ticker)]
    {
        let mut rig = Rig::new(venue, shipped(venue), &symbols);
        rig.pass(SECOND);
        assert_eq!(rig.hear(&without).0, Kind::Unpriced, "{venue}");
        assert_eq!(rig.session.live(), 1, "{venue}: it proves a subscription");
        assert_eq!(rig.hear(&before).0, Kind::Data, "{venue}");
        for second in 1..=600 {
            assert_eq!(rig.hear(&good), (Kind::Data, vec![]), "{venue}");
            assert_eq!(rig.hear(&without), (Kind::Unpriced, vec![]), "{venue}");
            // Its price moves, as HTTP tells by its last trade.
            assert_eq!(rig.poll(symbols[1], &second.to_string()), None, "{venue} {second}");
            assert_eq!(rig.pass(SECOND), [], "{venue} {second}");
        }
        assert_eq!(rig.session.live(), 2, "{venue}");
        assert!(!rig.is_fresh(), "{venue}: HTTP has to say what it is worth");
        rig.hear(&good);
        assert_eq!(rig.hear(&before).0, Kind::Data, "{venue}");
        assert!(rig.is_fresh(), "{venue}: it has a price again");
    }
}

/// Without this nobody watches a socket whose most liquid market an operator spells as everybody does.
#[test]
fn the_canary_of_a_socket_is_known_however_it_is_spelled() {
    for symbol in ["btcusd", "BTC/USD"] {
        let mut rig = Rig::new("bitstamp", shipped("bitstamp"), &["ETH/USD", symbol]);
        rig.pass(SECOND);
        rig.hear(r#"{"event":"bts:subscription_succeeded","channel":"order_book_btcusd","data":{}}"#);
        assert_eq!(rig.pass(Span::from_s(4)), [], "{symbol}");
        assert_eq!(rig.pass(Span::from_s(2)), [Action::End(End::Canary)], "{symbol}");
    }
}

/// Without this a socket whose own markets are all rare is as silent dead as alive; and what nobody asked for has a vote,
/// counts as a market, or keeps one from being asked for.
#[test]
fn f41_a_canary_is_asked_for_where_a_socket_has_none_and_is_worth_nothing_but_its_silence() {
    let mut rig = watched(&["A-B", "C-D"]);
    rig.pass(SECOND);
    assert_eq!(rig.written, [r#"{"sub":["A-B","C-D","BTC-USD"],"id":1}"#]);
    // A venue that does not have it costs nobody else anything.
    for answer in [r#"{"ok":false,"id":1}"#, r#"{"ok":true,"id":2}"#, r#"{"ok":true,"id":3}"#] {
        rig.hear(answer);
        rig.pass(SECOND);
    }
    assert_eq!(rig.written[1..], [r#"{"sub":["A-B"],"id":2}"#, r#"{"sub":["C-D","BTC-USD"],"id":3}"#]);
    assert_eq!((rig.session.live(), rig.session.is_settled()), (2, true));
    for second in 1..=10 {
        assert_eq!(rig.hear(&price("BTC-USD", "67000", second)), (Kind::Data, vec![]));
        assert_eq!(rig.pass(SECOND), [], "{second}");
    }
    assert_eq!((rig.quotes.len(), rig.session.live()), (0, 2));
    rig.hear(&price("A-B", "1", 1));
    assert_eq!(rig.lasts(), [("A-B".to_owned(), "1".to_owned())]);
    for _ in 0..3 {
        rig.hear("pong");
        assert_eq!(rig.pass(SECOND), []);
    }
    assert_eq!(rig.pass(SECOND), [Action::End(End::Canary)]);

    // Refused alone, it is none, and its socket goes on without.
    let mut rig = watched(&["A-B"]);
    rig.pass(SECOND);
    for answer in [r#"{"ok":false,"id":1}"#, r#"{"ok":true,"id":2}"#, r#"{"ok":false,"id":3}"#] {
        rig.hear(answer);
        rig.pass(SECOND);
    }
    assert_eq!((rig.session.live(), rig.session.is_settled()), (1, true));
    for _ in 0..20 {
        rig.hear("pong");
        assert_eq!(rig.pass(SECOND), []);
    }
}

/// Without this a canary is one market too many for a socket, is asked for twice, or takes the only place there is.
#[test]
fn a_canary_keeps_to_what_a_connection_takes() {
    let of = |most: usize, symbols: &[&str]| {
        let stream = described(&format!("canary = \"BTC-USD\"\n{PLAIN}"));
        let stream = Arc::new(StreamPreset { symbols_per_connection: most, ..stream });
        let markets: Vec<_> = symbols.iter().map(|symbol| MarketId::new("mine", symbol)).collect();
        let all = |of: &[MarketId]| of.iter().map(|m| m.symbol.to_string()).collect::<Vec<_>>().join(" ");
        let plans = Plan::all(&stream, &markets, SECOND);
        plans.iter().map(|plan| (all(&plan.markets), plan.own, plan.canary)).collect::<Vec<_>>()
    };
    let expect = |text: &str, own: usize, canary: Option<usize>| (text.to_owned(), own, canary);
    assert_eq!(
        of(3, &["A-B", "C-D", "E-F", "BTC-USD", "G-H"]),
        [expect("A-B C-D BTC-USD", 2, Some(2)), expect("E-F BTC-USD G-H", 3, Some(1))]
    );
    assert_eq!(
        of(3, &["A-B", "BTC-USD", "C-D", "E-F"]),
        [expect("A-B BTC-USD C-D", 3, Some(1)), expect("E-F BTC-USD", 1, Some(1))]
    );
    assert_eq!(of(1, &["A-B", "BTC-USD"]), [expect("A-B", 1, None), expect("BTC-USD", 1, Some(0))]);
    assert_eq!(of(3, &[]), []);
}

/// Without this one market that trades every ten minutes costs as many polls as a venue without a stream; or one whose
/// subscription the venue has silently dropped is taken for quiet.
#[test]
fn f41_a_market_is_quiet_while_its_socket_lives_and_http_repeats_itself_and_lost_once_it_does_not() {
    let mut rig = watched(&["A-B"]);
    let mut sequence = 0;
    let mut wait = |rig: &mut Rig, seconds: u64| {
        for _ in 0..seconds {
            sequence += 1;
            rig.hear(&price("BTC-USD", "67000", sequence));
            assert_eq!(rig.pass(SECOND), []);
        }
    };
    wait(&mut rig, 1);
    rig.hear(r#"{"ok":true,"id":1}"#);
    rig.poll("A-B", "10");
    wait(&mut rig, 5);
    rig.poll("A-B", "10");
    assert_eq!(
        rig.cover(),
        Cover::None,
        "it has never said anything: nothing shows that it is subscribed to"
    );
    rig.hear(&price("A-B", "10", 1));
    assert_eq!(rig.cover(), Cover::Fresh);
    wait(&mut rig, 6);
    assert_eq!(rig.cover(), Cover::None, "what HTTP said before it fell silent is over");
    rig.poll("A-B", "10.01");
    assert_eq!(rig.cover(), Cover::None, "a book is not a last trade: what HTTP says is held against itself");
    wait(&mut rig, 4);
    rig.poll("A-B", "10.01");
    assert_eq!(rig.cover(), Cover::Quiet);
    wait(&mut rig, 600);
    assert_eq!(rig.cover(), Cover::Quiet, "as long as that may take");
    // A poll that fails, or that has everything else.
    rig.poll("X-Y", "1");
    assert_eq!(rig.cover(), Cover::None);
    rig.poll("A-B", "10.01");
    assert_eq!(rig.cover(), Cover::Quiet);
    // The subscription is gone, and nobody has said so: the next poll shows it.
    rig.poll("A-B", "10.02");
    for _ in 0..10 {
        assert_eq!(rig.cover(), Cover::None);
        wait(&mut rig, 1);
    }
    // It speaks again, and falls silent again.
    rig.hear(&price("A-B", "10.02", 2));
    assert_eq!(rig.cover(), Cover::Fresh);
    for _ in 0..2 {
        wait(&mut rig, 5);
        assert_eq!(rig.cover(), Cover::None);
        rig.poll("A-B", "10.02");
    }
    assert_eq!(rig.cover(), Cover::Quiet);
    // Nothing is quiet on a socket that says nothing at all, nor one from which a message is missing, nor what has just
    // been connected anew, nor what has said that there is no price.
    rig.hear("pong");
    rig.now = rig.now + Span::from_s(5);
    assert_eq!(rig.cover(), Cover::None);
    wait(&mut rig, 1);
    assert_eq!(rig.cover(), Cover::Quiet);
    let now = rig.now;
    rig.session = rig.session.successor(now);
    wait(&mut rig, 1);
    rig.poll("A-B", "10.02");
    rig.poll("A-B", "10.02");
    assert_eq!(rig.cover(), Cover::None);
    for (message, last) in
        [(price("A-B", "10.02", 5), Cover::Quiet), (price("A-B", "10.02", 7), Cover::Quiet)]
    {
        rig.hear(&message);
        wait(&mut rig, 6);
        rig.poll("A-B", "10.02");
        rig.poll("A-B", "10.02");
        assert_eq!(rig.cover(), last, "HTTP has what was missed");
    }
    rig.hear(r#"{"s":"A-B","p":"0","n":8}"#);
    rig.poll("A-B", "10.02");
    rig.poll("A-B", "10.02");
    assert_eq!(rig.cover(), Cover::None, "what it is worth is for HTTP to say");
}

/// Upbit ends with each request what the one before it asked for, confirms nothing, and passes over what it does not know.
#[test]
fn a_frame_that_replaces_the_one_before_names_every_market_again() {
    let mut rig = Rig::new("upbit", shipped("upbit"), &["KRW-BTC", "KRW-NOPE", "USDT-BTC"]);
    let frame = |id: u32, codes: &str| {
        format!(
            r#"[{{"ticket":"publisher-{id}"}},{{"type":"ticker","codes":[{codes}]}},{{"format":"SIMPLE"}}]"#
        )
    };
    let message = |code: &str| format!(r#"{{"ty":"ticker","cd":"{code}","tp":1,"ttms":1767225600000}}"#);
    let wait = |rig: &mut Rig, seconds: u64| {
        for _ in 0..seconds {
            rig.hear(&message("KRW-BTC"));
            rig.pass(SECOND);
        }
    };
    rig.pass(SECOND);
    rig.hear(&message("USDT-BTC"));
    wait(&mut rig, 11);
    assert_eq!(rig.written, [frame(1, r#""KRW-BTC","KRW-NOPE","USDT-BTC""#)]);
    assert_eq!((rig.session.live(), rig.session.is_settled()), (2, true), "the unknown one is left out");
    // One that falls silent while its price moves is asked for again, together with all others.
    rig.poll("USDT-BTC", "1");
    wait(&mut rig, 61);
    rig.poll("USDT-BTC", "1");
    rig.poll("USDT-BTC", "2");
    wait(&mut rig, 1);
    assert_eq!(rig.written[1..], [frame(2, r#""KRW-BTC","USDT-BTC""#)]);
}

/// HTX and Crypto.com end a connection that does not repeat their number.
#[test]
fn what_has_to_be_answered_is_answered_with_its_number() {
    let stream = described(&format!(
        r#"
        {PLAIN}
        [[stream.reply]]
        match = [{{ at = "ping", is_empty = false }}]
        value = "ping"
        text = '{{"pong":{{value}}}}'
    "#
    ));
    let mut rig = Rig::new("mine", stream, &["A-B"]);
    assert_eq!(rig.hear(r#"{"ping":1492420473027}"#), (Kind::Control, vec![]));
    assert_eq!(rig.written, [r#"{"pong":1492420473027}"#]);
    rig.hear(&format!(r#"{{"ping":{}}}"#, "9".repeat(65)));
    assert_eq!(rig.written.len(), 1, "nobody is echoed at length");
}

#[test]
fn a_venue_that_asks_for_a_new_connection_gets_one() {
    for (venue, symbol, message) in [
        ("bitstamp", "btcusd", r#"{"event":"bts:request_reconnect","channel":"","data":""}"#),
        ("okx", "BTC-USDT", r#"{"event":"notice","code":"64008","msg":"..","connId":"a4d3ae55"}"#),
    ] {
        let mut rig = Rig::new(venue, shipped(venue), &[symbol]);
        assert_eq!(rig.hear(message).1, [Action::End(End::Asked)], "{venue}");
    }
}

#[test]
fn a_connection_is_old_before_the_venue_ends_it() {
    let mut rig = plain(&["A-B"]);
    assert!(!rig.session.is_old(rig.now + Span::from_s(22 * 3600)));
    assert!(rig.session.is_old(rig.now + Span::from_s(23 * 3600)));
    rig.pass(SECOND);
    rig.hear(&price("A-B", "1", 1));
    assert!(!rig.session.is_proved(rig.now + Span::from_s(59)));
    assert!(rig.session.is_proved(rig.now + Span::from_s(60)));
}
