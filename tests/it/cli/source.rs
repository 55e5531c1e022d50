//! `publisher source` with streams, and what venues say they list.

use super::*;
use publisher_doubles::venues::StreamFault;

/// The exchanges, which all have a stream and a list.
const EXCHANGES: [&str; 3] = ["coinbase", "kraken", "upbit"];

fn presets() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../publisher/presets")
}

/// Without this a venue that is added by data alone works over HTTP and is believed over WebSocket without anybody
/// having heard it; or what was recorded is not what is tested.
#[tokio::test]
async fn a_venue_of_data_alone_is_recorded_tested_and_quoted_over_both_transports() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let dir = world.dir.path();
    let source = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    // HTX packs its frames and wants its pings answered.
    let preset = std::fs::read_to_string(presets().join("htx.toml")).unwrap();
    std::fs::write(dir.join("mine.toml"), preset.replacen("id = \"htx\"", "id = \"mine\"", 1)).unwrap();
    let (url, socket) = (world.venues.base_url(Venue::Htx), world.venues.stream_url(Venue::Htx));
    let of_mine = ["--base-url", &url, "--symbols", "btcusdt,ethusdt"];
    let http = [&["source", "record", "mine.toml"][..], &of_mine].concat();
    assert_eq!(source(&http).await.code, 0);
    let untold = source(&["source", "test", "mine.toml"]).await;
    assert!(untold.code == 0 && untold.out.contains("its stream was not checked"), "{untold:?}");
    let listen = [&http[..], &["--stream", "--stream-url", &socket, "--frames", "12", "--json"]].concat();
    let recorded = source(&listen).await;
    let said = recorded.json().unwrap();
    assert!(
        recorded.code == 0 && said["frames"] == 12 && said["silent"] == serde_json::json!([]),
        "{said:#}"
    );
    assert!(said["read"]["btcusdt"].as_str().unwrap().contains("67000"), "{said:#}");
    let file = dir.join("fixtures/mine/stream.toml");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("frame = \"1f8b") && !kept.contains("text = "), "frames stay packed: {kept}");
    // What is there stays, unless somebody insists.
    let again = source(&listen).await;
    assert!(again.code == 64 && again.err.contains("--force"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
    let forced = [&listen[..], &["--force"]].concat();
    assert_eq!(source(&forced).await.code, 0);
    let tested = source(&["source", "test", "mine.toml", "--json"]).await;
    let readings = tested.json().unwrap();
    assert!(tested.code == 0 && readings["notes"] == serde_json::json!([]), "{readings:#}");
    let bodies = |body: &str| readings["readings"].as_array().unwrap().iter().any(|r| r["body"] == body);
    assert!(bodies("ok") && bodies("stream"), "{readings:#}");
    // It votes, and the daemon listens to it.
    let section =
        format!("[venue.mine]\npreset = \"mine.toml\"\nbase_url = \"{url}\"\nstream_url = \"{socket}\"");
    world.configure(&section).unwrap();
    world.edit("\"bitstamp:btcusd\"", "\"bitstamp:btcusd\", \"mine:btcusdt * USDT-USD\"").unwrap();
    let quote = source(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    let mine = quote["sources"].as_array().unwrap().iter().find(|s| s["source"] == "mine:btcusdt").unwrap();
    assert_eq!(mine["verdict"], "counted", "{quote:#}");
    // A preset that reads something else than what came is found out, and where.
    let torn = std::fs::read_to_string(dir.join("mine.toml")).unwrap().replace("tick.bid", "tick.bud");
    let torn = torn.replace("bid = \"bid\"", "bid = \"bud\"");
    std::fs::write(dir.join("mine.toml"), torn).unwrap();
    let wrong = source(&["source", "test", "mine.toml", "--json"]).await;
    let said = wrong.json().unwrap();
    assert_eq!(wrong.code, 1, "{said:#}");
    let problems = said["problems"].as_array().unwrap();
    let of_stream = |problem: &&Value| problem["path"].as_str().unwrap().starts_with("stream.toml: message[");
    let problem = problems.iter().find(of_stream).unwrap_or_else(|| panic!("{said:#}"));
    for key in ["value", "reason", "hint"] {
        assert!(!problem[key].as_str().unwrap().is_empty(), "{problem:#}");
    }
    let told = source(&["source", "test", "mine.toml"]).await;
    assert!(told.out.contains("stream.toml: message["), "{told:?}");
}

/// Without this whoever adds a venue copies another one's file, with its aliases and its limits; or a file that is half
/// done is written over.
#[tokio::test]
async fn a_new_venue_begins_with_a_file_that_is_filled_in_recorded_and_tested() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let dir = world.dir.path();
    let source = async |args: &[&str]| run(BINARY, dir, &[&["source"], args].concat(), &[]).await.unwrap();
    for name in ["kraken", "Acme", "../acme", "", "-x"] {
        let refused = source(&["new", "--", name]).await;
        assert!(
            refused.code == 64 && refused.out.is_empty() && !refused.err.is_empty(),
            "{name}: {refused:?}"
        );
    }
    assert_eq!(source(&["test", "acme.toml"]).await.code, 64);
    let new = source(&["new", "acme"]).await;
    assert!(new.code == 0 && new.out.contains("publisher source record acme.toml"), "{new:?}");
    // As it is, everything that is missing is named at once.
    let empty = source(&["test", "acme.toml"]).await;
    let names = ["hosts", "request.path", "answer.rows", "answer.bid", "symbols.formats"];
    assert!(empty.code == 64 && names.iter().all(|name| empty.err.contains(name)), "{empty:?}");
    // Bitstamp's, in the words of its documents.
    let path = dir.join("acme.toml");
    let mut file = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("hosts = [\"\"]", "hosts = [\"https://api.example.com\"]"),
        ("path = \"\"", "path = \"/api/v2/ticker/\""),
        ("rows = \"\"", "rows = \"$\""),
        ("key = \"\"", "key = \"pair\""),
        ("bid = \"\"", "bid = \"bid\""),
        ("ask = \"\"", "ask = \"ask\""),
        ("last = \"\"", "last = \"last\""),
        ("formats = [\"\"]", "formats = [\"{BASE}/{QUOTE}\"]"),
    ] {
        assert_eq!(file.matches(&format!("\n{from}")).count(), 1, "{from}");
        file = file.replace(&format!("\n{from}"), &format!("\n{to}"));
    }
    std::fs::write(&path, &file).unwrap();
    let url = world.venues.base_url(Venue::Bitstamp);
    let recorded =
        source(&["record", "acme.toml", "--base-url", &url, "--symbols", "BTC/USD,ETH/USD", "--json"]).await;
    assert!(recorded.code == 0 && recorded.out.contains("67000"), "{recorded:?}");
    let tested = source(&["test", "acme.toml", "--json"]).await;
    let said = tested.json().unwrap();
    assert!(tested.code == 0 && said["findings"] == 0, "{said:#}");
    assert_eq!(said["readings"].as_array().unwrap().len(), 2, "{said:#}");
    let again = source(&["new", "acme", "--json"]).await;
    assert!(again.code == 64 && again.err.contains("is there already"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), file);
}

/// Without this nobody can see on the spot what a venue of the program was tested with.
#[tokio::test]
async fn every_venue_of_the_program_is_tested_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let source = async |args: &[&str]| run(BINARY, dir.path(), args, &[]).await.unwrap();
    let list = source(&["source", "list", "--json"]).await.json().unwrap();
    for venue in list["venues"].as_array().unwrap() {
        let venue = venue["venue"].as_str().unwrap();
        let tested = source(&["source", "test", venue, "--json"]).await;
        let said = tested.json().unwrap();
        assert!(tested.code == 0 && said["notes"] == serde_json::json!([]), "{venue}: {said:#}");
        let readings = said["readings"].as_array().unwrap();
        let of = |body: &str| readings.iter().filter(|reading| reading["body"] == body).count();
        assert!(of("ok") > 0, "{venue}");
        if EXCHANGES.contains(&venue) {
            assert!(of("stream") > 3 && of("instruments") > 1, "{venue}: {said:#}");
        }
    }
}

/// Without this a venue's list is described by hand and believed without anybody having read it, and a venue that has
/// changed its list or its stream passes a live test by its HTTP alone.
#[tokio::test]
async fn a_venues_list_is_recorded_and_a_live_test_asks_for_all_that_it_has() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let (dir, market) = (world.dir.path(), world.venues.market());
    for name in ["okx.toml", "ecb.toml"] {
        std::fs::copy(presets().join(name), dir.join(name)).unwrap();
    }
    let (url, socket) = (world.venues.base_url(Venue::Okx), world.venues.stream_url(Venue::Okx));
    let source = async |args: &[&str]| run(BINARY, dir, &[&["source"], args].concat(), &[]).await.unwrap();
    let list =
        ["record", "okx.toml", "--base-url", &url, "--symbols", "BTC-USDT,NOPE-USDT", "--list", "--json"];
    let recorded = source(&list).await;
    let said = recorded.json().unwrap();
    let read = serde_json::json!([["BTC-USDT", "trading"], ["NOPE-USDT", "gone"]]);
    assert!(recorded.code == 0 && said["read"] == read, "{recorded:?}");
    assert!(dir.join("fixtures/okx/instruments.json").exists());
    let tested = source(&["test", "okx.toml", "--json"]).await;
    let readings = tested.json().unwrap()["readings"].as_array().unwrap().clone();
    assert!(
        tested.code == 0 && readings.iter().filter(|r| r["body"] == "instruments").count() == 2,
        "{tested:?}"
    );
    // What is there stays, a name says what a body is, and not every venue has a list.
    let prices =
        ["record", "okx.toml", "--base-url", &url, "--symbols", "BTC-USDT", "--name", "instruments_new"];
    let none = ["record", "ecb.toml", "--base-url", &url, "--symbols", "USD", "--list"];
    for (args, why) in [
        (&list[..], "--force"),
        (&[&list[..], &["--name", "ok"]].concat(), "begin with"),
        (&prices, "begin with"),
        (&none, "says of no list"),
    ] {
        let refused = source(args).await;
        assert!(refused.code == 64 && refused.err.contains(why), "{why}: {refused:?}");
    }
    let test = ["test", "okx", "--base-url", &url, "--live", "BTC-USDT,ETH-USDT", "--json"];
    let deaf = source(&test).await;
    let said = deaf.json().unwrap();
    assert!(deaf.code == 0 && said["notes"][0].as_str().unwrap().contains("--stream-url"), "{said:#}");
    let test = [&test[..], &["--stream-url", &socket]].concat();
    let live = async || {
        let ran = source(&test).await;
        let said = ran.json().unwrap();
        let readings = said["readings"].as_array().unwrap().iter();
        let of = |reading: &Value| {
            let text = |key: &str| reading[key].as_str().unwrap_or_default().to_owned();
            let is_live = text("body").starts_with("live");
            is_live.then(|| (text("body"), text("symbol"), text("read"), reading["right"] == true))
        };
        (ran.code, readings.filter_map(of).collect::<Vec<_>>())
    };
    let (code, well) = live().await;
    let places: Vec<(&str, &str)> = well.iter().map(|(body, symbol, ..)| (&**body, &**symbol)).collect();
    let both = |body: &'static str| [(body, "BTC-USDT"), (body, "ETH-USDT")];
    assert_eq!(
        (code, places),
        (0, [both("live"), both("live list"), both("live stream")].concat()),
        "{well:?}"
    );
    assert!(well.iter().all(|(.., right)| *right) && well[4].2.starts_with("67"), "{well:?}");
    // Each of the three is found out by itself.
    let wrong = async || {
        let (code, all) = live().await;
        let wrong =
            all.into_iter().filter(|(.., right)| !right).map(|(body, symbol, read, _)| (body, symbol, read));
        (code, wrong.collect::<Vec<_>>())
    };
    market.fault_market(Venue::Okx, "BTC/USDT", Fault::Halted).unwrap();
    let (code, halted) = wrong().await;
    let [(body, symbol, read)] = &halted[..] else { panic!("{halted:?}") };
    assert_eq!((code, &**body, &**symbol), (1, "live list", "BTC-USDT"));
    assert!(read.starts_with("halted: "), "{read}");
    market.clear_all();
    market.stream_fault(Venue::Okx, StreamFault::Refused { status: 503 });
    let (code, refused) = wrong().await;
    assert!(code == 1 && refused.len() == 1 && refused[0].0 == "live stream", "{refused:?}");
    assert!(refused[0].2.contains("503"), "{refused:?}");
}

/// Without this whoever records a stream in vain is left with half a file, or with one that says nothing.
#[tokio::test]
async fn a_stream_that_cannot_be_recorded_leaves_no_file_and_says_why() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let dir = world.dir.path();
    let record = async |venue: Venue, symbols: &str, more: &[&str]| {
        let name = venue.name();
        std::fs::copy(presets().join(format!("{name}.toml")), dir.join(format!("{name}.toml"))).unwrap();
        let (file, base) = (format!("{name}.toml"), world.venues.base_url(venue));
        let args = [
            "source",
            "record",
            &file,
            "--base-url",
            &base,
            "--symbols",
            symbols,
            "--seconds",
            "2",
            "--stream",
        ];
        run(BINARY, dir, &[&args[..], more].concat(), &[]).await.unwrap()
    };
    let [okx, kucoin, gemini] =
        [Venue::Okx, Venue::Kucoin, Venue::Gemini].map(|v| world.venues.stream_url(v));
    let market = world.venues.market();
    market.stream_fault(Venue::Okx, StreamFault::Refused { status: 503 });
    let refused = record(Venue::Okx, "BTC-USDT", &["--stream-url", &okx]).await;
    assert!(refused.code == 69 && refused.err.contains("503"), "{refused:?}");
    market.clear_stream(Venue::Okx);
    for (code, why, ran) in [
        (64, "--stream-url", record(Venue::Okx, "BTC-USDT", &[]).await),
        (64, "begin", record(Venue::Okx, "BTC-USDT", &["--stream-url", &okx, "--name", "ok"]).await),
        (64, "says of no stream", record(Venue::Ecb, "USD", &["--stream-url", &okx]).await),
        (
            64,
            "more than one socket",
            record(Venue::Gemini, "BTCUSD,ETHUSD", &["--stream-url", &gemini]).await,
        ),
        (64, "symbol", record(Venue::Okx, "btcusdt", &["--stream-url", &okx]).await),
    ] {
        assert!(ran.code == code && ran.err.contains(why), "{why}: {ran:?}");
    }
    for name in ["okx", "gemini", "ecb"] {
        assert!(!dir.join(format!("fixtures/{name}/stream.toml")).exists(), "{name}");
    }
    // A market that the venue does not know is told of, and what came of the others is kept.
    let part = record(Venue::Okx, "BTC-USDT,NOPE-USDT", &["--stream-url", &okx, "--json"]).await;
    let said = part.json().unwrap();
    assert!(part.code == 1 && said["silent"] == serde_json::json!(["NOPE-USDT"]), "{said:#}");
    // A token is asked for where one is wanted.
    let token = record(Venue::Kucoin, "BTC-USDT", &["--stream-url", &kucoin, "--frames", "4"]).await;
    assert!(token.code == 0, "{token:?}");
    for name in ["okx", "kucoin"] {
        let file = dir.join(format!("{name}.toml"));
        let tested = run(BINARY, dir, &["source", "test", &file.display().to_string()], &[]).await.unwrap();
        assert!(tested.code == 0, "{name}: {tested:?}");
    }
}

/// Without this a market that its venue halted or dropped looks well to whoever asks once, because its last price is
/// still told.
#[tokio::test]
async fn lists_are_looked_at_where_somebody_asks_once() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let (dir, market) = (world.dir.path(), world.venues.market());
    let ask = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    let well = ask(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    assert_eq!(
        (&well["lists_unusable"], well["sources"][0]["listed"].is_null()),
        (&serde_json::json!({}), true)
    );
    market.fault_market(Venue::Bitstamp, "BTC/USD", Fault::Halted).unwrap();
    let quote = ask(&["quote", "BTC-USD"]).await;
    let line = "bitstamp:btcusd: its venue's list has it as halted: \"";
    assert!(quote.code == 0 && quote.out.contains(line), "{quote:?}");
    let said = ask(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    let bitstamp =
        said["sources"].as_array().unwrap().iter().find(|s| s["source"] == "bitstamp:btcusd").unwrap();
    assert_eq!((&bitstamp["verdict"], &bitstamp["listed"]), (&"halted".into(), &"halted".into()), "{said:#}");
    let halted = ask(&["check", "--online"]).await;
    assert!(halted.code == 0 && halted.out.contains("market bitstamp:btcusd"), "{halted:?}");
    market.clear_all();
    market.fault_market(Venue::Okx, "BTC/USDT", Fault::Unlisted).unwrap();
    let gone = ask(&["check", "--online"]).await;
    let line = gone.out.lines().find(|line| line.contains("market okx:BTC-USDT"));
    assert!(gone.code == 1 && line.is_some_and(|line| line.starts_with("WRONG")), "{gone:?}");
    // A list without any market is no list.
    market.clear_all();
    market.fault(Venue::Okx, Fault::Unlisted);
    let absurd = ask(&["check", "--online"]).await;
    assert!(absurd.code == 0 && absurd.out.contains("the list is empty"), "{absurd:?}");
    let quote = ask(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    assert_eq!(quote["lists_unusable"]["okx"], "the list is empty", "{quote:#}");
    assert!(quote["sources"].as_array().unwrap().iter().all(|s| s["verdict"] == "counted"), "{quote:#}");
}
