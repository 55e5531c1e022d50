//! Why there is no signature.

use super::SignerConfig;
use publisher_core::tx::SignFault;

/// No usable signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SignError {
    /// What to branch on.
    pub fault: SignFault,
    /// For people: which signer, what happened, what to do. Without secrets.
    pub detail: String,
}

impl SignError {
    pub(super) const fn new(fault: SignFault, detail: String) -> Self {
        Self { fault, detail }
    }

    /// Names the signer.
    pub(super) fn by(self, config: &SignerConfig) -> Self {
        let detail = format!("signer {} ({}): {}", config.name, config.kind.shown(), self.detail);
        Self { detail, ..self }
    }
}
