//! What comes out of a router.

use std::net::SocketAddr;

use super::{LegId, RoomId, Transport};
use crate::Kind;

/// What is to be done, or has happened.
#[derive(Debug)]
pub enum Output {
    /// To be sent.
    Transmit(Transmit),
    /// Happened.
    Event(Event),
}

/// A datagram. Those of one leg come one after the other, so that a run of equal size (but for the
/// last, which may be smaller) to one destination can be sent by one call as UDP segments.
#[derive(Debug)]
pub struct Transmit {
    /// For whom.
    pub leg: LegId,
    /// How.
    pub transport: Transport,
    /// The candidate of ours from which it goes.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub data: Vec<u8>,
}

/// What happens in a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An offer for a member. Until its answer there will be no other.
    Offer {
        /// Whose.
        leg: LegId,
        /// The description.
        sdp: String,
        /// The publisher of every stream in it.
        streams: Vec<(String, LegId)>,
    },
    /// A member sends.
    Published {
        /// Who.
        leg: LegId,
        /// What.
        kind: Kind,
    },
    /// A member does not send any more.
    Unpublished {
        /// Who.
        leg: LegId,
        /// What.
        kind: Kind,
    },
    /// A member would send, but is one too many of those who may. It stays, and listens.
    PublishRefused {
        /// Who.
        leg: LegId,
    },
    /// ICE and DTLS are up.
    Connected {
        /// Whose.
        leg: LegId,
    },
    /// A leg ended by itself. There will be nothing more of it.
    Closed {
        /// Which.
        leg: LegId,
        /// Why.
        reason: CloseReason,
    },
    /// Another member is heard most, or nobody is.
    ActiveSpeaker {
        /// Where.
        room: RoomId,
        /// Who.
        leg: Option<LegId>,
    },
}

/// Why a leg ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The other side said so.
    #[error("the member hung up")]
    HungUp,
    /// It did not answer an offer.
    #[error("an offer got no answer")]
    NoAnswer,
    /// Its answer was no answer to the offer.
    #[error("{0}")]
    BadAnswer(String),
    /// No path was found.
    #[error("no connection came about")]
    NotConnected,
    /// It does not answer any more.
    #[error("the connection was lost")]
    Lost,
    /// The engine gave up on it.
    #[error("the connection failed: {0}")]
    Failed(String),
    /// A fault of ours.
    #[error("an error inside")]
    Panicked,
}
