//! VP8 (RFC 6386) by the crate `oxideav-vp8`.

use std::time::Duration;

use oxideav_vp8::encoder::encode_keyframe_with_reconstruction;
use oxideav_vp8::{
    I420Frame, KeyframeParams, KeyframePlanes, TrellisStrength, Vp8DecoderState,
    encode_p_frame_multi_ref,
};

use super::check_size;
use super::rate::RateControl;
use crate::codec::video::{self, Gate, MAX_PIXELS};
use crate::codec::{
    CodecError, I420, VideoDecoder, VideoEncoder, VideoSettings, fenced, timestamp,
};
use crate::media::{Codec, EncodedFrame};

const CODEC: Codec = Codec::Vp8;
const FINEST: u8 = 4;
const COARSEST: u8 = 127;

/// An encoder for VP8: each frame from the one before, no frame held back.
pub struct Vp8Encoder {
    rate: RateControl,
    /// What a decoder shows after the last frame, and the size of it.
    last: Option<((u32, u32), KeyframePlanes)>,
}

impl Vp8Encoder {
    /// An encoder. It takes its size from the pictures.
    ///
    /// # Errors
    ///
    /// [`CodecError::FrameRate`].
    pub fn new(settings: VideoSettings) -> Result<Self, CodecError> {
        let settings = video::settings(settings)?;
        let rate = RateControl::new(settings.bitrate, settings.fps, FINEST, COARSEST);
        Ok(Self { rate, last: None })
    }
}

impl VideoEncoder for Vp8Encoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn encode(
        &mut self,
        picture: &I420,
        captured: Duration,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        check_size(CODEC, picture)?;
        let size = video::size(picture);
        let last = self.last.as_ref().filter(|(last, _)| *last == size);
        if last.is_some() && self.rate.skips() {
            return Ok(None);
        }
        let quantizer = self.rate.quantizer(size.0 * size.1);
        let parameters = KeyframeParams {
            y_ac_qi: quantizer,
            loop_filter_level: quantizer / 4,
            // Saves a twentieth of the bits for a quarter of the time.
            trellis_strength: TrellisStrength::OFF,
            ..KeyframeParams::default()
        };
        let v = video::at_stride(picture.v(), picture.u().stride);
        let frame = source(picture, v.as_deref());
        let encoded = match last {
            Some((_, last)) => encode_p_frame_multi_ref(&frame, last, None, None, &parameters),
            None => encode_keyframe_with_reconstruction(&frame, &parameters),
        };
        let keyframe = last.is_none();
        let (data, shown) = encoded.map_err(|error| CodecError::encoder(CODEC, error))?;
        self.rate.spent(data.len(), keyframe);
        self.last = Some((size, shown));
        Ok(Some(EncodedFrame::new(CODEC, data, timestamp(CODEC, captured), keyframe)))
    }

    fn request_key_frame(&mut self) {
        self.last = None;
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        self.rate.set_bitrate(video::bitrate(bits_per_second));
    }
}

impl std::fmt::Debug for Vp8Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vp8Encoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}

fn source<'a>(picture: &'a I420, v: Option<&'a [u8]>) -> I420Frame<'a> {
    let (width, height) = video::size(picture);
    I420Frame {
        width,
        height,
        y: picture.y().data,
        u: picture.u().data,
        v: v.unwrap_or(picture.v().data),
        y_stride: picture.y().stride,
        uv_stride: picture.u().stride,
    }
}

/// A decoder for VP8.
#[derive(Debug)]
pub struct Vp8Decoder {
    gate: Gate,
    decoder: Vp8DecoderState,
}

impl Vp8Decoder {
    /// A decoder. It begins with the first key frame.
    pub fn new() -> Self {
        Self { gate: Gate::closed(), decoder: fresh() }
    }
}

fn fresh() -> Vp8DecoderState {
    Vp8DecoderState::new().with_max_pixels_per_frame(u64::from(MAX_PIXELS))
}

impl Default for Vp8Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl VideoDecoder for Vp8Decoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<I420>, CodecError> {
        self.gate.enter(CODEC, frame)?;
        let library = &mut self.decoder;
        let decoded = fenced(CODEC, || {
            library.decode_frame(&frame.data).map_err(|error| CodecError::stream(CODEC, error))
        });
        let decoded = decoded.inspect_err(|_| {
            self.gate.close();
            self.decoder = fresh();
        })?;
        if self.decoder.last_frame_shown() == Some(false) {
            return Ok(None);
        }
        let (width, height) = (decoded.width, decoded.height);
        let (stride, half) = (width as usize, width.div_ceil(2) as usize);
        let planes = [decoded.y, decoded.u, decoded.v];
        let picture = I420::from_planes(width, height, planes, [stride, half, half]);
        picture.map(Some).map_err(|error| CodecError::stream(CODEC, error))
    }
}
