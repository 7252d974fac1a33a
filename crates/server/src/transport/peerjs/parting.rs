//! How a `WebSocket` session ends: what its client is told, and what the log says.

use peerway_broker::HangupReason;
use peerway_protocol::Refusal;
use tungstenite::Utf8Bytes;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::outbox::Ending;

/// Why a session is over.
pub(super) enum Over {
    /// The node ends it.
    Ended(Ending),
    /// The client closed it.
    Closed,
    /// The connection broke.
    Lost,
    /// The client has been silent for too long.
    Dead,
    /// The client has not read for too long.
    Stuck,
    /// The client sent what it may not.
    Refused(Refusal, CloseCode),
    /// The client does not speak `WebSocket`.
    Protocol(String),
}

/// What is left to do.
pub(super) struct Parting {
    /// A last message.
    pub(super) refusal: Option<Refusal>,
    /// How to close; `None` where the connection is of no more use.
    pub(super) close: Option<Close>,
    /// For log and metrics.
    pub(super) reason: &'static str,
}

/// The form of a close.
pub(super) enum Close {
    /// Without a code, as `PeerServer` does.
    Plain,
    /// With a code and a text for people.
    With(CloseCode, String),
}

impl Over {
    pub(super) fn not_utf8() -> Self {
        Self::Refused(Refusal::Malformed("not UTF-8 text".into()), CloseCode::Invalid)
    }

    pub(super) fn parting(self) -> Parting {
        let broken = |reason| Parting { refusal: None, close: None, reason };
        match self {
            Self::Ended(ending) => farewell(ending),
            Self::Closed => Parting { refusal: None, close: Some(Close::Plain), reason: "closed" },
            Self::Lost => broken("lost"),
            Self::Dead => broken("dead"),
            Self::Stuck => broken("stuck"),
            Self::Refused(refusal, code) => Parting {
                close: Some(Close::With(code, refusal.to_string())),
                reason: refusal.name(),
                refusal: Some(refusal),
            },
            Self::Protocol(message) => Parting {
                refusal: None,
                close: Some(Close::With(CloseCode::Protocol, message)),
                reason: "websocket_protocol",
            },
        }
    }
}

/// What the node decided. Refused handshakes close without a code: the reason went before as a
/// message.
fn farewell(ending: Ending) -> Parting {
    let (code, text, reason) = match ending {
        Ending::Hangup(HangupReason::Refused) => {
            return Parting { refusal: None, close: Some(Close::Plain), reason: "refused" };
        }
        Ending::Hangup(HangupReason::Superseded) => {
            (CloseCode::Normal, "another connection of this peer took over", "superseded")
        }
        Ending::Hangup(HangupReason::Dead) => {
            return Parting { refusal: None, close: None, reason: "dead" };
        }
        Ending::Hangup(HangupReason::Departed) => (CloseCode::Normal, "peer left", "departed"),
        Ending::Hangup(HangupReason::TooManyMessages) => {
            (CloseCode::Policy, "too many messages", "message_rate")
        }
        Ending::Hangup(HangupReason::SlowReader) => {
            (CloseCode::Policy, "slow reader", "slow_reader")
        }
        Ending::Shutdown => (CloseCode::Away, "server is shutting down", "shutdown"),
    };
    Parting { refusal: None, close: Some(Close::With(code, text.to_owned())), reason }
}

impl Close {
    pub(super) fn frame(self) -> Option<CloseFrame> {
        match self {
            Self::Plain => None,
            Self::With(code, text) => {
                // RFC 6455, section 5.5: a control frame has at most 125 bytes, two of them the code.
                let end = text.floor_char_boundary(123);
                Some(CloseFrame { code, reason: Utf8Bytes::from(&text[..end]) })
            }
        }
    }
}
