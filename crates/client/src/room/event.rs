//! What a room tells its member.

use std::time::SystemTime;

use peerway_protocol::{RoomMode, Value};

use super::RoomError;
use crate::connection::{IceState, RemoteTrack};
use crate::media::TrackKind;

/// What happens in a room.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RoomEvent {
    /// This peer is in. Once; when the connection to the server was lost and is there again, the
    /// difference in members is told, as if they had come and gone.
    Open,
    /// Another peer came in.
    Joined {
        /// Its id.
        peer: String,
    },
    /// Another peer is out.
    Left {
        /// Its id.
        peer: String,
    },
    /// A member says something to all others.
    Data {
        /// Who.
        from: String,
        /// What.
        value: Value,
    },
    /// A track of another member.
    Track(RoomTrack),
    /// A track of another member has ended: it was taken back, its member is out, or the media
    /// connection ended and another one is made, with which it comes again.
    TrackEnded {
        /// Whose.
        peer: String,
        /// Of which of its streams; none for its first.
        stream: Option<String>,
        /// Which of the two in it.
        kind: TrackKind,
    },
    /// Another member is heard most now, or nobody is.
    Speaker(Option<String>),
    /// The ICE state of the media connection changed.
    IceStateChanged(IceState),
    /// Something went wrong. [`Close`](Self::Close) follows if that is the end.
    Error(RoomError),
    /// It is over. The last event.
    Close,
}

/// A track of another member.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RoomTrack {
    /// Whose.
    pub peer: String,
    /// What its publisher calls the stream that it belongs to, such as `screen`; none for its first.
    pub stream: Option<String>,
    /// The frames.
    pub track: RemoteTrack,
}

/// A line of a room's log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RoomLogEntry {
    /// When, by the server's clock.
    pub time: SystemTime,
    /// By whom.
    pub peer: String,
    /// What.
    pub action: RoomLogAction,
}

/// What a line of a room's log tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RoomLogAction {
    /// The peer came in.
    Joined(RoomMode),
    /// The peer went out.
    Left,
    /// The peer said something. Null if it was too long to be kept.
    Data(Value),
}
