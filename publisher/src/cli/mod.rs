//! The command line: verbs, output for people and machines, exit codes.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 all is well, 1 a finding, 64 wrong usage or
//! configuration, 69 something needed is unavailable.

mod check;
mod config;
mod deploy;
mod feed;
mod lint;
mod lists;
mod market;
mod memory;
mod new;
mod output;
mod quickstart;
mod quote;
mod run;
mod simulate;
mod source;
mod status;

use crate::config::{Config, Problems};
use crate::rollout::AddressBook;
use clap::{Args, Parser, Subcommand};
use output::say;
use std::path::PathBuf;
use std::process::ExitCode;

/// Everything was as asked.
const OK: u8 = 0;
/// There is a finding.
const FINDING: u8 = 1;
/// The command line or the configuration is wrong (`EX_USAGE`).
const USAGE: u8 = 64;
/// Something that is needed is not available (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;

/// The oracle publisher for operators of EVM networks.
#[derive(Parser)]
#[command(name = "publisher", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Publish the feeds of a configuration until told to stop.
    Run(run::RunArgs),
    /// Check a configuration; with --online also the node, the signers, the journal's database, the contracts and every source.
    Check(check::CheckArgs),
    /// Prove which thresholds of a configuration can never or must always fire.
    Lint(lint::LintArgs),
    /// Fetch a feed's sources once and show what each one says and what follows.
    Quote(quote::QuoteArgs),
    /// List venues, check a venue's file against recorded bodies, record new ones, or run doubles of all venues.
    #[command(subcommand)]
    Source(source::SourceVerb),
    /// Show what a running publisher, or its journal, says about every feed.
    Status(status::StatusArgs),
    /// Pause feeds and override their policies, for a while and with a reason.
    #[command(subcommand)]
    Feed(feed::FeedVerb),
    /// Show what the markets of feeds do, and say that one of them is halted, for a while and with a reason.
    #[command(subcommand)]
    Market(market::MarketVerb),
    /// Deploy the contracts of a configuration's feeds, or verify them.
    #[command(subcommand)]
    Deploy(deploy::DeployVerb),
    /// Start a whole local network with two feeds and watch it publish. Needs no set-up.
    Quickstart(quickstart::QuickstartArgs),
    /// Print an example configuration, its schema or its reference.
    #[command(subcommand)]
    Config(config::ConfigVerb),
}

/// Which configuration, and how to print.
#[derive(Args, Clone)]
struct Common {
    /// The configuration file.
    #[arg(long, short, default_value = "publisher.toml", value_name = "FILE")]
    config: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// An error that has been worded, and the exit code it means. Without a text it has been told already.
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::new(UNAVAILABLE, error.to_string())
    }

    fn usage(error: impl std::fmt::Display) -> Self {
        Self::new(USAGE, error.to_string())
    }
}

/// What a verb ends with.
type Ended = Result<u8, Failure>;

/// The program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _written = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { OK });
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("publisher: no runtime: {error}"));
            return ExitCode::from(UNAVAILABLE);
        }
    };
    let ended = runtime.block_on(async {
        match cli.verb {
            Verb::Run(args) => run::run(args).await,
            Verb::Check(args) => check::run(args).await,
            Verb::Lint(args) => lint::run(&args),
            Verb::Quote(args) => quote::run(args).await,
            Verb::Source(verb) => source::run(verb).await,
            Verb::Status(args) => status::run(args).await,
            Verb::Feed(verb) => feed::run(verb).await,
            Verb::Market(verb) => market::run(verb).await,
            Verb::Deploy(verb) => deploy::run(verb).await,
            Verb::Quickstart(args) => quickstart::run(args).await,
            Verb::Config(verb) => Ok(config::run(&verb)),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if !failure.text.is_empty() {
                say(&format!("publisher: {}", failure.text));
            }
            ExitCode::from(failure.code)
        }
    }
}

/// The configuration, with the addresses that `publisher deploy` recorded beside it. Warnings go to stderr.
fn load(common: &Common) -> Result<Config, Failure> {
    let config = load_quietly(common)?;
    if !config.warnings.is_empty() {
        say(&config.warnings.to_string());
    }
    Ok(config)
}

/// The same without a word about warnings.
fn load_quietly(common: &Common) -> Result<Config, Failure> {
    let refused = |problems: Problems| {
        if common.json {
            output::json(&problems.json());
        }
        // In a form that editors jump to, so without a word before it.
        say(&problems.to_string());
        Failure::new(USAGE, "")
    };
    let mut config = Config::load(&common.config).map_err(refused)?;
    AddressBook::beside(&common.config).fill(&mut config).map_err(Failure::usage)?;
    Ok(config)
}

/// Completes when the process is asked to stop.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _interrupt = tokio::signal::ctrl_c().await;
        }
    }
}
