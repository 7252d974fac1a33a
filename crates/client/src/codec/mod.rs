//! Encoders and decoders: raw pictures and sound to [`EncodedFrame`]s and back.
//!
//! | cargo feature | codecs | what does it |
//! |---|---|---|
//! | `codec-vpx` | VP8, VP9 | the crates `oxideav-vp8` and `rusty_vp9`, in Rust |
//! | `codec-h264` | H264 | Cisco's `OpenH264`, built from its source by a C++ compiler |
//! | `codec-opus` | Opus | the crate `ropus`, in Rust |
//!
//! [`video_encoder`] and its sisters give an encoder or decoder for whatever codec a call agreed on.
//! They are plain values: no thread, no clock, no queue. Encoding takes milliseconds of processor time
//! (for 640x360 on one core about 20 in VP8 and VP9, 0.6 for 20 ms of Opus), so in an
//! async program it belongs into `tokio::task::block_in_place` or onto a thread of its own.
#![cfg_attr(
    all(feature = "codec-vpx", feature = "codec-opus"),
    doc = r#"
```
use std::time::Duration;
use peerway::codec::{I420, VideoSettings, video_decoder, video_encoder};
use peerway::media::Codec;

let mut encoder = video_encoder(Codec::Vp8, VideoSettings::default())?;
let mut decoder = video_decoder(Codec::Vp8)?;

let red = I420::from_rgb(320, 240, &[200, 30, 30].repeat(320 * 240))?;
let frame = encoder.encode(&red, Duration::ZERO)?.expect("the first frame is never left out");
assert!(frame.keyframe);
// `track.send_frame(frame).await?` here, `track.next_frame().await` at the other end.
let picture = decoder.decode(&frame)?.expect("every frame shows a picture");
assert_eq!((picture.width(), picture.height()), (320, 240));
assert!(picture.to_rgb()[0].abs_diff(200) < 4);
# Ok::<(), peerway::codec::CodecError>(())
```
"#
)]

mod choose;
mod error;
mod picture;
#[cfg(any(feature = "codec-vpx", feature = "codec-h264"))]
mod video;

#[cfg(feature = "codec-h264")]
mod h264;
#[cfg(feature = "codec-opus")]
mod opus;
#[cfg(feature = "codec-vpx")]
mod vpx;

use std::time::Duration;

use crate::media::{Codec, EncodedFrame, MediaTimestamp};

pub use choose::{audio_decoder, audio_encoder, video_decoder, video_encoder};
pub use error::CodecError;
#[cfg(feature = "codec-h264")]
#[cfg_attr(docsrs, doc(cfg(feature = "codec-h264")))]
pub use h264::{H264Decoder, H264Encoder};
#[cfg(feature = "codec-opus")]
#[cfg_attr(docsrs, doc(cfg(feature = "codec-opus")))]
pub use opus::{OpusDecoder, OpusEncoder};
pub use picture::{I420, Plane};
#[cfg(feature = "codec-vpx")]
#[cfg_attr(docsrs, doc(cfg(feature = "codec-vpx")))]
pub use vpx::{Vp8Decoder, Vp8Encoder, Vp9Decoder, Vp9Encoder};

/// What a video encoder aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoSettings {
    /// Bits per second, 30 000 to 50 000 000.
    pub bitrate: u32,
    /// Pictures per second, 1 to 240. More or fewer may come; the bit rate is then another.
    pub fps: u32,
}

impl Default for VideoSettings {
    /// 1 Mbit/s at 30 pictures per second.
    fn default() -> Self {
        Self { bitrate: 1_000_000, fps: 30 }
    }
}

/// What an audio encoder aims at, and what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioSettings {
    /// Samples per second of what is given: 8, 12, 16, 24 or 48 kHz.
    pub sample_rate: u32,
    /// 1, or 2 with the samples interleaved.
    pub channels: u8,
    /// What one frame carries: 2.5, 5, 10, 20, 40 or 60 ms.
    pub frame: Duration,
    /// Bits per second, 6 000 to 510 000.
    pub bitrate: u32,
    /// Puts a rough copy of each frame into the next one (FEC), for this percentage of packets that
    /// get lost. 0: does not. Speech only; music is concealed instead.
    pub expected_loss: u8,
    /// Sends nothing while it is silent (DTX).
    pub dtx: bool,
    /// Tunes for music instead of speech.
    pub music: bool,
}

impl Default for AudioSettings {
    /// Speech as a call has it: 20 ms of 48 kHz in one channel, 32 kbit/s, no FEC, no DTX.
    fn default() -> Self {
        Self {
            sample_rate: 48_000,
            channels: 1,
            frame: Duration::from_millis(20),
            bitrate: 32_000,
            expected_loss: 0,
            dtx: false,
            music: false,
        }
    }
}

/// Pictures to frames, in order.
pub trait VideoEncoder: Send {
    /// What comes out.
    fn codec(&self) -> Codec;

    /// Encodes a picture that was captured at that time, counted from wherever you like. `None`: it
    /// is left out, because the bit rate is used up. Pictures may change their size, which makes a
    /// key frame.
    ///
    /// # Errors
    ///
    /// [`CodecError::Size`]: the codec does not do such a size.
    fn encode(
        &mut self,
        picture: &I420,
        captured: Duration,
    ) -> Result<Option<EncodedFrame>, CodecError>;

    /// The next frame shall be a key frame, as asked for by
    /// [`TrackRequest::KeyFrame`](crate::TrackRequest::KeyFrame).
    fn request_key_frame(&mut self);

    /// Another bit rate from the next frame on, such as
    /// [`LocalTrack::available_bitrate`](crate::LocalTrack::available_bitrate) less what sound takes.
    /// What is out of the range of [`VideoSettings::bitrate`] is brought into it.
    fn set_bitrate(&mut self, bits_per_second: u32);
}

/// Frames to pictures.
pub trait VideoDecoder: Send {
    /// What goes in.
    fn codec(&self) -> Codec;

    /// Decodes a frame. `None`: it shows nothing.
    ///
    /// # Errors
    ///
    /// [`CodecError::NeedsKeyFrame`] after a loss and after [`CodecError::Stream`], until a key frame
    /// comes: call [`RemoteTrack::request_key_frame`](crate::RemoteTrack::request_key_frame), go on
    /// showing the last picture, and go on decoding.
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<I420>, CodecError>;
}

/// Samples to frames, in order.
pub trait AudioEncoder: Send {
    /// What comes out.
    fn codec(&self) -> Codec;

    /// Samples that each frame takes, all channels together.
    fn frame_samples(&self) -> usize;

    /// Encodes the samples of one frame, captured at that time, counted from wherever you like.
    /// `None`: it is silence that needs no packet (DTX).
    ///
    /// # Errors
    ///
    /// [`CodecError::Samples`]: these are not as many as one frame has.
    fn encode(
        &mut self,
        samples: &[i16],
        captured: Duration,
    ) -> Result<Option<EncodedFrame>, CodecError>;

    /// Another bit rate from the next frame on. What is out of the range of
    /// [`AudioSettings::bitrate`] is brought into it.
    fn set_bitrate(&mut self, bits_per_second: u32);
}

/// Frames to samples.
pub trait AudioDecoder: Send {
    /// What goes in.
    fn codec(&self) -> Codec;

    /// Decodes a frame into interleaved samples. If frames are missing before it, what conceals them
    /// comes first, up to 120 ms of it.
    ///
    /// # Errors
    ///
    /// [`CodecError::Stream`]: it is damaged; [`conceal`](Self::conceal) fills its place.
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Vec<i16>, CodecError>;

    /// As many samples as the last frame had, made up, for one that is not there when it is time to
    /// play it. [`decode`](Self::decode) will not conceal that one again.
    fn conceal(&mut self) -> Vec<i16>;
}

/// A moment in the clock of a codec.
fn timestamp(codec: Codec, captured: Duration) -> MediaTimestamp {
    let clock_rate = codec.clock_rate();
    let ticks = captured.as_nanos() * u128::from(clock_rate) / 1_000_000_000;
    MediaTimestamp { ticks: u64::try_from(ticks).unwrap_or(u64::MAX), clock_rate }
}

fn expect_codec(expected: Codec, frame: &EncodedFrame) -> Result<(), CodecError> {
    let actual = frame.codec;
    if actual == expected { Ok(()) } else { Err(CodecError::OtherCodec { expected, actual }) }
}

/// Decodes what came from the network with a library that is not ours: should it panic, that is an
/// error of this stream and not the end of the program. The decoder is not to be used again then.
#[cfg(any(feature = "codec-vpx", feature = "codec-opus"))]
fn fenced<T>(
    codec: Codec,
    decode: impl FnOnce() -> Result<T, CodecError>,
) -> Result<T, CodecError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(CodecError::stream(codec, "the decoder panicked")))
}
