//! What encoders and decoders of pictures have in common.

use super::{CodecError, I420, Plane, VideoSettings};
use crate::media::{Codec, EncodedFrame};

/// The largest picture that is decoded or encoded: a stream from the network shall not make us
/// allocate gigabytes.
pub(super) const MAX_PIXELS: u32 = 4096 * 2304;
const BITRATES: std::ops::RangeInclusive<u32> = 30_000..=50_000_000;

/// Lets frames through that can be decoded.
#[derive(Debug)]
pub(super) struct Gate {
    needs_key_frame: bool,
}

impl Gate {
    pub(super) fn closed() -> Self {
        Self { needs_key_frame: true }
    }

    pub(super) fn enter(&mut self, codec: Codec, frame: &EncodedFrame) -> Result<(), CodecError> {
        super::expect_codec(codec, frame)?;
        self.needs_key_frame = !frame.keyframe && (self.needs_key_frame || !frame.contiguous);
        if self.needs_key_frame { Err(CodecError::NeedsKeyFrame) } else { Ok(()) }
    }

    /// What came through could not be decoded.
    pub(super) fn close(&mut self) {
        self.needs_key_frame = true;
    }
}

pub(super) fn bitrate(bits_per_second: u32) -> u32 {
    bits_per_second.clamp(*BITRATES.start(), *BITRATES.end())
}

/// Settings within the limits, or what is wrong with them.
pub(super) fn settings(settings: VideoSettings) -> Result<VideoSettings, CodecError> {
    if !(1..=240).contains(&settings.fps) {
        return Err(CodecError::FrameRate(settings.fps));
    }
    Ok(VideoSettings { bitrate: bitrate(settings.bitrate), ..settings })
}

pub(super) fn size(picture: &I420) -> (u32, u32) {
    (picture.width(), picture.height())
}

/// The plane in rows of another length, for libraries that know one stride for both U and V. `None`: it
/// is so already.
pub(super) fn at_stride(plane: Plane<'_>, stride: usize) -> Option<Vec<u8>> {
    if plane.stride == stride {
        return None;
    }
    let columns = plane.stride.min(stride);
    let row = |row: &[u8]| {
        let mut row = row[..columns.min(row.len())].to_vec();
        row.resize(stride, 0);
        row
    };
    Some(plane.data.chunks(plane.stride).flat_map(row).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_gate_opens_at_a_key_frame_and_closes_at_a_gap() {
        let frame = |keyframe, contiguous| {
            let timestamp = crate::codec::timestamp(Codec::Vp8, Duration::ZERO);
            let mut frame = EncodedFrame::new(Codec::Vp8, Vec::new(), timestamp, keyframe);
            frame.contiguous = contiguous;
            frame
        };
        let mut gate = Gate::closed();
        let mut enter = |keyframe, contiguous| gate.enter(Codec::Vp8, &frame(keyframe, contiguous));
        assert_eq!(enter(false, true), Err(CodecError::NeedsKeyFrame));
        assert_eq!(enter(true, false), Ok(()));
        assert_eq!(enter(false, true), Ok(()));
        assert_eq!(enter(false, false), Err(CodecError::NeedsKeyFrame));
        assert_eq!(enter(false, true), Err(CodecError::NeedsKeyFrame));
        assert_eq!(enter(true, true), Ok(()));
    }

    #[test]
    fn rows_of_another_length() {
        let plane = Plane { data: &[1, 2, 0, 3, 4, 0], stride: 3 };
        assert_eq!(at_stride(plane, 2), Some(vec![1, 2, 3, 4]));
        assert_eq!(at_stride(plane, 4), Some(vec![1, 2, 0, 0, 3, 4, 0, 0]));
        assert_eq!(at_stride(plane, 3), None);
    }
}
