//! `publisher run`: log, configuration, checks, parts, run, drain.

use super::{Common, Ended, FINDING, Failure, OK, UNAVAILABLE, USAGE, load_quietly};
use crate::config::{Config, Problem};
use crate::driver::{self, Clock};
use crate::start::{self, Check, StartError, Verdict};
use crate::store::StoreError;
use crate::telemetry::{Health, LogFormat, Notice, Recorder, Server, notify};
use clap::Args;
use publisher_core::time::Span;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What is unavailable at the start is asked for again after this.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    common: Common,
    /// Log for people or as JSON lines, instead of what the configuration says.
    #[arg(long, value_name = "human|json")]
    log_format: Option<LogFormat>,
    /// You have read why the journal says something is halted, and repaired it: go on.
    #[arg(long)]
    acknowledge_halts: bool,
}

pub(super) async fn run(args: RunArgs) -> Ended {
    let config = load_quietly(&args.common)?;
    let mut log = config.log.clone();
    let json = args.common.json.then_some(LogFormat::Json);
    log.format = args.log_format.or(json).unwrap_or(log.format);
    log.install().map_err(Failure::usage)?;
    for Problem { path, reason, hint, .. } in &config.warnings.problems {
        let (what, detail, hint) = (path.clone(), reason.clone(), hint.clone());
        notify(&Notice::CheckWarned { what, detail, hint });
    }
    match publish(config, args.acknowledge_halts).await {
        // Whoever reads JSON lines reads nothing else.
        Err(failure) if log.format == LogFormat::Json => {
            let (what, detail) = ("publisher".to_owned(), failure.text);
            notify(&Notice::Refused { what, detail, hint: String::new() });
            Err(Failure::new(failure.code, ""))
        }
        ended => ended,
    }
}

async fn publish(config: Config, acknowledge_halts: bool) -> Ended {
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn(signals(stop));
    let clock = Clock::new();
    let health =
        Health::new(config.chain.id, stall_after(config.chain.block_time), Arc::new(move || clock.now()));
    for id in config.feeds.keys() {
        health.feed(id, |_| ());
    }
    let server = serve(&config, &health, stopped.clone()).await?;
    let Some(examined) = examine(&config, stopped.clone()).await? else { return Ok(OK) };
    let mut driver =
        start::assemble(&config, examined, acknowledge_halts, health, clock).await.map_err(failure)?;
    let (events, _unwatched) = mpsc::channel(1);
    driver.watcher = Some(events);
    notify(&Notice::Started {
        version: env!("CARGO_PKG_VERSION"),
        chain_id: config.chain.id,
        feeds: config.feeds.len(),
    });
    let (_operator, commands) = mpsc::channel(16);
    let ended = driver.run(commands, stopped).await.map_err(|error| failure(StartError::Journal(error)))?;
    signals.abort();
    drop(server);
    Ok(match ended {
        driver::Ended::Drained => OK,
        driver::Ended::Interrupted => FINDING,
    })
}

/// A chain counts as stalled after five block times, and not before ten seconds.
pub(super) fn stall_after(block_time: Span) -> Span {
    block_time.times(5).max(Span::from_s(10))
}

/// Serves metrics and health until the process is told to stop.
async fn serve(
    config: &Config,
    health: &Health,
    mut stopped: watch::Receiver<bool>,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    let Some(address) = config.listen else { return Ok(None) };
    let recorder = Recorder::install().map_err(Failure::unavailable)?;
    let server = Server::bind(address, health.clone(), recorder).await.map_err(|error| {
        Failure::unavailable(format!("telemetry.listen = {address}: {error}; choose another port"))
    })?;
    notify(&Notice::Listening { address: server.local_addr().map_or(address, |a| a).to_string() });
    Ok(Some(tokio::spawn(async move {
        // It answers while the driver drains, and ends with the process.
        let ended = async move {
            let _closed = stopped.wait_for(|_| false).await;
        };
        let _served = server.run(ended).await;
    })))
}

/// Checks until nothing is unavailable. `None`: told to stop meanwhile.
async fn examine(
    config: &Config,
    mut stopped: watch::Receiver<bool>,
) -> Result<Option<start::Examined>, Failure> {
    let mut said = Vec::new();
    loop {
        let examined = start::examine(config).await;
        match examined.worst() {
            Verdict::Ok | Verdict::Warn => {
                examined.checks.iter().filter(|c| c.verdict == Verdict::Warn).for_each(tell);
                return Ok(Some(examined));
            }
            Verdict::Wrong => {
                examined.checks.iter().filter(|c| c.verdict > Verdict::Warn).for_each(tell);
                return Err(Failure::new(USAGE, "refused to start: see above; nothing was signed"));
            }
            Verdict::Unavailable => {
                let waiting: Vec<Check> =
                    examined.checks.into_iter().filter(|c| c.verdict == Verdict::Unavailable).collect();
                let details: Vec<String> = waiting.iter().map(|c| c.what.clone()).collect();
                if said != details {
                    waiting.iter().for_each(tell);
                    said = details;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(None),
        }
    }
}

fn tell(check: &Check) {
    let (what, detail, hint) = (check.what.clone(), check.detail.clone(), check.hint.clone());
    match check.verdict {
        Verdict::Ok => {}
        Verdict::Warn => notify(&Notice::CheckWarned { what, detail, hint }),
        Verdict::Unavailable => notify(&Notice::CheckWaits { what, detail, hint }),
        Verdict::Wrong => notify(&Notice::Refused { what, detail, hint }),
    }
}

/// The exit code that an error means.
pub(super) fn failure(error: StartError) -> Failure {
    let code = match &error {
        StartError::Journal(StoreError::Unavailable { .. } | StoreError::Held { .. }) => UNAVAILABLE,
        _ => USAGE,
    };
    Failure::new(code, error.to_string())
}

/// SIGINT and SIGTERM ask to stop; a second one changes nothing, because draining has an end of its own.
async fn signals(stop: watch::Sender<bool>) {
    super::interrupted().await;
    let _nobody = stop.send(true);
    // Keeps the channel open, so that the telemetry server lives while the driver drains.
    std::future::pending::<()>().await;
}
