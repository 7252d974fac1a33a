//! One packet on its way through: what forwarding has to know of it, and what it only carries on.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use str0m::format::{detect_av1_keyframe, detect_h264_nalu, detect_vp9_keyframe};
use str0m::rtp::rtcp::SenderInfo;
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor, Vp8Patch};

use super::Leg;
use super::format::FormatId;
use super::slot::SlotId;
use super::vp8;
use crate::rewrite::{Incoming, PictureNumbers};
use crate::{Clock, Codec, Kind};

/// The H264 network abstraction layer units with which a decoder can begin (RFC 6184, section 1.3).
const SEQUENCE_PARAMETERS: u8 = 7;
const IDR_SLICE: u8 = 5;

/// A packet that a publisher sent.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
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
    format: FormatId,
    marker: bool,
    extensions: Option<ExtensionValues>,
    payload: Arc<[u8]>,
    vp8: Option<Vp8Descriptor>,
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

    /// The patch that puts other numbers into the payload.
    fn patch(&self, picture: PictureNumbers) -> Option<Vp8Patch> {
        let vp8 = self.vp8.as_ref()?;
        if picture == self.picture {
            return None;
        }
        let mut patch = vp8.patch();
        if let Some(id) = picture.picture_id {
            patch = patch.picture_id(id);
        }
        if let Some(index) = picture.tl0_pic_idx {
            patch = patch.tl0_pic_idx(index);
        }
        patch.build().ok()
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
        let vp8 = match codec {
            Codec::Vp8 => Some(Vp8Descriptor::parse(&payload).ok()?),
            _ => None,
        };
        let mut picture = PictureNumbers::default();
        let mut temporal = Temporal::default();
        if let Some(vp8) = vp8.filter(|_| has_long_picture_id(&payload)) {
            temporal = vp8::parse(&payload).unwrap_or_default().temporal;
            picture =
                PictureNumbers { picture_id: vp8.picture_id(), tl0_pic_idx: vp8.tl0_pic_idx() };
        }
        let begins = begins(codec, &payload, vp8.as_ref());
        let size = if begins && codec == Codec::Vp8 { vp8::size(&payload) } else { None };
        let told = packet.last_sender_info;
        let captured =
            told.and_then(|told| captured(&told, packet.header.timestamp, codec.clock()));
        let received = packet.header.ext_vals;
        let has_any = received.audio_level.is_some() || received.video_orientation.is_some();
        let extensions = has_any.then(|| ExtensionValues {
            audio_level: received.audio_level,
            voice_activity: received.voice_activity,
            video_orientation: received.video_orientation,
            ..ExtensionValues::default()
        });
        Some(Packet {
            kind,
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
            extensions,
            payload,
            vp8,
        })
    }

    /// Puts a packet on a slot's line, with the numbers that go on there. `false`: its receiver
    /// cannot decode it, or it is too late.
    pub(crate) fn send(&mut self, slot: SlotId, packet: &Packet, incoming: &Incoming) -> bool {
        let Some(slot) = self.slots.get_mut(slot) else { return false };
        let Some(ssrc) = slot.ssrc.filter(|_| slot.takes(packet.format)) else { return false };
        let Some(numbers) = slot.rewriter.forward(incoming) else { return false };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx(&ssrc) else { return false };
        #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
        let timestamp = numbers.timestamp as u32;
        let mut write = RtpWrite::new(
            self.formats.payload_type(packet.format),
            numbers.sequence.into(),
            timestamp,
            packet.wallclock,
            packet.payload.clone(),
        )
        .marker(packet.marker)
        .nackable(packet.kind == Kind::Video);
        // They are large, and mostly empty.
        if let Some(extensions) = &packet.extensions {
            write = write.ext_vals(extensions.clone());
        }
        if let Some(patch) = packet.patch(numbers.picture) {
            write = write.vp8_patch(patch);
        }
        stream.write_rtp(write);
        true
    }

    /// A packet does not go out on a slot's line, on purpose.
    pub(crate) fn omit(&mut self, slot: SlotId, incoming: &Incoming) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.omit(incoming);
        }
    }

    /// Nothing goes out on a slot's line for a while.
    pub(crate) fn pause(&mut self, slot: SlotId) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.pause();
        }
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

fn begins(codec: Codec, payload: &[u8], vp8: Option<&Vp8Descriptor>) -> bool {
    match codec {
        Codec::Opus | Codec::Pcmu | Codec::Pcma => true,
        Codec::Vp8 => vp8.is_some_and(|vp8| vp8.starts_keyframe(payload)),
        // The parameter sets come before the slice, in a packet of their own or in the same.
        Codec::H264 => {
            detect_h264_nalu(payload, SEQUENCE_PARAMETERS) || detect_h264_nalu(payload, IDR_SLICE)
        }
        // Not predicted, and the first packet of the frame, of the lowest spatial layer.
        Codec::Vp9 => detect_vp9_keyframe(payload) && vp9_begins_picture(payload),
        Codec::Av1 => detect_av1_keyframe(payload),
    }
}

/// RFC 7741, section 4.2: X, I and M are set. Other picture ids are left as they are: a decoder makes
/// nothing of a jump in 7 bits.
fn has_long_picture_id(payload: &[u8]) -> bool {
    matches!(payload, [first, second, third, ..] if first & second & third & 0x80 != 0)
}

/// RFC 9628, section 4.2: the B bit, and no spatial layer but the lowest.
fn vp9_begins_picture(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return false };
    let (has_id, has_layer, begins) = (first & 0x80 != 0, first & 0x20 != 0, first & 0x08 != 0);
    if !begins {
        return false;
    }
    if !has_layer {
        return true;
    }
    let mut at = 1;
    if has_id {
        let long = payload.get(at).is_some_and(|byte| byte & 0x80 != 0);
        at += if long { 2 } else { 1 };
    }
    payload.get(at).is_some_and(|byte| byte & 0x0e == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vp9_decoder_begins_with_the_first_packet_of_a_key_frame() {
        assert!(begins(Codec::Vp9, &[0x08], None));
        assert!(!begins(Codec::Vp9, &[0x48], None), "predicted");
        assert!(!begins(Codec::Vp9, &[0x04], None), "its end");
        assert!(begins(Codec::Vp9, &[0xa8, 0x81, 0x02, 0x00], None));
        assert!(!begins(Codec::Vp9, &[0xa8, 0x81, 0x02, 0x02], None), "a higher layer");
    }

    #[test]
    fn an_h264_decoder_begins_with_parameters_or_a_slice_that_needs_no_other() {
        assert!(begins(Codec::H264, &[0x67, 0], None));
        assert!(begins(Codec::H264, &[0x7c, 0x85, 0], None));
        assert!(!begins(Codec::H264, &[0x7c, 0x05, 0], None), "not its beginning");
        assert!(!begins(Codec::H264, &[0x41, 0], None));
    }
}
