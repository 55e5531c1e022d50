//! Fees of replacements, and what replacements say.

use crate::rig::*;
use alloy_primitives::I256;
use publisher_core::fees::{FeeProfile, ReplacementRule};
use publisher_core::policy::Breaker;
use publisher_core::price::Ratio;
use publisher_core::tx::{Attempt, Call, Fee, FeeMinimum, SendOutcome};

/// Without it a gas spike would land an answer that was true minutes ago, or spend without a limit.
#[test]
fn f34_a_gas_spike_is_followed_up_to_the_cap_with_the_freshest_answer() {
    let mut rig = Rig::running();
    rig.crowded = true;
    rig.deviate();
    for block in 0..60 {
        rig.price += 1;
        rig.base_fee_wei = 100 + block * block * 10;
        rig.block();
    }
    let attempts = rig.attempts(ACCOUNT, 1);
    assert!(attempts.len() > 2);
    assert_eq!(attempts.last().unwrap().fee.cap_wei(), 10_000, "up to the cap");
    for pair in attempts.windows(2) {
        let (old, new) = (pair[0].fee, pair[1].fee);
        assert!(new.cap_wei() * 10 >= old.cap_wei() * 11 && new.tip_wei() > old.tip_wei());
        assert!(pair[1].answer > pair[0].answer, "each carries a fresher answer");
    }
    assert_eq!(rig.count_events("PUB-2007"), 1, "the cap is reported once");
    let sent = rig.wire.len();
    rig.blocks(10);
    assert!(rig.wire.len() > sent, "at the cap the highest attempt goes out again");
    rig.crowded = false;
    rig.base_fee_wei = 100;
    rig.blocks(3);
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (2, 0));
}

/// Without it a halted chain would look like a cheap transaction, and be bid up while nothing can land.
#[test]
fn nothing_is_bumped_while_heads_stand_still() {
    let mut rig = Rig::running();
    rig.deviate();
    for _ in 0..300 {
        rig.pass_ms(1_000);
        rig.quotes(VENUES);
    }
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1);
    assert_eq!(rig.count_events("PUB-3004"), 1);
    rig.blocks(3);
    assert_eq!(rig.count_events("PUB-3005"), 1);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it a free chain would be paid the gigawei that its node suggests.
#[test]
fn f36_a_zero_gas_chain_pays_nothing_and_replaces_only_where_an_equal_price_does() {
    for (rule, equal_replaces) in [(ReplacementRule::GETH, false), (ReplacementRule::BESU, true)] {
        let mut spec = spec(&["BTC-USD"]);
        (spec.chain.fees.profile, spec.chain.fees.max_fee_wei) = (FeeProfile::ZeroGas, 0);
        spec.chain.fees.rule = rule;
        let mut rig = Rig::new(spec);
        rig.equal_replaces = equal_replaces;
        rig.base_fee_wei = 0;
        rig.blocks(8);
        rig.base_fee_wei = 1; // nothing of ours is taken into blocks
        rig.deviate();
        for _ in 0..20 {
            rig.price += 1;
            rig.block();
        }
        let attempts = rig.attempts(ACCOUNT, 1);
        assert!(attempts.iter().all(|a| a.fee == Fee::Legacy { gas_price_wei: 0 }));
        assert_eq!(attempts.len() > 2, equal_replaces, "{} attempts", attempts.len());
        let newest = attempts.last().and_then(|a| a.answer).unwrap();
        rig.base_fee_wei = 0;
        rig.blocks(2);
        let rounds = rig.rounds(&btc());
        assert_eq!((rounds.len(), *rounds.last().unwrap()), (2, i64::try_from(newest.value()).unwrap()));
        assert!(rig.count_events("PUB-2007") == 0 && rig.reverted() == 0);
    }
}

/// Without it a free chain that stands still for a night would fill the journal with attempts.
#[test]
fn f36_equal_prices_are_signed_a_bounded_number_of_times() {
    let mut spec = spec(&["BTC-USD"]);
    (spec.chain.fees.profile, spec.chain.fees.max_fee_wei) = (FeeProfile::ZeroGas, 0);
    spec.chain.fees.rule = ReplacementRule::BESU;
    let mut rig = Rig::new(spec);
    rig.equal_replaces = true;
    rig.base_fee_wei = 0;
    rig.blocks(8);
    rig.base_fee_wei = 1;
    rig.deviate();
    rig.blocks(400);
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 64);
    rig.base_fee_wei = 0;
    rig.blocks(2);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it the fee that a node names would be climbed to by tenths, a block at a time.
#[test]
fn a_minimum_that_a_node_names_is_offered_at_once() {
    let mut rig = Rig::running();
    rig.outcomes.push_back(SendOutcome::FeeTooLow);
    rig.minimum = Some(FeeMinimum::Price(5_000));
    rig.deviate();
    rig.blocks(3);
    let caps: Vec<u128> = rig.attempts(ACCOUNT, 1).iter().map(|a| a.fee.cap_wei()).collect();
    assert_eq!(caps, [202, 5_000]);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it a node could ask for more than anybody allowed.
#[test]
fn a_minimum_above_the_cap_is_not_offered() {
    let mut rig = Rig::running();
    rig.outcomes.extend([SendOutcome::FeeTooLow; 3]);
    rig.minimum = Some(FeeMinimum::Price(10_001));
    rig.deviate();
    rig.blocks(3);
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1);
    rig.minimum = None;
    rig.blocks(12);
    assert_eq!((rig.rounds(&btc()).len(), rig.reverted()), (2, 0), "the same bytes go out until they fit");
}

/// Without it a crash of the price that the breaker let pass would forbid the very bump that carries it.
#[test]
fn a_confirmed_jump_can_still_be_bumped() {
    let mut spec = spec(&["BTC-USD"]);
    let feed = spec.feeds.get_mut(&btc()).unwrap();
    let confirm_for = publisher_core::time::Span::from_s(6);
    feed.policy.breaker = Breaker { min: Ratio::from_bps(2_000), confirm_for, ..Breaker::default() };
    let mut rig = Rig::running_with(spec);
    rig.crowded = true;
    rig.price = 5_000;
    rig.blocks(2);
    assert_eq!(rig.intents(), 1, "the breaker is open");
    rig.blocks(30);
    rig.price = 4_990;
    rig.blocks(3);
    let attempts = rig.attempts(ACCOUNT, 1);
    assert!(attempts.len() > 3, "{} attempts", attempts.len());
    rig.price = 50_000;
    rig.blocks(2);
    let wild = |rig: &Rig| {
        let high = |a: &Attempt| a.answer.is_some_and(|a| a.value() > I256::try_from(6_000).unwrap());
        rig.attempts(ACCOUNT, 1).iter().filter(|a| high(a)).count()
    };
    assert_eq!(wild(&rig), 0, "a jump that nobody confirmed is not slipped in by a bump");
    rig.blocks(12);
    assert!(wild(&rig) > 0, "one that has stayed is");
}

/// Without it one feed whose venues are silent would keep every other feed of its account from landing.
#[test]
fn a_nonce_with_nothing_to_say_is_filled_once_others_wait_behind_it() {
    let mut rig = Rig::running_with(spec(&["BTC-USD", "ETH-USD"]));
    rig.crowded = true;
    let only_btc = |rig: &mut Rig, venues: usize, price: u64| {
        rig.price = price;
        let feeds = rig.spec.feeds.clone();
        rig.spec.feeds.remove(&feed("ETH-USD"));
        rig.quotes(venues);
        rig.spec.feeds = feeds;
    };
    only_btc(&mut rig, VENUES, 10_100);
    assert_eq!(rig.pool.len(), 1);
    // From now on only ETH is quoted.
    let quote_eth = |rig: &mut Rig| {
        let feeds = rig.spec.feeds.clone();
        rig.spec.feeds.remove(&btc());
        rig.price = 10_200;
        rig.quotes(VENUES);
        rig.spec.feeds = feeds;
    };
    for block in 0..60 {
        rig.crowded = block < 50;
        rig.pass_ms(BLOCK_MS);
        quote_eth(&mut rig);
        rig.mine();
        rig.poll();
    }
    assert_eq!(*rig.rounds(&feed("ETH-USD")).last().unwrap(), 10_200);
    assert_eq!(rig.rounds(&btc()), [10_000]);
    let noop = rig.blocks.iter().flat_map(|b| &b.txs).find(|m| m.tx.call == Call::Noop).unwrap();
    assert!(noop.tx.gas_limit >= 21_000);
    rig.price = 10_300;
    rig.blocks(10);
    assert_eq!(*rig.rounds(&btc()).last().unwrap(), 10_300, "the feed goes on when its venues do");
}

/// Without it "below the base fee" would be answered by sending the same bytes until the base fee comes down.
#[test]
fn a_fee_below_the_floor_is_raised() {
    let mut rig = Rig::running();
    rig.outcomes.push_back(SendOutcome::FeeTooLow);
    rig.deviate();
    rig.blocks(3);
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 2);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}
