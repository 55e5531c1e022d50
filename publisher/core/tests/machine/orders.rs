//! What operators say about feeds, for a while.

use crate::rig::*;
use publisher_core::event::Event;
use publisher_core::io::Input;
use publisher_core::policy::{Breaker, Hold, Instruction, Order, Subject, Trigger};
use publisher_core::price::Ratio;
use publisher_core::time::Span;

/// What is said about a feed now, and holds for so many seconds.
fn order(rig: &Rig, id: u64, what: Instruction, lasts_s: u64) -> Order {
    let said_at = rig.now().wall;
    let (by, reason) = ("ann".to_owned(), "venue maintenance".to_owned());
    let (of, until) = (Subject::Feed(btc()), said_at + Span::from_s(lasts_s));
    Order { id, of, what, said_at, until, by, reason }
}

/// Says something about a feed that holds for so many seconds.
fn say(rig: &mut Rig, id: u64, what: Instruction, lasts_s: u64) -> Order {
    let order = order(rig, id, what, lasts_s);
    rig.step(Input::Orders(vec![order.clone()]));
    order
}

/// Without it whoever is called at night, and sees that all is well again, has to wait for an hour's heartbeat; and with
/// a word that holds for as long as it stands consumers would get a round a block.
#[test]
fn a_round_that_is_asked_for_is_written_once() {
    let mut rig = Rig::running_with(spec(&["BTC-USD"]));
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()).len(), 1);
    say(&mut rig, 1, Instruction::Submit, HEARTBEAT_S);
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()).len(), 2);
    let by_it = |event: &&Event| matches!(event, Event::Decided { trigger: Trigger::Demand, .. });
    assert_eq!(rig.events.iter().filter(by_it).count(), 1);
}

/// Without it a word that nobody could follow, because everything was paused or no value was right, is lost.
#[test]
fn a_round_that_is_asked_for_waits_for_what_holds_it() {
    let mut rig = Rig::running_with(spec(&["BTC-USD"]));
    let orders = [(1, Instruction::Submit, HEARTBEAT_S), (2, Instruction::Pause, 12)]
        .map(|(id, what, s)| order(&rig, id, what, s));
    rig.step(Input::Orders(orders.to_vec()));
    rig.blocks(4);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (1, Some(Hold::OnOrder)));
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

fn codes(rig: &Rig) -> (usize, usize) {
    let count = |code: &str| rig.events.iter().filter(|event| event.code() == code).count();
    (count("PUB-1011"), count("PUB-1012"))
}

/// Without it a pause that everybody has forgotten would silence a feed for ever.
#[test]
fn a_pause_stops_everything_and_ends_by_itself() {
    let mut rig = Rig::running_with(spec(&["BTC-USD"]));
    say(&mut rig, 1, Instruction::Pause, 2 * HEARTBEAT_S);
    rig.deviate();
    rig.blocks(usize::try_from(HEARTBEAT_S).unwrap() - 2);
    assert_eq!((rig.intents(), rig.view(&btc()).hold), (1, Some(Hold::OnOrder)));
    assert_eq!((codes(&rig), rig.view(&btc()).orders.len()), ((1, 0), 1));
    rig.blocks(4);
    assert_eq!((rig.rounds(&btc()).len(), codes(&rig)), (2, (1, 1)));
    assert!(rig.view(&btc()).orders.is_empty());
}

/// Without it an operator who wants calm would have to choose it for consumers who need a heartbeat.
#[test]
fn a_pause_may_keep_the_heartbeat() {
    let mut rig = Rig::running_with(spec(&["BTC-USD"]));
    say(&mut rig, 1, Instruction::PauseDeviations, 3 * HEARTBEAT_S);
    rig.deviate();
    rig.blocks(5);
    assert_eq!((rig.intents(), rig.view(&btc()).hold), (1, Some(Hold::OnOrder)));
    rig.blocks(usize::try_from(HEARTBEAT_S).unwrap() / 2);
    assert_eq!(rig.rounds(&btc()).len(), 2);
}

/// Without it a restart would be a way around a pause.
#[test]
fn what_is_paused_stays_so_over_a_restart() {
    let mut rig = Rig::running_with(spec(&["BTC-USD"]));
    let order = say(&mut rig, 1, Instruction::Pause, 60);
    rig.deviate();
    rig.restart();
    rig.machine.obey(vec![order]);
    rig.blocks(10);
    assert_eq!(rig.intents(), 1);
    rig.step(Input::Orders(Vec::new()));
    rig.blocks(2);
    assert_eq!((rig.intents(), codes(&rig)), (2, (2, 1)), "another word ends it at once");
}

/// Without it a breaker that nothing confirms would need a change of the configuration, which somebody forgets.
#[test]
fn an_operator_can_vouch_for_a_step_and_the_breaker_is_armed_again() {
    let mut spec = spec(&["BTC-USD"]);
    let confirm_for = Span::from_s(3_600);
    let breaker = Breaker { min: Ratio::from_bps(2_000), confirm_for, ..Breaker::default() };
    spec.feeds.get_mut(&btc()).unwrap().policy.breaker = breaker;
    let mut rig = Rig::running_with(spec);
    rig.price *= 2;
    rig.blocks(5);
    assert_eq!(rig.view(&btc()).hold, Some(Hold::BreakerOpen));
    say(&mut rig, 1, Instruction::Accept, 20);
    rig.blocks(8);
    assert_eq!(rig.rounds(&btc()).len(), 2);
    rig.blocks(4);
    rig.price *= 2;
    rig.blocks(5);
    assert_eq!((rig.rounds(&btc()).len(), rig.view(&btc()).hold), (2, Some(Hold::BreakerOpen)));
}

/// Without it what was to hold for an hour would hold until the next restart.
#[test]
fn a_shorter_heartbeat_holds_for_its_time_and_leaves_nothing_behind() {
    let mut rig = Rig::running_with(spec(&["BTC-USD"]));
    say(&mut rig, 1, Instruction::Heartbeat(Span::from_s(12)), HEARTBEAT_S);
    rig.blocks(usize::try_from(HEARTBEAT_S).unwrap() / 2);
    let rounds = rig.rounds(&btc()).len();
    assert!((5..=7).contains(&rounds), "{rounds} rounds in {HEARTBEAT_S} s");
    rig.blocks(usize::try_from(HEARTBEAT_S).unwrap());
    let after = rig.rounds(&btc()).len() - rounds;
    assert!((2..=3).contains(&after), "{after} rounds in twice {HEARTBEAT_S} s");
    assert!(
        rig.events.iter().any(|event| matches!(event, Event::OrderOver { order, .. } if order.by == "ann"))
    );
}
