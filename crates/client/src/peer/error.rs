//! What can go wrong with a peer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The kinds of error, named as in `PeerJS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerErrorKind {
    /// The id cannot be one: letters and digits of ASCII, with single spaces, dashes and
    /// underscores between them.
    InvalidId,
    /// The server does not know the app key, or does not allow it to this origin.
    InvalidKey,
    /// The id is in use by another peer.
    UnavailableId,
    /// The server asks for a credential and did not get a good one: HTTP 401 or 403, a refused
    /// token. `PeerJS` has no kind of its own for it: [`as_str`](Self::as_str) is `server-error`.
    Unauthorized,
    /// The server said something else that ends the peer, or is no server of this protocol.
    ServerError,
    /// The server cannot be reached, or the connection to it is lost.
    Network,
    /// No secure connection to the server: wrong name in its certificate, an authority that
    /// nobody trusts, no TLS at all at that port.
    SslUnavailable,
    /// The peer that was called is not there.
    PeerUnavailable,
    /// There is no signalling connection, and none is coming: after
    /// [`disconnect`](crate::Peer::disconnect), or when reconnecting was given up.
    Disconnected,
    /// The peer is destroyed. `PeerJS` has no kind of its own for it:
    /// [`as_str`](Self::as_str) is `disconnected`.
    Destroyed,
    /// A connection could not be made of what the other side said.
    WebRtc,
    /// An option that cannot be right: an address that is none, a file that cannot be read.
    /// `PeerJS` has no kind of its own for it: [`as_str`](Self::as_str) is `server-error`.
    InvalidOption,
}

impl PeerErrorKind {
    /// The `type` string that `PeerJS` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidId => "invalid-id",
            Self::InvalidKey => "invalid-key",
            Self::UnavailableId => "unavailable-id",
            Self::Unauthorized | Self::ServerError | Self::InvalidOption => "server-error",
            Self::Network => "network",
            Self::SslUnavailable => "ssl-unavailable",
            Self::PeerUnavailable => "peer-unavailable",
            Self::Disconnected | Self::Destroyed => "disconnected",
            Self::WebRtc => "webrtc",
        }
    }
}

impl fmt::Display for PeerErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong with a peer. [`Display`](fmt::Display) gives the message, which says what to do.
#[derive(Debug, Clone)]
pub struct PeerError {
    kind: PeerErrorKind,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PeerError {
    pub(crate) fn new(kind: PeerErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// For programs.
    pub fn kind(&self) -> PeerErrorKind {
        self.kind
    }

    /// For people: what happened and what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PeerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
