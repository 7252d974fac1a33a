//! What a worker is told to do by the node loop and by the tasks that accept connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerway_broker::{LegId, MediaCommand};
use peerway_media::{LegOptions, RoomId};
use peerway_protocol::{PeerAddress, RoomAddress};
use tokio::sync::oneshot;

use super::report::MemberReport;
use super::stream::Incoming;
use crate::udp::Waker;

/// What may wait of that which is of no consequence if it is lost, or which its sender repeats.
const MOST: usize = 65_536;

/// See the module documentation.
#[derive(Debug)]
pub(super) enum Order {
    Open {
        leg: LegId,
        /// As the router knows it.
        id: RoomId,
        room: RoomAddress,
        peer: PeerAddress,
        options: LegOptions,
    },
    /// Tell that there is no place for a leg.
    Refuse(LegId, String),
    /// Any command but to open.
    Media(MediaCommand),
    /// Tell how all legs are.
    Report(oneshot::Sender<Vec<MemberReport>>),
    /// Fail, to show what that costs.
    #[cfg(test)]
    Fault,
    /// A TCP connection that begins with a check for a leg of this worker.
    Stream(Incoming),
}

impl Order {
    /// Whether the worker must hear of it, however long the queue is. There are two of these at most
    /// for each leg, whose number is bounded.
    fn is_vital(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Refuse(..) | Self::Media(MediaCommand::Close(_)))
    }
}

/// Where orders wait for their worker.
#[derive(Debug)]
pub(super) struct Orders {
    waiting: Mutex<VecDeque<Order>>,
    waker: Arc<Waker>,
}

impl Orders {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { waiting: Mutex::default(), waker }
    }

    /// Never waits. A worker that is so far behind that nothing more fits loses answers, as if they
    /// had not come in time: their legs end.
    pub(super) fn push(&self, order: Order) {
        let mut waiting = self.lock();
        if waiting.len() >= MOST && !order.is_vital() {
            tracing::debug!("a worker of the SFU is too far behind: an order is lost");
            return;
        }
        let sleeping = waiting.is_empty();
        waiting.push_back(order);
        drop(waiting);
        if sleeping {
            self.waker.wake();
        }
    }

    /// All that waits.
    pub(super) fn take(&self) -> VecDeque<Order> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
