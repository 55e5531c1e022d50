//! Why an intent owns its nonce for ever, and why every attempt is journalled before it is sent: three ways to carry
//! rounds to a chain, in one small hostile world.
//!
//! - *Naive*: everything is in memory. What the node took is done; what timed out is sent again with the node's next
//!   nonce. Scripts do this, and clients whose nonce comes from the node's pending count.
//! - *Recycle*: what the node took is journalled, watched and replaced by a dearer attempt. What timed out counts as
//!   not sent, so that its nonce is given away again. Engines that take a time-out for a failure do this.
//! - *Pinned*: ours. The round gets a nonce for ever, each attempt is journalled and only then sent, no answer decides
//!   anything. Whoever finds its nonce used by what its journal does not know halts.
//!
//! Each is tried as one instance, as two that share a journal and as two with a journal each that both think that they
//! are alone, and each with and without a contract that refuses a round that it has (compare-and-set). What the table
//! shows, and the tests assert: only pinned nonces neither double nor lose a round, and with an account per feed they
//! need not even share a journal, because the account's nonce is the fence. The compare-and-set changes nothing but the
//! price of a mistake: a duplicate becomes a revert that was paid for.
//!
//! This compares ideas. It says nothing of the machine that carries ours out, which `storm.rs` does: here are one node
//! whose reads are true, no reorgs, no strangers, one round in flight, and rounds of which the order does not matter.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "the model's own parts are tests, too, and say how much they have shown"
)]

use std::collections::BTreeMap;

const SEEDS: u64 = 600;
const ROUNDS: usize = 20;

/// Of a thousand transactions that are sent: how many the node never sees, of how many the answer is lost.
const LOST_REQUESTS: u32 = 80;
const LOST_ANSWERS: u32 = 120;
/// How often of a thousand times an instance dies right before it sends, and right after.
const DEATHS: u32 = 40;
/// How many of a thousand transactions a pool forgets from block to block.
const FORGOTTEN: u32 = 30;
/// In units of the usual base fee's hundredth: what a first attempt pays, and the base fee of one block in five.
const MARKET: u64 = 110;
const SPIKES: [u64; 2] = [150, 220];
/// Ticks of which one in three makes a block; after so many a transaction is replaced.
const PATIENCE: u32 = 12;
/// Ticks after which rounds that have not landed never will.
const END: u32 = 10_000;

fn happens(rng: &mut fastrand::Rng, permille: u32) -> bool {
    rng.u32(..1000) < permille
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    Naive,
    Recycle,
    Pinned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deployment {
    One,
    TwoOnOneJournal,
    TwoOnTwoJournals,
}

#[derive(Clone, Copy, Debug)]
struct Tx {
    /// Tells transactions apart as their hash does.
    id: u64,
    round: usize,
    nonce: usize,
    fee: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    Known,
    NonceUsed,
    Underpriced,
}

/// A chain with one account and one contract, and its node.
#[derive(Debug, Default)]
struct Chain {
    /// By nonce.
    pool: BTreeMap<usize, Tx>,
    /// The account's, in the order of their nonces.
    mined: Vec<Tx>,
    signed: u64,
}

impl Chain {
    fn holds(&self, tx: &Tx) -> bool {
        self.mined.get(tx.nonce).is_some_and(|mined| mined.id == tx.id)
    }

    /// The account's nonce with the pool counted in.
    fn pending_nonce(&self) -> usize {
        (self.mined.len()..).find(|nonce| !self.pool.contains_key(nonce)).unwrap_or_default()
    }

    fn sign(&mut self, round: usize, nonce: usize, fee: u64) -> Tx {
        self.signed += 1;
        Tx { id: self.signed, round, nonce, fee }
    }

    /// The rules of go-ethereum's pool.
    fn take(&mut self, tx: Tx) -> Answer {
        if tx.nonce < self.mined.len() {
            return Answer::NonceUsed;
        }
        match self.pool.get(&tx.nonce) {
            Some(old) if old.id == tx.id => return Answer::Known,
            Some(old) if tx.fee * 10 < old.fee * 11 => return Answer::Underpriced,
            _ => {}
        }
        self.pool.insert(tx.nonce, tx);
        Answer::Taken
    }

    fn make_block(&mut self, base_fee: u64) {
        while let Some(tx) = self.pool.get(&self.mined.len()).copied() {
            if tx.fee < base_fee {
                break;
            }
            self.pool.remove(&tx.nonce);
            self.mined.push(tx);
        }
    }

    fn live(&mut self, rng: &mut fastrand::Rng) {
        self.pool.retain(|_, _| !happens(rng, FORGOTTEN));
        let spike = happens(rng, 200);
        self.make_block(if spike { SPIKES[rng.usize(..SPIKES.len())] } else { 100 });
    }
}

/// What outlives a process.
#[derive(Debug, Default)]
struct Journal {
    /// The open round; those before are done.
    round: usize,
    /// The open round's, oldest first.
    attempts: Vec<Tx>,
}

impl Journal {
    fn done(&mut self, round: usize) {
        // Another instance may have come first.
        if self.round == round {
            self.round += 1;
            self.attempts.clear();
        }
    }
}

/// A process: all of this but `strategy` and `halted` is gone when it dies.
#[derive(Debug)]
struct Instance {
    strategy: Strategy,
    halted: bool,
    /// What it sends next: another instance, or a block, may come between a plan and its transaction.
    sending: Option<Tx>,
    /// The last transaction that it sent.
    sent: Option<u64>,
    waited: u32,
    /// What was offered and did not replace what the pool has.
    refused_fee: Option<u64>,
}

impl Instance {
    fn new(strategy: Strategy) -> Self {
        Self { strategy, halted: false, sending: None, sent: None, waited: 0, refused_fee: None }
    }

    /// It dies, and is started again.
    fn die(&mut self) {
        *self = Self::new(self.strategy);
    }

    fn step(&mut self, journal: &mut Journal, chain: &mut Chain, rng: &mut fastrand::Rng) {
        if self.halted || journal.round == ROUNDS {
            return;
        }
        match (self.sending.take(), self.strategy) {
            (Some(tx), _) => self.send(tx, journal, chain, rng),
            (None, Strategy::Naive) => {
                self.sending = Some(chain.sign(journal.round, chain.pending_nonce(), MARKET));
            }
            (None, Strategy::Recycle | Strategy::Pinned) => self.plan(journal, chain),
        }
    }

    /// What is to be done for the open round, by what the journal knows of it.
    fn plan(&mut self, journal: &mut Journal, chain: &mut Chain) {
        let pinned = self.strategy == Strategy::Pinned;
        if journal.attempts.iter().any(|tx| chain.holds(tx)) {
            self.refused_fee = None;
            return journal.done(journal.round);
        }
        if journal.attempts.first().is_some_and(|tx| tx.nonce < chain.mined.len()) {
            // Something that the journal does not know has used the nonce.
            if pinned {
                self.halted = true;
                return;
            }
            journal.attempts.clear();
        }
        let last = journal.attempts.last().copied();
        if let Some(last) = last {
            if pinned && self.sent != Some(last.id) {
                // Of a life before this one, or of another instance: the same bytes.
                self.sending = Some(last);
                return;
            }
            self.waited += 1;
            if self.waited < PATIENCE {
                return;
            }
        }
        // A round that is done has used one nonce, so that the next nonce of a journal is its round.
        let fresh = if pinned { journal.round } else { chain.mined.len() };
        let nonce = last.map_or(fresh, |tx| tx.nonce);
        let beaten = journal.attempts.iter().map(|tx| tx.fee).chain(self.refused_fee).max();
        let tx = chain.sign(journal.round, nonce, beaten.map_or(MARKET, |fee| fee * 6 / 5 + 1));
        if pinned {
            journal.attempts.push(tx);
        }
        self.sending = Some(tx);
    }

    fn send(&mut self, tx: Tx, journal: &mut Journal, chain: &mut Chain, rng: &mut fastrand::Rng) {
        if happens(rng, DEATHS) {
            return self.die();
        }
        let answer = (!happens(rng, LOST_REQUESTS)).then(|| chain.take(tx));
        if happens(rng, DEATHS) {
            return self.die();
        }
        let answer = answer.filter(|_| !happens(rng, LOST_ANSWERS));
        (self.sent, self.waited) = (Some(tx.id), 0);
        match (self.strategy, answer) {
            (Strategy::Naive, Some(Answer::Taken)) => journal.done(tx.round),
            (Strategy::Recycle, Some(Answer::Taken)) if journal.round == tx.round => {
                journal.attempts.push(tx)
            }
            (Strategy::Recycle, Some(Answer::Underpriced)) => self.refused_fee = Some(tx.fee),
            // A time-out, or a nonce that something else has used: "not sent", say the others. Ours has journalled
            // what may have been sent, and looks at the chain.
            _ => {}
        }
    }
}

/// What became of many rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    rounds: u64,
    /// Transactions that were signed.
    signed: u64,
    /// How often rounds were written that had been written already.
    duplicates: u64,
    /// Rounds that were never written.
    missing: u64,
    /// Transactions that the contract refused, and that were paid for.
    wasted: u64,
    halts: u64,
}

fn run(strategy: Strategy, deployment: Deployment, compare_and_set: bool, seed: u64, tally: &mut Tally) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut chain = Chain::default();
    let (instances, journals) = match deployment {
        Deployment::One => (1, 1),
        Deployment::TwoOnOneJournal => (2, 1),
        Deployment::TwoOnTwoJournals => (2, 2),
    };
    let mut instances: Vec<Instance> = (0..instances).map(|_| Instance::new(strategy)).collect();
    let mut journals: Vec<Journal> = (0..journals).map(|_| Journal::default()).collect();
    for _ in 0..END {
        let first = rng.usize(..instances.len());
        for turn in 0..instances.len() {
            let one = (first + turn) % instances.len();
            let journal = one % journals.len();
            instances[one].step(&mut journals[journal], &mut chain, &mut rng);
        }
        if rng.u8(..3) == 0 {
            chain.live(&mut rng);
        }
        let halted =
            |one: usize| instances.iter().enumerate().any(|(n, of)| n % journals.len() == one && of.halted);
        if (0..journals.len()).all(|one| halted(one) || journals[one].round == ROUNDS) {
            break;
        }
    }
    // What still waits is given every chance.
    chain.make_block(0);
    let mut written = [0; ROUNDS];
    for tx in &chain.mined {
        if compare_and_set && written[tx.round] > 0 {
            tally.wasted += 1;
        } else {
            written[tx.round] += 1;
        }
    }
    tally.rounds += ROUNDS as u64;
    tally.signed += chain.signed;
    tally.duplicates += written.iter().map(|times: &u64| times.saturating_sub(1)).sum::<u64>();
    tally.missing += written.iter().filter(|times| **times == 0).count() as u64;
    tally.halts += instances.iter().filter(|one| one.halted).count() as u64;
}

/// The same weather for everyone.
fn tally(strategy: Strategy, deployment: Deployment, compare_and_set: bool) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        run(strategy, deployment, compare_and_set, seed, &mut tally);
    }
    let Tally { rounds, signed, duplicates, missing, wasted, halts } = tally;
    let (strategy, deployment) = (format!("{strategy:?}"), format!("{deployment:?}"));
    let contract = if compare_and_set { "compare-and-set" } else { "takes all" };
    let permille = |number: u64| number * 1000 / rounds;
    println!(
        "{strategy:8} {deployment:16} {contract:15} {:5} signed {:4} duplicates {:3} missing {:4} wasted \
         per 1000 rounds, {halts} halts",
        permille(signed),
        permille(duplicates),
        permille(missing),
        permille(wasted),
    );
    tally
}

const DEPLOYMENTS: [Deployment; 3] =
    [Deployment::One, Deployment::TwoOnOneJournal, Deployment::TwoOnTwoJournals];

#[test]
fn a_nonce_that_a_time_out_frees_doubles_rounds_and_compare_and_set_turns_them_into_reverts() {
    for strategy in [Strategy::Naive, Strategy::Recycle] {
        for deployment in DEPLOYMENTS {
            let without = tally(strategy, deployment, false);
            let with = tally(strategy, deployment, true);
            // At least one round in fifty, so that this does not hang on a seed.
            assert!(without.duplicates * 50 > without.rounds && without.wasted == 0, "{without:?}");
            // Nobody in this world looks at the contract, so that the same transactions are mined.
            let turned = Tally { duplicates: 0, wasted: without.duplicates, ..without };
            assert_eq!(with, turned, "{strategy:?} {deployment:?}");
            // What the node took and then forgot is nobody's concern in a naive world.
            assert!(strategy == Strategy::Recycle || without.missing > 0, "{without:?}");
        }
    }
}

#[test]
fn a_pinned_nonce_neither_doubles_nor_loses_nor_wastes_a_round() {
    for deployment in DEPLOYMENTS {
        for compare_and_set in [false, true] {
            let all = tally(Strategy::Pinned, deployment, compare_and_set);
            let Tally { rounds, signed, duplicates, missing, wasted, halts } = all;
            assert_eq!((duplicates, missing, wasted), (0, 0, 0), "{deployment:?}: {all:?}");
            // It was not spared: rounds needed replacements.
            assert!(signed * 100 > rounds * 105, "{all:?}");
            // Of two that know nothing of each other one meets the other's transaction, and one only.
            let expected = if deployment == Deployment::TwoOnTwoJournals { SEEDS } else { 0 };
            assert_eq!(halts, expected, "{deployment:?}: {all:?}");
        }
    }
}
