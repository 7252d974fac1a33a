//! What clients ask of the broker, in no dialect.

use crate::{PeerId, RoomName, RoomRequest, Signal};

/// A client's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Bring this signal to that peer.
    Send {
        /// The receiver.
        to: PeerId,
        /// What to say.
        signal: Signal,
    },
    /// Ask a room for something.
    Room {
        /// The room.
        room: RoomName,
        /// What for.
        request: RoomRequest,
    },
    /// Forget me: the id becomes free at once.
    Depart,
}
