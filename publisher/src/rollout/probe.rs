//! Asking a chain which opcodes it has, and whether the contracts can live with them.

use crate::chain::{ChainError, Node};
use alloy::primitives::Bytes;
use publisher_deploy::evm::{CONTROL, Evm, Misfit, PROBES, evm_of, misfits};

/// Why nothing is to be deployed on a chain.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The node could not be asked.
    #[error("the chain's EVM cannot be probed: {0}")]
    Chain(#[from] ChainError),
    /// The node refuses init code that every EVM runs.
    #[error(
        "the node runs no init code by eth_call, so the chain's EVM cannot be probed: {0} (use another node of this \
         chain)"
    )]
    Unprobed(String),
    /// The contracts cannot live there.
    #[error("{}", list(.0))]
    Misfits(Vec<Misfit>),
}

fn list(misfits: &[Misfit]) -> String {
    misfits.iter().map(Misfit::to_string).collect::<Vec<_>>().join("; ")
}

/// Which EVM the chain has.
///
/// # Errors
/// If the node cannot be asked, or the committed contracts cannot live on this chain.
pub async fn probe(node: &Node) -> Result<Evm, ProbeError> {
    if let Err(error) = runs(node, CONTROL).await? {
        return Err(ProbeError::Unprobed(error));
    }
    let mut answers = [false; PROBES.len()];
    for (answer, probe) in answers.iter_mut().zip(PROBES) {
        *answer = runs(node, probe.init_code).await?.is_ok();
    }
    let evm = evm_of(answers);
    let misfits = misfits(evm);
    if misfits.is_empty() { Ok(evm) } else { Err(ProbeError::Misfits(misfits)) }
}

/// Whether init code runs to its end; the node's word if it does not.
async fn runs(node: &Node, init_code: &'static [u8]) -> Result<Result<(), String>, ChainError> {
    match node.call_creation(&Bytes::from_static(init_code)).await {
        Ok(_) => Ok(Ok(())),
        Err(ChainError::Rpc { message, .. }) => Ok(Err(message)),
        Err(error) => Err(error),
    }
}
