//! Forged histories: each breaks one rule, and the checker has to say which.

use super::*;
use alloy::primitives::{Bytes, I256};
use publisher_core::price::Answer;
use publisher_core::tx::{Fee, Receipt};

const AGGREGATOR: Address = Address::repeat_byte(0xa0);
const ACCOUNT: Address = Address::repeat_byte(0xac);
const START_S: u64 = 1_800_000_000;

/// An attempt of a round. Each round has ten seconds of its own.
fn attempt(round: u64, seq: u8, answer: i64) -> AttemptEntry {
    let signed_at = Wall::from_s(START_S + 10 * round + u64::from(seq));
    let wei = 100 + 20 * u128::from(seq);
    AttemptEntry {
        attempt: Attempt {
            seq: seq.into(),
            hash: B256::with_last_byte(u8::try_from(16 * round).unwrap() + seq),
            raw: Bytes::from(vec![seq]),
            fee: Fee::Eip1559 { max_fee_wei: wei, max_priority_wei: wei },
            gas_limit: 100_000,
            answer: Some(Answer::new(I256::try_from(answer).unwrap())),
            observed_at: Some(signed_at - Span::from_s(1)),
            entries: Vec::new(),
        },
        signed_at,
        sent: Some((SendOutcome::Accepted, signed_at + Span::from_ms(5))),
    }
}

/// Three rounds, the second of which landed with its replacement.
fn sound() -> History {
    let mut history = History {
        feed: FeedId::new("BTC-USD"),
        contract: AGGREGATOR,
        landed: Vec::new(),
        others: Vec::new(),
        skipped: Vec::new(),
        journals: vec![Vec::new()],
        bounds: (1, 1_000),
        max_age: Span::from_s(10),
    };
    for (round, attempts) in [(1, 1), (2, 2), (3, 1)] {
        let attempts: Vec<_> = (0..attempts).map(|seq| attempt(round, seq, 100)).collect();
        let last = attempts.last().unwrap();
        let block = B256::repeat_byte(u8::try_from(round).unwrap());
        let updated_at = START_S + 10 * round + 5;
        history.landed.push(ChainRound {
            round,
            answer: 100,
            updated_at,
            number: round,
            origin: (last.attempt.hash, block),
        });
        let receipt = Receipt {
            hash: last.attempt.hash,
            block_number: round,
            block_hash: block,
            success: true,
            gas_used: 40_000,
            gas_price_wei: 100,
        };
        let planned_at = attempts[0].signed_at;
        history.journals[0].push(RoundEntry {
            account: ACCOUNT,
            nonce: round,
            contract: AGGREGATOR,
            number: round,
            in_batch: false,
            planned_at,
            decision: None,
            attempts,
            inclusion: Some(receipt),
            closed: Some((Outcome::Final, Wall::from_s(updated_at + 3))),
        });
    }
    history
}

type Forgery = fn(&mut History);

/// The only violation of the sound history once it is forged.
fn forged(forge: impl Fn(&mut History)) -> String {
    let mut history = sound();
    forge(&mut history);
    let violations = history.violations();
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations[0].clone()
}

#[test]
fn a_sound_history_has_no_violations() {
    assert_eq!(sound().violations(), Vec::<String>::new());
    let mut open = sound();
    open.journals[0][2].closed = None;
    open.landed.pop();
    assert_eq!(open.violations(), Vec::<String>::new(), "what is not final may be gone from the chain");
    let mut beside = sound();
    beside.others = vec![3];
    beside.journals[0].pop();
    assert_eq!(beside.violations(), Vec::<String>::new(), "somebody else wrote it");
    let mut skipped = sound();
    skipped.landed.pop();
    skipped.skipped = vec![skipped.journals[0][2].attempts[0].attempt.hash];
    assert_eq!(skipped.violations(), Vec::<String>::new(), "the store wrote no round of it");
    let mut untaken = sound();
    let attempts = &mut untaken.journals[0][1].attempts;
    attempts[1].attempt.fee = attempts[0].attempt.fee;
    attempts[0].sent = None;
    assert_eq!(
        untaken.violations(),
        Vec::<String>::new(),
        "what no node took needs no higher fee in its place"
    );
    let mut silent = sound();
    silent.landed.pop();
    silent.journals[0][2].attempts[0].attempt.answer = None;
    assert_eq!(silent.violations(), Vec::<String>::new(), "what landed said nothing for the feed");
}

#[test]
fn every_rule_that_is_broken_once_is_named() {
    let cases: [(&str, Forgery); 18] = [
        ("round 2 is where 3 belongs", |h| {
            let again = h.landed[1];
            h.landed.insert(2, again);
        }),
        ("round 3 is older than the one before it", |h| h.landed[1].updated_at = h.landed[2].updated_at + 1),
        ("which no journal knows", |h| {
            h.journals[0].remove(2);
        }),
        ("which was made for another", |h| h.journals[0][2].contract = Address::ZERO),
        ("which was made for another", |h| h.landed[2].number = 4),
        ("which is not what was signed", |h| h.landed[2].answer = 101),
        ("attempt 0 of round 2 says 1001, which is out of bounds", |h| {
            h.journals[0][1].attempts[0] = attempt(2, 0, 1_001);
        }),
        ("attempt 0 of round 2 says 0, which is out of bounds", |h| {
            h.journals[0][1].attempts[0] = attempt(2, 0, 0);
        }),
        ("old when it was signed", |h| {
            let old = &mut h.journals[0][0].attempts[0];
            old.attempt.observed_at = Some(old.signed_at - Span::from_s(21));
        }),
        ("attempt 0 of round 1 was sent before it was journalled", |h| {
            let early = &mut h.journals[0][0].attempts[0];
            early.sent = Some((SendOutcome::Accepted, early.signed_at - Span::from_ms(1)));
        }),
        ("attempt 1 of round 2 offers no more", |h| {
            let attempts = &mut h.journals[0][1].attempts;
            attempts[1].attempt.fee = attempts[0].attempt.fee;
        }),
        ("nonce 1 was given to rounds", |h| h.journals[0][1].nonce = 1),
        ("nonce 2 was given to rounds", |h| {
            let other = RoundEntry { number: 9, attempts: Vec::new(), ..h.journals[0][1].clone() };
            h.journals.insert(0, vec![other]);
        }),
        ("round 2 is final in another block than on chain", |h| {
            h.landed[1].origin.1 = B256::ZERO;
        }),
        ("round 2 is final in another block than on chain", |h| {
            h.landed[1].origin.0 = h.journals[0][1].attempts[0].attempt.hash;
        }),
        ("round 3 is final in the journal and not on chain", |h| {
            h.landed.pop();
        }),
        ("round 3 is final in the journal, and nobody knows where", |h| h.journals[0][2].inclusion = None),
        ("round 3 is on chain and noop_filled in the journal", |h| {
            h.journals[0][2].closed = Some((Outcome::NoopFilled, Wall::default()));
        }),
    ];
    for (wanted, forge) in cases {
        let violation = forged(forge);
        assert!(violation.contains(wanted), "{wanted}: {violation}");
    }
    let mut out_of_bounds = sound();
    out_of_bounds.bounds.0 = 101;
    assert!(
        out_of_bounds.violations().iter().any(|v| v.contains("round 1 says 100, which is out of bounds"))
    );
}
