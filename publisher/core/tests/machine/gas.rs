//! How much gas a transaction gets, whatever nodes estimate, and nodes that take nothing at its price.

use crate::rig::*;
use publisher_core::event::Event;
use publisher_core::fees::FeeProfile;
use publisher_core::tx::{FeeMinimum, PreflightAnswer, SendOutcome};

/// The gas limit of the transaction that was signed last.
fn gas_limit(rig: &Rig) -> u64 {
    let hash = rig.wire.last().unwrap();
    rig.signed[hash].gas_limit
}

/// Without it a node whose eth_estimateGas is broken would silence its feeds, although it takes transactions.
#[test]
fn f23_the_dearest_of_the_latest_estimates_stands_in_for_one_that_fails() {
    let mut rig = Rig::running();
    for gas in [150_000, 120_000] {
        rig.preflight = Some(PreflightAnswer::Gas(gas));
        rig.deviate();
        rig.blocks(2);
    }
    let before = rig.rounds(&btc()).len();
    rig.preflight = Some(PreflightAnswer::Unknown);
    for _ in 0..3 {
        rig.deviate();
        rig.blocks(3);
        assert_eq!(gas_limit(&rig), 187_500, "a quarter more than the dearest");
    }
    assert_eq!(rig.rounds(&btc()).len(), before + 3);
    assert_eq!(rig.count_events("PUB-2017"), 1, "and people are told once");
    // Nothing of it is believed of a contract that has been paused since.
    rig.paused = true;
    rig.deviate();
    rig.blocks(6);
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (before + 3, 0));
    (rig.paused, rig.preflight) = (false, None);
    rig.blocks(4);
    assert_eq!((gas_limit(&rig), rig.count_events("PUB-2017")), (100_000, 1), "the floor, for 45,000");
}

/// Without it a node that cannot be reached, or a contract that takes no rounds, would be written to blindly; and what
/// was never estimated would be guessed.
#[test]
fn f23_nothing_stands_in_for_a_node_that_is_gone_a_contract_that_is_paused_or_an_estimate_that_never_was() {
    let mut rig = Rig::running();
    let before = rig.intents();
    rig.node_down = true;
    rig.deviate();
    for _ in 0..60 {
        rig.pass_ms(500);
        rig.quotes(VENUES);
    }
    assert_eq!(rig.intents(), before, "nobody can be asked");
    rig.node_down = false;
    (rig.paused, rig.preflight) = (true, Some(PreflightAnswer::Unknown));
    rig.blocks(10);
    assert_eq!(rig.intents(), before, "it takes none");
    rig.paused = false;
    rig.blocks(4);
    assert!(rig.intents() > before);

    let mut rig = Rig::new(spec(&["BTC-USD"]));
    rig.preflight = Some(PreflightAnswer::Unknown);
    rig.blocks(20);
    assert_eq!((rig.intents(), rig.count_events("PUB-2017")), (0, 0), "nothing was ever estimated");
}

/// Without it one node's fancy would put ten times the cost at risk with every round.
#[test]
fn f23_an_estimate_ten_times_too_high_is_clamped_and_people_are_told_once() {
    let mut rig = Rig::running();
    rig.preflight = Some(PreflightAnswer::Gas(450_000));
    for _ in 0..3 {
        rig.deviate();
        rig.blocks(2);
        assert_eq!(gas_limit(&rig), 500_000);
    }
    let clamped = rig.events.iter().filter_map(|event| match event {
        Event::EstimateClamped { estimate, gas_limit, .. } => Some((*estimate, *gas_limit)),
        _ => None,
    });
    assert_eq!(clamped.collect::<Vec<_>>(), [(450_000, 500_000)]);
    // What it would say next is no better when it says nothing.
    rig.preflight = Some(PreflightAnswer::Unknown);
    rig.deviate();
    rig.blocks(3);
    assert_eq!(gas_limit(&rig), 500_000, "never above the ceiling");
}

/// Without it a network that is configured as one without gas prices, and has nodes with a minimum, would be silent, and
/// say no more than that a broadcast was refused.
#[test]
fn f36_nodes_that_take_nothing_for_free_are_an_error_with_their_minimum() {
    let mut spec = spec(&["BTC-USD"]);
    (spec.chain.fees.profile, spec.chain.fees.max_fee_wei) = (FeeProfile::ZeroGas, 0);
    let mut rig = Rig::new(spec);
    rig.base_fee_wei = 0;
    rig.minimum = Some(FeeMinimum::Price(1_000));
    rig.outcomes.extend([SendOutcome::FeeTooLow; 4]);
    rig.blocks(8);
    let refused = rig.events.iter().filter_map(|event| match event {
        Event::PriceRefused { offered_wei, minimum_wei, .. } => Some((*offered_wei, *minimum_wei)),
        _ => None,
    });
    assert_eq!(refused.collect::<Vec<_>>(), [(0, Some(1_000))], "said once");
    // The nodes are started anew without a minimum.
    rig.minimum = None;
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()).len(), 1, "{:#?}", rig.events);
}
