//! Rooms: what peers ask of them and are told by them, in no dialect.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{InvalidId, Json, MediaRequest, MediaStream, PeerId, StreamName};

/// The name of a room inside its app. Applications name rooms as they like, so only its length is
/// bounded; a name that came as a number is its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Longest name, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Takes a text as the name of a room.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(InvalidId::TooLong(Self::MAX_LEN));
        }
        Ok(Self(text.into()))
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold line breaks, which must not reach a log.
        write!(f, "{}", self.0.escape_debug())
    }
}

/// How media travels in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoomMode {
    /// From each member to each.
    Mesh,
    /// Through the server's selective forwarding unit.
    Sfu,
}

impl RoomMode {
    /// A lower-case word for logs, metrics and the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Sfu => "sfu",
        }
    }
}

/// What a member says to all others: JSON with the binary parts beside it, as Socket.IO has them
/// (`{"_placeholder":true,"num":0}` stands where part 0 belongs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomData {
    /// The JSON, as its sender wrote it.
    pub json: Json,
    /// The binary parts; shared by all who are told.
    pub attachments: Arc<[Bytes]>,
}

impl RoomData {
    /// Its weight in bytes, for limits.
    pub fn weight(&self) -> usize {
        self.json.as_str().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

/// What a peer asks of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomRequest {
    /// Let me in; the first one decides the mode.
    Join(RoomMode),
    /// I go.
    Leave,
    /// Who is in?
    Members,
    /// What happened?
    Log,
    /// Tell all others.
    Send(RoomData),
    /// Something for the room's forwarding unit.
    Media {
        /// The stream whose connection it is about; none for the first one.
        stream: Option<StreamName>,
        /// What.
        request: MediaRequest,
    },
}

impl RoomRequest {
    /// Something about the member's first connection with the forwarding unit.
    pub fn media(request: MediaRequest) -> Self {
        Self::Media { stream: None, request }
    }
}

/// What a room tells a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// A peer came in: told to all, the newcomer itself included.
    Joined {
        /// Who.
        peer: PeerId,
        /// All who are in now, in the order in which they came: the newcomer is the last.
        members: Arc<[PeerId]>,
    },
    /// A peer is out: told to those who stay.
    Left {
        /// Who.
        peer: PeerId,
    },
    /// Who is in, in the order in which they came.
    Members(Arc<[PeerId]>),
    /// A member says something: told to all others.
    Data {
        /// Who.
        from: PeerId,
        /// What.
        data: RoomData,
    },
    /// What happened, oldest first.
    Log(Arc<[LogEntry]>),
    /// The room's forwarding unit makes an offer.
    Offer {
        /// The stream of the member's own that it is for; none for its first connection.
        stream: Option<StreamName>,
        /// The session description.
        sdp: Arc<str>,
        /// Whose each media stream in it is, by its id. All of them, also those of earlier offers.
        streams: Arc<[MediaStream]>,
    },
    /// The connection with the forwarding unit is over; the stay in the room goes on.
    MediaClosed {
        /// The stream of the member's own whose connection it was; none for the first one.
        stream: Option<StreamName>,
        /// Why, for a person to read.
        reason: Arc<str>,
    },
    /// Who is heard most now, if anybody is.
    Speaker(Option<PeerId>),
}

/// One line of a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// By whom.
    pub peer: PeerId,
    /// What.
    pub action: LogAction,
}

/// What a line of a room's log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAction {
    /// The peer came in.
    Joined(RoomMode),
    /// The peer went out.
    Left,
    /// The peer said something.
    Data(RoomData),
}

impl RoomRequest {
    /// Its weight in bytes, for limits.
    pub fn weight(&self) -> usize {
        match self {
            Self::Send(data) => data.weight(),
            Self::Media { request, .. } => request.weight(),
            Self::Join(_) | Self::Leave | Self::Members | Self::Log => 0,
        }
    }
}

impl RoomEvent {
    /// Its weight in bytes, for limits.
    pub fn weight(&self) -> usize {
        match self {
            // The list is shared by all who are told, and counting its letters would make a join
            // cost the square of the members.
            Self::Joined { members, .. } | Self::Members(members) => 4 * members.len(),
            Self::Left { .. } | Self::Speaker(_) => 0,
            Self::Data { data, .. } => data.weight(),
            Self::Log(entries) => entries.iter().map(LogEntry::weight).sum(),
            Self::Offer { sdp, streams, .. } => sdp.len() + 64 * streams.len(),
            Self::MediaClosed { reason, .. } => reason.len(),
        }
    }
}

impl LogEntry {
    /// Its weight in bytes, with a flat charge for its bookkeeping.
    pub fn weight(&self) -> usize {
        const BOOKKEEPING: usize = 64;
        let data = match &self.action {
            LogAction::Data(data) => data.weight(),
            LogAction::Joined(_) | LogAction::Left => 0,
        };
        BOOKKEEPING + self.peer.as_str().len() + data
    }
}
