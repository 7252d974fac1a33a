//! What peers say to each other through the broker.

use std::fmt;
use std::sync::Arc;

use crate::{AppKey, PeerAddress, PeerId};

/// The kinds of signal that are relayed from peer to peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// An SDP offer.
    Offer,
    /// An SDP answer.
    Answer,
    /// An ICE candidate.
    Candidate,
    /// The sender closes every connection to the receiver.
    Leave,
    /// The receiver's messages did not reach the sender in time.
    Expire,
    /// The sender closes one connection to the receiver: SkyWay's forced close.
    Close,
    /// The receiver's offer was not delivered, because what would flow on the connection would not
    /// be understood; the payload is a JSON text that says why. Only servers say this.
    Reject,
}

impl SignalKind {
    /// All kinds, for tables.
    pub const ALL: [Self; 7] = [
        Self::Offer,
        Self::Answer,
        Self::Candidate,
        Self::Leave,
        Self::Expire,
        Self::Close,
        Self::Reject,
    ];

    /// A lower-case word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
            Self::Leave => "leave",
            Self::Expire => "expire",
            Self::Close => "close",
            Self::Reject => "reject",
        }
    }

    /// Whether it waits for a peer that is not there yet. LEAVE and EXPIRE speak of the past, so
    /// they are dropped instead (`docs/reference/peerjs-dialect.md` B3).
    pub fn waits_for_peer(self) -> bool {
        matches!(self, Self::Offer | Self::Answer | Self::Candidate)
    }
}

/// Whose wire format a client speaks, and a payload is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dialect {
    /// `PeerJS` of all generations, the SkyWay fork of it, and our own SDKs.
    #[default]
    PeerJs,
    /// `skyway-js` 1.x to 4.x (`ECLWebRTC`).
    SkyWay,
}

/// JSON text exactly as a client sent it: order, spacing and unknown members survive. A clone
/// shares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Arc<str>);

impl Json {
    /// Wraps text that a JSON parser has accepted as one value.
    pub(crate) fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// A JSON string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self(serde_json::to_string(text).expect("a string is always valid JSON").into())
    }

    /// The JSON `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SDP holds addresses: the length is enough for a log.
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// One thing a peer says to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// What it is.
    pub kind: SignalKind,
    /// The dialect's own object, untouched. `None` where the frame had no such member.
    pub payload: Option<Json>,
    /// Whose object.
    pub dialect: Dialect,
}

impl Signal {
    /// A signal that carries nothing but its kind.
    pub fn bare(kind: SignalKind) -> Self {
        Self { kind, payload: None, dialect: Dialect::default() }
    }

    /// Its weight in bytes, for limits.
    pub fn weight(&self) -> usize {
        self.payload.as_ref().map_or(0, |json| json.as_str().len())
    }
}

/// A signal with its sender and receiver, who are always of the same app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The app of both.
    pub app: AppKey,
    /// Who says it: the broker's own knowledge, never what a frame claims.
    pub from: PeerId,
    /// Who shall hear it.
    pub to: PeerId,
    /// What is said.
    pub signal: Signal,
}

impl Envelope {
    /// The address it goes to.
    pub fn destination(&self) -> PeerAddress {
        PeerAddress { app: self.app.clone(), peer: self.to.clone() }
    }

    /// The address it comes from.
    pub fn source(&self) -> PeerAddress {
        PeerAddress { app: self.app.clone(), peer: self.from.clone() }
    }

    /// What it costs to keep, in bytes, with a flat charge for its bookkeeping.
    pub fn weight(&self) -> usize {
        const BOOKKEEPING: usize = 128;
        BOOKKEEPING + self.signal.weight()
    }
}
