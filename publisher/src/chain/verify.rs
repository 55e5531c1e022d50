//! The checks before the first signature: is this the chain that was configured, and does it work as configured?

use super::ChainError;
use super::node::{Node, Tag};
use alloy::primitives::B256;
use publisher_core::fees::FeeProfile;

/// Which chain a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The hash of block 0.
    pub genesis: B256,
}

/// Why a node or its chain does not fit the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It could not be asked.
    #[error("{0}")]
    Chain(#[from] ChainError),
    /// Another chain id.
    #[error(
        "the node serves chain id {found}, configured is {expected}; nothing is signed for another chain \
         (check the node's URL and chain.id)"
    )]
    ChainId {
        /// The configured one.
        expected: u64,
        /// The node's.
        found: u64,
    },
    /// Another block 0.
    #[error(
        "the chain begins with block {found}, expected is {expected}; it was reset or is another one \
         (if the reset was meant, start with a new journal and correct chain.genesis)"
    )]
    Genesis {
        /// The configured or journalled one.
        expected: B256,
        /// The node's.
        found: B256,
    },
    /// The finality tag is unknown there.
    #[error(
        "the node does not know the block tag \"{tag}\": {reason} (Besu with QBFT or IBFT 2 has none; \
         set finality = \"instant\" there, or \"depth\" elsewhere)"
    )]
    NoTag {
        /// The tag.
        tag: &'static str,
        /// The node's words.
        reason: String,
    },
    /// The chain's blocks have no base fee, so it takes no EIP-1559 transactions.
    #[error(
        "the chain has no base fee, so it takes no EIP-1559 transactions (set fees = \"legacy\" or \"zero-gas\")"
    )]
    NotLondon,
    /// Gas is not free.
    #[error(
        "the chain's base fee is {base_fee_wei} wei, so gas is not free (set fees = \"eip1559\" or \"legacy\")"
    )]
    NotZeroGas {
        /// The head's base fee in wei per gas.
        base_fee_wei: u128,
    },
}

impl VerifyError {
    /// Whether the node answered, and what it answered does not fit. Everything else may be gone at the next try.
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Chain(_))
    }
}

impl Node {
    /// Reads the chain id alone and compares it: all that is asked of a node that is never read.
    pub async fn verify_chain_id(&self, expected: u64) -> Result<(), VerifyError> {
        let found = self.chain_id().await?;
        if found == expected { Ok(()) } else { Err(VerifyError::ChainId { expected, found }) }
    }

    /// Reads which chain this is and compares it with what is expected. To be repeated after every outage.
    pub async fn verify(
        &self,
        expected_chain_id: u64,
        expected_genesis: Option<B256>,
    ) -> Result<Identity, VerifyError> {
        self.verify_chain_id(expected_chain_id).await?;
        let genesis = self.genesis().await?;
        match expected_genesis {
            Some(expected) if expected != genesis => Err(VerifyError::Genesis { expected, found: genesis }),
            _ => Ok(Identity { chain_id: expected_chain_id, genesis }),
        }
    }

    /// Whether the chain knows the tag that finality is to be read from.
    pub async fn probe_tag(&self, tag: Tag) -> Result<(), VerifyError> {
        match self.block_by_tag(tag).await {
            Ok(_) => Ok(()),
            Err(ChainError::Rpc { code, message, .. }) => {
                Err(VerifyError::NoTag { tag: tag.name(), reason: format!("{message} (code {code})") })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the chain charges as the profile says. A legacy price is taken by every chain.
    pub async fn probe_fees(&self, profile: FeeProfile) -> Result<(), VerifyError> {
        let (_, base_fee_wei) = self.head().await?;
        match (profile, base_fee_wei) {
            (FeeProfile::Eip1559, None) => Err(VerifyError::NotLondon),
            (FeeProfile::ZeroGas, Some(base_fee_wei)) if base_fee_wei > 0 => {
                Err(VerifyError::NotZeroGas { base_fee_wei })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
