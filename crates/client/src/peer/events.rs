//! What a peer tells its application, and the queue between them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::{Mutex, mpsc};

use super::PeerError;
use crate::connection::{DataConnection, MediaConnection};

/// Events that wait until the driver stops reading from the server.
pub(super) const QUEUE: usize = 256;

/// What happened to a peer. Names and order are those of `PeerJS`, except where it says so.
#[derive(Debug)]
#[non_exhaustive]
pub enum PeerEvent {
    /// The peer is known to the server under this id, for the first time.
    Open {
        /// The peer's id.
        id: String,
    },
    /// Another peer has connected. Dropping the connection closes it.
    Connection(DataConnection),
    /// Another peer calls. Dropping the call declines it.
    Call(MediaConnection),
    /// The connection to the server is gone: lost, after [`Error`](Self::Error) with the reason, or
    /// ended by [`disconnect`](crate::Peer::disconnect). Connections to other peers go on. A lost
    /// one is made again, unless [`Reconnect`](crate::Reconnect) says otherwise.
    Disconnected {
        /// The peer's id.
        id: String,
    },
    /// The connection to the server is there again, under the same id. (`PeerJS` tells `open` once
    /// more instead.)
    Reconnected {
        /// The peer's id.
        id: String,
    },
    /// Something went wrong. If it ended the peer, [`Close`](Self::Close) follows.
    Error(PeerError),
    /// The peer is destroyed; the last event.
    Close,
}

/// The application's end of the queue. It closes with [`PeerEvent::Close`] by itself, for which
/// the queue needs no room.
pub(super) struct EventQueue {
    queue: Mutex<Inner>,
}

struct Inner {
    events: mpsc::Receiver<PeerEvent>,
    closed: bool,
}

impl EventQueue {
    pub(super) fn new(events: mpsc::Receiver<PeerEvent>) -> Self {
        Self { queue: Mutex::new(Inner { events, closed: false }) }
    }

    pub(super) async fn next(&self) -> Option<PeerEvent> {
        let mut inner = self.queue.lock().await;
        if let Some(event) = inner.events.recv().await {
            return Some(event);
        }
        let already = std::mem::replace(&mut inner.closed, true);
        (!already).then_some(PeerEvent::Close)
    }
}

/// The events of a peer as a stream; see [`Peer::events`](crate::Peer::events).
pub struct PeerEvents {
    stream: Pin<Box<dyn Stream<Item = PeerEvent> + Send>>,
}

impl PeerEvents {
    pub(super) fn new(queue: Arc<EventQueue>) -> Self {
        let stream = futures_util::stream::unfold(queue, |queue| async {
            let event = queue.next().await?;
            Some((event, queue))
        });
        Self { stream: Box::pin(stream) }
    }
}

impl std::fmt::Debug for PeerEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerEvents").finish_non_exhaustive()
    }
}

impl Stream for PeerEvents {
    type Item = PeerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerEvent>> {
        self.stream.as_mut().poll_next(cx)
    }
}
