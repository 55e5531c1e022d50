use super::super::health::{FeedHealth, HeadSeen, LoopHealth};
use super::super::metrics::{METRICS, Recorder};
use super::super::{ConstantStatus, Health, Status, samples};
use super::*;
use publisher_core::constant::Constant;
use publisher_core::policy::Known;
use publisher_core::quote::FeedId;
use publisher_core::time::{Mono, Wall};
use std::collections::BTreeMap;
use std::sync::Arc;

fn page(within: impl FnOnce()) -> String {
    Recorder::local(|recorder| {
        within();
        recorder.render()
    })
}

fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|l| l.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn a_rounds_way_is_counted() {
    let page = page(|| samples::events().iter().for_each(counted));
    for (series, expected) in [
        (r#"publisher_decisions_total{feed="BTC-USD",action="publish",reason="heartbeat"}"#, 1.0),
        (r#"publisher_decisions_total{feed="BTC-USD",action="hold",reason="quorum"}"#, 1.0),
        (r#"publisher_rounds_total{feed="BTC-USD",outcome="final"}"#, 1.0),
        (r#"publisher_rounds_total{feed="BTC-USD",outcome="foreign"}"#, 1.0),
        // 43,000 gas at 1 gwei for each of the three outcomes that were ours.
        (r#"publisher_cost_gwei_total{feed="BTC-USD"}"#, 129_000.0),
        // Of a batch of ten feeds each has paid a tenth, and has rounds and latencies like any other.
        (r#"publisher_cost_gwei_total{feed="ETH-USD"}"#, 4_300.0),
        (r#"publisher_rounds_total{feed="ETH-USD",outcome="final"}"#, 1.0),
        (r#"publisher_sign_seconds_count{feed="ETH-USD"}"#, 1.0),
        (r#"publisher_entries_skipped_total{feed="ETH-USD",reason="feed_paused"}"#, 1.0),
        (r#"publisher_batches_total{outcome="final"}"#, 1.0),
        (r#"publisher_quote_to_inclusion_seconds_sum{feed="BTC-USD"}"#, 4.0),
        (r#"publisher_sign_seconds_count{feed="BTC-USD"}"#, 1.0),
        (r#"publisher_send_outcomes_total{outcome="ambiguous"}"#, 1.0),
        (r#"publisher_sign_failures_total{fault="mismatch"}"#, 1.0),
        (
            r#"publisher_source_left_out_total{feed="BTC-USD",source="kraken:XBTUSD",reason="geo_blocked"}"#,
            1.0,
        ),
        (r#"publisher_halted{scope="chain"}"#, 1.0),
        (r#"publisher_halted{scope="feed:BTC-USD"}"#, 0.0),
        (r#"publisher_events_total{code="PUB-3001"}"#, 1.0),
        ("publisher_reorg_depth_blocks_sum", 2.0),
        ("publisher_head_stalled", 0.0),
    ] {
        assert_eq!(value(&page, series), Some(expected), "{series} in\n{page}");
    }
}

#[test]
fn a_round_of_an_earlier_life_has_no_latency() {
    let page = page(|| {
        for event in samples::events() {
            if let Event::Included { feed, round, what, answer, receipt, .. } = event {
                counted(&Event::Included { feed, round, what, answer, receipt, latency: Default::default() });
            }
        }
    });
    assert_eq!(value(&page, r#"publisher_answer{feed="BTC-USD"}"#), Some(1.0), "{page}");
    assert!(!page.contains("quote_to_inclusion_seconds_count"), "{page}");
}

#[test]
fn a_scrape_reads_margins_ages_and_progress() {
    let now = Now { wall: Wall::from_s(1000), mono: Mono::from_ms(50_000) };
    let health = Health::new(138, Span::from_s(30), Arc::new(move || now));
    health.feed(&FeedId::new("ETH-USD"), |feed| {
        *feed = FeedHealth {
            heartbeat_at: Some(Wall::from_s(985)),
            lead: Span::from_s(10),
            known: Some(Known { round: 3, ..known() }),
            market: Some(samples::market(Wall::from_s(1060))),
            margin: Some(-1),
            breaker: Some("open"),
            ..FeedHealth::default()
        };
    });
    health.feed(&FeedId::new("EUR-USD"), |feed| {
        *feed = FeedHealth {
            confidence: Some("0.025%".parse().unwrap()),
            families: 1,
            effective_milli: 1000,
            margin: Some(0),
            ..FeedHealth::default()
        };
    });
    health.feed(&FeedId::new("BTC-USD"), |feed| {
        *feed = FeedHealth { families: 3, effective_milli: 2666, margin: Some(2), ..FeedHealth::default() };
    });
    health.feed(&FeedId::new("NEW"), |_| {});
    health.update(|state| {
        state.head =
            Some(HeadSeen { number: 77, hash: Default::default(), advanced_at: Mono::from_ms(48_000) });
        state.journal_ok = false;
        let beat = LoopHealth { period: Span::from_s(1), progressed_at: Mono::from_ms(49_500) };
        state.loops.insert("heads", beat);
        state.nodes = vec![samples::node()];
        state.constants = constants();
    });
    let page = page(|| scraped(&health.state(), now));
    for (series, expected) in [
        (r#"publisher_heartbeat_margin_seconds{feed="ETH-USD"}"#, -5.0),
        (r#"publisher_round{feed="ETH-USD"}"#, 3.0),
        (r#"publisher_market_status{feed="ETH-USD",status="closed"}"#, 1.0),
        (r#"publisher_market_status{feed="ETH-USD",status="open"}"#, 0.0),
        (r#"publisher_calendar_left_seconds{feed="ETH-USD"}"#, 60.0),
        (r#"publisher_quorum_margin{feed="ETH-USD"}"#, -1.0),
        (r#"publisher_quorum_margin{feed="BTC-USD"}"#, 2.0),
        (r#"publisher_sources_effective{feed="ETH-USD"}"#, 0.0),
        (r#"publisher_sources_effective{feed="BTC-USD"}"#, 2.666),
        (r#"publisher_single_source{feed="EUR-USD"}"#, 1.0),
        (r#"publisher_single_source{feed="BTC-USD"}"#, 0.0),
        (r#"publisher_single_source{feed="ETH-USD"}"#, 0.0),
        (r#"publisher_confidence_bps{feed="EUR-USD"}"#, 2.5),
        (r#"publisher_breaker_state{feed="ETH-USD",state="open"}"#, 1.0),
        (r#"publisher_breaker_state{feed="ETH-USD",state="closed"}"#, 0.0),
        (r#"publisher_loop_progress_timestamp_seconds{loop="heads"}"#, 999.5),
        ("publisher_head_number", 77.0),
        (r#"publisher_node_state{node="http://127.0.0.1:8545",state="lagging"}"#, 1.0),
        (r#"publisher_node_state{node="http://127.0.0.1:8545",state="alive"}"#, 0.0),
        (r#"publisher_node_reader{node="http://127.0.0.1:8545"}"#, 1.0),
        (r#"publisher_node_head_number{node="http://127.0.0.1:8545"}"#, 68.0),
        (r#"publisher_constant_value{constant="LAST"}"#, 1.25),
        (r#"publisher_constant_left_seconds{constant="LAST"}"#, 60.0),
        (r#"publisher_constant_left_seconds{constant="OVER"}"#, 0.0),
        ("publisher_head_age_seconds", 2.0),
        ("publisher_journal_unavailable", 1.0),
        ("publisher_ready", 0.0),
    ] {
        assert_eq!(value(&page, series), Some(expected), "{series} in\n{page}");
    }
    // Of a value that is gone nothing is told, and neither is the breaker of a feed without one.
    assert!(value(&page, r#"publisher_confidence_bps{feed="ETH-USD"}"#).unwrap().is_nan(), "{page}");
    assert_eq!(value(&page, r#"publisher_breaker_state{feed="EUR-USD",state="closed"}"#), None);
    // A feed that nobody has looked at yet lacks no quorum.
    assert_eq!(value(&page, r#"publisher_quorum_margin{feed="NEW"}"#), None);
}

/// One that lasts until second 1060, and one that ended at second 1000.
fn constants() -> BTreeMap<FeedId, ConstantHealth> {
    let constant = |(name, until_s)| {
        let constant = Constant { value: "1.25".parse().unwrap(), until: Wall::from_s(until_s) };
        (FeedId::new(name), ConstantHealth { constant, comment: "by decree".into() })
    };
    [("LAST", 1060), ("OVER", 1000)].map(constant).into()
}

/// Without this nobody sees what converts a feed's sources, nor that it is over, before the log says so.
#[test]
fn a_status_tells_what_a_constant_is_as_of_when_and_until_when() {
    let now = Now { wall: Wall::from_s(1000), mono: Mono::default() };
    let health = Health::new(138, Span::from_s(30), Arc::new(move || now));
    health.update(|state| state.constants = constants());
    let row = |name: &str, value: Option<&str>, ends_at_s| ConstantStatus {
        constant: name.into(),
        value: value.map(Into::into),
        as_of_s: value.map(|_| 1000),
        ends_at_s,
        comment: "by decree".into(),
    };
    let found = Status::of(&health.state(), now).constants;
    assert_eq!(found, [row("LAST", Some("1.25"), 1060), row("OVER", None, 1000)]);
}

fn known() -> Known {
    Known { round: 0, answer: Answer::new(Default::default()), updated_at: Wall::default() }
}

/// No series appears that the registry does not describe, with other labels than it says.
#[test]
fn everything_emitted_is_described_with_its_labels() {
    let page = page(|| {
        samples::events().iter().for_each(counted);
        venue_answered(&VenueId::new("kraken"), "ok", Span::from_ms(120));
        venue_limits(&VenueId::new("binance"), &[("weight".into(), 250)]);
        stream_ended(&VenueId::new("kraken"), "idle");
        stream_heard(&VenueId::new("kraken"), "data");
        rpc_answered("eth_chainId", "ok", Span::from_ms(3));
        readers_differ("nonce");
        send_conflicts();
        let health = Health::new(138, Span::from_s(30), Arc::new(Now::default));
        health.update(|state| {
            state.nodes = vec![samples::node()];
            state.streams.entry(VenueId::new("kraken")).or_default();
            state.constants = constants();
        });
        scraped(&health.state(), Now::default());
    });
    for line in page.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let (name, labels) = line.split_once(['{', ' ']).unwrap();
        let entry = METRICS.iter().find(|entry| {
            name == entry.name
                || name
                    .strip_prefix(entry.name)
                    .is_some_and(|end| ["_bucket", "_sum", "_count"].contains(&end))
        });
        let entry = entry.unwrap_or_else(|| panic!("{name} is not in the registry"));
        let labels = if line.contains('{') { labels.split('}').next().unwrap() } else { "" };
        let names: Vec<_> = labels.split("\",").filter_map(|l| l.split_once('=')).map(|(n, _)| n).collect();
        let names: Vec<_> = names.into_iter().filter(|n| *n != "le").collect();
        assert_eq!(names, entry.labels, "{line}");
    }
}
