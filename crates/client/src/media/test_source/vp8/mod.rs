//! VP8 (RFC 6386) for pictures that are flat in each macroblock, which makes an encoder small and
//! exact: what comes out of a decoder is what went in.
//!
//! A macroblock is predicted from a neighbour, and the difference is one number for luma (the DC
//! of Y2) and one for each chroma. In frames that are no key frames, what did not change is taken
//! from the frame before. The loop filter is off.

mod bools;
mod header;
mod macroblock;
mod tables;

use super::picture::Picture;
use bools::BoolEncoder;
use macroblock::Macroblocks;

/// Encodes one picture after the other.
#[derive(Debug)]
pub(super) struct Encoder {
    width: u16,
    height: u16,
    /// What the decoder shows.
    last: Option<Picture>,
}

impl Encoder {
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self { width, height, last: None }
    }

    /// A frame, and whether it became a key frame.
    pub(super) fn encode(&mut self, picture: Picture, keyframe: bool) -> (Vec<u8>, bool) {
        let last = self.last.take().filter(|_| !keyframe);
        let blocks = Macroblocks::new(&picture, last.as_ref());
        let mut first = BoolEncoder::new();
        header::write(&mut first, last.is_none(), blocks.odds());
        let mut tokens = BoolEncoder::new();
        blocks.write(&mut first, &mut tokens);

        let first = first.finish();
        let mut frame = header::tag(last.is_none(), first.len());
        if last.is_none() {
            frame.extend(header::start(self.width, self.height));
        }
        frame.extend(first);
        frame.extend(tokens.finish());
        let keyframe = last.is_none();
        self.last = Some(picture);
        (frame, keyframe)
    }
}
