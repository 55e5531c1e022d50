//! The outside world of one chain: its nodes, the signers, the proxies that consumers read.

use super::nodes::Nodes;
use crate::chain::{FlagWire, Tag};
use crate::signer::Signer;
use crate::telemetry::{Notice, notify};
use alloy::primitives::{Address, U256};
use publisher_core::fees::FeeProfile;
use publisher_core::io::{Effect, Input};
use publisher_core::outbox::Answered;
use publisher_core::price::Answer;
use publisher_core::quote::FeedId;
use publisher_core::time::Span;
use publisher_core::tx::{SendOutcome, SignFault};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a feed lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedWire {
    /// The aggregator or store that is written.
    pub aggregator: Address,
    /// The account that writes.
    pub account: Address,
    /// The proxy that consumers read.
    pub proxy: Option<Address>,
    /// Its flag, if one may put it to sleep.
    pub flag: Option<FlagWire>,
}

/// A store as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreWire {
    /// The account that writes.
    pub account: Address,
    /// Our feeds in it, with the numbers that it gave to them.
    pub feeds: Vec<(FeedId, u16)>,
    /// The flags of those that have one.
    pub flags: BTreeMap<FeedId, FlagWire>,
}

/// See the module's documentation.
pub struct Edges {
    /// The nodes.
    pub nodes: Arc<Nodes>,
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
    /// The stores that some of them share.
    pub stores: BTreeMap<Address, StoreWire>,
}

impl Edges {
    /// Performs one effect; the answer is an input. Nothing is asked of or sent to a node that is not of the chain we
    /// know, and nothing is signed while there is no other.
    pub(super) async fn perform(&self, effect: Effect) -> Option<Input> {
        let trusted = self.nodes.is_trusted();
        Some(match effect {
            // The journal is the driver's.
            Effect::Persist(_) | Effect::Beat { .. } | Effect::Recover { .. } | Effect::Report(_) => {
                return None;
            }
            Effect::Preflight { ticket, from, call } => {
                Input::Preflight { ticket, answer: self.nodes.preflight(&call, from).await }
            }
            Effect::Sign { ticket, tx } => {
                let account = tx.from;
                let failed = |fault, detail: String| Input::SignFailed { ticket, account, fault, detail };
                match self.signers.get(&account) {
                    _ if !trusted => failed(SignFault::Unavailable, "no node is trusted now".to_owned()),
                    None => failed(SignFault::Policy, format!("no signer is configured for {account}")),
                    Some(signer) => match signer.sign(&tx).await {
                        Ok(signed) => Input::Signed { ticket, account, hash: signed.hash, raw: signed.raw },
                        Err(error) => failed(error.fault, error.detail),
                    },
                }
            }
            Effect::Broadcast { account, hash, raw } => {
                let answered = match trusted {
                    true => self.nodes.broadcast(&raw, hash).await,
                    false => Answered {
                        outcome: SendOutcome::NodeUnready,
                        minimum: None,
                        detail: "no node is trusted now".to_owned(),
                    },
                };
                let Answered { outcome, minimum, detail } = answered;
                Input::Sent { account, hash, outcome, minimum, detail }
            }
            Effect::FetchAccount { ticket, account, at, hashes } => {
                Input::Account { ticket, account, view: self.nodes.account_view(account, hashes, at).await }
            }
            Effect::FetchRound { ticket, feed, at } => {
                let wire = self.feeds.get(&feed)?;
                let view = self.nodes.round_view(wire.aggregator, wire.account, wire.flag, &at).await;
                Input::Round { ticket, feed, view }
            }
            Effect::FetchStore { ticket, store, at } => {
                let wire = self.stores.get(&store)?;
                let view = self.nodes.store_view(store, wire, &at).await;
                Input::Store { ticket, store, view }
            }
            Effect::FetchAncestors { ticket, number, hash, count } => {
                Input::Ancestors { ticket, blocks: self.nodes.ancestors(number, hash, count).await }
            }
            Effect::FetchBlockHash { ticket, number } => {
                Input::BlockHash { ticket, hash: self.nodes.block_hash(number).await }
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
        match self.nodes.reader().proxy_latest(proxy).await {
            Ok(Some(latest)) => {
                let shown = latest.round_id & U256::from(u64::MAX);
                if shown < U256::from(round) || (shown == U256::from(round) && latest.answer != answer) {
                    differs(format!("round {shown}: {}", latest.answer));
                }
            }
            Ok(None) => differs("no data present".to_owned()),
            Err(_) => {} // The heads' pollers say which node fails.
        }
    }
}
