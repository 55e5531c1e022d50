//! What several nodes' views of an account mean together.
//!
//! Every view was read at the same very block, so that honest nodes cannot differ in the nonce. They can differ in
//! receipts, because these are looked up in whatever chain a node has by then.

use alloy::primitives::B256;
use publisher_core::tx::{AccountView, Receipt, ReceiptAnswer, Skip};

/// What the nodes say about one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// All of one mind, or as much as can be said.
    Told(ReceiptAnswer),
    /// Some have this receipt, and the views of these numbers have none.
    Denied(Receipt, Vec<usize>),
}

/// The nonce that all views show; `None` if they differ.
pub(super) fn nonce(views: &[AccountView]) -> Option<u64> {
    let first = views.first()?.mined_nonce;
    views.iter().all(|view| view.mined_nonce == first).then_some(first)
}

/// What all views say about a transaction. A receipt is found if any view has it and no view has another one; it is
/// absent only if every view says so.
pub(super) fn receipt(views: &[AccountView], hash: B256) -> Word {
    let mut found: Option<Receipt> = None;
    let (mut denied, mut unknown) = (Vec::new(), false);
    for (index, view) in views.iter().enumerate() {
        match view.receipts.iter().find(|(asked, _)| *asked == hash).map(|(_, answer)| *answer) {
            Some(ReceiptAnswer::Found(receipt)) => match found {
                Some(other) if !is_same(&other, &receipt) => return Word::Told(ReceiptAnswer::Unknown),
                Some(_) => {}
                None => found = Some(receipt),
            },
            Some(ReceiptAnswer::Absent) => denied.push(index),
            Some(ReceiptAnswer::Unknown) | None => unknown = true,
        }
    }
    match found {
        Some(receipt) if denied.is_empty() => Word::Told(ReceiptAnswer::Found(receipt)),
        Some(receipt) => Word::Denied(receipt, denied),
        None if unknown || denied.is_empty() => Word::Told(ReceiptAnswer::Unknown),
        None => Word::Told(ReceiptAnswer::Absent),
    }
}

/// What any view tells of skipped entries: it follows from the same receipts that all views have to agree about.
pub(super) fn skips(views: &[AccountView]) -> Vec<Skip> {
    let mut all: Vec<Skip> = Vec::new();
    for skip in views.iter().flat_map(|view| &view.skips) {
        if !all.contains(skip) {
            all.push(*skip);
        }
    }
    all
}

/// Whether two receipts say that the same happened at the same place. Old clients leave the price out.
fn is_same(one: &Receipt, other: &Receipt) -> bool {
    (one.block_hash, one.block_number, one.success) == (other.block_hash, other.block_number, other.success)
}

#[cfg(test)]
mod tests;
