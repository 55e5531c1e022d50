use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// So many nodes with blocks of a second, all of which have answered with this head.
fn roster(nodes: usize, head: u64, now: Instant) -> Roster {
    let mut roster = Roster::new(vec![false; nodes], Span::from_s(1));
    for node in 0..nodes {
        roster.note(node, answered(head), now);
    }
    roster
}

fn standings(roster: &Roster) -> Vec<Standing> {
    roster.members().iter().map(|member| member.standing).collect()
}

/// A head that may be old.
fn answered(head: u64) -> Fact {
    Fact::Answered { head: Some(head), fresh: false }
}

fn failed() -> Fact {
    Fact::Failed("no answer".into())
}

#[test]
fn the_reader_changes_at_the_second_failure_and_does_not_change_back() {
    let now = Instant::now();
    let mut roster = roster(3, 10, now);
    assert_eq!((roster.reader(), roster.readers(), roster.writers()), (0, vec![0, 1, 2], vec![0, 1, 2]));
    assert_eq!(roster.note(0, failed(), now), []);
    let unreachable = Change::Stands { node: 0, now: Standing::Unreachable, why: "no answer".into() };
    assert_eq!(roster.note(0, failed(), now), [unreachable, Change::Reader { from: 0, to: 1 }]);
    assert_eq!(roster.note(0, failed(), now), [], "told once");
    assert_eq!((roster.readers(), roster.writers()), (vec![1, 2], vec![1, 2]));
    let back = Change::Stands { node: 0, now: Standing::Alive, why: String::new() };
    assert_eq!(roster.note(0, answered(10), now), [back]);
    assert_eq!((roster.reader(), roster.readers()), (1, vec![1, 0, 2]));
}

#[test]
fn of_equals_the_one_with_the_highest_head_is_read_next() {
    let now = Instant::now();
    let mut roster = roster(3, 10, now);
    roster.note(2, answered(11), now);
    roster.note(0, failed(), now);
    roster.note(0, failed(), now);
    assert_eq!(roster.reader(), 2);
}

#[test]
fn a_node_lags_that_is_far_behind_or_a_little_for_long_until_it_has_caught_up() {
    let start = Instant::now();
    let mut roster = roster(2, 10, start);
    roster.note(1, answered(13), start);
    roster.note(0, answered(10), start);
    assert_eq!(standings(&roster), [Standing::Alive; 2], "three blocks are not many");
    assert_eq!(roster.note(0, answered(12), start + 4 * SECOND), []);
    let changes = roster.note(0, answered(12), start + 5 * SECOND);
    let lagging = Change::Stands { node: 0, now: Standing::Lagging, why: "1 blocks behind".into() };
    assert_eq!(changes, [lagging, Change::Reader { from: 0, to: 1 }]);
    // No vote, and transactions all the same.
    assert_eq!((roster.readers(), roster.writers()), (vec![1], vec![0, 1]));
    roster.note(1, answered(20), start);
    roster.note(0, answered(19), start);
    assert_eq!(roster.members()[0].standing, Standing::Lagging, "nearly is not caught up");
    roster.note(0, answered(20), start);
    assert_eq!((roster.members()[0].standing, roster.reader()), (Standing::Alive, 1));
    roster.note(1, answered(30), start);
    roster.note(0, answered(26), start);
    assert_eq!(roster.members()[0].standing, Standing::Lagging, "four blocks are");
}

/// Without this a node that invents blocks far ahead takes every other one's vote away.
#[test]
fn a_young_head_is_not_old_because_another_node_claims_to_be_further() {
    let start = Instant::now();
    let young = |number| Fact::Answered { head: Some(number), fresh: true };
    let mut roster = roster(2, 10, start);
    roster.note(0, young(1_000_000), start);
    for second in 0..10 {
        roster.note(1, young(11 + u64::from(second)), start + second * SECOND);
    }
    assert_eq!((standings(&roster), roster.readers()), (vec![Standing::Alive; 2], vec![0, 1]));
    // One that stands still is old.
    roster.note(1, answered(20), start + 20 * SECOND);
    assert_eq!((roster.members()[1].standing, roster.readers()), (Standing::Lagging, vec![0]));
    roster.note(1, young(21), start + 21 * SECOND);
    assert_eq!(roster.members()[1].standing, Standing::Alive);
}

#[test]
fn a_reader_whose_heads_nobody_shares_makes_room_and_keeps_its_vote() {
    let now = Instant::now();
    let mut roster = roster(2, 10, now);
    assert_eq!(roster.note(1, Fact::Shared(false), now), [], "it is not read");
    roster.note(1, Fact::Shared(true), now);
    assert_eq!(roster.note(0, Fact::Shared(false), now), [Change::Reader { from: 0, to: 1 }]);
    assert_eq!((roster.readers(), roster.is_doubted(0)), (vec![1, 0], true));
    // How far it says the chain is makes no node old, however old that one's head.
    roster.note(0, answered(1_000), now);
    assert_eq!(roster.note(1, answered(10), now), []);
    // Where both are doubted, none is believed alone, and they do not take turns.
    assert_eq!(roster.note(1, Fact::Shared(false), now), []);
    assert_eq!(roster.readers(), [1, 0]);
    assert_eq!(roster.note(0, Fact::Shared(true), now), [Change::Reader { from: 1, to: 0 }]);
}

#[test]
fn a_chain_that_goes_back_makes_no_node_lag_behind_itself() {
    let now = Instant::now();
    let mut alone = roster(1, 100, now);
    assert_eq!(alone.note(0, answered(90), now), []);
    // And what is gone with a failing node makes none lag behind that.
    let mut two = roster(2, 100, now);
    two.note(1, answered(200), now);
    two.note(1, failed(), now);
    assert_eq!(two.note(0, answered(101), now), []);
}

#[test]
fn another_chain_gets_nothing_and_may_come_back() {
    let now = Instant::now();
    let mut roster = roster(2, 10, now);
    let changes = roster.note(0, Fact::Refused("chain id 139".into()), now);
    assert_eq!(changes[1], Change::Reader { from: 0, to: 1 });
    assert_eq!((roster.readers(), roster.writers(), roster.is_trusted()), (vec![1], vec![1], true));
    roster.note(0, failed(), now);
    assert_eq!(roster.members()[0].standing, Standing::Refused, "a failure proves nothing");
    roster.note(1, Fact::Refused("chain id 139".into()), now);
    assert!(!roster.is_trusted() && !roster.is_up());
    assert_eq!((roster.readers(), roster.writers()), (vec![], vec![]));
    roster.note(0, answered(11), now);
    assert_eq!((roster.reader(), roster.readers(), roster.is_up()), (0, vec![0], true));
}

#[test]
fn the_last_node_is_never_dropped() {
    let now = Instant::now();
    for fact in
        [failed(), Fact::Limited(String::new()), Fact::Unready(String::new()), Fact::WrongHash(String::new())]
    {
        let mut alone = roster(1, 10, now);
        alone.note(0, fact.clone(), now);
        alone.note(0, fact.clone(), now);
        assert_ne!(standings(&alone), [Standing::Alive], "{fact:?}");
        assert_eq!(
            (alone.readers(), alone.writers(), alone.is_trusted()),
            (vec![0], vec![0], true),
            "{fact:?}"
        );
        let answers = matches!(fact, Fact::Unready(_) | Fact::WrongHash(_));
        assert_eq!(alone.is_up(), answers, "{fact:?}");

        let mut two = roster(2, 10, now);
        two.note(0, fact.clone(), now);
        two.note(0, fact.clone(), now);
        assert_eq!((two.readers(), two.writers()), (vec![1], vec![1]), "{fact:?}");
    }
    // A node that alters transactions is used only where no other answers.
    let mut two = roster(2, 10, now);
    two.note(0, Fact::WrongHash("another hash".into()), now);
    two.note(1, failed(), now);
    assert_eq!(two.reader(), 1);
    two.note(1, failed(), now);
    assert_eq!((two.reader(), two.writers()), (0, vec![1]));
}

#[test]
fn a_limit_holds_until_an_answer_and_a_pool_that_is_closed_for_a_while() {
    let now = Instant::now();
    let mut roster = roster(2, 10, now);
    roster.note(0, Fact::Limited("429".into()), now);
    assert_eq!((roster.members()[0].standing, roster.reader()), (Standing::Limited, 1));
    roster.note(0, failed(), now);
    assert_eq!(roster.members()[0].standing, Standing::Unreachable, "it did not come back");
    roster.note(0, answered(10), now);
    roster.note(0, Fact::Unready("node is syncing".into()), now);
    assert_eq!(roster.writers(), [1]);
    roster.note(0, answered(10), now + UNREADY - SECOND);
    assert_eq!(roster.members()[0].standing, Standing::Unready, "its heads say nothing of its pool");
    roster.note(0, answered(10), now + UNREADY);
    assert_eq!((roster.members()[0].standing, roster.writers()), (Standing::Alive, vec![0, 1]));
}

#[test]
fn a_node_that_is_only_sent_to_is_never_read() {
    let now = Instant::now();
    let mut roster = Roster::new([true, false], Span::from_s(1));
    roster.note(0, Fact::Answered { head: None, fresh: false }, now);
    assert_eq!((roster.readers(), roster.writers()), (vec![], vec![0]));
    assert_eq!(roster.note(1, answered(3), now)[1], Change::Reader { from: 0, to: 1 });
    assert_eq!((roster.readers(), roster.writers()), (vec![1], vec![0, 1]));
    roster.note(1, failed(), now);
    roster.note(1, failed(), now);
    assert_eq!((roster.reader(), roster.readers(), roster.is_up()), (1, vec![1], false));
}

#[test]
fn a_node_of_which_nothing_is_known_gets_nothing() {
    let now = Instant::now();
    let mut roster = Roster::new([false, false], Span::from_s(1));
    roster.note(1, answered(3), now);
    assert_eq!((roster.reader(), roster.readers(), roster.writers()), (1, vec![1], vec![1]));
    roster.note(0, Fact::Unready(String::new()), now);
    assert_eq!((roster.readers(), roster.writers()), (vec![1], vec![1]));
}
