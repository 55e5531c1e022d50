//! Replicas against a database that loses questions and answers, with pauses of every length.

use super::*;
use crate::time::Wall;

fn account(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn at(ms: u64) -> Now {
    Now { wall: Wall::from_ms(0), mono: Mono::from_ms(ms) }
}

fn accounts(n: u8) -> BTreeSet<Address> {
    (1..=n).map(account).collect()
}

/// The tables that a journal keeps, by its own clock.
#[derive(Default)]
struct Database {
    leases: BTreeMap<Address, (ReplicaId, Epoch, u64)>,
    replicas: Vec<(ReplicaId, BTreeSet<Address>, u64)>,
}

impl Database {
    fn beat(&mut self, who: &ReplicaId, beat: &Beat, length: Span, now: u64) -> Board {
        let end = now + length.ms();
        match self.replicas.iter_mut().find(|(id, ..)| id == who) {
            Some(row) => row.2 = end,
            None => self.replicas.push((who.clone(), beat.wants.clone(), end)),
        }
        self.replicas.retain(|(.., end)| *end > now);
        for (account, epoch) in &beat.release {
            if let Some(row) = self.leases.get_mut(account).filter(|row| row.0 == *who && row.1 == *epoch) {
                row.2 = now;
            }
        }
        let mut held = BTreeMap::new();
        for (account, epoch) in &beat.renew {
            if let Some(row) = self.leases.get_mut(account).filter(|row| row.0 == *who && row.1 == *epoch) {
                row.2 = end;
                held.insert(*account, *epoch);
            }
        }
        for account in &beat.take {
            let row = self.leases.entry(*account).or_insert((who.clone(), 0, 0));
            if row.2 <= now || row.0 == *who {
                *row = (who.clone(), row.1 + 1, end);
                held.insert(*account, row.1);
            }
        }
        let others = self.leases.iter().filter(|(_, row)| row.0 != *who && row.2 > now);
        let busy = others.map(|(a, row)| (*a, (row.0.clone(), Span::from_ms(row.2 - now)))).collect();
        let replicas = self.replicas.iter().map(|(id, wants, end)| Replica {
            id: id.clone(),
            wants: wants.clone(),
            expires_in: Span::from_ms(end - now),
        });
        Board { held, busy, replicas: replicas.collect() }
    }
}

/// One replica of a run.
struct Node {
    leases: Leases,
    /// It does nothing before this: it is frozen, suspended or dead.
    frozen_until: u64,
    tickets: u64,
    /// Answers on their way: when they arrive, and what they say.
    answers: Vec<(u64, Ticket, Option<Board>)>,
}

impl Node {
    fn new(name: &str, wants: u8, now: u64) -> Self {
        let leases = Leases::new(ReplicaId::new(name), Some(LENGTH), accounts(wants), false, at(now));
        Self { leases, frozen_until: 0, tickets: 0, answers: Vec::new() }
    }

    fn step(&mut self, now: u64, database: &mut Database, rng: &mut fastrand::Rng, loss_percent: u32) {
        if now < self.frozen_until {
            return;
        }
        self.leases.expire(at(now));
        let due: Vec<_> = self.answers.extract_if(.., |(when, ..)| *when <= now).collect();
        for (_, ticket, board) in due {
            self.leases.answered(ticket, board, at(now));
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if let Some(beat) = self.leases.beat(ticket, at(now), |_| true) {
            let me = self.leases.me().clone();
            let lost = |rng: &mut fastrand::Rng| rng.u32(..100) < loss_percent;
            if !lost(rng) {
                let board = database.beat(&me, &beat, LENGTH, now);
                if !lost(rng) {
                    // Some come so late that they tell of the past.
                    let latency = if lost(rng) { rng.u64(500..9_000) } else { rng.u64(1..500) };
                    self.answers.push((now + latency, ticket, Some(board)));
                }
            }
        }
    }

    fn holds(&self, now: u64) -> BTreeSet<Address> {
        let may = |account: &Address| {
            now >= self.frozen_until && self.leases.epoch(*account, Mono::from_ms(now)).is_some()
        };
        accounts(9).into_iter().filter(may).collect()
    }
}

/// Without this two replicas would publish for one account: whatever is lost, late or frozen, no two believe at one
/// time that they hold it, and when the faults end, each account is soon served by somebody.
#[test]
fn f59_no_two_replicas_believe_that_they_hold_one_lease() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut database = Database::default();
        let mut nodes: Vec<Node> = ["a", "b", "c"].iter().map(|name| Node::new(name, 5, 0)).collect();
        let faults_end = 120_000;
        for now in (0..faults_end + 30_000).step_by(10) {
            let faulty = now < faults_end;
            for node in &mut nodes {
                if faulty && rng.u32(..2000) == 0 {
                    node.frozen_until = now + rng.u64(..20_000);
                }
                let loss = if faulty { 20 } else { 0 };
                node.step(now, &mut database, &mut rng, loss);
            }
            let held: Vec<BTreeSet<Address>> = nodes.iter().map(|node| node.holds(now)).collect();
            let together: BTreeSet<Address> = held.iter().flatten().copied().collect();
            let total: usize = held.iter().map(BTreeSet::len).sum();
            assert_eq!(total, together.len(), "seed {seed} at {now} ms: {held:?}");
        }
        let mut shares: Vec<usize> = nodes.iter().map(|node| node.holds(faults_end + 30_000).len()).collect();
        shares.sort_unstable();
        assert_eq!(shares, [1, 2, 2], "seed {seed}");
    }
}

/// Without this a dead replica's feeds would stand still: the others take its accounts within 8 s.
#[test]
fn the_accounts_of_a_dead_replica_are_taken_within_8_s() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut database = Database::default();
        let mut nodes: Vec<Node> = ["a", "b"].iter().map(|name| Node::new(name, 5, 0)).collect();
        let died_at = 20_000 + seed * 137;
        let mut taken_at = None;
        for now in (0..died_at + 10_000).step_by(10) {
            if now >= died_at {
                nodes[0].frozen_until = u64::MAX;
            }
            nodes.iter_mut().for_each(|node| node.step(now, &mut database, &mut rng, 0));
            if now == died_at / 10 * 10 {
                assert_eq!(nodes[1].holds(now).len(), 2, "seed {seed}: the accounts are shared");
            }
            if now >= died_at && taken_at.is_none() && nodes[1].holds(now) == accounts(5) {
                taken_at = Some(now);
            }
        }
        let taken_after = taken_at.unwrap() - died_at;
        assert!(taken_after <= 8_000, "seed {seed}: {taken_after} ms");
    }
}

/// Without this a holder that cannot reach the database would still send when the next one does.
#[test]
fn f60_a_holder_that_hears_nothing_stops_before_its_lease_ends() {
    let mut leases = Leases::new(ReplicaId::new("a"), Some(LENGTH), accounts(1), false, at(0));
    let mut database = Database::default();
    let mut last_end = 0;
    for now in 0..8_000 {
        leases.expire(at(now));
        if let Some(beat) = leases.beat(Ticket(now), at(now), |_| true)
            && now < 1_000
        {
            let board = database.beat(&leases.me().clone(), &beat, LENGTH, now);
            leases.answered(Ticket(now), Some(board), at(now));
            last_end = now + LENGTH.ms();
        }
        let held = leases.epoch(account(1), Mono::from_ms(now)).is_some();
        assert!(!held || now < last_end - margin(LENGTH).ms(), "at {now}, its lease ends at {last_end}");
    }
    assert!(leases.expire(at(8_000)).is_empty(), "it has given up everything");
    // Civil time may jump as it likes: nothing here looks at it.
    let jumped = Now { wall: Wall::from_ms(3_600_000), mono: Mono::from_ms(8_000) };
    assert!(leases.epoch(account(1), jumped.mono).is_none());
}

/// Without this an answer that was overtaken would bring a lease back that is another's by now.
#[test]
fn a_late_answer_changes_nothing() {
    let mut leases = Leases::new(ReplicaId::new("a"), Some(LENGTH), accounts(1), false, at(0));
    let mut database = Database::default();
    let me = leases.me().clone();
    let first = leases.beat(Ticket(1), at(0), |_| true).unwrap();
    let late = database.beat(&me, &first, LENGTH, 0);
    assert!(leases.beat(Ticket(2), at(1_999), |_| true).is_none(), "an answer may still come");
    assert!(leases.beat(Ticket(3), at(2_000), |_| true).is_some());
    assert_eq!(leases.answered(Ticket(1), Some(late), at(2_001)), []);
    assert_eq!(leases.epoch(account(1), Mono::from_ms(2_001)), None);
}

/// Without this an operator's word about a halt would reach some of the accounts.
#[test]
fn leases_that_are_wanted_together_are_told_together() {
    let mut database = Database::default();
    let other = ReplicaId::new("other");
    let theirs = Beat { wants: accounts(1), take: accounts(1), ..Beat::default() };
    database.beat(&other, &theirs, LENGTH, 0);
    let mut leases = Leases::new(ReplicaId::new("a"), Some(LENGTH), accounts(2), true, at(0));
    let me = leases.me().clone();
    let mut told = Vec::new();
    for now in 0..7_000 {
        if let Some(beat) = leases.beat(Ticket(now), at(now), |_| true) {
            let board = database.beat(&me, &beat, LENGTH, now);
            let changes = leases.answered(Ticket(now), Some(board), at(now));
            assert!(changes.is_empty() || now >= 6_000, "told at {now}: {changes:?}");
            told.extend(changes);
        }
    }
    assert_eq!(told, [Change::Taken(account(1), 2), Change::Taken(account(2), 1)]);
}

/// Without this a journal with one writer would be written to for ever, to no end.
#[test]
fn leases_of_a_journal_with_one_writer_are_taken_once_and_never_end() {
    let mut leases = Leases::new(ReplicaId::new("a"), None, accounts(2), false, at(0));
    let mut database = Database::default();
    let mut beats = 0;
    for now in (0..100_000_000).step_by(1_000) {
        if let Some(beat) = leases.beat(Ticket(now), at(now), |_| true) {
            beats += 1;
            let board = database.beat(&leases.me().clone(), &beat, LENGTH, now);
            leases.answered(Ticket(now), Some(board), at(now));
        }
        assert!(leases.expire(at(now)).is_empty());
    }
    assert_eq!((beats, leases.epoch(account(2), Mono::from_ms(100_000_000))), (2, Some(1)));
}

/// Without this a replica that knows fewer accounts would leave some of them to nobody.
#[test]
fn accounts_are_shared_out_among_those_that_can_serve_them() {
    let replica = |name: &str, wants: &[u8]| Replica {
        id: ReplicaId::new(name),
        wants: wants.iter().map(|n| account(*n)).collect(),
        expires_in: LENGTH,
    };
    let replicas = [replica("old", &[1, 2, 3, 4, 5]), replica("new", &[4, 5, 6])];
    let shares = share_out(&replicas);
    let names: Vec<&str> = shares.values().map(|id| id.as_str()).collect();
    assert_eq!(names, ["old", "old", "old", "new", "new", "new"]);
    assert_eq!(share_out(&replicas[..1]).len(), 5);
    assert!(share_out(&[]).is_empty());
}
