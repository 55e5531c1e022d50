//! One state of the chain, one plan.

use super::*;
use crate::{Action, Call, Cause, Part, Plan, Proposal, plan};
use alloy::primitives::{U256, hex};
use alloy::sol_types::SolCall;
use publisher_bindings::{Aggregator, AggregatorProxy};

/// Names of the steps, with a question mark behind those that wait.
pub(super) fn names(plan: &Plan) -> Vec<String> {
    let mark = |call: &Call| if matches!(call, Call::Ready { .. }) { "" } else { "?" };
    plan.steps.iter().map(|step| format!("{}{}", step.name, mark(&step.call))).collect()
}

pub(super) fn check(observed: &Observed, expected: &[&str]) -> Plan {
    let plan = plan(&wanted(), observed);
    assert_eq!(plan.conflicts, []);
    assert_eq!(names(&plan), expected);
    plan
}

pub(super) fn check_conflict(
    wanted: &Wanted,
    observed: &Observed,
    part: Part,
    cause: Cause,
    words: &[&str],
) -> Plan {
    let plan = plan(wanted, observed);
    let found: Vec<_> = plan.conflicts.iter().map(|c| (c.part, c.cause)).collect();
    assert_eq!(found, [(part, cause)], "{plan}");
    let text = plan.conflicts[0].to_string();
    for word in words {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(plan.next().is_none(), "a plan with a conflict is not to be carried out");
    assert!(!plan.is_empty());
    plan
}

pub(super) fn data(plan: &Plan, index: usize) -> (Option<Address>, Vec<u8>) {
    match &plan.steps[index].call {
        Call::Ready { to, data } => (*to, data.to_vec()),
        waits @ Call::Waits { .. } => panic!("{waits:?}"),
    }
}

#[test]
fn everything_as_wanted_needs_nothing() {
    let observed = observed(ours(AGGREGATOR, aggregator()), ours(PROXY, proxy(AGGREGATOR)));
    let plan = plan(&wanted(), &observed);
    assert!(plan.is_empty());
    assert_eq!(plan.to_string(), "Nothing to do: the contracts are as configured.");
}

#[test]
fn a_bare_chain_gets_an_aggregator_and_then_a_proxy() {
    let plan = check(
        &observed(Site::Nowhere, Site::Nowhere),
        &["deploy-aggregator:ETH-USD", "deploy-proxy:ETH-USD?"],
    );
    let (to, data) = data(&plan, 0);
    assert_eq!(to, None);
    let call: Aggregator::constructorCall = arguments(&Aggregator::BYTECODE, &data).unwrap();
    assert_eq!((call.decimals_, call.owner_, call.transmitter), (8, DEPLOYER, TRANSMITTER));
    assert_eq!((call.minAnswer_, call.maxAnswer_), (answer(1).value(), answer(1_000_000).value()));
    assert_eq!(call.description_, "ETH / USD");
    let waits = Call::Waits { until: "deploy-aggregator:ETH-USD".to_owned(), on_step: true };
    assert_eq!(plan.steps[1].call, waits);
}

#[test]
fn a_proxy_is_created_over_the_aggregator_that_is_there() {
    let plan = check(&observed(ours(AGGREGATOR, aggregator()), Site::Nowhere), &["deploy-proxy:ETH-USD"]);
    let (to, data) = data(&plan, 0);
    assert_eq!(to, None);
    // The last two words, written by hand: the aggregator, the owner.
    let arguments = data.strip_prefix(AggregatorProxy::BYTECODE.as_ref()).unwrap();
    let words = hex!(
        "0000000000000000000000000000000000000000000000000000000000000a01"
        "00000000000000000000000000000000000000000000000000000000000000d0"
    );
    assert_eq!(arguments, words);
}

#[test]
fn a_missing_role_is_granted() {
    let state = AggregatorState { authorised: false, ..aggregator() };
    let plan = check(&observed(ours(AGGREGATOR, state), ours(PROXY, proxy(AGGREGATOR))), &["grant:ETH-USD"]);
    let call = Aggregator::setTransmitterCall { transmitter: TRANSMITTER, authorised: true };
    assert_eq!(data(&plan, 0), (Some(AGGREGATOR), call.abi_encode()));
}

#[test]
fn a_proxy_over_another_aggregator_gets_a_proposal_first() {
    let plan = check(
        &observed(ours(AGGREGATOR, aggregator()), ours(PROXY, proxy(OLD))),
        &["propose:ETH-USD", "confirm:ETH-USD?"],
    );
    let call = AggregatorProxy::proposeAggregatorCall { proposed: AGGREGATOR };
    assert_eq!(data(&plan, 0), (Some(PROXY), call.abi_encode()));
}

#[test]
fn an_unreadable_aggregator_can_be_left() {
    let state = ProxyState { answer: None, ..proxy(OLD) };
    let plan = check(
        &observed(ours(AGGREGATOR, aggregator()), ours(PROXY, state.clone())),
        &["propose:ETH-USD", "confirm:ETH-USD?"],
    );
    let call = AggregatorProxy::proposeAggregatorWithBoundsCall {
        proposed: AGGREGATOR,
        maxAgeSeconds: 86_400,
        maxDeviationBps: u32::MAX,
    };
    assert_eq!(data(&plan, 0), (Some(PROXY), call.abi_encode()));
    // A proposal that compares could never be confirmed, so it is replaced; one that does not is taken.
    let compares = Proposal { aggregator: AGGREGATOR, max_age_s: 1, max_deviation_bps: 1000 };
    let proposed = ProxyState { proposal: Some(compares), ..state.clone() };
    check(
        &observed(ours(AGGREGATOR, aggregator()), ours(PROXY, proposed)),
        &["propose:ETH-USD", "confirm:ETH-USD?"],
    );
    let free = Proposal { max_age_s: 86_400, max_deviation_bps: Proposal::NO_COMPARISON, ..compares };
    let proposed = ProxyState { proposal: Some(free), ..state };
    check(&observed(ours(AGGREGATOR, aggregator()), ours(PROXY, proposed)), &["confirm:ETH-USD"]);
}

#[test]
fn a_replacement_is_created_before_it_is_proposed() {
    check(
        &observed(Site::Nowhere, ours(PROXY, proxy(OLD))),
        &["deploy-aggregator:ETH-USD", "propose:ETH-USD?", "confirm:ETH-USD?"],
    );
}

fn proposed(bounds: (u32, u32)) -> Site<ProxyState> {
    let proposal = Proposal { aggregator: AGGREGATOR, max_age_s: bounds.0, max_deviation_bps: bounds.1 };
    ours(PROXY, ProxyState { proposal: Some(proposal), ..proxy(OLD) })
}

#[test]
fn a_proposal_is_confirmed_when_the_guards_let_it() {
    let plan =
        check(&observed(ours(AGGREGATOR, aggregator()), proposed((86_400, 1000))), &["confirm:ETH-USD"]);
    let call = AggregatorProxy::confirmAggregatorCall { proposed: AGGREGATOR };
    assert_eq!(data(&plan, 0), (Some(PROXY), call.abi_encode()));
    // Another aggregator's proposal is no help.
    let other = Proposal { aggregator: STRANGER, max_age_s: 86_400, max_deviation_bps: 1000 };
    let state = ProxyState { proposal: Some(other), ..proxy(OLD) };
    check(
        &observed(ours(AGGREGATOR, aggregator()), ours(PROXY, state)),
        &["propose:ETH-USD", "confirm:ETH-USD?"],
    );
}

#[test]
fn each_guard_is_foreseen() {
    let state = aggregator;
    let cases = [
        (
            AggregatorState { round: 2, ..state() },
            (86_400, 1000),
            "3 rounds of the new aggregator, which has 2",
        ),
        (AggregatorState { updated_at: Wall::from_s(NOW_S + 1), ..state() }, (86_400, 1000), "a block later"),
        (
            AggregatorState { updated_at: Wall::from_s(NOW_S - 61), ..state() },
            (60, 1000),
            "61s old, allowed are 1m",
        ),
        (
            AggregatorState { answer: answer(1101), ..state() },
            (86_400, 1000),
            "1101 is more than 1000 hundredths",
        ),
        (
            AggregatorState { answer: answer(899), ..state() },
            (86_400, 1000),
            "899 is more than 1000 hundredths",
        ),
        (AggregatorState { answer: answer(1001), ..state() }, (86_400, 0), "1001 is more than 0 hundredths"),
    ];
    for (state, bounds, words) in cases {
        let plan = check(&observed(ours(AGGREGATOR, state), proposed(bounds)), &["confirm:ETH-USD?"]);
        let Call::Waits { until, on_step: false } = &plan.steps[0].call else { panic!("{plan}") };
        assert!(until.contains(words), "{until}");
        assert!(plan.to_string().contains(until), "the reason is printed");
    }
    let passing = [
        (AggregatorState { updated_at: Wall::from_s(NOW_S - 60), ..state() }, (60, 1000)),
        (AggregatorState { answer: answer(1100), ..state() }, (86_400, 1000)),
        (AggregatorState { answer: answer(900), ..state() }, (86_400, 1000)),
        (AggregatorState { answer: answer(1_000_000), ..state() }, (86_400, u32::MAX)),
    ];
    for (state, bounds) in passing {
        check(&observed(ours(AGGREGATOR, state), proposed(bounds)), &["confirm:ETH-USD"]);
    }
}

/// Differences of 2^255 must not wrap into nearness.
#[test]
fn extreme_answers_are_far_apart() {
    let far = AggregatorState { answer: Answer::new(I256::MIN), ..aggregator() };
    let Site::Ours { state, .. } = proposed((86_400, 1000)) else { panic!() };
    let state = ProxyState { answer: Some(Answer::new(I256::MAX)), ..state };
    check(&observed(ours(AGGREGATOR, far), ours(PROXY, state)), &["confirm:ETH-USD?"]);
}

#[test]
fn what_is_fixed_at_creation_cannot_be_changed() {
    let cases = [
        (AggregatorState { decimals: 18, ..aggregator() }, Cause::Decimals, ["18", "wanted are 8"]),
        (
            AggregatorState { description: "BTC / USD".to_owned(), ..aggregator() },
            Cause::Description,
            ["\"BTC / USD\"", "\"ETH / USD\""],
        ),
        (
            AggregatorState { min_answer: answer(2), ..aggregator() },
            Cause::Bounds,
            ["from 2 to", "wanted are 1 to"],
        ),
        (AggregatorState { max_answer: answer(9), ..aggregator() }, Cause::Bounds, ["to 9,", "to 1000000"]),
    ];
    for (state, cause, words) in cases {
        // Neither with a proxy nor without: nothing is put over such an aggregator.
        for proxy in [Site::Nowhere, ours(PROXY, proxy(OLD))] {
            let plan = check_conflict(
                &wanted(),
                &observed(ours(AGGREGATOR, state.clone()), proxy),
                Part::Aggregator,
                cause,
                &words,
            );
            assert_eq!(plan.steps, []);
        }
    }
    let state = ProxyState { decimals: 18, ..proxy(OLD) };
    let observed = observed(ours(AGGREGATOR, aggregator()), ours(PROXY, state));
    check_conflict(
        &wanted(),
        &observed,
        Part::Proxy,
        Cause::Decimals,
        &["has 18 decimals", "remove the proxy"],
    );
}

#[test]
fn another_contract_is_never_touched() {
    let good = || ours(AGGREGATOR, aggregator());
    let says = Some("FluxAggregator 3".to_owned());
    let sites = [
        (
            observed(Site::Foreign { address: OLD, says: says.clone() }, Site::Nowhere),
            Part::Aggregator,
            "FluxAgg",
        ),
        (
            observed(Site::Foreign { address: OLD, says: None }, Site::Nowhere),
            Part::Aggregator,
            "does not say",
        ),
        (observed(good(), Site::Foreign { address: OLD, says }), Part::Proxy, "FluxAgg"),
    ];
    for (observed, part, word) in sites {
        let plan = check_conflict(&wanted(), &observed, part, Cause::Foreign, &[word, &OLD.to_string()]);
        assert_eq!(plan.steps, []);
    }
    let sites = [
        (observed(Site::Empty { address: OLD }, Site::Nowhere), Part::Aggregator),
        (observed(good(), Site::Empty { address: OLD }), Part::Proxy),
    ];
    for (observed, part) in sites {
        let plan = check_conflict(&wanted(), &observed, part, Cause::NoCode, &["nothing is deployed at"]);
        assert_eq!(plan.steps, []);
    }
}

#[test]
fn only_the_owner_can() {
    let stranger = |feed: &mut WantedFeed| feed.owner = STRANGER;
    let mut wanted = wanted();
    wanted.feeds.values_mut().for_each(stranger);
    let state = AggregatorState { owner: STRANGER, ..aggregator() };
    let reader = |aggregator| ProxyState { owner: STRANGER, ..proxy(aggregator) };
    // As wanted, whoever owns it.
    let fine = observed(ours(AGGREGATOR, state.clone()), ours(PROXY, reader(AGGREGATOR)));
    assert!(plan(&wanted, &fine).is_empty());
    let unauthorised = AggregatorState { authorised: false, ..state.clone() };
    let found = observed(ours(AGGREGATOR, unauthorised), ours(PROXY, reader(AGGREGATOR)));
    let order = format!("setTransmitter({TRANSMITTER}, true)");
    check_conflict(&wanted, &found, Part::Aggregator, Cause::NotOwner, &[&order, &STRANGER.to_string()]);
    let elsewhere = observed(ours(AGGREGATOR, state), ours(PROXY, reader(OLD)));
    let words = ["proposeAggregator and confirmAggregator", &OLD.to_string(), &AGGREGATOR.to_string()];
    check_conflict(&wanted, &elsewhere, Part::Proxy, Cause::NotOwner, &words);
}

#[test]
fn another_owner_than_wanted_is_said() {
    let words = [&*format!("transferOwnership({DEPLOYER})"), &STRANGER.to_string()];
    let state = AggregatorState { owner: STRANGER, ..aggregator() };
    let found = observed(ours(AGGREGATOR, state), ours(PROXY, proxy(AGGREGATOR)));
    check_conflict(&wanted(), &found, Part::Aggregator, Cause::Owner, &words);
    let state = ProxyState { owner: STRANGER, ..proxy(AGGREGATOR) };
    let found = observed(ours(AGGREGATOR, aggregator()), ours(PROXY, state));
    check_conflict(&wanted(), &found, Part::Proxy, Cause::Owner, &words);
}

#[test]
fn an_impossible_wish_is_refused_before_the_chain_refuses_it() {
    let bare = || observed(Site::Nowhere, Site::Nowhere);
    let huge = Answer::new(I256::from_raw(U256::ONE << 175));
    let wishes = [
        (WantedFeed { min_answer: answer(5), max_answer: answer(4), ..wanted_feed() }, "smallest answer 5"),
        (WantedFeed { max_answer: huge, ..wanted_feed() }, "176 bits"),
        (WantedFeed { owner: Address::ZERO, ..wanted_feed() }, "owner is the zero"),
        (WantedFeed { transmitter: Address::ZERO, ..wanted_feed() }, "transmitter is the zero"),
    ];
    for (wish, word) in wishes {
        let plan = check_conflict(&wanted_of(wish), &bare(), Part::Aggregator, Cause::Impossible, &[word]);
        assert_eq!(plan.steps, []);
    }
}

/// Whoever forgets to look at a known address must not get a second contract out of it.
#[test]
fn a_known_address_must_have_been_looked_at() {
    let known = |aggregator, proxy| wanted_of(WantedFeed { aggregator, proxy, ..wanted_feed() });
    let bare = observed(Site::Nowhere, Site::Nowhere);
    check_conflict(&known(Some(AGGREGATOR), None), &bare, Part::Aggregator, Cause::NotObserved, &[]);
    check_conflict(&known(None, Some(PROXY)), &bare, Part::Proxy, Cause::NotObserved, &[]);
    let elsewhere = observed(ours(OLD, aggregator()), Site::Nowhere);
    check_conflict(&known(Some(AGGREGATOR), None), &elsewhere, Part::Aggregator, Cause::NotObserved, &[]);
    let nothing = Observed { feeds: [].into(), ..bare };
    check_conflict(&wanted(), &nothing, Part::Aggregator, Cause::NotObserved, &[]);
}

/// Two feeds with one proxy would be pointed back and forth for ever.
#[test]
fn feeds_share_nothing() {
    let mut wanted = wanted();
    wanted.feeds.insert(FeedId::new("BTC-USD"), wanted_feed());
    let mut found = observed(ours(AGGREGATOR, aggregator()), ours(PROXY, proxy(AGGREGATOR)));
    let other = ObservedFeed { aggregator: ours(OLD, aggregator()), proxy: ours(PROXY, proxy(AGGREGATOR)) };
    found.feeds.insert(FeedId::new("BTC-USD"), other);
    let plan = plan(&wanted, &found);
    let causes: Vec<_> = plan.conflicts.iter().map(|c| (c.subject.as_str(), c.part, c.cause)).collect();
    let shared = [("BTC-USD", Part::Proxy, Cause::Shared), ("ETH-USD", Part::Proxy, Cause::Shared)];
    assert_eq!(causes, shared);
    assert_eq!(plan.steps, []);
}

#[test]
fn feeds_come_in_the_order_of_their_names() {
    let mut wanted = wanted();
    let mut found = observed(Site::Nowhere, Site::Nowhere);
    for name in ["SOL-USD", "BTC-USD"] {
        wanted.feeds.insert(FeedId::new(name), wanted_feed());
        let bare = ObservedFeed { aggregator: Site::Nowhere, proxy: Site::Nowhere };
        found.feeds.insert(FeedId::new(name), bare);
    }
    let expected = [
        "deploy-aggregator:BTC-USD",
        "deploy-proxy:BTC-USD?",
        "deploy-aggregator:ETH-USD",
        "deploy-proxy:ETH-USD?",
        "deploy-aggregator:SOL-USD",
        "deploy-proxy:SOL-USD?",
    ];
    assert_eq!(names(&plan(&wanted, &found)), expected);
}

#[test]
fn a_plan_reads_well_and_serialises() {
    let state = ProxyState { owner: STRANGER, ..proxy(OLD) };
    let found = observed(Site::Nowhere, ours(PROXY, state));
    let plan = plan(&wanted(), &found);
    let text = plan.to_string();
    let starts =
        ["1 step to do, 2 conflicts", "  1. deploy-aggregator:ETH-USD: create the aggregator \"ETH / USD\" "];
    for (line, start) in text.lines().zip(starts) {
        assert!(line.starts_with(start), "{text}");
    }
    assert!(text.contains("\n  conflict: ETH-USD proxy: "), "{text}");
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["steps"][0]["name"], "deploy-aggregator:ETH-USD");
    assert_eq!(json["steps"][0]["action"], "deploy-aggregator");
    assert_eq!(json["steps"][0]["call"]["state"], "ready");
    assert_eq!(json["steps"][0]["call"]["to"], serde_json::Value::Null);
    assert_eq!(json["conflicts"][1]["cause"], "not-owner");
    assert_eq!(json["conflicts"][1]["part"], "proxy");
}

/// A journal knows a step by its name alone.
#[test]
fn names_read_back() {
    for action in Action::ALL {
        for subject in ["ETH-USD", "a:b", "x"] {
            assert_eq!(Action::parse(&action.name(subject)), Some((action, subject)));
        }
    }
    for bad in ["", "grant", "grant:", "revoke:ETH-USD", ":ETH-USD", "ETH-USD round 7"] {
        assert_eq!(Action::parse(bad), None, "{bad}");
    }
}
