//! The outside world of one chain: its node, the signers, the proxies that consumers read.

use crate::chain::{Node, Tag, VerifyError};
use crate::signer::Signer;
use crate::telemetry::{Notice, notify};
use alloy::primitives::{Address, B256, U256};
use publisher_core::fees::FeeProfile;
use publisher_core::io::{Effect, Input};
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use publisher_core::tx::{PreflightAnswer, SendOutcome, SignFault};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a feed lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedWire {
    /// The aggregator that is written.
    pub aggregator: Address,
    /// The account that writes.
    pub account: Address,
    /// The proxy that consumers read.
    pub proxy: Option<Address>,
}

/// See the module's documentation.
pub struct Edges {
    /// The node.
    pub node: Node,
    /// Expected chain id.
    pub chain_id: u64,
    /// Expected genesis.
    pub genesis: B256,
    /// The finality tag to ask for.
    pub tag: Option<Tag>,
    /// How the chain charges.
    pub fee_profile: FeeProfile,
    /// Time between two polls of the head.
    pub poll: Span,
    /// The signer of each account.
    pub signers: BTreeMap<Address, Signer>,
    /// The feeds.
    pub feeds: BTreeMap<FeedId, FeedWire>,
    /// Whether the node answered as the chain we know when it was last asked.
    pub trusted: AtomicBool,
}

impl Edges {
    /// Asks the node again who it is. A node that has become another chain gets nothing from us, and is told nothing.
    pub(super) async fn check_identity(&self) -> Result<(), String> {
        match self.node.verify(self.chain_id, Some(self.genesis)).await {
            Ok(_) => {
                self.trusted.store(true, Ordering::SeqCst);
                Ok(())
            }
            Err(VerifyError::Chain(error)) => Err(error.to_string()),
            Err(refused) => {
                let reason = refused.to_string();
                if self.trusted.swap(false, Ordering::SeqCst) {
                    notify(&Notice::NodeRefused { node: self.node.shown(), reason: reason.clone() });
                }
                Err(reason)
            }
        }
    }

    /// Performs one effect; the answer is an input. Nothing is asked of, signed for or sent to a node that is not the
    /// chain we know.
    pub(super) async fn perform(&self, effect: Effect) -> Option<Input> {
        let trusted = self.trusted.load(Ordering::SeqCst);
        Some(match effect {
            Effect::Persist(_) | Effect::Report(_) => return None,
            Effect::Preflight { ticket, from, call } => {
                let answer =
                    if trusted { self.node.preflight(&call, from).await } else { PreflightAnswer::Unknown };
                Input::Preflight { ticket, answer }
            }
            Effect::Sign { ticket, tx } => {
                let account = tx.from;
                let failed = |fault, detail: String| Input::SignFailed { ticket, account, fault, detail };
                match self.signers.get(&account) {
                    _ if !trusted => failed(SignFault::Unavailable, "the node is not trusted now".to_owned()),
                    None => failed(SignFault::Policy, format!("no signer is configured for {account}")),
                    Some(signer) => match signer.sign(&tx).await {
                        Ok(signed) => Input::Signed { ticket, account, hash: signed.hash, raw: signed.raw },
                        Err(error) => failed(error.fault, error.detail),
                    },
                }
            }
            Effect::Broadcast { account, hash, raw } => {
                let (outcome, detail) = if trusted {
                    let sent = self.node.send_raw(&raw, hash).await;
                    if sent.wrong_hash {
                        notify(&Notice::NodeWrongHash {
                            node: self.node.shown(),
                            detail: sent.detail.clone(),
                        });
                    }
                    (sent.outcome, sent.detail)
                } else {
                    (SendOutcome::NodeUnready, "the node is not trusted now".to_owned())
                };
                Input::Sent { account, hash, outcome, detail }
            }
            Effect::FetchAccount { ticket, account, at, hashes } => {
                let view = self.node.account_view(account, &hashes, &at).await;
                Input::Account { ticket, account, view: view.ok().filter(|_| trusted) }
            }
            Effect::FetchRound { ticket, feed, at } => {
                let wire = self.feeds.get(&feed)?;
                let view = self.node.round_view(wire.aggregator, wire.account, &at).await;
                Input::Round { ticket, feed, view: view.ok().filter(|_| trusted) }
            }
            Effect::FetchAncestors { ticket, number, hash, count } => {
                let blocks = self.node.ancestors(number, hash, count).await;
                Input::Ancestors { ticket, blocks: blocks.ok().filter(|_| trusted) }
            }
            Effect::FetchBlockHash { ticket, number } => {
                let block = self.node.block(number).await;
                Input::BlockHash { ticket, hash: block.ok().flatten().filter(|_| trusted).map(|b| b.hash) }
            }
        })
    }

    /// Reads a final round back through the address that consumers use. Writing one contract while consumers read
    /// another is a fault that nothing else shows.
    pub(super) async fn read_back(&self, feed: &FeedId, round: u64, answer: Answer) {
        let Some(proxy) = self.feeds.get(feed).and_then(|wire| wire.proxy) else { return };
        let differs = |read: String| {
            notify(&Notice::ReadBackDiffers {
                feed: feed.to_string(),
                proxy: proxy.to_string(),
                written: format!("round {round}: {answer}"),
                read,
            });
        };
        // The proxy puts its phase in the bits from 64. A newer round may be there already; an older one may not.
        match self.node.proxy_latest(proxy).await {
            Ok(Some(latest)) => {
                let shown = latest.round_id & U256::from(u64::MAX);
                if shown < U256::from(round) || (shown == U256::from(round) && latest.answer != answer) {
                    differs(format!("round {shown}: {}", latest.answer));
                }
            }
            Ok(None) => differs("no data present".to_owned()),
            Err(_) => {} // The head's poller says that the node fails.
        }
    }
}
