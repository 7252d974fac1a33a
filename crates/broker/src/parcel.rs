//! What brokers send each other over the backplane, and what they ask of it.

use peerway_protocol::{
    Address, AppKey, Envelope, PeerAddress, PeerId, Refusal, RoomAddress, RoomEvent, RoomName,
    RoomRequest,
};

use crate::{Proof, SessionId};

/// One thing on its way to the holder of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parcel {
    /// What one peer says to another.
    Signal(Envelope),
    /// What a peer's broker asks of a room's.
    ToRoom(ToRoom),
    /// What a room's broker tells a peer's.
    FromRoom(FromRoom),
}

/// One stay of a peer in a room: what belongs to an earlier one is told apart by it. The number
/// is the time at which it began, in microseconds since 1970, made strictly increasing by the
/// peer's broker, so that no two nodes give the same without a coincidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stay(pub u64);

/// See [`Parcel::ToRoom`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToRoom {
    /// The app of both.
    pub app: AppKey,
    /// On whose behalf.
    pub from: PeerId,
    /// Which stay of the peer this belongs to.
    pub stay: Stay,
    /// The room.
    pub room: RoomName,
    /// What for.
    pub ask: Ask,
}

/// What a peer's broker asks of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// What the peer asks itself.
    Request(RoomRequest),
    /// The peer is gone; nobody waits for an answer.
    Departed,
    /// The peer goes on at another node, whose broker shall be told that it is a member.
    Moved {
        /// What the peer has shown, and has shown there too.
        proof: Proof,
        /// It has not heard yet that it is in.
        joining: bool,
    },
}

impl Ask {
    /// A lower-case word for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(RoomRequest::Join(_)) => "join",
            Self::Request(RoomRequest::Leave) => "leave",
            Self::Request(RoomRequest::Members) => "members",
            Self::Request(RoomRequest::Log) => "log",
            Self::Request(RoomRequest::Send(_)) => "data",
            Self::Request(RoomRequest::Media { .. }) => "media",
            Self::Departed => "departed",
            Self::Moved { .. } => "moved",
        }
    }
}

/// See [`Parcel::FromRoom`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromRoom {
    /// The app of both.
    pub app: AppKey,
    /// The room.
    pub room: RoomName,
    /// To whom.
    pub to: PeerId,
    /// Which stay of the peer this belongs to.
    pub stay: Stay,
    /// What.
    pub news: News,
}

/// What a room tells a peer's broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// For the peer itself.
    Event(RoomEvent),
    /// A request was refused; whether the peer is in stays as it was.
    Refused(Refusal),
    /// The stay is over, or never began.
    Out(Option<Refusal>),
    /// The peer is a member, from another node.
    Moved {
        /// What it has shown there.
        proof: Proof,
        /// This found nobody before: the peer may have moved once more.
        again: bool,
    },
    /// Is the peer there at all? What was sent to it came back.
    Knock,
}

impl Parcel {
    /// The address it goes to.
    pub fn destination(&self) -> Address {
        match self {
            Self::Signal(envelope) => envelope.destination().into(),
            Self::ToRoom(it) => it.room().into(),
            Self::FromRoom(it) => it.peer().into(),
        }
    }

    /// The address it comes from.
    pub fn source(&self) -> Address {
        match self {
            Self::Signal(envelope) => envelope.source().into(),
            Self::ToRoom(it) => it.peer().into(),
            Self::FromRoom(it) => it.room().into(),
        }
    }
}

impl From<Envelope> for Parcel {
    fn from(envelope: Envelope) -> Self {
        Self::Signal(envelope)
    }
}

impl ToRoom {
    /// The room that is asked.
    pub fn room(&self) -> RoomAddress {
        RoomAddress { app: self.app.clone(), room: self.room.clone() }
    }

    /// The peer that asks.
    pub fn peer(&self) -> PeerAddress {
        PeerAddress { app: self.app.clone(), peer: self.from.clone() }
    }
}

impl FromRoom {
    /// The room that tells.
    pub fn room(&self) -> RoomAddress {
        RoomAddress { app: self.app.clone(), room: self.room.clone() }
    }

    /// The peer that is told.
    pub fn peer(&self) -> PeerAddress {
        PeerAddress { app: self.app.clone(), peer: self.to.clone() }
    }
}

/// An address that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A peer's, on behalf of a session: granted if it is free or the proof matches.
    Peer {
        /// On whose behalf.
        session: SessionId,
        /// What is wanted.
        address: PeerAddress,
        /// Who may take it over later.
        proof: Proof,
    },
    /// A room's, to host it: granted if it is free.
    Room(RoomAddress),
}

/// Whose claim was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimant {
    /// A session's.
    Session(SessionId),
    /// This node's, which wants to host the room.
    Host(RoomAddress),
}

impl Claim {
    /// What is wanted.
    pub fn address(&self) -> Address {
        match self {
            Self::Peer { address, .. } => address.clone().into(),
            Self::Room(address) => address.clone().into(),
        }
    }

    /// Who may take it over later; nobody may take a room over.
    pub fn proof(&self) -> Option<Proof> {
        match self {
            Self::Peer { proof, .. } => Some(*proof),
            Self::Room(_) => None,
        }
    }

    /// Who is to hear the answer.
    pub fn claimant(&self) -> Claimant {
        match self {
            Self::Peer { session, .. } => Claimant::Session(*session),
            Self::Room(address) => Claimant::Host(address.clone()),
        }
    }
}
