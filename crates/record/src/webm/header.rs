//! The first 4096 bytes of the file: what it is and which tracks it has.
//!
//! They are written again as a whole whenever there is more to say: a track that comes later, the
//! duration so far, in the end the index. The rest of them is an element that means nothing.

use super::ebml::{Ebml, UNKNOWN};
use crate::Codec;
use crate::opus;
use crate::video::Format;

/// Bytes of the header.
pub(super) const LENGTH: usize = 4096;
/// Where positions in the index count from.
pub(super) const SEGMENT_DATA: u64 = 52;
/// Names and numbers of one track fit many times over, but parameters of H.264 may be long.
pub(super) const MAX_TRACKS: usize = 16;

/// One `TrackEntry`. Its number is its place in the header, from 1.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) codec: Codec,
    pub(super) format: Option<Format>,
}

/// What the header says. `None` where it is not known yet.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) tracks: Vec<Track>,
    /// In milliseconds.
    pub(super) duration: Option<u64>,
    /// Position of the index, from [`SEGMENT_DATA`].
    pub(super) cues: Option<u64>,
    pub(super) segment_length: Option<u64>,
}

impl Header {
    /// Whether there is room for it, with what will be known at the end.
    pub(super) fn fits(&self) -> bool {
        const DURATION_AND_INDEX: usize = 11 + 21;
        const SMALLEST_VOID: usize = 2;
        self.content().len() + DURATION_AND_INDEX + SMALLEST_VOID <= LENGTH
    }

    /// Always [`LENGTH`] bytes, as long as it [fits](Self::fits).
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.content();
        bytes.void(LENGTH.saturating_sub(bytes.len()).max(2));
        bytes
    }

    fn content(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        self.file_type(&mut bytes);
        bytes.id(0x1853_8067); // Segment
        bytes.wide_length(self.segment_length.unwrap_or(UNKNOWN));
        debug_assert_eq!(bytes.len() as u64, SEGMENT_DATA);
        let (info, tracks) = (self.info(), self.tracks());
        let seek_length = seek_head([0; 2], self.cues).len() as u64;
        bytes.extend(seek_head([seek_length, seek_length + info.len() as u64], self.cues));
        bytes.extend(info);
        bytes.extend(tracks);
        bytes
    }

    /// As long for one name as for the other: a codec may come that `WebM` does not have.
    fn file_type(&self, bytes: &mut Vec<u8>) {
        let webm = |track: &Track| {
            matches!(track.codec, Codec::Vp8 | Codec::Vp9 | Codec::Av1 | Codec::Opus)
        };
        let name = if self.tracks.iter().all(webm) { "webm" } else { "matroska" };
        bytes.master(0x1A45_DFA3, |bytes| {
            bytes.number(0x4286, 1); // EBMLVersion
            bytes.wide_number(0x42F7, 1, 9 - name.len()); // EBMLReadVersion
            bytes.number(0x42F2, 4); // EBMLMaxIDLength
            bytes.number(0x42F3, 8); // EBMLMaxSizeLength
            bytes.text(0x4282, name); // DocType
            bytes.number(0x4287, 4); // DocTypeVersion
            bytes.number(0x4285, 2); // DocTypeReadVersion
        });
    }

    fn info(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.master(0x1549_A966, |bytes| {
            bytes.number(0x002A_D7B1, 1_000_000); // TimestampScale: milliseconds
            bytes.text(0x4D80, "peerway"); // MuxingApp
            bytes.text(0x5741, "peerway"); // WritingApp
            if let Some(duration) = self.duration {
                #[expect(clippy::cast_precision_loss, reason = "exact for 280 000 years")]
                bytes.float(0x4489, duration as f64);
            }
        });
        bytes
    }

    fn tracks(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.master(0x1654_AE6B, |bytes| {
            for (number, track) in (1..).zip(&self.tracks) {
                bytes.master(0xAE, |bytes| track.encode(number, bytes));
            }
        });
        bytes
    }
}

impl Track {
    fn encode(&self, number: u64, bytes: &mut Vec<u8>) {
        bytes.number(0xD7, number); // TrackNumber
        bytes.number(0x73C5, number); // TrackUID
        bytes.number(0x83, if self.codec.is_audio() { 2 } else { 1 }); // TrackType
        bytes.number(0x9C, 0); // FlagLacing
        bytes.text(0x0022_B59C, "und"); // Language
        bytes.text(0x86, codec_id(self.codec));
        let private = self.private();
        if !private.is_empty() {
            bytes.binary(0x63A2, &private);
        }
        match &self.format {
            Some(format) => bytes.master(0xE0, |bytes| {
                bytes.number(0xB0, format.width.into());
                bytes.number(0xBA, format.height.into());
            }),
            None => self.sound(bytes),
        }
    }

    fn sound(&self, bytes: &mut Vec<u8>) {
        if self.codec == Codec::Opus {
            bytes.number(0x56BB, 80_000_000); // SeekPreRoll, nanoseconds
        }
        bytes.master(0xE1, |bytes| {
            bytes.float(0xB5, self.codec.clock_rate().into()); // SamplingFrequency
            bytes.number(0x9F, if self.codec == Codec::Opus { 2 } else { 1 }); // Channels
        });
    }

    fn private(&self) -> Vec<u8> {
        match self.codec {
            Codec::Opus => opus::head(),
            Codec::Pcma => wave_format(6),
            Codec::Pcmu => wave_format(7),
            _ => self.format.as_ref().map(|format| format.private.clone()).unwrap_or_default(),
        }
    }
}

fn codec_id(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "V_VP8",
        Codec::Vp9 => "V_VP9",
        Codec::H264 => "V_MPEG4/ISO/AVC",
        Codec::Av1 => "V_AV1",
        Codec::Opus => "A_OPUS",
        Codec::Pcmu | Codec::Pcma => "A_MS/ACM",
    }
}

/// WAVEFORMATEX of G.711: one channel, 8000 bytes and samples a second.
fn wave_format(tag: u16) -> Vec<u8> {
    let mut format = Vec::new();
    format.extend_from_slice(&tag.to_le_bytes());
    format.extend_from_slice(&1_u16.to_le_bytes());
    format.extend_from_slice(&8_000_u32.to_le_bytes());
    format.extend_from_slice(&8_000_u32.to_le_bytes());
    for number in [1_u16, 8, 0] {
        format.extend_from_slice(&number.to_le_bytes());
    }
    format
}

/// Where the other parts begin. Its length depends on nothing but whether there is an index.
fn seek_head([info, tracks]: [u64; 2], cues: Option<u64>) -> Vec<u8> {
    let targets = [(0x1549_A966_u32, Some(info)), (0x1654_AE6B, Some(tracks)), (0x1C53_BB6B, cues)];
    let mut bytes = Vec::new();
    bytes.master(0x114D_9B74, |bytes| {
        for (id, position) in targets {
            let Some(position) = position else { continue };
            bytes.master(0x4DBB, |bytes| {
                bytes.binary(0x53AB, &id.to_be_bytes());
                bytes.wide_number(0x53AC, position, 8);
            });
        }
    });
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(codec: Codec) -> Track {
        let format = Format { width: 640, height: 360, private: Vec::new() };
        Track { codec, format: (!codec.is_audio()).then_some(format) }
    }

    #[test]
    fn the_header_is_as_long_whatever_it_says() {
        let mut header = Header::default();
        assert_eq!(header.encode().len(), LENGTH);
        header.tracks = vec![track(Codec::Opus), track(Codec::Vp8)];
        assert_eq!(header.encode().len(), LENGTH);
        header.tracks.push(track(Codec::Pcmu));
        header.duration = Some(86_400_000);
        header.cues = Some(1 << 40);
        header.segment_length = Some(1 << 41);
        assert_eq!(header.encode().len(), LENGTH);
    }

    #[test]
    fn the_file_is_webm_as_long_as_its_codecs_are() {
        let mut header = Header { tracks: vec![track(Codec::Vp8)], ..Header::default() };
        let names = |header: &Header, name: &[u8]| {
            header.encode()[..40].windows(name.len()).any(|window| window == name)
        };
        assert!(names(&header, b"\x42\x82\x84webm"));
        header.tracks.push(track(Codec::Pcma));
        assert!(names(&header, b"\x42\x82\x88matroska"));
    }

    #[test]
    fn the_end_fits_where_the_beginning_did() {
        let mut header = Header { tracks: vec![track(Codec::H264)], ..Header::default() };
        let most = (0..LENGTH).rev().find(|length| {
            header.tracks[0].format.as_mut().unwrap().private = vec![1; *length];
            header.fits()
        });
        assert!(most > Some(3_800));
        header.duration = Some(u64::MAX);
        header.cues = Some(u64::MAX);
        header.segment_length = Some(UNKNOWN - 1);
        assert_eq!(header.encode().len(), LENGTH);
    }
}
