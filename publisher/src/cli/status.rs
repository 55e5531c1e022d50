//! `publisher status`: what a running daemon says about itself, or else what its journal says.

use super::output::{json, put, table};
use super::{Common, Ended, FINDING, Failure, OK, load};
use crate::config::Config;
use crate::store::{Decision, Journal};
use crate::telemetry::{ClockStatus, ConstantStatus, Phase, Status};
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;

/// A daemon that runs answers at once.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rounds shown of each feed when only the journal can be asked.
const ROUNDS: u32 = 5;

#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: StatusArgs) -> Ended {
    let config = load(&args.common)?;
    match running(&config).await {
        Some(status) => {
            show(&status, args.common.json);
            Ok(if status.readiness.phase == Phase::Ready { OK } else { FINDING })
        }
        None => from_journal(&config, args.common.json).await,
    }
}

/// What the daemon says, if one runs.
async fn running(config: &Config) -> Option<Status> {
    let address = config.listen?;
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().ok()?;
    client.get(format!("http://{address}/status")).send().await.ok()?.json().await.ok()
}

fn show(status: &Status, as_json: bool) {
    if as_json {
        return json(&json!(status));
    }
    let head = status.head.map_or_else(|| "no head yet".to_owned(), |h| format!("head {}", h.number));
    put(&format!(
        "publisher {} on chain {}, {head}, up {} s",
        status.version,
        status.chain_id,
        status.uptime_ms / 1000
    ));
    let mut rows = vec![
        ["feed", "kept in", "round", "answer", "value now", "heartbeat in", "state"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for feed in &status.feeds {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let state = match (&feed.hold, feed.in_flight) {
            (_, true) => "round on its way".to_owned(),
            (Some(hold), false) => format!("held back: {hold}"),
            (None, false) => "waiting for a trigger".to_owned(),
        };
        let market = feed.market.as_ref().map(|market| {
            let switched = if market.conduct == "switch_source" { ", sources of off hours" } else { "" };
            format!(" ({} {}{switched})", market.calendar, market.status)
        });
        let off_peg = if feed.off_peg { " (off a peg)" } else { "" };
        let state = state + &market.unwrap_or_default() + off_peg;
        rows.push(vec![
            feed.feed.clone(),
            kept_in(feed.store.as_deref(), feed.store_id),
            feed.round.map_or_else(|| "-".to_owned(), |round| round.to_string()),
            text(&feed.answer),
            text(&feed.value),
            feed.heartbeat_margin_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} s", ms / 1000)),
            state,
        ]);
    }
    table(&rows);
    let mut rows = vec![["node", "state", "head", "behind", "use"].map(str::to_owned).to_vec()];
    for node in &status.nodes {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let state = match node.detail.as_str() {
            "" => node.state.clone(),
            detail => format!("{}: {detail}", node.state),
        };
        let used = match (node.send_only, node.reader) {
            (true, _) => "sent to only",
            (false, true) => "read",
            (false, false) => "",
        };
        rows.push(vec![node.node.clone(), state, number(node.head), number(node.behind), used.to_owned()]);
    }
    table(&rows);
    if !status.streams.is_empty() {
        let mut rows = vec![["venue", "stream", "markets", "sockets"].map(str::to_owned).to_vec()];
        for stream in &status.streams {
            let state = match stream.detail.as_str() {
                "" => stream.state.clone(),
                detail => format!("{}: {detail}", stream.state),
            };
            let of = |part: usize, whole: usize| format!("{part} of {whole}");
            rows.push(vec![
                stream.venue.clone(),
                state,
                of(stream.live, stream.markets),
                of(stream.open, stream.sockets),
            ]);
        }
        table(&rows);
    }
    if !status.accounts.is_empty() {
        let mut rows = vec![["account", "nonce", "open", "lease"].map(str::to_owned).to_vec()];
        for account in &status.accounts {
            let lease = match (account.epoch, &account.holder) {
                (Some(epoch), _) => format!("held here, epoch {epoch}"),
                (None, Some(holder)) => format!("standby: {holder} holds it"),
                (None, None) => "standby: nobody holds it".to_owned(),
            };
            let (nonce, open) = match account.epoch {
                Some(_) => (account.next_nonce.to_string(), account.open.to_string()),
                None => ("-".to_owned(), "-".to_owned()),
            };
            rows.push(vec![account.account.to_string(), nonce, open, lease]);
        }
        table(&rows);
    }
    for clock in status.clocks.iter().filter(|clock| clock.state != "right") {
        let ClockStatus { venue, state, offset_ms, .. } = clock;
        put(&format!("the clock of {venue} is {state}: its quotes are {offset_ms} ms late"));
    }
    if !matches!(status.own_clock.as_str(), "right" | "") {
        put(&format!("this machine's clock is {}", status.own_clock));
    }
    for (rate, _) in status.pegs_lost.iter().filter(|(_, lost)| **lost) {
        put(&format!("{rate} has lost its peg"));
    }
    for constant in &status.constants {
        let ConstantStatus { constant, value, comment, .. } = constant;
        match value {
            Some(value) => put(&format!("{constant} is {value}: {comment}")),
            None => put(&format!("{constant} is over")),
        }
    }
    for failing in &status.readiness.failing {
        put(&format!("not ready: {} {}: {}", failing.what, failing.code, failing.detail));
    }
}

/// Where a feed's rounds are kept.
fn kept_in(store: Option<&str>, number: Option<u16>) -> String {
    match (store, number) {
        (Some(store), Some(number)) => format!("{store} {number}"),
        _ => "its own".to_owned(),
    }
}

/// Why a round was planned.
fn decision(decision: &Decision) -> Value {
    let market = decision.market.as_ref().map(|market| {
        json!({
            "calendar": market.calendar, "calendar_digest": market.digest.to_string(),
            "status": market.status, "conduct": market.conduct,
        })
    });
    json!({ "trigger": decision.trigger, "market": market })
}

/// What the journal says; the daemon does not answer.
async fn from_journal(config: &Config, as_json: bool) -> Ended {
    let reader = Journal::open_read_only(&config.journal).await.map_err(Failure::unavailable)?;
    let mut feeds = Vec::new();
    let mut rows =
        vec![["feed", "kept in", "round", "answer", "why", "signed", "state"].map(str::to_owned).to_vec()];
    for (id, feed) in &config.feeds {
        let store = feed.entry.as_ref().map(|(store, _)| store.as_str());
        let store_id = feed.entry.as_ref().map(|(_, entry)| entry.number);
        for entry in reader.rounds(id, ROUNDS).await.map_err(Failure::unavailable)? {
            let last = entry.attempts.last();
            let answer =
                last.and_then(|a| a.attempt.answer_of(id)).map(|a| a.display(feed.decimals).to_string());
            let state = match (&entry.closed, &entry.inclusion, last) {
                (Some((outcome, _)), ..) => outcome.code(),
                (None, Some(_), _) => "included",
                (None, None, Some(_)) => "sent",
                (None, None, None) => "planned",
            };
            // Which round a batch makes of its entry, the store alone knows; the journal knows the batch.
            let (number, kind) = (entry.number, if entry.in_batch { "sequence" } else { "round" });
            feeds.push(json!({
                "feed": id.as_str(), "store": store, "store_id": store_id, kind: number, "answer": answer,
                "state": state, "decision": entry.decision.as_ref().map(decision),
            }));
            rows.push(vec![
                id.to_string(),
                kept_in(store, store_id),
                if entry.in_batch { format!("in batch {number}") } else { number.to_string() },
                answer.unwrap_or_else(|| "-".to_owned()),
                entry.decision.map_or_else(|| "-".to_owned(), |decision| decision.trigger),
                last.map_or_else(|| "-".to_owned(), |a| a.signed_at.ms().to_string()),
                state.to_owned(),
            ]);
        }
    }
    let halts = reader.recovered().await.map_err(Failure::unavailable)?.halts;
    reader.close().await;
    if as_json {
        let halts: Vec<String> = halts.iter().map(|(_, reason)| reason.clone()).collect();
        json(&json!({ "running": false, "rounds": feeds, "halts": halts }));
    } else {
        put("no publisher answers; this is what its journal says");
        table(&rows);
        for (_, reason) in &halts {
            put(&format!("halted: {reason}"));
        }
    }
    Ok(FINDING)
}
