//! Pointing a proxy to the wanted aggregator or facade, past the guards that protect its consumers.
//!
//! Consumers walk back over the last rounds and compare with the last price, so the proxy confirms only an aggregator
//! with three rounds, the same decimals, a recent round and a price near the present one. Where the present aggregator
//! cannot be read there is no price to be near to, and only then is the comparison left out.

use crate::observed::{AggregatorState, Proposal, ProxyState};
use crate::plan::{Desk, creation};
use crate::step::{Action, Call, Cause, Part};
use crate::wanted::WantedFeed;
use alloy::primitives::{Address, U512};
use alloy::sol_types::SolCall;
use publisher_bindings::AggregatorProxy;
use publisher_core::price::Answer;
use publisher_core::time::{Span, Wall};

/// Rounds that the proxy demands of a proposed aggregator.
const ROUNDS_REQUIRED: u64 = 3;
/// Hundredths of a percent in the whole.
const WHOLE_BPS: u32 = 10_000;

/// The creation of a proxy over its first aggregator, which may be without rounds: nobody reads it yet.
pub(crate) fn creation_over(first: Address, owner: Address) -> Call {
    creation(&AggregatorProxy::BYTECODE, &AggregatorProxy::constructorCall { first, owner_: owner })
}

/// What an existing proxy needs to read the wanted aggregator or facade (`None`: not created yet).
pub(crate) fn point(
    desk: &mut Desk<'_, WantedFeed>,
    proxy: Address,
    state: &ProxyState,
    aggregator: Option<(Address, &AggregatorState)>,
) {
    desk.owner(Part::Proxy, proxy, (state.owner, desk.wanted.owner));
    if state.decimals != desk.wanted.decimals {
        let reason = format!("{proxy} has {} decimals, wanted are {}", state.decimals, desk.wanted.decimals);
        let hint = "a proxy keeps its decimals: correct the configuration, or remove the proxy's address from it and from \
                    the address book to have a new one created, and tell its consumers";
        return desk.conflict(Part::Proxy, Cause::Decimals, reason, hint);
    }
    let target = aggregator.map(|(address, _)| address);
    if target == Some(state.aggregator) {
        return;
    }
    let new = format!("the new {}", desk.read_part());
    let named = target.map_or_else(|| new.clone(), |address| address.to_string());
    if state.owner != desk.deployer {
        let reason = format!("{proxy} reads {}, wanted is {named}", state.aggregator);
        let order = "proposeAggregator and confirmAggregator with it";
        return desk.owner_must(Part::Proxy, reason, state.owner, order);
    }
    let confirm = format!("let {proxy} read {named} instead of {}", state.aggregator);
    let Some((target, candidate)) = aggregator else {
        let what = format!("propose {new} to {proxy}");
        desk.step(Action::Propose, what, desk.after(desk.read_creation()));
        return desk.step(Action::Confirm, confirm, desk.after(Action::Propose));
    };
    match state.proposal.filter(|proposal| suits(proposal, target, state.answer)) {
        Some(proposal) => {
            let obstacle = obstacle(candidate, state.answer, &proposal, desk.time);
            let call = obstacle.map_or_else(
                || {
                    let call = AggregatorProxy::confirmAggregatorCall { proposed: target };
                    Call::Ready { to: Some(proxy), data: call.abi_encode().into() }
                },
                |until| Call::Waits { until, on_step: false },
            );
            desk.step(Action::Confirm, confirm, call);
        }
        None => {
            let (what, call) = propose(proxy, target, state.answer);
            desk.step(Action::Propose, what, call);
            desk.step(Action::Confirm, confirm, desk.after(Action::Propose));
        }
    }
}

/// Whether the proposal that is there can be confirmed for the wanted aggregator at all.
fn suits(proposal: &Proposal, target: Address, present: Option<Answer>) -> bool {
    let comparable = present.is_some() || proposal.max_deviation_bps == Proposal::NO_COMPARISON;
    proposal.aggregator == target && comparable
}

fn propose(proxy: Address, target: Address, present: Option<Answer>) -> (String, Call) {
    let ready = |data: Vec<u8>| Call::Ready { to: Some(proxy), data: data.into() };
    if present.is_some() {
        let call = AggregatorProxy::proposeAggregatorCall { proposed: target };
        (format!("propose {target} to {proxy}"), ready(call.abi_encode()))
    } else {
        let call = AggregatorProxy::proposeAggregatorWithBoundsCall {
            proposed: target,
            maxAgeSeconds: Proposal::DEFAULT_MAX_AGE_S,
            maxDeviationBps: Proposal::NO_COMPARISON,
        };
        let why = "without a comparison of prices, because the present aggregator has none to read";
        (format!("propose {target} to {proxy} {why}"), ready(call.abi_encode()))
    }
}

/// What the confirmation would be refused for, as the thing to wait for.
fn obstacle(
    candidate: &AggregatorState,
    present: Option<Answer>,
    proposal: &Proposal,
    time: Wall,
) -> Option<String> {
    if candidate.round < ROUNDS_REQUIRED {
        return Some(format!(
            "{ROUNDS_REQUIRED} rounds of the new aggregator, which has {}: consumers walk back over them (let a \
             publisher write to the new aggregator; consumers read the old one until it is confirmed)",
            candidate.round
        ));
    }
    let max_age = Span::from_s(proposal.max_age_s.into());
    let age = time.since(candidate.updated_at);
    if candidate.updated_at > time {
        return Some("a block later than the new aggregator's latest round".to_owned());
    }
    if age > max_age {
        return Some(format!(
            "a recent round of the new aggregator: its latest is {age} old, allowed are {max_age}"
        ));
    }
    let bound_bps = proposal.max_deviation_bps;
    let far = present.filter(|_| bound_bps != Proposal::NO_COMPARISON);
    far.filter(|present| !within(candidate.answer, *present, bound_bps)).map(|present| {
        format!(
            "an answer nearer to the present one: {} is more than {bound_bps} hundredths of a percent from {present} \
             (if it is right, propose again with proposeAggregatorWithBounds and a wider bound)",
            candidate.answer
        )
    })
}

/// Whether |answer − present| ≤ |present| × bps / 10,000, exactly.
fn within(answer: Answer, present: Answer, bps: u32) -> bool {
    let difference = U512::from(present.distance(answer));
    difference * U512::from(WHOLE_BPS) <= U512::from(present.value().unsigned_abs()) * U512::from(bps)
}
