//! What can go wrong with one connection.

use std::fmt;

use thiserror::Error;

/// The kinds of connection error, named as in `PeerJS` 1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionErrorKind {
    /// `send` before the channel is open, or after it closed.
    NotOpenYet,
    /// A message over what the other side takes.
    MessageTooBig,
    /// No way to the other side was found, or its description made no sense.
    NegotiationFailed,
    /// An open connection was lost.
    ConnectionClosed,
    /// The other peer is not there (the server's EXPIRE).
    PeerUnavailable,
    /// Something arrived that the channel's serialization cannot read, or a value cannot be
    /// written in it.
    Serialization,
}

impl ConnectionErrorKind {
    /// The `type` string of `PeerJS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOpenYet => "not-open-yet",
            Self::MessageTooBig => "message-too-big",
            Self::NegotiationFailed => "negotiation-failed",
            Self::ConnectionClosed => "connection-closed",
            Self::PeerUnavailable => "peer-unavailable",
            Self::Serialization => "serialization",
        }
    }
}

impl fmt::Display for ConnectionErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}: {message}")]
pub struct ConnectionError {
    /// For programs.
    pub kind: ConnectionErrorKind,
    /// For people.
    pub message: String,
}

impl ConnectionError {
    pub(crate) fn new(kind: ConnectionErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Why a value was not sent.
pub type SendError = ConnectionError;
