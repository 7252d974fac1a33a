//! What the broker wants done, and what it reports.

use peerway_protocol::{Address, AppKey, Event, PeerAddress, Refusal, SignalKind};

use crate::{Claim, MediaCommand, Parcel, SessionId};

/// One thing to do. The driver does them in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Put an event into a session's outbox.
    Tell(SessionId, Event),
    /// Move what still waits in the first session's outbox behind the second's.
    Handover {
        /// The session that ends.
        from: SessionId,
        /// The session that goes on.
        to: SessionId,
    },
    /// End a session, after what its outbox holds. The broker has forgotten it already.
    Hangup(SessionId, HangupReason),
    /// Ask the backplane for an address; answered by `handle_claimed` or `handle_refused`.
    Claim(Claim),
    /// Give an address back.
    Release(Address),
    /// Bring a parcel to the holder of its destination; `handle_undeliverable` if nobody is.
    Forward(Parcel),
    /// A parcel arrived for somebody who is no longer here: tell its sender's node.
    Return(Parcel),
    /// Ask for one `handle_up` when somebody holds the peer's address.
    Watch(PeerAddress),
    /// No longer interested.
    Unwatch(PeerAddress),
    /// Tell the forwarding unit.
    Media(MediaCommand),
    /// Something worth counting happened.
    Report(Happening),
}

/// Why a session is ended by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangupReason {
    /// The handshake was refused; the reason went before as an event.
    Refused,
    /// Another session of the same peer has taken over.
    Superseded,
    /// The client asked to be forgotten.
    Departed,
    /// The client sent more than it may.
    TooManyMessages,
    /// The client did not read what was sent to it.
    SlowReader,
    /// The client did not show that it is alive while another one wanted its id.
    Dead,
}

/// What happened, for metrics, logs and the console. The only source of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A peer is registered.
    PeerOpened(AppKey),
    /// A peer is gone.
    PeerClosed(AppKey),
    /// A peer goes on in another session, without having been away.
    SessionReplaced(AppKey),
    /// A peer came back within its grace.
    PeerResumed(AppKey),
    /// A session's transport is gone, and its client may come back.
    SessionLost(AppKey),
    /// A room is open: its first member came, and this node hosts it.
    RoomOpened(AppKey),
    /// The last member went out of a room that this node hosted.
    RoomClosed(AppKey),
    /// A peer came into a room that this node hosts.
    RoomJoined(AppKey),
    /// A peer is out of a room that this node hosts.
    RoomLeft(AppKey),
    /// A member said something to a room that this node hosts.
    RoomData {
        /// How many are told.
        receivers: usize,
    },
    /// A client sent a signal.
    Received(SignalKind),
    /// A signal was put into its receiver's outbox.
    Delivered(SignalKind),
    /// A signal was dropped because its receiver is not there and it does not wait.
    Dropped(SignalKind),
    /// A signal began to wait for its receiver; `bytes` is its weight.
    MailKept {
        /// Weight of the envelope.
        bytes: usize,
    },
    /// Signals stopped waiting, delivered or expired.
    MailGone {
        /// How many envelopes.
        messages: usize,
        /// Their weight.
        bytes: usize,
    },
    /// A pair's mail expired.
    Expired,
    /// A client was refused something.
    Refused(Refusal),
    /// A client was cut because it did not read.
    SlowReader,
}
