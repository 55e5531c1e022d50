//! The judge: it watches the journal, the wire and the chain, with code that shares nothing with what it judges.

use super::chain::{Chain, Revert, Said, said, target};
use super::setup::{Place, REFRESH};
use super::trading::{Naps, Trading};
use crate::lease::Epoch;
use crate::policy::Trigger;
use crate::price::Answer;
use crate::quote::FeedId;
use crate::record::{Outcome, Record, Scope};
use crate::time::{Span, Wall};
use crate::tx::{Attempt, Fee, Receipt, SendOutcome, TxRequest, Work};
use alloy_primitives::{Address, B256, I256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a run showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that must never happen, in words.
    pub violations: Vec<String>,
    /// Steps the machine took.
    pub steps: u64,
    /// Rounds on the final chain.
    pub rounds: u64,
    /// Those that we wrote.
    pub ours: u64,
    /// Batches on the final chain.
    pub batches: u64,
    /// Times a process was killed.
    pub crashes: u64,
    /// Times a process froze.
    pub freezes: u64,
    /// Times a lease came to a process, the first included.
    pub takeovers: u64,
    /// Writes refused because the lease was somebody else's by then.
    pub fenced: u64,
    /// Times replicas lost sight of nodes or of the journal, and nodes of one another.
    pub partitions: u64,
    /// Times an old backup took the journal's place.
    pub restores: u64,
    /// Reorganisations, rollbacks included.
    pub reorgs: u64,
    /// Replacements signed.
    pub bumps: u64,
    /// Transactions of ours that reverted because somebody else was faster, or the contract paused.
    pub wasted: u64,
    /// Rounds that landed before their heartbeat was due although their answer had hardly changed: after a bump or a
    /// reorganisation that may be.
    pub needless: u64,
    /// Events reported.
    pub events: u64,
    /// Questions to the node and to the signer, broadcasts included.
    pub requests: u64,
    /// Requests and answers lost.
    pub losses: u64,
    /// Rounds that repeated, in a break of a market, what was said before it.
    pub repeats: u64,
    /// Rounds that landed before their heartbeat was due.
    pub on_time: u64,
    /// The longest that a heartbeat was late without an excuse.
    pub worst_lateness: Span,
}

/// What venues really said, in hundred-millionths, and what follows from it by plain arithmetic.
#[derive(Clone, Debug, Default)]
struct Truth {
    venues: BTreeMap<usize, (i128, Wall)>,
    /// Values that could be published, with when they could be. In a break of its market the last ones stay.
    values: VecDeque<(Wall, Answer)>,
    /// When they began to speak in the latest session, or break if they are those of off hours.
    spoke: Option<(Wall, Wall)>,
}

/// A feed is awake or asleep until its round is next read, which a lost answer, a node that lags or a process that stops
/// puts off.
const NOTICED: Span = Span::from_s(90);

/// No reorganisation of any storm goes below so many blocks.
const SETTLED: u64 = 13;
/// A signature may take so long.
const SIGNING: Span = Span::from_s(3);
/// So many of an account's transactions are looked at when it sends another.
const KNOWN: usize = 40;

#[derive(Debug)]
pub(super) struct Judge {
    pub report: Report,
    feeds: BTreeMap<FeedId, Place>,
    /// The markets whose hours feeds keep.
    trading: BTreeMap<FeedId, Trading>,
    /// When feeds sleep.
    naps: BTreeMap<FeedId, Naps>,
    /// What each replica was told of each set of sources of each feed.
    truths: BTreeMap<(usize, FeedId), Truth>,
    epochs: BTreeMap<Address, Epoch>,
    /// When each replica's clock was last set.
    clocks: BTreeMap<usize, Wall>,
    intents: BTreeMap<(Address, u64), Option<(Address, u64)>>,
    /// Rounds that an intent holds: until it ends otherwise than in the final chain.
    held: BTreeMap<(Address, u64), u64>,
    closed: BTreeMap<(Address, u64), Outcome>,
    included: BTreeMap<(Address, u64), Receipt>,
    /// Attempts with what they say.
    attempts: BTreeMap<B256, Vec<Said>>,
    highest: BTreeMap<(Address, u64), (B256, Fee)>,
    /// Attempts that a node took, unless it called them dead later.
    taken: BTreeSet<B256>,
    /// When the oldest answer was observed of each attempt that was not sent yet.
    unsent: BTreeMap<B256, Wall>,
    /// Rounds that somebody else wrote, on whatever fork.
    strangers: BTreeSet<(Address, u64)>,
    /// Accounts whose journal was replaced by an old backup, and whether an operator has just looked at that.
    restored: BTreeMap<Address, bool>,
    /// Transactions that no journal explains and that an operator has looked at.
    forgiven: BTreeSet<B256>,
    excuses: BTreeMap<FeedId, Vec<(Wall, Wall)>>,
    max_age: Span,
    quorum: usize,
    cap_wei: u128,
    is_on_a_budget: bool,
}

impl Judge {
    pub fn new(
        feeds: BTreeMap<FeedId, Place>,
        (trading, naps): (BTreeMap<FeedId, Trading>, BTreeMap<FeedId, Naps>),
        max_age: Span,
        quorum: usize,
        cap_wei: u128,
        is_on_a_budget: bool,
    ) -> Self {
        Self {
            report: Report::default(),
            feeds,
            trading,
            naps,
            truths: BTreeMap::new(),
            epochs: BTreeMap::new(),
            clocks: BTreeMap::new(),
            intents: BTreeMap::new(),
            held: BTreeMap::new(),
            closed: BTreeMap::new(),
            included: BTreeMap::new(),
            attempts: BTreeMap::new(),
            highest: BTreeMap::new(),
            taken: BTreeSet::new(),
            unsent: BTreeMap::new(),
            strangers: BTreeSet::new(),
            restored: BTreeMap::new(),
            forgiven: BTreeSet::new(),
            excuses: BTreeMap::new(),
            max_age,
            quorum,
            cap_wei,
            is_on_a_budget,
        }
    }

    pub fn accuse(&mut self, violation: String) {
        // One fault can repeat for hours; the first few say enough.
        if self.report.violations.len() < 20 {
            self.report.violations.push(violation);
        }
    }

    /// A venue's quote reached a replica, whose clock says `wall`, at the true `time`.
    pub fn quoted(
        &mut self,
        replica: usize,
        feed: &FeedId,
        venue: usize,
        value: i128,
        wall: Wall,
        time: Wall,
    ) {
        let truth = self.truths.entry((replica, feed.clone())).or_default();
        truth.venues.insert(venue, (value, wall));
        self.look(replica, feed, wall, time);
    }

    /// A machine that starts knows no quotes.
    pub fn forget_quotes(&mut self, replica: usize, feed: &FeedId) {
        if let Some(truth) = self.truths.get_mut(&(replica, feed.clone())) {
            truth.venues.clear();
        }
    }

    /// Computes by hand what could be published now.
    pub fn look(&mut self, replica: usize, feed: &FeedId, wall: Wall, time: Wall) {
        let (max_age, quorum) = (self.max_age, self.quorum);
        let whole = feed.clone().of_set();
        let opened = match self.trading.get(&whole) {
            // Sources of off hours trade on after the opening.
            Some(trading) if *feed != whole => trading.closed(wall),
            Some(trading) => trading.opened(wall),
            None => Some(Wall::default()),
        };
        let Some(truth) = self.truths.get_mut(&(replica, feed.clone())) else { return };
        let mut fresh = truth.fresh(wall, max_age);
        if fresh.len() >= quorum {
            let middle = middle(&mut fresh);
            let total = fresh.len();
            fresh.retain(|v| (v - middle).abs() * 200 <= middle);
            let gone = total - fresh.len();
            // Until every quote that counts is of after the opening, the market has said nothing yet.
            let oldest = truth.oldest(wall, max_age, |v| (v - middle).abs() * 200 <= middle);
            let speaks = opened.is_some_and(|opened| oldest.is_some_and(|oldest| oldest >= opened));
            if gone <= total.div_ceil(4) && !fresh.is_empty() && speaks {
                let session = opened.unwrap_or_default();
                truth.spoke = truth.spoke.filter(|(of, _)| *of == session).or(Some((session, wall)));
                let answer = Answer::new(I256::try_from(middle).unwrap_or_default());
                match truth.values.back_mut() {
                    Some((at, last)) if *last == answer => *at = time,
                    _ => truth.values.push_back((time, answer)),
                }
            }
        }
        // An attempt may carry a decided value until it is too old to be signed.
        let said = truth.values.back().map_or(time, |(at, _)| *at);
        let until = if self.trading.contains_key(&whole) { said } else { time };
        while truth.values.front().is_some_and(|(at, _)| until.since(*at) > max_age.times(2)) {
            truth.values.pop_front();
        }
    }

    /// Whether a quorum could be had now.
    pub fn has_quorum(&self, replica: usize, feed: &FeedId, wall: Wall) -> bool {
        let truth = self.truths.get(&(replica, feed.clone()));
        truth.is_some_and(|truth| truth.fresh(wall, self.max_age).len() >= self.quorum)
    }

    /// A replica's clock was set.
    pub fn clock_set(&mut self, replica: usize, time: Wall) {
        self.clocks.insert(replica, time);
    }

    /// A lease was given away.
    pub fn taken(&mut self, lease: Address, epoch: Epoch) {
        if self.epochs.insert(lease, epoch).is_some_and(|old| old >= epoch) {
            self.accuse(format!("lease {lease}: epoch {epoch} was there before"));
        }
    }

    /// A replica acts under a lease, and knows what time it is.
    pub fn acting(&mut self, lease: Address, epoch: Epoch) {
        if self.epochs.get(&lease) != Some(&epoch) {
            self.accuse(format!("lease {lease}: epoch {epoch} goes on after another has taken over"));
        }
    }

    /// A record was written under a lease.
    pub fn written(&mut self, lease: Address, epoch: Epoch) {
        if self.epochs.get(&lease) != Some(&epoch) {
            self.accuse(format!("lease {lease}: epoch {epoch} wrote after another had taken over"));
        }
    }

    /// A record reached the journal: would the store take it, and does the chain bear it out?
    pub fn recorded(&mut self, record: &Record, chain: &Chain, time: Wall) {
        match record {
            Record::Intent { account, nonce, work, at } => {
                self.in_session(work, *at);
                self.awake(work, time);
                self.reused(*account, *nonce, chain);
                self.intended((*account, *nonce), work);
            }
            Record::Attempt { account, nonce, attempt, .. } => {
                self.attempted((*account, *nonce), attempt);
            }
            Record::Sent { hash, outcome: SendOutcome::Accepted | SendOutcome::Known, .. } => {
                self.taken.insert(*hash);
            }
            Record::Sent { hash, outcome: SendOutcome::Rejected, .. } => {
                self.taken.remove(hash);
            }
            Record::Sent { .. } => {}
            Record::Decided { why, .. } => {
                let repeats = why.trigger == Trigger::Repeat;
                self.report.repeats += u64::from(repeats);
                if repeats && !self.trading.get(&why.feed).is_some_and(Trading::repeats) {
                    self.accuse(format!("{time:?}: {} repeats itself", why.feed));
                }
            }
            Record::Included { account, nonce, receipt } => {
                self.included.insert((*account, *nonce), *receipt);
                self.moved(*account, *nonce);
            }
            Record::Orphaned { account, nonce } => self.moved(*account, *nonce),
            Record::Closed { account, nonce, outcome, .. } => {
                let key = (*account, *nonce);
                if self.closed.insert(key, *outcome).is_some() {
                    self.accuse(format!("nonce {nonce} was closed twice"));
                }
                let receipt = self.included.get(&key).filter(|_| *outcome != Outcome::Foreign);
                if receipt.is_some_and(|receipt| !chain.holds(receipt.block_hash, receipt.hash)) {
                    self.accuse(format!("{time:?}: nonce {nonce} was closed without being on the chain"));
                }
                if *outcome == Outcome::Foreign && !self.restored.contains_key(account) {
                    self.accuse(format!("nonce {nonce} was given up without cause"));
                }
                if let Some(Some(round)) = self.intents.get(&key).filter(|_| *outcome != Outcome::Final) {
                    self.held.remove(round);
                }
            }
            Record::Reopened { nonce, .. } => {
                self.accuse(format!("nonce {nonce} was reopened without cause"))
            }
            Record::Halted { scope: Scope::Account(account), .. } if self.restored.contains_key(account) => {}
            Record::Halted { reason, .. } => self.accuse(format!("{time:?}: halted without cause: {reason}")),
            Record::Resumed { scope: Scope::Account(account), .. } => {
                self.restored.insert(*account, true);
            }
            Record::Resumed { .. } => {}
        }
    }

    /// A nonce is given away. None may be that the chain has used for good, and what the chain has used must be known,
    /// or have been looked at by an operator.
    fn reused(&mut self, account: Address, nonce: u64, chain: &Chain) {
        if self.restored.get(&account) == Some(&true) {
            self.restored.insert(account, false);
            self.forgiven.extend(chain.sent_by(account, u64::MAX).take(KNOWN).map(|(_, hash)| hash));
        }
        let settled = chain.tip().number.saturating_sub(SETTLED);
        let explained = |hash: &B256| self.attempts.contains_key(hash) || self.forgiven.contains(hash);
        let mut sent = chain.sent_by(account, settled).take(KNOWN);
        if let Some((used, hash)) = sent.find(|(used, hash)| *used >= nonce || !explained(hash)) {
            self.accuse(format!("nonce {nonce} is given away although {hash} has used {used}"));
        }
    }

    /// A round is planned: does its market let it be?
    fn in_session(&mut self, work: &Work, at: Wall) {
        let Some((contract, _)) = work.target() else { return };
        let closed = |(id, place): &(&FeedId, &Place)| {
            let trading = self.trading.get(*id).filter(|trading| trading.freezes());
            place.contract == contract && trading.is_some_and(|trading| trading.opened(at).is_none())
        };
        if let Some((feed, _)) = self.feeds.iter().find(closed) {
            self.accuse(format!("{at:?}: {feed}: a round is planned while its market is closed"));
        }
    }

    /// A round is planned: was its feed told to sleep long ago?
    fn awake(&mut self, work: &Work, time: Wall) {
        let Some((contract, _)) = work.target() else { return };
        let sleeps = |(id, place): &(&FeedId, &Place)| {
            let since = self.naps.get(*id).and_then(|naps| naps.asleep(time));
            let alone = place.contract == contract && place.entry.is_none();
            alone && since.is_some_and(|since| time.since(since) > REFRESH + NOTICED)
        };
        if let Some((feed, _)) = self.feeds.iter().find(sleeps) {
            self.accuse(format!("{time:?}: {feed}: a round is planned while it sleeps"));
        }
    }

    /// Whether sources of off hours may have said an answer: they did, and those of the session had not begun to speak
    /// when it was observed.
    fn off_hours(&self, replica: usize, feed: &FeedId, answer: Answer, observed_at: Option<Wall>) -> bool {
        let truth = |set: FeedId| self.truths.get(&(replica, set));
        let said =
            truth(feed.off_hours()).is_some_and(|t| t.values.iter().any(|(_, value)| *value == answer));
        let opened = observed_at.and_then(|at| self.trading.get(feed)?.opened(at));
        let spoke = truth(feed.clone()).and_then(|truth| truth.spoke).filter(|(of, _)| Some(*of) == opened);
        said && spoke.zip(observed_at).is_none_or(|((_, spoke), at)| at <= spoke)
    }

    /// Whether a feed may say an answer that was not observed while its market was open: only the very last one of the
    /// session before, or, to a machine that knows of none, the one on chain.
    fn may_repeat(
        &self,
        replica: usize,
        feed: &FeedId,
        place: &Place,
        answer: Answer,
        chain: &Chain,
    ) -> bool {
        let truth = self.truths.get(&(replica, feed.clone()));
        let last = truth.and_then(|truth| truth.values.back()).map(|(at, _)| *at);
        let is_last = |(at, value): &(Wall, Answer)| {
            *value == answer && last.is_some_and(|last| last.since(*at) <= Span::from_s(1))
        };
        let on_chain = chain.rounds(place, u64::MAX, 1).first().is_some_and(|round| round.answer == answer);
        on_chain || truth.is_some_and(|truth| truth.values.iter().any(is_last))
    }

    /// Something was signed: is it an answer that the venues really gave, from a quorum, and not too old?
    pub fn signed(
        &mut self,
        replica: usize,
        key: (Address, u64),
        attempt: &Attempt,
        wall: Wall,
        chain: &Chain,
        time: Wall,
    ) {
        let said = self.said(key, attempt);
        let groups: BTreeSet<&str> = said.iter().filter_map(|(_, place, ..)| place.group).collect();
        for group in groups {
            let of = |place: &Place| place.group == Some(group);
            let all = self.feeds.values().filter(|place| of(place)).count();
            let signed = said.iter().filter(|(_, place, ..)| of(place)).count();
            if signed != all {
                self.accuse(format!("{time:?}: {signed} of the {all} feeds of group {group} are signed"));
            }
        }
        for (feed, place, answer, observed_at) in said {
            self.look(replica, &feed, wall, time);
            let (age, most) = (observed_at.map(|at| wall.since(at)), self.max_age + SIGNING);
            let jumped = self.clocks.get(&replica).is_some_and(|set| time.since(*set) <= most);
            if !jumped && age.is_none_or(|age| age > most) {
                self.accuse(format!("{time:?}: {feed}: an answer was signed {age:?} after it was observed"));
            }
            let hours = self.trading.get(&feed);
            let may_repeat = hours.is_some_and(|hours| match () {
                () if hours.repeats() => self.may_repeat(replica, &feed, &place, answer, chain),
                () if hours.switches() => self.off_hours(replica, &feed, answer, observed_at),
                () => false,
            });
            let hours = hours.filter(|_| !may_repeat);
            let in_break = |t: &Trading| observed_at.is_none_or(|at| t.opened(at).is_none());
            let (of_break, closed) =
                (hours.is_some_and(in_break), hours.filter(|t| t.opened(wall).is_none()));
            let ago = closed.and_then(|t| t.closed(wall)).map(|closed| wall.since(closed));
            if of_break {
                self.accuse(format!("{time:?}: {feed}: answer {answer} is of a market that is closed"));
            }
            // What was signed before may be replaced.
            let newly = !jumped && !self.highest.contains_key(&key);
            if let Some(ago) = ago.filter(|ago| newly && *ago > SIGNING) {
                self.accuse(format!("{time:?}: {feed}: first signed {ago:?} after its market closed"));
            }
            let truth = self.truths.get(&(replica, feed.clone()));
            let is_true = truth.is_some_and(|truth| truth.values.iter().any(|(_, value)| *value == answer));
            if !is_true && !may_repeat {
                self.accuse(format!(
                    "{time:?}: {feed}: answer {answer} is not a median of what a quorum said"
                ));
            }
        }
    }

    /// What an attempt says for which feeds, and when that was observed.
    fn said(&self, key: (Address, u64), attempt: &Attempt) -> Vec<(FeedId, Place, Answer, Option<Wall>)> {
        let contract = self.intents.get(&key).copied().flatten().map(|(contract, _)| contract);
        let of = |(feed, place): (&FeedId, &Place)| {
            let entry = attempt.entries.iter().find(|entry| entry.feed == *feed);
            let (answer, observed_at) = match (place.entry, entry) {
                (None, _) => (attempt.answer?, attempt.observed_at),
                (Some(_), entry) => (entry?.answer, Some(entry?.observed_at)),
            };
            (contract == Some(place.contract)).then(|| (feed.clone(), *place, answer, observed_at))
        };
        self.feeds.iter().filter_map(of).collect()
    }

    fn attempted(&mut self, key: (Address, u64), attempt: &Attempt) {
        let nonce = key.1;
        if attempt.fee.cap_wei() > self.cap_wei {
            self.accuse(format!("nonce {nonce}: fee {} above the cap", attempt.fee.cap_wei()));
        }
        let said = self.said(key, attempt);
        let oldest = said.iter().filter_map(|(.., observed_at)| *observed_at).min();
        self.unsent.extend(oldest.map(|observed_at| (attempt.hash, observed_at)));
        let said = said.into_iter().map(|(_, place, answer, _)| (place.entry, answer));
        let again = self.attempts.insert(attempt.hash, said.collect()).is_some();
        if again || self.closed.contains_key(&key) || !self.intents.contains_key(&key) {
            self.accuse(format!("nonce {nonce}: an attempt too many"));
        }
        if let Some((hash, old)) = self.highest.insert(key, (attempt.hash, attempt.fee)) {
            self.report.bumps += 1;
            let more = attempt.fee.cap_wei() > old.cap_wei() && attempt.fee.tip_wei() > old.tip_wei();
            let free = attempt.fee.cap_wei() == 0 && old.cap_wei() == 0;
            // Where no more may be spent, what may never have left is signed anew all the same once it is old.
            let same = attempt.fee == old && self.is_on_a_budget;
            if !more && !free && !same && self.taken.contains(&hash) {
                self.accuse(format!("nonce {nonce}: a replacement does not offer more"));
            }
        }
    }

    fn moved(&mut self, account: Address, nonce: u64) {
        if self.closed.contains_key(&(account, nonce)) {
            self.accuse(format!("nonce {nonce} moved after it was closed"));
        }
    }

    /// An old backup took the journal's place: what the newest records told is not known any more, and what they sent
    /// is a stranger's from here on.
    pub fn restored(&mut self, accounts: &[Address], kept: &[Record], lost: &[Record]) {
        self.report.restores += 1;
        // What an operator has looked at stays so while the journal says it, though nothing was given away since.
        let undone = |account: &Address| {
            lost.iter().any(|record| match record {
                Record::Resumed { scope: Scope::Account(of), .. } => of == account,
                Record::Closed { account: of, outcome: Outcome::Foreign, .. } => of == account,
                _ => false,
            })
        };
        for account in accounts {
            let looked_at = self.restored.get(account) == Some(&true) && !undone(account);
            self.restored.insert(*account, looked_at);
        }
        for record in lost.iter().rev() {
            match record {
                Record::Intent { account, nonce, .. } => {
                    let key = (*account, *nonce);
                    if let Some(Some(round)) = self.intents.remove(&key) {
                        self.held.remove(&round);
                        self.strangers.insert(round);
                    }
                    self.highest.remove(&key);
                }
                Record::Attempt { attempt, account, nonce, .. } => {
                    self.attempts.remove(&attempt.hash);
                    self.highest.remove(&(*account, *nonce));
                }
                Record::Closed { account, nonce, .. } => {
                    self.closed.remove(&(*account, *nonce));
                    if let Some(Some(round)) = self.intents.get(&(*account, *nonce)) {
                        self.held.insert(*round, *nonce);
                    }
                }
                Record::Included { account, nonce, .. } => {
                    self.included.remove(&(*account, *nonce));
                }
                _ => {}
            }
        }
        // What was told before and is told again is nothing new to the journal.
        for record in kept.iter().rev() {
            if let Record::Included { account, nonce, receipt } = record {
                self.included.entry((*account, *nonce)).or_insert(*receipt);
            }
        }
    }

    /// The run is over: what the journal calls final is on the chain as it says.
    pub fn ended(&mut self, chain: &Chain) {
        let mut written: BTreeMap<(Address, u64), (Address, Vec<Said>)> = BTreeMap::new();
        for contract in self.feeds.values().map(|place| place.contract).collect::<BTreeSet<_>>() {
            for (_, mined, number) in chain.accepted(contract, u64::MAX) {
                let request = &mined.tx.request;
                written.insert((contract, number), (request.from, said(&request.call)));
            }
        }
        let closed = self.closed.iter().filter(|(_, outcome)| **outcome == Outcome::Final);
        let wrong = closed.filter(|(key, _)| {
            let signed = self.included.get(key).and_then(|receipt| self.attempts.get(&receipt.hash));
            let Some(Some(round)) = self.intents.get(key) else { return false };
            written.get(round).is_none_or(|(from, said)| *from != key.0 || signed != Some(said))
        });
        let wrong: Vec<_> = wrong.map(|((_, nonce), _)| *nonce).collect();
        if !wrong.is_empty() {
            self.accuse(format!("final in the journal and not so on the chain: nonces {wrong:?}"));
        }
    }

    fn intended(&mut self, key: (Address, u64), work: &Work) {
        let round = work.target();
        if self.intents.insert(key, round).is_some() {
            self.accuse(format!("nonce {} was given away twice", key.1));
        }
        if let Some(round) = round
            && let Some(other) = self.held.insert(round, key.1)
        {
            self.accuse(format!("round {} is on its way twice: nonces {other} and {}", round.1, key.1));
        }
    }

    /// Somebody else sent a round.
    pub fn stranger(&mut self, contract: Address, round: u64) {
        self.strangers.insert((contract, round));
    }

    /// A transaction is in a block and reverted. Ours may only because somebody else wrote the round, or the one
    /// before it on another fork, or because the contract paused.
    pub fn reverted(&mut self, request: &TxRequest, revert: Revert) {
        let Some((contract, round)) = target(&request.call) else { return };
        if !self.intents.contains_key(&(request.from, request.nonce)) {
            return;
        }
        let strange = |round: u64| self.strangers.contains(&(contract, round));
        self.report.wasted += 1;
        if revert != Revert::Paused && !strange(round) && !(1..round).rev().take(3).any(strange) {
            self.accuse(format!("nonce {}: round {round} reverted: {revert:?}", request.nonce));
        }
    }

    /// A round landed before its heartbeat was due: had its answer changed?
    pub fn landed_early(&mut self, old: Answer, new: Answer) {
        let (old, new) = (old.value(), new.value());
        let distance = if new > old { new - old } else { old - new };
        self.report.needless += u64::from(distance * I256::unchecked_from(200) < old);
    }

    /// Bytes leave a process whose clock says `wall`.
    pub fn broadcast(&mut self, replica: usize, hash: B256, wall: Wall, time: Wall) {
        if !self.attempts.contains_key(&hash) {
            self.accuse(format!("{hash} was sent before it was journalled"));
        }
        let age = self.unsent.remove(&hash).map(|observed_at| wall.since(observed_at));
        let most = self.max_age + SIGNING;
        let jumped = self.clocks.get(&replica).is_some_and(|set| time.since(*set) <= most);
        if let Some(age) = age.filter(|age| *age > most && !jumped) {
            self.accuse(format!("{time:?}: {hash} was first sent {age:?} after it was observed"));
        }
    }

    /// The world did something to a feed that costs time.
    pub fn excuse(&mut self, feed: &FeedId, from: Wall, to: Wall) {
        let excuses = self.excuses.entry(feed.clone()).or_default();
        match excuses.last_mut() {
            Some((began, until)) if *began <= from && from <= *until => *until = to.max(*until),
            _ => excuses.push((from, to)),
        }
    }

    /// A round landed: how late was it, beyond every excuse since the heartbeat was due?
    pub fn landed(&mut self, feed: &FeedId, due: Wall, landed: Wall, allowed: Span, what: &str) {
        let late = landed.since(due);
        self.report.on_time += u64::from(late == Span::ZERO);
        let mut intervals = self.excuses.get(feed).cloned().unwrap_or_default();
        intervals.sort_unstable();
        let (mut excused, mut until) = (Span::ZERO, due);
        for (from, to) in intervals {
            let (from, to) = (from.max(until), to.min(landed));
            excused = excused + to.since(from);
            until = until.max(to);
        }
        let unexcused = late.less(excused);
        self.report.worst_lateness = self.report.worst_lateness.max(unexcused);
        if unexcused > allowed {
            self.accuse(format!("{landed:?}: {feed}: {what} {late} late, {unexcused} without excuse"));
        }
        if let Some(intervals) = self.excuses.get_mut(feed) {
            intervals.retain(|(_, to)| landed.since(*to) < Span::from_s(600));
        }
    }
}

impl Truth {
    /// What venues said lately, by the machine's clock; it refuses what comes from the future.
    fn fresh(&self, wall: Wall, max_age: Span) -> Vec<i128> {
        let fresh = |at: &Wall| wall.since(*at) <= max_age && at.since(wall) <= Span::from_s(2);
        self.venues.values().filter(|(_, at)| fresh(at)).map(|(value, _)| *value).collect()
    }

    /// When the oldest of those was true that are within the band.
    fn oldest(&self, wall: Wall, max_age: Span, within: impl Fn(i128) -> bool) -> Option<Wall> {
        let fresh = |at: Wall| wall.since(at) <= max_age && at.since(wall) <= Span::from_s(2);
        self.venues.values().filter(|(value, at)| fresh(*at) && within(*value)).map(|(_, at)| *at).min()
    }
}

/// The middle value, or the middle of the two in the middle, rounded half to even.
fn middle(values: &mut [i128]) -> i128 {
    values.sort_unstable();
    let at = |i: usize| values.get(i).copied().unwrap_or_default();
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        return at(half);
    }
    let sum = at(half.saturating_sub(1)) + at(half);
    let down = sum.div_euclid(2);
    if sum.rem_euclid(2) == 1 && down % 2 != 0 { down + 1 } else { down }
}
