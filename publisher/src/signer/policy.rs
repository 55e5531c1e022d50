//! What may be signed at all, decided before any signer is asked.

use super::SignError;
use alloy::primitives::Address;
use publisher_core::tx::{Call, SignFault, TxRequest};
use std::collections::BTreeSet;

/// How many nonces back a creation counts as this account's own.
const OWN_CREATIONS: u64 = 256;

/// The limits of one account. Value is zero by construction; the selector follows from the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The only chain.
    pub chain_id: u64,
    /// The contracts that may be called.
    pub allowed: BTreeSet<Address>,
    /// Whether steps of a rollout may be signed: creations, and calls with ready-made data to allowed contracts or to
    /// contracts that this account created within its last 256 nonces. The daemon never needs it.
    pub allow_creation: bool,
    /// The highest gas limit.
    pub max_gas: u64,
    /// The most that may be paid per gas, in wei.
    pub max_fee_wei: u128,
}

impl Policy {
    /// Refuses what is outside of the limits.
    pub(super) fn check(&self, account: Address, tx: &TxRequest) -> Result<(), SignError> {
        self.check_chain(tx.chain_id)?;
        if tx.from != account {
            return refuse(format!("from {}: it signs for {account} only", tx.from));
        }
        self.check_call(tx)?;
        if tx.gas_limit > self.max_gas {
            return refuse(format!(
                "gas limit {}: above the highest allowed, {}",
                tx.gas_limit, self.max_gas
            ));
        }
        let (tip, cap) = (tx.fee.tip_wei(), tx.fee.cap_wei());
        if cap > self.max_fee_wei {
            return refuse(format!(
                "fee of {cap} wei per gas: above the highest allowed, {}",
                self.max_fee_wei
            ));
        }
        if tip > cap {
            return refuse(format!("tip of {tip} wei per gas: above the fee's own cap, {cap}"));
        }
        Ok(())
    }

    /// Refuses another chain.
    pub(super) fn check_chain(&self, chain_id: u64) -> Result<(), SignError> {
        if chain_id == self.chain_id {
            return Ok(());
        }
        refuse(format!("chain id {chain_id}: this signer is configured for chain {}", self.chain_id))
    }

    fn check_call(&self, tx: &TxRequest) -> Result<(), SignError> {
        match &tx.call {
            Call::Noop => Ok(()),
            Call::Submit { aggregator, .. } if self.allowed.contains(aggregator) => Ok(()),
            Call::Update { store, .. } if self.allowed.contains(store) => Ok(()),
            Call::Submit { aggregator: to, .. } | Call::Update { store: to, .. } => {
                refuse(format!("to {to}: no configured feed has this contract; add the feed, or stop asking"))
            }
            Call::Raw { .. } if !self.allow_creation => {
                refuse("a creation or ready-made call: only `publisher deploy` may sign one".into())
            }
            Call::Raw { to: None, data } if data.is_empty() => {
                refuse("a creation without init code: it would create a contract that does nothing".into())
            }
            Call::Raw { to: None, .. } => Ok(()),
            Call::Raw { to: Some(to), .. } if self.allowed.contains(to) || is_own_creation(tx, *to) => Ok(()),
            Call::Raw { to: Some(to), .. } => {
                refuse(format!("to {to}: neither configured nor created by {} lately", tx.from))
            }
        }
    }
}

fn is_own_creation(tx: &TxRequest, to: Address) -> bool {
    (tx.nonce.saturating_sub(OWN_CREATIONS)..tx.nonce).any(|nonce| tx.from.create(nonce) == to)
}

fn refuse(detail: String) -> Result<(), SignError> {
    Err(SignError::new(SignFault::Policy, format!("refused by policy: {detail}")))
}
