//! The one check that catches nearly everything: a signature recovers to our address over our own hash.

use super::transaction::{Unsigned, difference};
use super::{Offered, SignError, SignedTx};
use alloy::consensus::Transaction;
use alloy::primitives::Address;
use publisher_core::tx::SignFault;

/// Our transaction with the offered signature, if the account made it for exactly this transaction.
pub(super) fn accept(unsigned: Unsigned, offered: Offered, account: Address) -> Result<SignedTx, SignError> {
    let Offered { signature, within } = offered;
    // Before recovery, which would quietly turn it round.
    if signature.normalize_s().is_some() {
        return Err(SignError::new(
            SignFault::HighS,
            "its signature has a high s, which no chain includes (EIP-2); the signer is broken or tampered with".into(),
        ));
    }
    let Ok(recovered) = signature.recover_address_from_prehash(&unsigned.signature_hash()) else {
        return Err(SignError::new(
            SignFault::BadAnswer,
            "its answer is no signature: nothing recovers from it".into(),
        ));
    };
    if recovered == account {
        return Ok(unsigned.sealed(signature));
    }
    let within: Option<&dyn Transaction> = within.as_deref().map(|tx| tx as _);
    let hint = match within.map(|signed| difference(unsigned.fields(), signed)) {
        Some(Some(what)) if what.starts_with("chain id") => {
            format!("it signed {what}; start the signer with this chain's id")
        }
        Some(Some(what)) if what.starts_with("type") => {
            format!("it signed {what}; it may be an EthSigner, choose that kind and a legacy fee profile")
        }
        Some(Some(what)) => format!("it signed {what}; it is broken or tampered with"),
        Some(None) => "it signed with another key; check which key it holds for the address".into(),
        None => "it signed something else or with another key".into(),
    };
    Err(SignError::new(
        SignFault::Mismatch,
        format!("its signature recovers to {recovered} over our hash, not to {account}: {hint}"),
    ))
}
