//! What members and their room's selective forwarding unit say to each other, in no dialect.

use std::fmt;
use std::sync::Arc;

use crate::PeerId;

/// What a member calls a stream that it sends beside its first one, such as its screen: 1 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

impl StreamName {
    const LONGEST: usize = 64;

    /// `None` for a text that cannot name a stream.
    pub fn new(name: &str) -> Option<Self> {
        (1..=Self::LONGEST).contains(&name.len()).then(|| Self(name.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose a media stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaStream {
    /// As offers name it.
    pub id: Arc<str>,
    /// Whose.
    pub peer: PeerId,
    /// What its publisher calls it; none for its first one.
    pub name: Option<StreamName>,
}

/// What a member says to its room's selective forwarding unit, which always makes the offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaRequest {
    /// Make me an offer: the first one, or because my tracks have changed.
    Offer(MediaProfile),
    /// The session description that answers the last offer.
    Answer(Arc<str>),
    /// A candidate of mine: the value of the SDP attribute (RFC 8839, section 5.1).
    Candidate(Arc<str>),
    /// What I want of another member.
    Receive {
        /// Of whom.
        from: PeerId,
        /// What.
        reception: Reception,
    },
}

impl MediaRequest {
    /// Its weight in bytes, for limits.
    pub fn weight(&self) -> usize {
        match self {
            Self::Answer(text) | Self::Candidate(text) => text.len(),
            Self::Offer(_) | Self::Receive { .. } => 0,
        }
    }
}

/// What a member's WebRTC implementation can do; of its first request for an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the member")]
pub struct MediaProfile {
    /// It reads only offers with exactly two lines, named `audio` and `video` (`skyway.md` 4.5:
    /// skyway-js 1.x outside Firefox).
    pub two_lines: bool,
    /// Its video may come in several sizes at once.
    pub simulcast: bool,
    /// It wants a line for data channels.
    pub data: bool,
    /// The connection that it had is over for it, and another one shall be made.
    pub restart: bool,
}

/// What a member wants of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// Its sound.
    pub audio: bool,
    /// Its picture.
    pub video: VideoWish,
}

impl Default for Reception {
    fn default() -> Self {
        Self { audio: true, video: VideoWish::Any }
    }
}

/// How a member wants another one's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoWish {
    /// Not at all.
    Off,
    /// No more than so many pixels high.
    UpTo(u32),
    /// As it comes.
    Any,
}
