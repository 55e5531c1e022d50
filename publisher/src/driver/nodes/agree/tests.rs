use super::*;
use ReceiptAnswer::{Absent, Found, Unknown};
use proptest::prelude::*;

const HASH: B256 = B256::repeat_byte(1);

fn receipt_in(block: u8) -> Receipt {
    Receipt {
        hash: HASH,
        block_number: u64::from(block),
        block_hash: B256::repeat_byte(block),
        success: true,
        gas_used: 1,
        gas_price_wei: 1,
    }
}

fn view(mined_nonce: u64, answer: ReceiptAnswer) -> AccountView {
    AccountView { at_number: 9, mined_nonce, receipts: vec![(HASH, answer)], skips: Vec::new() }
}

fn word(answers: &[ReceiptAnswer]) -> Word {
    let views: Vec<_> = answers.iter().map(|answer| view(1, *answer)).collect();
    receipt(&views, HASH)
}

#[test]
fn a_nonce_is_what_all_say_or_nothing() {
    let views = |nonces: &[u64]| nonces.iter().map(|n| view(*n, Unknown)).collect::<Vec<_>>();
    assert_eq!(nonce(&views(&[7])), Some(7));
    assert_eq!(nonce(&views(&[7, 7, 7])), Some(7));
    assert_eq!(nonce(&views(&[7, 7, 8])), None);
    assert_eq!(nonce(&[]), None);
}

#[test]
fn receipts_are_found_by_any_absent_by_all_and_otherwise_unknown() {
    let (here, there) = (Found(receipt_in(5)), Found(receipt_in(6)));
    let mut without_price = receipt_in(5);
    without_price.gas_price_wei = 0;
    for (answers, expected) in [
        (&[here][..], Word::Told(here)),
        (&[here, Found(without_price)], Word::Told(here)),
        (&[Unknown, here], Word::Told(here)),
        (&[here, there], Word::Told(Unknown)),
        (&[here, Absent, there], Word::Told(Unknown)),
        (&[Absent, here, Unknown, Absent], Word::Denied(receipt_in(5), vec![0, 3])),
        (&[Absent], Word::Told(Absent)),
        (&[Absent, Absent], Word::Told(Absent)),
        (&[Absent, Unknown], Word::Told(Unknown)),
        (&[Unknown], Word::Told(Unknown)),
        (&[], Word::Told(Unknown)),
    ] {
        assert_eq!(word(answers), expected, "{answers:?}");
    }
    let silent = AccountView { receipts: Vec::new(), ..view(1, Unknown) };
    assert_eq!(receipt(&[silent, view(1, Absent)], HASH), Word::Told(Unknown), "no word is no denial");
}

proptest! {
    /// Without this a nonce is given up on the word of one node.
    #[test]
    fn absent_is_the_word_of_all(
        answers in prop::collection::vec(prop::sample::select(vec![Absent, Unknown, Found(receipt_in(5))]), 1..6),
    ) {
        let all = answers.iter().all(|answer| *answer == Absent);
        prop_assert_eq!(word(&answers) == Word::Told(Absent), all);
        let any = answers.contains(&Found(receipt_in(5)));
        prop_assert_eq!(matches!(word(&answers), Word::Denied(..) | Word::Told(Found(_))), any);
    }
}
