//! Whatever a file holds, there is an answer and it tells no secret.

use super::*;
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

    /// A secret in the wrong place or of the wrong form is in no message.
    #[test]
    fn no_message_holds_a_secret(line in 0usize..17, key in "[a-z_]{1,12}") {
        let mut lines: Vec<String> = SMALL.lines().map(str::to_owned).collect();
        lines.insert(line, format!("{key} = \"hunter2\""));
        if let Err(problems) = parse(&lines.join("\n")) {
            prop_assert!(!problems.to_string().contains("hunter2") || SECTION_KEYS.contains(&key.as_str()), "{problems}");
        }
    }
}

/// Keys of which the value is shown when it is wrong, because it is no secret.
const SECTION_KEYS: [&str; 7] = ["id", "fees", "kind", "path", "min", "max", "preset"];
