//! Encoded frames.

use std::time::Duration;

use super::Codec;

/// A moment in a track, in ticks of its codec's clock (90 kHz for pictures, 48 kHz for Opus, 8 kHz
/// for G.711). It starts anywhere and does not wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaTimestamp {
    /// Ticks.
    pub ticks: u64,
    /// Ticks per second.
    pub clock_rate: u32,
}

impl MediaTimestamp {
    /// The time since tick 0.
    pub fn as_duration(self) -> Duration {
        let rate = u64::from(self.clock_rate.max(1));
        let nanos = (self.ticks % rate) * 1_000_000_000 / rate;
        Duration::from_secs(self.ticks / rate) + Duration::from_nanos(nanos)
    }
}

/// One encoded picture, or a few milliseconds of encoded sound.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// How it is encoded.
    pub codec: Codec,
    /// The encoder's output: an Annex B stream for H264, low-overhead OBUs for AV1, plain otherwise.
    pub data: Vec<u8>,
    /// When it was captured.
    pub timestamp: MediaTimestamp,
    /// Whether it can be decoded without an earlier one. Always so for sound.
    pub keyframe: bool,
    /// Of a received frame: whether it follows the last one without a gap. If not, a picture that
    /// is no key frame cannot be decoded; a key frame has been asked for then.
    pub contiguous: bool,
}

impl EncodedFrame {
    /// A frame to send.
    pub fn new(codec: Codec, data: Vec<u8>, timestamp: MediaTimestamp, keyframe: bool) -> Self {
        Self { codec, data, timestamp, keyframe, contiguous: true }
    }
}

impl std::fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedFrame")
            .field("codec", &self.codec)
            .field("bytes", &self.data.len())
            .field("timestamp", &self.timestamp)
            .field("keyframe", &self.keyframe)
            .finish_non_exhaustive()
    }
}
