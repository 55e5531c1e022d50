//! The registry of every metric, and the recorder that serves them.
//!
//! A metric exists only by its line in the table below; what emits it uses that line's value, so name, kind and
//! labels cannot differ between the two.

use ::metrics::{Label, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use publisher_core::time::Span;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// A metric as documentation and dashboards know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its full name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
}

/// A metric that only grows, with `N` labels.
pub(super) struct Counter<const N: usize>(&'static str, [&'static str; N]);
/// A metric that goes up and down, with `N` labels.
pub(super) struct Gauge<const N: usize>(&'static str, [&'static str; N]);
/// A distribution, with `N` labels.
pub(super) struct Histogram<const N: usize>(&'static str, [&'static str; N]);

impl<const N: usize> Counter<N> {
    /// One more.
    pub(super) fn count(&self, values: [&str; N]) {
        self.add(values, 1);
    }

    /// `by` more.
    pub(super) fn add(&self, values: [&str; N], by: u64) {
        ::metrics::counter!(self.0, labels(self.1, values)).increment(by);
    }
}

impl<const N: usize> Gauge<N> {
    /// Its value now. Gauges are for the eye, so a float is good enough.
    pub(super) fn set(&self, values: [&str; N], value: f64) {
        ::metrics::gauge!(self.0, labels(self.1, values)).set(value);
    }

    /// 1 for yes, 0 for no.
    pub(super) fn flag(&self, values: [&str; N], yes: bool) {
        self.set(values, if yes { 1.0 } else { 0.0 });
    }
}

impl<const N: usize> Histogram<N> {
    /// One more value.
    pub(super) fn record(&self, values: [&str; N], value: f64) {
        ::metrics::histogram!(self.0, labels(self.1, values)).record(value);
    }

    /// One more length of time.
    pub(super) fn record_span(&self, values: [&str; N], span: Span) {
        self.record(values, seconds(span));
    }
}

/// A length of time as Prometheus counts it.
pub(super) fn seconds(span: Span) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}

fn labels<const N: usize>(names: [&'static str; N], values: [&str; N]) -> Vec<Label> {
    names.into_iter().zip(values).map(|(name, value)| Label::new(name, value.to_owned())).collect()
}

/// Declares the metrics and lists them.
macro_rules! registry {
    ($($kind:ident $ident:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) static $ident: $kind<{ const LABELS: &[&str] = &[$($label),*]; LABELS.len() }> =
            $kind(concat!("publisher_", $name), [$($label),*]);)*

        /// Every metric.
        pub const METRICS: &[Entry] = &[$(Entry {
            name: concat!("publisher_", $name),
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        }),*];

        /// The name by which the source refers to each metric.
        #[cfg(test)]
        const IDENTS: &[&str] = &[$(stringify!($ident)),*];
    };
}

registry! {
    Gauge BUILD_INFO "build_info" ["version"] "Always 1; the label is the running version.";
    Gauge READY "ready" [] "1 while /readyz answers 200.";
    Gauge LOOP_PROGRESS "loop_progress_timestamp_seconds" ["loop"] "Unix time at which a loop last went round.";
    Counter EVENTS "events_total" ["code"] "Reported events by their stable code.";
    Counter NOTICES "notices_total" ["code"] "Reported facts of the process itself by their stable code.";

    Counter DECISIONS "decisions_total" ["feed", "action", "reason"] "Rounds decided (action publish, reason its trigger) and changes to holding back (action hold, reason why).";
    Counter ROUNDS "rounds_total" ["feed", "outcome"] "Rounds that are over, by how they ended.";
    Counter WASTED "wasted_total" ["feed"] "Transactions that were paid for and wrote no round: reverted, or emptied because another transmitter had written it.";
    Counter ROUNDS_TAKEN "rounds_taken_total" ["feed"] "Rounds that another transmitter wrote first.";
    Counter SEQUENCES_TAKEN "sequences_taken_total" ["store"] "Sequences of a store that another transmitter wrote first.";
    Counter BATCHES "batches_total" ["outcome"] "Transactions for several feeds of a store that are over, by how they ended.";
    Counter SKIPS "entries_skipped_total" ["feed", "reason"] "Entries of batches for which the store wrote no round, by its reason.";
    Counter PREFLIGHT_REFUSALS "preflight_refusals_total" ["feed"] "Transactions not sent because the contract would refuse them; feed is - for a step of a rollout.";
    Counter ESTIMATES "gas_estimates_replaced_total" ["feed", "why"] "How often no node estimated gas, or so much that it was clamped; the feed is - for a store.";
    Gauge ANSWER "answer" ["feed"] "The latest included answer as the aggregator's integer; for display only.";
    Gauge ROUND "round" ["feed"] "The latest known round.";
    Gauge HELD "held" ["feed"] "1 while the feed may not publish.";
    Gauge ORDERS "orders" ["feed"] "Orders of operators about the feed that stand: pauses, overrides and halts.";
    Gauge MARKET_STATUS "market_status" ["feed", "status"] "1 for what the feed's market does by its calendar or an operator's halt, 0 for everything else; only of feeds that keep a market's hours.";
    Gauge OFF_HOURS "off_hours_sources" ["feed"] "1 while the feed's sources of off hours are what counts; only of feeds that have some. What is told of one of them is told of the feed NAME@off_hours.";
    Gauge HIBERNATING "hibernating" ["feed"] "1 while the flags on chain put the feed to sleep; only of feeds with a hibernate_flag.";
    Gauge CALENDAR_LEFT "calendar_left_seconds" ["feed"] "Time until the calendar of the feed's market says nothing any more.";
    Gauge IN_FLIGHT "in_flight" ["feed"] "1 while a transaction of the feed is on its way.";
    Gauge SOURCES "sources_effective" ["feed"] "How many families of venues of equal weight would say as much as those that count now; 0 while there is no value.";
    Gauge SINGLE_SOURCE "single_source" ["feed"] "1 while a single family of venues is all that the feed's value rests on.";
    Gauge QUORUM_MARGIN "quorum_margin" ["feed"] "Families of venues that answer now, less the quorum: how many may fall silent before there is no value; below zero so many are missing.";
    Gauge CONFIDENCE "confidence_bps" ["feed"] "Half the width of what is not known of the feed's value now, in hundredths of a percent of it; NaN while there is no value.";
    Gauge BREAKER_STATE "breaker_state" ["feed", "state"] "1 for how the feed's breaker stands, 0 for every other: closed, open while it examines a step, half_open until a step that it believed is on chain; only of feeds that have one.";
    Gauge HEARTBEAT_MARGIN "heartbeat_margin_seconds" ["feed"] "Time left until the heartbeat is missed; negative is a broken promise.";
    Gauge PEG_LOST "peg_lost" ["rate"] "1 while the rate of a stable asset has lost its peg; absent where it has none.";
    Gauge CONSTANT_VALUE "constant_value" ["constant"] "What a constant was configured to be.";
    Gauge CONSTANT_LEFT "constant_left_seconds" ["constant"] "Time until a constant ends; 0 once it is over, and what it converts has no vote.";
    Gauge SOURCE_LEFT_OUT "source_left_out" ["feed", "source"] "1 while a source has no vote in a feed.";
    Gauge SOURCE_STANDING "source_standing" ["feed", "source", "standing"] "1 for how a source of a feed stands, 0 for every other.";
    Gauge SOURCE_HITS "source_hit_ratio" ["feed", "source"] "Share of the looks at a source, one a second, at which it had a usable quote to compare.";
    Gauge SOURCE_OUTSIDE "source_outside_ratio" ["feed", "source"] "Share of the looks at a source at which it was too far from the others.";
    Gauge SOURCE_AGE "source_age_seconds" ["feed", "source", "percentile"] "How old a source's quotes were at looks, one a second, over some two hours: the median and the 99th percentile, rounded up by at most a half.";
    Gauge SOURCE_LAG "source_lag_seconds" ["feed", "source"] "By how many seconds a source usually moves after the median of the others, below zero before it; absent while moves are too few to tell.";
    Counter SOURCE_TROUBLES "source_troubles_total" ["feed", "source", "reason"] "How often a source was put on probation, by reason.";
    Counter SOURCE_LEFT_OUT_TOTAL "source_left_out_total" ["feed", "source", "reason"] "How often a source lost its vote, by reason.";

    Histogram QUOTE_TO_INCLUSION "quote_to_inclusion_seconds" ["feed"] "From the receipt of the quote that completed a trigger to the first sight of the including block.";
    Histogram DECISION "decision_seconds" ["feed"] "From that quote to the journalled intent.";
    Histogram SIGN "sign_seconds" ["feed"] "Asking the signer and verifying its answer.";
    Histogram BROADCAST "broadcast_seconds" ["feed"] "From the signature to the first answer of a node.";
    Histogram INCLUSION "inclusion_seconds" ["feed"] "From the first broadcast to the first sight of the including block.";
    Counter COST "cost_gwei_total" ["feed"] "Fees paid by closed rounds, in gwei, rounded down; of a batch each feed has an equal share.";

    Counter STEPS "steps_total" ["outcome"] "Rollout steps that are over, by how they ended.";
    Counter SIGN_FAILURES "sign_failures_total" ["fault"] "Signer answers that gave no usable signature.";
    Counter SEND_OUTCOMES "send_outcomes_total" ["outcome"] "What broadcasts came to; ambiguous includes every text nobody knows.";
    Counter RESENDS "resends_total" [] "Broadcasts of bytes that had been sent before.";
    Counter FEE_BUMPS "fee_bumps_total" [] "Replacements with a higher fee.";
    Counter FEE_CAP_REACHED "fee_cap_reached_total" [] "How often the market asked for more than the configured cap.";
    Counter PRICE_REFUSED "price_refused_total" ["account"] "How often nodes took nothing at the highest price that may be offered.";
    Counter BUDGET_REACHED "budget_reached_total" ["scope"] "How often a round was held because its feed's hour or its account's day was spent.";
    Gauge BUDGET_LEFT "budget_left_gwei" ["scope"] "What a feed may still spend in this hour, or an account in this day, in gwei; absent without a cap.";
    Counter OUT_OF_FUNDS "out_of_funds_total" ["account"] "How often an account could not pay.";
    Counter ORPHANED "orphaned_total" [] "Transactions of ours that left the canonical chain again.";
    Counter FOREIGN_NONCES "foreign_nonces_total" [] "Nonces of ours that a stranger's transaction took.";

    Gauge HEAD_NUMBER "head_number" [] "Height of the latest head.";
    Gauge HEAD_AGE "head_age_seconds" [] "Time since the head last moved.";
    Gauge HEAD_STALLED "head_stalled" [] "1 while no new head comes.";
    Counter REORGS "reorgs_total" [] "Times the chain left blocks we had seen.";
    Histogram REORG_DEPTH "reorg_depth_blocks" [] "How many blocks it left.";
    Counter FINALITY_VIOLATIONS "finality_violations_total" [] "Blocks that counted as final and are gone.";
    Counter WINDOWS_LOST "head_window_lost_total" [] "Times more blocks were unknown than the head window holds.";
    Gauge HALTED "halted" ["scope"] "1 while something stands still until an operator acknowledges it.";

    Counter VENUE_REQUESTS "venue_requests_total" ["venue", "result"] "Polls of a venue, by result.";
    Gauge VENUE_LIMIT_USED "venue_limit_used_ratio" ["venue", "class"] "Part of a venue's rate limit that is believed to be used; from 0.8 on it is asked half as often, at 0.95 not at all.";
    Counter VENUE_LISTS "venue_lists_total" ["venue", "result"] "Looks at a venue's list of its markets, by result; absurd is one that is not believed.";
    Histogram VENUE_LATENCY "venue_latency_seconds" ["venue"] "How long a poll of a venue took.";
    Gauge VENUE_CLOCK_OFFSET "venue_clock_offset_seconds" ["venue"] "From a quote's exchange time to its receipt, the median of the last minutes; below zero the venue's clock is ahead. Absent where no time is said.";
    Gauge VENUE_DELAY "venue_delay_seconds" ["venue"] "From a quote's exchange time to its receipt, the least of the last minutes.";
    Gauge VENUE_CLOCK_WRONG "venue_clock_wrong" ["venue"] "1 while a venue's clock is wrong by more than its quotes can bear.";
    Gauge CLOCK_WRONG "clock_wrong" [] "1 while venues agree that this machine's clock is wrong.";
    Gauge VENUE_STREAM_UP "venue_stream_up" ["venue"] "1 while every market of a venue comes over its WebSocket, or has nothing to say on one that lives; polls are rare then.";
    Gauge VENUE_STREAM_SOCKETS "venue_stream_sockets" ["venue"] "Open WebSockets of a venue.";
    Counter VENUE_STREAM_ENDS "venue_stream_ends_total" ["venue", "reason"] "WebSockets of a venue that ended or could not be opened, by reason; each is followed by another attempt.";
    Counter VENUE_STREAM_MESSAGES "venue_stream_messages_total" ["venue", "kind"] "Messages on a venue's WebSockets: data, control, unpriced for those of a market that has no price now, or bad for those that cannot be read.";
    Counter RPC_REQUESTS "rpc_requests_total" ["method", "result"] "Requests to nodes, by result; method is batch for several questions.";
    Histogram RPC_LATENCY "rpc_latency_seconds" ["method"] "How long a request to a node took.";
    Gauge NODE_FAILING "node_failing" [] "1 while no node gives usable answers.";
    Gauge NODE_STATE "node_state" ["node", "state"] "1 for the state a node is in, 0 for every other.";
    Gauge NODE_READER "node_reader" ["node"] "1 for the node whose heads are believed.";
    Gauge NODE_SUBSCRIBED "node_subscribed" ["node"] "1 while a node's WebSocket tells of its heads, 0 while they are only polled.";
    Gauge NODE_HEAD "node_head_number" ["node"] "Height of a node's latest head.";
    Counter NODES_DIFFER "nodes_differ_total" ["what"] "Times nodes contradicted each other, by what about: nonce, receipt, block, head.";
    Counter SEND_CONFLICTS "send_conflicts_total" [] "Transactions that one node took and another said can never pass.";
    Gauge SIGNER_FAILING "signer_failing" [] "1 while the signer gives no usable signatures.";
    Gauge LEASE_EPOCH "lease_epoch" ["account"] "Epoch of the account's lease, if this replica holds it; 0 while it stands by.";
    Gauge JOURNAL_UNAVAILABLE "journal_unavailable" [] "1 while the journal cannot be written; nothing is sent then.";
}

/// Upper bounds in seconds, from a local signer to a stuck chain.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
    300.0,
];
/// Upper bounds in blocks.
const BLOCKS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0, 128.0];

/// The metrics cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The buckets of a histogram cannot be used.
    #[error("metrics: {0}")]
    Buckets(#[from] BuildError),
    /// The process records its metrics elsewhere already.
    #[error("metrics: a recorder is installed already")]
    Installed,
}

/// Where recorded metrics are read.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    /// Records everything this process emits from now on. Once a process.
    pub fn install() -> Result<Self, RecorderError> {
        let recorder = build()?;
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).map_err(|_| RecorderError::Installed)?;
        describe();
        Ok(Self(handle))
    }

    /// The metrics page in Prometheus' text format.
    pub fn render(&self) -> String {
        self.upkeep();
        self.0.render()
    }

    /// Folds recorded values into their buckets; to be called every few seconds, or they pile up unread.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }

    /// A recorder for `within` only.
    #[cfg(test)]
    pub(super) fn local<T>(within: impl FnOnce(&Self) -> T) -> T {
        let recorder = build().unwrap();
        let handle = Self(recorder.handle());
        ::metrics::with_local_recorder(&recorder, || {
            describe();
            within(&handle)
        })
    }
}

fn build() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for entry in METRICS.iter().filter(|entry| entry.kind == Kind::Histogram) {
        let bounds = if entry.name.ends_with("_blocks") { BLOCKS } else { SECONDS };
        builder = builder.set_buckets_for_metric(Matcher::Full(entry.name.to_owned()), bounds)?;
    }
    Ok(builder.build_recorder())
}

fn describe() {
    for Entry { name, kind, help, .. } in METRICS {
        let unit = if name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        match kind {
            Kind::Counter => ::metrics::describe_counter!(*name, unit, *help),
            Kind::Gauge => ::metrics::describe_gauge!(*name, unit, *help),
            Kind::Histogram => ::metrics::describe_histogram!(*name, unit, *help),
        }
    }
    BUILD_INFO.set([env!("CARGO_PKG_VERSION")], 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Everything in this folder that emits metrics.
    const SOURCES: [&str; 3] =
        [include_str!("emit.rs"), include_str!("report.rs"), include_str!("notice.rs")];

    #[test]
    fn every_metric_is_emitted_somewhere() {
        for ident in IDENTS.iter().filter(|ident| **ident != "BUILD_INFO") {
            let uses = [".count(", ".add(", ".set(", ".flag(", ".record(", ".record_span("];
            let used = SOURCES.iter().any(|s| uses.iter().any(|u| s.contains(&format!("{ident}{u}"))));
            assert!(used, "{ident} is in the registry and nothing emits it");
        }
    }

    #[test]
    fn names_follow_the_conventions() {
        let names: BTreeSet<_> = METRICS.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), METRICS.len(), "a name occurs twice");
        for entry in METRICS {
            assert_eq!(entry.kind == Kind::Counter, entry.name.ends_with("_total"), "{}", entry.name);
            assert!(entry.help.ends_with('.') && entry.help.len() > 20, "{}", entry.name);
            if entry.kind == Kind::Histogram {
                let unit = ["_seconds", "_blocks"].iter().any(|unit| entry.name.ends_with(unit));
                assert!(unit, "{} has no unit in its name", entry.name);
            }
        }
    }

    #[test]
    fn the_page_says_what_was_recorded_with_its_help() {
        let page = Recorder::local(|recorder| {
            DECISIONS.count(["BTC-USD", "publish", "first"]);
            COST.add(["BTC-USD"], 41);
            HELD.flag(["BTC-USD"], true);
            QUOTE_TO_INCLUSION.record_span(["BTC-USD"], Span::from_ms(1500));
            recorder.render()
        });
        for line in [
            "# TYPE publisher_decisions_total counter",
            r#"publisher_decisions_total{feed="BTC-USD",action="publish",reason="first"} 1"#,
            r#"publisher_cost_gwei_total{feed="BTC-USD"} 41"#,
            r#"publisher_held{feed="BTC-USD"} 1"#,
            r#"publisher_quote_to_inclusion_seconds_bucket{feed="BTC-USD",le="1"} 0"#,
            r#"publisher_quote_to_inclusion_seconds_bucket{feed="BTC-USD",le="2.5"} 1"#,
            r#"publisher_quote_to_inclusion_seconds_sum{feed="BTC-USD"} 1.5"#,
            "# HELP publisher_held 1 while the feed may not publish.",
            concat!(r#"publisher_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing in\n{page}");
        }
    }
}
