//! IVF: pictures of one codec, one after the other, as codec tools read them.
//!
//! ```text
//!   DKIF  version  header length  fourcc  width  height  ticks per second  1  frames  0
//!   length  timestamp  frame
//!   ...
//! ```

use crate::{Codec, Frame, Output, Patch, WriteError, video};

/// Timestamps count as those of RTP do.
const TICKS: u32 = 90_000;
const FRAMES_AT: u64 = 24;

/// Writes one track of video.
#[derive(Debug, Default)]
pub struct Writer {
    codec: Option<Codec>,
    frames: u32,
    last: Option<u64>,
}

impl Writer {
    /// Nothing is written before the first key frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next frame. Timestamps that do not grow are moved by a tick.
    pub fn write(&mut self, frame: &Frame<'_>) -> Result<Output, WriteError> {
        let mut output = Output::default();
        if frame.codec.is_audio() || self.codec.is_some_and(|codec| codec != frame.codec) {
            return Err(WriteError::Unsupported { container: "IVF", codec: frame.codec });
        }
        if self.codec.is_none() {
            if !frame.keyframe {
                return Err(WriteError::NotAKeyFrame);
            }
            let malformed = WriteError::Malformed(frame.codec);
            let format = video::format(frame.codec, frame.data).ok_or(malformed)?;
            output.append = header(frame.codec, format.width, format.height);
            self.codec = Some(frame.codec);
        }
        let delimiter = delimiter(frame);
        let length = u32::try_from(delimiter.len() + frame.data.len())
            .map_err(|_| WriteError::Malformed(frame.codec))?;
        let ticks = frame.timestamp.as_nanos() * u128::from(TICKS) / 1_000_000_000;
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        let ticks = self.last.map_or(ticks, |last| ticks.max(last.saturating_add(1)));
        self.last = Some(ticks);
        self.frames = self.frames.saturating_add(1);
        output.append.extend_from_slice(&length.to_le_bytes());
        output.append.extend_from_slice(&ticks.to_le_bytes());
        output.append.extend_from_slice(delimiter);
        output.append.extend_from_slice(frame.data);
        Ok(output)
    }

    /// The end: the header learns how many frames there are.
    pub fn finish(self) -> Output {
        let bytes = self.frames.to_le_bytes().to_vec();
        let patches = match self.codec {
            Some(_) => vec![Patch { offset: FRAMES_AT, bytes }],
            None => Vec::new(),
        };
        Output { append: Vec::new(), patches }
    }
}

/// AV1 in a file has a delimiter before each picture, which RTP leaves away.
fn delimiter(frame: &Frame<'_>) -> &'static [u8] {
    const TEMPORAL_DELIMITER: &[u8] = &[0x12, 0x00];
    let missing = frame.codec == Codec::Av1 && !frame.data.starts_with(TEMPORAL_DELIMITER);
    if missing { TEMPORAL_DELIMITER } else { &[] }
}

fn header(codec: Codec, width: u32, height: u32) -> Vec<u8> {
    let fourcc = match codec {
        Codec::Vp9 => b"VP90",
        Codec::Av1 => b"AV01",
        Codec::H264 => b"H264",
        _ => b"VP80",
    };
    let mut header = b"DKIF\0\0\x20\0".to_vec();
    header.extend_from_slice(fourcc);
    for size in [width, height] {
        header.extend_from_slice(&u16::try_from(size).unwrap_or(u16::MAX).to_le_bytes());
    }
    for number in [TICKS, 1, 0, 0] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: [u8; 10] = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01];

    fn frame(milliseconds: u64, keyframe: bool) -> Frame<'static> {
        let timestamp = Duration::from_millis(milliseconds);
        let data = if keyframe { &KEY[..] } else { &[1, 2, 3][..] };
        Frame { codec: Codec::Vp8, data, timestamp, keyframe }
    }

    #[test]
    fn the_header_is_made_of_the_first_key_frame() {
        let mut writer = Writer::new();
        assert_eq!(writer.write(&frame(0, false)), Err(WriteError::NotAKeyFrame));
        let mut file = Vec::new();
        writer.write(&frame(1_000, true)).unwrap().apply(&mut file);
        writer.write(&frame(1_040, false)).unwrap().apply(&mut file);
        writer.finish().apply(&mut file);

        assert_eq!(file[..16], *b"DKIF\0\0\x20\0VP80\x80\x02\x68\x01");
        assert_eq!(file[16..32], [0x90, 0x5F, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(file[32..44], [10, 0, 0, 0, 0x90, 0x5F, 1, 0, 0, 0, 0, 0]);
        assert_eq!(file[44..54], KEY);
        assert_eq!(file[54..66], [3, 0, 0, 0, 0xA0, 0x6D, 1, 0, 0, 0, 0, 0]);
        assert_eq!(file[66..], [1, 2, 3]);
    }

    #[test]
    fn timestamps_grow() {
        let mut writer = Writer::new();
        let first = writer.write(&frame(500, true)).unwrap();
        let second = writer.write(&frame(400, false)).unwrap();
        assert_eq!(first.append[36..40], 45_000_u32.to_le_bytes());
        assert_eq!(second.append[4..8], 45_001_u32.to_le_bytes());
    }

    #[test]
    fn sound_and_other_codecs_are_refused() {
        let mut writer = Writer::new();
        let sound = Frame { codec: Codec::Opus, ..frame(0, true) };
        let refused = |codec| Err(WriteError::Unsupported { container: "IVF", codec });
        assert_eq!(writer.write(&sound), refused(Codec::Opus));
        drop(writer.write(&frame(0, true)).unwrap());
        let other = Frame { codec: Codec::Vp9, ..frame(0, true) };
        assert_eq!(writer.write(&other), refused(Codec::Vp9));
    }
}
