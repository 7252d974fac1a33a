//! What a VP8 payload tells of itself (RFC 7741, section 4; RFC 6386, section 9.1).

use super::packet::Temporal;
use super::picture::{Place, Places};
use crate::PictureNumbers;

/// A packet's descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// How long it is.
    length: usize,
    pub(super) temporal: Temporal,
    pub(super) numbers: PictureNumbers,
    pub(super) places: Places,
}

/// `None`: it is cut off. Numbers are told only where the picture's has 15 bits: a decoder makes nothing of a
/// jump in 7.
pub(super) fn parse(payload: &[u8]) -> Option<Descriptor> {
    let required = *payload.first()?;
    let temporal = Temporal { first: required & 0x17 == 0x10, ..Temporal::default() };
    let mut descriptor = Descriptor { length: 1, temporal, ..Descriptor::default() };
    if required & 0x80 == 0 {
        return Some(descriptor);
    }
    let extension = payload.get(1)?;
    let mut at = 2;
    if extension & 0x80 != 0 {
        if let Some((id, place)) = Place::of_long_id(payload, at)? {
            descriptor.numbers.picture_id = Some(id);
            descriptor.places.picture_id = Some(place);
            at += 1;
        }
        at += 1;
    }
    if extension & 0x40 != 0 {
        let index = payload.get(at)?;
        if descriptor.numbers.picture_id.is_some() {
            descriptor.numbers.tl0_pic_idx = Some(*index);
            descriptor.places.tl0_pic_idx = Some(Place::at(at)?);
        }
        at += 1;
    }
    if extension & 0x30 != 0 {
        let layer = payload.get(at)?;
        if extension & 0x20 != 0 {
            descriptor.temporal.layer = layer >> 6;
            descriptor.temporal.sync = layer & 0x20 != 0;
        }
        at += 1;
    }
    descriptor.length = at;
    Some(descriptor)
}

impl Descriptor {
    /// A decoder can begin with this packet.
    pub(super) fn begins(&self, payload: &[u8]) -> bool {
        self.temporal.first && payload.get(self.length).is_some_and(|tag| tag & 1 == 0)
    }

    /// The size of the picture, where a key frame begins.
    pub(super) fn size(&self, payload: &[u8]) -> Option<(u16, u16)> {
        let frame = payload.get(self.length..)?;
        // Three bytes of tag, three that are always the same, then width and height with two bits of scaling.
        let &[tag, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..] = frame else { return None };
        let is_key = tag & 1 == 0;
        let dimension = |bytes| u16::from_le_bytes(bytes) & 0x3fff;
        is_key.then(|| (dimension([a, b]), dimension([c, d])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(payload: &[u8]) -> Option<(u16, u16)> {
        parse(payload)?.size(payload)
    }

    #[test]
    fn a_key_frame_tells_its_size() {
        let frame = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x41];
        let mut payload = vec![0x90, 0xe0, 0x81, 0x00, 0x05, 0x00];
        payload.extend(frame);
        assert_eq!(size(&payload), Some((640, 480)));
        assert!(parse(&payload).unwrap().begins(&payload));
        let mut short = vec![0x10];
        short.extend(frame);
        assert_eq!(size(&short), Some((640, 480)));
        for end in 0..payload.len() {
            assert_eq!(size(&payload[..end]), None);
        }
        payload[6] |= 1;
        assert_eq!(size(&payload), None, "predicted");
        assert!(!parse(&payload).unwrap().begins(&payload));
    }

    #[test]
    fn a_descriptor_tells_the_temporal_layer() {
        let parsed = parse(&[0x90, 0xe0, 0x81, 0x00, 0x05, 0xa0, 0x01]).unwrap();
        assert_eq!(parsed.length, 6);
        assert_eq!(parsed.temporal, Temporal { first: true, layer: 2, sync: true });
        let parsed = parse(&[0x80, 0x20, 0x40]).unwrap();
        assert_eq!(parsed.length, 3);
        assert_eq!(parsed.temporal, Temporal { first: false, layer: 1, sync: false });
        // Only a key index.
        assert_eq!(parse(&[0x90, 0x10, 0xff]).unwrap().temporal.layer, 0);
        assert_eq!(parse(&[0x80, 0xe0, 0x81]), None);
    }

    #[test]
    fn its_numbers_are_found_and_changed() {
        let mut payload = [0x90, 0xe0, 0x81, 0x02, 0x05, 0xa0, 0x01];
        let parsed = parse(&payload).unwrap();
        let numbers = PictureNumbers { picture_id: Some(0x0102), tl0_pic_idx: Some(5) };
        assert_eq!(parsed.numbers, numbers);
        let others = PictureNumbers { picture_id: Some(0x7ffe), tl0_pic_idx: Some(9) };
        parsed.places.write(others, &mut payload);
        assert_eq!(payload, [0x90, 0xe0, 0xff, 0xfe, 0x09, 0xa0, 0x01]);
        assert_eq!(parse(&payload).unwrap().numbers, others);
        let short = parse(&[0x90, 0xe0, 0x11, 0x05, 0xa0, 0x01]).unwrap();
        assert_eq!((short.numbers, short.length), (PictureNumbers::default(), 5));
    }
}
