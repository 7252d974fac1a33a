//! What a member may choose.

use peerway_protocol::RoomMode;

use crate::media::Codec;

/// Frames of more bytes end the connection to a peerway server (`limits.frame_size`).
const LARGEST_MESSAGE: usize = 256 * 1024;

/// Options of [`Peer::join_room`](crate::Peer::join_room), which also takes a bare [`RoomMode`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RoomOptions {
    /// How media travels. The first member decides; who comes later must want the same.
    pub mode: RoomMode,
    /// Whether media of others is received, in a room of mode SFU; default: yes. Without it there is
    /// no media connection until something is published, and then all media comes.
    pub receive: bool,
    /// Allowed codecs; default: all. The room decides which of them to prefer.
    pub codecs: Vec<Codec>,
    /// The longest frame that the server takes, in bytes (`limits.frame_size`); default: 256 KiB.
    /// [`Room::send`](crate::Room::send) refuses what is longer, for the server would cut the
    /// connection.
    pub largest_message: usize,
}

impl RoomOptions {
    /// The defaults for a mode.
    #[must_use]
    pub fn new(mode: RoomMode) -> Self {
        let codecs = Vec::new();
        Self { mode, receive: true, codecs, largest_message: LARGEST_MESSAGE }
    }

    /// Sets whether media of others is received.
    #[must_use]
    pub fn receive(mut self, receive: bool) -> Self {
        self.receive = receive;
        self
    }

    /// Allows only these codecs.
    #[must_use]
    pub fn codecs(mut self, codecs: impl Into<Vec<Codec>>) -> Self {
        self.codecs = codecs.into();
        self
    }

    /// Sets what the server takes at most.
    #[must_use]
    pub fn largest_message(mut self, bytes: usize) -> Self {
        self.largest_message = bytes;
        self
    }
}

impl From<RoomMode> for RoomOptions {
    fn from(mode: RoomMode) -> Self {
        Self::new(mode)
    }
}
