//! What goes into a writer.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// How a frame is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// VP8 (RFC 6386).
    Vp8,
    /// VP9.
    Vp9,
    /// H.264 as a byte stream with start codes (its Annex B), parameter sets before key frames.
    H264,
    /// AV1 as units with their sizes (its section 5), sequence header before key frames.
    Av1,
    /// Opus (RFC 6716), 48 kHz.
    Opus,
    /// G.711 µ-law, 8 kHz, one channel.
    Pcmu,
    /// G.711 A-law, 8 kHz, one channel.
    Pcma,
}

impl Codec {
    /// The name in SDP, such as `VP8` or `opus`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::Av1 => "AV1",
            Self::Opus => "opus",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Whether it is sound; else it is pictures.
    pub const fn is_audio(self) -> bool {
        matches!(self, Self::Opus | Self::Pcmu | Self::Pcma)
    }

    /// Ticks of RTP timestamps in a second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => 90_000,
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One picture, or the sound of some milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// How it is encoded.
    pub codec: Codec,
    /// The encoded bytes, in the form that [`Codec`] says.
    pub data: &'a [u8],
    /// When it is shown, from the start of the recording.
    pub timestamp: Duration,
    /// Whether a decoder can start here. Sound always can.
    pub keyframe: bool,
}

impl Frame<'_> {
    pub(crate) fn starts(&self) -> bool {
        self.keyframe || self.codec.is_audio()
    }
}

/// Why a frame was not written. The file is as it was, and other frames may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WriteError {
    /// A track begins with a key frame: drop frames until there is one, and ask for it.
    #[error("a track must begin with a key frame")]
    NotAKeyFrame,
    /// The frame cannot be read, or is a key frame without the parameters of its codec.
    #[error("cannot be read as a frame of {0}")]
    Malformed(Codec),
    /// The container has no place for this codec, or it has begun with another one.
    #[error("{container} cannot hold {codec} here")]
    Unsupported {
        /// The name of the container.
        container: &'static str,
        /// The codec of the frame.
        codec: Codec,
    },
    /// There is no more room in the header.
    #[error("too many tracks for one file")]
    TooManyTracks,
}
