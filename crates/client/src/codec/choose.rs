//! The encoder or decoder for the codec that a call agreed on.

use super::{
    AudioDecoder, AudioEncoder, AudioSettings, CodecError, VideoDecoder, VideoEncoder,
    VideoSettings,
};
use crate::media::Codec;

/// An encoder for pictures, such as for the first of
/// [`LocalTrack::codecs`](crate::LocalTrack::codecs) that there is one for.
///
/// # Errors
///
/// [`CodecError::NotBuiltIn`], [`CodecError::None`], or [`CodecError::FrameRate`].
pub fn video_encoder(
    codec: Codec,
    settings: VideoSettings,
) -> Result<Box<dyn VideoEncoder>, CodecError> {
    if !(1..=240).contains(&settings.fps) {
        return Err(CodecError::FrameRate(settings.fps));
    }
    match codec {
        #[cfg(feature = "codec-vpx")]
        Codec::Vp8 => Ok(Box::new(super::Vp8Encoder::new(settings)?)),
        #[cfg(feature = "codec-vpx")]
        Codec::Vp9 => Ok(Box::new(super::Vp9Encoder::new(settings)?)),
        #[cfg(feature = "codec-h264")]
        Codec::H264 => Ok(Box::new(super::H264Encoder::new(settings)?)),
        codec => Err(missing(codec, "pictures")),
    }
}

/// A decoder for pictures.
///
/// # Errors
///
/// [`CodecError::NotBuiltIn`] or [`CodecError::None`].
pub fn video_decoder(codec: Codec) -> Result<Box<dyn VideoDecoder>, CodecError> {
    match codec {
        #[cfg(feature = "codec-vpx")]
        Codec::Vp8 => Ok(Box::new(super::Vp8Decoder::new())),
        #[cfg(feature = "codec-vpx")]
        Codec::Vp9 => Ok(Box::new(super::Vp9Decoder::new())),
        #[cfg(feature = "codec-h264")]
        Codec::H264 => Ok(Box::new(super::H264Decoder::new()?)),
        codec => Err(missing(codec, "pictures")),
    }
}

/// An encoder for sound.
///
/// # Errors
///
/// [`CodecError::NotBuiltIn`], [`CodecError::None`], or what is wrong with the settings.
pub fn audio_encoder(
    codec: Codec,
    settings: AudioSettings,
) -> Result<Box<dyn AudioEncoder>, CodecError> {
    let _ = settings;
    match codec {
        #[cfg(feature = "codec-opus")]
        Codec::Opus => Ok(Box::new(super::OpusEncoder::new(settings)?)),
        codec => Err(missing(codec, "sound")),
    }
}

/// A decoder for sound, into 48 000 samples a second in so many channels, 1 or 2, whatever is sent.
///
/// # Errors
///
/// [`CodecError::NotBuiltIn`], [`CodecError::None`] or [`CodecError::Channels`].
pub fn audio_decoder(codec: Codec, channels: u8) -> Result<Box<dyn AudioDecoder>, CodecError> {
    let _ = channels;
    match codec {
        #[cfg(feature = "codec-opus")]
        Codec::Opus => Ok(Box::new(super::OpusDecoder::new(channels)?)),
        codec => Err(missing(codec, "sound")),
    }
}

fn missing(codec: Codec, wanted: &'static str) -> CodecError {
    let feature = match codec {
        Codec::Vp8 | Codec::Vp9 => "codec-vpx",
        Codec::H264 => "codec-h264",
        Codec::Opus => "codec-opus",
        Codec::Av1 | Codec::Pcmu | Codec::Pcma => return CodecError::None { codec, wanted },
    };
    if codec.is_audio() == (wanted == "sound") {
        CodecError::NotBuiltIn { codec, feature }
    } else {
        CodecError::None { codec, wanted }
    }
}
