//! `publisher source`: the venues that can be read, and what proves that one is read rightly.

use super::feed::{Word, at_desk};
use super::new::{self, NewArgs};
use super::output::{json, put, table};
use super::simulate::{self, SimulateArgs};
use super::{Common, Ended, FINDING, Failure, OK, load};
use crate::driver::wall;
use crate::sources::{
    ApiKey, Client, Enough, Entry, Fixtures, Line, Preset, Problem, SourceWord, StreamSpec, Venue, VenueSpec,
    preset, presets, read_body, read_list, record_stream,
};
use clap::{Args, Subcommand};
use publisher_core::price::Price;
use publisher_core::quote::{Listing, Observation, VenueId};
use publisher_core::time::Span;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

#[derive(Subcommand)]
pub(super) enum SourceVerb {
    /// List the venues that come with the program.
    List(ListArgs),
    /// Begin the file of a venue that has none yet.
    New(NewArgs),
    /// Check a venue's file against recorded bodies and messages, or against the venue itself.
    Test(TestArgs),
    /// Ask a venue, or listen to it, and keep what it says and what is read from that as a fixture.
    Record(RecordArgs),
    /// Say what a share is worth whose step is not believed: what follows is held against that.
    Accept(AcceptArgs),
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
    /// The folder of its bodies and of `expected.toml`, in place of those of the program, or of `fixtures/NAME` beside the file.
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
pub(super) struct AcceptArgs {
    /// The source, as the configuration names it: an `erc4626` or a `curve-lp`.
    source: String,
    /// What it is worth, as `publisher quote` shows it.
    #[arg(long)]
    price: Price,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    which: Which,
    /// Also ask the venue for these symbols, as it spells them: over HTTP, over WebSocket and in its list, as far as it
    /// has them.
    #[arg(long, value_name = "SYMBOL", num_args = 1.., value_delimiter = ',')]
    live: Vec<String>,
    /// Listen here in place of the venue's own host; with --base-url, which may ask for a token, it is needed.
    #[arg(long, value_name = "URL", requires = "live")]
    stream_url: Option<Url>,
}

#[derive(Args)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    which: Which,
    /// The symbols to ask for, as the venue spells them.
    #[arg(long, value_name = "SYMBOL", num_args = 1.., value_delimiter = ',', required = true)]
    symbols: Vec<String>,
    /// What to call the body (`ok`, or `instruments` for a list, with which its name has to begin), or the file of messages (`stream`, with which its name has to begin).
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Write over what was recorded under that name before.
    #[arg(long)]
    force: bool,
    /// Ask for the list of what the venue trades, and keep that; what is expected is what it says of the symbols.
    #[arg(long, conflicts_with = "stream")]
    list: bool,
    /// Listen over WebSocket, and keep every frame as it comes.
    #[arg(long)]
    stream: bool,
    /// Listen no longer than this.
    #[arg(long, value_name = "SECONDS", default_value = "30", requires = "stream", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Keep no more frames than this.
    #[arg(long, value_name = "COUNT", default_value = "50", requires = "stream", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    frames: u64,
    /// Listen here in place of the venue's own host; with --base-url, which may ask for a token, it is needed.
    #[arg(long, value_name = "URL", requires = "stream")]
    stream_url: Option<Url>,
}

pub(super) async fn run(verb: SourceVerb) -> Ended {
    match verb {
        SourceVerb::List(args) => Ok(list(args.json)),
        SourceVerb::New(args) => new::run(&args),
        SourceVerb::Test(args) => test(args).await,
        SourceVerb::Record(args) => record(args).await,
        SourceVerb::Accept(args) => accept(args).await,
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

async fn accept(args: AcceptArgs) -> Ended {
    let config = load(&args.common)?;
    let (source, price) = (VenueId::new(&args.source), args.price);
    let contract = config
        .networks
        .values()
        .find_map(|network| network.sources.iter().find(|s| s.id == source)?.contract(network.chain_id));
    let none = || {
        Failure::usage(format!(
            "no share is called {source}: only an erc4626 or curve-lp source is held to its steps"
        ))
    };
    let contract = contract.ok_or_else(none)?;
    if !price.is_positive() {
        return Err(Failure::usage("a share is worth more than nothing"));
    }
    let (by, reason) = (args.word.by()?, args.word.reason);
    let word = SourceWord { id: 0, source, contract, price, said_at: wall(), by, reason };
    let word = at_desk(&config, async |desk| desk.accept(word).await).await?;
    match args.common.json {
        true => json(&json!({
            "id": word.id, "source": word.source.as_str(), "contract": word.contract, "price": price.to_string(),
            "said_at_ms": word.said_at.ms(), "by": word.by, "reason": word.reason,
        })),
        false => put(&format!("{}: worth {price} from now on, word {}", word.source, word.id)),
    }
    Ok(OK)
}

async fn test(args: TestArgs) -> Ended {
    let Subject { preset, folder } = args.which.subject()?;
    let mut findings = 0;
    let mut rows = vec![["body", "symbol", "read", "verdict"].map(str::to_owned).to_vec()];
    let (mut readings, mut problems, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |body: &str, symbol: Option<&str>, expected: Option<&str>, read: &str, right: bool| {
        findings += usize::from(!right);
        readings.push(json!({
            "body": body, "symbol": symbol, "expected": expected, "read": read, "right": right,
        }));
        let [expected, read] = [expected, Some(read)].map(|text| text.map(|text| text.replace('\n', " ")));
        let read = read.unwrap_or_default();
        let verdict = match (right, &expected) {
            (true, _) => "ok".to_owned(),
            (false, Some(expected)) => format!("WRONG, expected is {expected}"),
            (false, None) => "WRONG, nothing is expected of it".to_owned(),
        };
        rows.push(vec![body.to_owned(), symbol.unwrap_or("").to_owned(), read, verdict]);
    };
    let fixtures = match &folder {
        Some(folder) => Fixtures::read(folder).map(Some),
        None => Fixtures::shipped(preset.id()),
    };
    if let Some(fixtures) = fixtures.map_err(Failure::usage)? {
        for missing in fixtures.missing() {
            add(missing, None, Some("a body"), "nothing", false);
        }
        for reading in fixtures.replay(&preset).map_err(Failure::usage)? {
            let (symbol, expected) = (reading.symbol.as_deref(), reading.expected.as_deref());
            add(&reading.body, symbol, expected, &reading.read, reading.is_right());
            problems.extend(reading.problem());
        }
        if preset.has_stream() && !fixtures.has_stream() {
            let how = "record some with `publisher source record --stream`";
            notes.push(format!("its stream was not checked: there are no messages (stream.toml); {how}"));
        }
    }
    if !args.live.is_empty() {
        let venue = args.which.venue(&preset, &args.live)?;
        for Live { over, symbol, expected, read, right } in live(&venue).await {
            add(over, symbol.as_deref(), Some(expected), &read, right);
        }
        if preset.has_stream() {
            let spec = StreamSpec { url: args.stream_url.clone(), ..StreamSpec::default() };
            let venue = venue.with_stream(&preset, &spec).map_err(Failure::usage)?;
            if venue.lines().is_empty() {
                notes.push(format!(
                    "its stream was not listened to: {}",
                    deaf(args.stream_url.is_none() && args.which.base_url.is_some())
                ));
            }
            for line in venue.lines() {
                for Live { over, symbol, expected, read, right } in heard(line).await {
                    add(over, symbol.as_deref(), Some(expected), &read, right);
                }
            }
        }
    }
    match args.which.json {
        true => {
            let problems = problems.iter().map(|Problem { path, value, reason, hint }| {
                json!({ "path": path, "value": value, "reason": reason, "hint": hint })
            });
            json(&json!({
                "venue": preset.id(), "readings": readings, "findings": findings,
                "problems": problems.collect::<Vec<_>>(), "notes": notes,
            }));
        }
        false => {
            table(&rows);
            problems.iter().for_each(|problem| put(&problem.to_string()));
            notes.iter().for_each(|note| put(note));
            put(&format!("{}: {} readings, {findings} findings", preset.id(), readings.len()));
        }
    }
    Ok(if findings == 0 { OK } else { FINDING })
}

/// What the venue itself says of a symbol, and what is expected of it.
struct Live {
    over: &'static str,
    symbol: Option<String>,
    expected: &'static str,
    read: String,
    right: bool,
}

/// What a venue says over HTTP: prices, and in its list, if it has one.
async fn live(venue: &Venue) -> Vec<Live> {
    let poll = venue.poll(wall).await;
    let price = |observation| {
        let (market, read, right) = match observation {
            Observation::Quote(quote) => {
                let price = quote.price();
                let said = price.map_or_else(|fault| format!("{fault:?}"), |price| price.to_string());
                (quote.market, said, price.is_ok())
            }
            Observation::Missing { market, fault } => {
                let detail = poll.detail.as_deref().unwrap_or_default();
                (market, format!("{} {detail}", fault.code()).trim().to_owned(), false)
            }
        };
        Live { over: "live", symbol: Some(market.symbol.to_string()), expected: "a price", read, right }
    };
    let mut said: Vec<Live> = poll.observations.into_iter().map(price).collect();
    let over = "live list";
    match venue.entries(wall).await {
        None => {}
        Some(Err(read)) => said.push(Live { over, symbol: None, expected: "a list", read, right: false }),
        Some(Ok(entries)) => {
            said.extend(entries.into_iter().map(|Entry { market, listing, words }| Live {
                over,
                symbol: Some(market.symbol.to_string()),
                expected: Listing::Trading.code(),
                read: words.map_or_else(
                    || listing.code().to_owned(),
                    |words| format!("{}: {words}", listing.code()),
                ),
                right: listing == Listing::Trading,
            }))
        }
    }
    said
}

/// What comes over one socket until each of its markets has given a price.
async fn heard(line: &Line) -> Vec<Live> {
    /// Venues that tell of a market at once after a subscription take a second or two; others wait for a trade.
    const PATIENCE: Span = Span::from_s(15);
    let (over, expected) = ("live stream", "a price");
    let recording = match line.record(wall, PATIENCE, Enough::Prices).await {
        Ok(recording) => recording,
        Err(read) => return vec![Live { over, symbol: None, expected: "a socket", read, right: false }],
    };
    let silence = || recording.ended.map_or_else(|| format!("nothing within {PATIENCE}"), str::to_owned);
    let said = line.markets().iter().map(|market| {
        let price = recording.prices.get(market);
        let read = price.map_or_else(silence, ToString::to_string);
        Live { over, symbol: Some(market.symbol.to_string()), expected, read, right: price.is_some() }
    });
    said.collect()
}

async fn record(args: RecordArgs) -> Ended {
    let Subject { preset, folder } = args.which.subject()?;
    let missing = || Failure::usage("name the folder with --fixtures, or the venue by its file");
    let folder = folder.ok_or_else(missing)?;
    let fixtures = Fixtures::read(&folder).map_err(Failure::usage)?;
    if args.stream {
        return record_messages(&args, &preset, &fixtures, &folder).await;
    }
    let name = args.name.as_deref().unwrap_or(if args.list { "instruments" } else { "ok" });
    if Fixtures::is_list(name) != args.list {
        let reason =
            format!("--name {name}: names of lists, and of nothing else, begin with \"instruments\"");
        return Err(Failure::usage(reason));
    }
    let unlisted =
        || Failure::usage(format!("the preset of {} says of no list; add a table instruments", preset.id()));
    if args.list && !preset.has_list() {
        return Err(unlisted());
    }
    let venue = args.which.venue(&preset, &args.symbols)?;
    let came = match args.list {
        false => venue.body(wall).await,
        true => venue.list_body(wall).await.ok_or_else(unlisted)?,
    };
    let (body, received) = came.map_err(Failure::unavailable)?;
    let symbols: Vec<&str> = args.symbols.iter().map(String::as_str).collect();
    let rows = match args.list {
        false => read_body(&preset, &body, &symbols, received),
        true => read_list(&preset, &body, &symbols),
    };
    let rows = rows.map_err(Failure::usage)?;
    let refused = |fault: String| Failure::unavailable(format!("the body is refused as a whole: {fault}"));
    let rows: Vec<(String, String)> = args.symbols.iter().cloned().zip(rows.map_err(refused)?).collect();
    let path = fixtures.record(&folder, name, &body, rows.clone(), received, args.force);
    let path = path.map_err(Failure::usage)?;
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

/// Why there is no socket to listen to.
fn deaf(is_elsewhere: bool) -> &'static str {
    if is_elsewhere { "name --stream-url as well" } else { "the stream has none of these markets" }
}

/// Listens to one socket for a while, and keeps what came.
async fn record_messages(args: &RecordArgs, preset: &Preset, fixtures: &Fixtures, folder: &Path) -> Ended {
    let name = args.name.as_deref().unwrap_or("stream");
    if !name.starts_with("stream") {
        return Err(Failure::usage(format!("--name {name}: files of messages begin with \"stream\"")));
    }
    if !preset.has_stream() {
        return Err(Failure::usage(format!(
            "the preset of {} says of no stream; add a table stream",
            preset.id()
        )));
    }
    let path = fixtures.stream_path(folder, name, args.force).map_err(Failure::usage)?;
    let spec = StreamSpec { url: args.stream_url.clone(), ..StreamSpec::default() };
    let venue =
        args.which.venue(preset, &args.symbols)?.with_stream(preset, &spec).map_err(Failure::usage)?;
    let [line] = venue.lines() else {
        let hint = match venue.lines().len() {
            0 => deaf(args.stream_url.is_none() && args.which.base_url.is_some()),
            _ => "these markets take more than one socket; name fewer",
        };
        return Err(Failure::usage(format!("{}: {hint}", preset.id())));
    };
    let enough = Enough::Frames(usize::try_from(args.frames).unwrap_or(usize::MAX));
    let recording = line.record(wall, Span::from_s(args.seconds), enough).await;
    let recording = recording.map_err(Failure::unavailable)?;
    if recording.frames.is_empty() {
        let why = recording.ended.unwrap_or("nothing came in time");
        return Err(Failure::unavailable(format!("the stream of {}: {why}", preset.id())));
    }
    let read = record_stream(preset, &args.symbols, &recording, &path).map_err(Failure::usage)?;
    let silent: Vec<&String> = args.symbols.iter().filter(|symbol| !read.contains_key(*symbol)).collect();
    match args.which.json {
        true => json(&json!({
            "venue": preset.id(), "body": path, "bytes": recording.bytes, "frames": recording.frames.len(),
            "read": read, "silent": silent, "ended": recording.ended,
        })),
        false => {
            table(
                &read.iter().map(|(symbol, quote)| vec![symbol.clone(), quote.clone()]).collect::<Vec<_>>(),
            );
            let (count, bytes) = (recording.frames.len(), recording.bytes);
            put(&format!(
                "{count} frames of {bytes} bytes in {}; read it before you trust it",
                path.display()
            ));
            silent.iter().for_each(|symbol| put(&format!("{symbol}: no price came")));
            recording.ended.iter().for_each(|why| put(&format!("it ended early: {why}")));
        }
    }
    Ok(if silent.is_empty() { OK } else { FINDING })
}
