//! One packet on its way through: what forwarding has to know of it, and what it only carries on.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use str0m::format::{detect_av1_keyframe, detect_h264_nalu, detect_vp9_keyframe};
use str0m::rtp::RtpPacket;
use str0m::rtp::rtcp::SenderInfo;

use super::Leg;
use super::format::FormatId;
use super::picture::Places;
use super::{vp8, vp9};
use crate::rewrite::PictureNumbers;
use crate::{Clock, Codec, Kind};

/// The H264 network abstraction layer units with which a decoder can begin (RFC 6184, section 1.3).
const SEQUENCE_PARAMETERS: u8 = 7;
const IDR_SLICE: u8 = 5;

/// A packet that a publisher sent.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    /// Under which it came (RFC 3550, section 3).
    pub(crate) ssrc: u32,
    /// Which of its sizes, the smallest first.
    pub(crate) layer: usize,
    /// Unwrapped.
    pub(crate) sequence: u64,
    /// Unwrapped.
    pub(crate) timestamp: u64,
    pub(crate) arrival: Instant,
    /// When it was captured, on its sender's clock, once the sender has told (RFC 3550, section 6.4.1).
    pub(crate) captured: Option<Duration>,
    /// When it was captured, on ours.
    pub(crate) wallclock: Instant,
    pub(crate) picture: PictureNumbers,
    /// A decoder can begin with this packet.
    pub(crate) begins: bool,
    /// Of VP8 with long picture ids only.
    pub(crate) temporal: Temporal,
    /// Width and height, where a key frame begins that tells.
    pub(crate) size: Option<(u16, u16)>,
    /// In dB below full scale (RFC 6464).
    pub(crate) audio_level: Option<u8>,
    pub(super) format: FormatId,
    pub(super) marker: bool,
    /// As extensions carry them (RFC 6464, section 3; 3GPP TS 26.114, section 7.4.5).
    pub(super) level: Option<u8>,
    pub(super) orientation: Option<u8>,
    payload: Arc<[u8]>,
    places: Places,
}

/// Where a packet is among temporal layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Temporal {
    /// A picture begins.
    pub(crate) first: bool,
    /// Of the picture: 0 is the lowest, and the only one where there are none.
    pub(crate) layer: u8,
    /// A receiver who had only the lowest layer can go on with the picture's.
    pub(crate) sync: bool,
}

impl Packet {
    /// Bytes of payload.
    pub(crate) fn len(&self) -> usize {
        self.payload.len()
    }

    /// Nothing comes after it that is shown at the same time.
    pub(crate) fn ends_picture(&self) -> bool {
        self.marker || self.kind == Kind::Audio
    }

    /// Writes the payload to the end of a packet, with other numbers of its picture.
    pub(super) fn write(&self, numbers: PictureNumbers, packet: &mut Vec<u8>) {
        let begin = packet.len();
        packet.extend_from_slice(&self.payload);
        if numbers != self.picture {
            self.places.write(numbers, &mut packet[begin..]);
        }
    }
}

impl Leg {
    pub(super) fn packet(&mut self, packet: RtpPacket) -> Option<Packet> {
        let (kind, layer) = self.source(packet.header.ssrc)?;
        let (format, codec) = self.formats.find(packet.header.payload_type)?;
        let payload = packet.payload;
        // Keeping a path open, or probing it: nothing to decode.
        if payload.is_empty() || codec.kind() != kind {
            return None;
        }
        let mut picture = PictureNumbers::default();
        let mut places = Places::default();
        let mut temporal = Temporal::default();
        let mut size = None;
        let begins = match codec {
            Codec::Vp8 => {
                let vp8 = vp8::parse(&payload)?;
                (picture, places) = (vp8.numbers, vp8.places);
                if picture.picture_id.is_some() {
                    temporal = vp8.temporal;
                }
                size = vp8.size(&payload);
                vp8.begins(&payload)
            }
            Codec::Vp9 => {
                let vp9 = vp9::parse(&payload).unwrap_or_default();
                (picture, places) = (vp9.numbers, vp9.places);
                // Not predicted, and the first packet of the frame.
                vp9.first && detect_vp9_keyframe(&payload)
            }
            _ => begins(codec, &payload),
        };
        let told = packet.last_sender_info;
        let captured =
            told.and_then(|told| captured(&told, packet.header.timestamp, codec.clock()));
        let received = packet.header.ext_vals;
        let voice = received.voice_activity.unwrap_or_default();
        let level = received.audio_level.map(|level| u8::from(voice) << 7 | level.unsigned_abs());
        Some(Packet {
            kind,
            ssrc: *packet.header.ssrc,
            layer,
            sequence: *packet.seq_no,
            timestamp: packet.time.numer(),
            arrival: packet.timestamp,
            captured,
            wallclock: packet.timestamp,
            picture,
            begins,
            temporal,
            size,
            audio_level: received.audio_level.map(i8::unsigned_abs),
            format,
            marker: packet.header.marker,
            level,
            orientation: received.video_orientation.map(|orientation| orientation as u8),
            payload,
            places,
        })
    }
}

/// Both of a sender's clocks are known for one moment; from there it is so many ticks.
fn captured(told: &SenderInfo, timestamp: u32, clock: Clock) -> Option<Duration> {
    let then = told.ntp_time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
    let ticks = timestamp.wrapping_sub(told.rtp_time.numer() as u32);
    // The shorter way round.
    if ticks.cast_signed() < 0 {
        then.checked_sub(clock.duration(ticks.wrapping_neg().into()))
    } else {
        then.checked_add(clock.duration(ticks.into()))
    }
}

/// Whether a decoder can begin with a packet of the codecs that have no descriptor.
fn begins(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        // The parameter sets come before the slice, in a packet of their own or in the same.
        Codec::H264 => {
            detect_h264_nalu(payload, SEQUENCE_PARAMETERS) || detect_h264_nalu(payload, IDR_SLICE)
        }
        Codec::Av1 => detect_av1_keyframe(payload),
        _ => codec.kind() == Kind::Audio,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vp9_decoder_begins_with_the_first_packet_of_a_key_frame() {
        let begins = |payload: &[u8]| {
            vp9::parse(payload).unwrap_or_default().first && detect_vp9_keyframe(payload)
        };
        assert!(begins(&[0x08]));
        assert!(!begins(&[0x48]), "predicted");
        assert!(!begins(&[0x04]), "its end");
        assert!(begins(&[0xa8, 0x81, 0x02, 0x00, 0x00]));
        assert!(!begins(&[0xa8, 0x81, 0x02, 0x02, 0x00]), "a higher layer");
    }

    #[test]
    fn an_h264_decoder_begins_with_parameters_or_a_slice_that_needs_no_other() {
        assert!(begins(Codec::H264, &[0x67, 0]));
        assert!(begins(Codec::H264, &[0x7c, 0x85, 0]));
        assert!(!begins(Codec::H264, &[0x7c, 0x05, 0]), "not its beginning");
        assert!(!begins(Codec::H264, &[0x41, 0]));
    }
}
