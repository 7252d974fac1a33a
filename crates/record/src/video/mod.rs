//! What key frames say about their track: its size, and what decoders want to know beforehand.

mod av1;
mod h264;
mod vp8;
mod vp9;

use std::borrow::Cow;

use crate::Codec;

/// What a container's header says of a video track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Matroska's `CodecPrivate`; empty where the codec has none.
    pub(crate) private: Vec<u8>,
}

/// Reads a key frame. `None`: it is none, or misses its parameters.
pub(crate) fn format(codec: Codec, data: &[u8]) -> Option<Format> {
    let format = match codec {
        Codec::Vp8 => vp8::format(data),
        Codec::Vp9 => vp9::format(data),
        Codec::H264 => h264::format(data),
        Codec::Av1 => av1::format(data),
        Codec::Opus | Codec::Pcmu | Codec::Pcma => None,
    }?;
    (format.width > 0 && format.height > 0).then_some(format)
}

/// The bytes of a frame as Matroska wants them.
pub(crate) fn matroska(codec: Codec, data: &[u8]) -> Cow<'_, [u8]> {
    match codec {
        Codec::H264 => Cow::Owned(h264::with_lengths(data)),
        Codec::Av1 => av1::without_delimiters(data),
        _ => Cow::Borrowed(data),
    }
}

/// Width and height in pixels, as a key frame says. `None`: it is none, or misses its parameters.
pub fn size(codec: Codec, data: &[u8]) -> Option<(u32, u32)> {
    format(codec, data).map(|format| (format.width, format.height))
}
