//! The short way between two relayed addresses of this program: both peers behind NATs that let
//! nothing else through, as often as not. The kernel would carry the packet out of one socket of
//! ours and into another, which is most of what relaying costs; and behind a NAT of its own the
//! machine may not even reach itself by its public address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{PoisonError, RwLock};

/// Which worker has which relayed address.
#[derive(Debug)]
pub(super) struct Directory {
    addresses: Vec<IpAddr>,
    ports: RangeInclusive<u16>,
    workers: RwLock<HashMap<SocketAddr, usize>>,
}

impl Directory {
    /// `addresses` and `ports` are those that relays can have, as the world sees them.
    pub(super) fn new(addresses: Vec<IpAddr>, ports: RangeInclusive<u16>) -> Self {
        Self { addresses, ports, workers: RwLock::default() }
    }

    /// Whether an address can be a relayed one at all.
    pub(super) fn is_ours(&self, address: SocketAddr) -> bool {
        self.ports.contains(&address.port()) && self.addresses.contains(&address.ip())
    }

    pub(super) fn enter(&self, address: SocketAddr, worker: usize) {
        self.workers.write().unwrap_or_else(PoisonError::into_inner).insert(address, worker);
    }

    pub(super) fn leave(&self, address: SocketAddr) {
        self.workers.write().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }

    /// The worker that has an address; none has those of clients on streams.
    pub(super) fn worker_of(&self, address: SocketAddr) -> Option<usize> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        workers.get(&address).copied()
    }
}
