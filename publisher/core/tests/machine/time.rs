//! Clocks.

use crate::rig::*;

/// Without it a clock that is an hour ahead would send a round with every block, and one that is an hour behind would
/// send none until the hour has passed.
#[test]
fn f61_a_clock_that_jumps_an_hour_makes_no_burst_and_no_silence() {
    for wrong_by_s in [3_600, -3_600] {
        let mut rig = Rig::running();
        rig.blocks(10);
        rig.set_clock_wrong_by_s(wrong_by_s);
        rig.blocks(300); // ten minutes
        let rounds = rig.rounds(&btc()).len();
        assert!((10..=12).contains(&rounds), "{wrong_by_s} s: {rounds} rounds in ten minutes");
        assert_eq!(rig.count_events("PUB-1044"), 1, "{wrong_by_s} s: it is told once");
        rig.set_clock_wrong_by_s(0);
        rig.blocks(300);
        let rounds = rig.rounds(&btc()).len() - rounds;
        assert!((10..=12).contains(&rounds), "back from {wrong_by_s} s: {rounds} rounds in ten minutes");
        assert_eq!(rig.count_events("PUB-1044"), 2, "back from {wrong_by_s} s");
    }
}

/// Without it a restart would owe the heartbeat a whole period after the restart, and not after the last round.
#[test]
fn a_heartbeat_is_owed_from_the_last_round_on_chain() {
    let mut rig = Rig::running();
    let landed = rig.view(&btc()).known.unwrap().updated_at;
    rig.blocks(20);
    rig.restart();
    while rig.rounds(&btc()).len() < 2 {
        rig.block();
    }
    let late = rig.tip().time.since(landed).ms() / 1000;
    assert!((56..=60).contains(&late), "{late} s after the one before");
    // Overdue at start: at once.
    rig.dead_for_blocks(100);
    let rounds = rig.rounds(&btc()).len();
    rig.blocks(3);
    assert_eq!(rig.rounds(&btc()).len(), rounds + 1, "one round, not three");
}

/// Without it a chain that makes blocks only for transactions would, after a restart, seem to stand at its last block's
/// time, and its heartbeat would be measured from the restart.
#[test]
fn an_idle_chain_does_not_stop_the_clock() {
    let mut rig = Rig::running();
    // No blocks any more: what is sent is mined at once.
    let idle = |rig: &mut Rig, s: usize| {
        for _ in 0..s {
            rig.pass_ms(1_000);
            rig.quotes(VENUES);
            if !rig.pool.is_empty() {
                rig.mine();
            }
            rig.poll();
        }
    };
    idle(&mut rig, 30);
    rig.restart();
    idle(&mut rig, 40);
    assert_eq!(rig.rounds(&btc()).len(), 2);
    idle(&mut rig, 600);
    assert!((11..=13).contains(&rig.rounds(&btc()).len()), "{}", rig.rounds(&btc()).len());
}
