//! Which replica may write for which account: leases with epochs, decided without a clock and without a database.
//!
//! Replicas share one journal. Each beats three times in a lease's length: it renews what it holds, says which accounts
//! it could serve, and reads what the others hold. When a lease ends is said by the database's clock alone, and each
//! take-over raises the lease's epoch, which every write to the journal is checked against. A replica that hears
//! nothing stops by itself before its leases can end, because it counts from the moment at which it asked; [`Mono`]
//! goes on while a machine is suspended.
//!
//! Every replica shares the accounts out alike from what it read ([`share_out`]). It takes what falls to it once that
//! is free, and hands over what falls to another once nothing of it is on its way. The rule only spreads work: who may
//! write is decided by the database, whatever replicas believe of each other.

use crate::io::Ticket;
use crate::time::{Mono, Now, Span};
use alloy_primitives::Address;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The number of a lease's take-over: the fencing token. The first holder has epoch 1.
pub type Epoch = u64;

/// A lease lasts this long, unless it is said otherwise: a take-over then takes no more than 8 s.
pub const LENGTH: Span = Span::from_s(6);

/// A replica waits this long beyond the end of another's lease, so that the database has come to that end as well.
const SLACK: Span = Span::from_ms(20);

/// Names a replica for as long as its process lives; a restarted one is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaId(Arc<str>);

impl ReplicaId {
    /// A replica of that name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a replica asks of the database, in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Every account that it could serve.
    pub wants: BTreeSet<Address>,
    /// Leases to prolong, if the epoch is still the same.
    pub renew: BTreeMap<Address, Epoch>,
    /// Leases to take, if they have ended, nobody ever had them, or this replica's own earlier request took them.
    pub take: BTreeSet<Address>,
    /// Leases to end now, if the epoch is still the same.
    pub release: BTreeMap<Address, Epoch>,
}

/// What the database says after a beat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// What the beat renewed or took, with the epochs.
    pub held: BTreeMap<Address, Epoch>,
    /// Every lease that another replica holds: who, and how much longer unless it is renewed.
    pub busy: BTreeMap<Address, (ReplicaId, Span)>,
    /// Every replica that beats, this one among them, the oldest first.
    pub replicas: Vec<Replica>,
}

/// A replica as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its name.
    pub id: ReplicaId,
    /// What it could serve.
    pub wants: BTreeSet<Address>,
    /// How much longer it counts as alive unless it beats again.
    pub expires_in: Span,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// This replica holds it; everything about the account is to be recovered before anything is done.
    Taken(Address, Epoch),
    /// Another replica took it, or the journal's database is another than before.
    Lost(Address),
}

#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: Epoch,
    /// From here on nothing is done; `None`: the journal has one writer, and nobody could take it.
    until: Option<Mono>,
    /// The machine has been told.
    told: bool,
}

#[derive(Clone, Debug)]
struct Asked {
    ticket: Ticket,
    at: Mono,
    deadline: Mono,
    beat: Beat,
}

/// One replica's leases.
#[derive(Clone, Debug)]
pub struct Leases {
    me: ReplicaId,
    length: Option<Span>,
    together: bool,
    wants: BTreeSet<Address>,
    held: BTreeMap<Address, Held>,
    /// Given up here, and not known to have ended in the database.
    releasing: BTreeMap<Address, Epoch>,
    /// What the last beat said, and when it was asked.
    board: Option<(Board, Mono)>,
    asked: Option<Asked>,
    beat_at: Mono,
}

impl Leases {
    /// Leases of a replica that holds none yet. Without a length they never end: the journal has one writer. If
    /// `together`, none counts as taken before all are held.
    pub fn new(
        me: ReplicaId,
        length: Option<Span>,
        wants: BTreeSet<Address>,
        together: bool,
        now: Now,
    ) -> Self {
        Self {
            me,
            length,
            together,
            wants,
            held: BTreeMap::new(),
            releasing: BTreeMap::new(),
            board: None,
            asked: None,
            beat_at: now.mono,
        }
    }

    /// The next question to the database, if one is due. What it releases is given up at once; `is_idle` says of which
    /// accounts nothing is on its way.
    pub fn beat(&mut self, ticket: Ticket, now: Now, is_idle: impl Fn(Address) -> bool) -> Option<Beat> {
        if now.mono < self.beat_at || self.asked.as_ref().is_some_and(|asked| now.mono < asked.deadline) {
            return None;
        }
        let mine = self.mine();
        let settled = !self.together || self.has_all();
        let surplus = |account: &Address| settled && !mine.contains(account) && is_idle(*account);
        let released = self.held.extract_if(.., |account, _| surplus(account));
        self.releasing.extend(released.map(|(account, held)| (account, held.epoch)));
        let beat = Beat {
            wants: self.wants.clone(),
            renew: self.held.iter().map(|(account, held)| (*account, held.epoch)).collect(),
            take: mine.into_iter().filter(|account| self.is_free(*account, now.mono)).collect(),
            release: self.releasing.clone(),
        };
        let asked = Asked { ticket, at: now.mono, deadline: now.mono + self.period(), beat: beat.clone() };
        self.beat_at = asked.deadline;
        self.asked = Some(asked);
        Some(beat)
    }

    /// The database's answer; `None` if it could not be asked, or what it did is not known. An answer to an earlier
    /// beat says nothing any more.
    pub fn answered(&mut self, ticket: Ticket, board: Option<Board>, now: Now) -> Vec<Change> {
        let Some(asked) = self.asked.take_if(|asked| asked.ticket == ticket) else { return Vec::new() };
        let Some(board) = board else {
            self.beat_at = now.mono + Span::from_ms(self.period().ms() / 4);
            return Vec::new();
        };
        self.releasing.retain(|account, epoch| asked.beat.release.get(account) != Some(epoch));
        let until = self.length.map(|length| asked.at + length.less(margin(length)));
        let mut changes = Vec::new();
        for (account, epoch) in &asked.beat.renew {
            match self.held.get_mut(account) {
                Some(held) if board.held.get(account) == Some(epoch) => held.until = until,
                Some(held) if held.epoch == *epoch => {
                    self.held.remove(account);
                    changes.push(Change::Lost(*account));
                }
                _ => {}
            }
        }
        for (account, epoch) in board.held.iter().filter(|(account, _)| asked.beat.take.contains(*account)) {
            self.held.insert(*account, Held { epoch: *epoch, until, told: false });
        }
        self.board = Some((board, asked.at));
        if !self.together || self.has_all() {
            for (account, held) in self.held.iter_mut().filter(|(_, held)| !held.told) {
                held.told = true;
                changes.push(Change::Taken(*account, held.epoch));
            }
        }
        self.beat_at = self.next_beat(asked.at, now.mono);
        changes
    }

    /// Gives up what can no longer be known to be held; returns it.
    pub fn expire(&mut self, now: Now) -> Vec<Address> {
        let ended = |held: &Held| held.until.is_some_and(|until| now.mono >= until);
        let lost: Vec<Address> = self.held.iter().filter(|(_, h)| ended(h)).map(|(a, _)| *a).collect();
        self.held.retain(|account, _| !lost.contains(account));
        lost
    }

    /// The journal refused a write for this account: its lease is another's, whatever was believed here.
    pub fn fenced(&mut self, account: Address, now: Now) {
        if self.held.remove(&account).is_some() {
            self.beat_at = self.beat_at.min(now.mono);
        }
    }

    /// Nothing is taken any more, and what is held is handed over as soon as nothing of it is on its way.
    pub fn retire(&mut self, now: Now) {
        self.wants.clear();
        self.beat_at = now.mono;
    }

    /// Whether everything that falls to this replica is held, as far as it can be had.
    pub fn is_settled(&self, now: Mono) -> bool {
        self.board.is_some() && !self.mine().into_iter().any(|account| self.is_free(account, now))
    }

    /// Every lease that is held, with the epoch with which may be written.
    pub fn epochs(&self, now: Mono) -> BTreeMap<Address, Epoch> {
        let epoch = |account: &Address| self.epoch(*account, now).map(|epoch| (*account, epoch));
        self.held.keys().filter_map(epoch).collect()
    }

    /// The epoch with which may be written for an account; `None` if nothing may be.
    pub fn epoch(&self, account: Address, now: Mono) -> Option<Epoch> {
        let held = self.held.get(&account)?;
        let valid = held.until.is_none_or(|until| now < until);
        (held.told && valid).then_some(held.epoch)
    }

    /// How much longer may be written for an account; `None`: for ever, or not at all.
    pub fn left(&self, account: Address, now: Mono) -> Option<Span> {
        self.held.get(&account)?.until.map(|until| until.since(now))
    }

    /// Who holds an account's lease, as far as is known.
    pub fn holder(&self, account: Address) -> Option<&ReplicaId> {
        if self.held.contains_key(&account) {
            return Some(&self.me);
        }
        let (board, _) = self.board.as_ref()?;
        board.busy.get(&account).map(|(holder, _)| holder)
    }

    /// This replica.
    pub fn me(&self) -> &ReplicaId {
        &self.me
    }

    /// Every account it could serve.
    pub fn wants(&self) -> &BTreeSet<Address> {
        &self.wants
    }

    /// What to tell the database when the replica ends in order: it holds nothing any more.
    pub fn farewell(&self) -> Beat {
        let mut release = self.releasing.clone();
        release.extend(self.held.iter().map(|(account, held)| (*account, held.epoch)));
        Beat { release, ..Beat::default() }
    }

    /// When time alone changes something.
    pub fn wake_at(&self) -> Mono {
        let beat = self.asked.as_ref().map_or(self.beat_at, |asked| asked.deadline);
        self.held.values().filter_map(|held| held.until).fold(beat, Mono::min)
    }

    /// Whether everything is held that is wanted.
    fn has_all(&self) -> bool {
        self.wants.iter().all(|account| self.held.contains_key(account))
    }

    /// The accounts that fall to this replica.
    fn mine(&self) -> BTreeSet<Address> {
        let Some((board, _)) = &self.board else { return BTreeSet::new() };
        if self.wants.is_empty() || self.together && !self.has_all() {
            return self.wants.clone();
        }
        share_out(&board.replicas).into_iter().filter(|(_, id)| **id == self.me).map(|(a, _)| a).collect()
    }

    /// Whether an account that is not held may be asked for.
    fn is_free(&self, account: Address, now: Mono) -> bool {
        let Some((board, seen)) = &self.board else { return false };
        let ended = |(_, left): &(ReplicaId, Span)| now >= *seen + *left + SLACK;
        !self.held.contains_key(&account) && board.busy.get(&account).is_none_or(ended)
    }

    /// At once, if the last answer showed something that can be had; when another replica is given up, if it does not
    /// beat again; else a period after the last.
    fn next_beat(&self, asked_at: Mono, now: Mono) -> Mono {
        let Some((board, seen)) = &self.board else { return now };
        if self.mine().into_iter().any(|account| self.is_free(account, now)) {
            return now;
        }
        if self.length.is_none() && !self.wants.is_empty() {
            return Mono::from_ms(u64::MAX);
        }
        let others = board.replicas.iter().filter(|replica| replica.id != self.me);
        let ends = others.map(|replica| replica.expires_in).chain(board.busy.values().map(|(_, left)| *left));
        ends.map(|left| *seen + left + SLACK).fold(asked_at + self.period(), Mono::min).max(now)
    }

    fn period(&self) -> Span {
        period(self.length.unwrap_or(LENGTH))
    }
}

/// Time between two beats, and the longest wait for an answer to one: a lease survives the loss of one of them.
pub const fn period(length: Span) -> Span {
    Span::from_ms(length.ms() / 3)
}

/// A holder stops so long before its lease can end, so that nothing it began is still under way then.
pub const fn margin(length: Span) -> Span {
    Span::from_ms(length.ms() / 6)
}

/// Which replica each account falls to: of those that could serve it the one with the fewest so far, and of those the
/// oldest. The same replicas in the same order give the same answer everywhere.
pub fn share_out(replicas: &[Replica]) -> BTreeMap<Address, &ReplicaId> {
    let accounts: BTreeSet<Address> = replicas.iter().flat_map(|replica| &replica.wants).copied().collect();
    let mut shares: Vec<(usize, &Replica)> = replicas.iter().map(|replica| (0, replica)).collect();
    let mut out = BTreeMap::new();
    for account in accounts {
        // Of several with as few the first is the minimum.
        let candidates = shares.iter_mut().filter(|(_, replica)| replica.wants.contains(&account));
        if let Some((count, replica)) = candidates.min_by_key(|(count, _)| *count) {
            *count += 1;
            out.insert(account, &replica.id);
        }
    }
    out
}
