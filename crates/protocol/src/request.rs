//! What clients ask of the broker, in no dialect.

use crate::{PeerId, Signal};

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
    /// Forget me: the id becomes free at once.
    Depart,
}
