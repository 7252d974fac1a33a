//! What can go wrong in a room.

use std::fmt;

use thiserror::Error;

/// The kinds of error of a room; the words are those of `docs/reference/room-frames.md`, "Errors".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoomErrorKind {
    /// The room exists and is of the other mode.
    Mode,
    /// The server does not count this peer among the members (any more).
    NotInRoom,
    /// As many members as a room may have.
    Full,
    /// The peer is in as many rooms as it may be in.
    TooManyRooms,
    /// As many rooms as the app may have.
    AppFull,
    /// Rooms of mode SFU are not available for this key.
    NoSfu,
    /// As many members publish as may; this one stays a listener.
    PublishersFull,
    /// More than may be said at once, or nothing that can be said.
    Data,
    /// A text that cannot name a room.
    InvalidRoom,
    /// The server did not answer: it may know no rooms, as stock `PeerServer` does.
    NoAnswer,
    /// This is said, or asked, of a room that is over.
    Closed,
    /// What was asked is not possible in this room: publishing in a mesh room, or twice.
    NotPossible,
    /// The connection that carries media ended. Another one is made.
    Media,
    /// A word of a newer server.
    Other,
}

impl RoomErrorKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mode => "room_mode",
            Self::NotInRoom => "not_in_room",
            Self::Full => "room_full",
            Self::TooManyRooms => "too_many_rooms",
            Self::AppFull => "app_rooms_full",
            Self::NoSfu => "no_sfu",
            Self::PublishersFull => "publishers_full",
            Self::Data => "room_data",
            Self::InvalidRoom => "invalid_room",
            Self::NoAnswer => "no_answer",
            Self::Closed => "closed",
            Self::NotPossible => "not_possible",
            Self::Media => "media",
            Self::Other => "other",
        }
    }

    /// What the server's word means.
    pub(super) fn of_word(word: &str) -> Self {
        const TOLD: [RoomErrorKind; 9] = [
            RoomErrorKind::Mode,
            RoomErrorKind::NotInRoom,
            RoomErrorKind::Full,
            RoomErrorKind::TooManyRooms,
            RoomErrorKind::AppFull,
            RoomErrorKind::NoSfu,
            RoomErrorKind::PublishersFull,
            RoomErrorKind::Data,
            RoomErrorKind::InvalidRoom,
        ];
        TOLD.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Self::Other)
    }
}

impl fmt::Display for RoomErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong in a room.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}: {message}")]
pub struct RoomError {
    /// For programs.
    pub kind: RoomErrorKind,
    /// For people.
    pub message: String,
}

impl RoomError {
    pub(super) fn new(kind: RoomErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn closed() -> Self {
        Self::new(RoomErrorKind::Closed, "this stay in the room is over")
    }
}
