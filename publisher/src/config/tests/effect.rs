//! Every key, one after the other: set it and see it, and nothing else, change.
//!
//! Without this, two keys can read each other's value, and a key can be documented that nothing reads.

use super::*;
use crate::config::keys::chapters;
use crate::config::raw::{Chapter, Default};
use std::sync::LazyLock;

/// One whole file: which keys it leaves out because they exclude others, and which have another value than their
/// first example.
struct Full {
    without: &'static [&'static str],
    instead: &'static [(&'static str, &'static str)],
}

/// What tables are called here.
const TABLES: [(&str, &str); 35] = [
    ("", ""),
    ("chain", "[chain]"),
    // One node must be read, whatever is said of the other.
    ("chain.rpc[]", "[[chain.rpc]]\nurl = \"http://127.0.0.3:8545\"\n[[chain.rpc]]"),
    ("chain.fees", "[chain.fees]"),
    ("chain.timing", "[chain.timing]"),
    ("signer.NAME", "[signer.main]"),
    ("feed.NAME", "[feed.\"BTC-USD\"]"),
    ("feed.NAME.policy", "[feed.\"BTC-USD\".policy]"),
    ("feed.NAME.policy.backup", "[feed.\"BTC-USD\".policy.backup]"),
    ("feed.NAME.policy.confirm", "[feed.\"BTC-USD\".policy.confirm]"),
    ("feed.NAME.policy.breaker", "[feed.\"BTC-USD\".policy.breaker]"),
    ("feed.NAME.policy.on_market", "[feed.\"BTC-USD\".policy.on_market]"),
    ("feed.NAME.policy.on_depeg", "[feed.\"BTC-USD\".policy.on_depeg]"),
    ("store.NAME", "[store.main]"),
    ("store.NAME.early", "[store.main.early]"),
    ("defaults", "[defaults]"),
    ("defaults.policy", "[defaults.policy]"),
    ("defaults.policy.backup", "[defaults.policy.backup]"),
    ("defaults.policy.confirm", "[defaults.policy.confirm]"),
    ("defaults.policy.breaker", "[defaults.policy.breaker]"),
    ("defaults.policy.on_market", "[defaults.policy.on_market]"),
    ("defaults.policy.on_depeg", "[defaults.policy.on_depeg]"),
    ("rate.NAME", "[rate.\"USDT-USD\"]"),
    ("rate.NAME.policy", "[rate.\"USDT-USD\".policy]"),
    ("rate.NAME.policy.on_depeg", "[rate.\"USDT-USD\".policy.on_depeg]"),
    ("rate.NAME.peg", "[rate.\"USDT-USD\".peg]"),
    ("constant.NAME", "[constant.\"EURC-EUR\"]"),
    ("venue.NAME", "[venue.binance]"),
    ("source.NAME", "[source.acme]"),
    ("network.NAME", "[network.ethereum]"),
    (
        "network.NAME.rpc[]",
        "[[network.ethereum.rpc]]\nurl = \"http://127.0.0.4:8545\"\n[[network.ethereum.rpc]]",
    ),
    ("calendar.NAME", "[calendar.mine]"),
    ("journal", "[journal]"),
    ("telemetry", "[telemetry]"),
    ("log", "[log]"),
];

/// Another signer, so that one can be chosen.
const SECOND: &str = r#"
[signer.second]
kind = "web3signer"
url = "http://127.0.0.1:9001"
address = "0x90f79bf6eb2c4f870365e785982e1f101e93b906"
"#;

/// Another store, so that one can be chosen.
const STORES: &str = r#"
[store.second]
address = "0xdc64a140aa3e981100a9beca4e685f962f0cf6c9"
"#;

/// Two references to choose from.
const REFERENCES: &str = r#"
[rate."BTC-reference"]
sources = ["coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "acme"]
[rate."BTC-other"]
sources = ["coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "acme"]
"#;

/// Another network, so that one can be chosen, and a source on each, so that both are read whatever is chosen.
const NETWORKS: &str = r#"
[network.other]
id = 10
rpc = ["http://127.0.0.5:8545"]
[source.second]
kind = "erc4626"
network = "ethereum"
address = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
[source.third]
kind = "erc4626"
network = "other"
address = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
[source.fourth]
kind = "erc4626"
address = "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"
[source.fifth]
kind = "curve-lp"
address = "0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9"
[rate.BTC-shares]
sources = ["second", "third", "fourth", "fifth"]
"#;

/// What is left out where the source is a contract: the keys of URLs, and what the first two have tried.
macro_rules! contract {
    ($($key:literal),*) => {
        &[
            "source.NAME.url",
            "source.NAME.pointer",
            "source.NAME.bid_pointer",
            "source.NAME.ask_pointer",
            "source.NAME.time_pointer",
            "source.NAME.time_unit",
            "source.NAME.every",
            "source.NAME.timeout",
            "source.NAME.headers",
            "source.NAME.allow_private",
            "source.NAME.proxy",
            "source.NAME.tls_spki_sha256",
            "feed.NAME.store",
            "feed.NAME.store_id",
            "feed.NAME.facade",
            "feed.NAME.group",
            "feed.NAME.group_policy",
            "journal.url",
            "journal.lease",
            "rate.NAME.policy",
            "signer.NAME.path",
            "signer.NAME.password_file",
            "signer.NAME.allow_development_keystore",
            "store.NAME",
            "telemetry",
            "venue.NAME.key",
            "venue.NAME.credits",
            "log",
            $($key),*
        ]
    };
}

/// Between them, these set every key.
const FULL: [Full; 5] = [
    Full {
        without: &[
            "network.NAME",
            "network.NAME.rpc[]",
            "source.NAME.kind",
            "source.NAME.network",
            "source.NAME.address",
            "source.NAME.heartbeat",
            "source.NAME.sequencer",
            "source.NAME.max_decrease",
            "source.NAME.max_growth",
            "source.NAME.base",
            "source.NAME.quote",
            "source.NAME.window",
            "source.NAME.min_manipulation_cost",
            "journal.url",
            "journal.lease",
            "signer.NAME.path",
            "signer.NAME.password_file",
            "signer.NAME.allow_development_keystore",
            "feed.NAME.store",
            "feed.NAME.store_id",
            "feed.NAME.facade",
            "feed.NAME.group",
            "feed.NAME.group_policy",
            "venue.NAME.key",
            "venue.NAME.credits",
            "defaults.policy",
        ],
        instead: &[],
    },
    Full {
        without: &[
            "network.NAME",
            "network.NAME.rpc[]",
            "source.NAME.kind",
            "source.NAME.network",
            "source.NAME.address",
            "source.NAME.heartbeat",
            "source.NAME.sequencer",
            "source.NAME.max_decrease",
            "source.NAME.max_growth",
            "source.NAME.base",
            "source.NAME.quote",
            "source.NAME.window",
            "source.NAME.min_manipulation_cost",
            "journal.path",
            "signer.NAME.url",
            "feed.NAME.aggregator",
            "feed.NAME.policy",
            "venue.NAME.key",
            "venue.NAME.credits",
            "rate.NAME.policy",
        ],
        instead: &[("signer.NAME.kind", "\"keystore\"")],
    },
    Full {
        without: contract![
            "defaults.policy",
            "source.NAME.heartbeat",
            "source.NAME.sequencer",
            "source.NAME.base",
            "source.NAME.quote",
            "source.NAME.window",
            "source.NAME.min_manipulation_cost"
        ],
        instead: &[],
    },
    Full {
        without: contract![
            "defaults.policy",
            "source.NAME.max_decrease",
            "source.NAME.max_growth",
            "source.NAME.base",
            "source.NAME.quote",
            "source.NAME.window",
            "source.NAME.min_manipulation_cost"
        ],
        instead: &[("source.NAME.kind", "\"chainlink\"")],
    },
    Full {
        without: contract![
            "feed.NAME.policy",
            "source.NAME.heartbeat",
            "source.NAME.sequencer",
            "source.NAME.max_decrease",
            "source.NAME.max_growth"
        ],
        instead: &[
            ("source.NAME.kind", "\"uniswap-v3\""),
            // A mean is as old as half its window.
            ("defaults.policy.max_age", "\"20m\""),
        ],
    },
];

/// The texts themselves, with every key at its first example.
pub(super) static FULL_TEXTS: LazyLock<Vec<String>> =
    LazyLock::new(|| FULL.iter().map(|full| full.text(None)).collect());

impl Full {
    fn has(&self, chapter: &str, key: &str) -> bool {
        let path = format!("{chapter}.{key}");
        !self
            .without
            .iter()
            .any(|left| path.strip_prefix(left).is_some_and(|p| p.is_empty() || p.starts_with('.')))
    }

    /// The file, with another value for one key, or without it.
    fn text(&self, other: Option<(&str, &str, Option<&str>)>) -> String {
        let mut text = String::new();
        for Chapter { path, keys, .. } in chapters() {
            let (_, header) = TABLES.iter().find(|(table, _)| *table == path).unwrap_or_else(|| {
                panic!("{path} is a new table; say here what it is called in the tests");
            });
            if self.without.contains(&path.as_str()) {
                continue;
            }
            text.push_str(&format!("{header}\n"));
            for key in keys.iter().filter(|key| self.has(&path, key.name)) {
                let name = key.name;
                let instead = self.instead.iter().find(|(at, _)| *at == format!("{path}.{name}"));
                let value = match other {
                    Some((chapter, of, value)) if chapter == path && of == name => value,
                    _ => Some(instead.map_or(key.examples[0], |(_, value)| *value)),
                };
                if let Some(value) = value {
                    text.push_str(&format!("{name} = {value}\n"));
                }
            }
        }
        let networks = if self.has("network.NAME", "id") { NETWORKS } else { "" };
        text + SECOND + STORES + REFERENCES + networks
    }
}

/// Where a key's value shows: its own path; for inherited ones, everything that inherits.
fn shows(chapter: &str, key: &str) -> Vec<String> {
    let names = [("feed.NAME", "feed.\"BTC-USD\""), ("rate.NAME", "rate.\"USDT-USD\"")];
    let path = format!("{chapter}.{key}")
        .replace("signer.NAME", "signer.main")
        .replace("store.NAME", "store.main")
        .replace("venue.NAME", "venue.binance")
        .replace("source.NAME", "source.acme")
        .replace("constant.NAME", "constant.\"EURC-EUR\"")
        .replace("network.NAME", "network.ethereum")
        .replace("calendar.NAME", "calendar.mine")
        .replace("rpc[]", "rpc[1]");
    let path = names.iter().fold(path, |path, (from, to)| path.replace(from, to));
    match path.strip_prefix("defaults.") {
        Some(rest) => {
            let references = ["rate.\"BTC-reference\"", "rate.\"BTC-other\"", "rate.\"BTC-shares\""];
            let all = names.iter().map(|(_, name)| *name).chain(references);
            all.map(|name| format!("{name}.{rest}")).collect()
        }
        None => vec![path],
    }
}

/// Keys whose value is in no list of effective values, because it is secret or only permits another one.
const UNSEEN: [&str; 2] = ["authorization", "allow_single_source"];

#[test]
fn each_key_changes_what_it_is_called_and_nothing_else() {
    let mut tried = BTreeSet::new();
    for full in &FULL {
        let before = good(&full.text(None)).effective();
        for Chapter { path: chapter, keys, .. } in chapters() {
            for key in keys.iter().filter(|key| full.has(&chapter, key.name)) {
                let path = format!("{chapter}.{}", key.name);
                if full.instead.iter().any(|(at, _)| *at == path)
                    || path.ends_with("allow_development_keystore")
                {
                    continue;
                }
                let other = full.text(Some((&chapter, key.name, Some(key.examples[1]))));
                let after = good(&other).effective();
                let same_keys = before.keys().eq(after.keys());
                assert!(same_keys, "{path} adds or removes keys");
                let changed: Vec<_> = before
                    .iter()
                    .filter(|(path, value)| after[*path] != **value)
                    .map(|(path, _)| path)
                    .collect();
                if UNSEEN.contains(&key.name) {
                    assert!(changed.is_empty(), "{path} changes {changed:?}");
                } else {
                    let expected = shows(&chapter, key.name);
                    assert!(!changed.is_empty(), "{path} changes nothing");
                    assert!(changed.iter().all(|path| expected.contains(path)), "{path} changes {changed:?}");
                    assert!(changed.contains(&&expected[0]), "{path} changes {changed:?}");
                }
                tried.insert(path);
            }
        }
    }
    let all: BTreeSet<_> = chapters()
        .iter()
        .flat_map(|c| c.keys.iter().map(|key| format!("{}.{}", c.path, key.name)).collect::<Vec<_>>())
        .collect();
    let untried: Vec<_> = all.difference(&tried).collect();
    // The bad inputs of the signers' tests cover the first: only one of its values is allowed. The venue of this file
    // takes no key and sells no plan.
    assert_eq!(untried, ["signer.NAME.allow_development_keystore", "venue.NAME.credits", "venue.NAME.key"]);
}

#[test]
fn a_documented_default_is_the_real_one_and_a_required_key_is_required() {
    for full in &FULL {
        for Chapter { path: chapter, keys, .. } in chapters() {
            for key in keys.iter().filter(|key| full.has(&chapter, key.name)) {
                let path = format!("{chapter}.{}", key.name);
                let mut text = full.text(Some((&chapter, key.name, None)));
                if path == "feed.NAME.signer" {
                    text = text.replace(SECOND, "");
                }
                if path == "feed.NAME.store" {
                    // What a feed is in its store goes with it.
                    let with = ["store_id =", "facade =", "group =", "group_policy ="];
                    let lines = text.lines().filter(|l| with.iter().all(|key| !l.starts_with(key)));
                    text = lines.collect::<Vec<_>>().join("\n");
                }
                if path == "feed.NAME.off_hours_sources" {
                    // What asks for them goes with them.
                    text = text.replace("\"switch_source\"", "\"freeze\"");
                }
                if path.ends_with(".policy.calendar") {
                    // Where a market never closes there are no off hours.
                    let lines = text.lines().filter(|l| !l.starts_with("off_hours_sources ="));
                    text = lines.collect::<Vec<_>>().join("\n");
                }
                // Two pointers that come together go together.
                if let Some((_, with)) = key.meaning.split_once("only with `") {
                    let partner = with.split('`').next().unwrap();
                    text = text
                        .lines()
                        .filter(|l| !l.starts_with(&format!("{partner} =")))
                        .collect::<Vec<_>>()
                        .join("\n");
                }
                let absent = parse(&text);
                match key.default {
                    // What this file is about excludes the default; the others try it.
                    Default::Value(_) if full.instead.iter().any(|(at, _)| *at == path) => {}
                    Default::Value(_) if path.ends_with("allow_development_keystore") => {
                        assert_eq!(absent.unwrap_err().errors(), 1);
                    }
                    Default::Value(value) => {
                        let present = good(&full.text(Some((&chapter, key.name, Some(value)))));
                        let absent = absent.unwrap_or_else(|problems| panic!("{path}: {problems}"));
                        assert_eq!(
                            absent.effective(),
                            present.effective(),
                            "{path} is not {value} by default"
                        );
                    }
                    Default::Required => {
                        let problems = absent.unwrap_err();
                        let missing = |p: &Problem| p.reason == "missing" && p.path.ends_with(key.name);
                        assert!(problems.problems.iter().any(missing), "{path}: {problems}");
                    }
                    Default::Words(words) => {
                        let required = words.starts_with("required");
                        assert_eq!(absent.is_err(), required, "{path}: {words}: {absent:?}\n{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn secrets_reach_their_place_and_are_shown_nowhere() {
    let text = FULL[0].text(None).replace("https://api.acme.example/btc", "https://api.acme.example/${KEY}");
    let config = good(&text);
    let node = &config.chain.rpc[1];
    assert_eq!(node.authorization.as_ref().unwrap().to_str().unwrap(), "Bearer hunter2");
    let acme = &config.sources[&VenueId::new("acme")];
    assert_eq!(acme.headers, [("x-api-key".to_owned(), "hunter2".to_owned())]);
    assert_eq!(acme.url.path(), "/hunter2");
    assert!(!format!("{config:?}{:?}", config.effective()).contains("hunter2"), "{config:?}");
}
