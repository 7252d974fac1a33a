//! What `ERROR` calls what went wrong (section 1.6 of the dialect's page).

use super::FrameError;
use crate::Refusal;

/// The member `type` of `ERROR`. Applications compare it, so nothing new is invented here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// The id cannot be one.
    InvalidId,
    /// The key is not known.
    InvalidKey,
    /// The page's origin is not registered for the key.
    InvalidDomain,
    /// The id is in use by another session.
    UnavailableId,
    /// The receiver is not there, or cannot be talked to.
    PeerUnavailable,
    /// The credential is no good.
    Authentication,
    /// Something about a room.
    RoomError,
    /// Anything else that the server will not do.
    ServerError,
    /// The key's sessions of the month are used up.
    SignalingLimited,
    /// The key's relayed bytes of the month are used up.
    TurnLimited,
}

impl ErrorType {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidId => "invalid-id",
            Self::InvalidKey => "invalid-key",
            Self::InvalidDomain => "invalid-domain",
            Self::UnavailableId => "unavailable-id",
            Self::PeerUnavailable => "peer-unavailable",
            Self::Authentication => "authentication",
            Self::RoomError => "room-error",
            Self::ServerError => "server-error",
            Self::SignalingLimited => "signaling-limited",
            Self::TurnLimited => "turn-limited",
        }
    }
}

impl From<&Refusal> for ErrorType {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::UnknownKey => Self::InvalidKey,
            Refusal::OriginNotAllowed(_) => Self::InvalidDomain,
            Refusal::IdTaken => Self::UnavailableId,
            Refusal::InvalidId(_) => Self::InvalidId,
            Refusal::TokenRefused(_) => Self::Authentication,
            Refusal::QuotaUsed(_) => Self::SignalingLimited,
            Refusal::Incompatible(_) => Self::PeerUnavailable,
            Refusal::InvalidRoom(_)
            | Refusal::RoomMode { .. }
            | Refusal::NotInRoom(_)
            | Refusal::RoomFull(..)
            | Refusal::TooManyRooms(..)
            | Refusal::AppRoomsFull(..)
            | Refusal::RoomDataTooBig(..)
            | Refusal::NoSfu(_)
            | Refusal::MeshRoom(_)
            | Refusal::PublishersFull(..)
            | Refusal::TooManyStreams(..) => Self::RoomError,
            Refusal::Incomplete
            | Refusal::AppFull
            | Refusal::AddressFull(_)
            | Refusal::Malformed(_)
            | Refusal::FrameTooBig(_)
            | Refusal::TooManyMessages(_)
            | Refusal::SenderMailFull(_)
            | Refusal::AppMailFull(_) => Self::ServerError,
        }
    }
}

impl FrameError {
    /// What the client is told it is.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Receiver(_) => ErrorType::PeerUnavailable,
            Self::Room(_) => ErrorType::RoomError,
            Self::NotAMessage(_) | Self::Binary => ErrorType::ServerError,
        }
    }
}
