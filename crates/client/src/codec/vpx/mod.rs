//! VP8 and VP9 in Rust.
//!
//! Why these crates: of those around libvpx, `vpx-rs`, `vpx-encode` and `vpx` stand on bindings under the
//! MPL, `libvpx` rests since 2021, `media-codec-vpx` only decodes, and `shiguredo_libvpx` downloads a
//! binary while it builds. `oxideav-vp8` and `rusty_vp9` are young, so `tests/codec` holds them against
//! ffmpeg: their decoders give the same bytes, and ffmpeg decodes what their encoders write.

mod rate;
mod vp8;
mod vp9;

pub use vp8::{Vp8Decoder, Vp8Encoder};
pub use vp9::{Vp9Decoder, Vp9Encoder};

use super::video::MAX_PIXELS;
use super::{CodecError, I420};
use crate::media::Codec;

fn check_size(codec: Codec, picture: &I420) -> Result<(), CodecError> {
    let (width, height) = (picture.width(), picture.height());
    if width >= 16 && height >= 16 && width * height <= MAX_PIXELS {
        return Ok(());
    }
    Err(CodecError::Size { codec, takes: "16x16 to 4096x2304", width, height })
}
