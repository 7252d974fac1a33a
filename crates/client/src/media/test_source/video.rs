//! Numbered test pictures, encoded.

use std::time::Duration;

use thiserror::Error;

use super::picture::{MIN_HEIGHT, MIN_WIDTH, Picture};
use super::vp8::Encoder;
use crate::media::{Codec, EncodedFrame, MediaTimestamp};

const CLOCK_RATE: u32 = 90_000;
const MAX_WIDTH: u16 = 4096;
const MAX_HEIGHT: u16 = 4096;
const MAX_FPS: u32 = 240;

/// Why there is no such test video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a test video has 128x112 to 4096x4096 pixels and 1 to 240 frames a second, not {width}x{height} and {fps}"
)]
pub struct InvalidTestVideo {
    width: u16,
    height: u16,
    fps: u32,
}

/// VP8 with a moving bar over colours and the number of each frame as a bar code. A frame of 640x360
/// is some hundred bytes, a key frame 1 KB: this says nothing about how much a path can carry.
///
/// ```
/// use peerway::media::TestVideo;
///
/// let mut video = TestVideo::new(640, 360, 30)?;
/// let first = video.next_frame(false);
/// assert!(first.keyframe, "as there is nothing before it");
/// assert_eq!(video.due().as_millis(), 33);
/// let second = video.next_frame(false);
/// assert_eq!(second.timestamp.ticks - first.timestamp.ticks, 3_000);
/// # Ok::<(), peerway::media::InvalidTestVideo>(())
/// ```
///
/// # The bar code
///
/// The upper left corner of the picture, 128 x 96 pixels, is 8 x 6 squares of 16 x 16 pixels. Black
/// is 0, white is 1, the left square of a row is the highest bit of a byte.
///
/// ```text
///   row 0      10100101: this is a bar code
///   row 1..4   number of the frame, from 0, highest byte first
///   row 5      the four bytes and 01011010, combined by exclusive or
/// ```
///
/// A page reads it like this; [`frame_number`](crate::media::frame_number) is the same for Rust
/// programs that decode.
///
/// ```js
/// function frameNumber(video) {
///   const context = new OffscreenCanvas(128, 96).getContext('2d');
///   context.drawImage(video, 0, 0);
///   const pixels = context.getImageData(0, 0, 128, 96).data;
///   const white = (x, y) => pixels[((y * 16 + 8) * 128 + x * 16 + 8) * 4] > 127;
///   const row = (y) => [...Array(8).keys()].reduce((byte, x) => byte * 2 + white(x, y), 0);
///   const bytes = [1, 2, 3, 4].map(row);
///   const sum = bytes.reduce((sum, byte) => sum ^ byte, 0b01011010);
///   if (row(0) !== 0b10100101 || row(5) !== sum) return null;
///   return bytes.reduce((number, byte) => number * 256 + byte, 0);
/// }
/// ```
#[derive(Debug)]
pub struct TestVideo {
    width: u16,
    height: u16,
    fps: u32,
    number: u32,
    encoder: Encoder,
}

impl TestVideo {
    /// A video of that many pixels and frames a second.
    pub fn new(width: u16, height: u16, fps: u32) -> Result<Self, InvalidTestVideo> {
        let valid = (MIN_WIDTH..=MAX_WIDTH).contains(&width)
            && (MIN_HEIGHT..=MAX_HEIGHT).contains(&height)
            && (1..=MAX_FPS).contains(&fps);
        if !valid {
            return Err(InvalidTestVideo { width, height, fps });
        }
        Ok(Self { width, height, fps, number: 0, encoder: Encoder::new(width, height) })
    }

    /// When the next frame is due, counted from frame 0.
    pub fn due(&self) -> Duration {
        self.timestamp().as_duration()
    }

    /// The number of the next frame.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The next frame. The first is a key frame, and later ones when the receiver needs one.
    pub fn next_frame(&mut self, keyframe: bool) -> EncodedFrame {
        let picture = Picture::draw(self.width, self.height, self.number);
        let timestamp = self.timestamp();
        self.number = self.number.wrapping_add(1);
        let (data, keyframe) = self.encoder.encode(picture, keyframe);
        EncodedFrame::new(Codec::Vp8, data, timestamp, keyframe)
    }

    /// Leaves one frame out, as one does who is late. The others can be decoded all the same.
    pub fn skip_frame(&mut self) {
        self.number = self.number.wrapping_add(1);
    }

    fn timestamp(&self) -> MediaTimestamp {
        let ticks = u64::from(self.number) * u64::from(CLOCK_RATE) / u64::from(self.fps);
        MediaTimestamp { ticks, clock_rate: CLOCK_RATE }
    }
}
