//! Opus (RFC 6716) by the crate `ropus`, a port of libopus 1.5 to Rust in fixed point.

use std::time::Duration;

use ropus::{Application, Bitrate, Channels, DecodeMode, InbandFec};

use super::{
    AudioDecoder, AudioEncoder, AudioSettings, CodecError, expect_codec, fenced, timestamp,
};
use crate::media::{Codec, EncodedFrame};

const CODEC: Codec = Codec::Opus;
/// Of decoders, and of RTP timestamps whatever is encoded.
const RATE: u32 = 48_000;
/// The longest packet there is lasts 120 ms. No more than that is concealed, either.
const LONGEST: usize = 5_760;
/// 20 ms, until a packet says how long it is.
const USUAL: usize = 960;
/// The largest packet of one frame (RFC 6716, section 3.4, R2), and its first byte.
const MAX_PACKET: usize = 1_276;
/// Packets so short say that there is silence, and need not be sent.
const SILENT_PACKET: usize = 2;

/// An encoder for Opus.
pub struct OpusEncoder {
    encoder: ropus::Encoder,
    frame_samples: usize,
}

impl OpusEncoder {
    /// An encoder.
    ///
    /// # Errors
    ///
    /// [`CodecError::SampleRate`], [`CodecError::Channels`] and [`CodecError::FrameDuration`].
    pub fn new(settings: AudioSettings) -> Result<Self, CodecError> {
        let AudioSettings { sample_rate, frame, .. } = settings;
        if ![8_000, 12_000, 16_000, 24_000, 48_000].contains(&sample_rate) {
            return Err(CodecError::SampleRate(sample_rate));
        }
        let lengths = [2_500, 5_000, 10_000, 20_000, 40_000, 60_000];
        let micros = lengths.into_iter().find(|micros| Duration::from_micros(*micros) == frame);
        let micros = micros.ok_or(CodecError::FrameDuration(frame))?;
        let samples = u64::from(sample_rate) * micros / 1_000_000;
        let fec = if settings.expected_loss > 0 { InbandFec::Enabled } else { InbandFec::Disabled };
        let encoder = ropus::Encoder::builder(
            sample_rate,
            channels(settings.channels)?,
            if settings.music { Application::Audio } else { Application::Voip },
        )
        .bitrate(bitrate(settings.bitrate))
        .inband_fec(fec)
        .packet_loss_perc(settings.expected_loss.min(100))
        .dtx(settings.dtx)
        .build()
        .map_err(|error| CodecError::encoder(CODEC, error))?;
        let channels = usize::from(settings.channels);
        Ok(Self { encoder, frame_samples: usize::try_from(samples).unwrap_or(0) * channels })
    }

    /// As [`encode`](AudioEncoder::encode), of samples from -1 to 1.
    ///
    /// # Errors
    ///
    /// As [`encode`](AudioEncoder::encode).
    pub fn encode_f32(
        &mut self,
        samples: &[f32],
        captured: Duration,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        self.check(samples.len())?;
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode_float(samples, &mut packet);
        finish(packet, length, captured)
    }

    fn check(&self, actual: usize) -> Result<(), CodecError> {
        let expected = self.frame_samples;
        if actual == expected { Ok(()) } else { Err(CodecError::Samples { expected, actual }) }
    }
}

fn channels(channels: u8) -> Result<Channels, CodecError> {
    match channels {
        1 => Ok(Channels::Mono),
        2 => Ok(Channels::Stereo),
        other => Err(CodecError::Channels(other)),
    }
}

fn bitrate(bits_per_second: u32) -> Bitrate {
    Bitrate::Bits(bits_per_second.clamp(6_000, 510_000))
}

fn finish(
    mut packet: Vec<u8>,
    length: Result<usize, ropus::EncodeError>,
    captured: Duration,
) -> Result<Option<EncodedFrame>, CodecError> {
    let length = length.map_err(|error| CodecError::encoder(CODEC, error))?;
    if length <= SILENT_PACKET {
        return Ok(None);
    }
    packet.truncate(length);
    Ok(Some(EncodedFrame::new(CODEC, packet, timestamp(CODEC, captured), true)))
}

impl AudioEncoder for OpusEncoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn frame_samples(&self) -> usize {
        self.frame_samples
    }

    fn encode(
        &mut self,
        samples: &[i16],
        captured: Duration,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        self.check(samples.len())?;
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode(samples, &mut packet);
        finish(packet, length, captured)
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        if let Err(error) = self.encoder.set_bitrate(bitrate(bits_per_second)) {
            tracing::warn!(%error, "the bit rate of Opus stays");
        }
    }
}

impl std::fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpusEncoder")
            .field("frame_samples", &self.frame_samples)
            .finish_non_exhaustive()
    }
}

/// A decoder for Opus, into 48 000 samples a second.
///
/// A frame that is not [contiguous](EncodedFrame::contiguous) tells by its timestamp how much is missing;
/// the last missing frame is taken from the rough copy (FEC) if the sender put one in.
pub struct OpusDecoder {
    decoder: ropus::Decoder,
    channels: u8,
    /// Samples for each channel of the last packet.
    length: usize,
    /// The timestamp after all that was given out.
    expected: Option<u64>,
}

impl OpusDecoder {
    /// A decoder into 1 or 2 channels, whatever is sent.
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u8) -> Result<Self, CodecError> {
        Ok(Self { decoder: fresh(channels)?, channels, length: USUAL, expected: None })
    }

    /// As [`decode`](AudioDecoder::decode), samples from -1 to 1.
    ///
    /// # Errors
    ///
    /// As [`decode`](AudioDecoder::decode).
    pub fn decode_f32(&mut self, frame: &EncodedFrame) -> Result<Vec<f32>, CodecError> {
        let samples = self.decode(frame)?;
        Ok(samples.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect())
    }

    /// What is missing before a frame.
    fn bridge(&mut self, frame: &EncodedFrame) -> Vec<i16> {
        let Some(expected) = self.expected.filter(|_| !frame.contiguous) else {
            return Vec::new();
        };
        let missing = frame.timestamp.ticks.saturating_sub(expected);
        let missing = usize::try_from(missing).unwrap_or(LONGEST).min(LONGEST) / self.length;
        let mut samples = Vec::new();
        for left in (0..missing).rev() {
            let copy = (left == 0).then_some(frame.data.as_slice());
            samples.extend(self.replace(copy));
        }
        samples
    }

    /// One lost frame: from the copy in the one behind it, or made up.
    fn replace(&mut self, behind: Option<&[u8]>) -> Vec<i16> {
        let mode = if behind.is_some() { DecodeMode::Fec } else { DecodeMode::Normal };
        let length = self.length;
        let copied = self.run(behind.unwrap_or_default(), length, mode);
        let silence = || vec![0; length * usize::from(self.channels)];
        copied.unwrap_or_else(|_| silence())
    }

    fn run(
        &mut self,
        packet: &[u8],
        length: usize,
        mode: DecodeMode,
    ) -> Result<Vec<i16>, CodecError> {
        let channels = usize::from(self.channels);
        let mut samples = vec![0; length * channels];
        let library = &mut self.decoder;
        let decoded = fenced(CODEC, || {
            library
                .decode(packet, &mut samples, mode)
                .map_err(|error| CodecError::stream(CODEC, error))
        });
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                self.decoder = fresh(self.channels)?;
                return Err(error);
            }
        };
        samples.truncate(decoded * channels);
        Ok(samples)
    }
}

fn fresh(count: u8) -> Result<ropus::Decoder, CodecError> {
    ropus::Decoder::new(RATE, channels(count)?).map_err(|error| CodecError::stream(CODEC, error))
}

impl AudioDecoder for OpusDecoder {
    fn codec(&self) -> Codec {
        CODEC
    }

    fn decode(&mut self, frame: &EncodedFrame) -> Result<Vec<i16>, CodecError> {
        expect_codec(CODEC, frame)?;
        if frame.data.is_empty() {
            return Err(CodecError::stream(CODEC, "an empty packet"));
        }
        let mut samples = self.bridge(frame);
        let decoded = self.run(&frame.data, LONGEST, DecodeMode::Normal)?;
        let length = decoded.len() / usize::from(self.channels);
        if length > 0 {
            self.length = length;
        }
        self.expected =
            u64::try_from(length).ok().map(|length| frame.timestamp.ticks.saturating_add(length));
        samples.extend(decoded);
        Ok(samples)
    }

    fn conceal(&mut self) -> Vec<i16> {
        let samples = self.replace(None);
        let length = u64::try_from(self.length).unwrap_or(0);
        self.expected = self.expected.map(|expected| expected + length);
        samples
    }
}

impl std::fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpusDecoder")
            .field("channels", &self.channels)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}
