//! `publisher quote` beside a journal, and over time.

use super::*;

/// `publisher quote --watch --json`, look by look.
struct Watching {
    child: tokio::process::Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Watching {
    fn start(dir: &Path) -> Result<Self> {
        let args = ["quote", "BTC-USD", "--watch", "--every", "100ms", "--json"];
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(dir).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Ok(Self { child, lines })
    }

    /// The first look from now on of which something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut look = Value::Null;
        let seen = async {
            while !holds(&look) {
                look = serde_json::from_str(&self.lines.next_line().await?.unwrap_or_default())?;
            }
            Ok::<(), anyhow::Error>(())
        };
        let seen = tokio::time::timeout(SOON * PATIENCE, seen).await;
        ensure!(matches!(seen, Ok(Ok(()))), "{what} is not seen: {seen:?}, the last look: {look:#}");
        Ok(look)
    }

    async fn end(mut self) -> Result<Option<i32>> {
        let id = self.child.id().map(|id| id.to_string()).unwrap_or_default();
        Command::new("kill").args(["-INT", &id]).status().await?;
        Ok(tokio::time::timeout(SOON * PATIENCE, self.child.wait()).await??.code())
    }
}

/// What is said of one source.
fn source<'a>(look: &'a Value, name: &str) -> &'a Value {
    let of = look["sources"].as_array().and_then(|all| all.iter().find(|s| s["source"] == name));
    of.unwrap_or(&Value::Null)
}

/// Without this whoever watches a feed at night has to ask again and again, and sees no price move.
#[tokio::test]
async fn quote_watches_until_it_is_interrupted() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let mut watch = Watching::start(world.dir.path()).unwrap();
    for price in ["67000", "67100", "67200"] {
        world.venues.market().set_price("BTC/USD", price).unwrap();
        watch.until(price, |look| look["price"] == price).await.unwrap();
    }
    assert_eq!(watch.end().await.unwrap(), Some(0));
}

/// Without this whoever looks is told that a source does not count, or that there is no value, and not by how much: a
/// venue that is off by a hair looks like one that is off by half.
#[tokio::test]
async fn quote_says_what_each_gate_measured_and_its_limit() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    let (dir, market) = (world.dir.path(), world.venues.market());
    let quote = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    // The rate is left as it is, which some of them are asked for as well.
    let lie = |venue, by: &str| {
        market.fault_market(venue, "BTC/USD", Fault::Multiply { by: by.parse().unwrap() }).unwrap();
    };
    market.set_price("USDT/USD", "1").unwrap();
    lie(Venue::Bitstamp, "1.02");
    let words = quote(&["quote", "BTC-USD"]).await;
    let of =
        |venue: &str| words.out.lines().find(|line| line.starts_with(venue)).unwrap_or_default().trim_end();
    assert!(of("bitstamp").ends_with("outlier (2%, limit 0.5%)"), "{words:?}");
    assert!(of("kraken").ends_with("counted"), "{words:?}");
    let look = quote(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    let told = |of: &Value| [&of["verdict"], &of["measured"], &of["limit"]].map(Value::clone);
    assert_eq!(told(source(&look, "bitstamp:btcusd")), ["outlier", "2%", "0.5%"].map(Value::from));
    let counted = [Value::from("counted"), Value::Null, Value::Null];
    assert_eq!(told(source(&look, "kraken:XBTUSD")), counted, "{look:#}");
    // More are apart than may be set aside: the value has a measure of its own.
    lie(Venue::Kraken, "1.04");
    lie(Venue::Coinbase, "0.97");
    let words = quote(&["quote", "BTC-USD"]).await;
    let line = words.out.lines().find(|line| line.starts_with("BTC-USD has no value")).unwrap_or_default();
    assert!(words.code == 1 && line.contains("(3, limit 2)"), "{words:?}");
    let look = quote(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    assert_eq!(
        [&look["refused"], &look["measured"], &look["limit"]].map(Value::clone),
        ["too_many_outliers", "3", "2"].map(Value::from),
        "{look:#}"
    );
}

/// Without this a market that its venue has halted looks well to whoever watches, until it loses its vote without a word.
#[tokio::test]
async fn a_watch_says_what_lists_say_and_when_that_counts() {
    let world = World::new(Options { policy: AT_ONCE, ..Options::default() }).await.unwrap();
    // Apart far enough that somebody sees what the first list says before the second one has said it.
    world.edit("[venue.bitstamp]", "[venue.bitstamp]\ninstruments_every = \"8s\"").unwrap();
    let market = world.venues.market();
    market.fault_market(Venue::Bitstamp, "BTC/USD", Fault::Halted).unwrap();
    market.fault(Venue::Okx, Fault::Unlisted);
    let mut watch = Watching::start(world.dir.path()).unwrap();
    let is = |verdict: &'static str| {
        move |look: &Value| {
            let said = source(look, "bitstamp:btcusd");
            said["listed"] == "halted" && said["list_says"].is_string() && said["verdict"] == verdict
        }
    };
    watch.until("what one list says", is("counted")).await.unwrap();
    let look = watch.until("what two lists say", is("halted")).await.unwrap();
    assert_eq!(look["lists_unusable"]["okx"], "the list is empty", "{look:#}");
    market.clear_all();
    watch
        .until("its return", |look| {
            let said = source(look, "bitstamp:btcusd");
            said["listed"].is_null() && said["verdict"] == "counted"
        })
        .await
        .unwrap();
    assert_eq!(watch.end().await.unwrap(), Some(0));
}

/// Without this a feed whose market is halted, or that is paused, looks as if it published what `quote` shows; or a
/// journal that cannot be read is taken for one in which nobody has said anything.
#[tokio::test]
async fn quote_shows_the_halts_and_orders_that_stand_or_that_they_are_not_known() {
    let policy = "heartbeat = \"1h\"\ndeviation = \"0.5%\"\nmax_age = \"10s\"\nsettle = \"off\"\ncalendar = \"fx\"\n\
                  on_market = { closed = \"normal\", unknown = \"normal\" }";
    let world = World::new(Options { policy, ..Options::default() }).await.unwrap();
    let dir = world.dir.path();
    let ask = async |args: &[&str]| run(BINARY, dir, args, &[]).await.unwrap();
    let look = async || ask(&["quote", "BTC-USD", "--json"]).await.json().unwrap();
    let unread = look().await;
    let why = unread["journal_unread"].as_str().unwrap();
    assert!(why.contains("publisher.db") && why.contains("there is none"), "{unread:#}");
    assert!(!world.journal().exists(), "whoever looks writes nothing");
    let words = ask(&["quote", "BTC-USD"]).await;
    assert!(words.code == 0 && words.out.contains("halts, orders"), "{words:?}");
    assert!(words.out.contains(".000 equal votes"), "{words:?}");
    let daemon = world.daemon(BINARY, &[]).unwrap();
    world.wait_answer(world.feed(), 6_700_000_000_000, SOON).await.unwrap();
    daemon.kill().unwrap();
    let calm = look().await;
    assert_eq!(
        (&calm["journal_unread"], &calm["orders"]),
        (&Value::Null, &serde_json::json!([])),
        "{calm:#}"
    );
    let mut watch = Watching::start(dir).unwrap();
    watch.until("a look before the halt", |look| look["answer"].is_string()).await.unwrap();
    let by = ["--for", "1h", "--reason", "the exchange is down", "--by", "ann"];
    assert_eq!(ask(&[&["market", "halt", "fx"][..], &by].concat()).await.code, 0);
    assert_eq!(ask(&[&["feed", "pause", "BTC-USD"][..], &by].concat()).await.code, 0);
    let shown = |look: &Value| {
        let orders: Vec<&str> = look["orders"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|order| order["order"].as_str())
            .collect();
        look["market"]["status"] == "halted"
            && look["market"]["conduct"] == "freeze"
            && orders == ["halt", "pause"]
    };
    let halted = look().await;
    assert!(shown(&halted), "{halted:#}");
    watch.until("the halt", shown).await.unwrap();
    assert_eq!(watch.end().await.unwrap(), Some(0));
    let words = ask(&["quote", "BTC-USD"]).await.out;
    for part in
        ["calendar fx is halted until", "nothing is published", "fx halted for another", "paused for another"]
    {
        assert!(words.contains(part), "{part}: {words}");
    }
}
