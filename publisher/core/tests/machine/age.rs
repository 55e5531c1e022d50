//! What is put on the chain is what venues say when it is sent, however long the way there took.

use crate::rig::*;
use publisher_core::io::Effect;
use publisher_core::time::Span;

fn is_broadcast(effect: &Effect) -> bool {
    matches!(effect, Effect::Broadcast { .. })
}

/// Without it a process that died between journal and wire would publish an hour later what was true then.
#[test]
fn f52_bytes_that_never_left_before_an_hour_of_standstill_do_not_leave_after_it() {
    let mut rig = Rig::running();
    rig.hold = is_broadcast;
    rig.deviate();
    assert_eq!(rig.held.len(), 1, "it is journalled, and did not leave");
    let old = rig.attempts(ACCOUNT, 1)[0].hash;
    rig.hold = |_| false;
    rig.price = 10_500;
    rig.dead_for_blocks(1_800);
    let before = rig.wire.len();
    rig.blocks(4);
    assert!(!rig.wire[before..].contains(&old), "the old bytes left");
    assert_eq!(rig.rounds(&btc()), [10_000, 10_500]);
    assert_eq!((rig.intents(), rig.reverted()), (2, 0), "the nonce is the same");
}

/// Without it the first thing that a chain hears after an outage would be the price from before it, and each minute of
/// the outage would cost a signature.
#[test]
fn f17_what_no_node_took_before_an_outage_lands_after_it_with_the_newest_price() {
    let mut rig = Rig::running();
    rig.hold = is_broadcast;
    rig.deviate();
    rig.held.clear();
    rig.node_down = true;
    for step in 1..=300 {
        rig.pass_ms(2_000);
        rig.price = 10_100 + step;
        rig.quotes(VENUES);
        rig.mine();
    }
    assert_eq!(rig.attempts(ACCOUNT, 1).len(), 1, "nothing is signed that nobody can hear");
    rig.hold = |_| false;
    rig.held.clear();
    rig.node_down = false;
    rig.blocks(4);
    assert_eq!(rig.rounds(&btc()), [10_000, 10_400]);
    let attempts = rig.attempts(ACCOUNT, 1);
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[1].fee, attempts[0].fee, "what no pool holds is not outbid");
}

/// Without it a store would wait for one feed's quorum, because that feed alone was due when it was planned.
#[test]
fn f43_a_batch_whose_only_feed_lost_its_quorum_before_it_was_signed_carries_those_that_are_due() {
    let mut rig = Rig::running_with(stored(&["ADA-USD", "BTC-USD"]));
    let since = |rig: &Rig| rig.now().wall.since(rig.view(&btc()).known.unwrap().updated_at);
    rig.prices.insert(feed("ADA-USD"), Some(10_100));
    rig.blocks(2);
    assert_eq!(rig.batches(STORE)[1..], [(2, vec![0])], "its heartbeat will be the later one");
    let quoted_for = |rig: &mut Rig, until: Span| {
        while since(rig) < until {
            rig.pass_ms(500);
            rig.quotes(VENUES);
        }
    };
    // The heartbeat is due when the last quotes are nearly too old, and the contract consents when they are.
    quoted_for(&mut rig, Span::from_s(HEARTBEAT_S / 2 - 3));
    let silent = rig.spec.feeds.remove(&btc()); // Nobody quotes it from here on.
    rig.hold = |effect| matches!(effect, Effect::Preflight { .. });
    while rig.held.is_empty() {
        rig.pass_ms(500);
        rig.quotes(VENUES);
    }
    rig.pass_ms(2_500);
    rig.release();
    assert_eq!(rig.intents(), 3, "a batch for one feed is planned");
    assert_eq!(rig.attempts(ACCOUNT, 2).len(), 0, "and has nothing to say");
    rig.prices.insert(feed("ADA-USD"), Some(10_200));
    rig.blocks(3);
    rig.spec.feeds.extend(silent.map(|spec| (btc(), spec)));
    assert_eq!(rig.batches(STORE)[2..], [(3, vec![0])]);
    assert_eq!(rig.intents(), 3, "under the nonce that was planned");
}
