//! Why a rollout stopped. Whatever the reason, running it again goes on where it stopped.

use super::{AddressBookError, ProbeError, ReadError};
use crate::chain::{SetupError, VerifyError};
use crate::config::Problems;
use crate::store::StoreError;
use alloy::primitives::{Address, B256};
use publisher_core::book::BookError;
use publisher_core::record::Outcome;
use publisher_core::time::Span;
use publisher_deploy::{Part, Plan};

/// See the module's documentation.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] Problems),
    /// It names no node.
    #[error("the configuration names no node (set chain.rpc)")]
    NoNode,
    /// The node's setting.
    #[error("{0}")]
    Setup(#[from] SetupError),
    /// The node serves another chain, or cannot be asked which.
    #[error("{0}")]
    Chain(#[from] VerifyError),
    /// There is no such signer.
    #[error("there is no signer {name:?} (name one of [signer] in the configuration: {known})")]
    NoSigner {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The signer cannot be used.
    #[error("{0}")]
    Signer(String),
    /// The address book.
    #[error("{0}")]
    Book(#[from] AddressBookError),
    /// The journal.
    #[error("{0}")]
    Journal(#[from] StoreError),
    /// The account's rounds are in a journal that replicas may be using.
    #[error(
        "{account} also submits rounds, and their journal is shared: replicas may be using it (name another signer \
         with --signer, whose account owns the contracts)"
    )]
    SharedJournal {
        /// The account.
        account: Address,
    },
    /// The chain could not be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The contracts cannot live on the chain.
    #[error("{0}")]
    Probe(#[from] ProbeError),
    /// The machine refuses its specification.
    #[error("{0}")]
    Machine(#[from] BookError),
    /// The deployer cannot pay for anything.
    #[error(
        "{account}, which carries the rollout out, has no native currency (send it some; nothing was sent)"
    )]
    NoFunds {
        /// The account.
        account: Address,
    },
    /// Something is in the way that the deployer cannot move.
    #[error("nothing more was sent, because something is in conflict\n{0}")]
    Conflicts(Box<Plan>),
    /// The contract or the chain would refuse a step.
    #[error(
        "a step would be refused, so it was not sent: {reason} (repair the cause and run the rollout again)"
    )]
    Refused {
        /// The step's name and the reason.
        reason: String,
    },
    /// A step was included and failed, or another transaction took its nonce.
    #[error(
        "{step} ended as {outcome} in {transaction:?} (look at the transaction, repair the cause and run the rollout \
         again)", outcome = .outcome.code()
    )]
    Failed {
        /// The step's name.
        step: String,
        /// How it ended.
        outcome: Outcome,
        /// The transaction, if there is one.
        transaction: Option<B256>,
    },
    /// The account or the chain stands still.
    #[error("halted: {reason} (repair the cause, then run the rollout again with --acknowledge-halts)")]
    Halted {
        /// Why.
        reason: String,
    },
    /// A step takes too long.
    #[error(
        "{step} is not final after {after} (look at the node, its blocks and the signer, then run the rollout again: it \
         goes on where it stopped)"
    )]
    TimedOut {
        /// The step's name.
        step: String,
        /// How long it was waited for.
        after: Span,
    },
    /// A step is done and still wanted.
    #[error(
        "{step} is final and the node still shows the chain without it (it answers from another state: use one node, \
         or wait until it is in sync)"
    )]
    Repeated {
        /// The step's name.
        step: String,
    },
    /// The node has not seen what is final.
    #[error(
        "the node is behind: it shows {mined} transactions of {account}, and {next} are final by the journal (wait until \
         it is in sync, or use another node; nothing was sent)"
    )]
    Behind {
        /// The account.
        account: Address,
        /// The next nonce to be mined, by the node.
        mined: u64,
        /// The same by the journal.
        next: u64,
    },
    /// A creation may be on its way, and nobody here can tell.
    #[error(
        "the {part} of {subject} may be on its way: nonce {nonce} of {account} is not mined on this node (wait until the \
         node is in sync, or finish the rollout with that account; if it was never sent, remove the entry from the \
         address book)"
    )]
    Uncertain {
        /// The feed or the store.
        subject: String,
        /// Which of its contracts.
        part: Part,
        /// The account that creates it.
        account: Address,
        /// The nonce of the creation.
        nonce: u64,
    },
    /// The driver is gone.
    #[error("the rollout's driver ended early (look at the log)")]
    Ended,
}
