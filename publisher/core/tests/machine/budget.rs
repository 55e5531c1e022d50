//! What may be spent: at a cap the feed is held, heartbeats go out, and a restart forgets nothing.

use crate::rig::*;
use publisher_core::event::Event;
use publisher_core::policy::Hold;
use publisher_core::record::Scope;
use publisher_core::spend::Caps;

/// What a first attempt may cost at the rig's usual base fee: 202 wei for each of 100,000 gas. What is included has cost
/// 40,000.
const WORST: u128 = 20_200_000;
const PAID: u128 = 40_000;

fn rig(caps: Caps) -> Rig {
    let mut spec = spec(&["BTC-USD"]);
    spec.chain.caps = caps;
    Rig::running_with(spec)
}

/// Rounds by deviation until the feed is held.
fn spend(rig: &mut Rig) -> usize {
    let before = rig.intents();
    while rig.view(&btc()).hold != Some(Hold::OverBudget) {
        rig.deviate();
        rig.blocks(2);
        assert!(rig.intents() < 100, "nothing holds it");
    }
    rig.intents() - before
}

/// Without it a volatile day, or a wrong threshold, would empty the account.
#[test]
fn f37_at_a_cap_only_heartbeats_go_out_and_people_are_told_once() {
    let hour = Caps { feed_hour_wei: WORST + 2 * PAID, heartbeats_pass: true, ..Caps::default() };
    let day = Caps { account_day_wei: WORST + 2 * PAID, heartbeats_pass: true, ..Caps::default() };
    for (caps, scope) in [(hour, "feed"), (day, "account")] {
        let mut rig = rig(caps);
        assert_eq!(spend(&mut rig), 2, "with the first round three are paid");
        rig.price += 1_000;
        rig.blocks(10);
        assert_eq!((rig.intents(), rig.count_events("PUB-2016")), (3, 1), "{scope}");
        // A restart forgets neither what was paid nor what it is paid for.
        rig.restart();
        rig.blocks(4);
        assert_eq!((rig.intents(), rig.view(&btc()).hold), (3, Some(Hold::OverBudget)), "{scope}");
        rig.blocks(30);
        assert_eq!(*rig.rounds(&btc()).last().unwrap(), i64::try_from(rig.price).unwrap(), "its heartbeat");
        assert!(rig.count_events("PUB-1004") == 0 && rig.reverted() == 0);
    }
}

/// Without it "nothing" would mean something.
#[test]
fn f37_where_nothing_may_go_out_beyond_a_cap_nothing_does_until_the_hour_is_over() {
    let mut rig = rig(Caps { feed_hour_wei: WORST + 2 * PAID, ..Caps::default() });
    spend(&mut rig);
    rig.blocks(60);
    assert_eq!(rig.intents(), 3, "two heartbeats are overdue");
    assert!(rig.count_events("PUB-1004") > 0, "and people are told");
    rig.blocks(3_600 / 2);
    assert!(rig.rounds(&btc()).len() > 3);
}

/// Without it a rollup's fee for data, often the greater part of the bill, would be on nobody's budget.
#[test]
fn f37_what_a_rollup_asks_for_data_counts_beside_the_gas() {
    const DATA: u128 = 10_000_000;
    for (short, rounds) in [(0, 2), (1, 1)] {
        let cap = WORST + 2 * PAID + DATA - short;
        for caps in
            [Caps { feed_hour_wei: cap, ..Caps::default() }, Caps { account_day_wei: cap, ..Caps::default() }]
        {
            let mut rig = rig(caps);
            rig.data_fee_wei = DATA;
            rig.blocks(1);
            assert_eq!(spend(&mut rig), rounds, "{caps:?}");
        }
    }
    let mut rig = rig(Caps { transaction_wei: 15_000_000 + DATA, ..Caps::default() });
    (rig.base_fee_wei, rig.data_fee_wei) = (200, DATA);
    rig.blocks(1);
    rig.deviate();
    rig.blocks(20);
    let caps: Vec<u128> = rig.attempts(ACCOUNT, 1).iter().map(|a| a.fee.cap_wei()).collect();
    assert_eq!(caps, [150], "what the data costs is not there for gas");
}

/// Without it one transaction in a spike could cost what a month may.
#[test]
fn f37_a_transaction_waits_at_its_cap() {
    let mut rig = rig(Caps { transaction_wei: 15_000_000, ..Caps::default() });
    rig.base_fee_wei = 200;
    rig.blocks(1);
    rig.deviate();
    rig.blocks(20);
    let caps: Vec<u128> = rig.attempts(ACCOUNT, 1).iter().map(|a| a.fee.cap_wei()).collect();
    assert_eq!((caps, rig.rounds(&btc()).len()), (vec![150], 1));
    assert_eq!(rig.count_events("PUB-2007"), 1);
    rig.base_fee_wei = 100;
    rig.blocks(4);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it a bump would spend what no first attempt may.
#[test]
fn f37_a_replacement_is_not_made_beyond_what_is_left() {
    let mut rig = rig(Caps { feed_hour_wei: WORST + PAID + 5_000_000, ..Caps::default() });
    rig.crowded = true;
    rig.deviate();
    rig.blocks(40);
    let caps: Vec<u128> = rig.attempts(ACCOUNT, 1).iter().map(|a| a.fee.cap_wei()).collect();
    assert_eq!(caps, [202, 223, 246], "252 would be the most");
    rig.crowded = false;
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it one restless feed would spend what its store's other feeds may.
#[test]
fn f37_a_feed_of_a_store_pays_its_share() {
    let feeds = ["ADA-USD", "BTC-USD", "ETH-USD"];
    let mut spec = stored(&feeds);
    spec.chain.caps = Caps { feed_hour_wei: 2 * WORST, heartbeats_pass: true, ..Caps::default() };
    let mut rig = Rig::running_with(spec);
    let left = |rig: &Rig| feeds.map(|id| rig.view(&feed(id)).budget_left_wei.unwrap());
    let [first, others @ ..] = left(&rig);
    assert_eq!(others, [first; 2], "a third each");
    let mut price = 10_000;
    while rig.view(&btc()).hold != Some(Hold::OverBudget) {
        price = 20_100 - price;
        rig.prices.insert(btc(), Some(price));
        rig.blocks(2);
        assert!(rig.intents() < 2_000, "nothing holds it");
    }
    let [ada, btc_left, eth] = left(&rig);
    // Alone in its transaction a feed pays for the store's part, too: 160,000 gas at 202 wei.
    let alone = 160_000 * 202;
    assert!(btc_left < alone && ada.min(eth) > alone, "{ada}, {btc_left}, {eth}");
    let scopes: Vec<&Scope> = rig
        .events
        .iter()
        .filter_map(|event| match event {
            Event::BudgetReached { scope, .. } => Some(scope),
            _ => None,
        })
        .collect();
    assert_eq!(scopes, [&Scope::Feed(btc())]);
    let before = rig.batches(STORE).len();
    rig.prices.insert(feed("ADA-USD"), Some(10_200));
    rig.blocks(3);
    let both = [(before as u64 + 1, vec![0, 10])];
    assert_eq!(
        rig.batches(STORE)[before..],
        both,
        "with another one it can pay, because that shares the store's part"
    );
    price = 20_100 - price;
    rig.prices.insert(btc(), Some(price));
    rig.blocks(3);
    assert_eq!((rig.batches(STORE).len(), rig.view(&btc()).hold), (before + 1, Some(Hold::OverBudget)));
    rig.blocks(30);
    assert_eq!(rig.rounds(&btc()).last().copied(), Some(i64::try_from(price).unwrap()), "its heartbeat");
}

/// Without it a round that was planned before a spike of fees would keep all that wait behind it.
#[test]
fn f37_what_became_too_dear_before_it_was_signed_makes_way() {
    let mut spec = spec(&["BTC-USD", "ETH-USD"]);
    spec.chain.caps = Caps { feed_hour_wei: 2 * WORST, ..Caps::default() };
    let mut rig = Rig::running_with(spec);
    rig.signer = SignerMode::Fails(publisher_core::tx::SignFault::Unavailable);
    rig.deviate();
    let planned = rig.intents();
    rig.base_fee_wei = 10_000;
    rig.blocks(2);
    rig.signer = SignerMode::Up;
    rig.blocks(30);
    assert_eq!(rig.intents(), planned, "nothing more is planned");
    rig.base_fee_wei = 100;
    rig.blocks(20);
    assert!(rig.view(&btc()).known.unwrap().round >= 2, "{:#?}", rig.events);
}
