//! The command line as its users meet it: words, data, exit codes.

use crate::BINARY;
use anyhow::{Result, ensure};
use publisher_doubles::venues::{Fault, Venue};
use publisher_tests::cli::{Ran, run, transcript};
use publisher_tests::world::{Options, PATIENCE, World};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

mod quote;
mod source;

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";
/// The width that help is folded at, whatever terminal the tests run in.
const WIDTH: (&str, &str) = ("COLUMNS", "100");

fn transcripts(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("it/transcripts").join(name)
}

/// Runs every command line in turn.
async fn all<'a>(dir: &Path, lines: &[&'a [&'a str]]) -> Result<Vec<(&'a [&'a str], Ran)>> {
    let mut ran = Vec::new();
    for line in lines {
        ran.push((*line, run(BINARY, dir, line, &[WIDTH]).await?));
    }
    Ok(ran)
}

/// Without this a flag disappears, or help stops helping, and nobody sees it in review.
#[tokio::test]
async fn help_says_what_the_transcript_says() {
    let lines: &[&[&str]] = &[
        &["--help"],
        &["--version"],
        &["help", "run"],
        &["run", "--help"],
        &["check", "--help"],
        &["lint", "--help"],
        &["quote", "--help"],
        &["source", "--help"],
        &["source", "new", "--help"],
        &["source", "test", "--help"],
        &["source", "record", "--help"],
        &["source", "accept", "--help"],
        &["source", "simulate", "--help"],
        &["status", "--help"],
        &["feed", "--help"],
        &["feed", "show", "--help"],
        &["feed", "pause", "--help"],
        &["feed", "override", "--help"],
        &["feed", "submit", "--help"],
        &["deploy", "--help"],
        &["deploy", "plan", "--help"],
        &["deploy", "apply", "--help"],
        &["deploy", "verify", "--help"],
        &["quickstart", "--help"],
        &["config", "--help"],
        &[],
    ];
    let dir = tempfile::tempdir().unwrap();
    let ran = all(dir.path(), lines).await.unwrap();
    transcript(&transcripts("help.txt"), &ran, &[("publisher-under-test".into(), "publisher")]).unwrap();
}

/// Eight different mistakes.
const WRONG: &str = r#"
[chain]
id = 138
rpc = ["ftp://node:8545"]
block_time = "2s"
finality = "depth:0"
fees = "cheap"

[signer.main]
kind = "web3signer"
url = "http://127.0.0.1:9000"
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

[feed."BTC-USD"]
decimals = 8
min = "10"
max = "1"
sorces = []
sources = ["coinbas:BTC-USD", "kraken:XBTUSD", "binance:BTCUSDT * USDT-EUR"]
[feed."BTC-USD".policy]
deviation = 0.5
"#;

/// Without this an operator corrects one mistake at a time, and a script cannot tell a mistake from an outage.
#[tokio::test]
async fn wrong_usage_and_wrong_configurations_exit_with_64_and_say_everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("wrong.toml"), WRONG).unwrap();
    std::fs::write(dir.path().join("torn.toml"), "[chain\nid = 138\n").unwrap();
    let lines: [&[&str]; 8] = [
        &["check", "--config", "wrong.toml"],
        &["check", "--config", "wrong.toml", "--json"],
        &["check", "--config", "torn.toml"],
        &["check"],
        &["publish"],
        &["check", "--onlin"],
        &["quote"],
        &["run", "--log-format", "xml"],
    ];
    let ran = all(dir.path(), &lines).await.unwrap();
    let verbs: [&[&str]; 6] = [
        &["run"],
        &["quote", "BTC-USD"],
        &["status"],
        &["deploy", "plan"],
        &["deploy", "apply"],
        &["deploy", "verify"],
    ];
    for verb in verbs {
        let line: Vec<&str> = verb.iter().copied().chain(["--config", "wrong.toml"]).collect();
        let same = run(BINARY, dir.path(), &line, &[]).await.unwrap();
        assert_eq!((same.code, &same.err), (64, &ran[0].1.err), "{verb:?}");
    }
    for (line, ran) in &ran {
        assert_eq!(ran.code, 64, "{line:?}: {ran:?}");
    }
    let problems = ran[1].1.json().unwrap();
    let errors = problems["problems"].as_array().unwrap().iter().filter(|p| p["severity"] == "error");
    assert!(errors.clone().count() >= 8, "{problems:#}");
    for problem in errors {
        let said = |key: &str| problem[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(said("path") && said("reason") && said("hint"), "{problem:#}");
    }
    transcript(&transcripts("wrong.txt"), &ran, &[("publisher-under-test".into(), "publisher")]).unwrap();
}

/// Without this a threshold that does nothing looks like one that guards, and a script cannot tell.
#[tokio::test]
async fn lint_ends_with_1_for_a_threshold_that_can_never_fire_and_names_rule_key_and_proof() {
    let dir = tempfile::tempdir().unwrap();
    let example = run(BINARY, dir.path(), &["config", "example"], &[]).await.unwrap().out;
    let bounds = "min = \"100\"";
    assert!(example.contains(bounds), "{example}");
    let inert =
        example.replacen(bounds, "min = \"6000000\"", 1).replace("breaker = \"20%\"", "breaker = \"90%\"");
    for (name, text) in [("good.toml", &example), ("inert.toml", &inert), ("wrong.toml", &WRONG.to_owned())] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let lint = async |name: &str, json: bool| {
        let line: Vec<&str> =
            ["lint", "--config", name].into_iter().chain(json.then_some("--json")).collect();
        run(BINARY, dir.path(), &line, &[]).await.unwrap()
    };
    let good = lint("good.toml", false).await;
    assert!(good.code == 0 && good.out == "good.toml: 0 warnings, 0 notes\n", "{good:?}");
    let told = lint("inert.toml", true).await;
    assert_eq!(told.code, 1, "{told:?}");
    let findings = told.json().unwrap()["findings"].as_array().unwrap().clone();
    let found = findings.iter().find(|finding| finding["rule"] == "breaker-never").unwrap();
    assert_eq!(found["path"], "feed.\"BTC-USD\".policy.breaker.min");
    assert!(found["proof"].as_str().unwrap().contains("it can never trip"), "{found:#}");
    let words = lint("inert.toml", false).await;
    let line = inert.lines().position(|line| line.contains("breaker = \"90%\"")).unwrap() + 1;
    assert_eq!(found["line"], line);
    let place = format!("inert.toml:{line}: warning[breaker-never]: feed.");
    assert!(words.code == 1 && words.out.contains(&place), "{words:?}");
    assert_eq!(lint("wrong.toml", false).await.code, 64);
}

/// Without this the example that everybody begins with is wrong, or editors know other keys than the program.
#[tokio::test]
async fn example_schema_and_reference_are_what_the_program_reads() {
    let dir = tempfile::tempdir().unwrap();
    let example = run(BINARY, dir.path(), &["config", "example"], &[]).await.unwrap();
    std::fs::write(dir.path().join("publisher.toml"), &example.out).unwrap();
    let check = run(BINARY, dir.path(), &["check"], &[]).await.unwrap();
    assert!(check.code == 0 && check.err.is_empty() && check.out.ends_with("all is well\n"), "{check:?}");
    let schema = run(BINARY, dir.path(), &["config", "schema"], &[]).await.unwrap().json().unwrap();
    let reference = run(BINARY, dir.path(), &["config", "reference"], &[]).await.unwrap();
    let sections = schema["properties"].as_object().unwrap();
    assert!(sections.len() >= 8, "{schema:#}");
    for section in sections.keys() {
        assert!(
            reference.out.contains(&format!("[{section}")) || reference.out.contains(&format!("[[{section}")),
            "{section}"
        );
    }
}

/// Without this `check` is content with what `run` refuses, or the other way round.
#[tokio::test]
async fn check_tells_well_from_unavailable_from_wrong() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let (dir, feed) = (world.dir.path(), world.feed().clone());
    let online = async || run(BINARY, dir, &["check", "--online"], &[]).await.unwrap();
    let offline = run(BINARY, dir, &["check"], &[]).await.unwrap();
    assert_eq!((offline.code, world.proxy.calls("eth_chainId")), (0, 0), "{offline:?}");
    let well = online().await;
    assert!(well.code == 0 && well.out.ends_with("works, with warnings\n"), "{well:?}");
    // A rate of four venues: two of them that lie and keep silent about it leave themselves a majority.
    let warned = "of 5 venues, 2 that lie can move it (2 while others are silent), 2 that fail can stop it";
    assert!(well.out.lines().any(|line| line.starts_with("warn") && line.contains(warned)), "{well:?}");
    for what in ["node ", "signer key0", "feed BTC-USD", "source kraken:XBTUSD", "source okx:BTC-USDT"] {
        assert!(
            well.out.lines().any(|line| line.starts_with("ok ") && line.contains(what)),
            "{what}: {well:?}"
        );
    }
    world.venues.market().fault(Venue::Kraken, Fault::Dead);
    let sick = online().await;
    assert!(sick.code == 69 && sick.out.contains("unavailable  source kraken:XBTUSD"), "{sick:?}");
    world.venues.market().clear_all();
    world.pause(&feed).await.unwrap();
    let paused = online().await;
    assert!(paused.code == 0 && paused.out.contains("the aggregator is paused"), "{paused:?}");
    world.unpause(&feed).await.unwrap();
    world.set_transmitter(&feed, feed.account, false).await.unwrap();
    let json = run(BINARY, dir, &["check", "--online", "--json"], &[]).await.unwrap();
    let checks = json.json().unwrap();
    assert_eq!((json.code, &checks["worst"]), (1, &"wrong".into()), "{checks:#}");
    let wrong: Vec<&Value> =
        checks["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "wrong").collect();
    assert!(wrong.len() == 1 && wrong[0]["hint"].as_str().unwrap().contains("setTransmitter"), "{wrong:?}");
    assert!(world.proxy.forwarded().is_empty(), "a check sent a transaction");
    assert_eq!(world.round(&feed).await.unwrap(), 0);
}

/// Without this nobody can see why a feed has the value that it has, or has none.
#[tokio::test]
async fn quote_shows_every_source_and_what_follows() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let (dir, market) = (world.dir.path(), world.venues.market());
    let quote = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    market.set_price("USDT/USD", "0.9990").unwrap();
    let human = quote(&["quote", "BTC-USD"]).await;
    assert!(human.code == 0 && human.out.contains("BTC-USD = 67000"), "{human:?}");
    assert_eq!(human.out.matches("counted").count(), 5, "{human:?}");
    market.fault(Venue::Bitstamp, Fault::Multiply { by: "1000".parse().unwrap() });
    market.fault(Venue::Binance, Fault::Dead);
    let json = quote(&["quote", "BTC-USD", "--json"]).await;
    let said = json.json().unwrap();
    assert_eq!(
        (json.code, &said["answer"], &said["families"]),
        // The liar's vote is the highest of four: the value is the middle of two that the others said.
        (0, &"6700000146500".into(), &3.into()),
        "{said:#}"
    );
    let verdict = |source: &str| {
        let of = said["sources"].as_array().unwrap().iter().find(|s| s["source"] == source);
        of.map(|s| s["verdict"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    assert_eq!(
        (verdict("bitstamp:btcusd"), verdict("binance:BTCUSDT")),
        ("outlier".into(), "unreachable".into())
    );
    let of =
        |source: &str| said["sources"].as_array().unwrap().iter().find(|s| s["source"] == source).unwrap();
    let okx = of("okx:BTC-USDT");
    assert_eq!(
        okx["via"],
        serde_json::json!([{ "rate": "USDT-USD", "divides": false, "price": "0.999" }]),
        "{okx:#}"
    );
    assert!(okx["bid"].is_string() && okx["ask"].is_string() && okx["last"].is_string(), "{okx:#}");
    let rate = quote(&["quote", "USDT-USD", "--json"]).await;
    assert_eq!(rate.json().unwrap()["price"], "0.999", "{rate:?}");
    for venue in [Venue::Kraken, Venue::Coinbase] {
        market.fault(venue, Fault::Html200);
    }
    let none = quote(&["quote", "BTC-USD"]).await;
    assert!(none.code == 1 && none.out.contains("BTC-USD has no value"), "{none:?}");
    let refused = quote(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    assert_eq!(refused["refused"], "quorum", "{refused:#}");
    let unknown = quote(&["quote", "DOGE-USD"]).await;
    assert!(unknown.code == 64 && unknown.err.contains("BTC-USD, USDT-USD"), "{unknown:?}");
    assert!(unknown.out.is_empty(), "{unknown:?}");
}

/// Without this the doubles serve nobody but our own tests.
#[tokio::test]
async fn source_simulates_venues_for_others_whose_prices_and_faults_they_set() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["source", "simulate", "--json", "--price", "BTC/USD=123.5"];
    let mut command = Command::new(BINARY);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut simulator = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(simulator.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let venues = said["venues"].as_array().unwrap();
    assert!(
        venues.len() >= 20 && venues.iter().filter(|v| v["stream_url"].is_string()).count() >= 16,
        "{said:#}"
    );
    let url = venues.iter().find(|v| v["venue"] == "kraken").unwrap()["base_url"].as_str().unwrap();
    let test = ["source", "test", "kraken", "--base-url", url, "--live", "XBTUSD", "--json"];
    let live = async || {
        let told = run(BINARY, dir.path(), &test, &[]).await.unwrap().json().unwrap();
        told["readings"].as_array().unwrap().iter().find(|r| r["body"] == "live").unwrap()["read"].clone()
    };
    assert_eq!(live().await, "123.5");
    let lever = async |path: &str, order: &'static str| {
        let url = format!("{}/{path}", said["control"].as_str().unwrap());
        assert!(reqwest::Client::new().post(url).body(order).send().await.unwrap().status().is_success());
    };
    lever("price", r#"{"pair":"BTC/USD","price":"124"}"#).await;
    assert_eq!(live().await, "124");
    lever("fault", r#"{"venue":"kraken","fault":"dead"}"#).await;
    assert!(live().await.as_str().unwrap().starts_with("unreachable"));
    let taken = said["control"].as_str().unwrap().split('/').nth(2).unwrap();
    let second = run(BINARY, dir.path(), &["source", "simulate", "--listen", taken], &[]).await.unwrap();
    assert!(second.code == 69 && second.err.contains("--listen"), "{second:?}");
    let open = run(BINARY, dir.path(), &["source", "simulate", "--listen", "0.0.0.0:0"], &[]).await.unwrap();
    assert!(open.code == 64 && open.err.contains("loopback"), "{open:?}");
    let id = simulator.id().unwrap().to_string();
    Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
    assert_eq!(simulator.wait().await.unwrap().code(), Some(0));
}

/// Without this a venue of one's own is described by trial and error in production, and one that has changed its
/// format is found out by its prices.
#[tokio::test]
async fn source_lists_tests_and_records_venues() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let dir = world.dir.path();
    let source = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    let list = source(&["source", "list", "--json"]).await.json().unwrap();
    assert!(list["venues"].as_array().unwrap().len() >= 16, "{list:#}");
    // Every venue of the program, against the bodies that the tree keeps of it.
    let presets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../publisher/presets");
    let file = presets.join("gate.toml").display().to_string();
    let shipped = source(&["source", "test", &file]).await;
    assert!(shipped.code == 0 && shipped.out.ends_with(", 0 findings\n"), "{shipped:?}");
    // The same venue as a file of one's own, which has no body yet: recorded, tested, and found out when it changes.
    std::fs::copy(presets.join("gate.toml"), dir.join("mine.toml")).unwrap();
    let url = world.venues.base_url(Venue::Gate);
    let record = ["source", "record", "mine.toml", "--base-url", &url, "--symbols", "BTC_USDT,ETH_USDT"];
    let recorded = source(&record).await;
    assert!(recorded.code == 0 && dir.join("fixtures/gate/ok.json").exists(), "{recorded:?}");
    assert_eq!(source(&record).await.code, 64, "a body was written over");
    assert_eq!(source(&["source", "test", "mine.toml"]).await.code, 0);
    let live = ["source", "test", "mine.toml", "--base-url", &url, "--live", "BTC_USDT", "--json"];
    assert_eq!(source(&live).await.code, 0);
    // And it votes.
    world.configure(&format!("[venue.mine]\npreset = \"mine.toml\"\nbase_url = \"{url}\"")).unwrap();
    world.edit("\"bitstamp:btcusd\"", "\"bitstamp:btcusd\", \"mine:BTC_USDT * USDT-USD\"").unwrap();
    let quote = source(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    let mine = quote["sources"].as_array().unwrap().iter().find(|s| s["source"] == "mine:BTC_USDT").unwrap();
    assert_eq!(mine["verdict"], "counted", "{quote:#}");
    let renamed = std::fs::read_to_string(dir.join("mine.toml")).unwrap().replace("\"last\"", "\"final\"");
    std::fs::write(dir.join("mine.toml"), renamed).unwrap();
    let refused = source(&["quote", "BTC-USD"]).await;
    assert!(refused.code == 0, "a renamed field costs one source: {refused:?}");
    std::fs::write(dir.join("torn.toml"), "id = 7").unwrap();
    world.edit("preset = \"mine.toml\"", "preset = \"torn.toml\"").unwrap();
    let torn = source(&["quote", "BTC-USD"]).await;
    assert!(torn.code == 64 && torn.err.contains("source test"), "{torn:?}");
    let wrong = source(&["source", "test", "mine.toml"]).await;
    assert!(wrong.code == 1 && wrong.out.contains("WRONG, expected is"), "{wrong:?}");
    world.venues.market().fault(Venue::Gate, Fault::Html200);
    let sick = source(&live).await;
    let said = sick.json().unwrap();
    let of_live =
        said["readings"].as_array().unwrap().iter().filter(|r| r["right"] == false && r["body"] == "live");
    assert!(sick.code == 1 && of_live.count() == 1, "{said:#}");
    let unknown = source(&["source", "test", "mtgox"]).await;
    assert!(unknown.code == 64 && unknown.err.contains("bitstamp"), "{unknown:?}");
}

/// Without this an operator without a browser cannot see whether it works, and after a crash not even what was last.
#[tokio::test]
async fn status_is_that_of_the_daemon_or_else_of_its_journal() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let (dir, feed) = (world.dir.path(), world.feed().clone());
    let status = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    let never = status(&["status"]).await;
    assert!(never.code != 0 && never.err.contains("publisher.db"), "{never:?}");
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    world.wait_page("/readyz", SOON, |code, _| code == 200).await.unwrap();
    // Pages follow the chain a moment later.
    let resting = |_: u16, page: &Value| {
        page["feeds"][0]["answer"] == "67000" && page["feeds"][0]["in_flight"] == false
    };
    world.wait_page("/status", SOON, resting).await.unwrap();
    let human = status(&["status"]).await;
    assert!(human.code == 0 && human.out.contains("waiting for a trigger"), "{human:?}");
    let json = status(&["status", "--json"]).await.json().unwrap();
    assert_eq!(
        (&json["feeds"][0]["answer"], &json["readiness"]["phase"]),
        (&"67000".into(), &"ready".into())
    );
    world.pause(&feed).await.unwrap();
    world.venues.market().set_price(feed.pair, "68000").unwrap();
    world.wait_logged("PUB-1002", SOON, |line| line["hold"] == "paused").await.unwrap();
    // Pages follow the log a moment later.
    world.wait_page("/status", SOON, |_, page| page["feeds"][0]["hold"] == "paused").await.unwrap();
    let held = status(&["status"]).await;
    assert!(
        held.code == 1 && held.out.contains("held back: paused") && held.out.contains("not ready"),
        "{held:?}"
    );
    daemon.kill().unwrap();
    let dead = status(&["status"]).await;
    assert!(
        dead.code == 1 && dead.out.contains("no publisher answers") && dead.out.contains("67000"),
        "{dead:?}"
    );
    let dead = status(&["status", "--json"]).await.json().unwrap();
    assert_eq!((&dead["running"], &dead["rounds"][0]["round"]), (&false.into(), &1.into()), "{dead:#}");
    world.judge(0).await.unwrap();
}

/// Everything that a quickstart has started is gone.
fn gone(process: u32, rpc: &str) -> Result<()> {
    // A process that was killed takes its time to die on a busy machine.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while std::time::Instant::now() < deadline {
        if all_gone(process, rpc).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    all_gone(process, rpc)
}

fn all_gone(process: u32, rpc: &str) -> Result<()> {
    let port = rpc.rsplit(':').next().unwrap_or_default();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        ensure!(!words.contains(&format!("--port {port} ")), "still running: {words}");
    }
    let folder = std::env::temp_dir().join(format!("publisher-quickstart-{process}"));
    ensure!(!folder.exists(), "{} is left behind", folder.display());
    Ok(())
}

/// A quickstart whose lines are read as they come.
struct Quickstart {
    child: tokio::process::Child,
    id: u32,
    lines: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
}

impl Quickstart {
    fn start(args: &[&str]) -> Result<Self> {
        use tokio::io::AsyncBufReadExt;
        let mut child = Command::new(BINARY)
            .args(args)
            .stdin(std::process::Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().unwrap_or_default();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Ok(Self { child, id, lines })
    }

    async fn line(&mut self) -> Result<Option<Value>> {
        let line = tokio::time::timeout(Duration::from_secs(120), self.lines.next_line()).await??;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }

    /// As Ctrl-C does.
    fn interrupt(&self) -> Result<()> {
        std::process::Command::new("kill").args(["-INT", &self.id.to_string()]).status()?;
        Ok(())
    }

    async fn code(&mut self) -> Result<Option<i32>> {
        Ok(tokio::time::timeout(SOON * PATIENCE, self.child.wait()).await??.code())
    }
}

/// Without this the first command that anybody ever types fails, or leaves a node behind that nobody knows of.
#[tokio::test]
async fn quickstart_publishes_ends_and_cleans_up() {
    let mut quickstart = Quickstart::start(&["quickstart", "--rounds", "2", "--json"]).unwrap();
    let started = quickstart.line().await.unwrap().unwrap();
    assert_eq!((&started["event"], started["feeds"].as_array().map(Vec::len)), (&"started".into(), Some(2)));
    let mut rounds: Vec<Value> = Vec::new();
    let done = loop {
        match quickstart.line().await.unwrap().unwrap() {
            round if round["event"] == "round" => rounds.push(round),
            other => break other,
        }
    };
    assert_eq!(done["event"], "done", "{done}");
    assert_eq!(quickstart.code().await.unwrap(), Some(0));
    gone(quickstart.id, started["rpc"].as_str().unwrap()).unwrap();
    for feed in ["BTC-USD", "ETH-USD"] {
        let of: Vec<&Value> = rounds.iter().filter(|round| round["feed"] == feed).collect();
        assert!(of.len() >= 2, "{rounds:#?}");
        for (at, round) in of.iter().enumerate() {
            assert_eq!((&round["round"], &round["outcome"]), (&(at + 1).into(), &"final".into()), "{round}");
            assert!(
                round["gas_used"].as_u64() > Some(20_000) && round["latency_ms"]["total"].is_u64(),
                "{round}"
            );
        }
    }
}

/// Without this Ctrl-C, which is how everybody ends it, leaves a node and a folder behind.
#[tokio::test]
async fn quickstart_cleans_up_when_it_is_interrupted() {
    let mut running = Quickstart::start(&["quickstart", "--json"]).unwrap();
    let started = running.line().await.unwrap().unwrap();
    running.interrupt().unwrap();
    assert_eq!(running.code().await.unwrap(), Some(0));
    gone(running.id, started["rpc"].as_str().unwrap()).unwrap();
    // While it is still setting the stage, too.
    let mut young = Quickstart::start(&["quickstart", "--json"]).unwrap();
    let mut port = None;
    while port.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        port = child_port(young.id).unwrap();
    }
    young.interrupt().unwrap();
    assert_eq!(young.code().await.unwrap(), Some(0));
    gone(young.id, &format!(":{}", port.unwrap())).unwrap();
}

/// The port of the node that a process has started, once it has.
fn child_port(process: u32) -> Result<Option<String>> {
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1).map(str::to_owned));
        if parent.as_deref() == Some(&process.to_string()) {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words: Vec<String> =
                words.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
            let at = words.iter().position(|word| word == "--port");
            if let Some(port) = at.and_then(|at| words.get(at + 1)) {
                return Ok(Some(port.clone()));
            }
        }
    }
    Ok(None)
}
