//! What a connection and its peer's driver know of each other.

use std::sync::Arc;

use peerway_protocol::peerjs::payload;
use peerway_protocol::{MediaStream, RoomName, RoomRequest};
use tokio::sync::{mpsc, watch};

use crate::transport::NetworkOptions;

/// A signal from the other peer, for one connection.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// The answer to our offer.
    Answer(payload::Answer),
    /// A candidate of the other side.
    Candidate(payload::Candidate),
    /// A later offer for the same connection: an ICE restart between two of our own SDKs.
    Restart(payload::Offer),
    /// An offer of a room's forwarding unit.
    Offer(RoomOffer),
    /// The server says that the other peer left.
    Leave,
    /// The other peer did not come in time (EXPIRE).
    Unreachable,
    /// Our own peer is destroyed.
    Destroyed,
}

/// What a room's forwarding unit offers.
#[derive(Debug, Clone)]
pub(crate) struct RoomOffer {
    pub(crate) sdp: Arc<str>,
    /// Whose the media streams in it are.
    pub(crate) streams: Arc<[MediaStream]>,
}

/// What is said through the server.
#[derive(Debug)]
pub(crate) enum Outbound {
    /// To another peer.
    Signal {
        /// The other peer's id.
        to: String,
        /// What is said.
        signal: Outgoing,
    },
    /// To a room.
    Room {
        /// Which.
        room: RoomName,
        /// What is asked.
        request: RoomRequest,
    },
}

/// The signals that a connection sends.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// The first word of a caller.
    Offer(payload::Offer),
    /// The answer to it.
    Answer(payload::Answer),
    /// One more way to reach us.
    Candidate(payload::Candidate),
}

/// What a peer lends to each of its connections.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Towards the signalling server. Bounded: a connection waits while the peer is not open.
    pub(crate) signals: mpsc::Sender<Outbound>,
    /// The way to the network. Its ICE servers change from time to time.
    pub(crate) network: watch::Receiver<Arc<NetworkOptions>>,
    /// Tells the peer that this machine has other addresses, so that it looks after its own
    /// connection to the server.
    pub(crate) moved: mpsc::Sender<()>,
    /// Tells the peer, by connection id, that a connection is over.
    pub(crate) closed: mpsc::UnboundedSender<String>,
}

/// A connection whose task runs.
#[derive(Debug)]
pub(crate) struct Started<C> {
    /// The application's handle.
    pub(crate) connection: C,
    /// Where the peer's driver puts what the other side says. Bounded; a full one means that the
    /// other side floods, and its signal may be dropped.
    pub(crate) inbox: mpsc::Sender<Inbound>,
    /// The connection id.
    pub(crate) id: String,
}
