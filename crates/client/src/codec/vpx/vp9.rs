//! VP9 by the crate `rusty_vp9`.

use std::time::Duration;

use rusty_vp9::{BitReader, Error, Vp9EncoderConfig, parse_uncompressed_header};

use super::check_size;
use super::rate::RateControl;
use crate::codec::video::{self, Gate, MAX_PIXELS};
use crate::codec::{
    CodecError, I420, VideoDecoder, VideoEncoder, VideoSettings, fenced, timestamp,
};
use crate::media::{Codec, EncodedFrame};

const CODEC: Codec = Codec::Vp9;
/// 0 is without loss.
const FINEST: u8 = 8;
const COARSEST: u8 = 255;
/// The fastest there is.
const SPEED: u32 = 6;

/// An encoder for VP9, profile 0: each frame from the one before and the last key frame, no frame held
/// back.
pub struct Vp9Encoder {
    rate: RateControl,
    encoder: rusty_vp9::Vp9Encoder,
    /// The size of the last frame. `None`: the next is a key frame.
    size: Option<(u32, u32)>,
}

impl Vp9Encoder {
    /// An encoder. It takes its size from the pictures.
    ///
    /// # Errors
    ///
    /// [`CodecError::FrameRate`].
    pub fn new(settings: VideoSettings) -> Result<Self, CodecError> {
        let settings = video::settings(settings)?;
        let rate = RateControl::new(settings.bitrate, settings.fps, FINEST, COARSEST);
        Ok(Self { rate, encoder: rusty_vp9::Vp9Encoder::default(), size: None })
    }
}

impl VideoEncoder for Vp9Encoder {
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
        let keyframe = self.size != Some(size);
        if !keyframe && self.rate.skips() {
            return Ok(None);
        }
        if keyframe {
            // There is no other way to ask for a key frame.
            self.encoder = rusty_vp9::Vp9Encoder::default();
        }
        let quantizer = self.rate.quantizer(size.0 * size.1);
        let settings = Vp9EncoderConfig {
            qindex: Some(u32::from(quantizer)),
            speed: Some(SPEED),
            ..Vp9EncoderConfig::default()
        };
        let failed = |error: Error| CodecError::encoder(CODEC, error);
        self.encoder.configure(&settings).map_err(failed)?;
        let planes = [picture.y(), picture.u(), picture.v()];
        let (data, strides) = (planes.map(|plane| plane.data), planes.map(|plane| plane.stride));
        self.encoder.push_frame(data, strides, size.0, size.1).map_err(failed)?;
        let packet = self.encoder.next_packet().map_err(failed)?;
        self.rate.spent(packet.data.len(), keyframe);
        self.size = Some(size);
        Ok(Some(EncodedFrame::new(CODEC, packet.data, timestamp(CODEC, captured), keyframe)))
    }

    fn request_key_frame(&mut self) {
        self.size = None;
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        self.rate.set_bitrate(video::bitrate(bits_per_second));
    }
}

impl std::fmt::Debug for Vp9Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vp9Encoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// A decoder for VP9, profile 0 (8 bits, 4:2:0), which is what calls have.
pub struct Vp9Decoder {
    gate: Gate,
    decoder: rusty_vp9::Vp9Decoder,
    /// Sizes of the reference frames, to know the size of what comes before it is allocated.
    references: [(u32, u32); 8],
}

impl Vp9Decoder {
    /// A decoder. It begins with the first key frame.
    pub fn new() -> Self {
        let decoder = rusty_vp9::Vp9Decoder::new();
        Self { gate: Gate::closed(), decoder, references: [(0, 0); 8] }
    }

    /// Decodes the frames of a superframe, and answers what the last one shows.
    fn decode_parts(&mut self, data: &[u8]) -> Result<Option<I420>, CodecError> {
        let mut shown = None;
        for part in parts(data) {
            self.check(part)?;
            self.decoder.push(part, None).map_err(broken)?;
            loop {
                match self.decoder.next_frame() {
                    Ok(frame) => shown = Some(frame),
                    Err(Error::Again | Error::Eof) => break,
                    Err(error) => return Err(broken(error)),
                }
            }
        }
        let Some(frame) = shown else { return Ok(None) };
        if (frame.bit_depth, frame.subsampling_x, frame.subsampling_y) != (8, 1, 1) {
            return Err(broken("only 8 bits and 4:2:0 are (profile 0)"));
        }
        let planes = <[Vec<u8>; 3]>::try_from(frame.planes).map_err(|_| broken("no planes"))?;
        let strides = <[usize; 3]>::try_from(frame.strides).map_err(|_| broken("no strides"))?;
        I420::from_planes(frame.width, frame.height, planes, strides).map(Some).map_err(broken)
    }

    fn check(&mut self, part: &[u8]) -> Result<(), CodecError> {
        if parts(part).len() > 1 {
            return Err(broken("a superframe in a superframe"));
        }
        let mut bits = BitReader::new(part);
        let header = parse_uncompressed_header(&mut bits, &self.references).map_err(broken)?;
        if header.show_existing_frame {
            return Ok(());
        }
        let size = (header.width, header.height);
        if u64::from(size.0) * u64::from(size.1) > u64::from(MAX_PIXELS) {
            return Err(broken(format!("{}x{} is too large", size.0, size.1)));
        }
        for (index, reference) in self.references.iter_mut().enumerate() {
            if header.key_frame || header.refresh_frame_flags >> index & 1 == 1 {
                *reference = size;
            }
        }
        Ok(())
    }
}

impl Default for Vp9Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl VideoDecoder for Vp9Decoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<I420>, CodecError> {
        self.gate.enter(CODEC, frame)?;
        let decoded = fenced(CODEC, || self.decode_parts(&frame.data));
        decoded.inspect_err(|_| *self = Self::new())
    }
}

impl std::fmt::Debug for Vp9Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vp9Decoder").field("gate", &self.gate).finish_non_exhaustive()
    }
}

fn broken(reason: impl ToString) -> CodecError {
    CodecError::stream(CODEC, reason)
}

/// The frames of a superframe (VP9 bitstream specification, annex B), or the one frame that it is.
fn parts(data: &[u8]) -> Vec<&[u8]> {
    superframe(data).unwrap_or_else(|| vec![data])
}

fn superframe(data: &[u8]) -> Option<Vec<&[u8]>> {
    let marker = *data.last()?;
    if marker & 0b1110_0000 != 0b1100_0000 {
        return None;
    }
    let (count, bytes) = (usize::from(marker & 7) + 1, usize::from(marker >> 3 & 3) + 1);
    let start = data.len().checked_sub(2 + count * bytes)?;
    let (mut rest, index) = data.split_at(start);
    if index.first() != Some(&marker) {
        return None;
    }
    let sizes = index[1..=count * bytes].chunks_exact(bytes);
    sizes
        .map(|size| size.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte)))
        .map(|size| {
            let (part, behind) = rest.split_at_checked(size)?;
            rest = behind;
            Some(part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superframes_are_taken_apart() {
        let two = [1, 2, 3, 4, 5, 0xC1, 2, 3, 0xC1];
        assert_eq!(parts(&two), [&[1, 2][..], &[3, 4, 5]]);
        let wide = [9, 9, 0xC8, 2, 0, 0xC8];
        assert_eq!(parts(&wide), [&[9, 9][..]]);
        for whole in [&[][..], &[1, 2, 3], &[0xC1], &[1, 0xC1, 200, 3, 0xC1]] {
            assert_eq!(parts(whole), [whole]);
        }
    }

    #[test]
    fn a_giant_is_refused_before_it_is_allocated() {
        // A key frame of profile 0: marker, sync code, color space, 16 bits each of width and height less 1.
        let mut bits = String::from("10" /* marker */);
        bits += "00" /* profile */;
        bits += "0" /* show_existing */;
        bits += "0" /* key frame */;
        bits += "1" /* shown */;
        bits += "0" /* error resilient */;
        bits += "010010011000001101000010" /* sync code */;
        bits += "001" /* BT.601 */;
        bits += "0" /* limited range */;
        bits += &"1".repeat(32);
        bits += &"0".repeat(96);
        let data: Vec<_> = bits
            .as_bytes()
            .chunks_exact(8)
            .map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')))
            .collect();
        let frame = EncodedFrame::new(CODEC, data, timestamp(CODEC, Duration::ZERO), true);
        let error = Vp9Decoder::new().decode(&frame).unwrap_err();
        assert!(error.to_string().contains("65536x65536 is too large"), "{error}");
    }
}
