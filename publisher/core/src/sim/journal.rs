//! The journal that all replicas share: records that are only appended, and leases whose epochs guard every write.

use super::setup::LEASE;
use crate::lease::{Beat, Board, Epoch, Replica, ReplicaId};
use crate::record::Record;
use crate::time::Span;
use alloy_primitives::Address;
use std::collections::{BTreeMap, BTreeSet};

/// The lease is somebody else's: nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fenced;

#[derive(Clone, Debug)]
struct Lease {
    holder: ReplicaId,
    epoch: Epoch,
    ends_ms: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    records: BTreeMap<Address, Vec<Record>>,
    leases: BTreeMap<Address, Lease>,
    /// Replicas with what they could serve and when they count as dead, the oldest first.
    replicas: Vec<(ReplicaId, BTreeSet<Address>, u64)>,
}

impl Journal {
    /// Writes what is not written yet under a lease, in one commit, and returns it.
    pub fn append(
        &mut self,
        lease: Address,
        epoch: Epoch,
        records: &[Record],
    ) -> Result<Vec<Record>, Fenced> {
        if self.epoch(lease) != epoch {
            return Err(Fenced);
        }
        let written = self.records.entry(lease).or_default();
        // A commit whose answer was lost is repeated, and its records are then the newest.
        let newest = written.get(written.len().saturating_sub(records.len())..);
        let new = if newest == Some(records) { Vec::new() } else { records.to_vec() };
        written.extend_from_slice(&new);
        Ok(new)
    }

    /// The epoch of a lease; 0 before anybody had it.
    pub fn epoch(&self, lease: Address) -> Epoch {
        self.leases.get(&lease).map_or(0, |lease| lease.epoch)
    }

    pub fn records(&self, lease: Address) -> &[Record] {
        self.records.get(&lease).map_or(&[], Vec::as_slice)
    }

    /// Puts an old backup in the place of the records: the newest `lost` of them are gone.
    pub fn restore(&mut self, lease: Address, lost: usize) {
        if let Some(records) = self.records.get_mut(&lease) {
            records.truncate(records.len().saturating_sub(lost));
        }
    }

    /// Answers a beat, by the journal's own clock.
    pub fn beat(&mut self, me: &ReplicaId, beat: &Beat, now_ms: u64) -> Board {
        let ends_ms = now_ms + LEASE.ms();
        self.replicas.retain(|(_, _, ends_ms)| now_ms < *ends_ms);
        match self.replicas.iter_mut().find(|(id, ..)| id == me) {
            Some(replica) => (replica.1, replica.2) = (beat.wants.clone(), ends_ms),
            None => self.replicas.push((me.clone(), beat.wants.clone(), ends_ms)),
        }
        for (account, epoch) in &beat.release {
            if let Some(lease) = self.leases.get_mut(account).filter(|lease| lease.epoch == *epoch) {
                lease.ends_ms = now_ms;
            }
        }
        let mut held = BTreeMap::new();
        for (account, epoch) in &beat.renew {
            if let Some(lease) = self.leases.get_mut(account).filter(|lease| lease.epoch == *epoch) {
                lease.ends_ms = ends_ms;
                held.insert(*account, *epoch);
            }
        }
        for account in &beat.take {
            let old = self.leases.get(account);
            if old.is_none_or(|lease| lease.holder == *me || now_ms >= lease.ends_ms) {
                let epoch = old.map_or(1, |lease| lease.epoch + 1);
                self.leases.insert(*account, Lease { holder: me.clone(), epoch, ends_ms });
                held.insert(*account, epoch);
            }
        }
        let left = |ends_ms: u64| Span::from_ms(ends_ms.saturating_sub(now_ms));
        let others = self.leases.iter().filter(|(_, l)| l.holder != *me && now_ms < l.ends_ms);
        let busy = others.map(|(account, l)| (*account, (l.holder.clone(), left(l.ends_ms)))).collect();
        let replicas = self.replicas.iter().map(|(id, wants, ends_ms)| Replica {
            id: id.clone(),
            wants: wants.clone(),
            expires_in: left(*ends_ms),
        });
        Board { held, busy, replicas: replicas.collect() }
    }

    /// A process is gone, and its leases with it: what a lock on a file does for a journal with one writer.
    pub fn gone(&mut self, me: &ReplicaId) {
        self.leases.values_mut().filter(|lease| lease.holder == *me).for_each(|lease| lease.ends_ms = 0);
        self.replicas.retain(|(id, ..)| id != me);
    }
}
