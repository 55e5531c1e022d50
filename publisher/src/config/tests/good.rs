//! What right configurations mean.

use super::*;
use crate::chain::FeedFacts;
use publisher_core::fees::FeeProfile;
use publisher_core::machine::Machine;
use publisher_core::policy::{Combine, Early};
use publisher_core::price::{Answer, Ratio};
use publisher_core::quote::MarketId;
use publisher_core::record::Recovered;
use publisher_core::time::Now;

const BTC: &str = "BTC-USD";

fn feed(config: &Config) -> &Feed {
    &config.feeds[&FeedId::new(BTC)]
}

/// The effective value of one of the feed's policy keys.
fn policy(text: &str, key: &str) -> String {
    good(text).effective()[&format!("feed.\"BTC-USD\".policy.{key}")].clone()
}

fn answer(text: &str) -> Answer {
    text.parse().unwrap()
}

/// Without this, a first user's first file is refused.
#[test]
fn the_example_is_valid_and_survives_its_own_effective_values() {
    let config = good(example());
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.feeds.len(), 2);
    assert_eq!(feed(&config).families, 7);
    let binance = &config.venues[&VenueId::new("binance")];
    let symbols: Vec<_> = binance.symbols.iter().map(|symbol| &**symbol).collect();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"]);
    let kraken = &config.venues[&VenueId::new("kraken")];
    assert_eq!(kraken.symbols.len(), 3, "two feeds and a rate read it with one request");
    let polled = config.sources(&Client::new().unwrap()).unwrap();
    assert_eq!(polled.len(), 7);
    // The lines that are commented out are right as well.
    let path = Path::new("x.toml");
    let env = |_: &str| Some("k".to_owned());
    let all =
        example().replace("# [source", "[source").replace("# url =", "url =").replace("# pointer", "pointer");
    let all = all.replace("# headers", "headers").replace("# kind", "kind").replace("# network", "network");
    let all = all.replace("# address = \"0x5", "address = \"0x5").replace("# heartbeat", "heartbeat");
    let all = all.replace("# [network", "[network").replace("# id = 1", "id = 1").replace("# rpc", "rpc");
    let all = all.replace("  \"okx:BTC", "  \"acme\",\n  \"oracle\",\n  \"okx:BTC");
    let config = check::config(&all, path, &env).unwrap();
    assert_eq!(feed(&config).families, 9);
    assert!(config.sources.contains_key(&VenueId::new("acme")));
    assert_eq!(config.networks[&VenueId::new("ethereum")].sources.len(), 1);
}

/// Without this, overriding one rule of a feed drops its heartbeat.
#[test]
fn settings_are_inherited_key_by_key_and_off_takes_one_away() {
    let with = |base: &str, own: &str| {
        let base = format!("[defaults.policy]\n{base}\n[feed.\"BTC-USD\"]");
        changed(SMALL, &[("[feed.\"BTC-USD\"]", &base), ("heartbeat = \"1h\"", own)])
    };
    let base = "heartbeat = \"2h\"\ndeviation = \"1%\"\nbreaker = \"20%\"\nrefuse_spread = \"2%\"\nmax_age = \"9s\"\nquorum = 2";
    for (own, key, expected) in [
        ("", "heartbeat", "2h"),
        ("deviation = \"0.5%\"", "heartbeat", "2h"),
        ("deviation = \"0.5%\"", "deviation", "0.5%"),
        ("deviation = \"off\"", "deviation", "off"),
        ("deviation = \"0%\"", "deviation", "off"),
        ("heartbeat = \"0s\"", "heartbeat", "off"),
        ("heartbeat = \"off\"", "deviation", "1%"),
        ("breaker = \"off\"", "breaker.min", "off"),
        ("breaker.confirm_for = \"1m\"", "breaker.min", "20%"),
        ("breaker = \"30%\"", "breaker.max", "50%"),
        ("refuse_spread = \"off\"", "refuse_spread", "off"),
        ("", "refuse_spread", "2%"),
        ("", "max_age", "9s"),
        ("max_age = \"10s\"", "max_age", "10s"),
        ("", "quorum", "2"),
        ("quorum = 3", "quorum", "3"),
    ] {
        assert_eq!(policy(&with(base, own), key), expected, "{own:?} {key}");
    }
}

/// Without this a coin that is worth a dollar may jump by 30% on one venue's word, as one that is not may.
#[test]
fn a_rate_with_a_peg_has_narrower_gates_unless_somebody_says_otherwise() {
    let rules = |peg: &str| {
        let sources = "[\"coinbase:USDT-USD\", \"kraken:USDTUSD\", \"bitstamp:usdtusd\"]";
        let text = format!("{SMALL}\n[rate.\"USDT-USD\"]\nsources = {sources}\n{peg}\n");
        let rules = good(&text).rates[&FeedId::new("USDT-USD")].rules;
        [rules.self_jump, rules.outlier_floor].map(|ratio| ratio.to_string())
    };
    assert_eq!(rules(""), ["30%", "0.5%"]);
    assert_eq!(rules("peg = \"1%\""), ["2%", "0.2%"]);
    let own = "peg = \"1%\"\npolicy = { self_jump = \"off\", outlier_floor = \"0.4%\" }";
    assert_eq!(rules(own), ["0%", "0.4%"]);
}

#[test]
fn what_is_not_said_follows_from_what_is() {
    let rule = |rule: &str| changed(SMALL, &[("heartbeat = \"1h\"", rule)]);
    for (text, key, expected) in [
        (rule("heartbeat = \"1h\""), "heartbeat_lead", "4s"),
        (rule("heartbeat = \"8s\"\nmax_age = \"5s\""), "heartbeat_lead", "2s"),
        (rule("heartbeat = \"12s\"\nmax_age = \"5s\""), "heartbeat_lead", "3s"),
        (changed(SMALL, &[("block_time = \"2s\"", "block_time = \"250ms\"")]), "heartbeat_lead", "2s"),
        (changed(SMALL, &[("block_time = \"2s\"", "block_time = \"12s\"")]), "heartbeat_lead", "24s"),
        (rule("deviation = \"1%\"\nbreaker = \"10%\""), "breaker.confirm_for", "3m"),
        (rule("deviation = \"1%\"\nbreaker = \"10%\""), "breaker.max", "16.6666666%"),
        (rule("deviation_abs = \"0.00000001\""), "deviation_abs", "0.00000001"),
        (rule("confidence_ratio = \"1%\""), "confidence_rearm", "0.5%"),
        (SMALL.to_owned(), "quorum", "3"),
        (SMALL.to_owned(), "outlier_floor", "0.5%"),
        (SMALL.to_owned(), "settle", "off"),
        (SMALL.to_owned(), "standby", "off"),
    ] {
        assert_eq!(policy(&text, key), expected, "{key} of {text}");
    }
    for (block, resend) in [("250ms", 5), ("2s", 5), ("12s", 24)] {
        let config = good(&changed(SMALL, &[("\"2s\"", &format!("{block:?}"))]));
        assert_eq!(config.chain.timing.resend, Span::from_s(resend), "{block}");
    }
    let config = good(SMALL);
    assert_eq!(feed(&config).description, "BTC / USD");
    assert_eq!(feed(&config).signer, "main");
    assert_eq!(config.listen.unwrap().to_string(), "127.0.0.1:9464");
    assert_eq!(config.chain.rpc[0].timeout, Span::from_s(5));
}

/// Without this, a majority of a venue's own markets passes for a majority of venues.
#[test]
fn the_quorum_counts_venues_and_not_markets() {
    let sources = |list: &str| changed(SMALL, &[("\"bitstamp:btcusd\"", list)]);
    for (list, venues, quorum) in [
        ("\"bitstamp:btcusd\"", 3, 3),
        ("\"bitstamp:btcusd\", \"okx:BTC-USD\"", 4, 3),
        ("\"bitstamp:btcusd\", \"okx:BTC-USD\", \"binance:BTCUSD\"", 5, 3),
        ("\"bitstamp:btcusd\", \"kraken:XBTEUR * r\", \"kraken:XBTGBP * r\"", 3, 3),
    ] {
        let rate = "\n[rate.r]\nsources = [\"kraken:EURUSD\"]\npolicy.allow_single_source = true\n";
        let text = sources(list) + if list.contains("* r") { rate } else { "" };
        let config = good(&text);
        assert_eq!((feed(&config).families, feed(&config).pricing.rules.quorum), (venues, quorum), "{list}");
    }
    let single = changed(
        SMALL,
        &[(", \"kraken:XBTUSD\", \"bitstamp:btcusd\"", ""), ("\"1h\"", "\"1h\"\nallow_single_source = true")],
    );
    assert_eq!(feed(&good(&single)).pricing.rules.quorum, 1);
}

#[test]
fn texts_become_what_the_core_computes_with() {
    let text = changed(
        SMALL,
        &[
            ("\"zero-gas\"", "{ profile = \"legacy\", max_fee = \"1.5 gwei\", bump = \"12%\" }"),
            ("\"instant\"", "\"op-stack\""),
            ("min = \"1\"", "min = 2"),
            ("heartbeat = \"1h\"", "deviation = \"0.5%\"\ndeviation_abs = \"12.5\"\ncombine = \"all\""),
        ],
    );
    let config = good(&text);
    assert_eq!(config.chain.fees.profile, FeeProfile::Legacy);
    assert_eq!((config.chain.fees.max_fee_wei, config.chain.fees.bump_percent), (1_500_000_000, 12));
    assert_eq!((config.chain.finality, config.chain.tag), (Finality::Tag, Some(Tag::Safe)));
    let policy = &feed(&config).policy;
    assert_eq!((policy.min_answer, policy.max_answer), (answer("200000000"), answer("1000000000000000")));
    let deviation = &policy.deviation;
    assert_eq!((deviation.relative, deviation.combine), (Ratio::from_bps(50), Combine::All));
    assert_eq!(deviation.absolute.to_string(), "1250000000");
    let path = &feed(&config).pricing.paths[1];
    assert_eq!((&path.market, path.via.is_direct()), (&MarketId::new("kraken", "XBTUSD"), true));
}

#[test]
fn finality_has_these_spellings() {
    for (text, finality, tag) in [
        ("instant", Finality::Instant, None),
        ("depth:12", Finality::Depth(12), None),
        ("tag", Finality::Tag, Some(Tag::Finalized)),
        ("op-stack", Finality::Tag, Some(Tag::Safe)),
        ("op-stack:finalized", Finality::Tag, Some(Tag::Finalized)),
    ] {
        let config = good(&changed(SMALL, &[("\"instant\"", &format!("{text:?}"))]));
        assert_eq!((config.chain.finality, config.chain.tag), (finality, tag), "{text}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = changed(
        SMALL,
        &[(
            "kind = \"web3signer\"\nurl = \"http://127.0.0.1:9000\"",
            "kind = \"keystore\"\npath = \"keys/dev.json\"\npassword_file = \"/run/pass\"\nallow_development_keystore = true",
        )],
    );
    let config = Config::parse(&text, Path::new("/etc/publisher/btc.toml")).unwrap();
    assert_eq!(config.journal, Path::new("/etc/publisher/publisher.db").into());
    let (path, password_file) = ("/etc/publisher/keys/dev.json".into(), "/run/pass".into());
    assert_eq!(config.signers["main"].kind, SignerKind::Keystore { path, password_file });
}

#[test]
fn a_venue_under_another_name_speaks_its_presets_format() {
    let text = changed(
        SMALL,
        &[
            ("\"kraken:XBTUSD\"", "\"mirror:XBTUSD\""),
            (
                "[feed.\"BTC-USD\"]",
                "[venue.mirror]\npreset = \"kraken\"\nbase_url = \"http://10.0.0.1\"\n[feed.\"BTC-USD\"]",
            ),
        ],
    );
    let config = good(&text);
    let mirror = &config.venues[&VenueId::new("mirror")];
    assert_eq!((mirror.preset.id(), mirror.spec.id.as_str()), ("kraken", "mirror"));
    assert!(!config.venues.contains_key(&VenueId::new("kraken")), "nothing reads kraken itself");
}

/// Without this a key could be asked for in a file and never be sent.
#[test]
fn a_venue_that_asks_for_a_key_is_read_with_one_and_shows_none() {
    let with = |key: &str| {
        let venue = format!("[venue.coinmarketcap]\nevery = \"20s\"\n{key}\n[feed.\"BTC-USD\"]");
        let text =
            changed(SMALL, &[("\"kraken:XBTUSD\"", "\"coinmarketcap:1\""), ("[feed.\"BTC-USD\"]", &venue)]);
        // By the smallest plan it is asked every 260 s.
        format!("{text}\n[defaults.policy]\nmax_age = \"10m\"\n")
    };
    let config = good(&with("key = \"hunter2\""));
    assert_eq!(config.effective()["venue.coinmarketcap.key"], "hidden");
    assert!(!format!("{config:?}").contains("hunter2"));
    // A larger plan allows to ask more often; what none allows is said.
    let paced = |config: Config| config.warnings.to_string().contains("allow no more than one poll in 260s");
    assert!(paced(config));
    assert!(!paced(good(&with("key = \"k\"\ncredits = 500000"))));
    let text = parse(&with("key = \"k\"\ncredits = 0\nshare = \"101%\"")).unwrap_err().to_string();
    assert!(
        text.contains("not a part of the limits") && text.contains("a plan that allows nothing"),
        "{text}"
    );
    let text = parse(&with("")).unwrap_err().to_string();
    assert!(text.contains("venue.coinmarketcap.key") && text.contains("answers only with a key"), "{text}");
    let text = parse(&with("key = \"\"")).unwrap_err().to_string();
    assert!(text.contains("venue.coinmarketcap.key") && text.contains("an empty key"), "{text}");
}

/// Without this a plan, or a part of a limit, slows a venue down until each of its quotes is stale when the next one
/// comes, and nobody is told.
#[test]
fn a_plan_or_share_that_makes_quotes_stale_is_told_with_all_that_is_read() {
    let said = |venue: &str, symbol: &str, age: &str| {
        let venue = format!("[venue.{venue}\n[feed.\"BTC-USD\"]");
        let text = changed(SMALL, &[("\"kraken:XBTUSD\"", symbol), ("[feed.\"BTC-USD\"]", &venue)]);
        let text = format!("{text}\n[defaults.policy]\nmax_age = \"{age}\"\n");
        match parse(&text) {
            Ok(config) => config.warnings.to_string(),
            Err(problems) => format!("error {problems}"),
        }
    };
    let gecko = |credits: u32, age: &str| {
        said(&format!("coingecko-pro]\nkey = \"k\"\ncredits = {credits}"), "\"coingecko-pro:bitcoin\"", age)
    };
    let stale = "coingecko-pro can be asked every 260s only within its limits, so its quotes would be stale";
    let text = gecko(10_000, "2m");
    assert!(
        text.starts_with("error") && text.contains(stale) && text.contains("defaults.policy.max_age"),
        "{text}"
    );
    let text = gecko(10_000, "5m");
    assert!(!text.starts_with("error") && text.contains("one lost answer makes it stale"), "{text}");
    assert!(!gecko(10_000, "10m").contains("can be asked"));
    assert!(!gecko(10_000_000, "2m").contains("can be asked"));
    // What comes over a socket is not stale by it, as long as that is open.
    let kraken = |share: &str| said(&format!("kraken]\nshare = \"{share}\""), "\"kraken:XBTUSD\"", "10s");
    let text = kraken("1%");
    assert!(!text.starts_with("error") && text.contains("whenever its sockets are closed"), "{text}");
    assert!(!kraken("50%").contains("can be asked"));
}

/// Without this a feed of one exchange and three aggregators, which repeat it, would have a majority.
#[test]
fn aggregators_share_one_vote() {
    let sources = "\"coingecko:bitcoin\", \"coinmarketcap:1\"";
    let key = "[venue.coinmarketcap]\nkey = \"k\"\n[feed.\"BTC-USD\"]";
    let text = changed(
        SMALL,
        &[
            ("\"kraken:XBTUSD\"", sources),
            ("[feed.\"BTC-USD\"]", key),
            ("heartbeat = \"1h\"", "heartbeat = \"1h\"\nmax_age = \"30m\""),
        ],
    );
    assert_eq!(feed(&good(&text)).families, 3);
    let apart = text.replace("key = \"k\"", "key = \"k\"\nfamily = \"mine\"");
    assert_eq!(feed(&good(&apart)).families, 4);
}

/// Without this one exchange under three names outvotes two that are honest.
#[test]
fn two_names_for_one_exchange_share_one_vote() {
    let venue = |more: &str| {
        let section = format!("[venue.mirror]\npreset = \"kraken\"\n{more}[feed.\"BTC-USD\"]");
        let sources = "\"kraken:XBTUSD\", \"mirror:XBTUSD\"";
        changed(SMALL, &[("\"kraken:XBTUSD\"", sources), ("[feed.\"BTC-USD\"]", &section)])
    };
    let families = |more: &str| feed(&good(&venue(more))).families;
    assert_eq!(families(""), 3);
    assert_eq!(families("family = \"apart\"\n"), 4);
    // Whoever answers there may be another exchange that speaks as Kraken does.
    assert_eq!(families("base_url = \"https://mirror.example\"\n"), 4);
}

const DEPLOYED: &str = "decimals = 8\naggregator = \"0x5fbdb2315678afecb367f032d93f642f64180aa3\"";

fn facts(decimals: u8, min: &str, max: &str) -> BTreeMap<FeedId, FeedFacts> {
    let facts = FeedFacts {
        decimals,
        description: "BTC / USD".into(),
        min_answer: answer(min),
        max_answer: answer(max),
    };
    [(FeedId::new(BTC), facts)].into()
}

/// A small configuration whose feed is one of a store's.
const STORED: &str = "decimals = 8\nstore = \"main\"\nstore_id = 3\ngroup = \"pair\"";
const STORE: &str =
    "[store.main]\naddress = \"0x5fc8d32690cc91d4c39d9d3abcbd16989f875707\"\nearly = \"80%\"\n[chain]";

#[test]
fn a_feed_of_a_store_is_written_to_the_store() {
    let config = good(&changed(SMALL, &[("decimals = 8", STORED), ("[chain]", STORE)]));
    let store = config.stores["main"].address.unwrap();
    let spec = config.machine_spec(&facts(8, "100000000", "400000000000000000")).unwrap();
    let feed = &spec.feeds[&FeedId::new(BTC)];
    let entry = feed.entry.clone().unwrap();
    assert_eq!(
        (
            feed.aggregator,
            entry.number,
            entry.group.as_ref().map(|group| (group.name.as_str(), group.is_atomic))
        ),
        (store, 3, Some(("pair", true)))
    );
    assert_eq!(spec.stores[&store].early.ratio, "80%".parse().unwrap());
    // What is not said is `never`; `always` is Pyth's word for what is not said there.
    for (early, ratio, always) in
        [("", "0%", false), ("never", "0%", false), ("off", "0%", false), ("always", "0%", true)]
    {
        let line = if early.is_empty() { String::new() } else { format!("early = {early:?}\n") };
        let other = STORE.replace("early = \"80%\"\n", &line);
        let config = good(&changed(SMALL, &[("decimals = 8", STORED), ("[chain]", &other)]));
        let early = config.stores["main"].spec.early;
        assert_eq!(early, Early { always, ratio: ratio.parse().unwrap(), ..Early::default() }, "{line}");
    }
    // A transaction for every feed of the account may be signed, and no larger one.
    let all = spec.stores[&store].gas + feed.gas_ceiling;
    assert_eq!(config.gas_max(feed.account), all.max(crate::config::GAS_CEILING));
    assert_eq!(config.gas_max(Address::ZERO), crate::config::GAS_CEILING);
}

#[test]
fn a_machine_is_made_from_it() {
    let config = good(&changed(SMALL, &[("decimals = 8", DEPLOYED)]));
    let spec = config.machine_spec(&BTreeMap::new()).unwrap();
    let feed = &spec.feeds[&FeedId::new(BTC)];
    assert_eq!((spec.chain.chain_id, feed.decimals, feed.account), (138, 8, config.signers["main"].address));
    assert!(feed.gas_floor < feed.gas_ceiling);
    Machine::new(spec, &Recovered::default(), Now::default()).unwrap();
    // The contract's bounds narrow the configured ones, and never widen them.
    let spec = config.machine_spec(&facts(8, "300000000", "400000000000000000")).unwrap();
    let policy = &spec.feeds[&FeedId::new(BTC)].policy;
    assert_eq!((policy.min_answer, policy.max_answer), (answer("300000000"), answer("1000000000000000")));
}

/// Without this, a contract that became dearer runs out of gas in its dearest rounds only.
#[test]
fn the_gas_floor_is_above_the_dearest_round() {
    let measured = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/gas.json");
    let measured: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(measured).unwrap()).unwrap();
    let submits = measured["submit"].as_object().unwrap();
    assert!(submits.contains_key("worst"), "{submits:?}");
    for (case, gas) in submits {
        assert!(gas.as_u64().unwrap() * 5 / 4 <= GAS_FLOOR, "{case}: {gas}");
    }
}

#[test]
fn no_machine_is_made_that_could_not_publish() {
    let reasons = |text: &str, facts: &BTreeMap<FeedId, FeedFacts>| {
        let problems = good(text).machine_spec(facts).unwrap_err();
        problems.problems.into_iter().map(|p| format!("{}: {}", p.path, p.reason)).collect::<Vec<_>>()
    };
    let text = changed(SMALL, &[("decimals = 8", DEPLOYED)]);
    assert_eq!(reasons(SMALL, &BTreeMap::new()), ["feed.\"BTC-USD\".aggregator: missing"]);
    assert_eq!(
        reasons(&text, &facts(18, "1", "99999999999999999999")),
        ["feed.\"BTC-USD\".decimals: the aggregator has 18 decimals"]
    );
    assert_eq!(
        reasons(&text, &facts(8, "1", "2")),
        ["feed.\"BTC-USD\".min: the aggregator takes answers from 0.00000001 to 0.00000002 only"]
    );
}

/// Without this the week-end's sources have the quorum of others, or lack their gates, their weights or their reference,
/// or the machine is not told of them.
#[test]
fn sources_of_off_hours_have_the_rules_of_the_feed_and_a_majority_of_their_own() {
    let text = changed(
        SMALL,
        &[
            (
                "sources =",
                "off_hours_sources = [\"kraken:XBTUSD\", \"gemini:BTCUSD\", \"okx:BTC-USDT * USDT-USD\", \"bybit:BTCUSDT * USDT-USD\", \"gate:BTC_USDT * USDT-USD\", \"bitfinex:tBTCUSD\"]\nreference = \"BTC-reference\"\nsources =",
            ),
            (
                "heartbeat = \"1h\"",
                "heartbeat = \"1h\"\nmax_age = \"25s\"\nrefuse_spread = \"3%\"\ncalendar = \"fx\"\non_market = { closed = \"switch_source\", unknown = \"freeze\" }\nweights = { coinbase = 2, kraken = 2, bitstamp = 2, gemini = 1, okx = 1, bybit = 1, gate = 1, bitfinex = 2 }\n[rate.\"USDT-USD\"]\nsources = [\"coinbase:USDT-USD\", \"kraken:USDTZUSD\", \"bitstamp:usdtusd\"]\n[rate.\"BTC-reference\"]\nsources = [\"coinbase:BTC-USD\", \"kraken:XBTUSD\", \"okx:BTC-USD\"]",
            ),
        ],
    );
    let config = good(&text);
    let id = FeedId::new(BTC);
    let (main, off_hours) = (&feed(&config).pricing, feed(&config).off_hours.as_ref().unwrap());
    assert_eq!((main.rules.quorum, off_hours.rules.quorum), (3, 4));
    let of_main = publisher_core::aggregate::Rules { quorum: 3, ..off_hours.rules };
    assert_eq!(
        (main.rules, main.max_age, &main.reference),
        (of_main, off_hours.max_age, &off_hours.reference)
    );
    assert_eq!(off_hours.paths.iter().map(|path| path.weight).collect::<Vec<_>>(), [2, 1, 1, 1, 1, 2]);
    assert!(config.venues.contains_key(&VenueId::new("gemini")), "they are asked for");
    assert_eq!(config.pricings()[&id.off_hours()], *off_hours);
    let effective = config.effective();
    let list = &effective["feed.\"BTC-USD\".off_hours_sources"];
    assert!(list.starts_with("kraken:XBTUSD, gemini:BTCUSD, okx:BTC-USDT * USDT-USD, "), "{list}");
    assert_eq!(effective["feed.\"BTC-USD\".policy.on_market.closed"], "switch_source");
}
