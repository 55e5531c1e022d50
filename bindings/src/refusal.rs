//! Why any of the contracts refused a call: one of its own errors, a text, or a panic.

use alloy::primitives::U256;
use alloy::sol_types::{Panic, Revert, SolError, SolInterface};

/// The decoded data of a revert. `E` is the `…Errors` enum of the contract that was called, such as
/// [`FlagsErrors`](crate::Flags::FlagsErrors).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<E> {
    /// An error that the contract's interface declares, with its fields.
    Error(E),
    /// A refusal by text, such as "No data present" or "Only callable by owner".
    Text(String),
    /// A failed assertion or arithmetic error inside the contract, with Solidity's panic code.
    Panic(U256),
}

impl<E: SolInterface> Refusal<E> {
    /// Decodes the data of a revert; none when it is empty, malformed or of another contract.
    pub fn decode(data: &[u8]) -> Option<Self> {
        if let Ok(error) = E::abi_decode_validate(data) {
            return Some(Self::Error(error));
        }
        if let Ok(Revert { reason }) = Revert::abi_decode_validate(data) {
            return Some(Self::Text(reason));
        }
        Panic::abi_decode_validate(data).ok().map(|panic| Self::Panic(panic.code))
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;
    use crate::Flags::{FlagsErrors, NotRaiser};

    #[test]
    fn errors_texts_and_panics_are_told_apart() {
        let error = NotRaiser { sender: Address::repeat_byte(7) };
        let decoded = Refusal::<FlagsErrors>::decode(&error.abi_encode());
        assert_eq!(decoded, Some(Refusal::Error(FlagsErrors::NotRaiser(error))));
        let text = Revert::from("Only callable by owner");
        assert_eq!(Refusal::<FlagsErrors>::decode(&text.abi_encode()), Some(Refusal::Text(text.reason)));
        let panic = Panic { code: U256::from(0x11) };
        assert_eq!(Refusal::<FlagsErrors>::decode(&panic.abi_encode()), Some(Refusal::Panic(panic.code)));
    }

    #[test]
    fn what_is_of_another_contract_is_not_guessed() {
        let paused = crate::Aggregator::Paused {}.abi_encode();
        assert_eq!(Refusal::<FlagsErrors>::decode(&paused), None);
        assert_eq!(Refusal::<FlagsErrors>::decode(&[]), None);
        let cut = NotRaiser { sender: Address::ZERO }.abi_encode();
        assert_eq!(Refusal::<FlagsErrors>::decode(&cut[..20]), None);
    }
}
