//! What a caller may choose.

use std::time::Duration;

use peerway_protocol::data::Serialization;
use serde_json::Value as Json;

/// How long a message of an unreliable channel is worth sending (W3C: `maxPacketLifeTime`,
/// `maxRetransmits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// Until it arrives.
    #[default]
    Reliable,
    /// At most so long, counted from its first transmission. Up to 65 535 ms.
    Time(Duration),
    /// At most so many retransmissions.
    Retransmits(u16),
}

/// Options of [`Peer::connect`](crate::Peer::connect); names and defaults are those of `PeerJS` 1.5.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// A name for the channel; default: the connection id.
    pub label: Option<String>,
    /// Anything that the other side shall know at once, as JSON.
    pub metadata: Option<Json>,
    /// How values become messages; default: `binary`.
    pub serialization: Serialization,
    /// Ordered delivery, as in `PeerJS` 1.5 where `reliable: false`, the default, means
    /// unordered but complete.
    pub reliable: bool,
    /// When to give a message up; the default is never.
    pub lifetime: Lifetime,
}

impl ConnectOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the channel's name.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets what the other side shall know at once.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Json>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Sets how values become messages.
    #[must_use]
    pub fn serialization(mut self, serialization: Serialization) -> Self {
        self.serialization = serialization;
        self
    }

    /// Asks for ordered delivery.
    #[must_use]
    pub fn reliable(mut self, reliable: bool) -> Self {
        self.reliable = reliable;
        self
    }

    /// Sets when to give a message up.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }
}

/// Which kinds of media one side sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaSelection {
    /// A sound track.
    pub audio: bool,
    /// A picture track.
    pub video: bool,
}

impl MediaSelection {
    /// Sound and picture.
    pub const BOTH: Self = Self { audio: true, video: true };
    /// Only sound.
    pub const AUDIO: Self = Self { audio: true, video: false };
    /// Only picture.
    pub const VIDEO: Self = Self { audio: false, video: true };
    /// Nothing: the caller only receives.
    pub const NONE: Self = Self { audio: false, video: false };
}

/// Options of [`Peer::call`](crate::Peer::call) and
/// [`MediaConnection::answer`](crate::MediaConnection::answer).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallOptions {
    /// Anything that the other side shall know at once, as JSON. Only a caller's counts.
    pub metadata: Option<Json>,
    /// What this side sends; default: sound and picture.
    pub send: MediaSelection,
    /// Codecs in order of preference; default: VP8, VP9, H264, AV1 and Opus, PCMU, PCMA.
    pub codecs: Vec<crate::media::Codec>,
    /// Tracks carry RTP packets instead of frames (level 2).
    pub rtp: bool,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self { metadata: None, send: MediaSelection::BOTH, codecs: Vec::new(), rtp: false }
    }
}

impl CallOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the other side shall know at once.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Json>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Sets what this side sends.
    #[must_use]
    pub fn send(mut self, send: MediaSelection) -> Self {
        self.send = send;
        self
    }

    /// Allows only these codecs, the first preferred.
    #[must_use]
    pub fn codecs(mut self, codecs: impl Into<Vec<crate::media::Codec>>) -> Self {
        self.codecs = codecs.into();
        self
    }

    /// Lets tracks carry RTP packets instead of frames.
    #[must_use]
    pub fn rtp(mut self, rtp: bool) -> Self {
        self.rtp = rtp;
        self
    }
}
