//! Datagrams on their way from one thread to another.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::Waker;

/// What may wait for a thread; more is lost, as in a full socket.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Datagrams on their way from one thread to another.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    bytes: Vec<u8>,
    /// From, to, and the length of its part of `bytes`.
    datagrams: Vec<(SocketAddr, SocketAddr, usize)>,
}

impl Parcel {
    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(crate) fn push(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.bytes.len() + payload.len() <= MOST_BYTES {
            self.bytes.extend_from_slice(payload);
            self.datagrams.push((from, to, payload.len()));
        }
    }

    /// Takes out everything, oldest first; the memory stays for the next time.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8])) {
        let mut at = 0;
        for (from, to, length) in self.datagrams.drain(..) {
            take(from, to, &self.bytes[at..at + length]);
            at += length;
        }
        self.bytes.clear();
    }
}

/// Where threads put what is for others.
#[derive(Debug, Default)]
pub(crate) struct Inboxes(RwLock<Vec<Inbox>>);

#[derive(Debug, Clone)]
struct Inbox {
    waiting: Arc<Mutex<Parcel>>,
    waker: Arc<Waker>,
}

impl Inboxes {
    /// A thread more; its index.
    pub(crate) fn join(&self, waker: Arc<Waker>) -> usize {
        let mut inboxes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        inboxes.push(Inbox { waiting: Arc::default(), waker });
        inboxes.len() - 1
    }

    /// Hands a parcel over, and leaves an empty one.
    pub(crate) fn hand_over(&self, thread: usize, parcel: &mut Parcel) {
        let inboxes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(inbox) = inboxes.get(thread) else { return };
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

    /// What waits for a thread, in exchange for an empty parcel.
    pub(crate) fn collect(&self, thread: usize, empty: &mut Parcel) {
        let inboxes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(inbox) = inboxes.get(thread) else { return };
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
