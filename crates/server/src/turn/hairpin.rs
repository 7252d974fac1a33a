//! The short way between two relayed addresses of this program: both peers behind NATs that let
//! nothing else through, as often as not. The kernel would carry the packet out of one socket of
//! ours and into another, which is most of what relaying costs; and behind a NAT of its own the
//! machine may not even reach itself by its public address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::worker::Waker;

/// What may wait for a worker; more is lost, as in a full socket.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Which worker has which relayed address.
#[derive(Debug)]
pub(super) struct Directory {
    addresses: Vec<IpAddr>,
    ports: RangeInclusive<u16>,
    workers: RwLock<HashMap<SocketAddr, usize>>,
    inboxes: RwLock<Vec<Inbox>>,
}

/// Where other workers put what is for the relays of one.
#[derive(Debug, Clone)]
struct Inbox {
    waiting: Arc<Mutex<Parcel>>,
    waker: Arc<Waker>,
}

/// Datagrams on their way from one worker to another.
#[derive(Debug, Default)]
pub(super) struct Parcel {
    bytes: Vec<u8>,
    /// From, to, and the length of its part of `bytes`.
    datagrams: Vec<(SocketAddr, SocketAddr, usize)>,
}

impl Parcel {
    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(super) fn push(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.bytes.len() + payload.len() <= MOST_BYTES {
            self.bytes.extend_from_slice(payload);
            self.datagrams.push((from, to, payload.len()));
        }
    }

    /// Takes out everything, oldest first; the memory stays for the next time.
    pub(super) fn drain(&mut self, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8])) {
        let mut at = 0;
        for (from, to, length) in self.datagrams.drain(..) {
            take(from, to, &self.bytes[at..at + length]);
            at += length;
        }
        self.bytes.clear();
    }
}

impl Directory {
    /// `addresses` and `ports` are those that relays can have, as the world sees them.
    pub(super) fn new(addresses: Vec<IpAddr>, ports: RangeInclusive<u16>) -> Self {
        let (workers, inboxes) = (RwLock::default(), RwLock::default());
        Self { addresses, ports, workers, inboxes }
    }

    /// A worker more; its index.
    pub(super) fn join(&self, waker: Arc<Waker>) -> usize {
        let mut inboxes = self.inboxes.write().unwrap_or_else(PoisonError::into_inner);
        inboxes.push(Inbox { waiting: Arc::default(), waker });
        inboxes.len() - 1
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

    /// Hands a parcel over, and leaves an empty one.
    pub(super) fn hand_over(&self, worker: usize, parcel: &mut Parcel) {
        let inboxes = self.inboxes.read().unwrap_or_else(PoisonError::into_inner);
        let Some(inbox) = inboxes.get(worker) else { return };
        let mut waiting = inbox.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let sleeping = waiting.is_empty();
        if sleeping {
            std::mem::swap(&mut *waiting, parcel);
        } else {
            parcel.drain(|from, to, payload| waiting.push(from, to, payload));
        }
        drop(waiting);
        if sleeping {
            inbox.waker.wake();
        }
    }

    /// What waits for a worker, in exchange for an empty parcel.
    pub(super) fn collect(&self, worker: usize, empty: &mut Parcel) {
        let inboxes = self.inboxes.read().unwrap_or_else(PoisonError::into_inner);
        let Some(inbox) = inboxes.get(worker) else { return };
        let mut waiting = inbox.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *waiting, empty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_comes_out_as_it_went_in_and_never_grows_without_bound() {
        let [a, b] = ["192.0.2.1:50000", "192.0.2.1:50001"].map(|it| it.parse().unwrap());
        let mut parcel = Parcel::default();
        parcel.push(a, b, b"one");
        parcel.push(b, a, b"");
        parcel.push(a, b, b"three");
        let mut out = Vec::new();
        parcel.drain(|from, to, payload| out.push((from, to, payload.to_vec())));
        assert_eq!(out, [(a, b, b"one".to_vec()), (b, a, vec![]), (a, b, b"three".to_vec())]);
        assert!(parcel.is_empty());
        let datagram = vec![0; 60_000];
        (0..1000).for_each(|_| parcel.push(a, b, &datagram));
        assert!(parcel.bytes.len() <= MOST_BYTES);
    }
}
