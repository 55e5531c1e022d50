//! What operators see: metrics, health, readiness, status, log lines; and what nobody may see.

use crate::BINARY;
use anyhow::{Context, Result, ensure};
use publisher_doubles::venues::{Fault, Venue};
use publisher_tests::cli::run;
use publisher_tests::prometheus::{self, Sample};
use publisher_tests::rpc_proxy::{RpcFault, Rule};
use publisher_tests::world::{Options, World};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const AT_ONCE: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"";

async fn follow(world: &World, price: i64) -> Result<()> {
    world.venues.market().set_price(world.feed().pair, &price.to_string())?;
    world.wait_answer(world.feed(), price * 100_000_000, SOON).await
}

/// Prometheus' own opinion of a page, where its tool is installed.
fn promtool(page: &str) -> Result<()> {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        // Written past the test harness, which shows what is printed by failing tests only.
        let note = "skipped: promtool is not installed (Debian: prometheus); only our own reader has checked /metrics\n";
        return Ok(std::io::stderr().write_all(note.as_bytes())?);
    };
    tool.stdin.take().context("no stdin")?.write_all(page.as_bytes())?;
    let output = tool.wait_with_output()?;
    ensure!(output.status.success(), "promtool: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Without this dashboards and alerts are built on a page that no scraper can read, or on numbers that are not true.
#[tokio::test]
async fn metrics_are_prometheus_text_and_true() {
    let world = World::new(Options { feeds: 2, policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    for price in [67_000, 68_000, 69_000] {
        follow(&world, price).await.unwrap();
    }
    world.venues.market().fault(Venue::Binance, Fault::ErrorBody200);
    world.signer.mode(publisher_doubles::signer::Mode::Down);
    world.venues.market().set_price("BTC/USD", "70000").unwrap();
    world.said("PUB-2003", 1).await.unwrap();
    world.signer.mode(publisher_doubles::signer::Mode::Ok);
    world.wait_answer(world.feed(), 7_000_000_000_000, SOON).await.unwrap();
    world.said("PUB-2009", 5).await.unwrap();
    // The page follows the log a moment later.
    world
        .wait(SOON, "the page knows the last round", async || {
            Ok(world.get("/metrics").await?.1.contains("publisher_round{feed=\"BTC-USD\"} 4"))
        })
        .await
        .unwrap();
    let (status, page) = world.get("/metrics").await.unwrap();
    assert_eq!(status, 200);
    let samples = prometheus::read(&page).unwrap();
    promtool(&page).unwrap();
    let known: Vec<&str> = publisher::telemetry::METRICS.iter().map(|entry| entry.name).collect();
    for Sample { name, .. } in &samples {
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(known.contains(&family) || known.contains(&name.as_str()), "{name} is not in the registry");
    }
    let value = |name: &str, labels: &[(&str, &str)]| {
        let of = |s: &&Sample| {
            s.name == name && labels.iter().all(|(k, v)| s.labels.get(*k).is_some_and(|l| l == v))
        };
        samples.iter().filter(of).map(|s| s.value).sum::<f64>()
    };
    let bitcoin = ("feed", "BTC-USD");
    assert_eq!(value("publisher_round", &[bitcoin]), 4.0);
    assert_eq!(value("publisher_answer", &[bitcoin]), 7_000_000_000_000.0);
    assert_eq!(value("publisher_decisions_total", &[bitcoin, ("reason", "deviation")]), 3.0);
    assert_eq!(value("publisher_decisions_total", &[("feed", "ETH-USD"), ("reason", "first")]), 1.0);
    assert_eq!(value("publisher_quote_to_inclusion_seconds_count", &[bitcoin]), 4.0);
    assert_eq!(value("publisher_ready", &[]), 1.0);
    assert!(value("publisher_sign_failures_total", &[("fault", "unavailable")]) >= 1.0);
    assert!(
        value("publisher_venue_requests_total", &[("venue", "binance"), ("result", "venue_error")]) >= 1.0
    );
    let margin = value("publisher_heartbeat_margin_seconds", &[bitcoin]);
    assert!((3500.0..=3600.0).contains(&margin), "{margin}");
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this an orchestrator sends traffic to, or restarts, the wrong process at the wrong time.
#[tokio::test]
async fn health_and_readiness_follow_the_world() {
    let world = World::new(Options { finality: "depth:2", ..Options::manual("depth:2") }).await.unwrap();
    world.proxy.set_upstream("http://127.0.0.1:1");
    let mut daemon = world.daemon(BINARY, &[]).unwrap();
    // Nothing to publish to: alive, not ready, and it says what it waits for.
    world
        .wait_logged("PUB-5014", SOON, |line| line["what"].as_str().is_some_and(|w| w.contains("node")))
        .await
        .unwrap();
    let page = world.wait_page("/readyz", SOON, |status, _| status == 503).await.unwrap();
    assert_eq!(page["phase"], "starting", "{page}");
    world.wait_page("/healthz", SOON, |status, page| status == 200 && page["healthy"] == true).await.unwrap();
    world.proxy.set_upstream(&world.node.endpoint());
    world.publish("67000").await.unwrap();
    let ready = world.wait_page("/readyz", SOON, |status, _| status == 200).await.unwrap();
    assert_eq!(ready, serde_json::json!({ "phase": "ready", "failing": [] }));
    // The node hangs up: red within seconds, green again by itself.
    world.proxy.fault(Rule::new(RpcFault::DropBefore));
    let failing = |code: &'static str| {
        move |status: u16, page: &Value| status == 503 && page["failing"].to_string().contains(code)
    };
    world.wait_page("/readyz", SOON, failing("node_failing")).await.unwrap();
    world.proxy.clear();
    world.mine(1).await.unwrap();
    world.wait_page("/readyz", SOON, |status, _| status == 200).await.unwrap();
    assert_eq!((world.logged("PUB-5005").unwrap().len(), world.logged("PUB-5006").unwrap().len()), (1, 1));
    // No blocks come: the validators, not the node.
    world.wait_page("/readyz", SOON, failing("head_stalled")).await.unwrap();
    world.mine(1).await.unwrap();
    world.wait_page("/readyz", SOON, |status, _| status == 200).await.unwrap();
    // Told to stop while a round is on its way: it says so, and waits for it.
    let known = world.transactions().len();
    world.venues.market().set_price("BTC/USD", "68000").unwrap();
    let sent = world.another(known).await.unwrap();
    world.pooled(sent.hash).await.unwrap();
    daemon.signal("TERM").unwrap();
    world.wait_page("/readyz", SOON, failing("draining")).await.unwrap();
    assert!(daemon.is_running().unwrap());
    world.mine(1).await.unwrap();
    world.wait(SOON, "it ends", async || Ok(!daemon.is_running()?)).await.unwrap();
    assert_eq!(daemon.wait(Duration::ZERO).unwrap().unwrap().code(), Some(0));
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 2);
}

/// Without this the status page is a second opinion about the chain.
#[tokio::test]
async fn the_status_page_tells_what_is_on_the_chain() {
    let world = World::new(Options { feeds: 2, policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    follow(&world, 67_000).await.unwrap();
    follow(&world, 68_123).await.unwrap();
    world.wait_round(&world.feeds[1], 1, SOON).await.unwrap();
    // Pages follow the chain a moment later.
    let landed = |_: u16, page: &Value| {
        page["feeds"][0]["answer"] == "68123"
            && page["feeds"]
                .as_array()
                .is_some_and(|f| f.iter().all(|f| f["in_flight"] == false && f["hold"].is_null()))
            && page["readiness"]["phase"] == "ready"
    };
    let page = world.wait_page("/status", SOON, landed).await.unwrap();
    let rounds = world.rounds(world.feed()).await.unwrap();
    let feed = &page["feeds"][0];
    assert_eq!(
        (&feed["feed"], &feed["round"], &feed["answer"]),
        (&"BTC-USD".into(), &2.into(), &"68123".into())
    );
    assert_eq!(feed["updated_at_s"], rounds[1].updated_at);
    assert_eq!((&feed["value"], &feed["hold"]), (&"68123".into(), &Value::Null));
    assert_eq!(page["chain_id"], 138);
    let accounts = page["accounts"].as_array().unwrap();
    let nonces: Vec<u64> = accounts.iter().filter_map(|account| account["next_nonce"].as_u64()).collect();
    assert_eq!(
        {
            let mut n = nonces.clone();
            n.sort_unstable();
            n
        },
        [1, 2],
        "{page}"
    );
    assert_eq!(page["readiness"]["phase"], "ready", "{page}");
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this whoever is woken at night finds a line that says neither what it is nor what to do.
#[tokio::test]
async fn every_line_of_the_log_has_a_code_and_every_loud_one_advice() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    world.edit("heartbeat = \"1h\"", "heartbeat = \"4s\"").unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let market = world.venues.market();
    follow(&world, 67_000).await.unwrap();
    world.signer.mode(publisher_doubles::signer::Mode::Tampering(publisher_doubles::signer::Tamper::OtherTo));
    world.said("PUB-2003", 1).await.unwrap();
    world.signer.mode(publisher_doubles::signer::Mode::Ok);
    world
        .proxy
        .fault(Rule::new(RpcFault::UnknownError { forwarded: true }).on("eth_sendRawTransaction").times(1));
    follow(&world, 68_000).await.unwrap();
    world.proxy.fault(Rule::new(RpcFault::Html502).times(4));
    world.said("PUB-5006", 1).await.unwrap();
    // A reorg of blocks that the daemon has seen.
    world
        .wait(SOON, "a reorg is told", async || {
            world.seen().await?;
            world.reorg(2, &[]).await?;
            world.seen().await?;
            Ok(!world.logged("PUB-3001")?.is_empty())
        })
        .await
        .unwrap();
    world.said("PUB-3001", 1).await.unwrap();
    for venue in [Venue::Kraken, Venue::Coinbase, Venue::Okx] {
        market.fault(venue, Fault::Html200);
    }
    world.said("PUB-1004", 1).await.unwrap();
    world.drain(daemon).await.unwrap();
    let codes = publisher::telemetry::codes();
    let lines = world.log().unwrap();
    assert!(lines.len() > 30, "{}", lines.len());
    for line in lines {
        let code = line["code"].as_str().unwrap_or_default();
        let known = codes.iter().any(|row| row.code == code && line["message"] == row.title);
        assert!(known && line["timestamp"].is_string(), "{line}");
        let advice = line["advice"].as_str().unwrap_or_default();
        assert!(line["level"] == "INFO" || advice.ends_with('.'), "no advice: {line}");
    }
    world.judge(0).await.unwrap();
}

/// Without this two processes write one journal, and take each other's nonces.
#[tokio::test]
async fn a_second_daemon_on_one_journal_refuses_to_start() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    follow(&world, 67_000).await.unwrap();
    let dir = world.dir.path();
    let busy = run(BINARY, dir, &["run", "--config", "publisher.toml"], &[]).await.unwrap();
    assert!(busy.code == 69 && busy.err.contains("telemetry.listen"), "{busy:?}");
    let toml = std::fs::read_to_string(world.config()).unwrap();
    let elsewhere = toml.replace(&world.telemetry()["http://".len()..], "127.0.0.1:0");
    std::fs::write(dir.join("second.toml"), elsewhere).unwrap();
    let second = run(BINARY, dir, &["run", "--config", "second.toml"], &[]).await.unwrap();
    assert!(second.code == 69 && second.err.contains("publisher.db"), "{second:?}");
    follow(&world, 68_000).await.unwrap();
    drop(daemon);
    world.judge(0).await.unwrap();
}

/// Without this a log shipper, a scraper, a support request or a backup of the journal carries keys away.
#[tokio::test]
async fn f77_secrets_are_nowhere_to_be_seen() {
    const CANARIES: [&str; 7] = [
        "CANARYPATH",
        "CANARYQUERY",
        "CANARYBEARER",
        "CANARYHEADER",
        "CANARYSOURCE",
        "CANARYSIGNER",
        "testpassword",
    ];
    let options = Options { signer: "keystore", venues: 4, policy: AT_ONCE, ..Options::default() };
    let world = World::new(options).await.unwrap();
    let rpc = world.proxy.url();
    let hidden = "authorization = \"Bearer ${BEARER}\"";
    world
        .edit(
            &format!("rpc = [\"{rpc}\"]"),
            &format!("rpc = [{{ url = \"{rpc}/CANARYPATH?key=CANARYQUERY\", {hidden} }}]"),
        )
        .unwrap();
    let own = world.venues.base_url(Venue::Custom);
    world.edit("* USDT-USD\"]", "* USDT-USD\", \"acme\"]").unwrap();
    world
        .configure(&format!(
            "[source.acme]\nurl = \"{own}/price/BTC-USD?key=CANARYSOURCE\"\npointer = \"/data/price/last\"\n\
             every = \"250ms\"\nheaders = {{ x-key = \"${{HEADER}}\" }}\nallow_private = true"
        ))
        .unwrap();
    let env = [("BEARER", "CANARYBEARER"), ("HEADER", "CANARYHEADER")];
    let daemon = world.daemon(BINARY, &env).unwrap();
    let market = world.venues.market();
    follow(&world, 67_000).await.unwrap();
    // Everything that has a secret fails in several ways.
    let verbs: [&[&str]; 3] = [&["quote", "BTC-USD"], &["check", "--online"], &["status", "--json"]];
    let told = async || {
        let [a, b, c] = verbs.map(|verb| run(BINARY, world.dir.path(), verb, &env));
        let (a, b, c) = tokio::join!(a, b, c);
        format!("{a:?}{b:?}{c:?}")
    };
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    for fault in [
        Fault::Refuse {
            status: 401,
            body: "key CANARYHEADER of /price?key=CANARYSOURCE is not known".into(),
        },
        Fault::Redirect { to: "http://127.0.0.1:1/CANARYSOURCE".into() },
        Fault::Dead,
    ] {
        let asked = market.requests(Venue::Custom);
        let name = fault.name().to_owned();
        market.fault(Venue::Custom, fault);
        seen.push((name, told().await.into_bytes()));
        assert!(market.requests(Venue::Custom) > asked);
    }
    for (n, fault) in [RpcFault::Html502, RpcFault::EmptyBody].into_iter().enumerate() {
        let name = format!("{fault:?}");
        world.proxy.fault(Rule::new(fault));
        world.said("PUB-5005", n + 1).await.unwrap();
        seen.push((name, told().await.into_bytes()));
        world.proxy.clear();
        world.said("PUB-5006", n + 1).await.unwrap();
    }
    market.clear_all();
    follow(&world, 68_000).await.unwrap();
    seen.push(("log".to_owned(), world.log_text().into_bytes()));
    for page in ["/metrics", "/status", "/readyz", "/healthz"] {
        seen.push((page.to_owned(), world.get(page).await.unwrap().1.into_bytes()));
    }
    world.drain(daemon).await.unwrap();
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("publisher.db") {
            seen.push((name, std::fs::read(path).unwrap()));
        }
    }
    assert!(seen.iter().any(|(name, bytes)| name == "publisher.db" && !bytes.is_empty()));
    // A wrong password and a signer behind a secret path are explained without them.
    std::fs::write(world.dir.path().join("password"), "CANARYSIGNER").unwrap();
    let ran = run(BINARY, world.dir.path(), &["check", "--online"], &env).await.unwrap();
    assert!(ran.code == 1 && ran.out.contains("check the password"), "{ran:?}");
    seen.push(("wrong password".into(), format!("{ran:?}").into_bytes()));
    let toml = std::fs::read_to_string(world.config()).unwrap();
    let from = toml.find("kind = \"keystore\"").unwrap();
    let to =
        toml.find("allow_development_keystore = true").unwrap() + "allow_development_keystore = true".len();
    let remote =
        format!("kind = \"web3signer\"\nurl = \"{}/CANARYSIGNER?a=CANARYSIGNER\"", world.signer.url());
    std::fs::write(world.config(), toml.replace(&toml[from..to], &remote)).unwrap();
    let ran = run(BINARY, world.dir.path(), &["check", "--online"], &env).await.unwrap();
    assert_ne!(ran.code, 0, "{ran:?}");
    seen.push(("signer".into(), format!("{ran:?}").into_bytes()));
    for (name, bytes) in seen {
        let text = String::from_utf8_lossy(&bytes);
        for canary in CANARIES {
            assert!(
                !text.contains(canary),
                "{canary} is in {name}: {}",
                text.chars().take(4000).collect::<String>()
            );
        }
    }
    world.judge(0).await.unwrap();
}

/// Without this an operator who has to silence a feed edits its configuration, restarts, and forgets it.
#[tokio::test]
async fn a_feed_is_paused_beside_its_daemon_and_everybody_sees_by_whom_until_when_and_why() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let dir = world.dir.path();
    let name = feed.id;
    let why = ["--reason", "venue maintenance", "--by", "ann"];
    let pause = [&["feed", "pause", name, "--for", "1h"][..], &why].concat();
    let ran = run(BINARY, dir, &pause, &[]).await.unwrap();
    assert!(ran.code == 0 && ran.out.contains("paused for another 3600 s, by ann"), "{ran:?}");
    let advises = |line: &Value| line["advice"].as_str().is_some_and(|words| words.contains("feed resume"));
    let is_held = |line: &Value| line["hold"] == "on_order" && advises(line);
    world.wait_logged("PUB-1002", SOON, is_held).await.unwrap();
    world.price(feed.pair, "70000").await.unwrap();
    let order = |page: &Value| page["feeds"][0]["orders"][0].clone();
    let is_told =
        |_: u16, page: &Value| order(page)["by"] == "ann" && order(page)["reason"] == "venue maintenance";
    world.wait_page("/status", SOON, is_told).await.unwrap();
    // A restart is no way around it.
    drop(daemon);
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let told_again = async || Ok(world.logged("PUB-1011")?.len() == 2);
    world.wait(SOON, "the order after the restart", told_again).await.unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), 1);
    let ran = run(BINARY, dir, &[&["feed", "resume", name][..], &why].concat(), &[]).await.unwrap();
    assert!(ran.code == 0 && ran.out.contains("1 orders ended"), "{ran:?}");
    world.wait_answer(&feed, 7_000_000_000_000, SOON).await.unwrap();
    let shown = run(BINARY, dir, &["feed", "show", name, "--json"], &[]).await.unwrap().json().unwrap();
    assert_eq!(shown["orders"], serde_json::json!([]));
    assert_eq!((&shown["said"][0]["order"], &shown["said"][1]["order"]), (&"resume".into(), &"pause".into()));
    drop(daemon);
    world.judge(0).await.unwrap();
    // What never ends, or has no reason, is refused.
    for bad in [&["--for", "31d", "--reason", "x"][..], &["--for", "0s", "--reason", "x"], &["--for", "1h"]] {
        let ran = run(BINARY, dir, &[&["feed", "pause", name][..], bad].concat(), &[]).await.unwrap();
        assert_eq!(ran.code, 64, "{ran:?}");
    }
}

/// Without this whoever is called because a feed is stale, and has mended it, waits for the rest of a heartbeat.
#[tokio::test]
async fn a_round_that_an_operator_asks_for_is_published_once_though_nothing_else_is_due() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let daemon = world.daemon(BINARY, &[]).unwrap();
    let feed = world.feed().clone();
    world.wait_answer(&feed, 6_700_000_000_000, SOON).await.unwrap();
    let submit = ["feed", "submit", feed.id, "--reason", "consumers call it stale", "--by", "ann"];
    let said = run(BINARY, world.dir.path(), &submit, &[]).await.unwrap();
    assert!(said.code == 0 && said.out.contains("one round, tried for another 900 s, by ann"), "{said:?}");
    world.wait(SOON, "the round", async || Ok(world.round(&feed).await? == 2)).await.unwrap();
    world.wait_logged("PUB-1001", SOON, |line| line["trigger"] == "demand").await.unwrap();
    // The word stands for another quarter of an hour, over a restart as well, and has nothing more to say.
    drop(daemon);
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world
        .wait(SOON, "the order is read again", async || Ok(world.logged("PUB-1011")?.len() == 2))
        .await
        .unwrap();
    world.price(feed.pair, "70000").await.unwrap();
    world.wait_answer(&feed, 7_000_000_000_000, SOON).await.unwrap();
    assert_eq!(world.round(&feed).await.unwrap(), 3);
    drop(daemon);
    world.judge(0).await.unwrap();
}
