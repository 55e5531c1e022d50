//! Nodes that answer anything.

use super::super::answer::{Block, Contents, Data, FeeHistory, ReceiptBody};
use super::super::classify::{classify, named_minimum};
use super::super::revert;
use super::*;
use crate::fuzz::fuzz;
use alloy::primitives::U256;

/// Reads an answer as everything that is ever asked for.
fn read(bytes: &[u8]) {
    let url: Url = "http://me:hunter2hunter2@node.example/hunter3hunter3".parse().unwrap();
    let one = serde_json::from_slice::<Reply>(bytes).into_iter();
    for reply in one.chain(serde_json::from_slice::<Vec<Reply>>(bytes).into_iter().flatten()) {
        match reply.word() {
            Some(Ok(result)) => {
                if let Ok(block) = decode::<Block>(&result) {
                    let _ = (block.reference(), block.base_fee_wei());
                }
                if let Ok(receipt) = decode::<ReceiptBody>(&result) {
                    assert!(receipt.skips().count() < 1 << 16);
                    let _ = receipt.receipt();
                }
                let _ = (decode::<Contents>(&result).is_ok(), decode::<FeeHistory>(&result).is_ok());
                let _ = (decode::<Data>(&result).is_ok(), decode::<U256>(&result).is_ok());
            }
            Some(Err(error)) => {
                let outcome = classify(error.code, &error.message);
                let _ = (named_minimum(outcome, &error.message), error.data.as_deref().map(revert::data_of));
                let told = clean(&error.message, &url);
                assert!(!told.contains("hunter2hunter2") && !told.contains("hunter3hunter3"), "{told}");
            }
            None => {}
        }
    }
}

#[test]
fn fuzz_answers_of_nodes() {
    fuzz("reply", [], read);
}
