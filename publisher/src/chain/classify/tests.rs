use super::*;
use proptest::prelude::*;

/// Node, code, message, expected class.
const FIXTURES: &str = include_str!("../../../tests/data/rpc-errors.tsv");

struct Row {
    code: i64,
    message: &'static str,
    class: &'static str,
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = FIXTURES
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split('\t').skip(1);
            let code = cells.next().unwrap();
            let code = if code.is_empty() { -32000 } else { code.parse().unwrap() };
            Row { code, message: cells.next().unwrap(), class: cells.next().unwrap() }
        })
        .collect();
    assert_eq!(rows.len(), 59);
    rows
}

fn fits(outcome: SendOutcome, class: &str) -> bool {
    match class {
        "DUP" => outcome == Known,
        "NONCE_USED" => outcome == NonceUsed,
        "REPL_UNDERPRICED" => outcome == ReplacementUnderpriced,
        "FEE_LOW" => outcome == FeeTooLow,
        "FEE_CAP" => outcome == FeeCap,
        "FUNDS" => outcome == Funds,
        "NONCE_GAP" => outcome == NonceGap,
        "POOL_FULL" => outcome == PoolFull,
        "REJECTED" => matches!(outcome, Rejected | Forbidden),
        "NODE" => outcome == NodeUnready,
        "AMBIGUOUS" => outcome == Ambiguous,
        other => panic!("unknown class {other}"),
    }
}

/// The ways in which gateways and clients dress up another one's words.
fn dressed(message: &str) -> Vec<String> {
    let json = serde_json::json!({ "code": -32000, "message": message }).to_string();
    vec![
        message.to_owned(),
        message.to_uppercase(),
        message.to_lowercase(),
        format!("INTERNAL_ERROR: {message}"),
        format!("err: {message} (supplied gas 100000)"),
        format!("rpc error: code = Unknown desc = {message}"),
        json,
        format!("  \"{message}\"\n"),
    ]
}

#[test]
fn f10_every_recorded_message_lands_in_its_class_however_it_is_dressed() {
    for row in rows() {
        for message in dressed(row.message) {
            let outcome = classify(row.code, &message);
            assert!(fits(outcome, row.class), "{message:?} is {outcome:?}, not {}", row.class);
        }
    }
}

#[test]
fn refusals_of_the_account_are_not_taken_for_dead_bytes() {
    for (code, message) in [
        (-32007, "Sender account not authorized to send transactions"),
        (-32000, "Wrong chainId"),
        (-32003, "invalid chain id for signer"),
        (-32000, "only replay-protected (EIP-155) transactions allowed over RPC"),
    ] {
        assert_eq!(classify(code, message), Forbidden, "{message}");
    }
    for (code, message) in [
        (-32602, "Invalid transaction type"),
        (-32602, "Invalid block param (block not found)"),
        (-32602, "Failed to decode transaction"),
        (-32000, "intrinsic gas too low: gas 20000, minimum needed 21000"),
        (-32000, "execution reverted: already known"),
    ] {
        assert_eq!(classify(code, message), Rejected, "{message}");
    }
}

#[test]
fn hardhats_own_words() {
    for (message, expected) in [
        ("Known transaction: 0x8a2f", Known),
        (
            "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 1100000000 is necessary to \
             replace the existing transaction with nonce 3.",
            ReplacementUnderpriced,
        ),
        ("Transaction nonce too low. Expected nonce to be at least 4 but got 3.", NonceUsed),
        (
            "Sender doesn't have enough funds to send tx. The max upfront cost is: 5 and the balance is: 0.",
            Funds,
        ),
        ("maxPriorityFeePerGas (11) is bigger than maxFeePerGas (10)", FeeCap),
        ("Transaction requires at least 21000 gas but got 20999", Rejected),
        ("Transaction gas limit is 20000000 and exceeds transaction gas cap of 16777216", Rejected),
        // It mines first and complains afterwards.
        (
            "Error: VM Exception while processing transaction: reverted with reason string 'already known'",
            Ambiguous,
        ),
    ] {
        assert_eq!(classify(-32000, message), expected, "{message}");
    }
}

/// Without this a Nethermind of before 2026 is sent a refused replacement again and again.
#[test]
fn nethermind_said_it_in_one_word_before_2026() {
    for (message, expected) in [
        ("AlreadyKnown", Known),
        ("ReplacementNotAllowed", ReplacementUnderpriced),
        ("OldNonce, Current nonce: 22, nonce of rejected tx: 17", NonceUsed),
        ("FeeTooLowToCompete", FeeTooLow),
        ("InsufficientFunds, Account balance: 0", Funds),
    ] {
        assert_eq!(classify(-32010, message), expected, "{message}");
    }
}

#[test]
fn f13_what_nobody_knows_is_ambiguous() {
    for (code, message) in [
        (0, ""),
        (-32000, "unknown transaction"),
        (-32000, "UNKNOWN TRANSACTION 0x8a2f"),
        (-32000, "<html><head><title>502 Bad Gateway</title></head></html>"),
        (-32603, "Internal error"),
        (-32603, "Transaction confirmation timeout"),
        (-32000, "upstream request timeout"),
        (-32000, "not authorized to use this key"),
        (-32602, "nonce?"),
        (i64::MIN, "\u{0}\u{fffd}ÄÖÜ"),
    ] {
        assert_eq!(classify(code, message), Ambiguous, "{message}");
    }
}

#[test]
fn a_node_without_the_method_has_taken_nothing() {
    assert_eq!(
        classify(-32601, "the method eth_sendRawTransaction does not exist/is not available"),
        NodeUnready
    );
    assert_eq!(classify(-32601, "Method not found"), NodeUnready);
    assert_eq!(classify(-32601, ""), Ambiguous);
}

#[test]
fn named_minimums_are_read_and_nothing_else_is() {
    use FeeMinimum::{Price, Tip};
    for (message, expected) in [
        ("transaction gas price below minimum: gas tip cap 0, minimum needed 1", Some(Tip(1))),
        ("transaction underpriced: minimum needed 25 gwei", Some(Price(25_000_000_000))),
        (
            "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 1100000000 is necessary",
            Some(Price(1_100_000_000)),
        ),
        ("Replacement transaction underpriced. Send one of at least 7.", Some(Price(7))),
        ("transaction underpriced, FeePerGas needs to be higher than 100", Some(Price(101))),
        ("transaction priority fee below minimum required priority fee 3", Some(Tip(3))),
        ("transaction underpriced: minimum needed 1.5 gwei", None),
        ("transaction underpriced: minimum needed 0x10", None),
        ("transaction underpriced: minimum needed 340282366920938463463374607431768211456", None),
        (
            "Replacement transaction underpriced. A maxPriorityFeePerGas of at least 2 is necessary",
            Some(Tip(2)),
        ),
        ("transaction underpriced", None),
        ("intrinsic gas too low: gas 20000, minimum needed 21000", None),
    ] {
        assert_eq!(named_minimum(classify(-32000, message), message), expected, "{message}");
    }
}

/// The phrases that may make a message mean "I have it" or "the nonce is mined".
fn says_so(message: &str) -> bool {
    let message = message.to_lowercase();
    let risky = RULES.iter().filter(|r| matches!(r.outcome, Known | NonceUsed));
    risky.flat_map(|r| r.phrases).any(|phrase| message.contains(phrase))
}

proptest! {
    /// Whatever a node says, it is not believed to hold our bytes unless it says so.
    #[test]
    fn no_text_is_taken_for_success_by_accident(code in any::<i64>(), message in any::<String>()) {
        let outcome = classify(code, &message);
        prop_assert_ne!(outcome, Accepted);
        prop_assert!(!matches!(outcome, Known | NonceUsed) || says_so(&message));
    }

    /// A recorded message that loses or changes a character lands in its own class, in another that says the bytes
    /// were not taken, or in the safe one; it never turns into success.
    #[test]
    fn damaged_messages_never_become_success(row in 0usize..59, at in any::<prop::sample::Index>(), by in any::<Option<char>>()) {
        let row = &rows()[row];
        let mut chars: Vec<char> = row.message.chars().collect();
        let at = at.index(chars.len());
        match by {
            Some(other) => chars[at] = other,
            None => { chars.remove(at); }
        }
        let message: String = chars.into_iter().collect();
        let outcome = classify(row.code, &message);
        prop_assert_ne!(outcome, Accepted);
        prop_assert!(!matches!(outcome, Known | NonceUsed) || says_so(&message));
        prop_assert!(!matches!(outcome, Known | NonceUsed) || fits(outcome, row.class), "{}", message);
    }
}
