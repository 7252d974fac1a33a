//! What flows in a track.

use bytes::Bytes;

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

impl TrackKind {
    /// The word that SDP has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// One RTP packet (RFC 3550) without its header extensions, which belong to each hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// What the payload is, by the numbers of this connection's negotiation.
    pub payload_type: u8,
    /// Counts packets; extended beyond its 16 bits on the wire.
    pub sequence_number: u64,
    /// In ticks of the codec's clock.
    pub timestamp: u32,
    /// The last packet of a frame, or the first of a talk spurt.
    pub marker: bool,
    /// What follows the header.
    pub payload: Bytes,
}
