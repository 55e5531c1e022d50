//! Whatever a file holds, there is an answer and it tells no secret.

use super::*;
use crate::fuzz::fuzz;
use proptest::prelude::*;

/// Pieces that get far into the checks.
const PIECES: [&str; 34] = [
    "[chain]",
    "[feed.a]",
    "[feed.\"BTC-USD\"]",
    "[rate.a]",
    "[rate.b]",
    "[source.s]",
    "[venue.okx]",
    "[signer.m]",
    "[defaults.policy]",
    "[feed.a.policy]",
    "\n",
    "\n",
    "\n",
    " = ",
    " = ",
    " = ",
    "id",
    "rpc",
    "fees",
    "sources",
    "min",
    "max",
    "decimals",
    "quorum",
    "heartbeat",
    "\"1h\"",
    "\"a\"",
    "[\"okx:BTC-USDT * a\", \"s * b\"]",
    "[\"s * a\"]",
    "99999999999999999999",
    "-1",
    "{ profile = \"legacy\", max_fee = \"1e30 gwei\" }",
    "\"0.5%\"",
    "\"off\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _answer = parse(&text).is_ok();
    }

    #[test]
    fn pieces_of_a_configuration_never_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        let _answer = parse(&pieces.concat()).is_ok();
    }

    #[test]
    fn a_damaged_example_never_panics(at in any::<prop::sample::Index>(), length in 0usize..40, with in any::<String>()) {
        let mut text: Vec<char> = example().chars().collect();
        let from = at.index(text.len());
        text.splice(from..(from + length).min(text.len()), with.chars());
        let answer = parse(&text.iter().collect::<String>());
        prop_assert!(answer.is_ok() || answer.is_err_and(|problems| problems.errors() > 0));
    }
}

#[test]
fn fuzz_configurations() {
    let genuine = effect::FULL_TEXTS.iter().map(String::as_str).chain([example(), SMALL]);
    let genuine: Vec<_> = genuine.map(|text| text.as_bytes().to_vec()).collect();
    fuzz("config", genuine, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        match parse(text) {
            // What is good is told in full, and what is told in full names every feed.
            Ok(config) => assert!(!config.effective().is_empty()),
            Err(problems) => assert!(problems.errors() > 0),
        }
    });
}

/// Ways to write a secret down wrongly.
const WRONG: [&str; 8] = [
    "\"hunter2\"",
    "\"ftp://example.com/hunter2\"",
    "\"http://me:hunter2@example.com:99999/hunter2\"",
    "\"http://me:hunter2@example.com/hunter2?hunter2#hunter2\"",
    "\"${hunter2 hunter2\"",
    "[\"hunter2\"]",
    "{ x = [\"hunter2\"], hunter2 = \"a\\nb\" }",
    "{ \"a b\" = \"hunter2\", token = \"hunter2\\n\" }",
];

/// Without this, a key ends in a log because its line was wrong.
#[test]
fn no_message_holds_a_secret() {
    // What is unknown is told of one by one, so that all wrong ways may stand in one place at once.
    let unknown = |(n, wrong): (usize, &&str)| format!("api_key_{n} = {wrong}\npass_{n} = {wrong}");
    let unknown: Vec<String> = WRONG.iter().enumerate().map(unknown).collect();
    let names = (0..WRONG.len()).flat_map(|n| [format!("api_key_{n}"), format!("pass_{n}")]);
    let names: Vec<String> = names.collect();
    // The proxy of a feed is a contract, that of a venue a URL.
    let is_secret =
        |key: &str, value: &str| SECRET_KEYS.contains(&key) || key == "proxy" && value.contains("//");
    for text in effect::FULL_TEXTS.iter() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let said_of = |to: &str| {
                let mut lines = lines.clone();
                lines[at] = to;
                let text = lines.join("\n");
                let said = match parse(&text) {
                    Ok(config) => format!("{config:?} {}", config.warnings),
                    Err(problems) => problems.to_string(),
                };
                // The name of a header or variable is no secret.
                let told = said.replace("hunter2: ", "").replace("(\"hunter2\",", "");
                assert!(!told.contains("hunter2"), "{text}:\n{told}");
                said
            };
            match line.split_once(" = ").filter(|(key, value)| is_secret(key, value)) {
                Some((key, _)) => {
                    for wrong in WRONG {
                        said_of(&format!("{key} = {wrong}"));
                    }
                }
                None => {
                    let said = said_of(&format!("{}\n{line}", unknown.join("\n")));
                    let untold: Vec<_> = names.iter().filter(|name| !said.contains(*name)).collect();
                    assert!(untold.is_empty(), "{untold:?} before {line:?}:\n{said}");
                }
            }
        }
    }
}

/// Keys whose values may be secret.
const SECRET_KEYS: [&str; 5] = ["url", "base_url", "authorization", "headers", "key"];
