//! VP8 as far as forwarding looks at it: a descriptor with a picture id, and whether it is a key frame.

use std::collections::BTreeMap;
use std::time::Instant;

use peerway_media::Codec;

use super::client::Track;

/// A picture that was complete and whose predecessor was shown, or that needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    pub at: Instant,
    /// In the descriptor.
    pub id: u16,
    /// As its publisher counted.
    pub number: u16,
    pub key: bool,
    pub timestamp: u64,
}

/// One packet of a picture: its descriptor has I, L, T; behind it what the publisher called it.
pub fn packet(number: u16, key: bool, part: usize, last: bool) -> Vec<u8> {
    let start = if part == 0 { 0x10 } else { 0 };
    let [high, low] = (number | 0x8000).to_be_bytes();
    let base_layer = number.to_be_bytes()[1];
    let mut payload = vec![0x80 | start, 0xe0, high, low, base_layer, 0x00];
    // The P bit of the frame header (RFC 6386, section 9.1), where it begins.
    payload.push(u8::from(!key));
    payload.extend(number.to_be_bytes());
    payload.push(u8::from(key));
    payload.push(u8::try_from(part).unwrap());
    payload.extend(std::iter::repeat_n(0x55, if last { 400 } else { 1089 }));
    payload
}

/// The same in another format: what its payload format tells, and behind it part and number.
pub fn packet_in(codec: Codec, number: u16, key: bool, part: usize, last: bool) -> Vec<u8> {
    let first = part == 0;
    let [high, low] = (number | 0x8000).to_be_bytes();
    let mut payload = match codec {
        // Parameters, then slices (RFC 6184).
        Codec::H264 if key && first => vec![0x67],
        Codec::H264 if key => vec![0x65],
        Codec::H264 => vec![0x41],
        // I, P, B, E and a long picture id (RFC 9628).
        Codec::Vp9 => {
            let flags = u8::from(!key) << 6 | u8::from(first) << 3 | u8::from(last) << 2;
            vec![0x80 | flags, high, low]
        }
        // Z, Y, one element, N.
        Codec::Av1 => {
            vec![u8::from(!first) << 7 | u8::from(!last) << 6 | 0x10 | u8::from(key && first) << 3]
        }
        _ => return packet(number, key, part, last),
    };
    payload.extend([u8::from(key), u8::try_from(part).unwrap(), high & 0x7f, low]);
    payload.extend(std::iter::repeat_n(0x55, 800));
    payload
}

/// What a decoder would show: complete pictures without a gap between their ids, beginning with a
/// key frame, in order.
pub fn decode(track: &Track) -> Vec<Picture> {
    let mut packets: Vec<_> = track.packets.iter().collect();
    packets.sort_by_key(|packet| packet.sequence);
    // Sorting hides when the last part came: that is when the picture is there.
    let mut pictures: BTreeMap<u64, Vec<&super::client::Received>> = BTreeMap::new();
    for packet in packets {
        pictures.entry(packet.timestamp).or_default().push(packet);
    }
    let mut shown: Vec<Picture> = Vec::new();
    let mut latest: Option<Instant> = None;
    for (timestamp, parts) in pictures {
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        let contiguous = parts.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1);
        if first.payload[0] & 0x10 == 0 || !last.marker || !contiguous {
            continue;
        }
        let id = u16::from_be_bytes([first.payload[2] & 0x7f, first.payload[3]]);
        let number = u16::from_be_bytes([first.payload[7], first.payload[8]]);
        let key = first.payload[6] & 1 == 0;
        let follows = shown.last().is_some_and(|before| (before.id + 1) & 0x7fff == id);
        if !key && !follows {
            continue;
        }
        let at = parts.iter().map(|part| part.at).max().unwrap();
        let at = latest.map_or(at, |latest| latest.max(at));
        latest = Some(at);
        shown.push(Picture { at, id, number, key, timestamp });
    }
    shown
}
