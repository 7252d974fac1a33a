//! What the broker tells clients, in no dialect.

use thiserror::Error;

use crate::{PeerId, RoomEvent, RoomName, Signal};

/// Something a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer is registered under its id.
    Opened,
    /// The session goes on for a peer whose client has been told `Opened` before.
    Resumed,
    /// Somebody else wants this peer's id: show that you are alive. A matter of the transport; no
    /// client sees it.
    Probe,
    /// Another peer says something.
    Signal {
        /// Who says it.
        from: PeerId,
        /// What is said.
        signal: Signal,
    },
    /// A room tells something to a member.
    Room {
        /// The room.
        room: RoomName,
        /// What.
        event: RoomEvent,
    },
    /// What was said to this peer did not reach it in time.
    Expired {
        /// The peer that did not come.
        peer: PeerId,
    },
    /// The server will not do what was asked.
    Refused(Refusal),
}

impl Event {
    /// What it costs to keep in an outbox, in bytes, with a flat charge for its bookkeeping.
    pub fn weight(&self) -> usize {
        const BOOKKEEPING: usize = 128;
        match self {
            Self::Signal { signal, .. } => BOOKKEEPING + signal.weight(),
            Self::Room { event, .. } => BOOKKEEPING + event.weight(),
            Self::Opened
            | Self::Resumed
            | Self::Probe
            | Self::Expired { .. }
            | Self::Refused(_) => BOOKKEEPING,
        }
    }
}

/// Why the server will not do something, in words that its user can act on. The texts of the
/// first five are those of `PeerServer`, which applications may compare.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A handshake without id, token or key.
    #[error("No id, token, or key supplied to websocket server")]
    Incomplete,
    /// The app key is not known here.
    #[error("Invalid key provided")]
    UnknownKey,
    /// The id is open in another session.
    #[error("ID is taken")]
    IdTaken,
    /// The app has as many peers as it may have.
    #[error("Server has reached its concurrent user limit")]
    AppFull,
    /// One network address has as many sessions as it may have.
    #[error("{0} has reached its concurrent user limit")]
    AddressFull(String),
    /// The page's origin is not registered for the app key.
    #[error("Origin {0} is not allowed for this key")]
    OriginNotAllowed(String),
    /// The app wants ids to be signed and this token does not sign this id.
    #[error("Token refused: {0}")]
    TokenRefused(String),
    /// An id that cannot be one.
    #[error("Invalid id: it {0}")]
    InvalidId(crate::InvalidId),
    /// A frame that is not what the dialect allows.
    #[error("Invalid message: {0}")]
    Malformed(String),
    /// A frame over the size limit; the field is the limit in bytes.
    #[error("Message too big: the limit is {0} bytes")]
    FrameTooBig(usize),
    /// More messages than the server takes from one session; the field is the limit per second.
    #[error("Too many messages: the limit is {0} per second")]
    TooManyMessages(u32),
    /// Too much mail from this sender waits for peers that are not connected.
    #[error("Too many messages wait for peers that are not connected; last refused: {0}")]
    SenderMailFull(PeerId),
    /// Too much mail of the whole app waits for peers that are not connected.
    #[error(
        "The server keeps no more messages for peers that are not connected; last refused: {0}"
    )]
    AppMailFull(PeerId),
    /// A text that cannot name a room.
    #[error("Invalid room name: it {0}")]
    InvalidRoom(crate::InvalidId),
    /// The room exists, and media travels otherwise in it.
    #[error("The room {room} exists already and is of type {}", mode.name())]
    RoomMode {
        /// The room.
        room: RoomName,
        /// What it is.
        mode: crate::RoomMode,
    },
    /// Only members may ask this.
    #[error("Not in the room {0}: join it first")]
    NotInRoom(RoomName),
    /// The room has as many members as it may have; the number is the limit.
    #[error("The room {0} is full: the limit is {1} members")]
    RoomFull(RoomName, usize),
    /// The peer is in as many rooms as it may be in; the number is the limit.
    #[error("Not let into the room {0}, being in too many: the limit is {1}")]
    TooManyRooms(RoomName, usize),
    /// The app has as many rooms as it may have; the number is the limit.
    #[error("The room {0} is not opened: the limit is {1} rooms for this key")]
    AppRoomsFull(RoomName, usize),
    /// As many members of the room publish media as may; the number is the limit.
    #[error("Your media is not taken into the room {0}: the limit is {1} publishers")]
    PublishersFull(RoomName, usize),
    /// As many streams beside the first one as a member may have; the number is the limit.
    #[error("This stream is not taken into the room {0}: the limit is {1} beside the first one")]
    TooManyStreams(RoomName, usize),
    /// There is no forwarding unit to talk to in a room of this type.
    #[error("The room {0} is of type mesh: its media go from member to member")]
    MeshRoom(RoomName),
    /// The app, or this server, has no selective forwarding unit.
    #[error("Not let into the room {0}: rooms of type sfu are not available for this key")]
    NoSfu(RoomName),
    /// What was said to a room is too big; the number is the limit in bytes.
    #[error("Message too big for the room {0}: the limit is {1} bytes")]
    RoomDataTooBig(RoomName, usize),
    /// What flows between the two would not be understood.
    #[error("{0}")]
    Incompatible(String),
    /// The app's sessions of this month are used up; the number is the quota.
    #[error("The sessions of this key for this month are used up: the quota is {0}")]
    QuotaUsed(u64),
}

impl Refusal {
    /// The room that will not do what was asked, where one is named.
    pub fn room(&self) -> Option<&RoomName> {
        match self {
            Self::RoomMode { room, .. }
            | Self::NotInRoom(room)
            | Self::RoomFull(room, _)
            | Self::TooManyRooms(room, _)
            | Self::AppRoomsFull(room, _)
            | Self::NoSfu(room)
            | Self::MeshRoom(room)
            | Self::PublishersFull(room, _)
            | Self::TooManyStreams(room, _)
            | Self::RoomDataTooBig(room, _) => Some(room),
            _ => None,
        }
    }

    /// Whether it answers what was asked of a room.
    pub fn is_about_rooms(&self) -> bool {
        self.room().is_some() || matches!(self, Self::InvalidRoom(_))
    }

    /// A lower-case word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::UnknownKey => "unknown_key",
            Self::IdTaken => "id_taken",
            Self::AppFull => "app_full",
            Self::AddressFull(_) => "address_full",
            Self::OriginNotAllowed(_) => "origin",
            Self::TokenRefused(_) => "token",
            Self::InvalidId(_) => "invalid_id",
            Self::Malformed(_) => "malformed",
            Self::FrameTooBig(_) => "frame_too_big",
            Self::TooManyMessages(_) => "message_rate",
            Self::SenderMailFull(_) => "sender_mail",
            Self::AppMailFull(_) => "app_mail",
            Self::InvalidRoom(_) => "invalid_room",
            Self::RoomMode { .. } => "room_mode",
            Self::NotInRoom(_) => "not_in_room",
            Self::RoomFull(..) => "room_full",
            Self::TooManyRooms(..) => "too_many_rooms",
            Self::AppRoomsFull(..) => "app_rooms_full",
            Self::NoSfu(_) => "no_sfu",
            Self::MeshRoom(_) => "mesh_room",
            Self::PublishersFull(..) => "publishers_full",
            Self::TooManyStreams(..) => "too_many_streams",
            Self::RoomDataTooBig(..) => "room_data",
            Self::Incompatible(_) => "incompatible",
            Self::QuotaUsed(_) => "quota",
        }
    }
}
