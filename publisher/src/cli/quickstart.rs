//! `publisher quickstart`: the main job in one command.

use super::output::{json, put, say};
use super::run::{failure, stall_after};
use super::{Ended, FINDING, Failure, OK, UNAVAILABLE};
use crate::config::Config;
use crate::driver::Clock;
use crate::quickstart::{CHAIN_ID, Stage};
use crate::rollout::{self, AddressBook};
use crate::start::{self, Verdict};
use crate::telemetry::{Health, LogFormat, LogSetup, Recorder, Server};
use clap::Args;
use publisher_core::event::Event;
use publisher_core::quote::FeedId;
use publisher_core::record::Outcome;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

#[derive(Args)]
pub(super) struct QuickstartArgs {
    /// End with exit code 0 after this many final rounds of each feed.
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// Use the real exchanges instead of simulated ones.
    #[arg(long)]
    live: bool,
    /// Print JSON lines instead of text.
    #[arg(long)]
    json: bool,
    /// Keep configuration, addresses and journal in this folder instead of a temporary one.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// What to log besides the rounds, in the syntax of tracing's filters.
    #[arg(long, default_value = "warn", value_name = "FILTER")]
    log: String,
}

pub(super) async fn run(args: QuickstartArgs) -> Ended {
    tokio::select! {
        ended = play(&args) => ended,
        () = super::interrupted() => {
            // Dropping the play ends anvil, the doubles and the daemon's tasks.
            say("stopped; everything that was started has been ended");
            Ok(OK)
        }
    }
}

async fn play(args: &QuickstartArgs) -> Ended {
    LogSetup { format: LogFormat::Human, filter: args.log.clone() }.install().map_err(Failure::usage)?;
    let anvil = tokio::task::spawn_blocking(|| crate::anvil::find(say))
        .await
        .map_err(Failure::unavailable)?
        .map_err(Failure::unavailable)?;
    let temporary;
    let folder = match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(Failure::unavailable)?;
            folder.clone()
        }
        None => {
            temporary = Temporary::new().map_err(Failure::unavailable)?;
            temporary.0.clone()
        }
    };
    let stage = Stage::set(&anvil, args.live).await.map_err(Failure::unavailable)?;
    let path = folder.join("publisher.toml");
    let text = stage.configuration(&folder).map_err(Failure::unavailable)?;
    std::fs::write(&path, text).map_err(Failure::unavailable)?;
    let mut config = Config::load(&path).map_err(Failure::usage)?;
    say("deploying an aggregator and a proxy for each feed");
    rollout::roll_out(&path, &config, "owner", |_| ()).await.map_err(Failure::unavailable)?;
    AddressBook::beside(&path).fill(&mut config).map_err(Failure::unavailable)?;

    let clock = Clock::new();
    let health = Health::new(CHAIN_ID, stall_after(config.chain.block_time), Arc::new(move || clock.now()));
    let examined = start::examine(&config).await;
    if examined.worst() > Verdict::Warn {
        let reasons: Vec<String> =
            examined.checks.into_iter().map(|c| format!("{}: {}", c.what, c.detail)).collect();
        return Err(Failure::new(UNAVAILABLE, reasons.join("\n")));
    }
    let mut driver =
        start::assemble(&config, examined, false, health.clone(), clock).await.map_err(failure)?;
    let (watcher, mut events) = mpsc::channel(1024);
    driver.watcher = Some(watcher);
    let server = match config.listen {
        Some(address) => {
            let recorder = Recorder::install().map_err(Failure::unavailable)?;
            let server = Server::bind(address, health, recorder).await.map_err(Failure::unavailable)?;
            Some(tokio::spawn(server.run(std::future::pending())))
        }
        None => None,
    };
    introduce(&config, &stage, &path, args);
    let (stop, stopped) = watch::channel(false);
    let (_operator, commands) = mpsc::channel(1);
    let daemon = tokio::spawn(driver.run(commands, stopped));
    let mut finals: BTreeMap<FeedId, u64> = config.feeds.keys().map(|id| (id.clone(), 0)).collect();
    while let Some(event) = events.recv().await {
        if let Some(feed) = show(&event, &config, args.json)
            && let Some(count) = finals.get_mut(&feed)
        {
            *count += 1;
        }
        if args.rounds.is_some_and(|wanted| finals.values().all(|count| *count >= wanted)) {
            break;
        }
    }
    let _gone = stop.send(true);
    let ended = daemon.await.map_err(Failure::unavailable)?;
    if let Some(server) = server {
        server.abort();
    }
    stage.network.stop().await;
    ended.map_err(Failure::unavailable)?;
    let done = args.rounds.is_some_and(|wanted| finals.values().all(|count| *count >= wanted));
    if done {
        let rounds: u64 = finals.values().sum();
        if args.json {
            json(&json!({ "event": "done", "final_rounds": rounds }));
        } else {
            put(&format!("done: {rounds} final rounds"));
        }
    }
    Ok(if done { OK } else { FINDING })
}

/// Where to look.
fn introduce(config: &Config, stage: &Stage, path: &Path, args: &QuickstartArgs) {
    let metrics = config.listen.map(|address| format!("http://{address}"));
    let feeds: Vec<_> = config
        .feeds
        .iter()
        .map(|(id, feed)| json!({ "feed": id.as_str(), "aggregator": feed.aggregator, "proxy": feed.proxy }))
        .collect();
    if args.json {
        return json(&json!({
            "event": "started", "chain_id": CHAIN_ID, "rpc": stage.network.url(), "telemetry": metrics,
            "signer": stage.signer.url(), "venues": stage.venues.as_ref().map(|v| v.control_url()),
            "config": path, "feeds": feeds,
        }));
    }
    put(&format!("chain     {CHAIN_ID} at {}", stage.network.url()));
    if let Some(metrics) = metrics {
        put(&format!("telemetry {metrics}/metrics  {metrics}/readyz  {metrics}/status"));
    }
    put(&format!("signer    {} (a double of Web3Signer)", stage.signer.url()));
    match &stage.venues {
        Some(venues) => {
            put(&format!("venues    simulated; change prices and cause faults at {}", venues.control_url()))
        }
        None => put("venues    the real exchanges"),
    }
    put(&format!("config    {}", path.display()));
    for (id, feed) in &config.feeds {
        let address = |a: Option<alloy::primitives::Address>| a.map_or_else(String::new, |a| a.to_string());
        put(&format!("{id:<9} aggregator {}  proxy {}", address(feed.aggregator), address(feed.proxy)));
    }
    put("\nfeed      round  answer            why        gas     latency (decide + sign + send + include)");
}

/// Prints a round that has become final; returns its feed.
fn show(event: &Event, config: &Config, as_json: bool) -> Option<FeedId> {
    let Event::Closed {
        feed: Some(feed),
        round: Some(round),
        outcome,
        answer: Some(answer),
        trigger,
        receipt: Some(receipt),
        latency,
        ..
    } = event
    else {
        return None;
    };
    let decimals = config.feeds.get(feed).map_or(8, |feed| feed.decimals);
    let why = trigger.map_or("recovered", |trigger| trigger.code());
    if as_json {
        json(&json!({
            "event": "round", "feed": feed.as_str(), "round": round, "outcome": outcome.code(),
            "answer": answer.to_string(), "price": answer.display(decimals).to_string(), "why": why,
            "gas_used": receipt.gas_used, "block": receipt.block_number, "transaction": receipt.hash,
            "latency_ms": {
                "decide": latency.decide.ms(), "sign": latency.sign.ms(), "send": latency.send.ms(),
                "include": latency.include.ms(), "total": latency.total.ms(),
            },
        }));
    } else {
        put(&format!(
            "{:<9} {round:<6} {:<17} {why:<10} {:<7} {} ms ({} + {} + {} + {})",
            feed.as_str(),
            answer.display(decimals).to_string(),
            receipt.gas_used,
            latency.total.ms(),
            latency.decide.ms(),
            latency.sign.ms(),
            latency.send.ms(),
            latency.include.ms(),
        ));
    }
    (*outcome == Outcome::Final).then(|| feed.clone())
}

/// A folder in which files still appear is removed again so often.
const REMOVALS_MAX: u32 = 20;

/// A folder that is removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("publisher-quickstart-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Interrupted, the daemon may be opening its journal at this very moment, which puts a file back.
        for _ in 0..REMOVALS_MAX {
            match std::fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                _ => return,
            }
        }
    }
}
