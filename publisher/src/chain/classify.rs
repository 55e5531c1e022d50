//! What a node's refusal of a transaction means: one table of phrases, tried from top to bottom.
//!
//! Clients share codes between meanings and spell phrases in their own case, so messages are compared in lower case
//! and a code is only asked for where the phrase alone says too little. What no rule knows is
//! [`SendOutcome::Ambiguous`]: the bytes may be in a pool, the nonce is kept and the same bytes are sent again. A
//! rule that is too eager is worse than one that is missing, most of all for the outcomes that say "I have it".

use publisher_core::tx::FeeMinimum;
use publisher_core::tx::SendOutcome::{self, *};

/// If the message contains one of the phrases, and the code is `code` where one is given, it means `outcome`.
struct Rule {
    outcome: SendOutcome,
    code: Option<i64>,
    phrases: &'static [&'static str],
}

const fn rule(outcome: SendOutcome, phrases: &'static [&'static str]) -> Rule {
    Rule { outcome, code: None, phrases }
}

const fn coded(outcome: SendOutcome, code: i64, phrases: &'static [&'static str]) -> Rule {
    Rule { outcome, code: Some(code), phrases }
}

/// The rules. Two kinds of words stand before the rest: those of nodes that execute at once and then report a failure
/// of what they have already mined, and revert reasons, whose text anybody may choose.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule(Ambiguous, &["vm exception while processing transaction", "transaction confirmation timeout"]),
    rule(Rejected, &["execution reverted"]),

    coded(NodeUnready, -32601, &["method", "eth_sendrawtransaction"]),
    rule(NodeUnready, &[
        "node is syncing", "initial sync", "not yet in sync", "pool not enabled", "chain head not available",
        "indexing is in progress", "network is unreachable",
    ]),

    rule(ReplacementUnderpriced, &[
        "replacement transaction underpriced", "replacementnotallowed", "could not replace existing", "tries to replace pending",
        "another tx which has the same nonce", "another transaction with same nonce",
        // A blob transaction of this account sits in another pool.
        "address already reserved",
    ]),
    rule(Known, &[
        "already known", "alreadyknown", "known transaction", "already imported", "alreadyimported",
        "existing txn with same hash", "already in mempool", "already in the system", "already exists in cache",
    ]),
    rule(NonceUsed, &[
        "nonce too low", "nonce is too low", "nonce already used", "nonce has already been used", "oldnonce",
        "ownnoncealreadyused", "invalid transaction nonce", "already finalized", "pool(stale)",
    ]),
    rule(NonceGap, &[
        "nonce too high", "nonce is too high", "nonce too far", "too distant from current", "exceeds next nonce",
        "gapped-nonce", "noncegap",
    ]),

    // The node's own limit on what may be spent, or fields that contradict each other.
    rule(FeeCap, &[
        "exceeds the configured cap", "fee cap exceeded", "invalid gas fee cap", "exceeds max fee per gas",
        "higher than max fee per gas", "is bigger than maxfeepergas", "higher than max priority fee", "higher than 2^64",
    ]),

    // Nothing of this account passes, whatever it sends: permissioning, chain id, an account with code.
    coded(Forbidden, -32007, &["authorized", "authorised"]),
    rule(Forbidden, &[
        "account not authorized", "account not authorised", "sender not authorized", "not authorized to send",
        "sender not permitted", "account not permitted", "forbidden sender", "blacklist", "banned",
        "chain id", "chainid", "replay-protected",
        "senderiscontract", "sender is not an eoa", "sender not an eoa",
    ]),

    // These bytes never pass, other bytes at this nonce may.
    coded(Rejected, -32602, &["invalid block param", "decode", "rlp"]),
    rule(Rejected, &[
        "intrinsic gas", "intrinsicgas", "floor data gas", "gas too high", "gas too low", "gas limit too high",
        "gas limit too low", "block gas limit", "gas limit reached", "gaslimitexceeded", "gas limit cap exceeded",
        "current gas limit", "transaction gas cap", "transaction requires at least", "transaction gas is too low",
        "out of gas",
        "type not supported", "not supported by the current hardfork", "invalid transaction type",
        "invalid sender", "failedtoresolvesender", "invalid signature", "invalid_signature", "invalid rlp",
        "failed to decode", "invalid message format", "negative value",
        "oversized", "too large", "overflow",
    ]),

    rule(PoolFull, &[
        "pool is full", "pool full", "queue full", "account limit exceeded", "in-flight transaction limit",
        "too many transactions in the queue",
    ]),
    rule(Funds, &[
        "insufficient funds", "insufficientfunds", "insufficient balance", "upfront cost exceeds", "enough funds",
        "overdraft",
    ]),
    rule(FeeTooLow, &[
        "underpriced", "below minimum", "below configured minimum", "below current base fee",
        "less than block base fee", "fee too low", "feetoolow", "price too low", "gas price is too low",
        "minimum required priority fee", "insufficient fee", "unacceptable gas price",
    ]),
];

/// What a JSON-RPC error in answer to `eth_sendRawTransaction` means. Never [`SendOutcome::Accepted`].
pub fn classify(code: i64, message: &str) -> SendOutcome {
    let message = message.to_lowercase();
    let applies = |rule: &&Rule| {
        rule.code.is_none_or(|wanted| wanted == code)
            && rule.phrases.iter().any(|phrase| match rule.outcome {
                Known | NonceUsed => contains_from_word(&message, phrase),
                _ => message.contains(phrase),
            })
    };
    RULES.iter().find(applies).map_or(Ambiguous, |rule| rule.outcome)
}

/// Whether `phrase` begins where a word begins: an unknown transaction is not a known one.
fn contains_from_word(message: &str, phrase: &str) -> bool {
    message
        .match_indices(phrase)
        .any(|(at, _)| !message.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric)))
}

/// Words after which nodes name the fee they want, and whether it has to be more than that.
const MINIMUM_MARKS: &[(&str, bool)] = &[
    ("minimum needed ", false),
    ("of at least ", false),
    ("minimum required priority fee ", false),
    ("needs to be higher than ", true),
];

/// Words before the number that say it is the tip's.
const TIP_MARKS: &[&str] = &["tip", "priority"];

/// The fee that a node names, in wei per gas, where `outcome` is about a fee that is too low.
pub fn named_minimum(outcome: SendOutcome, message: &str) -> Option<FeeMinimum> {
    if !matches!(outcome, FeeTooLow | ReplacementUnderpriced) {
        return None;
    }
    let message = message.to_lowercase();
    let (before, rest, more) = MINIMUM_MARKS.iter().find_map(|(mark, more)| {
        let (before, rest) = message.split_at_checked(message.find(mark)? + mark.len())?;
        Some((before, rest, *more))
    })?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, unit) = rest.split_at(digits);
    let unit_wei: u128 = match unit.trim_start() {
        unit if unit.starts_with("gwei") => 1_000_000_000,
        // A fraction or another notation: better no number than a wrong one.
        unit if unit.starts_with(['.', 'x', 'e']) && unit.len() > 1 && !unit.starts_with(". ") => {
            return None;
        }
        _ => 1,
    };
    let wei = number.parse::<u128>().ok()?.checked_mul(unit_wei)?.checked_add(u128::from(more))?;
    let is_tip = TIP_MARKS.iter().any(|mark| before.contains(mark));
    Some(if is_tip { FeeMinimum::Tip(wei) } else { FeeMinimum::Price(wei) })
}

#[cfg(test)]
mod tests;
