//! The chain: nodes, finality, fees, timing.

use super::Check;
use crate::chain::{NodeSetup, Tag};
use crate::config::Chain;
use crate::config::keys::{Chain as RawChain, Fees, Rpc};
use crate::config::leaf::{Beyond, FinalityRule, Profile, Rule, Spend, Wei, value};
use crate::config::problem::Place;
use crate::config::raw::Item;
use crate::config::secret::{Endpoint, Secret};
use publisher_core::fees::{FeePolicy, FeeProfile, ReplacementRule};
use publisher_core::head::Finality;
use publisher_core::outbox::Timing;
use publisher_core::price::Ratio;
use publisher_core::spend::Caps;
use publisher_core::time::Span;
use reqwest::header::HeaderValue;

/// Shortest and longest time for one call.
pub(super) const CALL: (Span, Span) = (Span::from_ms(100), Span::from_s(60));
const BLOCK: (Span, Span) = (Span::from_ms(50), Span::from_s(600));
const DELAY: (Span, Span) = (Span::from_ms(10), Span::from_s(600));
const MAX_FEE_WEI: u128 = 500_000_000_000;
const BATCH_MAX: usize = 1000;
const BUMP_MAX: u64 = 1000;

/// What may be spent; zero where nothing is said.
fn caps(fees: Option<&Fees>) -> Caps {
    let wei = |item: fn(&Fees) -> Option<&Item<Rule<Spend>>>| match value(fees.and_then(item)) {
        Some(Rule::On(Spend(wei))) => wei,
        Some(Rule::Off) | None => 0,
    };
    Caps {
        transaction_wei: wei(|fees| fees.max_transaction.as_ref()),
        feed_hour_wei: wei(|fees| fees.max_feed_hour.as_ref()),
        account_day_wei: wei(|fees| fees.max_account_day.as_ref()),
        heartbeats_pass: value(fees.and_then(|fees| fees.over_budget.as_ref())) != Some(Beyond::Nothing),
    }
}

impl Check<'_> {
    pub(super) fn chain(&mut self) -> Option<Chain> {
        let Some(raw) = &self.root.chain else {
            let place = Place { path: "chain".into(), line: None, shown: String::new() };
            let hint = "add [chain] with id, rpc, block_time, finality and fees";
            self.found.error(&place, "missing", hint);
            return None;
        };
        if raw.id.as_ref().is_some_and(|id| id.value == 0) {
            self.refuse(raw.id.as_ref(), "no chain has this id", "ask the node: eth_chainId");
        }
        let rpc = self.rpc(raw);
        let fees = self.fees(raw);
        let block_time = raw.block_time.as_ref().map(|item| {
            let block_time = self.span(Some(item), item.value, BLOCK.0, BLOCK.1);
            (block_time, self.timing(raw, block_time))
        });
        let (finality, tag) = match value(raw.finality.as_ref())? {
            FinalityRule::Instant => (Finality::Instant, None),
            FinalityRule::Depth(depth) => (Finality::Depth(depth), None),
            FinalityRule::Finalized => (Finality::Tag, Some(Tag::Finalized)),
            FinalityRule::Safe => (Finality::Tag, Some(Tag::Safe)),
        };
        let (block_time, timing) = block_time?;
        let (id, genesis) = (value(raw.id.as_ref())?, value(raw.genesis.as_ref()));
        Some(Chain {
            id,
            rpc,
            block_time,
            finality,
            tag,
            fees: fees?,
            caps: caps(raw.fees.as_ref()),
            timing,
            genesis,
        })
    }

    /// An error at a key that is there.
    fn refuse<T>(&mut self, item: Option<&Item<T>>, reason: &str, hint: &str) {
        if let Some(item) = item {
            self.found.error(&item.place, reason, hint);
        }
    }

    fn rpc(&mut self, raw: &RawChain) -> Vec<NodeSetup> {
        if raw.rpc.is_empty() && !self.found.has_error_below("chain.rpc") {
            let hint = "add rpc, e.g. rpc = [\"http://127.0.0.1:8545\"]";
            self.found.error(&raw.place.missing("rpc"), "no node", hint);
        }
        let mut nodes: Vec<NodeSetup> = Vec::new();
        for rpc in &raw.rpc {
            let Some(node) = self.node(rpc) else { continue };
            if nodes.iter().any(|other| other.url == node.url) {
                self.refuse(rpc.url.as_ref(), "the same node twice", "keep one of them");
            }
            nodes.push(node);
        }
        if !nodes.is_empty() && nodes.iter().all(|node| node.send_only) {
            let first = raw.rpc.first().and_then(|rpc| rpc.send_only.as_ref());
            self.refuse(first, "no node can be read", "take send_only away from one of them");
        }
        nodes
    }

    fn node(&mut self, rpc: &Rpc) -> Option<NodeSetup> {
        let Rpc { url, authorization, timeout, batch_limit, .. } = rpc;
        let node =
            self.node_setup(url.as_ref()?, authorization.as_ref(), timeout.as_ref(), batch_limit.as_ref());
        let ws = rpc.ws.as_ref().map(|ws| Item { value: ws.value.0.clone(), place: ws.place.clone() });
        let send_only = value(rpc.send_only.as_ref()).unwrap_or(node.send_only);
        if let Some(ws) = &ws {
            self.exposed(ws, "what is asked");
            if send_only {
                let reason = "not used: a node that is never read has no heads to tell of";
                self.found.warn(&ws.place, reason, "take ws or send_only away");
            }
        }
        Some(NodeSetup { send_only, ws: ws.map(|ws| ws.value.url().clone()), ..node })
    }

    /// How a node is spoken to, whatever it is asked for.
    pub(super) fn node_setup(
        &mut self,
        url: &Item<Endpoint>,
        authorization: Option<&Item<Secret>>,
        timeout: Option<&Item<Span>>,
        batch_limit: Option<&Item<usize>>,
    ) -> NodeSetup {
        self.exposed(url, "what is sent");
        let authorization = authorization.and_then(|secret| {
            let header = HeaderValue::from_str(secret.value.expose()).ok();
            if header.is_none() {
                let hint = "use printable ASCII on one line";
                self.found.error(&secret.place, "not the value of an HTTP header", hint);
            }
            header
        });
        let node = NodeSetup::new(url.value.url().clone());
        if batch_limit.is_some_and(|limit| !(1..=BATCH_MAX).contains(&limit.value)) {
            self.refuse(batch_limit, "out of range", "use 1 to 1000");
        }
        NodeSetup {
            authorization,
            timeout: self.span(timeout, node.timeout, CALL.0, CALL.1),
            batch_limit: value(batch_limit).unwrap_or(node.batch_limit),
            ..node
        }
    }

    fn fees(&mut self, raw: &RawChain) -> Option<FeePolicy> {
        let Some(fees) = &raw.fees else {
            let hint = "add fees = \"eip1559\", \"legacy\" or \"zero-gas\"";
            self.found.error(&raw.place.missing("fees"), "missing", hint);
            return None;
        };
        let bump_percent = self.bump(fees);
        let rule = ReplacementRule::GETH; // Until the nodes have said what they are.
        let Wei(max_fee_wei) = value(fees.max_fee.as_ref()).unwrap_or(Wei(MAX_FEE_WEI));
        let Wei(min_tip_wei) = value(fees.min_tip.as_ref()).unwrap_or(Wei(1));
        let profile = match value(fees.profile.as_ref())? {
            Profile::Eip1559 => FeeProfile::Eip1559,
            Profile::Legacy => FeeProfile::Legacy,
            Profile::ZeroGas => {
                let (reason, hint) = ("nothing is paid with zero-gas", "leave it out");
                self.refuse(fees.min_tip.as_ref(), reason, hint);
                self.refuse(fees.bump.as_ref(), reason, hint);
                let profile = FeeProfile::ZeroGas;
                let Wei(max_fee_wei) = value(fees.max_fee.as_ref()).unwrap_or(Wei(0));
                return Some(FeePolicy { profile, max_fee_wei, min_tip_wei: 0, bump_percent, rule });
            }
        };
        if max_fee_wei == 0 {
            let hint = "write fees = \"zero-gas\" where gas costs nothing";
            self.refuse(fees.max_fee.as_ref(), "nothing may be paid", hint);
        } else if min_tip_wei > max_fee_wei {
            let hint = "lower min_tip or raise max_fee";
            let place = fees.min_tip.as_ref().or(fees.max_fee.as_ref());
            self.refuse(place, "the smallest tip is more than the largest fee", hint);
        }
        Some(FeePolicy { profile, max_fee_wei, min_tip_wei, bump_percent, rule })
    }

    fn bump(&mut self, fees: &Fees) -> u32 {
        let Some(bump) = &fees.bump else { return 0 };
        let percent_ppb = Ratio::from_bps(100).ppb();
        let percent = bump.value.ppb() / percent_ppb;
        if !bump.value.ppb().is_multiple_of(percent_ppb) || !(10..=BUMP_MAX).contains(&percent) {
            let reason = "nodes refuse a replacement that adds less than 10%, and parts of a percent";
            self.found.error(&bump.place, reason, "use whole percents from \"10%\" to \"1000%\"");
        }
        u32::try_from(percent).unwrap_or(10)
    }

    fn timing(&mut self, raw: &RawChain, block_time: Span) -> Timing {
        let resend = block_time.times(2).max(Span::from_s(5));
        let mut timing = Timing {
            answer_timeout: Span::from_s(5),
            retry: Span::from_ms(500),
            retry_max: Span::from_s(15),
            resend,
            bump_heads: 3,
        };
        let Some(raw) = &raw.timing else { return timing };
        for (item, slot) in [
            (&raw.answer_timeout, &mut timing.answer_timeout),
            (&raw.retry, &mut timing.retry),
            (&raw.retry_max, &mut timing.retry_max),
            (&raw.resend, &mut timing.resend),
        ] {
            *slot = self.span(item.as_ref(), *slot, DELAY.0, DELAY.1);
        }
        timing.bump_heads = value(raw.bump_heads.as_ref()).unwrap_or(timing.bump_heads);
        if timing.bump_heads == 0 {
            self.refuse(raw.bump_heads.as_ref(), "replaces at once, always", "use 1 or more");
        }
        if timing.retry > timing.retry_max {
            let place = raw.retry_max.as_ref().or(raw.retry.as_ref());
            let reason = format!(
                "the first delay, {}, is longer than the longest, {}",
                timing.retry, timing.retry_max
            );
            self.refuse(place, &reason, "raise retry_max or lower retry");
        }
        timing
    }
}
