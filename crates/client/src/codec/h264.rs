//! H264 by Cisco's `OpenH264`.

use std::time::Duration;

use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, Profile, RateControlMode,
    UsageType,
};
use openh264::formats::YUVSource;

use super::video::{self, Gate};
use super::{CodecError, I420, Plane, VideoDecoder, VideoEncoder, VideoSettings, timestamp};
use crate::media::{Codec, EncodedFrame};

const CODEC: Codec = Codec::H264;
/// A step of the bit rate costs a key frame, so smaller ones wait until they add up to this.
const STEP_PERCENT: u32 = 15;

/// An encoder for H264, constrained baseline profile: no frame held back.
///
/// Another bit rate begins with a key frame, as the library has no safe way to change it in a stream;
/// changes of less than 15 % are not followed.
pub struct H264Encoder {
    settings: VideoSettings,
    encoder: Encoder,
}

impl H264Encoder {
    /// An encoder. It takes its size from the pictures.
    ///
    /// # Errors
    ///
    /// [`CodecError::FrameRate`], or [`CodecError::Encoder`] when the library is out of memory.
    pub fn new(settings: VideoSettings) -> Result<Self, CodecError> {
        let settings = video::settings(settings)?;
        Ok(Self { settings, encoder: encoder(settings)? })
    }
}

fn encoder(settings: VideoSettings) -> Result<Encoder, CodecError> {
    let fps = f32::from(u16::try_from(settings.fps).unwrap_or(u16::MAX));
    let config = EncoderConfig::new()
        .bitrate(BitRate::from_bps(settings.bitrate))
        .max_frame_rate(FrameRate::from_hz(fps))
        .rate_control_mode(RateControlMode::Bitrate)
        .usage_type(UsageType::CameraVideoRealTime)
        .complexity(Complexity::Low)
        .profile(Profile::Baseline)
        .num_threads(1)
        .skip_frames(true);
    Encoder::with_api_config(OpenH264API::from_source(), config)
        .map_err(|error| CodecError::encoder(CODEC, error))
}

impl VideoEncoder for H264Encoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn encode(
        &mut self,
        picture: &I420,
        captured: Duration,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        let (width, height) = video::size(picture);
        let fits = width.max(height) <= 3840 && width.min(height) <= 2160;
        if width < 16 || height < 16 || !fits || width % 2 == 1 || height % 2 == 1 {
            let takes = "16x16 to 3840x2160 in even numbers";
            return Err(CodecError::Size { codec: CODEC, takes, width, height });
        }
        let source = Source { picture, v: video::at_stride(picture.v(), picture.u().stride) };
        // Its rate control measures by these, in milliseconds.
        let millis = u64::try_from(captured.as_millis()).unwrap_or(0) & (u64::MAX >> 1);
        let stream = self
            .encoder
            .encode_at(&source, openh264::Timestamp::from_millis(millis))
            .map_err(|error| CodecError::encoder(CODEC, error))?;
        let keyframe = stream.frame_type() == FrameType::IDR;
        let data = stream.to_vec();
        if data.is_empty() || stream.frame_type() == FrameType::Skip {
            return Ok(None);
        }
        Ok(Some(EncodedFrame::new(CODEC, data, timestamp(CODEC, captured), keyframe)))
    }

    fn request_key_frame(&mut self) {
        self.encoder.force_intra_frame();
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        let bitrate = video::bitrate(bits_per_second);
        if bitrate.abs_diff(self.settings.bitrate) < self.settings.bitrate / 100 * STEP_PERCENT {
            return;
        }
        let settings = VideoSettings { bitrate, ..self.settings };
        match encoder(settings) {
            Ok(encoder) => (self.settings, self.encoder) = (settings, encoder),
            Err(error) => tracing::warn!(%error, "the bit rate of H264 stays"),
        }
    }
}

impl std::fmt::Debug for H264Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H264Encoder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A picture as the library wants it: one stride for U and V.
struct Source<'a> {
    picture: &'a I420,
    v: Option<Vec<u8>>,
}

impl YUVSource for Source<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.picture.width() as usize, self.picture.height() as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let (y, u) = (self.picture.y().stride, self.picture.u().stride);
        (y, u, u)
    }

    fn y(&self) -> &[u8] {
        self.picture.y().data
    }

    fn u(&self) -> &[u8] {
        self.picture.u().data
    }

    fn v(&self) -> &[u8] {
        self.v.as_deref().unwrap_or(self.picture.v().data)
    }
}

/// A decoder for H264 up to 4096x2304, constrained baseline and most of high profile.
pub struct H264Decoder {
    gate: Gate,
    decoder: openh264::decoder::Decoder,
}

impl H264Decoder {
    /// A decoder. It begins with the first key frame.
    ///
    /// # Errors
    ///
    /// [`CodecError::Stream`] when the library is out of memory.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self { gate: Gate::closed(), decoder: fresh()? })
    }
}

fn fresh() -> Result<openh264::decoder::Decoder, CodecError> {
    openh264::decoder::Decoder::new().map_err(broken)
}

impl VideoDecoder for H264Decoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<I420>, CodecError> {
        self.gate.enter(CODEC, frame)?;
        let decoded = match self.decoder.decode(&frame.data) {
            Ok(decoded) => decoded.map(|picture| to_i420(&picture)).transpose(),
            Err(error) => Err(broken(error)),
        };
        if decoded.is_err() {
            self.gate.close();
            self.decoder = fresh()?;
        }
        decoded
    }
}

impl std::fmt::Debug for H264Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("H264Decoder").field("gate", &self.gate).finish_non_exhaustive()
    }
}

fn to_i420(picture: &impl YUVSource) -> Result<I420, CodecError> {
    let (width, height) = picture.dimensions();
    let (y, u, v) = picture.strides();
    let planes = [
        Plane { data: picture.y(), stride: y },
        Plane { data: picture.u(), stride: u },
        Plane { data: picture.v(), stride: v },
    ];
    let side = |side: usize| u32::try_from(side).map_err(broken);
    let data = planes.map(|plane| plane.data.to_vec());
    let strides = planes.map(|plane| plane.stride);
    I420::from_planes(side(width)?, side(height)?, data, strides).map_err(broken)
}

fn broken(reason: impl ToString) -> CodecError {
    CodecError::stream(CODEC, reason)
}
