//! What can be wrong with a picture, samples or a stream.

use std::time::Duration;

use thiserror::Error;

use crate::media::Codec;

/// Why something was not encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The codec, or this library, does not do pictures of that size.
    #[error("{codec} takes {takes}: crop or scale the picture of {width}x{height}")]
    Size {
        /// The codec.
        codec: Codec,
        /// What it takes.
        takes: &'static str,
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
    },
    /// A picture without pixels, or with more than can be.
    #[error("a picture has 1x1 to 16384x16384 pixels, not {width}x{height}")]
    NoPicture {
        /// As given.
        width: u32,
        /// As given.
        height: u32,
    },
    /// A plane is too short for its size and stride, or its stride for its width.
    #[error(
        "plane {plane} needs a stride of {width} or more, and stride * {height} bytes, not stride {stride} and {bytes} bytes"
    )]
    Plane {
        /// `Y`, `U`, `V`, `RGB` or `RGBA`.
        plane: &'static str,
        /// Bytes of a row.
        width: usize,
        /// Rows.
        height: usize,
        /// As given.
        stride: usize,
        /// As given.
        bytes: usize,
    },
    /// Pictures per second that are none.
    #[error("a video has 1 to 240 pictures a second, not {0}")]
    FrameRate(u32),
    /// A rate of samples that Opus does not know.
    #[error("Opus takes 8000, 12000, 16000, 24000 or 48000 samples a second: resample from {0}")]
    SampleRate(u32),
    /// Channels that Opus does not know.
    #[error("Opus takes 1 or 2 channels: mix down from {0}")]
    Channels(u8),
    /// A duration of frames that is not Opus's.
    #[error("a frame of Opus lasts 2.5, 5, 10, 20, 40 or 60 ms, not {0:?}")]
    FrameDuration(Duration),
    /// Not one frame of samples.
    #[error(
        "a frame takes {expected} samples, all channels together: cut the sound, this is {actual}"
    )]
    Samples {
        /// What a frame takes.
        expected: usize,
        /// As given.
        actual: usize,
    },
    /// The frame is of another codec.
    #[error("this decoder is for {expected}: the frame is {actual}")]
    OtherCodec {
        /// Of the decoder.
        expected: Codec,
        /// Of the frame.
        actual: Codec,
    },
    /// Nothing can be decoded until there is a key frame.
    #[error("a frame is missing before this one: ask for a key frame")]
    NeedsKeyFrame,
    /// The stream is damaged, or does what the decoder cannot.
    #[error("cannot decode this {codec}: {reason}")]
    Stream {
        /// Its codec.
        codec: Codec,
        /// What the library says.
        reason: String,
    },
    /// The library failed to encode.
    #[error("cannot encode {codec}: {reason}")]
    Encoder {
        /// Its codec.
        codec: Codec,
        /// What the library says.
        reason: String,
    },
    /// It is there, but was not built in.
    #[error("this program was built without {codec}: enable feature {feature} of crate peerway")]
    NotBuiltIn {
        /// The codec.
        codec: Codec,
        /// The cargo feature.
        feature: &'static str,
    },
    /// There is none.
    #[error(
        "peerway brings no encoder or decoder for {wanted} in {codec}: bring your own, frames are plain bytes"
    )]
    None {
        /// The codec.
        codec: Codec,
        /// `pictures` or `sound`.
        wanted: &'static str,
    },
}

impl CodecError {
    #[cfg(any(feature = "codec-vpx", feature = "codec-h264", feature = "codec-opus"))]
    #[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
    pub(super) fn stream(codec: Codec, reason: impl ToString) -> Self {
        Self::Stream { codec, reason: reason.to_string() }
    }

    #[cfg(any(feature = "codec-vpx", feature = "codec-h264", feature = "codec-opus"))]
    #[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
    pub(super) fn encoder(codec: Codec, reason: impl ToString) -> Self {
        Self::Encoder { codec, reason: reason.to_string() }
    }
}
