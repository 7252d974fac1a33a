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

/// VP8 with a moving bar over colours and the number of each frame as a bar code (see
/// [the module](crate::media::test_source)). A frame of 640x360 is some hundred bytes, so this says
/// nothing about how much a path can carry.
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
