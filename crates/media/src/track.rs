//! What is sent: its kind and how it is encoded.

use crate::Clock;

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl Kind {
    /// Both, in the order of the first two lines of every offer.
    pub const ALL: [Self; 2] = [Self::Audio, Self::Video];

    /// As SDP names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Audio => 0,
            Self::Video => 1,
        }
    }
}

/// How media is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// RFC 7741.
    Vp8,
    /// RFC 6184.
    H264,
    /// RFC 9628.
    Vp9,
    /// The AV1 RTP payload format.
    Av1,
}

impl Codec {
    /// All, the preferred first: what every browser has, then what costs the senders least.
    pub const ALL: [Self; 7] =
        [Self::Opus, Self::Pcmu, Self::Pcma, Self::Vp8, Self::H264, Self::Vp9, Self::Av1];

    /// What it encodes.
    pub fn kind(self) -> Kind {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma => Kind::Audio,
            Self::Vp8 | Self::H264 | Self::Vp9 | Self::Av1 => Kind::Video,
        }
    }

    pub(crate) fn clock(self) -> Clock {
        match self {
            Self::Opus => Clock::OPUS,
            Self::Pcmu | Self::Pcma => Clock::TELEPHONY,
            _ => Clock::VIDEO,
        }
    }
}

/// Some of the codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codecs(u8);

impl Codecs {
    /// Every one.
    pub const ALL: Self = Self(0x7f);

    /// Whether it is among them.
    pub fn contains(self, codec: Codec) -> bool {
        self.0 & (1 << codec as u8) != 0
    }

    /// With this one too.
    pub fn insert(&mut self, codec: Codec) {
        self.0 |= 1 << codec as u8;
    }

    /// Those that are in both.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The preferred one of a kind.
    pub fn preferred(self, kind: Kind) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.kind() == kind && self.contains(*codec))
    }
}

impl FromIterator<Codec> for Codecs {
    fn from_iter<I: IntoIterator<Item = Codec>>(codecs: I) -> Self {
        let mut all = Self::default();
        for codec in codecs {
            all.insert(codec);
        }
        all
    }
}
