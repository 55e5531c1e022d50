//! The rig's part in a deployment of replicas: what the journal says about the lease of its account.

use super::*;
use publisher_core::lease::{Beat, Board, Epoch, LENGTH, Leases, Replica, ReplicaId};
use publisher_core::record::Recovered;

/// The account's lease, as the journal keeps it.
#[derive(Debug, Default)]
pub struct Lease {
    /// Another replica has taken it over.
    pub is_anothers: bool,
    /// It falls to another replica, which has not taken it yet.
    pub is_due_elsewhere: bool,
    /// The journal does not answer.
    pub is_unheard: bool,
    epoch: Epoch,
}

fn us() -> ReplicaId {
    ReplicaId::new("us")
}

fn another() -> ReplicaId {
    ReplicaId::new("another")
}

impl Rig {
    /// A rig whose machine has to hold the account's lease.
    pub fn leased(spec: Spec) -> Self {
        let mut rig = Self::new(spec);
        let wants = BTreeSet::from([ACCOUNT]);
        let together = rig.spec.acknowledge_halts;
        let leases = Leases::new(us(), Some(LENGTH), wants, together, rig.now());
        rig.machine = Machine::leased(rig.spec.clone(), leases, rig.now()).unwrap();
        rig
    }

    /// The same with its first round on chain and final.
    pub fn running_leased(spec: Spec) -> Self {
        let mut rig = Self::leased(spec);
        rig.blocks(8);
        assert_eq!(rig.rounds(&btc()).len(), 1, "{:#?}", rig.events);
        rig
    }

    /// Another replica takes the lease over.
    pub fn is_taken_over(&mut self) {
        self.lease.is_anothers = true;
        self.lease.epoch += 1;
    }

    /// What the journal answers to a beat.
    pub(super) fn beat(&mut self, ticket: Ticket, beat: &Beat) -> Input {
        let lease = &mut self.lease;
        if lease.is_unheard {
            return Input::Leases { ticket, board: None };
        }
        let mut board = Board::default();
        let alive = |id| Replica { id, wants: BTreeSet::from([ACCOUNT]), expires_in: LENGTH };
        if beat.release.get(&ACCOUNT) == Some(&lease.epoch) {
            lease.is_anothers = true;
            lease.epoch += 1;
        }
        if lease.is_anothers || lease.is_due_elsewhere {
            board.replicas.push(alive(another()));
        }
        if lease.is_anothers {
            board.busy.insert(ACCOUNT, (another(), LENGTH));
        } else if beat.take.contains(&ACCOUNT) {
            lease.epoch += 1;
            board.held.insert(ACCOUNT, lease.epoch);
        } else if beat.renew.get(&ACCOUNT) == Some(&lease.epoch) {
            board.held.insert(ACCOUNT, lease.epoch);
        }
        board.replicas.push(alive(us()));
        Input::Leases { ticket, board: Some(board) }
    }

    /// What the journal says now.
    pub fn recovered(&self) -> Option<Recovered> {
        (!self.lease.is_unheard).then(|| replay(&self.journal))
    }

    /// Whether the journal takes what is written in the epoch that the machine believes in.
    pub(super) fn is_fenced(&self) -> bool {
        self.machine.leases().is_some()
            && self.machine.epochs(self.now().mono).get(&ACCOUNT) != Some(&self.lease.epoch)
    }
}
