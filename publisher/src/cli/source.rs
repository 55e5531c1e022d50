//! `publisher source`: the venues that can be read, and what proves that one is read rightly.

use super::output::{json, put, table};
use super::simulate::{self, SimulateArgs};
use super::{Ended, FINDING, Failure, OK};
use crate::driver::wall;
use crate::sources::{ApiKey, Client, Fixtures, Preset, Venue, VenueSpec, preset, presets, read_body};
use clap::{Args, Subcommand};
use publisher_core::quote::{Observation, VenueId};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

#[derive(Subcommand)]
pub(super) enum SourceVerb {
    /// List the venues that come with the program.
    List(ListArgs),
    /// Check a venue's file against recorded bodies, or against the venue itself.
    Test(TestArgs),
    /// Ask a venue, and keep its body and what is read from it as a fixture.
    Record(RecordArgs),
    /// Run doubles of all venues on loopback, over HTTP and WebSocket, whose prices and faults are yours to set.
    Simulate(SimulateArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Which venue.
#[derive(Args)]
struct Which {
    /// A venue that comes with the program, or a file that describes one (`gate.toml`).
    venue: String,
    /// The folder of its bodies and of `expected.toml`, in place of `fixtures/NAME` beside the file.
    #[arg(long, value_name = "FOLDER")]
    fixtures: Option<PathBuf>,
    /// Ask here in place of the venue's own host.
    #[arg(long, value_name = "URL")]
    base_url: Option<Url>,
    /// The environment variable that holds the key to its API.
    #[arg(long, value_name = "VARIABLE")]
    key_env: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    which: Which,
    /// Also ask the venue for these symbols, as it spells them.
    #[arg(long, value_name = "SYMBOL", num_args = 1.., value_delimiter = ',')]
    live: Vec<String>,
}

#[derive(Args)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    which: Which,
    /// The symbols to ask for, as the venue spells them.
    #[arg(long, value_name = "SYMBOL", num_args = 1.., value_delimiter = ',', required = true)]
    symbols: Vec<String>,
    /// What to call the body.
    #[arg(long, value_name = "BODY", default_value = "ok")]
    name: String,
}

pub(super) async fn run(verb: SourceVerb) -> Ended {
    match verb {
        SourceVerb::List(args) => Ok(list(args.json)),
        SourceVerb::Test(args) => test(args).await,
        SourceVerb::Record(args) => record(args).await,
        SourceVerb::Simulate(args) => simulate::run(args).await,
    }
}

fn list(as_json: bool) -> u8 {
    let mut rows = vec![["venue", "symbols", "every", "time", "what it is"].map(str::to_owned).to_vec()];
    let mut venues = Vec::new();
    for preset in presets() {
        let hosts: Vec<&str> = preset.hosts().iter().map(Url::as_str).collect();
        venues.push(json!({
            "venue": preset.id(), "symbols": preset.symbol_format(), "every_ms": preset.every().ms(),
            "says_time": preset.has_time(), "hosts": hosts, "about": preset.about(),
        }));
        let time = if preset.has_time() { "said" } else { "not said" };
        let [id, about] = [preset.id(), preset.about()].map(str::to_owned);
        rows.push(vec![id, preset.symbol_format(), preset.every().to_string(), time.to_owned(), about]);
    }
    match as_json {
        true => json(&json!({ "venues": venues })),
        false => table(&rows),
    }
    OK
}

/// A preset, and where its fixtures are.
struct Subject {
    preset: Preset,
    folder: Option<PathBuf>,
}

impl Which {
    fn subject(&self) -> Result<Subject, Failure> {
        let path = Path::new(&self.venue);
        if path.extension().is_none() {
            let known = || presets().iter().map(Preset::id).collect::<Vec<_>>().join(", ");
            let hint = || format!("no venue {:?}; there are {}, or name a .toml file", self.venue, known());
            let preset = preset(&self.venue).ok_or_else(|| Failure::usage(hint()))?.clone();
            return Ok(Subject { preset, folder: self.fixtures.clone() });
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        let preset = Preset::parse(&self.venue, &text).map_err(Failure::usage)?;
        let beside = || path.with_file_name("fixtures").join(preset.id());
        let folder = Some(self.fixtures.clone().unwrap_or_else(beside));
        Ok(Subject { preset, folder })
    }

    /// The venue, to be asked for these symbols.
    fn venue(&self, preset: &Preset, symbols: &[String]) -> Result<Venue, Failure> {
        let symbols: BTreeSet<Arc<str>> = symbols.iter().map(|symbol| symbol.as_str().into()).collect();
        let key = match &self.key_env {
            Some(name) => {
                let text = std::env::var(name).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
                Some(ApiKey::new(&text))
            }
            None => None,
        };
        let id = VenueId::new(preset.id());
        let spec = VenueSpec { base_url: self.base_url.clone(), key, ..VenueSpec::new(id) };
        let client = Client::new().map_err(Failure::unavailable)?;
        Venue::new(preset, spec, symbols, &client).map_err(Failure::usage)
    }
}

async fn test(args: TestArgs) -> Ended {
    let Subject { preset, folder } = args.which.subject()?;
    let mut findings = 0;
    let mut rows = vec![["body", "symbol", "read", "verdict"].map(str::to_owned).to_vec()];
    let mut readings = Vec::new();
    let mut add = |body: &str, symbol: Option<&str>, expected: Option<&str>, read: &str, right: bool| {
        findings += usize::from(!right);
        readings.push(json!({
            "body": body, "symbol": symbol, "expected": expected, "read": read, "right": right,
        }));
        let verdict = match (right, expected) {
            (true, _) => "ok".to_owned(),
            (false, Some(expected)) => format!("WRONG, expected is {expected}"),
            (false, None) => "WRONG, nothing is expected of it".to_owned(),
        };
        rows.push(vec![body.to_owned(), symbol.unwrap_or("").to_owned(), read.to_owned(), verdict]);
    };
    if let Some(folder) = &folder {
        let fixtures = Fixtures::read(folder).map_err(Failure::usage)?;
        for missing in fixtures.missing() {
            add(missing, None, Some("a body"), "nothing", false);
        }
        for reading in fixtures.replay(&preset).map_err(Failure::usage)? {
            let (symbol, expected) = (reading.symbol.as_deref(), reading.expected.as_deref());
            add(&reading.body, symbol, expected, &reading.read, reading.is_right());
        }
    } else if args.live.is_empty() {
        let hint = "name its file, or a folder with --fixtures, or symbols with --live";
        return Err(Failure::usage(format!("the program carries no bodies of {}; {hint}", preset.id())));
    }
    if !args.live.is_empty() {
        let poll = args.which.venue(&preset, &args.live)?.poll(wall).await;
        for observation in poll.observations {
            match observation {
                Observation::Quote(quote) => {
                    let price = quote.price();
                    let said = price.map_or_else(|fault| format!("{fault:?}"), |price| price.to_string());
                    add("live", Some(&quote.market.symbol), Some("a price"), &said, price.is_ok());
                }
                Observation::Missing { market, fault } => {
                    let detail = poll.detail.as_deref().unwrap_or_default();
                    let said = format!("{} {detail}", fault.code());
                    add("live", Some(&market.symbol), Some("a price"), said.trim(), false);
                }
            }
        }
    }
    match args.which.json {
        true => json(&json!({ "venue": preset.id(), "readings": readings, "findings": findings })),
        false => {
            table(&rows);
            put(&format!("{}: {} readings, {findings} findings", preset.id(), readings.len()));
        }
    }
    Ok(if findings == 0 { OK } else { FINDING })
}

async fn record(args: RecordArgs) -> Ended {
    let Subject { preset, folder } = args.which.subject()?;
    let missing = || Failure::usage("name the folder with --fixtures, or the venue by its file");
    let folder = folder.ok_or_else(missing)?;
    let fixtures = Fixtures::read(&folder).map_err(Failure::usage)?;
    let venue = args.which.venue(&preset, &args.symbols)?;
    let (body, received) = venue.body(wall).await.map_err(Failure::unavailable)?;
    let symbols: Vec<&str> = args.symbols.iter().map(String::as_str).collect();
    let rows = read_body(&preset, &body, &symbols, received).map_err(Failure::usage)?;
    let refused = |fault: String| Failure::unavailable(format!("the body is refused as a whole: {fault}"));
    let rows: Vec<(String, String)> = args.symbols.iter().cloned().zip(rows.map_err(refused)?).collect();
    let path = fixtures.record(&folder, &args.name, &body, rows.clone(), received).map_err(Failure::usage)?;
    match args.which.json {
        true => json(&json!({ "venue": preset.id(), "body": path, "bytes": body.len(), "read": rows })),
        false => {
            table(&rows.into_iter().map(|(symbol, row)| vec![symbol, row]).collect::<Vec<_>>());
            put(&format!(
                "{} bytes in {}; read expected.toml beside it before you trust it",
                body.len(),
                path.display()
            ));
        }
    }
    Ok(OK)
}
