//! Peers that left a moment ago and may come back: their id is free again, but the same client
//! may resume without being told OPEN twice, and the peers it talked to are told late.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use peerway_protocol::{PeerAddress, PeerId};

use crate::Proof;

/// What is remembered of a peer that left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Departed {
    pub(crate) proof: Proof,
    /// Until when a fall-back transport resumes without OPEN.
    pub(crate) resume_until: Option<Instant>,
    /// When its contacts are told that it left.
    pub(crate) leave_at: Option<Instant>,
    pub(crate) contacts: BTreeSet<PeerId>,
}

#[derive(Debug)]
pub(crate) struct DepartedPeers {
    peers: HashMap<PeerAddress, (u64, Departed)>,
    due: BTreeMap<(Instant, u64), PeerAddress>,
    capacity: usize,
    next_number: u64,
}

impl DepartedPeers {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { peers: HashMap::new(), due: BTreeMap::new(), capacity, next_number: 0 }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Remembers a departure. When there is no room the one that is due first comes back, to be
    /// settled early.
    pub(crate) fn remember(
        &mut self,
        address: PeerAddress,
        departed: Departed,
    ) -> Option<(PeerAddress, Departed)> {
        let due = departed.resume_until.max(departed.leave_at)?;
        self.recall(&address);
        let number = self.next_number;
        self.next_number += 1;
        self.due.insert((due, number), address.clone());
        self.peers.insert(address, (number, departed));
        if self.peers.len() > self.capacity { self.pop_first(None) } else { None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.due.is_empty()
    }

    /// The peer is back, or somebody else has its id.
    pub(crate) fn recall(&mut self, address: &PeerAddress) -> Option<Departed> {
        let (number, departed) = self.peers.remove(address)?;
        if let Some(due) = departed.resume_until.max(departed.leave_at) {
            self.due.remove(&(due, number));
        }
        Some(departed)
    }

    /// Takes the next one whose time is over.
    pub(crate) fn settle_one(&mut self, now: Instant) -> Option<(PeerAddress, Departed)> {
        self.pop_first(Some(now))
    }

    fn pop_first(&mut self, until: Option<Instant>) -> Option<(PeerAddress, Departed)> {
        let entry = self.due.first_entry()?;
        if until.is_some_and(|until| entry.key().0 > until) {
            return None;
        }
        let address = entry.remove();
        let (_, departed) = self.peers.remove(&address)?;
        Some((address, departed))
    }
}
