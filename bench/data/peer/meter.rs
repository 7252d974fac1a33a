//! How fast messages arrive.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Counts one transfer at a time.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Option<Transfer>>);

struct Transfer {
    expected: usize,
    bytes: usize,
    /// When the first message was there, and its size.
    first: Option<(Instant, usize)>,
    complete: oneshot::Sender<Arrival>,
}

/// What came after the first message, and in which time.
pub(crate) struct Arrival {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl Meter {
    /// Begins to count; answers when so many bytes have come.
    pub(crate) fn expect(&self, expected: usize) -> oneshot::Receiver<Arrival> {
        let (complete, arrival) = oneshot::channel();
        *self.transfer() = Some(Transfer { expected, bytes: 0, first: None, complete });
        arrival
    }

    pub(crate) fn count(&self, now: Instant, bytes: usize) {
        let mut place = self.transfer();
        let Some(transfer) = place.as_mut() else { return };
        let (start, first) = *transfer.first.get_or_insert((now, bytes));
        transfer.bytes += bytes;
        if transfer.bytes >= transfer.expected {
            let arrival = Arrival { bytes: transfer.bytes - first, time: now - start };
            if let Some(transfer) = place.take() {
                let _ = transfer.complete.send(arrival);
            }
        }
    }

    fn transfer(&self) -> MutexGuard<'_, Option<Transfer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
